"""Rows: those that repeat others, contradict them, or stand in the order of their classes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from prepkit.finding import Finding
from prepkit.profile.judge.found import percent, rounded
from prepkit.profile.view import View
from prepkit.scan import Coded

# Rules of thumb.
MUCH = 0.01  # share of the rows
BY_CHANCE = 0.3  # of the repeated rows: if so many would be expected of independent columns, they are no copies
FEWEST = 40  # rows, without which an order is none
SORTED = 0.5  # of the changes of class from row to row that a random order would have
SURE = 6.0  # standard deviations below chance


def repeated(view: View) -> Iterator[Finding]:
    found, rows = view.measured.duplicates, view.measured.rows
    n = found.repeated
    if not n:
        return
    expected = _expected(view)
    chance = expected >= BY_CHANCE * n
    evidence = {"rows": n, "percent": percent(n, rows), "expected_by_chance": rounded(expected), "exact": found.exact}
    advice = (
        "the columns have so few values that rows are the same by chance; no harm is done"
        if chance
        else "keep each once, or both on one side of a split: a copy in the test set is a question known before"
    )
    severity = "info" if chance or n < MUCH * rows else "warning"
    yield Finding("rows.duplicate", severity, "rows", evidence, advice)  # type: ignore[arg-type]


def _expected(view: View) -> float:
    """How many rows would repeat another if the columns were independent: pairs, by the chance that a pair agrees."""
    logs = 0.0
    for name in view.measured.hashed:
        values = view.measured.sample.columns[name]
        if isinstance(values, Coded):
            counts = np.bincount(values.codes + 1)
        elif values.ndim > 1:
            return 0.0
        else:
            numbers = view.numbers[name]
            counts = np.append(numbers.counts, len(values) - numbers.total)
        share = counts / max(counts.sum(), 1)
        logs += float(np.log(max((share**2).sum(), 1e-300)))
    if view.measured.label:
        counts = np.array([*view.measured.label.counts.values(), view.measured.label.missing])
        logs += float(np.log(((counts / max(counts.sum(), 1)) ** 2).sum()))
    rows = float(view.measured.rows)
    return min(rows * (rows - 1) / 2 * float(np.exp(logs)), rows)


def contradictory(view: View) -> Iterator[Finding]:
    n, rows = view.measured.duplicates.contradictory, view.measured.rows
    if view.measured.label is None or not n:
        return
    chance = _expected(view) >= BY_CHANCE * n
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
