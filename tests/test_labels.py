"""Labels in every form: the same class numbers in numpy and in the graph."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

import prepkit as pk
from prepkit.labels import LabelEncoder, classes_of, clean, decode_label, formed
from prepkit.source.infer import infer_label_form
from prepkit.source.table import as_column
from prepkit.spec import Label

RECIPE = pk.Pipeline([pk.Rescale()])


def learned(y: Any) -> Label:
    """The label as fitting finds it."""
    column = as_column(y, "y")
    form = infer_label_form(column)
    if form == "one_hot":
        return Label(None, form, tuple(range(column.shape[1])))
    coded = decode_label(column, form, None)
    counts = Counter(coded.values[code] for code in coded.codes if code >= 0)
    return Label(None, form, classes_of(counts, form, len(coded), None))


def in_numpy(y: Any, label: Label) -> list[int]:
    """Class numbers, -1 for a label that is missing or none of the classes."""
    coded = decode_label(as_column(y, "y"), label.form, label.name)
    return coded.recoded({c: i for i, c in enumerate(label.classes)}, -1).tolist()


def in_graph(y: Any, label: Label) -> list[int]:
    y = tf.constant(y)
    encode = tf.function(lambda y: LabelEncoder(label)(y, strict=False), autograph=False)
    return encode(y).numpy().tolist()


FORMS = [
    (np.array([3, -1, 7, 3]), "int", (-1, 3, 7), [1, 0, 2, 1]),
    (np.array([200, 1], np.uint8), "int", (1, 200), [1, 0]),
    (np.array([2**62, -(2**62), 2**62 - 1]), "int", (-(2**62), 2**62 - 1, 2**62), [2, 0, 1]),
    (np.array([5, 1_000_000_000, 5]), "int", (5, 1_000_000_000), [0, 1, 0]),
    (np.array([1.0, np.nan, 0.0]), "int", (0, 1), [1, -1, 0]),
    (np.array([1.0, np.nan, 0.0], np.float32), "int", (0, 1), [1, -1, 0]),
    (np.array([1.0, 0.0], np.float16), "int", (0, 1), [1, 0]),
    (np.array(["a", "b", "a"]), "string", ("a", "b"), [0, 1, 0]),
    (np.array([" <=50K", "<=50K.", " >50K. ", ">50K"]), "string", ("<=50K", ">50K"), [0, 0, 1, 1]),
    (np.array(["é", "None", "na", "Ä"]), "string", ("None", "na", "Ä", "é"), [3, 0, 1, 2]),
    (np.array(["b", "?", " ", "NaN", "N/A", "a", "<NA>"]), "string", ("a", "b"), [1, -1, -1, -1, -1, 0, -1]),
    (np.array(["\ufeffyes", "yes", "no\u00a0"]), "string", ("no", "yes"), [1, 1, 0]),
    (np.array(["a.b", "a.b.", "a.b..", "."]), "string", ("a.b", "a.b."), [0, 0, 1, -1]),
    (np.array(["1", "0 ", "1.", "1.0", "None", "?", "10"]), "int", (0, 1, 10), [1, 0, 1, 1, -1, -1, 2]),
    (np.array(["007", "7", "007"]), "string", ("007", "7"), [0, 1, 0]),
    (np.array(["+", "-", "+"]), "string", ("+", "-"), [0, 1, 0]),
    (np.array(["True", "False"]), "string", ("False", "True"), [1, 0]),
    (np.array([True, False, True]), "bool", (False, True), [1, 0, 1]),
    (np.array([[1], [0], [1]]), "int", (0, 1), [1, 0, 1]),
    (np.array([["b"], ["a"]]), "string", ("a", "b"), [1, 0]),
    (np.eye(3)[[0, 2, 1]], "one_hot", (0, 1, 2), [0, 2, 1]),
    (np.eye(3, dtype=np.int64)[[1, 0, 1]], "one_hot", (0, 1, 2), [1, 0, 1]),
    (np.eye(2, dtype=bool)[[1, 0]], "one_hot", (0, 1), [1, 0]),
    (np.array([[0.0, 1.0], [np.nan, np.nan], [1.0, 0.0]]), "one_hot", (0, 1), [1, -1, 0]),
]


@pytest.mark.parametrize("y, form, classes, numbers", FORMS, ids=lambda v: str(v)[:30])
def test_every_form_is_told_and_encoded_alike_in_numpy_and_in_the_graph(y, form, classes, numbers):
    label = learned(y)
    assert (label.form, label.classes) == (form, classes)
    assert in_numpy(y, label) == numbers
    assert in_graph(y, label) == numbers


@pytest.mark.parametrize(
    "y, classes, numbers",
    [
        (pd.array([2**60 + 1, None, 2**60], "Int64"), (2**60, 2**60 + 1), [1, -1, 0]),
        (pd.Series([2**60 + 1, None, 2**60], dtype="Int64"), (2**60, 2**60 + 1), [1, -1, 0]),
        (pd.Series([True, None, False], dtype="boolean"), (False, True), [1, -1, 0]),
        (pd.Series([True, None, False], dtype=object), (False, True), [1, -1, 0]),
        (pd.Series(["b", None, "a"]), ("a", "b"), [1, -1, 0]),
        (pd.Series(["b", None, "a"], dtype="category"), ("a", "b"), [1, -1, 0]),
        (pd.Series([2, None, 1], dtype="category"), (1, 2), [1, -1, 0]),
        (pd.Series([True, False, None], dtype="category"), (False, True), [1, 0, -1]),
        (pa.array(["b", None, "a"], pa.string_view()), ("a", "b"), [1, -1, 0]),
        (pa.chunked_array([["b"], [], [None, "a"]]).dictionary_encode(), ("a", "b"), [1, -1, 0]),
        (pa.chunked_array([[7], [None, 5]]), (5, 7), [1, -1, 0]),
        (pa.array([b"b", None, b"a"]), ("a", "b"), [1, -1, 0]),
        (pa.array([1.0, float("nan"), None, 0.0]), (0, 1), [1, -1, -1, 0]),
        ([None, "x", "y"], ("x", "y"), [-1, 0, 1]),
        ([None, 4, 2], (2, 4), [-1, 1, 0]),
    ],
    ids=lambda v: type(v).__name__,
)
def test_null_is_missing_in_whatever_holds_it(y, classes, numbers):
    label = learned(y)
    assert label.classes == classes
    assert in_numpy(y, label) == numbers


WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(
    ["?", " ?", "NA", "nan", "None", "a", "a.", " a", "a .", "..", ".", "a\n", "\u200b", "\u3000a", "yes", "1"]
)


@given(st.lists(WORDS, min_size=1, max_size=20))
def test_strings_are_cleaned_alike_in_numpy_and_in_the_graph(words):
    y = np.array([*words, "class one", "class two"], object)
    label = learned(y)
    assert label.form == "string"
    assert in_numpy(y, label) == in_graph(y, label)
    for word, number in zip(words, in_numpy(y, label), strict=False):
        assert number == -1 or label.classes[number] == clean(word)


@given(
    st.lists(st.integers(-(2**62), 2**62), min_size=2, max_size=20, unique=True),
    st.lists(st.integers(-(2**63) + 1, 2**63 - 1), max_size=20),
)
def test_integers_are_looked_up_alike_in_numpy_and_in_the_graph(seen, others):
    label = learned(np.array(seen))
    assert label.classes == tuple(sorted(seen))
    y = np.array(seen + others)
    assert in_numpy(y, label) == in_graph(y, label) == [label.classes.index(v) if v in seen else -1 for v in y.tolist()]


@given(st.lists(st.floats(width=32) | st.integers(-3, 3).map(float), max_size=20))
def test_floats_that_are_no_class_are_none_in_the_graph_and_refused_in_numpy(values):
    label = Label(None, "int", (-1, 0, 1))
    y = np.array([*values, 0.0])
    assert in_graph(y, label) == [label.classes.index(v) if v in (-1.0, 0.0, 1.0) else -1 for v in y.tolist()]
    if (np.isfinite(y) | np.isnan(y)).all() and ((y == np.floor(y)) & (np.abs(y) < 2.0**63) | np.isnan(y)).all():
        assert in_numpy(y, label) == in_graph(y, label)
    else:
        with pytest.raises(pk.PrepkitError, match="labels here are classes, whole numbers: bin continuous numbers"):
            in_numpy(y, label)


# What was one thing in training may come as another later.
OTHERWISE = [
    ("int", (0, 1), ["1", " 0", "x", "1.0", "", "1.5", "1e0"], None, [1, 0, -1, 1, -1, -1, -1]),
    ("int", (0, 1), [True, False], [1, 0], [1, 0]),
    ("int", (0, 1), np.array([1, 2**63 + 1], np.uint64), None, [1, -1]),
    ("int", (1 - 2**63, 1), np.array([1, 2**63 + 1], np.uint64), None, [1, -1]),  # equal modulo 2**64
    ("int", (0, 1), [[1], [7]], [1, -1], [1, -1]),
    ("bool", (False, True), ["yes", "False ", "T.", "x", ""], None, [1, 0, 1, -1, -1]),
    ("bool", (False, True), ["yes", "False ", "T.", "", "0"], [1, 0, 1, -1, 0], [1, 0, 1, -1, 0]),
    ("bool", (False, True), [1, 0], [1, 0], [1, 0]),
    ("bool", (False, True), [1.0, 0.0, np.nan], [1, 0, -1], [1, 0, -1]),
    ("string", ("False", "True"), [True, False], [1, 0], [1, 0]),
    ("string", ("a", "b"), [True, False], [-1, -1], [-1, -1]),
    ("one_hot", (0, 1), [[0, 1], [1, 1], [0, 0], [1, 0]], [1, -1, -1, 0], [1, -1, -1, 0]),
    ("one_hot", (0, 1), [[0.5, 0.5], [2, -1], [np.nan, 1]], [-1, -1, -1], [-1, -1, -1]),
]


@pytest.mark.parametrize("form, classes, y, numpy, graph", OTHERWISE)
def test_labels_of_another_type_are_read_where_their_meaning_is_plain(form, classes, y, numpy, graph):
    label = Label(None, form, classes)
    assert in_graph(y, label) == graph
    if numpy is not None:
        assert in_numpy(y, label) == numpy


REFUSED = [
    ("string", [1, 2], r"y holds numbers \(int64\), but the training labels were strings: give the same strings"),
    ("int", ["1", "x"], "y holds 'x', but the training labels were whole numbers: give such"),
    ("int", ["1.5"], "y holds '1.5', but the training labels were whole numbers"),
    ("int", ["١"], "y holds '١', but the training labels were whole numbers"),
    ("int", [1.5], "y holds 1.5, but labels here are classes, whole numbers: bin continuous numbers before"),
    ("int", [1e30], r"y holds 1e\+30, but labels here are classes, whole numbers"),
    ("int", np.array([2**63], np.uint64), "y holds 9223372036854775808, but labels here are classes"),
    ("int", np.eye(2), r"y has shape \(2, 2\), but the training labels were one int a row: give the same"),
    ("bool", ["maybe"], "y holds 'maybe', but the training labels were true or false: give such"),
    ("bool", [2], "y holds 2, but labels here are classes, true or false"),
    ("one_hot", [0, 1], r"y has shape \(2,\), but the training labels were one-hot: give \(rows, classes\)"),
    ("string", [b"\xff"], "y holds bytes that are not UTF-8: decode them before"),
    ("string", pa.array([[1]]), "y is of type list<item: int64>: give integers, strings or booleans"),
]


@pytest.mark.parametrize("form, y, message", REFUSED, ids=[f"{f} {m[:30]}" for f, _, m in REFUSED])
def test_labels_of_another_meaning_are_refused_in_numpy(form, y, message):
    with pytest.raises(pk.PrepkitError, match=message):
        decode_label(as_column(y, "y"), form, None)


def test_messages_name_the_label_column():
    with pytest.raises(pk.PrepkitError, match="label 'income' holds 'x', but the training labels were whole numbers"):
        decode_label(pa.array(["x"]), "int", "income")


@pytest.mark.parametrize(
    "label, y, message",
    [
        (
            Label("t", "string", ("a", "b")),
            [1],
            "label 't' is int32, but the training labels were strings: give the same",
        ),
        (Label(None, "int", (0, 1)), np.eye(2), r"y has shape \(2, 2\), but the training labels were one int a row"),
        (Label(None, "one_hot", (0, 1, 2)), np.eye(2), r"y has shape \(2, 2\), but the .* were one-hot of 3 classes"),
        (
            Label(None, "one_hot", (0, 1)),
            [0, 1],
            r"y has shape \(2,\), but the training labels were one-hot of 2 classes",
        ),
    ],
)
def test_labels_of_another_type_are_refused_while_the_graph_is_made(label, y, message):
    with pytest.raises(pk.PrepkitError, match=message):
        in_graph(y, label)


@pytest.mark.parametrize(
    "counts, n_rows, message",
    [
        ({}, 7, "y is missing in all 7 rows: nothing to learn"),
        ({"a": 7}, 7, "y has the one class 'a' in all 7 rows: a classifier needs two or more; check the label column"),
        (dict.fromkeys(range(1500), 2), 2900, "y has 1,500 classes in 2,900 rows: that is an identifier or a number"),
    ],
)
def test_labels_from_which_nothing_can_be_learned_are_refused(counts, n_rows, message):
    with pytest.raises(pk.PrepkitError, match=message):
        classes_of(counts, "int", n_rows, None)


def test_many_classes_are_allowed_where_each_has_some_rows():
    assert len(classes_of(dict.fromkeys(range(1500), 3), "int", 4500, None)) == 1500


def test_class_numbers_come_out_as_integers_or_one_hot():
    number = tf.constant([2, 0], tf.int32)
    assert formed(number, 3, "int") is number
    assert formed(number, 3, "one_hot").numpy().tolist() == [[0, 0, 1], [1, 0, 0]]
    assert formed(number, 3, "one_hot").dtype == tf.float32


# -- in a pipeline -----------------------------------------------------------------------------------

X = np.arange(8.0)[:, None]
TEXT = np.array(["no", "yes", "", "no.", " yes", "?", "yes", "no"], object)
SOURCES = {
    "memory": lambda x, y: (x, y),
    "stream": lambda x, y: tf.data.Dataset.from_tensor_slices((x, y)).batch(3),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_rows_without_a_label_are_left_out_of_training_and_counted(kind):
    prepared = RECIPE.prepare(SOURCES[kind](X, TEXT), batch_size=8)
    metadata = prepared.metadata
    assert (metadata.class_names, metadata.counts) == (("no", "yes"), (3, 3))
    assert (metadata.ledger.rows_in, metadata.ledger.trained) == (8, 6)
    assert metadata.ledger.refused == {"label missing": 2}
    assert metadata.ledger.row_numbers == {"label missing": (2, 5)}
    ((x, y),) = prepared.dataset.as_numpy_iterator()
    order = np.argsort(x[:, 0])
    assert y[order].tolist() == [0, 1, 0, 1, 1, 0]
    # Statistics are of the rows that are trained on: 0, 1, 3, 4, 6, 7.
    np.testing.assert_allclose(x[order, 0], (X[[0, 1, 3, 4, 6, 7], 0] - 3.5) / np.std([0, 1, 3, 4, 6, 7]), rtol=1e-6)


@pytest.mark.parametrize("kind", SOURCES)
def test_labels_come_out_one_hot_if_asked_for(kind):
    good = TEXT[[0, 1, 3, 4]]
    prepared = RECIPE.prepare(SOURCES[kind](X[:4], good), labels="one_hot", batch_size=4)
    for data in (prepared.dataset, prepared.pipeline.transform(SOURCES[kind](X[:4], good))):
        ((x, y),) = data.as_numpy_iterator()
        assert y[np.argsort(x[:, 0])].tolist() == [[1, 0], [0, 1], [1, 0], [0, 1]]
        assert y.dtype == np.float32


BAD = [
    ("drei", "'drei', no class of the training data, in 1 rows, the first of them row 2"),
    ("", "missing, in 1 rows, the first of them row 2"),
]


@pytest.mark.parametrize("word, message", BAD)
def test_a_label_that_is_missing_or_unseen_later_is_an_error(word, message, tmp_path):
    fitted = RECIPE.fit((X, TEXT))
    y = np.array(["no", "yes", word, "no"])
    with pytest.raises(
        pk.PrepkitError, match=f"label 'y' is {message}: drop those rows, or the label; the classes are"
    ):
        fitted.transform((X[:4], y))
    stream = tf.data.Dataset.from_tensor_slices((X[:4], y))
    said = rf"PrepkitError: y is missing, or no class of the training data \('no', 'yes'\): .*Found:.*{word}"
    for dataset in (fitted.transform(stream), stream.apply(fitted), stream.batch(2).apply(fitted)):
        with pytest.raises(tf.errors.InvalidArgumentError, match=f"(?s){said.replace(chr(39), '.*')}"):
            list(dataset)


def test_an_unseen_label_in_a_file_is_the_same_error_within_the_stream(tmp_path):
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0], "y": ["no", "yes", "no"]})
    fitted = RECIPE.fit(frame, "y")
    frame.assign(y=["no", "drei", "yes"]).to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="PrepkitError: label 'y' is 'drei', no class of the training"
    ):
        list(fitted.transform(tmp_path / "a.csv"))
    frame.drop(columns="y").to_csv(tmp_path / "b.csv", index=False)
    assert next(iter(fitted.transform(tmp_path / "b.csv"))).shape == (3, 1)  # a label is never needed


def test_text_labels_of_numbers_train_from_a_stream():
    """As TFRecord and CSV give them."""
    stream = tf.data.Dataset.from_tensor_slices((X, ["0", "1", "", "0", "1.0", "?", "1", "0"]))
    prepared = RECIPE.prepare(stream, batch_size=8)
    ((x, y),) = prepared.dataset.as_numpy_iterator()
    assert y[np.argsort(x[:, 0])].tolist() == [0, 1, 0, 1, 1, 0]
