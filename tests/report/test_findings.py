"""Findings as lines."""

from __future__ import annotations

from typing import Any

import pytest

from prepkit.finding import Finding
from prepkit.report.findings import as_lines, bare, columns_of, counted, grouped, heading
from prepkit.report.terminal import as_text

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
    assert "✖ one class only: label 'y': classes 1, class <b>[red]" in text
    assert "Find the other." in text and "→" not in text


def test_stages_that_differ_are_counted():
    text = lines([Finding("a", "error", f"column {c!r}", stage=f"Drop({c!r})") for c in "xyz"])
    assert "→ pk.Drop('x') and 2 more" in text
    assert "→ a sentence" in lines([Finding("a", "error", "rows", stage="a sentence")])


def test_kinds_beyond_the_most_are_counted():
    found = [Finding(f"code{i}", "info" if i % 2 else "warning", "rows", advice="do it") for i in range(20)]
    text = as_text(as_lines(grouped(found), {"code19": "The Last"}, most=4, notes=2), 300)
    drawn = [line for line in text.splitlines() if line[0] != " "]
    assert [line[:8].rstrip(":") for line in drawn] == [
        "▲ Code0", "▲ Code2", "▲ Code4", "▲ Code6", "● Code1", "● Code3",
    ]  # fmt: skip
    assert "  and 6 warnings, 8 notes: code8, code10, code12, code14 and 10 more" in text


def test_a_note_takes_a_line():
    text = lines([Finding("a", "info", "rows", {"why": "x " * 300}, "do it", "Drop('x')")])
    assert len(text.splitlines()) == 1 and text.rstrip().endswith("…") and "do it" not in text


def test_a_statistic_is_told_with_its_source():
    evidence = {"verdict": "major", "statistic": "PSI", "value": 0.3123, "source": "Siddiqi 2006"}
    found = [Finding("drift", "warning", f"column {c!r}", evidence) for c in "xy"]
    assert "2 columns: x (PSI 0.3123), y (PSI 0.3123)" in lines(found)
    assert "Siddiqi" not in lines(found[:1])


TOGETHER = Finding(
    "missing", "warning", "columns 'a', 'b', 'c', 'd', 'e' and 35 more",
    {"columns": [*"abcdefgh"], "number": 40, "least percent": 1.0, "most percent": 5.5, "markers": "'?' 7"},
    "fill the cells: all of them", "Impute()",
)  # fmt: skip


def test_a_finding_about_many_columns_names_them_once():
    text = " ".join(lines([TOGETHER]).split())
    assert "columns 'a', 'b', 'c', 'd', 'e' and 35 more: 1 % to 5.5 %, markers '?' 7" in text
    assert "Fill the cells: all of them" in text
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
