"""What is written is what is read; nothing half-written, nobody else's directory, no code run."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import pickle
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import prepkit as pk
from prepkit import pipeline, storage
from tests import imbalanced

N = 120


def log(x: dict[str, Any]) -> dict[str, Any]:
    return {"log pay": tf.math.log1p(x["pay"])}


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    out = pd.DataFrame(
        {
            "pay": rng.lognormal(3, 1, N),
            "age": rng.integers(18, 90, N).astype(float),
            "job": rng.choice(["cook", "smith", "Bäcker/ü", "日本"], N),
            "town": rng.choice(["x", "y"], N),
            "note": [f"remark {i % 9} of ünï" if i % 5 else None for i in range(N)],
            "at": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 1000, N), unit="h"),
            "y": rng.choice(["no", "yes"], N),
        }
    )
    out.loc[:9, ["age", "job"]] = None
    return out


RECIPE = pk.Pipeline(
    [
        pk.Datetime(),
        pk.Impute(indicator=True),
        pk.Clip(iqr=1.5),
        pk.Map(log, columns="pay"),
        pk.Rescale("squash"),
        pk.Rescale("standard"),
        pk.Hash("town", bins=8),
        pk.Text(bins=16),
        pk.OneHot(max_categories=3),
        pk.Rebalance(),
    ]
)
FUNCTIONS = {"log": log}
KINDS: Any = {"note": "text"}


@pytest.fixture(scope="module")
def prepared() -> pk.Prepared:
    return RECIPE.prepare(frame(), "y", batch_size=32, seed=4, kinds=KINDS)


@pytest.fixture
def saved(prepared, tmp_path) -> Path:
    return prepared.save(tmp_path / "saved")


def epochs(dataset: tf.data.Dataset, n: int = 2) -> list[list[Any]]:
    return [[tuple(np.asarray(part) for part in element) for element in dataset] for _ in range(n)]


def assert_same(ours: list[list[Any]], theirs: list[list[Any]]) -> None:
    for mine, other in zip(ours, theirs, strict=True):
        for a, b in zip(mine, other, strict=True):
            for x, y in zip(a, b, strict=True):
                np.testing.assert_array_equal(x, y)


def test_prepared_data_there_and_back(prepared, tmp_path):
    fresh = RECIPE.prepare(frame(), "y", batch_size=32, seed=4, kinds=KINDS)
    again = pk.load(prepared.save(tmp_path / "deep" / "saved"), FUNCTIONS)
    assert isinstance(again, pk.Prepared)
    assert again.metadata == prepared.metadata
    assert again.pipeline.recipe == RECIPE
    assert again.pipeline.flow.learned == prepared.pipeline.flow.learned
    assert again.pipeline.flow.entry == prepared.pipeline.flow.entry
    assert again.dataset.element_spec == prepared.dataset.element_spec
    assert again.dataset.cardinality() == prepared.dataset.cardinality()
    assert_same(epochs(again.dataset), epochs(fresh.dataset))  # the same orders, too
    new = frame().drop(columns="y")
    ours, theirs = (np.concatenate(list(p.pipeline.transform(new))) for p in (again, prepared))
    np.testing.assert_array_equal(ours, theirs)


def test_a_fitted_pipeline_there_and_back(prepared, tmp_path):
    path = prepared.pipeline.save(tmp_path / "fitted")
    assert sorted(p.name for p in path.iterdir()) == ["arrays.npz", "metadata.json", "pipeline.json"]
    again = pk.load(path, FUNCTIONS)
    assert isinstance(again, pk.FittedPipeline)
    assert again.metadata == prepared.pipeline.metadata
    assert again.recipe == RECIPE
    assert again.feature_names == prepared.pipeline.feature_names
    assert_same(epochs(again.transform(frame()), 1), epochs(prepared.pipeline.transform(frame()), 1))


def test_what_was_loaded_is_saved_again(saved, tmp_path):
    again = pk.load(pk.load(saved, FUNCTIONS).save(tmp_path / "second"), FUNCTIONS)
    assert_same(epochs(again.dataset), epochs(pk.load(saved, FUNCTIONS).dataset))
    contents = [{p.relative_to(d): p.read_bytes() for p in d.rglob("*.npz")} for d in (saved, tmp_path / "second")]
    assert contents[0] == contents[1]  # equal arrays are equal bytes


@pytest.mark.parametrize("output", ["dense", "dict"])
@pytest.mark.parametrize("labels", ["int", "one_hot"])
def test_forms_and_weights(tmp_path, output, labels):
    data = frame()[["pay", "town", "note", "y"]]
    recipe = pk.Pipeline(
        [pk.Lookup(columns="town"), pk.Rescale()] if output == "dict" else [pk.Select("pay")], output, labels
    )
    prepared = recipe.prepare((data.drop(columns="y"), data["y"], np.arange(N) + 1.0), batch_size=50, kinds=KINDS)
    first = epochs(prepared.dataset, 1)
    again = pk.load(prepared.save(tmp_path / "a"))
    assert again.dataset.element_spec == prepared.dataset.element_spec
    assert again.metadata.class_weight is None
    second = epochs(again.dataset, 1)
    if output == "dense":
        assert_same(first, second)
    else:
        for (x, *rest), (z, *others) in zip(first[0], second[0], strict=True):
            assert_same([[rest]], [[others]])
            x, z = x.item(), z.item()
            assert x.keys() == z.keys() == {"pay", "town", "note"}
            for name in x:
                np.testing.assert_array_equal(x[name], z[name])


@pytest.mark.parametrize("source", ["images", "matrix", "dataset", "CSV"])
def test_other_sources(tmp_path, source):
    rng = np.random.default_rng(0)
    y = np.arange(N) % 3
    label = None
    if source == "images":
        given: Any = (rng.integers(0, 256, (N, 4, 4, 3)).astype(np.uint8), y)
    elif source == "matrix":
        given = (rng.normal(size=(N, 3)), y)
    elif source == "dataset":
        data = {"a": rng.normal(size=N), "s": rng.choice(["u", "v"], N).astype(object)}
        given = tf.data.Dataset.from_tensor_slices((data, y)).batch(7)
    else:
        frame().drop(columns="at").to_csv(tmp_path / "a.csv", index=False)
        given, label = tmp_path / "a.csv", "y"
    stages = [pk.Rescale()] if source in ("images", "matrix") else [pk.Impute(), pk.Rescale(), pk.OneHot()]
    kinds = KINDS if source == "CSV" else None
    stages = [pk.Drop("note"), *stages] if source == "CSV" else stages
    prepared = pk.Pipeline(stages).prepare(given, label, batch_size=32, kinds=kinds)
    again = pk.load(prepared.save(tmp_path / "saved"))
    rows = [
        sorted(np.concatenate([x.reshape(len(x), -1) for x, _ in p.dataset.as_numpy_iterator()]).tolist())
        for p in (prepared, again)
    ]
    assert rows[0] == rows[1]
    assert again.dataset.cardinality() == prepared.dataset.cardinality()
    assert again.dataset.element_spec == prepared.dataset.element_spec


def test_large_data_are_streamed(prepared, tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "SHARD_BYTES", 1000)
    path = prepared.save(tmp_path / "saved")
    assert len(list((path / "data").iterdir())) > 5
    whole = pk.load(path, FUNCTIONS)
    monkeypatch.setattr(pipeline, "IN_MEMORY", 0)
    streamed = pk.load(path, FUNCTIONS)
    assert streamed.dataset.element_spec == whole.dataset.element_spec
    assert streamed.dataset.cardinality() == whole.dataset.cardinality() == 4

    def rows(element_rows: list[Any]) -> list[list[float]]:
        return [[*x, float(y)] for xs, ys in element_rows for x, y in zip(xs.tolist(), ys, strict=True)]

    first, second = map(rows, epochs(streamed.dataset))
    expected = rows(epochs(whole.dataset, 1)[0])
    assert sorted(first) == sorted(second) == sorted(expected)
    assert first != second
    assert [rows(e) for e in epochs(pk.load(path, FUNCTIONS).dataset)] == [first, second]  # of the same seed
    resaved = streamed.save(path)  # over what it reads from
    assert sorted(rows(epochs(streamed.dataset, 1)[0])) == sorted(expected)
    monkeypatch.undo()
    assert sorted(rows(epochs(pk.load(resaved, FUNCTIONS).dataset, 1)[0])) == sorted(expected)


def test_a_stream_of_small_batches_becomes_few_files(tmp_path):
    data = {"a": np.arange(2000.0)}
    dataset = tf.data.Dataset.from_tensor_slices((data, np.arange(2000) % 2)).batch(2)
    path = pk.Pipeline([]).prepare(dataset).save(tmp_path / "a")
    assert len(list((path / "data").iterdir())) == 1


def test_large_shards_are_split(monkeypatch):
    monkeypatch.setattr(storage, "SHARD_BYTES", 100)
    shards = [
        {"a": np.arange(50.0), "s": np.array(["x"] * 50, object)},
        {"a": np.arange(0.0), "s": np.array([], object)},
    ]
    split = list(storage._of_one_size(shards))
    assert max(len(s["a"]) for s in split) == 4
    np.testing.assert_array_equal(np.concatenate([s["a"] for s in split]), np.arange(50.0))


# -- no pickle, no code -------------------------------------------------------------------------


def test_nothing_on_disk_is_pickled(saved):
    files = [p for p in saved.rglob("*") if p.is_file()]
    assert {p.suffix for p in files} == {".json", ".npz"}
    for path in files:
        data = path.read_bytes()
        if path.suffix == ".json":
            json.loads(data)
            continue
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
        with np.load(path, allow_pickle=False) as archive:
            assert all(archive[name].dtype != object for name in archive.files)


def test_objects_are_refused_both_ways():
    with pytest.raises(ValueError, match="allow_pickle"):
        storage.npz_bytes({"a": np.array([{}], object)})
    out = io.BytesIO()
    np.savez(out, a=np.array([{}], object), allow_pickle=True)
    with pytest.raises(pk.PrepkitError, match="^here is damaged"):
        storage.read_npz(out.getvalue(), "here")
    with pytest.raises(pk.PrepkitError, match="^here is damaged"):
        storage.read_npz(pickle.dumps({"a": 1}), "here")


def test_pickle_is_mentioned_nowhere():
    for path in Path(pk.__path__[0]).rglob("*.py"):
        text = path.read_text("utf-8")
        assert not re.search(r"^\s*(import|from) (pickle|dill|joblib|marshal|shelve|cloudpickle)", text, re.M), path
        assert "allow_pickle=True" not in text, path


AWKWARD = {
    "file": np.arange(3.0),
    "a/b": np.arange(4, dtype=np.uint8),
    "tensor:ends": np.zeros((2, 3)),
    "ends": np.ones(2, bool),
    "ü 日本": np.arange(6).reshape(2, 3),
    "none": np.empty((0, 4), np.float32),
    "scalar": np.array(3.5),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
}


def test_arrays_of_any_name_there_and_back():
    again = storage.read_npz(storage.npz_bytes(AWKWARD), "here")
    assert list(again) == list(AWKWARD)
    for name, array in AWKWARD.items():
        np.testing.assert_array_equal(again[name], array)
        assert again[name].dtype == array.dtype


@pytest.mark.parametrize(
    "strings",
    [["a", "", "ü", "日本", "a" * 10_000, "nul\0nul", "\n"], [b"a", b"\xff\xfe", b""], [""], []],
    ids=["text", "bytes", "blank", "none"],
)
def test_strings_there_and_back(strings):
    array = np.array(strings, object)
    for shaped in (array, array.reshape(-1, 1)):
        shard = storage._without_objects(
            {"strings": shaped, "tensor:x/ends": np.arange(2), "tensor:x/bytes": np.arange(3)}
        )
        assert all(a.dtype != object for a in shard.values())
        again = storage._with_objects(storage.read_npz(storage.npz_bytes(shard), "here"))
        assert set(again) == {"strings", "tensor:x/ends", "tensor:x/bytes"}
        assert again["strings"].shape == shaped.shape
        assert again["strings"].ravel().tolist() == [s.encode() if isinstance(s, str) else s for s in strings]


def test_functions_are_handed_back_by_name(saved):
    with pytest.raises(pk.PrepkitError, match=r"^the recipe has Map 'log'.*functions=\{'log': function\}"):
        pk.load(saved)
    with pytest.raises(pk.PrepkitError, match="^the recipe has Map 'log'"):
        pk.load(saved, {"Log": log})
    other = pk.load(saved, {"log": lambda x: {"log pay": 0.0 * x["pay"]}})
    assert other.pipeline.feature_names == pk.load(saved, FUNCTIONS).pipeline.feature_names


def test_two_functions_of_one_name_are_refused_rather_than_mixed_up(tmp_path):
    stages = [
        pk.Map(lambda x: {"pay": 2 * x["pay"]}, columns="pay"),
        pk.Map(lambda x: {"age": 3 * x["age"]}, columns="age"),
    ]
    fitted = pk.Pipeline([pk.Select(["pay", "age"]), *stages]).fit(frame(), "y")
    with pytest.raises(pk.PrepkitError, match=r"^two Map stages are named '<lambda>'.*give each a name="):
        fitted.save(tmp_path / "a")
    assert not list(tmp_path.iterdir())
    twice = pk.Pipeline(
        [
            pk.Select("pay"),
            pk.Map(log, columns="pay"),
            pk.Map(lambda x: {"pay": x["log pay"]}, columns="log pay"),
            pk.Map(log, columns="pay"),
        ]
    )
    again = pk.load(
        twice.fit(frame(), "y").save(tmp_path / "a"), {"log": log, "<lambda>": lambda x: {"pay": x["log pay"]}}
    )
    assert again.feature_names == ("log pay",)


# -- whole or not at all ------------------------------------------------------------------------


def failing(prepared: pk.Prepared, error: BaseException) -> pk.Prepared:
    def rows() -> Iterator[Any]:
        yield from prepared.rows()
        raise error

    return dataclasses.replace(prepared, rows=rows)


@pytest.mark.parametrize("error", [RuntimeError("power cut"), KeyboardInterrupt()], ids=["error", "interrupt"])
def test_a_broken_off_save_leaves_what_was_there(prepared, saved, error):
    before = {p: p.read_bytes() for p in saved.rglob("*") if p.is_file()}
    with pytest.raises(type(error)):
        failing(prepared, error).save(saved)
    with pytest.raises(type(error)):
        failing(prepared, error).save(saved.parent / "new")
    assert {p: p.read_bytes() for p in saved.parent.rglob("*") if p.is_file()} == before
    assert [p.name for p in saved.parent.iterdir()] == ["saved"]
    pk.load(saved, FUNCTIONS)


def test_when_the_last_step_fails_the_old_one_is_put_back(prepared, saved, monkeypatch):
    rename, calls = os.rename, []

    def unlucky(a: Any, b: Any) -> None:
        calls.append(b)
        if len(calls) == 2:
            raise OSError("disk gone")
        rename(a, b)

    monkeypatch.setattr(os, "rename", unlucky)
    with pytest.raises((OSError, pk.PrepkitError), match="disk gone"):
        prepared.save(saved)
    assert len(calls) == 3
    assert [p.name for p in saved.parent.iterdir()] == ["saved"]
    pk.load(saved, FUNCTIONS)


def test_an_earlier_one_is_replaced_whole(prepared, saved):
    prepared.pipeline.save(saved)
    assert not (saved / "data").exists()
    assert isinstance(pk.load(saved, FUNCTIONS), pk.FittedPipeline)
    assert [p.name for p in saved.parent.iterdir()] == ["saved"]


def test_an_earlier_one_is_replaced_though_it_is_damaged(prepared, saved):
    (saved / "pipeline.json").write_bytes(b"{")
    (saved / "arrays.npz").unlink()
    prepared.save(saved)
    pk.load(saved, FUNCTIONS)


def test_what_a_link_points_to_is_replaced(prepared, saved):
    link = saved.parent / "latest"
    link.symlink_to(saved)
    prepared.pipeline.save(link)
    assert link.is_symlink()
    assert isinstance(pk.load(saved, FUNCTIONS), pk.FittedPipeline)


def directory(files: dict[str, str]) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        for name, text in files.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_text(text)

    return make


FOREIGN: dict[str, tuple[Callable[[Path], None], str]] = {
    "a file": (lambda path: path.write_text("mine"), "target"),
    "other files": (directory({"thesis.tex": "mine"}), "thesis.tex"),
    "another program's pipeline.json": (directory({"pipeline.json": '{"steps": []}'}), "pipeline.json"),
    "ours, and something of mine": (lambda path: None, "model.keras"),
    "ours, and my data": (lambda path: None, "data/mine.csv"),
    "ours, and my notes on it": (lambda path: None, "test/notes.txt"),
    "data alone": (directory({"data/00000.npz": "mine"}), "data"),
}


@pytest.mark.parametrize("case", FOREIGN)
def test_what_prepkit_has_not_written_is_not_replaced(prepared, tmp_path, case):
    make, name = FOREIGN[case]
    path = tmp_path / "target"
    if case.startswith("ours"):
        prepared.save(path)
        (path / name).parent.mkdir(exist_ok=True)
        (path / name).write_text("mine")
    make(path)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    with pytest.raises(pk.PrepkitError, match=f"exists and holds something else .*{name}.*: give a new name"):
        prepared.save(path)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_an_empty_directory_is_as_good_as_none(prepared, tmp_path):
    (tmp_path / "a").mkdir()
    prepared.save(tmp_path / "a")
    pk.load(tmp_path / "a", FUNCTIONS)


def test_a_place_that_cannot_be_written(prepared, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(pk.PrepkitError, match="cannot be written"):
        prepared.save(tmp_path / "file" / "below")


# -- damage -------------------------------------------------------------------------------------

FILES = ["pipeline.json", "arrays.npz", "metadata.json", "data/00000.npz"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_missing_file(saved, name, streamed, monkeypatch):
    if streamed:
        monkeypatch.setattr(pipeline, "IN_MEMORY", 0)
    (saved / name).unlink()
    with pytest.raises(pk.PrepkitError, match="is missing|cannot be read|holds no pipeline.json"):
        pk.load(saved, FUNCTIONS)


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file(saved, name):
    data = (saved / name).read_bytes()
    for size in (0, 1, len(data) // 2, len(data) - 1):
        (saved / name).write_bytes(data[:size])
        with pytest.raises(pk.PrepkitError, match="is damaged"):
            pk.load(saved, FUNCTIONS)


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit(saved, name):
    """Wherever it is: at the ends, and at 40 places in between. Of the layout of JSON alone it does not matter."""
    data = (saved / name).read_bytes()
    rng = np.random.default_rng(0)
    for place in (0, len(data) - 1, *rng.integers(0, len(data), 40)):
        flipped = bytearray(data)
        flipped[place] ^= 1 << int(rng.integers(0, 8))
        (saved / name).write_bytes(bytes(flipped))
        if name.endswith("pipeline.json") and data[place : place + 1].isspace():
            continue
        with pytest.raises(pk.PrepkitError, match="is damaged|newer prepkit"):
            pk.load(saved, FUNCTIONS)
    (saved / name).write_bytes(data)
    pk.load(saved, FUNCTIONS)


def test_damage_that_is_still_json(saved):
    text = (saved / "pipeline.json").read_text()
    assert '"method": "squash"' in text
    (saved / "pipeline.json").write_text(text.replace('"method": "squash"', '"method": "robust"'))
    with pytest.raises(pk.PrepkitError, match="pipeline.json is damaged: its checksum"):
        pk.load(saved, FUNCTIONS)


@pytest.mark.parametrize(
    "text", ["", "[]", "3", "null", '"text"', "{}", '{"format": 1}', '{"format": "1"}', '{"format": true}']
)
def test_json_of_another_make(saved, text):
    (saved / "pipeline.json").write_text(text)
    with pytest.raises(pk.PrepkitError, match="pipeline.json is damaged"):
        pk.load(saved, FUNCTIONS)


def test_a_newer_format(saved):
    document = json.loads((saved / "pipeline.json").read_text())
    (saved / "pipeline.json").write_text(json.dumps(document | {"format": 2, "flow": "of another make"}))
    with pytest.raises(
        pk.PrepkitError, match="saved by a newer prepkit, in format 2, and this one reads up to 1: upgrade"
    ):
        pk.load(saved, FUNCTIONS)


def test_a_shard_that_is_damaged_later_is_found_when_it_is_read(saved, monkeypatch):
    monkeypatch.setattr(pipeline, "IN_MEMORY", 0)
    loaded = pk.load(saved, FUNCTIONS)
    shutil.copy(saved / "arrays.npz", saved / "data" / "00000.npz")
    with pytest.raises(tf.errors.OpError, match=r"00000.npz is damaged"):
        list(loaded.dataset)


@pytest.mark.parametrize("place", ["nothing", "a file", "a directory"])
def test_nothing_to_load(tmp_path, place):
    path = tmp_path / "a"
    if place == "a file":
        path.write_text("mine")
    elif place == "a directory":
        path.mkdir()
    with pytest.raises(pk.PrepkitError, match=r"a holds no pipeline.json: give a directory that prepkit saved"):
        pk.load(path)


def test_numbers_survive_to_the_last_bit(tmp_path):
    x = np.array([1e-300, 1 / 3, 1e300, -7.123456789012345e-12] * 5)
    fitted = pk.Pipeline([pk.Impute("mean"), pk.Clip(low=-1.0), pk.Rescale("robust")]).fit(
        {"x": x, "y": [0, 1] * 10}, "y"
    )
    again = pk.load(fitted.save(tmp_path / "a"))
    assert again.flow.learned == fitted.flow.learned
    assert again.flow.learned[1].high == {"x": np.inf}


def test_many_columns(tmp_path):
    data = {f"c{i}": np.arange(4.0) for i in range(2000)} | {"y": [0, 1, 0, 1]}
    fitted = pk.Pipeline([pk.Rescale()]).fit(data, "y")
    again = pk.load(fitted.save(tmp_path / "a"))
    assert again.flow.learned == fitted.flow.learned
    assert again.metadata == fitted.metadata


def test_a_flow_as_text_and_back(prepared):
    text = storage.flow_to_text(prepared.pipeline.flow)
    again = storage.flow_from_text(text, FUNCTIONS)
    assert again.learned == prepared.pipeline.flow.learned
    assert storage.flow_to_text(again) == text
    for wrong, message in [
        ("", "damaged"),
        ("{}", "damaged"),
        (text.replace('"format": 1', '"format": 2'), "newer"),
        ('{"format": 1}', "damaged"),
        (text.replace('"arrays": "', '"arrays": "!'), "damaged"),
    ]:
        with pytest.raises(pk.PrepkitError, match=f"^the model .*{message}"):
            storage.flow_from_text(wrong, FUNCTIONS)


# -- rows that are rebalanced --------------------------------------------------------------------


class Doubling:
    """A sampler of one's own: rare rows once more, and once moved."""

    def fit_resample(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rare = y == 1
        return np.concatenate([x, x[rare], x[rare] + 0.25]), np.concatenate([y, y[rare], y[rare]])


REBALANCES: dict[str, list[pk.Rebalance]] = {
    "class_weight": [pk.Rebalance()],
    "folded": [pk.Rebalance(as_sample_weight=True)],
    "oversample": [pk.Rebalance("oversample")],
    "undersample": [pk.Rebalance("undersample")],
    "SMOTE": [pk.Rebalance("SMOTE")],
    "TomekLinks": [pk.Rebalance("TomekLinks")],
    "SMOTEENN, weighed": [pk.Rebalance("SMOTEENN"), pk.Rebalance(as_sample_weight=True, with_resampling=True)],
    "of one's own": [pk.Rebalance(Doubling())],
}


def rebalanced(stages: list[pk.Rebalance], **settings: Any) -> pk.Prepared:
    data = imbalanced.frame()[["pay", "job", "y"]]
    stages = [pk.Rescale(), *([] if isinstance(stages[0].kind, Doubling) else [pk.OneHot()]), *stages]
    data = data.drop(columns="job") if isinstance(stages[-1].kind, Doubling) else data
    return pk.Pipeline(stages).prepare(data, "y", batch_size=64, seed=4, **settings)


@pytest.mark.parametrize("kind", REBALANCES)
def test_rebalanced_rows_there_and_back(kind, tmp_path):
    prepared = rebalanced(REBALANCES[kind])
    first = epochs(prepared.dataset)
    again = pk.load(prepared.save(tmp_path / "a"))
    assert again.metadata == prepared.metadata
    assert again.dataset.element_spec == prepared.dataset.element_spec
    assert again.dataset.cardinality() == prepared.dataset.cardinality() == prepared.metadata.steps_per_epoch
    assert_same(epochs(again.dataset), first)
    if kind != "of one's own":
        assert again.pipeline.recipe == prepared.pipeline.recipe
        assert pk.Pipeline.from_json(again.pipeline.recipe.to_json()) == prepared.pipeline.recipe
    twice = pk.load(again.save(tmp_path / "b"))
    assert twice.metadata == prepared.metadata
    assert_same(epochs(twice.dataset), first)


def test_a_sampler_of_ones_own_is_not_run_again(tmp_path):
    again = pk.load(rebalanced(REBALANCES["of one's own"]).save(tmp_path / "a"))
    assert again.metadata.ledger.added == {"synthetic": 50}  # of a copy, nobody knows whose
    assert "Rebalance(kind='<Doubling>')" in repr(again)
    message = "the sampler Doubling was not saved with the recipe: give it anew"
    with pytest.raises(pk.PrepkitError, match=message):
        again.pipeline.recipe.prepare(imbalanced.frame()[["pay", "y"]], "y")
    fitted = pk.load(tmp_path / "a", rows=False)
    assert isinstance(fitted, pk.FittedPipeline)
    assert_same(
        epochs(fitted.transform(imbalanced.frame(unlabelled=False)[["pay", "y"]]), 1),
        epochs(again.pipeline.transform(imbalanced.frame(unlabelled=False)[["pay", "y"]]), 1),
    )


@pytest.mark.parametrize("kind", ["oversample", "SMOTE"])
def test_rebalanced_rows_are_streamed_where_they_are_many(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "SHARD_BYTES", 1000)
    prepared = rebalanced(REBALANCES[kind])
    path = prepared.save(tmp_path / "a")
    assert len(list((path / "data").iterdir())) > 1
    monkeypatch.setattr(pipeline, "IN_MEMORY", 0)
    streamed = pk.load(path)
    assert streamed.metadata == prepared.metadata
    assert streamed.dataset.cardinality() == prepared.dataset.cardinality()
    for epoch in epochs(streamed.dataset):
        y = np.concatenate([y for _, y in epoch])
        assert tuple(np.bincount(y)) == prepared.metadata.counts
    x, known = (np.concatenate([x for x, _ in epochs(p.dataset, 1)[0]]) for p in (streamed, prepared))
    assert {row.tobytes() for row in x} == {row.tobytes() for row in known}
