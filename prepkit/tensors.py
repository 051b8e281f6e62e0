"""Raw tensors become columns: parsed and typed, in the graph."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from prepkit.errors import PrepkitError
from prepkit.parse import category, is_missing, parse
from prepkit.spec import Column

WHOLE = 2.0**63  # beyond are no numbers of int64
WORDS = ("categorical", "text")  # kinds whose cells are strings


class Texts(NamedTuple):
    """A column of strings as its distinct ones (words,) and where they occur (rows,): work is done on each once."""

    words: tf.Tensor
    codes: tf.Tensor

    def rows(self) -> tf.Tensor:
        """The strings (rows,)."""
        return tf.gather(self.words, self.codes)

    def without(self, rows: tf.Tensor) -> Texts:
        """The same, but for some rows, given by booleans, whose cells are missing."""
        n = tf.shape(self.words)[0]
        return Texts(tf.concat([self.words, [""]], 0), tf.where(rows, n, self.codes))


def entered(x: tf.Tensor, column: Column, block: str) -> tuple[tf.Tensor | Texts, tf.Tensor | None]:
    """A raw column parsed and typed, and which of its cells are there but cannot be read; None where all can.

    Args:
        x: (rows,) or (rows, 1), or (rows, *shape) of a tensor.
        column: as it comes in.
        block: the packed tensor that it goes to.

    Returns:
        Floats (rows,) of the block's type, NaN where missing; `Texts`, "" where missing; or the tensor.
    """
    if column.kind == "tensor":
        return shaped(x, column), None
    x = one_a_row(x, column)
    if x.dtype != tf.string:
        values = enter_column(x, column, block)
        return (Texts(values, tf.range(tf.shape(values)[0])) if values.dtype == tf.string else values), None
    words, codes = tf.unique(x)
    values = enter_column(words, column, block)
    if values.dtype == tf.string:
        return Texts(values, codes), None
    cannot = (values != values) & ~is_missing(words, column.missing)
    return tf.gather(values, codes), tf.gather(cannot, codes)


def finite(x: tf.Tensor) -> tf.Tensor:
    """NaN, which is missing, in the place of infinity."""
    return tf.where(tf.math.is_finite(x), x, tf.constant(np.nan, x.dtype)) if x.dtype.is_floating else x


def one_a_row(x: tf.Tensor, column: Column) -> tf.Tensor:
    if x.shape.rank == 2 and x.shape[1] == 1:
        x = x[:, 0]
    if x.shape.rank != 1:
        raise PrepkitError(f"column {column.name!r} has shape {tuple(x.shape)}: give one value a row.")
    return x


def shaped(x: tf.Tensor, column: Column) -> tf.Tensor:
    if x.shape.rank != len(column.shape) + 1:
        raise PrepkitError(
            f"{column.name!r} has shape {tuple(x.shape)}, but the training rows had {column.shape} each."
        )
    check_whole(column, x.dtype.as_numpy_dtype)
    return tf.ensure_shape(tf.cast(x, column.dtype), (None, *column.shape))


def check_whole(column: Column, given: Any) -> None:
    """Refuse fractions where there were whole numbers, such as pixels of 0 to 1 where they went to 255."""
    if np.dtype(column.dtype).kind in "biu" and np.dtype(given).kind not in "biu":
        raise PrepkitError(
            f"{column.name!r} is {np.dtype(given)}, but was {column.dtype} in training: give the same numbers, "
            f"and as {column.dtype}."
        )


def enter_column(x: tf.Tensor, column: Column, block: str) -> tf.Tensor:
    """One scalar column (rows,) parsed and typed: float of the block's type, or string, "" where missing."""
    x = one_a_row(x, column)
    if column.kind in WORDS:
        if x.dtype == tf.string:
            return category(x, column.missing)
        check_type(column, x.dtype.name)
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
    words = tf.where(whole, words, tf.strings.as_string(x, precision=digits(x.dtype.as_numpy_dtype), shortest=True))
    return tf.where(tf.math.is_finite(x), words, tf.fill(tf.shape(x), ""))


def digits(dtype: Any) -> int:
    """The digits that any number of so many has as it is written, be it float32 or float64."""
    return 7 if np.dtype(dtype) == np.float32 else 15


def check_type(column: Column, dtype: str) -> None:
    if column.dtype == "string":
        raise PrepkitError(
            f"column {column.name!r} is {dtype}, but was strings ({column.kind}) in training: "
            "give it as strings, or fit on data of the same type."
        )
