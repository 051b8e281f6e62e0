"""How fast prepkit fits and feeds workload T, beside hand-written code, scikit-learn, Keras and polars.

    python benchmarks/throughput.py [--rows 100000 1000000] [--parquet-rows 10000000] [--repeats 5]
                                    [--contenders expert,prepkit] [--no-memory]
                                    [--out benchmarks/results/throughput.json]

Workload T: 20 float32 columns (5 % NaN, scales 1e-3 to 1e6), 6 string columns (2 to 1,000 categories) and a
label of two classes, as a pandas table; out comes one dense float32 matrix, 1,289 wide, in batches of 1,024.
Recipe: fill with the median, standardise, one-hot. Three things are timed, each in seconds:

fit    from the table to numbers and vocabularies; strings are turned into codes inside it.
build  from the table to something that yields batches of (x, y): packing, coding, tracing the graph.
epoch  one pass over those batches, in order.

The contenders named *_shuffled fit inside build and yield the rows in a random order. Those named *_source
start from `from_tensor_slices(dict).batch(1024)`: what it costs to iterate it, and to fit on it. Those named
*_parquet fit from a file in row groups of 128k, each time in a new process, warmed up on a small file.

All contenders take turns (A B C A B C ...), after a round on 10,000 rows that warms up and checks that their
matrices are equal. Peak memory is measured in a fresh process per contender, as the kernel's high-water mark
(VmHWM, reset after the table stands; ru_maxrss is no use here: a child inherits its parent's).
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

SEED = 20_240_601
BATCH = 1024
SCALES = np.logspace(-3, 6, 20)
CARDINALITIES = (2, 5, 12, 50, 200, 1000)  # 20 + 1,269 = 1,289 columns out
NUMERIC = tuple(f"x{i:02d}" for i in range(len(SCALES)))
CATEGORICAL = tuple(f"c{k:04d}" for k in CARDINALITIES)
LABEL = "y"
ROW_GROUP = 1 << 17
CHECK_ROWS = 10_000  # enough that every category appears (the rarest is expected ten times)
SOURCE_MAX_ROWS = 200_000  # rows as tf.data elements: 6 to 26 us each, minutes at 1M

Batches = Iterable[tuple[Any, Any]]
Moments = tuple[float, float, float]  # fill, mean, deviation


# --- The data -----------------------------------------------------------------------------------------------


def columns(rows: int, seed: int) -> dict[str, Any]:
    """Workload T as NumPy columns (numbers, label) and Arrow dictionaries (strings)."""
    rng = np.random.default_rng([SEED, seed])
    shifts = np.random.default_rng(SEED).normal(size=len(SCALES))  # the same in every part of a file
    out: dict[str, Any] = {}
    for name, scale, shift in zip(NUMERIC, SCALES, shifts, strict=True):
        out[name] = ((rng.standard_normal(rows, dtype=np.float32) + shift) * scale).astype(np.float32)
        out[name][rng.random(rows, dtype=np.float32) < 0.05] = np.nan
    for name, k in zip(CATEGORICAL, CARDINALITIES, strict=True):
        words = pa.array([f"{name}-{i:04d}" for i in range(k)], pa.large_string())
        out[name] = pa.DictionaryArray.from_arrays(rng.integers(0, k, rows, dtype=np.int32), words)
    out[LABEL] = rng.integers(0, 2, rows)
    return out


def make_frame(rows: int, seed: int = 0) -> pd.DataFrame:
    return pd.DataFrame(
        {
            name: pd.array(x.dictionary_decode(), dtype="str") if isinstance(x, pa.DictionaryArray) else x
            for name, x in columns(rows, seed).items()
        }
    )


def write_parquet(path: Path, rows: int) -> None:
    """Write T group by group: NaN as null, as files have it; strings dictionary-encoded."""
    writer = None
    for seed, start in enumerate(range(0, rows, ROW_GROUP)):
        part = columns(min(ROW_GROUP, rows - start), seed)
        table = pa.table({name: pa.array(x, from_pandas=True) for name, x in part.items()})
        writer = writer or pq.ParquetWriter(path, table.schema, use_dictionary=list(CATEGORICAL))
        writer.write_table(table, row_group_size=ROW_GROUP)
    assert writer is not None
    writer.close()


@dataclass
class Inputs:
    """What stands in memory before any clock starts."""

    frame: pd.DataFrame

    @cached_property
    def packed(self) -> Packed:
        return ingest(self.frame)

    @cached_property
    def source(self) -> Any:
        """A user's own pipeline: rows as elements, then batched."""
        import tensorflow as tf

        features = {name: self.frame[name].to_numpy() for name in (*NUMERIC, *CATEGORICAL)}
        features = {n: x.astype(object) if n in CATEGORICAL else x for n, x in features.items()}
        return tf.data.Dataset.from_tensor_slices((features, self.frame[LABEL].to_numpy())).batch(BATCH)


