"""What cleaning may have found, made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from prepkit.cleaning.data import DROP, KEEP, RELABEL, WEIGHT, Candidate, Cleaning, Decisions, Noise
from prepkit.finding import Finding

HOSTILE = "<script>alert('x')</script>\"[red]\x00\x1b"
ARABIC = "\u202e\u0645\u0631\u062d\u0628\u0627"  # from right to left, after what turns all that follows it
EMPTY: Mapping[str, Sequence[Any]] = {}
FINDINGS = (
    Finding("labels.few", "warning", "label 'kind'", {"classes": [HOSTILE], "rows": 3}, "Collect more rows.", ""),
    Finding("cleaning.fold", "info", "fold 2", {"loss": float("nan")}, HOSTILE, ""),
)
CANDIDATES = (
    Candidate("nothing", 0.0, 0.0, 0),
    Candidate("weight", 0.0061, 0.0042, 64),
    Candidate("drop", -0.0031, 0.0047, 64),
    Candidate("relabel", 0.0205, 0.0051, 23),
    Candidate("relabel and drop", 0.0312, 0.0048, 64, taken=True),
)


def noise(classes: int, seed: int = 0, rate: float = 0.1) -> Noise:
    """A matrix whose columns sum to 1, each of which has `rate` of its mass beside the diagonal."""
    rng = np.random.default_rng(seed)
    beside = rng.exponential(size=(classes, classes)) ** 2 * (1 - np.eye(classes))
    beside *= rate / np.maximum(beside.sum(0), 1e-12)
    return Noise(beside + np.diag(1 - beside.sum(0)), rate, (0.75 * rate, 1.25 * rate))


def issues(
    given: Sequence[str], suggested: Sequence[str], actions: Sequence[str], keys: Sequence[Any] = ()
) -> dict[str, np.ndarray]:
    """Doubted rows, their probabilities rising and falling by their place."""
    n = len(given)
    low, high = 0.01 + 0.4 * np.arange(n) / max(1, n), 0.97 - 0.4 * np.arange(n) / max(1, n)
    return {
        "key": np.array(list(keys) or [f"{(7919 * (i + 1)) ** 4 % 2**64:016x}" for i in range(n)]),
        "row": np.array([(7919 * i) % 10_007 for i in range(n)], np.int64),
        "given": np.array(given, object),
        "suggested": np.array(suggested, object),
        "self_confidence": low,
        "confidence": high,
        "margin": low - high,
        "action": np.array(actions, object),
        "weight": np.array([{DROP: 0.0, WEIGHT: 0.25}.get(a, 1.0) for a in actions], np.float32),
        "reason": np.array([f"reason {i} for {a}" for i, a in enumerate(actions)], object),
    }


def cleaning(
    names: Sequence[str] = ("a", "b"),
    found: Mapping[str, Any] = EMPTY,
    shown: Mapping[str, Any] = EMPTY,
    **more: Any,
) -> Cleaning:
    """What "auto" may have found; `more` are other fields."""
    none = Decisions(np.zeros(0, np.uint64), np.zeros(0, np.int32), np.zeros(0, np.float32))
    facts = {
        "action": "auto",
        "taken": "relabel and drop" if len(found) else "nothing",
        "source": "gradient boosting, 5 folds",
        "rows": 1000,
        "accuracy": 0.8312,
        "chance": 0.4123,
        "class_names": tuple(names),
        "noise": noise(len(names)),
        "candidates": CANDIDATES,
        "findings": (),
        "issues": found or issues([], [], []),
        "shown": shown,
        "decisions": none,
    }
    return Cleaning(**facts | more)  # type: ignore[arg-type]


def tabular(rows: int = 60, columns: int = 0) -> Cleaning:
    """Numbers, words and text, some hostile; with `columns` more of numbers."""
    rng = np.random.default_rng(1)
    names = ("cat", "dog " + HOSTILE, ARABIC)
    places = np.arange(rows) % 3
    actions = [(RELABEL, DROP, DROP, KEEP)[i % 4] for i in range(rows)]
    found = issues(
        [names[i] for i in places], [names[(i + 1 + j // 10 % 2) % 3] for j, i in enumerate(places)], actions
    )
    shown: dict[str, Any] = {
        "age": np.where(np.arange(rows) == 2, np.nan, rng.integers(18, 90, rows)),
        "price <b>": rng.lognormal(3, 2, rows),
        "member": np.arange(rows) % 2 == 0,
        "job": np.array([("cook", HOSTILE, ARABIC, None, "")[i % 5] for i in range(rows)], object),
        "story": np.array(
            [f"{'word ' * 80}{HOSTILE}".encode() if i % 2 else "short\nstory" for i in range(rows)], object
        ),
        "signal": rng.normal(size=(rows, 20)).astype(np.float32),
    }
    shown |= {f"x{i}": rng.normal(size=rows).astype(np.float32) for i in range(columns)}
    return cleaning(names, found, shown, findings=FINDINGS)
