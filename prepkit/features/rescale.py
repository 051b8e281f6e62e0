"""Rescale numeric columns and tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
import tensorflow as tf

from prepkit.core import Blocks, ColumnStage, Known, along, check_columns, is_number_block, one_of
from prepkit.errors import PrepkitError
from prepkit.scan import Accumulator, Statistic
from prepkit.spec import Column, Kind, Spec

METHODS = ("standard", "minmax", "robust", "squash", "unit")
NEEDS: Mapping[str, tuple[Statistic, ...]] = {
    "standard": ("moments",),
    "minmax": ("extremes",),
    "robust": ("quantiles",),
    "squash": ("quantiles", "extremes"),
    "unit": ("extremes",),
}
EPS = float(np.finfo(np.float64).eps)
WIDE = (tf.float64, tf.int32, tf.int64, tf.uint32, tf.uint64)  # of tensors; float32 does not hold all their values
LARGE = 1e37  # beyond, float32 may overflow where two such numbers meet


@dataclass(frozen=True)
class Scale:
    """Each series becomes (x - shift) * scale; the shift is in the column's unit."""

    shift: Mapping[str, float]
    scale: Mapping[str, float]


@dataclass(frozen=True)
class Rescale(ColumnStage[Scale]):
    """Bring columns to a common scale.

    Args:
        method: "standard": less the mean, over the standard deviation.
            "minmax": the training range becomes [0, 1].
            "robust": less the median, over the interquartile range.
            "squash": as "robust", then z / sqrt(1 + (z / 3)^2), which keeps every value within 3
            units of 0 and is nearly linear in between; where the quartiles coincide, the range
            is 2 units. "unit": over `maximum`, as pixels of 0-255 become 0-1.
        maximum: for "unit", the value that becomes 1.0, in the column's unit.
        clip: for "minmax" and "unit", whether values beyond the training range become 0 or 1
            rather than exceed it.
        per_channel: for tensors, whether each channel (last axis) has its own scale, or all have one.
        columns: see `Stage`; by default all numeric columns and tensors.

    The output is unitless; NaN stays NaN (impute first); a constant column becomes 0.0, and a later
    other value its distance from the constant. Statistics are in float64, and so is the shift: a
    timestamp of today keeps its milliseconds.

    Raises:
        PrepkitError: for an unknown method; when fitted, if a column has no finite value, or
            training values for "unit" lie outside of 0 to `maximum`.

    Example:
        >>> import pandas as pd
        >>> import prepkit as pk
        >>> frame = pd.DataFrame({"pay": [10.0, 20.0, 30.0], "y": [0, 1, 0]})
        >>> fitted = pk.Pipeline([pk.Rescale("minmax")]).fit(frame, label="y")
        >>> [x.ravel().tolist() for x, y in fitted.transform(frame, batch_size=3).as_numpy_iterator()]
        [[0.0, 0.5, 1.0]]

    Source: scikit-learn's StandardScaler, MinMaxScaler and RobustScaler with their rules for constant
        columns; "squash": Holzmueller et al. 2024 (doi:10.48550/arXiv.2407.04491).
    """

    method: Literal["standard", "minmax", "robust", "squash", "unit"] = "standard"
    maximum: float = 255.0
    clip: bool = False
    per_channel: bool = True

    takes: ClassVar[tuple[Kind, ...]] = ("numeric", "tensor")

    @property
    def carries(self) -> frozenset[Statistic]:
        linear = not self.clip and self.method != "squash"
        return frozenset({"moments", "extremes", "quantiles"}) if linear else frozenset()

    def __post_init__(self) -> None:
        one_of(self.method, METHODS, "Rescale: method")
        if not (np.isfinite(self.maximum) and self.maximum > 0):
            raise PrepkitError(f"Rescale: maximum={self.maximum}: give a positive number, such as 255.")
        if self.clip and self.method not in ("minmax", "unit"):
            raise PrepkitError(f"Rescale: clip=True goes with 'minmax' and 'unit', not {self.method!r}: use Clip.")
        check_columns(self)

    def needs(self, spec: Spec) -> Mapping[str, Sequence[Statistic]]:
        return {s: NEEDS[self.method] for c in self.selected(spec) for s in c.series}

    def learn(self, spec: Spec, known: Known) -> Scale:
        shift: dict[str, float] = {}
        scale: dict[str, float] = {}
        for column in self.selected(spec):
            groups = [(s,) for s in column.series] if self.per_channel else [column.series]
            for group in groups:
                measured = {statistic: _merged(known, group, statistic) for statistic in NEEDS[self.method]}
                center, spread = self._learn_one(column, measured)
                if not np.isfinite(center + spread):
                    raise PrepkitError(
                        f"column {group[0]!r} has no finite value in the training rows, or some that are too large "
                        "to calculate with, so no scale: Drop or Clip it, or choose columns= without it."
                    )
                shift |= dict.fromkeys(group, center)
                scale |= dict.fromkeys(group, spread)
        return Scale(shift, scale)

    def _learn_one(self, column: Column, measured: Mapping[Statistic, Any]) -> tuple[float, float]:
        match self.method:
            case "standard":
                m = measured["moments"]
                if not (m.count and np.isfinite(m.variance)):
                    return np.nan, np.nan
                # scikit-learn's bound of what rounding alone can leave of the variance of a constant
                constant = m.variance <= m.count * EPS * m.variance + (m.count * m.mean * EPS) ** 2
                return m.mean, 1.0 if constant else 1.0 / float(np.sqrt(m.variance))
            case "minmax":
                e = measured["extremes"]
                return e.low, _inverse(e.high - e.low)
            case "robust":
                q1, median, q3 = measured["quantiles"].at([0.25, 0.5, 0.75])
                return median, _inverse(q3 - q1)
            case "squash":
                q1, median, q3 = measured["quantiles"].at([0.25, 0.5, 0.75])
                e = measured["extremes"]
                if q3 > q1:
                    return median, 1.0 / (q3 - q1)
                return median, 2.0 / (e.high - e.low) if e.high > e.low else 1.0
        e = measured["extremes"]
        if e.low > e.high:
            return np.nan, np.nan
        if e.low < 0 or e.high > self.maximum:
            raise PrepkitError(
                f"column {column.name!r} holds {e.low:g} to {e.high:g}, but Rescale('unit') is for values from 0 to "
                f"maximum={self.maximum:g}: set maximum=, or use 'standard'."
            )
        return 0.0, 1.0 / self.maximum

    def carry(self, learned: Scale, series: str, statistic: Accumulator) -> Accumulator | None:
        return statistic.scaled(learned.shift[series], learned.scale[series])

    def output(self, spec: Spec, learned: Scale | None) -> Spec:
        tensors = {c.name for c in self.selected(spec) if c.shape}
        return spec.with_columns(replace(c, dtype="float32") if c.name in tensors else c for c in spec.columns)

    def transform(self, spec: Spec, learned: Scale, blocks: Blocks) -> Blocks:
        out = dict(blocks)
        for block, columns in spec.blocks().items():
            mine = [s in learned.shift for c in columns for s in c.series]
            if not (is_number_block(block) and any(mine)):
                continue
            x = blocks[block]
            if block.startswith("tensor:"):
                x = tf.cast(x, tf.float64 if x.dtype in WIDE else tf.float32)
            y = shifted(x, along(columns, learned.shift, 0.0), along(columns, learned.scale, 1.0))
            if self.method == "squash":
                y = soft_clipped(y)
            elif self.clip:
                y = tf.where(tf.math.is_nan(y), y, tf.clip_by_value(y, tf.zeros((), y.dtype), tf.ones((), y.dtype)))
            if block.startswith("tensor:"):
                out[block] = tf.cast(y, tf.float32)
            else:
                out[block] = y if all(mine) else tf.where(mine, y, x)
        return out


