import numpy as np
import pytest

import prepkit as pk
from prepkit.features.clip import Bounds
from tests.features.frames import done, fit, learned, transformed

NAN = np.nan
X = np.arange(101.0)


def test_at_quantiles_of_the_training_values():
    fitted = fit(pk.Clip(quantiles=(0.05, 0.9)), {"x": X})
    assert learned(fitted) == Bounds({"x": 5.0}, {"x": 90.0})
    assert transformed(fitted, {"x": [-1e9, 5.0, 50.0, 91.0, NAN, np.inf]})["x"][:4] == [5.0, 5.0, 50.0, 90.0]


def test_quantiles_are_of_values_that_are_there():
    assert learned(fit(pk.Clip(quantiles=(0, 0.5)), {"x": [NAN, 1.0, 3.0, np.inf]})).high == {"x": 2.0}


@pytest.mark.parametrize(
    "bounds, expected",
    [({"low": 0.0}, [0, 0, 9]), ({"high": 1.5}, [-9, 0, 1.5]), ({"low": -1, "high": 1}, [-1, 0, 1])],
)
def test_at_fixed_bounds_without_reading_the_data(bounds, expected):
    fitted = fit(pk.Clip(**bounds), {"x": [-9.0, 0.0, 9.0]})
    assert transformed(fitted, {"x": [-9.0, 0.0, 9.0]}) == {"x": expected}


def test_at_tukeys_fences():
    fitted = fit(pk.Clip(iqr=1.5), {"x": X})
    assert learned(fitted).low == {"x": 25 - 75.0}
    assert learned(fitted).high == {"x": 75 + 75.0}


def test_where_the_quartiles_coincide_there_are_no_fences():
    """Or else a column that is mostly zero would become a constant."""
    x = np.where(np.arange(20) < 16, 0.0, np.arange(20))
    assert done(pk.Clip(iqr=1.5), {"x": x})["x"] == x.tolist()


@pytest.mark.parametrize("stage", [pk.Clip(quantiles=(0.1, 0.9)), pk.Clip(iqr=1.5)])
def test_a_constant_column_stays_as_it_is(stage):
    assert done(stage, {"x": np.full(9, 0.1), "z": X[:9]})["x"] == [np.float32(0.1)] * 9


def test_missing_stays_missing_and_infinite_is_missing():
    found = done(pk.Clip(low=0.0, high=1.0, indicator=True), {"x": [NAN, np.inf, -np.inf, 5.0]})
    np.testing.assert_array_equal(found["x"], [NAN, NAN, NAN, 1.0])
    assert found["x is clipped"] == [0, 0, 0, 1]


def test_indicators_lie_in_the_order_of_the_columns():
    data = {
        "wide": np.array([-5.0, 0.0, 0.0, 0.0]),
        "narrow": np.array([0.0, 5.0, 0.0, 0.0], np.float32),
        "also wide": np.array([0.0, 0.0, 5.0, 1.0]),
    }
    fitted = fit(pk.Clip(low=-1.0, high=1.0, indicator=True), data)
    assert fitted.flow.spec_out.names == (*data, *(f"{name} is clipped" for name in data))
    found = transformed(fitted, data)
    assert [found[f"{name} is clipped"] for name in data] == [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]


def test_a_bound_that_float32_rounds_is_no_reason_to_call_its_own_value_clipped():
    x = np.array([0.1, 0.2, 0.3], np.float32)
    found = done(pk.Clip(low=0.1, high=0.3, indicator=True), {"x": x})
    assert found == {"x": x.tolist(), "x is clipped": [0, 0, 0]}


def test_the_bounds_of_a_float32_column_are_float32():
    """Or else what later stages carry along is not what is in the column."""
    x = np.array([1.77e9, 1.77e9 + 128, 1.77e9 + 256, 1.77e9 + 512], np.float32)
    fitted = fit([pk.Clip(quantiles=(0.1, 0.9)), pk.Rescale("minmax")], {"x": x})
    bounds = learned(fitted)
    assert (bounds.low["x"], bounds.high["x"]) == (
        float(np.float32(bounds.low["x"])),
        float(np.float32(bounds.high["x"])),
    )
    assert learned(fitted, 1).shift == bounds.low
    found = transformed(fitted, {"x": x})["x"]
    assert (found[0], found[-1]) == (0.0, 1.0)


