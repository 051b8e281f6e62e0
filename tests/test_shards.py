"""Transformed rows as NPZ files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from prepkit.shards import write_transformed


def read(folder: Path) -> list[dict[str, np.ndarray]]:
    out = []
    for path in sorted(folder.glob("*.npz")):
        with np.load(path, allow_pickle=False) as archive:
            out.append({name: archive[name] for name in archive.files})
    return out


X, Y, W = np.arange(20.0, dtype=np.float32).reshape(10, 2), np.arange(10, dtype=np.int32), np.ones(10, np.float32)


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_a_file_for_each_batch(tmp_path, parts):
    given = (X, Y, W)[:parts]
    dataset = tf.data.Dataset.from_tensor_slices(given if parts > 1 else X).batch(4)
    assert write_transformed(dataset, tmp_path / "new" / "test") == 10
    files = read(tmp_path / "new" / "test")
    assert [len(f["features"]) for f in files] == [4, 4, 2]
    assert [sorted(f) for f in files] == [sorted(["features", "label", "weight"][:parts])] * 3
    for name, expected in zip(("features", "label", "weight"), given, strict=False):
        together = np.concatenate([f[name] for f in files])
        np.testing.assert_array_equal(together, expected)
        assert together.dtype == expected.dtype


def test_columns_have_their_names(tmp_path):
    texts = ["a", "ü", "", "日本", "x" * 500]
    features: dict[str, Any] = {"job/title": np.array(texts, object), "file": X[:5], "größe": Y[:5]}
    assert write_transformed(tf.data.Dataset.from_tensor_slices((features, Y[:5])).batch(5), tmp_path) == 5
    (file,) = read(tmp_path)
    assert set(file) == {"features/job/title", "features/file", "features/größe", "label"}
    assert file["features/job/title"].tolist() == texts
    np.testing.assert_array_equal(file["features/file"], X[:5])


def test_more_files_than_ten_stay_in_order(tmp_path):
    write_transformed(tf.data.Dataset.range(25).batch(2), tmp_path)
    assert np.concatenate([f["features"] for f in read(tmp_path)]).tolist() == list(range(25))


def test_an_earlier_run_leaves_nothing_behind_and_other_files_are_left_alone(tmp_path):
    (tmp_path / "mine.npz").write_text("mine")
    (tmp_path / "notes.txt").write_text("mine")
    write_transformed(tf.data.Dataset.range(10).batch(2), tmp_path)
    write_transformed(tf.data.Dataset.range(4).batch(2), tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["00000.npz", "00001.npz", "mine.npz", "notes.txt"]


def test_no_rows(tmp_path):
    assert write_transformed(tf.data.Dataset.range(0).batch(2), tmp_path / "a") == 0
    assert not list((tmp_path / "a").iterdir())
