"""What is decided from probabilities, what is said of them, and what of a person's word."""

from __future__ import annotations

import keras
import numpy as np
import pandas as pd
import pytest

import prepkit as pk
from prepkit.cleaning import clean as cleaning
from prepkit.cleaning import judge
from prepkit.cleaning.compare import Gain
from prepkit.rows.clean_labels import FILTERS
from tests.cleaning.noisy import NAMES, assert_rows, expected, noisy, prepared, rows_of
from tests.cleaning.tables import one_thread

quiet = pytest.fixture(autouse=True)(one_thread)
DATA = noisy()
P = DATA.probabilities
ACTIONS = ("auto", "relabel", "drop", "weight", "report")


def codes(found):
    return {f.code for f in found.cleaning.findings}


def said(found, code):
    (finding,) = [f for f in found.cleaning.findings if f.code == code]
    return finding


# -- what is done -------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["drop", "weight", "report"])
def test_doubted_rows_are_treated_as_asked(action):
    found = prepared(DATA.frame, action=action, pred_probs=P)
    issues = found.label_issues
    assert set(issues["row"]) == set(np.flatnonzero(DATA.wrong))  # they are far apart
    assert issues["suggested"].tolist() == [NAMES[c] for c in DATA.true[issues["row"]]]
    weight = {"drop": 0, "report": 1, "weight": issues["self_confidence"]}[action]
    np.testing.assert_allclose(issues["weight"], weight, rtol=1e-6)
    assert found.cleaning.taken == ("nothing" if action == "report" else action)
    assert (found.metadata.cleaning["action"], found.metadata.cleaning["taken"]) == (action, found.cleaning.taken)
    assert found.cleaning.noise.rate == pytest.approx(0.1, abs=0.02)
    assert found.cleaning.accuracy == pytest.approx(0.9, abs=0.01)
    assert found.cleaning.chance == pytest.approx(np.bincount(DATA.given).max() / 150)
    np.testing.assert_array_equal(found.cleaning.judged, np.arange(150))
    np.testing.assert_allclose(found.cleaning.probabilities, P, rtol=1e-5, atol=2e-7)


def test_relabelling_happens_only_where_it_is_sure():
    """Of thresholds, the best on held-out rows; then the class and the margin both have to reach it."""
    data = noisy(150, 30, apart=2.0)
    found = prepared(data.frame, action="relabel", pred_probs=data.probabilities)
    sure = float(found.cleaning.taken.removeprefix("relabel (sure from ").removesuffix(")"))
    assert sure in (0.5, 0.7, 0.9)
    issues = found.label_issues
    is_sure = (issues["confidence"] >= sure) & (issues["margin"] >= sure / 2) & (issues["given"] != issues["suggested"])
    np.testing.assert_array_equal(issues["action"] == "relabel", is_sure)
    assert 0 < is_sure.sum() < len(issues)
    taken = [c for c in found.cleaning.candidates if c.taken]
    assert [c.rows for c in taken] == [int(is_sure.sum())]
    assert taken[0].gain == max(c.gain for c in found.cleaning.candidates[1:])


def crowded(wrong, seed=0):
    """Columns of noise beside, in which a network learns single rows by heart."""
    data = noisy(240, wrong, seed=seed)
    rng = np.random.default_rng(9)
    return data, data.frame.assign(**{f"noise {i}": 3 * rng.normal(size=240) for i in range(20)})


def test_auto_treats_labels_where_that_helps():
    data, frame = crowded(72)
    found = prepared(frame, action="auto", pred_probs=data.probabilities)
    candidates = found.cleaning.candidates
    assert [c.action for c in candidates] == ["nothing", *map(str, cleaning.TREATMENTS)]
    (taken,) = [c for c in candidates if c.taken]
    assert taken.action == found.cleaning.taken != "nothing"
    assert taken.gain > 1.645 * taken.error > 0
    assert taken.gain == max(c.gain for c in candidates if c.gain > 1.645 * c.error)
    assert taken.rows == (found.label_issues["action"] != "keep").sum()
    true = dict(zip(frame["a"].tolist(), data.true.tolist(), strict=True))
    trained = rows_of(found.dataset)
    assert (
        np.average([label == true[a] for a, (label, _) in trained.items()], weights=[w for _, w in trained.values()])
        > 0.97
    )
    assert_rows(found.dataset, expected(frame, found.label_issues, NAMES))


