"""Drop columns, keep only some, or map them by a function of one's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from prepkit.core import Blocks, FixedStage, Nothing, Selection, appended, check_columns, taken
from prepkit.errors import PrepkitError
from prepkit.scan import Accumulator, Statistic
from prepkit.spec import FLOAT32, FLOAT64, RAW_KINDS, STRINGS, Column, Kind, Spec

ALL: tuple[Kind, ...] = (*RAW_KINDS, "encoded", "id")
PROBES = (0.0, 0.5, 1.0, 10.0, 1000.0)  # one of which a function should be able to calculate with
EVERYTHING: frozenset[Statistic] = frozenset({"moments", "extremes", "quantiles", "vocabulary"})


@dataclass(frozen=True)
class Drop(FixedStage):
    """Leave columns out.

    Args:
        columns: which: names, globs, kinds, or a function of a `Column`; see `Stage`.

    Raises:
        PrepkitError: if none are given; when fitted, if a name does not exist.

    Example:
        >>> import pandas as pd
        >>> import prepkit as pk
        >>> frame = pd.DataFrame({"id": [7.0, 8.0], "age": [20.0, 40.0], "y": [0, 1]})
        >>> pk.Pipeline([pk.Drop("id")]).fit(frame, label="y").feature_names
        ('age',)
    """

    columns: Selection = None

    takes: ClassVar[tuple[Kind, ...]] = ALL

    def __post_init__(self) -> None:
        if self.columns is None:
            raise PrepkitError("Drop: say which columns, as in Drop('id').")
        check_columns(self)

    def _left(self, spec: Spec) -> tuple[Column, ...]:
        gone = {c.name for c in self.selected(spec)}
        return tuple(c for c in spec.columns if c.name not in gone)

    @property
    def carries(self) -> frozenset[Statistic]:
        return EVERYTHING

    def carry(self, learned: Nothing, series: str, statistic: Accumulator) -> Accumulator | None:
        return statistic

    def output(self, spec: Spec, learned: Nothing | None) -> Spec:
        left = self._left(spec)
        if not left:
            raise PrepkitError(f"{type(self).__name__}(columns={self.columns!r}) leaves no column.")
        return spec.with_columns(left)

    def transform(self, spec: Spec, learned: Nothing, blocks: Blocks) -> Blocks:
        return taken(blocks, spec, {c.name for c in self._left(spec)})


@dataclass(frozen=True)
class Select(Drop):
    """Keep only some columns; the other way round, `Drop`.

    Args:
        columns: which: names, globs, kinds, or a function of a `Column`; see `Stage`.

    Raises:
        PrepkitError: if none are given; when fitted, if a name does not exist.

    Example:
        >>> import pandas as pd
        >>> import prepkit as pk
        >>> frame = pd.DataFrame({"id": [7.0, 8.0], "age": [20.0, 40.0], "y": [0, 1]})
        >>> pk.Pipeline([pk.Select("a*")]).fit(frame, label="y").feature_names
        ('age',)
    """

    def _left(self, spec: Spec) -> tuple[Column, ...]:
        return self.selected(spec)


@dataclass(frozen=True)
class Map(FixedStage):
    """Replace columns by what a TensorFlow function makes of them.

    Args:
        function: takes a dict of column name to tensor, (rows,) or (rows, *shape), and returns such
            a dict, row for row, in TensorFlow operations only. Numeric columns arrive as float32 or
            float64, categorical and text columns as strings ("" where missing).
        columns: those that it takes, and that what it returns replaces; see `Stage`.
        name: under which a saved pipeline asks for the function when it is loaded.

    What it returns becomes numeric (rows,), a tensor (rows, ...), or text (strings); what is infinite in it
    is missing. A function is code and is not saved: `pk.load(path, functions={name: function})` hands it back.

    Raises:
        PrepkitError: if `function` is none; when fitted, if it fails, or returns no dict of tensors
            with a row each.

    Example:
        >>> import pandas as pd, tensorflow as tf
        >>> import prepkit as pk
        >>> frame = pd.DataFrame({"pay": [0.0, 9.0], "y": [0, 1]})
        >>> log = pk.Map(lambda x: {"log pay": tf.math.log1p(x["pay"])}, columns="pay", name="log pay")
        >>> pk.Pipeline([log]).fit(frame, label="y").feature_names
        ('log pay',)
    """

    function: Callable[[dict[str, Any]], Mapping[str, Any]] = None  # type: ignore[assignment]
    name: str = ""

    takes: ClassVar[tuple[Kind, ...]] = ALL
    needs_strings: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise PrepkitError(f"Map: function={self.function!r}: give a function of a dict of tensors.")
        if not self.name:
            object.__setattr__(self, "name", getattr(self.function, "__name__", "function"))
        check_columns(self)

    def output(self, spec: Spec, learned: Nothing | None) -> Spec:
        chosen = self.selected(spec)
        sources = tuple(dict.fromkeys(s for c in chosen for s in c.sources))
        names = {c.name for c in chosen}
        rest = [c for c in spec.columns if c.name not in names]
        return spec.with_columns([*rest, *_columns_of(self._traced(chosen), sources)])

    def _traced(self, chosen: Sequence[Column]) -> dict[str, tf.TensorSpec]:
        signature = {c.name: tf.TensorSpec((None, *c.shape), _tensor_dtype(c)) for c in chosen}
        try:
            out = tf.function(self.function).get_concrete_function(signature).structured_outputs
        except Exception as error:
            given = {n: s.dtype.name for n, s in signature.items()}
            raise PrepkitError(f"Map {self.name!r} fails on tensors {given}: {error}") from error
        if not isinstance(out, Mapping) or not out or any(s.shape.rank in (None, 0) for s in out.values()):
            raise PrepkitError(f"Map {self.name!r} returns {out!r}: return a dict of name to tensor with a row each.")
        return dict(out)

    def leaves_missing(self, spec: Spec, names: set[str]) -> set[str]:
        """Found out by trying: what is a number for `PROBES`, and none once the missing cells are missing."""
        chosen = self.selected(spec)
        mine = {c.name for c in chosen}
        if mine.isdisjoint(names):
            return names - mine
        function = tf.function(self.function)
        complete = function({c.name: _probe(c, missing=False) for c in chosen})
        try:
            lacking = function({c.name: _probe(c, missing=c.name in names) for c in chosen})
        except tf.errors.OpError:  # as tf.strings.to_number on ""
            return (names - mine) | set(complete)
        numbers = {name for name, x in complete.items() if x.dtype.is_floating}
        lost = {n for n in numbers if np.any(np.isfinite(complete[n]) & ~np.isfinite(lacking[n]))}
        return (names - mine) | lost

    def transform(self, spec: Spec, learned: Nothing, blocks: Blocks) -> Blocks:
        chosen = self.selected(spec)
        names = {c.name for c in chosen}
        out = taken(blocks, spec, set(spec.names) - names)
        given = unpacked(taken(blocks, spec, names), spec.with_columns(chosen))
        made = tf.function(self.function)(given)
        for column in _columns_of(self._traced(chosen), ()):
            values = made[column.name]
            if not column.shape and column.dtype != "string":
                values = tf.cast(values, column.dtype)
            if values.dtype.is_floating:  # as where the columns came in: infinite is missing
                values = tf.where(tf.math.is_finite(values), values, tf.constant(np.nan, values.dtype))
            if column.shape:
                out[column.block] = tf.ensure_shape(values, (None, *column.shape))
            else:
                out = appended(out, column.block, values[:, None])
        return out


def _probe(column: Column, *, missing: bool) -> tf.Tensor:
    """A row of the column for each of `PROBES`; missing cells instead, where its type has them."""
    dtype = _tensor_dtype(column)
    if dtype == tf.string:
        return tf.constant([""] * len(PROBES)) if missing else tf.strings.as_string(tf.constant(PROBES))
    values = np.full(len(PROBES), np.nan) if missing and dtype.is_floating else np.array(PROBES)
    rows = np.broadcast_to(values.reshape(-1, *[1] * len(column.shape)), (len(PROBES), *column.shape))
    return tf.constant(rows.astype(dtype.as_numpy_dtype))


def _tensor_dtype(column: Column) -> tf.DType:
    return tf.string if column.block == STRINGS else tf.as_dtype(column.dtype)


def _columns_of(traced: Mapping[str, Any], sources: tuple[str, ...]) -> list[Column]:
    """What the function returns, as columns."""
    columns = []
    for name, spec in traced.items():
        shape = tuple(spec.shape[1:])
        if None in shape:
            raise PrepkitError(f"Map: {name!r} comes out as {spec.shape}: make every size but the rows a fixed one.")
        if shape:
            columns.append(Column(name, "tensor", spec.dtype.name, shape, block=f"tensor:{name}", sources=sources))
        elif spec.dtype == tf.string:
            columns.append(Column(name, "text", "string", block=STRINGS, sources=sources))
        else:
            block = FLOAT64 if spec.dtype in (tf.float64, tf.int64, tf.int32) else FLOAT32
            columns.append(Column(name, "numeric", block, block=block, sources=sources))
    return columns


def unpacked(blocks: Blocks, spec: Spec) -> dict[str, tf.Tensor]:
    """The columns of packed blocks: (rows,) of a scalar column, else (rows, *shape)."""
    out: dict[str, tf.Tensor] = {}
    for block, columns in spec.blocks().items():
        x = blocks[block]
        if len(columns) == 1 and columns[0].shape:
            out[columns[0].name] = x
            continue
        parts = tf.split(x, [c.width for c in columns], axis=1) if len(columns) > 1 else [x]
        out |= {c.name: p if c.shape else p[:, 0] for c, p in zip(columns, parts, strict=True)}
    return {name: out[name] for name in spec.names}
