"""How our functions become TensorFlow graphs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import tensorflow as tf

F = TypeVar("F", bound=Callable[..., Any])


def as_written(function: F) -> F:
    """Mark a function that TensorFlow traces as it is.

    AutoGraph would parse it from its file and rewrite it: slower, and wrong once the file has changed.
    """
    return cast(F, tf.autograph.experimental.do_not_convert(function))


class Traced:
    """A function of a dict of arrays (rows, ...) as a graph, traced once for all numbers of rows.

    TensorFlow takes it for a mishap, and says so, where a function is traced time and again; here each pipeline has
    graphs of its own.

    Args:
        function: of a dict of tensors, TensorFlow operations only.

    Example:
        >>> import numpy as np
        >>> double = Traced(lambda batch: {"x": 2 * batch["x"]})
        >>> double({"x": np.array([1.0, 2.0])})["x"].numpy().tolist()
        [2.0, 4.0]
    """

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function
        self._graphs: dict[Any, Any] = {}

    def __call__(self, arrays: Mapping[str, Any]) -> Any:
        batch = {name: tf.constant(x) for name, x in arrays.items()}
        signature = {name: tf.TensorSpec((None, *x.shape[1:]), x.dtype) for name, x in batch.items()}
        kind = tuple(signature.items())
        if kind not in self._graphs:
            function = tf.function(lambda batch: self.function(batch), autograph=False)
            self._graphs[kind] = function.get_concrete_function(signature)
        return self._graphs[kind](batch)
