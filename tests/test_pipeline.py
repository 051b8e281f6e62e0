"""A recipe: frozen, comparable, printable, JSON both ways, and refused at once where it cannot work."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pytest
import tensorflow as tf
from imblearn.combine import SMOTETomek
from imblearn.over_sampling import SMOTE

import prepkit as pk
from prepkit.storage import STAGES


def doubled(x: dict[str, Any]) -> dict[str, Any]:
    return {name: 2.0 * value for name, value in x.items()}


SCHEMA = pa.DataFrameSchema({"a": pa.Column(float, pa.Check.in_range(0, 120)), "b": pa.Column(str, nullable=True)})

# Of each stage one with every setting other than the default.
STAGES_WITH_SETTINGS = {
    "Validate": pk.Validate(SCHEMA, "drop", {"a": "clip"}, False, 0.5, 0.2, reason="999 is no age"),
    "Impute": pk.Impute("constant", "constant", -1.5, "none", True, columns=["a", "b*"], reason="cells are missing"),
    "Clip": pk.Clip(quantiles=(0.01, 0.99), indicator=True, columns="kind:numeric", reason="tails"),
    "Rescale": pk.Rescale("unit", 100.0, True, False, columns=("a",), reason="pixels"),
    "OneHot": pk.OneHot(7, 0.02, "bucket", "zeros", columns=["c"], reason="categories"),
    "Lookup": pk.Lookup(9, columns="d", reason="for an embedding"),
    "Hash": pk.Hash("e", 32, "id", reason="many"),
    "Text": pk.Text(64, (1, 3), columns=["f"], reason="words"),
    "Datetime": pk.Datetime(("year", "minute"), columns="g", reason="times"),
    "Drop": pk.Drop(["h", "i*"], reason="no use"),
    "Select": pk.Select(["kind:text"], reason="of use"),
    "Map": pk.Map(doubled, "twice", columns=["a"], reason="louder"),
    "CleanLabels": pk.CleanLabels("drop", folds=3, id="i", max_share=0.2, confirmed={"a": 1}, reason="some are wrong"),
    "Rebalance": pk.Rebalance("class_weight", reason="rare classes"),
}


def test_each_stage_is_in_the_examples_above():
    assert STAGES_WITH_SETTINGS.keys() == STAGES.keys()
    assert len(STAGES) == 14


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_as_json_and_back(name):
    recipe = pk.Pipeline([STAGES_WITH_SETTINGS[name]])
    text = recipe.to_json()
    again = pk.Pipeline.from_json(text, functions={"twice": doubled})
    assert again == recipe
    assert hash(again) == hash(recipe)
    assert repr(again) == repr(recipe)
    assert again.stages[0].reason == recipe.stages[0].reason != ""
    assert again.to_json() == text


REBALANCES: dict[str, list[pk.Rebalance]] = {
    "weights": [pk.Rebalance(class_weight="effective", beta=0.99, as_sample_weight=True)],
    "given weights": [pk.Rebalance(class_weight={"yes": np.float32(2.5), "no": 1})],
    "oversample": [pk.Rebalance("oversample", sampling_strategy=0.5, balanced_batches=True)],
    "undersample": [pk.Rebalance("undersample", sampling_strategy="not minority")],
    "counts": [pk.Rebalance("oversample", sampling_strategy={np.int64(1): np.int64(90), 0: 95})],
    "sampler by name": [pk.Rebalance("SMOTE", sampling_strategy=0.5, params={"k_neighbors": 3}, fewer_neighbors=True)],
    "sampler as an object": [pk.Rebalance(SMOTE(sampling_strategy={"yes": 90}, k_neighbors=2, random_state=5))],
    "combination": [pk.Rebalance(SMOTETomek())],
    "both": [pk.Rebalance("undersample"), pk.Rebalance(class_weight="sqrt", with_resampling=True)],
}


@pytest.mark.parametrize("case", REBALANCES)
def test_every_way_to_rebalance_as_json_and_back(case):
    recipe = pk.Pipeline([pk.OneHot(), pk.CleanLabels(), *REBALANCES[case]])
    text = recipe.to_json()
    again = pk.Pipeline.from_json(text)
    assert again == recipe
    assert again.to_json() == text
    assert repr(again) == repr(recipe)
    assert hash(again) == hash(recipe)


def test_a_sampler_as_an_object_is_the_same_as_by_its_name():
    by_name = pk.Rebalance("SMOTE", sampling_strategy=0.5, params={"k_neighbors": 3})
    assert pk.Pipeline([pk.Rebalance(SMOTE(sampling_strategy=0.5, k_neighbors=3))]) == pk.Pipeline([by_name])


class Same:
    """A sampler of one's own."""

    def fit_resample(self, x: Any, y: Any) -> Any:
        return x, y


