"""One run: curves, the best epoch, statuses, and errors that do not end an ablation."""

from __future__ import annotations

import random

import keras
import numpy as np
import pytest
import tensorflow as tf

import prepkit as pk
from prepkit.ablation.data import Run
from prepkit.ablation.measures import log_loss, measured
from prepkit.ablation.network import Models
from prepkit.ablation.train import held, trained
from prepkit.errors import PrepkitError
from prepkit.users_model import apart

layers = keras.layers


def blobs(n=240, classes=2, apart=3.0, seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % classes)
    x = rng.normal(size=(n, 4))
    x[np.arange(n), y] += apart
    return (x * scale).astype(np.float32), y


def parts(x, y, *stages, seed=0, labels="int", cut=(160, 200)):
    """Prepared training rows, and rows to validate and to test by."""
    a, b = cut
    data = pk.Pipeline(list(stages), labels=labels).prepare((x[:a], y[:a]), batch_size=32, seed=seed)
    rest = [data.pipeline.transform((x[r], y[r]), batch_size=64) for r in (slice(a, b), slice(b, None))]
    return data, *rest


def network(optimizer="adam", hidden=8):
    def build(metadata):
        last = layers.Dense(metadata.advice.units, metadata.advice.activation)
        model = keras.Sequential([layers.Dense(hidden, "relu"), last])
        model.compile(optimizer() if callable(optimizer) else optimizer, metadata.advice.loss)
        return model

    return build


def fast():
    return keras.optimizers.Adam(0.05)


def wild():
    return keras.optimizers.SGD(1e30)


def run(build, *data, models=None, seed=0, epochs=4) -> Run:
    return trained(models or Models(build), *data, "raw", seed, epochs, 1.5, 7)


def test_a_run_tells_all_that_was_seen():
    x, y = blobs()
    out = run(network(fast), *parts(x, y))
    assert (out.variant, out.seed, out.status, out.error) == ("raw", 0, "converged", "")
    assert (out.steps, out.prepare_seconds, out.prepare_bytes) == (5, 1.5, 7)
    assert len(out.loss) == len(out.log_loss) == len(out.seconds) == 4
    assert len(out.gradient_norm) == len(out.dead_relus) == 4  # before, and behind three epochs
    assert out.log_loss[out.best_epoch - 1] == min(out.log_loss)
    assert set(out.measures) == {"log_loss", "final_log_loss", "ece", "auc", "balanced_accuracy", "minority_recall"}
    assert all(0 < s < 60 for s in out.seconds)


@pytest.mark.parametrize("labels", ["int", "one_hot"])
def test_curves_and_measures_are_those_of_keras_by_hand(labels):
    """Corrected for the prior, at the best epoch of one that learns the wrong thing after a while."""
    x, y = blobs(apart=1.0)
    y[:80] = 0  # a rare class, so that balancing moves the prior
    stages = (pk.Rebalance(),)
    build, epochs = network(fast, hidden=32), 6
    out = run(build, *parts(x, y, *stages, labels=labels), epochs=epochs)

    data, _, _ = parts(x, y, *stages, labels=labels)
    next(iter(data.dataset.take(1)))  # an order of rows goes to look at the gradient
    (vx, vy), (tx, ty) = ((x[160:200], y[160:200]), (x[200:], y[200:]))
    curve, outputs = [], []
    with apart(0):
        model = build(data.metadata)
        model(x[:5])

    def corrected(p):
        p = p.astype(np.float64)
        said = np.concatenate([1 - p, p], 1) if p.shape[1] == 1 else p
        p = said * np.exp(data.pipeline.correction)
        return p / p.sum(1, keepdims=True), said

    def look(epoch, logs):
        curve.append(log_loss(vy, corrected(model.predict(vx, verbose=0))[0]))
        outputs.append(corrected(model.predict(tx, verbose=0)))

    look(0, None)
    history = model.fit(
        data.dataset,
        epochs=epochs,
        class_weight=data.metadata.class_weight,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=look)],
        shuffle=False,
        verbose=0,
    ).history
    assert np.ptp(data.pipeline.correction) > 0.1
    np.testing.assert_array_equal(out.loss, history["loss"])
    np.testing.assert_allclose(out.log_loss, curve[1:], rtol=1e-5)
    best = int(np.argmin(curve[1:])) + 1
    assert out.best_epoch == best
    expected = measured(ty, *outputs[best], data.metadata.counts_cleaned)
    expected["final_log_loss"] = log_loss(ty, outputs[-1][0])
    assert dict(out.measures) == pytest.approx(expected, rel=1e-5)


