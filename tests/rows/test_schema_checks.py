"""Parts of reading a check that `test_schema` does not name; it tests the whole."""

from __future__ import annotations

import re

import pandera.pandas as pa
import pytest

from prepkit.rows.schema_checks import about_strings, builtin_name, cells_of, checks_of, expanded, inline, numbered
from prepkit.spec import Column, Label


def test_texts_alike_are_numbered():
    assert numbered(["a", "b", "a", "a"]) == ["a", "b", "a (2)", "a (3)"]


def test_the_name_of_panderas_own_checks():
    assert builtin_name(pa.Check.ge(0, name="mine")) == "greater_than_or_equal_to"
    assert builtin_name(pa.Check(lambda s: s, name="isin")) is None


@pytest.mark.parametrize(
    "check, expected",
    [
        (pa.Check.str_length(3), True),
        (pa.Check.isin(["a", "b"]), True),
        (pa.Check.isin(["a", 1]), False),
        (pa.Check.isin([]), False),
        (pa.Check.eq("a"), True),
        (pa.Check.ne("a"), True),
        (pa.Check.notin(["a", "2024-01-01"]), True),
        (pa.Check.notin(["2024-01-01"]), False),
        (pa.Check.ge("a"), False),
        (pa.Check(lambda s: s), False),
    ],
)
def test_what_is_about_strings(check, expected):
    assert about_strings(check) is expected


def test_cells():
    columns = [
        Column("x", kind, dtype) for kind, dtype in (("numeric", "int8"), ("categorical", "string"), ("text", "string"))
    ]
    columns += [
        Column("x", "categorical", "int64"),
        Column("x", "datetime", "datetime"),
        Column("x", "tensor", shape=(2, 2)),
    ]
    assert [cells_of(c) for c in columns] == ["numbers", "strings", "strings", "categories", "times", "numbers"]
    assert [cells_of(Label("y", form)) for form in ("int", "string", "bool", "one_hot")] == [
        "numbers",
        "strings",
        "numbers",
        "numbers",
    ]


@pytest.mark.parametrize(
    "pattern, expected",
    [
        ("a", "a"),
        (re.compile("a"), "a"),
        (re.compile("a", re.I | re.S), "(?is)a"),
        (re.compile("a b", re.X | re.A), "(?ax)a b"),
    ],
)
def test_flags_in_front(pattern, expected):
    assert inline(pattern) == expected
    assert re.compile(inline(pattern)).flags == re.compile(pattern).flags


def test_columns_and_their_checks():
    a, b, c = pa.Check.ge(0), pa.Check.ge(0), pa.Check(lambda f: f)
    schema = pa.DataFrameSchema(
        {"x": pa.Column(checks=a), "[xz]$": pa.Column(checks=b, regex=True), "gone": pa.Column()}, checks=c
    )
    assert [name for name, _ in expanded(schema, ["z", "x", "x2"])] == ["x", "z", "x"]
    text = "greater_than_or_equal_to(0)"
    assert [found[:2] for found in checks_of(schema, ["z", "x", "x2"])] == [
        ("x", text),
        ("z", text),
        ("x", f"{text} (2)"),
        ("", "<lambda>"),
    ]
