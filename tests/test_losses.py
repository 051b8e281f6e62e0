"""The adjusted losses, against numbers worked out by hand, and against Keras'."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import prepkit as pk
from prepkit.losses import AdjustedLoss, adjusted_loss

K = keras.losses


def known(*prior: float, labels: str = "int") -> Any:
    """As much of the metadata as the loss looks at."""
    names = tuple(f"class {i}" for i in range(len(prior)))
    return SimpleNamespace(class_names=names, labels=labels, training_prior=prior)


TWO, THREE = known(0.75, 0.25), known(0.8, 0.15, 0.05)


def labels_of(y: np.ndarray, form: str, classes: int) -> np.ndarray:
    return {"(n,)": y, "(n, 1)": y[:, None], "one-hot": np.eye(classes, dtype=np.float32)[y]}[form]


# -- by hand --------------------------------------------------------------------------------------

LABEL_FORMS = ["(n,)", "(n, 1)", "one-hot"]
# Logits 0 and log 3 of rows of class 0 and 1: shifted by log 0.75 and log 0.25 both are log 0.75.
Z = np.array([[0.0, np.log(3.0)]] * 2, np.float32)
BY_HAND = {
    "logit_adjustment": [np.log(2.0), np.log(2.0)],
    # Of the four parts, class 0 has 1 and class 1 has 3; alpha is 0.25 and 0.75.
    "focal": [0.25 * 0.75**2 * np.log(4.0), 0.75 * 0.25**2 * np.log(4 / 3)],
}


@pytest.mark.parametrize("form", LABEL_FORMS)
@pytest.mark.parametrize("end", ["sigmoid", "one logit", "softmax", "logits"])
@pytest.mark.parametrize("method", BY_HAND)
def test_two_classes_by_hand(method, end, form):
    p = np.array([[0.25, 0.75]] * 2, np.float32)
    given = {"sigmoid": p[:, 1:], "one logit": Z[:, 1:], "softmax": p, "logits": Z}[end]
    loss = adjusted_loss(TWO, method, from_logits="logit" in end)
    y = labels_of(np.array([0, 1]), form, 2)
    each = loss.call(tf.constant(y, tf.float32), tf.constant(given))
    np.testing.assert_allclose(each, BY_HAND[method], rtol=1e-5)
    assert float(loss(y, given)) == pytest.approx(np.mean(BY_HAND[method]), rel=1e-5)
    weighted = (BY_HAND[method][0] * 3 + BY_HAND[method][1]) / 2
    assert float(loss(y, given, sample_weight=np.array([3.0, 1.0]))) == pytest.approx(weighted, rel=1e-5)


@pytest.mark.parametrize("form", LABEL_FORMS)
@pytest.mark.parametrize("from_logits", [False, True])
def test_three_classes_by_hand(from_logits, form):
    """Equal logits: shifted by the logarithms of the shares, the shares are the probabilities."""
    given = np.zeros((3, 3), np.float32) if from_logits else np.full((3, 3), 1 / 3, np.float32)
    y = labels_of(np.array([0, 1, 2]), form, 3)
    adjusted = adjusted_loss(THREE, from_logits=from_logits).call(tf.constant(y, tf.float32), tf.constant(given))
    np.testing.assert_allclose(adjusted, -np.log([0.8, 0.15, 0.05]), rtol=1e-6)
    twice = adjusted_loss(THREE, tau=2.0, from_logits=from_logits).call(tf.constant(y, tf.float32), tf.constant(given))
    squares = np.square([0.8, 0.15, 0.05])
    np.testing.assert_allclose(twice, -np.log(squares / squares.sum()), rtol=1e-6)


# -- beside Keras -----------------------------------------------------------------------------------


def outputs(classes: int, n: int = 64) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(classes)
    z = rng.normal(0, 3, (n, classes)).astype(np.float32)
    p = keras.ops.convert_to_numpy(tf.nn.softmax(z))
    return z, p, rng.integers(0, classes, n)


@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("form", LABEL_FORMS)
@pytest.mark.parametrize("metadata", [TWO, THREE], ids=["two", "three"])
def test_without_adjustment_it_is_plain_cross_entropy(metadata, form, from_logits):
    classes = len(metadata.class_names)
    z, p, y = outputs(classes)
    given = z if from_logits else p
    theirs = K.CategoricalCrossentropy(from_logits=from_logits, reduction=None)(np.eye(classes)[y], given)
    loss = adjusted_loss(metadata, tau=0.0, from_logits=from_logits)
    ours = loss.call(tf.constant(labels_of(y, form, classes), tf.float32), tf.constant(given))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("from_logits", [False, True])
def test_of_one_unit_too(from_logits):
    z, _, y = outputs(2)
    given = z[:, :1] if from_logits else 1 / (1 + np.exp(-z[:, :1]))
    theirs = K.BinaryCrossentropy(from_logits=from_logits, reduction=None)(y[:, None], given)
    ours = adjusted_loss(TWO, tau=0.0, from_logits=from_logits).call(tf.constant(y, tf.float32), tf.constant(given))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0, 5.0])
@pytest.mark.parametrize("from_logits", [False, True])
def test_focal_losses_are_those_of_keras(from_logits, gamma):
    z, p, y = outputs(3)
    alpha = [0.044776, 0.238806, 0.716418]  # 1 / share, summing to 1
    theirs = K.CategoricalFocalCrossentropy(alpha, gamma, from_logits=from_logits, reduction=None)
    loss = adjusted_loss(THREE, "focal", gamma=gamma, from_logits=from_logits)
    assert loss.alpha == pytest.approx(alpha, abs=1e-6)
    ours = loss.call(tf.constant(y, tf.float32), tf.constant(z if from_logits else p))
    np.testing.assert_allclose(ours, theirs(np.eye(3)[y], z if from_logits else p), rtol=1e-4, atol=1e-6)
    one = z[:, :1] if from_logits else 1 / (1 + np.exp(-z[:, :1]))
    theirs = K.BinaryFocalCrossentropy(True, 0.75, gamma, from_logits=from_logits, reduction=None)
    y = y.clip(0, 1)
    ours = adjusted_loss(TWO, "focal", gamma=gamma, from_logits=from_logits).call(tf.constant(y, tf.float32), one)
    np.testing.assert_allclose(ours, theirs(y[:, None].astype(np.float32), one), rtol=1e-4, atol=1e-6)


# -- far from 0 -------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", [{}, {"tau": 3.0}, *({"method": "focal", "gamma": g} for g in (0.0, 0.5, 1.0, 2.0))])
@pytest.mark.parametrize("units", [1, 2, 3])
def test_slopes_are_finite_and_rows_that_are_wrong_have_one(units, loss):
    """Of Keras' focal losses, the binary one has NaN here, the categorical one 0 for rows that are wrong."""
    metadata = THREE if units == 3 else TWO
    far = np.array([-1e4, -100, -20, 20, 100, 1e4], np.float32)
    z = tf.Variable(np.pad(far[:, None], ((0, 0), (units - 1, 0))))
    made = adjusted_loss(metadata, from_logits=True, **loss)
    with tf.GradientTape() as tape:
        each = made.call(tf.fill((len(far),), units - 1.0 if units > 1 else 1.0), tf.convert_to_tensor(z))
    slope = tape.gradient(each, z).numpy()
    assert np.isfinite(each).all()
    assert np.isfinite(slope).all()
    assert (slope[:2, -1] < -0.5).all()  # far to the wrong side: alpha of the last class is above 0.7
    assert abs(slope[-2:]).max() < 1e-5


