"""From which probability on a row is best called class 1."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from prepkit.balance.probabilities import as_probabilities, full_correction
from prepkit.core import did_you_mean
from prepkit.errors import PrepkitError
from prepkit.source.dataset import check_spec, split_element
from prepkit.users_model import from_logits

CANDIDATES = 1000  # at which a metric that is a function is computed: each takes a pass over the rows
ROUNDING = 1e-6  # by which probabilities of float32 may lie beyond 0 or 1
EQUAL = 1e-12  # scores that differ by less are equal, computed from other counts
SEVERAL = (
    "a threshold parts two classes, numbered 0 and 1; of several, the one with the largest probability is taken: train "
    "with pk.adjusted_loss, or weigh them, to make rare ones count"
)

Counts = np.ndarray
Metric = str | Callable[[Any, Any], float]
Score = Callable[[Counts, Counts, int, int], np.ndarray]


def _accuracy(tp: Counts, fp: Counts, positives: int, negatives: int) -> np.ndarray:
    return np.asarray((tp + negatives - fp) / (positives + negatives))


def _balanced_accuracy(tp: Counts, fp: Counts, positives: int, negatives: int) -> np.ndarray:
    return np.asarray((tp / positives + 1 - fp / negatives) / 2)


def _f1(tp: Counts, fp: Counts, positives: int, negatives: int) -> np.ndarray:
    return np.asarray(2 * tp / (tp + fp + positives))


def _mcc(tp: Counts, fp: Counts, positives: int, negatives: int) -> np.ndarray:
    fn, tn = positives - tp, negatives - fp
    spread = np.sqrt((tp + fp) * (tn + fn)) * np.sqrt(float(positives) * negatives)
    return np.asarray((tp * tn - fp * fn) / np.where(spread, spread, 1.0))  # 0 where all rows are called one class


def _g_mean(tp: Counts, fp: Counts, positives: int, negatives: int) -> np.ndarray:
    return np.asarray(np.sqrt(tp / positives * (negatives - fp) / negatives))


SCORES: dict[str, Score] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "f1": _f1,
    "mcc": _mcc,
    "g_mean": _g_mean,
}
FUNCTIONS = {  # of scikit-learn and imbalanced-learn
    "accuracy_score": "accuracy",
    "balanced_accuracy_score": "balanced_accuracy",
    "f1_score": "f1",
    "matthews_corrcoef": "mcc",
    "geometric_mean_score": "g_mean",
}


def best_threshold(y: Any, probabilities: Any, metric: Metric = "balanced_accuracy") -> float:
    """The threshold at which calling rows class 1 scores best: those with a probability equal to it or above.

    All ways to part the rows are tried, all in one class among them. The threshold lies in the middle between two
    probabilities that occur (or between the last of them and 0 or 1); of several that are equally good, it is the one
    nearest to 0.5. For none of the rows to be class 1 where one has the probability 1, it is the next number above 1.

    Args:
        y: class numbers 0 and 1, (rows,) or (rows, 1), both of which have to occur.
        probabilities: of class 1, (rows,) or (rows, 1), or of both classes, (rows, 2).
        metric: "accuracy", "balanced_accuracy", "f1", "mcc" or "g_mean", or the name of the function that computes it
            in scikit-learn or imbalanced-learn, exact and in O(n log n); or a function of (y, predicted class numbers),
            larger being better and NaN worst, which is computed at 1,000 quantiles of the probabilities at most.

    Raises:
        PrepkitError: for an unknown metric; for other than two classes; if one does not occur; if `probabilities` are
            of other rows, or not between 0 and 1; if the function gives no number.

    Example:
        >>> best_threshold([0, 0, 0, 1], [0.1, 0.2, 0.3, 0.4], "f1").__round__(6)
        0.35

    Source: the metrics as in scikit-learn's accuracy_score, balanced_accuracy_score, f1_score and matthews_corrcoef,
        and imbalanced-learn's geometric_mean_score.
    """
    name = FUNCTIONS.get(metric, metric) if isinstance(metric, str) else ""
    if not callable(metric) and name not in SCORES:
        raise PrepkitError(f"metric={metric!r} is not known{did_you_mean(str(metric), [*SCORES, *FUNCTIONS])}")
    hit = _class_numbers(y)
    p = _of_class_1(probabilities, len(hit))
    thresholds, called = _partitions(p)
    if callable(metric):
        some = np.unique(np.searchsorted(called, np.linspace(0, len(p), CANDIDATES).astype(np.int64)))
        thresholds = thresholds[some]
        scores = _computed(metric, hit, p, thresholds)
    else:
        found = np.append(0, np.cumsum(hit[np.argsort(-p, kind="stable")]))[called].astype(np.float64)
        positives = int(hit.sum())
        scores = SCORES[name](found, called - found, positives, len(hit) - positives)
    best = scores.max()
    good = thresholds[scores >= best - EQUAL * max(1.0, abs(best))]
    return float(good[np.abs(good - 0.5).argmin()])


def _partitions(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Falling thresholds, one for each way to part the rows, and how many rows are then called class 1."""
    values, rows = np.unique(p, return_counts=True)
    top = np.ones(1, p.dtype) if values[-1] < 1 else np.nextafter(np.ones(1, p.dtype), np.inf, dtype=p.dtype)
    edges = np.concatenate([top, values[::-1], np.zeros(1, p.dtype)])
    above, below = edges[:-1], edges[1:]
    middle = (above + below) / 2
    # Between neighbouring floating-point numbers there is none, and the middle is rounded to one of the two.
    return np.where(middle > below, middle, above), np.append(0, np.cumsum(rows[::-1]))


