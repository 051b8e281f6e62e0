"""What is compared, what each training run has given, and what follows, as plain data."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas

Role = Literal["raw", "recipe", "without", "only", "alternative"]
Status = Literal["converged", "not converged", "diverged", "failed"]
Judgement = Literal["helps", "no clear effect", "hurts", "needed to train at all", "not judged"]

RAW, RECIPE = "raw", "recipe"  # names of the two variants that are always there
IN_RECIPE, ALONE = "in the recipe", "alone"  # places of effects; an alternative's is its name
# Of a stage in the recipe, in the order of tables. Which of two numbers is the better one; the least difference, in the
# measure's own unit, that is worth a judgement.
MEASURES: Mapping[str, tuple[Literal["less", "more"], float]] = {
    "log_loss": ("less", 0.005),
    "balanced_accuracy": ("more", 0.005),
    "auc": ("more", 0.005),
    "minority_recall": ("more", 0.02),
    "ece": ("less", 0.005),
    "steps_to_target": ("less", 1.0),
    "seconds_to_target": ("less", 0.0),
}
CONVERGED = 0.98  # of the log-loss of predicting the shares of the classes: above, nothing was learned


@dataclass(frozen=True)
class Variant:
    """One way to prepare the data.

    Args:
        name: "raw", "recipe", "without Rescale", "only Rescale", "Rescale: standard", unique.
        role: what it is for.
        stage: the name of the stage that it tells of, as in `Ablation.stages`; "" for "raw" and "recipe".
        stages: of its recipe, in order.
        against: the name of the variant that it is compared with; "" for none.
        stand_ins: what stands in its recipe only so that Keras can start, in words; empty for nothing.
    """

    name: str
    role: Role
    stage: str
    stages: tuple[Any, ...]
    against: str
    stand_ins: tuple[str, ...] = ()


@dataclass(frozen=True)
class Run:
    """One training of one variant.

    Args:
        variant: its name.
        seed: of the split, the initial weights and the order of rows.
        status: "converged": the loss stays finite and the best validation log-loss is below `CONVERGED` times that of
            predicting the shares of the classes; "diverged": a loss that is not finite; "failed": it could not be run.
        error: why it failed; "" else.
        loss: of training, by epoch, as Keras reports it.
        log_loss: on the validation rows, by epoch, of probabilities corrected for the prior; natural logarithm.
        steps: batches an epoch.
        seconds: of training, by epoch, validation aside.
        gradient_norm: of the loss on the same training rows before training and behind each of the first epochs.
        dead_relus: share of units behind a ReLU that give 0 for all of these rows, likewise; empty without such.
        measures: on the test rows, at the epoch of the least validation log-loss: "log_loss", "balanced_accuracy",
            "auc" (macro, one class against the rest), "minority_recall", "ece", and "final_log_loss" at the last epoch.
            What cannot be computed is not there.
        best_epoch: from 1; 0 where no epoch was finite.
        prepare_seconds: of fitting and preparing.
        prepare_bytes: growth of the memory in use meanwhile; 0 where none was seen.
    """

    variant: str
    seed: int
    status: Status
    error: str = ""
    loss: tuple[float, ...] = ()
    log_loss: tuple[float, ...] = ()
    steps: int = 0
    seconds: tuple[float, ...] = ()
    gradient_norm: tuple[float, ...] = ()
    dead_relus: tuple[float, ...] = ()
    measures: Mapping[str, float] = field(default_factory=dict)
    best_epoch: int = 0
    prepare_seconds: float = 0.0
    prepare_bytes: int = 0


@dataclass(frozen=True)
class Effect:
    """What a stage does to one measure: with it less without it, paired by seed.

    Args:
        stage: its name.
        measure: see `MEASURES`.
        place: "in the recipe" (the recipe less the recipe without it), "alone" (it alone less raw), or the name of an
            alternative (that less the recipe).
        with_it: mean over the seeds.
        without: likewise.
        difference: mean of the paired differences, in the measure's unit.
        low: of its 95 % bootstrap interval; NaN of fewer than two pairs.
        high: likewise.
        p: of a paired test, corrected for all tests of the same question, see `effects`; NaN of fewer than two pairs.
        pairs: how many.
        judgement: what follows.
    """

    stage: str
    measure: str
    place: str
    with_it: float
    without: float
    difference: float
    low: float
    high: float
    p: float
    pairs: int
    judgement: Judgement


@dataclass(frozen=True)
class Verdict:
    """What follows for a stage.

    Args:
        stage: its name.
        judgement: by the first of log-loss, balanced accuracy and recall of the rarest class that has a clear effect in
            the recipe, but "needed to train at all" where the recipe without it does not converge.
        reason: in words, with the figures.
        stand_ins: of the variant without it.
    """

    stage: str
    judgement: Judgement
    reason: str
    stand_ins: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ablation:
    """A recipe with and without each of its stages, measured: what `prepkit.ablate` returns.

    Args:
        variants: what was compared.
        runs: each variant with each seed.
        effects: of each stage on each measure, in the recipe, alone, and of alternatives.
        verdicts: one a stage, in the order of the recipe.
        reasons: by stage, why it is in the recipe; "" where nobody said.
        recipe: as printed.
        settings: with what it was measured: label, class names and their shares, rows, seeds, epochs, batch size,
            model, versions, machine, seconds in all; plain data.
        notes: what limits what it says, in words.
    """

    variants: tuple[Variant, ...]
    runs: tuple[Run, ...]
    effects: tuple[Effect, ...]
    verdicts: tuple[Verdict, ...]
    reasons: Mapping[str, str]
    recipe: str
    settings: Mapping[str, Any]
    notes: tuple[str, ...] = ()

    @property
    def stages(self) -> tuple[str, ...]:
        """Their names, in the order of the recipe."""
        return tuple(v.stage for v in self.verdicts)

    def table(self) -> pandas.DataFrame:
        """The effects, one a row, with a column for each field of `Effect`."""
        import pandas as pd

        return pd.DataFrame([asdict(e) for e in self.effects])

    def curves(self) -> pandas.DataFrame:
        """Learning curves: variant, seed, epoch (from 1), loss, log_loss, seconds; a row for each epoch of each run."""
        import pandas as pd

        rows = [
            {"variant": r.variant, "seed": r.seed, "epoch": i + 1, "loss": loss, "log_loss": valid, "seconds": seconds}
            for r in self.runs
            for i, (loss, valid, seconds) in enumerate(zip(r.loss, r.log_loss, r.seconds, strict=True))
        ]
        columns = ["variant", "seed", "epoch", "loss", "log_loss", "seconds"]
        return pd.DataFrame(rows, columns=columns)

    def to_json(self) -> str:
        """As JSON text; NaN and infinite numbers as null. The stages of variants as they are printed."""
        data = asdict(self) | {"variants": [_plain(v) for v in self.variants]}
        return json.dumps(_finite(data), indent=1)

    def save(self, folder: str | Path) -> Path:
        """Write `ablation.html`, `ablation.json`, `effects.csv` and `curves.csv` into a folder, made if need be."""
        from prepkit.report.files import write_text

        where = Path(folder)
        where.mkdir(parents=True, exist_ok=True)
        self.to_html(where / "ablation.html")
        write_text(where / "ablation.json", self.to_json())
        self.table().to_csv(where / "effects.csv", index=False)
        self.curves().to_csv(where / "curves.csv", index=False)
        return where

    def __repr__(self) -> str:
        from prepkit.ablation.terminal import summary
        from prepkit.report.terminal import as_text

        return as_text(summary(self)).rstrip()

    def to_html(self, path: str | Path | None = None) -> str:
        """One page without scripts or anything fetched; written to `path`, if given."""
        from prepkit.ablation.page import page, write

        return page(self) if path is None else write(self, path)


def _plain(variant: Variant) -> dict[str, Any]:
    return {**vars(variant), "stages": [repr(stage) for stage in variant.stages]}


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
