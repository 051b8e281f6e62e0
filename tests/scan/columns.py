"""Columns as they come, and the ways in which they may be cut into batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from hypothesis import strategies as st

T = TypeVar("T")

OFFSETS = (0.0, 0.0, 1.0, -1e3, 1e6, 1.77e9)  # the last: seconds since 1970
SCALES = (1e-3, 1.0, 1e6)
FORMS = ("normal", "heavy", "ties", "constant", "mostly zero", "integers")


@st.composite
def columns(draw: st.DrawFn, min_rows: int = 0, max_rows: int = 60) -> np.ndarray:
    """A float32 or float64 column: its own offset, scale and form, some cells missing or infinite."""
    n = draw(st.integers(min_rows, max_rows))
    dtype = draw(st.sampled_from((np.float32, np.float64)))
    x = values(
        draw(st.sampled_from(FORMS)),
        n,
        np.random.default_rng(draw(st.integers(0, 2**32 - 1))),
        draw(st.sampled_from(OFFSETS)),
        draw(st.sampled_from(SCALES)),
    ).astype(dtype)
    share = draw(st.sampled_from((0.0, 0.0, 0.2, 0.6, 1.0)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    bad = rng.random(n) < share
    x[bad] = rng.choice([np.nan, np.nan, np.inf, -np.inf], bad.sum())
    return x


def values(form: str, n: int, rng: np.random.Generator, offset: float, scale: float) -> np.ndarray:
    match form:
        case "normal":
            return offset + scale * rng.normal(size=n)
        case "heavy":
            return offset + scale * rng.standard_t(1.1, size=n)
        case "ties":
            return offset + scale * rng.integers(0, 4, n)
        case "constant":
            return np.full(n, offset + 3.0)
        case "mostly zero":
            return np.where(rng.random(n) < 0.8, 0.0, offset + scale * rng.normal(size=n))
        case _:
            return offset + rng.integers(-100, 100, n)


COLUMNS = columns()
CUTS = st.lists(st.integers(0, 60), max_size=4).map(sorted)


def measured(make: Callable[[], T], x: np.ndarray, cuts: Sequence[int]) -> T:
    """A fresh accumulator that saw `x` cut at `cuts`."""
    out = make()
    for piece in np.split(x, [min(c, len(x)) for c in cuts]):
        out.update(piece)  # type: ignore[attr-defined]
    return out


def finite(x: np.ndarray) -> np.ndarray:
    return x[np.isfinite(x)]
