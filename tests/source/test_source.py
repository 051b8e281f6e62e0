"""The same table gives the same numbers, in whatever it comes."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest
import tensorflow as tf

import prepkit as pk
from prepkit.source import as_source, base, files

N = 60
RECIPE = pk.Pipeline([pk.Impute(), pk.Datetime(), pk.Rescale(), pk.OneHot()])


def table() -> pd.DataFrame:
    """Numbers with NaN, integers with missing ones, strings with " ?" and None, booleans, times, categories."""
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=N).round(3)
    numbers[::7] = np.nan
    integers = [None if i % 5 == 0 else int(v) for i, v in enumerate(rng.integers(0, 9, N))]
    words = [None if i % 11 == 0 else " ?" if i % 7 == 0 else " " + ("cook", "smith", "baker")[i % 3] for i in range(N)]
    return pd.DataFrame(
        {
            "number": numbers,
            "integer": pd.array(integers, "Int64"),
            "word": words,
            "yes": rng.integers(0, 2, N).astype(bool),
            "time": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 10**7, N), unit="s"),
            "category": np.array(["s", "m", "l"])[rng.integers(0, 3, N)],
            "y": np.array(["no", "so-so", "yes"])[rng.integers(0, 3, N)],
        }
    )


def arrays() -> dict[str, np.ndarray]:
    frame = table()
    return {
        "number": frame["number"].to_numpy(),
        "integer": frame["integer"].to_numpy(np.float64, na_value=np.nan),
        "word": frame["word"].to_numpy(object),
        "yes": frame["yes"].to_numpy(),
        "time": frame["time"].to_numpy(),
        "category": frame["category"].to_numpy(str),
        "y": frame["y"].to_numpy(str),
    }


def tensors() -> dict[str, np.ndarray]:
    """As tensors can hold them: no None, and times as seconds."""
    columns = arrays()
    columns["word"] = np.array([v or "" for v in columns["word"]])
    columns["time"] = (columns["time"] - np.datetime64(0, "s")) / np.timedelta64(1, "s")
    return columns


def frame_with(**columns: Any) -> pd.DataFrame:
    return table().assign(**columns)


def chunked(arrow: pa.Table) -> pa.Table:
    return pa.concat_tables([arrow.slice(0, 20), arrow.slice(20, 0), arrow.slice(20)])


def with_dictionaries(arrow: pa.Table) -> pa.Table:
    for name in ("word", "category", "y"):
        place = arrow.schema.get_field_index(name)
        arrow = arrow.set_column(place, name, arrow[name].cast(pa.string()).dictionary_encode())
    return arrow


def with_views(arrow: pa.Table) -> pa.Table:
    for name in ("word", "category", "y"):
        arrow = arrow.set_column(arrow.schema.get_field_index(name), name, arrow[name].cast(pa.string_view()))
    return arrow


def arrow_table() -> pa.Table:
    return pa.Table.from_pandas(table(), preserve_index=False)


def written(name: str, **options: Any) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        table().to_csv(folder / name, index=False, **options)
        return folder / name

    return write


def in_parts(folder: Path) -> None:
    for i in range(3):
        table().iloc[20 * i : 20 * i + 20].to_csv(folder / f"part{i}.csv", index=False)


def globbed(folder: Path) -> str:
    in_parts(folder)
    return str(folder / "part*.csv")


def listed(folder: Path) -> list[Path]:
    in_parts(folder)
    return [folder / f"part{i}.csv" for i in range(3)]


def parquet(folder: Path) -> Path:
    pa.parquet.write_table(arrow_table(), folder / "a.parquet", row_group_size=13)
    return folder / "a.parquet"


def npz(save: Callable[..., None]) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        save(folder / "a.npz", **tensors() | {"time": arrays()["time"]})
        return folder / "a.npz"

    return write


def feature(value: Any) -> tf.train.Feature:
    if isinstance(value, str):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode()]))
    if isinstance(value, float):
        return tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[int(value)]))


def tfrecord(compression: str = "", **given: Any) -> Callable[[Path], Any]:
    """Records without the features that are missing, as other writers leave them out."""

    def write(folder: Path) -> Any:
        columns = tensors()
        columns |= {"time": columns["time"].astype(np.int64)}
        columns |= {"integer": np.array([None if np.isnan(v) else int(v) for v in columns["integer"]], object)}
        with tf.io.TFRecordWriter(str(folder / "a.tfrecord"), compression) as writer:
            for row in zip(*[c.tolist() for c in columns.values()], strict=True):
                known = {n: v for n, v in zip(columns, row, strict=True) if v is not None and v != "" and v == v}
                example = tf.train.Features(feature={n: feature(v) for n, v in known.items()})
                writer.write(tf.train.Example(features=example).SerializeToString())
        path = folder / "a.tfrecord"
        return as_source(path, "y", features=SPEC) if given else path

    return write


SPEC = {
    "number": tf.io.FixedLenFeature([], tf.float32, np.nan),
    "integer": tf.io.FixedLenFeature([], tf.int64, -1),
    "word": tf.io.FixedLenFeature([], tf.string, ""),
    "yes": tf.io.FixedLenFeature([], tf.int64),
    "time": tf.io.FixedLenFeature([], tf.int64),
    "category": tf.io.FixedLenFeature([], tf.string),
    "y": tf.io.FixedLenFeature([], tf.string),
}


def dataset() -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices(tensors())


def apart(row: dict[str, tf.Tensor]) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
    return {n: v for n, v in row.items() if n != "y"}, row["y"]


def weighted(row: dict[str, tf.Tensor]) -> tuple[Any, ...]:
    return *apart(row), tf.ones_like(row["number"])


def beside(data: Any) -> tuple[Any, Any]:
    return data.drop(columns="y"), data["y"]


FORMS: dict[str, Callable[[Path], Any]] = {
    "pandas, nullable": lambda _: table().convert_dtypes(),
    "pandas, numpy": lambda _: frame_with(integer=table()["integer"].astype("float64")),
    "pandas, objects": lambda _: table().astype(dict.fromkeys(("integer", "word", "yes", "category", "y"), object)),
    "pandas, categorical": lambda _: table().astype(dict.fromkeys(("word", "category", "y"), "category")),
    "pandas, Arrow": lambda _: table().convert_dtypes(dtype_backend="pyarrow"),
    "pandas, another index": lambda _: table().set_index(pd.Index(range(100, 100 + N))[::-1]),
    "(X, y), pandas": lambda _: beside(table()),
    "(X, y), y a frame": lambda _: (table().drop(columns="y"), table()[["y"]]),
    "(dict, y, weight)": lambda _: (
        {n: c for n, c in arrays().items() if n != "y"},
        arrays()["y"],
        np.ones(N, np.float32),
    ),
    "polars": lambda _: pl.from_pandas(table()),
    "polars, lazy": lambda _: pl.from_pandas(table()).lazy(),
    "polars, categorical": lambda _: pl.from_pandas(table()).with_columns(
        pl.col("word", "category", "y").cast(pl.Categorical), pl.col("integer").cast(pl.Int8)
    ),
    "pyarrow": lambda _: arrow_table(),
    "pyarrow, chunked": lambda _: chunked(arrow_table()),
    "pyarrow, dictionaries": lambda _: with_dictionaries(arrow_table()),
    "pyarrow, chunked dictionaries": lambda _: pa.concat_tables(
        [with_dictionaries(arrow_table().slice(0, 20)), with_dictionaries(arrow_table().slice(20))]
    ),
    "pyarrow, views": lambda _: with_views(arrow_table()),
    "pyarrow, record batch": lambda _: arrow_table().combine_chunks().to_batches()[0],
    "dict of arrays": lambda _: arrays(),
    "dict of lists": lambda _: {n: [None if v is pd.NA else v for v in table()[n]] for n in table()},
    "dict of series": lambda _: dict(table()),
    "dict of tensors": lambda _: {n: tf.constant(c) for n, c in tensors().items()},
    "CSV": written("a.csv"),
    "CSV, gzip": written("a.csv.gz"),
    "CSV, its path as a string": lambda folder: str(written("a.csv")(folder)),
    "CSV, semicolons": written("a.csv", sep=";"),
    "CSV, decimal commas": written("a.csv", sep=";", decimal=","),
    "CSV, quoted": written("a.csv", quoting=1),
    "CSV, Windows": written("a.csv", lineterminator="\r\n", encoding="utf-8-sig"),
    "TSV": written("a.tsv", sep="\t"),
    "CSV, glob": globbed,
    "CSV, list": listed,
    "Parquet": parquet,
    "NPZ": npz(np.savez),
    "NPZ, compressed": npz(np.savez_compressed),
    "TFRecord": tfrecord(),
    "TFRecord, gzip": tfrecord("GZIP"),
    "tf.data, label inside": lambda _: dataset(),
    "tf.data, label inside, batched": lambda _: dataset().batch(7),
    "tf.data, (x, y)": lambda _: dataset().map(apart),
    "tf.data, (x, y), batched": lambda _: dataset().batch(7).map(apart),
    "tf.data, (x, y, w)": lambda _: dataset().map(weighted),
    "tf.data, (x, y, w), batched": lambda _: dataset().batch(7).map(weighted),
    "tf.data, static batches": lambda _: dataset().batch(10, drop_remainder=True),
    "tf.data, padded rows": lambda _: dataset().batch(N).map(lambda row: {n: v[:, None] for n, v in row.items()}),
}
KINDS = {
    "number": "numeric",
    "integer": "numeric",
    "word": "categorical",
    "yes": "boolean",
    "time": "datetime",
    "category": "categorical",
}
SECONDS = ("TFRecord", "tf.data", "dict of tensors")  # in which a time is but a number


def is_beside(form: str) -> bool:
    return form.startswith("(") or "(x, y" in form


def fitted(form: str, data: Any) -> pk.FittedPipeline:
    kinds = {"time": "datetime"} if form.startswith(SECONDS) else {}
    kinds |= {"yes": "boolean"} if form.startswith("TFRecord") else {}
    return RECIPE.fit(data, None if is_beside(form) else "y", kinds=kinds)


def transformed(pipeline: pk.FittedPipeline, data: Any) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Each feature by its name, for their order follows the types of the columns; and the labels."""
    batches = list(pipeline.transform(data, batch_size=17).as_numpy_iterator())
    x = np.concatenate([batch[0] for batch in batches])
    return dict(zip(pipeline.feature_names, x.T, strict=True)), np.concatenate([batch[1] for batch in batches])