# --- The expert: what one would write by hand, knowing the data and TensorFlow well -------------------------


@dataclass(frozen=True)
class Packed:
    """T with its strings as codes: floats (n, 20), codes (n,) into each of `words`, labels (n,)."""

    floats: np.ndarray
    codes: tuple[np.ndarray, ...]
    words: tuple[pa.Array, ...]
    labels: np.ndarray


@dataclass(frozen=True)
class Learned:
    """Fill, mean and standard deviation (20,), in the columns' units; the words of each string column."""

    fill: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    words: tuple[pa.Array, ...]


def ingest(frame: pd.DataFrame) -> Packed:
    floats = np.ascontiguousarray(frame[list(NUMERIC)].to_numpy(np.float32))
    encoded = [encode(frame[name]) for name in CATEGORICAL]
    codes = tuple(e.indices.to_numpy() for e in encoded)
    return Packed(floats, codes, tuple(e.dictionary for e in encoded), frame[LABEL].to_numpy())


def encode(strings: pd.Series) -> pa.DictionaryArray:
    array = pa.array(strings)
    whole = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    return whole.dictionary_encode()


def partition_median(x: np.ndarray) -> float:
    """Exact median of `x` without NaN: one single-kth partition, four times faster than np.median."""
    k = len(x) // 2
    parted = np.partition(x, k)
    return float(parted[k] if len(x) % 2 else (parted[k] + parted[:k].max()) / np.float32(2))


def column_statistics(x: np.ndarray) -> Moments:
    """Median, and mean and deviation once it fills the gaps: in closed form, so in one pass."""
    present = x[~np.isnan(x)]
    wide = present.astype(np.float64)
    mean, n_missing = wide.mean(), len(x) - len(present)
    wide -= mean
    return filled_moments(partition_median(present), len(present), mean, float((wide * wide).sum()), n_missing)


def filled_moments(fill: float, n: int, mean: float, squares: float, n_missing: int) -> Moments:
    total = n + n_missing
    filled = (n * mean + n_missing * fill) / total
    variance = (squares + n * (mean - filled) ** 2 + n_missing * (fill - filled) ** 2) / total
    return fill, filled, variance**0.5


def plain_statistics(x: np.ndarray) -> Moments:
    """The same with the functions that come to mind first."""
    fill = np.nanmedian(x)
    filled = np.where(np.isnan(x), fill, x)
    return float(fill), float(filled.mean(dtype=np.float64)), float(filled.std(dtype=np.float64))


def expert_fit(frame: pd.DataFrame, statistics: Callable[[np.ndarray], Moments] = column_statistics) -> Learned:
    found = np.array([statistics(frame[name].to_numpy()) for name in NUMERIC])
    fill, mean, scale = found.T
    return Learned(fill, mean, scale, tuple(encode(frame[name]).dictionary for name in CATEGORICAL))


def transform_in_graph(learned: Learned, width: int) -> Callable[[Any, Any], Any]:
    """One multiply-add and a where for the numbers, one bincount for all one-hots, one concat."""
    import tensorflow as tf

    a = tf.constant(1 / learned.scale, tf.float32)
    b = tf.constant(-learned.mean / learned.scale, tf.float32)
    fill = tf.constant((learned.fill - learned.mean) / learned.scale, tf.float32)

    def transform(floats: Any, codes: Any) -> Any:
        numbers = tf.where(tf.math.is_nan(floats), fill, floats * a + b)
        hot = tf.math.bincount(codes, minlength=width, maxlength=width, axis=-1, binary_output=True, dtype=tf.float32)
        return tf.concat([numbers, hot], axis=1)

    return transform


def one_hot_positions(learned: Learned, packed: Packed) -> tuple[np.ndarray, int]:
    """Which columns of the one-hot matrix are 1 in each row, int32 (n, 6), and how many columns there are."""
    positions = np.empty((len(packed.labels), len(packed.codes)), np.int32)
    start = 0
    for j, (codes, seen, words) in enumerate(zip(packed.codes, packed.words, learned.words, strict=True)):
        positions[:, j] = (pc.index_in(seen, words).to_numpy().astype(np.int32) + start)[codes]
        start += len(words)
    return positions, start


