"""Keys of rows: equal where rows are, wherever these stand and however they come."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pytest
import tensorflow as tf
from hypothesis import example, given
from hypothesis import strategies as st

import prepkit as pk
from prepkit.cleaning import keys as keys_module
from prepkit.cleaning.keys import Keys, parsed, shown
from prepkit.entry import UNSEEN, Entry
from prepkit.scan.duplicates import mixed
from prepkit.source import as_source
from prepkit.spec import CODES, LABEL, STRINGS, Column, Label, Spec

NAN, INF = np.nan, np.inf
CELLS: dict[str, Any] = {
    "word": ["cook", "Bäcker", "a\x1fb", None, "?"],
    "town": ["Rome", "cook", "", "面包"],
    "x": [0.0, -0.0, NAN, INF, -INF, 1.5, 0.1],
    "n": [0, 1, 2, -3],
    "small": [0.5, 0.0, NAN, -2.0],
    "flag": [True, False],
    "y": ["no", "yes", "perhaps"],
}
ROW = st.tuples(*(st.sampled_from(values) for values in CELLS.values()))
CODED = [pk.OneHot(columns=["word", "town"])]
TEXT = [pk.Hash(columns=["word", "town"])]


@st.composite
def alike(draw: st.DrawFn) -> list[tuple[Any, ...]]:
    """Rows that differ in two cells at most from the first of them, so that many are equal."""
    first = draw(ROW)
    rows = [first]
    places = st.integers(0, len(CELLS) - 1)
    for i, j in draw(st.lists(st.tuples(places, places), max_size=30)):
        row = list(first)
        for place in (i, j):
            row[place] = draw(st.sampled_from([*CELLS.values()][place]))
        rows.append(tuple(row))
    return rows


def framed(rows: list[tuple[Any, ...]], names: Any = tuple(CELLS)) -> pd.DataFrame:
    frame = pd.DataFrame({name: pd.Series([r[i] for r in rows]) for i, name in enumerate(CELLS)})
    frame = frame.astype({"word": object, "town": object, "y": object, "x": float, "n": int, "flag": bool})
    return frame.astype({"small": np.float32})[list(names)]


def entry_of(stages: list[Any], names: Any = tuple(CELLS), **types: str) -> Entry:
    """Fitted on every cell that there is, so that none is unseen."""
    frame = pd.DataFrame({name: [CELLS[name][i % len(CELLS[name])] for i in range(420)] for name in names})
    return pk.Pipeline(stages).fit(frame.astype({"small": np.float32} | types), "y").flow.entry


def packed_of(entry: Entry, frame: pd.DataFrame) -> dict[str, np.ndarray]:
    (chunk,) = as_source(frame, "y").chunks()
    assert entry.raw.label is not None
    return {
        **entry.packed(chunk),
        LABEL: np.array([entry.raw.label.class_names.index(y) for y in frame["y"]], np.int32),
    }


ENTRY, STRING_ENTRY = entry_of(CODED), entry_of(TEXT)
ENTRIES = [ENTRY, STRING_ENTRY, entry_of(CODED, [*reversed(CELLS)]), entry_of(TEXT, [*CELLS], small="float64")]
ENTRIES += [entry_of([pk.OneHot(columns=["word"]), pk.Hash(columns=["town"])], sorted(CELLS))]
KEYS = [Keys(entry) for entry in ENTRIES]


def as_known(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """A row in which equal cells are equal to Python, the oracle."""
    missing = (None, "?", "")
    return tuple(None if c in missing or (isinstance(c, float) and not np.isfinite(c)) else c for c in row)


def sliced(packed: Mapping[str, Any], rows: Any) -> dict[str, Any]:
    return {name: x[rows] for name, x in packed.items()}


# -- equal rows, and only they -----------------------------------------------------------------------


def test_the_entries_differ_in_how_they_pack():
    assert [sorted(e.spec.blocks()) for e in ENTRIES] == [
        [CODES, "float32", "float64"],
        ["float32", "float64", STRINGS],
        [CODES, "float32", "float64"],
        ["float32", "float64", STRINGS],
        [CODES, "float32", "float64", STRINGS],
    ]
    assert [e.spec["small"].block for e in ENTRIES] == ["float32"] * 3 + ["float64", "float32"]
    assert ENTRIES[2].spec.names == ENTRY.spec.names[::-1]


@given(alike(), st.permutations(list(CELLS)), st.integers(0, 30))
def test_keys_are_equal_just_where_rows_are_however_these_are_packed(rows, names, cut):
    keys = KEYS[0].of(packed_of(ENTRY, framed(rows)))
    assert keys.dtype == np.uint64 and keys.shape == (len(rows),)
    by_row = dict(zip(map(as_known, rows), keys.tolist(), strict=True))
    assert [by_row[as_known(row)] for row in rows] == keys.tolist()
    assert len(set(by_row.values())) == len(by_row)
    for other in KEYS:
        packed = packed_of(other.entry, framed(rows, names))
        np.testing.assert_array_equal(other.of(packed), keys)
        np.testing.assert_array_equal(other.of(sliced(packed, slice(None, None, -1))), keys[::-1])
        parts = [other.of(sliced(packed, part)) for part in (slice(cut), slice(cut, None))]
        np.testing.assert_array_equal(np.concatenate(parts), keys)


@given(ROW, st.data())
def test_another_cell_or_label_is_another_key(row, data):
    others = [row]
    for i, values in enumerate(CELLS.values()):
        other = data.draw(st.sampled_from(values).filter(lambda v, i=i: as_known((v,)) != as_known((row[i],))))
        others.append((*row[:i], other, *row[i + 1 :]))
    for keys in KEYS[:2]:
        assert len(set(keys.of(packed_of(keys.entry, framed(others))).tolist())) == len(others)


FLOATS = st.floats(allow_nan=True) | st.sampled_from([0.0, -0.0, 5e-324, -5e-324, 1e-310, 1e308])


def numbers_entry(dtype: str, width: int = 1) -> Entry:
    return Entry(Spec(tuple(Column(f"x{i}", "numeric", dtype) for i in range(width))), {})


KEYS_OF_NUMBERS = {dtype: Keys(numbers_entry(dtype), labelled=False) for dtype in ("float32", "float64")}


def keys_of_numbers(x: Any, dtype: str = "float64") -> list[int]:
    return KEYS_OF_NUMBERS[dtype].of({dtype: np.asarray(x, dtype)[:, None]}).tolist()  # type: ignore[no-any-return]


@given(st.lists(FLOATS, min_size=1, max_size=20))
@example([2.2250738585072014e-308, 2.225073858507201e-308, 0.0])  # the smallest normal number, and the one below
def test_numbers_are_told_apart_to_the_last_bit_but_for_subnormal_ones(x):
    known = [None if not np.isfinite(v) else v if abs(v) >= 2.2250738585072014e-308 else 0.0 for v in x]
    by_value = dict(zip(known, keys_of_numbers(x), strict=True))
    assert [by_value[v] for v in known] == keys_of_numbers(x)
    assert len(set(by_value.values())) == len(by_value)


@given(st.lists(st.floats(width=32, allow_subnormal=False), min_size=1, max_size=20))
def test_a_number_has_one_key_as_float32_and_as_float64(x):
    assert keys_of_numbers(x, "float32") == keys_of_numbers(x, "float64")


def test_subnormal_float32_numbers_count_as_0_however_many_there_are():
    tiny = np.repeat([1e-40, -1e-45, 0.0], 300_000)  # work on so many is spread over threads
    assert set(keys_of_numbers(tiny, "float32")) == set(keys_of_numbers([0.0]))


def test_a_million_rows_of_0_and_1_have_a_million_keys():
    bits = (np.arange(2**20)[:, None] >> np.arange(20)) & 1
    keys = Keys(numbers_entry("float32", 20), labelled=False).of({"float32": bits.astype(np.float32)})
    assert len(np.unique(keys)) == 2**20
    assert len(np.unique(keys % 2**21)) > 2**20 * 0.78  # as of random numbers: 1 - exp(-1/2) of 2**21


# -- numpy, eager and graph --------------------------------------------------------------------------


@given(alike(), st.integers(1, 7), st.sampled_from([0, 1]))
def test_in_a_shuffled_dataset_keys_are_the_same(rows, batch_size, which):
    keys = KEYS[which]
    packed = packed_of(keys.entry, framed(rows))
    expected = keys.of(packed)
    np.testing.assert_array_equal(keys({n: tf.constant(x) for n, x in packed.items()}), expected)
    dataset = tf.data.Dataset.from_tensor_slices({**packed, "number": np.arange(len(rows))})
    dataset = dataset.shuffle(50, seed=1).batch(batch_size).map(lambda b: (b["number"], keys(b)))
    assert dataset.element_spec[1] == tf.TensorSpec([None], tf.uint64)
    found = dict(pair for numbers, k in dataset.as_numpy_iterator() for pair in zip(numbers, k.tolist(), strict=True))
    assert [found[i] for i in range(len(rows))] == expected.tolist()


def test_the_graph_packs_what_has_the_same_keys():
    """Raw tensors that enter in the graph, as of a user's dataset, infinity and all."""
    rows = [tuple(values[i % len(values)] for values in CELLS.values()) for i in range(60)]
    frame = framed(rows)
    for entry in ENTRIES:
        raw = {n: tf.constant(frame[n].fillna("") if frame[n].dtype == object else frame[n]) for n in entry.raw.names}
        packed = packed_of(entry, frame)
        graph = {**entry.graph(raw), LABEL: tf.constant(packed[LABEL])}
        np.testing.assert_array_equal(Keys(entry)(graph), Keys(entry).of(packed))


