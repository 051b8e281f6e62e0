"""Rules that cells and rows have to keep: one meaning, of numpy arrays and of tensors.

Comparisons are written with operators alone, which arrays and tensors share; a comparison with NaN is false.
"""

from __future__ import annotations

import functools
import math
import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf

from prepkit.scan import Coded

Policy = Literal["raise", "drop", "quarantine", "clip", "null", "flag", "warn"]
Runs = Literal["graph", "all rows", "pandera"]
REFUSING: tuple[Policy, ...] = ("raise", "drop", "quarantine")
HEALING: tuple[Policy, ...] = ("clip", "null", "flag")

# The checks that are tensor operations, by pandera's names, and three that pandera has no check for.
RANGES = ("greater_than", "greater_than_or_equal_to", "less_than", "less_than_or_equal_to", "in_range")
CHECKS = (
    *("dtype", "nullable", "finite"),
    *RANGES,
    *("equal_to", "not_equal_to", "isin", "notin"),
    *("str_matches", "str_contains", "str_startswith", "str_endswith", "str_length"),
)
ANY = "(?s:.*)"  # whatever follows or goes before, in RE2
FEW = 8  # words that are compared one by one in the graph; more are found by their hashes


@dataclass(frozen=True)
class Rule:
    """One condition.

    Args:
        columns: whose cells it is about: one column; of "unique" and of a check of whole rows, several or none.
        check: "dtype" (every cell can be read as the column's type), "nullable" (no cell is missing), "finite"
            (no infinite number), "unique", one of pandera's built-in checks by its long name, or the name of a
            function of the user's.
        arguments: of pandera's check, by its names there, as plain values; times as seconds since 1970. Of
            "dtype": {"dtype": "int64"}.
        text: as a person reads it: "in_range(0, 120)".
        ignore_missing: whether a missing cell keeps the rule; as pandera's `ignore_na`.
        policy: what happens to a cell or row that breaks it; "warn" counts it only.
        runs: "graph": in numpy and in the graph; "all rows": needs to know the other rows, so in training only;
            "pandera": by pandera itself, so on training rows only.
        of_label: whether the column is the label.
    """

    columns: tuple[str, ...]
    check: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""
    ignore_missing: bool = True
    policy: Policy = "quarantine"
    runs: Runs = "graph"
    of_label: bool = False

    def __str__(self) -> str:
        return f"{', '.join(self.columns) or 'rows'}: {self.text or self.check}"


# -- numbers -----------------------------------------------------------------------------------


def broken_numbers(rule: Rule, x: Any) -> Any:
    """Which numbers break the rule.

    Args:
        rule: any of `CHECKS` that is about numbers.
        x: float array or tensor of any shape; NaN is missing. Cells that could not be read are NaN too, and for
            "dtype" the caller knows them.

    Returns:
        Booleans of the same shape.
    """
    a = rule.arguments
    match rule.check:
        case "nullable":
            return x != x
        case "finite":
            return np.isinf(x) if isinstance(x, np.ndarray) else tf.math.is_inf(x)
        case "dtype":
            return _outside_type(a["dtype"], x)
        case "not_equal_to":  # a missing number equals none
            return x == _number(a["value"])
        case "notin":
            return _among(x, a["forbidden_values"])
        case "equal_to":
            broken = x != _number(a["value"])
        case "isin":
            broken = ~_among(x, a["allowed_values"])
        case _:
            broken = _outside(rule, x)
    if rule.check in ("equal_to", "isin"):  # which call a missing number another one
        return broken & (x == x) if rule.ignore_missing else broken
    return broken if rule.ignore_missing else broken | (x != x)


def bounds(rule: Rule) -> tuple[float, float, bool, bool]:
    """Of a rule of `RANGES`: least and most, and whether these belong to the range."""
    a = rule.arguments
    low, high = _number(a.get("min_value", -np.inf)), _number(a.get("max_value", np.inf))
    with_low = rule.check != "greater_than" and a.get("include_min", True)
    with_high = rule.check != "less_than" and a.get("include_max", True)
    return low, high, bool(with_low), bool(with_high)


def _outside(rule: Rule, x: Any) -> Any:
    low, high, with_low, with_high = bounds(rule)
    parts = []
    if "min_value" in rule.arguments:
        parts.append(x < low if with_low else x <= low)
    if "max_value" in rule.arguments:
        parts.append(x > high if with_high else x >= high)
    return functools.reduce(operator.or_, parts)


def _among(x: Any, values: Sequence[Any]) -> Any:
    numbers = [_number(v) for v in values if _is_number(v)]
    if isinstance(x, np.ndarray):
        return np.isin(x, np.array(numbers, x.dtype))
    among = tf.equal(x[..., None], tf.constant(numbers, x.dtype))
    return tf.reduce_any(among, -1)


def _outside_type(dtype: str, x: Any) -> Any:
    """Finite numbers that the type does not have; others are the business of "finite" and "nullable"."""
    finite = abs(x) < np.inf
    if dtype == "bool":
        return finite & (x != 0.0) & (x != 1.0)
    if re.fullmatch(r"u?int\d+", dtype):
        info = np.iinfo(dtype)
        return finite & ((x % 1.0 != 0.0) | (x < float(info.min)) | (x > float(info.max)))
    raise AssertionError(f"any number is a {dtype}")


def _number(value: Any) -> float:
    return float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating | np.bool_)


# -- words -------------------------------------------------------------------------------------


