"""Weights that make every class count the same; what Keras makes of them is in test_metadata.py."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

import prepkit as pk
from prepkit.core import ColumnStage, TrainingStage
from prepkit.rows.rebalance import balanced_weights


@given(st.lists(st.integers(1, 500), min_size=2, max_size=8))
def test_weights_are_those_of_scikit_learn(counts):
    y = np.repeat(np.arange(len(counts)), counts)
    theirs = compute_class_weight("balanced", classes=np.arange(len(counts)), y=y)
    np.testing.assert_allclose(list(balanced_weights(counts).values()), theirs, rtol=1e-12)


@given(st.lists(st.integers(0, 500), min_size=2, max_size=8).filter(any))
def test_classes_weigh_the_same_and_rows_one_on_average(counts):
    weights = balanced_weights(counts)
    assert list(weights) == list(range(len(counts)))
    assert all(isinstance(w, float) and np.isfinite(w) and w > 0 for w in weights.values())
    total = [weights[i] * n for i, n in enumerate(counts) if n]
    np.testing.assert_allclose(total, total[0])
    assert sum(total) == pytest.approx(sum(counts))
    assert all(weights[i] == 1 for i, n in enumerate(counts) if not n)


def test_it_touches_training_rows_only():
    assert issubclass(pk.Rebalance, TrainingStage)
    assert not issubclass(pk.Rebalance, ColumnStage)
    data = {"x": np.arange(8.0), "y": np.array([0] * 6 + [1] * 2)}
    with_it, without = pk.Pipeline([pk.Rebalance()]).fit(data, "y"), pk.Pipeline([]).fit(data, "y")
    assert with_it.transform(data).element_spec == without.transform(data).element_spec
    for a, b in zip(with_it.transform(data), without.transform(data), strict=True):
        for x, z in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, z)
    assert with_it.flow.feature_names == without.flow.feature_names
    assert with_it.metadata.class_weight == pytest.approx({0: 2 / 3, 1: 2.0})
    assert with_it.metadata.prior == without.metadata.prior


@pytest.mark.parametrize("kind", ["oversampling", "", None, "weights"])
def test_unknown_kinds(kind):
    with pytest.raises(pk.PrepkitError, match=f"^Rebalance: kind={kind!r}: choose from 'class_weight'"):
        pk.Rebalance(kind)
