"""Class weights are those of scikit-learn and of the formulas they are named for, with mean 1 over the rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

import prepkit as pk
from prepkit.balance.weights import class_weights, numbered

COUNTS = st.lists(st.integers(1, 500), min_size=2, max_size=8)
WITH_EMPTY = st.lists(st.integers(0, 500), min_size=2, max_size=8).filter(any)
BETAS = st.floats(0, 1, exclude_max=True)


def names_of(counts):
    return tuple(f"class {i}" for i in range(len(counts)))


def weights_of(counts, **settings):
    return np.array(class_weights(pk.Rebalance("class_weight", **settings), counts, names_of(counts)))


def with_mean_one(raw, counts):
    return raw * sum(counts) / (raw * counts).sum()


@given(COUNTS)
def test_balanced_is_that_of_scikit_learn(counts):
    y = np.repeat(np.arange(len(counts)), counts)
    theirs = compute_class_weight("balanced", classes=np.arange(len(counts)), y=y)
    np.testing.assert_allclose(weights_of(counts), theirs, rtol=1e-12)


@given(COUNTS)
def test_sqrt_is_its_square_root(counts):
    y = np.repeat(np.arange(len(counts)), counts)
    theirs = np.sqrt(compute_class_weight("balanced", classes=np.arange(len(counts)), y=y))
    np.testing.assert_allclose(weights_of(counts, class_weight="sqrt"), with_mean_one(theirs, counts), rtol=1e-12)


@given(COUNTS, BETAS)
def test_effective_is_one_by_the_effective_number_of_rows(counts, beta):
    # Cui et al. 2019: E(n) = 1 + beta + ... + beta**(n - 1), summed here as it is defined.
    effective = np.array([np.power(beta, np.arange(n)).sum() for n in counts])
    ours = weights_of(counts, class_weight="effective", beta=beta)
    np.testing.assert_allclose(ours, with_mean_one(1 / effective, counts), rtol=1e-9)


def test_effective_next_to_one_is_balanced_and_of_zero_is_none():
    counts = (1000, 7, 3)
    close = weights_of(counts, class_weight="effective", beta=1 - 1e-12)
    np.testing.assert_allclose(close, weights_of(counts), rtol=1e-8)
    np.testing.assert_array_equal(weights_of(counts, class_weight="effective", beta=0.0), 1.0)
    assert weights_of(counts, class_weight="effective")[2] < weights_of(counts)[2]


@given(WITH_EMPTY, st.dictionaries(st.integers(0, 7), st.floats(0.01, 100), max_size=8))
def test_given_weights_keep_their_ratios(counts, asked):
    asked = {i: w for i, w in asked.items() if i < len(counts)}
    ours = weights_of(counts, class_weight={f"class {i}": w for i, w in asked.items()})
    raw = np.array([asked.get(i, 1.0) for i in range(len(counts))])
    expected = np.where(np.array(counts) > 0, with_mean_one(raw, counts), 1.0)
    np.testing.assert_allclose(ours, expected, rtol=1e-9)


@given(WITH_EMPTY, st.sampled_from(["balanced", "sqrt", "effective"]))
def test_they_are_dense_finite_and_one_on_average(counts, how):
    ours = class_weights(pk.Rebalance("class_weight", class_weight=how), counts, names_of(counts))
    assert len(ours) == len(counts) and all(type(w) is float and np.isfinite(w) and w > 0 for w in ours)
    assert np.dot(ours, counts) == pytest.approx(sum(counts))
    assert all(w == 1 for w, n in zip(ours, counts, strict=True) if not n)
    there = [(n, w) for n, w in zip(counts, ours, strict=True) if n]
    assert [w for _, w in sorted(there)] == sorted((w for _, w in there), reverse=True), "rarer classes weigh more"


def test_no_rows_at_all():
    assert class_weights(pk.Rebalance("class_weight"), (0, 0), ("no", "yes")) == (1.0, 1.0)


def test_classes_are_named_as_they_are_written():
    stage = pk.Rebalance("class_weight", class_weight={1: 3.0})
    np.testing.assert_allclose(class_weights(stage, (1, 1), ("0", "1")), (0.5, 1.5))
    stage = pk.Rebalance("class_weight", class_weight={True: 3.0})
    np.testing.assert_allclose(class_weights(stage, (1, 1), ("False", "True")), (0.5, 1.5))


def test_numbered():
    assert numbered({"b": 1, "a": 2}, ("a", "b"), "x") == {1: 1, 0: 2}
    with pytest.raises(pk.PrepkitError, match="x names the class 'c', which does not exist: there are 'a', 'b'"):
        numbered({"c": 1}, ("a", "b"), "x")
    with pytest.raises(pk.PrepkitError, match="x names the class '1' twice"):
        numbered({1: 1, "1": 2}, ("0", "1"), "x")
