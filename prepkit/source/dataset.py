"""A user's own tf.data.Dataset."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf

from prepkit.errors import PrepkitError
from prepkit.graph import as_written
from prepkit.source.base import RawChunk, RawColumn, Source, chunk_rows, column_of, weights_of

SCAN_BATCH = 8192  # rows at a time while fitting, at most
STRING_BYTES = 32  # of one string, as a guess


class TensorDataset(Source):
    """A dataset of x, (x, y) or (x, y, weight), x a dict or a tensor, batched or not.

    Args:
        dataset: the dataset; finite.
        label: the feature that is the label, where the dataset has x alone.
        batched: whether elements are batches; None to tell from the shapes.
        required: whether `label` must be there.
        file: the name of what it reads, for messages; "" for a user's own dataset, of which errors are
            left as they are.

    Raises:
        PrepkitError: if it is infinite, its elements are nothing that a stage can work on, or `batched`
            cannot be told or cannot be.
    """

    def __init__(
        self,
        dataset: tf.data.Dataset,
        label: str | None = None,
        batched: bool | None = None,
        *,
        required: bool = True,
        file: str = "",
    ) -> None:
        self.name, self.file = file or "tf.data.Dataset", file
        check_spec(dataset.element_spec)
        if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
            raise PrepkitError(
                "the dataset is infinite: fit on one epoch, as in dataset.take(steps), and repeat later."
            )
        if batched is None:
            batched = is_batched(dataset.element_spec)
        elif batched:
            _refuse_scalars(dataset.element_spec)
        self.batched = batched
        self._rows = min(SCAN_BATCH, chunk_rows(_row_bytes(dataset.element_spec, batched)))
        self.dataset = dataset if batched else dataset.batch(self._rows)
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
            column_of(x, label, self.name)
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
        start = 0
        try:
            batches = self.dataset.rebatch(self._rows).map(_coded, num_parallel_calls=tf.data.AUTOTUNE)
            for element in batches.prefetch(2):
                chunk = self._chunk(*self.separate(element), start)
                start += len(chunk)
                yield chunk
        except (tf.errors.DataLossError, tf.errors.InvalidArgumentError) as error:
            if not self.batched and "Cannot batch tensors with different shapes" in error.message:
                raise PrepkitError(
                    f"the elements of the dataset have different shapes ({_plain(error)}): say batched=True if they "
                    "are batches; if they are rows, pad them."
                ) from error
            if not self.file:
                raise
            raise PrepkitError(
                f"{self.file}: a record cannot be read: {_plain(error)}: give as_source features=, a feature spec that "
                "holds for every record."
            ) from error

    def blank(self) -> RawChunk:
        """No row, in the types of the dataset's elements."""

        def empty(spec: Any) -> Any:
            if spec is None:
                return None
            if spec.dtype == tf.string:
                return pa.array([], pa.string())
            dtype = tf.float32 if spec.dtype == tf.bfloat16 else spec.dtype
            shape = [n or 1 for n in spec.shape[1:]]
            return np.empty((0, *(shape if shape != [1] else [])), dtype.as_numpy_dtype)

        x, y, _ = self.separate(self.dataset.element_spec)
        if isinstance(x, Mapping):
            return RawChunk({name: empty(spec) for name, spec in x.items()}, label=empty(y))
        array = empty(x)
        if isinstance(array, np.ndarray) and array.ndim <= 2:
            return RawChunk({}, matrix=array[:, None] if array.ndim == 1 else array, label=empty(y))
        return RawChunk({"x": array}, label=empty(y))

    def _chunk(self, x: Any, y: Any, w: Any, start: int) -> RawChunk:
        label = None if y is None else _numpy(y, "y")
        weight = None if w is None else weights_of(w, self.name, start)
        if isinstance(x, Mapping):
            columns = {name: _numpy(tensor, name) for name, tensor in x.items()}
            plain = frozenset(name for name, column in columns.items() if isinstance(column, pa.DictionaryArray))
            return RawChunk(columns, label=label, weight=weight, plain=plain)
        array = _numpy(x, "x")
        if isinstance(array, np.ndarray) and array.ndim <= 2:
            matrix = array[:, None] if array.ndim == 1 else array
            return RawChunk({}, matrix=matrix, label=label, weight=weight)
        plain = frozenset({"x"} if isinstance(array, pa.DictionaryArray) else ())
        return RawChunk({"x": array}, label=label, weight=weight, plain=plain)


@as_written
def _coded(*element: Any) -> Any:
    """Each column of strings as its distinct ones and where they occur: the graph counts them, not Python."""

    def coded(tensor: Any) -> Any:
        if isinstance(tensor, tf.Tensor) and tensor.dtype == tf.string and _is_column(tensor.shape):
            return tuple(tf.unique(tf.reshape(tensor, [-1])))
        return tensor

    x, *rest = element
    x = {name: coded(t) for name, t in x.items()} if isinstance(x, Mapping) else coded(x)
    return x, *map(coded, rest)


def _is_column(shape: tf.TensorShape) -> bool:
    return bool(shape.rank == 1 or (shape.rank == 2 and shape[1] == 1))


