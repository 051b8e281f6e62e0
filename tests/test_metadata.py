"""What training needs to know beside the dataset."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

import prepkit as pk
from prepkit.metadata import Ledger, Metadata, advise
from prepkit.spec import Label
from tests import imbalanced

RECIPE = pk.Pipeline([pk.Datetime(), pk.Impute(indicator=True), pk.Rescale(), pk.OneHot(), pk.Rebalance()])


def frame(n: int = 300, classes: Sequence[Any] = ("no", "yes"), seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    p = 1.0 / (1 + np.arange(len(classes)))
    out = pd.DataFrame(
        {
            "pay": rng.lognormal(3, 1, n),
            "age": rng.integers(18, 90, n).astype(float),
            "job": rng.choice(["cook", "smith", "tailor"], n),
            "at": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 1000, n), unit="h"),
            "y": rng.choice(np.array(classes, object), n, p=p / p.sum()),
        }
    )
    out.loc[:4, "y"] = None
    out.loc[5:30, "pay"] = np.nan
    return out


@pytest.fixture(scope="module")
def prepared() -> pk.Prepared:
    return RECIPE.prepare(frame(), "y", batch_size=32, seed=5)


LABELS: dict[str, Any] = {
    "strings": ("no", "yes"),
    "integers": (3, 7, 11),
    "booleans": (False, True),
    "negative": (-1, 1),
}


@pytest.mark.parametrize("classes", LABELS.values(), ids=LABELS)
def test_json_both_ways(classes):
    data = frame(classes=classes)
    for labels in ("int", "one_hot"):
        prepared = RECIPE.prepare(data, "y", batch_size=32, seed=5, labels=labels)
        for metadata in (prepared.metadata, prepared.pipeline.metadata):
            again = Metadata.from_json(metadata.to_json())
            assert again == metadata
            assert again.to_json() == metadata.to_json()
            for f in dataclasses.fields(Metadata):
                assert type(getattr(again, f.name)) is type(getattr(metadata, f.name)), f.name
            assert [type(c) for c in again.spec_in.label.classes] == [type(c) for c in classes]


def test_json_both_ways_of_arrays_and_ids():
    x, y = np.random.default_rng(0).normal(size=(30, 3)), np.eye(3)[np.arange(30) % 3]
    metadata = pk.Pipeline([pk.Rescale()]).fit((x, y)).metadata
    assert Metadata.from_json(metadata.to_json()) == metadata
    ids = pk.Pipeline([pk.Drop("at"), pk.Lookup(), pk.Impute()], output="dict").fit(frame(), "y").metadata
    assert Metadata.from_json(ids.to_json()) == ids
    assert ids.vocabulary_sizes == {"job": 5}  # missing, unseen, and three


def test_all_is_there(prepared):
    m = prepared.metadata
    assert m.class_names == ("no", "yes")
    assert (m.output, m.labels, m.batch_size, m.steps_per_epoch, m.seed, m.scans) == ("dense", "int", 32, 10, 5, 1)
    assert sum(m.counts) == m.ledger.trained == 295
    assert m.counts == m.counts_before
    assert sum(m.prior) == pytest.approx(1)
    assert m.prior == pytest.approx(np.array(m.counts) / 295)
    assert m.missing_cells == {"pay": 26}
    assert m.spec_in.names == ("pay", "age", "job", "at")
    assert set(m.versions) == {"prepkit", "tensorflow", "keras", "numpy", "pyarrow"}
    assert m.versions["tensorflow"] == tf.__version__
    assert len(m.feature_names) == prepared.dataset.element_spec[0].shape[1]


def test_a_pipeline_that_was_only_fitted_has_no_epochs(prepared):
    m = prepared.pipeline.metadata
    assert (m.batch_size, m.steps_per_epoch, m.seed) == (None, None, None)


def test_features_of_each_column(prepared):
    m = prepared.metadata
    assert m.features_of["pay"] == ("pay", "pay is missing")
    assert m.features_of["job"] == ("job=cook", "job=smith", "job=tailor")
    assert m.features_of["at"][0] == "at.elapsed"
    assert len(m.features_of["at"]) == 7
    made = [name for names in m.features_of.values() for name in names]
    assert sorted(made) == sorted(m.feature_names)
    dropped = pk.Pipeline([pk.Drop(["at", "job"])]).fit(frame(), "y").metadata
    assert dropped.features_of == {"pay": ("pay",), "age": ("age",), "job": (), "at": ()}
    both = pk.Map(lambda x: {"sum": x["pay"] + x["age"]}, columns=["pay", "age"], name="sum")
    mapped = pk.Pipeline([pk.Drop(["at", "job"]), both]).fit(frame(), "y").metadata
    assert mapped.features_of == {"pay": ("sum",), "age": ("sum",), "job": (), "at": ()}


# -- class weights ------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 200), min_size=2, max_size=6))
@settings(max_examples=6)
def test_class_weights_are_those_of_scikit_learn_with_mean_one_over_the_rows(counts):
    y = np.repeat(np.arange(len(counts)), counts)
    metadata = pk.Pipeline([pk.Rebalance()]).fit(({"x": np.arange(float(len(y)))}, y)).metadata
    theirs = compute_class_weight("balanced", classes=np.arange(len(counts)), y=y)
    ours = np.array([metadata.class_weight[i] for i in range(len(counts))])
    np.testing.assert_allclose(ours, theirs / np.average(theirs, weights=counts), rtol=1e-12)
    assert np.average(ours, weights=counts) == pytest.approx(1)
    assert metadata.counts == tuple(counts)


def test_class_weights_without_rebalance_are_all_one():
    metadata = pk.Pipeline([pk.Drop("at"), pk.OneHot()]).fit(frame(), "y").metadata
    assert metadata.class_weight == {0: 1.0, 1: 1.0}


def test_class_weights_are_dense_even_where_a_class_has_no_rows():
    y = np.eye(4)[np.array([0, 0, 0, 2, 2, 3])]  # class 1 has none
    prepared = pk.Pipeline([pk.Rebalance()], labels="one_hot").prepare(({"x": np.arange(6.0)}, y))
    assert prepared.metadata.class_weight == pytest.approx({0: 2 / 3, 1: 1.0, 2: 1.0, 3: 2.0})
    assert prepared.metadata.counts == (3, 0, 2, 1)
    model = keras.Sequential([keras.layers.Dense(4, activation="softmax")])
    model.compile("sgd", "categorical_crossentropy")
    history = model.fit(prepared.dataset, class_weight=prepared.metadata.class_weight, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


def test_keras_takes_the_class_weights(prepared):
    """The weighted loss of one epoch at learning rate 0 is the one computed by hand."""
    model = keras.Sequential([keras.layers.Dense(1, activation="sigmoid")])
    model.compile(keras.optimizers.SGD(0.0), "binary_crossentropy")
    batch = prepared.dataset.take(1).cache()
    x, y = next(batch.as_numpy_iterator())
    p = model.predict(x, verbose=0)[:, 0].astype(np.float64)
    history = model.fit(batch, class_weight=prepared.metadata.class_weight, verbose=0).history["loss"][0]
    w = np.array([prepared.metadata.class_weight[i] for i in y])
    assert history == pytest.approx(np.mean(w * -np.log(np.where(y == 1, p, 1 - p))), rel=1e-5)
    assert history != pytest.approx(np.mean(-np.log(np.where(y == 1, p, 1 - p))), rel=1e-3)


@pytest.mark.parametrize("labels", ["int", "one_hot"])
@pytest.mark.parametrize("rebalance", [True, False])
def test_beside_weights_of_the_rows_class_weights_are_folded_in(labels, rebalance):
    """Keras refuses class_weight beside (x, y, w)."""
    data, rng = frame(classes=("a", "b", "c")), np.random.default_rng(0)
    weight = rng.uniform(0.5, 2, len(data))
    stages = [pk.Drop("at"), pk.Impute(), pk.Rescale(), pk.OneHot()] + [pk.Rebalance()] * rebalance
    given = (data.drop(columns="y").assign(row=np.arange(len(data))), data["y"], weight)
    plain = pk.Pipeline([pk.Select(["row"]), *stages[4:]], labels=labels).prepare(given, batch_size=16, seed=1)
    prepared = pk.Pipeline(stages, labels=labels).prepare(given, batch_size=16, seed=1)
    assert prepared.metadata.class_weight is None
    by_class = prepared.pipeline.metadata.class_weight
    assert (by_class == {0: 1.0, 1: 1.0, 2: 1.0}) == (not rebalance)
    (row, y, w), (x, same_y, same_w) = next(iter(plain.dataset)), next(iter(prepared.dataset))
    np.testing.assert_array_equal(y, same_y)
    np.testing.assert_array_equal(w, same_w)
    classes = y.numpy() if labels == "int" else y.numpy().argmax(1)
    expected = weight[row.numpy()[:, 0].astype(int)] * np.array([by_class[c] for c in classes])
    np.testing.assert_allclose(w, expected, rtol=1e-6)
    model = keras.Sequential([keras.layers.Dense(3, activation="softmax")])
    advice = prepared.metadata.advice
    model.compile(keras.optimizers.SGD(0.0), advice.loss)
    p = model.predict(x, verbose=0).astype(np.float64)[np.arange(16), classes]
    batch = tf.data.Dataset.from_tensors((x, same_y, same_w))
    loss = model.fit(batch, class_weight=prepared.metadata.class_weight, verbose=0).history["loss"][0]
    assert loss == pytest.approx(np.mean(expected * -np.log(p)), rel=1e-5)


def test_validation_data_keep_their_own_weights():
    data = frame()
    data["y"] = data["y"].fillna("no")
    x, y, w = data[["age", "job"]], data["y"], np.linspace(1, 2, len(data))
    fitted = pk.Pipeline([pk.OneHot(), pk.Rebalance()]).fit((x, y, w))
    np.testing.assert_allclose(np.concatenate([w for *_, w in fitted.transform((x, y, w))]), w, rtol=1e-6)


# -- advice -------------------------------------------------------------------------------------

CASES = [
    ((0, 1), "int", 1, "sigmoid", "binary_crossentropy"),
    ((0, 1), "one_hot", 2, "softmax", "categorical_crossentropy"),
    ((0, 1, 2, 3), "int", 4, "softmax", "sparse_categorical_crossentropy"),
    ((0, 1, 2, 3), "one_hot", 4, "softmax", "categorical_crossentropy"),
]


@pytest.mark.parametrize("classes, labels, units, activation, loss", CASES)
def test_with_the_advice_the_first_loss_is_the_entropy_of_the_prior(classes, labels, units, activation, loss):
    prepared = pk.Pipeline([pk.Drop("at"), pk.Impute(), pk.Rescale(), pk.OneHot()], labels=labels).prepare(
        frame(classes=classes), "y"
    )
    advice, prior = prepared.metadata.advice, np.array(prepared.metadata.prior)
    assert (advice.units, advice.activation, advice.loss) == (units, activation, loss)
    last = keras.layers.Dense(
        advice.units,
        activation=advice.activation,
        kernel_initializer="zeros",
        bias_initializer=lambda shape, dtype: keras.ops.convert_to_tensor(advice.initial_bias, dtype),
    )
    model = keras.Sequential([keras.layers.Dense(8, activation="relu"), last])
    model.compile("adam", advice.loss)
    loss_of_none = model.evaluate(prepared.dataset, verbose=0)
    assert loss_of_none == pytest.approx(-np.sum(prior * np.log(prior)), rel=1e-5)


def test_the_initial_bias_of_the_tensorflow_tutorial():
    """Credit card fraud: log(positive / negative) = log(492 / 284,315) = -6.35936245."""
    prior = (284_315 / 284_807, 492 / 284_807)
    (bias,) = advise(Label("Class", "int", (0, 1)), "int", prior).initial_bias
    assert bias == pytest.approx(-6.35936245)


def test_a_class_without_rows_has_a_finite_bias():
    advice = advise(Label(None, "one_hot", (0, 1, 2)), "one_hot", (0.5, 0.0, 0.5))
    assert np.isfinite(advice.initial_bias).all()
    assert advice.initial_bias[1] == pytest.approx(np.log(1e-6))


# -- fingerprints and ledger --------------------------------------------------------------------


def as_dataset(data: pd.DataFrame, batch: int) -> tf.data.Dataset:
    x = {n: data[n].to_numpy() if data[n].dtype.kind == "f" else data[n].to_numpy(object) for n in data if n != "y"}
    return tf.data.Dataset.from_tensor_slices((x, data["y"].fillna("").to_numpy(object))).batch(batch)


def test_fingerprints_of_equal_data_are_equal_however_they_come(tmp_path):
    recipe = pk.Pipeline([pk.Impute("mean"), pk.Clip(quantiles=(0.01, 0.99)), pk.Rescale(), pk.OneHot()])
    data = frame().drop(columns="at")
    fitted = [recipe.fit(as_dataset(data, batch)) for batch in (1, 50, 300)]
    assert len({f.metadata.data_fingerprint for f in fitted}) == 1
    data.to_parquet(tmp_path / "a.parquet", row_group_size=37)
    frames = [recipe.fit(data, "y"), recipe.fit(tmp_path / "a.parquet", "y")]
    assert len({f.metadata.data_fingerprint for f in frames}) == 1


def test_fingerprints_of_strings_are_equal_as_csv_and_as_parquet(tmp_path):
    data = frame()[["job", "y"]].assign(town=lambda d: d["job"].str[:2])
    data.to_csv(tmp_path / "a.csv", index=False)
    data.to_parquet(tmp_path / "a.parquet")
    recipe = pk.Pipeline([pk.OneHot()])
    prints = {recipe.fit(tmp_path / name, "y").metadata.data_fingerprint for name in ("a.csv", "a.parquet")}
    assert len(prints) == 1


CHANGES = {
    "a number": lambda d: d.assign(age=d["age"] + (np.arange(len(d)) == 7)),
    "a missing cell": lambda d: d.assign(age=d["age"].where(np.arange(len(d)) != 7)),
    "a category": lambda d: d.assign(job=d["job"].where(np.arange(len(d)) != 7, "weaver")),
    "a label": lambda d: d.assign(y=d["y"].where(np.arange(len(d)) != 7, "no" if d["y"][7] == "yes" else "yes")),
    "a row": lambda d: d.iloc[:-1],
    "a name": lambda d: d.rename(columns={"age": "years"}),
    "a type": lambda d: d.assign(age=d["age"].astype(np.float32)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_fingerprints_of_different_data_differ(change):
    recipe = pk.Pipeline([pk.Drop("at"), pk.Impute("mean"), pk.Rescale(), pk.OneHot()])
    data = frame()
    ours = recipe.fit(data, "y").metadata
    theirs = recipe.fit(CHANGES[change](data), "y").metadata
    assert ours.data_fingerprint != theirs.data_fingerprint
    assert ours.recipe_fingerprint == theirs.recipe_fingerprint


def test_fingerprints_of_recipes():
    def fingerprint(*stages: pk.Stage[Any], **form: Any) -> str:
        return pk.Pipeline([pk.Drop("at"), pk.OneHot(), *stages], **form).fit(frame(), "y").metadata.recipe_fingerprint

    first = fingerprint(pk.Impute())
    assert fingerprint(pk.Impute(reason="of no matter")) == first
    assert fingerprint(pk.Impute(columns=["age", "pay"])) == fingerprint(pk.Impute(columns=("age", "pay")))
    others = [fingerprint(pk.Impute("mean")), fingerprint(), fingerprint(pk.Impute(), output="dict")]
    others += [fingerprint(pk.Impute(), labels="one_hot"), fingerprint(pk.Impute(), pk.Rebalance())]
    assert len({first, *others}) == 6


PROCESS = """
import prepkit as pk
def double(x): return {"x": 2.0 * x["x"]}
recipe = pk.Pipeline([pk.Map(double, columns="x"), pk.Drop(lambda c: c.name == "z"), pk.Rescale()])
m = recipe.fit({"x": [1.0, 2.0, 4.0], "z": [0.0, 0.0, 1.0], "y": [0, 1, 0]}, "y").metadata
fingerprints = m.data_fingerprint, m.recipe_fingerprint
"""


def test_fingerprints_are_the_same_in_another_process():
    """Whatever the addresses of functions and the hashes of strings are there."""
    code = PROCESS + "print(*fingerprints)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    here: dict[str, Any] = {}
    exec(PROCESS, here)
    assert found.stdout.split() == list(here["fingerprints"])


def test_the_ledger_adds_up_and_reads_well(prepared):
    ledger = prepared.metadata.ledger
    assert ledger.rows_in == ledger.trained + sum(ledger.refused.values()) + sum(ledger.dropped.values())
    assert str(ledger) == "300 rows in, 295 trained, 5 label missing"
    assert ledger.row_numbers == {"label missing": (0, 1, 2, 3, 4)}
    assert str(Ledger(2000, 1800, {"a": 150}, {"b": 50}, {})) == "2,000 rows in, 1,800 trained, 150 a, 50 b"


def test_the_ledger_lists_the_first_thousand_rows():
    data = pd.DataFrame({"x": np.arange(5000.0), "y": [0.0, 1.0, np.nan, np.nan] * 1250})
    for source in (data, tf.data.Dataset.from_tensor_slices(({"x": data["x"]}, data["y"])).batch(900)):
        ledger = pk.Pipeline([]).fit(source, "y" if source is data else None).metadata.ledger
        assert (ledger.rows_in, ledger.trained, ledger.refused) == (5000, 2500, {"label missing": 2500})
        assert ledger.row_numbers["label missing"] == tuple(i for i in range(2002) if i % 4 > 1)[:1000]


# -- what rebalancing does to the priors ---------------------------------------------------------

NATURAL = np.array([155.0, 25.0])  # rows of each class, labelled
KINDS: dict[str, tuple[list[pk.Rebalance], Any]] = {  # and rows times weight that the network sees
    "nothing": ([], NATURAL),
    "class_weight": ([pk.Rebalance()], [1, 1]),
    "sqrt": ([pk.Rebalance(class_weight="sqrt")], NATURAL**0.5),
    "effective": ([pk.Rebalance(class_weight="effective", beta=0.9)], NATURAL / (1 - 0.9**NATURAL)),
    "given": ([pk.Rebalance(class_weight={"yes": 2})], NATURAL * [1, 2]),
    "folded": ([pk.Rebalance(as_sample_weight=True)], [1, 1]),
    "oversample": ([pk.Rebalance("oversample")], [155, 155]),
    "ratio": ([pk.Rebalance("oversample", sampling_strategy=0.5)], [155, 77]),
    "counts": ([pk.Rebalance("oversample", sampling_strategy={"yes": 100})], [155, 100]),
    "undersample": ([pk.Rebalance("undersample", sampling_strategy=0.5)], [50, 25]),
    "SMOTE": ([pk.Rebalance("SMOTE", sampling_strategy=0.8)], [155, 124]),
    "both": (
        [pk.Rebalance("oversample", sampling_strategy=0.5), pk.Rebalance(with_resampling=True)],
        [1, 1],
    ),
    "both, given": (
        [pk.Rebalance("undersample"), pk.Rebalance(class_weight={"yes": 3}, with_resampling=True)],
        [25, 75],
    ),
}


@pytest.fixture(scope="module")
def balanced() -> dict[str, pk.Prepared]:
    """By each kind, in one batch an epoch."""
    data = imbalanced.frame()
    out = {}
    for kind, (stages, _) in KINDS.items():
        recipe = pk.Pipeline([pk.Drop("id"), pk.Rescale(), pk.OneHot(), *stages])
        out[kind] = recipe.prepare(data, "y", batch_size=512, labels="one_hot" if kind == "sqrt" else "int")
    return out


@pytest.mark.parametrize("kind", KINDS)
def test_priors_and_what_follows_from_them_by_hand(kind, balanced):
    m, seen = balanced[kind].metadata, np.array(KINDS[kind][1], float)
    seen /= seen.sum()
    assert m.counts_before == m.counts_cleaned == tuple(NATURAL)
    assert m.prior == pytest.approx(NATURAL / NATURAL.sum())
    assert m.training_prior == pytest.approx(seen)
    assert m.logit_adjustment == pytest.approx(np.log(seen))
    assert m.focal_alpha == pytest.approx(seen[::-1])
    bias = np.log(seen) if kind == "sqrt" else [np.log(seen[1] / seen[0])]
    assert m.initial_bias == m.advice.initial_bias == pytest.approx(bias)
    assert balanced[kind].pipeline.correction == pytest.approx(np.log(NATURAL / NATURAL.sum() / seen))
    assert imbalanced.adds_up(m)
    assert m.steps_per_epoch == 1


@pytest.mark.parametrize("kind", ["oversample", "both", "folded", "sqrt"])
def test_an_untrained_model_with_the_initial_bias_predicts_what_the_network_sees(kind, balanced):
    """The weighted mean of the labels of an epoch, and its weighted loss is the entropy of that."""
    prepared = balanced[kind]
    advice, prior = prepared.metadata.advice, np.array(prepared.metadata.training_prior)
    bias = keras.initializers.Constant(advice.initial_bias)
    model = keras.Sequential([keras.layers.Dense(advice.units, advice.activation, True, "zeros", bias)])
    model.compile(keras.optimizers.SGD(0.0), advice.loss)
    ((x, *_),) = prepared.dataset.as_numpy_iterator()
    p = model.predict(x[:3], verbose=0)
    np.testing.assert_allclose(p, np.broadcast_to(prior[-p.shape[1] :], p.shape), rtol=1e-5)
    fit = model.fit(prepared.dataset, class_weight=prepared.metadata.class_weight, shuffle=False, verbose=0)
    assert fit.history["loss"][0] == pytest.approx(-(prior * np.log(prior)).sum(), rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_rebalanced_metadata_as_json_and_back(kind, balanced):
    for metadata in (balanced[kind].metadata, balanced[kind].pipeline.metadata):
        again = Metadata.from_json(metadata.to_json())
        assert again == metadata
        assert again.to_json() == metadata.to_json()
        assert (again.logit_adjustment, again.focal_alpha) == (metadata.logit_adjustment, metadata.focal_alpha)


def test_what_is_only_fitted_tells_of_nothing_resampled(balanced):
    """Weights of classes are numbers, which are known; rows are drawn and made in `prepare`."""
    for kind in ("class_weight", "oversample", "SMOTE"):
        prepared = balanced[kind]
        fitted = prepared.pipeline.recipe.fit(imbalanced.frame(), "y").metadata
        assert fitted.counts == fitted.counts_before == tuple(NATURAL)
        assert fitted.ledger == balanced["nothing"].pipeline.metadata.ledger
        by_weight = kind == "class_weight"
        assert fitted.training_prior == (prepared.metadata.training_prior if by_weight else fitted.prior)
        assert fitted.class_weight == (prepared.metadata.class_weight if by_weight else {0: 1.0, 1: 1.0})


def test_fingerprints_of_recipes_that_rebalance(balanced):
    by_one_stage = [balanced[kind].metadata for kind, (stages, _) in KINDS.items() if len(stages) == 1]
    assert len({metadata.data_fingerprint for metadata in by_one_stage}) == 1
    assert len({p.metadata.recipe_fingerprint for p in balanced.values()}) == len(KINDS)


class Same:
    """A sampler of one's own."""

    def fit_resample(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return x, y


def test_the_fingerprint_of_a_sampler_of_ones_own_does_not_depend_on_where_it_is_in_memory():
    data = {"x": [1.0, 2.0, 3.0, 4.0], "y": [0, 0, 0, 1]}

    def fingerprint(sampler: Any, **settings: Any) -> str:
        return pk.Pipeline([pk.Rebalance(sampler, **settings)]).fit(data, "y").metadata.recipe_fingerprint

    assert fingerprint(Same()) == fingerprint(Same(), reason="of no matter") != fingerprint("SMOTE")


LEDGERS = {
    "oversample": "200 rows in, 180 trained, 20 label missing, 130 repeated in addition",
    "undersample": ("200 rows in, 75 trained, 20 label missing, 105 left out by undersampling, others in each epoch"),
    "SMOTE": "200 rows in, 180 trained, 20 label missing, 99 synthetic in addition",
    "class_weight": "200 rows in, 180 trained, 20 label missing",
}


@pytest.mark.parametrize("kind", LEDGERS)
def test_the_ledger_of_rebalanced_rows_reads_well(kind, balanced):
    assert str(balanced[kind].metadata.ledger) == LEDGERS[kind]
