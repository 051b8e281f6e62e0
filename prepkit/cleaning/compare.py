"""Which treatment helps: a network learns from treated folds, and is asked about rows that no treatment touched."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from prepkit.cleaning.act import Limits, Treatment
from prepkit.cleaning.crossfit import Rows
from prepkit.cleaning.data import NOTHING
from prepkit.cleaning.proxy import sampled
from prepkit.progress import track

# The standard error of a gain has to be exceeded so many times: a gain by chance passes in one of twenty.
SIGNIFICANT = 1.645
COMPARED = 4_000  # rows at most: a gain of half a point is seen in so many, where one row in thirty is judged anew
HIDDEN = (128, 128)  # of the network: wide enough to learn wrong labels by heart, as the one that is trained later
STEPS, EPOCHS = 2_000, 60  # at most
BATCH = 64

NONE = Treatment(NOTHING)

Judge = Callable[[Rows, np.ndarray, int], np.ndarray]  # rows, those among them, folds: probabilities out of sample


@dataclass(frozen=True)
class Gain:
    """What a treatment gains over nothing: a share of held-out rows that are then classified as they are labelled.

    Args:
        treatment: what was done with the training folds.
        gain: 0.01 is a point.
        error: its standard error, over rows.
    """

    treatment: Treatment
    gain: float
    error: float

    @property
    def significant(self) -> bool:
        return self.gain > SIGNIFICANT * self.error


def compare(rows: Rows, judge: Judge, treatments: Sequence[Treatment], limits: Limits) -> list[Gain]:
    """The gain of each treatment, by cross-fitting.

    For each fold, labels are judged anew among the other folds, these are treated, a network learns from them, and
    is scored by the given labels of the fold. Some of these are wrong, which takes from all gains alike. The score is
    accuracy: log-loss by labels that are wrong in one direction prefers the network that has learned the errors.

    Args:
        rows: what there is.
        judge: gives probabilities, out of sample among the rows that it is told.
        treatments: to be compared with nothing.
        limits: how far they may go.
    """
    chosen = sampled(rows.labels, rows.chosen, COMPARED, np.random.default_rng(rows.seed))
    outer, inner, repeats = _plan(len(chosen))
    right = {t: np.zeros(len(chosen)) for t in (NONE, *treatments)}
    gains: list[Gain] = []
    for i in track(range(outer * repeats), "comparing treatments", outer * repeats):
        repeat, k = divmod(i, outer)
        again = replace(rows, seed=rows.seed + repeat)
        fold = again.folds(outer, chosen)
        train, held_out = chosen[fold != k], chosen[fold == k]
        predictions = _predictions(again, judge, list(right), limits, train, held_out, inner)
        for treatment, classes in predictions.items():
            right[treatment][fold == k] += classes == rows.labels[held_out]
        if k == outer - 1:
            gains = [_gain(t, (right[t] - right[NONE]) / (repeat + 1)) for t in treatments]
            if _clear(gains):
                break
    return gains


def _gain(treatment: Treatment, differences: np.ndarray) -> Gain:
    return Gain(treatment, float(differences.mean()), float(differences.std() / np.sqrt(len(differences))))


def _clear(gains: Sequence[Gain]) -> bool:
    """Whether another repetition, which takes out what networks do by chance, would hardly change the verdict."""
    best = max(gains, key=lambda g: g.gain)
    return best.gain <= 0 or best.gain > 2 * SIGNIFICANT * best.error


def _plan(rows: int) -> tuple[int, int, int]:
    """Outer folds, inner folds and repetitions: the fewer the rows, the more each is worth, and the less it costs."""
    return (5, 4, 3) if rows < 500 else (3, 3, 1)


def _predictions(
    rows: Rows,
    judge: Judge,
    treatments: Sequence[Treatment],
    limits: Limits,
    train: np.ndarray,
    held_out: np.ndarray,
    inner: int,
) -> dict[Treatment, np.ndarray]:
    """The classes of held-out rows by networks that were trained on treated ones."""
    labels, fixed = rows.labels[train], rows.fixed[train]
    probabilities = judge(rows, train, inner)
    flags = rows.doubted(train, probabilities)
    quality = probabilities[np.arange(len(train)), labels]
    _, same = np.unique(rows.alike[train], return_inverse=True)
    x, x_new = rows.design.encoded(train), rows.design.encoded(held_out)
    weight = np.ones(len(train)) if rows.weights is None else rows.weights[train]
    done: dict[bytes, np.ndarray] = {}
    out = {}
    for treatment in treatments:
        treated = limits.kept_within(treatment(labels, probabilities, flags, fixed), labels, quality, same)
        key = treated.classes.tobytes() + treated.weights.tobytes()
        if key not in done:  # else another treatment came to the same
            done[key] = _learned(x, treated.classes, treated.weights * weight, rows.seed).predict(x_new)
        out[treatment] = done[key]
    return out


def _learned(x: np.ndarray, classes: np.ndarray, weights: np.ndarray, seed: int) -> Any:
    from sklearn.neural_network import MLPClassifier
    from threadpoolctl import threadpool_limits

    keep = weights > 0
    batch = min(BATCH, int(keep.sum()))
    steps = -(-int(keep.sum()) // batch)
    epochs = int(np.clip(STEPS // steps, 15, EPOCHS))
    network = MLPClassifier(
        HIDDEN, alpha=0, batch_size=batch, max_iter=epochs, n_iter_no_change=epochs, random_state=seed % 2**31
    )
    # It is not to converge, but to do what a network does in so many epochs. On matrices as small as these threads
    # only wait for each other: beside other work they took 20 times as long.
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        return network.fit(x[keep], classes[keep], sample_weight=weights[keep])
