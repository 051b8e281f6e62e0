"""Pipeline -> FittedPipeline -> Prepared: the whole flow on one page."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import tensorflow as tf

from prepkit import storage
from prepkit.core import Stage, TrainingStage, as_names, is_pattern, one_of
from prepkit.entry import Entry
from prepkit.errors import PrepkitError
from prepkit.features.choose import Drop, Select
from prepkit.feed import from_chunks, from_memory, from_stream
from prepkit.fit import Fit, Reader, fit, infer
from prepkit.flow import Flow
from prepkit.labels import LabelEncoder, decode_label, formed
from prepkit.metadata import Ledger, Metadata, advise
from prepkit.rows.rebalance import Rebalance, balanced_weights
from prepkit.source import RawChunk, Source, as_source
from prepkit.source.dataset import TensorDataset, check_spec, is_batched, split_element
from prepkit.spec import STRINGS, Kind, Spec

if TYPE_CHECKING:
    from prepkit.keras import Served

LABEL, WEIGHT = ".label", ".weight"  # beside the blocks of packed rows
UNLABELLED = "label missing"
IN_MEMORY = 2**31  # bytes of saved rows up to which they are loaded whole
Rows = Callable[..., Iterator[dict[str, np.ndarray]]]


@dataclass(frozen=True)
class Pipeline:
    """A recipe: stages in order, and the form of what comes out. It is configuration and never changes.

    Args:
        stages: column stages, then training stages.
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
        if isinstance(self.stages, Stage):
            raise PrepkitError(
                "Pipeline takes a list of stages, as in Pipeline([Impute(), Rescale('standard')])."
            )
        object.__setattr__(self, "stages", tuple(self.stages))
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
        """Learn all stages from training data.

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
        return recipe._fit(as_source(data, label, batched=batched), label, kinds or {}, spec)

    def _fit(
        self, source: Source, label: str | None, kinds: Mapping[str, Kind], spec: Spec | None
    ) -> FittedPipeline:
        reader = Reader(source)
        raw = spec or infer(source, reader.head, label, kinds)
        if raw.label is None:
            raise PrepkitError("the spec has no label: infer it from labelled data.")
        found = fit(reader, self.stages, raw, self.output)
        flow = Flow(Entry(found.raw, found.vocabularies), self.stages, found.learned, self.output)
        return FittedPipeline(self, flow, _metadata(self, flow, found))

    def prepare(
        self,
        data: Any,
        label: str | None = None,
        *,
        batch_size: int = 256,
        seed: int = 0,
        kinds: Mapping[str, Kind] | None = None,
        spec: Spec | None = None,
        batched: bool | None = None,
        output: Literal["dense", "dict"] | None = None,
        labels: Literal["int", "one_hot"] | None = None,
    ) -> Prepared:
        """Fit, and build the training dataset.

        Args:
            data: the training data: whatever `as_source` reads.
            label: the column that is the label, where it is not given beside the features.
            batch_size: rows a batch; the last batch of an epoch has what is left.
            seed: of the shuffle, which is another one in each epoch.
            kinds: see `fit`; so are the rest.

        Returns:
            `dataset` of (features, label), or (features, label, weight) where the data have
            weights: shuffled, batched, prefetched, of known cardinality; in a stream rows are
            shuffled within windows of up to 65,536. With it `metadata` and `pipeline`.

        Raises:
            PrepkitError: as `fit`; and if missing cells would reach the model.
        """
        if batch_size < 1:
            raise PrepkitError(f"batch_size={batch_size}: give 1 or more.")
        recipe = replace(self, output=output or self.output, labels=labels or self.labels)
        source = as_source(data, label, batched=batched)
        fitted = recipe._fit(source, label, kinds or {}, spec)
        _refuse_missing(fitted)
        return fitted._prepared(source, batch_size, seed)

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
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise PrepkitError(
                f'this is no recipe ({error!r}): give {{"stages": [{{"stage": "Impute"}}, ...]}}.'
            ) from error

    def __repr__(self) -> str:
        lines = []
        for stage in self.stages:
            given = {k: v for k, v in storage.stage_settings(stage).items() if k != "reason"}
            settings = ", ".join(f"{k}={getattr(v, '__name__', None) or repr(v)}" for k, v in given.items())
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


def _check_composition(stages: Sequence[Any]) -> None:
    """Refuse what no data could make right, naming the stage."""
    gone: dict[str, str] = {}  # column -> the stage that took it away
    training: str | None = None
    for i, stage in enumerate(stages):
        where = f"in stage {i + 1} of {len(stages)} ({type(stage).__name__}): "
        if not isinstance(stage, Stage):
            hint = "write it with parentheses" if isinstance(stage, type) else "give prepkit stages"
            raise PrepkitError(f"in stage {i + 1} of {len(stages)}: {stage!r} is no stage: {hint}.")
        if isinstance(stage, TrainingStage):
            if training == type(stage).__name__:
                raise PrepkitError(
                    f"{where}there is one already, and its correction would count twice: keep one."
                )
            training = type(stage).__name__
            continue
        if training is not None:
            raise PrepkitError(f"{where}it changes columns and stands behind {training}: put it before.")
        explicit = [n for n in as_names(stage.columns) if not is_pattern(n)]
        for name in explicit:
            if name in gone:
                raise PrepkitError(f"{where}column {name!r} is no longer there: {gone[name]}.")
        if type(stage) is Drop or stage.needs_codes or type(stage).__name__ in ("Hash", "Text", "Datetime"):
            verb = "dropped" if type(stage) is Drop else "encoded"
            gone |= {name: f"stage {i + 1} ({type(stage).__name__}) has {verb} it" for name in explicit}
        if type(stage) is Select and len(explicit) == len(as_names(stage.columns)):
            kept = set(explicit)
            for later in stages[i + 1 :]:
                for name in as_names(getattr(later, "columns", None)):
                    if not is_pattern(name) and name not in kept and _makes_no_columns(stages[i + 1 :]):
                        gone.setdefault(name, f"stage {i + 1} (Select) has not kept it")


def _makes_no_columns(stages: Sequence[Any]) -> bool:
    return not any(type(s).__name__ in ("Map", "Datetime") or getattr(s, "indicator", False) for s in stages)


@dataclass(frozen=True)
class FittedPipeline:
    """A recipe and what it has learned: parameters and pure functions. It never changes.

    Args:
        recipe: what was fitted.
        flow: raw features to ready features.
        metadata: what was found and decided.
    """

    recipe: Pipeline
    flow: Flow
    metadata: Metadata

    @property
    def spec(self) -> Spec:
        """The columns as they come in, with what inference decided about each."""
        return self.flow.entry.raw

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Of the dense matrix's columns, in order."""
        return self.flow.feature_names

    @cached_property
    def _encoder(self) -> LabelEncoder:
        assert self.spec.label is not None
        return LabelEncoder(self.spec.label)

    @cached_property
    def _flow_in_graph(self) -> Any:
        return tf.function(self.flow.features, reduce_retracing=True)

    def transform(self, data: Any, batch_size: int = 256, *, batched: bool | None = None) -> tf.data.Dataset:
        """Every row of `data`, one to one and in order, as the model takes it.

        Args:
            data: whatever `as_source` reads, with or without the label.
            batch_size: rows a batch.
            batched: see `Pipeline.fit`.

        Returns:
            A dataset of features, of (features, label) where `data` have labels, or of (features,
            label, weight).

        Raises:
            PrepkitError: if a training column is not there or is of another type, or if a label is
                missing or none of the training classes.
        """
        if batch_size < 1:
            raise PrepkitError(f"batch_size={batch_size}: give 1 or more.")
        label = self.spec.label
        source = as_source(data, label.name if label else None, batched=batched, required=False)
        if isinstance(source, TensorDataset):
            steps = None if source.n_rows is None else -(-source.n_rows // batch_size)
            return from_stream(
                self._packed_stream(source, strict=True), self._finish, batch_size, steps=steps
            )
        if source.random_access:
            arrays = next(self._packed(source, strict=True))
            return from_memory(arrays, self._finish, batch_size)
        steps = None if source.n_rows is None else -(-source.n_rows // batch_size)
        read = lambda: self._packed(source, strict=True)  # noqa: E731
        return from_chunks(read, self._signature(source), self._finish, batch_size, steps=steps)

    def __call__(self, dataset: tf.data.Dataset, *, batched: bool | None = None) -> tf.data.Dataset:
        """For `dataset.apply(fitted)`: features transformed, labels encoded, the structure kept.

        Elements are x, (x, y) or (x, y, weight), x a dict or a tensor, rows or batches. Where the
        shapes leave open which, `functools.partial(fitted, batched=True)` settles it.
        """
        check_spec(dataset.element_spec)
        batched = self._is_batched(dataset.element_spec) if batched is None else batched
        if not batched:
            return dataset.batch(256).map(self._mapped, num_parallel_calls=tf.data.AUTOTUNE).unbatch()
        return dataset.map(self._mapped, num_parallel_calls=tf.data.AUTOTUNE)

    def _is_batched(self, element: Any) -> bool:
        x, _, _ = split_element(element)
        first = self.spec.columns[0]
        if isinstance(x, Mapping):
            known = [(x[c.name].shape.rank, len(c.shape)) for c in self.spec.columns if c.name in x]
            ranks = {rank - own for rank, own in known}
            if ranks <= {0, 1} and len(ranks) == 1:
                return ranks == {1}
        elif self.spec.structure == "array":
            own = len(first.shape) if first.kind == "tensor" else 1
            if x.shape.rank - own in (0, 1):
                return bool(x.shape.rank - own)
        return is_batched(element)

    @tf.autograph.experimental.do_not_convert
    def _mapped(self, *element: Any) -> Any:
        x, y, w = split_element(element if len(element) > 1 else element[0])
        out = [self.flow.features(x)]
        if y is not None:
            number = self._encoder(y, strict=True)
            out.append(formed(number, len(self.metadata.class_names), self.recipe.labels))
        if w is not None:
            out.append(w)
        return tuple(out) if len(out) > 1 else out[0]

    def attach(self, model: Any) -> Served:
        """A Keras model from raw columns to class probabilities; see `prepkit.keras.Served`.

        Args:
            model: takes this pipeline's features; its loss, if compiled, tells whether it gives logits.

        Raises:
            PrepkitError: if the model does not take these features.
        """
        from prepkit.keras import Served

        return Served.of(self.flow, model)

    def check_parity(self, data: Any, model: Any = None) -> dict[str, float]:
        """The largest absolute differences between the ways in which these numbers can be computed.

        Args:
            data: some rows; whatever `as_source` reads.
            model: also compare its probabilities: called, predicted, reloaded from .keras, and
                exported as a SavedModel.

        Returns:
            For each way, the largest difference from `transform`; for the model, from its call.
        """
        from prepkit.parity import differences

        features = self.transform(data).map(lambda *element: element[0])
        return differences(features, data, self.flow, model)

    def save(self, path: str | Path) -> Path:
        """Write a directory that `load` reads; an earlier one of that name is replaced."""
        return storage.write(path, self.flow, self.recipe.labels, self.metadata.to_json(), None)

    def __repr__(self) -> str:
        m = self.metadata
        return f"FittedPipeline({len(self.spec.columns)} columns -> {len(self.feature_names)} features, {len(m.class_names)} classes, {m.ledger})\n{self.recipe!r}"

    # -- rows on their way into a dataset -------------------------------------------------------

    @tf.autograph.experimental.do_not_convert
    def _finish(self, packed: Mapping[str, tf.Tensor]) -> Any:
        """One batch of packed rows: (features, label, weight), as far as there are."""
        blocks = {name: x for name, x in packed.items() if name not in (LABEL, WEIGHT)}
        out = [self.flow.finished(blocks)]
        if LABEL in packed:
            out.append(formed(packed[LABEL], len(self.metadata.class_names), self.recipe.labels))
        if WEIGHT in packed:
            out.append(packed[WEIGHT])
        return tuple(out) if len(out) > 1 else out[0]

    def _packed(
        self, source: Source, *, strict: bool, rng: np.random.Generator | None = None
    ) -> Iterator[dict[str, np.ndarray]]:
        """Chunks of packed rows; `strict`: a bad label is an error, not a row to leave out."""
        start = 0
        for chunk in source.chunks(rng):
            packed = self.flow.entry.pack(self.flow.entry.decode(chunk), chunk.matrix)
            if chunk.label is not None:
                packed[LABEL] = self._class_numbers(chunk, strict=strict, start=start)
            if chunk.weight is not None:
                packed[WEIGHT] = checked_weight(chunk.weight)
            start += len(chunk)
            if not strict and (packed[LABEL] < 0).any():
                keep = packed[LABEL] >= 0
                packed = {name: a[keep] for name, a in packed.items()}
            yield packed

    def _class_numbers(self, chunk: RawChunk, *, strict: bool, start: int) -> np.ndarray:
        label = self.spec.label
        assert label is not None
        coded = decode_label(chunk.label, label.form, label.name)
        if label.form == "one_hot" and len(coded.values) != len(label.classes):
            raise PrepkitError(
                f"labels have {len(coded.values)} columns, but {len(label.classes)} in training."
            )
        numbers = coded.recoded({c: i for i, c in enumerate(label.classes)}, -2)
        if strict and (numbers < 0).any():
            rows = np.flatnonzero(numbers < 0)
            unseen = sorted({str(coded.values[c]) for c in coded.codes[numbers == -2]})
            what = (
                f"{', '.join(map(repr, unseen[:5]))}, no class of the training data" if unseen else "missing"
            )
            raise PrepkitError(
                f"label {label.name or 'y'!r} is {what}, in {len(rows):,} rows, the first of them row {rows[0] + start}: "
                f"drop those rows, or the label; the classes are {', '.join(map(repr, label.class_names[:10]))}."
            )
        return numbers

    def _packed_stream(self, source: TensorDataset, *, strict: bool) -> tf.data.Dataset:
        """The same in the graph, for a user's own dataset."""

        @tf.autograph.experimental.do_not_convert
        def packed(*element: Any) -> dict[str, tf.Tensor]:
            x, y, w = source.separate(element if len(element) > 1 else element[0])
            out = self.flow.entry.graph(x)
            if y is not None:
                out[LABEL] = self._encoder(y, strict=strict)
            if w is not None:
                out[WEIGHT] = tf.cast(tf.reshape(w, [-1]), tf.float32)
            if not strict:
                keep = out[LABEL] >= 0
                out = {name: tf.boolean_mask(t, keep) for name, t in out.items()}
            return out

        return source.dataset.map(packed, num_parallel_calls=tf.data.AUTOTUNE)

    def _signature(self, source: Source) -> dict[str, tf.TensorSpec]:
        chunk = next(source.chunks())
        out = {}
        for block, columns in self.flow.entry.spec.blocks().items():
            dtype = (
                columns[0].dtype
                if block.startswith("tensor:")
                else {"codes": "int32", STRINGS: "string"}.get(block, block)
            )
            shape = columns[0].shape if block.startswith("tensor:") else (len(columns),)
            out[block] = tf.TensorSpec((None, *shape), dtype)
        if chunk.label is not None:
            out[LABEL] = tf.TensorSpec((None,), tf.int32)
        if chunk.weight is not None:
            out[WEIGHT] = tf.TensorSpec((None,), tf.float32)
        return out

    def _prepared(self, source: Source, batch_size: int, seed: int) -> Prepared:
        steps = -(-self.metadata.ledger.trained // batch_size)
        if isinstance(source, TensorDataset):
            stream = self._packed_stream(source, strict=False)
            dataset = from_stream(stream, self._finish_training, batch_size, steps=steps, seed=seed)
            return self._with(dataset, lambda: stream.as_numpy_iterator(), batch_size, seed)
        if source.random_access:
            arrays = next(self._packed(source, strict=False))
            return self._from_arrays(arrays, batch_size, seed)
        signature = self._signature(source)

        def read(rng: np.random.Generator | None = None) -> Iterator[dict[str, np.ndarray]]:
            return self._packed(source, strict=False, rng=rng)

        return self._from_reader(read, signature, batch_size, seed)

    def _from_arrays(self, arrays: dict[str, np.ndarray], batch_size: int, seed: int) -> Prepared:
        dataset = from_memory(arrays, self._finish_training, batch_size, seed=seed)
        return self._with(dataset, lambda: _sliced(arrays), batch_size, seed)

    def _from_reader(
        self, read: Rows, signature: Mapping[str, tf.TensorSpec], batch_size: int, seed: int
    ) -> Prepared:
        steps = -(-self.metadata.ledger.trained // batch_size)
        dataset = from_chunks(read, signature, self._finish_training, batch_size, steps=steps, seed=seed)
        return self._with(dataset, read, batch_size, seed)

    def _with(self, dataset: tf.data.Dataset, rows: Rows, batch_size: int, seed: int) -> Prepared:
        steps = -(-self.metadata.ledger.trained // batch_size)
        # Keras refuses class_weight beside weights of the rows; there the two are multiplied.
        weight = None if len(dataset.element_spec) == 3 else self.metadata.class_weight
        metadata = replace(
            self.metadata, batch_size=batch_size, steps_per_epoch=steps, seed=seed, class_weight=weight
        )
        return Prepared(dataset, metadata, self, rows)

    @tf.autograph.experimental.do_not_convert
    def _finish_training(self, packed: Mapping[str, tf.Tensor]) -> Any:
        """As `_finish`, the weight of each row times that of its class."""
        if WEIGHT not in packed:
            return self._finish(packed)
        by_class = tf.constant(list(class_weights(self.recipe, self.metadata.counts).values()), tf.float32)
        return self._finish({**packed, WEIGHT: packed[WEIGHT] * tf.gather(by_class, packed[LABEL])})


def checked_weight(weight: np.ndarray) -> np.ndarray:
    """float32 weights, or an error for what is none."""
    if not np.isfinite(weight).all() or (weight < 0).any():
        row = int(np.flatnonzero(~(np.isfinite(weight) & (weight >= 0)))[0])
        raise PrepkitError(f"the weight of row {row} is {weight[row]}: weights are finite and not negative.")
    return weight.astype(np.float32)


def _sliced(arrays: Mapping[str, np.ndarray], size: int = 65_536) -> Iterator[dict[str, np.ndarray]]:
    for start in range(0, len(next(iter(arrays.values()))), size):
        yield {name: a[start : start + size] for name, a in arrays.items()}


@dataclass(frozen=True)
class Prepared:
    """What training needs.

    Args:
        dataset: of (features, label), or (features, label, weight): shuffled anew each epoch,
            batched, prefetched, of known cardinality. Keras must not shuffle: `fit(shuffle=False)`.
        metadata: what was found and decided, for the model and for the record.
        pipeline: the same numbers for validation, test and serving.
        rows: reads the packed training rows once; what `save` writes.
    """

    dataset: tf.data.Dataset
    metadata: Metadata
    pipeline: FittedPipeline
    rows: Rows = field(repr=False)

    def save(self, path: str | Path) -> Path:
        """Write a directory that `load` reads, training rows included; an earlier one of that name is replaced."""
        fitted = self.pipeline
        return storage.write(path, fitted.flow, fitted.recipe.labels, self.metadata.to_json(), self.rows())


def load(path: str | Path, functions: storage.Functions | None = None) -> Prepared | FittedPipeline:
    """What `save` wrote: a `Prepared`, or a `FittedPipeline` that was saved by itself.

    Args:
        path: the directory.
        functions: those of `Map` stages, by name; functions are not saved.

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
    if saved.shards is None:
        return fitted
    shards = saved.shards
    batch_size, seed = metadata.batch_size or 256, metadata.seed or 0
    if sum(shard.path.stat().st_size for shard in shards) <= IN_MEMORY:
        parts = [shard.read() for shard in shards]
        whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return fitted._from_arrays(whole, batch_size, seed)

    def read(rng: np.random.Generator | None = None) -> Iterator[dict[str, np.ndarray]]:
        order = range(len(shards)) if rng is None else rng.permutation(len(shards))
        return (shards[i].read() for i in order)

    signature = {
        n: tf.TensorSpec((None, *a.shape[1:]), tf.as_dtype(a.dtype)) for n, a in next(read()).items()
    }
    return fitted._from_reader(read, signature, batch_size, seed)


def _refuse_missing(fitted: FittedPipeline) -> None:
    """No NaN may reach the model: what is missing in training and filled by no stage is an error."""
    bad = set(fitted.metadata.missing_cells) & set(fitted.spec.names)
    for stage, spec in zip(fitted.flow.stages, fitted.flow.specs, strict=False):
        bad = stage.leaves_missing(spec, bad)
    bad &= {
        c.name for c in fitted.flow.spec_out.columns if c.kind not in ("encoded", "id", "categorical", "text")
    }
    if bad:
        cells = {n: fitted.metadata.missing_cells.get(n, 0) for n in sorted(bad)}
        raise PrepkitError(
            f"missing cells would reach the model as NaN, from columns {cells}: add Impute() before the other stages"
            " (after Datetime()), or Drop those columns."
        )


def _metadata(recipe: Pipeline, flow: Flow, found: Fit) -> Metadata:
    label = found.raw.label
    assert label is not None
    counts = tuple(int(found.rows.classes.counts.get(c, 0)) for c in label.classes)
    total = sum(counts)
    prior = tuple(n / total for n in counts)
    features_of: dict[str, list[str]] = {name: [] for name in found.raw.names}
    for column in flow.spec_out.columns:
        for source in column.sources:
            features_of[source] += column.feature_names()
    refused = {UNLABELLED: found.rows.unlabelled} if found.rows.unlabelled else {}
    numbers = {UNLABELLED: tuple(found.rows.unlabelled_rows)} if refused else {}
    recipe_text = json.dumps([recipe.output, recipe.labels, *map(repr, recipe.stages)])
    learned, arrays = (
        zip(*[_learned(i, s) for i, s in enumerate(found.learned)], strict=True)
        if found.learned
        else ((), ())
    )
    measured = json.dumps(
        [found.raw.to_json(), counts, found.rows.read, dict(found.missing_cells), learned, arrays]
    )
    return Metadata(
        spec_in=found.raw,
        spec_out=flow.spec_out,
        output=recipe.output,
        labels=recipe.labels,
        feature_names=flow.feature_names,
        features_of={name: tuple(names) for name, names in features_of.items()},
        class_names=label.class_names,
        counts_before=counts,
        counts=counts,
        prior=prior,
        class_weight=class_weights(recipe, counts),
        advice=advise(label, recipe.labels, prior),
        vocabulary_sizes={c.name: len(c.categories or ()) for c in flow.spec_out.columns if c.kind == "id"},
        missing_cells={name: n for name, n in found.missing_cells.items() if n},
        batch_size=None,
        steps_per_epoch=None,
        ledger=Ledger(found.rows.read, total, refused, {}, numbers),
        seed=None,
        scans=found.scans,
        versions={name: version(name) for name in ("prepkit", "tensorflow", "keras", "numpy", "pyarrow")},
        data_fingerprint=hashlib.sha256(measured.encode()).hexdigest(),
        recipe_fingerprint=hashlib.sha256(recipe_text.encode()).hexdigest(),
    )


def class_weights(recipe: Pipeline, counts: Sequence[int]) -> dict[int, float]:
    """The weight of each class: as Rebalance says, else 1."""
    if any(isinstance(s, Rebalance) for s in recipe.stages):
        return balanced_weights(counts)
    return dict.fromkeys(range(len(counts)), 1.0)


def _learned(i: int, state: Any) -> tuple[Any, Any]:
    """What a stage has learned, with numbers to 9 digits: however the rows were batched, they agree so far."""
    arrays: dict[str, np.ndarray] = {}
    data = storage.learned_to_json(state, str(i), arrays)
    return data, {name: [f"{v:.9g}" for v in a.tolist()] for name, a in arrays.items()}
