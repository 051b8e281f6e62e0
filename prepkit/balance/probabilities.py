"""What a model gives, as probabilities that hold under the prior that is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from prepkit.errors import PrepkitError
from prepkit.users_model import are_probabilities, from_logits, loss_of, shapes

NOTHING = 1e-9  # corrections that differ by less change no probability of float32


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


def class_probabilities(
    model: Any, out: Any, classes: int, correction: Sequence[float] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """What a model gave, as probabilities under the prior of the data, and under the one that it was trained on.

    Args:
        model: compiled; its loss tells whether it gives logits.
        out: a tensor (rows, classes), or (rows, 1) of class 1 of two.
        classes: how many there are.
        correction: for the prior, to add to each class's logit; what undoes an adjusted loss comes on top of it. None
            for the probabilities as they are learned, twice.

    Returns:
        Two arrays float64 (rows, classes), each row summing to 1; all NaN if the model gave anything not finite.

    Raises:
        PrepkitError: if `out` has another shape, or is neither probabilities nor logits that the loss knows of.

    Example:
        >>> import keras
        >>> model = keras.Sequential([keras.layers.Dense(1, "sigmoid")])
        >>> model.compile(loss="binary_crossentropy")
        >>> p, said = class_probabilities(model, tf.constant([[0.5]]), 2, (0.0, -float(np.log(9))))
        >>> p.round(3).tolist(), said.tolist()
        ([[0.9, 0.1]], [[0.5, 0.5]])
    """
    expected = f"{classes} units with a softmax" + " or one with a sigmoid" * (classes == 2)
    if not tf.is_tensor(out) or tuple(out.shape[1:]) not in ((classes,), (1,) * (classes == 2)):
        raise PrepkitError(f"the model gives {shapes(out)} for {classes} classes: end it with {expected}.")
    out = tf.cast(out, tf.float32)
    values = out.numpy()
    if not np.isfinite(values).all():
        nothing = np.full((len(values), classes), np.nan)
        return nothing, nothing
    told = from_logits(model)
    logits = not are_probabilities(model, values, told)
    if logits and told is False:
        raise PrepkitError(
            f"the model gives values from {values.min():.3g} to {values.max():.3g}, but its loss takes them for "
            f"probabilities: end it with {expected}, or give the loss from_logits=True."
        )
    whole = full_correction(model, correction, classes)
    said = _of_all_classes(as_probabilities(out, logits=logits))
    if whole is None:
        return said, said
    return _of_all_classes(as_probabilities(out, logits=logits, correction=whole)), said


def _of_all_classes(p: Any) -> np.ndarray:
    """Of each class, float64, each row summing to 1."""
    p = p.numpy().astype(np.float64).clip(0, 1)
    p = np.concatenate([1 - p, p], axis=1) if p.shape[1] == 1 else p
    total = p.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(p, total, out=np.full_like(p, 1 / p.shape[1]), where=total > 0))
