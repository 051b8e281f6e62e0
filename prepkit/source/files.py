"""Files: CSV, Parquet and NPZ, read a piece at a time; TFRecord as a dataset."""

from __future__ import annotations

import glob
import importlib
import itertools
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from prepkit.errors import PrepkitError
from prepkit.source.base import RawChunk, RawColumn, Source, chunk_rows, column_of, without_views
from prepkit.source.table import as_column

SUFFIXES = {
    ".csv": "csv",
    ".csv.gz": "csv",
    ".tsv": "csv",
    ".tsv.gz": "csv",
    ".parquet": "parquet",
    ".npz": "npz",
    ".tfrecord": "tfrecord",
    ".tfrecords": "tfrecord",
}
DELIMITERS = ",;\t|"
CSV_BLOCK = 2**23  # bytes of text at a time
CSV_COLUMN = 2**12  # and at least so many for each column, for each costs some time in every block


def find_files(data: str | Path | Sequence[str | Path]) -> tuple[list[Path], str]:
    """The files that a path, glob or list of them names, in order, and their format."""
    if not data:
        raise PrepkitError(f"no files in {data!r}: give a path, a glob, or a list of them.")
    files: list[Path] = []
    for item in [data] if isinstance(data, str | Path) else data:
        path = Path(item)
        if path.is_dir():
            raise PrepkitError(f"{path} is a directory: give a file or a glob, such as {path / '*.csv'}")
        found = [path] if path.exists() else sorted(map(Path, glob.glob(str(item))))
        if not found:
            raise PrepkitError(f"no file {item}: check the path (relative ones start at the working directory).")
        files += found
    formats = {_format(f) for f in files}
    if len(formats) > 1:
        raise PrepkitError(f"the files are of formats {sorted(formats)}: give files of one format.")
    return files, formats.pop()


def _format(path: Path) -> str:
    for suffix, name in SUFFIXES.items():
        if path.name.lower().endswith(suffix):
            return name
    raise PrepkitError(f"{path.name}: unknown ending; prepkit reads {', '.join(SUFFIXES)}.")


class Files(Source):
    """CSV, Parquet or NPZ files, one after the other, never whole in memory."""

    def __init__(self, files: Sequence[Path], kind: str, label: str | None, *, required: bool = True) -> None:
        self.files, self.kind, self.label, self.required = files, kind, label, required
        self.name = files[0].name if len(files) == 1 else f"{files[0].name} and {len(files) - 1} more"
        if kind == "parquet":
            self.n_rows = sum(_opened(f).metadata.num_rows for f in files)
        # Strings are read as dictionaries, for speed; that does not make them categories.
        self.plain = frozenset(_strings(files[0])) if kind == "parquet" else frozenset()

    def chunks(self, rng: np.random.Generator | None = None) -> Iterator[RawChunk]:
        read = {"csv": _read_csv, "parquet": lambda f: _read_parquet(f, rng), "npz": _read_npz}[self.kind]
        names: list[str] | None = None
        rows = 0
        files = [self.files[i] for i in rng.permutation(len(self.files))] if rng else self.files
        for file in files:
            for columns in read(file):
                if names is None:
                    names = list(columns)
                elif set(names) != set(columns):
                    differ = sorted(set(names) ^ set(columns))
                    raise PrepkitError(f"{file.name} has other columns than {self.files[0].name}: {differ[:8]} differ.")
                label = self.label if self.required or self.label in columns else None
                chunk = replace(_split(columns, label, file.name), plain=self.plain)
                rows += len(chunk)
                yield chunk
        if not rows:
            raise PrepkitError(f"{self.name} has no rows: nothing to prepare.")


def _split(columns: dict[str, RawColumn], label: str | None, where: str) -> RawChunk:
    if label is None:
        return RawChunk(columns)
    y = column_of(columns, label, where)
    rest = {n: c for n, c in columns.items() if n != label}
    if not rest:
        raise PrepkitError(f"{where} has no column but the label {label!r}: there is nothing to learn from.")
    return RawChunk(rest, label=y)


def _read_csv(file: Path) -> Iterator[dict[str, RawColumn]]:
    """All cells as strings: what they mean is decided by the spec, not by the first block of a file."""
    delimiter = delimiter_of(file)
    try:
        names = _open_csv(file, delimiter).schema.names
        _refuse_twice(file, names)
        for batch in _open_csv(file, delimiter, names):
            if batch.num_rows:
                yield dict(zip(names, batch.columns, strict=True))
    except (OSError, UnicodeDecodeError, pa.ArrowInvalid) as error:
        raise _csv_error(file, delimiter, error) from error


