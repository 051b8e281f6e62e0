"""A copy of a stage's sampler, with seeds, and numbers in the place of classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from prepkit.balance.weights import numbered
from prepkit.rows.rebalance import Rebalance, sampler_of

SEEDS = 2**32  # numpy's RandomState takes those below


def copied(stage: Rebalance, class_names: Sequence[str], seed: int) -> Any:
    """The sampler of a stage, as it is to be run; the stage's own is not touched.

    Settings of samplers within it are treated as its own. It may raise whatever the library raises.

    Args:
        stage: one that runs a sampler.
        class_names: what keys of mappings have to be, or lists have to hold; in their place come the numbers.
        seed: any integer, in the place of each `random_state` that is None.

    Raises:
        PrepkitError: for a class that does not exist, or settings that the sampler does not have.
    """
    from sklearn.base import clone

    sampler, named = clone(sampler_of(stage), safe=False), isinstance(stage.kind, str)
    settings = dict(getattr(sampler, "get_params", dict)())
    if named:
        settings["sampling_strategy"] = stage.sampling_strategy
    for setting, value in settings.items():
        last = setting.rpartition("__")[2]
        if last == "random_state" and value is None:
            value = seed % SEEDS
        elif last in ("sampling_strategy", "shrinkage") and isinstance(value, Mapping):
            value = numbered(value, class_names, last)
        elif last == "sampling_strategy" and isinstance(value, list):
            value = list(numbered(dict.fromkeys(value), class_names, last))
        elif not (named and setting == "sampling_strategy"):
            continue
        sampler.set_params(**{setting: "auto" if isinstance(value, str) and value == "balanced" else value})
    if not settings and getattr(sampler, "random_state", seed) is None:
        sampler.random_state = seed % SEEDS
    return sampler
