"""What code of a schema gets to see."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pandera.pandas as pa

import prepkit as pk


def test_code_sees_the_types_that_columns_have():
    frame = pd.DataFrame(
        {
            "at": pd.to_datetime(["2024-01-01", "2024-06-01"] * 5),
            "member": [True, False] * 5,
            "n": np.arange(10),
            "y": np.arange(10) % 2,
        }
    )
    schema = pa.DataFrameSchema(
        {
            "at": pa.Column(checks=pa.Check(lambda s: s.dt.month == 1, error="January")),
            "member": pa.Column(checks=pa.Check(lambda s: ~s | s, error="a truth")),
            "n": pa.Column(checks=pa.Check(lambda s: (s & 1) == 0, error="even")),
        },
        checks=pa.Check(lambda f: f["y"] == f["n"] % 2, error="the label agrees"),
    )
    for label in ("y", None):
        failures = pk.Validate(schema).check(frame, label).failures
        assert failures.groupby("check")["row"].apply(list).to_dict() == {
            "January": [1, 3, 5, 7, 9],
            "even": [1, 3, 5, 7, 9],
        }


def test_code_may_group_by_a_column_that_has_no_rule():
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0], "g": ["a", "b", "a", "b"]})
    check = pa.Check(lambda groups: groups["a"].mean() < groups["b"].mean(), groupby="g", error="a below b")
    assert pk.Validate(pa.DataFrameSchema({"x": pa.Column(float, check), "g": pa.Column(checks=[])})).check(frame).ok