def _merged(known: Known, series: Sequence[str], statistic: Statistic) -> Any:
    """What was measured of several series together."""
    first = known[series[0], statistic]
    if len(series) > 1:
        first = deepcopy(first)
        for other in series[1:]:
            first.merge(known[other, statistic])
    return first


def _inverse(spread: float) -> float:
    """1 / spread, and 1 for a constant column, by scikit-learn's rule."""
    return 1.0 if spread < 10 * EPS else 1.0 / spread


def shifted(x: tf.Tensor, shift: np.ndarray, scale: np.ndarray) -> tf.Tensor:
    """(x - shift) * scale, as exact in float32 as if the shift were kept in float64.

    The float32 nearest to the shift and the rest of it are taken away one after the other: the
    first difference is exact where x is near to the shift (Sterbenz), which is where it matters.
    The product stands between them, or else TensorFlow adds the two constants up before it runs.
    Columns whose numbers float32 cannot hold are calculated in float64.
    """
    if x.dtype == tf.float32 and not (np.abs(shift).max() < LARGE and 1 / LARGE < scale.min() <= scale.max() < LARGE):
        return tf.cast(shifted(tf.cast(x, tf.float64), shift, scale), tf.float32)
    high = shift.astype(x.dtype.as_numpy_dtype)
    y = (x - high) * scale.astype(high.dtype)
    rest = shift - high.astype(np.float64)
    if np.any(rest != 0):
        y -= (rest * scale).astype(high.dtype)
    return y


def soft_clipped(z: tf.Tensor) -> tf.Tensor:
    """z / sqrt(1 + (z / 3)^2): within 3 of 0, and nearly z in between."""
    far = tf.constant(1e6, z.dtype)  # whose square is still finite in float32, and which is 3 to 11 digits
    z = tf.where(z > far, far, tf.where(z < -far, -far, z))
    return z / tf.sqrt(1.0 + tf.square(z / 3.0))
