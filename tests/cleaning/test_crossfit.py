"""No row is judged by a model that has seen it, or a row like it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from prepkit.cleaning import crossfit
from prepkit.cleaning.crossfit import better, crossed, twice
from prepkit.cleaning.proxy import BOOSTING, FLOOR, LINEAR, NEIGHBOURS, SUPPORT_VECTORS, Proxy, predicted
from tests.cleaning import tables
from tests.cleaning.tables import rows, table

one_thread = pytest.fixture(autouse=True, scope="module")(tables.one_thread)


class ByShares:
    """Instead of a model: the share of each class, which tells on what it was trained."""

    def fit(self, x, y, sample_weight=None):
        self.classes_, counts = np.unique(y, return_counts=True)
        self.shares = counts / counts.sum()
        return self

    def predict_proba(self, x):
        return np.tile(self.shares, (len(x), 1))


SHARES = Proxy("shares", False, 10**6, lambda *_: ByShares())


@pytest.fixture
def calls(monkeypatch):
    """The rows that each model was trained on and those that it predicted."""
    found = []

    def spy(proxy, design, labels, classes, train, held_out, **more):
        found.append((train, held_out))
        return predicted(proxy, design, labels, classes, train, held_out, **more)

    monkeypatch.setattr(crossfit, "predicted", spy)
    return found


def blobs(n=240, classes=3, seed=0, wrong=0.0):
    """Numbers around a centre for each class, with a share of wrong labels; and which are wrong."""
    rng = np.random.default_rng(seed)
    true = np.arange(n) % classes
    x = rng.normal(size=(n, 3)) + 8 * rng.normal(size=(classes, 3))[true]
    bad = rng.random(n) < wrong
    return table(x, np.where(bad, (true + 1) % classes, true)), bad


OF = blobs(120)[0]


@given(st.lists(st.integers(0, 60), min_size=120, max_size=120), st.integers(2, 6), st.integers(0, 2**32))
def test_no_model_has_seen_a_row_that_it_judges_or_one_alike(alike, folds, seed):
    made = rows(OF, alike=np.array(alike) * 7, chosen=np.arange(10, 110), seed=seed)
    seen = []

    def spy(proxy, design, labels, classes, train, held_out, **more):
        seen.append((train, held_out))
        assert more["seed"] == seed and more["weights"] is None
        return np.tile(held_out[:, None], (1, classes))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crossfit, "predicted", spy)
        fold = made.folds(folds)
        out = crossed(SHARES, made, made.chosen, fold)
    np.testing.assert_array_equal(out[:, 0], made.chosen)  # each in its place
    assert sorted(np.concatenate([held_out for _, held_out in seen])) == list(range(10, 110))
    for train, held_out in seen:
        assert not set(made.alike[train]) & set(made.alike[held_out])
        assert np.isin(train, made.chosen).all()


def test_each_fold_is_judged_by_all_the_others(calls):
    made = rows(OF)
    fold = made.folds(4)
    p = crossed(SHARES, made, made.chosen, fold)
    assert [len(train) for train, _ in calls] == [90] * 4
    for k, (train, held_out) in enumerate(calls):
        np.testing.assert_array_equal(held_out, np.flatnonzero(fold == k))
        np.testing.assert_array_equal(train, np.flatnonzero(fold != k))
    np.testing.assert_allclose(p, 1 / 3, atol=0.01)


def test_rows_that_are_not_chosen_are_not_used(calls):
    made = rows(OF, chosen=np.arange(0, 120, 2))
    assert crossed(SHARES, made, made.chosen, made.folds(3)).shape == (60, 3)
    for parts in calls:
        assert not (np.concatenate(parts) % 2).any()
    assert not np.array_equal(made.folds(3), rows(OF, chosen=made.chosen, seed=1).folds(3))
    some = made.chosen[:30]
    assert made.folds(3, some).shape == (30,)
    assert crossed(SHARES, made, some, made.folds(3, some)).shape == (30, 3)


def test_weights_reach_the_models():
    made = rows(OF, weights=np.linspace(1, 2, 120).astype(np.float32))
    seen = []

    class Seeing(ByShares):
        def fit(self, x, y, sample_weight=None):
            seen.append(sample_weight)
            return super().fit(x, y)

    fold = made.folds(3)
    crossed(Proxy("", False, 10**6, lambda *_: Seeing()), made, made.chosen, fold)
    for k, weight in enumerate(seen):
        expected = made.weights[fold != k]
        np.testing.assert_allclose(weight, expected / expected.mean(), rtol=1e-6)


def test_rows_that_are_left_out_are_judged_but_not_learned_from(calls):
    made = rows(OF)
    left_out = np.arange(120) % 5 == 0
    p = crossed(SHARES, made, made.chosen, made.folds(4), left_out)
    np.testing.assert_allclose(p.sum(1), 1, rtol=1e-5)
    for train, held_out in calls:
        assert not left_out[train].any()
        assert left_out[held_out].any()
    assert sum(len(held_out) for _, held_out in calls) == 120


def test_a_fold_that_would_keep_one_class_is_trained_on_all_of_its_rows(calls):
    made = rows(OF)
    fold = made.folds(4)
    left_out = (OF.labels != 2) & (fold != 0)  # of the others, fold 0 alone has rows of two classes and more
    crossed(SHARES, made, made.chosen, fold, left_out)
    np.testing.assert_array_equal(calls[0][0], np.flatnonzero(fold != 0))
    for k in (1, 2, 3):
        np.testing.assert_array_equal(calls[k][0], np.flatnonzero((fold != k) & ~left_out))


def test_a_class_of_which_one_row_is_left_is_not_trained_on(calls):
    labels = np.append(np.arange(60) % 2, [2, 2])
    made = rows(table(np.random.default_rng(0).normal(size=(62, 2)), labels))
    fold = made.folds(5)
    p = crossed(SHARES, made, made.chosen, fold)
    with_one = [(train, held_out) for train, held_out in calls if (labels[held_out] == 2).any()]
    assert len(with_one) == 2
    for train, held_out in with_one:
        assert not (labels[train] == 2).any()
        np.testing.assert_allclose(p[held_out, 2], FLOOR, rtol=1e-6)


def test_labels_that_were_put_right_are_those_that_count(calls):
    right = (OF.labels + 1) % 3
    made = rows(OF, labels=right)
    assert (crossed(LINEAR, made, made.chosen, made.folds(3)).argmax(1) == right).mean() > 0.95


def test_the_second_models_are_not_trained_on_what_the_first_ones_doubt(calls):
    of, bad = blobs(300, wrong=0.15)
    confirmed = np.zeros(300, bool)
    confirmed[np.flatnonzero(bad)[:10]] = True
    made = rows(of, fixed=confirmed)
    fold = made.folds(5)
    p = twice(LINEAR, made, made.chosen, fold)
    first = crossed(LINEAR, made, made.chosen, fold)
    doubted = made.doubted(made.chosen, first)
    assert doubted[bad & ~confirmed].mean() > 0.8 and not doubted[confirmed].any()
    assert len(calls) == 15
    for k in range(5):
        np.testing.assert_array_equal(calls[k][0], np.flatnonzero(fold != k))
        np.testing.assert_array_equal(calls[5 + k][0], np.flatnonzero((fold != k) & ~doubted))
        np.testing.assert_array_equal(calls[5 + k][1], np.flatnonzero(fold == k))
    true = np.arange(300) % 3
    on_true = np.arange(300), true
    assert p[on_true].mean() > first[on_true].mean()
    np.testing.assert_array_equal(twice(LINEAR, made, made.chosen, fold), p)


def levels(n=1200):
    """The parity of two categories of many levels: no plane parts it, and one-hot columns tell nothing alone."""
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 30, (2, n))
    name = np.array([f"c{i}" for i in range(30)], object)
    return table({"a": name[a], "b": name[b]}, (a // 15 + b // 15) % 2, a="categorical", b="categorical")


def thresholds(n=1200):
    """Stripes of one column among many that tell nothing."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 1, (n, 12))
    return table(x, (x[:, 0] * 6).astype(int) % 2)


