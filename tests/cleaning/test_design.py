"""Whatever columns hold, proxies get numbers that they can take, and no warning."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.datasets import load_digits
from sklearn.preprocessing import RobustScaler, StandardScaler

from prepkit.cleaning.design import CATEGORIES, DIMENSIONS, SHOWN, Design
from tests.cleaning import tables
from tests.cleaning.tables import design, table

one_thread = pytest.fixture(autouse=True, scope="module")(tables.one_thread)
N = 120
RNG = np.random.default_rng(0)
ALL = np.arange(N)
NORMAL = RNG.normal(size=N)
WORDS = np.array(["red", "green", "blue", ""], object)[RNG.choice(4, N, p=[0.5, 0.3, 0.1, 0.1])]
TEXT = np.array([f"the {'film was dull' if i % 2 else 'plot is a joy'} number {i}" for i in range(N)], object)
HALF = np.where(RNG.random(N) < 0.5, np.nan, NORMAL)
FOUND = {"text": "text", "word": "categorical", "again": "categorical"}


def of(features, sample=None, **kinds):
    n = len(features) if isinstance(features, np.ndarray) else len(next(iter(features.values())))
    return design(table(features, np.arange(n) % 2, **kinds), sample)


def test_columns_are_numbers_then_categories_then_texts_then_tensors():
    image = RNG.random((N, 2, 2))
    features = {"image": image, "text": TEXT, "word": WORDS, "x": NORMAL, "again": WORDS, "half": HALF}
    found = of(features, **{k: v for k, v in FOUND.items() if k in features})
    assert found.categorical.tolist() == [False, False, True, True]
    plain = found.uncoded(ALL)
    assert plain.shape == (N, 4) and plain.dtype == np.float32
    np.testing.assert_array_equal(plain[:, 0], NORMAL.astype(np.float32))
    np.testing.assert_array_equal(plain[:, 1], HALF.astype(np.float32))
    np.testing.assert_array_equal(plain[:, 2], plain[:, 3])
    wide = found.encoded(ALL)
    numbers, categories = 2 + 1, 2 * 4  # one tells which of `half` are missing
    assert wide.shape == (N, numbers + categories + DIMENSIONS + 4) and wide.dtype == np.float32
    assert set(np.unique(wide[:, numbers : numbers + categories])) == {0, 1}
    np.testing.assert_array_equal(wide[:, 2], np.isnan(HALF))
    np.testing.assert_allclose(wide[:, -4:], image.reshape(N, 4) / image.std(), rtol=1e-5)
    assert not found.is_table


def test_only_columns_that_are_asked_for_are_there():
    spec = (made := table({"x": NORMAL, "half": HALF, "word": WORDS}, ALL % 2)).spec
    found = design(made, columns=[spec["half"], spec["word"]])
    np.testing.assert_array_equal(found.uncoded(ALL)[:, 0], HALF.astype(np.float32))
    assert found.categorical.tolist() == [False, True]
    nothing = design(made, columns=[])
    np.testing.assert_array_equal(nothing.encoded(ALL), np.zeros((N, 1)))
    assert nothing.uncoded(ALL).shape == (N, 0) and not nothing.is_table


@pytest.mark.parametrize("coded", [True, False])
def test_categories_are_numbered_by_falling_frequency_and_missing_ones_are_nan(coded):
    made = table({"word": WORDS}, ALL % 2, word="categorical")
    if coded:  # as columns come in that a recipe encodes, here with a category that was not known when it was fitted
        column = dataclasses.replace(made.spec["word"], block="codes", dtype="int32", categories=("blue", "red"))
        codes = np.array([{"blue": 0, "red": 1, "": -1, "green": -2}[w] for w in WORDS], np.int32)
        made = dataclasses.replace(made, spec=made.spec.with_columns([column]), blocks={"codes": codes[:, None]})
    else:
        assert "strings" in made.blocks
    expected = {"red": 0, "green": 1, "blue": 2, "": np.nan} | ({"blue": 1, "green": np.nan} if coded else {})
    found = design(made).uncoded(ALL)
    np.testing.assert_array_equal(found[:, 0], np.array([expected[w] for w in WORDS], np.float32))


def test_bytes_are_the_strings_that_they_encode():
    made = table({"word": WORDS, "text": TEXT}, ALL % 2, word="categorical", text="text")
    plain = design(made)
    (block,) = made.blocks.values()
    encoded = np.array([[v.encode() for v in row] for row in block.tolist()], object)
    as_bytes = design(dataclasses.replace(made, blocks={"strings": encoded}))
    np.testing.assert_array_equal(as_bytes.uncoded(ALL), plain.uncoded(ALL))
    np.testing.assert_array_equal(as_bytes.encoded(ALL), plain.encoded(ALL))


def test_rare_categories_are_one():
    names = np.array([f"{i:04}" for i in [*np.repeat(np.arange(300), 2), *range(100)]], object)
    found = of({"word": names}, word="categorical")
    codes = found.uncoded(np.arange(len(names)))[:, 0]
    assert sorted(np.unique(codes)) == list(range(CATEGORIES + 1))
    assert set(codes[np.char.less(names.astype(str), "0100")]) == set(range(100))  # there three times each
    assert (codes == CATEGORIES).sum() == 2 * 50
    assert found.encoded(np.arange(len(names))).shape[1] == SHOWN


def test_categories_that_are_not_in_the_sample_count_as_rare():
    names = np.array(["a", "b"] * 50 + ["c"] * 10 + [f"{i}" for i in range(60)], object)
    found = of({"word": names}, np.arange(100), word="categorical").encoded(np.arange(len(names)))
    assert found.shape == (170, 2)
    assert found[:100].sum() == 100 and not found[100:].any()


def test_numbers_are_squashed_by_their_scale_and_standardised():
    x = np.append(NORMAL[:-1], 1e5)
    (squashed,) = of({"x": x}).encoded(ALL).T
    y = RobustScaler().fit_transform(x[:, None])
    y = y / np.sqrt(1 + (y / 3) ** 2)
    np.testing.assert_allclose(squashed, StandardScaler().fit_transform(y)[:, 0], rtol=1e-3, atol=1e-5)
    assert np.abs(squashed).max() < 5


def test_missing_numbers_are_at_the_median_and_said_to_be_missing():
    filled, missing = of({"x": HALF}).encoded(ALL).T
    np.testing.assert_array_equal(missing, np.isnan(HALF))
    there = filled[~np.isnan(HALF)]
    np.testing.assert_allclose(filled[np.isnan(HALF)], np.median(there), atol=1e-6)
    assert there.std() == pytest.approx(1, abs=1e-4)


EXTREMES = [np.nan, np.inf, -np.inf, 0.0, 1.0, -1e300, 1e300, 1e-300, 3.4e38, -3.4e38, 1e39, 1e-40]


@given(
    arrays(np.float64, (30, 3), elements=st.sampled_from(EXTREMES) | st.floats(-1e3, 1e3)),
    st.lists(st.integers(0, 29), min_size=1, unique=True),
)
def test_whatever_numbers_are_all_is_finite_and_nothing_warns(x, sample):
    features = dict(zip("abc", x.T, strict=True))
    found = of(features, np.array(sorted(sample)))
    rows = np.arange(30)
    plain, wide = found.uncoded(rows), found.encoded(rows)
    np.testing.assert_array_equal(np.isfinite(plain), np.isfinite(x))
    np.testing.assert_array_equal(
        np.sign(plain[np.abs(x) > 1e30]), np.sign(np.where(np.isfinite(x), x, np.nan))[np.abs(x) > 1e30]
    )
    assert wide.shape[0] == 30 and wide.shape[1] >= 1
    assert np.isfinite(wide).all() and np.isfinite((wide**2).sum(1)).all()


@pytest.mark.parametrize(
    "features",
    [
        {"x": np.full(N, np.nan)},
        {"x": np.full(N, 7.0)},
        {"x": np.full(N, np.nan), "y": np.full(N, 7.0), "z": NORMAL},
        {"x": np.where(ALL < 100, 0.0, 1e12)},
        {"x": np.full(N, 3.0, np.float32)},
        {"at": np.datetime64("2024-01-01") + ALL.astype("m8[D]")},
        {"at": np.full(N, np.datetime64("NaT", "s"))},
        {"word": np.full(N, "", object), "x": NORMAL},
        {"word": np.full(N, "one", object)},
        {"text": np.array(["! ?"] * N, object)},
        {"text": np.array([None] * N, object), "x": NORMAL},
        {"text": np.array(["naïve 東京 " + "x" * 10_000] * N, object)},
        np.ones((N, 20, 20)),
        np.full((N, 20, 20), np.nan),
        np.full((N, 3, 2), 1e-42, np.float32),
        np.where(RNG.random((N, 20, 20, 1)) < 0.1, np.nan, 255.0),
        np.where(RNG.random((N, 20, 20, 1)) < 1e-4, 1e300, RNG.random((N, 20, 20, 1))),
        np.where(RNG.random((N, 4, 4)) < 1e-2, np.inf, RNG.random((N, 4, 4))),
        RNG.integers(0, 256, (N, 20, 20, 3)).astype(np.uint8),
        RNG.integers(0, 256, (40, 20, 20, 3)).astype(np.uint8),
    ],
    ids=range(20),
)
@pytest.mark.parametrize("sample", [None, np.array([0]), np.arange(5, 40)], ids=["all", "one", "some"])
def test_columns_without_anything_in_them_are_finite(features, sample):
    kinds = {k: v for k, v in FOUND.items() if not isinstance(features, np.ndarray) and k in features}
    found = of(features, sample, **kinds)
    rows = np.arange(40)
    wide = found.encoded(rows)
    assert wide.shape[1] >= 1 and wide.dtype == np.float32
    assert np.isfinite(wide).all() and np.isfinite((wide**2).sum(1)).all()
    assert found.uncoded(rows).shape == (40, len(found.categorical))


def test_images_are_brought_to_few_dimensions_that_tell_them_apart():
    pixels, digit = load_digits(return_X_y=True)
    images = np.repeat(np.repeat(pixels[:400].reshape(-1, 8, 8, 1), 3, 1), 3, 2).astype(np.uint8)
    found = of(images, np.arange(200))
    scores = found.encoded(np.arange(400))
    assert scores.shape == (400, DIMENSIONS) and not found.is_table
    assert scores[:200, 0].std() == pytest.approx(1, abs=0.01)
    distance = ((scores[200:, None] - scores[None, :200]) ** 2).sum(2)
    assert (digit[:200][distance.argmin(1)] == digit[200:400]).mean() > 0.9


def test_texts_are_told_apart_by_their_words():
    scores = of({"text": TEXT}, text="text").encoded(ALL)
    assert scores.shape == (N, DIMENSIONS)
    distance = ((scores[:, None] - scores[None]) ** 2).sum(2) + np.diag(np.full(N, 9.0))
    np.testing.assert_array_equal(distance.argmin(1) % 2, ALL % 2)


def test_rows_are_the_same_in_whatever_pieces_they_are_asked_for():
    features = {"half": HALF, "word": WORDS, "text": TEXT, "image": RNG.random((N, 18, 18))}
    found = of(features, np.arange(90), word="categorical", text="text")
    whole, order = found.encoded(ALL), RNG.permutation(N)
    assert whole.shape == (N, DIMENSIONS)
    np.testing.assert_allclose(found.encoded(order), whole[order], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(np.concatenate([found.encoded(ALL[:1]), found.encoded(ALL[1:])]), whole, atol=1e-5)
    again = of(features, np.arange(90), word="categorical", text="text")
    np.testing.assert_array_equal(again.encoded(ALL), whole)


def test_what_is_measured_is_measured_on_the_sample():
    x = np.append(NORMAL[:60], NORMAL[60:] * 100 + 5000)
    assert np.abs(of({"x": x}, np.arange(60)).encoded(np.arange(60)).mean()) < 1e-4
    assert of({"x": x}, np.arange(60)).encoded(np.arange(60, N)).min() > 1.5


@pytest.mark.parametrize(
    ("features", "is_table"),
    [
        ({"x": NORMAL}, True),
        ({"word": WORDS}, True),
        ({"x": NORMAL, "text": TEXT}, True),
        ({"text": TEXT}, False),
        ({"x": NORMAL, "image": RNG.random((N, 4, 4))}, False),
    ],
)
def test_tables_are_those_of_numbers_and_categories(features, is_table):
    assert of(features, **{k: v for k, v in FOUND.items() if k in features}).is_table is is_table


def test_the_table_is_not_changed():
    made = table({"x": np.append(HALF[1:], np.inf), "word": WORDS}, ALL % 2, word="categorical")
    before = {name: x.copy() for name, x in made.blocks.items()}
    found = Design(made, made.spec.columns, ALL, 0)
    found.encoded(ALL)
    found.uncoded(ALL)[:] = 0
    for name, x in made.blocks.items():
        np.testing.assert_array_equal(x, before[name])