def test_the_best_epoch_is_measured_and_the_last_one_beside_it():
    x, y = blobs(apart=0.3)
    out = run(network(fast, hidden=64), *parts(x, y), epochs=12)
    assert out.best_epoch < 12
    assert out.measures["final_log_loss"] != out.measures["log_loss"]


def test_two_runs_of_a_seed_are_equal_and_another_seed_is_another_run():
    x, y = blobs(apart=1.0)
    state = random.getstate()
    alone = run(network(), *parts(x, y), seed=3)
    models = Models(network())
    first = run(None, *parts(x, y), models=models, seed=2)
    behind = run(None, *parts(x, y), models=models, seed=3)  # in a model that another run has trained
    for name in ("loss", "log_loss", "gradient_norm", "dead_relus", "measures", "best_epoch"):
        assert getattr(alone, name) == getattr(behind, name)
    assert first.loss != behind.loss
    assert random.getstate() == state


def test_what_learns_nothing_has_not_converged():
    x, y = blobs(apart=0.0)
    assert run(network("sgd"), *parts(x, y), epochs=1).status == "not converged"


def test_what_diverges_is_stopped_and_told():
    x, y = blobs(classes=3)
    out = run(network(wild), *parts(x, y), epochs=5)
    assert out.status == "diverged" and out.error == ""
    assert len(out.loss) < 5 and not np.isfinite([*out.loss, *out.log_loss]).all()
    assert np.isnan(out.gradient_norm[-1]) and len(out.gradient_norm) == len(out.loss) + 1
    assert out.best_epoch == 0 and out.measures == {}


class Broken(layers.Layer):
    def call(self, x, training=False):
        if training:
            raise RuntimeError("out of luck")
        return x


def broken_in_training(metadata):
    model = keras.Sequential([Broken(), layers.Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy")
    return model


def broken_at_once():
    raise KeyError("no such file")


@pytest.mark.parametrize(
    "build, message",
    [(broken_in_training, "RuntimeError: out of luck"), (broken_at_once, "KeyError: no such file")],
    ids=["in training", "when built"],
)
def test_what_a_model_raises_fails_the_run_alone(build, message):
    x, y = blobs()
    out = run(build, *parts(x, y))
    assert out.status == "failed" and out.error.startswith(message)
    assert (out.steps, out.prepare_seconds) == (5, 1.5) and out.loss == ()


def test_a_function_that_is_of_no_use_to_any_variant_is_refused():
    x, y = blobs()
    with pytest.raises(PrepkitError, match="not compiled"):
        run(lambda: keras.Sequential([layers.Dense(1)]), *parts(x, y))


def test_rows_without_any_are_refused():
    x, y = blobs()
    data, valid, test = parts(x, y)
    with pytest.raises(PrepkitError, match="no rows to validate or to test by"):
        run(network(), data, valid.take(0), test)


def test_rows_are_held_as_they_come():
    x, y = blobs(30, classes=3)
    for label in (y, y[:, None], np.eye(3)[y]):
        rows = held(tf.data.Dataset.from_tensor_slices(({"x": x}, label)).batch(7))
        np.testing.assert_array_equal(rows.x["x"], x)
        np.testing.assert_array_equal(rows.y, y)
