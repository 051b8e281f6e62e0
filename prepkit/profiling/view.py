"""All that the judges look at: counts, sample, and what is computed of them once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from prepkit.profiling.data import ColumnProfile
from prepkit.profiling.describe import Distinct
from prepkit.profiling.gaps import FEW_LEVELS, Gaps, gaps, small
from prepkit.profiling.measure import LabelTally, Measured
from prepkit.profiling.pairs import Same, correlated, same_groups
from prepkit.profiling.spellings import Spellings, Style, spellings, style
from prepkit.profiling.tables import Levels, levels
from prepkit.scan import Coded
from prepkit.spec import Column

RELATED = 10_000  # rows of the sample that columns are compared on: a share of 0.5 % is then 50 rows


@dataclass(frozen=True)
class Split:
    """Another data set, compared with the first.

    Args:
        rows: that it has.
        seen: rows whose features a row of the first has, too; an estimate where the first has more than its hashes.
        label: its classes; None without labels.
        lacking: columns that it does not have.
        missing: of each column, the share of cells without a value.
        unseen: for columns of categories, those that the first has not, and their rows.
        absent: for columns of categories, how many of those of the first it does not have.
    """

    rows: int
    seen: int
    label: LabelTally | None
    lacking: tuple[str, ...]
    missing: Mapping[str, float]
    unseen: Mapping[str, Mapping[str, int]]
    absent: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class View:
    """What was measured.

    Args:
        measured: counts and sample.
        columns: profiles, by name, in order.
        numbers: of columns of numbers, the different ones of the sample.
        typed: whether cells came with types, unlike those of a CSV file.
        separator: between the fields of a CSV file; "" for all other sources.
        splits: other data sets, by name.
    """

    measured: Measured
    columns: Mapping[str, ColumnProfile]
    numbers: Mapping[str, Distinct]
    typed: bool
    separator: str = ""
    splits: Mapping[str, Split] = field(default_factory=dict)
    _levels: dict[str, Levels] = field(default_factory=dict)

    @property
    def n_classes(self) -> int:
        label = self.measured.spec.label
        return len(label.classes) if label else 0

    @property
    def label_name(self) -> str:
        label = self.measured.spec.label
        return f"label {label.name!r}" if label and label.name else "label"

    @cached_property
    def few(self) -> np.ndarray:
        """Places in the sample of the rows that columns are compared on."""
        n = len(self.measured.sample)
        return np.arange(n) if n <= RELATED else np.linspace(0, n - 1, RELATED).astype(np.int64)

    @cached_property
    def classes(self) -> np.ndarray | None:
        """Of these rows, int64; -1 where there is no label. None without any label, or with a single class."""
        classes = self.measured.sample.classes
        return None if classes is None or self.n_classes < 2 else classes[self.few].astype(np.int64)

    def some(self, name: str) -> Any:
        """A column in these rows."""
        values = self.measured.sample.columns[name]
        return values if len(self.few) == len(self.measured.sample) else values[self.few]

    def levels(self, name: str) -> Levels:
        """A column in these rows, as integers."""
        if name not in self._levels:
            self._levels[name] = levels(self.some(name), self.numbers.get(name))
        return self._levels[name]

    @cached_property
    def same(self) -> Sequence[Same]:
        """Columns that say the same."""
        sample = self.measured.sample
        columns = {c.name: (sample.columns[c.name], self.numbers.get(c.name)) for c in self.features}
        pairs = same_groups(columns, len(sample))
        told = {frozenset((p.one, p.other)) for p in pairs}
        return [*pairs, *(p for p in correlated(self.quantities) if frozenset((p.one, p.other)) not in told)]

    @cached_property
    def quantities(self) -> Mapping[str, np.ndarray]:
        """Columns of numbers with more than two values, in these rows."""
        return {c.name: self.some(c.name) for c in self.features if c.kind == "numeric" and c.distinct > 2}

    @cached_property
    def spellings(self) -> Mapping[str, Spellings]:
        """How the words of columns of strings are written; identifiers aside."""
        out = {}
        for name, tally in self.measured.tallies.items():
            column = tally.column
            if column.kind in ("categorical", "text") and column.role == "feature" and column.dtype == "string":
                out[name] = spellings(counted(self.some(name)) if tally.cut else tally.counts)
        return out

    @cached_property
    def styles(self) -> Mapping[str, Style]:
        """How numbers that came as strings are written."""
        texts = self.measured.sample.texts
        return {n: style(t) for n, t in texts.items()}

    @cached_property
    def gaps(self) -> Gaps:
        """Which cells are missing where, in these rows."""
        scalar = [c.name for c in self.columns.values() if c.missing and not c.shape]
        masks = {name: cells_missing(self.some(name)) for name in scalar}
        causes = {c.name: lv for c in self.features if c.distinct <= FEW_LEVELS and small(lv := self.levels(c.name))}
        label = self.measured.spec.label
        return gaps(masks, causes if masks else {}, self.classes, label.class_names if label else ())

    def column(self, name: str) -> Column:
        return self.measured.spec[name]

    @cached_property
    def features(self) -> tuple[ColumnProfile, ...]:
        """Scalar columns that are neither identifiers, nor constant, nor empty."""
        return tuple(
            c for c in self.columns.values() if c.role == "feature" and not c.shape and c.distinct > 1 and c.rows > 1
        )


def counted(values: Coded) -> dict[str, int]:
    """Rows of each value."""
    n = np.bincount(values.codes + 1, minlength=len(values.values) + 1)[1:].tolist()
    return {str(w): k for w, k in zip(values.values, n, strict=True) if k}


def cells_missing(values: Any) -> np.ndarray:
    """Booleans (rows,) of a scalar column."""
    if isinstance(values, Coded):
        return np.asarray(values.codes < 0)
    return ~np.isfinite(values) if values.dtype.kind == "f" else np.zeros(len(values), bool)
