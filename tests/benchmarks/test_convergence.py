"""The benchmark of convergence, made small: it runs, its sets are there, its counts are those of its verdicts."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import prepkit as pk
from benchmarks import convergence

REAL = [name for name, case in convergence.CASES.items() if case.part == "real"]


def test_quick_run_writes_what_it_measured_and_does_not_measure_it_again(tmp_path: Path, monkeypatch, capsys) -> None:
    out, pages = tmp_path / "convergence.json", tmp_path / "pages"
    monkeypatch.setattr(convergence, "outside", lambda seeds: {"leak": {"by_prepare": [0.4, 0.6]}})
    asked = ["--quick", "--sets", "example-rate", "planted-nothing", "--pages", str(pages), "--out", str(out)]
    convergence.main(asked)
    report = json.loads(out.read_text())
    example, nothing = report["sets"]
    assert [example["set"], nothing["set"]] == ["example-rate", "planted-nothing"]
    assert report["settings"] == {"seeds": 2, "epochs": 3, "most_rows": 6000, "nulls": 2}
    assert "--pages DIR --out" in report["command"]
    assert example["stages"] == {"Rescale": "Rescale (standard)"}
    assert [v["stage"] for v in example["verdicts"]] == ["Rescale"]
    assert {name: len(losses) for name, losses in example["log_loss"].items()} == {"raw": 3, "recipe": 3}
    assert example["settings"]["epochs"] == 3 and example["settings"]["model"] == "of_wine"
    assert sum(nothing["counts"].values()) == len(nothing["repeats"]) == 2
    first, second = nothing["repeats"]
    assert first["difference"] != second["difference"]
    assert (pages / "example-rate" / "ablation.html").read_text().startswith("<!")
    assert "leak: {'by_prepare': 0.5}" in capsys.readouterr().out

    monkeypatch.setattr(convergence, "outcome", None)  # would fail if it were called
    convergence.main(asked)
    assert json.loads(out.read_text())["sets"] == report["sets"]
    with pytest.raises(SystemExit, match="give another --out"):
        convergence.main(["--seeds", "4", "--out", str(out)])
    both, settings = tmp_path / "both.json", ["--seeds", "2", "--epochs", "3", "--nulls", "2"]
    convergence.main([*settings, "--merge", str(out), "--out", str(both)])
    merged = json.loads(both.read_text())
    assert merged["sets"] == report["sets"] and merged["summary"] == report["summary"]
    assert [m["command"] for m in merged["merged"]] == [report["command"]]
    with pytest.raises(SystemExit, match="leave it out"):
        convergence.main(["--seeds", "4", "--merge", str(out), "--out", str(tmp_path / "other.json")])


@pytest.mark.parametrize("name", REAL)
def test_real_sets_are_there(name: str) -> None:
    data, label = convergence.CASES[name].data()
    if label is None:
        images, digit = data
        assert images.dtype == np.uint8 and images.shape == (1797, 8, 8) and images.max() == 255
        assert len(np.unique(digit)) == 10
    else:
        assert 300 < len(data) <= convergence.MOST and data[label].nunique() >= 2
        assert not set(data) & {"name", "category", "wind", "Comments", "Individual ID"}


def test_what_is_planted_is_in_the_data() -> None:
    plain, _ = convergence.table(1000, 2)()
    assert plain.drop(columns="label").mean().abs().max() < 1e-12
    np.testing.assert_allclose(plain.drop(columns="label").std(ddof=0), 1)
    told_by_rule = np.where(plain["a"] + plain["b"] > 0, "yes", "no")
    assert 0.8 < (told_by_rule == plain["label"]).mean() < 0.95
    holes, _ = convergence.table(1000, 1, missing=0.1)()
    assert holes.drop(columns="label").isna().mean().mean() == pytest.approx(0.1, abs=0.02)
    grouped, _ = convergence.table(1000, 3, category=True)()
    shares = grouped.groupby("kind")["label"].agg(lambda y: (y == "yes").mean())
    assert (np.minimum(shares, 1 - shares) < 0.12).all() and (shares > 0.5).sum() == 4


def test_clip_and_clean_labels_are_put_where_they_belong(monkeypatch) -> None:
    chosen = pk.Pipeline([pk.Impute(), pk.Rescale("squash"), pk.Rescale("standard"), pk.Rebalance("class_weight")])
    seen = []
    monkeypatch.setattr(pk, "recommend", lambda data, label: seen.append(list(data)) or chosen, raising=False)
    frame = pd.DataFrame({"group": ["a"], "x": [1.0], "label": ["yes"]})
    names = [type(s).__name__ for s in convergence.cleaned(frame, "label")]
    assert names == ["Drop", "Impute", "Clip", "Rescale", "Rescale", "CleanLabels", "Rebalance"]
    assert seen == [["x", "label"]]
    images = convergence.recommended((np.zeros((2, 8, 8)), [0, 1]), None)
    assert images == list(chosen.stages)


def test_the_summary_counts_real_sets_and_names_what_was_not_expected() -> None:
    def one(part: str, judgement: str, met: bool) -> dict[str, object]:
        expected = [{"of": "Clip", "right": ["hurts"], "found": judgement, "met": met}]
        verdicts = [{"stage": "Clip", "judgement": judgement}]
        common = {"set": part, "title": part, "cpu_seconds": 1.0, "stages": {"Clip": "Clip"}}
        return common | {"part": part, "verdicts": verdicts, "expected": expected}

    found = convergence.summarised(
        [one("real", "helps", False), one("real", "hurts", True), one("planted", "hurts", True)]
    )
    assert found["real_sets"] == 2 and found["cpu_seconds"] == 3.0
    assert {j: n for j, n in found["by_stage"]["Clip"].items() if n} == {"helps": 1, "hurts": 1}
    assert found["in_all"]["hurts"] == 1
    assert found["expected"] == {"met": 2, "of": 3} and [e["set"] for e in found["not_met"]] == ["real"]


def test_alternatives_are_expected_by_the_beginning_of_their_names() -> None:
    case = convergence.CASES["planted-hash"]
    ablation = convergence.ablated(case, seeds=1, epochs=1, runs=None)
    found = convergence.told_of(case, ablation)["expected"]
    assert [(e["of"], e["found"], e["met"]) for e in found] == [
        ("OneHot", "not judged", False),
        ("OneHot: Hash", "not judged", False),
    ]
    assert [v.name for v in ablation.variants if v.role == "alternative"] == ["OneHot: Hash(columns='kind', bins=2)"]


def test_outside_checks_come_out_as_published() -> None:
    bias = convergence.initial_bias(4)
    assert bias["bias"] == pytest.approx(bias["bias_by_formula"], abs=1e-5)
    for which in ("with_bias", "without"):
        assert bias[f"{which}_kernel_of_zeros"] == pytest.approx([bias[f"{which}_by_formula"]], abs=1e-5)
    assert max(bias["with_bias"]) < min(bias["without"])
    leak = convergence.leak(2)
    assert np.mean(leak["repeated_before_the_split"]) > 0.8 and abs(np.mean(leak["by_prepare"]) - 0.5) < 0.15


def test_plain_is_json_without_nan() -> None:
    told = convergence.plain({"a": (np.float64(1 / 3), float("nan"), np.int64(2)), "b": [True, None, "x"]})
    assert json.loads(json.dumps(told, allow_nan=False)) == {"a": [0.333333, None, 2], "b": [True, None, "x"]}
    assert convergence.kind_of(SimpleNamespace(method="unit")) == "SimpleNamespace (unit)"
