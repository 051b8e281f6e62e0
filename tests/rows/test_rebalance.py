"""What Rebalance can be told, what it refuses, and what sampler objects become; what it does is in tests/balance."""

from __future__ import annotations

import importlib
import inspect

import imblearn.combine
import imblearn.over_sampling
import imblearn.under_sampling
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from imblearn import FunctionSampler
from imblearn.combine import SMOTEENN
from imblearn.over_sampling import ADASYN, SMOTE, SMOTENC, RandomOverSampler
from imblearn.under_sampling import RandomUnderSampler, TomekLinks
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import OneHotEncoder

import prepkit as pk
from prepkit.core import ColumnStage, TrainingStage
from prepkit.rows.rebalance import KINDS, MODULES, SAMPLERS, sampler_of

PACKAGES = (imblearn.over_sampling, imblearn.under_sampling, imblearn.combine)


def test_the_samplers_are_those_that_imbalanced_learn_has():
    assert {p.__name__: tuple(sorted(p.__all__)) for p in PACKAGES} == {m: tuple(n) for m, n in SAMPLERS.items()}
    assert all(hasattr(getattr(p, name), "fit_resample") for p in PACKAGES for name in p.__all__)


def test_it_touches_training_rows_only():
    assert issubclass(pk.Rebalance, TrainingStage)
    assert not issubclass(pk.Rebalance, ColumnStage)
    data = {"x": np.arange(8.0), "y": np.array([0] * 6 + [1] * 2)}
    with_it, without = pk.Pipeline([pk.Rebalance()]).fit(data, "y"), pk.Pipeline([]).fit(data, "y")
    assert with_it.transform(data).element_spec == without.transform(data).element_spec
    for a, b in zip(with_it.transform(data), without.transform(data), strict=True):
        for x, z in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, z)
    assert with_it.flow.feature_names == without.flow.feature_names
    assert with_it.metadata.class_weight == pytest.approx({0: 2 / 3, 1: 2.0})
    assert with_it.metadata.prior == without.metadata.prior


@pytest.mark.parametrize("kind", [*KINDS, "SMOTE", "<Mine>"])
def test_what_a_kind_does(kind):
    stage = pk.Rebalance(kind)
    does = (stage.resamples, stage.draws, stage.samples)
    expected = {"class_weight": (False, False, False), "SMOTE": (True, False, True), "<Mine>": (True, False, True)}
    assert does == expected.get(kind, (True, True, False))


@pytest.mark.parametrize("name", MODULES)
def test_a_sampler_is_the_same_by_its_name_and_as_an_object(name):
    made = getattr(importlib.import_module(MODULES[name]), name)
    settings = {"categorical_features": [0]} if name == "SMOTENC" else {}
    stage = pk.Rebalance(made(**settings))
    assert stage == pk.Rebalance(name) and stage.kind == name and stage.params is None
    again = sampler_of(stage)
    assert type(again) is made
    own = {k: v for k, v in again.get_params(deep=False).items() if k != "categorical_features"}
    assert own == {k: v for k, v in made(**settings).get_params(deep=False).items() if k in own}


@pytest.mark.parametrize(
    "sampler, stage",
    [
        (SMOTE(k_neighbors=3), pk.Rebalance("SMOTE", params={"k_neighbors": 3})),
        (SMOTE(k_neighbors=np.int64(3)), pk.Rebalance("SMOTE", params={"k_neighbors": 3})),
        (SMOTE(sampling_strategy=0.5), pk.Rebalance("SMOTE", sampling_strategy=0.5)),
        (SMOTE(sampling_strategy=np.float32(0.5)), pk.Rebalance("SMOTE", sampling_strategy=0.5)),
        (SMOTE(sampling_strategy={1: 50}), pk.Rebalance("SMOTE", sampling_strategy={"1": 50})),
        (SMOTENC([2, 3], random_state=7), pk.Rebalance("SMOTENC", params={"random_state": 7})),
        (ADASYN(n_neighbors=2), pk.Rebalance("ADASYN", params={"n_neighbors": 2})),
        (RandomUnderSampler(replacement=True), pk.Rebalance("RandomUnderSampler", params={"replacement": True})),
        (TomekLinks(sampling_strategy=["no"]), pk.Rebalance("TomekLinks", sampling_strategy=("no",))),
        (
            RandomOverSampler(shrinkage={1: 0.5}),
            pk.Rebalance("RandomOverSampler", params={"shrinkage": {"1": 0.5}}),
        ),
    ],
    ids=lambda case: repr(case)[:60],
)
def test_an_object_with_plain_settings_becomes_its_name(sampler, stage):
    ours = pk.Rebalance(sampler)
    assert ours == stage and hash(ours) == hash(stage)
    assert isinstance(ours.kind, str)
    assert pk.Pipeline.from_json(pk.Pipeline([ours]).to_json()) == pk.Pipeline([stage])


