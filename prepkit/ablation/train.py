"""One training of one variant, with all that is measured of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from prepkit.ablation.data import CONVERGED, Run, Status
from prepkit.ablation.measures import log_loss, measured
from prepkit.ablation.network import Batch, Models, Trainable
from prepkit.ablation.probe import Probed
from prepkit.errors import PrepkitError
from prepkit.metadata import Metadata
from prepkit.prepared import Prepared
from prepkit.users_model import apart, told

ROWS = 256  # that the gradient is computed of: as many as a batch has unless told otherwise
PROBED = 3  # epochs behind which it is looked at: what does not start to learn shows in these


@dataclass(frozen=True)
class Rows:
    """Rows that are not trained on: features as the model takes them, tensors (rows, ...), and class numbers."""

    x: Any
    y: np.ndarray


def held(dataset: tf.data.Dataset) -> Rows:
    """All rows of a finite dataset of (features, label), in memory; labels class numbers or one-hot rows.

    Raises:
        PrepkitError: if it has no rows.
    """
    batches = list(dataset)
    if not batches:
        raise PrepkitError("there are no rows to validate or to test by: give data with more rows.")
    x, y = (tf.nest.map_structure(lambda *parts: tf.concat(parts, 0), *each) for each in _columns(batches))
    label = y.numpy()
    one_hot = label.ndim == 2 and label.shape[1] > 1
    return Rows(x, label.argmax(1) if one_hot else label.reshape(-1).astype(np.int64))


def _columns(batches: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    return [x for x, *_ in batches], [y for _, y, *_ in batches]


def trained(
    models: Models,
    prepared: Prepared,
    valid: tf.data.Dataset,
    test: tf.data.Dataset,
    variant: str,
    seed: int,
    epochs: int,
    prepare_seconds: float = 0.0,
    prepare_bytes: int = 0,
) -> Run:
    """Train a network on prepared data, and measure it on rows that it has not seen.

    Layers and the order of rows are the same for the same seed, and nothing random elsewhere changes, as in
    `prepkit.cleaning.network.Network`: what a model draws from `tf.random` without a seed of its own is not repeated.

    Args:
        models: gives the network.
        prepared: its dataset has a known number of batches.
        valid: transformed rows (features, label), by which the best epoch is chosen.
        test: likewise, of which the measures are.
        variant: its name.
        seed: of the initial weights; the order of rows has its own, in `prepared`.
        epochs: to train for, fewer only if it diverges.
        prepare_seconds: for the record, as is the next.
        prepare_bytes: likewise.

    Returns:
        What came of it; with the status "failed", and why, if the model or the data raise anything.

    Raises:
        PrepkitError: if the function that makes models cannot be used for any variant, see `Models`; if there are no
            rows to validate or to test by.
    """
    metadata = prepared.metadata
    run = Run(
        *(variant, seed, "failed"),
        steps=metadata.steps_per_epoch or 0,
        prepare_seconds=prepare_seconds,
        prepare_bytes=prepare_bytes,
    )
    with apart(seed):
        try:
            one = models(metadata, batch := _first(prepared), f"variant {variant!r}, seed {seed}")
        except PrepkitError:
            raise
        except Exception as error:  # whatever the user's function, Keras or TensorFlow raise
            return replace(run, error=told(error))
        rows = held(valid), held(test)
        try:
            return _Training(one, prepared, batch, *rows).run(run, epochs)
        except Exception as error:
            return replace(run, error=told(error))


def _first(prepared: Prepared) -> Batch:
    """Some training rows."""
    x, y, *w = next(iter(prepared.dataset.take(1)))
    some: Batch = tf.nest.map_structure(lambda t: None if t is None else t[:ROWS], (x, y, w[0] if w else None))
    return some


class _Training:
    def __init__(self, one: Trainable, prepared: Prepared, batch: Batch, valid: Rows, test: Rows) -> None:
        self.one, self.prepared, self.batch, self.valid, self.test = one, prepared, batch, valid, test
        self.correction = prepared.pipeline.correction

    def run(self, run: Run, epochs: int) -> Run:
        metadata = self.prepared.metadata
        seen = _Watch(self)
        self.one.model.fit(
            self.prepared.dataset,
            epochs=epochs,
            class_weight=metadata.class_weight,
            callbacks=[seen],
            shuffle=False,  # the dataset does it, and Keras warns that it cannot
            verbose=0,
        )
        return replace(
            run,
            status=_status(seen, metadata),
            loss=tuple(seen.loss),
            log_loss=tuple(seen.log_loss),
            seconds=tuple(seen.seconds),
            gradient_norm=tuple(p.gradient_norm for p in seen.probed),
            dead_relus=tuple(p.dead_relus for p in seen.probed if p.dead_relus is not None),
            measures=self._measures(seen),
            best_epoch=seen.best_epoch,
        )

    def judged(self, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        classes = len(self.prepared.metadata.class_names)
        return self.one.probabilities(rows.x, classes, self.correction)

    def probe(self) -> Probed:
        x, y, w = self.batch
        by_class = self.prepared.metadata.class_weight
        if by_class is not None:
            label = tf.argmax(y, -1) if len(y.shape) == 2 and y.shape[1] > 1 else tf.reshape(y, [-1])
            w = tf.gather(tf.constant([by_class[c] for c in sorted(by_class)], tf.float32), tf.cast(label, tf.int32))
        return self.one.probe(x, y, w)

    def _measures(self, seen: _Watch) -> dict[str, float]:
        """At the best epoch, whose weights are put back, and the log-loss at the last."""
        final = None if seen.best_epoch == len(seen.loss) else log_loss(self.test.y, self.judged(self.test)[0])
        if not seen.best_epoch:
            return {}
        for variable, value in zip(self.one.model.variables, seen.best, strict=True):
            variable.assign(value)
        out = measured(self.test.y, *self.judged(self.test), self.prepared.metadata.counts_cleaned)
        final = out.get("log_loss", np.nan) if final is None else final
        return out | ({"final_log_loss": final} if np.isfinite(final) else {})


class _Watch(keras.callbacks.Callback):  # type: ignore[misc]
    """Times each epoch, looks at what it has given, keeps the best weights, and stops what has diverged."""

    def __init__(self, training: _Training) -> None:
        super().__init__()
        self.training = training
        self.loss: list[float] = []
        self.log_loss: list[float] = []
        self.seconds: list[float] = []
        self.probed: list[Probed] = [training.probe()]
        self.best: list[np.ndarray] = []
        self.best_epoch = 0
        self._started = 0.0

    @property
    def diverged(self) -> bool:
        return not np.isfinite([*self.loss, *self.log_loss]).all()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.seconds.append(time.perf_counter() - self._started)
        valid = self.training.valid
        self.log_loss.append(log_loss(valid.y, self.training.judged(valid)[0]))
        # A train step of the user's own need not report a loss: then validation alone tells.
        self.loss.append(float((logs or {}).get("loss", self.log_loss[-1])))
        best = self.log_loss[self.best_epoch - 1] if self.best_epoch else np.inf
        if self.log_loss[-1] < best:
            self.best, self.best_epoch = [np.array(v.numpy()) for v in self.model.variables], epoch + 1
        if epoch < PROBED:
            self.probed.append(self.training.probe())
        self.model.stop_training = self.model.stop_training or self.diverged


def _status(seen: _Watch, metadata: Metadata) -> Status:
    """By the definitions of `Run`."""
    if seen.diverged:
        return "diverged"
    shares = np.asarray([p for p in metadata.prior if p], np.float64)
    guessing = -float(np.sum(shares * np.log(shares)))
    return "converged" if min(seen.log_loss, default=np.inf) < CONVERGED * guessing else "not converged"
