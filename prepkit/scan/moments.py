"""Count, mean and variance of a numeric column."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PIECE = 65_536  # values at a time, so that the float64 copies stay in the cache


@dataclass
class Moments:
    """Mean and sum of squared deviations in float64, by the pairwise update of Chan et al. (1983).

    NaN and infinite cells are counted as missing. The variance is that of the population, as in
    scikit-learn's StandardScaler; of no value, the mean is 0.

    Example:
        >>> moments = Moments()
        >>> moments.update(np.array([1.0, 3.0, np.nan]))
        >>> moments.mean, moments.variance, moments.missing
        (2.0, 1.0, 1)

    Source: doi:10.1080/00031305.1983.10483115
    """

    count: int = 0
    missing: int = 0
    mean: float = 0.0
    m2: float = 0.0
    rest: float = 0.0  # what rounding left of the mean

    @np.errstate(over="ignore", invalid="ignore")  # of values beyond 1e154 the squares are infinite
    def update(self, values: np.ndarray) -> None:
        for start in range(0, len(values), PIECE):
            piece = values[start : start + PIECE].astype(np.float64)
            total = float(piece.sum())
            if not np.isfinite(total):
                piece = piece[np.isfinite(piece)]
                total = float(piece.sum())
            self.missing += min(PIECE, len(values) - start) - len(piece)
            if len(piece):
                mean = total / len(piece)
                piece -= mean
                drift = float(piece.sum()) / len(piece)  # what rounding left of the mean
                np.square(piece, out=piece)
                m2 = max(float(piece.sum()) - len(piece) * drift * drift, 0.0)
                self._add(len(piece), mean, m2, drift)

    def _add(self, count: int, mean: float, m2: float, rest: float) -> None:
        if not count:
            return
        if not self.count:
            self.mean = mean
        total = self.count + count
        delta = (mean - self.mean) + (rest - self.rest)
        step = delta * count / total
        mean = self.mean + step
        self.rest += (self.mean - mean) + step
        self.mean = mean
        self.m2 += m2 + delta * delta * self.count * count / total
        self.count = total

    def merge(self, other: Moments) -> None:
        self._add(other.count, other.mean, other.m2, other.rest)
        self.missing += other.missing

    @property
    def variance(self) -> float:
        return self.m2 / self.count if self.count else 0.0

    def filled(self, value: float) -> Moments:
        out = Moments(self.count, 0, self.mean, self.m2, self.rest)
        out._add(self.missing, value, 0.0, 0.0)
        return out

    def clipped(self, low: float, high: float) -> None:
        return None

    def scaled(self, shift: float, scale: float) -> Moments:
        mean = (self.mean - shift + self.rest) * scale
        return Moments(self.count, self.missing, mean, self.m2 * scale * scale)
