"""How often each value of a column occurs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from prepkit.errors import PrepkitError

CAP = 5_000_000  # distinct values of one column, about 1 GB of Python strings


@dataclass(frozen=True)
class Coded:
    """A column as integers that point into the list of its values.

    Args:
        codes: int32 of shape (rows,); -1 where the cell is missing.
        values: what the codes 0, 1, ... stand for, each once.
    """

    codes: np.ndarray
    values: Sequence[Any]

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: Any) -> Coded:
        return Coded(self.codes[rows], self.values)

    def recoded(self, index: dict[Any, int], unseen: int) -> np.ndarray:
        """The codes by which `index` knows the values: -1 where missing, `unseen` where it has none."""
        known = np.array([-1, *(index.get(v, unseen) for v in self.values)], np.int32)
        return np.asarray(known[self.codes + 1])


@dataclass
class Vocabulary:
    """Counts of each value; the empty string, NaN and infinity are missing.

    Example:
        >>> vocabulary = Vocabulary()
        >>> vocabulary.update(Coded(np.array([0, 1, 0, -1]), ("a", "b")))
        >>> dict(vocabulary.counts), vocabulary.missing
        ({'a': 2, 'b': 1}, 1)
    """

    counts: Counter[Any] = field(default_factory=Counter)
    missing: int = 0

    def update(self, values: Coded | np.ndarray) -> None:
        if isinstance(values, Coded):
            n = np.bincount(values.codes + 1, minlength=len(values.values) + 1)
            self.missing += int(n[0])
            found, counts = values.values, n[1:].tolist()
        else:
            finite = values[np.isfinite(values)]
            self.missing += len(values) - len(finite)
            distinct, n = np.unique(finite, return_counts=True)
            found, counts = distinct.tolist(), n.tolist()
        for value, count in zip(found, counts, strict=True):
            if count:
                self.counts[value] += count
        self._check()

    def _check(self) -> None:
        if len(self.counts) > CAP:
            raise PrepkitError(
                f"a column has more than {CAP:,} distinct values, too many to list: use Hash or Text for it, "
                "another strategy than 'most_frequent', or Drop it."
            )

    def merge(self, other: Vocabulary) -> None:
        self.counts.update(other.counts)
        self.missing += other.missing
        self._check()

    def most_frequent(self) -> Any:
        """The value that occurs most often, the smallest of several, as scikit-learn has it; None of none."""
        if not self.counts:
            return None
        most = max(self.counts.values())
        return min(value for value, n in self.counts.items() if n == most)

    def filled(self, value: Any) -> Vocabulary:
        if not self.missing:
            return self
        counts = self.counts.copy()
        counts[value] += self.missing
        return Vocabulary(counts, 0)

    def clipped(self, low: float, high: float) -> Vocabulary:
        counts: Counter[Any] = Counter()
        for value, n in self.counts.items():
            counts[min(max(value, low), high)] += n
        return Vocabulary(counts, self.missing)

    def scaled(self, shift: float, scale: float) -> None:
        return None  # equal in exact arithmetic only
