"""The networks that variants are compared by: built anew for each run, traced once for those that are alike."""

from __future__ import annotations

import gc
import json
import re
import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from prepkit.ablation.probe import Probe
from prepkit.balance.probabilities import class_probabilities
from prepkit.errors import PrepkitError
from prepkit.metadata import Metadata
from prepkit.users_model import Earlier, arguments, loss_of

Batch = tuple[Any, Any, Any]  # features, labels, and weights or None: tensors (rows, ...)

HIDDEN = 128  # units of each of two layers: a plain network, tuned to nothing
LEARNING_RATE = 1e-3  # Adam's own
SIDE = 8  # pixels: a table of numbers that is narrower is taken for a sequence
KEPT = 16  # models that are kept for runs to come: a recipe of eight stages has about as many shapes
DISCARDED = 2**26  # bytes of weights from which on Python's search for them, a tenth of a second, is worth it
ROWS, IMAGES = 8192, 1024  # a batch to predict: of images, whose inner layers are larger than they are, fewer
OF_NUMBERS = (
    *("meansquarederror", "meanabsoluteerror", "meanabsolutepercentageerror", "meansquaredlogarithmicerror"),
    *("huber", "logcosh", "poisson", "cosinesimilarity"),
)
# Layers that hold what is no variable: a graph of one of them is not a graph of another.
ADAPTED = ("Normalization", "Discretization", "StringLookup", "IntegerLookup", "TextVectorization", "FeatureSpace")


def default_model(metadata: Metadata, shape: Sequence[int] | Mapping[str, Sequence[int]]) -> keras.Model:
    """A plain, untuned network, compiled, with the last layer that the metadata advise and a bias of zero.

    Args:
        metadata: of prepared data.
        shape: of the features of a row: (columns,) gets two layers of 128 ReLUs; an image, (height, width, channels) or
            (height, width) of 8 pixels or more, each at most twice the other, gets two convolutions and a layer of 128;
            any other, such as (steps, columns), is flattened and treated as columns. Or that of one column, by name.

    Raises:
        PrepkitError: for several columns by name.
    """
    name, plain = None, shape
    if isinstance(shape, Mapping):
        if len(shape) != 1:
            raise PrepkitError(
                f"the default network takes one tensor, not {len(shape)} columns, {', '.join(map(repr, shape))}: "
                "prepare with output='dense', or give model=, a function that returns a compiled Keras model of them."
            )
        name, plain = next(iter(shape.items()))
    given = keras.Input(tuple(plain), name=name)
    x = given
    layers = keras.layers
    if _is_image(given.shape[1:]):
        x = x if len(given.shape) == 4 else layers.Reshape((*given.shape[1:], 1))(x)
        for filters in (32, 64):
            x = layers.MaxPooling2D(padding="same")(layers.Conv2D(filters, 3, padding="same", activation="relu")(x))
        x = layers.Flatten()(x)
    else:
        x = layers.Flatten()(x) if len(given.shape) > 2 else x
        x = layers.Dense(HIDDEN, "relu")(x)
    x = layers.Dense(HIDDEN, "relu")(x)
    out = layers.Dense(metadata.advice.units, metadata.advice.activation)(x)
    model = keras.Model(given if name is None else {name: given}, out)
    model.compile(keras.optimizers.Adam(LEARNING_RATE), metadata.advice.loss)
    return model


def _is_image(shape: Sequence[int]) -> bool:
    if len(shape) == 3:
        return True
    return len(shape) == 2 and min(shape) >= SIDE and max(shape) <= 2 * min(shape)


