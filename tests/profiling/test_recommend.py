"""What is recommended for which data, and that it runs without a hand-written word."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import prepkit as pk
from prepkit.datasets import adult


def names(recipe):
    return [type(stage).__name__ for stage in recipe.stages]


def table(n=400, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "row_id": np.arange(n),
            "light": rng.normal(size=n),
            "heavy": np.where(np.arange(n) % 50 == 0, 1e4, rng.normal(size=n)),
            "gap": np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n)),
            "word": rng.choice(["a", "b", "c"], n),
            "same": "x",
            "at": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 1000, n), "h"),
            "remark": [f"remark number {i} of many different ones" for i in rng.permutation(n)],
            "y": rng.integers(0, 2, n),
        }
    )


def test_each_defect_has_its_stage_and_each_stage_its_reason():
    recipe = pk.recommend(table(), label="y")
    assert names(recipe) == ["Drop", "Datetime", "Impute", "Rescale", "Rescale", "OneHot", "Text"]
    assert all(stage.reason for stage in recipe.stages)
    drop, _, impute, squash, standard, *_ = recipe.stages
    assert set(drop.columns) == {"row_id", "same"}
    assert "gap" in impute.reason
    assert (squash.method, squash.columns, standard.method) == ("squash", ("heavy",), "standard")


def test_it_runs_and_leaves_nothing_missing_or_far_out():
    prepared = pk.recommend(table(), label="y").prepare(table(), label="y", seed=0)
    x = np.concatenate([x for x, _ in prepared.dataset.as_numpy_iterator()])
    assert np.isfinite(x).all()
    heavy = x[:, prepared.pipeline.feature_names.index("heavy")]
    assert np.abs(heavy).max() < 20  # of 1e4, and 6 standard deviations at most


def test_pixels_are_divided_by_their_maximum():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 8, 8)).astype(np.uint8)
    (stage,) = pk.recommend((pixels, np.arange(40) % 10)).stages
    assert (stage.method, stage.maximum) == ("unit", 255.0)


@pytest.mark.parametrize(("rare", "expected"), [(10, True), (150, False)])
def test_rare_classes_are_weighted(rare, expected):
    frame = pd.DataFrame({"x": np.random.default_rng(0).normal(size=400), "y": np.arange(400) < rare})
    assert ("Rebalance" in names(pk.recommend(frame, label="y"))) is expected


def test_many_rows_for_each_category_stay_categories():
    codes = np.arange(2000) % 50
    frame = pd.DataFrame({"often": [f"c{c}" for c in codes], "y": codes % 2})
    assert names(pk.recommend(frame, label="y")) == ["Impute", "OneHot"]
    few = frame.iloc[:100]
    assert names(pk.recommend(few, label="y")) == ["Impute", "Text"]


def test_nothing_to_learn_from():
    frame = pd.DataFrame({"row_id": np.arange(40), "same": "x", "y": np.arange(40) % 2})
    with pytest.raises(pk.PrepkitError, match=r"no column to learn from: all are 'row_id' \(identifier\)"):
        pk.recommend(frame, label="y")


def test_a_file_and_its_frame_get_the_same_stages():
    assert names(pk.recommend(adult("train"), label="income")) == names(
        pk.recommend(pd.read_csv(adult("train")), label="income")
    )


def test_kinds_as_told():
    frame = pd.DataFrame({"zip": np.arange(60) % 6 + 10_000, "y": np.arange(60) % 2})
    assert names(pk.recommend(frame, label="y", kinds={"zip": "categorical"})) == ["Impute", "OneHot"]
