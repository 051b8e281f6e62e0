"""What a profile holds, as plain data; JSON both ways."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prepkit.errors import PrepkitError
from prepkit.finding import Finding
from prepkit.spec import Kind, Role

VERSION = 1  # of the JSON
QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
OTHER = "<other>"  # the bar of all values that have none of their own; always the last


@dataclass(frozen=True)
class Bars:
    """Rows of the sample by bin of a numeric column, or by value of another; cells that are missing aside.

    Args:
        labels: what each bar stands for: "[0, 10)", the last "[90, 100]"; "Private", "<other>".
        counts: rows of each bar.
        edges: of the bins of numbers, rising, one more than bars; () for categories.
        by_class: for each class of the label, in its order, its rows of each bar; () where there is no label.
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
        dtype: as it comes in: a numpy name, "string" or "datetime".
        notes: what inference decided, and why.
        rows: that were read.
        missing: cells without a value (NaN, null, infinite, blank, markers); as many cells as rows,
            but for tensors `rows` times the numbers of one row.
        shape: of one row; () for a scalar.
        markers: what stood for a missing cell, and how often: "NaN" for NaN and null, "" for blank cells,
            "?" and so on; what is infinite or unreadable is not among them. {} for tensors.
        infinite: cells with an infinite number, counted in `missing` too.
        unreadable: cells that are there and cannot be read as the kind, counted in `missing` too.
        distinct: different values; an estimate from the sample where `distinct_exact` is False.
        distinct_exact: whether `distinct` was counted on all rows.
        zeros: cells with the number 0; 0 for strings.
        mean: of the numbers (of points in time, seconds since 1970, UTC), with `std` (population) and `skew`
            (of the sample); None for other kinds and without any value.
        std: see `mean`.
        skew: see `mean`.
        quantiles: of the numbers at `QUANTILES`, the first and last exact, the others of the sample;
            () where there is no `mean`.
        lengths: shortest, median and longest string of the sample in characters; () for other kinds.
        bars: the distribution, from the sample; None without any value.
    """

    name: str
    kind: Kind
    role: Role
    dtype: str
    notes: tuple[str, ...]
    rows: int
    missing: int
    shape: tuple[int, ...] = ()
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

    @property
    def cells(self) -> int:
        """Rows, times the numbers of one row of a tensor."""
        cells = self.rows
        for n in self.shape:
            cells *= n
        return cells


@dataclass(frozen=True)
class LabelProfile:
    """What the label holds.

    Args:
        name: of its column; None where it came beside the features.
        form: as it comes in, see `Label`.
        classes: in their order, as text.
        counts: rows of each.
        missing: rows without a label.
    """

    name: str | None
    form: str
    classes: tuple[str, ...]
    counts: tuple[int, ...]
    missing: int


@dataclass(frozen=True, repr=False)
class Profile:
    """What is in the data and what is wrong with them.

    Args:
        source: the name of what was read.
        rows: that were read.
        sampled: rows, spread over all, that distributions and quantiles were computed from.
        columns: in their order.
        label: None without one.
        duplicates: rows that repeat an earlier one in every feature (identifiers aside) and the label; an
            estimate where `duplicates_exact` is False.
        duplicates_exact: whether `duplicates` was counted on all rows.
        findings: the gravest first.
        splits: rows of each of the data sets that were compared (`against`), by name.

    Example:
        >>> import prepkit as pk
        >>> found = pk.profile({"x": [1.0, None, 3.0], "y": [0, 1, 0]}, label="y")
        >>> found["x"].missing, Profile.from_json(found.to_json()) == found
        (1, True)
    """

    source: str
    rows: int
    sampled: int
    columns: tuple[ColumnProfile, ...]
    label: LabelProfile | None
    duplicates: int
    duplicates_exact: bool
    findings: tuple[Finding, ...]
    splits: Mapping[str, int] = field(default_factory=dict)

    def __getitem__(self, name: str) -> ColumnProfile:
        for column in self.columns:
            if column.name == name:
                return column
        listed = ", ".join(repr(c.name) for c in self.columns[:20])
        raise PrepkitError(f"the profile has no column {name!r}: choose one of {listed}.")

    def about(self, code: str) -> Sequence[Finding]:
        """The findings of a code, as "missing" or "labels.imbalance"; a prefix up to a dot will do."""
        return [f for f in self.findings if f.code == code or f.code.startswith(f"{code}.")]

    def __repr__(self) -> str:
        from prepkit.profiling.draw import line

        return f"<{line(self)}>"

    def __str__(self) -> str:
        from prepkit.profiling.draw import table
        from prepkit.report.terminal import as_text

        return "\n".join(line.rstrip() for line in as_text(table(self), width=100).splitlines())

    def show(self) -> None:
        """Print it as wide as the terminal is, in colour where it can."""
        from rich.console import Console

        from prepkit.profiling.draw import table

        Console().print(table(self))

    def _repr_html_(self) -> str:
        from prepkit.profiling.page import html
        from prepkit.report.html import frame

        return frame(html(self))

    def to_html(self, path: str | Path) -> Path:
        """Write the profile as a page to read in a browser: one file that needs no other.

        Args:
            path: of the file; one that is there is replaced.

        Raises:
            PrepkitError: if `path` is a directory, or its directory is not there.
        """
        from prepkit.profiling.page import html
        from prepkit.report.files import write_text

        return write_text(path, html(self))

    def to_json(self) -> str:
        """The profile as JSON text, from which `from_json` makes an equal one."""
        return json.dumps({"version": VERSION, **dataclasses.asdict(self)}, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Profile:
        """The profile of which `to_json` made `text`.

        Raises:
            PrepkitError: if `text` is not such.
        """
        try:
            data = json.loads(text)
            if data.pop("version") != VERSION:
                raise ValueError(f"it is not of version {VERSION}")
            columns = tuple(_column(c) for c in data.pop("columns"))
            label = data.pop("label")
            findings = tuple(Finding(**f) for f in data.pop("findings"))
            return cls(
                columns=columns, label=LabelProfile(**_tuples(label)) if label else None, findings=findings, **data
            )
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise PrepkitError(
                f"this is no profile that `to_json` wrote ({error!r}): profile the data again."
            ) from error


def _column(data: Mapping[str, Any]) -> ColumnProfile:
    bars = data["bars"]
    return ColumnProfile(**_tuples(data) | {"bars": Bars(**_tuples(bars)) if bars else None})


def _tuples(data: Mapping[str, Any]) -> dict[str, Any]:
    """Lists, and lists in lists, as tuples; mappings stay as they are."""
    return {k: _tuple(v) if isinstance(v, list) else v for k, v in data.items()}


def _tuple(values: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(_tuple(v) if isinstance(v, list) else v for v in values)
