"""What may be done with doubted rows, and how far it may go."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NOTHING, RELABEL_DROP = "nothing", "relabel and drop"


@dataclass(frozen=True)
class Treatment:
    """A way to treat rows.

    Args:
        action: "nothing", "weight", "drop", "relabel" or "relabel and drop".
        wide: whether all rows are treated whose label is not the most probable class, or those that are flagged.
        sure: the least probability of the suggested class, and by how much it has to be more probable than the
            given one, for a row to be relabelled.
    """

    action: str
    wide: bool = False
    sure: float = 1.0

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
        if self.action == "weight":
            weights[doubted] = given[doubted]
        elif self.action == "drop":
            weights[doubted] = 0
        elif self.action != NOTHING:
            sure = doubted & (highest >= self.sure) & (highest - given >= self.sure / 2) & (likeliest != labels)
            classes[sure] = likeliest[sure]
            if self.action == RELABEL_DROP:
                weights[doubted & ~sure] = 0
        return Treated(classes, weights)


@dataclass(frozen=True)
class Treated:
    """The class number and the weight that each row trains with; weight 0 where it is left out."""

    classes: np.ndarray
    weights: np.ndarray

    def changed(self, labels: np.ndarray) -> np.ndarray:
        """Which rows are not as they were."""
        return (self.classes != labels) | (self.weights != 1)
