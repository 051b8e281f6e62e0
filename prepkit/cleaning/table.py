"""The training rows that are to be cleaned, gathered from wherever they come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from prepkit.cleaning.data import Table
from prepkit.cleaning.folds import joined
from prepkit.cleaning.keys import Keys
from prepkit.core import did_you_mean
from prepkit.errors import PrepkitError
from prepkit.flow import Flow
from prepkit.rows.clean_labels import CleanLabels
from prepkit.spec import CODES, LABEL, NUMBERS, STRINGS, WEIGHT, Column

Packed = Mapping[str, np.ndarray]


def keys_of(flow: Flow, stage: CleanLabels) -> Keys:
    """How rows are told apart: by the column that names them, else by all they hold, the label too."""
    if stage.id is None:
        return Keys(flow.entry)
    return Keys(flow.entry, (stage.id,), labelled=False)


def reaching(flow: Flow) -> tuple[Column, ...]:
    """The columns as they come in that the model gets, in whatever form."""
    sources = {s for c in flow.spec_out.columns for s in c.sources}
    return tuple(c for c in flow.entry.spec.columns if c.name in sources)


def gathered(parts: Iterable[tuple[Packed, np.ndarray]], flow: Flow, stage: CleanLabels) -> Table:
    """All rows to train on, in memory.

    Args:
        parts: packed rows in the order of reading, and bool (rows,), which of them are trained on.
        flow: of the fitted recipe.
        stage: names the columns of ids and groups.

    Raises:
        PrepkitError: if there is no such column, or one of tensors, or an id is missing or not unique.
    """
    label = flow.entry.raw.label
    assert label is not None
    for name, column in (("id", stage.id), ("groups", stage.groups)):
        if column is not None and column not in flow.entry.raw:
            hint = did_you_mean(column, flow.entry.raw.names)
            raise PrepkitError(f"CleanLabels: {name}={column!r} is no column of the data{hint}")
        if column is not None and flow.entry.raw[column].kind == "tensor":
            raise PrepkitError(f"CleanLabels: {name}={column!r} is a column of tensors: give one with a cell a row.")
    kept: list[dict[str, np.ndarray]] = []
    numbers: list[np.ndarray] = []
    read = 0
    for packed, keep in parts:
        kept.append(dict(packed) if keep.all() else {name: x[keep] for name, x in packed.items()})
        numbers.append(np.flatnonzero(keep) + read)
        read += len(keep)
    rows = kept[0] if len(kept) == 1 else {name: np.concatenate([part[name] for part in kept]) for name in kept[0]}
    del kept
    columns = reaching(flow)
    names = tuple(c.name for c in columns)
    alike = Keys(flow.entry, names, labelled=False).of(rows) if names else np.arange(len(rows[LABEL]), dtype=np.uint64)
    table = Table(
        spec=flow.entry.spec,
        blocks={name: x for name, x in rows.items() if name not in (LABEL, WEIGHT)},
        labels=rows[LABEL],
        class_names=label.class_names,
        weights=rows.get(WEIGHT),
        keys=keys_of(flow, stage).of(rows),
        alike=alike,
        numbers=np.concatenate(numbers),
        read=read,
        ids=None,
    )
    everything = np.arange(len(table))
    groups = None if stage.groups is None else _numbered(cells(table, flow.entry.spec[stage.groups], everything))
    ids = None
    if stage.id is not None:
        ids = np.array([_name(v) for v in cells(table, flow.entry.spec[stage.id], everything)], object)
        _check_ids(stage.id, ids, table)
    return Table(**{**vars(table), "alike": joined(alike, groups), "ids": ids})


def cells(table: Table, column: Column, rows: np.ndarray) -> np.ndarray:
    """What some rows hold in a column: numbers, strings and None, or tensors (rows, ...)."""
    if column.block not in (*NUMBERS, CODES, STRINGS):
        return np.asarray(table.blocks[column.block][rows])
    x = table.blocks[column.block][rows, table.spec.blocks()[column.block].index(column)]
    if column.block == CODES:
        words = np.array([*(column.categories or ()), None], object)
        return np.asarray(words[np.maximum(x, -1)])
    if column.block == STRINGS:
        strings = [v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in x.tolist()]
        return np.array([s or None for s in strings], object)
    whole = np.isfinite(x).all() and (x == np.floor(x)).all() and (np.abs(x) < 2**53).all()
    return np.asarray(x.astype(np.int64) if whole else x)


def _numbered(values: np.ndarray) -> np.ndarray:
    """Numbers (rows,), equal for equal values; a missing one is a group of its own."""
    import pandas as pd

    numbers = pd.factorize(values)[0].astype(np.int64)
    alone = numbers < 0
    numbers[alone] = numbers.max(initial=-1) + 1 + np.arange(int(alone.sum()))
    return numbers


def _name(value: object) -> str:
    missing = value is None or value != value
    return "" if missing else str(value)


def _check_ids(name: str, ids: np.ndarray, table: Table) -> None:
    without = np.flatnonzero(ids == "")
    if len(without):
        raise PrepkitError(
            f"CleanLabels: id={name!r} is missing in {len(without):,} rows, the first of them row "
            f"{table.numbers[without[0]]}: fill it, or leave id out, and rows are told apart by what they hold."
        )
    _, first, counts = np.unique(ids, return_index=True, return_counts=True)
    if (counts > 1).any():
        place = first[counts > 1][0]
        raise PrepkitError(
            f"CleanLabels: id={name!r} does not name each row: {ids[place]!r} is there {counts[counts > 1][0]:,} "
            f"times, first in row {table.numbers[place]}: give a column that does, or leave id out."
        )
