"""Raw columns of our own sources become numbers and codes, in numpy.

What strings mean is said once, in the graph operations of `prepkit.parse`; here the same operations run
on the distinct strings of a column.
"""

from __future__ import annotations

import contextlib
import re
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf

from prepkit.errors import PrepkitError
from prepkit.parse import SPACES, category, is_missing, pattern
from prepkit.scan import Coded
from prepkit.source.base import RawColumn
from prepkit.spec import Column
from prepkit.tensors import WHOLE, WORDS, check_type, check_whole, digits, enter_column

REMEMBERED = 100_000  # words, about 20 MB
HEAD, LONG = 2**15, 2**18  # rows by which the strings of longer columns are tried


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
    if column.kind in WORDS:
        if not (raw.dtype.kind == "f" and np.isnan(raw).all()):  # the type of a column that is all missing says nothing
            check_type(column, str(raw.dtype))
        return _as_categories(raw)
    dtype = column.entered(coded=False).block
    return raw if raw.dtype == dtype else raw.astype(dtype)


def _tensor(raw: RawColumn, column: Column) -> np.ndarray:
    array = np.asarray(raw)
    if len(column.shape) == 1 and column.shape[0] == 1 and array.ndim == 1:
        array = array[:, None]
    if array.shape[1:] != column.shape:
        raise PrepkitError(f"{column.name!r} has rows of shape {array.shape[1:]}, but {column.shape} in training.")
    check_whole(column, array.dtype)
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
    precision = digits(raw.dtype) if raw.dtype.kind == "f" else 0
    values_of: dict[str, int] = {}
    place = []
    for v in distinct.tolist():
        whole = not precision or (v == np.floor(v) and abs(v) < WHOLE)
        place.append(values_of.setdefault(str(int(v)) if whole else f"{v:.{precision}g}", len(values_of)))
    return Coded(np.where(finite, np.array(place, np.int32)[inverse], -1).astype(np.int32), list(values_of))


def _decode_strings(raw: Any, column: Column) -> Any:
    if column.kind == "numeric" and column.parse in ("", "number") and not pa.types.is_dictionary(raw.type):
        numbers = _plain_numbers(raw, column)
        if numbers is not None:
            return numbers
    distinct, indices = _encoded(raw)
    words = _as_text(distinct, column.name).fill_null("")
    codes = (indices.fill_null(-1) if indices.null_count else indices).to_numpy(zero_copy_only=False)
    if column.kind not in WORDS:
        texts = tf.constant(words.to_pylist() or [""], tf.string)
        values = enter_column(texts, column, column.entered(coded=False).block).numpy()
        return np.append(values[: len(words)], np.array(np.nan, values.dtype))[codes]
    cleaned = _cleaned(words.to_pylist(), column.missing)
    values_of: dict[str, int] = {}
    place = np.array([-1 if w == "" else values_of.setdefault(w, len(values_of)) for w in cleaned] + [-1], np.int32)
    if codes.dtype == np.int32 and (place[:-1] == np.arange(len(place) - 1)).all():
        return Coded(codes, list(values_of))
    return Coded(place[codes], list(values_of))


def _encoded(raw: Any) -> tuple[Any, Any]:
    """The distinct strings of a column, and for each cell which of them it is; null where it is null.

    Where the head has all of them, to look each cell up takes three quarters of the time of encoding anew.
    """
    if pa.types.is_dictionary(raw.type):
        signed = not pa.types.is_unsigned_integer(raw.indices.type)
        return raw.dictionary, raw.indices if signed else raw.indices.cast(pa.int64())
    if len(raw) >= LONG:
        words = pc.unique(raw[:HEAD]).drop_null()
        if len(words) <= HEAD // 16:
            indices = pc.index_in(raw, value_set=words)
            if indices.null_count == raw.null_count:
                return words, indices
    encoded = raw.dictionary_encode()
    return encoded.dictionary, encoded.indices


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
            return _without_words(raw.cast(pa.float64()).to_numpy(zero_copy_only=False))
    trimmed = pc.utf8_trim(_as_text(raw, column.name), characters=SPACES)
    try:
        numbers = pc.if_else(pc.is_in(trimmed, markers), None, trimmed).cast(pa.float64())
    except pa.ArrowInvalid:
        return None
    return _without_words(numbers.to_numpy(zero_copy_only=False))


def _without_words(numbers: np.ndarray) -> np.ndarray | None:
    """None where pyarrow has taken "inf" for a number, which `parse.number` does not."""
    return None if np.isinf(numbers).any() else numbers


@lru_cache
def _markers(missing: tuple[str, ...]) -> tuple[Any, bool]:
    """The markers as pyarrow compares them, and whether any of them can be read as a number."""
    markers = ["", *(m.strip(SPACES) for m in missing)]
    return pa.array(markers, pa.large_string()), any(re.fullmatch(pattern("number"), m) for m in markers)


def unreadable(raw: Any, values: np.ndarray, column: Column) -> np.ndarray:
    """The numbers of the rows whose cells are there, but cannot be read as what the column holds; rising.

    Args:
        raw: the cells as they came, strings in a pyarrow array; anything else can be read.
        values: as they were read; NaN where that failed, or where the cell is missing.
        column: how they are read.
    """
    nothing = np.empty(0, np.int64)
    if not isinstance(raw, pa.Array | pa.ChunkedArray):
        return nothing
    inner = raw.type.value_type if pa.types.is_dictionary(raw.type) else raw.type
    if not _is_string(inner):
        return nothing
    rows = np.flatnonzero(np.isnan(values))
    if not len(rows):
        return nothing
    cells = raw.take(pa.array(rows))
    cells = cells.combine_chunks() if isinstance(cells, pa.ChunkedArray) else cells
    distinct, indices = _encoded(cells)
    there = ~is_missing(tf.constant([w or "" for w in distinct.to_pylist()], tf.string), column.missing).numpy()
    codes = indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return np.asarray(rows[np.append(there, False)[codes]])
