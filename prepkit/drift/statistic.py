"""How far apart two sets of counts are, and how far chance alone would bring them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEAST = 5.0  # rows expected in a cell, as for chi-square tests (Cochran 1954, doi:10.2307/3001616)
TAIL = 4.0  # times as probable as chi-square says: measured, for few rows, up to 4.2 times
HALF = 0.5  # a row that each cell has beforehand, so that none is empty: Jeffreys' prior


@dataclass(frozen=True)
class Shift:
    """How two sets of counts differ.

    Args:
        psi: population stability index, sum of (q - p) log(q / p) over the cells' shares, with half a row
            more in every cell.
        expected: its mean of two samples of one distribution.
        chance: what it exceeds then with the probability that was asked for.
        jensen_shannon: square root of the Jensen-Shannon divergence with logarithms to base 2, from 0 to 1.
        groups: which of the given cells were put together, as fewer than `LEAST` rows were expected in each.
        before: the share of each group.
        after: the same of the other counts.
    """

    psi: float
    expected: float
    chance: float
    jensen_shannon: float
    groups: tuple[tuple[int, ...], ...]
    before: tuple[float, ...]
    after: tuple[float, ...]


def shift(before: Sequence[int], after: Sequence[int], level: float, *, ordered: bool) -> Shift | None:
    """Compare counts of the same cells.

    Without drift, PSI / (1/n + 1/m) is about chi-square with a degree of freedom less than cells, but for few rows
    the tail is heavier: `Shift.chance` is taken at `level / TAIL`. Measured with a million tables of up to 10 equal
    cells, for each of 30, 300 and 20,000 rows before and 10 to 3,000 after: it is then exceeded with 0 to 2.1
    times the probability `level`, be that 0.001 or 0.001 / 26; mostly with a quarter of it.

    Args:
        before: rows in each cell.
        after: as many other ones.
        level: about the probability of exceeding `Shift.chance` where nothing has changed, or less.
        ordered: whether small cells go with their neighbours; else all small ones together.

    Returns:
        The comparison, or None where fewer than two cells are left.

    Example:
        >>> found = shift([500, 500], [300, 200], 0.001, ordered=True)
        >>> round(found.psi, 3), round(found.jensen_shannon, 3), found.psi > found.chance
        (0.04, 0.085, True)

    Source: Siddiqi 2006, Credit Risk Scorecards; Yurdakul and Naranjo 2020, doi:10.21314/JRMV.2020.227;
        Lin 1991, doi:10.1109/18.61115.
    """
    groups = grouped(before, after, ordered=ordered)
    if len(groups) < 2:
        return None
    old = np.array([sum(before[i] for i in group) for group in groups], np.float64)
    new = np.array([sum(after[i] for i in group) for group in groups], np.float64)
    n, m, free = float(old.sum()), float(new.sum()), len(groups) - 1
    from scipy.special import chdtri

    spread = 1 / n + 1 / m
    return Shift(
        psi(old, new),
        free * spread,
        float(chdtri(free, level / TAIL)) * spread,
        jensen_shannon(old, new),
        groups,
        tuple((old / n).tolist()),
        tuple((new / m).tolist()),
    )


def grouped(before: Sequence[int], after: Sequence[int], *, ordered: bool) -> tuple[tuple[int, ...], ...]:
    """The cells, those put together in which fewer than `LEAST` rows of the smaller sample are expected."""
    n, m = sum(before), sum(after)
    if not n or not m:
        return ()
    expected = [(a + b) * min(n, m) / (n + m) for a, b in zip(before, after, strict=True)]
    if not ordered:
        small = tuple(i for i, e in enumerate(expected) if e < LEAST)
        large = [(i,) for i, e in enumerate(expected) if e >= LEAST]
        return (*large, small) if any(expected[i] for i in small) else tuple(large)
    groups: list[tuple[int, ...]] = []
    waiting: tuple[int, ...] = ()
    for i in range(len(expected)):
        waiting = (*waiting, i)
        if sum(expected[j] for j in waiting) >= LEAST:
            groups.append(waiting)
            waiting = ()
    if waiting and groups:
        groups[-1] += waiting
    return tuple(groups)


def psi(before: np.ndarray, after: np.ndarray) -> float:
    """The population stability index of counts, half a row added to each."""
    p = (before + HALF) / (before.sum() + HALF * len(before))
    q = (after + HALF) / (after.sum() + HALF * len(after))
    return float(((q - p) * np.log(q / p)).sum())


def jensen_shannon(before: np.ndarray, after: np.ndarray) -> float:
    """The Jensen-Shannon distance of counts, to base 2."""
    p, q = before / before.sum(), after / after.sum()
    middle = (p + q) / 2
    divergence = 0.0
    for shares in (p, q):
        there = shares > 0
        divergence += float((shares[there] * np.log2(shares[there] / middle[there])).sum()) / 2
    return float(np.sqrt(max(divergence, 0.0)))


def by_chance(n_new: int, n_known: int, rows: int, training_rows: int) -> float:
    """How likely so many new rows, or more, are of a sort of which the training rows have few.

    Each of the `n_new + n_known` rows of that sort is one of the new ones with probability
    rows / (rows + training_rows): with `n_known` 0, the probability that the largest values of all lie there.

    Source: the exact comparison of two Poisson rates, Przyborowski and Wilenski 1940, doi:10.2307/2332612.
    """
    if not n_new:
        return 1.0
    from scipy.special import bdtrc

    return float(bdtrc(n_new - 1, n_new + n_known, rows / (rows + training_rows)))
