"""Treatments by what they gain on rows that none of them has touched."""

from __future__ import annotations

import numpy as np
import pytest

from prepkit.cleaning import compare as module
from prepkit.cleaning.act import Limits, Treatment
from prepkit.cleaning.compare import Gain, compare
from tests.cleaning.noisy import noisy
from tests.cleaning.tables import one_thread, rows, table

quiet = pytest.fixture(autouse=True)(one_thread)
DROP, WEIGHT = Treatment("drop"), Treatment("weight", wide=True)
SURE, NOTHING = Treatment("relabel", sure=0.5), Treatment("nothing")
FREE = Limits(1.0, 0)


def crowded(wrong, n=240, seed=0, **more):
    """Columns of noise beside, in which a network learns single rows by heart; judged by who knows the truth."""
    data = noisy(n, wrong, seed=seed)
    rng = np.random.default_rng(9)
    x = data.frame[["a", "b"]].assign(**{f"noise {i}": 3 * rng.normal(size=n) for i in range(20)})
    made = rows(table({name: x[name].to_numpy() for name in x}, data.given), **more)
    p = data.probabilities.astype(np.float32)
    return data, made, lambda _, chosen, __: p[chosen]


def test_a_treatment_that_helps_is_told_from_chance():
    _, made, judge = crowded(72)
    gains = {g.treatment: g for g in compare(made, judge, [DROP, WEIGHT, SURE, NOTHING], FREE)}
    assert list(gains) == [DROP, WEIGHT, SURE, NOTHING]
    for treatment in (DROP, WEIGHT, SURE):
        assert gains[treatment].significant
        assert gains[treatment].gain > 0.05
    assert (gains[NOTHING].gain, gains[NOTHING].error, gains[NOTHING].significant) == (0, 0, False)


def test_without_wrong_labels_nothing_helps():
    data, made, _ = crowded(0)
    p = data.probabilities.astype(np.float32)
    p[:24] = np.roll(p[:24], 1, axis=1)
    gains = compare(made, lambda _, chosen, __: p[chosen], [DROP, WEIGHT, SURE], FREE)
    assert not any(g.significant for g in gains)


def test_a_treatment_that_harms_is_no_gain():
    data, made, _ = crowded(0)
    p = np.roll(data.probabilities, 1, axis=1).astype(np.float32)
    (gain,) = compare(made, lambda _, chosen, __: p[chosen], [Treatment("relabel", wide=True, sure=0.5)], FREE)
    assert gain.gain < -0.5
    assert not gain.significant


def test_held_out_rows_are_neither_judged_nor_learned_from(monkeypatch):
    _, made, judge = crowded(48)
    judged, learned, asked = [], [], []
    predictions, everything = module._predictions, made.design.encoded(np.arange(240))

    def of(x):
        """Which rows these are."""
        return np.flatnonzero((everything[:, None] == x[None]).all(2).any(1))

    def spy_predictions(again, judge_, treatments, limits, train, held_out, inner):
        asked.append((train, held_out))
        return predictions(again, judge_, treatments, limits, train, held_out, inner)

    def spy_judge(again, chosen, folds):
        judged.append(chosen)
        assert 2 <= folds < 10
        return judge(again, chosen, folds)

    class Spy:
        def __init__(self, x):
            self.x = x

        def predict(self, x):
            assert not set(of(self.x)) & set(of(x))
            assert set(of(x)) == set(asked[-1][1])
            return np.zeros(len(x), int)

    def spy_learned(x, classes, weights, seed):
        keep = weights > 0
        assert set(of(x)) == set(asked[-1][0])
        learned.append(keep.sum())
        return Spy(x)

    monkeypatch.setattr(module, "_predictions", spy_predictions)
    monkeypatch.setattr(module, "_learned", spy_learned)
    compare(made, spy_judge, [DROP, SURE], FREE)
    assert len(asked) == len(judged) >= 5
    for (train, held_out), chosen in zip(asked, judged, strict=True):
        np.testing.assert_array_equal(train, chosen)
        assert not set(train) & set(held_out)
    held = np.concatenate([h for _, h in asked[:5]])
    np.testing.assert_array_equal(np.sort(held), np.arange(240))  # each once
    assert min(learned) < min(len(train) for train, _ in asked)  # and a treatment has left some out


def test_gains_are_by_the_given_labels_of_all_rows(monkeypatch):
    """By a network that knows: of a treatment it predicts the truth, of nothing one class."""
    data, made, judge = crowded(60)

    def known(again, judge_, treatments, limits, train, held_out, inner):
        return {t: data.true[held_out] if t == DROP else np.zeros(len(held_out), int) for t in treatments}

    monkeypatch.setattr(module, "_predictions", known)
    (gain,) = compare(made, judge, [DROP], FREE)
    differences = (data.true == data.given) * 1.0 - (data.given == 0)
    assert gain.gain == pytest.approx(differences.mean())
    assert gain.error == pytest.approx(differences.std() / np.sqrt(240))


