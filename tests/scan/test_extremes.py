import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prepkit.scan import Extremes
from tests.scan.columns import COLUMNS, CUTS, finite, measured


@given(COLUMNS, CUTS)
def test_equal_numpy_however_batched(x, cuts):
    expected = Extremes(finite(x).min(initial=np.inf), finite(x).max(initial=-np.inf), int((~np.isfinite(x)).sum()))
    assert measured(Extremes, x, cuts) == expected


@given(COLUMNS, COLUMNS, CUTS)
def test_merge_is_update_over_the_union(x, other, cuts):
    merged = measured(Extremes, x, cuts)
    merged.merge(measured(Extremes, other, ()))
    assert merged == measured(Extremes, np.concatenate([x.astype(np.float64), other.astype(np.float64)]), ())


def test_the_largest_numbers_there_are():
    largest = np.finfo(np.float64).max
    assert measured(Extremes, np.array([largest, largest, np.nan]), ()) == Extremes(largest, largest, 1)
    assert measured(Extremes, np.array([-largest, largest]), ()) == Extremes(-largest, largest, 0)


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float16", "bool"])
def test_of_other_types(dtype):
    assert measured(Extremes, np.array([1, 0, 1], dtype), ()) == Extremes(0.0, 1.0, 0)


def test_nothing_measured():
    assert measured(Extremes, np.array([]), ()) == Extremes()
    assert measured(Extremes, np.array([np.nan, np.inf, -np.inf]), (1,)) == Extremes(missing=3)


@given(COLUMNS, st.floats(-1e3, 1e3))
def test_filled_is_measuring_the_filled_values(x, value):
    x = x.astype(np.float64)
    assert measured(Extremes, x, ()).filled(value) == measured(Extremes, np.where(np.isfinite(x), x, value), ())


@given(COLUMNS, st.floats(-1e3, 1e3), st.floats(0, 1e3))
def test_clipped_is_measuring_the_clipped_values(x, low, width):
    x = np.where(np.isfinite(x), x, np.nan).astype(np.float64)
    clipped = measured(Extremes, x, ()).clipped(low, low + width)
    assert clipped == measured(Extremes, np.clip(x, low, low + width), ())


@given(COLUMNS, st.floats(-1e3, 1e3), st.floats(1e-3, 1e3))
def test_scaled_is_measuring_the_scaled_values(x, shift, scale):
    x = x.astype(np.float64)
    scaled = measured(Extremes, x, ()).scaled(shift, scale)
    expected = measured(Extremes, (x - shift) * scale, ())
    assert (scaled.low, scaled.high, scaled.missing) == (expected.low, expected.high, expected.missing)


def test_a_negative_scale_turns_the_order_round():
    assert Extremes(1.0, 2.0).scaled(0.0, -1.0) is None
