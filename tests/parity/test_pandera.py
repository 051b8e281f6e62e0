"""`Validate(schema).check(data)` gives pandera's own verdict, row for row and rule for rule."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa
from hypothesis import assume, given
from hypothesis import strategies as st
from pandera.backends.pandas import builtin_checks

import prepkit as pk
from prepkit.errors import PrepkitError
from prepkit.rows.regex import for_re2
from prepkit.rows.schema import compiled
from prepkit.spec import Column, Spec
from tests.parity.frames import examples

Failures = set[tuple[str, str, int]]  # column, the rule's text, row

# -- cells and what is asked of them -----------------------------------------------------------

# Left out, as prepkit reads them as missing or takes them off, by design: blank strings, markers such as "?" and
# "NA", spaces at the ends. Left out too: integers beyond 2**53, for numbers are float64 there, and bounds of
# float32 columns that float32 has not, which pandas compares now as float32 (ge) and now as float64 (isin).
NUMBERS = st.integers(-20, 20).map(lambda v: v / 4)
WHOLE = st.integers(0, 6)
WORDS = st.text("abAB01_-.é字", min_size=1, max_size=4) | st.sampled_from(["ab", "a b", "Müller", "x1"])
TIMES = st.integers(0, 2 * 10**15).map(lambda us: pd.Timestamp(us, unit="us")) | st.dates(
    pd.Timestamp("2000-01-01").date(), pd.Timestamp("2000-01-05").date()
).map(pd.Timestamp)
INFINITE = st.sampled_from([np.inf, -np.inf])
PATTERNS = st.sampled_from(["a", "[a-z]+$", r"\w+$", r"(?i)A", "^b|1", r"\d", r"[^\W\d_]", ".b", r"(?s).*é\Z"])
NO_RE2 = st.sampled_from([r"(?!a)", r"(.)\1", r"\b[a-z]", "(?=.*b)a"])


def as_floats(dtype: str) -> Any:
    return lambda cells: pd.Series(np.array(cells, dtype))


def as_series(dtype: Any) -> Any:
    return lambda cells: pd.Series(cells, dtype=dtype)


def as_categories(cells: list[str | None]) -> pd.Series:
    return pd.Series(cells, dtype="str").astype("category")  # strings, even where no cell is there


# kind of column -> (cells, how they become a series, types of a schema that go with it, values for its checks)
KINDS: dict[str, tuple[Any, Any, list[Any], Any]] = {
    "float64": (st.none() | NUMBERS | INFINITE, as_floats("float64"), [float, None], NUMBERS),
    "float32": (st.none() | NUMBERS | INFINITE, as_floats("float32"), ["float32", None], NUMBERS),
    "int64": (WHOLE, as_series("int64"), [int, None], WHOLE | NUMBERS),
    "int8": (WHOLE, as_series("int8"), ["int8", None], WHOLE),
    "Int64": (st.none() | WHOLE, as_series("Int64"), ["Int64", None], WHOLE),
    "str": (st.none() | WORDS, as_series("str"), [str], WORDS),
    "object": (st.none() | WORDS, as_series(object), [object], WORDS),
    "bool": (st.booleans(), as_series(bool), [bool, None], st.booleans()),
    "boolean": (st.none() | st.booleans(), as_series("boolean"), ["boolean", None], st.booleans()),
    "times": (st.none() | TIMES, as_series("datetime64[us]"), [None], TIMES),
    "category": (st.none() | WORDS, as_categories, ["category", None], WORDS),
}
EXTENSION = ("Int64", "boolean")  # of these pandera cannot say of a missing cell whether it breaks a check
RANGES = (pa.Check.gt, pa.Check.ge, pa.Check.lt, pa.Check.le)


def even(values: Any) -> Any:
    """A user's function, on all cells or on one."""
    return values % 2 == 0


def about(kind: str, values: Any, settings: dict[str, Any]) -> Any:
    """Any check of pandera's own that a column of this kind can have."""
    some = st.lists(values, min_size=1, max_size=5, unique=True)
    checks = [values.map(lambda v: pa.Check.eq(v, **settings)), values.map(lambda v: pa.Check.ne(v, **settings))]
    checks += [some.map(lambda v: pa.Check.isin(v, **settings)), some.map(lambda v: pa.Check.notin(v, **settings))]
    if kind in ("str", "object", "category"):
        length = st.integers(1, 4)
        checks += [
            PATTERNS.map(lambda v: pa.Check.str_matches(v, **settings)),
            PATTERNS.map(lambda v: pa.Check.str_contains(v, **settings)),
            NO_RE2.map(lambda v: pa.Check.str_matches(v, **settings)),
            values.map(lambda v: pa.Check.str_startswith(v[:1], **settings)),
            values.map(lambda v: pa.Check.str_endswith(v[-1:], **settings)),
            length.map(lambda v: pa.Check.str_length(v, **settings)),
            st.tuples(length, st.integers(0, 2)).map(lambda v: pa.Check.str_length(v[0], v[0] + v[1], **settings)),
            length.map(lambda v: pa.Check.str_length(max_value=v, **settings)),
        ]
    elif kind not in ("bool", "boolean"):
        checks.append(st.builds(lambda check, v: check(v, **settings), st.sampled_from(RANGES), values))
        ends = st.tuples(st.booleans(), st.booleans())
        both = st.lists(values, min_size=2, max_size=2, unique=True).map(sorted)
        checks.append(st.builds(lambda b, e: pa.Check.in_range(b[0], b[1], *e, **settings), both, ends))
    if kind in ("float64", "int8"):
        checks.append(st.sampled_from([pa.Check(even, **settings), pa.Check(even, element_wise=True, **settings)]))
    return st.one_of(checks)


