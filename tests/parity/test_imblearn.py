"""Rows that samplers choose and make are those of imbalanced-learn, called directly on the same numbers."""

from __future__ import annotations

import importlib
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from imblearn.combine import SMOTEENN, SMOTETomek
from imblearn.over_sampling import ADASYN, SMOTE, SMOTEN, SMOTENC, BorderlineSMOTE, RandomOverSampler
from imblearn.under_sampling import (
    EditedNearestNeighbours,
    InstanceHardnessThreshold,
    NearMiss,
    RandomUnderSampler,
    TomekLinks,
)
from sklearn.tree import DecisionTreeClassifier

import prepkit as pk
from prepkit.balance.sampler import draw_by_sampler, makes_rows
from prepkit.rows.rebalance import MODULES
from prepkit.spec import Column, Spec

SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def gaussians(draw, classes=3, least=8):
    """Float32 numbers of some classes that overlap, and their labels, in random order."""
    rng = np.random.default_rng(draw(SEEDS))
    n = draw(st.lists(st.integers(least, 40), min_size=2, max_size=classes, unique=True))
    labels = rng.permutation(np.repeat(np.arange(len(n)), n)).astype(np.int32)
    x = rng.normal(size=(len(labels), draw(st.integers(1, 4)))) + 1.5 * labels[:, None]
    return x.astype(np.float32), labels


def spec_of(x):
    return Spec(tuple(Column(f"x{i}", "numeric", block="float32") for i in range(x.shape[1])))


def ours(sampler, spec, blocks, labels, seed=0, **settings):
    names = tuple(str(i) for i in range(labels.max() + 1))
    return draw_by_sampler(pk.Rebalance(sampler, **settings), spec, lambda: blocks, labels, names, seed)


def matrix_of(out, blocks):
    """All rows, real and made, side by side."""
    made = np.cumsum(out.rows < 0) - 1
    parts = []
    for name, x in blocks.items():
        both = np.concatenate([x, out.made[name]]) if out.made else x
        parts.append(both[np.where(out.rows < 0, len(x) + made, out.rows)].astype(np.float64))
    return np.hstack(parts)


def assert_same(out, blocks, x, y):
    """Equal to the type of the blocks, which is coarser than that of imbalanced-learn's numbers here."""
    np.testing.assert_array_equal(out.labels, y)
    np.testing.assert_allclose(matrix_of(out, blocks), x, rtol=1e-6, atol=1e-7)


def made_by(name, seed):
    made = getattr(importlib.import_module(MODULES[name]), name)
    if name == "InstanceHardnessThreshold":  # whose forest is slow
        return made(estimator=DecisionTreeClassifier(max_depth=2, random_state=0), random_state=seed)
    return made(random_state=seed) if "random_state" in made._parameter_constraints else made()


