"""What is kept of the training data to tell later whether other data are like them: shares of bins, no rows."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from prepkit.scan.duplicates import mixed
from prepkit.scan.vocabulary import Coded
from prepkit.spec import Column, Kind, Spec

CAP = 20_000  # rows held, to twice as many: the PSI of two such samples is 0.001 by chance, of 10 bins
BINS = 10  # as is usual for the PSI (Siddiqi 2006, Credit Risk Scorecards)
WIDE, FEW = 1000, 5  # of more columns, only so many: the JSON of 10,000 columns then takes 2 to 3 MB
LISTED = 100  # categories that have a cell of their own
PIECE = 1024  # images at a time, of which the mean is taken


@dataclass(frozen=True)
class Shares:
    """How the values of one column lie, from a sample of the training rows.

    Args:
        kind: of the column.
        missing: cells of the sample without a value (NaN, infinite, or a marker).
        counts: sampled rows of each cell: of the bins from the lowest to the highest; or of each of
            `categories` and, last, of all others. () where there was no value. Of categories only the rows
            are counted that did not choose which ones are listed, as shares of what was chosen for being
            frequent are too high.
        edges: where each bin but the first begins. Of text they are lengths in characters, of tensors the
            mean of a row. A value that fills a bin has it to itself, so that no bin is empty.
        categories: those with a cell of their own.
        rest: further categories of the sample; None where they are too many to list.
        scarce: how many categories the sample has once or twice, by which unseen ones are to be expected.
        low: smallest number or time of all training rows; of text and tensors, of the sample. None of
            categories, of identifiers that are numbers, and where there was no value.
        high: largest.
    """

    kind: Kind
    missing: int = 0
    counts: tuple[int, ...] = ()
    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()
    rest: tuple[str, ...] | None = ()
    scarce: int = 0
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Reference:
    """What is kept of the training data; JSON both ways.

    Args:
        rows: training rows.
        sampled: those of them that shares were counted from, spread evenly over all.
        columns: by name.
        label: rows of each class, all of them counted; None without a label.

    Example:
        >>> from prepkit.spec import Column
        >>> builder = ReferenceBuilder()
        >>> builder.update({"age": np.array([31.0, 47.0, np.nan])}, Spec((Column("age", "numeric"),)))
        >>> builder.result().columns["age"]
        Shares(kind='numeric', missing=1, counts=(1, 1), edges=(47.0,), ..., low=31.0, high=47.0)
    """

    rows: int
    sampled: int
    columns: Mapping[str, Shares]
    label: Shares | None = None

    def to_json(self) -> dict[str, Any]:
        columns = {name: _plain(shares) for name, shares in self.columns.items()}
        label = None if self.label is None else _plain(self.label)
        return {"rows": self.rows, "sampled": self.sampled, "columns": columns, "label": label}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Reference:
        columns = {name: _shares(shares) for name, shares in data["columns"].items()}
        label = None if data["label"] is None else _shares(data["label"])
        return cls(data["rows"], data["sampled"], columns, label)


def _plain(shares: Shares) -> dict[str, Any]:
    fields = dataclasses.fields(shares)
    return {f.name: getattr(shares, f.name) for f in fields if getattr(shares, f.name) != f.default}


def _shares(data: Mapping[str, Any]) -> Shares:
    fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
    return Shares(**fields)


@dataclass
class ReferenceBuilder:
    """Collects a `Reference` from the training rows, chunk by chunk.

    It holds one row of each block of 1, 2, 4, ... rows: the smallest blocks of which at most `2 * cap` rows
    are held. Which row of a block, a hash of the block's number says: chosen at equal distances, rows of two
    classes that take turns would all be of one. How the rows are batched does not matter.

    Args:
        cap: so many rows are held, to twice as many.
    """

    cap: int = CAP
    rows: int = 0
    _level: int = 0  # blocks have 2**level rows
    _parts: list[int] = field(default_factory=lambda: [0])  # rows held of each part that was merged; the last grows
    _read: int = 0  # rows of the last part
    _held: dict[str, _Held] = field(default_factory=dict)

    def update(self, decoded: Mapping[str, Any], spec: Spec) -> None:
        """Count rows in.

        Args:
            decoded: of each column of `spec` a float array (rows,), `Coded`, or a tensor (rows, *shape).
            spec: the columns as they come in.
        """
        if not self._held:
            self._held = {c.name: _held_of(c) for c in spec.columns}
        size = len(decoded[spec.names[0]])
        while sum(self._parts[:-1]) + self._number(self._read + size) > 2 * self.cap:
            self._thin()
        chosen = self._chosen(size)
        rows = chosen if self._level else slice(None)
        for name, held in self._held.items():
            held.add(decoded[name], rows)
        self._parts[-1] += len(chosen)
        self._read += size
        self.rows += size

    def _number(self, rows: int) -> int:
        """How many of so many rows are held at this level."""
        whole = rows >> self._level
        return whole + int(self._place(np.array([whole], np.uint64))[0] < rows)

    def _chosen(self, size: int) -> np.ndarray:
        """Which of the next `size` rows are held."""
        first, last = self._read >> self._level, (self._read + size - 1) >> self._level
        places = self._place(np.arange(first, last + 1, dtype=np.uint64)) - self._read
        return places[(places >= 0) & (places < size)]

    def _place(self, blocks: np.ndarray) -> np.ndarray:
        """The row that is held of each block."""
        for level in range(self._level, 0, -1):
            blocks = 2 * blocks + _coin(level, blocks)
        return blocks.astype(np.int64)

    def _thin(self) -> None:
        """One row of each two that are held."""
        self._level += 1
        keep = [_one_of_two(self._level, n) for n in self._parts]
        for held in self._held.values():
            held.keep(np.concatenate(keep))
        self._parts = [int(k.sum()) for k in keep]

    def merge(self, other: ReferenceBuilder) -> None:
        """Add what another builder has seen of other rows; it must not be used afterwards."""
        if not other._held:
            return
        while self._level < other._level:
            self._thin()
        while other._level < self._level:
            other._thin()
        for name, theirs in other._held.items():
            if name in self._held:
                self._held[name].merge(theirs)
            else:
                self._held[name] = theirs
        self.rows += other.rows
        self._parts = [n for n in self._parts if n] + other._parts
        self._read = other._read
        while sum(self._parts) > 2 * self.cap:
            self._thin()

    def result(self, classes: Mapping[Any, int] | None = None) -> Reference:
        """What was collected.

        Args:
            classes: training rows of each class of the label.
        """
        bins = FEW if len(self._held) > WIDE else BINS
        columns = {name: held.shares(bins) for name, held in self._held.items()}
        label = None
        if classes is not None:
            names = sorted(classes)
            label = Shares("categorical", 0, (*(int(classes[c]) for c in names), 0), (), tuple(map(str, names)))
        return Reference(self.rows, sum(self._parts), columns, label)


def _one_of_two(level: int, n: int) -> np.ndarray:
    """Of `n` rows that are held, which remain at `level`."""
    places = np.arange(n, dtype=np.uint64)
    return np.asarray(places % 2 == _coin(level, places // 2))


def _coin(level: int, places: np.ndarray) -> np.ndarray:
    """0 or 1 for each place, as by chance, and always the same."""
    return np.asarray(mixed(places + np.uint64(level << 40)) >> np.uint64(63))


def _held_of(column: Column) -> _Held:
    listed = column.kind == "categorical" and column.role != "identifier"
    number = column.kind in ("numeric", "datetime", "boolean")
    return _Held(column.kind, {} if listed else None, number, number and column.role == "identifier")


@dataclass
class _Held:
    """The sampled values of one column.

    Args:
        kind: of the column.
        codes: of each category met so far the number that stands for it; None where numbers are held.
        number: whether cells are numbers, of which the smallest and largest of all are wanted.
        numbering: whether these are but numbers of rows, which in other data are others.
    """

    kind: Kind
    codes: dict[str, int] | None
    number: bool
    numbering: bool
    low: float = np.inf
    high: float = -np.inf
    pieces: list[np.ndarray] = field(default_factory=list)

    def add(self, values: Any, rows: Any) -> None:
        if self.number:
            low, high = extremes(values)
            self.low, self.high = min(self.low, low), max(self.high, high)
        chosen = values[rows]
        if self.codes is not None:
            self.pieces.append(self._coded(chosen))
        elif self.kind == "tensor" or isinstance(chosen, Coded):
            self.pieces.append(as_numbers(chosen))
        else:
            self.pieces.append(chosen.copy() if isinstance(rows, slice) else chosen)

    def _coded(self, values: Coded) -> np.ndarray:
        assert self.codes is not None
        known = self.codes
        return _looked_up(values, lambda word: known.setdefault(word, len(known)), -1).astype(np.int32)

    def keep(self, rows: np.ndarray) -> None:
        self.pieces = [np.concatenate(self.pieces)[rows]] if self.pieces else []

    def merge(self, other: _Held) -> None:
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        if self.codes is None or other.codes is None:
            self.pieces += other.pieces
        else:
            words = list(other.codes)
            self.pieces += [self._coded(Coded(codes, words)) for codes in other.pieces]

    def shares(self, bins: int) -> Shares:
        held = np.concatenate(self.pieces) if self.pieces else np.empty(0, np.int32)
        if self.codes is not None:
            return _of_categories(held, list(self.codes))
        finite = np.sort(held[np.isfinite(held)])
        missing = len(held) - len(finite)
        if not len(finite) or self.numbering:
            return Shares(self.kind, missing, (len(finite),) if len(finite) else ())
        counts, edges = binned(finite, bins)
        low, high = (self.low, self.high) if self.number else (float(finite[0]), float(finite[-1]))
        return Shares(self.kind, missing, counts, edges, low=low, high=high)


def as_numbers(values: Any) -> np.ndarray:
    """What is binned of a column: of text its length in characters, of a tensor the mean of a row; NaN if missing."""
    if isinstance(values, Coded):
        return _looked_up(values, len, np.nan)
    if values.ndim == 1:
        return np.asarray(values)
    flat = values.reshape(len(values), math.prod(values.shape[1:]))
    means = [_mean(flat[i : i + PIECE]) for i in range(0, len(flat), PIECE)]
    return np.concatenate(means) if means else np.empty(0)


def _looked_up(values: Coded, number: Callable[[Any], float], missing: float) -> np.ndarray:
    """A number for each cell, worked out once for each value that occurs."""
    used = np.flatnonzero(np.bincount(values.codes + 1, minlength=1)[1:])
    numbers = np.full(len(values.values) + 1, missing)
    numbers[used + 1] = [number(values.values[i]) for i in used.tolist()]
    return np.asarray(numbers[values.codes + 1])


def _mean(rows: np.ndarray) -> np.ndarray:
    """Of the finite elements of each row; NaN where there are none."""
    sums, n = rows.sum(1, dtype=np.float64), np.full(len(rows), float(rows.shape[1]))
    if not np.isfinite(sums).all():
        finite = np.isfinite(rows)
        sums, n = np.where(finite, rows, 0).sum(1, dtype=np.float64), finite.sum(1).astype(np.float64)
    return np.asarray(np.divide(sums, n, out=np.full(len(rows), np.nan), where=n > 0))


def extremes(values: np.ndarray) -> tuple[float, float]:
    """The smallest and largest finite value; (inf, -inf) of none."""
    if not len(values):
        return np.inf, -np.inf
    low, high = float(np.fmin.reduce(values)), float(np.fmax.reduce(values))
    if not np.isfinite(low) or not np.isfinite(high):
        finite = values[np.isfinite(values)].astype(np.float64)
        return float(finite.min(initial=np.inf)), float(finite.max(initial=-np.inf))
    return low, high


def binned(values: np.ndarray, bins: int) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Counts and edges of about `bins` bins of equal counts.

    Args:
        values: rising, finite.
        bins: of all values. One that is there twice and fills a bin gets one to itself, whatever lies between
            two such at least one, and the rest as many as are left over.

    Returns:
        The counts, none of them 0, and where each bin but the first begins; ((), ()) of no value.

    Example:
        >>> binned(np.array([0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0]), 3)
        ((4, 2, 2), (5e-324, 3.0))
    """
    n = len(values)
    if not n:
        return (), ()
    starts = np.flatnonzero(values[1:] != values[:-1]) + 1  # of each value's run, but for the first
    lengths = np.diff(starts, prepend=0, append=n)
    heavy = (lengths > 1) & (lengths * bins >= n)
    light = np.where(heavy, 0, lengths)
    before = np.cumsum(light) - light
    number = before * max(1, bins - int(heavy.sum())) // max(1, int(light.sum()))
    begins = np.flatnonzero(heavy[1:] | heavy[:-1] | (number[1:] != number[:-1]))
    places = starts[begins]
    own = values[places].astype(np.float64)
    edges = np.where(heavy[begins], np.nextafter(values[places - 1].astype(np.float64), np.inf), own)
    return tuple(np.diff(places, prepend=0, append=n).tolist()), tuple(edges.tolist())


