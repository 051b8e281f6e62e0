"""How data differ from the training data, for a person: as a table for a terminal, and as a page."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group as Lines
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from prepkit.drift import ColumnDrift, Drift
from prepkit.finding import SEVERITIES
from prepkit.profiling.titles import TITLES
from prepkit.report import bars
from prepkit.report.cards import as_cards
from prepkit.report.findings import STYLES, as_lines, counted, grouped
from prepkit.report.html import MARKS, Html, Tone, badge, details, page, paragraph, section, tag, tiles
from prepkit.report.words import number, percent, plural, short, spark

ROWS = 60  # columns that a terminal shows, those that differ most first
TONES: dict[str, Tone] = {"major": "warning", "moderate": "warning", "absent": "error", "unreadable": "error"}
NAMES = ("training", "here")


def drift_table(drift: Drift) -> RenderableType:
    """What differs, then each column; for 80 to 120 characters a line.

    Args:
        drift: of any size: at most 60 columns are drawn, those that differ most.
    """
    parts: list[RenderableType] = [_head(drift)]
    if drift.findings:
        parts += ["", as_lines(grouped(drift.findings), TITLES)]
    if drift.columns:
        parts += ["", _columns(drift)]
    return Lines(*parts)


def _head(drift: Drift) -> Text:
    said = Text.assemble((short(drift.source, 200), "bold"), f": {plural(drift.rows, 'row')}")
    said.append(f", compared with {drift.training_rows:,} training rows")
    worst = _worst(drift)
    said.append(f"\n{counted(drift.findings)}", STYLES.get(worst, "green"))
    return said


def _worst(drift: Drift) -> Tone:
    """The gravest severity, for findings against training stand in another order."""
    severities = [f.severity for f in drift.findings]
    return next((s for s in SEVERITIES if s in severities), "good")


def _alarming(drift: Drift) -> list[ColumnDrift]:
    """The columns, and the label, that an error or a warning is about."""
    places = {f.where for f in drift.findings if f.severity != "info"}
    label = drift.label
    found = [c for c in drift.columns if c.verdict in TONES or f"column {c.name!r}" in places]
    of_label = label is not None and not places.isdisjoint(("label", f"label {label.name!r}"))
    return [*found, *([label] if label is not None and (of_label or label.verdict in TONES) else [])]


def ranked(columns: Sequence[ColumnDrift]) -> list[ColumnDrift]:
    """Those that cannot be compared first, then by how far they have drifted."""
    return sorted(columns, key=lambda c: (TONES.get(c.verdict) != "error", c.verdict not in TONES, -(c.psi or 0.0)))


def _columns(drift: Drift) -> Table:
    out = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False)
    out.add_column("", no_wrap=True, width=1)
    out.add_column("column", no_wrap=True, overflow="ellipsis", max_width=28)
    for name in ("verdict", "PSI", "limit", "missing"):
        out.add_column(name, no_wrap=True, justify="left" if name == "verdict" else "right")
    for name in NAMES:
        out.add_column(name, no_wrap=True, overflow="crop")
    drawn, alarming = ranked(drift.columns)[:ROWS], _alarming(drift)
    for c in [*([drift.label] if drift.label else []), *drawn]:
        tone = TONES.get(c.verdict, "warning" if c in alarming else "plain")
        name = f"{short(c.name, 60)}{' (label)' if c is drift.label else ''}"
        out.add_row(
            Text(MARKS[tone], STYLES.get(tone, "")),
            Text(name),
            c.verdict,
            f"{c.psi:.3f}" if c.psi is not None else "",
            f"{c.threshold:.2g}" if c.threshold is not None else "",
            _missing(c),
            *(Text(spark(shares, 10), "cyan") for shares in (c.before, c.after)),
        )
    if (rest := len(drift.columns) - len(drawn)) > 0:
        out.add_row("", f"{rest:,} more")
    return out


def _missing(c: ColumnDrift) -> str:
    before, after = c.missing_before or 0.0, c.missing_after
    if not before and not after:
        return ""
    return percent(before) if after in (None, before) else f"{percent(before)} → {percent(after or 0.0)}"


def drift_html(drift: Drift) -> str:
    """The page: one file, without scripts or anything fetched."""
    targets = {f"column {c.name!r}": f"c{i}" for i, c in enumerate(drift.columns)}
    if drift.label is not None:
        targets |= dict.fromkeys(("label", f"label {drift.label.name!r}"), "label")
    sections = [tiles(_tiles(drift)), _findings(drift, targets)]
    cards = [(c, _card(c, targets[f"column {c.name!r}"])) for c in ranked(drift.columns)]
    if drift.label is not None:
        cards.insert(0, (drift.label, _card(drift.label, "label", " (label)")))
    alarming = _alarming(drift)
    shifted = [card for c, card in cards if c in alarming]
    stable = [card for c, card in cards if c not in alarming]
    parts = [tag("div", *shifted, class_="cards")] if shifted else []
    if stable:
        words = f"{plural(len(stable), 'column')} without an error or a warning"
        parts.append(details(words, tag("div", *stable, class_="cards"), open_=not shifted))
    sections.append(section("Columns", *parts, note="the largest drift first"))
    note = f"{plural(drift.rows, 'row')}, compared with {drift.training_rows:,} training rows"
    return page(f"{drift.source} against the training data", sections, note)


def _tiles(drift: Drift) -> list[tuple[str, str, str, Tone]]:
    first, _, others = counted(drift.findings).partition(", ")
    verdicts = [c.verdict for c in drift.columns]
    shifted = verdicts.count("major") + verdicts.count("moderate")
    of = f"of {plural(len(verdicts), 'column')}"
    label = drift.label
    out: list[tuple[str, str, str, Tone]] = [
        ("found", first, others, _worst(drift)),
        ("rows", f"{drift.rows:,}", f"training: {drift.training_rows:,}", "plain"),
        ("columns that drifted", f"{shifted:,}", of, "warning" if shifted else "good"),
    ]
    if gone := verdicts.count("absent") + verdicts.count("unreadable"):
        out.append(("columns that cannot be used", f"{gone:,}", "absent, or not of their kind", "error"))
    if label is not None:
        psi = f"PSI {number(label.psi)}" if label.psi is not None else ""
        out.append(("shares of classes", label.verdict, psi, TONES.get(label.verdict, "plain")))
    return out


def _findings(drift: Drift, targets: dict[str, str]) -> Html:
    if not drift.findings:
        return section("What was found", paragraph(badge("good", "nothing"), " The data are like the training data."))
    return section("What was found", as_cards(grouped(drift.findings), TITLES, targets), note="the gravest first")


def _card(c: ColumnDrift, id_: str, more: str = "") -> Html:
    tone = TONES.get(c.verdict, "good" if c.verdict == "stable" else "plain")
    parts = [tag("div", tag("h3", f"{c.name}{more}"), badge(tone, c.verdict), class_="head")]
    if c.cells:
        parts.append(bars.pairs(c.cells, c.before, c.after, NAMES))
    parts.append(tag("dl", *(tag("div", tag("dt", k), tag("dd", v)) for k, v in _facts(c)), class_="facts"))
    return tag("article", *parts, class_="card", id=id_)


def _facts(c: ColumnDrift) -> list[tuple[str, str]]:
    facts: list[tuple[str, str]] = [("kind", c.kind)]
    facts += [("PSI", number(c.psi))] if c.psi is not None else []
    facts += [("drift if above", number(c.threshold))] if c.threshold is not None else []
    facts += [("by chance", number(c.expected))] if c.expected is not None else []
    facts += [("Jensen-Shannon distance", number(c.jensen_shannon))] if c.jensen_shannon is not None else []
    facts += [("missing", said)] if (said := _missing(c)) else []
    return facts
