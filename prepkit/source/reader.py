"""A source at the start of its use: its head is looked at, its columns are judged, and nothing is read twice."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from prepkit.errors import PrepkitError
from prepkit.source.base import RawChunk, Source
from prepkit.source.infer import infer_column, infer_label_form
from prepkit.spec import RAW_KINDS, Column, Kind, Label, Spec

SAMPLE = 20_000  # rows that inference looks at
GLANCE = 1000  # and where only the kinds of columns are asked


class Reader:
    """A source of which the head is looked at without starting to read twice."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.scans = 0
        self._begun = source.chunks()
        try:
            self.head = next(self._begun)
        except StopIteration:
            raise PrepkitError(f"{source.name} has no rows: nothing to prepare.") from None
        self._unread = True

    def chunks(self) -> Iterator[RawChunk]:
        self.scans += 1
        if self._unread:
            self._unread = False
            return itertools.chain([self.head], self._begun)
        return self.source.chunks()


def infer(
    source: Source,
    chunk: RawChunk,
    label: str | None,
    kinds: Mapping[str, Kind],
    *,
    labelled: bool = True,
    quick: bool = False,
) -> Spec:
    """The spec of what `chunk`, the first of `source`, looks like; if `quick`, without a judgement of roles."""
    size = len(chunk)
    step = max(1, -(-size // (GLANCE if quick else SAMPLE)))
    complete = source.random_access and not quick

    def sampled(values: Any) -> Any:
        if step == 1:
            return values
        return values[::step] if isinstance(values, np.ndarray) else values.take(np.arange(0, size, step))

    def judged(name: str, values: Any) -> Column:
        column = infer_column(name, sampled(values), complete=complete)
        if step > 1 and column.role != "feature" and not quick:  # what a sample says of all rows, all have to say
            return infer_column(name, values, complete=complete)
        if step > 1 or not source.random_access:
            looked = f" of the {-(-size // step):,} rows looked at"
            notes = (note + looked if " missing" in note else note for note in column.notes)
            return replace(column, notes=tuple(notes))
        return column

    if chunk.matrix is not None:
        columns = [judged(f"x{i}", chunk.matrix[:, i]) for i in range(chunk.matrix.shape[1])]
    else:
        read = {n: values.dictionary_decode() if n in chunk.plain else values for n, values in chunk.columns.items()}
        columns = [judged(name, values) for name, values in read.items()]
    if wrong := {n: k for n, k in kinds.items() if k not in RAW_KINDS}:
        raise PrepkitError(f"kinds={wrong}: choose from {', '.join(RAW_KINDS)}.")
    if unknown := [n for n in kinds if n not in {c.name for c in columns}]:
        raise PrepkitError(f"kinds names columns {unknown}, which are not there: {[c.name for c in columns][:20]} are.")
    if odd_shape := [c.name for c in columns if c.name in kinds and (kinds[c.name] == "tensor") != bool(c.shape)]:
        raise PrepkitError(f"kinds: columns {odd_shape}: 'tensor' is for several numbers a row, and nothing else is.")
    columns = [
        replace(c, kind=kinds[c.name], role="feature", notes=(*c.notes, "kind as told")) if c.name in kinds else c
        for c in columns
    ]
    if chunk.matrix is not None and any(c.kind not in ("numeric", "boolean") for c in columns):
        odd = {c.name: c.kind for c in columns if c.kind not in ("numeric", "boolean")}
        raise PrepkitError(f"X is one matrix of numbers, but its columns {odd} are not: give a data frame.")
    found = None
    if labelled:
        if chunk.label is None:
            raise PrepkitError(f"{source.name} comes without labels: say label='COLUMN', or give (X, y).")
        form = infer_label_form(sampled(chunk.label), label or "y")
        found = Label(label or source.label, form, tuple(range(chunk.label.shape[1])) if form == "one_hot" else ())
    return Spec(tuple(columns), found, source.structure)
