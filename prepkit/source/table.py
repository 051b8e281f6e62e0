"""Data in memory: data frames, dicts of arrays, (X, y) arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import narwhals as nw
import numpy as np
import pyarrow as pa

from prepkit.errors import PrepkitError
from prepkit.source.base import RawChunk, RawColumn, Source, column_of, weights_of, without_views
from prepkit.source.part import filtered

THREADED = 2**20  # cells of a frame from which on a second thread pays


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
            usual, _ = Counter(lengths.values()).most_common(1)[0]
            odd = ", ".join(f"{n!r} has {k:,}" for n, k in lengths.items() if k != usual)
            like = ", ".join(map(repr, [n for n, k in lengths.items() if k == usual][:3]))
            raise PrepkitError(f"{name}: {odd} rows, but {like} {usual:,}: give the same rows of all.")
        if not lengths or not max(lengths.values()):
            raise PrepkitError(f"{name} has no rows: nothing to prepare.")
        if not columns and (matrix is None or not matrix.shape[1]):
            raise PrepkitError(f"{name} has no columns but the label: there is nothing to learn from.")
        self.n_rows = max(lengths.values())
        weight = None if weight is None else weights_of(weight, name)
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
        table = Table(columns, label=y, weight=self._chunk.weight, name=self.name)
        table.label = label
        return table

    def filtered(self, keep: np.ndarray, name: str) -> Table:
        """The rows where `keep`, bool (rows,), says so, in their order, under another name for messages.

        Raises:
            PrepkitError: if there are none.
        """
        chunk = filtered(self._chunk, keep)
        parts: dict[str, Any] = {"matrix": chunk.matrix, "label": chunk.label, "weight": chunk.weight}
        table = Table(chunk.columns, **parts, structure=self.structure, name=name)
        table.label = self.label
        return table


def is_frame(data: Any) -> bool:
    """Whether narwhals knows `data` as a data frame."""
    try:
        return not isinstance(data, np.ndarray) and nw.from_native(data, pass_through=True) is not data
    except nw.exceptions.DuplicateError:  # a frame all the same; `from_frame` says what is wrong
        return True


def from_frame(data: Any, **beside: Any) -> Table:
    """Any data frame that narwhals knows."""
    what = type(data).__name__
    try:
        frame = nw.from_native(data)
    except nw.exceptions.DuplicateError as error:
        raise PrepkitError(f"columns of the {what} exist twice ({error}): rename one of each.") from error
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect()
    names = [str(n) for n in frame.columns]
    if twice := [n for n, times in Counter(names).items() if times > 1]:
        raise PrepkitError(f"columns {twice[:8]} exist twice in the {what}: rename one of each.")
    series = list(frame.iter_columns())
    if len(frame) * len(names) < THREADED:
        columns = list(map(_from_series, series, names))
    else:
        with ThreadPoolExecutor(2) as pool:  # strings are copied without Python's lock
            columns = list(pool.map(_from_series, series, names))
    return Table(dict(zip(names, columns, strict=True)), **{"name": what, **beside})


def _from_series(series: nw.Series[Any], name: str) -> RawColumn:
    if series.dtype.is_float() and series.implementation.is_polars() and series.null_count():
        filled = series.to_native().fill_null(float("nan"))  # by itself, to_numpy takes ten times as long for it
        return filled.to_numpy()
    whole = series.dtype.is_integer() and series.null_count()  # which numpy would round to float64
    if series.dtype == nw.Unknown or (series.dtype.is_numeric() and not series.dtype.is_decimal() and not whole):
        values = series.to_numpy()
        if values.dtype.kind in "biuf":
            return values
    array = without_views(_arrow(series, name))
    inner = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
    if not isinstance(inner, pa.BaseExtensionType):
        return array
    if pa.types.is_dictionary(array.type):  # the intervals of pandas.cut; no other library has such
        array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
        words = pa.array([str(v) for v in series.to_native().cat.categories], pa.string())
        return pa.DictionaryArray.from_arrays(array.indices, words)
    return pa.array([None if v is None or v != v else str(v) for v in series.to_list()], pa.string())


def _arrow(values: Any, name: str) -> RawColumn:
    try:
        return values.to_arrow() if isinstance(values, nw.Series) else pa.array(values, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        listed = values.to_list() if isinstance(values, nw.Series) else list(values)
        types = sorted({type(v).__name__ for v in listed if v is not None and v == v})  # NaN is missing
        raise PrepkitError(
            f"column {name!r} holds Python objects of types {', '.join(types[:6])}, of which no column can be made "
            f"({error}): make them one type first, all numbers or all strings."
        ) from error


def from_mapping(data: Mapping[Any, Any], **beside: Any) -> Table:
    """A dict of arrays, lists, series or tensors."""
    columns = {str(name): as_column(values, str(name)) for name, values in data.items()}
    if len(columns) < len(data):
        twice = [n for n, times in Counter(map(str, data)).items() if times > 1]
        raise PrepkitError(f"columns {twice[:8]} exist twice in the dict, as text: rename one of each.")
    return Table(columns, **{"name": "dict", **beside})


def as_column(values: Any, name: str) -> RawColumn:
    """One column of whatever array type: numpy for numbers and tensors, else pyarrow."""
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return without_views(values)
    if is_frame(values):
        values = _from_narrow(values, name)
    if not isinstance(values, np.ndarray | list | tuple):
        series = nw.from_native(values, series_only=True, pass_through=True)
        if isinstance(series, nw.Series):
            return _from_series(series, name)
        if hasattr(values, "__arrow_array__"):  # an array of pandas' own, without an index
            return _arrow(values, name)
    if isinstance(values, list | tuple):
        values = np.array(values, dtype=object) if any(isinstance(v, str) or v is None for v in values) else values
    try:
        array = _unmasked(values)
    except ValueError as error:
        raise PrepkitError(f"column {name!r} is ragged ({error}): give rows of equal length.") from error
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 0:
        raise PrepkitError(f"column {name!r} is the single value {values!r}: give an array with a row each.")
    if array.ndim == 1 and array.dtype.kind not in "biuf":
        return _arrow(array.tolist() if array.dtype.kind == "S" else array, name)
    if array.dtype.kind not in "biuf":
        raise PrepkitError(f"column {name!r} is an array of {array.dtype} of shape {array.shape}: give numbers.")
    return array


def _from_narrow(data: Any, name: str) -> Any:
    """The series of a data frame of one column, such as y; of several, a matrix."""
    frame = nw.from_native(data)
    frame = frame.collect() if isinstance(frame, nw.LazyFrame) else frame
    columns = list(frame.iter_columns())
    if len(columns) != 1 and not all(c.dtype.is_numeric() or c.dtype == nw.Boolean for c in columns):
        raise PrepkitError(f"{name!r} is a data frame of {len(columns)} columns: choose one of them.")
    return columns[0].to_native() if len(columns) == 1 else frame.to_numpy()


def _unmasked(values: Any) -> np.ndarray:
    """As numpy, NaN for what a masked array hides."""
    if isinstance(values, np.ma.MaskedArray) and values.dtype.kind in "biuf":
        return np.asarray(np.ma.filled(values.astype(np.float64), np.nan))
    return np.asarray(values)


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
    try:
        array = _unmasked(x)
    except ValueError as error:
        raise PrepkitError(f"X is ragged ({error}): give rows of equal length.") from error
    if array.ndim == 0:
        raise PrepkitError(f"X is the single value {x!r}: give a matrix with a row each.")
    if array.ndim <= 2 and array.dtype.kind in "OUSM":
        return _from_objects(array, beside)
    if array.dtype.kind not in "biuf":
        raise PrepkitError(f"X is an array of {array.dtype} of shape {array.shape}: give numbers, or a data frame.")
    if array.ndim <= 2:
        matrix = array[:, None] if array.ndim == 1 else array
        return Table({}, matrix=matrix, structure="array", name="X", **beside)
    return Table({"x": array}, structure="array", name="X", **beside)


def _from_objects(array: np.ndarray, beside: Mapping[str, Any]) -> Table:
    """Objects: of numbers only, as a matrix of them; one column of others as "x"; several as x0, x1, ..."""
    matrix = array[:, None] if array.ndim == 1 else array
    columns = {f"x{i}": as_column(matrix[:, i], f"x{i}") for i in range(matrix.shape[1])}
    types = [c.type for c in columns.values()]
    if types and all(pa.types.is_integer(t) or pa.types.is_floating(t) or pa.types.is_null(t) for t in types):
        numbers = [c.cast(pa.float64()).to_numpy(zero_copy_only=False) for c in columns.values()]
        return Table({}, matrix=np.stack(numbers, 1), structure="array", name="X", **beside)
    if array.ndim == 1:
        return Table({"x": columns["x0"]}, structure="array", name="X", **beside)
    return Table(columns, name="X", **beside)
