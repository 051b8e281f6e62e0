"""Schemas as they are given: pandera's, of whichever backend, and its files."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prepkit.core import did_you_mean
from prepkit.errors import PrepkitError
from prepkit.rows.schema_store import KEPT_OF_COLUMN, KEPT_OF_SCHEMA, code_of, in_words
from prepkit.rows.schema_types import pandas_dtype

ACCEPTED = (
    "give a pandera DataFrameSchema or DataFrameModel of pandas, polars or pyarrow, or the path of a pandera .yaml, "
    ".yml or .json file; None infers one from the training data"
)
SUFFIXES = (".yaml", ".yml", ".json")
# What a file may say of a column next to its checks, of a check next to its arguments, and of the whole.
OF_COLUMN = (
    *("title", "description", "dtype", "nullable", "checks", "name", "unique", "coerce", "required", "regex"),
    *("default", "report_duplicates", "drop_invalid_rows", "metadata"),
)
OF_CHECK = ("check_name", "ignore_na", "raise_warning", "n_failure_cases", "groupby", "groups", "error", "name")
OF_SCHEMA = (
    *("schema_type", "version", "api", "dataframe_library", "columns", "checks", "index", "multiindex", "dtype"),
    *("coerce", "strict", "name", "ordered", "unique", "report_duplicates", "unique_column_names"),
    *("add_missing_columns", "on_missing_columns", "title", "description", "metadata", "drop_invalid_rows"),
)


def as_schema(given: Any) -> Any:
    """Whatever says a schema, as pandera's for pandas.

    A schema of polars or pyarrow is taken over column by column, its checks by name and arguments; a
    function that was written for either does not run on pandas, and is refused. A file is data: nothing
    in it is run.

    Args:
        given: a DataFrameSchema or DataFrameModel of pandas, polars or pyarrow; the path of a file that
            `schema.to_yaml` or `schema.to_json` wrote.

    Returns:
        A `pandera.pandas.DataFrameSchema`.

    Raises:
        PrepkitError: for anything else; for a file that cannot be read, holds tags of code, checks that
            pandera has not, or words that it would pass over.

    Example:
        >>> import pandera.pandas as pa
        >>> class Person(pa.DataFrameModel):
        ...     age: float = pa.Field(ge=0)
        >>> as_schema(Person).columns["age"].checks
        [<Check greater_than_or_equal_to: greater_than_or_equal_to(0)>]
    """
    if isinstance(given, str | Path) and str(given).lower().endswith(SUFFIXES):
        return _read(Path(given))
    if isinstance(given, type) and any(_is(base, "DataFrameModel") for base in given.__mro__):
        given = _schema_of_model(given)
    backend = next((_backend(base) for base in type(given).__mro__ if _is(base, "DataFrameSchema")), None)
    if backend == "pandas":
        return given
    if backend in ("polars", "pyarrow"):
        return _as_pandas(given, backend)
    what = repr(given) if isinstance(given, str | Path) else f"of type {type(given).__name__}"
    raise PrepkitError(f"schema={what}: {ACCEPTED}.")


def _is(kind: type, name: str) -> bool:
    return kind.__name__ == name and kind.__module__.startswith("pandera.api.")


def _backend(kind: type) -> str:
    return kind.__module__.split(".")[2]  # pandera.api.BACKEND.container


def _schema_of_model(model: Any) -> Any:
    try:
        return model.to_schema()
    except Exception as error:
        raise PrepkitError(f"schema: {model.__name__} is no schema to pandera: {in_words(error)}.") from error


# -- polars and pyarrow ------------------------------------------------------------------------


def _as_pandas(schema: Any, backend: str) -> Any:
    import pandera.pandas as pa

    if code := code_of(schema):
        raise PrepkitError(
            f"schema: {code[0]} is a function for {backend}, which cannot run on other data: write it for pandas, in "
            "a pandera.pandas schema, or take it out."
        )
    columns = {name: _column_as_pandas(str(name), column) for name, column in schema.columns.items()}
    dtype = None if schema.dtype is None else pandas_dtype(schema.dtype, "all", nullable=True)
    more = {key: getattr(schema, key) for key in ("add_missing_columns", "parsers", *KEPT_OF_SCHEMA)}
    return pa.DataFrameSchema(columns, checks=list(schema.checks), dtype=dtype, **more)


def _column_as_pandas(name: str, column: Any) -> Any:
    import pandera.pandas as pa

    dtype = pandas_dtype(column.dtype, name, column.nullable)
    more = {key: getattr(column, key) for key in ("default", *KEPT_OF_COLUMN)}
    return pa.Column(dtype, list(column.checks), parsers=column.parsers, name=name, **more)


# -- files -------------------------------------------------------------------------------------


def _read(path: Path) -> Any:
    try:
        told = _parsed(path)
    except PrepkitError:
        raise
    except Exception as error:
        raise PrepkitError(f"schema file {str(path)!r} cannot be read: {in_words(error)}.") from error
    if not isinstance(told, Mapping) or "columns" not in told:
        raise PrepkitError(f"schema file {str(path)!r} holds no schema: write one by schema.to_yaml(path).")
    where = f"schema file {str(path)!r}"
    plain = _checked(told, where)
    try:
        return as_schema(_reader(told)(plain))
    except PrepkitError as error:
        raise PrepkitError(f"{where}: {error}") from error
    except Exception as error:
        raise PrepkitError(f"{where} is no schema to pandera: {in_words(error)}.") from error


def _reader(told: Mapping[str, Any]) -> Any:
    if told.get("api") == "polars":
        from pandera.io import polars_io

        return polars_io.deserialize_schema
    from pandera.io import pandas_io

    return pandas_io.deserialize_schema


def _parsed(path: Path) -> Any:
    text = path.read_text(encoding="utf-8")
    if path.suffix.lower() == ".json":
        return json.loads(text)
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.constructor.ConstructorError as error:
        raise PrepkitError(
            f"schema file {str(path)!r} holds code or objects, which are never made: {in_words(error)}. Write plain "
            "values."
        ) from error


def _checked(told: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A schema as pandera reads it, its checks listed; or an error for words that pandera would pass over."""
    out = copy.deepcopy(dict(told))
    _know(out, OF_SCHEMA, where)
    out["checks"] = [_check_told(c, f"{where}, checks of rows") for c in _listed(out.get("checks"), where)] or None
    columns = out["columns"] or {}
    if isinstance(columns, list):  # names that are not strings
        out["columns"] = [_column_told(c, where, c.get("name")) for c in columns]
    else:
        out["columns"] = {name: _column_told(c, where, name) for name, c in columns.items()}
    return out


