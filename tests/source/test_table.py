"""Data in memory become columns of numbers, tensors or strings, or an error that says which column is wrong."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import tensorflow as tf

import prepkit as pk
from prepkit.source import as_source
from prepkit.source.base import RawChunk
from prepkit.source.table import as_column


def chunk_of(data: Any, label: str | None = None) -> RawChunk:
    (chunk,) = as_source(data, label).chunks()
    return chunk


def listed(column: Any) -> list[Any]:
    return column.tolist() if isinstance(column, np.ndarray) else column.to_pylist()


# -- columns -----------------------------------------------------------------------------------------

TIME = datetime.datetime(2024, 1, 2, 3, 4, 5)


@pytest.mark.parametrize(
    "values, expected",
    [
        (np.arange(3, dtype=np.int8), [0, 1, 2]),
        (np.array([True, False]), [True, False]),
        ([1.5, None, 2.5], [1.5, None, 2.5]),
        (["a", None], ["a", None]),
        (("a", "b"), ["a", "b"]),
        (np.array(["a", "b"]), ["a", "b"]),
        (np.array([b"a", b"b"]), [b"a", b"b"]),
        (np.array([None, b"\xff"], object), [None, b"\xff"]),
        (np.array([True, None, np.nan], object), [True, None, None]),
        (np.array([1, 2.5, None], object), [1.0, 2.5, None]),
        ([decimal.Decimal("1.5"), None], [decimal.Decimal("1.5"), None]),
        ([TIME, None], [TIME, None]),
        (np.array([TIME, "NaT"], "M8[s]"), [TIME, None]),
        ([TIME.date()], [TIME.date()]),
        (np.array([[1], [2]]), [1, 2]),
        (tf.constant([1.5, 2.5]), [1.5, 2.5]),
        (tf.constant(["a", ""]), [b"a", b""]),
        (pa.array(["a", None]), ["a", None]),
        (pl.Series([1, None]), [1, None]),
        (pl.Series(["a", None]), ["a", None]),
        (pd.Series(["a", None], dtype="category"), ["a", None]),
        (pd.array([2**60 + 1, None], "Int64"), [2**60 + 1, None]),  # as float64, 2**60
        (pd.Series([2**60 + 1, None], dtype="Int64"), [2**60 + 1, None]),
        (pd.Series([2**60 + 1, None], dtype="int64[pyarrow]"), [2**60 + 1, None]),
        (pl.Series([2**60 + 1, None]), [2**60 + 1, None]),
        (pd.Series(pd.arrays.SparseArray([0.0, 1.5])), [0.0, 1.5]),
        (pd.Series(pd.cut([1, 9], [0, 5, 10])), ["(0, 5]", "(5, 10]"]),
        (pd.Series(pd.cut([1, np.nan], [0, 5])), ["(0, 5]", None]),
        (pd.Series(pd.period_range("2024-01", periods=2, freq="M")), ["2024-01", "2024-02"]),
        (pd.DataFrame({"a": ["x", "y"]}), ["x", "y"]),
        (np.ma.masked_array([1, 2], [False, True]), [1.0, None]),
    ],
    ids=lambda v: None if isinstance(v, list) else type(v).__name__,
)
def test_a_column_of_any_kind_keeps_its_values(values, expected):
    found = [None if isinstance(v, float) and np.isnan(v) else v for v in listed(as_column(values, "a"))]
    assert found == expected
    assert [type(v) for v in found] == [type(v) for v in expected]


@pytest.mark.parametrize(
    "values, message",
    [
        (
            [1, "a", None],
            "column 'a' holds Python objects of types int, str, of which no column can be made .*make them",
        ),
        (np.array([1, True], object), "column 'a' holds Python objects of types bool, int, of which no column"),
        (np.array([1j]), "column 'a' holds Python objects of types complex128, of which no column can be made"),
        ([[1, 2], [3]], "column 'a' is ragged .*: give rows of equal length"),
        (3, "column 'a' is the single value 3: give an array with a row each"),
        (np.array([["x", "y"]]), r"column 'a' is an array of <U1 of shape \(1, 2\): give numbers"),
        (pd.DataFrame({"x": ["a"], "z": ["b"]}), "'a' is a data frame of 2 columns: choose one of them"),
    ],
)
def test_what_is_no_column_is_refused_with_its_name(values, message):
    with pytest.raises(pk.PrepkitError, match=message):
        as_column(values, "a")


@pytest.mark.parametrize(
    "data, message",
    [
        (
            pd.DataFrame([[1, 2]], columns=["a", "a"]),
            "(?s)columns of the DataFrame exist twice .*'a' 2 times.*: rename",
        ),
        (pa.table([[1], [2]], names=["a", "a"]), "(?s)columns of the Table exist twice .*'a' 2 times.*: rename one"),
        (pd.DataFrame([[1, 2]], columns=[1, "1"]), r"columns \['1'\] exist twice in the DataFrame: rename one of each"),
        ({1: [1], "1": [2]}, r"columns \['1'\] exist twice in the dict, as text: rename one of each"),
        (pd.DataFrame({"a": []}), "DataFrame has no rows: nothing to prepare"),
        (pd.DataFrame(), "DataFrame has no rows: nothing to prepare"),
        ({}, "dict has no rows: nothing to prepare"),
        ({"a": [], "b": []}, "dict has no rows: nothing to prepare"),
        ({"a": [1, 2], "b": [1, 2], "c": [1]}, "dict: 'c' has 1 rows, but 'a', 'b' 2: give the same rows of all"),
        (np.zeros((0, 3)), "X has no rows: nothing to prepare"),
        (np.zeros((3, 0)), "X has no columns but the label: there is nothing to learn from"),
    ],
)
def test_what_is_no_table_is_refused(data, message):
    with pytest.raises(pk.PrepkitError, match=message):
        as_source(data)


def test_names_that_are_no_strings_become_such():
    frame = pd.DataFrame({0: [1.0, 2.0], ("a", "b"): ["p", "q"], "y": [0, 1]})
    assert list(chunk_of(frame, "y").columns) == ["0", "('a', 'b')"]
    levels = pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "b"), ("y", "")]))
    assert list(chunk_of(levels).columns) == ["('a', 'b')", "('y', '')"]


def test_the_data_given_are_left_as_they_were():
    frame = pd.DataFrame({"a": [1.0, np.nan], "b": pd.array([1, None], "Int64"), "y": ["p", "q"]})
    before = frame.copy(deep=True)
    pk.Pipeline([pk.Impute(), pk.Rescale()]).prepare(frame, "y")
    pd.testing.assert_frame_equal(frame, before)


# -- (X, y, weight) ----------------------------------------------------------------------------------

Y = np.array([0, 1, 0, 1])


def test_a_matrix_stays_one():
    matrix = np.arange(12.0).reshape(4, 3)
    source = as_source((matrix, Y))
    (chunk,) = source.chunks()
    assert chunk.matrix is matrix
    assert (source.structure, source.n_rows, source.random_access, chunk.columns) == ("array", 4, True, {})
    for same in (matrix.tolist(), tf.constant(matrix), pd.DataFrame(matrix).to_numpy(), matrix.astype(object)):
        np.testing.assert_array_equal(chunk_of((same, Y)).matrix, matrix)
    np.testing.assert_array_equal(chunk_of((matrix[:, 0], Y)).matrix, matrix[:, :1])


def test_images_are_one_tensor():
    images = np.zeros((4, 5, 6), np.uint8)
    source = as_source((images, Y))
    (chunk,) = source.chunks()
    assert source.structure == "array"
    assert chunk.columns["x"] is images


def test_matrices_of_objects_are_taken_apart():
    numbers = np.array([[1, 2.5], [None, 3]], object)
    np.testing.assert_array_equal(chunk_of(numbers).matrix, [[1, 2.5], [np.nan, 3]])
    mixed = chunk_of(np.array([[1, "a"], [None, "b"]], object))
    assert {n: listed(c) for n, c in mixed.columns.items()} == {"x0": [1, None], "x1": ["a", "b"]}
    strings = as_source(np.array([["a", "b"], ["c", "d"]]))
    assert strings.structure == "columns"
    assert list(next(strings.chunks()).columns) == ["x0", "x1"]
    with pytest.raises(pk.PrepkitError, match="column 'x1' holds Python objects of types int, str"):
        chunk_of(np.array([[1, "a"], [2, 3]], object))


def test_an_array_of_strings_is_one_column_without_a_name():
    """As a text data set is, in arrays and in a tf.data.Dataset."""
    texts = np.array(["good film", "bad film", "good plot", ""])
    recipe = pk.Pipeline([pk.Text()])
    fitted = recipe.fit((texts, Y), kinds={"x": "text"})
    assert fitted.spec.structure == "array"
    stream = tf.data.Dataset.from_tensor_slices((texts, Y)).batch(2)
    (x, _), *_ = fitted.transform(stream, batch_size=4).as_numpy_iterator()
    (x_again, _), *_ = fitted.transform((texts, Y), batch_size=4).as_numpy_iterator()
    np.testing.assert_array_equal(x, x_again)
    assert x.any(axis=1).tolist() == [True, True, True, False]


def test_masked_cells_are_missing():
    masked = np.ma.masked_array([[1.0, 2.0], [3.0, 4.0]], [[False, True], [False, False]])
    np.testing.assert_array_equal(chunk_of(masked).matrix, [[1, np.nan], [3, 4]])


@pytest.mark.parametrize(
    "data, message",
    [
        ((np.eye(4), Y[:3]), r"X: 'y' has 3 rows, but 'X' 4: give the same rows of all"),
        ((np.eye(4), Y, [1.0]), r"X: 'weight' has 1 rows, but 'X', 'y' 4: give the same rows of all"),
        ((pd.DataFrame({"a": [1.0, 2.0]}), Y), "DataFrame: 'y' has 4 rows, but 'a' 2: give the same rows of all"),
        ((np.eye(4), Y, [1, 1, np.nan, 1]), "the weight of row 2 of X is nan: give finite numbers, 0 or more"),
        ((np.eye(4), Y, [1, 1, 1, np.inf]), "the weight of row 3 of X is inf: give finite numbers, 0 or more"),
        ((np.eye(4), Y, [1, -1, 1, 1]), "the weight of row 1 of X is -1: give finite numbers, 0 or more"),
        ((np.eye(4), Y, ["a"] * 4), r"the weights of X are no numbers \(.*\): give one number a row"),
        ((np.eye(4), Y, np.eye(4)), r"the weights of X have shape \(4, 4\): give one number a row"),
        (([[1, 2], [3]], Y[:2]), "X is ragged .*: give rows of equal length"),
        ((np.float64(3.0), Y), r"X is the single value np.float64\(3.0\): give a matrix with a row each"),
        ((np.eye(4) * 1j, Y), r"X is an array of complex128 of shape \(4, 4\): give numbers, or a data frame"),
        (({1, 2}, Y), "X of type set: give a numpy array, a data frame or a dict of arrays"),
        (({}, Y), "dict has no columns but the label: there is nothing to learn from"),
    ],
)
def test_arrays_that_do_not_go_together_are_refused(data, message):
    with pytest.raises(pk.PrepkitError, match=message):
        as_source(data)


def test_labels_of_any_shape_stand_beside():
    for y in (Y, Y[:, None], Y.tolist(), pd.Series(Y, index=list("abcd")), pd.DataFrame({"t": Y}), tf.constant(Y)):
        assert listed(chunk_of((np.eye(4), y)).label) == Y.tolist()
    one_hot = np.eye(2)[Y]
    for y in (one_hot, pd.DataFrame(one_hot), pl.DataFrame(one_hot), tf.constant(one_hot)):
        np.testing.assert_array_equal(chunk_of((np.eye(4), y)).label, one_hot)


# -- the label ---------------------------------------------------------------------------------------


def test_the_label_is_taken_out_of_the_features():
    source = as_source({"a": [1, 2], "y": ["p", "q"]}, "y")
    (chunk,) = source.chunks()
    assert (list(chunk.columns), listed(chunk.label), source.label) == (["a"], ["p", "q"], "y")


def test_a_label_beside_may_be_named_but_not_be_a_feature_too():
    frame = pd.DataFrame({"a": [1.0, 2.0], "y": [0, 1]})
    named = pk.Pipeline([pk.Rescale()]).fit((frame[["a"]], frame["y"]), "target")
    assert named.spec.label is not None and named.spec.label.name == "target"
    with pytest.raises(
        pk.PrepkitError, match="label='y' is a feature of DataFrame, and y is given beside it: give one"
    ):
        as_source((frame, frame["y"]), "y")


def test_a_label_that_is_not_there_is_refused_unless_it_need_not_be():
    frame = pd.DataFrame({"a": [1.0, 2.0], " Y": [0, 1]})
    with pytest.raises(pk.PrepkitError, match="label='y' is no column of DataFrame: did you mean ' Y'?"):
        as_source(frame, "y")
    with pytest.raises(pk.PrepkitError, match="label='z' is no column of DataFrame: choose one of 'a', ' Y'."):
        as_source(frame, "z")
    (chunk,) = as_source(frame, "z", required=False).chunks()
    assert chunk.label is None
    with pytest.raises(pk.PrepkitError, match="DataFrame has no column but the label 'a': there is nothing to learn"):
        as_source(frame[["a"]], "a")


# -- some rows ---------------------------------------------------------------------------------------


def test_some_rows_of_a_table_are_a_table():
    table = as_source({"x": [1.5, 2.5, 3.5], "word": ["p", None, "q"], "y": [0, 1, 0]}, "y")
    part = table.filtered(np.array([True, False, True]), "two rows")
    (chunk,) = part.chunks()
    assert [listed(column) for column in (*chunk.columns.values(), chunk.label)] == [[1.5, 3.5], ["p", "q"], [0, 0]]
    assert (part.n_rows, part.label, part.name, part.structure) == (2, "y", "two rows", "columns")
    assert table.n_rows == 3
    with pytest.raises(pk.PrepkitError, match="no rows has no rows: nothing to prepare."):
        table.filtered(np.zeros(3, bool), "no rows")