class SMOTELike(SMOTE):
    """A sampler that imbalanced-learn does not have."""


SMOTELike.__name__ = "SMOTE"


class Bare:
    """The least that a sampler has."""

    def fit_resample(self, X, y):
        return X, y


@pytest.mark.parametrize(
    "sampler",
    [
        SMOTE(k_neighbors=NearestNeighbors(n_neighbors=4)),
        SMOTE(sampling_strategy=lambda y: {1: 5}),
        SMOTENC([1], categorical_encoder=OneHotEncoder()),
        SMOTEENN(smote=SMOTE(k_neighbors=2)),
        SMOTELike(),
        FunctionSampler(),
        Bare(),
    ],
    ids=lambda sampler: type(sampler).__name__,
)
def test_other_objects_stay_what_they_are(sampler):
    stage = pk.Rebalance(sampler)
    assert stage.kind is sampler and sampler_of(stage) is sampler and stage.samples
    assert stage == pk.Rebalance(sampler)
    assert stage.sampler == type(sampler).__name__


@given(st.dictionaries(st.integers(-9, 9), st.integers(1, 99), min_size=1))
def test_classes_are_named_as_json_has_them(rows):
    stages = [
        pk.Rebalance("oversample", sampling_strategy=rows),
        pk.Rebalance("oversample", sampling_strategy={np.int64(k): np.int32(v) for k, v in rows.items()}),
        pk.Rebalance("oversample", sampling_strategy={str(k): float(v) for k, v in rows.items()}),
    ]
    assert stages[0] == stages[1] == stages[2]
    pipeline = pk.Pipeline([stages[1]])
    assert pk.Pipeline.from_json(pipeline.to_json()) == pipeline
    weights = pk.Pipeline([pk.Rebalance("class_weight", class_weight=rows)])
    assert pk.Pipeline.from_json(weights.to_json()) == weights


def test_a_sampler_that_was_not_saved_is_not_run():
    stage = pk.Rebalance("<FunctionSampler>")
    assert stage.sampler == "FunctionSampler"
    with pytest.raises(pk.PrepkitError, match="^Rebalance: the sampler FunctionSampler was not saved with the recipe"):
        sampler_of(stage)


@pytest.mark.parametrize("kind", ["oversampling", "", "weights", "smote"])
def test_unknown_kinds(kind):
    with pytest.raises(pk.PrepkitError, match=f"^Rebalance: kind={kind!r} is neither class_weight, oversample, under"):
        pk.Rebalance(kind)


