"""A pandera schema becomes rules."""

from __future__ import annotations

import enum
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pytest

import prepkit
from prepkit.errors import PrepkitError
from prepkit.rows.schema import compiled, extra_columns, kinds_of
from prepkit.rules import CHECKS, Rule
from prepkit.spec import Column, Label, Spec

AGE = Column("age", "numeric", "float64")
JOB = Column("job", "categorical", "string")
DAY = Column("day", "datetime", "datetime")
WELL = Column("well", "boolean", "bool")
SPEC = Spec((AGE, JOB, DAY, WELL), Label("y", "string"))


def rules(schema, spec=SPEC, **settings):
    return compiled(schema, spec, lambda rule: "quarantine", **settings)


def of_check(column, check, **settings):
    """The rule that one check of a column is."""
    return rules(pa.DataFrameSchema({column: pa.Column(checks=check, nullable=True, **settings)}), finite=False)[-1]


# -- one column --------------------------------------------------------------------------------


def test_of_a_column():
    column = pa.Column(
        float, [pa.Check.in_range(0, 120), pa.Check.ne(99)], unique=True, report_duplicates="exclude_first"
    )
    bounds = {"min_value": 0, "max_value": 120, "include_min": True, "include_max": True}
    assert rules(pa.DataFrameSchema({"age": column})) == (
        Rule(("age",), "dtype", {"dtype": "float64"}, "dtype(float64)"),
        Rule(("age",), "nullable", {}, "not_nullable"),
        Rule(("age",), "finite", {}, "finite"),
        Rule(("age",), "in_range", bounds, "in_range(0, 120)"),
        Rule(("age",), "not_equal_to", {"value": 99}, "not_equal_to(99)"),
        Rule(("age",), "unique", {"keep": "exclude_first"}, "unique", runs="all rows"),
    )


@pytest.mark.parametrize(
    "dtype, column, expected",
    [
        (int, AGE, "int64"),
        ("Int32", AGE, "int32"),
        ("UInt8", AGE, "uint8"),
        ("float32", AGE, "float32"),
        (str, JOB, "string"),
        ("category", JOB, "category"),
        (bool, WELL, "bool"),
        ("boolean", WELL, "bool"),
        ("datetime64[ns]", DAY, "datetime64[ns]"),
        (pd.DatetimeTZDtype(tz="Europe/Berlin"), DAY, "datetime64[ns]"),
    ],
)
def test_types_have_numpys_names(dtype, column, expected):
    found = rules(pa.DataFrameSchema({column.name: pa.Column(dtype, nullable=True)}), finite=False)
    assert found == (Rule((column.name,), "dtype", {"dtype": expected}, f"dtype({expected})"),)


def test_any_object_is_an_object():
    assert rules(pa.DataFrameSchema({"job": pa.Column(object, nullable=True)})) == ()


def test_the_type_of_the_whole_is_that_of_each_column():
    spec = Spec((AGE, Column("pay", "numeric", "float64")))
    for columns in (None, {"age": pa.Column(int), "pay": pa.Column()}):
        found = rules(pa.DataFrameSchema(columns, dtype=float), spec, finite=False)
        assert [r.columns[0] for r in found if r.arguments == {"dtype": "float64"}] == ["age", "pay"]


def test_infinite_numbers_break_float_columns_unless_told_otherwise():
    def of(dtype, **settings):
        return [r.check for r in rules(pa.DataFrameSchema({"age": pa.Column(dtype, nullable=True)}), **settings)]

    assert of(float) == ["dtype", "finite"]
    assert of(None) == ["finite"]
    assert of(int) == ["dtype"]
    assert of(float, finite=False) == ["dtype"]


def test_listed_categories_are_a_rule_too():
    schema = pa.DataFrameSchema({"job": pa.Column(pa.Category(["cook", "smith"]), nullable=True)})
    assert [str(r) for r in rules(schema)] == ["job: dtype(category)", "job: isin(['cook', 'smith'])"]


