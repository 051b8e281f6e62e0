"""Blocks come apart into numbers and patterns, and together again as they were."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import prepkit as pk
from prepkit.balance.mixed import is_nominal, is_picture, mixed, placed, row_bytes
from prepkit.spec import Column, Spec


def onehot(codes, categories):
    return np.eye(categories, dtype=np.float32)[codes]


@st.composite
def frames(draw):
    """A spec of some of all the kinds that reach a sampler, interleaved, and blocks of it."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(1, 12))
    columns, blocks = [], {}

    def column(name, kind, block, values, **settings):
        columns.append(Column(name, kind, block=block, **settings))
        beside = [blocks[block]] if block in blocks else []
        blocks[block] = np.hstack([*beside, values if values.ndim > 1 else values[:, None]])

    for i in range(draw(st.integers(1, 6))):
        match draw(
            st.sampled_from(["numeric", "wide", "boolean", "id", "code", "string", "onehot", "cycle", "vector"])
        ):
            case "numeric":
                column(f"x{i}", "numeric", "float32", rng.normal(size=n).astype(np.float32))
            case "wide":
                column(f"x{i}", "numeric", "float64", rng.normal(size=n) * 1e9, dtype="float64")
            case "boolean":
                column(f"x{i}", "boolean", "float32", rng.integers(0, 2, n).astype(np.float32))
            case "id":
                column(f"x{i}", "id", "ids", rng.integers(0, 5, n).astype(np.int32), dtype="int32")
            case "code":
                column(f"x{i}", "categorical", "codes", rng.integers(-2, 3, n).astype(np.int32), dtype="int32")
            case "string":
                column(f"x{i}", "text", "strings", rng.choice(np.array([b"", b"a", b"b c"], object), n), dtype="string")
            case "onehot":
                categories = int(rng.integers(0, 4))
                values = onehot(rng.integers(0, max(categories, 1), n), categories) if categories else np.empty((n, 0))
                column(f"x{i}", "encoded", "onehot", values.astype(np.float32), shape=(categories,))
            case "cycle":
                angle = rng.integers(0, 12, n) * np.pi / 6
                values = np.stack([np.sin(angle), np.cos(angle)], 1).astype(np.float32)
                column(f"x{i}", "encoded", f"cycle:x{i}", values, shape=(2,))
            case "vector":
                column(f"x{i}", "tensor", f"tensor:x{i}", rng.normal(size=(n, 3)).astype(np.float32), shape=(3,))
    return Spec(tuple(columns)), blocks


