"""Numbers and names as a person reads them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prepkit.report.words import BLOCKS, evidence, listed, number, percent, plain, plural, share, short, spark


@given(st.floats(-1e300, 1e300))
def test_a_number_is_within_its_digits(x):
    read = float(number(x).replace(",", ""))
    assert math.isclose(read, x, rel_tol=5.1e-4)
    assert len(number(x)) <= 14


def test_numbers_that_are_none():
    assert [number(x) for x in (np.nan, np.inf, -np.inf, None)] == ["NaN", "∞", "-∞", "–"]
    assert [number(x) for x in (0.0, -0.5, 999.9, 1000.4, 12345678)] == ["0", "-0.5", "999.9", "1,000", "12,345,678"]
    assert number(10**400 // 10**395) == "100,000"


@given(st.floats(0, 1))
def test_a_share_is_none_or_all_only_if_it_is(x):
    said = percent(x)
    assert (said == "0 %") == (x == 0)
    assert (said == "100 %") == (x == 1)
    assert said.endswith(" %") and len(said) <= 7
    if said[0] not in "<>":
        assert abs(float(said[:-2]) - 100 * x) <= 0.0501


def test_a_share_of_nothing():
    assert share(0, 0) == "–"
    assert percent(np.nan) == "–"


def test_lines_are_cut():
    assert short("a\n b\t c", 20) == "a b c"
    assert short("abcdef", 4) == "abc…"
    assert short("  ", 9) == "'  '"
    assert listed(list("abcdefgh"), 3) == "a, b, c and 5 more"
    assert plural(0, "row") == "0 rows"


@pytest.mark.parametrize(
    "value, said",
    [
        (True, "yes"),
        (None, "–"),
        (3, "3"),
        (np.float64(0.5), "0.5"),
        ({" ?": 1836, "": 2}, "' ?' 1,836, '' 2"),
        (["a", 1.0, None], "a, 1, –"),
        ("text", "text"),
        ((), ""),
        (list(range(9)), "0, 1, 2, 3, 4, 5 and 3 more"),
    ],
)
def test_evidence_is_plain(value, said):
    assert plain(value) == said


def test_facts_have_names_and_shares_are_percent():
    assert evidence({"missing_share": 0.031, "share": 1, "n_rows": 5}) == "missing share 3.1 %, share 1, rows 5"
    assert evidence({"share": 1.5}) == "share 1.5"  # no share
    assert evidence({}) == ""
    assert evidence({"similar": [], "format": "", "none": None, "zero": 0}) == "zero 0"
    assert evidence({"statistic": "PSI", "value": 0.25, "threshold": 0.1}) == "PSI 0.25, threshold 0.1"
    assert evidence({"value": 99, "rows": 2}) == "value 99, rows 2"
    assert evidence({"rows": 2, "exact": True}) == "rows 2"
    assert evidence({"rows": 2, "exact": False}) == "rows 2, estimated"
    assert evidence({"percent_beyond": 0.25, "least": 1, "most x": 2}) == "0.25 % beyond, least 1, most x 2"
    assert evidence({"least n": 1, "most n": 1, "least": 3, "most": 4}) == "n 1, least 3, most 4"


@given(st.lists(st.integers(0, 10**12), max_size=60), st.integers(1, 20))
def test_sparks_are_as_wide_as_asked_and_rise_with_the_counts(counts, width):
    drawn = spark(counts, width)
    assert len(drawn) <= width
    step = math.ceil(len(counts) / width) if counts else 1
    sums = [sum(counts[i : i + step]) for i in range(0, len(counts), step)]
    assert len(drawn) == len(sums)
    order = " " + BLOCKS
    for a, b in zip(range(len(sums)), range(1, len(sums)), strict=False):
        if sums[a] <= sums[b]:
            assert order.index(drawn[a]) <= order.index(drawn[b])
    assert [n == 0 for n in sums] == [c == " " for c in drawn]
    if any(sums):
        assert drawn[sums.index(max(sums))] == "█"
