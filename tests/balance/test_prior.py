"""Corrected for the prior that a network has seen, its probabilities are those of the prior that the data have."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression

from prepkit.balance.prior import LEAST, correction, focal_alpha, log_shares, shares


@st.composite
def problems(draw):
    """Classes that are normal with variance 1 around means of their own, under two priors, and some values."""
    classes = draw(st.integers(2, 6))
    share = st.lists(st.floats(0.001, 1), min_size=classes, max_size=classes)
    prior, seen = (shares(draw(share)) for _ in range(2))
    means = draw(st.lists(st.floats(-3, 3), min_size=classes, max_size=classes))
    x = draw(st.lists(st.floats(-6, 6), min_size=1, max_size=20))
    return prior, seen, np.array(means), np.array(x)


def posterior(prior, means, x):
    """Bayes' theorem: (rows, classes)."""
    joint = np.array(prior) * norm.pdf(x[:, None], means)
    return joint / joint.sum(axis=1, keepdims=True)


@given(problems())
def test_the_posterior_under_one_prior_becomes_the_one_under_the_other(problem):
    prior, seen, means, x = problem
    logits = np.log(posterior(seen, means, x))
    ours = softmax(logits + correction(prior, seen), axis=1)
    np.testing.assert_allclose(ours, posterior(prior, means, x), rtol=1e-9, atol=1e-12)


@given(problems())
def test_of_two_classes_the_difference_corrects_one_logit(problem):
    prior, seen, means, x = problem
    prior, seen, means = shares(prior[:2]), shares(seen[:2]), means[:2]
    p = posterior(seen, means, x)
    logit = np.log(p[:, 1]) - np.log(p[:, 0])
    no, yes = correction(prior, seen)
    ours = 1 / (1 + np.exp(-(logit + yes - no)))
    np.testing.assert_allclose(ours, posterior(prior, means, x)[:, 1], rtol=1e-9, atol=1e-12)


def test_a_model_fitted_on_balanced_draws_gives_the_natural_posterior():
    rng = np.random.default_rng(0)
    prior, means = (0.95, 0.05), np.array([0.0, 2.0])
    y = (rng.random(40_000) < prior[1]).astype(int)
    x = rng.normal(means[y])
    minority = np.flatnonzero(y)
    rows = np.concatenate([np.arange(len(y)), rng.choice(minority, len(y) - 2 * len(minority))])
    model = LogisticRegression(C=np.inf).fit(x[rows, None], y[rows])
    grid = np.linspace(-2, 4, 50)
    raw = model.predict_proba(grid[:, None])
    truth = posterior(prior, means, grid)[:, 1]
    seen = shares(np.bincount(y[rows]))
    corrected = softmax(np.log(raw) + correction(shares(np.bincount(y)), seen), axis=1)[:, 1]
    assert np.abs(raw[:, 1] - truth).max() > 0.3, "uncorrected, it is far off"
    assert np.abs(corrected - truth).max() < 0.03


@given(st.lists(st.floats(0, 1), min_size=2, max_size=6))
def test_nothing_is_corrected_where_nothing_changed(amounts):
    assert correction(shares(amounts), shares(amounts)) == (0.0,) * len(amounts)


def test_classes_without_a_share_in_either_are_left_alone():
    np.testing.assert_allclose(correction((0.5, 0.5, 0.0), (0.25, 0.0, 0.75)), (np.log(2), 0.0, 0.0))


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=6))
def test_shares(amounts):
    ours = shares(amounts)
    assert sum(ours) == pytest.approx(1 if any(amounts) else 0)
    assert all(type(s) is float for s in ours)
    np.testing.assert_allclose(np.array(ours) * sum(amounts), amounts)


@given(problems())
def test_logits_adjusted_in_the_loss_count_all_classes_the_same(problem):
    prior, _, means, x = problem
    # Menon et al. 2021: what a network learns is the posterior's logit less the logarithm of the prior.
    learned = np.log(posterior(prior, means, x)) - log_shares(prior)
    np.testing.assert_allclose(softmax(learned, axis=1), posterior(shares([1] * len(means)), means, x), rtol=1e-9)


def test_the_logarithm_of_no_share_is_finite():
    assert log_shares((1.0, 0.0)) == (0.0, np.log(LEAST))


@given(st.lists(st.integers(1, 1000), min_size=2, max_size=6))
def test_focal_alpha_falls_with_the_share(counts):
    alpha = np.array(focal_alpha(shares(counts)))
    assert alpha.sum() == pytest.approx(1)
    np.testing.assert_allclose(alpha * counts, (alpha * counts)[0], rtol=1e-6)


def test_focal_alpha_of_two_classes_is_the_share_of_the_other_one():
    np.testing.assert_allclose(focal_alpha((0.97, 0.03)), (0.03, 0.97))
    np.testing.assert_allclose(focal_alpha((0.75, 0.25, 0.0)), (1 / 7, 3 / 7, 3 / 7))
