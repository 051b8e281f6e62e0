"""The main job on real data: UCI Adult, raw against prepared, then saved, reloaded and served."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pyarrow as pa
import pyarrow.csv
import tensorflow as tf
from rich.console import Console
from rich.table import Table
from sklearn.metrics import balanced_accuracy_score, log_loss, roc_auc_score

from prepkit.datasets import adult
from prepkit.pipeline import load
from prepkit.prepared import Prepared
from prepkit.profiling.recommend import recommend
from prepkit.report.terminal import curves

LABEL = "income"
HELD_OUT = 0.1  # of the training rows, for validation


def run(console: Console, out: Path | None, epochs: int, seed: int) -> dict[str, dict[str, float]]:
    """Print the whole story; the test scores of both networks."""
    with tempfile.TemporaryDirectory() as folder:
        return _run(console, out or Path(folder), epochs, seed)


def _run(console: Console, out: Path, epochs: int, seed: int) -> dict[str, dict[str, float]]:
    train, valid = _split(pa.csv.read_csv(adult("train")), seed)
    test = pa.csv.read_csv(adult("test"))
    console.rule("1. what prepkit finds, and recommends")
    recipe = recommend(train, label=LABEL)
    start = time.perf_counter()
    prepared = recipe.prepare(train, label=LABEL, batch_size=256, seed=seed)
    console.print(repr(prepared.pipeline.spec), markup=False, highlight=False)
    console.print(repr(recipe), markup=False, highlight=False)
    took = time.perf_counter() - start
    console.print(
        f"{prepared.metadata.ledger}; {len(prepared.pipeline.feature_names)} features; fitted in {took:.1f} s"
    )

    console.rule(f"2. the same network, {epochs} epochs on the raw and on the prepared data")
    raw = _codes(train)
    histories, scores = {}, {}
    truth = np.concatenate([y for _, y in prepared.pipeline.transform(test)])
    histories["raw"], model = _train(_raw_dataset(raw, train, 256, seed), _raw_dataset(raw, valid, 256), epochs, seed)
    scores["raw"] = _scores(truth, model.predict(_raw_dataset(raw, test, 256), verbose=0)[:, 0])
    fitted = prepared.pipeline
    histories["prepared"], model = _train(prepared.dataset, fitted.transform(valid), epochs, seed)
    scores["prepared"] = _scores(truth, model.predict(fitted.transform(test), verbose=0)[:, 0])
    for which in ("loss", "val_loss"):
        console.print(f"{'training' if which == 'loss' else 'validation'} loss (cross-entropy)")
        console.print(curves({name: history[which] for name, history in histories.items()}))
    table = Table("test set, 16,281 rows", *scores)
    for metric in scores["raw"]:
        table.add_row(metric, *(f"{s[metric]:.4f}" for s in scores.values()))
    console.print(table)

    console.rule("3. saved, reloaded, served from raw rows")
    prepared.save(out / "prepared")
    again = load(out / "prepared")
    assert isinstance(again, Prepared)
    again.pipeline.attach(model).save(out / "served.keras")
    served = keras.models.load_model(out / "served.keras")
    rows = test.slice(0, 5)
    table = Table("age", "education", "occupation", "hours", "truth", "P(>50K)")
    for row, p in zip(rows.to_pylist(), served.predict(rows, verbose=0)[:, 0], strict=True):
        cells = [row["age"], row["education"], row["occupation"], row["hours-per-week"], row[LABEL]]
        table.add_row(*(str(c).strip() for c in cells), f"{p:.3f}")
    console.print(table)
    largest = max(again.pipeline.check_parity(test.slice(0, 1000), model).values())
    console.print(
        f"features and probabilities, eager, in graph, reloaded and exported, differ by at most {largest:.1e}"
    )
    return scores


def _split(table: Any, seed: int) -> tuple[Any, Any]:
    order = np.random.default_rng(seed).permutation(table.num_rows)
    cut = int(HELD_OUT * table.num_rows)
    return table.take(np.sort(order[cut:])), table.take(np.sort(order[:cut]))


def _codes(table: Any) -> dict[str, dict[str, int]]:
    """The least that Keras needs of strings: a number for each."""
    strings = [f.name for f in table.schema if pa.types.is_string(f.type) and f.name != LABEL]
    return {name: {word: i for i, word in enumerate(table[name].unique().to_pylist())} for name in strings}


def _raw_dataset(codes: dict[str, dict[str, int]], table: Any, batch_size: int, seed: int | None = None) -> Any:
    columns = []
    for name in table.column_names:
        if name != LABEL:
            values = table[name].to_pylist()
            columns.append([codes[name].get(v, -1) for v in values] if name in codes else values)
    x = np.array(columns, np.float32).T
    y = np.array([">50K" in v for v in table[LABEL].to_pylist()], np.int32)
    dataset = tf.data.Dataset.from_tensor_slices((x, y))
    return (dataset if seed is None else dataset.shuffle(len(x), seed=seed)).batch(batch_size)


def _train(train: Any, valid: Any, epochs: int, seed: int) -> tuple[dict[str, list[float]], Any]:
    keras.utils.set_random_seed(seed)
    layers = [keras.layers.Dense(64, activation="relu"), keras.layers.Dense(64, activation="relu")]
    model = keras.Sequential([*layers, keras.layers.Dense(1, activation="sigmoid")])
    model.compile("adam", "binary_crossentropy")
    history = model.fit(train, validation_data=valid, epochs=epochs, verbose=0, shuffle=False)
    return history.history, model


def _scores(truth: np.ndarray, p: np.ndarray) -> dict[str, float]:
    return {
        "log-loss": float(log_loss(truth, p)),
        "balanced accuracy": float(balanced_accuracy_score(truth, p > 0.5)),
        "AUC": float(roc_auc_score(truth, p)),
    }