def test_a_sampler_of_ones_own_cannot_be_written_in_a_recipe():
    recipe = pk.Pipeline([pk.Rebalance(Same())])
    with pytest.raises(
        pk.PrepkitError, match="^Rebalance: the sampler Same is an object that cannot be written: use one"
    ):
        recipe.to_json()
    assert "Rebalance(kind=<" in repr(recipe)


def test_a_recipe_as_json_and_back():
    recipe = pk.Pipeline([s for n, s in STAGES_WITH_SETTINGS.items() if n not in ("Map", "Select")], "dict", "one_hot")
    again = pk.Pipeline.from_json(recipe.to_json())
    assert again == recipe
    assert [s.reason for s in again.stages] == [s.reason for s in recipe.stages]


def test_settings_are_written_out_lest_a_later_default_change_the_recipe():
    (stage,) = json.loads(pk.Pipeline([pk.Impute()]).to_json())["stages"]
    assert stage["numeric"] == "median"
    assert stage["indicator"] is False


def test_settings_from_numpy_are_numbers_in_json():
    recipe = pk.Pipeline([pk.Clip(low=np.float32(0.5)), pk.OneHot(max_categories=np.int64(9))])
    again = pk.Pipeline.from_json(recipe.to_json())
    assert (again.stages[0].low, again.stages[1].max_categories) == (0.5, 9)


def test_reasons_are_beside_the_point_when_recipes_are_compared():
    assert pk.Pipeline([pk.Impute(reason="because")]) == pk.Pipeline([pk.Impute()])
    assert pk.Pipeline([pk.Impute("mean")]) != pk.Pipeline([pk.Impute()])
    assert pk.Pipeline([pk.Impute()], output="dict") != pk.Pipeline([pk.Impute()])
    assert pk.Pipeline([pk.Drop(["a", "b"])]) == pk.Pipeline([pk.Drop(("a", "b"))])


def test_a_recipe_never_changes():
    recipe = pk.Pipeline([pk.Impute()])
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.output = "dict"
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.stages[0].numeric = "mean"
    stages = [pk.Impute()]
    recipe = pk.Pipeline(stages)
    stages.append(pk.Rescale())
    assert len(recipe.stages) == 1
    assert copy.deepcopy(recipe) == recipe
    assert pickle.loads(pickle.dumps(recipe)) == recipe


def test_repr_is_what_one_would_write_with_the_reasons():
    recipe = pk.Pipeline([pk.Impute("mean", reason="cells are missing"), pk.OneHot(), pk.Map(doubled, columns="a")])
    assert repr(recipe) == (
        "Pipeline([\n    Impute(numeric='mean'),  # cells are missing\n    OneHot(),\n"
        "    Map(columns='a', function=doubled, name='doubled'),\n])"
    )
    text = repr(pk.Pipeline([pk.Rescale("minmax"), pk.Drop("a*")], "dict", "one_hot"))
    assert eval(text, {name: getattr(pk, name) for name in pk.__all__}) == pk.Pipeline(
        [pk.Rescale("minmax"), pk.Drop("a*")], "dict", "one_hot"
    )


NO_RECIPES = [
    ("", "this is no recipe"),
    ("[]", "this is no recipe"),
    ("{}", "this is no recipe"),
    ('{"stages": "Impute"}', "this is no recipe"),
    ('{"stages": [3]}', "this is no recipe"),
    ('{"stages": ["Impute"]}', "this is no recipe"),
    ('{"stages": [{"stage": "Impute", "fill_category": 5}]}', "this is no recipe"),
    ('{"stages": [{"stage": "Rescale", "maximum": "five"}]}', "this is no recipe"),
    ('{"stages": [{}]}', "recipe names the stage None: there are Validate, Impute, Clip,"),
    ('{"stages": [{"stage": ["Impute"]}]}', "recipe names the stage .'Impute'.: there are"),
    ('{"stages": [{"stage": "Imput"}]}', "recipe names the stage 'Imput': there are"),
    ('{"stages": [{"stage": "Impute", "method": 1}]}', "Impute has no setting method: it has categorical, columns,"),
    ('{"stages": [{"stage": "Impute", "numeric": "mode"}]}', "Impute: numeric='mode': choose from"),
    (
        '{"stages": [{"stage": "Map", "name": "twice"}]}',
        "the recipe has Map 'twice', whose function is not saved: hand it over",
    ),
    ('{"stages": [{"stage": "Rebalance"}, {"stage": "Impute"}]}', r"in stage 2 of 2 \(Impute\): "),
    ('{"stages": [], "output": "matrix"}', "Pipeline: output='matrix': choose from"),
    ('{"stages": [], "labels": "string"}', "Pipeline: labels='string': choose from"),
]


