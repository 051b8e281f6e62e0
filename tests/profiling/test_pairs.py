"""Columns that say the same."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from prepkit.profiling.describe import distinct_numbers
from prepkit.profiling.pairs import Same, correlated, products, same_groups, shared_values
from prepkit.profiling.tables import Levels
from prepkit.scan import Coded

N = 500
RNG = np.random.default_rng(0)
X, Z = RNG.normal(size=(2, N))
CODES = RNG.integers(0, 5, N)


def grouped(**columns):
    return same_groups({n: (v, None if isinstance(v, Coded) else distinct_numbers(v)) for n, v in columns.items()}, N)


def coded(codes, words="abcdefgh"):
    return Coded(codes.astype(np.int32), list(words))


def test_the_same_groups_whatever_they_are_called():
    renamed = np.array([7.0, -3.0, 0.5, 9.0, 100.0])[CODES]
    assert grouped(a=coded(CODES), b=renamed) == [Same("a", "b", "equal groups")]
    assert grouped(a=coded(CODES, "vwxyz"), b=coded((CODES + 1) % 5)) == [Same("a", "b", "equal groups")]


def test_missing_cells_are_a_group():
    some = np.where(CODES == 0, np.nan, CODES)
    assert grouped(a=some, b=coded(np.where(CODES == 0, -1, CODES))) == [Same("a", "b", "equal groups")]
    assert grouped(a=some, b=CODES.astype(float)) == [Same("a", "b", "equal groups")]


@pytest.mark.parametrize(
    "columns",
    [
        {"a": CODES, "b": RNG.permutation(CODES)},  # as many rows in each, but others
        {"a": X, "b": Z},  # every row a group of its own
        {"a": np.arange(N) == 3, "b": np.arange(N) == 4},  # one row more tells nothing
        {"a": CODES, "b": np.where(np.arange(N) == 0, 9, CODES)},
        {"a": np.zeros(N), "b": np.ones(N)},
    ],
)
def test_other_groups(columns):
    assert grouped(**{n: v.astype(float) for n, v in columns.items()}) == []


def test_correlation_is_that_of_pandas_where_both_have_a_value():
    y = -3 * X + 0.2 * Z
    y[::9], x = np.nan, np.where(np.arange(N) % 7 == 0, np.inf, X)
    (found,) = correlated({"x": x, "z": Z, "y": y})
    frame = pd.DataFrame({"x": np.where(np.isinf(x), np.nan, x), "y": y})
    assert (found.one, found.other, found.how) == ("x", "y", "correlated")
    assert found.correlation == pytest.approx(frame.corr().loc["x", "y"])


def test_one_value_far_out_is_no_correlation():
    x, z = np.append(X, 1e6), np.append(Z, 1e6)
    assert np.corrcoef(x, z)[0, 1] > 0.99
    assert correlated({"x": x, "z": z}) == []


@pytest.mark.parametrize(
    "columns",
    [
        {"x": X, "z": Z},
        {"x": X, "z": X + 0.5 * Z},
        {"x": X},
        {"x": X, "z": np.full(N, np.nan)},
        {"x": X, "z": np.ones(N)},
        {"x": np.where(np.arange(N) < 10, X, np.nan), "z": X},
    ],
)
def test_no_correlation(columns):
    assert correlated(columns) == []


def test_numbers_of_any_size():
    (found,) = correlated({"x": 1e300 * X, "z": 1e-300 * X})
    assert found.correlation == pytest.approx(1.0)
    assert correlated({"x": 1e300 * X, "z": Z}) == []


def test_products_of_two():
    a, b = X + 5, Z + 5
    (found,) = products({"a": a, "c": a * b + 0.01 * X, "b": b})
    assert (found.name, found.factors) == ("c", ("a", "b"))
    assert products({"a": a, "b": b, "c": RNG.normal(size=N)}) == []
    assert products({"a": a, "b": np.ones(N), "c": a}) == []  # one factor alone will do
    assert products({"a": a, "b": np.full(N, np.nan), "c": a * 2}) == []


def test_values_that_stand_in_the_same_rows():
    gone = CODES == 0
    a, b = np.where(gone, 1, RNG.integers(2, 4, N)), np.where(gone, 3, RNG.integers(1, 3, N))
    columns = {"a": Levels(a, 4), "b": Levels(b, 4), "c": Levels(RNG.integers(1, 4, N), 4)}
    words = {"a": ["none", "p", "q"], "b": ["p", "q", "none"], "c": ["p", "q", "r"]}
    (found,) = shared_values(columns, words)
    assert (found.columns, found.value, found.rows) == (("a", "b"), "none", int(gone.sum()))
    assert shared_values({"a": columns["a"]}, words) == []
