"""What each column holds, from its counts and the sample."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from prepkit.profiling.data import OTHER, QUANTILES, Bars, ColumnProfile
from prepkit.profiling.measure import Measured
from prepkit.profiling.tally import Tally
from prepkit.scan import Coded

BINS = 24  # of a histogram
ONE_EACH = 12  # as many different numbers have a bar each
BARS = 12  # values of strings that have one
CLASSES = 20  # up to which bars are split by class
TENSOR_CELLS = 2**20  # numbers of a tensor that its quantiles are taken from
FAR = 3  # where the outer 2 % of the values take more than so many times the room of the others, bars leave them out


@dataclass(frozen=True)
class Distinct:
    """The different finite numbers of the sample, rising, and how often each occurs."""

    values: np.ndarray
    counts: np.ndarray

    @property
    def total(self) -> int:
        return int(self.counts.sum())


def distinct_numbers(values: np.ndarray) -> Distinct:
    """Of a column of the sample; of a tensor, of some of its cells."""
    flat = values.reshape(-1)
    flat = flat[:: max(1, -(-len(flat) // TENSOR_CELLS))] if values.ndim > 1 else flat
    flat = np.sort(flat[np.isfinite(flat)] if flat.dtype.kind == "f" else flat).astype(np.float64)
    if not len(flat):
        return Distinct(np.empty(0), np.empty(0, np.int64))
    firsts = np.flatnonzero(np.append(True, flat[1:] != flat[:-1]))
    return Distinct(flat[firsts], np.diff(np.append(firsts, len(flat))))


def describe(measured: Measured, name: str, numbers: Distinct | None) -> ColumnProfile:
    """The profile of a column.

    Args:
        measured: all of the data.
        name: of the column.
        numbers: of the column, where it holds numbers.
    """
    tally, sample = measured.tallies[name], measured.sample
    column, values = tally.column, sample.columns[name]
    whole = len(sample) == measured.rows
    classes = sample.classes if measured.spec.label and len(measured.spec.label.classes) <= CLASSES else None
    n_classes = len(measured.spec.label.classes) if measured.spec.label else 0
    facts: dict[str, Any]
    if numbers is None:
        distinct, exact = (len(tally.counts), True) if not tally.cut else estimated(_counts(values), tally, whole)
        facts = {"bars": _word_bars(values, classes, n_classes)}
        facts |= {"lengths": _lengths(values)} if column.kind in ("categorical", "text") else {}
    else:
        distinct, exact = _distinct(tally, numbers, whole and not column.shape)
        facts = _moments(tally, numbers) | {"bars": _number_bars(values, numbers, column.kind, classes, n_classes)}
    return ColumnProfile(
        name=name,
        kind=column.kind,
        role=column.role,
        dtype=column.dtype,
        notes=column.notes,
        rows=measured.rows,
        missing=tally.missing,
        shape=column.shape,
        markers=dict(tally.markers.most_common()),
        infinite=tally.infinite,
        unreadable=tally.unreadable,
        distinct=distinct,
        distinct_exact=exact,
        zeros=tally.zeros,
        **facts,
    )


def _distinct(tally: Tally, numbers: Distinct, whole: bool) -> tuple[int, bool]:
    if tally.extremes.low >= tally.extremes.high:
        return int(tally.moments.count > 0), True
    if tally.column.kind == "boolean":
        return 2, True
    return estimated(numbers.counts, tally, whole)


def estimated(counts: np.ndarray, tally: Tally, whole: bool) -> tuple[int, bool]:
    """How many values all rows have, judged by how often each occurs in the sample.

    Source: the guaranteed-error estimator of Charikar et al. 2000, doi:10.1145/335168.335230.
    """
    if whole or not len(counts):
        return len(counts), whole
    once = int(np.count_nonzero(counts == 1))
    there = max(tally.cells - tally.missing, 1)
    return round(np.sqrt(there / counts.sum()) * once) + len(counts) - once, False


def _counts(values: Coded) -> np.ndarray:
    n = np.bincount(values.codes + 1, minlength=len(values.values) + 1)[1:]
    return np.asarray(n[n > 0])


def quantiles(numbers: Distinct, fractions: Sequence[float] | np.ndarray) -> np.ndarray:
    """By numpy's "linear" rule (Hyndman and Fan 1996, type 7)."""
    reach = np.cumsum(numbers.counts)
    place = np.asarray(fractions) * (reach[-1] - 1)
    low = numbers.values[np.searchsorted(reach, np.floor(place), side="right")]
    high = numbers.values[np.searchsorted(reach, np.ceil(place), side="right")]
    return np.asarray(low + (high - low) * (place - np.floor(place)))


@np.errstate(over="ignore", invalid="ignore")  # of values beyond 1e154 the squares are infinite
def _moments(tally: Tally, numbers: Distinct) -> dict[str, Any]:
    if not tally.moments.count or not len(numbers.values):
        return {}
    mean, std = tally.moments.mean, float(np.sqrt(tally.moments.variance))
    at = quantiles(numbers, QUANTILES)
    at = np.clip(at, tally.extremes.low, tally.extremes.high)
    at[0], at[-1] = tally.extremes.low, tally.extremes.high
    found = {"mean": mean, "std": std, "skew": _skew(numbers)}
    finite = {k: v if v is not None and np.isfinite(v) else None for k, v in found.items()}
    return {**finite, "quantiles": tuple(at.tolist())}


