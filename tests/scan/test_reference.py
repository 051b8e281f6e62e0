import itertools
import json

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from prepkit.scan import Coded
from prepkit.scan.reference import LISTED, Reference, ReferenceBuilder, Shares, as_numbers, binned, counted, extremes
from prepkit.spec import Column, Spec
from tests.scan.columns import COLUMNS, CUTS, finite

WORDS = tuple("abcdefg")


def spec_of(**kinds):
    """Columns of these kinds; "kind/role" for another role than that of a feature."""
    parts = {name: (*kind.split("/"), "feature")[:2] for name, kind in kinds.items()}
    return Spec(tuple(Column(name, kind, role=role) for name, (kind, role) in parts.items()))


def collected(columns, spec, cuts=(), cap=20_000, classes=None):
    """The reference of columns that came in pieces."""
    n = len(next(iter(columns.values())))
    builder = ReferenceBuilder(cap)
    bounds = [0, *(min(c, n) for c in cuts), n]
    for start, end in itertools.pairwise(bounds):
        builder.update({name: values[start:end] for name, values in columns.items()}, spec)
    return builder.result(classes)


def one(values, kind="numeric", **more):
    return collected({"x": values}, spec_of(x=kind), **more).columns["x"]


def coded(codes, words=WORDS):
    return Coded(np.asarray(codes, np.int32), words)


# -- which rows ------------------------------------------------------------------------------------


@given(st.integers(1, 3000), st.lists(st.integers(0, 3000), max_size=6).map(sorted), st.sampled_from([3, 20, 100]))
def test_how_rows_are_batched_does_not_matter(n, cuts, cap):
    rng = np.random.default_rng(n)
    columns = {"x": np.arange(n, dtype=np.float64), "c": coded(rng.integers(-1, 7, n)), "t": rng.random((n, 2))}
    spec = spec_of(x="numeric", c="categorical", t="tensor")
    whole = collected(columns, spec, cap=cap)
    assert collected(columns, spec, cuts, cap=cap) == whole
    assert whole.rows == n
    assert whole.sampled <= 2 * cap
    assert whole.sampled == n if n <= 2 * cap else whole.sampled >= cap - 1
    assert (whole.columns["x"].low, whole.columns["x"].high) == (0, n - 1)


@pytest.mark.parametrize("n", [41, 1000, 123_457])
def test_rows_are_spread_evenly(n):
    builder = ReferenceBuilder(cap=20)
    builder.update({"x": np.arange(n, dtype=np.float64)}, spec_of(x="numeric"))
    (rows,) = builder._held["x"].pieces
    size = 2**builder._level
    assert (np.floor(rows / size) == np.arange(len(rows))).all()  # one of each block


def test_rows_of_classes_that_take_turns_are_of_both():
    n = 64_000
    reference = collected(
        {"c": coded(np.arange(n) % 2), "x": np.arange(n) % 4.0}, spec_of(c="categorical", x="numeric")
    )
    for shares in (reference.columns["c"], reference.columns["x"]):
        counts = np.array([c for c in shares.counts if c])
        np.testing.assert_allclose(counts / counts.sum(), 1 / len(counts), atol=0.02)
    assert len([c for c in reference.columns["x"].counts if c]) == 4


@given(st.integers(0, 500), st.integers(0, 500), st.integers(0, 500), st.sampled_from([10, 100, 1000]))
def test_merge_counts_the_rows_of_both(n, more, later, cap):
    spec = spec_of(x="numeric", c="categorical")

    def part(size, seed):
        rng = np.random.default_rng(seed)
        return {"x": rng.normal(size=size), "c": coded(rng.integers(-1, 7, size), WORDS[:: 1 if seed else -1])}

    parts = [part(n, 0), part(more, 1), part(later, 2)]
    first, second = ReferenceBuilder(cap), ReferenceBuilder(cap)
    first.update(parts[0], spec)
    second.update(parts[1], spec)
    first.merge(second)
    first.update(parts[2], spec)
    found = first.result()
    x = np.concatenate([p["x"] for p in parts])
    assert found.rows == len(x)
    assert found.sampled <= 2 * cap
    assert sum(found.columns["x"].counts) == found.sampled
    if len(x):
        assert (found.columns["x"].low, found.columns["x"].high) == (x.min(), x.max())
    if len(x) <= 2 * cap:
        together = collected({"x": x}, spec_of(x="numeric"), cap=cap)
        assert found.columns["x"] == together.columns["x"]
        missing = sum(int((p["c"].codes < 0).sum()) for p in parts)
        assert found.columns["c"].missing == missing