def _computed(metric: Callable[[Any, Any], float], y: np.ndarray, p: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    try:
        scores = np.array([float(metric(y, (p >= t).astype(np.int64))) for t in thresholds])
    except (TypeError, ValueError) as error:
        name = getattr(metric, "__name__", repr(metric))
        raise PrepkitError(f"metric {name} gives no number for class numbers (y, predicted): {error}") from error
    if np.isnan(scores).all():
        raise PrepkitError(f"metric {getattr(metric, '__name__', repr(metric))} is NaN at every threshold.")
    return np.where(np.isnan(scores), -np.inf, scores)


def _class_numbers(y: Any) -> np.ndarray:
    """As int64 (rows,), both 0 and 1 among them."""
    given = np.asarray(y)
    flat = given[:, 0] if given.ndim == 2 and given.shape[1] == 1 else given
    if flat.ndim != 1 or flat.dtype.kind not in "biuf":
        raise PrepkitError(
            f"y has shape {given.shape} and type {given.dtype}: give class numbers, (rows,); of one-hot rows, "
            "y.argmax(1)."
        )
    if odd := [v for v in np.unique(flat).tolist() if v not in (0, 1)]:
        raise PrepkitError(f"y holds {odd[0]}, but {SEVERAL}.")
    present = np.unique(flat).tolist()
    if len(present) < 2:
        only = f"only class {present[0]:g}" if present else "no rows"
        raise PrepkitError(f"y holds {only}: a threshold is found on rows of both classes; give more rows.")
    return flat.astype(np.int64)


def _of_class_1(probabilities: Any, n: int) -> np.ndarray:
    """As floats (rows,), 0 to 1."""
    given = np.asarray(probabilities)
    if given.ndim == 2 and given.shape[1] > 2:
        raise PrepkitError(f"probabilities are of {given.shape[1]} classes, but {SEVERAL}.")
    p = given[:, -1] if given.ndim == 2 and given.shape[1] else given
    if p.ndim != 1 or p.dtype.kind not in "biuf":
        raise PrepkitError(
            f"probabilities have shape {given.shape} and type {given.dtype}: give numbers, (rows,), (rows, 1) or "
            "(rows, 2)."
        )
    if len(p) != n:
        raise PrepkitError(f"probabilities are of {len(p):,} rows, but y of {n:,}: give those of the same rows.")
    p = p if p.dtype.kind == "f" else p.astype(np.float64)
    if not (inside := (p >= -ROUNDING) & (p <= 1 + ROUNDING)).all():
        raise PrepkitError(
            f"probabilities hold {p[~inside][0]:g} in row {int((~inside).argmax()):,}, but lie between 0 and 1: apply "
            "sigmoid or softmax to logits, and look for the cause of NaN in the model."
        )
    return p.clip(0, 1)


def labelled_probabilities(
    model: Any, dataset: Any, *, correction: Sequence[float] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Class numbers and probabilities of the rows of a dataset, in one pass, so that they belong together.

    A shuffled dataset has its rows in another order each time.

    Args:
        model: a Keras model, whose loss, if it has one, tells whether it gives logits; or a function of a batch of
            features that gives probabilities as they are to be.
        dataset: finite, in batches of (features, label) or (features, label, weight); class numbers (rows,) or
            (rows, 1), or one-hot rows. Weights are not used.
        correction: see `Served.of`.

    Returns:
        int64 (rows,) and, as many units as the model has, float (rows, units).

    Raises:
        PrepkitError: if the dataset has no labels or no rows, has no end, or is not in batches; for a correction of
            another length than there are classes.
    """
    numbers, rows = [], []
    for x, y in _batches(dataset):
        rows.append(np.asarray(_probabilities(model, x, correction) if isinstance(model, keras.Model) else model(x)))
        label = y.numpy()
        numbers.append(label.argmax(1) if label.ndim == 2 and label.shape[1] > 1 else label.reshape(-1))
    if not rows:
        raise PrepkitError("the dataset has no rows: give those of a validation set.")
    return np.concatenate(numbers).astype(np.int64), np.concatenate(rows)


def _probabilities(model: keras.Model, x: Any, correction: Sequence[float] | None) -> tf.Tensor:
    out = tf.convert_to_tensor(model(x, training=False))
    whole = full_correction(model, correction, max(2, out.shape[-1]))
    return as_probabilities(out, logits=bool(from_logits(model)), correction=whole)


def _batches(dataset: Any) -> Any:
    """Features and labels of each batch."""
    if not isinstance(dataset, tf.data.Dataset):
        raise PrepkitError(f"give a tf.data.Dataset of (features, label), not a {type(dataset).__name__}.")
    check_spec(dataset.element_spec)
    _, y, _ = split_element(dataset.element_spec)
    if y is None:
        raise PrepkitError("the dataset has no labels: give (features, label).")
    if y.shape.rank == 0:
        raise PrepkitError("the dataset gives single rows: batch it, as in dataset.batch(256).")
    if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise PrepkitError("the dataset has no end: take(n) some batches of it.")
    return ((x, y) for x, y, *_ in dataset)
