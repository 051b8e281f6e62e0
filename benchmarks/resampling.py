"""How fast classes are brought to one size in tf.data, and in how much memory, beside code written by hand.

    python benchmarks/resampling.py [--rows 200000] [--repeats 7] [--memory-rows 200000 800000]
                                    [--contenders by_index,prepkit_index] [--out benchmarks/results/resampling.json]

200,000 rows of 50 float32 columns and 4 classes (78.6, 15, 5 and 1.4 % of the rows), each class oversampled to the
size of the largest: 629,000 rows in batches of 1,024. What is timed, in seconds:

build  from the arrays, or the user's dataset of batches, to something that yields batches of (x, y): fitting,
       counting, tracing the graph. What resamples once does so here.
epoch  one pass over it. What resamples anew for each epoch does so here.
cpu    of an epoch, seconds of all threads together: other work on the machine changes it less.

iterate             batches sliced from tensors, as they are: the "stream" that others start from. 200,000 rows.
prepkit_index       `Rebalance("oversample")` on arrays in memory.
by_index            by hand: in numpy, all rows and drawn ones of the rare classes, shuffled; gathered batch by batch.
prepkit_stream      `Rebalance("oversample")` on the stream; shuffled in windows of 65,536 rows.
in_graph            by hand: `tf.repeat` of each batch's rows by the rate of their class, rounded at random; rebatched.
                    Neither shuffled nor of an exact size: the copies of a row stand side by side.
in_graph_shuffled   the same in windows of 65,536 rows, the repeated rows of which are gathered in random order.
imblearn            RandomOverSampler, then `from_tensor_slices(...).batch(1024)`.
sample_from_datasets, sample_from_filtered, rejection_resample    on rows as elements, as TensorFlow's documentation has
                    it: from a repeated dataset for each class, of arrays parted before or of a filtered copy of all
                    rows; and by leaving out rows of frequent classes, again and again. Stopped after 30 seconds and
                    scaled to the 629,000 rows ("extrapolated"): seconds times rows wanted over rows that came.

All contenders take turns (A B C A B C ...) after a round that warms up and counts the rows of each class; medians.
Ratios are to `in_graph`, `in_graph_shuffled` and `by_index`. Peak memory is measured in a process of its own for each
contender, as the kernel's high-water mark (VmHWM, reset after the arrays stand and 10,000 rows have warmed up;
ru_maxrss is no use here: a child inherits its parent's). There the stream is drawn batch by batch in the graph, so
that what grows is what resampling holds.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pandas as pd

from benchmarks.throughput import machine, memory_mb, reset_peak

SEED, BATCH, COLUMNS = 20_240_601, 1024, 50
SHARES = (0.78625, 0.15, 0.05, 0.01375)  # 4 x 0.78625 x 200,000 = 629,000; of 3 classes it cannot be above 600,000
LIMIT_SECONDS = 30.0  # of contenders whose elements are rows: minutes otherwise
WARM_UP_ROWS = 10_000
OFF = 5  # standard errors (at most 0.5 / sqrt(rows)) of the share of a class, by chance


class Workload:
    """The arrays; what else is asked of them, made once, before any clock starts."""

    def __init__(self, rows: int) -> None:
        rng = np.random.default_rng(SEED)
        self.counts = np.round(np.asarray(SHARES) * rows).astype(int)
        self.counts[0] += rows - self.counts.sum()
        self.y = rng.permutation(np.repeat(np.arange(len(SHARES), dtype=np.int32), self.counts))
        self.x = rng.standard_normal((rows, COLUMNS), np.float32) + self.y[:, None].astype(np.float32)
        self.rates = (self.counts.max() / self.counts).astype(np.float32)
        self.wanted = int(self.counts.max()) * len(SHARES)

    @cached_property
    def stream(self) -> Any:
        """A user's dataset of batches of (x, y)."""
        import tensorflow as tf

        with tf.device("CPU:0"):
            x, y = tf.constant(self.x), tf.constant(self.y)
        return tf.data.Dataset.range(0, len(self.y), BATCH).map(lambda i: (x[i : i + BATCH], y[i : i + BATCH]))