@pytest.fixture(scope="module")
def expected() -> tuple[dict[str, np.ndarray], np.ndarray]:
    return transformed(RECIPE.fit(table(), "y"), table())


def test_what_is_expected(expected):
    """Worked out by pandas alone, lest all forms agree on something wrong."""
    features, labels = expected
    frame = table()
    number = frame["number"].fillna(frame["number"].median())
    np.testing.assert_allclose(features["number"], (number - number.mean()) / number.std(ddof=0), atol=1e-5)
    word = frame["word"].str.strip().replace("?", None).fillna("missing")
    for name in ("cook", "smith", "baker", "missing"):
        np.testing.assert_array_equal(features[f"word={name}"], (word == name).astype(np.float32))
    np.testing.assert_allclose(features["time.hour.sin"], np.sin(day_angle(frame["time"])), atol=1e-5)
    assert labels.tolist() == frame["y"].map({"no": 0, "so-so": 1, "yes": 2}).tolist()


def day_angle(times: pd.Series) -> pd.Series:
    seconds = times.dt.hour * 3600 + times.dt.minute * 60 + times.dt.second
    return 2 * np.pi * seconds / 86400


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_kinds_and_features(form, expected, tmp_path):
    data = FORMS[form](tmp_path)
    pipeline = fitted(form, data)
    assert {c.name: c.kind for c in pipeline.spec.columns} == KINDS
    assert dict(pipeline.metadata.missing_cells) == {"number": 9, "integer": 12, "word": 14}
    assert pipeline.metadata.class_names == ("no", "so-so", "yes")
    assert pipeline.metadata.ledger.rows_in == pipeline.metadata.ledger.trained == N
    for _ in range(2):  # every source can be read again
        features, labels = transformed(pipeline, data)
        assert set(features) == set(expected[0])
        for name, values in expected[0].items():
            np.testing.assert_allclose(features[name], values, atol=1e-6, err_msg=name)
        np.testing.assert_array_equal(labels, expected[1])


