"""What holds for every column stage: run on each case by `tests/features/test_every_stage.py`."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

import prepkit as pk
from prepkit.core import ColumnStage
from prepkit.flow import Flow
from prepkit.storage import STAGES, flow_from_text, flow_to_text, stage_from_json, stage_to_json
from tests.parity.frames import in_small_chunks

N = 23
KINDS = {"remark": "text", "member": "boolean", "at": "datetime", "job": "categorical", "city": "categorical"}
Columns = dict[str, np.ndarray]


@functools.cache
def columns() -> Columns:
    """One of each kind, defects and all; no stage may write into them."""
    rng = np.random.default_rng(7)
    words = np.array(["cook", "smith", "baker", "", "naïve", "東京"], object)
    out: Columns = {
        "age": np.where(rng.random(N) < 0.2, np.nan, rng.normal(40, 10, N)),
        "pay": np.where(rng.random(N) < 0.2, np.inf, rng.lognormal(size=N)).astype(np.float32),
        "n": rng.integers(0, 1000, N),
        "member": np.array([None if i % 5 == 2 else i % 3 == 0 for i in range(N)], object),
        "job": words[rng.integers(0, 6, N)],
        "city": np.array(["Köln", None, "Rome"], object)[rng.integers(0, 3, N)],
        "remark": np.array([f"{words[i % 6]} was late {i}" if i % 4 else None for i in range(N)], object),
        "at": np.datetime64("2024-02-28T22:30:00") + rng.integers(-(10**9), 10**8, N).astype("m8[s]"),
        "signal": np.where(rng.random((N, 3)) < 0.2, np.nan, 1e6 + rng.normal(size=(N, 3))),
        "image": rng.integers(0, 256, (N, 2, 2, 3)).astype(np.uint8),
    }
    out["at"][3] = np.datetime64("NaT")
    for array in out.values():
        array.flags.writeable = False
    return out


@dataclass(frozen=True)
class Case:
    """A stage and the columns that it is tried on."""

    stage: ColumnStage[Any]
    names: tuple[str, ...] = tuple(n for n in columns() if n != "at")
    functions: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        settings = {k: v for k, v in stage_to_json(self.stage).items() if k != "stage"}
        return f"{type(self.stage).__name__}({', '.join(f'{k}={v}' for k, v in settings.items())})"


def ratio(x: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    return {"ratio": tf.cast(x["age"], tf.float32) / x["pay"], "initial": tf.strings.substr(x["job"], 0, 1)}


CASES = (
    Case(pk.Impute()),
    Case(pk.Impute("mean", "most_frequent", indicator=True)),
    Case(pk.Impute("most_frequent", "constant", fill_category="none", columns=["age", "c*", "job"])),
    Case(pk.Impute("constant", fill_value=-1.0)),
    Case(pk.Clip(quantiles=(0.1, 0.8), indicator=True)),
    Case(pk.Clip(low=0.5, columns=("pay", "n"))),
    Case(pk.Clip(iqr=0.5)),
    Case(pk.Rescale()),
    Case(pk.Rescale("minmax", clip=True)),
    Case(pk.Rescale("robust", per_channel=False)),
    Case(pk.Rescale("squash")),
    Case(pk.Rescale("unit", columns="image")),
    Case(pk.OneHot()),
    Case(pk.OneHot(max_categories=3, unseen="bucket", missing="zeros", columns="job")),
    Case(pk.Lookup()),
    Case(pk.Lookup(4, columns="city")),
    Case(pk.Hash(["job", "remark"], 8)),
    Case(pk.Hash("city", 8, "id")),
    Case(pk.Text(16)),
    Case(pk.Text(16, (1, 3), columns=("job", "remark"))),
    Case(pk.Datetime(), ("at", "age")),
    Case(pk.Datetime(("year", "day", "minute")), ("at", "n", "job")),
    Case(pk.Drop(("kind:numeric", "job"))),
    Case(pk.Select(("*age", "city"))),
    Case(pk.Map(ratio, columns=("age", "pay", "job")), functions={"ratio": ratio}),
)


def stages_tried() -> set[str]:
    """Of `STAGES`, the column stages for which there is a case."""
    tried = {type(case.stage) for case in CASES}
    return {name for name, (kind, _) in STAGES.items() if issubclass(kind, ColumnStage) and kind in tried}


def column_stages() -> set[str]:
    return {name for name, (kind, _) in STAGES.items() if issubclass(kind, ColumnStage)}


# -- the same, told in different ways ------------------------------------------------------------


def of(case: Case, rows: Any = slice(None)) -> Columns:
    return {name: columns()[name][rows] for name in case.names}


def tensors(data: Columns) -> dict[str, tf.Tensor]:
    """As a graph takes them: "" for a missing string, NaN for a missing number, seconds for a time."""
    out = {}
    for name, x in data.items():
        if name == "member":
            x = np.array([np.nan if v is None else float(v) for v in x], np.float32)
        elif x.dtype == object:
            x = np.array(["" if v is None else v for v in x], object)
        elif x.dtype.kind == "M":
            seconds = x.astype("M8[s]").astype(np.int64)
            x = np.where(np.isnat(x), np.nan, seconds.astype(np.float64))
        out[name] = tf.constant(x, tf.string if x.dtype == object else None)
    return out


def labels(n: int) -> np.ndarray:
    return np.arange(n) % 2


def fit(case: Case, data: Columns) -> pk.FittedPipeline:
    recipe = pk.Pipeline([case.stage], output="dict")
    return recipe.fit((data, labels(N)), kinds={k: v for k, v in KINDS.items() if k in data})


@functools.cache
def fitted(i: int) -> pk.FittedPipeline:
    return fit(CASES[i], of(CASES[i]))


def plain(features: Mapping[str, tf.Tensor]) -> Columns:
    return {name: np.asarray(x) for name, x in features.items()}


@functools.cache
def expected(i: int) -> Columns:
    """All rows at once, eagerly."""
    return plain(fitted(i).flow.features(tensors(of(CASES[i]))))


def assert_same(found: Columns, expected: Columns, rtol: float = 0.0, atol: float = 0.0) -> None:
    assert list(found) == list(expected)
    for name, x in expected.items():
        assert found[name].dtype == x.dtype, name
        if x.dtype == object:
            np.testing.assert_array_equal(found[name], x, name)
        else:
            np.testing.assert_allclose(found[name], x, rtol, atol, err_msg=name)


def concatenated(batches: Sequence[Columns]) -> Columns:
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


# -- the checks ----------------------------------------------------------------------------------


def check_batches_of_training_rows_do_not_matter(i: int) -> None:
    case = CASES[i]
    raw = {name: x.numpy() for name, x in tensors(of(case)).items()}
    ends = [0, 1, 2, 9, 16, 16, N]  # an empty batch among them

    def batches() -> Any:
        for start, end in itertools.pairwise(ends):
            yield {name: x[start:end] for name, x in raw.items()}, labels(N)[start:end]

    signature = {n: tf.TensorSpec((None, *x.shape[1:]), tf.as_dtype(x.dtype)) for n, x in raw.items()}
    dataset = tf.data.Dataset.from_generator(batches, output_signature=(signature, tf.TensorSpec((None,), tf.int64)))
    kinds = {k: v for k, v in KINDS.items() if k in raw}
    with in_small_chunks():
        streamed = pk.Pipeline([case.stage], output="dict").fit(dataset, kinds=kinds)
    assert_same(plain(streamed.flow.features(tensors(of(case)))), expected(i), 1e-5, 1e-6)


def check_order_of_training_rows_does_not_matter(i: int) -> None:
    order = np.random.default_rng(1).permutation(N)
    other = fit(CASES[i], of(CASES[i], order))
    assert_same(plain(other.flow.features(tensors(of(CASES[i])))), expected(i), 1e-5, 1e-6)


def check_order_of_columns_does_not_matter(i: int) -> None:
    case = CASES[i]
    backwards = dict(reversed(of(case).items()))
    assert_same(plain(fitted(i).flow.features(tensors(backwards))), expected(i))
    (from_frame,) = list(fitted(i).transform(backwards, batch_size=N).as_numpy_iterator())
    assert_same(plain(from_frame), expected(i), 1e-6, 1e-6)
    other = plain(fit(case, backwards).flow.features(tensors(of(case))))
    assert sorted(other) == sorted(expected(i))
    assert_same({name: other[name] for name in expected(i)}, expected(i))


def check_graph_is_the_same_as_eager(i: int) -> None:
    traced = tf.function(fitted(i).flow.features)
    assert_same(plain(traced(tensors(of(CASES[i])))), expected(i), 1e-6, 1e-6)


def check_storage_gives_the_same(i: int) -> None:
    flow = fitted(i).flow
    read = flow_from_text(flow_to_text(flow), CASES[i].functions)
    assert read.learned == tuple(flow.learned)
    assert read.specs == flow.specs
    assert_same(plain(read.features(tensors(of(CASES[i])))), expected(i))


def check_recipe_survives_json(i: int) -> None:
    stage = CASES[i].stage
    assert stage_from_json(stage_to_json(stage), CASES[i].functions) == stage


def check_rows_are_kept_in_order_one_by_one(i: int) -> None:
    case, flow = CASES[i], fitted(i).flow
    assert {len(x) for x in expected(i).values()} == {N}
    batches = [plain(x) for x in fitted(i).transform(of(case), batch_size=5).as_numpy_iterator()]
    assert [len(next(iter(b.values()))) for b in batches] == [5, 5, 5, 5, 3]
    assert_same(concatenated(batches), expected(i), 1e-6, 1e-6)
    for row in (0, 3, N - 1):
        alone = plain(flow.features(tensors(of(case, slice(row, row + 1)))))
        assert_same(alone, {name: x[row : row + 1] for name, x in expected(i).items()}, 1e-6, 1e-6)


def check_no_rows_in_no_rows_out(i: int) -> None:
    flow: Flow = fitted(i).flow
    nothing = tensors(of(CASES[i], slice(0)))
    for function in (flow.features, tf.function(flow.features)):
        found = plain(function(nothing))
        assert {name: (x.dtype, x.shape) for name, x in found.items()} == {
            name: (x.dtype, (0, *x.shape[1:])) for name, x in expected(i).items()
        }
    (batch,) = tf.data.Dataset.from_tensors(nothing).apply(fitted(i)).as_numpy_iterator()
    assert {len(x) for x in batch.values()} == {0}


def check_shapes_are_static_but_for_the_rows(i: int) -> None:
    element = fitted(i).transform(of(CASES[i]), batch_size=5).element_spec
    assert {n: s.shape.as_list() for n, s in element.items()} == {
        n: [None, *x.shape[1:]] for n, x in expected(i).items()
    }
    assert {n: s.dtype for n, s in element.items()} == {n: tf.as_dtype(x.dtype) for n, x in expected(i).items()}


def check_the_spec_says_what_comes_out(i: int) -> None:
    spec = fitted(i).flow.spec_out
    assert list(spec.names) == list(expected(i))
    assert {c.name: c.shape for c in spec.columns} == {n: x.shape[1:] for n, x in expected(i).items()}
    for column in spec.columns:
        assert len(column.feature_names()) == column.width
        assert set(column.sources) <= set(CASES[i].names)


CHECKS = {name.removeprefix("check_"): f for name, f in list(globals().items()) if name.startswith("check_")}