@pytest.mark.parametrize("text, message", NO_RECIPES)
def test_json_that_is_no_recipe(text, message):
    with pytest.raises(pk.PrepkitError, match=f"^{message}"):
        pk.Pipeline.from_json(text)


def test_columns_chosen_by_a_function_are_not_saved():
    recipe = pk.Pipeline([pk.Drop(lambda c: c.role != "feature")])
    with pytest.raises(pk.PrepkitError, match="^Drop: columns is a function, and functions are not saved: "):
        recipe.to_json()


COMPOSITIONS = [
    ([pk.Rebalance(), pk.Impute()], r"in stage 2 of 2 \(Impute\): it changes columns and stands behind Rebalance"),
    ([pk.Rebalance(), pk.Impute(), pk.Rebalance()], r"in stage 2 of 3 \(Impute\): "),
    ([pk.Rebalance(), pk.CleanLabels()], r"in stage 2 of 2 \(CleanLabels\): it stands behind Rebalance"),
    ([pk.Rebalance(), pk.Rebalance()], r"in stage 2 of 2 \(Rebalance\): there is one already"),
    ([pk.Rebalance("oversample"), pk.Rebalance("SMOTE")], r"in stage 2 of 2 \(Rebalance\): there is one already"),
    ([pk.Rebalance(), pk.Rebalance("oversample")], r"in stage 2 of 2 \(Rebalance\): there is one already"),
    ([pk.CleanLabels(), pk.CleanLabels()], r"in stage 2 of 2 \(CleanLabels\): there is one already"),
    (
        [pk.Rebalance("oversample"), pk.Rebalance()],
        r"in stage 2 of 2 \(Rebalance\): classes are resampled already, .* twice: keep one .* with_resampling=True",
    ),
    ([pk.Rebalance("SMOTE"), pk.Rebalance()], r"in stage 2 of 2 \(Rebalance\): classes are resampled already"),
    (
        [pk.Rebalance("oversample"), *[pk.Rebalance(with_resampling=True)] * 2],
        r"in stage 3 of 3 \(Rebalance\): there is one already",
    ),
    (
        [pk.Rebalance("oversample"), pk.CleanLabels(), pk.Rebalance()],
        r"in stage 2 of 3 \(CleanLabels\): it stands behind Rebalance",
    ),
    ([pk.Drop("a"), pk.Impute(columns=["b", "a"])], r"in stage 2 of 2 \(Impute\): column 'a' .* has dropped it"),
    ([pk.OneHot(columns="a"), pk.Impute(columns="a")], r"in stage 2 of 2 \(Impute\): column 'a' .* has encoded it"),
    ([pk.Lookup(columns="a"), pk.OneHot(columns="a")], r"in stage 2 of 2 \(OneHot\): column 'a' .* has encoded it"),
    ([pk.Hash("a"), pk.Text(columns="a")], r"in stage 2 of 2 \(Text\): column 'a' .* has encoded it"),
    ([pk.Text(columns="a"), pk.Hash("a")], r"in stage 2 of 2 \(Hash\): column 'a' .* has encoded it"),
    ([pk.Datetime(columns="a"), pk.Impute(columns="a")], r"in stage 2 of 2 \(Impute\): column 'a' "),
    ([pk.Select(["a"]), pk.Rescale(columns="b")], r"in stage 2 of 2 \(Rescale\): column 'b' .* has not kept it"),
    ([pk.Impute(), "Rescale"], "in stage 2 of 2: 'Rescale' is no stage: give prepkit stages"),
    ([pk.Impute, pk.Rescale()], "in stage 1 of 2: .* is no stage: write it with parentheses"),
    ([None], "in stage 1 of 1: None is no stage"),
    ([[pk.Impute()]], "in stage 1 of 1: "),
    (pk.Impute(), r"Pipeline takes a list of stages"),
    (pk.Impute, r"Pipeline takes a list of stages"),
    (None, r"Pipeline takes a list of stages"),
    ("Impute", r"Pipeline takes a list of stages"),
]  # fmt: skip


