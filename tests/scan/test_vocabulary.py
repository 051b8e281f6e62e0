from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prepkit import PrepkitError
from prepkit.scan import Coded, Vocabulary, vocabulary
from tests.scan.columns import COLUMNS, CUTS, finite, measured

WORDS = st.lists(st.sampled_from([None, "a", "b", "ß", "東京", " "]), max_size=30)


def coded(words):
    values = list(dict.fromkeys(w for w in words if w is not None))
    return Coded(np.array([-1 if w is None else values.index(w) for w in words], np.int32), values)


@given(WORDS, st.integers(0, 30))
def test_counts_words_however_batched(words, cut):
    found = Vocabulary()
    for piece in (words[:cut], words[cut:]):  # each with codes of its own
        found.update(coded(piece))
    assert found.counts == Counter(w for w in words if w is not None)
    assert found.missing == words.count(None)


@given(COLUMNS, CUTS)
def test_counts_numbers_however_batched(x, cuts):
    found = measured(Vocabulary, x, cuts)
    assert found.counts == Counter(finite(x).tolist())
    assert found.missing == len(x) - len(finite(x))


@given(COLUMNS, COLUMNS)
def test_merge_is_update_over_the_union(x, other):
    merged = measured(Vocabulary, x, ())
    merged.merge(measured(Vocabulary, other, ()))
    assert merged == measured(Vocabulary, np.concatenate([x.astype(np.float64), other.astype(np.float64)]), ())


def test_a_value_that_no_row_has_is_not_counted():
    found = Vocabulary()
    found.update(Coded(np.array([1, 1], np.int32), ("never", "twice")))
    assert dict(found.counts) == {"twice": 2}


@pytest.mark.parametrize("counts, most", [({}, None), ({"b": 2, "a": 2, "c": 1}, "a"), ({3.0: 1, -1.0: 1}, -1.0)])
def test_most_frequent_is_the_smallest_of_several(counts, most):
    assert Vocabulary(Counter(counts)).most_frequent() == most


@given(COLUMNS, st.floats(-1e3, 1e3))
def test_filled_is_measuring_the_filled_values(x, value):
    x = x.astype(np.float64)
    before = measured(Vocabulary, x, ())
    raw = before.counts.copy()
    assert before.filled(value) == measured(Vocabulary, np.where(np.isfinite(x), x, value), ())
    assert before.counts == raw


@given(COLUMNS, st.floats(-1e3, 1e3), st.floats(0, 1e3))
def test_clipped_is_measuring_the_clipped_values(x, low, width):
    x = np.where(np.isfinite(x), x, np.nan).astype(np.float64)
    clipped = measured(Vocabulary, x, ()).clipped(low, low + width)
    assert clipped == measured(Vocabulary, np.clip(x, low, low + width), ())


def test_of_scaled_values_nothing_is_known():
    assert Vocabulary(Counter({1.0: 1})).scaled(0.0, 2.0) is None


def test_too_many_values_to_list(monkeypatch):
    monkeypatch.setattr(vocabulary, "CAP", 3)
    message = "a column has more than 3 distinct values, too many to list: use Hash or Text"
    with pytest.raises(PrepkitError, match=message):
        measured(Vocabulary, np.arange(4.0), ())
    found = measured(Vocabulary, np.arange(3.0), ())
    with pytest.raises(PrepkitError, match=message):
        found.merge(measured(Vocabulary, np.arange(3.0) + 1, ()))


def test_codes_in_the_order_of_another_index():
    codes = Coded(np.array([0, 1, -1, 2], np.int32), ("b", "a", "c"))
    recoded = codes.recoded({"a": 0, "b": 1}, -2)
    assert recoded.tolist() == [1, 0, -1, -2]
    assert recoded.dtype == np.int32
    assert codes[1:3].codes.tolist() == [1, -1]
    assert len(codes) == 4
