"""What a profile holds, as plain data; JSON both ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from prepkit.finding import Finding
from prepkit.spec import Kind, Role

QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)


@dataclass(frozen=True)
class Bars:
    """Rows by bin of a numeric column, or by value of another.

    Args:
        labels: what each bar stands for: "[0, 10)", "Private", "<other>".
        counts: rows of each bar.
        edges: of the bins of numbers, one more than bars; () for categories.
        by_class: for each class, its rows of each bar; () where there is no label.
    """

    labels: tuple[str, ...]
    counts: tuple[int, ...]
    edges: tuple[float, ...] = ()
    by_class: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class ColumnProfile:
    """What one column holds.

    Args:
        name: of the column.
        kind: as inferred.
        role: "feature", or why it should not be one.
        dtype: as it comes in.
        notes: what inference decided, and why.
        rows: that were read.
        missing: rows without a value (NaN, null, infinite, blank, markers).
        markers: what stood for a missing cell, and how often.
        infinite: rows with an infinite number, counted in `missing` too.
        unreadable: cells that are there and cannot be read as the kind, counted in `missing` too.
        distinct: different values; an estimate where `distinct_exact` is False.
        zeros: rows with the number 0.
        mean: of the numbers, with `std` (population) and `skew`; None for other kinds.
        quantiles: of the numbers at `QUANTILES`; () for other kinds.
        lengths: shortest, median and longest string in characters; () for other kinds.
        bars: the distribution, from the sample.
    """

    name: str
    kind: Kind
    role: Role
    dtype: str
    notes: tuple[str, ...]
    rows: int
    missing: int
    markers: Mapping[str, int] = field(default_factory=dict)
    infinite: int = 0
    unreadable: int = 0
    distinct: int = 0
    distinct_exact: bool = True
    zeros: int = 0
    mean: float | None = None
    std: float | None = None
    skew: float | None = None
    quantiles: tuple[float, ...] = ()
    lengths: tuple[int, ...] = ()
    bars: Bars | None = None


@dataclass(frozen=True)
class LabelProfile:
    """What the label holds: its name (None beside the features), classes in their order, rows of each, rows without."""

    name: str | None
    form: str
    classes: tuple[str, ...]
    counts: tuple[int, ...]
    missing: int


@dataclass(frozen=True)
class Profile:
    """What is in the data and what is wrong with them.

    Args:
        source: the name of what was read.
        rows: that were read.
        sampled: rows, spread over all, that distributions and quantiles were computed from.
        columns: in their order.
        label: None without one.
        duplicates: rows that repeat an earlier one in every feature and the label; an estimate
            where `duplicates_exact` is False.
        findings: the gravest first.
    """

    source: str
    rows: int
    sampled: int
    columns: tuple[ColumnProfile, ...]
    label: LabelProfile | None
    duplicates: int
    duplicates_exact: bool
    findings: tuple[Finding, ...]

    def __getitem__(self, name: str) -> ColumnProfile:
        return next(c for c in self.columns if c.name == name)

    def about(self, code: str) -> Sequence[Finding]:
        """The findings of a code, as "missing" or "labels.imbalance"; a prefix up to a dot will do."""
        return [f for f in self.findings if f.code == code or f.code.startswith(f"{code}.")]

    def to_json(self) -> str: ...

    @classmethod
    def from_json(cls, text: str) -> Any: ...
