import datetime
import decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prepkit import parse
from prepkit.errors import PrepkitError
from prepkit.source.infer import infer_column, infer_label_form
from prepkit.spec import Column

N = 40  # rows, enough to judge


def infer(cells, name="x", **options) -> Column:
    """The column of all of `cells`, a list of Python objects or an array."""
    sample = pa.array(cells) if isinstance(cells, list) else cells
    return infer_column(name, sample, **{"complete": True, **options})


def repeated(*cells):
    return [cells[i % len(cells)] for i in range(N)]


def strings_of(column):
    return column.kind, column.parse, column.dtype, column.role


NUMERIC = ("numeric", "number", "string", "feature")
CATEGORICAL = ("categorical", "", "string", "feature")


# Missing cells


@pytest.mark.parametrize("marker", ["?", " ?", "NA", "N/A", "", "   ", "null", None, "NaN", "#DIV/0!", "\\N"])
@pytest.mark.parametrize("values, expected", [(["1.5", "2"], NUMERIC), (["a", "b"], CATEGORICAL)])
def test_markers_are_missing_cells(marker, values, expected):
    column = infer(repeated(*values, values[0], marker))
    assert strings_of(column) == expected
    shown = "null" if marker is None else repr(marker.strip()) if marker.strip() else "blank"
    assert column.notes[0] == f"25 % missing: {shown} 10"
    assert column.missing == parse.MISSING


def test_markers_are_counted_in_the_order_of_their_rows():
    column = infer(["a"] * 994 + ["?"] * 3 + [" ? ", "NA", None])
    assert column.notes == ("0.6 % missing: '?' 4, 'NA' 1, null 1",)


def test_other_markers_can_be_given():
    cells = repeated("-999", "1", "2", "3")
    assert infer(cells, missing=["-999"]).notes[0] == "25 % missing: '-999' 10"
    assert infer(cells, missing=["-999"]).missing == ("-999",)
    assert infer(cells).notes == ("numbers stored as strings",)
    assert infer(repeated("NA", "DE", "FR"), missing=[]).notes == ()


def test_a_share_of_nearly_all_is_not_rounded_to_all():
    assert infer(["?"] * 999 + ["a"]).notes == ("over 99 % missing: '?' 999",)


@pytest.mark.parametrize("empty", [["", "?", None], [None, None], np.array([np.nan, np.nan])])
def test_no_value_at_all(empty):
    column = infer(empty)
    assert (column.role, column.notes) == ("empty", ("no value at all",))
    column = infer(empty, complete=False)
    assert (column.role, column.notes) == ("feature", ("no value at all in the rows looked at",))


def test_kinds_of_empty_columns():
    assert (infer(pa.nulls(3)).kind, infer(pa.nulls(3)).role) == ("numeric", "empty")
    assert (infer(pa.nulls(3, pa.int32())).kind, infer(pa.nulls(3, pa.int32())).role) == ("numeric", "empty")
    assert (infer(["?", ""]).kind, infer(["?", ""]).role) == ("categorical", "empty")
    assert infer(pa.nulls(3, pa.dictionary(pa.int8(), pa.string()))).role == "empty"
    assert infer(np.full((3, 2), np.nan)).role == "empty"
    assert infer(pa.nulls(0, pa.string())).role == "empty"


# Numbers


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64", "uint64", "float16", "float32", "float64", "bool", ">i4"])
def test_numbers_keep_their_type(dtype):
    values = np.array([0, 1, 1, 0], dtype)
    expected = Column("x", "boolean" if dtype == "bool" else "numeric", "int32" if dtype == ">i4" else dtype)
    assert infer(values) == expected
    if dtype != ">i4":
        assert infer(pa.array(values)) == infer(pa.chunked_array([values[:1], values[1:]])) == expected


def test_missing_numbers_are_noted_however_they_come():
    expected = Column("x", "numeric", "float64", notes=("25 % missing",))
    assert infer(np.array([1.5, np.nan, 2, 2])) == expected
    assert infer(pa.array([1.5, np.nan, 2, 2])) == infer([1.5, None, 2.0, 2.0]) == expected
    assert infer(pa.array([1.5, np.nan, None, 2])).notes == ("50 % missing",)
    assert infer([1, None, 2, 2]) == Column("x", "numeric", "int64", notes=("25 % missing",))
    assert infer(np.array([1.5, np.inf, -np.inf, 2])).notes == ("2 infinite",)


