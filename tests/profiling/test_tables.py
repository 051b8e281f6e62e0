"""Tables of counts: leave-one-out in closed form is what leaving each row out gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats.contingency import association

from prepkit.profiling.describe import distinct_numbers
from prepkit.profiling.tables import SMOOTHING, Levels, cramers_v, cross, levels, nearest, prediction, told_apart
from prepkit.scan import Coded

ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=2, max_size=40)


def table_of(rows):
    a, b = np.array(rows).T
    return cross(Levels(a, 4), b, 3), a, b


@given(ROWS)
def test_each_row_is_judged_by_the_others(rows):
    table, a, b = table_of(rows)
    share = np.bincount(b, minlength=3) / len(b)
    losses, wrong = [], 0
    for i in range(len(a)):
        others = (np.arange(len(a)) != i) & (a == a[i])
        counts = np.bincount(b[others], minlength=3)
        losses.append(-np.log((counts[b[i]] + SMOOTHING * share[b[i]]) / (others.sum() + SMOOTHING)))
        wrong += counts[b[i]] <= np.delete(counts, b[i]).max()  # a tie is no answer
    found = prediction(table)
    entropy = -(share[share > 0] * np.log(share[share > 0])).sum()
    assert found.gain == pytest.approx(1 - np.mean(losses) / entropy if entropy > 0 else 0.0)
    assert found.error == pytest.approx(wrong / len(a))
    assert found.least_error == pytest.approx(1 - share.max())


@given(ROWS, st.integers(0, 2))
def test_one_class_against_the_others(rows, k):
    table, a, b = table_of(rows)
    wrong = 0
    for i in range(len(a)):
        others = (np.arange(len(a)) != i) & (a == a[i])
        yes = (b[others] == k).sum()
        wrong += (yes > others.sum() - yes) != (b[i] == k)
    least = min((b == k).sum(), (b != k).sum())
    assert told_apart(table, k) == pytest.approx(1 - wrong / least if least else 0.0)


@given(ROWS)
def test_cramers_v_is_that_of_scipy(rows):
    table, _, _ = table_of(rows)
    used = table[table.sum(1) > 0][:, table.sum(0) > 0]
    expected = association(used, method="cramer") if min(used.shape) > 1 else 0.0
    assert cramers_v(table)[0] == pytest.approx(expected)


def test_chance_is_seldom_more_than_a_few_deviations_above_itself():
    rng = np.random.default_rng(0)
    above = [cramers_v(cross(Levels(rng.integers(0, 6, 500), 6), rng.integers(0, 3, 500), 3))[1] for _ in range(400)]
    assert abs(np.mean(above)) < 0.2 and 0.8 < np.std(above) < 1.2 and max(above) < 4.5


@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(-1, 2)), min_size=2, max_size=30, unique_by=lambda r: r[0]))
def test_the_class_of_the_nearest_number(rows):
    x, y = np.array(rows, float).T
    x = np.where(x == 0, np.nan, x + 1e-3 * x**2)  # distances differ
    known = [(a, b) for a, b in zip(x, y, strict=True) if np.isfinite(a) and b >= 0]
    wrong = 0
    for i, (a, b) in enumerate(known):
        others = [other for j, other in enumerate(known) if j != i]
        wrong += bool(others) and min(others, key=lambda o: abs(o[0] - a))[1] != b
    expected = wrong / len(known) if len(known) > 1 else 1.0
    assert nearest(x, y.astype(np.int64)) == pytest.approx(expected)


def test_an_identifier_tells_nothing_and_a_copy_all():
    classes = np.random.default_rng(0).integers(0, 2, 500)
    assert prediction(cross(Levels(np.arange(500), 500), classes, 2)).gain == pytest.approx(0.0, abs=1e-9)
    assert prediction(cross(Levels(classes, 2), classes, 2)).saved == 1.0
    assert prediction(np.zeros((3, 2), np.int64)).gain == 0.0
    assert prediction(np.array([[5], [5]])).saved == 0.0


def test_levels_of_words_and_numbers():
    words = levels(Coded(np.array([0, -1, 1], np.int32), ["a", "b"]), None)
    assert (words.codes.tolist(), words.n) == ([1, 0, 2], 3)
    few = np.array([2.0, np.nan, -1.0, 2.0, np.inf])
    found = levels(few, distinct_numbers(few))
    assert (found.codes.tolist(), found.n) == ([2, 0, 1, 2, 0], 3)
    many = np.arange(1000.0)
    found = levels(many, distinct_numbers(many), 10)
    assert np.bincount(found.codes, minlength=11).tolist() == [0] + [100] * 10
    empty = np.array([np.nan, np.nan])
    assert levels(empty, distinct_numbers(empty)).codes.tolist() == [0, 0]
