import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from prepkit.ablation.data import ALONE, IN_RECIPE, MEASURES, Effect, Run
from prepkit.ablation.judge import effects, targets, to_target, verdicts

ENTROPY = math.log(2)
STAGES = ("Validate", "Impute", "Clip", "Rescale", "OneHot", "CleanLabels", "Rebalance")
NOTHING: dict = {}


def one(variant, seed, log_loss=0.3, status="converged", **measures):
    """A run of four epochs of 10 batches and 0.5 s that ends at `log_loss`."""
    if status in ("diverged", "failed"):
        return Run(variant, seed, status, error="ValueError: no" if status == "failed" else "", loss=(math.nan,))
    curve = tuple(float(x) for x in np.linspace(0.65, log_loss, 4))
    measures = {"log_loss": log_loss, "balanced_accuracy": 0.8, "minority_recall": 0.6} | measures
    return Run(variant, seed, status, "", curve, curve, 10, (0.5,) * 4, measures=measures, best_epoch=4)


def simulated(rng, shifts, seeds=5, sd=0.02):
    """The recipe and it without each stage, which then is worse by that many `sd`, with the noise of a seed shared."""
    runs = []
    for seed in range(seeds):
        shared = rng.normal(0.0, 0.05)
        for name, shift in {"recipe": 0.0, **{f"without {k}": v for k, v in shifts.items()}}.items():
            noise = rng.normal(0.0, sd / math.sqrt(2), 3)
            log_loss, *others = np.array([0.4, 0.8, 0.6]) + shared + noise + [shift * sd, 0.0, 0.0]
            measures = dict(zip(("balanced_accuracy", "minority_recall"), others, strict=True))
            runs.append(one(name, seed, log_loss, **measures))
    return runs


def in_recipe(stages):
    return [(stage, IN_RECIPE, "recipe", f"without {stage}") for stage in stages]


def judged(runs, stages, **kwargs):
    found = effects(runs, in_recipe(stages), ENTROPY)
    return verdicts(runs, found, stages, kwargs.get("stand_ins", NOTHING), kwargs.get("not_possible", NOTHING))


def of(found, measure, place=IN_RECIPE):
    (effect,) = [e for e in found if (e.measure, e.place) == (measure, place)]
    return effect


def pairs(log_losses, **measures):
    """A run of the recipe and one without A for each pair of log-losses; `measures` likewise."""
    runs = []
    for seed, both in enumerate(log_losses):
        for side, name in enumerate(("recipe", "without A")):
            runs.append(one(name, seed, both[side], **{k: v[seed][side] for k, v in measures.items()}))
    return runs


# Time to the target


def test_the_target_is_nine_tenths_of_the_way_from_the_shares_of_the_classes_to_the_recipe_s_best():
    runs = [
        Run("recipe", 0, "converged", log_loss=(0.6, 0.2, math.nan, 0.4)),
        Run("raw", 0, "converged", log_loss=(0.1,)),
        Run("recipe", 1, "not converged", log_loss=(0.69,)),
        Run("recipe", 2, "diverged", log_loss=(0.3, math.nan)),
    ]
    assert targets(runs, 0.7) == {0: pytest.approx(0.25)}
    assert targets([], 0.7) == {}


def test_time_to_the_target_ends_with_the_first_epoch_that_reaches_it():
    run = Run("raw", 0, "converged", log_loss=(math.nan, 0.5, 0.3, 0.4), steps=7, seconds=(4.0, 1.0, 2.0, 9.0))
    assert to_target(run, 0.5) == (14, 5.0)
    assert to_target(run, 0.49) == (21, 7.0)
    assert to_target(run, 0.29) is None


