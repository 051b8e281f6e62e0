"""Separable rows of which some have a wrong label, probabilities that know the true ones, and what comes of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

import prepkit as pk

NAMES = ("ant", "bee", "cat")


@dataclass(frozen=True)
class Noisy:
    """Rows in a frame.

    Args:
        frame: columns a, b and y; no two rows have the same a.
        true: class numbers (rows,).
        given: class numbers (rows,), as in y.
        wrong: bool (rows,), where these differ.
        probabilities: float64 (rows, classes), that have not seen the given labels.
    """

    frame: pd.DataFrame
    true: np.ndarray
    given: np.ndarray
    wrong: np.ndarray
    probabilities: np.ndarray


def noisy(rows: int = 150, wrong: int = 15, names: Any = NAMES, seed: int = 0, apart: float = 5.0) -> Noisy:
    """Classes of about equal size on a circle, `apart` standard deviations from its centre."""
    rng = np.random.default_rng(seed)
    k = len(names)
    true = rng.permutation(np.arange(rows) % k)
    angle = 2 * np.pi * np.arange(k) / k
    centres = apart * np.stack([np.cos(angle), np.sin(angle)], 1)
    x = (centres[true] + rng.normal(size=(rows, 2))).astype(np.float32)
    given = true.copy()
    chosen = rng.choice(rows, wrong, replace=False)
    given[chosen] = (true[chosen] + rng.integers(1, k, wrong)) % k
    # Softer than the truth, so that margins differ, some by little.
    logits = -0.1 * ((x[:, None] - centres) ** 2).sum(2) + 0.3 * rng.normal(size=(rows, k))
    p = np.exp(logits - logits.max(1, keepdims=True))
    frame = pd.DataFrame({"a": x[:, 0].astype(float), "b": x[:, 1].astype(float), "y": np.array(names)[given]})
    return Noisy(frame, true, given, given != true, p / p.sum(1, keepdims=True))


def prepared(
    data: Any, label: str | None = "y", *, seed: int = 0, batch_size: int = 32, **settings: Any
) -> pk.Prepared:
    """By a recipe of `CleanLabels` alone."""
    recipe = pk.Pipeline([pk.CleanLabels(**settings)])
    return recipe.prepare(data, label, seed=seed, batch_size=batch_size)


def rows_of(dataset: Any) -> dict[float, tuple[int, float]]:
    """Class number and weight, 1 where there is none, of each row, by its first feature."""
    out: dict[float, tuple[int, float]] = {}
    for a, label, weight in _rows(dataset):
        assert a not in out, f"row {a} is there twice"
        out[a] = label, weight
    return out


def _rows(dataset: Any) -> Iterator[tuple[float, int, float]]:
    for x, y, *w in dataset.as_numpy_iterator():
        weights = w[0] if w else np.ones(len(y))
        yield from zip(x[:, 0].tolist(), y.tolist(), np.asarray(weights, float).tolist(), strict=True)


def expected(frame: pd.DataFrame, issues: pd.DataFrame, names: tuple[str, ...], weights: Any = None) -> dict[Any, Any]:
    """What `rows_of` should find, row by row, each numbered by its index; those without a label are not there."""
    told: Mapping[int, Any] = {issue["row"]: issue for issue in issues.to_dict("records")}
    out = {}
    for i, a, y in zip(frame.index.tolist(), frame["a"].tolist(), frame["y"].tolist(), strict=True):
        weight = 1.0 if weights is None else float(np.float32(weights[i]))
        if y is None or y != y:
            continue
        label = names.index(str(y))
        if i in told:
            issue = told[i]
            assert issue["given"] == str(y)
            if issue["action"] == "drop":
                continue
            label = names.index(issue["suggested"]) if issue["action"] == "relabel" else label
            weight = float(np.float32(weight) * np.float32(issue["weight"]))
        out[a] = label, weight
    return out


def assert_rows(dataset: Any, wanted: Mapping[float, tuple[int, float]]) -> None:
    """A dataset holds these rows and no others, their weights equal but for rounding."""
    got = rows_of(dataset)
    assert {a: label for a, (label, _) in got.items()} == {a: label for a, (label, _) in wanted.items()}
    for a, (_, weight) in got.items():
        assert abs(weight - wanted[a][1]) <= 1e-5 * wanted[a][1], a
