"""Any input becomes a `Source`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from prepkit.errors import PrepkitError
from prepkit.source.base import CHUNK, RawChunk, Source
from prepkit.source.table import Table, from_arrays, from_frame, from_mapping, is_frame

__all__ = ["CHUNK", "RawChunk", "Source", "Table", "as_source"]


def as_source(
    data: Any,
    label: str | None = None,
    *,
    batched: bool | None = None,
    features: Mapping[str, Any] | None = None,
    required: bool = True,
) -> Source:
    """Read `data`, whatever they are.

    Args:
        data: a pandas, polars or pyarrow table (whatever narwhals knows); a dict of arrays; X alone,
            (X, y) or (X, y, weight), X a matrix, images, a table or a dict; a tf.data.Dataset; or a
            path, a glob or a list of them of CSV (.gz too), Parquet, TFRecord or NPZ files.
        label: name of the column that is the label; None where it comes beside the features.
        batched: for a dataset, whether its elements are batches; None to tell from the shapes.
        features: for TFRecord, the feature spec of `tf.io.parse_example`; None to infer it.
        required: whether `label` must be there.

    Raises:
        PrepkitError: if there are no rows, no such label, or `data` are nothing that can be read.
    """
    if isinstance(data, Source):
        if label is not None and required and data.label not in (label, None):
            raise PrepkitError(
                f"label={label!r}, but the source was made with label={data.label!r}: give one of the two."
            )
        return data
    if isinstance(data, str | Path) or (isinstance(data, list) and all(isinstance(d, str | Path) for d in data)):
        from prepkit.source.files import Files, find_files, read_tfrecord

        files, kind = find_files(data)
        if kind != "tfrecord":
            return Files(files, kind, label, required=required)
        from prepkit.source.dataset import TensorDataset

        name = files[0].name if len(files) == 1 else f"{files[0].name} and {len(files) - 1} more"
        return TensorDataset(read_tfrecord(files, features), label, True, required=required, file=name)
    if type(data).__module__.startswith("tensorflow.") and hasattr(data, "element_spec"):
        from prepkit.source.dataset import TensorDataset

        return TensorDataset(data, label, batched, required=required)
    if isinstance(data, tuple):
        if any(isinstance(part, str | Path) for part in data):
            raise PrepkitError(f"the tuple {data!r} holds paths: give several files as a list, and arrays as (X, y).")
        if not 1 <= len(data) <= 3:
            raise PrepkitError(f"a tuple of {len(data)} arrays: give (X, y) or (X, y, weight).")
        return from_arrays(*data).splitting(label, required=required)
    if isinstance(data, Mapping):
        return from_mapping(data).splitting(label, required=required)
    if isinstance(data, pa.RecordBatch):
        data = pa.Table.from_batches([data])
    if is_frame(data):
        return from_frame(data).splitting(label, required=required)
    if hasattr(data, "__array__") and not hasattr(data, "toarray"):
        if label is not None and required:
            raise PrepkitError(f"label={label!r}, but X is an array without column names: give (X, y).")
        return from_arrays(data)
    raise PrepkitError(
        f"cannot read data of type {type(data).__name__}: give a data frame, a dict of arrays, (X, y) arrays "
        "(sparse ones as X.toarray()), a tf.data.Dataset, or the path of CSV, Parquet, TFRecord or NPZ files."
    )
