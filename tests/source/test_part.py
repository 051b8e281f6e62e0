"""A part of a source is those of its rows that a function chooses."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest

from prepkit.source.base import RawChunk, Source
from prepkit.source.part import Part, filtered


class Stream(Source):
    structure = "array"
    label = "y"

    def chunks(self, rng: np.random.Generator | None = None) -> Iterator[RawChunk]:
        starts = range(0, 50, 10) if rng is None else rng.permutation(range(0, 50, 10)).tolist()
        for start in starts:
            n = np.arange(start, start + 10)
            yield RawChunk({}, matrix=n[:, None], label=n % 3, weight=n + 0.5)


def rows(part: Part, rng: np.random.Generator | None = None) -> list[list[int]]:
    return [chunk.matrix[:, 0].tolist() for chunk in part.chunks(rng)]


def test_chunks_without_a_chosen_row_are_left_out():
    part = Part(Stream(), lambda chunk: chunk.matrix[:, 0] % 20 < 3, "part")
    assert rows(part) == rows(part) == [[0, 1, 2], [20, 21, 22], [40, 41, 42]]
    assert (part.structure, part.label, part.name) == ("array", "y", "part")
    assert part.n_rows is None and not part.random_access


def test_the_order_of_pieces_is_passed_on():
    part = Part(Stream(), lambda chunk: chunk.matrix[:, 0] % 2 == 0, "part")
    found = rows(part, np.random.default_rng(1))
    assert found != rows(part) and sorted(found) == rows(part)


@pytest.mark.parametrize("keep", [[True, False, True, False], [False] * 4, [True] * 4])
def test_all_that_belongs_to_a_row_goes_with_it(keep):
    words = pa.array(["p", None, "q", "p"])
    columns = {
        "number": np.arange(4.0),
        "picture": np.arange(16).reshape(4, 2, 2),
        "word": words,
        "category": words.dictionary_encode(),
        "pieces": pa.chunked_array([words[:1], words[1:]]),
    }
    chunk = RawChunk(columns, label=words, weight=np.arange(4.0), plain=frozenset({"category"}))
    out = filtered(chunk, np.array(keep))
    chosen = np.flatnonzero(keep)
    for name, values in {**out.columns, "y": out.label}.items():
        whole = columns.get(name, words)
        if isinstance(whole, np.ndarray):
            np.testing.assert_array_equal(values, whole[chosen])
        else:
            assert values.to_pylist() == [whole.to_pylist()[i] for i in chosen] and values.type == whole.type
    np.testing.assert_array_equal(out.weight, chosen)
    assert out.plain == {"category"} and out.matrix is None and len(out) == len(chosen)
