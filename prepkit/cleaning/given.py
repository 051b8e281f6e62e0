"""Probabilities that a user hands over: checked, with an error that says how to mend them, and cured of rounding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import numpy as np

from prepkit.errors import PrepkitError
from prepkit.labels import clean
from prepkit.source.table import is_frame
from prepkit.users_model import ROUNDING

# What float16 and few digits leave of a probability, and of a sum, of 0.33 three times say; logits are far beyond.
OF_SUMS = 0.0101
LEAST = 1e-7  # Keras' epsilon, by which its losses clip probabilities; float32 still tells 1 - 1e-7 from 1
SHOWN = 10  # class names in a message


def checked(pred_probs: Any, rows: int, class_names: Sequence[str], where: str = "pred_probs") -> np.ndarray:
    """Class probabilities as a matrix that cleanlab accepts, in the order of the classes.

    Args:
        pred_probs: array-like (rows, classes) in the order of `class_names`; a data frame (pandas, polars, pyarrow)
            whose columns are called as the classes, in any order; of two classes also (rows,) or (rows, 1), the
            probability of the second one, or a frame of one column, that of the class it is called by.
        rows: how many rows were read.
        class_names: in the order of the class numbers.
        where: what messages call the probabilities.

    Returns:
        A new array of float64, or float32 of float32 and float16, (rows, classes): at least about 1e-7, at most 1,
        each row summing to 1.

    Raises:
        PrepkitError: if there are not as many rows and columns as there should be, or columns of other names; if they
            are not numbers, or whole numbers, as decisions are; if a value is NaN, infinite, or outside 0 to 1 by more
            than 1e-3; if a row does not sum to 1 within 1e-2.

    Example:
        >>> checked([0.25, 1.0], 2, ("ham", "spam")).round(3)
        array([[0.75, 0.25],
               [0.  , 1.  ]])
        >>> checked([[0.25, 0.75], [-1.2, 3.4]], 2, ("ham", "spam"))
        Traceback (most recent call last):
        prepkit.errors.PrepkitError: pred_probs: row 1 holds 3.4, and a probability is from 0 to 1: apply a softmax
        to each row if these are logits.
    """
    names = [clean(str(name)) for name in class_names]
    if is_frame(pred_probs):
        values = _of_frame(pred_probs, names, where)
    else:
        values = _in_floats(pred_probs, where)
    values = _shaped(values, rows, names, where)
    _check_values(values, where)
    if values.shape[1] == 1 < len(names):
        values = np.concatenate([1 - values, values], axis=1)
    _check_sums(values, where)
    return cured(values)


def cured(probabilities: np.ndarray) -> np.ndarray:
    """A copy without what rounding leaves: no probability is 0 or beyond 1, and each row sums to 1.

    An exact 0 is never certain, and takes the logarithm or the entropy that a score is made of to where it says
    nothing.

    Args:
        probabilities: float32 or float64 (rows, classes), finite, summing to about 1 in each row.

    Returns:
        The same shape and dtype: at least about 1e-7, at most 1.

    Example:
        >>> cured(np.array([[1.0000100, -2e-9]])).round(7)
        array([[9.999999e-01, 1.000000e-07]])
    """
    values: np.ndarray = np.maximum(probabilities, LEAST)
    values /= values.sum(axis=1, keepdims=True)
    return values


def _of_frame(frame: Any, names: Sequence[str], where: str) -> np.ndarray:
    """The columns in the order of the classes."""
    try:
        table = nw.from_native(frame)
        table = table.collect() if isinstance(table, nw.LazyFrame) else table
        columns = {clean(str(name)): values for name, values in zip(table.columns, table.iter_columns(), strict=True)}
    except nw.exceptions.DuplicateError as error:
        raise PrepkitError(f"{where} has several columns of one name: keep one for each class.") from error
    if len(columns) == 1 and len(names) == 2 and (only := next(iter(columns))) in names:
        values = _in_floats(columns[only].to_numpy(), where)
        return values if only == names[1] else 1 - values
    if set(columns) != set(names) or len(columns) < len(table.columns):
        missing, unknown = ([n for n in a if n not in b] for a, b in ((names, columns), (columns, names)))
        told = [f"{word} {_listed(found)}" for word, found in (("lacks", missing), ("has", unknown)) if found]
        raise PrepkitError(
            f"{where} {' and '.join(told) or 'has several columns of one name'}, and its columns have to be called as "
            f"the classes, {_listed(names)}: rename them, or give an array in this order."
        )
    # A column of 0 and 1 only, read from a file, is one of whole numbers beside others that are not.
    return _in_floats(np.column_stack([columns[name].to_numpy() for name in names]), where)


def _in_floats(values: Any, where: str) -> np.ndarray:
    """An array of float32 or float64."""
    fix = "give probabilities, as model.predict or predict_proba returns them"
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise PrepkitError(f"{where} is ragged ({error}): give a number for each class in each row.") from error
    if array.dtype == object and not any(isinstance(v, str) for v in array.ravel()[:1]):
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise PrepkitError(f"{where} holds what is not a number ({error}): {fix}.") from error
    if array.dtype.kind in "biu" and array.ndim:
        raise PrepkitError(f"{where} holds whole numbers ({array.dtype}), as decisions are: {fix}.")
    if array.dtype.kind != "f":
        raise PrepkitError(f"{where} is of type {type(values).__name__} and holds {array.dtype}: {fix}.")
    return array.astype(np.float32 if array.dtype.itemsize <= 4 else np.float64, copy=False)


def _shaped(values: np.ndarray, rows: int, names: Sequence[str], where: str) -> np.ndarray:
    """As (rows, classes), or (rows, 1) for the second of two classes."""
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2:
        raise PrepkitError(
            f"{where} has shape {values.shape}: give one row of {len(names)} probabilities for each row."
        )
    if len(values) != rows:
        if values.shape == (len(names), rows):
            raise PrepkitError(f"{where} has shape {values.shape}, classes by rows: give its transpose.")
        raise PrepkitError(
            f"{where} has {len(values):,} rows, but {rows:,} were read: give one for each row that was read, in that "
            "order, refused and unlabelled ones included."
        )
    width = values.shape[1]
    if width != len(names) and not (width == 1 and len(names) == 2):
        raise PrepkitError(
            f"{where} has {width} column{'s' * (width != 1)}, but there are {len(names)} classes: give a column for "
            f"each of {_listed(names)}, in this order."
        )
    return values


def _check_values(values: np.ndarray, where: str) -> None:
    """Refuse what is not finite or not from 0 to 1."""
    bad = ~np.isfinite(values).all(axis=1)
    if bad.any():
        row = int(bad.argmax())
        value = values[row][~np.isfinite(values[row])][0]
        raise PrepkitError(
            f"{where}: {_first(bad)} holds {value}, as of a model that diverged: train it anew, with scaled "
            "features and a smaller learning rate, or mend the rows."
        )
    if not values.size or (values.min() >= -ROUNDING and values.max() <= 1 + ROUNDING):
        return
    bad = np.any((values < -ROUNDING) | (values > 1 + ROUNDING), axis=1)
    extreme = values[int(bad.argmax())]
    value = extreme[np.abs(extreme - 0.5).argmax()]
    raise PrepkitError(
        f"{where}: {_first(bad)} holds {value:.4g}, and a probability is from 0 to 1: {_of_beyond(values)}."
    )


def _of_beyond(values: np.ndarray) -> str:
    """How to mend values that are not from 0 to 1."""
    if values.shape[1] == 1:
        return "apply a sigmoid if these are logits"
    if values.min() >= -ROUNDING and np.allclose(values.sum(axis=1), 100, atol=100 * OF_SUMS):
        return "divide by 100, for these are percent"
    if values.max() <= ROUNDING and np.allclose(np.exp(values).sum(axis=1), 1, atol=OF_SUMS):
        return "apply np.exp, for these are logarithms"
    return "apply a softmax to each row if these are logits"


def _check_sums(values: np.ndarray, where: str) -> None:
    sums = values.sum(axis=1, dtype=np.float64)
    bad = np.abs(sums - 1) > OF_SUMS
    if not bad.any():
        return
    raise PrepkitError(
        f"{where}: {_first(bad)} sums to {sums[bad.argmax()]:.4g}, not to 1: apply a softmax to each row if "
        "these are logits, or divide it by its sum; if the model has a sigmoid for each class, as for several labels "
        "a row, give it a softmax, for here a row has one class."
    )


def _first(bad: np.ndarray) -> str:
    """The first of the rows that are bad, and how many others there are."""
    more = int(bad.sum()) - 1
    return f"row {int(bad.argmax())}" + (f" (and {more:,} more)" if more else "")


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(map(repr, names[:SHOWN])) + more