class Drawn(Workload):
    """Of the same kind, but with a stream that nothing in memory stands behind."""

    @cached_property
    def stream(self) -> Any:
        import tensorflow as tf

        edges, n = tf.constant(np.cumsum(SHARES)[:-1], tf.float32), len(self.y)

        def batch(i: Any) -> Any:
            rows = tf.minimum(BATCH, n - i)
            y = tf.searchsorted(edges, tf.random.stateless_uniform([rows], [SEED, i]), out_type=tf.int32)
            return tf.random.stateless_normal([rows, COLUMNS], [SEED, i]) + tf.cast(y, tf.float32)[:, None], y

        return tf.data.Dataset.range(0, n, BATCH).map(lambda i: batch(tf.cast(i, tf.int32)))


Batches = Iterable[tuple[Any, Any]]
Epoch = Callable[[], Batches]  # what one pass goes over


# --- The contenders: each is built, and then gives the batches of an epoch -----------------------------------


def iterate(work: Workload) -> Epoch:
    dataset = work.stream.prefetch(2)
    return lambda: dataset


def prepkit_index(work: Workload) -> Epoch:
    return _prepkit((work.x, work.y))


def prepkit_stream(work: Workload) -> Epoch:
    return _prepkit(work.stream)


def _prepkit(data: Any) -> Epoch:
    import prepkit as pk

    dataset = pk.Pipeline([pk.Rebalance("oversample")]).prepare(data, batch_size=BATCH, seed=0).dataset
    return lambda: dataset


def by_index(work: Workload) -> Epoch:
    import tensorflow as tf

    rng = np.random.default_rng(SEED)
    with tf.device("CPU:0"):
        x, y = tf.constant(work.x), tf.constant(work.y)
        order = tf.Variable(tf.zeros([work.wanted], tf.int32))
    of_class = [np.flatnonzero(work.y == c) for c in range(len(work.counts))]

    def batch(start: Any) -> Any:
        rows = order[start : start + BATCH]
        return tf.gather(x, rows), tf.gather(y, rows)

    starts = tf.data.Dataset.range(0, work.wanted, BATCH)
    dataset = starts.map(batch, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)

    def epoch() -> Any:
        drawn = [rng.choice(rows, work.counts.max() - len(rows)) for rows in of_class]
        order.assign(rng.permutation(np.concatenate([np.arange(len(work.y)), *drawn])))
        return dataset

    return epoch


def repeated_at_random(work: Workload) -> Callable[[Any, Any], Any]:
    """Each row's place in a batch as often as its class is too rare, fractions by chance."""
    import tensorflow as tf

    rates = tf.constant(work.rates)

    def places(x: Any, y: Any) -> Any:
        times = tf.gather(rates, y) + tf.random.uniform(tf.shape(y))
        return tf.repeat(tf.range(tf.size(y)), tf.cast(tf.floor(times), tf.int32))

    return places


def in_graph(work: Workload, window: int | None = None) -> Epoch:
    import tensorflow as tf

    auto, places = tf.data.AUTOTUNE, repeated_at_random(work)

    def repeated(x: Any, y: Any) -> Any:
        rows = places(x, y)
        rows = rows if window is None else tf.random.shuffle(rows)
        return tf.gather(x, rows), tf.gather(y, rows)

    stream = work.stream if window is None else work.stream.rebatch(window)
    dataset = stream.map(repeated, num_parallel_calls=auto).rebatch(BATCH).prefetch(auto)
    return lambda: dataset


def in_graph_shuffled(work: Workload) -> Epoch:
    from prepkit.feed import WINDOW

    return in_graph(work, WINDOW)


def imblearn(work: Workload) -> Epoch:
    import tensorflow as tf
    from imblearn.over_sampling import RandomOverSampler

    x, y = RandomOverSampler(random_state=0).fit_resample(work.x, work.y)
    with tf.device("CPU:0"):
        dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(BATCH).prefetch(tf.data.AUTOTUNE)
    return lambda: dataset


def _rows(work: Workload) -> Any:
    import tensorflow as tf

    with tf.device("CPU:0"):
        return tf.data.Dataset.from_tensor_slices((work.x, work.y))


