"""Which cells and rows come in: rules are evaluated once, and policies say what becomes of what breaks them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, get_args

import numpy as np
import tensorflow as tf

from prepkit.decode import unreadable
from prepkit.rules import (
    HEALING,
    REFUSING,
    Policy,
    Rule,
    broken_numbers,
    broken_rows,
    broken_texts,
    clipped,
    never_broken,
)
from prepkit.scan import Coded
from prepkit.scan.duplicates import row_hashes
from prepkit.spec import FLOAT32, LABEL, Column, Spec
from prepkit.tensors import WORDS, Texts

Decoded = Mapping[str, Any]  # column -> float array (rows,), Coded, or array (rows, *shape) of a tensor
# Columns, their spec, numbers of rules and the number of the first row -> the rows that break each.
ByPandera = Callable[[Decoded, Spec, Sequence[int], int], Mapping[int, np.ndarray]]
SMALL = 2**23  # cells times rules below which a second thread costs more than it brings


@dataclass(frozen=True)
class Verdict:
    """What some rows break.

    Args:
        rows: how many were judged.
        broken: rule number -> numbers of the rows that break it, rising, from 0; rules that none breaks are absent.
    """

    rows: int
    broken: Mapping[int, np.ndarray]

    def mask(self, rules: Collection[int]) -> np.ndarray:
        """Whether each row breaks any of the rules of these numbers."""
        out = np.zeros(self.rows, bool)
        for i in rules:
            if i in self.broken:
                out[self.broken[i]] = True
        return out

    def without(self, rows: np.ndarray) -> Verdict:
        """The same of the other rows."""
        broken = {i: np.setdiff1d(r, rows, assume_unique=True) for i, r in self.broken.items()}
        return replace(self, broken={i: r for i, r in broken.items() if len(r)})


@dataclass(frozen=True)
class Gate:
    """Rules with their policies.

    Args:
        rules: in the order in which a row is counted under the first that it breaks.
        flagged: columns for which `NAME is invalid` is appended.
        max_refused: the share of the training rows (0 to 1) above which refusing them is an error.
        by_pandera: runs the rules that only pandera can run.
        lost: of these, the numbers of those whose function was not saved with the pipeline.
        repeated: of each "unique" rule that has seen all rows of a stream, the sorted hashes of keys that occur twice.
    """

    rules: tuple[Rule, ...] = ()
    flagged: tuple[str, ...] = ()
    max_refused: float = 0.1
    by_pandera: ByPandera | None = field(default=None, compare=False)
    lost: frozenset[int] = field(default=frozenset(), compare=False)
    repeated: Mapping[int, np.ndarray] = field(default_factory=dict, compare=False)

    def numbers(self, policies: Collection[str], *, graph: bool = False) -> tuple[int, ...]:
        """The numbers of the rules of these policies; if `graph`, only of those that are tensor operations."""
        chosen = (i for i, rule in enumerate(self.rules) if rule.policy in policies)
        return tuple(i for i in chosen if not graph or (self.rules[i].runs == "graph" and not self.rules[i].of_label))

    @cached_property
    def healing(self) -> tuple[int, ...]:
        """The rules that change or flag cells, in training and in serving alike."""
        return self.numbers(HEALING, graph=True)

    @cached_property
    def refusing(self) -> tuple[int, ...]:
        """The rules that keep rows out of training."""
        return self.numbers(REFUSING)

    @cached_property
    def serving(self) -> tuple[int, ...]:
        """The rules that a served model can evaluate."""
        return self.numbers(get_args(Policy), graph=True)

    @property
    def by_tensors_alone(self) -> bool:
        """Whether a graph can refuse the rows that have to be; labels that are refused are no class there."""
        return all(self.rules[i].runs == "graph" or self.rules[i].of_label for i in self.refusing)

    def __str__(self) -> str:
        where = {"graph": "", "all rows": "  [training rows: needs them all]", "pandera": "  [training rows: pandera]"}
        lost = "  [not judged: its function was not saved]"
        return "\n".join(
            f"{rule}  -> {rule.policy}{lost if i in self.lost else where[rule.runs]}"
            for i, rule in enumerate(self.rules)
        )

    def flags(self) -> tuple[Column, ...]:
        """The columns that are appended."""
        return tuple(Column(flag_of(name), "boolean", FLOAT32, block=FLOAT32, sources=(name,)) for name in self.flagged)

    # -- numpy ---------------------------------------------------------------------------------

    def judge(
        self,
        decoded: Decoded,
        raw: Mapping[str, Any],
        spec: Spec,
        n: int,
        *,
        label: Coded | None = None,
        rules: Iterable[int] | None = None,
        start: int = 0,
    ) -> Verdict:
        """Evaluate rules on `n` decoded rows.

        Args:
            decoded: the columns.
            raw: the same as they came, by which a cell that cannot be read is told from one that is missing.
            spec: of the raw columns.
            n: how many rows there are; of no column that is judged but the label, they do not say it themselves.
            label: decoded, where there is one.
            rules: their numbers; None for all.
            start: the number of the first row, for messages.
        """
        chosen = range(len(self.rules)) if rules is None else list(rules)
        unread = {name: unreadable(raw.get(name), decoded[name], spec[name]) for name in self._read(chosen, spec)}
        columns = {**decoded} if label is None else {**decoded, LABEL: label}

        def judged(i: int) -> np.ndarray:
            return self._broken(i, columns, unread)

        alone = [i for i in chosen if self.rules[i].runs != "pandera" and (label is not None or not self.asks(i, spec))]
        if n * len(alone) < SMALL:
            found = list(map(judged, alone))
        else:
            with ThreadPoolExecutor(2) as pool:
                found = list(pool.map(judged, alone))
        broken = {i: rows for i, rows in zip(alone, found, strict=True) if len(rows)}
        asked = [i for i in chosen if self.rules[i].runs == "pandera" and i not in self.lost]
        if asked and self.by_pandera is not None and n:
            by_pandera = self.by_pandera(columns, spec, asked, start)
            broken |= {i: np.flatnonzero(mask) for i, mask in by_pandera.items() if mask.any()}
        return Verdict(n, dict(sorted(broken.items())))

    def _read(self, rules: Iterable[int], spec: Spec) -> set[str]:
        """The columns of which a rule asks whether the cells can be read, in whatever type they come."""
        asked = {self.rules[i].columns[0] for i in rules if self.rules[i].check in ("dtype", "nullable")}
        return {n for n in asked & self._typed if spec[n].kind not in WORDS}

    def asks(self, i: int, spec: Spec) -> bool:
        """Whether the rule wants to know the label."""
        rule = self.rules[i]
        return (
            rule.of_label or any(n not in spec for n in rule.columns) or (rule.runs == "pandera" and not rule.columns)
        )

    def _broken(self, i: int, columns: Mapping[str, Any], unread: Mapping[str, np.ndarray]) -> np.ndarray:
        rule = self.rules[i]
        if rule.check == "unique":
            return self._repeats(i, *self.keys(i, columns))
        name = LABEL if rule.of_label else rule.columns[0]
        values = columns[name]
        if rule.of_label and isinstance(values, Coded):
            values = _as_told(values, rule)
        rows = broken_rows(rule, values)
        cannot = unread.get(name)
        if cannot is None or not len(cannot) or rule.check not in ("dtype", "nullable"):
            return rows
        return np.union1d(rows, cannot) if rule.check == "dtype" else np.setdiff1d(rows, cannot)

    def keys(self, i: int, columns: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        """Of the rows that have a key under a unique rule, their numbers and a hash of each.

        A column that is no feature is the label. Cells that are all missing are no key, as pandera has no failure
        case for them.
        """
        names = [n if n in columns else LABEL for n in self.rules[i].columns]
        there = np.logical_or.reduce([_is_there(columns[n]) for n in names])
        return np.flatnonzero(there), row_hashes(columns, names)[there]

    def _repeats(self, i: int, rows: np.ndarray, keys: np.ndarray) -> np.ndarray:
        if i in self.repeated:
            return rows[np.isin(keys, self.repeated[i])]
        keep = self.rules[i].arguments.get("keep", "all")
        _, first, inverse, counts = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
        again = counts[inverse] > 1
        if keep == "exclude_first":
            again[first] = False
        elif keep == "exclude_last":
            last = len(keys) - 1 - np.unique(keys[::-1], return_index=True)[1]
            again[last] = False
        return rows[again]

    def heal(self, decoded: Decoded, verdict: Verdict) -> dict[str, Any]:
        """The columns with cells clipped or made missing as the policies say, and the flags appended."""
        out = dict(decoded)
        for i in self._mending:
            name = self.rules[i].columns[0]
            if i in verdict.broken and self.rules[i].policy == "clip":
                out[name] = clipped(self.rules[i], out[name])
            elif i in verdict.broken:
                out[name] = _without(out[name], verdict.broken[i])
        for name in self.flagged:
            out[flag_of(name)] = verdict.mask(self._flagging(name)).astype(np.float32)
        return out

    @cached_property
    def _mending(self) -> tuple[int, ...]:
        """The rules that change cells; those that clip first, for missing goes before clipped."""
        return self.numbers(("clip",), graph=True) + self.numbers(("null",), graph=True)

    def _flagging(self, name: str) -> list[int]:
        """The rules that flag a column."""
        return [i for i in self.healing if self.rules[i].policy == "flag" and self.rules[i].columns == (name,)]

    # -- graph ---------------------------------------------------------------------------------

    def broken_in_graph(
        self,
        columns: Mapping[str, tf.Tensor | Texts],
        unread: Mapping[str, tf.Tensor],
        rules: Iterable[int],
    ) -> dict[int, tf.Tensor]:
        """For each of the rules, booleans (rows,): whether the row breaks it.

        Args:
            columns: as `entered`: floats with NaN where missing, `Texts`, or tensors.
            unread: which cells of a column that came as strings cannot be read.
            rules: numbers of rules that are tensor operations.
        """
        typed = self._typed
        return {i: _broken_in_graph(self.rules[i], columns, unread, typed) for i in rules}

    @cached_property
    def _typed(self) -> frozenset[str]:
        """The features of which a rule asks whether their cells can be read."""
        return frozenset(rule.columns[0] for rule in self.rules if rule.check == "dtype" and not rule.of_label)

    def heal_in_graph(
        self, columns: Mapping[str, tf.Tensor | Texts], broken: Mapping[int, tf.Tensor]
    ) -> dict[str, tf.Tensor | Texts]:
        """`heal` in the graph."""
        out = dict(columns)
        for i in self._mending:
            name = self.rules[i].columns[0]
            x = out[name]
            if self.rules[i].policy == "clip":
                out[name] = clipped(self.rules[i], x)
            elif isinstance(x, Texts):
                out[name] = x.without(broken[i])
            else:
                out[name] = tf.where(broken[i], tf.constant(np.nan, x.dtype), x)
        none = tf.zeros(tf.shape(_rows_of(next(iter(columns.values()))))[:1], tf.bool)
        for name in self.flagged:
            flagged = none
            for i in self._flagging(name):
                flagged |= broken[i]
            out[flag_of(name)] = tf.cast(flagged, tf.float32)
        return out


def _rows_of(column: tf.Tensor | Texts) -> tf.Tensor:
    return column.codes if isinstance(column, Texts) else column


def _broken_in_graph(
    rule: Rule, columns: Mapping[str, tf.Tensor | Texts], unread: Mapping[str, tf.Tensor], typed: Collection[str]
) -> tf.Tensor:
    name = rule.columns[0]
    x = columns[name]
    if never_broken(rule):
        none = tf.zeros(tf.shape(_rows_of(x))[:1], tf.bool)
        return unread.get(name, none)
    if isinstance(x, Texts):
        return tf.gather(broken_texts(rule, x.words), x.codes)
    broken = broken_numbers(rule, x if x.dtype.is_floating else tf.cast(x, tf.float64))
    if x.shape.rank > 1:
        broken = tf.reduce_any(broken, list(range(1, x.shape.rank)))
    if name in unread and name in typed and rule.check in ("dtype", "nullable"):
        return broken | unread[name] if rule.check == "dtype" else broken & ~unread[name]
    return broken


def flag_of(name: str) -> str:
    return f"{name} is invalid"


def rows_of(decoded: Decoded) -> int:
    return len(next(iter(decoded.values()))) if decoded else 0


def taken(decoded: Decoded, rows: np.ndarray) -> dict[str, Any]:
    """The rows of a mask, or of numbers."""
    return {name: values[rows] for name, values in decoded.items()}


def _is_there(values: Any) -> np.ndarray:
    if isinstance(values, Coded):
        return values.codes >= 0
    there = ~np.isnan(values) if values.dtype.kind == "f" else np.ones(values.shape, bool)
    return np.asarray(there.reshape(len(values), -1).any(1))


def _without(values: Any, rows: np.ndarray) -> Any:
    """A copy of a decoded column whose cells of some rows are missing."""
    if isinstance(values, Coded):
        codes = values.codes.copy()
        codes[rows] = -1
        return replace(values, codes=codes)
    out = values.copy()
    out[rows] = np.nan
    return out


def _as_told(label: Coded, rule: Rule) -> Any:
    """Labels as the rule compares them: numbers where they are numbers, else words."""
    if all(isinstance(v, int | float) for v in label.values):
        numbers = np.array([*label.values, np.nan], np.float64)
        return numbers[label.codes]
    return Coded(label.codes, [str(v) for v in label.values])