def test_auto_does_nothing_where_no_label_is_wrong():
    data, frame = crowded(0)
    # Eight rows are doubted without reason.
    p = data.probabilities.copy()
    p[:8] = np.roll(p[:8], 1, axis=1)
    found = prepared(frame, action="auto", pred_probs=p)
    assert len(found.label_issues) == 8
    assert found.cleaning.taken == "nothing"
    assert [c.taken for c in found.cleaning.candidates] == [True, False, False, False]
    assert all(c.gain <= 1.645 * c.error for c in found.cleaning.candidates)
    assert set(found.label_issues["action"]) == {"keep"}
    assert_rows(found.dataset, expected(frame, found.label_issues.iloc[:0], NAMES))


@pytest.mark.parametrize(
    ("action", "gains", "taken"),
    [
        ("relabel", [0.01, 0.03, 0.02], 1),
        ("relabel", [-0.02, -0.03, -0.01], 2),  # asked for, if not helpful
        ("auto", [0.03, 0.04, 0.02], 1),
        ("auto", [0.03, 0.01, 0.02], 0),
        ("auto", [0.015, 0.016, 0.01], None),  # within the noise of the comparison
        ("auto", [-0.1, 0.0, -0.1], None),
    ],
)
def test_of_what_was_compared_the_best_is_taken(action, gains, taken, monkeypatch):
    def compared(rows, judge, treatments, limits):
        return [Gain(t, gain, 0.01) for t, gain in zip(treatments, gains, strict=True)]

    monkeypatch.setattr(cleaning, "compare", compared)
    found = prepared(DATA.frame, action=action, pred_probs=P)
    treatments = cleaning.TREATMENTS if action == "auto" else cleaning.RELABELLING
    assert found.cleaning.taken == ("nothing" if taken is None else str(treatments[taken]))
    assert [c.taken for c in found.cleaning.candidates] == [taken is None, *(i == taken for i in range(3))]
    assert [c.gain for c in found.cleaning.candidates] == [0, *gains]


def test_of_large_gains_the_largest_that_is_beyond_the_noise_is_taken(monkeypatch):
    def compared(rows, judge, treatments, limits):
        return [Gain(t, *g) for t, g in zip(treatments, [(0.02, 0.01), (0.05, 0.04), (0.01, 0.001)], strict=True)]

    monkeypatch.setattr(cleaning, "compare", compared)
    assert prepared(DATA.frame, action="auto", pred_probs=P).cleaning.taken == str(cleaning.TREATMENTS[0])


@pytest.mark.parametrize("share", [0.0, 0.05, 0.1, 1.0])
def test_no_more_than_a_share_of_a_class_is_changed(share):
    found = prepared(DATA.frame, action="drop", pred_probs=P, max_share=share, min_rows=0)
    issues, sizes = found.label_issues, np.bincount(DATA.given)
    assert len(issues) == 15
    held = 0
    for c, name in enumerate(NAMES):
        of_class = issues[issues["given"] == name]
        allowed = min(len(of_class), int(share * sizes[c]))
        # In order of doubt: the first so many.
        assert of_class["action"].tolist() == ["drop"] * allowed + ["keep"] * (len(of_class) - allowed)
        reasons = of_class["reason"].iloc[allowed:]
        assert reasons.str.endswith("but so much of the class may not be changed").all()
        held += len(of_class) > allowed
    if held:
        assert said(found, "cleaning.capped").evidence["classes"] == held
    assert ("cleaning.capped" in codes(found)) == bool(held) == (share < 1)
    assert found.cleaning.taken == ("drop" if share else "nothing")
    assert_rows(found.dataset, expected(DATA.frame, issues, NAMES))


