import datetime
import re

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st

from prepkit import parse
from prepkit.errors import PrepkitError

settings.register_profile("prepkit.parse", deadline=None, derandomize=True)
PROFILE = settings.get_profile("prepkit.parse")

BLANKS = st.text(st.sampled_from(parse.SPACES), max_size=2)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


def texts(alphabet: str) -> st.SearchStrategy[str]:
    return st.text(st.sampled_from(alphabet), max_size=8)


def test_every_white_space_of_unicode_is_one_here():
    white = {c for c in map(chr, range(0x110000)) if c.isspace()}
    assert set(parse.SPACES) == white | {"\ufeff", "\u200b"}


@PROFILE
@given(st.lists(ANY_TEXT | texts("a b" + parse.SPACES), min_size=1, max_size=20))
def test_strip_is_that_of_python(cells):
    expected = [cell.strip(parse.SPACES).encode() for cell in cells]
    assert parse.strip(cells).numpy().tolist() == expected


def test_strip_keeps_bytes_that_are_not_utf8():
    assert parse.strip([b" \xff\xa0 ", b"\xa0"]).numpy().tolist() == [b"\xff\xa0", b"\xa0"]


def test_missing_holds_what_pandas_takes_for_missing(tmp_path):
    cells = pd.Series(["a", "?", "-", ".", "none", "unknown", "-999", *parse.MISSING], name="x")
    cells.to_csv(tmp_path / "x.csv")
    pandas = pd.read_csv(tmp_path / "x.csv")["x"].isna()
    ours = parse.is_missing(cells.to_list()).numpy()
    assert ours[pandas].all()
    assert set(cells[ours & ~pandas]) == {
        *("?", "na", "NAN", "Null", "NaT", "<null>", "\\N"),
        *("#DIV/0!", "#VALUE!", "#REF!", "#NUM!", "#NAME?", "#NULL!"),
    }


@PROFILE
@given(BLANKS, st.sampled_from(parse.MISSING) | ANY_TEXT | texts("?NA /"), BLANKS)
@example(" ", "?", "")
@example("", "x NA", "")
@example("", "NA x", "")
def test_missing_cells_are_the_empty_category(before, cell, after):
    text = before + cell + after
    inner = text.strip(parse.SPACES)
    assert parse.is_missing(text).numpy() == (inner in parse.MISSING)
    assert parse.category(text).numpy().decode() == ("" if inner in parse.MISSING else inner)


@pytest.mark.parametrize("marker", ["-999", "a|b", "(", "\\d", "x y", " . ", "é"])
def test_markers_are_taken_literally(marker):
    cells = [marker, f"  {marker} ", "", "7", "a", "NA"]
    expected = [True, True, True, False, False, False]
    assert parse.is_missing(cells, [marker]).numpy().tolist() == expected
    kept = [b"" if gone else cell.encode() for cell, gone in zip(cells, expected, strict=True)]
    assert parse.category(cells, [marker]).numpy().tolist() == kept


def python_number(cell: str) -> float:
    """What `float` makes of it, where that is finite and written in ASCII without underscores."""
    cell = cell.strip(parse.SPACES)
    try:
        value = float(cell) if cell.isascii() and "_" not in cell else np.nan
    except ValueError:
        return np.nan
    return value if np.isfinite(value) else np.nan


NUMBERS = (
    texts("0123456789+-.eE ")
    | st.floats().map(repr)
    | st.floats(-1e6, 1e6).map("{:.3f}".format)
    | st.integers().map(str)
    | st.tuples(BLANKS, st.floats().map("{:+E}".format), BLANKS).map("".join)
    | ANY_TEXT.filter(lambda t: "," not in t)
)


