"""Train with and without each stage, on the same splits, and judge what it does."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import resource
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from prepkit.ablation.data import ALONE, IN_RECIPE, RAW, RECIPE, Ablation, Run, Variant
from prepkit.ablation.judge import effects, targets, verdicts
from prepkit.ablation.network import Models
from prepkit.ablation.train import trained
from prepkit.ablation.variants import Alternatives, Plan, stage_names, variants
from prepkit.entry import Entry
from prepkit.errors import PrepkitError
from prepkit.fit import series_of
from prepkit.fitted import FittedPipeline, whole
from prepkit.metadata import Metadata
from prepkit.pipeline import Pipeline
from prepkit.progress import track
from prepkit.rows.clean_labels import CleanLabels
from prepkit.source import Source, as_source
from prepkit.source.reader import Reader, infer
from prepkit.spec import Kind, Spec
from prepkit.split import parted
from prepkit.split.units import Units
from prepkit.training import prepare

RUNS = "runs.jsonl"  # in the output directory: what an interrupted ablation goes on from
EVALUATED = 4096  # rows of validation and test data at a time
FEWEST = 30  # rows to be parted into three


def ablate(
    pipeline: Pipeline,
    data: Any,
    label: str | None = None,
    *,
    model: Callable[..., Any] | None = None,
    validation: Any = None,
    seeds: int = 5,
    epochs: int = 30,
    batch_size: int = 256,
    budget: float | None = None,
    alternatives: Alternatives | None = None,
    validation_split: float = 0.2,
    test_split: float = 0.2,
    groups: str | None = None,
    kinds: Mapping[str, Kind] | None = None,
    batched: bool | None = None,
    out: str | Path | None = None,
) -> Ablation:
    """Measure what each stage of a recipe does to training, by leaving it out and by taking it alone.

    Each seed parts the data anew into training, validation and test rows, the same for all variants: the recipe, the
    recipe without each stage, raw data with each stage alone, and raw data. Everything is learned from training rows;
    test rows and labels are never changed. Each variant trains the same model from the same initial weights.

    Args:
        pipeline: the recipe.
        data: labelled; whatever `as_source` reads.
        label: the column that is the label, where it is not given beside the features.
        model: a function without arguments, or of the `Metadata`, that returns a new compiled Keras classifier; None
            for a plain network: two layers of 128 ReLUs for tables, a small convolutional one for images, Adam 1e-3.
        validation: validation data of one's own, the same for all seeds; else they are split off.
        seeds: how many times all is repeated; with a single one there are no intervals and no verdicts.
        epochs: of each training.
        batch_size: rows a batch.
        budget: seconds after which no other seed is begun; at least one is finished. None for no limit.
        alternatives: by the name of a stage, other stages to put in its place, as {"Rescale": [Rescale("robust")]}.
        validation_split: share of all rows to validate by, which choose the epoch that is scored.
        test_split: share of all rows to score on.
        groups: the column whose equal cells stay in one part, such as the customer.
        kinds: for some columns, the kind that inference should not guess.
        batched: for a dataset whose shapes leave it open, whether its elements are batches.
        out: a directory for finished runs, from which an interrupted ablation goes on when called again; None for none.

    Returns:
        What was measured and what follows; see `Ablation`.

    Raises:
        PrepkitError: for a recipe without stages, a model function that returns none or the same model twice, too few
            rows, or settings that are none.

    Example:
        >>> import numpy as np
        >>> import prepkit as pk
        >>> rng = np.random.default_rng(0)
        >>> y = rng.integers(0, 2, 200)
        >>> x = rng.normal(size=(200, 2)) * [1, 1000] + y[:, None] * [2, 0]
        >>> ablation = pk.ablate(pk.Pipeline([pk.Rescale("standard")]), (x, y), seeds=1, epochs=2)
        >>> [v.name for v in ablation.variants]
        ['raw', 'recipe']

    Source: the design of CleanML (Li et al. 2021, doi:10.1109/ICDE51399.2021.00009): paired splits, and p-values
        corrected after Benjamini and Yekutieli 2001 (doi:10.1214/aos/1013699998).
    """
    seeds, epochs, batch_size = whole(seeds, "seeds", 1), whole(epochs, "epochs", 1), whole(batch_size, "batch_size", 1)
    _check(pipeline, model, budget, validation_split, test_split, validation)
    source = as_source(data, label, batched=batched)
    if source.n_rows is not None and source.n_rows < FEWEST:
        raise PrepkitError(
            f"{source.name} has {source.n_rows} rows, too few to be parted into training, validation and test rows: "
            f"give {FEWEST} or more, and some hundreds to learn anything from them."
        )
    head = Reader(source).head
    raw = infer(source, head, label, pipeline._kinds(head) | dict(kinds or {}))
    shares = validation_split, test_split
    study = _Study(pipeline, source, raw, label, model, validation, epochs, batch_size, shares, groups)
    plan = variants(pipeline, raw, _missing(source, raw), alternatives)
    started = time.perf_counter()
    store = None if out is None else _Store(Path(out), study.fingerprint(head))
    runs: list[Run] = []
    todo = [(seed, variant) for seed in range(seeds) for variant in plan.variants]
    for i, (seed, variant) in enumerate(track(todo, "ablating", len(todo))):
        if budget is not None and not i % len(plan.variants) and i and time.perf_counter() - started > budget:
            break
        run = store.known(variant.name, seed) if store else None
        if run is None:
            run = study.run(variant, seed)
            if store:
                store.add(run)
        runs.append(run)
    return study.judged(plan, runs, seeds, time.perf_counter() - started)


def _check(pipeline: Any, model: Any, budget: Any, validation_split: float, test_split: float, validation: Any) -> None:
    if not isinstance(pipeline, Pipeline):
        raise PrepkitError(f"ablate takes a Pipeline first, not a {type(pipeline).__name__}: give the recipe.")
    if model is not None and (not callable(model) or isinstance(model, keras.Model)):
        what = "a model, whose weights would go from run to run" if callable(model) else repr(model)
        raise PrepkitError(f"model is {what}: give a function that returns a new compiled Keras model each time.")
    if budget is not None and not (isinstance(budget, int | float) and budget > 0):
        raise PrepkitError(f"budget={budget!r}: give seconds, above 0, or None.")
    shares = {"test_split": test_split, "validation_split": 0.0 if validation is not None else validation_split}
    for name, share in shares.items():
        if not (isinstance(share, float) and 0 <= share < 1) or (not share and name == "test_split"):
            raise PrepkitError(f"{name}={share!r}: give a share of the rows, above 0 and below 1, such as 0.2.")
    if sum(shares.values()) >= 0.9:
        raise PrepkitError(f"{shares} leave under a tenth of the rows to train on: give smaller shares.")
    for stage in pipeline.stages:
        if isinstance(stage, CleanLabels) and stage.pred_probs is not None:
            raise PrepkitError(
                "CleanLabels(pred_probs=...) has a row for each row of the data, which are parted here: leave it out."
            )


def _missing(source: Source, raw: Spec) -> set[str]:
    """Columns with missing cells."""
    found: set[str] = set()
    entry = Entry(raw, {})
    for chunk in source.chunks():
        decoded = entry.decode(chunk)
        for column in raw.columns:
            if column.name not in found:
                views = series_of({column.name: decoded[column.name]}, raw.with_columns([column])).values()
                if any(_lacks(values) for values in views):
                    found.add(column.name)
    return found


def _lacks(values: Any) -> bool:
    codes = getattr(values, "codes", None)
    if codes is not None:
        return bool((codes < 0).any())
    return bool(values.dtype.kind == "f" and not np.isfinite(values).all())


@dataclass(frozen=True)
class _Parts:
    """The rows of one seed."""

    train: Source
    valid: Any
    test: Source


@dataclass
class _Study:
    """What all runs share."""

    pipeline: Pipeline
    source: Source
    raw: Spec
    label: str | None
    model: Callable[..., Any] | None
    validation: Any
    epochs: int
    batch_size: int
    shares: tuple[float, float]  # of the rows, to validate and to test by
    groups: str | None
    metadata: Metadata | None = None  # of the first run that could be prepared
    _parted: tuple[int, _Parts] | None = None

    @cached_property
    def models(self) -> Models:
        return Models(self.model)

    def parts(self, seed: int) -> _Parts:
        """The split of a seed; made once for all variants."""
        if self._parted is None or self._parted[0] != seed:
            validated, tested = self.shares
            first = parted(self.source, self.raw, tested, self.groups, seed)
            train, valid = first.train, self.validation
            if valid is None:
                share = validated / (1 - tested)
                second = parted(train, self.raw, share, self.groups, seed + 2**32)
                train, valid = second.train, second.validation
            self._parted = seed, _Parts(train, valid, first.validation)
        return self._parted[1]

    def run(self, variant: Variant, seed: int) -> Run:
        """Prepare and train one variant; what the data or the stages refuse is a run that failed."""
        parts = self.parts(seed)
        started, before = time.perf_counter(), _peak()
        try:
            fitted = self.fitted(variant, parts)
            prepared = prepare(fitted, parts.train, self.batch_size, seed)
        except PrepkitError as error:
            return Run(variant.name, seed, "failed", str(error))
        seconds, grown = time.perf_counter() - started, max(0, _peak() - before)
        self.metadata = self.metadata or fitted.metadata
        valid = fitted.transform(parts.valid, EVALUATED)
        test = fitted.transform(parts.test, EVALUATED)
        return trained(
            self.models, prepared, valid, test, variant.name, seed, self.epochs, prepare_seconds=seconds,
            prepare_bytes=grown,
        )  # fmt: skip

    def fitted(self, variant: Variant, parts: _Parts) -> FittedPipeline:
        """The recipe of a variant, fitted on the training rows; that missing cells reach the model is no error here."""
        recipe = Pipeline(variant.stages, self.pipeline.output, self.pipeline.labels)
        return recipe._fit(parts.train, self.label, {}, self.raw)

    def fingerprint(self, head: Any) -> str:
        """Of the data and of all settings that a run depends on."""
        keys = Units(self.raw, None).of(head)[0]
        model = getattr(self.model, "__qualname__", repr(self.model))
        kinds = [(c.name, c.kind) for c in self.raw.columns]
        own = [self.label, model, self.epochs, self.batch_size, self.shares, self.groups, kinds]
        if self.validation is not None:
            given = Reader(as_source(self.validation, self.label)).head
            own.append(int(Units(self.raw, None).of(given)[0].sum()))
        versions = [keras.__version__, tf.__version__]
        text = json.dumps([repr(self.pipeline), int(keys.sum()), len(keys), own, versions], default=str)
        return hashlib.sha256(text.encode()).hexdigest()

    def judged(self, plan: Plan, trained_runs: Sequence[Run], seeds: int, seconds: float) -> Ablation:
        """What follows from the runs."""
        if all(run.status == "failed" for run in trained_runs):
            raise PrepkitError(f"no variant could be prepared and trained: {trained_runs[0].error}")
        if self.metadata is None:  # all runs were known
            self.metadata = self.fitted(next(v for v in plan.variants if v.role == "recipe"), self.parts(0)).metadata
        runs = list(trained_runs)
        for name, twin in plan.equal.items():  # of a recipe that two names have, both have the runs
            runs += [replace(r, variant=name) for r in trained_runs if r.variant == twin]
        prior = np.asarray(self.metadata.prior)
        entropy = float(-(prior[prior > 0] * np.log(prior[prior > 0])).sum())
        stages = stage_names(self.pipeline.stages)
        found = effects(runs, list(_comparisons(plan, stages)), entropy)
        without = {name: plan.named(f"without {name}") for name in stages}
        stand_ins = {name: v.stand_ins for name, v in without.items() if v is not None}
        impossible = {n: plan.not_possible[f"without {n}"] for n in stages if f"without {n}" in plan.not_possible}
        done = len({r.seed for r in runs})
        notes = [] if done == seeds else [f"The budget allowed {done} of {seeds} seeds."]
        notes += [f"{name!r} could not be compared: {why}" for name, why in plan.not_possible.items()]
        if done == 1:
            notes.append("One seed gives no intervals, and so no verdicts but on whether it trains at all.")
        reasons = {n: stage.reason for n, stage in zip(stages, self.pipeline.stages, strict=True)}
        settings = self._settings(done, entropy, seconds)
        settings |= {"targets": targets(runs, entropy), "equal": dict(plan.equal)}
        judged = verdicts(runs, found, stages, stand_ins, impossible)
        return Ablation(
            plan.variants, tuple(trained_runs), found, judged, reasons, repr(self.pipeline), settings, tuple(notes)
        )

    def _settings(self, seeds: int, entropy: float, seconds: float) -> dict[str, Any]:
        metadata = self.metadata
        assert metadata is not None
        return {
            "data": self.source.name,
            "label": self.raw.label.name if self.raw.label else None,
            "class_names": list(metadata.class_names),
            "shares": list(metadata.prior),
            "training rows": metadata.ledger.trained,
            "set apart": dict(zip(("validation", "test"), self.shares, strict=True)),
            "groups": self.groups,
            "seeds": seeds,
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "model": getattr(self.model, "__qualname__", repr(self.model)) if self.model else "plain network",
            "entropy": entropy,
            "versions": dict(metadata.versions),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "seconds": round(seconds, 1),
        }


def _comparisons(plan: Plan, stages: Sequence[str]) -> Iterator[tuple[str, str, str, str]]:
    """Stage, place, and the names of the variants with and without it."""
    there = {v.name for v in plan.variants} | plan.equal.keys()
    for name in stages:
        if f"without {name}" in there:
            yield name, IN_RECIPE, RECIPE, f"without {name}"
        if {f"only {name}", RAW} <= there:
            yield name, ALONE, f"only {name}", RAW
    for variant in plan.variants:
        if variant.role == "alternative":
            yield variant.stage, variant.name, variant.name, RECIPE


def _peak() -> int:
    """The most memory that the process has had, in bytes."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if platform.system() == "Darwin" else 1024 * most


class _Store:
    """Finished runs on disk, a line each behind one that says of what they are."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.file = folder / RUNS
        folder.mkdir(parents=True, exist_ok=True)
        self.runs: dict[tuple[str, int], Run] = {}
        text = self.file.read_text("utf-8") if self.file.exists() else ""
        lines = text.splitlines()
        if lines and json.loads(lines[0]).get("fingerprint") != fingerprint:
            raise PrepkitError(
                f"{self.file} is of another ablation (other data, recipe, settings or versions): give another out=, or "
                "remove it."
            )
        if not lines:
            self.file.write_text(json.dumps({"fingerprint": fingerprint}) + "\n", "utf-8")
        elif not text.endswith("\n"):  # it was killed while it wrote
            self.file.write_text(text + "\n", "utf-8")
        for line in lines[1:]:
            try:
                data = json.loads(line)
            except ValueError:
                continue
            fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
            run = Run(**fields)
            self.runs[run.variant, run.seed] = run

    def known(self, variant: str, seed: int) -> Run | None:
        return self.runs.get((variant, seed))

    def add(self, run: Run) -> None:
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(run)) + "\n")
