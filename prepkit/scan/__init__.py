"""Mergeable statistics of one column, one per file, and what becomes of them behind a stage.

Every statistic counts NaN and infinite cells as missing, aside from all that it measures.
`update(values)` and `merge(other)` are all that an engine needs. `filled`, `clipped` and `scaled`
say what the statistic is once the missing cells have been filled in, the values clipped, or mapped
to `(x - shift) * scale`; where that does not follow from what was measured they return None, and
the data have to be read again.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol, Self

from prepkit.scan.extremes import Extremes
from prepkit.scan.lengths import Lengths
from prepkit.scan.moments import Moments
from prepkit.scan.quantiles import Quantiles
from prepkit.scan.vocabulary import Coded, Vocabulary

Statistic = Literal["moments", "extremes", "quantiles", "vocabulary", "lengths"]

__all__ = [
    "Accumulator",
    "Coded",
    "Extremes",
    "Lengths",
    "Moments",
    "Quantiles",
    "Statistic",
    "Vocabulary",
    "accumulator",
]


class Accumulator(Protocol):
    """A mergeable statistic of one column: all that an engine has to know about fitting."""

    def update(self, values: Any) -> None: ...
    def merge(self, other: Any) -> None: ...
    def filled(self, value: Any) -> Self | None: ...
    def clipped(self, low: float, high: float) -> Self | None: ...
    def scaled(self, shift: float, scale: float) -> Self | None: ...


def accumulator(statistic: Statistic, *, quantile_cap: int | None) -> Accumulator:
    """A fresh accumulator; `quantile_cap` values per column are kept exactly, all of them if None."""
    match statistic:
        case "moments":
            return Moments()
        case "extremes":
            return Extremes()
        case "quantiles":
            return Quantiles(cap=quantile_cap)
        case "vocabulary":
            return Vocabulary()
        case "lengths":
            return Lengths()
