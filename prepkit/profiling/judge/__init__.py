"""Numbers against thresholds: what was measured becomes findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prepkit.finding import Finding
from prepkit.profiling.judge import cells, columns, labels, leakage, numbers, rows, splits, words
from prepkit.profiling.judge.found import together
from prepkit.profiling.view import View

# In the order in which findings of one severity are told.
JUDGES: tuple[Callable[[View], Iterator[Finding]], ...] = (
    *leakage.JUDGES,
    *splits.JUDGES,
    *labels.JUDGES,
    *rows.JUDGES,
    *columns.JUDGES,
    *cells.JUDGES,
    *numbers.JUDGES,
    *words.JUDGES,
)


def judge(view: View) -> tuple[Finding, ...]:
    """All that is wrong, the gravest first."""
    return together(f for look in JUDGES for f in look(view))
