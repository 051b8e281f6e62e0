"""What was found in the labels, in words, in a terminal, as charts."""

from __future__ import annotations

import dataclasses
import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from rich.cells import cell_len

from prepkit.cleaning.data import ACTIONS, DROP, KEEP, RELABEL, WEIGHT, Noise
from prepkit.cleaning.draw import DARKEST, DONE, OPACITY, done, heat, meter, named, summary, wrong
from prepkit.report.html import page
from prepkit.report.terminal import as_text
from prepkit.report.words import percent
from tests.cleaning.cleanings import CANDIDATES, HOSTILE, cleaning, issues, noise, tabular
from tests.report.markup import checked

AB = (["a"] * 4, ["b"] * 4)
NO_BETTER = ", since no treatment beat leaving the labels as they are beyond the noise of the comparison"


@pytest.mark.parametrize(
    "action, taken, actions, candidates, said",
    [
        ("auto", "nothing", [KEEP] * 4, CANDIDATES, f"auto: nothing was changed{NO_BETTER}"),
        ("auto", "nothing", [KEEP] * 4, (), "auto: nothing was changed, and no treatment was compared"),
        ("auto", "nothing", [KEEP] * 4, CANDIDATES[:1], "auto: nothing was changed, and no treatment was compared"),
        ("auto", "nothing", [], CANDIDATES, "auto: nothing was changed, since no label is doubted"),
        ("report", "nothing", [KEEP] * 4, (), "report: nothing was changed, as asked"),
        ("relabel", "nothing", [KEEP] * 4, (), "relabel: nothing was changed"),
        ("drop", "drop", [KEEP] * 4, (), "drop: nothing was changed"),
        ("drop", "drop", [DROP, DROP, KEEP, DROP], (), "drop: 3 rows left out"),
        ("weight", "weight", [WEIGHT, KEEP, KEEP, KEEP], (), "weight: 1 row weighted down"),
        ("auto", "relabel and drop", [DROP, RELABEL, DROP, DROP], (),
         "auto took relabel and drop: 1 row relabelled, 3 left out"),
    ],
)  # fmt: skip
def test_what_was_done(action, taken, actions, candidates, said):
    n = len(actions)
    found = cleaning(found=issues(AB[0][:n], AB[1][:n], actions), action=action, taken=taken, candidates=candidates)
    assert done(found) == said
    assert said.split(": ")[1] in as_text(summary(found), 300)


def test_every_action_has_a_word():
    assert set(DONE) == set(ACTIONS)


def test_the_share_of_wrong_labels():
    assert wrong(Noise(np.eye(2), 0.092, (0.0712, 0.114))) == "about 9.2 % (7.1 % to 11.4 %)"
    assert wrong(Noise(np.eye(2), 0.092, (math.nan, 0.1), True)) == "about 9.2 %, approximate"
    assert wrong(Noise(np.eye(2), math.nan, (0.0, 1.0))) == "not estimated"


def test_the_main_facts_in_a_terminal():
    text = as_text(summary(tabular(9)), 120)
    order = [
        "auto took relabel and drop: 3 rows relabelled, 4 left out",
        "1,000 rows: 9 doubted (0.9 %); share of wrong labels, estimated: about 10 % (7.5 % to 12.5 %)",
        "probabilities: gradient boosting, 5 folds; out of sample 83.1 % accurate, by chance 41.2 %",
        "relabel and drop     64   +3.12 ± 0.48     ✔ taken",
        "given",
        "▲ Labels: few",
    ]
    places = [text.index(words) for words in order]
    assert places == sorted(places)
    assert text.count("✔ taken") == 1


def test_pairs_in_a_terminal():
    given, suggested = [f"g{i // 3}" for i in range(21)], ["s"] * 21
    text = as_text(summary(cleaning(found=issues(given, suggested, [KEEP, DROP, DROP] * 7))), 100)
    assert text.count("2 left out, 1 kept") == 5
    assert [line.split() for line in text.splitlines() if "more pairs" in line] == [["2", "more", "pairs", "6"]]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_it_is_short_and_fits_its_terminal(width):
    for found in (tabular(60), cleaning(), cleaning([f"class {i}" for i in range(1000)])):
        lines = as_text(summary(found), width).splitlines()
        assert max(map(cell_len, lines)) <= width
        assert len(lines) <= 32
    assert "\x1b" not in as_text(summary(tabular(60)))  # neither markup of rich's nor of a terminal's
    assert "[red]" in as_text(summary(tabular(60)))


def test_names_are_cut_and_cannot_turn_what_is_around_them():
    assert named(HOSTILE).startswith('<bdi class="name">&lt;script&gt;')
    assert len(named("x" * 500)) < 120


