"""A profile as a page."""

from __future__ import annotations

import dataclasses
import re

import pytest

from prepkit.errors import PrepkitError
from prepkit.profiling.data import Bars, LabelProfile
from prepkit.profiling.page import html
from prepkit.report.style import CLASSES
from tests.profiling.profiles import COLUMNS, EMPTY, FINDINGS, HOSTILE, LABEL, PROFILE, numeric, wide
from tests.report.markup import checked, svgs, titles

KEY = "yes <script>alert('x')<…"
SHOWN = HOSTILE.replace("\x00", "\ufffd")
WIDEST = 6  # MB, of a page of a thousand columns


def test_every_finding_and_every_column_is_on_the_page():
    page = html(PROFILE)
    markup = checked(page)
    cards = [a for name, a in markup.elements if name == "article"]
    assert [a["id"] for a in cards if a["class"] == "card"] == [f"c{i}" for i in range(len(COLUMNS))]
    assert [a["class"] for a in cards if a["class"] != "card"] == [
        "finding error", "finding warning", "finding warning", "note-line", "note-line",
    ]  # fmt: skip
    for c in COLUMNS:
        assert markup.words.count(c.name.replace("\x00", "\ufffd")) >= 2  # in the table, on its card
        assert all(note in markup.words for note in c.notes)
    for f in FINDINGS:
        assert f.advice.replace("\x00", "\ufffd") in markup.words or not f.advice
        assert f.code in markup.words
    assert "pk.Drop('age')" in markup.words and "pk.Rebalance('class_weight')" in markup.words


def test_cells_that_hold_markup_are_shown():
    page = html(PROFILE)
    assert "<script" not in page
    assert SHOWN in checked(page).text
    assert not re.search(r"https?:", page)


def test_places_lead_to_their_card():
    leads = {a["href"] for name, a in checked(html(PROFILE)).elements if name == "a"}
    assert {"#c0", "#c1", "#c2", "#label"} <= leads
    assert "#label" not in {
        a["href"] for name, a in checked(html(dataclasses.replace(PROFILE, label=None))).elements if name == "a"
    }


def test_the_first_look():
    words = checked(html(PROFILE)).words
    start = words.index("found")
    assert words[start : start + 3] == ["found", "1 error", "3 warnings, 2 notes"]
    for name, value in [("rows", "100"), ("columns", "10"), ("cells missing", "27.9 %"), ("duplicate rows", "about 8")]:
        assert words[words.index(name) + 1] == value
    assert "rarest: yes " in " ".join(words)
    assert "100 rows read; charts and quantiles are of 50 rows, spread over all; compared with test (20 rows)" in words


def test_charts_are_stacked_by_class():
    said = [t for svg in svgs(html(PROFILE)) for t in titles(svg)]
    assert f"[0, 10): 40 rows, 40 %\n{KEY}: 10" not in said  # the more frequent class is below
    assert f"[0, 10): 40 rows, 40 %\nno: 30\n{KEY}: 10" in said
    assert f"cook: 60 rows, 60 %\nno: 60\n{KEY}: 0" in said
    assert "median: 15" in next(t for t in said if t.startswith("smallest: 0\n")).replace("50 %", "median")


def test_without_a_label():
    bars = dataclasses.replace(COLUMNS[0].bars, by_class=())
    page = html(dataclasses.replace(PROFILE, label=None, columns=(numeric(bars=bars),), findings=()))
    markup = checked(page)
    assert "[0, 10): 40 rows, 40 %" in [t for svg in svgs(page) for t in titles(svg)]
    assert "classes" not in markup.words and "legend" not in {a.get("class") for _, a in markup.elements}
    assert "✔ nothing" in markup.words


def test_nothing_at_all():
    markup = checked(html(EMPTY))
    assert "Profile of none" in markup.words and "nothing found" in markup.words


def test_what_is_missing_is_named():
    text = checked(html(PROFILE)).text
    assert "of these: NaN 9, infinite 1, unreadable 2" in text
    assert "of these: ? 5, blank 2" in text
    assert "missing 100 %" in text


@pytest.mark.parametrize("n", [1, CLASSES, CLASSES + 1, 1000])
def test_many_classes_share_the_last_look(n):
    names = tuple(f"class{i}" for i in range(n))
    label = LabelProfile(None, "int", names, tuple(range(1, n + 1)), 0)
    bars = Bars(("[0, 1)", "[1, 2]"), (n, n), (0.0, 1.0, 2.0), tuple((i, 1) for i in range(n)))
    page = html(dataclasses.replace(PROFILE, label=label, columns=(numeric(bars=bars),), findings=()))
    words = checked(page).words
    said = [t for svg in svgs(page) for t in titles(svg) if t.startswith("[0, 1)")]
    most = min(n, CLASSES)
    assert said[0].count("\n") == most
    assert f"\nclass{n - 1}: {n - 1:,}" in said[0]  # the most frequent
    if n > CLASSES:
        rest = range(n - CLASSES + 1)
        assert f"{len(rest):,} other classes: {sum(rest):,}" in said[0]
    assert (f"and {n - 30:,} more classes, of fewer rows" in words) == (n > 30)


def test_a_thousand_columns_stay_small():
    profile = wide(1000)
    page = html(profile)
    markup = checked(page)
    assert len(page.encode()) < WIDEST * 1e6
    assert sum(a.get("class") == "card" for name, a in markup.elements) == 1001  # and the label's
    assert "980 columns without an error or a warning" in markup.words


def test_it_is_written_to_a_file(tmp_path):
    path = tmp_path / "r.html"
    assert PROFILE.to_html(path) == path
    assert path.read_text("utf-8") == html(PROFILE)
    with pytest.raises(PrepkitError, match="is a directory"):
        PROFILE.to_html(tmp_path)


def test_in_a_notebook_it_stands_in_a_frame():
    assert PROFILE._repr_html_().startswith('<iframe srcdoc="&lt;!DOCTYPE html&gt;')
    assert LABEL.name is not None
