"""Findings as cards."""

from __future__ import annotations

from prepkit.finding import Finding
from prepkit.report.cards import SPELT, as_cards
from prepkit.report.findings import grouped
from prepkit.report.html import page, tag
from tests.report.markup import checked
from tests.report.test_findings import MANY, NOTE, ONE, TOGETHER


def cards(findings: list[Finding], **targets: str) -> str:
    there = [tag("p", id=i) for i in targets.values()]
    return page("t", [as_cards(grouped(findings), {}, targets), *there])


def test_every_finding_is_on_the_page():
    markup = checked(cards([ONE, NOTE, *MANY]))
    for said in ["✖ error", "▲ warning", "● Duplicates", "Find the other.", "rows: rows 3"]:
        assert said in markup.words
    assert "label 'y': classes 1, class <b>[red]" in markup.words
    assert all(f"column 'c{i}'" in markup.words for i in range(40))
    assert markup.words.count("pk.Impute()") == 41  # once to copy, once for each in the table
    assert [a["class"] for name, a in markup.elements if name == "article"] == [
        "finding error", "finding warning", "note-line",
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


def test_a_finding_about_many_columns_names_them_once():
    markup = checked(cards([TOGETHER], **{"column 'c'": "c2"}))
    words = "".join(markup.words)
    assert "40 columns: a, b, c, d, e, f, g, h and 32 more: 1 % to 5.5 %" in words
    assert [a["href"] for name, a in markup.elements if name == "a"] == ["#c2"]


def test_a_statistic_is_told_with_its_source():
    evidence = {"verdict": "major", "statistic": "PSI", "value": 0.3123, "source": "Siddiqi 2006"}
    found = [Finding("drift", "warning", f"column {c!r}", evidence) for c in "xy"]
    assert checked(cards(found)).words.count("source: Siddiqi 2006") == 1
