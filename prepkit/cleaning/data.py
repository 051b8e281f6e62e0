"""What cleaning works on and what it finds, as plain data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from prepkit.finding import Finding
from prepkit.spec import Spec

if TYPE_CHECKING:
    import pandas

KEEP, WEIGHT, DROP, RELABEL = "keep", "weight", "drop", "relabel"  # what is done with a doubted row
ACTIONS = (KEEP, WEIGHT, DROP, RELABEL)
NOTHING = "nothing"  # the treatment that leaves labels as they are
MATRIX = 100  # classes up to which the metadata hold the noise matrix: 200 kB of text


@dataclass(frozen=True)
class Table:
    """The training rows that have a label and were not refused, in the order of reading.

    Args:
        spec: the columns as the first stage sees them: which of them stand in which block.
        blocks: of packed raw columns, by name, each (rows, ...).
        labels: int32 (rows,), class numbers as given.
        class_names: in the order of the class numbers.
        weights: float32 (rows,) as given, or None.
        keys: uint64 (rows,), equal where all columns and the given label are equal; see `prepkit.cleaning.keys`.
        alike: int64 (rows,) numbers from 0, equal for rows that may not be parted by a fold: of equal features, or
            of one group.
        numbers: int64 (rows,), the number of each row in the order of reading, refused ones counted.
        read: how many rows were read, refused ones and those without a label counted.
        ids: strings (rows,), the cells of the id column, where one was named; else None.
    """

    spec: Spec
    blocks: Mapping[str, np.ndarray]
    labels: np.ndarray
    class_names: tuple[str, ...]
    weights: np.ndarray | None
    keys: np.ndarray
    alike: np.ndarray
    numbers: np.ndarray
    read: int = 0
    ids: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Noise:
    """How labels go wrong, as cleanlab estimates it from out-of-sample probabilities.

    Args:
        matrix: float64 (classes, classes), P(given label is the row | true label is the column): columns sum to 1.
        rate: estimated share of wrong labels, 0 to 1. It is not the share of flagged rows.
        interval: of the rate, 95 %, by bootstrap over rows; it does not cover what the probabilities get wrong.
        approximate: whether the batched form was used, which flags somewhat fewer rows.
    """

    matrix: np.ndarray
    rate: float
    interval: tuple[float, float]
    approximate: bool = False


@dataclass(frozen=True)
class Decisions:
    """What is done with rows, found by their key in whatever order they come.

    Args:
        keys: uint64 (n,), each once.
        classes: int32 (n,), the class number that the row trains on.
        weights: float32 (n,), 0 to 1, by which its weight is multiplied; 0 where the row is left out.
    """

    keys: np.ndarray
    classes: np.ndarray
    weights: np.ndarray

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(frozen=True)
class Candidate:
    """One way to treat doubted rows, and how it fared on rows that it had not touched.

    Args:
        action: "nothing", "weight", "drop", "relabel" (where sure, the rest kept) or "relabel and drop", with how sure
            it has to be, behind "all that disagree: " if it treats all rows whose label is not the most probable class
            rather than those that are flagged.
        gain: of held-out accuracy over "nothing", as a share of rows: 0.01 is one point.
        error: the standard error of that gain.
        rows: how many training rows it would change.
        taken: whether it was.
    """

    action: str
    gain: float
    error: float
    rows: int
    taken: bool = False


@dataclass(frozen=True)
class Cleaning:
    """What `CleanLabels` has found and done: `prepared.cleaning`.

    Args:
        action: as asked: "auto", "relabel", "drop", "weight" or "report".
        taken: what was done: one of the candidates' actions; "nothing" where nothing was.
        source: where the probabilities come from, in words, as "gradient boosting, 5 folds".
        rows: how many rows were looked at.
        accuracy: share of rows whose given label is the most probable one out of sample.
        chance: the share of the most frequent class, which that has to beat.
        class_names: in the order of the class numbers.
        noise: the noise matrix, and the estimated share of wrong labels.
        candidates: what "auto" or "relabel" compared; empty for the other actions.
        findings: what else is to be known: classes left alone, folds done again, caps reached.
        issues: each column of `label_issues`, for doubted rows only, the most doubted first.
        shown: the raw cells of the first of `issues`, by column: numbers or strings (n,), tensors (n, ...).
        decisions: what is done with rows.
        counts: rows of each class that are left to train on.
        probabilities: float32 (rows, classes), out of sample, of the rows whose numbers are in `judged`.
        judged: int64 (n,), the numbers of the rows that were judged, in the order of reading.
        confirmed: how many rows a person has put right, by `confirmed=`; they are in no list of doubted rows.
        seconds: how long each part took, by its name.
    """

    action: str
    taken: str
    source: str
    rows: int
    accuracy: float
    chance: float
    class_names: tuple[str, ...]
    noise: Noise
    candidates: tuple[Candidate, ...]
    findings: tuple[Finding, ...]
    issues: Mapping[str, np.ndarray] = field(repr=False)
    shown: Mapping[str, Any] = field(repr=False)
    decisions: Decisions = field(repr=False)
    counts: tuple[int, ...] = ()
    probabilities: np.ndarray | None = field(default=None, repr=False)
    judged: np.ndarray | None = field(default=None, repr=False)
    confirmed: int = 0
    seconds: Mapping[str, float] = field(default_factory=dict, repr=False)

    @property
    def pairs(self) -> tuple[Mapping[str, Any], ...]:
        """Doubted rows by given and suggested label, the most frequent pair first, and what was done with them."""
        columns = (np.asarray(self.issues.get(name, ())).tolist() for name in ("given", "suggested", "action"))
        told = zip(*(map(str, column) for column in columns), strict=True)
        found: dict[tuple[str, str], Counter[str]] = {}
        for given, suggested, action in told:
            found.setdefault((given, suggested), Counter())[action] += 1
        listed = sorted(found.items(), key=lambda pair: -pair[1].total())
        return tuple({"given": g, "suggested": s, "doubted": n.total(), **n} for (g, s), n in listed)

    def to_json(self) -> dict[str, Any]:
        """What is worth keeping beside the rows, as plain values; the noise matrix of up to 100 classes."""
        rate, interval = self.noise.rate, self.noise.interval
        return {
            "action": self.action,
            "taken": self.taken,
            "source": self.source,
            "rows": self.rows,
            "doubted": len(self.issues["key"]),
            "confirmed": self.confirmed,
            "accuracy": _finite(self.accuracy),
            "chance": _finite(self.chance),
            "noise_rate": _finite(rate),
            "noise_interval": [_finite(x) for x in interval],
            "noise_matrix": self.noise.matrix.tolist() if len(self.class_names) <= MATRIX else None,
            "approximate": self.noise.approximate,
            "candidates": [asdict(c) for c in self.candidates],
            "pairs": [dict(p) for p in self.pairs],
            "findings": [f.to_json() for f in self.findings],
        }

    def to_html(self, path: str | Path) -> Path:
        """Write one HTML page of the most doubted rows, images as images, with the noise matrix as a plot.

        Raises:
            PrepkitError: if it cannot be written.
        """
        from prepkit.cleaning.page import to_html

        return to_html(self, path)

    def __str__(self) -> str:
        from prepkit.cleaning.draw import summary
        from prepkit.report.terminal import as_text

        return as_text(summary(self))

    @cached_property
    def label_issues(self) -> pandas.DataFrame:
        """A row for each doubted row, the most doubted first, by its key.

        The key is 16 hexadecimal digits, or the id where one was named. `row`: its number in the order of reading;
        `given`, `suggested`: class names; `self_confidence`: the probability of the given label, `confidence` that of
        the suggested one, `margin` the difference, all out of sample; `action`: "keep", "weight", "drop" or
        "relabel"; `weight`: by which the row's weight was multiplied; `reason`: in words.
        """
        import pandas as pd

        return pd.DataFrame(dict(self.issues)).set_index("key")


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


ISSUE_COLUMNS: Sequence[str] = (
    "key", "row", "given", "suggested", "self_confidence", "confidence", "margin", "action", "weight", "reason"
)  # fmt: skip
