"""Decoded rows as a data frame, for checks that are code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from prepkit.gate import Decoded
from prepkit.rules import Rule
from prepkit.scan import Coded
from prepkit.spec import LABEL, Column, Spec


def as_frame(columns: Decoded, spec: Spec, rules: Sequence[Rule]) -> Any:
    """Decoded columns as pandas would have them, tensors aside; the label under its own name, or "y".

    Args:
        columns: by name; the label, decoded, as `LABEL`.
        spec: of the raw columns.
        rules: of which those about a dtype say what numbers are.
    """
    import pandas as pd

    types = {r.columns[0]: r.arguments["dtype"] for r in rules if r.check == "dtype"}
    out = {}
    for name, values in columns.items():
        if name == LABEL:
            told = (spec.label.name if spec.label else None) or "y"
            out[told] = pd.Series(np.array([*values.values, None], object)[values.codes]).infer_objects()
        elif isinstance(values, Coded):
            words = np.array([*values.values, None], object)[values.codes]
            out[name] = pd.Series(words, dtype="category" if types.get(name) == "category" else "str")
        elif values.ndim == 1:
            out[name] = _numbers(values, spec[name], types.get(name))
    return pd.DataFrame(out)


def _numbers(values: np.ndarray, column: Column, told: str | None) -> Any:
    """Floats as what the column holds: times, booleans and whole numbers where none is missing."""
    import pandas as pd

    if column.kind == "datetime":
        return pd.Series(pd.to_datetime(values, unit="s"))
    dtype = told or ("bool" if column.kind == "boolean" else column.dtype)
    if not dtype.startswith(("bool", "int", "uint", "float")):
        return pd.Series(values)
    if not dtype.startswith("float") and not _fits(values, dtype):
        return pd.Series(values)
    return pd.Series(values.astype(dtype))


def _fits(values: np.ndarray, dtype: str) -> bool:
    if not np.isfinite(values).all():
        return False
    return bool(((values == 0) | (values == 1)).all() if dtype == "bool" else (values == np.floor(values)).all())
