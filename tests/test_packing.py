"""Rows on their way into batches: the same packed in numpy and in the graph, and finished as the model takes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pandera
import pytest
import tensorflow as tf

import prepkit as pk
from prepkit.packing import FINAL, Packing
from prepkit.source import as_source
from prepkit.spec import LABEL, WEIGHT

N = 40
RNG = np.random.default_rng(0)
DATA = pd.DataFrame(
    {
        "a": RNG.normal(size=N),
        "n": RNG.integers(0, 99, N),
        "job": RNG.choice(["cook", "smith"], N),
        "note": [f"remark {i}" for i in range(N)],
        "y": np.array(["no", "yes", "perhaps"], object)[np.arange(N) % 3],
    }
)
DATA.loc[5::9, "y"] = None
DATA.loc[7::9, "a"] = 99.0
UNLABELLED, REFUSED = DATA.index[5::9], DATA.index[7::9]
VALID = pk.Validate(
    pandera.DataFrameSchema({"a": pandera.Column(float, pandera.Check.lt(50))}), "drop", max_refused=1.0
)
STAGES = [pk.Rescale(columns=["a", "n"]), pk.Lookup(columns="job")]


def source(batch: int | None = None, weights: bool = False, data: pd.DataFrame = DATA) -> Any:
    x = {n: data[n].to_numpy(object if data[n].dtype.kind not in "biuf" else None) for n in data if n != "y"}
    y, w = data["y"], np.arange(len(data)) + 1.0
    if batch is None:
        return as_source((x, y, w) if weights else (x, y))
    parts = (x, y.fillna("").to_numpy(object), w)
    return as_source(tf.data.Dataset.from_tensor_slices(parts if weights else parts[:2]).batch(batch))


@pytest.fixture(scope="module")
def packing() -> Packing:
    recipe = pk.Pipeline([VALID, *STAGES], output="dict")
    return recipe.fit(DATA, "y", kinds={"note": "text"}).packing


def joined(parts: Any) -> dict[str, np.ndarray]:
    parts = list(parts)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def same(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> None:
    assert ours.keys() == theirs.keys()
    for name, x in ours.items():
        strings = [s.encode() if isinstance(s, str) else s for s in x.ravel()] if x.dtype == object else None
        np.testing.assert_array_equal(
            x if strings is None else strings, theirs[name].ravel() if strings else theirs[name]
        )


@pytest.mark.parametrize("batch", [7, 64])
def test_the_graph_packs_as_numpy_does(packing, batch):
    whole = joined(packing.packed(source(weights=True), strict=False))
    assert packing.in_graph(source(batch))
    same(whole, joined(packing.packed_stream(source(batch, weights=True), strict=False).as_numpy_iterator()))
    kept = DATA.drop(index=[*UNLABELLED, *REFUSED])
    assert whole[WEIGHT].tolist() == (kept.index + 1.0).tolist()
    assert whole[LABEL].tolist() == [["no", "perhaps", "yes"].index(y) for y in kept["y"]]


@pytest.mark.parametrize("batch", [None, 7])
def test_rows_that_do_not_go_on_are_there_with_their_numbers(packing, batch):
    parts = list(packing.training(source(batch, weights=True)))
    keep = np.concatenate([np.broadcast_to(keep, len(packed[LABEL])) for packed, keep in parts])
    packed = joined(packed for packed, _ in parts)
    assert np.flatnonzero(~keep).tolist() == sorted([*UNLABELLED, *REFUSED])
    assert packed[WEIGHT].tolist() == (DATA.index + 1.0).tolist()
    assert np.flatnonzero(packed[LABEL] < 0).tolist() == UNLABELLED.tolist()


@pytest.mark.parametrize("batch", [None, 7])
def test_where_labels_have_to_be_right_no_row_is_left_out(packing, batch):
    labelled = DATA.drop(index=UNLABELLED)
    given = source(batch, data=labelled)
    rows = packing.packed(given, strict=True) if batch is None else packing.packed_stream(given, strict=True)
    assert len(joined(rows if batch is None else rows.as_numpy_iterator())[LABEL]) == len(labelled)
    with pytest.raises((pk.PrepkitError, tf.errors.InvalidArgumentError), match="label .*y.* is missing"):
        list(packing.packed(source(), strict=True) if batch is None else packing.packed_stream(source(7), strict=True))


def test_a_signature_is_that_of_the_rows(packing):
    given = source(weights=True)
    (packed,) = packing.packed(given, strict=False)
    signature = packing.signature(given)
    assert signature.keys() == packed.keys()
    for name, x in packed.items():
        assert signature[name].shape.as_list() == [None, *x.shape[1:]], name
        assert signature[name].dtype == (tf.string if x.dtype == object else x.dtype), name
    images = as_source((np.zeros((6, 4, 4, 3), np.uint8), np.arange(6) % 2))
    packing = pk.Pipeline([pk.Rescale("unit")]).fit((np.zeros((6, 4, 4, 3), np.uint8), np.arange(6) % 2)).packing
    assert packing.signature(images)["tensor:x"] == tf.TensorSpec((None, 4, 4, 3), tf.uint8)


@pytest.mark.parametrize("output", ["dense", "dict"])
@pytest.mark.parametrize("labels", ["int", "one_hot"])
def test_blocks_that_all_stages_are_behind_are_finished_as_they_are(output, labels):
    """As rows that a sampler has made: no stage sees them again."""
    stages = [pk.Rescale(columns=["a", "n"])]
    stages += [pk.Lookup(columns="job")] if output == "dict" else [pk.Drop("note"), pk.OneHot()]
    fitted = pk.Pipeline(stages, output, labels).fit(DATA, "y", kinds={"note": "text"})
    packing = fitted.packing
    (rows,) = packing.packed(source(weights=True), strict=False)
    packed = {name: tf.constant(x) for name, x in rows.items()}
    blocks = {name: x for name, x in packed.items() if name not in (LABEL, WEIGHT)}
    final = packing.flow.blocks(blocks)
    ready = {FINAL + name: x for name, x in final.items()} | {LABEL: packed[LABEL]}
    whole, made = packing.finish(packed), packing.finish(ready)
    assert (len(whole), len(made)) == (3, 2)  # with weights, and without
    tf.nest.map_structure(np.testing.assert_array_equal, whole[:2], made)
    expected = packed[LABEL] if labels == "int" else np.eye(3)[rows[LABEL]]
    np.testing.assert_array_equal(made[1], expected)
    np.testing.assert_array_equal(whole[2], packed[WEIGHT])
    alone = packing.finish(blocks)
    tf.nest.map_structure(np.testing.assert_array_equal, alone, made[0])


def test_rows_are_numbered_across_chunks_in_messages(tmp_path, monkeypatch):
    labelled = DATA.drop(index=UNLABELLED).drop(columns="note").reset_index(drop=True)
    packing = pk.Pipeline([pk.OneHot()]).fit(labelled, "y").packing
    labelled.loc[[20, 25], "y"] = "never"
    labelled.to_parquet(tmp_path / "a.parquet", row_group_size=9)
    with pytest.raises(pk.PrepkitError, match="label 'y' is 'never', no class of .* the first of them row 20: drop"):
        list(packing.packed(as_source(tmp_path / "a.parquet", "y"), strict=True))
