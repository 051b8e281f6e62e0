"""Rules as a pandera schema."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prepkit.rows.schema_checks import Cells, cells_of, column_of, names_of
from prepkit.rules import CHECKS, Rule
from prepkit.spec import Spec

WITHOUT_CHECK = ("dtype", "nullable", "finite")  # which pandera says of the column itself, or not at all


def schema_of(rules: Sequence[Rule], spec: Spec) -> Any:
    """A pandera schema that says the same as `rules`, to be printed, edited, saved and given back.

    Args:
        rules: such as `compiled` makes; those that are code are left out.
        spec: the columns as they come in.

    Returns:
        A `pandera.pandas.DataFrameSchema` of the columns that have rules.

    Example:
        >>> from prepkit.spec import Column
        >>> rule = Rule(("age",), "less_than", {"max_value": 120}, "less_than(120)")
        >>> schema_of([rule], Spec((Column("age", "numeric"),))).columns["age"].checks
        [<Check less_than: less_than(120)>]
    """
    import pandera.pandas as pa

    names = [n for n in names_of(spec) if any(r.columns == (n,) for r in rules)]
    columns = {n: _column_of([r for r in rules if r.columns == (n,)], cells_of(column_of(spec, n))) for n in names}
    together = [r for r in rules if r.check == "unique" and len(r.columns) > 1]
    keep = together[0].arguments["keep"] if together else "all"
    unique = [list(r.columns) for r in together] or None
    return pa.DataFrameSchema(columns, unique=unique, report_duplicates=keep)


def _column_of(rules: Sequence[Rule], cells: Cells) -> Any:
    import pandera.pandas as pa

    by_check = {r.check: r for r in rules}
    dtype = by_check["dtype"].arguments["dtype"] if "dtype" in by_check else None
    nullable = "nullable" not in by_check
    if nullable and dtype is not None and dtype.startswith(("int", "uint")):
        dtype = dtype.replace("int", "Int").replace("u", "U")
    unique = by_check.get("unique")
    return pa.Column(
        str if dtype == "string" else "boolean" if dtype == "bool" and nullable else dtype,
        [_check_of(r, cells) for r in rules if r.check in CHECKS and r.check not in WITHOUT_CHECK],
        nullable=nullable,
        unique=unique is not None,
        report_duplicates=unique.arguments["keep"] if unique else "all",
    )


def _check_of(rule: Rule, cells: Cells) -> Any:
    import pandas as pd
    import pandera.pandas as pa

    def told(key: str, value: Any) -> Any:
        if isinstance(value, list):
            return [told("", v) for v in value]
        if cells == "times" and not key.startswith("include_"):
            return pd.Timestamp(value, unit="s")
        return value

    arguments = {k: told(k, v) for k, v in rule.arguments.items() if v is not None}
    if "python" in arguments:
        arguments = {"pattern": arguments["python"]}
    check = getattr(pa.Check, rule.check)(
        **arguments, ignore_na=rule.ignore_missing, raise_warning=rule.policy == "warn"
    )
    if rule.text != check.error:
        check.error = rule.text
    return check
