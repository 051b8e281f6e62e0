"""Flags, scores and noise are those of cleanlab, called directly on the same labels and probabilities."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from cleanlab.count import compute_confident_joint, estimate_joint, estimate_py_and_noise_matrices_from_probabilities
from cleanlab.experimental.label_issues_batched import find_label_issues_batched
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from hypothesis import given
from hypothesis import strategies as st

from prepkit.cleaning import detect

DTYPES = st.sampled_from([np.float32, np.float64])


@st.composite
def noisy(draw):
    """Labels of which some are wrong, and probabilities of a model that has more or less found the true ones."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, classes = draw(st.integers(20, 300)), draw(st.integers(2, 8))
    sharpness, share = draw(st.floats(0, 4)), draw(st.floats(0, 0.5))
    true = np.concatenate([np.arange(classes), rng.integers(0, classes, n - classes)])  # a row of each, at least
    logits = rng.normal(size=(n, classes))
    logits[np.arange(n), true] += sharpness
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    wrong = rng.random(n) < share
    wrong[:classes] = False
    labels = np.where(wrong, (true + rng.integers(1, classes, n)) % classes, true)
    return labels.astype(np.int32), probabilities.astype(draw(DTYPES))


def directly(labels, probabilities, filter_by):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="May not flag all label issues")
        return find_label_issues(labels, probabilities, filter_by=filter_by, n_jobs=1)


def with_absent(labels, probabilities, rng):
    """The same among classes without a row, which take some of each row's probability."""
    classes = probabilities.shape[1]
    places = np.sort(rng.choice(2 * classes, classes, replace=False))
    wide = rng.dirichlet(np.ones(2 * classes), len(labels)).astype(probabilities.dtype)
    wide[:, places] = probabilities
    wide /= wide.sum(axis=1, keepdims=True)
    return places[labels], wide, places, wide[:, places] / wide[:, places].sum(axis=1, keepdims=True)


@pytest.mark.parametrize("filter_by", detect.FILTERS)
@given(noisy())
def test_flags(filter_by, case):
    rows, approximate = detect.flagged(*case, filter_by)
    np.testing.assert_array_equal(rows, directly(*case, filter_by))
    assert rows.dtype == bool and not approximate


@pytest.mark.parametrize("filter_by", detect.FILTERS)
@given(noisy(), st.integers(0, 99))
def test_flags_where_classes_have_no_row(filter_by, case, seed):
    labels, wide, _, reduced = with_absent(*case, np.random.default_rng(seed))
    rows, _ = detect.flagged(labels, wide, filter_by)
    np.testing.assert_array_equal(rows, directly(case[0], reduced, filter_by))


@pytest.mark.parametrize("rank", detect.RANKS)
@given(noisy(), st.integers(0, 99))
def test_quality(rank, case, seed):
    theirs = get_label_quality_scores(*case, method=rank)
    ours = detect.quality(*case, rank)
    np.testing.assert_array_equal(ours, theirs)
    assert ours.dtype == np.float64
    labels, wide, _, reduced = with_absent(*case, np.random.default_rng(seed))
    theirs = get_label_quality_scores(case[0], reduced, method=rank)
    np.testing.assert_array_equal(detect.quality(labels, wide, rank), theirs)


@pytest.mark.parametrize(
    "filter_by, rank", [("low_self_confidence", None), ("low_normalized_margin", "normalized_margin")]
)
@given(case=noisy())
def test_flags_of_the_batched_form(filter_by, rank, case):
    rows, approximate = detect.flagged(*case, filter_by, batched_above=0)
    options = {} if rank is None else {"quality_score_kwargs": {"method": rank}}
    theirs = find_label_issues_batched(*case, verbose=False, return_mask=True, **options)
    np.testing.assert_array_equal(rows, theirs)
    assert approximate


@given(noisy(), st.integers(0, 99))
def test_noise(case, seed):
    labels, probabilities = case
    theirs = estimate_py_and_noise_matrices_from_probabilities(*case)[1]
    theirs[:, theirs.sum(axis=0) == 0] = np.eye(len(theirs))[:, theirs.sum(axis=0) == 0]
    ours = detect.noise(*case, seed=seed)
    np.testing.assert_array_equal(ours.matrix, theirs)
    assert ours.rate == pytest.approx(1 - np.trace(estimate_joint(labels, probabilities)), abs=1e-12)

    labels, wide, places, reduced = with_absent(*case, np.random.default_rng(seed))
    theirs = detect.noise(case[0], reduced, seed=seed)
    ours = detect.noise(labels, wide, seed=seed)
    np.testing.assert_array_equal(ours.matrix[np.ix_(places, places)], theirs.matrix)
    absent = np.setdiff1d(np.arange(wide.shape[1]), places)
    np.testing.assert_array_equal(ours.matrix[:, absent], np.eye(wide.shape[1])[:, absent])
    assert (ours.rate, ours.interval) == (theirs.rate, theirs.interval)


@given(noisy(), st.integers(0, 99))
def test_a_resample_has_the_rate_that_cleanlab_gives_its_rows(case, seed):
    labels, probabilities = case
    n, classes = probabilities.shape
    times = np.bincount(np.random.default_rng(seed).integers(0, n, n), minlength=n)
    rows = np.repeat(np.arange(n), times)
    joint = compute_confident_joint(labels[rows], probabilities[rows], calibrate=False)
    sizes = np.bincount(labels[rows], minlength=classes)
    theirs = 1 - (sizes / n * np.diagonal(joint) / joint.sum(axis=1)).sum()
    assert detect._Rows.of(labels, probabilities).rate(times) == pytest.approx(theirs, abs=1e-12)


def test_a_label_that_is_all_but_the_most_probable_class_is_not_flagged():
    labels = np.array([0] * 5 + [1] * 5)
    probabilities = np.array([[0.4999999, 0.5000001]] * 5 + [[0.6, 0.4]] * 5)
    theirs = find_label_issues_batched(labels, probabilities, verbose=False, return_mask=True)
    np.testing.assert_array_equal(theirs, labels == 1)
    np.testing.assert_array_equal(detect.flagged(labels, probabilities, "both", batched_above=0).rows, theirs)
