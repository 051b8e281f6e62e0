"""Clip outlying values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import tensorflow as tf

from prepkit.core import Blocks, ColumnStage, Known, along, appended, check_columns, is_number_block
from prepkit.errors import PrepkitError
from prepkit.features.encode import HINT
from prepkit.features.impute import held
from prepkit.scan import Accumulator, Statistic
from prepkit.spec import FLOAT32, Column, Kind, Spec


@dataclass(frozen=True)
class Bounds:
    """Smallest and largest value that each series keeps, in the column's unit."""

    low: Mapping[str, float]
    high: Mapping[str, float]


@dataclass(frozen=True)
class Clip(ColumnStage[Bounds]):
    """Set values beyond bounds to the bound.

    Exactly one of `quantiles`, `iqr` and the pair `low`, `high` says where the bounds are.

    Args:
        quantiles: two fractions of the training values (0 to 1), as (0.001, 0.999).
        low: fixed lower bound, in the column's unit.
        high: fixed upper bound, in the column's unit.
        iqr: bounds at the quartiles, less and plus so many interquartile ranges; 1.5 are Tukey's fences.
            Where the quartiles coincide there are none, and the column stays as it is.
        indicator: whether to append, for each column, one named `NAME is clipped` that is 1.0 where
            the value was beyond a bound and 0.0 elsewhere.
        columns: see `Stage`; by default all numeric columns.

    NaN stays NaN; infinite cells are missing, and were so when they came in. A constant column
    stays as it is.

    Raises:
        PrepkitError: for bounds that are none; when fitted, if a column has no value to learn from.

    Example:
        >>> import pandas as pd
        >>> import prepkit as pk
        >>> frame = pd.DataFrame({"pay": [1.0, 2.0, 3.0, 900.0], "y": [0, 1, 0, 1]})
        >>> fitted = pk.Pipeline([pk.Clip(high=10.0)]).fit(frame, label="y")
        >>> [x.ravel().tolist() for x, y in fitted.transform(frame, batch_size=4).as_numpy_iterator()]
        [[1.0, 2.0, 3.0, 10.0]]

    Source: winsorising (Dixon 1960, doi:10.1214/aoms/1177705900); Tukey 1977, Exploratory Data Analysis.
    """

    quantiles: Sequence[float] | None = None
    low: float | None = None
    high: float | None = None
    iqr: float | None = None
    indicator: bool = False

    takes: ClassVar[tuple[Kind, ...]] = ("numeric",)

    def __post_init__(self) -> None:
        if isinstance(self.quantiles, list):
            object.__setattr__(self, "quantiles", tuple(self.quantiles))
        given = [self.quantiles is not None, self.iqr is not None, (self.low, self.high) != (None, None)]
        if sum(given) != 1:
            raise PrepkitError("Clip: give exactly one of quantiles=(0.001, 0.999), iqr=1.5, or low= and/or high=.")
        q = self.quantiles
        if q is not None and not (isinstance(q, tuple) and len(q) == 2 and 0 <= q[0] < q[1] <= 1):
            raise PrepkitError(f"Clip: quantiles={q!r}: give two rising fractions from 0 to 1.{HINT}")
        if self.iqr is not None and not 0 < self.iqr < np.inf:
            raise PrepkitError(f"Clip: iqr={self.iqr}: give a positive number, such as 1.5.")
        for name in ("low", "high"):
            bound = getattr(self, name)
            if bound is not None and not np.isfinite(bound):
                raise PrepkitError(f"Clip: {name}={bound}: give a finite number, or None for no bound.")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise PrepkitError(f"Clip: low={self.low} is not below high={self.high}.")
        check_columns(self)

    def needs(self, spec: Spec) -> Mapping[str, Sequence[Statistic]]:
        if self.quantiles is None and self.iqr is None:
            return {}
        return {s: ("quantiles",) for c in self.selected(spec) for s in c.series}

    def learn(self, spec: Spec, known: Known) -> Bounds:
        low: dict[str, float] = {}
        high: dict[str, float] = {}
        for column in self.selected(spec):
            least, most = self._bounds(known, column.name)
            if np.isnan(least) or np.isnan(most):
                raise PrepkitError(
                    f"column {column.name!r} has no value in the training rows to learn bounds from: Drop it."
                )
            low[column.name], high[column.name] = held(least, column), held(most, column)
        return Bounds(low, high)

    def _bounds(self, known: Known, name: str) -> Sequence[float]:
        if self.quantiles is not None:
            return known[name, "quantiles"].at(self.quantiles)  # type: ignore[no-any-return]
        if self.iqr is not None:
            q1, q3 = known[name, "quantiles"].at([0.25, 0.75])
            beyond = self.iqr * (q3 - q1) if q1 != q3 else np.inf
            return q1 - beyond, q3 + beyond
        return -np.inf if self.low is None else self.low, np.inf if self.high is None else self.high

    @property
    def carries(self) -> frozenset[Statistic]:
        return frozenset({"extremes", "quantiles", "vocabulary"})

    def carry(self, learned: Bounds, series: str, statistic: Accumulator) -> Accumulator | None:
        return statistic.clipped(learned.low[series], learned.high[series])

    def output(self, spec: Spec, learned: Bounds | None) -> Spec:
        if not self.indicator:
            return spec
        made = [
            Column(f"{c.name} is clipped", "boolean", FLOAT32, block=FLOAT32, sources=c.sources)
            for c in self.selected(spec)
        ]
        return spec.with_columns([*spec.columns, *made])

    def transform(self, spec: Spec, learned: Bounds, blocks: Blocks) -> Blocks:
        out = dict(blocks)
        marks: dict[str, tf.Tensor] = {}
        for block, columns in spec.blocks().items():
            if not (is_number_block(block) and any(s in learned.low for c in columns for s in c.series)):
                continue
            x = blocks[block]
            low = tf.constant(along(columns, learned.low, -np.inf), x.dtype)
            high = tf.constant(along(columns, learned.high, np.inf), x.dtype)
            # NaN passes: a comparison with it is false.
            out[block] = tf.where(x < low, low, tf.where(x > high, high, x))
            if self.indicator:
                beyond = tf.cast((x < low) | (x > high), tf.float32)
                marks |= {c.name: beyond[:, i] for i, c in enumerate(columns)}
        if marks:
            out = appended(out, FLOAT32, tf.stack([marks[c.name] for c in self.selected(spec)], 1))
        return out
