"""What cleanlab says of labels: which are doubted, how good each one is, and how they go wrong."""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from prepkit.cleaning.data import Noise
from prepkit.rows.clean_labels import FILTERS, RANKS

# Values, rows x classes. The exact form takes 9 bytes a value of float32 probabilities and 18 of float64, these not
# counted: up to here 1.7 GiB at most, measured at 10M x 10. cleanlab, too, calls more than that big.
BATCHED = 100_000_000
PIECE = 2**20  # values at a time, 8 MB of float64: few calls, and little memory beside the probabilities
# Of the bootstrap. 200 resamples tell a standard error to 5 %, and so many rows its size: 0.4 s for 10 classes.
RESAMPLES, ROWS = 200, 20_000
NEAR = 32  # classes of a row nearest to its being counted for them; with 8, a resample of rare classes was off by 0.05
_MARGIN = 1e-6  # cleanlab's FLOATING_POINT_COMPARISON: by how much another class has to be more probable
_ONE_AT_A_TIME = threading.Lock()  # cleanlab hands the rows of each class on in a global variable


class Flags(NamedTuple):
    """Which rows are doubted: bool (rows,); and whether the batched form, which is approximate, has said so."""

    rows: np.ndarray
    approximate: bool


def flagged(labels: np.ndarray, probabilities: np.ndarray, filter_by: str, *, batched_above: int = BATCHED) -> Flags:
    """The rows whose label cleanlab doubts.

    The flags are those of `cleanlab.filter.find_label_issues`. A class without a row is left out beforehand, and the
    other probabilities divided by their sum, for cleanlab wants a row of every class. Of fewer than two classes
    nothing is flagged.

    Above a size, cleanlab's batched form takes the place of each method: it keeps one number a row, and flags the
    rows of the least self-confidence, or of the least margin for "low_normalized_margin". On three data sets with 20 %
    wrong labels it flagged 81 to 87 % as many rows as "prune_by_noise_rate", and 96 to 100 % of them were the same.

    Args:
        labels: class numbers (rows,), each below the number of columns of `probabilities`.
        probabilities: float32 or float64 (rows, classes), finite, out of sample, summing to 1 in each row.
        filter_by: one of `FILTERS`.
        batched_above: the number of values, rows x classes of which there are rows, above which the batched form is
            used.

    Returns:
        bool (rows,), and whether it is approximate.

    Example:
        >>> given = np.array([0, 0, 0, 2, 2, 2])
        >>> p = np.array([[0.9, 0.0, 0.1]] * 3 + [[0.1, 0.0, 0.9]] * 2 + [[0.9, 0.0, 0.1]])
        >>> flagged(given, p, "prune_by_noise_rate")
        Flags(rows=array([False, False, False, False, False,  True]), approximate=False)

    Source: Northcutt, Jiang and Chuang (2021), Confident Learning, doi:10.1613/jair.1.12125.
    """
    assert filter_by in FILTERS, filter_by
    present, numbers, kept = _present(labels, probabilities)
    if len(present) < 2:
        return Flags(np.zeros(len(numbers), bool), False)
    if kept.size > batched_above:
        rank = "normalized_margin" if filter_by == "low_normalized_margin" else "self_confidence"
        return Flags(_batched(numbers, kept, rank), True)
    import cleanlab.filter

    with _ONE_AT_A_TIME, _quiet():
        try:
            rows = cleanlab.filter.find_label_issues(numbers, kept, filter_by=filter_by, n_jobs=1)
        finally:  # a copy of all probabilities, which cleanlab would hold until the next call
            vars(cleanlab.filter).pop("pred_probs_by_class", None)
    return Flags(rows, False)


def quality(labels: np.ndarray, probabilities: np.ndarray, rank: str) -> np.ndarray:
    """How good each label is, by `cleanlab.rank.get_label_quality_scores`.

    A class without a row is left out as in `flagged`; of fewer than two classes every label is as good as can be.

    Args:
        labels: as for `flagged`.
        probabilities: as for `flagged`. One that is exactly 1 gives 0 by "confidence_weighted_entropy", whatever the
            label: `prepkit.cleaning.given.cured` keeps them off 0 and 1.
        rank: one of `RANKS`.

    Returns:
        float64 (rows,) from 0, the worst, to 1.

    Example:
        >>> quality(np.array([0, 1]), np.array([[0.9, 0.1], [0.7, 0.3]]), "normalized_margin")
        array([0.9, 0.3])
    """
    assert rank in RANKS, rank
    present, numbers, kept = _present(labels, probabilities)
    scores = np.ones(len(numbers))
    if len(present) < 2:
        return scores
    from cleanlab.rank import get_label_quality_scores

    for piece in _pieces(kept):
        scores[piece] = get_label_quality_scores(numbers[piece], kept[piece], method=rank)
    return scores


