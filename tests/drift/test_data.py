import json

import numpy as np

from prepkit.drift import ColumnDrift, Drift
from prepkit.finding import Finding
from tests.drift.frames import compared, every_form

RNG = np.random.default_rng(0)


def shifted():
    training, new = every_form(500, RNG), every_form(300, RNG)
    new |= {"normal": new["normal"] * 1000, "two": new["zipf"], "y": new["two"], "extra": new["ties"]}
    del new["flag"]
    return compared(training, new, "y")


def test_json_both_ways():
    drift = shifted()
    assert len({f.code for f in drift.findings}) >= 6
    again = Drift.from_json(drift.to_json())
    assert again == drift
    assert again.to_json() == drift.to_json()


def test_json_is_strict():
    json.loads(shifted().to_json(), parse_constant=lambda name: 1 / 0)  # neither NaN nor infinity


def test_without_a_label():
    drift = compared({"x": np.arange(9) % 2.0}, {"x": np.arange(9) % 2.0})
    assert drift.label is None
    assert Drift.from_json(drift.to_json()) == drift


def test_columns_by_name_and_findings_by_code():
    drift = shifted()
    assert drift["flag"].verdict == "absent"
    assert drift["normal"].verdict == "major"
    assert {f.code for f in drift.about("schema")} >= {"schema.range", "schema.missing_column"}
    assert [f.where for f in drift.about("schema.new_column")] == ["column 'extra'"]
    assert drift.about("drift.col") == []


def test_repr_says_what_was_found():
    one = Drift(
        "new.csv", 50, 32_561, (ColumnDrift("age", "numeric"),), None, (Finding("drift.column", "warning", "x"),)
    )
    assert repr(one).splitlines() == [
        "Drift of 50 rows from 32,561 training rows: 1 finding",
        f"  {one.findings[0]}",
    ]
    none = Drift("new.csv", 50, 32_561, (), None, ())
    assert repr(none) == "Drift of 50 rows from 32,561 training rows: 0 findings"
