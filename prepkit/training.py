"""How training rows become a dataset: labels are cleaned, classes rebalanced, rows shuffled and batched."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf

from prepkit.balance.draw import Draw
from prepkit.balance.outcome import of_rows
from prepkit.balance.sampler import draw_by_sampler, makes_rows
from prepkit.cleaning.clean import clean
from prepkit.cleaning.data import Table
from prepkit.cleaning.network import Network
from prepkit.cleaning.table import gathered, keys_of, reaching
from prepkit.cleaning.treat import Treat
from prepkit.errors import PrepkitError
from prepkit.feed import from_chunks, from_memory, from_stream
from prepkit.fit import at_stage
from prepkit.fitted import FittedPipeline
from prepkit.graph import Traced, as_written
from prepkit.labels import decode_label
from prepkit.metadata import cleaned, drawn, rebalanced, resampling, weighing, weights_by_class
from prepkit.packing import FINAL
from prepkit.prepared import Prepared, Rows
from prepkit.rows.clean_labels import CleanLabels
from prepkit.rows.quarantine import HELD, quarantined
from prepkit.rows.rebalance import Rebalance
from prepkit.source import Source
from prepkit.source.dataset import TensorDataset
from prepkit.spec import LABEL, WEIGHT

NUMBER = ".number"  # of rows in the order of reading, beside their blocks


def prepare(fitted: FittedPipeline, source: Source, batch_size: int, seed: int) -> Prepared:
    """The training dataset of the source that a pipeline was fitted on."""
    stage = next((s for s in fitted.recipe.stages if isinstance(s, CleanLabels)), None)
    if stage is None:
        return _Training(resampled(fitted), batch_size, seed).of(source, None)
    table = gathered(fitted.packing.training(source), fitted.flow, stage)
    network = _network(fitted, stage, table, batch_size, seed) if stage.model is not None else None
    cleaning = clean(stage, table, reaching(fitted.flow), seed, network)
    treat = Treat(keys_of(fitted.flow, stage), cleaning.decisions)
    fitted = replace(fitted, metadata=cleaned(fitted.metadata, fitted.recipe.stages, cleaning))
    return replace(_Training(resampled(fitted), batch_size, seed).of(source, treat), cleaning=cleaning)


def resampled(fitted: FittedPipeline) -> FittedPipeline:
    """With metadata that know what epochs are made of, where rows are drawn; what a sampler makes is known once run."""
    return replace(fitted, metadata=drawn(fitted.metadata, fitted.recipe.stages))


def from_arrays(fitted: FittedPipeline, arrays: dict[str, np.ndarray], batch_size: int, seed: int) -> Prepared:
    """The training dataset of packed rows in memory, as they were saved."""
    return _Training(fitted, batch_size, seed).of_arrays(arrays)


def from_reader(
    fitted: FittedPipeline, read: Rows, signature: Mapping[str, tf.TensorSpec], batch_size: int, seed: int
) -> Prepared:
    """The training dataset of packed rows that are read a chunk at a time, as they were saved."""
    return _Training(fitted, batch_size, seed).of_reader(read, signature)


def _network(
    fitted: FittedPipeline, stage: CleanLabels, table: Table, batch_size: int, seed: int
) -> Callable[[np.ndarray], Network]:
    """The user's own model, to be trained on folds of labels."""
    assert stage.model is not None
    return functools.partial(
        Network,
        stage.model,
        fitted.metadata,
        fitted.flow.finished,
        table.blocks,
        classes=len(table.class_names),
        weights=table.weights,
        form=fitted.recipe.labels,
        epochs=stage.epochs,
        batch_size=batch_size,
        seed=seed,
    )