def test_rows_that_are_alike_are_held_out_together(monkeypatch):
    alike = np.random.default_rng(0).integers(0, 60, 240)
    _, made, judge = crowded(48, alike=np.unique(alike, return_inverse=True)[1])

    def spy(again, judge_, treatments, limits, train, held_out, inner):
        assert not set(again.alike[train]) & set(again.alike[held_out])
        return {t: np.zeros(len(held_out), int) for t in treatments}

    monkeypatch.setattr(module, "_predictions", spy)
    compare(made, judge, [DROP], FREE)


def test_limits_and_confirmed_rows_are_heeded(monkeypatch):
    fixed = np.arange(240) < 120
    data, made, judge = crowded(60, fixed=fixed)
    seen = []

    def spy(x, classes, weights, seed):
        seen.append((classes, weights))
        return type("Constant", (), {"predict": lambda self, x: np.zeros(len(x), int)})()

    monkeypatch.setattr(module, "_learned", spy)
    train, held_out = np.arange(200), np.arange(200, 240)
    module._predictions(made, judge, [NOTHING, DROP, WEIGHT], Limits(0.05, 0), train, held_out, 3)
    (_, untouched), (_, weights), (_, less) = seen
    assert (untouched == 1).all()
    assert (less < 1).any()
    assert (less[fixed[train]] == 1).all()
    left_out = np.flatnonzero(weights == 0)
    assert len(left_out)
    assert not fixed[left_out].any()
    assert data.wrong[left_out].all()
    sizes, gone = np.bincount(data.given[train]), np.bincount(data.given[left_out], minlength=3)
    assert (gone == np.minimum(gone, (0.05 * sizes).astype(int))).all()


def test_weights_of_rows_are_multiplied(monkeypatch):
    given = np.random.default_rng(0).uniform(1, 2, 240).astype(np.float32)
    _, made, judge = crowded(60, weights=given)
    seen = []

    def spy(x, classes, weights, seed):
        seen.append(weights)
        return type("Constant", (), {"predict": lambda self, x: np.zeros(len(x), int)})()

    monkeypatch.setattr(module, "_learned", spy)
    train = np.arange(200)
    module._predictions(made, judge, [NOTHING, DROP], FREE, train, np.arange(200, 240), 3)
    np.testing.assert_array_equal(seen[0], given[train])
    assert set(seen[1][seen[1] > 0]) <= set(given[train])
    assert (seen[1] == 0).sum() > 20


def test_treatments_that_come_to_the_same_are_learned_once(monkeypatch):
    data, made, _ = crowded(0)
    seen = []

    def spy(x, classes, weights, seed):
        seen.append(weights)
        return type("Constant", (), {"predict": lambda self, x: np.zeros(len(x), int)})()

    monkeypatch.setattr(module, "_learned", spy)
    p = np.eye(3, dtype=np.float32)[data.given]
    out = module._predictions(
        made, lambda _, c, __: p[c], [NOTHING, DROP, SURE], FREE, np.arange(200), np.arange(200, 240), 3
    )
    assert len(seen) == 1
    assert list(out) == [NOTHING, DROP, SURE]


@pytest.mark.parametrize(
    ("gain", "error", "significant"), [(0.02, 0.01, True), (0.016, 0.01, False), (0, 0, False), (-0.1, 0.01, False)]
)
def test_significance(gain, error, significant):
    assert Gain(DROP, gain, error).significant == significant


@pytest.mark.parametrize(("gains", "rounds"), [([0.9], 1), ([0.0], 1), ([0.05], 3)])
def test_what_is_unclear_is_repeated(gains, rounds, monkeypatch):
    """With other folds, up to three times."""
    _, made, judge = crowded(0)
    folds = []

    def spy(again, judge_, treatments, limits, train, held_out, inner):
        folds.append(tuple(held_out))
        right = made.labels[held_out]
        rng = np.random.default_rng(len(folds))
        other = np.where(rng.random(len(right)) < 0.5, right, 3)
        better = np.where(rng.random(len(right)) < gains[0], right, other)
        return {t: better if t == DROP else other for t in treatments}

    monkeypatch.setattr(module, "_predictions", spy)
    compare(made, judge, [DROP], FREE)
    assert len(folds) == 5 * rounds
    assert len(set(folds)) == len(folds)


def test_the_same_seed_gives_the_same():
    _, made, judge = crowded(48, n=90)
    first, second = (compare(made, judge, [DROP], FREE) for _ in range(2))
    assert first == second
    assert first[0].gain != 0


def test_of_many_rows_some_are_compared(monkeypatch):
    monkeypatch.setattr(module, "COMPARED", 60)
    _, made, judge = crowded(48)
    rows_ = []

    def spy(again, judge_, treatments, limits, train, held_out, inner):
        rows_.append(len(train) + len(held_out))
        return {t: np.zeros(len(held_out), int) for t in treatments}

    monkeypatch.setattr(module, "_predictions", spy)
    compare(made, judge, [DROP], FREE)
    assert set(rows_) == {60}
