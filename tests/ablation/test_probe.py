"""Gradients and dead ReLUs, against those computed by hand."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from prepkit.ablation.probe import Probe

layers = keras.layers
SPARSE = "sparse_categorical_crossentropy"


def batch(*shape, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    n = shape[0]
    return tf.constant(rng.normal(size=shape), tf.float32), tf.constant(rng.integers(0, classes, n), tf.int32)


def compiled(*parts, loss=SPARSE):
    model = keras.Sequential(parts)
    model.compile("sgd", loss)
    return model


def killed(layer, units):
    """With biases that no input overcomes: the first `units` are dead, the others are not."""
    kernel, bias = layer.get_weights()
    bias[:] = 1e3
    bias[:units] = -1e6
    layer.set_weights([np.abs(kernel), bias])


def test_the_gradient_is_that_of_the_weighted_loss_by_hand():
    x, y = batch(20, 4)
    w = tf.linspace(0.5, 2.0, 20)
    model = compiled(keras.Input((4,)), layers.Dense(3, "softmax"))
    kernel, bias = model.get_weights()
    p = np.exp(x @ kernel + bias) / np.exp(x @ kernel + bias).sum(1, keepdims=True)
    for weights in (None, w):
        error = (p - np.eye(3)[y]) * (1 if weights is None else w.numpy()[:, None]) / 20
        expected = np.sqrt(np.square(x.numpy().T @ error).sum() + np.square(error.sum(0)).sum())
        assert Probe(model)(x, y, weights).gradient_norm == pytest.approx(expected, rel=1e-4)
    assert Probe(model)(x, y).dead_relus is None


def test_dead_units_are_counted_behind_each_kind_of_relu():
    x, y = batch(30, 4)
    inner = keras.Sequential([keras.Input((8,)), layers.Dense(8), layers.Activation("relu"), layers.Dense(4, "tanh")])
    model = compiled(
        keras.Input((4,)), layers.Dense(8, "relu"), inner, layers.Dense(4), layers.ReLU(), layers.Dense(3, "softmax")
    )
    for layer in (model.layers[0], inner.layers[0], model.layers[2]):
        killed(layer, 0)
    assert Probe(model)(x, y).dead_relus == 0
    killed(model.layers[0], 2)
    killed(inner.layers[0], 3)
    killed(model.layers[2], 4)
    probe = Probe(model)
    assert probe(x, y).dead_relus == pytest.approx(9 / 20)
    killed(model.layers[0], 4)
    assert probe(x, y).dead_relus == pytest.approx(11 / 20)  # the graph is the same, the weights are not
    assert "call" not in vars(model.layers[0])


def test_a_unit_of_a_convolution_is_a_channel():
    x, y = batch(10, 6, 6, 1)
    model = compiled(
        keras.Input((6, 6, 1)), layers.Conv2D(4, 3, activation="relu"), layers.Flatten(), layers.Dense(3, "softmax")
    )
    killed(model.layers[0], 1)
    assert Probe(model)(x, y).dead_relus == pytest.approx(1 / 4)


def test_leaky_and_recurrent_units_are_not_counted():
    x, y = batch(10, 5, 2)
    model = compiled(
        keras.Input((5, 2)),
        layers.SimpleRNN(4, activation="relu"),
        layers.ReLU(negative_slope=0.1),
        layers.Dense(3, "softmax"),
    )
    assert Probe(model)(x, y).dead_relus is None


def test_a_model_that_has_diverged_gives_nan():
    x, y = batch(10, 4)
    model = compiled(keras.Input((4,)), layers.Dense(4, "relu"), layers.Dense(3, "softmax"))
    model.set_weights([np.full_like(w, np.nan) for w in model.get_weights()])
    seen = Probe(model)(x, y)
    assert np.isnan(seen.gradient_norm) and np.isnan(seen.dead_relus)


class Inside(keras.Model):
    """Calls its layer in a loop, where nobody sees what it gives."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self.hidden, self.last = layers.Dense(4, "relu"), layers.Dense(3, "softmax")

    def call(self, x):
        hidden = tf.map_fn(lambda row: self.hidden(row[None])[0], x, fn_output_signature=tf.float32)
        return self.last(tf.ensure_shape(hidden, (None, 4)))


def test_a_model_that_cannot_be_looked_into_has_a_gradient_all_the_same():
    x, y = batch(10, 4)
    model = Inside()
    model.compile("sgd", SPARSE)
    model(x)
    seen = Probe(model)(x, y)
    assert seen.dead_relus is None and seen.gradient_norm > 0


def test_a_model_without_a_loss_of_its_own_gives_nan():
    class Own(keras.Sequential):
        def compute_loss(self, *args, **settings):
            raise NotImplementedError

    x, y = batch(10, 4)
    model = Own([keras.Input((4,)), layers.Dense(3, "softmax")])
    model.compile("sgd")
    assert np.isnan(Probe(model)(x, y).gradient_norm)


def test_it_changes_nothing_and_is_traced_once():
    x, y = batch(10, 4)
    model = compiled(
        keras.Input((4,)), layers.BatchNormalization(), layers.Dropout(0.5), layers.Dense(3, "softmax"), loss=SPARSE
    )
    before = [v.numpy() for v in model.variables]
    probe = Probe(model)
    first = probe(x, y)
    assert probe(x, y) == first
    assert probe._graph.experimental_get_tracing_count() == 1
    for a, v in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(a, v.numpy())
