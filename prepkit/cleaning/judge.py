"""Where probabilities come from: given, by the user's own model, or by a proxy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from prepkit.cleaning.compare import Judge
from prepkit.cleaning.crossfit import Rows, better, crossed, twice
from prepkit.cleaning.data import Table
from prepkit.cleaning.given import checked, cured
from prepkit.cleaning.words import redone
from prepkit.finding import Finding
from prepkit.progress import track
from prepkit.rows.clean_labels import CleanLabels

SIGNAL = 3.0  # standard errors by which the given labels have to be more probable than random ones
Train = Callable[[np.ndarray, np.ndarray, str], np.ndarray | None]


def judged(
    stage: CleanLabels, table: Table, rows: Rows, findings: list[Finding], network: Callable[[np.ndarray], Train] | None
) -> tuple[np.ndarray, Judge, str]:
    """Probabilities of `rows.chosen`, how others would be judged among themselves, and the source in words."""
    if stage.pred_probs is not None:
        given = checked(stage.pred_probs, table.read, table.class_names)[table.numbers]
        given = of_equals(cured(given.astype(np.float32)), table.keys)
        return given[rows.chosen], lambda _, chosen, __: given[chosen], "the probabilities that were given"
    keys = table.keys[rows.chosen]
    if network is not None:
        own = of_equals(_by_network(stage, rows, findings, network(rows.labels)), keys)
        whole = np.zeros((len(table), rows.classes), np.float32)
        whole[rows.chosen] = own
        return own, lambda _, chosen, __: whole[chosen], f"the given model, {stage.folds} folds"
    proxy = better(rows, min(stage.folds, 3))
    out = of_equals(cured(twice(proxy, rows, rows.chosen, rows.folds(stage.folds))), keys)

    def judge(among: Rows, chosen: np.ndarray, folds: int) -> np.ndarray:
        return cured(twice(proxy, among, chosen, among.folds(folds, chosen)))

    return out, judge, f"{proxy.name}, {stage.folds} folds"


def _by_network(stage: CleanLabels, rows: Rows, findings: list[Finding], train: Train) -> np.ndarray:
    fold = rows.folds(stage.folds)
    out = np.zeros((len(rows.chosen), rows.classes), np.float32)
    again = []
    for k in track(range(stage.folds), "training on folds", stage.folds):
        found = train(rows.chosen[fold != k], rows.chosen[fold == k], f"fold {k + 1} of {stage.folds}")
        if found is None:
            again.append(k)
        else:
            out[fold == k] = found
    if again:
        findings.append(redone(again, stage.folds))
        proxy = better(rows, min(stage.folds, 3))
        instead = crossed(proxy, rows, rows.chosen, fold)
        out[np.isin(fold, again)] = instead[np.isin(fold, again)]
    return cured(out)


def of_equals(probabilities: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """The same, but rows of one key, which cannot be told apart, have the mean of their probabilities."""
    _, same, counts = np.unique(keys, return_inverse=True, return_counts=True)
    if len(counts) == len(keys):
        return probabilities
    sums = np.zeros((len(counts), probabilities.shape[1]), np.float64)
    np.add.at(sums, same, probabilities)
    several = counts[same] > 1
    probabilities[several] = (sums / counts[:, None])[same[several]]
    return probabilities


def has_signal(labels: np.ndarray, probabilities: np.ndarray) -> bool:
    """Whether probabilities know more of the labels than the shares of the classes.

    That is, whether given labels are more probable than labels drawn at random by these shares: however confident
    probabilities are, they have no more than chance of labels that do not depend on the features.
    """
    shares = np.bincount(labels, minlength=probabilities.shape[1]) / len(labels)
    told = probabilities - probabilities.mean(0)  # beyond what they say of every row
    gain = told[np.arange(len(labels)), labels] - told @ shares
    return bool(gain.mean() > SIGNAL * gain.std() / np.sqrt(len(gain)))
