"""The threshold that scores best, against trying them all with scikit-learn's and imbalanced-learn's metrics."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn.metrics import geometric_mean_score
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, fbeta_score, matthews_corrcoef

import prepkit as pk
from prepkit.balance.threshold import FUNCTIONS, SCORES, best_threshold, labelled_probabilities
from prepkit.losses import AdjustedLoss

METRICS: dict[str, Callable[[Any, Any], float]] = {
    "accuracy": accuracy_score,
    "balanced_accuracy": balanced_accuracy_score,
    "f1": f1_score,
    "mcc": matthews_corrcoef,
    "g_mean": geometric_mean_score,
}


def score(metric: str, y: np.ndarray, p: np.ndarray, threshold: float) -> float:
    with warnings.catch_warnings():  # imbalanced-learn's, about precision, which the mean does not use
        warnings.simplefilter("ignore")
        return float(METRICS[metric](y, (p >= threshold).astype(int)))


def tried(metric: str, y: np.ndarray, p: np.ndarray) -> float:
    """The best score of all ways to part the rows."""
    return max(score(metric, y, p, t) for t in [*np.unique(p).tolist(), 2.0])


ROWS = st.lists(st.tuples(st.booleans(), st.integers(0, 8)), min_size=2, max_size=40)  # few values, so that many tie
BOTH = ROWS.filter(lambda rows: len({y for y, _ in rows}) == 2)


def test_each_metric_is_compared():
    assert METRICS.keys() == SCORES.keys() == set(FUNCTIONS.values())
    assert {f.__name__ for f in METRICS.values()} == FUNCTIONS.keys()


@pytest.mark.parametrize("metric", METRICS)
@settings(max_examples=40)
@given(BOTH, st.sampled_from([np.float32, np.float64]))
def test_none_scores_better(metric, rows, dtype):
    y, p = np.array([r[0] for r in rows], int), np.array([r[1] for r in rows], dtype) / dtype(8)
    threshold = best_threshold(y, p, metric)
    assert score(metric, y, p, threshold) == pytest.approx(tried(metric, y, p), abs=1e-12)
    assert threshold == best_threshold(y, p, METRICS[metric].__name__)


@settings(max_examples=40)
@given(BOTH)
def test_it_is_the_middle_between_two_probabilities_nearest_to_a_half(rows):
    y, p = np.array([r[0] for r in rows], int), np.array([r[1] for r in rows]) / 8
    edges = [0.0, *np.unique(p).tolist(), 1.0]
    middles = {(a + b) / 2 for a, b in itertools.pairwise(edges)}
    if p.max() == 1:
        middles = (middles - {1.0}) | {float(np.nextafter(1, 2))}
    best = tried("balanced_accuracy", y, p)
    good = [m for m in middles if abs(score("balanced_accuracy", y, p, m) - best) < 1e-12]
    assert best_threshold(y, p) in good
    assert abs(best_threshold(y, p) - 0.5) == min(abs(m - 0.5) for m in good)


def test_scores_that_are_equal_but_for_rounding_are_equal():
    """1/6 of one class, and 4/6 less 1/2: as floating-point numbers, the first is the larger."""
    y, p = np.array([1, 1, 1, 1, 0, 1, 1, 0]), np.array([0.9, 0.6, 0.6, 0.6, 0.6, 0.2, 0.2, 0.2])
    assert best_threshold(y, p) == pytest.approx(0.4)


@settings(max_examples=12)
@given(BOTH)
def test_a_function_finds_as_good_a_one(rows):
    y, p = np.array([r[0] for r in rows], int), np.array([r[1] for r in rows]) / 8
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for metric, function in METRICS.items():
            assert score(metric, y, p, best_threshold(y, p, function)) == pytest.approx(tried(metric, y, p), abs=1e-12)


def test_neighbouring_numbers_are_told_apart():
    """Between them there is no middle; of float32, Python's numbers are rounded to float32 when compared."""
    for dtype in (np.float16, np.float32, np.float64):
        low = dtype(0.3)
        p = np.array([low, np.nextafter(low, dtype(1), dtype=dtype)], dtype)
        for q in (p, p[::-1]):  # also where the threshold is above or below both
            for metric in METRICS:
                threshold = best_threshold([0, 1], q, metric)
                assert score(metric, np.array([0, 1]), q, threshold) == pytest.approx(
                    tried(metric, np.array([0, 1]), q), abs=1e-12
                )
                assert bool((q >= threshold).any()) == bool((tf.constant(q) >= threshold).numpy().any())


