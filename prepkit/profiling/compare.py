"""Another data set beside the first: rows that stand in both, and what only one of them has."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from prepkit.decode import decode_column
from prepkit.labels import decode_label
from prepkit.profiling.measure import LabelTally, Measured
from prepkit.profiling.view import Split, cells_missing
from prepkit.scan import Coded
from prepkit.scan.duplicates import row_hashes
from prepkit.source import RawChunk, Source
from prepkit.spec import Column

CATEGORIES = 1000  # of a column with more, those that only one side has are not listed: it is text, or nearly


def compare(measured: Measured, source: Source) -> Split:
    """Read all rows of `source`, as the columns and the label of the first data set say.

    Raises:
        PrepkitError: if a column, or the label, holds something else than it did there.
    """
    spec = measured.spec
    words = [
        c for c in spec.columns if c.kind == "categorical" and 0 < len(measured.tallies[c.name].counts) <= CATEGORIES
    ]
    seen: dict[str, Counter[Any]] = {c.name: Counter() for c in words}
    labels, rows, known = LabelTally(), 0, 0
    lacking: tuple[str, ...] = ()
    gone: Counter[str] = Counter()
    for chunk in source.chunks():
        lacking = _lacking(spec.columns, chunk)
        decoded = _decoded(spec.columns, chunk)
        rows += len(chunk)
        if not lacking:
            known += measured.duplicates.among(row_hashes(decoded, measured.hashed))
        gone.update({n: int(np.count_nonzero(cells_missing(v))) for n, v in decoded.items() if not spec[n].shape})
        for name, counts in seen.items():
            if name in decoded:
                _count(counts, decoded[name])
        if spec.label is not None and chunk.label is not None:
            labels.update(decode_label(chunk.label, spec.label.form, spec.label.name), chunk.label)
    there = {n: c for n, c in seen.items() if n not in lacking}
    ours = {n: measured.tallies[n].counts for n in there}
    unseen = {n: {str(w): k for w, k in c.items() if w not in ours[n]} for n, c in there.items()}
    absent = {n: tuple(str(w) for w in ours[n] if w not in c) for n, c in there.items()}
    return Split(
        rows,
        known,
        labels if labels.counts else None,
        lacking,
        {n: k / max(rows, 1) for n, k in gone.items()},
        {n: w for n, w in unseen.items() if w},
        {n: w for n, w in absent.items() if w},
    )


def _lacking(columns: tuple[Column, ...], chunk: RawChunk) -> tuple[str, ...]:
    if chunk.matrix is not None:
        return tuple(c.name for c in columns[chunk.matrix.shape[1] :])
    return tuple(c.name for c in columns if c.name not in chunk.columns)


def _decoded(columns: tuple[Column, ...], chunk: RawChunk) -> dict[str, Any]:
    if chunk.matrix is not None:
        given = dict(zip([c.name for c in columns], np.ascontiguousarray(chunk.matrix.T), strict=False))
    else:
        given = dict(chunk.columns)
    return {c.name: decode_column(given[c.name], c) for c in columns if c.name in given}


def _count(counts: Counter[Any], values: Coded) -> None:
    n = np.bincount(values.codes + 1, minlength=len(values.values) + 1)[1:]
    for i in np.flatnonzero(n).tolist():
        counts[values.values[i]] += int(n[i])
