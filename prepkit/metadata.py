"""What training needs to know beside the dataset."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import Any

import keras
import numpy as np
import pyarrow as pa
import tensorflow as tf

from prepkit.balance.outcome import Outcome, of_targets
from prepkit.balance.prior import focal_alpha, log_shares, shares
from prepkit.balance.targets import targets
from prepkit.balance.weights import class_weights
from prepkit.cleaning.data import DROP, Cleaning
from prepkit.core import Stage
from prepkit.errors import PrepkitError
from prepkit.fit import LISTED, Fit, at_stage
from prepkit.flow import Flow
from prepkit.rows.quarantine import reasons, report
from prepkit.rows.rebalance import Rebalance
from prepkit.rows.validate import Validate
from prepkit.scan.reference import Reference
from prepkit.spec import Label, Spec
from prepkit.storage import learned_to_json, stage_settings, stage_to_json

UNLABELLED, DOUBTED = "label missing", "label doubted"
REPEATED, SYNTHETIC = "repeated", "synthetic"
TUPLES = (
    "feature_names",
    "class_names",
    "counts_before",
    "counts_cleaned",
    "counts",
    "prior",
    "training_prior",
    "notes",
)


@dataclass(frozen=True)
class Advice:
    """The end of the model that fits the labels.

    Args:
        units: of the last layer.
        activation: of the last layer.
        loss: to compile with.
        initial_bias: of the last layer, one number a unit, so that the untrained model predicts the prior that it
            will see, `training_prior`: log(prior), or log-odds for one unit. Karpathy 2019; TensorFlow's
            imbalanced-data tutorial.
    """

    units: int
    activation: str
    loss: str
    initial_bias: tuple[float, ...]


@dataclass(frozen=True)
class Ledger:
    """What became of every row: rows_in = trained + refused + dropped.

    Args:
        rows_in: rows that were read.
        trained: rows that an epoch trains on, each counted once.
        refused: rows kept out before training, by reason.
        dropped: rows that a training stage left out, by reason.
        row_numbers: the first 1,000 row numbers (from 0, in order of reading) of each reason.
        added: what an epoch has beyond them: rows "repeated", and "synthetic" ones.
        held_out: rows that `prepare` has set aside for validation before, which are not among those read; None where
            a stream was split, of which they are not counted.

    Example:
        >>> print(Ledger(1000, 990, {"label missing": 10}, {}, {"label missing": (3, 4)}))
        1,000 rows in, 990 trained, 10 label missing
    """

    rows_in: int
    trained: int
    refused: Mapping[str, int]
    dropped: Mapping[str, int]
    row_numbers: Mapping[str, tuple[int, ...]]
    added: Mapping[str, int] = field(default_factory=dict)
    held_out: int | None = 0

    def __str__(self) -> str:
        reasons = [f"{n:,} {why}" for why, n in (*self.refused.items(), *self.dropped.items())]
        reasons += [f"{n:,} {why} in addition" for why, n in self.added.items()]
        if self.held_out != 0:
            n = "uncounted" if self.held_out is None else f"{self.held_out:,}"
            reasons.append(f"{n} more set aside for validation")
        return f"{self.rows_in:,} rows in, {self.trained:,} trained" + "".join(f", {r}" for r in reasons)


@dataclass(frozen=True)
class Metadata:
    """What was found and decided, as plain data; JSON both ways.

    Args:
        spec_in: the columns as they come in, with what inference decided about each.
        spec_out: the columns as they come out.
        output: "dense" or "dict".
        labels: "int" or "one_hot", as the dataset has them.
        feature_names: of the dense matrix's columns, in order.
        features_of: the feature names that each raw column gave rise to.
        class_names: in the order of the class numbers.
        counts_before: labelled rows of each class that were not refused, by the labels as given.
        counts_cleaned: the same once labels are cleaned, before classes are rebalanced.
        counts: rows of each class in an epoch.
        prior: share of each class once labels are cleaned and before classes are rebalanced, summing to 1.
        training_prior: share of each class that the network sees: rows in an epoch, times the weight of their class.
        notes: what a sampler has to tell, as that it looked at fewer neighbours.
        class_weight: for `model.fit(class_weight=...)`: as the recipe's Rebalance says, else 1.0 for every class.
            Dense, with mean 1 over the rows. None where the dataset has weights, into which it is multiplied.
        advice: units, activation, loss and initial bias of the last layer.
        vocabulary_sizes: for each id column, the number of ids, which is an embedding's input_dim.
        missing_cells: missing or infinite cells of the training rows, by column, where there were any.
        batch_size: rows a batch; None for a pipeline that was fitted only.
        steps_per_epoch: batches an epoch, the last, smaller one included; None likewise.
        ledger: what became of every row.
        validation: of each rule of `Validate`: the rule, its policy, where it runs, how many training rows break it
            and how many it refused, and cells that broke it.
        cleaning: what `CleanLabels` was asked and has done: the action taken, the accuracy out of sample, the estimated
            share of wrong labels and the noise matrix, the candidates, doubted rows by given and suggested label, and
            findings; None without it.
        reference: what is kept of the training rows to compare other data with: shares of bins, no rows; see
            `FittedPipeline.compare`.
        seed: of the shuffle; None likewise.
        scans: how often the source was read to fit.
        versions: of prepkit and of the libraries that the numbers depend on.
        data_fingerprint: of the columns, the counts and all that was learned, to 9 digits: equal for equal data
            in whatever batches; what none of these shows, as rows in another order, it does not show either.
        recipe_fingerprint: of the recipe.
    """

    spec_in: Spec
    spec_out: Spec
    output: str
    labels: str
    feature_names: tuple[str, ...]
    features_of: Mapping[str, tuple[str, ...]]
    class_names: tuple[str, ...]
    counts_before: tuple[int, ...]
    counts_cleaned: tuple[int, ...]
    counts: tuple[int, ...]
    prior: tuple[float, ...]
    training_prior: tuple[float, ...]
    notes: tuple[str, ...]
    class_weight: Mapping[int, float] | None
    advice: Advice
    vocabulary_sizes: Mapping[str, int]
    missing_cells: Mapping[str, int]
    batch_size: int | None
    steps_per_epoch: int | None
    ledger: Ledger
    validation: tuple[Mapping[str, Any], ...]
    cleaning: Mapping[str, Any] | None
    reference: Reference = field(repr=False)
    seed: int | None
    scans: int
    versions: Mapping[str, str]
    data_fingerprint: str
    recipe_fingerprint: str

    @property
    def initial_bias(self) -> tuple[float, ...]:
        """Of the last layer: what its untrained prediction is the prior by that the network sees; see `Advice`."""
        return self.advice.initial_bias

    @property
    def logit_adjustment(self) -> tuple[float, ...]:
        """To be added to each class's logit in the loss, so that classes count the same; see `adjusted_loss`."""
        return log_shares(self.training_prior)

    @property
    def focal_alpha(self) -> tuple[float, ...]:
        """The factor of each class in a focal loss, summing to 1; see `adjusted_loss`."""
        return focal_alpha(self.training_prior)

    def to_json(self) -> str:
        """As JSON text."""
        data = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        data["spec_in"], data["spec_out"] = self.spec_in.to_json(), self.spec_out.to_json()
        data["reference"] = self.reference.to_json()
        data["advice"], data["ledger"] = dataclasses.asdict(self.advice), dataclasses.asdict(self.ledger)
        return json.dumps(data, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Metadata:
        """The other way round."""
        data: dict[str, Any] = json.loads(text)
        for name in TUPLES:
            data[name] = tuple(data[name])
        data["validation"] = tuple({**rule, "examples": tuple(rule["examples"])} for rule in data["validation"])
        data["spec_in"], data["spec_out"] = Spec.from_json(data["spec_in"]), Spec.from_json(data["spec_out"])
        data["features_of"] = {k: tuple(v) for k, v in data["features_of"].items()}
        if data["class_weight"] is not None:
            data["class_weight"] = {int(k): v for k, v in data["class_weight"].items()}
        data["advice"] = Advice(**data["advice"] | {"initial_bias": tuple(data["advice"]["initial_bias"])})
        data["reference"] = Reference.from_json(data["reference"])
        rows = {k: tuple(v) for k, v in data["ledger"]["row_numbers"].items()}
        data["ledger"] = Ledger(**data["ledger"] | {"row_numbers": rows})
        return cls(**data)


def advise(label: Label, labels: str, prior: tuple[float, ...]) -> Advice:
    """The last layer for this label form and prior (a class without rows counts as one in a million)."""
    safe = np.maximum(np.asarray(prior, np.float64), 1e-6)
    if len(prior) == 2 and labels == "int":
        return Advice(1, "sigmoid", "binary_crossentropy", (float(np.log(safe[1] / safe[0])),))
    loss = "categorical_crossentropy" if labels == "one_hot" else "sparse_categorical_crossentropy"
    return Advice(len(prior), "softmax", loss, tuple(float(v) for v in np.log(safe)))


def describe(stages: Sequence[Stage[Any]], labels: str, flow: Flow, found: Fit) -> Metadata:
    """All that is known once a recipe has been fitted."""
    label = found.raw.label
    assert label is not None
    counts = tuple(int(found.rows.classes.counts.get(c, 0)) for c in label.classes)
    features_of: dict[str, list[str]] = {name: [] for name in found.raw.names}
    for column in flow.spec_out.columns:
        for source in column.sources:
            features_of[source] += column.feature_names()
    refused = {UNLABELLED: found.rows.unlabelled} if found.rows.unlabelled else {}
    numbers = {UNLABELLED: tuple(found.rows.unlabelled_rows)} if refused else {}
    if found.gate is not None:
        by_rule, first = reasons(found.gate, found.rows.refusals)
        refused, numbers = refused | by_rule, numbers | first
    recipe_text = json.dumps([flow.output, labels, *map(_settings, stages)], default=str)
    learned, arrays = (
        zip(*[_learned(i, s) for i, s in enumerate(found.learned)], strict=True) if found.learned else ((), ())
    )
    plain = found.raw.with_columns(replace(c, notes=(), role="feature") for c in found.raw.columns)  # of a sample
    measured = json.dumps([plain.to_json(), counts, found.rows.read, dict(found.missing_cells), learned, arrays])
    return Metadata(
        spec_in=found.raw,
        spec_out=flow.spec_out,
        output=flow.output,
        labels=labels,
        feature_names=flow.feature_names,
        features_of={name: tuple(names) for name, names in features_of.items()},
        class_names=label.class_names,
        counts_before=counts,
        **_by_class(stages, label, labels, counts),
        notes=(),
        vocabulary_sizes={c.name: len(c.categories or ()) for c in flow.spec_out.columns if c.kind == "id"},
        missing_cells={name: n for name, n in found.missing_cells.items() if n},
        batch_size=None,
        steps_per_epoch=None,
        ledger=Ledger(found.rows.read, sum(counts), refused, {}, numbers),
        validation=report(found.gate, found.rows.refusals) if found.gate else (),
        cleaning=None,
        reference=found.rows.kept.result(found.rows.classes.counts),
        seed=None,
        scans=found.scans,
        versions={"prepkit": version("prepkit"), **{m.__name__: m.__version__ for m in (tf, keras, np, pa)}},
        data_fingerprint=hashlib.sha256(measured.encode()).hexdigest(),
        recipe_fingerprint=hashlib.sha256(recipe_text.encode()).hexdigest(),
    )


def cleaned(metadata: Metadata, stages: Sequence[Stage[Any]], cleaning: Cleaning) -> Metadata:
    """The same once labels have been cleaned."""
    label = metadata.spec_in.label
    assert label is not None
    counts = cleaning.counts
    total = sum(counts)
    gone = metadata.ledger.trained - total
    ledger = metadata.ledger
    if gone:
        left_out = cleaning.issues["row"][cleaning.issues["action"] == DROP]
        numbers = tuple(sorted(left_out.tolist())[:LISTED])
        dropped, listed = {**ledger.dropped, DOUBTED: gone}, {**ledger.row_numbers, DOUBTED: numbers}
        ledger = replace(ledger, trained=total, dropped=dropped, row_numbers=listed)
    return replace(
        metadata,
        **_by_class(stages, label, metadata.labels, counts),
        ledger=ledger,
        cleaning=cleaning.to_json(),
    )


def rebalanced(metadata: Metadata, stages: Sequence[Stage[Any]], outcome: Outcome) -> Metadata:
    """The same once classes are rebalanced by a stage that resamples."""
    label, ledger = metadata.spec_in.label, metadata.ledger
    assert label is not None
    dropped, numbers = dict(ledger.dropped), dict(ledger.row_numbers)
    if outcome.left_out:
        dropped[outcome.reason] = outcome.left_out
    if len(outcome.left_out_rows):
        numbers[outcome.reason] = tuple(int(n) for n in outcome.left_out_rows[:LISTED])
    added = {name: n for name, n in ((REPEATED, outcome.repeated), (SYNTHETIC, outcome.synthetic)) if n}
    trained = ledger.trained - outcome.left_out
    return replace(
        metadata,
        **_by_class(stages, label, metadata.labels, metadata.counts_cleaned, outcome.counts),
        notes=outcome.notes,
        ledger=replace(ledger, trained=trained, dropped=dropped, row_numbers=numbers, added=added),
    )


def _by_class(
    stages: Sequence[Stage[Any]],
    label: Label,
    labels: str,
    counts: tuple[int, ...],
    epoch: tuple[int, ...] | None = None,
) -> dict[str, Any]:
    """What follows from the rows of each class, those that there are and those of an epoch, if these are others."""
    rows = counts if epoch is None else epoch
    weights = weights_by_class(stages, rows, label.class_names)
    seen = shares([n * w for n, w in zip(rows, weights, strict=True)])
    return {
        "counts_cleaned": counts,
        "counts": rows,
        "prior": shares(counts),
        "training_prior": seen,
        "class_weight": dict(enumerate(weights)),
        "advice": advise(label, labels, seen),
    }


def drawn(metadata: Metadata, stages: Sequence[Stage[Any]]) -> Metadata:
    """The same once classes are rebalanced by a stage that draws rows; as it is, where there is none."""
    stage, counts = resampling(stages), metadata.counts_cleaned
    if stage is None or not stage.draws:
        return metadata
    try:
        aims = targets(stage, counts, metadata.class_names)
    except PrepkitError as error:
        raise at_stage(stages.index(stage), stages, error) from None
    return rebalanced(metadata, stages, of_targets(counts, aims))


def resampling(stages: Sequence[Stage[Any]]) -> Rebalance | None:
    """The stage that changes how often rows come."""
    return next((s for s in stages if isinstance(s, Rebalance) and s.resamples), None)


def weighing(stages: Sequence[Stage[Any]]) -> Rebalance | None:
    """The stage that weighs classes."""
    return next((s for s in stages if isinstance(s, Rebalance) and not s.resamples), None)


def weights_by_class(stages: Sequence[Stage[Any]], counts: Sequence[int], names: Sequence[str]) -> tuple[float, ...]:
    """The weight of each class: as Rebalance says, else 1."""
    stage = weighing(stages)
    if stage is None:
        return (1.0,) * len(counts)
    try:
        return class_weights(stage, counts, names)
    except PrepkitError as error:
        raise at_stage(stages.index(stage), stages, error) from None


def _settings(stage: Stage[Any]) -> list[Any]:
    """What a stage is, its reason aside."""
    if isinstance(stage, Validate):
        return [type(stage).__name__, stage_to_json(stage, code=False)]
    settings = {n: v for n, v in stage_settings(stage).items() if n != "reason"}
    return [type(stage).__name__, {n: _by_name(v) for n, v in settings.items()}]


def _by_name(setting: Any) -> Any:
    """A function, or a sampler of one's own, by its name, for its address is another in each process."""
    if callable(setting) or repr(setting) == object.__repr__(setting):
        return getattr(setting, "__name__", type(setting).__name__)
    return setting


def _learned(i: int, state: Any) -> tuple[Any, Any]:
    """What a stage has learned, with numbers to 9 digits: however the rows were batched, they agree so far."""
    arrays: dict[str, np.ndarray] = {}
    data = learned_to_json(state, str(i), arrays)
    return data, {name: [f"{v:.9g}" for v in a.tolist()] for name, a in arrays.items()}
