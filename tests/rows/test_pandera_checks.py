"""What runs by pandera gives pandera's verdict, row by row."""

from __future__ import annotations

import re
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prepkit.errors import PrepkitError
from prepkit.rows.pandera_checks import run_by_pandera
from prepkit.rows.schema import compiled
from prepkit.spec import Column, Spec

KINDS = {
    "f": ("numeric", "float64"),
    "b": ("boolean", "bool"),
    "O": ("categorical", "string"),
    "M": ("datetime", "datetime"),
}


def spec_of(frame):
    return Spec(tuple(Column(n, *KINDS.get(frame[n].dtype.kind, ("numeric", "int64"))) for n in frame.columns))


def broken(schema, frame, start=0):
    """By the text of each rule that pandera runs, the numbers of the rows that break it."""
    rules = compiled(schema, spec_of(frame), lambda rule: "quarantine")
    found = run_by_pandera(schema, rules, frame, start)
    assert [i for i, rule in enumerate(rules) if rule.runs == "pandera"] == list(found)
    return {rules[i].text: np.flatnonzero(mask).tolist() for i, mask in found.items()}


def of_pandera(schema, frame):
    """The same by `validate(lazy=True)`, for all checks."""
    try:
        schema.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as error:
        cases = error.failure_cases
        return {check: sorted({int(i) for i in rows}) for check, rows in cases.groupby("check")["index"]}
    return {}


FRAME = pd.DataFrame(
    {
        "x": [1.0, -2.0, np.nan, 4.0],
        "z": [2.0, -3.0, np.nan, np.nan],
        "s": ["ab", "ba", None, "aab"],
        "g": ["u", "v", "u", "v"],
    }
)
COLUMNS = {n: pa.Column(nullable=True) for n in FRAME.columns}


def named(check, name, **settings):
    return pa.Check(check, name=name, **settings)


def test_functions():
    checks = [
        named(lambda s: s > 0, "positive"),
        named(lambda s: s > 0, "positive, missing cells too", ignore_na=False),
        named(lambda v: v > 0, "one by one", element_wise=True),
        named(lambda s: s > s.mean() - 99, "against the mean of the batch"),
        named(lambda s: True, "always"),
    ]
    schema = pa.DataFrameSchema({**COLUMNS, "x": pa.Column(float, checks, nullable=True)})
    expected = {"positive": [1], "positive, missing cells too": [1, 2], "one by one": [1]}
    assert of_pandera(schema, FRAME) == expected
    assert broken(schema, FRAME) == expected | {"against the mean of the batch": [], "always": []}


