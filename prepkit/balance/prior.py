"""What changing how much classes count does to probabilities, as ready numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

LEAST = 1e-6  # share of a class without rows, where a logarithm is taken of it


def shares(amounts: Sequence[float]) -> tuple[float, ...]:
    """Amounts of each class, as rows times weight, as shares that sum to 1; all 0 of nothing."""
    total = float(sum(amounts))
    return tuple(float(a) / (total or 1.0) for a in amounts)


def log_shares(prior: Sequence[float]) -> tuple[float, ...]:
    """The logarithm of each class's share, a class without rows counted as one in a million.

    Added to the logits in the loss, it makes the network learn logits in which all classes count the same.

    Source: Menon et al. 2021, Long-tail learning via logit adjustment (https://openreview.net/forum?id=37nvvqkCo5).
    """
    return tuple(float(v) for v in np.log(np.maximum(np.asarray(prior, np.float64), LEAST)))


def correction(prior: Sequence[float], training_prior: Sequence[float]) -> tuple[float, ...]:
    """What to add to the logits of a network trained under one prior, so that its probabilities hold under another.

    The logarithm of the ratio for each class; 0 where a class has no share in one of the two.

    Example:
        >>> correction((0.9, 0.1), (0.5, 0.5))
        (0.5877866649021191, -1.6094379124341003)

    Source: Elkan 2001, The foundations of cost-sensitive learning, theorem 2; Saerens, Latinne and Decaestecker 2002
        (doi:10.1162/089976602753284446), equation 2.4.
    """
    there, seen = np.asarray(prior, np.float64), np.asarray(training_prior, np.float64)
    both = (there > 0) & (seen > 0)
    ratio = np.where(both, there, 1.0) / np.where(both, seen, 1.0)
    return tuple(float(v) for v in np.log(ratio))


def focal_alpha(training_prior: Sequence[float]) -> tuple[float, ...]:
    """For each class, the factor of focal loss, falling with its share: (1 / share), scaled to sum to 1.

    Of two classes it is the other one's share, so that the second number is `alpha` of Keras' `BinaryFocalCrossentropy`
    and the whole that of `CategoricalFocalCrossentropy`. A class without rows counts as the smallest that has any.

    Example:
        >>> focal_alpha((0.9, 0.1))
        (0.1, 0.9)

    Source: Lin et al. 2017, Focal loss for dense object detection (doi:10.1109/ICCV.2017.324), section 3.2.
    """
    share = np.asarray(training_prior, np.float64)
    inverse = 1 / np.where(share > 0, share, share[share > 0].min(initial=1.0))
    return tuple(float(v) for v in np.round(inverse / inverse.sum(), 12))
