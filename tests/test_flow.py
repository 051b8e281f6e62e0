"""Entry and stages as one function of tensors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import prepkit as pk
from prepkit.flow import Flow, check_output
from prepkit.spec import Column, Spec

N = 40


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "job": rng.choice(["cook", "smith"], N),
            "age": rng.integers(18, 90, N),
            "pay": rng.lognormal(7, 2, N),
            "small": rng.normal(0, 1, N).astype(np.float32),
            "member": rng.random(N) < 0.5,
            "town": rng.choice(["a", "b", "c"], N),
            "y": rng.integers(0, 2, N),
        }
    )


STAGES = [pk.Impute(), pk.Clip(quantiles=(0.1, 0.9)), pk.Rescale("standard"), pk.OneHot()]


@pytest.fixture(scope="module")
def dense(frame) -> pk.FittedPipeline:
    return pk.Pipeline(STAGES).fit(frame, "y")


@pytest.fixture(scope="module")
def by_column(frame) -> pk.FittedPipeline:
    return pk.Pipeline(STAGES, output="dict").fit(frame, "y")


def raw(frame: pd.DataFrame) -> dict[str, tf.Tensor]:
    return {n: tf.constant(frame[n].to_numpy(object if frame[n].dtype.kind not in "biuf" else None)) for n in frame}


def test_the_dense_matrix_has_the_columns_that_its_names_say(dense, by_column, frame):
    x, columns = dense.flow.features(raw(frame)), by_column.flow.features(raw(frame))
    assert x.shape == (N, len(dense.feature_names))
    assert x.dtype == tf.float32
    for name, values in zip(dense.feature_names, x.numpy().T, strict=True):
        source, _, category = name.partition("=")
        theirs = columns[source].numpy()
        if category:
            theirs = theirs[:, sorted(frame[source].unique()).index(category)]
            np.testing.assert_array_equal(values, frame[source] == category)
        np.testing.assert_array_equal(values, theirs)


def test_the_dict_has_a_tensor_for_each_column_in_their_order(by_column, frame):
    columns = by_column.flow.features(raw(frame))
    assert list(columns) == list(by_column.metadata.spec_out.names) == [n for n in frame if n != "y"]
    assert {n: (tuple(t.shape), t.dtype.name) for n, t in columns.items()} == {
        "job": ((N, 2), "float32"),
        "age": ((N,), "float32"),
        "pay": ((N,), "float32"),
        "small": ((N,), "float32"),
        "member": ((N,), "float32"),
        "town": ((N, 3), "float32"),
    }


def test_the_order_of_columns_and_others_besides_do_not_matter(dense, frame):
    features = raw(frame)
    backwards = dict(reversed(features.items())) | {"more": tf.zeros([N])}
    np.testing.assert_array_equal(dense.flow.features(backwards), dense.flow.features(features))


def test_batches_do_not_matter(dense, frame):
    whole = dense.flow.features(raw(frame)).numpy()
    for rows in ([0], [3, 4], list(range(7, 31))):
        part = dense.flow.features(raw(frame.iloc[rows]))
        np.testing.assert_array_equal(part, whole[rows])


@pytest.mark.parametrize("output", ["dense", "dict"])
def test_no_rows_are_rows_too(output, frame, dense, by_column):
    fitted = dense if output == "dense" else by_column
    out = fitted.flow.features(raw(frame.iloc[:0]))
    shapes = [out.shape] if output == "dense" else [t.shape for t in out.values()]
    assert all(s[0] == 0 for s in shapes)
    assert output == "dict" or shapes[0][1] == len(fitted.feature_names)


def test_the_graph_does_what_eager_does(dense, frame):
    features = raw(frame)
    np.testing.assert_array_equal(tf.function(dense.flow.features)(features), dense.flow.features(features))
    dataset = tf.data.Dataset.from_tensors(features).map(dense.flow.features)
    assert dataset.element_spec.shape.as_list()[1:] == [len(dense.feature_names)]
    np.testing.assert_array_equal(next(iter(dataset)), dense.flow.features(features))


def test_the_numpy_way_in_and_the_graph_agree(dense, frame):
    (theirs,) = (x for x, _ in dense.transform(frame, batch_size=N))
    np.testing.assert_array_equal(dense.flow.features(raw(frame)), theirs)


def test_there_is_nothing_in_the_graph_that_another_process_lacks(dense, frame):
    graph = tf.function(dense.flow.features).get_concrete_function(
        {n: tf.TensorSpec((None,), t.dtype) for n, t in raw(frame).items()}
    )
    operations = {op.type for op in graph.graph.get_operations()}
    assert not {o for o in operations if "PyFunc" in o}


def test_infinite_cells_are_missing(frame):
    fitted = pk.Pipeline([], output="dict").fit(frame[["pay", "small", "y"]], "y")
    features = {"pay": tf.constant([1.0, np.inf], tf.float64), "small": tf.constant([-np.inf, 2.0])}
    out = fitted.flow.features(features)
    np.testing.assert_array_equal(out["pay"], [1.0, np.nan])
    np.testing.assert_array_equal(out["small"], [np.nan, 2.0])


def test_one_array_needs_no_names():
    x = np.random.default_rng(0).normal(size=(30, 3))
    fitted = pk.Pipeline([pk.Rescale("minmax")]).fit((x, np.arange(30) % 2))
    out = fitted.flow.features(tf.constant(x))
    np.testing.assert_allclose(out, (x - x.min(0)) / np.ptp(x, 0), atol=1e-6)
    np.testing.assert_array_equal(fitted.flow.features(tf.constant(x, tf.float32)).shape, (30, 3))


def test_images_stay_images():
    x = np.random.default_rng(0).integers(0, 256, (30, 4, 5, 3)).astype(np.uint8)
    fitted = pk.Pipeline([pk.Rescale("unit")]).fit((x, np.arange(30) % 2))
    out = fitted.flow.features(tf.constant(x))
    assert out.dtype == tf.float32
    np.testing.assert_allclose(out, x / 255, rtol=1e-6)
    assert fitted.transform((x, np.arange(30) % 2)).element_spec[0].shape.as_list() == [None, 4, 5, 3]


def test_specs_go_from_the_raw_columns_to_the_features(dense):
    specs = dense.flow.specs
    assert len(specs) == len(STAGES) + 1
    assert specs[0] == dense.flow.entry.spec
    assert specs[-1] == dense.flow.spec_out == dense.metadata.spec_out


OUTPUTS = [
    ([("a", "numeric", ()), ("b", "boolean", ()), ("c", "encoded", (3,))], "dense", None),
    ([("a", "tensor", (3,)), ("b", "numeric", ())], "dense", None),
    ([("a", "tensor", (4, 4, 3))], "dense", None),
    ([("a", "tensor", (4, 4, 3)), ("b", "numeric", ())], "dense", "use output='dict'"),
    ([("a", "categorical", ())], "dense", r"add OneHot\(\)"),
    ([("a", "text", ())], "dense", r"add Text\(\)"),
    ([("a", "id", ())], "dense", "ids are no numbers"),
    ([("a", "datetime", ())], "dense", r"add Datetime\(\)"),
    ([("a", "datetime", ())], "dict", r"add Datetime\(\)"),
    ([("a", "tensor", (4, 4, 3)), ("b", "id", ()), ("c", "text", ()), ("d", "categorical", ())], "dict", None),
]


@pytest.mark.parametrize("columns, output, message", OUTPUTS)
def test_columns_that_cannot_go_out_are_refused_with_what_helps(columns, output, message):
    spec = Spec(tuple(Column(name, kind, shape=shape) for name, kind, shape in columns))
    if message is None:
        check_output(spec, output)
        return
    with pytest.raises(pk.PrepkitError, match=f"^column 'a' .* reaches the {output} output as it is: .*{message}"):
        check_output(spec, output)


def test_strings_may_go_into_a_dict(frame):
    fitted = pk.Pipeline([pk.Impute(categorical="constant", fill_category="none")], output="dict").fit(frame, "y")
    data = frame.assign(job=[None, *frame["job"][1:]])
    (out, _) = next(iter(fitted.transform(data, batch_size=N)))
    assert out["job"].dtype == tf.string
    assert out["job"].numpy().astype(str).tolist() == ["none", *frame["job"][1:]]


def test_a_flow_of_no_stages_is_the_entry(frame):
    fitted = pk.Pipeline([], output="dict").fit(frame, "y")
    flow = Flow(fitted.flow.entry, (), (), "dict")
    out = flow.features(raw(frame))
    np.testing.assert_array_equal(out["pay"], frame["pay"].astype(np.float32))
    assert out["job"].numpy().astype(str).tolist() == frame["job"].tolist()
