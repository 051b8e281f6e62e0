"""Whatever the labels and probabilities are, cleanlab is asked what it can answer. That it is: tests/parity."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import cleanlab.filter
import cleanlab.rank
import numpy as np
import pytest

from prepkit.cleaning import detect
from prepkit.cleaning.detect import FILTERS, RANKS, flagged, noise, quality


def a_case(n=2000, classes=5, share=0.2, sharpness=3.0, seed=0):
    rng = np.random.default_rng(seed)
    true = rng.integers(0, classes, n)
    logits = rng.normal(size=(n, classes))
    logits[np.arange(n), true] += sharpness
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    wrong = rng.random(n) < share
    return np.where(wrong, (true + rng.integers(1, classes, n)) % classes, true), probabilities, wrong


def test_the_methods_are_those_of_cleanlab():
    source = inspect.getsource(cleanlab.filter.find_label_issues)
    asserted = re.search(r"assert filter_by in \[(.*?)\]", source, re.DOTALL).group(1)
    assert set(re.findall(r'"(\w+)"', asserted)) == set(FILTERS)
    source = inspect.getsource(cleanlab.rank._compute_label_quality_scores)
    assert set(re.findall(r'"(\w+)": get_', source)) == set(RANKS)


@pytest.mark.parametrize("filter_by", FILTERS)
@pytest.mark.parametrize("batched_above", [0, detect.BATCHED])
def test_wrong_labels_are_found(filter_by, batched_above):
    labels, probabilities, wrong = a_case()
    rows, approximate = flagged(labels, probabilities, filter_by, batched_above=batched_above)
    assert rows[wrong].mean() > 0.6 and wrong[rows].mean() > 0.75
    assert approximate == (batched_above == 0)


def test_the_batched_form_flags_fewer_rows_and_mostly_the_same():
    labels, probabilities, _ = a_case()
    exact = flagged(labels, probabilities, "prune_by_noise_rate").rows
    batched = flagged(labels, probabilities, "prune_by_noise_rate", batched_above=9_999).rows
    assert 0.7 < batched.sum() / exact.sum() < 1
    assert exact[batched].mean() > 0.95
    np.testing.assert_array_equal(
        flagged(labels, probabilities, "prune_by_noise_rate", batched_above=10_000).rows, exact
    )


def test_the_size_counts_classes_that_have_rows():
    labels, probabilities, _ = a_case(classes=3)
    wide = np.concatenate([probabilities, np.zeros((2000, 100))], axis=1)
    assert not flagged(labels, wide, "both", batched_above=6000).approximate
    assert flagged(labels, wide, "both", batched_above=5999).approximate


@pytest.mark.parametrize("filter_by", FILTERS)
@pytest.mark.parametrize("batched_above", [0, detect.BATCHED])
def test_of_one_class_or_no_rows_nothing_is_flagged(filter_by, batched_above):
    for labels, probabilities in (
        (np.full(3, 1), np.array([[0.9, 0.1, 0.0]] * 3)),
        (np.zeros(2, int), np.ones((2, 1))),
        (np.zeros(0, int), np.ones((0, 3))),
    ):
        rows, approximate = flagged(labels, probabilities, filter_by, batched_above=batched_above)
        assert rows.shape == labels.shape and rows.dtype == bool
        assert not rows.any() and not approximate


@pytest.mark.parametrize("rank", RANKS)
def test_of_one_class_or_no_rows_every_label_is_good(rank):
    np.testing.assert_array_equal(quality(np.full(3, 1), np.array([[0.9, 0.1]] * 3), rank), np.ones(3))
    assert quality(np.zeros(0, int), np.ones((0, 3)), rank).shape == (0,)


def test_of_one_class_or_no_rows_no_label_is_wrong():
    for labels in (np.full(3, 1), np.zeros(0, int)):
        found = noise(labels, np.full((len(labels), 3), 1 / 3), seed=0)
        np.testing.assert_array_equal(found.matrix, np.eye(3))
        assert (found.rate, found.interval) == (0.0, (0.0, 0.0))


@pytest.mark.parametrize("labels", [[0, 1], [1, 0], [0, 2], [2, 1]])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_two_rows(labels, dtype):
    labels = np.array(labels, np.int32)
    probabilities = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1]], dtype)
    for filter_by in FILTERS:
        for above in (0, detect.BATCHED):
            assert flagged(labels, probabilities, filter_by, batched_above=above).rows.shape == (2,)
    for rank in RANKS:
        assert np.isfinite(quality(labels, probabilities, rank)).all()
    found = noise(labels, probabilities, seed=0)
    np.testing.assert_allclose(found.matrix.sum(axis=0), 1)
    assert 0 <= found.interval[0] <= found.rate <= found.interval[1] <= 1


def test_a_thousand_classes_of_two_rows_or_none():
    labels, probabilities, _ = a_case(n=1000, classes=1000, sharpness=8.0)
    probabilities = probabilities.astype(np.float32)
    assert 500 < len(np.unique(labels)) < 1000
    for filter_by in ("prune_by_noise_rate", "both", "low_normalized_margin"):
        rows, _ = flagged(labels, probabilities, filter_by)
        assert rows.shape == (1000,)
    found = noise(labels, probabilities, seed=0)
    assert found.matrix.shape == (1000, 1000)
    np.testing.assert_allclose(found.matrix.sum(axis=0), 1)
    assert 0 <= found.interval[0] <= found.rate <= found.interval[1] <= 1


def test_probability_on_classes_without_a_row_is_shared_out():
    labels = np.array([0, 1, 0, 1])
    probabilities = np.array([[0.45, 0.05, 0.5], [0.05, 0.15, 0.8], [0.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    np.testing.assert_allclose(quality(labels, probabilities, "self_confidence"), [0.9, 0.75, 0.5, 0.5])
    assert not flagged(labels, probabilities, "predicted_neq_given").rows.any()


def test_two_classes_that_are_swapped_are_all_noise():
    true = np.arange(200) % 2
    probabilities = np.where(true[:, None] == [0, 1], 0.9, 0.1)
    found = noise(1 - true, probabilities, seed=0)
    assert found.rate > 0.95
    assert found.matrix[0, 1] > 0.95 and found.matrix[1, 0] > 0.95


def test_a_class_that_no_row_is_found_to_belong_to_has_an_identity_column():
    found = noise(np.array([0, 1, 1]), np.array([[0.1, 0.9]] * 3), seed=0)
    np.testing.assert_array_equal(found.matrix[:, 0], [1, 0])
    np.testing.assert_allclose(found.matrix.sum(axis=0), 1)


def test_what_is_given_is_left_alone():
    labels, probabilities, _ = a_case(classes=3)
    wide = np.concatenate([probabilities * 0.9, np.full((2000, 1), 0.1)], axis=1)
    before = labels.copy(), wide.copy()
    flagged(labels, wide, "both")
    flagged(labels, wide, "both", batched_above=0)
    quality(labels, wide, "normalized_margin")
    noise(labels, wide, seed=0)
    np.testing.assert_array_equal(labels, before[0])
    np.testing.assert_array_equal(wide, before[1])


@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("rows", [None, 7])
def test_pieces_do_not_matter(rank, rows, monkeypatch):
    labels, probabilities, _ = a_case(n=100)
    whole = quality(labels, probabilities, rank), flagged(labels, probabilities, "both", batched_above=0).rows
    monkeypatch.setattr(detect, "PIECE", 1 if rows is None else rows * 5)
    np.testing.assert_array_equal(quality(labels, probabilities, rank), whole[0])
    np.testing.assert_array_equal(flagged(labels, probabilities, "both", batched_above=0).rows, whole[1])


def test_the_interval_holds_the_rate_as_often_as_it_should():
    cases = [a_case(n=500, classes=3, share=0.2, sharpness=2.0, seed=seed) for seed in range(60)]
    found = [noise(labels, probabilities, seed=0) for labels, probabilities, _ in cases]
    expected = np.mean([f.rate for f in found])
    held = [f.interval[0] <= expected <= f.interval[1] for f in found]
    assert 0.88 <= np.mean(held) <= 0.99
    assert 0.02 < np.mean([f.interval[1] - f.interval[0] for f in found]) < 0.15


def test_the_interval_is_that_of_all_rows_where_only_some_are_resampled(monkeypatch):
    labels, probabilities, _ = a_case(n=8000)
    low, high = noise(labels, probabilities, seed=0).interval
    monkeypatch.setattr(detect, "ROWS", 2000)
    fewer = noise(labels, probabilities, seed=0).interval
    assert fewer != (low, high)
    assert fewer[1] - fewer[0] == pytest.approx(high - low, rel=0.25)


def test_the_interval_shrinks_with_the_rows_and_depends_on_the_seed_alone():
    widths = []
    for n in (500, 8000):
        labels, probabilities, _ = a_case(n=n)
        low, high = noise(labels, probabilities, seed=1).interval
        assert (low, high) == noise(labels, probabilities, seed=1).interval
        assert (low, high) != noise(labels, probabilities, seed=2).interval
        widths.append(high - low)
    assert widths[1] == pytest.approx(widths[0] / 4, rel=0.4)


def test_clean_labels_have_no_noise():
    labels, probabilities, _ = a_case(share=0.0, sharpness=12.0)
    found = noise(labels, probabilities, seed=0)
    np.testing.assert_array_equal(found.matrix, np.eye(5))
    assert (found.rate, found.interval) == (0.0, (0.0, 0.0))


def test_cleanlab_holds_no_copy_of_the_probabilities_afterwards():
    labels, probabilities, _ = a_case()
    flagged(labels, probabilities, "prune_by_class")
    assert not hasattr(cleanlab.filter, "pred_probs_by_class")


def test_several_threads_do_not_mix_up_their_rows():
    cases = [a_case(seed=seed, classes=3 + seed)[:2] for seed in range(6)]
    alone = [flagged(*case, "prune_by_noise_rate").rows for case in cases]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda case: flagged(*case, "prune_by_noise_rate").rows, cases * 5))
    for i, rows in enumerate(together):
        np.testing.assert_array_equal(rows, alone[i % 6])


def test_what_only_we_can_get_wrong():
    labels, probabilities = np.array([0, 1]), np.full((2, 2), 0.5)
    with pytest.raises(AssertionError, match="some_filter"):
        flagged(labels, probabilities, "some_filter")
    with pytest.raises(AssertionError, match="some_rank"):
        quality(labels, probabilities, "some_rank")
    for of in (lambda *a: flagged(*a, "both"), lambda *a: quality(*a, "self_confidence"), lambda *a: noise(*a, seed=0)):
        with pytest.raises(AssertionError, match="not finite"):
            of(labels, np.array([[0.5, 0.5], [np.nan, 0.5]]))
        with pytest.raises(AssertionError, match="class number 2 of 2"):
            of(np.array([0, 2]), probabilities)
        with pytest.raises(AssertionError):
            of(np.array([0, 1, 1]), probabilities)


def test_cleanlab_is_imported_when_it_is_needed():
    program = "import sys, prepkit.cleaning.detect; print('cleanlab' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
