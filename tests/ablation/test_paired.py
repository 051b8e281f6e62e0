import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from prepkit.ablation.paired import interval, p_value

NUMBERS = st.lists(st.floats(-1e3, 1e3).map(lambda x: round(x, 3)), min_size=2, max_size=8)


def test_the_interval_of_five_holds_the_true_mean_in_19_of_20_samples():
    rng = np.random.default_rng(0)
    n = 2000
    held = sum(low <= 3.0 <= high for low, high in (interval(rng.normal(3.0, 2.0, 5)) for _ in range(n)))
    assert 0.93 * n <= held <= 0.965 * n


@settings(deadline=None, max_examples=50)
@given(NUMBERS)
def test_an_interval_holds_the_sample_s_mean_and_turns_with_the_sign(x):
    low, high = interval(x)
    assert low - 1e-9 <= np.mean(x) <= high + 1e-9
    turned = interval([-v for v in x])
    np.testing.assert_allclose(turned, (-high, -low), rtol=1e-9, atol=1e-9)


def test_of_many_numbers_it_is_close_to_the_t_interval():
    x = np.random.default_rng(1).normal(size=40)
    theirs = stats.t.interval(0.95, 39, x.mean(), stats.sem(x))
    np.testing.assert_allclose(interval(x), theirs, atol=0.05 * (theirs[1] - theirs[0]))


def test_another_seed_moves_its_ends_by_little():
    x = np.random.default_rng(2).normal(size=9).tolist()
    (low, high), other = interval(x), interval(x, seed=1)
    assert (low, high) == interval(x) != other
    np.testing.assert_allclose((low, high), other, atol=0.03 * (high - low))


def test_one_number_has_none_and_equal_numbers_are_their_own():
    assert all(map(math.isnan, [*interval([1.0]), *interval([])]))
    assert interval([0.1] * 5) == (0.1, 0.1)


@settings(deadline=None, max_examples=50)
@given(NUMBERS.filter(lambda x: np.std(x) > 1e-3))
def test_p_equals_scipy_s_paired_test(x):
    assert p_value(x) == pytest.approx(stats.ttest_1samp(x, 0.0).pvalue, rel=1e-6, abs=1e-12)


def test_p_without_spread_is_sure_of_either():
    assert (p_value([0.0] * 5), p_value([0.1] * 5)) == (1.0, 0.0)
    assert math.isnan(p_value([1.0])) and math.isnan(p_value([]))
