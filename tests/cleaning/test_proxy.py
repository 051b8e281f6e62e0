"""Proxies give probabilities that can be used, whatever the classes and weights are."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prepkit.cleaning import proxy
from prepkit.cleaning.proxy import (
    BOOSTED,
    BOOSTING,
    FLOOR,
    LINEAR,
    NEIGHBOURS,
    PAIRED,
    SUPPORT_VECTORS,
    log_loss,
    normalised,
    predicted,
    proxies,
    sampled,
)
from tests.cleaning import tables
from tests.cleaning.tables import design, table

PROXIES = (BOOSTING, SUPPORT_VECTORS, LINEAR, NEIGHBOURS)
every_proxy = pytest.mark.parametrize("model", PROXIES, ids=lambda p: p.name)


one_thread = pytest.fixture(autouse=True, scope="module")(tables.one_thread)


def a_table(n=300, classes=3, seed=0, spread=4.0):
    """Numbers around a centre for each class, some missing, and a category that tells little."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    x = rng.normal(size=(n, 4)) + spread * rng.normal(size=(classes, 4))[labels]
    x[rng.random(x.shape) < 0.05] = np.nan
    word = np.array([f"w{i}" for i in rng.integers(0, 5, n)], object)
    return table({f"x{i}": column for i, column in enumerate(x.T)} | {"word": word}, labels, word="categorical")


def probabilities_of(model, of, train, held_out, **more):
    facts = {"labels": of.labels, "classes": len(of.class_names)} | more
    return predicted(model, design(of), facts.pop("labels"), facts.pop("classes"), train, held_out, **facts)


@every_proxy
def test_probabilities_are_finite_and_sum_to_one_and_find_the_class(model):
    of = a_table()
    train, held_out = np.arange(200), np.arange(299, 199, -1)
    p = probabilities_of(model, of, train, held_out)
    assert p.shape == (100, 3) and p.dtype == np.float32
    assert np.isfinite(p).all() and p.min() >= np.float32(FLOOR)
    np.testing.assert_allclose(p.sum(1, dtype=np.float64), 1, atol=1e-6)
    assert (p.argmax(1) == of.labels[held_out]).mean() > 0.9
    np.testing.assert_array_equal(probabilities_of(model, of, train, held_out), p)


@every_proxy
def test_a_class_without_training_rows_keeps_its_column_at_the_floor(model):
    of = a_table()
    train = np.flatnonzero(of.labels[:200] != 1)
    p = probabilities_of(model, of, train, np.arange(200, 300), classes=5)
    assert p.shape == (100, 5)
    np.testing.assert_allclose(p[:, [1, 3, 4]], FLOOR, rtol=1e-6)
    there = np.isin(of.labels[200:], [0, 2])
    assert (p.argmax(1) == of.labels[200:])[there].mean() > 0.9


@every_proxy
def test_the_only_class_is_certain_and_without_any_nothing_is(model):
    of = a_table()
    p = probabilities_of(model, of, np.flatnonzero(of.labels == 2), np.arange(5))
    np.testing.assert_allclose(p, [[FLOOR, FLOOR, 1 - 2 * FLOOR]] * 5, rtol=1e-6)
    np.testing.assert_allclose(
        probabilities_of(model, of, np.arange(0), np.arange(5)), np.full((5, 3), 1 / 3), rtol=1e-6
    )


@every_proxy
def test_two_rows_of_each_class_are_enough_and_no_row_need_be_held_out(model):
    of = a_table()
    p = probabilities_of(model, of, np.arange(6), np.arange(20))
    np.testing.assert_allclose(p.sum(1), 1, atol=1e-6)
    assert probabilities_of(model, of, np.arange(6), np.arange(0)).shape == (0, 3)


@every_proxy
def test_no_row_but_those_to_train_on_and_those_to_predict_is_looked_at(model):
    of = a_table()
    labels = np.where(np.arange(300) < 150, of.labels, 9)  # a label that is no class
    weights = np.where(np.arange(300) < 150, np.float32(1), np.float32(np.nan))
    p = probabilities_of(model, of, np.arange(150), np.arange(150, 300), labels=labels, weights=weights)
    np.testing.assert_allclose(p, probabilities_of(model, of, np.arange(150), np.arange(150, 300)), atol=1e-5)


