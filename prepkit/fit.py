"""Fit a chain of stages in as few scans of the source as its meaning allows."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import tensorflow as tf

from prepkit.core import Stage
from prepkit.entry import Decoded, Entry
from prepkit.errors import PrepkitError
from prepkit.flow import Flow, check_output
from prepkit.labels import classes_of, decode_label
from prepkit.progress import track
from prepkit.scan import Coded, Statistic, Vocabulary, accumulator
from prepkit.source import CHUNK, RawChunk, Source
from prepkit.source.infer import infer_column, infer_label_form
from prepkit.spec import CODES, RAW_KINDS, STRINGS, Column, Kind, Label, Spec

ALL: frozenset[Statistic] = frozenset({"moments", "extremes", "quantiles", "vocabulary"})
SAMPLE = 20_000  # rows that inference looks at
HELD = 2**24  # values that all quantile sketches of a streamed source hold together: 64 to 128 MB
LISTED = 1000  # row numbers that the ledger keeps of one reason
Request = dict[str, set[Statistic]]


@dataclass
class Rows:
    """What became of the rows that were read."""

    read: int = 0
    unlabelled: int = 0
    unlabelled_rows: list[int] = field(default_factory=list)  # the first of their numbers
    classes: Vocabulary = field(default_factory=Vocabulary)


@dataclass(frozen=True)
class Fit:
    """What fitting found out."""

    raw: Spec
    vocabularies: Mapping[str, tuple[str, ...]]
    learned: tuple[Any, ...]
    rows: Rows
    missing_cells: Mapping[str, int]
    scans: int


class Reader:
    """A source of which the head is looked at without starting to read twice."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.scans = 0
        self._begun = source.chunks()
        try:
            self.head = next(self._begun)
        except StopIteration:
            raise PrepkitError(f"{source.name} has no rows: nothing to prepare.") from None
        self._unread = True

    def chunks(self) -> Iterator[RawChunk]:
        self.scans += 1
        if self._unread:
            self._unread = False
            return itertools.chain([self.head], self._begun)
        return self.source.chunks()


