"""Probabilities that are handed over: what is wrong is named with its row, what is only rounded is cured."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from cleanlab.filter import find_label_issues

from prepkit.cleaning.given import checked, cured
from prepkit.errors import PrepkitError

NAMES = ("ant", "bee", "cat")
GOOD = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.0, 0.0, 1.0], [0.3, 0.3, 0.4]])


def with_cell(value, row=2, column=1):
    values = GOOD.copy()
    values[row, column] = value
    return values


@pytest.mark.parametrize("dtype, becomes", [("f2", "f4"), ("f4", "f4"), ("f8", "f8"), (object, "f8"), ("g", "f8")])
def test_good_ones_pass_as_floats(dtype, becomes):
    found = checked(GOOD.astype(dtype), 4, NAMES)
    assert found.dtype == becomes
    np.testing.assert_allclose(found, GOOD, atol=1e-3 if dtype == "f2" else 5e-7)


def test_they_are_copied_and_the_given_ones_left_alone():
    given = GOOD.copy()
    found = checked(given, 4, NAMES)
    found[:] = 0
    np.testing.assert_array_equal(given, GOOD)


def test_lists_and_tensors_are_arrays():
    tf = pytest.importorskip("tensorflow")
    np.testing.assert_allclose(checked(GOOD.tolist(), 4, NAMES), GOOD, atol=1e-6)
    np.testing.assert_allclose(checked(tf.constant(GOOD), 4, NAMES), GOOD, atol=1e-6)


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame, pl.LazyFrame, pa.table])
def test_the_columns_of_a_frame_are_put_in_the_order_of_the_classes(frame):
    columns = {"cat": GOOD[:, 2], "ant": GOOD[:, 0], " bee.": GOOD[:, 1]}  # names are cleaned as labels are
    np.testing.assert_allclose(checked(frame(columns), 4, NAMES), GOOD, atol=1e-6)


def test_columns_called_by_numbers_are_classes_of_numbers():
    frame = pd.DataFrame(GOOD[:, ::-1], columns=[2, 1, 0])
    np.testing.assert_allclose(checked(frame, 4, ("0", "1", "2")), GOOD, atol=1e-6)


def test_a_frame_may_hold_a_column_of_whole_numbers():
    frame = pd.DataFrame({"ant": [1, 0], "bee": [0.0, 0.4], "cat": [0.0, 0.6]})
    np.testing.assert_allclose(checked(frame, 2, NAMES), frame.to_numpy(), atol=1e-6)


@pytest.mark.parametrize(
    "given",
    [
        [0.25, 1.0],
        np.array([[0.25], [1.0]]),
        pd.Series([0.25, 1.0], index=[7, 3]),
        pl.Series([0.25, 1.0]),
        pd.DataFrame({"spam": [0.25, 1.0]}),
        pd.DataFrame({"ham": [0.75, 0.0]}),
    ],
)
def test_of_two_classes_one_probability_is_enough(given):
    found = checked(given, 2, ("ham", "spam"))
    np.testing.assert_allclose(found, [[0.75, 0.25], [0.0, 1.0]], atol=1e-6)


def test_rounding_is_cured_so_that_cleanlab_accepts_them():
    rough = np.array([[1.00001, 0.0, -0.0005], [0.33, 0.33, 0.33], [0.0, 1.0009, 0.0], [0.2, 0.2, 0.6]] * 10)
    labels = np.array([0, 1, 1, 2] * 10)
    with pytest.raises(ValueError, match="between 0 and 1"):
        find_label_issues(labels, rough, n_jobs=1)
    for dtype in ("f4", "f8"):
        found = checked(rough.astype(dtype), 40, NAMES)
        assert not find_label_issues(labels, found, n_jobs=1)[:4].any()
        assert found.min() > 0.9e-7 and found.max() <= 1
        np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(found[1], 1 / 3)


def test_curing_keeps_every_probability_within_bounds():
    rng = np.random.default_rng(0)
    for classes in (2, 3, 1000):
        given = rng.dirichlet(np.full(classes, 0.01), 200)
        for dtype in ("f4", "f8"):
            found = cured(given.astype(dtype))
            assert found.dtype == dtype
            assert found.min() > 0.9e-7 and found.max() <= 1
            np.testing.assert_allclose(found, given, atol=2e-7 * classes)


BEYOND = "row 2 holds {}, and a probability is from 0 to 1: {}"
REFUSED = {
    "nan": (with_cell(np.nan), "row 2 holds nan, as of a model that diverged"),
    "inf": (with_cell(-np.inf), "row 2 holds -inf, as of a model that diverged"),
    "nan in two rows": ([[np.nan] * 3, *GOOD[:2], [np.nan, 0, 0]], "row 0 (and 1 more) holds nan"),
    "above 1": (with_cell(1.5), BEYOND.format("1.5", "apply a softmax")),
    "below 0": (with_cell(-0.3), BEYOND.format("-0.3", "apply a softmax")),
    "logits": ([[0.1, 0.2, 0.7]] * 2 + [[-2.0, 0.5, 3.25]] * 2, "row 2 (and 1 more) holds 3.25, and"),
    "percent": (
        GOOD * 100,
        "row 0 (and 3 more) holds 70, and a probability is from 0 to 1: divide by 100, for these are percent",
    ),
    "logarithms": (np.log(GOOD + 1e-9), "apply np.exp, for these are logarithms"),
    "sums": (with_cell(0.5), "row 2 sums to 1.5, not to 1: apply a softmax"),
    "several labels": (np.full((4, 3), 0.9), "row 0 (and 3 more) sums to 2.7, not to 1"),
    "few rows": (GOOD[:3], "has 3 rows, but 4 were read: give one for each row that was read, in that order, refused"),
    "many rows": (np.tile(GOOD, (300, 1)), "has 1,200 rows, but 4 were read"),
    "transposed": (GOOD.T, "has shape (3, 4), classes by rows: give its transpose"),
    "narrow": (GOOD[:, :2], "has 2 columns, but there are 3 classes: give a column for each of 'ant', 'bee', 'cat'"),
    "wide": (np.full((4, 4), 0.25), "has 4 columns, but there are 3 classes"),
    "one number a row": (GOOD[:, 0], "has 1 column, but there are 3 classes"),
    "three axes": (GOOD[None], "has shape (1, 4, 3): give one row of 3 probabilities for each row"),
    "a number": (0.5, "has shape (): give one row of 3"),
    "class numbers": ([0, 1, 2, 2], "holds whole numbers (int64), as decisions are: give probabilities, as"),
    "decisions": (np.eye(3, dtype=bool)[[0, 1, 2, 0]], "holds whole numbers (bool), as decisions are"),
    "strings": (["ant", "bee", "cat", "cat"], "is of type list and holds <U3: give probabilities"),
    "strings as objects": (np.array(["ant", "bee"], dtype=object), "holds object: give probabilities"),
    "None": ([[0.1, 0.2, None]] * 4, "row 0 (and 3 more) holds nan, as of a model that diverged"),
    "objects": ([[0.1, 0.2, {}]] * 4, "holds what is not a number (float()"),
    "ragged": ([[0.1, 0.9], [0.2]], "is ragged"),
    "nothing": (None, "has shape (): give one row of 3"),
    "unknown columns": (
        pd.DataFrame(GOOD, columns=["ant", "bee", "dog"]),
        "lacks 'cat' and has 'dog', and its columns have to be called as the classes, 'ant', 'bee', 'cat': rename",
    ),
    "columns without names": (pd.DataFrame(GOOD), "lacks 'ant', 'bee', 'cat' and has '0', '1', '2', and"),
    "missing column": (pd.DataFrame(GOOD[:, :2], columns=["ant", "bee"]), "lacks 'cat', and its columns have"),
    "column too many": (pd.DataFrame({"id": range(4), **dict(zip(NAMES, GOOD.T, strict=True))}), "has 'id', and its"),
    "columns twice": (pd.DataFrame(GOOD, columns=["ant", "ant", "bee"]), "has several columns of one name"),
    "columns twice once clean": (
        pd.DataFrame(np.tile(GOOD[:, :1], 4), columns=["ant", "ant.", "bee", "cat"]),
        "has several columns of one name, and its columns",
    ),
    "frame of strings": (pd.DataFrame([["a", "b", "c"]] * 4, columns=NAMES), "give probabilities, as model.predict"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_said_with_its_place_and_how_to_mend_it(case):
    given, message = REFUSED[case]
    with pytest.raises(PrepkitError) as error:
        checked(given, 4, NAMES, where="the probabilities")
    assert str(error.value).startswith("the probabilities")
    assert message in str(error.value)


def test_one_probability_that_is_a_logit():
    with pytest.raises(PrepkitError, match="row 1 holds -4, and .* apply a sigmoid if these are logits"):
        checked([0.5, -4.0], 2, ("ham", "spam"))


def test_a_frame_of_one_column_has_to_be_called_by_a_class():
    with pytest.raises(PrepkitError, match="lacks 'ham', 'spam' and has 'p'"):
        checked(pd.DataFrame({"p": [0.5, 0.5]}), 2, ("ham", "spam"))


def test_of_many_classes_only_some_are_listed():
    names = [f"c{i}" for i in range(1000)]
    with pytest.raises(PrepkitError, match="has 3 columns, but there are 1000 classes: .*'c9' and 990 more, in this"):
        checked(GOOD, 4, names)
