"""How training went, as sections of the page."""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ET

from prepkit.ablation.data import Ablation, Run
from prepkit.ablation.page_training import first_epochs, learning_curves, times
from tests.ablation.ablations import ablation
from tests.report.markup import checked

FOUND = ablation(("Impute", "Clip", "Rescale"), 3, alternatives=("Clip: x",))
EMPTY = Ablation((), (), (), (), {}, "", {})


def read(markup: str) -> ET.Element:
    checked(markup)
    return ET.fromstring(markup)


def words(element: ET.Element) -> str:
    return "".join(element.itertext())


def cells(table: ET.Element) -> list[list[str]]:
    return [[words(cell) for cell in row] for row in table.iter("tr")]


def test_one_chart_for_each_variant_against_what_it_is_compared_with():
    found = read(learning_curves(FOUND))
    heads = [[words(e) for e in f.find("figcaption")] for f in found.iter("figure")]
    assert heads == [
        ["raw"], ["without Impute", "● needed to train at all"], ["without Clip", "✖ hurts"],
        ["without Rescale", "✔ helps"], ["Clip: x"], ["only Impute"], ["only Clip"], ["only Rescale"],
    ]  # fmt: skip
    said = [words(f.find("small")) for f in found.iter("figure")]
    assert [s.split(" in grey")[0] for s in said] == ["recipe"] * 5 + ["raw"] * 3
    assert said[1].endswith("0 of 3 converged, 3 diverged")
    assert [sum(e.get("class") == "end" for e in f.iter("text")) for f in found.iter("figure")] == [0, 3] + [0] * 6
    assert "was-line" in {e.get("class") for e in next(found.iter("figure")).iter("path")}


def test_all_charts_have_one_scale():
    figures = list(read(learning_curves(FOUND)).iter("figure"))
    cuts = {e.get("d") for f in figures for e in f.iter("path") if e.get("class") in ("cut", "was-line")}
    assert len(cuts) == 3  # the reference, the recipe and raw are the same in each


def test_how_all_variants_ended_stands_in_a_table():
    rows = cells(next(read(learning_curves(FOUND)).iter("table")))
    assert [r[0] for r in rows[1:4]] == ["recipe", "raw", "without Impute"]
    assert rows[3][1:] == ["0 of 3 converged, 3 diverged", rows[3][2], "–", "–", "–", "–"]
    failed = tuple(Run("raw", r.seed, "failed", "too <few> rows") if r.variant == "raw" else r for r in FOUND.runs)
    rows = cells(next(read(learning_curves(dataclasses.replace(FOUND, runs=failed))).iter("table")))
    assert rows[2][1] == "0 of 3 converged, 3 failedtoo <few> rows"


def test_without_a_finite_loss_there_is_no_chart():
    runs = tuple(dataclasses.replace(r, log_loss=()) for r in FOUND.runs)
    assert "no run has a finite" in words(read(learning_curves(dataclasses.replace(FOUND, runs=runs))))
    assert "no run has a finite" in words(read(learning_curves(EMPTY)))


def test_the_time_to_the_target():
    found = read(times(FOUND))
    rows = {r[0]: r[2:] for r in cells(found)[1:]}
    steps, seconds = rows["recipe"][0], rows["recipe"][2]
    assert int(steps) % 79 == 0 and 0 < float(seconds) < 20 and rows["recipe"][3] == ""
    assert rows["without Impute"][0::3] == ["–", "3 of 3"]
    assert "0.360 to 0.362, by seed" in words(found.find("h2"))
    bars = [[e.get("class") for e in r.iter("rect")] for r in found.iter("tr")][1:]
    assert bars[0] == ["k", "k"] and bars[1] == ["never", "never"]


def test_the_slowest_has_the_longest_bar():
    rows = [r for r in read(times(FOUND)).iter("tr") if r.find("td") is not None]
    reached = {words(r[0]): (words(r[2]), float(r[1].find(".//rect").get("width")[:-1])) for r in rows}
    finite = {int(s.replace(",", "")): w for s, w in reached.values() if s != "–"}
    assert finite[max(finite)] == 100.0 and all(abs(w - 100 * s / max(finite)) < 0.01 for s, w in finite.items())


def test_without_a_target_nothing_is_timed():
    assert "no target was set" in words(read(times(dataclasses.replace(FOUND, settings={"targets": {}}))))


def test_the_first_epochs():
    runs = tuple(
        dataclasses.replace(r, gradient_norm=g, dead_relus=d)
        for r in FOUND.runs
        for g, d in [(((1000.0, 2.0), (0.5, 0.25)) if r.variant == "raw" else ((1.0, float("nan")), ()))]
    )
    rows = cells(read(first_epochs(dataclasses.replace(FOUND, runs=runs))))
    assert rows[1] == ["recipe", "1 → –", "", "–"]
    assert rows[2] == ["raw", "1e+03 → 2", "1,000 times", "50 % → 25 %"]
    assert rows[3] == ["without Impute", "1 → –", "the same", "–"]
    assert first_epochs(EMPTY) == ""
