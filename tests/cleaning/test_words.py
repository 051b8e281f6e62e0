"""What is said of labels beside the doubted rows."""

from __future__ import annotations

import json

import numpy as np
import pytest

from prepkit.cleaning.words import beyond_reach, capped, few, no_signal, redone, swapped, unknown_keys

NAMES = ("ant", "bee", "cat", "dog")


def sure_of(classes):
    p = np.full((len(classes), 4), 0.1)
    p[np.arange(len(classes)), classes] = 0.7
    return p


@pytest.mark.parametrize(
    ("to", "pairs"),
    [
        ([0, 1, 2, 3], []),
        ([1, 0, 2, 3], ["ant and bee"]),
        ([3, 2, 1, 0], ["ant and dog", "bee and cat"]),
        ([1, 2, 0, 3], []),  # in a circle: no signal, which is told by that
        ([1, 1, 2, 3], []),  # one way only
    ],
)
def test_classes_that_look_swapped(to, pairs):
    labels = np.arange(400) % 4
    found = swapped(labels, sure_of(np.array(to)[labels]), NAMES)
    assert [f.evidence for f in found] == ([{"pairs": len(pairs), "classes": ", ".join(pairs)}] if pairs else [])


@pytest.mark.parametrize(("share", "told"), [(0.5, False), (0.52, True)])
def test_most_of_both_classes_have_to_be_predicted_as_the_other(share, told):
    labels = np.repeat([0, 1], 100)
    predicted = labels.copy()
    for c in (0, 1):
        predicted[np.flatnonzero(labels == c)[: round(100 * share)]] = 1 - c
    assert bool(swapped(labels, sure_of(predicted), NAMES)) == told


def test_classes_of_which_more_would_be_changed():
    labels = np.repeat(np.arange(4), 10)
    wanted = np.isin(np.arange(40), [0, 1, 2, 10, 11, 20])
    done = np.isin(np.arange(40), [0, 10, 11])
    (found,) = capped(labels, wanted, done, NAMES)
    assert found.evidence == {"classes": 2, "rows changed": {"ant": "1 of 3", "cat": "0 of 1"}}
    assert capped(labels, wanted, wanted, NAMES) == []
    assert capped(labels, done & False, done & False, NAMES) == []


def test_of_many_classes_ten_are_listed():
    names = [f"c{i}" for i in range(30)]
    found = few(np.arange(5, 25), np.arange(30), names, 30)
    assert found.evidence["classes"] == 20
    assert found.evidence["rows that differ"] == {f"c{i}": i for i in range(5, 15)}
    (found,) = capped(np.arange(30), np.ones(30, bool), np.zeros(30, bool), names)
    assert found.evidence["classes"] == 30
    assert list(found.evidence["rows changed"]) == names[:10]
    labels = np.arange(30)
    (found,) = swapped(labels, np.eye(30)[labels ^ 1], names)
    assert found.evidence == {"pairs": 15, "classes": ", ".join(f"c{i} and c{i + 1}" for i in range(0, 10, 2))}


@pytest.mark.parametrize(
    ("finding", "code", "severity", "evidence"),
    [
        (beyond_reach(3), "not_judged", "warning", {"rows of classes that can be judged": 3}),
        (
            no_signal(0.333333, 0.5),
            "no_signal",
            "warning",
            {"accuracy out of sample": 0.3333, "share of the most frequent class": 0.5},
        ),
        (redone([2, 4], 5), "fold_redone", "warning", {"folds": 2, "of": 5}),
        (unknown_keys(["a", "b"]), "unknown_key", "warning", {"keys": 2, "the first": "a"}),
        (few(np.array([1]), np.array([9, 2]), NAMES, 5), "few_rows", "info", None),
    ],
)
def test_what_is_said(finding, code, severity, evidence):
    assert (finding.code, finding.severity, finding.where) == (f"cleaning.{code}", severity, "labels")
    assert evidence is None or finding.evidence == evidence
    assert finding.advice
    assert json.loads(json.dumps(finding.to_json()))["code"] == finding.code
    assert finding.code in str(finding)
