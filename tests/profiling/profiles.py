"""Profiles made by hand."""

from __future__ import annotations

import dataclasses
from typing import Any

from prepkit.finding import Finding
from prepkit.profiling.data import Bars, ColumnProfile, LabelProfile, Profile
from prepkit.spec import Kind, Role

HOSTILE = "<script>alert('x')</script>\"[red]\x00"
DAY = 86400.0


def column(name: str, kind: Kind = "numeric", role: Role = "feature", **more: Any) -> ColumnProfile:
    made = ColumnProfile(name, kind, role, "float64", (), 100, 0, distinct=3)
    return dataclasses.replace(made, **more)


def numeric(name: str = "age", **more: Any) -> ColumnProfile:
    edges = (0.0, 10.0, 20.0, 30.0, 40.0)
    labels = ("[0, 10)", "[10, 20)", "[20, 30)", "[30, 40]")
    bars = Bars(labels, (40, 30, 0, 30), edges, ((30, 30, 0, 0), (10, 0, 0, 30)))
    quantiles = (0.0, 1.0, 2.0, 10.0, 15.0, 30.0, 37.5, 39.0, 40.0)
    return column(name, **{"mean": 17.25, "std": 3.0, "skew": 0.5, "quantiles": quantiles, "bars": bars} | more)


def categorical(name: str = "job", **more: Any) -> ColumnProfile:
    bars = Bars(("cook", HOSTILE, "<other>"), (60, 30, 10), (), ((60, 0, 5), (0, 30, 5)))
    facts = {"dtype": "string", "lengths": (1, 4, 20), "bars": bars, "missing": 7, "markers": {"?": 5, "": 2}}
    return column(name, "categorical", **facts | more)


COLUMNS = (
    numeric(notes=("numbers stored as text",), missing=12, infinite=1, unreadable=2, markers={"NaN": 9}, zeros=4),
    categorical(),
    column(HOSTILE, "boolean", bars=Bars(("False", "True"), (99, 1), (), ((99, 0), (0, 1)))),
    column(
        "when",
        "datetime",
        mean=365 * DAY,
        quantiles=tuple(i * 100 * DAY for i in range(9)),
        bars=Bars(("early", "late"), (1, 99), (0.0, 400 * DAY, 800 * DAY), ((1, 0), (0, 99))),
    ),
    column("pixels", "tensor", shape=(2, 3), mean=0.5, quantiles=(0.0,) * 8 + (1.0,), missing=300),
    column("story", "text", dtype="string", lengths=(0, 120, 4000)),
    column("id", "numeric", "identifier", distinct=100, distinct_exact=False),
    column("gone", "numeric", "empty", missing=100, distinct=0),
    numeric("one", bars=Bars(("[5, 5]",), (100,), (5.0, 5.0), ((60,), (40,))), quantiles=(5.0,) * 9),
    numeric("zero", bars=Bars(("[0, 1]", "[1, 2]"), (0, 0), (0.0, 1.0, 2.0), ((0, 0), (0, 0)))),
)
FINDINGS = (
    Finding("leakage", "error", "column 'age'", {"auc": 0.99}, "Drop it.", "Drop('age')"),
    Finding("missing", "warning", "column 'age'", {"share": 0.12}, "Fill it.", "Impute()"),
    Finding("missing", "warning", "column 'job'", {"share": 0.07}, "Fill it.", "Impute()"),
    Finding("labels.imbalance", "warning", "label 'y'", {"share": 0.4}, "Weight it.", "Rebalance('class_weight')"),
    Finding("made.up", "info", f"column {HOSTILE!r}", {HOSTILE: {HOSTILE: HOSTILE}}, HOSTILE, HOSTILE),
    Finding("order", "info", "rows", {"sorted_share": float("nan")}, "", ""),
)
LABEL = LabelProfile("y", "string", ("no", "yes " + HOSTILE), (60, 40), 3)
PROFILE = Profile("data.csv", 100, 50, COLUMNS, LABEL, 8, False, FINDINGS, {"test": 20})
EMPTY = Profile("none", 0, 0, (), None, 0, True, ())


def wide(n: int) -> Profile:
    """`n` columns with as many bars as the profile draws, every 50th of which with a finding."""
    heights = tuple((7919 * i) % 10_007 for i in range(1, 25))
    edges = tuple(1.5 * i for i in range(25))
    names = tuple(f"[{low}, {low + 1.5})" for low in edges[:-1])
    bars = Bars(names, tuple(2 * h for h in heights), edges, (heights, heights))
    words = Bars(tuple(f"value number {i}" for i in range(13)), bars.counts[:13], (), (heights[:13], heights[:13]))
    columns = tuple(
        numeric(f"column {i}", bars=bars) if i % 2 else categorical(f"column {i}", bars=words) for i in range(n)
    )
    named = (
        Finding("missing", "warning", f"column 'column {i}'", {"share": 0.1}, "Fill it.", "Impute()")
        for i in range(0, n, 50)
    )
    return dataclasses.replace(
        PROFILE, columns=columns, findings=tuple(named), label=dataclasses.replace(LABEL, classes=("no", "yes"))
    )
