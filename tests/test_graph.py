"""Functions as graphs that TensorFlow traces no more often than there are types and shapes."""

from __future__ import annotations

import logging

import numpy as np

from prepkit.graph import Traced


def test_it_is_traced_once_for_each_type_and_shape_and_gives_what_the_function_gives():
    calls = []

    def total(batch):
        calls.append(1)
        return sum(batch.values())

    traced = Traced(total)
    for n in (1, 5, 3, 0):
        x = np.arange(n, dtype=np.float32)
        np.testing.assert_array_equal(traced({"a": x, "b": 2 * x}), 3 * x)
    assert len(calls) == 1
    assert traced({"a": np.ones((2, 3))}).shape == (2, 3)
    assert len(calls) == 2


def test_many_of_them_are_no_mishap(caplog):
    with caplog.at_level(logging.WARNING, "tensorflow"):
        for _ in range(8):
            Traced(lambda batch: batch["x"] + 1)({"x": np.ones(3)})
    assert not caplog.records