def test_decimals_are_numbers():
    cells = [decimal.Decimal("1.5"), decimal.Decimal("2.25"), None, None]
    assert infer(cells) == Column("x", "numeric", "float64", notes=("50 % missing",))


def test_a_few_cells_that_are_not_numbers_become_missing():
    cells = [f"{i / 7:.3f}" for i in range(96)] + ["n.a.", "n.a.", "12 mm", "x" * 99]
    column = infer(cells)
    assert strings_of(column) == NUMERIC
    examples = f"'n.a.', '12 mm', '{'x' * 50}...'"
    bad = f"cells that are not numbers become missing: 4, such as {examples}"
    assert column.notes == ("numbers stored as strings", bad)
    assert infer([*cells[:-6], *cells[-4:], "y", "y"]).kind == "categorical"  # 94 of 100


def test_it_is_rows_that_are_counted_and_missing_ones_are_not():
    assert infer(["1"] * 95 + list("abcde")).kind == "numeric"
    assert infer(["1"] * 95 + list("abcdef")).kind == "categorical"
    assert infer(["1"] * 19 + ["?"] * 900 + ["a"]).kind == "numeric"


@pytest.mark.parametrize(
    "cells, how",
    [
        (["1,5", "2", "-0,25"], "number,"),
        (["1.234,5", "7"], "number,"),
        (["0,125", "1,250"], "number,"),
        (["1.5", "2", "-.25"], "number"),
        (["1,234.5", "7"], "number"),
        (["1,234,567", "7"], "number"),
        (["1", "2"], "number"),
        (["12,34,56", "1,5"], ""),
    ],
)
def test_decimal_commas(cells, how):
    column = infer(repeated(*cells))
    assert column.parse == how
    if how:
        values = parse.parse(cells, how).numpy()
        assert np.isfinite(values).all()
        suffix = ", with decimal commas" if how == "number," else ""
        assert column.notes == ("numbers stored as strings" + suffix,)


def test_commas_that_can_be_read_in_two_ways_are_left_alone():
    column = infer(repeated("1,234", "12,500", "7"))
    assert strings_of(column) == CATEGORICAL
    assert "may be numbers, but '1,234', '12,500' can be read in two ways" in column.notes[0]


def test_leading_zeros_are_noted():
    column = infer(repeated("01234", "98765", "0", "0.5"))
    assert strings_of(column) == NUMERIC
    assert column.notes[1] == "leading zeros are lost, as of '01234': if codes, declare them categorical"


# Booleans


@pytest.mark.parametrize(
    "yes, no", [("yes", "no"), ("Y", "N"), ("t", "f"), ("TRUE", "FALSE"), ("True", "false"), (" on", "off ")]
)
def test_the_two_words_of_a_pair_are_a_boolean(yes, no):
    column = infer(repeated(yes, no, "?", yes))
    assert strings_of(column) == ("boolean", "boolean", "string", "feature")
    assert column.notes[1] == f"{yes.strip().lower()!r} is read as 1, {no.strip().lower()!r} as 0"


@pytest.mark.parametrize("cells", [["yes", "true", "no"], ["yes", "f"], ["yes", "no", "maybe"], ["M", "F"], ["t"]])
def test_other_words_are_no_boolean(cells):
    assert infer(repeated(*cells)).kind == "categorical"


@pytest.mark.parametrize("cells", [["0", "1"], ["1", "0", "?"]])
def test_zero_and_one_are_numbers(cells):
    assert strings_of(infer(repeated(*cells))) == NUMERIC


# Dates


@pytest.mark.parametrize("format", [f for f in parse.DATETIME_FORMATS if not f.startswith(("m", "d/m", "d-m"))])
def test_every_format_of_dates_is_found(format):
    strptime = "".join("%" + c if c.isalpha() else c for c in format)
    days = pd.date_range("2001-01-03 13:14:00", periods=N, freq="11D17h")
    column = infer([*days.strftime(strptime), "?", "soon"])
    if format == "Ymd":  # a number but for "soon"
        column = infer([*days.strftime(strptime), "?"])
    assert strings_of(column) == ("datetime", format, "string", "feature")


