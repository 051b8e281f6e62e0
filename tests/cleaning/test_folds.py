"""Classes are spread over folds as evenly as scikit-learn does, and rows that are alike are never parted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedKFold

from prepkit.cleaning.folds import folded, joined, most_frequent

ROWS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 25)), min_size=1, max_size=120)


def numbered(values):
    return np.unique(values, return_inverse=True)[1]


def by_union_find(alike, groups):
    """The set of each row, as the number of its first row."""
    parent = list(range(len(alike)))

    def root(i):
        while parent[i] != i:
            i = parent[i]
        return i

    for values in (alike, groups):
        first = {}
        for i, value in enumerate(values):
            a, b = sorted((root(i), root(first.setdefault(value, i))))
            parent[b] = a
    return [root(i) for i in range(len(alike))]


@given(ROWS)
def test_rows_are_joined_as_by_union_find(rows):
    alike, groups = (np.array(x) for x in zip(*rows, strict=True))
    alike = alike.astype(np.uint64) + np.uint64(2**64 - 10)  # keys, not small numbers
    found = joined(alike, groups * 1000 - 5)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(numbered(found), found)  # from 0, without gaps
    pairs = set(zip(found.tolist(), by_union_find(alike.tolist(), groups.tolist()), strict=True))
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


def test_a_long_chain_of_rows_is_one_set():
    n = np.arange(1000)
    np.testing.assert_array_equal(joined(n // 2, (n + 1) // 2), np.zeros(1000))


def test_without_groups_rows_are_joined_by_their_features():
    np.testing.assert_array_equal(joined(np.array([9, 3, 9], np.uint64), None), [1, 0, 1])
    for groups in (None, np.zeros(0, np.int64)):
        assert joined(np.zeros(0, np.uint64), groups).shape == (0,)


@given(ROWS)
def test_the_most_frequent_class_is_that_of_pandas(rows):
    labels, alike = (np.array(x) for x in zip(*rows, strict=True))
    alike = numbered(alike)
    expected = pd.Series(labels).groupby(alike).agg(lambda x: x.mode().min())
    np.testing.assert_array_equal(most_frequent(labels.astype(np.int32), alike), expected)


@given(ROWS, st.integers(2, 6), st.integers(0, 2**63))
def test_rows_that_are_alike_are_in_one_fold_and_classes_in_all_folds(rows, folds, seed):
    labels, alike = (np.array(x) for x in zip(*rows, strict=True))
    alike = numbered(alike)
    fold = folded(labels, alike, folds, seed)
    assert fold.shape == labels.shape and fold.dtype == np.int64
    sets = pd.DataFrame({"fold": fold, "set": alike}).drop_duplicates()
    assert not sets["set"].duplicated().any()
    counts = np.zeros((5, folds), int)
    np.add.at(counts, (most_frequent(labels, alike)[sets["set"]], sets["fold"]), 1)
    assert np.ptp(counts, axis=1).max() <= 1 and np.ptp(counts.sum(0)) <= 1
    np.testing.assert_array_equal(fold, folded(labels, alike, folds, seed))


@pytest.mark.parametrize("folds", [2, 5, 10])
def test_folds_hold_as_many_of_each_class_as_those_of_scikit_learn(folds):
    rng = np.random.default_rng(folds)
    labels = np.sort(rng.choice(5, 503, p=[0.5, 0.3, 0.12, 0.05, 0.03]))  # scikit-learn deals in order of appearance
    shuffled = rng.permutation(503)
    fold = np.empty(503, int)
    fold[shuffled] = folded(labels[shuffled], np.arange(503), folds, seed=1)
    splits = StratifiedKFold(folds, shuffle=True, random_state=1).split(labels, labels)
    for k, (_, held_out) in enumerate(splits):
        np.testing.assert_array_equal(np.bincount(labels[fold == k]), np.bincount(labels[held_out]))


def test_another_seed_makes_other_folds():
    labels, alike = np.zeros(100, int), np.arange(100)
    drawn = np.stack([folded(labels, alike, 5, seed) for seed in range(20)])
    assert len(np.unique(drawn, axis=0)) == 20
    assert (np.abs(drawn.mean(0) - 2) < 1.5).all()  # no row has its fold by its place


def test_a_class_of_fewer_rows_than_folds_is_not_in_every_fold():
    labels = np.repeat([0, 1, 3], [20, 3, 1])
    fold = folded(labels, np.arange(24), 5, seed=0)
    assert len(set(fold[labels == 1])) == 3
    assert sorted(folded(np.arange(4), np.arange(4), 5, seed=0)) == [0, 1, 2, 3]
