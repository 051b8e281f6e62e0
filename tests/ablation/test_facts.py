"""What is said of an ablation: counts, means, curves."""

from __future__ import annotations

import dataclasses
import math

import pytest

from prepkit.ablation.data import RECIPE, Ablation, Judgement, Run, Variant, Verdict
from prepkit.ablation.facts import (
    SHOWN,
    by_epoch,
    change_with_interval,
    cost,
    curve,
    effect_of,
    entropy,
    in_order,
    lead,
    mean,
    reached,
    runs_of,
    targets,
)
from tests.ablation.ablations import NAN, SHARES, ablation, effect

INF = math.inf


def of(*runs: Run, **settings: object) -> Ablation:
    return Ablation((), runs, (), (), {}, "", settings)


def judged(*judgements: Judgement) -> Ablation:
    return Ablation((), (), (), tuple(Verdict(f"S{i}", j, "") for i, j in enumerate(judgements)), {}, "", {})


@pytest.mark.parametrize(
    "judgements, said",
    [
        ((), "No stage was compared."),
        (("helps",), "S0 helps."),
        (("hurts",), "S0 hurts: leave it out."),
        (("no clear effect",), "S0 has no clear effect."),
        (("not judged",) * 3, "None of 3 stages could be judged."),
        (("helps",) * 4 + ("hurts", "no clear effect"),
         "4 of 6 stages help, 1 has no clear effect, 1 hurts: leave S4 out."),
        (("needed to train at all", "helps"), "1 of 2 stages helps, 1 is needed to train at all."),
        (("no clear effect",) * 2, "None of 2 stages clearly helps, 2 have no clear effect."),
        (("hurts",) * 5, "None of 5 stages clearly helps, 5 hurt: leave S0, S1, S2 and 2 more out."),
        (("not judged", "helps"), "1 of 2 stages helps, 1 could not be judged."),
    ],
)  # fmt: skip
def test_the_first_sentence(judgements, said):
    assert lead(judged(*judgements)) == said


def test_curves_are_the_median_and_the_range_of_the_runs_that_go_on():
    runs = [
        Run("raw", 0, "converged", log_loss=(0.9, 0.5, 0.3)),
        Run("raw", 1, "converged", log_loss=(0.7, 0.4, 0.2)),
        Run("raw", 2, "diverged", log_loss=(0.8, 0.6, NAN, 0.1)),  # what comes behind NaN counts for nothing
        Run("raw", 3, "diverged", log_loss=(INF,)),
        Run("raw", 4, "failed"),
    ]
    found = curve(runs)
    assert found.epochs == (1, 2, 3)
    assert found.middle == (0.8, 0.5, 0.25) and found.low == (0.7, 0.4, 0.2) and found.high == (0.9, 0.6, 0.3)
    assert found.ends[0] == (2, 0.6) and found.ends[1][0] == 0 and math.isnan(found.ends[1][1])
    assert curve([]).epochs == ()


def test_long_curves_are_thinned_out_to_their_ends():
    found = curve([Run("raw", 0, "converged", log_loss=tuple(float(i) for i in range(1000)))])
    assert len(found.epochs) == SHOWN == len(found.middle)
    assert (found.epochs[0], found.epochs[-1]) == (1, 1000) and found.middle[-1] == 999.0


def test_runs_that_do_not_reach_the_target_count_as_never():
    goals = {str(i): 0.5 for i in range(3)}  # as JSON has them
    fast = Run("a", 0, "converged", log_loss=(0.9, 0.4), steps=10, seconds=(1.0, 2.0))
    slow = dataclasses.replace(fast, seed=1, log_loss=(0.9, 0.8), variant="a")
    found = reached(of(fast, slow, targets=goals), "a")
    assert (found.steps, found.seconds, found.runs, found.of) == (INF, INF, 1, 2)
    found = reached(of(fast, dataclasses.replace(fast, seed=1), dataclasses.replace(slow, seed=2), targets=goals), "a")
    assert (found.steps, found.seconds, found.runs, found.of) == (20.0, 3.0, 2, 3)
    assert reached(of(fast, targets={}), "a").of == 0


