"""One pass over any source: counts of all rows, the same however they come."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import tensorflow as tf

import prepkit as pk
from prepkit.profiling.measure import compared, measure
from prepkit.profiling.profile import profile
from prepkit.profiling.sample import ROWS
from prepkit.source import RawChunk, as_source
from prepkit.source.reader import Reader, infer

N = 400
RNG = np.random.default_rng(0)


def frame(n=N):
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "x": np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n).round(1)),
            "c": rng.choice(["a", "b", "c"], n),
            "y": rng.choice(["no", "yes"], n),
        }
    )


def measured(data, label="y", **more):
    source = as_source(data, label)
    reader = Reader(source)
    spec = infer(source, reader.head, label, {}, labelled=reader.head.label is not None)
    return measure(source, reader.chunks(), spec, **more)


def facts(found):
    tally = found.tallies["x"]
    return {
        "rows": found.rows,
        "missing": tally.missing,
        "mean": round(tally.moments.mean, 5),
        "words": dict(found.tallies["c"].counts),
        "classes": dict(found.label.counts),
        "repeated": (found.duplicates.repeated, found.duplicates.contradictory),
        "sample": (len(found.sample), found.sample.classes.tolist(), found.sample.rows.tolist()),
    }


def sources(folder):
    f = frame()
    f.to_csv(folder / "a.csv", index=False)
    f.to_parquet(folder / "a.parquet", row_group_size=90)
    f.iloc[:150].to_csv(folder / "b0.csv", index=False)
    f.iloc[150:].to_csv(folder / "b1.csv", index=False)
    np.savez(folder / "a.npz", x=f["x"].to_numpy(), c=f["c"].to_numpy(str), y=f["y"].to_numpy(str))
    features = {"x": f["x"].to_numpy(), "c": f["c"].to_numpy(object)}
    dataset = tf.data.Dataset.from_tensor_slices((features, f["y"].to_numpy(object)))
    return {
        "pandas": f,
        "polars": pl.from_pandas(f),
        "arrow": pa.Table.from_pandas(f),
        "dict": {n: f[n].to_numpy() for n in f},
        "pair": (f[["x", "c"]], f["y"]),
        "dataset": dataset.batch(70),
        "csv": folder / "a.csv",
        "parquet": folder / "a.parquet",
        "several": str(folder / "b*.csv"),
        "npz": folder / "a.npz",
    }


def test_the_same_whatever_the_source(tmp_path):
    every = sources(tmp_path)
    expected = facts(measured(every["pandas"]))
    for name, data in every.items():
        label = None if name in ("pair", "dataset") else "y"
        assert facts(measured(data, label)) == expected, name


def test_counts_are_those_of_pandas():
    f = frame()
    found = facts(measured(f))
    assert (found["missing"], found["words"]) == (int(f["x"].isna().sum()), f["c"].value_counts().to_dict())
    assert found["classes"] == f["y"].value_counts().to_dict()
    assert found["repeated"][0] == int(f.duplicated().sum())


def test_images_and_matrices():
    images = RNG.integers(0, 256, (50, 4, 4, 3)).astype(np.uint8)
    images[7] = images[3]
    found = measured((images, np.arange(50) % 2), None)
    assert found.tallies["x"].cells == 50 * 48 and found.duplicates.repeated == 1
    assert found.sample.columns["x"].shape == (50, 4, 4, 3)
    matrix = measured((RNG.normal(size=(50, 3)), np.eye(2)[np.arange(50) % 2]), None)
    assert list(matrix.tallies) == ["x0", "x1", "x2"] and dict(matrix.label.counts) == {0: 25, 1: 25}


def test_records(tmp_path):
    with tf.io.TFRecordWriter(str(tmp_path / "a.tfrecord")) as writer:
        for i in range(30):
            value = {"x": [float(i)], "y": [i % 2]}
            features = {
                "x": tf.train.Feature(float_list=tf.train.FloatList(value=value["x"])),
                "y": tf.train.Feature(int64_list=tf.train.Int64List(value=value["y"])),
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    found = measured(tmp_path / "a.tfrecord")
    assert (found.rows, dict(found.label.counts)) == (30, {0: 15, 1: 15})


def test_rows_are_compared_by_their_features_identifiers_aside():
    f = frame(100).assign(row_id=np.arange(100), same=1)
    f.loc[50, ["x", "c", "y"]] = f.loc[10, ["x", "c", "y"]]
    found = measured(f)
    assert compared(found.spec) == ("x", "c")
    assert found.duplicates.repeated == int(f.duplicated(["x", "c", "y"]).sum())


def test_classes_are_numbered_in_their_order():
    f = pd.DataFrame({"x": RNG.normal(size=6), "y": ["b", "a", None, "c", "a", "b"]})
    found = measured(f)
    assert (found.spec.label.classes, found.sample.classes.tolist()) == (("a", "b", "c"), [1, 0, -1, 2, 0, 1])


def test_spellings_of_a_label_are_counted_raw():
    f = pd.DataFrame({"x": RNG.normal(size=4), "y": [" a", "a.", "b", " a"]})
    found = measured(f)
    assert (dict(found.label.counts), dict(found.label.spellings)) == ({"a": 3, "b": 1}, {" a": 2, "a.": 1, "b": 1})


def test_a_sample_of_many_rows():
    found = measured({"x": np.arange(200_000.0), "y": np.arange(200_000) % 2}, seed=3)
    assert (len(found.sample), found.rows) == (ROWS, 200_000)
    assert found.sample.columns["x"].tolist() == found.sample.rows.tolist()


def test_a_later_chunk_that_lacks_a_column():
    f = frame()
    source = as_source(f, "y")
    chunk = next(iter(source.chunks()))
    spec = infer(source, chunk, "y", {})
    later = RawChunk({"x": chunk.columns["x"]}, label=chunk.label)
    with pytest.raises(pk.PrepkitError, match="1 of the 2 training columns are missing"):
        measure(source, [chunk, later], spec)


def test_without_a_label():
    found = measured(frame(), None)
    assert (found.label, found.sample.classes, found.spec.label) == (None, None, None)
    assert profile(frame()).label is None
