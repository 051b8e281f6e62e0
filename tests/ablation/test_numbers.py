"""Numbers are pandas' codes, whatever way the rows take; Floats are seconds and ids."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import prepkit as pk
from prepkit.ablation.numbers import Floats, Numbers
from prepkit.storage import STAGES

N = 60
WORDS = np.array(["smith", "cook", "Zoe", "élan", "東京", "10", "9", None], object)


def frame(seed=0):
    rng = np.random.default_rng(seed)
    at = np.datetime64("2024-02-28T22:30:00") + rng.integers(0, 10**6, N).astype("m8[s]")
    at[4] = np.datetime64("NaT")
    return pd.DataFrame(
        {
            "job": WORDS[rng.integers(0, len(WORDS), N)],
            "age": rng.normal(40, 10, N).astype(np.float32),
            "city": np.array(["Rome", "Köln"], object)[rng.integers(0, 2, N)],
            "at": at,
            "y": np.arange(N) % 2,
        }
    )


def codes(values, categories=None):
    """By pandas: the place of each among the sorted categories, -1 for others."""
    known = values if categories is None else values.where(values.isin(categories))
    return pd.Categorical(known, categories=categories).codes.astype(np.float32)


def matrix(fitted, data):
    return np.concatenate([x for x, *_ in fitted.transform(data, batch_size=16).as_numpy_iterator()])


def columns(fitted, data):
    return dict(zip(fitted.feature_names, matrix(fitted, data).T, strict=True))


FITTED = pk.Pipeline([Numbers(), pk.Drop("at")]).fit(frame(), label="y", kinds={"job": "categorical"})


def test_categories_are_the_codes_of_pandas_and_other_columns_stay():
    found = columns(FITTED, frame())
    assert FITTED.feature_names == ("age", "job", "city")
    np.testing.assert_array_equal(found["job"], codes(frame()["job"]))
    np.testing.assert_array_equal(found["city"], codes(frame()["city"]))
    np.testing.assert_array_equal(found["age"], frame()["age"])
    assert {-1.0, 0.0, 6.0} <= set(found["job"])


def test_unseen_categories_and_missing_cells_are_minus_one():
    new = frame().assign(job=["pilot", "cook", None, "  "] * 15)
    known = sorted(v for v in WORDS if v is not None)
    found = columns(FITTED, new)["job"]
    np.testing.assert_array_equal(found, codes(new["job"], known))
    assert set(found) == {-1.0, float(known.index("cook"))}


def test_in_a_graph_from_strings_as_from_codes_in_memory():
    new = frame(1).assign(job=[*frame(1)["job"][:-1], "pilot"])
    raw = {n: tf.constant(new[n].fillna("").tolist()) for n in ("job", "city")}
    raw |= {"age": tf.constant(new["age"]), "at": tf.zeros(N, tf.float64)}
    expected = matrix(FITTED, new)
    np.testing.assert_array_equal(FITTED.flow.features(raw), expected)
    np.testing.assert_array_equal(tf.function(FITTED.flow.features, autograph=False)(raw), expected)
    assert expected[-1, 1] == -1


def test_from_parquet_a_chunk_at_a_time_as_from_memory(tmp_path):
    for i, rows in enumerate((slice(0, 25), slice(25, N))):
        frame()[rows].to_parquet(tmp_path / f"{i}.parquet", row_group_size=10)
    files = str(tmp_path / "*.parquet")
    recipe = pk.Pipeline([pk.Rescale(), Numbers(), Floats()])
    fitted = recipe.fit(files, label="y", kinds={"job": "categorical"})
    theirs = columns(recipe.fit(frame(), label="y", kinds={"job": "categorical"}), frame())
    ours = columns(fitted, files)
    assert ours.keys() == theirs.keys() == {"age", "at", "job", "city"}
    for name, values in ours.items():
        np.testing.assert_allclose(values, theirs[name], rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(theirs["job"], codes(frame()["job"]))


def test_a_category_that_impute_has_made_comes_last():
    recipe = pk.Pipeline([pk.Drop("at"), pk.Impute(), Numbers()])
    found = columns(recipe.fit(frame(), label="y", kinds={"job": "categorical"}), frame())["job"]
    expected = codes(frame()["job"])
    np.testing.assert_array_equal(found, np.where(expected < 0, expected.max() + 1, expected))


def test_times_are_seconds_and_stay_missing():
    found = columns(pk.Pipeline([pk.Drop("job"), Floats(), Numbers()]).fit(frame(), label="y"), frame())["at"]
    seconds = frame()["at"].to_numpy().astype("M8[s]").astype(np.int64).astype(np.float32)
    np.testing.assert_array_equal(found, np.where(frame()["at"].isna(), np.nan, seconds))
    assert np.isnan(found[4])


@pytest.mark.parametrize("stage", [pk.Lookup(columns="city"), pk.Hash("city", 8, output_form="id")])
def test_ids_are_numbers(stage):
    data = frame()[["age", "city", "y"]]
    ids = [x["city"] for x, _ in pk.Pipeline([stage], output="dict").fit(data, label="y").transform(data, 60)]
    found = columns(pk.Pipeline([stage, Floats()]).fit(data, label="y"), data)
    assert list(found) == ["age", "city"]
    np.testing.assert_array_equal(found["city"], ids[0].numpy().astype(np.float32))
    np.testing.assert_array_equal(found["age"], data["age"])


def test_without_such_columns_nothing_changes():
    data = frame()[["age", "y"]]
    fitted = pk.Pipeline([Numbers(), Floats()]).fit(data, label="y")
    np.testing.assert_array_equal(matrix(fitted, data)[:, 0], data["age"])


def test_what_may_be_missing_behind_them():
    recipe = pk.Pipeline([pk.Lookup(columns="city")], output="dict")
    spec = recipe.fit(frame().drop(columns="at"), label="y", kinds={"job": "categorical"}).flow.spec_out
    names = {"job", "city", "age"}
    assert Numbers().leaves_missing(spec, names) == {"city", "age"}
    assert Floats().leaves_missing(spec, names) == {"job", "age"}


def test_they_are_no_stages_of_recipes():
    assert {"Numbers", "Floats"}.isdisjoint(STAGES)
    assert not hasattr(pk, "Numbers")
