"""What users get wrong, and what they are told: what is wrong, where, and how to mend it.

Files have their own page, tests/source/test_files.py; datasets tests/source/test_dataset.py; arrays
tests/source/test_table.py; labels tests/test_labels.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import prepkit as pk

RECIPE = pk.Pipeline([pk.Impute(), pk.Rescale(), pk.OneHot()])
N = 40
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 3))
Y = RNG.integers(0, 2, N)
slices = tf.data.Dataset.from_tensor_slices


def frame(**columns: Any) -> pd.DataFrame:
    data = {"age": X[:, 0], "pay": X[:, 1], "job": np.array(["cook", "smith"])[Y], "y": np.array(["no", "yes"])[Y]}
    return pd.DataFrame(data | columns)


def features(data: Any, pipeline: pk.FittedPipeline) -> np.ndarray:
    """All rows, without the label."""
    batches = list(pipeline.transform(data).as_numpy_iterator())
    return np.concatenate([b[0] if isinstance(b, tuple) else b for b in batches])


@pytest.fixture(scope="module")
def fitted() -> pk.FittedPipeline:
    return RECIPE.fit(frame(), "y")


# -- at fit ------------------------------------------------------------------------------------------

AT_FIT: dict[str, tuple[Callable[[], Any], str | None, str]] = {
    "no rows": (lambda: frame().iloc[:0], "y", "DataFrame has no rows: nothing to prepare."),
    "no columns": (lambda: frame()[["y"]], "y", "DataFrame has no column but the label 'y': there is nothing to learn"),
    "no label named": (frame, None, r"DataFrame comes without labels: say label='COLUMN', or give \(X, y\)."),
    "no label there": (
        frame,
        "income",
        "label='income' is no column of DataFrame: choose one of 'age', 'pay', 'job', 'y'",
    ),
    "label misspelt": (frame, " Y", "label=' Y' is no column of DataFrame: did you mean 'y'?"),
    "label twice": (
        lambda: (frame(), Y),
        "y",
        "label='y' is a feature of DataFrame, and y is given beside it: give one",
    ),
    "one class": (
        lambda: frame(y="no"),
        "y",
        "label 'y' has the one class 'no' in all 40 rows: a classifier needs two",
    ),
    "no labels": (lambda: frame(y=None), "y", "label 'y' has no value at all: give the class of some rows."),
    "continuous label": (lambda: frame(y=X[:, 2]), "y", "label 'y' looks continuous, .*classification, bin it first"),
    "a class each row": (
        lambda: pd.DataFrame({"a": np.arange(3000.0), "y": [f"id {i}" for i in range(3000)]}),
        "y",
        "label 'y' has 3,000 classes in 3,000 rows: that is an identifier or a number to predict, not a class",
    ),
    "X and y of different length": (lambda: (X, Y[:-1]), None, "X: 'y' has 39 rows, but 'X' 40: give the same rows of"),
    "columns of different length": (lambda: {"a": [1, 2, 3], "y": [0, 1]}, "y", "dict: 'y' has 2 rows, but 'a' 3"),
    "a column all missing": (
        lambda: frame(age=np.nan),
        "y",
        r"in stage 1 of 3 \(Impute\): column 'age' has no value .*no median to fill in: Drop\('age'\) before, or use",
    ),
    "a column all infinite": (lambda: frame(age=np.inf), "y", r"\(Impute\): column 'age' has no value in the training"),
    "mixed types": (
        lambda: frame(age=[1, "a"] * 20),
        "y",
        "column 'age' holds Python objects of types int, str, of which no column can be made .*make them one type",
    ),
    "lists": (lambda: frame(age=[[1, 2]] * N), "y", "column 'age' is of type list.*lists of equal length as an array"),
    "kinds of no column": (
        frame,
        "y",
        r"kinds names columns \['Age'\], which are not there: \['age', 'pay', 'job'\] are",
    ),
}


@pytest.mark.parametrize("case", AT_FIT)
def test_bad_training_data_are_refused(case):
    data, label, message = AT_FIT[case]
    kinds = {"Age": "numeric"} if case == "kinds of no column" else {}
    for call in (RECIPE.fit, RECIPE.prepare):
        with pytest.raises(pk.PrepkitError, match=f"(?s){message}"):
            call(data(), label, kinds=kinds)


def test_a_broken_file_is_no_fault_of_a_stage(tmp_path):
    """Whatever happens to be read while a stage is being fitted."""
    (tmp_path / "a.csv").write_text("a,y\n" + "1,no\n2,yes\n" * 20 + "1,2,3\n")
    with pytest.raises(pk.PrepkitError, match="^a.csv cannot be read as CSV.*Row #42: Expected 2 columns, got 3"):
        RECIPE.fit(tmp_path / "a.csv", "y")


def test_rows_without_a_label_are_refused_and_counted():
    y = frame()["y"].where(np.arange(N) % 10 != 3)
    prepared = RECIPE.prepare(frame(y=y), "y")
    ledger = prepared.metadata.ledger
    assert (ledger.rows_in, ledger.trained, ledger.refused) == (40, 36, {"label missing": 4})
    assert ledger.row_numbers == {"label missing": (3, 13, 23, 33)}
    assert str(ledger) == "40 rows in, 36 trained, 4 label missing"
    assert sum(len(y) for _, y in prepared.dataset) == 36


def test_missing_cells_that_no_stage_fills_are_refused_before_training():
    with pytest.raises(
        pk.PrepkitError, match=r"missing cells would reach the model as NaN, from columns {'age': 4}: add"
    ):
        pk.Pipeline([pk.Rescale(), pk.OneHot()]).prepare(frame(age=np.where(np.arange(N) < 4, np.nan, X[:, 0])), "y")


# -- odd, but good enough ----------------------------------------------------------------------------


def test_infinite_numbers_are_missing_ones():
    odd = X[:, 0].copy()
    odd[[3, 5, 7]] = [np.inf, -np.inf, np.nan]
    fitted = RECIPE.fit(frame(age=odd), "y")
    assert fitted.metadata.missing_cells == {"age": 3}
    x = features(frame(age=odd), fitted)
    assert np.isfinite(x).all()
    np.testing.assert_array_equal(x[3], features(frame(age=np.nan), fitted)[3])
    stream = slices(({"age": odd, "pay": X[:, 1], "job": frame()["job"].to_numpy(str)}, frame()["y"].to_numpy(str)))
    np.testing.assert_array_equal(features(stream, fitted), x)


def test_a_constant_column_becomes_zero_and_stays_finite():
    fitted = RECIPE.fit(frame(age=5.0), "y")
    place = fitted.feature_names.index("age")
    assert "constant" in fitted.spec["age"].notes
    assert (features(frame(age=5.0), fitted)[:, place] == 0).all()
    np.testing.assert_allclose(features(frame(age=5.5), fitted)[:, place], 0.5)


def test_a_column_of_which_all_is_missing_may_be_dropped_or_filled():
    for recipe in (
        pk.Pipeline([pk.Drop(lambda c: c.role == "empty"), *RECIPE.stages]),
        pk.Pipeline([pk.Impute(numeric="constant"), pk.Rescale(), pk.OneHot()]),
    ):
        assert np.isfinite(features(frame(age=np.nan), recipe.fit(frame(age=np.nan), "y"))).all()
    blank = RECIPE.fit(frame(job=" ?"), "y")  # strings can always be "missing"
    assert "job=missing" in blank.feature_names


LONG = "x" * 100_000
ODD_WORDS = [
    "Bäcker",
    "面包师",
    "🧑‍🍳",
    "\u00c5",
    "A\u030a",
    "a\tb",
    'a"b',
    "a,b",
    "{}",
    "[UNK]",
    "%s",
    LONG + "1",
    LONG + "2",
]


def test_odd_and_long_categories_are_told_apart(tmp_path):
    """Also composed and decomposed letters, for nothing says that they are meant to be the same."""
    jobs = [ODD_WORDS[i % len(ODD_WORDS)] for i in range(N)]
    data = frame(job=jobs)
    fitted = RECIPE.fit(data, "y", kinds={"job": "categorical"})
    assert [n for n in fitted.feature_names if n.startswith("job=")] == sorted(f"job={w}" for w in set(ODD_WORDS))
    x = features(data, fitted)
    for word in ODD_WORDS:
        np.testing.assert_array_equal(x[:, fitted.feature_names.index(f"job={word}")], [j == word for j in jobs])
    stream = slices({n: data[n].to_numpy(str if n == "job" else None) for n in ("age", "pay", "job")})
    np.testing.assert_array_equal(features(stream, fitted), x)
    loaded = pk.load(fitted.save(tmp_path / "saved"))
    np.testing.assert_array_equal(features(data, loaded), x)


ODD_NAMES = [
    "",
    " ",
    "a b",
    "ü",
    "🧑‍🍳",
    "a/b:c",
    "x" * 3000,
    "kind:numeric",
    "*",
    "y ",
    "0",
    ".label",
    "float32",
    "tensor:x",
]


def test_odd_names_of_columns_are_names_like_any_other(tmp_path):
    data = pd.DataFrame({name: RNG.normal(size=N) for name in ODD_NAMES} | {"y": Y})
    fitted = RECIPE.fit(data, "y")
    assert fitted.feature_names == tuple(ODD_NAMES)
    x = features(data, fitted)
    np.testing.assert_allclose(x.std(0), 1, rtol=1e-5)
    stream = slices({name: data[name].to_numpy() for name in ODD_NAMES})
    np.testing.assert_allclose(features(stream, fitted), x, atol=1e-6)
    np.testing.assert_array_equal(features(data, pk.load(fitted.save(tmp_path / "saved"))), x)


# -- at transform ------------------------------------------------------------------------------------


def test_columns_are_found_by_name_and_others_ignored(fitted):
    """As scikit-learn's ColumnTransformer has it: more columns do no harm, so a test set may have its extras."""
    x = features(frame(), fitted)
    data = frame(more=1.0)[["job", "more", "y", "pay", "age"]]
    np.testing.assert_array_equal(features(data, fitted), x)
    stream = slices({n: data[n].to_numpy(str if n in ("job", "y") else None) for n in data})
    np.testing.assert_array_equal(features(stream, fitted), x)