def test_time_is_compared_for_those_seeds_that_reach_the_target_both_ways():
    runs = pairs([(0.3, 0.3), (0.3, 0.5), (0.3, 0.1), (0.3, 0.3)])
    runs[-2] = replace(runs[-2], status="not converged")  # of the recipe, so its seed has no target
    found = effects(runs, in_recipe(["A"]), ENTROPY)
    steps, seconds = of(found, "steps_to_target"), of(found, "seconds_to_target")
    assert (steps.pairs, steps.with_it, steps.without) == (2, 40.0, 35.0)
    assert (seconds.pairs, seconds.difference) == (2, 0.25)
    assert of(found, "log_loss").pairs == 4
    few = effects(runs[:4], in_recipe(["A"]), ENTROPY)
    assert (of(few, "steps_to_target").pairs, of(few, "steps_to_target").judgement) == (1, "not judged")


# Effects


def test_an_effect_is_paired_by_seed():
    runs = pairs([(0.31, 0.51), (0.22, 0.42), (0.43, 0.63)])
    (effect,) = [
        e for e in effects([*runs, one("recipe", 9, 0.1)], in_recipe(["A"]), ENTROPY) if e.measure == "log_loss"
    ]
    assert (effect.stage, effect.place, effect.pairs) == ("A", IN_RECIPE, 3)
    assert (effect.with_it, effect.without) == (pytest.approx(0.32), pytest.approx(0.52))
    assert (effect.difference, effect.low, effect.high) == (pytest.approx(-0.2),) * 3


def test_each_measure_of_each_comparison_has_one_effect_and_what_no_run_has_is_not_judged():
    comparisons = [*in_recipe(["A"]), ("A", ALONE, "only A", "raw"), ("A", "A: other", "A: other", "recipe")]
    found = effects(pairs([(0.3, 0.4)] * 2), comparisons, ENTROPY)
    assert [(e.place, e.measure) for e in found] == [(c[1], m) for c in comparisons for m in MEASURES]
    auc = of(found, "auc")
    assert (auc.pairs, auc.judgement) == (0, "not judged")
    assert all(map(math.isnan, [auc.with_it, auc.without, auc.difference, auc.low, auc.high, auc.p]))
    assert of(found, "log_loss", ALONE).pairs == 0


def test_runs_that_diverge_or_measures_that_are_not_finite_are_in_no_pair():
    runs = pairs([(0.3, 0.4)] * 4, ece=[(0.1, 0.2), (math.inf, 0.2), (0.1, math.nan), (0.1, 0.2)])
    runs[1] = replace(runs[1], status="diverged")
    found = effects(runs, in_recipe(["A"]), ENTROPY)
    assert (of(found, "log_loss").pairs, of(found, "ece").pairs) == (3, 1)


def test_p_is_corrected_in_four_families():
    rng = np.random.default_rng(3)
    runs = simulated(rng, {"A": 3.0, "B": 1.0})
    runs += [replace(r, variant=f"only {v}") for r in simulated(rng, {}) for v in "AB"]
    runs += [replace(r, variant="A: other") for r in simulated(rng, {})]
    runs += [replace(r, variant="raw") for r in simulated(rng, {})]
    runs = [replace(r, log_loss=()) for r in runs]  # no time to a target
    alone = [(s, ALONE, f"only {s}", "raw") for s in "AB"]
    found = effects(runs, [*in_recipe("AB"), *alone, ("A", "A: other", "A: other", "recipe")], ENTROPY)
    values = {(r.variant, r.seed): r.measures for r in runs}

    def plain(effect):
        with_it, without = {
            IN_RECIPE: ("recipe", f"without {effect.stage}"),
            ALONE: (f"only {effect.stage}", "raw"),
            "A: other": ("A: other", "recipe"),
        }[effect.place]
        m = effect.measure
        return stats.ttest_1samp([values[with_it, s][m] - values[without, s][m] for s in range(5)], 0.0).pvalue

    log_loss = [e for e in found if e.measure == "log_loss"]
    others = [e for e in found if e.measure in ("balanced_accuracy", "minority_recall")]
    families = [
        [e for e in log_loss if e.place == IN_RECIPE],
        [e for e in others if e.place == IN_RECIPE],
        [e for e in log_loss if e.place == "A: other"],
        [*[e for e in log_loss if e.place == ALONE], *[e for e in others if e.place != IN_RECIPE]],
    ]
    for family in families:
        theirs = stats.false_discovery_control([plain(e) for e in family], method="by")
        np.testing.assert_allclose([e.p for e in family], theirs)
    assert [len(f) for f in families] == [2, 4, 1, 8] and sum(e.pairs > 0 for e in found) == 15


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.sampled_from([-10.0, -4.0, 0.0, 4.0, 10.0]))
def test_swapped_sides_turn_the_judgement_and_the_order_of_runs_does_not_matter(seed, shift):
    rng = np.random.default_rng(seed)
    runs = simulated(rng, {"A": shift})
    ours = effects(runs, [("A", ALONE, "recipe", "without A")], ENTROPY)
    shuffled = [runs[i] for i in rng.permutation(len(runs))]
    assert repr(effects(shuffled, [("A", ALONE, "recipe", "without A")], ENTROPY)) == repr(ours)
    turned = effects(runs, [("A", ALONE, "without A", "recipe")], ENTROPY)
    other = {"helps": "hurts", "hurts": "helps"}
    assert [e.judgement for e in turned] == [other.get(e.judgement, e.judgement) for e in ours]
    np.testing.assert_allclose([e.difference for e in turned], [-e.difference for e in ours])


