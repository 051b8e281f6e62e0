"""The training dataset, and the same numbers for rows in order and for a user's own datasets."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import prepkit as pk

N = 300
RECIPE = pk.Pipeline([pk.Impute(columns=["kind:numeric", "kind:categorical"]), pk.OneHot()])


def frame(n: int = N, unlabelled: bool = True) -> pd.DataFrame:
    """`id` tells each row; every seventh has no label."""
    rng = np.random.default_rng(0)
    out = pd.DataFrame(
        {
            "id": np.arange(n).astype(float),
            "pay": rng.lognormal(3, 1, n).round(2),
            "job": rng.choice(["cook", "smith", "tailor"], n),
            "y": rng.choice(["no", "perhaps", "yes"], n),
        }
    )
    out.loc[rng.random(n) < 0.1, "pay"] = np.nan
    if unlabelled:
        out.loc[::7, "y"] = None
    return out


def stream(data: pd.DataFrame, batch: int | None = 32, parts: int = 2) -> tf.data.Dataset:
    x: Any = {n: data[n].to_numpy(object if data[n].dtype.kind not in "biuf" else None) for n in data if n != "y"}
    pieces = (x, data["y"].fillna("").to_numpy(object), data["id"].to_numpy() + 1)
    dataset = tf.data.Dataset.from_tensor_slices(pieces[:parts] if parts > 1 else x)
    return dataset.batch(batch) if batch else dataset


def csv(data: pd.DataFrame, folder: Path) -> Any:
    for i in range(3):
        data.iloc[i * len(data) // 3 : (i + 1) * len(data) // 3].to_csv(folder / f"{i}.csv", index=False)
    return str(folder / "*.csv")


def parquet(data: pd.DataFrame, folder: Path) -> Any:
    data.to_parquet(folder / "a.parquet", row_group_size=40)
    return folder / "a.parquet"


SOURCES: dict[str, Callable[[pd.DataFrame, Path], Any]] = {
    "frame": lambda data, _: data,
    "CSV": csv,
    "Parquet": parquet,
    "dataset of batches": lambda data, _: stream(data),
    "dataset of rows": lambda data, _: stream(data, None),
}
sources = pytest.mark.parametrize("source", SOURCES)


def given(source: str, data: pd.DataFrame, folder: Path) -> tuple[Any, str | None]:
    return SOURCES[source](data, folder), None if "dataset" in source else "y"


def ids(dataset: tf.data.Dataset, fitted: pk.FittedPipeline) -> list[int]:
    place = fitted.feature_names.index("id")
    return [int(i) for x, *_ in dataset.as_numpy_iterator() for i in x[:, place]]


@sources
@pytest.mark.parametrize("labels", ["int", "one_hot"])
def test_training_data(source, labels, tmp_path):
    data = frame()
    prepared = RECIPE.prepare(*given(source, data, tmp_path), batch_size=32, seed=3, labels=labels)
    dataset, fitted, metadata = prepared.dataset, prepared.pipeline, prepared.metadata
    labelled = data[data["y"].notna()]
    expected = labelled["id"].astype(int).tolist()
    # shapes and numbers
    x, y = dataset.element_spec
    assert (x.shape.as_list(), x.dtype) == ([None, 5], tf.float32)
    assert (y.shape.as_list(), y.dtype) == (([None], tf.int32) if labels == "int" else ([None, 3], tf.float32))
    sizes = [len(y) for _, y in dataset]
    assert dataset.cardinality() == len(sizes) == metadata.steps_per_epoch == -(-len(expected) // 32)
    assert set(sizes[:-1]) == {32}
    # each labelled row once an epoch, in another order each time
    epochs = [ids(dataset, fitted) for _ in range(3)]
    for epoch in epochs:
        assert sorted(epoch) == expected
        assert epoch != expected
    assert len({tuple(e) for e in epochs}) == 3
    # each row's features and label are its own
    pay = data["pay"].fillna(labelled["pay"].median()).astype(np.float32)
    for x, y in dataset.as_numpy_iterator():
        rows = data.iloc[x[:, 0].astype(int)]
        np.testing.assert_array_equal(x[:, 1], pay[rows.index])
        np.testing.assert_array_equal(x[:, 2:].argmax(1), rows["job"].map(["cook", "smith", "tailor"].index))
        truth = rows["y"].map(["no", "perhaps", "yes"].index).to_numpy()
        np.testing.assert_array_equal(y, truth if labels == "int" else np.eye(3)[truth])
    ledger = metadata.ledger
    assert (ledger.rows_in, ledger.trained, ledger.refused) == (N, len(expected), {"label missing": N - len(expected)})
    assert ledger.row_numbers["label missing"] == tuple(range(0, N, 7))


@sources
def test_the_seed_decides_about_the_orders(source, tmp_path):
    data = frame()

    def epochs(seed: int) -> list[list[int]]:
        prepared = RECIPE.prepare(*given(source, data, tmp_path), batch_size=32, seed=seed)
        return [ids(prepared.dataset, prepared.pipeline) for _ in range(2)]

    first = epochs(1)
    assert epochs(1) == first
    assert all(e not in first for e in epochs(2))


@sources
def test_weights_come_along_with_their_rows(source, tmp_path):
    data = frame()
    if source == "frame":
        prepared = RECIPE.prepare((data.drop(columns="y"), data["y"], data["id"] + 1))
    elif "dataset" in source:
        prepared = RECIPE.prepare(stream(data, 32 if "batches" in source else None, parts=3))
    else:
        pytest.skip("files have no weights")
    assert len(prepared.dataset.element_spec) == 3
    rows = 0
    for x, _, w in prepared.dataset.as_numpy_iterator():
        np.testing.assert_array_equal(w, x[:, 0] + 1)
        assert w.dtype == np.float32
        rows += len(w)
    assert rows == prepared.metadata.ledger.trained


@sources
@pytest.mark.parametrize("labelled", [True, False])
def test_transform_keeps_every_row_in_order(source, labelled, tmp_path):
    data = frame(unlabelled=False)
    fitted = RECIPE.fit(data, "y")
    if not labelled and "dataset" in source:
        new = stream(data, 32 if "batches" in source else None, parts=1)
    else:
        new, _ = given(source, data if labelled else data.drop(columns="y"), tmp_path)
    dataset = fitted.transform(new, batch_size=64)
    assert isinstance(dataset.element_spec, tuple) == labelled
    batches = list(dataset.as_numpy_iterator())
    x = np.concatenate([b[0] if labelled else b for b in batches])
    np.testing.assert_array_equal(x[:, 0], data["id"])
    assert {len(b[0] if labelled else b) for b in batches[:-1]} == {64}
    if labelled:
        y = np.concatenate([b[1] for b in batches])
        np.testing.assert_array_equal(y, data["y"].map(["no", "perhaps", "yes"].index))
    if source in ("frame", "Parquet", "dataset of rows"):
        assert dataset.cardinality() == len(batches)
    assert [b[0].shape if labelled else b.shape for b in dataset.as_numpy_iterator()] == [
        b[0].shape if labelled else b.shape for b in batches
    ]


def test_transform_is_the_same_whatever_the_rows_come_from(tmp_path):
    data = frame(unlabelled=False)
    fitted = RECIPE.fit(data, "y")
    reference = np.concatenate([x for x, _ in fitted.transform(data)])
    for source in SOURCES:
        x = np.concatenate([x for x, _ in fitted.transform(given(source, data, tmp_path)[0], batch_size=17)])
        np.testing.assert_array_equal(x, reference, err_msg=source)


@sources
@pytest.mark.parametrize("label, message", [("maybe", "'maybe'"), (None, "missing")])
def test_transform_refuses_labels_that_it_cannot_encode(source, label, message, tmp_path):
    fitted = RECIPE.fit(frame(), "y")
    data = frame(unlabelled=False)
    data.loc[250, "y"] = label
    new, _ = given(source, data, tmp_path)
    if source == "frame":
        with pytest.raises(pk.PrepkitError, match=message):
            fitted.transform(new)
    elif source in ("CSV", "Parquet"):  # found when it is read, and TensorFlow wraps what a generator raises
        with pytest.raises(tf.errors.OpError, match=f"PrepkitError: label 'y' is .*{message}"):
            list(fitted.transform(new))
    else:
        with pytest.raises(tf.errors.InvalidArgumentError, match="PrepkitError: label .*y.* is missing, or no class"):
            list(fitted.transform(new))


def test_transform_names_the_row_of_a_label_that_it_cannot_encode():
    fitted = RECIPE.fit(frame(), "y")
    data = frame(unlabelled=False)
    data.loc[[250, 260], "y"] = ["maybe", "never"]
    with pytest.raises(pk.PrepkitError, match=r"^label 'y' is 'maybe', 'never', no class .* in 2 rows.* row 250: drop"):
        fitted.transform(data)


# -- dataset.apply(fitted) ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def fitted() -> pk.FittedPipeline:
    return RECIPE.fit(frame(), "y")


@pytest.mark.parametrize("parts", [1, 2, 3])
@pytest.mark.parametrize("batch", [None, 32, 7])
def test_apply_keeps_the_structure(fitted, parts, batch):
    data = frame(unlabelled=False)
    dataset = stream(data, batch, parts)
    out = dataset.apply(fitted)
    spec = out.element_spec
    assert (len(spec) if isinstance(spec, tuple) else 1) == parts
    x = spec if parts == 1 else spec[0]
    assert x.shape.as_list() == ([5] if batch is None else [None, 5])
    elements = [e if isinstance(e, tuple) else (e,) for e in out.as_numpy_iterator()]
    expected = [e if isinstance(e, tuple) else (e,) for e in dataset.as_numpy_iterator()]
    sizes = [np.shape(next(iter(e[0].values()))) for e in expected]
    assert [e[0].shape[:-1] for e in elements] == sizes  # batches as they were
    joined = np.stack if batch is None else np.concatenate
    reference = np.concatenate([x for x, _ in fitted.transform(data)])
    np.testing.assert_array_equal(joined([e[0] for e in elements]), reference)
    if parts > 1:
        y = joined([e[1] for e in elements])
        np.testing.assert_array_equal(y, data["y"].map(["no", "perhaps", "yes"].index))
    if parts > 2:
        np.testing.assert_array_equal(joined([e[2] for e in elements]), data["id"] + 1)


def test_apply_knows_the_number_of_elements_where_the_dataset_does(fitted):
    assert stream(frame(unlabelled=False), 32).apply(fitted).cardinality() == -(-N // 32)
    assert stream(frame(unlabelled=False), None).apply(fitted).cardinality() in (N, tf.data.UNKNOWN_CARDINALITY)


@pytest.mark.parametrize("labels", ["int", "one_hot"])
def test_apply_to_arrays(labels):
    x, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 3
    fitted = pk.Pipeline([pk.Rescale("minmax")], labels=labels).fit((x, y))
    expected = (x - x.min(0)) / np.ptp(x, 0)
    for batch in (None, 16):
        rows = tf.data.Dataset.from_tensor_slices((x, y))
        out = (rows if batch is None else rows.batch(batch)).apply(fitted)
        (a, b) = map(np.stack if batch is None else np.concatenate, zip(*out.as_numpy_iterator(), strict=True))
        np.testing.assert_allclose(a, expected, atol=1e-6)
        np.testing.assert_array_equal(b, y if labels == "int" else np.eye(3)[y])


def test_apply_to_images():
    x, y = np.random.default_rng(0).integers(0, 256, (20, 4, 4, 3)).astype(np.uint8), np.arange(20) % 2
    fitted = pk.Pipeline([pk.Rescale("unit")]).fit((x, y))
    for dataset in (tf.data.Dataset.from_tensor_slices((x, y)), tf.data.Dataset.from_tensor_slices((x, y)).batch(8)):
        out = dataset.apply(fitted)
        assert out.element_spec[0].shape.rank == dataset.element_spec[0].shape.rank
        np.testing.assert_allclose(next(iter(out))[0], next(iter(dataset))[0] / 255, rtol=1e-6)


def test_where_shapes_leave_it_open_an_argument_settles_it():
    """Rows of one tensor feature each, of static shape: batches of 4 scalars, or rows of 4 numbers."""
    data = {"v": np.arange(80.0).reshape(20, 4), "y": np.arange(20) % 2}
    fitted = pk.Pipeline([], output="dict").fit(data, "y")
    rows = tf.data.Dataset.from_tensor_slices({"v": data["v"]})
    assert rows.apply(fitted).element_spec["v"].shape.as_list() == [4]
    assert rows.batch(5, drop_remainder=True).apply(fitted).element_spec["v"].shape.as_list() == [5, 4]
    scalars = pk.Pipeline([], output="dict").fit({"v": np.arange(20.0), "y": data["y"]}, "y")
    fixed = tf.data.Dataset.from_tensor_slices({"v": np.arange(20.0)}).batch(5, drop_remainder=True)
    assert [e["v"].shape for e in fixed.apply(partial(scalars, batched=True))] == [(5,)] * 4
    assert [e["v"].shape for e in fixed.apply(scalars)] == [(5,)] * 4


def test_apply_goes_on_in_a_pipeline_of_ones_own(fitted):
    data = frame(unlabelled=False)
    mine = stream(data, None).shuffle(50, seed=1).batch(20).apply(fitted).map(lambda x, y: (x * 2, y)).prefetch(1)
    x = np.concatenate([x for x, _ in mine])
    assert sorted(x[:, 0]) == (2 * data["id"]).tolist()


def test_apply_refuses_labels_that_it_cannot_encode(fitted):
    data = frame(unlabelled=False)
    data.loc[5, "y"] = "maybe"
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="PrepkitError: label .*y.* is missing, or no class.*maybe"
    ):
        list(stream(data).apply(fitted))


WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "column missing": (lambda: {"id": [1.0], "job": ["cook"]}, "the first of them 'pay'"),
    "column renamed": (lambda: {"id": [1.0], "job": ["cook"], "Pay": [1.0]}, "did you mean 'Pay'"),
    "numbers for strings": (lambda: {"id": [1.0], "pay": [1.0], "job": [3.0]}, "'job' is .*strings"),
    "an array": (lambda: np.zeros((3, 3)), "3 columns"),
}


@pytest.mark.parametrize("case", WRONG)
def test_transform_refuses_other_columns(fitted, case):
    make, message = WRONG[case]
    with pytest.raises(pk.PrepkitError, match=message):
        list(fitted.transform(make()))
    if case != "an array":
        dataset = tf.data.Dataset.from_tensors({n: tf.constant(v) for n, v in make().items()})
        with pytest.raises(pk.PrepkitError, match=message):
            list(dataset.apply(fitted))


def test_what_is_fitted_never_changes(fitted):
    with pytest.raises(dataclasses.FrozenInstanceError):
        fitted.metadata = None
    prepared = RECIPE.prepare(frame(), "y")
    with pytest.raises(dataclasses.FrozenInstanceError):
        prepared.dataset = None
    assert prepared.pipeline.metadata.batch_size is None
    assert prepared.metadata.batch_size == 256


def test_repr_says_what_came_of_it(fitted):
    text = repr(fitted)
    assert "3 columns -> 5 features, 3 classes, 300 rows in, 257 trained, 43 label missing" in text
    assert "Impute(" in text


def test_labels_may_be_missing_in_every_form():
    forms = {
        "float": [0.0, 1.0, np.nan] * 4,
        "string": ["a", "b", None] * 4,
        "one-hot": np.array([[1, 0], [0, 1], [np.nan, np.nan]] * 4),
        "bool": [True, False, None] * 4,
        "blank": ["a", "b", " "] * 4,
    }
    for form, y in forms.items():
        prepared = pk.Pipeline([]).prepare(({"id": np.arange(12.0)}, y if form == "one-hot" else pd.Series(y)))
        found = Counter(int(i) for x, _ in prepared.dataset.as_numpy_iterator() for i in x[:, 0])
        assert found == dict.fromkeys((i for i in range(12) if i % 3 != 2), 1), form


@pytest.mark.parametrize("policy", ["quarantine", "null", "clip"])
def test_data_of_the_same_kind_have_not_drifted_whatever_validate_does_to_the_training_rows(policy):
    import pandera.pandas as pa

    def people(n: int, seed: int) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        age = np.where(rng.random(n) < 0.03, -999.0, rng.normal(40, 10, n).clip(1, 100))
        return pd.DataFrame({"age": age, "y": rng.integers(0, 2, n)})

    schema = pa.DataFrameSchema({"age": pa.Column(float, pa.Check.in_range(0, 120))})
    fitted = pk.Pipeline([pk.Validate(schema, policy), pk.Impute()]).fit(people(5000, 0), label="y")
    assert fitted.compare(people(3000, 1)).findings == ()
    assert [f.code for f in fitted.compare(people(3000, 1).assign(age=lambda f: f["age"] + 50)).findings]


def test_a_dataset_of_ambiguous_shapes_is_compared_as_the_training_data_were():
    x, y = np.random.default_rng(0).normal(size=(64, 3)), np.arange(64) % 2
    fitted = pk.Pipeline([]).fit((x, y))
    assert fitted.compare(tf.data.Dataset.from_tensors(x)).rows == 64
