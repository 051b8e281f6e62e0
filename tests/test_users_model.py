"""What a user's models are and say."""

from __future__ import annotations

import functools
import re
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from prepkit import users_model
from prepkit.users_model import Earlier, apart, from_logits, loss_of, shapes, told

SPARSE, BINARY = "sparse_categorical_crossentropy", "binary_crossentropy"


@pytest.mark.parametrize(
    "build, arguments",
    [
        (lambda: 0, 0),
        (lambda metadata: 0, 1),
        (lambda units=3: 0, 0),
        (lambda *, units=3: 0, 0),
        (lambda *metadata: 0, 0),
        (functools.partial(lambda m, units: 0, units=3), 1),
    ],
)
def test_only_one_argument_without_a_default_gets_it(build, arguments):
    assert users_model.arguments(build) == arguments


@pytest.mark.parametrize(
    "loss, told",
    [
        (SPARSE, False),
        (keras.losses.CategoricalCrossentropy(from_logits=True), True),
        (keras.losses.categorical_crossentropy, False),
        (functools.partial(keras.losses.binary_crossentropy, from_logits=True), True),
        ([keras.losses.BinaryCrossentropy(from_logits=True)], True),
        ({"out": BINARY}, False),
        (keras.losses.Hinge(), None),
        ("hinge", None),
        (lambda y, z, from_logits: z, None),
        (None, None),
    ],
)
def test_the_loss_tells_whether_outputs_are_logits(loss, told):
    assert from_logits(SimpleNamespace(loss=loss)) is told


def test_the_loss_of_one_output_is_found_in_a_list_or_dict():
    loss = keras.losses.CategoricalCrossentropy()
    assert loss_of(SimpleNamespace(loss=[loss])) is loss_of(SimpleNamespace(loss={"out": loss})) is loss
    assert loss_of(object()) is None and from_logits(object()) is None


def test_an_error_in_the_graph_is_told_by_its_reason():
    text = 'Graph execution error:\n\nDetected at node a/b defined at (most recent call last):\n  File "x.py", line 3\n'
    error = tf.errors.InvalidArgumentError(None, None, text + "\nReceived a label value of 2.\n\t [[{{node a/b}}]]")
    assert told(error) == "InvalidArgumentError: Received a label value of 2"


def test_earlier_models_are_known_by_what_they_train_and_not_kept():
    def dense(*parts):
        return keras.Sequential([keras.Input((2,)), *parts])

    shared, fixed = keras.layers.Dense(3, name="shared"), keras.layers.Dense(3, trainable=False)
    earlier, first = Earlier(), dense(shared, fixed)
    assert earlier.shared(first) == ""
    earlier.add(first)
    assert earlier.shared(first) == "the same model"
    assert re.fullmatch(r"a model that trains the same '[\w/]*shared/kernel'", earlier.shared(dense(shared)))
    assert earlier.shared(dense(keras.layers.Dense(3), fixed)) == ""


def test_what_is_seeded_apart_is_put_back():
    np.random.seed(5)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    with apart(3):
        first = np.random.random()  # noqa: NPY002
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    with apart(3):
        assert np.random.random() == first  # noqa: NPY002


def test_shapes_in_words():
    assert shapes({"a": np.zeros((2, 3), np.float32)}) == "{'a': float32 (2, 3)}"
    assert shapes([1, 2]) == "2 outputs" and shapes(None) == "a NoneType"
