"""A healthy table, and ways to spoil it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

N = 1200


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def healthy(n: int = N, seed: int = 0) -> pd.DataFrame:
    """Two columns of numbers, one of categories, and a label of two classes that depends on them, though not much."""
    draw = np.random.default_rng(seed)
    x, z, c = draw.normal(size=n), draw.uniform(size=n), draw.integers(0, 4, n)
    y = x + 0.5 * (c == 2) + 1.5 * draw.normal(size=n) > 0
    return pd.DataFrame({"x": x, "z": z, "c": np.array(["red", "green", "blue", "white"])[c], "y": y.astype(int)})


def having(**columns: Any) -> pd.DataFrame:
    """The healthy table with some columns more, or others."""
    return healthy().assign(**columns)


def some(share: float, seed: int = 2, n: int = N) -> np.ndarray:
    """Booleans, true in exactly that share of the rows."""
    out = np.zeros(n, bool)
    out[np.random.default_rng(seed).permutation(n)[: round(share * n)]] = True
    return out
