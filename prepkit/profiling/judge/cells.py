"""Cells without a value: missing, said in other words, unreadable, infinite."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from prepkit.finding import Finding
from prepkit.profiling.describe import Distinct
from prepkit.profiling.judge.found import on_column, on_columns, percent, quoted, rounded
from prepkit.profiling.view import View

MUCH = 0.5  # share of missing cells, from which on there are more fillings than values
STRONG = 0.5  # of Cramér's V; Cohen 1988 (doi:10.4324/9780203771587) calls it a large effect
# Of numbers that stand apart from all others. Rules of thumb, tried on the numbers of 475 tables of R packages.
NEIGHBOURS = 10  # different values whose gaps say how far neighbours lie from each other
FEWEST = 8  # different values without which there is no such distance
APART = 4.0  # such distances between the suspect and its neighbour
WIDE = 0.1  # and of the median's size: between a zero and the next number
STEPS = 2.0  # times the largest of the next gaps: logarithms of 1, 2, 3, ... begin with 1.7 times
CLEARLY, OFTEN = 0.2, 0.3  # of such a size at least, of the rows at most: or else a zero may well be one
MOST_ZEROS = 0.5  # share: with more, a zero is what is usual
SOME = 0.005  # share of the rows
PEAK = 3.0  # times as frequent as any of its neighbours
NINES = (99.0, *(float(d * k) for k in (111, 1111, 11111, 111111) for d in (7, 8, 9)), 998.0, 9998.0)
NEGATIVE = (-1.0, -9.0, -99.0, -999.0, -9999.0, -99999.0, -8.0, -88.0, -888.0)
DATES = {-2208988800.0: "1900-01-01", 0.0: "1970-01-01", 253402214400.0: "9999-12-31", -62135596800.0: "0001-01-01"}
# Words that say that nothing is known; those that are a value as often as not ("none", "-") are told apart below.
UNKNOWN = frozenset(
    [
        *("unknown", "unk", "missing", "not available", "not known", "not recorded", "not reported", "not stated"),
        *("not specified", "not given", "not provided", "not collected", "not ascertained", "not answered"),
        *("unspecified", "undefined", "undetermined", "unavailable", "no data", "no information", "no answer"),
        *("no response", "no value", "n d", "nd", "tbd", "tba", "refused", "prefer not to say", "dk", "dont know"),
        *("prefer not to answer", "don t know", "invalid", "null", "nan", "n a", "na", "empty", "blank"),
    ]
)
LONGEST = 30  # characters of such a word, with signs around it
PERHAPS = frozenset(
    ["none", "nil", "nothing", "not applicable", "x", "xx", "xxx", *"-.*_/#!", "--", "---", "..", "..."]
)


def missing(view: View) -> Iterator[Finding]:
    for c in view.columns.values():
        n = c.missing - c.infinite - c.unreadable
        if not n or c.missing == c.cells:
            continue
        evidence = {"missing": n, "percent": percent(n, c.cells), "markers": _markers(c.markers)}
        if c.kind == "categorical" and c.distinct == 1:
            advice = "the cell holds one value or none: whether it is empty is what the column says; do not drop rows"
            yield on_column("missing.one_value", "info", c.name, advice, "Impute()", **evidence)
        elif n > MUCH * c.cells:
            advice = "fill the cells and mark where, or drop the column if that they are missing says nothing"
            yield on_column("missing.much", "warning", c.name, advice, "Impute(indicator=True)", **evidence)
        else:
            advice = "fill the cells: a network turns one missing number into a loss that is none"
            yield on_column("missing", "warning", c.name, advice, "Impute()", **evidence)


def _markers(markers: Mapping[str, int]) -> str:
    return ", ".join(f"{repr(m) if m else 'blank'} {n:,}" for m, n in list(markers.items())[:5])


def unreadable(view: View) -> Iterator[Finding]:
    for c in view.columns.values():
        if c.unreadable:
            examples = quoted(view.measured.tallies[c.name].examples)
            evidence = {"cells": c.unreadable, "percent": percent(c.unreadable, c.cells), "examples": examples}
            advice = f"they cannot be read as {c.kind} and become missing: correct them, or say another kind"
            yield on_column("values.unreadable", "warning", c.name, advice, "Validate()", **evidence)
        if c.infinite:
            evidence = {"cells": c.infinite, "percent": percent(c.infinite, c.cells)}
            advice = "infinite numbers become missing: look for a division by zero, or a logarithm of it"
            yield on_column("values.infinite", "warning", c.name, advice, "Impute()", **evidence)


# -- disguised ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Suspect:
    """A number that may stand for a missing cell: its rows in the sample, why, and how far it lies from the next.

    `apart` is in medians of the other numbers for a zero, and infinite for a number that is written for nothing else.
    """

    value: float
    count: int
    why: str
    apart: float = np.inf


def disguised_numbers(view: View) -> Iterator[Finding]:
    for name, numbers in view.numbers.items():
        c = view.columns[name]
        if c.shape or c.role != "feature" or c.kind not in ("numeric", "datetime"):
            continue
        for s in suspects(numbers, dates=c.kind == "datetime"):
            written = DATES[s.value] if c.kind == "datetime" else f"{s.value:.15g}"
            evidence = {"value": written, "percent": percent(s.count, numbers.total), "why": s.why}
            advice = f"if {written} stands for a missing value, make it missing and fill it"
            stage = "Validate(schema, on_invalid='null')"
            severity = "warning" if s.apart >= CLEARLY and s.count <= OFTEN * numbers.total else "info"
            yield on_column("missing.disguised", severity, name, advice, stage, **evidence)  # type: ignore[arg-type]


def suspects(numbers: Distinct, *, dates: bool = False) -> list[Suspect]:
    """The numbers at both ends that stand apart and are such as are written for "missing".

    That zero is impossible is not told from the column's name, but from the others' distance to it.
    """
    if len(numbers.values) < FEWEST:
        return []
    low = _lowest(numbers, dates)
    flipped = Distinct(-numbers.values[::-1], numbers.counts[::-1])
    return [s for s in (low, _highest(flipped, dates)) if s is not None]


def _lowest(numbers: Distinct, dates: bool) -> Suspect | None:
    value, following = numbers.values[:2].tolist()
    count, gap, usual = int(numbers.counts[0]), following - value, _usual_gap(numbers)
    if dates:
        return _suspect(value, count, following, gap, usual) if value in DATES and gap > APART * usual else None
    if value == 0.0:
        others = _median(Distinct(numbers.values[1:], numbers.counts[1:]))
        if count > MOST_ZEROS * numbers.total or gap < max(APART * usual, WIDE * others):
            return None
        if gap < STEPS * np.diff(numbers.values[1:5]).max():
            return None
        return replace(_suspect(value, count, following, gap, usual), apart=gap / others)
    if value in NEGATIVE and following >= 0:
        after = numbers.counts[1 : 1 + NEIGHBOURS]
        falling = bool((np.diff(after[:4]) <= 0).all())  # they begin with their most frequent one, so not before it
        if (gap >= APART * usual and count > 1) or count > PEAK * after.max():
            return _suspect(value, count, following, gap, usual)
        if following in (0, 1) and (falling or count > after[0]) and count >= SOME * numbers.total:
            return Suspect(value, count, f"the only negative number, where the others begin with {following:g}")
    return None


def _highest(flipped: Distinct, dates: bool) -> Suspect | None:
    value, following = (-flipped.values[:2]).tolist()
    count, gap, usual = int(flipped.counts[0]), value - following, _usual_gap(flipped)
    named = value in DATES if dates else abs(value) in NINES and value > 0
    peak = abs(value) >= 100 or dates or count > PEAK * flipped.counts[1 : 1 + NEIGHBOURS].max()  # 99 is an age, too
    if not named or gap < APART * usual or count < 2 or not peak:
        return None
    return _suspect(value, count, following, gap, usual)


def _suspect(value: float, count: int, following: float, gap: float, usual: float) -> Suspect:
    why = (
        f"{rounded(gap):g} from the next number, {rounded(following):g}, where neighbours are {rounded(usual):g} apart"
    )
    return Suspect(value, count, why)


def _usual_gap(numbers: Distinct) -> float:
    """The median gap between the values that follow the first."""
    return float(np.median(np.diff(numbers.values[1 : 2 + NEIGHBOURS])))


def _median(numbers: Distinct) -> float:
    return float(numbers.values[np.searchsorted(np.cumsum(numbers.counts), numbers.total / 2)])


def disguised_words(view: View) -> Iterator[Finding]:
    for c in view.columns.values():
        if c.kind != "categorical" or c.role != "feature":
            continue
        counts = view.measured.tallies[c.name].counts
        for word, n in counts.items():
            if len(str(word)) > LONGEST or str(word)[-1:].isdigit():
                continue
            plain = _plain_word(word)
            if plain in UNKNOWN or plain in PERHAPS:
                sure = plain in UNKNOWN
                evidence = {"value": str(word), "rows": n, "percent": percent(n, c.rows)}
                why = "the word says so" if sure else "the sign is often written for nothing"
                advice = "as a category of its own it does no harm; if cells are missing otherwise, too, make them one"
                yield on_column("missing.disguised", "info", c.name, advice, "Impute()", **evidence, why=why)


def _plain_word(word: object) -> str:
    text = str(word).strip().casefold()
    inner = " ".join("".join(ch if ch.isalnum() else " " for ch in text).split())
    return inner or text


# -- which cells -------------------------------------------------------------------------------


def missing_together(view: View) -> Iterator[Finding]:
    for names, rows in view.gaps.together:
        advice = "they are missing in the same rows: one indicator tells it for all of them"
        evidence = {"percent": percent(rows, len(view.few))}
        yield on_columns("missing.together", "info", names, advice, "Impute(indicator=True)", **evidence)


def missing_because(view: View) -> Iterator[Finding]:
    """Cells that are missing because of the class, or because of another column."""
    for name, v, shares in view.gaps.by_class:
        most, least = max(shares, key=shares.__getitem__), min(shares, key=shares.__getitem__)
        evidence = {
            "cramers_v": rounded(v),
            "most": f"{percent(shares[most], 1)} % of class {most!r}",
            "least": f"{percent(shares[least], 1)} % of class {least!r}",
        }
        advice = "whether the cell is missing tells of the class: mark it, unless it is known only afterwards"
        severity = "warning" if v >= STRONG else "info"
        yield on_column("missing.informative", severity, name, advice, "Impute(indicator=True)", **evidence)  # type: ignore[arg-type]
    for name, flags in view.gaps.flagged.items():
        advice = "it says only whether another column is missing, as an indicator would"
        yield on_column("missing.flagged", "info", name, advice, f"Drop({name!r})", columns=list(flags))
    for name, found in view.gaps.depends.items():
        strongest = max(found.values())
        advice = "whether cells of other columns are missing depends on it: rows may come from several sources"
        evidence = {"columns": list(found), "strongest_cramers_v": rounded(strongest)}
        yield on_column("batch.effect", "info", name, advice, "Impute(indicator=True)", **evidence)


JUDGES = (missing, unreadable, disguised_numbers, disguised_words, missing_together, missing_because)
