"""pandera's types, of whichever backend, have numpy's names here."""

from __future__ import annotations

import decimal

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pandera.polars as pap
import pandera.pyarrow as paa
import polars as pl
import pyarrow
import pytest

from prepkit.errors import PrepkitError
from prepkit.rows.schema_types import dtype_name, kind_of, pandas_dtype

TYPES = [
    (pa, int, "int64", "numeric", "int64"),
    (pa, "UInt16", "uint16", "numeric", "uint16"),
    (pa, "int8[pyarrow]", "int8", "numeric", "int8"),
    (pa, "Float32", "float32", "numeric", "float32"),
    (pa, np.longdouble, "float64", "numeric", "float64"),
    (pa, decimal.Decimal, "float64", "numeric", "float64"),
    (pa, bool, "bool", "boolean", "bool"),
    (pa, "boolean", "bool", "boolean", "bool"),
    (pa, str, "string", "categorical", str),
    (pa, "U", "string", "categorical", str),
    (pa, "category", "category", "categorical", "category"),
    (pa, "datetime64[ns]", "datetime64[ns]", "datetime", "datetime64[ns]"),
    (pa, pd.DatetimeTZDtype(tz="UTC"), "datetime64[ns]", "datetime", "datetime64[ns]"),
    (pa, pa.Date, "datetime64[ns]", "datetime", "datetime64[ns]"),
    (pa, object, None, None, None),
    (pa, None, None, None, None),
    (pap, pl.UInt8, "uint8", "numeric", "uint8"),
    (pap, pl.Decimal(10, 2), "float64", "numeric", "float64"),
    (pap, pl.String, "string", "categorical", str),
    (pap, pl.Categorical, "category", "categorical", "category"),
    (pap, pl.Enum(["a"]), "category", "categorical", pa.Category(["a"])),
    (pap, pl.Date, "datetime64[ns]", "datetime", "datetime64[ns]"),
    (pap, pl.Datetime("us"), "datetime64[ns]", "datetime", "datetime64[ns]"),
    (pap, pl.Boolean, "bool", "boolean", "bool"),
    (paa, pyarrow.uint8(), "uint8", "numeric", "uint8"),
    (paa, pyarrow.large_string(), "string", "categorical", str),
    (paa, pyarrow.dictionary(pyarrow.int32(), pyarrow.string()), "category", "categorical", "category"),
    (paa, pyarrow.timestamp("us"), "datetime64[ns]", "datetime", "datetime64[ns]"),
]


@pytest.mark.parametrize("library, dtype, name, kind, in_pandas", TYPES)
def test_names_and_kinds(library, dtype, name, kind, in_pandas):
    found = library.Column(dtype).dtype
    assert dtype_name(found, "x") == name
    assert kind_of(name) == kind
    assert pa.Column(pandas_dtype(found, "x", nullable=False)).dtype == pa.Column(in_pandas).dtype


@pytest.mark.parametrize(
    "dtype, expected", [(pl.Int32, "Int32"), (pl.UInt8, "UInt8"), (pl.Boolean, "boolean"), (pl.Float32, "float32")]
)
def test_a_column_that_may_be_missing_has_a_type_that_may(dtype, expected):
    assert pandas_dtype(pap.Column(dtype).dtype, "x", nullable=True) == expected


@pytest.mark.parametrize(
    "library, dtype",
    [
        *(
            (pa, t)
            for t in ("timedelta64[ns]", complex, "period[D]", "interval[int64]", dict, pd.SparseDtype("float64"))
        ),
        *((pap, t) for t in (pl.Duration, pl.Time, pl.List(pl.Int64), pl.Binary, pl.Null)),
        *((paa, t) for t in (pyarrow.duration("s"), pyarrow.list_(pyarrow.int64()))),
    ],
)
def test_what_prepkit_has_no_columns_of(library, dtype):
    with pytest.raises(
        PrepkitError, match="column 'x' is .* in the schema, and prepkit has no such columns: give numbers"
    ):
        dtype_name(library.Column(dtype).dtype, "x")
