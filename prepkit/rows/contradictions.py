"""Find rules of one column that no value can keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from prepkit.errors import PrepkitError
from prepkit.rows.schema_checks import MEMBERS, Cells
from prepkit.rules import RANGES, Rule, bounds, broken_numbers, broken_words

ABOUT_VALUES = (*RANGES, "equal_to", "not_equal_to", "isin", "notin")
ABOUT_TEXTS = ("str_matches", "str_contains", "str_startswith", "str_endswith", "str_length")


def refuse_contradictions(rules: Sequence[Rule], cells: Mapping[str, Cells]) -> None:
    """Raise where two rules of a column, or one alone, leave no value.

    Looked at are ranges, lists of values and lengths; what two regular expressions leave is not known.

    Args:
        rules: of any columns.
        cells: what the cells of each column are.

    Raises:
        PrepkitError: naming both rules.
    """
    by_column: dict[str, list[Rule]] = {}
    for rule in rules:
        if rule.runs == "graph" and rule.policy != "warn" and rule.check in (*ABOUT_VALUES, *ABOUT_TEXTS):
            by_column.setdefault(rule.columns[0], []).append(rule)
    for name, own in by_column.items():
        for rule in own:
            if _leaves_nothing(rule):
                raise PrepkitError(f"schema: {rule.text} of column {name!r} allows no value at all: correct it.")
        for one, other in combinations(own, 2):
            if _contradict(one, other, cells[name]):
                raise PrepkitError(
                    f"schema: {one.text} and {other.text} of column {name!r} contradict each other, as no value keeps "
                    "both: take one of them out, or correct it."
                )


def _leaves_nothing(rule: Rule) -> bool:
    if rule.check == "isin":
        return not rule.arguments["allowed_values"]
    if rule.check == "str_length":
        return _disjoint(rule, rule)
    return rule.check in RANGES and _disjoint(rule, rule)


def _contradict(one: Rule, other: Rule, cells: Cells) -> bool:
    for first, second in ((one, other), (other, one)):
        values = _listed(first)
        if values is not None and (second.check in ABOUT_VALUES or cells in ("strings", "categories")):
            return bool(_broken(second, values, cells).all())
    ranges = one.check in RANGES and other.check in RANGES
    return (ranges or (one.check == other.check == "str_length")) and _disjoint(one, other)


def _listed(rule: Rule) -> list[object] | None:
    """The values that the rule allows, where they are listed."""
    if rule.check == "equal_to":
        return [rule.arguments["value"]]
    return list(rule.arguments[MEMBERS["isin"]]) if rule.check == "isin" else None


def _broken(rule: Rule, values: Sequence[object], cells: Cells) -> np.ndarray:
    if cells in ("numbers", "times"):
        return np.asarray(broken_numbers(rule, np.array(values, np.float64)))
    return broken_words(rule, [str(v) for v in values])


def _disjoint(one: Rule, other: Rule) -> bool:
    """Whether two ranges, or two of lengths, have nothing in common."""
    (low_1, high_1, with_low_1, with_high_1), (low_2, high_2, with_low_2, with_high_2) = _range(one), _range(other)
    low, high = max(low_1, low_2), min(high_1, high_2)
    if low != high:
        return low > high
    ends = [
        with_low_1 or low_1 < low,
        with_low_2 or low_2 < low,
        with_high_1 or high_1 > high,
        with_high_2 or high_2 > high,
    ]
    return not all(ends)


def _range(rule: Rule) -> tuple[float, float, bool, bool]:
    if rule.check != "str_length":
        return bounds(rule)
    a = rule.arguments
    if a["exact_value"] is not None:
        return a["exact_value"], a["exact_value"], True, True
    least, most = a["min_value"], a["max_value"]
    return 0 if least is None else least, np.inf if most is None else most, True, True
