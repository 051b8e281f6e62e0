"""Profiles of columns: what numpy, scipy and pandas say of the same."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from scipy.stats import skew

from prepkit.profiling.data import OTHER, QUANTILES
from prepkit.profiling.describe import BARS, BINS, distinct_numbers, estimated, quantiles
from prepkit.profiling.profile import profile
from prepkit.profiling.tally import Tally
from prepkit.scan.moments import Moments
from prepkit.spec import Column
from tests.scan.columns import COLUMNS, finite


def described(values, **more):
    return profile({"a": values, "z": np.arange(len(values)) % 3}, **more)["a"]


@given(COLUMNS)
def test_quantiles_are_those_of_numpy(x):
    numbers = distinct_numbers(x)
    assert numbers.total == len(finite(x))
    if numbers.total:
        expected = np.quantile(finite(x).astype(np.float64), QUANTILES)
        np.testing.assert_allclose(quantiles(numbers, QUANTILES), expected, rtol=1e-9, atol=1e-12)


@given(COLUMNS.filter(lambda x: len(finite(x)) > 0))
def test_numbers(x):
    found, known = described(x), finite(x).astype(np.float64)
    assert (found.missing, found.infinite) == (len(x) - len(known), int(np.isinf(x).sum()))
    assert (found.distinct, found.distinct_exact, found.zeros) == (len(np.unique(known)), True, int((known == 0).sum()))
    np.testing.assert_allclose([found.mean, found.std], [known.mean(), known.std()], rtol=1e-5, atol=1e-6)
    assert (found.quantiles[0], found.quantiles[-1]) == (known.min(), known.max())
    assert sum(found.bars.counts) == len(known)
    if found.bars.edges:
        edges = np.array(found.bars.edges)
        assert (np.diff(edges) > 0).all() and edges[0] == known.min() and edges[-1] == known.max()


@pytest.mark.parametrize("draw", ["normal", "exponential", "uniform"])
def test_skew_is_that_of_scipy(draw):
    x = getattr(np.random.default_rng(0), draw)(size=700)
    assert described(x).skew == pytest.approx(skew(x))
    assert described(np.full(20, 0.1)).skew == 0.0


def test_bins_are_those_of_numpy():
    x = np.random.default_rng(0).uniform(2, 7, 3000)
    bars = described(x).bars
    assert len(bars.counts) == BINS
    assert bars.counts == tuple(np.histogram(x, bars.edges)[0])
    assert bars.labels[0].startswith("[2") and bars.labels[-1].endswith("]")


def test_the_outermost_bins_reach_to_values_far_out():
    x = np.append(np.random.default_rng(0).normal(size=3000), [1e6, -1e5])
    bars = described(x).bars
    assert (bars.edges[0], bars.edges[-1]) == (-1e5, 1e6)
    assert max(bars.counts) < 600 and bars.counts == tuple(np.histogram(x, bars.edges)[0])


def test_few_numbers_have_a_bar_each_and_so_have_flags_and_days():
    assert described(np.arange(60) % 4).bars.labels == ("0", "1", "2", "3")
    assert described(np.arange(60) % 2 == 0).bars.labels == ("false", "true")
    days = described(np.array(["2024-01-01", "2024-02-01"] * 30, "datetime64[D]").astype("datetime64[s]"))
    assert days.bars.labels == ("2024-01-01 00:00:00", "2024-02-01 00:00:00")
    assert days.mean == pytest.approx(pd.Timestamp("2024-01-16 12:00").timestamp())


def test_words():
    words = ["a"] * 30 + [f"b{i}" for i in range(20)] + [None] * 5 + ["long word"] * 5
    found = described(words)
    assert (found.distinct, found.missing, found.lengths) == (22, 5, (1, 1, 9))
    assert len(found.bars.labels) == BARS + 1 and found.bars.labels[0] == "a" and found.bars.labels[-1] == OTHER
    assert sum(found.bars.counts) == 55


def test_bars_by_class_add_up():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"x": rng.normal(size=300), "c": rng.choice(["a", "b"], 300), "y": rng.choice(["u", "v", None], 300)}
    )
    frame.loc[::7, "x"] = np.nan
    found = profile(frame, label="y")
    for name in ("x", "c"):
        bars = found[name].bars
        expected = frame[frame[name].notna() & frame["y"].notna()].groupby("y").size()
        assert [sum(rows) for rows in bars.by_class] == expected.tolist()
    crossed = pd.crosstab(frame["y"], frame["c"])[list(found["c"].bars.labels)]
    assert found["c"].bars.by_class == tuple(map(tuple, crossed.to_numpy().tolist()))


def test_tensors_are_described_by_all_their_numbers():
    found = profile((np.random.default_rng(0).integers(0, 256, (40, 6, 6)).astype(np.uint8), np.arange(40) % 2))["x"]
    assert (found.shape, found.cells, found.missing) == ((6, 6), 1440, 0)
    assert found.quantiles[4] == pytest.approx(127, abs=15) and sum(found.bars.counts) == 1440


def test_how_many_values_all_rows_have_is_estimated_from_a_sample():
    rng = np.random.default_rng(0)
    tally = Tally(Column("x", "numeric"), cells=100_000, moments=Moments(count=100_000))
    for there in (10, 1000):
        x = rng.integers(0, there, 5000)
        found, exact = estimated(np.bincount(x)[np.bincount(x) > 0], tally, whole=False)
        assert not exact and found == pytest.approx(there, rel=0.15)
    found, _ = estimated(np.ones(5000, np.int64), tally, whole=False)
    assert 5000 < found <= 100_000
    assert estimated(np.array([3, 1]), tally, whole=True) == (2, True)


def test_nothing_at_all():
    found = described(np.full(30, np.nan))
    assert (found.distinct, found.mean, found.quantiles, found.bars) == (0, None, (), None)
    assert described([None, ""] * 15).lengths == ()
