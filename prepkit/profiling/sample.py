"""Some rows, drawn evenly from all that go by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from prepkit.scan import Coded

ROWS = 30_000  # the ranks of quantiles are then good to 1 % (1.63 / sqrt(ROWS)) in 99 of 100 samples
FEWEST_ROWS = 200
SPARE = 8  # standard deviations more than wanted, lest there be fewer by chance
CELLS = 2**24  # numbers in the whole sample: 64 to 128 MB


def rows_wanted(width: int) -> int:
    """How many rows of so many numbers each are drawn."""
    return min(ROWS, max(FEWEST_ROWS, CELLS // max(width, 1)))


@dataclass(frozen=True)
class Sample:
    """Rows in their order.

    Args:
        rows: int64, their numbers among all rows, rising.
        columns: each decoded: floats, `Coded` with every value once, or a tensor.
        texts: the raw strings of columns of numbers that came as strings, as a pyarrow array.
        classes: int32, of the label; -1 where it is missing; None without a label.
    """

    rows: np.ndarray
    columns: Mapping[str, Any]
    texts: Mapping[str, Any]
    classes: np.ndarray | None

    def __len__(self) -> int:
        return len(self.rows)


@dataclass
class Sampler:
    """Draws `wanted` rows, each with the same chance, whatever the batches: those of the smallest random numbers.

    Args:
        wanted: how many rows; all of them if there are fewer.
        seed: of the draw.
        expected: how many rows there will be, where that is known: fewer are then held on the way.
    """

    wanted: int
    seed: int
    expected: int | None = None
    limit: float = 1.0  # of the random numbers
    rows: int = 0  # that went by
    parts: list[dict[Any, Any]] = field(default_factory=list)  # each with "rows" and "draws"

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng(self.seed)
        if self.expected is not None and self.expected > 2 * self.wanted:
            self.limit = (self.wanted + SPARE * self.wanted**0.5) / self.expected

    def chosen(self, n: int) -> dict[Any, np.ndarray]:
        """Which of the next `n` rows may be in the sample: "places" among them, "rows" among all, and their "draws"."""
        draws = self._rng.random(n)
        places = np.flatnonzero(draws <= self.limit)
        self.rows += n
        return {"places": places, "rows": places + (self.rows - n), "draws": draws[places]}

    def add(self, part: dict[Any, Any]) -> None:
        """Keep a part: "rows", "draws" and columns, all of the same rows."""
        self.parts.append(part)
        if sum(len(p["rows"]) for p in self.parts) > 2 * self.wanted:
            self._thin()

    def _thin(self) -> None:
        draws = np.concatenate([p["draws"] for p in self.parts])
        if len(draws) > self.wanted:
            self.limit = float(np.partition(draws, self.wanted - 1)[self.wanted - 1])
            kept = [np.flatnonzero(p["draws"] <= self.limit) for p in self.parts]
            self.parts = [_taken(p, rows) for p, rows in zip(self.parts, kept, strict=True)]

    def result(self) -> dict[Any, Any]:
        """The rows, parts put together."""
        self._thin()
        return {name: _joined([p[name] for p in self.parts]) for name in self.parts[0]}


def _taken(part: Mapping[Any, Any], rows: np.ndarray) -> dict[Any, Any]:
    return {n: v.take(rows) if isinstance(v, pa.Array) else v[rows] for n, v in part.items()}


def _joined(parts: Sequence[Any]) -> Any:
    if isinstance(parts[0], Coded):
        return _one_vocabulary(parts)
    if isinstance(parts[0], pa.Array):
        return pa.concat_arrays([p.cast(parts[0].type) for p in parts])
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _one_vocabulary(parts: Iterable[Coded]) -> Coded:
    """The same rows, with the values that occur in them, each once."""
    index: dict[Any, int] = {}
    codes = []
    for part in parts:
        used = np.bincount(part.codes + 1, minlength=len(part.values) + 1)[1:] > 0
        place = np.full(len(part.values) + 1, -1, np.int32)
        for i in np.flatnonzero(used).tolist():
            place[i + 1] = index.setdefault(part.values[i], len(index))
        codes.append(place[part.codes + 1])
    return Coded(np.concatenate(codes), list(index))
