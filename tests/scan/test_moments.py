import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prepkit.scan import Moments
from tests.scan.columns import COLUMNS, CUTS, finite, measured


@given(COLUMNS, CUTS)
def test_equal_numpy_in_float64_however_batched(x, cuts):
    moments = measured(Moments, x, cuts)
    values = finite(x).astype(np.float64)
    assert (moments.count, moments.missing) == (len(values), len(x) - len(values))
    if len(values):
        center = values[0]  # so that numpy, too, has no digits to lose
        largest = np.abs(values).max()
        assert moments.mean == pytest.approx(center + (values - center).mean(), rel=1e-12, abs=1e-12 * largest)
        expected = (values - center).var()
        assert moments.variance == pytest.approx(expected, rel=1e-9, abs=(1e-14 * largest) ** 2)


@given(COLUMNS, COLUMNS, CUTS)
def test_merge_is_update_over_the_union(x, other, cuts):
    merged = measured(Moments, x, cuts)
    merged.merge(measured(Moments, other, ()))
    union = measured(Moments, np.concatenate([x.astype(np.float64), other.astype(np.float64)]), ())
    assert (merged.count, merged.missing) == (union.count, union.missing)
    scale = np.abs(finite(union_values := np.concatenate([x, other]).astype(np.float64))).max(initial=0)
    assert len(union_values) == len(x) + len(other)
    assert merged.mean == pytest.approx(union.mean, rel=1e-12, abs=1e-12 * scale)
    assert merged.variance == pytest.approx(union.variance, rel=1e-9, abs=(1e-13 * scale) ** 2)


@pytest.mark.parametrize("dtype, spread", [(np.float32, 1.0), (np.float64, 1.0), (np.float64, 0.01)])
@pytest.mark.parametrize("offset", [0.0, 1e6, 1.77e9, -1e9])
def test_a_huge_offset_costs_no_digits(offset, dtype, spread):
    rng = np.random.default_rng(0)
    x = (offset + spread * rng.normal(size=200_000)).astype(dtype)
    rest = x.astype(np.float64) - offset  # exact
    moments, other = Moments(), Moments()
    for i, piece in enumerate(np.array_split(x, 7)):
        (moments if i % 2 else other).update(piece)
    moments.merge(other)
    assert moments.mean == pytest.approx(offset + rest.mean(), rel=1e-12, abs=1e-15)
    assert moments.variance == pytest.approx(rest.var(), rel=1e-10, abs=0)
    near = moments.scaled(offset, 1 / spread)
    assert near.mean == pytest.approx(rest.mean() / spread, rel=1e-9, abs=1e-12)
    assert near.variance == pytest.approx(rest.var() / spread**2, rel=1e-10, abs=0)


def test_the_mean_of_a_batch_may_be_rounded_but_its_variance_is_not():
    """The last digit of 1.77e9 is 2e-7, a hundredth of the spread of these."""
    rest = 2e-5 * np.random.default_rng(0).normal(size=50_000)
    x = 1.77e9 + rest
    moments = measured(Moments, x, ())
    assert moments.variance == pytest.approx((x - 1.77e9).var(), rel=1e-9, abs=0)


@pytest.mark.parametrize("value", [0.0, 0.1, -1e-300, 1.77e9 + 0.123, 1e100])
def test_a_constant_has_no_variance_and_is_its_own_mean(value):
    moments = Moments()
    for n in (1, 7, 70_000):
        moments.update(np.full(n, value))
    assert moments.mean == value
    assert np.sqrt(moments.variance) <= 1e-15 * abs(value)


def test_nothing_measured():
    empty = Moments()
    empty.update(np.array([]))
    empty.update(np.array([np.nan, np.inf, -np.inf]))
    assert (empty.count, empty.missing, empty.mean, empty.variance) == (0, 3, 0.0, 0.0)
    other = Moments()
    other.update(np.array([1.0, 3.0]))
    other.merge(empty)
    empty.merge(other)
    assert (empty.count, empty.missing, empty.mean, empty.variance) == (2, 6, 2.0, 1.0)


def test_values_too_large_to_square_are_not_finite_in_silence():
    moments = Moments()
    moments.update(np.array([1.0, 1e200]))
    assert not np.isfinite(moments.variance)


def test_update_leaves_the_values_as_they_were():
    x = np.array([1.0, np.nan, 5.0])
    Moments().update(x)
    np.testing.assert_array_equal(x, [1.0, np.nan, 5.0])


@given(COLUMNS, st.floats(-1e3, 1e3))
def test_filled_is_measuring_the_filled_values(x, value):
    x = x.astype(np.float64)
    filled = measured(Moments, x, ()).filled(value)
    expected = measured(Moments, np.where(np.isfinite(x), x, value), ())
    scale = max(np.abs(finite(x)).max(initial=0), abs(value))
    assert (filled.count, filled.missing) == (expected.count, 0)
    assert filled.mean == pytest.approx(expected.mean, rel=1e-12, abs=1e-13 * scale)
    assert filled.variance == pytest.approx(expected.variance, rel=1e-9, abs=(1e-14 * scale) ** 2)


@given(COLUMNS, st.floats(-1e3, 1e3), st.floats(1e-3, 1e3))
def test_scaled_is_measuring_the_scaled_values(x, shift, scale):
    x = x.astype(np.float64)
    scaled = measured(Moments, x, ()).scaled(shift, scale)
    expected = measured(Moments, (x - shift) * scale, ())
    largest = max(np.abs(finite(x)).max(initial=0), abs(shift)) * scale
    assert (scaled.count, scaled.missing) == (expected.count, expected.missing)
    if expected.count:
        assert scaled.mean == pytest.approx(expected.mean, rel=1e-12, abs=1e-13 * largest)
    rounding = np.spacing(largest)  # of `expected`, which has the offset of scaled numbers to carry
    tolerance = 8 * rounding * (np.sqrt(expected.variance) + rounding)
    assert scaled.variance == pytest.approx(expected.variance, rel=1e-9, abs=tolerance)


def test_of_clipped_values_nothing_is_known():
    assert Moments(3, 0, 1.0, 2.0).clipped(0.0, 1.0) is None