def _open_csv(file: Path, delimiter: str, names: Sequence[str] = (), *, threads: bool = True) -> Any:
    return pa.csv.open_csv(
        file,
        read_options=pa.csv.ReadOptions(block_size=max(CSV_BLOCK, len(names) * CSV_COLUMN), use_threads=threads),
        parse_options=pa.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=pa.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
        ),
    )


def delimiter_of(file: Path) -> str:
    """What most often separates the names in the first line."""
    if file.name.lower().removesuffix(".gz").endswith(".tsv"):
        return "\t"
    try:
        with pa.input_stream(str(file), compression="detect") as stream:
            head = stream.read(2**16)
    except OSError as error:
        raise _csv_error(file, ",", error) from error
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise _csv_error(file, ",", UnicodeDecodeError("utf-8", head, 0, 2, "it looks like UTF-16"))
    if not head.strip():
        raise PrepkitError(f"{file.name} is empty: nothing to prepare.")
    line = re.sub('"[^"]*"', "", head.decode("utf-8-sig", "replace").lstrip()).splitlines()[0]
    return max(DELIMITERS, key=line.count) if any(d in line for d in DELIMITERS) else ","


def _csv_error(file: Path, delimiter: str, error: Exception) -> PrepkitError:
    if isinstance(error, UnicodeDecodeError) or "UTF8" in str(error):
        encoding = "utf-16" if "UTF-16" in str(error) else "latin-1"
        return PrepkitError(
            f"{file.name} is not UTF-8 ({error}): convert it, or read it with "
            f"pandas.read_csv({file.name!r}, encoding={encoding!r}) and give the frame."
        )
    if "Empty CSV" in str(error):
        return PrepkitError(f"{file.name} has no rows: nothing to prepare.")
    if not isinstance(error, pa.ArrowInvalid):
        return PrepkitError(f"{file.name} cannot be read: {error}: is it complete, and what its ending says?")
    try:  # rows are only numbered by a single thread
        for _ in _open_csv(file, delimiter, threads=False):
            pass
    except pa.ArrowInvalid as numbered:
        error = numbered
    what = str(error).removeprefix("CSV parse error: ")
    return PrepkitError(
        f"{file.name} cannot be read as CSV, the header being row #1: {what[:500]}: mend or remove that row."
    )


def _refuse_twice(file: Path, names: Sequence[str]) -> None:
    if twice := [n for n, times in Counter(names).items() if times > 1]:
        raise PrepkitError(f"{file.name}: columns {twice[:8]} exist twice: rename one of each.")


def _opened(file: Path) -> Any:
    try:
        return pa.parquet.ParquetFile(file, pre_buffer=False)
    except (pa.ArrowInvalid, OSError) as error:
        raise PrepkitError(f"{file.name} cannot be read as Parquet: {error}") from error


def _strings(file: Path) -> list[str]:
    schema = _opened(file).schema_arrow
    return [f.name for f in schema if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)]


def _read_parquet(file: Path, rng: np.random.Generator | None) -> Iterator[dict[str, RawColumn]]:
    schema = _opened(file).schema_arrow
    _refuse_twice(file, schema.names)
    # Buffered ahead, the whole file stays in memory.
    reader = pa.parquet.ParquetFile(file, read_dictionary=_strings(file), pre_buffer=False)
    groups = None if rng is None else rng.permutation(reader.num_row_groups).tolist()
    try:
        for batch in reader.iter_batches(batch_size=chunk_rows(8 * len(schema)), row_groups=groups):
            if batch.num_rows:
                yield dict(zip(schema.names, map(without_views, batch.columns), strict=True))
    except (pa.ArrowInvalid, OSError) as error:
        said = " ".join(str(error).split()).rstrip(".")
        raise PrepkitError(f"{file.name} cannot be read as Parquet: {said}: write it again.") from error


def _read_npz(file: Path) -> Iterator[dict[str, RawColumn]]:
    """Arrays by name; each is decompressed along with the others, a chunk of rows at a time."""
    try:
        with zipfile.ZipFile(file) as archive:
            yield from _npz_chunks(file, archive)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise PrepkitError(f"{file.name} cannot be read as NPZ: {error}: save it again.") from error


