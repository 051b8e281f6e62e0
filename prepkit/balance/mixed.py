"""Rows of mixed columns as what samplers calculate with, and what they have made as final blocks again."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from prepkit.errors import PrepkitError
from prepkit.spec import Column, Spec

Blocks = Mapping[str, np.ndarray]
NUMBERS = ("numeric", "tensor")  # kinds that have distances; of all others only whether values are equal is known
VALUES = ("boolean", "encoded")  # of these, kinds that are numbers already, with distances that mean something


@dataclass(frozen=True)
class Patterns:
    """A column whose values are told apart, and nothing else: what all its numbers are in a row is one pattern.

    Args:
        column: for which.
        codes: int64 (rows,), the number of each row's pattern.
        rows: int64 (patterns,), for each pattern a row that has it.
        values: float64 (patterns, width) where patterns are numbers already; else None, and each is a column of its
            own, 0 or 1.
    """

    column: Column
    codes: np.ndarray
    rows: np.ndarray
    values: np.ndarray | None

    @property
    def width(self) -> int:
        """Columns of the matrix that it takes."""
        return len(self.rows) if self.values is None else self.values.shape[1]

    def as_numbers(self, codes: np.ndarray) -> np.ndarray:
        """Numbers of patterns, int64 (n,), as columns of the matrix, float64 (n, width)."""
        if self.values is not None:
            out: np.ndarray = self.values[codes]
            return out
        out = np.zeros((len(codes), self.width), np.float64)
        out[np.arange(len(codes)), codes] = 1
        return out

    def numbered(self, numbers: np.ndarray) -> np.ndarray:
        """The other way round; -1 where no row has the pattern."""
        known = self.as_numbers(np.arange(len(self.rows)))
        place = {bits: i for i, bits in enumerate(row_bytes(known).tolist())}
        return np.array([place.get(bits, -1) for bits in row_bytes(numbers).tolist()], np.int64)


@dataclass(frozen=True)
class Mixed:
    """Rows as numbers, which can be interpolated, and as patterns, which cannot.

    Args:
        spec: of the final blocks.
        blocks: of all rows.
        numbers: float64 (rows, continuous), the columns with distances, in the order of `spec.blocks()`.
        patterns: of each other column, in the same order.
    """

    spec: Spec
    blocks: Blocks
    numbers: np.ndarray
    patterns: tuple[Patterns, ...]

    @property
    def codes(self) -> np.ndarray:
        """int64 (rows, nominal): the number of each row's pattern in each column of `patterns`."""
        return _beside([p.codes for p in self.patterns], len(self.numbers))

    @property
    def width(self) -> int:
        """Columns of the matrix."""
        return int(self.numbers.shape[1]) + sum(p.width for p in self.patterns)

    def matrix(self, numbers: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """Rows, given as `numbers` and `codes` are, side by side: float64 (n, width), in the order of the blocks."""
        if not self.patterns:
            return numbers
        parts, place, left = [], 0, iter(zip(self.patterns, codes.T, strict=True))
        for _, column, _ in placed(self.spec):
            if is_nominal(column):
                pattern, own = next(left)
                parts.append(pattern.as_numbers(own))
            else:
                parts.append(numbers[:, place : place + column.width])
                place += column.width
        return np.concatenate(parts, axis=1)

    def parted(self, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the matrix as `numbers` and `codes` are; a code of -1 where no row has the pattern."""
        numbers, codes, start, left = [matrix[:, :0]], [], 0, iter(self.patterns)
        for _, column, _ in placed(self.spec):
            pattern = next(left) if is_nominal(column) else None
            width = column.width if pattern is None else pattern.width
            part = matrix[:, start : start + width]
            start += width
            if pattern is None:
                numbers.append(part)
            else:
                codes.append(pattern.numbered(part))
        return np.concatenate(numbers, axis=1), _beside(codes, len(matrix))

    def made(self, numbers: np.ndarray, codes: np.ndarray) -> dict[str, np.ndarray]:
        """Rows, given as `numbers` and `codes` are, as final blocks of the types that these have; one row at least."""
        n, place, left = len(numbers), 0, iter(zip(self.patterns, codes.T, strict=True))
        used = {name: self.blocks[name] for name in self.spec.blocks()}
        out = {name: np.empty((n, *x.shape[1:]), x.dtype) for name, x in used.items()}
        for block, column, places in placed(self.spec):
            if is_nominal(column):
                pattern, own = next(left)
                out[block][:, places] = self.blocks[block][pattern.rows[own], places]
            else:
                out[block].reshape(n, -1)[:, places] = numbers[:, place : place + column.width]
                place += column.width
        return out


def is_nominal(column: Column) -> bool:
    """Whether its values are only told apart: categories, ids, texts, booleans, and all that is encoded from them."""
    return column.kind not in NUMBERS


def is_picture(column: Column) -> bool:
    """Whether a mean of two of its values means nothing, although they are numbers: images, and integers in tensors."""
    return column.kind == "tensor" and (
        len(column.shape) != 1 or not np.issubdtype(np.dtype(column.dtype), np.floating)
    )


def placed(spec: Spec) -> Iterator[tuple[str, Column, slice]]:
    """Each column that takes room, in the order of the blocks: its block, itself, and its place in a row of it."""
    for block, columns in spec.blocks().items():
        start = 0
        for column in columns:
            if column.width:
                yield block, column, slice(start, start + column.width)
            start += column.width


def mixed(spec: Spec, blocks: Blocks) -> Mixed:
    """Final blocks of all rows, told apart by the kinds of their columns.

    Raises:
        PrepkitError: for columns with NaN or infinite numbers.
    """
    rows = len(next(iter(blocks.values())))
    numbers, patterns, missing = [np.empty((rows, 0))], [], []
    for block, columns in itertools.groupby(placed(spec), lambda place: place[0]):
        flat = blocks[block].reshape(rows, -1)
        distant, sound = np.zeros(flat.shape[1], bool), np.ones(flat.shape[1], bool)
        if np.issubdtype(flat.dtype, np.floating):
            np.all(np.isfinite(flat), axis=0, out=sound)
        for _, column, places in columns:
            if not sound[places].all():
                missing.append(column.name)
            elif is_nominal(column):
                patterns.append(_patterns(column, flat[:, places]))
            else:
                distant[places] = True
        if distant.any():
            numbers.append(flat if distant.all() else flat[:, distant])
    if missing:
        raise PrepkitError(
            f"Rebalance: columns {missing[:5]} reach the sampler with missing or infinite numbers, which it cannot "
            "take: add Impute() before it."
        )
    return Mixed(spec, blocks, np.concatenate(numbers, axis=1, dtype=np.float64), tuple(patterns))


def _patterns(column: Column, values: np.ndarray) -> Patterns:
    """Patterns in ascending order of codes and strings; in one-hot columns, in the order of the columns."""
    if values.shape[1] == 1:
        _, rows, codes = np.unique(values[:, 0], return_index=True, return_inverse=True)
    else:
        _, rows, codes = np.unique(row_bytes(values), return_index=True, return_inverse=True)
        rows, codes = rows[::-1], len(rows) - 1 - codes
    numbers = values[rows].astype(np.float64) if column.kind in VALUES else None
    return Patterns(column, codes.astype(np.int64), rows, numbers)


def row_bytes(matrix: np.ndarray) -> np.ndarray:
    """Each row of floats as one thing, equal for equal rows, 0.0 and -0.0 too; of 0 and 1 they sort as the rows do."""
    whole = np.ascontiguousarray(matrix + matrix.dtype.type(0))
    return whole.view(np.dtype((np.void, whole.dtype.itemsize * whole.shape[1]))).ravel()


def _beside(columns: Sequence[np.ndarray], rows: int) -> np.ndarray:
    return np.stack(columns, 1) if columns else np.empty((rows, 0), np.int64)
