"""Schemas as they are given: of pandas, polars and pyarrow, as classes, and in files."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pandas as pd
import pandera.pandas as pa
import pandera.polars as pap
import pandera.pyarrow as paa
import polars as pl
import pyarrow
import pytest

from prepkit.errors import PrepkitError
from prepkit.rows.schema_files import as_schema


class Person(pa.DataFrameModel):
    age: float = pa.Field(ge=0, nullable=True)
    job: str = pa.Field(isin=["cook", "smith"])

    @pa.check("age")
    def whole(cls, series):
        return series % 1 == 0


class Adult(Person):
    class Config:
        strict = True


def test_of_pandas_as_it_is():
    schema = pa.DataFrameSchema({"age": pa.Column(int)})
    assert as_schema(schema) is schema


class OwnSchema(pa.DataFrameSchema):
    """A kind of a user's own."""


def test_of_a_kind_of_the_users_own():
    schema = OwnSchema({})
    assert as_schema(schema) is schema


def test_of_a_class():
    schema = as_schema(Adult)
    assert (list(schema.columns), schema.strict) == (["age", "job"], True)
    assert [c.name for c in schema.columns["age"].checks] == ["greater_than_or_equal_to", "whole"]


def in_polars():
    columns = {
        "age": pap.Column(pl.Int32, pap.Check.in_range(0, 120), nullable=True, coerce=True),
        "pay": pap.Column(pl.Float32, required=False, unique=True),
        "job": pap.Column(pl.Enum(["cook", "smith"])),
        "born": pap.Column(pl.Date, pap.Check.ge(pd.Timestamp("2000-01-01"))),
        "well": pap.Column(bool, nullable=True),
        "note": pap.Column(str, [pap.Check.str_length(1, 9), pap.Check.ne("x", ignore_na=False, raise_warning=True)]),
        "^x.*$": pap.Column(),
        "code": pap.Column(pl.Categorical),
    }
    return pap.DataFrameSchema(columns, strict="filter", unique=["age", "job"], ordered=True, name="people")


def test_of_polars():
    schema = as_schema(in_polars())
    assert isinstance(schema, pa.DataFrameSchema)
    columns = {
        "age": pa.Column("Int32", pa.Check.in_range(0, 120), nullable=True, coerce=True),
        "pay": pa.Column("float32", required=False, unique=True),
        "job": pa.Column(pa.Category(["cook", "smith"])),
        "born": pa.Column("datetime64[ns]", pa.Check.ge(pd.Timestamp("2000-01-01"))),
        "well": pa.Column("boolean", nullable=True),
        "note": pa.Column(str, [pa.Check.str_length(1, 9), pa.Check.ne("x", ignore_na=False, raise_warning=True)]),
        "^x.*$": pa.Column(regex=True),
        "code": pa.Column("category"),
    }
    assert schema == pa.DataFrameSchema(columns, strict="filter", unique=["age", "job"], ordered=True, name="people")
    frame = pd.DataFrame({"x1": ["a"]})
    assert list(schema.columns["^x.*$"].get_regex_columns(frame)) == ["x1"]


def test_of_a_class_of_polars():
    class Model(pap.DataFrameModel):
        age: int = pap.Field(ge=0)

    assert as_schema(Model).columns["age"] == pa.Column(int, pa.Check.ge(0), name="age")


def test_of_pyarrow():
    columns = {
        "age": paa.Column(pyarrow.uint8(), paa.Check.le(9)),
        "code": paa.Column(pyarrow.dictionary(pyarrow.int32(), pyarrow.string())),
    }
    schema = as_schema(paa.DataFrameSchema(columns))
    assert schema == pa.DataFrameSchema({"age": pa.Column("uint8", pa.Check.le(9)), "code": pa.Column("category")})


def test_the_checks_of_polars_run_on_pandas():
    schema = as_schema(in_polars()).select_columns(["age", "note"])
    frame = pd.DataFrame({"age": pd.array([5, 500], "Int32"), "note": ["a", ""]})
    schema.strict, schema.unique = False, None
    with pytest.raises(pa.errors.SchemaErrors) as error:
        schema.validate(frame, lazy=True)
    assert error.value.failure_cases["index"].tolist() == [1, 1]


