"""What a check has found: a fact with its place, its evidence and what to do about it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Args:
        code: what was found, as "labels.constant"; it is stable, and the documentation explains it.
        severity: "error": training on it fails or means nothing; "warning": training suffers;
            "info": good to know.
        where: "column 'age'", "label 'income'", "rows", ...
        evidence: the numbers that it rests on, as plain values.
        advice: what to do about it, in a sentence.
        stage: the prepkit stage that cures it, as Python: "Impute()"; "" where none does.
    """

    code: str
    severity: Severity
    where: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    advice: str = ""
    stage: str = ""

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        evidence = ", ".join(f"{k} {_plain(v)}" for k, v in self.evidence.items())
        return f"[{self.severity}] {self.code}: {self.where}: {evidence}: {self.advice}"


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
