"""Findings as lines and as cards."""

from __future__ import annotations

from typing import Any

import pytest

from prepkit.finding import Finding
from prepkit.report.findings import SPELT, as_cards, as_lines, bare, columns_of, counted, grouped, heading
from prepkit.report.html import page, tag
from prepkit.report.terminal import as_text
from tests.report.markup import checked

MANY = [
    Finding("missing", "warning", f"column 'c{i}'", {"share": i / 100}, "Fill the cells.", "Impute()")
    for i in range(40)
]
ONE = Finding("labels.constant", "error", "label 'y'", {"n_classes": 1, "class": "<b>[red]"}, "Find the other.", "")
NOTE = Finding("duplicates", "info", "rows", {"n_rows": 3})


def lines(findings: list[Finding], **titles: Any) -> str:
    return as_text(as_lines(grouped(findings), titles), 100)


def test_the_gravest_come_first_and_the_same_together():
    groups = grouped([NOTE, *MANY[:3], ONE, *MANY[3:]])
    assert [(g.code, len(g.findings)) for g in groups] == [("labels.constant", 1), ("missing", 40), ("duplicates", 1)]
    assert groups[1].findings == tuple(MANY)
    assert grouped([]) == []


def test_forty_columns_take_a_line():
    text = lines(MANY)
    assert "40 columns: c0 (share 0 %), c1 (share 1 %)" in " ".join(text.split())
    assert "and 34 more" in text
    assert text.count("Fill the cells.") == text.count("pk.Impute()") == 1
    assert len(text.splitlines()) <= 4


def test_one_finding_is_told_in_full():
    text = lines([ONE], **{"labels.constant": "one class only"})
    assert "✖ one class only  label 'y': classes 1, class <b>[red]" in text
    assert "Find the other." in text and "→" not in text


def test_stages_that_differ_are_counted():
    text = lines([Finding("a", "info", f"column {c!r}", stage=f"Drop({c!r})") for c in "xyz"])
    assert "→ pk.Drop('x') and 2 more" in text
    assert "→ a sentence" in lines([Finding("a", "info", "rows", stage="a sentence")])


def test_kinds_beyond_the_most_are_counted():
    text = as_text(as_lines(grouped([Finding(f"code{i}", "info", "rows") for i in range(20)]), {}, most=5))
    assert "Code4" in text and "Code5" not in text and "... and 15 more kinds of finding" in text


def cards(findings: list[Finding], **targets: str) -> str:
    there = [tag("p", id=i) for i in targets.values()]
    return page("t", [as_cards(grouped(findings), {}, targets), *there])


def test_every_finding_is_on_the_page():
    markup = checked(cards([ONE, NOTE, *MANY]))
    for said in ["✖ error", "▲ warning", "● info", "Find the other.", "rows: rows 3"]:
        assert said in markup.words
    assert "label 'y': classes 1, class <b>[red]" in markup.words
    assert all(f"column 'c{i}'" in markup.words for i in range(40))
    assert markup.words.count("pk.Impute()") == 41  # once to copy, once for each in the table
    assert [a["class"] for name, a in markup.elements if name == "article"] == [
        "finding error", "finding warning", "finding info",
    ]  # fmt: skip


def test_places_lead_to_what_is_about_them():
    html = cards([ONE, *MANY[:2]], **{"label 'y'": "label", "column 'c1'": "c1"})
    markup = checked(html)
    leads = [a["href"] for name, a in markup.elements if name == "a"]
    assert leads == ["#label", "#c1", "#c1"]


def test_advice_that_differs_is_told_for_each():
    found = [Finding("a", "info", f"column {c!r}", {}, f"advice {c}") for c in "xy"]
    markup = checked(cards(found))
    assert markup.words.count("Advice x") == 2 and markup.words.count("Advice y") == 1


def test_thousands_are_named_but_not_told_one_by_one():
    found = [Finding("a", "info", f"column 'n{i}'", {"x": i}) for i in range(5000)]
    markup = checked(cards(found))
    assert sum(name == "tr" for name, _ in markup.elements) == SPELT + 1
    assert "n4999" in markup.text and "all 5,000" in markup.text


TOGETHER = Finding(
    "missing", "warning", "columns 'a', 'b', 'c', 'd', 'e' and 35 more",
    {"columns": [*"abcdefgh"], "number": 40, "least percent": 1.0, "most percent": 5.5, "markers": "'?' 7"},
    "fill the cells: all of them", "Impute()",
)  # fmt: skip


def test_a_finding_about_many_columns_names_them_once():
    text = " ".join(lines([TOGETHER]).split())
    assert "columns 'a', 'b', 'c', 'd', 'e' and 35 more: 1 % to 5.5 %, markers '?' 7" in text
    assert "Fill the cells: all of them" in text
    markup = checked(cards([TOGETHER], **{"column 'c'": "c2"}))
    words = "".join(markup.words)
    assert "40 columns: a, b, c, d, e, f, g, h and 32 more: 1 % to 5.5 %" in words
    assert [a["href"] for name, a in markup.elements if name == "a"] == ["#c2"]
    assert columns_of(TOGETHER) == tuple("abcdefgh")
    assert columns_of(Finding("a", "info", "column 'x'", {"columns": ["y"]})) == ()


def test_places_are_told_apart_by_their_percent():
    found = [Finding("a", "info", f"column {c!r}", {"missing": 7, "percent": p}) for c, p in [("x", 1.5), ("y", 2.0)]]
    assert "2 columns: x (1.5 %), y (2 %)" in lines(found)


@pytest.mark.parametrize(
    "where, name",
    [
        ("column 'a b'", "a b"),
        ('column "it\'s"', "it's"),
        ("column ''", "column ''"),
        ("label 'y'", "label 'y'"),
        ("rows", "rows"),
        ("columns", "columns"),
    ],
)
def test_names_without_what_they_are_of(where, name):
    assert bare(where) == name


def test_counts_of_severities():
    assert counted([ONE, *MANY, NOTE]) == "1 error, 40 warnings, 1 note"
    assert heading("a") == "A" and heading("") == ""