@pytest.mark.parametrize("model", [BOOSTING, SUPPORT_VECTORS, LINEAR], ids=lambda p: p.name)
def test_weights_decide_between_labels_that_contradict(model):
    of = a_table(n=600)
    labels = np.where(np.arange(600) < 300, of.labels, (of.labels + 1) % 3)
    trusted = np.where(np.arange(600) < 300, 5, 0.05).astype(np.float32)
    rows = np.arange(600)
    p = probabilities_of(model, of, rows, rows, labels=labels, weights=trusted)
    assert (p.argmax(1) == of.labels).mean() > 0.9
    turned = probabilities_of(model, of, rows, rows, labels=labels, weights=trusted[::-1])
    assert (turned.argmax(1) == (of.labels + 1) % 3).mean() > 0.9
    scaled = probabilities_of(model, of, rows, rows, labels=labels, weights=trusted * 1000)
    np.testing.assert_allclose(scaled, p, atol=1e-3)


@every_proxy
@pytest.mark.parametrize("without", [(2,), (0, 1, 2)])
def test_classes_may_be_without_weight(model, without):
    of = a_table()
    weights = np.where(np.isin(of.labels, without), 0, 1).astype(np.float32)
    p = probabilities_of(model, of, np.arange(200), np.arange(200, 300), weights=weights)
    np.testing.assert_allclose(p.sum(1), 1, atol=1e-6)
    if without == (2,) and model is not NEIGHBOURS:
        there = of.labels[200:] != 2
        assert (p.argmax(1) == of.labels[200:])[there].mean() > 0.9


@every_proxy
def test_of_more_rows_a_sample_is_trained_on(model, monkeypatch):
    seen = []

    def sample(*given):
        seen.append(sampled(*given))
        return seen[-1]

    monkeypatch.setattr(proxy, "sampled", sample)
    of = a_table()
    rows, few = np.arange(200), dataclasses.replace(model, most=60)
    p = probabilities_of(few, of, rows, np.arange(200, 300), seed=1)
    np.testing.assert_array_equal(probabilities_of(few, of, rows, np.arange(200, 300), seed=1), p)
    other = probabilities_of(few, of, rows, np.arange(200, 300), seed=2)
    assert np.abs(other - p).max() > 1e-4
    assert [len(s) for s in seen] == [60] * 3
    exact = probabilities_of(model, of, seen[0], np.arange(200, 300), seed=1)
    np.testing.assert_array_equal(exact, p)


@every_proxy
def test_pieces_do_not_matter(model, monkeypatch):
    of = a_table()
    whole = probabilities_of(model, of, np.arange(200), np.arange(200, 300))
    monkeypatch.setattr(proxy, "PIECE", 7)
    np.testing.assert_allclose(probabilities_of(model, of, np.arange(200), np.arange(200, 300)), whole, atol=1e-6)


@pytest.mark.parametrize("model", [LINEAR, NEIGHBOURS], ids=lambda p: p.name)
def test_a_thousand_classes(model):
    rng = np.random.default_rng(0)
    labels = np.arange(4000) % 1000
    x = (rng.normal(size=(1000, 30))[labels] + 0.3 * rng.normal(size=(4000, 30))).astype(np.float32)
    of = table(x, labels)
    p = probabilities_of(model, of, np.arange(3000), np.arange(3000, 4000))
    assert p.shape == (1000, 1000) and p.min() >= np.float32(FLOOR)
    np.testing.assert_allclose(p.sum(1, dtype=np.float64), 1, atol=1e-4)
    assert (p.argmax(1) == labels[3000:]).mean() > (0.5 if model is NEIGHBOURS else 0.9)  # 15 of them, 3 of the class


def test_a_thousand_classes_in_a_table_and_one_that_is_wide():
    of = a_table(40)
    assert proxies(design(of), 1000) == (NEIGHBOURS, LINEAR)


