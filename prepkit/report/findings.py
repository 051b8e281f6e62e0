"""Findings as lines for a terminal: what is wrong, what it rests on, what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group as Lines
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from prepkit.finding import SEVERITIES, Finding, Severity
from prepkit.report.html import MARKS
from prepkit.report.words import evidence, listed, plural, printable, sentence, short

STYLES: dict[str, str] = {"error": "bold red", "warning": "bold yellow", "info": "cyan"}
PLACES = 6  # are named before the rest is counted


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


def as_lines(groups: Sequence[Group], titles: Mapping[str, str], most: int = 12, notes: int = 6) -> RenderableType:
    """The first groups as lines: sign, what, where with its evidence; below, unless it is a note, what to do.

    Args:
        groups: see `grouped`.
        titles: of codes, in words; see `heading`.
        most: groups of errors and warnings to draw.
        notes: groups of notes to draw.
    """
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column()
    grave = [g for g in groups if g.severity != "info"]
    light = [g for g in groups if g.severity == "info"]
    for g in [*grave[:most], *light[:notes]]:
        title = titles.get(g.code, heading(g.code))
        said = Text.assemble((title, STYLES[g.severity]), ": ", _places(g))
        if g.severity != "info":
            said.append(f"\n{short(g.advice[0], 240)}" if g.advice else "")
            rest = f" and {len(g.stages) - 1} more" if len(g.stages) > 1 else ""
            said.append(f"\n→ {short(g.stages[0], 160)}{rest}" if g.stages else "", "green")
        else:
            said.no_wrap, said.overflow = True, "ellipsis"
        grid.add_row(Text(MARKS[g.severity], STYLES[g.severity]), said)
    if hidden := [*grave[most:], *light[notes:]]:
        more = listed([titles.get(g.code, heading(g.code)).lower() for g in hidden], 4)
        grid.add_row("", Text(f"and {counted(f for g in hidden for f in g.findings)}: {more}", "dim"))
    return Lines(grid)


def _places(group: Group) -> Text:
    """Where, and the evidence: all of it for one place, one fact for each of several."""
    if len(group.findings) == 1:
        found = group.findings[0]
        said = evidence(besides(found))
        return Text(f"{short(found.where, 120)}{': ' if said else ''}{short(said, 240) if said else ''}")
    facts = [f" ({short(fact, 36)})" if (fact := fact_of(f)) else "" for f in group.findings[:PLACES]]
    named = [short(bare(f.where), 32) + fact for f, fact in zip(group.findings, facts, strict=False)]
    more = len(group.findings) - PLACES
    return Text(f"{many(group.findings)}: {', '.join(named)}{f' and {more:,} more' if more > 0 else ''}")


def columns_of(found: Finding) -> tuple[str, ...]:
    """The names of the columns that a finding is about, where it is about several."""
    names = found.evidence.get("columns", ()) if found.where.startswith("columns ") else ()
    return tuple(map(str, names)) if isinstance(names, list | tuple) else ()


def besides(found: Finding) -> Mapping[str, Any]:
    """The evidence but for which columns and how many, which is where it was found, and where a statistic is from."""
    told = ("columns", "number") if columns_of(found) else ()
    return {k: v for k, v in found.evidence.items() if k not in (*told, "source")}


def fact_of(found: Finding) -> str:
    """The fact that tells one place from another: how many percent, or the first."""
    facts = found.evidence
    if "statistic" in facts:
        return evidence({str(facts["statistic"]): facts.get("value")})
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
