"""Keys that occur twice, in tables and in streams."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pytest
import tensorflow as tf

import prepkit as pk
from tests.parity.frames import in_small_chunks
from tests.rows.people import NAN


def test_keys_that_occur_twice(tmp_path):
    frame = pd.DataFrame({"key": [*range(18), 3, 5], "x": np.arange(20.0), "y": np.arange(20) % 2})
    schema = pa.DataFrameSchema({"key": pa.Column(int, unique=True)})
    for kind in ("frame", "parquet", "dataset"):
        frame.to_parquet(tmp_path / "rows.parquet", row_group_size=4)
        x = {n: frame[n].to_numpy() for n in ("key", "x")}
        data = {
            "frame": frame,
            "parquet": tmp_path / "rows.parquet",
            "dataset": tf.data.Dataset.from_tensor_slices((x, frame["y"].to_numpy())).batch(3),
        }[kind]
        recipe = pk.Pipeline([pk.Validate(schema, max_refused=0.3)])
        with in_small_chunks():
            prepared = recipe.prepare(data, label=None if kind == "dataset" else "y", batch_size=4)
            assert list(prepared.quarantine.index) == [3, 5, 18, 19], kind
            kept = np.concatenate([x for x, _ in prepared.dataset])
        assert sorted(kept[:, 1]) == [i for i in range(20) if i not in (3, 5, 18, 19)], kind


@pytest.mark.parametrize("keep, refused", [("all", [0, 2, 3]), ("exclude_first", [2, 3]), ("exclude_last", [0, 2])])
def test_which_of_equal_rows_are_refused(keep, refused):
    frame = pd.DataFrame({"a": [1, 2, 1, 1, 3], "b": ["x", "x", "x", "x", "x"]})
    schema = pa.DataFrameSchema({"a": pa.Column(int), "b": pa.Column(str)}, unique=["a", "b"], report_duplicates=keep)
    assert pk.Validate(schema).check(frame).failures["row"].tolist() == refused


def test_the_first_of_equal_rows_is_not_asked_of_a_stream(tmp_path):
    pd.DataFrame({"a": [1, 2, 1]}).to_csv(tmp_path / "a.csv", index=False)
    schema = pa.DataFrameSchema({"a": pa.Column(int, unique=True, report_duplicates="exclude_first")})
    with pytest.raises(pk.PrepkitError, match="a: unique: which of equal rows is the first is only asked of data in"):
        pk.Validate(schema).check(tmp_path / "a.csv")


def test_missing_cells_are_no_key(tmp_path):
    frame = pd.DataFrame({"x": [1.0, NAN, NAN, 2.0, 2.0], "z": ["a", None, None, "b", "b"]})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    one = pa.DataFrameSchema({"x": pa.Column(float, nullable=True, unique=True)})
    both = pa.DataFrameSchema({n: pa.Column(nullable=True) for n in "xz"}, unique=["x", "z"])
    for data in (frame, tmp_path / "rows.csv"):
        for schema in (one, both):
            assert pk.Validate(schema).check(data).failures["row"].tolist() == [3, 4]