AT_TRANSFORM: dict[str, tuple[Callable[[], Any], str]] = {
    "missing": (
        lambda: frame().drop(columns=["age"]),
        "1 of the 3 training columns are missing, the first of them 'age': give it too, empty if need be.",
    ),
    "renamed": (
        lambda: frame().rename(columns={"age": "Age"}),
        "1 of the 3 training columns are missing, the first of them 'age': did you mean 'Age'. Rename it.",
    ),
    "renamed to something else": (
        lambda: frame().rename(columns={"age": "years"}),
        "the first of them 'age': rename it, if it is one of 'years', or give it too, empty if need be.",
    ),
    "numbers for categories": (
        lambda: frame(job=1),
        r"column 'job' is int64, but was strings \(categorical\) in training: give it as strings, or fit on data of",
    ),
    "times for numbers": (
        lambda: frame(age=pd.Timestamp("2024-01-01")),
        r"column 'age' is times \(timestamp\[.*\]\), but was numeric in training: give numbers, or fit on times.",
    ),
    "tensors for numbers": (
        lambda: {**dict(frame()), "age": np.zeros((N, 2))},
        r"column 'age' has shape \(40, 2\): give one value a row.",
    ),
    "a matrix": (lambda: X, "X has 3 columns without names, but the training data had 3 named age, pay, job: give"),
    "no rows": (lambda: frame().iloc[:0], "DataFrame has no rows: nothing to prepare."),
    "unseen class": (
        lambda: frame(y="maybe"),
        "label 'y' is 'maybe', no class of the training data, in 40 rows, the first of them row 0: drop those rows, or",
    ),
    "missing label": (
        lambda: frame(y=["no"] * 39 + [None]),
        "label 'y' is missing, in 1 rows, the first of them row 39: drop those rows, or the label; the classes are",
    ),
    "labels of another type": (
        lambda: frame(y=Y),
        r"label 'y' holds numbers \(int64\), but the training labels were strings: give the same strings.",
    ),
    "nothing": (lambda: None, "cannot read data of type NoneType: give a data frame"),
}