def sample_from_datasets(work: Workload) -> Epoch:
    import tensorflow as tf

    with tf.device("CPU:0"):
        of_class = [
            tf.data.Dataset.from_tensor_slices((work.x[work.y == c], work.y[work.y == c])).repeat()
            for c in range(len(work.counts))
        ]
    return _sampled(of_class, work)


def sample_from_filtered(work: Workload) -> Epoch:
    rows = _rows(work)
    return _sampled([rows.filter(lambda _, y, c=c: y == c).repeat() for c in range(len(work.counts))], work)


def _sampled(of_class: Sequence[Any], work: Workload) -> Epoch:
    import tensorflow as tf

    dataset = tf.data.Dataset.sample_from_datasets(of_class, seed=0).take(work.wanted)
    dataset = dataset.batch(BATCH).prefetch(tf.data.AUTOTUNE)
    return lambda: dataset


def rejection_resample(work: Workload) -> Epoch:
    import tensorflow as tf

    classes = len(work.counts)
    rows = (
        _rows(work)
        .repeat()
        .rejection_resample(lambda _, y: y, [1 / classes] * classes, (work.counts / work.counts.sum()).tolist(), seed=0)
    )
    dataset = rows.map(lambda _, row: row).take(work.wanted).batch(BATCH).prefetch(tf.data.AUTOTUNE)
    return lambda: dataset


@dataclass(frozen=True)
class Contender:
    build: Callable[[Workload], Epoch]
    exact: bool = True  # is an epoch of exactly as many rows as wanted?
    limited: bool = False  # stopped early, and scaled?
    resamples: bool = True


CONTENDERS: Mapping[str, Contender] = {
    "iterate": Contender(iterate, resamples=False),
    "prepkit_index": Contender(prepkit_index),
    "by_index": Contender(by_index),
    "prepkit_stream": Contender(prepkit_stream),
    "in_graph": Contender(in_graph, exact=False),
    "in_graph_shuffled": Contender(in_graph_shuffled, exact=False),
    "imblearn": Contender(imblearn),
    "sample_from_datasets": Contender(sample_from_datasets, limited=True),
    "sample_from_filtered": Contender(sample_from_filtered, limited=True),
    "rejection_resample": Contender(rejection_resample, limited=True),
}
OURS_AND_BY_HAND = ("prepkit_index", "by_index", "prepkit_stream", "in_graph", "in_graph_shuffled")
BASES = ("in_graph", "in_graph_shuffled", "by_index")


# --- Measuring -----------------------------------------------------------------------------------------------


def counted(name: str, work: Workload, epoch: Epoch, limit: float) -> list[int]:
    """Rows of each class in an epoch, which have to be what was asked for."""
    total, start = np.zeros(len(work.counts), np.int64), time.perf_counter()
    for _, y in epoch():
        total += np.bincount(y.numpy(), minlength=len(total))
        if CONTENDERS[name].limited and time.perf_counter() - start > limit:
            break
    contender = CONTENDERS[name]
    wanted = np.full(len(total), work.wanted / len(total)) if contender.resamples else work.counts
    exact = contender.exact and not contender.limited
    off = np.abs(total / total.sum() - wanted / wanted.sum()).max()
    if (total != wanted).any() if exact else off > OFF * 0.5 / total.sum() ** 0.5:
        raise SystemExit(f"{name} yields {total.tolist()} rows of the classes, not {wanted.tolist()}.")
    return [int(n) for n in total]


def timed(name: str, work: Workload, limit: float) -> dict[str, Any]:
    """Seconds to build, and of an epoch; scaled if it was stopped."""
    gc.collect()
    start = time.perf_counter()
    epoch = CONTENDERS[name].build(work)
    built, rows = time.perf_counter() - start, 0
    start, used = time.perf_counter(), time.process_time()
    for _, y in epoch():
        rows += int(y.shape[0])
        if CONTENDERS[name].limited and time.perf_counter() - start > limit:
            break
    seconds, used = time.perf_counter() - start, time.process_time() - used
    stopped = CONTENDERS[name].limited and rows < work.wanted
    scale = work.wanted / rows if stopped else 1.0
    return {"build": built, "epoch": seconds * scale, "cpu": used * scale, "rows": rows, "extrapolated": stopped}