def test_a_kind_that_is_nearly_one():
    with pytest.raises(pk.PrepkitError, match="did you mean 'oversample'"):
        pk.Rebalance("oversampel")


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"kind": None}, "kind=None is no sampler (it has no fit_resample): give one of class_weight"),
        ({"kind": SMOTE}, "is no sampler (write SMOTE()): give"),
        ({"kind": SMOTE(), "params": {"k_neighbors": 3}}, "of a sampler object are its own: set them there"),
        ({"kind": SMOTE(), "sampling_strategy": 0.5}, "of a sampler object are its own: set them there"),
        ({"kind": SMOTE(sampling_strategy=2)}, "sampling_strategy=2: give a ratio of smallest to largest class"),
        ({"kind": "SMOTE", "params": [3]}, "params=[3]: give a dict"),
        ({"kind": "SMOTE", "params": {"neighbors": 3}}, "SMOTE has no setting 'neighbors': did you mean 'k_neighbors'"),
        ({"kind": "SMOTENC", "params": {"categorical_features": [0]}}, "no setting 'categorical_features'"),
        ({"kind": "SMOTE", "params": {"sampling_strategy": 0.5}}, "is a setting of Rebalance itself: take it out of p"),
        ({"kind": "SMOTE", "class_weight": "sqrt"}, "class_weight is for kind 'class_weight', not for 'SMOTE': leave"),
        ({"kind": "SMOTE", "balanced_batches": True}, "balanced_batches is for kind 'oversample' or 'undersample'"),
        ({"kind": "oversample", "fewer_neighbors": True}, "fewer_neighbors is for kind a sampler, not for 'over"),
        ({"kind": "undersample", "params": {}}, "params is for kind a sampler, not for 'undersample': leave it out"),
        ({"kind": "oversample", "beta": 0.9}, "beta is for kind 'class_weight', not for 'oversample': leave it out"),
        ({"kind": "oversample", "as_sample_weight": True}, "as_sample_weight is for kind 'class_weight'"),
        ({"kind": "oversample", "with_resampling": True}, "with_resampling is for kind 'class_weight'"),
        ({"sampling_strategy": "all"}, "sampling_strategy is for resampling: for weights, set class_weight"),
        ({"as_sample_weight": 1}, "as_sample_weight=1: give True or False"),
        ({"class_weight": "square"}, "class_weight='square': choose from 'balanced', 'sqrt', 'effective'"),
        ({"class_weight": {0: 0.0}}, "class_weight of 0 is 0.0: give a finite number above 0; to leave a class out"),
        ({"class_weight": {0: float("nan")}}, "class_weight of 0 is nan: give"),
        ({"class_weight": {"no": -1}}, "class_weight of 'no' is -1: give"),
        ({"class_weight": {"no": "much"}}, "class_weight of 'no' is 'much': give"),
        ({"class_weight": {0: True}}, "class_weight of 0 is True: give"),
        ({"class_weight": {0: 1.0, "0": 2.0}}, "names a class twice: keep one of them"),
        ({"class_weight": "effective", "beta": 1.0}, "beta=1.0: give a number from 0 to below 1"),
        ({"class_weight": "effective", "beta": -0.1}, "beta=-0.1: give a number from 0 to below 1"),
        ({"class_weight": "effective", "beta": True}, "beta=True: give a number from 0 to below 1"),
        ({"kind": "oversample", "sampling_strategy": "majority"}, "oversample cannot aim at the majority class"),
        ({"kind": "undersample", "sampling_strategy": "minority"}, "undersample cannot aim at the minority class"),
        ({"kind": "oversample", "sampling_strategy": "most"}, "sampling_strategy='most': choose from 'auto', 'bal"),
        ({"kind": "oversample", "sampling_strategy": 0}, "sampling_strategy=0: give a ratio of smallest to largest"),
        ({"kind": "oversample", "sampling_strategy": 1.5}, "sampling_strategy=1.5: give a ratio"),
        ({"kind": "oversample", "sampling_strategy": float("nan")}, "sampling_strategy=nan: give a ratio"),
        ({"kind": "oversample", "sampling_strategy": True}, "sampling_strategy=True: give a ratio"),
        ({"kind": "oversample", "sampling_strategy": ["no"]}, "sampling_strategy=['no']: give a ratio"),
        ({"kind": "SMOTE", "sampling_strategy": -1}, "sampling_strategy=-1: give a ratio"),
        ({"kind": "oversample", "sampling_strategy": {0: 0}}, "sampling_strategy of 0 is 0: give a whole number of"),
        ({"kind": "oversample", "sampling_strategy": {0: 1.5}}, "sampling_strategy of 0 is 1.5: give a whole number"),
        ({"kind": "oversample", "sampling_strategy": {0: "5"}}, "sampling_strategy of 0 is '5': give a whole number"),
        ({"kind": "oversample", "sampling_strategy": {0: 5, "0": 6}}, "names a class twice: keep one of them"),
    ],
)  # fmt: skip
def test_errors(settings, message):
    with pytest.raises(pk.PrepkitError) as refused:
        pk.Rebalance(**settings)
    assert str(refused.value).startswith("Rebalance: ")
    assert message in str(refused.value)


def test_all_settings_but_the_kind_go_by_name():
    kinds = [p.kind for p in list(inspect.signature(pk.Rebalance).parameters.values())[1:]]
    assert set(kinds) == {inspect.Parameter.KEYWORD_ONLY}
