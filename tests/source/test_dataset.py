"""A user's own tf.data.Dataset: rows or batches, x, (x, y) or (x, y, weight)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import prepkit as pk
from prepkit.source import as_source, dataset
from prepkit.source.dataset import TensorDataset, is_batched

N = 30
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 3)).astype(np.float32)
Y = RNG.integers(0, 2, N)
RECIPE = pk.Pipeline([pk.Impute(), pk.Rescale()])
slices = tf.data.Dataset.from_tensor_slices


def spec(*shape: int | None, dtype: Any = tf.float32) -> tf.TensorSpec:
    return tf.TensorSpec(shape, dtype)


SCALAR, TEXT = spec(), spec(dtype=tf.string)

# Elements as tf.data makes them; None where the shapes do not tell.
DETECTION = [
    # rows
    (SCALAR, False),
    ((SCALAR, SCALAR), False),
    ((spec(3), SCALAR), False),
    ((spec(None), SCALAR), False),  # a row of unknown length
    ((spec(28, 28, 1), SCALAR), False),
    ((spec(None, None, 3), SCALAR), False),
    ((spec(3), spec(2)), False),  # one-hot
    ((spec(28, 28, 1), spec(10)), False),
    ((spec(None, None, 3), spec(10)), False),
    ((spec(3), spec(1)), False),
    (({"a": SCALAR, "b": TEXT}, SCALAR), False),
    (({"a": SCALAR, "b": spec(8)}, SCALAR), False),
    (({"a": spec(8), "b": spec(8)}, SCALAR), False),
    ({"a": SCALAR, "b": spec(8)}, False),
    ((spec(3), SCALAR, SCALAR), False),
    ((spec(8), spec(8), SCALAR), False),
    # batches
    (spec(None), True),
    (spec(None, 3), True),
    ((spec(None, 3), spec(None)), True),
    ((spec(None, 3), spec(None, 1)), True),
    ((spec(None, 3), spec(None, 10)), True),
    ((spec(None, 28, 28, 1), spec(None)), True),
    ((spec(None, dtype=tf.string), spec(None)), True),
    (({"a": spec(None), "b": spec(None, 8)}, spec(None)), True),
    ({"a": spec(None), "b": spec(None)}, True),
    ((spec(None, 3), spec(None), spec(None)), True),
    # batches of fixed size, by drop_remainder=True
    ((spec(32, 3), spec(32, 1)), True),
    ((spec(32, 3), spec(32, 10)), True),
    ((spec(32, 28, 28, 1), spec(32, 10)), True),
    ((spec(32, 3), spec(32, dtype=tf.string)), True),
    ((spec(32, 3), spec(32), spec(32)), True),
    ({"a": spec(32), "b": spec(32)}, True),
    (({"a": spec(32), "b": spec(32)}, spec(32)), True),
    ((spec(0, 3), spec(0)), True),
    # as well the one as the other
    (spec(3), None),
    (spec(32, 3), None),
    ({"a": spec(32)}, None),
    (({"a": spec(32)}, spec(32)), None),
    ((spec(32), spec(32)), None),
    ((spec(32, 3), spec(32)), None),
    ((spec(32, 32, 3), spec(32)), None),
    (({"a": spec(32), "b": spec(32, 4)}, spec(32)), None),
    ((spec(1), spec(1)), None),
]


@pytest.mark.parametrize("element, batched", DETECTION, ids=str)
def test_rows_and_batches_are_told_apart_by_their_shapes(element, batched):
    if batched is not None:
        assert is_batched(element) is batched
        return
    with pytest.raises(
        pk.PrepkitError, match=r"may be rows or batches of \d+ rows: say which with batched=True or bat"
    ):
        is_batched(element)


def read(source: TensorDataset) -> dict[str, np.ndarray]:
    """All rows, and the label and weight, by name; a matrix as "x"."""
    parts: dict[str, list[np.ndarray]] = {}
    for chunk in source.chunks():
        columns = dict(chunk.columns) | ({} if chunk.matrix is None else {"x": chunk.matrix})
        columns |= {k: v for k, v in (("y", chunk.label), ("w", chunk.weight)) if v is not None}
        for name, values in columns.items():
            parts.setdefault(name, []).append(np.asarray(values))
    return {name: np.concatenate(values) for name, values in parts.items()}


@pytest.mark.parametrize("make", [lambda d: d, lambda d: d.batch(7), lambda d: d.batch(7).prefetch(1)])
@pytest.mark.parametrize("weighted", [False, True])
def test_all_rows_are_read_in_order(make, weighted):
    parts = (X, Y, np.arange(N)) if weighted else (X, Y)
    rows = read(as_source(make(slices(parts))))
    np.testing.assert_array_equal(rows["x"], X)
    np.testing.assert_array_equal(rows["y"], Y)
    assert (rows["w"].tolist() if weighted else rows.get("w")) == (list(range(N)) if weighted else None)


def test_batched_settles_what_the_shapes_do_not_tell():
    """Two features and one-hot labels of two classes: a row, or a batch of two."""
    rows = slices((X[:, :2], np.eye(2)[Y]))
    with pytest.raises(pk.PrepkitError, match=r"elements of shapes \(2,\), \(2,\) may be rows or batches of 2 rows"):
        RECIPE.fit(rows)
    assert RECIPE.fit(rows, batched=False).metadata.ledger.rows_in == N
    static = slices((X, Y)).batch(10, drop_remainder=True)
    with pytest.raises(
        pk.PrepkitError, match=r"elements of shapes \(10, 3\), \(10,\) may be rows or batches of 10 rows"
    ):
        RECIPE.fit(static)
    assert RECIPE.fit(static, batched=True).metadata.ledger.rows_in == N
    assert len(list(RECIPE.prepare(static, batched=True, batch_size=8).dataset)) == 4


def test_batched_that_cannot_be_is_refused():
    with pytest.raises(
        pk.PrepkitError, match=r"batched=True, but \['y'\] of the dataset are scalars: call dataset.batch"
    ):
        as_source(slices((X, Y)), batched=True)
    with pytest.raises(pk.PrepkitError, match=r"elements of the dataset have different shapes \(.*say batched=True if"):
        RECIPE.fit(slices((X, Y)).batch(4), batched=False)


def test_batches_without_rows_do_no_harm():
    def empty() -> tf.data.Dataset:
        return tf.data.Dataset.from_tensors((X[:0], Y[:0])).map(
            lambda x, y: (tf.ensure_shape(x, (None, 3)), tf.ensure_shape(y, (None,)))
        )

    some = slices((X, Y)).batch(8)
    mixed = empty().concatenate(some).concatenate(empty()).concatenate(empty()).concatenate(some).concatenate(empty())
    assert len(read(as_source(mixed))["y"]) == 2 * N
    prepared = RECIPE.prepare(mixed, batch_size=32)
    assert [len(y) for _, y in prepared.dataset] == [32, 28]
    assert sum(len(x) for x, _ in prepared.pipeline.transform(mixed)) == 2 * N
    for none in (empty(), slices((X[:0], Y[:0])), slices((X, Y)).filter(lambda x, y: y > 5)):
        with pytest.raises(pk.PrepkitError, match=r"tf.data.Dataset has no rows: nothing to prepare"):
            RECIPE.fit(none)


def test_a_dataset_of_unknown_size_is_counted():
    odd = slices((X, Y)).filter(lambda x, y: x[0] > 0)
    kept = int((X[:, 0] > 0).sum())
    prepared = RECIPE.prepare(odd, batch_size=4)
    assert prepared.metadata.ledger.trained == kept
    assert int(prepared.dataset.cardinality()) == -(-kept // 4) == len(list(prepared.dataset))


def test_types_arrive_as_numpy_has_them():
    rows = read(
        as_source(
            slices(
                {
                    "half": X[:, 0].astype(np.float16),
                    "brain": tf.cast(X[:, 0], tf.bfloat16),
                    "flag": X[:, 0] > 0,
                    "byte": np.arange(N, dtype=np.uint8),
                    "vector": X,
                    "column": X[:, :1],
                }
            )
        )
    )
    assert [str(a.dtype) for a in rows.values()] == ["float16", "float32", "bool", "uint8", "float32", "float32"]
    assert rows["vector"].shape == (N, 3)
    assert rows["column"].shape == (N,)


def test_strings_are_not_taken_for_declared_categories():
    """They are counted in the graph, and so come as a dictionary."""
    texts = np.array([f"{i} words that are never the same {i}" for i in range(N)])
    numbers = np.arange(N).astype(str)
    for x in (texts, {"a": texts}, {"a": texts[:, None]}):
        (column,) = pk.Pipeline([pk.Text()]).fit(slices((x, Y)).batch(8)).spec.columns
        assert column.kind == "text"
    (column,) = RECIPE.fit(slices(({"a": numbers}, Y))).spec.columns
    assert (column.kind, column.parse) == ("numeric", "number")


def test_memory_and_not_rows_bounds_a_chunk_of_images(monkeypatch):
    from prepkit.source import base

    monkeypatch.setattr(base, "CHUNK_BYTES", 4 * 16 * 16 * 3)
    images = slices((np.zeros((N, 16, 16, 3), np.uint8), Y))
    for data in (images, images.batch(8), images.batch(8, drop_remainder=True)):
        sizes = [len(chunk) for chunk in as_source(data, batched=None if data is images else True).chunks()]
        assert max(sizes) <= 4
    assert max(len(chunk) for chunk in as_source(slices((X, Y))).chunks()) == N


def endless() -> tf.data.Dataset:
    return slices((X, Y)).repeat()


def of_unknown_rank() -> tf.data.Dataset:
    return slices((X, Y)).map(lambda x, y: (tf.numpy_function(lambda a: a, [x], tf.float32), y))


def ragged() -> tf.data.Dataset:
    return slices(({"a": tf.ragged.constant([[1.0], [1.0, 2.0]] * 15)}, Y))


REFUSED = [
    (endless(), r"the dataset is infinite: fit on one epoch, as in dataset.take\(steps\)"),
    (of_unknown_rank(), "'x' of the dataset has unknown rank: give from_generator an output_signature, or call"),
    (slices(({"a": {"b": X}}, Y)), "'a' of the dataset is nested: give one dict of tensors"),
    (slices(((X, X), Y)), "'x' of the dataset is nested"),
    (slices(({"a": Y}, {"out": Y})), "'y' of the dataset is nested"),
    (slices((X, Y, Y, Y)), r"elements of 4 parts: give x, \(x, y\) or \(x, y, weight\)"),
    (
        slices(({"a": tf.sparse.from_dense(X)}, Y)),
        r"'a' of the dataset is sparse or ragged: .*by tf.sparse.to_dense\(x\)",
    ),
    (ragged(), r"'a' of the dataset is sparse or ragged: make it dense by x.to_tensor\(\) in a map"),
    (slices(({1: Y}, Y)), "1, the name of a feature of the dataset, is no string: rename it"),
    (slices(({}, Y)), r"the dataset has no features: give x, \(x, y\) or \(x, y, weight\)"),
    (slices(X).window(3), "'x' of the dataset is a DatasetSpec: give dense tensors"),
    (
        slices(({"a": np.array([["p", "q"]] * N)}, Y)),
        r"'a' of the dataset has strings of shape .* give one string a row",
    ),
    (slices((X, Y, -np.ones(N))), "the weight of row 0 of tf.data.Dataset is -1: give finite numbers, 0 or more"),
    (slices((X, Y, np.where(np.arange(N) == 9, np.nan, 1))), "the weight of row 9 of tf.data.Dataset is nan"),
    (slices({"a": X[:, 0]}), r"tf.data.Dataset comes without labels: say label='COLUMN', or give \(X, y\)"),
]


@pytest.mark.parametrize("data, message", REFUSED, ids=[m[:40] for _, m in REFUSED])
def test_what_no_stage_can_work_on_is_refused(data, message):
    with pytest.raises(pk.PrepkitError, match=message):
        RECIPE.fit(data)


def test_the_weights_of_later_chunks_have_the_number_of_their_row(monkeypatch):
    monkeypatch.setattr(dataset, "SCAN_BATCH", 4)
    data = slices((X, Y, np.where(np.arange(N) == 9, -1.0, 1)))
    with pytest.raises(pk.PrepkitError, match="the weight of row 9 of"):
        list(as_source(data).chunks())


def test_the_label_is_a_feature_or_beside_but_not_both():
    inside = slices({"a": X[:, 0], "y": Y})
    beside = slices(({"a": X[:, 0]}, Y))
    both = slices(({"a": X[:, 0], "y": Y}, Y))
    np.testing.assert_array_equal(read(as_source(inside, "y"))["y"], Y)
    np.testing.assert_array_equal(read(as_source(beside, "target"))["y"], Y)  # which it is called from now on
    with pytest.raises(pk.PrepkitError, match="label='y' is a feature, and y is given beside it: give one of the two"):
        as_source(both, "y")
    assert list(next(as_source(both).chunks()).columns) == ["a", "y"]  # a feature like any other, if not named
    with pytest.raises(pk.PrepkitError, match="label='z' is no column of tf.data.Dataset: choose one of 'a', 'y'"):
        as_source(inside, "z")
    with pytest.raises(pk.PrepkitError, match=r"label='y', but the dataset has tensors without names: give \(x, y\)"):
        as_source(slices(X).batch(4), "y")
    assert as_source(inside, "z", required=False).label is None


def test_errors_of_a_users_own_functions_are_left_as_they_are():
    broken = slices((X, Y)).map(lambda x, y: (tf.debugging.check_numerics(x / 0.0, "my own check"), y))
    with pytest.raises(tf.errors.InvalidArgumentError, match="my own check"):
        RECIPE.fit(broken)


def test_applying_a_pipeline_keeps_the_structure():
    fitted = RECIPE.fit((X, Y))
    rows = slices((X, Y, np.ones(N, np.float32)))
    for data in (rows, rows.batch(8)):
        x, y, w = data.apply(fitted).element_spec
        assert (x.shape.rank, y.shape.rank, w.shape.rank) == tuple(s.shape.rank for s in data.element_spec)
        assert (x.dtype, y.dtype, w.dtype) == (tf.float32, tf.int32, tf.float32)
    assert slices(X).apply(fitted).element_spec.shape == (3,)
    parts = [(x.ravel(), y) for x, y in slices((X, Y)).apply(fitted).as_numpy_iterator()]
    (x, y), *_ = fitted.transform((X, Y), batch_size=N).as_numpy_iterator()
    np.testing.assert_array_equal(np.stack([a for a, _ in parts]), x)
    np.testing.assert_array_equal(np.stack([b for _, b in parts]), y)
