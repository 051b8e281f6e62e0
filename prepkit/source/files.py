"""Files: CSV, Parquet and NPZ, read a piece at a time; TFRecord as a dataset."""

from __future__ import annotations

import glob
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from prepkit.errors import PrepkitError
from prepkit.source.base import CHUNK, RawChunk, RawColumn, Source, column_of

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


def find_files(data: str | Path | Sequence[str | Path]) -> tuple[list[Path], str]:
    """The files that a path, glob or list of them names, in order, and their format."""
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
                chunk = _split(columns, label, file.name)
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
    try:
        names, delimiter = _csv_header(file)
        reader = pa.csv.open_csv(
            file,
            read_options=pa.csv.ReadOptions(block_size=1 << 23),
            parse_options=pa.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=pa.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
            ),
        )
        for batch in reader:
            if batch.num_rows:
                yield dict(zip(names, batch.columns, strict=True))
    except UnicodeDecodeError as error:
        raise _encoding_error(file, error) from error
    except pa.ArrowInvalid as error:
        if "UTF8" in str(error):
            raise _encoding_error(file, error) from error
        if "Empty CSV" in str(error):
            raise PrepkitError(f"{file.name} is empty: nothing to prepare.") from error
        raise PrepkitError(f"{file.name} cannot be read as CSV: {error}: mend or remove that row.") from error


def _csv_header(file: Path) -> tuple[list[str], str]:
    with pa.input_stream(str(file), compression="detect") as stream:
        head = stream.read(1 << 16).decode("utf-8-sig", "ignore")
    line = head.splitlines()[0] if head.strip() else ""
    if not line:
        raise PrepkitError(f"{file.name} is empty: nothing to prepare.")
    delimiter = max(DELIMITERS, key=line.count) if any(d in line for d in DELIMITERS) else ","
    options = pa.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    names = pa.csv.open_csv(file, parse_options=options).schema.names
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise PrepkitError(f"{file.name}: columns {twice} exist twice: rename one of each.")
    return names, delimiter


def _encoding_error(file: Path, error: Exception) -> PrepkitError:
    return PrepkitError(
        f"{file.name} is not UTF-8 ({error}): convert it, or read it with "
        f"pandas.read_csv({file.name!r}, encoding='latin-1') and give the frame."
    )


def _opened(file: Path) -> Any:
    try:
        return pa.parquet.ParquetFile(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise PrepkitError(f"{file.name} cannot be read as Parquet: {error}") from error


def _read_parquet(file: Path, rng: np.random.Generator | None) -> Iterator[dict[str, RawColumn]]:
    schema = _opened(file).schema_arrow
    strings = [f.name for f in schema if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)]
    reader = pa.parquet.ParquetFile(file, read_dictionary=strings)
    groups = None if rng is None else rng.permutation(reader.num_row_groups).tolist()
    for batch in reader.iter_batches(batch_size=CHUNK, row_groups=groups):
        if batch.num_rows:
            yield dict(zip(schema.names, batch.columns, strict=True))


def _read_npz(file: Path) -> Iterator[dict[str, RawColumn]]:
    """Arrays by name; each is decompressed along with the others, a chunk of rows at a time."""
    try:
        archive = zipfile.ZipFile(file)
    except zipfile.BadZipFile as error:
        raise PrepkitError(f"{file.name} cannot be read as NPZ: {error}") from error
    with archive:
        names = [n for n in archive.namelist() if n.endswith(".npy")]
        streams = {n[:-4]: archive.open(n) for n in names}
        headers = {n: _npy_header(s, f"{file.name}: {n}") for n, s in streams.items()}
        lengths = {n: shape[0] if shape else 0 for n, (shape, _) in headers.items()}
        if len(set(lengths.values())) > 1:
            raise PrepkitError(f"{file.name}: arrays of different lengths {lengths}: give one row each.")
        rows = max(lengths.values(), default=0)
        for start in range(0, rows, CHUNK):
            n = min(CHUNK, rows - start)
            out = {}
            for name, (shape, dtype) in headers.items():
                size = n * int(np.prod(shape[1:], dtype=np.int64)) * dtype.itemsize
                out[name] = np.frombuffer(streams[name].read(size), dtype).reshape(n, *shape[1:])
            yield {n: _from_numpy(a) for n, a in out.items()}


def _from_numpy(array: np.ndarray) -> RawColumn:
    return array if array.dtype.kind in "biuf" else pa.array(array.astype(str).tolist())


def _npy_header(stream: Any, where: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(stream)
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

    compression = "GZIP" if files[0].read_bytes()[:2] == b"\x1f\x8b" else ""
    records = tf.data.TFRecordDataset([str(f) for f in files], compression_type=compression)
    try:
        spec = dict(features) if features else _infer_features(records)
    except tf.errors.DataLossError as error:
        raise PrepkitError(f"{files[0].name} cannot be read as TFRecord: {error.message}") from error
    absent = tf.int64.min

    def parse(batch: Any) -> dict[str, Any]:
        out = tf.io.parse_example(batch, spec)
        for name, feature in spec.items():
            if feature.dtype == tf.int64 and not features:
                x = out[name]
                out[name] = tf.where(x == absent, tf.constant(np.nan, tf.float64), tf.cast(x, tf.float64))
        return out

    return records.batch(4096).map(parse, num_parallel_calls=tf.data.AUTOTUNE)


def _infer_features(records: Any) -> dict[str, Any]:
    import tensorflow as tf

    seen: dict[str, tuple[Any, Any, int]] = {}
    for record in records.take(1000).as_numpy_iterator():
        for name, feature in tf.train.Example.FromString(record).features.feature.items():
            which = feature.WhichOneof("kind")
            if which is None:
                continue
            values = getattr(feature, which).value
            kind = {
                "bytes_list": (tf.string, ""),
                "float_list": (tf.float32, np.nan),
                "int64_list": (tf.int64, tf.int64.min),
            }[which]
            if not len(values):
                continue
            if name in seen and seen[name][2] != len(values):
                raise PrepkitError(
                    f"TFRecord feature {name!r} has {seen[name][2]} values in one record and {len(values)} in another: "
                    "give a dataset of your own that pads it."
                )
            seen[name] = (*kind, len(values))
    if not seen:
        raise PrepkitError("the TFRecord files hold no tf.train.Example with features: nothing to prepare.")
    return {
        name: tf.io.FixedLenFeature([] if n == 1 else [n], dtype, default if n == 1 else [default] * n)
        for name, (dtype, default, n) in sorted(seen.items())
    }
