"""What data break, without a pipeline and with one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pandera.pandas as pa
import tensorflow as tf

import prepkit as pk
from tests.rows.people import AGE, people


def test_two_million_failures():
    frame = pd.DataFrame({"age": np.full(2_000_000, 999.0)})
    found = pk.Validate(AGE).check(frame)
    assert found.counts[-1] == 2_000_000
    assert len(found.failures) == 1_000_000


def test_rules_of_the_label_alone():
    frame = pd.DataFrame({"x": np.arange(6.0), "y": ["no", "yes"] * 3})
    for check in (pa.Check(lambda s: s == "no", error="no"), pa.Check.isin(["no"])):
        schema = pa.DataFrameSchema({"y": pa.Column(str, check)})
        assert pk.Validate(schema).check(frame, "y").failures["row"].tolist() == [1, 3, 5]
        assert pk.Validate(schema).check(frame).failures["row"].tolist() == [1, 3, 5]


def test_new_data_in_strings_are_told_unreadable_from_missing():
    schema = pa.DataFrameSchema({"age": pa.Column(float, nullable=True)})
    fitted = pk.Pipeline([pk.Validate(schema), pk.Impute()]).fit(people()[["age", "y"]].replace(np.inf, 1), label="y")
    found = fitted.check(pd.DataFrame({"age": ["31", "old", "", None, " 47 "]}))
    assert found.failures[["row", "check"]].values.tolist() == [[1, "dtype(float64)"]]
    in_graph = fitted.flow.entry.broken_in_graph({"age": tf.constant(["31", "old", "", " 47 "])}, [0])
    assert in_graph.numpy().ravel().tolist() == [False, True, False, False]


def test_cells_that_cannot_be_read_break_the_type_and_are_not_missing(tmp_path):
    frame = pd.DataFrame({"n": ["1", "2", "x", "", "?", "3.5"] * 20, "y": np.arange(120) % 2})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    schema = pa.DataFrameSchema({"n": pa.Column("Int64", nullable=True)})
    for data in (frame, tmp_path / "rows.csv"):
        found = pk.Validate(schema).check(data)
        assert [str(r) for r in found.rules] == ["n: dtype(int64)"]
        assert found.failures["row"].tolist()[:4] == [2, 5, 8, 11]
    fitted = pk.Pipeline([pk.Validate(schema, max_refused=1.0), pk.Impute()]).fit(frame, label="y")
    broken = fitted.flow.entry.broken_in_graph({"n": tf.constant(["1", "x", "", "?", "3.5"])}, [0])
    assert broken.numpy().ravel().tolist() == [False, True, False, False, True]
