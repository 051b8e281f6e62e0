"""Choose a recipe from the data, with a reason for each stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from prepkit.core import Stage
from prepkit.entry import Entry
from prepkit.errors import PrepkitError
from prepkit.features.choose import Drop
from prepkit.features.datetime import Datetime
from prepkit.features.encode import OneHot
from prepkit.features.impute import Impute
from prepkit.features.rescale import Rescale
from prepkit.features.text import Text
from prepkit.source.reader import Reader, infer
from prepkit.labels import decode_label
from prepkit.pipeline import Pipeline
from prepkit.rows.rebalance import Rebalance
from prepkit.scan import Coded
from prepkit.source import as_source
from prepkit.spec import Column, Kind, Spec

# Chosen by the test log-loss of a plain network on 15 public tables, so tuned to those: rules of thumb.
MANY = 40  # categories; with more of them
SPARSE = 10  # and fewer rows for each than this, their spellings tell more than they do
FAR = 6  # interquartile ranges; of a normal distribution, 8 standard deviations
WIDE = 500  # one-hot columns for one column, at most
FEWEST_BINS, MOST_BINS = 64, 1024
RARE = 0.2  # share of the rows, times the number of classes, below which a class is rare


def recommend(
    data: Any,
    label: str | None = None,
    *,
    kinds: Mapping[str, Kind] | None = None,
    batched: bool | None = None,
) -> Pipeline:
    """A pipeline chosen from the data, whose stages carry their reason.

    Looks at all of a table in memory, and at the first rows of what is streamed.

    Args:
        data: training data; whatever `as_source` reads.
        label: the column that is the label, where it is not given beside the features.
        kinds: for some columns, the kind that inference should not guess.
        batched: for a dataset whose shapes leave it open, whether its elements are batches.

    Raises:
        PrepkitError: as `Pipeline.fit`; and if no column is left to learn from.

    Example:
        >>> import pandas as pd
        >>> import prepkit as pk
        >>> frame = pd.DataFrame({"age": [20.0, None, 40.0], "job": ["cook", "smith", "cook"], "y": [0, 1, 0]})
        >>> [type(stage).__name__ for stage in pk.recommend(frame, label="y").stages]
        ['Impute', 'Rescale', 'OneHot']
    """
    source = as_source(data, label, batched=batched)
    chunk = Reader(source).head
    spec = infer(source, chunk, label, kinds or {})
    decoded = Entry(spec, {}).decode(chunk)
    assert spec.label is not None and chunk.label is not None
    labels = decode_label(chunk.label, spec.label.form, spec.label.name)
    useless = [c for c in spec.columns if c.role != "feature"]
    columns = [c for c in spec.columns if c.role == "feature"]
    if not columns:
        raise PrepkitError(
            "no column to learn from: all are " + ", ".join(f"{c.name!r} ({c.role})" for c in useless[:8])
        )
    stages: list[Stage[Any]] = []
    if useless:
        why = "; ".join(f"{c.name}: {c.role}" for c in useless[:8])
        stages.append(Drop([c.name for c in useless], reason=f"nothing to learn from: {why}"))
    stages += _numbers(spec, columns, decoded)
    stages += _categories(columns, decoded)
    stages += _balance(labels, spec)
    return Pipeline(stages)


def _numbers(spec: Spec, columns: Sequence[Column], decoded: Mapping[str, Any]) -> list[Stage[Any]]:
    stages: list[Stage[Any]] = []
    if any(c.kind == "datetime" for c in columns):
        stages.append(Datetime(reason="points in time as a trend and as cycles"))
    numeric = [c for c in columns if c.kind in ("numeric", "tensor")]
    pixels = bool(numeric) and all(_is_pixels(decoded[c.name]) for c in numeric)
    if pixels:
        return [*stages, Rescale("unit", reason="pixels from 0 to 255")]
    missing = [c.name for c in columns if _has_missing(decoded[c.name])]
    why = f"missing cells in {', '.join(missing[:5])}" if missing else "for missing cells in later data"
    stages.append(Impute(reason=why))
    heavy = [c.name for c in numeric if not c.shape and _is_heavy(decoded[c.name])]
    if heavy:
        why = f"values beyond {FAR} interquartile ranges from the median, or half of them alike"
        stages.append(Rescale("squash", columns=heavy, reason=why))
    if numeric or any(c.kind == "datetime" for c in columns):
        stages.append(Rescale("standard", reason="one scale for all columns"))
    return stages


def _is_heavy(values: np.ndarray) -> bool:
    """Whether a few values would dwarf the others once the column is standardised."""
    finite = values[np.isfinite(values)].astype(np.float64)
    if not len(finite):
        return False
    low, q1, median, q3, high = np.quantile(finite, [0.0, 0.25, 0.5, 0.75, 1.0])
    return bool(high > low and max(high - median, median - low) > FAR * (q3 - q1))


def _is_pixels(values: Any) -> bool:
    """uint8, or whole numbers from 0 to 255 of which some are large."""
    if values.dtype == np.uint8:
        return True
    some = values[:1000]
    return bool(values.ndim > 1 and np.isfinite(some).all() and some.min() >= 0 and 1 < some.max() <= 255)


def _has_missing(values: Any) -> bool:
    if isinstance(values, Coded):
        return bool((values.codes < 0).any())
    return values.dtype.kind == "f" and not bool(np.isfinite(values).all())


def _categories(columns: Sequence[Column], decoded: Mapping[str, Any]) -> list[Stage[Any]]:
    categorical = [c.name for c in columns if c.kind == "categorical"]
    sparse = [n for n in categorical if len(decoded[n].values) > MANY and _rows_each(decoded[n]) < SPARSE]
    dense = [n for n in categorical if n not in sparse]
    texts = [c.name for c in columns if c.kind == "text"]
    stages: list[Stage[Any]] = []
    if dense:
        most = max(len(decoded[n].values) for n in dense)
        limit = None if most <= WIDE else WIDE
        why = f"at most {most} categories a column"
        stages.append(OneHot(max_categories=limit, columns=dense if sparse else None, reason=why))
    if sparse or texts:
        why = f"free text, or fewer than {SPARSE} rows for each of more than {MANY} categories"
        rows = len(decoded[(sparse or texts)[0]])
        bins = _bins(rows, len(sparse) + len(texts))
        stages.append(Text(bins=bins, columns=[*sparse, *texts] if sparse else None, reason=why))
    return stages


def _bins(rows: int, columns: int) -> int:
    """A power of two, at most half as many for all columns together as there are rows to learn them from."""
    fitting = max(1, rows // (2 * columns))
    return min(MOST_BINS, max(FEWEST_BINS, 1 << (fitting.bit_length() - 1)))


def _rows_each(values: Coded) -> float:
    """Rows with a value, for each value."""
    return float((values.codes >= 0).sum() / max(1, len(values.values)))


def _balance(labels: Coded, spec: Spec) -> list[Stage[Any]]:
    counts = np.bincount(labels.codes[labels.codes >= 0])
    counts = counts[counts > 0]
    if len(counts) < 2 or counts.min() / counts.sum() * len(counts) >= RARE:
        return []
    share = 100 * counts.min() / counts.sum()
    return [Rebalance("class_weight", reason=f"the rarest of {len(counts)} classes has {share:.2g} % of the rows")]