def test_words_may_first_be_hashed_while_a_graph_is_traced():
    packed = packed_of(ENTRY, framed([tuple(v[0] for v in CELLS.values())] * 3))
    keys = Keys(ENTRY)
    found = next(tf.data.Dataset.from_tensors(packed).map(keys).as_numpy_iterator())
    np.testing.assert_array_equal(found, KEYS[0].of(packed))
    np.testing.assert_array_equal(keys.of(packed), found)


def test_strings_may_be_bytes():
    packed = packed_of(
        STRING_ENTRY, framed([tuple(v[0] for v in CELLS.values()), tuple(v[-1] for v in CELLS.values())])
    )
    as_bytes = np.array([[s.encode() for s in row] for row in packed[STRINGS]], object)
    keys = Keys(STRING_ENTRY)
    np.testing.assert_array_equal(keys.of({**packed, STRINGS: as_bytes}), keys.of(packed))


def test_no_rows_have_no_keys():
    for entry in (ENTRY, STRING_ENTRY):
        packed = sliced(packed_of(entry, framed([tuple(v[0] for v in CELLS.values())])), slice(0))
        assert Keys(entry).of(packed).shape == Keys(entry)(packed).shape == (0,)


def test_large_arrays_are_hashed_in_pieces(monkeypatch):
    x = np.random.default_rng(0).normal(size=(1000, 3)).astype(np.float32)
    keys = Keys(numbers_entry("float32", 3), labelled=False)
    whole = keys({"float32": tf.constant(x)}).numpy()
    sizes = []
    monkeypatch.setattr(keys_module, "CELLS", 192)
    traced = keys._traced
    monkeypatch.setitem(vars(keys), "_traced", lambda piece: sizes.append(len(piece["float32"])) or traced(piece))
    np.testing.assert_array_equal(keys.of({"float32": x}), whole)
    assert sizes == [64] * 15 + [40]


