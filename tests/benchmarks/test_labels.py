"""The benchmark of labels, made small."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import labels, labels_cost


def test_noise_is_put_into_as_many_labels_as_said_and_into_no_others():
    true = np.arange(300) % 3
    for kind in labels.KINDS:
        given = labels.noisy(true, 0.2, kind, seed=1)
        assert (given != true).sum() == 60
    assert set((given - true)[given != true] % 3) == {1}  # pairwise: the next class


def test_one_outcome_and_its_summary(monkeypatch):
    monkeypatch.setattr("prepkit.cleaning.compare.EPOCHS", 15)
    out = labels.outcome("wine", "symmetric", 0.2, 0, None, epochs=10)
    assert out["true"] > 0.9 and 0.0 <= out["noisy"] <= 1.0
    assert out["precision"] > 0.7 and out["recall"] > 0.7
    table = labels.summarised([{**out, "true": 1.0, "noisy": 0.8, "auto": 0.9, "pruned": 0.85}])
    assert table["won_back"].item() == pytest.approx(0.5)
    assert table["pruning_won_back"].item() == pytest.approx(0.25)


@pytest.mark.parametrize("name", labels.SETS)
def test_sets_are_there(name):
    x, y, given = labels.load(name, None)
    assert given is None and len(x) == len(y) and np.unique(y).tolist() == list(range(y.max() + 1))


def test_cost_of_a_small_case():
    found = labels_cost.measured("probabilities", 3_000)
    assert found["rows"] == 3_000 and found["taken"] == "drop" and found["seconds"] > 0
    assert 0 <= found["own"] <= 1
