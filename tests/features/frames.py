"""Small frames in, plain lists out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

import prepkit as pk


def fit(stages: Any, data: Mapping[str, Any], *, output: str = "dense", **kinds: str) -> pk.FittedPipeline:
    """Fit on columns whose labels alternate."""
    n = len(next(iter(data.values())))
    stages = stages if isinstance(stages, list) else [stages]
    return pk.Pipeline(stages, output=output).fit((dict(data), np.arange(n) % 2), kinds=kinds)


def transformed(fitted: pk.FittedPipeline, data: Mapping[str, Any]) -> dict[str, list[Any]]:
    """By feature name, or by column where the output is a dict: what comes out of `transform`."""
    batches = list(fitted.transform(dict(data), batch_size=3).as_numpy_iterator())
    if isinstance(batches[0], dict):
        return {name: np.concatenate([b[name] for b in batches]).tolist() for name in batches[0]}
    return dict(zip(fitted.feature_names, np.concatenate(batches).T.tolist(), strict=True))


def done(
    stages: Any, data: Mapping[str, Any], new: Mapping[str, Any] | None = None, **more: Any
) -> dict[str, list[Any]]:
    """Fit, and transform the same rows or others."""
    return transformed(fit(stages, data, **more), data if new is None else new)


def words(*cells: str | None) -> np.ndarray:
    return np.array(cells, object)


def learned(fitted: pk.FittedPipeline, i: int = 0) -> Any:
    return fitted.flow.learned[i]


def in_graph(fitted: pk.FittedPipeline, data: Mapping[str, Any]) -> Any:
    """As the served model calls it."""
    return tf.function(fitted.flow.features)({n: tf.constant(x) for n, x in data.items()})