@pytest.mark.parametrize(
    "column, check, expected",
    [
        ("age", pa.Check.gt(np.float32(0.5)), {"min_value": 0.5}),
        ("age", pa.Check.le(np.int8(3)), {"max_value": 3}),
        ("age", pa.Check.eq(1), {"value": 1}),
        ("age", pa.Check.isin({3, 1, 2}), {"allowed_values": [1, 2, 3]}),
        ("age", pa.Check.isin(range(1, 3)), {"allowed_values": [1, 2]}),
        ("age", pa.Check.isin([3, 1, 3, np.int64(2)]), {"allowed_values": [3, 1, 2]}),
        ("age", pa.Check.notin(np.array([1.5])), {"forbidden_values": [1.5]}),
        ("job", pa.Check.isin("ab"), {"allowed_values": ["a", "b"]}),
        ("job", pa.Check.isin(["a", 1]), {"allowed_values": ["a"]}),
        ("job", pa.Check.str_startswith("a."), {"string": "a."}),
        ("job", pa.Check.str_length(3), {"min_value": None, "max_value": None, "exact_value": 3}),
        ("job", pa.Check.str_length(min_value=2), {"min_value": 2, "max_value": None, "exact_value": None}),
        ("job", pa.Check.str_matches("[a-z]+"), {"pattern": "[a-z]+"}),
        ("job", pa.Check.str_matches(re.compile("a b", re.I)), {"pattern": r"(?i)a\x{20}b", "python": "(?i)a b"}),
        ("day", pa.Check.ge(pd.Timestamp("1970-01-02")), {"min_value": 86400.0}),
        ("day", pa.Check.ge("1970-01-02"), {"min_value": 86400.0}),
        ("day", pa.Check.lt(pd.Timestamp("1970-01-02", tz="Etc/GMT-1")), {"max_value": 82800.0}),
        ("day", pa.Check.isin([np.datetime64("1970-01-02")]), {"allowed_values": [86400.0]}),
        ("day", pa.Check.ne(pd.Timestamp("1970-01-01 00:00:00.25")), {"value": 0.25}),
        ("well", pa.Check.eq(np.True_), {"value": True}),
    ],
)
def test_arguments_are_plain(column, check, expected):
    rule = of_check(column, check)
    assert (rule.runs, dict(rule.arguments)) == ("graph", expected)
    assert [type(v) for v in rule.arguments.values()] == [type(v) for v in expected.values()]
    assert rule.check == check.name


class Job(enum.StrEnum):
    COOK = "cook"


def test_members_of_an_enumeration_are_their_values():
    assert of_check("job", pa.Check.isin(Job)).arguments == {"allowed_values": ["cook"]}


def test_numbers_that_are_categories_are_compared_as_they_are_written():
    spec = Spec((Column("code", "categorical", "float64"),))
    schema = pa.DataFrameSchema({"code": pa.Column(checks=pa.Check.isin([1.0, 2.5]), nullable=True)})
    assert rules(schema, spec)[0].arguments == {"allowed_values": [1, 2.5]}


def test_a_missing_value_among_those_allowed_means_that_missing_cells_are():
    rule = of_check("job", pa.Check.isin(["a", None], ignore_na=False))
    assert (rule.ignore_missing, rule.arguments) == (True, {"allowed_values": ["a"]})
    assert of_check("job", pa.Check.isin(["a"], ignore_na=False)).ignore_missing is False
    assert of_check("job", pa.Check.notin(["a", None])).arguments == {"forbidden_values": ["a"]}
    assert of_check("job", pa.Check.notin(["a", None], ignore_na=False)).runs == "pandera"


def test_a_check_that_warns_has_its_policy_and_others_are_asked_for_theirs():
    schema = pa.DataFrameSchema({"age": pa.Column(checks=[pa.Check.gt(0, raise_warning=True), pa.Check.gt(1)])})
    found = compiled(schema, SPEC, lambda rule: "null" if rule.check == "nullable" else "clip", finite=False)
    assert [r.policy for r in found] == ["null", "warn", "clip"]


