"""What is counted of a column: values, and what stands for missing ones."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from prepkit.decode import decode_column
from prepkit.profiling import tally as module
from prepkit.profiling.tally import Tally
from prepkit.source.infer import infer_column

NAN = np.nan


def tallied(*chunks, name="c", **kinds):
    """A tally of chunks of raw cells, the kind as the first says."""
    arrays = [pa.array(c, from_pandas=True) if isinstance(c, list) else c for c in chunks]
    column = infer_column(name, arrays[0])
    out = Tally(column)
    for raw in arrays:
        if (
            column.kind in ("categorical", "text")
            and isinstance(raw, pa.Array)
            and not pa.types.is_dictionary(raw.type)
        ):
            raw = raw.dictionary_encode()
        out.update(decode_column(raw, column), raw)
    return out


def test_numbers():
    found = tallied(np.array([1.0, NAN, 0.0, np.inf, -0.0]), np.array([5.0]))
    assert (found.cells, found.missing, found.infinite, found.zeros) == (6, 2, 1, 2)
    assert dict(found.markers) == {"NaN": 1}
    assert (found.moments.mean, found.extremes.low, found.extremes.high) == (1.5, 0.0, 5.0)


def test_numbers_in_strings_say_what_stands_for_a_missing_one():
    cells = ["1", "2.5", " ?", "NA", "", " ", "abc", "def", "-inf", None, "4"]
    found = tallied(cells * 10 + ["7"] * 900)
    assert dict(found.markers) == {"?": 10, "NA": 10, "": 20, "NaN": 10}
    assert (found.missing, found.unreadable, found.infinite, found.padded) == (80, 20, 10, 20)
    assert sorted(found.examples) == ["abc", "def"]


def test_words_say_what_stands_for_a_missing_one():
    found = tallied([" a", "b", "?", "", None, "a "], ["a", " NA", "c"])
    assert dict(found.counts) == {"a": 3, "b": 1, "c": 1}
    assert dict(found.markers) == {"?": 1, "": 1, "NaN": 1, "NA": 1}
    assert (found.cells, found.missing, found.spaced, found.padded) == (9, 4, 2, 1)


def test_characters_that_cannot_be_seen():
    assert tallied(["a\u200bb", "a", "a\u200bb", "c\ufeff"]).invisible == 3


def test_bytes_and_declared_categories():
    assert dict(tallied([b"a", b"b", b"a"]).counts) == {"a": 2, "b": 1}
    declared = tallied(pa.array([3, 5, None, 3]).dictionary_encode())
    assert (dict(declared.counts), dict(declared.markers)) == ({"3": 2, "5": 1}, {"NaN": 1})


def test_flags_and_dates():
    flags = tallied(["yes", "no", "?", "yes"])
    assert (flags.column.kind, flags.missing, flags.zeros, flags.moments.count) == ("boolean", 1, 1, 3)
    dates = tallied(["2024-01-01", "2024-01-02", "", "2024-02-31"] + ["2024-03-01"] * 60)
    assert (dates.column.kind, dates.missing, dates.unreadable, dates.examples) == ("datetime", 2, 1, ["2024-02-31"])


def test_tensors():
    x = np.zeros((4, 2, 2), np.float32)
    x[0, 0, 0], x[1, 1, 1] = NAN, 7
    found = tallied(x[:2], x[2:])
    assert (found.cells, found.missing, found.zeros) == (16, 1, 14)
    assert (found.low_at == found.high_at).tolist() == [[True, True], [True, False]]


def test_more_words_than_are_listed(monkeypatch):
    monkeypatch.setattr(module, "LISTED", 5)
    found = tallied(list("abcdefgh"), list("aaaa"))
    assert (found.cut, len(found.counts), found.cells) == (True, 0, 12)


@pytest.mark.parametrize("cut", [0, 1, 3, 6])
def test_however_batched(cut):
    cells = [" a", "b", "?", "a", None, "zz"]
    whole, pieces = tallied(cells), tallied(cells[:cut] or cells, cells[cut:] if cut else [])
    for name in ("cells", "missing", "spaced", "padded", "markers", "counts"):
        assert getattr(whole, name) == getattr(pieces, name), name