def infer(
    source: Source, chunk: RawChunk, label: str | None, kinds: Mapping[str, Kind], *, labelled: bool = True
) -> Spec:
    """The spec of what `chunk`, the first of `source`, looks like."""
    size = len(chunk)
    step = -(-size // SAMPLE)

    def sampled(values: Any) -> Any:
        if step == 1:
            return values
        return values[::step] if isinstance(values, np.ndarray) else values.take(np.arange(0, size, step))

    def judged(name: str, values: Any) -> Column:
        column = infer_column(name, sampled(values), complete=source.random_access)
        if step > 1 and column.role != "feature":  # what a sample of the rows says of all of them, all have to say
            return infer_column(name, values, complete=source.random_access)
        if step > 1 or not source.random_access:
            looked = f" of the {-(-size // step):,} rows looked at"
            notes = (note + looked if " missing" in note else note for note in column.notes)
            return replace(column, notes=tuple(notes))
        return column

    if chunk.matrix is not None:
        columns = [judged(f"x{i}", chunk.matrix[:, i]) for i in range(chunk.matrix.shape[1])]
    else:
        read = {n: values.dictionary_decode() if n in chunk.plain else values for n, values in chunk.columns.items()}
        columns = [judged(name, values) for name, values in read.items()]
    if wrong := {n: k for n, k in kinds.items() if k not in RAW_KINDS}:
        raise PrepkitError(f"kinds={wrong}: choose from {', '.join(RAW_KINDS)}.")
    if unknown := [n for n in kinds if n not in {c.name for c in columns}]:
        raise PrepkitError(f"kinds names columns {unknown}, which are not there: {[c.name for c in columns][:20]} are.")
    if odd_shape := [c.name for c in columns if c.name in kinds and (kinds[c.name] == "tensor") != bool(c.shape)]:
        raise PrepkitError(f"kinds: columns {odd_shape}: 'tensor' is for several numbers a row, and nothing else is.")
    columns = [
        replace(c, kind=kinds[c.name], role="feature", notes=(*c.notes, "kind as told")) if c.name in kinds else c
        for c in columns
    ]
    if chunk.matrix is not None and any(c.kind not in ("numeric", "boolean") for c in columns):
        odd = {c.name: c.kind for c in columns if c.kind not in ("numeric", "boolean")}
        raise PrepkitError(f"X is one matrix of numbers, but its columns {odd} are not: give a data frame.")
    found = None
    if labelled:
        if chunk.label is None:
            raise PrepkitError(f"{source.name} comes without labels: say label='COLUMN', or give (X, y).")
        form = infer_label_form(sampled(chunk.label), label or "y")
        found = Label(label or source.label, form, tuple(range(chunk.label.shape[1])) if form == "one_hot" else ())
    return Spec(tuple(columns), found, source.structure)


def at_stage(i: int, stages: Sequence[Stage[Any]], error: PrepkitError) -> PrepkitError:
    return PrepkitError(f"in stage {i + 1} of {len(stages)} ({type(stages[i]).__name__}): {error}")


def coded_columns(stages: Sequence[Stage[Any]], raw: Spec, output: str) -> dict[str, tuple[str, ...]]:
    """The categorical columns that enter as codes, since OneHot or Lookup reads them first, with no category yet.

    Runs the whole chain on the spec alone, so that a wrong composition fails here, before a byte is read.
    """
    spec = Entry(raw, {}).spec
    first: dict[str, bool] = {}
    for i, stage in enumerate(stages):
        try:
            for column in stage.selected(spec):
                if column.kind == "categorical" and (stage.needs_codes or stage.needs_strings):
                    first.setdefault(column.name, stage.needs_codes)
                if stage.needs_codes and not first.get(column.name, True):
                    raise PrepkitError(
                        f"column {column.name!r} was made or read as strings by an earlier stage: use Hash."
                    )
            spec = stage.output(spec, None)
        except PrepkitError as error:
            raise at_stage(i, stages, error) from None
    check_output(spec, output)
    return {name: () for name in raw.names if first.get(name)}


def fit(reader: Reader, stages: Sequence[Stage[Any]], raw: Spec, output: str) -> Fit:
    """Learn the stages one after another, on labelled rows only, sharing scans.

    A stage learns from what was measured before; behind it the statistics are carried along (see
    `prepkit.scan`). Only where that is not possible are the data read again, with the stages
    learned so far applied, and then all is measured that the later stages can use.
    """
    now = _Progress(Entry(raw, coded_columns(stages, raw, output)))
    for i, stage in enumerate(stages):
        spec = now.flow(stages).spec_out
        needs = {(s, statistic) for s, wanted in stage.needs(spec).items() for statistic in wanted}
        if not needs <= now.known.keys():
            _read(reader, stages, now)
            spec = now.flow(stages).spec_out
        try:
            state = stage.learn(spec, now.known)
        except PrepkitError as error:
            raise at_stage(i, stages, error) from error
        here = _series(stage.output(spec, state))
        now.known = {key: v for key, v in _carried(stage, state, spec, now.known).items() if key[0] in here}
        now.learned.append(state)
    if not reader.scans:
        _read(reader, stages, now)
    vocabularies = now.entry.vocabularies
    return Fit(now.entry.raw, vocabularies, tuple(now.learned), now.rows, now.missing, reader.scans)


@dataclass
class _Progress:
    """How far fitting has come: the way in, what the stages so far have learned, what is known behind them."""

    entry: Entry
    learned: list[Any] = field(default_factory=list)
    known: dict[tuple[str, Statistic], Any] = field(default_factory=dict)
    rows: Rows = field(default_factory=Rows)
    missing: Mapping[str, int] = field(default_factory=dict)

    def flow(self, stages: Sequence[Stage[Any]]) -> Flow:
        return Flow(self.entry, stages[: len(self.learned)], self.learned)


def _read(reader: Reader, stages: Sequence[Stage[Any]], now: _Progress) -> None:
    """Scan the data behind the stages learned so far, for all that the later ones can use."""
    first = not reader.scans
    flow = now.flow(stages)
    request = _ahead(stages[len(now.learned) :], flow.spec_out, now.known)
    measured = _scan(reader, flow, request, first=first)
    if first:
        now.rows, now.missing = measured.rows, measured.missing
        vocabularies = {n: tuple(sorted(v.counts)) for n, v in measured.vocabularies.items()}
        now.entry = Entry(_with_classes(now.entry.raw, now.rows), vocabularies)
        flow = now.flow(stages)
        now.known = {(n, "vocabulary"): v for n, v in measured.vocabularies.items()}
        for stage, state, spec in zip(flow.stages, flow.learned, flow.specs, strict=False):
            now.known = _carried(stage, state, spec, now.known)
    now.known |= measured.known


def _series(spec: Spec) -> set[str]:
    return {s for c in spec.columns for s in c.series if c.kind not in ("encoded", "id")}


def _with_classes(raw: Spec, rows: Rows) -> Spec:
    if raw.label is None:
        return raw
    if raw.label.form == "one_hot":
        rows_of = {k: n for k, n in rows.classes.counts.items() if n}
        classes_of(rows_of, "one_hot", rows.read, raw.label.name)
        return raw  # its classes were counted when the label was inferred
    classes = classes_of(rows.classes.counts, raw.label.form, rows.read, raw.label.name)
    return replace(raw, label=replace(raw.label, classes=classes))


def _ahead(stages: Sequence[Stage[Any]], spec: Spec, known: Mapping[Any, Any]) -> Request:
    """What the stages from here on can use of what is measured here, and is not known."""
    request: Request = {}
    lost: Request = {}
    here = _series(spec)
    for stage in stages:
        for series, wanted in stage.needs(spec).items():
            if series in here:
                request.setdefault(series, set()).update(set(wanted) - lost.get(series, set()))
        for series in (s for c in stage.selected(spec) for s in c.series):
            lost.setdefault(series, set()).update(ALL - stage.carries)
        spec = stage.output(spec, None)
        here &= _series(spec)
    lacking = {s: {k for k in wanted if (s, k) not in known} for s, wanted in request.items()}
    return {series: wanted for series, wanted in lacking.items() if wanted}


def _carried(stage: Stage[Any], state: Any, spec: Spec, known: Mapping[Any, Any]) -> dict[Any, Any]:
    chosen = {s for c in stage.selected(spec) for s in c.series}
    out = {}
    for (series, statistic), measured in known.items():
        if series in chosen:
            measured = stage.carry(state, series, measured) if statistic in stage.carries else None
        if measured is not None:
            out[series, statistic] = measured
    return out


@dataclass(frozen=True)
class Measured:
    """What one scan has found out.

    Args:
        known: what was asked, behind the stages learned so far.
        rows: in the first scan: what became of the rows.
        vocabularies: in the first scan: of the columns that enter as codes.
        missing: in the first scan: missing cells of each column.
    """

    known: dict[tuple[str, Statistic], Any]
    rows: Rows
    vocabularies: Mapping[str, Vocabulary]
    missing: Mapping[str, int]


def _scan(reader: Reader, flow: Flow, request: Request, *, first: bool) -> Measured:
    """Read all rows once and measure what is asked, behind the stages of `flow`."""
    source, entry = reader.source, flow.entry
    sketches = max(1, sum("quantiles" in wanted for wanted in request.values()))
    cap = None if source.random_access else max(65_536, HELD // sketches)
    known: dict[tuple[str, Statistic], Any] = {
        (series, statistic): accumulator(statistic, quantile_cap=cap)
        for series, wanted in request.items()
        for statistic in sorted(wanted)
        if not (first and series in entry.vocabularies)
    }
    vocabularies = {name: Vocabulary() for name in entry.vocabularies} if first else {}
    run = tf.function(flow.blocks, reduce_retracing=True, autograph=False)
    untouched = _series(entry.spec)
    for stage, before, after in zip(flow.stages, flow.specs, flow.specs[1:], strict=False):
        untouched -= {s for c in stage.selected(before) for s in c.series}
        untouched &= _series(after)
    direct = [key for key in known if key[0] in untouched]
    behind = [key for key in known if key[0] not in untouched]
    unmeasured = _series(entry.spec) - {s for s, _ in direct} - set(vocabularies)
    missing = dict.fromkeys(unmeasured if first else (), 0)
    rows = Rows()
    total = -(-(source.n_rows or 0) // CHUNK) or None
    for chunk in track(reader.chunks(), "reading", total):
        decoded = entry.decode(chunk)
        label = entry.raw.label
        y = None if label is None or chunk.label is None else decode_label(chunk.label, label.form, label.name)
        keep = None if y is None or (y.codes >= 0).all() else y.codes >= 0
        _count(rows, len(chunk), y)
        decoded = decoded if keep is None else {n: values[keep] for n, values in decoded.items()}
        views = series_of(decoded, entry.spec)
        for measured, values in (
            *((known[key], views[key[0]]) for key in direct),
            *((vocabularies[name], views[name]) for name in vocabularies),
        ):
            measured.update(values)
        missing = {name: n + _missing(views[name]) for name, n in missing.items()}
        if behind:
            matrix = chunk.matrix if keep is None or chunk.matrix is None else chunk.matrix[keep]
            for transformed in _pieces(flow, run, decoded, matrix):
                for key in behind:
                    known[key].update(transformed[key[0]])
    missing |= {s: known[s, k].missing for s, k in direct}
    missing |= {n: v.missing for n, v in vocabularies.items()}
    cells = {c.name: sum(missing.get(s, 0) for s in c.series) for c in entry.spec.columns}
    return Measured(known, rows, vocabularies, cells)


def _missing(values: Any) -> int:
    """How many cells are missing or infinite."""
    if isinstance(values, Coded):
        return int(np.count_nonzero(values.codes < 0))
    return len(values) - int(np.count_nonzero(np.isfinite(values))) if values.dtype.kind == "f" else 0


def _count(rows: Rows, n: int, y: Coded | None) -> None:
    if y is not None:
        rows.classes.update(y)
        without = np.flatnonzero(y.codes < 0)
        rows.unlabelled += len(without)
        rows.unlabelled_rows += (without + rows.read).tolist()[: max(0, LISTED - len(rows.unlabelled_rows))]
    rows.read += n


def series_of(decoded: Decoded, spec: Spec) -> dict[str, Any]:
    """Each scalar column as it is, and each channel of a tensor by itself."""
    out: dict[str, Any] = {}
    for column in spec.columns:
        values = decoded[column.name]
        if not column.shape:
            out[column.name] = values
        elif len(column.series) == 1:
            out[column.series[0]] = values.reshape(-1)
        else:
            flat = values.reshape(-1, column.shape[-1])
            out |= {name: flat[:, i] for i, name in enumerate(column.series)}
    return out


def _pieces(flow: Flow, run: Any, decoded: Decoded, matrix: np.ndarray | None) -> Iterator[dict[str, Any]]:
    """The series of decoded columns behind the stages of `flow`, some rows at a time."""
    n = len(next(iter(decoded.values()))) if matrix is None else len(matrix)
    reads_strings = any(stage.needs_strings for stage in flow.stages)
    for start in range(0, n, CHUNK):
        rows = slice(start, start + CHUNK)
        piece = {name: values[rows] for name, values in decoded.items()}
        nothing = Coded(np.full(min(CHUNK, n - start), -1, np.int32), ())
        for c in flow.entry.spec.columns:  # numbers never depend on codes, and on strings only through Map
            if c.block == CODES or (c.block == STRINGS and not reads_strings):
                piece[c.name] = nothing
        packed = flow.entry.pack(piece, None if matrix is None else matrix[rows])
        blocks = run({block: tf.constant(x) for block, x in packed.items()})
        out: dict[str, Any] = {}
        for block, columns in flow.spec_out.blocks().items():
            x = blocks[block].numpy()
            if len(columns) == 1 and columns[0].shape:
                out |= series_of({columns[0].name: x}, flow.spec_out.with_columns(columns))
            elif all(not c.shape for c in columns):
                out |= {c.name: x[:, i] for i, c in enumerate(columns)}
        yield out
