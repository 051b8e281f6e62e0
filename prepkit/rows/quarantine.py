"""Refused rows, kept whole, with the rules that each broke."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from prepkit.errors import PrepkitError
from prepkit.gate import Gate, Verdict
from prepkit.rules import Rule
from prepkit.source import RawChunk

HELD = 100_000  # rows that are held in memory; saving reads the others once more
LISTED = 1000  # row numbers that are kept of each rule
EXAMPLES = 5  # cells that are kept of each rule
ROW, BROKEN = "row", "broken"


@dataclass
class Refusals:
    """What the rules did to the training rows.

    Args:
        broken: rule number -> rows that break it, refused or not.
        refused: rule number -> rows that are refused and break it first.
        rows: rule number -> the first of their numbers.
        examples: rule number -> some of the cells that broke it.
        held: the first rows in quarantine.
        quarantined: how many there are.
    """

    broken: dict[int, int] = field(default_factory=dict)
    refused: dict[int, int] = field(default_factory=dict)
    rows: dict[int, list[int]] = field(default_factory=dict)
    examples: dict[int, list[str]] = field(default_factory=dict)
    held: list[pa.Table] = field(default_factory=list)
    quarantined: int = 0

    @property
    def total(self) -> int:
        return sum(self.refused.values())

    def update(self, gate: Gate, verdict: Verdict, chunk: RawChunk, start: int, label: str | None) -> None:
        """Count what some rows broke and keep those in quarantine; `start` is the number of the first row."""
        if not verdict.broken:
            return
        for i, rows in verdict.broken.items():
            self.broken[i] = self.broken.get(i, 0) + len(rows)
            some = self.examples.setdefault(i, [])
            if len(some) < EXAMPLES:
                seen = examples(cells_of(gate.rules[i], chunk, label), rows[:EXAMPLES])
                some += [v for v in seen if v not in some][: EXAMPLES - len(some)]
        taken = np.zeros(verdict.rows, bool)
        for i in gate.refusing:
            if i in verdict.broken:
                first = verdict.broken[i][~taken[verdict.broken[i]]]
                taken[first] = True
                self.refused[i] = self.refused.get(i, 0) + len(first)
                listed = self.rows.setdefault(i, [])
                listed += (first + start).tolist()[: max(0, LISTED - len(listed))]
        kept = np.flatnonzero(verdict.mask(gate.numbers(("quarantine",))))
        if len(kept) and self.quarantined < HELD:
            self.held.append(quarantined(gate, verdict, chunk, kept[: HELD - self.quarantined], start, label))
        self.quarantined += len(kept)


def quarantined(
    gate: Gate, verdict: Verdict, chunk: RawChunk, rows: np.ndarray, start: int, label: str | None
) -> pa.Table:
    """Rows as they came, their number first, and last the rules that they broke."""
    columns: dict[str, Any] = {ROW: pa.array(rows + start, pa.int64())}
    index = pa.array(rows, pa.int64())
    features = dict(chunk.columns)
    if chunk.matrix is not None:
        features |= {f"x{i}": column for i, column in enumerate(chunk.matrix.T)}
    for name, values in features.items():
        columns[_free(name, (ROW, BROKEN), "of the data")] = _plain(values, rows, index)
    for name, values in ((label or "y", chunk.label), ("weight", chunk.weight)):
        if values is not None:
            columns[_free(name, columns, "of the row")] = _plain(values, rows, index)
    words: list[list[str]] = [[] for _ in rows]
    for i, broken in verdict.broken.items():
        for place in np.flatnonzero(np.isin(rows, broken, assume_unique=True)).tolist():
            words[place].append(str(gate.rules[i]))
    columns[BROKEN] = pa.array(["; ".join(w) for w in words], pa.string())
    return pa.table(columns)


def _free(name: str, taken: Collection[str], whose: str) -> str:
    """A name that is not taken."""
    return f"{name} ({whose})" if name in taken else name


def _plain(values: Any, rows: np.ndarray, index: pa.Array) -> Any:
    """Some cells as pyarrow; those of tensors as lists, those of dictionaries as their words."""
    if isinstance(values, np.ndarray):
        chosen = values[rows]
        if chosen.ndim == 1:
            return pa.array(chosen)
        flat = pa.array(chosen.reshape(-1))
        return pa.FixedSizeListArray.from_arrays(flat, int(np.prod(chosen.shape[1:])))
    chosen = values.take(index)
    if pa.types.is_dictionary(chosen.type):
        chosen = chosen.dictionary_decode() if isinstance(chosen, pa.Array) else chosen.cast(chosen.type.value_type)
    return chosen


def first_held(tables: Iterable[pa.Table]) -> pa.Table | None:
    """The first `HELD` rows of tables that may be many; None of none."""
    taken: list[pa.Table] = []
    for table in tables:
        taken.append(table.slice(0, HELD - sum(map(len, taken))))
        if sum(map(len, taken)) >= HELD:
            break
    return pa.concat_tables(taken, promote_options="permissive") if taken else None


def cells_of(rule: Rule, chunk: RawChunk, label: str | None) -> Any:
    """The raw cells of a rule's column; None where it is about several, or about their being missing."""
    if len(rule.columns) != 1 or rule.check == "nullable":
        return None
    name = rule.columns[0]
    if rule.of_label:
        return chunk.label
    return chunk.columns.get(name) if chunk.matrix is None else chunk.matrix[:, int(name[1:])]


