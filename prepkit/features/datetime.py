"""Turn points in time into numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import tensorflow as tf

from prepkit.core import Blocks, FixedStage, Nothing, appended, check_columns, taken
from prepkit.errors import PrepkitError
from prepkit.features.choose import unpacked
from prepkit.spec import FLOAT64, Column, Kind, Spec

DAY = 86_400.0  # seconds
CYCLES = {"month": 12, "day": 31, "weekday": 7, "hour": 24, "minute": 60}
LINEAR = ("elapsed", "year")


@dataclass(frozen=True)
class Datetime(FixedStage):
    """Numeric and cyclic parts of a point in time.

    Args:
        parts: any of "elapsed" (days since 1970-01-01 UTC) and "year", numeric columns named
            `NAME.elapsed` that later stages impute and rescale; and of "month", "day" (of the
            month), "weekday", "hour" and "minute", each a point on a circle, `NAME.hour.sin` and
            `NAME.hour.cos`, so that 23 h and 0 h are neighbours.
        columns: see `Stage`; by default all datetime columns.

    A missing time is NaN in the numeric parts, for Impute, and (0, 0) in the cyclic ones. Times
    with an offset are taken to UTC; those without one are taken as they are.

    Raises:
        PrepkitError: for an unknown part.

    Example:
        >>> import pandas as pd
        >>> import prepkit as pk
        >>> frame = pd.DataFrame({"at": pd.to_datetime(["2024-01-01", "2024-07-01"]), "y": [0, 1]})
        >>> fitted = pk.Pipeline([pk.Datetime(parts=("year", "month"))]).fit(frame, label="y")
        >>> fitted.feature_names
        ('at.year', 'at.month.sin', 'at.month.cos')

    Source: civil dates from days by Hinnant's algorithm (chrono-Compatible Low-Level Date Algorithms).
    """

    parts: Sequence[str] = ("elapsed", "month", "weekday", "hour")

    takes: ClassVar[tuple[Kind, ...]] = ("datetime",)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", (self.parts,) if isinstance(self.parts, str) else tuple(self.parts))
        wrong = [p for p in self.parts if p not in (*LINEAR, *CYCLES)]
        if wrong or not self.parts:
            raise PrepkitError(f"Datetime: parts={self.parts}: choose from {', '.join((*LINEAR, *CYCLES))}.")
        check_columns(self)

    def output(self, spec: Spec, learned: Nothing | None) -> Spec:
        chosen = self.selected(spec)
        gone = {c.name for c in chosen}
        rest = [c for c in spec.columns if c.name not in gone]
        linear = [
            Column(f"{c.name}.{p}", "numeric", FLOAT64, block=FLOAT64, sources=c.sources)
            for c in chosen
            for p in self.parts
            if p in LINEAR
        ]
        cyclic = []
        for c in chosen:
            names = tuple(f"{c.name}.{p}.{wave}" for p in self.parts if p in CYCLES for wave in ("sin", "cos"))
            if names:
                shape, block = (len(names),), f"cycle:{c.name}"
                cyclic.append(Column(c.name, "encoded", shape=shape, block=block, sources=c.sources, features=names))
        return spec.with_columns([*rest, *linear, *cyclic])

    def leaves_missing(self, spec: Spec, names: set[str]) -> set[str]:
        mine = {c.name for c in self.selected(spec)} & names
        return (names - mine) | {f"{name}.{p}" for name in mine for p in self.parts if p in LINEAR}

    def transform(self, spec: Spec, learned: Nothing, blocks: Blocks) -> Blocks:
        chosen = self.selected(spec)
        if not chosen:
            return blocks
        names = {c.name for c in chosen}
        out = taken(blocks, spec, set(spec.names) - names)
        times = unpacked(taken(blocks, spec, names), spec.with_columns(chosen))
        linear = []
        for column in chosen:
            parts = parts_of(tf.cast(times[column.name], tf.float64))
            linear += [parts[p] for p in self.parts if p in LINEAR]
            waves = []
            for p in (p for p in self.parts if p in CYCLES):
                angle = parts[p] * (2 * np.pi / CYCLES[p])
                waves += [tf.sin(angle), tf.cos(angle)]
            if waves:
                circle = tf.cast(tf.stack(waves, 1), tf.float32)
                out[f"cycle:{column.name}"] = tf.where(tf.math.is_nan(circle), tf.zeros_like(circle), circle)
        return appended(out, FLOAT64, tf.stack(linear, 1)) if linear else out


def parts_of(seconds: tf.Tensor) -> dict[str, tf.Tensor]:
    """The parts of float64 `seconds` since 1970-01-01, float64 of the same shape, NaN where that is.

    Month, day, weekday (Monday 0), hour and minute count from 0; the last two with their fractions.
    """
    days = tf.floor(seconds / DAY)
    of_day = seconds - days * DAY
    z = days + 719_468  # days since 0000-03-01: years begin in March, so that the leap day is the last
    era = tf.floor(z / 146_097)
    day_of_era = z - era * 146_097
    year_of_era = tf.floor(
        (day_of_era - tf.floor(day_of_era / 1460) + tf.floor(day_of_era / 36_524) - tf.floor(day_of_era / 146_096))
        / 365
    )
    day_of_year = day_of_era - (365 * year_of_era + tf.floor(year_of_era / 4) - tf.floor(year_of_era / 100))
    shifted_month = tf.floor((5 * day_of_year + 2) / 153)
    month = tf.where(shifted_month < 10, shifted_month + 2, shifted_month - 10)
    return {
        "elapsed": seconds / DAY,
        "year": year_of_era + era * 400 + tf.where(month <= 1, tf.ones_like(z), tf.zeros_like(z)),
        "month": month,
        "day": day_of_year - tf.floor((153 * shifted_month + 2) / 5),
        "weekday": tf.math.floormod(days + 3, tf.constant(7.0, tf.float64)),
        "hour": of_day / 3600,
        "minute": tf.math.floormod(of_day / 60, tf.constant(60.0, tf.float64)),
    }