def test_only_the_columns_chosen():
    found = done(pk.Clip(high=1.0, columns="x"), {"x": [5.0, 0.0], "z": [5.0, 0.0]})
    assert found == {"x": [1, 0], "z": [5, 0]}


@pytest.mark.parametrize(
    "stages, scans",
    [
        ([pk.Impute(), pk.Clip(quantiles=(0.01, 0.99)), pk.Rescale("standard"), pk.OneHot()], 2),
        ([pk.Impute(), pk.Rescale("standard"), pk.OneHot()], 1),
        ([pk.Impute(), pk.Clip(quantiles=(0.01, 0.99)), pk.Rescale("robust")], 1),
        ([pk.Impute(), pk.Clip(iqr=1.5), pk.Rescale("minmax")], 1),
        ([pk.Clip(low=0.0), pk.Impute(), pk.Rescale("squash")], 1),
    ],
)
def test_how_often_the_data_are_read(stages, scans):
    data = {"x": [1.0, NAN, 3.0], "z": [1.0, 2.0, 4.0], "c": np.array(["a", "b", "a"], object)}
    assert fit(stages, data, output="dict").metadata.scans == scans


NEITHER = r"Clip: give exactly one of quantiles=\(0.001, 0.999\), iqr=1.5, or low= and/or high=."
QUANTILES = "give two rising fractions from 0 to 1"


@pytest.mark.parametrize(
    "settings, message",
    [
        ({}, NEITHER),
        ({"quantiles": (0, 1), "iqr": 1.5}, NEITHER),
        ({"iqr": 1.5, "low": 0.0}, NEITHER),
        ({"quantiles": (0.9, 0.1)}, rf"Clip: quantiles=\(0.9, 0.1\): {QUANTILES}"),
        ({"quantiles": (1, 99)}, rf"Clip: quantiles=\(1, 99\): {QUANTILES}"),
        ({"quantiles": (0.1, 0.5, 0.9)}, rf"Clip: quantiles=\(0.1, 0.5, 0.9\): {QUANTILES}"),
        ({"quantiles": "ab"}, f"Clip: quantiles='ab': {QUANTILES}. Columns are chosen by columns=."),
        ({"quantiles": 3.0}, f"Clip: quantiles=3.0: {QUANTILES}"),
        ({"iqr": 0.0}, "Clip: iqr=0.0: give a positive number, such as 1.5."),
        ({"iqr": NAN}, "Clip: iqr=nan: give a positive number, such as 1.5."),
        ({"low": 2.0, "high": 1.0}, "Clip: low=2.0 is not below high=1.0."),
        ({"low": NAN}, "Clip: low=nan: give a finite number, or None for no bound."),
        ({"high": np.inf}, "Clip: high=inf: give a finite number, or None for no bound."),
        ({"low": 0.0, "columns": ""}, "Clip: columns='': give names, globs or "),
    ],
)
def test_errors_when_made(settings, message):
    with pytest.raises(pk.PrepkitError, match=message):
        pk.Clip(**settings)


@pytest.mark.parametrize("stage", [pk.Clip(quantiles=(0.1, 0.9)), pk.Clip(iqr=1.5)])
def test_a_column_without_any_value(stage):
    message = r"in stage 1 of 1 \(Clip\): column 'x' has no value in the training rows to learn bounds from: Drop it."
    with pytest.raises(pk.PrepkitError, match=message):
        fit(stage, {"x": [NAN, NAN], "z": [1.0, 2.0]})


def test_a_column_of_another_kind():
    message = r"Clip takes columns of kind numeric, not 'b' \(boolean\)"
    with pytest.raises(pk.PrepkitError, match=message):
        fit(pk.Clip(low=0.0, columns="b"), {"b": np.array([True, False])})
