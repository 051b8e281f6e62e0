"""Transformed rows as NPZ files, for what does not read tf.data."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from prepkit.progress import track


def write_transformed(dataset: Iterable[Any], folder: Path) -> int:
    """Write each batch to `folder` as NPZ: "features" (or "features/NAME"), "label" and "weight"; the rows written."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.npz"):
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
        arrays = {n: a.astype(str) if a.dtype == object else a for n, a in arrays.items()}
        rows += len(next(iter(arrays.values())))
        np.savez(folder / f"{i:05d}.npz", **arrays)  # type: ignore[arg-type]
    return rows
