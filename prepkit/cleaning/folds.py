"""Folds of rows: stratified by class, groups kept together."""

from __future__ import annotations

import numpy as np


def joined(alike: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    """Numbers from 0, equal for rows that are connected by equal features or an equal group, however many steps apart.

    Args:
        alike: (rows,), equal for rows of equal features.
        groups: (rows,), equal for rows of one group; None for no groups.

    Example:
        >>> joined(np.array([7, 7, 8, 9]), np.array([1, 2, 2, 3]))
        array([0, 0, 0, 1])
    """
    _, first = np.unique(alike, return_inverse=True)
    if groups is None:
        return first.astype(np.int64)
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    _, second = np.unique(groups, return_inverse=True)
    n = int(first.max(initial=-1)) + 1
    size = n + int(second.max(initial=-1)) + 1
    edges = coo_array((np.ones(len(first), np.int8), (first, n + second)), shape=(size, size))
    _, component = connected_components(edges, directed=False)
    _, number = np.unique(component[first], return_inverse=True)
    return number.astype(np.int64)


def folded(labels: np.ndarray, alike: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """The fold of each row, int64 (rows,) from 0: classes spread evenly, rows that are alike in one fold.

    The sets of rows that are alike, each counted as one row of its most frequent class, are shuffled and dealt out
    class by class, as scikit-learn's stratified K-fold does; but a class of fewer sets than folds is no error, it only
    is not in every fold. (Its StratifiedGroupKFold looks at one group after another in Python.)

    Args:
        labels: class numbers (rows,).
        alike: numbers (rows,) from 0, equal for rows that may not be parted.
        folds: how many.
        seed: of the shuffle.

    Example:
        >>> folded(np.array([0, 0, 0, 0, 1, 1]), np.array([0, 0, 1, 2, 3, 4]), 2, seed=0)
        array([1, 1, 0, 0, 0, 1])
    """
    main = most_frequent(labels, alike)
    order = np.random.default_rng(seed).permutation(len(main))
    order = order[np.argsort(main[order], kind="stable")]
    fold = np.empty(len(main), np.int64)
    fold[order] = np.arange(len(main)) % folds
    return np.asarray(fold[alike])


def most_frequent(labels: np.ndarray, alike: np.ndarray) -> np.ndarray:
    """For each set of rows that are alike, its most frequent class; of equally frequent ones the lowest."""
    classes = int(labels.max(initial=0)) + 1
    pairs, counts = np.unique(alike * classes + labels, return_counts=True)
    order = np.lexsort((pairs, -counts, pairs // classes))
    first = np.append(True, np.diff(pairs[order] // classes) > 0)
    return np.asarray(pairs[order][first] % classes)
