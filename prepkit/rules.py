"""Rules that cells and rows have to keep: one meaning, evaluated in numpy for our own sources and in the graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Policy = Literal["raise", "drop", "quarantine", "clip", "null", "flag", "warn"]
Runs = Literal["graph", "all rows", "pandera"]

# The checks that are tensor operations, by pandera's names, and three that pandera has no check for.
RANGES = ("greater_than", "greater_than_or_equal_to", "less_than", "less_than_or_equal_to", "in_range")
CHECKS = (
    *("dtype", "nullable", "finite"),
    *RANGES,
    *("equal_to", "not_equal_to", "isin", "notin"),
    *("str_matches", "str_contains", "str_startswith", "str_endswith", "str_length"),
)


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