def last(units: int, activation: str | None) -> keras.Model:
    """Of one feature, without weights to learn but a factor of 1."""
    out = keras.layers.Dense(units, activation=activation, use_bias=False, kernel_initializer="ones")
    return keras.Sequential([keras.Input((1,)), out])


def test_a_network_that_is_certain_and_wrong_still_learns_behind_its_activation():
    """The logits are taken from behind the activation, as Keras does: its output, 0, has no slope."""
    model = last(1, "sigmoid")
    model.compile(keras.optimizers.SGD(1.0), adjusted_loss(TWO, tau=0.0))
    model.fit(np.full((4, 1), -50.0), np.ones(4), verbose=0)
    assert model.get_weights()[0][0, 0] == pytest.approx(1 - 50.0, rel=1e-4)


@pytest.mark.parametrize("end", [(1, "sigmoid"), (1, None), (2, "softmax"), (2, None)])
@pytest.mark.parametrize("form", LABEL_FORMS)
def test_networks_of_every_end_learn_the_same(end, form):
    units, activation = end
    x = np.array([[-1.0], [0.5], [1.0], [2.0]], np.float32)
    y = labels_of(np.array([0, 1, 0, 1]), form, 2)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(units, activation, kernel_initializer="zeros")])
    model.compile(keras.optimizers.SGD(0.5), adjusted_loss(TWO, from_logits=activation is None))
    model.fit(x, y, batch_size=4, epochs=1, verbose=0)
    kernel, bias = model.get_weights()
    # Of equal logits, class 1 has probability 0.25: the slope of class 1's logit is 0.25 - y, times x for the kernel.
    slope = np.array([np.mean([0.25, -0.75, 0.25, -0.75] * x[:, 0]), -0.25])
    ends = np.array([kernel[0, -1], bias[-1]])
    np.testing.assert_allclose(ends, -0.5 * slope, rtol=1e-5)
    if units == 2:
        np.testing.assert_allclose([kernel[0, 0], bias[0]], 0.5 * slope, rtol=1e-5)


# -- saved ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["logit_adjustment", "focal"])
def test_a_compiled_model_is_saved_with_it(method, tmp_path):
    x, y = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32), np.arange(30) % 3
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    model.compile("adam", adjusted_loss(THREE, method, from_logits=True))
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.loss, AdjustedLoss)
    assert loaded.loss.get_config() == model.loss.get_config()
    assert loaded.evaluate(x, y, verbose=0) == pytest.approx(model.evaluate(x, y, verbose=0), rel=1e-6)
    loaded.fit(x, y, verbose=0)


