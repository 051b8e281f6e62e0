"""Regular expressions of Python, written so that RE2 (pyarrow, TensorFlow) finds the same."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

# What both read alike needs no rewriting. Classes are of Unicode in Python and of ASCII in RE2, `{,3}` is three
# characters to RE2, and `\Z`, `\u...`, verbose expressions and named references it does not know.
_DIFFERENT = re.compile(r"\\[dDwWsSbBZuUN]|\{,|\(\?[aLux]")
_SPACES = r"\t-\r\x{1c}-\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"
_CLASSES = {
    "CATEGORY_DIGIT": r"\p{Nd}",
    "LETTERS": r"\p{L}\p{Nl}\p{No}",  # what `str.isalnum` says of other characters
    "CATEGORY_SPACE": _SPACES,  # `str.isspace`
}
_ASCII = {"CATEGORY_DIGIT": "0-9", "LETTERS": "A-Za-z", "CATEGORY_SPACE": r"\t-\r "}
# A word's boundary is one of ASCII words in RE2, and nothing else can say it.
_PLACES = {"AT_BEGINNING": "^", "AT_BEGINNING_STRING": r"\A", "AT_END": "$", "AT_END_STRING": r"\z"}


class _Unknown(Exception):
    """What RE2 has no words for."""


def for_re2(pattern: str | re.Pattern[str]) -> str | None:
    """The expression as RE2 understands it, or None where it cannot: lookaround, backreferences, `\\b`.

    Args:
        pattern: an expression of Python's `re`, as a string or compiled, of which the flags count.

    Returns:
        The same string where both read it alike. Two differences remain: a `$` before a line feed that
        ends the string is not found (prepkit takes white space off both ends of a cell), and the Turkish
        letters that Python folds to "i" are not folded.

    Raises:
        re.error: if it is none of Python's.

    Example:
        >>> for_re2(r"[A-Z]{2}"), for_re2(r"\\d{,3}"), for_re2(r"(a)\\1")
        ('[A-Z]{2}', '(?:[\\\\p{Nd}]){0,3}', None)

    Source: https://docs.python.org/3/library/re.html, https://github.com/google/re2/wiki/Syntax.
    """
    text = pattern if isinstance(pattern, str) else pattern.pattern
    flags = 0 if isinstance(pattern, str) else pattern.flags & ~re.UNICODE
    if not flags and not _DIFFERENT.search(text) and _compiles(text):
        return text
    try:
        written = _written(text, flags)
    except _Unknown:
        return None
    return written if _compiles(written) else None


def _compiles(expression: str) -> bool:
    try:
        pc.match_substring_regex(pa.array([""]), f"^(?:{expression})$")
    except pa.ArrowInvalid:
        return False
    return True


def _written(text: str, flags: int) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of sets that may come to mean something else
        parsed = re._parser.parse(text, flags)  # type: ignore[attr-defined]  # pandas relies on it too
    flags = parsed.state.flags
    if flags & re.LOCALE or (flags & re.ASCII and flags & re.IGNORECASE):  # RE2 folds case in all of Unicode
        raise _Unknown
    letters = "".join(letter for letter, flag in (("i", re.I), ("m", re.M), ("s", re.S)) if flags & flag)
    classes = _ASCII if flags & re.ASCII else _CLASSES
    return (f"(?{letters})" if letters else "") + _sequence(parsed, classes)


def _sequence(items: Iterable[Any], classes: dict[str, str]) -> str:
    return "".join(_item(str(op), argument, classes) for op, argument in items)


def _item(op: str, argument: Any, classes: dict[str, str]) -> str:
    match op:
        case "LITERAL":
            return _character(argument)
        case "NOT_LITERAL":
            return f"[^{_character(argument)}]"
        case "ANY":
            return "."
        case "AT" if str(argument) in _PLACES:
            return _PLACES[str(argument)]
        case "IN":
            return _set(argument, classes)
        case "BRANCH":
            return f"(?:{'|'.join(_sequence(branch, classes) for branch in argument[1])})"
        case "SUBPATTERN":
            return _group(argument, classes)
        case "MAX_REPEAT" | "MIN_REPEAT":
            least, most, repeated = argument
            lazy = "?" if op == "MIN_REPEAT" else ""
            return f"(?:{_sequence(repeated, classes)}){_times(least, most)}{lazy}"
    raise _Unknown


def _character(code: int) -> str:
    c = chr(code)
    return c if c.isascii() and c.isalnum() else rf"\x{{{code:x}}}"


def _times(least: int, most: Any) -> str:
    endless = str(most) == "MAXREPEAT"
    short = {(0, True): "*", (1, True): "+"}.get((least, endless))
    return short or f"{{{least},{'' if endless else int(most)}}}"


def _group(argument: Any, classes: dict[str, str]) -> str:
    _, added, removed, items = argument
    if (added | removed) & ~(re.I | re.M | re.S):
        raise _Unknown
    letters = [
        "".join(c for c, flag in zip("ims", (re.I, re.M, re.S), strict=True) if f & flag) for f in (added, removed)
    ]
    return f"(?{letters[0]}{'-' if removed else ''}{letters[1]}:{_sequence(items, classes)})"


def _set(items: list[Any], classes: dict[str, str]) -> str:
    negated = str(items[0][0]) == "NEGATE"
    members = items[negated:]
    if any(str(argument).startswith("CATEGORY_NOT_") for _, argument in members):
        return _set_of_negated(members, negated, classes)
    parts = []
    for op, argument in members:
        match str(op):
            case "LITERAL":
                parts.append(_character(argument))
            case "RANGE":
                parts.append(f"{_character(argument[0])}-{_character(argument[1])}")
            case _:
                parts.append(_class(str(argument), classes))
    return f"[{'^' if negated else ''}{''.join(parts)}]"


def _class(category: str, classes: dict[str, str]) -> str:
    if category == "CATEGORY_WORD":
        return f"{classes['LETTERS']}{classes['CATEGORY_DIGIT']}_"
    return classes[category]


def _set_of_negated(members: list[Any], negated: bool, classes: dict[str, str]) -> str:
    """A class negated stands alone in a set of RE2; beside others, only `[^\\W\\d_]` and its like can be said."""
    named = {str(argument) for _, argument in members}
    if len(named) == 1:
        category = next(iter(named)).replace("CATEGORY_NOT_", "CATEGORY_")
        return f"[{'' if negated else '^'}{_class(category, classes)}]"
    underscore, digits = str(ord("_")), "CATEGORY_DIGIT"
    if not negated or not named <= {"CATEGORY_NOT_WORD", digits, underscore}:
        raise _Unknown
    left = classes["LETTERS"] + ("" if digits in named else classes[digits]) + ("" if underscore in named else "_")
    return f"[{left}]"