def test_a_rule_is_called_what_pandera_prints():
    checks = [pa.Check.gt(0), pa.Check.lt(9, error="too old"), pa.Check.le(8, name="most")]
    found = rules(pa.DataFrameSchema({"age": pa.Column(checks=checks, nullable=True)}), finite=False)
    assert [r.text for r in found] == ["greater_than(0)", "too old", "less_than_or_equal_to(8)"]
    assert [r.check for r in found] == ["greater_than", "less_than", "less_than_or_equal_to"]
    long = of_check("age", pa.Check.isin([*range(1000)]))
    assert len(long.text) == 200 and long.text.endswith("...")


# -- what only pandera runs --------------------------------------------------------------------


@pytest.mark.parametrize(
    "column, check",
    [
        ("age", pa.Check(lambda s: s > 0)),
        ("age", pa.Check(lambda v: v > 0, element_wise=True)),
        ("age", pa.Check.gt(0, element_wise=True)),
        ("age", pa.Check(lambda groups: True, groupby=lambda frame: frame.groupby("job"))),
        ("age", pa.Check.unique_values_eq([1.0])),
        ("age", pa.Hypothesis.one_sample_ttest(popmean=3)),
        ("job", pa.Check.ge("b")),
        ("job", pa.Check.str_matches(r"(?!x)\w")),
        ("job", pa.Check.str_contains(r"(a)\1")),
        ("job", pa.Check.str_contains(r"\bcook\b")),
        ("job", pa.Check.str_startswith(("a", "b"))),
        ("age", pa.Check(lambda s: s > 0, name="isin")),  # named like one of pandera's own
    ],
)
def test_what_is_no_tensor_operation(column, check):
    rule = of_check(column, check)
    assert (rule.runs, rule.columns, rule.check) == ("pandera", (column,), check.name)


def test_checks_of_whole_rows():
    check = pa.Check(lambda frame: frame["age"] > 0, name="alive", raise_warning=True)
    found = rules(pa.DataFrameSchema({}, checks=[check, pa.Check.ge(0)]))
    assert found == (
        Rule((), "alive", {}, "alive", policy="warn", runs="pandera"),
        Rule((), "greater_than_or_equal_to", {}, "greater_than_or_equal_to(0)", runs="pandera"),
    )


def test_functions_of_the_same_name_are_numbered():
    checks = [pa.Check(lambda s: s > 0), pa.Check(lambda s: s > 1), pa.Check(lambda s: s > 2)]
    found = rules(pa.DataFrameSchema({"age": pa.Column(checks=checks, nullable=True)}), finite=False)
    assert [r.text for r in found] == ["<lambda>", "<lambda> (2)", "<lambda> (3)"]


# -- columns -----------------------------------------------------------------------------------


def test_a_regular_expression_stands_for_each_column_that_it_matches():
    spec = Spec(tuple(Column(n, "numeric", "int64") for n in ("b1", "a1", "a2", "xa")))
    schema = pa.DataFrameSchema({"a\\d": pa.Column(int, nullable=True, regex=True)})
    assert [r.columns for r in rules(schema, spec)] == [("a1",), ("a2",)]


def test_a_column_that_is_not_required_may_be_absent():
    optional = {"pay": pa.Column(int, required=False), "a.*b": pa.Column(int, required=False, regex=True)}
    assert rules(pa.DataFrameSchema(optional)) == ()


def test_the_label_is_a_column_too():
    schema = pa.DataFrameSchema({"y": pa.Column(str, pa.Check.isin(["no", "yes"]))}, strict=True, unique=["y", "age"])
    found = rules(schema, Spec((), Label("y", "string")))
    assert [r.check for r in found] == ["dtype", "nullable", "isin", "unique"]
    assert [r.of_label for r in found] == [True, True, True, False]  # the last is of several columns
    number = pa.DataFrameSchema({"y": pa.Column(checks=pa.Check.isin([0, 1]), nullable=True)})
    assert rules(number, Spec((AGE,), Label("y", "int")))[0].arguments == {"allowed_values": [0, 1]}


