"""Turn dirty free text into numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import tensorflow as tf

from prepkit.core import Blocks, FixedStage, Nothing, check_columns, taken
from prepkit.errors import PrepkitError
from prepkit.features.encode import HINT, is_whole
from prepkit.parse import SPACES
from prepkit.spec import STRINGS, Column, Kind, Spec


@dataclass(frozen=True)
class Text(FixedStage):
    """Counts of hashed character n-grams, log-scaled and of unit length: similar spellings lie near each other.

    Args:
        bins: number of columns; different n-grams share one by chance.
        ngrams: shortest and longest n-gram, in characters; a blank stands at both ends of the text.
        columns: see `Stage`; by default all text columns. Categorical columns may be named.

    Texts are lower-cased, and runs of white space become one blank. A missing text becomes all zeros.

    Raises:
        PrepkitError: if `bins` is below 2 or `ngrams` is no rising pair of positive integers.

    Example:
        >>> import pandas as pd
        >>> import prepkit as pk
        >>> frame = pd.DataFrame({"remark": ["late again", "late agian", None], "y": [0, 1, 0]})
        >>> fitted = pk.Pipeline([pk.Text(bins=32)]).fit(frame, label="y", kinds={"remark": "text"})
        >>> x, y = next(fitted.transform(frame, batch_size=3).as_numpy_iterator())
        >>> x.shape, (x**2).sum(1).round(3).tolist()
        ((3, 32), [1.0, 1.0, 0.0])

    Source: hashed as Weinberger et al. 2009 (doi:10.1145/1553374.1553516); character n-grams for
        dirty categories, Cerda and Varoquaux 2020 (doi:10.1109/TKDE.2020.2992529).
    """

    bins: int = 1024
    ngrams: Sequence[int] = (2, 4)

    takes: ClassVar[tuple[Kind, ...]] = ("text", "categorical")
    needs_strings: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if isinstance(self.ngrams, list):
            object.__setattr__(self, "ngrams", tuple(self.ngrams))
        if not is_whole(self.bins, 2):
            raise PrepkitError(f"Text: bins={self.bins!r}: give 2 or more.{HINT}")
        n = self.ngrams
        if not (isinstance(n, tuple) and len(n) == 2 and is_whole(n[0], 1) and is_whole(n[1], n[0])):
            raise PrepkitError(f"Text: ngrams={self.ngrams}: give the shortest and the longest length, as in (2, 4).")
        check_columns(self)

    def selected(self, spec: Spec) -> tuple[Column, ...]:
        if self.columns is None:
            return tuple(c for c in spec.columns if c.kind == "text")
        return super().selected(spec)

    def output(self, spec: Spec, learned: Nothing | None) -> Spec:
        chosen = {c.name for c in self.selected(spec)}

        def encoded(c: Column) -> Column:
            features = tuple(f"{c.name}~{i}" for i in range(self.bins))
            return replace(
                c,
                kind="encoded",
                dtype="float32",
                shape=(self.bins,),
                block=f"text:{c.name}",
                features=features,
            )

        return spec.with_columns(encoded(c) if c.name in chosen else c for c in spec.columns)

    def transform(self, spec: Spec, learned: Nothing, blocks: Blocks) -> Blocks:
        chosen = {c.name for c in self.selected(spec)}
        if not chosen:
            return blocks
        out = taken(blocks, spec, set(spec.names) - chosen)
        texts = taken(blocks, spec, chosen)[STRINGS]
        for i, column in enumerate(c for c in spec.blocks()[STRINGS] if c.name in chosen):
            out[f"text:{column.name}"] = self._encoded(texts[:, i])
        return out

    def _encoded(self, text: tf.Tensor) -> tf.Tensor:
        clean = tf.strings.regex_replace(tf.strings.lower(text, encoding="utf-8"), f"[{SPACES}]+", " ")
        padded = tf.where(text == "", text, tf.strings.join([" ", clean, " "]))
        letters = tf.strings.unicode_split(padded, "UTF-8", errors="replace")
        grams = tf.strings.ngrams(letters, tuple(range(self.ngrams[0], self.ngrams[1] + 1)), separator="")
        buckets = tf.strings.to_hash_bucket_fast(grams, self.bins)
        counts = tf.math.bincount(buckets, minlength=self.bins, maxlength=self.bins, axis=-1, dtype=tf.float32)
        return tf.math.l2_normalize(tf.math.log1p(tf.ensure_shape(counts, (None, self.bins))), axis=1)
