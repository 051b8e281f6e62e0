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
    over = stage.kind == OVERSAMPLE
    if isinstance(strategy, Mapping):
        asked = numbered(strategy, class_names, "sampling_strategy")
        check_counts(stage.kind, over, asked, counts, class_names)
        return tuple(asked.get(i, n) for i, n in enumerate(counts))
    n = np.asarray(counts, np.int64)
    present = np.flatnonzero(n)
    if len(present) < 2:
        return tuple(int(rows) for rows in n)
    largest, smallest = int(present[n[present].argmax()]), int(present[n[present].argmin()])
    if isinstance(strategy, str):
        aim = np.full_like(n, n[largest] if over else n[smallest])
    else:
        assert isinstance(strategy, float)
        ratio, most, least = strategy, int(n[largest]), int(n[smallest])
        aim = np.full_like(n, int(most * ratio) if over else int(min(least / ratio, most + 1)))  # most + 1 for infinity
        if (int(most * ratio - least) <= 0) if over else (aim[0] > most):
            raise _refused(stage.kind, ratio, least / most)
    chosen = set(present.tolist())
    if strategy in ("minority", "majority"):
        chosen &= {smallest if strategy == "minority" else largest}
    elif strategy in ("not minority", "not majority"):
        chosen -= {smallest if strategy == "not minority" else largest}
    out = [int(max(aim[i], n[i]) if over else min(aim[i], n[i])) if i in chosen else int(n[i]) for i in range(len(n))]
    return tuple(out)


def _refused(kind: str, ratio: float, now: float) -> PrepkitError:
    other = "take rows away" if kind == OVERSAMPLE else "make rows"
    return PrepkitError(
        f"Rebalance: sampling_strategy={ratio:g}, but the smallest class is {now:.3g} of the largest already, so "
        f"that {kind} would have to {other}: give a ratio above {now:.3g}, or leave the stage out."
    )


def check_counts(
    name: str, over: bool, asked: Mapping[int, int], counts: Sequence[int], class_names: Sequence[str]
) -> None:
    """Refuse rows of a class that cannot be reached.

    Args:
        name: of what resamples.
        over: whether it adds rows; else it takes rows away.
        asked: rows by class number.
        counts: rows of each class that there are, in the order of `class_names`.
        class_names: of all classes.

    Raises:
        PrepkitError: for a class without rows, or with more, or fewer, than are asked for.
    """
    for i, rows in asked.items():
        if not counts[i]:
            raise PrepkitError(
                f"Rebalance: class {class_names[i]!r} has no training rows, so none can be repeated or left out: take "
                "it out of sampling_strategy."
            )
        if (rows < counts[i]) if over else (rows > counts[i]):
            raise PrepkitError(
                f"Rebalance: sampling_strategy asks for {rows:,} rows of class {class_names[i]!r}, which has "
                f"{counts[i]:,}: {name} needs {'at least' if over else 'at most'} that many."
            )
