"""What a sampler is given, what is made of its result, and what is refused; numbers are in tests/parity."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from imblearn import FunctionSampler
from imblearn.combine import SMOTEENN, SMOTETomek
from imblearn.over_sampling import SMOTE, SMOTEN, SMOTENC, BorderlineSMOTE, RandomOverSampler
from imblearn.pipeline import Pipeline
from imblearn.under_sampling import EditedNearestNeighbours, InstanceHardnessThreshold, TomekLinks
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import OrdinalEncoder
from sklearn.tree import DecisionTreeClassifier

import prepkit as pk
from prepkit.balance import judge
from prepkit.balance.sampler import draw_by_sampler, makes_rows
from prepkit.rows.rebalance import MODULES
from prepkit.spec import Column, Spec

NAMES = ("no", "yes", "maybe")
NUMBERS_ONLY = ["ADASYN", "BorderlineSMOTE", "ClusterCentroids", "KMeansSMOTE", "SVMSMOTE"]
CHOOSING = sorted(n for n, m in MODULES.items() if m == "imblearn.under_sampling" and n != "ClusterCentroids")


def labels_of(*counts):
    return np.repeat(np.arange(len(counts)), counts).astype(np.int32)


def numbers(n, width=2, block="float32"):
    return tuple(Column(f"x{i}", "numeric", block, block=block) for i in range(width))


def gaussian(labels, width=2, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(len(labels), width)) + labels[:, None]).astype(np.float32)


def mixed_frame(labels, seed=0):
    """Two numbers, a boolean, a one-hot column with rows of none, a point on a circle, an id."""
    rng = np.random.default_rng(seed)
    n = len(labels)
    columns = (
        Column("x", "numeric", block="float32"),
        Column("flag", "boolean", block="float32"),
        Column("z", "numeric", "float64", block="float64"),
        Column("job", "encoded", shape=(3,), block="onehot"),
        Column("hour", "encoded", shape=(2,), block="cycle:hour"),
        Column("zip", "id", "int32", block="ids"),
    )
    angle = rng.integers(0, 24, n) * np.pi / 12
    blocks = {
        "float32": np.stack([rng.normal(size=n) + 3 * labels, rng.integers(0, 2, n)], 1).astype(np.float32),
        "float64": rng.normal(size=(n, 1)) + 3 * labels[:, None],
        "onehot": np.eye(4, 3, dtype=np.float32)[rng.integers(0, 4, n)],
        "cycle:hour": np.stack([np.sin(angle), np.cos(angle)], 1).astype(np.float32),
        "ids": rng.choice([2, 3, 40, 500], (n, 1)).astype(np.int32),
    }
    return Spec(columns), blocks


def stage_of(name):
    """With a quick estimator for the one that fits a forest by default."""
    tree = DecisionTreeClassifier(max_depth=2, random_state=0)
    return pk.Rebalance(InstanceHardnessThreshold(estimator=tree) if name == "InstanceHardnessThreshold" else name)


def draw(sampler, spec, blocks, labels, seed=0, **settings):
    stage = sampler if isinstance(sampler, pk.Rebalance) else pk.Rebalance(sampler, **settings)
    return draw_by_sampler(stage, spec, lambda: blocks, labels, NAMES[: labels.max() + 1], seed)


def drawn(sampler, labels, seed=0, width=2, **settings):
    spec = Spec(numbers(len(labels), width))
    return draw(sampler, spec, {"float32": gaussian(labels, width)}, labels, seed, **settings)


def never():
    raise AssertionError("what rows hold was asked for")


def assert_same(a, b):
    np.testing.assert_array_equal(a.rows, b.rows, strict=True)
    np.testing.assert_array_equal(a.labels, b.labels, strict=True)
    assert a.made.keys() == b.made.keys()
    for name, x in a.made.items():
        np.testing.assert_array_equal(x, b.made[name], strict=True)


# -- what comes out --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["RandomOverSampler", "RandomUnderSampler"])
def test_rows_are_chosen_at_random_without_looking_at_them(name):
    labels = labels_of(20, 5)
    spec = Spec((Column("x", "tensor", shape=(4, 4), block="tensor:x"), Column("t", "text", block="strings")))
    out = draw_by_sampler(pk.Rebalance(name), spec, never, labels, NAMES[:2], 0)
    assert np.bincount(out.labels).tolist() == ([20, 20] if name == "RandomOverSampler" else [5, 5])
    np.testing.assert_array_equal(labels[out.rows], out.labels)
    assert out.made == {} and out.rows.dtype == np.int64 and out.labels.dtype == np.int32


@pytest.mark.parametrize("name", ["SMOTE", "SMOTENC", "SMOTEN", "SMOTETomek", "SMOTEENN"])
@given(st.integers(0, 2**32 - 1))
def test_rows_that_are_made_hold_only_what_rows_hold_where_there_is_nothing_between(name, seed):
    labels = labels_of(30, 12)
    spec, blocks = mixed_frame(labels, seed)
    out = draw(name, spec, blocks, labels, seed)
    assert out.made.keys() == blocks.keys() and (out.rows < 0).any()
    for block, x in blocks.items():
        assert out.made[block].dtype == x.dtype
        assert out.made[block].shape == ((out.rows < 0).sum(), *x.shape[1:])
    for part in (
        lambda b: b["onehot"],
        lambda b: b["cycle:hour"],
        lambda b: b["ids"],
        lambda b: b["float32"][:, 1:],
    ):
        assert {tuple(r) for r in part(out.made).tolist()} <= {tuple(r) for r in part(blocks).tolist()}
    for part in (lambda b: b["float32"][:, 0], lambda b: b["float64"][:, 0]):
        minority = part(blocks)[labels == 1]
        assert ((part(out.made) >= minority.min()) & (part(out.made) <= minority.max())).all()
        assert len(np.setdiff1d(part(out.made), part(blocks))), "numbers are between those that there are"


def test_one_hot_columns_are_never_fractional_where_smote_itself_makes_them_so():
    labels = labels_of(100, 30)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(130, 1)).astype(np.float32)
    onehot = np.eye(5, dtype=np.float32)[rng.integers(0, 5, 130)]
    spec = Spec((Column("x", "numeric", block="float32"), Column("c", "encoded", shape=(5,), block="onehot")))
    theirs, _ = SMOTE(random_state=0).fit_resample(np.hstack([x, onehot]), labels)
    assert (theirs[130:, 1:].max(axis=1) < 1).mean() > 0.25
    made = draw(SMOTE(), spec, {"float32": x, "onehot": onehot}, labels).made["onehot"]
    np.testing.assert_array_equal(np.sort(made, axis=1), np.eye(1, 5, 4).repeat(70, axis=0)[:, np.argsort(range(5))])


def test_integer_codes_are_never_interpolated():
    labels = labels_of(40, 10)
    codes = np.random.default_rng(0).choice([3, 50, 1000], (50, 1)).astype(np.int32)
    x = gaussian(labels)
    theirs, _ = SMOTE(random_state=0).fit_resample(np.hstack([x, codes]), labels)
    assert not set(np.unique(theirs[:, 2])) <= {3, 50, 1000}
    spec = Spec((*numbers(50), Column("c", "categorical", "int32", block="codes")))
    made = draw("SMOTE", spec, {"float32": x, "codes": codes}, labels).made
    assert made["codes"].dtype == np.int32 and set(np.unique(made["codes"])) <= {3, 50, 1000}


def test_texts_and_strings_come_from_rows_too():
    labels = labels_of(40, 10)
    words = np.array([[f"word {i % 7}".encode()] for i in range(50)], object)
    spec = Spec((*numbers(50), Column("t", "text", "string", block="strings")))
    out = draw("SMOTE", spec, {"float32": gaussian(labels), "strings": words}, labels)
    assert out.made["strings"].dtype == object and set(out.made["strings"][:, 0]) <= set(words[:, 0])


def test_rows_that_were_there_keep_their_numbers():
    labels = labels_of(20, 8)[np.random.default_rng(0).permutation(28)]
    out = drawn("SMOTE", labels)
    assert out.rows.tolist() == [*range(28), *[-1] * 12]
    np.testing.assert_array_equal(out.labels, [*labels, *[1] * 12])


@pytest.mark.parametrize("name", ["SMOTETomek", "SMOTEENN"])
def test_what_is_cleaned_away_may_be_real_or_made(name):
    labels = labels_of(60, 20)
    out = drawn(name, labels)
    real = out.rows[out.rows >= 0]
    assert len(real) < 80 and len(set(real.tolist())) == len(real)
    assert 0 < (out.rows < 0).sum() < 40 and len(out.made["float32"]) == (out.rows < 0).sum()


@pytest.mark.parametrize("name", CHOOSING)
def test_images_are_chosen_by_what_they_show(name):
    labels = labels_of(30, 12)
    shape = (4, 3, 1)
    images = np.random.default_rng(0).integers(0, 9, (42, *shape)).astype(np.uint8)
    images[labels == 1] += 100
    images[:2] += 100  # two of the large class stand among the small one
    spec = Spec((Column("x", "tensor", "uint8", shape, block="tensor:x"),))
    out = draw(stage_of(name), spec, {"tensor:x": images}, labels)
    assert (out.rows >= 0).all() and out.made == {} and len(out.rows) < 42
    np.testing.assert_array_equal(labels[out.rows], out.labels)


def test_vectors_of_floats_are_numbers_side_by_side():
    labels = labels_of(20, 8)
    x = gaussian(labels, 3)
    vector = draw("SMOTE", Spec((Column("v", "tensor", shape=(3,), block="v"),)), {"v": x}, labels)
    columns = drawn("SMOTE", labels, width=3)
    np.testing.assert_array_equal(vector.made["v"], columns.made["float32"], strict=True)


@pytest.mark.parametrize("name", MODULES)
def test_equal_seeds_equal_rows_and_the_stage_stays_as_it_is(name):
    labels = labels_of(60, 25)
    stage = stage_of(name)
    before = repr(stage)
    a, b = drawn(stage, labels, 7), drawn(stage, labels, 7)
    assert_same(a, b)
    assert repr(stage) == before
    assert makes_rows(stage) == bool((a.rows < 0).any()) == bool(a.made)
    if name in ("RandomOverSampler", "RandomUnderSampler", "SMOTE"):
        other = drawn(stage, labels, 8)
        assert not np.array_equal(other.rows, a.rows) or not np.array_equal(other.made["float32"], a.made["float32"])


@pytest.mark.parametrize("seed", [0, 2**32 + 5, -1, 10**30])
def test_any_integer_is_a_seed(seed):
    labels = labels_of(20, 8)
    assert_same(drawn("SMOTE", labels, seed), drawn("SMOTE", labels, seed % 2**32))


def test_random_states_that_are_given_stay():
    labels = labels_of(20, 8)
    given_7 = drawn(SMOTE(random_state=7), labels, seed=1)
    assert_same(given_7, drawn("SMOTE", labels, seed=7))
    state = np.random.RandomState(3)
    before = state.get_state()[1].copy()
    stage = pk.Rebalance(SMOTE(random_state=state))
    assert_same(drawn(stage, labels), drawn(stage, labels))
    np.testing.assert_array_equal(state.get_state()[1], before)


def test_seeds_go_to_the_samplers_within():
    labels = labels_of(20, 8)
    nested = pk.Rebalance(SMOTETomek(smote=SMOTE(k_neighbors=3)))
    assert_same(drawn(nested, labels, 5), drawn(nested, labels, 5))
    assert nested.kind.smote.random_state is None, "the user's sampler is not changed"
    fixed = pk.Rebalance(SMOTETomek(smote=SMOTE(k_neighbors=3, random_state=5)))
    assert_same(drawn(nested, labels, 5), drawn(fixed, labels, 6))
    pipeline = pk.Rebalance(Pipeline([("smote", SMOTE()), ("links", TomekLinks())]))
    assert_same(drawn(pipeline, labels, 5), drawn(pipeline, labels, 5))


def test_a_sampler_without_get_params():
    class Bare:
        random_state = None

        def fit_resample(self, X, y):
            rows = np.random.default_rng(self.random_state).permutation(len(X))[:20]
            return X[rows], y[rows]

    bare, labels = Bare(), labels_of(20, 20)
    out = drawn(bare, labels, 5)
    assert out.rows.tolist() == np.random.default_rng(5).permutation(40)[:20].tolist()
    assert bare.random_state is None


@pytest.mark.parametrize(
    "stage, makes",
    [
        (pk.Rebalance("class_weight"), False),
        (pk.Rebalance("oversample"), False),
        (pk.Rebalance("<Mine>"), True),
        (pk.Rebalance(FunctionSampler()), True),
        (pk.Rebalance(RandomOverSampler(shrinkage=0.1)), True),
        (pk.Rebalance("RandomOverSampler", params={"shrinkage": {0: 1.0, 1: 0.0}}), True),
        (pk.Rebalance(RandomOverSampler(sampling_strategy=lambda y: {1: 9})), False),
        (pk.Rebalance(RandomOverSampler(sampling_strategy=lambda y: {1: 9}, shrinkage=1)), True),
        (pk.Rebalance(SMOTEENN(smote=SMOTE())), True),
        (pk.Rebalance(TomekLinks(sampling_strategy=["no"])), False),
    ],
    ids=lambda case: re.sub(" at 0x[0-9a-f]+", "", str(case)[:60]),
)
def test_whether_rows_are_made(stage, makes):
    assert makes_rows(stage) is makes


# -- what is asked for -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sampler, settings",
    [
        ("SMOTE", {"sampling_strategy": {"yes": 15}}),
        (SMOTE(sampling_strategy={"yes": 15}), {}),
        (SMOTE(sampling_strategy={"yes": 15}, k_neighbors=NearestNeighbors(n_neighbors=6)), {}),
        (SMOTE(sampling_strategy=lambda y: {1: 15}), {}),
        ("SMOTE", {"sampling_strategy": 0.75}),
        (Pipeline([("smote", SMOTE(sampling_strategy={"yes": 15}))]), {}),
    ],
    ids=["by name", "object", "neighbours", "function", "ratio", "pipeline"],
)
def test_classes_by_name(sampler, settings):
    out = drawn(sampler, labels_of(20, 8), **settings)
    assert np.bincount(out.labels).tolist() == [20, 15]


def test_balanced_is_auto():
    labels = labels_of(20, 8, 12)
    assert_same(drawn("SMOTE", labels, sampling_strategy="balanced"), drawn("SMOTE", labels))


def test_classes_that_are_cleaned_are_named():
    labels = labels_of(60, 20)
    out = drawn("TomekLinks", labels, sampling_strategy=["yes"])
    assert (out.labels == 0).sum() == 60 and (out.labels == 1).sum() < 20
    assert_same(out, drawn(TomekLinks(sampling_strategy=["yes"]), labels))


def test_shrinkage_by_class():
    labels = labels_of(20, 8)
    out = drawn("RandomOverSampler", labels, params={"shrinkage": {"yes": 0.5, "no": 0.0}})
    assert (out.rows < 0).sum() == 12 and out.made["float32"].dtype == np.float32
    assert_same(out, drawn(RandomOverSampler(shrinkage=0.5), labels))


def test_classes_without_rows_are_let_alone():
    spec, labels = Spec(numbers(28)), labels_of(20, 0, 8)
    out = draw_by_sampler(pk.Rebalance("SMOTE"), spec, lambda: {"float32": gaussian(labels)}, labels, NAMES, 0)
    assert np.bincount(out.labels, minlength=3).tolist() == [20, 0, 20]


@pytest.mark.parametrize("name", ["SMOTE", "ADASYN", "BorderlineSMOTE", "SVMSMOTE", "SMOTETomek"])
def test_too_few_rows_for_the_neighbours(name):
    labels = labels_of(30, 4)
    with pytest.raises(pk.PrepkitError) as refused:
        drawn(name, labels)
    message = str(refused.value)
    assert message.startswith(f"Rebalance: class 'yes' has 4 rows, too few for {name}, which looks at 5 neighbours")
    assert all(
        way in message for way in ("fewer_neighbors=True", "3 neighbours at most", "k_neighbors", "'oversample'")
    )
    out = drawn(name, labels, fewer_neighbors=True)
    assert f"{name} looks at 3 neighbours rather than 5" in out.note


def test_fewer_neighbours_are_as_many_as_there_are():
    labels = labels_of(30, 3)
    fewer = drawn("SMOTE", labels, fewer_neighbors=True)
    exactly = drawn("SMOTE", labels, params={"k_neighbors": 2})
    np.testing.assert_array_equal(fewer.made["float32"], exactly.made["float32"])
    assert exactly.note == ""
    objects = drawn(SMOTE(k_neighbors=NearestNeighbors(n_neighbors=9)), labels, fewer_neighbors=True)
    np.testing.assert_array_equal(fewer.made["float32"], objects.made["float32"])
    spec, blocks = mixed_frame(labels)
    assert "SMOTE looks at 2 neighbours" in draw("SMOTE", spec, blocks, labels, fewer_neighbors=True).note
    assert "SMOTENC is run rather than SMOTE" in draw("SMOTE", spec, blocks, labels, fewer_neighbors=True).note


def test_a_sampler_that_looks_at_all_classes_needs_no_neighbours_in_one():
    labels = labels_of(30, 3)
    theirs = BorderlineSMOTE(kind="borderline-2", random_state=0)
    _, y = theirs.fit_resample(gaussian(labels).astype(np.float64), labels)
    out = drawn("BorderlineSMOTE", labels, params={"kind": "borderline-2"})
    np.testing.assert_array_equal(out.labels, y)
    assert len(y) > 33


def test_classes_that_are_not_enlarged_need_no_neighbours():
    out = drawn("SMOTE", labels_of(30, 10, 2), sampling_strategy={"yes": 20})
    assert np.bincount(out.labels).tolist() == [30, 20, 2] and out.note == ""


@pytest.mark.parametrize("fewer_neighbors", [True, False])
def test_a_single_row_has_nothing_to_be_interpolated_with(fewer_neighbors):
    with pytest.raises(pk.PrepkitError, match="^Rebalance: class 'yes' has a single row, so that SMOTE has nothing"):
        drawn("SMOTE", labels_of(30, 1), fewer_neighbors=fewer_neighbors)


def test_three_rows_of_a_class_are_what_smote_itself_stumbles_on():
    with pytest.raises(ValueError, match="Expected n_neighbors <= n_samples_fit"):
        SMOTE().fit_resample(gaussian(labels_of(30, 3)), labels_of(30, 3))
    with pytest.raises(pk.PrepkitError, match="class 'yes' has 3 rows, too few"):
        drawn("SMOTE", labels_of(30, 3))
    with pytest.raises(ValueError, match="dim"):
        SMOTE().fit_resample(np.zeros((33, 2, 2)), labels_of(30, 3))


def test_a_border_that_is_not_there_is_told():
    labels = labels_of(30, 10)
    far = gaussian(labels) + 100 * labels[:, None].astype(np.float32)
    out = draw("BorderlineSMOTE", Spec(numbers(40)), {"float32": far}, labels)
    assert out.note == "BorderlineSMOTE has made no rows of 'yes'" and (out.rows >= 0).all()


def test_warnings_of_the_library_are_told():
    def warn(X, y):
        warnings.warn("mind this", UserWarning, stacklevel=1)
        warnings.warn("not this", DeprecationWarning, stacklevel=1)
        return X, y

    assert drawn(FunctionSampler(func=warn), labels_of(20, 8)).note == "mind this"


# -- samplers of the user's own ----------------------------------------------------------------------


def own(function):
    return FunctionSampler(func=function)


def test_rows_of_a_sampler_that_is_not_known_are_found_by_what_they_hold():
    x = np.array([[1.0], [2.0], [2.0], [3.0], [4.0]], np.float32)
    labels = np.array([0, 0, 0, 1, 1], np.int32)

    def function(X, y):
        return X[[4, 1, 2, 1, 3, 0]] + [[0], [0], [0], [0], [0], [0.5]], y[[4, 1, 2, 1, 3, 0]]

    out = draw(own(function), Spec(numbers(5, 1)), {"float32": x}, labels)
    assert out.rows.tolist() == [4, 1, 2, -1, 3, -1]
    assert out.labels.tolist() == [1, 0, 0, 0, 1, 0]
    np.testing.assert_array_equal(out.made["float32"], np.array([[2.0], [1.5]], np.float32), strict=True)


def test_indices_that_a_sampler_tells_are_taken_where_they_are_right():
    class Repeats:
        def fit_resample(self, X, y):
            self.sample_indices_ = np.array([0, 25, 25, 25])
            return X[self.sample_indices_] + self.moved, y[self.sample_indices_]

    sampler, labels = Repeats(), labels_of(20, 8)
    sampler.moved = 0
    assert drawn(sampler, labels).rows.tolist() == [0, 25, 25, 25]
    sampler.moved = 0.25
    assert drawn(sampler, labels).rows.tolist() == [-1, -1, -1, -1]


def test_a_sampler_of_ones_own_by_the_name_of_a_known_one():
    class RandomUnderSampler:
        def fit_resample(self, X, y):
            assert X.shape == (28, 2), "it may look at what rows hold"
            return X + 1, y

    stage = pk.Rebalance(RandomUnderSampler())
    assert makes_rows(stage)
    assert (drawn(stage, labels_of(20, 8)).rows == -1).all()


def test_the_encoder_of_categories_is_kept_for_the_sampler_that_it_was_given_to():
    class Encoder(OrdinalEncoder):
        used = 0

        def fit_transform(self, X, y=None):
            Encoder.used += 1
            return super().fit_transform(X)

    labels = labels_of(20, 8)
    codes = np.random.default_rng(0).integers(0, 3, (28, 2)).astype(np.int32)
    spec = Spec((Column("a", "id", "int32", block="ids"), Column("b", "id", "int32", block="ids")))
    out = draw(SMOTEN(Encoder(dtype=np.int32)), spec, {"ids": codes}, labels)
    assert Encoder.used == 1
    assert_same(out, draw("SMOTEN", spec, {"ids": codes}, labels))
    draw(SMOTEN(Encoder(dtype=np.int32)), *mixed_frame(labels), labels)
    assert Encoder.used == 1, "SMOTENC needs another one"


def test_a_pipeline_of_samplers():
    labels = labels_of(40, 10)
    out = drawn(Pipeline([("smote", SMOTE()), ("enn", EditedNearestNeighbours())]), labels)
    assert_same(out, drawn(SMOTEENN(enn=EditedNearestNeighbours()), labels))


def test_sparse_and_other_results_are_taken():
    from scipy.sparse import csr_matrix

    labels = labels_of(20, 8)
    out = drawn(own(lambda X, y: (csr_matrix(X[::2]), y[::2].tolist())), labels)
    assert out.rows.tolist() == list(range(0, 28, 2))


def test_a_sampler_of_ones_own_sees_categories_as_columns():
    labels = labels_of(20, 8)
    spec, blocks = mixed_frame(labels)
    seen = []

    def function(X, y):
        seen.append(X.shape)
        return np.vstack([X, X[-1:]]), np.append(y, 1)

    out = draw(own(function), spec, blocks, labels)
    assert seen == [(28, 2 + 1 + 3 + 2 + len(np.unique(blocks["ids"])))]
    assert out.rows.tolist() == [*range(28), -1]
    for name, x in blocks.items():
        np.testing.assert_array_equal(out.made[name], x[-1:], strict=True)


OWN = {
    "one column more": (lambda X, y: (np.hstack([X, X]), y), "an X of shape (28, 4) for one of 2 columns"),
    "a cube": (lambda X, y: (X[:, :, None], y), "an X of shape (28, 2, 1) for one of 2 columns"),
    "NaN": (lambda X, y: (X * np.nan, y), "NaN or infinite numbers"),
    "inf": (lambda X, y: (X + np.inf, y), "NaN or infinite numbers"),
    "no rows": (lambda X, y: (X[:0], y[:0]), "has left no row of class 'no'"),
    "fewer labels": (lambda X, y: (X, y[1:]), "28 rows with labels of shape (27,)"),
    "labels side by side": (lambda X, y: (X, y[:, None]), "28 rows with labels of shape (28, 1)"),
    "no class": (lambda X, y: (X, y + 1), "labels that are no class numbers from 0 to 1"),
    "fractions": (lambda X, y: (X, y + 0.5), "labels that are no class numbers from 0 to 1"),
    "names": (lambda X, y: (X, np.array(["yes"] * 28)), "labels that are no class numbers from 0 to 1"),
    "X alone": (lambda X, y: X, "ndarray rather than X and y"),
    "three things": (lambda X, y: (X, y, y), "tuple rather than X and y"),
    "other labels": (lambda X, y: (X, 1 - y), "28 rows of the data with another label: a sampler may not change"),
    "one other label": (lambda X, y: (X, np.append(y[:-1], 0)), "1 rows of the data with another label"),
    "a class lost": (lambda X, y: (X[y == 0], y[y == 0]), "has left no row of class 'yes'"),
    "in place": (lambda X, y: (np.multiply(X, 2, out=X), y), "cannot be run (output array is read-only)"),
    "an error": (lambda X, y: 1 / 0, "cannot be run (division by zero): change its settings, or use 'oversample'"),
    "words": (lambda X, y: (X.astype(str).astype(object) + "a", y), "cannot be run (could not convert string to float"),
}


@pytest.mark.parametrize("what", OWN)
def test_results_that_are_none(what):
    class Sampler:
        def fit_resample(self, X, y):
            return OWN[what][0](X, y)

    with pytest.raises(pk.PrepkitError) as refused:
        drawn(Sampler(), labels_of(20, 8))
    assert str(refused.value).startswith("Rebalance: Sampler ") and OWN[what][1] in str(refused.value)


def test_fractional_one_hot_columns_of_ones_own_sampler():
    labels = labels_of(30, 12)
    spec, blocks = mixed_frame(labels)
    with pytest.raises(
        pk.PrepkitError, match="Pipeline cannot make rows of columns .*'job'.*: it has made values that"
    ):
        draw(Pipeline([("smote", SMOTE())]), spec, blocks, labels)


def test_images_of_ones_own_sampler():
    labels = labels_of(20, 8)
    spec = Spec((Column("x", "tensor", shape=(2, 2), block="x"),))
    images = gaussian(labels, 4).reshape(-1, 2, 2)
    assert draw(own(lambda X, y: (X[::2], y[::2])), spec, {"x": images}, labels).rows.tolist() == list(range(0, 28, 2))
    with pytest.raises(pk.PrepkitError, match="FunctionSampler cannot make rows of column 'x': a mean of two images"):
        draw(own(lambda X, y: (X + 1, y)), spec, {"x": images}, labels)


# -- what is refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["SMOTE", "SMOTEENN", *NUMBERS_ONLY])
def test_images_are_not_interpolated(name):
    spec = Spec(
        (Column("x", "numeric", block="float32"), Column("image", "tensor", shape=(8, 8), block="tensor:image"))
    )
    with pytest.raises(
        pk.PrepkitError, match=f"{name} cannot make rows of column 'image': .*RandomOverSampler, which re"
    ):
        draw_by_sampler(pk.Rebalance(name), spec, never, labels_of(20, 8), NAMES[:2], 0)


@pytest.mark.parametrize(
    "sampler",
    [*NUMBERS_ONLY, RandomOverSampler(shrinkage=0.1)],
    ids=lambda sampler: getattr(sampler, "__class__", str).__name__ if not isinstance(sampler, str) else sampler,
)
def test_samplers_that_know_numbers_only(sampler):
    labels = labels_of(30, 12)
    spec, _ = mixed_frame(labels)
    with pytest.raises(pk.PrepkitError) as refused:
        draw_by_sampler(pk.Rebalance(sampler), spec, never, labels, NAMES[:2], 0)
    message = str(refused.value)
    assert "cannot make rows of columns 'flag', 'job', 'hour', 'zip': it makes values" in message
    assert all(way in message for way in ("use SMOTE", "SMOTENC", "'oversample'", "Drop()"))


@pytest.mark.parametrize(
    "sampler, settings, message",
    [
        ("SMOTE", {"sampling_strategy": {"no way": 50}}, "names the class 'no way', which does not exist: there are"),
        (SMOTENC([0], sampling_strategy={3: 50}), {}, "names the class '3', which does not exist"),
        (Pipeline([("s", SMOTE(sampling_strategy={"a": 50}))]), {}, "names the class 'a', which does not exist"),
        (TomekLinks(sampling_strategy=["a"]), {}, "sampling_strategy names the class 'a', which does not exist"),
        ("SMOTE", {"sampling_strategy": 0.5}, "0.5 is a ratio, which SMOTE takes for two classes only, and there are"),
        ("NearMiss", {"sampling_strategy": 0.5}, "0.5 is a ratio, which NearMiss takes for two classes only"),
        ("SMOTETomek", {"sampling_strategy": 0.5}, "0.5 is a ratio, which SMOTETomek takes for two classes only"),
        ("SMOTE", {"sampling_strategy": {"yes": 5}}, "asks for 5 rows of class 'yes', which has 12: SMOTE needs at le"),
        ("NearMiss", {"sampling_strategy": {"yes": 50}}, "which has 12: NearMiss needs at most that many"),
        ("RandomUnderSampler", {"sampling_strategy": {"yes": 50}}, "which has 12: RandomUnderSampler needs at most"),
        ("TomekLinks", {"sampling_strategy": {"yes": 5}}, "TomekLinks leaves out the rows that it finds in the way"),
        ("TomekLinks", {"sampling_strategy": 0.5}, "TomekLinks leaves out the rows that it finds in the way, however"),
        ("SMOTE", {"sampling_strategy": "majority"}, "SMOTE cannot be run ("),
        ("SMOTE", {"params": {"k_neighbors": 0}}, "SMOTE cannot be run (The 'k_neighbors' parameter of SMOTE must be"),
        ("SMOTE", {"params": {"k_neighbors": "a"}}, "SMOTE cannot be run ("),
        ("SMOTEENN", {"params": {"smote": 3}}, "SMOTEENN: smote=3: give a SMOTE, or None."),
        ("SMOTETomek", {"params": {"tomek": "a"}}, "SMOTETomek: tomek='a': give a TomekLinks, or None."),
        ("KMeansSMOTE", {"params": {"cluster_balance_threshold": 0.9}}, "KMeansSMOTE cannot be run (No clusters found"),
        ("<Mine>", {}, "the sampler Mine was not saved with the recipe: give it anew"),
    ],
    ids=lambda case: str(case)[:50],
)  # fmt: skip
def test_errors(sampler, settings, message):
    with pytest.raises(pk.PrepkitError) as refused:
        drawn(sampler, labels_of(30, 12, 10), **settings)
    assert str(refused.value).startswith("Rebalance: ") and message in str(refused.value)


def test_a_ratio_that_is_there_already():
    with pytest.raises(pk.PrepkitError, match=r"SMOTE cannot be run \(The specified ratio required to remove samples"):
        drawn("SMOTE", labels_of(20, 18), sampling_strategy=0.5)


def test_a_class_that_is_asked_for_and_has_no_rows():
    spec, labels = Spec(numbers(28)), labels_of(20, 0, 8)
    stage = pk.Rebalance("SMOTE", sampling_strategy={"yes": 10})
    with pytest.raises(pk.PrepkitError, match="class 'yes' has no training rows"):
        draw_by_sampler(stage, spec, never, labels, NAMES, 0)


def test_a_single_class():
    with pytest.raises(pk.PrepkitError, match=r"cannot be run \(The target 'y' needs to have more than 1 class"):
        drawn("SMOTE", labels_of(20))


def test_a_cleaner_that_leaves_nothing_of_a_class():
    labels = labels_of(30, 12)
    x = np.random.default_rng(0).normal(size=(42, 2)).astype(np.float32)
    with pytest.raises(pk.PrepkitError, match="has left no row of class 'yes': name the classes"):
        draw(EditedNearestNeighbours(sampling_strategy="all", n_neighbors=9), Spec(numbers(42)), {"float32": x}, labels)


@pytest.mark.parametrize("name", ["SMOTE", "TomekLinks", "ADASYN"])
def test_missing_cells(name):
    labels = labels_of(20, 8)
    x = gaussian(labels)
    x[3, 1] = np.nan
    with pytest.raises(pk.PrepkitError, match=r"columns \['x1'\] reach the sampler with missing .*add Impute\(\)"):
        draw(name, Spec(numbers(28)), {"float32": x}, labels)
    assert len(draw("RandomOverSampler", Spec(numbers(28)), {"float32": x}, labels).rows) == 40


@pytest.mark.parametrize("name", ["SMOTE", "TomekLinks"])
def test_what_would_not_fit_is_refused_before_it_is_asked_for(name):
    labels = np.zeros(1_000_000, np.int32)
    labels[:1000] = 1
    with pytest.raises(pk.PrepkitError) as refused:
        draw_by_sampler(pk.Rebalance(name), Spec(numbers(len(labels), 300)), never, labels, NAMES[:2], 0)
    rows = "1,998,000" if name == "SMOTE" else "1,000,000"
    need = 1_998_000 if name == "SMOTE" else 1_000_000
    figure = f"{need * 300 * 8 * judge.COPIES / 2**30:.1f} GiB for {rows} rows of 300 numbers, more than the 8 GiB"
    assert f"{name} would take about {figure}" in str(refused.value)
    assert ("'oversample'" if name == "SMOTE" else "'undersample'") in str(refused.value)
    spec = Spec(numbers(len(labels), 300))
    assert len(draw_by_sampler(pk.Rebalance("RandomOverSampler"), spec, never, labels, NAMES[:2], 0).rows) == 1_998_000


def test_of_a_sampler_of_ones_own_it_is_assumed_that_classes_come_to_be_equally_large(monkeypatch):
    labels = labels_of(30, 10, 20)
    monkeypatch.setattr(judge, "MOST", 89 * 2 * 8 * judge.COPIES)
    with pytest.raises(pk.PrepkitError, match="FunctionSampler would take about 0.0 GiB for 90 rows of 2 numbers"):
        drawn(own(lambda X, y: (X, y)), labels)


@pytest.mark.parametrize("others", [0, 1])
def test_what_categories_take_besides_counts(others, monkeypatch):
    labels = labels_of(300, 100)
    ids = np.arange(400, dtype=np.int32)[:, None]
    spec = Spec((*numbers(400, others), Column("id", "id", "int32", block="ids")))
    blocks = {"ids": ids} | ({"float32": gaussian(labels, 1)} if others else {})
    width = 400 + others
    monkeypatch.setattr(judge, "MOST", 600 * width * 8 * judge.COPIES + 100_000)
    with pytest.raises(pk.PrepkitError, match=f"SMOTE would take about 0.0 GiB for 600 rows of {width} numbers"):
        draw("SMOTE", spec, blocks, labels)
    assert len(draw("TomekLinks", spec, blocks, labels).rows) > 300