@pytest.mark.parametrize("format", ["d/m/Y", "d-m-Y", "d/m/y", "d/m/Y H:M", "d-m-y"])
def test_a_day_above_12_settles_which_is_the_month(format):
    strptime = "".join("%" + c if c.isalpha() else c for c in format)
    month_first = format.replace("m", "*").replace("d", "m").replace("*", "d")
    late, early = (
        pd.to_datetime(["2020-01-02", "2021-03-04", "2020-11-25"]),
        pd.to_datetime(["2020-05-06", "2020-05-07"]),
    )
    if format == "d-m-y":
        assert infer(list(late.strftime(strptime))).kind == "categorical"
        return
    assert infer(list(late.strftime(strptime))).parse == format
    column = infer(list(early.strftime(strptime)))
    assert column.parse == month_first
    assert column.notes[1:] == (f"no day is above 12, so {format!r} would do as well",)
    american = infer(list(late.strftime(strptime.replace("m", "*").replace("d", "m").replace("*", "d"))))
    assert (american.parse, len(american.notes)) == (month_first, 1)


def test_dates_that_do_not_exist_become_missing():
    column = infer([f"2023-01-{d:02}" for d in range(1, 29)] + ["2023-02-30"])
    assert column.notes == (
        "dates stored as strings, as 'Y-m-d'",
        "cells that are not such dates become missing: 1, such as '2023-02-30'",
    )


@pytest.mark.parametrize("cells", [["192.168.10.1", "10.0.0.255"], ["1.2.3", "1.10.2"], ["2023-13-45", "2023-14-40"]])
def test_what_only_looks_like_dates_is_not(cells):
    assert infer(repeated(*cells)).kind == "categorical"


def test_dates_by_type():
    days = [datetime.date(2020, 1, 1), None, datetime.date(2021, 1, 1), None]
    expected = Column("x", "datetime", "datetime", notes=("50 % missing",))
    assert infer(days) == infer(pa.array(days).cast(pa.timestamp("us", "UTC"))) == expected
    assert infer(pa.array(days, pa.date64())) == infer(np.array(days, "datetime64[s]")) == expected
    assert infer(np.array([pd.Timestamp("2020"), pd.NaT, pd.Timestamp("2021"), None], object)) == expected
    assert infer(days[:1] * 3).role == "constant"


# Categories and text


def test_spaces_around_categories():
    column = infer(repeated("a", " a", "b", "b\xa0", "c"))
    assert column.notes == ("categories that differ only in spaces are merged: 2",)
    assert infer(repeated(" a", " b")).notes == ("spaces around values are taken off",)
    assert infer(repeated("a", "b")).notes == ()


@pytest.mark.parametrize(
    "cells, kind",
    [
        ([f"the cat number {i} sat on the mat" for i in range(N)], "text"),
        ([f"Dr. No{i % 30}, Julius" for i in range(N)], "text"),
        ([f"第{i}回の会議は来週の月曜日に東京で開かれる予定です" for i in range(N)], "text"),
        ([f"{'a long review ' * 9}{i // 4}" for i in range(N)], "text"),
        (repeated("Not at all", "A lot of it", "Some"), "categorical"),
        (repeated("a long answer of a questionnaire, " * 4, "another " * 40), "categorical"),
        ([f"code{i % 30}" for i in range(N)], "categorical"),
        ([f"https://example.org/page/{i % 30}" for i in range(N)], "categorical"),
        (["New York", "Los Angeles", "San Francisco", "Fargo"], "categorical"),
        (["it was a dark and stormy night", "the rain fell in torrents, except"], "text"),
    ],
)
def test_text_is_words_that_mostly_differ(cells, kind):
    column = infer(cells)
    assert (column.kind, column.parse, column.role) == (kind, "", "feature")


def test_many_categories_are_noted():
    assert infer([f"code{i % 30}" for i in range(N)]).notes == ("30 categories among 40 values",)


