"""Findings as cards of a page: errors and warnings in full, notes as lines to be opened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from prepkit.finding import Finding
from prepkit.report.findings import PLACES, Group, bare, besides, columns_of, fact_of, heading, many, python
from prepkit.report.html import MARKS, Html, badge, code, details, join, link, paragraph, table, tag
from prepkit.report.words import evidence, plural, sentence, short

NAMED = 24  # columns of one finding that are linked to
SPELT = 200  # findings of a kind that are listed one by one


def as_cards(groups: Iterable[Group], titles: Mapping[str, str], targets: Mapping[str, str]) -> Html:
    """Each group as a card, those of notes closed.

    Args:
        groups: see `grouped`.
        titles: of codes, in words; see `heading`.
        targets: for a place, the id of the element of the page that is about it.
    """
    grave: list[Html] = []
    notes: list[Html] = []
    for g in groups:
        title = titles.get(g.code, heading(g.code))
        if g.severity == "info":
            notes.append(_note(g, title, targets))
        else:
            grave.append(_card(g, title, targets))
    words = [paragraph("Good to know:", class_="note")] if notes else []
    return join([*grave, *words, *notes])


def _card(group: Group, title: str, targets: Mapping[str, str]) -> Html:
    head = [badge(group.severity), tag("h3", title), tag("small", tag("code", group.code))]
    return tag("article", *_body(group, targets, tag("div", *head, class_="head")), class_=f"finding {group.severity}")


def _note(group: Group, title: str, targets: Mapping[str, str]) -> Html:
    """One line until it is opened."""
    found = group.findings
    places = f"{many(found)}: {', '.join(bare(f.where) for f in found[:PLACES])}" if len(found) > 1 else found[0].where
    brief = tag("span", tag("b", f"{MARKS[group.severity]} {title}"), tag("small", f" {short(places, 120)}"))
    head = tag("small", tag("code", group.code))
    body = tag("div", *_body(group, targets, head), class_=f"finding {group.severity}")
    return tag("article", details(brief, body), class_="note-line")


def _body(group: Group, targets: Mapping[str, str], head: Html) -> list[Html]:
    """Where it was found and by what evidence; what to do; the cure; each place by itself."""
    found, rest = group.findings, len(group.findings) - PLACES
    said = [head]
    if len(found) == 1:
        fact = evidence(besides(found[0]))
        said.append(paragraph(_where(found[0], targets), f": {fact}" if fact else ""))
    else:
        places = [_place(f, targets) for f in found[:PLACES]]
        more = f" and {rest:,} more" if rest > 0 else ""
        said.append(paragraph(f"{many(found)}: ", join(places, ", "), more))
    said += [paragraph(line, class_="advice") for line in group.advice[:1]]
    sources = dict.fromkeys(str(f.evidence["source"]) for f in found if "source" in f.evidence)
    said += [paragraph(f"source: {'; '.join(sources)}", class_="note")] if sources else []
    return [tag("div", *said, class_="said"), _cure(group), _each(group, targets)]


def _place(found: Finding, targets: Mapping[str, str]) -> Html:
    fact = fact_of(found)
    return join([_linked(found.where, targets, bare(found.where)), f" ({fact})" if fact else ""])


def _where(found: Finding, targets: Mapping[str, str]) -> Html:
    """The place, each of its columns as a link."""
    names = columns_of(found)
    if not names:
        return _linked(found.where, targets)
    links = [_linked(f"column {name!r}", targets, name) for name in names[:NAMED]]
    number = found.evidence.get("number")
    rest = (number if isinstance(number, int) else len(names)) - len(links)
    more = f" and {rest:,} more" if rest > 0 else ""
    return join([f"{plural(len(links) + rest, 'column')}: ", join(links, ", "), more])


def _linked(where: str, targets: Mapping[str, str], words: str = "") -> Html:
    return link(words or where, targets.get(where, ""))


def _cure(group: Group) -> Html:
    if not group.stages:
        return Html()
    lines = group.stages[:PLACES]
    rest = len(group.stages) - len(lines)
    more = f" (and {rest:,} more, listed below)" if rest else ""
    return tag("div", tag("small", f"cure{more}"), code("\n".join(lines)), class_="cure")


def _each(group: Group, targets: Mapping[str, str]) -> Html:
    """Every finding by itself, folded away; those of one place have been told in full."""
    if len(group.findings) == 1:
        return Html()
    several = len(group.advice) > 1
    rows = [
        [_linked(f.where, targets), evidence(besides(f)), *([sentence(f.advice)] * several), python(f.stage)]
        for f in group.findings[:SPELT]
    ]
    rest = len(group.findings) - SPELT
    more = paragraph(f"and {rest:,} more: {_names(group.findings[SPELT:])}") if rest > 0 else Html()
    headings = ["where", "evidence", *(["what to do"] * several), "cure"]
    return details(f"all {len(group.findings):,}", table(headings, rows), more)


def _names(findings: Sequence[Finding]) -> str:
    return ", ".join(bare(f.where) for f in findings)
