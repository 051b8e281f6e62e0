"""What a raw column holds, judged by a sample of its rows, and how its cells are to be read."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
import tensorflow as tf

from prepkit.errors import PrepkitError
from prepkit.parse import DATETIME_FORMATS, FALSE, MISSING, SPACES, TRUE, number, pattern, seconds
from prepkit.spec import Column, RawKind, Role

# Shares of the cells that are not missing.
READABLE = 0.95  # numbers or dates among them: the rest are then bad cells, not categories
DISTINCT = 0.99  # different values: an identifier, duplicated rows aside
TEXT_DISTINCT, LONG_TEXT_DISTINCT = 0.5, 0.1  # different values of several words: text
MIN_ROWS = 20  # fewer differ by chance
MAX_MEAN_STEP = 10  # of an increasing identifier of which rows were taken out
WORDY, LONG = 20, 50  # median lengths in characters
N_PROBED = 100  # values by which formats of dates are tried

# "id", "user_id", "customerID", "Unnamed: 0", but neither "paid" nor "humid".
_ID_NAME = re.compile(
    r"(?:^|[\W_])(?i:id|uuid|guid|key)$|[a-z](?:ID|Id)$|^(?i:index|idx)$|^Unnamed: \d+$|^(?i:id)[\W_]"
)
_DATE_LIKE = re.compile(
    r"\d{1,4}[-/. ](?:\d{1,2}|[A-Za-z]{3,9})[-/. ]\d{2,4}(?!\d)"
    r"|[A-Za-z]{3,9} \d{1,2}, \d{4}|(?:19|20)\d{6}(?!\d)"
)
_ONE_COMMA = r"[+-]?[1-9]\d{0,2},\d{3}"  # 1,234 is 1234 or 1.234
_WHOLE = r"[+-]?(?:0|[1-9]\d{0,17})(?:\.0*)?"  # as int64

LabelForm = Literal["int", "string", "bool", "one_hot"]


def infer_column(name: str, sample: Any, *, missing: Sequence[str] = MISSING, complete: bool = False) -> Column:
    """Judge by a sample what a column holds and how its cells are to be read.

    Numbers are "numeric" and stay so where they are few; strings are "boolean" if they are the two words
    of a pair such as yes and no, "numeric" or "datetime" if 95 % of them can be read so, "text" if they
    are of several words and mostly different, else "categorical". Columns that came with a dictionary
    were declared to be categories and remain so (or boolean).

    Args:
        name: of the column; an integer that is called "id" needs less proof of being an identifier.
        sample: rows of it, as a pyarrow Array or ChunkedArray, or as a numpy array (rows, ...), of which
            those of more than one axis are tensors.
        missing: strings that mean that a cell is missing, next to the empty one; for string columns.
        complete: whether the sample is all rows. If not, a column that is constant or empty in it
            remains a feature, for other rows may say otherwise.

    Returns:
        The column, each decision in its `notes`. Its role is "empty" without any value, "constant" with
        one value and no missing cell, "identifier" where (nearly) each of 20 rows or more has another
        value and the values are strings but not text, or integers that count rows or are called "id".

    Raises:
        PrepkitError: if the values are of mixed or unsupported types.

    Example:
        >>> column = infer_column("age", np.array([" 31", "?", "47"]))
        >>> column.kind, column.parse, column.notes
        ('numeric', 'number', ("33 % missing: '?' 1", 'numbers stored as strings'))
    """
    if isinstance(sample, np.ndarray) and sample.ndim != 1:
        return _tensor(name, sample, complete)
    if isinstance(sample, np.ndarray) and sample.dtype.kind in "biuf":
        return _numbers(name, sample, 0, complete)
    values = _arrow(name, sample)
    declared = pt.is_dictionary(values.type)
    inner = values.type.value_type if declared else values.type
    if pt.is_null(inner):
        return _judged(Column(name, "numeric", "float32"), _Facts(0, len(values)), complete)
    if _is_string(inner):
        return _strings(name, values, missing, complete, declared)
    if pt.is_timestamp(inner) or pt.is_date(inner):
        return _moments(name, values, complete)
    if not _is_number(inner):
        raise PrepkitError(
            f"column {name!r} is of type {values.type}: give numbers, strings, booleans or dates; "
            "a duration as a number of seconds, lists of equal length as an array (rows, length)."
        )
    if declared and not pt.is_boolean(inner):
        return _declared_numbers(name, values, complete)
    return _numbers(name, _to_numpy(values), values.null_count, complete)


def infer_label_form(sample: Any, name: str = "label") -> LabelForm:
    """Judge how the classes of a label come in.

    Args:
        sample: labels, as for `infer_column`; of shape (rows, classes) if they are one-hot.
        name: of the label, for messages.

    Returns:
        "int" for whole numbers, be they stored as integers, floats or strings (though not "007");
        "bool", "one_hot", or "string" for all other strings. Missing labels are passed over.

    Raises:
        PrepkitError: if no label is known, if they are numbers with fractions, rows of several or of
            shared classes, or of an unsupported type.

    Example:
        >>> infer_label_form(np.array(["0", "1", ""]))
        'int'
        >>> infer_label_form(np.eye(3))
        'one_hot'
    """
    if isinstance(sample, np.ndarray) and sample.ndim == 2 and sample.shape[1] == 1:
        sample = sample[:, 0]
    if isinstance(sample, np.ndarray) and sample.ndim != 1:
        return _one_hot(name, sample)
    values = _arrow(name, sample)
    inner = values.type.value_type if pt.is_dictionary(values.type) else values.type
    if _is_string(inner):
        texts = _words(values, MISSING).values
        if len(texts):
            return _form_of_strings(name, texts)
    elif _is_number(inner):
        numbers = _to_numpy(values)
        numbers = numbers[~np.isnan(numbers)] if numbers.dtype.kind == "f" else numbers
        if len(numbers):
            return "bool" if numbers.dtype.kind == "b" else _form_of_numbers(name, numbers)
    elif not pt.is_null(inner):
        raise PrepkitError(f"label {name!r} is of type {values.type}: give integers, strings or booleans.")
    raise PrepkitError(f"label {name!r} has no value at all: give the class of some rows.")


def _form_of_strings(name: str, texts: pa.Array) -> LabelForm:
    if _matching(texts, _WHOLE).all():
        return "int"
    if _matching(texts, pattern("number")).all():
        _form_of_numbers(name, number(tf.constant(texts.to_pylist())).numpy())
    return "string"


def _form_of_numbers(name: str, numbers: np.ndarray) -> LabelForm:
    if np.isinf(numbers).any():
        raise PrepkitError(f"label {name!r} holds infinite numbers: give the number of a class.")
    fractions = numbers[numbers != np.floor(numbers)] if numbers.dtype.kind == "f" else numbers[:0]
    if len(fractions):
        raise PrepkitError(
            f"label {name!r} looks continuous, as {fractions[0]:g} among {len(np.unique(numbers))} values: "
            "prepkit is for classification, bin it first."
        )
    return "int"


def _one_hot(name: str, sample: np.ndarray) -> LabelForm:
    where = f"label {name!r} of shape {sample.shape}"
    if sample.ndim != 2 or sample.dtype.kind not in "biuf":
        raise PrepkitError(f"{where} and type {sample.dtype}: give one class a row, or one-hot rows.")
    rows = sample[~np.isnan(sample).all(axis=1)] if sample.dtype.kind == "f" else sample
    if not len(rows):
        raise PrepkitError(f"{where} has no value at all: give the class of some rows.")
    if not ((rows == 0) | (rows == 1)).all():
        raise PrepkitError(f"{where} holds other numbers than 0 and 1: give one class a row, as by argmax.")
    several = rows[rows.astype(np.int64).sum(axis=1) != 1]
    if len(several):
        raise PrepkitError(
            f"{where} has rows such as {several[0, :8].tolist()}, not of one class: "
            "train one model for each of several labels."
        )
    return "one_hot"


@dataclass(frozen=True)
class _Facts:
    """What gives a column its role; `identifier` is the reason why it looks like one, or ""."""

    n_values: int
    n_missing: int
    constant: bool = False
    identifier: str = ""


def _judged(column: Column, facts: _Facts, complete: bool) -> Column:
    """The column with its role and the notes about it."""
    where = "" if complete else " in the rows looked at"
    role: Role
    if not facts.n_values:
        role, note = "empty" if complete else "feature", f"no value at all{where}"
    elif facts.constant and not facts.n_missing and facts.n_values > 1:
        role, note = "constant" if complete else "feature", f"constant{where}"
    elif facts.identifier:
        role, note = "identifier", f"looks like an identifier: {facts.identifier}{where}"
    else:
        return column
    return dataclasses.replace(column, role=role, notes=(*column.notes, note))


def _tensor(name: str, sample: np.ndarray, complete: bool) -> Column:
    if sample.ndim == 0 or sample.dtype.kind not in "biuf":
        raise PrepkitError(
            f"column {name!r} is an array of {sample.dtype} of shape {sample.shape}: give one value a row, "
            "or numbers of shape (rows, ...)."
        )
    n_missing = int(np.isnan(sample).sum()) if sample.dtype.kind == "f" else 0
    notes = [f"{_share(n_missing, sample.size)} missing"] if n_missing else []
    column = Column(name, "tensor", sample.dtype.name, sample.shape[1:], notes=tuple(notes))
    constant = len(sample) > 1 and bool((sample[1] == sample[0]).all() and (sample == sample[:1]).all())
    n_values = len(sample) if n_missing < sample.size else 0
    return _judged(column, _Facts(n_values, n_missing, constant), complete)


def _numbers(name: str, x: np.ndarray, n_null: int, complete: bool) -> Column:
    """A column of numbers or booleans, of which `n_null` missing ones are not in `x`."""
    n_rows, n_infinite = len(x) + n_null, 0
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        n_infinite = int(np.isinf(x).sum())
        x = x[~np.isnan(x)]
    n_missing = n_rows - len(x)
    notes = [f"{_share(n_missing, n_rows)} missing"] if 0 < n_missing < n_rows else []
    notes += [f"{n_infinite} infinite"] if n_infinite else []
    column = Column(name, "boolean" if x.dtype.kind == "b" else "numeric", x.dtype.name, notes=tuple(notes))
    constant = len(x) > 0 and bool(x[0] == x[-1]) and bool((x == x[0]).all())
    identifier = _numbering(name, x) if x.dtype.kind in "iu" else ""
    return _judged(column, _Facts(len(x), n_missing, constant, identifier), complete)


def _numbering(name: str, x: np.ndarray) -> str:
    """Why integers in the order of their rows look like an identifier, or ""."""
    if len(x) < MIN_ROWS:
        return ""
    span = int(x.max()) - int(x.min()) + 1
    if span < DISTINCT * len(x):
        return ""
    if len(x) <= int(x[-1]) - int(x[0]) + 1 <= MAX_MEAN_STEP * len(x) and (x[1:] > x[:-1]).all():
        return "integers that increase from row to row"
    named, dense = _ID_NAME.search(name), span <= len(x) / DISTINCT
    if (named or dense) and len(np.unique(x)) >= DISTINCT * len(x):
        return "every row another value, and its name says so" if named else "every integer of a range, once"
    return ""


def _declared_numbers(name: str, values: Any, complete: bool) -> Column:
    x = _to_numpy(values)
    n_missing = len(values) - len(x)
    notes = ["numbers declared to be categories"]
    notes += [f"{_share(n_missing, len(values))} missing"] if 0 < n_missing < len(values) else []
    column = Column(name, "categorical", x.dtype.name, notes=tuple(notes))
    return _judged(column, _Facts(len(x), n_missing, len(np.unique(x)) == 1), complete)


def _moments(name: str, values: Any, complete: bool) -> Column:
    n_missing = values.null_count
    notes = [f"{_share(n_missing, len(values))} missing"] if 0 < n_missing < len(values) else []
    constant = len(pc.unique(values)) == 1
    column = Column(name, "datetime", "datetime", notes=tuple(notes))
    return _judged(column, _Facts(len(values) - n_missing, n_missing, constant), complete)


@dataclass(frozen=True)
class _Words:
    """The different cells of a string column, outer spaces and missing ones aside.

    Args:
        values: in the order of their first rows.
        counts: int64, the rows of each.
        missing: how many rows of each marker; "blank" and "null" among them.
        n_merged: how many values were the same but for outer spaces.
        spaced: whether any had outer spaces.
    """

    values: pa.Array
    counts: np.ndarray
    missing: dict[str, int]
    n_merged: int
    spaced: bool

    @property
    def n(self) -> int:
        return int(self.counts.sum())

    def matching(self, expression: str) -> np.ndarray:
        return _matching(self.values, expression)

    def share(self, chosen: np.ndarray) -> float:
        """The share of rows of the values chosen by a mask."""
        return float((self.counts * chosen).sum() / max(self.n, 1))

    def examples(self, chosen: np.ndarray) -> str:
        return _quoted(v.as_py() for v in self.values.filter(pa.array(chosen))[:3])


@dataclass(frozen=True)
class _Reading:
    """How strings are read, and why."""

    kind: RawKind
    parse: str = ""
    notes: tuple[str, ...] = ()
    identifier: str = ""


def _strings(name: str, values: Any, missing: Sequence[str], complete: bool, declared: bool) -> Column:
    words = _words(values, missing)
    n_missing = sum(words.missing.values())
    notes: tuple[str, ...] = ()
    if n_missing and words.n:
        seen = ", ".join(f"{marker} {n}" for marker, n in sorted(words.missing.items(), key=lambda i: -i[1]))
        notes = (f"{_share(n_missing, n_missing + words.n)} missing: {seen}",)
    reading = _reading(name, words, declared)
    column = Column(
        name, reading.kind, "string", parse=reading.parse, missing=tuple(missing), notes=notes + reading.notes
    )
    facts = _Facts(words.n, n_missing, len(words.values) == 1, reading.identifier)
    return _judged(column, facts, complete)


def _reading(name: str, words: _Words, declared: bool) -> _Reading:
    if not words.n:
        return _Reading("categorical")
    if (found := _boolean(words)) or declared:
        return found or _categorical(words, declared)
    return _compact_date(words) or _numeric(name, words) or _date(words) or _categorical(words, declared)


def _boolean(words: _Words) -> _Reading | None:
    if len(words.values) > 2 * len(TRUE):
        return None
    found = {v.lower() for v in words.values.to_pylist()}
    for yes, no in zip(TRUE, FALSE, strict=True):
        if found == {yes, no} and yes != "1":
            return _Reading("boolean", "boolean", (f"{yes!r} is read as 1, {no!r} as 0",))
    return None


def _numeric(name: str, words: _Words) -> _Reading | None:
    point, comma = words.matching(pattern("number")), words.matching(pattern("number,"))
    if not (comma & ~point & ~words.matching(_ONE_COMMA)).any():
        comma &= point  # no comma but such as may separate thousands
    how, ok = ("number,", comma) if words.share(comma) > words.share(point) else ("number", point)
    if words.share(ok) < READABLE:
        return None
    notes = ["numbers stored as strings" + (", with decimal commas" if how == "number," else "")]
    if not ok.all():
        n_bad = int(words.counts[~ok].sum())
        notes.append(f"cells that are not numbers become missing: {n_bad}, such as {words.examples(~ok)}")
    zeros = words.matching(r"0\d+")
    if zeros.any():
        notes.append(f"leading zeros are lost, as of {words.examples(zeros)}: if codes, declare them categorical")
    return _Reading("numeric", how, tuple(notes), _numbering_of_strings(name, words))


def _numbering_of_strings(name: str, words: _Words) -> str:
    if len(words.values) < DISTINCT * words.n or not words.matching(r"-?\d{1,18}").all():
        return ""
    return _numbering(name, pc.cast(words.values, pa.int64()).to_numpy(zero_copy_only=False))


def _compact_date(words: _Words) -> _Reading | None:
    """Dates such as 20251224, if there is nothing else: they are numbers, too."""
    ok = words.matching(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
    if len(ok) < 2 or not ok.all():
        return None
    return _Reading("datetime", "Ymd", (f"dates stored as strings such as {words.examples(ok)}",))


def _date(words: _Words) -> _Reading | None:
    probed = words.values[:: max(1, len(words.values) // N_PROBED)].to_pylist()
    if 2 * sum(bool(_DATE_LIKE.match(v)) for v in probed) < len(probed):
        return None
    formats = [f for f in DATETIME_FORMATS if 2 * _n_full(pattern(f), probed) > len(probed)]
    texts = tf.constant(words.values.to_pylist())
    ok = {f: np.isfinite(seconds(texts, f).numpy()) for f in formats}
    best = max(ok, key=lambda f: words.share(ok[f]), default="")  # the first of equals: month before day
    if not best or words.share(ok[best]) < READABLE:
        return None
    notes = [f"dates stored as strings, as {best!r}"]
    if "m/d" in best or "m-d-" in best:
        swapped = best.replace("m", "*").replace("d", "m").replace("*", "d")
        if swapped in ok and (ok[swapped] == ok[best]).all():
            notes.append(f"no day is above 12, so {swapped!r} would do as well")
    if not ok[best].all():
        n_bad, examples = int(words.counts[~ok[best]].sum()), words.examples(~ok[best])
        notes.append(f"cells that are not such dates become missing: {n_bad}, such as {examples}")
    return _Reading("datetime", best, tuple(notes))


def _n_full(expression: str, texts: Iterable[str]) -> int:
    compiled = re.compile(expression)
    return sum(bool(compiled.fullmatch(text)) for text in texts)


def _categorical(words: _Words, declared: bool) -> _Reading:
    notes, identifier = [], ""
    if words.n_merged:
        notes.append(f"categories that differ only in spaces are merged: {words.n_merged}")
    elif words.spaced:
        notes.append("spaces around values are taken off")
    if not declared and _is_text(words):
        return _Reading("text", "", (*notes, "text: mostly different values of several words"))
    commas = words.matching(_ONE_COMMA)
    if commas.any() and words.share(commas | words.matching(pattern("number"))) >= READABLE:
        notes.append(f"may be numbers, but {words.examples(commas)} can be read in two ways: write them without ','")
    if words.n >= MIN_ROWS and len(words.values) >= DISTINCT * words.n:
        identifier = "every row another value"
    elif words.n >= MIN_ROWS and len(words.values) > TEXT_DISTINCT * words.n:
        notes.append(f"{len(words.values)} categories among {words.n} values")
    return _Reading("categorical", "", tuple(notes), identifier)


def _is_text(words: _Words) -> bool:
    if len(words.values) <= LONG_TEXT_DISTINCT * words.n:
        return False
    values = words.values[:: max(1, len(words.values) // 1000)]
    length = np.median(pc.utf8_length(values).to_numpy())
    if len(words.values) <= (LONG_TEXT_DISTINCT if length > LONG else TEXT_DISTINCT) * words.n:
        return False
    several_words = _matching(values, r"(?s:.*)\S\s+\S(?s:.*)").mean() > 0.5
    if words.n < MIN_ROWS or not several_words:  # few rows; or one word, which is text in Chinese or Thai
        return bool(length > WORDY and (several_words or _matching(values, "[!-~]+").mean() < 0.5))
    return True


def _words(values: Any, missing: Sequence[str]) -> _Words:
    if pt.is_string_view(values.type) or pt.is_binary_view(values.type):
        # value_counts takes null for the empty string there, as of pyarrow 26.
        values = values.cast(pa.large_binary())
    counted = pc.value_counts(values)
    cells, counts = counted.field("values"), counted.field("counts").to_numpy()
    cells = _utf8(cells.dictionary_decode() if pt.is_dictionary(cells.type) else cells)
    texts = pc.utf8_trim(cells, characters=SPACES)
    gone = pc.is_in(texts, value_set=pa.array(["", *(m.strip(SPACES) for m in missing)], pa.large_string()))
    gone = pc.or_(gone, texts.is_null()).to_numpy(zero_copy_only=False)
    seen: dict[str, int] = {}
    for text, n in zip(texts.filter(pa.array(gone)).to_pylist(), counts[gone], strict=True):
        marker = "null" if text is None else repr(text) if text else "blank"
        seen[marker] = seen.get(marker, 0) + int(n)
    kept = pa.array(~gone)
    texts, counts = texts.filter(kept), counts[~gone]
    spaced = not texts.equals(cells.filter(kept))
    n_before = len(texts)
    if spaced:
        encoded = texts.dictionary_encode()
        counts = np.bincount(encoded.indices.to_numpy(), counts, len(encoded.dictionary)).astype(np.int64)
        texts = encoded.dictionary
    return _Words(texts, counts, seen, n_before - len(texts), spaced)


def _utf8(cells: pa.Array) -> pa.Array:
    try:
        return cells.cast(pa.large_string())
    except pa.ArrowInvalid:  # bytes that are not UTF-8
        texts = [None if v is None else v.decode("utf-8", "replace") for v in cells.to_pylist()]
        return pa.array(texts, pa.large_string())


def _matching(values: pa.Array, expression: str) -> np.ndarray:
    matched = pc.match_substring_regex(values, f"^(?:{expression})$")
    return np.asarray(matched.to_numpy(zero_copy_only=False), bool)


def _arrow(name: str, sample: Any) -> Any:
    """A pyarrow array of 1-D values that may be Python objects."""
    if not isinstance(sample, np.ndarray):
        return sample
    if not sample.dtype.isnative:
        sample = sample.astype(sample.dtype.newbyteorder("="))
    try:
        return pa.array(sample, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        what = f"values of type {sample.dtype}"
        if sample.dtype == object:
            types = {type(v).__name__ for v in sample if v is not None and v == v}  # NaN is missing
            what = f"Python objects of types {', '.join(sorted(types))}"
        raise PrepkitError(
            f"column {name!r} holds {what}, of which no column can be made ({error}): make them one type "
            "first, all numbers or all strings."
        ) from error


def _is_string(kind: pa.DataType) -> bool:
    strings = (pt.is_string, pt.is_large_string, pt.is_string_view)
    binaries = (pt.is_binary, pt.is_large_binary, pt.is_binary_view, pt.is_fixed_size_binary)
    return any(test(kind) for test in strings + binaries)


def _is_number(kind: pa.DataType) -> bool:
    return any(test(kind) for test in (pt.is_boolean, pt.is_integer, pt.is_floating, pt.is_decimal))


def _to_numpy(values: Any) -> np.ndarray:
    """The values that are not null; decimals as float64."""
    values = values.drop_null()
    if pt.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pt.is_decimal(values.type):
        values = values.cast(pa.float64())
    return np.asarray(values.to_numpy(zero_copy_only=False))


def _share(n: int, of: int) -> str:
    percent = 100 * n / of
    if percent > 99 and n < of:
        return "over 99 %"
    return f"{percent:.0f} %" if percent >= 10 else f"{percent:.2g} %"


def _quoted(values: Iterable[str]) -> str:
    return ", ".join(repr(v if len(v) <= LONG else v[:LONG] + "...") for v in values)