# -- what a key is -----------------------------------------------------------------------------------


def finished(x: int) -> int:
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x = (x ^ x >> shift) * factor % 2**64
    return x ^ x >> 31


def key_by_hand(cells: Mapping[tuple[str, int], float]) -> int:
    """Of numbers, in plain Python."""
    total = 0
    for (name, place), value in cells.items():
        start = int.from_bytes(blake2b(name.encode(), digest_size=8, person=b"column").digest(), "little")
        salt = finished((start + place + 0x9E3779B97F4A7C15) % 2**64)
        total += finished((struct.unpack("<Q", struct.pack("<d", value))[0] + salt) % 2**64)
    return finished(total % 2**64)


def test_a_key_is_the_mixed_sum_of_mixed_cells():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(5, 3)).astype(np.float32)
    keys = Keys(numbers_entry("float32", 3), labelled=False).of({"float32": x})
    assert keys.tolist() == [key_by_hand({(f"x{i}", 0): float(v) for i, v in enumerate(row)}) for row in x]


@pytest.mark.parametrize("wide", [3, 40_000])
def test_a_cell_of_a_tensor_counts_with_its_place(wide):
    pixels = np.random.default_rng(0).integers(0, 255, (4, 2, wide)).astype(np.uint8)
    entry = Entry(Spec((Column("x", "tensor", "uint8", (2, wide)),), structure="array"), {})
    keys = Keys(entry, labelled=False)
    found = keys.of({"tensor:x": pixels})
    by_hand = [key_by_hand({("x", i): float(v) for i, v in enumerate(image.ravel())}) for image in pixels]
    assert found.tolist() == by_hand
    dataset = tf.data.Dataset.from_tensors({"tensor:x": pixels}).map(keys)
    np.testing.assert_array_equal(next(dataset.as_numpy_iterator()), found)
    assert keys.of({"tensor:x": pixels[:0]}).shape == (0,)


