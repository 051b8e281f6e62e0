"""A share of each class is drawn at random, sets of rows whole."""

from __future__ import annotations

import numpy as np

# On 40 groups of very different sizes, the best of 10 draws is off by a third as much as one; with many groups, one is
# as good, and takes 4 microseconds for each.
TRIES, PAIRS = 10, 20_000


def drawn(units: np.ndarray, labels: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Whether each unit is held out, bool (units,).

    Args:
        units: int64 (rows,) from 0, equal for rows that may not be parted.
        labels: class numbers (rows,) from 0, each of which occurs.
        share: of the rows of each class, and of all, to be held out.
        rng: of the draw.

    Example:
        >>> int(drawn(np.arange(10), np.array([0, 1] * 5), 0.4, np.random.default_rng(0)).sum())
        4
    """
    k = int(labels.max()) + 1
    pairs, counts = np.unique(units * k + labels, return_counts=True)
    unit, of = np.divmod(pairs, k)  # how many rows of which class each unit has
    n = int(unit.max()) + 1
    few = np.bincount(of, minlength=k) == 1
    stays = np.zeros(n, bool)
    stays[unit[few[of]]] = True
    single = (np.bincount(unit, counts, n) == 1) & ~stays
    # How many more rows of each class are to be held out than have been.
    due = np.where(few, 0, share * np.bincount(of, np.where(stays[unit], counts, 0), k))
    out = np.zeros(n, bool)
    several = ~(stays | single)[unit]
    if several.any():
        chosen, due = _of_sets(unit[several], of[several], counts[several], due, share, rng)
        out[chosen] = True
    chosen = single[unit]
    out[_of_rows(unit[chosen], of[chosen], due, share, rng)] = True
    for c in np.flatnonzero(np.bincount(of, ~out[unit], k) == 0):  # training has a row of every class
        out[rng.choice(unit[of == c])] = False
    return out


def _of_sets(
    unit: np.ndarray, of: np.ndarray, counts: np.ndarray, due: np.ndarray, share: float, rng: np.random.Generator
) -> tuple[list[int], np.ndarray]:
    """The units that are held out of those of several rows, and what then is due of each class.

    Of some draws the one that leaves least due, each class measured by its rows.
    """
    sets, rows = np.bincount(of, minlength=len(due)), np.bincount(of, counts, len(due))
    weight = 1 / np.maximum(rows, 1)
    members: dict[int, list[tuple[int, int]]] = {}
    for u, c, n in zip(unit.tolist(), of.tolist(), counts.tolist(), strict=True):
        members.setdefault(u, []).append((c, n))
    best: tuple[float, list[int], np.ndarray] | None = None
    for _ in range(max(1, min(TRIES, PAIRS // len(unit)))):
        # So that of a class of two sets not always none is held out, but of 100 such classes a share of the 200 sets.
        shift = ((share * (np.cumsum(sets) - sets) + rng.random()) % 1 - 0.5) * rows / np.maximum(sets, 1)
        order = rng.permutation(list(members)).tolist()
        chosen, left = _one_by_one([(u, members[u]) for u in order], due + shift, weight, share)
        still = left - shift
        cost = float((still**2 * weight).sum())
        if best is None or cost < best[0]:
            best = cost, chosen, still
    assert best is not None
    return best[1:]


def _one_by_one(
    units: list[tuple[int, list[tuple[int, int]]]], due: np.ndarray, weight: np.ndarray, share: float
) -> tuple[list[int], np.ndarray]:
    """Units are held out or not, whichever leaves the weighted sum of squares of what is due so far smaller."""
    now, weights = due.tolist(), weight.tolist()
    chosen = []
    for u, members in units:
        held = sum(weights[c] * n * (2 * now[c] + (2 * share - 1) * n) for c, n in members) > 0
        if held:
            chosen.append(u)
        for c, n in members:
            now[c] += share * n - (n if held else 0)
    return chosen, np.array(now)


def _of_rows(unit: np.ndarray, of: np.ndarray, due: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """The units that are held out of those of one row: of each class its share and what is due, of all, too."""
    rows = np.bincount(of, minlength=len(due))
    up_to = np.floor(np.append(0, np.cumsum(share * rows + due)) + rng.random()).astype(np.int64)
    take = np.clip(np.diff(up_to), 0, rows)
    order = rng.permutation(len(unit))
    order = order[np.argsort(of[order], kind="stable")]
    place = np.arange(len(unit)) - (np.cumsum(rows) - rows)[of[order]]
    return np.asarray(unit[order[place < take[of[order]]]])
