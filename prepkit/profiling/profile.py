"""What is wrong with the data, in one pass over them."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from prepkit.errors import PrepkitError
from prepkit.profiling.compare import compare
from prepkit.profiling.data import LabelProfile, Profile
from prepkit.profiling.describe import describe, distinct_numbers
from prepkit.profiling.judge import judge
from prepkit.profiling.measure import Measured, measure
from prepkit.profiling.view import Split, View
from prepkit.scan import Coded
from prepkit.source import Source, as_source
from prepkit.source.files import Files, delimiter_of
from prepkit.source.reader import Reader, infer
from prepkit.spec import Kind


def profile(
    data: Any,
    label: str | None = None,
    *,
    kinds: Mapping[str, Kind] | None = None,
    batched: bool | None = None,
    against: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Profile:
    """What the columns and the label hold, and what is wrong with them, in one pass and bounded memory.

    Counts are of all rows: missing cells, means, extremes, classes, repeated rows (an estimate beyond a
    million different ones). Distributions, quantiles and what needs rows side by side (leakage, disguised
    missing values, columns that say the same) are of a sample of up to 30,000 rows, drawn evenly from all.

    Args:
        data: whatever `as_source` reads: a table, a dict of arrays, (X, y), a tf.data.Dataset, files.
        label: the column that is the label, where it is not given beside the features; without any,
            only the features are looked at.
        kinds: for some columns, the kind that inference should not guess.
        batched: for a dataset whose shapes leave it open, whether its elements are batches.
        against: other data sets by name, as {"test": ...}, each whatever `as_source` reads: rows that stand in
            both are told, and columns, categories and classes that differ.
        seed: of the sample.

    Returns:
        The profile; its `findings` say what was found, where, by which numbers, and which stage cures it.
        Columns that are empty or constant, a label with a single class, and a single row are findings or
        nothing, not errors.

    Raises:
        PrepkitError: if there are no rows, no such label, labels that are no classes, or cells of mixed types.

    Example:
        >>> import pandas as pd
        >>> import prepkit as pk
        >>> frame = pd.DataFrame({"age": [20.0, None, 40.0], "unit": "years", "y": [0, 1, 0]})
        >>> [(f.code, f.where) for f in pk.profile(frame, label="y").findings if f.severity == "warning"]
        [('column.constant', "column 'unit'"), ('missing', "column 'age'")]
    """
    source = as_source(data, label, batched=batched)
    reader = Reader(source)
    spec = infer(source, reader.head, label, kinds or {}, labelled=reader.head.label is not None)
    measured = measure(source, reader.chunks(), spec, seed=seed)
    splits = {name: _compared(measured, other, name, label, batched) for name, other in (against or {}).items()}
    with ThreadPoolExecutor(1) as pool:  # the hash table of pandas needs no lock of Python's
        repeated = pool.submit(lambda: measured.duplicates.repeated)
        view = viewed(measured, source, splits)
        repeated.result()
    return Profile(
        source=source.name,
        rows=measured.rows,
        sampled=len(measured.sample),
        columns=tuple(view.columns.values()),
        label=_label(measured),
        duplicates=measured.duplicates.repeated,
        duplicates_exact=measured.duplicates.exact,
        findings=judge(view),
        splits={name: split.rows for name, split in splits.items()},
    )


def viewed(measured: Measured, source: Source, splits: Mapping[str, Split] | None = None) -> View:
    """What was measured, with a profile of each column."""
    sample = measured.sample
    numbers = {n: distinct_numbers(v) for n, v in sample.columns.items() if not isinstance(v, Coded)}
    columns = {n: describe(measured, n, numbers.get(n)) for n in measured.spec.names}
    csv = isinstance(source, Files) and source.kind == "csv"
    separator = delimiter_of(source.files[0]) if csv and isinstance(source, Files) else ""
    return View(measured, columns, numbers, not csv, separator, splits or {})


def _label(measured: Measured) -> LabelProfile | None:
    label, tally = measured.spec.label, measured.label
    if label is None or tally is None:
        return None
    counts = tuple(tally.counts[c] for c in label.classes)
    return LabelProfile(label.name, label.form, label.class_names, counts, tally.missing)


def _compared(measured: Measured, data: Any, name: str, label: str | None, batched: bool | None) -> Split:
    try:
        return compare(measured, as_source(data, label, batched=batched, required=False))
    except PrepkitError as error:
        raise PrepkitError(f"against[{name!r}]: {error}") from error
