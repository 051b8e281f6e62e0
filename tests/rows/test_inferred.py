"""Which rules are inferred of which column."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from prepkit.rows.inferred import inferred, statistic_of
from prepkit.scan import Extremes, Lengths, Vocabulary
from prepkit.spec import Column


def told(column, measured, margin=0.1):
    return [rule.text for rule in inferred(column, {(column.series[0], statistic_of(column)): measured}, margin)]


@pytest.mark.parametrize(
    "low, high, text",
    [
        (10.0, 20.0, "in_range(9, 21)"),
        (0.5, 10.5, "in_range(0, 11.5)"),  # what is never negative stays so
        (-10.5, -0.5, "in_range(-11.5, 0)"),
        (-10.0, 10.0, "in_range(-12, 12)"),
        (3.0, 3.0, "in_range(3, 3)"),
    ],
)
def test_ranges_with_a_margin(low, high, text):
    assert told(Column("x", "numeric", "float64"), Extremes(low, high)) == ["dtype(float64)", "not_nullable", text]


def test_types_are_those_of_the_column_where_it_has_one():
    assert told(Column("n", "numeric", "int64"), Extremes(1, 2, missing=1))[0] == "dtype(int64)"
    assert told(Column("n", "numeric", "string"), Extremes(1, 2))[0] == "dtype(float64)"
    assert told(Column("b", "boolean", "bool"), Extremes(0, 1)) == ["dtype(bool)", "not_nullable"]


def test_times_are_in_whole_days():
    found = told(Column("at", "datetime", "datetime"), Extremes(86_400.0 * 19_723 + 5, 86_400.0 * 19_733))
    assert found[-1] == "in_range(2023-12-31, 2024-01-12)"
    assert told(Column("at", "datetime", "datetime"), Extremes(-1e15, 1e15))[-1] == "in_range(-1.2e+15, 1.2e+15)"


def test_categories_are_a_list_where_they_repeat():
    job = Column("job", "categorical", "string")
    assert told(job, Vocabulary(Counter(b=60, a=40)))[-1] == "isin(['a', 'b'])"
    assert told(job, Vocabulary(Counter(b=60, a=1)))[-1] == "str_length(1, 2)"  # others are to be expected
    assert told(job, Vocabulary(Counter({f"{i:03d}": 9 for i in range(101)})))[-1] == "str_length(1, 6)"
    assert len(told(job, Vocabulary(Counter({f"category {i:03d}": 9 for i in range(90)})))[-1]) == 200
    assert told(job, Vocabulary(Counter(), missing=9)) == ["dtype(string)"]


def test_texts_have_a_length():
    assert told(Column("remark", "text", "string"), Lengths(3, 50, 10))[-1] == "str_length(1, 100)"


def test_of_identifiers_only_that_they_are_there():
    column = Column("id", "numeric", "int64", role="identifier")
    assert told(column, Extremes(1, 1000)) == ["dtype(int64)", "not_nullable"]


def test_nothing_is_known_of_a_column_without_values():
    assert told(Column("x", "numeric", "float64"), Extremes(np.inf, -np.inf, missing=5)) == ["dtype(float64)"]


def test_channels_of_a_tensor_are_taken_together():
    column = Column("image", "tensor", "uint8", (4, 4, 2))
    known = {("image[0]", "extremes"): Extremes(0, 200), ("image[1]", "extremes"): Extremes(50, 250)}
    assert [rule.text for rule in inferred(column, known, 0.0)] == ["not_nullable", "in_range(0, 250)"]
    assert inferred(column, known, 0.1)[-1].text == "in_range(0, 255)"
