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

    The first i rows of a class come floor((i * aim + phase) / count) times in all, with a phase that is drawn anew for
    each epoch from 0 to count - 1; which rows of a window come once more often than the others is drawn, too. So each
    class has exactly its aim in every epoch, also where rows come in a stream a window at a time; each row comes
    aim / count times on average; and no two rows of a class differ by more than one in an epoch. This is systematic
    sampling.

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
        uniform = tf.random.stateless_uniform([len(self.counts)], epoch, dtype=tf.float64)
        phase = tf.cast(tf.floor(uniform * np.asarray(self.counts, np.float64)), tf.int64)
        rows = _shuffled(tf.range(tf.size(labels)), _folded(seed, 0))
        parts = tf.dynamic_partition(rows, tf.gather(labels, rows), len(self.counts))
        sizes = tf.stack([tf.size(part) for part in parts])
        first, last = (
            (seen * self.targets + phase) // np.maximum(self.counts, 1)
            for seen in (before, before + tf.cast(sizes, tf.int64))
        )
        lengths = tf.unstack(tf.cast(last - first, tf.int32))
        # In random order, the first ones come once more often than the others.
        drawn = [
            tf.gather(part, tf.range(n) % tf.maximum(tf.size(part), 1)) for part, n in zip(parts, lengths, strict=True)
        ]
        if not self.even:
            return _shuffled(tf.concat(drawn, 0), _folded(seed, 1))
        places = [(tf.cast(tf.range(n), tf.float64) + 0.5) / tf.cast(n, tf.float64) for n in lengths]
        return tf.gather(tf.concat(drawn, 0), tf.argsort(tf.concat(places, 0), stable=True))


def _folded(seed: tf.Tensor, i: int) -> tf.Tensor:
    return tf.random.experimental.stateless_fold_in(seed, i)


def _shuffled(rows: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    return tf.random.experimental.stateless_shuffle(rows, seed=seed)
