"""Losses in which rare classes count as much as common ones."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from prepkit.balance.prior import focal_alpha, log_shares
from prepkit.core import one_of
from prepkit.errors import PrepkitError
from prepkit.graph import as_written
from prepkit.metadata import Metadata

LOGIT_ADJUSTMENT, FOCAL = "logit_adjustment", "focal"
METHODS = (LOGIT_ADJUSTMENT, FOCAL)
TAU, GAMMA = 1.0, 2.0  # at which the one is consistent for the balanced error, and the other did best, in their papers


def adjusted_loss(
    metadata: Metadata,
    method: Literal["logit_adjustment", "focal"] = "logit_adjustment",
    *,
    tau: float = TAU,
    gamma: float = GAMMA,
    from_logits: bool = False,
) -> AdjustedLoss:
    """A Keras loss that makes rare classes count, by the shares of the classes that the network sees.

    Those are `metadata.training_prior`, so that what `Rebalance` has done already is not done twice: where classes
    come equally often, the loss is the plain one. For labels in any form, and one sigmoid unit of two classes as well
    as one unit a class. Start the last layer at a bias of 0: `metadata.initial_bias` is for a plain loss.

    `fitted.attach(model)` undoes the adjustment as it undoes resampling, so that probabilities are true, but for what
    `gamma` does to them; `attach(model, correct_prior=False)` leaves the classes counting the same.

    Args:
        metadata: of the training data.
        method: "logit_adjustment": cross-entropy on logits + tau * log(share of the class); or "focal": cross-entropy
            times alpha * (1 - p)**gamma, where p is the probability of the true class and alpha is
            `metadata.focal_alpha`.
        tau: of "logit_adjustment", 0 or more; 1 for the balanced error, 0 for the plain loss.
        gamma: of "focal", 0 or more: how much less do rows count that are right already; 0 for class weights alone.
        from_logits: whether the model ends without activation.

    Returns:
        To compile with: `model.compile("adam", pk.adjusted_loss(prepared.metadata))`. It is saved with the model, and
        read back where `prepkit.losses` has been imported.

    Raises:
        PrepkitError: for an unknown method, a setting of the other one, or one that is negative or not finite; for
            labels of several classes a row; if a class has no rows. When training, if the model does not give one
            number a class, or the labels are of another form.

    Example:
        >>> import keras
        >>> import prepkit as pk
        >>> data = {"x": [1.0, 2.0, 3.0, 4.0], "y": [0, 0, 0, 1]}
        >>> loss = adjusted_loss(pk.Pipeline([]).fit(data, label="y").metadata)
        >>> float(loss(np.array([0, 1]), np.array([[0.5], [0.5]])))  # -(log 0.75 + log 0.25) / 2
        0.836988

    Source: Menon et al. 2021, Long-tail learning via logit adjustment (https://openreview.net/forum?id=37nvvqkCo5),
        equation 10; Lin et al. 2017, Focal loss for dense object detection (doi:10.1109/ICCV.2017.324), equation 5.
    """
    one_of(method, METHODS, "adjusted_loss: method")
    _check_settings(method, {"tau": (tau, TAU, LOGIT_ADJUSTMENT), "gamma": (gamma, GAMMA, FOCAL)})
    prior = metadata.training_prior
    if metadata.labels not in ("int", "one_hot"):
        raise PrepkitError(f"adjusted_loss is for one class a row, not for labels={metadata.labels!r}.")
    if empty := [name for name, share in zip(metadata.class_names, prior, strict=True) if not share > 0]:
        raise PrepkitError(
            f"adjusted_loss: class {empty[0]!r} has no training rows, so that its share is 0: leave it out of the "
            "classes, or give rows of it."
        )
    if method == FOCAL:
        return AdjustedLoss((0.0,) * len(prior), focal_alpha(prior), gamma, from_logits)
    return AdjustedLoss(tuple(tau * v for v in log_shares(prior)), from_logits=from_logits)


def _check_settings(method: str, settings: Mapping[str, tuple[Any, float, str]]) -> None:
    for name, (value, default, of) in settings.items():
        if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) < math.inf:
            raise PrepkitError(f"adjusted_loss: {name}={value!r}: give a finite number, 0 or more, such as {default}.")
        if method != of and value != default:
            raise PrepkitError(f"adjusted_loss: {name} is for method {of!r}, not for {method!r}: leave it out.")


@keras.saving.register_keras_serializable(package="prepkit")
class AdjustedLoss(keras.losses.Loss):  # type: ignore[misc]
    """Cross-entropy on shifted logits, each class with a factor, and rows that are right already with a smaller one.

    Keras' own focal losses are not used: with TensorFlow, the gradient of the binary one is NaN for rows that are
    certain and gamma below 1, and that of the categorical one is 0 for rows that are certain and wrong.

    Args:
        adjustment: added to the logit of each class; of one unit, the logit is that of class 1, against 0.
        alpha: the factor of each class; None for 1.
        gamma: the power of 1 - p that is a row's factor, where p is the probability of its class.
        from_logits: whether the model gives logits.
        name: of the loss.
        reduction: as Keras has it.
    """

    def __init__(
        self,
        adjustment: Sequence[float],
        alpha: Sequence[float] | None = None,
        gamma: float = 0.0,
        from_logits: bool = False,
        name: str = "adjusted_loss",
        reduction: str = "sum_over_batch_size",
    ) -> None:
        super().__init__(name=name, reduction=reduction)
        self.adjustment = tuple(float(v) for v in adjustment)
        self.alpha = None if alpha is None else tuple(float(v) for v in alpha)
        self.gamma, self.from_logits = float(gamma), bool(from_logits)

    @property
    def logit_correction(self) -> tuple[float, ...]:
        """What added to the logits of a model trained with it makes its probabilities hold for the training data.

        Logits learned under it are short of `adjustment`, and too large by log(alpha), for it counts rows of a class
        alpha times. What gamma does to them is not a shift, and stays.
        """
        return tuple(float(v) for v in np.subtract(self.adjustment, np.log(self.alpha or 1.0)))

    @as_written
    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each row, (rows,)."""
        logits = self._logits(y_pred)
        log_p = ops.log_softmax(logits + np.asarray(self.adjustment, self.dtype), -1)
        losses = -log_p * self._by_class(y_true, single=y_pred.shape[-1] == 1)
        if self.alpha is not None:
            losses = losses * np.asarray(self.alpha, self.dtype)
        if self.gamma:
            wrong = ops.maximum(-ops.expm1(log_p), keras.config.epsilon())  # at 0, the slope of a root is infinite
            losses = losses * wrong**self.gamma
        return ops.sum(losses, -1)

    def _logits(self, y_pred: Any) -> Any:
        """The logit of each class, (rows, classes), up to a constant of each row."""
        classes = len(self.adjustment)
        if len(y_pred.shape) != 2 or y_pred.shape[1] not in ((1, 2) if classes == 2 else (classes,)):
            raise PrepkitError(
                f"adjusted_loss: the model gives {tuple(y_pred.shape)}, but there are {classes} classes: end it with "
                f"Dense({classes}, activation='softmax')" + (" or Dense(1, activation='sigmoid')." * (classes == 2))
            )
        # Keras keeps them behind sigmoid and softmax, and computes its own losses from them.
        logits = getattr(y_pred, "_keras_logits", None)
        if self.from_logits and logits is not None:
            raise PrepkitError("adjusted_loss: from_logits=True, but the model ends with an activation: leave one out.")
        if self.from_logits:
            logits = y_pred
        elif logits is None:
            p = ops.clip(y_pred, keras.config.epsilon(), 1 - keras.config.epsilon())
            logits = ops.log(p) - ops.log1p(-p) if p.shape[1] == 1 else ops.log(p)
        return ops.concatenate([ops.zeros_like(logits), logits], 1) if logits.shape[1] == 1 else logits

    def _by_class(self, y_true: Any, single: bool) -> Any:
        """Labels in any form as one-hot rows."""
        classes = len(self.adjustment)
        if len(y_true.shape) == 2 and y_true.shape[1] == classes:
            return y_true
        if len(y_true.shape) != 1 and tuple(y_true.shape[1:]) != (1,):
            raise PrepkitError(
                f"adjusted_loss: labels have shape {tuple(y_true.shape)}: give class numbers, (rows,) or (rows, 1), or "
                f"one-hot rows of {classes} classes; several classes a row are not supported."
            )
        y = ops.reshape(y_true, (-1, 1))
        if single:
            return ops.concatenate([1 - y, y], 1)
        rows = ops.one_hot(ops.cast(y[:, 0], "int32"), classes, dtype=y.dtype)
        return rows / ops.sum(rows, 1, keepdims=True)  # NaN, not a loss of 0, for a number that is no class

    def get_config(self) -> dict[str, Any]:
        alpha = None if self.alpha is None else list(self.alpha)
        own = {"adjustment": list(self.adjustment), "alpha": alpha, "gamma": self.gamma}
        return {**super().get_config(), **own, "from_logits": self.from_logits}
