"""The benchmark, made small: it runs, all contenders agree, and its ratios are those of its seconds."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import throughput

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "benchmarks/throughput.py", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_small_run_writes_what_it_measured(tmp_path: Path) -> None:
    out = tmp_path / "throughput.json"
    sizes = ("--rows", "2000", "--parquet-rows", "5000", "--repeats", "1", "--no-memory")
    done = run(*sizes, "--contenders", "iterate,expert,prepkit,expert_parquet", "--out", str(out))
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(out.read_text())
    assert report["width"] == 1289
    assert report["largest_difference_to_expert"]["prepkit"] < 1e-4
    runs = {(r["contender"], r["rows"]): r for r in report["results"]}
    tables = {(name, 2000) for name in ("iterate", "expert", "prepkit")}
    assert runs.keys() == tables | {("expert_parquet", 500), ("expert_parquet", 5000)}
    ours, experts = runs["prepkit", 2000]["parts"], runs["expert", 2000]["parts"]
    assert ours.keys() == {"fit", "build", "epoch"}
    assert all(len(part["seconds"]) == 1 for part in ours.values())
    assert ours["fit"]["over_expert"] == ours["fit"]["median"] / experts["fit"]["median"]
    floor = runs["iterate", 2000]["parts"]["epoch"]["median"]
    assert ours["epoch"]["over_iterate"] == ours["epoch"]["median"] / floor
    memory = runs["expert_parquet", 5000]["memory"]
    assert memory["peak_mb"] == pytest.approx(memory["before_mb"] + memory["growth_mb"])


def test_the_contenders_yield_one_matrix() -> None:
    ours = [name for name in throughput.CONTENDERS if name.startswith(("prepkit", "expert"))]
    found = throughput.check([*ours, "iterate", "numpy", "keras_layers"])
    assert found.keys() == {"expert", "prepkit", "numpy", "keras_layers"}
    assert 0 <= max(found.values()) < 1e-4


def test_the_matrix_of_the_rows_shows_in_the_memory() -> None:
    measured = throughput.child("expert", 100_000, ())
    megabytes = 100_000 * (20 + 6) * 4 / 2**20  # the packed floats and codes, at the least
    assert megabytes / 2 < measured["growth_mb"] < 1000


def test_by_hand_and_prepkit_fit_the_same_from_parquet(tmp_path: Path) -> None:
    throughput.write_parquet(tmp_path / "t.parquet", throughput.CHECK_ROWS)
    assert throughput.parquet_decode(tmp_path / "t.parquet") == throughput.CHECK_ROWS
    assert throughput.check_parquet(tmp_path / "t.parquet") < 0.05


def test_unknown_contender_is_refused_with_the_choices() -> None:
    with pytest.raises(SystemExit, match=r"no contender \['spark'\]: choose from iterate, expert, "):
        throughput.chosen("expert,spark")


def test_difference_sees_a_changed_cell_but_not_the_order_of_columns() -> None:
    rng = np.random.default_rng(0)
    one = np.concatenate([rng.normal(size=(50, 3)), rng.integers(0, 2, (50, 9))], axis=1)
    assert throughput.difference(one, one[:, rng.permutation(12)]) == 0
    numeric, hot = one.copy(), one.copy()
    numeric[7, 1] += 0.25
    hot[7, 5] = 1 - hot[7, 5]
    assert throughput.difference(one, numeric) == pytest.approx(0.25)
    assert throughput.difference(one, hot) == np.inf


def test_closed_form_statistics_equal_those_of_the_filled_column() -> None:
    x = throughput.columns(1001, seed=3)["x19"]
    np.testing.assert_allclose(throughput.column_statistics(x), throughput.plain_statistics(x), rtol=1e-6)
    sketch = throughput.Sketch()
    for part in np.array_split(x, 7):
        sketch.update(part)
    present = np.sort(x[~np.isnan(x)])
    fill, mean, deviation = sketch.result()
    assert abs(np.searchsorted(present, fill) - len(present) / 2) <= 64
    filled = np.where(np.isnan(x), fill, x).astype(np.float64)
    np.testing.assert_allclose((mean, deviation), (filled.mean(), filled.std()), rtol=1e-6)