def test_a_meter():
    assert 'width="3.1%"' in meter("given", 0.031) and "given 3.1 %" in meter("given", 0.031)
    assert 'width="0.0%"' in meter("given", math.nan) and "given –" in meter("given", math.nan)
    assert 'width="100.0%"' in meter("given", 1.0 + 1e-9)


def grid(drawn: str) -> list[list[ET.Element]]:
    """The cells of a heat map, row by row, by where they are drawn."""
    checked(page("t", [drawn]))
    found = ET.fromstring(drawn).findall("g")
    rows: dict[float, list[ET.Element]] = {}
    for cell in found:
        rows.setdefault(round(float(cell.find("text").get("y"))), []).append(cell)
    return [sorted(row, key=lambda c: float(c.find("text").get("x"))) for _, row in sorted(rows.items())]


@pytest.mark.parametrize("k", [1, 2, 6, 7, 20])
def test_each_cell_of_the_matrix_holds_its_share(k):
    matrix = noise(k, seed=2, rate=0.4).matrix
    names = [f"class {i}" for i in range(k)]
    cells = grid(heat(matrix, names))
    assert [len(row) for row in cells] == [k] * k
    wrong_ = matrix - np.diag(np.diagonal(matrix))
    most = max(DARKEST, wrong_.max())
    for i in range(k):
        for j in range(k):
            title, rect, text = cells[i][j]
            assert text.text == (percent(matrix[i, j]) if matrix[i, j] else "0")
            assert title.text == f"true class {j}, given class {i}: {percent(matrix[i, j])}"
            assert rect.get("class") == ("right" if i == j else "mistake")
            if i != j:
                depth = float(rect.get("fill-opacity"))
                np.testing.assert_allclose(depth, OPACITY * matrix[i, j] / most, atol=6e-4)


def test_a_matrix_of_few_mistakes_looks_like_one():
    matrix = np.array([[0.99, 0.0], [0.01, 1.0]])
    depth = [
        float(c[1].get("fill-opacity")) for row in grid(heat(matrix, "ab")) for c in row if c[1].get("fill-opacity")
    ]
    assert depth == [0.0, pytest.approx(OPACITY * 0.01 / DARKEST, abs=6e-4)]


def test_cells_lie_side_by_side_and_all_is_within_the_drawing():
    drawn = ET.fromstring(heat(noise(20).matrix, [f"a long name of class {i}" for i in range(20)]))
    left, top, width, height = map(float, drawn.get("viewBox").split())
    boxes = sorted((float(r.get("y")), float(r.get("x")), float(r.get("width"))) for r in drawn.iter("rect"))
    assert max(x + w for _, x, w in boxes) <= left + width and max(y for y, _, _ in boxes) < top + height
    assert len({(round(y / 2), round(x / 2)) for y, x, _ in boxes}) == 400
    assert (drawn.get("width"), drawn.get("height")) == (f"{width:g}", f"{height:g}")


def test_the_matrix_is_told_to_those_who_do_not_see_it():
    matrix = np.array([[0.9, 0.25], [0.1, 0.75]])
    assert ET.fromstring(heat(matrix, ["cat", HOSTILE])).get("aria-label") == (
        "noise matrix of 2 classes, given label by true label: right 75 % to 90 % of a class; "
        "the most frequent mistake: true <script>alert('x')</script>\"[red]��, given cat, 25 %"
    )
    assert ET.fromstring(heat(np.eye(1), ["a"])).get("aria-label").endswith("by true label: no mistakes")


def test_a_class_that_was_never_seen_has_dashes():
    matrix = np.array([[0.9, np.nan], [0.1, np.nan]])
    drawn = heat(matrix, "ab")
    assert [[c[2].text for c in row] for row in grid(drawn)] == [["90 %", "–"], ["10 %", "–"]]
    said = "right 90 % to 90 % of a class; the most frequent mistake: true a, given b, 10 %"
    assert ET.fromstring(drawn).get("aria-label").endswith(said)
    depths = [r.get("fill-opacity") for r in ET.fromstring(drawn).iter("rect") if r.get("class") == "mistake"]
    assert depths == ["0.000", f"{OPACITY:.3f}"]


def test_wide_characters_are_cut_to_what_fits():
    drawn = ET.fromstring(heat(np.eye(2), ["漢" * 40, "x" * 40]))
    names = [t.text for t in drawn.findall("text") if t.get("class") is None]
    assert names == ["漢" * 8 + "…"] * 2 + ["x" * 17 + "…"] * 2


def test_nothing_is_changed_in_what_is_drawn():
    found = tabular(9)
    before = {k: v.copy() for k, v in found.issues.items()}
    summary(dataclasses.replace(found))
    assert all((before[k] == found.issues[k]).all() for k in before)
