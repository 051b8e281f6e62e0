"""One pass over all rows: exact counts of each column, the label and repeated rows, and a sample of rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from prepkit.decode import decode_column
from prepkit.entry import Entry
from prepkit.labels import decode_label
from prepkit.profiling.sample import Sample, Sampler, rows_wanted
from prepkit.profiling.tally import Tally, is_text, strings
from prepkit.progress import track
from prepkit.scan import Coded
from prepkit.scan.duplicates import Duplicates, row_hashes
from prepkit.source import CHUNK, RawChunk, Source
from prepkit.spec import Column, Spec

T = TypeVar("T")
THREADS = 2
SPELLINGS = 10_000  # of a label, that are counted


@dataclass
class LabelTally:
    """Exact counts of the label.

    Args:
        counts: rows of each class, in the order in which they came.
        missing: rows without one.
        spellings: rows of each raw string, where labels came as strings.
    """

    counts: Counter[Any] = field(default_factory=Counter)
    missing: int = 0
    spellings: Counter[str] = field(default_factory=Counter)

    def update(self, labels: Coded, raw: Any) -> np.ndarray:
        """Take in a chunk; int32 (rows,) numbers of classes in the order in which they came, -1 for none."""
        n = np.bincount(labels.codes + 1, minlength=len(labels.values) + 1)
        self.missing += int(n[0])
        for i in np.flatnonzero(n[1:]).tolist():
            self.counts[labels.values[i]] += int(n[i + 1])
        if is_text(raw) and len(self.spellings) < SPELLINGS:
            counted = raw.value_counts()
            words = strings(counted.field("values"))
            self.spellings.update(dict(zip(words, counted.field("counts").to_pylist(), strict=True)))
        place = {c: i for i, c in enumerate(self.counts)}
        return labels.recoded(place, -1)


@dataclass(frozen=True)
class Measured:
    """What one pass has found out.

    Args:
        spec: the columns and the label; its classes are those of all rows, in order.
        rows: that were read.
        tallies: of each column.
        label: None without one.
        duplicates: of rows by their features, the others than "feature" by role aside, and their class.
        hashed: the columns by which rows are compared.
        sample: of rows; the numbers of its classes are those of `spec.label.classes`.
    """

    spec: Spec
    rows: int
    tallies: Mapping[str, Tally]
    label: LabelTally | None
    duplicates: Duplicates
    hashed: tuple[str, ...]
    sample: Sample


def measure(
    source: Source,
    chunks: Iterable[RawChunk],
    spec: Spec,
    *,
    seed: int = 0,
    whole: bool = True,
    repeated: bool = True,
) -> Measured:
    """Read `chunks` of a source once, in bounded memory.

    Args:
        source: where they come from.
        chunks: raw rows, as its `chunks` yields them.
        spec: as `fit.infer` judged them.
        seed: of the sample.
        whole: whether `chunks` are all of its rows.
        repeated: whether to look for repeated rows, too, which takes a third of the time.

    Raises:
        PrepkitError: if rows further on have other columns, or labels of another form.
    """
    entry = Entry(spec, {})
    tallies = {c.name: Tally(c) for c in spec.columns}
    labels = LabelTally() if spec.label else None
    duplicates, hashed = Duplicates(), compared(spec)
    sampler = Sampler(rows_wanted(sum(c.width for c in spec.columns)), seed, source.n_rows if whole else None)
    total = -(-(source.n_rows or 0) // CHUNK) or None if whole else 1
    for chunk, raw, decoded in track(_ahead(_decoded(entry, chunks)), "looking", total):
        drawn = sampler.chosen(len(chunk))
        places = drawn.pop("places")
        for name, tally in tallies.items():
            tally.update(decoded[name], raw[name])
        classes = _classes(chunk, spec, labels)
        if repeated:
            duplicates.update(row_hashes(decoded, hashed), classes)
        sampler.add(drawn | _some(raw, decoded, classes, places, spec))
    spec, place = _with_classes(spec, labels)
    return Measured(spec, sampler.rows, tallies, labels, duplicates, hashed, _sample(sampler, place))


def _ahead(items: Iterable[T]) -> Iterator[T]:
    """The same, the next one being made while one is looked at: pyarrow needs no lock of Python's."""
    unread, done = iter(items), object()
    with ThreadPoolExecutor(1) as maker:
        coming: Any = maker.submit(next, unread, done)
        while (item := coming.result()) is not done:
            coming = maker.submit(next, unread, done)
            yield item


def _decoded(entry: Entry, chunks: Iterable[RawChunk]) -> Iterator[tuple[RawChunk, dict[str, Any], dict[str, Any]]]:
    """Each chunk with its columns as they came, words as a dictionary, and decoded."""
    columns = entry.raw.columns
    for chunk in chunks:
        if chunk.matrix is not None:
            values = entry.decode(chunk)
            yield chunk, values, values
            continue
        entry.check_names(chunk.columns)
        both = [_column(c, chunk.columns[c.name]) for c in columns]
        raw = {c.name: came for c, (came, _) in zip(columns, both, strict=True)}
        yield chunk, raw, {c.name: values for c, (_, values) in zip(columns, both, strict=True)}


def _column(column: Column, raw: Any) -> tuple[Any, Any]:
    if isinstance(raw, pa.ChunkedArray):
        raw = raw.combine_chunks()
        raw = raw.combine_chunks() if isinstance(raw, pa.ChunkedArray) else raw
    if column.kind in ("categorical", "text") and is_text(raw) and not pa.types.is_dictionary(raw.type):
        raw = raw.dictionary_encode()
    return raw, decode_column(raw, column)


def _some(
    raw: Mapping[str, Any], decoded: Mapping[str, Any], classes: np.ndarray | None, places: np.ndarray, spec: Spec
) -> dict[Any, Any]:
    """The rows at `places`, for the sample."""
    part: dict[Any, Any] = {("columns", name): values[places] for name, values in decoded.items()}
    for c in spec.columns:
        if c.kind == "numeric" and is_text(raw[c.name]):
            texts = raw[c.name].take(pa.array(places))
            part["texts", c.name] = texts.dictionary_decode() if pa.types.is_dictionary(texts.type) else texts
    if classes is not None:
        part["classes", ""] = classes[places]
    return part


def compared(spec: Spec) -> tuple[str, ...]:
    """The columns by which rows are compared: identifiers differ in rows that are otherwise the same."""
    return tuple(c.name for c in spec.columns if c.role == "feature") or spec.names


def _classes(chunk: RawChunk, spec: Spec, labels: LabelTally | None) -> np.ndarray | None:
    if labels is None:
        return None
    assert spec.label is not None and chunk.label is not None
    return labels.update(decode_label(chunk.label, spec.label.form, spec.label.name), chunk.label)


def _with_classes(spec: Spec, labels: LabelTally | None) -> tuple[Spec, np.ndarray | None]:
    """The spec with its classes in order, and the number among them of each class in the order in which they came."""
    if spec.label is None or labels is None:
        return spec, None
    classes = tuple(sorted(labels.counts))
    number = {c: i for i, c in enumerate(classes)}
    place = np.array([number[c] for c in labels.counts] + [-1], np.int32)
    return replace(spec, label=replace(spec.label, classes=classes)), place


def _sample(sampler: Sampler, place: np.ndarray | None) -> Sample:

    drawn: dict[Any, Any] = sampler.result()
    columns = {key[1]: values for key, values in drawn.items() if key[0] == "columns"}
    texts = {key[1]: values for key, values in drawn.items() if key[0] == "texts"}
    classes = None if place is None else place[drawn["classes", ""]]
    return Sample(drawn["rows"], columns, texts, classes)