# -- bins ------------------------------------------------------------------------------------------


@given(COLUMNS, CUTS, st.sampled_from([1, 3, 5, 10]))
def test_no_bin_is_empty_and_the_edges_say_what_was_counted(x, cuts, bins):
    x = np.sort(finite(x))
    counts, edges = binned(x, bins)
    assert all(c > 0 for c in counts)
    assert sum(counts) == len(x)
    assert list(edges) == sorted(set(edges))
    if len(x):
        again = np.bincount(np.searchsorted(edges, x, side="right"), minlength=len(edges) + 1)
        assert again.tolist() == list(counts)
        _, times = np.unique(x, return_counts=True)
        heavy = int((times * bins >= len(x)).sum())
        assert len(counts) <= max(bins, heavy) + heavy + 1


@given(COLUMNS, COLUMNS, st.sampled_from([3, 10]), st.sampled_from(["float16", "float32", "float64", "int64"]))
@example(np.array([0.0, 0.0, 1.0]), np.array([0.0, 1e-30, 1e-300, -1e-30, 1.0, 2.0]), 3, "float32")
@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
def test_counted_is_numpys_search(x, new, bins, dtype):
    _, edges = binned(np.sort(finite(x)), bins)
    new = finite(np.where(np.abs(new) < 6e4, new, 7.0).astype(dtype))
    expected = np.bincount(np.searchsorted(edges, new, side="right"), minlength=len(edges) + 1)
    np.testing.assert_array_equal(counted(new, edges), expected)


@given(st.integers(1, 2000), st.sampled_from([5, 10]))
def test_bins_of_different_values_are_of_equal_counts(n, bins):
    counts, _ = binned(np.arange(n, dtype=np.float32), bins)
    assert len(counts) == min(n, bins)
    assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8"])
def test_a_heavy_value_has_its_bin_to_itself(dtype):
    x = np.sort(np.concatenate([np.zeros(800), np.arange(1, 101), np.full(100, 200)])).astype(dtype)
    counts, edges = binned(x, 10)
    assert counts[0] == 800 and counts[-1] == 100
    assert edges[0] == np.nextafter(0.0, 1.0)
    assert edges[-1] == 200
    assert len(counts) == 10 and set(counts[1:-1]) <= {12, 13}


def test_values_between_heavy_ones_have_a_bin_however_few():
    assert binned(np.repeat([0.0, 1.0, 2.0], [50, 1, 50]), 3)[0] == (50, 1, 50)


def test_bins_of_nothing_and_of_a_constant():
    assert binned(np.empty(0), 10) == ((), ())
    assert binned(np.full(7, 3.0), 10) == ((7,), ())


# -- columns ---------------------------------------------------------------------------------------


@given(COLUMNS, CUTS)
def test_missing_cells_and_extremes(x, cuts):
    shares = one(x, cuts=cuts) if len(x) else Shares("numeric")
    there = finite(x)
    assert shares.missing == len(x) - len(there)
    assert shares.low == (there.min() if len(there) else None)
    assert shares.high == (there.max() if len(there) else None)
    assert sum(shares.counts) == len(there)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float16"])
def test_numbers_of_other_types(dtype):
    shares = one(np.array([1, 0, 1, 1], dtype))
    assert (shares.counts, shares.edges, shares.low, shares.high) == ((1, 3), (1.0,), 0.0, 1.0)


def test_extremes_of_nothing():
    assert extremes(np.empty(0)) == extremes(np.array([np.nan, np.inf])) == (np.inf, -np.inf)


def test_half_of_the_rows_choose_the_categories_and_the_other_half_count_them():
    """Otherwise those would be listed that happen to be frequent here, with shares that no other data have."""
    rng = np.random.default_rng(0)
    shares = one(coded(rng.integers(0, 1000, 20_000), [f"w{i}" for i in range(1000)]), "categorical")
    assert len(shares.categories) == LISTED
    assert len(shares.counts) == LISTED + 1
    assert abs(sum(shares.counts) - 10_000) < 300
    assert abs(sum(shares.counts[:-1]) / sum(shares.counts) - 0.1) < 0.01  # all 20 % of them: 0.13
    assert shares.rest is None


