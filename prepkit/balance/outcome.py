"""What resampling makes of the training rows, in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

SPARED = "left out by undersampling, others in each epoch"


@dataclass(frozen=True)
class Outcome:
    """What an epoch is made of.

    Args:
        counts: rows of each class in an epoch.
        repeated: how many of them are rows that have come before.
        synthetic: how many were made.
        left_out: rows that an epoch does not have.
        left_out_rows: int64, their numbers, where they are the same ones in each epoch.
        reason: why they are left out.
        notes: what else is to be known.
    """

    counts: tuple[int, ...]
    repeated: int = 0
    synthetic: int = 0
    left_out: int = 0
    left_out_rows: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    reason: str = SPARED
    notes: tuple[str, ...] = ()


def of_targets(counts: Sequence[int], targets: Sequence[int]) -> Outcome:
    """Where rows are drawn anew in each epoch, from `counts` of each class to `targets`."""
    kept = sum(map(min, counts, targets))
    return Outcome(tuple(targets), repeated=sum(targets) - kept, left_out=sum(counts) - kept)


def of_rows(rows: np.ndarray, labels: np.ndarray, numbers: np.ndarray, classes: int, reason: str) -> Outcome:
    """Where a sampler was run once.

    Args:
        rows: int64 (n,), the place of each row among those that it was given, or -1 where it was made.
        labels: int32 (n,), their classes.
        numbers: int64, the number of each row that it was given, in the order of reading.
        classes: how many there are.
        reason: why rows are left out.
    """
    real = rows[rows >= 0]
    times = np.bincount(real, minlength=len(numbers))
    gone = numbers[times == 0]
    counts = tuple(np.bincount(labels, minlength=classes).tolist())
    return Outcome(counts, int((times[times > 1] - 1).sum()), int((rows < 0).sum()), len(gone), gone, reason)
