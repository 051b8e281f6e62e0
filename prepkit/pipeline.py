"""Pipeline -> FittedPipeline -> Prepared: the whole flow on one page."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from prepkit import storage
from prepkit.core import RowStage, Stage, TrainingStage, as_names, is_pattern, one_of
from prepkit.entry import Entry
from prepkit.errors import PrepkitError
from prepkit.features.choose import Drop, Map, Select
from prepkit.features.datetime import Datetime
from prepkit.features.encode import Hash, Lookup, OneHot
from prepkit.features.text import Text
from prepkit.fit import fit
from prepkit.fitted import FittedPipeline, whole
from prepkit.flow import Flow
from prepkit.metadata import Metadata, describe, drawn
from prepkit.prepared import Prepared
from prepkit.rows.clean_labels import CleanLabels
from prepkit.rows.rebalance import Rebalance
from prepkit.source import RawChunk, Source, as_source
from prepkit.source.reader import Reader, infer
from prepkit.spec import Kind, Spec
from prepkit.split import parted
from prepkit.training import from_arrays, from_reader, prepare

IN_MEMORY = 2**31  # bytes of saved rows up to which they are loaded whole


@dataclass(frozen=True)
class Pipeline:
    """A recipe: stages in order, and the form of what comes out. It is configuration and never changes.

    Args:
        stages: `Validate`, if at all, then column stages, then training stages.
        output: "dense" (one float32 matrix, its columns named in the metadata) or "dict" (a tensor
            for each column).
        labels: "int" (int32 class numbers) or "one_hot" (float32).

    Raises:
        PrepkitError: for a composition that cannot work, naming the stage.

    Example:
        >>> import prepkit as pk
        >>> recipe = pk.Pipeline([pk.Impute(), pk.Rescale("standard"), pk.OneHot(max_categories=100)])
        >>> pk.Pipeline.from_json(recipe.to_json()) == recipe
        True
    """

    stages: Sequence[Stage[Any]]
    output: Literal["dense", "dict"] = "dense"
    labels: Literal["int", "one_hot"] = "int"

    def __post_init__(self) -> None:
        stages: Any = self.stages
        if isinstance(stages, str) or not isinstance(stages, Iterable):
            raise PrepkitError("Pipeline takes a list of stages, as in Pipeline([Impute(), Rescale('standard')]).")
        object.__setattr__(self, "stages", tuple(stages))
        one_of(self.output, ("dense", "dict"), "Pipeline: output")
        one_of(self.labels, ("int", "one_hot"), "Pipeline: labels")
        _check_composition(self.stages)

    def fit(
        self,
        data: Any,
        label: str | None = None,
        *,
        kinds: Mapping[str, Kind] | None = None,
        spec: Spec | None = None,
        batched: bool | None = None,
        output: Literal["dense", "dict"] | None = None,
        labels: Literal["int", "one_hot"] | None = None,
    ) -> FittedPipeline:
        """Learn all stages from training data; nothing is cleaned or resampled, which `prepare` does.

        Args:
            data: the training data: whatever `as_source` reads.
            label: the column that is the label, where it is not given beside the features.
            kinds: for some columns, the kind that inference should not guess.
            spec: all columns as they are to be read, instead of inference.
            batched: for a dataset whose shapes leave it open, whether its elements are batches.
            output: instead of the recipe's.
            labels: instead of the recipe's.

        Raises:
            PrepkitError: for data or a recipe that cannot work: what, where, and how to fix it.
        """
        recipe = replace(self, output=output or self.output, labels=labels or self.labels)
        fitted = recipe._fit(as_source(data, label, batched=batched), label, kinds or {}, spec)
        drawn(fitted.metadata, recipe.stages)  # an aim that cannot be reached is said now; `prepare` resamples
        return fitted

    def _fit(self, source: Source, label: str | None, kinds: Mapping[str, Kind], spec: Spec | None) -> FittedPipeline:
        reader = Reader(source)
        raw = spec or infer(source, reader.head, label, self._kinds(reader.head) | dict(kinds))
        if raw.label is None:
            raise PrepkitError("the spec has no label: infer it from labelled data.")
        found = fit(reader, self.stages, raw, self.output)
        flow = Flow(Entry(found.raw, found.vocabularies, found.gate), self.stages, found.learned, self.output)
        return FittedPipeline(self, flow, describe(self.stages, self.labels, flow, found), found.rows.refusals)

    def _kinds(self, head: RawChunk) -> dict[str, Kind]:
        """The kinds that a schema says of columns that are there."""
        first = self.stages[0] if self.stages else None
        return first.kinds(list(head.columns)) if isinstance(first, RowStage) else {}

    def prepare(
        self,
        data: Any,
        label: str | None = None,
        *,
        batch_size: int = 256,
        seed: int = 0,
        validation_split: float = 0.0,
        groups: str | None = None,
        validation: Any = None,
        kinds: Mapping[str, Kind] | None = None,
        spec: Spec | None = None,
        batched: bool | None = None,
        output: Literal["dense", "dict"] | None = None,
        labels: Literal["int", "one_hot"] | None = None,
    ) -> Prepared:
        """Fit, and build the training dataset, and that of validation rows, which are never learned from or resampled.

        Args:
            data: the training data: whatever `as_source` reads.
            label: the column that is the label, where it is not given beside the features.
            batch_size: rows a batch; the last batch of an epoch has what is left.
            seed: of all that is random: the split, the folds of `CleanLabels`, what `Rebalance` draws, and the
                shuffle, which is another one in each epoch.
            validation_split: share of the rows, 0 to 1, that is set apart for validation before anything is learned
                or resampled: exact and stratified by class in memory, on average in a stream. Rows of equal features
                stay together, so that no copy of a training row is validated on.
            groups: with `validation_split`, the column whose equal cells stay together, such as the customer.
            validation: instead, data of one's own, of whatever kind `as_source` reads.
            kinds: see `fit`; so are the rest.

        Returns:
            `dataset` of (features, label), or (features, label, weight) where the data have
            weights: shuffled, batched, prefetched, of known cardinality; in a stream rows are
            shuffled within windows of up to 65,536. With it `metadata` and `pipeline`, and `validation`.

        Raises:
            PrepkitError: as `fit`; and if missing cells would reach the model, if both kinds of validation are asked
                for, or if data to be split look resampled already.
        """
        batch_size, seed = whole(batch_size, "batch_size", 1), whole(seed, "seed", 0)
        recipe = replace(self, output=output or self.output, labels=labels or self.labels)
        source = as_source(data, label, batched=batched)
        split = None
        if groups is not None and not validation_split:
            raise PrepkitError(
                f"groups={groups!r} says which rows a split keeps together: give validation_split=0.2, too."
            )
        if validation_split:
            if validation is not None:
                raise PrepkitError("validation= and validation_split= are two ways to the same: give one of them.")
            head = Reader(source).head
            raw = spec or infer(source, head, label, self._kinds(head) | dict(kinds or {}))
            split = parted(source, raw, validation_split, groups, seed)
            source, validation = split.train, split.validation
        fitted = recipe._fit(source, label, kinds or {}, spec)
        _refuse_missing(fitted)
        if split is not None:
            n = None if split.rows is None else len(split.rows[1])
            ledger = replace(fitted.metadata.ledger, held_out=n)
            fitted = replace(fitted, metadata=replace(fitted.metadata, ledger=ledger))
        held_out = None if validation is None else _held_out(fitted, validation, batch_size)
        prepared = prepare(fitted, source, batch_size, seed)
        rows = None if split is None or split.rows is None else split.rows[0]
        return replace(prepared, validation=held_out, train_rows=rows)

    def to_json(self) -> str:
        """The recipe as JSON text.

        Raises:
            PrepkitError: if a stage chooses its columns by a function.
        """
        stages = [storage.stage_to_json(s) for s in self.stages]
        return json.dumps({"stages": stages, "output": self.output, "labels": self.labels}, indent=1)

    @classmethod
    def from_json(cls, text: str, functions: storage.Functions | None = None) -> Pipeline:
        """The recipe that `to_json` wrote, or a person; `functions` are those of `Map` stages, by name."""
        try:
            data = json.loads(text)
            stages = [storage.stage_from_json(s, functions or {}) for s in data["stages"]]
            return cls(stages, data.get("output", "dense"), data.get("labels", "int"))
        except PrepkitError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise PrepkitError(
                f'this is no recipe ({error!r}): give {{"stages": [{{"stage": "Impute"}}, ...]}}.'
            ) from error

    def __repr__(self) -> str:
        lines = []
        for stage in self.stages:
            given = {f.name: getattr(stage, f.name) for f in fields(stage) if f.name in ("method", "kind")}
            given |= {k: v for k, v in storage.stage_settings(stage).items() if k != "reason"}
            settings = ", ".join(f"{k}={_shown(v)}" for k, v in given.items())
            reason = f"  # {stage.reason}" if stage.reason else ""
            lines.append(f"    {type(stage).__name__}({settings}),{reason}\n")
        form = "" if self.output == "dense" else f", output={self.output!r}"
        form += "" if self.labels == "int" else f", labels={self.labels!r}"
        return f"Pipeline([\n{''.join(lines)}]{form})"

    def __getattr__(self, name: str) -> Any:
        if name in ("transform", "attach", "save", "metadata", "feature_names", "check_parity", "dataset"):
            raise AttributeError(f"a Pipeline is a recipe and has no {name!r}: call fit or prepare first.")
        raise AttributeError(f"'Pipeline' object has no attribute {name!r}")

    def __call__(self, dataset: Any) -> Any:
        raise PrepkitError("a Pipeline is a recipe and cannot be applied to a dataset: call fit first.")


def _shown(setting: Any) -> str:
    """A setting as a recipe prints it: functions by their name, schemas and arrays by their size."""
    if type(setting).__module__.startswith("pandera."):
        n = len(setting.columns)
        return f"<schema of {n} column{'' if n == 1 else 's'}>"
    if len(shape := getattr(setting, "shape", ())) > 0:
        return f"<{type(setting).__name__} of shape {tuple(shape)}>"
    return getattr(setting, "__name__", None) or repr(setting)


def _check_composition(stages: Sequence[Any]) -> None:
    """Refuse what no data could make right, naming the stage."""
    changed: dict[str, tuple[str, str]] = {}  # column -> what has become of it, by which stage
    kept: tuple[set[str], str] | None = None  # all columns that there are, by which stage
    behind = ""  # the training stage that came last
    for i, stage in enumerate(stages):
        here = f"in stage {i + 1} of {len(stages)}"
        if not isinstance(stage, Stage):
            hint = "write it with parentheses" if isinstance(stage, type) else "give prepkit stages"
            raise PrepkitError(f"{here}: {stage!r} is no stage: {hint}.")
        name = type(stage).__name__
        if isinstance(stage, RowStage):
            if i:
                raise PrepkitError(f"{here} ({name}): it decides which rows come in: put it first, and only once.")
            continue
        if isinstance(stage, TrainingStage):
            if behind == name:
                _check_twice(stages[i - 1], stage, f"{here} ({name})")
            elif isinstance(stage, CleanLabels) and behind:
                raise PrepkitError(
                    f"{here} ({name}): it stands behind {behind}, which counts on the labels: put it before."
                )
            behind = name
            continue
        if behind:
            raise PrepkitError(f"{here} ({name}): it changes columns and stands behind {behind}: put it before.")
        named = [n for n in as_names(stage.columns) if not is_pattern(n)]
        for column in named:
            what, whence = changed.get(column, ("", ""))
            if what == "dropped" or (what == "encoded" and "encoded" not in stage.takes):
                raise PrepkitError(
                    f"{here} ({name}): column {column!r} is no longer as it takes it: {whence} has {what} it."
                )
            if kept and not column.startswith(tuple(kept[0])):  # "age is missing" comes of "age"
                raise PrepkitError(f"{here} ({name}): column {column!r} is no longer there: {kept[1]} has not kept it.")
        whence = f"stage {i + 1} ({name})"
        if isinstance(stage, Map):  # makes columns, by any name
            changed, kept = {}, None
        elif type(stage) is Select and named and len(named) == len(as_names(stage.columns)):
            kept = (set(named), whence)
        elif type(stage) is Drop:
            changed |= dict.fromkeys(named, ("dropped", whence))
        elif isinstance(stage, Datetime | OneHot | Lookup | Hash | Text):
            changed |= dict.fromkeys(named, ("encoded", whence))


def _check_twice(first: TrainingStage, second: TrainingStage, where: str) -> None:
    """Refuse what would correct twice, unless it was asked for by name: class weights behind resampling."""
    weighs = isinstance(second, Rebalance) and not second.resamples
    if isinstance(first, Rebalance) and first.resamples and weighs:
        if second.with_resampling:  # type: ignore[attr-defined]
            return
        raise PrepkitError(
            f"{where}: classes are resampled already, and weights on top may correct twice: keep one of the two, or "
            "say Rebalance('class_weight', with_resampling=True) for weights of the counts behind resampling."
        )
    raise PrepkitError(f"{where}: there is one already, which would correct twice: keep one.")


def load(
    path: str | Path, functions: storage.Functions | None = None, *, rows: bool = True
) -> Prepared | FittedPipeline:
    """What `save` wrote: a `Prepared`, or a `FittedPipeline` that was saved by itself.

    Args:
        path: the directory.
        functions: those of `Map` stages, by name; functions are not saved.
        rows: whether the training rows are wanted; if not, only the pipeline is read.

    Raises:
        PrepkitError: if it is damaged, was written by a newer prepkit, or is something else.
    """
    saved = storage.read(path)
    try:
        flow = storage.flow_from_json(saved.flow, saved.arrays, functions or {})
        recipe = Pipeline(flow.stages, saved.flow["output"], saved.labels)  # type: ignore[arg-type]
        metadata = Metadata.from_json(saved.metadata)
    except (KeyError, TypeError, AttributeError) as error:
        raise PrepkitError(f"{path} is damaged ({error!r}): save it again.") from error
    fitted = FittedPipeline(recipe, flow, metadata)
    if saved.shards is None or not rows:
        return fitted
    prepared = _with_rows(fitted, saved.shards)
    return replace(prepared, refused=saved.quarantine, issues=saved.issues)


def _with_rows(fitted: FittedPipeline, shards: Sequence[storage.Shard]) -> Prepared:
    """The training rows that were saved with a pipeline: in memory if they are few, else read as they are needed."""
    metadata = fitted.metadata
    batch_size, seed = metadata.batch_size or 256, metadata.seed or 0
    if sum(shard.path.stat().st_size for shard in shards) <= IN_MEMORY:
        parts = [shard.read() for shard in shards]
        whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return from_arrays(fitted, whole, batch_size, seed)

    def read(rng: np.random.Generator | None = None) -> Iterator[dict[str, np.ndarray]]:
        order = range(len(shards)) if rng is None else rng.permutation(len(shards))
        return (shards[i].read() for i in order)

    signature = {n: tf.TensorSpec((None, *a.shape[1:]), tf.as_dtype(a.dtype)) for n, a in next(read()).items()}
    return from_reader(fitted, read, signature, batch_size, seed)


def _held_out(fitted: FittedPipeline, validation: Any, batch_size: int) -> tf.data.Dataset:
    """Validation rows as the model takes them."""
    out = fitted.transform(validation, batch_size)
    if not isinstance(out.element_spec, tuple):
        label = fitted.spec.label.name if fitted.spec.label else None
        raise PrepkitError(
            "the validation data come without labels, so that nothing can be validated by them: "
            + (f"add the column {label!r}." if label else "give (X, y).")
        )
    return out


def _refuse_missing(fitted: FittedPipeline) -> None:
    """No NaN may reach the model: what is missing in training and filled by no stage is an error."""
    bad = set(fitted.metadata.missing_cells) & set(fitted.spec.names)
    for stage, spec in zip(fitted.flow.stages, fitted.flow.specs, strict=False):
        bad = stage.leaves_missing(spec, bad)
    bad &= {c.name for c in fitted.flow.spec_out.columns if c.kind not in ("encoded", "id", "categorical", "text")}
    if bad:
        cells = {n: fitted.metadata.missing_cells.get(n, 0) for n in sorted(bad)}
        raise PrepkitError(
            f"missing cells would reach the model as NaN, from columns {cells}: add Impute() before the other stages"
            " (after Datetime()), or Drop those columns."
        )
