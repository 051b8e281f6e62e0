"""The smallest and largest value of a numeric column."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class Extremes:
    """Running minimum and maximum in the column's unit; (inf, -inf) of no value.

    Example:
        >>> extremes = Extremes()
        >>> extremes.update(np.array([3.0, np.nan, 1.0]))
        >>> extremes.low, extremes.high, extremes.missing
        (1.0, 3.0, 1)
    """

    low: float = np.inf
    high: float = -np.inf
    missing: int = 0

    def update(self, values: np.ndarray) -> None:
        if not len(values):
            return
        low, high = float(values.min()), float(values.max())
        if not np.isfinite(low + high):
            finite = values[np.isfinite(values)]
            self.missing += len(values) - len(finite)
            low, high = float(finite.min(initial=np.inf)), float(finite.max(initial=-np.inf))
        self.low, self.high = min(self.low, low), max(self.high, high)

    def merge(self, other: Extremes) -> None:
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        self.missing += other.missing

    def filled(self, value: float) -> Extremes:
        if not self.missing:
            return self
        return Extremes(min(self.low, value), max(self.high, value))

    def clipped(self, low: float, high: float) -> Extremes:
        if self.low > self.high:
            return self
        return Extremes(min(max(self.low, low), high), max(min(self.high, high), low), self.missing)

    def scaled(self, shift: float, scale: float) -> Extremes | None:
        if scale < 0:
            return None
        return Extremes((self.low - shift) * scale, (self.high - shift) * scale, self.missing)
