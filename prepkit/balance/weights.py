"""What rows of each class weigh."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from prepkit.errors import PrepkitError
from prepkit.rows.rebalance import Rebalance


def class_weights(stage: Rebalance, counts: Sequence[int], class_names: Sequence[str]) -> tuple[float, ...]:
    """A weight for each class, with mean 1 over the rows of all classes; 1 for a class without rows.

    Args:
        stage: of kind "class_weight".
        counts: rows of each class, in the order of `class_names`.
        class_names: to which the keys of given weights have to belong.

    Raises:
        PrepkitError: if a weight is given for a class that does not exist.

    Example:
        >>> class_weights(Rebalance("class_weight"), (3, 1), ("no", "yes"))
        (0.6666666666666666, 2.0)
    """
    n = np.asarray(counts, np.float64)
    present, safe = n > 0, np.maximum(n, 1)
    match stage.class_weight:
        case "balanced":
            raw = 1 / safe
        case "sqrt":
            raw = 1 / np.sqrt(safe)
        case "effective":
            raw = (1 - stage.beta) / (1 - np.float64(stage.beta) ** safe)
        case given:
            assert isinstance(given, Mapping)
            numbers = numbered(given, class_names, "class_weight")
            raw = np.array([numbers.get(i, 1.0) for i in range(len(n))], np.float64)
    total = (raw * n).sum()
    return tuple(float(w) for w in np.where(present, raw * n.sum() / (total or 1.0), 1.0))


def numbered(by_class: Mapping[Any, Any], class_names: Sequence[str], setting: str) -> dict[int, Any]:
    """The same by class number.

    Raises:
        PrepkitError: if a class does not exist, or is named twice, as 1 and "1".
    """
    place = {name: i for i, name in enumerate(class_names)}
    out: dict[int, Any] = {}
    for given, value in by_class.items():
        name = _as_named(given, class_names)
        if str(name) not in place:
            known = ", ".join(map(repr, class_names[:10]))
            raise PrepkitError(
                f"Rebalance: {setting} names the class {name!r}, which does not exist: there are {known}."
            )
        if place[str(name)] in out:
            raise PrepkitError(f"Rebalance: {setting} names the class {str(name)!r} twice: keep one of them.")
        out[place[str(name)]] = value
    return out


def _as_named(name: Any, class_names: Sequence[str]) -> Any:
    """A class as its name has it: 1.0, as value_counts() of floats says, as 1, and 0 and 1 of booleans as these."""
    if isinstance(name, float) and name.is_integer():
        name = int(name)
    if tuple(class_names) == ("False", "True") and name in (0, 1):
        return bool(name)
    return name
