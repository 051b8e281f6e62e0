"""The rules that training rows keep, where nobody has said any."""

from __future__ import annotations

import datetime
import math
from typing import Any

import numpy as np

from prepkit.core import Known
from prepkit.rows.schema_checks import LONGEST_TEXT
from prepkit.rules import Rule
from prepkit.scan import Lengths, Statistic, Vocabulary
from prepkit.spec import Column

CATEGORIES = 100  # of a column that has more, only their lengths are checked; a rule of thumb
# The chance that the next row has a category that no row had is about the share of the rows whose category no other
# has (Good 1953, doi:10.1093/biomet/40.3-4.237); up to this the categories count as all that there are.
UNSEEN = 0.01
DAY = 86_400.0  # seconds
DTYPES = {
    "numeric": "float64",
    "categorical": "string",
    "text": "string",
    "boolean": "bool",
    "datetime": "datetime64[ns]",
}


def statistic_of(column: Column) -> Statistic:
    """What has to be measured of a column."""
    if column.kind == "categorical":
        return "vocabulary"
    return "lengths" if column.kind == "text" else "extremes"


def inferred(column: Column, known: Known, margin: float) -> list[Rule]:
    """The rules of one column, of which no training row breaks any.

    Args:
        column: as it comes in.
        known: what was measured of its series.
        margin: by how much of its range numbers may exceed it, on both sides.
    """
    name = (column.name,)
    found = [known[s, statistic_of(column)] for s in column.series]
    dtype = column.dtype if column.kind == "numeric" and column.dtype != "string" else DTYPES.get(column.kind)
    rules = [Rule(name, "dtype", {"dtype": dtype}, f"dtype({dtype})")] if dtype else []
    if not any(m.missing for m in found):
        rules.append(Rule(name, "nullable", {}, "not_nullable"))
    if column.role == "identifier":  # other rows have others
        return rules
    if column.kind == "categorical" and _is_closed(found[0]):
        return [*rules, _among(name, found[0])]
    if column.kind in ("categorical", "text"):
        return [*rules, *_length(name, found[0])]
    if column.kind != "boolean":
        rules += _range(column, min(m.low for m in found), max(m.high for m in found), margin)
    return rules


def _is_closed(vocabulary: Vocabulary) -> bool:
    """Whether the categories that occur are taken for all that there are."""
    rows = sum(vocabulary.counts.values())
    once = sum(n == 1 for n in vocabulary.counts.values())
    return 0 < len(vocabulary.counts) <= CATEGORIES and once <= UNSEEN * rows


def _among(name: tuple[str, ...], vocabulary: Vocabulary) -> Rule:
    words = sorted(vocabulary.counts)
    text = f"isin({words})"
    text = text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 3]}..."
    return Rule(name, "isin", {"allowed_values": words}, text)


def _length(name: tuple[str, ...], measured: Any) -> list[Rule]:
    lengths = measured if isinstance(measured, Lengths) else Lengths.of(measured.counts)
    if not lengths.count:
        return []
    least, most = min(1, lengths.low), 2 * lengths.high  # twice as long is another text, not a longer one
    arguments = {"min_value": least, "max_value": most, "exact_value": None}
    return [Rule(name, "str_length", arguments, f"str_length({least}, {most})")]


def _range(column: Column, low: float, high: float, margin: float) -> list[Rule]:
    if not low <= high:  # there is no value
        return []
    beyond = margin * (high - low)
    least = max(low - beyond, 0.0) if low >= 0 else low - beyond
    most = min(high + beyond, 0.0) if high <= 0 else high + beyond
    if column.kind == "tensor" and column.dtype.startswith(("int", "uint")):
        info = np.iinfo(column.dtype)  # beyond which there are no pixels
        least, most = max(math.floor(least), info.min), min(math.ceil(most), info.max)
    if column.kind == "datetime":
        least, most = math.floor(least / DAY) * DAY, math.ceil(most / DAY) * DAY
    arguments = {"min_value": float(least), "max_value": float(most), "include_min": True, "include_max": True}
    text = f"in_range({_shown(least, column)}, {_shown(most, column)})"
    return [Rule((column.name,), "in_range", arguments, text)]


def _shown(value: float, column: Column) -> str:
    if column.kind != "datetime":
        return f"{value:g}"
    try:
        return str(datetime.datetime.fromtimestamp(value, datetime.UTC).date())
    except (ValueError, OverflowError, OSError):  # beyond the years 1 to 9999
        return f"{value:g}"
