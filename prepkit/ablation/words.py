"""What an ablation found, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping

from prepkit.ablation.data import Effect
from prepkit.report.words import plural

NAMES: Mapping[str, str] = {
    "log_loss": "log-loss",
    "balanced_accuracy": "balanced accuracy",
    "auc": "AUC",
    "minority_recall": "recall of the rarest class",
    "ece": "calibration error",
    "steps_to_target": "batches to the target log-loss",
    "seconds_to_target": "seconds to the target log-loss",
}


def figures(effect: Effect) -> str:
    """An effect with its interval; without one, if it is of a single seed.

    Example:
        >>> figures(Effect("Rescale", "log_loss", "alone", 0.31, 0.52, -0.21, -0.25, -0.17, 0.001, 5, "helps"))
        'log-loss 0.31 with it, 0.52 without: 0.21 less (0.17 to 0.25, 5 seeds)'
    """
    name = NAMES[effect.measure]
    if not effect.pairs:
        return f"{name}: no seed to compare"
    digits = _digits(effect)
    seeds = plural(effect.pairs, "seed")
    if effect.difference == effect.low == effect.high == 0:
        return f"{name} {effect.with_it:,.{digits}f} with it and without ({seeds})"
    return f"{_means(effect, digits)}: {_signed(effect.difference, digits)} ({_between(effect, digits)}{seeds})"


def briefly(effect: Effect) -> str:
    """An effect that decides nothing, in few words.

    Example:
        >>> briefly(Effect("Clip", "log_loss", "alone", 0.31, 0.312, -0.002, -0.01, 0.01, 1.0, 5, "no clear effect"))
        'no clear effect on log-loss (0.310 with it, 0.312 without)'
    """
    name = NAMES[effect.measure]
    if effect.judgement != "no clear effect":
        return f"{name} {effect.judgement}"
    means = _means(effect, _digits(effect)).removeprefix(f"{name} ")
    return f"no clear effect on {name} ({means})"


def _means(effect: Effect, digits: int) -> str:
    with_it, without = (f"{x:,.{digits}f}" for x in (effect.with_it, effect.without))
    return f"{NAMES[effect.measure]} {with_it} with it, {without} without"


def _digits(effect: Effect) -> int:
    """Behind the point: two of the difference, or of half the interval, that matter."""
    half = (effect.high - effect.low) / 2
    size = max(abs(effect.difference), half if math.isfinite(half) else 0.0)
    if effect.measure == "steps_to_target":
        return 0
    return min(4, max(0 if size >= 100 else 2, 1 - math.floor(math.log10(size)))) if size else 3


def _signed(value: float, digits: int) -> str:
    return f"{abs(value):,.{digits}f} {'less' if value < 0 else 'more'}"


def _between(effect: Effect, digits: int) -> str:
    """The interval, with a comma behind it; nothing of a single seed."""
    low, high = effect.low, effect.high
    if math.isnan(low):
        return ""
    if low < 0 < high:
        return f"from {_signed(low, digits)} to {_signed(high, digits)}, "
    near, far = sorted((abs(low), abs(high)))
    return f"{near:,.{digits}f} to {far:,.{digits}f}, "
