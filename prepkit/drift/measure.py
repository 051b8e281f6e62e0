"""From counts to how far each column and the label are from the training data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from prepkit.drift.data import ColumnDrift, Verdict
from prepkit.drift.observe import ColumnSeen, LabelSeen
from prepkit.drift.statistic import Shift, shift
from prepkit.scan.reference import Reference, Shares
from prepkit.spec import Column, Kind

MODERATE, MAJOR = 0.1, 0.25  # PSI; Siddiqi 2006, Credit Risk Scorecards
FALSE_ALARMS = 0.001  # probability of any alarm where nothing has changed: a rule of thumb, one in 1,000 comparisons
CHECKS = 4  # of each column: its cells, its missing cells, and what lies beyond training on either side
OTHER, RARE = "<other>", "<rare>"  # categories that are not listed; listed ones that are put together


@dataclass(frozen=True)
class Limits:
    """What counts as drift; `level` is the probability that a single check may err with."""

    level: float
    moderate: float = MODERATE
    major: float = MAJOR

    @classmethod
    def of(cls, n_columns: int) -> Limits:
        return cls(FALSE_ALARMS / (CHECKS * n_columns + 1))

    def verdict(self, found: Shift) -> Verdict:
        if found.psi < self.threshold(found):
            return "stable"
        return "major" if found.psi >= self.major else "moderate"

    def threshold(self, found: Shift) -> float:
        return max(self.moderate, found.chance)


def column_drift(column: Column, seen: ColumnSeen | None, reference: Reference, limits: Limits) -> ColumnDrift:
    """How a column differs; `seen` is None if it is not there."""
    shares = reference.columns[column.name]
    before = shares.missing / max(1, reference.sampled)
    if seen is None:
        return ColumnDrift(column.name, column.kind, "absent", missing_before=before)
    if why_unreadable(seen):
        return ColumnDrift(column.name, column.kind, "unreadable", missing_before=before)
    after = seen.missing / max(1, seen.rows)
    found = None
    if shares.counts:
        found = shift(shares.counts, seen.counts.tolist(), limits.level, ordered=not seen.listed)
    return _drift(column.name, shares, found, limits, (before, after))


def label_drift(seen: LabelSeen | None, reference: Reference, limits: Limits) -> ColumnDrift | None:
    """How the classes differ; None where either data have none."""
    if seen is None or seen.trouble or reference.label is None:
        return None
    names = reference.label.categories
    after = [*(seen.classes[c] for c in names), sum(unseen_classes(seen, reference).values())]
    found = shift(reference.label.counts, after, limits.level, ordered=False)
    missing = (0.0, seen.missing / max(1, seen.rows))
    return _drift(seen.label.name or "y", reference.label, found, limits, missing)


def unseen_classes(seen: LabelSeen, reference: Reference) -> dict[str, int]:
    """Rows of each class that training had not."""
    known = () if reference.label is None else reference.label.categories
    return {c: n for c, n in seen.classes.items() if c not in known}


def missing_shift(seen: ColumnSeen, reference: Reference, level: float) -> Shift | None:
    """How the share of missing cells differs."""
    before = reference.columns[seen.column.name].missing
    counts = (reference.sampled - before, before), (seen.rows - seen.missing, seen.missing)
    return shift(*counts, level, ordered=False)


def why_unreadable(seen: ColumnSeen) -> str:
    """Why a column is not of its kind: it cannot be read so, or more than half of its cells cannot; "" if it is."""
    there = seen.rows - seen.missing + seen.n_unreadable
    if seen.trouble or 2 * seen.n_unreadable <= there:
        return seen.trouble
    examples = ", ".join(repr(text) for text, _ in seen.unreadable.most_common(3))
    return f"{seen.n_unreadable:,} of {there:,} cells cannot be read as {seen.column.kind}, such as {examples}"


def _drift(name: str, shares: Shares, found: Shift | None, limits: Limits, missing: tuple[float, float]) -> ColumnDrift:
    if found is None:
        return ColumnDrift(name, shares.kind, missing_before=missing[0], missing_after=missing[1])
    return ColumnDrift(
        name,
        shares.kind,
        limits.verdict(found),
        found.psi,
        limits.threshold(found),
        found.expected,
        found.jensen_shannon,
        *missing,
        tuple(cell_name(shares, group) for group in found.groups),
        found.before,
        found.after,
    )


def cell_name(shares: Shares, group: Sequence[int]) -> str:
    """What one cell holds, or several that were put together: "[30, 37)", "Private".

    Example:
        >>> shares = Shares("numeric", 0, (4, 2, 2), (np.nextafter(0.0, 1.0), 3.0), low=0.0, high=9.0)
        >>> [cell_name(shares, group) for group in ([0], [1], [2], [1, 2])]
        ['0', '(0, 3)', 'from 3', 'above 0']
    """
    if not shares.edges:
        others = OTHER if len(shares.categories) in group else RARE
        return shares.categories[group[0]] if len(group) == 1 and others == RARE else others
    first, last = group[0], group[-1]
    left = "" if first == 0 else _bound(shares, first - 1)
    right = "" if last == len(shares.edges) else _bound(shares, last)
    if first == last and right.startswith("\u2264"):  # the bin of one value
        return right[1:]
    if not left:
        return f"up to {right[1:]}" if right.startswith("\u2264") else f"below {right}"
    if not right:
        return f"above {left[1:]}" if left.startswith("\u2264") else f"from {left}"
    start = f"({left[1:]}" if left.startswith("\u2264") else f"[{left}"
    return f"{start}, {right[1:]}]" if right.startswith("\u2264") else f"{start}, {right})"


def _bound(shares: Shares, edge: int) -> str:
    """An edge as text; "\u2264v" where it is the next number behind the value v, which has the bin before to itself."""
    value = shares.edges[edge]
    before = shares.edges[edge - 1] if edge else shares.low
    if before is not None and value == np.nextafter(before, np.inf):
        return f"\u2264{as_text(before, shares.kind)}"
    return as_text(value, shares.kind)


def as_text(value: float, kind: Kind) -> str:
    """A number, or the time that it is the seconds of."""
    if kind == "datetime" and abs(value) < 2.5e11:  # year 9892
        return str(np.datetime64(int(value), "s")).replace("T", " ").removesuffix(" 00:00:00")
    return f"{value:.6g}"
