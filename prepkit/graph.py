"""How our functions become TensorFlow graphs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import tensorflow as tf

F = TypeVar("F", bound=Callable[..., Any])


def as_written(function: F) -> F:
    """Mark a function that TensorFlow traces as it is.

    AutoGraph would parse it from its file and rewrite it: slower, and wrong once the file has changed.
    """
    return cast(F, tf.autograph.experimental.do_not_convert(function))
