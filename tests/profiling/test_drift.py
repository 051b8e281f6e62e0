"""How data differ from the training data, drawn."""

from __future__ import annotations

import dataclasses
import re

import pytest

from prepkit.drift import ColumnDrift, Drift
from prepkit.finding import Finding
from prepkit.profiling.drift import drift_html, drift_table
from prepkit.report.terminal import as_text
from tests.profiling.profiles import HOSTILE
from tests.report.markup import checked, svgs, titles

CELLS = ("below 3", "[3, 9)", "from 9")


def column(name: str, verdict: str, psi: float | None = None, **more) -> ColumnDrift:
    made = ColumnDrift(name, "numeric", verdict)  # type: ignore[arg-type]
    if psi is not None:
        made = dataclasses.replace(
            made, psi=psi, threshold=0.1, expected=0.001, jensen_shannon=psi / 2, missing_before=0.0, missing_after=0.0,
            cells=CELLS, before=(0.5, 0.25, 0.25), after=(0.2, 0.3, 0.5),
        )  # fmt: skip
    return dataclasses.replace(made, **more)


DRIFT = Drift(
    "new.csv",
    900,
    32_000,
    (
        column("calm", "stable", 0.01),
        column("age", "major", 0.8),
        column("pay", "moderate", 0.2),
        column("gone", "absent", missing_before=0.1),
        column(HOSTILE, "unreadable"),
        column("holes", "stable", 0.0, missing_before=0.05, missing_after=0.5),
        column("odd", "unknown"),
    ),
    column("y", "major", 0.3, kind="categorical", cells=("no", "yes", "<other>")),
    (
        Finding("schema.missing_column", "error", "column 'gone'", {"similar": []}, "give it too"),
        Finding("schema.new_column", "info", "column 'more'"),
        Finding("drift.column", "warning", "column 'age'", {"statistic": "PSI", "value": 0.8, "source": "a book"}),
        Finding("drift.missing", "warning", "column 'holes'", {"statistic": "PSI", "value": 0.4}, "look", "Impute()"),
    ),
)
NOTHING = Drift("empty", 1, 2, (), None, ())


@pytest.mark.parametrize("width", [80, 100, 120])
def test_it_fits_its_terminal(width):
    for drift in (DRIFT, NOTHING):
        assert max(map(len, as_text(drift_table(drift), width).splitlines())) <= width


def test_what_differs_stands_first_and_so_do_the_columns_that_differ_most():
    text = as_text(drift_table(DRIFT), 120)
    assert text.startswith("new.csv: 900 rows, compared with 32,000 training rows")
    assert "1 error, 2 warnings, 1 note" in text
    assert "✖ A column is not there: column 'gone'" in text
    assert "▲ Distribution has shifted: column 'age': PSI 0.8" in text
    rows = text[text.index("verdict") :].splitlines()[2:]
    assert [row.split()[:2] for row in rows if row[:1].strip() or "unknown" in row][:5] == [
        ["▲", "y"], ["✖", "gone"], ["✖", "<script>alert('x')</script>…"], ["▲", "age"], ["▲", "pay"],
    ]  # fmt: skip
    assert re.search(r"▲ y \(label\) +major +0\.300 +0\.1 +█▄▄ +▄▅█", text)
    assert re.search(r"▲ holes +stable +0\.000 +0\.1 +5 % → 50 %", text)
    assert re.search(r"\n  calm +stable +0\.010", text)


def test_a_thousand_columns_do_not_flood_the_terminal():
    many = tuple(column(f"c{i}", "stable", i / 1e5) for i in range(1000))
    text = as_text(drift_table(dataclasses.replace(DRIFT, columns=many, findings=())), 100)
    assert len(text.splitlines()) < 70 and "940 more" in text and "c999 " in text and "c0 " not in text


def test_every_column_and_every_finding_is_on_the_page():
    page = drift_html(DRIFT)
    markup = checked(page)
    cards = [a["id"] for name, a in markup.elements if a.get("class") == "card"]
    assert cards[:5] == ["label", "c3", "c4", "c1", "c2"] and sorted(cards[1:]) == [f"c{i}" for i in range(7)]
    for f in DRIFT.findings:
        assert f.code in markup.words and f.advice.capitalize() in [*markup.words, ""]
    assert {"#c3", "#c1", "#c5"} <= {a["href"] for name, a in markup.elements if name == "a"}
    assert "2 columns without an error or a warning" in markup.words
    assert "below 3: training 50 %, here 20 %" in [t for svg in svgs(page) for t in titles(svg)]
    assert "5 % → 50 %" in markup.words
    assert HOSTILE.replace("\x00", "\ufffd") in markup.words
    words = markup.words
    assert (
        words[words.index("columns that drifted") + 1] == "2" and words[words.index("shares of classes") + 1] == "major"
    )


def test_nothing_has_drifted():
    calm = dataclasses.replace(DRIFT, columns=DRIFT.columns[:1], label=None, findings=())
    markup = checked(drift_html(calm))
    assert "✔ nothing" in markup.words and "nothing found" in markup.words
    assert "open" in next(a for name, a in markup.elements if name == "details")  # there is nothing else to see
    assert "nothing found" in as_text(drift_table(calm))


def test_nothing_to_compare():
    checked(drift_html(NOTHING))
    assert "empty: 1 row, compared with 2 training rows" in as_text(drift_table(NOTHING))


def test_a_label_without_a_name():
    drift = dataclasses.replace(DRIFT, label=dataclasses.replace(DRIFT.label, verdict="stable"), findings=(
        Finding("drift.label", "warning", "label", {"statistic": "PSI", "value": 0.3}),
    ))  # fmt: skip
    assert {a["href"] for name, a in checked(drift_html(drift)).elements if name == "a"} == {"#label"}
    assert "▲ y (label)" in as_text(drift_table(drift))
