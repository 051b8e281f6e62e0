"""Fast models that stand for the network while labels are judged: scikit-learn's, chosen by the data."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from prepkit.cleaning.coupled import CoupledSupportVectors
from prepkit.cleaning.design import Design

FLOOR = 1e-6  # the least probability, so that the logarithm of any is finite
LIGHTEST = 1e-6  # of the largest weight: support vectors cannot be trained if a class has no weight
PIECE = 65_536  # rows that are predicted at once
PAIRED = 20  # classes up to which support vectors are trained for each pair of them
BOOSTED = 30  # classes up to which gradient boosting is used, which grows a tree for each in each round
SMALL = 5_000  # rows up to which trees stay small, lest they learn wrong labels by heart


@dataclass(frozen=True)
class Proxy:
    """A model that gives probabilities of classes.

    Args:
        name: in words.
        encoded: whether it takes `Design.encoded`, or `Design.uncoded`.
        most: rows that it is trained on at most; a sample stands for more.
        build: from a seed, the rows there are to train on, and which columns are categories.
    """

    name: str
    encoded: bool
    most: int
    build: Callable[[int, int, np.ndarray], Any]


def _boosting(seed: int, rows: int, categorical: np.ndarray) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    small = rows <= SMALL
    return HistGradientBoostingClassifier(
        learning_rate=0.1,
        max_iter=50 if small else 100,
        max_leaf_nodes=8 if small else 31,
        min_samples_leaf=20,
        l2_regularization=5.0,
        categorical_features=categorical,
        early_stopping=False,
        random_state=seed,
    )


def _linear(seed: int, rows: int, categorical: np.ndarray) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=0.1, max_iter=200)


def _neighbours(seed: int, rows: int, categorical: np.ndarray) -> Any:
    from sklearn.neighbors import KNeighborsClassifier

    return KNeighborsClassifier(min(15, rows), weights="distance")  # else classes of few rows tie


# The bounds keep a fold of 100,000 rows of 50 columns below about ten seconds on two cores.
BOOSTING = Proxy("gradient boosting", False, 50_000, _boosting)
SUPPORT_VECTORS = Proxy("support vectors", True, 4_000, lambda seed, rows, _: CoupledSupportVectors(seed))
LINEAR = Proxy("logistic regression", True, 20_000, _linear)
NEIGHBOURS = Proxy("nearest neighbours", True, 20_000, _neighbours)


def proxies(design: Design, classes: int) -> tuple[Proxy, Proxy]:
    """The two that fit the data: for tables one of trees and one of distances, else two of distances."""
    distances = SUPPORT_VECTORS if classes <= PAIRED else LINEAR
    return (BOOSTING if design.is_table and classes <= BOOSTED else NEIGHBOURS), distances


def predicted(
    proxy: Proxy,
    design: Design,
    labels: np.ndarray,
    classes: int,
    train: np.ndarray,
    held_out: np.ndarray,
    *,
    weights: np.ndarray | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Probabilities (held_out, classes), float32, by a model trained on other rows.

    Args:
        proxy: the model.
        design: of all rows.
        labels: class numbers of all rows.
        classes: how many there are.
        train: numbers of the rows to train on, each class of two rows or more. Of fewer than two classes nothing is
            learned: the one there is is certain, of none each is as probable.
        held_out: numbers of the rows to predict.
        weights: of all rows, or None; their unit does not matter.
        seed: of the sample and of the model.

    Returns:
        Rows that sum to 1, none below `FLOOR`; a class without training rows has the floor.
    """
    out = np.zeros((len(held_out), classes), np.float32)
    present = np.unique(labels[train])
    if len(present) < 2:
        out[:, present if len(present) else slice(None)] = 1
        return normalised(out)
    if len(train) > proxy.most:
        train = sampled(labels, train, proxy.most, np.random.default_rng(seed))
    features = design.encoded if proxy.encoded else design.uncoded
    model = proxy.build(seed % 2**31, len(train), design.categorical)
    given = {} if weights is None or proxy is NEIGHBOURS else {"sample_weight": _scaled(weights[train])}
    from threadpoolctl import threadpool_limits

    # A proxy that has not quite converged serves as well; and of few rows threads only wait for each other.
    with warnings.catch_warnings(), threadpool_limits(1 if len(train) <= SMALL else None):
        warnings.simplefilter("ignore")
        model.fit(features(train), labels[train], **given)
    for start in range(0, len(held_out), PIECE):
        rows = held_out[start : start + PIECE]
        out[start : start + PIECE, model.classes_] = model.predict_proba(features(rows))
    return normalised(out)


def _scaled(weights: np.ndarray) -> np.ndarray:
    """With mean 1, lest their unit rule how far models are regularised; none of 0, lest a class be lost to them."""
    weights = weights.astype(np.float64)
    weights = np.maximum(weights, LIGHTEST * (weights.max() or 1.0))
    return np.asarray(weights / weights.mean())


def normalised(probabilities: np.ndarray) -> np.ndarray:
    """In place: each row with sum 1, so mixed with `FLOOR` that none is below it."""
    probabilities /= probabilities.sum(1, keepdims=True)
    probabilities *= 1 - FLOOR * probabilities.shape[1]
    probabilities += FLOOR
    return probabilities


def sampled(labels: np.ndarray, rows: np.ndarray, n: int, rng: np.random.Generator, least: int = 2) -> np.ndarray:
    """`n` of `rows`, or somewhat more: of each class its share, but `least` at least, where there are so many."""
    if len(rows) <= n:
        return rows
    rows = rng.permutation(rows)
    rows = rows[np.argsort(labels[rows], kind="stable")]
    counts = np.bincount(labels[rows])
    wanted = np.minimum(counts, np.maximum(least, np.round(counts * n / len(rows)).astype(np.int64)))
    starts = np.cumsum(counts) - counts
    place = np.arange(len(rows)) - np.repeat(starts, counts)
    return np.sort(rows[place < np.repeat(wanted, counts)])


def log_loss(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean negative logarithm of the probability of the given label."""
    return float(-np.log(probabilities[np.arange(len(labels)), labels].astype(np.float64)).mean())
