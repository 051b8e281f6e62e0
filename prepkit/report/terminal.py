"""Text for a terminal."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from prepkit.report.words import BLOCKS


def summary(metadata: Any, recipe: str) -> RenderableType:
    """What was prepared, of a `Metadata`: columns, recipe, rules that were broken, classes, rows, model advice."""
    columns = Table("column", "kind", "missing", "features", "decided", title="columns in", title_justify="left")
    for c in metadata.spec_in.columns[:60]:
        missing = metadata.missing_cells.get(c.name, 0)
        columns.add_row(
            Text(c.name),
            c.kind if c.role == "feature" else f"{c.kind} ({c.role})",
            f"{missing:,}" if missing else "",
            str(len(metadata.features_of.get(c.name, ()))),
            Text("; ".join(c.notes)),
        )
    if len(metadata.spec_in.columns) > 60:
        columns.add_row(f"... {len(metadata.spec_in.columns) - 60} more", "", "", "", "")
    classes = Table("class", "rows", "share", "weight", title="classes", title_justify="left")
    for i, name in enumerate(metadata.class_names[:60]):
        weight = "in the rows' weights" if metadata.class_weight is None else f"{metadata.class_weight[i]:.3g}"
        classes.add_row(Text(name), f"{metadata.counts[i]:,}", f"{100 * metadata.prior[i]:.3g} %", weight)
    rules = Table("rule", "policy", "broken by", "refused", "such as", title="rules", title_justify="left")
    for rule in metadata.validation:
        if rule["broken"]:
            seen = Text(", ".join(rule["examples"]))
            rules.add_row(Text(rule["rule"]), rule["policy"], f"{rule['broken']:,}", f"{rule['refused']:,}", seen)
    a = metadata.advice
    bias = ", ".join(f"{round(b, 9):.3g}" for b in a.initial_bias[:6]) + (", ..." if len(a.initial_bias) > 6 else "")
    cleaning = metadata.cleaning
    lines = [
        f"rows: {metadata.ledger}",
        *(
            [f"labels: {cleaning['doubted']:,} of {cleaning['rows']:,} doubted: {cleaning['taken']}"]
            if cleaning
            else []
        ),
        f"features: {len(metadata.feature_names)} ({metadata.output}), labels: {metadata.labels}",
        *([f"batches: {metadata.steps_per_epoch} of {metadata.batch_size} an epoch"] if metadata.batch_size else []),
        f"source read {metadata.scans} times to fit",
        f"last layer: Dense({a.units}, activation={a.activation!r}), loss={a.loss!r}, initial bias: {bias}",
    ]
    return Group(columns, Text(recipe), *([rules] if rules.row_count else []), classes, Text("\n".join(lines)))


def as_text(renderable: RenderableType, width: int = 120) -> str:
    """The same, for a file: without colours, whatever the terminal can do."""
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=False).print(renderable)
    return out.getvalue()


def curves(losses: Mapping[str, Sequence[float]]) -> RenderableType:
    """Learning curves side by side: the loss of each epoch, and a bar of its height among all."""
    finite = [v for run in losses.values() for v in run if v == v and abs(v) != float("inf")]
    low, high = min(finite, default=0.0), max(finite, default=1.0)
    table = Table("epoch", *map(escape, losses))
    for epoch in range(max(map(len, losses.values()), default=0)):
        table.add_row(str(epoch + 1), *(_bar(run, epoch, low, high) for run in losses.values()))
    return table


def _bar(run: Sequence[float], epoch: int, low: float, high: float) -> str:
    if epoch >= len(run):
        return ""
    value = run[epoch]
    if value != value or abs(value) == float("inf"):
        return f"{value}"
    place = 0.0 if high <= low else (value - low) / (high - low)
    return f"{value:10.4f}  {BLOCKS[min(7, int(place * 8))]}"
