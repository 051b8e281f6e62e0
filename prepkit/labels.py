"""Labels in any form become class numbers, in numpy for our own sources and in the graph for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf

from prepkit.errors import PrepkitError
from prepkit.parse import strip
from prepkit.scan import Coded
from prepkit.source.base import RawColumn
from prepkit.spec import Label

# "None" is not among them: as a class it is common, as a missing label it is not.
MISSING = frozenset({"", "?", "nan", "NaN", "NA", "N/A", "null", "NULL", "<NA>"})
WIDEST_RANGE = 1_000_000  # of integer labels that are counted by their distance from the smallest


def clean(value: str) -> str:
    """A string label without what only its writing adds: spaces around it and one trailing dot."""
    return value.strip().removesuffix(".").rstrip()


def decode_label(raw: RawColumn, form: str, name: str | None) -> Coded:
    """The labels as codes into the values that occur; -1 where the label is missing.

    Raises:
        PrepkitError: if a label is not of the form that the training labels had.
    """
    where = f"label {name!r}" if name else "y"
    if form == "one_hot":
        return _decode_one_hot(np.asarray(raw), where)
    if isinstance(raw, np.ndarray) and raw.ndim == 2 and raw.shape[1] == 1:
        raw = raw[:, 0]
    if isinstance(raw, np.ndarray) and raw.ndim > 1:
        raise PrepkitError(f"{where} has shape {raw.shape}, but the training labels were one {form} a row.")
    if isinstance(raw, np.ndarray) and raw.dtype.kind in "biuf":
        return _decode_numbers(raw, form, where)
    array = raw if isinstance(raw, pa.Array | pa.ChunkedArray) else pa.array(raw, from_pandas=True)
    if pa.types.is_boolean(array.type) or pa.types.is_integer(array.type) or pa.types.is_floating(array.type):
        numbers = array.cast(pa.float64()).to_numpy(zero_copy_only=False)
        return _decode_numbers(numbers, form, where)
    return _decode_strings(array, form, where)


def _decode_one_hot(raw: np.ndarray, where: str) -> Coded:
    if raw.ndim != 2:
        raise PrepkitError(
            f"{where} has shape {raw.shape}, but the training labels were one-hot: give (rows, classes)."
        )
    codes = raw.argmax(1).astype(np.int32)
    good = (raw.sum(1) == 1) & (raw.max(1) == 1)
    return Coded(np.where(good, codes, -1).astype(np.int32), range(raw.shape[1]))


def _decode_numbers(raw: np.ndarray, form: str, where: str) -> Coded:
    if form == "string":
        raise PrepkitError(f"{where} holds numbers ({raw.dtype}), but the training labels were strings.")
    finite = np.isfinite(raw)
    whole = raw if finite.all() else np.where(finite, raw, raw[finite][0] if finite.any() else 0)
    values = whole.astype(np.int64)
    if raw.dtype.kind == "f" and not np.array_equal(values, whole):
        odd = whole[values != whole][0]
        raise PrepkitError(
            f"{where} holds {odd:g}: labels are classes, so whole numbers; bin continuous targets first."
        )
    low, high = (int(values.min()), int(values.max())) if len(values) else (0, 0)
    if high - low < WIDEST_RANGE:
        codes, names = (values - low).astype(np.int32), [*range(low, high + 1)]
    else:
        distinct, inverse = np.unique(values, return_inverse=True)
        codes, names = inverse.astype(np.int32), distinct.tolist()
    codes[~finite] = -1
    return Coded(codes, [bool(n) for n in names] if form == "bool" else names)


def _decode_strings(array: Any, form: str, where: str) -> Coded:
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    encoded = array if pa.types.is_dictionary(array.type) else array.cast(pa.string()).dictionary_encode()
    raw_values = encoded.dictionary.cast(pa.string()).to_pylist()
    values: dict[Any, int] = {}
    place = [-1]
    for raw in raw_values:
        value: Any = None if raw is None else clean(raw)
        if value is None or value in MISSING:
            place.append(-1)
            continue
        if form == "int":
            value = _whole(value, raw, where)
        elif form == "bool":
            value = _true(value, raw, where)
        place.append(values.setdefault(value, len(values)))
    indices = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return Coded(np.array(place, np.int32)[indices + 1], list(values))


def _whole(value: str, raw: str, where: str) -> int:
    try:
        number = float(value)
    except ValueError:
        number = 0.5
    if number != int(number):
        raise PrepkitError(f"{where} holds {raw!r}, but the training labels were whole numbers.")
    return int(number)


def _true(value: str, raw: str, where: str) -> bool:
    words = {"true": True, "t": True, "yes": True, "y": True, "1": True}
    words |= {"false": False, "f": False, "no": False, "n": False, "0": False}
    if value.lower() not in words:
        raise PrepkitError(f"{where} holds {raw!r}, but the training labels were true or false.")
    return words[value.lower()]


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
        form = self.label.form
        if form == "one_hot":
            number = tf.argmax(y, axis=-1, output_type=tf.int64)
            good = tf.reduce_sum(y, -1) == 1
            number = tf.where(good, number, -tf.ones_like(number))
        else:
            y = y[:, 0] if y.shape.rank == 2 else y
            number = self.table.lookup(self._key(y))
        if strict:
            names = ", ".join(map(repr, self.label.classes[:10]))
            message = f"PrepkitError: labels that are missing or none of the training classes ({names}): "
            message += "drop those rows, or the label. Found:"
            checks = [tf.debugging.Assert(tf.reduce_all(number >= 0), [message, tf.boolean_mask(y, number < 0)])]
            with tf.control_dependencies(checks):
                number = tf.identity(number)
        return tf.cast(number, tf.int32)

    def _key(self, y: tf.Tensor) -> tf.Tensor:
        if self.label.form == "string":
            if y.dtype != tf.string:
                raise PrepkitError(f"y is {y.dtype.name}, but the training labels were strings.")
            return strip(tf.strings.regex_replace(strip(y), r"\.$", ""))
        if y.dtype == tf.string:
            raise PrepkitError(f"y is strings, but the training labels were {self.label.form}.")
        if y.dtype.is_floating:  # NaN is missing, and no class has the smallest integer
            y = tf.where(tf.math.is_nan(y), tf.cast(tf.int64.min, y.dtype), y)
        return tf.cast(y, tf.int64)


def formed(number: tf.Tensor, classes: int, form: str) -> tf.Tensor:
    """Class numbers as "int" (int32) or "one_hot" (float32)."""
    return tf.one_hot(number, classes, dtype=tf.float32) if form == "one_hot" else number