def test_other_libraries_are_not_imported():
    code = "import pandera.pandas as pa, sys; from prepkit.rows.schema_files import as_schema;"
    code += "as_schema(pa.DataFrameSchema({}));"
    code += "print({'pandera.polars', 'pandera.pyarrow', 'polars'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# -- files -------------------------------------------------------------------------------------


def full_schema():
    return pa.DataFrameSchema(
        {
            "age": pa.Column("Int64", [pa.Check.in_range(0, 120), pa.Check.ne(99, ignore_na=False)], nullable=True),
            "job": pa.Column(str, pa.Check.isin(["cook", "smith"]), unique=True, required=False),
            "day": pa.Column("datetime64[ns]", pa.Check.ge(pd.Timestamp("2024-01-01 12:00:00"))),
            "x\\d": pa.Column(float, [pa.Check.ge(0), pa.Check.ge(1, raise_warning=True)], regex=True),
        },
        checks=pa.Check.notin([5]),
        strict=True,
        unique=["age", "job"],
    )


@pytest.mark.parametrize("minimal", [True, False])
@pytest.mark.parametrize("suffix", [".yaml", ".yml", ".json", ".YAML"])
def test_a_file_that_pandera_wrote(tmp_path, suffix, minimal):
    path = tmp_path / f"schema{suffix}"
    schema = full_schema()
    (schema.to_json if suffix == ".json" else schema.to_yaml)(path, minimal=minimal)
    assert as_schema(path) == as_schema(str(path)) == full_schema()


def test_a_column_of_which_nothing_is_said(tmp_path):
    (tmp_path / "s.yaml").write_text("columns:\n  age:\n")
    assert as_schema(tmp_path / "s.yaml") == pa.DataFrameSchema({"age": pa.Column()})


def test_a_file_of_a_polars_schema(tmp_path):
    schema = pap.DataFrameSchema({"age": pap.Column(pl.Int32, pap.Check.ge(0)), "^x.*$": pap.Column(str)})
    schema.to_yaml(tmp_path / "s.yaml")
    expected = pa.DataFrameSchema({"age": pa.Column("int32", pa.Check.ge(0)), "^x.*$": pa.Column(str, regex=True)})
    assert as_schema(tmp_path / "s.yaml") == expected


@pytest.mark.parametrize(
    "written",
    [
        {"ge": 0},
        {"greater_than_or_equal_to": 0},
        {"greater_than_or_equal_to": {"min_value": 0}},
        {"checks": {"greater_than_or_equal_to": 0}},
        {"checks": [{"min_value": 0, "options": {"check_name": "greater_than_or_equal_to"}}]},
    ],
)
def test_every_way_to_write_a_check(tmp_path, written):
    path = tmp_path / "s.json"
    path.write_text(json.dumps({"columns": {"age": {"dtype": "int64", **written}}}))
    assert as_schema(path).columns["age"].checks == [pa.Check.ge(0)]


CODE = "columns:\n  age:\n    dtype: !!python/object/apply:os.system ['touch {}']\n"


def test_code_in_a_file_is_never_run(tmp_path):
    path, trace = tmp_path / "s.yaml", tmp_path / "trace"
    path.write_text(CODE.format(trace))
    with pytest.raises(PrepkitError, match="s.yaml' holds code or objects, which are never made"):
        as_schema(path)
    assert not trace.exists()


