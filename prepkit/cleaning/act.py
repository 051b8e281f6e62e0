"""What may be done with doubted rows, and how far it may go."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from prepkit.cleaning.data import DROP, NOTHING, RELABEL, WEIGHT


@dataclass(frozen=True)
class Treated:
    """The class number and the weight, float32, that each row trains with; weight 0 where it is left out."""

    classes: np.ndarray
    weights: np.ndarray

    def changed(self, labels: np.ndarray) -> np.ndarray:
        """Which rows are not as they were."""
        return np.asarray((self.classes != labels) | (self.weights != 1))


@dataclass(frozen=True)
class Limits:
    """How far it may go with one class.

    Args:
        max_share: the largest share of its rows that is changed.
        min_rows: so many of its rows stay as they are, whatever the share.
    """

    max_share: float
    min_rows: int

    def allowed(self, rows: int) -> int:
        """How many of the rows of a class may be changed."""
        return max(0, min(int(self.max_share * rows + 1e-9), rows - self.min_rows))

    def kept_within(self, treated: Treated, labels: np.ndarray, quality: np.ndarray, same: np.ndarray) -> Treated:
        """The same, but that of a class with too many changed rows only the most doubted are.

        Args:
            treated: what is to be done.
            labels: class numbers (rows,) as given.
            quality: of each label, 0 the worst.
            same: numbers (rows,) from 0, equal for rows that are the same in all: they change together or not at all.
        """
        changed = treated.changed(labels)
        stays = np.zeros(len(labels), bool)
        for c in np.unique(labels[changed]).tolist():
            own = np.flatnonzero(labels == c)
            places = own[changed[own]]
            allowed = self.allowed(len(own))
            if len(places) > allowed:
                places = places[np.argsort(quality[places], kind="stable")]
                stays[places[allowed:]] = True
        if not stays.any():
            return treated
        together = np.zeros(int(same.max()) + 1, bool)
        together[same[stays]] = True
        stays = together[same]
        weights = np.where(stays, np.float32(1), treated.weights)
        return Treated(np.where(stays, labels, treated.classes), weights)


@dataclass(frozen=True)
class Treatment:
    """A way to treat rows.

    Args:
        action: "nothing", "weight", "drop", "relabel" or "relabel and drop".
        wide: whether all rows are treated whose label is not the most probable class, or only those that are flagged.
        sure: the least probability of the suggested class for a row to be relabelled, and twice the least margin by
            which it has to be more probable than the given one.
    """

    action: str
    wide: bool = False
    sure: float = 1.0

    def __str__(self) -> str:
        wide = "all that disagree: " if self.wide else ""
        return wide + self.action + (f" (sure from {self.sure:g})" if RELABEL in self.action else "")

    def __call__(self, labels: np.ndarray, probabilities: np.ndarray, flags: np.ndarray, fixed: np.ndarray) -> Treated:
        """What becomes of rows.

        Args:
            labels: class numbers (rows,).
            probabilities: out of sample (rows, classes).
            flags: bool (rows,), the doubted ones.
            fixed: bool (rows,), those that must stay as they are.
        """
        given = probabilities[np.arange(len(labels)), labels]
        likeliest, highest = probabilities.argmax(1).astype(labels.dtype), probabilities.max(1)
        doubted = (flags | (likeliest != labels) if self.wide else flags) & ~fixed
        classes, weights = labels.copy(), np.ones(len(labels), np.float32)
        if self.action == WEIGHT:
            weights[doubted] = given[doubted]
        elif self.action == DROP:
            weights[doubted] = 0
        elif self.action != NOTHING:
            sure = doubted & (highest >= self.sure) & (highest - given >= self.sure / 2) & (likeliest != labels)
            classes[sure] = likeliest[sure]
            if self.action == "relabel and drop":
                weights[doubted & ~sure] = 0
        return Treated(classes, weights)
