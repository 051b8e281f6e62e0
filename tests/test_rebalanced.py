"""Rare classes from end to end: what an epoch is made of, what weights do to the loss, and what the ledger tells."""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pandera.pandas as pandera
import pytest
import tensorflow as tf
from sklearn.utils.class_weight import compute_class_weight

import prepkit as pk
from tests.cleaning.noisy import noisy
from tests.imbalanced import CLASSES, IN_MEMORY, SOURCES, N, adds_up, epoch, frame, given, stream

DATA = frame()
LABELLED = DATA[DATA["y"].notna()]
DRAWN = [(s, "oversample") for s in SOURCES] + [(s, "undersample") for s in ("frame", "dataset of batches")]
drawings = pytest.mark.parametrize("source, kind", DRAWN)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("sources")


def prepare(source: str, kind: Any, folder: Path, seed: int = 3, **settings: Any) -> pk.Prepared:
    recipe = pk.Pipeline([pk.OneHot(), pk.Rebalance(kind, **settings)])
    return recipe.prepare(*given(source, DATA, folder), batch_size=32, seed=seed)


def of_each_class(rows: np.ndarray) -> tuple[int, ...]:
    return tuple(np.bincount(rows[:, 1], minlength=2).tolist())


# -- drawn rows ---------------------------------------------------------------------------------


@functools.cache
def drawn(source: str, kind: str, folder: Path) -> tuple[pk.Prepared, list[np.ndarray]]:
    """Of each source once, with its first two epochs."""
    prepared = prepare(source, kind, folder)
    return prepared, [epoch(prepared.dataset, DATA) for _ in range(2)]


