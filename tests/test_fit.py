"""Fitting: how often the source is read, and that it means the same as fitting stage after stage."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import prepkit as pk
from prepkit.features.choose import unpacked
from prepkit.scan import Coded, accumulator
from prepkit.source.files import Files

N = 600


def frame(n: int = N, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    out = pd.DataFrame(
        {
            "age": rng.integers(18, 90, n).astype(float),
            "pay": rng.lognormal(7, 2, n),
            "small": rng.normal(0, 1, n).astype(np.float32),
            "at": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 10**7, n), unit="s"),
            "member": rng.random(n) < 0.3,
            "job": rng.choice(["cook", "smith", "tailor", "weaver"], n, p=[0.6, 0.3, 0.09, 0.01]),
            "town": rng.choice([f"t{i}" for i in range(12)], n),
            "y": rng.integers(0, 3, n),
        }
    )
    out.loc[rng.random(n) < 0.1, "age"] = np.nan
    out.loc[rng.random(n) < 0.1, "pay"] = np.inf
    out.loc[rng.random(n) < 0.1, "job"] = None
    return out


def as_dataset(data: pd.DataFrame, batch: int, started: list[int]) -> tf.data.Dataset:
    """The same rows from a generator, which notes in `started` how many rows it has given, start by start."""
    columns = {
        n: data[n].fillna("").astype(str).to_numpy(object) if data[n].dtype.kind not in "biuf" else data[n].to_numpy()
        for n in data
    }
    spec = {n: tf.TensorSpec((None,), tf.string if a.dtype == object else a.dtype) for n, a in columns.items()}

    def read() -> Any:
        started.append(0)
        for start in range(0, len(data), batch):
            part = {n: a[start : start + batch] for n, a in columns.items()}
            started[-1] += len(part["y"])
            y = part.pop("y")
            yield part, y

    y = spec.pop("y")
    return tf.data.Dataset.from_generator(read, output_signature=(spec, y))


CANONICAL = (pk.Impute(), pk.Clip(quantiles=(0.01, 0.99)), pk.Rescale("standard"), pk.OneHot())
WITHOUT_CLIP = (pk.Impute(), pk.Rescale("standard"), pk.OneHot())


def log_pay(x: dict[str, Any]) -> dict[str, Any]:
    return {"log pay": tf.math.log1p(x["pay"])}


AHEAD = (pk.Datetime(), pk.Map(log_pay, columns="pay"))


@pytest.mark.parametrize(
    "stages, scans",
    [
        pytest.param(CANONICAL, 2, id="canonical"),
        pytest.param(WITHOUT_CLIP, 1, id="without Clip"),
        pytest.param((*AHEAD, *WITHOUT_CLIP), 1, id="looks ahead behind Datetime and Map"),
        pytest.param((*AHEAD, *CANONICAL), 2, id="the same, with Clip"),
        pytest.param((pk.Impute(), pk.Rescale("robust"), pk.Rescale("minmax"), pk.OneHot()), 1, id="two Rescale"),
        pytest.param((pk.Impute(), pk.Clip(low=0, high=50), pk.Rescale("minmax"), pk.OneHot()), 1, id="fixed bounds"),
        pytest.param((pk.Impute("most_frequent", categorical="most_frequent"), pk.OneHot()), 1, id="modes"),
        pytest.param((pk.Select(["small", "member"]),), 1, id="nothing to measure"),
    ],
)  # fmt: skip
def test_the_source_is_read_so_many_times(stages, scans):
    data = frame().assign(at=lambda d: d["at"].astype(str))
    started: list[int] = []
    stages = stages if any(isinstance(s, pk.Datetime | pk.Select) for s in stages) else (pk.Drop("at"), *stages)
    fitted = pk.Pipeline(stages).fit(as_dataset(data, 100, started))
    assert started == [N] * scans
    assert fitted.metadata.scans == scans


@pytest.mark.parametrize("width", [3, 60])
def test_the_number_of_columns_does_not_matter(width):
    rng = np.random.default_rng(0)
    data = pd.DataFrame({f"n{i}": rng.normal(size=50) for i in range(width)})
    data = data.assign(**{f"c{i}": rng.choice(["a", "b"], 50) for i in range(width)}, y=rng.integers(0, 2, 50))
    started: list[int] = []
    pk.Pipeline(CANONICAL).fit(as_dataset(data, 20, started))
    assert started == [50, 50]


@pytest.mark.parametrize("stages, scans", [(CANONICAL, 2), (WITHOUT_CLIP, 1)], ids=["canonical", "without Clip"])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_files_are_read_so_many_times(tmp_path, monkeypatch, suffix, stages, scans):
    data = frame().drop(columns="at")
    for i in range(2):
        part = data.iloc[i::2]
        part.to_csv(tmp_path / f"{i}.csv", index=False)
        part.to_parquet(tmp_path / f"{i}.parquet")
    rows: list[int] = []
    chunks = Files.chunks

    def counted(self: Files, rng: Any = None) -> Any:
        rows.append(0)
        for chunk in chunks(self, rng):
            rows[-1] += len(chunk)
            yield chunk

    monkeypatch.setattr(Files, "chunks", counted)
    fitted = pk.Pipeline(stages).fit(str(tmp_path / f"*{suffix}"), label="y")
    assert rows == [N] * scans
    assert fitted.metadata.scans == scans


def materialised(fitted: pk.FittedPipeline, data: pd.DataFrame, k: int) -> dict[str, np.ndarray]:
    """The columns behind the first `k` stages."""
    (chunk,) = pk.as_source(data, "y").chunks()
    entry = fitted.flow.entry
    blocks: Mapping[str, Any] = {n: tf.constant(a) for n, a in entry.pack(entry.decode(chunk), chunk.matrix).items()}
    blocks = {
        n: tf.where(tf.math.is_finite(x), x, tf.constant(np.nan, x.dtype)) if x.dtype.is_floating else x
        for n, x in blocks.items()
    }
    for stage, learned, spec in zip(fitted.flow.stages[:k], fitted.flow.learned, fitted.flow.specs, strict=False):
        blocks = stage.transform(spec, learned, blocks)
    return {n: x.numpy() for n, x in unpacked(blocks, fitted.flow.specs[k]).items()}


def learned_alone(fitted: pk.FittedPipeline, data: pd.DataFrame, k: int) -> Any:
    """What stage `k` learns from the finished output of the stages before it."""
    stage, spec = fitted.flow.stages[k], fitted.flow.specs[k]
    columns = materialised(fitted, data, k)
    known: dict[Any, Any] = {}
    for series, statistics in stage.needs(spec).items():
        for statistic in statistics:
            known[series, statistic] = accumulator(statistic, quantile_cap=None)
            values: Any = columns[series]
            if spec[series].categories is not None:
                values = Coded(np.maximum(values, -1), spec[series].categories)
            known[series, statistic].update(values)
    return stage.learn(spec, known)


def squared(x: dict[str, Any]) -> dict[str, Any]:
    return {"pay": x["pay"] ** 2, "young": tf.cast(x["age"] < 30, tf.float32)}


RECIPES: dict[str, Sequence[pk.Stage[Any]]] = {
    "canonical": CANONICAL,
    "with indicators": (
        pk.Impute("mean", indicator=True),
        pk.Clip(iqr=1.5, indicator=True),
        pk.Rescale("squash"),
        pk.OneHot(max_categories=3, unseen="bucket"),
    ),
    "ahead": (
        *AHEAD,
        pk.Impute(),
        pk.Clip(quantiles=(0.05, 0.95)),
        pk.Rescale("minmax"),
        pk.OneHot(min_frequency=0.05),
    ),
    "modes": (
        pk.Impute("most_frequent", "most_frequent"),
        pk.Clip(low=20, high=60),
        pk.Rescale("robust"),
        pk.OneHot(),
    ),
    "clip before impute": (pk.Clip(quantiles=(0.1, 0.9)), pk.Impute("mean"), pk.Rescale(), pk.OneHot()),
    "clipped twice": (
        pk.Clip(quantiles=(0.1, 0.9)),
        pk.Clip(quantiles=(0.2, 0.8)),
        pk.Impute(),
        pk.Rescale("robust"),
        pk.OneHot(),
    ),
    "rescaled first": (
        pk.Rescale("robust"),
        pk.Impute(),
        pk.Clip(quantiles=(0.1, 0.9)),
        pk.Rescale(),
        pk.OneHot(),
    ),
    "rescaled, then filled by a constant": (
        pk.Rescale(),
        pk.Impute("constant", fill_value=3.0),
        pk.Rescale("robust"),
        pk.Clip(iqr=1.0),
        pk.OneHot(),
    ),
    "by column": (
        pk.Impute("mean", columns="age"),
        pk.Rescale(columns=["small", "age"]),
        pk.Impute(),
        pk.Clip(quantiles=(0.2, 0.9), columns="age"),
        pk.Rescale("minmax"),
        pk.OneHot(columns="job"),
        pk.OneHot(),
    ),
    "map behind": (
        pk.Impute(),
        pk.Rescale(columns="pay"),
        pk.Map(squared, columns=["pay", "age"]),
        pk.Rescale("minmax"),
        pk.OneHot(),
    ),
    "ids": (
        pk.Impute(categorical="most_frequent"),
        pk.Lookup(columns="town", max_tokens=7),
        pk.Rescale(),
        pk.OneHot(),
    ),
}
READ = {"frame": lambda data: (data, "y"), "dataset": lambda data: (as_dataset(data, 70, []), None)}


@pytest.mark.parametrize("read", READ)
@pytest.mark.parametrize("recipe", RECIPES)
def test_fitting_means_the_same_as_fitting_one_stage_after_another(recipe, read):
    data = frame()
    data = data.assign(at=data["at"].astype(str)) if recipe == "ahead" else data.drop(columns="at")
    fitted = pk.Pipeline(RECIPES[recipe], output="dict").fit(*READ[read](data))
    for k, ours in enumerate(fitted.flow.learned):
        assert_same(ours, learned_alone(fitted, data, k))
    assert fitted.metadata.scans <= 1 + sum(isinstance(s, pk.Clip | pk.Map | pk.Rescale) for s in RECIPES[recipe])


def assert_same(ours: Any, theirs: Any) -> None:
    assert type(ours) is type(theirs)
    for f in dataclasses.fields(ours):
        mine, other = getattr(ours, f.name), getattr(theirs, f.name)
        if isinstance(mine, Mapping) and mine and all(isinstance(v, float) for v in mine.values()):
            assert mine.keys() == other.keys()
            for name in mine:
                assert mine[name] == pytest.approx(other[name], rel=1e-5, abs=1e-6), name
        else:
            assert mine == other


@pytest.mark.parametrize("batch", [1, 7, 599, 600])
def test_batches_do_not_matter(batch):
    data = frame(n=600 if batch > 1 else 60).drop(columns="at")
    recipe = pk.Pipeline(RECIPES["with indicators"])
    whole = recipe.fit(data, "y")
    streamed = recipe.fit(as_dataset(data, batch, []))
    assert whole.feature_names == streamed.feature_names
    for a, b in zip(whole.flow.learned, streamed.flow.learned, strict=True):
        assert_same(a, b)
    assert whole.metadata.counts == streamed.metadata.counts


def test_rows_without_label_teach_nothing_and_are_counted():
    data = frame()
    data["y"] = data["y"].astype("Int64")
    refused = np.zeros(N, bool)
    refused[[0, 5, 599]] = True
    data.loc[refused, ["age", "pay"]] = 1e9
    data.loc[refused, "job"] = "never seen"
    data.loc[refused, "y"] = pd.NA
    recipe = pk.Pipeline((pk.Drop("at"), *CANONICAL))
    with_them, without = recipe.fit(data, "y"), recipe.fit(data[~refused], "y")
    for a, b in zip(with_them.flow.learned, without.flow.learned, strict=True):
        assert_same(a, b)
    assert "job=never seen" not in with_them.feature_names
    ledger = with_them.metadata.ledger
    assert (ledger.rows_in, ledger.trained, ledger.refused) == (N, N - 3, {"label missing": 3})
    assert ledger.row_numbers == {"label missing": (0, 5, 599)}


def test_missing_cells_are_counted_by_column_whatever_the_stages_ask_for():
    data = frame()
    expected = {"age": data["age"].isna().sum(), "pay": np.isinf(data["pay"]).sum(), "job": data["job"].isna().sum()}
    hashed = (pk.Drop("at"), pk.Hash(["job", "town"]))
    for stages in [(pk.Drop("at"), *CANONICAL), (pk.Select(["age", "small"]),), hashed]:
        assert pk.Pipeline(stages).fit(data, "y").metadata.missing_cells == expected


def test_errors_in_learning_name_stage_and_column():
    data = frame().assign(empty=np.full(N, np.nan))
    with pytest.raises(pk.PrepkitError, match=r"^in stage 2 of 5 \(Impute\): column 'empty' has no value"):
        pk.Pipeline((pk.Drop("at"), *CANONICAL)).fit(data, "y")


WRONG = [
    ((pk.Impute(), pk.Drop("nope")), r"^in stage 2 of 2 \(Drop\): Drop names column 'nope', which is not there"),
    ((pk.Impute(), pk.Rescale(columns="ages")), r"^in stage 2 of 2 \(Rescale\): .*did you mean 'age'"),
    ((pk.Rescale(columns="job"),), r"^in stage 1 of 1 \(Rescale\): .* of kind .*'job' \(categorical\)"),
    ((pk.Hash("job"), pk.OneHot(columns=["jo*"])), r"^in stage 2 of 2 \(OneHot\): "),
    ((pk.Drop("*"),), r"^in stage 1 of 1 \(Drop\): .*leaves no column"),
]


@pytest.mark.parametrize("stages, message", WRONG)
def test_a_wrong_composition_fails_before_a_scan(stages, message, monkeypatch):
    monkeypatch.setattr("prepkit.fit._scan", None)
    started: list[int] = []
    data = as_dataset(frame().drop(columns="at"), 500, started)
    recipe = pk.Pipeline(stages)
    with pytest.raises(pk.PrepkitError, match=message):
        recipe.fit(data)
    assert len(started) == 1


@pytest.mark.parametrize("label, message", [
    (np.zeros(N), "^label 'y' has the one class 0 in all 600 rows"),
    (np.arange(N) / 3, "^label 'y'"),
    (np.full(N, np.nan), "^label 'y' has no value"),
])  # fmt: skip
def test_what_is_wrong_with_the_label_is_blamed_on_no_stage(label, message):
    with pytest.raises(pk.PrepkitError, match=message):
        pk.Pipeline((pk.Drop("at"), *CANONICAL)).fit(frame().assign(y=label), "y")


def test_what_is_wrong_with_a_file_is_blamed_on_no_stage(tmp_path):
    frame(100).drop(columns="at").to_csv(tmp_path / "a.csv", index=False)
    with open(tmp_path / "a.csv", "a") as file:
        file.write("1,2,3\n")
    with pytest.raises(pk.PrepkitError, match=r"^a\.csv"):
        pk.Pipeline(CANONICAL).fit(tmp_path / "a.csv", "y")


def test_the_input_is_left_alone():
    data = frame()
    before = data.copy(deep=True)
    pk.Pipeline((pk.Drop("at"), *CANONICAL)).prepare(data, "y")
    pd.testing.assert_frame_equal(data, before)
    x, y = np.array([[1.0, np.nan], [np.inf, 2.0]] * 4), np.array([0, 1] * 4)
    copies = x.copy(), y.copy()
    pk.Pipeline([pk.Impute(), pk.Rescale()]).prepare((x, y))
    np.testing.assert_array_equal(x, copies[0])
    np.testing.assert_array_equal(y, copies[1])


def test_kinds_are_those_that_there_are():
    frame = pd.DataFrame({"a": [1.0, 2.0], "y": [0, 1]})
    with pytest.raises(pk.PrepkitError, match=r"kinds=\{'a': 'number'\}: choose from numeric, categorical"):
        pk.Pipeline([]).fit(frame, "y", kinds={"a": "number"})
    with pytest.raises(pk.PrepkitError, match=r"columns \['a'\]: 'tensor' is for several numbers a row"):
        pk.Pipeline([]).fit(frame, "y", kinds={"a": "tensor"})


def test_a_source_knows_its_label():
    frame = pd.DataFrame({"a": [1.0, 2.0], "y": [0, 1]})
    fitted = pk.Pipeline([]).fit(pk.as_source(frame, "y"))
    assert fitted.spec.label.name == "y"
    assert [y.tolist() for _, y in fitted.transform(frame).as_numpy_iterator()] == [[0, 1]]


def test_columns_are_names():
    with pytest.raises(pk.PrepkitError, match="Impute: columns=5: give names"):
        pk.Impute(columns=5)
