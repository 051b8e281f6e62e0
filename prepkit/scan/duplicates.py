"""Rows that repeat an earlier one, told by a 64-bit hash of each row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from prepkit.scan.vocabulary import Coded

CAP = 2**20  # hashes held, with their counts 16 MB, and for some time twice as many
PIECE = 65_536  # rows at a time, so that the intermediate arrays stay in the cache
HASHED = 2**17  # keys from which on it pays to import pandas for its hash table
CLASS_BITS = 12
CLASSES = 2**CLASS_BITS - 1  # that are told apart; further ones share a number with an earlier one
_CLASS = np.uint64(CLASSES)
_NOTHING = np.uint64(0x6D697373696E6720)  # the hash of a missing category; any number would do
# Of splitmix64 (Steele, Lea and Flood 2014, doi:10.1145/2660193.2660195).
_GOLDEN, _FIRST, _SECOND = map(np.uint64, (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
_30, _27, _31, _32 = map(np.uint64, (30, 27, 31, 32))


def row_hashes(decoded: Mapping[str, Any], columns: Sequence[str]) -> np.ndarray:
    """A hash of what each row holds in `columns`: equal for equal rows, whatever chunk or table they stand in.

    Two different rows have the same hash with a chance of about 2**-64.

    Args:
        decoded: each column as `Entry.decode` gives it: floats (rows,), `Coded`, or numbers (rows, ...) of a tensor.
        columns: which of them count, one at least, in an order that has to be the same wherever hashes are compared.

    Returns:
        uint64 (rows,). All NaN are equal, as are 0.0 and -0.0, numbers of float32 and float64, and all missing
        categories; infinite numbers are numbers like any other.

    Example:
        >>> hashes = row_hashes({"x": np.array([1.0, 0.0, 1.0, -0.0])}, ["x"])
        >>> [int(n) for n in (hashes[0] == hashes[2], hashes[1] == hashes[3], len(set(hashes.tolist())))]
        [1, 1, 2]
    """
    n = len(decoded[columns[0]]) if columns else 0
    words = {name: _hashes_of(column.values) for name in columns if isinstance(column := decoded[name], Coded)}
    out = np.zeros(n, np.uint64)
    scratch = _Scratch(np.empty(min(n, PIECE)), np.empty(min(n, PIECE), np.uint64))
    for start in range(0, n, PIECE):
        rows = slice(start, start + PIECE)
        hashes = out[rows]
        for name in columns:
            for bits in _bits(decoded[name], rows, words.get(name), scratch):
                _stir(hashes, bits, scratch)
        _finish(hashes)
    return out


@dataclass(frozen=True)
class _Scratch:
    """Room for a piece of rows, used again and again: to ask for it anew takes as long as the work itself."""

    numbers: np.ndarray  # float64
    bits: np.ndarray  # uint64


def mixed(numbers: np.ndarray) -> np.ndarray:
    """Scatter uint64 numbers, be they 0, 1, 2, ..., evenly over all of uint64, each to another one."""
    out = np.asarray(numbers + _GOLDEN)
    _finish(out)
    return out


def _stir(hashes: np.ndarray, bits: np.ndarray, scratch: _Scratch) -> None:
    """Take in 64 bits of each row, in place; for given bits a one-to-one map, and for a given hash, too."""
    np.bitwise_xor(hashes, bits, out=hashes)
    np.multiply(hashes, _GOLDEN, out=hashes)
    np.bitwise_xor(hashes, np.right_shift(hashes, _32, out=scratch.bits[: len(hashes)]), out=hashes)


def _finish(hashes: np.ndarray) -> None:
    """Make every bit depend on every bit, in place: the last steps of splitmix64."""
    for shift, factor in ((_30, _FIRST), (_27, _SECOND)):
        np.bitwise_xor(hashes, hashes >> shift, out=hashes)
        np.multiply(hashes, factor, out=hashes)
    np.bitwise_xor(hashes, hashes >> _31, out=hashes)


def _bits(values: Any, rows: slice, words: np.ndarray | None, scratch: _Scratch) -> Iterator[np.ndarray]:
    """What a column holds in some rows, as uint64 (rows,); of a tensor, one for each of its numbers."""
    if words is not None:
        yield words.take(values.codes[rows] + 1)
        return
    piece = values[rows]
    if piece.ndim == 1:
        yield _bits_of_numbers(piece, scratch)
        return
    flat = piece.reshape(len(piece), -1)
    if flat.dtype.kind in "biu" and flat.dtype.itemsize < 8:  # several numbers at once
        spare = -flat.shape[1] * flat.itemsize % 8 // flat.itemsize
        flat = np.ascontiguousarray(np.pad(flat, ((0, 0), (0, spare)))).view(np.uint64)
    for i in range(flat.shape[1]):
        yield _bits_of_numbers(flat[:, i], scratch)


def _bits_of_numbers(piece: np.ndarray, scratch: _Scratch) -> np.ndarray:
    if piece.dtype.kind != "f":
        return piece.astype(np.uint64)
    numbers = np.add(piece, 0.0, out=scratch.numbers[: len(piece)])  # -0.0 + 0.0 is 0.0
    unknown = np.isnan(numbers)
    if unknown.any():
        numbers[unknown] = np.nan
    return np.asarray(numbers.view(np.uint64))


def _hashes_of(values: Sequence[Any]) -> np.ndarray:
    """The hash of a missing value, then of each of `values`."""
    from pandas.util import hash_array  # it takes a third of a second to import

    plain = values if len(values) and isinstance(values[0], str) else list(map(str, values))
    words = np.array(plain, dtype=object)
    found = hash_array(words, categorize=False) if len(words) else np.empty(0, np.uint64)
    return np.concatenate([[_NOTHING], found])


@dataclass
class Duplicates:
    """How many rows repeat an earlier one, and how many equal ones have different classes.

    Exact up to `cap` different rows. Beyond, only hashes are held that are a multiple of a growing power of two,
    each standing for as many rows: memory stays the same, and the counts become unbiased estimates. 52 bits of a
    hash are told apart, so of a million different rows two are taken for equal with a chance of 1 in 9,000.

    Args:
        cap: how many hashes may be held once sorted; before, twice as many.

    Example:
        >>> duplicates = Duplicates()
        >>> duplicates.update(row_hashes({"x": np.array([1.0, 2.0, 1.0, 2.0])}, ["x"]), np.array([0, 0, 0, 1]))
        >>> duplicates.repeated, duplicates.contradictory, duplicates.exact
        (1, 2, True)
    """

    cap: int = CAP
    rows: int = 0
    level: int = 0  # hashes are held whose lowest `level` bits, those of the class aside, are 0
    keys: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint64))  # rising; the class in the lowest bits
    counts: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    fresh: list[np.ndarray] = field(default_factory=list)
    _differ: bool | None = field(default=None, repr=False)

    def update(self, hashes: np.ndarray, classes: np.ndarray | None = None) -> None:
        """Take in `row_hashes` of the features, and class numbers (rows,) from 0, -1 where there is none."""
        self.rows += len(hashes)
        self._differ = None
        keys = hashes & ~_CLASS
        if classes is not None:
            keys |= np.where(classes < 0, 0, 1 + classes % CLASSES).astype(np.uint64)
        self.fresh.append(self._held(keys))
        self._shrink()

    def merge(self, other: Duplicates) -> None:
        self.rows += other.rows
        self._differ = None
        self._sorted()
        self._take(*other._sorted())
        self.level = max(self.level, other.level)
        self._thin()
        self._shrink()

    @property
    def exact(self) -> bool:
        return self.level == 0

    @property
    def repeated(self) -> int:
        """Rows that equal an earlier one in features and class."""
        if self._all_differ():
            return 0
        keys, counts = self._sorted()
        return int(counts.sum() - len(keys)) << self.level

    @property
    def contradictory(self) -> int:
        """Rows whose features equal those of a row of another class; rows without a class do not count."""
        if self._all_differ():
            return 0
        keys, counts = self._sorted()
        known = (keys & _CLASS) > 0
        keys, counts = (keys, counts) if known.all() else (keys[known], counts[known])
        alike = keys[1:] ^ keys[:-1] <= _CLASS
        if not alike.any():
            return 0
        several = np.zeros(len(keys), bool)
        several[1:] |= alike
        several[:-1] |= alike
        return int(counts[several].sum()) << self.level

    def among(self, hashes: np.ndarray) -> int:
        """How many of these rows equal, in their features, one that was taken in; an estimate beyond the cap."""
        keys, _ = self._sorted()
        held = self._held(hashes & ~_CLASS)
        known = keys & ~_CLASS
        places = np.minimum(np.searchsorted(known, held), max(len(known) - 1, 0))
        return int(np.count_nonzero(known[places] == held)) << self.level if len(known) else 0

    def _all_differ(self) -> bool:
        """Whether many rows, not yet sorted, all differ in their features: a hash table says so in half the time."""
        if len(self.keys) or sum(map(len, self.fresh)) < HASHED:
            return False
        if self._differ is None:
            from pandas import Series

            self._differ = not Series(np.concatenate(self.fresh) & ~_CLASS).duplicated().any()
        return self._differ

    def _held(self, keys: np.ndarray) -> np.ndarray:
        return keys[keys & self._mask == 0] if self.level else keys

    @property
    def _mask(self) -> np.uint64:
        return np.uint64(((1 << self.level) - 1) << CLASS_BITS)

    def _sorted(self) -> tuple[np.ndarray, np.ndarray]:
        """The different keys held, rising, and how often each was seen."""
        if self.fresh:
            new, self.fresh = np.sort(np.concatenate(self.fresh)), []
            self._take(new, np.ones(len(new), np.int64))
        return self.keys, self.counts

    def _take(self, keys: np.ndarray, counts: np.ndarray) -> None:
        """Add rising keys, of which some may be the same, to those held."""
        if len(self.keys):
            keys, counts = np.concatenate([self.keys, keys]), np.concatenate([self.counts, counts])
            order = np.argsort(keys, kind="stable")  # of two rising runs, it merges them
            keys, counts = keys[order], counts[order]
        firsts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])) if len(keys) else np.empty(0, np.int64)
        if len(firsts) < len(keys):
            keys, counts = keys[firsts], np.add.reduceat(counts, firsts)
        self.keys, self.counts = keys, counts

    def _shrink(self) -> None:
        """Sort once there are twice as many as may be held, and hold fewer if they are really different."""
        if len(self.keys) + sum(map(len, self.fresh)) <= 2 * self.cap:
            return
        self._sorted()
        while len(self.keys) > self.cap:
            self.level += 1
            self._thin()

    def _thin(self) -> None:
        held = self.keys & self._mask == 0
        self.keys, self.counts = self.keys[held], self.counts[held]