@pytest.mark.parametrize("case", AT_TRANSFORM)
def test_data_unlike_those_of_training_are_refused(case, fitted):
    data, message = AT_TRANSFORM[case]
    with pytest.raises(pk.PrepkitError, match=f"(?s){message}"):
        fitted.transform(data())


@pytest.mark.parametrize("case", ["missing", "renamed", "numbers for categories"])
def test_a_stream_unlike_the_training_data_is_refused_before_it_runs(case, fitted):
    data, message = AT_TRANSFORM[case]
    columns = {n: c.to_numpy(str if n in ("job", "y") and c.dtype != "int64" else None) for n, c in data().items()}
    stream = slices({n: c for n, c in columns.items() if n != "y"})
    for call in (fitted.transform, fitted):
        with pytest.raises(pk.PrepkitError, match=message):
            call(stream)


def test_unseen_categories_have_no_place_or_that_of_the_infrequent(fitted):
    x = features(frame(job="pilot"), fitted)
    places = [fitted.feature_names.index(f"job={w}") for w in ("cook", "smith")]
    assert (x[:, places] == 0).all()
    few = pk.Pipeline([pk.Impute(), pk.OneHot(max_categories=2)])
    many = few.fit(frame(job=np.array(["cook"] * 20 + ["smith"] * 15 + ["pilot"] * 5)), "y")
    x = features(frame(job="baker"), many)
    assert (x[:, many.feature_names.index("job=<infrequent>")] == 1).all()


