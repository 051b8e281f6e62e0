"""The columns that reach the model as proxies take them: un-encoded for trees, numbers side by side for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from prepkit.cleaning.data import Table
from prepkit.spec import CODES, NUMBERS, STRINGS, Column

CATEGORIES = 250  # of a column, that are told apart: scikit-learn's gradient boosting can 255
SHOWN = 50  # categories of a column that get a column of their own
WORDS = 4096  # columns that the words of a text are hashed into, before they are brought to few dimensions
WIDE = 256  # columns from which on they are brought to few dimensions
DIMENSIONS = 64  # and to how many: 98 % of the variance of scikit-learn's digits takes 41
SQUASHED_AT = 3.0  # as in Rescale("squash"): numbers beyond so many interquartile ranges are brought closer


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

        Missing and infinite cells are NaN; the categories beyond `CATEGORIES` are one. Texts and tensors are left out.
        """
        parts = []
        for column in self._numbers:
            x = self._of(column)[rows].astype(np.float32)
            parts.append(np.where(np.isfinite(x), x, np.float32(np.nan)))
        for column in self._codes:
            codes = self._of_codes[column.name][rows]
            parts.append(np.where(codes < 0, np.float32(np.nan), codes.astype(np.float32)))
        return np.stack(parts, 1) if parts else np.empty((len(rows), 0), np.float32)

    def encoded(self, rows: np.ndarray) -> np.ndarray:
        """Numbers squashed and standardised, categories one-hot, texts and images in few dimensions: float32."""
        if self._side_by_side is None:
            self._side_by_side = self._fitted()
        fixed, texts, reduction = self._side_by_side
        wide = self._wide(rows, fixed, texts)
        if reduction is None:
            return wide
        scores = reduction.transform(wide)
        return np.asarray(scores / np.sqrt(reduction.explained_variance_[0]), np.float32)

    def _fitted(self) -> tuple[Any, list[Any], Any]:
        from sklearn.decomposition import PCA

        fixed, matrix = None, self.uncoded(self._sample)
        if matrix.shape[1]:
            fixed = _transformer(self.categorical).fit(matrix)
        texts = [_text_reducer(self._seed).fit(self._of(c)[self._sample]) for c in self._texts]
        wide = self._wide(self._sample, fixed, texts)
        if wide.shape[1] <= WIDE or len(wide) <= DIMENSIONS:
            return fixed, texts, None
        return fixed, texts, PCA(DIMENSIONS, svd_solver="randomized", random_state=self._seed).fit(wide)

    def _wide(self, rows: np.ndarray, fixed: Any, texts: Sequence[Any]) -> np.ndarray:
        parts = [] if fixed is None else [fixed.transform(self.uncoded(rows))]
        parts += [reducer.transform(self._of(c)[rows]) for c, reducer in zip(self._texts, texts, strict=True)]
        for column in self._tensors:
            x = self.table.blocks[column.block][rows].reshape(len(rows), -1).astype(np.float32)
            parts.append(np.nan_to_num(x / self._largest(column), nan=0.0, posinf=0.0, neginf=0.0))
        return np.concatenate(parts, 1).astype(np.float32) if parts else np.zeros((len(rows), 1), np.float32)

    def _largest(self, column: Column) -> float:
        """The deviation of the numbers of a tensor in the sample: one scale for all, as for an image."""
        x = self.table.blocks[column.block][self._sample].astype(np.float64)
        return float(np.nanstd(x[np.isfinite(x)])) or 1.0

    def _as_codes(self, column: Column) -> np.ndarray:
        cells = self._of(column)
        if column.block == STRINGS:
            import pandas as pd

            cells = pd.factorize(pd.Series(cells).replace("", None))[0]
        return _by_frequency(cells)

    def _of(self, column: Column) -> np.ndarray:
        block, i = self._places[column.name]
        return np.asarray(self.table.blocks[block][:, i])


def _by_frequency(codes: np.ndarray) -> np.ndarray:
    """Codes anew, 0 for the most frequent, `CATEGORIES` for all that are rare; negative ones stay."""
    counts = np.bincount(codes[codes >= 0], minlength=1)
    rank = np.empty(len(counts), np.int16)
    rank[np.argsort(-counts, kind="stable")] = np.minimum(np.arange(len(counts)), CATEGORIES)
    return np.where(codes < 0, np.int16(-1), rank[np.maximum(codes, 0)])


def _transformer(categorical: np.ndarray) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, RobustScaler, StandardScaler

    # So that support vectors are not ruled by outliers; medians and scales first, NaN aside.
    squashed = make_pipeline(RobustScaler(), FunctionTransformer(_squashed), StandardScaler())
    numbers = make_pipeline(squashed, SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True))
    one_hot = OneHotEncoder(max_categories=SHOWN, handle_unknown="infrequent_if_exist", sparse_output=False)
    return ColumnTransformer(
        [("numbers", numbers, np.flatnonzero(~categorical)), ("categories", one_hot, np.flatnonzero(categorical))]
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
