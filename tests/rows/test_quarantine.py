"""Refused rows: counted once, kept whole, and not too many."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pyarrow.parquet as pq
import pytest

import prepkit as pk
from tests.parity.frames import in_small_chunks
from tests.rows.people import AGE, NAN, RECIPE, REFUSED, SCHEMA, people


def test_a_row_is_counted_once_under_the_first_rule_it_breaks():
    report = {r["rule"].split("(")[0]: r for r in RECIPE.fit(people(), label="y").metadata.validation}
    assert (report["job: isin"]["broken"], report["job: isin"]["refused"]) == (2, 1)
    assert report["job: isin"]["examples"] == ("'pilot'",)
    assert report["age: not_nullable"]["examples"] == ()


def test_rows_without_a_label_are_counted_as_such_only():
    frame = people()
    frame["y"] = frame["y"].astype(float)
    frame.loc[[3, 4], "y"] = NAN
    ledger = RECIPE.fit(frame, label="y").metadata.ledger
    assert ledger.refused["label missing"] == 2
    assert ledger.rows_in - ledger.trained == 6
    assert 3 not in [n for why, rows in ledger.row_numbers.items() if why != "label missing" for n in rows]


def test_raise_says_which_rows():
    message = (
        r"age: in_range\(0, 120\), in 3 rows, the first of them row 3 \(999, inf\): mend the data or the schema, "
        "or let Validate keep such rows out with on_invalid='quarantine'."
    )
    with pytest.raises(pk.PrepkitError, match=message):
        pk.Pipeline([pk.Validate(SCHEMA, policies={"in_range": "raise"}), pk.OneHot()]).fit(people(), label="y")


def test_nothing_in_quarantine_is_no_file(tmp_path):
    frame = people().drop(index=list(REFUSED))
    RECIPE.prepare(frame, label="y").save(tmp_path / "prepared")
    assert not (tmp_path / "prepared" / "quarantine.parquet").exists()
    assert len(pk.load(tmp_path / "prepared").quarantine) == 0


def test_more_in_quarantine_than_memory_holds_is_saved_all_the_same(tmp_path, monkeypatch):
    for module in ("prepkit.rows.quarantine", "prepkit.training"):
        monkeypatch.setattr(f"{module}.HELD", 3)
    frame = people().astype({"y": float})
    frame.loc[17, "y"] = NAN  # counted as a row without a label, not by the rules that it breaks
    frame.to_parquet(tmp_path / "rows.parquet", row_group_size=9)
    with in_small_chunks():
        prepared = RECIPE.prepare(tmp_path / "rows.parquet", label="y")
        assert list(prepared.quarantine.index) == [3, 7, 11]
        assert prepared.metadata.ledger.refused["label missing"] == 1
        prepared.save(tmp_path / "prepared")
    assert pq.read_table(tmp_path / "prepared" / "quarantine.parquet")["row"].to_pylist() == [3, 7, 11, 13]


def test_more_rows_refused_than_allowed():
    frame = pd.DataFrame({"age": [1.0] * 30 + [999.0] * 20, "y": np.arange(50) % 2})
    message = (
        r"20 of 50 rows \(40 %\) are refused, and max_refused=0.1 allows fewer. Most are by age: in_range\(0, 120\) "
        r"\(20, such as 999\): mend the data or the schema, or allow it with Validate\(max_refused=0.4\)."
    )
    with pytest.raises(pk.PrepkitError, match=message):
        pk.Pipeline([pk.Validate(AGE)]).fit(frame, label="y")
    pk.Pipeline([pk.Validate(AGE, max_refused=0.4)]).fit(frame, label="y")


def test_all_rows_refused():
    frame = pd.DataFrame({"age": [999.0] * 4, "y": [0, 1, 0, 1]})
    with pytest.raises(pk.PrepkitError, match=r"4 of 4 rows \(100 %\) are refused.*: mend the data or the schema\.$"):
        pk.Pipeline([pk.Validate(AGE, max_refused=1.0)]).fit(frame, label="y")


def test_a_missing_label_may_be_an_error():
    frame = pd.DataFrame({"a": np.arange(20.0), "y": [0.0, 1.0] * 9 + [NAN] * 2})
    schema = pa.DataFrameSchema({"y": pa.Column(float)})
    with pytest.raises(pk.PrepkitError, match="y: not_nullable, in 2 rows, the first of them row 18"):
        pk.Pipeline([pk.Validate(schema, "raise")]).fit(frame, label="y")
    ledger = pk.Pipeline([pk.Validate(schema)]).fit(frame, label="y").metadata.ledger
    assert ledger.refused == {"label missing": 2}


def test_a_class_of_which_all_rows_are_refused():
    frame = pd.DataFrame({"age": [1.0] * 50 + [999.0] * 4, "y": [0] * 50 + [1] * 4})
    with pytest.raises(pk.PrepkitError, match="the one class 0 in all 50 rows.* Validate has refused 4 rows before."):
        pk.Pipeline([pk.Validate(AGE)]).fit(frame, label="y")


def test_weights_are_part_of_a_whole_row():
    x, y, weight = np.array([[1.0], [999.0], [3.0], [4.0]]), [0, 1, 0, 1], [1.0, 0.5, 2.0, 3.0]
    schema = pa.DataFrameSchema({"x0": pa.Column(float, pa.Check.lt(50))})
    prepared = pk.Pipeline([pk.Validate(schema, max_refused=0.5)]).prepare((x, y, weight))
    assert prepared.quarantine.loc[1].tolist() == [999.0, 1, 0.5, "x0: less_than(50)"]


def test_features_may_be_named_as_what_stands_beside_them():
    names = ("weight", "y", "row", "broken")
    frame = pd.DataFrame({n: [1.0, 999.0, 3.0, 4.0] for n in names})
    schema = pa.DataFrameSchema({"weight": pa.Column(float, pa.Check.lt(50))})
    recipe = pk.Pipeline([pk.Validate(schema, max_refused=0.5)])
    found = recipe.prepare((frame, [0, 1, 0, 1], [0.1, 0.2, 0.3, 0.4])).quarantine
    assert found.loc[1].drop("broken").to_dict() == {
        "weight": 999.0,
        "y": 999.0,
        "row (of the data)": 999.0,
        "broken (of the data)": 999.0,
        "y (of the row)": 1,
        "weight (of the row)": 0.2,
    }