def _npz_chunks(file: Path, archive: zipfile.ZipFile) -> Iterator[dict[str, RawColumn]]:
    streams = {n.removesuffix(".npy"): archive.open(n) for n in archive.namelist() if n.endswith(".npy")}
    headers = {n: _npy_header(s, f"{file.name}: {n!r}") for n, s in streams.items()}
    lengths = {n: shape[0] if shape else "a single value" for n, (shape, _) in headers.items()}
    if len(set(lengths.values())) > 1:
        raise PrepkitError(f"{file.name}: arrays of different lengths {lengths}: give one row each.")
    row_bytes = {n: int(np.prod(shape[1:], dtype=np.int64)) * dtype.itemsize for n, (shape, dtype) in headers.items()}
    left = next((shape[0] for shape, _ in headers.values() if shape), 0)
    while left:
        n_rows = min(left, chunk_rows(sum(row_bytes.values())))
        out = {}
        for name, (shape, dtype) in headers.items():
            data = streams[name].read(n_rows * row_bytes[name])
            if len(data) < n_rows * row_bytes[name]:
                raise EOFError(f"{name!r} is cut off")
            out[name] = as_column(np.frombuffer(data, dtype).reshape(n_rows, *shape[1:]), name)
        yield out
        left -= n_rows


def _npy_header(stream: Any, where: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    try:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(stream)
    except ValueError as error:
        raise PrepkitError(f"{where} is no array ({error}): save it again.") from error
    if dtype.hasobject:
        raise PrepkitError(f"{where} holds Python objects, which only running code can read: save numbers or strings.")
    if fortran and len(shape) > 1:
        raise PrepkitError(f"{where} is stored column by column (Fortran order): save np.ascontiguousarray of it.")
    return shape, dtype


def read_tfrecord(files: Sequence[Path], features: Mapping[str, Any] | None) -> Any:
    """A dataset of dicts, in batches, of the tf.train.Example records in `files`.

    Without a feature spec the first 1,000 records tell the names, types and lengths. A feature that
    is absent from a record is "" or NaN there.
    """
    import tensorflow as tf

    parts = [
        tf.data.TFRecordDataset([str(f) for f in some], compression_type=compression)
        for compression, some in itertools.groupby(files, _compression)
    ]
    records = parts[0]
    for part in parts[1:]:
        records = records.concatenate(part)
    spec = dict(features) if features else _infer_features(records, files)
    absent = tf.int64.min

    def parse(batch: Any) -> dict[str, Any]:
        out: dict[str, Any] = tf.io.parse_example(batch, spec)
        for name, feature in spec.items():
            if not features and feature.dtype == tf.int64:
                x = out[name]
                out[name] = tf.where(x == absent, tf.constant(np.nan, tf.float64), tf.cast(x, tf.float64))
        return out

    return records.batch(1024).map(parse, num_parallel_calls=tf.data.AUTOTUNE)


def _compression(file: Path) -> str:
    with file.open("rb") as stream:
        return "GZIP" if stream.read(2) == b"\x1f\x8b" else ""


def _infer_features(records: Any, files: Sequence[Path]) -> dict[str, Any]:
    import tensorflow as tf

    broken = importlib.import_module("google.protobuf.message").DecodeError  # it has no type hints
    where = files[0].name if len(files) == 1 else f"{files[0].name} and {len(files) - 1} more"
    kinds = {
        "bytes_list": (tf.string, ""),
        "float_list": (tf.float32, np.nan),
        "int64_list": (tf.int64, tf.int64.min),
    }
    seen: dict[str, tuple[str, int]] = {}
    try:
        for record in records.take(1000).as_numpy_iterator():
            for name, feature in tf.train.Example.FromString(record).features.feature.items():
                kind = feature.WhichOneof("kind")
                values = getattr(feature, kind).value if kind else ()
                if not len(values):
                    continue
                if seen.setdefault(name, (kind, len(values))) != (kind, len(values)):
                    raise PrepkitError(
                        f"{where}: feature {name!r} has {seen[name][1]} values ({seen[name][0]}) in one record and "
                        f"{len(values)} ({kind}) in another: give a tf.data.Dataset that parses and pads it."
                    )
    except (tf.errors.DataLossError, broken) as error:
        raise PrepkitError(f"{where} cannot be read as TFRecord of tf.train.Example: {plain(error)}.") from error
    if not seen:
        raise PrepkitError(f"{where} has no records with features: nothing to prepare.")
    out = {}
    for name, (kind, n) in sorted(seen.items()):
        dtype, default = kinds[kind]
        out[name] = tf.io.FixedLenFeature([] if n == 1 else [n], dtype, default if n == 1 else [default] * n)
    return out


def plain(error: Exception) -> str:
    """What TensorFlow or protobuf says, without the machinery that it names."""
    text = getattr(error, "message", None) or str(error)
    return re.sub(r"\{\{.*?\}\} ?|\[Op:.*", "", text).strip().rstrip(".")