def measure(names: Sequence[str], rows: int, repeats: int, limit: float) -> dict[str, dict[str, Any]]:
    """All contenders in turns; those that are stopped run twice, for they take longest and are never close."""
    work = Workload(rows)
    found: dict[str, dict[str, Any]] = {
        n: {"rows_of_classes": counted(n, work, CONTENDERS[n].build(work), limit), "runs": []} for n in names
    }
    for repeat in range(repeats):
        for name in names:
            if not CONTENDERS[name].limited or repeat < 2:
                found[name]["runs"].append(timed(name, work, limit))
                print(f"{name} {repeat}: {found[name]['runs'][-1]}", file=sys.stderr)
    return found


def child(name: str, rows: int) -> dict[str, float]:
    """Growth of memory over one build and epoch, in a process of its own: MB."""
    for _ in CONTENDERS[name].build(Drawn(WARM_UP_ROWS))():
        pass
    work = Drawn(rows)
    reset_peak()
    before = memory_mb("VmRSS")
    for _ in CONTENDERS[name].build(work)():
        pass
    arrays = (work.x.nbytes + work.y.nbytes) / 2**20
    return {"growth_mb": memory_mb("VmHWM") - before, "before_mb": before, "arrays_mb": arrays}


def run_child(name: str, rows: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--child", name, "--rows", str(rows)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name} at {rows:,} rows failed in its own process:\n{done.stderr[-3000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


# --- Telling -------------------------------------------------------------------------------------------------


def told(found: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Medians and spread of each, and ratios of the median seconds of an epoch."""
    medians = {n: statistics.median(r["epoch"] for r in f["runs"]) for n, f in found.items()}
    out = []
    for name, f in found.items():
        seconds = [r["epoch"] for r in f["runs"]]
        row = {"contender": name, "build": statistics.median(r["build"] for r in f["runs"]), "epoch": medians[name]}
        row |= {
            "cpu": statistics.median(r["cpu"] for r in f["runs"]),
            "min": min(seconds),
            "max": max(seconds),
            "extrapolated": any(r["extrapolated"] for r in f["runs"]),
        }
        row |= {f"over_{base}": medians[name] / medians[base] for base in BASES if base in medians}
        out.append({**row, **f})
    return out


def table(report: Mapping[str, Any]) -> str:
    shown = pd.DataFrame(report["results"]).set_index("contender").drop(columns=["runs", "rows_of_classes"])
    text = shown.round(3).to_string()
    if report["memory"]:
        grown = pd.DataFrame(report["memory"]).pivot(index="contender", columns="rows", values="growth_mb")
        text += f"\n\nGrowth of peak memory in MB, by rows:\n{grown.round(0).to_string()}"
    return text


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--memory-rows", type=int, nargs="*", default=[200_000, 800_000], help="none: not measured")
    parser.add_argument("--limit", type=float, default=LIMIT_SECONDS, help="seconds of those that are stopped")
    parser.add_argument("--contenders", default=",".join(CONTENDERS), help="comma-separated; all by default")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "resampling.json")
    parser.add_argument("--child", choices=tuple(CONTENDERS), help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    options = parse(argv)
    if options.child:
        print(json.dumps(child(options.child, options.rows)))
        return
    names = options.contenders.split(",")
    if unknown := [name for name in names if name not in CONTENDERS]:
        raise SystemExit(f"no contender {unknown}: choose from {', '.join(CONTENDERS)}.")
    at = machine()  # before the load that we make
    at["packages"]["imbalanced-learn"] = version("imbalanced-learn")
    report: dict[str, Any] = {"machine": at, "rows": options.rows, "repeats": options.repeats, "batch_size": BATCH}
    report["results"] = told(measure(names, options.rows, options.repeats, options.limit))
    report["memory"] = [
        {"contender": name, "rows": rows, **run_child(name, rows)}
        for name in names
        if name in OURS_AND_BY_HAND
        for rows in options.memory_rows
    ]
    command = " ".join(["python", "benchmarks/resampling.py", *(argv if argv is not None else sys.argv[1:])])
    report |= {"command": command, "seed": SEED, "shares": SHARES, "method": __doc__}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=1) + "\n")
    print(table(report), f"\nwritten to {options.out}")


if __name__ == "__main__":
    main()
