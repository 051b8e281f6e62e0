"""Which row is which, in whatever order and batches rows come: a 64-bit key of what each row holds."""

from __future__ import annotations

import functools
import hashlib
import operator
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf

from prepkit.core import did_you_mean
from prepkit.entry import UNSEEN, Entry
from prepkit.errors import PrepkitError
from prepkit.graph import Traced, as_written
from prepkit.scan.duplicates import mixed
from prepkit.spec import CODES, LABEL, Column

CELLS = 2**20  # hashed at once: 2**15 take two to three times as long for each, and 2**22 as long
WIDE = 2**15  # cells of a row from which on rows are hashed one by one: 256 images of 150,528 in 0.4 GB, not in 1.6
BUCKETS = 2**63 - 1  # the most that a hash of strings can have
_MISSING, _UNSEEN = 0x6D697373696E6720, 0x756E7365656E2020  # in the place of a cell's bits; any numbers would do
_KEY = re.compile(r"[0-9a-fA-F]{16}")


@dataclass(frozen=True)
class Keys:
    """A 64-bit key of each packed row, equal for rows that hold the same in the same columns.

    It is the sum over all cells of a hash of the cell, its column's name and its place in a tensor. So it does not
    depend on the order of rows or columns, on how rows are batched, or on the block that a column is packed into,
    and is the same in later runs. Two different rows have the same key with a chance of about 2**-64.

    All missing cells of a column are equal, NaN and infinity among them, as are 0.0 and -0.0, and equal numbers of
    whatever type; numbers too small for a type's full precision count as 0, as TensorFlow has it. Of int64 and uint64
    tensors, 53 bits count. A category is known by its word, not by its code; all that were not seen in training are
    equal. The class is known by its name.

    Args:
        entry: the way in of the packed rows.
        columns: those that count, in any order, as packed: flags of rules are among them. None for all that come
            in, so without flags.
        labelled: whether the given label counts, as one more column; rows without one have it missing.

    Raises:
        PrepkitError: if a column is not there.

    Example:
        >>> from prepkit.spec import Column, Spec
        >>> entry = Entry(Spec((Column("a", "numeric", "float32"),)), {})
        >>> packed = {"float32": np.array([[1.0], [2.0], [1.0]], np.float32)}
        >>> shown(Keys(entry, labelled=False).of(packed)).tolist()
        ['26309d84fbc86942', '00dcc9904eab32d6', '26309d84fbc86942']

    Source: the last steps of splitmix64 (Steele, Lea and Flood 2014, doi:10.1145/2660193.2660195) for cells, and
    FarmHash's Fingerprint64, as TensorFlow has it, for strings.
    """

    entry: Entry
    columns: tuple[str, ...] | None = None
    labelled: bool = True

    def __post_init__(self) -> None:
        for name in self.columns or ():
            if name not in self.entry.spec:
                names = self.entry.spec.names
                raise PrepkitError(
                    f"column {name!r}, by which to tell rows apart, is not there{did_you_mean(name, names)}"
                )
        assert self.columns or self.labelled or self.columns is None, "nothing to tell rows apart by"
        assert not self.labelled or (self.entry.raw.label and self.entry.raw.label.classes), "there are no classes"

    @as_written
    def __call__(self, packed: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """The keys, uint64 (rows,), of packed blocks (rows, ...), with the class numbers in `LABEL` if they count.

        TensorFlow operations only, on the CPU: for the graph of a dataset. `of` is for large arrays.
        """
        return _finished(functools.reduce(operator.add, [part.sums(packed[part.block]) for part in self._parts]))

    def of(self, packed: Mapping[str, np.ndarray]) -> np.ndarray:
        """The same of numpy arrays, a piece at a time; strings may be str, or bytes of UTF-8."""
        used = {part.block: packed[part.block] for part in self._parts}
        rows = max(1, CELLS // sum(len(part.salts) for part in self._parts))
        out = np.empty(len(next(iter(used.values()))), np.uint64)
        with tf.device("CPU:0"):
            for start in range(0, len(out), rows):
                piece = {name: x[start : start + rows] for name, x in used.items()}
                out[start : start + rows] = self._traced(piece)
        return out

    @cached_property
    def _traced(self) -> Traced:
        return Traced(self.__call__)

    @cached_property
    def _parts(self) -> tuple[_Part, ...]:
        wanted = set(self.entry.raw.names if self.columns is None else self.columns)
        parts = []
        for block, columns in self.entry.spec.blocks().items():
            chosen = [i for i, c in enumerate(columns) if c.name in wanted]
            if chosen:
                parts.append(_Part.of(block, columns, chosen))
        label = self.entry.raw.label
        if self.labelled and label is not None:
            # A salt that no column has, whatever it is called.
            parts.append(_Part(LABEL, None, _salts("", 1, b"label"), *_words([label.class_names])))
        return tuple(parts)


@dataclass(frozen=True)
class _Part:
    """How the cells of one block are hashed.

    Args:
        block: its name.
        places: of the columns that count, or None for all.
        salts: uint64 (cells,), what is added to each cell's bits.
        words: of codes: uint64, the hashes of all columns' words, one column after the other; else None.
        starts: int32 (columns,), where code 0 of each column stands in `words`.
    """

    block: str
    places: tuple[int, ...] | None
    salts: np.ndarray
    words: np.ndarray | None = None
    starts: np.ndarray | None = None

    @classmethod
    def of(cls, block: str, columns: Sequence[Column], chosen: Sequence[int]) -> _Part:
        members = [columns[i] for i in chosen]
        places = None if len(members) == len(columns) else tuple(chosen)
        salts = np.concatenate([_salts(c.name, c.width) for c in members])
        return cls(block, places, salts, *(_words([c.categories or () for c in members]) if block == CODES else ()))

    def sums(self, x: tf.Tensor) -> tf.Tensor:
        """The sum (rows,) of the hashes of each row's cells."""
        x = tf.reshape(x, [-1, len(self.salts)]) if self.places is None else tf.gather(x, self.places, axis=1)
        if len(self.salts) < WIDE:
            return self._sum(x)
        return tf.map_fn(self._sum, x, fn_output_signature=tf.uint64)

    @as_written
    def _sum(self, x: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(_finished(self._bits(x) + tf.constant(self.salts)), -1)

    def _bits(self, x: tf.Tensor) -> tf.Tensor:
        if self.words is not None:
            return tf.gather(tf.constant(self.words), x + self.starts)
        if x.dtype == tf.string:
            return tf.where(x == "", _whole(_MISSING), _of_strings(x))
        return _of_numbers(x)


def _of_numbers(x: tf.Tensor) -> tf.Tensor:
    if not x.dtype.is_floating:
        return tf.bitcast(tf.cast(x, tf.float64), tf.uint64)
    x = x if x.dtype == tf.float64 else tf.cast(x, tf.float32)
    # Smaller numbers are 0 when TensorFlow calculates, and so is -0.0 here; x + 0.0 would be optimised away.
    normal = tf.abs(x) >= np.finfo(x.dtype.as_numpy_dtype).tiny
    bits = tf.bitcast(tf.cast(tf.where(normal, x, tf.zeros([], x.dtype)), tf.float64), tf.uint64)
    return tf.where(tf.math.is_finite(x), bits, _whole(_MISSING))


def _of_strings(x: tf.Tensor) -> tf.Tensor:
    return tf.bitcast(tf.strings.to_hash_bucket_fast(x, BUCKETS), tf.uint64)


def _finished(x: tf.Tensor) -> tf.Tensor:
    """Make every bit depend on every bit: the last steps of splitmix64."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x = tf.bitwise.bitwise_xor(x, tf.bitwise.right_shift(x, _whole(shift))) * _whole(factor)
    return tf.bitwise.bitwise_xor(x, tf.bitwise.right_shift(x, _whole(31)))


def _whole(number: int) -> tf.Tensor:
    return tf.constant(number, tf.uint64)


def _salts(name: str, width: int, person: bytes = b"column") -> np.ndarray:
    digest = hashlib.blake2b(name.encode(), digest_size=8, person=person).digest()
    return mixed(np.arange(width, dtype=np.uint64) + np.uint64(int.from_bytes(digest, "little")))


def _words(vocabularies: Iterable[Sequence[str]]) -> tuple[np.ndarray, np.ndarray]:
    """Hashes by code, from `UNSEEN` = -2 and missing = -1 on, one vocabulary after the other, and where code 0 is."""
    hashes, starts, n = [], [], 0
    with tf.init_scope(), tf.device("CPU:0"):  # not in the graph that is being traced
        for words in vocabularies:
            hashes += [
                np.array([_UNSEEN, _MISSING], np.uint64),
                _of_strings(tf.constant(list(words), tf.string)).numpy(),
            ]
            starts.append(n - UNSEEN)
            n += len(words) - UNSEEN
    return np.concatenate(hashes), np.array(starts, np.int32)


def shown(keys: np.ndarray) -> np.ndarray:
    """Keys, uint64 (rows,), as 16 hexadecimal digits each, an object array of str.

    Example:
        >>> shown(np.array([255], np.uint64)).tolist()
        ['00000000000000ff']
    """
    return np.array([f"{key:016x}" for key in keys.tolist()], object)


def parsed(strings: Iterable[Any], where: str) -> np.ndarray:
    """The reverse of `shown`: uint64 (rows,).

    Args:
        strings: 16 hexadecimal digits each.
        where: they come from, for the error.

    Raises:
        PrepkitError: if one is no key.

    Example:
        >>> parsed(["00000000000000ff"], "revert").tolist()
        [255]
    """
    given = list(strings)
    for i, key in enumerate(given):
        if not (isinstance(key, str) and _KEY.fullmatch(key)):
            raise PrepkitError(
                f"{where}[{i}]={key!r} is no key of a row: give 16 hexadecimal digits, such as '00000000000000ff', "
                "as they stand in label_issues."
            )
    return np.array([int(key, 16) for key in given], np.uint64)
