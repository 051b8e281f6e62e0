"""Fill missing cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import tensorflow as tf

from prepkit.core import Blocks, ColumnStage, Known, along, appended, check_columns, is_number_block, one_of
from prepkit.errors import PrepkitError
from prepkit.scan import Accumulator, Statistic
from prepkit.spec import CODES, FLOAT32, NUMBERS, STRINGS, Column, Kind, Spec

NUMERIC = ("median", "mean", "most_frequent", "constant")
CATEGORICAL = ("missing", "most_frequent", "constant")


@dataclass(frozen=True)
class Fill:
    """What stands for a missing cell of each series, in the column's unit."""

    numbers: Mapping[str, float]
    categories: Mapping[str, str]
    indicated: tuple[str, ...]  # columns that have an indicator


@dataclass(frozen=True)
class Impute(ColumnStage[Fill]):
    """Fill missing cells with a statistic of the training rows.

    Args:
        numeric: for numeric columns: "median", "mean", "most_frequent" or "constant" (`fill_value`).
            Booleans get their most frequent value unless it is "constant". Tensors: by channel.
        categorical: for categorical columns: "missing" (a category of its own), "most_frequent" or
            "constant" (`fill_category`). Text columns: "" is kept, unless it is "constant".
        fill_value: the number for "constant", in the column's unit.
        fill_category: the category for "constant".
        indicator: whether to append, for each numeric column with missing training cells, a column
            `NAME is missing` that is 1.0 where the cell was missing and 0.0 elsewhere.
        columns: see `Stage`; by default all numeric, boolean, categorical, text and tensor columns.

    Missing are NaN, None, infinite numbers, blank strings and the markers that the spec lists.
    A column without missing training cells learns its filling too, for validation and serving.

    Raises:
        PrepkitError: for an unknown strategy; when fitted, if a column has no value to learn from.

    Example:
        >>> import pandas as pd
        >>> import prepkit as pk
        >>> frame = pd.DataFrame({"age": [20.0, None, 40.0, 60.0], "y": [0, 1, 0, 1]})
        >>> fitted = pk.Pipeline([pk.Impute(numeric="median")]).fit(frame, label="y")
        >>> [x.ravel().tolist() for x, y in fitted.transform(frame, batch_size=4).as_numpy_iterator()]
        [[20.0, 40.0, 40.0, 60.0]]

    Source: scikit-learn's SimpleImputer and MissingIndicator.
    """

    numeric: Literal["median", "mean", "most_frequent", "constant"] = "median"
    categorical: Literal["missing", "most_frequent", "constant"] = "missing"
    fill_value: float = 0.0
    fill_category: str = "missing"
    indicator: bool = False

    takes: ClassVar[tuple[Kind, ...]] = ("numeric", "boolean", "categorical", "text", "tensor")

    def __post_init__(self) -> None:
        one_of(self.numeric, NUMERIC, "Impute: numeric")
        one_of(self.categorical, CATEGORICAL, "Impute: categorical")
        if not abs(self.fill_value) <= float(np.finfo(np.float32).max):
            raise PrepkitError(f"Impute: fill_value={self.fill_value}: give a finite number that float32 can hold.")
        if not self.fill_category.strip():
            raise PrepkitError("Impute: fill_category is blank, which means missing: give a word.")
        check_columns(self)

    def _strategy(self, column: Column) -> str:
        if column.kind in ("categorical", "text"):
            if column.kind == "text" and self.categorical != "constant":
                return "none"
            return self.categorical
        return "most_frequent" if column.kind == "boolean" and self.numeric != "constant" else self.numeric

    def needs(self, spec: Spec) -> Mapping[str, Sequence[Statistic]]:
        wanted: dict[str, Sequence[Statistic]] = {}
        for column in self.selected(spec):
            match self._strategy(column), column.kind:
                case "median", _:
                    statistics: list[Statistic] = ["quantiles"]
                case ("mean", _) | ("most_frequent", "boolean"):
                    statistics = ["moments"]
                case "most_frequent", _:
                    statistics = ["vocabulary"]
                case _:
                    statistics = []
            if self.indicator and column.kind in ("numeric", "boolean") and "quantiles" not in statistics:
                statistics.append("moments")
            wanted |= {s: statistics for s in column.series if statistics}
        return wanted

    def learn(self, spec: Spec, known: Known) -> Fill:
        numbers: dict[str, float] = {}
        categories: dict[str, str] = {}
        indicated: list[str] = []
        for column in self.selected(spec):
            strategy = self._strategy(column)
            if column.kind in ("categorical", "text"):
                if strategy != "none":
                    categories[column.name] = self._category(strategy, known, column.name)
                continue
            for series in column.series:
                numbers[series] = self._number(strategy, column, known, series)
            if self.indicator and not column.shape:
                measured = known.get((column.name, "quantiles")) or known[column.name, "moments"]
                if measured.missing:
                    indicated.append(column.name)
        return Fill(numbers, categories, tuple(indicated))

    def _number(self, strategy: str, column: Column, known: Known, series: str) -> float:
        if strategy == "constant":
            return held(self.fill_value, column)
        if strategy == "median":
            value = known[series, "quantiles"].at([0.5])[0]
        elif strategy == "mean" or column.kind == "boolean":
            moments = known[series, "moments"]
            value = moments.mean if moments.count else np.nan
            if column.kind == "boolean" and moments.count:
                value = float(moments.mean > 0.5)
        else:
            mode = known[series, "vocabulary"].most_frequent()
            value = np.nan if mode is None else mode
        if np.isnan(value):
            raise PrepkitError(
                f"column {series!r} has no value in the training rows, so no {strategy} to fill in: "
                f"Drop({series!r}) before, or use Impute(numeric='constant') for it."
            )
        return held(value, column)

    def _category(self, strategy: str, known: Known, name: str) -> str:
        if strategy != "most_frequent":
            return "missing" if strategy == "missing" else self.fill_category
        mode = known[name, "vocabulary"].most_frequent()
        if mode is None:
            raise PrepkitError(
                f"column {name!r} has no value in the training rows, so none is most frequent: "
                f"Drop({name!r}) before, or use Impute(categorical='missing')."
            )
        return str(mode)

    def leaves_missing(self, spec: Spec, names: set[str]) -> set[str]:
        return names - {c.name for c in self.selected(spec)}

    @property
    def carries(self) -> frozenset[Statistic]:
        return frozenset({"moments", "extremes", "quantiles", "vocabulary"})

    def carry(self, learned: Fill, series: str, statistic: Accumulator) -> Accumulator | None:
        if series in learned.numbers:
            return statistic.filled(learned.numbers[series])
        return statistic.filled(learned.categories[series]) if series in learned.categories else statistic

    def output(self, spec: Spec, learned: Fill | None) -> Spec:
        if learned is None:
            return spec
        columns = []
        for c in spec.columns:
            filling = learned.categories.get(c.name)
            if c.categories is not None and filling is not None and filling not in c.categories:
                c = replace(c, categories=(*c.categories, filling))
            columns.append(c)
        for name in learned.indicated:
            made = f"{name} is missing"
            columns.append(Column(made, "boolean", FLOAT32, block=FLOAT32, sources=spec[name].sources))
        return spec.with_columns(columns)

    def transform(self, spec: Spec, learned: Fill, blocks: Blocks) -> Blocks:
        out = dict(blocks)
        behind = self.output(spec, learned)
        marks: dict[str, tf.Tensor] = {}
        for block, columns in spec.blocks().items():
            x = blocks[block]
            if is_number_block(block) and x.dtype.is_floating:
                missing = tf.math.is_nan(x)
                start = 0
                for c in columns:
                    if c.name in learned.indicated:
                        marks[c.name] = tf.cast(missing[:, start], tf.float32)
                    start += c.width
                if any(s in learned.numbers for c in columns for s in c.series):
                    out[block] = tf.where(missing, tf.constant(along(columns, learned.numbers, np.nan), x.dtype), x)
            elif block == CODES:
                fill = [
                    list(behind[c.name].categories or ()).index(learned.categories[c.name])
                    if c.name in learned.categories
                    else -1
                    for c in columns
                ]
                out[block] = tf.where(x == -1, tf.constant(fill, x.dtype), x)
            elif block == STRINGS:
                out[block] = tf.where(x == "", tf.constant([learned.categories.get(c.name, "") for c in columns]), x)
        if marks:
            out = appended(out, FLOAT32, tf.stack([marks[name] for name in learned.indicated], 1))
        return out


def held(value: float, column: Column) -> float:
    """`value` as the type of the column's block holds it: what is learned is what will be put in."""
    dtype = np.dtype(column.block if column.block in NUMBERS else column.dtype)
    with np.errstate(over="ignore"):
        return float(dtype.type(value)) if dtype.kind == "f" else float(value)
