"""Keys that occur twice in a stream: which they are is known only once all rows have been read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from prepkit.entry import Entry
from prepkit.errors import PrepkitError
from prepkit.gate import Gate
from prepkit.labels import decode_label
from prepkit.progress import track
from prepkit.source import RawChunk
from prepkit.spec import LABEL

MOST = 2**25  # rows of which all keys are held: 268 MB for each rule


def with_repeats(gate: Gate, entry: Entry, read: Callable[[], Iterator[RawChunk]]) -> Gate:
    """The gate with the keys that each of its unique rules finds twice; reads the data once, if there is such a rule.

    Raises:
        PrepkitError: if a rule asks which of equal rows is the first or the last, or for more than 2^25 rows.
    """
    unique = [i for i, rule in enumerate(gate.rules) if rule.check == "unique"]
    if not unique:
        return gate
    if odd := [gate.rules[i] for i in unique if gate.rules[i].arguments.get("keep", "all") != "all"]:
        raise PrepkitError(
            f"{odd[0]}: which of equal rows is the first is only asked of data in memory: give a table, or "
            "report_duplicates='all'."
        )
    hashes: dict[int, list[np.ndarray]] = {i: [] for i in unique}
    rows = 0
    for chunk in track(read(), "looking for equal rows"):
        columns: dict[str, Any] = entry.decode(chunk)
        if entry.raw.label is not None and chunk.label is not None:
            columns[LABEL] = decode_label(chunk.label, entry.raw.label.form, entry.raw.label.name)
        rows += len(chunk)
        if rows > MOST:
            raise PrepkitError(
                f"{gate.rules[unique[0]]}: more than {MOST:,} streamed rows are too many to find equal ones among: "
                "leave the rule out, or check it where the data are made."
            )
        for i in unique:
            hashes[i].append(gate.keys(i, columns)[1])
    found = {}
    for i, parts in hashes.items():
        keys, counts = np.unique(np.concatenate(parts), return_counts=True)
        found[i] = keys[counts > 1]
    return replace(gate, repeated=found)