def test_expressions_that_re2_cannot_run_do_not_warn():
    checks = [
        pa.Check.str_matches(r"(?!b)"),
        pa.Check.str_contains(r"(a)\1"),
        pa.Check.str_contains(r"\bab", ignore_na=False),
    ]
    schema = pa.DataFrameSchema({"s": pa.Column(str, checks, nullable=True)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = of_pandera(schema, FRAME[["s"]])
    assert expected == {c.error: rows for c, rows in zip(checks, ([1], [0, 1], [1, 2, 3]), strict=True)}
    assert broken(schema, FRAME[["s"]]) == expected


@pytest.mark.parametrize(
    "check",
    [
        named(lambda f: f["x"] < f["z"], "x < z"),
        named(lambda f: f["x"] < f["z"], "x < z, missing cells too", ignore_na=False),
        named(lambda row: row["x"] == row["x"], "one by one", element_wise=True),
        named(lambda f: f.drop(columns=["s", "g"]).assign(s=True, g=True)[list(f)] != 4, "a frame"),
    ],
)
def test_whole_rows(check):
    schema = pa.DataFrameSchema(COLUMNS, checks=check)
    found = broken(schema, FRAME)
    assert found == of_pandera(schema, FRAME)
    assert found[check.name]


def test_a_missing_cell_that_breaks_a_check_of_whole_rows():
    """pandera fails the check, but has no case for the cell."""
    check = named(lambda f: f > 0, "a frame", ignore_na=False)
    frame = FRAME[["x", "z"]]
    schema = pa.DataFrameSchema({n: COLUMNS[n] for n in frame}, checks=check)
    assert broken(schema, frame) == {"a frame": [1, 2, 3]}
    assert of_pandera(schema, frame) == {"a frame": [1]}


def test_a_row_without_any_value_keeps_checks_that_pass_over_missing_cells():
    frame = pd.DataFrame({"x": [1.0, np.nan], "z": [2.0, np.nan]})
    checks = [
        named(lambda f: f["x"] > f["z"], "passes over"),
        named(lambda f: f["x"] > f["z"], "counts", ignore_na=False),
    ]
    schema = pa.DataFrameSchema({}, checks=checks)
    assert broken(schema, frame) == {"passes over": [0], "counts": [0, 1]}


def test_one_of_panderas_own_on_whole_rows():
    frame = pd.DataFrame({"x": [1.0, -1.0, 5.0, 2.0], "z": [0.0, np.nan, 9.0, np.nan]})
    schema = pa.DataFrameSchema({n: pa.Column(nullable=True) for n in frame}, checks=pa.Check.in_range(0, 8))
    assert of_pandera(schema, frame) == broken(schema, frame) == {"in_range(0, 8)": [1, 2]}


def test_columns_that_a_filter_takes_out_are_not_in_whole_rows():
    check = named(lambda f: f.shape == (4, 1), "only x")
    schema = pa.DataFrameSchema({"x": pa.Column(nullable=True)}, checks=check, strict="filter")
    assert broken(schema, FRAME) == {"only x": []}


FIRST = """
import pandas as pd, pandera.pandas as pa
from prepkit.rows.pandera_checks import run_by_pandera
from prepkit.rules import Rule
check = pa.Check.str_matches("(?!b)")
schema = pa.DataFrameSchema({"s": pa.Column(checks=check)})
rule = Rule(("s",), "str_matches", {}, check.error, runs="pandera")
print(run_by_pandera(schema, [rule], pd.DataFrame({"s": ["a", "b"]}))[0].tolist())
"""


def test_the_first_check_that_pandera_ever_runs():
    """Its own functions for pandas are not known to it before."""
    done = subprocess.run([sys.executable, "-c", FIRST], capture_output=True, text=True, check=True)
    assert done.stdout == "[False, True]\n"


def test_functions_of_one_name_keep_apart():
    checks = [pa.Check(lambda s: s > 0), pa.Check(lambda s: s > 3)]
    several = pa.Column(float, checks, nullable=True)
    schema = pa.DataFrameSchema(
        {"x": several, "[xz]": pa.Column(checks=pa.Check(lambda s: s != 4), regex=True, nullable=True)}
    )
    rules = compiled(schema, spec_of(FRAME), lambda rule: "drop")
    found = run_by_pandera(schema, rules, FRAME)
    texts = {str(rules[i]): np.flatnonzero(mask).tolist() for i, mask in found.items()}
    assert texts == {"x: <lambda>": [1], "x: <lambda> (2)": [0, 1], "x: <lambda> (3)": [3], "z: <lambda>": []}


def test_only_the_rules_that_were_asked_for():
    schema = pa.DataFrameSchema(
        {"x": pa.Column(checks=[named(lambda s: 1 / 0, "bad"), named(lambda s: s > 0, "good")])}
    )
    rules = [r for r in compiled(schema, spec_of(FRAME), lambda rule: "drop") if r.text != "bad"]
    assert list(run_by_pandera(schema, rules, FRAME)) == [len(rules) - 1]
    assert run_by_pandera(schema, rules[:-1], FRAME) == {}


def test_the_frame_keeps_its_index_and_columns():
    frame = FRAME.set_axis(["d", "c", "b", "a"], axis=0)
    schema = pa.DataFrameSchema({"x": pa.Column(checks=named(lambda s: s > 0, "positive"), nullable=True)})
    assert broken(schema, frame) == {"positive": [1]}
    assert frame.index.tolist() == ["d", "c", "b", "a"]


@pytest.mark.parametrize(
    "dtype, cells, check, expected",
    [
        (float, ["1", "x", None, "-1"], lambda s: s > 0, [3]),
        ("datetime64[ns]", ["2024-01-02", "soon", None, "2023-01-01 10:00"], lambda s: s.dt.year > 2023, [3]),
        (pa.Category(["low", "high"], ordered=True), ["low", "high", "else", None], lambda s: s > "low", [0]),
    ],
)
def test_cells_that_the_type_cannot_hold_are_missing_to_the_check(dtype, cells, check, expected):
    schema = pa.DataFrameSchema({"x": pa.Column(dtype, named(check, "own"), nullable=True)})
    rules = compiled(schema, Spec((Column("x", "categorical", "string"),)), lambda rule: "drop")
    (found,) = run_by_pandera(schema, rules, pd.DataFrame({"x": cells})).values()
    assert np.flatnonzero(found).tolist() == expected


def test_no_verdict_is_none_against_the_cell():
    frame = pd.DataFrame({"x": pd.array([1, None, -1], "Int64")})
    schema = pa.DataFrameSchema(
        {"x": pa.Column(checks=named(lambda s: s > 0, "positive", ignore_na=False), nullable=True)}
    )
    assert broken(schema, frame) == {"positive": [2]}


@pytest.mark.parametrize(
    "check",
    [
        named(lambda s: s.mean() > 99, "mean"),
        named(lambda s: np.bool_(False), "numpy"),
        named(lambda s: pd.Series([True, False]), "of another index"),
        named(lambda groups: groups["u"].mean() > 99, "of a group", groupby="g"),
        named(lambda groups: pd.Series({k: v.mean() > 99 for k, v in groups.items()}), "of each group", groupby="g"),
        pa.Check.unique_values_eq({3.0}, name="values", error="values"),
        pa.Hypothesis.one_sample_ttest(popmean=99, alpha=0.5, error="t-test"),
    ],
)
def test_a_verdict_on_all_rows_together(check):
    schema = pa.DataFrameSchema({**COLUMNS, "x": pa.Column(float, check, nullable=True)})
    text = check.error or check.name
    message = (
        f"the check x: {text}, on rows 70 to 73, is about all of them together and fails, and prepkit judges rows one"
    )
    with pytest.raises(PrepkitError, match=re.escape(message)):
        broken(schema, FRAME, start=70)


def test_a_verdict_on_all_rows_together_that_is_good():
    checks = [
        named(lambda s: s.mean() < 99, "mean"),
        named(lambda groups: groups["u"].mean() < 99, "group", groupby="g"),
    ]
    schema = pa.DataFrameSchema({**COLUMNS, "x": pa.Column(float, checks, nullable=True)})
    assert broken(schema, FRAME) == {"mean": [], "group": []}


@pytest.mark.parametrize(
    "check, message",
    [
        (lambda s: s["gone"], "KeyError: 'gone'"),
        (lambda s: s.to_numpy() > 0, "TypeError: it returned ndarray, not booleans as a pandas Series"),
        (lambda s: None, "TypeError: it returned NoneType, not booleans as a pandas Series"),
    ],
)
def test_a_check_that_fails_itself(check, message):
    schema = pa.DataFrameSchema({"x": pa.Column(float, named(check, "own"), nullable=True)})
    with pytest.raises(PrepkitError, match=re.escape(f"the check x: own, on rows 5 to 8, raised {message}")):
        broken(schema, FRAME, start=5)


NUMBERS = st.lists(st.none() | st.floats(-5, 5) | st.sampled_from([np.inf, -np.inf]), min_size=1, max_size=8)


@settings(max_examples=60)
@given(NUMBERS, st.booleans(), st.booleans(), st.floats(-5, 5), st.booleans())
def test_any_function_of_cells(cells, ignore_na, element_wise, bound, of_rows):
    frame = pd.DataFrame({"x": np.array(cells, np.float64)})
    check = pa.Check(
        (lambda v: v["x"] > bound) if of_rows else (lambda v: v > bound),
        ignore_na=ignore_na,
        element_wise=element_wise,
        name="own",
    )
    schema = pa.DataFrameSchema(
        {"x": pa.Column(checks=[] if of_rows else check, nullable=True)}, checks=check if of_rows else None
    )
    assert broken(schema, frame) == {"own": []} | of_pandera(schema, frame)
