"""How fast prepkit validates and profiles, beside checks written by hand and pandera.

    python benchmarks/validation.py [--rows 1000000] [--repeats 5] [--no-parquet]
                                    [--out benchmarks/results/validation.json]

Workload T of `throughput.py`: 20 float32 columns (5 % NaN), 6 columns of strings, a label. The rules: each
number nullable and within the 0.05 and 99.95 % quantiles of its column; the strings not null, three of them among
all words but one, three matching a regular expression; the label 0 or 1. All contenders have to find the same
number of rows for each rule, which is checked on 10,000 rows before.

table    rules on a table in memory, to a mask for each rule: by hand in polars; pandera on polars and on pandas
         (lazy, all failure cases); prepkit on the polars and on the pandas table.
dataset  rules on a tf.data.Dataset of batches of 8,192 rows sliced from tensors, to the count of each rule: by
         hand in the graph; prepkit. Bare iteration beside them.
parquet  a file in row groups of 131,072 rows: to decode it; `prepkit.profile`. Each in a new process, warmed up
         on a small file, with the growth of its peak memory.

All contenders take turns; given are the medians of all repeats, in seconds, and their ratios.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pandas as pd

from benchmarks.throughput import (
    CATEGORICAL,
    CHECK_ROWS,
    LABEL,
    NUMERIC,
    machine,
    make_frame,
    memory_mb,
    parquet_decode,
    reset_peak,
    write_parquet,
)

BATCH = 8192
AMONG, MATCHING = CATEGORICAL[:3], CATEGORICAL[3:]
Counts = list[int]


class Workload:
    """The tables, and what the rules say, fixed before any clock starts."""

    def __init__(self, rows: int) -> None:
        self.frame = make_frame(rows)
        quantiles = self.frame[list(NUMERIC)].quantile([0.0005, 0.9995]).astype(np.float32)
        self.range = {n: (float(quantiles[n].iloc[0]), float(quantiles[n].iloc[1])) for n in NUMERIC}
        self.words = {n: sorted(self.frame[n].unique())[:-1] for n in AMONG}
        self.regex = {n: rf"^{n}-\d{{4}}$" for n in MATCHING}

    @cached_property
    def polars(self) -> Any:
        import polars as pl

        return pl.from_pandas(self.frame)

    @cached_property
    def dataset(self) -> Any:
        import tensorflow as tf

        features = {n: tf.constant(self.frame[n].to_numpy()) for n in NUMERIC}
        features |= {n: tf.constant(self.frame[n].to_numpy(object)) for n in CATEGORICAL}
        features[LABEL] = tf.constant(self.frame[LABEL].to_numpy())
        starts = tf.data.Dataset.range(0, len(self.frame), BATCH)
        return starts.map(lambda s: {n: t[s : s + BATCH] for n, t in features.items()}, num_parallel_calls=-1)

    def schema(self, library: str) -> Any:
        if library == "polars":
            import pandera.polars as pa
            import polars as pl

            number, string, integer = pl.Float32, pl.String, pl.Int64
        else:
            import pandera.pandas as pa  # type: ignore[no-redef]

            number, string, integer = "float32", str, "int64"  # type: ignore[assignment]
        columns = {n: pa.Column(number, pa.Check.in_range(*self.range[n]), nullable=True) for n in NUMERIC}
        columns |= {n: pa.Column(string, pa.Check.isin(self.words[n])) for n in AMONG}
        columns |= {n: pa.Column(string, pa.Check.str_matches(self.regex[n])) for n in MATCHING}
        return pa.DataFrameSchema({**columns, LABEL: pa.Column(integer, pa.Check.isin([0, 1]))})


# --- The contenders: each gives, for each column in order, the rows that break its rules ---------------------


def polars_by_hand(work: Workload) -> Counts:
    import polars as pl

    broken = [(~pl.col(n).is_between(*work.range[n])).fill_null(False).alias(n) for n in NUMERIC]
    broken += [(~pl.col(n).is_in(work.words[n]) | pl.col(n).is_null()).alias(n) for n in AMONG]
    broken += [(~pl.col(n).str.contains(work.regex[n]) | pl.col(n).is_null()).alias(n) for n in MATCHING]
    masks = work.polars.select([*broken, (~pl.col(LABEL).is_in([0, 1])).alias(LABEL)])
    return list(masks.sum().row(0))


def pandera(work: Workload, library: str) -> Counts:
    from pandera.errors import SchemaErrors

    try:
        work.schema(library).validate(work.polars if library == "polars" else work.frame, lazy=True)
    except SchemaErrors as errors:
        cases = errors.failure_cases
        counts = cases["column"].value_counts()
        found = dict(counts.iter_rows()) if library == "polars" else counts.to_dict()
        return [int(found.get(n, 0)) for n in (*NUMERIC, *CATEGORICAL, LABEL)]
    return [0] * (len(NUMERIC) + len(CATEGORICAL) + 1)


def prepkit_table(work: Workload, table: Any) -> Counts:
    return by_column(work.check(table))


def by_column(found: Any) -> Counts:
    counts = dict.fromkeys((*NUMERIC, *CATEGORICAL, LABEL), 0)
    for rule, n in zip(found.rules, found.counts, strict=True):
        counts[rule.columns[0]] += n
    return list(counts.values())


def dataset_by_hand(work: Workload) -> Counts:
    import tensorflow as tf

    def broken(x: Mapping[str, Any]) -> Any:
        masks = [(x[n] < work.range[n][0]) | (x[n] > work.range[n][1]) for n in NUMERIC]
        for n in AMONG:
            among = tf.reduce_any(x[n][:, None] == tf.constant(work.words[n])[None], 1)
            masks.append(~among | (x[n] == ""))
        masks += [~tf.strings.regex_full_match(x[n], work.regex[n]) | (x[n] == "") for n in MATCHING]
        masks.append((x[LABEL] != 0) & (x[LABEL] != 1))
        return tf.reduce_sum(tf.cast(tf.stack(masks), tf.int64), 1)

    total = np.zeros(len(NUMERIC) + len(CATEGORICAL) + 1, np.int64)
    for counts in work.dataset.map(broken, num_parallel_calls=-1).prefetch(2):
        total += counts.numpy()
    return total.tolist()


def iterate(work: Workload) -> Counts:
    for _ in work.dataset.prefetch(2):
        pass
    return []


class Checking(Workload):
    """With prepkit's stage made once, as a user has it."""

    @cached_property
    def validate(self) -> Any:
        import prepkit as pk

        return pk.Validate(self.schema("pandas"))

    def check(self, data: Any) -> Any:
        return self.validate.check(data)


