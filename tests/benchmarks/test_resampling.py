"""The benchmark of resampling, made small: all contenders bring classes to one size, its ratios are of its seconds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import resampling


def test_small_run_writes_what_it_measured(tmp_path: Path, capsys) -> None:
    out = tmp_path / "resampling.json"
    names = "iterate,prepkit_index,by_index,prepkit_stream,in_graph"
    resampling.main(["--rows", "4000", "--repeats", "3", "--memory-rows", "--contenders", names, "--out", str(out)])
    report = json.loads(out.read_text())
    found = {r["contender"]: r for r in report["results"]}
    wanted = [3145] * 4  # 0.78625 of 4,000 rows
    assert found["prepkit_index"]["rows_of_classes"] == found["prepkit_stream"]["rows_of_classes"] == wanted
    assert found["iterate"]["rows_of_classes"] == [3145, 600, 200, 55]
    assert found["by_index"]["over_by_index"] == 1
    ours = found["prepkit_index"]
    assert len(ours["runs"]) == 3 and ours["epoch"] == sorted(r["epoch"] for r in ours["runs"])[1]
    assert ours["over_by_index"] == ours["epoch"] / found["by_index"]["epoch"]
    assert "over_in_graph_shuffled" not in ours
    assert report["memory"] == [] and "prepkit_stream" in capsys.readouterr().out


def test_memory_is_measured_in_a_process_of_its_own() -> None:
    found = resampling.run_child("prepkit_stream", 3000)
    assert 0 <= found["growth_mb"] < 500 and found["arrays_mb"] == pytest.approx(3000 * 51 * 4 / 2**20)


@pytest.mark.parametrize("name", [n for n, c in resampling.CONTENDERS.items() if "prepkit" not in n])
def test_contenders_by_hand_bring_classes_to_one_size(name: str) -> None:
    work = resampling.Workload(4000)
    counts = resampling.counted(name, work, resampling.CONTENDERS[name].build(work), limit=0.2)
    assert len(counts) == 4 and min(counts) > 0


def test_what_misses_its_size_is_refused() -> None:
    work = resampling.Workload(4000)
    with pytest.raises(SystemExit, match=r"by_index yields \[3145, 600, 200, 55\] rows"):
        resampling.counted("by_index", work, resampling.iterate(work), limit=1)
    with pytest.raises(SystemExit, match="in_graph yields"):
        resampling.counted("in_graph", work, resampling.iterate(work), limit=1)


def test_what_is_stopped_is_scaled_to_all_rows() -> None:
    work = resampling.Workload(4000)
    stopped = resampling.timed("sample_from_datasets", work, limit=0)
    assert stopped["extrapolated"] and stopped["rows"] == resampling.BATCH
    whole = resampling.timed("sample_from_datasets", work, limit=60)
    assert not whole["extrapolated"] and whole["rows"] == work.wanted == 4 * 3145


def test_a_drawn_stream_has_the_shares_and_the_same_rows_again() -> None:
    work = resampling.Drawn(20_000)
    one, other = (np.concatenate([y.numpy() for _, y in work.stream]) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    np.testing.assert_allclose(np.bincount(one) / 20_000, resampling.SHARES, atol=0.02)


def test_the_copy_of_the_rows_shows_in_the_memory() -> None:
    grown = resampling.child("imblearn", 50_000)
    repeated = 4 * 0.78625 * grown["arrays_mb"]
    assert repeated < grown["growth_mb"] < 10 * repeated


def test_unknown_contender_is_refused_with_the_choices() -> None:
    with pytest.raises(SystemExit, match=r"no contender \['spark'\]: choose from iterate, prepkit_index, "):
        resampling.main(["--contenders", "by_index,spark"])
