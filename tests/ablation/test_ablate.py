"""With and without each stage, from data to verdicts; the parts have tests of their own."""

from __future__ import annotations

import json

import keras
import numpy as np
import pandas as pd
import pytest

import prepkit as pk
from prepkit.ablation import ablate as module


def frame(n: int = 240, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    return pd.DataFrame(
        {
            "small": rng.normal(size=n) + 2 * y,
            "large": rng.normal(size=n) * 1e4,
            "word": np.where(rng.random(n) < 0.2, "c", np.where(y == 1, "a", "b")),
            "y": np.where(y, "yes", "no"),
        }
    )


def net() -> keras.Model:
    model = keras.Sequential([keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1, activation="sigmoid")])
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
    return model


RECIPE = pk.Pipeline([pk.Rescale("standard", reason="one scale"), pk.OneHot()])


@pytest.fixture(scope="module")
def ablation() -> pk.Ablation:
    return pk.ablate(RECIPE, frame(), "y", model=net, seeds=2, epochs=3, batch_size=32)


def test_every_variant_is_run_with_every_seed(ablation):
    names = ["raw", "recipe", "without Rescale", "without OneHot"]
    assert [v.name for v in ablation.variants] == names
    assert {(r.variant, r.seed) for r in ablation.runs} >= {(name, seed) for name in names for seed in (0, 1)}
    assert all(r.status in ("converged", "not converged") for r in ablation.runs)
    assert all(len(r.log_loss) == len(r.loss) == len(r.seconds) == 3 for r in ablation.runs)


def test_what_two_names_share_is_trained_once_and_judged_for_both(ablation):
    assert ablation.settings["equal"] == {"only Rescale": "without OneHot", "only OneHot": "without Rescale"}
    assert len(ablation.runs) == 4 * 2
    table = ablation.table().query("measure == 'log_loss' and place == 'alone'").set_index("stage")
    mean = np.mean([r.measures["log_loss"] for r in ablation.runs if r.variant == "without OneHot"])
    assert table.loc["Rescale", "with_it"] == pytest.approx(mean)


def test_there_is_a_verdict_and_a_reason_a_stage_and_effects_in_both_places(ablation):
    assert ablation.stages == ("Rescale", "OneHot")
    assert ablation.reasons == {"Rescale": "one scale", "OneHot": ""}
    table = ablation.table()
    assert set(table["place"]) == {"in the recipe", "alone"}
    assert set(table["stage"]) == {"Rescale", "OneHot"}
    row = table[(table["stage"] == "Rescale") & (table["measure"] == "log_loss") & (table["place"] == "in the recipe")]
    means = {
        name: np.mean([r.measures["log_loss"] for r in ablation.runs if r.variant == name])
        for name in ("recipe", "without Rescale")
    }
    assert row["difference"].item() == pytest.approx(means["recipe"] - means["without Rescale"])


def test_out_come_tables_json_and_a_page(ablation, tmp_path):
    folder = ablation.save(tmp_path / "deep" / "out")
    assert sorted(p.name for p in folder.iterdir()) == ["ablation.html", "ablation.json", "curves.csv", "effects.csv"]
    data = json.loads((folder / "ablation.json").read_text())
    assert data["settings"]["entropy"] == pytest.approx(np.log(2), abs=0.05)
    assert len(pd.read_csv(folder / "curves.csv")) == len(ablation.curves()) == 3 * len(ablation.runs)
    assert "Rescale" in repr(ablation)


def test_parts_are_the_same_for_all_variants_and_others_for_another_seed(monkeypatch):
    seen: dict[tuple[str, int], float] = {}
    trained = module.trained

    def noted(models, prepared, valid, test, variant, seed, *rest, **settings):
        numbers = [np.concatenate([np.asarray(y) for _, y in part]).sum() for part in (valid, test)]
        seen[variant, seed] = tuple(numbers), prepared.metadata.ledger.rows_in
        return trained(models, prepared, valid, test, variant, seed, *rest, **settings)

    monkeypatch.setattr(module, "trained", noted)
    pk.ablate(RECIPE, frame(), "y", model=net, seeds=2, epochs=1, validation_split=0.25, test_split=0.25)
    assert len({v for (_, seed), v in seen.items() if seed == 0}) == 1
    assert all(rows == 120 for _, rows in seen.values())