def test_categories_are_ordered_by_frequency_then_name():
    codes = np.repeat([3, 1, 0], [500, 200, 50])
    assert one(coded(codes), "categorical").categories == ("d", "b", "a")


def test_every_category_of_the_sample_is_known():
    rng = np.random.default_rng(0)
    words = [f"w{i}" for i in range(300)]
    codes = np.concatenate([np.repeat(np.arange(80), 50), np.arange(80, 120), [-1, -1]])
    shares = one(coded(rng.permutation(codes), words), "categorical")
    assert set(shares.categories) | set(shares.rest) == set(words[:120])
    assert not set(shares.categories) & set(shares.rest)
    assert shares.scarce == 40
    assert shares.missing == 2


def test_categories_that_do_not_occur_are_not_known():
    assert set(one(coded([0, 2] * 20), "categorical").categories) == {"a", "c"}


def test_text_is_its_length():
    shares = one(coded([0, 1, 1, -1], ("four", "eleven char")), "text")
    assert shares == Shares("text", 1, (1, 2), (11.0,), low=4.0, high=11.0)


def test_a_tensor_is_the_mean_of_a_row():
    images = np.arange(24, dtype=np.uint8).reshape(3, 2, 4)
    np.testing.assert_array_equal(as_numbers(images), images.reshape(3, -1).mean(1))
    with_gaps = images.astype(np.float32)
    with_gaps[0, 0, 0] = np.nan
    with_gaps[2] = np.inf
    np.testing.assert_array_equal(as_numbers(with_gaps), [4.0, 11.5, np.nan])
    assert one(images, "tensor").counts == (1, 1, 1)
    assert len(as_numbers(np.zeros((0, 2, 2)))) == 0


def test_of_an_identifier_neither_words_nor_numbers_are_kept():
    words = [f"person {i:04}" for i in range(50)]
    assert one(coded(np.arange(50), words), "categorical/identifier") == Shares(
        "categorical", 0, (50,), (), low=11.0, high=11.0
    )
    assert one(np.arange(50), "numeric/identifier") == Shares("numeric", 0, (50,))


@pytest.mark.parametrize(
    "values, kind",
    [
        (np.full(5, np.nan), "numeric"),
        (coded([-1] * 5), "categorical"),
        (coded([-1] * 5), "text"),
        (np.full((5, 2), np.nan), "tensor"),
    ],
)
def test_a_column_without_any_value(values, kind):
    assert one(values, kind) == Shares(kind, 5)


def test_nothing_seen():
    assert ReferenceBuilder().result() == Reference(0, 0, {})
    assert ReferenceBuilder().result({}).label == Shares("categorical", 0, (0,))


def test_classes_are_counted_all():
    found = collected({"x": np.zeros(3)}, spec_of(x="numeric"), classes={">50K": 1, "<=50K": 2})
    assert found.label == Shares("categorical", 0, (2, 1, 0), (), ("<=50K", ">50K"))


# -- as a whole ------------------------------------------------------------------------------------


def test_json_both_ways():
    columns = {"x": np.array([1.0, np.nan, 0.1]), "c": coded([0, 1, -1]), "e": np.full(3, np.nan)}
    found = collected(columns, spec_of(x="numeric", c="categorical", e="numeric"), classes={0: 1, 1: 2})
    assert Reference.from_json(json.loads(json.dumps(found.to_json(), allow_nan=False))) == found


def test_inputs_are_not_held_and_not_changed():
    x = np.arange(100.0)
    builder = ReferenceBuilder()
    builder.update({"x": x}, spec_of(x="numeric"))
    before = builder.result()
    x[:] = -1
    assert builder.result() == before


def test_ten_thousand_columns_stay_small():
    x = np.random.default_rng(0).normal(size=(10_000, 2000)).astype(np.float32)
    spec = Spec(tuple(Column(f"x{i}", "numeric") for i in range(len(x))))
    found = collected({f"x{i}": row for i, row in enumerate(x)}, spec)
    assert {len(shares.counts) for shares in found.columns.values()} == {5}
    assert len(json.dumps(found.to_json())) < 3e6
