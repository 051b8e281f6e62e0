"""Whether there is anything to judge labels by."""

from __future__ import annotations

import numpy as np
import pytest

from prepkit.cleaning.judge import has_signal, of_equals


def confident(true: np.ndarray) -> np.ndarray:
    """Probabilities of one who knows the truth, and is sure of it."""
    return np.where(np.arange(2) == true[:, None], 0.99, 0.01)


@pytest.mark.parametrize("seed", range(5))
def test_confident_probabilities_know_a_rare_class_even_where_most_of_its_labels_are_wrong(seed):
    rng = np.random.default_rng(seed)
    true = (rng.random(1400) < 0.05).astype(np.int64)
    given = np.where(rng.random(1400) < 0.3, 1 - true, true)
    assert (true[given == 1] == 0).mean() > 0.8
    assert has_signal(given, confident(true))


def test_labels_that_do_not_depend_on_the_features_give_no_signal():
    rng = np.random.default_rng(0)
    found = [has_signal(rng.permutation(y := rng.integers(0, 2, 500)), confident(y)) for _ in range(200)]
    assert sum(found) <= 3  # beyond three standard errors on one side: 0.3 are expected


def test_rows_of_one_key_have_the_mean_of_their_probabilities():
    p = np.array([[0.9, 0.1], [0.5, 0.5], [0.3, 0.7]], np.float32)
    out = of_equals(p.copy(), np.array([7, 8, 7], np.uint64))
    np.testing.assert_allclose(out, [[0.6, 0.4], [0.5, 0.5], [0.6, 0.4]], rtol=1e-6)