def test_no_class_goes_below_its_least_rows():
    keep = np.flatnonzero((DATA.given != 2) | DATA.wrong | (np.cumsum(DATA.given == 2) <= 15))
    frame, p = DATA.frame.iloc[keep].reset_index(drop=True), P[keep]
    counts = np.bincount(DATA.given[keep])
    assert counts[2] < 25
    found = prepared(frame, action="drop", pred_probs=p, min_rows=int(counts[2]) - 2, max_share=1.0)
    assert (found.label_issues["given"] == "cat").sum() > 2
    assert found.metadata.counts[2] == counts[2] - 2
    assert found.metadata.counts[:2] == tuple(counts[:2] - (found.label_issues["given"].value_counts()[["ant", "bee"]]))
    found = prepared(frame, action="drop", pred_probs=p, min_rows=40, max_share=1.0)
    assert found.metadata.counts[2] == counts[2]


def test_a_whole_class_may_go_if_that_is_allowed():
    given = np.where(DATA.true == 2, 0, DATA.true)  # no row is truly a cat
    given[:6] = 2
    p = np.eye(3)[np.where(given == 2, DATA.true % 2, given)] * 0.7 + 0.1
    frame = DATA.frame.assign(y=np.array(NAMES)[given])
    held = prepared(frame, action="drop", pred_probs=p)
    assert held.metadata.counts[2] == 6
    found = pk.Pipeline(
        [pk.CleanLabels("drop", pred_probs=p, max_share=1, min_rows=0, filter_by="predicted_neq_given"), pk.Rebalance()]
    ).prepare(frame, "y")
    assert found.metadata.counts[2] == 0
    assert found.metadata.prior[2] == 0
    assert found.metadata.class_weight[2] == 1
    assert np.isfinite(found.metadata.advice.initial_bias).all()
    assert_rows(found.dataset, expected(frame, found.label_issues, NAMES))


def copied(times):
    """Hard rows, each there several times but for one of them, in any order; with the number of each."""
    data = noisy(150, 45, apart=1.5)
    order = np.random.default_rng(times).permutation(np.repeat(np.arange(150), times)[: 150 * times - 1])
    return data, order, data.frame.iloc[order].reset_index(drop=True)


@pytest.mark.parametrize("action", ["drop", "weight", "report"])
@pytest.mark.parametrize("times", [2, 3])
@pytest.mark.parametrize("filter_by", [*FILTERS, None])
@pytest.mark.parametrize("limits", [{}, {"max_share": 0.15, "min_rows": 0}])
def test_rows_that_are_the_same_share_a_fate(action, times, filter_by, limits):
    """Whatever is flagged: cleanlab flags so many rows, and of equal ones some."""
    data, order, frame = copied(times)
    if filter_by is None:
        found = prepared(frame, action=action, folds=2, **limits)
    else:  # their probabilities differ, which does not tell them apart
        p = data.probabilities[order] * np.random.default_rng(1).uniform(0.5, 1.5, (len(order), 3))
        p /= p.sum(1, keepdims=True)
        found = prepared(frame, action=action, pred_probs=p, filter_by=filter_by, **limits)
    issues = found.label_issues
    by_key = issues.groupby("key")
    assert (by_key.nunique().drop(columns="row") == 1).all(axis=None)
    copies = np.bincount(order)[order[by_key["row"].first()]]
    np.testing.assert_array_equal(by_key.size(), copies)
    assert (copies == times).sum() > 20
    ledger, left_out = found.metadata.ledger, issues["row"][issues["action"] == "drop"]
    assert ledger.trained + len(left_out) == len(frame)
    assert ledger.row_numbers.get("label doubted", ()) == tuple(sorted(left_out))
    labels = np.concatenate([y for _, y, *_ in found.dataset.as_numpy_iterator()])
    assert len(labels) == ledger.trained
    assert tuple(np.bincount(labels)) == found.metadata.counts


