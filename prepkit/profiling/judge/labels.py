"""The label: how its classes are written, and how many rows each has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from prepkit.finding import Finding
from prepkit.labels import MISSING, clean
from prepkit.profiling.judge.found import percent, quoted, rounded
from prepkit.profiling.spellings import same_words
from prepkit.profiling.view import View

# Rules of thumb, but for the first, which `recommend` uses and which was chosen by test log-loss.
RARE = 0.2  # share of the rows, times the number of classes, below which a class is rare
UNEVEN = 1.5  # the largest class over the smallest, from which on it is worth a word
FEW, VERY_FEW = 50, 10  # rows of a class: to learn it; to have some in each part of a split
MANY = 1000  # classes, more than half as many as rows: numbers, not classes
ORDERED = 5  # whole numbers in a row, from which on they may be grades
LONG = 30  # characters of a class name


def classes(view: View) -> Iterator[Finding]:
    label = view.measured.label
    if label is None:
        return
    where, counts = view.label_name, label.counts
    rows = sum(counts.values())
    if label.missing:
        evidence: dict[str, Any] = {"rows": label.missing, "percent": percent(label.missing, view.measured.rows)}
        advice = "rows without a label are left out of training; see that they are none of a class of its own"
        yield Finding("labels.missing", "warning", where, evidence, advice, "Pipeline.fit")
    if len(counts) <= 1:
        evidence = {"classes": [str(c) for c in counts]}
        advice = "a classifier needs two classes: check the column, or whether the rows were filtered"
        yield Finding("labels.constant", "error", where, evidence, advice)
        return
    if len(counts) > MANY and len(counts) > rows / 2:
        evidence = {"classes": len(counts), "rows": rows}
        advice = "nearly every row has a class of its own: another label, or numbers that have to be binned"
        yield Finding("labels.many", "error", where, evidence, advice)
        return
    yield from _balance(view)


def _balance(view: View) -> Iterator[Finding]:
    assert view.measured.label is not None
    counts, where = view.measured.label.counts, view.label_name
    rows = sum(counts.values())
    least, most = min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)
    ratio = counts[most] / counts[least]
    if ratio >= UNEVEN:
        severe = counts[least] / rows * len(counts) < RARE
        evidence = {
            "ratio": rounded(ratio),
            "least": f"{least}: {counts[least]:,} rows, {percent(counts[least], rows)} %",
            "most": f"{most}: {counts[most]:,} rows, {percent(counts[most], rows)} %",
        }
        advice = f"always to say {str(most)!r} is right in {percent(counts[most], rows)} %: do not judge by accuracy"
        stage = "Rebalance('class_weight')" if severe else ""
        yield Finding("labels.imbalance", "warning" if severe else "info", where, evidence, advice, stage)
    few = {str(c): n for c, n in counts.items() if n < FEW}
    if few and rows >= FEW * len(counts):
        severe = min(few.values()) < VERY_FEW
        advice = "too few rows to learn the class and to test it: get more, or join it with another"
        evidence = {"classes": dict(sorted(few.items(), key=lambda i: i[1])[:10]), "number": len(few)}
        yield Finding("labels.rare", "warning" if severe else "info", where, evidence, advice)


def written(view: View) -> Iterator[Finding]:
    """How classes are written: in several ways, with spaces and dots, as grades, as long names."""
    label = view.measured.label
    if label is None:
        return
    where = view.label_name
    raw = {w: n for w, n in label.spellings.items() if w is not None and clean(w) not in MISSING}
    merged: dict[str, dict[str, int]] = {}
    for word, n in raw.items():
        merged.setdefault(clean(word), {})[word] = n
    several = [g for g in merged.values() if len(g) > 1]
    if several:
        evidence = {"classes": len(several), "examples": [quoted(g, 4) for g in several[:3]]}
        advice = "prepkit reads them as one class, outer spaces and a trailing dot aside; other tools do not"
        yield Finding("labels.dirty", "warning", where, evidence, advice)
    elif any(w != clean(w) for w in raw):
        odd = [w for w in raw if w != clean(w)]
        advice = "outer spaces and trailing dots are taken off; elsewhere they are part of the class"
        yield Finding("labels.spaces", "info", where, {"classes": len(odd), "examples": quoted(odd)}, advice)
    words = {str(c): n for c, n in label.counts.items() if isinstance(c, str)}
    if (alike := same_words(words)) and len(words) <= MANY:
        evidence = {"classes": sum(map(len, alike)), "examples": [quoted(g, 4) for g in alike[:3]]}
        advice = "classes that differ in case or punctuation only: make them one before training"
        yield Finding("labels.dirty", "warning", where, evidence, advice)
    long = [w for w in words if len(w) > LONG or re.search(r"[()\[\]{}/\\]", w)]
    if long and len(words) <= MANY:
        advice = "long names and brackets are a nuisance in reports and file names: give short ones"
        yield Finding("labels.names", "info", where, {"classes": len(long), "examples": quoted(long)}, advice)
    numbers = sorted(c for c in label.counts if isinstance(c, int) and not isinstance(c, bool))
    if ORDERED <= len(numbers) <= MANY and numbers[-1] - numbers[0] == len(numbers) - 1:
        evidence = {"least": numbers[0], "most": numbers[-1]}
        advice = "the classes are whole numbers in a row: if they are grades, a near miss is better than a far one"
        yield Finding("labels.ordered", "info", where, evidence, advice)


JUDGES = (classes, written)
