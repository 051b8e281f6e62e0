"""What raw strings mean: strings to numbers, yes or no, seconds and categories, in the graph."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from prepkit.errors import PrepkitError

# What `str.strip` takes off, and two that the web leaves in cells: zero-width space, byte order mark.
SPACES = (
    "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008"
    "\u2009\u200a\u2028\u2029\u202f\u205f\u3000\ufeff\u200b"
)

# Cells that mean "no value". Left out, as they are values as often as not: "-" ("+" and "-" are classes
# of several UCI sets), "." "none" "unknown" "missing", and numbers such as -999.
MISSING: tuple[str, ...] = (
    *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>"),
    *("N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),  # so far the `na_values` of pandas
    *("?", "na"),  # the UCI repository; its Scania trucks
    *("NAN", "Null", "NaT", "<null>"),  # other spellings of languages; pandas' NaT; Arrow and polars
    "\\N",  # MySQL, PostgreSQL, Hive
    *("#DIV/0!", "#VALUE!", "#REF!", "#NUM!", "#NAME?", "#NULL!"),  # Excel
)

_S = f"[{SPACES}]*"
_EXPONENT = r"(?:[eE][+-]?\d+)?"


def _number_pattern(point: str, comma: str) -> str:
    """Commas only where they cannot be points: two of them or more, or one before a point."""
    plain = rf"\d+(?:{point}\d*)?|{point}\d+"
    grouped = rf"[1-9]\d{{0,2}}(?:(?:{comma}\d{{3}}){{2,}}(?:{point}\d*)?|{comma}\d{{3}}{point}\d+)"
    return rf"[+-]?(?:{plain}|{grouped}){_EXPONENT}"


_NUMBERS = {"number": _number_pattern(r"\.", ","), "number,": _number_pattern(",", r"\.")}

TRUE = ("yes", "y", "true", "t", "on", "1")
FALSE = ("no", "n", "false", "f", "off", "0")

_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_MONTH_NUMBERS = {name[:3]: float(i) for i, name in enumerate(_MONTHS, start=1)}
_N = r"(\d{1,2})"
_DATE_PARTS = {
    **{"Y": r"(\d{4})", "y": r"(\d\d)", "m": _N, "d": _N},
    "b": f"((?i:{'|'.join(f'{name[:3]}(?:{name[3:]})?' for name in _MONTHS)}))",
}
_DATES = {
    date: "".join(_DATE_PARTS.get(c, re.escape(c)) for c in date)
    for date in (
        *("Y-m-d", "Y/m/d", "Y.m.d", "d.m.Y", "m/d/Y", "d/m/Y", "m-d-Y", "d-m-Y"),
        *("d.m.y", "m/d/y", "d/m/y", "d-b-Y", "d-b-y", "d b Y", "b d, Y"),
    )
} | {"Ymd": r"(\d{4})(\d\d)(\d\d)"}
_SECOND, _OFFSET = r"(\d{1,2}(?:\.\d+)?)", r"(?:Z|([+-])(\d\d):?(\d\d)?)?"
_TIMES = {
    **{"": "", " H:M": f"[T ]{_N}:{_N}{_OFFSET}", " H:M:S": f"[T ]{_N}:{_N}:{_SECOND}{_OFFSET}"},
    **{" I:M p": f"[T ]{_N}:{_N} ?([AaPp])[Mm]", " I:M:S p": f"[T ]{_N}:{_N}:{_SECOND} ?([AaPp])[Mm]"},
}
_DATETIMES = {d + t: date + time for d, date in _DATES.items() for t, time in _TIMES.items()}
DATETIME_FORMATS: tuple[str, ...] = tuple(_DATETIMES)

_PATTERNS = {**_NUMBERS, "boolean": f"(?i:{'|'.join(TRUE + FALSE)})", **_DATETIMES}


def pattern(how: str) -> str:
    """The regular expression (of RE2 and of Python) of the cells that `parse` reads, spaces aside.

    Args:
        how: "number", "number,", "boolean" or one of `DATETIME_FORMATS`.

    Returns:
        The expression, unanchored. A date that it admits can still be impossible, as is 2023-02-30.

    Raises:
        PrepkitError: if `how` is anything else.

    Example:
        >>> import re
        >>> bool(re.fullmatch(pattern("d.m.Y"), "24.12.2025"))
        True
    """
    if how not in _PATTERNS:
        raise PrepkitError(f"parse={how!r}: give '' or one of {', '.join(map(repr, _PATTERNS))}.")
    return _PATTERNS[how]


def parse(text: tf.Tensor, how: str, markers: Sequence[str] = MISSING) -> tf.Tensor:
    """Read strings as a column's `parse` says.

    Args:
        text: strings of any shape.
        how: "" (see `category`), "number" or "number," (decimal comma; see `number`), "boolean" (see
            there), or one of `DATETIME_FORMATS` (see `seconds`).
        markers: cells that mean "no value", even where they could be read, such as "-999".

    Returns:
        A tensor of the same shape: strings, float64, float32 or float64. What is missing is "" or NaN,
        and so is what cannot be read.

    Raises:
        PrepkitError: if `how` is anything else.

    Example:
        >>> parse(["1.5", "-999"], "number", markers=["-999"]).numpy()
        array([1.5, nan])
    """
    if how == "":
        return category(text, markers)
    readable = re.compile(pattern(how))
    if how in _NUMBERS:
        value = number(text, decimal="," if how == "number," else ".")
    else:
        value = boolean(text) if how == "boolean" else seconds(text, how)
    if among := [m for m in markers if readable.fullmatch(m.strip(SPACES))]:
        value = tf.where(is_missing(text, among), tf.constant(np.nan, value.dtype), value)
    return value


def strip(text: tf.Tensor) -> tf.Tensor:
    """Take white space off both ends: ASCII, Unicode (non-breaking too), and byte order marks.

    Args:
        text: strings of any shape; bytes that are not UTF-8 are kept.

    Returns:
        Strings of the same shape.

    Example:
        >>> strip(["\\ta b\\u00a0"]).numpy()
        array([b'a b'], dtype=object)

    Source: `str.strip` of Python, with U+FEFF and U+200B.
    """
    return tf.strings.regex_replace(text, f"^[{SPACES}]+|[{SPACES}]+$", "")


def is_missing(text: tf.Tensor, markers: Sequence[str] = MISSING) -> tf.Tensor:
    """Whether cells mean "no value": blank, or one of `markers` with or without spaces around it.

    Args:
        text: strings of any shape.
        markers: what else than the empty string means it; upper and lower case differ.

    Returns:
        Booleans of the same shape.

    Example:
        >>> is_missing([" ?", "", "x"]).numpy()
        array([ True,  True, False])
    """
    return tf.strings.regex_full_match(text, _S + _any_of(markers) + _S)


def category(text: tf.Tensor, markers: Sequence[str] = MISSING) -> tf.Tensor:
    """Take white space off both ends; make missing cells the empty string.

    Args:
        text: strings of any shape.
        markers: as for `is_missing`.

    Returns:
        Strings of the same shape.

    Example:
        >>> category([" Private", " ?"]).numpy()
        array([b'Private', b''], dtype=object)
    """
    # One expression: of a cell that is but a marker everything goes, of another its outer spaces.
    return tf.strings.regex_replace(text, f"^{_S}{_any_of(markers)}{_S}$|^[{SPACES}]+|[{SPACES}]+$", "")


def _any_of(markers: Sequence[str]) -> str:
    return "(?:" + "|".join(["", *(re.escape(m.strip(SPACES)) for m in markers)]) + ")"


def number(text: tf.Tensor, decimal: str = ".") -> tf.Tensor:
    """Read decimal numbers, such as " -1.5e3".

    Separators of thousands are read where they cannot be decimal ones: "1,234,567" and "1,234.5".
    "1,234" is refused, as it is 1.234 to half of the world; with `decimal=","`, so is "1.234".

    Args:
        text: strings of any shape, in ASCII digits, spaces at the ends aside.
        decimal: "." or ","; the other one separates thousands.

    Returns:
        float64 of the same shape; NaN for what is no number, for "inf" and "nan" as words, and for
        numbers beyond the range of float64.

    Raises:
        PrepkitError: if `decimal` is neither.

    Example:
        >>> number([" 1.5", "1,234,567", "1,234", "?"]).numpy()
        array([1.500000e+00, 1.234567e+06,          nan,          nan])
        >>> number("1.234,5", decimal=",").numpy()
        np.float64(1234.5)
    """
    if decimal not in (".", ","):
        raise PrepkitError(f"decimal={decimal!r}: give '.' or ','.")
    how, thousands = ("number", ",") if decimal == "." else ("number,", ".")
    ok = tf.strings.regex_full_match(text, f"{_S}(?:{_NUMBERS[how]}){_S}")
    digits = tf.strings.regex_replace(tf.where(ok, text, "nan"), f"[{thousands}{SPACES}]+", "")
    if decimal == ",":
        digits = tf.strings.regex_replace(digits, ",", ".")
    value = tf.strings.to_number(digits, tf.float64)
    return tf.where(tf.math.is_finite(value), value, np.nan)


def boolean(text: tf.Tensor) -> tf.Tensor:
    """Read yes or no: yes/no, y/n, true/false, t/f, on/off in any case, 1/0.

    Args:
        text: strings of any shape, spaces at the ends aside.

    Returns:
        float32 of the same shape: 1, 0, or NaN for anything else.

    Example:
        >>> boolean(["Yes", "f", "?"]).numpy()
        array([ 1.,  0., nan], dtype=float32)
    """
    yes = tf.strings.regex_full_match(text, f"{_S}(?i:{'|'.join(TRUE)}){_S}")
    no = tf.strings.regex_full_match(text, f"{_S}(?i:{'|'.join(FALSE)}){_S}")
    return tf.where(yes, tf.constant(1.0), tf.where(no, tf.constant(0.0), np.nan))


def seconds(text: tf.Tensor, format: str) -> tf.Tensor:
    """Read dates and times as seconds since 1970-01-01, UTC.

    In a format, "Y" is a year of four digits and "y" of two (69 to 99 are 1969 to 1999), "m" and "d"
    month and day, "b" the month's English name, short or full, "H" or "I" ... "p" the hour of 24 or 12,
    "M" the minute, "S" the second and its decimals. "T" may replace the space before a time, and one of
    24 hours may end in "Z", "+hh", "+hhmm" or "+hh:mm"; without any, times are taken as UTC.

    Args:
        text: strings of any shape, spaces at the ends aside.
        format: one of `DATETIME_FORMATS`.

    Returns:
        float64 of the same shape, of the Gregorian calendar; NaN for what is not of the format and for
        days or times that do not exist. Second 60 is the next minute's second 0.

    Raises:
        PrepkitError: if the format is none of `DATETIME_FORMATS`.

    Example:
        >>> seconds(["1970-01-02", "2023-02-30", "2/1/1970"], "Y-m-d").numpy()
        array([86400.,    nan,    nan])

    Source: days of a date as in H. Hinnant, chrono-compatible low-level date algorithms, 2013;
    otherwise as `pandas.to_datetime(..., errors="coerce", utc=True)`.
    """
    if format not in _DATETIMES:
        raise PrepkitError(f"format={format!r}: give one of {', '.join(map(repr, DATETIME_FORMATS))}.")
    part = _date_parts(text, format)
    year, month, hour = part["Y"], part["m"], part["H"]
    if "y" in format:
        year += 1900.0 + 100.0 * tf.cast(year < 69.0, tf.float64)  # as POSIX has it
    leap = (year % 4.0 == 0.0) & ((year % 100.0 != 0.0) | (year % 400.0 == 0.0))
    february = tf.cast(month == 2.0, tf.float64) * (2.0 - tf.cast(leap, tf.float64))
    length = 30.0 + (month + month // 8.0) % 2.0 - february
    ok = (month >= 1.0) & (month <= 12.0) & (part["d"] >= 1.0) & (part["d"] <= length)
    ok &= (part["M"] < 60.0) & (part["S"] < 61.0) & (part["oh"] < 24.0) & (part["om"] < 60.0)
    if "p" in format:
        ok &= (hour >= 1.0) & (hour <= 12.0)
        hour = hour % 12.0 + part["p"]
    ok &= hour < 24.0
    east = part["+"] * (part["oh"] * 60.0 + part["om"])
    minutes = (_days(year, month, part["d"]) * 24.0 + hour) * 60.0 + part["M"] - east
    return tf.where(ok, minutes * 60.0 + part["S"], np.nan)


def _date_parts(text: tf.Tensor, format: str) -> dict[str, tf.Tensor]:
    """Each part as float64: "Y", "m", "H" for year, month and hour however written; 0 if there is none."""
    letters = [c for c in format.translate(str.maketrans("ybI", "YmH")) if c.isalpha()]
    groups = {name: f"\\{i}" for i, name in enumerate(letters + ["+", "oh", "om"] * ("H" in format), start=1)}
    names = ("Y", "m", "d", "H", "M", "S", "p", "+", "oh", "om")
    # The offset's sign becomes "+1", "-1" or "1", for its minutes are signed even where its hours are 0.
    record = ",".join(groups.get(name, "") + "1" * (name == "+") for name in names)
    expression = f"^{_S}{_DATETIMES[format]}{_S}$"
    matched = tf.where(tf.strings.regex_full_match(text, expression), text, "," * (len(names) - 1))
    records = tf.strings.regex_replace(matched, expression, record)
    words = {"m": _MONTH_NUMBERS} if "b" in format else {}
    if "p" in format:
        words["p"] = {"p": 12.0}
    defaults = [tf.constant([""]) if name in words else tf.constant([0.0], tf.float64) for name in names]
    parts = dict(zip(names, tf.io.decode_csv(records, defaults, use_quote_delim=False), strict=True))
    return parts | {name: _look_up(parts[name], values) for name, values in words.items()}


def _look_up(word: tf.Tensor, values: Mapping[str, float]) -> tf.Tensor:
    """The value of a word's first three letters in any case; 0 for others."""
    same = tf.strings.lower(tf.strings.substr(word, 0, 3))[..., tf.newaxis] == tf.constant(list(values))
    return tf.reduce_sum(tf.where(same, tf.constant(list(values.values()), tf.float64), 0.0), axis=-1)


def _days(year: tf.Tensor, month: tf.Tensor, day: tf.Tensor) -> tf.Tensor:
    """Days since 1970-01-01 of a date of the Gregorian calendar, year 0 or later."""
    year -= tf.cast(month <= 2.0, tf.float64)  # years begin in March: the leap day comes last
    before = (153.0 * ((month + 9.0) % 12.0) + 2.0) // 5.0
    return 365.0 * year + year // 4.0 - year // 100.0 + year // 400.0 + before + day - 719469.0