def expert_dataset(learned: Learned, packed: Packed, shuffled: bool = False) -> Any:
    import tensorflow as tf

    rows, auto = len(packed.labels), tf.data.AUTOTUNE
    codes, width = one_hot_positions(learned, packed)
    floats, codes, labels = tf.constant(packed.floats), tf.constant(codes), tf.constant(packed.labels)
    transform = transform_in_graph(learned, width)

    def sliced(i: Any) -> Any:
        return transform(floats[i : i + BATCH], codes[i : i + BATCH]), labels[i : i + BATCH]

    def gathered(order: Any) -> Any:
        def take(i: Any) -> Any:
            rows = order[i : i + BATCH]
            return transform(tf.gather(floats, rows), tf.gather(codes, rows)), tf.gather(labels, rows)

        return starts.map(take, num_parallel_calls=auto, deterministic=True)

    starts = tf.data.Dataset.range(0, rows, BATCH)
    if not shuffled:
        return starts.map(sliced, num_parallel_calls=auto, deterministic=True).prefetch(auto)
    epochs = tf.data.Dataset.from_tensors(0).map(lambda _: tf.random.shuffle(tf.range(rows)))
    return epochs.flat_map(gathered).prefetch(auto)


def iterate_dataset(packed: Packed) -> Any:
    """The floor: slices of the packed arrays, and nothing done to them."""
    import tensorflow as tf

    codes = np.stack(packed.codes, axis=1)
    parts = tuple(map(tf.constant, (packed.floats, codes, packed.labels)))

    def sliced(i: Any) -> Any:
        floats, codes, labels = (part[i : i + BATCH] for part in parts)
        return (floats, codes), labels

    return tf.data.Dataset.range(0, len(packed.labels), BATCH).map(sliced)


def numpy_batches(learned: Learned, packed: Packed) -> Batches:
    """Zeros, then a scatter, batch by batch in Python: fast, but it neither overlaps nor exports."""
    fill, mean, scale = (x.astype(np.float32) for x in (learned.fill, learned.mean, learned.scale))
    numbers = (np.where(np.isnan(packed.floats), fill, packed.floats) - mean) / scale
    codes, width = one_hot_positions(learned, packed)
    codes += len(NUMERIC)

    def batch(i: int) -> tuple[np.ndarray, np.ndarray]:
        part = codes[i : i + BATCH]
        x = np.zeros((len(part), len(NUMERIC) + width), np.float32)
        x[:, : len(NUMERIC)] = numbers[i : i + BATCH]
        x[np.arange(len(part))[:, None], part] = 1
        return x, packed.labels[i : i + BATCH]

    return map(batch, range(0, len(codes), BATCH))


# --- The libraries, each as its experienced user would ------------------------------------------------------


def sklearn_fit(frame: pd.DataFrame) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    strings = OneHotEncoder(handle_unknown="ignore", dtype=np.float32)
    parts = [("numbers", numbers, list(NUMERIC)), ("strings", strings, list(CATEGORICAL))]
    return ColumnTransformer(parts, sparse_threshold=1.0).fit(frame.drop(columns=LABEL))


def sklearn_batches(fitted: Any, frame: pd.DataFrame, chunk: int = 64 * BATCH) -> Batches:
    """Sparse by chunks of 64 batches (one call per batch is slower), densified batch by batch."""
    labels = frame[LABEL].to_numpy()
    for start in range(0, len(frame), chunk):
        sparse = fitted.transform(frame.iloc[start : start + chunk]).tocsr()
        for i in range(0, sparse.shape[0], BATCH):
            yield sparse[i : i + BATCH].toarray(), labels[start + i : start + i + BATCH]


@dataclass(frozen=True)
class KerasLayers:
    fill: np.ndarray
    normalise: Any
    lookups: Sequence[Any]


def keras_fit(frame: pd.DataFrame) -> KerasLayers:
    """Whole columns to `adapt`, gaps filled before (one NaN spoils Normalization)."""
    import keras

    floats = frame[list(NUMERIC)].to_numpy(np.float32)
    fill = np.array([np.nanmedian(x) for x in floats.T], np.float32)
    normalise = keras.layers.Normalization()
    normalise.adapt(np.where(np.isnan(floats), fill, floats))
    lookups = [keras.layers.StringLookup(num_oov_indices=0) for _ in CATEGORICAL]
    for name, lookup in zip(CATEGORICAL, lookups, strict=True):
        lookup.adapt(frame[name].to_numpy(object))
    return KerasLayers(fill, normalise, lookups)