@pytest.mark.parametrize(
    "name, text, message",
    [
        ("s.yaml", "columns: {a: {dtype: int64", "cannot be read: ParserError: while parsing"),
        ("s.json", "{", "cannot be read: JSONDecodeError: Expecting property name"),
        ("s.yaml", "", "holds no schema: write one by schema.to_yaml(path)"),
        ("s.yaml", "[1, 2]", "holds no schema"),
        ("s.json", '{"age": {"dtype": "int64"}}', "holds no schema"),
        ("s.yaml", "columns: {a: 3}", "column 'a': give dtype, nullable, checks and the like, not 3"),
        ("s.yaml", "columns: {a: {dtype: nonsense}}", "is no schema to pandera: TypeError"),
        (
            "s.yaml",
            "columns: {a: {greater_then: 0}}",
            "column 'a': 'greater_then' means nothing there: did you mean 'greater_than'",
        ),
        ("s.yaml", "columns: {a: {nulable: true}}", "column 'a': 'nulable' means nothing there"),
        ("s.yaml", "columns: {a: {mro: 0}}", "column 'a': 'mro' means nothing there"),
        ("s.yaml", "columns: {a: {checks: [3]}}", "column 'a': 3 is no check: say which in options: check_name"),
        ("s.yaml", "columns: {a: {checks: 3}}", "column 'a': checks=3: give a list"),
        (
            "s.yaml",
            "columns: {a: {checks: [{options: {check_name: register_backend}}]}}",
            "'register_backend' means nothing",
        ),
        ("s.yaml", "columns: {a: {ge: {min_value: 0, options: {_check_fn: x}}}}", "'_check_fn' means nothing there"),
        ("s.yaml", "columns: {a: {in_range: {min_value: 3, max_value: 1}}}", "defines an empty interval"),
        ("s.yaml", "columns: {a: {ge: {value: 3, more: 1}}}", "is no schema to pandera: TypeError"),
        ("s.yaml", "columns: {}\nstrikt: true", "'strikt' means nothing there: did you mean 'strict'"),
        ("s.yaml", "columns: {}\nstrict: perhaps", "is no schema to pandera: SchemaInitError: strict parameter must"),
        (
            "s.yaml",
            "columns: {}\nchecks: [{options: {check_name: even}}]",
            "checks of rows: 'even' means nothing there",
        ),
        ("s.yaml", "columns: {a: {dtype: Duration(time_unit='us')}}\napi: polars", "column 'a' is Duration"),
    ],
)
def test_files_that_are_none(tmp_path, name, text, message):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(PrepkitError, match=re.escape(message)) as error:
        as_schema(path)
    assert str(error.value).startswith(f"schema file {str(path)!r}")


def test_a_file_that_is_not_there(tmp_path):
    for path in (tmp_path / "gone.yaml", tmp_path / "folder.json"):
        (tmp_path / "folder.json").mkdir(exist_ok=True)
        with pytest.raises(PrepkitError, match=r"cannot be read: (FileNotFound|IsADirectory)Error"):
            as_schema(path)
    (tmp_path / "latin.yaml").write_bytes("columns: {é: {}}".encode("latin-1"))
    with pytest.raises(PrepkitError, match="cannot be read: UnicodeDecodeError"):
        as_schema(tmp_path / "latin.yaml")


# -- errors ------------------------------------------------------------------------------------


class Broken(pa.DataFrameModel):
    age: "no such type"  # noqa: F722


@pytest.mark.parametrize(
    "given, message",
    [
        (None, "schema=of type NoneType: give a pandera DataFrameSchema or DataFrameModel of pandas, polars or"),
        ({"age": int}, "schema=of type dict: give a pandera"),
        ("people.csv", "schema='people.csv': give a pandera"),
        (pa.Column(int), "schema=of type Column: give a pandera"),
        (pa.SeriesSchema(int), "schema=of type SeriesSchema: give a pandera"),
        (int, "schema=of type type: give a pandera"),
        (Broken, "schema: Broken is no schema to pandera: "),
        (
            pap.DataFrameSchema({"a": pap.Column(int, pap.Check(lambda data: data.lazyframe, name="own"))}),
            "schema: own of column 'a' is a function for polars, which cannot run on other data",
        ),
        (pap.DataFrameSchema({"a": pap.Column(pl.Duration)}), "column 'a' is Duration(time_unit='us') in the schema"),
    ],
)
def test_errors(given, message):
    with pytest.raises(PrepkitError, match=re.escape(message)):
        as_schema(given)