def examples(values: Any, rows: np.ndarray) -> list[str]:
    """Some cells as text, each once; none of tensors."""
    if values is None or not len(rows) or (isinstance(values, np.ndarray) and values.ndim > 1):
        return []
    found = values[rows].tolist() if isinstance(values, np.ndarray) else values.take(pa.array(rows)).to_pylist()
    return list(dict.fromkeys(_shown(v) for v in found))


def _shown(value: Any) -> str:
    text = f"{value:g}" if isinstance(value, float) else repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def refuse_raised(gate: Gate, verdict: Verdict, chunk: RawChunk, start: int, label: str | None) -> None:
    """Raise an error where a rule with the policy "raise" is broken."""
    told = [i for i in gate.numbers(("raise",)) if i in verdict.broken]
    if not told:
        return
    parts = []
    for i in told[:3]:
        rows = verdict.broken[i]
        seen = examples(cells_of(gate.rules[i], chunk, label), rows[:3])
        what = f" ({', '.join(seen)})" if seen else ""
        where = f"row {rows[0] + start}"
        where = where if len(rows) == 1 else f"{len(rows):,} rows, the first of them {where}"
        parts.append(f"{gate.rules[i]}, in {where}{what}")
    more = f"; and {len(told) - 3} more rules" if len(told) > 3 else ""
    raise PrepkitError(
        f"the data break {'; '.join(parts)}{more}: mend the data or the schema, or let Validate keep such rows out "
        "with on_invalid='quarantine'."
    )


def check_share(gate: Gate, refusals: Refusals, read: int) -> None:
    """Refuse to go on where too many rows are refused.

    Raises:
        PrepkitError: if their share is above `max_refused`, or none is left.
    """
    if not refusals.total or (refusals.total < read and refusals.total <= gate.max_refused * read + 1e-9):
        return
    most = sorted(refusals.refused, key=lambda i: -refusals.refused[i])[:3]
    parts = [f"{gate.rules[i]} ({refusals.refused[i]:,}{_examples(refusals, i)})" for i in most]
    share = refusals.total / read
    fix = "mend the data or the schema"
    if share < 1:
        fix += f", or allow it with Validate(max_refused={_above(share)})"
    raise PrepkitError(
        f"{refusals.total:,} of {read:,} rows ({100 * share:.3g} %) are refused, and max_refused={gate.max_refused:g} "
        f"allows fewer. Most are by {'; '.join(parts)}: {fix}."
    )


def _examples(refusals: Refusals, i: int) -> str:
    seen = refusals.examples.get(i, [])
    return f", such as {', '.join(seen[:3])}" if seen else ""


def _above(share: float) -> float:
    """The next share of two digits."""
    return min(1.0, math.ceil(round(share * 100, 9)) / 100)


def report(gate: Gate, refusals: Refusals) -> tuple[Mapping[str, Any], ...]:
    """What each rule did, as plain data."""
    return tuple(
        {
            "rule": str(rule),
            "policy": rule.policy,
            "runs": rule.runs,
            "broken": refusals.broken.get(i, 0),
            "refused": refusals.refused.get(i, 0),
            "examples": tuple(refusals.examples.get(i, ())),
        }
        for i, rule in enumerate(gate.rules)
    )


def reasons(gate: Gate, refusals: Refusals) -> tuple[dict[str, int], dict[str, tuple[int, ...]]]:
    """For the ledger: rows by the rule that refused them, and the first of their numbers."""
    counts = {str(gate.rules[i]): n for i, n in refusals.refused.items() if n}
    return counts, {str(gate.rules[i]): tuple(refusals.rows[i]) for i, n in refusals.refused.items() if n}