@st.composite
def columns(draw: st.DrawFn, kind: str) -> tuple[pd.Series, pa.Column]:
    cells, make, dtypes, values = KINDS[kind]
    series = make(draw(st.lists(cells, min_size=ROWS, max_size=ROWS)))
    drawn = []
    for _ in range(draw(st.integers(1, 3))):
        settings = {"ignore_na": kind in EXTENSION or draw(st.booleans())}
        drawn.append(draw(about(kind, values, settings)))
    column = pa.Column(
        draw(st.sampled_from(dtypes)) if kind != "times" else draw(st.sampled_from([series.dtype, None])),
        nullable=draw(st.booleans()),
        unique=draw(st.booleans()),
        report_duplicates=draw(st.sampled_from(["all", "exclude_first", "exclude_last"])),
    )
    column.checks = list(those_that_agree(drawn, Column(kind, *PREPKITS[kind])))
    return series, column


ROWS = 12
PREPKITS = {
    **dict.fromkeys(("float64", "float32", "int64", "int8", "Int64"), ("numeric", "float64")),
    **dict.fromkeys(("str", "object", "category"), ("categorical", "string")),
    **dict.fromkeys(("bool", "boolean"), ("boolean", "bool")),
    "times": ("datetime", "datetime"),
}


def those_that_agree(checks: Iterable[pa.Check], column: Column) -> Iterable[pa.Check]:
    """The checks without those that contradict an earlier one, which prepkit refuses, or have its text."""
    kept: list[pa.Check] = []
    for check in checks:
        schema = pa.DataFrameSchema({column.name: pa.Column(checks=[*kept, check])})
        try:
            rules = compiled(schema, Spec((column,)), lambda rule: "drop")
        except PrepkitError as error:
            if "no value" not in str(error):
                raise
            continue
        if len({rule.text for rule in rules}) == len(rules) and not rules[-1].text.endswith("(2)"):
            kept.append(check)
    return kept


@st.composite
def cases(draw: st.DrawFn) -> tuple[pd.DataFrame, pa.DataFrameSchema]:
    """A frame, and a schema for it."""
    kinds = draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=2, max_size=4))
    drawn = {f"{kind} {i}": draw(columns(kind)) for i, kind in enumerate(kinds)}
    frame = pd.DataFrame({name: series for name, (series, _) in drawn.items()})
    told = {name: column for name, (_, column) in drawn.items()}
    together = draw(st.none() | st.lists(st.sampled_from(sorted(told)), min_size=2, max_size=2, unique=True))
    report = draw(st.sampled_from(["all", "exclude_first", "exclude_last"]))
    return frame, pa.DataFrameSchema(told, unique=together, report_duplicates=report)


# -- two verdicts ------------------------------------------------------------------------------


def of_pandera(schema: pa.DataFrameSchema, frame: pd.DataFrame) -> Failures:
    names = {"not_nullable": "not_nullable", "field_uniqueness": "unique", "multiple_fields_uniqueness": "unique"}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This pattern is interpreted as a regular expression")
        try:
            schema.validate(frame, lazy=True)
        except pa.errors.SchemaErrors as error:
            cases = error.failure_cases
        else:
            return set()
    assert cases["index"].notna().all(), cases  # the strategies draw nothing that is wrong with a whole column
    together = ", ".join(schema.unique or ())
    return {
        (together if check == "multiple_fields_uniqueness" else column, names.get(check, check), int(row))
        for column, check, row in zip(cases["column"], cases["check"], cases["index"], strict=True)
    }


def of_prepkit(schema: pa.DataFrameSchema, frame: pd.DataFrame, label: str | None = None) -> Failures:
    failures = pk.Validate(schema, finite=False).check(frame, label).failures  # pandera lets infinity pass
    found = set(zip(failures["column"], failures["check"], failures["row"].tolist(), strict=True))
    return {(names, check, row) for names, check, row in found if check != "unique" or there(frame, names, row)}