def test_missing_cells_where_there_were_none_in_training_are_filled(fitted):
    """Numbers with the median, a category with what stands for missing, which no training row had."""
    x = features(frame(age=np.nan, job=None), fitted)
    assert np.isfinite(x).all()
    median = features(frame(age=np.median(X[:, 0])), fitted)
    place = fitted.feature_names.index("age")
    np.testing.assert_allclose(x[:, place], median[:, place], atol=1e-6)


def test_numbers_given_as_strings_are_numbers(fitted, tmp_path):
    x = features(frame(), fitted)
    np.testing.assert_allclose(features(frame(age=[f" {v!r} " for v in X[:, 0].tolist()]), fitted), x, atol=1e-6)
    frame().to_csv(tmp_path / "a.csv")
    np.testing.assert_allclose(features(tmp_path / "a.csv", fitted), x, atol=1e-6)
    bad = features(frame(age="oops"), fitted)
    np.testing.assert_array_equal(bad, features(frame(age=np.nan), fitted))  # a cell that is no number is missing


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8", "Float64", "double[pyarrow]", object])
def test_numbers_of_any_type_are_numbers(dtype, fitted):
    data = frame(age=np.arange(N) % 5)
    np.testing.assert_allclose(features(data.astype({"age": dtype}), fitted), features(data, fitted), atol=1e-6)


def test_a_matrix_of_another_width_or_without_its_names_is_refused():
    fitted = RECIPE.fit((X, Y))
    with pytest.raises(
        pk.PrepkitError, match="X has 2 columns without names, but the training data had 3: give the same"
    ):
        fitted.transform(X[:, :2])
    with pytest.raises(
        pk.PrepkitError, match="named columns, but the training data were one array of 3 without names: giv"
    ):
        fitted.transform(frame())
    np.testing.assert_allclose(features(X.astype(object), fitted), features(X, fitted), atol=1e-6)


# -- 10,000 columns ----------------------------------------------------------------------------------

WIDE = RNG.normal(size=(200, 10_000)).astype(np.float32)
WIDE_Y = np.arange(200) % 2


def wide_frame() -> pd.DataFrame:
    return pd.DataFrame(WIDE, columns=[f"c{i}" for i in range(10_000)]).assign(y=WIDE_Y)


def wide_words() -> pd.DataFrame:
    words = np.array(["a", "b", "c"])[RNG.integers(0, 3, (200, 2_000))]
    return pd.DataFrame(words, columns=[f"c{i}" for i in range(2_000)]).assign(y=WIDE_Y)


@pytest.mark.parametrize(
    "data, label, width",
    [(lambda: (WIDE, WIDE_Y), None, 10_000), (wide_frame, "y", 10_000), (wide_words, "y", 6_000)],
    ids=["matrix", "frame", "frame of words"],
)
def test_ten_thousand_columns_take_seconds(data, label, width):
    """About 2 s each, 2,000 of words 1 s, on one core; what grows with the square of the columns takes minutes."""
    given = data()
    start = time.process_time()
    fitted = RECIPE.fit(given, label)
    shape = features(given, fitted).shape
    seconds = time.process_time() - start
    assert shape == (200, width)
    assert seconds < 30
