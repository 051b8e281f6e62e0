"""Rules mean the same in numpy, in the graph, and in pandas; that the whole is pandera's verdict is in parity/."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from prepkit.rules import Rule, bounds, broken_numbers, broken_rows, broken_texts, broken_words, clipped
from prepkit.scan import Coded

NAN = np.nan
BOUND = st.integers(-3, 3).map(float)
NUMBERS = arrays(
    st.sampled_from([np.float32, np.float64]),
    st.integers(0, 20),
    elements=st.sampled_from([NAN, np.inf, -np.inf, -3.0, -1.0, 0.0, 0.5, 1.0, 2.0, 3.0, 300.0]),
)


def rule(check, ignore_missing=True, **arguments):
    return Rule(("x",), check, arguments, ignore_missing=ignore_missing)


def ranges():
    low = st.builds(lambda v: {"min_value": v}, BOUND)
    high = st.builds(lambda v: {"max_value": v}, BOUND)
    both = st.builds(
        lambda a, b, c, d: {"min_value": min(a, b), "max_value": max(a, b), "include_min": c, "include_max": d},
        *(BOUND, BOUND, st.booleans(), st.booleans()),
    )
    return st.one_of(
        st.tuples(st.sampled_from(["greater_than", "greater_than_or_equal_to"]), low),
        st.tuples(st.sampled_from(["less_than", "less_than_or_equal_to"]), high),
        st.tuples(st.just("in_range"), both),
    )


def others():
    values = st.lists(BOUND, min_size=1, max_size=12)
    return st.one_of(
        st.tuples(st.sampled_from(["equal_to", "not_equal_to"]), st.builds(lambda v: {"value": v}, BOUND)),
        st.tuples(st.just("isin"), st.builds(lambda v: {"allowed_values": v}, values)),
        st.tuples(st.just("notin"), st.builds(lambda v: {"forbidden_values": v}, values)),
    )


def kept_by_pandas(check, a, x):
    """What pandera's built-in checks compute, on a series that has no missing cell left out."""
    match check:
        case "greater_than":
            return x > a["min_value"]
        case "greater_than_or_equal_to":
            return x >= a["min_value"]
        case "less_than":
            return x < a["max_value"]
        case "less_than_or_equal_to":
            return x <= a["max_value"]
        case "in_range":
            inclusive = {(True, True): "both", (True, False): "left", (False, True): "right", (False, False): "neither"}
            return x.between(a["min_value"], a["max_value"], inclusive[a["include_min"], a["include_max"]])
        case "equal_to":
            return x == a["value"]
        case "not_equal_to":
            return x != a["value"]
        case "isin":
            return x.isin(a["allowed_values"])
        case "notin":
            return ~x.isin(a["forbidden_values"])


@given(NUMBERS, st.one_of(ranges(), others()), st.booleans())
def test_numbers_as_pandas_compares_them_and_in_the_graph(x, check, ignore_missing):
    name, arguments = check
    mine = rule(name, ignore_missing, **arguments)
    series = pd.Series(x)
    broken = ~kept_by_pandas(name, arguments, series)
    if ignore_missing:
        broken &= series.notna()
    np.testing.assert_array_equal(broken_rows(mine, x), np.flatnonzero(broken))
    np.testing.assert_array_equal(broken_numbers(mine, tf.constant(x)), broken)


@given(NUMBERS)
def test_missing_infinite_and_other_than_the_type(x):
    broken = np.isfinite(x) & (x != np.round(x))
    for check, expected in [
        (rule("nullable"), np.isnan(x)),
        (rule("finite"), np.isinf(x)),
        (rule("dtype", dtype="int8"), broken | (np.isfinite(x) & (np.abs(x) > 127))),
        (rule("dtype", dtype="uint8"), broken | (np.isfinite(x) & ((x < 0) | (x > 255)))),
        (rule("dtype", dtype="bool"), np.isfinite(x) & ~np.isin(x, [0, 1])),
    ]:
        np.testing.assert_array_equal(broken_rows(check, x), np.flatnonzero(expected), str(check))
        np.testing.assert_array_equal(broken_numbers(check, tf.constant(x)), expected, str(check))


WORDS = st.lists(st.sampled_from(["", "a", "ab", "abc", "b", "Köln", "x.y", "A", "1", "a b"]), max_size=15)
PATTERNS = st.sampled_from(["a", "^a", "b$", "a|b", "[a-c]{2}", "(?i)a", "ö", r"x\.y", ".", "a.*c", r"\d"])


