"""How findings are put in words, and many alike into one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from prepkit.finding import SEVERITIES, Finding, Severity

ALIKE = 6  # columns with the same finding, from which on they are one; a rule of thumb for what is still read
NAMED = 5  # of them that are named where it is found
READABLE = 1e9
MOST = 1.7e308
LISTED = 1000  # of them that the evidence lists


def on_column(code: str, severity: Severity, name: str, advice: str, stage: str = "", **evidence: Any) -> Finding:
    return Finding(code, severity, f"column {name!r}", evidence, advice, stage)


def on_columns(
    code: str, severity: Severity, names: Sequence[str], advice: str, stage: str = "", **evidence: Any
) -> Finding:
    """A finding about several columns together."""
    if len(names) == 1:
        return on_column(code, severity, names[0], advice, stage, **evidence)
    return Finding(code, severity, named(names), {"columns": list(names[:LISTED]), **evidence}, advice, stage)


def named(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:NAMED]))
    return f"columns {shown}" + (f" and {len(names) - NAMED:,} more" if len(names) > NAMED else "")


def quoted(words: Iterable[Any], most: int = 3) -> str:
    """Some words as a person writes them."""
    some = [repr(str(w) if len(str(w)) <= 40 else f"{str(w)[:40]}...") for w in list(words)[: most + 1]]
    return ", ".join(some[:most]) + (", ..." if len(some) > most else "")


def percent(part: float, whole: float) -> float:
    """To three digits."""
    return float(f"{100 * part / whole:.3g}") if whole else 0.0


def rounded(value: float) -> float:
    """To four digits, and finite; whole numbers that a person can read as they are."""
    if abs(value) < READABLE and value == int(value):
        return float(value)
    return float(f"{min(max(value, -MOST), MOST):.4g}")


def together(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The gravest first; the same about many single columns as one, with the range of its numbers."""
    alike: dict[Any, list[Finding]] = {}
    for f in findings:
        single = f.where.startswith("column ")
        stage = f.stage.partition("(")[0] if f.stage.startswith("Drop(") else f.stage
        alike.setdefault((f.code, f.severity, stage) if single else (f.code, id(f)), []).append(f)
    out = []
    for group in alike.values():
        out += group if len(group) < ALIKE else [_one(group)]
    return tuple(sorted(out, key=lambda f: SEVERITIES.index(f.severity)))


def _one(group: Sequence[Finding]) -> Finding:
    names = [f.where.removeprefix("column ")[1:-1] for f in group]
    evidence: dict[str, Any] = {"columns": names[:LISTED], "number": len(names)}
    for key, first in group[0].evidence.items():
        values = [f.evidence.get(key) for f in group]
        if all(isinstance(v, int | float) and not isinstance(v, bool) for v in (first, *values)):
            evidence |= {f"least {key}": min(values), f"most {key}": max(values)}  # type: ignore[type-var]
    stage = f"Drop({names!r})" if group[0].stage.startswith("Drop(") else group[0].stage
    return Finding(group[0].code, group[0].severity, named(names), evidence, group[0].advice, stage)