def noise(labels: np.ndarray, probabilities: np.ndarray, seed: int) -> Noise:
    """How labels go wrong, by cleanlab's confident joint.

    The matrix is that of `cleanlab.count.estimate_py_and_noise_matrices_from_probabilities`, the rate 1 - the trace of
    `cleanlab.count.estimate_joint`. A class without a row, or to which by that estimate no row truly belongs, has an
    identity column. Of fewer than two classes no label is wrong.

    The interval is by bootstrap over rows: in each resample thresholds are learned and rows counted anew, for with
    thresholds held fixed 85 % of such intervals held the rate where 95 % should. Held fixed are the probabilities, as
    if the model had not been trained on these rows. Of more than `ROWS` rows as many are resampled, drawn at random,
    and the spread is scaled by the root of their share.

    Args:
        labels: as for `flagged`.
        probabilities: as for `flagged`.
        seed: of the bootstrap.

    Returns:
        The noise of all classes, those without a row among them.

    Example:
        >>> given = np.array([0] * 50 + [1] * 50)
        >>> p = np.array([[0.9, 0.1]] * 50 + [[0.1, 0.9]] * 40 + [[0.9, 0.1]] * 10)
        >>> found = noise(given, p, seed=0)
        >>> print(found.matrix.round(3), round(found.rate, 3), [round(x, 2) for x in found.interval])
        [[0.833 0.   ]
         [0.167 1.   ]] 0.1 [0.04, 0.16]

    Source: Northcutt, Jiang and Chuang (2021), Confident Learning, doi:10.1613/jair.1.12125.
    """
    present, numbers, kept = _present(labels, probabilities)
    matrix = np.eye(probabilities.shape[1])
    if len(present) < 2:
        return Noise(matrix, 0.0, (0.0, 0.0))
    from cleanlab import count

    joint = count.compute_confident_joint(numbers, kept, calibrate=True)
    _, found, _ = count.estimate_latent(joint, numbers, converge_latent_estimates=True)
    empty = np.flatnonzero(found.sum(axis=0) == 0)
    found[empty, empty] = 1.0
    matrix[np.ix_(present, present)] = found
    rate = float(1 - np.trace(joint) / joint.sum())
    return Noise(matrix, rate, _interval(numbers, kept, rate, seed))


