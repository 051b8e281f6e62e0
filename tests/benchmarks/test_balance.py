"""The benchmark of balance, made small: it runs, its measures are scikit-learn's, its verdicts those of its rows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from benchmarks import balance

SHIPPED = [name for name in balance.SETS if name != "abalone19"]


def test_quick_run_writes_what_it_measured_and_does_not_measure_it_again(tmp_path: Path, monkeypatch, capsys) -> None:
    out = tmp_path / "balance.json"
    asked = ["--quick", "--sets", "hypothyroid", "--kinds", "nothing", "oversample", "--data", str(tmp_path)]
    asked += ["--out", str(out)]
    balance.main(asked)
    report = json.loads(out.read_text())
    assert [(r["set"], r["kind"], r["seed"]) for r in report["runs"]] == [
        ("hypothyroid", "nothing", 0),
        ("hypothyroid", "oversample", 0),
    ]
    assert "--data DIR --out" in report["command"]
    untouched, over = report["runs"]
    assert untouched["rounds"] == over["rounds"] == 3 and 1 <= over["round"] <= 3
    for measure in ("recall", "balanced_accuracy", "auc", "log_loss", "ece"):
        assert untouched[measure] == pytest.approx(untouched[f"{measure}_corrected"], abs=1e-6)
    # The prior that it was trained on is in what it says, and no longer in what is corrected.
    assert over["log_loss_corrected"] < over["log_loss"] - 0.01
    assert over["recall"] >= over["recall_corrected"]
    means = {(r["kind"], r["measure"]): r["mean"] for r in report["summary"]}
    assert means["oversample", "auc"] == over["auc"]
    assert "hypothyroid" in capsys.readouterr().out

    monkeypatch.setattr(balance, "outcome", None)  # would fail if it were called
    balance.main(asked)
    assert json.loads(out.read_text())["runs"] == report["runs"]
    with pytest.raises(SystemExit, match="give another --out"):
        balance.main(["--rounds", "4", "--out", str(out)])


@pytest.mark.parametrize("name", SHIPPED)
def test_sets_are_there_each_class_in_each_part(name: str) -> None:
    frame, groups = balance.load(name, None)
    assert len(frame) <= balance.MOST and not set(balance.LEAKS.get(name, [])) & set(frame)
    assert frame["label"].value_counts().min() >= balance.FEWEST
    data = balance.parts(frame, groups, seed=1)
    assert len(data.train) + len(data.valid) + len(data.test) == len(frame)
    for part, share in ((data.train, 0.6), (data.valid, 0.2), (data.test, 0.2)):
        assert len(part) == pytest.approx(share * len(frame), rel=0.15)
        assert set(part["label"]) == set(frame["label"])


def test_no_storm_is_in_two_parts() -> None:
    rows, groups = np.arange(300), np.arange(300) // 10
    frame = pd.DataFrame({"x": rows, "storm": groups, "label": np.where(groups % 3, "a", "b")})
    data = balance.parts(frame, groups, seed=0)
    storms = [set(part["storm"]) for part in (data.train, data.valid, data.test)]
    assert sum(map(len, storms)) == len(set.union(*storms)) == 30


def test_a_set_that_is_not_shipped_has_to_be_said_where(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"abalone19\.csv is not shipped: give the folder"):
        balance.load("abalone19", None)
    lines = [f"{i},{' positive' if i % 10 == 0 else 'negative'}" for i in range(200)]
    (tmp_path / "abalone19.csv").write_text("\n".join(["Length,Class", *lines, *lines[:50]]))
    frame, _ = balance.load("abalone19", tmp_path)
    assert frame["label"].value_counts().to_dict() == {"negative": 180, "positive": 20}  # no row twice


def test_measures_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet([2.0, 1.0, 0.5], 500)
    y = np.array([rng.choice(3, p=row) for row in p])
    found = balance.measured(p, y, p, (300, 150, 50), "_corrected")
    expected = {
        "auc": metrics.roc_auc_score(y, p, multi_class="ovr"),
        "log_loss": metrics.log_loss(y, p),
        "balanced_accuracy": metrics.balanced_accuracy_score(y, p.argmax(1)),
        "recall": metrics.recall_score(y == 2, p.argmax(1) == 2),
    }
    for name, value in expected.items():
        assert found[f"{name}_corrected"] == pytest.approx(value), name


def test_one_unit_becomes_a_column_a_class() -> None:
    np.testing.assert_allclose(balance.two(np.array([[0.25]], np.float32)), [[0.75, 0.25]])
    np.testing.assert_allclose(balance.two(np.array([[2.0, 1.0, 1.0]])), [[0.5, 0.25, 0.25]])


def runs(**of_kind):
    """One set; each kind with numbers by seed, all measures alike."""
    return [
        {"set": "s", "kind": kind, "seed": seed, **dict.fromkeys(balance.MEASURES, value)}
        for kind, values in of_kind.items()
        for seed, value in enumerate(values)
    ]


def test_differences_are_of_the_same_seed() -> None:
    summary = balance.summarised(runs(nothing=[0.1, 0.5, 0.3], oversample=[0.2, 0.6, 0.4]))
    row = next(r for r in summary if r["kind"] == "oversample" and r["measure"] == "auc")
    assert row["mean"] == pytest.approx(0.4) and row["se"] == pytest.approx(0.2 / 3**0.5)
    assert row["difference"] == pytest.approx(0.1) and row["difference_se"] == pytest.approx(0, abs=1e-9)
    # A seed that either has not got through is left out, and so is a kind that never has.
    some = runs(nothing=[0.1], oversample=[0.2, 0.9])
    row = next(r for r in balance.summarised(some) if r["kind"] == "oversample" and r["measure"] == "auc")
    assert row["difference"] == pytest.approx(0.1) and row["difference_se"] is None and row["seeds"] == 2
    failed = [{"set": "s", "kind": "SMOTE", "seed": 0, "error": "too few rows"}]
    assert balance.summarised(some + failed) == balance.summarised(some)
    assert balance.summarised(failed) == []


def test_targets_name_what_missed() -> None:
    measured = runs(nothing=[0.1, 0.2, 0.15], oversample=[0.3, 0.5, 0.4], undersample=[0.05, 0.25, 0.2])
    found = json.loads(json.dumps(balance.targets(balance.summarised(measured))))
    doubled = found["recall doubled where below 0.3"]
    assert (doubled["held"], doubled["of"]) == (1, 2)
    assert [(m["kind"], round(m["difference"], 6)) for m in doubled["missed"]] == [("undersample", 0.016667)]
    worse = found["log_loss_corrected within one standard error of nothing, or better"]
    assert [m["kind"] for m in worse["missed"]] == ["oversample"]
    assert worse["by_chance"] == pytest.approx(2 * 0.2113, rel=1e-3)  # of t with 2 degrees of freedom below -1
    better = found["auc within one standard error of nothing, or better"]
    assert better["held"] == better["of"] == 2 == better["within_that_of_nothing"]


def test_a_difference_of_rounding_is_none() -> None:
    found = balance.targets(balance.summarised(runs(nothing=[0.5, 0.6], adjusted_loss=[0.4996, 0.5996])))
    assert found["auc within one standard error of nothing, or better"]["missed"] == []


def test_recall_of_nothing_is_not_doubled_by_nothing() -> None:
    found = balance.targets(balance.summarised(runs(nothing=[0.0, 0.0], oversample=[0.0, 0.0], SMOTE=[0.0, 0.1])))
    assert [m["kind"] for m in found["recall doubled where below 0.3"]["missed"]] == ["oversample"]
