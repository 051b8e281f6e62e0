"""Classes that cannot be rebalanced as asked, and what one is told: what is wrong, where, and how to mend it.

Settings that are none have their page, tests/rows/test_rebalance.py; rows set apart tests/test_prepared.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from imblearn.over_sampling import SMOTE

import prepkit as pk
from tests.imbalanced import adds_up


class Sampler:
    """Of one's own, that returns what it is told to."""

    def __init__(self, returned: Callable[[np.ndarray, np.ndarray], Any]) -> None:
        self.returned = returned

    def fit_resample(self, x: np.ndarray, y: np.ndarray) -> Any:
        return self.returned(x, y)


K = 60
NUMBERS = np.random.default_rng(0).normal(size=(K, 2))
THREE = np.repeat(["no", "yes", "one"], [50, 9, 1])  # of "one" a single row
TWO = np.where(THREE == "one", "no", THREE)
NO_ROWS = np.eye(4)[np.repeat([0, 1, 3], [50, 9, 1])]  # of class 2
SEVERAL = np.stack([np.arange(K) % 2, np.arange(K) % 3 == 0, np.ones(K)], 1).astype(np.float32)
FIVE = np.where(np.arange(K) < 5, "yes", "no")
WHERE = r"in stage 1 of 1 \(Rebalance\): "
slices = tf.data.Dataset.from_tensor_slices

