"""The lengths of a column's strings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prepkit.scan.vocabulary import Coded


@dataclass
class Lengths:
    """Shortest and longest string in characters (code points), and how many strings; missing ones aside.

    Example:
        >>> lengths = Lengths()
        >>> lengths.update(Coded(np.array([0, 1, -1]), ("a", "späti")))
        >>> lengths.low, lengths.high, lengths.count, lengths.missing
        (1, 5, 2, 1)
    """

    low: int = 2**31 - 1
    high: int = 0
    count: int = 0
    missing: int = 0

    @classmethod
    def of(cls, words: Iterable[str]) -> Lengths:
        words = list(words)
        out = cls()
        out.update(Coded(np.arange(len(words)), words))
        return out

    def update(self, values: Coded) -> None:
        there = np.zeros(len(values.values), bool)
        there[values.codes[values.codes >= 0]] = True
        n = int(np.count_nonzero(values.codes >= 0))
        self.count += n
        self.missing += len(values) - n
        if n:
            lengths = pc.utf8_length(pa.array(values.values, pa.large_string())).to_numpy(zero_copy_only=False)[there]
            self.low, self.high = min(self.low, int(lengths.min())), max(self.high, int(lengths.max()))

    def merge(self, other: Lengths) -> None:
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        self.count += other.count
        self.missing += other.missing

    def filled(self, value: str) -> Lengths:
        if not self.missing:
            return self
        n = len(value)
        return Lengths(min(self.low, n), max(self.high, n), self.count + self.missing)

    def clipped(self, low: float, high: float) -> Lengths:
        return self

    def scaled(self, shift: float, scale: float) -> None:
        return None
