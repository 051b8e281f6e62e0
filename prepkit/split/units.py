"""Which rows may not be parted: keys, in numpy and in the graph alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf

from prepkit.cleaning.keys import Keys
from prepkit.entry import Entry
from prepkit.errors import PrepkitError
from prepkit.labels import decode_label
from prepkit.scan import Coded
from prepkit.source import CHUNK, RawChunk
from prepkit.spec import STRINGS, Spec


@dataclass(frozen=True)
class Units:
    """Which rows stay together: 64-bit keys, in numpy by `Keys.of` and in the graph alike."""

    raw: Spec
    groups: str | None

    @cached_property
    def entry(self) -> Entry:
        return Entry(self.raw, {})

    @cached_property
    def alike(self) -> Keys:
        """Of what a row holds. Identifiers do not count: a copy of a row that was saved anew has another number."""
        others = [c for c in self.raw.columns if c.name != self.groups]
        features = [c for c in others if c.role != "identifier"]
        return Keys(self.entry, tuple(c.name for c in features or others) or None, labelled=False)

    @cached_property
    def group(self) -> Keys | None:
        return None if self.groups is None else Keys(self.entry, (self.groups,), labelled=False)

    @cached_property
    def missing(self) -> np.uint64:
        """The key of a missing cell."""
        assert self.group is not None and self.groups is not None
        block = self.entry.spec[self.groups].block
        shape = 1, len(self.entry.spec.blocks()[block])
        cells = np.full(shape, "", object) if block == STRINGS else np.full(shape, np.nan, block)
        with tf.init_scope():  # not in the graph that is being traced
            return np.uint64(self.group.of({block: cells})[0])

    def of(self, chunk: RawChunk) -> tuple[np.ndarray, np.ndarray]:
        """Keys of features, and keys of groups, or of features where there is no group; uint64 (rows,) each."""
        found = [self._keys(packed) for packed in self._packed(chunk)]
        return np.concatenate([alike for alike, _ in found]), np.concatenate([group for _, group in found])

    def _keys(self, packed: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        alike = self.alike.of(packed)
        if self.group is None:
            return alike, alike
        group = self.group.of(packed)
        return alike, np.where(group == self.missing, alike, group)

    def _packed(self, chunk: RawChunk) -> Iterator[dict[str, np.ndarray]]:
        """Some rows at a time: of a million rows of 20 columns, strings are packed in 0.07 s and not in 0.4."""
        decoded = self.entry.decode(chunk) if chunk.matrix is None else {}
        for start in range(0, len(chunk), CHUNK):
            rows = slice(start, start + CHUNK)
            if chunk.matrix is None:
                yield self.entry.pack({name: x[rows] for name, x in decoded.items()})
            else:
                yield self.entry.packed(RawChunk({}, chunk.matrix[rows]))

    def in_graph(self, x: Any) -> tf.Tensor:
        """The second of `of`, for a batch of features."""
        packed = self.entry.graph(x)
        if self.group is None:
            return self.alike(packed)
        group = self.group(packed)
        return tf.where(group == self.missing, self.alike(packed), group)


def labels_of(chunk: RawChunk, raw: Spec) -> Coded:
    """The labels of a chunk."""
    assert raw.label is not None
    if chunk.label is None:
        raise PrepkitError("the data come without labels: say label='COLUMN', or give (X, y).")
    return decode_label(chunk.label, raw.label.form, raw.label.name)
