"""What some data break of a set of rules, and nothing more: no row is refused, no cell changed."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from prepkit.entry import Entry
from prepkit.errors import PrepkitError
from prepkit.gate import Gate, Verdict
from prepkit.graph import as_written
from prepkit.progress import track
from prepkit.rows.quarantine import EXAMPLES, cells_of, examples
from prepkit.rules import Rule, never_broken
from prepkit.source import CHUNK, RawChunk, Source
from prepkit.source.dataset import TensorDataset
from prepkit.tensors import WORDS

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


@dataclass
class _Tally:
    """What has been found so far."""

    gate: Gate
    rows: int = 0
    counts: Counter[int] = field(default_factory=Counter)
    found: dict[int, list[np.ndarray]] = field(default_factory=dict)
    examples: dict[int, list[str]] = field(default_factory=dict)

    def update(self, verdict: Verdict, column: Callable[[Rule], Any]) -> None:
        """Take in what some rows break; `column` gives the raw cells of a rule's column."""
        for i, rows in verdict.broken.items():
            if self.counts[i] < CAP:
                self.found.setdefault(i, []).append(rows[: CAP - self.counts[i]] + self.rows)
            self.counts[i] += len(rows)
            if i not in self.examples:
                self.examples[i] = examples(column(self.gate.rules[i]), rows[:EXAMPLES])
        self.rows += verdict.rows

    def result(self) -> Validation:
        broken = {i: np.concatenate(parts) for i, parts in sorted(self.found.items())}
        rules = self.gate.rules
        return Validation(rules, self.rows, tuple(self.counts[i] for i in range(len(rules))), broken, self.examples)


def checked(source: Source, read: Callable[[], Iterable[RawChunk]], entry: Entry) -> Validation:
    """Judge all rows of a source, which `read` reads, by the rules of `entry`."""
    gate = entry.gate
    assert gate is not None
    if isinstance(source, TensorDataset) and len(gate.serving) == len(gate.rules) > 0:
        return _in_graph(source, entry)
    return _judged(read(), entry, -(-(source.n_rows or 0) // CHUNK) or None)


def _judged(chunks: Iterable[RawChunk], entry: Entry, total: int | None) -> Validation:
    assert entry.gate is not None
    label = entry.raw.label.name if entry.raw.label else None
    tally = _Tally(entry.gate)
    for chunk in track(chunks, "validating", total):
        tally.update(entry.judged(chunk, tally.rows), functools.partial(cells_of, chunk=chunk, label=label))
    return tally.result()


def _in_graph(source: TensorDataset, entry: Entry) -> Validation:
    """Of a dataset, where all rules are tensor operations and none is of the label."""
    gate = entry.gate
    assert gate is not None
    readable = {c.name for c in entry.raw.columns if c.dtype != "string" or c.kind in WORDS}
    rules = [i for i, r in enumerate(gate.rules) if not (never_broken(r) and r.columns[0] in readable)]

    @as_written
    def broken(*element: Any) -> tuple[Any, Any]:
        x, _, _ = source.separate(element if len(element) > 1 else element[0])
        if not rules:
            return x, tf.zeros([0, tf.shape(next(iter(x.values())) if isinstance(x, Mapping) else x)[0]], tf.bool)
        return x, entry.broken_in_graph(x, rules, axis=0)

    tally = _Tally(gate)
    for x, by_rule in track(source.dataset.map(broken, num_parallel_calls=tf.data.AUTOTUNE).prefetch(2), "validating"):
        found = by_rule.numpy()
        places = {rules[i]: np.flatnonzero(found[i]) for i in np.flatnonzero(found.any(1)).tolist()}
        tally.update(Verdict(found.shape[1], places), functools.partial(_raw_cells, x))
    return tally.result()


def _raw_cells(x: Any, rule: Rule) -> Any:
    """The cells of a rule's column in a batch of tensors; None where it is about none, or they are missing."""
    if len(rule.columns) != 1 or rule.check == "nullable" or not isinstance(x, Mapping):
        return None
    cells = x[rule.columns[0]].numpy()
    return cells if cells.dtype != object else np.array([v.decode("utf-8", "replace") for v in cells.ravel()], object)


def refuse_unlearned(schema: Any) -> None:
    if schema is None:
        raise PrepkitError(
            "Validate() has no schema to check by: give one, or fit a pipeline that begins with it and call "
            "fitted.check(data)."
        )
