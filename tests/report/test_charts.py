"""Charts as inline SVG."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prepkit.report import bars, charts
from prepkit.report.html import page
from prepkit.report.style import CLASSES, CSS, PALETTE, PALETTE_DARK, PATTERNS
from tests.report.markup import checked, svgs, titles

COUNTS = st.lists(st.integers(0, 10**9), min_size=1, max_size=40)
HOSTILE = "<script>\"'&"


def heights(svg: str, look: str) -> list[float]:
    """Of the bars of a class, as drawn."""
    [path] = re.findall(rf'<path class="{look}" d="([^"]*)"', svg)
    return [float(v) for v in re.findall(r"v([0-9.]+)", path)]


@given(COUNTS)
def test_bars_are_as_high_as_their_rows(counts):
    svg = charts.histogram(counts, list(range(len(counts) + 1)))
    checked(page("t", [svg]))
    assert len(titles(svgs(svg)[0])) == len(counts)
    if not any(counts):
        assert "<path" not in svg.replace('<path class="grid"', "")
        return
    drawn = heights(svg, "k")
    there = [n for n in counts if n]
    assert len(drawn) == len(there)
    full = charts.HEIGHT - charts.TOP - charts.BOTTOM
    expected = np.maximum(charts.LEAST, full * np.array(there) / max(there))
    np.testing.assert_allclose(drawn, expected, atol=0.051)


def test_classes_stand_on_each_other_and_say_their_rows():
    svg = charts.histogram(
        [30, 0, 10], [0, 1, 2, 3], ticks=list("abcd"), by_class=[[20, 0, 0], [10, 0, 10]], classes=["no", HOSTILE]
    )
    first, second = heights(svg, "k0"), heights(svg, "k1")
    full = charts.HEIGHT - charts.TOP - charts.BOTTOM
    np.testing.assert_allclose([*first, *second], [full * 2 / 3, full / 3, full / 3], atol=0.051)
    said = titles(svgs(svg)[0])
    assert said[0] == f"a to b: 30 rows, 75 %\nno: 20\n{HOSTILE}: 10"
    assert said[1].startswith("b to c: 0 rows, 0 %")
    bottom = [float(v) for v in re.findall(r"M[0-9.]+ ([0-9.]+)h", svg)]
    assert bottom[0] == pytest.approx(charts.TOP + full / 3, abs=0.051)  # of the lower class
    assert bottom[1] == charts.TOP


@pytest.mark.parametrize("n_classes", [1, CLASSES, CLASSES + 5])
def test_every_class_has_a_look_of_its_own_up_to_the_last(n_classes):
    svg = charts.histogram([n_classes], [0, 1], by_class=[[1]] * n_classes, classes=[f"c{i}" for i in range(n_classes)])
    looks = re.findall(r'<path class="(k\d)"', svg)
    assert len(set(looks)) == min(n_classes, CLASSES)
    key = charts.legend([f"c{i}" for i in range(n_classes)])
    assert key.count("<rect") == min(n_classes, CLASSES)
    assert ("the other classes" in key) == (n_classes > CLASSES)


def test_axes_are_named():
    [svg] = svgs(charts.histogram([3, 1], [0, 5, 10], x="age in years", y="people"))
    words = [t.text for t in svg.iter("text")]
    assert words == ["3", "0", "people", "0", "10", "age in years"]
    assert svg.get("aria-label") == "people by age in years: 2 bars, the highest of 3"


def test_bins_that_reach_far_are_set_apart():
    edges = [-1000.0, 1.0, 2.0, 3.0, 9e307]
    svg = charts.histogram([1, 2, 3, 4], edges, x="pay")
    checked(page("t", [svg]))
    assert svg.count('class="cut"') == 2
    assert {"&lt; 1", "≥ 3"} <= set(re.findall(r">([^<>]*)</text>", svg))
    near = charts.histogram([1, 2, 3], [0, 1, 2, 3.4])
    assert "cut" not in near and "≥" not in near
    assert "cut" in charts.histogram([1, 2, 3], [0, 2, 3, 4])
    one_side = charts.histogram([1, 2, 3], [0, 1, 2, 9])
    assert one_side.count('class="cut"') == 1 and ">≥ 2<" in one_side and ">0<" in one_side


def test_quantiles_lie_under_the_bins_that_they_are_in():
    edges = [-1000.0, 1.0, 2.0, 3.0, 1000.0]
    html = charts.strip([-1000.0, 1.5, 2.0, 2.5, 1000.0], list("abcde"), edges=edges)
    full = charts.WIDTH - charts.LEFT - charts.RIGHT
    [median] = re.findall(r'class="median" d="M([0-9.]+) ', html)
    assert float(median) == pytest.approx(charts.LEFT + full / 2, abs=0.051)
    [(x, width)] = re.findall(r'class="box" x="([0-9.]+)" y="3" width="([0-9.]+)"', html)
    assert float(x) == pytest.approx(charts.LEFT + full * 3 / 8, abs=0.051)
    assert float(width) == pytest.approx(full / 4, abs=0.051)
    [(start, end)] = re.findall(r'class="whisker" d="M([0-9.]+) 10H([0-9.]+)"', html)
    assert (float(start), float(end)) == (charts.LEFT, charts.WIDTH - charts.RIGHT)


def test_one_bar_and_none():
    assert heights(charts.histogram([7], [5, 5]), "k") == [charts.HEIGHT - charts.TOP - charts.BOTTOM]
    for empty in (
        charts.histogram([], []),
        bars.bars([], []),
        bars.pairs([], [], [], ("a", "b")),
        charts.strip([], []),
    ):
        assert "<svg" not in empty and 'class="nothing"' in empty


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=3, max_size=9).filter(lambda v: len(v) % 2))
def test_quantiles_lie_within_the_chart(values):
    values = sorted(values)
    html = charts.strip(values, [f"q{i}" for i in range(len(values))], x="pay")
    checked(page("t", [html]))
    places = [float(v) for v in re.findall(r"[MH]([-0-9.]+)", html)]
    assert all(charts.LEFT <= v <= charts.WIDTH - charts.RIGHT for v in places)
    assert places == sorted(places[:2]) + places[2:]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_no_quantiles_are_drawn_of_what_is_no_number(bad):
    assert "<svg" not in charts.strip(sorted([0.0, bad, 1.0]), ["a", "b", "c"])


def test_a_constant_has_its_quantiles_in_one_place():
    html = charts.strip([5.0] * 9, list("abcdefghi"))
    checked(page("t", [html]))
    assert "median 5, half from 5 to 5" in html
    [median] = re.findall(r'class="median" d="M([0-9.]+) ', html)
    assert float(median) == (charts.LEFT + charts.WIDTH - charts.RIGHT) / 2


def luminance(colour: str) -> float:
    """Relative, 0 to 1 (WCAG 2.2)."""
    parts = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(a: str, b: str) -> float:
    dark, light = sorted([luminance(a), luminance(b)])
    return (light + 0.05) / (dark + 0.05)


def test_colours_are_seen_on_their_ground_and_none_goes_without_a_pattern():
    assert min(contrast(c, "#1d2126") for c in PALETTE_DARK) >= 3  # WCAG 2.2, 1.4.11, for graphics
    assert min(contrast(c, "#ffffff") for c in PALETTE) >= 1.9  # Okabe and Ito's orange: its pattern is dark
    assert len(set(re.findall(r'<g class="hatch">(.*?)</g>', PATTERNS))) == CLASSES
    assert all(f"#p{i})" in CSS for i in range(1, CLASSES))


@pytest.mark.parametrize("scheme", [0, 1])
def test_text_is_read_on_its_ground(scheme):
    found = dict(re.findall(r"--([a-z-]+):(#[0-9a-f]{3,6});", CSS.split("@media screen")[scheme].split("}")[0]))
    full = {k: v if len(v) == 7 else "#" + "".join(2 * c for c in v[1:]) for k, v in found.items()}
    pairs = [("ink", "card"), ("ink", "ground"), ("soft", "card"), ("soft", "ground"), ("ink", "code")]
    pairs += [(t, g) for t in ("error", "warning", "info", "good") for g in (f"{t}-ground", "card") if g in full]
    for ink, ground in pairs:
        assert contrast(full[ink], full[ground]) >= 4.5, (ink, ground)  # WCAG 2.2, 1.4.3
