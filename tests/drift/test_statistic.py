import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial import distance
from scipy.stats import binomtest, chi2, poisson_means_test

from prepkit.drift.statistic import LEAST, TAIL, by_chance, grouped, jensen_shannon, psi, shift

COUNTS = arrays(np.int64, st.integers(2, 30), elements=st.integers(0, 10_000)).filter(lambda c: c.sum() > 0)


@st.composite
def pairs(draw):
    before = draw(COUNTS)
    after = draw(arrays(np.int64, len(before), elements=st.integers(0, 10_000)).filter(lambda c: c.sum() > 0))
    return before, after


@given(pairs())
def test_jensen_shannon_is_scipys(pair):
    before, after = pair
    theirs = distance.jensenshannon(before, after, base=2)
    np.testing.assert_allclose(jensen_shannon(before, after), theirs, atol=1e-7)


@given(pairs())
def test_jensen_shannon_is_symmetric_and_from_0_to_1(pair):
    before, after = pair
    assert 0 <= jensen_shannon(before, after) <= 1 + 1e-12
    np.testing.assert_allclose(jensen_shannon(before, after), jensen_shannon(after, before), atol=1e-12)
    assert jensen_shannon(before, before) == 0


def test_psi_by_hand():
    # Of 1,000,000 rows half a row more is nothing.
    before, after = np.array([300_000, 500_000, 200_000]), np.array([500_000, 400_000, 100_000])
    by_hand = 0.2 * np.log(5 / 3) - 0.1 * np.log(4 / 5) - 0.1 * np.log(1 / 2)
    np.testing.assert_allclose(psi(before, after), by_hand, rtol=1e-4)


def test_psi_of_an_empty_cell_has_half_a_row_there():
    p, q = np.array([9.5, 1.5]) / 11, np.array([10.5, 0.5]) / 11
    np.testing.assert_allclose(psi(np.array([9, 1]), np.array([10, 0])), ((q - p) * np.log(q / p)).sum())


@given(pairs())
def test_psi_is_symmetric_and_never_negative(pair):
    before, after = pair
    assert psi(before, after) >= 0
    np.testing.assert_allclose(psi(before, after), psi(after, before), atol=1e-12)
    np.testing.assert_allclose(psi(before, before), 0, atol=1e-15)


def expected_rows(before, after):
    """In the smaller sample, if both are of one distribution."""
    return (before + after) * min(before.sum(), after.sum()) / (before.sum() + after.sum())


@given(pairs())
def test_ordered_groups_are_of_neighbours_and_enough_rows_are_expected_in_each(pair):
    before, after = pair
    groups = grouped(before.tolist(), after.tolist(), ordered=True)
    expected = expected_rows(before, after)
    assert [i for group in groups for i in group] == (list(range(len(before))) if expected.sum() >= LEAST else [])
    assert all(expected[list(group)].sum() >= LEAST - 1e-9 for group in groups)


@given(pairs())
def test_unordered_groups_are_single_cells_and_one_of_the_rest(pair):
    before, after = pair
    groups = grouped(before.tolist(), after.tolist(), ordered=False)
    expected = expected_rows(before, after)
    rare = tuple(np.flatnonzero(expected < LEAST).tolist())
    single = [(i,) for i in np.flatnonzero(expected >= LEAST).tolist()]
    assert list(groups) == single + [rare] * bool(expected[list(rare)].sum())


@pytest.mark.parametrize("before, after", [([5, 5], [0, 0]), ([0, 0], [5, 5]), ([9, 0], [9, 0]), ([1, 1], [1, 1])])
@pytest.mark.parametrize("ordered", [True, False])
def test_nothing_to_compare(before, after, ordered):
    assert shift(before, after, 0.001, ordered=ordered) is None


def test_what_chance_gives():
    found = shift([100] * 10, [50] * 10, 0.01, ordered=True)
    assert found.psi == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(found.expected, 9 * (1 / 1000 + 1 / 500))
    np.testing.assert_allclose(found.chance, chi2.isf(0.01 / TAIL, 9) * (1 / 1000 + 1 / 500))
    assert found.before == found.after == (0.1,) * 10


@pytest.mark.parametrize("rows", [30, 100, 3000])
@pytest.mark.parametrize("training", [30, 300, 20_000])
def test_chance_exceeds_it_as_rarely_as_it_should(rows, training):
    """Bins of equal counts, so that the shares behind them are of a Dirichlet distribution."""
    rng = np.random.default_rng([rows, training])
    before = [training // 10] * 10
    found = []
    for _ in range(2000):
        shares = rng.dirichlet(before)
        found.append(shift(before, rng.multinomial(rows, shares).tolist(), 0.01, ordered=True))
    assert np.mean([f.psi > f.chance for f in found]) < 0.01
    assert np.mean([f.psi for f in found]) < 1.5 * np.mean([f.expected for f in found])


def test_unordered_cells_that_are_rare_go_together():
    found = shift([500, 3, 400, 2], [50, 1, 45, 0], 0.01, ordered=False)
    assert found.groups == ((0,), (2,), (1, 3))
    assert found.before == (500 / 905, 400 / 905, 5 / 905)


def test_ordered_cells_that_are_rare_go_with_their_neighbours():
    assert grouped([10, 1, 1, 10, 1], [10, 1, 1, 10, 1], ordered=True) == ((0,), (1, 2, 3, 4))


@given(st.integers(1, 50), st.integers(0, 50), st.integers(1, 5000), st.integers(1, 5000))
def test_by_chance_is_the_binomial_test(n_new, n_known, rows, training):
    theirs = binomtest(n_new, n_new + n_known, rows / (rows + training), alternative="greater").pvalue
    np.testing.assert_allclose(by_chance(n_new, n_known, rows, training), theirs, rtol=1e-9, atol=1e-300)


def test_by_chance_is_near_scipys_test_of_two_poisson_rates():
    theirs = poisson_means_test(30, 1000, 10, 1000, alternative="greater").pvalue
    assert theirs < by_chance(30, 10, 1000, 1000) < 2 * theirs  # which is less cautious


def test_none_is_no_surprise():
    assert by_chance(0, 0, 10, 10) == 1.0
