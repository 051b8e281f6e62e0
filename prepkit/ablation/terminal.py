"""An ablation in a terminal: the verdicts as a table."""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from prepkit.ablation.data import RAW, RECIPE, Ablation, Effect, Judgement
from prepkit.ablation.facts import (
    BETTER,
    change,
    change_with_interval,
    cost,
    effect_of,
    ended,
    lead,
    level,
    mean,
    runs_of,
)
from prepkit.report.words import plural, printable, short

NAME = 14  # characters of the name of a stage: the table fits into 80
LOOKS: dict[Judgement, tuple[str, str]] = {
    "helps": ("✔ helps", "green"),
    "hurts": ("✖ hurts", "bold red"),
    "needed to train at all": ("● needed", "blue"),
    "no clear effect": ("no clear effect", "dim"),
    "not judged": ("▲ not judged", "yellow"),
}


def summary(ablation: Ablation) -> RenderableType:
    """What follows in a sentence, the verdicts and the alternatives as tables, and how the runs ended.

    Example:
        >>> from prepkit.report.terminal import as_text
        >>> print(as_text(summary(Ablation((), (), (), (), {}, "", {}))).splitlines()[0])
        No stage was compared.
    """
    parts: list[RenderableType] = [Text(printable(lead(ablation)), "bold")]
    if ablation.verdicts:
        parts += ["", _verdicts(ablation)]
    others = [v for v in ablation.variants if v.role == "alternative"]
    if others:
        found = [(v.name, effect_of(ablation, v.stage, "log_loss", v.name)) for v in others]
        out = _table("against the recipe", "", "log-loss, less that of the recipe")
        for name, effect in found:
            judgement = effect.judgement if effect else "not judged"
            out.add_row(
                Text(short(name, 32)), Text(BETTER.get(judgement, judgement), LOOKS[judgement][1]), _loss(effect)
            )
        parts += ["", out]
    return Group(*parts, "", Text(_ends(ablation)))


def _verdicts(ablation: Ablation) -> Table:
    out = _table("stage", "verdict", "log-loss, less without it", "points of balanced accuracy", "seconds to prepare")
    for v in ablation.verdicts:
        accuracy = effect_of(ablation, v.stage, "balanced_accuracy")
        points = change("balanced_accuracy", accuracy.difference).partition(" ")[0] if accuracy else "–"
        seconds = change("seconds_to_target", cost(ablation, v.stage)[0])
        cells = [_loss(effect_of(ablation, v.stage, "log_loss")), points, seconds]
        out.add_row(Text(short(v.stage, NAME)), Text(*LOOKS[v.judgement]), *cells)
    return out


def _loss(effect: Effect | None) -> str:
    """The difference in log-loss with its interval."""
    return change_with_interval(effect) if effect else "–"


def _ends(ablation: Ablation) -> str:
    lines = []
    for name in (RAW, RECIPE):
        runs = runs_of(ablation, name)
        if runs:
            lines.append(f"{name}: log-loss {level('log_loss', mean(runs, 'log_loss')[0])}, {ended(runs)}")
    seeds = len({r.seed for r in ablation.runs})
    lines.append(f"{plural(len(ablation.variants), 'variant')}, {plural(seeds, 'seed')}: {ended(ablation.runs)}")
    return "\n".join(lines)


def _table(*heads: str) -> Table:
    out = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False, show_edge=False)
    for i, head in enumerate(heads):
        out.add_column(head, justify="left" if i < 3 else "right", no_wrap=i < 3)
    return out
