"""Fit a chain of stages in as few scans of the source as its meaning allows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from prepkit.core import RowStage, Stage
from prepkit.entry import Entry
from prepkit.errors import PrepkitError
from prepkit.flow import Flow, check_output
from prepkit.gate import Decoded, Gate, Verdict, rows_of, taken
from prepkit.graph import Traced
from prepkit.labels import classes_of, decode_label
from prepkit.progress import track
from prepkit.rows.quarantine import Refusals, check_share, refuse_raised
from prepkit.rows.repeats import with_repeats
from prepkit.scan import Coded, Statistic, Vocabulary, accumulator
from prepkit.scan.reference import ReferenceBuilder
from prepkit.source import CHUNK, RawChunk
from prepkit.source.reader import Reader
from prepkit.spec import CODES, STRINGS, Spec

ALL: frozenset[Statistic] = frozenset({"moments", "extremes", "quantiles", "vocabulary", "lengths"})
HELD = 2**24  # values that all quantile sketches of a streamed source hold together: 64 to 128 MB
LISTED = 1000  # row numbers that the ledger keeps of one reason
Request = dict[str, set[Statistic]]


@dataclass
class Rows:
    """What became of the rows that were read."""

    read: int = 0
    unlabelled: int = 0
    unlabelled_rows: list[int] = field(default_factory=list)  # the first of their numbers
    refusals: Refusals = field(default_factory=Refusals)
    classes: Vocabulary = field(default_factory=Vocabulary)
    kept: ReferenceBuilder = field(default_factory=ReferenceBuilder)


@dataclass(frozen=True)
class Fit:
    """What fitting found out."""

    raw: Spec
    vocabularies: Mapping[str, tuple[str, ...]]
    learned: tuple[Any, ...]
    rows: Rows
    missing_cells: Mapping[str, int]
    scans: int
    gate: Gate | None = None


def at_stage(i: int, stages: Sequence[Stage[Any]], error: PrepkitError) -> PrepkitError:
    name = type(stages[i]).__name__
    return PrepkitError(f"in stage {i + 1} of {len(stages)} ({name}): {str(error).removeprefix(f'{name}: ')}")


def coded_columns(
    stages: Sequence[Stage[Any]], raw: Spec, output: str, gate: Gate | None = None
) -> dict[str, tuple[str, ...]]:
    """The categorical columns that enter as codes, since OneHot or Lookup reads them first, with no category yet.

    Runs the whole chain on the spec alone, so that a wrong composition fails here, before a byte is read.
    """
    spec = Entry(raw, {}, gate).spec
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
    first = stages[0] if stages and isinstance(stages[0], RowStage) else None
    gate = _gated(first, raw, reader, stages)
    now = _Progress(Entry(raw, coded_columns(stages, raw, output, gate), gate))
    for i, stage in enumerate(stages):
        spec = now.flow(stages).spec_out
        needs = {(s, statistic) for s, wanted in stage.needs(spec).items() for statistic in wanted}
        if not needs <= now.known.keys():
            _read(reader, stages, now)
            spec = now.flow(stages).spec_out
        try:
            state = stage.learn(now.entry.raw if isinstance(stage, RowStage) else spec, now.known)
        except PrepkitError as error:
            raise at_stage(i, stages, error) from error
        here = _series(stage.output(spec, state))
        now.known = {key: v for key, v in _carried(stage, state, spec, now.known).items() if key[0] in here}
        now.learned.append(state)
    if not now.rows.read:
        _read(reader, stages, now)
    if first is not None and not (gate and gate.rules):  # rules that were learned themselves
        gate = first.learned_gate(now.learned[0])
    vocabularies = now.entry.vocabularies
    return Fit(now.entry.raw, vocabularies, tuple(now.learned), now.rows, now.missing, reader.scans, gate)


def _gated(first: RowStage[Any] | None, raw: Spec, reader: Reader, stages: Sequence[Stage[Any]]) -> Gate | None:
    """The rules that are known before the first scan; of unique keys, with those that a stream has twice."""
    if first is None:
        return None
    try:
        gate = first.gate(raw)
        if gate is None or reader.source.random_access:
            return gate
        return with_repeats(gate, Entry(raw, {}), reader.chunks)
    except PrepkitError as error:
        raise at_stage(0, stages, error) from error


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
    first = not now.rows.read
    flow = now.flow(stages)
    request = _ahead(stages[len(now.learned) :], flow.spec_out, now.known)
    measured = _scan(reader, flow, request, first=first)
    if first:
        now.rows, now.missing = measured.rows, measured.missing
        vocabularies = {n: tuple(sorted(v.counts)) for n, v in measured.vocabularies.items()}
        now.entry = Entry(_with_classes(now.entry.raw, now.rows), vocabularies, now.entry.gate)
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
    refused = rows.refusals.total
    try:
        classes = classes_of(rows.classes.counts, raw.label.form, rows.read - refused, raw.label.name)
    except PrepkitError as error:
        if not refused:
            raise
        raise PrepkitError(f"{error} Validate has refused {refused:,} rows before.") from error
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
    run = Traced(flow.blocks)
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
        read, decoded, verdict = entry.admit(chunk, rows.read)
        label = entry.raw.label
        y = None if label is None or chunk.label is None else decode_label(chunk.label, label.form, label.name)
        keep = _kept(entry.gate, verdict, y)
        if first:
            _count(rows, chunk, y, verdict, entry)
        decoded = decoded if keep is None else taken(decoded, keep)
        if first and rows_of(read):  # other data will be compared as they come, refused rows and all
            rows.kept.update(read if y is None or (y.codes >= 0).all() else taken(read, y.codes >= 0), entry.raw)
        views = series_of(decoded, entry.spec)
        for measured, values in (
            *((known[key], views[key[0]]) for key in direct),
            *((vocabularies[name], views[name]) for name in vocabularies),
        ):
            measured.update(values)
        missing = {name: n + _missing(views[name]) for name, n in missing.items()}
        if behind:
            matrix = None if chunk.matrix is None or entry.gate is not None else chunk.matrix
            matrix = matrix if keep is None or matrix is None else matrix[keep]
            for transformed in _pieces(flow, run, decoded, matrix):
                for key in behind:
                    known[key].update(transformed[key[0]])
    if first and entry.gate is not None:
        check_share(entry.gate, rows.refusals, rows.read)
    missing |= {s: known[s, k].missing for s, k in direct}
    missing |= {n: v.missing for n, v in vocabularies.items()}
    cells = {c.name: sum(missing.get(s, 0) for s in c.series) for c in entry.spec.columns}
    return Measured(known, rows, vocabularies, cells)


def _missing(values: Any) -> int:
    """How many cells are missing or infinite."""
    if isinstance(values, Coded):
        return int(np.count_nonzero(values.codes < 0))
    return len(values) - int(np.count_nonzero(np.isfinite(values))) if values.dtype.kind == "f" else 0


def _kept(gate: Gate | None, verdict: Verdict, y: Coded | None) -> np.ndarray | None:
    """Whether each row is one to train on: labelled, and not refused; None for all."""
    keep = np.ones(verdict.rows, bool) if y is None else y.codes >= 0
    if gate is not None:
        keep &= ~verdict.mask(gate.refusing)
    return None if keep.all() else keep


def _count(rows: Rows, chunk: RawChunk, y: Coded | None, verdict: Verdict, entry: Entry) -> None:
    name = entry.raw.label.name if entry.raw.label else None
    if entry.gate is not None:
        refuse_raised(entry.gate, verdict, chunk, rows.read, name)
    if y is not None:
        without = np.flatnonzero(y.codes < 0)
        rows.unlabelled += len(without)
        rows.unlabelled_rows += (without + rows.read).tolist()[: max(0, LISTED - len(rows.unlabelled_rows))]
        if len(without):  # which are counted as such, whatever else they break
            verdict = verdict.without(without)
        refused = verdict.mask(entry.gate.refusing) if entry.gate else np.zeros(len(chunk), bool)
        rows.classes.update(y[~refused] if refused.any() else y)
    if entry.gate is not None:
        rows.refusals.update(entry.gate, verdict, chunk, rows.read, name)
    rows.read += len(chunk)


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


def _pieces(flow: Flow, run: Traced, decoded: Decoded, matrix: np.ndarray | None) -> Iterator[dict[str, Any]]:
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
        blocks = run(packed)
        out: dict[str, Any] = {}
        for block, columns in flow.spec_out.blocks().items():
            x = blocks[block].numpy()
            if len(columns) == 1 and columns[0].shape:
                out |= series_of({columns[0].name: x}, flow.spec_out.with_columns(columns))
            elif all(not c.shape for c in columns):
                out |= {c.name: x[:, i] for i, c in enumerate(columns)}
        yield out