@PROFILE
@given(st.lists(NUMBERS, min_size=1, max_size=20))
@example(["5.", ".5", ".", "+.5e3", "1e5", "1e", "e5", "--1", "1 2", "1e999", "-1e-999", "9" * 400])
@example(["0x1A", "1_000", "١٢", "inf", "-Infinity", "nan", "NaN", "12%", "$5", "TRUE", "007", "-0"])
@example(["\xa05\xa0", "\t-1.5\n", "?", "", "5\x00"])
def test_numbers_are_those_of_python(cells):
    ours = parse.number(cells).numpy()
    np.testing.assert_array_equal(ours, [python_number(cell) for cell in cells])
    with_commas = [cell.replace(".", ",") for cell in cells]
    np.testing.assert_array_equal(parse.number(with_commas, decimal=",").numpy(), ours)


@PROFILE
@given(st.integers(-(10**12), 10**12) | st.integers(-9999, 9999))
def test_separators_of_thousands_are_read_where_they_cannot_be_decimal(n):
    whole = n if abs(n) < 1000 or abs(n) >= 10**6 else np.nan
    np.testing.assert_equal(parse.number(f"{n:,}").numpy(), float(whole))
    np.testing.assert_equal(parse.number(f"{n:,}".replace(",", "."), ",").numpy(), float(whole))
    cents = f"{n:,}.25"
    np.testing.assert_equal(parse.number(cents).numpy(), float(cents.replace(",", "")))
    swapped = cents.translate(str.maketrans(".,", ",."))
    np.testing.assert_equal(parse.number(swapped, ",").numpy(), float(cents.replace(",", "")))


@pytest.mark.parametrize("cell", ["1,234", "0,123,456", "1,23,456", "12,34.5", "1234,567.8", "1,234,", ",234", "1,,2"])
def test_commas_in_other_places_are_refused(cell):
    assert np.isnan(parse.number(cell).numpy())


@pytest.mark.parametrize("read", [parse.number, parse.boolean, lambda t: parse.seconds(t, "Y-m-d")])
def test_bytes_that_are_not_utf8_are_no_value(read):
    assert np.isnan(read([b"1\xff", b"\xff\xfe"]).numpy()).all()


@PROFILE
@given(
    st.sampled_from(parse.TRUE + parse.FALSE) | texts("yesno01tf") | ANY_TEXT,
    BLANKS,
    st.sampled_from([str, str.upper, str.title]),
)
def test_booleans_follow_their_table(word, blank, change):
    table = {
        "yes": 1,
        "y": 1,
        "true": 1,
        "t": 1,
        "on": 1,
        "1": 1,
        "no": 0,
        "n": 0,
        "false": 0,
        "f": 0,
        "off": 0,
        "0": 0,
    }
    cell = change(word)
    ours = parse.boolean(blank + cell + blank)
    assert ours.dtype == tf.float32
    known = cell.strip(parse.SPACES)
    np.testing.assert_equal(float(ours), table.get(known.lower(), np.nan) if known.isascii() else np.nan)


STRPTIME = {c: f"%{c}" for c in "YymdbHIMSp"}
NAMES = [
    "Jan",
    "feb",
    "MAR",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "dec",
    "Foo",
    "Sept",
    "1",
]
PARTS = {
    "Y": st.one_of(st.integers(2, 9998), st.integers(1890, 2110), st.sampled_from([1900, 2000])),
    **{
        "y": st.integers(0, 99),
        "m": st.integers(0, 13) | st.just(2),
        "d": st.integers(0, 32) | st.integers(28, 31),
    },
    **{"H": st.integers(0, 25), "I": st.integers(0, 13), "M": st.integers(0, 60), "S": st.integers(0, 60)},
    **{"b": st.sampled_from(NAMES), "p": st.sampled_from(["AM", "PM", "am", "Pm"])},
}
OFFSETS = st.one_of(
    st.sampled_from(["", "Z", "+05", "-24", "-00:30"]),
    st.builds(
        "{}{:02}{}{:02}".format,
        st.sampled_from("+-"),
        st.integers(0, 25),
        st.sampled_from(["", ":"]),
        st.integers(0, 61),
    ),
)


