"""Raw columns become the packed blocks that stages work on: in numpy for our own sources, in the graph for the rest.

What strings mean is said once, in the graph operations of `prepkit.parse`; the numpy side runs the
same operations on the distinct strings of a column.
"""

from __future__ import annotations

import contextlib
import difflib
import functools
import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf

from prepkit.core import Blocks
from prepkit.errors import PrepkitError
from prepkit.gate import Decoded, Gate, Verdict
from prepkit.labels import decode_label
from prepkit.parse import SPACES, category, parse, pattern
from prepkit.rules import REFUSING
from prepkit.scan import Coded
from prepkit.source.base import RawChunk, RawColumn
from prepkit.spec import CODES, NUMBERS, STRINGS, Column, Spec

UNSEEN = -2
WHOLE = 2.0**63  # beyond are no numbers of int64
REMEMBERED = 100_000  # words, about 20 MB
TRANSPOSED = 2**28  # bytes of a matrix up to which it is copied to be measured
BETWEEN = "\x1f"  # column number and category, in the keys of the one lookup table


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

    def admit(self, chunk: RawChunk, start: int = 0) -> tuple[Decoded, Verdict]:
        """Training rows: each column parsed, typed and healed, and what the rows break; `start` as for `judge`."""
        decoded = self.decode(chunk)
        if self.gate is None:
            return decoded, Verdict(len(chunk), {})
        verdict = self._judged(chunk, decoded, start)
        return self.gate.heal(decoded, verdict), verdict

    def judged(self, chunk: RawChunk, start: int = 0) -> Verdict:
        """What rows break, of all rules; `start` as for `Gate.judge`."""
        return self._judged(chunk, self.decode(chunk), start)

    def _judged(self, chunk: RawChunk, decoded: Decoded, start: int) -> Verdict:
        assert self.gate is not None
        label = None
        if self.raw.label is not None and chunk.label is not None and any(r.of_label for r in self.gate.rules):
            label = decode_label(chunk.label, self.raw.label.form, self.raw.label.name)
        return self.gate.judge(decoded, chunk.columns, self.raw, label=label, start=start)

    def decode(self, chunk: RawChunk) -> dict[str, Any]:
        """Each column parsed and typed, neither judged nor packed."""
        if chunk.matrix is not None:
            self._check_matrix(chunk.matrix)
            # Statistics go column by column, and a column of a transposed copy lies together in memory.
            small = chunk.matrix.nbytes <= TRANSPOSED
            columns = np.ascontiguousarray(chunk.matrix.T) if small else chunk.matrix.T
            return {c.name: values for c, values in zip(self.raw.columns, columns, strict=True)}
        self.check_names(chunk.columns)
        return {c.name: decode_column(chunk.columns[c.name], c) for c in self.raw.columns}

    def packed(self, chunk: RawChunk) -> dict[str, np.ndarray]:
        """Each block of a chunk, cells healed, no row refused."""
        if self.gate is not None and (self.gate.healing or self.gate.flagged):
            decoded = self.decode(chunk)
            verdict = self.gate.judge(decoded, chunk.columns, self.raw, rules=self.gate.healing)
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
        if self.gate is None or not (self.gate.healing or self.gate.flagged):
            return self._joined(self._checked(features))
        raw = self.columns_of(features)
        entered = self._entered(raw)
        broken = self.gate.broken_in_graph(entered, raw, self.raw, self.gate.healing)
        return self._blocks(self.gate.heal_in_graph(entered, broken))

    def admitted_in_graph(self, features: Mapping[str, tf.Tensor] | tf.Tensor) -> tuple[Blocks, tf.Tensor | None]:
        """Training rows: blocks, and booleans (rows,) of those that are refused; None where no rule refuses any."""
        refusing = self.gate.numbers(REFUSING, graph=True) if self.gate else ()
        if self.gate is None or not refusing:
            return self.graph(features), None
        raw = self.columns_of(features)
        entered = self._entered(raw)
        broken = self.gate.broken_in_graph(entered, raw, self.raw, sorted({*refusing, *self.gate.healing}))
        refused = functools.reduce(operator.or_, [broken[i] for i in refusing])
        return self._blocks(self.gate.heal_in_graph(entered, broken)), refused

    def broken_in_graph(self, features: Mapping[str, tf.Tensor] | tf.Tensor, rules: Sequence[int]) -> tf.Tensor:
        """Booleans (rows, rules): which of the rules each row breaks."""
        assert self.gate is not None
        raw = self.columns_of(features)
        broken = self.gate.broken_in_graph(self._entered(raw), raw, self.raw, rules)
        return tf.stack([broken[i] for i in rules], 1)

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

    def _entered(self, raw: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Raw columns parsed and typed: floats, strings, or tensors."""
        return {
            c.name: _shaped(raw[c.name], c)
            if c.kind == "tensor"
            else enter_column(raw[c.name], c, self.spec[c.name].block)
            for c in self.raw.columns
        }

    def _joined(self, features: Mapping[str, tf.Tensor]) -> Blocks:
        """Raw columns, or the block that the one array is, as blocks."""
        if self.raw.structure == "array" and (block := self.spec.columns[0].block) in features:
            return {block: _finite(features[block])}
        return self._blocks(self._entered(features))

    def _blocks(self, columns: Mapping[str, tf.Tensor]) -> Blocks:
        """Parsed columns side by side in their blocks, strings as codes where they enter so."""
        out: Blocks = {}
        for block, members in self.spec.blocks().items():
            if block.startswith("tensor:"):
                out[block] = _finite(columns[members[0].name])
            else:
                x = tf.stack([columns[c.name] for c in members], 1)
                out[block] = self._coded(x) if block == CODES else _finite(x)
        return out

    def _by_column(self, x: Any) -> Mapping[str, tf.Tensor]:
        if isinstance(x, Mapping):
            raise PrepkitError(f"features are a dict of {list(x)[:5]}, but the training data were one array.")
        first = self.spec.columns[0]
        if first.block.startswith("tensor:"):
            return {first.block: _shaped(x, first)}
        if first.block not in NUMBERS:
            return {first.name: x}
        x = x[:, None] if x.shape.rank == 1 else x
        n = len(self.raw.columns)
        if x.shape.rank != 2 or x.shape[1] not in (None, n):
            raise PrepkitError(f"X has shape {tuple(x.shape)}, but the training data had {n} columns.")
        return {first.block: tf.cast(tf.ensure_shape(x, (None, n)), first.block)}

    def _coded(self, words: tf.Tensor) -> tf.Tensor:
        prefixes = tf.constant([f"{i}{BETWEEN}" for i in range(len(self.vocabularies))])
        places = {name: i for i, name in enumerate(self.vocabularies)}
        order = [places[c.name] for c in self.spec.blocks()[CODES]]
        return self.table.lookup(tf.strings.join([tf.broadcast_to(tf.gather(prefixes, order), tf.shape(words)), words]))


def _finite(x: tf.Tensor) -> tf.Tensor:
    """NaN, which is missing, in the place of infinity."""
    return tf.where(tf.math.is_finite(x), x, tf.constant(np.nan, x.dtype)) if x.dtype.is_floating else x


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
    _check_whole(column, x.dtype.as_numpy_dtype)
    return tf.ensure_shape(tf.cast(x, column.dtype), (None, *column.shape))


def _check_whole(column: Column, given: Any) -> None:
    """Refuse fractions where there were whole numbers, such as pixels of 0 to 1 where they went to 255."""
    if np.dtype(column.dtype).kind in "biu" and np.dtype(given).kind not in "biu":
        raise PrepkitError(
            f"{column.name!r} is {np.dtype(given)}, but was {column.dtype} in training: give the same numbers, "
            f"and as {column.dtype}."
        )


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
        return _words_of_numbers(x)
    if x.dtype == tf.string:
        if column.kind == "datetime" and not column.parse:
            raise PrepkitError(
                f"column {column.name!r} is strings, and there is no format by which to read them as times: make them "
                "times, as by pandas.to_datetime, or seconds since 1970."
            )
        x = parse(x, column.parse or ("boolean" if column.kind == "boolean" else "number"), column.missing)
    return tf.cast(x, block)


def _words_of_numbers(x: tf.Tensor) -> tf.Tensor:
    """Numbers as the names of categories, as `_as_categories` writes them: "" for NaN and infinity."""
    if not x.dtype.is_floating:
        return tf.strings.as_string(tf.cast(x, tf.int64) if x.dtype == tf.bool else x)
    x = tf.cast(x, tf.float32) if x.dtype in (tf.float16, tf.bfloat16) else x
    whole = (tf.floor(x) == x) & (tf.abs(x) < WHOLE)
    words = tf.strings.as_string(tf.cast(tf.where(whole, x, tf.zeros_like(x)), tf.int64))
    words = tf.where(whole, words, tf.strings.as_string(x, precision=_digits(x.dtype.as_numpy_dtype), shortest=True))
    return tf.where(tf.math.is_finite(x), words, tf.fill(tf.shape(x), ""))


def _digits(dtype: Any) -> int:
    """The digits that any number of so many has as it is written, be it float32 or float64."""
    return 7 if np.dtype(dtype) == np.float32 else 15


def _check_type(column: Column, dtype: str) -> None:
    if column.dtype == "string":
        raise PrepkitError(
            f"column {column.name!r} is {dtype}, but was strings ({column.kind}) in training: "
            "give it as strings, or fit on data of the same type."
        )


def decode_column(raw: RawColumn, column: Column) -> Any:
    """`enter_column` for one of our own sources: float array, `Coded`, or the tensor as it is."""
    if column.kind == "tensor":
        return _tensor(raw, column)
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
        if (pa.types.is_timestamp(raw.type) or pa.types.is_date(raw.type)) and column.kind in ("numeric", "boolean"):
            raise PrepkitError(
                f"column {column.name!r} is times ({raw.type}), but was {column.kind} in training: give numbers, or "
                "fit on times."
            )
        raw = _arrow_numbers(raw)
    if column.kind in ("categorical", "text"):
        if not (raw.dtype.kind == "f" and np.isnan(raw).all()):  # the type of a column that is all missing says nothing
            _check_type(column, str(raw.dtype))
        return _as_categories(raw)
    dtype = column.entered(coded=False).block
    return raw if raw.dtype == dtype else raw.astype(dtype)


def _tensor(raw: RawColumn, column: Column) -> np.ndarray:
    array = np.asarray(raw)
    if len(column.shape) == 1 and column.shape[0] == 1 and array.ndim == 1:
        array = array[:, None]
    if array.shape[1:] != column.shape:
        raise PrepkitError(f"{column.name!r} has rows of shape {array.shape[1:]}, but {column.shape} in training.")
    _check_whole(column, array.dtype)
    return array.astype(column.dtype, copy=False)


def _is_string(kind: Any) -> bool:
    strings = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(is_it(kind) for is_it in strings) or _is_binary(kind)


def _is_binary(kind: Any) -> bool:
    binaries = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view, pa.types.is_fixed_size_binary)
    return any(is_it(kind) for is_it in binaries)


def _as_text(raw: Any, name: str) -> Any:
    """An array of strings or bytes as large strings."""
    try:
        return (
            raw.cast(pa.large_binary()).cast(pa.large_string()) if _is_binary(raw.type) else raw.cast(pa.large_string())
        )
    except pa.ArrowInvalid as error:
        raise PrepkitError(
            f"column {name!r} holds bytes that are not UTF-8: decode them before, as by v.decode('latin-1') or "
            "tf.strings.unicode_transcode(x, 'ISO-8859-1', 'UTF-8')."
        ) from error


def _arrow_numbers(raw: Any) -> np.ndarray:
    """Numbers, times (as seconds since 1970) and booleans; NaN for null."""
    kind = raw.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        micros = raw.cast(pa.timestamp("us", getattr(kind, "tz", None)), safe=False).cast(pa.int64())
        return np.asarray(micros.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)) / 1e6
    if pa.types.is_boolean(kind):
        raw = raw.cast(pa.uint8())
    elif pa.types.is_decimal(kind) or pa.types.is_null(kind):
        raw = raw.cast(pa.float64())
    return raw.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def _as_categories(raw: np.ndarray) -> Coded:
    """Numbers as the names of categories, as `_words_of_numbers` writes them."""
    raw = raw.astype(np.float32) if raw.dtype == np.float16 else raw
    finite = np.isfinite(raw)
    distinct, inverse = np.unique(np.where(finite, raw, np.zeros((), raw.dtype)), return_inverse=True)
    digits = _digits(raw.dtype) if raw.dtype.kind == "f" else 0
    values_of: dict[str, int] = {}
    place = []
    for v in distinct.tolist():
        whole = not digits or (v == np.floor(v) and abs(v) < WHOLE)
        place.append(values_of.setdefault(str(int(v)) if whole else f"{v:.{digits}g}", len(values_of)))
    return Coded(np.where(finite, np.array(place, np.int32)[inverse], -1).astype(np.int32), list(values_of))


def _decode_strings(raw: Any, column: Column) -> Any:
    if column.kind == "numeric" and column.parse in ("", "number") and not pa.types.is_dictionary(raw.type):
        numbers = _plain_numbers(raw, column)
        if numbers is not None:
            return numbers
    encoded = raw if pa.types.is_dictionary(raw.type) else raw.dictionary_encode()
    words = _as_text(encoded.dictionary, column.name).fill_null("")
    codes = encoded.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
    if column.kind not in ("categorical", "text"):
        texts = tf.constant(words.to_pylist() or [""], tf.string)
        values = enter_column(texts, column, column.entered(coded=False).block).numpy()
        return np.append(values[: len(words)], np.array(np.nan, values.dtype))[codes]
    cleaned = _cleaned(words.to_pylist(), column.missing)
    values_of: dict[str, int] = {}
    place = np.array([-1 if w == "" else values_of.setdefault(w, len(values_of)) for w in cleaned] + [-1], np.int32)
    return Coded(place[codes], list(values_of))


def _cleaned(words: list[str], missing: tuple[str, ...]) -> list[str]:
    """`parse.category` of each word; those of the last chunks are remembered, for the next have the same."""
    known = _memory(missing)  # of all threads: it may be cleared at any time
    found = [known.get(w) for w in words]
    new = [w for w, clean in zip(words, found, strict=True) if clean is None]
    if not new:
        return found  # type: ignore[return-value]
    cleaned = category(tf.constant(new, tf.string), missing).numpy().tolist()
    fresh = dict(zip(new, (v.decode("utf-8", "replace") for v in cleaned), strict=True))
    if len(known) + len(fresh) > REMEMBERED:
        known.clear()
    if len(fresh) <= REMEMBERED:
        known.update(fresh)
    return [fresh[w] if clean is None else clean for w, clean in zip(words, found, strict=True)]


@lru_cache(maxsize=16)
def _memory(missing: tuple[str, ...]) -> dict[str, str]:
    return {}


def _plain_numbers(raw: Any, column: Column) -> np.ndarray | None:
    """The fast way where every cell is missing or a plain number; None where one is not."""
    markers, some_are_numbers = _markers(column.missing)
    with contextlib.suppress(pa.ArrowInvalid, pa.ArrowNotImplementedError):
        if not some_are_numbers:
            return raw.cast(pa.float64()).to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]
    trimmed = pc.utf8_trim(_as_text(raw, column.name), characters=SPACES)
    try:
        numbers = pc.if_else(pc.is_in(trimmed, markers), None, trimmed).cast(pa.float64())
    except pa.ArrowInvalid:
        return None
    return numbers.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


@lru_cache
def _markers(missing: tuple[str, ...]) -> tuple[Any, bool]:
    """The markers as pyarrow compares them, and whether any of them can be read as a number."""
    markers = ["", *(m.strip(SPACES) for m in missing)]
    return pa.array(markers, pa.large_string()), any(re.fullmatch(pattern("number"), m) for m in markers)
