"""Rows of each class are those of imbalanced-learn's random samplers, and what these refuse is refused."""

from __future__ import annotations

import warnings
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from imblearn.utils import check_sampling_strategy

import prepkit as pk
from prepkit.balance.targets import targets

COUNTS = st.lists(st.integers(1, 60), min_size=2, max_size=5)
KINDS = st.sampled_from(["oversample", "undersample"])
STRATEGIES = ("auto", "minority", "majority", "not minority", "not majority", "all")
SUMMED = {"oversample": "over-sampling", "undersample": "under-sampling"}


def names_of(counts):
    return tuple(str(i) for i in range(len(counts)))


def ours(kind, counts, strategy):
    return targets(pk.Rebalance(kind, sampling_strategy=strategy), counts, names_of(counts))


def theirs(kind, counts, strategy):
    """Rows of each class behind a random sampler: those it adds, or those it leaves."""
    y = np.repeat(np.arange(len(counts)), counts)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="After over-sampling, the number of samples")
        found = check_sampling_strategy(strategy, y, SUMMED[kind])
    over = kind == "oversample"
    return tuple(n + found.get(i, 0) if over else found.get(i, n) for i, n in enumerate(counts))


def refused(function, *args):
    try:
        return None, function(*args)
    except ValueError as error:
        return error, None


@given(KINDS, COUNTS, st.sampled_from(STRATEGIES))
@example("oversample", [5, 5, 2, 2], "not majority")
@example("oversample", [5, 5, 2, 2], "minority")
@example("undersample", [5, 5, 2, 2], "majority")
def test_words(kind, counts, strategy):
    their_error, their_rows = refused(theirs, kind, counts, strategy)
    our_error, our_rows = refused(ours, kind, counts, strategy)
    assert (our_error is None) == (their_error is None)
    assert our_rows == their_rows
    if strategy == "auto":
        assert ours(kind, counts, "balanced") == our_rows


@given(KINDS, COUNTS.filter(lambda c: len(c) == 2), st.floats(1e-9, 1))
@example("oversample", [10, 5], 0.5)
@example("undersample", [10, 5], 0.5)
@example("oversample", [10, 5], 0.55)  # half a row, so none
@example("undersample", [10, 5], 0.49)
@example("oversample", [7, 7], 1.0)
@example("undersample", [7, 7], 1.0)
@example("oversample", [100, 7], 0.29)  # 100 * 0.29 is just below 29
def test_ratios_of_two_classes(kind, counts, ratio):
    their_error, their_rows = refused(theirs, kind, counts, ratio)
    our_error, our_rows = refused(ours, kind, counts, ratio)
    assert (our_error is None) == (their_error is None)
    assert our_rows == their_rows
    assert our_error is None or isinstance(our_error, pk.PrepkitError)


@pytest.mark.parametrize("ratio", [np.float32(0.5), np.float64(0.5), Fraction(1, 2)])
def test_a_ratio_may_be_any_number(ratio):
    assert ours("oversample", (10, 3), ratio) == (10, 5)
    assert ours("oversample", (10, 3), 1) == (10, 10)


def test_a_ratio_next_to_nothing():
    with pytest.raises(pk.PrepkitError, match="so that undersample would have to make rows"):
        ours("undersample", (10, 8), 5e-324)


@given(KINDS, COUNTS, st.floats(0.01, 1))
def test_ratios_of_more_classes_go_by_the_largest_and_the_smallest(kind, counts, ratio):
    error, rows = refused(ours, kind, counts, ratio)
    assume(error is None)
    if kind == "oversample":
        assert rows == tuple(max(n, int(max(counts) * ratio)) for n in counts)
    else:
        assert rows == tuple(min(n, int(min(counts) / ratio)) for n in counts)


@given(KINDS, COUNTS, st.dictionaries(st.integers(0, 5), st.integers(1, 80), min_size=1, max_size=4))
def test_rows_by_class(kind, counts, asked):
    their_error, their_rows = refused(theirs, kind, counts, asked)
    our_error, our_rows = refused(ours, kind, counts, asked)
    assert (our_error is None) == (their_error is None)
    assert our_rows == their_rows
    assert our_error is None or isinstance(our_error, pk.PrepkitError)


@given(KINDS, COUNTS, st.sampled_from(STRATEGIES), st.integers(0, 5))
def test_classes_without_rows_stay_so(kind, counts, strategy, place):
    error, rows = refused(ours, kind, counts, strategy)
    assume(error is None)
    place = min(place, len(counts))
    wider = ours(kind, [*counts[:place], 0, *counts[place:]], strategy)
    assert wider == (*rows[:place], 0, *rows[place:])
    assert all(type(n) is int for n in wider)


@pytest.mark.parametrize("kind", SUMMED)
def test_a_single_class_and_none_stay_as_they_are(kind):
    assert ours(kind, (0, 7), "auto") == (0, 7)
    assert ours(kind, (0, 0), "auto") == (0, 0)


@pytest.mark.parametrize(
    "kind, counts, strategy, message",
    [
        ("oversample", (10, 8), 0.5, "0.5, but the smallest class is 0.8 of the largest already, so that oversample "
                                     "would have to take rows away: give a ratio above 0.8, or leave the stage out."),
        ("undersample", (10, 8), 0.5, "so that undersample would have to make rows: give a ratio above 0.8"),
        ("oversample", (10, 0), {1: 5}, "class '1' has no training rows"),
        ("oversample", (10, 5), {2: 5}, "names the class '2', which does not exist: there are '0', '1'"),
        ("oversample", (10, 5), {1: 4}, "asks for 4 rows of class '1', which has 5: oversample needs at least that"),
        ("undersample", (10, 5), {1: 6}, "asks for 6 rows of class '1', which has 5: undersample needs at most that"),
    ],
)  # fmt: skip
def test_errors(kind, counts, strategy, message):
    with pytest.raises(pk.PrepkitError, match=f"^Rebalance: (sampling_strategy[= ])?.*{message}"):
        ours(kind, counts, strategy)
