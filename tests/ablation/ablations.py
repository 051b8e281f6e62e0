"""What an ablation may have found, made by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from prepkit.ablation.data import (
    ALONE,
    IN_RECIPE,
    MEASURES,
    RAW,
    RECIPE,
    Ablation,
    Effect,
    Judgement,
    Run,
    Status,
    Variant,
    Verdict,
)

HOSTILE = "<script>alert('x')</script>\"[red]\x00\x1b"
NAN = math.nan
STAGES = ("Validate", "Impute", "Clip", "Rescale", "OneHot", "CleanLabels", "Rebalance")
# What each does to the log-loss of the recipe; more is worse. Without Impute, nothing is finite.
EFFECTS = dict(zip(STAGES, (0.0004, -math.inf, 0.021, -0.118, -0.034, -0.0071, 0.001), strict=True))
REASONS = {
    "Validate": "",
    "Impute": "7 columns have missing cells, up to 31 %",
    "Clip": "hours: the largest value is 41 times the 99 % quantile",
    "Rescale": "scales differ by a factor of 70,000",
    "OneHot": "8 columns of words",
    "CleanLabels": "4.1 % of the labels are doubted",
    "Rebalance": "the rarest class has 3.2 % of the rows",
}
BASE, SHARES, STEPS = 0.312, (0.76, 0.208, 0.032), 79
SETTINGS: dict[str, Any] = {
    "label": "income",
    "class_names": ["under 50,000", "50,000 and more", "not said"],
    "shares": list(SHARES),
    "rows": 32561,
    "seeds": [0, 1, 2, 3, 4],
    "epochs": 20,
    "batch_size": 256,
    "model": "two layers of 128 ReLU units, Adam 0.001",
    "versions": {"prepkit": "0.1.0", "tensorflow": "2.21.0", "keras": "3.15.1", "numpy": "2.3.1"},
    "machine": "2 cores, x86_64, Linux",
    "seconds": 412.7,
    "command": "prepkit ablate adult.csv --label income --seeds 5",
}


def run(variant: str, seed: int, level: float, epochs: int = 20, speed: float = 0.35, status: Status = "") -> Run:  # type: ignore[assignment]
    """A training whose log-loss falls to `level`; one that diverges does so between epochs 1 and 6."""
    rng = np.random.default_rng([seed, *variant.encode()])
    start = 1.0 + 0.05 * rng.normal()
    bend = level + (start - level) * np.exp(-speed * np.arange(1, epochs + 1)) + 0.002 * rng.normal(size=epochs)
    status = status or ("converged" if level < 0.6 else "not converged")
    if status == "failed":
        return Run(variant, seed, "failed", f"stage 2 of 6: OneHot: {HOSTILE}")
    if status == "diverged":
        ends = int(rng.integers(1, 7))
        bend[ends - 1 :] = np.nan
        bend = bend[:ends]
    best = int(np.nanargmin(bend)) + 1 if np.isfinite(bend).any() else 0
    recall, noise = 0.9 - level, 0.004 * rng.normal()
    scores = {
        "log_loss": level + noise,
        "balanced_accuracy": 0.95 - 0.6 * level + noise,
        "auc": 0.97 - 0.3 * level,
        "minority_recall": recall + 2 * noise,
        "ece": 0.02 + 0.1 * level,
        "final_log_loss": level + 0.01,
    }
    return Run(
        variant,
        seed,
        status,
        loss=tuple((bend - 0.01).tolist()),
        log_loss=tuple(bend.tolist()),
        steps=STEPS,
        seconds=tuple((0.2 + 0.02 * rng.random(len(bend))).tolist()),
        gradient_norm=tuple((10 ** (level * 4 - 1 - 0.4 * np.arange(4))).tolist()),
        dead_relus=tuple((0.1 * level * np.arange(1, 5)).tolist()),
        measures={} if status == "diverged" else scores,
        best_epoch=best,
        prepare_seconds=0.4 + 0.01 * len(variant) + 0.02 * rng.random(),
        prepare_bytes=int(3e6 * len(variant)),
    )


def effect(
    stage: str,
    measure: str,
    place: str,
    difference: float,
    judgement: Judgement,
    *,
    without: float = 0.35,
    pairs: int = 5,
    half: float = 0.006,
) -> Effect:
    """An effect with an interval of `half` to each side; without one of a single pair."""
    half = half if pairs > 1 else NAN
    p = 0.004 if pairs > 1 else NAN
    low, high = difference - half, difference + half
    return Effect(stage, measure, place, without + difference, without, difference, low, high, p, pairs, judgement)


def judged(difference: float, pairs: int = 5) -> Judgement:
    if pairs < 2 or math.isnan(difference):
        return "not judged"
    if math.isinf(difference):
        return "needed to train at all"
    return "no clear effect" if abs(difference) < 0.0065 else "helps" if difference < 0 else "hurts"


def effects_of(stage: str, place: str, difference: float, pairs: int) -> list[Effect]:
    """One of each measure; there are no numbers where the variant without `stage` diverges."""
    slope = {"log_loss": 1.0, "balanced_accuracy": -0.6, "auc": -0.3, "minority_recall": -1.0, "ece": 0.1}
    out = []
    for measure in MEASURES:
        d = slope.get(measure, 800.0) * difference
        judgement = judged(difference, pairs)
        if math.isinf(d):
            out.append(Effect(stage, measure, place, 0.3, NAN, NAN, NAN, NAN, NAN, 0, "not judged"))
        else:
            start = BASE - difference if measure == "log_loss" else 0.7 if measure in slope else 600.0
            half = 0.006 if measure in slope else 40.0
            out.append(effect(stage, measure, place, d, judgement, without=start, pairs=pairs, half=half))
    return out


def ablation(stages: Sequence[str] = STAGES, seeds: int = 5, alternatives: Sequence[str] = (), **more: Any) -> Ablation:
    """A recipe of `stages`, which do what `EFFECTS` says, those that are not in it nothing; `more` are other fields."""
    does = {s: EFFECTS.get(s, 0.0) for s in stages}
    variants = [Variant(RAW, "raw", "", (), "", ("categories as numbers 0, 1, ...: job",))]
    variants.append(Variant(RECIPE, "recipe", "", tuple(stages), ""))
    for s in stages:
        stand_ins = ("categories as numbers 0, 1, ...: job, city",) if s == "OneHot" else ()
        variants.append(Variant(f"without {s}", "without", s, (), RECIPE, stand_ins))
    variants += [Variant(f"only {s}", "only", s, (s,), RAW) for s in stages]
    variants += [Variant(name, "alternative", name.split(":")[0], (), RECIPE) for name in alternatives]
    runs, effects = [], []
    for seed in range(seeds):
        runs += [run(RAW, seed, 0.59, speed=0.1), run(RECIPE, seed, BASE)]
        for s, d in does.items():
            status: Status = "diverged" if math.isinf(d) else ""  # type: ignore[assignment]
            runs.append(run(f"without {s}", seed, BASE if math.isinf(d) else BASE - d, speed=0.3, status=status))
            runs.append(run(f"only {s}", seed, 0.59 + max(d, -0.1), speed=0.12))
        runs += [run(name, seed, BASE + 0.02 * (i - 0.5)) for i, name in enumerate(alternatives)]
    for s, d in does.items():
        effects += effects_of(s, IN_RECIPE, d, seeds) + effects_of(s, ALONE, max(d, -0.1), seeds)
    for i, name in enumerate(alternatives):
        effects += effects_of(name.split(":")[0], name, 0.02 * (i - 0.5), seeds)
    verdicts = [
        Verdict(
            s,
            judged(d, seeds),
            f"the reason of {s}, in figures: log-loss 0.312 with it, 0.430 without: 0.118 less (0.112 to 0.124)",
            ("categories as numbers 0, 1, ...: job, city",) if s == "OneHot" else (),
        )
        for s, d in does.items()
    ]
    facts = {
        "variants": tuple(variants),
        "runs": tuple(runs),
        "effects": tuple(effects),
        "verdicts": tuple(verdicts),
        "reasons": {s: REASONS.get(s, "") for s in stages},
        "recipe": "Pipeline([\n" + "".join(f"    {s}(),\n" for s in stages) + "])",
        "settings": SETTINGS | {"targets": {s: 0.36 + 0.001 * s for s in range(seeds)}},
        "notes": ("One dataset: another may say otherwise.",),
    }
    return Ablation(**facts | more)  # type: ignore[arg-type]
