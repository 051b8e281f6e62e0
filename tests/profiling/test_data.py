"""A profile is plain data: the same after JSON, and easy to ask."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import prepkit as pk
from prepkit.finding import Finding
from prepkit.profiling.data import Bars, ColumnProfile, LabelProfile, Profile
from prepkit.profiling.profile import profile

FOUND = (
    Finding("missing", "warning", "column 'a'", {"missing": 3, "percent": 1.5, "markers": "'?' 3"}, "fill", "Impute()"),
    Finding("missing.much", "info", "columns 'a', 'b'", {"columns": ["a", "b"], "shares": {"a": 0.5}}),
)


def example() -> Profile:
    bars = Bars(("[0, 1)", "[1, 2]"), (3, 4), (0.0, 1.0, 2.0), ((1, 2), (2, 2)))
    number = ColumnProfile(
        "a",
        "numeric",
        "feature",
        "float32",
        ("a note",),
        9,
        2,
        markers={"?": 2},
        mean=0.1,
        quantiles=(0.0, 2.0),
        bars=bars,
    )
    tensor = ColumnProfile("b", "tensor", "constant", "uint8", (), 9, 0, shape=(2, 3))
    return Profile(
        "é.csv", 9, 9, (number, tensor), LabelProfile(None, "int", ("0", "1"), (4, 5), 0), 1, True, FOUND, {"t": 3}
    )


def test_json_there_and_back_is_equal():
    text = example().to_json()
    assert Profile.from_json(text) == example()
    assert "é" in text and json.loads(text)["version"] == 1


def test_without_label_and_findings():
    bare = Profile("x", 1, 1, (), None, 0, False, ())
    assert Profile.from_json(bare.to_json()) == bare


def test_a_real_one_with_every_kind_of_column():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "n": np.where(np.arange(90) % 9 == 0, np.inf, rng.normal(size=90)),
            "c": rng.choice(["a", "b", None], 90),
            "t": pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(90), "D"),
            "b": rng.random(90) < 0.5,
            "e": np.nan,
            "w": [f"some words of row {i}" for i in range(90)],
            "y": rng.choice(["u", "v"], 90),
        }
    )
    found = profile(frame, label="y", against={"test": frame.iloc[:30]})
    assert Profile.from_json(found.to_json()) == found
    assert {c.kind for c in found.columns} == {"numeric", "categorical", "datetime", "boolean", "text"}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 2}', '{"version": 1, "columns": []}', "null"])
def test_text_that_is_no_profile(text):
    with pytest.raises(pk.PrepkitError, match=r"this is no profile that `to_json` wrote \("):
        Profile.from_json(text)


def test_a_column_by_name():
    assert example()["b"].shape == (2, 3)
    with pytest.raises(pk.PrepkitError, match="the profile has no column 'z': choose one of 'a', 'b'."):
        example()["z"]


def test_cells_of_a_tensor_are_more_than_rows():
    assert [c.cells for c in example().columns] == [9, 54]


def test_findings_by_code_or_its_prefix():
    assert [f.code for f in example().about("missing")] == ["missing", "missing.much"]
    assert [f.code for f in example().about("missing.much")] == ["missing.much"]
    assert example().about("miss") == []
