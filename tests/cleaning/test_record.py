"""Doubted rows as they are written down, and found again by their keys."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import prepkit as pk
from prepkit.cleaning.act import Treated
from prepkit.cleaning.data import DROP, ISSUE_COLUMNS, KEEP, RELABEL, WEIGHT
from prepkit.cleaning.keys import shown
from prepkit.cleaning.record import SHOWN, issues_of, places_of, shown_of
from tests.cleaning.tables import table

N = 300
RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 3, N)
OF = replace(
    table({"a": np.arange(N) / 2, "word": np.array(["p", "q"])[np.arange(N) % 2]}, LABELS),
    keys=RNG.integers(0, 2**64, N, np.uint64),
    numbers=2 * np.arange(N) + 1,
)
NAMED = replace(OF, ids=np.array([f"w{i}" for i in range(N)], object))
PROBABILITIES = RNG.dirichlet(np.ones(3), N).astype(np.float32)


def one_by_one(table_, chosen, order, labels, p, treated, capped):
    """Each issue by itself."""
    for i in order.tolist():
        given, row = int(labels[i]), chosen[i]
        best = int(np.argmax(p[i]))
        weight = float(treated.weights[i])
        if treated.classes[i] != given:
            action, done = RELABEL, "and sure enough"
        elif weight == 0:
            action, done = DROP, "and left out"
        elif weight != 1:
            action, done = WEIGHT, "and weighted by the probability of the given label"
        else:
            action = KEEP
            done = "but so much of the class may not be changed" if capped[i] else "and left as it is"
        why = "another class is more probable"
        if best == given:
            why = "the given label is the most probable one, but improbable for its class"
        yield {
            "key": f"{int(table_.keys[row]):016x}" if table_.ids is None else table_.ids[row],
            "row": table_.numbers[row],
            "given": table_.class_names[given],
            "suggested": table_.class_names[best],
            "self_confidence": float(p[i, given]),
            "confidence": float(p[i, best]),
            "margin": float(p[i, best]) - float(p[i, given]),
            "action": action,
            "weight": weight,
            "reason": f"{why}, {done}",
        }


@pytest.mark.parametrize("of", [OF, NAMED])
@pytest.mark.parametrize("seed", range(3))
def test_issues_are_those_of_one_by_one(of, seed):
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.choice(N, 200, replace=False))
    labels, p = of.labels[chosen], PROBABILITIES[chosen]
    order = rng.choice(200, 120, replace=False)
    classes = np.where(rng.random(200) < 0.2, p.argmax(1), labels).astype(np.int32)
    weights = rng.choice([0, 1, 0.25], 200, p=[0.3, 0.4, 0.3]).astype(np.float32)
    capped = rng.random(200) < 0.5
    args = (of, chosen, order, labels, p, Treated(classes, weights), capped)
    found = issues_of(*args)
    assert tuple(found) == tuple(ISSUE_COLUMNS)
    wanted = list(one_by_one(*args))
    assert {w["action"] for w in wanted} == {KEEP, WEIGHT, DROP, RELABEL}
    for name in ISSUE_COLUMNS:
        assert found[name].tolist() == [w[name] for w in wanted], name


def test_no_issues():
    none = np.zeros(0, np.int64)
    treated = Treated(np.zeros(0, np.int32), np.zeros(0, np.float32))
    found = issues_of(OF, none, none, none, np.zeros((0, 3), np.float32), treated, np.zeros(0, bool))
    assert tuple(found) == tuple(ISSUE_COLUMNS)
    assert all(len(column) == 0 for column in found.values())


def test_rows_by_key():
    keys = OF.keys.copy()
    keys[[5, 9]] = keys[3]
    of = replace(OF, keys=keys)
    names = [*shown(keys[[7, 3]]).tolist(), "0" * 16]
    found = places_of(of, [names[0], names[1].upper(), names[2]])
    assert {key: rows.tolist() for key, rows in found.items()} == {
        names[0]: [7],
        names[1].upper(): [3, 5, 9],
        names[2]: [],
    }
    assert places_of(of, []) == {}


def test_rows_by_id():
    found = places_of(NAMED, ["w7", "w07", "0" * 16])
    assert {key: rows.tolist() for key, rows in found.items()} == {"w7": [7], "w07": [], "0" * 16: []}


@pytest.mark.parametrize("key", ["7", "w7", "0" * 15 + "g", "0" * 17, ""])
def test_what_is_no_key(key):
    with pytest.raises(pk.PrepkitError, match="is no key of a row"):
        places_of(OF, ["0" * 16, key])


@pytest.mark.parametrize("n", [0, 5, SHOWN, N])
def test_cells_of_the_first_rows(n):
    rows = np.random.default_rng(0).permutation(N)[:n]
    found = shown_of(OF, rows)
    assert found["a"].tolist() == (rows / 2)[:SHOWN].tolist()
    assert found["word"].tolist() == ["pq"[i % 2] for i in rows[:SHOWN].tolist()]
