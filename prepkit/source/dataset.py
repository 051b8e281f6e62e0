"""A user's own tf.data.Dataset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf

from prepkit.errors import PrepkitError
from prepkit.source.base import RawChunk, RawColumn, Source, column_of

SCAN_BATCH = 8192  # rows at a time while fitting


class TensorDataset(Source):
    """A dataset of x, (x, y) or (x, y, weight), x a dict or a tensor, batched or not.

    Args:
        dataset: the dataset; finite.
        label: the feature that is the label, where the dataset has x alone.
        batched: whether elements are batches; None to tell from the shapes.
    """

    def __init__(
        self,
        dataset: tf.data.Dataset,
        label: str | None = None,
        batched: bool | None = None,
        *,
        required: bool = True,
    ) -> None:
        self.name = "tf.data.Dataset"
        check_spec(dataset.element_spec)
        if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
            raise PrepkitError(
                "the dataset is infinite: fit on one epoch, as in dataset.take(steps), and repeat later."
            )
        self.batched = is_batched(dataset.element_spec) if batched is None else batched
        self.dataset = dataset if self.batched else dataset.batch(SCAN_BATCH)
        x, y, _ = split_element(self.dataset.element_spec)
        self.structure = "columns" if isinstance(x, Mapping) else "array"
        if not required and not (isinstance(x, Mapping) and label in x and y is None):
            label = None
        self.label = label
        if label is not None and isinstance(x, Mapping) and label in x and y is not None:
            raise PrepkitError(f"label={label!r} is a feature, and y is given beside it: give one of the two.")
        if y is None and label is not None:
            if not isinstance(x, Mapping):
                raise PrepkitError(f"label={label!r}, but the dataset has tensors without names: give (x, y).")
            column_of(x, label, "the dataset")
        n = int(dataset.cardinality())
        self.n_rows = n if n >= 0 and not self.batched else None

    def separate(self, element: Any) -> tuple[Any, Any, Any]:
        """x, y and weight of an element, y taken out of x where it is named."""
        x, y, w = split_element(element)
        if self.label is not None and y is None:
            x = dict(x)
            y = x.pop(self.label)
        return x, y, w

    def chunks(self, rng: np.random.Generator | None = None) -> Iterator[RawChunk]:
        for element in self.dataset.rebatch(SCAN_BATCH).prefetch(2):
            x, y, w = self.separate(element)
            weight = None if w is None else np.asarray(w, np.float64).reshape(-1)
            if isinstance(x, Mapping):
                columns = {str(n): _numpy(t) for n, t in x.items()}
                yield RawChunk(columns, label=None if y is None else _numpy(y), weight=weight)
                continue
            array, label = _numpy(x), None if y is None else _numpy(y)
            if array.ndim <= 2 and isinstance(array, np.ndarray):
                yield RawChunk({}, matrix=array.reshape(len(array), -1), label=label, weight=weight)
            else:
                yield RawChunk({"x": array}, label=label, weight=weight)


def _numpy(tensor: tf.Tensor) -> RawColumn:
    if isinstance(tensor, tf.SparseTensor | tf.RaggedTensor):
        raise PrepkitError("the dataset has sparse or ragged features: make them dense with .to_dense() in a map.")
    array = tensor.numpy()
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if tensor.dtype != tf.string:
        return array
    if array.ndim != 1:
        raise PrepkitError(f"a string feature has shape {tensor.shape}: give one string a row.")
    try:
        return pa.array(array, pa.binary()).cast(pa.string())
    except pa.ArrowInvalid:
        return pa.array([v.decode("utf-8", "replace") for v in array])


def split_element(element: Any) -> tuple[Any, Any, Any]:
    """x, y, weight of a dataset's element (or its spec), None for what there is not."""
    if isinstance(element, tuple):
        if not 1 <= len(element) <= 3:
            raise PrepkitError(f"the dataset has elements of {len(element)} parts: give x, (x, y) or (x, y, weight).")
        return (*element, None, None)[:3]  # type: ignore[return-value]
    return element, None, None


def check_spec(spec: Any) -> None:
    """Refuse what no stage can work on, naming the part."""
    x, y, w = split_element(spec)
    parts = dict(x) if isinstance(x, Mapping) else {"x": x}
    parts |= {k: v for k, v in (("y", y), ("weight", w)) if v is not None}
    for name, part in parts.items():
        if isinstance(part, Mapping | tuple | list):
            raise PrepkitError(f"{name!r} of the dataset is nested: give one dict of tensors (and one label).")
        if getattr(part, "shape", None) is None or part.shape.rank is None:
            raise PrepkitError(
                f"{name!r} of the dataset has unknown rank: give from_generator an output_signature, or call "
                "tensor.set_shape(...) in the map that makes it."
            )


def is_batched(spec: Any) -> bool:
    """Whether elements are batches, told from the shapes alone.

    Raises:
        PrepkitError: where both readings are possible; it names the argument that settles it.
    """
    x, y, _ = split_element(spec)
    parts = list(x.values()) if isinstance(x, Mapping) else [x]
    shapes = [p.shape for p in (*parts, y) if p is not None]
    if any(s.rank == 0 for s in shapes):
        return False
    if all(s[0] is None for s in shapes):
        return True
    if any(s[0] is None for s in shapes):
        return False
    firsts = {s[0] for s in shapes}
    if len(firsts) > 1:
        return False
    if (y is not None and y.shape.rank == 2) or (y is None and all(s.rank == 1 for s in shapes) and len(shapes) > 1):
        return True
    raise PrepkitError(
        f"elements of shapes {[tuple(s) for s in shapes]} may be rows or batches of {firsts.pop()} rows: "
        "say which with batched=True or batched=False."
    )
