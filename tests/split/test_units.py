"""Keys by which rows stay together: they are those of `Keys`, a piece at a time."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from prepkit.cleaning.keys import Keys
from prepkit.entry import Entry
from prepkit.source import as_source
from prepkit.source.reader import Reader, infer
from prepkit.split import units as units_module
from prepkit.split.units import Units, labels_of

N = 50
RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {"id": np.arange(N), "x": RNG.normal(size=N), "word": RNG.choice(["p", "q", ""], N), "g": RNG.integers(0, 9, N) / 2}
)
Y = RNG.integers(0, 2, N)


def read(data):
    source = as_source(data)
    (chunk,) = source.chunks()
    return chunk, infer(source, Reader(source).head, None, {})


@pytest.mark.parametrize("kind", ["frame", "matrix", "images"])
def test_keys_are_those_of_the_whole_however_small_the_pieces(kind, monkeypatch):
    x = {"frame": FRAME, "matrix": FRAME[["x", "g"]].to_numpy(), "images": RNG.normal(size=(N, 3, 3))}[kind]
    chunk, raw = read((x, Y))
    monkeypatch.setattr(units_module, "CHUNK", 16)
    features, groups = Units(raw, None).of(chunk)
    entry = Entry(raw, {})
    names = tuple(c.name for c in raw.columns if c.name != "id")
    np.testing.assert_array_equal(features, Keys(entry, names, labelled=False).of(entry.packed(chunk)))
    np.testing.assert_array_equal(features, groups)


@pytest.mark.parametrize("name", ["g", "word", "id"])
def test_a_group_is_known_by_its_cell_and_what_has_none_by_its_features(name):
    chunk, raw = read((FRAME, Y))
    entry, units = Entry(raw, {}), Units(raw, name)
    others = tuple(c.name for c in raw.columns if c.name not in ("id", name))
    packed = entry.packed(chunk)
    features = Keys(entry, others, labelled=False).of(packed)
    cell = Keys(entry, (name,), labelled=False).of(packed)
    expected = np.where(FRAME[name] == "", features, cell)
    assert (expected != cell).any() == (name == "word")
    found = units.of(chunk)
    np.testing.assert_array_equal(found[0], features)
    np.testing.assert_array_equal(found[1], expected)
    fresh = Units(raw, name)  # which has measured nothing in numpy before
    tensors = {n: tf.constant(FRAME[n].to_numpy(object if n == "word" else None)) for n in FRAME}
    dataset = tf.data.Dataset.from_tensors(tensors).map(fresh.in_graph)
    np.testing.assert_array_equal(next(dataset.as_numpy_iterator()), expected)


def test_labels_are_decoded_in_the_form_that_they_have():
    chunk, raw = read((FRAME, np.where(Y == 1, "yes ", "no.")))
    coded = labels_of(chunk, raw)
    assert [coded.values[c] for c in coded.codes] == ["yes" if y else "no" for y in Y]