def test_targets_that_are_no_numbers_are_none():
    assert targets(of(targets={"0": NAN, "1": None, 2: 0.25})) == {2: 0.25}
    assert targets(of()) == {} == targets(of(targets=None))


def test_the_log_loss_of_the_shares_of_the_classes():
    by_hand = -sum(p * math.log(p) for p in SHARES)
    assert entropy(of(shares=list(SHARES))) == pytest.approx(by_hand)
    assert entropy(of(shares=dict(zip("abc", SHARES, strict=True)))) == pytest.approx(by_hand)
    assert entropy(of(shares=[0.0, 1.0])) == 0.0
    assert math.isnan(entropy(of())) and math.isnan(entropy(of(shares=[NAN, 0.5])))


def test_costs_are_paired_by_seed():
    runs = [
        Run(RECIPE, seed, "converged", prepare_seconds=1.0 + seed, prepare_bytes=5 * 10**6) for seed in range(3)
    ] + [
        Run("without A", 2, "converged", prepare_seconds=2.5, prepare_bytes=10**6),
        Run("without A", 0, "diverged", prepare_seconds=0.75, prepare_bytes=10**6),
        Run("without A", 1, "failed"),
    ]
    assert cost(of(*runs), "A") == (0.375, 4e6)  # 0.5 and 0.25
    assert all(map(math.isnan, cost(of(*runs), "B")))


def test_a_variant_that_is_another_one_has_its_runs():
    runs = (Run("raw", 1, "converged"), Run("raw", 0, "diverged"), Run(RECIPE, 0, "converged"))
    assert [r.seed for r in runs_of(of(*runs, equal={"without A": "raw"}), "without A")] == [0, 1]
    assert runs_of(of(*runs), "without A") == []


def test_means_are_of_those_that_have_a_number():
    runs = [Run("a", 0, "converged", measures={"auc": 0.5}), Run("a", 1, "converged", measures={"auc": NAN})]
    assert mean([*runs, Run("a", 2, "diverged")], "auc") == (0.5, 1)
    assert math.isnan(mean([], "auc")[0])


def test_medians_by_epoch_of_series_of_any_length():
    runs = [Run("a", i, "converged", gradient_norm=g) for i, g in enumerate([(1.0, 4.0), (3.0,), (NAN, 2.0), ()])]
    assert by_epoch(runs, "gradient_norm") == [2.0, 3.0]
    assert by_epoch([], "dead_relus") == []


def test_the_order_of_variants():
    made = ablation(("A", "B"), 1, alternatives=("A: x",))
    names = ["recipe", "raw", "without A", "without B", "only A", "only B", "A: x"]
    assert [v.name for v in in_order(made)] == names
    assert [v.name for v in in_order(dataclasses.replace(made, variants=made.variants[::-1]))][:2] == names[:2]
    assert isinstance(in_order(made)[0], Variant)


def test_effects_are_found_by_their_place():
    made = ablation(("Rescale",), 2, alternatives=("Rescale: x",))
    for place in ("in the recipe", "alone", "Rescale: x"):
        assert effect_of(made, "Rescale", "ece", place).place == place
    assert effect_of(made, "Clip", "ece") is None


def test_differences_with_their_interval():
    assert change_with_interval(effect("A", "log_loss", "alone", -0.05, "helps")) == "−0.050 (−0.056 to −0.044)"
    assert change_with_interval(effect("A", "minority_recall", "alone", 0.05, "helps")) == "+5.0 points (+4.4 to +5.6)"
    assert change_with_interval(effect("A", "log_loss", "alone", -0.05, "not judged", pairs=1)) == "−0.050"
    assert change_with_interval(effect("A", "log_loss", "alone", NAN, "not judged")) == "–"
