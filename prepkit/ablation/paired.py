"""Paired differences: the interval of their mean, and the test that it is 0."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

LEVEL = 0.05  # of tests, the usual one; the intervals are of 1 - LEVEL
RESAMPLES = 10_000  # the ends of an interval then vary by about 1 % of its width from one `seed` to another
FEWEST = 2  # pairs of which there is a spread


def interval(differences: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """The 95 % bootstrap interval of a mean: percentiles, moved away from it by what a small sample hides.

    The ends of the percentile interval are too near by sqrt((n - 1) / n), for a sample spreads less about its own mean,
    and by normal against t quantiles, for its spread is uncertain; both factors are undone (as Hesterberg 2015 does by
    the percentiles themselves, which 5 values are too few for, doi:10.1080/00031305.2015.1089789).

    Share of 10,000 samples whose interval holds the true mean, for n of 2, 3, 5, 10 normal numbers: 0.93, 0.945, 0.945,
    0.95. For n = 5 the plain percentile interval reached 0.84, BCa 0.84, Hesterberg's 0.92, the t interval 0.95, and
    the bootstrap-t 0.95 with a third more width, but it has no end for n = 2. Of very skewed numbers (lognormal, n = 5)
    it holds in 0.84, the t interval in 0.83, the bootstrap-t in 0.90.

    Args:
        differences: (n,) finite, in any unit; their order matters as much as `seed` does.
        seed: of the resampling.

    Returns:
        Its ends, in that unit; NaN of fewer than 2; the number itself where all are the same.

    Example:
        >>> low, high = interval([0.9, 1.0, 1.1])
        >>> round(low, 1), round(high, 1), interval([1.0, 1.0]), interval([1.0])
        (0.7, 1.3, (1.0, 1.0), (nan, nan))
    """
    n = len(differences)
    if n < FEWEST:
        return math.nan, math.nan
    from scipy.special import ndtri, stdtrit

    values = np.asarray(differences, np.float64)
    if np.ptp(values) == 0:
        return float(values[0]), float(values[0])
    mean = values.mean()
    wider = math.sqrt(n / (n - 1)) * stdtrit(n - 1, 1 - LEVEL / 2) / ndtri(1 - LEVEL / 2)
    ends = np.quantile(_weights(n, seed) @ (values - mean), [LEVEL / 2, 1 - LEVEL / 2])
    low, high = mean + wider * ends
    return float(low), float(high)


@lru_cache(maxsize=8)
def _weights(n: int, seed: int) -> np.ndarray:
    """The share of each of `n` values in each resample: (RESAMPLES, n)."""
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), RESAMPLES)
    return np.asarray(drawn / n)


def p_value(differences: Sequence[float]) -> float:
    """Of the paired t-test, two-sided; NaN of fewer than 2 numbers.

    Where all differences are the same there is no spread to compare with: 1 if they are 0, and else 0.

    Example:
        >>> round(p_value([1.0, 2.0, 3.0]), 4), p_value([0.0, 0.0]), p_value([2.0, 2.0]), p_value([1.0])
        (0.0742, 1.0, 0.0, nan)
    """
    n = len(differences)
    if n < FEWEST:
        return math.nan
    from scipy.special import stdtr

    values = np.asarray(differences, np.float64)
    if np.ptp(values) == 0:
        return 0.0 if values[0] else 1.0
    t = values.mean() / (values.std(ddof=1) / math.sqrt(n))
    return float(2 * stdtr(n - 1, -abs(t)))