def test_what_was_fitted_on_one_form_transforms_any_other(expected, tmp_path):
    """A file after a frame, a stream after a file: what is stored in JSON is all that counts."""
    pipelines = {form: fitted(form, FORMS[form](tmp_path)) for form in ("pandas, nullable", "CSV", "tf.data, (x, y)")}
    for form in ("pandas, nullable", "polars", "dict of lists", "Parquet", "NPZ"):
        features, labels = transformed(pipelines["pandas, nullable"], FORMS[form](tmp_path))
        for name, values in expected[0].items():
            np.testing.assert_allclose(features[name], values, atol=1e-6, err_msg=f"{form}: {name}")
        np.testing.assert_array_equal(labels, expected[1])
    for form in ("CSV", "tf.data, (x, y)"):
        features, labels = transformed(pipelines[form], beside(table()) if is_beside(form) else table())
        for name, values in expected[0].items():
            np.testing.assert_allclose(features[name], values, atol=1e-6, err_msg=f"after {form}: {name}")
        np.testing.assert_array_equal(labels, expected[1])


def test_a_feature_spec_of_ones_own_reads_tfrecords(expected, tmp_path):
    source = tfrecord(features=True)(tmp_path)
    pipeline = RECIPE.fit(source, "y", kinds={"time": "datetime", "yes": "boolean"})
    features, labels = transformed(pipeline, source)
    for name in set(expected[0]) - {"integer"}:  # in which -1 is a value now
        np.testing.assert_allclose(features[name], expected[0][name], atol=1e-6, err_msg=name)
    np.testing.assert_array_equal(labels, expected[1])
    assert "integer" not in pipeline.metadata.missing_cells


