import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prepkit.scan import Quantiles
from prepkit.scan.quantiles import RUN
from tests.scan.columns import COLUMNS, CUTS, finite, measured

FRACTIONS = (0.0, 0.001, 0.1, 0.25, 0.5, 0.75, 0.999, 1.0)
CAP = 65_536


def exact(x):
    x = finite(x).astype(np.float64)
    return np.quantile(x, FRACTIONS) if len(x) else np.full(len(FRACTIONS), np.nan)


def agree(found, x):
    """Equal but for the rounding of an interpolation."""
    np.testing.assert_allclose(found.at(FRACTIONS), exact(x), rtol=1e-14, atol=1e-300)
    assert found.missing == len(x) - len(finite(x))


@given(COLUMNS, CUTS)
def test_equal_numpy_however_batched(x, cuts):
    found = measured(Quantiles, x, cuts)
    agree(found, x)
    agree(found, x)  # asking changes nothing


@given(COLUMNS, COLUMNS, CUTS)
def test_merge_is_update_over_the_union(x, other, cuts):
    merged, second = measured(Quantiles, x, cuts), measured(Quantiles, other, ())
    merged.merge(second)
    agree(merged, np.concatenate([x.astype(np.float64), other.astype(np.float64)]))
    agree(second, other)


def test_nothing_measured():
    agree(Quantiles(), np.array([]))
    agree(measured(Quantiles, np.array([np.nan, np.inf]), ()), np.array([np.nan, np.inf]))


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float16"])
def test_of_other_types(dtype):
    agree(measured(Quantiles, np.array([3, 1, 2, 200], dtype), ()), np.array([3.0, 1.0, 2.0, 200.0]))


def test_answers_are_plain_floats():
    found = measured(Quantiles, np.array([1.0, 2.0], np.float32), ())
    assert [type(v) for v in found.at([0.0, 0.3, 1.0])] == [float] * 3


@given(COLUMNS, st.floats(-1e3, 1e3))
def test_filled_is_measuring_the_filled_values(x, value):
    x = x.astype(np.float64)
    before = measured(Quantiles, x, ())
    agree(before.filled(value), np.where(np.isfinite(x), x, value))
    agree(before, x)


@given(COLUMNS, st.sampled_from((0.0, 3.0, 1e6, 1.77e9)), st.floats(-1e3, 1e9), st.floats(0, 1e9))
def test_filled_then_clipped_then_scaled_is_measuring_anew(x, value, low, width):
    """Fillings that are among the values, too."""
    x = x.astype(np.float64)
    found = measured(Quantiles, x, ()).filled(value).clipped(low, low + width).scaled(low, 2.0)
    agree(found, (np.clip(np.where(np.isfinite(x), x, value), low, low + width) - low) * 2.0)


@given(COLUMNS, st.floats(-1e3, 1e3), st.floats(0, 1e3), st.floats(0, 1e3))
def test_clipped_twice_is_measuring_the_clipped_values(x, low, width, second):
    x = np.where(np.isfinite(x), x, np.nan).astype(np.float64)
    found = measured(Quantiles, x, ()).clipped(low, low + width).clipped(second, second + width)
    agree(found, np.clip(np.clip(x, low, low + width), second, second + width))


@pytest.mark.parametrize(
    "lost",
    [
        lambda q: q.clipped(0.0, 1.0).filled(0.5),
        lambda q: q.scaled(1.0, 2.0).filled(0.5),
        lambda q: q.scaled(1.0, 2.0).clipped(0.0, 1.0),
        lambda q: q.scaled(1.0, 2.0).scaled(1.0, 2.0),
        lambda q: q.scaled(0.0, -1.0),
    ],
)
def test_what_cannot_be_followed_is_none(lost):
    assert lost(measured(Quantiles, np.array([0.0, np.nan, 2.0]), ())) is None


def test_nothing_to_fill_in_changes_nothing():
    found = measured(Quantiles, np.array([0.0, 2.0]), ()).clipped(0.5, 9.0)
    assert found.filled(7.0) is found