def test_less_is_better_for_log_loss_and_more_for_accuracy():
    shares = [(0.9 + i / 1000, 0.7) for i in range(5)]
    found = effects(pairs([(0.3 + i / 1000, 0.5) for i in range(5)], auc=shares, ece=shares), in_recipe("A"), ENTROPY)
    assert [of(found, m).judgement for m in ("log_loss", "auc", "ece")] == ["helps", "helps", "hurts"]


# Planted truths


def test_stages_that_do_nothing_have_no_clear_effect_in_19_of_20_repeats_and_a_strong_one_is_found():
    rng = np.random.default_rng(0)
    null, strong = Counter(), Counter()
    for _ in range(100):
        null.update(v.judgement for v in judged(simulated(rng, dict.fromkeys(STAGES, 0.0)), STAGES))
        *rest, found = judged(simulated(rng, dict.fromkeys(STAGES, 0.0) | {"Rebalance": 10.0}), STAGES)
        null.update(v.judgement for v in rest)
        strong[found.judgement] += 1
    assert null.total() == 1300 and null["no clear effect"] >= 0.98 * 1300, null  # 0.996 of 2100 others
    assert null["needed to train at all"] == null["not judged"] == 0
    assert strong["helps"] >= 98, strong


def test_a_harmful_stage_hurts():
    rng = np.random.default_rng(1)
    found = Counter(
        judged(simulated(rng, dict.fromkeys(STAGES, 0.0) | {"Clip": -10.0}), STAGES)[2].judgement for _ in range(30)
    )
    assert found["hurts"] >= 29


@pytest.mark.parametrize("status", ["diverged", "not converged"])
def test_a_stage_without_which_nothing_converges_is_needed(status):
    runs = [one("recipe", seed) for seed in range(5)]
    runs += [one("without A", seed, 0.69, status if seed else "converged") for seed in range(5)]
    (found,) = judged(runs, ["A"], stand_ins={"A": ("0 for NaN",)})
    assert (found.judgement, found.stand_ins) == ("needed to train at all", ("0 for NaN",))
    diverged = " (4 diverged)" if status == "diverged" else ""
    assert found.reason == f"with it 5 of 5 seeds converged, without it 1 of 5 seeds converged{diverged}"


def test_a_stage_with_which_nothing_converges_hurts():
    runs = [one("recipe", seed, status="diverged") for seed in range(5)] + [one("without A", s) for s in range(5)]
    (found,) = judged(runs, ["A"])
    assert found.judgement == "hurts"
    assert found.reason == "with it 0 of 5 seeds converged (5 diverged), without it 5 of 5 seeds converged"


