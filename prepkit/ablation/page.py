"""An ablation as one page: which stage helps, first of all; then how training went, and how all of it was measured."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from prepkit.ablation.data import ALONE, CONVERGED, IN_RECIPE, MEASURES, RAW, RECIPE, Ablation, Effect, Verdict
from prepkit.ablation.draw import Scale, axis, interval, scale_of, verdict
from prepkit.ablation.facts import (
    BETTER,
    SHARES,
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
from prepkit.ablation.judge import WAY
from prepkit.ablation.page_training import LONG, first_epochs, learning_curves, times
from prepkit.ablation.style import STYLE
from prepkit.ablation.words import NAMES
from prepkit.report import html
from prepkit.report.charts import nothing
from prepkit.report.files import check_file, write_text
from prepkit.report.html import Html, Tone, code, details, join, paragraph, section, table, tag, tiles
from prepkit.report.words import listed, number, percent, plain, plural, sentence, short

TOLD = ("label", "rows", "seeds", "epochs", "batch_size", "model", "machine", "seconds", "command", "versions")
DRAWN = ("targets", "shares", "class_names", "equal", "not_possible")  # settings that stand elsewhere on the page
PLACES = {IN_RECIPE: "in the recipe", ALONE: "alone, against raw"}
MEANT = (
    "Each seed parts the rows anew, and all variants of a seed have the same rows, initial weights and number of "
    "epochs. Measures are of the test rows, whose labels no stage has touched, at the epoch of the least validation "
    "log-loss. Log-loss (natural logarithm) and calibration error are of probabilities under the prior of the data.",
    "A difference is with the stage less without it, paired by seed, with its 95 % bootstrap interval. It helps or "
    "hurts if the interval is without 0, the difference is worth it (for log-loss "
    f"{MEASURES['log_loss'][1]:g} or more) and a paired test, corrected for the number of comparisons, says so too. "
    "The verdict on a stage is by the first of log-loss, balanced accuracy and recall of the rarest class for which "
    "that holds; but it is needed to train at all where the recipe converges with it and not without. Of two stages "
    "that do the same, each may have no clear effect, since the other one stays when it is left out.",
    "A run has converged if its loss stays finite and its best validation log-loss is below "
    f"{CONVERGED:g} times that of predicting the shares of the classes; it diverges when a loss is not finite. The "
    f"target of a seed is {100 * WAY:g} % of the way that the recipe itself goes from there to its best.",
)


def page(ablation: Ablation, title: str = "Which stage helps") -> str:
    """What an ablation found as one HTML file, without scripts or anything fetched.

    Args:
        ablation: of any number of stages and seeds; what was not measured, or is NaN, is drawn as nothing. Of its
            settings, "targets" (log-loss by seed), "shares" (of the classes), "class_names" and "equal" (variants that
            are another one) are used if they are there; the others are listed.
        title: the heading.

    Returns:
        The page. All text is escaped. The same ablation gives the same page.

    Example:
        >>> page(Ablation((), (), (), (), {}, "Pipeline([])", {})).count("No stage was compared.")
        1
    """
    sections = [paragraph(lead(ablation), class_="lead"), tiles(_tiles(ablation)), _verdicts(ablation)]
    sections += [_alternatives(ablation), learning_curves(ablation), times(ablation), first_epochs(ablation)]
    sections += [_measured(ablation)]
    return html.page(title, sections, _about(ablation), style=STYLE)


def write(ablation: Ablation, path: str | Path) -> str:
    """Write `page` to a file, in place of what is there, whole or not at all; the path of the file.

    Raises:
        PrepkitError: if `path` is a directory, stands in none, or cannot be written.
    """
    return str(write_text(check_file(path), page(ablation)))


def _about(ablation: Ablation) -> str:
    settings = ablation.settings
    parts = [f"label {settings['label']}"] if settings.get("label") else []
    parts += [plural(settings["rows"], "row")] if isinstance(settings.get("rows"), int) else []
    parts += [plural(len({r.seed for r in ablation.runs}), "seed"), plural(len(ablation.variants), "variant")]
    return short(", ".join(parts), 200)


def _tiles(ablation: Ablation) -> Iterable[tuple[str, str, str, Tone]]:
    raw, recipe = runs_of(ablation, RAW), runs_of(ablation, RECIPE)
    for measure in ("log_loss", "balanced_accuracy"):
        (before, some), (after, others) = mean(raw, measure), mean(recipe, measure)
        worse = after > before if MEASURES[measure][0] == "less" else after < before
        note = "raw → recipe, mean on test rows"
        if some < len(raw) or others < len(recipe):
            note += f", of {some} of {len(raw)} → {others} of {len(recipe)} runs"
        said = f"{level(measure, before)} → {level(measure, after)}"
        yield NAMES[measure], said, note, "warning" if worse else "plain"
    seeds = sorted({r.seed for r in ablation.runs})
    note = "no interval, and so no verdict" if len(seeds) == 1 else "each parts the rows anew"
    yield "seeds", f"{len(seeds)}", note, "warning" if len(seeds) < 2 else "plain"
    counts = {s: sum(r.status == s for r in ablation.runs) for s in ("diverged", "failed", "not converged")}
    tone: Tone = "warning" if counts["diverged"] or counts["failed"] else "good"
    others_ = ", ".join(f"{counts[s]} {s}" for s in ("failed", "not converged") if counts[s])
    yield "runs that diverged", f"{counts['diverged']} of {len(ablation.runs)}", others_, tone


# -- verdicts ------------------------------------------------------------------------------------


def _verdicts(ablation: Ablation) -> Html:
    if not ablation.verdicts:
        return section("Each stage", nothing("no stage was compared"))
    found = {v.stage: effect_of(ablation, v.stage, "log_loss") for v in ablation.verdicts}
    scale = scale_of(e for e in found.values() if e)
    rows = [
        _row(_stage(ablation, v), v, _effects(ablation, v.stage, IN_RECIPE), scale, ablation) for v in ablation.verdicts
    ]
    note = "the recipe with it against the recipe without it, in the order of the recipe"
    parts = [_rows(["stage", "verdict"], rows, scale, "without → with it", ["seconds to prepare"]), _key()]
    return section("Each stage", *parts, _every(ablation), note=note, id_="stages")


def _key() -> Html:
    words = (
        "Dot and line: the mean difference in log-loss over the seeds and its 95 % interval; left of the upright line, "
        "the tinted side, the recipe is better with the stage; in the grey strip it is too little to matter; "
        "◀ ▶ beyond the scale."
    )
    return paragraph(words, class_="note")


def _effects(ablation: Ablation, stage: str, place: str) -> dict[str, Effect]:
    some = ("log_loss", *SHARES)
    return {m: e for m in some if (e := effect_of(ablation, stage, m, place)) is not None}


def _stage(ablation: Ablation, found: Verdict) -> Html:
    parts = [tag("span", short(found.stage, LONG))]
    if reason := ablation.reasons.get(found.stage):
        parts.append(tag("small", reason))
    if found.stand_ins:
        parts.append(tag("small", f"without it: {'; '.join(found.stand_ins)}"))
    return join(parts)


def _row(name: Html, found: Verdict, its: Mapping[str, Effect], scale: Scale, ablation: Ablation | None) -> list[Html]:
    """The cells of a stage, with what it costs; of an alternative, if `ablation` is None."""
    told = [
        verdict(found.judgement, "" if ablation else BETTER.get(found.judgement, "")),
        tag("small", sentence(found.reason)) if found.reason else Html(),
    ]
    needed = found.judgement == "needed to train at all"
    missing = "without it, no comparable run" if needed else "cannot be compared"
    drawn = [interval(its.get("log_loss"), scale, missing)]
    if (loss := its.get("log_loss")) is not None and math.isfinite(loss.difference):
        drawn.append(tag("small", change_with_interval(loss), class_="under"))
    cells = [name, join(told), join(drawn), _levels(its.get("log_loss")), *(_both(its.get(m)) for m in SHARES)]
    if ablation is not None:
        seconds, grown = cost(ablation, found.stage)
        memory = f"{grown / 1e6:+,.0f} MB".replace("-", "−") if abs(grown) >= 1e6 else ""
        cells.append(
            join([html.text(change("seconds_to_target", seconds)), tag("small", memory) if memory else Html()])
        )
    return cells


def _levels(effect: Effect | None) -> Html:
    if effect is None or not effect.pairs:
        return html.text("–")
    return tag("span", _from_to(effect), class_="said")


def _from_to(effect: Effect) -> str:
    return f"{level(effect.measure, effect.without)} → {level(effect.measure, effect.with_it)}"


def _both(effect: Effect | None) -> Html:
    """A measure that is not drawn: its difference, marked where that is clear, and both values."""
    if effect is None or not effect.pairs:
        return html.text("–")
    mark = {"helps": "✔ ", "hurts": "✖ "}.get(effect.judgement, "")
    tone = {"helps": "said good", "hurts": "said error"}.get(effect.judgement, "said")
    return join(
        [tag("span", f"{mark}{change(effect.measure, effect.difference)}", class_=tone), tag("small", _from_to(effect))]
    )


def _rows(
    first: Sequence[str], rows: Sequence[Sequence[Html]], scale: Scale, way: str, last: Sequence[str] = ()
) -> Html:
    """A table that is a list of cards where there is little room, each cell with its heading."""
    heads = [
        *first,
        "difference in log-loss, left is better",
        f"log-loss, {way}",
        "balanced accuracy",
        "recall of the rarest class",
        *last,
    ]
    drawn = [tag("th", join([tag("span", h), axis(scale)]) if i == 2 else h, scope="col") for i, h in enumerate(heads)]
    body = (
        tag("tr", *(
            tag("td" if i else "th", c, data_label=heads[i] if i > 1 else "", class_="drawn" if i == 2 else "",
                scope="" if i else "row")
            for i, c in enumerate(row)
        ))
        for row in rows
    )  # fmt: skip
    whole = tag("table", tag("thead", tag("tr", *drawn)), tag("tbody", *body), class_="verdicts")
    return tag("div", whole, class_="scroll whole")


def _every(ablation: Ablation) -> Html:
    """Every effect, folded away."""
    if not ablation.effects:
        return Html()
    rows = [
        [
            short(e.stage, LONG), PLACES.get(e.place, short(e.place, LONG)), NAMES.get(e.measure, e.measure),
            level(e.measure, e.with_it), level(e.measure, e.without), change_with_interval(e), f"{e.pairs}",
            number(round(e.p, 4)) if math.isfinite(e.p) else "–", e.judgement,
        ]
        for e in ablation.effects
    ]  # fmt: skip
    heads = ["stage", "where", "measure", "with it", "without", "difference", "pairs", "p", "judgement"]
    words = f"every measure of every stage, in the recipe and alone: {plural(len(rows), 'comparison')}"
    return details(words, table(heads, rows, numbers=(3, 4, 6, 7)))


def _alternatives(ablation: Ablation) -> Html:
    others = [v for v in ablation.variants if v.role == "alternative"]
    if not others:
        return Html()
    effects = {v.name: _effects(ablation, v.stage, v.name) for v in others}
    scale = scale_of(its["log_loss"] for its in effects.values() if "log_loss" in its)
    rows = []
    for v in others:
        loss = effects[v.name].get("log_loss")
        judged = Verdict(v.stage, loss.judgement if loss else "not judged", ended(runs_of(ablation, v.name)))
        rows.append(_row(tag("span", short(v.name, LONG)), judged, effects[v.name], scale, None))
    note = "each in the place of the stage that it is named after, against the recipe as it is"
    return section(
        "Alternatives", _rows(["alternative", "than the recipe"], rows, scale, "recipe → alternative"), note=note
    )


# -- how it was measured -------------------------------------------------------------------------


def _measured(ablation: Ablation) -> Html:
    settings = ablation.settings
    keys = [k for k in TOLD if k in settings] + [k for k in settings if k not in (*TOLD, *DRAWN)]
    facts = [(k.replace("_", " "), _setting(settings[k])) for k in keys]
    if classes := _classes(settings):
        facts.insert(1, ("classes", classes))
    drawn = (tag("div", tag("dt", k), tag("dd", v)) for k, v in facts)
    parts = [tag("dl", *drawn, class_="facts down"), *(paragraph(words) for words in MEANT)]
    if ablation.notes:
        parts.append(tag("ul", *(tag("li", note) for note in ablation.notes), class_="notes"))
    if ablation.recipe:
        parts += [paragraph("The recipe:", class_="note"), code(ablation.recipe)]
    return section("How it was measured", *parts, id_="measured")


def _setting(value: Any) -> str:
    if isinstance(value, Mapping):
        return listed([f"{k} {plain(v)}" for k, v in value.items()], 12)
    return listed([plain(v) for v in value], 12) if isinstance(value, list | tuple) else plain(value)


def _classes(settings: Mapping[str, Any]) -> str:
    shares = settings.get("shares", ())
    names = list(shares) if isinstance(shares, Mapping) else list(settings.get("class_names", ()))
    values = list(shares.values()) if isinstance(shares, Mapping) else list(shares)
    if len(values) != len(names):
        return listed([str(n) for n in names], 12)
    return listed([f"{n} {percent(v)}" for n, v in zip(names, values, strict=True)], 12)
