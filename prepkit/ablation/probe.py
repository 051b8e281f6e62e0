"""What a network's gradient and its ReLUs look like on a few rows, without changing the network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from prepkit.graph import as_written

RELUS = (keras.activations.relu, keras.activations.relu6)


@dataclass(frozen=True)
class Probed:
    """What was seen on a batch of rows.

    Args:
        gradient_norm: of the compiled loss, over all that is trained; NaN of a model that has diverged, and where the
            model computes no loss by itself.
        dead_relus: share of units behind a ReLU that give 0 for each of the rows, 0 to 1, of a convolution by channel;
            NaN of weights that are not finite; None of a model without such units, or that cannot be looked into.
    """

    gradient_norm: float
    dead_relus: float | None


class Probe:
    """The norm of a model's gradient and its share of dead ReLUs: one graph, traced once.

    The model runs as it does when it predicts, so that neither its statistics nor its random numbers move on.

    Args:
        model: compiled and built. ReLUs are seen in layers that it has as `layers`, and in models among these.

    Example:
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2, "relu", kernel_initializer="ones")])
        >>> model.compile(loss="mse")
        >>> Probe(model)(tf.constant([[1.0], [-1.0]]), tf.zeros((2, 2))).dead_relus
        0.0
        >>> Probe(model)(tf.constant([[-1.0], [-2.0]]), tf.zeros((2, 2)))
        Probed(gradient_norm=0.0, dead_relus=1.0)
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self._layers: tuple[Any, ...] = tuple(_with_relu(model))
        self._graph = self._new_graph()

    def __call__(self, x: Any, y: Any, w: Any = None) -> Probed:
        """Look at a batch.

        Args:
            x: features as the model takes them, tensors (rows, ...).
            y: labels as its loss takes them.
            w: weights (rows,), or None.
        """
        try:
            norm, dead = self._graph(x, y, w)
        except Exception:  # of any kind, by a user's own call or loss: it must not end the training
            if not self._layers:
                return Probed(float("nan"), None)
            self._layers = ()  # their outputs may be out of reach, as in a loop
            self._graph = self._new_graph()
            return self(x, y, w)
        return Probed(float(norm), float(dead) if self._layers else None)

    def _new_graph(self) -> Any:
        return tf.function(lambda x, y, w: self._measured(x, y, w), autograph=False, reduce_retracing=True)

    def _measured(self, x: Any, y: Any, w: Any) -> tuple[tf.Tensor, tf.Tensor]:
        weights = [v.value for v in self.model.trainable_variables]
        with tf.GradientTape() as tape, _recorded(self._layers) as outputs:
            out = self.model(x, training=False)
            loss = self.model.compute_loss(x=x, y=y, y_pred=out, sample_weight=w, training=False)
        gradients = [
            tf.cast(tf.convert_to_tensor(g), tf.float32) for g in tape.gradient(loss, weights) if g is not None
        ]
        dead = [_dead(layer, outputs[i]) for i, layer in enumerate(self._layers) if outputs[i]]
        share = tf.reduce_mean(tf.cast(tf.concat(dead, 0), tf.float32)) if dead else tf.constant(float("nan"))
        # A ReLU turns NaN into 0 on CPU: units of a network that has diverged would seem dead.
        finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(v)) for v in weights])
        return tf.linalg.global_norm(gradients), tf.where(finite, share, float("nan"))


def _with_relu(model: Any) -> Iterator[Any]:
    """Layers whose output comes out of a ReLU, each once."""
    seen: set[int] = set()
    for layer in getattr(model, "layers", ()):
        if isinstance(layer, keras.Model):
            found = list(_with_relu(layer))
        else:
            activation = layer if isinstance(layer, keras.layers.ReLU) else getattr(layer, "activation", None)
            recurrent = isinstance(layer, keras.layers.RNN)  # its activation is not the last thing it does
            found = [layer] if _is_relu(activation) and not recurrent else []
        for each in found:
            if id(each) not in seen:
                seen.add(id(each))
                yield each


def _is_relu(activation: Any) -> bool:
    if isinstance(activation, keras.layers.ReLU):
        return not activation.negative_slope
    return any(activation is relu for relu in RELUS)


@contextmanager
def _recorded(layers: Sequence[Any]) -> Iterator[list[list[tf.Tensor]]]:
    """What each layer gives, at each of its calls meanwhile."""
    outputs: list[list[tf.Tensor]] = [[] for _ in layers]
    before = [vars(layer).get("call") for layer in layers]
    for layer, record in zip(layers, outputs, strict=True):
        # Past Keras' own __setattr__, which would take it for a part of the layer.
        object.__setattr__(layer, "call", _recording(layer.call, record))
    try:
        yield outputs
    finally:
        for layer, call in zip(layers, before, strict=True):
            if call is None:
                object.__delattr__(layer, "call")
            else:
                object.__setattr__(layer, "call", call)


def _recording(call: Any, record: list[tf.Tensor]) -> Any:
    @as_written
    def recording(*args: Any, **settings: Any) -> Any:
        out = call(*args, **settings)
        record.append(out)
        return out

    return recording


def _dead(layer: Any, outputs: Sequence[tf.Tensor]) -> tf.Tensor:
    """For each unit, whether it gives 0 everywhere, at every call."""
    dead = []
    for out in outputs:
        rank = len(out.shape)
        unit = 1 if getattr(layer, "data_format", None) == "channels_first" else rank - 1
        dead.append(tf.reduce_all(out == 0, axis=[i for i in range(rank) if i != unit]))
    return tf.reduce_all(tf.stack(dead), axis=0)
