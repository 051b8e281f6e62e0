"""Encode categories: one-hot columns, integer ids, hashed buckets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

import numpy as np
import tensorflow as tf

from prepkit.core import Blocks, ColumnStage, FixedStage, Known, Nothing, appended, check_columns, one_of, taken
from prepkit.errors import PrepkitError
from prepkit.scan import Statistic, Vocabulary
from prepkit.spec import CODES, STRINGS, Column, Kind, Spec

IDS = "ids"
UNSEEN = -2  # the code of a category that no training row has; a missing cell has -1
HINT = " Columns are chosen by columns=."  # where the first argument is something else
WIDEST = 65_536  # columns; a batch of 1,024 rows of so many float32 takes 268 MB


@dataclass(frozen=True)
class Categories:
    """For each column the categories that have a place of their own, in order, and which shared places follow.

    The shared places are of "<missing>", "<infrequent>" and "<unseen>", in this order, where there are such.
    Absent are categories that no training row has, although an earlier stage can put them in.
    """

    kept: Mapping[str, tuple[str, ...]]
    shared: Mapping[str, tuple[str, ...]]
    absent: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class OneHot(ColumnStage[Categories]):
    """One float32 column, 0.0 or 1.0, for each category that the training rows have.

    Args:
        max_categories: at most so many columns for one, the infrequent together taking one of them; where
            there are just so many categories, the rarest is infrequent by itself. None for no limit.
        min_frequency: categories with fewer training rows (an integer), or a smaller share of them
            (a fraction below 1), count as infrequent; None for no limit.
        unseen: what a category that no training row has becomes: "infrequent_if_exist" (the
            infrequent category where there is one, else all zeros), "zeros", or "bucket" (a column
            of its own, 0.0 in every training row).
        missing: "category" (a column of its own, if training cells are missing), or "zeros".
        columns: see `Stage`; by default all categorical columns.

    Columns are named `NAME=CATEGORY` and sorted by category; `NAME=<missing>`, `NAME=<infrequent>`
    and `NAME=<unseen>` follow.

    Raises:
        PrepkitError: for limits that are none; when fitted, if more than 65,536 columns would come out.

    Example:
        >>> import pandas as pd
        >>> import prepkit as pk
        >>> frame = pd.DataFrame({"job": ["cook", "smith", "cook"], "y": [0, 1, 0]})
        >>> fitted = pk.Pipeline([pk.OneHot()]).fit(frame, label="y")
        >>> fitted.feature_names
        ('job=cook', 'job=smith')

    Source: scikit-learn's OneHotEncoder, whose rules and ties it follows.
    """

    max_categories: int | None = None
    min_frequency: int | float | None = None
    unseen: Literal["infrequent_if_exist", "zeros", "bucket"] = "infrequent_if_exist"
    missing: Literal["category", "zeros"] = "category"

    takes: ClassVar[tuple[Kind, ...]] = ("categorical",)
    needs_codes: ClassVar[bool] = True

    def __post_init__(self) -> None:
        one_of(self.unseen, ("infrequent_if_exist", "zeros", "bucket"), "OneHot: unseen")
        one_of(self.missing, ("category", "zeros"), "OneHot: missing")
        if self.max_categories is not None and not is_whole(self.max_categories, 1):
            raise PrepkitError(
                f"OneHot: max_categories={self.max_categories!r}: give 1 or more, or None for no limit.{HINT}"
            )
        if self.min_frequency is not None and self.min_frequency <= 0:
            raise PrepkitError(f"OneHot: min_frequency={self.min_frequency}: give a number of rows or a share below 1.")
        check_columns(self)

    def needs(self, spec: Spec) -> Mapping[str, Sequence[Statistic]]:
        return {c.name: ("vocabulary",) for c in self.selected(spec)}

    def learn(self, spec: Spec, known: Known) -> Categories:
        kept: dict[str, tuple[str, ...]] = {}
        shared: dict[str, tuple[str, ...]] = {}
        absent: dict[str, tuple[str, ...]] = {}
        for column in self.selected(spec):
            vocabulary: Vocabulary = known[column.name, "vocabulary"]
            names = sorted(vocabulary.counts)
            infrequent = self._infrequent(names, vocabulary)
            kept[column.name] = tuple(n for n, few in zip(names, infrequent, strict=True) if not few)
            there = {
                "<missing>": self.missing == "category" and vocabulary.missing > 0,
                "<infrequent>": bool(infrequent.any()),
                "<unseen>": self.unseen == "bucket",
            }
            shared[column.name] = tuple(place for place, is_there in there.items() if is_there)
            absent[column.name] = tuple(c for c in column.categories or () if c not in vocabulary.counts)
        width = sum(map(len, kept.values())) + sum(map(len, shared.values()))
        if width > WIDEST:
            most = sorted(kept, key=lambda n: -len(kept[n]))[:3]
            raise PrepkitError(
                f"{width:,} one-hot columns, most of them from {most}: set max_categories=100, or use Hash, Text, "
                "Lookup or Drop for those columns."
            )
        return Categories(kept, shared, absent)

    def _infrequent(self, names: Sequence[str], vocabulary: Vocabulary) -> np.ndarray:
        counts = np.array([vocabulary.counts[n] for n in names], np.int64)
        infrequent = np.zeros(len(names), bool)
        if self.min_frequency is not None:
            total = counts.sum() + vocabulary.missing
            infrequent = counts < (self.min_frequency if self.min_frequency >= 1 else self.min_frequency * total)
        if self.max_categories is not None and self.max_categories < (~infrequent).sum() + 1:
            fewest_first = np.argsort(counts, kind="stable")
            infrequent[fewest_first[: len(names) - (self.max_categories - 1)]] = True
        return infrequent

    def output(self, spec: Spec, learned: Categories | None) -> Spec:
        chosen = {c.name for c in self.selected(spec)}
        block = _free(spec, "onehot")

        def encoded(c: Column) -> Column:
            labels = (*learned.kept[c.name], *learned.shared[c.name]) if learned else ()
            features = tuple(f"{c.name}={label}" for label in labels)
            return replace(
                c,
                kind="encoded",
                dtype="float32",
                shape=(len(features),),
                block=block,
                features=features,
                categories=None,
            )

        return spec.with_columns(encoded(c) if c.name in chosen else c for c in spec.columns)

    def transform(self, spec: Spec, learned: Categories, blocks: Blocks) -> Blocks:
        chosen = {c.name for c in self.selected(spec)}
        if not chosen:
            return blocks
        places = []
        width = 0
        for column in spec.blocks()[CODES]:
            if column.name in chosen:
                places.append(width + self._places(column, learned))
                width += len(learned.kept[column.name]) + len(learned.shared[column.name])
        out = taken(blocks, spec, set(spec.names) - chosen)
        out[_free(spec, "onehot")] = multi_hot(recoded(taken(blocks, spec, chosen)[CODES], places), width)
        return out

    def _places(self, column: Column, learned: Categories) -> np.ndarray:
        """The one-hot place of each code from `UNSEEN` on; a large negative number for none."""
        kept, shared = learned.kept[column.name], learned.shared[column.name]
        nowhere = -(2**30)
        behind = {place: len(kept) + i for i, place in enumerate(shared)}
        infrequent = behind.get("<infrequent>", nowhere)
        unseen = infrequent if self.unseen == "infrequent_if_exist" else behind.get("<unseen>", nowhere)
        place = dict.fromkeys(learned.absent.get(column.name, ()), unseen) | {c: i for i, c in enumerate(kept)}
        codes = [place.get(c, infrequent) for c in column.categories or ()]
        return np.array([unseen, behind.get("<missing>", nowhere), *codes], np.int64)


@dataclass(frozen=True)
class Lookup(ColumnStage[Categories]):
    """An int32 id for each category, for an embedding layer: 0 missing, 1 unseen, then by descending frequency.

    Args:
        max_tokens: at most so many ids for one column, the first two included; rarer categories
            become 1. None for no limit.
        columns: see `Stage`; by default all categorical columns.

    The size of each vocabulary, which is the embedding's `input_dim`, is in `metadata.vocabulary_sizes`.
    Ids are no numbers to calculate with: they come out with `output="dict"`, not "dense".

    Raises:
        PrepkitError: if `max_tokens` is below 3.

    Example:
        >>> import pandas as pd
        >>> import prepkit as pk
        >>> frame = pd.DataFrame({"job": ["cook", "smith", "cook"], "y": [0, 1, 0]})
        >>> fitted = pk.Pipeline([pk.Lookup()], output="dict").fit(frame, label="y")
        >>> [x["job"].tolist() for x, y in fitted.transform(frame, batch_size=3).as_numpy_iterator()]
        [[2, 3, 2]]

    Source: Keras' StringLookup with mask_token="".
    """

    max_tokens: int | None = None

    takes: ClassVar[tuple[Kind, ...]] = ("categorical",)
    needs_codes: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.max_tokens is not None and not is_whole(self.max_tokens, 3):
            raise PrepkitError(
                f"Lookup: max_tokens={self.max_tokens!r}: give 3 or more (0 and 1 are taken), or None.{HINT}"
            )
        check_columns(self)

    def needs(self, spec: Spec) -> Mapping[str, Sequence[Statistic]]:
        return {c.name: ("vocabulary",) for c in self.selected(spec)}

    def learn(self, spec: Spec, known: Known) -> Categories:
        kept = {}
        for column in self.selected(spec):
            counts = known[column.name, "vocabulary"].counts
            by_count = sorted(counts, key=lambda value: (-counts[value], value))
            kept[column.name] = tuple(by_count[: None if self.max_tokens is None else self.max_tokens - 2])
        return Categories(kept, {})

    def output(self, spec: Spec, learned: Categories | None) -> Spec:
        chosen = {c.name for c in self.selected(spec)}

        def identified(c: Column) -> Column:
            tokens = ("<missing>", "<unseen>", *(learned.kept[c.name] if learned else ()))
            return replace(c, kind="id", block=IDS, categories=tokens)

        rest = [c for c in spec.columns if c.name not in chosen]
        return spec.with_columns([*rest, *(identified(spec[n]) for n in spec.names if n in chosen)])

    def transform(self, spec: Spec, learned: Categories, blocks: Blocks) -> Blocks:
        chosen = {c.name for c in self.selected(spec)}
        if not chosen:
            return blocks
        ids = []
        for column in spec.blocks()[CODES]:
            if column.name in chosen:
                id_of = {token: i + 2 for i, token in enumerate(learned.kept[column.name])}
                ids.append(np.array([1, 0, *(id_of.get(c, 1) for c in column.categories or ())], np.int64))
        values = recoded(taken(blocks, spec, chosen)[CODES], ids)
        return appended(taken(blocks, spec, set(spec.names) - chosen), IDS, tf.cast(values, tf.int32))


@dataclass(frozen=True)
class Hash(FixedStage):
    """A bucket for each category by its hash: for columns with very many, no vocabulary to keep.

    Args:
        bins: number of buckets; different categories share one by chance.
        output_form: "one_hot" (a float32 column for each bucket), or "id" (one int32: 0 missing, 1 to
            `bins` the buckets; only in a pipeline with `output="dict"`).
        columns: which; there is no default, for a column of few categories is better off with OneHot.

    Missing cells become all zeros, or 0. Unseen categories are hashed as all others.

    Raises:
        PrepkitError: if `bins` is below 2 or no columns are given.

    Example:
        >>> import pandas as pd
        >>> import prepkit as pk
        >>> frame = pd.DataFrame({"zip": ["48104", "48105", None], "y": [0, 1, 0]})
        >>> fitted = pk.Pipeline([pk.Hash("zip", bins=4)]).fit(frame, label="y", kinds={"zip": "categorical"})
        >>> [x.sum(1).tolist() for x, y in fitted.transform(frame, batch_size=3).as_numpy_iterator()]
        [[1.0, 1.0, 0.0]]

    Source: Weinberger et al. 2009 (doi:10.1145/1553374.1553516); FarmHash as in Keras' Hashing.
    """

    columns: str | Sequence[str] | None = None
    bins: int = 64
    output_form: Literal["one_hot", "id"] = "one_hot"

    takes: ClassVar[tuple[Kind, ...]] = ("categorical", "text")
    needs_strings: ClassVar[bool] = True

    def __post_init__(self) -> None:
        one_of(self.output_form, ("one_hot", "id"), "Hash: output_form")
        if not is_whole(self.bins, 2):
            raise PrepkitError(f"Hash: bins={self.bins!r}: give 2 or more.")
        if self.columns is None:
            raise PrepkitError("Hash: say which columns, as in Hash('zip', bins=64).")
        check_columns(self)

    def output(self, spec: Spec, learned: Nothing | None) -> Spec:
        chosen = {c.name for c in self.selected(spec)}
        block = _free(spec, "hash")

        def hashed(c: Column) -> Column:
            if self.output_form == "id":
                tokens = ("<missing>", *(f"<bin {i}>" for i in range(self.bins)))
                return replace(c, kind="id", dtype="int32", block=IDS, categories=tokens)
            features = tuple(f"{c.name}#{i}" for i in range(self.bins))
            return replace(c, kind="encoded", dtype="float32", shape=(self.bins,), block=block, features=features)

        rest = [c for c in spec.columns if c.name not in chosen]
        return spec.with_columns([*rest, *(hashed(spec[n]) for n in spec.names if n in chosen)])

    def transform(self, spec: Spec, learned: Nothing, blocks: Blocks) -> Blocks:
        chosen = {c.name for c in self.selected(spec)}
        if not chosen:
            return blocks
        text = taken(blocks, spec, chosen)[STRINGS]
        rest = taken(blocks, spec, set(spec.names) - chosen)
        buckets = tf.strings.to_hash_bucket_fast(text, self.bins)
        if self.output_form == "id":
            return appended(rest, IDS, tf.cast(tf.where(text == "", tf.zeros_like(buckets), buckets + 1), tf.int32))
        width = self.bins * len(chosen)
        offsets = self.bins * np.arange(len(chosen), dtype=np.int64)
        places = tf.where(text == "", tf.constant(width, tf.int64), buckets + offsets)
        return rest | {_free(spec, "hash"): multi_hot(places, width)}


def is_whole(value: object, least: int) -> bool:
    return isinstance(value, int | np.integer) and bool(value >= least)


def recoded(codes: tf.Tensor, places: Sequence[np.ndarray]) -> tf.Tensor:
    """Each column's codes, counted from `UNSEEN`, looked up in that column's `places`: int64 (rows, columns)."""
    starts = np.cumsum([0, *(len(p) for p in places[:-1])]) - UNSEEN
    return tf.gather(tf.constant(np.concatenate(places)), tf.cast(codes, tf.int64) + starts)


def multi_hot(places: tf.Tensor, width: int) -> tf.Tensor:
    """float32 (rows, width) with 1.0 at each of a row's `places`; those outside of the width have none."""
    inside = tf.where(places < 0, tf.constant(width, places.dtype), places)
    # tf.math.bincount would look for the largest place first, each time.
    nothing = tf.constant([], tf.float32)
    size = tf.constant(width, inside.dtype)
    out = tf.raw_ops.DenseBincount(input=inside, size=size, weights=nothing, binary_output=True)
    return tf.ensure_shape(out, (None, width))


def _free(spec: Spec, block: str) -> str:
    """`block`, or with a number behind it where `spec` has one of that name."""
    taken_names = spec.blocks()
    names = [block, *(f"{block}{i}" for i in range(2, len(taken_names) + 3))]
    return next(n for n in names if n not in taken_names)
