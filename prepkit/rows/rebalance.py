"""Make every class count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from prepkit.core import TrainingStage, one_of

KINDS = ("class_weight",)


@dataclass(frozen=True)
class Rebalance(TrainingStage):
    """Give rare classes the weight that common ones have, in training only.

    Args:
        kind: "class_weight": each class weighs as much as any other; the weights are in
            `metadata.class_weight`, for `model.fit(class_weight=...)`, and have mean 1 over the
            training rows, so that the learning rate keeps its meaning.

    Raises:
        PrepkitError: for an unknown kind.

    Example:
        >>> import pandas as pd
        >>> import prepkit as pk
        >>> frame = pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0], "y": [0, 0, 0, 1]})
        >>> prepared = pk.Pipeline([pk.Rebalance("class_weight")]).prepare(frame, label="y", seed=0)
        >>> prepared.metadata.class_weight
        {0: 0.6666666666666666, 1: 2.0}

    Source: scikit-learn's compute_class_weight("balanced"), after King and Zeng 2001
        (doi:10.1093/oxfordjournals.pan.a004868).
    """

    kind: Literal["class_weight"] = "class_weight"

    def __post_init__(self) -> None:
        one_of(self.kind, KINDS, "Rebalance: kind")


def balanced_weights(counts: Sequence[int]) -> dict[int, float]:
    """n / (classes * count) for each class: mean 1 over the rows. A class without rows weighs 1."""
    n = np.asarray(counts, np.float64)
    present = n > 0
    weights = np.where(present, n.sum() / (present.sum() * np.maximum(n, 1)), 1.0)
    return {i: float(w) for i, w in enumerate(weights)}