def rings(n=500):
    rng = np.random.default_rng(0)
    angle, ring = rng.uniform(0, 2 * np.pi, n), np.arange(n) % 3
    radius = 1 + ring + 0.15 * rng.normal(size=n)
    return table(np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1), ring)


def digits():
    x, y = load_digits(return_X_y=True)
    return table(x[:600], y[:600])


@pytest.mark.parametrize(
    ("data", "expected"),
    [(levels, BOOSTING), (thresholds, BOOSTING), (rings, SUPPORT_VECTORS), (digits, SUPPORT_VECTORS)],
)
def test_the_proxy_of_lower_loss_is_taken(data, expected):
    assert better(rows(data()), 3) is expected


def test_of_two_that_are_as_good_the_faster_is_taken(monkeypatch):
    first, second = (Proxy(name, False, 10**6, lambda *_: ByShares()) for name in "ab")
    monkeypatch.setattr(crossfit, "proxies", lambda design, classes: (first, second))
    assert better(rows(OF), 3) is second
    losses = iter([0.989, 1.0, 0.991, 1.0])
    monkeypatch.setattr(crossfit, "log_loss", lambda *_: next(losses))
    assert better(rows(OF), 3) is first
    assert better(rows(OF), 3) is second


def test_the_better_is_found_on_a_sample_that_has_rows_of_rare_classes_for_each_fold(calls, monkeypatch):
    monkeypatch.setattr(crossfit, "TRIED", 100)
    labels = np.append(np.arange(994) % 2, np.full(6, 2))
    of = table(np.random.default_rng(0).normal(size=(1000, 2)), labels)
    better(rows(of), 5)
    for train, held_out in calls:
        assert 95 < len(train) + len(held_out) < 115
        assert (labels[train] == 2).sum() >= 2 and (labels[held_out] == 2).any()


