"""Rows are drawn evenly, the same however they are batched."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prepkit.profiling.sample import CELLS, FEWEST_ROWS, ROWS, Sampler, rows_wanted
from prepkit.scan import Coded

CUTS = st.lists(st.integers(0, 3000), max_size=6).map(sorted)


def drawn(n, wanted, cuts=(), seed=0, expected=None):
    sampler = Sampler(wanted, seed, expected)
    for piece in np.split(np.arange(n), list(cuts)):
        chosen = sampler.chosen(len(piece))
        places = chosen.pop("places")
        sampler.add(
            {**chosen, "x": piece[places].astype(float), "t": pa.array([str(i) for i in piece[places]], pa.string())}
        )
    return sampler.result()


@given(st.integers(1, 3000), st.integers(1, 500), CUTS, st.integers(0, 5), st.booleans())
def test_the_same_rows_however_they_are_batched(n, wanted, cuts, seed, known):
    whole = drawn(n, wanted, seed=seed)
    pieces = drawn(n, wanted, [min(c, n) for c in cuts], seed, n if known else None)
    assert whole["rows"].tolist() == pieces["rows"].tolist()
    assert len(whole["rows"]) <= min(n, wanted) and (np.diff(whole["rows"]) > 0).all()
    assert pieces["x"].tolist() == pieces["rows"].tolist() == [int(t) for t in pieces["t"].to_pylist()]


@pytest.mark.parametrize("n", [10, 400, 401, 100_000])
def test_as_many_as_wanted_or_all(n):
    assert len(drawn(n, 400)["rows"]) == min(n, 400)
    assert len(drawn(n, 400, expected=n)["rows"]) == min(n, 400)


def test_spread_evenly_and_by_the_seed():
    rows = drawn(100_000, 5000)["rows"]
    tenths = np.bincount(rows // 10_000, minlength=10)
    assert abs(tenths - 500).max() < 90  # four standard deviations
    assert abs(np.bincount(rows % 2)[0] - 2500) < 150  # no rhythm is kept
    assert set(rows) != set(drawn(100_000, 5000, seed=1)["rows"])


def test_memory_is_bounded_on_the_way():
    sampler = Sampler(100, 0)
    for _ in range(100):
        chosen = sampler.chosen(500)
        del chosen["places"]
        sampler.add(chosen)
        assert sum(len(p["rows"]) for p in sampler.parts) <= 200


def test_categories_of_chunks_get_one_vocabulary_of_what_occurs():
    sampler = Sampler(10, 0)
    for codes, words in (([0, 2, -1], ["a", "b", "c"]), ([1, 0, -1], ["c", "d"])):
        chosen = sampler.chosen(3)
        del chosen["places"]
        sampler.add({**chosen, "c": Coded(np.array(codes, np.int32), words)})
    found = sampler.result()["c"]
    assert found.values == ["a", "c", "d"]
    assert found.codes.tolist() == [0, 1, -1, 2, 1, -1]


def test_wide_rows_are_drawn_fewer_of():
    assert (rows_wanted(26), rows_wanted(10**9)) == (ROWS, FEWEST_ROWS)
    assert rows_wanted(784) * 784 <= CELLS
