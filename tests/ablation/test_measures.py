"""Measures of probabilities, against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, recall_score, roc_auc_score
from sklearn.metrics import log_loss as their_log_loss

from prepkit.ablation.measures import BINS, log_loss, measured


def drawn(classes, n=300, seed=0, digits=None):
    """Labels and probabilities that know something of them; of few digits, so that there are ties."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    logits = rng.normal(size=(n, classes)) + 1.5 * np.eye(classes)[y]
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    if digits:
        p = p.round(digits) + 1e-3
        p /= p.sum(1, keepdims=True)
    return y, p


@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("digits", [None, 1])
def test_measures_are_those_of_scikit_learn(classes, digits):
    y, p = drawn(classes, digits=digits)
    said = drawn(classes, seed=1)[1]
    counts = np.arange(classes, 0, -1)  # the last class is the rarest
    out = measured(y, p, said, counts)
    answer = said.argmax(1)
    auc = roc_auc_score(y, p[:, 1]) if classes == 2 else roc_auc_score(y, p, multi_class="ovr")
    expected = {
        "log_loss": their_log_loss(y, p),
        "auc": auc,
        "balanced_accuracy": balanced_accuracy_score(y, answer),
        "minority_recall": recall_score(y, answer, labels=[classes - 1], average="macro"),
    }
    assert {k: v for k, v in out.items() if k != "ece"} == pytest.approx(expected, rel=1e-9)


def test_the_calibration_error_is_that_of_its_definition():
    y, p = drawn(3)
    sure, right = p.max(1), p.argmax(1) == y
    expected = 0.0
    for m in range(1, BINS + 1):
        inside = (sure > (m - 1) / BINS) & (sure <= m / BINS)
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - sure[inside].mean())
    assert measured(y, p, p, (1, 1, 1))["ece"] == pytest.approx(expected)
    edge = np.array([[0.6, 0.4], [0.62, 0.38]])  # 0.6 is the end of the ninth bin, and no part of the tenth
    assert measured(np.array([0, 1]), edge, edge, (1, 1))["ece"] == pytest.approx((0.4 + 0.62) / 2)
    certain = np.eye(3)[y]
    assert measured(y, certain, certain, (1, 1, 1))["ece"] == 0


def test_probabilities_of_zero_are_lifted_and_made_to_sum_to_one_again():
    y = np.array([0, 1, 2])
    p = np.array([[0.0, 1.0, 0.0], [0.5, 0.5, 0.0], [0.2, 0.3, 0.5]])
    lifted = p.clip(1e-7, 1)
    assert log_loss(y, p.astype(np.float32)) == pytest.approx(their_log_loss(y, lifted / lifted.sum(1)[:, None]))


def test_a_class_that_no_row_is_of_is_left_out_and_so_is_what_cannot_be_computed():
    y, p = drawn(3)
    y[y == 2] = 1
    out = measured(y, p, p, (30, 20, 10))
    assert "minority_recall" not in out  # the rarest class does not occur
    assert out["auc"] == pytest.approx(np.mean([roc_auc_score(y == c, p[:, c]) for c in (0, 1)]))
    assert out["balanced_accuracy"] == pytest.approx(np.mean([(p.argmax(1)[y == c] == c).mean() for c in (0, 1)]))
    one = measured(np.zeros(4, int), p[:4], p[:4], (2, 2, 2))
    assert set(one) == {"log_loss", "ece", "balanced_accuracy", "minority_recall"}
    assert "minority_recall" in measured(y, p, p, (30, 20, 0))  # a class that was never trained on is no minority


def test_nothing_is_measured_of_no_rows_or_of_what_is_not_finite():
    y, p = drawn(2, 10)
    broken = p.copy()
    broken[3] = np.nan
    assert measured(y, broken, p, (1, 1)) == measured(y, p, broken, (1, 1)) == {}
    assert measured(y[:0], p[:0], p[:0], (1, 1)) == {}
    assert np.isnan(log_loss(y, broken)) and np.isnan(log_loss(y[:0], p[:0]))
