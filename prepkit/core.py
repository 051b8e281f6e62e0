"""The contract of a stage, and how the columns that it works on are chosen."""

from __future__ import annotations

import difflib
import fnmatch
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import tensorflow as tf

from prepkit.errors import PrepkitError
from prepkit.gate import Gate
from prepkit.scan import Accumulator, Statistic
from prepkit.spec import NUMBERS, RAW_KINDS, Column, Kind, Spec

Blocks = dict[str, tf.Tensor]  # block -> (rows, width) of its columns side by side, or (rows, *shape) of a tensor
Known = Mapping[tuple[str, Statistic], Any]  # (series, statistic) -> what was measured on the training rows
Selection = str | Sequence[str] | Callable[[Column], bool] | None
Learned = TypeVar("Learned")


@dataclass(frozen=True)
class Nothing:
    """What a stage has learned that learns nothing."""


@dataclass(frozen=True, kw_only=True)
class Stage(ABC, Generic[Learned]):
    """Configuration plus pure functions; it never changes, so nothing can be called unfitted.

    Args:
        columns: those that it works on: names, globs ("cap*"), kinds ("kind:numeric"), or a function
            of a `Column`; None for all of the kinds in `takes`.
        reason: why the stage is there, where `recommend` put it.
    """

    columns: Selection = None
    reason: str = field(default="", compare=False)

    takes: ClassVar[tuple[Kind, ...]] = ()  # kinds that it can work on, and does unless told otherwise
    needs_strings: ClassVar[bool] = False  # whether it reads the strings of a categorical column, not its codes
    needs_codes: ClassVar[bool] = False  # whether it reads the codes of a categorical column, and so a vocabulary

    def selected(self, spec: Spec) -> tuple[Column, ...]:
        """The columns that the stage reads and replaces."""
        return choose(spec, self.columns, self.takes, type(self).__name__)

    @abstractmethod
    def needs(self, spec: Spec) -> Mapping[str, Sequence[Statistic]]:
        """For each series, the statistics that `learn` wants to know of it."""

    @abstractmethod
    def learn(self, spec: Spec, known: Known) -> Learned:
        """Turn what was measured on the training rows into plain numbers."""

    @abstractmethod
    def output(self, spec: Spec, learned: Learned | None) -> Spec:
        """The columns behind the stage; before it has learned, with the sizes known so far."""

    @abstractmethod
    def transform(self, spec: Spec, learned: Learned, blocks: Blocks) -> Blocks:
        """Map one batch with TensorFlow operations only; keep the number and order of rows."""

    def leaves_missing(self, spec: Spec, names: set[str]) -> set[str]:
        """Of columns that may have missing numbers before the stage, those that may behind it."""
        return names

    @property
    def carries(self) -> frozenset[Statistic]:
        """The statistics of selected columns that `carry` can follow; the others are lost behind the stage."""
        return frozenset()

    def carry(self, learned: Learned, series: str, statistic: Accumulator) -> Accumulator | None:
        """What a statistic of a selected series is behind the stage; None where it must be measured anew."""
        return None


class ColumnStage(Stage[Learned]):
    """A stage that maps features to features: the same in training, evaluation and serving."""


class FixedStage(ColumnStage[Nothing]):
    """A column stage that learns nothing: what it does is all in its settings."""

    def needs(self, spec: Spec) -> Mapping[str, Sequence[Statistic]]:
        return {}

    def learn(self, spec: Spec, known: Known) -> Nothing:
        return Nothing()


class RowStage(Stage[Learned]):
    """A stage that decides which training rows come in; it stands first, and judges cells as they are read."""

    @abstractmethod
    def learn(self, spec: Spec, known: Known) -> Learned:
        """As `Stage.learn`, but `spec` is of the raw columns."""

    @abstractmethod
    def kinds(self, names: Sequence[str]) -> dict[str, Kind]:
        """The kinds that it wants columns of these names to be read as, rather than as inferred."""

    @abstractmethod
    def gate(self, raw: Spec) -> Gate | None:
        """The rules that are known before a row is read; None where there are no rules at all."""

    @abstractmethod
    def learned_gate(self, learned: Learned) -> Gate:
        """The rules once they have been learned."""


class TrainingStage(Stage[Nothing]):
    """A stage that changes labels, weights or how often a row occurs: training rows only, by construction."""

    def needs(self, spec: Spec) -> Mapping[str, Sequence[Statistic]]:
        return {}

    def learn(self, spec: Spec, known: Known) -> Nothing:
        return Nothing()

    def output(self, spec: Spec, learned: Nothing | None) -> Spec:
        return spec

    def transform(self, spec: Spec, learned: Nothing, blocks: Blocks) -> Blocks:
        return blocks


