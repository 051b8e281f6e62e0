"""The benchmark of defects: its table is complete, its figures are those of its rows, and what it ships is found."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import defects
from prepkit.finding import Finding
from prepkit.profiling.data import Profile

TABLE = json.loads(defects.TABLE.read_text("utf-8"))
SHIPPED = [name for name, entry in TABLE.items() if defects.located(entry["file"], defects.FOLDERS)]


def found(*findings: Finding) -> Profile:
    return Profile("data", 10, 10, (), None, 0, True, findings)


def entry(*rows, true=()):
    return {"defects": list(rows), "true": list(true)}


def test_what_is_shipped_is_found(tmp_path: Path) -> None:
    assert len(SHIPPED) == 10
    out = tmp_path / "defects.json"
    defects.main(["--out", str(out)])
    report = json.loads(out.read_text("utf-8"))
    assert {o["name"] for o in report["data_sets"]} == set(SHIPPED)
    assert report["summary"]["percent_found"] >= 95
    assert report["summary"]["false"] == 0


def test_every_row_of_the_table_says_how_or_why_not() -> None:
    for name, known in TABLE.items():
        assert known["defects"], name
        for row in known["defects"]:
            assert bool(row.get("found_by") or row.get("absent")) != bool(row.get("not_detectable")), (name, row)
        for row in known["true"]:
            assert row.keys() == {"code", "column", "reason"} and row["reason"], (name, row)


def test_the_readme_names_every_file() -> None:
    readme = (defects.HERE / "data" / "README.md").read_text("utf-8")
    files = sorted(p.name for p in (defects.HERE / "data").glob("*.gz"))
    assert files and all(f"`{name}`" in readme for name in files)
    for name in files:
        with gzip.open(defects.HERE / "data" / name, "rt", encoding="utf-8") as lines:
            assert f"{sum(1 for _ in lines) - 1:,}" in readme, name


@pytest.mark.parametrize(
    ("finding", "expected"),
    [
        (Finding("missing", "warning", "column 'a'"), True),
        (Finding("missing", "warning", "columns 'b', 'c' and 1 more", {"columns": ["b", "c", "a"]}), True),
        (Finding("missing", "info", "columns", {"largest": "'a': 7"}), True),
        (Finding("missing", "warning", "column 'ab'"), False),
        (Finding("missing.much", "warning", "column 'a'"), False),
    ],
)
def test_a_defect_is_found_by_code_and_column(finding: Finding, expected: bool) -> None:
    row = {"defect": "a is empty", "found_by": [["missing", "a"]]}
    assert defects.judged("set", entry(row), found(finding)).defects[0].found is expected


def test_all_findings_of_a_defect_have_to_be_there() -> None:
    row = {"defect": "both", "found_by": [["missing", "a"], ["outliers|skew", None]]}
    one, other = Finding("missing", "warning", "column 'a'"), Finding("skew", "info", "column 'b'")
    assert not defects.judged("set", entry(row), found(one)).defects[0].found
    assert defects.judged("set", entry(row), found(one, other)).defects[0].found


def test_grave_findings_of_no_defect_are_false_unless_listed_as_true() -> None:
    grave = Finding("rows.sorted", "warning", "rows")
    known = {"code": "rows.sorted", "column": None, "reason": "they are"}
    outcome = defects.judged("set", entry(), found(grave))
    assert (outcome.true, outcome.false) == ((), ("rows.sorted",))
    outcome = defects.judged("set", entry(true=[known]), found(grave))
    assert (outcome.true, outcome.false) == (("rows.sorted",), ())
    assert defects.judged("set", entry(), found(replace(grave, severity="info"))).false == ()


def test_figures_with_and_without_what_cannot_be_seen() -> None:
    rows = [
        {"defect": "a", "found_by": [["missing", "a"]]},
        {"defect": "b", "found_by": [["skew", "b"]]},
        {"defect": "c", "not_detectable": "no cell says so"},
        {"defect": "none", "found_by": [], "absent": ["rows.duplicate"]},
    ]
    outcome = defects.judged("set", entry(*rows), found(Finding("missing", "warning", "column 'a'")))
    assert defects.summary([outcome]) == {
        "data_sets": 1,
        "defects": 4,
        "found": 2,
        "percent_found": 50.0,
        "detectable": 3,
        "percent_found_of_detectable": 66.7,
        "true_beyond_the_cards": 0,
        "false": 0,
    }


def test_a_set_that_is_not_there_is_left_out(tmp_path: Path) -> None:
    assert defects.run([tmp_path], TABLE) == []
