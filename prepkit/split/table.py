"""Rows of a table that are held out, and tables that cannot be parted."""

from __future__ import annotations

from typing import Any

import numpy as np

from prepkit.cleaning.folds import joined
from prepkit.errors import PrepkitError
from prepkit.labels import classes_of
from prepkit.source import Table
from prepkit.split.draw import drawn
from prepkit.split.units import Units, labels_of

# Shares of copies, (rows - different rows) / rows, in a class that was resampled and in one that was not.
RESAMPLED, UNTOUCHED = 0.5, 0.1


def held_out(source: Table, units: Units, share: float, seed: int) -> np.ndarray:
    """Whether each row is held out, bool (rows,)."""
    (chunk,) = source.chunks()
    label = units.raw.label
    assert label is not None
    coded = labels_of(chunk, units.raw)
    known = coded.codes >= 0
    codes, labels = np.unique(coded.codes[known], return_inverse=True)
    names = [coded.values[c] for c in codes]
    classes_of(dict(zip(names, np.bincount(labels).tolist(), strict=True)), label.form, len(known), label.name)
    alike, group = units.of(chunk)
    same = joined(alike[known], None)
    _refuse_resampled(same, labels, names)
    unit = same if units.groups is None else joined(same, group[known])
    out = np.zeros(len(known), bool)
    out[known] = drawn(unit, labels, share, np.random.default_rng(seed))[unit]
    if not out.any():
        raise _nothing(source, share, units.groups, unit, len(np.unique(group[known])))
    return out


def _nothing(source: Table, share: float, groups: str | None, unit: np.ndarray, n_groups: int) -> PrepkitError:
    n, sets = len(unit), int(unit.max()) + 1
    if sets > 1:
        of = f"{n:,} labelled rows" + (f" in {sets:,} sets that may not be parted" if sets < n else "")
        return PrepkitError(
            f"validation_split={share:g} of {source.name}, {of}, leaves no row to validate by: training keeps one of "
            "each class, and a class of which there is only one; give a larger share, or more rows."
        )
    if groups is None:
        return PrepkitError(f"the {n:,} labelled rows of {source.name} have equal features: there is nothing to part.")
    how = "one group"
    if n_groups > 1:
        how = f"{n_groups:,} groups, which rows of equal features connect,"
    return PrepkitError(
        f"groups={groups!r} makes {how} of all {n:,} labelled rows of {source.name}, and rows of a group may not be "
        "parted: choose another column, or give the validation rows yourself."
    )


def _refuse_resampled(same: np.ndarray, labels: np.ndarray, names: list[Any]) -> None:
    """Refuse data of equally many rows a class where some classes are mostly copies, and others are not."""
    counts = np.bincount(labels)
    if (counts != counts[0]).any():
        return
    distinct = np.bincount(np.unique(same * len(counts) + labels) % len(counts))
    copies = 1 - distinct / counts
    most, least = int(copies.argmax()), int(copies.argmin())
    if copies[most] > RESAMPLED and copies[least] < UNTOUCHED:
        raise PrepkitError(
            f"the data look resampled already: each class has {counts[0]:,} rows, but of those of class "
            f"{names[most]!r} {distinct[most]:,} are distinct, of those of {names[least]!r} {distinct[least]:,}: give "
            "the data as they were, for prepare resamples the training part itself; if this is how they were, give "
            "the validation rows yourself."
        )
