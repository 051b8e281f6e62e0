"""Regular expressions of Python mean the same in RE2, or are said to have no equal there."""

from __future__ import annotations

import re
import sys
import unicodedata

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st

from prepkit.rows.regex import for_re2

CHARACTERS = [chr(c) for c in range(sys.maxunicode + 1) if not 0xD800 <= c <= 0xDFFF]
# Characters that Python's Unicode does not know yet may be letters to RE2.
KNOWN = [c for c in CHARACTERS if unicodedata.category(c) != "Cn"]
TURKISH = ["\u0130", "\u0131"]


def matched(expression: str, texts: list[str]) -> np.ndarray:
    """As the rules do it: the whole text, in RE2."""
    found = pc.match_substring_regex(pa.array(texts), f"^(?:{expression})$")
    return np.asarray(found.to_numpy(zero_copy_only=False), bool)


@pytest.mark.parametrize(
    "pattern",
    [
        r"\d",
        r"\w",
        r"\s",
        r"\D",
        r"\W",
        r"\S",
        r"[^\W\d_]",
        r"[^\W_]",
        r"[^\W\d]",
        r"(?a)[^\W\d]",
        r"[^\W]",
        ".",
        "(?i)k",
        "(?i)[à-ý]",
        "(?a)\\w",
        "(?a)\\s",
    ],
)
def test_a_class_is_of_the_same_characters(pattern):
    found = matched(for_re2(pattern), KNOWN)
    expected = np.array([re.fullmatch(pattern, c) is not None for c in KNOWN])
    assert [KNOWN[i] for i in np.flatnonzero(found != expected)] == []


def test_the_turkish_letters_are_all_that_is_folded_otherwise():
    found = matched(for_re2("(?i)[a-z]"), KNOWN)
    expected = np.array([re.fullmatch("(?i)[a-z]", c) is not None for c in KNOWN])
    assert [KNOWN[i] for i in np.flatnonzero(found != expected)] == TURKISH


ATOMS = st.sampled_from(
    [
        *"ab1_ é-",
        ".",
        r"\.",
        r"\d",
        r"\w",
        r"\s",
        r"\D",
        r"[^\W\d_]",
        r"\W",
        r"\S",
        "[ab]",
        "[^a1]",
        r"[\w-]",
        r"[^\s]",
        r"[^\D]",
        "[]a]",
        r"\u00e9",
    ]
)
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{,2}", "{,}", "+?"])).map(
            lambda t: f"(?:{t[0]}){t[1]}"
        ),
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=1, max_size=3).map("|".join),
        inner.map(lambda p: f"({p})"),
        inner.map(lambda p: f"(?i:{p})"),
        inner.map(lambda p: f"^{p}"),
        inner.map(lambda p: rf"{p}\Z"),
    ),
    max_leaves=6,
)
TEXTS = st.lists(st.text("abAB1_ é-.{,}2Z\n", max_size=5), min_size=1, max_size=20)


@settings(max_examples=150)
@given(PATTERNS, TEXTS, st.sampled_from([0, re.I, re.S, re.M, re.X, re.I | re.A]))
@example("a{,3}", ["aa", "a{,3}", ""], 0)
@example(r"\w+", ["Müller"], 0)
@example(r"a\Z", ["a\nb"], re.M)
@example("a b # two letters", ["ab", "a b"], re.X)
def test_means_what_python_means(pattern, texts, flags):
    compiled = re.compile(pattern, flags)
    written = for_re2(compiled if flags else pattern)
    if written is None:
        assert flags & re.A and flags & re.I
        return
    expected = [compiled.search(t) is not None for t in texts]
    assert matched(f"(?s:.*)(?:{written})(?s:.*)", texts).tolist() == expected
    in_graph = tf.strings.regex_full_match(texts, f"(?s:.*)(?:{written})(?s:.*)")
    assert in_graph.numpy().tolist() == expected


@pytest.mark.parametrize("pattern", ["[A-Z]{2}", "^a.*z$", "(?i)yes|no", "", "[0-9]+", r"\.", "é"])
def test_what_both_read_alike_stays_as_it_is(pattern):
    assert for_re2(pattern) == pattern


@pytest.mark.parametrize(
    "pattern",
    [
        *("(?=a)", "(?!a)b", "(?<=a)b", r"(a)\1", "(?P<x>a)(?P=x)", "(a)?(?(1)b|c)", "(?>a)", "a++", r"\bword", r"\B"),
        *(r"[\W\d]", "a{1001}", re.compile("a", re.A | re.I)),
    ],
)
def test_what_has_no_equal(pattern):
    assert for_re2(pattern) is None


def test_sets_that_may_change_their_meaning_do_not_warn():
    assert for_re2(r"[[\d]") is not None
