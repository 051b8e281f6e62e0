import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from prepkit.scan import Coded, Lengths

WORDS = st.lists(st.sampled_from([None, "a", "bcd", "späti", "東京", "x" * 40]), max_size=20)


def coded(cells):
    values = [c for c in dict.fromkeys(cells) if c is not None]
    return Coded(np.array([-1 if c is None else values.index(c) for c in cells], np.int32), [*values, "never there"])


def measured(*parts):
    lengths = Lengths()
    for part in parts:
        lengths.update(coded(part))
    return lengths


@given(WORDS, WORDS)
def test_shortest_and_longest_however_the_rows_are_batched_or_merged(one, other):
    there = [len(c) for c in one + other if c is not None]
    found = measured(one + other)
    assert (found.count, found.missing) == (len(there), len(one + other) - len(there))
    if there:
        assert (found.low, found.high) == (min(there), max(there))
    merged = measured(one)
    merged.merge(measured(other))
    assert merged == measured(one, other) == found


def test_behind_a_filling():
    found = measured(["abc", None]).filled("missing")
    assert (found.low, found.high, found.count, found.missing) == (3, 7, 2, 0)
    assert measured(["abc"]).filled("missing") == measured(["abc"])


def test_of_words():
    assert Lengths.of(["a", "bc"]) == measured(["a", "bc"])
    assert Lengths.of([]).count == 0
