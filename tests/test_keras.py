"""A model on raw columns: in this process, in one that has prepkit, and in one that has TensorFlow alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import prepkit as pk
from prepkit.balance.prior import correction, shares
from prepkit.keras import Served, raw_signature, serving_names
from prepkit.losses import AdjustedLoss
from prepkit.parity import differences
from prepkit.spec import Column, Label, Spec

N = 200
EXACT = 1e-6


def frame(classes: int = 3) -> pd.DataFrame:
    """Columns of every type, with names that TensorFlow and Python have other plans for."""
    rng = np.random.default_rng(0)
    out = pd.DataFrame(
        {
            "hours per week": rng.integers(1, 80, N),
            "pay/month": rng.lognormal(7, 2, N),
            "größe": rng.normal(170, 10, N).astype(np.float32),
            "class": rng.random(N) < 0.3,
            "職業": rng.choice(["cook", "smith", "Bäcker", "先生"], N),
            "1st": rng.choice(["x", "y"], N),
            "at": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 10**7, N), unit="s"),
            "a b": rng.integers(0, 5, N).astype(np.uint8),
            "a_b": rng.normal(size=N),
            "inputs": rng.normal(size=N),
            "y": rng.integers(0, classes, N),
        }
    )
    out.loc[:20, ["pay/month", "職業", "at"]] = None
    return out


RECIPE = pk.Pipeline([pk.Datetime(), pk.Impute(indicator=True), pk.Clip(iqr=1.5), pk.Rescale(), pk.OneHot()])


def network(units: int, activation: str | None, loss: Any) -> keras.Model:
    keras.utils.set_random_seed(1)
    last = keras.layers.Dense(units, activation=activation)
    model = keras.Sequential([keras.layers.Dense(8, activation="relu"), last])
    model.compile("adam", loss)
    return model


@pytest.fixture(scope="module")
def trained() -> tuple[pk.FittedPipeline, keras.Model]:
    prepared = RECIPE.prepare(frame(), "y", batch_size=32)
    model = network(3, "softmax", "sparse_categorical_crossentropy")
    model.fit(prepared.dataset, verbose=0, shuffle=False)
    return prepared.pipeline, model


@pytest.fixture(scope="module")
def served(trained) -> Served:
    fitted, model = trained
    return fitted.attach(model)


def expected(trained: tuple[pk.FittedPipeline, keras.Model], data: Any) -> np.ndarray:
    fitted, model = trained
    batches = fitted.transform(data)
    return np.concatenate([model(b[0] if isinstance(b, tuple) else b) for b in batches])


def tensors(data: pd.DataFrame) -> dict[str, tf.Tensor]:
    """As a user would make them: strings "" where missing, times as seconds."""
    out = {}
    for name in data.columns.drop("y", errors="ignore"):
        values = data[name]
        if values.dtype.kind == "M":
            seconds = (values - pd.Timestamp("1970-01-01")).dt.total_seconds()
            out[name] = tf.constant(seconds.to_numpy(), tf.float64)
        elif values.dtype.kind in "biuf":
            out[name] = tf.constant(values.to_numpy())
        else:
            out[name] = tf.constant(values.fillna("").to_numpy(object))
    return out


def generated(data: pd.DataFrame) -> tf.data.Dataset:
    features = tensors(data)
    signature = {name: tf.TensorSpec((None,), t.dtype) for name, t in features.items()}
    return tf.data.Dataset.from_generator(lambda: iter([features]), output_signature=signature)


INPUTS: dict[str, Callable[[pd.DataFrame], Any]] = {
    "frame": lambda data: data,
    "frame without label": lambda data: data.drop(columns="y"),
    "columns in another order, and one more": lambda data: data[data.columns[::-1]].assign(more=1),
    "dict of arrays": lambda data: {n: data[n].to_numpy() for n in data if n != "y"},
    "dict of tensors": tensors,
    "dataset of batches": lambda data: tf.data.Dataset.from_tensor_slices(tensors(data)).batch(30),
    "dataset of rows": lambda data: tf.data.Dataset.from_tensor_slices(tensors(data)),
    "dataset with labels": lambda data: tf.data.Dataset.from_tensor_slices((tensors(data), data["y"])).batch(30),
    "dataset of a generator": generated,
}


@pytest.mark.parametrize("given", INPUTS)
def test_predict_takes_whatever_prepkit_reads(served, trained, given):
    data = frame()
    p = served.predict(INPUTS[given](data), verbose=0)
    assert p.shape == (N, 3)
    np.testing.assert_allclose(p, expected(trained, data), atol=EXACT)
    np.testing.assert_allclose(p.sum(1), 1, atol=1e-5)


@pytest.mark.parametrize("batch_size", [None, 7, 1000])
def test_batches_do_not_matter(served, trained, batch_size):
    p = served.predict(frame(), batch_size=batch_size, verbose=0)
    np.testing.assert_allclose(p, expected(trained, frame()), atol=EXACT)


def test_it_is_called_with_tensors(served, trained):
    np.testing.assert_allclose(served(tensors(frame())), expected(trained, frame()), atol=EXACT)
    one = frame().iloc[:1]
    np.testing.assert_allclose(served(tensors(one)), expected(trained, one), atol=EXACT)


def test_float64_stays_float64():
    """Keras makes float32 of what it is called with, unless it is told not to: seconds would be off by a minute."""
    at = 1.7e9 + np.arange(40.0)
    fitted = pk.Pipeline([pk.Rescale("minmax")]).fit({"at": at, "y": np.arange(40) % 2}, "y")
    model = keras.Sequential([keras.layers.Dense(1, kernel_initializer="ones")])
    served = fitted.attach(model)
    np.testing.assert_allclose(served({"at": tf.constant(at)})[:, 0], np.arange(40) / 39, atol=EXACT)
    np.testing.assert_allclose(served.predict({"at": at}, verbose=0)[:, 0], np.arange(40) / 39, atol=EXACT)
    x = np.stack([at, at], 1)
    fitted = pk.Pipeline([pk.Rescale("minmax")]).fit((x, np.arange(40) % 2))
    served = fitted.attach(keras.Sequential([keras.layers.Dense(1, kernel_initializer="ones")]))
    np.testing.assert_allclose(served(tf.constant(x))[:, 0], np.arange(40) / 19.5, atol=EXACT)


def changed(name: str, change: Callable[[pd.Series], Any]) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda data: data.assign(**{name: change(data[name])})


CHANGES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "missing cells in integers": changed("hours per week", lambda x: x.where(x.index > 5)),
    "missing cells in booleans": changed("class", lambda x: x.astype("boolean").where(x.index > 5)),
    "integers for floats": changed("a_b", lambda x: x.round().astype(int)),
    "floats for integers": changed("a b", lambda x: x + 0.25),
    "float32 for float64": changed("a_b", lambda x: x.astype(np.float32)),
    "numbers as strings": changed("a_b", lambda x: x.round(3).astype(str)),
    "unseen categories": changed("職業", lambda x: "pilot"),
    "infinite numbers": changed("a_b", lambda x: np.inf),
    "categorical": changed("職業", lambda x: x.astype("category")),
    "yes and no": changed("class", lambda x: x.map({True: "yes", False: "no"})),
}


@pytest.mark.parametrize("change", CHANGES)
def test_predict_reads_data_of_other_types_as_transform_does(served, trained, change):
    data = CHANGES[change](frame())
    theirs = expected(trained, data)
    assert np.isfinite(theirs).all()
    np.testing.assert_allclose(served.predict(data, verbose=0), theirs, atol=EXACT)


def test_trained_on_a_csv_predicts_on_a_frame_and_the_other_way_round(tmp_path):
    data = frame(2)[["pay/month", "class", "職業", "y"]]
    data.to_csv(tmp_path / "a.csv", index=False)
    for train, new in ((tmp_path / "a.csv", data), (data, tmp_path / "a.csv")):
        fitted = RECIPE.fit(train, "y")
        model = network(1, "sigmoid", "binary_crossentropy")
        served = fitted.attach(model)
        np.testing.assert_allclose(served.predict(new, verbose=0), expected((fitted, model), new), atol=EXACT)
        assert abs(expected((fitted, model), data) - expected((fitted, model), tmp_path / "a.csv")).max() < 1e-5


REFUSED = {
    "column missing": (lambda d: d.drop(columns="pay/month"), "the first of them 'pay/month'"),
    "numbers for strings": (lambda d: d.assign(職業=1.0), "'職業' is .*strings"),
    "an array": (lambda d: np.zeros((3, 10)), "10 columns"),
    "strings for times": (lambda d: d.assign(at="2024-01-01"), "'at' is strings"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_predict_refuses_what_transform_refuses(served, trained, case):
    change, message = REFUSED[case]
    with pytest.raises(pk.PrepkitError, match=f"^[^\n]*{message}"):
        served.predict(change(frame()), verbose=0)
    with pytest.raises(pk.PrepkitError, match=message):
        trained[0].transform(change(frame()))


# -- what the model gives -----------------------------------------------------------------------

FORMS: dict[str, tuple[int, int, str | None, Any]] = {
    "sigmoid": (2, 1, "sigmoid", "binary_crossentropy"),
    "one logit": (2, 1, None, keras.losses.BinaryCrossentropy(from_logits=True)),
    "softmax": (3, 3, "softmax", "sparse_categorical_crossentropy"),
    "softmax of two": (2, 2, "softmax", "sparse_categorical_crossentropy"),
    "logits": (3, 3, None, keras.losses.SparseCategoricalCrossentropy(from_logits=True)),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.filterwarnings("ignore:.*compile_metrics")
def test_probabilities_come_out_whatever_the_last_layer_gives(form, tmp_path):
    classes, units, activation, loss = FORMS[form]
    prepared = RECIPE.prepare(frame(classes), "y")
    model = network(units, activation, loss)
    model.fit(prepared.dataset, verbose=0, shuffle=False)
    served = prepared.pipeline.attach(model)
    p = served.predict(frame(classes), verbose=0)
    assert p.shape == (N, units)
    assert (p > 0).all() and (p < 1).all()
    if units > 1:
        np.testing.assert_allclose(p.sum(1), 1, atol=1e-5)
    raw = np.concatenate([model(x) for x, _ in prepared.pipeline.transform(frame(classes))])
    if activation is None:
        raw = 1 / (1 + np.exp(-raw)) if units == 1 else np.exp(raw) / np.exp(raw).sum(1, keepdims=True)
    np.testing.assert_allclose(p, raw, atol=EXACT)
    served.save(tmp_path / "served.keras")
    loaded = keras.models.load_model(tmp_path / "served.keras")
    np.testing.assert_allclose(loaded.predict(frame(classes), verbose=0), p, atol=EXACT)


def wrong_inputs() -> keras.Model:
    return keras.Sequential([keras.Input((5,)), keras.layers.Dense(3, activation="softmax")])


def takes_a_dict() -> keras.Model:
    parts = {name: keras.Input((1,), name=name) for name in ("a", "b")}
    return keras.Model(parts, keras.layers.Dense(3)(keras.layers.Concatenate()(list(parts.values()))))


NOT_TAKEN = r"the model does not take one row of this pipeline's features, \(1, 23\): "
MISFITS: dict[str, tuple[Callable[[], Any], str]] = {
    "other features": (wrong_inputs, NOT_TAKEN),
    "columns": (takes_a_dict, NOT_TAKEN),
    "one unit": (lambda: network(1, "sigmoid", None), r"the model gives \(1, 1\) .* are 3 classes: .*Dense\(3"),
    "too many": (lambda: network(4, "softmax", None), r"the model gives \(1, 4\) .* are 3 classes"),
    "no model": (lambda: "model.keras", "attach takes a Keras model, not a str"),
    "a layer": (lambda: keras.layers.Dense(3), "attach takes a Keras model, not a Dense"),
}


@pytest.mark.parametrize("case", MISFITS)
def test_a_model_that_does_not_fit_is_refused(trained, case):
    make, message = MISFITS[case]
    with pytest.raises(pk.PrepkitError, match=f"^{message}"):
        trained[0].attach(make())


def test_an_untrained_model_is_built_for_any_number_of_rows(trained):
    model = network(3, "softmax", "sparse_categorical_crossentropy")
    served = trained[0].attach(model)
    assert model.input_shape == (None, 23)
    assert served.predict(frame(), verbose=0).shape == (N, 3)


def test_the_model_may_be_trained_on(trained):
    """The served model holds the model, not a copy."""
    fitted = trained[0]
    model = network(3, "softmax", "sparse_categorical_crossentropy")
    served = fitted.attach(model)
    before = served.predict(frame(), verbose=0)
    model.fit(fitted.transform(frame()), verbose=0, shuffle=False)
    after = served.predict(frame(), verbose=0)
    assert abs(before - after).max() > 1e-4
    np.testing.assert_allclose(after, expected((fitted, model), frame()), atol=EXACT)


# -- another prior ------------------------------------------------------------------------------

CLASSES = {2: ((0.94, 0.06), [[0.0, 0.0], [1.5, 0.5]]), 3: ((0.85, 0.11, 0.04), [[0.0, 0.0], [1.5, 0.0], [-0.5, 1.5]])}
ROWS = 20_000


def gaussians(classes: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows of as many Gaussians of variance 1, few of the last, and the true probability of each class."""
    rng = np.random.default_rng(classes)
    prior, means = CLASSES[classes]
    y = rng.choice(classes, ROWS, p=prior)
    x = rng.normal(size=(ROWS, 2)) + np.array(means)[y]
    joint = np.log(prior) - ((x[:, None] - np.array(means)) ** 2).sum(2) / 2
    true = np.exp(joint) / np.exp(joint).sum(1, keepdims=True)
    return pd.DataFrame({"a": x[:, 0] * 1e3, "b": x[:, 1], "y": y}), true


