"""What a comparison with the training data holds, as plain data; JSON both ways."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from prepkit.finding import Finding
from prepkit.spec import Kind

Verdict = Literal["stable", "moderate", "major", "absent", "unreadable", "unknown"]


@dataclass(frozen=True)
class ColumnDrift:
    """How one column, or the label, differs from the training data.

    Args:
        name: of the column.
        kind: as in training.
        verdict: "major" or "moderate" drift, or "stable"; "absent" if it is not there, "unreadable" if not
            of its kind; "unknown" where there is nothing to compare (one cell only, or no value).
        psi: population stability index, from 0, over the cells below; None if unknown.
        threshold: what `psi` has to exceed to be drift: `MODERATE`, or more where there are so few rows that
            chance gives more.
        expected: the mean `psi` of so many rows of the same distribution.
        jensen_shannon: Jensen-Shannon distance with logarithms to base 2, from 0 to 1.
        missing_before: share of the training cells without a value.
        missing_after: share of these.
        cells: what is compared, as "[30, 37)" or "Private"; of text by length in characters, of tensors by
            the mean of a row.
        before: share of the training values in each cell.
        after: share of these.
    """

    name: str
    kind: Kind
    verdict: Verdict = "unknown"
    psi: float | None = None
    threshold: float | None = None
    expected: float | None = None
    jensen_shannon: float | None = None
    missing_before: float | None = None
    missing_after: float | None = None
    cells: tuple[str, ...] = ()
    before: tuple[float, ...] = ()
    after: tuple[float, ...] = ()


@dataclass(frozen=True)
class Drift:
    """How data differ from the training data; JSON both ways.

    Args:
        source: the name of what was read.
        rows: that were read.
        training_rows: that it is compared with.
        columns: of the training data, in their order.
        label: None where either had none.
        findings: first what is wrong with the schema, then what has drifted. Those of severity "info" are facts,
            not alarms: they are no more than chance gives, or do no harm.
    """

    source: str
    rows: int
    training_rows: int
    columns: tuple[ColumnDrift, ...]
    label: ColumnDrift | None
    findings: tuple[Finding, ...]

    def __getitem__(self, name: str) -> ColumnDrift:
        return next(c for c in self.columns if c.name == name)

    def about(self, code: str) -> Sequence[Finding]:
        """The findings of a code, as "drift.column" or, all of them, "drift"."""
        return [f for f in self.findings if f.code == code or f.code.startswith(f"{code}.")]

    def to_json(self) -> str:
        """As JSON text."""
        return json.dumps(dataclasses.asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Drift:
        """The other way round."""
        data = json.loads(text)
        data["columns"] = tuple(map(_column, data["columns"]))
        data["label"] = None if data["label"] is None else _column(data["label"])
        data["findings"] = tuple(Finding(**f) for f in data["findings"])
        return cls(**data)

    def __repr__(self) -> str:
        found = f"{len(self.findings)} finding{'' if len(self.findings) == 1 else 's'}"
        head = f"Drift of {self.rows:,} rows from {self.training_rows:,} training rows: {found}"
        return "\n".join([head, *(f"  {f}" for f in self.findings)])


def _column(data: dict[str, Any]) -> ColumnDrift:
    fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
    return ColumnDrift(**fields)
