"""What every kind of input becomes: a source of chunks of raw rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from prepkit.errors import PrepkitError

CHUNK = 65_536  # rows at a time, of what is streamed
CHUNK_BYTES = 2**25  # and no more than this, unless a single row takes it

RawColumn = Any  # a numpy array (rows, ...), or a pyarrow Array or ChunkedArray


@dataclass(frozen=True)
class RawChunk:
    """Some rows as they came.

    Args:
        columns: by name. With structure "array": one tensor "x", or none beside `matrix`.
        matrix: numbers of shape (rows, columns), where the features came as one matrix.
        label: beside the features, or taken out of them; None if there is none.
        weight: float64 (rows,), or None.
        plain: columns of strings that were coded by a dictionary only in reading: nobody declared them categories.
    """

    columns: Mapping[str, RawColumn]
    matrix: np.ndarray | None = None
    label: RawColumn | None = None
    weight: np.ndarray | None = None
    plain: frozenset[str] = frozenset()

    def __len__(self) -> int:
        if self.matrix is not None:
            return len(self.matrix)
        return len(next(iter(self.columns.values()))) if self.columns else 0


class Source(ABC):
    """Data that can be read from the start, again and again."""

    structure: Literal["columns", "array"] = "columns"
    random_access: bool = False  # whether all rows are in memory, in a single chunk
    n_rows: int | None = None  # where known without reading
    label: str | None = None  # the column that was taken out as the label
    name: str = "data"  # for messages

    @abstractmethod
    def chunks(self, rng: np.random.Generator | None = None) -> Iterator[RawChunk]:
        """Read all rows once, in order; or, where `rng` is given and the source can, its pieces in random order."""


def chunk_rows(row_bytes: int) -> int:
    """How many rows of so many bytes are read at a time."""
    return max(1, min(CHUNK, CHUNK_BYTES // max(row_bytes, 1)))


def without_views(values: Any) -> Any:
    """A pyarrow array whose strings are no views, for which pyarrow lacks half of its functions."""
    if pa.types.is_string_view(values.type):
        return values.cast(pa.large_string())
    return values.cast(pa.large_binary()) if pa.types.is_binary_view(values.type) else values


def weights_of(values: Any, where: str, start: int = 0) -> np.ndarray:
    """Weights as float64 (rows,), or an error for what is none; `start` is the number of the first row."""
    try:
        weight = np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise PrepkitError(f"the weights of {where} are no numbers ({error}): give one number a row.") from error
    weight = weight[:, 0] if weight.ndim == 2 and weight.shape[1] == 1 else weight
    if weight.ndim != 1:
        raise PrepkitError(f"the weights of {where} have shape {weight.shape}: give one number a row.")
    bad = ~(np.isfinite(weight) & (weight >= 0))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise PrepkitError(
            f"the weight of row {row + start} of {where} is {weight[row]:g}: give finite numbers, 0 or more."
        )
    return weight


def column_of(columns: Mapping[str, RawColumn], label: str, where: str) -> RawColumn:
    """The label column, or an error that lists the columns that there are."""
    if label not in columns:
        same = {c.strip().lower(): c for c in columns}.get(label.strip().lower())
        listed = ", ".join(map(repr, list(columns)[:20])) + (", ..." if len(columns) > 20 else "")
        hint = f"did you mean {same!r}?" if same is not None else f"choose one of {listed}."
        raise PrepkitError(f"label={label!r} is no column of {where}: {hint}")
    return columns[label]
