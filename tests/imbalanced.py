"""Rows of which one class is rare, from every kind of source, and what an epoch is made of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf

import prepkit as pk

N = 200
CLASSES = ("no", "yes")


def frame(n: int = N, unlabelled: bool = True, seed: int = 0) -> pd.DataFrame:
    """`id` is the number of each row, and `pay` is that of no other; an eighth is "yes"; every tenth has no label."""
    rng = np.random.default_rng(seed)
    out = pd.DataFrame(
        {
            "id": np.arange(n).astype(float),
            "pay": rng.permutation(n) + 0.5,
            "job": rng.choice(["cook", "smith", "tailor"], n),
            "y": rng.permutation(np.where(np.arange(n) < n // 8, "yes", "no")).astype(object),
        }
    )
    if unlabelled:
        out.loc[3::10, "y"] = None
    return out


def stream(data: pd.DataFrame, batch: int | None = 32) -> tf.data.Dataset:
    """(features, label), a missing label as a blank one."""
    x = {n: data[n].to_numpy(object if data[n].dtype.kind not in "biuf" else None) for n in data if n != "y"}
    dataset = tf.data.Dataset.from_tensor_slices((x, data["y"].fillna("").to_numpy(object)))
    return dataset.batch(batch) if batch else dataset


def csv(data: pd.DataFrame, folder: Path) -> str:
    for i in range(3):
        data.iloc[i * len(data) // 3 : (i + 1) * len(data) // 3].to_csv(folder / f"{i}.csv", index=False)
    return str(folder / "*.csv")


def parquet(data: pd.DataFrame, folder: Path) -> Path:
    data.to_parquet(folder / "a.parquet", row_group_size=40)
    return folder / "a.parquet"


def npz(data: pd.DataFrame, folder: Path) -> Path:
    arrays = {n: data[n].to_numpy() if data[n].dtype.kind == "f" else data[n].fillna("").to_numpy(str) for n in data}
    np.savez(folder / "a.npz", **arrays)
    return folder / "a.npz"


# What to prepare; with it goes the name of the label, unless it is there by itself.
SOURCES: dict[str, Callable[[pd.DataFrame, Path], Any]] = {
    "frame": lambda data, _: data,
    "arrays": lambda data, _: (data[["id", "pay"]].to_numpy(), data["y"].to_numpy()),
    "dict": lambda data, _: {n: data[n].to_numpy() for n in data},
    "CSV": csv,
    "Parquet": parquet,
    "NPZ": npz,
    "dataset of batches": lambda data, _: stream(data),
    "dataset of rows": lambda data, _: stream(data, None),
}
IN_MEMORY = ("frame", "arrays", "dict")


def given(source: str, data: pd.DataFrame, folder: Path) -> tuple[Any, str | None]:
    return SOURCES[source](data, folder), None if source == "arrays" or "dataset" in source else "y"


def epoch(dataset: tf.data.Dataset, data: pd.DataFrame) -> np.ndarray:
    """The number and class of each row of an epoch, int64 (rows, 2), in their order; rows are seen to be whole."""
    found = [(x[:, :2], y if y.ndim == 1 else y.argmax(1)) for x, y, *_ in dataset.as_numpy_iterator()]
    x, y = np.concatenate([x for x, _ in found]), np.concatenate([y for _, y in found])
    rows = data.loc[x[:, 0].astype(int)]
    np.testing.assert_array_equal(x, rows[["id", "pay"]])
    return np.stack([x[:, 0].astype(np.int64), y], 1)


def adds_up(metadata: pk.Metadata) -> bool:
    """Whether the ledger says of every row what became of it, and of what an epoch is made."""
    ledger = metadata.ledger
    read = ledger.trained + sum(ledger.refused.values()) + sum(ledger.dropped.values())
    return ledger.rows_in == read and sum(metadata.counts) == ledger.trained + sum(ledger.added.values())
