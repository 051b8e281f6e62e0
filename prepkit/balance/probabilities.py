"""What a model gives, as probabilities that hold under the prior that is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from prepkit.errors import PrepkitError

NOTHING = 1e-9  # corrections that differ by less change no probability of float32


def loss_of(model: Any) -> Any:
    """What a model was compiled with, also where that is a list or dict of one loss; None of a model that is not."""
    loss = getattr(model, "loss", None)
    if isinstance(loss, dict):
        loss = list(loss.values())
    return loss[0] if isinstance(loss, list | tuple) and len(loss) == 1 else loss


def gives_logits(model: Any) -> bool:
    """Whether its loss says so."""
    return bool(getattr(loss_of(model), "from_logits", False))


def full_correction(model: Any, correction: Sequence[float] | None, classes: int) -> tuple[float, ...] | None:
    """`correction` and, where the model learned by an adjusted loss, what undoes its adjustment.

    Args:
        model: compiled or not.
        correction: to add to the logit of each class, see `balance.prior.correction`; None for the probabilities as
            they are learned, whatever the loss.
        classes: how many numbers that has to be.

    Returns:
        The sum of the two; None if there is nothing to correct.

    Raises:
        PrepkitError: if it is another number of numbers, or one of them is not finite.
    """
    if correction is None:
        return None
    given = np.asarray(correction, np.float64)
    if given.shape != (classes,) or not np.isfinite(given).all():
        raise PrepkitError(f"correction={correction!r}: give one finite number for each of the {classes} classes.")
    whole = given + np.asarray(getattr(loss_of(model), "logit_correction", np.zeros(classes)), np.float64)
    return tuple(float(c) for c in whole) if np.ptp(whole) > NOTHING else None


def as_probabilities(out: Any, *, logits: bool = False, correction: Sequence[float] | None = None) -> Any:
    """What a model gave, (rows, classes) or (rows, 1), as probabilities of the same shape and dtype.

    Args:
        out: logits, or probabilities.
        logits: which of the two.
        correction: to add to the logit of each class. Of probabilities it is a factor of exp(correction), after which
            they are made to sum to 1 again: those that are 0 or 1 stay so.

    Example:
        >>> p = as_probabilities(tf.constant([[0.5], [1.0]]), correction=(0.0, -float(np.log(9))))
        >>> p.numpy().round(4).tolist()
        [[0.1], [1.0]]
    """
    single = out.shape[-1] == 1
    if logits:
        if correction is not None:
            shift = [correction[1] - correction[0]] if single else correction
            out = out + tf.constant(shift, out.dtype)
        return keras.ops.sigmoid(out) if single else keras.ops.softmax(out)
    if correction is None:
        return out
    # In float64: of float32, exp(-104) is 0, and so would be all of a row that was certain of the other class.
    factor = np.exp(np.asarray(correction, np.float64) - max(correction))
    p = tf.cast(out, tf.float64)
    p = factor * (tf.concat([1 - p, p], -1) if single else p)
    p = tf.math.divide_no_nan(p, tf.reduce_sum(p, -1, keepdims=True))
    return tf.cast(p[..., 1:] if single else p, out.dtype)
