"""Whether training, evaluation and serving give the same numbers."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from prepkit.flow import Flow
from prepkit.keras import Served, raw_dataset
from prepkit.storage import flow_from_text, flow_to_text, functions_of


def differences(
    transformed: Iterable[Any], data: Any, flow: Flow, model: Any, *, correction: Sequence[float] | None = None
) -> dict[str, float]:
    """The largest absolute difference of each way to compute the features from `transformed`.

    With a model: of each way to compute its probabilities, with the correction, from calling it on `transformed`.
    NaN equals NaN, and differs by infinity from a number; strings and ids that differ count as 1.
    """
    batches = list(transformed)
    reference = _stacked(batches)
    raw = raw_dataset(data, flow.entry.raw, 256)
    again = flow_from_text(flow_to_text(flow), functions_of(flow.stages))
    ways = {
        "eager": (flow.features(x) for x in raw),
        "graph": map(tf.function(flow.features), raw),
        "tf.data": raw.map(flow.features),
        "saved and loaded": raw.map(again.features),
    }
    out = {name: _largest(reference, _stacked(list(way))) for name, way in ways.items()}
    return out if model is None else out | _served(batches, data, Served.of(flow, model, correction=correction))


def _served(batches: list[Any], data: Any, served: Served) -> dict[str, float]:
    """The same for the probabilities of a model."""
    raw = raw_dataset(data, served.flow.entry.raw, 256)
    signed = raw_dataset(data, served.flow.entry.raw, 256, exact=True)
    with tempfile.TemporaryDirectory() as folder:
        file, directory = Path(folder) / "served.keras", Path(folder) / "exported"
        served.save(file)
        served.export(directory)
        loaded = keras.models.load_model(file, custom_objects=functions_of(served.flow.stages))
        exported = tf.saved_model.load(str(directory))
    with _quiet():
        ways = {
            "served, called": np.concatenate([served(x) for x in raw]),
            "served, predicted": served.predict(data, verbose=0),
            "served, reloaded": loaded.predict(data, verbose=0),
            "served, exported": np.concatenate([exported.serve(x) for x in signed]),
        }
    reference = np.concatenate([served.probabilities(x) for x in batches])
    return {name: _largest(reference, p) for name, p in ways.items()}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without TensorFlow's advice not to trace so much: two models are traced here, each once."""
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("ERROR")
    try:
        yield
    finally:
        logger.setLevel(level)


def _stacked(batches: list[Any]) -> list[np.ndarray]:
    """The whole columns of batches of features."""
    if isinstance(batches[0], dict):
        return [np.concatenate([np.asarray(b[name]) for b in batches]) for name in batches[0]]
    return [np.concatenate([np.asarray(b) for b in batches])]


def _largest(mine: Any, theirs: Any) -> float:
    largest = 0.0
    for a, b in zip(mine, theirs, strict=True) if isinstance(mine, list) else [(mine, theirs)]:
        if a.shape != b.shape:  # by broadcasting, what belongs to other rows would be compared
            return float("inf")
        if a.dtype.kind == "f":
            same = (a == b) | (np.isnan(a) & np.isnan(b))
            with np.errstate(invalid="ignore"):
                difference = np.abs(np.where(same, 0, a) - np.where(same, 0, b))
            largest = max(largest, float(np.where(np.isnan(difference), np.inf, difference).max(initial=0.0)))
        else:
            largest = max(largest, float(np.any(a != b)))
    return largest
