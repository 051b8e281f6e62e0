"""Raw columns become the packed blocks that stages work on: in numpy for our own sources, in the graph for the rest.

What strings mean is said once, in the graph operations of `prepkit.parse`; the numpy side runs the
same operations on the distinct strings of a column.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf

from prepkit.core import Blocks, did_you_mean
from prepkit.errors import PrepkitError
from prepkit.parse import category, parse
from prepkit.scan import Coded
from prepkit.source.base import RawChunk, RawColumn
from prepkit.spec import CODES, NUMBERS, STRINGS, Column, Spec

UNSEEN = -2
TRANSPOSED = 2**28  # bytes of a matrix up to which it is copied to be measured
BETWEEN = "\x1f"  # column number and category, in the keys of the one lookup table

Decoded = dict[str, Any]  # column -> float array (rows,), Coded, or array (rows, *shape) of a tensor


@dataclass(frozen=True)
class Entry:
    """The way in.

    Args:
        raw: the columns as they come in.
        vocabularies: for each column that enters as codes, the categories of the training rows.
    """

    raw: Spec
    vocabularies: Mapping[str, tuple[str, ...]]

    @cached_property
    def spec(self) -> Spec:
        """The columns as the first stage sees them."""
        columns = []
        for c in self.raw.columns:
            coded = c.name in self.vocabularies
            columns.append(replace(c.entered(coded=coded), categories=self.vocabularies.get(c.name)))
        return self.raw.with_columns(columns)

    @cached_property
    def _codes(self) -> dict[str, dict[str, int]]:
        return {name: {c: i for i, c in enumerate(words)} for name, words in self.vocabularies.items()}

    # -- numpy ---------------------------------------------------------------------------------

    def decode(self, chunk: RawChunk) -> Decoded:
        """Each column parsed and typed, not yet packed."""
        if chunk.matrix is not None:
            self._check_matrix(chunk.matrix)
            # Statistics go column by column, and a column of a transposed copy lies together in memory.
            small = chunk.matrix.nbytes <= TRANSPOSED
            columns = np.ascontiguousarray(chunk.matrix.T) if small else chunk.matrix.T
            return {c.name: values for c, values in zip(self.raw.columns, columns, strict=True)}
        self.check_names(chunk.columns)
        return {c.name: decode_column(chunk.columns[c.name], c) for c in self.raw.columns}

    def packed(self, chunk: RawChunk) -> dict[str, np.ndarray]:
        """Each block of a chunk."""
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
        """Refuse data that lack a column; others than the training columns are ignored."""
        missing = [n for n in self.raw.names if n not in names]
        if missing:
            others = [n for n in names if n not in self.raw]
            raise PrepkitError(
                f"{len(missing)} of the {len(self.raw.columns)} training columns are missing, the first of them "
                f"{missing[0]!r}{did_you_mean(missing[0], others) if others else ': give it too.'}"
            )

    def pack(self, decoded: Decoded, matrix: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """The decoded columns side by side in their blocks."""
        out: dict[str, np.ndarray] = {}
        for block, columns in self.spec.blocks().items():
            if block in NUMBERS and matrix is not None:
                out[block] = np.ascontiguousarray(matrix, dtype=block)
            elif block in NUMBERS:
                out[block] = _beside([decoded[c.name] for c in columns], block)
            elif block == CODES:
                codes = [decoded[c.name].recoded(self._codes[c.name], UNSEEN) for c in columns]
                out[block] = _beside(codes, "int32")
            elif block == STRINGS:
                strings = [np.array([*decoded[c.name].values, ""], object)[decoded[c.name].codes] for c in columns]
                out[block] = _beside(strings, object)
            else:
                out[block] = decoded[columns[0].name]
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
        if self.raw.structure == "array":
            features = self._by_column(features)
        else:
            if not isinstance(features, Mapping):
                raise PrepkitError(f"features are one tensor, but the training data had columns{self._named()}.")
            self.check_names(features)
        out: Blocks = {}
        for block, columns in self.spec.blocks().items():
            if block in features and self.raw.structure == "array":
                x = features[block]
            elif block.startswith("tensor:"):
                x = _shaped(features[columns[0].name], columns[0])
            else:
                x = tf.stack([enter_column(features[c.name], self.raw[c.name], c.block) for c in columns], 1)
            if block == CODES:
                x = self._coded(x)
            elif x.dtype.is_floating:
                x = tf.where(tf.math.is_finite(x), x, tf.constant(np.nan, x.dtype))
            out[block] = x
        return out

    def _by_column(self, x: Any) -> Mapping[str, tf.Tensor]:
        if isinstance(x, Mapping):
            raise PrepkitError(f"features are a dict of {list(x)[:5]}, but the training data were one array.")
        first = self.spec.columns[0]
        if first.block.startswith("tensor:"):
            return {first.block: _shaped(x, first)}
        x = x[:, None] if x.shape.rank == 1 else x
        if x.shape.rank != 2 or x.shape[1] not in (None, len(self.spec.columns)):
            raise PrepkitError(
                f"X has shape {tuple(x.shape)}, but the training data had {len(self.spec.columns)} columns."
            )
        return {first.block: tf.cast(tf.ensure_shape(x, (None, len(self.spec.columns))), first.block)}

    def _coded(self, words: tf.Tensor) -> tf.Tensor:
        prefixes = tf.constant([f"{i}{BETWEEN}" for i in range(len(self.vocabularies))])
        order = [list(self.vocabularies).index(c.name) for c in self.spec.blocks()[CODES]]
        return self.table.lookup(tf.strings.join([tf.broadcast_to(tf.gather(prefixes, order), tf.shape(words)), words]))


def _beside(columns: list[np.ndarray], dtype: Any) -> np.ndarray:
    out = np.empty((len(columns[0]), len(columns)), dtype)
    for i, column in enumerate(columns):
        out[:, i] = column
    return out


def _shaped(x: tf.Tensor, column: Column) -> tf.Tensor:
    if x.shape.rank != len(column.shape) + 1:
        raise PrepkitError(
            f"{column.name!r} has shape {tuple(x.shape)}, but the training rows had {column.shape} each."
        )
    return tf.ensure_shape(tf.cast(x, column.dtype), (None, *column.shape))


def enter_column(x: tf.Tensor, column: Column, block: str) -> tf.Tensor:
    """One scalar column (rows,) parsed and typed: float of the block's type, or string, "" where missing."""
    if x.shape.rank == 2 and x.shape[1] == 1:
        x = x[:, 0]
    if x.shape.rank != 1:
        raise PrepkitError(f"column {column.name!r} has shape {tuple(x.shape)}: give one value a row.")
    if column.kind in ("categorical", "text"):
        if x.dtype == tf.string:
            return category(x, column.missing)
        _check_type(column, x.dtype.name)
        if x.dtype.is_floating:
            whole = tf.strings.as_string(tf.cast(tf.where(tf.math.is_finite(x), x, tf.zeros_like(x)), tf.int64))
            return tf.where(tf.math.is_finite(x), whole, tf.fill(tf.shape(x), ""))
        return tf.strings.as_string(x)
    if x.dtype == tf.string:
        if column.kind == "datetime" and not column.parse:
            raise PrepkitError(
                f"column {column.name!r} is strings, but was times in training: give seconds since 1970."
            )
        x = parse(x, column.parse or ("boolean" if column.kind == "boolean" else "number"), column.missing)
    return tf.cast(x, block)


