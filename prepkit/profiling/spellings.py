"""How words and numbers are written: the same word in several ways, outer spaces, lost zeros."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prepkit.parse import SPACES, pattern

WORDS = 5_000  # different ones of a column that are compared, the most frequent first
LONG = 60  # characters; longer words are texts, of which typing errors are not looked for
FEW_LETTERS = 3  # of a part of a word, that may be a number or a name of its own
SHORT = 5  # letters; shorter words differ by one letter and mean something else
TYPO_SHARE = 0.05  # of the rows of a word, those of its misspelling at most
TYPOGRAPHIC = "[\u2018\u2019\u201a\u201c\u201d\u201e\u2013\u2014\u2026\u00ab\u00bb]"
ANY_DIGIT = 0.01  # share of the cells that begin with each of 1 to 9, or else the numbers are no codes
LONG_CODES = 4  # digits, from which on zeros may be lost
SAME_LENGTH, FEW_LONGER = 0.9, 0.01  # shares of the cells: with the usual number of digits, with more
# Between letters, or at the ends: between or beside digits a sign may be part of a number.
_BETWEEN = re.compile(r"(?<![0-9+#<>=$%])[\s_.,;:'\"()\[\]/&!?*-]+(?![0-9])")
_DIGIT = re.compile(r"\d")
_PARTS = re.compile(r"[\s_/-]+")
_HYPHEN_AT_END = re.compile(r"(?<=\S)-$|\+$|^-")


@dataclass(frozen=True)
class Spellings:
    """How the words of a column are written.

    Args:
        numbers: the share of cells that are numbers, and some of the `others`.
        others: see `numbers`.
        same: words that are written in several ways: each with its rows.
        typos: rare words, and the frequent one from which they differ by a letter.
        typographic: rows with typographic quotes and dashes.
        cells: rows of these words.
    """

    numbers: float
    others: tuple[str, ...]
    same: Sequence[Mapping[str, int]]
    typos: Sequence[tuple[str, str]]
    typographic: int
    cells: int


def spellings(counts: Mapping[str, int]) -> Spellings:
    """Of words with their rows, outer spaces aside."""
    most = dict(sorted(counts.items(), key=lambda item: -item[1])[:WORDS])
    words = pa.array(list(most), pa.large_string())
    rows = np.fromiter(most.values(), np.int64, len(most))
    numeric = _matching(words, pattern("number"))
    others = [w for w, is_number in zip(most, numeric, strict=True) if not is_number]
    return Spellings(
        numbers=float(rows[numeric].sum() / max(rows.sum(), 1)),
        others=tuple(others[:3]),
        same=same_words(most),
        typos=typing_errors(most),
        typographic=int(rows[_matching(words, f"(?s:.*){TYPOGRAPHIC}(?s:.*)")].sum()),
        cells=int(rows.sum()),
    )


def _matching(words: Any, expression: str) -> np.ndarray:
    return np.asarray(pc.match_substring_regex(words, f"^(?:{expression})$").to_numpy(zero_copy_only=False), bool)


@lru_cache(2 * WORDS)
def key(word: str) -> str:
    """What is left of a word without case, outer spaces, punctuation and compatibility forms.

    Example:
        >>> key(" St. Louis") == key("st louis"), key("A+") == key("A-"), key("18-29") == key("1829")
        (True, False, False)
    """
    text = unicodedata.normalize("NFKC", word).casefold().strip(SPACES)
    end = _HYPHEN_AT_END.search(text) if len(text) <= 3 else None  # grades and signs
    return text if end else " ".join(_BETWEEN.sub("", text).split()) or text


def same_words(counts: Mapping[str, int]) -> list[Mapping[str, int]]:
    """Groups of words of the same key, those of most rows first."""
    groups: dict[str, dict[str, int]] = {}
    for word, n in counts.items():
        groups.setdefault(key(word), {})[word] = n
    several = [g for g in groups.values() if len(g) > 1]
    return sorted(several, key=lambda g: -sum(g.values()))


def typing_errors(counts: Mapping[str, int]) -> list[tuple[str, str]]:
    """Rare words that differ by one letter, added, dropped, changed or swapped, from one much more frequent.

    Words with digits are left out (codes differ by one), and so are short ones.

    Source: words at distance 1 share what is left without one letter (Bocek, Hunt and Stiller 2007, Fast similarity
        search in large dictionaries, TR ifi-2007.02, University of Zurich).
    """
    words: dict[str, int] = {}
    shown: dict[str, str] = {}
    for word, n in counts.items():
        plain = key(word)
        if SHORT <= len(plain) <= LONG and not _DIGIT.search(plain):
            words[plain] = words.get(plain, 0) + n
            shown.setdefault(plain, word)
    by_rest: dict[str, str] = {}  # the most frequent word of each rest, for they come in that order
    out = []
    for word in sorted(words, key=lambda w: -words[w]):
        rests = {word, *(word[:i] + word[i + 1 :] for i in range(len(word)))}
        for rest in rests:
            known = by_rest.setdefault(rest, word)
            rare = known != word and words[word] <= TYPO_SHARE * words[known]
            if rare and _one_apart(word, known) and not _differ_in_a_short_part(shown[word], shown[known]):
                out.append((shown[word], shown[known]))
                break
    return out


def _differ_in_a_short_part(a: str, b: str) -> bool:
    """Whether two words differ in a part of few letters: "ward a" and "ward b", "Act II" and "Act IV"."""
    parts, others = ([p.casefold() for p in _PARTS.split(word) if p] for word in (a, b))
    if len(parts) != len(others) or len(parts) < 2:
        return False
    return any(p != o and min(len(p), len(o)) <= FEW_LETTERS for p, o in zip(parts, others, strict=True))


def _one_apart(a: str, b: str) -> bool:
    """Whether one letter added, dropped or changed, or two neighbours swapped, makes one of the other."""
    if abs(len(a) - len(b)) > 1:
        return False
    start = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    if len(a) != len(b):
        short, long = sorted((a, b), key=len)
        return short[start:] == long[start + 1 :]
    swapped = a[start : start + 2] == b[start : start + 2][::-1] and a[start + 2 :] == b[start + 2 :]
    return swapped or a[start + 1 :] == b[start + 1 :]


# -- numbers -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Style:
    """How the numbers of a column of strings are written, in the sample.

    Args:
        cells: that hold a number.
        spaced: cells with outer spaces.
        ways: examples of different ways in which whole numbers or fractions are written.
        digits: of nearly all cells, where they are whole numbers of the same number of digits; else 0.
        shorter: cells with fewer.
    """

    cells: int
    spaced: int
    ways: tuple[str, ...]
    digits: int
    shorter: int


def style(texts: Any) -> Style:
    """Of the raw strings of a column of numbers."""
    cells = texts.cast(pa.large_binary()).cast(pa.large_string()).drop_null()
    trimmed = pc.utf8_trim(cells, characters=SPACES)
    number = _matching(trimmed, pattern("number"))
    spaced = pc.not_equal(trimmed, cells).to_numpy(zero_copy_only=False) & number
    trimmed = trimmed.filter(pa.array(number))
    whole, pointed = _matching(trimmed, r"[+-]?\d+"), _matching(trimmed, r"[+-]?\d+\.0+")
    bare, leading = _matching(trimmed, r"[+-]?\.\d+"), _matching(trimmed, r"[+-]?0\.\d+")
    ways = []
    for one, other in ((whole, pointed), (bare, leading)):
        if one.any() and other.any():
            ways += [trimmed[int(np.argmax(one))].as_py(), trimmed[int(np.argmax(other))].as_py()]
    digits, shorter = _digits(trimmed) if len(whole) and whole.all() else (0, 0)
    return Style(len(trimmed), int(spaced.sum()), tuple(ways), digits, shorter)


def _digits(numbers: Any) -> tuple[int, int]:
    lengths = pc.utf8_length(numbers).to_numpy(zero_copy_only=False)
    usual = int(np.bincount(lengths).argmax())
    share, shorter = float((lengths == usual).mean()), int((lengths < usual).sum())
    if usual < LONG_CODES or share < SAME_LENGTH or not shorter or (lengths > usual).mean() > FEW_LONGER:
        return 0, 0
    first = pc.utf8_slice_codeunits(numbers.filter(pa.array(lengths == usual)), 0, 1).cast(pa.int64()).to_numpy()
    if np.bincount(first, minlength=10)[1:].min() < ANY_DIGIT * len(first):  # amounts begin with low digits
        return 0, 0
    return usual, shorter