def as_names(columns: Selection) -> tuple[str, ...]:
    """The selection as strings; () for None or a function."""
    if columns is None or callable(columns):
        return ()
    return (columns,) if isinstance(columns, str) else tuple(columns)


def is_pattern(name: str) -> bool:
    return name.startswith("kind:") or any(c in name for c in "*?[")


def choose(spec: Spec, columns: Selection, takes: Sequence[Kind], stage: str) -> tuple[Column, ...]:
    """The columns of `spec` that `columns` names, in the order of `spec`; all of kinds `takes` if None.

    Raises:
        PrepkitError: a name that no column has, or a column of a kind that the stage cannot take.
    """
    if columns is None:
        return tuple(c for c in spec.columns if c.kind in takes)
    if callable(columns):
        chosen = {c.name for c in spec.columns if columns(c)}
    else:
        chosen = set()
        for name in as_names(columns):
            if name in spec:
                chosen.add(name)
            elif name.startswith("kind:"):
                chosen |= {c.name for c in spec.columns if c.kind == name[5:]}
            elif is_pattern(name):
                chosen |= {c.name for c in spec.columns if fnmatch.fnmatchcase(c.name, name)}
            else:
                raise PrepkitError(f"{stage} names column {name!r}, which is not there{did_you_mean(name, spec.names)}")
    found = tuple(c for c in spec.columns if c.name in chosen)
    if not callable(columns) and not found:
        raise PrepkitError(f"{stage}: columns={columns!r} chooses none of the {len(spec.columns)} columns.")
    wrong = [f"{c.name!r} ({c.kind})" for c in found if c.kind not in takes]
    if wrong:
        raise PrepkitError(
            f"{stage} takes columns of kind {' or '.join(takes)}, not {', '.join(wrong[:5])}: "
            "choose others, or override the kind with kinds={'name': 'kind'} when fitting."
        )
    return found


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """The end of an error message about a name that does not exist."""
    names = list(names)
    folded = {n.casefold(): n for n in reversed(names)}
    close = [folded[n] for n in difflib.get_close_matches(name.casefold(), list(folded), 3)] or names[:8]
    return f": did you mean {', '.join(map(repr, close))}?" if close else "."


def check_columns(stage: Stage[Any]) -> None:
    """Refuse a selection that cannot be one, when the stage is made; a list of names becomes a tuple."""
    if stage.columns is None or callable(stage.columns):
        return
    kind = type(stage).__name__
    given: Any = stage.columns
    names = as_names(stage.columns) if isinstance(given, Iterable) else ()
    if not names or not all(isinstance(n, str) and n for n in names):
        raise PrepkitError(
            f"{kind}: columns={stage.columns!r}: give names, globs or kinds, as in ['age', 'kind:text']."
        )
    for name in names:
        if name.startswith("kind:") and name[5:] not in (*RAW_KINDS, "encoded", "id"):
            raise PrepkitError(f"{kind}: {name!r} is no kind: choose from {', '.join(RAW_KINDS)}.")
    if not isinstance(stage.columns, str):
        object.__setattr__(stage, "columns", names)


def one_of(value: Any, choices: Sequence[Any], what: str) -> None:
    """Refuse a setting that is none of `choices`, when the stage is made."""
    if value not in choices:
        raise PrepkitError(f"{what}={value!r}: choose from {', '.join(map(repr, choices))}.")


def is_number_block(block: str) -> bool:
    return block in NUMBERS or block.startswith("tensor:")


def along(columns: Sequence[Column], values: Mapping[str, float], default: float) -> np.ndarray:
    """`values` by series, laid out along the last axis of the block that `columns` fill."""
    flat = [values.get(s, default) for c in columns for s in c.series]
    if len(columns) == 1 and len(columns[0].shape) == 2:  # (rows, height, width): one value for all
        return np.array(flat[0], np.float64)
    return np.array(flat, np.float64)


def appended(blocks: Blocks, block: str, values: tf.Tensor) -> Blocks:
    """`blocks` with more columns at the right of one."""
    out = dict(blocks)
    out[block] = tf.concat([blocks[block], values], 1) if block in blocks else values
    return out


def taken(blocks: Blocks, spec: Spec, keep: set[str]) -> Blocks:
    """`blocks` of `spec` with only the columns in `keep`."""
    out: Blocks = {}
    for block, columns in spec.blocks().items():
        if all(c.name in keep for c in columns):
            out[block] = blocks[block]
        elif any(c.name in keep for c in columns):
            places: list[int] = []
            start = 0
            for c in columns:
                places += range(start, start + c.width) if c.name in keep else ()
                start += c.width
            out[block] = tf.gather(blocks[block], places, axis=1)
    return out
