"""Tables of training rows as cleaning sees them, made by a fitted recipe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

import prepkit as pk
from prepkit.cleaning.crossfit import Rows
from prepkit.cleaning.data import Table
from prepkit.cleaning.design import Design
from prepkit.source import as_source
from prepkit.spec import Column

Columns = Mapping[str, np.ndarray]


def table(features: Columns | np.ndarray, labels: Sequence[int] | np.ndarray, **kinds: Any) -> Table:
    """The rows of one chunk, packed by the entry of a recipe that was fitted on them.

    Args:
        features: columns by name, or one array (rows, ...).
        labels: class numbers (rows,); those that have no row do not count as classes.
        kinds: of columns, where they are not to be inferred.
    """
    labels = np.asarray(labels)
    data = (dict(features) if isinstance(features, Mapping) else features, labels)
    stages = [pk.Datetime()] if any(v.dtype.kind == "M" for v in getattr(features, "values", list)()) else []
    fitted = pk.Pipeline(stages, output="dict").fit(data, kinds=kinds)
    assert fitted.flow.entry.raw.label is not None
    names = fitted.flow.entry.raw.label.class_names
    (chunk,) = as_source(data, None).chunks()
    n = np.arange(len(labels))
    return Table(
        spec=fitted.flow.entry.spec,
        blocks=fitted.flow.entry.packed(chunk),
        labels=np.unique(labels, return_inverse=True)[1].astype(np.int32),
        class_names=names,
        weights=None,
        keys=n.astype(np.uint64),
        alike=n,
        numbers=n,
        read=len(n),
    )


def design(of: Table, sample: np.ndarray | None = None, columns: Sequence[Column] | None = None) -> Design:
    """Of all rows and columns, where not told otherwise."""
    columns = of.spec.columns if columns is None else columns
    return Design(of, columns, np.arange(len(of)) if sample is None else sample, seed=0)


def rows(of: Table, **more: Any) -> Rows:
    """All rows of a table, to be judged; `more` are other fields."""
    facts = {
        "design": design(of),
        "labels": of.labels,
        "classes": len(of.class_names),
        "weights": None,
        "alike": of.alike,
        "chosen": np.arange(len(of)),
        "fixed": np.zeros(len(of), bool),
        "filter_by": "prune_by_noise_rate",
        "seed": 0,
    }
    return Rows(**facts | more)


def one_thread() -> Iterator[None]:
    """A fixture: fits of so few rows take ten times as long on threads that wait for each other beside other work."""
    with threadpool_limits(1):
        yield
