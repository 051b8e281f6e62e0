"""Hashes of rows tell equal from different ones, and how many repeat, however the rows are batched."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prepkit.scan import Coded
from prepkit.scan.duplicates import CLASSES, Duplicates, row_hashes

NAN = np.nan
FRAMES = st.lists(
    st.tuples(
        st.sampled_from([0.0, -0.0, 1.0, -1.0, NAN, np.inf, -np.inf, 5e-324]),
        st.sampled_from(["a", "b", "", None]),
        st.sampled_from([0, 1, -1]),
    ),
    max_size=40,
)
CUTS = st.lists(st.integers(0, 40), max_size=3).map(sorted)


def coded(words):
    values = sorted({w for w in words if w}, reverse=True)
    return Coded(np.array([values.index(w) if w else -1 for w in words], np.int32), values)


def decoded(rows):
    return {"x": np.array([r[0] for r in rows], np.float64), "c": coded([r[1] for r in rows])}


@given(FRAMES, CUTS)
def test_repeated_rows_are_those_of_pandas_however_batched(rows, cuts):
    frame = pd.DataFrame(rows, columns=["x", "c", "y"])
    frame["c"] = frame["c"].replace("", None).astype("str")
    frame["x"] += 0.0
    found = Duplicates()
    for piece in np.split(np.arange(len(rows)), [min(c, len(rows)) for c in cuts]):
        part = [rows[i] for i in piece]
        found.update(row_hashes(decoded(part), ["x", "c"]), np.array([r[2] for r in part], np.int32))
    assert found.rows == len(rows)
    assert found.repeated == int(frame.duplicated().sum())
    known = frame[frame["y"] >= 0]
    classes = known.groupby(["x", "c"], dropna=False)["y"].transform("nunique")
    assert found.contradictory == int((classes > 1).sum())


@given(FRAMES, st.integers(0, 40))
def test_merged_is_as_if_read_at_once(rows, cut):
    hashes = row_hashes(decoded(rows), ["x", "c"])
    classes = np.array([r[2] for r in rows], np.int32)
    whole, left, right = Duplicates(), Duplicates(), Duplicates()
    whole.update(hashes, classes)
    left.update(hashes[:cut], classes[:cut])
    right.update(hashes[cut:], classes[cut:])
    left.merge(right)
    assert (left.rows, left.repeated, left.contradictory) == (whole.rows, whole.repeated, whole.contradictory)


def test_rows_of_few_small_numbers_do_not_collide():
    """Their bits differ in the same few places, which is hard for a hash of multiplications."""
    grid = np.array(list(itertools.product(range(16), repeat=4)), np.float64)
    hashes = row_hashes({str(i): grid[:, i] for i in range(4)}, ["0", "1", "2", "3"])
    assert len(np.unique(hashes >> np.uint64(12))) == len(grid)
    bits = np.unpackbits(hashes.view(np.uint8)).reshape(len(grid), 64)
    assert abs(bits.mean(0) - 0.5).max() < 0.01  # 5 standard deviations of a fair coin thrown 65,536 times


def test_flags_do_not_collide():
    grid = np.array(list(itertools.product([0.0, 1.0], repeat=16)), np.float32)
    names = [str(i) for i in range(16)]
    assert len(np.unique(row_hashes({n: grid[:, i] for i, n in enumerate(names)}, names))) == len(grid)


def test_columns_are_told_apart():
    a, b = np.array([1.0, 2.0]), np.array([2.0, 1.0])
    hashes = row_hashes({"a": a, "b": b}, ["a", "b"])
    assert hashes[0] != hashes[1]
    assert row_hashes({"a": a, "b": b}, ["b", "a"]).tolist() != hashes.tolist()
    assert row_hashes({"a": a, "b": b}, ["a"]).tolist() == row_hashes({"a": a}, ["a"]).tolist()


def test_equal_values_of_other_types_and_dictionaries():
    x32, x64 = np.array([0.5, -0.0, NAN], np.float32), np.array([0.5, 0.0, -NAN])
    assert row_hashes({"x": x32}, ["x"]).tolist() == row_hashes({"x": x64}, ["x"]).tolist()
    one, other = Coded(np.array([0, 1, -1]), ["a", "b"]), Coded(np.array([5, 0, -1]), ["b", *"uvwx", "a"])
    assert row_hashes({"c": one}, ["c"]).tolist() == row_hashes({"c": other}, ["c"]).tolist()
    assert len(set(row_hashes({"c": one}, ["c"]).tolist())) == 3


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, np.float32, bool])
@pytest.mark.parametrize("shape", [(3,), (2, 5), (2, 3, 3)])
def test_tensors(dtype, shape):
    x = np.random.default_rng(0).integers(0, 2, (60, *shape)).astype(dtype)
    hashes = row_hashes({"x": x}, ["x"])
    different = np.unique(x.reshape(60, -1), axis=0)
    assert len(np.unique(hashes)) == len(different)
    assert row_hashes({"x": x[7:9]}, ["x"]).tolist() == hashes[7:9].tolist()


def test_beyond_the_cap_counts_are_estimates_in_flat_memory():
    rng = np.random.default_rng(0)
    x = rng.permutation(np.concatenate([np.arange(60_000.0), np.arange(30_000.0)]))
    found = Duplicates(cap=4096)
    for piece in np.split(x, 18):
        found.update(row_hashes({"x": piece}, ["x"]))
        assert len(found.keys) + sum(map(len, found.fresh)) <= 2 * 4096
    assert not found.exact and found.rows == 90_000
    # Each of 30,000 pairs is seen with a chance of 2**-level: four standard deviations of their number.
    spread = 4 * np.sqrt(30_000 * (2**found.level - 1))
    assert abs(found.repeated - 30_000) < spread


def test_many_rows_of_few_kinds_are_counted_exactly():
    found = Duplicates(cap=64)
    for _ in range(50):
        found.update(row_hashes({"x": np.arange(60.0)}, ["x"]))
    assert (found.exact, found.repeated) == (True, 49 * 60)


def test_merging_sketches_of_different_levels():
    small, large = Duplicates(cap=64), Duplicates(cap=64)
    large.update(row_hashes({"x": np.arange(4000.0)}, ["x"]))
    small.update(row_hashes({"x": np.arange(100.0)}, ["x"]))
    small.merge(large)
    assert small.level == large.level > 0 and small.rows == 4100
    assert small.repeated == large.among(row_hashes({"x": np.arange(100.0)}, ["x"]))


def test_rows_that_are_among_others():
    found = Duplicates()
    found.update(row_hashes({"x": np.arange(10.0)}, ["x"]), np.arange(10))
    assert found.among(row_hashes({"x": np.array([3.0, 3.0, 99.0])}, ["x"])) == 2
    assert Duplicates().among(row_hashes({"x": np.arange(3.0)}, ["x"])) == 0


def test_no_rows():
    found = Duplicates()
    found.update(row_hashes({"x": np.empty(0)}, ["x"]), np.empty(0, np.int32))
    assert (found.rows, found.repeated, found.contradictory, found.exact) == (0, 0, 0, True)
    assert row_hashes({}, []).tolist() == []


def test_more_classes_than_there_are_bits():
    found = Duplicates()
    hashes = row_hashes({"x": np.zeros(2)}, ["x"])
    found.update(hashes, np.array([CLASSES - 1, CLASSES]))
    assert found.contradictory == 2


def test_inputs_are_left_alone():
    x = np.array([-0.0, 1.0])
    hashes = row_hashes({"x": x}, ["x"])
    before = hashes.copy()
    Duplicates().update(hashes, np.array([0, 1]))
    assert np.signbit(x[0]) and (hashes == before).all()


def test_many_rows_that_all_differ_need_no_sorting_and_others_do():
    n = 200_000
    found = Duplicates()
    found.update(row_hashes({"x": np.arange(float(n))}, ["x"]), np.arange(n) % 3)
    assert (found.repeated, found.contradictory, len(found.keys)) == (0, 0, 0)
    found.update(row_hashes({"x": np.array([5.0, 6.0])}, ["x"]), np.array([2, 1]))
    assert (found.repeated, found.contradictory) == (1, 2)