def there(frame: pd.DataFrame, names: str, row: int) -> bool:
    """Whether a row has any value in some columns; if not, pandera calls it a duplicate, but has no case of it."""
    return bool(frame.loc[row, names.split(", ")].notna().any())


@examples(150)
@given(cases())
def test_the_same_rows_break_the_same_rules(case: tuple[pd.DataFrame, pa.DataFrameSchema]) -> None:
    frame, schema = case
    assert of_prepkit(schema, frame) == of_pandera(schema, frame)


@examples(30)
@given(columns("float64"), columns("float64"), st.booleans())
def test_a_regular_expression_for_columns(one: Any, other: Any, required: bool) -> None:
    (first, column), (second, _) = one, other
    frame = pd.DataFrame({"b1": first, "a1": first, "a2": second, "xa3": second})
    column.regex, column.required = True, required
    schema = pa.DataFrameSchema({"a\\d": column}, unique=["b1", "a2"])
    found = of_prepkit(schema, frame)
    assert found == of_pandera(schema, frame)
    assert {name for name, _, _ in found} <= {"a1", "a2", "b1, a2"}


def smaller(rows: pd.DataFrame) -> Any:
    return rows["x"] < rows["z"]


@examples(30)
@given(columns("float64"), columns("float64"), st.booleans(), st.booleans())
def test_checks_of_whole_rows(one: Any, other: Any, ignore_na: bool, element_wise: bool) -> None:
    frame = pd.DataFrame({"x": one[0], "z": other[0]})
    told = {name: pa.Column(float, nullable=True) for name in frame}
    checks = [pa.Check(smaller, ignore_na=ignore_na, element_wise=element_wise), pa.Check.in_range(-2, 3)]
    expected = set()
    for check in checks:
        for _, text, row in of_pandera(pa.DataFrameSchema(told, checks=check), frame):
            expected.add(("", text, row))  # of whole rows pandera names each column
    assert of_prepkit(pa.DataFrameSchema(told, checks=checks), frame) == expected


@examples(30)
@given(columns("str"), st.lists(st.sampled_from(["no", "yes", "perhaps", None]), min_size=ROWS, max_size=ROWS))
def test_the_label_is_judged_too(one: Any, classes: list[str | None]) -> None:
    assume(any(classes))
    frame = pd.DataFrame({"x": one[0], "y": classes})
    label = pa.Column(str, pa.Check.isin(["no", "yes"]), nullable=True)
    schema = pa.DataFrameSchema({"x": one[1], "y": label}, unique=["x", "y"])
    assert of_prepkit(schema, frame, label="y") == of_pandera(schema, frame)


# -- fallbacks, counted ------------------------------------------------------------------------

ARGUMENTS: dict[str, Any] = {
    **dict.fromkeys(("equal_to", "not_equal_to", "greater_than", "greater_than_or_equal_to"), (3,)),
    **dict.fromkeys(("less_than", "less_than_or_equal_to"), (3,)),
    **dict.fromkeys(("isin", "notin", "unique_values_eq"), ([3],)),
    "in_range": (1, 3),
    **dict.fromkeys(("str_matches", "str_contains", "str_startswith", "str_endswith"), ("a",)),
    "str_length": (1, 3),
}


def test_of_panderas_own_checks_one_is_no_tensor_operation() -> None:
    """It asks whether all values of a list occur, which no single row can break."""
    functions = (f for f in vars(builtin_checks).values() if inspect.isfunction(f))
    assert set(ARGUMENTS) == {f.__name__ for f in functions if f.__module__ == builtin_checks.__name__}
    where: dict[str, set[str]] = {}
    for name, arguments in ARGUMENTS.items():
        column = Column("x", *(("categorical", "string") if name.startswith("str_") else ("numeric", "float64")))
        schema = pa.DataFrameSchema({"x": pa.Column(checks=getattr(pa.Check, name)(*arguments), nullable=True)})
        rule = compiled(schema, Spec((column,)), lambda rule: "drop", finite=False)[0]
        where.setdefault(rule.runs, set()).add(name)
    assert where == {"graph": set(ARGUMENTS) - {"unique_values_eq"}, "pandera": {"unique_values_eq"}}


@examples(60)
@given(cases())
def test_by_pandera_run_functions_and_what_re2_cannot_and_nothing_else(case: Any) -> None:
    frame, schema = case
    spec = Spec(tuple(Column(name, *PREPKITS[name.split(" ")[0]]) for name in frame))
    rules = compiled(schema, spec, lambda rule: "drop")
    code = [check for column in schema.columns.values() for check in column.checks if check.name == "even"]
    texts = [check for c in schema.columns.values() for check in c.checks if "pattern" in check.statistics]
    impossible = [check for check in texts if for_re2(check.statistics["pattern"]) is None]
    assert sum(rule.runs == "pandera" for rule in rules) == len(code) + len(impossible)
