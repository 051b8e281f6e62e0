"""The examples, made small, show what their docstrings say."""

from __future__ import annotations

import math
import runpy
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).parents[1] / "examples"


def first_seed(name: str) -> dict[Any, dict[str, float]]:
    """What the example measured, for the one seed that it has when quick."""
    results = runpy.run_path(str(EXAMPLES / f"{name}.py"))["main"](quick=True)
    assert all(len(seeds) == 1 for seeds in results.values())
    return {which: seeds[0] for which, seeds in results.items()}


def test_every_example_has_a_test():
    tested = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert {path.stem for path in EXAMPLES.glob("*.py")} == tested - {"every_example_has_a_test"}


def test_unscaled_images():
    r = first_seed("unscaled_images")
    assert abs(r["raw"]["loss"] - math.log(10)) < 0.02
    assert r["raw"]["dead ReLUs"] > 0.5
    assert r["prepared"]["loss"] < 1.0
    assert r["prepared"]["test accuracy"] > 0.7 > 0.2 > r["raw"]["test accuracy"]
    assert r["prepared"]["dead ReLUs"] < 0.3


def test_learning_rate():
    r = first_seed("learning_rate")
    for data in ("raw", "prepared"):  # neither is cured
        assert r[data, 10.0]["highest loss"] > 1e6
        assert r[data, 10.0]["test accuracy"] < 0.6
    assert r["prepared", 0.001]["loss"] < 0.2 < r["raw", 0.001]["loss"]
    assert r["prepared", 0.001]["test accuracy"] > 0.9


def test_imbalance():
    r = first_seed("imbalance")
    assert r["raw"]["recall"] < 0.1
    assert r["scaled"]["recall"] < 0.1
    assert r["scaled, balanced"]["recall"] > 0.5
    assert r["scaled, balanced"]["balanced accuracy"] > r["scaled"]["balanced accuracy"] + 0.1
    assert r["scaled, balanced"]["accuracy"] < r["raw"]["accuracy"]  # the price
    assert r["scaled"]["moved"] > r["scaled"]["balanced accuracy"] + 0.1  # another way there
    assert r["scaled, balanced"]["log-loss"] > r["scaled"]["log-loss"] + 0.2
    assert r["scaled, balanced"]["as served"] < r["scaled"]["log-loss"] + 0.02


def test_random_labels():
    r = first_seed("random_labels")
    chance, standard_error = 0.1, math.sqrt(0.1 * 0.9 / 2000)
    for data in ("raw", "prepared"):
        assert r[data]["accuracy"] > 0.15  # learns by heart
        assert abs(r[data]["test accuracy"] - chance) < 4 * standard_error


def test_existing_pipeline():
    r = first_seed("existing_pipeline")
    assert not r["raw"]["loss"] < 1.08  # NaN, or that of guessing by the prior
    assert r["prepared"]["loss"] < 0.9
    assert r["prepared"]["test accuracy"] > 0.8 > 0.5 > r["raw"]["test accuracy"]
