"""Schemas as a recipe keeps them."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from prepkit.errors import PrepkitError
from prepkit.rows.schema import compiled
from prepkit.rows.schema_store import code_of, schema_from_json, schema_to_json
from prepkit.spec import Column, Spec

SPEC = Spec(
    (Column("n", "numeric", "float64"), Column("s", "categorical", "string"), Column("t", "datetime", "datetime"))
)


def stored(schema):
    return schema_from_json(json.loads(json.dumps(schema_to_json(schema))))


@pytest.mark.parametrize(
    "dtype",
    [
        *(
            None,
            int,
            "float32",
            "UInt8",
            "Int64",
            str,
            bool,
            "boolean",
            "category",
            pa.Category(["b", "a"], ordered=True),
        ),
        *(
            pa.Category([1, 2]),
            "datetime64[ns]",
            pd.DatetimeTZDtype(tz="Europe/Berlin"),
            pa.Date,
            object,
            "int64[pyarrow]",
        ),
    ],
)
def test_types(dtype):
    schema = pa.DataFrameSchema({"x": pa.Column(dtype)})
    assert stored(schema) == schema


def test_a_type_that_pandera_cannot_read_is_stored_as_the_nearest():
    assert str(stored(pa.DataFrameSchema({"x": pa.Column(pa.Decimal)})).columns["x"].dtype) == "float64"


def test_everything_that_is_said_of_a_schema():
    columns = {
        "n": pa.Column(
            float,
            nullable=True,
            unique=True,
            report_duplicates="exclude_last",
            coerce=True,
            title="N",
            description="a number",
        ),
        "s.*": pa.Column(str, required=False, regex=True),
    }
    more = {"coerce": True, "strict": "filter", "name": "all", "ordered": True, "title": "T", "description": "D"}
    schema = pa.DataFrameSchema(columns, dtype=float, unique=["n"], report_duplicates="exclude_first", **more)
    assert stored(schema) == schema


C = pa.Check
CHECKS = {
    "n": st.one_of(
        st.floats(-9, 9).map(C.gt),
        st.integers(0, 5).map(lambda v: C.in_range(v, v + 1, include_max=False)),
        st.lists(st.integers(0, 9), min_size=1).map(C.isin),
        st.frozensets(st.integers(0, 9), min_size=1).map(C.notin),
        st.just(C.le(np.float32(0.5), error="own words", name="own name", ignore_na=False, raise_warning=True)),
        st.just(C.ge(0, groupby="s")),
        st.just(C.isin(pd.Series([1, 2]))),
    ),
    "s": st.one_of(
        st.text(min_size=1).map(C.str_startswith),
        st.sampled_from(["a+", re.compile("a b", re.I | re.X), r"(?=a)"]).map(C.str_matches),
        st.integers(1, 3).map(C.str_length),
        st.just(C.str_length(min_value=1)),
        st.lists(st.text(), min_size=1).map(C.notin),
    ),
    "t": st.one_of(
        st.integers(0, 2**40).map(lambda v: C.ge(pd.Timestamp(v, unit="us"))),
        st.lists(st.dates(), min_size=1).map(C.notin),
        st.just(C.ne(np.datetime64("2024-01-01"))),
        st.just(C.lt("2024-01-01")),
    ),
}


@settings(max_examples=60)
@given(st.fixed_dictionaries({name: st.lists(checks, max_size=2) for name, checks in CHECKS.items()}))
def test_a_stored_schema_has_the_same_rules(checks):
    schema = pa.DataFrameSchema({name: pa.Column(checks=own) for name, own in checks.items()}, checks=C.ne(3))
    try:
        expected = compiled(schema, SPEC, lambda rule: "drop")
    except PrepkitError:
        assume(False)  # the checks drawn contradict each other
    assert compiled(stored(schema), SPEC, lambda rule: "drop") == expected


def positive(series):
    return series > 0


def test_code_is_named_and_left_out():
    schema = pa.DataFrameSchema(
        {
            "n": pa.Column(
                checks=[C(positive), C.ge(0), C(positive), C.gt(0, groupby=lambda frame: frame.groupby("s"))]
            ),
            "s": pa.Column(checks=pa.Hypothesis.one_sample_ttest(popmean=3)),
        },
        checks=[C(lambda frame: True), C.le(5)],
    )
    assert code_of(schema) == [
        "positive of column 'n'",
        "positive (2) of column 'n'",
        "greater_than(0) of column 'n'",
        "failed one sample ttest for column 'None' of column 's'",
        "<lambda> of whole rows",
    ]
    left = pa.DataFrameSchema({"n": pa.Column(checks=C.ge(0)), "s": pa.Column()}, checks=C.le(5))
    assert stored(schema) == left
    assert code_of(left) == []


def test_a_value_that_is_not_plain():
    schema = pa.DataFrameSchema({"n": pa.Column(checks=C.eq(3j))})
    with pytest.raises(
        PrepkitError, match=r"schema: 3j of type complex in a check cannot be stored: give plain values"
    ):
        schema_to_json(schema)


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda told: told.pop("columns"), "KeyError: 'columns'"),
        (lambda told: told["columns"][0]["checks"][0].update(check="mro"), "ValueError: 'mro' is no check of pandera"),
        (lambda told: told["columns"][0].update(dtype="nonsense"), "TypeError"),
        (lambda told: told.update(strict="perhaps"), "SchemaInitError"),
    ],
)
def test_what_was_not_stored_so(damage, message):
    told = schema_to_json(pa.DataFrameSchema({"n": pa.Column(int, C.ge(0))}))
    damage(told)
    with pytest.raises(PrepkitError, match=f"the stored schema cannot be read: {message}"):
        schema_from_json(told)
