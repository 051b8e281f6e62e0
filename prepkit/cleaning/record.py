"""What is kept of doubted rows, and how a person names them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from prepkit.cleaning.act import Treated
from prepkit.cleaning.data import DROP, KEEP, RELABEL, WEIGHT, Table
from prepkit.cleaning.keys import parsed, shown
from prepkit.cleaning.table import cells

SHOWN = 200  # doubted rows whose raw cells are kept for the page, the most doubted ones


def places_of(table: Table, keys: Sequence[str]) -> dict[str, np.ndarray]:
    """The rows of each key: of 16 hexadecimal digits, or the id where one was named.

    Raises:
        PrepkitError: for what is no key.
    """
    import pandas as pd

    names = table.ids if table.ids is not None else table.keys
    wanted = keys if table.ids is not None else parsed(keys, "CleanLabels: revert or confirmed")
    hits = np.flatnonzero(pd.Index(names).isin(wanted))
    found = pd.Series(hits).groupby(names[hits]).indices
    nobody = np.zeros(0, np.int64)
    return {key: hits[found[name]] if name in found else nobody for key, name in zip(keys, wanted, strict=True)}


def issues_of(
    table: Table,
    chosen: np.ndarray,
    order: np.ndarray,
    labels: np.ndarray,
    probabilities: np.ndarray,
    treated: Treated,
    capped: np.ndarray,
) -> dict[str, np.ndarray]:
    """The columns of `label_issues`.

    Args:
        table: the training rows.
        chosen: numbers of those that were judged.
        order: places among `chosen`, the most doubted first.
        labels: given, of `chosen`.
        probabilities: of `chosen`.
        treated: what becomes of `chosen`.
        capped: bool, of `chosen`: whether only a limit has kept the row as it is.
    """
    names = np.array(table.class_names, object)
    p = probabilities[order]
    given = labels[order]
    suggested = p.argmax(1) if len(p) else given
    self_confidence = p[np.arange(len(p)), given].astype(np.float64)
    confidence = p.max(1).astype(np.float64) if len(p) else self_confidence
    classes, weights = treated.classes[order], treated.weights[order]
    action = np.select([classes != given, weights == 0, weights != 1], [RELABEL, DROP, WEIGHT], KEEP)
    rows = chosen[order]
    return {
        "key": table.ids[rows] if table.ids is not None else shown(table.keys[rows]),
        "row": table.numbers[rows],
        "given": names[given],
        "suggested": names[suggested],
        "self_confidence": self_confidence,
        "confidence": confidence,
        "margin": confidence - self_confidence,
        "action": action.astype(object),
        "weight": weights.astype(np.float64),
        "reason": _reasons(action, given == suggested, capped[order]),
    }


def _reasons(action: np.ndarray, agrees: np.ndarray, capped: np.ndarray) -> np.ndarray:
    why = np.where(
        agrees,
        "the given label is the most probable one, but improbable for its class",
        "another class is more probable",
    )
    done = np.select(
        [action == RELABEL, action == DROP, action == WEIGHT, capped],
        [
            "and sure enough",
            "and left out",
            "and weighted by the probability of the given label",
            "but so much of the class may not be changed",
        ],
        "and left as it is",
    )
    return np.array([f"{a}, {b}" for a, b in zip(why, done, strict=True)], object)


def shown_of(table: Table, rows: np.ndarray) -> Mapping[str, Any]:
    """The raw cells of the first doubted rows, by column."""
    return {c.name: cells(table, c, rows[:SHOWN]) for c in table.spec.columns}