def test_keys_written_by_one_release_are_read_by_the_next():
    rows = [
        ("cook", "Rome", 1.5, 2, 0.5, True, "no"),
        ("Bäcker", "面包", NAN, -3, -2.0, False, "yes"),
        (None, "", -0.0, 0, NAN, True, "perhaps"),
    ]
    for keys in KEYS:
        found = shown(keys.of(packed_of(keys.entry, framed(rows))))
        assert found.tolist() == ["8fe6fd71a5f1a3de", "18f234051872e94e", "c6c65870ac08418c"]
    unlabelled = Keys(ENTRY, labelled=False).of(packed_of(ENTRY, framed(rows)))
    assert shown(unlabelled).tolist() == ["29d298fe5e8e0395", "cd3afc503b8d946b", "0b4b0685161234f6"]


def test_the_steps_are_those_of_splitmix64():
    """Of which `mixed` adds its constant first."""
    numbers = np.random.default_rng(0).integers(0, 2**64, 100, np.uint64)
    ours = keys_module._finished(tf.constant(numbers + np.uint64(0x9E3779B97F4A7C15))).numpy()
    np.testing.assert_array_equal(ours, mixed(numbers))
    # The first number of Java's SplittableRandom(0), and of every other splitmix64.
    assert mixed(np.zeros(1, np.uint64)).tolist() == [0xE220A8397B1DCDAF]


# -- tensors -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float16", "float32", "float64", "bool"])
def test_a_tensor_has_one_key_of_whatever_type_its_numbers_are(dtype):
    x = np.random.default_rng(0).integers(0, 2, (9, 3, 2))

    def keys(dtype: str) -> list[int]:
        entry = Entry(Spec((Column("x", "tensor", dtype, (3, 2)),), structure="array"), {})
        return Keys(entry, labelled=False).of({"tensor:x": x.astype(dtype)}).tolist()  # type: ignore[no-any-return]

    assert keys(dtype) == keys("int32")
    by_row = dict(zip((tuple(row.ravel().tolist()) for row in x), keys(dtype), strict=True))
    assert len(set(by_row.values())) == len(by_row) == len(set(keys(dtype)))


def test_missing_cells_of_tensors_are_equal():
    x = np.array([[[0.0, NAN]], [[-0.0, INF]], [[0.0, -INF]], [[NAN, 0.0]]], np.float16)
    entry = Entry(Spec((Column("x", "tensor", "float16", (1, 2)),), structure="array"), {})
    a, b, c, d = Keys(entry, labelled=False).of({"tensor:x": x}).tolist()
    assert a == b == c != d


def test_a_number_that_is_subnormal_as_float16_is_itself():
    """It is an ordinary float32."""
    x = np.array([[[0.0, 2.0**-24]], [[2.0**-15, 1.0]]], np.float16)
    found = []
    for dtype in ("float16", "float64"):
        entry = Entry(Spec((Column("x", "tensor", dtype, (1, 2)),), structure="array"), {})
        found.append(Keys(entry, labelled=False).of({"tensor:x": x.astype(dtype)}).tolist())
    assert found[0] == found[1]


# -- which columns count -----------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [("x",), ("flag", "word"), ("town", "small", "n")])
@pytest.mark.parametrize("labelled", [True, False])
def test_only_the_columns_that_are_named_count(columns, labelled):
    rng = np.random.default_rng(0)
    rows = [tuple(values[rng.integers(len(values))] for values in CELLS.values()) for _ in range(200)]
    places = [list(CELLS).index(name) for name in (*columns, *["y"] * labelled)]
    found = []
    for entry in ENTRIES:
        found.append(Keys(entry, columns, labelled).of(packed_of(entry, framed(rows))))
        np.testing.assert_array_equal(found[0], found[-1])
    by_cells = dict(zip((as_known(tuple(row[i] for i in places)) for row in rows), found[0].tolist(), strict=True))
    assert len(by_cells) == len(set(by_cells.values())) == len(np.unique(found[0])) > 1


def test_what_a_cell_counts_for_depends_on_its_column():
    a, b = numbers_entry("float64", 2), Entry(Spec((Column("z", "numeric", "float64"),)), {})
    one, other = (Keys(a, (name,), False).of({"float64": np.array([[1.0, 1.0]])}) for name in ("x0", "x1"))
    third = Keys(b, None, False).of({"float64": np.array([[1.0]])})
    assert len({*one.tolist(), *other.tolist(), *third.tolist()}) == 3


