"""Which cells are missing where."""

from __future__ import annotations

import numpy as np

from prepkit.profiling.gaps import Gaps, gaps
from prepkit.profiling.tables import Levels

N = 600
RNG = np.random.default_rng(0)
HALF, OTHER = RNG.random(N) < 0.5, RNG.random(N) < 0.5
CLASSES = RNG.integers(0, 2, N)


def found(masks, causes=None, classes=None):
    return gaps(masks, causes or {}, classes, ("a", "b"))


def flag(values):
    return Levels(values.astype(np.int64) + 1, 3)


def test_nothing_missing_or_missing_by_chance():
    assert found({"x": np.zeros(N, bool), "z": np.ones(N, bool)}) == Gaps()
    by_chance = found({"x": HALF, "z": OTHER}, {"f": flag(CLASSES)}, CLASSES)
    assert (by_chance.together, by_chance.by_class, by_chance.flagged, by_chance.depends) == ([], [], {}, {})


def test_together_but_for_a_few_rows():
    nearly = HALF.copy()
    nearly[:5] = True
    assert found({"x": HALF, "w": OTHER, "z": nearly}).together == [(["x", "z"], int(HALF.sum()))]


def test_by_class():
    ((name, v, shares),) = found({"x": HALF & (CLASSES == 1)}, classes=CLASSES).by_class
    assert name == "x" and 0.4 < v < 0.7
    assert shares == {"a": 0.0, "b": float(HALF[CLASSES == 1].mean())}


def test_rows_without_a_class_do_not_count():
    masked = np.where(HALF, -1, CLASSES)
    assert found({"x": HALF}, classes=masked).by_class == []


def test_a_flag_that_says_when_another_is_missing():
    of = found({"x": HALF, "z": OTHER}, {"measured": flag(~HALF)})
    assert (of.flagged, of.depends) == ({"measured": ["x"]}, {})


def test_the_cause_that_explains_it_best():
    site = RNG.integers(1, 5, N)
    blurred = np.where(RNG.random(N) < 0.2, RNG.integers(1, 5, N), site)
    of = found(
        {"x": site == 2, "z": (site == 2) | (site == 3)}, {"blurred": Levels(blurred, 5), "site": Levels(site, 5)}
    )
    assert list(of.depends) == ["site"] and list(of.depends["site"]) == ["x", "z"]
    assert min(of.depends["site"].values()) > 0.99


def test_a_cause_is_not_that_it_is_missing_itself():
    nearly = HALF.copy()
    nearly[:9] = ~nearly[:9]
    cause = Levels(np.where(HALF, 0, RNG.integers(1, 4, N)), 4)
    of = found({"x": nearly, "cause": HALF}, {"cause": cause})
    assert (of.flagged, of.depends) == ({}, {})