def _skew(numbers: Distinct) -> float | None:
    """The third standardised moment; 0 of a constant."""
    total = numbers.total
    centred = numbers.values - (numbers.values * numbers.counts).sum() / total
    largest = np.abs(centred).max()
    if len(numbers.values) == 1 or not 0 < largest < np.inf:
        return 0.0 if largest < np.inf else None
    centred = centred / largest  # lest powers of it are beyond all numbers
    squares = centred * centred  # the power of an array takes ten times as long
    variance = float((squares * numbers.counts).sum() / total)
    return float((squares * centred * numbers.counts).sum() / total / variance**1.5)


def _lengths(values: Coded) -> tuple[int, ...]:
    counts = np.bincount(values.codes + 1, minlength=len(values.values) + 1)[1:]
    if not counts.sum():
        return ()
    lengths = np.array([len(str(v)) for v in values.values])
    order = np.argsort(lengths)
    middle = np.searchsorted(np.cumsum(counts[order]), counts.sum() / 2)
    return int(lengths.min()), int(lengths[order[middle]]), int(lengths.max())


# -- bars ------------------------------------------------------------------------------------


def _word_bars(values: Coded, classes: np.ndarray | None, n_classes: int) -> Bars | None:
    counts = np.bincount(values.codes + 1, minlength=len(values.values) + 1)[1:]
    if not counts.sum():
        return None
    order = np.argsort(-counts, kind="stable")
    shown = order if len(order) <= BARS + 1 else order[:BARS]
    place = np.full(len(counts) + 1, len(shown))
    place[shown + 1] = np.arange(len(shown))
    labels = [str(values.values[i]) for i in shown] + ([OTHER] if len(shown) < len(order) else [])
    known = values.codes >= 0
    return _bars(labels, place[values.codes + 1], known, classes, n_classes)


def _number_bars(
    values: np.ndarray, numbers: Distinct, kind: str, classes: np.ndarray | None, n_classes: int
) -> Bars | None:
    if not len(numbers.values):
        return None
    if values.ndim > 1:
        values, classes = np.repeat(numbers.values, numbers.counts), None
    known = np.isfinite(values) if values.dtype.kind == "f" else np.ones(len(values), bool)
    if len(numbers.values) <= ONE_EACH:
        place = np.searchsorted(numbers.values, np.where(known, values, numbers.values[0]))
        return _bars([_written(v, kind) for v in numbers.values], place, known, classes, n_classes)
    edges = _edges(numbers)
    place = _bins(values, edges)
    names = [_written(e, kind) for e in edges]
    labels = [f"[{a}, {b})" for a, b in itertools.pairwise(names)]
    labels[-1] = labels[-1][:-1] + "]"
    return _bars(labels, place, known, classes, n_classes, tuple(edges.tolist()))


@np.errstate(invalid="ignore", over="ignore")  # of cells that are missing, and of numbers beyond 1e154
def _bins(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The bin of each number, as the inner edges say, which are of equal distances: so there is nothing to search."""
    inner = edges[1:-1]
    if len(inner) < 2:
        return np.searchsorted(inner, values, side="right")
    steps = (values.astype(np.float64) - inner[0]) * ((len(inner) - 1) / (inner[-1] - inner[0]))
    return np.where(steps < 0, 0, np.fmin(np.fmax(steps, 0.0), len(inner) - 1) + 1).astype(np.int64)


@np.errstate(over="ignore", invalid="ignore")  # of numbers beyond 1e308, of which there is one bin
def _edges(numbers: Distinct) -> np.ndarray:
    """Of bins of equal width; where a few values lie far out, the outermost bins reach to them."""
    low, inner_low, inner_high, high = quantiles(numbers, (0.0, 0.01, 0.99, 1.0))
    if high - low > FAR * (inner_high - inner_low) > 0:
        edges = np.linspace(inner_low, inner_high, BINS + 1)
        edges[0], edges[-1] = low, high
        return edges
    edges = np.linspace(low, high, BINS + 1)
    return edges if (np.diff(edges) > 0).all() else np.array([low, high])


def _bars(
    labels: Sequence[str],
    place: np.ndarray,
    known: np.ndarray,
    classes: np.ndarray | None,
    n_classes: int,
    edges: tuple[float, ...] = (),
) -> Bars:
    counts = np.bincount(place[known], minlength=len(labels))
    by_class: tuple[tuple[int, ...], ...] = ()
    if classes is not None:
        labelled = known & (classes >= 0)
        cells = classes[labelled].astype(np.int64) * len(labels) + place[labelled]
        table = np.bincount(cells, minlength=n_classes * len(labels)).reshape(n_classes, len(labels))
        by_class = tuple(tuple(row) for row in table.tolist())
    return Bars(tuple(labels), tuple(counts.tolist()), edges, by_class)


def _written(value: float, kind: str) -> str:
    if kind == "datetime" and abs(value) < 2.5e11:  # years 1 to 9999, about
        return str(np.datetime64(int(value), "s")).replace("T", " ")
    if kind == "boolean":
        return "true" if value else "false"
    return f"{value:.0f}" if value == np.floor(value) and abs(value) < 1e9 else f"{value:.4g}"
