"""A sampler that is run is a copy, whose seeds and classes are set however deep they are."""

from __future__ import annotations

import numpy as np
import pytest
from imblearn.combine import SMOTEENN
from imblearn.over_sampling import SMOTE, KMeansSMOTE, RandomOverSampler
from imblearn.pipeline import Pipeline
from imblearn.under_sampling import TomekLinks
from sklearn.cluster import KMeans

import prepkit as pk
from prepkit.balance.copied import copied

NAMES = ("no", "yes")


def copy_of(kind, seed=7, **settings):
    return copied(pk.Rebalance(kind, **settings), NAMES, seed)


def test_seeds_are_set_where_there_are_none():
    assert copy_of("SMOTE").random_state == 7
    assert copy_of("SMOTE", -1).random_state == 2**32 - 1
    assert copy_of("SMOTE", params={"random_state": 0}).random_state == 0
    nested = SMOTEENN(smote=SMOTE(random_state=3), random_state=None)
    found = copy_of(nested)
    assert (found.random_state, found.smote.random_state) == (7, 3)
    assert (nested.random_state, nested.smote.random_state) == (None, 3)
    clusters = KMeansSMOTE(kmeans_estimator=KMeans(2))
    assert copy_of(clusters).kmeans_estimator.random_state == 7 and clusters.kmeans_estimator.random_state is None
    steps = Pipeline([("a", SMOTE()), ("b", TomekLinks())])
    assert copy_of(steps).named_steps["a"].random_state == 7 and steps.named_steps["a"].random_state is None


def test_a_random_state_of_ones_own_is_copied_with_all_it_has_drawn():
    state = np.random.RandomState(3)
    state.random(5)
    ours = copy_of(SMOTE(random_state=state)).random_state
    assert ours is not state and ours.random() == state.random()


def test_a_sampler_without_get_params_is_copied_too():
    class Bare:
        random_state = None

        def fit_resample(self, X, y):
            return X, y

    bare = Bare()
    assert copy_of(bare).random_state == 7 and bare.random_state is None
    bare.random_state = 5
    assert copy_of(bare).random_state == 5


@pytest.mark.parametrize(
    "kind, settings, expected",
    [
        ("SMOTE", {}, "auto"),
        ("SMOTE", {"sampling_strategy": "balanced"}, "auto"),
        ("SMOTE", {"sampling_strategy": "all"}, "all"),
        ("SMOTE", {"sampling_strategy": 0.5}, 0.5),
        ("SMOTE", {"sampling_strategy": {"yes": 9}}, {1: 9}),
        ("TomekLinks", {"sampling_strategy": ["yes", "no"]}, [1, 0]),
        (SMOTE(sampling_strategy={"yes": 9}, k_neighbors=KMeans), {}, {1: 9}),
    ],
    ids=str,
)
def test_classes_become_numbers(kind, settings, expected):
    assert copy_of(kind, **settings).sampling_strategy == expected


def test_classes_become_numbers_within():
    found = copy_of(Pipeline([("a", SMOTE(sampling_strategy={"yes": 9})), ("b", TomekLinks(sampling_strategy=["no"]))]))
    assert [step.sampling_strategy for step in found.named_steps.values()] == [{1: 9}, [0]]
    assert copy_of(RandomOverSampler(shrinkage={"yes": 0.5})).shrinkage == {1: 0.5}
    assert copy_of("RandomOverSampler", params={"shrinkage": {"no": 0.5}}).shrinkage == {0: 0.5}


def test_what_is_a_function_stays_one():
    def aim(y):
        return {1: 9}

    assert copy_of(SMOTE(sampling_strategy=aim)).sampling_strategy is aim


@pytest.mark.parametrize(
    "kind, settings",
    [
        ("SMOTE", {"sampling_strategy": {"maybe": 9}}),
        ("TomekLinks", {"sampling_strategy": ["maybe"]}),
        (Pipeline([("a", SMOTE(sampling_strategy={"maybe": 9}))]), {}),
        ("RandomOverSampler", {"params": {"shrinkage": {"maybe": 0.5}}}),
    ],
    ids=str,
)
def test_classes_that_do_not_exist(kind, settings):
    with pytest.raises(pk.PrepkitError, match="names the class 'maybe', which does not exist: there are 'no', 'yes'"):
        copy_of(kind, **settings)
