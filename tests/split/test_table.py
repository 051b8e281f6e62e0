"""Tables: stratified, no unit parted, and refused where they cannot be parted or were resampled before."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from imblearn.over_sampling import RandomOverSampler
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

import prepkit as pk
from prepkit.source import as_source
from prepkit.source.reader import Reader, infer
from prepkit.split import Split, parted


def split_of(data, label="y", share=0.2, groups=None, seed=0, kinds=None) -> Split:
    source = as_source(data, label)
    return parted(source, infer(source, Reader(source).head, label, kinds or {}), share, groups, seed)


def rows_of(*args, **settings) -> tuple[np.ndarray, np.ndarray]:
    split = split_of(*args, **settings)
    assert split.rows is not None
    for rows, part in zip(split.rows, (split.train, split.validation), strict=True):
        assert rows.dtype == np.int64 and part.n_rows == len(rows)
    return split.rows


def random_frame(n=600, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "pay": rng.normal(size=n),
            "town": rng.choice(["Rome", "Oslo", "Bern"], n),
            "customer": rng.integers(0, n // 8, n).astype(float) + 0.5,  # no identifier
            "y": rng.choice(["no", "yes"], n, p=[0.9, 0.1]),
        }
    )


# -- which rows stay together ------------------------------------------------------------------------

CELLS = st.tuples(st.sampled_from([0.5, 1.5, 2.5, np.nan]), st.sampled_from(["p", "q", None]), st.sampled_from("abc"))


@pytest.mark.parametrize("groups", [None, "g"])
@given(rows=st.lists(st.tuples(CELLS, st.integers(0, 30)), min_size=12, max_size=60), seed=st.integers(0, 1000))
def test_equal_rows_and_equal_groups_are_in_one_part_and_no_row_is_lost(groups, rows, seed):
    frame = pd.DataFrame([cells for cells, _ in rows], columns=["x", "word", "y"])
    frame["g"] = [None if g > 20 else f"group {g}" for _, g in rows]
    kinds = {"x": "numeric", "word": "categorical", "g": "categorical"}
    features = ["x", "word"] if groups else ["x", "word", "g"]
    try:
        train, held_out = rows_of(frame, share=0.4, groups=groups, seed=seed, kinds=kinds)
    except pk.PrepkitError:  # of so few rows there may be one unit, or one class
        reject()
    assert sorted([*train, *held_out]) == list(range(len(frame)))
    assert (np.diff(train) > 0).all() and (np.diff(held_out) > 0).all()
    known = [tuple(map(str, row)) for row in frame[features].itertuples(index=False)]
    assert not {known[n] for n in train} & {known[n] for n in held_out}
    if groups:
        assert not set(frame["g"][train].dropna()) & set(frame["g"][held_out].dropna())
    assert set(frame["y"][train]) == set(frame["y"])


def test_rows_that_a_chain_of_groups_and_features_connects_stay_together():
    n = np.arange(400)
    chain = pd.DataFrame({"x": n // 2 + 0.5, "g": [f"g{i}" for i in (n + 1) // 2], "y": n % 2})
    chain.loc[200:, "x"] += 1000
    chain.loc[200:, "g"] = [f"h{i}" for i in (n[200:] + 1) // 2]
    others = pd.DataFrame({"x": -n - 0.5, "g": [f"o{i}" for i in n // 4], "y": n % 2})
    for seed in range(5):
        train, held_out = rows_of(pd.concat([chain, others], ignore_index=True), groups="g", seed=seed, share=0.25)
        for part in (train, held_out):
            assert len(set(part) & set(range(200))) in (0, 200)
            assert len(set(part) & set(range(200, 400))) in (0, 200)
        assert len(held_out) == 200


def test_rows_whose_group_is_missing_are_on_their_own():
    frame = random_frame()
    for values in (frame["customer"], "c" + frame["customer"].astype(str)):
        frame["customer"] = values.where(frame.index % 2 == 0)
        train, held_out = rows_of(frame, groups="customer")
        alone = frame["customer"].isna()
        assert abs(alone[held_out].sum() - 60) <= 12
        assert not set(frame["customer"][train].dropna()) & set(frame["customer"][held_out].dropna())


def test_a_number_of_the_row_does_not_tell_copies_apart():
    """A table that was saved anew after resampling has a new one."""
    frame = pd.concat([random_frame()] * 3, ignore_index=True)
    frame.insert(0, "Unnamed: 0", np.arange(len(frame)))
    train, held_out = rows_of(frame)
    assert {n % 600 for n in train}.isdisjoint(n % 600 for n in held_out)
    frame.insert(0, "key", [f"k{i}" for i in range(len(frame))])
    frame.columns = ["key", "row_id", *frame.columns[2:]]
    train, held_out = rows_of(frame)
    assert {n % 600 for n in train}.isdisjoint(n % 600 for n in held_out)


def test_where_there_are_only_identifiers_they_tell_rows_apart():
    train, held_out = rows_of({"id": np.arange(100), "y": np.arange(100) % 2})
    assert len(held_out) == 20
    train, held_out = rows_of({"id": np.arange(100) // 5, "y": np.arange(100) % 2}, groups="id")
    assert len(held_out) == 20 and {n // 5 for n in train}.isdisjoint(n // 5 for n in held_out)


# -- how many of each class --------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["strings", "numbers", "booleans", "one-hot", "column"])
def test_numbers_of_each_class_are_those_of_scikit_learn_for_every_form_of_label(form):
    rng = np.random.default_rng(0)
    numbers = rng.choice(2 if form == "booleans" else 4, 500)
    x = rng.normal(size=(500, 3))
    y = {
        "strings": np.array(["a", "b", "c", "d"])[numbers],
        "numbers": numbers * 7,
        "booleans": numbers == 1,
        "one-hot": np.eye(4, dtype=np.float32)[numbers],
        "column": numbers[:, None],
    }[form]
    _, held_out = rows_of((x, y), label=None)
    theirs = train_test_split(numbers, test_size=0.2, stratify=numbers, random_state=0)[1]
    assert np.abs(np.bincount(numbers[held_out]) - np.bincount(theirs)).max() <= 1


def test_rows_without_a_label_are_for_training_and_do_not_change_the_numbers_of_others():
    frame = random_frame()
    frame.loc[::3, "y"] = None
    train, held_out = rows_of(frame)
    assert frame["y"][held_out].notna().all() and len(train) + len(held_out) == 600
    assert len(held_out) == 80
    alike = pd.concat([frame.assign(y=None), frame[frame["y"].notna()]], ignore_index=True)
    train, held_out = rows_of(alike)  # each of the labelled rows equals one without a label
    assert set(range(600)) <= set(train) and len(held_out) == 80


@settings(max_examples=3)
@given(st.integers(0, 2**62))
def test_a_seed_is_a_draw(seed):
    frame = random_frame()
    first, again, other = (rows_of(frame, seed=s)[1] for s in (seed, seed, seed + 1))
    np.testing.assert_array_equal(first, again)
    assert set(first) != set(other) and len(first) == len(other) == 120


# -- refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.05, 0.001])
def test_a_share_that_leaves_no_row_is_refused_with_figures(share):
    with pytest.raises(pk.PrepkitError) as caught:
        rows_of({"x": [1.5, 2.5, 2.5, 3.5, 9.5, 9.5], "y": [0, 0, 0, 1, 1, 1]}, share=share)
    said = "of dict, 6 labelled rows in 4 sets that may not be parted, leaves no row to validate by"
    assert said in str(caught.value) and f"validation_split={share:g}" in str(caught.value)


def test_classes_of_one_row_each_are_refused_with_figures():
    with pytest.raises(pk.PrepkitError, match="3 labelled rows, leaves no row to validate by: training keeps one"):
        rows_of({"x": [1.5, 2.5, 3.5], "y": ["a", "b", "c"]}, share=0.5)


def test_one_group_is_refused():
    frame = random_frame().assign(customer="c")
    with pytest.raises(pk.PrepkitError, match="groups='customer' makes one group of all 600 labelled rows"):
        rows_of(frame, groups="customer")
    frame = random_frame().assign(pay=1.0, town="Rome")
    with pytest.raises(pk.PrepkitError, match="makes 75 groups, which rows of equal features connect, of all 600"):
        rows_of(frame, groups="customer")
    with pytest.raises(pk.PrepkitError, match="the 600 labelled rows of DataFrame have equal features: there is nothi"):
        rows_of(frame.assign(customer=2.0))


@pytest.mark.parametrize(
    "labels, said",
    [
        (["a"] * 20, "label 'y' has the one class 'a' in all 20 rows"),
        (np.arange(1100), "label 'y' has 1,100 classes in 1,100 rows: that is an identifier"),
    ],
)
def test_labels_that_nothing_can_be_learned_from_are_refused_as_they_are_in_fitting(labels, said):
    frame = pd.DataFrame({"x": np.arange(len(labels)) * 1.5, "y": labels})
    for work in (rows_of, pk.Pipeline([]).fit):
        with pytest.raises(pk.PrepkitError, match=said):
            work(frame, "y")


def test_data_that_come_without_labels_are_refused():
    labelled = as_source(random_frame(), "y")
    raw = infer(labelled, Reader(labelled).head, "y", {})
    with pytest.raises(pk.PrepkitError, match="the data come without labels: say label='COLUMN'"):
        parted(as_source(random_frame().drop(columns="y")), raw, 0.2, None, 0)


# -- resampled before --------------------------------------------------------------------------------


def imbalanced(seed, classes=2, n=450, rare=20):
    """Of pure noise: nothing can be learned from it."""
    rng = np.random.default_rng(seed)
    y = np.r_[np.zeros(n, int), np.repeat(np.arange(1, classes), rare)]
    return rng.normal(size=(len(y), 5)).astype(np.float32), y


@pytest.mark.parametrize("classes", [2, 3])
def test_data_that_look_resampled_are_refused(classes):
    x, y = RandomOverSampler(random_state=0).fit_resample(*imbalanced(0, classes))
    names = np.array(["many", "few", "fewer"])[y]
    said = (
        "the data look resampled already: each class has 450 rows, but of those of class 'few' 20 are distinct, of "
        "those of 'many' 450: give the data as they were, for prepare resamples the training part itself"
    )
    with pytest.raises(pk.PrepkitError, match=said):
        rows_of((x, names), label=None)
    with pytest.raises(pk.PrepkitError, match="look resampled"):  # whatever the groups
        rows_of(pd.DataFrame(x).assign(g=np.arange(len(x)) // 4 + 0.5, y=names).rename(columns=str), groups="g")


def test_balanced_data_of_rows_that_repeat_anyway_are_not_refused():
    rng = np.random.default_rng(0)
    for distinct in (10, 100, 5000):
        x = rng.integers(0, distinct, (400, 1)) + 0.5
        assert len(rows_of((x, np.arange(400) % 2), label=None, share=0.3)[1]) > 50
    x, y = RandomOverSampler(random_state=0).fit_resample(*imbalanced(0))
    keep = np.arange(len(y)) != 7  # one row fewer of one class
    assert abs(len(rows_of((x[keep], y[keep]), label=None)[1]) - 180) <= 28  # of one there are so many
    few = np.r_[np.repeat(np.arange(120), 2), np.arange(60), np.arange(300)] + 0.5  # 60 % of copies, and none
    few[300:] += 1000
    with pytest.raises(pk.PrepkitError, match="120 are distinct"):
        rows_of((few[:, None], np.arange(600) // 300), label=None)
    half = np.where(np.arange(600) < 300, np.arange(600) // 2, few)  # a half of copies, and none
    rows_of((half[:, None], np.arange(600) // 300), label=None)
    few[300:345] = few[345:390]  # 60 % of copies, and 15 %
    rows_of((few[:, None], np.arange(600) // 300), label=None)


def test_nothing_leaks_from_copies_that_were_made_before_the_split():
    """Labels of pure noise, one class resampled: the nearest neighbour is right by chance only."""
    scores, careless = [], []
    for seed in range(6):
        x, y = imbalanced(seed, classes=3, n=400, rare=60)
        strategy = {0: 400, 1: 390, 2: 380}
        x, y = RandomOverSampler(sampling_strategy=strategy, random_state=seed).fit_resample(x, y)
        train, held_out = rows_of((x, y), label=None, seed=seed)
        scores.append(neighbour(x, y, train, held_out))
        rows = np.arange(len(y))
        careless.append(neighbour(x, y, *train_test_split(rows, test_size=0.2, stratify=y, random_state=seed)))
    assert np.mean(careless) > 0.8  # what happens otherwise
    assert abs(np.mean(scores) - 1 / 3) < 0.06


def neighbour(x, y, train, held_out):
    model = KNeighborsClassifier(1).fit(x[train], y[train])
    return balanced_accuracy_score(y[held_out], model.predict(x[held_out]))