def regression(fitted: pk.FittedPipeline, data: pd.DataFrame, layer: Any, loss: Any, weights: Any = None) -> Any:
    """A logistic one, which can be exact here, trained on all rows at once until it no longer changes."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([layer])
    model.compile(keras.optimizers.Adam(0.1), loss)
    everything = next(iter(fitted.transform(data, batch_size=ROWS)))
    model.fit(tf.data.Dataset.from_tensors(everything).repeat(150), class_weight=weights, verbose=0)
    return model


WEIGHTED: dict[str, tuple[int, str | None, Any, str]] = {
    "sigmoid": (1, "sigmoid", "binary_crossentropy", "int"),
    "one logit": (1, None, keras.losses.BinaryCrossentropy(from_logits=True), "int"),
    "softmax of two": (2, "softmax", "sparse_categorical_crossentropy", "int"),
    "softmax, one-hot": (3, "softmax", "categorical_crossentropy", "one_hot"),
    "logits": (3, None, keras.losses.SparseCategoricalCrossentropy(from_logits=True), "int"),
}


@pytest.mark.parametrize("form", WEIGHTED)
def test_probabilities_of_weighted_classes_are_true_once_they_are_corrected(form):
    units, activation, loss, labels = WEIGHTED[form]
    data, true = gaussians(max(2, units))
    fitted = pk.Pipeline([pk.Rescale()], labels=labels).fit(data, "y")
    counts = np.bincount(data["y"])
    weights = dict(enumerate(ROWS / len(counts) / counts))
    model = regression(fitted, data, keras.layers.Dense(units, activation), loss, weights)
    shift = correction(shares(counts), shares([n * weights[i] for i, n in enumerate(counts)]))

    def off(served: Served) -> float:
        p = served.predict(data, verbose=0, batch_size=ROWS)
        return float(abs((p if units > 1 else np.hstack([1 - p, p])) - true).mean())

    assert off(Served.of(fitted.flow, model, correction=shift)) < 0.005
    assert off(Served.of(fitted.flow, model)) > 0.1


@pytest.mark.parametrize("loss", [AdjustedLoss(np.log((0.94, 0.06))), AdjustedLoss((0.0, 0.0), (0.06, 0.94))])
def test_what_the_loss_adjusted_is_undone_with_the_correction(loss):
    data, true = gaussians(2)
    fitted = pk.Pipeline([pk.Rescale()]).fit(data, "y")
    model = regression(fitted, data, keras.layers.Dense(1, "sigmoid"), loss)
    undone, left = (Served.of(fitted.flow, model, correction=c) for c in ((0.0, 0.0), None))
    assert abs(undone.predict(data, verbose=0, batch_size=ROWS)[:, 0] - true[:, 1]).mean() < 0.005
    equal = true / (0.94, 0.06)  # as they were, if both classes were as frequent
    assert (
        abs(left.predict(data, verbose=0, batch_size=ROWS)[:, 0] - (equal / equal.sum(1, keepdims=True))[:, 1]).mean()
        < 0.02
    )


SHIFTS = {1: (0.5, -2.0), 2: (0.5, -2.0), 3: (1.0, 0.0, -3.0)}


@pytest.mark.parametrize("form", FORMS)
def test_corrected_probabilities_agree_whichever_way_they_are_computed(form):
    classes, units, activation, loss = FORMS[form]
    data, shift = frame(classes)[["a_b", "hours per week", "y"]], SHIFTS[units]
    fitted = pk.Pipeline([pk.Rescale()]).fit(data, "y")
    model = network(units, activation, loss)
    features = next(iter(fitted.transform(data, batch_size=N)))[0]
    plain, served = Served.of(fitted.flow, model), Served.of(fitted.flow, model, correction=shift)
    before, after = (s.probabilities(features).numpy().astype(float) for s in (plain, served))
    if units == 1:
        before, after = (np.hstack([1 - p, p]) for p in (before, after))
    odds = before[:, 1:] / before[:, :1] * np.exp(np.subtract(shift[1:], shift[0]))
    np.testing.assert_allclose(after[:, 1:] / after[:, :1], odds, rtol=1e-4)
    found = differences([features], data, fitted.flow, model, correction=shift)
    assert len(found) == 8
    assert max(found.values()) <= EXACT


def test_parity_is_that_of_the_corrected_probabilities(monkeypatch):
    data = frame(2)[["a_b", "y"]]
    fitted = pk.Pipeline([pk.Rescale()]).fit(data, "y")
    compared = []
    monkeypatch.setattr("prepkit.parity._served", lambda batches, data, served: compared.append(served) or {})
    differences(
        [b[0] for b in fitted.transform(data)], data, fitted.flow, network(1, "sigmoid", None), correction=(1, 0)
    )
    assert compared[0].correction == (1.0, 0.0)


@pytest.mark.parametrize("none", [None, (0.0, 0.0, 0.0), (2.0, 2.0, 2.0)])
def test_without_a_correction_not_a_bit_changes(trained, none):
    fitted, model = trained
    features = next(iter(fitted.transform(frame())))[0]
    served = Served.of(fitted.flow, model, correction=none)
    np.testing.assert_array_equal(served.probabilities(features), model(features))
    assert "correction" not in served.get_config()
    logits = network(3, None, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    given = Served.of(fitted.flow, logits, correction=none).probabilities(features)
    np.testing.assert_array_equal(given, keras.ops.softmax(logits(features)))


def test_a_correction_is_saved_and_models_saved_without_one_are_read(trained):
    fitted, model = trained
    config = Served.of(fitted.flow, model, correction=(1.0, 0.0, 0.5)).get_config()
    assert json.loads(json.dumps(config["correction"])) == [1.0, 0.0, 0.5]
    assert Served.from_config(config).correction == (1.0, 0.0, 0.5)
    del config["correction"]
    assert Served.from_config(config).correction is None


def test_a_correction_of_other_classes_is_refused(trained):
    fitted, model = trained
    with pytest.raises(pk.PrepkitError, match="one finite number for each of the 3 classes"):
        Served.of(fitted.flow, model, correction=(0.0, 1.0))
    with pytest.raises(pk.PrepkitError, match=r"the model gives \(1, 4\) .* are 3 classes"):
        Served.of(fitted.flow, network(4, "softmax", None), correction=(0.0, 1.0, 2.0))


# -- structures ---------------------------------------------------------------------------------


def images() -> tuple[Any, Any, pk.Pipeline, Callable[[], keras.Model]]:
    x = np.random.default_rng(0).integers(0, 256, (60, 6, 6, 3)).astype(np.uint8)
    layers = [keras.layers.Conv2D(4, 3), keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax")]
    return (x, np.arange(60) % 2), x, pk.Pipeline([pk.Rescale("unit")]), lambda: keras.Sequential(layers)


def matrix() -> tuple[Any, Any, pk.Pipeline, Callable[[], keras.Model]]:
    x = np.random.default_rng(0).normal(1e9, 1, (60, 4))
    x[3, 2] = np.nan
    stages = [pk.Impute(), pk.Rescale()]
    return (
        (x, np.arange(60) % 2),
        x,
        pk.Pipeline(stages),
        lambda: keras.Sequential([keras.layers.Dense(1, activation="sigmoid")]),
    )


class Embedded(keras.Model):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.embed, self.out = keras.layers.Embedding(9, 2), keras.layers.Dense(1, activation="sigmoid")

    def call(self, inputs: Any) -> Any:
        return self.out(keras.ops.concatenate([self.embed(inputs["s"]), inputs["a"][:, None], inputs["v"]], -1))


keras.saving.register_keras_serializable("test")(Embedded)


def ids() -> tuple[Any, Any, pk.Pipeline, Callable[[], keras.Model]]:
    rng = np.random.default_rng(0)
    x = {"a": rng.normal(size=60), "s": rng.choice(["u", "v", "w"], 60).astype(object), "v": rng.normal(size=(60, 3))}
    recipe = pk.Pipeline([pk.Impute(), pk.Lookup(), pk.Rescale()], output="dict")
    return (x, np.arange(60) % 2), x, recipe, Embedded


def mixed() -> tuple[Any, Any, pk.Pipeline, Callable[[], keras.Model]]:
    """Images beside a column, into a functional model of named inputs."""
    rng = np.random.default_rng(0)
    x = {"img": rng.random((60, 4, 4, 1)).astype(np.float32), "age": rng.integers(1, 99, 60)}

    def make() -> keras.Model:
        img, age = keras.Input((4, 4, 1), name="img"), keras.Input((), name="age")
        joined = keras.layers.Concatenate()([keras.layers.Flatten()(img), keras.layers.Reshape((1,))(age)])
        return keras.Model({"img": img, "age": age}, keras.layers.Dense(2, activation="softmax")(joined))

    return (x, np.arange(60) % 2), x, pk.Pipeline([pk.Rescale()], output="dict"), make


STRUCTURES = {"images": images, "matrix": matrix, "ids": ids, "images beside a column": mixed}


@pytest.mark.parametrize("structure", STRUCTURES)
def test_every_structure_is_served(structure, tmp_path):
    data, x, recipe, make = STRUCTURES[structure]()
    fitted = recipe.fit(data)
    model = make()
    served = fitted.attach(model)
    reference = expected((fitted, model), x)
    np.testing.assert_allclose(served.predict(x, verbose=0), reference, atol=EXACT)
    np.testing.assert_allclose(served.predict(data, verbose=0), reference, atol=EXACT)
    rows = tf.data.Dataset.from_tensor_slices(x)
    np.testing.assert_allclose(served.predict(rows, verbose=0), reference, atol=EXACT)
    np.testing.assert_allclose(served.predict(rows.batch(16), verbose=0), reference, atol=EXACT)
    served.save(tmp_path / "served.keras")
    loaded = keras.models.load_model(tmp_path / "served.keras")
    np.testing.assert_allclose(loaded.predict(x, verbose=0), reference, atol=EXACT)
    served.export(tmp_path / "exported")
    exported = tf.saved_model.load(str(tmp_path / "exported"))
    tensor = next(iter(rows.batch(60)))
    np.testing.assert_allclose(exported.serve(tensor), reference, atol=EXACT)
    named = tensor if isinstance(tensor, dict) else {"x": tensor}
    np.testing.assert_allclose(exported.signatures["serving_default"](**named)["probabilities"], reference, atol=EXACT)


def test_images_of_fractions_are_not_cut_to_whole_numbers():
    data, x, recipe, make = images()
    served = recipe.fit(data).attach(make())
    with pytest.raises(pk.PrepkitError, match="'x' .* was uint8 in training"):
        served.predict(x / 255.0, verbose=0)


# -- saved --------------------------------------------------------------------------------------


def test_a_saved_model_keeps_its_name_and_needs_no_loss_of_ones_own(trained, tmp_path):
    def my_loss(y: Any, p: Any) -> Any:
        return keras.losses.sparse_categorical_crossentropy(y, p)

    model = network(3, "softmax", my_loss)
    model.fit(trained[0].transform(frame()), verbose=0, shuffle=False)
    served = trained[0].attach(model)
    assert model.compiled
    served.save(tmp_path / "served.keras")
    loaded = keras.models.load_model(tmp_path / "served.keras")
    assert loaded.name == served.name
    np.testing.assert_allclose(loaded.predict(frame(), verbose=0), served.predict(frame(), verbose=0), atol=EXACT)
    loaded.save(tmp_path / "again.keras")
    again = keras.models.load_model(tmp_path / "again.keras")
    np.testing.assert_allclose(again.predict(frame(), verbose=0), served.predict(frame(), verbose=0), atol=EXACT)


def log(x: dict[str, Any]) -> dict[str, Any]:
    return {"log": tf.math.log1p(x["pay/month"])}


def test_functions_are_handed_back_as_custom_objects(tmp_path):
    data = frame(2)[["pay/month", "a_b", "y"]]
    fitted = pk.Pipeline([pk.Map(log, columns="pay/month"), pk.Impute(), pk.Rescale()]).fit(data, "y")
    served = fitted.attach(network(1, "sigmoid", "binary_crossentropy"))
    served.save(tmp_path / "served.keras")
    loaded = keras.models.load_model(tmp_path / "served.keras", custom_objects={"log": log})
    np.testing.assert_allclose(loaded.predict(data, verbose=0), served.predict(data, verbose=0), atol=EXACT)
    with pytest.raises(pk.PrepkitError, match="Map 'log', whose function is not saved"):
        keras.models.load_model(tmp_path / "served.keras")
    served.export(tmp_path / "exported")  # there the function is in the graph
    exported = tf.saved_model.load(str(tmp_path / "exported"))
    p = exported.serve({n: tf.constant(data[n].to_numpy()) for n in ("pay/month", "a_b")})
    np.testing.assert_allclose(p, served.predict(data, verbose=0), atol=EXACT)


LOAD = """
import json, sys
import keras
import prepkit.keras
data = json.load(open("data.json"))
model = keras.models.load_model("served.keras")
json.dump(model.predict(data, verbose=0).tolist(), open("loaded.json", "w"))
"""

RUN = """
import json, sys
import tensorflow as tf
model = tf.saved_model.load("exported")
spec = model.serve.input_signature[0]
data = {n: tf.constant(v, spec[n].dtype) for n, v in json.load(open("tensors.json")).items()}
json.dump(model.serve(data).numpy().tolist(), open("served.json", "w"))
default = model.signatures["serving_default"]
names = json.load(open("names.json"))
named = default(**{names[n]: t for n, t in data.items()})["probabilities"]
json.dump(named.numpy().tolist(), open("named.json", "w"))
assert not [m for m in sys.modules if m.split(".")[0] == "prepkit"]
"""


def test_in_other_processes(served, trained, tmp_path):
    """With keras and prepkit from .keras, with TensorFlow alone from the SavedModel."""
    data = frame().drop(columns="y").iloc[:30]
    served.save(tmp_path / "served.keras")
    served.export(tmp_path / "exported")
    plain = data.assign(at=(data["at"] - pd.Timestamp("1970-01-01")).dt.total_seconds())
    texts = {"職業", "1st"}
    columns = {n: plain[n].fillna("" if n in texts else np.nan).tolist() for n in plain}
    (tmp_path / "data.json").write_text(json.dumps(columns))
    (tmp_path / "tensors.json").write_text(json.dumps(columns))
    (tmp_path / "names.json").write_text(json.dumps(serving_names(columns)))
    root = Path(pk.__path__[0]).parent
    for code in (f"import sys; sys.path.insert(0, {str(root)!r})\n{LOAD}", RUN):
        found = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
        assert found.returncode == 0, found.stderr
    reference = expected(trained, data)
    for name in ("loaded", "served", "named"):
        p = np.array(json.loads((tmp_path / f"{name}.json").read_text()))
        np.testing.assert_allclose(p, reference, atol=EXACT, err_msg=name)


def test_other_formats_are_refused_rather_than_ignored(served, tmp_path):
    for settings in ({"format": "onnx"}, {"input_signature": []}):
        with pytest.raises(pk.PrepkitError, match="export writes a SavedModel only"):
            served.export(tmp_path / "a", **settings)
    assert not list(tmp_path.iterdir())


# -- names --------------------------------------------------------------------------------------


def test_names_of_the_signature_are_accepted_unique_and_kept_where_they_can_be():
    names = ["a b", "a_b", "a/b", "class", "1st", "_x", "größe", "職業", "", "x", "if", "a-b", "None", "A_B"]
    safe = serving_names(dict.fromkeys(names))
    assert list(safe) == names
    assert len(set(safe.values())) == len(names)
    assert (safe["a_b"], safe["x"], safe["A_B"]) == ("a_b", "x", "A_B")
    specs = {s: tf.TensorSpec((None,), tf.float32, name=s) for s in safe.values()}
    concrete = tf.function(lambda **inputs: sum(inputs.values())).get_concrete_function(**specs)
    assert len(concrete.structured_input_signature[1]) == len(names)


def test_the_signature_has_the_types_of_the_training_data(trained):
    signature = raw_signature(trained[0].spec)
    assert {n: t.dtype.name for n, t in signature.items()} == {
        "hours per week": "int64",
        "pay/month": "float64",
        "größe": "float32",
        "class": "bool",
        "職業": "string",
        "1st": "string",
        "at": "float64",
        "a b": "uint8",
        "a_b": "float64",
        "inputs": "float64",
    }
    spec = Spec((Column("t", "datetime", "string", parse="Y-m-d"),), Label("y", "int"))
    assert raw_signature(spec)["t"].dtype == tf.string