def test_a_label_is_known_by_the_name_of_its_class():
    def key(classes: tuple[Any, ...], number: int, form: Any = "string") -> int:
        spec = Spec((Column("x0", "numeric", "float64"),), Label("y", form, classes))
        packed = {"float64": np.array([[1.0]]), LABEL: np.array([number], np.int32)}
        return int(Keys(Entry(spec, {})).of(packed)[0])

    assert key(("no", "yes"), 1) == key(("maybe", "no", "yes"), 2) != key(("no", "yes"), 0)
    assert key((1, 2), 0, "int") == key(("0", "1"), 1)
    assert len({key(("no", "yes"), n) for n in (UNSEEN, -1, 0, 1)}) == 4


def test_a_label_is_no_column_that_is_called_like_it():
    spec = Spec((Column(LABEL, "categorical", "string"), Column("", "categorical", "string")))
    spec = Spec(spec.columns, Label("y", "string", ("p", "q")))
    entry = Entry(spec, {LABEL: ("p", "q"), "": ("p", "q")})
    rows = {CODES: np.array([[0, 0], [0, 1], [1, 0]], np.int32), LABEL: np.array([1, 0, 0], np.int32)}
    assert len(set(Keys(entry).of(rows).tolist())) == 3


def test_categories_that_were_not_seen_are_equal_but_not_missing():
    entry = Entry(Spec((Column("a", "categorical", "string"),)), {"a": ("p", "q")})
    packed = {CODES: np.array([[UNSEEN], [UNSEEN], [-1], [0], [1]], np.int32)}
    a, b, *others = Keys(entry, labelled=False).of(packed).tolist()
    assert a == b and len({a, *others}) == 4


def test_flags_of_rules_do_not_count_unless_they_are_named():
    schema = pa.DataFrameSchema({"x": pa.Column(float, pa.Check.in_range(0, 10))})
    frame = pd.DataFrame({"x": [1.0, 2.0, 999.0, 4.0] * 10, "y": ["no", "yes"] * 20})
    plain = pk.Pipeline([]).fit(frame, "y").flow.entry
    flagged = pk.Pipeline([pk.Validate(schema, on_invalid="flag")]).fit(frame, "y").flow.entry
    assert flagged.spec.names == ("x", "x is invalid")
    packed = [packed_of(entry, frame) for entry in (plain, flagged)]
    keys = Keys(plain).of(packed[0])
    np.testing.assert_array_equal(Keys(flagged).of(packed[1]), keys)
    assert set(Keys(flagged, flagged.spec.names).of(packed[1])).isdisjoint(keys)
    assert len(np.unique(Keys(flagged, ("x is invalid",), labelled=False).of(packed[1]))) == 2


def test_a_column_that_is_not_there_is_named():
    with pytest.raises(
        pk.PrepkitError, match="column 'words', by which to tell rows apart, is not there: did you mean"
    ):
        Keys(ENTRY, ("words",))


def test_there_has_to_be_something_to_tell_rows_apart_by():
    with pytest.raises(AssertionError):
        Keys(ENTRY, (), labelled=False)
    with pytest.raises(AssertionError):
        Keys(numbers_entry("float64"), labelled=True)


# -- as they are written -----------------------------------------------------------------------------


@given(st.lists(st.integers(0, 2**64 - 1)))
@example([0, 2**64 - 1, 2**63])
def test_keys_are_read_as_they_are_written(numbers):
    keys = np.array(numbers, np.uint64)
    written = shown(keys)
    assert written.dtype == object and written.tolist() == [f"{n:016x}" for n in numbers]
    read = parsed(written, "revert")
    assert read.dtype == np.uint64
    np.testing.assert_array_equal(read, keys)
    np.testing.assert_array_equal(parsed([k.upper() for k in written], "revert"), keys)


@pytest.mark.parametrize(
    "wrong", ["0f", "", "x" * 16, "0" * 17, " " + "0" * 15, "0" * 16 + "\n", "٠" * 16, 10**15, None]
)
def test_what_is_no_key_is_named(wrong):
    with pytest.raises(pk.PrepkitError) as caught:
        parsed(["0" * 16, wrong], "revert")
    start = f"revert[1]={wrong!r} is no key of a row: give 16 hexadecimal digits, such as '00000000000000ff', as they"
    assert str(caught.value).startswith(start)