def test_unicode_and_very_long_categories():
    column = infer(repeated("Größe ≥ 3 µm", "žluťoučký", "日本", "🦆", "x" * 100_000))
    assert column == Column("x", "categorical", "string", missing=parse.MISSING)


def test_strings_of_any_arrow_type():
    cells = repeated(" a", "b", None)
    expected = infer(cells)
    for kind in (pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary(), pa.binary_view()):
        assert infer(pa.array(cells).cast(pa.large_string()).cast(kind)) == expected
    assert infer(pa.chunked_array([cells[:7], cells[7:]])) == expected
    assert infer(np.array(cells, object)) == expected
    fixed = infer(np.array(["a", "b"] * 9))
    assert infer(np.array([b"a", b"b"] * 9)) == fixed == infer(np.array(["a", "b"] * 9, np.dtypes.StringDType()))


def test_bytes_that_are_not_utf8_are_categories():
    assert infer(pa.array([b"caf\xe9", b"tea", None] * 9)).notes == ("33 % missing: null 9",)


def test_a_dictionary_declares_categories():
    cells = repeated("10", "20", "?", " 10")
    for sample in (
        pa.array(cells).dictionary_encode(),
        pa.chunked_array([cells[:9], cells[9:]]).dictionary_encode(),
    ):
        column = infer(sample)
        assert strings_of(column) == CATEGORICAL
        assert column.notes == ("25 % missing: '?' 10", "categories that differ only in spaces are merged: 1")
    assert infer(pa.array(repeated("yes", "no")).dictionary_encode()).parse == "boolean"
    assert infer(pa.array(repeated(True, False)).dictionary_encode()) == Column("x", "boolean", "bool")
    numbers = infer(pa.array(repeated(1, 2, 3, None)).dictionary_encode())
    assert numbers == Column("x", "categorical", "int64", notes=("numbers declared to be categories", "25 % missing"))
    unused = pa.DictionaryArray.from_arrays(pa.array([0, 0, 0]), pa.array(["a", "b"]))
    assert infer(unused).role == "constant"
    assert infer(pa.array(repeated(datetime.date(2020, 1, 1), None)).dictionary_encode()).kind == "datetime"


# Constants


@pytest.mark.parametrize(
    "cells",
    [["a"] * 9, [" a", "a"], ["5"] * 9, [5] * 9, [5.5] * 9, [True] * 9, np.ones((9, 2)), ["2020-01-01"] * 3],
)
def test_constant(cells):
    assert infer(cells).role == "constant"
    assert infer(cells).notes[-1] == "constant"
    partial = infer(cells, complete=False)
    assert (partial.role, partial.notes[-1]) == ("feature", "constant in the rows looked at")


@pytest.mark.parametrize("cells", [["a", "?"], [5, None], [5.5, np.nan], [True, None], [1.0, 2.0, 1.0], ["a"], [7]])
def test_not_constant(cells):
    assert infer(cells).role == "feature"


# Identifiers

RANDOM = np.random.default_rng(0)
SHUFFLED = RANDOM.permutation(1000)
WEIGHTS = RANDOM.choice(10**6, 1000, replace=False)


@pytest.mark.parametrize(
    "name, values",
    [
        ("x", np.arange(1000)),
        ("x", np.arange(1000)[RANDOM.random(1000) < 0.2]),  # rows were taken out
        ("x", SHUFFLED + 5),
        ("x", np.r_[SHUFFLED, 3, 4]),  # duplicated rows
        ("x", SHUFFLED.astype(np.uint64) + np.uint64(2**63)),
        *((name, WEIGHTS) for name in ("id", "ID", "user_id", "customerID", "PassengerId", "uuid", "row key", "Id")),
        *((name, WEIGHTS) for name in ("index", "Unnamed: 0", "id_number")),
        ("x", np.array([f"{i:04x}-{i}" for i in range(N)])),
        ("x", np.array([f"{i}" for i in SHUFFLED])),
        ("x", np.array([*map(str, SHUFFLED), "?"])),
        ("user_id", np.array([f" {i}" for i in WEIGHTS])),
        ("x", np.array([f"https://example.org/a/long/way/{i}" for i in range(N)])),
    ],
)
def test_identifiers(name, values):
    for complete in (True, False):
        column = infer(values, name, complete=complete)
        assert column.role == "identifier"
        assert column.notes[-1].startswith("looks like an identifier: ")
    if name != "x":
        assert infer(values, "weight").role == "feature"