@drawings
def test_each_epoch_has_exactly_the_rows_of_each_class_that_the_metadata_say(source, kind, folder):
    prepared, epochs = drawn(source, kind, folder)
    metadata, there = prepared.metadata, LABELLED["y"].value_counts()
    n = int(there.max() if kind == "oversample" else there.min())
    assert metadata.counts == (n, n)
    assert metadata.counts_before == metadata.counts_cleaned == tuple(there[list(CLASSES)])
    for rows in epochs:
        assert of_each_class(rows) == metadata.counts
        assert [CLASSES[c] for c in rows[:, 1]] == DATA["y"][rows[:, 0]].tolist()
    sizes = [len(y) for _, y in prepared.dataset]
    assert len(sizes) == metadata.steps_per_epoch == prepared.dataset.cardinality() == -(-2 * n // 32)
    assert set(sizes[:-1]) <= {32}


@drawings
def test_each_epoch_has_other_rows_and_the_ledger_counts_them(source, kind, folder):
    prepared, (first, second) = drawn(source, kind, folder)
    ledger, common = prepared.metadata.ledger, int((LABELLED["y"] == "no").sum())
    rare = len(LABELLED) - common
    often = [np.bincount(rows[:, 0], minlength=N) for rows in (first, second)]
    assert (often[0] != often[1]).any()
    assert adds_up(prepared.metadata)
    assert (ledger.rows_in, ledger.refused) == (N, {"label missing": N - len(LABELLED)})
    assert ledger.row_numbers == {"label missing": tuple(range(3, N, 10))}
    if kind == "oversample":  # all are there, and of a class none comes twice as often as another
        assert ledger.added == {"repeated": common - rare}
        for times in often:
            assert set(times[LABELLED.index[LABELLED["y"] == "no"]]) == {1}
            assert set(times[LABELLED.index[LABELLED["y"] == "yes"]]) == {common // rare, -(-common // rare)}
    else:
        assert ledger.added == {}
        assert ledger.dropped == {"left out by undersampling, others in each epoch": common - rare}
        assert all(times.max() == 1 for times in often)


@pytest.mark.parametrize("source", ["frame", "Parquet", "dataset of batches"])
def test_equal_seeds_give_equal_epochs_also_of_rows_that_were_saved(source, folder, tmp_path):
    prepared, epochs = drawn(source, "oversample", folder)
    again = prepare(source, "oversample", folder)
    for rows in epochs:
        np.testing.assert_array_equal(epoch(again.dataset, DATA), rows)
    saved = prepared.save(tmp_path / "saved")
    loaded, twice = pk.load(saved), pk.load(saved)
    assert loaded.metadata == prepared.metadata
    assert loaded.dataset.cardinality() == prepared.dataset.cardinality()
    for rows in epochs:
        found = epoch(loaded.dataset, DATA)
        np.testing.assert_array_equal(found, epoch(twice.dataset, DATA))
        assert of_each_class(found) == prepared.metadata.counts
        if source in IN_MEMORY:  # streams are shuffled within windows, and once saved are in memory
            np.testing.assert_array_equal(found, rows)


def test_another_seed_gives_other_epochs(folder):
    _, epochs = drawn("frame", "oversample", folder)
    other = epoch(prepare("frame", "oversample", folder, seed=4).dataset, DATA)
    assert all((np.bincount(other[:, 0]) != np.bincount(rows[:, 0])).any() for rows in epochs)


@pytest.mark.parametrize("source", ["frame", "dataset of batches"])
def test_balanced_batches_have_the_shares_of_the_epoch(source, folder):
    prepared = prepare(source, "oversample", folder, sampling_strategy=0.5, balanced_batches=True)
    assert prepared.metadata.counts == (155, 77)
    for _, y in prepared.dataset.as_numpy_iterator():
        assert abs(np.sum(y) - len(y) * 77 / 232) < 2


@pytest.mark.parametrize("source", ["frame", "dataset of batches"])
def test_rows_that_are_drawn_keep_their_weights(source):
    features, weight = DATA.drop(columns="y"), DATA["id"] + 1
    given = (features, DATA["y"], weight)
    if source != "frame":
        given = stream(DATA).map(lambda x, y: (x, y, x["id"] + 1))
    prepared = pk.Pipeline([pk.OneHot(), pk.Rebalance("oversample")]).prepare(given, batch_size=64)
    rows = list(prepared.dataset.as_numpy_iterator())
    assert sum(len(w) for *_, w in rows) == sum(prepared.metadata.counts)
    for x, _, w in rows:
        np.testing.assert_array_equal(w, x[:, 0] + 1)
    assert prepared.metadata.class_weight is None  # Keras refuses it beside weights of the rows


@pytest.mark.parametrize("kind", ["class_weight", "undersample", "SMOTE"])
def test_validation_and_serving_do_not_know_of_it(kind):
    columns = ["pay", "job", "y"]
    new = frame(70, unlabelled=False, seed=1)[columns]
    plain = pk.Pipeline([pk.Rescale(), pk.OneHot()]).fit(DATA[columns], "y")
    recipe = pk.Pipeline([pk.Rescale(), pk.OneHot(), pk.Rebalance(kind)])
    prepared = recipe.prepare(DATA[columns], "y", batch_size=32, validation=new)
    expected = [(x.tobytes(), y.tobytes()) for x, y in plain.transform(new, 32).as_numpy_iterator()]
    assert len(expected) == 3
    for dataset in (
        prepared.validation,
        prepared.pipeline.transform(new, 32),
        recipe.fit(DATA[columns], "y").transform(new, 32),
        stream(new).apply(prepared.pipeline),
    ):
        assert [(x.tobytes(), y.tobytes()) for x, y in dataset.as_numpy_iterator()] == expected


# -- class weights ------------------------------------------------------------------------------

X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
Y = np.random.default_rng(1).permutation(np.arange(40) < 7).astype(np.int64)
FORMS: dict[str, np.ndarray] = {
    "integers": Y,
    "a column of integers": Y[:, None],
    "booleans": Y.astype(bool),
    "strings": np.array(["no", "yes"], object)[Y],
    "one-hot": np.eye(2, dtype=np.float32)[Y],
}
GIVEN = {"no": 1, "yes": 5.0}


@pytest.fixture(scope="module")
def models() -> dict[str, keras.Model]:
    """That do not learn, for labels as numbers and one-hot."""
    out = {}
    for labels, units, activation, loss in (
        ("int", 1, "sigmoid", "binary_crossentropy"),
        ("one_hot", 2, "softmax", "categorical_crossentropy"),
    ):
        keras.utils.set_random_seed(0)
        out[labels] = keras.Sequential([keras.Input([3]), keras.layers.Dense(units, activation)])
        out[labels].compile(keras.optimizers.SGD(0.0), loss)
    return out


def loss_of(model: keras.Model, prepared: pk.Prepared) -> float:
    """Of an epoch that is one batch."""
    assert prepared.metadata.steps_per_epoch == 1
    fit = model.fit(prepared.dataset, class_weight=prepared.metadata.class_weight, shuffle=False, verbose=0)
    return float(fit.history["loss"][0])


def surprise(model: keras.Model, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The cross entropy of each row, float64."""
    p = model.predict(x, verbose=0).astype(np.float64)
    p = np.concatenate([1 - p, p], 1) if p.shape[1] == 1 else p
    return -np.log(p[np.arange(len(y)), y])


@pytest.mark.parametrize("form, labels", [*((f, "int") for f in FORMS), ("strings", "one_hot"), ("one-hot", "one_hot")])
def test_the_weighted_loss_is_the_one_computed_by_hand(form, labels, models):
    y = FORMS[form]
    given: Any = (X, y) if labels == "int" else tf.data.Dataset.from_tensor_slices((X, y)).batch(16)
    w = compute_class_weight("balanced", classes=np.array([0, 1]), y=Y)
    by_hand = np.mean(w[Y] * surprise(models[labels], X, Y))
    assert by_hand != pytest.approx(np.mean(surprise(models[labels], X, Y)), rel=0.01)
    for folded in (False, True):
        recipe = pk.Pipeline([pk.Rebalance("class_weight", as_sample_weight=folded)], labels=labels)
        prepared = recipe.prepare(given, batch_size=64)
        assert (prepared.metadata.class_weight is None) == folded == (len(prepared.dataset.element_spec) == 3)
        assert prepared.metadata.training_prior == pytest.approx((0.5, 0.5))
        assert loss_of(models[labels], prepared) == pytest.approx(by_hand, rel=1e-5)


WEIGHTINGS: dict[str, tuple[dict[str, Any], Any]] = {
    "balanced": ({}, lambda n: 1 / n),
    "sqrt": ({"class_weight": "sqrt"}, lambda n: n**-0.5),
    "effective": ({"class_weight": "effective", "beta": 0.9}, lambda n: 0.1 / (1 - 0.9**n)),
    "given": ({"class_weight": GIVEN}, lambda n: np.array([1.0, 5.0])),
}


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_each_weighting_has_mean_one_over_the_rows_and_the_loss_its_size(weighting, models):
    settings, by_count = WEIGHTINGS[weighting]
    n = np.bincount(Y)
    w = by_count(n.astype(float))
    w = w * len(Y) / (w * n).sum()
    prepared = pk.Pipeline([pk.Rebalance(**settings)]).prepare((X, FORMS["strings"]), batch_size=64)
    assert prepared.metadata.class_weight == pytest.approx(dict(enumerate(w)))
    assert sum(prepared.metadata.class_weight[i] * n[i] for i in (0, 1)) == pytest.approx(len(Y))
    assert loss_of(models["int"], prepared) == pytest.approx(np.mean(w[Y] * surprise(models["int"], X, Y)), rel=1e-5)


@pytest.mark.parametrize("source", ["arrays", "dataset of batches"])
def test_folded_weights_are_multiplied_with_those_of_the_rows(source, models):
    own = np.linspace(0, 2, len(Y))  # a weight of 0, too
    given: Any = (X, Y, own) if source == "arrays" else tf.data.Dataset.from_tensor_slices((X, Y, own)).batch(7)
    w = compute_class_weight("balanced", classes=np.array([0, 1]), y=Y)
    for settings in ({}, {"as_sample_weight": True}):
        prepared = pk.Pipeline([pk.Rebalance(**settings)]).prepare(given, batch_size=64)
        assert prepared.metadata.class_weight is None
        by_hand = np.mean(own * w[Y] * surprise(models["int"], X, Y))
        assert loss_of(models["int"], prepared) == pytest.approx(by_hand, rel=1e-5)


@pytest.mark.parametrize("folded", [False, True])
def test_a_class_without_rows_has_a_weight_too(folded):
    y = np.array([0, 0, 0, 2, 2, 3])
    recipe = pk.Pipeline([pk.Rebalance(as_sample_weight=folded)], labels="one_hot")
    prepared = recipe.prepare((X[:6], np.eye(4)[y]))
    by_class = prepared.pipeline.metadata.class_weight
    assert by_class == pytest.approx({0: 2 / 3, 1: 1.0, 2: 1.0, 3: 2.0})
    assert prepared.metadata.class_weight == (None if folded else by_class)
    if folded:
        ((_, one_hot, w),) = prepared.dataset.as_numpy_iterator()
        np.testing.assert_allclose(w, [by_class[c] for c in one_hot.argmax(1)])


@pytest.mark.parametrize("action", ["drop", "weight"])
def test_weights_and_draws_are_of_the_counts_once_labels_are_cleaned(action):
    data = noisy(150, 30)
    rare = pd.concat([data.frame[data.frame["y"] != "cat"], data.frame[data.frame["y"] == "cat"][:12]])
    clean = pk.CleanLabels(action, pred_probs=data.probabilities[rare.index], min_rows=0)
    found = pk.Pipeline([clean]).prepare(rare, "y").label_issues
    assert len(found) > 10
    clean = replace(clean, confirmed=dict(found["suggested"][:5]))  # these are given another label
    weighed = pk.Pipeline([clean, pk.Rebalance("class_weight")]).prepare(rare, "y", batch_size=32)
    m, by_class = weighed.metadata, weighed.pipeline.metadata.class_weight
    labels = np.concatenate([b[1] for b in weighed.dataset.as_numpy_iterator()])
    there = np.bincount(labels, minlength=3)
    assert m.counts == m.counts_cleaned == tuple(there) != m.counts_before
    assert (sum(there) == len(rare)) == (action == "weight")
    w = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    assert by_class == pytest.approx(dict(enumerate(w)))
    drawn = pk.Pipeline([clean, pk.Rebalance("oversample")]).prepare(rare, "y", batch_size=32)
    assert drawn.metadata.counts == (there.max(),) * 3
    labels = np.concatenate([b[1] for b in drawn.dataset.as_numpy_iterator()])
    assert np.bincount(labels).tolist() == [there.max()] * 3
    assert adds_up(m) and adds_up(drawn.metadata)
    if action == "weight":  # that of the label, times that of the class
        own = {x[0]: w for x, _, w in rows_of(pk.Pipeline([clean]).prepare(rare, "y"))}
        for x, c, weight in rows_of(weighed):
            assert weight == pytest.approx(own[x[0]] * by_class[c], rel=1e-5)


def rows_of(prepared: pk.Prepared) -> list[tuple[Any, ...]]:
    """Each row of an epoch: features, class number, and weight if there is one."""
    return [row for batch in prepared.dataset.as_numpy_iterator() for row in zip(*batch, strict=True)]


# -- samplers -----------------------------------------------------------------------------------

SCHEMA = pandera.DataFrameSchema({"c": pandera.Column(float, pandera.Check.lt(100))})


@pytest.fixture(scope="module")
def people() -> tuple[pd.DataFrame, np.ndarray]:
    """Rows with an `a` of their own, and probabilities; some break a rule, have no label, or a wrong one."""
    data = noisy(160, 24, names=("no", "yes"), apart=1.5)
    rare = np.sort(np.concatenate([np.flatnonzero(data.given == 0), np.flatnonzero(data.given == 1)[:40]]))
    out = data.frame.iloc[rare].reset_index(drop=True).assign(c=1.0, job=np.where(np.arange(len(rare)) % 2, "x", "z"))
    out.loc[5::20, "c"] = 200.0
    out.loc[7::20, "y"] = None
    return out, data.probabilities[rare]


def as_batches(data: pd.DataFrame, size: int = 16) -> tf.data.Dataset:
    return stream(data.astype(dict.fromkeys(("a", "b"), np.float32)), size)


@pytest.mark.parametrize(
    "sampler, source",
    [
        ("TomekLinks", "frame"),
        ("RandomUnderSampler", "dataset"),
        ("RandomOverSampler", "frame"),
        ("SMOTE", "dataset"),
        ("SMOTEENN", "frame"),
    ],
)
def test_the_ledger_tells_of_every_row_what_became_of_it(sampler, source, people):
    data, p = people
    stages = [
        pk.Validate(SCHEMA, "drop"),
        pk.Drop("c"),
        pk.OneHot(),
        pk.CleanLabels("drop", pred_probs=p, min_rows=0),
        pk.Rebalance(sampler),
    ]
    given = (data, "y") if source == "frame" else (as_batches(data), None)
    prepared = pk.Pipeline(stages).prepare(*given, batch_size=32)
    metadata, ledger = prepared.metadata, prepared.metadata.ledger
    x, y = (np.concatenate(part) for part in zip(*prepared.dataset.as_numpy_iterator(), strict=True))
    number = {a: i for i, a in enumerate(data["a"].astype(np.float32).tolist())}
    rows = [number.get(a, -1) for a in x[:, 0].tolist()]  # -1: made
    trained = Counter(row for row in rows if row >= 0)
    # of every row that was read, one thing
    out = {why: set(numbers) for why, numbers in ledger.row_numbers.items()}
    assert {why: len(numbers) for why, numbers in out.items()} == {**ledger.refused, **ledger.dropped}
    assert sorted([*trained, *(row for numbers in out.values() for row in numbers)]) == list(range(len(data)))
    assert out["label missing"] == set(data.index[7::20])
    assert set(data.index[5::20]) in out.values()
    assert out["label doubted"] == set(prepared.label_issues["row"]) != set()
    left_out = out.get(f"left out by {sampler}", set())
    assert bool(left_out) == (sampler in ("TomekLinks", "RandomUnderSampler", "SMOTEENN"))
    # and of an epoch, what it is made of
    assert adds_up(metadata)
    assert ledger.trained == len(trained)
    assert ledger.added.get("repeated", 0) == sum(trained.values()) - len(trained)
    assert ledger.added.get("synthetic", 0) == rows.count(-1)
    assert bool(rows.count(-1)) == ("SMOTE" in sampler)
    assert tuple(np.bincount(y)) == metadata.counts
    truth = data["y"].map(list(CLASSES).index, na_action="ignore")
    assert all(truth[row] == c for row, c in zip(rows, y, strict=True) if row >= 0)
    # one-hot columns of rows that were made are whole
    assert np.isin(x[:, 2:], (0, 1)).all()
    np.testing.assert_array_equal(x[:, 2:].sum(1), 1)


def test_what_a_sampler_makes_is_the_same_for_equal_seeds_and_from_any_source(people, tmp_path):
    data = people[0].drop(columns="c").astype(dict.fromkeys(("a", "b"), np.float32))
    data.to_parquet(tmp_path / "a.parquet", row_group_size=30)
    recipe = pk.Pipeline([pk.Rescale(), pk.OneHot(), pk.Rebalance("SMOTE")])

    def rows(given: Any, label: str | None = None, seed: int = 1) -> np.ndarray:
        prepared = recipe.prepare(given, label, seed=seed, batch_size=32)
        return np.concatenate([np.c_[x, y] for x, y in prepared.dataset.as_numpy_iterator()])

    first = rows(data, "y")
    np.testing.assert_array_equal(rows(data, "y"), first)
    np.testing.assert_array_equal(rows(tmp_path / "a.parquet", "y"), first)
    np.testing.assert_array_equal(rows(as_batches(data)), first)
    other = rows(data, "y", seed=2)
    assert other.shape == first.shape
    assert (np.sort(other, axis=0) != np.sort(first, axis=0)).any()


@pytest.mark.parametrize("kind", ["oversample", "undersample", "RandomOverSampler", "RandomUnderSampler"])
def test_images_are_resampled_by_index(kind):
    images = np.random.default_rng(0).integers(0, 256, (30, 4, 4, 3)).astype(np.uint8)
    y = np.arange(30) % 5 == 0
    prepared = pk.Pipeline([pk.Rescale("unit"), pk.Rebalance(kind)]).prepare((images, y), batch_size=16)
    known = {image.tobytes(): label for image, label in zip(images, y, strict=True)}
    rows = rows_of(prepared)
    assert all(known[np.rint(x * 255).astype(np.uint8).tobytes()] == c for x, c in rows)
    n = 24 if "over" in kind.lower() else 6
    assert [sum(c == i for _, c in rows) for i in (0, 1)] == [n, n] == list(prepared.metadata.counts)
    assert prepared.metadata.ledger.added.get("synthetic", 0) == 0


@pytest.mark.parametrize("sampler", ["RandomOverSampler", "TomekLinks"])
def test_weights_go_with_rows_that_a_sampler_chooses(sampler, people):
    data = people[0].dropna()
    weight = np.linspace(1, 2, len(data))
    given = (data[["a", "b"]], data["y"], weight)
    prepared = pk.Pipeline([pk.Rebalance(sampler)]).prepare(given, batch_size=32)
    own = dict(zip(data["a"].astype(np.float32).tolist(), weight, strict=True))
    rows = rows_of(prepared)
    assert len(rows) == sum(prepared.metadata.counts) != len(data)
    assert [w for *_, w in rows] == pytest.approx([own[x[0]] for x, *_ in rows])


def test_rows_that_are_made_as_a_dict(people):
    """Ids are those of categories, and strings those of some row."""
    data = people[0].dropna().assign(note=lambda d: [f"remark {i % 7}" for i in range(len(d))])
    recipe = pk.Pipeline([pk.Rescale(columns=["a", "b"]), pk.Lookup(columns="job"), pk.Rebalance("SMOTE")], "dict")
    prepared = recipe.prepare(data.drop(columns="c"), "y", batch_size=32, kinds={"note": "text"})
    plain = prepared.pipeline.transform(data)
    assert prepared.dataset.element_spec == plain.element_spec
    x = {n: np.concatenate([b[0][n] for b in prepared.dataset.as_numpy_iterator()]) for n in ("a", "job", "note")}
    there = {n: np.concatenate([b[0][n] for b in plain.as_numpy_iterator()]) for n in x}
    assert len(x["a"]) - np.isin(x["a"], there["a"]).sum() == prepared.metadata.ledger.added["synthetic"] > 10
    for name in ("job", "note"):
        assert set(x[name].ravel().tolist()) == set(there[name].ravel().tolist())
    assert np.isfinite(x["a"]).all() and x["a"].min() >= there["a"].min() and x["a"].max() <= there["a"].max()


def test_rows_are_made_for_training_alone(people):
    data = people[0].dropna().drop(columns=["c", "job"])
    recipe = pk.Pipeline([pk.Rebalance("SMOTE")])
    prepared = recipe.prepare(data, "y", validation_split=0.3, batch_size=32)
    own = dict(zip(data["a"].astype(np.float32).tolist(), data["y"].map(list(CLASSES).index), strict=True))
    rows = [(a, c) for x, y in prepared.validation.as_numpy_iterator() for a, c in zip(x[:, 0], y, strict=True)]
    assert len(rows) == round(0.3 * len(data))
    assert all(own[a] == c for a, c in rows)
    seen = {x[0] for x, _ in rows_of(prepared)}
    assert seen.isdisjoint(a for a, _ in rows)
    assert prepared.metadata.ledger.added["synthetic"] > 0
