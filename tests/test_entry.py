"""The way in: numpy and the graph make the same of every cell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

import prepkit as pk
from prepkit.decode import decode_column
from prepkit.entry import UNSEEN, Entry
from prepkit.parse import MISSING
from prepkit.scan import Coded
from prepkit.source import RawChunk, as_source
from prepkit.source.reader import infer
from prepkit.spec import CODES, STRINGS, Column, Spec
from prepkit.tensors import enter_column

# -- one way in is like the other --------------------------------------------------------------------

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
MARKED = st.sampled_from([None, "", " ", "?", " ?", "NA", "null", "#N/A", " n/a\t", "\u00a0"])
WORDS = st.sampled_from(["cook", " cook", "smith ", "\ufeffbaker", "Bäcker", "面包师", "a\x1fb", "1\x1fb", "x" * 5000])
NUMBERS = st.sampled_from(
    ["1", " -2.5 ", "+3", "1e3", ".5", "7.", "1,234.5", "1,234,567", "1e400", "oops", "0x1A", "nan"]
)
COMMAS = st.sampled_from(["1,5", "-2,25", "1.234,5", "3", " ,5", "1,5 ", "oops"])
DATES = st.sampled_from(["2024-02-29", "2023-02-29", " 1969-12-31", "2024-01-01 ", "oops"])
BOOLEANS = st.sampled_from(["yes", " no", "YES ", "No"])
# TensorFlow takes subnormal numbers for 0.
FLOATS = st.floats(allow_subnormal=False) | st.sampled_from([np.nan, np.inf, -np.inf, 0.1, -0.0, 1e300])
TIMES = st.datetimes(pd.Timestamp("1950-01-01").to_pydatetime(), pd.Timestamp("2100-01-01").to_pydatetime())

COLUMNS: dict[str, Any] = {
    "float64": FLOATS,
    "float32": st.floats(width=32, allow_subnormal=False),
    "float16": st.integers(-2048, 2048).map(lambda n: n / 64)
    | st.sampled_from([np.nan, np.inf, -np.inf, 0.1, 65504.0]),
    "int64": st.integers(-(2**53), 2**53),
    "int8": st.integers(-128, 127),
    "uint8": st.integers(0, 255),
    "bool": st.booleans(),
    "datetime": TIMES,
    "word": MARKED | WORDS | TEXT,
    "number": MARKED | NUMBERS,
    "comma": MARKED | COMMAS,
    "date": MARKED | DATES,
    "boolean": MARKED | BOOLEANS,
}
# As inference would have it of enough rows.
HOW = {
    "word": Column("word", "categorical", "string", missing=MISSING),
    "number": Column("number", "numeric", "string", parse="number", missing=MISSING),
    "comma": Column("comma", "numeric", "string", parse="number,", missing=MISSING),
    "date": Column("date", "datetime", "string", parse="Y-m-d", missing=MISSING),
    "boolean": Column("boolean", "boolean", "string", parse="boolean", missing=MISSING),
    "datetime": Column("datetime", "datetime", "datetime"),
    "bool": Column("bool", "boolean", "bool"),
}


def array_of(name: str, values: list[Any]) -> Any:
    if name in ("datetime", "word", "number", "comma", "date", "boolean"):
        return pd.Series(values, dtype="datetime64[us]" if name == "datetime" else object)
    return np.array(values, name)


def as_tensor(values: Any) -> tf.Tensor:
    if isinstance(values, np.ndarray):
        return tf.constant(values)
    if values.dtype == object:
        return tf.constant([v or "" for v in values], tf.string)
    return tf.constant((values.to_numpy() - np.datetime64(0, "us")) / np.timedelta64(1, "s"))


def spec_of(names: list[str]) -> Spec:
    return Spec(tuple(HOW.get(n, Column(n, "numeric", n)) for n in names))


@st.composite
def frames(draw: st.DrawFn) -> dict[str, Any]:
    n = draw(st.integers(1, 12))
    names = draw(st.permutations(list(COLUMNS)))
    return {name: array_of(name, draw(st.lists(COLUMNS[name], min_size=n, max_size=n))) for name in names}


def assert_same_blocks(packed: Mapping[str, np.ndarray], graph: Mapping[str, tf.Tensor]) -> None:
    assert list(packed) == list(graph)
    for name, mine in packed.items():
        theirs = graph[name].numpy()
        assert mine.shape == theirs.shape
        if mine.dtype == object:
            assert mine.tolist() == [[v.decode() for v in row] for row in theirs.tolist()]
        else:
            assert mine.dtype == theirs.dtype, name
            mine = np.where(np.isfinite(mine), mine, np.nan) if mine.dtype.kind == "f" else mine
            np.testing.assert_array_equal(mine, theirs, err_msg=name)


@given(frames(), st.booleans())
def test_a_packed_chunk_is_what_the_graph_makes_of_its_tensors(frame, coded):
    raw = spec_of(list(frame))
    (chunk,) = as_source(frame).chunks()
    vocabularies = {}
    if coded:  # half of the words are known
        words = decode_column(chunk.columns["word"], raw["word"]).values
        vocabularies = {"word": tuple(sorted(words)[::2])}
    entry = Entry(raw, vocabularies)
    packed = entry.packed(chunk)
    assert (CODES if coded else STRINGS) in packed
    assert_same_blocks(packed, entry.graph({n: as_tensor(v) for n, v in frame.items()}))
    # The same with (rows, 1) tensors.
    assert_same_blocks(packed, entry.graph({n: as_tensor(v)[:, None] for n, v in frame.items()}))


def test_the_graph_traces_and_its_table_is_made_outside():
    frame = {name: array_of(name, [v] * 3) for name, v in (("word", "cook"), ("number", "1.5"), ("int8", 7))}
    entry = Entry(spec_of(list(frame)), {"word": ("baker", "cook")})
    signature = {"word": tf.TensorSpec([None], tf.string), "number": tf.TensorSpec([None], tf.string)}
    signature |= {"int8": tf.TensorSpec([None], tf.int8)}
    traced = tf.function(entry.graph, input_signature=[signature])
    (chunk,) = as_source(frame).chunks()
    assert_same_blocks(entry.packed(chunk), traced({n: as_tensor(v) for n, v in frame.items()}))


# -- codes -------------------------------------------------------------------------------------------


def test_missing_and_unseen_categories_have_codes_of_their_own():
    column = Column("a", "categorical", "string", missing=("?",))
    entry = Entry(Spec((column,)), {"a": ("p", "q")})
    chunk = RawChunk({"a": pa.array(["q", " ?", "z", None, "p "])})
    assert entry.packed(chunk)[CODES].ravel().tolist() == [1, -1, UNSEEN, -1, 0]
    assert entry.spec["a"].categories == ("p", "q")


def test_categories_of_one_column_are_none_of_another():
    """They share a table, its keys the number of the column and the word."""
    columns = (Column("a", "categorical", "string"), Column("b", "categorical", "string"))
    entry = Entry(Spec(columns), {"b": ("1\x1fp", "p"), "a": ("p", "0\x1fp")})
    words = tf.constant(["p", "0\x1fp", "1\x1fp", "q", "\x1f"])
    codes = entry.graph({"a": words, "b": words})[CODES].numpy().tolist()
    assert codes == [[0, 1], [1, UNSEEN], [UNSEEN, 0], [UNSEEN, UNSEEN], [-1, -1]]
    many = Entry(
        Spec(tuple(Column(f"c{i}", "categorical", "string") for i in range(11))), {f"c{i}": ("p",) for i in range(11)}
    )
    codes = many.graph({f"c{i}": tf.constant(["0p"]) for i in range(11)})[CODES].numpy().tolist()
    assert codes == [[UNSEEN] * 11]  # column 1 and "0p" are not column 10 and "p"


# -- times -------------------------------------------------------------------------------------------


# -- another type than in training -------------------------------------------------------------------


# -- tensors and matrices ----------------------------------------------------------------------------

IMAGE = Column("x", "tensor", "uint8", (2, 2))


def test_tensors_keep_their_type_and_shape():
    entry = Entry(Spec((IMAGE,), structure="array"), {})
    pixels = np.arange(12).reshape(3, 2, 2)
    for given_as in (pixels.astype(np.uint8), pixels.astype(np.int64)):
        packed = entry.packed(RawChunk({"x": given_as}))
        assert packed["tensor:x"].dtype == np.uint8
        assert_same_blocks(packed, entry.graph(tf.constant(given_as)))


def test_pixels_from_0_to_1_are_refused_where_they_went_to_255():
    message = "'x' is float64, but was uint8 in training: give the same numbers, and as uint8"
    with pytest.raises(pk.PrepkitError, match=message):
        decode_column(np.random.default_rng(0).random((3, 2, 2)), IMAGE)
    with pytest.raises(pk.PrepkitError, match=message):
        Entry(Spec((IMAGE,), structure="array"), {}).graph(tf.zeros([3, 2, 2], tf.float64))


def test_tensors_of_another_shape_are_refused():
    with pytest.raises(pk.PrepkitError, match=r"'x' has rows of shape \(3, 2\), but \(2, 2\) in training"):
        decode_column(np.zeros((4, 3, 2), np.uint8), IMAGE)
    with pytest.raises(pk.PrepkitError, match=r"'x' has shape \(4, 2\), but the training rows had \(2, 2\) each"):
        Entry(Spec((IMAGE,), structure="array"), {}).graph(tf.zeros([4, 2], tf.uint8))
    with pytest.raises(pk.PrepkitError, match=r"column 'a' has shape \(4, 2\): give one value a row"):
        decode_column(np.zeros((4, 2)), Column("a", "numeric", "float64"))
    with pytest.raises(pk.PrepkitError, match=r"column 'a' has shape \(4, 2\): give one value a row"):
        enter_column(tf.zeros([4, 2]), Column("a", "numeric", "float32"), "float32")


def matrix_entry(dtype: str, width: int = 3) -> Entry:
    return Entry(Spec(tuple(Column(f"x{i}", "numeric", dtype) for i in range(width)), structure="array"), {})


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8", "float16"])
def test_a_matrix_is_packed_as_it_is(dtype):
    matrix = (np.arange(12) - 3).reshape(4, 3).astype(dtype)
    entry = matrix_entry(dtype)
    (chunk,) = as_source(matrix).chunks()
    packed = entry.packed(chunk)
    assert list(packed) == [entry.spec.columns[0].block]
    assert_same_blocks(packed, entry.graph(tf.constant(matrix)))
    decoded = entry.decode(chunk)
    np.testing.assert_array_equal(np.stack([decoded[f"x{i}"] for i in range(3)], 1), matrix)
    one = matrix_entry(dtype, 1)
    assert_same_blocks(one.packed(RawChunk({}, matrix=matrix[:, :1])), one.graph(tf.constant(matrix[:, 0])))


def test_an_array_of_strings_enters_without_a_name():
    column = Column("x", "categorical", "string", missing=("?",))
    for vocabularies in ({}, {"x": ("p",)}):
        entry = Entry(Spec((column,), structure="array"), vocabularies)
        (chunk,) = as_source(np.array([" p", "?", "q"])).chunks()
        assert_same_blocks(entry.packed(chunk), entry.graph(tf.constant([" p", "?", "q"])))


def test_another_structure_than_in_training_is_refused():
    entry = matrix_entry("float64")
    with pytest.raises(
        pk.PrepkitError, match="X has 2 columns without names, but the training data had 3: give the same"
    ):
        entry.packed(RawChunk({}, matrix=np.eye(2)))
    with pytest.raises(pk.PrepkitError, match=r"X has shape \(2, 2\), but the training data had 3 columns"):
        entry.graph(tf.eye(2))
    with pytest.raises(
        pk.PrepkitError, match="data have named columns, but the training data were one array of 3 without"
    ):
        entry.packed(RawChunk({"a": np.zeros(3)}))
    with pytest.raises(pk.PrepkitError, match=r"features are a dict of \['a'\], but the training data were one array"):
        entry.graph({"a": tf.zeros(3)})
    named = Entry(Spec((Column("a", "numeric", "float64"), Column("b", "numeric", "float64"))), {})
    with pytest.raises(pk.PrepkitError, match="X has 2 columns without names, but the training data had 2 named a, b"):
        named.packed(RawChunk({}, matrix=np.eye(2)))
    with pytest.raises(pk.PrepkitError, match="features are one tensor, but the training data had columns named a, b"):
        named.graph(tf.eye(2))


# -- names -------------------------------------------------------------------------------------------

NAMED = Entry(Spec(tuple(Column(n, "numeric", "float64") for n in ("age", "hours-per-week", "fnlwgt"))), {})


def chunk_named(*names: str) -> RawChunk:
    return RawChunk({n: np.full(2, float(i)) for i, n in enumerate(names)})


def test_columns_are_found_by_name_whatever_their_order_and_whatever_else_there_is():
    packed = NAMED.packed(chunk_named("new", "fnlwgt", "age", "other", "hours-per-week"))
    assert packed["float64"][0].tolist() == [2, 4, 1]
    graph = NAMED.graph(
        {n: tf.constant(v) for n, v in chunk_named("new", "fnlwgt", "age", "hours-per-week").columns.items()}
    )
    assert graph["float64"].numpy()[0].tolist() == [2, 3, 1]


@pytest.mark.parametrize(
    "names, message",
    [
        (("age", "fnlwgt"), "1 of the 3 training columns are missing, the first of them 'hours-per-week': give it too"),
        (("Age ", "fnlwgt", "hours-per-week"), "missing, the first of them 'age': did you mean 'Age '. Rename it"),
        (
            ("age", "fnlwgt", "hours_per_week"),
            "the first of them 'hours-per-week': did you mean 'hours_per_week'. Rename",
        ),
        (("age", "weight", "hours-per-week"), "them 'fnlwgt': rename it, if it is one of 'weight', or give it too"),
        (("y",), "3 of the 3 training columns are missing, the first of them 'age': rename it, if it is one of 'y'"),
    ],
)
def test_a_column_that_is_missing_is_named_and_what_it_may_be_called_now(names, message):
    with pytest.raises(pk.PrepkitError, match=message):
        NAMED.packed(chunk_named(*names))
    with pytest.raises(pk.PrepkitError, match=message):
        NAMED.graph({n: tf.zeros(2) for n in names})


def test_inference_and_entry_agree_on_what_a_frame_holds():
    frame = pd.DataFrame(
        {
            "comma": ["1,5", "2,25", "?", "-3,5"] * 10,
            "word": [" a", "b", "?", "a "] * 10,
            "flag": ["yes", "no", "NA", "yes"] * 10,
            "day": ["2024-01-01", "2024-02-29", "", "2023-12-31"] * 10,
        }
    )
    source = as_source(frame)
    (chunk,) = source.chunks()
    entry = Entry(infer(source, chunk, None, {}, labelled=False), {"word": ("a", "b")})
    packed = entry.packed(chunk)
    np.testing.assert_array_equal(packed["float64"][:4, 0], [1.5, 2.25, np.nan, -3.5])
    np.testing.assert_array_equal(packed["float64"][:4, 1] / 86400, [19723, 19782, np.nan, 19722])
    np.testing.assert_array_equal(packed["float32"][:4, 0], [1, 0, np.nan, 1])
    assert packed[CODES][:4, 0].tolist() == [0, 1, -1, 0]
    decoded = entry.decode(chunk)["word"]
    assert isinstance(decoded, Coded)
    assert list(decoded.values) == ["a", "b"]