# The kind, its settings, y or all data, and what is said.
BAD: dict[str, tuple[Any, dict[str, Any], Any, str]] = {
    "class with no rows, counts": (
        "oversample", {"sampling_strategy": {2: 50}}, NO_ROWS,
        f"{WHERE}class '2' has no training rows.*take it out of sampling_strategy",
    ),
    "class with no rows, counts of a sampler": (
        "SMOTE", {"sampling_strategy": {2: 50}}, NO_ROWS,
        f"{WHERE}class '2' has no training rows.*take it out of sampling_strategy",
    ),
    "class with one row": (
        "SMOTE", {}, THREE, f"{WHERE}class 'one' has a single row, .*SMOTE.*use 'oversample', which repeats it, or",
    ),
    "class with one row, with as few neighbours as there are": (
        "ADASYN", {"fewer_neighbors": True}, THREE, f"{WHERE}class 'one' has a single row, .*ADASYN.*use 'oversample'",
    ),
    "class with few rows": (
        "SMOTE", {}, FIVE, f"{WHERE}class 'yes' has 5 rows, too few for SMOTE.*5 neighbours: set fewer_neighbors=True",
    ),
    "ratio that is there": (
        "oversample", {"sampling_strategy": 9 / 51}, TWO,
        f"{WHERE}sampling_strategy=0.176471, but the smallest class is 0.176 of .* already.*give a ratio above 0.176",
    ),
    "ratio below": (
        "undersample", {"sampling_strategy": 0.1}, TWO, f"{WHERE}sampling_strategy=0.1, but .*give a ratio above 0.176",
    ),
    "ratio below, of a sampler": ("SMOTE", {"sampling_strategy": 0.1}, TWO, f"{WHERE}.*ratio"),
    "ratio of three classes": (
        "SMOTE", {"sampling_strategy": 0.9, "params": {"k_neighbors": 2}}, np.repeat(["a", "b", "c"], [40, 10, 10]),
        f"{WHERE}sampling_strategy=0.9 is a ratio, .* two classes only, and there are 3: give rows by class",
    ),
    "ratio above 1": ("oversample", {"sampling_strategy": 1.5}, TWO, "Rebalance: sampling_strategy=1.5: give a ratio"),
    "ratio 0": ("undersample", {"sampling_strategy": 0.0}, TWO, "Rebalance: sampling_strategy=0.0: give a ratio"),
    "ratio below 0": ("SMOTE", {"sampling_strategy": -1}, TWO, "Rebalance: sampling_strategy=-1: give a ratio"),
    "ratio NaN": ("oversample", {"sampling_strategy": np.nan}, TWO, "Rebalance: sampling_strategy=nan: give a ratio"),
    "counts below": (
        "oversample", {"sampling_strategy": {"no": 10}}, TWO,
        f"{WHERE}sampling_strategy asks for 10 rows of class 'no', which has 51: oversample needs at least",
    ),
    "counts above": (
        "undersample", {"sampling_strategy": {"yes": 10}}, TWO,
        f"{WHERE}sampling_strategy asks for 10 rows of class 'yes', which has 9: undersample needs at most",
    ),
    "counts below, of a sampler": (
        "SMOTE", {"sampling_strategy": {"no": 10}}, TWO, f"{WHERE}sampling_strategy asks for 10 rows of class 'no'",
    ),
    "counts that are none": (
        "oversample", {"sampling_strategy": {"yes": 10.5}}, TWO,
        "Rebalance: sampling_strategy of 'yes' is 10.5: give a whole number",
    ),
    "no such class": (
        "oversample", {"sampling_strategy": {"maybe": 99}}, TWO,
        f"{WHERE}sampling_strategy names the class 'maybe', which does not exist: there are 'no', 'yes'",
    ),
    "no such class, of a sampler": (
        SMOTE(sampling_strategy={"maybe": 99}), {}, TWO,
        f"{WHERE}sampling_strategy names the class 'maybe', which does not exist: there are 'no', 'yes'",
    ),
    "no such class, of weights": (
        "class_weight", {"class_weight": {"maybe": 2}}, TWO,
        f"{WHERE}class_weight names the class 'maybe', which does not exist: there are 'no', 'yes'",
    ),
    "several labels": (
        "oversample", {}, SEVERAL, r"label 'y' of shape \(60, 3\) has rows such as .*, not of one class: train one",
    ),
    "several labels in a stream": (
        "SMOTE", {}, lambda: slices((NUMBERS, SEVERAL)).batch(16), "label 'y' .* has rows such as .*not of one class",
    ),
    "weights below 0": (
        "oversample", {}, lambda: (NUMBERS, TWO, np.where(np.arange(K) == 7, -1, 1)),
        "the weight of row 7 of X is -1: give finite numbers, 0 or more",
    ),
    "weights NaN in a stream": (
        "oversample", {}, lambda: slices((NUMBERS, TWO, np.where(np.arange(K) == 7, np.nan, 1.0))).batch(4),
        "the weight of row 7 of tf.data.Dataset is nan: give finite numbers, 0 or more",
    ),
    "weights of rows that are made": (
        "SMOTE", {}, lambda: (NUMBERS, TWO, np.ones(K)),
        f"{WHERE}rows have weights, .* and SMOTE makes rows, .*: use 'oversample', leave the weights out",
    ),
    "class weights below 0": (
        "class_weight", {"class_weight": {"yes": -1}}, TWO, "Rebalance: class_weight of 'yes' is -1: give a finite",
    ),
    "class weights NaN": (
        "class_weight", {"class_weight": {"yes": np.nan}}, TWO, "Rebalance: class_weight of 'yes' is nan: give a",
    ),
    "sampler that changes columns": (
        Sampler(lambda x, y: (np.c_[x, x], y)), {}, TWO,
        rf"{WHERE}Sampler has returned an X of shape \(60, 4\) for one of 2 columns: it cannot be used",
    ),
    "sampler that changes labels": (
        Sampler(lambda x, y: (x, 1 - y)), {}, TWO,
        rf"{WHERE}Sampler has returned 60 rows .* with another label: .* use CleanLabels\(\)",
    ),
    "sampler that loses labels": (
        Sampler(lambda x, y: (x, y[1:])), {}, TWO, rf"{WHERE}Sampler has returned 60 rows with labels of shape \(59,\)",
    ),
    "sampler that makes NaN": (
        Sampler(lambda x, y: (np.r_[x, x[:1] * np.nan], np.r_[y, y[:1]])), {}, TWO,
        f"{WHERE}Sampler has returned NaN or infinite numbers",
    ),
    "sampler that loses a class": (
        Sampler(lambda x, y: (x[y == 0], y[y == 0])), {}, TWO, f"{WHERE}Sampler has left no row of class 'yes'",
    ),
    "sampler that fails": (
        Sampler(lambda x, y: (x[99], y)), {}, TWO, rf"{WHERE}Sampler cannot be run \(index 99 .*\): change its",
    ),
    "sampler class": (SMOTE, {}, TWO, r"Rebalance: kind=<class .*SMOTE'> is no sampler \(write SMOTE\(\)\)"),
    "no sampler": (3, {}, TWO, r"Rebalance: kind=3 is no sampler \(it has no fit_resample\): give one of"),
    "kind misspelt": ("oversampel", {}, TWO, "Rebalance: kind='oversampel' is .*: did you mean 'oversample'"),
    "setting misspelt": (
        "SMOTE", {"params": {"k_neighbours": 3}}, TWO,
        "Rebalance: SMOTE has no setting 'k_neighbours': did you mean 'k_neighbors'",
    ),
    "setting of another kind": (
        "oversample", {"class_weight": "sqrt"}, TWO, "Rebalance: class_weight is for kind 'class_weight', not for",
    ),
    "no end": (
        "oversample", {}, lambda: slices((NUMBERS, TWO)).batch(16).repeat(),
        r"the dataset is infinite: .*take\(steps\)",
    ),
    "no label in the stream": (
        "oversample", {}, lambda: slices({"a": NUMBERS[:, 0]}).batch(16), "tf.data.Dataset comes without labels: say",
    ),
    "images that are interpolated": (
        "SMOTE", {}, lambda: (np.zeros((K, 4, 4, 3), np.uint8), TWO),
        f"{WHERE}SMOTE cannot make rows of column 'x': .*use 'oversample' or RandomOverSampler",
    ),
    "missing cells": (
        "oversample", {}, lambda: (np.where(NUMBERS > 2, np.nan, NUMBERS), TWO),
        r"missing cells would reach the model as NaN, .*: add Impute\(\)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_with_what_where_and_how_to_mend_it(case):
    kind, settings, data, message = BAD[case]
    given = data() if callable(data) else (NUMBERS, data)
    with pytest.raises(pk.PrepkitError, match=f"^{message}"):
        pk.Pipeline([pk.Rebalance(kind, **settings)]).prepare(given)


@pytest.mark.parametrize("kind", ["ADASYN", "BorderlineSMOTE", "ClusterCentroids"])
def test_categories_are_not_interpolated(kind):
    data = {"a": NUMBERS[:, 0], "job": np.array(["x", "z"], object)[np.arange(K) % 2], "y": TWO}
    with pytest.raises(pk.PrepkitError, match=f"{kind} cannot make rows of column 'job': .*use SMOTE"):
        pk.Pipeline([pk.OneHot(), pk.Rebalance(kind)]).prepare(data, "y")


@pytest.mark.parametrize("kind", ["class_weight", "oversample", "undersample", "RandomOverSampler", "TomekLinks"])
@pytest.mark.parametrize("y", [NO_ROWS, THREE], ids=["no rows", "one row"])
def test_a_class_with_one_row_or_none_is_no_mistake_where_it_can_be_dealt_with(kind, y):
    prepared = pk.Pipeline([pk.Rebalance(kind)]).prepare((NUMBERS, y), batch_size=32)
    metadata = prepared.metadata
    found = np.bincount(
        np.concatenate([b[1] for b in prepared.dataset.as_numpy_iterator()]), minlength=len(y[0]) if y.ndim == 2 else 3
    )
    assert tuple(found) == metadata.counts
    assert [n > 0 for n in metadata.counts] == [n > 0 for n in metadata.counts_before]
    assert adds_up(metadata)
    assert np.isfinite([*metadata.initial_bias, *metadata.logit_adjustment, *metadata.focal_alpha]).all()