@dataclass(frozen=True)
class _Training:
    """How packed rows become the training dataset.

    Args:
        fitted: whose metadata know the labels as cleaned.
        batch_size: rows a batch.
        seed: of the shuffle.
    """

    fitted: FittedPipeline
    batch_size: int
    seed: int

    def of(self, source: Source, treat: Treat | None) -> Prepared:
        """The rows of a source, with their labels treated."""
        stage, packing = resampling(self.fitted.recipe.stages), self.fitted.packing
        if stage is not None and stage.samples:
            prepared = self._sampled(stage, source, treat)
        elif isinstance(source, TensorDataset) and packing.in_graph(source):
            stream = packing.packed_stream(source, strict=False)
            prepared = self._of_stream(stream if treat is None else stream.map(treat, tf.data.AUTOTUNE))
        else:

            def read(rng: np.random.Generator | None = None) -> Iterator[dict[str, np.ndarray]]:
                rows = packing.packed(source, strict=False, rng=rng)
                return rows if treat is None else map(treat.rows, rows)

            if source.random_access:
                prepared = self.of_arrays(next(read()))
            else:
                signature = packing.signature(source)
                if treat is not None and treat.weighted:
                    signature[WEIGHT] = tf.TensorSpec((None,), tf.float32)
                prepared = self.of_reader(read, signature)
        return replace(prepared, refused=lambda: _refused(self.fitted, source))

    def of_arrays(self, arrays: dict[str, np.ndarray]) -> Prepared:
        dataset = from_memory(arrays, self._finish, self.batch_size, seed=self.seed, draw=self._draw)
        return self._with(dataset, lambda: _sliced(arrays))

    def of_reader(self, read: Rows, signature: Mapping[str, tf.TensorSpec]) -> Prepared:
        settings: Any = {"steps": self._steps, "seed": self.seed, "draw": self._draw}
        return self._with(from_chunks(read, signature, self._finish, self.batch_size, **settings), read)

    def _of_stream(self, stream: tf.data.Dataset) -> Prepared:
        settings: Any = {"steps": self._steps, "seed": self.seed, "draw": self._draw}
        dataset = from_stream(stream, self._finish, self.batch_size, **settings)
        return self._with(dataset, lambda: stream.as_numpy_iterator())

    def _sampled(self, stage: Rebalance, source: Source, treat: Treat | None) -> Prepared:
        """What a sampler makes of all rows, in memory."""
        rows = self._gathered(source, treat)
        numbers, fitted = rows.pop(NUMBER), self.fitted
        label, flow = fitted.spec.label, fitted.flow
        assert label is not None

        @functools.cache
        def final() -> dict[str, np.ndarray]:
            features = {name: x for name, x in rows.items() if name not in (LABEL, WEIGHT)}
            return _computed(flow.blocks, features)

        stages = fitted.recipe.stages
        try:
            if WEIGHT in rows and makes_rows(stage):
                raise PrepkitError(
                    f"rows have weights, of their own or by CleanLabels, and {stage.sampler} makes rows, of which "
                    "nobody knows the weight: use 'oversample', leave the weights out, or say CleanLabels('drop')."
                )
            made = draw_by_sampler(stage, flow.spec_out, final, rows[LABEL], label.class_names, self.seed)
        except PrepkitError as error:
            raise at_stage(stages.index(stage), stages, error) from error
        outcome = of_rows(made.rows, made.labels, numbers, len(label.classes), f"left out by {stage.sampler}")
        outcome = replace(outcome, notes=(made.note,) if made.note else ())
        fitted = replace(fitted, metadata=rebalanced(fitted.metadata, stages, outcome))
        if (made.rows >= 0).all():
            arrays = {name: x[made.rows] for name, x in rows.items()}
        else:
            places = np.where(made.rows >= 0, made.rows, len(numbers) + np.cumsum(made.rows < 0) - 1)
            arrays = {FINAL + n: np.concatenate([x, made.made[n]])[places] for n, x in final().items()}
            arrays[LABEL] = made.labels
        return replace(self, fitted=fitted).of_arrays(arrays)

    def _gathered(self, source: Source, treat: Treat | None) -> dict[str, np.ndarray]:
        """All training rows packed, with their labels treated and their numbers in the order of reading."""
        parts, start = [], 0
        for packed, keep in self.fitted.packing.training(source):
            n = len(packed[LABEL])
            numbered = {**packed, NUMBER: np.arange(start, start + n)}
            part = {name: x[np.broadcast_to(keep, n)] for name, x in numbered.items()}
            parts.append(part if treat is None else treat.rows(part))
            start += n
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    @cached_property
    def _draw(self) -> Draw | None:
        """How often rows come, where each epoch has other ones."""
        stage, metadata = resampling(self.fitted.recipe.stages), self.fitted.metadata
        if stage is None or not stage.draws:
            return None
        return Draw(metadata.counts_cleaned, metadata.counts, stage.balanced_batches)

    @property
    def _steps(self) -> int:
        return -(-sum(self.fitted.metadata.counts) // self.batch_size)

    def _with(self, dataset: tf.data.Dataset, rows: Rows) -> Prepared:
        metadata = self.fitted.metadata
        # Keras refuses class_weight beside weights of the rows; there the two are multiplied.
        weight = None if len(dataset.element_spec) == 3 else metadata.class_weight
        metadata = replace(
            metadata, batch_size=self.batch_size, steps_per_epoch=self._steps, seed=self.seed, class_weight=weight
        )
        return Prepared(dataset, metadata, self.fitted, rows)

    @as_written
    def _finish(self, packed: Mapping[str, tf.Tensor]) -> Any:
        """One batch, the weight of each row times that of its class where weights are part of the dataset."""
        stage, metadata = weighing(self.fitted.recipe.stages), self.fitted.metadata
        if WEIGHT not in packed and not (stage and stage.as_sample_weight):
            return self.fitted.packing.finish(packed)
        weights = weights_by_class(self.fitted.recipe.stages, metadata.counts, metadata.class_names)
        weight = tf.gather(tf.constant(weights, tf.float32), packed[LABEL])
        return self.fitted.packing.finish({**packed, WEIGHT: packed.get(WEIGHT, 1.0) * weight})


def _computed(blocks: Callable[[Any], Any], packed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Packed rows behind all stages, computed some at a time."""
    parts = list(map(Traced(blocks), _sliced(packed)))
    return {name: np.concatenate([np.asarray(part[name]) for part in parts]) for name in parts[0]}


def _sliced(arrays: Mapping[str, np.ndarray], size: int = 65_536) -> Iterator[dict[str, np.ndarray]]:
    for start in range(0, len(next(iter(arrays.values()))), size):
        yield {name: a[start : start + size] for name, a in arrays.items()}


def _refused(fitted: FittedPipeline, source: Source) -> Iterator[pa.Table]:
    """The rows in quarantine, from memory where all are held, else from the source once more."""
    gate, refusals = fitted.flow.entry.gate, fitted.refusals
    if gate is None or refusals.quarantined <= HELD:
        yield from refusals.held
        return
    label, start = fitted.spec.label, 0
    assert label is not None
    for chunk in source.chunks():
        labels = decode_label(chunk.label, label.form, label.name)
        verdict = fitted.flow.entry.judged(chunk, start).without(np.flatnonzero(labels.codes < 0))
        rows = np.flatnonzero(verdict.mask(gate.numbers(("quarantine",))))
        if len(rows):
            yield quarantined(gate, verdict, chunk, rows, start, label.name)
        start += len(chunk)
