"""Out-of-sample probabilities by a network of the user's own."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from prepkit.balance.probabilities import class_probabilities
from prepkit.errors import PrepkitError
from prepkit.feed import from_memory
from prepkit.graph import as_written
from prepkit.labels import formed
from prepkit.spec import LABEL, WEIGHT
from prepkit.users_model import Earlier, apart, arguments, shapes, told

STOPPING = 0.1  # of a fold's training rows: by their loss training stops
# Epochs: with 20 % wrong labels in scikit-learn's digits and cancer, 2 to 5 differ by less than 0.02 in log-loss out of
# sample; without stopping it is 0.27 higher on cancer, whose wrong labels are learned by heart.
PATIENCE = 3
FEWEST = 5  # rows of a class from which on one is set aside: never more than a fifth of the class
LEAST = 10  # rows to stop by


@dataclass(frozen=True, eq=False)
class Network:
    """A Keras model that is built anew for each fold and trained on the other folds' rows.

    Layers are the same for the same seed, and nothing random elsewhere changes: Keras' and TensorFlow's seeds, which
    cannot be put back, are not set. So what a model draws from `tf.random` without a seed of its own is not repeated.

    Args:
        build: returns a new compiled `keras.Model`; takes nothing, or the metadata.
        metadata: what `build` gets if it takes one argument that has no default.
        features: maps a dict of batches of `blocks` to what the model gets, in the graph.
        blocks: packed arrays (rows, ...) of all rows, by name.
        labels: class numbers (rows,) of all rows.
        classes: how many there are.
        weights: of all rows, or None.
        form: in which the model gets labels, "int" or "one_hot".
        epochs: that it is trained for at most.
        batch_size: rows a batch.
        seed: of the initial weights, the order of rows and the choice of the rows to stop by.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> y = np.arange(200, dtype=np.int32) % 2
        >>> x = (rng.normal(size=(200, 3)) + 3 * y[:, None]).astype(np.float32)
        >>> def build():
        ...     model = keras.Sequential([keras.layers.Dense(1, activation="sigmoid")])
        ...     model.compile(keras.optimizers.Adam(0.1), "binary_crossentropy")
        ...     return model
        >>> network = Network(build, None, lambda batch: batch["x"], {"x": x}, y, 2)
        >>> out = network(np.arange(100), np.arange(100, 200), "fold 2 of 2")
        >>> out.shape, bool((out.argmax(1) == y[100:]).mean() > 0.9)
        ((100, 2), True)
    """

    build: Callable[..., Any]
    metadata: Any
    features: Callable[[Any], Any]
    blocks: Mapping[str, np.ndarray]
    labels: np.ndarray
    classes: int
    weights: np.ndarray | None = None
    form: str = "int"
    epochs: int = 50
    batch_size: int = 256
    seed: int = 0
    _earlier: Earlier = field(default_factory=Earlier, init=False, repr=False)  # what earlier folds trained

    def __call__(self, train: np.ndarray, held_out: np.ndarray, where: str) -> np.ndarray | None:
        """Class probabilities, float32 (held_out, classes), or None if the training diverged.

        Args:
            train: numbers of the rows to train on; some of them decide when to stop.
            held_out: numbers of the rows to predict, which nothing else depends on.
            where: which fold it is, for messages: "fold 2 of 5".

        Raises:
            PrepkitError: if `build` returns no compiled model, or one that shares what it trains with an earlier
                fold's; if the model cannot be trained; if it gives no probabilities of the classes.
        """
        gc.collect()  # Keras models hold themselves: else those of all folds would stay in memory
        with apart(self.seed):
            model = self._built(where)
            to_predict = self._dataset(held_out)
            try:
                return self._predicted(model, train, to_predict)
            except PrepkitError:
                raise
            except Exception as error:  # whatever Keras, TensorFlow or the user's own code raises
                raise PrepkitError(
                    f"CleanLabels: the model cannot be trained on {where}: {told(error)}: make sure that it takes "
                    f"{shapes(to_predict.element_spec[0])} and labels as {self.form}, as a dataset of the same recipe "
                    "without CleanLabels has them."
                ) from error

    def _built(self, where: str) -> Any:
        try:
            model = self.build(*[self.metadata] * arguments(self.build))
        except Exception as error:
            raise PrepkitError(
                f"CleanLabels: the model cannot be built for {where}: {told(error)}: make sure that the "
                "function runs by itself, without arguments or with the metadata as its only one."
            ) from error
        if not isinstance(model, keras.Model):
            raise PrepkitError(f"CleanLabels: model returned {shapes(model)}: let it return a compiled keras.Model.")
        if not model.compiled:
            raise PrepkitError("CleanLabels: model returned a model that is not compiled: call compile in it.")
        if shared := self._earlier.shared(model):
            raise PrepkitError(
                f"CleanLabels: model returned {shared} for {where} as for an earlier fold, and weights would know the "
                "held-out rows: make a new model and new layers each time, or set trainable=False for those that are "
                "to be shared."
            )
        return model

    def _predicted(self, model: Any, train: np.ndarray, to_predict: Any) -> np.ndarray | None:
        # Before it is trained too: what is wrong with its outputs is told at once.
        self._probabilities(model, model.predict(to_predict.take(1), verbose=0))
        converged = self._trained(model, train)
        out = self._probabilities(model, model.predict(to_predict, verbose=0))
        return out if converged and np.isfinite(out).all() else None

    def _trained(self, model: Any, train: np.ndarray) -> bool:
        """Train it; whether the loss is finite at the end."""
        learn, stop = self._parted(train)
        callbacks: list[Any] = [_Diverged()]
        if len(stop):
            stopping = keras.callbacks.EarlyStopping
            callbacks.append(stopping("val_loss", mode="min", patience=PATIENCE, restore_best_weights=True))
        history = model.fit(
            self._dataset(learn, self.seed),
            epochs=self.epochs,
            validation_data=self._dataset(stop) if len(stop) else None,
            callbacks=callbacks,
            shuffle=False,  # the dataset does it, and Keras warns that it cannot
            verbose=0,
        ).history
        self._earlier.add(model)
        return bool(np.isfinite([history[name][-1] for name in ("loss", "val_loss") if name in history]).all())

    def _parted(self, train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows to learn from and rows to stop by, of each class its share; none of these where they are too few."""
        rows = np.random.default_rng(self.seed).permutation(train)
        rows = rows[np.argsort(self.labels[rows], kind="stable")]
        counts = np.bincount(self.labels[rows], minlength=self.classes)
        wanted = np.where(counts < FEWEST, 0, np.maximum(1, np.round(counts * STOPPING).astype(np.int64)))
        if wanted.sum() < LEAST:
            return train, train[:0]
        place = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        stop = place < np.repeat(wanted, counts)
        return np.sort(rows[~stop]), np.sort(rows[stop])

    @cached_property
    def _tensors(self) -> dict[str, Any]:
        """All rows, once for the datasets of all folds."""
        arrays = {**self.blocks, LABEL: self.labels.astype(np.int32)}
        if self.weights is not None:
            arrays[WEIGHT] = self.weights.astype(np.float32)
        with tf.device("CPU:0"):
            return {name: tf.constant(a) for name, a in arrays.items()}

    def _dataset(self, rows: np.ndarray, seed: int | None = None) -> Any:
        """Batches of (features, label) or (features, label, weight)."""

        @as_written
        def finish(batch: Any) -> Any:
            x = self.features({name: batch[name] for name in self.blocks})
            label = formed(batch[LABEL], self.classes, self.form)
            return (x, label) if self.weights is None else (x, label, batch[WEIGHT])

        return from_memory(self._tensors, finish, self.batch_size, rows=rows, seed=seed)

    def _probabilities(self, model: Any, out: Any) -> np.ndarray:
        """What the model gives, as float32 (rows, classes); not all finite if its outputs are not.

        Raises:
            PrepkitError: if these are no probabilities, and no logits that the loss knows of.
        """
        given = tf.convert_to_tensor(out) if isinstance(out, np.ndarray) else out
        try:
            return class_probabilities(model, given, self.classes)[0].astype(np.float32)
        except PrepkitError as error:
            raise PrepkitError(f"CleanLabels: {error}") from error


class _Diverged(keras.callbacks.Callback):  # type: ignore[misc]
    """Stops after an epoch whose loss is not finite; Keras' TerminateOnNaN prints, and waits for every batch."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if not np.isfinite((logs or {}).get("loss", 0.0)):
            self.model.stop_training = True