def _check_type(column: Column, dtype: str) -> None:
    if column.dtype == "string":
        raise PrepkitError(
            f"column {column.name!r} is {dtype}, but was strings ({column.kind}) in training: "
            "give it as strings, or fit on data of the same type."
        )


def decode_column(raw: RawColumn, column: Column) -> Any:
    """`enter_column` for one of our own sources: float array, `Coded`, or the tensor as it is."""
    if column.kind == "tensor":
        array = np.asarray(raw)
        if array.shape[1:] != column.shape:
            raise PrepkitError(f"{column.name!r} has rows of shape {array.shape[1:]}, but {column.shape} in training.")
        return array
    if isinstance(raw, np.ndarray) and raw.ndim > 1:
        raise PrepkitError(f"column {column.name!r} has shape {raw.shape}: give one value a row.")
    if isinstance(raw, pa.ChunkedArray):
        raw = raw.combine_chunks()
        raw = raw.combine_chunks() if isinstance(raw, pa.ChunkedArray) else raw
    if isinstance(raw, pa.Array):
        value_type = raw.type.value_type if pa.types.is_dictionary(raw.type) else raw.type
        if pa.types.is_dictionary(raw.type) and not _is_string(value_type):
            raw = raw.dictionary_decode()
        if _is_string(value_type):
            return _decode_strings(raw, column)
        raw = _arrow_numbers(raw)
    if column.kind in ("categorical", "text"):
        _check_type(column, str(raw.dtype))
        return _as_categories(raw)
    dtype = column.entered(coded=False).block
    return raw if raw.dtype == dtype else raw.astype(dtype)


