"""Whatever the data are, parts are sources like the whole; what cannot be parted is refused by name."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import prepkit as pk
from prepkit.source import Source, Table, as_source
from prepkit.source.reader import Reader, infer
from prepkit.split import Split, parted

N = 120
RNG = np.random.default_rng(0)
PAY, TOWN = RNG.normal(size=N), RNG.choice(["Rome", "Oslo", None], N)
Y = np.array(["no", "yes"])[RNG.integers(0, 2, N)]
FRAME = pd.DataFrame({"pay": PAY, "town": pd.Series(TOWN, dtype=object), "y": Y})
IMAGES = RNG.integers(0, 255, (N, 4, 4, 1)).astype(np.uint8)


def split_of(data, label=None, share=0.25, groups=None, seed=0) -> Split:
    source = as_source(data, label)
    return parted(source, infer(source, Reader(source).head, label, {}), share, groups, seed)


def content(source: Source) -> list[list[object]]:
    """Columns, label and weights as lists."""
    (chunk,) = source.chunks()
    columns = [*chunk.columns.values(), chunk.matrix, chunk.label, chunk.weight]
    return [c.tolist() if isinstance(c, np.ndarray) else c.to_pylist() for c in columns if c is not None]


TABLES = {
    "pandas": (FRAME, "y"),
    "categories": (FRAME.astype({"town": "category"}), "y"),
    "polars": (pl.DataFrame({"pay": PAY, "town": TOWN.tolist(), "y": Y}), "y"),
    "pieces": (pa.concat_tables([pa.Table.from_pandas(FRAME[i : i + 7]) for i in range(0, N, 7)]), "y"),
    "dict": ({"pay": PAY, "town": TOWN, "y": Y, "picture": IMAGES}, "y"),
    "arrays": ((RNG.normal(size=(N, 3)), Y), None),
    "weighted": ((RNG.normal(size=(N, 3)), Y, np.arange(N) + 1), None),
    "images": ((IMAGES, Y, np.arange(N) + 1), None),
    "strings": ((TOWN.astype(str).astype(object) + np.arange(N).astype(str), Y), None),
}


@pytest.mark.parametrize("kind", TABLES)
def test_parts_of_a_table_are_its_rows(kind):
    data, label = TABLES[kind]
    whole = as_source(data, label)
    split = split_of(data, label)
    assert split.rows is not None
    for rows, part in zip(split.rows, (split.train, split.validation), strict=True):
        assert isinstance(part, Table) and part.random_access
        assert (part.structure, part.label, part.n_rows) == (whole.structure, label, len(rows))
        assert content(part) == [[column[i] for i in rows] for column in content(whole)]
    assert abs(len(split.rows[1]) - 0.25 * N) <= 1


def test_what_is_learned_is_learned_from_training_rows_alone():
    town = np.where(np.arange(N) % 40 == 0, [f"only {i}" for i in range(N)], "Rome")
    frame = FRAME.assign(town=pd.Categorical(town))
    recipe = pk.Pipeline([pk.Impute(), pk.Rescale("standard"), pk.OneHot()])
    split = split_of(frame, "y", share=0.5)
    assert split.rows is not None
    train, held_out = split.rows
    ours, theirs = recipe.fit(split.train), recipe.fit(frame.iloc[train].assign(town=town[train]), "y")
    assert ours.feature_names == theirs.feature_names
    assert len([name for name in ours.feature_names if "only" in name]) < 3
    for part, rows in ((split.train, train), (split.validation, held_out)):
        for (x, y), (a, b) in zip(ours.transform(part), theirs.transform(frame.iloc[rows]), strict=True):
            np.testing.assert_array_equal(x, a)
            np.testing.assert_array_equal(y, b)


def test_the_data_stay_as_they_are():
    x, y = RNG.normal(size=(N, 2)), RNG.integers(0, 2, N)
    before = x.copy(), y.copy()
    split = split_of((x, y))
    for part in (split.train, split.validation):
        (chunk,) = part.chunks()
        assert chunk.matrix is not None
        chunk.matrix[:] = 7
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(y, before[1])


def test_parts_say_in_messages_which_they_are():
    split = split_of(FRAME, "y")
    assert (split.train.name, split.validation.name) == ("DataFrame (training rows)", "DataFrame (validation rows)")


# -- refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0, 1, 0.0, 1.0, -0.2, 30, True, np.nan, np.inf, "0.2", None, [0.2]])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(pk.PrepkitError) as caught:
        split_of(FRAME, "y", share=share)
    assert str(caught.value) == f"validation_split={share!r}: give the share of rows to validate by, such as 0.2."


def test_shares_of_other_types_are_shares():
    held_out = [split_of(FRAME, "y", share=share).rows[1] for share in (0.25, np.float32(0.25), np.float64(0.25))]
    assert held_out[0].tolist() == held_out[1].tolist() == held_out[2].tolist()


@pytest.mark.parametrize(
    "groups, said",
    [
        ("towm", "groups='towm' is no column of the data: did you mean 'town'?"),
        ("y", "groups='y' is the label: give the column that says which rows belong together."),
        (["town"], r"groups=\['town'\]: give the name of one column, as in groups='customer'."),
        (0, "groups=0: give the name of one column"),
        ("picture", "groups='picture' is a column of tensors: give one with a cell a row."),
    ],
)
def test_groups_that_are_no_column_are_refused(groups, said):
    with pytest.raises(pk.PrepkitError, match=said):
        split_of({"town": TOWN, "picture": IMAGES, "y": Y}, "y", groups=groups)


def test_a_column_of_a_matrix_can_say_the_group():
    x = np.stack([RNG.normal(size=N), np.arange(N) // 6 * 1.5], 1)
    split = split_of((x, Y), groups="x1")
    assert split.rows is not None
    train, held_out = (set(x[rows, 1]) for rows in split.rows)
    assert not train & held_out and len(held_out) in (4, 5, 6)
    with pytest.raises(pk.PrepkitError, match="groups='customer' is no column of the data: did you mean 'x0', 'x1'?"):
        split_of((x, Y), groups="customer")
