"""A profile as one page: what is wrong and what cures it, then the label, then each column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prepkit.finding import Finding
from prepkit.profiling.data import QUANTILES, Bars, ColumnProfile, LabelProfile, Profile
from prepkit.profiling.draw import about, by_count, by_place, distinct, kind, label_name, place, value, values
from prepkit.profiling.titles import TITLES
from prepkit.report import bars, charts
from prepkit.report.cards import as_cards
from prepkit.report.findings import besides, counted, grouped, heading
from prepkit.report.html import (
    Html,
    Tone,
    badge,
    details,
    join,
    link,
    page,
    paragraph,
    section,
    table,
    tag,
    tiles,
)
from prepkit.report.style import CLASSES
from prepkit.report.words import evidence, listed, number, plural, share

CARDS = 150  # columns drawn in sight; beyond, those without an error or warning are folded away
ALL_CLASSES = 30  # classes drawn as bars
NAMES = ("smallest", *(f"{100 * q:g} %" for q in QUANTILES[1:-1]), "largest")


def html(profile: Profile) -> str:
    """The page: one file, without scripts or anything fetched."""
    targets = {place(c.name): f"c{i}" for i, c in enumerate(profile.columns)}
    if profile.label is not None:
        targets |= dict.fromkeys(("label", "labels", f"label {profile.label.name!r}"), "label")
    sections = [tiles(_tiles(profile)), _findings(profile, targets)]
    if profile.label is not None:
        sections.append(_label(profile.label, profile.findings))
    if profile.columns:
        sections.append(_columns(profile))
    return page(f"Profile of {profile.source}", sections, _read(profile))


def _read(profile: Profile) -> str:
    parts = [f"{plural(profile.rows, 'row')} read"]
    if profile.sampled < profile.rows:
        parts.append(f"charts and quantiles are of {profile.sampled:,} rows, spread over all")
    if profile.splits:
        parts.append("compared with " + ", ".join(f"{k} ({plural(n, 'row')})" for k, n in profile.splits.items()))
    return "; ".join(parts)


def _tiles(profile: Profile) -> list[tuple[str, str, str, Tone]]:
    worst: Tone = profile.findings[0].severity if profile.findings else "good"
    cells, missing = sum(c.cells for c in profile.columns), sum(c.missing for c in profile.columns)
    kinds = [c.kind for c in profile.columns]
    some = ", ".join(f"{kinds.count(k)} {k}" for k in dict.fromkeys(kinds))
    affected = sum(1 for c in profile.columns if c.missing)
    first, _, others = counted(profile.findings).partition(", ")
    out: list[tuple[str, str, str, Tone]] = [
        ("found", first, others, worst),
        ("rows", f"{profile.rows:,}", "", "plain"),
        ("columns", f"{len(profile.columns):,}", some, "plain"),
        ("cells missing", share(missing, cells), f"in {plural(affected, 'column')}" if missing else "", "plain"),
        (
            "duplicate rows",
            f"{about(profile)}{profile.duplicates:,}",
            share(profile.duplicates, profile.rows) if profile.duplicates else "",
            "plain",
        ),
    ]
    label = profile.label
    if label is not None and label.counts:
        least = min(range(len(label.counts)), key=label.counts.__getitem__)
        rarest = f"rarest: {label.classes[least]} ({share(label.counts[least], sum(label.counts))})"
        out.append(("classes", f"{len(label.classes):,}", rarest, "plain"))
    return out


def _findings(profile: Profile, targets: Mapping[str, str]) -> Html:
    if not profile.findings:
        return section("What was found", paragraph(badge("good", "nothing"), " None of the checks found anything."))
    groups = grouped(profile.findings)
    return section("What was found", as_cards(groups, TITLES, targets), note="the gravest first", id_="found")


def _label(label: LabelProfile, findings: Sequence[Finding]) -> Html:
    order = range(len(label.classes)) if len(label.classes) <= ALL_CLASSES else by_count(label.counts)[:ALL_CLASSES]
    drawn = bars.bars(
        [label.classes[i] for i in order],
        [label.counts[i] for i in order],
        tones=[charts.tone(by_count(label.counts).index(i), len(label.classes)) for i in order],
        what="class",
        whole=sum(label.counts),
    )
    rest = len(label.classes) - len(order)
    more = (
        [paragraph(f"and {plural(rest, 'more class', 'more classes')}, of fewer rows", class_="note")] if rest else []
    )
    if label.missing:
        more.append(paragraph(f"{plural(label.missing, 'row')} without a label", class_="note"))
    name = label_name(label)
    return section(name[:1].upper() + name[1:], tag("div", drawn, *more, class_="card"), note=label.form, id_="label")


def _columns(profile: Profile) -> Html:
    found = by_place(profile.findings)
    cards = [_card(c, f"c{i}", found.get(place(c.name), ()), profile.label) for i, c in enumerate(profile.columns)]
    grave = [any(f.severity != "info" for f in found.get(place(c.name), ())) for c in profile.columns]
    in_sight = [card for card, g in zip(cards, grave, strict=True) if g or len(cards) <= CARDS]
    folded = [card for card, g in zip(cards, grave, strict=True) if not g and len(cards) > CARDS]
    parts = [charts.legend(_names(profile.label))] if any(c.bars and c.bars.by_class for c in profile.columns) else []
    parts += [details("all columns as a table", _overview(profile, found)), tag("div", *in_sight, class_="cards")]
    if folded:
        words = f"{plural(len(folded), 'column')} without an error or a warning"
        parts.append(details(words, tag("div", *folded, class_="cards")))
    return section("Columns", *parts, note="point at a bar for its numbers")


def _overview(profile: Profile, found: Mapping[str, Sequence[Finding]]) -> Html:
    rows = [
        [
            link(c.name, f"c{i}"),
            kind(c),
            share(c.missing, c.cells) if c.missing else "",
            distinct(c),
            values(c),
            join((badge(f.severity, _title(f)) for f in found.get(place(c.name), ())), " "),
        ]
        for i, c in enumerate(profile.columns)
    ]
    return table(["column", "kind", "missing", "distinct", "values", "found"], rows, numbers=(2, 3))


def _title(finding: Finding) -> str:
    return TITLES.get(finding.code, heading(finding.code))


def _card(column: ColumnProfile, id_: str, findings: Sequence[Finding], label: LabelProfile | None) -> Html:
    parts = [tag("div", tag("h3", column.name), badge("plain", kind(column)), class_="head")]
    parts += [paragraph(badge(f.severity, _title(f)), f" {evidence(besides(f))}") for f in findings]
    if column.bars is not None:
        parts.append(_chart(column, column.bars, label))
    if column.bars is not None and column.bars.edges and column.quantiles:
        said = [value(column, q) for q in column.quantiles]
        parts.append(charts.strip(column.quantiles, NAMES, said=said, edges=column.bars.edges, x=column.name))
    parts.append(bars.share_bar(column.missing, column.cells, "missing"))
    if gone := _missing(column):
        parts.append(paragraph(gone, class_="note"))
    facts = [tag("div", tag("dt", name), tag("dd", said)) for name, said in _facts(column)]
    parts.append(tag("dl", *facts, class_="facts"))
    if column.notes:
        parts.append(tag("ul", *(tag("li", note) for note in column.notes)))
    return tag("article", *parts, class_="card", id=id_)


def _chart(column: ColumnProfile, found: Bars, label: LabelProfile | None) -> Html:
    classes, stacks = _stacks(found, label)
    if not found.edges:
        return bars.bars(found.labels, found.counts, by_class=stacks, classes=classes)
    return charts.histogram(
        found.counts,
        found.edges,
        ticks=[value(column, edge) for edge in found.edges],
        names=found.labels,
        by_class=stacks,
        classes=classes,
        x=column.name,
    )


def _names(label: LabelProfile | None) -> list[str]:
    """The most frequent classes, and one name for the others."""
    if label is None:
        return []
    names = [label.classes[i] for i in by_count(label.counts)]
    return names if len(names) <= CLASSES else [*names[: CLASSES - 1], f"{len(names) - CLASSES + 1:,} other classes"]


def _stacks(bars: Bars, label: LabelProfile | None) -> tuple[list[str], list[Sequence[int]]]:
    if label is None or not bars.by_class:
        return [], []
    order = by_count(label.counts)
    stacks: list[Sequence[int]] = [bars.by_class[i] for i in order]
    if len(stacks) > CLASSES:
        rest = [sum(rows) for rows in zip(*stacks[CLASSES - 1 :], strict=True)]
        stacks = [*stacks[: CLASSES - 1], rest]
    return _names(label), stacks


def _missing(column: ColumnProfile) -> str:
    """What stood in the cells that are missing."""
    found = [f"{name or 'blank'} {n:,}" for name, n in column.markers.items()]
    found += [f"infinite {column.infinite:,}"] if column.infinite else []
    found += [f"unreadable {column.unreadable:,}"] if column.unreadable else []
    return f"of these: {listed(found, 8)}" if found else ""


def _facts(column: ColumnProfile) -> list[tuple[str, str]]:
    facts = [("distinct", distinct(column))] if not column.shape else []
    if column.mean is not None and column.kind != "boolean":
        low, high = (value(column, column.quantiles[i]) for i in (0, -1)) if column.quantiles else ("", "")
        facts += [("from", f"{low} to {high}")] if low != high else []
        facts += [("mean", value(column, column.mean))]
        if column.kind != "datetime":
            facts += [("std", number(column.std)), ("skew", number(column.skew))]
            facts += [("zeros", share(column.zeros, column.cells))] if column.zeros else []
    if column.lengths:
        least, middle, most = column.lengths
        facts.append(("characters", f"{least:,}" if least == most else f"{least:,} to {most:,}, median {middle:,}"))
    return [*facts, ("type", column.dtype)]