def test_an_interrupted_ablation_goes_on_and_gives_the_same(tmp_path, monkeypatch):
    settings = {"model": net, "seeds": 2, "epochs": 2, "out": tmp_path / "runs"}
    whole = pk.ablate(RECIPE, frame(), "y", **settings | {"out": tmp_path / "whole"})
    calls = []
    run = module._Study.run

    def interrupted(self, variant, seed):
        calls.append(variant.name)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return run(self, variant, seed)

    monkeypatch.setattr(module._Study, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pk.ablate(RECIPE, frame(), "y", **settings)
    with (tmp_path / "runs" / "runs.jsonl").open("a") as file:
        file.write('{"variant": "half a li')
    calls[:] = [""] * 10
    again = pk.ablate(RECIPE, frame(), "y", **settings)
    assert len(calls) == 10 + 8 - 3
    assert [r.log_loss for r in again.runs] == [r.log_loss for r in whole.runs]
    calls[:] = [""] * 10
    finished = pk.ablate(RECIPE, frame(), "y", **settings)  # nothing is left to train
    assert len(calls) == 10 and finished.settings["shares"] == again.settings["shares"]
    assert finished.verdicts == again.verdicts
    with pytest.raises(pk.PrepkitError, match="another ablation"):
        pk.ablate(RECIPE, frame(seed=1), "y", **settings)


def test_a_budget_ends_after_a_whole_seed():
    ablation = pk.ablate(RECIPE, frame(), "y", model=net, seeds=3, epochs=1, budget=1e-6)
    assert {r.seed for r in ablation.runs} == {0}
    assert any("budget" in note for note in ablation.notes) and any("One seed" in note for note in ablation.notes)
    assert {v.judgement for v in ablation.verdicts} <= {"not judged"}


def test_alternatives_are_compared_with_the_recipe():
    other = {"Rescale": [pk.Rescale("minmax")]}
    ablation = pk.ablate(RECIPE, frame(), "y", model=net, seeds=2, epochs=1, alternatives=other)
    assert "Rescale: Rescale(method='minmax')" in set(ablation.table()["place"])


def test_given_validation_data_are_those_of_all_seeds():
    ablation = pk.ablate(RECIPE, frame(), "y", model=net, seeds=1, epochs=1, validation=frame(60, seed=5))
    assert ablation.settings["training rows"] == 192


def test_a_model_that_fails_for_one_variant_is_a_failed_run():
    def picky(metadata):
        if len(metadata.feature_names) > 3:
            raise ValueError("too many columns for me")
        return net()

    ablation = pk.ablate(RECIPE, frame(), "y", model=picky, seeds=2, epochs=1)
    failed = {r.variant for r in ablation.runs if r.status == "failed"}
    assert "recipe" in failed and "raw" not in failed
    assert any("too many columns" in r.error for r in ablation.runs)


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"model": net()}, "function that returns a new compiled"),
        ({"model": 3}, "function that returns"),
        ({"model": lambda: keras.Sequential([keras.layers.Dense(1)])}, "compile"),
        ({"seeds": 0}, "seeds=0"),
        ({"epochs": 1.5}, "epochs=1.5"),
        ({"budget": -1}, "budget=-1"),
        ({"test_split": 0.0}, "test_split=0.0"),
        ({"validation_split": 0.5, "test_split": 0.5}, "under a tenth"),
        ({"alternatives": {"Resale": [pk.Impute()]}}, "Rescale"),
        ({"groups": "nobody"}, "nobody"),
    ],
    ids=lambda case: next(iter(case)) if isinstance(case, dict) else "",
)
def test_settings_that_are_none(settings, words):
    with pytest.raises(pk.PrepkitError, match=words):
        pk.ablate(RECIPE, frame(60), "y", **{"model": net, "seeds": 1, "epochs": 1} | settings)


def test_the_same_model_twice_is_refused():
    one = net()
    with pytest.raises(pk.PrepkitError, match="same"):
        pk.ablate(RECIPE, frame(60), "y", model=lambda: one, seeds=1, epochs=1)


def test_where_no_run_can_be_trained_there_is_nothing_to_tell():
    def broken():
        raise ValueError("no such layer")

    with pytest.raises(pk.PrepkitError, match="no variant could be prepared and trained.*no such layer"):
        pk.ablate(RECIPE, frame(60), "y", model=broken, seeds=1, epochs=1)


def test_recipes_and_data_that_are_none():
    with pytest.raises(pk.PrepkitError, match="no stage"):
        pk.ablate(pk.Pipeline([]), frame(60), "y", seeds=1, epochs=1)
    with pytest.raises(pk.PrepkitError, match="takes a Pipeline"):
        pk.ablate(frame(60), RECIPE, "y")
    with pytest.raises(pk.PrepkitError, match="20 rows, too few"):
        pk.ablate(RECIPE, frame(20), "y", seeds=1, epochs=1)
