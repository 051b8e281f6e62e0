"""Streams: a row is in the same part in every pass, order, batching and kind of stream, in numpy and in the graph."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import prepkit as pk
from prepkit.source import Source, as_source
from prepkit.source.dataset import TensorDataset
from prepkit.source.reader import Reader, infer
from prepkit.spec import Label, Spec
from prepkit.split import Split, parted
from prepkit.split.stream import Lot
from prepkit.split.units import Units

N = 500
RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "pay": RNG.normal(size=N).round(1),  # so that some rows are equal
        "small": RNG.integers(0, 3, N).astype(np.float32) / 2,
        "town": RNG.choice(["Rome", "Bärn", "", "?"], N),
        "flag": RNG.choice([True, False], N),
        "customer": RNG.choice([f"c{i}" for i in range(40)] + [""], N),
        "weight": np.arange(N) / 10 + 1,  # which row it is; no feature, where it is given as a weight
        "y": RNG.choice(["no", "yes", "?"], N, p=[0.6, 0.3, 0.1]),
    }
)
FEATURES = [name for name in FRAME if name not in ("weight", "y")]


def spec_of(source: Source, label=None) -> Spec:
    return infer(source, Reader(source).head, label, {})


RAW = spec_of(as_source(FRAME.drop(columns="weight"), "y"), "y")


def dataset_of(frame: pd.DataFrame) -> tf.data.Dataset:
    """Rows as (x, y, weight)."""
    x = {name: frame[name].to_numpy(object if frame[name].dtype == "str" else None) for name in FEATURES}
    y = frame["y"].to_numpy(object)
    return tf.data.Dataset.from_tensor_slices((x, y, frame["weight"].to_numpy()))


def weights(part: Source, **order) -> list[float]:
    """Which rows there are, by their weights."""
    found = [w for chunk in part.chunks(**order) for w in chunk.weight.tolist()]
    return sorted(found)


def expected(groups: str | None, share=0.3, seed=0) -> list[float]:
    """The validation rows, by what their hashes in numpy say."""
    (chunk,) = as_source(FRAME.drop(columns="weight"), "y").chunks()
    return FRAME["weight"][Lot(Units(RAW, groups), share, seed).held_out(chunk)].tolist()


def split_of(source: Source, groups=None, share=0.3, seed=0, raw=RAW) -> Split:
    split = parted(source, raw, share, groups, seed)
    assert split.rows is None
    return split


STREAMS = {
    "rows, shuffled each time": lambda d: (d.shuffle(N), False),
    "batches": lambda d: (d.batch(64), True),
    "small batches in another order": lambda d: (d.shuffle(N, seed=1).batch(3), True),
}


@pytest.mark.parametrize("how, groups", [*((how, None) for how in STREAMS), ("batches", "customer")])
def test_a_dataset_is_parted_in_the_graph_as_in_numpy_in_whatever_order_and_batches(how, groups):
    dataset, batched = STREAMS[how](dataset_of(FRAME))
    split = split_of(as_source(dataset, batched=batched), groups)
    held_out = expected(groups)
    assert 60 < len(held_out) < 190
    assert weights(split.validation) == held_out
    assert weights(split.train) == sorted(set(FRAME["weight"]) - set(held_out))
    assert isinstance(split.train, TensorDataset) and isinstance(split.validation, TensorDataset)
    assert [p.name for p in (split.train, split.validation)] == [
        f"tf.data.Dataset ({part} rows)" for part in ("training", "validation")
    ]
    assert split.train.dataset.element_spec[0].keys() == set(FEATURES)
    for _ in range(2):  # straight from the dataset, as it is trained on
        assert sorted(w for _, _, ws in split.validation.dataset for w in ws.numpy().tolist()) == held_out


@pytest.mark.parametrize("groups", [None, "customer"])
@pytest.mark.parametrize("kind", ["csv", "parquet", "npz"])
def test_files_are_parted_as_datasets_are(kind, groups, tmp_path, monkeypatch):
    monkeypatch.setattr("prepkit.source.files.chunk_rows", lambda row_bytes: 70)
    frame = FRAME.rename(columns={"weight": "number"})
    path = tmp_path / f"x.{kind}"
    if kind == "csv":
        frame.to_csv(path, index=False)
    elif kind == "parquet":
        frame.to_parquet(path, row_group_size=100)
    else:
        np.savez(path, **{name: frame[name].to_numpy(str if frame[name].dtype == "str" else None) for name in frame})
    source = as_source(str(path), "y")
    raw = spec_of(source, "y").with_columns(c for c in RAW.columns)  # without the number
    split = split_of(source, groups, raw=raw)
    held_out = expected(groups)
    for rng in (None, np.random.default_rng(0)):
        parts = [numbers(part, rng) for part in (split.validation, split.train)]
        assert [sorted(part) for part in parts] == [held_out, sorted(set(FRAME["weight"]) - set(held_out))]
        assert (parts[1] == sorted(parts[1])) == (rng is None or kind != "parquet")
    assert split.train.label == "y" and split.train.structure == "columns"


def numbers(part: Source, rng=None) -> list[float]:
    found = [np.asarray(chunk.columns["number"]).astype(float).tolist() for chunk in part.chunks(rng)]
    assert all(found)  # no empty chunk
    return [n for chunk in found for n in chunk]


def test_where_the_label_is_a_feature_of_the_dataset_it_stays_there():
    dataset = dataset_of(FRAME).map(lambda x, y, w: {**x, "y": y, "number": w}).batch(100)
    split = split_of(as_source(dataset, "y", batched=True))
    assert split.train.label == "y" and "y" in split.train.dataset.element_spec
    assert sorted(numbers(split.validation)) == expected(None)


@pytest.mark.parametrize("shape", [(3,), (4, 4, 1)])
def test_arrays_are_parted_by_all_that_they_hold(shape):
    x = np.random.default_rng(0).integers(0, 2, (400, *shape)).astype(np.float32)
    y = np.arange(400) % 2
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(32)
    source = as_source(dataset, batched=True)
    split = split_of(source, raw=spec_of(source), share=0.5)
    held_out, train = (
        {
            row.tobytes()
            for chunk in part.chunks()
            for row in (chunk.matrix if chunk.matrix is not None else chunk.columns["x"])
        }
        for part in (split.validation, split.train)
    )
    assert held_out and train and not held_out & train
    assert len(held_out | train) == len(np.unique(x.reshape(400, -1), axis=0))
    assert split.train.structure == "array"


FORMS = {
    "strings": (["a", "b", "nan", " ? ", ""], [True, True, False, False, False]),
    "floats": ([1.0, 2.0, np.nan], [True, True, False]),
    "integers": ([3, 4], [True, True]),
    "numbers as strings": (["1", "2.0", "None", "?"], [True, True, False, False]),
    "booleans": ([True, False], [True, True]),
    "one-hot": ([[1, 0], [0, 1], [0, 0], [1, 1]], [True, True, False, False]),
}


@pytest.mark.parametrize("form", FORMS)
def test_rows_without_a_label_are_for_training(form):
    values, known = FORMS[form]
    kinds = np.arange(200) % len(values)
    x = np.random.default_rng(0).normal(size=(200, 2)).astype(np.float32)
    y = np.array(values, object if isinstance(values[0], str) else None)[kinds]
    source = as_source(tf.data.Dataset.from_tensor_slices((x, y, np.arange(200.0))).batch(16), batched=True)
    label = {"numbers as strings": Label(None, "int"), "one-hot": Label(None, "one_hot", (0, 1))}.get(form)
    raw = infer(source, Reader(source).head, None, {}, labelled=label is None)
    raw = raw if label is None else Spec(raw.columns, label, raw.structure)
    split = split_of(source, share=0.5, raw=raw)
    (chunk,) = as_source((x, y, np.arange(200.0))).chunks()
    assert weights(split.validation) == np.flatnonzero(Lot(Units(raw, None), 0.5, 0).held_out(chunk)).tolist()
    labelled = np.array(known)[kinds]
    for part in (split.train, split.validation):
        rows = np.array(weights(part), int)
        assert labelled[rows].sum() > 0.3 * labelled.sum()
        assert (part is split.train and not labelled.all()) == (not labelled[rows].all())


def test_rows_whose_group_is_missing_are_on_their_own():
    alone = FRAME["customer"] == ""
    for part in (expected("customer"), expected(None)):
        assert 0 < FRAME["weight"][alone].isin(part).sum() < alone.sum()
    together = FRAME["weight"].isin(expected("customer"))[~alone & (FRAME["y"] != "?")]
    assert together.groupby(FRAME["customer"]).nunique().max() == 1
    numbers = FRAME.assign(customer=[np.nan if c == "" else float(c[1:]) for c in FRAME["customer"]])
    source = as_source(numbers.drop(columns="weight"), "y")
    (chunk,) = source.chunks()
    held_out = Lot(Units(spec_of(source, "y"), "customer"), 0.3, 0).held_out(chunk)
    assert 0 < held_out[alone].sum() < alone.sum()


# -- shares ------------------------------------------------------------------------------------------


SOURCE = as_source((np.arange(20_000, dtype=np.float64)[:, None] / 7, np.arange(20_000) % 2))
UNITS = Units(spec_of(SOURCE), None)


def held_out_of(share: float, seed: int) -> np.ndarray:
    (chunk,) = SOURCE.chunks()
    return Lot(UNITS, share, seed).chosen(chunk, KEYS)


KEYS = UNITS.of(next(SOURCE.chunks()))[1]


@pytest.mark.parametrize("share", [1e-4, 0.2, 0.5, 0.9999])
def test_shares_hold_on_average_and_seeds_are_independent(share):
    n, seeds = len(KEYS), 30
    found = np.stack([held_out_of(share, seed) for seed in range(seeds)])
    deviation = np.sqrt(share * (1 - share) / n)
    assert np.abs(found.mean(1) - share).max() < 4.5 * deviation
    if share in (0.2, 0.5):
        together = np.corrcoef(found.astype(float))[~np.eye(seeds, dtype=bool)]
        assert np.abs(together).max() < 4.5 / np.sqrt(n)


def test_a_larger_share_holds_out_the_same_rows_and_more():
    small, large = held_out_of(0.1, 0), held_out_of(0.3, 0)
    assert (small <= large).all() and small.sum() < large.sum()


# -- refused -----------------------------------------------------------------------------------------


def streamed(x, y) -> Source:
    return as_source(tf.data.Dataset.from_tensor_slices(({"x": x, "g": x}, y)), batched=False)


def refused(x, y, groups=None, share=0.2) -> str:
    source = streamed(x, y)
    raw = Spec(tuple(c for c in spec_of(source).columns), spec_of(source).label)
    with pytest.raises(pk.PrepkitError) as caught:
        parted(source, raw, share, groups, 0)
    return str(caught.value)


def test_a_part_without_rows_is_refused():
    x, y = np.arange(6) + 0.5, np.arange(6) % 2
    assert "leaves no validation row of tf.data.Dataset, of 6 rows: rows of a stream are drawn" in refused(
        x, y, share=1e-6
    )
    assert "validation_split=0.999999 leaves no training row" in refused(x, y, share=0.999999)
    unlabelled = np.where(np.arange(6) < 2, np.arange(6) % 2, np.nan)
    assert "leaves no validation row" in refused(x, unlabelled, share=0.01)


def test_one_group_is_refused():
    x, y = np.full(50, 1.5), np.arange(50) % 2
    assert "has one group in groups='g', in all 50 rows: there is nothing to part" in refused(x, y, "g")
    assert "tf.data.Dataset has one row, again and again, in all 50 rows" in refused(x, y)


def test_a_stream_is_read_no_further_than_until_both_parts_have_a_row():
    read = []

    def batches():
        for i in range(2000):
            read.append(i)
            yield (i + np.arange(512) / 512) / 3, np.arange(512) % 2

    signature = (tf.TensorSpec((None,), tf.float64), tf.TensorSpec((None,), tf.int64))
    source = as_source(tf.data.Dataset.from_generator(batches, output_signature=signature), batched=True)
    raw = spec_of(source)
    read.clear()
    split_of(source, raw=raw)
    assert 0 < len(read) < 1000  # of which 16 make a batch; some are read ahead


def test_nothing_in_the_graph_is_python():
    lot = Lot(Units(RAW, "customer"), 0.2, 0)
    x = {name: tf.TensorSpec((None,), spec.dtype) for name, spec in dataset_of(FRAME).element_spec[0].items()}
    graph = tf.function(lot.in_graph, autograph=False).get_concrete_function(x, tf.TensorSpec((None,), tf.string))
    operations = {op.type for op in graph.graph.get_operations()}
    assert operations and not {o for o in operations if "PyFunc" in o}


# -- at work -----------------------------------------------------------------------------------------


def test_parts_are_fitted_and_transformed_like_any_other_data():
    recipe = pk.Pipeline([pk.Impute(), pk.Rescale("standard")], output="dict")
    frame = FRAME.drop(columns=["customer", "town"])
    dataset = tf.data.Dataset.from_tensor_slices(
        ({n: frame[n].to_numpy() for n in ("pay", "small", "flag")}, frame["y"].to_numpy(object))
    ).batch(50)
    source = as_source(dataset, batched=True)
    split = split_of(source, raw=spec_of(source))
    fitted = recipe.fit(split.train)
    held_out = sum(len(y) for _, y in fitted.transform(split.validation))
    ledger = fitted.metadata.ledger
    assert held_out + ledger.rows_in == N and 80 < held_out < 200
    prepared = recipe.prepare(split.train)
    assert sum(len(y) for _, y in prepared.dataset) == ledger.trained == prepared.metadata.ledger.trained