def test_rows_that_are_the_same_are_judged_the_same_if_a_model_does_not(monkeypatch):
    """Sums in another order differ in the last digit, which is enough to part rows at a threshold."""
    data, order, frame = copied(2)
    p = data.probabilities[order].astype(np.float32)
    p *= np.random.default_rng(0).uniform(0.9, 1.1, p.shape).astype(np.float32)
    p /= p.sum(1, keepdims=True)
    monkeypatch.setattr(judge, "twice", lambda *_: p)
    found = prepared(frame, action="weight")
    assert (found.label_issues.groupby("key")["weight"].nunique() == 1).all()
    assert found.label_issues.groupby("key").size().max() == 2


# -- what there is nothing to be done about ------------------------------------------------------


@pytest.mark.parametrize("action", ACTIONS)
def test_labels_without_signal_are_left_alone(action):
    rng = np.random.default_rng(2)
    frame = DATA.frame.assign(y=rng.permutation(DATA.frame["y"]))
    p = rng.dirichlet(np.ones(3) * 5, 150)
    found = prepared(frame, action=action, pred_probs=p)
    assert "cleaning.no_signal" in codes(found)
    assert said(found, "cleaning.no_signal").severity == "warning"
    assert found.cleaning.taken == "nothing"
    assert set(found.label_issues["action"]) <= {"keep"}
    assert found.metadata.ledger.trained == 150
    assert_rows(found.dataset, expected(frame, found.label_issues.iloc[:0], NAMES))


def test_signal_is_found_in_labels_half_of_which_are_wrong():
    data = noisy(450, 225)
    assert "cleaning.no_signal" not in codes(prepared(data.frame, action="report", pred_probs=data.probabilities))


@pytest.mark.parametrize("action", ACTIONS)
def test_two_columns_swapped_are_told_and_nothing_is_done(action):
    found = prepared(DATA.frame, action=action, pred_probs=P[:, [1, 0, 2]])
    assert said(found, "cleaning.swapped").evidence == {"pairs": 1, "classes": "ant and bee"}
    assert found.cleaning.taken == "nothing"
    assert_rows(found.dataset, expected(DATA.frame, found.label_issues.iloc[:0], NAMES))


def test_two_classes_swapped_in_all_data_are_two_classes():
    other = ("bee", "ant", "cat")
    for names in (NAMES, other):
        found = prepared(noisy(names=names).frame, action="drop", folds=3)
        assert codes(found) == set()
        caught = found.label_issues[DATA.wrong[found.label_issues["row"]]]
        assert 12 <= len(caught) <= len(found.label_issues) <= 18
        assert caught["suggested"].tolist() == [names[c] for c in DATA.true[caught["row"]]]


@pytest.mark.parametrize("action", ACTIONS)
def test_one_row_of_each_class(action):
    frame = DATA.frame.head(12).assign(y=[f"class {i}" for i in range(12)])
    found = prepared(frame, action=action)
    assert codes(found) == {"cleaning.few_rows", "cleaning.not_judged"}
    assert said(found, "cleaning.few_rows").evidence["classes"] == 12
    assert (found.cleaning.taken, found.cleaning.rows, len(found.label_issues)) == ("nothing", 0, 0)
    assert found.metadata.cleaning["noise_rate"] is None
    assert found.metadata.counts == (1,) * 12
    assert len(rows_of(found.dataset)) == 12


def test_classes_of_fewer_rows_than_folds_are_left_alone():
    frame = DATA.frame.copy()
    frame.loc[[0, 1, 2, 3], "y"] = "dog"
    found = prepared(frame, action="drop", pred_probs=np.concatenate([P * 0.99, np.full((150, 1), 0.01)], 1))
    assert said(found, "cleaning.few_rows").evidence["rows that differ"] == {"dog": 4}
    assert not set(found.label_issues["row"]) & {0, 1, 2, 3}
    assert found.metadata.counts[3] == 4
    assert found.cleaning.rows == 146


