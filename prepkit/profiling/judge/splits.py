"""Several data sets: rows of one in another, and columns, categories and classes that differ."""

from __future__ import annotations

from collections.abc import Iterator

from prepkit.finding import Finding
from prepkit.labels import clean
from prepkit.profiling.judge.found import on_column, on_columns, percent, quoted
from prepkit.profiling.judge.rows import BY_CHANCE, expected_by_chance
from prepkit.profiling.view import Split, View

MUCH = 0.01  # share of its rows; a rule of thumb, like the next
EMPTIER = 0.2  # share of missing cells, by which it exceeds that of the training rows


def splits(view: View) -> Iterator[Finding]:
    for name, split in view.splits.items():
        yield from _columns(view, name, split)
        yield from _rows(view, name, split)
        yield from _labels(view, name, split)


def _columns(view: View, name: str, split: Split) -> Iterator[Finding]:
    if split.lacking:
        advice = f"{name!r} does not have them: rename or add them, empty if need be"
        yield on_columns("split.columns", "error", list(split.lacking), advice, "", split=name)
    for column, share in split.missing.items():
        usual = view.columns[column].missing / max(view.columns[column].cells, 1)
        if share - usual >= EMPTIER:
            evidence = {"split": name, "percent_missing": percent(share, 1), "usually": percent(usual, 1)}
            advice = "cells are missing there that are not here: are they written in another way, or of another kind?"
            yield on_column("split.missing", "warning", column, advice, "Validate()", **evidence)
    for column, words in split.unseen.items():
        rows = sum(words.values())
        evidence = {"split": name, "categories": len(words), "rows": rows, "examples": quoted(words)}
        advice = "the training rows have no such category: it becomes all zeros, or a bucket of its own"
        yield on_column("category.unseen", "info", column, advice, "OneHot(unseen='bucket')", **evidence)
    for column, absent in split.absent.items():
        evidence = {"split": name, "categories": len(absent), "examples": quoted(absent)}
        advice = "of these categories the other rows have none: nothing says how well they were learned"
        yield on_column("category.absent", "info", column, advice, "", **evidence)


def _rows(view: View, name: str, split: Split) -> Iterator[Finding]:
    if not split.seen:
        return
    chance = expected_by_chance(view) * 2 * split.rows / max(view.measured.rows, 1) >= BY_CHANCE * split.seen
    evidence = {"split": name, "rows": split.seen, "percent": percent(split.seen, split.rows)}
    advice = f"these rows of {name!r} stand in the training data, too: take them out of one of the two"
    severity = "info" if chance or split.seen < MUCH * split.rows else "warning"
    yield Finding("leakage.rows", severity, "rows", evidence, advice)  # type: ignore[arg-type]


def _labels(view: View, name: str, split: Split) -> Iterator[Finding]:
    label = view.measured.label
    if label is None or split.label is None:
        return
    new = [str(c) for c in split.label.counts if c not in label.counts]
    if new:
        advice = f"{name!r} has classes that the training rows do not have: none of them can be predicted"
        yield Finding("labels.unseen", "error", view.label_name, {"split": name, "classes": quoted(new)}, advice)
    known = {clean(w): w for w in label.spellings if w is not None}
    other = {w for w in split.label.spellings if w is not None and w not in label.spellings and clean(w) in known}
    if other:
        pairs = [f"{w!r} for {known[clean(w)]!r}" for w in sorted(other)[:3]]
        advice = "the classes are written in another way there: prepkit reads them as the same, other tools do not"
        yield Finding("labels.dirty", "warning", view.label_name, {"split": name, "examples": pairs}, advice)


JUDGES = (splits,)