@pytest.mark.parametrize("form", ["CSV", "Parquet", "NPZ", "TFRecord", "tf.data, label inside, batched", "polars"])
def test_a_source_gives_the_same_rows_whenever_it_is_read(form, tmp_path):
    source = as_source(FORMS[form](tmp_path), "y")
    first, second = ([(dict(c.columns), c.label) for c in source.chunks()] for _ in range(2))
    assert len(first) == len(second) > 0
    for (columns, y), (again, y_again) in zip(first, second, strict=True):
        assert list(columns) == list(again)
        for name, values in columns.items():
            assert pd.Series(as_list(values)).equals(pd.Series(as_list(again[name]))), name
        assert as_list(y) == as_list(y_again)


def as_list(values: Any) -> list[Any]:
    return values.tolist() if isinstance(values, np.ndarray) else values.to_pylist()


@pytest.mark.parametrize("form", ["Parquet", "NPZ", "NPZ, compressed", "TFRecord", "tf.data, label inside"])
def test_a_stream_is_read_in_chunks_of_so_many_rows(form, tmp_path, monkeypatch):
    monkeypatch.setattr(base, "CHUNK", 7)
    source = as_source(FORMS[form](tmp_path), "y")
    sizes = [len(chunk) for chunk in source.chunks()]
    assert sum(sizes) == N and max(sizes) <= 7


@pytest.mark.parametrize("form", ["Parquet", "NPZ", "tf.data, label inside"])
def test_a_chunk_has_fewer_rows_where_each_takes_much_memory(form, tmp_path, monkeypatch):
    monkeypatch.setattr(base, "CHUNK_BYTES", 3 * 8 * 7)
    source = as_source(FORMS[form](tmp_path), "y")
    assert max(len(chunk) for chunk in source.chunks()) <= 3


@pytest.mark.parametrize("form", ["CSV", "CSV, gzip", "CSV, quoted", "TSV"])
def test_a_csv_is_read_in_blocks_of_so_many_bytes(form, expected, tmp_path, monkeypatch):
    data = FORMS[form](tmp_path)
    spec = RECIPE.fit(data, "y").spec  # which the first block would not tell, were it so small
    monkeypatch.setattr(files, "CSV_BLOCK", 300)
    monkeypatch.setattr(files, "CSV_COLUMN", 1)
    sizes = [len(chunk) for chunk in as_source(data, "y").chunks()]
    assert sum(sizes) == N and max(sizes) <= 10
    features, _ = transformed(RECIPE.fit(data, "y", spec=spec), data)
    for name, values in expected[0].items():
        np.testing.assert_allclose(features[name], values, atol=1e-6, err_msg=name)