def test_cells_that_are_missing():
    frame = DATA.frame.copy()
    frame.loc[frame.index % 5 == 0, "a"] = np.nan
    frame.loc[frame.index % 7 == 0, "b"] = np.inf
    found = pk.Pipeline([pk.Impute(), pk.CleanLabels("report", folds=3)]).prepare(frame, "y")
    assert found.cleaning.accuracy > 0.7
    caught = set(found.label_issues["row"]) & set(np.flatnonzero(DATA.wrong))
    assert len(caught) > 8


def test_no_column_reaches_the_model_but_of_one_value():
    frame = DATA.frame.assign(a=1.0, b=2.0)
    found = prepared(frame, action="drop")  # all rows are alike
    assert found.cleaning.taken == "nothing"
    assert found.metadata.ledger.trained == 150


def test_a_thousand_classes():
    rng = np.random.default_rng(0)
    true = np.arange(6000) % 1000
    given = true.copy()
    given[:300] = rng.integers(0, 1000, 300)
    p = np.full((6000, 1000), 2e-4)
    p[np.arange(6000), true] += 0.8
    x = rng.normal(size=(6000, 2)).astype(np.float32)
    found = prepared((x, given), None, action="report", pred_probs=p)
    wrong = np.flatnonzero(given != true)
    judged = np.isin(found.cleaning.judged, wrong).sum()
    assert judged > 280
    assert len(set(found.label_issues["row"]) & set(wrong)) > 0.9 * judged
    assert found.metadata.cleaning["noise_matrix"] is None
    assert found.cleaning.noise.matrix.shape == (1000, 1000)


@pytest.mark.parametrize(
    ("p", "told"),
    [
        (np.where(np.arange(450).reshape(150, 3) == 31, np.nan, P), "row 10 holds nan"),
        (P[:, :2], "has 2 columns, but there are 3 classes"),
        (P * 2, "a probability is from 0 to 1"),
        (np.where(np.arange(450).reshape(150, 3) < 3, 0.5, P), "row 0 sums to 1.5"),
        (P[:-1], "has 149 rows, but 150 were read"),
        (P.argmax(1), "whole numbers"),
        (pd.DataFrame(P, columns=["ant", "bee", "dog"]), "lacks 'cat' and has 'dog'"),
    ],
)
def test_probabilities_that_are_none(p, told):
    with pytest.raises(pk.PrepkitError, match=told):
        prepared(DATA.frame, action="drop", pred_probs=p)


# -- a model of the user's own -------------------------------------------------------------------


def build():
    network = keras.Sequential([keras.layers.Dense(16, activation="relu"), keras.layers.Dense(3, activation="softmax")])
    network.compile(keras.optimizers.Adam(0.05), "sparse_categorical_crossentropy")
    return network


def test_a_model_judges_every_row_by_the_others():
    data = noisy(120, 12)
    found = prepared(data.frame, action="drop", model=build, folds=2, epochs=15, batch_size=16)
    assert found.cleaning.source == "the given model, 2 folds"
    assert found.cleaning.accuracy > 0.8
    assert len(set(found.label_issues["row"]) & set(np.flatnonzero(data.wrong))) >= 10
    assert codes(found) == set()


def test_a_fold_on_which_the_model_diverges_is_judged_by_a_proxy():
    built = []

    def sometimes():
        built.append(build())
        if len(built) == 2:
            built[-1].compile(keras.optimizers.SGD(float("nan")), "sparse_categorical_crossentropy")
        return built[-1]

    data = noisy(120, 12)
    found = prepared(data.frame, action="drop", model=sometimes, folds=3, epochs=10, batch_size=16)
    assert len(built) == 3
    assert said(found, "cleaning.fold_redone").evidence == {"folds": 1, "of": 3}
    assert np.isfinite(found.cleaning.probabilities).all()
    assert found.cleaning.accuracy > 0.8
    assert len(set(found.label_issues["row"]) & set(np.flatnonzero(data.wrong))) >= 10


def test_a_model_of_the_wrong_width():
    def narrow():
        network = keras.Sequential([keras.layers.Dense(2, activation="softmax")])
        network.compile("adam", "sparse_categorical_crossentropy")
        return network

    with pytest.raises(pk.PrepkitError, match="for 3 classes"):
        prepared(DATA.frame, action="drop", model=narrow, folds=2)


