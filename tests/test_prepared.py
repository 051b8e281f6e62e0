"""What training is handed: rows set apart before anything is learned, and the threshold that they show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from sklearn.metrics import balanced_accuracy_score, f1_score
from sklearn.neighbors import KNeighborsClassifier

import prepkit as pk
from tests.imbalanced import CLASSES, N, adds_up, epoch, frame, given, stream

DATA = frame()
LABELLED = DATA[DATA["y"].notna()]
STAGES = [pk.OneHot(), pk.Rebalance("oversample")]


def prepare(data: Any, label: str | None = "y", stages: Any = STAGES, **settings: Any) -> pk.Prepared:
    return pk.Pipeline(stages).prepare(data, label, batch_size=32, **{"seed": 1, "validation_split": 0.25, **settings})


@pytest.fixture(scope="module")
def split() -> pk.Prepared:
    return prepare(DATA)


# -- rows set apart -----------------------------------------------------------------------------


def test_of_each_class_a_share_is_set_apart_and_the_others_are_trained_on(split):
    held_out, rows = epoch(split.validation, DATA), split.train_rows
    wanted = 0.25 * LABELLED["y"].value_counts()[list(CLASSES)].to_numpy()
    assert np.abs(np.bincount(held_out[:, 1]) - wanted).max() < 1
    assert sorted([*held_out[:, 0], *rows]) == list(range(N))
    assert (held_out[:, 0] == np.sort(held_out[:, 0])).all()  # in order, each once
    np.testing.assert_array_equal(epoch(split.validation, DATA), held_out)
    assert [CLASSES[c] for c in held_out[:, 1]] == DATA["y"][held_out[:, 0]].tolist()
    assert split.validation.cardinality() == -(-len(held_out) // 32)
    trained = epoch(split.dataset, DATA)
    assert set(trained[:, 0]) == set(DATA.index[rows]) & set(LABELLED.index)
    m = split.metadata
    assert np.bincount(trained[:, 1]).tolist() == list(m.counts) == [max(m.counts_cleaned)] * 2
    assert adds_up(m)
    assert (m.ledger.rows_in, m.ledger.held_out) == (len(rows), len(held_out))
    assert str(m.ledger).endswith(f", {len(held_out)} more set aside for validation")


def test_row_numbers_are_places_in_the_rows_for_training(split):
    numbers = split.metadata.ledger.row_numbers["label missing"]
    assert DATA["y"].iloc[split.train_rows[list(numbers)]].isna().all()
    assert len(numbers) == DATA["y"].isna().sum()  # such rows are for training, which counts them


def test_only_training_rows_are_learned_from():
    """A validation row is far out, so that any look at it would show."""
    data = LABELLED.assign(pay=LABELLED["pay"].where(LABELLED["id"] != 2, 1e9)).drop(columns="id")
    stages = [pk.Impute(), pk.Clip(quantiles=(0.0, 0.9)), pk.Rescale("standard"), pk.OneHot(), *STAGES[1:]]
    for seed in range(20):
        prepared = prepare(data, stages=stages, seed=seed)
        if 2 not in data.index[prepared.train_rows]:
            break
    alone = pk.Pipeline(stages).fit(data.iloc[prepared.train_rows], "y")
    assert prepared.pipeline.flow.learned == alone.flow.learned
    assert prepared.pipeline.metadata.data_fingerprint == alone.metadata.data_fingerprint
    assert alone.flow.learned != pk.Pipeline(stages).fit(data, "y").flow.learned
    pay = data["pay"].iloc[prepared.train_rows]
    expected = pay.clip(upper=pay.quantile(0.9))
    (scale,) = [s for s in prepared.pipeline.flow.learned if type(s).__name__ == "Scale"]
    assert scale.shift["pay"] == pytest.approx(expected.mean())


@pytest.mark.parametrize("source", ["arrays", "CSV", "dataset of batches", "dataset of rows"])
def test_rows_of_other_sources_are_set_apart_too(source, tmp_path):
    prepared = prepare(*given(source, DATA, tmp_path))
    held_out = [epoch(prepared.validation, DATA) for _ in range(2)]
    np.testing.assert_array_equal(*held_out)
    trained = [epoch(prepared.dataset, DATA) for _ in range(2)]
    for rows in trained:  # which side a row is on is the same in every epoch
        assert set(rows[:, 0]) == set(LABELLED.index) - set(held_out[0][:, 0])
        assert np.bincount(rows[:, 1]).tolist() == list(prepared.metadata.counts)
    assert 20 <= len(held_out[0]) <= 70  # of a stream, a quarter on average
    in_memory = source == "arrays"
    assert (prepared.train_rows is None) != in_memory
    assert prepared.metadata.ledger.held_out == (len(held_out[0]) if in_memory else None)
    assert prepared.metadata.ledger.rows_in == N - len(held_out[0])


def test_the_seed_is_that_of_the_split(split):
    np.testing.assert_array_equal(prepare(DATA).train_rows, split.train_rows)
    assert prepare(DATA, seed=2).train_rows.tolist() != split.train_rows.tolist()


def test_rows_of_a_group_are_on_one_side():
    data = LABELLED.assign(customer=[f"c{i // 5}" for i in range(len(LABELLED))])
    prepared = prepare(data, stages=[pk.Drop("customer"), *STAGES], groups="customer")
    held_out = data.loc[epoch(prepared.validation, DATA)[:, 0]]
    assert set(held_out["customer"]).isdisjoint(data["customer"].iloc[prepared.train_rows])
    assert 0.15 < len(held_out) / len(data) < 0.35


def test_validation_rows_of_ones_own():
    new = frame(50, unlabelled=False, seed=5)
    prepared = prepare(DATA, validation_split=0, validation=new)
    found = epoch(prepared.validation, new)
    np.testing.assert_array_equal(found[:, 0], new["id"])
    assert prepared.train_rows is None
    assert (prepared.metadata.ledger.rows_in, prepared.metadata.ledger.held_out) == (N, 0)
    streamed = prepare(stream(DATA), None, validation_split=0, validation=stream(new))
    np.testing.assert_array_equal(epoch(streamed.validation, new), found)


def test_validation_rows_have_no_weights_of_their_class_and_labels_as_given(split):
    p = np.random.default_rng(0).dirichlet([1, 1], len(split.train_rows))
    clean = pk.CleanLabels("drop", pred_probs=p, min_rows=0)
    prepared = prepare(DATA, stages=[pk.OneHot(), clean, pk.Rebalance(as_sample_weight=True)])
    assert len(prepared.label_issues) > 10
    assert len(prepared.dataset.element_spec) == 3
    assert len(prepared.validation.element_spec) == 2
    held_out = epoch(prepared.validation, DATA)
    assert sorted([*held_out[:, 0], *prepared.train_rows]) == list(range(N))
    assert [CLASSES[c] for c in held_out[:, 1]] == DATA["y"][held_out[:, 0]].tolist()


def test_keras_validates_by_them(split):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Dense(1, "sigmoid")])
    model.compile("sgd", "binary_crossentropy")
    history = model.fit(split.dataset, validation_data=split.validation, shuffle=False, verbose=0).history
    assert set(history) == {"loss", "val_loss"}


def test_they_are_not_saved(split, tmp_path):
    again = pk.load(split.save(tmp_path / "a"))
    assert again.validation is None
    assert again.train_rows is None
    assert again.metadata == split.metadata


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a share above 1": ({"validation_split": 1.5}, "^validation_split=1.5: give the share of rows .*, such as 0.2"),
    "a share of 1": ({"validation_split": 1}, "^validation_split=1: give the share"),
    "a share below 0": ({"validation_split": -0.1}, "^validation_split=-0.1: give the share"),
    "a share of NaN": ({"validation_split": np.nan}, "^validation_split=nan: give the share"),
    "both": ({"validation": DATA}, "^validation= and validation_split= are two ways to the same: give one of them"),
    "groups alone": (
        {"validation_split": 0, "groups": "job"},
        "^groups='job' says which rows a split keeps together: give validation_split=0.2, too",
    ),
    "groups of rows of one's own": (
        {"validation_split": 0, "groups": "job", "validation": DATA},
        "^groups='job' says which rows a split keeps together: give validation_split=0.2",
    ),
    "groups of no column": ({"groups": "jbo"}, "^groups='jbo' is no column of the data: did you mean 'job'"),
    "no labels": (
        {"validation_split": 0, "validation": DATA.drop(columns="y")},
        "^the validation data come without labels, .*: add the column 'y'",
    ),
    "a label missing": (
        {"validation_split": 0, "validation": DATA},
        "^label 'y' is missing, in 20 rows, .* row 3: drop",
    ),
    "a class that training does not have": (
        {"validation_split": 0, "validation": LABELLED.assign(y="perhaps")},
        "^label 'y' is 'perhaps', no class of the training data",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_set_apart(case):
    settings, message = REFUSED[case]
    with pytest.raises(pk.PrepkitError, match=message):
        prepare(DATA, **settings)


def test_data_that_were_resampled_before_the_split_are_refused():
    rare = LABELLED[LABELLED["y"] == "yes"]
    copies = rare.sample(len(LABELLED) - len(rare), replace=True, random_state=0)
    data = pd.concat([LABELLED[LABELLED["y"] == "no"], copies])
    with pytest.raises(
        pk.PrepkitError, match="look resampled already: .* for prepare resamples the training part itself"
    ):
        prepare(data)


# -- nothing leaks ------------------------------------------------------------------------------

RARE, ROWS = 60, 600


def noise(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels that nothing can tell."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(ROWS, 8)).astype(np.float32), rng.permutation(np.arange(ROWS) < RARE).astype(np.int64)


def nearest(x: np.ndarray, y: np.ndarray, new: np.ndarray, truth: np.ndarray) -> float:
    """Balanced accuracy of a memory without any judgement."""
    return float(balanced_accuracy_score(truth, KNeighborsClassifier(1).fit(x, y).predict(new)))


def validated(prepared: pk.Prepared) -> float:
    parts = [[*dataset.as_numpy_iterator()] for dataset in (prepared.dataset, prepared.validation)]
    return nearest(*(np.concatenate(a) for part in parts for a in zip(*part, strict=True)))


def by_chance(share: float, seeds: int) -> float:
    """Four standard errors of the mean over seeds of balanced accuracy: half the sum of two shares of rows."""
    return 4 * 0.25 * (1 / (RARE * share) + 1 / ((ROWS - RARE) * share)) ** 0.5 / seeds**0.5


@pytest.mark.parametrize(
    "kind, source, seeds", [("oversample", "memory", 3), ("SMOTE", "memory", 3), ("oversample", "stream", 1)]
)
def test_of_labels_of_pure_noise_nothing_is_learned_that_holds_for_validation_rows(kind, source, seeds):
    scores = []
    for seed in range(seeds):
        x, y = noise(seed)
        data = (x, y) if source == "memory" else tf.data.Dataset.from_tensor_slices((x, y)).batch(100)
        scores.append(validated(prepare(data, None, [pk.Rebalance(kind)], validation_split=0.3, seed=seed)))
    assert abs(np.mean(scores) - 0.5) < by_chance(0.3, seeds) < 0.25


def test_rows_that_are_repeated_before_a_split_would_have_leaked():
    """So that the test above can fail."""
    scores = []
    for seed in range(3):
        x, y = noise(seed)
        order = np.random.default_rng(seed).permutation(np.r_[np.arange(ROWS), np.repeat(np.flatnonzero(y), 8)])
        train, valid = np.split(order, [int(0.7 * len(order))])
        scores.append(nearest(x[train], y[train], x[valid], y[valid]))
    assert np.mean(scores) > 0.8


def test_groups_do_not_leak():
    """A customer's rows are much alike, and so are their labels, which nothing else can tell."""
    together, apart = [], []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        customer = np.repeat(np.arange(100), 6)
        x = rng.normal(size=(100, 8))[customer] + 0.01 * rng.normal(size=(ROWS, 8))
        y = rng.permutation(np.arange(100) < 30)[customer]
        data = pd.DataFrame(x, columns=list("abcdefgh")).assign(customer=[f"c{c}" for c in customer], y=y)
        for groups, scores in (("customer", together), (None, apart)):
            stages = [pk.Drop("customer"), pk.Rebalance("oversample")]
            scores.append(validated(prepare(data, stages=stages, validation_split=0.3, groups=groups, seed=seed)))
    customers = 4 * 0.25 * (1 / (30 * 0.3) + 1 / (70 * 0.3)) ** 0.5 / 3**0.5  # by_chance, of customers
    assert abs(np.mean(together) - 0.5) < customers < 0.3
    assert np.mean(apart) > 0.95


