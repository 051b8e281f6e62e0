"""Rows on their way into a dataset: packed and numbered by class in numpy or in the graph, and finished there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf

from prepkit.errors import PrepkitError
from prepkit.flow import Flow
from prepkit.gate import taken
from prepkit.graph import as_written
from prepkit.labels import LabelEncoder, decode_label, formed
from prepkit.source import RawChunk, Source
from prepkit.source.dataset import TensorDataset
from prepkit.spec import LABEL, STRINGS, WEIGHT

FINAL = ".final:"  # before the names of blocks that have all stages behind them: rows that a sampler has made


@dataclass(frozen=True)
class Packing:
    """The way of rows from a source into batches.

    Args:
        flow: raw features to ready features.
        labels: "int" or "one_hot", as the dataset has them.
    """

    flow: Flow
    labels: str

    @as_written
    def finish(self, packed: Mapping[str, tf.Tensor]) -> Any:
        """One batch of packed rows: (features, label, weight), as far as there are."""
        blocks = {name: x for name, x in packed.items() if name not in (LABEL, WEIGHT)}
        if any(name.startswith(FINAL) for name in blocks):
            out = [self.flow.shaped({name.removeprefix(FINAL): x for name, x in blocks.items()})]
        else:
            out = [self.flow.finished(blocks)]
        if LABEL in packed:
            label = self.flow.entry.raw.label
            assert label is not None
            out.append(formed(packed[LABEL], len(label.classes), self.labels))
        if WEIGHT in packed:
            out.append(packed[WEIGHT])
        return tuple(out) if len(out) > 1 else out[0]

    @cached_property
    def encoder(self) -> LabelEncoder:
        assert self.flow.entry.raw.label is not None
        return LabelEncoder(self.flow.entry.raw.label)

    def in_graph(self, source: Source) -> bool:
        """Whether training rows are admitted in the graph, as a user's own dataset is where all rules are tensors."""
        gate = self.flow.entry.gate
        return isinstance(source, TensorDataset) and (gate is None or gate.by_tensors_alone)

    def training(self, source: Source) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray]]:
        """As `admitted`, not strict, in the order of reading, by the way that rows take into the training dataset."""
        if isinstance(source, TensorDataset) and self.in_graph(source):
            yield from self.admitted_stream(source, strict=False).as_numpy_iterator()
        else:
            yield from self.admitted(source, strict=False)

    def packed(
        self, source: Source, *, strict: bool, rng: np.random.Generator | None = None
    ) -> Iterator[dict[str, np.ndarray]]:
        """Chunks of packed rows; `strict`: a bad label is an error, not a row to leave out."""
        for packed, keep in self.admitted(source, strict=strict, rng=rng):
            yield packed if keep.all() else taken(packed, keep)

    def admitted(
        self, source: Source, *, strict: bool, rng: np.random.Generator | None = None
    ) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray]]:
        """Chunks of packed rows, and whether each row is one to go on with."""
        start = 0
        entry = self.flow.entry
        for chunk in source.chunks(rng):
            refused = None
            if strict or entry.gate is None:
                packed = entry.packed(chunk)
            else:
                admitted = entry.admit(chunk, start)
                packed = entry.pack(admitted.decoded)
                refused = admitted.verdict.mask(entry.gate.refusing)
            if chunk.label is not None:
                packed[LABEL] = self._class_numbers(chunk, strict=strict, start=start)
            if chunk.weight is not None:
                packed[WEIGHT] = chunk.weight.astype(np.float32)
            start += len(chunk)
            keep = np.ones(len(chunk), bool) if strict else packed[LABEL] >= 0
            yield packed, keep if refused is None else keep & ~refused

    def _class_numbers(self, chunk: RawChunk, *, strict: bool, start: int) -> np.ndarray:
        label = self.flow.entry.raw.label
        assert label is not None
        coded = decode_label(chunk.label, label.form, label.name)
        if label.form == "one_hot" and len(coded.values) != len(label.classes):
            raise PrepkitError(f"labels have {len(coded.values)} columns, but {len(label.classes)} in training.")
        numbers = coded.recoded({c: i for i, c in enumerate(label.classes)}, -2)
        if strict and (numbers < 0).any():
            rows = np.flatnonzero(numbers < 0)
            unseen = sorted({str(coded.values[c]) for c in coded.codes[numbers == -2]})
            what = f"{', '.join(map(repr, unseen[:5]))}, no class of the training data" if unseen else "missing"
            raise PrepkitError(
                f"label {label.name or 'y'!r} is {what}, in {len(rows):,} rows, the first of them row "
                f"{rows[0] + start}: drop those rows, or the label; the classes are "
                f"{', '.join(map(repr, label.class_names[:10]))}."
            )
        return numbers

    def packed_stream(self, source: TensorDataset, *, strict: bool) -> tf.data.Dataset:
        """The same in the graph, for a user's own dataset."""
        admitted = self.admitted_stream(source, strict=strict)
        if strict:
            return admitted.map(as_written(lambda packed, keep: packed), num_parallel_calls=tf.data.AUTOTUNE)

        @as_written
        def kept(packed: Mapping[str, tf.Tensor], keep: tf.Tensor) -> dict[str, tf.Tensor]:
            return {name: tf.boolean_mask(t, keep) for name, t in packed.items()}

        return admitted.map(kept, num_parallel_calls=tf.data.AUTOTUNE)

    def admitted_stream(self, source: TensorDataset, *, strict: bool) -> tf.data.Dataset:
        """Packed rows of a user's own dataset, and whether each row is one to go on with."""

        @as_written
        def row(*element: Any) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
            x, y, w = source.separate(element if len(element) > 1 else element[0])
            entry, refused = self.flow.entry, None
            if strict:
                out = entry.graph(x)
            else:
                out, refused = entry.admitted_in_graph(x)
            if y is not None:
                out[LABEL] = self.encoder(y, strict=strict)
            if w is not None:
                out[WEIGHT] = tf.cast(tf.reshape(w, [-1]), tf.float32)
            if strict or y is None:
                return out, tf.constant(True)
            keep = out[LABEL] >= 0
            return out, keep if refused is None else keep & ~refused

        return source.dataset.map(row, num_parallel_calls=tf.data.AUTOTUNE)

    def signature(self, source: Source) -> dict[str, tf.TensorSpec]:
        chunk = next(source.chunks())
        self.flow.entry.packed(chunk)  # what is wrong with the columns is said here, not from within the dataset
        out = {}
        for block, columns in self.flow.entry.spec.blocks().items():
            dtype = (
                columns[0].dtype
                if block.startswith("tensor:")
                else {"codes": "int32", STRINGS: "string"}.get(block, block)
            )
            shape = columns[0].shape if block.startswith("tensor:") else (len(columns),)
            out[block] = tf.TensorSpec((None, *shape), dtype)
        if chunk.label is not None:
            out[LABEL] = tf.TensorSpec((None,), tf.int32)
        if chunk.weight is not None:
            out[WEIGHT] = tf.TensorSpec((None,), tf.float32)
        return out
