"""What a network says of rows that were not trained on, and how good that is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

LEAST = 1e-7  # of a probability, as in Keras' losses: a single sure error costs 16, not infinity
BINS = 15  # of the largest probability, as in Guo et al. 2017


def measured(y: np.ndarray, p: np.ndarray, said: np.ndarray, counts: Sequence[int]) -> dict[str, float]:
    """Measures of the probabilities of rows, by name; what cannot be computed is not there.

    Args:
        y: class numbers, int (rows,).
        p: probabilities under the prior of the data, (rows, classes): of them are "log_loss" (natural logarithm),
            "auc" (of two classes, of class 1; of more, the mean over the classes against the rest, of those that some
            rows are of and some are not) and "ece", the expected calibration error (0 to 1).
        said: those that the network gives, (rows, classes), under the prior that it was trained on: the class with the
            largest is its answer, of which are "balanced_accuracy" (mean recall of the classes that occur) and
            "minority_recall" (of the class with the fewest training rows, if it occurs), 0 to 1.
        counts: training rows of each class; those without any are no minority.

    Returns:
        Nothing for no rows, and where a probability is not finite.

    Example:
        >>> p = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]])
        >>> {k: round(v, 3) for k, v in measured(np.array([0, 1, 1]), p, p, (20, 10)).items()}
        {'log_loss': 0.415, 'ece': 0.3, 'auc': 1.0, 'balanced_accuracy': 0.75, 'minority_recall': 0.5}

    Source: Guo et al. 2017, "On calibration of modern neural networks", arXiv:1706.04599, for the calibration error;
        the others as in scikit-learn's log_loss, roc_auc_score, balanced_accuracy_score and recall_score.
    """
    if not len(y) or not (np.isfinite(p).all() and np.isfinite(said).all()):
        return {}
    out = {"log_loss": log_loss(y, p), "ece": _calibration_error(y, p)}
    classes = [1] if p.shape[1] == 2 else range(p.shape[1])
    areas = [_auc(y == c, p[:, c]) for c in classes if 0 < (y == c).sum() < len(y)]
    if areas:
        out["auc"] = float(np.mean(areas))
    answer = said.argmax(1)
    recalls = {int(c): float((answer[y == c] == c).mean()) for c in np.unique(y)}
    out["balanced_accuracy"] = float(np.mean(list(recalls.values())))
    trained = [c for c, n in enumerate(counts) if n]
    rarest = min(trained, key=lambda c: counts[c], default=-1)
    if rarest in recalls:
        out["minority_recall"] = recalls[rarest]
    return out


def log_loss(y: np.ndarray, p: np.ndarray) -> float:
    """Mean of -log of the probability of the right class, in float64; NaN if a probability is, or for no rows.

    Args:
        y: class numbers, int (rows,).
        p: probabilities (rows, classes): not below 1e-7 each, then made to sum to 1.

    Example:
        >>> round(log_loss(np.array([0, 1]), np.array([[0.5, 0.5], [1.0, 0.0]])), 3)
        8.406
    """
    if not len(y) or not np.isfinite(p).all():
        return float("nan")
    safe = np.clip(p.astype(np.float64), LEAST, 1)
    return float(np.mean(np.log(safe.sum(1)) - np.log(safe[np.arange(len(y)), y])))


def _calibration_error(y: np.ndarray, p: np.ndarray) -> float:
    """By how much the largest probability differs from how often it is right: the mean over bins of rows."""
    sure = p.max(1).astype(np.float64)
    bins = np.clip(np.ceil(sure * BINS).astype(np.int64) - 1, 0, BINS - 1)  # (0, 1/15], (1/15, 2/15], ...
    difference = np.bincount(bins, (p.argmax(1) == y) - sure, BINS)
    return float(np.abs(difference).sum() / len(y))


def _auc(hit: np.ndarray, p: np.ndarray) -> float:
    """How often a row of the class has a larger probability than another; ties count half (Mann and Whitney)."""
    _, place, n = np.unique(p, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(n) - (n - 1) / 2)[place]
    inside = int(hit.sum())
    return float((ranks[hit].sum() - inside * (inside + 1) / 2) / (inside * (len(hit) - inside)))
