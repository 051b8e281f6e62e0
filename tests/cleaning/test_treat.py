"""Decisions find their rows and are carried out, in numpy and in the graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from prepkit.cleaning.data import Decisions
from prepkit.cleaning.keys import Keys
from prepkit.cleaning.treat import Treat
from prepkit.entry import Entry
from prepkit.feed import from_chunks
from prepkit.spec import CODES, LABEL, STRINGS, WEIGHT, Column, Label, Spec

SPEC = Spec(
    (
        Column("number", "numeric", "float32"),
        Column("word", "categorical", "string"),
        Column("text", "text", "string"),
        Column("image", "tensor", "uint8", (2, 2)),
    ),
    Label("y", "string", ("a", "b", "c")),
)
ENTRY = Entry(SPEC, {"word": ("p", "q")})
KEYS = Keys(ENTRY)
NAMES = ("float32", CODES, STRINGS, "tensor:image", LABEL)


def packed_rows(n: int, seed: int = 0, weights: bool = False, as_bytes: bool = False) -> dict[str, np.ndarray]:
    """Few different rows, so that some are there several times."""
    rng = np.random.default_rng(seed)
    texts: list[Any] = [b"", b"x", "ä".encode()] if as_bytes else ["", "x", "ä"]
    out = {
        "float32": rng.choice([0.0, 1.0, np.nan], (n, 1)).astype(np.float32),
        CODES: rng.integers(-1, 2, (n, 1)).astype(np.int32),
        STRINGS: np.array([[texts[i]] for i in rng.integers(0, 3, n)], object).reshape(n, 1),
        "tensor:image": rng.integers(0, 2, (n, 1, 1)).astype(np.uint8) * np.ones((2, 2), np.uint8),
        LABEL: rng.integers(0, 3, n).astype(np.int32),
    }
    return out | ({WEIGHT: rng.choice([0.5, 1.0, 3.0], n).astype(np.float32)} if weights else {})


def decided(keys: np.ndarray, seed: int, weights: list[float]) -> Decisions:
    """On about half of the different rows, and on some that do not come."""
    rng = np.random.default_rng(seed)
    chosen = np.unique(keys)
    chosen = rng.permutation(
        np.concatenate([chosen[rng.random(len(chosen)) < 0.5], np.array([0, 2**64 - 1], np.uint64)])
    )
    classes = rng.integers(0, 3, len(chosen)).astype(np.int32)
    return Decisions(chosen, classes, rng.choice(weights, len(chosen)).astype(np.float32))


def by_hand(packed: Mapping[str, np.ndarray], keys: np.ndarray, decisions: Decisions) -> dict[str, list[Any]]:
    """Row by row, in plain Python."""
    what = {int(k): (int(c), float(w)) for k, c, w in zip(*vars(decisions).values(), strict=True)}
    weighted = WEIGHT in packed or any(0 < w < 1 for _, w in what.values())
    out: dict[str, list[Any]] = {name: [] for name in [*packed, *[WEIGHT] * weighted]}
    for i, key in enumerate(keys.tolist()):
        row = {name: x[i] for name, x in packed.items()}
        if weighted:
            row.setdefault(WEIGHT, np.float32(1))
        if key in what:
            row[LABEL], factor = what[key]
            if weighted:
                row[WEIGHT] = np.float32(row[WEIGHT] * factor)
            if factor == 0:
                continue
        for name, value in row.items():
            out[name].append(value)
    return out


def assert_rows(found: Mapping[str, np.ndarray], expected: Mapping[str, list[Any]], like: Mapping[str, Any]) -> None:
    assert found.keys() == expected.keys()
    dtypes = {**{name: x.dtype for name, x in like.items()}, WEIGHT: np.dtype(np.float32)}
    for name, x in found.items():
        assert x.dtype == dtypes[name], name
        np.testing.assert_array_equal(x, np.array(expected[name], x.dtype).reshape(x.shape), err_msg=name)
        assert len(x) == len(expected[name])


def mapped(treat: Treat, packed: Mapping[str, np.ndarray], batch_size: int) -> dict[str, np.ndarray]:
    dataset = tf.data.Dataset.from_tensor_slices(dict(packed)).batch(batch_size).map(treat)
    batches = list(dataset.as_numpy_iterator())
    return {name: np.concatenate([b[name] for b in batches]) for name in batches[0]}


ACTIONS = {"relabel": [1.0], "drop": [0.0, 1.0], "weight": [0.25, 1.0], "all": [0.0, 0.25, 1.0]}


@given(
    st.integers(1, 60),
    st.integers(0, 1000),
    st.booleans(),
    st.booleans(),
    st.sampled_from(list(ACTIONS)),
    st.integers(1, 9),
)
def test_rows_and_batches_are_treated_as_by_hand(n, seed, weights, as_bytes, action, batch_size):
    packed = packed_rows(n, seed, weights, as_bytes)
    before = {name: x.copy() for name, x in packed.items()}
    keys = KEYS.of(packed)
    decisions = decided(keys, seed, ACTIONS[action])
    treat = Treat(KEYS, decisions)
    expected = by_hand(packed, keys, decisions)
    assert_rows(treat.rows(packed), expected, packed)
    if not as_bytes:
        expected[STRINGS] = [[s.encode() for s in row] for row in expected[STRINGS]]
    assert_rows(mapped(treat, packed, batch_size), expected, packed)
    for name, x in packed.items():
        np.testing.assert_array_equal(x, before[name])


def test_treated_rows_stand_in_every_case_of_the_test_above():
    """Else it would show nothing."""
    packed = packed_rows(60, 3)
    found = Treat(KEYS, decided(KEYS.of(packed), 3, ACTIONS["all"])).rows(packed)
    assert 10 < len(found[LABEL]) < 55
    assert set(found[WEIGHT].tolist()) == {0.25, 1.0}
    assert (found[LABEL] != packed[LABEL][: len(found[LABEL])]).any()


def test_decisions_find_their_rows_in_a_shuffled_stream():
    packed = {**packed_rows(300), "float32": np.arange(300, dtype=np.float32)[:, None]}
    decisions = Decisions(
        KEYS.of(packed)[100:200], np.full(100, 2, np.int32), np.repeat([0.0, 1.0], 50).astype(np.float32)
    )
    dataset = tf.data.Dataset.from_tensor_slices(packed).shuffle(300, seed=1).batch(7).map(Treat(KEYS, decisions))
    labels = {
        int(number): int(label)
        for batch in dataset.as_numpy_iterator()
        for number, label in zip(batch["float32"][:, 0], batch[LABEL], strict=True)
    }
    given_labels = dict(enumerate(packed[LABEL].tolist()))
    assert labels == {i: 2 if 150 <= i < 200 else y for i, y in given_labels.items() if not 100 <= i < 150}


def test_no_decisions_change_nothing():
    nothing = Decisions(np.empty(0, np.uint64), np.empty(0, np.int32), np.empty(0, np.float32))
    treat = Treat(KEYS, nothing)
    packed = packed_rows(5)
    assert not treat.weighted and not treat.drops
    for found in (treat.rows(packed), treat(packed)):
        assert list(found) == list(packed) and all(found[name] is packed[name] for name in packed)
    assert mapped(treat, packed, 2).keys() == packed.keys()


@pytest.mark.parametrize("weights", [[1.0], [0.0], [0.5]])
def test_shapes_and_types_stay_and_the_number_of_rows_is_left_open(weights):
    signature = {
        "float32": tf.TensorSpec((None, 1), tf.float32),
        CODES: tf.TensorSpec((None, 1), tf.int32),
        STRINGS: tf.TensorSpec((None, 1), tf.string),
        "tensor:image": tf.TensorSpec((None, 2, 2), tf.uint8),
        LABEL: tf.TensorSpec((None,), tf.int32),
    }
    packed = packed_rows(20)
    treat = Treat(KEYS, decided(KEYS.of(packed), 0, weights))
    chunks = [packed_rows(0), packed, packed_rows(0)]
    dataset = tf.data.Dataset.from_generator(lambda: iter(chunks), output_signature=signature).map(treat)
    weight = {WEIGHT: tf.TensorSpec((None,), tf.float32)} if weights == [0.5] else {}
    assert dataset.element_spec == signature | weight
    sizes = [len(batch[LABEL]) for batch in dataset.as_numpy_iterator()]
    assert sizes == [0, len(treat.rows(packed)[LABEL]), 0]
    assert {name: x.shape for name, x in treat.rows(packed_rows(0)).items()} == {
        name: (0, *spec.shape[1:]) for name, spec in (signature | weight).items()
    }


def test_a_batch_may_be_left_without_rows():
    packed = packed_rows(8)
    keys = np.unique(KEYS.of(packed))
    treat = Treat(KEYS, Decisions(keys, np.zeros(len(keys), np.int32), np.zeros(len(keys), np.float32)))
    assert [x.shape[0] for x in treat.rows(packed).values()] == [0] * len(NAMES)
    assert len(mapped(treat, packed, 3)[LABEL]) == 0


def test_weights_are_asked_for_only_where_one_is_neither_0_nor_1():
    packed = packed_rows(40)
    keys = KEYS.of(packed)
    found = {name: Treat(KEYS, decided(keys, 1, weights)) for name, weights in ACTIONS.items()}
    assert {name: (t.weighted, t.drops) for name, t in found.items()} == {
        "relabel": (False, False),
        "drop": (False, True),
        "weight": (True, False),
        "all": (True, True),
    }
    assert [WEIGHT in t.rows(packed) for t in found.values()] == [False, False, True, True]


def test_arrays_in_which_nothing_changes_are_not_copied():
    packed = packed_rows(40)
    treat = Treat(KEYS, decided(KEYS.of(packed), 1, ACTIONS["relabel"]))
    found = treat.rows(packed)
    assert all(found[name] is packed[name] for name in packed if name != LABEL)


def test_tables_are_made_outside_of_any_graph():
    packed = packed_rows(40)
    keys = KEYS.of(packed)
    decisions = decided(keys, 1, ACTIONS["all"])
    treat = Treat(Keys(ENTRY), decisions)  # which first meets rows in a graph
    expected = by_hand(packed, keys, decisions)
    for batch_size in (40, 7):
        assert mapped(treat, packed, batch_size)[LABEL].tolist() == expected[LABEL]
    traced = tf.function(lambda rows: treat(rows), autograph=False)
    assert traced({n: tf.constant(x) for n, x in packed.items()})[LABEL].numpy().tolist() == expected[LABEL]
    assert treat.rows(packed)[LABEL].tolist() == expected[LABEL]


def test_files_that_are_read_side_by_side_are_treated_as_they_are_read():
    """`rows` runs TensorFlow within a generator that TensorFlow runs: threads must not wait for each other."""
    chunks = [packed_rows(50, seed) for seed in range(6)]
    keys = np.concatenate([KEYS.of(c) for c in chunks])
    treat = Treat(Keys(ENTRY), decided(keys, 1, ACTIONS["drop"]))
    signature = {
        name: tf.TensorSpec((None, *x.shape[1:]), "string" if x.dtype == object else x.dtype)
        for name, x in chunks[0].items()
    }
    datasets = [
        from_chunks(
            lambda rng=None: map(treat.rows, chunks), signature, lambda rows: rows[LABEL], 16, steps=None, seed=seed
        )
        for seed in (None, 0, 1, 2)
    ]
    labels = [y for c in chunks for y in treat.rows(c)[LABEL].tolist()]
    found = [np.concatenate(y).tolist() for y in zip(*tf.data.Dataset.zip(*datasets).as_numpy_iterator(), strict=True)]
    assert found[0] == labels
    assert [sorted(f) for f in found] == [sorted(labels)] * 4


def test_each_key_is_decided_on_once():
    with pytest.raises(AssertionError, match="each key once"):
        Treat(KEYS, Decisions(np.array([7, 7], np.uint64), np.zeros(2, np.int32), np.ones(2, np.float32)))
    with pytest.raises(AssertionError, match="each key once"):
        Treat(KEYS, Decisions(np.array([7], np.uint64), np.zeros(2, np.int32), np.ones(2, np.float32)))
