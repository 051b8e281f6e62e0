"""The public function: whatever the data are, a profile or an error that says what to do."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import prepkit as pk
from prepkit.profiling.profile import profile
from tests.profiling.judge.frames import healthy

NAN = np.nan


def codes(found):
    return {f.code for f in found.findings}


def test_a_healthy_table():
    found = profile(healthy(), label="y")
    assert (found.rows, found.sampled, found.duplicates, found.duplicates_exact) == (1200, 1200, 0, True)
    assert [c.kind for c in found.columns] == ["numeric", "numeric", "categorical"]
    assert found.label.classes == ("0", "1") and sum(found.label.counts) == 1200
    assert found.findings == ()


def test_the_gravest_comes_first():
    frame = healthy().assign(w=1, z=np.where(np.arange(1200) % 9 == 0, NAN, 1.0 * np.arange(1200)), y=1)
    severities = [f.severity for f in profile(frame, label="y").findings]
    assert severities == sorted(severities, key=["error", "warning", "info"].index) and severities[0] == "error"


def test_many_columns_with_the_same_fault_are_one_finding():
    frame = healthy().assign(**{f"e{i}": NAN for i in range(30)})
    (found,) = profile(frame, label="y").about("column.empty")
    assert found.where == "columns 'e0', 'e1', 'e2', 'e3', 'e4' and 25 more"
    assert found.evidence["columns"] == [f"e{i}" for i in range(30)]


def test_numbers_of_many_findings_are_given_as_a_range():
    gaps = {f"e{i}": np.where(np.arange(1200) % 100 < i + 1, NAN, healthy(seed=i)["x"]) for i in range(8)}
    (found,) = profile(healthy().assign(**gaps), label="y").about("missing")
    assert (found.evidence["number"], found.evidence["least missing"], found.evidence["most missing"]) == (8, 12, 96)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_rows(n):
    found = profile(healthy(n), label="y")
    assert found.rows == n and pk.profile  # no error


def test_empty_columns_are_findings_and_no_errors():
    found = profile(pd.DataFrame({"a": [NAN] * 50, "b": [None] * 50, "y": [0, 1] * 25}), label="y")
    assert [f.where for f in found.about("column.empty")] == ["column 'a'", "column 'b'"]


def test_a_label_of_one_class_is_a_finding():
    assert [f.severity for f in profile(healthy().assign(y="a"), label="y").about("labels.constant")] == ["error"]


@pytest.mark.parametrize(
    ("data", "label", "message"),
    [
        (lambda: healthy(0), "y", "has no rows: nothing to prepare"),
        (lambda: healthy(9), "q", "label='q' is no column of DataFrame: choose one of 'x', 'z', 'c', 'y'."),
        (lambda: healthy(90), "x", "label 'x' looks continuous"),
        (lambda: healthy(9).assign(y=NAN), "y", "label 'y' has no value at all"),
        (
            lambda: healthy(9).assign(x=[1, "a"] * 4 + [2.5]),
            "y",
            "column 'x' holds Python objects of types float, int, str",
        ),
        (lambda: 3, None, "cannot read data of type int"),
    ],
)
def test_errors_say_what_to_do(data, label, message):
    with pytest.raises(pk.PrepkitError, match=message):
        profile(data(), label=label)


def test_kinds_as_told():
    found = profile(healthy().assign(zip=np.arange(1200) % 8), label="y", kinds={"zip": "categorical"})
    assert found["zip"].kind == "categorical" and "number.codes" not in codes(found)


def test_the_same_seed_the_same_profile_and_inputs_untouched():
    frame = healthy().assign(x=np.where(np.arange(1200) % 50 == 0, NAN, 1.0))
    before = frame.copy()
    assert profile(frame, label="y") == profile(frame, label="y")
    pd.testing.assert_frame_equal(frame, before)


def test_a_thousand_columns():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(80, 1000)), columns=[f"f{i}" for i in range(1000)])
    found = profile(frame.assign(y=np.arange(80) % 2), label="y")
    assert len(found.columns) == 1000
    assert codes(found) <= {"rows.sorted", "labels.unpredictable"}


@pytest.mark.parametrize("first", ["pass", "pk.recommend", "import prepkit.profiling.draw", "pk.profile"])
def test_the_function_is_public_whatever_was_imported_before(first):
    code = f"import prepkit as pk; {first}; print(pk.profile({{'x': [1.0, 2.0], 'y': [0, 1]}}, label='y').rows)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "2"


@pytest.mark.parametrize("scale", [1e-320, 1e-160, 1e150, 1e300])
def test_numbers_of_any_size_neither_warn_nor_spoil_the_json(scale):
    x = np.random.default_rng(0).uniform(-1, 1, 300)
    frame = pd.DataFrame({"a": x, "b": scale * x, "c": np.where(np.arange(300) < 290, 0, scale * x), "y": x > 0.3})
    found = profile(frame, label="y")
    assert type(found).from_json(found.to_json()) == found
