"""Labels in any form become class numbers, in numpy for our own sources and in the graph for the rest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf

from prepkit import parse
from prepkit.errors import PrepkitError
from prepkit.scan import Coded
from prepkit.source.base import RawColumn
from prepkit.spec import Label

# Of string classes. "None" and "na" are not among them: as classes they are common, as missing labels not.
MISSING = frozenset({"", "?", "nan", "NaN", "NA", "N/A", "null", "NULL", "<NA>"})
NOT_A_NUMBER = MISSING | frozenset(parse.MISSING)  # where classes are numbers, or true and false
NO_CLASS = tf.int64.min
WHOLE = r"[+-]?\d{1,18}(?:\.0*)?"


def clean(value: str) -> str:
    """A string label without what only its writing adds: spaces around it and one trailing dot."""
    return value.strip(parse.SPACES).removesuffix(".").rstrip(parse.SPACES)


def decode_label(raw: RawColumn, form: str, name: str | None) -> Coded:
    """The labels as codes into the values that occur; -1 where the label is missing.

    Args:
        raw: numbers (rows,) or (rows, 1), one-hot rows (rows, classes), or a pyarrow array.
        form: see `Label`; of the training labels.
        name: of the column, for messages; None for y.

    Raises:
        PrepkitError: if a label is not of the form that the training labels had.

    Example:
        >>> decode_label(pa.array([" <=50K.", ">50K", "?"]), "string", "income")
        Coded(codes=array([ 0,  1, -1], dtype=int32), values=['<=50K', '>50K'])
    """
    where = f"label {name!r}" if name else "y"
    if form == "one_hot":
        return _decode_one_hot(np.asarray(raw), where)
    if isinstance(raw, np.ndarray) and raw.ndim == 2 and raw.shape[1] == 1:
        raw = raw[:, 0]
    if isinstance(raw, np.ndarray) and raw.ndim > 1:
        raise PrepkitError(
            f"{where} has shape {raw.shape}, but the training labels were one {form} a row: give the same."
        )
    if isinstance(raw, np.ndarray) and raw.dtype.kind in "biuf":
        return _decode_numbers(raw, np.isnan(raw) if raw.dtype.kind == "f" else np.zeros(len(raw), bool), form, where)
    array = raw if isinstance(raw, pa.Array | pa.ChunkedArray) else pa.array(raw, from_pandas=True)
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    inner = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
    if not (pa.types.is_boolean(inner) or pa.types.is_integer(inner) or pa.types.is_floating(inner)):
        return _decode_strings(array, form, where)
    array = array.cast(inner)
    missing = array.is_null(nan_is_null=True).to_numpy(zero_copy_only=False)
    filled = array.fill_null(pa.scalar(0).cast(inner))
    return _decode_numbers(filled.to_numpy(zero_copy_only=False), missing, form, where)


def _decode_one_hot(raw: np.ndarray, where: str) -> Coded:
    if raw.ndim != 2:
        raise PrepkitError(
            f"{where} has shape {raw.shape}, but the training labels were one-hot: give (rows, classes)."
        )
    codes = raw.argmax(1).astype(np.int32)
    good = (raw.sum(1) == 1) & (raw.max(1) == 1)
    return Coded(np.where(good, codes, -1).astype(np.int32), range(raw.shape[1]))


def _decode_numbers(raw: np.ndarray, missing: np.ndarray, form: str, where: str) -> Coded:
    if form == "string" and raw.dtype.kind == "b":
        return Coded(np.where(missing, -1, raw).astype(np.int32), ["False", "True"])
    if form == "string":
        raise PrepkitError(
            f"{where} holds numbers ({raw.dtype}), but the training labels were strings: give the same strings."
        )
    known = np.where(missing, raw[~missing][0] if not missing.all() else np.zeros((), raw.dtype), raw)
    odd = (known > 1) | (known < 0) if form == "bool" else known >= 2**63 if raw.dtype.kind == "u" else known != known
    if raw.dtype.kind == "f":
        odd |= (known != np.floor(known)) | (np.abs(known.astype(np.float64)) >= 2.0**63)
    if odd.any():
        what = "true or false" if form == "bool" else "whole numbers"
        raise PrepkitError(
            f"{where} holds {known[odd][0]}, but labels here are classes, {what}: bin continuous numbers before."
        )
    values = known.astype(np.int64)
    low, high = (int(values.min()), int(values.max())) if len(values) else (0, 0)
    if high - low < 2 * len(values) + 1000:  # then counting is faster than sorting
        codes, names = (values - low).astype(np.int32), [*range(low, high + 1)]
    else:
        distinct, inverse = np.unique(values, return_inverse=True)
        codes, names = inverse.astype(np.int32), distinct.tolist()
    return Coded(np.where(missing, -1, codes).astype(np.int32), [bool(n) for n in names] if form == "bool" else names)


def _decode_strings(array: Any, form: str, where: str) -> Coded:
    try:
        encoded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
        words = encoded.dictionary.cast(pa.large_binary()).cast(pa.large_string()).to_pylist()
    except pa.ArrowNotImplementedError as error:
        raise PrepkitError(f"{where} is of type {array.type}: give integers, strings or booleans.") from error
    except pa.ArrowInvalid as error:
        raise PrepkitError(f"{where} holds bytes that are not UTF-8: decode them before.") from error
    values: dict[Any, int] = {}
    place = [-1]
    for word in words:
        value: Any = "" if word is None else clean(word)
        if value in (MISSING if form == "string" else NOT_A_NUMBER):
            place.append(-1)
            continue
        if form == "int":
            value = _whole(value, word, where)
        elif form == "bool":
            value = _true(value, word, where)
        place.append(values.setdefault(value, len(values)))
    indices = encoded.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
    return Coded(np.array(place, np.int32)[indices + 1], list(values))


def _whole(value: str, raw: str, where: str) -> int:
    if not re.fullmatch(WHOLE, value, re.ASCII):
        raise PrepkitError(f"{where} holds {raw!r}, but the training labels were whole numbers: give such.")
    return int(value.partition(".")[0])


def _true(value: str, raw: str, where: str) -> bool:
    if value.lower() not in parse.TRUE + parse.FALSE:
        raise PrepkitError(f"{where} holds {raw!r}, but the training labels were true or false: give such.")
    return value.lower() in parse.TRUE


def classes_of(counts: Mapping[Any, int], form: str, n_rows: int, name: str | None) -> tuple[Any, ...]:
    """The classes in their order: numbers by size, strings alphabetically, False before True.

    Raises:
        PrepkitError: if there is no label, only one class, or nearly a class for each row.
    """
    where = f"label {name!r}" if name else "y"
    classes = tuple(sorted(counts))
    if not classes:
        raise PrepkitError(f"{where} is missing in all {n_rows:,} rows: nothing to learn.")
    if len(classes) == 1:
        raise PrepkitError(
            f"{where} has the one class {classes[0]!r} in all {n_rows:,} rows: a classifier needs two or more; "
            "check the label column, or whether the rows were filtered."
        )
    if len(classes) > 1000 and len(classes) > n_rows / 2:
        raise PrepkitError(
            f"{where} has {len(classes):,} classes in {n_rows:,} rows: that is an identifier or a number to predict, "
            "not a class; choose another label, or bin it."
        )
    return classes


class LabelEncoder:
    """Class numbers in the graph."""

    def __init__(self, label: Label) -> None:
        self.label = label
        self._table: Any = None

    @property
    def table(self) -> Any:
        """The lookup table, made outside of whatever graph is being traced."""
        if self._table is None:
            with tf.init_scope():
                strings = self.label.form == "string"
                keys = tf.constant(list(self.label.classes), tf.string if strings else tf.int64)
                values = tf.range(len(self.label.classes), dtype=tf.int64)
                init = tf.lookup.KeyValueTensorInitializer(keys, values)
                self._table = tf.lookup.StaticHashTable(init, -1)
        return self._table

    def __call__(self, y: tf.Tensor, *, strict: bool) -> tf.Tensor:
        """int32 (rows,) class numbers; -1 for a missing or unknown label, or, if `strict`, an error."""
        y = self._one_a_row(y)
        if self.label.form == "one_hot":
            rows = tf.cast(y, tf.float32)
            number = tf.argmax(rows, axis=-1, output_type=tf.int64)
            good = (tf.reduce_sum(rows, -1) == 1) & (tf.reduce_max(rows, -1) == 1)
            number = tf.where(good, number, -tf.ones_like(number))
        else:
            number = self.table.lookup(self._key(y))
        if strict:
            names = ", ".join(map(repr, self.label.classes[:10]))
            message = (
                f"PrepkitError: {self.where} is missing, or no class of the training data ({names}): drop those rows, "
                "or the label. Found:"
            )
            bad = tf.boolean_mask(y, number < 0)
            with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(number >= 0), [message, bad])]):
                number = tf.identity(number)
        return tf.cast(number, tf.int32)

    @property
    def where(self) -> str:
        return f"label {self.label.name!r}" if self.label.name else "y"

    def _one_a_row(self, y: tf.Tensor) -> tf.Tensor:
        """(rows,) labels, or (rows, classes) one-hot ones."""
        one_hot = self.label.form == "one_hot"
        width = len(self.label.classes) if one_hot else 1
        if y.shape.rank == 1 and not one_hot:
            return y
        if y.shape.rank != 2 or y.shape[1] not in (width, None):
            were = f"one-hot of {width} classes" if one_hot else f"one {self.label.form} a row"
            raise PrepkitError(f"{self.where} has shape {y.shape}, but the training labels were {were}: give the same.")
        y = tf.ensure_shape(y, (None, width))
        return y if one_hot else y[:, 0]

    def _key(self, y: tf.Tensor) -> tf.Tensor:
        if self.label.form == "string":
            if y.dtype == tf.bool:
                return tf.where(y, "True", "False")
            if y.dtype != tf.string:
                raise PrepkitError(
                    f"{self.where} is {y.dtype.name}, but the training labels were strings: give the same strings."
                )
            return _cleaned(y)
        if y.dtype == tf.string:
            y = _cleaned(y)
            if self.label.form == "bool":
                y = parse.boolean(y)
            else:
                whole = tf.strings.regex_replace(
                    tf.where(tf.strings.regex_full_match(y, WHOLE), y, "nan"), r"\.0*$", ""
                )
                return tf.strings.to_number(tf.where(whole == "nan", str(NO_CLASS), whole), tf.int64)
        if y.dtype.is_floating:
            y = tf.cast(y, tf.float64)
            good = (tf.floor(y) == y) & (tf.abs(y) < 2.0**63)
            return tf.where(good, tf.cast(tf.where(good, y, tf.zeros_like(y)), tf.int64), NO_CLASS)
        if y.dtype == tf.uint64:
            return tf.where(y < 2**63, tf.cast(y, tf.int64), NO_CLASS)
        return tf.cast(y, tf.int64)


def _cleaned(y: tf.Tensor) -> tf.Tensor:
    """`clean` in the graph."""
    return parse.strip(tf.strings.regex_replace(parse.strip(y), r"\.$", ""))


def formed(number: tf.Tensor, classes: int, form: str) -> tf.Tensor:
    """Class numbers as "int" (int32) or "one_hot" (float32)."""
    return tf.one_hot(number, classes, dtype=tf.float32) if form == "one_hot" else number
