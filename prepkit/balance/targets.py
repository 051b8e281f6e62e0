"""How many rows of each class an epoch has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from prepkit.balance.weights import numbered
from prepkit.errors import PrepkitError
from prepkit.rows.rebalance import OVERSAMPLE, Rebalance


def targets(stage: Rebalance, counts: Sequence[int], class_names: Sequence[str]) -> tuple[int, ...]:
    """Rows of each class in an epoch, as imbalanced-learn's random samplers would have it.

    Args:
        stage: of kind "oversample" or "undersample".
        counts: rows of each class that there are, in the order of `class_names`; classes without any stay so.
        class_names: to which the keys of a mapping have to belong.

    Raises:
        PrepkitError: for a class that does not exist or has no rows to repeat; a ratio that is there already, so that
            rows would have to be taken away to reach it, or, for "undersample", made; counts likewise.

    Example:
        >>> targets(Rebalance("oversample", sampling_strategy=0.5), (100, 10), ("no", "yes"))
        (100, 50)
    """
    strategy = stage.sampling_strategy
    if isinstance(strategy, Mapping):
        return _given(stage, numbered(strategy, class_names, "sampling_strategy"), counts, class_names)
    over = stage.kind == OVERSAMPLE
    n = np.asarray(counts, np.int64)
    present = np.flatnonzero(n)
    largest, smallest = int(present[n[present].argmax()]), int(present[n[present].argmin()])
    if isinstance(strategy, str):
        aim = np.full_like(n, n[largest] if over else n[smallest])
    else:
        aim = np.full_like(n, int(n[largest] * strategy) if over else int(n[smallest] / strategy))
        _check_ratio(stage, float(strategy), n, largest, smallest)
    chosen = set(present.tolist())
    if strategy in ("minority", "majority"):
        chosen &= {smallest if strategy == "minority" else largest}
    elif strategy in ("not minority", "not majority"):
        chosen -= {smallest if strategy == "not minority" else largest}
    out = [int(max(aim[i], n[i]) if over else min(aim[i], n[i])) if i in chosen else int(n[i]) for i in range(len(n))]
    return tuple(out)


def _check_ratio(stage: Rebalance, ratio: float, n: np.ndarray, largest: int, smallest: int) -> None:
    now = n[smallest] / n[largest]
    if now >= ratio and len(n[n > 0]) > 1:
        other = "take rows away" if stage.kind == OVERSAMPLE else "make rows"
        raise PrepkitError(
            f"Rebalance: sampling_strategy={ratio:g}, but the smallest class is {now:.3g} of the largest already, so "
            f"that {stage.kind} would have to {other}: give a ratio above {now:.3g}, or leave the stage out."
        )


def _given(
    stage: Rebalance, asked: Mapping[int, int], counts: Sequence[int], class_names: Sequence[str]
) -> tuple[int, ...]:
    out = list(counts)
    for i, rows in asked.items():
        if not counts[i]:
            raise PrepkitError(
                f"Rebalance: class {class_names[i]!r} has no training rows, so none can be repeated or left out: take "
                "it out of sampling_strategy."
            )
        if (rows < counts[i]) if stage.kind == OVERSAMPLE else (rows > counts[i]):
            bound = "at least" if stage.kind == OVERSAMPLE else "at most"
            raise PrepkitError(
                f"Rebalance: sampling_strategy asks for {rows:,} rows of class {class_names[i]!r}, which has "
                f"{counts[i]:,}: {stage.kind} needs {bound} that many."
            )
        out[i] = rows
    return tuple(out)
