"""Findings as lines for a terminal and as cards for a page: what is wrong, what it rests on, what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group as Lines
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from prepkit.finding import SEVERITIES, Finding, Severity
from prepkit.report.html import MARKS, Html, Tone, badge, code, details, join, link, paragraph, table, tag
from prepkit.report.words import evidence, plural, printable, sentence, short

STYLES: dict[Severity, str] = {"error": "bold red", "warning": "bold yellow", "info": "cyan"}
PLACES = 6  # are named before the rest is counted
NAMED = 24  # columns of one finding that a page links to
SPELT = 200  # findings of a kind that a page lists one by one


@dataclass(frozen=True)
class Group:
    """Findings of one code and severity: 40 columns with the same fault are one thing to read.

    Args:
        code: of all of them.
        severity: likewise.
        findings: at least one.
    """

    code: str
    severity: Severity
    findings: tuple[Finding, ...]

    @property
    def advice(self) -> tuple[str, ...]:
        """What to do, each sentence once."""
        return tuple(dict.fromkeys(sentence(f.advice) for f in self.findings if f.advice))

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages that cure it, each once, as Python."""
        return tuple(dict.fromkeys(python(f.stage) for f in self.findings if f.stage))


def grouped(findings: Iterable[Finding]) -> list[Group]:
    """Findings of one code and severity together, the gravest first, else as they come.

    Example:
        >>> from prepkit.finding import Finding
        >>> found = [Finding("missing", "info", f"column {c!r}") for c in "ab"]
        >>> [(g.code, len(g.findings)) for g in grouped([*found, Finding("rows.none", "error", "rows")])]
        [('rows.none', 1), ('missing', 2)]
    """
    together: dict[tuple[Severity, str], list[Finding]] = {}
    for f in findings:
        together.setdefault((f.severity, f.code), []).append(f)
    groups = [Group(code, severity, tuple(found)) for (severity, code), found in together.items()]
    return sorted(groups, key=lambda g: SEVERITIES.index(g.severity))


def python(stage: str) -> str:
    """A stage as it is written after `import prepkit as pk`."""
    return f"pk.{stage}" if stage[:1].isupper() else stage


def heading(code_: str) -> str:
    """A code in words, where there are no better ones.

    Example:
        >>> heading("labels.rare_class")
        'Labels: rare class'
    """
    words = printable(code_.replace(".", ": ").replace("_", " "))
    return words[:1].upper() + words[1:]


def counted(findings: Iterable[Finding]) -> str:
    """
    Example:
        >>> counted([]), counted([Finding("a", "error", "rows"), Finding("b", "info", "rows")])
        ('nothing found', '1 error, 1 note')
    """
    severities = [f.severity for f in findings]
    names = {"error": "error", "warning": "warning", "info": "note"}
    parts = [plural(severities.count(s), names[s]) for s in SEVERITIES if s in severities]
    return ", ".join(parts) or "nothing found"


def as_lines(groups: Sequence[Group], titles: Mapping[str, str], most: int = 12) -> RenderableType:
    """The first groups as lines: sign, what, where with its evidence; below, what to do.

    Args:
        groups: see `grouped`.
        titles: of codes, in words; see `heading`.
        most: groups to draw.
    """
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column()
    for g in groups[:most]:
        style = STYLES[g.severity]
        said = Text.assemble((titles.get(g.code, heading(g.code)), style), "  ", _places(g))
        said.append(f"\n{short(' '.join(g.advice[:1]), 240)}" if g.advice else "", "default")
        if g.stages:
            rest = f" and {len(g.stages) - 1} more" if len(g.stages) > 1 else ""
            said.append(f"\n→ {short(g.stages[0], 160)}{rest}", "green")
        grid.add_row(Text(MARKS[g.severity], style), said)
    if len(groups) > most:
        grid.add_row("", Text(f"... and {len(groups) - most} more kinds of finding", "dim"))
    return Lines(grid)