def _numpy(tensor: Any, name: str) -> RawColumn:
    """A tensor as numbers; strings, as `_coded` has them, as a pyarrow dictionary array."""
    if isinstance(tensor, tuple):
        words, codes = tensor
        return pa.DictionaryArray.from_arrays(codes.numpy(), pa.array(words.numpy(), pa.large_binary()))
    if tensor.dtype == tf.string:
        raise PrepkitError(f"{name!r} of the dataset has strings of shape {tensor.shape}: give one string a row.")
    array = (tf.cast(tensor, tf.float32) if tensor.dtype == tf.bfloat16 else tensor).numpy()
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def _plain(error: tf.errors.OpError) -> str:
    """What TensorFlow says, without the machinery that it names."""
    text = re.sub(
        r"\{\{.*?\}\} ?|\[Op:.*|Error in user-defined.*?<unknown>, |, Index: \d+|\s*\[\[.*", "", error.message
    )
    return text.strip().rstrip(".")


def _row_bytes(spec: Any, batched: bool) -> int:
    """Bytes of one row, as far as the shapes tell."""
    parts = [p for part in split_element(spec) for p in (part.values() if isinstance(part, Mapping) else [part])]
    total = 0
    for part in parts:
        if part is not None:
            shape = part.shape[1:] if batched else part.shape
            values = int(np.prod([n or 1 for n in shape], dtype=np.int64))
            total += values * (STRING_BYTES if part.dtype == tf.string else part.dtype.size)
    return total


def split_element(element: Any) -> tuple[Any, Any, Any]:
    """x, y, weight of a dataset's element (or its spec), None for what there is not."""
    if isinstance(element, tuple):
        if not 1 <= len(element) <= 3:
            raise PrepkitError(f"the dataset has elements of {len(element)} parts: give x, (x, y) or (x, y, weight).")
        return (*element, None, None)[:3]
    return element, None, None


def check_spec(spec: Any) -> None:
    """Refuse what no stage can work on, naming the part."""
    x, y, w = split_element(spec)
    parts = dict(x) if isinstance(x, Mapping) else {"x": x}
    parts |= {k: v for k, v in (("y", y), ("weight", w)) if v is not None}
    if x is None or not parts or (isinstance(x, Mapping) and not x):
        raise PrepkitError("the dataset has no features: give x, (x, y) or (x, y, weight).")
    for name, part in parts.items():
        if not isinstance(name, str):
            raise PrepkitError(f"{name!r}, the name of a feature of the dataset, is no string: rename it in a map.")
        if isinstance(part, Mapping | tuple | list):
            raise PrepkitError(f"{name!r} of the dataset is nested: give one dict of tensors (and one label).")
        if isinstance(part, tf.SparseTensorSpec | tf.RaggedTensorSpec):
            how = "tf.sparse.to_dense(x)" if isinstance(part, tf.SparseTensorSpec) else "x.to_tensor()"
            raise PrepkitError(f"{name!r} of the dataset is sparse or ragged: make it dense by {how} in a map.")
        if not isinstance(part, tf.TensorSpec):
            raise PrepkitError(f"{name!r} of the dataset is a {type(part).__name__}: give dense tensors.")
        if part.shape.rank is None:
            raise PrepkitError(
                f"{name!r} of the dataset has unknown rank: give from_generator an output_signature, or call "
                "tensor.set_shape(...) in the map that makes it."
            )


def is_batched(spec: Any) -> bool:
    """Whether elements are batches, told from their shapes, and from y where it is strings.

    They are rows if x, y or the weight has a scalar, if the first axes differ, or if only some of
    them are of unknown length. They are batches if all first axes are of unknown length, or all of
    one length and

    - y has two axes: (rows, 1) or one-hot; or it is strings,
    - there is a weight, a vector,
    - x is a dict of two vectors or more, and y, if there is one, a vector, too.

    Anything else of one length is as well a row with a one-hot label as a batch with class numbers.

    Raises:
        PrepkitError: where both readings are possible; it names the argument that settles it.

    Example:
        >>> vector, scalar = tf.TensorSpec([8]), tf.TensorSpec([])
        >>> is_batched(({"a": vector, "b": vector}, vector)), is_batched((vector, scalar))
        (True, False)
    """
    x, y, w = split_element(spec)
    parts = list(x.values()) if isinstance(x, Mapping) else [x]
    shapes = [p.shape for p in (*parts, y, w) if p is not None]
    if any(s.rank == 0 for s in shapes):
        return False
    if all(s[0] in (None, 0) for s in shapes):
        return True
    if any(s[0] is None for s in shapes):
        return False
    firsts = {s[0] for s in shapes}
    if len(firsts) > 1:
        return False
    if w is not None or (y is not None and (y.shape.rank == 2 or y.dtype == tf.string)):
        return True
    if len(parts) > 1 and all(s.rank == 1 for s in shapes):
        return True
    raise PrepkitError(
        f"elements of shapes {', '.join(str(tuple(s)) for s in shapes)} may be rows or batches of {firsts.pop()} rows: "
        "say which with batched=True or batched=False."
    )


def _refuse_scalars(spec: Any) -> None:
    x, y, w = split_element(spec)
    parts = {**(x if isinstance(x, Mapping) else {"x": x}), "y": y, "weight": w}
    if scalars := [name for name, part in parts.items() if part is not None and part.shape.rank == 0]:
        raise PrepkitError(
            f"batched=True, but {scalars[:5]} of the dataset are scalars: call dataset.batch(...) before."
        )