def of_words():
    some = st.lists(st.sampled_from(["a", "ab", "Köln", "zz", *map(str, range(9))]), min_size=1, unique=True)
    return st.one_of(
        st.tuples(st.sampled_from(["equal_to", "not_equal_to"]), st.just({"value": "ab"})),
        st.tuples(st.just("isin"), st.builds(lambda v: {"allowed_values": v}, some)),
        st.tuples(st.just("notin"), st.builds(lambda v: {"forbidden_values": v}, some)),
        st.tuples(st.sampled_from(["str_matches", "str_contains"]), st.builds(lambda p: {"pattern": p}, PATTERNS)),
        st.tuples(
            st.sampled_from(["str_startswith", "str_endswith"]),
            st.builds(lambda s: {"string": s}, st.sampled_from(["a", "b", "", ".", "a b"])),
        ),
        st.tuples(
            st.just("str_length"),
            st.sampled_from([{"min_value": 2}, {"max_value": 2}, {"exact_value": 4}, {"min_value": 1, "max_value": 3}]),
        ),
    )


def kept_words_by_pandas(check, a, x):
    match check:
        case "str_matches":
            return x.str.match(a["pattern"])
        case "str_contains":
            return x.str.contains(a["pattern"])
        case "str_startswith":
            return x.str.startswith(a["string"])
        case "str_endswith":
            return x.str.endswith(a["string"])
        case "str_length":
            least, most = a.get("min_value", 0), a.get("max_value", 99)
            exact = a.get("exact_value")
            return x.str.len() == exact if exact is not None else x.str.len().between(least, most)
        case _:
            return kept_by_pandas(check, a, x)


@given(WORDS, of_words(), st.booleans())
def test_words_as_pandas_compares_them_and_in_the_graph(cells, check, ignore_missing):
    name, arguments = check
    mine = rule(name, ignore_missing, **arguments)
    there = pd.Series([c for c in cells if c], dtype=object)
    kept = iter(kept_words_by_pandas(name, arguments, there)) if len(there) else iter(())
    # pandas compares a missing cell as another one; pandera's own string checks call it broken (na=False).
    of_missing = not ignore_missing and name not in ("not_equal_to", "notin")
    broken = [not next(kept) if c else of_missing for c in cells]
    index = {w: i for i, w in enumerate(dict.fromkeys(c for c in cells if c))}
    coded = Coded(np.array([index.get(c, -1) for c in cells], np.int32), list(index))
    np.testing.assert_array_equal(broken_rows(mine, coded), np.flatnonzero(broken))
    np.testing.assert_array_equal(broken_texts(mine, tf.constant(cells, tf.string)), broken)


def test_missing_words():
    coded = Coded(np.array([0, -1, 0], np.int32), ["a"])
    assert broken_rows(rule("nullable"), coded).tolist() == [1]
    assert broken_texts(rule("nullable"), tf.constant(["a", "", "a"])).numpy().tolist() == [False, True, False]
    assert not len(broken_rows(rule("dtype", dtype="string"), coded))
    assert broken_words(rule("finite"), ["a"]).tolist() == [False]


def test_a_word_among_thousands_in_the_graph():
    allowed = [f"word {i}" for i in range(5000)]
    cells = ["word 0", "word 4999", "word 5000", "", "word"]
    broken = broken_texts(rule("isin", allowed_values=allowed), tf.constant(cells))
    assert broken.numpy().tolist() == [False, False, True, False, True]


@pytest.mark.parametrize(
    "check, arguments, expected",
    [
        ("greater_than_or_equal_to", {"min_value": 1}, (1, np.inf, True, True)),
        ("less_than", {"max_value": 2}, (-np.inf, 2, True, False)),
        ("in_range", {"min_value": 1, "max_value": 2, "include_min": False, "include_max": True}, (1, 2, False, True)),
    ],
)
def test_bounds(check, arguments, expected):
    assert bounds(rule(check, **arguments)) == expected


def test_clipped_to_the_bounds():
    check = rule("in_range", min_value=0, max_value=1, include_min=True, include_max=True)
    x = np.array([-1.0, 0.5, np.inf, NAN], np.float32)
    for found in (clipped(check, x), clipped(check, tf.constant(x)).numpy()):
        np.testing.assert_array_equal(found, np.array([0.0, 0.5, 1.0, NAN], np.float32))
        assert found.dtype == np.float32
    assert x[0] == -1.0


def test_tensors_break_a_rule_by_any_of_their_numbers():
    x = np.zeros((3, 2, 2))
    x[1, 0, 1] = np.inf
    assert broken_rows(rule("finite"), x).tolist() == [1]
    assert broken_rows(rule("in_range", min_value=0, max_value=1), np.ones((3, 2), np.uint8)).tolist() == []


def test_any_number_is_a_float():
    assert not len(broken_rows(rule("dtype", dtype="float32"), np.array([NAN, 1.5, np.inf])))


def test_a_rule_reads_as_its_column_and_its_check():
    assert str(Rule(("age",), "in_range", {}, "in_range(0, 120)")) == "age: in_range(0, 120)"
    assert str(Rule(("a", "b"), "unique")) == "a, b: unique"
    assert str(Rule((), "rows agree")) == "rows: rows agree"