def counted(values: np.ndarray, edges: Sequence[float]) -> np.ndarray:
    """Values of each bin, one more than edges; as np.searchsorted would count them, but faster for few edges.

    Args:
        values: finite, in any order.
        edges: where each bin but the first begins, rising.

    Example:
        >>> counted(np.array([1.0, 5.0, 3.0, 3.0]), [3.0, 4.0])
        array([1, 2, 1])
    """
    if values.dtype == np.float16:
        values = values.astype(np.float32)
    below = [int(np.count_nonzero(values < (_as_float32(e) if values.dtype == np.float32 else e))) for e in edges]
    return np.diff([0, *below, len(values)])


def _as_float32(edge: float) -> np.float32:
    """The smallest float32 that is not below `edge`: arrays of float32 are compared with it fast, and as exactly."""
    near = np.float32(edge)
    return near if float(near) >= edge else np.nextafter(near, np.float32(np.inf))


def _of_categories(held: np.ndarray, words: Sequence[str]) -> Shares:
    """Half of the rows, as by chance, say which categories are listed, and the others how frequent they are."""
    first = _coin(0, np.arange(len(held), dtype=np.uint64)) == 0
    chose = np.bincount(held[first] + 1, minlength=len(words) + 1)[1:]
    counted = np.bincount(held[~first] + 1, minlength=len(words) + 1)[1:]
    both = (chose + counted).tolist()
    order = sorted(np.flatnonzero(chose).tolist(), key=lambda i: (-int(chose[i]), words[i]))
    listed = order[:LISTED]
    rest = sorted(words[i] for i in set(np.flatnonzero(chose + counted).tolist()) - set(listed))
    counts = [int(counted[i]) for i in listed]
    return Shares(
        "categorical",
        int(np.count_nonzero(held < 0)),
        (*counts, int(counted.sum()) - sum(counts)) if sum(both) else (),
        categories=tuple(words[i] for i in listed),
        rest=tuple(rest) if len(rest) <= LISTED else None,
        scarce=sum(n in (1, 2) for n in both),
    )