def test_two_classes_one_of_which_is_rare(monkeypatch):
    monkeypatch.setattr(crossfit, "TRIED", 50)
    labels = (np.arange(1000) < 3).astype(int)
    made = rows(table(np.random.default_rng(0).normal(size=(1000, 2)), labels))
    for folds in (2, 3):
        proxy = better(made, folds)
        p = twice(proxy, made, made.chosen, made.folds(folds))
        assert np.isfinite(p).all() and (p > 0).all()


def test_many_classes_of_few_rows(monkeypatch):
    monkeypatch.setattr(crossfit, "TRIED", 100)
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 100
    x = 5 * rng.normal(size=(100, 8))[labels] + rng.normal(size=(400, 8))
    made = rows(table(x, labels))
    assert better(made, 4) in (NEIGHBOURS, LINEAR)


def test_doubted_rows_are_those_of_cleanlab_but_for_confirmed_ones():
    fixed = np.zeros(120, bool)
    p = np.full((120, 3), 0.05)
    p[np.arange(120), OF.labels] = 0.9
    p[:6] = p[:6, [1, 2, 0]]
    expected = np.arange(120) < 6
    np.testing.assert_array_equal(rows(OF).doubted(np.arange(120), p), expected)
    fixed[[2, 50]] = True
    found = rows(OF, fixed=fixed).doubted(np.arange(120), p)
    np.testing.assert_array_equal(found, expected & ~fixed)


@pytest.mark.parametrize("filter_by", ["prune_by_noise_rate", "predicted_neq_given"])
def test_rows_are_doubted_by_the_method_that_was_asked_for(filter_by):
    chosen = np.arange(20, 120)
    p = np.random.default_rng(0).dirichlet(np.full(3, 0.5), 100)
    p[np.arange(100), OF.labels[chosen]] += 0.4
    p /= p.sum(1, keepdims=True)
    found = rows(OF, filter_by=filter_by).doubted(chosen, p)
    disagree = p.argmax(1) != OF.labels[chosen]
    assert disagree[found].all()
    assert (found.sum() == disagree.sum()) == (filter_by == "predicted_neq_given")