@pytest.mark.parametrize(
    "name, values",
    [
        ("id", np.arange(19)),  # too few rows
        ("x", np.array([f"{i:04x}" for i in range(19)])),
        ("price", WEIGHTS),
        ("paid", WEIGHTS),
        ("valid", WEIGHTS),
        ("humid", WEIGHTS),
        ("monkey", WEIGHTS),
        ("heat index", WEIGHTS),
        ("price", np.sort(WEIGHTS)),  # increases, though by large steps
        ("price", np.array([f"{i}" for i in WEIGHTS])),
        ("user_id", np.repeat(np.arange(500), 2)),
        ("id", np.arange(1000) + 0.0),
        ("id", np.array([f"{i}.5" for i in range(1000)])),
        ("x", np.array([f"{i}" for i in range(25)] * 2)),
        ("x", np.array([f"a{i % 980}" for i in range(1000)])),  # 98 % different
        ("id", WEIGHTS[np.arange(1000) % 980]),
        ("day", RANDOM.integers(0, 31, 1000)),
        ("x", pd.date_range("2020", periods=N).to_numpy()),
        ("x", pd.date_range("2020", periods=N).strftime("%Y-%m-%d").to_numpy(object)),
    ],
)
def test_no_identifiers(name, values):
    assert infer(values, name).role == "feature"


def test_identifiers_too_long_for_64_bits_are_numbers():
    assert strings_of(infer([f"{10**25 + i}" for i in range(N)])) == NUMERIC


# Tensors and errors


def test_arrays_of_more_axes_are_tensors():
    images = np.arange(2 * 4 * 4, dtype=np.uint8).reshape(2, 4, 4)
    assert infer(images, "image") == Column("image", "tensor", "uint8", (4, 4))
    signal = np.array([[[1, np.nan]], [[2, 3]]], np.float32)
    assert infer(signal) == Column("x", "tensor", "float32", (1, 2), notes=("25 % missing",))
    assert infer(np.arange(3.0)[:, None]).shape == (1,)


@pytest.mark.parametrize(
    "cells, types",
    [
        ([1, "a"], "int, str"),
        (["a", 1.5, np.nan, None], "float, str"),
        ([True, 1], "bool, int"),
        ([pd.Timestamp("2020"), "x"], "Timestamp, str"),
        ([1j], "complex"),
        ([2**70, 1], "int"),
    ],
)
def test_mixed_objects_are_refused(cells, types):
    sample = np.empty(len(cells), object)
    sample[:] = cells
    with pytest.raises(PrepkitError, match=f"column 'mix' holds Python objects of types {types}, of which no"):
        infer(sample, "mix")


@pytest.mark.parametrize(
    "sample, message",
    [
        (pa.array([[1, 2], [3]]), "column 'x' is of type list<.*give numbers, strings, booleans or dates"),
        (pa.array([datetime.timedelta(1)]), "column 'x' is of type duration.*number of seconds"),
        (np.array([1j]), "column 'x' holds values of type complex128"),
        (np.array([["a", "b"]]), r"column 'x' is an array of <U1 of shape \(1, 2\)"),
        (np.array(1.0), r"column 'x' is an array of float64 of shape \(\)"),
    ],
)
def test_types_that_are_no_columns_are_refused(sample, message):
    with pytest.raises(PrepkitError, match=message):
        infer(sample)


# In general

CELLS = st.sampled_from(
    [
        "",
        " ?",
        "NA",
        None,
        "1",
        "-2.5",
        "3,5",
        "1,234",
        "yes",
        "No",
        "t",
        "2020-02-30",
        "1/2/2020",
        "13/2/2020",
        "a b",
        " a",
    ]
)