@pytest.mark.parametrize(
    ("image", "classes", "expected"),
    [
        (False, 2, (BOOSTING, SUPPORT_VECTORS)),
        (False, PAIRED, (BOOSTING, SUPPORT_VECTORS)),
        (False, PAIRED + 1, (BOOSTING, LINEAR)),
        (False, BOOSTED, (BOOSTING, LINEAR)),
        (False, BOOSTED + 1, (NEIGHBOURS, LINEAR)),
        (True, 2, (NEIGHBOURS, SUPPORT_VECTORS)),
        (True, PAIRED + 1, (NEIGHBOURS, LINEAR)),
    ],
)
def test_proxies_are_chosen_by_the_kind_of_data_and_the_number_of_classes(image, classes, expected):
    of = table(np.random.default_rng(0).random((20, 4, 4)), np.arange(20) % 2) if image else a_table(20)
    assert proxies(design(of), classes) == expected


def test_trees_use_categories_as_such():
    """Half of 40 categories are of one class: as a number no split or two would tell."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 40, 2000)
    first = rng.permutation(40) < 20
    of = table({"word": np.array([f"c{i}" for i in codes], object)}, first[codes].astype(int), word="categorical")
    shallow = dataclasses.replace(
        BOOSTING, build=lambda *a: BOOSTING.build(*a).set_params(max_iter=3, max_leaf_nodes=2)
    )
    p = probabilities_of(shallow, of, np.arange(1500), np.arange(1500, 2000))
    assert (p.argmax(1) == of.labels[1500:]).mean() > 0.99


@given(st.integers(1, 1500), st.integers(0, 2**32))
def test_normalised_rows_sum_to_one_and_keep_the_floor(classes, seed):
    rng = np.random.default_rng(seed)
    p = rng.random((7, classes)).astype(np.float32) ** 8 * (rng.random((7, classes)) < 0.5)
    p[:, rng.integers(classes)] = 1
    expected = p / p.sum(1, keepdims=True)
    found = normalised(p)
    assert found is p and p.min() >= np.float32(FLOOR)
    np.testing.assert_allclose(p.sum(1, dtype=np.float64), 1, atol=1e-5)
    np.testing.assert_allclose(p, expected, atol=2e-3 * classes / 1000 + 2e-6)


CLASSES = st.lists(st.integers(1, 200), min_size=1, max_size=8)


@given(CLASSES, st.integers(1, 400), st.integers(0, 5), st.integers(0, 2**32))
def test_a_sample_keeps_the_shares_of_classes_and_some_rows_of_each(counts, n, least, seed):
    rng = np.random.default_rng(seed)
    total = sum(counts)
    rows = np.sort(rng.choice(2 * total, total, replace=False))
    labels = np.full(2 * total, 99)
    labels[rows] = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    found = sampled(labels, rows, n, np.random.default_rng(seed), least)
    assert np.isin(found, rows).all() and (np.diff(found) > 0).all()
    if total <= n:
        np.testing.assert_array_equal(found, rows)
        return
    for c, count in enumerate(counts):
        own = int((labels[found] == c).sum())
        share = count * n / total
        assert min(count, least) <= own <= count
        assert abs(own - share) <= 0.5 or own == min(count, least)


def test_samples_are_drawn_evenly():
    labels, rows = np.arange(100) % 2, np.arange(100)
    drawn = np.zeros(100)
    for seed in range(400):
        drawn[sampled(labels, rows, 20, np.random.default_rng(seed))] += 1
    assert (np.abs(drawn - 80) < 40).all()  # five standard deviations
    assert drawn.sum() == 400 * 20


def test_log_loss_is_the_mean_of_the_given_labels():
    p = np.array([[0.5, 0.5], [0.1, 0.9], [1e-6, 1 - 1e-6]], np.float32)
    expected = -(np.log(0.5) + np.log(0.9) + np.log(1e-6)) / 3
    assert log_loss(np.array([0, 1, 0]), p) == pytest.approx(expected, rel=1e-6)