def test_all_in_one_class_is_tried_too():
    rare = np.array([0] * 9 + [1])
    assert best_threshold(rare, np.linspace(0.9, 0.1, 10), "accuracy") == pytest.approx(0.95)
    certain = best_threshold(rare, np.r_[np.ones(9), 0.5], "accuracy")
    assert 1 < certain < 1.001
    common = 1 - rare
    assert best_threshold(common, np.r_[np.full(9, 0.2), 0.6], "accuracy") == pytest.approx(0.1)


def test_a_function_is_computed_at_no_more_than_1_000_quantiles():
    rng = np.random.default_rng(0)
    p = rng.random(20_000) ** 9  # most of them near 0
    y = (rng.random(20_000) < p).astype(int)
    seen = []

    def f2(y: np.ndarray, called: np.ndarray) -> float:
        seen.append(called.mean())
        return float(5 * (y & called).sum() / (4 * y.sum() + called.sum()))

    threshold = best_threshold(y, p, f2)
    assert len(seen) <= 1000
    np.testing.assert_allclose(np.diff([*sorted(seen)]), 1 / 999, atol=1e-4)
    assert {0.0, 1.0} <= set(seen)
    exact = max(fbeta_score(y, p >= t, beta=2) for t in np.quantile(p, np.linspace(0.5, 1, 101)[:-1]))
    assert fbeta_score(y, p >= threshold, beta=2) > exact - 1e-3


def test_a_function_may_be_on_any_scale_and_nan_where_it_has_no_value():
    y, p = np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.6, 0.9])
    assert best_threshold(y, p, lambda y, c: -1e6 * ((y - c) ** 2 * np.where(y, 10, 1)).sum()) == 0.5
    precision = [np.nan, 1.0, 1.0, 2 / 3, 0.5]
    assert best_threshold(y, p, lambda y, c: precision[c.sum()]) == 0.5
    assert best_threshold(y, p, lambda y, c: precision[c.sum()] if c.sum() != 2 else np.nan) == 0.75


def test_many_rows():
    rng = np.random.default_rng(0)
    y = (rng.random(200_000) < 0.01).astype(np.int32)
    p = rng.beta(np.where(y, 2, 1), 30).astype(np.float32)
    threshold = best_threshold(y, p, "mcc")
    around = [float(np.quantile(p, q)) for q in np.linspace(0.01, 0.99, 15)]
    assert matthews_corrcoef(y, p >= threshold) >= max(matthews_corrcoef(y, p >= t) for t in around)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.int64, np.float32])
def test_forms_of_labels_and_probabilities(dtype):
    y, p = np.array([0, 1, 0, 1]).astype(dtype), np.array([0.1, 0.3, 0.2, 0.4])
    for labels in (y, y[:, None], y.tolist()):
        for form in (p, p[:, None], np.stack([1 - p, p], 1), p.tolist(), tf.constant(p)):
            assert best_threshold(labels, form) == pytest.approx(0.25)
    assert best_threshold(y, y) == 0.5  # classes that were called, for probabilities
    assert best_threshold(y, p + 0.6000004) == pytest.approx(0.85, abs=1e-5)  # beyond 1 by no more than float32 is off


