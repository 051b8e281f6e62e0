"""The rows to train on, gathered from chunks: which they are, which may not be parted, and what they hold."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

import prepkit as pk
from prepkit.cleaning.keys import Keys
from prepkit.cleaning.table import cells, gathered, keys_of, reaching
from prepkit.source import as_source
from prepkit.spec import LABEL, WEIGHT

N = 24


def frame():
    """Rows 0 and 20 hold the same but for their label; so do 1 and 21, their label too."""
    rng = np.random.default_rng(0)
    out = pd.DataFrame(
        {
            "x": rng.normal(size=N),
            "word": np.array(["p", "q", "r"], object)[np.arange(N) % 3],
            "who": [f"w{i:02}" for i in range(N)],
            "team": np.arange(N) // 4.0,
            "y": np.arange(N) % 2,
        }
    )
    out.loc[[20, 21], ["x", "word"]] = out.loc[[0, 1], ["x", "word"]].to_numpy()
    out.loc[20, "y"] = 1 - out.loc[0, "y"]
    out.loc[21, "y"] = out.loc[1, "y"]
    return out


def packed(data, flow, cuts=()):
    """Chunks that end at `cuts`, as a recipe packs them."""
    entry = flow.entry
    for start, end in itertools.pairwise([0, *cuts, len(data)]):
        part = data.iloc[start:end]
        (chunk,) = as_source(part.drop(columns="y").reset_index(drop=True), None, required=False).chunks()
        yield {**entry.packed(chunk), LABEL: part["y"].to_numpy(np.int32)}


def table(data, keep=None, cuts=(), weights=None, stage=None, stages=()):
    stage = stage or pk.CleanLabels()
    flow = pk.Pipeline([pk.Drop(["who", "team"]), *stages, pk.OneHot(), stage]).fit(data, "y").flow
    keep = np.ones(len(data), bool) if keep is None else keep
    parts = list(packed(data, flow, cuts))
    if weights is not None:
        parts = [{**part, WEIGHT: w} for part, w in zip(parts, np.split(weights, list(cuts)), strict=True)]
    return flow, gathered(zip(parts, np.split(keep, list(cuts)), strict=True), flow, stage)


@pytest.mark.parametrize("cuts", [(), (5,), (1, 5, 23)])
def test_rows_that_are_kept(cuts):
    data, keep = frame(), np.arange(N) % 5 != 3
    weights = np.arange(N, dtype=np.float32)
    _, found = table(data, keep, cuts, weights)
    assert (len(found), found.read) == (keep.sum(), N)
    np.testing.assert_array_equal(found.numbers, np.flatnonzero(keep))
    np.testing.assert_array_equal(found.labels, data["y"][keep])
    np.testing.assert_array_equal(found.weights, weights[keep])
    assert found.class_names == ("0", "1")
    assert found.ids is None
    assert set(found.blocks).isdisjoint((LABEL, WEIGHT))
    everything = np.arange(len(found))
    np.testing.assert_allclose(cells(found, found.spec["x"], everything), data["x"][keep])
    assert cells(found, found.spec["word"], everything).tolist() == data["word"][keep].tolist()


def test_rows_without_weights_have_none():
    assert table(frame())[1].weights is None


def test_rows_of_equal_features_are_alike_and_have_one_key_if_their_label_is_equal_too():
    flow, found = table(frame().assign(who="w", team=0.0))
    assert found.alike[0] == found.alike[20]
    assert found.alike[1] == found.alike[21]
    assert len(np.unique(found.alike)) == N - 2
    assert found.keys[0] != found.keys[20]
    assert found.keys[1] == found.keys[21]
    assert len(np.unique(found.keys)) == N - 1
    assert {c.name for c in reaching(flow)} == {"x", "word"}


def test_columns_that_are_dropped_tell_rows_apart_but_do_not_part_them():
    _, found = table(frame())
    assert found.alike[0] == found.alike[20]
    assert len(np.unique(found.keys)) == N


@pytest.mark.parametrize("name", ["team", "word"])
def test_groups_are_not_parted(name):
    data = frame()
    _, found = table(data, stage=pk.CleanLabels(groups=name))
    assert (pd.Series(found.alike).groupby(data[name]).nunique() == 1).all()
    assert found.alike[0] == found.alike[20]  # and by their features teams are joined to each other
    assert len(np.unique(found.alike)) == {"team": 5, "word": 3}[name]


def test_rows_without_a_group_are_groups_of_their_own():
    data = frame()
    data.loc[:9, "team"] = np.nan
    _, found = table(data, stage=pk.CleanLabels(groups="team"))
    assert len(np.unique(found.alike[2:10])) == 8


def test_an_id_names_rows():
    data = frame()
    flow, found = table(data, stage=pk.CleanLabels(id="who"))
    assert found.ids.tolist() == data["who"].tolist()
    rows = next(packed(data, flow))
    np.testing.assert_array_equal(found.keys, Keys(flow.entry, ("who",), labelled=False).of(rows))
    np.testing.assert_array_equal(keys_of(flow, pk.CleanLabels()).of(rows), Keys(flow.entry).of(rows))


@pytest.mark.parametrize(
    ("ids", "names"),
    [
        (np.arange(N), [str(i) for i in range(N)]),
        (np.arange(N) + 0.5, [f"{i}.5" for i in range(N)]),
        (-np.arange(N, dtype=np.int16), [str(-i) for i in range(N)]),
        ([f" {i} " for i in range(N)], [str(i) for i in range(N)]),
        ([f"ä{i}" for i in range(N)], [f"ä{i}" for i in range(N)]),
    ],
)
def test_ids_of_other_types(ids, names):
    _, found = table(frame().assign(who=ids), stage=pk.CleanLabels(id="who"))
    assert found.ids.tolist() == names


@pytest.mark.parametrize(
    ("ids", "told"),
    [
        (["w"] * N, r"id='who' does not name each row: 'w' is there 24 times, first in row 0"),
        ([f"w{max(i, 6)}" for i in range(N)], "'w6' is there 7 times, first in row 0"),
        ([f"w{min(i, 20)}" for i in range(N)], "'w20' is there 4 times, first in row 20"),
        ([None if i in (3, 7) else f"w{i}" for i in range(N)], "missing in 2 rows, the first of them row 3"),
        (np.where(np.arange(N) == 5, np.nan, np.arange(N)), "missing in 1 rows, the first of them row 5"),
    ],
)
def test_ids_that_are_none(ids, told):
    with pytest.raises(pk.PrepkitError, match=f"CleanLabels: .*{told}"):
        table(frame().assign(who=ids), stage=pk.CleanLabels(id="who"))


def test_ids_of_rows_that_are_left_out_do_not_matter():
    keep = np.arange(N) != 3
    _, found = table(
        frame().assign(who=["w2" if i == 3 else f"w{i}" for i in range(N)]), keep, stage=pk.CleanLabels(id="who")
    )
    assert len(found) == N - 1
    assert len(set(found.ids)) == N - 1


@pytest.mark.parametrize(("name", "hint"), [("id", ": did you mean 'who'"), ("groups", ": did you mean 'who'")])
def test_columns_that_are_not_there(name, hint):
    with pytest.raises(pk.PrepkitError, match=f"CleanLabels: {name}='whom' is no column of the data{hint}"):
        table(frame(), stage=pk.CleanLabels(**{name: "whom"}))


@pytest.mark.parametrize("name", ["id", "groups"])
def test_a_column_of_tensors_names_nothing(name):
    x = {"image": np.zeros((40, 2, 2, 1), np.float32), "a": np.arange(40.0)}
    recipe = pk.Pipeline([pk.CleanLabels("report", **{name: "image"})], output="dict")
    with pytest.raises(pk.PrepkitError, match=f"CleanLabels: {name}='image' is a column of tensors"):
        recipe.prepare((x, np.arange(40) % 2))


def test_cells_of_every_kind():
    x = {
        "whole": np.arange(6.0),
        "gaps": np.array([0, 1, np.nan, 3, np.inf, 5]),
        "parts": np.arange(6) + 0.25,
        "far": np.arange(6.0) * 2.0**60,
        "word": np.array(["p", None, "q", "p", "", "q"], object),
        "image": np.arange(24, dtype=np.uint8).reshape(6, 2, 2),
        "text": np.array(["a long story, told by one", "ä", None, "x", "y", "zz zz zz zz zz"], object),
    }
    recipe = pk.Pipeline([pk.Impute(), pk.OneHot(columns="word"), pk.CleanLabels()], output="dict")
    flow = recipe.fit((x, np.arange(6) % 2), kinds={"text": "text", "word": "categorical"}).flow
    (chunk,) = as_source((x, np.arange(6) % 2), None).chunks()
    rows = {**flow.entry.packed(chunk), LABEL: np.arange(6, dtype=np.int32) % 2}
    found = gathered([(rows, np.ones(6, bool))], flow, pk.CleanLabels())
    some = np.array([5, 0, 2])

    def of(name):
        return cells(found, found.spec[name], some)

    assert of("whole").tolist() == [5, 0, 2]
    assert of("whole").dtype == np.int64
    np.testing.assert_array_equal(of("gaps").astype(float), [5, 0, np.nan])
    assert of("parts").tolist() == [5.25, 0.25, 2.25]
    assert of("far").dtype.kind == "f"
    assert of("word").tolist() == ["q", "p", "q"]
    assert cells(found, found.spec["word"], np.array([1, 4])).tolist() == [None, None]
    np.testing.assert_array_equal(of("image"), x["image"][some])
    assert of("text").tolist() == ["zz zz zz zz zz", "a long story, told by one", None]