def broken_words(rule: Rule, words: Sequence[str]) -> np.ndarray:
    """Which words break the rule; none of them is missing.

    Args:
        rule: any of `CHECKS` that is about strings.
        words: each once.

    Returns:
        Booleans of shape (words,).
    """
    a = rule.arguments
    match rule.check:
        case "nullable" | "finite" | "dtype":
            return np.zeros(len(words), bool)
        case "equal_to":
            return np.array([w != str(a["value"]) for w in words], bool)
        case "not_equal_to":
            return np.array([w == str(a["value"]) for w in words], bool)
        case "isin":
            allowed = set(map(str, a["allowed_values"]))
            return np.array([w not in allowed for w in words], bool)
        case "notin":
            forbidden = set(map(str, a["forbidden_values"]))
            return np.array([w in forbidden for w in words], bool)
    texts = pa.array(words, pa.large_string())
    if rule.check == "str_length":
        n = pc.utf8_length(texts).to_numpy(zero_copy_only=False)
        least, most = _lengths(a)
        return np.asarray((n < least) | (n > most), bool)
    matched = pc.match_substring_regex(texts, f"^(?:{expression(rule)})$")
    return ~np.asarray(matched.to_numpy(zero_copy_only=False), bool)


def expression(rule: Rule) -> str:
    """The regular expression (of RE2) that a whole word has to match, of a rule about the text of strings."""
    a = rule.arguments
    match rule.check:
        case "str_matches":
            return f"(?:{a['pattern']}){ANY}"
        case "str_contains":
            return f"{ANY}(?:{a['pattern']}){ANY}"
        case "str_startswith":
            return f"{re.escape(a['string'])}{ANY}"
        case _:
            return f"{ANY}{re.escape(a['string'])}"


def _lengths(arguments: Mapping[str, Any]) -> tuple[int, int]:
    exact = arguments.get("exact_value")
    if exact is not None:
        return exact, exact
    least, most = arguments.get("min_value"), arguments.get("max_value")
    return (0 if least is None else least), (2**31 - 1 if most is None else most)


def broken_texts(rule: Rule, x: tf.Tensor) -> tf.Tensor:
    """`broken_words` in the graph, of strings (rows,) with "" where the cell is missing."""
    a = rule.arguments
    missing = x == ""
    match rule.check:
        case "nullable":
            return missing
        case "finite" | "dtype":
            return tf.zeros_like(missing)
        case "equal_to":
            broken = x != str(a["value"])
        case "not_equal_to":
            return x == str(a["value"])
        case "isin":
            broken = ~_in_words(x, a["allowed_values"])
        case "notin":
            return _in_words(x, a["forbidden_values"])
        case "str_length":
            n = tf.strings.length(x, "UTF8_CHAR")
            least, most = _lengths(a)
            broken = (n < least) | (n > most)
        case _:
            broken = ~tf.strings.regex_full_match(x, expression(rule))
    return broken & ~missing if rule.ignore_missing else broken | missing


def _in_words(x: tf.Tensor, values: Sequence[Any]) -> tf.Tensor:
    """Whether each string is one of `values`, without a table, which would have to be kept and saved.

    Of many, their 64-bit hashes are compared: another string has one of them once in 2**63 / len(values).
    """
    words = tf.constant([str(v) for v in values], tf.string)
    if len(values) <= FEW:
        return tf.reduce_any(tf.equal(x[:, None], words[None, :]), 1) if len(values) else tf.zeros_like(x == "")
    most = 2**63 - 1
    known = tf.sort(tf.strings.to_hash_bucket_fast(words, most))
    mine = tf.strings.to_hash_bucket_fast(x, most)
    place = tf.minimum(tf.searchsorted(known, mine), len(values) - 1)
    return tf.gather(known, place) == mine


def never_broken(rule: Rule) -> bool:
    """Whether a cell that can be read always keeps the rule."""
    return rule.check == "dtype" and not re.fullmatch(r"bool|u?int\d+", rule.arguments["dtype"])


def broken_rows(rule: Rule, values: np.ndarray | Coded) -> np.ndarray:
    """The numbers of the rows of a decoded column that break the rule, rising; int64."""
    if never_broken(rule):
        return np.empty(0, np.int64)
    if isinstance(values, Coded):
        by_word = broken_words(rule, list(values.values))
        of_missing = rule.check == "nullable" or not (rule.ignore_missing or rule.check in ("not_equal_to", "notin"))
        of_missing &= rule.check not in ("finite", "dtype")
        if not (of_missing or by_word.any()):
            return np.empty(0, np.int64)
        return np.flatnonzero(np.append(by_word, of_missing)[values.codes])  # code -1 is the last
    if values.dtype.kind != "f":
        values = values.astype(np.float64)
    with np.errstate(invalid="ignore"):  # of infinity there is no fraction
        broken = broken_numbers(rule, values)
    if not broken.any():
        return np.empty(0, np.int64)
    return np.flatnonzero(broken if broken.ndim == 1 else broken.reshape(len(broken), -1).any(1))


def clipped(rule: Rule, x: Any) -> Any:
    """Numbers set to the nearest bound of a rule of `RANGES`; NaN stays."""
    low, high, _, _ = bounds(rule)
    dtype: Any = np.dtype(x.dtype if isinstance(x, np.ndarray) else x.dtype.as_numpy_dtype)
    if dtype.kind in "iu":  # the whole numbers of the type that are within
        info = np.iinfo(dtype)
        low, high = math.ceil(max(low, info.min)), math.floor(min(high, info.max))
    least, most = np.array(low, dtype), np.array(high, dtype)
    return (
        np.clip(x, least, most)
        if isinstance(x, np.ndarray)
        else tf.where(x < least, least, tf.where(x > most, most, x))
    )