@st.composite
def moments(draw, format):
    """A cell that has the form of `format`, though maybe not its values; and it as pandas wants it."""
    widths = {"Y": 4, "y": 2} | dict.fromkeys("mdHIMS", 2 if "Ymd" in format else draw(st.sampled_from([1, 2])))
    values = {c: draw(PARTS[c]) for c in format if c in PARTS}
    text = "".join(f"{v:0{widths[c]}}" if isinstance(v := values.get(c, c), int) else v for c in format)
    theirs = "".join(STRPTIME.get(c, c) for c in format)
    if "H:M:S" in format and (decimals := draw(texts("0123456789"))[:6]):
        text, theirs = f"{text}.{decimals}", theirs + ".%f"
    if "H" in format and (offset := draw(OFFSETS)):
        minutes = "00" if len(offset) == 3 else ""  # pandas reads "+05" in some formats only
        return text + offset, pd.to_datetime(text + offset + minutes, format=theirs + "%z", errors="coerce")
    return text, pd.to_datetime(text, format=theirs, errors="coerce", utc=True)


@pytest.mark.parametrize("format", parse.DATETIME_FORMATS)
def test_seconds_are_those_of_pandas(format):
    @settings(PROFILE, max_examples=15)
    @given(st.lists(moments(format), min_size=4, max_size=4), BLANKS)
    def check(cells, blank):
        ours = parse.seconds([blank + text + blank for text, _ in cells], format)
        expected = [np.nan if moment is pd.NaT else moment.timestamp() for _, moment in cells]
        assert ours.dtype == tf.float64
        np.testing.assert_allclose(ours.numpy(), expected, rtol=0, atol=1e-4)

    check()


@pytest.mark.parametrize(
    "format, first, last",
    [
        ("Y-m-d", "1890-01-01", "2250-12-31"),
        ("d/m/y", "1969-01-01", "2068-12-31"),
        ("d b Y", "1960-01-01", "1970-12-31"),
    ],
)
def test_every_day_of_a_period_is_that_of_pandas(format, first, last):
    days = pd.date_range(first, last)
    cells = days.strftime("".join(STRPTIME.get(c, c) for c in format)).to_list()
    expected = (days - pd.Timestamp(0)) // pd.Timedelta(seconds=1)
    np.testing.assert_array_equal(parse.seconds(cells, format).numpy(), expected)


@pytest.mark.parametrize(
    "cell, format, expected",
    [
        ("2023-02-29", "Y-m-d", None),
        ("2024-02-29", "Y-m-d", "2024-02-29"),
        ("1900-02-29", "Y-m-d", None),
        ("2000-02-29", "Y-m-d", "2000-02-29"),
        ("0000-00-00", "Y-m-d", None),
        ("2023-01-05T07:08:09Z", "Y-m-d H:M:S", "2023-01-05 07:08:09"),
        ("2023-01-05 07:08:09.5-00:30", "Y-m-d H:M:S", "2023-01-05 07:38:09.5"),
        ("2023-01-05", "Y-m-d H:M:S", None),
        ("2023-01-05 07:08", "Y-m-d", None),
        ("Sept 5, 2023", "b d, Y", None),
        ("September 5, 2023", "b d, Y", "2023-09-05"),
        ("septem 5, 2023", "b d, Y", None),
        ("5-MAY-23", "d-b-y", "2023-05-05"),
        ("12/31/2023 12:05 AM", "m/d/Y I:M p", "2023-12-31 00:05"),
        ("12/31/2023 12:05pm", "m/d/Y I:M p", "2023-12-31 12:05"),
        ("?", "Y-m-d", None),
        ("", "Y-m-d", None),
        (",,,", "Y-m-d", None),
        ("2023-01-05\n2023-01-06", "Y-m-d", None),
    ],
)
def test_one_date(cell, format, expected):
    want = np.nan if expected is None else pd.Timestamp(expected).timestamp()
    np.testing.assert_equal(float(parse.seconds(cell, format)), want)