def test_columns_that_are_unique_together():
    schema = pa.DataFrameSchema({}, unique=["age", "job", "absent"], report_duplicates="exclude_last")
    assert rules(schema) == (Rule(("age", "job"), "unique", {"keep": "exclude_last"}, "unique", runs="all rows"),)
    schema = pa.DataFrameSchema({}, unique=[["age"], ["job", "day"]])
    assert [r.columns for r in rules(schema)] == [("age",), ("job", "day")]


def test_columns_beside_the_schema():
    columns = {"day": pa.Column(nullable=True)}
    assert extra_columns(pa.DataFrameSchema(columns, strict="filter"), SPEC) == ("age", "job", "well")
    assert extra_columns(pa.DataFrameSchema(columns, strict=True), SPEC) == ()
    assert extra_columns(pa.DataFrameSchema(columns), SPEC) == ()
    with pytest.raises(PrepkitError, match="it is strict, and 3 columns are not in it, such as 'age', 'job', 'well'"):
        rules(pa.DataFrameSchema(columns, strict=True))


def test_the_order_of_columns():
    columns = {"day": pa.Column(nullable=True), "age": pa.Column(nullable=True)}
    with pytest.raises(PrepkitError, match="it is ordered, and column 'age' stands where 'day' should"):
        rules(pa.DataFrameSchema(columns, ordered=True))
    rules(pa.DataFrameSchema(dict(reversed(columns.items())), ordered=True))


def test_an_index_that_only_counts_rows_is_no_check():
    """`pandera.infer_schema` writes one, whatever the data."""
    frame = pd.DataFrame({"age": [20.0, 30.0], "job": ["cook", "smith"]})
    assert pa.infer_schema(frame).index is not None
    assert len(rules(pa.infer_schema(frame), Spec((AGE, JOB)))) == 7


# -- kinds -------------------------------------------------------------------------------------


def test_kinds():
    columns = {
        **{"n": pa.Column(int), "f": pa.Column("float32"), "s": pa.Column(str), "c": pa.Column("category")},
        **{"b": pa.Column(bool), "d": pa.Column("datetime64[ns]"), "open": pa.Column(), "o": pa.Column(object)},
        **{"x.*": pa.Column(float, regex=True, required=False), "gone": pa.Column(int, required=False)},
        "zip": pa.Column(checks=pa.Check.str_length(5)),
        "size": pa.Column(checks=pa.Check.isin(["1", "2"])),
        "code": pa.Column(checks=pa.Check.isin([1, 2])),
    }
    names = [*"nfscbdo", "open", "x1", "x2", "zip", "size", "code"]
    assert kinds_of(pa.DataFrameSchema(columns), names) == {
        **{"n": "numeric", "f": "numeric", "s": "categorical", "c": "categorical"},
        **{
            "b": "boolean",
            "d": "datetime",
            "x1": "numeric",
            "x2": "numeric",
            "zip": "categorical",
            "size": "categorical",
        },
    }


# -- errors ------------------------------------------------------------------------------------


def lower(frame):
    return frame