# -- the threshold ------------------------------------------------------------------------------


def people(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    y = rng.random(n) < 0.15
    return pd.DataFrame({"a": rng.normal(size=n) + 1.2 * y, "b": rng.normal(size=n), "y": np.where(y, "yes", "no")})


@pytest.fixture(scope="module")
def trained() -> tuple[pk.Prepared, keras.Model]:
    prepared = pk.Pipeline([pk.Rescale(), pk.Rebalance("oversample")]).prepare(
        people(800, 0), "y", batch_size=64, validation_split=0.4
    )
    keras.utils.set_random_seed(0)
    bias = keras.initializers.Constant(prepared.metadata.initial_bias)
    model = keras.Sequential([keras.Input([2]), keras.layers.Dense(1, "sigmoid", bias_initializer=bias)])
    model.compile(keras.optimizers.SGD(0.3), "binary_crossentropy")
    model.fit(prepared.dataset, epochs=3, shuffle=False, verbose=0)
    return prepared, model


METRICS: dict[str, Callable[..., float]] = {"balanced_accuracy": balanced_accuracy_score, "f1": f1_score}


def best(y: np.ndarray, p: np.ndarray, metric: str) -> float:
    """The score of the best threshold, by trying them all."""
    return max(METRICS[metric](y, p >= t) for t in [*np.unique(p), 1.1])


@pytest.mark.parametrize("corrected", [True, False])
def test_the_threshold_is_the_best_one_for_what_is_served(corrected, trained):
    prepared, model = trained
    valid = people(300, 1)
    served = prepared.pipeline.attach(model, correct_prior=corrected)
    p = served.predict(valid.drop(columns="y"), verbose=0)[:, 0]
    y = (valid["y"] == "yes").to_numpy()
    found = {m: prepared.threshold(valid, model, metric=m, correct_prior=corrected) for m in METRICS}
    for metric, score in METRICS.items():
        assert score(y, p >= found[metric]) == pytest.approx(best(y, p, metric))
        assert prepared.threshold(valid, probabilities=p, metric=metric) == pytest.approx(found[metric], abs=1e-6)
        of_both = prepared.threshold(valid, probabilities=np.c_[1 - p, p], metric=score)
        assert of_both == pytest.approx(found[metric], abs=0.02)
    assert prepared.threshold(valid, served) == pytest.approx(found["balanced_accuracy"], abs=1e-6)
    # a network that has seen both classes equally often parts them in the middle, until it is corrected
    assert (found["balanced_accuracy"] < 0.3) if corrected else (0.3 < found["balanced_accuracy"] < 0.7)


def test_by_default_the_threshold_is_found_on_the_rows_set_apart(trained):
    prepared, model = trained
    valid = people(800, 0).drop(index=prepared.train_rows)
    found = prepared.threshold(model=model)
    assert found == prepared.threshold(valid, model)
    p = prepared.pipeline.attach(model).predict(valid.drop(columns="y"), verbose=0)[:, 0]
    assert prepared.threshold(probabilities=p) == pytest.approx(found, abs=1e-6)
    assert found != prepared.threshold(people(800, 0).iloc[prepared.train_rows], model)


def test_one_hot_labels_and_two_units(trained):
    prepared, model = trained
    valid = people(300, 1)
    two = prepared.pipeline.recipe.prepare(people(800, 0), "y", labels="one_hot", validation_split=0.4)
    logit = keras.Sequential([keras.Input([2]), keras.layers.Dense(2, "softmax")])
    (kernel, bias), zero = model.layers[0].get_weights(), np.zeros
    logit.layers[0].set_weights([np.c_[zero(2), kernel], np.r_[zero(1), bias]])
    for settings in ({}, {"correct_prior": False}):
        assert two.threshold(valid, logit, **settings) == pytest.approx(
            prepared.threshold(valid, model, **settings), abs=1e-5
        )
    p = np.linspace(0, 1, len(valid))
    assert two.threshold(valid, probabilities=p) == prepared.threshold(valid, probabilities=p)


@pytest.fixture(scope="module")
def three() -> pk.Prepared:
    return pk.Pipeline([]).prepare({"x": np.arange(9.0), "y": list("abc") * 3}, "y", validation_split=0.34)


P = np.linspace(0, 1, 300)
NO_THRESHOLD: dict[str, tuple[Any, dict[str, Any], str]] = {
    "nothing to judge": (people(300, 1), {}, "^threshold: give the model that was trained, or its probabilities: one"),
    "an unknown metric": (people(300, 1), {"probabilities": P, "metric": "auc"}, "^metric='auc' is not known"),
    "no labels": (
        people(300, 1).drop(columns="y"), {"probabilities": P}, "^threshold: the validation data have no labels .*: ad",
    ),
    "probabilities of other rows": (
        people(300, 1), {"probabilities": P[1:]}, "^probabilities are of 299 rows, but y of 300: give those of the",
    ),
    "no probabilities": (people(300, 1), {"probabilities": P * 3}, "^probabilities hold .* lie between 0 and 1: apply"),
    "one class": (people(300, 1).assign(y="no"), {"probabilities": P}, "^y holds only class 0: .*give more rows"),
}  # fmt: skip


@pytest.mark.parametrize("case", NO_THRESHOLD)
def test_where_no_threshold_can_be_found(case, trained):
    valid, settings, message = NO_THRESHOLD[case]
    with pytest.raises(pk.PrepkitError, match=message):
        trained[0].threshold(valid, **settings)


def test_there_is_one_of_two_classes_and_of_validation_rows(three, trained):
    with pytest.raises(pk.PrepkitError, match="^y holds 2, but a threshold parts two classes.*adjusted_loss"):
        three.threshold(probabilities=np.full((3, 3), 1 / 3))
    unsplit = prepare(DATA, validation_split=0)
    with pytest.raises(pk.PrepkitError, match="^threshold: give validation data, or prepare with validation_split=0.2"):
        unsplit.threshold(model=trained[1])
    with pytest.raises(pk.PrepkitError, match="one of the two"):
        trained[0].threshold(model=trained[1], probabilities=P)
