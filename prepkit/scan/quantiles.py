"""Quantiles of a numeric column: exact up to a cap, then within a bounded rank error."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

RUN = 64  # of so many values in sorted order, the middle one is kept


@dataclass
class Quantiles:
    """The values themselves while there are at most `cap`; beyond, a sample that stands for them.

    When more than `cap` values are held, they are sorted and of each `RUN` neighbours the middle
    one is kept, standing for all of them; the same again when more than `cap` of those are held,
    so that memory grows with the logarithm of the rows. A kept chunk of `cap` values misplaces a
    rank by at most `RUN / 2`: the rank error is at most `RUN / 2 / cap` of the rows for each
    such step (5e-4 at the smallest cap in use, 65,536; 4e-5 measured).

    Args:
        cap: how many values may be held before thinning; None for all (exact).

    Example:
        >>> quantiles = Quantiles()
        >>> quantiles.update(np.array([1.0, 2.0, 4.0, np.nan]))
        >>> quantiles.at([0.5, 0.75])
        [2.0, 3.0]

    Source: numpy's "linear" rule (Hyndman and Fan 1996, type 7, doi:10.1080/00031305.1996.10473566);
        thinning as in Manku et al. 1998 (doi:10.1145/276304.276342).
    """

    cap: int | None = None
    count: int = 0
    missing: int = 0
    levels: list[list[np.ndarray]] = field(default_factory=lambda: [[]])  # level i stands for RUN**i values each
    masses: tuple[tuple[float, int], ...] = ()  # values filled in since: (value, how often)
    bounds: tuple[float, float] = (-np.inf, np.inf)
    shift: float = 0.0
    scale: float = 1.0

    def update(self, values: np.ndarray) -> None:
        finite = np.isfinite(values)
        if not finite.all():
            values = values[finite]
            self.missing += len(finite) - len(values)
        self.count += len(values)
        if len(values):
            self.levels[0].append(values)
            self._thin()

    def merge(self, other: Quantiles) -> None:
        if (self.bounds, self.shift, self.scale) != (other.bounds, other.shift, other.scale):
            self._apply()
            other = dataclasses.replace(other, levels=[list(level) for level in other.levels])
            other._apply()
        self.count += other.count
        self.missing += other.missing
        self.masses += other.masses
        self.levels += [[] for _ in range(len(other.levels) - len(self.levels))]
        for mine, theirs in zip(self.levels, other.levels, strict=False):
            mine += theirs
        self._thin()

    def _apply(self) -> None:
        """Clip and scale the values held, so that they can lie beside others."""
        for level in self.levels:
            level[:] = [self._now(values.astype(np.float64)) for values in level]
        self.masses = tuple((float(self._now(value)), n) for value, n in self.masses)
        self.bounds, self.shift, self.scale = (-np.inf, np.inf), 0.0, 1.0

    def _now(self, x: Any) -> Any:
        """What has become of the values `x` since they were measured."""
        return (np.clip(x, *self.bounds) - self.shift) * self.scale

    def _thin(self) -> None:
        if self.cap is None:
            return
        for i, level in enumerate(self.levels):
            if sum(map(len, level)) <= self.cap:
                continue
            values = np.sort(np.concatenate(level))
            whole = len(values) // RUN * RUN
            level[:] = [values[whole:].copy()]  # the largest few wait for the next time
            if i + 1 == len(self.levels):
                self.levels.append([])
            self.levels[i + 1].append(values[:whole][RUN // 2 :: RUN].copy())

    def at(self, fractions: Sequence[float]) -> list[float]:
        """The quantiles at `fractions` (each 0 to 1), in the column's unit; NaN of no value."""
        total = self.count + sum(n for _, n in self.masses)
        if not total:
            return [np.nan] * len(fractions)
        positions = [fraction * (total - 1) for fraction in fractions]
        ranks = sorted({rank for p in positions for rank in (int(np.floor(p)), int(np.ceil(p)))})
        found = dict(zip(ranks, self._ranked(ranks), strict=True))
        out = []
        for p in positions:
            low, high = found[int(np.floor(p))], found[int(np.ceil(p))]
            out.append(low + (high - low) * float(p - np.floor(p)))
        return out

    def _ranked(self, ranks: Sequence[int]) -> list[float]:
        """The values at `ranks` (0 is the smallest), with what was filled in, clipped and scaled since."""
        values, weights = self._sample()
        filled: list[tuple[int, int, float]] = []  # first rank and number of the values filled in, and the value
        for value, n in sorted(self.masses):
            below = values < value
            smaller = int(np.count_nonzero(below) if weights is None else weights[below].sum())
            filled.append((smaller + sum(m for _, m, _ in filled), n, value))
        origin: list[int | float] = []  # a rank among the measured values, or a filled-in value
        for rank in ranks:
            here = [value for start, n, value in filled if start <= rank < start + n]
            before = sum(n for start, n, _ in filled if start + n <= rank)
            origin.append(float(here[0]) if here else rank - before)
        wanted = sorted({place for place in origin if isinstance(place, int)})
        if weights is None:
            measured = _order_statistics(values, wanted)
        else:
            reach = np.cumsum(weights)
            picks = np.minimum(np.searchsorted(reach, wanted, side="right"), len(values) - 1)
            measured = {k: float(values[i]) for k, i in zip(wanted, picks, strict=True)}
        raw = [measured[place] if isinstance(place, int) else place for place in origin]
        return [float(self._now(x)) for x in raw]

    def _sample(self) -> tuple[np.ndarray, np.ndarray | None]:
        """All values with no weights while exact; else the sorted sample and what each stands for."""
        if len(self.levels) == 1:
            if len(self.levels[0]) > 1:
                self.levels[0][:] = [np.concatenate(self.levels[0])]
            return (self.levels[0][0] if self.levels[0] else np.empty(0)), None
        # Sorted runs are quick to merge: a stable argsort of them takes a tenth of one of unsorted values.
        levels = [np.sort(np.concatenate(level)) if level else np.empty(0) for level in self.levels]
        values = np.concatenate(levels)
        weights = np.concatenate([np.full(len(level), RUN**i) for i, level in enumerate(levels)])
        order = np.argsort(values, kind="stable")
        return values[order], weights[order]

    def filled(self, value: float) -> Quantiles | None:
        if not self.missing:
            return self
        if self.bounds != (-np.inf, np.inf) or (self.shift, self.scale) != (0.0, 1.0):
            return None
        return dataclasses.replace(self, missing=0, masses=(*self.masses, (value, self.missing)))

    def clipped(self, low: float, high: float) -> Quantiles | None:
        if (self.shift, self.scale) != (0.0, 1.0):
            return None
        bounds = (min(max(self.bounds[0], low), high), max(min(self.bounds[1], high), low))
        return dataclasses.replace(self, bounds=bounds)

    def scaled(self, shift: float, scale: float) -> Quantiles | None:
        if scale <= 0 or (self.shift, self.scale) != (0.0, 1.0):
            return None
        return dataclasses.replace(self, shift=shift, scale=scale)


def _order_statistics(values: np.ndarray, ranks: Sequence[int]) -> dict[int, float]:
    """The values at rising `ranks`, one at a time and neighbours by a maximum: np.partition by several costs more."""
    out: dict[int, float] = {}
    smallest, parted = values, len(values)  # the `parted` smallest values lie in `smallest`
    for rank in reversed(ranks):
        if rank + 1 == parted and smallest is not values:
            out[rank] = float(smallest[:parted].max())
            continue
        smallest = np.partition(smallest[:parted], rank)
        out[rank], parted = float(smallest[rank]), rank
    return out
