"""Data in memory: data frames, dicts of arrays, (X, y) arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import narwhals as nw
import numpy as np
import pyarrow as pa

from prepkit.errors import PrepkitError
from prepkit.source.base import RawChunk, RawColumn, Source, column_of


class Table(Source):
    """All rows in memory, by column or as one array."""

    random_access = True

    def __init__(
        self,
        columns: Mapping[str, RawColumn],
        *,
        matrix: np.ndarray | None = None,
        label: RawColumn | None = None,
        weight: Any = None,
        structure: Literal["columns", "array"] = "columns",
        name: str = "data",
    ) -> None:
        self.structure, self.name = structure, name
        lengths = {n: len(c) for n, c in columns.items()}
        lengths |= {} if matrix is None else {"X": len(matrix)}
        lengths |= {} if label is None else {"y": len(label)}
        lengths |= {} if weight is None else {"weight": len(weight)}
        if len(set(lengths.values())) > 1:
            most = max(lengths.values(), key=list(lengths.values()).count)
            odd = {n: k for n, k in lengths.items() if k != most} or lengths
            raise PrepkitError(
                f"{name}: lengths differ: {odd} rows, where the others have {most}: cut to the same rows."
            )
        if not lengths or not max(lengths.values()):
            raise PrepkitError(f"{name} has no rows: nothing to prepare.")
        self.n_rows = max(lengths.values())
        weight = None if weight is None else np.asarray(weight, np.float64)
        self._chunk = RawChunk(columns, matrix, label, weight)

    def chunks(self, rng: np.random.Generator | None = None) -> Iterator[RawChunk]:
        yield self._chunk

    def splitting(self, label: str | None, *, required: bool = True) -> Table:
        """The table with column `label` as its label."""
        if label is None or not (required or label in self._chunk.columns):
            return self
        if self._chunk.label is not None:
            if label in self._chunk.columns and required:
                raise PrepkitError(
                    f"label={label!r} is a feature of {self.name}, and y is given beside it: give one of the two, "
                    "or rename the feature."
                )
            return self
        columns = dict(self._chunk.columns)
        y = column_of(columns, label, self.name)
        del columns[label]
        if not columns:
            raise PrepkitError(f"{self.name} has no column but the label {label!r}: there is nothing to learn from.")
        return Table(columns, label=y, weight=self._chunk.weight, name=self.name)


def is_frame(data: Any) -> bool:
    return not isinstance(data, np.ndarray) and nw.from_native(data, pass_through=True) is not data


def from_frame(data: Any, **beside: Any) -> Table:
    """Any data frame that narwhals knows."""
    frame = nw.from_native(data)
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect()
    names = [str(n) for n in frame.columns]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise PrepkitError(f"columns {twice} exist twice in the {type(data).__name__}: rename one of each.")
    columns = {name: _from_series(frame[raw], name) for name, raw in zip(names, frame.columns, strict=True)}
    return Table(columns, **{"name": type(data).__name__, **beside})


def _from_series(series: nw.Series[Any], name: str) -> RawColumn:
    if series.dtype.is_numeric() and not series.dtype.is_decimal():
        values = series.to_numpy()
        if values.dtype != object:
            return values
    return _arrow(series, name)


def _arrow(values: Any, name: str) -> RawColumn:
    try:
        return values.to_arrow() if isinstance(values, nw.Series) else pa.array(values, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        listed = values.to_list() if isinstance(values, nw.Series) else list(values)
        types = sorted({type(v).__name__ for v in listed if v is not None})
        raise PrepkitError(
            f"column {name!r} mixes Python objects of types {', '.join(types[:6])} ({error}): "
            f"make them one type first, as in frame[{name!r}].astype(str)."
        ) from error


def from_mapping(data: Mapping[Any, Any], **beside: Any) -> Table:
    """A dict of arrays, lists, series or tensors."""
    columns = {str(name): as_column(values, str(name)) for name, values in data.items()}
    return Table(columns, **{"name": "dict", **beside})


def as_column(values: Any, name: str) -> RawColumn:
    """One column of whatever array type: numpy for numbers and tensors, else pyarrow."""
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values
    if not isinstance(values, np.ndarray | list | tuple):
        series = nw.from_native(values, series_only=True, pass_through=True)
        if isinstance(series, nw.Series):
            return _from_series(series, name)
    if isinstance(values, list | tuple):
        values = np.array(values, dtype=object) if any(isinstance(v, str) or v is None for v in values) else values
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise PrepkitError(f"column {name!r} is ragged ({error}): give rows of equal length.") from error
    if array.ndim == 0:
        raise PrepkitError(f"column {name!r} is the single value {values!r}: give an array with a row each.")
    if array.ndim == 1 and array.dtype.kind not in "biuf":
        return _arrow(_decoded(array), name)
    if array.dtype.kind not in "biuf":
        raise PrepkitError(f"column {name!r} is an array of {array.dtype} of shape {array.shape}: give numbers.")
    return array


def _decoded(array: np.ndarray) -> np.ndarray:
    """Bytes as strings, the way TensorFlow hands them over."""
    if array.dtype.kind == "S" or (len(array) and isinstance(array[0], bytes)):
        return np.array([v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in array], object)
    return array


def from_arrays(x: Any, y: Any = None, weight: Any = None) -> Table:
    """X and, beside it, y and weights; X a matrix, images, a data frame or a dict of arrays."""
    beside: dict[str, Any] = {"weight": weight}
    if y is not None:
        beside["label"] = as_column(y, "y")
    if isinstance(x, Mapping):
        return from_mapping(x, **beside)
    if is_frame(x):
        return from_frame(x, **beside)
    if not hasattr(x, "__array__") and not isinstance(x, list | tuple):
        raise PrepkitError(f"X of type {type(x).__name__}: give a numpy array, a data frame or a dict of arrays.")
    array = np.asarray(x)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim == 0:
        raise PrepkitError(f"X is the single value {x!r}: give a matrix with a row each.")
    if array.dtype.kind in "OUS" and array.ndim == 2:
        return from_mapping({f"x{i}": array[:, i] for i in range(array.shape[1])}, **beside)
    if array.dtype.kind not in "biuf":
        raise PrepkitError(f"X is an array of {array.dtype} of shape {array.shape}: give numbers, or a data frame.")
    if array.ndim == 2:
        return Table({}, matrix=array, structure="array", name="X", **beside)
    return Table({"x": array}, structure="array", name="X", **beside)
