"""Some rows of a source."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from prepkit.source.base import RawChunk, Source


class Part(Source):
    """Those rows of a source that what they hold chooses, in its order, a chunk at a time.

    Args:
        source: where they come from.
        chosen: of a chunk, bool (rows,); the same for a row in whatever chunk it comes.
        name: for messages.
    """

    def __init__(self, source: Source, chosen: Callable[[RawChunk], np.ndarray], name: str) -> None:
        self.source, self.chosen, self.name = source, chosen, name
        self.structure, self.label = source.structure, source.label

    def chunks(self, rng: np.random.Generator | None = None) -> Iterator[RawChunk]:
        for chunk in self.source.chunks(rng):
            keep = self.chosen(chunk)
            if keep.any():
                yield filtered(chunk, keep)


def filtered(chunk: RawChunk, keep: np.ndarray) -> RawChunk:
    """The rows of a chunk where `keep`, bool (rows,), says so; numpy arrays are copied."""
    mask = pa.array(keep)

    def some(values: Any) -> Any:
        if values is None or isinstance(values, np.ndarray):
            return None if values is None else values[keep]
        return values.filter(mask)  # `take` would join the pieces of a ChunkedArray

    return replace(
        chunk,
        columns={name: some(values) for name, values in chunk.columns.items()},
        matrix=some(chunk.matrix),
        label=some(chunk.label),
        weight=some(chunk.weight),
    )
