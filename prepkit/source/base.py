"""What every kind of input becomes: a source of chunks of raw rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from prepkit.errors import PrepkitError

CHUNK = 65_536  # rows at a time, of what is streamed

RawColumn = Any  # a numpy array (rows, ...), or a pyarrow Array or ChunkedArray


@dataclass(frozen=True)
class RawChunk:
    """Some rows as they came.

    Args:
        columns: by name. With structure "array": one tensor "x", or none beside `matrix`.
        matrix: numbers of shape (rows, columns), where the features came as one matrix.
        label: beside the features, or taken out of them; None if there is none.
        weight: float64 (rows,), or None.
    """

    columns: Mapping[str, RawColumn]
    matrix: np.ndarray | None = None
    label: RawColumn | None = None
    weight: np.ndarray | None = None

    def __len__(self) -> int:
        if self.matrix is not None:
            return len(self.matrix)
        return len(next(iter(self.columns.values()))) if self.columns else 0


class Source(ABC):
    """Data that can be read from the start, again and again."""

    structure: Literal["columns", "array"] = "columns"
    random_access: bool = False  # whether all rows are in memory, in a single chunk
    n_rows: int | None = None  # where known without reading
    name: str = "data"  # for messages

    @abstractmethod
    def chunks(self, rng: np.random.Generator | None = None) -> Iterator[RawChunk]:
        """Read all rows once, in order; or, where `rng` is given and the source can, its pieces in random order."""


def column_of(columns: Mapping[str, RawColumn], label: str, where: str) -> RawColumn:
    """The label column, or an error that lists the columns that there are."""
    if label not in columns:
        stripped = {c.strip(): c for c in columns}
        hint = f": did you mean {stripped[label.strip()]!r}?" if label.strip() in stripped else ""
        raise PrepkitError(
            f"label={label!r} is no column of {where}{hint or '; its columns are ' + ', '.join(list(columns)[:20])}"
        )
    return columns[label]