def _present(labels: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The classes that have rows, the labels as places among them, and the probabilities of these alone."""
    labels, classes = np.asarray(labels), probabilities.shape[1]
    assert len(labels) == len(probabilities), (len(labels), len(probabilities))
    assert math.isfinite(probabilities.sum(dtype=np.float64)), "probabilities are not finite"
    counts = np.bincount(labels, minlength=classes)
    assert len(counts) == classes, f"class number {len(counts) - 1} of {classes} classes"
    present = np.flatnonzero(counts)
    if len(present) == classes:
        return present, labels, probabilities
    kept = probabilities[:, present]
    sums = kept.sum(axis=1, keepdims=True)
    nothing = sums[:, 0] == 0  # all probability is on classes that have no row: none of the others is doubted more
    kept[nothing], sums[nothing] = 1.0, max(len(present), 1)
    kept /= sums
    return present, np.searchsorted(present, labels), kept


def _batched(labels: np.ndarray, probabilities: np.ndarray, rank: str) -> np.ndarray:
    """What `find_label_issues_batched` flags, without its copy of all probabilities and its list of all scores."""
    from cleanlab.experimental.label_issues_batched import LabelInspector

    inspector = LabelInspector(
        num_class=probabilities.shape[1], store_results=False, verbose=False, quality_score_kwargs={"method": rank}
    )
    for piece in _pieces(probabilities):
        inspector.update_confident_thresholds(labels[piece], probabilities[piece])
    scores = np.empty(len(labels), probabilities.dtype)
    likely = np.empty(len(labels), bool)  # those whose label is the most probable class, or nearly
    for piece in _pieces(probabilities):
        scores[piece] = inspector.score_label_quality(labels[piece], probabilities[piece])
        likely[piece] = _of_labels(labels[piece], probabilities[piece]) + _MARGIN >= probabilities[piece].max(axis=1)
    rows = np.zeros(len(labels), bool)
    rows[np.argsort(scores)[: inspector.get_num_issues(silent=True)]] = True
    return rows & ~likely


def _interval(labels: np.ndarray, probabilities: np.ndarray, rate: float, seed: int) -> tuple[float, float]:
    """A 95 % interval of the rate of wrong labels."""
    rng = np.random.default_rng(seed)
    share = min(1.0, ROWS / len(labels))
    if share < 1:
        chosen = rng.choice(len(labels), ROWS, replace=False)
        labels, probabilities = labels[chosen], probabilities[chosen]
    rows = _Rows.of(labels, probabilities)
    n = len(labels)
    rates = [rows.rate(np.bincount(rng.integers(0, n, n), minlength=n)) for _ in range(RESAMPLES)]
    low, middle, high = np.percentile(rates, [2.5, 50, 97.5])
    scale = math.sqrt(share)
    return max(0.0, float(rate + (low - middle) * scale)), min(1.0, float(rate + (high - middle) * scale))


class _Rows(NamedTuple):
    """What it takes to count rows for classes once more, each a number of times."""

    classes: int
    labels: np.ndarray  # (rows,)
    given: np.ndarray  # the probability of the label
    likeliest: np.ndarray  # the most probable class
    near: np.ndarray  # (rows, up to NEAR), the classes nearest to their thresholds
    values: np.ndarray  # their probabilities

    @classmethod
    def of(cls, labels: np.ndarray, probabilities: np.ndarray) -> _Rows:
        classes = probabilities.shape[1]
        given = _of_labels(labels, probabilities)
        thresholds = _thresholds(labels, given, np.ones(len(labels)), classes).astype(probabilities.dtype)
        last = min(NEAR, classes) - 1
        pieces = [np.argpartition(thresholds - probabilities[p], last)[:, :NEAR] for p in _pieces(probabilities)]
        near = np.concatenate(pieces)
        values = np.take_along_axis(probabilities, near, axis=1)
        return cls(classes, labels, given, probabilities.argmax(axis=1), near, values)

    def rate(self, times: np.ndarray) -> float:
        """1 - the trace of cleanlab's joint, not rounded to whole rows, when row i is there `times[i]` times."""
        counted = self.values >= (_thresholds(self.labels, self.given, times, self.classes) - _MARGIN)[self.near]
        classes_of = counted.sum(axis=1)  # how many each row is counted for; the most probable one is taken of several
        only = np.take_along_axis(self.near, counted.argmax(axis=1)[:, None], axis=1)[:, 0]
        guess = np.where(classes_of == 1, only, self.likeliest)
        sizes, confident, right = (
            np.bincount(self.labels, times * which, self.classes)
            for which in (1, classes_of > 0, (classes_of > 0) & (guess == self.labels))
        )
        wrong = confident - right
        return float((sizes * wrong / (np.maximum(right, 1) + wrong)).sum() / sizes.sum())  # one is right, for cleanlab


def _thresholds(labels: np.ndarray, given: np.ndarray, times: np.ndarray, classes: int) -> np.ndarray:
    """From which probability on a row is counted for a class: the mean of those of its rows; out of reach without."""
    sizes = np.bincount(labels, times, classes)
    means = np.bincount(labels, times * given, classes) / np.maximum(sizes, 1)
    return np.where(sizes > 0, np.maximum(means, 2 * _MARGIN), 2.0)


def _of_labels(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    return np.take_along_axis(probabilities, labels[:, None], axis=1)[:, 0]


def _pieces(values: np.ndarray) -> Iterator[slice]:
    """Slices of rows, in order, of about `PIECE` values."""
    step = max(1, PIECE // max(1, values.shape[1]))
    return (slice(start, start + step) for start in range(0, len(values), step))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warning that a class of one row cannot be pruned: its row is kept, as it should be."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="May not flag all label issues")
        yield
