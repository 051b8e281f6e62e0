"""Choosing columns, and taking blocks apart and together."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import prepkit as pk
from prepkit.core import along, choose, did_you_mean, taken
from prepkit.spec import Column, Spec

SPEC = Spec(
    (
        Column("age", "numeric", block="float32"),
        Column("job", "encoded", shape=(3,), block="onehot"),
        Column("cap gain", "numeric", block="float32"),
        Column("town", "encoded", shape=(2,), block="onehot"),
    )
)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (None, ["age", "cap gain"]),
        ("age", ["age"]),
        (["cap gain", "age"], ["age", "cap gain"]),  # in the order of the spec
        ("cap*", ["cap gain"]),
        ("kind:encoded", ["job", "town"]),
        (lambda c: c.name.startswith("a"), ["age"]),
    ],
)
def test_columns_are_chosen(columns, expected):
    takes = ("numeric", "encoded") if columns == "kind:encoded" else ("numeric",)
    assert [c.name for c in choose(SPEC, columns, takes, "Clip")] == expected


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ("aeg", "Clip names column 'aeg', which is not there: did you mean 'age'"),
        ("z*", "chooses none of the 4 columns"),
        ("job", r"Clip takes columns of kind numeric, not 'job' \(encoded\)"),
    ],
)
def test_columns_that_cannot_be_chosen(columns, message):
    with pytest.raises(pk.PrepkitError, match=message):
        choose(SPEC, columns, ("numeric",), "Clip")


def test_columns_are_taken_out_of_blocks():
    blocks = {"float32": tf.constant([[1.0, 2.0]]), "onehot": tf.constant([[1.0, 0.0, 0.0, 0.0, 1.0]])}
    out = taken(blocks, SPEC, {"age", "cap gain", "town"})
    assert out["float32"] is blocks["float32"]
    assert out["onehot"].numpy().tolist() == [[0.0, 1.0]]
    assert set(taken(blocks, SPEC, {"job"})) == {"onehot"}


def test_values_lie_along_their_block():
    columns = (Column("a", "numeric"), Column("b", "numeric"))
    np.testing.assert_array_equal(along(columns, {"b": 2.0}, 0.5), [0.5, 2.0])
    image = (Column("i", "tensor", shape=(4, 4)),)
    assert along(image, {"i": 3.0}, 0.0).shape == ()


def test_names_that_are_near():
    assert did_you_mean("incme", ["income", "age"]) == ": did you mean 'income'?"
    assert did_you_mean("x", []) == "."