@pytest.mark.parametrize(
    "schema, message",
    [
        ({"aeg": pa.Column(int)}, "column 'aeg' is not there; rename it, or say required=False: did you mean 'age'"),
        ({"p": pa.Column(), "q": pa.Column()}, "column 'p' (and ['q']) is not there"),
        ({"x\\d": pa.Column(regex=True)}, "no column matches the regular expression 'x\\\\d'"),
        ({("a", "b"): pa.Column(int)}, "column ('a', 'b') has a name of several levels"),
        ({"age": pa.Column(float, default=1.0)}, "column 'age' has default=1.0, and prepkit does not change data"),
        ({"age": pa.Column(float, parsers=pa.Parser(lower))}, "column 'age' has parsers, and prepkit does not"),
        (pa.DataFrameSchema({}, parsers=pa.Parser(lower)), "it has parsers, and prepkit does not"),
        (pa.DataFrameSchema({}, add_missing_columns=True), "add_missing_columns is set, and prepkit does not"),
        (pa.DataFrameSchema({}, index=pa.Index(int, name="id")), "call reset_index() on the frame"),
        (pa.DataFrameSchema({}, index=pa.Index(str)), "call reset_index() on the frame"),
        (pa.DataFrameSchema({}, index=pa.Index(int, pa.Check.ge(0))), "call reset_index() on the frame"),
        (pa.DataFrameSchema({}, index=pa.MultiIndex([pa.Index(int, name="a")])), "call reset_index() on the frame"),
        ({"age": pa.Column("timedelta64[ns]")}, "column 'age' is timedelta64[ns] in the schema"),
        ({"age": pa.Column(complex)}, "column 'age' is complex128 in the schema"),
        ({"age": pa.Column(checks=pa.Check.str_length(3))}, "str_length(3) of column 'age' is about strings"),
        ({"job": pa.Column(checks=pa.Check.ge(3))}, "of column 'job' compares its cells, which are strings, with 3"),
        ({"age": pa.Column(checks=pa.Check.eq("a"))}, "which are numbers, with 'a' of type str"),
        ({"day": pa.Column(checks=pa.Check.ge(3))}, "which are times, with 3 of type int"),
        ({"day": pa.Column(checks=pa.Check.ge("soon"))}, "which are times, with 'soon' of type str"),
        ({"age": pa.Column(checks=pa.Check.isin(["a", "b"]))}, "which are numbers, with 'a' of type str"),
        ({"job": pa.Column(checks=pa.Check.eq(True))}, "which are strings, with True of type bool"),
        (
            {"age": pa.Column(checks=[pa.Check.ge(3), pa.Check.lt(3)])},
            "greater_than_or_equal_to(3) and less_than(3) of column 'age' contradict each other",
        ),
        (
            {"job": pa.Column(pa.Category(["cook"]), pa.Check.isin(["smith"]))},
            "isin(['cook']) and isin(['smith']) of column 'job' contradict each other",
        ),
        ({"age": pa.Column(checks=pa.Check.ge(np.nan))}, "greater_than_or_equal_to(nan) of column 'age' compares with"),
    ],
)
def test_errors(schema, message):
    with pytest.raises(PrepkitError, match=re.escape(message)):
        rules(schema if isinstance(schema, pa.DataFrameSchema) else pa.DataFrameSchema(schema))


def test_every_check_of_the_graph_can_come_from_a_schema():
    """So that none is added there and forgotten here."""
    checks = {
        "age": [
            pa.Check.gt(0),
            pa.Check.ge(0),
            pa.Check.lt(9),
            pa.Check.le(9),
            pa.Check.in_range(0, 9),
            pa.Check.notin([1]),
        ],
        "job": [
            *(
                pa.Check.eq("ab"),
                pa.Check.ne("b"),
                pa.Check.isin(["ab"]),
                pa.Check.str_matches("a"),
                pa.Check.str_length(2),
            ),
            *(pa.Check.str_contains("a"), pa.Check.str_startswith("a"), pa.Check.str_endswith("b")),
        ],
    }
    found = rules(pa.DataFrameSchema({"age": pa.Column(float, checks["age"]), "job": pa.Column(str, checks["job"])}))
    assert {r.check for r in found} == set(CHECKS)
    assert {r.runs for r in found} == {"graph"}


def imports_pandera(path):
    """Other than for the sake of types."""
    text = re.sub(r"^if TYPE_CHECKING:\n(?: .*\n)+", "", path.read_text(encoding="utf-8"), flags=re.M)
    return re.search(r"^\s*(?:import|from) pandera", text, re.M) is not None


def test_pandera_is_imported_here_alone_and_only_when_needed():
    found = {path.name for path in Path(prepkit.__path__[0]).rglob("*.py") if imports_pandera(path)}
    schema = {f"schema{rest}.py" for rest in ("", "_checks", "_files", "_of", "_store", "_types")}
    assert found == schema | {"pandera_checks.py"}
    code = "import prepkit.rows.schema, sys; print('pandera' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