def keras_dataset(layers: KerasLayers, frame: pd.DataFrame) -> Any:
    """Strings stay strings until the graph; one multi-hot for all columns instead of six one-hots."""
    import keras
    import tensorflow as tf

    floats = tf.constant(frame[list(NUMERIC)].to_numpy(np.float32))
    strings = tf.constant(np.stack([frame[name].to_numpy(object) for name in CATEGORICAL], axis=1))
    labels = tf.constant(frame[LABEL].to_numpy())
    sizes = [lookup.vocabulary_size() for lookup in layers.lookups]
    offsets = np.cumsum([0, *sizes[:-1]])
    hot = keras.layers.CategoryEncoding(num_tokens=sum(sizes), output_mode="multi_hot")

    def transform(i: Any) -> Any:
        x, s = floats[i : i + BATCH], strings[i : i + BATCH]
        numbers = layers.normalise(tf.where(tf.math.is_nan(x), layers.fill, x))
        looked_up = [f(s[:, j]) + offsets[j] for j, f in enumerate(layers.lookups)]
        multi_hot = tf.cast(hot(tf.stack(looked_up, axis=1)), tf.float32)
        return tf.concat([numbers, multi_hot], axis=1), labels[i : i + BATCH]

    starts = tf.data.Dataset.range(0, len(frame), BATCH)
    return starts.map(transform, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def polars_fit(frame: pd.DataFrame) -> tuple[dict[str, float], dict[str, Any]]:
    import polars as pl

    table = pl.from_pandas(frame, nan_to_null=True)
    filled = {name: pl.col(name).fill_null(pl.col(name).median()).cast(pl.Float64) for name in NUMERIC}
    row = table.select(
        *(pl.col(name).median().alias(f"{name}_fill") for name in NUMERIC),
        *(x.mean().alias(f"{name}_mean") for name, x in filled.items()),
        *(x.std(ddof=0).alias(f"{name}_scale") for name, x in filled.items()),
    ).row(0, named=True)
    return row, {name: table[name].unique().sort() for name in CATEGORICAL}


def polars_batches(fitted: tuple[dict[str, float], dict[str, Any]], frame: pd.DataFrame) -> Batches:
    """Codes once, then an expression per output column, 16 batches at a time (singly: three times slower)."""
    import polars as pl

    row, words = fitted
    enums = [pl.col(name).cast(pl.Enum(w)).to_physical() for name, w in words.items()]
    table = pl.from_pandas(frame, nan_to_null=True).with_columns(enums)
    numbers = [
        ((pl.col(n).fill_null(row[f"{n}_fill"]) - row[f"{n}_mean"]) / row[f"{n}_scale"]).cast(pl.Float32)
        for n in NUMERIC
    ]
    hot = [
        (pl.col(name) == code).cast(pl.Float32).alias(word) for name, w in words.items() for code, word in enumerate(w)
    ]
    labels = frame[LABEL].to_numpy()

    def batches(start: int) -> Batches:
        x = table.slice(start, 16 * BATCH).select(*numbers, *hot).to_numpy(order="c")
        return ((x[i : i + BATCH], labels[start + i : start + i + BATCH]) for i in range(0, len(x), BATCH))

    return chain.from_iterable(map(batches, range(0, len(frame), 16 * BATCH)))


def recipe() -> Any:
    import prepkit as pk

    return pk.Pipeline([pk.Impute(numeric="median"), pk.Rescale("standard"), pk.OneHot(max_categories=None)])


# --- One pass over a Parquet file ---------------------------------------------------------------------------


def parquet_batches(path: Path) -> Iterable[pa.RecordBatch]:
    file = pq.ParquetFile(path, read_dictionary=list(CATEGORICAL), pre_buffer=False)  # else the whole file
    yield from file.iter_batches(batch_size=ROW_GROUP)


def parquet_decode(path: Path) -> int:
    return sum(batch.num_rows for batch in parquet_batches(path))


class Sketch:
    """Count, mean, squared deviations, and every 64th of the sorted values of each chunk of 64k."""

    chunk, every = 1 << 16, 64

    def __init__(self) -> None:
        self.rows, self.n, self.mean, self.squares = 0, 0, 0.0, 0.0
        self.kept: list[np.ndarray] = []

    def update(self, values: np.ndarray) -> None:
        self.rows += len(values)
        present = values[~np.isnan(values)]
        if not len(present):
            return
        wide = present.astype(np.float64)
        mean, n, total = float(wide.mean()), len(present), self.n + len(present)
        wide -= mean
        shift = mean - self.mean
        self.squares += float((wide * wide).sum()) + shift * shift * self.n * n / total
        self.mean, self.n = self.mean + shift * n / total, total
        for start in range(0, n, self.chunk):
            part = np.sort(present[start : start + self.chunk])
            self.kept.append(part[min(self.every // 2, len(part) - 1) :: self.every].copy())  # a view keeps all

    def result(self) -> Moments:
        fill = partition_median(np.concatenate(self.kept))
        return filled_moments(fill, self.n, self.mean, self.squares, self.rows - self.n)


def parquet_expert(path: Path) -> Learned:
    """One pass, approximate median, strings counted on their codes."""
    sketches = [Sketch() for _ in NUMERIC]
    counts: list[dict[str, int]] = [{} for _ in (*CATEGORICAL, LABEL)]
    for batch in parquet_batches(path):
        for name, sketch in zip(NUMERIC, sketches, strict=True):
            sketch.update(batch.column(name).to_numpy(zero_copy_only=False))
        for name, count in zip((*CATEGORICAL, LABEL), counts, strict=True):
            for found in batch.column(name).value_counts().to_pylist():
                count[found["values"]] = count.get(found["values"], 0) + found["counts"]
    words = tuple(pa.array(list(count), pa.large_string()) for count in counts[:-1])
    fill, mean, scale = np.array([sketch.result() for sketch in sketches]).T
    return Learned(fill, mean, scale, words)


# --- The contenders -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Contender:
    """What is timed under one name; ratios are taken to `expert`, and to `floor`'s epoch."""

    fit: Callable[[Inputs], Any] | None = None
    build: Callable[[Inputs, Any], Batches] | None = None
    prepare: Callable[[Inputs], Any] = lambda inputs: inputs.frame  # untimed: what has to stand before
    expert: str = "expert"
    floor: str = "iterate"
    checked: bool = True  # does it yield T's matrix, in the order of the rows?
    max_rows: int | None = None


CONTENDERS: Mapping[str, Contender] = {
    "iterate": Contender(
        build=lambda inputs, _: iterate_dataset(inputs.packed), prepare=lambda i: i.packed, checked=False
    ),
    "expert": Contender(
        fit=lambda inputs: expert_fit(inputs.frame),
        build=lambda inputs, learned: expert_dataset(learned, ingest(inputs.frame)),
    ),
    "expert_nanmedian": Contender(
        fit=lambda inputs: expert_fit(inputs.frame, plain_statistics),
        checked=False,
    ),
    "expert_shuffled": Contender(
        build=lambda inputs, _: expert_dataset(expert_fit(inputs.frame), ingest(inputs.frame), shuffled=True),
        expert="expert_shuffled",
        checked=False,
    ),
    "numpy": Contender(
        fit=lambda inputs: expert_fit(inputs.frame),
        build=lambda inputs, learned: numpy_batches(learned, ingest(inputs.frame)),
    ),
    "sklearn": Contender(
        fit=lambda inputs: sklearn_fit(inputs.frame),
        build=lambda inputs, fitted: sklearn_batches(fitted, inputs.frame),
    ),
    "keras_layers": Contender(
        fit=lambda inputs: keras_fit(inputs.frame),
        build=lambda inputs, layers: keras_dataset(layers, inputs.frame),
    ),
    "polars": Contender(
        fit=lambda inputs: polars_fit(inputs.frame),
        build=lambda inputs, fitted: polars_batches(fitted, inputs.frame),
    ),
    "prepkit": Contender(
        fit=lambda inputs: recipe().fit(inputs.frame, label=LABEL),
        build=lambda inputs, fitted: fitted.transform(inputs.frame, batch_size=BATCH),
    ),
    "prepkit_shuffled": Contender(
        build=lambda i, _: recipe().prepare(i.frame, label=LABEL, batch_size=BATCH, seed=0).dataset,
        expert="expert_shuffled",
        checked=False,
    ),
    "iterate_source": Contender(
        build=lambda inputs, _: inputs.source,
        prepare=lambda inputs: inputs.source,
        expert="iterate_source",
        floor="iterate_source",
        checked=False,
        max_rows=SOURCE_MAX_ROWS,
    ),
    "prepkit_source": Contender(
        fit=lambda inputs: recipe().fit(inputs.source),
        prepare=lambda inputs: inputs.source,
        floor="iterate_source",
        checked=False,
        max_rows=SOURCE_MAX_ROWS,
    ),
}
PARQUET: Mapping[str, Callable[[Path], Any]] = {
    "decode_parquet": parquet_decode,
    "expert_parquet": parquet_expert,
    "prepkit_parquet": lambda path: recipe().fit(str(path), label=LABEL),
}


# --- Measuring ----------------------------------------------------------------------------------------------

Seconds = dict[str, list[float]]


@dataclass
class Run:
    """The timings of one contender at one number of rows."""

    contender: str
    rows: int
    seconds: Seconds = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)  # MB

    def add(self, part: str, seconds: float) -> None:
        self.seconds.setdefault(part, []).append(seconds)

    def median(self, part: str) -> float | None:
        return float(np.median(self.seconds[part])) if part in self.seconds else None


def drain(batches: Batches) -> int:
    return sum(int(labels.shape[0]) for _, labels in batches)


def time_round(contender: Contender, inputs: Inputs, run: Run) -> None:
    contender.prepare(inputs)
    gc.collect()
    fitted = batches = None
    if contender.fit:
        start = time.perf_counter()
        fitted = contender.fit(inputs)
        run.add("fit", time.perf_counter() - start)
    if contender.build:
        start = time.perf_counter()
        batches = contender.build(inputs, fitted)
        run.add("build", time.perf_counter() - start)
        start = time.perf_counter()
        rows = drain(batches)
        run.add("epoch", time.perf_counter() - start)
        assert rows == len(inputs.frame), f"{run.contender} yielded {rows} of {len(inputs.frame)} rows"


def whole_matrix(contender: Contender, inputs: Inputs) -> tuple[np.ndarray, np.ndarray]:
    assert contender.fit is not None and contender.build is not None
    batches = [(np.asarray(x), np.asarray(y)) for x, y in contender.build(inputs, contender.fit(inputs))]
    return np.concatenate([x for x, _ in batches]), np.concatenate([y for _, y in batches])


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """Largest difference of two matrices, whatever the order of their columns; inf of unlike ones."""
    if one.shape != other.shape:
        return float("inf")
    hot_one, hot_other = (((x == 0) | (x == 1)).all(axis=0) for x in (one, other))
    if bit_columns(one[:, hot_one]) != bit_columns(other[:, hot_other]):
        return float("inf")
    left, right = one[:, ~hot_one], other[:, ~hot_other]
    nearest = [int(np.abs(right - x[:, None]).mean(axis=0).argmin()) for x in left.T]
    if sorted(nearest) != list(range(right.shape[1])):
        return float("inf")
    return float(np.abs(left - right[:, nearest]).max(initial=0.0))


def bit_columns(hot: np.ndarray) -> list[bytes]:
    return sorted(map(bytes, np.packbits(hot == 1, axis=0).T))


def check(names: Iterable[str]) -> dict[str, float]:
    """Compare every contender's matrix of CHECK_ROWS rows with the expert's; warm up the others."""
    inputs = Inputs(make_frame(CHECK_ROWS))
    expected, labels = whole_matrix(CONTENDERS["expert"], inputs)
    found: dict[str, float] = {}
    for name in names:
        if not CONTENDERS[name].checked:
            time_round(CONTENDERS[name], inputs, Run(name, CHECK_ROWS))
            continue
        matrix, given = whole_matrix(CONTENDERS[name], inputs)
        found[name] = difference(expected, matrix)
        if not (found[name] < 1e-4 and (given.ravel() == labels).all()):
            raise SystemExit(f"{name} does not yield the expert's matrix: it differs by {found[name]:.3g}.")
    return found


def check_parquet(path: Path) -> float:
    """By hand and prepkit, both fitted on the file at `path`, yield nearly the same matrix.

    The hand-written median is off by up to 32 ranks of 64k values, so filled cells may differ a little.
    """
    frame = make_frame(CHECK_ROWS)
    fitted = PARQUET["prepkit_parquet"](path)
    ours = np.concatenate([np.asarray(x) for x, _ in fitted.transform(frame, batch_size=BATCH)])
    by_hand = expert_dataset(parquet_expert(path), ingest(frame))
    found = difference(np.concatenate([np.asarray(x) for x, _ in by_hand]), ours)
    if not found < 0.05:
        raise SystemExit(f"prepkit_parquet does not fit what the expert fits: it differs by {found:.3g}.")
    return found


def memory_mb(key: str) -> float:
    """VmRSS (now) or VmHWM (the most since `reset_peak`) of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith(key))) / 1024


def reset_peak() -> None:
    gc.collect()
    pa.default_memory_pool().release_unused()
    Path("/proc/self/clear_refs").write_text("5")


def child(name: str, rows: int, paths: Sequence[str]) -> dict[str, float]:
    """In a process of its own: warm up small, then run once at full size; seconds, and memory in MB."""
    if name in PARQUET:
        small, large = map(Path, paths)
        PARQUET[name](small)
        reset_peak()
        before, start = memory_mb("VmRSS"), time.perf_counter()
        PARQUET[name](large)
        seconds = time.perf_counter() - start
    else:
        contender = CONTENDERS[name]
        time_round(contender, Inputs(make_frame(CHECK_ROWS)), Run(name, CHECK_ROWS))
        inputs = Inputs(make_frame(rows))
        contender.prepare(inputs)
        reset_peak()
        before, start = memory_mb("VmRSS"), time.perf_counter()
        time_round(contender, inputs, Run(name, rows))
        seconds = time.perf_counter() - start
    peak = memory_mb("VmHWM")
    return {"seconds": seconds, "before_mb": before, "peak_mb": peak, "growth_mb": peak - before}


def run_child(name: str, rows: int, paths: Sequence[Path] = ()) -> dict[str, float]:
    command = [sys.executable, __file__, "--child", name, "--rows", str(rows), "--paths", *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name} at {rows:,} rows failed in its own process:\n{done.stderr[-3000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def measure_tables(
    names: Sequence[str], rows: int, repeats: int, memory: bool, advance: Callable[[str], None]
) -> list[Run]:
    inputs = Inputs(make_frame(rows))
    runs = [Run(name, rows) for name in names if rows <= (CONTENDERS[name].max_rows or rows)]
    for _ in range(repeats):
        for run in runs:
            advance(f"{run.contender}, {rows:,} rows")
            time_round(CONTENDERS[run.contender], inputs, run)
    del inputs
    for run in runs if memory else ():
        advance(f"memory of {run.contender}, {rows:,} rows")
        run.memory = run_child(run.contender, rows)
    return runs


def measure_parquet(
    names: Sequence[str], rows: int, repeats: int, folder: Path, advance: Callable[[str], None]
) -> list[Run]:
    small, large = folder / "small.parquet", folder / f"{rows}.parquet"
    advance(f"writing {rows:,} rows")
    write_parquet(large, rows)
    runs = [Run(name, rows) for name in names]
    for _ in range(repeats):
        for run in runs:
            advance(f"{run.contender}, {rows:,} rows")
            run.memory = run_child(run.contender, rows, (small, large))
            run.add("fit", run.memory.pop("seconds"))
    large.unlink()
    return runs


# --- Telling ------------------------------------------------------------------------------------------------


def summarise(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Every run with its raw seconds, and ratios of medians to the expert and to bare iteration."""
    by_key = {(run.contender, run.rows): run for run in runs}

    def ratio(value: float | None, name: str, rows: int, part: str) -> float | None:
        other = by_key.get((name, rows))
        base = other.median(part) if other else None
        return value / base if value and base else None

    out = []
    for run in runs:
        contender = CONTENDERS.get(run.contender, Contender(expert="expert_parquet", floor="decode_parquet"))
        source = run.contender == "prepkit_source"
        floor_part = "fit" if run.contender in PARQUET else "epoch"
        parts = {}
        for part, seconds in run.seconds.items():
            median = run.median(part)
            parts[part] = {
                "seconds": seconds,
                "median": median,
                "min": min(seconds),
                "max": max(seconds),
                "over_expert": None if source else ratio(median, contender.expert, run.rows, part),
                "over_iterate": ratio(median, contender.floor, run.rows, floor_part)
                if part == floor_part or source
                else None,
            }
        out.append({"contender": run.contender, "rows": run.rows, "memory": run.memory, "parts": parts})
    return out


def machine() -> dict[str, Any]:
    def installed(package: str) -> str | None:
        try:
            return version(package)
        except PackageNotFoundError:
            return None

    packages = ("prepkit", "tensorflow", "keras", "numpy", "pandas", "pyarrow", "polars", "scikit-learn")
    return {
        "cpu_count": os.cpu_count(),
        "usable_cpus": len(os.sched_getaffinity(0)),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "packages": {package: installed(package) for package in packages},
        "load_average_at_start": os.getloadavg(),
    }


def draw(results: Sequence[Mapping[str, Any]], rows: int) -> Table:
    table = Table(title=f"Workload T, {rows:,} rows: seconds (min-max, median), x = times the expert's")
    for heading in ("", "fit", "build", "epoch", "epoch / iterate", "peak growth, MB"):
        table.add_column(heading, justify="left" if not heading else "right")
    for result in results:
        if result["rows"] != rows:
            continue
        cells = []
        for part in ("fit", "build", "epoch"):
            found = result["parts"].get(part)
            if not found:
                cells.append("")
                continue
            over = f" {found['over_expert']:.2f}x" if found["over_expert"] else ""
            spread = f"[dim]{found['min']:.3f}-{found['max']:.3f}[/dim]"
            cells.append(f"{spread} [b]{found['median']:.3f}[/b]{over}")
        floors = [p["over_iterate"] for p in result["parts"].values() if p["over_iterate"]]
        growth = result["memory"].get("growth_mb")
        table.add_row(
            result["contender"],
            *cells,
            f"{floors[0]:.2f}" if floors else "",
            "" if growth is None else f"{growth:,.0f}",
        )
    return table


def chosen(text: str | None) -> list[str]:
    known = [*CONTENDERS, *PARQUET]
    names = known if text is None else [name.strip() for name in text.split(",")]
    if unknown := [name for name in names if name not in known]:
        raise SystemExit(f"no contender {unknown}: choose from {', '.join(known)}.")
    if any(name.startswith("prepkit") for name in names):
        try:
            recipe()
        except (ImportError, AttributeError) as error:
            others = ",".join(name for name in known if not name.startswith("prepkit"))
            raise SystemExit(
                f"prepkit cannot be used here ({error}): install it, or leave it out: --contenders {others}"
            ) from None
    return names


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--parquet-rows", type=int, default=10_000_000, help="and a tenth of it; 0: no Parquet")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--no-memory", action="store_true", help="leave out the processes that measure it")
    parser.add_argument("--contenders", help="comma-separated; all by default")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/throughput.json"))
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--paths", nargs="*", default=(), help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    options = parse(argv)
    if options.child:
        print(json.dumps(child(options.child, options.rows[0], options.paths)))
        return
    names = chosen(options.contenders)
    tables, files = [n for n in names if n in CONTENDERS], [n for n in names if n in PARQUET]
    sizes = [options.parquet_rows // 10, options.parquet_rows] if files and options.parquet_rows else []
    report: dict[str, Any] = {"machine": machine()}  # before the load that we make
    console = Console(stderr=True)
    steps = len(options.rows) * len(tables) * (options.repeats + (not options.no_memory))
    steps += len(sizes) * (1 + len(files) * options.repeats)
    runs: list[Run] = []
    layout = (TextColumn("{task.description:<44}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*layout, console=console) as progress, tempfile.TemporaryDirectory() as temporary:
        task = progress.add_task("checking that all agree", total=steps)

        def advance(what: str) -> None:
            progress.update(task, description=what, advance=1)

        report["largest_difference_to_expert"] = check(tables) if tables else {}
        for rows in options.rows if tables else ():
            runs += measure_tables(tables, rows, options.repeats, not options.no_memory, advance)
        if sizes:
            folder = Path(temporary)
            write_parquet(folder / "small.parquet", CHECK_ROWS)
            if "prepkit_parquet" in files:
                found = check_parquet(folder / "small.parquet")
                report["largest_difference_to_expert"]["prepkit_parquet"] = found
        for rows in sizes:
            runs += measure_parquet(files, rows, options.repeats, Path(temporary), advance)
    report |= {
        "command": " ".join(["python", "benchmarks/throughput.py", *(argv or sys.argv[1:])]),
        "seed": SEED,
        "repeats": options.repeats,
        "batch_size": BATCH,
        "width": len(NUMERIC) + sum(CARDINALITIES),
        "results": summarise(runs),
        "method": __doc__,
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=1) + "\n")
    out = Console() if sys.stdout.isatty() else Console(width=120)
    for rows in dict.fromkeys(run.rows for run in runs):
        out.print(draw(report["results"], rows))
    out.print(f"written to {options.out}")


if __name__ == "__main__":
    main()
