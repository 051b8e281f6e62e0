"""An ablation as plain data: tables, curves, JSON without NaN."""

from __future__ import annotations

import json

import prepkit as pk
from prepkit.ablation.data import ALONE, IN_RECIPE, Ablation, Effect, Run, Variant, Verdict

NAN = float("nan")
RUNS = (
    Run("recipe", 0, "converged", loss=(0.5, 0.4), log_loss=(0.6, 0.5), seconds=(1.0, 2.0), measures={"auc": 0.9}),
    Run("raw", 0, "diverged", loss=(NAN,), log_loss=(NAN,), seconds=(1.0,)),
    Run("without Clip", 0, "failed", "no such layer"),
)
ABLATION = Ablation(
    (Variant("recipe", "recipe", "", (pk.Clip(iqr=1.5),), ""), Variant("raw", "raw", "", (), "", ("cells as 0",))),
    RUNS,
    (Effect("Clip", "log_loss", IN_RECIPE, 0.5, 0.6, -0.1, -0.2, 0.0, 0.04, 5, "helps"),
     Effect("Clip", "auc", ALONE, 0.9, NAN, NAN, NAN, NAN, NAN, 0, "not judged")),
    (Verdict("Clip", "helps", "log-loss 0.5 with it"),),
    {"Clip": ""}, "Pipeline([...])", {"seeds": 1, "targets": {0: 0.3}},
)  # fmt: skip


def test_an_effect_is_a_row_and_an_epoch_is_a_row():
    table, curves = ABLATION.table(), ABLATION.curves()
    assert table[["stage", "measure", "place"]].to_numpy().tolist() == [
        ["Clip", "log_loss", "in the recipe"], ["Clip", "auc", "alone"]
    ]  # fmt: skip
    assert curves["variant"].tolist() == ["recipe", "recipe", "raw"] and curves["epoch"].tolist() == [1, 2, 1]
    assert curves["log_loss"].tolist()[:2] == [0.6, 0.5]
    assert list(Ablation((), (), (), (), {}, "", {}).curves()) == list(curves)  # no run: no row, the same columns


def test_json_has_null_for_nan_and_stages_as_they_are_printed():
    data = json.loads(ABLATION.to_json(), parse_constant=lambda word: (_ for _ in ()).throw(AssertionError(word)))
    assert data["runs"][1]["loss"] == [None] and data["effects"][1]["p"] is None
    assert "iqr=1.5" in data["variants"][0]["stages"][0] and data["variants"][1]["stand_ins"] == ["cells as 0"]
    assert data["settings"]["targets"] == {"0": 0.3}


def test_it_prints_as_its_verdicts():
    assert ABLATION.stages == ("Clip",)
    assert "Clip" in repr(ABLATION) and "helps" in repr(ABLATION)
