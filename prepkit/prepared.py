"""What `Pipeline.prepare` returns: all that training needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import tensorflow as tf

from prepkit import storage
from prepkit.balance.threshold import best_threshold, labelled_probabilities
from prepkit.cleaning.data import ISSUE_COLUMNS, Cleaning
from prepkit.errors import PrepkitError
from prepkit.fitted import FittedPipeline
from prepkit.keras import Served
from prepkit.metadata import Metadata
from prepkit.rows.quarantine import BROKEN, ROW, first_held

if TYPE_CHECKING:
    import pandas

Rows = Callable[..., Iterator[dict[str, np.ndarray]]]


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
        validation: rows for validation as the model takes them, in order and each once, in batches; None where
            `prepare` was asked for none, and once loaded from disk.
        train_rows: int64, the numbers of the rows that `prepare` has left for training, in the order in which the data
            were read: the rows that row numbers count. None where nothing was split, and of a stream.
    """

    dataset: tf.data.Dataset
    metadata: Metadata
    pipeline: FittedPipeline
    rows: Rows = field(repr=False)
    refused: Callable[[], Iterator[pa.Table]] | None = field(default=None, repr=False)
    cleaning: Cleaning | None = field(default=None, repr=False)
    issues: Callable[[], Iterator[pa.Table]] | None = field(default=None, repr=False)
    validation: tf.data.Dataset | None = None
    train_rows: np.ndarray | None = field(default=None, repr=False)

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

    def threshold(
        self,
        valid: Any = None,
        model: Any = None,
        *,
        metric: str | Callable[..., float] = "balanced_accuracy",
        probabilities: Any = None,
        correct_prior: bool = True,
    ) -> float:
        """The probability of class 1 from which on it is best to predict it, of two classes.

        Args:
            valid: labelled data that were not trained on, of whatever kind `as_source` reads; None for those that
                `prepare` has set apart.
            model: trained on `dataset`, or one that `attach` has made, with the correction that that has.
            metric: "accuracy", "balanced_accuracy", "f1", "mcc" or "g_mean", or a function of (y_true, y_pred).
            probabilities: instead of a model: of class 1, (rows,), or of both, (rows, 2), in the order of `valid`.
            correct_prior: as for `attach`: the threshold is one of the probabilities that `attach(model)` gives.

        Raises:
            PrepkitError: for more than two classes, data without labels or of one class, or neither model nor
                probabilities.
        """
        fitted = self.pipeline
        if (model is None) == (probabilities is None):
            raise PrepkitError("threshold: give the model that was trained, or its probabilities: one of the two.")
        dataset = self.validation if valid is None else fitted.transform(valid, self.metadata.batch_size or 256)
        if dataset is None:
            raise PrepkitError("threshold: give validation data, or prepare with validation_split=0.2.")
        if not isinstance(dataset.element_spec, tuple):
            raise PrepkitError("threshold: the validation data have no labels to judge a threshold by: add them.")
        if probabilities is not None:
            labels = np.concatenate([element[1] for element in dataset.as_numpy_iterator()])
            return best_threshold(labels.argmax(1) if labels.ndim == 2 else labels, probabilities, metric)
        given = model.probabilities if isinstance(model, Served) else model
        correction = fitted.correction if correct_prior else None
        y, p = labelled_probabilities(given, dataset, correction=correction)
        return best_threshold(y, p, metric)

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
