"""Columns that tell nothing, or the same as others; those that number or group the rows."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from prepkit.finding import Finding
from prepkit.profiling.data import OTHER, ColumnProfile
from prepkit.profiling.judge.found import on_column, on_columns, percent, rounded
from prepkit.profiling.pairs import products, shared_values
from prepkit.profiling.view import View
from prepkit.scan import Coded

# Rules of thumb.
NEARLY = 0.995  # share of the rows with one and the same value
LEVELS = 50  # values of a column, in which those shared with others are looked for
RESTARTS = 10  # times that a counter may start again: by file or class; years and hours do more often
FEWEST = 20  # rows, and groups
GROUPED = (0.05, 0.98)  # different values for each row, of a column that groups rows
BLOCKS = 0.5  # of the changes from row to row that a random order would have
PARTS = {
    "year": (1000, 2200), "month": (1, 12), "day": (1, 31), "hour": (0, 24), "minute": (0, 59), "second": (0, 60),
    "weekday": (0, 7), "week": (0, 53), "quarter": (1, 4),
}  # fmt: skip
ODD = re.compile(r"[^\w.\-]", re.ASCII)  # what file formats and graphs are not sure to take in a name


def useless(view: View) -> Iterator[Finding]:
    for c in view.columns.values():
        drop = f"Drop({c.name!r})"
        if c.missing == c.cells:
            yield on_column("column.empty", "warning", c.name, "no row has a value: leave the column out", drop)
        elif c.distinct == 1 and not c.missing and c.distinct_exact and c.rows > 1:
            value = c.bars.labels[0] if c.bars else ""
            yield on_column(
                "column.constant", "warning", c.name, "one value in all rows: leave it out", drop, value=value
            )
        elif c.role == "identifier":
            why = next((n for n in c.notes if n.startswith("looks like an identifier")), "")
            advice = "it tells rows apart, and nothing of the class: leave it out, lest it be learned by heart"
            evidence = {"distinct": c.distinct, "why": why.partition(": ")[2]}
            yield on_column("column.identifier", "warning", c.name, advice, drop, **evidence)
        elif not c.shape and c.bars and c.distinct > 1:
            shown = [n for n, word in zip(c.bars.counts, c.bars.labels, strict=True) if word != OTHER]
            most = max(shown)
            if most > NEARLY * sum(c.bars.counts) and not c.bars.edges:
                value = c.bars.labels[c.bars.counts.index(most)]
                advice = "nearly all rows have one value: little can be learned from the others"
                evidence = {"value": value, "percent": percent(most, sum(c.bars.counts))}
                yield on_column("column.nearly_constant", "info", c.name, advice, drop, **evidence)


def counters(view: View) -> Iterator[Finding]:
    """Whole numbers that count rows, starting again now and then."""
    sample, rows = view.measured.sample, view.measured.sample.rows
    for c in view.features:
        if c.kind != "numeric" or c.missing or len(rows) < FEWEST:
            continue
        start = sample.columns[c.name].astype(np.float64) - rows
        restarts = np.flatnonzero(start[1:] != start[:-1]) + 1
        if len(restarts) <= RESTARTS and c.distinct > len(rows) / (len(restarts) + 1) / 2:
            classes = sample.classes
            by_class = (
                classes is not None and len(restarts) > 0 and bool((classes[restarts] != classes[restarts - 1]).all())
            )
            evidence = {"starts_again": len(restarts), "where_the_class_changes": by_class}
            advice = "it numbers the rows: leave it out"
            yield on_column("column.identifier", "warning", c.name, advice, f"Drop({c.name!r})", **evidence)


def names(view: View) -> Iterator[Finding]:
    odd = [n for n in view.columns if ODD.search(n)]
    if odd:
        advice = "signatures of exported models take ASCII letters, digits and _ only: rename the columns"
        yield on_columns(
            "column.names", "info", odd, advice, "", characters=sorted(set("".join(ODD.findall("".join(odd)))))
        )


def separator(view: View) -> Iterator[Finding]:
    if view.separator not in ("", ","):
        advice = "fields are not separated by commas, nor perhaps decimals by points: other readers have to be told"
        yield Finding("file.separator", "info", "file", {"separator": view.separator}, advice)


def groups(view: View) -> Iterator[Finding]:
    """Columns whose values mark rows that belong together: of one person, one ship, one day."""
    sample = view.measured.sample
    for c in view.features:
        values = sample.columns[c.name]
        if not isinstance(values, Coded) or c.kind != "categorical" or c.distinct < FEWEST:
            continue
        there = c.rows - c.missing
        share = c.distinct / max(there, 1)
        codes = values.codes[values.codes >= 0]
        n = np.bincount(codes)
        changes = float((codes[1:] != codes[:-1]).mean()) if len(codes) > 1 else 1.0
        expected = 1 - float(((n / max(n.sum(), 1)) ** 2).sum())
        blocks = changes < BLOCKS * expected
        if GROUPED[0] <= share <= GROUPED[1] or blocks:
            evidence = {"groups": c.distinct, "rows_each": rounded(1 / share), "in_blocks": blocks}
            advice = "if it marks rows that belong together, split by it: rows of one group on both sides leak"
            yield on_column("rows.grouped", "info", c.name, advice, "", **evidence)


def same(view: View) -> Iterator[Finding]:
    for p in view.same:
        how = {"how": p.how} | ({"correlation": rounded(p.correlation)} if p.correlation is not None else {})
        advice = "they say the same: one of them will do"
        yield on_columns("column.same", "info", [p.one, p.other], advice, f"Drop({p.other!r})", **how)
    for made in products(view.quantities):
        evidence = {"product_of": list(made.factors), "correlation": rounded(made.correlation)}
        advice = "it is nearly the product of two others: it tells little that they do not"
        yield on_column("column.derived", "info", made.name, advice, f"Drop({made.name!r})", **evidence)


def shared(view: View) -> Iterator[Finding]:
    """Values that stand in just the same rows of several columns."""
    chosen = [c.name for c in view.features if c.kind in ("categorical", "boolean") and c.distinct <= LEVELS]
    words = {n: v.values if isinstance(v := view.some(n), Coded) else ["false", "true"] for n in chosen}
    twins = {frozenset((p.one, p.other)) for p in view.same}
    for s in shared_values({n: view.levels(n) for n in chosen}, words):
        if frozenset(s.columns) not in twins:
            evidence = {"value": s.value, "percent": percent(s.rows, len(view.few))}
            advice = "the value stands in the same rows of all of them: one column tells it"
            yield on_columns("category.together", "info", list(s.columns), advice, "", **evidence)


def parts_of_dates(view: View) -> Iterator[Finding]:
    found = [c.name for c in view.columns.values() if _is_part(view, c)]
    if len({n.strip().casefold() for n in found}) > 1:
        advice = "put the parts together to one point in time: Datetime makes a trend and cycles of it"
        yield on_columns("date.parts", "info", found, advice, "Datetime()")


def _is_part(view: View, c: ColumnProfile) -> bool:
    low, high = PARTS.get(c.name.strip().casefold(), (1, 0))
    return bool(c.quantiles) and low <= c.quantiles[0] <= c.quantiles[-1] <= high


JUDGES = (useless, counters, separator, names, groups, same, shared, parts_of_dates)
