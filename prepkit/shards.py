"""Transformed rows as NPZ files, for what does not read tf.data."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from prepkit.progress import track
from prepkit.storage import npz_bytes


def write_transformed(dataset: Iterable[Any], folder: Path) -> int:
    """Write each batch to `folder` as NPZ: "features" (or "features/NAME"), "label" and "weight"; the rows written.

    Files of that kind that an earlier run has left there are removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("[0-9][0-9][0-9][0-9][0-9].npz"):
        old.unlink()
    rows = 0
    for i, element in enumerate(track(dataset, f"writing {folder.name}")):
        parts = element if isinstance(element, tuple) else (element,)
        arrays: dict[str, np.ndarray] = {}
        for name, part in zip(("features", "label", "weight"), parts, strict=False):
            if isinstance(part, dict):
                arrays |= {f"{name}/{key}": np.asarray(value) for key, value in part.items()}
            else:
                arrays[name] = np.asarray(part)
        arrays = {n: _without_objects(a) for n, a in arrays.items()}
        rows += len(next(iter(arrays.values())))
        (folder / f"{i:05d}.npz").write_bytes(npz_bytes(arrays))
    return rows


def _without_objects(array: np.ndarray) -> np.ndarray:
    """Strings of TensorFlow, which are bytes of UTF-8, as numpy's."""
    if array.dtype != object:
        return array
    texts = [v.decode("utf-8", "replace") for v in array.ravel()]
    return np.array(texts, str).reshape(array.shape)