# -- a person's word -----------------------------------------------------------------------------


def shuffled(seed=0):
    order = np.random.default_rng(seed).permutation(150)
    return order, DATA.frame.iloc[order][["y", "b", "a"]].reset_index(drop=True)


def test_labels_that_a_person_stands_by_stay():
    first = prepared(DATA.frame, action="drop", pred_probs=P).label_issues
    order, frame = shuffled()
    found = prepared(frame, action="drop", pred_probs=P[order], revert=first.index[:5])
    assert not set(found.label_issues.index) & set(first.index[:5])
    assert set(first.index[5:]) <= set(found.label_issues.index)
    assert found.metadata.ledger.trained == 150 - len(found.label_issues)
    assert "cleaning.unknown_key" not in codes(found)


@pytest.mark.parametrize("action", ["drop", "report"])
def test_labels_that_a_person_puts_right_are_right(action):
    first = prepared(DATA.frame, action="drop", pred_probs=P).label_issues
    keys, truth = first.index[:5], DATA.true[first["row"][:5]]
    confirmed = dict(zip(keys, [NAMES[c] for c in truth], strict=True))
    order, frame = shuffled()
    found = prepared(frame, action=action, pred_probs=P[order], confirmed=confirmed)
    assert not set(found.label_issues.index) & set(keys)
    trained = rows_of(found.dataset)
    for row, c in zip(first["row"][:5], truth, strict=True):
        assert trained[float(DATA.frame["b"][row])] == (c, 1.0)
    counts = np.bincount([label for label, _ in trained.values()])
    assert found.metadata.counts == tuple(counts)
    assert found.metadata.counts_before == tuple(np.bincount(DATA.given))


def test_a_row_that_is_confirmed_as_another_class_is_not_doubted_even_if_improbable():
    key = prepared(DATA.frame, action="drop", pred_probs=P).label_issues.index[0]
    row = prepared(DATA.frame, action="drop", pred_probs=P).label_issues["row"].iloc[0]
    other = NAMES[3 - DATA.true[row] - DATA.given[row]]
    found = prepared(DATA.frame, action="drop", pred_probs=P, confirmed={key.upper(): other})
    assert key not in found.label_issues.index
    assert rows_of(found.dataset)[float(DATA.frame["a"][row])] == (NAMES.index(other), 1.0)


@pytest.mark.parametrize(
    ("names", "label"), [((7, 8, 9), 9), ((7, 8, 9), 9.0), ((7, 8, 9), "9"), ((7, 8, 9), np.int64(9))]
)
def test_classes_may_be_said_as_numbers(names, label):
    data = noisy(names=names)
    first = prepared(data.frame, action="drop", pred_probs=P).label_issues
    found = prepared(data.frame, action="drop", pred_probs=P, confirmed={first.index[0]: label})
    assert rows_of(found.dataset)[float(data.frame["a"][first["row"].iloc[0]])] == (2, 1.0)


def test_keys_that_no_row_has_are_told():
    known = prepared(DATA.frame, action="drop", pred_probs=P).label_issues.index[0]
    found = prepared(DATA.frame, action="drop", pred_probs=P, revert=[known, "0" * 16], confirmed={"f" * 16: "ant"})
    assert said(found, "cleaning.unknown_key").evidence == {"keys": 2, "the first": "0" * 16}
    assert known not in found.label_issues.index
    assert len(found.label_issues) == 14


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"revert": ["row 3"]}, r"revert.*'row 3' is no key of a row"),
        ({"confirmed": {"3": "ant"}}, r"'3' is no key of a row"),
        ({"confirmed": {"0" * 16: "dog"}}, "is no class: choose from 'ant', 'bee', 'cat'"),
        ({"id": "c"}, "id='c' is no column of the data"),
        ({"groups": "aa"}, "groups='aa' is no column of the data: did you mean 'a'"),
    ],
)
def test_keys_classes_and_columns_that_are_none(settings, told):
    with pytest.raises(pk.PrepkitError, match=told):
        prepared(DATA.frame, action="drop", pred_probs=P, **settings)


