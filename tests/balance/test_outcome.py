"""What became of rows, counted by hand."""

from __future__ import annotations

import numpy as np

from prepkit.balance.outcome import SPARED, of_rows, of_targets


def test_of_targets():
    out = of_targets((10, 4, 0), (6, 8, 0))
    assert (out.counts, out.repeated, out.synthetic, out.left_out) == ((6, 8, 0), 4, 0, 4)
    assert out.reason == SPARED and not len(out.left_out_rows)


def test_of_rows():
    rows, labels = np.array([0, 0, 0, 3, -1, -1]), np.array([1, 1, 1, 0, 1, 0])
    out = of_rows(rows, labels, np.array([5, 6, 7, 8]), 3, "left out by X")
    assert (out.counts, out.repeated, out.synthetic, out.left_out) == ((2, 4, 0), 2, 2, 2)
    assert out.left_out_rows.tolist() == [6, 7] and out.reason == "left out by X"
