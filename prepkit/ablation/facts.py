"""What a page and a terminal say of an ablation: counts, means and curves of its runs. Drawing begins behind this."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from prepkit.ablation.data import IN_RECIPE, RECIPE, Ablation, Effect, Judgement, Run, Variant
from prepkit.ablation.judge import to_target
from prepkit.report.words import listed, number, percent, plural, sentence

NAMED = 3  # stages that the first sentence names: more is no sentence
SHARES = ("balanced_accuracy", "minority_recall")  # said in percent, their differences in points
SHOWN = 120  # epochs of a drawn curve: it is about 250 pixels wide
BETTER: Mapping[Judgement, str] = {"helps": "better", "hurts": "worse"}  # what is said of an alternative
# What stages of a judgement do, of one and of more; what to do about it comes last.
DO: Mapping[Judgement, tuple[str, str]] = {
    "helps": ("helps", "help"),
    "needed to train at all": ("is needed to train at all", "are needed to train at all"),
    "no clear effect": ("has no clear effect", "have no clear effect"),
    "not judged": ("could not be judged", "could not be judged"),
    "hurts": ("hurts", "hurt"),
}


@dataclass(frozen=True)
class Curve:
    """Validation log-loss of all runs of a variant, by epoch; every run up to its first number that is not finite.

    Args:
        epochs: from 1, rising; some are left out where there are many.
        middle: the median of the runs that still go on.
        low: the least of them.
        high: the most.
        ends: epoch and log-loss of the last finite number of each run that diverged; (0, NaN) where there is none.
    """

    epochs: tuple[int, ...]
    middle: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    ends: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Reached:
    """How soon the runs of a variant reach their target; a run that does not reach it counts as never.

    Args:
        steps: the median; infinite where half of the runs or more do not reach it.
        seconds: likewise, of training.
        runs: that reach it.
        of: runs that have a target.
    """

    steps: float
    seconds: float
    runs: int
    of: int


def lead(ablation: Ablation) -> str:
    """What follows, in one sentence.

    Example:
        >>> from prepkit.ablation.data import Verdict
        >>> found = (Verdict("Rescale", "helps", ""), Verdict("OneHot", "helps", ""), Verdict("Clip", "hurts", ""))
        >>> lead(Ablation((), (), (), found, {}, "", {}))
        '2 of 3 stages help, 1 hurts: leave Clip out.'
    """
    by = {j: [v.stage for v in ablation.verdicts if v.judgement == j] for j in DO}
    n = len(ablation.verdicts)
    if not n:
        return "No stage was compared."
    if n == 1:
        stage, judgement = ablation.verdicts[0].stage, ablation.verdicts[0].judgement
        return f"{stage} {DO[judgement][0]}{': leave it out' if judgement == 'hurts' else ''}."
    if len(by["not judged"]) == n:
        why = ": a single seed gives no interval" if len({r.seed for r in ablation.runs}) == 1 else ""
        return f"None of {plural(n, 'stage')} could be judged{why}."
    some = [(j, stages) for j, stages in by.items() if stages]
    said = [f"{len(stages)} {DO[j][len(stages) > 1]}" for j, stages in some]
    if by["helps"]:
        said[0] = f"{len(by['helps'])} of {plural(n, 'stage')} {DO['helps'][len(by['helps']) > 1]}"
    else:
        said.insert(0, f"none of {plural(n, 'stage')} clearly helps")
    out = f": leave {listed(by['hurts'], NAMED)} out" if by["hurts"] else ""
    return sentence(f"{', '.join(said)}{out}.")


def runs_of(ablation: Ablation, variant: str) -> list[Run]:
    """The runs of a variant, by seed; those of the one that it is equal to, where it was not trained by itself."""
    equal = ablation.settings.get("equal", {})
    name = equal.get(variant, variant) if isinstance(equal, Mapping) else variant
    return sorted((r for r in ablation.runs if r.variant == name), key=lambda r: r.seed)


def without(ablation: Ablation, stage: str) -> str:
    """The name of the variant that leaves `stage` out."""
    return next((v.name for v in ablation.variants if v.role == "without" and v.stage == stage), f"without {stage}")


def in_order(ablation: Ablation) -> list[Variant]:
    """The variants: the recipe, raw, without each stage, of single stages, alternatives."""
    roles = ("recipe", "raw", "without", "only", "alternative")
    return sorted(ablation.variants, key=lambda v: roles.index(v.role))


def mean(runs: Iterable[Run], measure: str) -> tuple[float, int]:
    """Of those runs that have a finite one, and how many they are; NaN of none."""
    values = [v for r in runs if math.isfinite(v := r.measures.get(measure, math.nan))]
    return (sum(values) / len(values) if values else math.nan), len(values)


def effect_of(ablation: Ablation, stage: str, measure: str, place: str = IN_RECIPE) -> Effect | None:
    """The effect of `stage` there, if it was measured."""
    keys = (stage, measure, place)
    return next((e for e in ablation.effects if (e.stage, e.measure, e.place) == keys), None)


def cost(ablation: Ablation, stage: str) -> tuple[float, float]:
    """Seconds of preparing, and bytes, that the recipe takes beyond the one without `stage`: medians over the seeds."""
    its = {r.seed: r for r in runs_of(ablation, without(ablation, stage)) if r.status != "failed"}
    pairs = [(r, its[r.seed]) for r in runs_of(ablation, RECIPE) if r.status != "failed" and r.seed in its]
    seconds = [a.prepare_seconds - b.prepare_seconds for a, b in pairs]
    grown = [float(a.prepare_bytes - b.prepare_bytes) for a, b in pairs]
    return middle(seconds), middle(grown)


def middle(values: Iterable[float]) -> float:
    """The median, of infinite numbers as well; NaN of none, NaN aside."""
    known = [v for v in values if not math.isnan(v)]
    return float(median(known)) if known else math.nan


def targets(ablation: Ablation) -> dict[int, float]:
    """The finite target log-losses by seed; seeds may be text, as they are once they were in JSON."""
    given = ablation.settings.get("targets")
    known = {int(k): _number(v) for k, v in given.items()} if isinstance(given, Mapping) else {}
    return {k: v for k, v in known.items() if math.isfinite(v)}


def reached(ablation: Ablation, variant: str) -> Reached:
    """How soon the runs of `variant` reach the target of their seed."""
    goals = targets(ablation)
    runs = [r for r in runs_of(ablation, variant) if r.seed in goals]
    times = [to_target(r, goals[r.seed]) for r in runs]
    steps, seconds = (middle(t[i] if t else math.inf for t in times) for i in (0, 1))
    return Reached(steps, seconds, sum(t is not None for t in times), len(runs))


def entropy(ablation: Ablation) -> float:
    """Log-loss of predicting the shares of the classes, where they are known; else NaN."""
    given = ablation.settings.get("shares", ())
    values = list(map(_number, given.values() if isinstance(given, Mapping) else given))
    if not values or not all(0 <= v <= 1 for v in values):
        return math.nan
    return -sum(v * math.log(v) for v in values if v)


def curve(runs: Sequence[Run]) -> Curve:
    """Of the runs of one variant; without epochs where none has a finite log-loss."""
    finite = [list(itertools.takewhile(math.isfinite, r.log_loss)) for r in runs]
    n = max(map(len, finite), default=0)
    at = [[run[i] for run in finite if i < len(run)] for i in range(n)]
    kept = sorted({round(i * (n - 1) / (SHOWN - 1)) for i in range(SHOWN)}) if n > SHOWN else list(range(n))
    lines = [tuple(f(at[i]) for i in kept) for f in (middle, min, max)]
    ends = [(len(f), f[-1] if f else math.nan) for r, f in zip(runs, finite, strict=True) if r.status == "diverged"]
    return Curve(tuple(i + 1 for i in kept), lines[0], lines[1], lines[2], tuple(ends))


def ended(runs: Sequence[Run]) -> str:
    """How the runs ended: "5 of 5 converged", "1 of 5 converged, 3 diverged, 1 failed".

    Example:
        >>> ended([Run("raw", 0, "diverged"), Run("raw", 1, "converged")]), ended([])
        ('1 of 2 converged, 1 diverged', 'no run')
    """
    if not runs:
        return "no run"
    counts = {s: sum(r.status == s for r in runs) for s in ("converged", "not converged", "diverged", "failed")}
    others = [f"{n} {s}" for s, n in counts.items() if n and s in ("diverged", "failed")]
    return ", ".join([f"{counts['converged']} of {len(runs)} converged", *others])


def by_epoch(runs: Sequence[Run], what: str) -> list[float]:
    """The medians of `gradient_norm` or `dead_relus` before training and behind each of the first epochs."""
    series: list[tuple[float, ...]] = [getattr(r, what) for r in runs]
    return [middle(s[i] for s in series if i < len(s)) for i in range(max(map(len, series), default=0))]


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


# -- numbers as they are read -------------------------------------------------------------------


def level(measure: str, value: float) -> str:
    """A measured value: shares in percent.

    Example:
        >>> level("log_loss", 0.31234), level("minority_recall", 0.5), level("steps_to_target", 1250.0)
        ('0.312', '50 %', '1,250')
    """
    if not math.isfinite(value):
        return "–"
    if measure in SHARES:
        return percent(value)
    if measure == "steps_to_target":
        return number(round(value))
    return f"{value:,.2f}" if measure == "seconds_to_target" else f"{value:.3f}"


def change(measure: str, value: float) -> str:
    """A difference, with its sign: that of shares in points.

    Example:
        >>> change("log_loss", -0.0521), change("minority_recall", 0.034), change("auc", -0.0001)
        ('−0.052', '+3.4 points', '0.000')
    """
    if not math.isfinite(value):
        return "–"
    if measure in SHARES:
        said = signed(100 * value, 1)
        return f"{said} point{'' if said in ('+1.0', '−1.0') else 's'}"
    if measure == "steps_to_target":
        return signed(value, 0)
    return signed(value, 2 if measure == "seconds_to_target" else 3)


def change_with_interval(effect: Effect) -> str:
    """A difference with its interval, if there is one: "−0.052 (−0.061 to −0.043)"."""
    middle = change(effect.measure, effect.difference)
    if not (math.isfinite(effect.low) and math.isfinite(effect.high)):
        return middle
    low, high = (change(effect.measure, v).removesuffix("s").removesuffix(" point") for v in (effect.low, effect.high))
    return f"{middle} ({low} to {high})"


def signed(value: float, digits: int) -> str:
    """With its sign, at most `digits` behind the point; no sign where that is 0.

    Example:
        >>> signed(-0.05, 6), signed(2.0, 1), signed(-0.01, 1)
        ('−0.05', '+2.0', '0.0')
    """
    said = f"{value:+,.{digits}f}" if digits < 6 else f"{value:+.6g}"
    return (said[1:] if not any(c in "123456789" for c in said) else said).replace("-", "−")
