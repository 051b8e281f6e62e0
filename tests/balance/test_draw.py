"""Rows drawn by their class: exact counts in every epoch, however rows come, and each row as likely as the next."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from prepkit.balance.draw import Draw

CLASSES = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 90)), min_size=1, max_size=6)


def seed(*numbers: int) -> tf.Tensor:
    return tf.constant(numbers, tf.int64)


def traced(draw: Draw) -> Callable[..., tf.Tensor]:
    classes = len(draw.counts)
    shapes = [tf.TensorSpec([None], tf.int32), *[tf.TensorSpec([n], tf.int64) for n in (classes, 2, 2)]]
    return tf.function(draw.index, input_signature=shapes, autograph=False)


def epoch(
    draw: Draw, labels: np.ndarray, cuts: list[int], number: int = 0, index: Callable[..., tf.Tensor] | None = None
) -> np.ndarray:
    """The rows of an epoch, drawn a window at a time."""
    before, out = tf.constant(draw.nothing), []
    index = index or draw.index
    for i, rows in enumerate(np.split(np.arange(len(labels)), sorted(cuts))):
        window = tf.constant(labels[rows], tf.int32)
        out.append(rows[index(window, before, seed(7, number), seed(i, number)).numpy()])
        before = draw.seen(window, before)
    return np.concatenate(out)


@settings(deadline=None, max_examples=40)
@given(CLASSES, st.lists(st.integers(0, 200), max_size=4), st.booleans(), st.randoms(use_true_random=False))
def test_each_class_has_its_aim_in_every_epoch_however_rows_come_in_windows(classes, cuts, even, random):
    counts = tuple(n for n, _ in classes)
    targets = tuple(t if n else 0 for n, t in classes)
    labels = np.repeat(np.arange(len(counts)), counts)
    random.shuffle(labels)
    drawn = epoch(Draw(counts, targets, even), labels, [min(c, len(labels)) for c in cuts])
    assert tuple(np.bincount(labels[drawn], minlength=len(counts))) == targets
    times = np.bincount(drawn, minlength=len(labels))
    for i, (n, t) in enumerate(zip(counts, targets, strict=True)):
        if n:  # no row of a class comes twice as often as another, where it needs not
            assert set(times[labels == i]) <= {t // n, -(-t // n)}


def test_each_row_is_as_likely_as_the_next_one():
    labels = np.array([0] * 7 + [1] * 3)
    draw = Draw((7, 3), (4, 11))
    index, n = traced(draw), 800
    times = sum(np.bincount(epoch(draw, labels, [4], e, index), minlength=10) for e in range(n))
    expected = n * np.where(labels == 0, 4 / 7, 11 / 3)
    spread = n**0.5 * 0.5  # of a draw that is one or the other, at most
    assert np.abs(times - expected).max() < 4 * spread


def test_epochs_and_windows_differ_and_seeds_repeat():
    labels = np.zeros(50, np.int64)
    draw = Draw((50,), (20,))
    assert sorted(epoch(draw, labels, [], 0)) != sorted(epoch(draw, labels, [], 1))
    np.testing.assert_array_equal(epoch(draw, labels, [30], 2), epoch(draw, labels, [30], 2))


def test_periodic_data_are_not_drawn_by_their_period():
    """Every tenth row is special; drawing every tenth row by its place would take all of them or none."""
    draw, labels = Draw((1000,), (100,)), np.zeros(1000, np.int64)
    index = traced(draw)
    special = [int((epoch(draw, labels, [500], e, index) % 10 == 0).sum()) for e in range(60)]
    assert 8 < np.mean(special) < 12
    assert min(special) > 0 and max(special) < 40


@pytest.mark.parametrize("targets", [(60, 60, 60), (90, 30, 15)])
def test_batches_are_balanced_to_within_two_rows(targets):
    labels = np.repeat([0, 1, 2], [60, 20, 6])
    np.random.default_rng(0).shuffle(labels)
    drawn = labels[epoch(Draw((60, 20, 6), targets, even=True), labels, [])]
    share = np.array(targets) / sum(targets)
    for start in range(0, len(drawn) - 15, 15):
        batch = np.bincount(drawn[start : start + 15], minlength=3)
        assert np.abs(batch - 15 * share).max() < 2


def test_even_batches_do_not_have_copies_of_a_row_side_by_side():
    labels = np.repeat([0, 1], [400, 20])
    drawn = epoch(Draw((400, 20), (400, 400), even=True), labels, [])
    rare = drawn[labels[drawn] == 1]
    assert (rare[1:] == rare[:-1]).mean() < 0.2  # 20 copies of each: all but a twentieth, were they side by side


def test_many_rows_do_not_overflow():
    draw = Draw((3_000_000_000, 1), (3_000_000_000, 3_000_000_000))
    before = tf.constant([2_999_999_999, 0], tf.int64)
    index = draw.index(tf.constant([0]), before, seed(0, 0), seed(0, 0))
    assert index.numpy().tolist() == [0]


def test_it_runs_in_a_graph_of_any_number_of_rows():
    run = traced(Draw((3, 2), (3, 4)))
    before = tf.constant([0, 0], tf.int64)
    assert sorted(run(tf.constant([0, 1, 0, 1, 0]), before, seed(0, 0), seed(0, 0)).numpy()) == [0, 1, 1, 2, 3, 3, 4]
    assert run(tf.constant([], tf.int32), before, seed(0, 0), seed(0, 0)).shape == (0,)
