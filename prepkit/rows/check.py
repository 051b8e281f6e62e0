"""What some data break of a set of rules, and nothing more: no row is refused, no cell changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from prepkit.entry import Entry
from prepkit.errors import PrepkitError
from prepkit.progress import track
from prepkit.rows.quarantine import EXAMPLES, cells
from prepkit.rules import Rule
from prepkit.source import RawChunk

if TYPE_CHECKING:
    import pandas

CAP = 1_000_000  # rows that are kept of each rule; of all others only the number


@dataclass(frozen=True)
class Validation:
    """What rows break which rules.

    Args:
        rules: in the order of the schema.
        rows: that were judged.
        counts: of each rule, the rows that break it.
        broken: of each rule that is broken, the numbers of its rows, rising, the first million of them.
        examples: of each rule that is broken, some of the cells.

    Example:
        >>> import pandas as pd
        >>> import pandera.pandas as pa
        >>> import prepkit as pk
        >>> schema = pa.DataFrameSchema({"age": pa.Column(float, pa.Check.ge(0), nullable=True)})
        >>> found = pk.Validate(schema).check(pd.DataFrame({"age": [20.0, -1.0, None]}))
        >>> found.ok, found.failures.values.tolist()
        (False, [[1, 'age', 'greater_than_or_equal_to(0)']])
    """

    rules: tuple[Rule, ...]
    rows: int
    counts: tuple[int, ...]
    broken: Mapping[int, np.ndarray] = field(repr=False)
    examples: Mapping[int, Sequence[str]] = field(repr=False)

    @property
    def ok(self) -> bool:
        """Whether no rule is broken."""
        return not any(self.counts)

    @cached_property
    def failures(self) -> pandas.DataFrame:
        """A row for each row and rule that it breaks: `row`, `column` ("" of several) and `check`."""
        import pandas as pd

        numbers = [i for i in self.broken for _ in range(len(self.broken[i]))]
        rows = np.concatenate(list(self.broken.values())) if self.broken else np.empty(0, np.int64)
        of = [self.rules[i].columns for i in range(len(self.rules))]
        return pd.DataFrame(
            {
                "row": rows,
                "column": [", ".join(of[i]) for i in numbers],
                "check": [self.rules[i].text or self.rules[i].check for i in numbers],
            }
        )

    def __str__(self) -> str:
        lines = [f"{self.rows:,} rows, {len(self.rules)} rules, {sum(map(bool, self.counts))} of them broken"]
        for i, n in enumerate(self.counts):
            if n:
                seen = f", such as {', '.join(self.examples[i])}" if self.examples.get(i) else ""
                where = (
                    f"row {self.broken[i][0]}" if n == 1 else f"{n:,} rows, the first of them row {self.broken[i][0]}"
                )
                lines.append(f"  {self.rules[i]}: {where}{seen}")
        return "\n".join(lines)


def judged(chunks: Iterable[RawChunk], entry: Entry, total: int | None = None) -> Validation:
    """Judge all rows of some chunks by the rules of `entry`."""
    gate = entry.gate
    assert gate is not None
    label = entry.raw.label.name if entry.raw.label else None
    counts = [0] * len(gate.rules)
    found: dict[int, list[np.ndarray]] = {}
    examples: dict[int, list[str]] = {}
    start = 0
    for chunk in track(chunks, "validating", total):
        verdict = entry.judged(chunk, start)
        for i, rows in verdict.broken.items():
            room = max(0, CAP - counts[i])
            counts[i] += len(rows)
            found.setdefault(i, []).append(rows[:room] + start)
            if i not in examples:
                examples[i] = cells(gate, i, chunk, rows[:EXAMPLES], label)
        start += len(chunk)
    broken = {i: np.concatenate(parts) for i, parts in sorted(found.items())}
    return Validation(gate.rules, start, tuple(counts), broken, examples)


def refuse_unlearned(schema: Any) -> None:
    if schema is None:
        raise PrepkitError(
            "Validate() has no schema to check by: give one, or fit a pipeline that begins with it and call "
            "fitted.check(data)."
        )
