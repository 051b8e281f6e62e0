"""What a pandera check asks of a column, as a rule of ours."""

from __future__ import annotations

import datetime
import decimal
import enum
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np

from prepkit.errors import PrepkitError
from prepkit.rows.regex import for_re2
from prepkit.rules import CHECKS, RANGES, Rule
from prepkit.spec import Column, Label, Spec

# The last are numbers that are categories, or a column of which no value has been seen: strings may come.
Cells = Literal["numbers", "times", "strings", "categories"]
MEMBERS = {"isin": "allowed_values", "notin": "forbidden_values"}
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
LONGEST_TEXT = 200  # characters of a rule's text: lists of thousands of values are allowed


class _Foreign(Exception):
    """A value of a type that the column has not."""


class _Missing(Exception):
    """A value that stands for none."""


class _NoTensors(Exception):
    """What only pandera can run."""


def text_of(check: Any) -> str:
    """A check as pandera prints it, cut where it is long."""
    text = check.error if check.error is not None else check.name
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 3]}..."


def numbered(texts: Iterable[str]) -> list[str]:
    """The texts, of which a second one alike gets " (2)"."""
    seen: Counter[str] = Counter()
    out = []
    for text in texts:
        seen[text] += 1
        out.append(text if seen[text] == 1 else f"{text} ({seen[text]})")
    return out


def builtin_name(check: Any) -> str | None:
    """The name of one of pandera's own checks, whatever the user calls it; None of code."""
    function = check._check_fn
    return function.__name__ if type(function).__name__ == "Dispatcher" else None


def about_strings(check: Any) -> bool:
    """Whether the cells have to be strings for the check to mean anything; words that are dates leave it open."""
    name = builtin_name(check) or ""
    if name in MEMBERS:
        values = _members(check)
    else:
        values = [check.statistics["value"]] if name in ("equal_to", "not_equal_to") else []
    strings = bool(values) and all(isinstance(v, str) for v in values)
    return name.startswith("str_") or (strings and not all(_DATE.match(v) for v in values))


def cells_of(column: Column | Label) -> Cells:
    """What the cells of a column are when rules meet them."""
    if isinstance(column, Label):
        return "strings" if column.form == "string" else "numbers"
    if column.kind in ("categorical", "text"):
        return "strings" if column.dtype == "string" else "categories"
    return "times" if column.kind == "datetime" else "numbers"


def label_name(spec: Spec) -> str | None:
    """What a schema calls the label; "y" where it comes beside the features without a name."""
    if spec.label is None:
        return None
    return spec.label.name or (None if "y" in spec else "y")


def names_of(spec: Spec) -> tuple[str, ...]:
    """The columns, and the label where it is one."""
    label = label_name(spec)
    return spec.names if label is None or label in spec else (*spec.names, label)


def column_of(spec: Spec, name: str) -> Any:
    """The column of this name, or the label."""
    return spec[name] if name in spec else spec.label  # noqa: SIM401 (a Spec has no get)


def rule_of(check: Any, text: str, column: str, cells: Cells, *, of_label: bool = False) -> Rule:
    """The rule that a check of one column is.

    Args:
        check: of pandera.
        text: what it is called.
        column: whose cells it is about.
        cells: what these are.
        of_label: whether they are labels.

    Raises:
        PrepkitError: if cells of this type never can be what the check asks for.
    """
    rule = Rule(
        (column,),
        check.name,
        {},
        text,
        check.ignore_na,
        "warn" if check.raise_warning else "quarantine",
        "pandera",
        of_label,
    )
    name = builtin_name(check)
    if name not in CHECKS or check.groupby is not None or check.element_wise:
        return rule
    try:
        arguments, ignore_missing = _arguments(name, check, text, column, cells)
    except _NoTensors:
        return rule
    return Rule((column,), name, arguments, text, ignore_missing, rule.policy, "graph", of_label)


def _arguments(name: str, check: Any, text: str, column: str, cells: Cells) -> tuple[dict[str, Any], bool]:
    """The check's arguments as plain values, and whether missing cells keep it."""
    told = {k: v for k, v in check.statistics.items() if k != "options"}  # which pandera adds in writing a file
    if name.startswith("str_"):
        if cells in ("numbers", "times"):
            raise PrepkitError(
                f"schema: {text} of column {column!r} is about strings, but its cells are {cells}: give it the dtype "
                f"str in the schema, or kinds={{{column!r}: 'categorical'}}."
            )
        return _of_strings(name, told), check.ignore_na
    if name in MEMBERS:
        return _of_members(name, check, text, column, cells)
    if name in RANGES and cells in ("strings", "categories") and any(isinstance(v, str) for v in told.values()):
        raise _NoTensors  # the order of strings
    try:
        return {k: v if k.startswith("include_") else _value(v, cells) for k, v in told.items()}, check.ignore_na
    except _Missing as error:
        if name in RANGES:
            raise PrepkitError(f"schema: {text} of column {column!r} compares with a missing value.") from error
        raise _NoTensors from error
    except _Foreign as error:
        raise _mismatch(text, column, cells, error.args[0]) from None