class Trainable:
    """A compiled model, and graphs of what it gives and of its gradient that are traced once.

    Args:
        model: compiled and built.
        x: features that it takes, tensors (rows, ...).
    """

    def __init__(self, model: Any, x: Any) -> None:
        self.model = model
        self.probe = Probe(model)
        signature = tf.nest.map_structure(lambda t: tf.TensorSpec((None, *t.shape[1:]), t.dtype), x)
        self._graph = tf.function(lambda x: model.predict_step((x,)), input_signature=[signature], autograph=False)
        self._batch = IMAGES if any(len(t.shape) > 2 for t in tf.nest.flatten(x)) else ROWS
        self._start: list[np.ndarray] | None = None

    def outputs(self, x: Any) -> tf.Tensor:
        """What the model gives for all rows of `x`, (rows, units)."""
        n = len(tf.nest.flatten(x)[0])
        starts = range(0, n, self._batch)
        parts = [self._graph(tf.nest.map_structure(lambda t, i=i: t[i : i + self._batch], x)) for i in starts]
        return parts[0] if len(parts) == 1 else tf.concat(parts, 0)

    def probabilities(
        self, x: Any, classes: int, correction: Sequence[float] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Of all rows, under the prior of the data and as they are learned: see `class_probabilities`."""
        return class_probabilities(self.model, self.outputs(x), classes, correction)

    def warm(self, batch: Batch, class_weight: Mapping[int, float] | None) -> None:
        """Have the train step traced on a few rows, so that no epoch's time has it; nothing else changes."""
        self.model.optimizer.build(self.model.trainable_variables)
        before = [v.numpy() for v in self.model.variables]
        self._start = [v.numpy() for v in self.model.optimizer.variables]
        rows = tf.data.Dataset.from_tensor_slices(tuple(t for t in batch if t is not None)).take(2).batch(2)
        self.model.fit(rows, class_weight=class_weight, shuffle=False, verbose=0)
        self._reset(before)

    def like(self, fresh: Any) -> bool:
        """Take over the weights of a new model of the same architecture, its optimizer being new too; if that goes."""
        own, new = self.model.variables, fresh.variables
        if [(v.shape, v.dtype) for v in own] != [(v.shape, v.dtype) for v in new]:
            return False
        self._reset([v.value for v in new])
        return True

    def _reset(self, values: Sequence[Any]) -> None:
        assert self._start is not None
        for variable, value in zip(self.model.variables, values, strict=True):
            variable.assign(value)
        for variable, value in zip(self.model.optimizer.variables, self._start, strict=True):
            variable.assign(value)


class Models:
    """Gives a freshly initialised model for each run; runs that need the same network share its traced graphs.

    A model made of Keras' own parts, as Sequential or of inputs and outputs, is kept once it was traced. For a later
    run of the same architecture, settings and shapes, the function is called all the same, but what it returns only
    lends its weights and random states to the model that is kept, whose optimizer starts anew: the training is the
    same, bit by bit, and takes a fraction of the time. Any other model is trained itself.

    Args:
        build: returns a new compiled `keras.Model`; takes nothing, or the metadata. None for `default_model`.

    Raises:
        PrepkitError: if it is not a function.
    """

    def __init__(self, build: Callable[..., Any] | None = None) -> None:
        if isinstance(build, keras.Model) or not (build is None or callable(build)):
            raise PrepkitError(
                f"model is a {type(build).__name__}: give a function that returns a new compiled keras.Model each "
                "time, as in model=build."
            )
        self._build = build
        self._kept: OrderedDict[str, Trainable] = OrderedDict()
        self._earlier = Earlier()
        self._discarded = 0

    def __call__(self, metadata: Metadata, batch: Batch, where: str) -> Trainable:
        """A model for a run, initialised by what is seeded now.

        Args:
            metadata: of the run's prepared data.
            batch: some of its training rows, by which the model is built and checked.
            where: which run it is, for messages: "variant 'raw', seed 0".

        Raises:
            PrepkitError: if the function returns no compiled keras.Model, or what an earlier run has trained; if the
                model gives other than probabilities or logits of the classes, or its loss is one of numbers.
            Exception: whatever the function itself, or a call of its model, raises.
        """
        model = self._built(metadata, batch[0], where)
        key = self._key(model, batch, metadata.class_weight is not None)
        kept = self._kept.get(key)
        if kept is not None and kept.like(model):
            self._kept.move_to_end(key)
            self._forget(model)
            return kept
        gc.collect()  # Keras models hold themselves: else those of all runs would stay in memory
        new = Trainable(model, batch[0])
        if key:
            new.warm(batch, metadata.class_weight)
            self._kept[key] = new
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return new

    def _built(self, metadata: Metadata, x: Any, where: str) -> Any:
        if self._build is None:
            columns = {name: tuple(t.shape[1:]) for name, t in x.items()} if isinstance(x, Mapping) else None
            model = default_model(metadata, tuple(x.shape[1:]) if columns is None else columns)
        else:
            model = self._build(*[metadata] * arguments(self._build))
        if not isinstance(model, keras.Model):
            got = type(model).__name__
            raise PrepkitError(f"the model function returned a {got}: let it return a compiled keras.Model.")
        if not model.compiled:
            raise PrepkitError("the model function returned a model that is not compiled: call compile in it.")
        if shared := self._earlier.shared(model):
            raise PrepkitError(
                f"the model function returned {shared} for {where} as for an earlier run, which would start from what "
                "that has learned: make a new model and new layers each time, or set trainable=False for those that "
                "are to be shared."
            )
        if isinstance(model, keras.Sequential) and not model.built and tf.is_tensor(x):
            model.build((None, *x.shape[1:]))  # else it would be built for this number of rows
        out = model(x)
        self._earlier.add(model)
        _check_loss(model)
        class_probabilities(model, out, len(metadata.class_names), None)
        return model

    def _forget(self, model: Any) -> None:
        self._discarded += sum(v.value.dtype.size * int(np.prod(v.shape)) for v in model.variables)
        if self._discarded > DISCARDED:
            self._discarded = 0
            gc.collect()

    def _key(self, model: Any, batch: Batch, weighted: bool) -> str:
        """Equal for models whose train steps are one graph; empty for one that is not known well enough to tell."""
        if not (type(model).__module__ + ".").startswith("keras."):
            return ""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # Keras warns of a lambda, which it writes down without what it holds
                compiled = model.get_compile_config()
                config = json.dumps(_comparable([model.get_config(), compiled], {}))
        except Exception:  # of any kind: what cannot be written down cannot be compared
            return ""
        specs = tf.nest.map_structure(lambda t: f"{t.dtype.name}{t.shape[1:]}", [t for t in batch if t is not None])
        return f"{config}{specs}{weighted}" if compiled else ""


class _NotOurs(Exception):
    """A part that is neither Keras' nor ours: two that look the same may not do the same."""


def _comparable(config: Any, names: dict[str, int]) -> Any:
    """A configuration without the numbers in names that Keras gives, and without what only the initial state has."""
    if isinstance(config, list | tuple):
        return [_comparable(each, names) for each in config]
    if not isinstance(config, Mapping):
        return config
    kind = config.get("class_name")
    known = f"{config.get('module')}.".startswith(("keras.", "prepkit.")) and kind not in ADAPTED
    if kind is not None and not known and not kind.startswith("__"):
        raise _NotOurs(kind)
    out = {}
    for key, value in config.items():
        if key in ("name", "keras_history", "input_layers", "output_layers"):
            out[key] = _renamed(value, names)
        elif key != "seed" and not key.endswith("_initializer"):
            out[key] = _comparable(value, names)
    return out


def _renamed(value: Any, names: dict[str, int]) -> Any:
    if isinstance(value, str):
        return f"{re.sub(r'_[0-9]+$', '', value)} {names.setdefault(value, len(names))}"
    if isinstance(value, list | tuple):
        return [_renamed(each, names) for each in value]
    return {k: _renamed(v, names) for k, v in value.items()} if isinstance(value, Mapping) else value


def _check_loss(model: Any) -> None:
    loss = loss_of(model)
    name = getattr(loss, "__name__", type(loss).__name__)
    bounded = (keras.activations.sigmoid, keras.activations.softmax)
    last = getattr(model.layers[-1], "activation", None) if model.layers else None
    if name.replace("_", "").lower() in OF_NUMBERS and last not in bounded:
        raise PrepkitError(
            f"the model's loss {name} is one of numbers, not of classes: compile with metadata.advice.loss and end the "
            "model with metadata.advice.units and metadata.advice.activation."
        )
