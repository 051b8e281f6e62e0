"""Columns that say the same as others: the same groups of rows, correlated, or a product of two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from prepkit.profiling.describe import Distinct
from prepkit.profiling.tables import Levels
from prepkit.scan import Coded

COLUMNS = 300  # of numbers that are correlated with each other, and of groups that are compared
ALIKE = 20  # columns of as many groups of the same sizes, that are compared with the next
SMALL = 2**25  # multiplications, 20 ms
FACTORS = 25  # columns whose products are compared
ROWS = 2_000  # that correlations are computed on: at 0.98 they are good to 0.001, one standard deviation
CORRELATED = 0.98  # |r|, as the linear, so of the ranks at least `RANKED`; a rule of thumb
RANKED = 0.9
FEWEST = 20  # rows in which both have a value
SMALLEST = 5  # rows of the smaller groups together, lest two rare flags agree by chance


@dataclass(frozen=True)
class Same:
    """Two columns that say the same, and how: "equal groups" or the correlation."""

    one: str
    other: str
    how: str
    correlation: float | None = None


def same_groups(columns: Mapping[str, tuple[Any, Distinct | None]], n: int) -> list[Same]:
    """Pairs of columns that divide the `n` rows into the same groups, whatever the groups are called."""
    seen: dict[Any, list[str]] = {}
    codes: dict[str, np.ndarray] = {}  # of the columns that had to be compared

    def numbered(name: str) -> np.ndarray:
        return codes[name] if name in codes else codes.setdefault(name, _in_order(*columns[name]))

    out = []
    for name, (values, numbers) in columns.items():
        counts = _group_sizes(values, numbers, n)
        if not 2 <= len(counts) <= n / 2 or counts.sum() - counts.max() < SMALLEST:
            continue
        shape = (len(counts), int(counts.sum()), int((counts.astype(np.float64) ** 2).sum()))
        alike = seen.setdefault(shape, [])
        twin = next((other for other in alike if np.array_equal(numbered(name), numbered(other))), None)
        if twin is not None:
            out.append(Same(twin, name, "equal groups"))
        elif len(alike) < ALIKE:
            alike.append(name)
    return out


def _group_sizes(values: Any, numbers: Distinct | None, n: int) -> np.ndarray:
    """Rows of each group; those without a value are one, too."""
    if isinstance(values, Coded):
        counts = np.bincount(values.codes + 1, minlength=len(values.values) + 1)
        return np.asarray(counts[counts > 0])
    assert numbers is not None
    missing = n - numbers.total
    return np.append(numbers.counts, missing) if missing else numbers.counts


def _in_order(values: Any, numbers: Distinct | None) -> np.ndarray:
    """The groups numbered in the order of their first rows."""
    if isinstance(values, Coded):
        codes = values.codes.astype(np.int64) + 1
    else:
        assert numbers is not None
        codes = np.searchsorted(numbers.values, values) + 1
        codes[~np.isfinite(values)] = 0
    used, first = np.unique(codes, return_index=True)
    number = np.zeros(int(codes.max()) + 1, np.int64)
    number[used[np.argsort(first)]] = np.arange(len(used))
    return np.asarray(number[codes])


def correlated(columns: Mapping[str, np.ndarray]) -> list[Same]:
    """Pairs of columns of numbers that are nearly a linear function of each other, each with the first such."""
    names = list(columns)[:COLUMNS]
    if len(names) < 2:
        return []
    x = np.stack([_some(columns[n]) for n in names])
    r, both = _correlations(x)
    out = []
    for j in range(1, len(names)):
        close = np.flatnonzero((np.abs(r[:j, j]) >= CORRELATED) & (both[:j, j] >= FEWEST))
        for i in close[np.argsort(-np.abs(r[close, j]), kind="stable")].tolist():
            if abs(_of_ranks(x[i], x[j])) >= RANKED:
                out.append(Same(names[i], names[j], "correlated", float(r[i, j])))
                break
    return out


def _some(values: np.ndarray) -> np.ndarray:
    values = values[:: max(1, len(values) // ROWS)].astype(np.float64)
    return np.where(np.isfinite(values), values, np.nan)


@np.errstate(invalid="ignore", divide="ignore", over="ignore")
def _correlations(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pearson's r of each pair of rows of `x`, over the places where both have a value, and how many those are."""
    there = np.isfinite(x)
    spread = np.nanmax(np.abs(x), 1, initial=0.0, where=there, keepdims=True)
    x = np.where(there, x / np.where(spread > 0, spread, 1.0), 0.0)
    x = np.where(there, x - x.sum(1, keepdims=True) / np.maximum(there.sum(1, keepdims=True), 1), 0.0)
    m = there.astype(np.float64)
    n = _inner(m, m)
    sums, squares = _inner(x, m), _inner(x * x, m)
    covariance = _inner(x, x) - sums * sums.T / n
    variance = np.maximum(squares - sums**2 / n, 0.0)
    r = covariance / np.sqrt(variance * variance.T)
    return np.nan_to_num(r, nan=0.0, posinf=0.0, neginf=0.0), n