def _of_strings(name: str, told: dict[str, Any]) -> dict[str, Any]:
    if name == "str_length":
        return {k: None if told.get(k) is None else int(told[k]) for k in ("min_value", "max_value", "exact_value")}
    if "string" in told:
        if not isinstance(told["string"], str):
            raise _NoTensors
        return dict(told)
    written = for_re2(told["pattern"])
    if written is None:
        raise _NoTensors
    return {"pattern": written} | ({} if written == told["pattern"] else {"python": inline(told["pattern"])})


def inline(pattern: str | re.Pattern[str]) -> str:
    """A regular expression as one string, its flags in front."""
    if isinstance(pattern, str):
        return pattern
    letters = "".join(c for c, f in zip("aimsx", (re.A, re.I, re.M, re.S, re.X), strict=True) if pattern.flags & f)
    return pattern.pattern if not letters else f"(?{letters}){pattern.pattern}"


def _of_members(name: str, check: Any, text: str, column: str, cells: Cells) -> tuple[dict[str, Any], bool]:
    values, foreign, missing = [], [], False
    for value in _members(check):
        try:
            values.append(_value(value, cells))
        except _Missing:
            missing = True
        except _Foreign:
            foreign.append(value)
    if name == "isin" and foreign and not values:
        raise _mismatch(text, column, cells, foreign[0])
    if name == "notin" and missing and not check.ignore_na:
        raise _NoTensors
    return {MEMBERS[name]: list(dict.fromkeys(values))}, check.ignore_na or (name == "isin" and missing)


def _members(check: Any) -> list[Any]:
    """The values of isin or notin: a list in its order, a set in rising order."""
    key = MEMBERS[builtin_name(check) or ""]
    told = check.statistics[key]
    if isinstance(told, list | tuple):
        return list(told)
    values = check._check_kwargs[key]  # as a set, for what was given may have been a generator, now at its end
    try:
        return sorted(values)
    except TypeError:  # of several types
        return sorted(values, key=repr)


def _value(value: Any, cells: Cells) -> Any:
    """A value as the cells are compared with it: a number, seconds since 1970 or a string."""
    import pandas as pd

    if isinstance(value, enum.Enum):
        if not isinstance(value, str | int | float):
            raise _Foreign(value)  # which equals no cell
        value = value.value
    if pd.api.types.is_scalar(value) and pd.isna(value):
        raise _Missing
    if cells == "times" and isinstance(value, str | datetime.date | np.datetime64):  # datetime is a date
        return _seconds(value)
    if cells in ("strings", "categories") and isinstance(value, str):
        return str(value)
    if cells not in ("numbers", "categories") or not isinstance(
        value, bool | int | float | np.generic | decimal.Decimal
    ):
        raise _Foreign(value)
    number = value.item() if isinstance(value, np.generic) else value
    if not isinstance(number, bool | int | float | decimal.Decimal):
        raise _Foreign(value)
    number = float(number) if isinstance(number, decimal.Decimal) else number
    return int(number) if cells == "categories" and number == number // 1 else number


def _seconds(value: Any) -> float:
    import pandas as pd

    try:
        return float(pd.Timestamp(value).timestamp())
    except ValueError:
        raise _Foreign(value) from None


def _mismatch(text: str, column: str, cells: Cells, value: Any) -> PrepkitError:
    return PrepkitError(
        f"schema: {text} of column {column!r} compares its cells, which are {cells}, with {value!r} of type "
        f"{type(value).__name__}: correct the check, give the column's dtype in the schema, or say "
        f"kinds={{{column!r}: ...}}."
    )


def expanded(schema: Any, names: Sequence[str]) -> list[tuple[str, Any]]:
    """The columns among `names` that the schema speaks of, in its order, each with what it says.

    A column that stands for all that match a regular expression occurs for each of them.
    """
    columns = dict(schema.columns)
    if not columns and schema.dtype is not None:  # which is then the type of every column
        import pandera.pandas as pa

        columns = {name: pa.Column(schema.dtype) for name in names}
    found: list[tuple[str, Any]] = []
    for key, column in columns.items():
        name = str(key)
        if column.regex:
            found += [(n, column) for n in names if re.match(name, n)]
        elif name in names:
            found.append((name, column))
    return found


def checks_of(schema: Any, names: Sequence[str]) -> list[tuple[str, str, Any]]:
    """Every check as (column, text, check), no two of a column with the same text; "" for those of whole rows."""
    checks = [(name, check) for name, column in expanded(schema, names) for check in column.checks]
    checks += [("", check) for check in schema.checks]
    texts: dict[str, list[str]] = {}
    for name, check in checks:
        texts.setdefault(name, []).append(text_of(check))
    own = {name: iter(numbered(told)) for name, told in texts.items()}
    return [(name, next(own[name]), check) for name, check in checks]