def test_rows_by_their_own_names():
    frame = DATA.frame.assign(who=[f"w{i:03}" for i in range(150)])
    stages = [pk.Drop("who"), pk.CleanLabels("drop", id="who", pred_probs=P)]
    first = pk.Pipeline(stages).prepare(frame, "y")
    assert first.label_issues.index.tolist() == [f"w{i:03}" for i in first.label_issues["row"]]
    assert_rows(first.dataset, expected(DATA.frame, first.label_issues, NAMES))
    key = first.label_issues.index[0]
    order = np.random.default_rng(3).permutation(150)
    # By another cell the row is still the same.
    frame = frame.iloc[order].assign(a=lambda f: f["a"] + 0.25).reset_index(drop=True)
    stages = [pk.Drop("who"), pk.CleanLabels("drop", id="who", pred_probs=P[order], revert=[key, "w999"])]
    second = pk.Pipeline(stages).prepare(frame, "y")
    assert set(first.label_issues.index) - {key} == set(second.label_issues.index)
    assert said(second, "cleaning.unknown_key").evidence["the first"] == "w999"


# -- folds, and the same again -------------------------------------------------------------------


def test_a_group_and_rows_that_are_alike_are_never_in_two_folds(monkeypatch):
    rng = np.random.default_rng(0)
    frame = pd.concat([DATA.frame, DATA.frame.head(40)], ignore_index=True).assign(who=rng.integers(0, 40, 190))
    folds = []
    monkeypatch.setattr("prepkit.cleaning.compare._plan", lambda rows: (3, 2, 1))

    def spy(rows, folds_, among=None, of=cleaning.Rows.folds):
        fold = of(rows, folds_, among)
        folds.append((rows.chosen if among is None else among, fold))
        return fold

    monkeypatch.setattr(cleaning.Rows, "folds", spy)
    pk.Pipeline([pk.Drop("who"), pk.CleanLabels("auto", groups="who", folds=3)]).prepare(frame, "y")
    assert len(folds) > 5
    for chosen, fold in folds:
        assert len(np.unique(fold)) > 1
        for same in (frame["who"].to_numpy()[chosen], np.where(chosen < 150, chosen, chosen - 150)):
            assert (pd.Series(fold).groupby(same).nunique() == 1).all()


@pytest.mark.parametrize("action", ["auto", "relabel"])
def test_the_same_seed_gives_the_same(action, monkeypatch):
    monkeypatch.setattr("prepkit.cleaning.compare._plan", lambda rows: (2, 2, 1))
    data = noisy(90, 20, apart=3.0)
    settings = {"action": action, "folds": 2}
    first, second, other = (prepared(data.frame, seed=seed, **settings) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first.label_issues, second.label_issues)
    assert first.metadata == second.metadata
    assert first.cleaning.candidates == second.cleaning.candidates
    np.testing.assert_array_equal(first.cleaning.probabilities, second.cleaning.probabilities)
    assert not np.array_equal(first.cleaning.probabilities, other.cleaning.probabilities)


def test_labels_that_a_person_has_put_right_are_counted():
    x = np.arange(80, dtype=np.float32)[:, None]
    y = np.arange(80) // 40
    p = np.where(np.arange(2) == y[:, None], 0.9, 0.1)
    given = y.copy()
    given[:3] = 1
    first = pk.Pipeline([pk.CleanLabels("report", pred_probs=p)]).prepare((x, given))
    keys = first.label_issues.index[:2]
    spoken = pk.CleanLabels("report", pred_probs=p, confirmed=dict.fromkeys(keys, 0))
    second = pk.Pipeline([spoken]).prepare((x, given))
    assert (first.cleaning.confirmed, second.cleaning.confirmed) == (0, 2)
    assert second.metadata.cleaning["confirmed"] == 2
    assert second.metadata.counts == (39, 41)
