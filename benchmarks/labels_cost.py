"""What cleaning labels costs: seconds beside the training of proxies and cleanlab, and memory.

    python benchmarks/labels_cost.py [--rows 100000] [--out benchmarks/results/labels_cost.json]

Two cases, each in a process of its own: a table of 50 numeric columns and two classes, 20 % of its labels wrong,
cleaned by the default proxies with "auto"; and ten times as many rows of two columns with given probabilities of ten
classes, with "drop". `own` is the share of the seconds of `prepare` beyond those of the same recipe without
`CleanLabels` that is neither the training and use of models nor cleanlab's call. `grown` is the peak of resident
memory above that before `prepare`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

HERE = Path(__file__).parent


def table(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """50 numbers a row, of which 10 tell of the class; one label of five is wrong."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 50)).astype(np.float32)
    y = (x[:, :10].sum(1) + rng.normal(size=rows) > 0).astype(np.int64)
    wrong = rng.random(rows) < 0.2
    return x, np.where(wrong, 1 - y, y)


def probabilities(rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two numbers a row, ten classes, and probabilities that doubt one label of ten."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 10, rows)
    p = rng.random((rows, 10), np.float32)
    p[np.arange(rows), np.where(rng.random(rows) < 0.1, (y + 1) % 10, y)] += 5
    return rng.normal(size=(rows, 2)).astype(np.float32), y, p / p.sum(1, keepdims=True)


def measured(case: str, rows: int) -> dict[str, Any]:
    """Seconds and memory of one case, in this process."""
    import prepkit as pk

    if case == "table":
        x, y = table(rows)
        stage = pk.CleanLabels()
    else:
        x, y, p = probabilities(rows)
        stage = pk.CleanLabels("drop", pred_probs=p)
    pk.Pipeline([pk.Rescale()]).prepare((x[:1000], y[:1000]))  # what is imported and traced for the first time
    start = time.perf_counter()
    pk.Pipeline([pk.Rescale()]).prepare((x, y))
    plain = time.perf_counter() - start
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    prepared = pk.Pipeline([pk.Rescale(), stage]).prepare((x, y))
    seconds = time.perf_counter() - start
    parts = dict(prepared.cleaning.seconds)
    extra = seconds - plain
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {
        "case": case,
        "rows": rows,
        "seconds": seconds,
        "without": plain,
        "parts": parts,
        "own": max(0.0, extra - sum(parts.values())) / extra,
        "grown_mb": grown / 1024,
        "taken": prepared.cleaning.taken,
        "source": prepared.cleaning.source,
    }


def main() -> None:
    """Each case in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--case", choices=("table", "probabilities"))
    parser.add_argument("--out", type=Path, default=HERE / "results" / "labels_cost.json")
    given = parser.parse_args()
    if given.case:
        print(json.dumps(measured(given.case, given.rows)))
        return
    found = []
    for case, rows in (("table", given.rows), ("probabilities", 10 * given.rows)):
        command = [sys.executable, __file__, "--case", case, "--rows", str(rows)]
        found.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
        print(found[-1])
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
