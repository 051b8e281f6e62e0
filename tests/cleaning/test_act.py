"""What is done with doubted rows, against the same said row by row."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prepkit.cleaning.act import Limits, Treated, Treatment

ACTIONS = ("nothing", "weight", "drop", "relabel", "relabel and drop")


def case(n=60, classes=4, seed=0):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(classes, 0.4), n)
    labels = rng.integers(0, classes, n).astype(np.int32)
    return labels, probabilities, rng.random(n) < 0.5, rng.random(n) < 0.2


def one_by_one(treatment, labels, probabilities, flags, fixed):
    """The class and the weight of each row."""
    out = []
    for label, p, flag, stays in zip(labels.tolist(), probabilities.tolist(), flags, fixed, strict=True):
        best = p.index(max(p))
        doubted = not stays and (flag or (treatment.wide and best != label))
        sure = best != label and p[best] >= treatment.sure and p[best] - p[label] >= treatment.sure / 2
        if not doubted or treatment.action == "nothing":
            out.append((label, 1.0))
        elif treatment.action == "weight":
            out.append((label, p[label]))
        elif treatment.action == "drop":
            out.append((label, 0.0))
        elif sure:
            out.append((best, 1.0))
        else:
            out.append((label, 0.0 if treatment.action == "relabel and drop" else 1.0))
    return tuple(np.array(x) for x in zip(*out, strict=True))


@given(st.sampled_from(ACTIONS), st.booleans(), st.sampled_from([0.0, 0.3, 0.6, 0.9, 1.0]), st.integers(0, 2**32))
def test_rows_are_treated_as_one_by_one(action, wide, sure, seed):
    given_rows = case(seed=seed)
    before = [x.copy() for x in given_rows]
    treatment = Treatment(action, wide, sure)
    treated = treatment(*given_rows)
    classes, weights = one_by_one(treatment, *given_rows)
    np.testing.assert_array_equal(treated.classes, classes)
    np.testing.assert_allclose(treated.weights, weights, rtol=1e-6)
    assert treated.classes.dtype == np.int32 and treated.weights.dtype == np.float32
    labels, _, _, fixed = given_rows
    np.testing.assert_array_equal(treated.changed(labels), (classes != labels) | (weights != 1))
    assert not treated.changed(labels)[fixed].any()
    for x, y in zip(given_rows, before, strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_does_something_but_for_nothing(action):
    labels, probabilities, flags, fixed = case(200)
    changed = {
        wide: Treatment(action, wide, 0.6)(labels, probabilities, flags, fixed).changed(labels)
        for wide in (False, True)
    }
    if action == "nothing":
        assert not changed[True].any() and not changed[False].any()
        return
    assert 0 < changed[False].sum() < changed[True].sum()
    assert not changed[False][~flags].any() and changed[True][~flags].any()
    assert changed[True][changed[False]].all()


def test_a_row_is_relabelled_where_the_class_and_the_margin_are_sure():
    labels = np.zeros(5, np.int32)
    probabilities = np.array([[0.3, 0.7], [0.35, 0.65], [0.25, 0.75], [0.5, 0.5], [0.9, 0.1]])
    flags, fixed = np.ones(5, bool), np.zeros(5, bool)
    treated = Treatment("relabel and drop", sure=0.7)(labels, probabilities, flags, fixed)
    assert treated.classes.tolist() == [1, 0, 1, 0, 0]
    assert treated.weights.tolist() == [1, 0, 1, 0, 0]
    near = np.array([[0.34, 0.6, 0.06], [0.3, 0.6, 0.1]])  # the first is short of half of 0.6
    treated = Treatment("relabel", sure=0.6)(labels[:2], near, flags[:2], fixed[:2])
    assert treated.classes.tolist() == [0, 1] and treated.weights.tolist() == [1, 1]


def test_no_rows():
    labels, probabilities, flags, fixed = (x[:0] for x in case())
    for action in ACTIONS:
        treated = Treatment(action, wide=True)(labels, probabilities, flags, fixed)
        assert treated.classes.shape == treated.weights.shape == (0,)
        assert Limits(0.5, 20).kept_within(treated, labels, np.zeros(0), np.zeros(0, int)) is treated


@pytest.mark.parametrize(
    ("treatment", "said"),
    [
        (Treatment("nothing"), "nothing"),
        (Treatment("drop", wide=True), "all that disagree: drop"),
        (Treatment("relabel", sure=0.75), "relabel (sure from 0.75)"),
        (Treatment("relabel and drop", True, 0.9), "all that disagree: relabel and drop (sure from 0.9)"),
    ],
)
def test_treatments_say_what_they_do(treatment, said):
    assert str(treatment) == said


@pytest.mark.parametrize(
    ("max_share", "min_rows", "rows", "allowed"),
    [
        (0.5, 20, 100, 50),
        (0.5, 20, 30, 10),
        (0.5, 20, 20, 0),
        (0.5, 20, 3, 0),
        (0, 0, 9, 0),
        (1, 0, 9, 9),
        (0.5, 0, 9, 4),
    ],
)
def test_how_many_rows_of_a_class_may_be_changed(max_share, min_rows, rows, allowed):
    assert Limits(max_share, min_rows).allowed(rows) == allowed


@given(
    st.sampled_from(ACTIONS),
    st.floats(0, 1),
    st.integers(0, 30),
    st.integers(1, 120),
    st.integers(0, 2**32),
)
def test_of_a_class_with_too_many_changed_rows_the_most_doubted_are_changed(action, max_share, min_rows, sets, seed):
    """With rows that are the same in all: each of `sets` is there several times, as labels and quality are."""
    rng = np.random.default_rng(seed)
    same = np.unique(rng.integers(0, sets, 150), return_inverse=True)[1]
    labels, probabilities, flags, fixed = (x[same] for x in case(150, seed=seed))
    quality = rng.permutation(150)[same] / 150
    treated = Treatment(action, wide=True, sure=0.3)(labels, probabilities, flags, fixed)
    limits = Limits(max_share, min_rows)
    kept = limits.kept_within(treated, labels, quality, same)
    wanted, changed = treated.changed(labels), kept.changed(labels)
    assert kept.weights.dtype == np.float32 and kept.classes.dtype == labels.dtype
    np.testing.assert_array_equal(kept.classes[changed], treated.classes[changed])
    np.testing.assert_array_equal(kept.weights[changed], treated.weights[changed])
    assert not changed[~wanted].any()
    times = Counter(same.tolist())
    for c, n in Counter(labels.tolist()).items():
        budget = max(0, min(int(max_share * n + 1e-9), n - min_rows))
        expected = set()
        doubted = sorted({(quality[i], same[i]) for i in np.flatnonzero(wanted & (labels == c))})
        for _, s in doubted:  # whole sets, the worst first, until one does not fit
            if times[s] > budget:
                break
            budget -= times[s]
            expected.add(s)
        assert set(same[changed & (labels == c)].tolist()) == expected
        assert (changed & (labels == c)).sum() <= limits.allowed(n)


def test_within_the_limits_nothing_else_is_done():
    labels, probabilities, flags, fixed = case()
    treated = Treatment("drop")(labels, probabilities, flags, fixed)
    assert Limits(1.0, 0).kept_within(treated, labels, np.zeros(60), np.arange(60)) is treated
    stays = Limits(0.0, 0).kept_within(treated, labels, np.zeros(60), np.arange(60))
    np.testing.assert_array_equal(stays.classes, labels)
    np.testing.assert_array_equal(stays.weights, np.ones(60))
    assert not Treated(labels, np.ones(60, np.float32)).changed(labels).any()
