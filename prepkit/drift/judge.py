"""From how far data are from the training data to what is to be said about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from prepkit.drift.data import ColumnDrift
from prepkit.drift.measure import Limits, as_text, missing_shift, unseen_classes, why_unreadable
from prepkit.drift.observe import ColumnSeen, LabelSeen, Seen
from prepkit.drift.statistic import by_chance
from prepkit.finding import Finding, Severity
from prepkit.scan.reference import Reference
from prepkit.spec import Spec

CODES = (
    *("schema.missing_column", "schema.new_column", "schema.type", "schema.unseen", "schema.unreadable"),
    *("schema.range", "drift.column", "drift.missing", "drift.label"),
)  # the order of findings
FEW = 0.001  # share of rows below which what is odd about them is no alarm: a rule of thumb
EXAMPLES = 3
OF = {"text": "length in characters", "categorical": "length in characters", "tensor": "mean of a row"}
SOURCE = "Siddiqi 2006, Credit Risk Scorecards; Yurdakul and Naranjo 2020, doi:10.21314/JRMV.2020.227"
PRIORS = "Saerens et al. 2002, doi:10.1162/089976602753284446"
NO_COLUMN = "none of the training columns is there: give the data as they were in training, with names if it had names"


def findings_of(
    seen: Seen,
    spec: Spec,
    reference: Reference,
    columns: Sequence[ColumnDrift],
    label: ColumnDrift | None,
    limits: Limits,
) -> tuple[Finding, ...]:
    """All that is to be said, schema first; of one code, in the order of the columns."""
    found = [*_names(seen, spec), *_new_names(seen)]
    for drift in columns:
        if drift.name in seen.columns:
            found += _column(seen.columns[drift.name], drift, reference, limits)
    if seen.label is not None:
        found += _label(seen.label, label, reference)
    return tuple(sorted(found, key=lambda f: CODES.index(f.code)))


def _names(seen: Seen, spec: Spec) -> Iterator[Finding]:
    if len(seen.absent) == len(spec.columns) > 1:
        evidence = {"columns": len(seen.absent), "first": seen.absent[0]}
        yield Finding("schema.missing_column", "error", "columns", evidence, NO_COLUMN)
        return
    for name in seen.absent:
        close = [n for n in seen.new if n.strip().lower() == name.strip().lower()]
        close = close or difflib.get_close_matches(name, seen.new, 1)
        advice = "give it too, empty if need be" + (f", or rename {close[0]!r} if that is it" if close else "")
        yield Finding("schema.missing_column", "error", f"column {name!r}", {"similar": close} if close else {}, advice)


def _new_names(seen: Seen) -> Iterator[Finding]:
    for name in seen.new:
        yield Finding("schema.new_column", "info", f"column {name!r}", {}, "it is ignored, as training had it not")


def _column(seen: ColumnSeen, drift: ColumnDrift, reference: Reference, limits: Limits) -> Iterator[Finding]:
    where = f"column {seen.column.name!r}"
    if why := why_unreadable(seen):
        evidence = {"training": f"{seen.column.kind} ({seen.column.dtype})", "reason": why}
        yield Finding("schema.type", "error", where, evidence, "give it as in training, or fit anew")
        return
    yield from _unseen(seen, reference, limits, where)
    yield from _unreadable(seen, reference, limits, where)
    yield from _range(seen, reference, limits, where)
    if drift.verdict in ("moderate", "major"):
        severity: Severity = "info" if drift.kind == "datetime" else "warning"  # time goes on
        advice = "look at where it comes from; if it is to stay so, fit anew on data like these"
        yield Finding("drift.column", severity, where, _shifted(drift), advice)
    if (missing := missing_shift(seen, reference, limits.level)) and limits.verdict(missing) != "stable":
        evidence = _statistic(missing.psi, limits.threshold(missing), limits.verdict(missing))
        shares = {"share_missing_before": drift.missing_before, "share_missing_after": drift.missing_after}
        advice = "look at where its cells get lost; what is filled in for them was learned from training"
        yield Finding(
            "drift.missing",
            "warning",
            where,
            {**evidence, **shares, "source": SOURCE},
            advice,
            "Impute(indicator=True)",
        )


def _unseen(seen: ColumnSeen, reference: Reference, limits: Limits, where: str) -> Iterator[Finding]:
    if not seen.n_unseen:
        return
    known = reference.sampled - seen.shares.missing
    chance = by_chance(seen.n_unseen, seen.shares.scarce, seen.rows - seen.missing, known)
    severity = _severity(chance, seen.n_unseen, seen, limits)
    if severity == "info" and seen.vocabulary is None and reference.rows > reference.sampled:
        return  # the sample need not have them, though the training rows do
    evidence = _rows(seen.n_unseen, seen) | {"categories": _examples(seen.unseen)}
    advice = "they are encoded as unseen: correct their spelling, or fit anew on data that have them"
    yield Finding("schema.unseen", severity, where, evidence, advice)


def _unreadable(seen: ColumnSeen, reference: Reference, limits: Limits, where: str) -> Iterator[Finding]:
    if seen.n_unreadable:
        chance = by_chance(seen.n_unreadable, seen.shares.missing, seen.rows, reference.sampled)
        severity = _severity(chance, seen.n_unreadable, seen, limits)
        evidence = _rows(seen.n_unreadable, seen) | {"cells": _examples(seen.unreadable)}
        advice = f"they cannot be read as {seen.column.kind} and become missing: correct them"
        yield Finding("schema.unreadable", severity, where, evidence, advice)


def _range(seen: ColumnSeen, reference: Reference, limits: Limits, where: str) -> Iterator[Finding]:
    kind, shares = seen.column.kind, seen.shares
    if shares.low is None or shares.high is None:
        return
    training = (reference.sampled if kind in OF else reference.rows) - shares.missing
    there = seen.rows - seen.missing
    chance = min(by_chance(n, 0, there, training) for n in (seen.below, seen.above))
    if chance >= limits.level:
        return
    severity = "info" if kind == "datetime" else _severity(chance, seen.below + seen.above, seen, limits)
    evidence = _rows(seen.below + seen.above, seen) | {
        "training": f"{as_text(shares.low, kind)} to {as_text(shares.high, kind)}",
        "here": f"{as_text(seen.low, kind)} to {as_text(seen.high, kind)}",
    }
    evidence |= {"of": OF[kind]} if kind in OF else {}
    stage = "Clip(quantiles=(0.001, 0.999))" if kind == "numeric" else ""
    yield Finding("schema.range", severity, where, evidence, "check the unit and the source", stage)


def _label(seen: LabelSeen, drift: ColumnDrift | None, reference: Reference) -> Iterator[Finding]:
    where = f"label {seen.label.name!r}" if seen.label.name else "label"
    if seen.trouble:
        evidence: Mapping[str, Any] = {"training": seen.label.form, "reason": seen.trouble}
        yield Finding("schema.type", "error", where, evidence, "give the labels as in training")
        return
    if unseen := unseen_classes(seen, reference):
        n = sum(unseen.values())
        evidence = {"percent": 100 * n / seen.rows, "n_rows": n, "unseen_classes": _examples(unseen)}
        advice = "the model cannot predict them: correct their spelling, leave those rows out, or fit anew"
        yield Finding("drift.label", "error", where, evidence, advice)
    if drift is not None and drift.verdict in ("moderate", "major"):
        advice = (
            f"thresholds and predicted probabilities are off: correct them for the new shares ({PRIORS}), or fit anew"
        )
        yield Finding("drift.label", "warning", where, _shifted(drift), advice)


def _severity(chance: float, n: int, seen: ColumnSeen, limits: Limits) -> Severity:
    return "warning" if chance < limits.level and n >= FEW * seen.rows else "info"


def _rows(n: int, seen: ColumnSeen) -> dict[str, Any]:
    return {"percent": 100 * n / seen.rows, "n_rows": n}


def _examples(words: Mapping[str, int]) -> list[str]:
    return sorted(words, key=lambda w: (-words[w], w))[:EXAMPLES]


def _statistic(value: float | None, threshold: float | None, verdict: str) -> dict[str, Any]:
    return {"verdict": verdict, "statistic": "PSI", "value": value, "threshold": threshold}


def _shifted(drift: ColumnDrift) -> dict[str, Any]:
    """The statistic, and the cell that has changed most."""
    changes = [abs(q - p) for p, q in zip(drift.before, drift.after, strict=True)]
    most = changes.index(max(changes))
    return {
        **_statistic(drift.psi, drift.threshold, drift.verdict),
        "jensen_shannon": drift.jensen_shannon,
        "largest_change": f"{drift.cells[most]}: {100 * drift.before[most]:.3g} % -> {100 * drift.after[most]:.3g} %",
        "source": SOURCE,
    }
