"""The least that lets columns into a matrix that no stage of a variant prepares; no stages of recipes.

What makes numbers of codes and ids stands behind all stages that learn: their scans have no codes (see `prepkit.fit`).
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import tensorflow as tf

from prepkit.core import Blocks, ColumnStage, FixedStage, Nothing, Stage, appended, check_columns, taken
from prepkit.features.choose import EVERYTHING, Drop
from prepkit.features.encode import IDS
from prepkit.features.impute import Impute
from prepkit.report.words import listed
from prepkit.scan import Accumulator, Statistic
from prepkit.spec import CODES, FLOAT32, Column, Kind, Spec

NUMERIC: tuple[Kind, ...] = ("numeric", "boolean", "tensor")  # where a missing cell is NaN


@dataclass(frozen=True)
class Numbers(FixedStage):
    """Categories as float32 numbers 0, 1, ... in alphabetical order; -1 for missing and unseen ones.

    Args:
        columns: see `Stage`; by default all categorical columns.

    Example:
        >>> import pandas as pd
        >>> import prepkit as pk
        >>> frame = pd.DataFrame({"job": ["smith", "cook", None, "cook"], "y": [0, 1, 0, 1]})
        >>> fitted = pk.Pipeline([Numbers()]).fit(frame, label="y")
        >>> [x.ravel().tolist() for x, y in fitted.transform(frame, batch_size=4).as_numpy_iterator()]
        [[1.0, 0.0, -1.0, 0.0]]

    Source: pandas' `Categorical.codes`.
    """

    takes: ClassVar[tuple[Kind, ...]] = ("categorical",)
    needs_codes: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_columns(self)

    def output(self, spec: Spec, learned: Nothing | None) -> Spec:
        return _as_numbers(spec, {c.name for c in self.selected(spec)})

    def leaves_missing(self, spec: Spec, names: set[str]) -> set[str]:
        return names - {c.name for c in self.selected(spec)}

    def transform(self, spec: Spec, learned: Nothing, blocks: Blocks) -> Blocks:
        chosen = {c.name for c in self.selected(spec)}
        if not chosen:
            return blocks
        codes = tf.maximum(taken(blocks, spec, chosen)[CODES], -1)  # a category that is unseen has -2
        return appended(taken(blocks, spec, set(spec.names) - chosen), FLOAT32, tf.cast(codes, tf.float32))


@dataclass(frozen=True)
class Floats(FixedStage):
    """Times as seconds since 1970-01-01 UTC, NaN where missing, and ids as float32 numbers.

    Args:
        columns: see `Stage`; by default all datetime and id columns.

    Example:
        >>> import pandas as pd
        >>> import prepkit as pk
        >>> frame = pd.DataFrame({"at": pd.to_datetime(["1970-01-01", "1970-01-02"]), "y": [0, 1]})
        >>> fitted = pk.Pipeline([Floats()]).fit(frame, label="y")
        >>> [x.ravel().tolist() for x, y in fitted.transform(frame, batch_size=2).as_numpy_iterator()]
        [[0.0, 86400.0]]
    """

    takes: ClassVar[tuple[Kind, ...]] = ("datetime", "id")

    def __post_init__(self) -> None:
        check_columns(self)

    def _ids(self, spec: Spec) -> set[str]:
        return {c.name for c in self.selected(spec) if c.kind == "id"}

    @property
    def carries(self) -> frozenset[Statistic]:
        return EVERYTHING  # times are the same numbers behind it; of ids there are no statistics

    def carry(self, learned: Nothing, series: str, statistic: Accumulator) -> Accumulator | None:
        return statistic

    def output(self, spec: Spec, learned: Nothing | None) -> Spec:
        times = {c.name for c in self.selected(spec) if c.kind == "datetime"}
        told = spec.with_columns(replace(c, kind="numeric") if c.name in times else c for c in spec.columns)
        return _as_numbers(told, self._ids(spec))

    def leaves_missing(self, spec: Spec, names: set[str]) -> set[str]:
        return names - self._ids(spec)

    def transform(self, spec: Spec, learned: Nothing, blocks: Blocks) -> Blocks:
        ids = self._ids(spec)  # times are numbers in their block already
        if not ids:
            return blocks
        values = taken(blocks, spec, ids)[IDS]
        return appended(taken(blocks, spec, set(spec.names) - ids), FLOAT32, tf.cast(values, tf.float32))


def _as_numbers(spec: Spec, names: set[str]) -> Spec:
    """The columns of these names last, as numeric ones of the float32 block."""

    def numeric(c: Column) -> Column:
        return replace(c, kind="numeric", dtype=FLOAT32, block=FLOAT32, categories=None)

    rest = [c for c in spec.columns if c.name not in names]
    return spec.with_columns([*rest, *(numeric(c) for c in spec.columns if c.name in names)])


def left_over(spec: Spec) -> tuple[list[ColumnStage[Any]], list[str]]:
    """The stages that bring the columns of `spec` into one matrix, or leave them out, and words for it; times aside."""
    beside = [c for c in spec.columns if c.kind != "text"]
    gone = {
        "texts left out": [c.name for c in spec.columns if c.kind == "text"],
        "tensors left out": [c.name for c in beside if c.kind == "tensor" and len(c.shape) > 1 and len(beside) > 1],
    }
    kept = {
        "categories as numbers 0, 1, ...": [c.name for c in beside if c.kind == "categorical"],
        "ids as numbers": [c.name for c in beside if c.kind == "id"],
    }
    categories, ids = kept.values()
    stages: list[ColumnStage[Any]] = [Drop(names) for names in gone.values() if names]
    stages += [Numbers(columns=categories)] if categories else []
    stages += [Floats(columns=ids)] if ids else []
    return stages, [f"{words}: {listed(names)}" for words, names in (gone | kept).items() if names]


def zeros(names: Sequence[str]) -> list[ColumnStage[Any]]:
    """0 for the missing cells of these columns; nothing of none."""
    return [Impute("constant", fill_value=0.0, columns=tuple(names))] if names else []


def with_missing(spec: Spec, missing: AbstractSet[str], stages: Sequence[Stage[Any]] = ()) -> list[str]:
    """The columns behind `stages` that may have NaN where `missing` have missing cells ahead of them, in order."""
    left = {n for n in spec.names if n in missing}
    for stage in stages:
        left = stage.leaves_missing(spec, left)
        spec = stage.output(spec, None)
    return [c.name for c in spec.columns if c.name in left and c.kind in NUMERIC]