def _of_ranks(a: np.ndarray, b: np.ndarray) -> float:
    both = np.isfinite(a) & np.isfinite(b)
    ranks = [np.unique(v[both], return_inverse=True)[1].astype(np.float64) for v in (a, b)]
    return float(_correlations(np.stack(ranks))[0][0, 1])


@dataclass(frozen=True)
class Product:
    """A column that is nearly the product of two others."""

    name: str
    factors: tuple[str, str]
    correlation: float


@np.errstate(over="ignore", invalid="ignore")  # of numbers beyond 1e154
def products(columns: Mapping[str, np.ndarray]) -> list[Product]:
    """For each column, the two others of whose product it is nearly a linear function, if neither alone will do."""
    names = [n for n, v in columns.items() if np.count_nonzero(np.isfinite(v)) >= FEWEST][:FACTORS]
    if len(names) < 3:
        return []
    x = np.stack([_some(columns[n]) for n in names])
    pairs = [(i, j) for i in range(len(names)) for j in range(i + 1, len(names))]
    complete = np.isfinite(x).all(0)
    if complete.sum() < FEWEST:
        return []
    x = x[:, complete]
    made = np.stack([x[i] * x[j] for i, j in pairs])
    alone, of_products = _between(x, x), _between(x, made)
    out = []
    for k, name in enumerate(names):
        able = [p for p, (i, j) in enumerate(pairs) if k not in (i, j)]
        best = max(able, key=lambda p: abs(of_products[k, p]))
        i, j = pairs[best]
        if abs(of_products[k, best]) >= CORRELATED > max(abs(alone[k, i]), abs(alone[k, j])):
            out.append(Product(name, (names[i], names[j]), float(of_products[k, best])))
    return out


def _between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pearson's r of each row of `a` with each of `b`; 0 for constants."""
    standard = []
    for x in (a, b):
        centred = x - x.mean(1, keepdims=True)
        length = np.sqrt((centred**2).sum(1, keepdims=True))
        standard.append(centred / np.where(length > 0, length, 1.0))
    return np.asarray(np.nan_to_num(_inner(*standard)))


def _inner(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """`a @ b.T`; if small, without the threads of BLAS, which wait for each other where the processor is busy."""
    small = len(a) * len(b) * a.shape[1] < SMALL
    return np.asarray(np.einsum("ik,jk->ij", a, b) if small else a @ b.T)


@dataclass(frozen=True)
class Shared:
    """A value that several columns have in just the same rows."""

    columns: tuple[str, ...]
    value: str
    rows: int


def shared_values(columns: Mapping[str, Levels], words: Mapping[str, Sequence[Any]]) -> list[Shared]:
    """Values that stand in the same rows in several columns of categories; of all columns but for their names."""
    if len(columns) < 2:
        return []
    n = len(next(iter(columns.values())).codes)
    weights = np.random.default_rng(0).integers(1, 2**30, n).astype(np.float64)  # sums stay exact below 2**53
    groups: dict[tuple[float, int], list[tuple[str, int]]] = {}
    for name, levels in columns.items():
        marks = np.bincount(levels.codes, weights, levels.n).tolist()
        counts = np.bincount(levels.codes, minlength=levels.n).tolist()
        for code in range(1, levels.n):
            if FEWEST <= counts[code] <= n / 2:
                groups.setdefault((marks[code], counts[code]), []).append((name, code))
    out = []
    for (_, rows), members in groups.items():
        by_word: dict[str, list[str]] = {}
        for name, code in members:
            by_word.setdefault(str(words[name][code - 1]), []).append(name)
        if len(members) > 1:
            word = max(by_word, key=lambda w: len(by_word[w]))
            out.append(Shared(tuple(name for name, _ in members), word, rows))
    return out