def _places(group: Group) -> Text:
    """Where, and the evidence: all of it for one place, one fact for each of several."""
    if len(group.findings) == 1:
        found = group.findings[0]
        said = evidence(_besides(found))
        return Text(f"{short(found.where, 120)}{': ' if said else ''}{short(said, 240) if said else ''}")
    facts = [f" ({short(fact, 36)})" if (fact := _fact(f)) else "" for f in group.findings[:PLACES]]
    named = [short(bare(f.where), 32) + fact for f, fact in zip(group.findings, facts, strict=False)]
    more = len(group.findings) - PLACES
    return Text(f"{many(group.findings)}: {', '.join(named)}{f' and {more:,} more' if more > 0 else ''}")


def columns_of(found: Finding) -> tuple[str, ...]:
    """The names of the columns that a finding is about, where it is about several."""
    names = found.evidence.get("columns", ()) if found.where.startswith("columns ") else ()
    return tuple(map(str, names)) if isinstance(names, list | tuple) else ()


def _besides(found: Finding) -> Mapping[str, Any]:
    """The evidence but for which columns and how many, which is where it was found."""
    told = ("columns", "number") if columns_of(found) else ()
    return {k: v for k, v in found.evidence.items() if k not in told}


def _fact(found: Finding) -> str:
    """The fact that tells one place from another: how many percent, or the first."""
    facts = found.evidence
    key = "percent" if "percent" in facts else next(iter(facts), None)
    return evidence({key: facts[key]}) if key is not None else ""


def many(findings: Sequence[Finding]) -> str:
    """
    Example:
        >>> many([Finding("missing", "info", f"column {c!r}") for c in "abc"])
        '3 columns'
    """
    kinds = {f.where.partition(" ")[0] for f in findings}
    return plural(len(findings), "column" if kinds == {"column"} else "place")


def bare(where: str) -> str:
    """The name alone, of a place such as "column 'age'"."""
    kind, _, name = where.partition(" ")
    return name[1:-1] if kind == "column" and len(name) > 2 and name[0] == name[-1] and name[0] in "'\"" else where


def as_cards(groups: Iterable[Group], titles: Mapping[str, str], targets: Mapping[str, str]) -> Html:
    """Each group as a card.

    Args:
        groups: see `grouped`.
        titles: of codes, in words; see `heading`.
        targets: for a place, the id of the element of the page that is about it.
    """
    return join(_card(g, titles.get(g.code, heading(g.code)), targets) for g in groups)


def _card(group: Group, title: str, targets: Mapping[str, str]) -> Html:
    tone: Tone = group.severity
    found, rest = group.findings, len(group.findings) - PLACES
    head = [badge(tone), tag("h3", title), tag("small", tag("code", group.code))]
    said = [tag("div", *head, class_="head")]
    if len(found) == 1:
        facts = evidence(_besides(found[0]))
        said.append(paragraph(_where(found[0], targets), f": {facts}" if facts else ""))
    else:
        places = [
            join([_linked(f.where, targets, bare(f.where)), f" ({_fact(f)})" if _fact(f) else ""])
            for f in found[:PLACES]
        ]
        more = f" and {rest:,} more" if rest > 0 else ""
        said.append(paragraph(f"{many(found)}: ", join(places, ", "), more))
    said += [paragraph(line, class_="advice") for line in group.advice[:1]]
    return tag(
        "article", tag("div", *said, class_="said"), _cure(group), _each(group, targets), class_=f"finding {tone}"
    )


def _where(found: Finding, targets: Mapping[str, str]) -> Html:
    """The place, each of its columns as a link."""
    names = columns_of(found)
    if not names:
        return _linked(found.where, targets)
    links = [_linked(f"column {name!r}", targets, name) for name in names[:NAMED]]
    number = found.evidence.get("number")
    rest = (number if isinstance(number, int) else len(names)) - len(links)
    return join(
        [f"{plural(len(links) + rest, 'column')}: ", join(links, ", "), f" and {rest:,} more" if rest > 0 else ""]
    )


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
        [_linked(f.where, targets), evidence(_besides(f)), *([sentence(f.advice)] * several), python(f.stage)]
        for f in group.findings[:SPELT]
    ]
    rest = len(group.findings) - SPELT
    more = paragraph(f"and {rest:,} more: {_names(group.findings[SPELT:])}") if rest > 0 else Html()
    headings = ["where", "evidence", *(["what to do"] * several), "cure"]
    return details(f"all {len(group.findings):,}", table(headings, rows), more)


def _names(findings: Sequence[Finding]) -> str:
    return ", ".join(bare(f.where) for f in findings)
