"""Which cells are missing where: together, by class, by other columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from prepkit.profiling.tables import Levels, cramers_v, cross

COLUMNS = 300  # with missing cells, that are compared with each other
CAUSES = 60  # columns on which missing may depend
FEW_LEVELS = 60  # values of such a column, at most; years are about as many
FEWEST = 5  # rows in which a cell is missing, without which nothing is compared
ALIKE = 0.95  # of the rows where either is missing, the share where both are
SURE = 6.0  # standard deviations above chance: one in a thousand million
ASSOCIATED = 0.1  # Cramér's V from which on it is worth a word: Cohen's small effect
DEPENDENT = 0.5  # and his large one (1988, doi:10.4324/9780203771587)
EXPLAINED = 0.5  # share of the missing cells, at which the cause has to be known
SAME = 0.99  # of two columns of which one says when the other is missing


@dataclass(frozen=True)
class Gaps:
    """What was found of the cells that are missing.

    Args:
        together: groups of columns that are missing in the same rows, and in how many.
        by_class: columns missing by class: name, Cramér's V, share of missing cells of each class.
        flagged: for a column that just says whether others are missing, those.
        depends: for a column on which it depends whether others are missing, those and Cramér's V.
    """

    together: Sequence[tuple[list[str], int]] = ()
    by_class: Sequence[tuple[str, float, Mapping[str, float]]] = ()
    flagged: Mapping[str, list[str]] = field(default_factory=dict)
    depends: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def gaps(
    masks: Mapping[str, np.ndarray],
    causes: Mapping[str, Levels],
    classes: np.ndarray | None,
    class_names: Sequence[str],
) -> Gaps:
    """Compare where cells are missing.

    Args:
        masks: booleans (rows,) of each column: whether the cell is missing.
        causes: columns of few values, on which it may depend.
        classes: int64 (rows,), -1 for none.
        class_names: by number.
    """
    partly = {n: m for n, m in masks.items() if FEWEST <= np.count_nonzero(m) <= len(m) - FEWEST}
    names = list(partly)[:COLUMNS]
    if not names:
        return Gaps()
    by_class = _by_class({n: partly[n] for n in names}, classes, class_names)
    flagged, depends = _by_cause({n: partly[n] for n in names}, dict(list(causes.items())[:CAUSES]))
    return Gaps(_together(names, np.stack([partly[n] for n in names])), by_class, flagged, depends)


def _together(names: Sequence[str], masks: np.ndarray) -> list[tuple[list[str], int]]:
    """Each column with the first one that misses the same rows."""
    step = max(1, masks.shape[1] // 5000)
    some = masks[:, ::step].astype(np.float32)
    both = some @ some.T
    either = both.diagonal()[:, None] + both.diagonal()[None, :] - both
    alike = both >= ALIKE * np.maximum(either, 1)
    groups: dict[int, list[int]] = {}
    for i in range(len(names)):
        first = int(np.argmax(alike[i, : i + 1])) if some[i].any() else i
        groups.setdefault(first, []).append(i)
    return [([names[i] for i in g], int(masks[g].all(0).sum())) for g in groups.values() if len(g) > 1]


def _by_class(
    masks: Mapping[str, np.ndarray], classes: np.ndarray | None, names: Sequence[str]
) -> list[tuple[str, float, Mapping[str, float]]]:
    if classes is None:
        return []
    out: list[tuple[str, float, Mapping[str, float]]] = []
    for name, mask in masks.items():
        table = cross(Levels(mask.astype(np.int64), 2), classes, len(names))
        v, above = cramers_v(table)
        if v >= ASSOCIATED and above > SURE:
            rows = table.sum(0)
            shares = {str(k): float(table[1, i] / rows[i]) for i, k in enumerate(names) if rows[i] >= FEWEST}
            out.append((name, v, shares))
    return out


def _by_cause(
    masks: Mapping[str, np.ndarray], causes: Mapping[str, Levels]
) -> tuple[dict[str, list[str]], dict[str, dict[str, float]]]:
    """For each column with gaps, the column that explains them best."""
    flagged: dict[str, list[str]] = {}
    depends: dict[str, dict[str, float]] = {}
    for name, mask in masks.items():
        best, strongest, flags = "", DEPENDENT, []
        for cause, levels in causes.items():
            if cause == name or np.array_equal(masks.get(cause, mask[:0]), mask):
                continue
            table = cross(levels, mask.astype(np.int64), 2)
            table[0] = 0  # where the cause is missing itself; see `_together`
            v, above = cramers_v(table)
            if above <= SURE or table[:, 1].sum() < EXPLAINED * np.count_nonzero(mask):
                continue
            if v >= SAME and np.count_nonzero(table.sum(1)) == 2:
                flags.append(cause)
            elif v > strongest:
                best, strongest = cause, v
        for flag in flags:
            flagged.setdefault(flag, []).append(name)
        if best and not flags:
            depends.setdefault(best, {})[name] = strongest
    return flagged, depends


def small(levels: Levels) -> bool:
    return 2 < levels.n <= FEW_LEVELS + 1