def test_where_nothing_is_learned_either_way_nothing_is_judged():
    runs = [
        one(v, seed, 0.69 - (v == "recipe") / 100, "not converged")
        for v in ("recipe", "without A")
        for seed in range(5)
    ]
    (found,) = judged(runs, ["A"])
    assert found.judgement == "not judged"
    assert found.reason.startswith("nothing is learned either way: with it 0 of 5 seeds converged, ")


# Verdicts in words


def test_a_clear_effect_is_told_with_figures_and_time():
    runs = pairs([(0.31 + d, 0.52) for d in (-0.02, -0.01, 0.0, 0.01, 0.02)])
    runs = [replace(r, log_loss=(r.log_loss[-1],) * 4) if r.variant == "recipe" else r for r in runs]
    runs = [replace(r, log_loss=(0.6, 0.5, 0.2)) if r.variant != "recipe" else r for r in runs]
    (found,) = judged(runs, ["A"])
    assert found.judgement == "helps"
    assert found.reason == (
        "log-loss 0.31 with it, 0.52 without: 0.21 less (0.19 to 0.23, 5 seeds); "
        "batches to the target log-loss 10 with it, 30 without: 20 less (20 to 20, 5 seeds)"
    )


def test_the_first_measure_with_a_clear_effect_decides_and_is_named():
    recall = [(0.8 + d, 0.5) for d in (-0.02, -0.01, 0.0, 0.01, 0.02)]
    (found,) = judged(pairs([(0.3, 0.3)] * 5, minority_recall=recall), ["A"])
    assert found.judgement == "helps"
    assert found.reason == (
        "recall of the rarest class 0.80 with it, 0.50 without: 0.30 more (0.28 to 0.32, 5 seeds); "
        "no clear effect on log-loss (0.300 with it, 0.300 without); "
        "no clear effect on balanced accuracy (0.800 with it, 0.800 without)"
    )


def test_measures_that_contradict_each_other_are_both_told():
    recall = [(0.8 + d, 0.5) for d in (-0.02, -0.01, 0.0, 0.01, 0.02)]
    (found,) = judged(pairs([(0.5 + i / 1000, 0.3) for i in range(5)], minority_recall=recall), ["A"])
    assert found.judgement == "hurts"
    assert found.reason.startswith("log-loss 0.50 with it, 0.30 without: 0.20 more (0.20 to 0.20, 5 seeds); ")
    assert "but it helps by another measure: recall of the rarest class 0.80 with it" in found.reason


def test_why_an_effect_is_not_clear_is_told():
    either = "; no clear effect on balanced accuracy or recall of the rarest class either"
    (same,) = judged(pairs([(0.3, 0.3)] * 5), ["A"])
    assert (same.judgement, same.reason) == ("no clear effect", f"log-loss 0.300 with it and without (5 seeds){either}")
    (small,) = judged(pairs([(0.3 + i / 100, 0.302 + i / 100) for i in range(5)]), ["A"])
    assert small.judgement == "no clear effect"
    assert "0.0020 less (0.0020 to 0.0020, 5 seeds), less than the 0.005 that is worth a judgement" in small.reason
    (wide,) = judged(pairs([(0.3, 0.2), (0.3, 0.5), (0.3, 0.4), (0.3, 0.3), (0.3, 0.25)]), ["A"])
    assert wide.reason.startswith(
        "log-loss 0.30 with it, 0.33 without: 0.03 less (from 0.17 less to 0.11 more, 5 seeds);"
    )


def test_an_effect_that_is_clear_only_on_its_own_is_told():
    runs = simulated(np.random.default_rng(0), dict.fromkeys(STAGES, 0.0))
    lone = [replace(r, measures={**r.measures, "log_loss": 0.4 + r.seed / 100}) for r in runs if r.variant == "recipe"]
    rest = [r for r in runs if r.variant not in ("recipe", "without Clip")]
    extra = [one("without Clip", s, 0.43 + s / 100 + d) for s, d in enumerate((-0.02, 0.02, 0.0, 0.01, 0.01))]
    found = judged([*lone, *rest, *extra], STAGES)[2]
    assert found.judgement == "no clear effect"
    assert "which may be chance among so many comparisons (corrected p 0." in found.reason


