"""Raw tensors become columns; that they become what our own sources do is in test_decode.py."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from prepkit.errors import PrepkitError
from prepkit.spec import Column
from prepkit.tensors import Texts, entered, finite, one_a_row

NAN = np.nan


def test_strings_are_kept_as_their_distinct_ones():
    texts, cannot = entered(
        tf.constant(["a", " a", "?", "b", "a"]), Column("x", "categorical", missing=("?",)), "strings"
    )
    assert cannot is None
    assert len(texts.words) == 4  # as they came
    assert texts.rows().numpy().tolist() == [b"a", b"a", b"", b"b", b"a"]


def test_cells_of_some_rows_are_made_missing():
    texts = Texts(tf.constant(["a", "b"]), tf.constant([0, 1, 0]))
    assert texts.without(tf.constant([False, True, True])).rows().numpy().tolist() == [b"a", b"", b""]
    assert texts.rows().numpy().tolist() == [b"a", b"b", b"a"]


def test_cells_that_cannot_be_read_are_told_from_missing_ones():
    column = Column("n", "numeric", "string", parse="number", missing=("?",))
    values, cannot = entered(tf.constant(["1", "x", "", "?", " 2 ", "x"]), column, "float64")
    np.testing.assert_array_equal(values, [1, NAN, NAN, NAN, 2, NAN])
    assert cannot.numpy().tolist() == [False, True, False, False, False, True]


def test_numbers_that_are_categories_are_words():
    texts, _ = entered(tf.constant([1, 2, 1]), Column("x", "categorical", "int64"), "strings")
    assert texts.rows().numpy().tolist() == [b"1", b"2", b"1"]


def test_no_rows():
    texts, _ = entered(tf.constant([], tf.string), Column("x", "categorical"), "strings")
    assert texts.rows().shape == (0,)


def test_infinite_is_missing():
    np.testing.assert_array_equal(finite(tf.constant([1.0, np.inf, -np.inf])), [1, NAN, NAN])
    assert finite(tf.constant([1, 2])).numpy().tolist() == [1, 2]


def test_one_value_a_row():
    assert one_a_row(tf.zeros([3, 1]), Column("x", "numeric")).shape == (3,)
    with pytest.raises(PrepkitError, match=r"column 'x' has shape \(3, 2\): give one value a row."):
        one_a_row(tf.zeros([3, 2]), Column("x", "numeric"))
