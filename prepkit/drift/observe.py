"""What other data hold, counted in the cells of the training data; each row is read once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prepkit.decode import decode_column, unreadable
from prepkit.errors import PrepkitError
from prepkit.labels import decode_label
from prepkit.progress import track
from prepkit.scan import Coded
from prepkit.scan.reference import Reference, Shares, as_numbers, counted, extremes
from prepkit.source import CHUNK, RawChunk, Source
from prepkit.spec import Column, Label, Spec

LISTED = 1000  # different values of one sort that are remembered, for the examples


@dataclass
class ColumnSeen:
    """What a column holds.

    Args:
        column: as in training.
        shares: of the training data.
        vocabulary: every category of the training rows; None where only those of the sample are known.
        trouble: why it cannot be read as its training kind; what was counted is then void.
        rows: that were read.
        missing: those without a value, unreadable ones among them.
        counts: rows in each cell of `shares`.
        low: smallest value, with `below`, the rows below the smallest of training.
        high: largest value, with `above`.
        unseen: rows of each category that training had not, at most `LISTED` of them, with all their rows in
            `n_unseen`.
        unreadable: rows of each string that cannot be read as the kind, likewise.
    """

    column: Column
    shares: Shares
    vocabulary: Sequence[str] | None = None
    trouble: str = ""
    rows: int = 0
    missing: int = 0
    counts: np.ndarray = field(init=False)
    low: float = np.inf
    high: float = -np.inf
    below: int = 0
    above: int = 0
    unseen: Counter[str] = field(default_factory=Counter)
    n_unseen: int = 0
    unreadable: Counter[str] = field(default_factory=Counter)
    n_unreadable: int = 0

    def __post_init__(self) -> None:
        self.counts = np.zeros(len(self.shares.categories if self.listed else self.shares.edges) + 1, np.int64)

    @property
    def listed(self) -> bool:
        """Whether it is compared by category, not by number."""
        return self.column.kind == "categorical" and self.column.role != "identifier"

    @cached_property
    def _cells(self) -> dict[str, int]:
        return {word: i for i, word in enumerate(self.shares.categories)}

    @cached_property
    def _known(self) -> frozenset[str] | None:
        if self.vocabulary is not None:
            return frozenset(self.vocabulary)
        return None if self.shares.rest is None else frozenset((*self.shares.categories, *self.shares.rest))

    def update(self, raw: Any) -> None:
        if self.trouble:
            return
        try:
            values = decode_column(raw, self.column)
        except PrepkitError as error:
            self.trouble = str(error)
            return
        self.rows += len(values)
        if self.listed:
            self._count_categories(values)
        else:
            self._count_numbers(as_numbers(values), raw)

    def _count_categories(self, values: Coded) -> None:
        cells = np.bincount(values.recoded(self._cells, len(self._cells)) + 1, minlength=len(self.counts) + 1)
        self.missing += int(cells[0])
        self.counts += cells[1:]
        if self._known is None:
            return
        rows = np.bincount(values.codes + 1, minlength=len(values.values) + 1)[1:].tolist()
        unseen = {word: n for word, n in zip(values.values, rows, strict=True) if n and word not in self._known}
        self.n_unseen += sum(unseen.values())
        _remember(self.unseen, unseen)

    def _count_numbers(self, values: np.ndarray, raw: Any) -> None:
        there = np.isfinite(values)
        if not there.all():
            if self.column.kind in ("numeric", "datetime", "boolean"):
                self._count_unreadable(raw, values)
            values = values[there]
        self.missing += len(there) - len(values)
        self.counts += counted(values, self.shares.edges)
        low, high = extremes(values)
        self.low, self.high = min(self.low, low), max(self.high, high)
        if self.shares.low is not None and low < self.shares.low:
            self.below += int(np.count_nonzero(values < self.shares.low))
        if self.shares.high is not None and high > self.shares.high:
            self.above += int(np.count_nonzero(values > self.shares.high))

    def _count_unreadable(self, raw: Any, values: np.ndarray) -> None:
        rows = unreadable(raw, values, self.column)
        if len(rows):
            cells = pc.value_counts(raw.take(pa.array(rows)).cast(pa.large_string())).to_pylist()
            self.n_unreadable += len(rows)
            _remember(self.unreadable, {cell["values"]: cell["counts"] for cell in cells})


def _remember(seen: Counter[str], new: Mapping[str, int]) -> None:
    for word, n in new.items():
        if word in seen or len(seen) < LISTED:
            seen[word] += n


@dataclass
class LabelSeen:
    """What the label holds: rows without, and of each class by its name."""

    label: Label
    rows: int = 0
    missing: int = 0
    classes: Counter[str] = field(default_factory=Counter)
    trouble: str = ""

    def update(self, raw: Any) -> None:
        if self.trouble:
            return
        try:
            y = decode_label(raw, self.label.form, self.label.name)
        except PrepkitError as error:
            self.trouble = str(error)
            return
        rows = np.bincount(y.codes + 1, minlength=len(y.values) + 1).tolist()
        self.rows += len(y)
        self.missing += rows[0]
        self.classes.update({str(c): n for c, n in zip(y.values, rows[1:], strict=True) if n})


@dataclass(frozen=True)
class Seen:
    """What data hold, counted as the training data were.

    Args:
        rows: that were read.
        columns: of the training data that are there, by name.
        absent: the other columns of the training data.
        new: columns that the training data had not.
        label: None where there is none.
    """

    rows: int
    columns: Mapping[str, ColumnSeen]
    absent: tuple[str, ...]
    new: tuple[str, ...]
    label: LabelSeen | None


def observe(source: Source, spec: Spec, reference: Reference, vocabularies: Mapping[str, Sequence[str]]) -> Seen:
    """Read all rows once and count them.

    Raises:
        PrepkitError: if there are none.
    """
    columns = {
        c.name: ColumnSeen(c, reference.columns[c.name], vocabularies.get(c.name))
        for c in spec.columns
        if c.name in reference.columns
    }
    label = None if spec.label is None else LabelSeen(spec.label)
    rows, there = 0, dict[str, None]()
    for chunk in track(source.chunks(), "reading", -(-(source.n_rows or 0) // CHUNK) or None):
        raw = _named(chunk)
        there |= dict.fromkeys(raw)
        for name, seen in columns.items():
            if name in raw:
                seen.update(raw[name])
        if label is not None and chunk.label is not None:
            label.update(chunk.label)
        rows += len(chunk)
    if not rows:
        raise PrepkitError(f"{source.name} has no rows: nothing to compare.")
    return Seen(
        rows,
        {name: seen for name, seen in columns.items() if name in there},
        tuple(name for name in spec.names if name not in there),
        tuple(name for name in there if name not in spec),
        label if label is not None and (label.rows or label.trouble) else None,
    )


def _named(chunk: RawChunk) -> Mapping[str, Any]:
    """The columns by name; those of a matrix as the spec of one names them."""
    if chunk.matrix is None:
        return chunk.columns
    return {f"x{i}": chunk.matrix[:, i] for i in range(chunk.matrix.shape[1])}
