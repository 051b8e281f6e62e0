"""Models that a user's function makes: how it is called, apart from all else that is random, and what they say."""

from __future__ import annotations

import inspect
import random
import re
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

ROUNDING = 1e-3  # by which probabilities may miss 0, 1 or a sum of 1

# Lines of messages by which TensorFlow and Keras say only where, not what.
PLACES = re.compile(
    r"\s*$|\s+File |Graph execution error|Detected at node|Exception encountered when calling [\w.]+\(\)\.$"
)
ESCAPES = re.compile(r"\x1b\[\d*m")  # Keras makes the reason bold


@contextmanager
def apart(seed: int) -> Iterator[None]:
    """Seed what Keras' layers draw from, Python's generator, and numpy's for the user; put both back at the end.

    And keep TensorFlow from taking a new model each time, whose functions are traced anew, for a mistake.
    """
    python, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    tf.get_logger().addFilter(_not_of_tracing)
    try:
        yield
    finally:
        tf.get_logger().removeFilter(_not_of_tracing)
        random.setstate(python)
        np.random.set_state(legacy)  # noqa: NPY002


def _not_of_tracing(record: Any) -> bool:
    return "triggered tf.function retracing" not in str(record.msg)


def arguments(build: Callable[..., Any]) -> int:
    """How many arguments it has to be given, 0 or 1; of more Python tells which are missing."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return int(any(p.kind in kinds and p.default is p.empty for p in inspect.signature(build).parameters.values()))


def loss_of(model: Any) -> Any:
    """What a model was compiled with, also where that is a list or dict of one loss; None of a model that is not."""
    loss = getattr(model, "loss", None)
    while isinstance(loss, list | tuple | Mapping) and len(loss) == 1:  # one for each output
        loss = next(iter(loss.values() if isinstance(loss, Mapping) else loss))
    return keras.losses.get(loss) if isinstance(loss, str) else loss


def from_logits(model: Any) -> bool | None:
    """Whether the loss of a model takes logits; None if it does not say."""
    loss = loss_of(model)
    said = getattr(loss, "from_logits", None)
    if said is None and callable(loss) and not isinstance(loss, keras.losses.Loss):
        setting = inspect.signature(loss).parameters.get("from_logits")
        said = setting.default if setting else None
    return said if isinstance(said, bool) else None


def are_probabilities(model: Any, out: np.ndarray, logits: bool | None) -> bool:
    """Keras takes the softmax or the sigmoid away itself where the loss was told of logits."""
    if out.min() < -ROUNDING or out.max() > 1 + ROUNDING:
        return False
    last = getattr(model.layers[-1], "activation", None) if model.layers else None
    return not logits or last is keras.activations.sigmoid or (out.shape[1] > 1 and sum_to_one(out))


def sum_to_one(out: np.ndarray) -> bool:
    return bool((np.abs(out.sum(axis=1) - 1) <= ROUNDING).all())


def told(error: Exception) -> str:
    """The first line of an error that says what is wrong."""
    text = getattr(error, "message", None) or str(error.args[0] if len(error.args) == 1 else error)
    line = next((line.strip() for line in ESCAPES.sub("", text).splitlines() if not PLACES.match(line)), "")
    return f"{type(error).__name__}: {line.rstrip('.')}"


def shapes(x: Any) -> str:
    """Shapes and types of arrays or tensors, in words."""
    if isinstance(x, Mapping):
        return "{" + ", ".join(f"{name!r}: {shapes(t)}" for name, t in x.items()) + "}"
    if isinstance(x, list | tuple):
        return f"{len(x)} outputs"
    return f"{x.dtype.name} {tuple(x.shape)}" if hasattr(x, "dtype") else f"a {type(x).__name__}"


class Earlier:
    """The models that a function has made before, and what they train; it does not keep them in memory."""

    def __init__(self) -> None:
        self._parts: dict[int, Any] = {}  # by id

    def shared(self, model: Any) -> str:
        """What a new model has in common with them, in words; "" for nothing."""
        for part in (model, *model.trainable_variables):
            if self._parts.get(id(part), lambda: None)() is part:
                return "the same model" if part is model else f"a model that trains the same {part.path!r}"
        return ""

    def add(self, model: Any) -> None:
        self._parts.update({id(part): weakref.ref(part) for part in (model, *model.trainable_variables)})
