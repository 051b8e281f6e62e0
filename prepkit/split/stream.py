"""Rows of a stream that are held out, by a hash of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf

from prepkit.errors import PrepkitError
from prepkit.graph import as_written
from prepkit.labels import MISSING, NO_CLASS, LabelEncoder
from prepkit.scan.duplicates import mixed
from prepkit.source import RawChunk, Source
from prepkit.source.dataset import TensorDataset
from prepkit.split.units import Units, labels_of


@dataclass(frozen=True)
class Lot:
    """Which rows of a stream are held out: those whose key, times an odd number that the seed gives, is small."""

    units: Units
    share: float
    seed: int

    @property
    def _factor(self) -> np.uint64:
        return np.uint64(mixed(np.array([self.seed], np.uint64))[0] | np.uint64(1))

    @property
    def _limit(self) -> np.uint64:
        return np.uint64(min(int(self.share * 2**64), 2**64 - 1))

    def held_out(self, chunk: RawChunk) -> np.ndarray:
        """Bool (rows,)."""
        return self.chosen(chunk, self.units.of(chunk)[1])

    def chosen(self, chunk: RawChunk, keys: np.ndarray) -> np.ndarray:
        """The same, of keys that are known."""
        return np.asarray((keys * self._factor < self._limit) & (labels_of(chunk, self.units.raw).codes >= 0))

    def in_graph(self, x: Any, y: tf.Tensor) -> tf.Tensor:
        """The same of a batch of features and labels."""
        return (self.units.in_graph(x) * self._factor < self._limit) & ~self._unlabelled(y)

    @cached_property
    def _unlabelled(self) -> Callable[[tf.Tensor], tf.Tensor]:
        """Which labels are missing, when classes are not known yet: what is none is looked up instead."""
        label = self.units.raw.label
        assert label is not None
        if label.form == "one_hot":
            classes = LabelEncoder(label)
            return lambda y: classes(y, strict=False) < 0
        none = tuple(sorted(MISSING)) if label.form == "string" else (int(NO_CLASS),)
        missing = LabelEncoder(replace(label, classes=none))
        return lambda y: missing(y, strict=False) >= 0


def masked(source: TensorDataset, lot: Lot, name: str, validation: bool = False) -> TensorDataset:
    """One part of a dataset, in batches of whatever length, named for messages."""

    @as_written
    def some(*element: Any) -> Any:
        whole = element if len(element) > 1 else element[0]
        x, y, _ = source.separate(whole)
        keep = lot.in_graph(x, y)
        rows = tf.where(keep if validation else ~keep)[:, 0]
        return tf.nest.map_structure(lambda tensor: tf.gather(tensor, rows), whole)

    dataset = source.dataset.map(some, num_parallel_calls=tf.data.AUTOTUNE)
    part = TensorDataset(dataset, source.label, True, file=source.file)
    part.name = name
    return part


def refuse_empty(source: Source, lot: Lot) -> None:
    """Read until both parts have a row; where one has none, say so."""
    rows, found = 0, [False, False]
    low, high = 2**64, -1
    for chunk in source.chunks():
        keys = lot.units.of(chunk)[1]
        held_out = lot.chosen(chunk, keys)
        rows += len(chunk)
        low, high = min(low, int(keys.min())), max(high, int(keys.max()))
        found = [found[0] or not held_out.all(), found[1] or bool(held_out.any())]
        if all(found):
            return
    part = "training" if found[1] else "validation"
    if low == high:
        what = f"has one group in groups={lot.units.groups!r}" if lot.units.groups else "has one row, again and again"
        raise PrepkitError(f"{source.name} {what}, in all {rows:,} rows: there is nothing to part.")
    raise PrepkitError(
        f"validation_split={lot.share:g} leaves no {part} row of {source.name}, of {rows:,} rows: rows of a stream are "
        "drawn one by one, so give more of them, another seed, or a table in memory."
    )
