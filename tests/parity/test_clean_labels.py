"""What is doubted from given probabilities is what cleanlab says of them when it is called directly."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores

import prepkit as pk
from prepkit.rows.clean_labels import FILTERS, RANKS
from tests.cleaning.noisy import noisy, prepared

FORMS = {
    "strings": ("ant", "bee", "cat"),
    "integers": (7, 8, 9),
    "negative": (-1, 0, 1),  # in order of their numbers, not of their words
    "floats": (1.0, 2.0, 3.0),
    "booleans": (False, True),
}


def directly(given, p, filter_by):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="May not flag all label issues")
        return np.flatnonzero(find_label_issues(given, p, filter_by=filter_by, n_jobs=1))


def case(form):
    """Hard enough that no two methods doubt the same rows."""
    return noisy(210, 45, names=FORMS[form], apart=2.0)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("filter_by", FILTERS)
def test_flags(filter_by, form):
    data = case(form)
    found = prepared(data.frame, action="report", pred_probs=data.probabilities, filter_by=filter_by)
    p = data.probabilities.astype(np.float32)
    np.testing.assert_array_equal(np.sort(found.label_issues["row"]), directly(data.given, p, filter_by))
    names = found.metadata.class_names
    assert names == (("1", "2", "3") if form == "floats" else tuple(map(str, FORMS[form])))
    rows = found.label_issues["row"].to_numpy()
    assert found.label_issues["given"].tolist() == [names[c] for c in data.given[rows]]
    assert found.label_issues["suggested"].tolist() == [names[c] for c in p[rows].argmax(1)]
    own = data.probabilities[rows, data.given[rows]]
    np.testing.assert_allclose(found.label_issues["self_confidence"], own, rtol=1e-5, atol=2e-7)
    np.testing.assert_allclose(found.label_issues["confidence"], data.probabilities[rows].max(1), rtol=1e-5)
    np.testing.assert_allclose(found.label_issues["margin"], data.probabilities[rows].max(1) - own, atol=1e-6)


def test_methods_differ():
    """Else the test above could not tell one from the other."""
    data = case("strings")
    flags = [directly(data.given, data.probabilities, f).tolist() for f in FILTERS]
    assert len(set(map(tuple, flags))) >= 5
    assert all(flags)


@pytest.mark.parametrize("rank", RANKS)
def test_order(rank):
    data = case("strings")
    found = prepared(data.frame, action="report", pred_probs=data.probabilities, rank=rank, filter_by="both")
    rows = found.label_issues["row"].to_numpy()
    scores = get_label_quality_scores(data.given, data.probabilities, method=rank)[rows]
    assert len(rows) > 10
    assert (np.diff(scores) >= -1e-6).all()
    assert (np.diff(scores) > 1e-4).any()


@pytest.mark.parametrize("form", ["one_hot", "frame", "out", "unlabelled"])
def test_other_ways_to_say_labels_and_probabilities(form):
    data = case("integers")
    x, p, y = data.frame[["a", "b"]].to_numpy(), data.probabilities, data.given
    if form == "one_hot":
        found = prepared((x, np.eye(3, dtype=np.float32)[y]), None, action="report", pred_probs=p)
    elif form == "frame":
        columns = pd.DataFrame(p, columns=["7", "8", "9"])[["9", "7", "8"]]
        found = prepared(data.frame, action="report", pred_probs=columns)
    elif form == "out":
        recipe = pk.Pipeline([pk.CleanLabels("report", pred_probs=p)], labels="one_hot")
        found = recipe.prepare(data.frame, "y")
    else:  # rows without a label are read and have probabilities, and are not judged
        frame = data.frame.astype({"y": object})
        frame.loc[[0, 50], "y"] = None
        found = prepared(frame, action="report", pred_probs=p)
        y = y.copy()
    p = p.astype(np.float32)
    rows = np.arange(len(y))
    if form == "unlabelled":
        rows = np.setdiff1d(rows, [0, 50])
    flags = rows[directly(y[rows], p[rows], "prune_by_noise_rate")]
    np.testing.assert_array_equal(np.sort(found.label_issues["row"]), flags)
    assert len(flags) > 10
