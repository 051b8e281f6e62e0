"""A user's own network: judges rows that it has not seen, says what is wrong with it, and changes nothing else."""

from __future__ import annotations

import random
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from prepkit.cleaning.network import Network
from prepkit.errors import PrepkitError

layers = keras.layers
SPARSE, BINARY = "sparse_categorical_crossentropy", "binary_crossentropy"


def rows(classes=2, n=150, apart=4.0, seed=0):
    """Blobs: features (n, 4) and class numbers."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % classes).astype(np.int32)
    x = rng.normal(size=(n, 4)).astype(np.float32)
    x[np.arange(n), y] += apart
    return x, y


def dense(*sizes, last="softmax", loss=SPARSE, optimizer=None, **compiled):
    """A function that builds a network."""

    def build():
        hidden = [layers.Dense(size, "relu") for size in sizes[:-1]]
        model = keras.Sequential([*hidden, layers.Dense(sizes[-1], last)])
        model.compile(optimizer() if optimizer else keras.optimizers.Adam(0.05), loss, **compiled)
        return model

    return build


def network(build, x, y, classes=2, metadata=None, **settings):
    settings = {"epochs": 8, "batch_size": 16, **settings}
    return Network(build, metadata, lambda batch: batch["x"], {"x": x}, y, classes, **settings)


def halves(y):
    return np.arange(len(y) // 2), np.arange(len(y) // 2, len(y))


def judged(build, x, y, classes=2, **settings):
    """The second half by the first."""
    train, held_out = halves(y)
    return network(build, x, y, classes, **settings)(train, held_out, "fold 1 of 2")


def refused(build, classes=2, **settings):
    x, y = rows(classes, 60)
    with pytest.raises(PrepkitError) as error:
        judged(build, x, y, classes, epochs=1, **settings)
    return str(error.value)


WAYS = {
    "softmax": (3, dense(8, 3), "int"),
    "logits": (3, dense(8, 3, last=None, loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True)), "int"),
    "logits for a loss of one's own": (
        3,
        dense(3, last=None, loss=lambda y, z: keras.losses.sparse_categorical_crossentropy(y, z, from_logits=True)),
        "int",
    ),
    "one-hot": (3, dense(8, 3, loss="categorical_crossentropy", metrics=["accuracy"]), "one_hot"),
    "a sigmoid for each class": (3, dense(8, 3, last="sigmoid", loss=BINARY), "one_hot"),
    "sigmoid": (2, dense(8, 1, last="sigmoid", loss=BINARY), "int"),
    "logit": (2, dense(1, last=None, loss=keras.losses.BinaryCrossentropy(from_logits=True)), "int"),
    "softmax of two": (2, dense(2), "int"),
}


@pytest.mark.parametrize("way", WAYS)
def test_rows_are_judged_out_of_sample_by_whatever_outputs_a_network_has(way):
    classes, build, form = WAYS[way]
    x, y = rows(classes)
    out = judged(build, x, y, classes, form=form)
    assert out.dtype == np.float32 and out.shape == (75, classes)
    assert out.min() >= 0
    np.testing.assert_allclose(out.sum(1), 1, atol=1e-5)
    assert (out.argmax(1) == y[75:]).mean() > 0.9
    assert way != "logit" or out.min() > 0
    assert np.median(out[np.arange(75), y[75:]]) > 0.7  # and is sure, as after two softmaxes it is not


def test_a_network_that_learns_by_heart_does_not_know_held_out_labels():
    x, _ = rows(2, 200, apart=0)
    y = np.random.default_rng(1).integers(0, 2, 200).astype(np.int32)
    by_heart = dense(64, 2, optimizer=lambda: keras.optimizers.Adam(0.1))
    train, held_out = halves(y)
    out = network(by_heart, x, y, epochs=25)(train, held_out, "fold 1 of 2")
    assert 0.35 < np.mean(out.argmax(1) == y[held_out]) < 0.65  # 0.5 within three standard errors
    # Held-out labels can be anything, to the last bit.
    other = np.where(np.isin(np.arange(200), held_out), 1 - y, y).astype(np.int32)
    np.testing.assert_array_equal(network(by_heart, x, other, epochs=25)(train, held_out, "fold 1 of 2"), out)


def test_the_same_seed_gives_the_same_and_nothing_else_that_is_random_changes():
    def build():
        model = keras.Sequential([layers.Dense(8, "relu"), layers.Dropout(0.5), layers.Dense(2, "softmax")])
        model.compile("adam", SPARSE)
        return model

    x, y = rows()
    states = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    first = judged(build, x, y, epochs=2, seed=3)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == states  # noqa: NPY002
    random.random(), tf.random.uniform([1]), keras.random.uniform([1])
    np.testing.assert_array_equal(judged(build, x, y, epochs=2, seed=3), first)
    assert np.abs(judged(build, x, y, epochs=2, seed=4) - first).max() > 1e-3


def test_training_stops_by_some_of_the_training_rows_and_the_best_weights_are_taken(monkeypatch):
    x, y = rows(2, 200, apart=1)
    seen = {}
    fit = keras.Model.fit

    def watched(self, dataset, **settings):
        seen["learn"] = sum(len(batch[1]) for batch in dataset)
        seen["stop"] = np.concatenate([batch[1] for batch in settings["validation_data"].as_numpy_iterator()])
        history = fit(self, dataset, **settings)
        seen["loss"] = history.history["val_loss"]
        seen["kept"] = self.evaluate(settings["validation_data"], verbose=0)
        return history

    monkeypatch.setattr(keras.Model, "fit", watched)
    judged(dense(64, 64, 2, optimizer=lambda: keras.optimizers.Adam(0.05)), x, y, epochs=60)
    assert seen["learn"] == 90
    assert sorted(np.bincount(seen["stop"]).tolist()) == [5, 5]
    assert len(seen["loss"]) < 60
    assert seen["kept"] == pytest.approx(min(seen["loss"]), rel=1e-4)


def test_of_each_class_some_rows_are_set_aside_unless_they_are_few():
    y = np.repeat([0, 1, 2], [100, 7, 4]).astype(np.int32)
    net = network(dense(3), np.zeros((111, 4), np.float32), y, 3)
    learn, stop = net._parted(np.arange(111))
    assert np.bincount(y[stop], minlength=3).tolist() == [10, 1, 0]
    assert sorted([*learn, *stop]) == list(range(111))
    learn, stop = net._parted(np.arange(80))
    assert (len(learn), len(stop)) == (80, 0)


def test_few_rows_are_trained_on_without_stopping():
    x, y = rows(n=60)
    out = judged(dense(2), x, y, epochs=12)
    assert (out.argmax(1) == y[30:]).mean() > 0.8


def test_it_may_take_the_metadata():
    x, y = rows(3)
    told = []

    def build(metadata, units=8, *, loss=SPARSE):
        told.append((metadata, units, loss))
        return dense(units, metadata["classes"], loss=loss)()

    assert judged(build, x, y, 3, metadata={"classes": 3}, epochs=1).shape == (75, 3)
    assert told == [({"classes": 3}, 8, SPARSE)]


def test_a_dict_of_features_goes_to_a_functional_model():
    x, y = rows()

    def build():
        size, word = keras.Input((3,), name="size"), keras.Input((), dtype="int32", name="word")
        both = layers.Concatenate()([size, layers.Embedding(4, 2)(word)])
        model = keras.Model({"size": size, "word": word}, layers.Dense(1, "sigmoid")(both))
        model.compile(keras.optimizers.Adam(0.1), BINARY)
        return model

    def features(batch):
        return {"size": batch["x"][:, :3], "word": tf.cast(batch["x"][:, 3] > 0, tf.int32)}

    net = Network(build, None, features, {"x": x}, y, 2, epochs=10, batch_size=16)
    train, held_out = halves(y)
    assert (net(train, held_out, "fold 1 of 2").argmax(1) == y[held_out]).mean() > 0.9


def test_rows_of_weight_0_count_for_nothing():
    x, y = rows(n=240)
    wrong = np.arange(240) % 3 > 0  # two in three
    noisy = np.where(wrong, 1 - y, y).astype(np.int32)
    weights = np.where(wrong, 0, 1).astype(np.float64)
    by_metric = dense(2, metrics=["accuracy"])
    with_them = judged(by_metric, x, noisy, weights=weights).argmax(1) == y[120:]
    without = judged(by_metric, x, noisy).argmax(1) == y[120:]
    assert with_them.mean() > 0.9 and without.mean() < 0.3


def test_a_network_that_diverges_gives_nothing(capfd):
    x, y = rows()
    diverging = dense(8, 2, last=None, loss="mse", optimizer=lambda: keras.optimizers.SGD(1e30))
    assert judged(diverging, x * 1e6, y, form="one_hot") is None
    assert capfd.readouterr().out == ""


def test_features_that_are_nan_give_nothing():
    x, y = rows()
    x[::9, 0] = np.nan
    assert judged(dense(2), x, y, epochs=1) is None


@pytest.mark.parametrize(
    "build, message",
    [
        (lambda: None, "model returned a NoneType: let it return a compiled keras.Model."),
        (lambda: "adam", "model returned a str: let it return a compiled keras.Model."),
        (lambda: keras.Sequential([layers.Dense(2)]), "returned a model that is not compiled: call compile"),
        (lambda a, b: 0, "cannot be built for fold 1 of 2: TypeError: "),
        (dense(-1), "cannot be built for fold 1 of 2: ValueError: Received an invalid value for `units`"),
        (dense(3), "the model gives float32 (30, 3) for 2 classes: end it with 2 units with a softmax or one with"),
        (
            dense(2, last=None),
            "but its loss takes them for probabilities: end it with 2 units with a softmax or one with a sigmoid, or "
            "give the loss from_logits=True.",
        ),
        (
            dense(2, loss="categorical_crossentropy"),
            "cannot be trained on fold 1 of 2: ValueError: Arguments `target` and `output` must have the same rank "
            "(ndim). Received: target.shape=(None,), output.shape=(None, 2): make sure that it takes float32 (None, 4) "
            "and labels as int",
        ),
    ],
)
def test_what_is_wrong_is_said(build, message):
    told = refused(build, batch_size=32)
    assert told.startswith("CleanLabels: ") and message in told


def test_one_unit_is_too_few_for_three_classes():
    assert "gives float32 (30, 1) for 3 classes: end it with 3 units with a softmax." in refused(
        dense(1, last="sigmoid", loss=BINARY), 3, batch_size=32
    )


def test_several_outputs_are_no_classes():
    def build():
        entry = keras.Input((4,))
        model = keras.Model(entry, [layers.Dense(2, "softmax")(entry), layers.Dense(2, "softmax")(entry)])
        model.compile("adam", [SPARSE, SPARSE])
        return model

    assert "the model gives 2 outputs for 2 classes" in refused(build)


def test_an_input_of_another_width_is_said_with_what_there_is():
    def build():
        model = keras.Sequential([keras.Input((7,)), layers.Dense(2, "softmax")])
        model.compile("adam", SPARSE)
        return model

    told = refused(build)
    assert "on fold 1 of 2: ValueError: Input 0" in told and "expected axis -1 of input shape to have value 7" in told
    assert "make sure that it takes float32 (None, 4) and labels as int" in told
    assert "\x1b" not in told and "\n" not in told


def test_many_folds_log_nothing(caplog, monkeypatch):
    monkeypatch.setattr(tf.get_logger(), "propagate", True)  # so that caplog sees it
    x, y = rows(n=60)
    net = network(dense(2), x, y, epochs=1, batch_size=32)
    for k in range(8):
        fold = np.arange(60) % 8 == k
        net(np.flatnonzero(~fold), np.flatnonzero(fold), f"fold {k + 1} of 8")
    assert caplog.messages == []
    tf.get_logger().warning("triggered tf.function retracing")
    assert len(caplog.messages) == 1  # of the user's own functions it is told


def folds_of(build):
    x, y = rows(n=60)
    net = network(build, x, y, epochs=1)
    train, held_out = halves(y)
    assert net(train, held_out, "fold 1 of 2") is not None
    return net(held_out, train, "fold 2 of 2")


def test_the_same_model_again_is_refused_for_it_knows_the_held_out_rows():
    only = dense(2)()
    with pytest.raises(PrepkitError, match="returned the same model for fold 2 of 2 as for an earlier fold, and weig"):
        folds_of(lambda: only)


def around(shared):
    model = keras.Sequential([shared, layers.Dense(2, "softmax")])
    model.compile("adam", SPARSE)
    return model


def test_so_is_a_new_model_around_the_same_trained_layer():
    shared = layers.Dense(3, name="shared")
    with pytest.raises(PrepkitError, match=r"a model that trains the same '[\w/]*shared/kernel' for fold 2 of 2"):
        folds_of(lambda: around(shared))


def test_a_layer_that_is_not_trained_may_be_shared():
    shared = layers.Dense(3, trainable=False)
    assert folds_of(lambda: around(shared)).shape == (30, 2)


@pytest.mark.parametrize(
    "classes, last, loss",
    [(3, "softmax", keras.losses.SparseCategoricalCrossentropy), (2, "sigmoid", keras.losses.BinaryCrossentropy)],
)
def test_probabilities_whose_loss_expects_logits_are_taken_as_they_are(classes, last, loss):
    x, y = rows(classes)
    units = classes if last == "softmax" else 1
    with warnings.catch_warnings():  # Keras warns of it
        warnings.simplefilter("ignore")
        out = judged(dense(units, last=last, loss=loss(from_logits=True)), x, y, classes)
    assert out.max() > 0.9
