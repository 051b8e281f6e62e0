"""Cells of our own sources are read as the graph reads tensors."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from hypothesis import example, given
from hypothesis import strategies as st

import prepkit as pk
from prepkit.decode import LONG, decode_column
from prepkit.parse import MISSING
from prepkit.spec import STRINGS, Column
from prepkit.tensors import enter_column
from tests.test_entry import COLUMNS

# -- one way in is like the other --------------------------------------------------------------------


@given(st.lists(st.text(st.sampled_from("0123456789.,-+eE \t\u00a0naif_x"), max_size=8), min_size=1, max_size=20))
@example(["1", "2.5", ""])  # each of the three ways
@example(["1", "2.5", "-999"])
@example(["1", " 2.5", "?"])
@example(["1", "2,5", "oops"])
@example(["inf", "-Infinity", "nan", "1e999", "-1e999", "1_000", "१"])
def test_strings_become_the_numbers_that_the_graph_reads(cells):
    for markers in (MISSING, ("-999", "1", " ? ")):
        column = Column("a", "numeric", "string", parse="number", missing=markers)
        expected = enter_column(tf.constant(cells), column, "float64").numpy()
        expected = np.where(np.isfinite(expected), expected, np.nan)
        arrays = [pa.array(cells), pa.array(cells, pa.large_string()), pa.array(cells, pa.string_view())]
        arrays += [pa.array([c.encode() for c in cells]), pa.array(cells).dictionary_encode()]
        for array in arrays:
            found = decode_column(array, column)
            np.testing.assert_array_equal(
                np.where(np.isfinite(found), found, np.nan), expected, err_msg=str(array.type)
            )


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int64", "uint8", "bool"])
@given(data=st.data())
def test_numbers_declared_to_be_categories_have_the_same_names_in_the_graph(dtype, data):
    values = np.array(data.draw(st.lists(COLUMNS[dtype], min_size=1, max_size=20)), dtype)
    column = Column("a", "categorical", dtype)
    coded = decode_column(values, column)
    names = [coded.values[code] if code >= 0 else "" for code in coded.codes]
    graph = enter_column(tf.constant(values), column, STRINGS).numpy()
    assert names == [v.decode() for v in graph]


def test_names_of_numbers_do_not_depend_on_their_type():
    for values, names in (([1, 2], ["1", "2"]), ([0.1, 2.0], ["0.1", "2"]), ([-0.0, 1e20], ["0", "1e+20"])):
        for dtype in ("float32", "float64"):
            assert list(decode_column(np.array(values, dtype), Column("a", "categorical", dtype)).values) == names
    assert list(decode_column(np.array([True, False]), Column("a", "categorical", "bool")).values) == ["0", "1"]


def test_dictionaries_of_any_make_are_read():
    column = Column("a", "categorical", "string", missing=("?",))
    for index in (pa.uint8(), pa.uint32(), pa.int8(), pa.int64()):
        array = pa.DictionaryArray.from_arrays(pa.array([1, None, 0, 2, 3], index), ["x", " y", "?", "x "])
        coded = decode_column(array, column)
        assert [coded.values[c] if c >= 0 else None for c in coded.codes] == ["y", None, "x", None, "x"]
    with_null = pa.DictionaryArray.from_arrays(pa.array([0, 1]), pa.array(["x", None]))
    assert decode_column(with_null, column).codes.tolist() == [0, -1]
    assert decode_column(pa.array([], pa.string()), column).codes.tolist() == []
    parts = pa.chunked_array([pa.array(["x"]).dictionary_encode(), pa.array(["y", "x"]).dictionary_encode()])
    coded = decode_column(parts, column)
    assert [coded.values[c] for c in coded.codes] == ["x", "y", "x"]


def test_bytes_that_are_not_utf8_are_refused_with_their_column():
    for kind in ("categorical", "numeric"):
        with pytest.raises(pk.PrepkitError, match=r"column 'a' holds bytes that are not UTF-8: decode them before"):
            decode_column(pa.array([b"1", b"\xff"]), Column("a", kind, "string", parse="number"))


@pytest.mark.parametrize(
    "array",
    [
        pa.array([1_700_000_000, None], pa.timestamp("s")),
        pa.array([1_700_000_000_000, None], pa.timestamp("ms", "Europe/Berlin")),
        pa.array([1_700_000_000_000_000, None], pa.timestamp("us")),
        pa.array([1_700_000_000_000_000_999, None], pa.timestamp("ns")),  # below a microsecond
        pa.array([1_700_000_000_000, None], pa.date64()).cast(pa.timestamp("ms")),
        pa.chunked_array([pa.array([1_700_000_000], pa.timestamp("s")), pa.array([None], pa.timestamp("s"))]),
        pa.array([1_700_000_000, None], pa.timestamp("s")).dictionary_encode(),
    ],
    ids=lambda a: str(a.type),
)
def test_times_become_seconds(array):
    for column in (Column("a", "datetime", "datetime"), Column("a", "datetime", "float64")):
        np.testing.assert_array_equal(decode_column(array, column), [1_700_000_000, np.nan])


def test_dates_become_the_seconds_of_their_midnight():
    dates = pa.array([19_000, None], pa.date32())
    np.testing.assert_array_equal(decode_column(dates, Column("a", "datetime", "datetime")), [19_000 * 86_400, np.nan])


def test_times_are_no_numbers_and_strings_without_a_format_no_times():
    stamps = pa.array([1], pa.timestamp("s"))
    with pytest.raises(pk.PrepkitError, match=r"column 'a' is times \(timestamp\[s\]\), but was numeric in training"):
        decode_column(stamps, Column("a", "numeric", "float64"))
    column = Column("a", "datetime", "datetime")
    message = (
        "column 'a' is strings, and there is no format by which to read them as times: make them times, as by pandas"
    )
    with pytest.raises(pk.PrepkitError, match=message):
        decode_column(pa.array(["2024-01-01"]), column)
    with pytest.raises(pk.PrepkitError, match=message):
        enter_column(tf.constant(["2024-01-01"]), column, "float64")


def test_numbers_may_come_as_strings_and_strings_that_were_numbers_as_numbers():
    was_number = Column("a", "numeric", "int64")
    np.testing.assert_array_equal(decode_column(pa.array(["1", " 2 ", None, "x"]), was_number), [1, 2, np.nan, np.nan])
    graph = enter_column(tf.constant(["1", " 2 ", "", "x"]), was_number, "float64")
    np.testing.assert_array_equal(graph.numpy(), [1, 2, np.nan, np.nan])
    was_string = Column("a", "numeric", "string", parse="number,")
    np.testing.assert_array_equal(decode_column(np.array([1.5, 2]), was_string), [1.5, 2])
    np.testing.assert_array_equal(enter_column(tf.constant([1.5, 2]), was_string, "float64").numpy(), [1.5, 2])


def test_booleans_may_come_as_words_or_numbers():
    column = Column("a", "boolean", "bool")
    np.testing.assert_array_equal(decode_column(pa.array(["yes", "F", "?"]), column), [1, 0, np.nan])
    np.testing.assert_array_equal(
        enter_column(tf.constant(["yes", "F", "?"]), column, "float32").numpy(), [1, 0, np.nan]
    )
    np.testing.assert_array_equal(decode_column(np.array([1, 0]), column), [1, 0])
    np.testing.assert_array_equal(decode_column(pa.array([True, None]), column), [1, np.nan])


@pytest.mark.parametrize("kind", ["categorical", "text"])
def test_categories_that_were_strings_may_not_come_as_numbers(kind):
    column = Column("a", kind, "string")
    message = rf"column 'a' is int64, but was strings \({kind}\) in training: give it as strings, or fit on data"
    with pytest.raises(pk.PrepkitError, match=message):
        decode_column(np.array([1, 2]), column)
    with pytest.raises(pk.PrepkitError, match=message):
        enter_column(tf.constant([1, 2], tf.int64), column, STRINGS)


def test_a_column_that_is_all_missing_has_no_type_to_be_wrong():
    """As pandas and pyarrow hold it: float64, or null."""
    column = Column("a", "categorical", "string")
    for values in (np.full(2, np.nan), pa.nulls(2), pa.array([None, None], pa.float64())):
        assert decode_column(values, column).codes.tolist() == [-1, -1]
    np.testing.assert_array_equal(decode_column(pa.nulls(2), Column("a", "numeric", "string")), [np.nan, np.nan])
    np.testing.assert_array_equal(decode_column(pa.nulls(2), Column("a", "datetime", "datetime")), [np.nan, np.nan])


def test_categories_that_were_numbers_may_come_as_strings():
    column = Column("a", "categorical", "int64")
    coded = decode_column(pa.array(["1", " 2", None]), column)
    assert (list(coded.values), coded.codes.tolist()) == (["1", "2"], [0, 1, -1])
    assert enter_column(tf.constant(["1", " 2", ""]), column, STRINGS).numpy().tolist() == [b"1", b"2", b""]


def test_a_vector_of_one_may_come_without_its_axis():
    column = Column("v", "tensor", "float32", (1,))
    assert decode_column(np.arange(3.0), column).shape == (3, 1)


KINDS_OF_STRINGS = [pa.string(), pa.large_string(), pa.binary(), pa.large_binary(), pa.binary(2)]


@pytest.mark.parametrize("kind", KINDS_OF_STRINGS, ids=str)
@pytest.mark.parametrize("late", [False, True])
def test_long_columns_of_strings_are_read_as_short_ones(kind, late):
    cells = [b"ab", None, b"cd"] * (LONG // 3 + 1) + [b"zz" if late else b"ab"]
    column = Column("x", "categorical", "string")
    made = decode_column(pa.array(cells, kind if kind == pa.binary(2) else pa.binary()).cast(kind), column)
    words = [None if code < 0 else made.values[code] for code in made.codes[[0, 1, 2, -1]]]
    assert words == ["ab", None, "cd", "zz" if late else "ab"]
    assert (made.codes < 0).sum() == LONG // 3 + 1
