"""What follows from the training runs of an ablation: effects, each with an interval and a test, and verdicts."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from prepkit.ablation.data import ALONE, IN_RECIPE, MEASURES, RECIPE, Effect, Judgement, Run, Verdict
from prepkit.ablation.paired import FEWEST, LEVEL, interval, p_value
from prepkit.ablation.words import NAMES, briefly, figures
from prepkit.report.words import plural, short

WITHOUT = "without {}"  # the name of the variant that leaves a stage out
WAY = 0.9  # of the recipe's way from the entropy to its best log-loss: behind it, curves are flat and times chance
# Shares of seeds. Of two trainings that converge every other time, 5 seeds give the one 4 or more and the other 1 or
# fewer with a chance of 0.035.
MOST, FEW = 0.8, 0.2
DECIDING = ("log_loss", "balanced_accuracy", "minority_recall")  # a verdict is by the first that has a clear effect
CLEAR: Collection[Judgement] = ("helps", "hurts")


def targets(runs: Iterable[Run], entropy: float) -> dict[int, float]:
    """The validation log-loss to reach, by seed: 90 % of the recipe's way from `entropy` to its best.

    Args:
        runs: of all variants, in any order.
        entropy: log-loss of predicting the shares of the classes, natural logarithm.

    Returns:
        Nothing for seeds with which the recipe does not converge.

    Example:
        >>> targets([Run("recipe", 0, "converged", log_loss=(0.5, 0.3, 0.4))], entropy=0.7)
        {0: 0.34}
    """
    return {
        run.seed: entropy - WAY * (entropy - best)
        for run in runs
        if run.variant == RECIPE
        and run.status == "converged"
        and (best := min(filter(math.isfinite, run.log_loss), default=math.inf)) < entropy
    }


def to_target(run: Run, target: float) -> tuple[int, float] | None:
    """Batches and seconds of training up to the end of the first epoch with a log-loss of at most `target`.

    Returns:
        None where it is not reached, as where the log-loss is NaN.

    Example:
        >>> run = Run("raw", 0, "converged", log_loss=(0.5, 0.3, 0.2), steps=10, seconds=(1.0, 0.5, 0.5))
        >>> to_target(run, 0.3), to_target(run, 0.1)
        ((20, 1.5), None)
    """
    for epoch, log_loss in enumerate(run.log_loss, start=1):
        if log_loss <= target:
            return epoch * run.steps, sum(run.seconds[:epoch])
    return None


def effects(
    runs: Iterable[Run], comparisons: Iterable[tuple[str, str, str, str]], entropy: float, seed: int = 0
) -> tuple[Effect, ...]:
    """What each stage does to each of `MEASURES`, paired by seed.

    Runs that diverge or fail have no measures and are in no pair: `verdicts` counts them. Time to the target is
    compared for those seeds only with which both sides reach it; `pairs` says how many.

    An effect "helps" or "hurts" if its corrected p is below 0.05, its size at least the least of its measure, and its
    interval without 0. The correction is that of Benjamini and Yekutieli (2001, doi:10.1214/aos/1013699998), which
    holds however the tests depend on each other, and is made in each of four families, a question each: log-loss in
    the recipe; balanced accuracy and minority recall there; log-loss of the alternatives; all else, which no verdict is
    by. So of what is claimed in a family, at most 5 % is expected to be chance; of a whole table it may be more.

    Chance that a clear effect on log-loss in the recipe is found, by simulation with 5 seeds, 7 stages and one that
    does something, for effects of 2, 3, 5, 10 standard deviations of the differences: 0.27, 0.6, 0.97, 1.0; with all
    98 tests in one family it would be 0.01, 0.05, 0.27, 0.9.

    Args:
        runs: at most one of a variant and seed, in any order.
        comparisons: stage, place, name of the variant with it, name of the variant without it.
        entropy: log-loss of predicting the shares of the classes, natural logarithm.
        seed: of the bootstrap.

    Returns:
        For each comparison in turn, one of each measure; NaN and "not judged" where pairs are too few.
    """
    runs = tuple(runs)
    goals = targets(runs, entropy)
    values: dict[str, dict[int, Mapping[str, float]]] = {}
    for run in sorted(runs, key=lambda r: r.seed):
        values.setdefault(run.variant, {})[run.seed] = _values(run, goals.get(run.seed))
    found = [
        _effect((stage, measure, place), values.get(with_it, {}), values.get(without, {}), seed)
        for stage, place, with_it, without in comparisons
        for measure in MEASURES
    ]
    return tuple(_judged(effect, p) for effect, p in zip(found, _corrected(found), strict=True))


def _values(run: Run, target: float | None) -> Mapping[str, float]:
    """Finite measures of a run."""
    if run.status not in ("converged", "not converged"):
        return {}
    values = {name: float(v) for name, v in run.measures.items() if name in MEASURES and math.isfinite(v)}
    reached = None if target is None else to_target(run, target)
    if reached is not None:
        values["steps_to_target"], values["seconds_to_target"] = map(float, reached)
    return values


def _effect(
    key: tuple[str, str, str],
    with_it: Mapping[int, Mapping[str, float]],
    without: Mapping[int, Mapping[str, float]],
    seed: int,
) -> Effect:
    """With p as it is before the correction."""
    stage, measure, place = key
    pairs = [
        (values[measure], without[s][measure])
        for s, values in with_it.items()
        if measure in values and measure in without.get(s, {})
    ]
    differences = [a - b for a, b in pairs]
    means = np.mean(pairs, axis=0).tolist() if pairs else [math.nan, math.nan]
    mean = float(np.mean(differences)) if pairs else math.nan
    low, high = interval(differences, seed)
    p = p_value(differences)
    return Effect(stage, measure, place, means[0], means[1], mean, low, high, p, len(pairs), "not judged")


def _corrected(found: Sequence[Effect]) -> list[float]:
    from scipy.stats import false_discovery_control  # it takes a second to import

    families: dict[int, list[int]] = {}
    for i, effect in enumerate(found):
        if not math.isnan(effect.p):
            families.setdefault(_family(effect), []).append(i)
    p = [effect.p for effect in found]
    for places in families.values():
        adjusted = false_discovery_control([p[i] for i in places], method="by")
        for i, value in zip(places, adjusted.tolist(), strict=True):
            p[i] = value
    return p


def _family(effect: Effect) -> int:
    """See `effects`."""
    if effect.place == IN_RECIPE and effect.measure in DECIDING:
        return 0 if effect.measure == DECIDING[0] else 1
    return 2 if effect.measure == DECIDING[0] and effect.place not in (IN_RECIPE, ALONE) else 3


def _judged(effect: Effect, p: float) -> Effect:
    if effect.pairs < FEWEST:
        return effect
    better, least = MEASURES[effect.measure]
    judgement: Judgement = "no clear effect"
    if p < LEVEL and abs(effect.difference) >= least and (effect.low > 0 or effect.high < 0):
        judgement = "helps" if (effect.difference < 0) == (better == "less") else "hurts"
    return replace(effect, p=p, judgement=judgement)


@dataclass(frozen=True)
class _Outcomes:
    """How the runs of a variant ended; `ran`: those that did not fail."""

    ran: int
    converged: int
    diverged: int
    errors: tuple[str, ...]

    @classmethod
    def of(cls, runs: Iterable[Run], variant: str) -> _Outcomes:
        its = [run for run in runs if run.variant == variant]
        ends = [run.status for run in its]
        errors = tuple(run.error for run in sorted(its, key=lambda r: r.seed) if run.status == "failed")
        return cls(len(its) - len(errors), ends.count("converged"), ends.count("diverged"), errors)

    @property
    def most(self) -> bool:
        return self.converged >= MOST * self.ran

    @property
    def few(self) -> bool:
        return self.converged <= FEW * self.ran

    def __str__(self) -> str:
        diverged = f" ({self.diverged} diverged)" if self.diverged else ""
        return f"{self.converged} of {plural(self.ran, 'seed')} converged{diverged}"


def verdicts(
    runs: Iterable[Run],
    effects: Iterable[Effect],
    stages: Iterable[str],
    stand_ins: Mapping[str, tuple[str, ...]],
    not_possible: Mapping[str, str],
) -> tuple[Verdict, ...]:
    """What follows for each stage, from the recipe with and without it.

    "needed to train at all": at least 4 in 5 seeds converge with it, and at most 1 in 5 without. The other way round,
    it "hurts". Where nothing is learned either way, runs failed, or fewer than 2 seeds can be compared: "not judged".
    Else it is the judgement of the first of log-loss, balanced accuracy and minority recall that has a clear effect,
    and the reason says where another contradicts it. A judgement that holds only for the seeds that did not diverge,
    while more diverged on the side that it favours, is taken back to "no clear effect".

    Args:
        runs: of the variants "recipe" and "without ...", others aside; runs that failed count for nothing.
        effects: as `effects` gives them.
        stages: their names, in the order of the recipe.
        stand_ins: by stage, what stands in for it, in words.
        not_possible: by stage, why the recipe without it could not be had, in words.
    """
    runs = tuple(runs)
    recipe = _Outcomes.of(runs, RECIPE)
    its: dict[str, dict[str, Effect]] = {}
    for effect in effects:
        if effect.place == IN_RECIPE:
            its.setdefault(effect.stage, {})[effect.measure] = effect
    made = []
    for stage in stages:
        without = _Outcomes.of(runs, WITHOUT.format(stage))
        found = _by_training(recipe, without) or _by_measures(its.get(stage, {}), recipe, without)
        if stage in not_possible:
            found = "not judged", f"the recipe cannot be had without it: {not_possible[stage]}"
        made.append(Verdict(stage, *found, tuple(stand_ins.get(stage, ()))))
    return tuple(made)


def _by_training(recipe: _Outcomes, without: _Outcomes) -> tuple[Judgement, str] | None:
    """None where it does not decide."""
    for outcomes, which in ((recipe, "with it"), (without, "without it")):
        if not outcomes.ran:
            failed = f"{plural(len(outcomes.errors), 'run')} failed: " if outcomes.errors else "no run"
            return "not judged", f"{which} {failed}{short(outcomes.errors[0], 200) if outcomes.errors else ''}"
    if min(recipe.ran, without.ran) < FEWEST:
        return None
    told = _told(recipe, without)
    if recipe.most and without.few:
        return "needed to train at all", told
    if recipe.few and without.most:
        return "hurts", told
    if recipe.few and without.few:
        return "not judged", f"nothing is learned either way: {told}"
    return None


def _told(recipe: _Outcomes, without: _Outcomes) -> str:
    return f"with it {recipe}, without it {without}"


def _by_measures(effects: Mapping[str, Effect], recipe: _Outcomes, without: _Outcomes) -> tuple[Judgement, str]:
    deciding = [effects[measure] for measure in DECIDING if measure in effects]
    if not deciding:
        return "not judged", "it was not compared"
    all_converged = recipe.converged == recipe.ran and without.converged == without.ran
    told = [] if all_converged else [_told(recipe, without)]
    if all(effect.pairs < FEWEST for effect in deciding):
        one = min(recipe.ran, without.ran) < FEWEST
        why = "one seed gives no interval" if one else f"{plural(deciding[0].pairs, 'seed')} to compare"
        return "not judged", "; ".join([f"{why}: {figures(deciding[0])}", *told])
    clear = [effect for effect in deciding if effect.judgement in CLEAR]
    if not clear:
        return "no clear effect", "; ".join([*_unclear(deciding), *told])
    first, *others = clear
    words = [figures(first), *(briefly(e) for e in deciding[: deciding.index(first)])]
    words += [
        f"but it {e.judgement} by another measure: {figures(e)}" for e in others if e.judgement != first.judgement
    ]
    steps = effects.get("steps_to_target")
    if steps and steps.judgement in CLEAR:
        words.append(figures(steps))
    worse = _share_diverged(recipe) - _share_diverged(without)
    if worse and (worse > 0) == (first.judgement == "helps"):
        more, less = ("with", "without") if worse > 0 else ("without", "with")
        words[0] = f"more seeds diverged {more} it than {less}, and the others say: {words[0]}"
        return "no clear effect", "; ".join([*words, *told])
    return first.judgement, "; ".join([*words, *told])


def _share_diverged(outcomes: _Outcomes) -> float:
    return outcomes.diverged / outcomes.ran


def _unclear(deciding: Sequence[Effect]) -> list[str]:
    """Figures of log-loss, why they are not clear if they seem to be, and the other measures."""
    first, *others = deciding
    words = figures(first)
    if first.p < LEVEL and abs(first.difference) < MEASURES[first.measure][1]:
        words += f", less than the {MEASURES[first.measure][1]:g} that is worth a judgement"
    elif first.low > 0 or first.high < 0:
        words += f", which may be chance among so many comparisons (corrected p {first.p:.2f})"
    names = [NAMES[e.measure] for e in others if e.judgement == "no clear effect"]
    return [words, f"no clear effect on {' or '.join(names)} either"] if names else [words]
