"""Choose a recipe from the data, with a reason for each stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from prepkit.core import Stage
from prepkit.errors import PrepkitError
from prepkit.features.choose import Drop
from prepkit.features.datetime import Datetime
from prepkit.features.encode import OneHot
from prepkit.features.impute import Impute
from prepkit.features.rescale import Rescale
from prepkit.features.text import Text
from prepkit.pipeline import Pipeline
from prepkit.profiling.describe import distinct_numbers, estimated, quantiles
from prepkit.profiling.measure import Measured, measure
from prepkit.rows.rebalance import Rebalance
from prepkit.source import as_source
from prepkit.source.reader import Reader, infer
from prepkit.spec import Column, Kind

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

    Judges by what a profile measures: of all rows of a table in memory, of the first ones of what is streamed.

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
    reader = Reader(source)
    spec = infer(source, reader.head, label, kinds or {})
    found = measure(source, [reader.head], spec, whole=source.random_access, repeated=False)
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
    stages += _numbers(found, columns)
    stages += _categories(found, columns)
    stages += _balance(found)
    return Pipeline(stages)


def _numbers(found: Measured, columns: Sequence[Column]) -> list[Stage[Any]]:
    stages: list[Stage[Any]] = []
    if any(c.kind == "datetime" for c in columns):
        stages.append(Datetime(reason="points in time as a trend and as cycles"))
    numeric = [c for c in columns if c.kind in ("numeric", "tensor")]
    if numeric and all(_is_pixels(found, c) for c in numeric):
        return [*stages, Rescale("unit", reason="pixels from 0 to 255")]
    missing = [c.name for c in columns if found.tallies[c.name].missing]
    why = f"missing cells in {', '.join(missing[:5])}" if missing else "for missing cells in later data"
    stages.append(Impute(reason=why))
    heavy = [c.name for c in numeric if not c.shape and _is_heavy(found, c.name)]
    if heavy:
        why = f"values beyond {FAR} interquartile ranges from the median, or half of them alike"
        stages.append(Rescale("squash", columns=heavy, reason=why))
    if numeric or any(c.kind == "datetime" for c in columns):
        stages.append(Rescale("standard", reason="one scale for all columns"))
    return stages


def _is_heavy(found: Measured, name: str) -> bool:
    """Whether a few values would dwarf the others once the column is standardised."""
    numbers, extremes = distinct_numbers(found.sample.columns[name]), found.tallies[name].extremes
    if not len(numbers.values) or extremes.high <= extremes.low:
        return False
    q1, median, q3 = quantiles(numbers, (0.25, 0.5, 0.75))
    return bool(max(extremes.high - median, median - extremes.low) > FAR * (q3 - q1))


def _is_pixels(found: Measured, column: Column) -> bool:
    """uint8 of an array, or a tensor of numbers from 0 to 255 of which some are above 1."""
    if column.dtype == "uint8" and found.spec.structure == "array":
        return True
    tally = found.tallies[column.name]
    return bool(column.shape and not tally.missing and tally.extremes.low >= 0 and 1 < tally.extremes.high <= 255)


def _categories(found: Measured, columns: Sequence[Column]) -> list[Stage[Any]]:
    distinct = {c.name: _distinct(found, c.name) for c in columns if c.kind == "categorical"}
    sparse = [n for n, k in distinct.items() if k > MANY and _present(found, n) < SPARSE * k]
    dense = [n for n in distinct if n not in sparse]
    texts = [c.name for c in columns if c.kind == "text"]
    stages: list[Stage[Any]] = []
    if dense:
        most = max(distinct[n] for n in dense)
        limit = None if most <= WIDE else WIDE
        why = f"at most {most} categories a column"
        stages.append(OneHot(max_categories=limit, columns=dense if sparse else None, reason=why))
    if sparse or texts:
        why = f"free text, or fewer than {SPARSE} rows for each of more than {MANY} categories"
        bins = _bins(found.rows, len(sparse) + len(texts))
        stages.append(Text(bins=bins, columns=[*sparse, *texts] if sparse else None, reason=why))
    return stages


def _distinct(found: Measured, name: str) -> int:
    """Different categories; an estimate where there are too many to count."""
    tally, values = found.tallies[name], found.sample.columns[name]
    return (
        estimated(np.bincount(values.codes[values.codes >= 0]), tally, whole=False)[0]
        if tally.cut
        else len(tally.counts)
    )


def _present(found: Measured, name: str) -> int:
    return found.tallies[name].cells - found.tallies[name].missing


def _bins(rows: int, columns: int) -> int:
    """A power of two, at most half as many for all columns together as there are rows to learn them from."""
    fitting = max(1, rows // (2 * columns))
    return min(MOST_BINS, max(FEWEST_BINS, 1 << (fitting.bit_length() - 1)))


def _balance(found: Measured) -> list[Stage[Any]]:
    assert found.label is not None
    counts = np.array(list(found.label.counts.values()))
    if len(counts) < 2 or counts.min() / counts.sum() * len(counts) >= RARE:
        return []
    share = 100 * counts.min() / counts.sum()
    return [Rebalance("class_weight", reason=f"the rarest of {len(counts)} classes has {share:.2g} % of the rows")]
