"""How training went, as sections of the page of an ablation: learning curves, time to the target, the first epochs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from prepkit.ablation.data import RECIPE, Ablation, Variant
from prepkit.ablation.draw import Frame, curves, frame_of, legend, lying, verdict
from prepkit.ablation.facts import (
    Curve,
    by_epoch,
    curve,
    ended,
    entropy,
    in_order,
    level,
    mean,
    reached,
    runs_of,
    targets,
)
from prepkit.report.charts import nothing
from prepkit.report.html import Html, details, join, section, table, tag
from prepkit.report.words import number, percent, short

LONG = 80  # characters of a name, an alternative's for one, that are shown
TIMES = ("steps", "seconds")


def learning_curves(ablation: Ablation) -> Html:
    found = {v.name: curve(runs_of(ablation, v.name)) for v in in_order(ablation)}
    if not any(c.epochs for c in found.values()):
        return section("Learning curves", nothing("no run has a finite validation log-loss"))
    frame = frame_of(list(found.values()), entropy(ablation))
    shown = [v for v in in_order(ablation) if v.role in ("raw", "without", "alternative")]
    shown = shown or [v for v in in_order(ablation) if v.role == "recipe"]
    alone = [v for v in in_order(ablation) if v.role == "only"]
    parts = [legend(), _charts(ablation, shown, found, frame)]
    if alone:
        parts.append(details("each stage alone, against raw data", _charts(ablation, alone, found, frame)))
    parts.append(details("how all variants ended, as a table", _ends(ablation, found)))
    note = f"validation log-loss by epoch, less is better; above {frame.high:.3g} at the upper edge"
    return section("Learning curves", *parts, note=note, id_="curves")


def _charts(ablation: Ablation, shown: Sequence[Variant], found: Mapping[str, Curve], frame: Frame) -> Html:
    judged = {v.stage: v.judgement for v in ablation.verdicts}
    cards = []
    for v in shown:
        against = v.against or (RECIPE if v.role == "raw" else "")
        its, runs = found[v.name], runs_of(ablation, v.name)
        least = f"{min(its.middle):.3f}" if its.middle else "no finite log-loss"
        said = f"{against or 'no other'} in grey; least {least}; {ended(runs)}"
        head = [tag("b", short(v.name, LONG))]
        if v.role == "without" and v.stage in judged:
            head.append(verdict(judged[v.stage]))
        drawn = curves(its, found.get(against), frame, f"{v.name}: {said}")
        cards.append(tag("figure", tag("figcaption", *head), drawn, tag("small", said), class_="card"))
    return tag("div", *cards, class_="multiples")


def _ends(ablation: Ablation, found: Mapping[str, Curve]) -> Html:
    rows = []
    for v in in_order(ablation):
        runs = runs_of(ablation, v.name)
        errors = sorted({r.error for r in runs if r.error})
        least = level("log_loss", min(found[v.name].middle, default=math.nan))
        means = [level(m, mean(runs, m)[0]) for m in ("log_loss", "final_log_loss", "auc", "ece")]
        why = short("; ".join(errors), 300) if errors else ""
        rows.append([short(v.name, LONG), join([ended(runs), tag("small", why) if why else Html()]), least, *means])
    heads = ["variant", "runs", "least on validation", "on test rows", "at the last epoch", "AUC", "calibration error"]
    return table(heads, rows, numbers=range(2, 7))


def times(ablation: Ablation) -> Html:
    goals = list(targets(ablation).values())
    if not goals:
        return section("Time to the target", nothing("no target was set: the recipe did not converge"))
    times = {v.name: reached(ablation, v.name) for v in in_order(ablation)}
    most = [max((v for t in times.values() if math.isfinite(v := getattr(t, k))), default=0.0) for k in TIMES]
    rows = []
    for name, t in times.items():
        missed = f"{t.of - t.runs} of {t.of}" if t.runs < t.of else ""
        cells = [tag("th", short(name, LONG), scope="row", title=name if len(name) > 24 else "")]
        for k, top in zip(TIMES, most, strict=True):
            value = getattr(t, k)
            said = level(f"{k}_to_target", value)
            cells += [
                tag(
                    "td",
                    lying(value, top, f"{name}: {said} {k}{missed and f', not reached in {missed}'}"),
                    class_="bar",
                )
            ]
            cells += [tag("td", said, class_="number")]
        rows.append(tag("tr", *cells, tag("td", missed, class_="missed")))
    heads = ["variant", "batches", "", "seconds", "", "not reached"]
    head = tag("tr", *(tag("th", h) for h in heads))
    low, high = level("log_loss", min(goals)), level("log_loss", max(goals))
    note = f"to a validation log-loss of {low}{'' if low == high else f' to {high}, by seed'}; median, training only"
    drawn = tag("table", tag("thead", head), tag("tbody", *rows), class_="bars times")
    return section("Time to the target", tag("div", drawn, class_="card plain"), note=note, id_="times")


def first_epochs(ablation: Ablation) -> Html:
    norms = {v.name: by_epoch(runs_of(ablation, v.name), "gradient_norm") for v in in_order(ablation)}
    dead = {v.name: by_epoch(runs_of(ablation, v.name), "dead_relus") for v in in_order(ablation)}
    if not any(norms.values()) and not any(dead.values()):
        return Html()
    usual = (norms.get(RECIPE) or [math.nan])[0]
    rows = [
        [
            short(name, LONG),
            " → ".join(f"{v:.2g}" if math.isfinite(v) else "–" for v in norms[name]) or "–",
            _times_as((norms[name] or [math.nan])[0], usual) if name != RECIPE else "",
            " → ".join(map(percent, dead[name])) or "–",
        ]
        for name in norms
    ]
    heads = ["variant", "gradient norm", "at the start, against the recipe", "dead ReLUs"]
    note = "before training → behind each of the first epochs, on the same training rows, median over the seeds"
    return section("The first epochs", table(heads, rows), note=note, id_="first")


def _times_as(value: float, usual: float) -> str:
    """How much larger or smaller, to the nearest figure of a logarithmic scale that is worth a word.

    Example:
        >>> _times_as(3.3, 1.0), _times_as(0.001, 1.0), _times_as(1.1, 1.0), _times_as(1.0, 0.0)
        ('3 times', '1/1,000', 'the same', '–')
    """
    if not (math.isfinite(value) and math.isfinite(usual) and value > 0 and usual > 0):
        return "–"
    size = abs(math.log10(value / usual))
    near = min((0.0, *(k + math.log10(m) for k in range(40) for m in (2, 3, 5, 10))), key=lambda s: abs(s - size))
    if not near:
        return "the same"
    times = number(round(10**near))
    return f"{times} times" if value > usual else f"1/{times}"