def _column_told(told: Any, where: str, name: Any) -> dict[str, Any]:
    where = f"{where}, column {name!r}"
    told = {} if told is None else told
    if not isinstance(told, dict):
        raise PrepkitError(f"{where}: give dtype, nullable, checks and the like, not {told!r}.")
    flat = {key: value for key, value in told.items() if key not in OF_COLUMN}
    listed = [*_listed(told.get("checks"), where), *_listed(flat, where)]
    known = {key: value for key, value in told.items() if key in OF_COLUMN}
    return known | {"checks": [_check_told(c, where) for c in listed] or None}


def _listed(checks: Any, where: str) -> list[Any]:
    """Checks as pandera lists them, of the shorter forms too: {name: value}, {name: {argument: value}}."""
    if not isinstance(checks, dict):
        if not isinstance(checks, list | None):
            raise PrepkitError(f"{where}: checks={checks!r}: give a list, or the value of each by its name.")
        return checks or []
    out = []
    for name, value in checks.items():
        value = value if isinstance(value, dict) else {} if value is None else {"value": value}
        told = {k: v for k, v in value.items() if k not in (*OF_CHECK, "options")}
        options = {k: v for k, v in value.items() if k in OF_CHECK} | value.get("options", {})
        out.append({**told, "options": {**options, "check_name": name}})
    return out


def _check_told(told: Any, where: str) -> Any:
    import pandera.pandas as pa

    options = told.get("options") if isinstance(told, dict) else None
    if not isinstance(options, dict) or "check_name" not in options:
        raise PrepkitError(f"{where}: {told!r} is no check: say which in options: check_name.")
    _know(options, OF_CHECK, where)
    known = (*pa.Check.CHECK_FUNCTION_REGISTRY, *pa.Check.REGISTERED_CUSTOM_CHECKS)
    short = ("eq", "ne", "gt", "ge", "lt", "le", "between")
    _know([options["check_name"]], (*known, *short), where)
    return told


def _know(words: Any, known: tuple[str, ...], where: str) -> None:
    for word in words:
        if word not in known:
            raise PrepkitError(f"{where}: {word!r} means nothing there{did_you_mean(str(word), known)}")
