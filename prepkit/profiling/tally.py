"""What is counted of one column over all rows, a chunk at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prepkit.parse import SPACES
from prepkit.scan import Coded, Extremes, Moments
from prepkit.spec import Column

LISTED = 100_000  # distinct values that are counted by name, about 10 MB; with more, the sample has to do
EXAMPLES = 5  # unreadable cells that are kept to be shown
INVISIBLE = "[\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff\x00-\x08\x0b\x0c\x0e-\x1f]"
NULL = "NaN"  # the marker of what is missing without a word
_INFINITE = ("inf", "-inf", "+inf", "infinity", "-infinity", "+infinity")


@dataclass
class Tally:
    """Exact counts of one column.

    Args:
        column: as inferred.
        cells: rows, times the numbers of one row of a tensor.
        missing: cells without a usable value, of which some are `infinite` or `unreadable`; the others by `markers`.
        spaced: rows of strings with outer spaces, those of missing cells aside.
        invisible: rows of strings with characters that cannot be seen.
        padded: missing cells that are written with outer spaces, or of nothing else.
        moments: of numbers.
        extremes: of numbers.
        low_at: of a tensor, the smallest value of each of its numbers, and `high_at` the largest.
        counts: rows of each value of strings; empty once there are more than `LISTED`, as `cut` says.
    """

    column: Column
    cells: int = 0
    missing: int = 0
    infinite: int = 0
    unreadable: int = 0
    zeros: int = 0
    spaced: int = 0
    padded: int = 0
    invisible: int = 0
    markers: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    moments: Moments = field(default_factory=Moments)
    extremes: Extremes = field(default_factory=Extremes)
    low_at: Any = None
    high_at: Any = None
    counts: Counter[Any] = field(default_factory=Counter)
    cut: bool = False
    _last: Any = None  # the dictionary of the last chunk, and which of its words are odd

    def update(self, values: Any, raw: Any) -> None:
        """Take in a chunk of the column, decoded, and as it came in (strings as a dictionary, if they are words)."""
        if isinstance(values, Coded):
            self._words(values, raw)
        else:
            self._numbers(values, raw)

    # -- numbers -------------------------------------------------------------------------------

    def _numbers(self, values: np.ndarray, raw: Any) -> None:
        if values.ndim > 1:
            self._positions(values)
            values = values.reshape(-1)
        self.cells += len(values)
        if values.dtype.kind == "f":
            finite = np.isfinite(values)
            if not finite.all():
                self._gaps(values, finite, raw)
                values = values[finite]
        self.moments.update(values)
        self.extremes.update(values)
        self.zeros += int(np.count_nonzero(values == 0))

    def _gaps(self, values: np.ndarray, finite: np.ndarray, raw: Any) -> None:
        missing = len(values) - int(np.count_nonzero(finite))
        self.missing += missing
        if is_text(raw):
            self._gaps_of_strings(raw.filter(pa.array(~finite)))
        elif unknown := int(np.count_nonzero(np.isnan(values))):
            self.markers[NULL] += unknown
            self.infinite += missing - unknown
        else:
            self.infinite += missing

    def _gaps_of_strings(self, cells: Any) -> None:
        """Tell missing, infinite and unreadable cells by their words."""
        counted = pc.value_counts(cells)
        known = {"", *(m.strip(SPACES) for m in self.column.missing)}
        for word, n in zip(strings(counted.field("values")), counted.field("counts").to_pylist(), strict=True):
            text = NULL if word is None else word.strip(SPACES)
            if word is None or text in known:
                self._marked(word, n)
            elif text.lower() in _INFINITE:
                self.infinite += n
            else:
                self.unreadable += n
                if len(self.examples) < EXAMPLES and text not in self.examples:
                    self.examples.append(text)

    def _marked(self, word: str | None, n: int) -> None:
        text = NULL if word is None else word.strip(SPACES)
        self.markers[text] += n
        self.padded += n if text != word and word is not None else 0

    def _positions(self, values: np.ndarray) -> None:
        low, high = np.fmin.reduce(values, 0), np.fmax.reduce(values, 0)
        self.low_at = low if self.low_at is None else np.fmin(self.low_at, low)
        self.high_at = high if self.high_at is None else np.fmax(self.high_at, high)

    # -- words ---------------------------------------------------------------------------------

    def _words(self, values: Coded, raw: Any) -> None:
        self.cells += len(values)
        n = np.bincount(values.codes + 1, minlength=len(values.values) + 1)
        self.missing += int(n[0])
        if not self.cut:
            self._count(values.values, n[1:])
        if pa.types.is_dictionary(getattr(raw, "type", pa.null())) and is_text(raw):
            self._spellings(values.codes, raw, some_missing=n[0] > 0)
        elif n[0]:
            self.markers[NULL] += int(n[0])

    def _count(self, words: Sequence[Any], counts: np.ndarray) -> None:
        for i in np.flatnonzero(counts).tolist():
            self.counts[words[i]] += int(counts[i])
        if len(self.counts) > LISTED:
            self.counts, self.cut = Counter(), True

    def _spellings(self, codes: np.ndarray, raw: Any, *, some_missing: bool) -> None:
        """How missing cells were written, and how many others have outer spaces."""
        if self._last is None or not raw.dictionary.equals(self._last[0]):  # chunks often have the same
            self._last = (raw.dictionary, *_odd(raw.dictionary))
        words, spaced, invisible = self._last
        if not (some_missing or spaced.any() or invisible.any()):
            return
        places = raw.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False) + 1
        gone = np.bincount(places[codes < 0], minlength=len(words) + 1)
        for place in np.flatnonzero(gone).tolist():
            self._marked(strings(words[place - 1 : place])[0] if place else None, int(gone[place]))
        rows = (np.bincount(places, minlength=len(words) + 1) - gone)[1:]
        self.spaced += int(rows[spaced].sum())
        self.invisible += int(rows[invisible].sum())


def _odd(words: Any) -> tuple[np.ndarray, np.ndarray]:
    """Which words have outer spaces, and which have characters that cannot be seen."""
    texts = words.cast(pa.large_binary()).cast(pa.large_string())
    spaced = pc.not_equal(pc.utf8_trim(texts, characters=SPACES), texts).fill_null(False)
    invisible = pc.match_substring_regex(texts, INVISIBLE).fill_null(False)
    return tuple(np.asarray(found.to_numpy(zero_copy_only=False), bool) for found in (spaced, invisible))  # type: ignore[return-value]


def is_text(raw: Any) -> bool:
    """Whether a raw column is strings, in a dictionary or not."""
    kind = getattr(raw, "type", None)
    if not isinstance(kind, pa.DataType):
        return False
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_binary)
    return any(test(inner) for test in (*tests, pa.types.is_large_binary, pa.types.is_binary_view))


def strings(values: Any) -> list[Any]:
    """A pyarrow array of strings or bytes as a list; None for null."""
    listed = (values.dictionary_decode() if pa.types.is_dictionary(values.type) else values).to_pylist()
    return [v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in listed]
