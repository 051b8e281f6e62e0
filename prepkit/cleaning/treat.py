"""Rows on their way into training, treated as it was decided: relabelled, weighted or left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from prepkit.cleaning.data import Decisions
from prepkit.cleaning.keys import Keys
from prepkit.graph import as_written
from prepkit.spec import LABEL, WEIGHT


class _Looked(NamedTuple):
    """What is looked up in the graph: the place of a key, and what is decided there."""

    places: Any  # a table from int64, the bits of a key, to int64, -1 where there is none
    classes: tf.Tensor
    weights: tf.Tensor


@dataclass(frozen=True)
class Treat:
    """Packed rows treated by decisions that find them by their key; rows without one pass as they are.

    Args:
        keys: by which the decisions were taken.
        decisions: each key once, or none at all, where all rows pass as they are.

    Example:
        >>> from prepkit.entry import Entry
        >>> from prepkit.spec import Column, Label, Spec
        >>> spec = Spec((Column("a", "numeric", "float32"),), Label("y", "string", ("no", "yes")))
        >>> rows = {"float32": np.array([[1.0], [2.0]], np.float32), LABEL: np.array([0, 0], np.int32)}
        >>> keys = Keys(Entry(spec, {}))
        >>> decisions = Decisions(keys.of(rows)[:1], np.array([1], np.int32), np.array([0.5], np.float32))
        >>> treated = Treat(keys, decisions).rows(rows)
        >>> treated[LABEL].tolist(), treated[WEIGHT].tolist()
        ([1, 0], [0.5, 1.0])
    """

    keys: Keys
    decisions: Decisions

    def __post_init__(self) -> None:
        d = self.decisions
        assert len(np.unique(d.keys)) == len(d.keys) == len(d.classes) == len(d.weights), "each key once"

    @property
    def weighted(self) -> bool:
        """Whether rows come out with weights that came in without: where a decision's is neither 0 nor 1."""
        return bool(((self.decisions.weights != 0) & (self.decisions.weights != 1)).any())

    @property
    def drops(self) -> bool:
        """Whether rows may be left out."""
        return bool((self.decisions.weights == 0).any())

    @as_written
    def __call__(self, packed: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """A batch of packed blocks (rows, ...) with class numbers int32 (rows,) in `LABEL`, treated.

        TensorFlow operations only: for `Dataset.map`.

        Returns:
            The same blocks of the rows that stay, with their classes, and float32 (rows,) weights in `WEIGHT`, if
            they had weights or `weighted`.
        """
        if not len(self.decisions):
            return dict(packed)
        changed, keep = self._decided(self.keys(packed), packed[LABEL], packed.get(WEIGHT))
        out = {**packed, **changed}
        return {name: tf.boolean_mask(x, keep) for name, x in out.items()} if self.drops else out

    def rows(self, packed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The same of numpy arrays, a piece at a time; arrays of which nothing changes are not copied."""
        if not len(self.decisions):
            return dict(packed)
        with tf.device("CPU:0"):
            weight = tf.constant(packed[WEIGHT]) if WEIGHT in packed else None
            keys = tf.constant(self.keys.of(packed))
            changed, keep = self._decided(keys, tf.constant(packed[LABEL]), weight)
        out = {**packed, **{name: x.numpy() for name, x in changed.items()}}
        stay = keep.numpy()
        return out if stay.all() else {name: x[stay] for name, x in out.items()}

    def _decided(
        self, keys: tf.Tensor, label: tf.Tensor, weight: tf.Tensor | None
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """The classes and weights of rows that have these keys, and whether each row stays, all (rows,)."""
        looked = self._looked
        place = looked.places.lookup(tf.bitcast(keys, tf.int64))
        found, place = place >= 0, tf.maximum(place, 0)
        factor = tf.where(found, tf.gather(looked.weights, place), 1.0)
        changed = {LABEL: tf.where(found, tf.gather(looked.classes, place), label)}
        if weight is not None or self.weighted:
            changed[WEIGHT] = factor if weight is None else weight * factor
        return changed, factor > 0

    @cached_property
    def _looked(self) -> _Looked:
        """Made outside of whatever graph is being traced."""
        with tf.init_scope(), tf.device("CPU:0"):
            keys = tf.constant(self.decisions.keys.view(np.int64))
            init = tf.lookup.KeyValueTensorInitializer(keys, tf.range(len(self.decisions), dtype=tf.int64))
            classes = tf.constant(self.decisions.classes, tf.int32)
            return _Looked(
                tf.lookup.StaticHashTable(init, -1), classes, tf.constant(self.decisions.weights, tf.float32)
            )
