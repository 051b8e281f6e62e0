"""A profile in a terminal."""

from __future__ import annotations

import dataclasses
import re

import pytest

from prepkit.finding import Finding
from prepkit.profiling.data import Bars, LabelProfile
from prepkit.profiling.draw import line, shown, table, values
from prepkit.profiling.page import html
from prepkit.report.terminal import as_text
from tests.profiling.profiles import COLUMNS, EMPTY, LABEL, PROFILE, categorical, column, numeric, wide
from tests.report.markup import checked


def drawn(profile=PROFILE, width=100) -> str:
    return as_text(table(profile), width)


@pytest.mark.parametrize("width", [60, 80, 100, 120, 300])
def test_it_fits_its_terminal(width):
    for profile in (PROFILE, EMPTY, wide(5)):
        assert max(map(len, drawn(profile, width).splitlines())) <= width


def test_what_is_wrong_stands_before_what_is_there():
    text = drawn()
    order = ["data.csv: 100 rows, 10 columns", "1 error, 3 warnings, 2 notes", "✖ ", "▲ ", "● ", "Label 'y'", "values"]
    places = [text.index(words) for words in order]
    assert places == sorted(places)


def test_the_head_says_how_much_there_is():
    text = drawn()
    # 12 + 7 + 300 + 100 of 9 columns of 100 cells and one of 600
    assert "27.9 % of the cells missing, about 8 duplicates" in text
    assert "compared with test (20 rows)" in text
    assert "nothing found" in drawn(dataclasses.replace(PROFILE, findings=()))


def test_findings_are_told_with_their_cure():
    text = drawn()
    assert "2 columns: age (share 12 %), job (share 7 %)" in text
    assert text.count("→ pk.Impute()") == 1 and "→ pk.Drop('age')" in text
    assert "sorted share NaN" in text


def test_each_column_has_a_line():
    lines = drawn(width=120).splitlines()
    rows = {c.name: next(row for row in lines if row[2:].startswith(c.name[:8])) for c in COLUMNS}
    assert re.search(r"^✖ age +numeric +12 % +3 +0 … 15 … 40 +█▆ ▆", rows["age"])
    assert re.search(r"^▲ job +categorical +7 % +3 +cook 60 %, ", rows["job"])
    assert re.search(r"when +datetime +3 +1970-01-01 … 1971-02-05 … 1972-03-11 +▁█", rows["when"])
    assert re.search(r"pixels +tensor 2x3 +50 % +0 … 0 … 1", rows["pixels"])
    assert re.search(r"story +text +3 +0 to 4,000 characters", rows["story"])
    assert re.search(r"id +numeric \(identifier\) +~100", rows["id"])
    assert re.search(r"gone +numeric \(empty\) +100 % +0", rows["gone"])
    assert re.search(r"one +numeric +3 +5 +█", rows["one"])


def test_classes_have_their_shares():
    text = drawn()
    assert "Label 'y': 2 classes" in text
    assert re.search(r"no +60 +60 % +█{24}\n", text)
    assert re.search(r"\(no label\) +3", text)


def test_many_classes_are_cut_short():
    n = 1000
    label = LabelProfile(None, "int", tuple(map(str, range(n))), tuple(range(n)), 0)
    text = drawn(dataclasses.replace(PROFILE, label=label))
    assert "The label: 1,000 classes" in text
    assert re.search(r"999 +999 +0\.2 %", text) and re.search(r"990 more +489,555 +98 %", text)


def test_a_thousand_columns_do_not_flood_it():
    text = drawn(wide(1000))
    assert len(text.splitlines()) < 90
    assert "940 more" in text
    assert all(f"▲ column {i} " in text for i in range(0, 1000, 50))
    assert "column 1 " in text and "column 999" not in text


def test_columns_that_are_left_out_are_those_without_a_fault():
    profile = wide(200)
    assert [c.name for c in shown(profile, 5)] == ["column 0", "column 1", "column 50", "column 100", "column 150"]
    assert shown(profile, 500) == list(profile.columns)


def test_nothing_to_draw():
    assert drawn(EMPTY).split("\n")[0].rstrip() == "none: 0 rows, 0 columns, 0 duplicates"
    assert "Label 'y'" not in drawn(dataclasses.replace(PROFILE, label=None))


def test_in_a_line():
    found = "1 error, 3 warnings, 2 notes"
    assert line(PROFILE) == f"Profile of data.csv: 100 rows, 10 columns, 2 classes of label 'y': {found}"
    assert line(EMPTY) == "Profile of none: 0 rows, 0 columns: nothing found"


def test_no_name_steers_the_terminal():
    steering = "\x1b]0;title\x07\x1b[2J\r\x9b"
    columns = (numeric(steering), categorical(steering + "2"))
    label = LabelProfile(steering, "string", (steering,), (3,), 0)
    findings = (Finding(steering, "error", steering, {steering: steering}, steering, steering),)
    profile = dataclasses.replace(PROFILE, source=steering, columns=columns, label=label, findings=findings)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", drawn(profile) + line(profile))


def test_a_profile_prints_itself(capsys):
    assert repr(PROFILE) == f"<{line(PROFILE)}>"
    assert str(PROFILE) == "\n".join(row.rstrip() for row in drawn().splitlines())
    PROFILE.show()
    assert "✖ Leakage" in capsys.readouterr().out


@pytest.mark.parametrize(
    "made, said",
    [
        (numeric(quantiles=(), bars=None), ""),
        (numeric(quantiles=(float("nan"),) * 9), "NaN"),
        (column("t", "datetime", quantiles=(60.0, 60.0, 60.0)), "1970-01-01 00:01"),
        (column("t", "datetime", quantiles=(0.0, 1e18, 2e18)), "1970-01-01 … 1e+18 … 2e+18"),
    ],
)  # fmt: skip
def test_values_that_are_odd(made, said):
    assert values(made) == said


def test_a_finding_about_several_columns_marks_each():
    found = Finding("alike", "error", "columns 'job', 'one'", {"columns": ["job", "one"]})
    profile = dataclasses.replace(PROFILE, findings=(found,))
    text = drawn(profile)
    assert "✖ Alike: columns 'job', 'one'" in text
    assert "✖ job " in text and "✖ one " in text and "✖ age" not in text
    assert [c.name for c in shown(profile, 2)] == ["job", "one"]
    assert {"#c1", "#c8"} <= {a["href"] for name, a in checked(html(profile)).elements if name == "a"}


def test_notes_mark_no_column():
    profile = dataclasses.replace(PROFILE, findings=(Finding("x", "info", "column 'age'"),))
    assert re.search(r"^  age ", drawn(profile), re.M)


def test_yes_and_no_are_told_by_their_shares():
    bars = Bars(("false", "true"), (30, 70))
    flag = column("flag", "boolean", mean=0.7, std=0.4, quantiles=(0.0,) * 3 + (1.0,) * 6, bars=bars)
    assert values(flag) == "true 70 %, false 30 %"
    page = html(dataclasses.replace(PROFILE, columns=(flag,), findings=()))
    assert "std" not in checked(page).words and "true: 70 rows, 70 %" in page


def test_a_finding_about_the_label_is_not_one_about_a_column_of_its_name():
    found = (Finding("x", "error", "label 'age'"),)
    profile = dataclasses.replace(PROFILE, findings=found, label=dataclasses.replace(LABEL, name="age"))
    assert not re.search(r"✖ age", drawn(profile))
