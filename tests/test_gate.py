"""Rows are judged and cells healed alike in numpy and in the graph, whatever the cells are."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from prepkit.entry import Entry
from prepkit.gate import Gate, Verdict, flag_of
from prepkit.rules import Rule
from prepkit.source import RawChunk
from prepkit.spec import Column, Spec

NAN = np.nan
SPEC = Spec(
    (
        Column("age", "numeric", "float64"),
        Column("n", "numeric", "string", parse="number", missing=("?",)),
        Column("job", "categorical", "string", missing=("?",)),
        Column("image", "tensor", "float32", (2,)),
    )
)
RULES = (
    Rule(("age",), "nullable", {}, "not_nullable"),
    Rule(("age",), "finite", {}, "finite"),
    Rule(("age",), "in_range", {"min_value": 0, "max_value": 9}, "in_range(0, 9)"),
    Rule(("n",), "dtype", {"dtype": "int64"}, "dtype(int64)"),
    Rule(("n",), "nullable", {}, "not_nullable"),
    Rule(("n",), "isin", {"allowed_values": [1, 2]}, "isin([1, 2])"),
    Rule(("job",), "nullable", {}, "not_nullable"),
    Rule(("job",), "isin", {"allowed_values": ["a", "bc"]}, "isin(['a', 'bc'])", ignore_missing=False),
    Rule(("job",), "str_length", {"max_value": 1}, "str_length(1)"),
    Rule(("image",), "in_range", {"min_value": 0.0, "max_value": 1.0}, "in_range(0, 1)"),
)
CELLS = {
    "age": st.sampled_from([NAN, np.inf, -1.0, 0.0, 5.0, 9.0, 10.0]),
    "n": st.sampled_from(["1", " 2 ", "3", "1.5", "x", "?", "", "1e30", "inf"]),
    "job": st.sampled_from(["a", " a", "bc", "zz", "?", "", "ä"]),
    "image": st.sampled_from([(0.0, 1.0), (0.5, 2.0), (NAN, 0.0)]),
}
ROWS = st.lists(st.fixed_dictionaries(CELLS), min_size=1, max_size=12)
POLICIES = st.lists(st.sampled_from(["quarantine", "null", "flag", "clip"]), min_size=len(RULES), max_size=len(RULES))


def allowed(rule, policy):
    """Of policies that a rule cannot have, another one."""
    if policy == "clip" and (rule.check != "in_range" or rule.columns == ("n",)):
        return "null" if rule.columns != ("image",) else "flag"
    return "flag" if policy == "null" and rule.columns == ("image",) else policy


def entry(policies):
    rules = tuple(
        Rule(**{**vars(rule), "policy": allowed(rule, policy)}) for rule, policy in zip(RULES, policies, strict=True)
    )
    flagged = tuple(dict.fromkeys(r.columns[0] for r in rules if r.policy == "flag"))
    return Entry(SPEC, {"job": ("a", "bc")}, Gate(rules, flagged))


def chunk(rows):
    return RawChunk(
        {
            "age": np.array([r["age"] for r in rows]),
            "n": pa.array([r["n"] for r in rows]),
            "job": pa.array([r["job"] for r in rows]),
            "image": np.array([r["image"] for r in rows], np.float32),
        }
    )


def tensors(rows):
    return {
        "age": tf.constant([r["age"] for r in rows], tf.float64),
        "n": tf.constant([r["n"] for r in rows]),
        "job": tf.constant([r["job"] for r in rows]),
        "image": tf.constant([r["image"] for r in rows], tf.float32),
    }


@given(ROWS, POLICIES)
def test_the_verdict_is_the_same_in_the_graph(rows, policies):
    way_in = entry(policies)
    verdict = way_in.judged(chunk(rows))
    in_graph = way_in.broken_in_graph(tensors(rows), range(len(RULES))).numpy()
    for i, rule in enumerate(RULES):
        expected = np.flatnonzero(in_graph[:, i])
        np.testing.assert_array_equal(verdict.broken.get(i, []), expected, str(rule))


@given(ROWS, POLICIES)
def test_cells_are_healed_the_same_in_the_graph(rows, policies):
    way_in = entry(policies)
    packed, blocks = way_in.packed(chunk(rows)), way_in.graph(tensors(rows))
    assert packed.keys() == blocks.keys()
    for block, x in packed.items():
        mine = np.where(np.isfinite(x), x, NAN) if x.dtype.kind == "f" else x
        np.testing.assert_array_equal(mine, blocks[block], block)
    admitted, _ = way_in.admitted_in_graph(tensors(rows))
    for block, x in blocks.items():
        np.testing.assert_array_equal(admitted[block], x)


@given(ROWS, POLICIES)
def test_the_same_rows_are_refused_in_the_graph(rows, policies):
    way_in = entry(policies)
    verdict = way_in.admit(chunk(rows)).verdict
    _, refused = way_in.admitted_in_graph(tensors(rows))
    expected = verdict.mask(way_in.gate.refusing)
    np.testing.assert_array_equal(expected, refused if refused is not None else np.zeros(len(rows), bool))


def test_how_the_rows_are_batched_does_not_matter():
    rows = [
        {"age": a, "n": n, "job": j, "image": (0.0, 1.0)}
        for a, n, j in zip([NAN, 5.0, 99.0, np.inf], ["x", "1", "?", "1.5"], ["", "a", "zz", "bc"], strict=True)
    ]
    way_in = entry(["quarantine"] * len(RULES))
    whole = way_in.judged(chunk(rows))
    one_by_one = [way_in.judged(chunk([row])).broken for row in rows]
    for i in range(len(RULES)):
        assert list(whole.broken.get(i, [])) == [k for k, broken in enumerate(one_by_one) if i in broken]


def test_the_input_is_not_touched():
    data = chunk([{"age": 99.0, "n": "1", "job": "zz", "image": (0.0, 1.0)}] * 3)
    before = data.columns["age"].copy()
    entry(["clip", "null", "clip", "null", "null", "null", "null", "null", "null", "quarantine"]).admit(data)
    np.testing.assert_array_equal(data.columns["age"], before)


def test_a_missing_cell_goes_before_a_clipped_one():
    rules = (
        Rule(("age",), "in_range", {"min_value": 0, "max_value": 9}, "in_range(0, 9)", policy="clip"),
        Rule(("age",), "not_equal_to", {"value": 99}, "not_equal_to(99)", policy="null"),
    )
    way_in = Entry(Spec(SPEC.columns[:1]), {}, Gate(rules))
    x = np.array([99.0, 20.0, 5.0])
    np.testing.assert_array_equal(way_in.packed(RawChunk({"age": x}))["float64"], [[NAN], [9.0], [5.0]])
    np.testing.assert_array_equal(way_in.graph({"age": tf.constant(x)})["float64"], [[NAN], [9.0], [5.0]])


def test_a_verdict_without_some_rows():
    verdict = Verdict(5, {0: np.array([1, 2]), 3: np.array([2])})
    assert {i: r.tolist() for i, r in verdict.without(np.array([2])).broken.items()} == {0: [1]}
    assert verdict.mask([3]).tolist() == [False, False, True, False, False]


def test_names_of_flags():
    assert flag_of("age") == "age is invalid"


@pytest.mark.parametrize("rows", [1, 200_000])
def test_few_and_many_rows(rows):
    x = np.zeros(rows)
    x[-1] = 99.0
    way_in = Entry(Spec(SPEC.columns[:1]), {}, Gate(RULES[:3] * 20))
    broken = way_in.judged(RawChunk({"age": x})).broken
    assert {i: r.tolist() for i, r in broken.items()} == {i: [rows - 1] for i in range(2, 60, 3)}


def test_rules_print_with_their_policy_and_where_they_run():
    rules = (RULES[0], Rule(("age",), "unique", {}, "unique", runs="all rows"), Rule((), "sum", runs="pandera"))
    assert str(Gate(rules)).splitlines() == [
        "age: not_nullable  -> quarantine",
        "age: unique  -> quarantine  [training rows: needs them all]",
        "rows: sum  -> quarantine  [training rows: pandera]",
    ]
