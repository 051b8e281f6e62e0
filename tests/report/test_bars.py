"""Lying bars."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prepkit.report import bars
from prepkit.report.html import page
from tests.report.markup import checked, svgs, titles

COUNTS = st.lists(st.integers(0, 10**9), min_size=1, max_size=40)
HOSTILE = "<script>\"'&"


@given(COUNTS)
def test_lying_bars_name_rows_and_shares(counts):
    html = bars.bars([f"v{i}" for i in range(len(counts))], counts, what="job")
    markup = checked(page("t", [html]))
    assert "job" in markup.words and "share" in markup.words
    wide = [float(w) for w in re.findall(r'width="([0-9.]+)%" height="12"/>', html)]
    there = [n for n in counts if n]
    np.testing.assert_allclose(wide, [max(0.5, 100 * n / max(there)) for n in there], atol=0.006)
    assert all(f"{n:,}" in markup.words for n in counts)


def test_lying_bars_are_stacked_by_class():
    html = bars.bars(["a", HOSTILE], [4, 1], by_class=[[3, 0], [1, 1]], classes=["no", "yes"])
    checked(page("t", [html]))
    drawn = re.findall(r'<rect class="(k\d)" x="([0-9.]+)%" width="([0-9.]+)%"', html)
    assert drawn == [("k0", "0.00", "75.00"), ("k1", "75.00", "25.00"), ("k1", "0.00", "25.00")]
    assert [titles(s) for s in svgs(html)] == [
        ["a: 4 rows, 80 %\nno: 3\nyes: 1"],
        [f"{HOSTILE}: 1 row, 20 %\nno: 0\nyes: 1"],
    ]


@pytest.mark.parametrize(
    "part, whole, wide", [(0, 10, "0.0"), (1, 10**6, "0.5"), (1, 4, "25.0"), (4, 4, "100.0"), (0, 0, "0.0")]
)
def test_the_bar_of_a_share(part, whole, wide):
    html = bars.share_bar(part, whole, "missing")
    checked(page("t", [html]))
    assert f'class="part" width="{wide}%"' in html
    assert "missing" in html and f"{part:,} of {whole:,}" in html


def test_pairs_stand_one_above_the_other():
    html = bars.pairs(["a", HOSTILE], [0.5, 0.0], [0.25, 0.0001], ("training", "here"), "job")
    markup = checked(page("t", [html]))
    assert [titles(s) for s in svgs(html) if titles(s)] == [
        ["a: training 50 %, here 25 %"],
        [f"{HOSTILE}: training 0 %, here <0.1 %"],
    ]
    drawn = re.findall(r'<rect class="(was|k)" y="(\d)" width="([0-9.]+)%"', html)
    assert drawn == [("was", "0", "100.0"), ("k", "7", "50.0"), ("k", "7", "0.0")]
    assert {"job", "training", "here", "50 %", "<0.1 %"} <= set(markup.words)


def test_pairs_of_nothing():
    checked(page("t", [bars.pairs(["a"], [0.0], [0.0], ("a", "b"))]))
