"""Which rows an epoch has, and how often each, where classes are resampled: as indices, never as copies of rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import tensorflow as tf

from prepkit.graph import as_written


@dataclass(frozen=True)
class Draw:
    """Rows repeated or left out so that each class has its aim, other ones in each epoch.

    Row i of a class, in random order, comes floor(((i + 1) * aim + phase) / count) - floor((i * aim + phase) / count)
    times, its phase drawn anew for each epoch from 0 to count - 1. So each class has exactly its aim in every epoch,
    also where rows come in a stream a window at a time; each row comes aim / count times on average; and no two rows
    of a class differ by more than one in an epoch. This is systematic sampling.

    Args:
        counts: rows of each class that come in.
        targets: rows of each class that go out.
        even: whether the classes are spread evenly, so that each batch has them in the same shares, rather than at
            random.

    Example:
        >>> draw = Draw((4, 1), (4, 3))
        >>> labels = tf.constant([0, 0, 1, 0, 0])
        >>> index = draw.index(labels, draw.nothing, tf.constant([0, 0], tf.int64), tf.constant([0, 0], tf.int64))
        >>> sorted(index.numpy().tolist())
        [0, 1, 2, 2, 2, 3, 4]

    Source: Madow 1949 (doi:10.1214/aoms/1177729988), on systematic sampling with unequal probabilities.
    """

    counts: tuple[int, ...]
    targets: tuple[int, ...]
    even: bool = False

    def __post_init__(self) -> None:
        assert len(self.counts) == len(self.targets), "an aim for each class"
        assert all(n or not t for n, t in zip(self.counts, self.targets, strict=True)), "rows to draw from"

    @property
    def total(self) -> int:
        """Rows of an epoch."""
        return sum(self.targets)

    @cached_property
    def nothing(self) -> np.ndarray:
        """How many rows of each class have been seen before the first: int64 (classes,)."""
        return np.zeros(len(self.counts), np.int64)

    @as_written
    def seen(self, labels: tf.Tensor, before: tf.Tensor) -> tf.Tensor:
        """The same behind a window of class numbers int32 (rows,)."""
        return before + tf.math.bincount(labels, minlength=len(self.counts), maxlength=len(self.counts), dtype=tf.int64)

    @as_written
    def index(self, labels: tf.Tensor, before: tf.Tensor, epoch: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """The places in a window that go out, with repetition and in the order in which they go: int32 (n,).

        TensorFlow operations only.

        Args:
            labels: int32 (rows,) class numbers of the window.
            before: int64 (classes,) rows of each class in the windows before.
            epoch: int64 (2,), a seed that is the same for all windows of an epoch.
            seed: int64 (2,), another one for each window.
        """
        n = len(self.counts)
        counts, targets = tf.constant(self.counts, tf.int64), tf.constant(self.targets, tf.int64)
        uniform = tf.random.stateless_uniform([n], epoch, dtype=tf.float64)
        phase = tf.cast(tf.floor(uniform * tf.cast(counts, tf.float64)), tf.int64)
        order, sizes = self._by_class(labels, tf.range(tf.size(labels)), _folded(seed, 0))
        label = tf.repeat(tf.range(n), sizes)
        starts = tf.cast(tf.cumsum(sizes, exclusive=True), tf.int64)
        place = tf.range(tf.size(labels, tf.int64)) + tf.gather(before - starts, label)
        count, target, phase = (tf.gather(x, label) for x in (tf.maximum(counts, 1), targets, phase))
        copies = ((place + 1) * target + phase) // count - (place * target + phase) // count
        drawn = tf.repeat(order, copies)
        return self._spread(labels, drawn, seed) if self.even else _shuffled(drawn, _folded(seed, 1))

    def _by_class(self, labels: tf.Tensor, rows: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Rows in random order, those of one class side by side, and how many each class has."""
        rows = _shuffled(rows, seed)
        parts = tf.dynamic_partition(rows, tf.gather(labels, rows), len(self.counts))
        return tf.concat(parts, 0), tf.stack([tf.size(part) for part in parts])

    def _spread(self, labels: tf.Tensor, drawn: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Each class at equal distances, in random order."""
        order, sizes = self._by_class(labels, drawn, _folded(seed, 1))
        starts, widths = (tf.repeat(x, sizes) for x in (tf.cumsum(sizes, exclusive=True), sizes))
        at = (tf.cast(tf.range(tf.size(order)) - starts, tf.float64) + 0.5) / tf.cast(widths, tf.float64)
        return tf.gather(order, tf.argsort(at, stable=True))


def _folded(seed: tf.Tensor, i: int) -> tf.Tensor:
    return tf.random.experimental.stateless_fold_in(seed, i)


def _shuffled(rows: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    return tf.random.experimental.stateless_shuffle(rows, seed=seed)
