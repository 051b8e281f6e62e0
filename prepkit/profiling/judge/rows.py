"""Rows: those that repeat others, contradict them, or stand in the order of their classes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from prepkit.finding import Finding
from prepkit.profiling.describe import distinct_numbers
from prepkit.profiling.judge.found import percent, rounded
from prepkit.profiling.view import View
from prepkit.scan import Coded
from prepkit.scan.duplicates import row_hashes

# Rules of thumb.
MUCH = 0.01  # share of the rows
BY_CHANCE = (
    0.01  # of the repeated rows: if so many are expected of independent columns, dependent ones explain the rest
)
FEWEST = 40  # rows, without which an order is none
SORTED = 0.5  # of the changes of class from row to row that a random order would have
SURE = 6.0  # standard deviations below chance


def repeated(view: View) -> Iterator[Finding]:
    found, rows = view.measured.duplicates, view.measured.rows
    n = found.repeated
    if not n:
        return
    expected = expected_by_chance(view)
    chance = expected >= BY_CHANCE * n
    evidence = {"rows": n, "percent": percent(n, rows), "expected_by_chance": rounded(expected), "exact": found.exact}
    advice = (
        "the columns have so few values that rows are the same by chance; no harm is done"
        if chance
        else "keep each once, or both on one side of a split: a copy in the test set is a question known before"
    )
    severity = "info" if chance or n < MUCH * rows else "warning"
    yield Finding("rows.duplicate", severity, "rows", evidence, advice)  # type: ignore[arg-type]


def expected_by_chance(view: View) -> float:
    """How many rows would repeat another if the columns were independent: pairs, by the chance that a pair agrees.

    Judged by the rows of the sample that repeat no other, lest copies be taken for frequent values.
    """
    sample, rows = view.measured.sample, float(view.measured.rows)
    once = np.unique(row_hashes(sample.columns, view.measured.hashed), return_index=True)[1]
    chance = 1.0
    for name in view.measured.hashed:
        values = sample.columns[name][once]
        if isinstance(values, Coded):
            counts = np.bincount(values.codes + 1)
        elif values.ndim > 1:
            return 0.0
        else:
            numbers = distinct_numbers(values)
            counts = np.append(numbers.counts, len(values) - numbers.total)
        chance *= _same_twice(counts)
    if sample.classes is not None:
        chance *= _same_twice(np.bincount(sample.classes[once] + 1))
    return min(rows * (rows - 1) / 2 * chance, rows)


def _same_twice(counts: np.ndarray) -> float:
    """The chance that two different rows have the same value."""
    n = float(counts.sum())
    return float((counts * (counts - 1.0)).sum() / (n * (n - 1))) if n > 1 else 1.0


def contradictory(view: View) -> Iterator[Finding]:
    n, rows = view.measured.duplicates.contradictory, view.measured.rows
    if view.measured.label is None or not n:
        return
    chance = expected_by_chance(view) >= BY_CHANCE * n
    evidence = {"rows": n, "percent": percent(n, rows), "exact": view.measured.duplicates.exact}
    advice = "rows with the same features have different classes: no model can tell them apart; look which is right"
    severity = "info" if chance or n < MUCH * rows / 2 else "warning"
    yield Finding("rows.contradictory", severity, "rows", evidence, advice)  # type: ignore[arg-type]


def in_order(view: View) -> Iterator[Finding]:
    classes = view.measured.sample.classes
    if classes is None or view.n_classes < 2:
        return
    classes = classes[classes >= 0]
    n = len(classes) - 1
    if n < FEWEST:
        return
    share = np.bincount(classes) / len(classes)
    expected = n * (1 - float((share**2).sum()))
    changes = int(np.count_nonzero(classes[1:] != classes[:-1]))
    spread = np.sqrt(max(expected * (1 - expected / n), 1e-9))
    if changes < SORTED * expected and changes < expected - SURE * spread:
        runs = int(np.count_nonzero(np.bincount(classes)))
        evidence = {"changes": changes, "expected": rounded(expected), "one_block_each": changes == runs - 1}
        advice = "rows stand in the order of their classes: shuffle all of them, and never split by position"
        yield Finding("rows.sorted", "warning", "rows", evidence, advice, "Pipeline.prepare(shuffle=True)")


JUDGES = (repeated, contradictory, in_order)