def _is_string(kind: Any) -> bool:
    types = pa.types
    return bool(
        types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind) or types.is_binary(kind)
    )


def _arrow_numbers(raw: Any) -> np.ndarray:
    """Numbers, times (as seconds since 1970) and booleans; NaN for null."""
    kind = raw.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        micros = raw.cast(pa.timestamp("us", getattr(kind, "tz", None))).cast(pa.int64())
        return micros.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False) / 1e6
    if pa.types.is_boolean(kind):
        raw = raw.cast(pa.uint8())
    elif pa.types.is_decimal(kind) or pa.types.is_null(kind):
        raw = raw.cast(pa.float64())
    return raw.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def _as_categories(raw: np.ndarray) -> Coded:
    finite = np.isfinite(raw)
    distinct, inverse = np.unique(np.where(finite, raw, 0).astype(np.int64), return_inverse=True)
    return Coded(np.where(finite, inverse, -1).astype(np.int32), [str(v) for v in distinct])


def _decode_strings(raw: Any, column: Column) -> Any:
    if column.kind == "numeric" and column.parse in ("", "number") and not pa.types.is_dictionary(raw.type):
        numbers = _plain_numbers(raw, column)
        if numbers is not None:
            return numbers
    encoded = raw if pa.types.is_dictionary(raw.type) else raw.dictionary_encode()
    words = encoded.dictionary.cast(pa.string())
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    texts = (
        tf.constant(words.to_numpy(zero_copy_only=False).astype(object), tf.string) if len(words) else tf.constant([""])
    )
    if column.kind not in ("categorical", "text"):
        values = enter_column(texts, column, column.entered(coded=False).block).numpy()
        return np.append(values[: len(words)], np.array(np.nan, values.dtype))[codes]
    cleaned = [v.decode("utf-8", "replace") for v in category(texts, column.missing).numpy()[: len(words)]]
    values_of: dict[str, int] = {}
    place = np.array([-1 if w == "" else values_of.setdefault(w, len(values_of)) for w in cleaned] + [-1], np.int32)
    return Coded(place[codes], list(values_of))


def _plain_numbers(raw: Any, column: Column) -> np.ndarray | None:
    """The fast way where every cell is missing or a plain number; None where one is not."""
    trimmed = pc.utf8_trim_whitespace(raw)
    missing = pc.is_in(trimmed, pa.array(["", *column.missing]))
    try:
        numbers = pc.if_else(missing, None, trimmed).cast(pa.float64())
    except pa.ArrowInvalid:
        return None
    return numbers.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def raw_values(raw: RawColumn, column: Column) -> np.ndarray:
    """A raw column as a tensor of its type takes it: "" for a missing string, NaN for a missing number."""
    if column.dtype == "string":
        array = pa.array(raw, from_pandas=True) if isinstance(raw, np.ndarray) else raw
        return np.asarray(array.cast(pa.string()).fill_null("").to_numpy(zero_copy_only=False), object)
    values = _arrow_numbers(raw) if isinstance(raw, pa.Array | pa.ChunkedArray) else raw
    dtype = "float64" if column.dtype == "datetime" else column.dtype
    if np.dtype(dtype).kind != "f" and values.dtype.kind == "f" and not np.isfinite(values).all():
        raise PrepkitError(
            f"column {column.name!r} has missing cells, but was {dtype} in training, which has no missing value: "
            "train on floats, or fill them."
        )
    return values.astype(dtype)
