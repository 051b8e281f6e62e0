"""Entry and learned stages as one function of tensors: the same in training, evaluation and serving."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import tensorflow as tf

from prepkit.core import Blocks, Stage
from prepkit.entry import Entry
from prepkit.errors import PrepkitError
from prepkit.features.choose import unpacked
from prepkit.graph import as_written
from prepkit.spec import Spec

FIX = {
    "categorical": "add OneHot() for it (Lookup gives ids, for output='dict')",
    "text": "add Text() for it",
    "datetime": "add Datetime()",
    "id": "ids are no numbers to calculate with: use OneHot, or output='dict' and an embedding",
    "tensor": "images and features of other shapes do not go into one matrix: use output='dict'",
}


@dataclass(frozen=True)
class Flow:
    """Raw features in, ready features out.

    Args:
        entry: the way in.
        stages: in order.
        learned: by each stage.
        output: "dense" or "dict".
    """

    entry: Entry
    stages: Sequence[Stage[Any]]
    learned: Sequence[Any]
    output: str = "dense"

    @cached_property
    def specs(self) -> tuple[Spec, ...]:
        """The columns before each stage, and behind the last."""

        def out(spec: Spec, pair: tuple[Stage[Any], Any]) -> Spec:
            return pair[0].output(spec, pair[1])

        return tuple(itertools.accumulate(zip(self.stages, self.learned, strict=True), out, initial=self.entry.spec))

    @property
    def spec_out(self) -> Spec:
        return self.specs[-1]

    @as_written
    def blocks(self, blocks: Blocks) -> Blocks:
        """Packed raw columns through all stages."""
        for stage, learned, spec in zip(self.stages, self.learned, self.specs[:-1], strict=True):
            blocks = stage.transform(spec, learned, blocks)
        return blocks

    @as_written
    def finished(self, blocks: Blocks) -> Any:
        """Packed raw columns to what the model gets: float32 (rows, features), or a dict by column."""
        return self.shaped(self.blocks(blocks))

    @as_written
    def shaped(self, blocks: Blocks) -> Any:
        """What comes out of the last stage as the model gets it."""
        if self.output == "dense":
            parts = [tf.cast(blocks[block], tf.float32) for block in self.spec_out.blocks()]
            return tf.concat(parts, 1) if len(parts) > 1 else parts[0]
        return {
            name: tf.cast(x, tf.float32) if x.dtype.is_floating or self.spec_out[name].kind == "tensor" else x
            for name, x in unpacked(blocks, self.spec_out).items()
        }

    @as_written
    def features(self, raw: Mapping[str, tf.Tensor] | tf.Tensor) -> Any:
        """Raw tensors to what the model gets."""
        return self.finished(self.entry.graph(raw))

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Of the dense matrix's columns, in order."""
        return tuple(f for columns in self.spec_out.blocks().values() for c in columns for f in c.feature_names())


def check_output(spec: Spec, output: str) -> None:
    """Refuse columns that cannot go where they would end up.

    Raises:
        PrepkitError: if a column cannot be part of one float32 matrix, and that is the output.
    """
    for column in spec.columns:
        alone = len(spec.columns) == 1 or len(column.shape) <= 1
        if output == "dict":
            if column.kind != "datetime":
                continue
        elif column.kind in ("numeric", "boolean", "encoded") or (column.kind == "tensor" and alone):
            continue
        raise PrepkitError(
            f"column {column.name!r} ({column.kind}) reaches the {output} output as it is: "
            f"{FIX[column.kind]}, or Drop({column.name!r})."
        )
