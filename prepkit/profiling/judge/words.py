"""Columns of strings: how many categories there are, how they are written, and what is text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prepkit.finding import Finding
from prepkit.profiling.data import ColumnProfile
from prepkit.profiling.judge.found import on_column, percent, quoted, rounded
from prepkit.profiling.view import View

# Rules of thumb, the first two those of `recommend`, which were chosen by test log-loss.
MANY = 40  # categories; with more of them
SPARSE = 10  # and fewer rows for each than this, their spellings tell more than they do
VERY_MANY = 1000
RARE = 20  # rows: of fewer, a network learns next to nothing about a category


def cardinality(view: View) -> Iterator[Finding]:
    for c in view.columns.values():
        if c.kind == "text" and c.role == "feature":
            evidence: dict[str, Any] = {"distinct": c.distinct, "median_length": c.lengths[1] if c.lengths else 0}
            advice = "hash its pieces of words; as categories its values would hardly ever occur again"
            yield on_column("column.text", "info", c.name, advice, "Text()", **evidence)
        if c.kind == "categorical" and c.role == "feature":
            there = c.rows - c.missing
            if c.distinct > VERY_MANY or (c.distinct > MANY and there < SPARSE * c.distinct):
                evidence = {"distinct": c.distinct, "rows_each": rounded(there / c.distinct)}
                advice = "too many categories, too few rows for each: hash pieces of the words, or the words"
                yield on_column("column.cardinality", "info", c.name, advice, "Text()", **evidence)


def rare(view: View) -> Iterator[Finding]:
    for c in view.features:
        counts = view.measured.tallies[c.name].counts
        if c.kind == "categorical" and c.distinct <= VERY_MANY and c.rows >= 10 * RARE:
            few = {w: n for w, n in counts.items() if n < RARE}
            if few and len(few) < len(counts):
                evidence = {"categories": len(few), "rows": sum(few.values()), "examples": quoted(few)}
                advice = "put the infrequent ones together: each alone is too rare to learn from"
                stage = f"OneHot(min_frequency={RARE})"
                yield on_column("category.rare", "info", c.name, advice, stage, **evidence)


def spaces(view: View) -> Iterator[Finding]:
    for c in view.columns.values():
        spaced = view.measured.tallies[c.name].spaced
        if spaced:
            advice = "outer spaces are taken off; elsewhere ' a' and 'a' are two categories"
            yield on_column("category.spaces", "info", c.name, advice, "", rows=spaced, percent=percent(spaced, c.rows))


def dirty(view: View) -> Iterator[Finding]:
    for name, found in view.spellings.items():
        c = view.columns[name]
        if found.same and c.kind == "categorical":
            groups = [quoted(g, 4) for g in found.same[:3]]
            evidence = {
                "words": len(found.same),
                "spellings": sum(map(len, found.same)),
                "rows": sum(sum(g.values()) for g in found.same),
                "examples": groups,
            }
            advice = "the same word in several spellings: make them one, or hash pieces of the words"
            yield on_column("category.dirty", "warning", name, advice, "Map(function)", **evidence)
        elif found.same:
            repeated = sum(sum(g.values()) - max(g.values()) for g in found.same)
            evidence = {"rows": repeated, "percent": percent(repeated, c.rows), "examples": [quoted(found.same[0], 2)]}
            advice = "texts that differ in case and punctuation only: keep them on one side of a split"
            yield on_column("text.nearly_same", "info", name, advice, "", **evidence)
        if found.typos and c.kind == "categorical":
            evidence = {"words": len(found.typos), "examples": [f"{a!r} for {b!r}" for a, b in found.typos[:3]]}
            advice = "these may be typing errors: correct them, or hash pieces of the words"
            yield on_column("category.typos", "info", name, advice, "Map(function)", **evidence)


def characters(view: View) -> Iterator[Finding]:
    for name, tally in view.measured.tallies.items():
        if tally.invisible:
            advice = "take out the characters that cannot be seen (byte order marks, zero-width spaces)"
            evidence = {"rows": tally.invisible, "percent": percent(tally.invisible, tally.cells)}
            yield on_column("text.invisible", "info", name, advice, "Map(function)", **evidence)
    for name, found in view.spellings.items():
        if found.typographic:
            advice = "typographic quotes and dashes differ from the plain ones: make them one"
            evidence = {"rows": found.typographic, "percent": percent(found.typographic, found.cells)}
            yield on_column("text.typographic", "info", name, advice, "Map(function)", **evidence)


def flags(view: View) -> Iterator[Finding]:
    """Yes and no written in words in some columns, in numbers in others."""
    words = [c.name for c in view.features if c.kind == "boolean" and c.dtype == "string"]
    numbers = [c.name for c in view.features if _is_flag(view, c)]
    if words and numbers:
        evidence = {"as_words": quoted(words, 4), "as_numbers": quoted(numbers, 4)}
        advice = "all become 0 and 1; write them in one way, lest one be taken for a quantity"
        yield Finding("boolean.mixed", "info", "flags", evidence, advice)


def _is_flag(view: View, c: ColumnProfile) -> bool:
    return c.kind == "numeric" and c.distinct == 2 and view.numbers[c.name].values.tolist() == [0.0, 1.0]


JUDGES = (cardinality, rare, spaces, dirty, characters, flags)
