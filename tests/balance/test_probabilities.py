"""Outputs of any kind as probabilities, under the prior that is asked for."""

from __future__ import annotations

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

import prepkit as pk
from prepkit.balance.prior import correction
from prepkit.balance.probabilities import as_probabilities, full_correction

TINY = 1e-6  # the smallest ratio of shares that is corrected for
EXTREME = (float(np.log(TINY)), -float(np.log(TINY)))


def by_bayes(p: np.ndarray, prior: np.ndarray, training_prior: np.ndarray) -> np.ndarray:
    """Posteriors p under one prior, under another: likelihoods are in proportion to p / training_prior."""
    joint = p.astype(np.float64) / training_prior * prior
    return joint / joint.sum(1, keepdims=True)


def softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z.astype(np.float64) - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_corrected_probabilities_are_those_of_bayes_rule(classes):
    rng = np.random.default_rng(classes)
    z = rng.normal(0, 4, (50, classes)).astype(np.float32)
    prior, seen = rng.dirichlet(np.full(classes, 0.5), 2)
    shift = correction(prior, seen)
    p = softmax(z).astype(np.float32)
    expected = by_bayes(p, prior, seen)
    np.testing.assert_allclose(as_probabilities(tf.constant(p), correction=shift), expected, rtol=1e-6)
    np.testing.assert_allclose(as_probabilities(tf.constant(z), logits=True, correction=shift), expected, rtol=1e-4)


def test_one_unit_is_the_second_of_two():
    z = np.linspace(-9, 9, 37, dtype=np.float32)[:, None]
    prior, seen = np.array([0.98, 0.02]), np.array([0.5, 0.5])
    p = 1 / (1 + np.exp(-z))
    expected = by_bayes(np.hstack([1 - p, p]), prior, seen)[:, 1:]
    shift = correction(prior, seen)
    np.testing.assert_allclose(as_probabilities(tf.constant(p), correction=shift), expected, rtol=1e-5)
    np.testing.assert_allclose(as_probabilities(tf.constant(z), logits=True, correction=shift), expected, rtol=1e-5)


@pytest.mark.parametrize("ratio", [TINY, 1 / TINY])
def test_ratios_of_one_in_a_million_and_back_lose_no_digits(ratio):
    """Small probabilities, which float32 can hold, are exact in relative terms, too."""
    p = np.array([1e-30, 1e-12, 1e-6, 0.25, 0.5, 1 - 2**-20], np.float32)
    shift = (0.0, float(np.log(ratio)))
    wide = p.astype(np.float64)
    expected = wide * ratio / (wide * ratio + 1 - wide)
    np.testing.assert_allclose(as_probabilities(tf.constant(p[:, None]), correction=shift)[:, 0], expected, rtol=2e-7)
    both = np.stack([1 - wide, wide], 1).astype(np.float32)
    np.testing.assert_allclose(as_probabilities(tf.constant(both), correction=shift)[:, 1], expected, rtol=2e-7)


@pytest.mark.parametrize("shift", [EXTREME, EXTREME[::-1], (500.0, 0.0), (0.0, -500.0)])
def test_certain_stays_certain(shift):
    for rows in ([[0.0], [1.0]], [[0.0, 1.0], [1.0, 0.0]]):
        certain = tf.constant(rows)
        np.testing.assert_array_equal(as_probabilities(certain, correction=shift), certain)


def test_without_correction_nothing_is_computed():
    p = tf.constant([[0.3, 0.7]])
    assert as_probabilities(p) is p
    z = tf.constant([[-1.3, 0.2], [88.0, -3.0]])
    np.testing.assert_array_equal(as_probabilities(z, logits=True), keras.ops.softmax(z))
    np.testing.assert_array_equal(as_probabilities(z[:, :1], logits=True), keras.ops.sigmoid(z[:, :1]))


@pytest.mark.parametrize("logits", [True, False])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_type_stays(dtype, logits):
    out = as_probabilities(tf.constant([[0.25, 0.75]], dtype), logits=logits, correction=(1.0, 0.0))
    assert out.dtype.name == dtype
    assert as_probabilities(tf.constant([[0.25]], dtype), logits=logits, correction=(1.0, 0.0)).dtype.name == dtype


def compiled(loss: object) -> SimpleNamespace:
    return SimpleNamespace(loss=loss)


def test_what_the_loss_adjusted_is_added():
    adjusted = compiled(SimpleNamespace(logit_correction=(0.5, -1.0)))
    assert full_correction(adjusted, (1.0, 2.0), 2) == (1.5, 1.0)
    assert full_correction(compiled("mse"), (1.0, 2.0), 2) == (1.0, 2.0)
    assert full_correction(adjusted, None, 2) is None


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.7, 0.7), (1e-12, 0.0)])
def test_what_changes_no_probability_is_none(shift):
    assert full_correction(compiled(None), shift, 2) is None
    opposite = SimpleNamespace(logit_correction=tuple(-v for v in shift))
    assert full_correction(compiled(opposite), shift, 2) is None
    assert full_correction(compiled(None), (1e-6, 0.0), 2) == (1e-6, 0.0)


@pytest.mark.parametrize("shift", [(1.0,), (1.0, 2.0, 3.0), (np.nan, 0.0), (np.inf, 0.0), [[1.0, 2.0]]])
def test_a_correction_of_other_classes_is_refused(shift):
    with pytest.raises(pk.PrepkitError, match="correction=.*one finite number for each of the 2 classes"):
        full_correction(compiled(None), shift, 2)
