"""What is known of the data without reading them again: columns, label, structure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from prepkit.errors import PrepkitError

RawKind = Literal["numeric", "categorical", "boolean", "datetime", "text", "tensor"]
Kind = Literal["numeric", "categorical", "boolean", "datetime", "text", "tensor", "encoded", "id"]
RAW_KINDS: tuple[RawKind, ...] = ("numeric", "categorical", "boolean", "datetime", "text", "tensor")

Role = Literal["feature", "identifier", "constant", "empty"]

FLOAT32, FLOAT64, CODES, STRINGS = "float32", "float64", "codes", "strings"  # blocks of scalar columns
NUMBERS = (FLOAT32, FLOAT64)
LABEL, WEIGHT = ".label", ".weight"  # of the rows, beside their columns or blocks
# Types of which every value is exact as float32; all other numbers are kept as float64.
_EXACT_AS_FLOAT32 = {"bool", "int8", "uint8", "int16", "uint16", "float16", "float32"}


@dataclass(frozen=True)
class Column:
    """A column: what it holds, how it comes in, and where the stages find it.

    Args:
        name: its name, unique in a `Spec`.
        kind: "numeric", "categorical", "boolean", "datetime", "text" or "tensor" as it comes in;
            stages also make "encoded" (ready for a dense layer) and "id" (for an embedding).
        dtype: as it comes in: a numpy name, "string" or "datetime".
        shape: of one row; () for a scalar.
        parse: how its strings become values: "" (as they are), "number", "number," (decimal
            comma), "boolean", or a datetime format of `prepkit.parse`.
        missing: strings that mean that the cell is missing, spaces aside and next to the empty one.
        role: "feature", or why it should not be one: "identifier", "constant", "empty".
        notes: what inference decided about the column, and why.
        block: the packed tensor that carries it between stages.
        sources: the raw columns that it was made from.
        features: the names of its `width` elements; empty where they are just the name.
        categories: of an integer-coded column, what the codes 0, 1, ... stand for.
    """

    name: str
    kind: Kind
    dtype: str = "float32"
    shape: tuple[int, ...] = ()
    parse: str = ""
    missing: tuple[str, ...] = ()
    role: Role = "feature"
    notes: tuple[str, ...] = ()
    block: str = ""
    sources: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    categories: tuple[str, ...] | None = None

    @property
    def width(self) -> int:
        """How many numbers of its block one row of the column takes."""
        size = 1
        for n in self.shape:
            size *= n
        return size

    @property
    def series(self) -> tuple[str, ...]:
        """The names under which it is measured: itself, or one for each channel of a tensor."""
        if not self.shape or len(self.shape) == 2:
            return (self.name,)
        return tuple(f"{self.name}[{i}]" for i in range(self.shape[-1]))

    def feature_names(self) -> tuple[str, ...]:
        """A name for each of its `width` numbers."""
        if self.features:
            return self.features
        return (self.name,) if not self.shape else tuple(f"{self.name}[{i}]" for i in range(self.width))

    def entered(self, *, coded: bool) -> Column:
        """The column as the stages see it: parsed, typed, and assigned to its block."""
        if self.kind == "tensor":
            return dataclasses.replace(self, block=f"tensor:{self.name}", sources=(self.name,), parse="")
        if self.kind in ("categorical", "text"):
            block, dtype = (CODES, "int32") if coded else (STRINGS, "string")
        elif self.dtype in _EXACT_AS_FLOAT32 or self.kind == "boolean":
            block = dtype = FLOAT32
        else:
            block = dtype = FLOAT64
        return dataclasses.replace(self, block=block, dtype=dtype, sources=(self.name,), parse="")


@dataclass(frozen=True)
class Label:
    """The label column: how it comes in, and its classes.

    Args:
        name: of the column that holds it, or None where it comes beside the features.
        form: "int", "string", "bool" or "one_hot", as it comes in.
        classes: the values in their order, which gives each its number 0, 1, ...
    """

    name: str | None
    form: Literal["int", "string", "bool", "one_hot"]
    classes: tuple[int | str | bool, ...] = ()

    @property
    def class_names(self) -> tuple[str, ...]:
        return tuple(str(c) for c in self.classes)


@dataclass(frozen=True)
class Spec:
    """The columns in their order, the label, and how features are handed over.

    Args:
        columns: what there is, in order.
        label: the label, or None.
        structure: "columns" (a mapping of name to array) or "array" (one matrix or tensor).
    """

    columns: tuple[Column, ...]
    label: Label | None = None
    structure: Literal["columns", "array"] = "columns"
    _index: Mapping[str, int] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_index", {c.name: i for i, c in enumerate(self.columns)})
        if len(self._index) < len(self.columns):
            names = [c.name for c in self.columns]
            twice = sorted({n for n in names if names.count(n) > 1})
            raise PrepkitError(f"columns {twice[:5]} exist twice: rename one of each.")

    def __getitem__(self, name: str) -> Column:
        return self.columns[self._index[name]]

    def __contains__(self, name: object) -> bool:
        return name in self._index

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._index)

    def with_columns(self, columns: Iterable[Column]) -> Spec:
        return dataclasses.replace(self, columns=tuple(columns))

    def blocks(self) -> dict[str, tuple[Column, ...]]:
        """The columns of each packed tensor, in the order in which they lie in it."""
        out: dict[str, list[Column]] = {}
        for column in self.columns:
            out.setdefault(column.block, []).append(column)
        return {block: tuple(columns) for block, columns in out.items()}

    def to_json(self) -> dict[str, Any]:
        def plain(part: Any) -> dict[str, Any]:
            return {
                f.name: getattr(part, f.name)
                for f in dataclasses.fields(part)
                if f.init and getattr(part, f.name) != f.default
            }

        label = dataclasses.asdict(self.label) if self.label else None
        return {"columns": [plain(c) for c in self.columns], "label": label, "structure": self.structure}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Spec:
        def tuples(part: Mapping[str, Any]) -> dict[str, Any]:
            return {k: tuple(v) if isinstance(v, list) else v for k, v in part.items()}

        label = Label(**tuples(data["label"])) if data["label"] else None
        return cls(tuple(Column(**tuples(c)) for c in data["columns"]), label, data["structure"])

    def __repr__(self) -> str:
        lines = [f"Spec of {len(self.columns):,} column{'' if len(self.columns) == 1 else 's'}"]
        if self.label is not None:
            lines[0] += f", {_described(self.label)}"
        for c in self.columns[:100]:
            shape = f"{list(c.shape)} " if c.shape else ""
            role = "" if c.role == "feature" else f" [{c.role}]"
            lines.append(f"  {c.name}: {c.kind} {shape}({c.dtype}){role}" + "".join(f"; {n}" for n in c.notes))
        if len(self.columns) > 100:
            lines.append(f"  ... and {len(self.columns) - 100:,} more")
        return "\n".join(lines)


def _described(label: Label) -> str:
    where = "label beside them" if label.name is None else f"label {label.name!r}"
    classes = ", ".join(map(repr, label.classes[:10]))
    more = f", ... {len(label.classes):,} in all" if len(label.classes) > 10 else ""
    return f"{where} ({label.form}{': ' * bool(classes)}{classes}{more})"
