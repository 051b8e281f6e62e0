"""What is known of the columns: printed, and written as JSON and read again."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import prepkit as pk
from prepkit.spec import CODES, FLOAT32, FLOAT64, RAW_KINDS, STRINGS, Column, Kind, Label, Role, Spec

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
WORDS = st.lists(NAMES, max_size=4).map(tuple)


@st.composite
def columns(draw: st.DrawFn) -> Column:
    return Column(
        draw(NAMES),
        draw(st.sampled_from(get_args(Kind))),
        draw(st.sampled_from(["float32", "int64", "string", "datetime"])),
        shape=draw(st.lists(st.integers(1, 9), max_size=3).map(tuple)),
        parse=draw(st.sampled_from(["", "number,", "Y-m-d H:M"])),
        missing=draw(WORDS),
        role=draw(st.sampled_from(get_args(Role))),
        notes=draw(WORDS),
        block=draw(st.sampled_from(["", "float32", "tensor:x"])),
        sources=draw(WORDS),
        features=draw(WORDS),
        categories=draw(st.none() | WORDS),
    )


LABELS = st.builds(
    Label,
    st.none() | NAMES,
    st.sampled_from(["int", "string", "bool", "one_hot"]),
    st.lists(st.integers(-(2**62), 2**62) | NAMES | st.booleans(), max_size=4).map(tuple),
)


@given(
    st.lists(columns(), max_size=5, unique_by=lambda c: c.name),
    st.none() | LABELS,
    st.sampled_from(["columns", "array"]),
)
def test_a_spec_survives_json(some, label, structure):
    spec = Spec(tuple(some), label, structure)
    again = Spec.from_json(json.loads(json.dumps(spec.to_json())))
    assert again == spec
    assert repr(again) == repr(spec)
    assert again.names == spec.names == tuple(c.name for c in some)
    assert hash(again.columns) == hash(spec.columns)  # lists have become tuples again
    if label is not None:
        assert [type(c) for c in again.label.classes] == [type(c) for c in label.classes]  # 1 is not True


def test_json_leaves_out_what_says_nothing():
    spec = Spec((Column("a", "numeric"),))
    assert spec.to_json() == {"columns": [{"name": "a", "kind": "numeric"}], "label": None, "structure": "columns"}


def test_repr_says_what_was_decided_and_why():
    frame = pd.DataFrame(
        {
            "age": [20, 30, 40, 50] * 10,
            "job": [" cook", "?", " smith", " cook"] * 10,
            "code": [f"k{i}" for i in range(40)],
            "income": [" <=50K", " >50K"] * 20,
        }
    )
    spec = pk.Pipeline([pk.Drop("code"), pk.OneHot()]).fit(frame, "income").spec
    assert repr(spec).splitlines() == [
        "Spec of 3 columns, label 'income' (string: '<=50K', '>50K')",
        "  age: numeric (int64)",
        "  job: categorical (string); 25 % missing: '?' 10; spaces around values are taken off",
        "  code: categorical (string) [identifier]; looks like an identifier: every row another value",
    ]


def test_repr_of_images_and_of_labels_beside_them():
    images = np.random.default_rng(0).integers(0, 255, (4, 5, 6, 3)).astype(np.uint8)
    spec = pk.Pipeline([pk.Rescale("unit")]).fit((images, np.eye(2)[[0, 1, 0, 1]])).spec
    assert repr(spec) == "Spec of 1 column, label beside them (one_hot: 0, 1)\n  x: tensor [5, 6, 3] (uint8)"


def test_repr_stays_short():
    spec = Spec(
        tuple(Column(f"c{i}", "numeric") for i in range(10_000)),
        Label("y", "int", tuple(range(1000))),
    )
    lines = repr(spec).splitlines()
    assert lines[0] == "Spec of 10,000 columns, label 'y' (int: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ... 1,000 in all)"
    assert lines[-1] == "  ... and 9,900 more"
    assert len(lines) == 102
    assert repr(Spec((), Label("y", "int"))) == "Spec of 0 columns, label 'y' (int)"


def test_names_are_unique():
    with pytest.raises(pk.PrepkitError, match=r"columns \['a'\] exist twice: rename one of each"):
        Spec((Column("a", "numeric"), Column("b", "numeric"), Column("a", "text")))


def test_columns_are_found_by_name():
    spec = Spec((Column("a", "numeric"), Column("b", "text")))
    assert spec["b"].kind == "text"
    assert "b" in spec and "c" not in spec and 1 not in spec
    assert spec.with_columns([spec["b"]]).names == ("b",)
    assert spec.names == ("a", "b")


@pytest.mark.parametrize(
    "dtype, block",
    [
        *[(t, FLOAT32) for t in ("bool", "int8", "uint8", "int16", "uint16", "float16", "float32")],
        *[(t, FLOAT64) for t in ("int32", "uint32", "int64", "uint64", "float64", "string", "datetime")],
    ],
)
def test_numbers_go_where_every_value_of_their_type_is_exact(dtype, block):
    column = Column("a", "numeric", dtype, parse="number").entered(coded=False)
    assert (column.block, column.dtype, column.parse, column.sources) == (block, block, "", ("a",))
    if dtype not in ("string", "datetime"):
        info: Any = np.finfo(dtype) if "float" in dtype else np.iinfo(dtype) if dtype != "bool" else None
        if info is not None and dtype not in ("int64", "uint64"):  # beyond 2**53 nothing is
            assert np.asarray(info.max).astype(block) == info.max


def test_other_kinds_have_blocks_of_their_own():
    assert Column("a", "categorical", "string").entered(coded=True).block == CODES
    assert Column("a", "categorical", "string").entered(coded=False).block == STRINGS
    assert Column("a", "text", "string").entered(coded=False).block == STRINGS
    assert Column("a", "boolean", "string", parse="boolean").entered(coded=False).block == FLOAT32
    image = Column("a", "tensor", "uint8", (2, 2)).entered(coded=False)
    assert (image.block, image.dtype, image.shape) == ("tensor:a", "uint8", (2, 2))


def test_blocks_keep_the_order_of_columns():
    spec = Spec(tuple(Column(n, "numeric", block=b) for n, b in zip("abcd", "xyxy", strict=True)))
    assert {b: [c.name for c in cs] for b, cs in spec.blocks().items()} == {"x": ["a", "c"], "y": ["b", "d"]}


@pytest.mark.parametrize(
    "shape, series, features",
    [
        ((), ("a",), ("a",)),
        ((2,), ("a[0]", "a[1]"), ("a[0]", "a[1]")),
        ((2, 2), ("a",), ("a[0]", "a[1]", "a[2]", "a[3]")),  # an image without channels
        ((1, 2, 2), ("a[0]", "a[1]"), ("a[0]", "a[1]", "a[2]", "a[3]")),
    ],
)
def test_a_tensor_is_measured_by_channel_and_named_by_element(shape, series, features):
    column = Column("a", "tensor", shape=shape)
    assert (column.series, column.feature_names(), column.width) == (series, features, len(features))


def test_a_spec_never_changes():
    spec = Spec((Column("a", "numeric"),))
    with pytest.raises(dataclasses.FrozenInstanceError):
        spec.label = Label("y", "int")
    with pytest.raises(dataclasses.FrozenInstanceError):
        spec["a"].kind = "text"


def test_classes_have_names():
    assert Label("y", "bool", (False, True)).class_names == ("False", "True")
    assert Label("y", "int", (-1, 7)).class_names == ("-1", "7")


def test_the_kinds_that_data_come_in_are_those_that_can_be_told():
    assert set(RAW_KINDS) == set(get_args(Kind)) - {"encoded", "id"}
