"""Whether training, evaluation and serving give the same numbers."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from prepkit.flow import Flow
from prepkit.keras import Served, raw_dataset
from prepkit.storage import flow_from_text, flow_to_text, functions_of


def differences(transformed: Iterable[Any], data: Any, flow: Flow, model: Any) -> dict[str, float]:
    """The largest absolute difference of each way to compute the features from `transformed`.

    With a model: of each way to compute its probabilities from calling it on `transformed`.
    NaN equals NaN, and differs by infinity from a number; strings and ids that differ count as 1.
    """
    functions = functions_of(flow.stages)
    batches = list(transformed)
    reference = _stacked(batches)
    raw = raw_dataset(data, flow.entry.raw, 256)
    again = flow_from_text(flow_to_text(flow), functions)
    ways = {
        "eager": (flow.features(x) for x in raw),
        "graph": map(tf.function(flow.features), raw),
        "tf.data": raw.map(flow.features),
        "saved and loaded": raw.map(again.features),
    }
    out = {name: _largest(reference, _stacked(list(way))) for name, way in ways.items()}
    if model is None:
        return out
    served = Served.of(flow, model)
    signed = raw_dataset(data, flow.entry.raw, 256, exact=True)
    probabilities = np.concatenate([served.probabilities(x) for x in batches])
    out |= {
        "served, called": _largest(probabilities, np.concatenate([served(x) for x in raw])),
        "served, predicted": _largest(probabilities, served.predict(data, verbose=0)),
    }
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "served.keras"
        served.save(file)
        loaded = keras.models.load_model(file, custom_objects=functions)
        out["served, reloaded"] = _largest(probabilities, loaded.predict(data, verbose=0))
        served.export(Path(folder) / "exported")
        exported = tf.saved_model.load(str(Path(folder) / "exported"))
        out["served, exported"] = _largest(probabilities, np.concatenate([exported.serve(x) for x in signed]))
    return out


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
