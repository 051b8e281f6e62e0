"""Networks for runs: plain ones, those of a user, and graphs that runs share without a trace of each other."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

import prepkit as pk
from prepkit.ablation.network import Models, default_model
from prepkit.errors import PrepkitError
from prepkit.users_model import apart

layers = keras.layers
SPARSE = "sparse_categorical_crossentropy"


def prepared(shape=(4,), classes=3, n=60, seed=0, **settings):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % classes)
    x = rng.normal(size=(n, *shape)).astype(np.float32)
    x[:, ..., 0] += y.reshape(n, *[1] * (len(shape) - 1))
    output = "dense" if len(shape) == 1 else "dict"
    return pk.Pipeline([], output=output, **settings).prepare((x, y), batch_size=16, seed=seed)


def first(data):
    x, y, *w = next(iter(data.dataset))
    return x, y, w[0] if w else None


def sequential(*hidden, units=3, last="softmax", loss=SPARSE, optimizer="adam"):
    def build():
        model = keras.Sequential([*(part() for part in hidden), layers.Dense(units, last)])
        model.compile(optimizer() if callable(optimizer) else optimizer, loss)
        return model

    return build


def functional():
    given = keras.Input((4,))
    left, right = layers.Dense(5, "relu")(given), layers.Dense(5, "tanh")(given)
    out = layers.Dense(3, "softmax")(layers.Concatenate()([left, right]))
    model = keras.Model(given, out)
    model.compile("adam", SPARSE)
    return model


def decaying():
    return keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.5, 3, 0.5), momentum=0.9)


def fitted(model, data, epochs=2):
    history = model.fit(
        data.dataset, epochs=epochs, class_weight=data.metadata.class_weight, shuffle=False, verbose=0
    ).history["loss"]
    return history, [v.numpy() for v in model.variables if "seed_generator" not in v.path]


MIXED = (
    lambda: layers.BatchNormalization(),
    lambda: layers.Dense(8, "relu"),
    lambda: layers.Dropout(0.5),
)
KINDS = {"statistics, random layers and a schedule": sequential(*MIXED, optimizer=decaying), "functional": functional}


@pytest.mark.parametrize("build", KINDS.values(), ids=KINDS)
def test_training_a_kept_model_is_training_the_fresh_one_bit_by_bit(build):
    models = Models(build)
    kept = []
    for seed in (1, 2):
        with apart(seed):
            data = prepared(seed=seed)
            one = models(data.metadata, first(data), "a run")
            ours = fitted(one.model, prepared(seed=seed))
        with apart(seed):
            plain = build()
            plain(first(data)[0])
            theirs = fitted(plain, prepared(seed=seed))
        assert ours[0] == theirs[0]
        for a, b in zip(ours[1], theirs[1], strict=True):
            np.testing.assert_array_equal(a, b)
        kept.append(one)
    assert kept[0] is kept[1]


def test_a_second_run_traces_nothing():
    models, data, calls = Models(), prepared(seed=1), []
    one = models(data.metadata, first(data), "a run")
    inside = one.model.layers[1]
    call = inside.call

    def counted(*args, **settings):
        calls.append(1)
        return call(*args, **settings)

    object.__setattr__(inside, "call", counted)
    for seed in (1, 2):
        data = prepared(seed=seed)
        assert models(data.metadata, first(data), "another run") is one
        fitted(one.model, data)
        one.outputs(first(data)[0])
    assert calls == [1]  # of the predictions, once


class Own(keras.Sequential):
    pass


@keras.saving.register_keras_serializable("tests")
class OwnLayer(layers.Dense):
    pass


def closing_over(factor):
    def loss(y, p):
        return factor * keras.losses.sparse_categorical_crossentropy(y, p)

    return loss


def own_model():
    model = Own([layers.Dense(3, "softmax")])
    model.compile("adam", SPARSE)
    return model


numbers = itertools.count(1)
NOT_SHARED = {
    "a class of one's own": own_model,
    "a layer of one's own": sequential(lambda: OwnLayer(4)),
    "a loss of one's own": lambda: sequential(loss=closing_over(next(numbers)))(),
    "an activation of one's own": sequential(lambda: layers.Dense(4, lambda x: x * 2)),
    "what was adapted": sequential(lambda: layers.Normalization(mean=np.zeros(4), variance=np.ones(4))),
    "another width": sequential(lambda: layers.Dense(next(numbers))),
    "another rate": sequential(optimizer=lambda: keras.optimizers.SGD(0.1 / next(numbers))),
}


@pytest.mark.parametrize("build", NOT_SHARED.values(), ids=NOT_SHARED)
def test_models_that_may_differ_are_trained_themselves(build):
    models = Models(build)
    data = prepared()
    one, other = (models(data.metadata, first(data), "a run") for _ in range(2))
    assert one is not other and one.model is not other.model


def test_initial_weights_and_names_are_no_difference():
    bias = itertools.count()

    def build():
        model = keras.Sequential(
            [layers.Dense(3, "softmax", bias_initializer=keras.initializers.Constant(float(next(bias))))]
        )
        model.compile("adam", SPARSE)
        return model

    models = Models(build)
    data = prepared()
    assert [models(data.metadata, first(data), "a run").model.get_weights()[1][0] for _ in range(2)] == [0, 1]
    assert len(models._kept) == 1


def test_the_plain_network_is_as_advised():
    metadata = prepared().metadata
    table = default_model(metadata, (4,))
    assert [tuple(w.shape) for w in table.get_weights()] == [(4, 128), (128,), (128, 128), (128,), (128, 3), (3,)]
    assert table.loss == SPARSE and not table.get_weights()[-1].any()
    kinds = {shape: default_model(metadata, shape) for shape in [(8, 8), (28, 28, 3), (3, 3, 1), (20, 4)]}
    convolutions = {s: sum(isinstance(x, layers.Conv2D) for x in m.layers) for s, m in kinds.items()}
    assert convolutions == {(8, 8): 2, (28, 28, 3): 2, (3, 3, 1): 2, (20, 4): 0}
    for shape, model in kinds.items():
        assert model(np.zeros((2, *shape), np.float32)).shape == (2, 3)
    binary = default_model(prepared(classes=2).metadata, (4,))
    assert binary.output_shape == (None, 1) and binary.loss == "binary_crossentropy"


def test_an_image_alone_in_a_dict_is_taken_by_its_name():
    data = prepared((8, 8))
    one = Models()(data.metadata, first(data), "a run")
    assert fitted(one.model, data)[0][0] > 0
    x = first(data)[0]
    assert isinstance(x, dict) and one.outputs(x).shape == (16, 3)
    with pytest.raises(PrepkitError, match="one tensor, not 2 columns, 'a', 'b'.*model="):
        default_model(data.metadata, {"a": (), "b": ()})


def test_outputs_come_in_batches_and_in_order():
    data = prepared()
    one = Models()(data.metadata, first(data), "a run")
    x = tf.random.stateless_normal((20, 4), (1, 2))
    whole = one.outputs(x).numpy()
    one._batch = 7
    np.testing.assert_allclose(one.outputs(x).numpy(), whole, rtol=1e-5)
    np.testing.assert_allclose(one.model(x).numpy(), whole, rtol=1e-5)


def test_probabilities_are_of_logits_too_and_corrected_for_the_prior():
    data = prepared(classes=2)
    build = sequential(units=1, last=None, loss=keras.losses.BinaryCrossentropy(from_logits=True))
    one = Models(build)(data.metadata, first(data), "a run")
    x = first(data)[0]
    logit = one.model(x).numpy().astype(np.float64)[:, 0]
    p, said = one.probabilities(x, 2, (0.0, -2.0))
    np.testing.assert_allclose(said[:, 1], 1 / (1 + np.exp(-logit)), rtol=1e-5)
    np.testing.assert_allclose(p[:, 1], 1 / (1 + np.exp(2 - logit)), rtol=1e-5)
    np.testing.assert_allclose(p.sum(1), 1)


def uncompiled():
    return keras.Sequential([layers.Dense(3, "softmax")])


REFUSED = {
    "returned a model that is not compiled": uncompiled,
    "returned a str: let it return a compiled keras.Model": lambda: "model",
    r"gives float32 \(16, 4\) for 3 classes: end it with 3 units": sequential(units=4),
    "loss mean_squared_error is one of numbers": sequential(last=None, loss="mse"),
    "loss MeanAbsoluteError is one of numbers": sequential(last=None, loss=keras.losses.MeanAbsoluteError()),
    "takes them for probabilities: end it with 3 units with a softmax": sequential(last=None, loss=SPARSE),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_cannot_be_a_classifier_is_refused(message):
    data = prepared()
    with pytest.raises(PrepkitError, match=message):
        Models(REFUSED[message])(data.metadata, first(data), "variant 'raw', seed 0")


@pytest.mark.parametrize("build", [functional(), "mymodule:build"], ids=["a model", "a name"])
def test_no_function_is_refused(build):
    with pytest.raises(PrepkitError, match="model is a (Functional|str): give a function that returns a new compiled"):
        Models(build)


def test_the_same_model_or_layer_twice_is_refused():
    data = prepared()
    model = functional()
    models = Models(lambda: model)
    models(data.metadata, first(data), "variant 'raw', seed 0")
    with pytest.raises(PrepkitError, match="the same model for variant 'recipe', seed 0"):
        models(data.metadata, first(data), "variant 'recipe', seed 0")
    shared = layers.Dense(4)
    models = Models(sequential(lambda: shared))
    models(data.metadata, first(data), "one")
    with pytest.raises(PrepkitError, match="trains the same '.*kernel'"):
        models(data.metadata, first(data), "two")
    shared.trainable = False
    models(data.metadata, first(data), "three")


def test_a_function_may_take_the_metadata():
    data = prepared()

    def build(metadata):
        return sequential(units=metadata.advice.units)()

    assert Models(build)(data.metadata, first(data), "a run").model.output_shape == (None, 3)