TABLE: dict[str, Callable[[Any], Counts]] = {
    "polars by hand": polars_by_hand,
    "pandera on polars": lambda work: pandera(work, "polars"),
    "pandera on pandas": lambda work: pandera(work, "pandas"),
    "prepkit on polars": lambda work: prepkit_table(work, work.polars),
    "prepkit on pandas": lambda work: prepkit_table(work, work.frame),
}
DATASET: dict[str, Callable[[Any], Counts]] = {
    "iterate": iterate,
    "graph by hand": dataset_by_hand,
    "prepkit on tf.data": lambda work: prepkit_table(work, work.dataset),
}


def profile_parquet(path: Path) -> int:
    import prepkit as pk

    return pk.profile(path, label=LABEL).rows


PARQUET: dict[str, Callable[[Path], int]] = {"decode": parquet_decode, "prepkit.profile": profile_parquet}


# --- Measuring ----------------------------------------------------------------------------------------------


def check_agreement() -> dict[str, bool]:
    """Whether each contender finds what the expert finds, on 10,000 rows; pandera on polars stops at a cap of cases."""
    work = Checking(CHECK_ROWS)
    expected = polars_by_hand(work)
    everyone = {**TABLE, **{n: f for n, f in DATASET.items() if n != "iterate"}}
    return {name: contender(work) == expected for name, contender in everyone.items()}


def measure(work: Workload, contenders: Mapping[str, Callable[[Any], Counts]], repeats: int) -> dict[str, list[float]]:
    """Seconds of each, in turns, after one round that warms up."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for repeat in range(repeats + 1):
        for name, contender in contenders.items():
            start = time.perf_counter()
            contender(work)
            if repeat:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def child(name: str, small: Path, large: Path) -> dict[str, float]:
    """One contender on a file, in a process of its own."""
    PARQUET[name](small)
    reset_peak()
    before, start = memory_mb("VmRSS"), time.perf_counter()
    PARQUET[name](large)
    return {"seconds": time.perf_counter() - start, "growth_mb": memory_mb("VmHWM") - before}


def measure_parquet(rows: int, repeats: int) -> dict[str, dict[str, list[float]]]:
    out: dict[str, dict[str, list[float]]] = {name: {"seconds": [], "growth_mb": []} for name in PARQUET}
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder) / "small.parquet", Path(folder) / "large.parquet"
        write_parquet(small, CHECK_ROWS)
        write_parquet(large, rows)
        for _ in range(repeats):
            for name in PARQUET:
                command = [sys.executable, __file__, "--child", name, str(small), str(large)]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                if done.returncode:
                    raise SystemExit(f"{name} failed in its own process:\n{done.stderr[-3000:]}")
                for key, value in json.loads(done.stdout.splitlines()[-1]).items():
                    out[name][key].append(value)
    return out


def told(seconds: Mapping[str, Sequence[float]], base: str) -> dict[str, dict[str, Any]]:
    """Medians, spread and ratio to the median of `base`."""
    medians = {name: statistics.median(s) for name, s in seconds.items()}
    return {
        name: {
            "median": medians[name],
            "min": min(s),
            "max": max(s),
            "ratio": medians[name] / medians[base],
            "seconds": list(s),
        }
        for name, s in seconds.items()
    }


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--no-parquet", action="store_true", help="leave out the file")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/validation.json"))
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.child:
        name, small, large = options.child
        print(json.dumps(child(name, Path(small), Path(large))))
        return
    report: dict[str, Any] = {"machine": machine(), "agree": check_agreement()}
    work = Checking(options.rows)
    report["table"] = told(measure(work, TABLE, options.repeats), "polars by hand")
    report["dataset"] = told(measure(work, DATASET, options.repeats), "graph by hand")
    if not options.no_parquet:
        found = measure_parquet(options.rows, options.repeats)
        report["parquet"] = told({n: f["seconds"] for n, f in found.items()}, "decode")
        for name, numbers in found.items():
            report["parquet"][name]["growth_mb"] = statistics.median(numbers["growth_mb"])
    report |= {"rows": options.rows, "repeats": options.repeats, "method": __doc__}
    report["command"] = " ".join(["python", "benchmarks/validation.py", *(argv if argv is not None else sys.argv[1:])])
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=1) + "\n")
    for part in ("table", "dataset", "parquet"):
        if part in report:
            print(
                pd.DataFrame(report[part]).T[["median", "min", "max", "ratio"]].astype(float).round(3).to_string(), "\n"
            )
    print(f"all agree: {all(report['agree'].values())}; written to {options.out}")


if __name__ == "__main__":
    main()
