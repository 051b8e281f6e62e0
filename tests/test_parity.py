"""Whether training, evaluation and serving give the same numbers, and whether a difference would be seen."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import prepkit as pk
from prepkit.parity import _largest, differences

N = 300  # more than one batch
FEATURES = {"eager", "graph", "tf.data", "saved and loaded"}
SERVED = {"served, called", "served, predicted", "served, reloaded", "served, exported"}


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    out = pd.DataFrame(
        {
            "pay": rng.lognormal(3, 2, N),
            "years": rng.integers(0, 50, N),
            "member": rng.random(N) < 0.5,
            "job": rng.choice(["cook", "smith", "Bäcker"], N),
            "note": [f"remark {i % 9} of {i}" for i in range(N)],
            "at": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 10**7, N), unit="s"),
            "y": rng.choice(["no", "yes"], N),
        }
    )
    out.loc[:9, ["pay", "job"]] = None
    return out


def log(x: dict[str, Any]) -> dict[str, Any]:
    return {"log": tf.math.log1p(x["pay"])}


MEASURED = [pk.Impute(), pk.Clip(iqr=1.5), pk.Rescale("squash"), pk.OneHot()]
RECIPE = pk.Pipeline([pk.Datetime(), pk.Map(log, columns="pay"), pk.Text(bins=8), *MEASURED])


@pytest.fixture(scope="module")
def fitted() -> pk.FittedPipeline:
    return RECIPE.fit(frame(), "y", kinds={"note": "text"})


def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(16, activation="relu"), keras.layers.Dense(1, activation="sigmoid")]
    return keras.Sequential(layers)


def test_features_agree_whichever_way_they_are_computed(fitted):
    found = fitted.check_parity(frame())
    assert set(found) == FEATURES
    assert max(found.values()) <= 1e-6


def test_probabilities_agree_too(fitted):
    model = network()
    model.compile("adam", "binary_crossentropy")
    model.fit(fitted.transform(frame()), verbose=0, shuffle=False)
    found = fitted.check_parity(frame(), model)
    assert set(found) == FEATURES | SERVED
    assert max(found.values()) <= 1e-6


@pytest.mark.parametrize("source", ["without label", "dict", "CSV", "batches", "rows"])
def test_any_source_will_do(fitted, source, tmp_path):
    data = frame().drop(columns="y")
    given: Any = data
    if source == "dict":
        given = {n: data[n].to_numpy() for n in data}
    elif source == "CSV":
        data = frame()[["pay", "years", "job", "y"]]
        data.to_csv(tmp_path / "a.csv", index=False)
        given = tmp_path / "a.csv"
        fitted = pk.Pipeline([pk.Impute(), pk.Rescale(), pk.OneHot()]).fit(given, "y")
    elif source != "without label":
        seconds = (data["at"] - pd.Timestamp("1970-01-01")).dt.total_seconds()
        data = data.assign(at=seconds, job=data["job"].fillna(""))
        tensors = {n: data[n].to_numpy(object if data[n].dtype.kind not in "biuf" else None) for n in data}
        given = tf.data.Dataset.from_tensor_slices(tensors)
        given = given.batch(70) if source == "batches" else given
    found = fitted.check_parity(given, network() if source in ("CSV", "rows") else None)
    assert max(found.values()) <= 1e-6


def test_arrays_images_and_dicts():
    x, y = np.random.default_rng(0).integers(0, 256, (50, 5, 5, 3)).astype(np.uint8), np.arange(50) % 2
    images = pk.Pipeline([pk.Rescale("unit")]).fit((x, y))
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax")])
    assert max(images.check_parity((x, y), model).values()) <= 1e-6
    matrix = pk.Pipeline([pk.Impute(), pk.Rescale()]).fit((x.reshape(50, -1) / 255, y))
    assert max(matrix.check_parity(x.reshape(50, -1) / 255, network()).values()) <= 1e-6
    ids = pk.Pipeline([pk.Datetime(), pk.Lookup(), pk.Impute()], output="dict").fit(
        frame(), "y", kinds={"note": "text"}
    )
    assert max(ids.check_parity(frame()).values()) <= 1e-6  # ids and strings besides


def test_cells_that_the_signature_cannot_hold_are_told(fitted):
    data = frame()
    data["years"] = data["years"].where(data.index > 4)
    assert max(fitted.check_parity(data).values()) <= 1e-6
    with pytest.raises(pk.PrepkitError, match="'years' holds a missing cell, but was int64 in training"):
        fitted.check_parity(data, network())


def test_a_difference_is_seen():
    fitted = pk.Pipeline([pk.Select(["years", "member"])]).fit(frame(), "y")
    batches = [np.asarray(x) for x, _ in fitted.transform(frame())]
    names = list(fitted.feature_names)

    def found(change: Any) -> float:
        changed = [change(i, x.copy()) for i, x in enumerate(batches)]
        out = differences(changed, frame(), fitted.flow, None)
        assert len(set(out.values())) == 1
        return out["graph"]

    assert found(lambda i, x: x) <= 1e-6

    def one_cell(i: int, x: np.ndarray) -> np.ndarray:
        x[3, names.index("years")] += 0.125 * (i == 1)
        return x

    assert found(one_cell) == pytest.approx(0.125, rel=1e-4)

    def one_nan(i: int, x: np.ndarray) -> np.ndarray:
        x[3, 0] = np.nan if i == 1 else x[3, 0]
        return x

    assert found(one_nan) == np.inf
    assert found(lambda i, x: x[:-1] if i == 1 else x) == np.inf  # a row is lost
    assert found(lambda i, x: x[::-1]) > 0.1  # in another order


@pytest.mark.parametrize(
    "mine, theirs, largest",
    [
        ([1.0, np.nan], [1.0, np.nan], 0.0),
        ([np.inf, -np.inf], [np.inf, -np.inf], 0.0),
        ([np.inf, 0.0], [-np.inf, 0.0], np.inf),
        ([1.0, np.nan], [1.0, 2.0], np.inf),
        ([1.0, 2.0], [1.0, np.nan], np.inf),
        ([1.0, 2.5], [1.0, 2.0], 0.5),
        ([1.0], [1.0, 1.0], np.inf),
        ([[1.0], [1.0]], [1.0, 1.0], np.inf),
        (["a", "b"], ["a", "b"], 0.0),
        (["a", "b"], ["a", "c"], 1.0),
        ([3, 4], [3, 5], 1.0),
        ([], [], 0.0),
    ],
)
def test_the_largest_difference(mine, theirs, largest):
    assert _largest([np.array(mine)], [np.array(theirs)]) == largest
    assert _largest(np.array(mine), np.array(theirs)) == largest
