"""The columns that reach the model as proxies take them: un-encoded for trees, numbers side by side for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from prepkit.cleaning.data import Table
from prepkit.spec import CODES, NUMBERS, STRINGS, Column

CATEGORIES = 250  # of a column, that are told apart: scikit-learn's gradient boosting can 255
SHOWN = 50  # categories of a column that get a column of their own
WORDS = 4096  # columns that the words of a text are hashed into, before they are brought to few dimensions
WIDE = 256  # columns from which on they are brought to few dimensions
DIMENSIONS = 64  # and to how many: 98 % of the variance of scikit-learn's digits takes 41
SQUASHED_AT = 3.0  # as in Rescale("squash"): numbers beyond so many interquartile ranges are brought closer
MOST = float(np.finfo(np.float32).max)
DEVIATIONS = 1e4  # the most that a cell of a tensor counts, so that squares of sums over an image stay finite


class Design:
    """Columns of a table for proxies.

    Args:
        table: the training rows.
        columns: those that reach the model; ids and dropped columns are not among them.
        sample: numbers of rows, by which medians, scales and dimensions are measured.
        seed: of the dimensions.
    """

    def __init__(self, table: Table, columns: Sequence[Column], sample: np.ndarray, seed: int) -> None:
        self.table = table
        self._places = {c.name: (block, i) for block, cs in table.spec.blocks().items() for i, c in enumerate(cs)}
        self._numbers = [c for c in columns if c.block in NUMBERS]
        self._codes = [c for c in columns if c.block == CODES or (c.block == STRINGS and c.kind == "categorical")]
        self._of_codes = {c.name: self._as_codes(c) for c in self._codes}
        self._texts = [c for c in columns if c.block == STRINGS and c.kind != "categorical"]
        self._tensors = [c for c in columns if c.block.startswith("tensor:")]
        self._seed = seed % 2**32
        self._sample = sample
        self._side_by_side: Any = None

    @property
    def categorical(self) -> np.ndarray:
        """Which columns of `uncoded` are categories."""
        return np.array([False] * len(self._numbers) + [True] * len(self._codes), bool)

    @property
    def is_table(self) -> bool:
        """Whether the columns are numbers and categories, for the most part: few tensors, which trees cannot use."""
        return bool(self._numbers or self._codes) and not self._tensors

    def uncoded(self, rows: np.ndarray) -> np.ndarray:
        """Numbers as they are, then categories by falling frequency from 0: float32 (rows, columns).

        Missing and infinite cells are NaN, finite ones beyond float32 its extremes; the categories beyond `CATEGORIES`
        are one. Texts and tensors are left out.
        """
        parts = []
        for column in self._numbers:
            parts.append(_narrowed(self._of(column)[rows], np.nan))
        for column in self._codes:
            codes = self._of_codes[column.name][rows]
            parts.append(np.where(codes < 0, np.float32(np.nan), codes.astype(np.float32)))
        return np.stack(parts, 1) if parts else np.empty((len(rows), 0), np.float32)

    def encoded(self, rows: np.ndarray) -> np.ndarray:
        """Numbers squashed and standardised, categories one-hot, texts and images in few dimensions: float32, finite.

        Columns of numbers that are missing in all of the sample are left out; without any column there is one of 0.
        """
        if self._side_by_side is None:
            self._side_by_side = self._fitted()
        fixed, reduction = self._side_by_side
        wide = self._wide(rows, fixed)
        if reduction is None:
            return wide
        scores = reduction.transform(wide)
        return np.asarray(scores / (np.sqrt(reduction.explained_variance_[0]) or 1.0), np.float32)

    def _fitted(self) -> tuple[_Fixed, Any]:
        from sklearn.decomposition import PCA

        scalar, matrix = None, self.uncoded(self._sample)
        used = self.categorical | np.isfinite(matrix).any(0)
        if used.any():
            scalar = _transformer(used & ~self.categorical, self.categorical).fit(matrix.astype(np.float64))
        with np.errstate(divide="ignore", invalid="ignore"):  # shares of a variance of 0, which nobody asks for
            texts = [_text_reducer(self._seed).fit(self._of(c)[self._sample]) for c in self._texts]
            fixed = _Fixed(scalar, texts, [self._deviation(c) for c in self._tensors])
            wide = self._wide(self._sample, fixed)
            if wide.shape[1] <= WIDE or len(wide) <= DIMENSIONS:
                return fixed, None
            return fixed, PCA(DIMENSIONS, svd_solver="randomized", random_state=self._seed).fit(wide)

    def _wide(self, rows: np.ndarray, fixed: _Fixed) -> np.ndarray:
        # As float64, for squares of the largest float32 are none.
        parts = [] if fixed.scalar is None else [fixed.scalar.transform(self.uncoded(rows).astype(np.float64))]
        parts += [reducer.transform(self._of(c)[rows]) for c, reducer in zip(self._texts, fixed.texts, strict=True)]
        for column, deviation in zip(self._tensors, fixed.deviations, strict=True):
            x = _narrowed(self.table.blocks[column.block][rows].reshape(len(rows), -1), 0.0)
            with np.errstate(over="ignore"):
                parts.append(np.clip(x / np.float32(deviation), -DEVIATIONS, DEVIATIONS))
        return np.concatenate(parts, 1).astype(np.float32) if parts else np.zeros((len(rows), 1), np.float32)

    def _deviation(self, column: Column) -> float:
        """Of the numbers of a tensor in the sample: one scale for all, as for an image."""
        x = _narrowed(self.table.blocks[column.block][self._sample], np.nan)
        x = x[np.isfinite(x)]
        deviation = float(x.std(dtype=np.float64)) if len(x) else 0.0
        return deviation if deviation > np.finfo(np.float32).tiny else 1.0

    def _as_codes(self, column: Column) -> np.ndarray:
        cells = self._of(column)
        if column.block == STRINGS:
            import pandas as pd

            words = np.array(_strings(cells), object)
            words[words == ""] = None
            cells = pd.factorize(words)[0]
        return _by_frequency(cells)

    def _of(self, column: Column) -> np.ndarray:
        block, i = self._places[column.name]
        return np.asarray(self.table.blocks[block][:, i])


class _Fixed(NamedTuple):
    """What brings columns side by side, as measured on the sample."""

    scalar: Any  # of numbers and categories, or None
    texts: list[Any]  # of each text
    deviations: list[float]  # of each tensor


def _narrowed(x: np.ndarray, instead: float) -> np.ndarray:
    """As float32: finite numbers beyond it at its extremes, `instead` of those that are not finite."""
    if x.dtype == np.float64:
        x = np.where(np.isfinite(x), np.clip(x, -MOST, MOST), instead)
    x = x.astype(np.float32)
    return np.where(np.isfinite(x), x, np.float32(instead))


def _by_frequency(codes: np.ndarray) -> np.ndarray:
    """Codes anew, 0 for the most frequent, `CATEGORIES` for all that are rare; negative ones stay."""
    counts = np.bincount(codes[codes >= 0], minlength=1)
    rank = np.empty(len(counts), np.int16)
    rank[np.argsort(-counts, kind="stable")] = np.minimum(np.arange(len(counts)), CATEGORIES)
    return np.where(codes < 0, np.int16(-1), rank[np.maximum(codes, 0)])


def _transformer(numeric: np.ndarray, categorical: np.ndarray) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, RobustScaler, StandardScaler

    # So that support vectors are not ruled by outliers; medians and scales first, NaN aside.
    squashed = make_pipeline(RobustScaler(), FunctionTransformer(_squashed), StandardScaler())
    numbers = make_pipeline(squashed, SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True))
    one_hot = OneHotEncoder(max_categories=SHOWN, handle_unknown="infrequent_if_exist", sparse_output=False)
    return ColumnTransformer(
        [("numbers", numbers, np.flatnonzero(numeric)), ("categories", one_hot, np.flatnonzero(categorical))]
    )


def _squashed(x: np.ndarray) -> np.ndarray:
    return np.asarray(x / np.sqrt(1 + (x / SQUASHED_AT) ** 2))


def _text_reducer(seed: int) -> Any:
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import HashingVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    words = HashingVectorizer(n_features=WORDS, alternate_sign=False)
    return make_pipeline(FunctionTransformer(_strings), words, TruncatedSVD(DIMENSIONS, random_state=seed))


def _strings(cells: np.ndarray) -> list[str]:
    return [c.decode("utf-8", "replace") if isinstance(c, bytes) else str(c) for c in cells.tolist()]
