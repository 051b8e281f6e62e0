"""A profile for a person: as a table for a terminal, and the words that the page uses as well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.console import Group as Lines
from rich.table import Table
from rich.text import Text

from prepkit.finding import SEVERITIES, Finding
from prepkit.profiling.data import ColumnProfile, LabelProfile, Profile
from prepkit.profiling.titles import TITLES
from prepkit.report.findings import STYLES, as_lines, columns_of, counted, grouped
from prepkit.report.html import MARKS
from prepkit.report.words import number, percent, plural, share, short, spark

ROWS = 60  # columns that a terminal shows, those with errors and warnings first
CLASSES = 10  # classes that it shows
DAY = 86400.0  # seconds


def line(profile: Profile) -> str:
    """The profile in a line, for `repr`."""
    label = profile.label
    parts = [plural(profile.rows, "row"), plural(len(profile.columns), "column")]
    parts += [f"{plural(len(label.classes), 'class', 'classes')} of {label_name(label)}"] if label else []
    return f"Profile of {short(profile.source, 200)}: {', '.join(parts)}: {counted(profile.findings)}"


def table(profile: Profile) -> RenderableType:
    """What is wrong, then what is there: findings, classes, columns; for 80 to 120 characters a line.

    Args:
        profile: of any size: at most 60 columns are drawn, those with errors and warnings before others.
    """
    parts: list[RenderableType] = [_head(profile)]
    groups = grouped(profile.findings)
    if groups:
        parts += ["", as_lines(groups, TITLES)]
    if profile.label is not None:
        parts += ["", _classes(profile.label)]
    if profile.columns:
        parts += ["", _Columns(profile)]
    return Lines(*parts)


def _head(profile: Profile) -> Text:
    cells = sum(c.cells for c in profile.columns)
    facts = [plural(profile.rows, "row"), plural(len(profile.columns), "column")]
    facts += [f"{share(sum(c.missing for c in profile.columns), cells)} of the cells missing"] if cells else []
    facts.append(f"{about(profile)}{plural(profile.duplicates, 'duplicate')}")
    said = Text.assemble((short(profile.source, 200), "bold"), f": {', '.join(facts)}")
    if profile.splits:
        said.append(
            "\ncompared with " + ", ".join(f"{short(k, 200)} ({plural(n, 'row')})" for k, n in profile.splits.items())
        )
    worst = profile.findings[0].severity if profile.findings else None
    said.append(f"\n{counted(profile.findings)}", STYLES[worst] if worst else "green")
    return said


def about(profile: Profile) -> str:
    return "" if profile.duplicates_exact else "about "


def label_name(label: LabelProfile) -> str:
    return short(f"label {label.name!r}", 200) if label.name is not None else "the label"


def _classes(label: LabelProfile) -> RenderableType:
    """The most frequent classes with their shares, as bars."""
    total, order = sum(label.counts), by_count(label.counts)
    grid = Table.grid(padding=(0, 2))
    for justify in ("left", "right", "right", "left"):
        grid.add_column(justify=justify, no_wrap=True)
    for i in order[:CLASSES]:
        bar = "█" * round(24 * label.counts[i] / max(1, *label.counts)) or "▏"
        grid.add_row(
            Text(short(label.classes[i], 32)), f"{label.counts[i]:,}", share(label.counts[i], total), Text(bar, "cyan")
        )
    if rest := order[CLASSES:]:
        rows = sum(label.counts[i] for i in rest)
        grid.add_row(f"{len(rest):,} more", f"{rows:,}", share(rows, total), "")
    if label.missing:
        grid.add_row("(no label)", f"{label.missing:,}", "", "")
    words = f"{label_name(label)}: {plural(len(label.classes), 'class', 'classes')}"
    return Lines(Text(words[:1].upper() + words[1:], "bold"), grid)


def by_count(counts: Sequence[int]) -> list[int]:
    """Places, that of the largest count first."""
    return sorted(range(len(counts)), key=lambda i: -counts[i])


@dataclass(frozen=True)
class _Columns:
    """The columns as a table that fits its terminal: rich would cut all of its columns alike."""

    profile: Profile

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield _columns(self.profile, max(60, options.max_width))


def _columns(profile: Profile, width: int) -> Table:
    drawn = shown(profile, ROWS)
    bar = 8 if width < 100 else 12
    widths = {
        "": 1,
        "column": _fitting([c.name for c in drawn], 6, max(16, width // 5)),
        "kind": _fitting([kind(c) for c in drawn], 4, 22 if width >= 100 else 11),
        "missing": 7,
        "distinct": _fitting([distinct(c) for c in drawn], 8, 12),
        "values": 0,
        "rows": bar,
    }
    widths["values"] = width - sum(widths.values()) - len(widths) + 1
    out = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False)
    for name, wide in widths.items():
        right = name in ("missing", "distinct")
        out.add_column(name, no_wrap=True, overflow="ellipsis", width=wide, justify="right" if right else "left")
    found = by_place(profile.findings)
    for c in drawn:
        worst = next((f.severity for f in found.get(place(c.name), ()) if f.severity != "info"), None)
        out.add_row(
            Text(MARKS[worst], STYLES[worst]) if worst else "",
            Text(short(c.name, 60)),
            Text(kind(c)),
            share(c.missing, c.cells) if c.missing else "",
            distinct(c),
            Text(values(c)),
            Text(spark(c.bars.counts, bar) if c.bars else "", "cyan"),
        )
    if (rest := len(profile.columns) - len(drawn)) > 0:
        out.add_row("", f"{rest:,} more", "", "", "", "see to_html(path)", "")
    return out


def _fitting(cells: Sequence[str], least: int, most: int) -> int:
    return min(most, max(least, *map(len, cells)))


def distinct(column: ColumnProfile) -> str:
    """How many different values; "~" before an estimate; "" of tensors, which are not compared."""
    return "" if column.shape else f"{'' if column.distinct_exact else '~'}{column.distinct:,}"


def by_place(findings: Sequence[Finding]) -> dict[str, list[Finding]]:
    """The findings about each place, the gravest first; those about several columns stand under each."""
    out: dict[str, list[Finding]] = {}
    for f in sorted(findings, key=lambda f: SEVERITIES.index(f.severity)):
        for where in map(place, columns_of(f)) if columns_of(f) else (f.where,):
            out.setdefault(where, []).append(f)
    return out


def place(name: str) -> str:
    """Where a finding about a column says it is."""
    return f"column {name!r}"


def shown(profile: Profile, most: int) -> list[ColumnProfile]:
    """At most so many columns, in their order; those with an error or a warning are left out last."""
    grave = set(by_place([f for f in profile.findings if f.severity != "info"]))
    ranked = sorted(profile.columns, key=lambda c: place(c.name) not in grave)[:most]
    kept = {c.name for c in ranked}
    return [c for c in profile.columns if c.name in kept]


def kind(column: ColumnProfile) -> str:
    shape = f" {'x'.join(map(str, column.shape))}" if column.shape else ""
    return f"{column.kind}{shape}" + (f" ({column.role})" if column.role != "feature" else "")


def values(column: ColumnProfile) -> str:
    """What the cells hold, in half a line: smallest, median and largest, or the most frequent ones."""
    if column.quantiles and column.kind != "boolean":
        q = column.quantiles
        low, middle, high = (value(column, q[i]) for i in (0, len(q) // 2, -1))
        return low if low == high else f"{low} … {middle} … {high}"
    if column.kind == "text" and column.lengths:
        return f"{column.lengths[0]:,} to {column.lengths[-1]:,} characters"
    if column.bars is None or column.bars.edges:
        return ""
    bars, total = column.bars, sum(column.bars.counts)
    order = by_count(bars.counts)[:4]
    return ", ".join(f"{short(bars.labels[i], 20)} {percent(bars.counts[i] / max(1, total))}" for i in order)


def value(column: ColumnProfile, x: float) -> str:
    """A number of a column, or a point in time: to the day where they lie days apart."""
    if column.kind != "datetime":
        return number(x)
    try:
        moment = datetime.fromtimestamp(x, UTC)
    except (ValueError, OverflowError, OSError):
        return number(x)
    span = column.quantiles[-1] - column.quantiles[0] if column.quantiles else DAY
    return f"{moment:%Y-%m-%d}" if span > 3 * DAY else f"{moment:%Y-%m-%d %H:%M}"
