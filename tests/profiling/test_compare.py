"""Another data set beside the first."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import prepkit as pk
from prepkit.profiling.compare import compare
from prepkit.profiling.measure import measure
from prepkit.profiling.profile import profile
from prepkit.source import as_source
from prepkit.source.reader import Reader, infer
from tests.profiling.judge.frames import healthy


def measured(data, label="y"):
    source = as_source(data, label)
    reader = Reader(source)
    return measure(source, reader.chunks(), infer(source, reader.head, label, {}, labelled=label is not None))


def compared(train, other, label="y"):
    return compare(measured(train, label), as_source(other, label, required=False))


def test_rows_that_stand_in_both_whatever_their_label():
    train, test = healthy(300), healthy(100, 5)
    other = pd.concat([test, train.iloc[:20], train.iloc[:5].assign(y=2)])
    found = compared(train, other)
    assert (found.rows, found.seen) == (125, 25)
    assert found.label.counts.keys() == {0, 1, 2}


def test_without_its_label_and_as_a_file(tmp_path):
    train = healthy(300)
    train.to_csv(tmp_path / "train.csv", index=False)
    train.iloc[:40].drop(columns="y").to_csv(tmp_path / "test.csv", index=False)
    found = compared(tmp_path / "train.csv", tmp_path / "test.csv")
    assert (found.seen, found.label, found.missing["x"]) == (40, None, 0.0)


def test_columns_that_are_not_there():
    train = healthy(300)
    found = compared(train, train[["x", "y"]])
    assert (found.lacking, found.seen, list(found.missing)) == (("z", "c"), 0, ["x"])


def test_categories_of_one_side_only():
    train, test = healthy(300), healthy(300)
    found = compared(train, test.assign(c=test["c"].replace({"red": "pink"})))
    assert found.unseen == {"c": {"pink": int((test["c"] == "red").sum())}}
    assert found.absent == {"c": ("red",)}


def test_arrays():
    x, y = np.random.default_rng(0).normal(size=(80, 3)), np.arange(80) % 2
    found = profile((x, y), against={"test": (x[:8], y[:8]), "narrow": x[:, :2]})
    assert [f.evidence["rows"] for f in found.about("leakage.rows")] == [8]
    assert [f.where for f in found.about("split.columns")] == ["column 'x2'"]
    assert found.splits == {"test": 8, "narrow": 80}


def test_what_cannot_be_read_names_the_data_set():
    with pytest.raises(pk.PrepkitError, match=r"against\['test'\]: cannot read data of type int"):
        profile(healthy(60), label="y", against={"test": 3})
    with pytest.raises(
        pk.PrepkitError, match=r"against\['v'\]: label 'y' holds 'a', but the training labels were whole"
    ):
        profile(healthy(60), label="y", against={"v": healthy(60).assign(y="a")})