@given(COLUMNS, COLUMNS, st.floats(-10, 10), st.floats(0.1, 10))
def test_merge_of_what_was_changed_in_different_ways(x, other, shift, scale):
    """As with one scale for all channels of a tensor behind a scale for each."""
    x, other = (np.where(np.isfinite(v), v, np.nan).astype(np.float64) for v in (x, other))
    first = measured(Quantiles, x, ()).filled(1.0).clipped(-5.0, 5.0).scaled(shift, scale)
    second = measured(Quantiles, other, ()).filled(7.0).clipped(-100.0, 100.0).scaled(1.0, 0.5)
    kept = copy.deepcopy(second)
    first.merge(second)
    changed = (np.clip(np.nan_to_num(x, nan=1.0), -5.0, 5.0) - shift) * scale
    changed_too = (np.clip(np.nan_to_num(other, nan=7.0), -100.0, 100.0) - 1.0) * 0.5
    agree(first, np.concatenate([changed, changed_too]))
    np.testing.assert_array_equal(second.at(FRACTIONS), kept.at(FRACTIONS))


# -- the sketch --------------------------------------------------------------------------------

N = 1_000_000
ORDERS = {
    "sorted": lambda rng: np.arange(N, dtype=np.float64),
    "reversed": lambda rng: np.arange(N, dtype=np.float64)[::-1],
    "random": lambda rng: rng.permutation(N).astype(np.float64),
    "organ pipe": lambda rng: np.concatenate([np.arange(0, N, 2.0), np.arange(1, N, 2.0)[::-1]]),
}
ASKED = np.linspace(0, 1, 501)


def rank_error(found, n):
    """Of 0 ... n - 1 in any order, a value is its own rank."""
    return np.abs(np.array(found.at(ASKED)) - ASKED * (n - 1)).max() / n


def held(found):
    """Values in memory, views on larger arrays counted whole."""
    bases = {id(b): b for level in found.levels for v in level for b in [v if v.base is None else v.base]}
    return sum(len(b) for b in bases.values())


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("batch", [8_192, 65_536])
def test_rank_error_is_within_the_bound_of_the_docstring(order, batch):
    x = ORDERS[order](np.random.default_rng(0))
    found = Quantiles(cap=CAP)
    largest = 0
    for start in range(0, N, batch):
        found.update(x[start : start + batch].copy())
        largest = max(largest, held(found))
    assert len(found.levels) == 2  # one step of thinning
    assert rank_error(found, N) <= RUN / 2 / CAP < 5e-4
    assert largest <= CAP + batch + N // RUN + RUN


@pytest.mark.parametrize("order", ORDERS)
def test_many_steps_of_thinning_and_merges(order):
    x = ORDERS[order](np.random.default_rng(1))
    cap = 2_048
    parts = [Quantiles(cap=cap) for _ in range(3)]
    for i, start in enumerate(range(0, N, 1_000)):
        parts[i % 3].update(x[start : start + 1_000].copy())
    for part in parts[1:]:
        parts[0].merge(part)
    steps = len(parts[0].levels) - 1
    assert steps >= 2
    assert rank_error(parts[0], N) <= steps * RUN / 2 / cap
    assert held(parts[0]) <= 2 * cap * len(parts[0].levels)
    assert parts[0].count == N


def test_the_sketch_follows_what_was_filled_clipped_and_scaled():
    rng = np.random.default_rng(2)
    x = rng.permutation(N).astype(np.float64)
    missing = rng.random(N) < 0.3
    found = measured(lambda: Quantiles(cap=CAP), np.where(missing, np.nan, x), range(65_536, N, 65_536))
    changed = np.clip(np.where(missing, 400_000.0, x), 1e4, 9e5) / 1000
    filled = found.filled(400_000.0).clipped(1e4, 9e5).scaled(0.0, 1e-3)
    fractions = np.linspace(0, 1, 101)
    found_ranks = np.searchsorted(np.sort(changed), filled.at(fractions), side="left") / N
    found_ends = np.searchsorted(np.sort(changed), filled.at(fractions), side="right") / N
    assert (found_ranks <= fractions + 5e-4).all()
    assert (found_ends >= fractions - 5e-4).all()


def test_up_to_the_cap_nothing_is_thinned():
    x = np.random.default_rng(3).normal(size=CAP)
    found = measured(lambda: Quantiles(cap=CAP), x, range(1_000, CAP, 1_000))
    assert len(found.levels) == 1
    agree(found, x)


def test_a_constant_is_a_constant_whatever_was_thinned():
    found = measured(lambda: Quantiles(cap=100), np.full(10_000, 7.0), range(50, 10_000, 50))
    assert found.at(FRACTIONS) == [7.0] * len(FRACTIONS)
