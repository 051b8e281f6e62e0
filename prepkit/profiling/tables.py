"""What a table of counts, values by classes, says of how the two hang together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from prepkit.profiling.describe import Distinct, quantiles
from prepkit.scan import Coded

BINS = 64  # of numbers: fine enough for a threshold that gives the label away, coarse enough for 50 rows each
SMOOTHING = 1.0  # rows of the overall shares that are added to each value's own


@dataclass(frozen=True)
class Levels:
    """A column as integers: 0 where it is missing, else the number of its value or bin, from 1.

    Args:
        codes: int64 (rows,).
        n: how many there are, the 0 among them.
    """

    codes: np.ndarray
    n: int


def levels(values: Any, numbers: Distinct | None, bins: int = BINS) -> Levels:
    """Each category, each number where there are at most `bins`, else bins of about as many rows each."""
    if isinstance(values, Coded):
        return Levels(values.codes.astype(np.int64) + 1, len(values.values) + 1)
    assert numbers is not None
    if not len(numbers.values):
        return Levels(np.zeros(len(values), np.int64), 1)
    edges = numbers.values
    if len(edges) > bins:
        edges = np.unique(quantiles(numbers, np.arange(bins) / bins))
    codes = np.searchsorted(edges, values, side="right").astype(np.int64)
    if values.dtype.kind == "f":
        codes[~np.isfinite(values)] = 0
    return Levels(codes, len(edges) + 1)


def cross(a: Levels, b: np.ndarray, n: int) -> np.ndarray:
    """int64 (a.n, n): rows of each level and each of `n` classes `b`; rows where `b` is negative do not count."""
    known = b >= 0
    cells = a.codes[known] * n + b[known]
    return np.bincount(cells, minlength=a.n * n).reshape(a.n, n)


@dataclass(frozen=True)
class Prediction:
    """How well a class is told from a column alone, each row judged by the others.

    Args:
        gain: by which share of the entropy of the classes the log-loss is lower than it; below 0 if it is higher.
        error: share of rows whose class is not the most frequent of their level.
        least_error: the same where the most frequent class is always said.
    """

    gain: float
    error: float
    least_error: float

    @property
    def saved(self) -> float:
        """The share of the errors that knowing the column saves."""
        return 1.0 - self.error / self.least_error if self.least_error > 0 else 0.0


def prediction(table: np.ndarray) -> Prediction:
    """Of the classes (columns of `table`) from the levels (rows): frequencies, leave-one-out in closed form.

    Leaving a row out takes 1 from the count of its own cell, so no model has to be fitted twice.
    """
    total = table.sum()
    if not total:
        return Prediction(0.0, 0.0, 0.0)
    share = table.sum(0) / total
    entropy = -float((share[share > 0] * np.log(share[share > 0])).sum())
    level, k = np.nonzero(table)
    own, rows = table[level, k], table.sum(1)[level]
    p = (own - 1 + SMOOTHING * share[k]) / (rows - 1 + SMOOTHING)
    loss = -float((own * np.log(p)).sum()) / float(total)
    ranked = np.sort(table, 1)
    first, second = ranked[:, -1], ranked[:, -2] if table.shape[1] > 1 else 0
    right = first[first - 1 > second].sum() if table.shape[1] > 1 else total
    gain = 1.0 - loss / entropy if entropy > 0 else 0.0
    return Prediction(gain, 1.0 - float(right) / float(total), 1.0 - float(share.max()))


def nearest(values: np.ndarray, classes: np.ndarray) -> float:
    """The share of rows whose class is not that of the row with the nearest number: finer than any bins.

    Args:
        values: (rows,), of which those that are missing do not count.
        classes: int64 (rows,); rows where it is negative do not count.
    """
    known = np.isfinite(values) & (classes >= 0)
    order = np.argsort(values[known], kind="stable")
    x, y = values[known][order].astype(np.float64), classes[known][order]
    if len(x) < 2:
        return 1.0
    gaps = np.diff(x)
    before, after = np.append(np.inf, gaps), np.append(gaps, np.inf)
    places = np.arange(len(x)) + np.where(after < before, 1, -1)
    return float((y != y[places]).mean())


def told_apart(table: np.ndarray, k: int) -> float:
    """The share of errors saved in telling class `k` from all others, as `Prediction.saved`."""
    own = table[:, k]
    others = table.sum(1) - own
    wrong = own[own - 1 <= others].sum() + others[own > others - 1].sum()
    least = min(own.sum(), others.sum())
    return 1.0 - float(wrong) / float(least) if least else 0.0


def cramers_v(table: np.ndarray) -> tuple[float, float]:
    """Cramér's V (0 to 1), and how many standard deviations its chi-squared lies above chance.

    Source: Cramér 1946, Mathematical Methods of Statistics; chi-squared to normal by Wilson and Hilferty 1931,
        doi:10.1073/pnas.17.12.684.
    """
    table = table[table.sum(1) > 0][:, table.sum(0) > 0]
    if min(table.shape) < 2:
        return 0.0, 0.0
    total = float(table.sum())
    expected = np.outer(table.sum(1), table.sum(0)) / total
    chi2 = float(((table - expected) ** 2 / expected).sum())
    free = (table.shape[0] - 1) * (table.shape[1] - 1)
    normal = ((chi2 / free) ** (1 / 3) - (1 - 2 / (9 * free))) / np.sqrt(2 / (9 * free))
    return float(np.sqrt(chi2 / total / (min(table.shape) - 1))), float(normal)
