"""Columns that give the label away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from prepkit.finding import Finding
from prepkit.parse import FALSE, TRUE
from prepkit.profiling.data import ColumnProfile
from prepkit.profiling.judge.found import on_column, on_columns, percent, rounded
from prepkit.profiling.tables import Levels, Prediction, cross, nearest, prediction, told_apart
from prepkit.profiling.view import View, cells_missing
from prepkit.scan import Coded

# Rules of thumb, set such that measured flowers and cells (iris, breast cancer) give nothing away.
FEWEST = 50  # labelled rows
CLASSES = 50  # the most frequent, that are looked at
GIVEN_AWAY, STRONG = 0.97, 0.8  # share of the errors that one column alone saves
PROMISING = 0.5  # share, from which on a second look is taken, finer than by bins
ALMOST_SURE = 0.8  # of the entropy of the classes, what it takes away
ONE_CLASS = 0.9  # share of the errors that it saves in telling one class from the others
ROWS_OF_CLASS = 30
CONFINED, ELSEWHERE = 0.98, 0.5  # share of a class that has one value of a column; of the other classes
FEW_LEVELS = 50
PURE, PURE_ROWS, PURE_SHARE = 0.97, 30, 0.03  # of a value's rows of one class; rows; share of all rows in such values
PRIOR = 0.6  # a class that more than so many rows have says little of a value that has it
EXACT, NEVER = 0.98, 0.02  # share of missing cells: of one class, of each other one
AGREES, AGREES_OTHERWISE, EQUAL = 0.3, 0.6, 0.98  # Cohen's kappa of a column whose values are the names of the classes
ABSTAINS, VOTERS, VOTES_SURE = (
    -1,
    3,
    3.0,
)  # no opinion; columns at least; standard deviations better than always the same
WEAK = 0.02  # of the entropy: what no column alone takes away


def leakage(view: View) -> Iterator[Finding]:
    classes = view.classes
    if classes is None or np.count_nonzero(classes >= 0) < FEWEST:
        return
    n, numbers = _numbered(classes, view.n_classes)
    names = [view.measured.spec.label.class_names[i] for i in numbers]  # type: ignore[union-attr]
    gains = []
    namesakes = [c.name for c in view.features if _codes_of_classes(view.some(c.name), names)]
    for c in view.features:
        levels = view.levels(c.name)
        table = cross(levels, n, len(numbers))
        told = prediction(table)
        if c.name in view.numbers and c.distinct > levels.n and PROMISING <= told.saved < GIVEN_AWAY:
            told = replace(told, error=min(told.error, nearest(view.some(c.name), n)))
        gains.append(told.gain)
        copies = list(_copy(view, c, names, table, alone=len(namesakes) == 1))
        yield from copies or _of_column(view, c, levels, table, told, names)
        yield from _missing(view, c, n, names)
    if gains and max(gains) < WEAK:
        advice = "no column alone says anything of the class: expect little, and compare with always saying the same"
        evidence = {"most_of_the_entropy_by_one_column": rounded(max(gains))}
        yield Finding("labels.unpredictable", "info", view.label_name, evidence, advice)


def _numbered(classes: np.ndarray, n_classes: int) -> tuple[np.ndarray, list[int]]:
    """The most frequent classes, numbered anew; -1 for others."""
    counts = np.bincount(classes[classes >= 0], minlength=n_classes)
    kept = np.sort(np.argsort(-counts, kind="stable")[:CLASSES])
    kept = kept[counts[kept] > 0]
    place = np.full(n_classes + 1, -1, np.int64)
    place[kept] = np.arange(len(kept))
    return place[classes], kept.tolist()


def _of_column(
    view: View, c: ColumnProfile, levels: Levels, table: np.ndarray, told: Prediction, names: list[str]
) -> Iterator[Finding]:
    evidence = {
        "right_by_it_alone": f"{percent(1 - told.error, 1)} %",
        "right_without": f"{percent(1 - told.least_error, 1)} %",
        "of_the_entropy": rounded(told.gain),
    }
    if told.saved >= GIVEN_AWAY and told.gain >= ALMOST_SURE:
        advice = "it gives the label away: leave it out, unless it is known before the class is"
        yield on_column("leakage.column", "warning", c.name, advice, f"Drop({c.name!r})", **evidence)
    elif told.saved >= STRONG:
        advice = "alone it nearly decides the class: see that it is known when the class is asked for"
        yield on_column("leakage.strong", "info", c.name, advice, "", **evidence)
    elif by_class := _one_class(table, names):
        advice = "it tells some classes from all others: see that it is known when the class is asked for"
        yield on_column("leakage.class", "info", c.name, advice, "", classes=by_class)
    elif isinstance(view.some(c.name), Coded) and (confined := _confined(view, c, table, names)):
        advice = "a class that occurs with one value only: is that so by nature, or by how rows were gathered?"
        yield on_column("leakage.class", "info", c.name, advice, "", classes=confined)
    else:
        yield from _pure(c, levels, table)


def _one_class(table: np.ndarray, names: list[str]) -> list[str]:
    rows = table.sum(0)
    return [names[k] for k in range(len(names)) if rows[k] >= ROWS_OF_CLASS and told_apart(table, k) >= ONE_CLASS]


def _confined(view: View, c: ColumnProfile, table: np.ndarray, names: list[str]) -> list[str]:
    """Classes of which nearly all rows have one value, which most others have not."""
    if len(table) > FEW_LEVELS + 1:
        return []
    words, total, rows = view.some(c.name).values, table.sum(), table.sum(0)
    out = []
    for k in np.flatnonzero(rows >= ROWS_OF_CLASS).tolist():
        code = int(table[:, k].argmax())
        others = (table[code].sum() - table[code, k]) / max(total - rows[k], 1)
        if code and table[code, k] >= CONFINED * rows[k] and others <= ELSEWHERE:
            out.append(f"{names[k]}: {words[code - 1]}")
    return out


def _pure(c: ColumnProfile, levels: Levels, table: np.ndarray) -> Iterator[Finding]:
    """Values that settle the class wherever they stand, though the column as a whole does not."""
    rows, share = table.sum(1), table.sum(0) / table.sum()
    best = table.argmax(1)
    pure = (rows >= PURE_ROWS) & (table.max(1) >= PURE * rows) & (share[best] <= PRIOR)
    pure[0] = False
    settled = int(rows[pure].sum())
    if settled >= PURE_SHARE * table.sum() and settled >= PURE_ROWS:
        advice = "some of its values settle the class: see that it is known when the class is asked for"
        evidence = {"values": int(pure.sum()), "percent_of_rows": percent(settled, int(table.sum()))}
        yield on_column("leakage.values", "info", c.name, advice, "", **evidence)


def _missing(view: View, c: ColumnProfile, classes: np.ndarray, names: list[str]) -> Iterator[Finding]:
    """A column that is missing just where a class is, or just where it is not."""
    if not c.missing:
        return
    gone = cells_missing(view.some(c.name))
    table = cross(Levels(gone.astype(np.int64), 2), classes, len(names))
    rows = table.sum(0)
    share = table[1] / np.maximum(rows, 1)
    for k in np.flatnonzero(rows >= ROWS_OF_CLASS).tolist():
        others = np.delete(share, k)
        if (share[k] >= EXACT and (others <= NEVER).all()) or (share[k] <= NEVER and (others >= EXACT).all()):
            where = "is missing" if share[k] >= EXACT else "has a value"
            advice = (
                f"it {where} just where the class is {names[k]!r}: leave it out, it was filled in knowing the class"
            )
            evidence = {"class": names[k], "percent_missing": percent(share[k], 1)}
            yield on_column("leakage.column", "warning", c.name, advice, f"Drop({c.name!r})", **evidence)
            return


def _codes_of_classes(values: Any, names: list[str]) -> list[tuple[int, int]]:
    """The code of each value that is the name of a class, and the class; [] if less than two are."""
    if not isinstance(values, Coded) or len(values.values) > 2 * len(names) + 2:
        return []
    number = {n.casefold(): k for k, n in enumerate(names)}
    codes = [number.get(str(w).strip().casefold(), -1) for w in values.values]
    known = [(i + 1, k) for i, k in enumerate(codes) if k >= 0]
    return known if len(known) > 1 else []


def _copy(view: View, c: ColumnProfile, names: list[str], table: np.ndarray, *, alone: bool) -> Iterator[Finding]:
    """A column whose values are the names of the classes, and that often agrees with the label.

    Less will do where it is `alone` in that, and the names are not yes and no, which many columns have.
    """
    known = _codes_of_classes(view.some(c.name), names)
    if not known:
        return
    square = np.zeros((len(names), len(names)))
    for code, k in known:
        square[k] += table[code]
    total = square.sum()
    by_chance = float((square.sum(0) * square.sum(1)).sum()) / max(total, 1) ** 2
    agree = float(np.trace(square)) / max(total, 1)
    kappa = (agree - by_chance) / max(1 - by_chance, 1e-9)
    telling = alone and len(names) > 2 and not {n.casefold() for n in names} & {*TRUE, *FALSE}
    if total < FEWEST or total < table[1:].sum() / 2 or kappa < (AGREES if telling else AGREES_OTHERWISE):
        return
    evidence = {"agrees": f"{percent(agree, 1)} %", "by_chance": f"{percent(by_chance, 1)} %", "kappa": rounded(kappa)}
    advice = "it holds the names of the classes: a second label, or the label itself. Leave it out of the features"
    severity = "error" if kappa >= EQUAL else "warning"
    yield on_column("leakage.label_copy", severity, c.name, advice, f"Drop({c.name!r})", **evidence)  # type: ignore[arg-type]


def votes(view: View) -> Iterator[Finding]:
    """Columns of class numbers with -1 for no opinion, as labelling functions and annotators leave them.

    Source: the convention of Snorkel (Ratner et al. 2017, doi:10.14778/3157794.3157797).
    """
    classes, k = view.classes, view.n_classes
    label = view.measured.spec.label
    if classes is None or label is None or -1 in label.classes or np.count_nonzero(classes >= 0) < FEWEST:
        return
    prior = np.bincount(classes[classes >= 0], minlength=k) / np.count_nonzero(classes >= 0)
    found = []
    for c in view.features:
        numbers = view.numbers.get(c.name)
        if c.kind != "numeric" or numbers is None or len(numbers.values) > k + 1:
            continue
        if numbers.values[0] == ABSTAINS and set(numbers.values.tolist()) <= set(range(ABSTAINS, k)):
            given = view.some(c.name)
            said = (classes >= 0) & np.isfinite(given) & (given >= 0)
            n, right = np.count_nonzero(said), np.count_nonzero(given[said] == classes[said])
            if right > n * prior.max() + VOTES_SURE * np.sqrt(n) / 2:
                found.append(c.name)
    if len(found) >= VOTERS:
        advice = "they look like votes on the class, -1 for no opinion: make a label of them, and no features"
        yield on_columns("leakage.votes", "info", found, advice, f"Drop({found!r})")


JUDGES = (leakage, votes)
