"""`CleanLabels` in a recipe: its settings, what becomes of every row, and what is saved."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pandera.pandas as pandera
import pytest
import tensorflow as tf

import prepkit as pk
from prepkit.cleaning import detect
from prepkit.core import ColumnStage, TrainingStage
from prepkit.metadata import Metadata
from prepkit.rows.clean_labels import FILTERS, RANKS
from tests.cleaning.noisy import NAMES, assert_rows, expected, noisy, prepared, rows_of

DATA = noisy()
P = DATA.probabilities


def model():
    """Of a module, so that pickling is no matter."""
    raise AssertionError("never called here")


# -- settings -----------------------------------------------------------------------------------


def test_names_are_those_of_the_modules_that_do_it():
    assert set(FILTERS) == set(detect.FILTERS)
    assert set(RANKS) == set(detect.RANKS)
    assert issubclass(pk.CleanLabels, TrainingStage)
    assert not issubclass(pk.CleanLabels, ColumnStage)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"action": "clean"}, "action='clean': choose from 'auto'"),
        ({"action": None}, "action=None"),
        ({"filter_by": "prune"}, "filter_by='prune': choose from 'prune_by_noise_rate'"),
        ({"rank": "margin"}, "rank='margin': choose from 'self_confidence'"),
        ({"model": model, "pred_probs": P}, "model and pred_probs are two sources"),
        ({"model": "mlp"}, "model='mlp': give a function"),
        ({"model": tf.keras.Sequential()}, "model is a Keras model, whose weights would go from fold to fold"),
        ({"folds": 1}, "folds=1: give a whole number, 2 or more"),
        ({"folds": 2.5}, "folds=2.5"),
        ({"folds": True}, "folds=True"),
        ({"min_rows": -1}, "min_rows=-1: give a whole number, 0 or more"),
        ({"epochs": 0}, "epochs=0: give a whole number, 1 or more"),
        ({"max_share": 1.5}, "max_share=1.5: give a share of a class"),
        ({"max_share": float("nan")}, "max_share=nan"),
        ({"max_share": True}, "max_share=True"),
        ({"max_share": "half"}, "max_share='half'"),
        ({"groups": 3}, "groups=3: give the name of a column"),
        ({"id": ["a"]}, r"id=\['a'\]: give the name of a column"),
        ({"revert": "00000000000000ff"}, "revert='00000000000000ff': give a list of keys"),
        ({"revert": b"00000000000000ff"}, "revert=b'00000000000000ff': give a list of keys"),
        ({"revert": 255}, "revert=255: give a list of keys"),
        ({"revert": None}, "revert=None: give a list of keys"),
        ({"confirmed": ["00000000000000ff"]}, "confirmed: give a dict"),
        ({"confirmed": {"ff": "a"}, "revert": ["ff"]}, "'ff' is in revert and in confirmed"),
    ],
)
def test_settings_that_are_none(settings, told):
    with pytest.raises(pk.PrepkitError, match=f"^CleanLabels: {told}"):
        pk.CleanLabels(**settings)


def test_settings_that_are_numbers_of_numpy():
    stage = pk.CleanLabels(folds=np.int64(3), max_share=np.float32(0.5), min_rows=np.int32(2))
    again = pk.Pipeline.from_json(pk.Pipeline([stage]).to_json()).stages[0]
    assert again == pk.CleanLabels(folds=3, max_share=0.5, min_rows=2)


def test_keys_may_come_as_an_index():
    keys = pd.Index(["00000000000000ff", "00000000000000fe"])
    assert pk.CleanLabels(revert=keys).revert == tuple(keys)
    assert pk.CleanLabels(revert=keys.to_numpy()).revert == tuple(keys)


@pytest.mark.parametrize(
    ("stages", "told"),
    [
        ([pk.Rebalance(), pk.CleanLabels()], r"in stage 2 of 2 \(CleanLabels\): it stands behind Rebalance"),
        ([pk.CleanLabels(), pk.CleanLabels()], r"in stage 2 of 2 \(CleanLabels\)"),
        ([pk.CleanLabels(), pk.Rescale()], r"in stage 2 of 2 \(Rescale\): .* stands behind CleanLabels"),
    ],
)
def test_where_it_stands(stages, told):
    with pytest.raises(pk.PrepkitError, match=told):
        pk.Pipeline(stages)


# -- what becomes of every row ------------------------------------------------------------------

REFUSED = 9  # the row that breaks the rule
UNLABELLED = [4, 60]


def odd_frame():
    frame = DATA.frame.astype({"y": object}).assign(c=np.arange(150) % 7.0)
    frame.loc[UNLABELLED, "y"] = None
    frame.loc[REFUSED, "c"] = 99.0
    return frame


def sources(frame, tmp_path):
    """The same rows from wherever they may come."""
    frame.to_csv(tmp_path / "rows.csv", index=False)
    frame.to_parquet(tmp_path / "rows.parquet")
    x = {name: frame[name].to_numpy() for name in ("a", "b", "c")}
    y = frame["y"].fillna("").to_numpy(str)
    yield "frame", frame, "y"
    yield "arrays", (x, frame["y"].to_numpy()), None
    yield "csv", str(tmp_path / "rows.csv"), "y"
    yield "parquet", str(tmp_path / "rows.parquet"), "y"
    yield "dataset", tf.data.Dataset.from_tensor_slices((x, y)).batch(13), None


def with_rules(*more, **settings):
    rules = pandera.DataFrameSchema({"c": pandera.Column(float, pandera.Check.le(10))})
    return pk.Pipeline([pk.Validate(rules), pk.Drop("c"), pk.CleanLabels(**settings), *more])


@pytest.mark.parametrize("action", ["report", "drop", "weight"])
def test_every_row_is_accounted_for_wherever_it_comes_from(action, tmp_path):
    frame, issues = odd_frame(), {}
    for name, data, label in sources(frame, tmp_path):
        found = with_rules(action=action, pred_probs=P).prepare(data, label, batch_size=17)
        issues[name], ledger = found.label_issues, found.metadata.ledger
        assert ledger.rows_in == 150 == ledger.trained + sum(ledger.refused.values()) + sum(ledger.dropped.values())
        assert sum(ledger.refused.values()) == 3
        left_out = sorted(issues[name]["row"][issues[name]["action"] == "drop"])
        assert ledger.dropped == ({"label doubted": len(left_out)} if left_out else {})
        assert ledger.row_numbers.get("label doubted", ()) == tuple(left_out)
        wanted = expected(frame.drop(index=REFUSED), issues[name], NAMES)
        assert_rows(found.dataset, wanted)
        assert ledger.trained == len(wanted)
        counts = np.bincount([label for label, _ in wanted.values()])
        assert found.metadata.counts == tuple(counts)
        assert found.metadata.prior == pytest.approx(counts / counts.sum())
        assert found.metadata.advice.initial_bias == pytest.approx(np.log(counts / counts.sum()))
        assert found.metadata.counts_before == tuple(frame.drop(index=REFUSED)["y"].value_counts().sort_index())
        assert found.metadata.steps_per_epoch == -(-len(wanted) // 17) == sum(1 for _ in found.dataset)
        assert len(found.dataset.element_spec) == (3 if action == "weight" else 2)
    assert len(issues["frame"]) >= 10
    assert not set(issues["frame"]["row"]) & {REFUSED, *UNLABELLED}
    assert set(issues["frame"]["action"]) == {"keep" if action == "report" else action}
    for name, of_source in issues.items():
        pd.testing.assert_frame_equal(of_source, issues["frame"], obj=name)  # keys, order and all


@pytest.mark.parametrize("action", ["drop", "weight"])
@pytest.mark.parametrize("seed", [0, 1])
def test_decisions_do_not_depend_on_order_or_batches(action, seed):
    """Of rows, with their probabilities, and of columns; nor does another split into chunks matter."""
    first = prepared(DATA.frame, action=action, pred_probs=P)
    order = np.random.default_rng(seed).permutation(150)
    frame = DATA.frame.iloc[order][["y", "b", "a"]].reset_index(drop=True)
    second = prepared(frame, action=action, pred_probs=P[order], batch_size=7, seed=5)
    x, y = {name: frame[name].to_numpy() for name in "ba"}, frame["y"].to_numpy(str)
    stream = tf.data.Dataset.from_tensor_slices((x, y)).batch(11)
    third = prepared(stream, None, action=action, pred_probs=P[order], batch_size=64)
    for other in (second, third):
        issues = other.label_issues.assign(row=order[other.label_issues["row"]])
        pd.testing.assert_frame_equal(issues, first.label_issues)
    kept = rows_of(first.dataset)
    b_of = dict(zip(DATA.frame["a"].tolist(), DATA.frame["b"].tolist(), strict=True))
    assert rows_of(second.dataset) == {b_of[a]: what for a, what in kept.items()}  # by b, which comes first there


def test_relabelled_rows_reach_the_dataset():
    found = prepared(DATA.frame, action="relabel", pred_probs=P)
    issues = found.label_issues
    moved = issues["action"] == "relabel"
    assert moved.sum() >= 10
    assert set(issues["action"]) <= {"relabel", "keep"}
    assert (issues["suggested"] != issues["given"])[moved].all()
    assert rows_of(found.dataset) == expected(DATA.frame, issues, NAMES)
    assert found.metadata.ledger.trained == 150
    assert found.metadata.ledger.dropped == {}
    counts = np.bincount([label for label, _ in rows_of(found.dataset).values()])
    assert found.metadata.counts == tuple(counts) != found.metadata.counts_before
    assert sum(1 for _ in found.dataset) == found.metadata.steps_per_epoch == 5


@pytest.mark.parametrize("stream", [False, True])
def test_weights_of_rows_are_multiplied(stream):
    weights = np.random.default_rng(1).uniform(0.5, 3, 150).astype(np.float32)
    x, y = {"a": DATA.frame["a"].to_numpy(), "b": DATA.frame["b"].to_numpy()}, DATA.frame["y"].to_numpy(str)
    data = (x, y, weights)
    if stream:
        data = tf.data.Dataset.from_tensor_slices(data).batch(20)
    found = prepared(data, None, action="weight", pred_probs=P)
    assert (found.label_issues["weight"] < 0.5).sum() >= 10
    assert_rows(found.dataset, expected(DATA.frame, found.label_issues, NAMES, weights))


@pytest.mark.parametrize("stream", [False, True])
def test_weights_of_classes_are_folded_into_those_of_rows(stream):
    data = noisy(150, 15)
    keep = np.flatnonzero((data.true != 2) | (np.arange(150) % 2 == 0))  # one class is rarer
    frame, p = data.frame.iloc[keep].reset_index(drop=True), data.probabilities[keep]
    x, y = {name: frame[name].to_numpy() for name in "ab"}, frame["y"].to_numpy(str)
    rows = tf.data.Dataset.from_tensor_slices((x, y)).batch(20) if stream else (x, y)
    for action in ("weight", "drop"):
        stages = [pk.CleanLabels(action, pred_probs=p, min_rows=5), pk.Rebalance()]
        found = pk.Pipeline(stages).prepare(rows, batch_size=32)
        plain = expected(frame, found.label_issues, NAMES)
        counts = np.bincount([label for label, _ in plain.values()])
        by_class = counts.sum() / (3 * counts)
        if action == "weight":
            assert found.metadata.class_weight is None
            wanted = {a: (label, weight * by_class[label]) for a, (label, weight) in plain.items()}
        else:
            assert found.metadata.class_weight == pytest.approx(dict(enumerate(by_class)))
            wanted = plain
        assert len(found.dataset.element_spec) == (3 if action == "weight" else 2)
        assert_rows(found.dataset, wanted)


@pytest.mark.parametrize("action", ["drop", "weight", "relabel"])
def test_other_rows_are_never_touched(action):
    """Not even the training rows, where they come to be evaluated."""
    found = prepared(DATA.frame, action=action, pred_probs=P)
    assert len(found.cleaning.decisions) >= 10
    given = {float(a): (int(label), 1.0) for a, label in zip(DATA.frame["a"], DATA.given, strict=True)}
    assert rows_of(found.pipeline.transform(DATA.frame)) == given
    x, y = {name: DATA.frame[name].to_numpy() for name in "ab"}, DATA.frame["y"].to_numpy(str)
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(16)
    assert rows_of(dataset.apply(found.pipeline)) == given
    assert rows_of(found.pipeline.transform(dataset)) == given


@pytest.mark.parametrize("labels", ["int", "one_hot"])
def test_form_of_labels(labels):
    recipe = pk.Pipeline([pk.CleanLabels("relabel", pred_probs=P)], labels=labels)
    found = recipe.prepare(DATA.frame, "y")
    wanted = expected(DATA.frame, found.label_issues, NAMES)
    for x, y in found.dataset.as_numpy_iterator():
        numbers = y if labels == "int" else y.argmax(1)
        assert [wanted[a][0] for a in x[:, 0].tolist()] == numbers.tolist()


def test_an_epoch_is_like_the_other():
    found = prepared(DATA.frame, action="drop", pred_probs=P)
    first, second = ([x[:, 0] for x, _ in found.dataset.as_numpy_iterator()] for _ in range(2))
    assert sorted(np.concatenate(first)) == sorted(np.concatenate(second))
    assert np.concatenate(first).tolist() != np.concatenate(second).tolist()


# -- on disk ------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["report", "drop", "weight"])
def test_saved_and_loaded(action, tmp_path):
    found = prepared(DATA.frame, action=action, pred_probs=P)
    found.save(tmp_path / "saved")
    loaded = pk.load(tmp_path / "saved")
    pd.testing.assert_frame_equal(loaded.label_issues, found.label_issues)
    csv = pd.read_csv(tmp_path / "saved" / "label_issues.csv", dtype={"key": str}).set_index("key")
    pd.testing.assert_frame_equal(csv.astype({"weight": float}), found.label_issues, rtol=1e-12)
    assert all(re.fullmatch("[0-9a-f]{16}", key) for key in csv.index)
    assert loaded.metadata == found.metadata
    assert loaded.metadata.cleaning == json.loads(json.dumps(found.metadata.cleaning))
    assert loaded.cleaning is None
    assert rows_of(loaded.dataset) == rows_of(found.dataset) == expected(DATA.frame, found.label_issues, NAMES)
    loaded.save(tmp_path / "again")
    pd.testing.assert_frame_equal(pk.load(tmp_path / "again").label_issues, found.label_issues)


def test_saved_and_loaded_with_weights_of_classes(tmp_path):
    recipe = pk.Pipeline([pk.CleanLabels("weight", pred_probs=P), pk.Rebalance()])
    found = recipe.prepare(DATA.frame, "y")
    found.save(tmp_path / "saved")
    assert rows_of(pk.load(tmp_path / "saved").dataset) == rows_of(found.dataset)


def test_nothing_doubted_is_saved_too(tmp_path):
    data = noisy(90, 0, apart=20.0)
    found = prepared(data.frame, action="drop", pred_probs=data.probabilities)
    assert len(found.label_issues) == 0
    assert found.cleaning.taken == "nothing"
    found.save(tmp_path / "saved")
    loaded = pk.load(tmp_path / "saved").label_issues
    assert loaded.columns.tolist() == found.label_issues.columns.tolist()
    assert len(loaded) == 0
    assert loaded.index.name == "key"


def test_metadata_both_ways():
    found = prepared(DATA.frame, action="relabel", pred_probs=P).metadata
    assert Metadata.from_json(found.to_json()) == found
    told = json.loads(found.to_json())["cleaning"]
    assert told["action"] == "relabel"
    assert told["doubted"] == sum(pair["doubted"] for pair in told["pairs"])
    assert len(told["noise_matrix"]) == 3
    assert [c["action"] for c in told["candidates"] if c["taken"]] == [told["taken"]]


@pytest.mark.parametrize("name", ["model", "pred_probs"])
def test_a_recipe_with_what_is_run_by_is_not_text(name):
    with pytest.raises(pk.PrepkitError, match=f"CleanLabels: {name} is not saved with a recipe"):
        pk.Pipeline([pk.CleanLabels(**{name: model if name == "model" else P})]).to_json()


@pytest.mark.parametrize("label", [1, np.int64(1), 1.0, "bee", np.str_("bee"), True, np.bool_(True)])
def test_a_recipe_as_text(label):
    key = "00000000000000ff"
    stage = pk.CleanLabels("drop", folds=3, groups="who", id="no", confirmed={key: label}, revert=["0" * 16])
    recipe = pk.Pipeline([stage, pk.Rebalance()])
    again = pk.Pipeline.from_json(recipe.to_json())
    assert again == recipe
    assert str(again.stages[0].confirmed[key]) == str(label).removesuffix(".0")


def test_a_fitted_recipe_is_saved_without_what_it_was_run_by(tmp_path):
    fitted = pk.Pipeline([pk.Rescale(), pk.CleanLabels("drop", pred_probs=P)]).fit(DATA.frame, "y")
    assert fitted.metadata.cleaning is None
    assert fitted.metadata.ledger.trained == 150
    fitted.save(tmp_path / "fitted")
    loaded = pk.load(tmp_path / "fitted")
    assert rows_of(loaded.transform(DATA.frame)) == rows_of(fitted.transform(DATA.frame))


def test_serving():
    found = pk.Pipeline([pk.Rescale(), pk.CleanLabels("drop", pred_probs=P)]).prepare(DATA.frame, "y")
    inputs = tf.keras.Input((2,))
    network = tf.keras.Model(inputs, tf.keras.layers.Dense(3, activation="softmax")(inputs))
    raw = {name: DATA.frame[name].to_numpy()[:5] for name in "ab"}
    served = found.pipeline.attach(network)
    features = np.concatenate([x for x, _ in found.pipeline.transform(DATA.frame.head(5)).as_numpy_iterator()])
    np.testing.assert_allclose(served(raw), network(features), rtol=1e-5)
    assert max(found.pipeline.check_parity(DATA.frame.head(20), network).values()) < 1e-5
