"""Schemas as a recipe keeps them: plain values, without code."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from prepkit.errors import PrepkitError
from prepkit.rows.schema_checks import MEMBERS, builtin_name, numbered, text_of
from prepkit.rows.schema_types import categories_of, dtype_name

KEPT_OF_COLUMN = ("nullable", "unique", "report_duplicates", "coerce", "required", "regex", "title", "description")
KEPT_OF_SCHEMA = ("coerce", "strict", "name", "ordered", "unique", "report_duplicates", "title", "description")
KEPT_OF_CHECK = ("ignore_na", "raise_warning", "error", "name", "groupby", "groups", "element_wise")


def in_words(error: Exception) -> str:
    """What another library says, on one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}".rstrip(".")


def code_of(schema: Any) -> list[str]:
    """The checks that are code, so that no file can hold them: "even of column 'x'"; registered ones are, too."""
    out = []
    for name, checks in _groups(schema):
        for text, check in zip(numbered(map(text_of, checks)), checks, strict=True):
            if builtin_name(check) is None or callable(check.groupby) or type(check).__name__ == "Hypothesis":
                out.append(f"{text} of {name}")
    return out


def _groups(schema: Any) -> Iterator[tuple[str, list[Any]]]:
    for name, column in schema.columns.items():
        yield f"column {str(name)!r}", list(column.checks)
    yield "whole rows", list(schema.checks)


def schema_to_json(schema: Any) -> dict[str, Any]:
    """The schema as plain values, for `schema_from_json`; without what `code_of` names.

    Unlike pandera's own files it keeps categories, flags of regular expressions and fractions of seconds.

    Raises:
        PrepkitError: for an argument of a check that is no plain value.
    """
    columns = []
    for name, column in schema.columns.items():
        told = {"name": name, **_type_to_json(column.dtype, str(name)), "checks": _checks_to_json(column.checks)}
        columns.append(told | {key: getattr(column, key) for key in KEPT_OF_COLUMN})
    whole = {key: getattr(schema, key) for key in KEPT_OF_SCHEMA}
    return {**whole, **_type_to_json(schema.dtype, "all"), "columns": columns, "checks": _checks_to_json(schema.checks)}


def schema_from_json(told: Mapping[str, Any]) -> Any:
    """The schema that `schema_to_json` wrote.

    Raises:
        PrepkitError: if it is none.

    Example:
        >>> import pandera.pandas as pa
        >>> schema = pa.DataFrameSchema({"pay": pa.Column(float, pa.Check.ge(0))}, strict=True)
        >>> schema_from_json(schema_to_json(schema)) == schema
        True
    """
    import pandera.pandas as pa

    try:
        columns = {}
        for c in told["columns"]:
            more = {key: c[key] for key in KEPT_OF_COLUMN}
            columns[c["name"]] = pa.Column(_type_from_json(c), _checks_from_json(c["checks"]), name=c["name"], **more)
        whole = {key: told[key] for key in KEPT_OF_SCHEMA}
        return pa.DataFrameSchema(
            columns, checks=_checks_from_json(told["checks"]), dtype=_type_from_json(told), **whole
        )
    except Exception as error:  # whatever it is that pandera does not take
        raise PrepkitError(f"the stored schema cannot be read: {in_words(error)}.") from error


def _type_to_json(dtype: Any, name: str) -> dict[str, Any]:
    from pandera.engines import pandas_engine

    plain = dtype_name(dtype, name)
    if plain == "category":
        listed = categories_of(dtype)
        stored = None if listed is None else [_stored(v) for v in listed]
        return {"dtype": "category", "categories": stored, "ordered": bool(dtype.ordered)}
    try:  # as pandera writes it, where it can read that again
        again = dtype is not None and pandas_engine.Engine.dtype(str(dtype)) == dtype
    except (TypeError, ValueError):
        again = False
    return {"dtype": str(dtype) if again else plain}


def _type_from_json(told: Mapping[str, Any]) -> Any:
    import pandera.pandas as pa

    if told["dtype"] != "category":
        return told["dtype"]
    listed = told["categories"]
    return pa.Category(None if listed is None else [_restored(v) for v in listed], told["ordered"])


def _checks_to_json(checks: Any) -> list[dict[str, Any]]:
    out = []
    for check in checks:
        name = builtin_name(check)
        if name is None or callable(check.groupby) or type(check).__name__ == "Hypothesis":
            continue
        told = {k: v for k, v in check.statistics.items() if k != "options"}
        if name in MEMBERS and not isinstance(told[MEMBERS[name]], list | tuple):
            told[MEMBERS[name]] = check._check_kwargs[MEMBERS[name]]
        arguments = {k: _stored(v) for k, v in told.items() if v is not None}
        out.append({"check": name, "arguments": arguments, **{key: getattr(check, key) for key in KEPT_OF_CHECK}})
    return out


def _checks_from_json(told: list[dict[str, Any]]) -> list[Any]:
    import pandera.pandas as pa

    out = []
    for c in told:
        if c["check"] not in pa.Check.CHECK_FUNCTION_REGISTRY:
            raise ValueError(f"{c['check']!r} is no check of pandera")
        arguments = {k: _restored(v) for k, v in c["arguments"].items()}
        out.append(getattr(pa.Check, c["check"])(**arguments, **{key: c[key] for key in KEPT_OF_CHECK}))
    return out


def _stored(value: Any) -> Any:
    """A value as JSON has it; times and expressions in a dict that says so."""
    if isinstance(value, set | frozenset):
        return sorted((_stored(v) for v in value), key=repr)
    if isinstance(value, list | tuple):
        return [_stored(v) for v in value]
    if isinstance(value, re.Pattern):
        return {"pattern": value.pattern, "flags": value.flags}
    if isinstance(value, np.datetime64 | datetime.date):
        import pandas as pd

        return {"time": pd.Timestamp(value).isoformat()}
    value = value.item() if isinstance(value, np.generic) else getattr(value, "value", value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise PrepkitError(
        f"schema: {value!r} of type {type(value).__name__} in a check cannot be stored: give plain values."
    )


def _restored(value: Any) -> Any:
    if isinstance(value, list):
        return [_restored(v) for v in value]
    if isinstance(value, dict) and "pattern" in value:
        return re.compile(value["pattern"], value["flags"] & ~re.UNICODE)
    if isinstance(value, dict):
        import pandas as pd

        return pd.Timestamp(value["time"])
    return value
