"""Effects, curves and times as drawings."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET

import pytest

from prepkit.ablation.draw import HIGH, SIDE, Scale, axis, curves, frame_of, interval, legend, lying, scale_of, verdict
from prepkit.ablation.facts import curve
from tests.ablation.ablations import NAN, effect, run
from tests.report.markup import numbers_are_finite, titles

SCALE = Scale(-0.1, 0.1)


def loss(difference: float, judgement: str = "helps", **more: float) -> object:
    return effect("A", "log_loss", "in the recipe", difference, judgement, **more)


def read(markup: str) -> ET.Element:
    drawing = ET.fromstring(markup)
    numbers_are_finite(drawing)
    return drawing


def percent(value: str) -> float:
    return float(value.removesuffix("%"))


def test_a_scale_holds_all_intervals_and_has_two_sides():
    scale = scale_of([loss(-0.1), loss(-0.02), loss(0.01)])
    assert scale.low == pytest.approx(-0.106)
    assert scale.high == pytest.approx(SIDE * (0.106 + 0.016))
    assert scale.ticks() == [-0.05, 0.0]
    assert scale_of([loss(0.1)]).low == pytest.approx(-SIDE * 0.106)


def test_an_effect_far_beyond_the_others_does_not_hide_them():
    scale = scale_of([loss(-0.02), loss(-0.03), loss(0.02), loss(-25.0)])
    assert scale.low == pytest.approx(-6 * 0.031)  # the median of 0.026, 0.036, 0.026 and 25.006
    assert scale.high < 0.1


@pytest.mark.parametrize("effects", [[], [loss(NAN, "not judged")], [loss(0.0, half=0.0)], [loss(1e-9, half=0.0)]])
def test_a_scale_of_nothing_much(effects):
    scale = scale_of(effects)
    assert scale.low < 0 < scale.high and len(scale.ticks()) > 1


def test_an_interval_is_drawn_to_scale():
    drawing = read(interval(loss(-0.05), SCALE))
    dot = drawing.find("circle")
    span = next(e for e in drawing.iter("line") if e.get("class") == "span")
    assert percent(dot.get("cx")) == pytest.approx(3 + 94 * 0.25)
    assert [percent(span.get(k)) for k in ("x1", "x2")] == pytest.approx([3 + 94 * 0.22, 3 + 94 * 0.28])
    assert titles(drawing) == ["−0.050 (−0.056 to −0.044)"]
    assert drawing.get("class") == "effect good"
    assert read(interval(loss(0.05, "hurts"), SCALE)).get("class") == "effect error"


@pytest.mark.parametrize("measure, side", [("log_loss", (3.0, 50.0)), ("balanced_accuracy", (50.0, 97.0))])
def test_the_better_side_is_shaded(measure, side):
    drawing = read(interval(effect("A", measure, "alone", 0.01, "helps"), SCALE))
    better, little = drawing.findall("rect")
    x, width = percent(better.get("x")), percent(better.get("width"))
    assert (better.get("class"), x, x + width) == ("better", *side)
    assert percent(little.get("width")) == pytest.approx(94 * 0.01 / 0.2, abs=0.02)  # 0.005 to each side


@pytest.mark.parametrize("difference, mark", [(-3.0, "◀"), (3.0, "▶")])
def test_what_lies_beyond_is_an_arrow_at_the_edge(difference, mark):
    drawing = read(interval(loss(difference), SCALE))
    assert [e.text for e in drawing.iter("text")] == [mark] and drawing.find("circle") is None


def test_a_single_seed_has_a_dot_and_nothing_else():
    drawing = read(interval(loss(-0.05, "not judged", pairs=1), SCALE))
    assert drawing.find("circle") is not None and "span" not in {e.get("class") for e in drawing.iter()}


def test_no_number_is_said_to_be_none():
    assert "cannot be compared" in interval(None, SCALE)
    assert "nothing at all" in interval(loss(NAN), SCALE, "nothing at all")


def test_the_axis_names_the_sides():
    said = [e.text for e in read(axis(SCALE)).iter("text")]
    assert said == ["◀ better", "worse ▶", "−0.05", "0", "+0.05"]


def test_judgements_are_told_by_sign_and_word():
    assert "✔ helps" in verdict("helps") and "✖ worse" in verdict("hurts", "worse")


def places(d: str) -> list[tuple[float, float]]:
    return [tuple(map(float, p.split())) for p in re.findall(r"[-0-9.]+ [-0-9.]+", d)]


def test_curves_lie_in_their_frame():
    its, against = (curve([run(n, s, level) for s in range(3)]) for n, level in (("raw", 0.5), ("recipe", 0.3)))
    frame = frame_of([its, against], 0.65)
    drawing = read(curves(its, against, frame, "what is seen"))
    by_class = {e.get("class"): places(e.get("d")) for e in drawing.iter("path") if e.get("class") != "grid"}
    assert list(by_class) == ["cut", "was-band", "was-line", "band", "line"]
    assert len(by_class["line"]) == 20 and len(by_class["band"]) == 40
    assert all(34 <= x <= 294 and 8 <= y <= 132 for d in by_class.values() for x, y in d)
    assert (by_class["line"][0][0], by_class["line"][-1][0]) == (34, 294)
    assert by_class["line"][-1][1] < by_class["was-line"][-1][1]  # the worse one is higher
    assert drawing.get("aria-label") == "what is seen" and len(drawing.findall("circle")) == 10


def test_a_frame_ends_a_little_above_the_reference():
    frame = frame_of([curve([run("raw", 0, 30.0), run("raw", 1, 0.3)])], 0.65)
    assert frame.high == pytest.approx(HIGH * 0.65, rel=0.06) and frame.y(30.0) == frame.y(NAN) == frame.y(math.inf)
    assert frame_of([curve([run("raw", 0, 0.3)])], NAN).high > 0.8
    assert frame_of([], NAN).low < frame_of([], NAN).high


def test_runs_that_diverge_are_marked_where_they_end():
    its = curve([run("raw", s, 0.3, status="diverged") for s in range(4)])
    drawing = read(curves(its, None, frame_of([its], NAN), ""))
    marks = [e for e in drawing.iter("text") if e.get("class") == "end"]
    assert [e.text for e in marks] == ["✖"] * 4
    assert len({e.get("x") for e in marks}) > 1
    assert {t[:8] for t in titles(drawing)} == {"diverged"}


def test_a_single_epoch_and_none():
    its = curve([run("raw", 0, 0.3, epochs=1)])
    read(curves(its, its, frame_of([its], 0.6), ""))
    read(curves(curve([]), None, frame_of([], NAN), ""))


def test_the_legend_shows_what_is_drawn():
    assert {"band", "line", "was-band", "was-line", "cut", "end"} <= set(re.findall(r'class="([a-z-]+)"', legend()))


def test_lying_bars():
    assert read(lying(2.5, 10.0, "x")).find("rect").get("width") == "25.00%"
    assert read(lying(math.inf, 10.0, "x")).find("rect").get("class") == "never"
    assert read(lying(NAN, 0.0, "x")).find("rect") is None
