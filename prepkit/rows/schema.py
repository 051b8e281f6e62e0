"""pandera's schemas as rules, and back: what is said once, in whichever library, holds on tensors.

The modules beside it that are named for schemas and pandera belong to it; no other imports pandera.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from prepkit.core import did_you_mean
from prepkit.errors import PrepkitError
from prepkit.rows.contradictions import refuse_contradictions
from prepkit.rows.pandera_checks import can_run, run_by_pandera
from prepkit.rows.schema_checks import (
    about_strings,
    cells_of,
    checks_of,
    column_of,
    expanded,
    label_name,
    names_of,
    rule_of,
    text_of,
)
from prepkit.rows.schema_files import as_schema
from prepkit.rows.schema_of import schema_of
from prepkit.rows.schema_store import code_of, schema_from_json, schema_to_json
from prepkit.rows.schema_types import categories_of, dtype_name, kind_of
from prepkit.rules import Policy, Rule
from prepkit.spec import Kind, Spec

__all__ = [
    "as_schema",
    "can_run",
    "code_of",
    "compiled",
    "extra_columns",
    "kinds_of",
    "run_by_pandera",
    "schema_from_json",
    "schema_of",
    "schema_to_json",
]


def compiled(schema: Any, spec: Spec, policy_of: Callable[[Rule], Policy], *, finite: bool = True) -> tuple[Rule, ...]:
    """The rules that a schema is for the columns of `spec`.

    Of each column in the schema's order: its dtype, not_nullable, finite, its checks, unique; then the
    columns that are unique together, then the checks of whole rows. `coerce` and `drop_invalid_rows` say
    nothing here: cells are read as the column's type in any case, and each rule's policy says what
    becomes of the row.

    Args:
        schema: of `as_schema`.
        spec: the columns as they come in.
        policy_of: what happens to what breaks a rule; not asked of checks that only warn.
        finite: whether infinite numbers break a rule of float columns.

    Raises:
        PrepkitError: if the schema asks for columns that are not there, forbids such as are, would change
            data (parsers, defaults), concerns the index, or contradicts itself or the types of the columns.

    Example:
        >>> import pandera.pandas as pa
        >>> from prepkit.spec import Column
        >>> schema = pa.DataFrameSchema({"age": pa.Column(int, pa.Check.in_range(0, 120))})
        >>> for rule in compiled(schema, Spec((Column("age", "numeric", "int64"),)), lambda rule: "drop"):
        ...     print(rule)
        age: dtype(int64)
        age: not_nullable
        age: in_range(0, 120)
    """
    _refuse_transforms(schema)
    names = names_of(spec)
    _check_columns(schema, spec, names)
    rules = [
        rule if rule.policy == "warn" else replace(rule, policy=policy_of(rule))
        for rule in (*_of_columns(schema, spec, names, finite), *_of_rows(schema, spec, names))
    ]
    cells = {name: cells_of(column_of(spec, name)) for name in names}
    refuse_contradictions(rules, cells)
    return tuple(rules)


def _refuse_transforms(schema: Any) -> None:
    def refuse(what: str, instead: str) -> None:
        raise PrepkitError(f"schema: {what}, and prepkit does not change data by a schema: {instead}.")

    impute = "leave it out, and let Impute fill missing cells"
    if schema.parsers:
        refuse("it has parsers", "apply them to the data before, or use stages")
    if schema.add_missing_columns:
        refuse("add_missing_columns is set", "leave it out, and add the columns before")
    for name, column in schema.columns.items():
        if column.parsers:
            refuse(f"column {name!r} has parsers", "apply them to the data before, or use stages")
        if column.default is not None:
            refuse(f"column {name!r} has default={column.default!r}", impute)
        if isinstance(name, tuple):
            raise PrepkitError(f"schema: column {name} has a name of several levels: flatten the names before.")
    if schema.index is not None and not _counts_rows(schema.index):
        raise PrepkitError(
            "schema: it has checks of the index, which is no column here: call reset_index() on the frame and say the "
            "same of a column, or take them out by schema.index = None."
        )


def _counts_rows(index: Any) -> bool:
    """Whether an index schema is what `pandera.infer_schema` finds of rows that are numbered."""
    return (
        not hasattr(index, "indexes")
        and index.name is None
        and not (index.checks or index.unique)
        and (dtype_name(index.dtype, "index") or "int64") == "int64"
    )


def _check_columns(schema: Any, spec: Spec, names: Sequence[str]) -> None:
    found = expanded(schema, names)
    there = {name for name, _ in found}
    absent = [str(name) for name, c in schema.columns.items() if c.required and not c.regex and str(name) not in there]
    if absent:
        more = f" (and {absent[1:6]})" if absent[1:] else ""
        raise PrepkitError(
            f"schema: column {absent[0]!r}{more} is not there; rename it, or say required=False"
            f"{did_you_mean(absent[0], names)}"
        )
    for name, column in schema.columns.items():
        if column.regex and column.required and not any(c is column for _, c in found):
            raise PrepkitError(
                f"schema: no column matches the regular expression {name!r}; correct it, or say required=False"
                f"{did_you_mean(name, names)}"
            )
    extra = [name for name in spec.names if name not in there]
    if schema.strict is True and extra:
        raise PrepkitError(
            f"schema: it is strict, and {len(extra)} columns are not in it, such as {', '.join(map(repr, extra[:5]))}: "
            "add them, take them out of the data, or say strict='filter' or strict=False."
        )
    _check_order(schema, spec, [name for name, _ in found if name in spec])


def _check_order(schema: Any, spec: Spec, wanted: Sequence[str]) -> None:
    wanted = list(dict.fromkeys(wanted))
    order = [name for name in spec.names if name in wanted]
    if schema.ordered and order != wanted:
        i = next(i for i, (a, b) in enumerate(zip(order, wanted, strict=True)) if a != b)
        raise PrepkitError(
            f"schema: it is ordered, and column {order[i]!r} stands where {wanted[i]!r} should: reorder the data, or "
            "say ordered=False."
        )


def _of_columns(schema: Any, spec: Spec, names: Sequence[str], finite: bool) -> Iterator[Rule]:
    label = label_name(spec)
    checks = iter(checks_of(schema, names))
    for name, column in expanded(schema, names):
        of_label, held = name == label, column_of(spec, name)
        dtype = schema.dtype if schema.dtype is not None else column.dtype
        yield from _of_type(dtype, held, name, column.nullable, finite, of_label)
        for _ in column.checks:
            _, text, check = next(checks)
            yield rule_of(check, text, name, cells_of(held), of_label=of_label)
        if column.unique:
            yield _unique((name,), column.report_duplicates, of_label)


def _of_type(dtype: Any, held: Any, name: str, nullable: bool, finite: bool, of_label: bool) -> Iterator[Rule]:
    plain = dtype_name(dtype, name)
    cells = cells_of(held)
    if plain is not None:
        yield Rule((name,), "dtype", {"dtype": plain}, f"dtype({plain})", of_label=of_label)
    if not nullable:
        yield Rule((name,), "nullable", {}, "not_nullable", of_label=of_label)
    if finite and cells == "numbers" and str(plain or getattr(held, "dtype", "")).startswith("float"):
        yield Rule((name,), "finite", {}, "finite", of_label=of_label)
    listed = categories_of(dtype) if plain == "category" else None
    if listed is not None:
        import pandera.pandas as pa

        check = pa.Check.isin(listed)
        yield rule_of(check, text_of(check), name, cells, of_label=of_label)


def _unique(columns: tuple[str, ...], report: str, of_label: bool = False) -> Rule:
    return Rule(columns, "unique", {"keep": report}, "unique", runs="all rows", of_label=of_label)


def _of_rows(schema: Any, spec: Spec, names: Sequence[str]) -> Iterator[Rule]:
    told = schema.unique or []
    for together in told if any(not isinstance(c, str) for c in told) else [told]:
        columns = tuple(name for name in together if name in names)
        if columns:
            yield _unique(columns, schema.report_duplicates)
    for name, text, check in checks_of(schema, names):
        if not name:
            policy: Policy = "warn" if check.raise_warning else "quarantine"
            yield Rule((), check.name, {}, text, check.ignore_na, policy, "pandera")


def extra_columns(schema: Any, spec: Spec) -> tuple[str, ...]:
    """The columns of which a schema with strict="filter" says that they go; none otherwise, and never the label."""
    if schema.strict != "filter":
        return ()
    there = {name for name, _ in expanded(schema, spec.names)}
    return tuple(name for name in spec.names if name not in there)


def kinds_of(schema: Any, names: Sequence[str]) -> dict[str, Kind]:
    """What the schema says of the kinds of columns, so that they need not be guessed.

    A column without a dtype is told by checks that are about strings; others are left out.

    Example:
        >>> import pandera.pandas as pa
        >>> kinds_of(pa.DataFrameSchema({"zip": pa.Column(str), "age": pa.Column()}), ["zip", "age"])
        {'zip': 'categorical'}
    """
    kinds: dict[str, Kind] = {}
    for name, column in expanded(schema, names):
        dtype = dtype_name(schema.dtype if schema.dtype is not None else column.dtype, name)
        if dtype is None and any(about_strings(check) for check in column.checks):
            dtype = "string"
        kind = kind_of(dtype)
        if kind is not None:
            kinds[name] = kind
    return kinds
