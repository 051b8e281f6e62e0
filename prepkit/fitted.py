"""What `Pipeline.fit` and `Pipeline.prepare` return: the same numbers for training, evaluation and serving."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import tensorflow as tf

from prepkit import storage
from prepkit.balance.prior import correction
from prepkit.core import Stage
from prepkit.drift.compare import compare
from prepkit.drift.data import Drift
from prepkit.entry import Entry
from prepkit.errors import PrepkitError
from prepkit.feed import from_chunks, from_memory, from_stream
from prepkit.flow import Flow
from prepkit.gate import Gate
from prepkit.graph import as_written
from prepkit.labels import formed
from prepkit.metadata import Metadata
from prepkit.packing import Packing
from prepkit.rows.check import Validation, checked
from prepkit.rows.quarantine import Refusals
from prepkit.rows.repeats import with_repeats
from prepkit.rows.schema import schema_of
from prepkit.rows.validate import Validate
from prepkit.source import as_source
from prepkit.source.dataset import TensorDataset, check_spec, is_batched, split_element
from prepkit.source.reader import Reader
from prepkit.spec import Spec

if TYPE_CHECKING:
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
    def packing(self) -> Packing:
        """The way of rows from a source into batches."""
        return Packing(self.flow, self.recipe.labels)

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
            return from_stream(
                self.packing.packed_stream(source, strict=True), self.packing.finish, batch_size, steps=steps
            )
        if source.random_access:
            arrays = next(self.packing.packed(source, strict=True))
            return from_memory(arrays, self.packing.finish, batch_size)
        steps = None if source.n_rows is None else -(-source.n_rows // batch_size)
        read = lambda: self.packing.packed(source, strict=True)  # noqa: E731
        return from_chunks(read, self.packing.signature(source), self.packing.finish, batch_size, steps=steps)

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
            number = self.packing.encoder(y, strict=True)
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

    def attach(self, model: Any, *, rules: bool = False, correct_prior: bool = True) -> Served:
        """A Keras model from raw columns to class probabilities; see `prepkit.keras.Served`.

        Where classes were rebalanced, the network has seen other shares of them (`metadata.training_prior`) than there
        are (`metadata.prior`), and takes rare classes for as frequent as they were made.

        Args:
            model: takes this pipeline's features; its loss, if compiled, tells whether it gives logits.
            rules: whether it also says of each row which rules of `Validate` it breaks.
            correct_prior: whether probabilities are those under `metadata.prior`, by what is added to each class's
                logit; else they are what the model gives. Say False if class weights were not given to `model.fit`.

        Raises:
            PrepkitError: if the model does not take these features.
        """
        from prepkit.keras import Served

        return Served.of(self.flow, model, rules=rules, correction=self.correction if correct_prior else None)

    @property
    def correction(self) -> tuple[float, ...]:
        """What `attach` adds to the logit of each class, so that probabilities are true; 0 where all is as it was."""
        return correction(self.metadata.prior, self.metadata.training_prior)

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
        return differences(features, data, self.flow, model, correction=self.correction)

    def save(self, path: str | Path) -> Path:
        """Write a directory that `load` reads; an earlier one of that name is replaced."""
        return storage.write(path, self.flow, self.recipe.labels, self.metadata.to_json(), None)

    def __repr__(self) -> str:
        m = self.metadata
        size = f"{len(self.spec.columns)} columns -> {len(self.feature_names)} features"
        rules = f"\n{self.flow.entry.gate}" if self.flow.entry.gate else ""
        return f"FittedPipeline({size}, {len(m.class_names)} classes, {m.ledger})\n{self.recipe!r}{rules}"


def whole(value: Any, name: str, least: int) -> int:
    """A whole number from `least` to the largest that TensorFlow counts by, or an error."""
    if not isinstance(value, int | np.integer) or not least <= value < 2**63:
        raise PrepkitError(f"{name}={value}: give {least} or more, a whole number.")
    return int(value)