def test_name_and_reduction_are_kept():
    loss = AdjustedLoss((0.0, 1.0), (0.5, 2.0), 1.5, True, name="mine", reduction="sum")
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert again.get_config() == loss.get_config()
    assert (again.adjustment, again.alpha, again.gamma, again.from_logits) == ((0.0, 1.0), (0.5, 2.0), 1.5, True)
    assert (again.name, again.reduction) == ("mine", "sum")


# -- what it does to probabilities ------------------------------------------------------------------


def test_what_undoes_it():
    adjusted = adjusted_loss(THREE, tau=0.5).logit_correction
    np.testing.assert_allclose(adjusted, 0.5 * np.log([0.8, 0.15, 0.05]))
    focal = adjusted_loss(THREE, "focal").logit_correction
    np.testing.assert_allclose(np.subtract(focal, focal[0]), np.log(np.divide([0.8, 0.15, 0.05], 0.8)), atol=1e-9)
    assert AdjustedLoss((0.25, 0.5)).logit_correction == (0.25, 0.5)


@pytest.mark.parametrize("settings", [{}, {"method": "focal"}])
def test_equal_shares_need_no_adjustment(settings):
    assert np.ptp(adjusted_loss(known(0.25, 0.25, 0.25, 0.25), **settings).logit_correction) == 0


# -- refused ------------------------------------------------------------------------------------------

SETTINGS: dict[str, tuple[dict[str, Any], str]] = {
    "unknown method": ({"method": "menon"}, "method='menon': choose from 'logit_adjustment', 'focal'"),
    "no method": ({"method": None}, "method=None: choose"),
    "negative tau": ({"tau": -1.0}, "tau=-1.0: give a finite number, 0 or more, such as 1.0"),
    "NaN": ({"tau": np.nan}, "tau=nan: give"),
    "infinite": ({"tau": np.inf}, "tau=inf: give"),
    "no number": ({"tau": "1"}, "tau='1': give"),
    "true": ({"tau": True}, "tau=True: give"),
    "negative gamma": ({"method": "focal", "gamma": -2}, "gamma=-2: give a finite number, 0 or more, such as 2.0"),
    "tau of focal": ({"method": "focal", "tau": 0.5}, "tau is for method 'logit_adjustment', not for 'focal'"),
    "gamma of the other": ({"gamma": 1.0}, "gamma is for method 'focal', not for 'logit_adjustment'"),
}


@pytest.mark.parametrize("case", SETTINGS)
def test_settings_that_are_none_are_refused(case):
    settings, message = SETTINGS[case]
    with pytest.raises(pk.PrepkitError, match=message):
        adjusted_loss(TWO, **settings)


def test_a_class_without_rows_is_refused():
    with pytest.raises(pk.PrepkitError, match="class 'class 1' has no training rows"):
        adjusted_loss(known(0.5, 0.0, 0.5))


def test_several_classes_a_row_are_refused():
    with pytest.raises(pk.PrepkitError, match="one class a row, not for labels='multi_hot'"):
        adjusted_loss(known(0.5, 0.5, labels="multi_hot"))
    with pytest.raises(pk.PrepkitError, match=r"labels have shape \(5, 4\).*several classes a row are not supported"):
        adjusted_loss(THREE)(np.zeros((5, 4)), np.full((5, 3), 1 / 3))


@pytest.mark.parametrize("shape", [(5, 1), (5, 4), (5,), (5, 3, 3)])
def test_outputs_of_another_width_are_refused(shape):
    with pytest.raises(
        pk.PrepkitError, match=r"the model gives \(5.*, but there are 3 classes: end it with Dense\(3, "
    ):
        adjusted_loss(THREE)(np.zeros(5), np.full(shape, 0.5))


def test_the_same_when_fitting():
    model = keras.Sequential([keras.layers.Dense(3, activation="softmax")])
    model.compile("adam", adjusted_loss(TWO))
    with pytest.raises(
        pk.PrepkitError, match=r"the model gives \(None, 3\), but there are 2 classes: .* or Dense\(1, "
    ):
        model.fit(np.zeros((4, 2)), np.zeros(4), verbose=0)


@pytest.mark.parametrize("units, activation", [(1, "sigmoid"), (2, "softmax")])
def test_logits_behind_an_activation_are_refused(units, activation):
    model = keras.Sequential([keras.layers.Dense(units, activation=activation)])
    model.compile("adam", adjusted_loss(TWO, from_logits=True))
    with pytest.raises(pk.PrepkitError, match="from_logits=True, but the model ends with an activation"):
        model.fit(np.zeros((4, 2)), np.zeros(4), verbose=0)


def test_a_number_that_is_no_class_is_not_passed_over():
    p = np.full((3, 3), 1 / 3, np.float32)
    for wrong in (3, -1):
        assert np.isnan(adjusted_loss(THREE)(np.array([0, 1, wrong]), p))