@settings(deadline=None, derandomize=True)
@given(st.lists(CELLS, max_size=30), st.booleans(), st.randoms())
def test_what_is_decided_can_be_done_in_any_order_of_rows_and_changes_nothing(cells, complete, random):
    sample = pa.array(cells, pa.string())
    column = infer_column("x", sample, complete=complete)
    assert sample.to_pylist() == cells
    shuffled = random.sample(cells, len(cells))
    again = infer_column("x", pa.array(shuffled, pa.string()), complete=complete)
    assert (again.kind, again.parse, again.role) == (column.kind, column.parse, column.role)
    present = [c for c in cells if c is not None and c.strip() not in parse.MISSING]
    assert (column.role == "empty") == (complete and not present)
    if column.parse:
        values = parse.parse(present, column.parse, column.missing).numpy()
        assert np.isfinite(values).mean() >= 0.95


# Labels


@pytest.mark.parametrize(
    "labels, form",
    [
        ([0, 1, 2], "int"),
        ([0, None, 2], "int"),
        ([0.0, 1.0, np.nan], "int"),
        ([True, False, None], "bool"),
        (["0", "1", " 1 ", "?"], "int"),
        (["0.0", "1.0", "-1"], "int"),
        (["a", "1", None], "string"),
        (["007", "7"], "string"),
        (["yes", "no"], "string"),
        (["True", "False"], "string"),
        (["<=50K.", ">50K."], "string"),
        (["1e3", "1000"], "string"),
        ([f"{10**20}", f"{10**20 + 1}"], "string"),
        ([decimal.Decimal(1), decimal.Decimal(2)], "int"),
    ],
)
def test_forms_of_labels(labels, form):
    array = pa.array(labels)
    assert infer_label_form(array, "y") == infer_label_form(pa.chunked_array([array]), "y") == form
    assert infer_label_form(array.dictionary_encode(), "y") == form
    if None not in labels and not isinstance(labels[0], decimal.Decimal):
        assert infer_label_form(np.array(labels), "y") == form
        assert infer_label_form(np.array(labels)[:, None], "y") == form
        assert infer_label_form(np.array(labels, object), "y") == form


def test_one_hot_labels():
    assert infer_label_form(np.eye(3)[[0, 2, 1, 1]], "y") == "one_hot"
    assert infer_label_form(np.eye(2, dtype=bool), "y") == "one_hot"
    assert infer_label_form(np.array([[1, 0], [np.nan, np.nan]]), "y") == "one_hot"
    assert infer_label_form(np.array([[1], [0]], ">i4"), "y") == "int"


@pytest.mark.parametrize(
    "labels, message",
    [
        (
            np.array([0.5, 1, 2]),
            "label 'y' looks continuous, as 0.5 among 3 values: prepkit is for classification, bin",
        ),
        (np.array([0.5, 1, 2])[:, None], "looks continuous"),
        (np.array([1.0, np.inf, np.nan]), "label 'y' holds infinite numbers"),
        (pa.array(["0.5", "1"]), "label 'y' looks continuous, as 0.5"),
        (
            np.array([[0, 1, 0], [1, 1, 0]]),
            r"rows such as \[1, 1, 0\], not of one class: train one model for each",
        ),
        (np.array([[0, 1], [0, 0]]), r"rows such as \[0, 0\]"),
        (
            np.array([[0.3, 0.7], [0, 1]]),
            "holds other numbers than 0 and 1: give one class a row, as by argmax",
        ),
        (np.array([[["a"]]]), r"label 'y' of shape \(1, 1, 1\) and type <U1: give one class a row"),
        (np.zeros((2, 2, 2)), r"label 'y' of shape \(2, 2, 2\)"),
        (np.full((2, 2), np.nan), "label 'y' of shape .* has no value at all"),
        (pa.array(["", "?"]), "label 'y' has no value at all: give the class of some rows"),
        (pa.nulls(2), "label 'y' has no value at all"),
        (np.array([np.nan]), "label 'y' has no value at all"),
        (
            pa.array([datetime.date(2020, 1, 1)]),
            "label 'y' is of type date32.*: give integers, strings or booleans",
        ),
        (np.array([1, "a"], object), "column 'y' holds Python objects of types int, str"),
    ],
)
def test_labels_that_are_no_classes(labels, message):
    with pytest.raises(PrepkitError, match=message):
        infer_label_form(labels, "y")