Y, P = np.array([0, 1, 1]), np.array([0.2, 0.6, 0.7])
REFUSED: dict[str, tuple[Any, Any, Any, str]] = {
    "one class": (Y * 0, P, "f1", "y holds only class 0: a threshold is found on rows of both classes"),
    "no rows": (Y[:0], P[:0], "f1", "y holds no rows"),
    "NaN": (Y, np.array([0.2, np.nan, 0.7]), "f1", "probabilities hold nan in row 1, but lie between 0 and 1"),
    "logits": (Y, P * 10, "f1", "probabilities hold 2 in row 0, but lie between 0 and 1: apply sigmoid or softmax"),
    "negative": (Y, P - 0.3, "f1", "probabilities hold -0.1 in row 0"),
    "several classes": (np.array([0, 1, 2]), P, "f1", "y holds 2, but a threshold parts two classes, .* of several"),
    "probabilities of several": (Y, np.full((3, 3), 1 / 3), "f1", "of 3 classes, but a threshold .*pk.adjusted_loss"),
    "-1 and 1": (2 * Y - 1, P, "f1", "y holds -1, but a threshold parts two classes, numbered 0 and 1"),
    "missing": (np.array([0, 1, np.nan]), P, "f1", "y holds nan, but"),
    "names": (np.array(["no", "yes", "no"]), P, "f1", r"y has shape \(3,\) and type <U3: give class numbers"),
    "one-hot": (np.eye(2)[Y], P, "f1", r"y has shape \(3, 2\) .*of one-hot rows, y.argmax\(1\)"),
    "other rows": (Y, P[:2], "f1", "probabilities are of 2 rows, but y of 3"),
    "strings": (Y, P.astype(str), "f1", r"probabilities have shape \(3,\) and type <U"),
    "too many axes": (Y, P[:, None, None], "f1", r"probabilities have shape \(3, 1, 1\)"),
    "no column": (Y, P[:, None][:, :0], "f1", r"probabilities have shape \(3, 0\)"),
    "unknown metric": (Y, P, "balanced_acuracy", "metric='balanced_acuracy' is .*: did you mean 'balanced_accuracy'"),
    "no metric": (Y, P, 3, "metric=3 is not known"),
    "no number": (Y, P, lambda y, c: "good", "gives no number for class numbers .*'good'"),
    "always NaN": (Y, P, lambda y, c: np.nan, "is NaN at every threshold"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_parted_is_refused(case):
    y, p, metric, message = REFUSED[case]
    with pytest.raises(pk.PrepkitError, match=message):
        best_threshold(y, p, metric)


# -- of a model and a dataset -----------------------------------------------------------------------

N = 90


def model(units: int, activation: str | None, loss: Any = None) -> keras.Model:
    """Its outputs tell the rows apart."""
    keras.utils.set_random_seed(0)
    out = keras.Sequential([keras.Input((1,)), keras.layers.Dense(units, activation)])
    if loss is not None:
        out.compile("adam", loss)
    return out


def dataset(form: str = "(n,)", classes: int = 3, weights: bool = False) -> tf.data.Dataset:
    """Shuffled anew at each pass; features tell the class."""
    x = np.linspace(-2, 2, N, dtype=np.float32)[:, None]
    y = np.arange(N) % classes
    labels = {"(n,)": y, "(n, 1)": y[:, None], "one-hot": np.eye(classes, dtype=np.float32)[y]}[form]
    parts = (x, labels, np.full(N, 2.0)) if weights else (x, labels)
    return tf.data.Dataset.from_tensor_slices(parts).shuffle(N, seed=1).batch(16)


@pytest.mark.parametrize("form", ["(n,)", "(n, 1)", "one-hot"])
@pytest.mark.parametrize("weights", [False, True])
def test_rows_and_their_labels_stay_together(form, weights):
    net = model(3, "softmax")
    y, p = labelled_probabilities(net, dataset(form, weights=weights))
    assert (y.dtype, y.shape, p.shape) == (np.int64, (N,), (N, 3))
    by_row = {bytes(net(np.float32([[v]])).numpy().round(4)): i % 3 for i, v in enumerate(np.linspace(-2, 2, N))}
    assert [by_row[bytes(row[None].round(4))] for row in p] == y.tolist()
    assert not np.array_equal(y, np.arange(N) % 3)


LOGITS = {
    1: (keras.losses.BinaryCrossentropy, lambda z: 1 / (1 + np.exp(-z))),
    3: (keras.losses.SparseCategoricalCrossentropy, lambda z: np.exp(z) / np.exp(z).sum(1, keepdims=True)),
}


@pytest.mark.parametrize("units", LOGITS)
def test_logits_become_probabilities_where_the_loss_says_that_there_are(units):
    loss, activation = LOGITS[units]
    x = np.linspace(-2, 2, N, dtype=np.float32)[:, None]
    data = tf.data.Dataset.from_tensor_slices((x, np.arange(N) % 2)).batch(16)
    z = model(units, None)(x).numpy()
    _, p = labelled_probabilities(model(units, None, loss(from_logits=True)), data)
    np.testing.assert_allclose(p, activation(z), rtol=1e-5)
    _, p = labelled_probabilities(model(units, None, loss()), data)
    np.testing.assert_allclose(p, z, rtol=1e-6)


def test_probabilities_are_corrected_and_an_adjusted_loss_undone():
    x = np.linspace(-2, 2, N, dtype=np.float32)[:, None]
    data = tf.data.Dataset.from_tensor_slices((x, np.arange(N) % 2)).batch(16)
    plain, odds = model(1, "sigmoid", "binary_crossentropy"), lambda p: p / (1 - p)
    p = plain(x).numpy()
    _, corrected = labelled_probabilities(plain, data, correction=(np.log(2.0), 0.0))
    np.testing.assert_allclose(odds(corrected), odds(p) / 2, rtol=1e-5)
    adjusted = model(1, "sigmoid", AdjustedLoss((0.0, np.log(3.0))))
    _, undone = labelled_probabilities(adjusted, data, correction=(0.0, 0.0))
    np.testing.assert_allclose(odds(undone), odds(p) * 3, rtol=1e-5)
    _, left = labelled_probabilities(adjusted, data)
    np.testing.assert_allclose(left, p, rtol=1e-6)


def test_features_may_be_a_dict():
    parts = {name: keras.Input((1,), name=name) for name in ("a", "b")}
    net = keras.Model(parts, keras.layers.Dense(1, "sigmoid")(keras.layers.Concatenate()(list(parts.values()))))
    x = {"a": np.zeros((5, 1), np.float32), "b": np.ones((5, 1), np.float32)}
    y, p = labelled_probabilities(net, tf.data.Dataset.from_tensor_slices((x, [0, 1, 1, 0, 1])).batch(2))
    assert (y.tolist(), p.shape) == ([0, 1, 1, 0, 1], (5, 1))


BAD: dict[str, tuple[Callable[[], Any], str]] = {
    "no labels": (lambda: dataset().map(lambda x, y: x), "the dataset has no labels"),
    "no rows": (lambda: dataset().take(0), "the dataset has no rows"),
    "no end": (lambda: dataset().repeat(), r"the dataset has no end: take\(n\)"),
    "rows": (lambda: dataset().unbatch(), "gives single rows: batch it"),
    "arrays": (lambda: (np.zeros((3, 1)), np.zeros(3)), r"give a tf.data.Dataset of \(features, label\), not a tuple"),
    "several labels": (lambda: dataset().map(lambda x, y: (x, {"y": y})), "'y' of the dataset is nested"),
}


@pytest.mark.parametrize("case", BAD)
def test_datasets_that_do_not_do_are_refused(case):
    make, message = BAD[case]
    with pytest.raises(pk.PrepkitError, match=message):
        labelled_probabilities(model(3, "softmax"), make())


def test_a_correction_of_other_classes_is_refused():
    with pytest.raises(pk.PrepkitError, match="one finite number for each of the 3 classes"):
        labelled_probabilities(model(3, "softmax"), dataset(), correction=(0.0, 1.0))
    with pytest.raises(pk.PrepkitError, match="one finite number for each of the 2 classes"):
        labelled_probabilities(model(1, "sigmoid"), dataset(classes=2), correction=(0.0,))
