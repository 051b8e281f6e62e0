"""A share of each class is held out, exactly as far as sets of rows allow, and no set is parted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold, StratifiedShuffleSplit

from prepkit.split.draw import drawn

SHARES = st.floats(0.01, 0.99)
SEEDS = st.integers(0, 2**63 - 1)


def numbered(values):
    return np.unique(values, return_inverse=True)[1]


def held_out(units, labels, share, seed):
    """Bool (rows,)."""
    out = drawn(units, labels, share, np.random.default_rng(seed))
    assert out.dtype == bool and out.shape == (units.max() + 1,)
    return out[units]


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 9)), min_size=1, max_size=60), SHARES, SEEDS)
def test_of_each_class_a_share_is_held_out_within_one_unit(sets, share, seed):
    classes, sizes = (np.array(x) for x in zip(*sets, strict=True))
    units = np.repeat(np.arange(len(sets)), sizes)
    labels = numbered(classes)[units]
    out = held_out(units, labels, share, seed)
    for c in range(labels.max() + 1):
        of_class = sizes[numbered(classes) == c]
        held = int(out[labels == c].sum())
        if len(of_class) == 1:
            assert held == 0
            continue
        assert held < of_class.sum()  # training has a row of it
        assert abs(held - share * of_class.sum()) <= of_class.max()


@settings(max_examples=60)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=200), SHARES, SEEDS)
def test_of_rows_that_are_all_different_numbers_are_exact(labels, share, seed):
    labels = numbered(labels)
    out = held_out(np.arange(len(labels)), labels, share, seed)
    counts = np.bincount(labels)
    kept = counts > 1
    held = np.bincount(labels[out], minlength=len(counts))
    expected = share * counts[kept]
    full = held[kept] == counts[kept] - 1  # of which training has a row of each class
    assert ((np.abs(held[kept] - expected) < 1 + 1e-9) | (full & (held[kept] < expected))).all()
    if not full.any():
        assert abs(out.sum() - expected.sum()) < 1 + 1e-9


@pytest.mark.parametrize("share", [0.1, 0.2, 1 / 3])
def test_numbers_are_those_of_scikit_learn(share):
    rng = np.random.default_rng(1)
    for seed in range(20):
        labels = rng.choice(6, 997, p=[0.5, 0.3, 0.12, 0.05, 0.02, 0.01])
        ours = np.bincount(labels[held_out(np.arange(997), labels, share, seed)], minlength=6)
        ((_, test),) = StratifiedShuffleSplit(1, test_size=share, random_state=seed).split(labels, labels)
        theirs = np.bincount(labels[test], minlength=6)
        assert np.abs(ours - theirs).max() <= 1 and abs(ours.sum() - theirs.sum()) <= 1


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12)), min_size=1, max_size=80), SHARES, SEEDS)
def test_training_has_every_class_whatever_units_hold(rows, share, seed):
    labels, units = (numbered(x) for x in zip(*rows, strict=True))
    out = held_out(units, labels, share, seed)
    assert set(labels[~out]) == set(labels)
    for c in set(labels):
        if len(set(units[labels == c])) == 1:
            assert not out[labels == c].any()
    np.testing.assert_array_equal(out, held_out(units, labels, share, seed))


def patients(seed, n=40):
    """Of very different sizes, and mixed classes of which one is rare."""
    rng = np.random.default_rng(seed)
    units = np.repeat(np.arange(n), np.exp(rng.normal(3, 1, n)).astype(int) + 1)
    shares = rng.dirichlet([3, 1, 0.3], n)
    return units, numbered([rng.choice(3, p=shares[u]) for u in units])


def test_units_of_several_classes_are_spread_better_than_by_scikit_learn():
    ours, theirs, total = [], [], []
    for seed in range(15):
        units, labels = patients(seed)
        counts = np.bincount(labels)
        out = held_out(units, labels, 0.2, seed)
        fold = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
        test = next(fold.split(labels, labels, units))[1]
        ours.append(np.abs(np.bincount(labels[out], minlength=3) / counts - 0.2).mean())
        theirs.append(np.abs(np.bincount(labels[test], minlength=3) / counts - 0.2).mean())
        total.append(out.mean())
    assert np.mean(ours) < np.mean(theirs)
    assert 0.18 < np.mean(total) < 0.22 and np.std(total) < 0.03


@pytest.mark.parametrize("rows", [1, 30])
def test_of_many_classes_of_two_units_a_share_of_the_units_is_held_out(rows):
    """Each by itself has 0.4 units to be held out, which is none."""
    units = np.repeat(np.arange(200), rows)
    out = held_out(units, units // 2, 0.2, seed=0)
    assert abs(out.sum() / rows - 40) <= 1
    assert np.bincount((units // 2)[out]).max() == rows


def test_single_rows_make_up_for_what_larger_units_lack():
    units = np.r_[np.repeat(np.arange(3), 70), 3 + np.arange(300)]
    labels = np.zeros(510, int)
    assert {int(held_out(units, labels, 0.2, seed).sum()) for seed in range(30)} == {102}


def test_other_units_make_up_for_those_that_have_to_stay():
    """Of 100 units, 30 have a class of their own; of the other two classes there are 970 rows."""
    units = np.repeat(np.arange(100), 10)
    labels = np.arange(1000) % 2
    labels[:300:10] = 2 + np.arange(30)
    for seed in range(20):
        out = held_out(units, labels, 0.2, seed)
        assert not out[:300].any() and out.sum() in (190, 200)


def test_a_unit_that_has_to_stay_may_be_large():
    units = np.repeat(np.arange(71), np.r_[300, np.full(70, 10)])
    labels = np.where(units == 0, np.arange(1000) % 3, np.arange(1000) % 2)
    for seed in range(20):
        out = held_out(units, labels, 0.2, seed)
        assert np.bincount(labels[out], minlength=3).tolist() == [90, 90, 0] and not out[:300].any()


@pytest.mark.parametrize("mixed", [False, True])
def test_units_of_a_kind_are_held_out_equally_often(mixed):
    """1,000 draws, so the standard error is 0.015. Of four units of 20 rows one is nearest to their share, 1.2."""
    units = np.r_[np.arange(50), np.repeat(50 + np.arange(10), 5), np.repeat(60 + np.arange(4), 20)]
    labels = np.r_[np.zeros(100, int), np.ones(80, int)]
    units = units % 60 if mixed else units  # the four units of 20 rows have one of the other class, too
    often = np.mean([drawn(units, labels, 0.3, np.random.default_rng(seed)) for seed in range(1000)], 0)
    sizes = np.bincount(units)
    for size in set(sizes):
        assert np.ptp(often[sizes == size]) < 0.1
        assert abs(often[sizes == size].mean() - 0.3) < (0.015 if size < 20 else 0.06)


def test_another_seed_is_another_draw():
    labels = np.arange(100) % 2
    found = np.stack([held_out(np.arange(100), labels, 0.2, seed) for seed in range(20)])
    assert len(np.unique(found, axis=0)) == 20
    together = (found[:, None] & found[None]).sum(-1)[~np.eye(20, dtype=bool)]
    assert 2 < together.mean() < 6  # of 20 rows each, 4 by chance