def test_weights_come_out_third_and_are_multiplied_with_those_of_the_classes():
    rng = np.random.default_rng(0)
    y = (np.arange(100) < 20).astype(int)
    x, weight = np.arange(100.0)[:, None], rng.random(100)
    recipe = pk.Pipeline([pk.Rebalance("class_weight")])
    stream = tf.data.Dataset.from_tensor_slices((x, y, weight))
    for data in ((x, y, weight), (x, y, weight[:, None]), stream, stream.batch(7)):
        prepared = recipe.prepare(data, batch_size=32)
        assert prepared.metadata.class_weight is None  # Keras would refuse the two together
        rows, _, weights = (np.concatenate(parts) for parts in zip(*prepared.dataset.as_numpy_iterator(), strict=True))
        of_class = np.where(y == 1, 100 / 40, 100 / 160)
        np.testing.assert_allclose(weights[np.argsort(rows[:, 0])], weight * of_class, rtol=1e-6)
        *_, plain = next(prepared.pipeline.transform(data, batch_size=100).as_numpy_iterator())
        np.testing.assert_allclose(plain, weight, rtol=1e-6)  # no class weights in evaluation
    assert recipe.prepare((x, y)).metadata.class_weight == {0: 0.625, 1: 2.5}


def test_a_source_keeps_its_label_and_refuses_another():
    source = as_source(table(), "y")
    assert source.label == "y"
    assert as_source(source, "y") is source
    with pytest.raises(pk.PrepkitError, match="label='word', but the source was made with label='y'"):
        as_source(source, "word")


@pytest.mark.parametrize(
    "data, message",
    [
        (None, "cannot read data of type NoneType: give a data frame"),
        (object(), "cannot read data of type object: give a data frame"),
        ((), r"a tuple of 0 arrays: give \(X, y\) or \(X, y, weight\)"),
        ((1, 2, 3, 4), r"a tuple of 4 arrays: give \(X, y\) or \(X, y, weight\)"),
        (("a.csv", "b.csv"), "holds paths: give several files as a list"),
        ([], r"no files in \[\]: give a path, a glob, or a list of them"),
        ([datetime.date(2024, 1, 1)], "cannot read data of type list"),
    ],
)
def test_what_cannot_be_read_is_refused(data, message):
    with pytest.raises(pk.PrepkitError, match=message):
        as_source(data)


def test_a_sparse_matrix_is_refused_with_the_way_out():
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(pk.PrepkitError, match=r"sparse ones as X.toarray\(\)"):
        as_source(sparse.csr_matrix(np.eye(3)))
    with pytest.raises(pk.PrepkitError, match="X of type csr_matrix: give a numpy array"):
        as_source((sparse.csr_matrix(np.eye(3)), [0, 1, 0]))


def test_a_label_needs_a_name_to_be_found_by():
    with pytest.raises(pk.PrepkitError, match=r"label='y', but X is an array without column names: give \(X, y\)"):
        as_source(np.eye(3), "y")


@pytest.mark.parametrize("kind", [pa.string_view(), pa.binary_view()], ids=str)
def test_strings_are_no_views_for_which_pyarrow_lacks_half_of_its_functions(kind, tmp_path):
    table = pa.table({"s": pa.array(["a", None, "b"]).cast(kind), "y": [0, 1, 0]})
    pyarrow.parquet.write_table(table, tmp_path / "views.parquet")
    sources = [table, {"s": table["s"], "y": np.array([0, 1, 0])}, (table.drop_columns("y"), np.array([0, 1, 0]))]
    for data in (*sources, tmp_path / "views.parquet"):
        column = next(as_source(data).chunks()).columns["s"]
        inner = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        assert not (pa.types.is_string_view(inner) or pa.types.is_binary_view(inner))
        assert [v.decode() if isinstance(v, bytes) else v for v in column.to_pylist()] == ["a", None, "b"]
