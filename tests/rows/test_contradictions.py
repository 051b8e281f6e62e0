"""Rules of one column that no value can keep are refused, and no others."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prepkit.errors import PrepkitError
from prepkit.rows.contradictions import refuse_contradictions
from prepkit.rows.schema_checks import rule_of, text_of
from prepkit.rules import Rule

C = pa.Check


def refused(checks, cells="numbers"):
    """What is said of the checks of one column; "" if nothing."""
    try:
        refuse_contradictions([rule_of(c, text_of(c), "x", cells) for c in checks], {"x": cells})
    except PrepkitError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    "cells, one, other",
    [
        ("numbers", C.gt(5), C.lt(5)),
        ("numbers", C.ge(5), C.lt(5)),
        ("numbers", C.in_range(0, 1), C.in_range(2, 3)),
        ("numbers", C.in_range(0, 1, include_max=False), C.ge(1)),
        ("numbers", C.isin([1, 2]), C.gt(2)),
        ("numbers", C.isin([1, 2]), C.isin([3])),
        ("numbers", C.isin([1, 2]), C.notin([1, 2, 3])),
        ("numbers", C.eq(1), C.eq(2)),
        ("numbers", C.eq(1), C.ne(1)),
        ("numbers", C.eq(9), C.in_range(0, 1)),
        ("categories", C.isin([1, 2]), C.eq(3)),
        ("times", C.gt("2024-01-02"), C.le("2024-01-01")),
        ("times", C.isin(["2024-01-01"]), C.gt(pd.Timestamp("2024-01-01"))),
        ("strings", C.str_length(3), C.str_length(min_value=4)),
        ("strings", C.str_length(max_value=3), C.str_length(4)),
        ("strings", C.isin(["a", "b"]), C.str_length(2)),
        ("strings", C.isin(["a", "b"]), C.str_startswith("c")),
        ("strings", C.eq("a"), C.str_matches("[b-z]")),
        ("strings", C.eq("a"), C.ne("a")),
    ],
)
def test_two_that_contradict_each_other(cells, one, other):
    for checks in ([one, other], [other, C.notin(["2000-01-01"] if cells == "times" else [999]), one]):
        message = refused(checks, cells)
        assert one.error in message and other.error in message
        assert "of column 'x' contradict each other, as no value keeps both" in message


@pytest.mark.parametrize(
    "cells, checks",
    [
        ("numbers", [C.ge(5), C.le(5)]),
        ("numbers", [C.gt(0), C.lt(1), C.ne(0.5)]),
        ("numbers", [C.in_range(0, 1, include_max=False), C.ge(0)]),
        ("numbers", [C.isin([1, 2, 3]), C.gt(2), C.notin([1])]),
        ("numbers", [C.gt(5), C.lt(5, raise_warning=True)]),
        ("numbers", [C.gt(5), C(lambda s: s < 5)]),
        ("strings", [C.str_length(max_value=3), C.str_length(min_value=3), C.isin(["abc", "d"])]),
        ("strings", [C.str_startswith("a"), C.str_startswith("b")]),  # so they do, but it is not looked for
    ],
)
def test_what_leaves_a_value(cells, checks):
    assert refused(checks, cells) == ""


def test_one_that_allows_nothing():
    assert refused([C.isin([])]) == "schema: isin([]) of column 'x' allows no value at all: correct it."
    for check, arguments in (
        ("in_range", {"min_value": 2, "max_value": 1, "include_min": True, "include_max": True}),
        ("in_range", {"min_value": 1, "max_value": 1, "include_min": True, "include_max": False}),
        ("str_length", {"min_value": 2, "max_value": 1, "exact_value": None}),
    ):
        with pytest.raises(PrepkitError, match=re.escape("its words of column 'x' allows no value at all")):
            refuse_contradictions([Rule(("x",), check, arguments, "its words")], {"x": "numbers"})


def test_rules_of_different_columns_do_not_meet():
    rules = [rule_of(C.gt(5), "a", "x", "numbers"), rule_of(C.lt(5), "b", "z", "numbers")]
    refuse_contradictions(rules, {"x": "numbers", "z": "numbers"})


HALVES = np.arange(-2, 15) / 2  # with the least and the most of CHECKS, and all between
CHECKS = st.one_of(
    st.builds(lambda check, v: check(v), st.sampled_from([C.gt, C.ge, C.lt, C.le, C.eq, C.ne]), st.integers(0, 6)),
    st.builds(lambda check, v: check(v), st.sampled_from([C.isin, C.notin]), st.lists(st.integers(0, 6), min_size=1)),
    st.builds(
        lambda low, more, a, b: C.in_range(low, low + more, a, b),
        st.integers(0, 5),
        st.integers(1, 3),
        st.booleans(),
        st.booleans(),
    ),
)


@settings(max_examples=200)
@given(st.lists(CHECKS, min_size=2, max_size=2))
def test_two_contradict_each_other_if_and_only_if_pandera_admits_nothing(checks):
    series = pd.Series(HALVES)
    kept = checks[0](series).check_output & checks[1](series).check_output
    assert (refused(checks) == "") == bool(kept.any())