def test_a_judgement_by_the_seeds_that_did_not_diverge_is_taken_back_where_those_that_did_speak_against_it():
    runs = pairs([(0.3 + i / 1000, 0.5) for i in range(5)])
    assert judged(runs, ["A"])[0].judgement == "helps"
    against = [replace(r, status="diverged") if (r.variant, r.seed) == ("recipe", 4) else r for r in runs]
    (found,) = judged(against, ["A"])
    assert found.judgement == "no clear effect"
    assert found.reason.startswith(
        "more seeds diverged with it than without, and the others say: log-loss 0.30 with it"
    )
    assert found.reason.endswith("with it 4 of 5 seeds converged (1 diverged), without it 5 of 5 seeds converged")
    for_it = [replace(r, status="diverged") if (r.variant, r.seed) == ("without A", 4) else r for r in runs]
    assert judged(for_it, ["A"])[0].judgement == "helps"


def test_one_seed_gives_no_interval():
    (found,) = judged(pairs([(0.31, 0.52)]), ["A"])
    assert found.judgement == "not judged"
    assert found.reason == "one seed gives no interval: log-loss 0.31 with it, 0.52 without: 0.21 less (1 seed)"
    (diverged,) = judged([one("recipe", 0), one("without A", 0, status="diverged")], ["A"])
    assert diverged.judgement == "not judged"
    assert diverged.reason == (
        "one seed gives no interval: log-loss: no seed to compare; "
        "with it 1 of 1 seed converged, without it 0 of 1 seed converged (1 diverged)"
    )


def test_too_few_pairs_of_several_seeds_are_told():
    ends = ["converged", "converged", "converged", "diverged", "diverged"]
    runs = [one("recipe", s, status=e) for s, e in enumerate(ends)]
    runs += [one("without A", s, status=e) for s, e in enumerate(ends[::-1])]
    (found,) = judged(runs, ["A"])
    assert found.judgement == "not judged"
    assert found.reason.startswith("1 seed to compare: log-loss 0.300 with it")


def test_failed_runs_and_what_could_not_be_had_are_told_and_count_for_nothing():
    runs = [one("recipe", s) for s in range(5)] + [one("without A", s, status="failed") for s in range(5)]
    (found,) = judged(runs, ["A"])
    assert (found.judgement, found.reason) == ("not judged", "without it 5 runs failed: ValueError: no")
    two = [*runs[:5], *(one("without A", s, status="diverged" if s < 2 else "failed") for s in range(5))]
    assert judged(two, ["A"])[0].judgement == "needed to train at all"
    (not_had,) = judged(runs[:5], ["A"], not_possible={"A": "OneHot reads what it makes"})
    assert (not_had.judgement, not_had.reason) == (
        "not judged",
        "the recipe cannot be had without it: OneHot reads what it makes",
    )
    assert judged(runs[:5], ["A"])[0].judgement == "not judged"  # no run at all, and no reason


def test_verdicts_are_in_the_order_of_the_stages():
    runs = simulated(np.random.default_rng(5), dict.fromkeys(STAGES, 0.0))
    found = effects(runs, in_recipe(STAGES), ENTROPY)
    ours = verdicts(runs, found, STAGES[::-1], NOTHING, NOTHING)
    assert [v.stage for v in ours] == list(STAGES[::-1])
    alone = [Effect("A", "log_loss", ALONE, 0.3, 0.5, -0.2, -0.3, -0.1, 0.001, 5, "helps")]
    both = pairs([(0.3, 0.5)] * 5)
    assert verdicts(both, alone, ["A"], NOTHING, NOTHING)[0].reason == "it was not compared"
