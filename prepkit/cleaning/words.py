"""What there is to say of labels beside the doubted rows, as findings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from prepkit.finding import Finding

LABELS = "labels"
TITLES = {
    "cleaning.few_rows": "Classes too small to be judged",
    "cleaning.not_judged": "Labels cannot be judged",
    "cleaning.no_signal": "Nothing to clean against",
    "cleaning.swapped": "Classes that look swapped",
    "cleaning.capped": "No more of a class may be changed",
    "cleaning.fold_redone": "The model diverged",
    "cleaning.unknown_key": "Keys that no row has",
}
MOST = 0.5  # share of a class that is predicted as another, and the other way round, from which on both look swapped


def few(rare: np.ndarray, counts: np.ndarray, names: Sequence[str], folds: int) -> Finding:
    listed = {names[c]: int(counts[c]) for c in rare[:10].tolist()}
    return Finding(
        "cleaning.few_rows",
        "info",
        LABELS,
        {"classes": len(rare), "rows that differ": listed, "folds": folds},
        "classes of fewer rows than folds cannot be judged and are left alone; get more rows, or give fewer folds",
    )


def beyond_reach(rows: int) -> Finding:
    return Finding(
        "cleaning.not_judged",
        "warning",
        LABELS,
        {"rows of classes that can be judged": rows},
        "labels are judged where two classes have as many rows as there are folds: nothing was changed",
    )


def no_signal(accuracy: float, chance: float) -> Finding:
    return Finding(
        "cleaning.no_signal",
        "warning",
        LABELS,
        {"accuracy out of sample": round(accuracy, 4), "share of the most frequent class": round(chance, 4)},
        "the features say nothing of the labels, so there is nothing to clean against and nothing was changed: "
        "look for shuffled or random labels, or for better features",
    )


def swapped(labels: np.ndarray, probabilities: np.ndarray, names: Sequence[str]) -> list[Finding]:
    """Pairs of classes of which each is mostly predicted as the other."""
    k = len(names)
    predicted = probabilities.argmax(1)
    matrix = np.bincount(labels * k + predicted, minlength=k * k).reshape(k, k)
    shares = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    first, second = np.nonzero(np.triu((shares > MOST) & (shares.T > MOST), 1))
    if not len(first):
        return []
    pairs = [f"{names[i]} and {names[j]}" for i, j in zip(first[:5].tolist(), second[:5].tolist(), strict=True)]
    return [
        Finding(
            "cleaning.swapped",
            "warning",
            LABELS,
            {"pairs": len(first), "classes": ", ".join(pairs)},
            "each is mostly predicted as the other, so these labels, or the columns of pred_probs, look swapped: "
            "nothing was changed; put their names right",
        )
    ]


def capped(labels: np.ndarray, wanted: np.ndarray, done: np.ndarray, names: Sequence[str]) -> list[Finding]:
    """The classes of which fewer rows were changed than the treatment would have."""
    held = np.unique(labels[wanted & ~done]).tolist()
    if not held:
        return []
    counts = {names[c]: f"{int(done[labels == c].sum())} of {int(wanted[labels == c].sum())}" for c in held[:10]}
    return [
        Finding(
            "cleaning.capped",
            "info",
            LABELS,
            {"classes": len(held), "rows changed": counts},
            "no more of a class may be changed, by max_share and min_rows: the most doubted rows were",
        )
    ]


def redone(folds: Sequence[int], of: int) -> Finding:
    return Finding(
        "cleaning.fold_redone",
        "warning",
        LABELS,
        {"folds": len(folds), "of": of},
        "the model diverged on them, and a proxy has judged their rows: lower its learning rate, or scale the features",
    )


def unknown_keys(keys: Sequence[str]) -> Finding:
    return Finding(
        "cleaning.unknown_key",
        "warning",
        LABELS,
        {"keys": len(keys), "the first": keys[0]},
        "no training row has these keys of revert or confirmed: a row's key changes with its cells and its label",
    )
