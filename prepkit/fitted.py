"""What `Pipeline.fit` and `Pipeline.prepare` return: the same numbers for training, evaluation and serving."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
import tensorflow as tf

from prepkit import storage
from prepkit.cleaning.clean import clean
from prepkit.cleaning.data import ISSUE_COLUMNS, Cleaning, Table
from prepkit.cleaning.keys import LABEL, WEIGHT
from prepkit.cleaning.network import Network
from prepkit.cleaning.table import gathered, keys_of, reaching
from prepkit.cleaning.treat import Treat
from prepkit.core import Stage
from prepkit.drift.compare import compare
from prepkit.drift.data import Drift
from prepkit.entry import Entry
from prepkit.errors import PrepkitError
from prepkit.feed import from_chunks, from_memory, from_stream
from prepkit.flow import Flow
from prepkit.gate import Gate, taken
from prepkit.graph import as_written
from prepkit.labels import LabelEncoder, decode_label, formed
from prepkit.metadata import Metadata, class_weights, cleaned
from prepkit.rows.check import Validation, checked
from prepkit.rows.clean_labels import CleanLabels
from prepkit.rows.quarantine import BROKEN, HELD, ROW, Refusals, first_held, quarantined
from prepkit.rows.repeats import with_repeats
from prepkit.rows.schema import schema_of
from prepkit.rows.validate import Validate
from prepkit.source import RawChunk, Source, as_source
from prepkit.source.dataset import TensorDataset, check_spec, is_batched, split_element
from prepkit.source.reader import Reader
from prepkit.spec import STRINGS, Spec

if TYPE_CHECKING:
    import pandas
    import pandera.pandas

    from prepkit.keras import Served

Rows = Callable[..., Iterator[dict[str, np.ndarray]]]


class Recipe(Protocol):
    """What a fitted pipeline was fitted from: a `Pipeline`."""

    @property
    def stages(self) -> Sequence[Stage[Any]]: ...
    @property
    def output(self) -> str: ...
    @property
    def labels(self) -> str: ...
    def to_json(self) -> str: ...


@dataclass(frozen=True)
class FittedPipeline:
    """A recipe and what it has learned: parameters and pure functions. It never changes.

    Args:
        recipe: what was fitted.
        flow: raw features to ready features.
        metadata: what was found and decided.
        refusals: what `Validate` kept out of the training rows; nothing, once loaded from disk.
    """

    recipe: Recipe
    flow: Flow
    metadata: Metadata
    refusals: Refusals = field(default_factory=Refusals, repr=False, compare=False)

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

    def transform(self, data: Any, batch_size: int = 256, *, batched: bool | None = None) -> tf.data.Dataset:
        """Every row of `data`, one to one and in order, as the model takes it.

        Columns that the training data did not have are ignored, and so is the order of columns.

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
        batch_size = whole(batch_size, "batch_size", 1)
        label = self.spec.label
        if batched is None and isinstance(data, tf.data.Dataset):
            check_spec(data.element_spec)
            batched = self._is_batched(data.element_spec)
        source = as_source(data, label.name if label else None, batched=batched, required=False)
        if isinstance(source, TensorDataset):
            steps = None if source.n_rows is None else -(-source.n_rows // batch_size)
            return from_stream(self._packed_stream(source, strict=True), self._finish, batch_size, steps=steps)
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
            own = len(first.shape) if first.kind == "tensor" else int(first.dtype != "string")
            if x.shape.rank - own in (0, 1):
                return bool(x.shape.rank - own)
        return is_batched(element)

    @as_written
    def _mapped(self, *element: Any) -> Any:
        x, y, w = split_element(element if len(element) > 1 else element[0])
        out = [self.flow.features(x)]
        if y is not None:
            number = self._encoder(y, strict=True)
            out.append(formed(number, len(self.metadata.class_names), self.recipe.labels))
        if w is not None:
            out.append(w)
        return tuple(out) if len(out) > 1 else out[0]

    @property
    def rules(self) -> Gate:
        """What `Validate` judges by, inferred rules too; printed, each with its policy and where it runs.

        Raises:
            PrepkitError: if the recipe has no `Validate`.
        """
        if self.flow.entry.gate is None:
            raise PrepkitError("the recipe has no rules: begin it with Validate().")
        return self.flow.entry.gate

    @property
    def schema(self) -> pandera.pandas.DataFrameSchema:
        """The pandera schema that `Validate` was given, or the one that it inferred: to print, edit, save and pass on.

        Raises:
            PrepkitError: if the recipe has no `Validate`.
        """
        gate, first = self.rules, self.recipe.stages[0]
        assert isinstance(first, Validate)
        return schema_of(gate.rules, self.spec) if first.schema is None else first.schema  # type: ignore[no-any-return]

    def check(self, data: Any, *, batched: bool | None = None) -> Validation:
        """What new data break of the rules of `Validate`: no row is refused and no cell changed.

        Args:
            data: whatever `as_source` reads, with or without the label.
            batched: see `Pipeline.fit`.

        Raises:
            PrepkitError: if the recipe has no `Validate`, or a training column is not there.
        """
        gate, label = self.rules, self.spec.label
        source = as_source(data, label.name if label else None, batched=batched, required=False)
        reader = Reader(source)
        entry = Entry(self.spec, {}, replace(gate, repeated={}))
        if not source.random_access:
            entry = replace(entry, gate=with_repeats(gate, entry, reader.chunks))
        return checked(source, reader.chunks, entry)

    def compare(self, data: Any, *, batched: bool | None = None) -> Drift:
        """How other data differ from the training data: their schema first, then what has drifted.

        Needs no training data: `metadata.reference` holds what there is to compare with.

        Args:
            data: whatever `as_source` reads, with or without the label; read once.
            batched: see `Pipeline.fit`.

        Raises:
            PrepkitError: if `data` cannot be read. Columns that are missing or of another type are findings.
        """
        if batched is None and isinstance(data, tf.data.Dataset):
            check_spec(data.element_spec)
            batched = self._is_batched(data.element_spec)
        known = self.flow.entry.vocabularies
        return compare(self.metadata.reference, self.spec, data, batched=batched, vocabularies=known)

    def attach(self, model: Any, *, rules: bool = False) -> Served:
        """A Keras model from raw columns to class probabilities; see `prepkit.keras.Served`.

        Args:
            model: takes this pipeline's features; its loss, if compiled, tells whether it gives logits.
            rules: whether it also says of each row which rules of `Validate` it breaks.

        Raises:
            PrepkitError: if the model does not take these features.
        """
        from prepkit.keras import Served

        return Served.of(self.flow, model, rules=rules)

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
        size = f"{len(self.spec.columns)} columns -> {len(self.feature_names)} features"
        rules = f"\n{self.flow.entry.gate}" if self.flow.entry.gate else ""
        return f"FittedPipeline({size}, {len(m.class_names)} classes, {m.ledger})\n{self.recipe!r}{rules}"

    # -- rows on their way into a dataset -------------------------------------------------------

    @as_written
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
        for packed, keep in self._admitted(source, strict=strict, rng=rng):
            yield packed if keep.all() else taken(packed, keep)

    def _admitted(
        self, source: Source, *, strict: bool, rng: np.random.Generator | None = None
    ) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray]]:
        """Chunks of packed rows, and whether each row is one to go on with."""
        start = 0
        entry = self.flow.entry
        for chunk in source.chunks(rng):
            refused = None
            if strict or entry.gate is None:
                packed = entry.packed(chunk)
            else:
                admitted = entry.admit(chunk, start)
                packed = entry.pack(admitted.decoded)
                refused = admitted.verdict.mask(entry.gate.refusing)
            if chunk.label is not None:
                packed[LABEL] = self._class_numbers(chunk, strict=strict, start=start)
            if chunk.weight is not None:
                packed[WEIGHT] = chunk.weight.astype(np.float32)
            start += len(chunk)
            keep = np.ones(len(chunk), bool) if strict else packed[LABEL] >= 0
            yield packed, keep if refused is None else keep & ~refused

    def _class_numbers(self, chunk: RawChunk, *, strict: bool, start: int) -> np.ndarray:
        label = self.spec.label
        assert label is not None
        coded = decode_label(chunk.label, label.form, label.name)
        if label.form == "one_hot" and len(coded.values) != len(label.classes):
            raise PrepkitError(f"labels have {len(coded.values)} columns, but {len(label.classes)} in training.")
        numbers = coded.recoded({c: i for i, c in enumerate(label.classes)}, -2)
        if strict and (numbers < 0).any():
            rows = np.flatnonzero(numbers < 0)
            unseen = sorted({str(coded.values[c]) for c in coded.codes[numbers == -2]})
            what = f"{', '.join(map(repr, unseen[:5]))}, no class of the training data" if unseen else "missing"
            raise PrepkitError(
                f"label {label.name or 'y'!r} is {what}, in {len(rows):,} rows, the first of them row "
                f"{rows[0] + start}: drop those rows, or the label; the classes are "
                f"{', '.join(map(repr, label.class_names[:10]))}."
            )
        return numbers

    def _packed_stream(self, source: TensorDataset, *, strict: bool) -> tf.data.Dataset:
        """The same in the graph, for a user's own dataset."""
        admitted = self._admitted_stream(source, strict=strict)
        if strict:
            return admitted.map(as_written(lambda packed, keep: packed), num_parallel_calls=tf.data.AUTOTUNE)

        @as_written
        def kept(packed: Mapping[str, tf.Tensor], keep: tf.Tensor) -> dict[str, tf.Tensor]:
            return {name: tf.boolean_mask(t, keep) for name, t in packed.items()}

        return admitted.map(kept, num_parallel_calls=tf.data.AUTOTUNE)

    def _admitted_stream(self, source: TensorDataset, *, strict: bool) -> tf.data.Dataset:
        """Packed rows of a user's own dataset, and whether each row is one to go on with."""

        @as_written
        def packed(*element: Any) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
            x, y, w = source.separate(element if len(element) > 1 else element[0])
            entry, refused = self.flow.entry, None
            if strict:
                out = entry.graph(x)
            else:
                out, refused = entry.admitted_in_graph(x)
            if y is not None:
                out[LABEL] = self._encoder(y, strict=strict)
            if w is not None:
                out[WEIGHT] = tf.cast(tf.reshape(w, [-1]), tf.float32)
            if strict or y is None:
                return out, tf.constant(True)
            keep = out[LABEL] >= 0
            return out, keep if refused is None else keep & ~refused

        return source.dataset.map(packed, num_parallel_calls=tf.data.AUTOTUNE)

    def _signature(self, source: Source) -> dict[str, tf.TensorSpec]:
        chunk = next(source.chunks())
        self.flow.entry.packed(chunk)  # what is wrong with the columns is said here, not from within the dataset
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

    def prepared(self, source: Source, batch_size: int, seed: int) -> Prepared:
        """The training dataset, its labels cleaned first if the recipe says so."""
        stage = next((s for s in self.recipe.stages if isinstance(s, CleanLabels)), None)
        if stage is None:
            return self._prepared(source, batch_size, seed, None)
        table = gathered(self._admitted_rows(source), self.flow, stage)
        network = self._network(stage, table, batch_size, seed) if stage.model is not None else None
        cleaning = clean(stage, table, reaching(self.flow), seed, network)
        treat = Treat(keys_of(self.flow, stage), cleaning.decisions)
        fitted = replace(self, metadata=cleaned(self.metadata, self.recipe.stages, cleaning))
        return replace(fitted._prepared(source, batch_size, seed, treat), cleaning=cleaning)

    def _in_graph(self, source: Source) -> bool:
        """Whether training rows are admitted in the graph, as a user's own dataset is where all rules are tensors."""
        gate = self.flow.entry.gate
        return isinstance(source, TensorDataset) and (gate is None or gate.by_tensors_alone)

    def _admitted_rows(self, source: Source) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray]]:
        """Packed rows in the order of reading, by the way that they will take into the training dataset."""
        if isinstance(source, TensorDataset) and self._in_graph(source):
            yield from self._admitted_stream(source, strict=False).as_numpy_iterator()
        else:
            yield from self._admitted(source, strict=False)

    def _network(self, stage: CleanLabels, table: Table, batch_size: int, seed: int) -> Callable[[np.ndarray], Network]:
        """The user's own model, to be trained on folds of labels."""
        assert stage.model is not None
        return functools.partial(
            Network,
            stage.model,
            self.metadata,
            self.flow.finished,
            table.blocks,
            classes=len(table.class_names),
            weights=table.weights,
            form=self.recipe.labels,
            epochs=stage.epochs,
            batch_size=batch_size,
            seed=seed,
        )

    def _prepared(self, source: Source, batch_size: int, seed: int, treat: Treat | None) -> Prepared:
        steps = -(-self.metadata.ledger.trained // batch_size)
        if isinstance(source, TensorDataset) and self._in_graph(source):
            stream = self._packed_stream(source, strict=False)
            stream = stream if treat is None else stream.map(treat, num_parallel_calls=tf.data.AUTOTUNE)
            dataset = from_stream(stream, self._finish_training, batch_size, steps=steps, seed=seed)
            prepared = self._with(dataset, lambda: stream.as_numpy_iterator(), batch_size, seed)
            return replace(prepared, refused=lambda: self._refused(source))

        def read(rng: np.random.Generator | None = None) -> Iterator[dict[str, np.ndarray]]:
            rows = self._packed(source, strict=False, rng=rng)
            return rows if treat is None else map(treat.rows, rows)

        if source.random_access:
            prepared = self.from_arrays(next(read()), batch_size, seed)
        else:
            signature = self._signature(source)
            if treat is not None and treat.weighted:
                signature[WEIGHT] = tf.TensorSpec((None,), tf.float32)
            prepared = self.from_reader(read, signature, batch_size, seed)
        return replace(prepared, refused=lambda: self._refused(source))

    def _refused(self, source: Source) -> Iterator[pa.Table]:
        """The rows in quarantine, from memory where all are held, else from the source once more."""
        gate, refusals = self.flow.entry.gate, self.refusals
        if gate is None or refusals.quarantined <= HELD:
            yield from refusals.held
            return
        assert self.spec.label is not None
        start, label = 0, self.spec.label.name
        for chunk in source.chunks():
            labels = decode_label(chunk.label, self.spec.label.form, self.spec.label.name)
            verdict = self.flow.entry.judged(chunk, start).without(np.flatnonzero(labels.codes < 0))
            rows = np.flatnonzero(verdict.mask(gate.numbers(("quarantine",))))
            if len(rows):
                yield quarantined(gate, verdict, chunk, rows, start, label)
            start += len(chunk)

    def from_arrays(self, arrays: dict[str, np.ndarray], batch_size: int, seed: int) -> Prepared:
        dataset = from_memory(arrays, self._finish_training, batch_size, seed=seed)
        return self._with(dataset, lambda: _sliced(arrays), batch_size, seed)

    def from_reader(self, read: Rows, signature: Mapping[str, tf.TensorSpec], batch_size: int, seed: int) -> Prepared:
        steps = -(-self.metadata.ledger.trained // batch_size)
        dataset = from_chunks(read, signature, self._finish_training, batch_size, steps=steps, seed=seed)
        return self._with(dataset, read, batch_size, seed)

    def _with(self, dataset: tf.data.Dataset, rows: Rows, batch_size: int, seed: int) -> Prepared:
        steps = -(-self.metadata.ledger.trained // batch_size)
        # Keras refuses class_weight beside weights of the rows; there the two are multiplied.
        weight = None if len(dataset.element_spec) == 3 else self.metadata.class_weight
        metadata = replace(self.metadata, batch_size=batch_size, steps_per_epoch=steps, seed=seed, class_weight=weight)
        return Prepared(dataset, metadata, self, rows)

    @as_written
    def _finish_training(self, packed: Mapping[str, tf.Tensor]) -> Any:
        """As `_finish`, the weight of each row times that of its class."""
        if WEIGHT not in packed:
            return self._finish(packed)
        by_class = tf.constant(list(class_weights(self.recipe.stages, self.metadata.counts).values()), tf.float32)
        return self._finish({**packed, WEIGHT: packed[WEIGHT] * tf.gather(by_class, packed[LABEL])})


def whole(value: Any, name: str, least: int) -> int:
    """A whole number from `least` to the largest that TensorFlow counts by, or an error."""
    if not isinstance(value, int | np.integer) or not least <= value < 2**63:
        raise PrepkitError(f"{name}={value}: give {least} or more, a whole number.")
    return int(value)


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
        refused: reads the rows in quarantine, likewise; None where no stage refuses any.
        cleaning: what `CleanLabels` has found and done, with the noise matrix, the candidates that it compared and
            `to_html`; None without it, and once loaded from disk, where `metadata.cleaning` has what is kept.
        issues: reads the doubted labels that were saved; None where nothing was saved.
    """

    dataset: tf.data.Dataset
    metadata: Metadata
    pipeline: FittedPipeline
    rows: Rows = field(repr=False)
    refused: Callable[[], Iterator[pa.Table]] | None = field(default=None, repr=False)
    cleaning: Cleaning | None = field(default=None, repr=False)
    issues: Callable[[], Iterator[pa.Table]] | None = field(default=None, repr=False)

    @cached_property
    def label_issues(self) -> pandas.DataFrame:
        """The rows whose label is doubted, the most doubted first, by their key; see `Cleaning.label_issues`.

        Empty without `CleanLabels`, and where no label is doubted.
        """
        import pandas as pd

        if self.cleaning is not None:
            return self.cleaning.label_issues
        if self.issues is not None:
            frame: pandas.DataFrame = next(self.issues()).to_pandas().set_index("key")
            return frame
        return pd.DataFrame(columns=list(ISSUE_COLUMNS)).set_index("key")

    @cached_property
    def quarantine(self) -> pandas.DataFrame:
        """The rows that `Validate` quarantined, as they came, by their number; `broken` says which rules each broke.

        The first 100,000 of them; `metadata.ledger` counts them all, and `save` writes them all, as
        `quarantine.parquet`. Empty where none was.
        """
        import pandas as pd

        table = first_held(self.refused() if self.refused else ())
        if table is None:
            columns = [*self.pipeline.spec.names, BROKEN]
            return pd.DataFrame(columns=columns, index=pd.Index([], dtype="int64", name=ROW))
        frame: pandas.DataFrame = table.to_pandas().set_index(ROW)
        return frame

    def __repr__(self) -> str:
        m = self.metadata
        return f"Prepared({m.steps_per_epoch} batches of {m.batch_size}, {m.ledger})\n{self.pipeline!r}"

    def save(self, path: str | Path) -> Path:
        """Write a directory that `load` reads, training rows included; an earlier one of that name is replaced."""
        fitted = self.pipeline
        refused = self.refused() if self.refused else ()
        issues = None
        if self.cleaning is not None or self.issues is not None:
            issues = pa.Table.from_pandas(self.label_issues.reset_index(), preserve_index=False)
        metadata = self.metadata.to_json()
        return storage.write(path, fitted.flow, fitted.recipe.labels, metadata, self.rows(), refused, issues)