def assert_equal(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, x in ours.items():
        np.testing.assert_array_equal(x, theirs[name], strict=True)


@given(frames())
def test_there_and_back(frame):
    spec, blocks = frame
    table = mixed(spec, blocks)
    assert_equal(table.made(table.numbers, table.codes), blocks)
    matrix = table.matrix(table.numbers, table.codes)
    assert matrix.dtype == np.float64 and matrix.shape == (len(table.numbers), table.width)
    numbers, codes = table.parted(matrix)
    np.testing.assert_array_equal(numbers, table.numbers)
    np.testing.assert_array_equal(codes, table.codes)


@given(frames())
def test_only_columns_with_distances_are_numbers(frame):
    spec, blocks = frame
    table = mixed(spec, blocks)
    columns = [c for _, c, _ in placed(spec)]
    assert table.numbers.shape[1] == sum(c.width for c in columns if c.kind in ("numeric", "tensor"))
    assert [p.column for p in table.patterns] == [c for c in columns if c.kind not in ("numeric", "tensor")]
    assert [p.column for p in table.patterns] == [c for c in columns if is_nominal(c)]


@given(frames())
def test_equal_rows_and_only_those_have_equal_patterns(frame):
    spec, blocks = frame
    table = mixed(spec, blocks)
    places = {c.name: (block, place) for block, c, place in placed(spec)}
    for pattern in table.patterns:
        block, place = places[pattern.column.name]
        cells = [tuple(row) for row in blocks[block][:, place].tolist()]
        assert len(pattern.rows) == len(set(cells))
        assert all(
            (cells[i] == cells[j]) == (a == b) for i, a in enumerate(pattern.codes) for j, b in enumerate(pattern.codes)
        )


def test_one_column_of_a_block_beside_another():
    spec = Spec(
        (
            Column("a", "numeric", block="float32"),
            Column("b", "encoded", shape=(3,), block="onehot"),
            Column("c", "boolean", block="float32"),
            Column("d", "encoded", shape=(2,), block="onehot"),
        )
    )
    blocks = {
        "float32": np.array([[0.5, 1], [1.5, 0], [2.5, 1]], np.float32),
        "onehot": np.array([[0, 1, 0, 1, 0], [1, 0, 0, 0, 1], [0, 0, 0, 1, 0]], np.float32),
    }
    table = mixed(spec, blocks)
    np.testing.assert_array_equal(table.numbers, [[0.5], [1.5], [2.5]])
    assert [p.column.name for p in table.patterns] == ["c", "b", "d"], "in the order of the blocks"
    np.testing.assert_array_equal(table.codes, [[1, 1, 0], [0, 0, 1], [1, 2, 0]])
    np.testing.assert_array_equal(table.matrix(table.numbers, table.codes), np.hstack(list(blocks.values())))
    made = table.made(np.array([[9.0]]), np.array([[0, 2, 1]]))
    np.testing.assert_array_equal(made["float32"], [[9, 0]])
    np.testing.assert_array_equal(made["onehot"], [[0, 0, 0, 0, 1]])


@given(st.lists(st.integers(0, 6), min_size=1, max_size=30))
def test_one_hot_columns_have_the_codes_that_they_were_made_of(codes):
    codes = np.array(codes)
    _, numbers = np.unique(codes, return_inverse=True)
    encoded = mixed(Spec((Column("a", "encoded", shape=(7,), block="onehot"),)), {"onehot": onehot(codes, 7)})
    coded = mixed(Spec((Column("a", "id", block="ids"),)), {"ids": codes[:, None].astype(np.int32)})
    np.testing.assert_array_equal(encoded.codes[:, 0], numbers)
    np.testing.assert_array_equal(coded.codes[:, 0], numbers)


def test_categories_are_side_by_side_as_columns_of_their_own():
    spec = Spec((Column("a", "categorical", block="codes"), Column("x", "numeric", block="float32")))
    table = mixed(spec, {"codes": np.array([[7], [-1], [7]], np.int32), "float32": np.ones((3, 1), np.float32)})
    np.testing.assert_array_equal(table.matrix(table.numbers, table.codes), [[0, 1, 1], [1, 0, 1], [0, 1, 1]])


def test_patterns_that_no_row_has():
    table = mixed(Spec((Column("a", "encoded", shape=(2,), block="onehot"),)), {"onehot": onehot([0, 1], 2)})
    _, codes = table.parted(np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 0.0], [-0.0, 1.0]]))
    np.testing.assert_array_equal(codes, [[0], [-1], [-1], [1]])


@given(st.sampled_from([np.nan, np.inf, -np.inf]), st.integers(0, 3), st.integers(0, 2))
def test_missing_numbers(value, place, row):
    names = ("x", "z", "b", "v")
    spec = Spec(
        (
            Column("x", "numeric", block="float32"),
            Column("b", "encoded", shape=(2,), block="onehot"),
            Column("z", "boolean", block="float32"),
            Column("v", "tensor", shape=(1,), block="tensor:v"),
        )
    )
    blocks = {
        "float32": np.zeros((3, 2), np.float32),
        "onehot": np.zeros((3, 2), np.float32),
        "tensor:v": np.zeros((3, 1), np.float32),
    }
    mixed(spec, blocks)
    block = ("float32", "float32", "onehot", "tensor:v")[place]
    blocks[block][row, place % 2 if place < 2 else 0] = value
    with pytest.raises(pk.PrepkitError, match=rf"columns \['{names[place]}'\] reach the sampler .*add Impute\(\)"):
        mixed(spec, blocks)


@pytest.mark.parametrize(
    "column, picture",
    [
        (Column("x", "numeric"), False),
        (Column("x", "encoded", shape=(3,)), False),
        (Column("x", "tensor", shape=(3,)), False),
        (Column("x", "tensor", shape=(3,), dtype="float64"), False),
        (Column("x", "tensor", shape=(3,), dtype="uint8"), True),
        (Column("x", "tensor", shape=(3, 3)), True),
        (Column("x", "tensor", shape=(3, 3, 1), dtype="uint8"), True),
    ],
)
def test_pictures(column, picture):
    assert is_picture(column) == picture


def test_rows_as_bytes():
    a, b, c, d = row_bytes(np.array([[0.0, 1.0], [-0.0, 1.0], [1.0, 0.0], [0.0, 1.0000000000000002]])).tolist()
    assert a == b and len({a, c, d}) == 3 and a < c
    assert len(row_bytes(np.empty((0, 2)))) == 0