@PROFILE
@given(
    st.lists(ANY_TEXT | texts("0123456789-:/ ,"), min_size=1, max_size=9),
    st.sampled_from(parse.DATETIME_FORMATS),
)
def test_whatever_the_cell_no_date_raises_and_the_pattern_is_needed(cells, format):
    ours = parse.seconds(cells, format).numpy()
    whole = re.compile(parse.pattern(format), re.ASCII)
    assert all(whole.fullmatch(c.strip(parse.SPACES)) for c, s in zip(cells, ours, strict=True) if np.isfinite(s))


HOWS = ("", "number", "number,", "boolean", "Y-m-d", "m/d/Y I:M:S p", "d-b-Y H:M:S")
CELLS = [
    *(" ?", "x", "1.5", "-2,5", "1,234,567", "Yes", "f", "2024-02-29", "12/31/2023 01:02:03 PM", ""),
    *("24-Dec-1999 23:59:59.25+01:00", "2023-02-30", "１", "a\xa0", "-999"),
]


class Reader(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def __call__(self, cells):
        return {how or "text": parse.parse(cells, how, [*parse.MISSING, "-999"]) for how in HOWS}


def test_eager_graph_and_saved_module_agree(tmp_path):
    reader = Reader()
    tf.saved_model.save(reader, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    eager = {how or "text": parse.parse(CELLS, how, [*parse.MISSING, "-999"]) for how in HOWS}
    for how, expected in eager.items():
        found = int(tf.math.count_nonzero(expected != "" if how == "text" else tf.math.is_finite(expected)))
        assert 0 < found < len(CELLS), how
        for other in (reader(tf.constant(CELLS)), loaded(tf.constant(CELLS))):
            assert other[how].dtype == expected.dtype
            np.testing.assert_array_equal(other[how].numpy(), expected.numpy())


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("shape", [(), (0,), (15,), (3, 5), (5, 1, 3)])
def test_any_shape(how, shape):
    cells = np.array(CELLS[: int(np.prod(shape))], object).reshape(shape)
    together = parse.parse(tf.constant(cells, tf.string), how)
    assert together.shape == shape
    alone = [parse.parse(cell, how).numpy() for cell in cells.ravel()]
    np.testing.assert_array_equal(tf.reshape(together, [-1]).numpy(), np.array(alone))


@pytest.mark.parametrize(
    "how, marker, other",
    [
        ("number", "-999", "-998"),
        ("number,", "0,0", "0"),
        ("boolean", "n", "no"),
        ("Y-m-d", "1900-01-01", "1900-01-02"),
    ],
)
def test_a_marker_is_missing_even_where_it_can_be_read(how, marker, other):
    cells = [f" {marker} ", other]
    assert np.isfinite(parse.parse(cells, how).numpy()).all()
    assert np.isfinite(parse.parse(cells, how, ["?", marker]).numpy()).tolist() == [False, True]


def test_now_is_exact_to_a_microsecond():
    now = datetime.datetime(2026, 7, 31, 12, 34, 56, 789012, tzinfo=datetime.UTC)
    assert float(parse.seconds(now.isoformat(), "Y-m-d H:M:S")) == pytest.approx(now.timestamp(), abs=1e-6)


def test_errors_name_the_choices():
    with pytest.raises(PrepkitError, match=r"parse='date': give '' or one of 'number', 'number,', 'boolean', 'Y-m-d'"):
        parse.parse("x", "date")
    with pytest.raises(PrepkitError, match=r"format='number': give one of 'Y-m-d', 'Y-m-d H:M'"):
        parse.seconds("x", "number")
    with pytest.raises(PrepkitError, match=r"decimal='': give '\.' or ','\."):
        parse.number("x", "")