@pytest.mark.parametrize("stages, message", COMPOSITIONS)
def test_a_composition_that_cannot_work_is_refused_when_it_is_made(stages, message):
    with pytest.raises(pk.PrepkitError, match=f"^{message}"):
        pk.Pipeline(stages)


def test_what_only_looks_wrong_is_not_refused():
    pk.Pipeline([])
    pk.Pipeline([pk.Drop("a"), pk.Map(doubled, columns="b"), pk.Impute(columns="b")])
    pk.Pipeline([pk.Drop("a*"), pk.Impute(columns="ab")])  # only the data can tell
    made = pk.Map(lambda x: {"a": x["b"]}, columns="b", name="renamed")
    pk.Pipeline([pk.Drop("a"), made, pk.Rescale(columns="a")])
    pk.Pipeline([pk.Select(["a"]), pk.Impute(indicator=True), pk.Drop("a is missing")])
    pk.Pipeline(pk.Impute() for _ in range(2))
    pk.Pipeline([pk.OneHot(), pk.CleanLabels(), pk.Rebalance("SMOTE"), pk.Rebalance(with_resampling=True)])


@pytest.mark.parametrize(
    "name", ["transform", "attach", "save", "metadata", "feature_names", "check_parity", "dataset"]
)
def test_a_recipe_has_nothing_of_what_is_fitted(name):
    with pytest.raises(AttributeError, match=f"has no '{name}': call fit or prepare first"):
        getattr(pk.Pipeline([]), name)


def test_a_recipe_cannot_be_applied_to_a_dataset():
    with pytest.raises(pk.PrepkitError, match="call fit first"):
        tf.data.Dataset.range(3).apply(pk.Pipeline([]))
    with pytest.raises(AttributeError, match="'Pipeline' object has no attribute 'stagess'"):
        _ = pk.Pipeline([]).stagess


def frame() -> pd.DataFrame:
    return pd.DataFrame({"a": [1.0, 2, 3, 4] * 5, "b": [5.0, 6, 7, 9] * 5, "c": list("xyxz") * 5, "y": [0, 1] * 10})


MISSING = {
    "no Impute": ([pk.Rescale(), pk.OneHot()], "{'a': 5}"),
    "Impute of others": ([pk.Impute(columns=["b", "c"]), pk.Rescale(), pk.OneHot()], "{'a': 5}"),
    "Impute only behind Datetime": ([pk.Impute(), pk.Datetime(), pk.OneHot()], "'at.elapsed'"),
}


@pytest.mark.parametrize("case", MISSING)
def test_prepare_refuses_missing_cells_that_no_stage_fills(case):
    stages, columns = MISSING[case]
    data = frame().assign(a=[np.nan, 2, 3, 4] * 5)
    if "Datetime" in case:
        data["at"] = pd.to_datetime(["2024-01-01", None] * 10)
    with pytest.raises(pk.PrepkitError, match=f"^missing cells would reach the model as NaN.*{columns}.*Impute"):
        pk.Pipeline(stages).prepare(data, "y")
    pk.Pipeline(stages).fit(data, "y")  # to look at the numbers is no mistake


def test_prepare_accepts_missing_cells_that_some_stage_deals_with():
    data = frame().assign(
        a=[np.nan, 2, 3, 4] * 5, c=[None, "x", "y", "z"] * 5, at=pd.to_datetime(["2024-01-01", None] * 10)
    )
    pk.Pipeline([pk.Drop(["a", "at"]), pk.OneHot()]).prepare(data, "y")
    pk.Pipeline([pk.Datetime(("month",)), pk.Impute(columns="a"), pk.OneHot()]).prepare(data, "y")
    pk.Pipeline([pk.Datetime(), pk.Impute(columns="kind:numeric"), pk.OneHot(missing="zeros")]).prepare(data, "y")
    x, _ = next(iter(pk.Pipeline([pk.Datetime(), pk.Impute(), pk.OneHot()]).prepare(data, "y").dataset))
    assert np.isfinite(x).all()


def test_prepare_refuses_missing_cells_of_images():
    x = np.random.default_rng(0).normal(size=(20, 4, 4, 2)).astype(np.float32)
    x[3, 1, 1, 0] = np.nan
    with pytest.raises(pk.PrepkitError, match="missing cells would reach the model"):
        pk.Pipeline([pk.Rescale()]).prepare((x, np.arange(20) % 2))
    prepared = pk.Pipeline([pk.Impute(), pk.Rescale()]).prepare((x, np.arange(20) % 2))
    assert np.isfinite(next(iter(prepared.dataset))[0]).all()


