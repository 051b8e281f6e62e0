"""What a cleaning tells of itself as plain values."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from prepkit.cleaning.data import DROP, ISSUE_COLUMNS, KEEP, MATRIX, RELABEL, Noise
from prepkit.cleaning.words import no_signal
from tests.cleaning.cleanings import cleaning, issues, noise, tabular


def test_pairs_of_classes_by_how_often_and_what_was_done():
    given = ["a", "b", "a", "b", "a", "c"]
    suggested = ["b", "a", "b", "a", "b", "a"]
    found = cleaning("abc", issues(given, suggested, [DROP, KEEP, RELABEL, KEEP, DROP, DROP])).pairs
    assert found == (
        {"given": "a", "suggested": "b", "doubted": 3, DROP: 2, RELABEL: 1},
        {"given": "b", "suggested": "a", "doubted": 2, KEEP: 2},
        {"given": "c", "suggested": "a", "doubted": 1, DROP: 1},
    )


def test_no_pairs():
    assert cleaning().pairs == ()
    assert cleaning().to_json()["doubted"] == 0


def test_a_row_for_each_issue():
    made = tabular(30)
    frame = made.label_issues
    assert [frame.index.name, *frame.columns] == list(ISSUE_COLUMNS)
    for name in ISSUE_COLUMNS[1:]:
        assert frame[name].tolist() == made.issues[name].tolist()
    assert frame.index.tolist() == made.issues["key"].tolist()
    assert made.label_issues is frame


def test_plain_values():
    made = replace(tabular(30), findings=(no_signal(0.3, 0.5),))
    told = json.loads(json.dumps(made.to_json(), allow_nan=False))
    assert told == made.to_json()
    assert told["doubted"] == 30 == sum(pair["doubted"] for pair in told["pairs"])
    assert told["noise_matrix"] == made.noise.matrix.tolist()
    assert [c["taken"] for c in told["candidates"]] == [c.taken for c in made.candidates]
    assert [f["code"] for f in told["findings"]] == [f.code for f in made.findings]
    assert (told["rows"], told["accuracy"], told["chance"]) == (made.rows, made.accuracy, made.chance)


def test_numbers_that_are_none():
    nan = float("nan")
    made = cleaning(accuracy=nan, noise=Noise(np.eye(2), nan, (nan, nan)))
    told = json.loads(json.dumps(made.to_json(), allow_nan=False))
    assert (told["accuracy"], told["noise_rate"], told["noise_interval"]) == (None, None, [None, None])


@pytest.mark.parametrize("classes", [MATRIX, MATRIX + 1])
def test_of_many_classes_the_matrix_is_left_out(classes):
    made = cleaning([f"c{i}" for i in range(classes)], noise=noise(classes))
    assert (made.to_json()["noise_matrix"] is None) == (classes > MATRIX)
