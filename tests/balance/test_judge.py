"""What is refused before a sampler is run, and which of the rows it returns are real."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import prepkit as pk
from prepkit.balance import judge
from prepkit.spec import Column

NAMES = ("a", "b", "c")


def counts(*numbers):
    return np.array(numbers, np.int64)


# -- before ----------------------------------------------------------------------------------------


def test_memory_is_counted_in_copies_of_all_rows_and_what_comes_besides():
    rows = judge.MOST // (8 * judge.COPIES)
    judge.check_memory("SMOTE", rows, 1, "oversample")
    with pytest.raises(pk.PrepkitError, match=r"about 8\.0 GiB for .* rows of 1 numbers, more than the 8 GiB"):
        judge.check_memory("SMOTE", rows + 1, 1, "oversample")
    with pytest.raises(pk.PrepkitError, match="use 'undersample', which chooses rows by index"):
        judge.check_memory("NearMiss", rows, 2, "undersample")
    with pytest.raises(pk.PrepkitError, match="use 'oversample', which chooses rows by index or in the stream"):
        judge.check_memory("SMOTE", rows, 1, "oversample", 8 * judge.COPIES)


def test_distances_and_neighbourhoods_are_of_classes_that_are_enlarged():
    assert judge.between(counts(100, 20, 50), {1: 80, 2: 50, 0: 0}) == 3 * 8 * 50**2
    assert judge.between(counts(100, 20), {}) == 0
    there = counts(100, 20, 50)
    assert judge.neighbourhoods(5, 30, there, {0: 0, 1: 80, 2: 50}) == 2 * 8 * (80 * 5 * 30 + 20**2)
    assert judge.neighbourhoods(5, 1, counts(10**6), {0: 10}) == 2 * 2**30 + 2 * 8 * 10 * 5
    assert judge.neighbourhoods(5, 30, there, {}) == 0


def test_columns_are_named_up_to_five():
    judge.check_columns("SMOTE", [], "why")
    with pytest.raises(pk.PrepkitError, match="^Rebalance: SMOTE cannot make rows of column 'x0': why$"):
        judge.check_columns("SMOTE", [Column("x0", "boolean")], "why")
    columns = [Column(f"x{i}", "boolean") for i in range(6)]
    with pytest.raises(pk.PrepkitError, match=r"columns 'x0', 'x1', 'x2', 'x3', 'x4', \.\.\.: why$"):
        judge.check_columns("SMOTE", columns, "why")


@pytest.mark.parametrize("aim", [0.5, 1, np.float64(0.5), {0: 5}, "auto", [0]])
@pytest.mark.parametrize("cleans", [True, False])
@pytest.mark.parametrize("classes", [2, 3])
def test_aims(aim, cleans, classes):
    there = counts(*[5] * classes, 0)
    ratio = isinstance(aim, float | int)
    if cleans and (ratio or isinstance(aim, dict)):
        with pytest.raises(pk.PrepkitError, match="but T leaves out the rows that it finds in the way"):
            judge.check_aim("T", aim, there, cleans=True)
    elif ratio and classes == 3:
        with pytest.raises(pk.PrepkitError, match="is a ratio, which T takes for two classes only, and there are 3"):
            judge.check_aim("T", aim, there, cleans=False)
    else:
        judge.check_aim("T", aim, there, cleans=cleans)


@given(st.lists(st.integers(1, 9), min_size=3, max_size=3), st.lists(st.integers(0, 5), min_size=3, max_size=3))
def test_rows_that_can_be_looked_at_are_those_of_the_smallest_class_to_be_enlarged(there, more):
    more = dict(enumerate(more))
    grown = [n for i, n in enumerate(there) if more[i]]
    least = min(grown, default=99)
    for fewer in (True, False):
        if least >= 6:
            assert judge.enough("S", 6, more, counts(*there), NAMES, fewer) == 6
        elif least > 1 and fewer:
            assert judge.enough("S", 6, more, counts(*there), NAMES, fewer) == least
        else:
            name = next(n for i, n in enumerate(NAMES) if more[i] and there[i] == least)
            what = "a single row" if least == 1 else f"{least} rows, too few for S, which looks at 5 neighbours"
            with pytest.raises(pk.PrepkitError, match=f"class '{name}' has {what}"):
                judge.enough("S", 6, more, counts(*there), NAMES, fewer)


# -- behind ----------------------------------------------------------------------------------------


@given(st.data())
def test_rows_are_found_again_however_they_are_shuffled_and_left_out(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    n = data.draw(st.integers(1, 20))
    matrix, labels = rng.integers(0, 3, (n, 2)).astype(np.float64), rng.integers(0, 2, n).astype(np.int32)
    rows = rng.permutation(n)[: data.draw(st.integers(1, n))]
    made = rng.integers(3, 5, (data.draw(st.integers(0, 5)), 2)) + 0.5
    order = rng.permutation(len(rows) + len(made))
    x = np.concatenate([matrix[rows], made])[order]
    y = np.concatenate([labels[rows], np.ones(len(made), np.int32)])[order]
    found = judge.resampled("S", matrix, labels, (x, y), None, 2)
    real = found.rows >= 0
    assert real.sum() == len(rows) and len(set(found.rows[real].tolist())) == len(rows)
    np.testing.assert_array_equal(matrix[found.rows[real]], x[real])
    np.testing.assert_array_equal(labels[found.rows[real]], y[real])
    np.testing.assert_array_equal(found.made, x[~real])
    np.testing.assert_array_equal(found.labels, y, strict=True)


def test_equal_rows_of_another_class_are_made_not_relabelled():
    matrix, labels = np.array([[1.0], [2.0]]), np.array([0, 1], np.int32)
    returned = np.array([[2.0], [1.0], [1.0]]), np.array([1, 0, 1])
    found = judge.resampled("S", matrix, labels, returned, None, 2)
    assert found.rows.tolist() == [1, 0, -1]
    with pytest.raises(pk.PrepkitError, match=r"S has returned 1 rows of the data with another label.*CleanLabels\(\)"):
        judge.resampled("S", matrix, labels, (np.array([[2.0], [1.0]]), np.array([1, 1])), None, 2)


@pytest.mark.parametrize(
    "indices, rows",
    [([1, 1, 0], [1, 1, 0]), ([1, 0, 0], [1, -1, 0]), ([1, 1], [1, -1, 0]), (None, [1, -1, 0])],
)
def test_indices_count_where_they_are_right(indices, rows):
    matrix, labels = np.array([[1.0], [2.0]]), np.array([0, 1], np.int32)
    returned = np.array([[2.0], [2.0], [1.0]]), np.array([1, 1, 0])
    indices = None if indices is None else np.array(indices)
    assert judge.resampled("S", matrix, labels, returned, indices, 2).rows.tolist() == rows


def test_indices_do_not_hide_other_labels():
    matrix, labels = np.array([[1.0], [2.0]]), np.array([0, 1], np.int32)
    with pytest.raises(pk.PrepkitError, match="S has returned 2 rows of the data with another label"):
        judge.resampled("S", matrix, labels, (matrix, np.array([1, 0])), np.array([0, 1]), 2)


def test_indices_are_compared_in_pieces(monkeypatch):
    monkeypatch.setattr(judge, "PIECE", 2)
    matrix, labels = np.arange(5.0)[:, None], np.zeros(5, np.int32)
    returned = matrix[[4, 4, 4, 4, 4]], labels
    assert judge.resampled("S", matrix, labels, returned, np.full(5, 4), 1).rows.tolist() == [4] * 5
    assert judge.resampled("S", matrix, labels, returned, np.array([4, 4, 4, 4, 3]), 1).rows.tolist() == [4, *[-1] * 4]
