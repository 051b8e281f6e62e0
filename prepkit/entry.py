"""The way in: raw rows are decoded, judged and healed, and packed into the blocks that stages work on.

In numpy for our own sources (`prepkit.decode`), in the graph for the rest (`prepkit.tensors`).
"""

from __future__ import annotations

import difflib
import functools
import operator
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from prepkit.core import Blocks
from prepkit.decode import decode_column
from prepkit.errors import PrepkitError
from prepkit.gate import Decoded, Gate, Verdict
from prepkit.labels import decode_label
from prepkit.rules import REFUSING
from prepkit.source.base import RawChunk
from prepkit.spec import CODES, NUMBERS, STRINGS, Spec
from prepkit.tensors import Texts, entered, finite, shaped

UNSEEN = -2
THREADED = 2**18  # cells of strings from which on a second thread pays
TRANSPOSED = 2**28  # bytes of a matrix up to which it is copied to be measured
BETWEEN = "\x1f"  # column number and category, in the keys of the one lookup table


class Admitted(NamedTuple):
    """Decoded rows as they were read and as they have been healed, none left out yet, and what they break."""

    read: Decoded
    decoded: Decoded
    verdict: Verdict


@dataclass(frozen=True)
class Entry:
    """The way in.

    Args:
        raw: the columns as they come in.
        vocabularies: for each column that enters as codes, the categories of the training rows.
        gate: the rules that cells and rows have to keep, where there are such.
    """

    raw: Spec
    vocabularies: Mapping[str, tuple[str, ...]]
    gate: Gate | None = None

    @cached_property
    def spec(self) -> Spec:
        """The columns as the first stage sees them."""
        columns = []
        for c in self.raw.columns:
            coded = c.name in self.vocabularies
            columns.append(replace(c.entered(coded=coded), categories=self.vocabularies.get(c.name)))
        return self.raw.with_columns([*columns, *(self.gate.flags() if self.gate else ())])

    @cached_property
    def _codes(self) -> dict[str, dict[str, int]]:
        return {name: {c: i for i, c in enumerate(words)} for name, words in self.vocabularies.items()}

    # -- numpy ---------------------------------------------------------------------------------

    def admit(self, chunk: RawChunk, start: int = 0) -> Admitted:
        """Training rows, judged and healed; `start` as for `Gate.judge`."""
        read = self.decode(chunk)
        if self.gate is None:
            return Admitted(read, read, Verdict(len(chunk), {}))
        verdict = self._judged(chunk, read, start)
        return Admitted(read, self.gate.heal(read, verdict), verdict)

    def judged(self, chunk: RawChunk, start: int = 0) -> Verdict:
        """What rows break, of all rules; `start` as for `Gate.judge`."""
        return self._judged(chunk, self.decode(chunk), start)

    def _judged(self, chunk: RawChunk, decoded: Decoded, start: int) -> Verdict:
        assert self.gate is not None
        label, gate = None, self.gate
        asked = any(gate.asks(i, self.raw) for i in range(len(gate.rules)))
        if asked and self.raw.label is not None and chunk.label is not None:
            label = decode_label(chunk.label, self.raw.label.form, self.raw.label.name)
        return gate.judge(decoded, chunk.columns, self.raw, len(chunk), label=label, start=start)

    def decode(self, chunk: RawChunk) -> dict[str, Any]:
        """Each column parsed and typed, neither judged nor packed."""
        if chunk.matrix is not None:
            self._check_matrix(chunk.matrix)
            # Statistics go column by column, and a column of a transposed copy lies together in memory.
            small = chunk.matrix.nbytes <= TRANSPOSED
            matrix = np.ascontiguousarray(chunk.matrix.T) if small else chunk.matrix.T
            return {c.name: values for c, values in zip(self.raw.columns, matrix, strict=True)}
        self.check_names(chunk.columns)
        columns = self.raw.columns
        if len(chunk) * sum(c.dtype == "string" for c in columns) < THREADED:
            return {c.name: decode_column(chunk.columns[c.name], c) for c in columns}
        with ThreadPoolExecutor(2) as pool:  # pyarrow looks strings up without Python's lock
            decoded = pool.map(lambda c: decode_column(chunk.columns[c.name], c), columns)
            return dict(zip((c.name for c in columns), decoded, strict=True))

    def packed(self, chunk: RawChunk) -> dict[str, np.ndarray]:
        """Each block of a chunk, cells healed, no row refused."""
        if self.gate is not None and (self.gate.healing or self.gate.flagged):
            decoded = self.decode(chunk)
            verdict = self.gate.judge(decoded, chunk.columns, self.raw, len(chunk), rules=self.gate.healing)
            return self.pack(self.gate.heal(decoded, verdict))
        if chunk.matrix is None:
            return self.pack(self.decode(chunk))
        self._check_matrix(chunk.matrix)
        return self.pack({}, chunk.matrix)

    def _check_matrix(self, matrix: np.ndarray) -> None:
        if self.raw.structure != "array" or matrix.shape[1] != len(self.raw.columns):
            raise PrepkitError(
                f"X has {matrix.shape[1]} columns without names, but the training data had "
                f"{len(self.raw.columns)}{self._named()}: give the same."
            )

    def _named(self) -> str:
        return "" if self.raw.structure == "array" else f" named {', '.join(self.raw.names[:8])}"

    def check_names(self, names: Mapping[str, Any]) -> None:
        """Refuse data that lack a column; others than the training columns are ignored, in whatever order."""
        missing = [n for n in self.raw.names if n not in names]
        if missing and self.raw.structure == "array":
            raise PrepkitError(
                f"the data have named columns, but the training data were one array of {len(self.raw.columns):,} "
                "without names: give an array, as by frame.to_numpy()."
            )
        if missing:
            others = [n for n in names if n not in self.raw]
            close = [n for n in others if n.strip().lower() == missing[0].strip().lower()]
            close = close or difflib.get_close_matches(missing[0], others, 1)
            hint = "give it too, empty if need be."
            if close:
                hint = f"did you mean {close[0]!r}? Rename it."
            elif others:
                hint = (
                    f"rename it, if it is one of {', '.join(map(repr, others[:5]))}, or give it too, empty if need be."
                )
            raise PrepkitError(
                f"{len(missing):,} of the {len(self.raw.columns):,} training columns are missing, the first of them "
                f"{missing[0]!r}: {hint}"
            )

    def pack(self, decoded: Decoded, matrix: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """The decoded columns side by side in their blocks."""
        out: dict[str, np.ndarray] = {}
        for block, columns in self.spec.blocks().items():
            if block in NUMBERS and matrix is not None:
                out[block] = _finite(np.ascontiguousarray(matrix, dtype=block))
            elif block in NUMBERS:
                out[block] = _finite(_beside([decoded[c.name] for c in columns], block))
            elif block == CODES:
                codes = [decoded[c.name].recoded(self._codes[c.name], UNSEEN) for c in columns]
                out[block] = _beside(codes, "int32")
            elif block == STRINGS:
                strings = [np.array([*decoded[c.name].values, ""], object)[decoded[c.name].codes] for c in columns]
                out[block] = _beside(strings, object)
            else:
                out[block] = _finite(decoded[columns[0].name])
        return out

    # -- graph ---------------------------------------------------------------------------------

    @cached_property
    def table(self) -> Any:
        """One table for the categories of all columns, made outside of whatever graph is being traced."""
        keys, values = [], []
        for i, words in enumerate(self.vocabularies.values()):
            keys += [f"{i}{BETWEEN}", *(f"{i}{BETWEEN}{w}" for w in words)]
            values += [-1, *range(len(words))]
        with tf.init_scope():
            init = tf.lookup.KeyValueTensorInitializer(keys, tf.constant(values, tf.int32))
            return tf.lookup.StaticHashTable(init, UNSEEN)

    def graph(self, features: Mapping[str, tf.Tensor] | tf.Tensor) -> Blocks:
        """The same for tensors: a dict by name, or the one array."""
        if self.gate is None or not (self.gate.healing or self.gate.flagged):
            return self._joined(self._checked(features))
        columns, unread = self._entered(self.columns_of(features))
        broken = self.gate.broken_in_graph(columns, unread, self.gate.healing)
        return self._blocks(self.gate.heal_in_graph(columns, broken))

    def admitted_in_graph(self, features: Mapping[str, tf.Tensor] | tf.Tensor) -> tuple[Blocks, tf.Tensor | None]:
        """Training rows: blocks, and booleans (rows,) of those that are refused; None where no rule refuses any."""
        refusing = self.gate.numbers(REFUSING, graph=True) if self.gate else ()
        if self.gate is None or not refusing:
            return self.graph(features), None
        columns, unread = self._entered(self.columns_of(features))
        broken = self.gate.broken_in_graph(columns, unread, sorted({*refusing, *self.gate.healing}))
        refused = functools.reduce(operator.or_, [broken[i] for i in refusing])
        return self._blocks(self.gate.heal_in_graph(columns, broken)), refused

    def broken_in_graph(
        self, features: Mapping[str, tf.Tensor] | tf.Tensor, rules: Sequence[int], axis: int = 1
    ) -> tf.Tensor:
        """Booleans (rows, rules): which of the rules each row breaks; (rules, rows) with `axis=0`."""
        assert self.gate is not None
        columns, unread = self._entered(self.columns_of(features))
        broken = self.gate.broken_in_graph(columns, unread, rules)
        return tf.stack([broken[i] for i in rules], axis)

    def _checked(self, features: Mapping[str, tf.Tensor] | tf.Tensor) -> Mapping[str, tf.Tensor]:
        """Tensors by name; of the one array, by block, where it is one."""
        if self.raw.structure == "array":
            return self._by_column(features)
        if not isinstance(features, Mapping):
            raise PrepkitError(f"features are one tensor, but the training data had columns{self._named()}.")
        self.check_names(features)
        return features

    def columns_of(self, features: Mapping[str, tf.Tensor] | tf.Tensor) -> dict[str, tf.Tensor]:
        """The raw columns by name, those of the one matrix too."""
        given = self._checked(features)
        if self.raw.structure == "array" and (block := self.spec.columns[0].block) in given:
            if block in NUMBERS:
                return dict(zip(self.raw.names, tf.unstack(given[block], axis=1), strict=True))
            return {self.raw.names[0]: given[block]}
        return {name: given[name] for name in self.raw.names}

    def _entered(self, raw: Mapping[str, tf.Tensor]) -> tuple[dict[str, tf.Tensor | Texts], dict[str, tf.Tensor]]:
        """Raw columns parsed and typed, and, of those that came as strings, which cells cannot be read."""
        columns: dict[str, tf.Tensor | Texts] = {}
        unread = {}
        for c in self.raw.columns:
            columns[c.name], cannot = entered(raw[c.name], c, self.spec[c.name].block)
            if cannot is not None:
                unread[c.name] = cannot
        return columns, unread

    def _joined(self, features: Mapping[str, tf.Tensor]) -> Blocks:
        """Raw columns, or the block that the one array is, as blocks."""
        if self.raw.structure == "array" and (block := self.spec.columns[0].block) in features:
            return {block: finite(features[block])}
        return self._blocks(self._entered(features)[0])

    def _blocks(self, columns: Mapping[str, tf.Tensor | Texts]) -> Blocks:
        """Parsed columns side by side in their blocks, strings as codes where they enter so."""
        out: Blocks = {}
        for block, members in self.spec.blocks().items():
            if block.startswith("tensor:"):
                out[block] = finite(columns[members[0].name])
            elif block == CODES:
                out[block] = tf.stack([self._coded(columns[c.name], c.name) for c in members], 1)
            elif block == STRINGS:
                out[block] = tf.stack([columns[c.name].rows() for c in members], 1)
            else:
                out[block] = finite(tf.stack([columns[c.name] for c in members], 1))
        return out

    def _by_column(self, x: Any) -> Mapping[str, tf.Tensor]:
        if isinstance(x, Mapping):
            raise PrepkitError(f"features are a dict of {list(x)[:5]}, but the training data were one array.")
        first = self.spec.columns[0]
        if first.block.startswith("tensor:"):
            return {first.block: shaped(x, first)}
        if first.block not in NUMBERS:
            return {first.name: x}
        x = x[:, None] if x.shape.rank == 1 else x
        n = len(self.raw.columns)
        if x.shape.rank != 2 or x.shape[1] not in (None, n):
            raise PrepkitError(f"X has shape {tuple(x.shape)}, but the training data had {n} columns.")
        return {first.block: tf.cast(tf.ensure_shape(x, (None, n)), first.block)}

    def _coded(self, texts: Texts, name: str) -> tf.Tensor:
        """The codes (rows,) of a categorical column."""
        prefix = f"{list(self.vocabularies).index(name)}{BETWEEN}"
        return tf.gather(self.table.lookup(tf.strings.join([prefix, texts.words])), texts.codes)


def _finite(x: np.ndarray) -> np.ndarray:
    """NaN, which is missing, in the place of infinity; as it is, and not copied, where there is none."""
    if x.dtype.kind != "f" or not (infinite := np.isinf(x)).any():
        return x
    return np.where(infinite, x.dtype.type(np.nan), x)


def _beside(columns: list[np.ndarray], dtype: Any) -> np.ndarray:
    out = np.empty((len(columns[0]), len(columns)), dtype)
    for i, column in enumerate(columns):
        out[:, i] = column
    return out