def directly(sampler, x, labels):
    """What imbalanced-learn makes of the numbers; None where it fails, or leaves nothing of a class."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            expected, y = sampler.fit_resample(x.astype(np.float64), labels)
        except (ValueError, RuntimeError):
            return None
    return (expected, y) if len(np.unique(y)) == len(np.unique(labels)) else None


def assert_same_or_refused(sampler, x, labels, expected, seed=0, **settings):
    if expected is None:
        with pytest.raises(pk.PrepkitError, match="^Rebalance: "):
            ours(sampler, spec_of(x), {"float32": x}, labels, seed, **settings)
        return None
    out = ours(sampler, spec_of(x), {"float32": x}, labels, seed, **settings)
    assert_same(out, {"float32": x}, *expected)
    return out


@pytest.mark.parametrize("name", sorted(set(MODULES) - {"SMOTENC", "SMOTEN"}))
@given(gaussians(least=12), SEEDS)
def test_every_sampler(name, case, seed):
    x, labels = case
    theirs = made_by(name, seed)
    expected = directly(theirs, x, labels)
    sampler = theirs if name == "InstanceHardnessThreshold" else name
    out = assert_same_or_refused(sampler, x, labels, expected, seed)
    if out is not None and (out.rows >= 0).all() and hasattr(theirs, "sample_indices_"):
        np.testing.assert_array_equal(out.rows, theirs.sample_indices_)
    assert out is None or makes_rows(pk.Rebalance(name)) or (out.rows >= 0).all()


@pytest.mark.parametrize(
    "sampler",
    [
        RandomOverSampler(random_state=3, shrinkage=0.5),
        RandomUnderSampler(random_state=3, replacement=True),
        RandomUnderSampler(random_state=3, sampling_strategy="all"),
        SMOTE(random_state=3, sampling_strategy="minority"),
        SMOTE(random_state=3, sampling_strategy="not minority", k_neighbors=2),
        SMOTE(random_state=3, sampling_strategy=0.9),
        BorderlineSMOTE(random_state=3, kind="borderline-2"),
        ADASYN(random_state=3, n_neighbors=3),
        NearMiss(version=3),
        EditedNearestNeighbours(sampling_strategy="majority", kind_sel="mode"),
        TomekLinks(sampling_strategy=[0]),
        SMOTETomek(random_state=3, sampling_strategy="minority"),
        SMOTETomek(smote=SMOTE(random_state=4, k_neighbors=3), tomek=TomekLinks(sampling_strategy="majority")),
        SMOTEENN(random_state=3, enn=EditedNearestNeighbours(sampling_strategy="all", n_neighbors=2)),
        SMOTEENN(smote=SMOTENC([0], random_state=5, k_neighbors=4), random_state=3),
    ],
    ids=lambda sampler: repr(sampler)[:60],
)
@given(gaussians(classes=2))
def test_settings(sampler, case):
    direct = sampler
    if isinstance(getattr(sampler, "smote", None), SMOTENC):  # refused without categories, where we know what is meant
        direct = SMOTEENN(smote=SMOTE(random_state=5, k_neighbors=4))
    assert_same_or_refused(sampler, *case, directly(direct, *case))


@given(gaussians(), SEEDS, st.integers(0, 60), st.integers(0, 60))
def test_rows_by_class(case, seed, more, other):
    x, labels = case
    counts = np.bincount(labels)
    asked = {0: int(counts[0]) + more, 1: int(counts[1]) + other}
    expected = directly(SMOTE(random_state=seed, sampling_strategy=asked), x, labels)
    assert_same_or_refused("SMOTE", x, labels, expected, seed, sampling_strategy=asked)
    fewer = {0: max(1, int(counts[0]) - more)}
    theirs = NearMiss(sampling_strategy=fewer)
    out = assert_same_or_refused("NearMiss", x, labels, directly(theirs, x, labels), sampling_strategy=fewer)
    np.testing.assert_array_equal(out.rows, theirs.sample_indices_)


def test_float64_to_the_last_digit():
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(60, 3)) * 1e9, np.repeat([0, 1], [45, 15]).astype(np.int32)
    spec = Spec(tuple(Column(f"x{i}", "numeric", "float64", block="float64") for i in range(3)))
    expected, _ = SMOTE(random_state=0).fit_resample(x, labels)
    out = ours("SMOTE", spec, {"float64": x}, labels)
    np.testing.assert_array_equal(matrix_of(out, {"float64": x}), expected)


# -- categories ------------------------------------------------------------------------------------


@st.composite
def categorical(draw, continuous, nominal):
    """Numbers, codes of categories that depend on the class, and labels."""
    x, labels = draw(gaussians(classes=2))
    rng = np.random.default_rng(draw(SEEDS))
    codes = (rng.integers(0, 5, (len(x), nominal)) + labels[:, None] * rng.integers(0, 3, (len(x), nominal))).astype(
        np.int32
    )
    return np.resize(x, (len(x), continuous)), codes, labels


FRAMES = {
    "ids": lambda codes: ([Column(f"c{i}", "id", "int32", block="ids") for i in range(codes.shape[1])], codes),
    "one-hot": lambda codes: (
        [Column(f"c{i}", "encoded", shape=(7,), block="onehot") for i in range(codes.shape[1])],
        np.eye(7, dtype=np.float32)[codes].reshape(len(codes), -1),
    ),
}


@pytest.mark.parametrize("form", FRAMES)
@given(st.sampled_from(["SMOTE", "SMOTENC", "SMOTEN"]), categorical(2, 2), SEEDS)
def test_numbers_and_categories_are_smotenc_of_codes(form, named, case, seed):
    x, codes, labels = case
    columns, values = FRAMES[form](codes)
    theirs = SMOTENC([2, 3], random_state=seed)
    expected, y = theirs.fit_resample(np.hstack([x.astype(np.float64), codes]), labels)
    spec = Spec((*spec_of(x).columns, *columns))
    out = ours(named, spec, {"float32": x, columns[0].block: values}, labels, seed)
    new = expected[len(x) :]
    np.testing.assert_array_equal(out.labels, y)
    np.testing.assert_allclose(out.made["float32"], new[:, :2], rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(out.made[columns[0].block], FRAMES[form](new[:, 2:].astype(np.int32))[1])


@pytest.mark.parametrize("form", FRAMES)
@given(st.sampled_from(["SMOTE", "SMOTENC", "SMOTEN"]), categorical(0, 3), SEEDS)
def test_categories_alone_are_smoten_of_codes(form, named, case, seed):
    _, codes, labels = case
    columns, values = FRAMES[form](codes)
    expected, y = SMOTEN(random_state=seed).fit_resample(codes, labels)
    out = ours(named, Spec(tuple(columns)), {columns[0].block: values}, labels, seed)
    np.testing.assert_array_equal(out.labels, y)
    np.testing.assert_array_equal(out.made[columns[0].block], FRAMES[form](expected[len(codes) :])[1])


@pytest.mark.parametrize("cleaner", [SMOTEENN, SMOTETomek])
@given(categorical(2, 1), SEEDS)
def test_what_is_cleaned_is_judged_side_by_side(cleaner, case, seed):
    x, codes, labels = case
    both, y = SMOTENC([2], random_state=seed).fit_resample(np.hstack([x.astype(np.float64), codes]), labels)
    beside = np.hstack([both[:, :2], np.eye(7)[both[:, 2].astype(int)]])
    second = {SMOTEENN: EditedNearestNeighbours, SMOTETomek: TomekLinks}[cleaner](sampling_strategy="all")
    expected, left = second.fit_resample(beside, y)
    blocks = {"float32": x, "onehot": FRAMES["one-hot"](codes)[1]}
    spec = Spec((*spec_of(x).columns, *FRAMES["one-hot"](codes)[0]))
    if len(np.unique(left)) < 2:
        with pytest.raises(pk.PrepkitError, match="has left no row of class"):
            ours(cleaner(), spec, blocks, labels, seed)
    else:
        assert_same(ours(cleaner(), spec, blocks, labels, seed), blocks, expected, left)


@given(categorical(2, 1))
def test_categories_are_as_far_from_each_other_as_one_hot_columns(case):
    x, codes, labels = case
    theirs = TomekLinks()
    theirs.fit_resample(np.hstack([x.astype(np.float64), np.eye(7)[codes[:, 0]]]), labels)
    spec = Spec((*spec_of(x).columns, Column("c", "categorical", "int32", block="codes")))
    out = ours("TomekLinks", spec, {"float32": x, "codes": codes}, labels)
    np.testing.assert_array_equal(out.rows, theirs.sample_indices_)


def test_instance_hardness_with_its_own_forest():
    x = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)
    labels = np.repeat([0, 1], [28, 12]).astype(np.int32)
    theirs = InstanceHardnessThreshold(random_state=3, cv=2)
    theirs.fit_resample(x.astype(np.float64), labels)
    out = ours("InstanceHardnessThreshold", spec_of(x), {"float32": x}, labels, 3, params={"cv": 2})
    np.testing.assert_array_equal(out.rows, theirs.sample_indices_)