def test_output_and_labels_of_one_fit():
    recipe = pk.Pipeline([pk.Impute(), pk.OneHot()])
    fitted = recipe.fit(frame(), "y", output="dict", labels="one_hot")
    assert (fitted.recipe.output, fitted.recipe.labels) == ("dict", "one_hot")
    assert (recipe.output, recipe.labels) == ("dense", "int")
    x, y = fitted.transform(frame()).element_spec
    assert set(x) == {"a", "b", "c"}
    assert y.shape.as_list() == [None, 2]
    with pytest.raises(pk.PrepkitError, match="Pipeline: output='tensor'"):
        recipe.fit(frame(), "y", output="tensor")


@pytest.mark.parametrize("batch_size", [0, -1])
def test_batches_have_rows(batch_size):
    with pytest.raises(pk.PrepkitError, match=f"^batch_size={batch_size}: give 1 or more"):
        pk.Pipeline([pk.OneHot()]).prepare(frame(), "y", batch_size=batch_size)
    with pytest.raises(pk.PrepkitError, match=f"^batch_size={batch_size}: give 1 or more"):
        pk.Pipeline([pk.OneHot()]).fit(frame(), "y").transform(frame(), batch_size)


@pytest.mark.parametrize("setting", [{"seed": -1}, {"seed": 2**63}, {"seed": 1.5}, {"seed": None}, {"batch_size": 2.5}])
def test_seeds_and_batch_sizes_are_whole_numbers(setting):
    ((name, value),) = setting.items()
    with pytest.raises(pk.PrepkitError, match=f"^{name}={value}: give "):
        pk.Pipeline([pk.OneHot()]).prepare(frame(), "y", **setting)


def test_seeds_and_batch_sizes_may_come_from_numpy():
    metadata = pk.Pipeline([pk.OneHot()]).prepare(frame(), "y", batch_size=np.int64(8), seed=np.int32(3)).metadata
    assert (metadata.batch_size, metadata.seed) == (8, 3)
    assert pk.Metadata.from_json(metadata.to_json()) == metadata


def test_no_label():
    with pytest.raises(pk.PrepkitError, match="comes without labels: say label="):
        pk.Pipeline([pk.OneHot()]).fit(frame())
    with pytest.raises(pk.PrepkitError, match="label='z' is no column of DataFrame: "):
        pk.Pipeline([pk.OneHot()]).fit(frame(), "z")


def test_the_spec_of_one_fit_is_that_of_another():
    fitted = pk.Pipeline([pk.Impute(), pk.OneHot()]).fit(frame(), "y", kinds={"a": "categorical"})
    again = pk.Pipeline([pk.Impute(), pk.OneHot()]).fit(frame(), "y", spec=fitted.spec)
    assert again.feature_names == fitted.feature_names
    assert again.spec == fitted.spec
    unlabelled = dataclasses.replace(fitted.spec, label=None)
    with pytest.raises(pk.PrepkitError, match="the spec has no label"):
        pk.Pipeline([pk.OneHot()]).fit(frame(), "y", spec=unlabelled)


def test_a_column_that_cannot_go_into_the_matrix():
    for kind, fix in {"categorical": "OneHot", "text": "Text", "datetime": "Datetime"}.items():
        data = frame().assign(c=["2024-01-02", "2024-03-04"] * 10) if kind == "datetime" else frame()
        with pytest.raises(
            pk.PrepkitError, match=rf"^column 'c' \({kind}\) reaches the dense output.*{fix}\(\).*Drop\('c'\)"
        ):
            pk.Pipeline([pk.Impute()] if kind != "datetime" else []).fit(data, "y", kinds={"c": kind})


def test_a_reason_in_recommended_recipes_survives_json():
    recipe = pk.recommend(frame(), "y")
    again = pk.Pipeline.from_json(recipe.to_json())
    assert again == recipe
    assert all(s.reason for s in again.stages)
    assert [s.reason for s in again.stages] == [s.reason for s in recipe.stages]


def test_the_pipeline_of_what_was_prepared_by_itself(tmp_path):
    prepared = pk.Pipeline([pk.Rescale()]).prepare({"x": [1.0, 2.0], "y": [0, 1]}, label="y")
    prepared.save(tmp_path / "prepared")
    fitted = pk.load(tmp_path / "prepared", rows=False)
    assert isinstance(fitted, pk.FittedPipeline)
    assert fitted.metadata == prepared.metadata
    assert fitted.flow.learned == tuple(prepared.pipeline.flow.learned)
