"""What a sampler is asked for, judged before it is run, and what it has given back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from prepkit.balance.mixed import row_bytes
from prepkit.errors import PrepkitError
from prepkit.spec import Column

MOST = 8 * 2**30  # bytes; beyond, machines of 16 GB begin to swap, beside TensorFlow and the data themselves
COPIES = 4  # of all rows at the peak: by tracemalloc 2.5 to 3.8, for nine samplers on 20,000 x 100 numbers
PIECE_BYTES = 2**30  # of distances, by scikit-learn's working_memory; their order takes as much again
PIECE = 8192  # rows that are compared at a time, lest all be copied
PICTURES = (
    "a mean of two images, or of two integers in a tensor, is none: use 'oversample' or RandomOverSampler, which "
    "repeat rows by index, or make floats of shape (n,) of it before."
)
NUMBERS_ONLY = (
    "it makes values between or beside those that there are, where categories have none: use SMOTE, which turns into "
    "SMOTENC for them by itself, or 'oversample', or Drop() them."
)
FRACTIONAL = (
    "it has made values that no row has, as half a category: use SMOTE, which keeps categories whole, or Drop() them."
)


# -- before --------------------------------------------------------------------------------------


def check_memory(name: str, rows: int, width: int, instead: str, more: int = 0) -> None:
    """Refuse what would not fit.

    Args:
        name: of the sampler.
        rows: after resampling.
        width: numbers a row.
        instead: the kind that reaches the same without holding rows twice.
        more: bytes that it takes besides.

    Raises:
        PrepkitError: above 8 GiB, with the figure.
    """
    need = rows * width * 8 * COPIES + more
    if need > MOST:
        raise PrepkitError(
            f"Rebalance: {name} would take about {need / 2**30:,.1f} GiB for {rows:,} rows of {width:,} numbers, more "
            f"than the {MOST // 2**30} GiB that are allowed: use {instead!r}, which chooses rows by index or in the "
            "stream without holding them twice, or fewer columns, by OneHot(max_categories=...) or Drop()."
        )


def check_columns(name: str, columns: Iterable[Column], why: str) -> None:
    """Refuse columns that a sampler cannot make rows of.

    Raises:
        PrepkitError: if there are any; it names them, and ends in `why`.
    """
    if names := [c.name for c in columns]:
        some = ", ".join(map(repr, names[:5])) + ", ..." * (len(names) > 5)
        raise PrepkitError(f"Rebalance: {name} cannot make rows of column{'s' * (len(names) > 1)} {some}: {why}")


def check_aim(name: str, aim: Any, counts: np.ndarray, *, cleans: bool) -> None:
    """Refuse a ratio, or counts, where imbalanced-learn knows none.

    Raises:
        PrepkitError: for a ratio of more than two classes, and for both if the sampler `cleans`.
    """
    ratio = isinstance(aim, Real)
    if cleans and (ratio or isinstance(aim, Mapping)):
        raise PrepkitError(
            f"Rebalance: sampling_strategy={aim!r}, but {name} leaves out the rows that it finds in the way, however "
            "many: name the classes that it may take them of, as in ['no'], or use 'majority', 'not minority' or 'all'."
        )
    classes = int((counts > 0).sum())
    if ratio and classes > 2:
        raise PrepkitError(
            f"Rebalance: sampling_strategy={aim:g} is a ratio, which {name} takes for two classes only, and there are "
            f"{classes}: give rows by class, {{class: rows}}, or use 'oversample' or 'undersample', which bring all "
            "classes to a ratio."
        )


def enough(
    name: str, need: int, more: Mapping[int, int], counts: np.ndarray, class_names: Sequence[str], fewer: bool
) -> int:
    """How many rows of a class, a row and its neighbours, a sampler can look at: `need`, or fewer.

    Args:
        name: of the sampler.
        need: how many it wants to look at.
        more: rows that it is to make, by class number.
        counts: int64 (classes,), rows that there are.
        class_names: in the order of `counts`.
        fewer: whether fewer may do.

    Raises:
        PrepkitError: if a class that is to be enlarged is too small, and fewer may not do or it has a single row.
    """
    grown = [i for i, rows in more.items() if rows > 0]
    least = min(grown, key=lambda i: int(counts[i]), default=None)
    if least is None or counts[least] >= need:
        return need
    there, class_name = int(counts[least]), class_names[least]
    if there == 1:
        raise PrepkitError(
            f"Rebalance: class {class_name!r} has a single row, so that {name} has nothing to interpolate it with: use "
            "'oversample', which repeats it, or leave the class out of sampling_strategy."
        )
    if not fewer:
        raise PrepkitError(
            f"Rebalance: class {class_name!r} has {there} rows, too few for {name}, which looks at {need - 1} "
            f"neighbours: set fewer_neighbors=True, or {there - 1} neighbours at most in its settings (k_neighbors, or "
            "n_neighbors of ADASYN), or use 'oversample'."
        )
    return there


def between(counts: np.ndarray, more: Mapping[int, int]) -> int:
    """Bytes of the distances between all rows of a class, where a sampler holds them; measured: 2.1 times of each."""
    return max((3 * 8 * int(counts[i]) ** 2 for i, rows in more.items() if rows > 0), default=0)


def neighbourhoods(k: int, width: int, counts: np.ndarray, more: Mapping[int, int]) -> int:
    """Bytes that SMOTENC takes to find neighbours in a class, and to hold those of all rows that it makes there.

    Distances come in pieces; of neighbours, categories as columns, 1.3 to 1.8 times was measured.
    """
    return max(
        (
            min(2 * 8 * int(counts[i]) ** 2, 2 * PIECE_BYTES) + 2 * 8 * rows * k * width
            for i, rows in more.items()
            if rows
        ),
        default=0,
    )


# -- behind --------------------------------------------------------------------------------------


class Resampled(NamedTuple):
    """What `fit_resample` has returned.

    Args:
        rows: int64 (n,), the number of each row among those given, or -1 where it was made.
        labels: int32 (n,), class numbers.
        made: float64 (m, width), the rows that were made.
    """

    rows: np.ndarray
    labels: np.ndarray
    made: np.ndarray


def resampled(
    name: str, matrix: np.ndarray, labels: np.ndarray, returned: Any, indices: Any, classes: int
) -> Resampled:
    """Which of the rows that a sampler has returned are those given, and which are made.

    By the indices that it tells, where they are right; else the first ones, where they are the same; else by what rows
    hold, each row given no more often than it occurs.

    Args:
        name: of the sampler.
        matrix: float64 (rows, width), as given to it.
        labels: int32 (rows,), as given to it.
        returned: by `fit_resample`.
        indices: `sample_indices_`, or None.
        classes: how many there are.

    Raises:
        PrepkitError: for a result that is none.
    """
    x, y = _checked(name, matrix.shape[1], returned, classes)
    rows = np.full(len(x), -1, np.int64)
    n = len(matrix)
    if _right(indices, matrix, labels, x, y):
        rows = np.asarray(indices, np.int64)
    elif len(x) >= n and np.array_equal(x[:n], matrix) and np.array_equal(y[:n], labels):
        rows[:n] = np.arange(n)
    else:
        rows = _matched(name, matrix, labels, x, y)
    return Resampled(rows, y, x[rows < 0])


def _checked(name: str, width: int, returned: Any, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """What was returned, as float64 (n, width) and int32 (n,)."""

    def refuse(what: str) -> PrepkitError:
        return PrepkitError(f"Rebalance: {name} has returned {what}: it cannot be used as a sampler of training rows.")

    if not isinstance(returned, tuple) or len(returned) != 2:
        raise refuse(f"{type(returned).__name__} rather than X and y")
    x, y = returned[0], np.asarray(returned[1])
    x = np.asarray(x.toarray() if hasattr(x, "toarray") else x, np.float64)  # of a sparse matrix
    if x.ndim != 2 or x.shape[1] != width:
        raise refuse(f"an X of shape {x.shape} for one of {width} columns")
    if y.shape != (len(x),):
        raise refuse(f"{len(x):,} rows with labels of shape {y.shape}")
    if not np.isfinite(x).all():
        raise refuse("NaN or infinite numbers")
    if not np.isin(y, np.arange(classes)).all():
        raise refuse(f"labels that are no class numbers from 0 to {classes - 1}, which it was given")
    return x, y.astype(np.int32)


def _right(indices: Any, matrix: np.ndarray, labels: np.ndarray, x: np.ndarray, y: np.ndarray) -> bool:
    """Whether the rows told are those returned; RandomOverSampler with shrinkage tells some that it has moved."""
    if indices is None or len(indices) != len(x):
        return False
    pieces = (slice(start, start + PIECE) for start in range(0, len(x), PIECE))
    return np.array_equal(labels[indices], y) and all(np.array_equal(matrix[indices[p]], x[p]) for p in pieces)


def _matched(name: str, matrix: np.ndarray, labels: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    left: dict[tuple[bytes, int], list[int]] = defaultdict(list)
    for i, key in reversed(list(enumerate(zip(row_bytes(matrix).tolist(), labels.tolist(), strict=True)))):
        left[key].append(i)
    keys = list(zip(row_bytes(x).tolist(), y.tolist(), strict=True))
    rows = [left[key].pop() if left.get(key) else -1 for key in keys]
    unused = {bits for (bits, _), places in left.items() if places}
    changed = sum(row < 0 and bits in unused for row, (bits, _) in zip(rows, keys, strict=True))
    if changed:
        raise PrepkitError(
            f"Rebalance: {name} has returned {changed:,} rows of the data with another label: a sampler may not change "
            "labels; to correct wrong ones, use CleanLabels()."
        )
    return np.array(rows, np.int64)
