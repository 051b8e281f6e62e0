"""Datasets of batches: every row once an epoch, in an order of its own each time, the same for the same seed."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from prepkit import feed
from prepkit.balance.draw import Draw
from prepkit.spec import LABEL

N, CHUNK, BATCH = 1000, 90, 64  # neither divides another


def from_memory(seed: int | None = None, n: int = N, batch: int = BATCH) -> tf.data.Dataset:
    return feed.from_memory({"id": np.arange(n), "x": np.arange(2 * n).reshape(n, 2)}, finished, batch, seed=seed)


def chunks(n: int = N, chunk: int = CHUNK) -> Iterator[dict[str, np.ndarray]]:
    for start in range(0, n, chunk):
        i = np.arange(start, min(n, start + chunk))
        yield {"id": i, "x": np.stack([2 * i, 2 * i + 1], 1)}


SIGNATURE = {"id": tf.TensorSpec((None,), tf.int64), "x": tf.TensorSpec((None, 2), tf.int64)}


def from_chunks(seed: int | None = None, n: int = N, batch: int = BATCH, chunk: int = CHUNK) -> tf.data.Dataset:
    read = lambda rng=None: chunks(n, chunk)  # noqa: E731
    return feed.from_chunks(read, SIGNATURE, finished, batch, steps=-(-n // batch), seed=seed)


def from_stream(seed: int | None = None, n: int = N, batch: int = BATCH, chunk: int = CHUNK) -> tf.data.Dataset:
    stream = tf.data.Dataset.from_generator(lambda: chunks(n, chunk), output_signature=SIGNATURE)
    return feed.from_stream(stream, finished, batch, steps=-(-n // batch), seed=seed)


def finished(batch: dict[str, Any]) -> tuple[Any, Any]:
    return tf.cast(batch["x"], tf.float32), batch["id"]


WAYS: dict[str, Callable[..., tf.data.Dataset]] = {
    "memory": from_memory,
    "chunks": from_chunks,
    "stream": from_stream,
}
ways = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def order(dataset: tf.data.Dataset) -> list[int]:
    """The rows of one epoch, each checked to be whole."""
    ids: list[int] = []
    for x, i in dataset.as_numpy_iterator():
        np.testing.assert_array_equal(x, np.stack([2 * i, 2 * i + 1], 1))
        ids += i.tolist()
    return ids


@ways
def test_in_order_without_a_seed(way):
    assert order(way()) == list(range(N))


@ways
@pytest.mark.parametrize("seed", [None, 0])
def test_shapes_and_numbers_of_batches_are_known(way, seed):
    dataset = way(seed)
    assert dataset.element_spec == (tf.TensorSpec((None, 2), tf.float32), tf.TensorSpec((None,), tf.int64))
    batches = [len(i) for _, i in dataset]
    assert dataset.cardinality() == len(batches) == len(dataset) == 16
    assert batches == [BATCH] * 15 + [N % BATCH]


@ways
@pytest.mark.parametrize("n, batch", [(1, 64), (63, 64), (64, 64), (128, 64), (5, 1)])
def test_few_rows(way, n, batch):
    for seed in (None, 3):
        dataset = way(seed, n=n, batch=batch)
        assert sorted(order(dataset)) == list(range(n))
        assert dataset.cardinality() == -(-n // batch)


@ways
def test_every_epoch_has_every_row_once_in_an_order_of_its_own(way):
    dataset = way(seed=1)
    epochs = [order(dataset) for _ in range(3)]
    for epoch in epochs:
        assert sorted(epoch) == list(range(N))
    assert len({tuple(e) for e in epochs}) == 3


@ways
def test_the_same_seed_gives_the_same_orders_and_another_seed_others(way):
    def epochs(seed: int) -> list[list[int]]:
        dataset = way(seed)
        return [order(dataset) for _ in range(3)]

    first = epochs(7)
    assert epochs(7) == first
    for other in (epochs(8), epochs(0)):
        assert all(a not in first for a in other)


@ways
def test_rows_are_shuffled_and_not_only_batches(way):
    """Neighbours part, rows travel, and each batch mixes the whole of the data."""
    ids = np.array(order(way(seed=2) if way is from_memory else way(seed=2, chunk=125)))
    assert np.mean(np.diff(ids) == 1) < 0.02  # of a permutation, one in a thousand
    assert abs(np.corrcoef(np.arange(N), ids)[0, 1]) < 0.15
    for start in range(0, N - BATCH, BATCH):
        batch = ids[start : start + BATCH]
        assert len(set(batch // 125)) == 8


def test_in_memory_each_order_is_as_likely_as_any_other():
    dataset = feed.from_memory({"id": np.arange(3)}, lambda b: (b["id"], b["id"]), 3, seed=0)
    seen = Counter(tuple(ids.tolist()) for ids, _ in dataset.repeat(600).as_numpy_iterator())
    assert len(seen) == 6
    assert min(seen.values()) > 65  # of 100; a fair die has fewer in one of 5,000 tests


@ways
def test_it_repeats_and_takes(way):
    dataset = way(seed=1)
    twice = order(dataset.repeat(2))
    assert Counter(twice) == dict.fromkeys(range(N), 2)
    assert twice[:N] != twice[N:]
    assert sorted(twice[:N]) == list(range(N))
    assert len(order(dataset.take(3))) == 3 * BATCH
    assert len({*order(dataset.take(3)), *order(dataset.skip(3))}) <= N
    forever = iter(dataset.repeat())
    assert sum(len(next(forever)[1]) for _ in range(40)) > 2 * N


@ways
def test_a_broken_off_epoch_does_no_harm(way):
    dataset = way(seed=1)
    iterator = iter(dataset)
    next(iterator)
    del iterator
    assert sorted(order(dataset)) == list(range(N))
    one, other = iter(dataset), iter(dataset)
    ids: tuple[list[int], list[int]] = ([], [])
    for (_, i), (_, j) in zip(one, other, strict=True):
        ids[0].extend(i.numpy().tolist())
        ids[1].extend(j.numpy().tolist())
    assert sorted(ids[0]) == sorted(ids[1]) == list(range(N))


@pytest.mark.parametrize("way", [from_memory, from_stream], ids=["memory", "stream"])
def test_what_else_is_random_does_not_change_the_orders(way):
    dataset = way(seed=5)
    first = [order(dataset) for _ in range(2)]
    tf.random.set_seed(123)
    dataset = way(seed=5)
    tf.random.uniform([3])
    assert [order(dataset) for _ in range(2)] == first


def test_another_process_has_the_same_orders():
    code = (
        "import numpy as np; from prepkit import feed\n"
        "d = feed.from_memory({'id': np.arange(50)}, lambda b: b['id'], 50, seed=9)\n"
        "print([next(iter(d)).numpy().tolist() for _ in range(2)])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    dataset = feed.from_memory({"id": np.arange(50)}, lambda b: b["id"], 50, seed=9)
    assert str([next(iter(dataset)).numpy().tolist() for _ in range(2)]) == found.stdout.strip()


@pytest.mark.parametrize("seed", [None, 0])
def test_some_of_the_rows(seed):
    rows = np.array([5, 3, 3, 999, 0])
    dataset = feed.from_memory({"id": np.arange(N)}, lambda b: (b["id"], b["id"]), 2, rows=rows, seed=seed)
    ids = np.concatenate([i for _, i in dataset])
    assert (ids.tolist() == rows.tolist()) if seed is None else (sorted(ids) == sorted(rows))
    assert dataset.cardinality() == 3


def test_chunks_come_in_an_order_that_the_generator_chooses_and_each_epoch_chooses_anew():
    seen: list[list[int]] = []

    def read(rng: np.random.Generator | None = None) -> Iterator[dict[str, np.ndarray]]:
        assert rng is not None
        whole = list(chunks())
        order = rng.permutation(len(whole))
        seen.append(order.tolist())
        return (whole[i] for i in order)

    dataset = feed.from_chunks(read, SIGNATURE, finished, BATCH, steps=16, seed=1)
    assert sorted(order(dataset)) == sorted(order(dataset)) == list(range(N))
    assert seen[0] != seen[1]


def test_a_stream_is_shuffled_within_a_window(monkeypatch):
    monkeypatch.setattr(feed, "WINDOW", 250)
    ids = np.array(order(from_stream(seed=1)))
    for start in range(0, N, 250):
        assert sorted(ids[start : start + 250]) == list(range(start, start + 250))
    monkeypatch.setattr(feed, "WINDOW_BYTES", 24 * 100)  # an id of 8 bytes and two numbers of 8
    ids = np.array(order(from_stream(seed=1)))
    assert sorted(ids[:100]) == list(range(100))


def test_chunks_are_shuffled_within_a_pool(monkeypatch):
    monkeypatch.setattr(feed, "POOL", 2)
    ids = np.array(order(from_chunks(seed=1)))
    assert sorted(ids[: 2 * CHUNK]) == list(range(2 * CHUNK))
    assert len(set(ids[:CHUNK] // CHUNK)) == 2


def test_a_stream_may_have_empty_batches():
    def read() -> Iterator[dict[str, np.ndarray]]:
        for chunk in chunks():
            yield chunk
            yield {name: a[:0] for name, a in chunk.items()}

    stream = tf.data.Dataset.from_generator(read, output_signature=SIGNATURE)
    dataset = feed.from_stream(stream, finished, BATCH, steps=16, seed=1)
    assert sorted(order(dataset)) == list(range(N))
    with_read = feed.from_chunks(lambda rng=None: read(), SIGNATURE, finished, BATCH, steps=16, seed=1)
    assert sorted(order(with_read)) == list(range(N))


def test_wrong_numbers_of_steps_are_an_error_and_not_a_shorter_epoch():
    dataset = feed.from_chunks(lambda rng=None: chunks(), SIGNATURE, finished, BATCH, steps=17, seed=1)
    with pytest.raises(tf.errors.FailedPreconditionError):
        order(dataset)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="how much memory is in use is not told here")
@ways
def test_an_epoch_leaves_no_memory_behind(way):
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    n = 20_000
    dataset = way(seed=1, n=n, batch=2000) if way is from_memory else way(seed=1, n=n, batch=2000, chunk=2000)
    for _ in range(5):
        order(dataset)
    before = resident()
    for _ in range(30):
        order(dataset)
    assert resident() - before < 8e6  # the rows of 30 epochs are 14 MB


# -- rows drawn by their class ------------------------------------------------------------------

COUNTS = (870, 130, 0)  # of each class; none of the last, and of the first hundred rows few of the second
OVER, UNDER = Draw(COUNTS, (900, 400, 0)), Draw(COUNTS, (155, 130, 0))
LABELS = np.random.default_rng(0).permutation(np.r_[np.zeros(780), np.ones(120)]).astype(np.int32)
LABELS = np.r_[np.zeros(90), np.ones(10), LABELS].astype(np.int32)


def labelled(chunk: int = CHUNK) -> Iterator[dict[str, np.ndarray]]:
    for rows in chunks(chunk=chunk):
        yield {**rows, LABEL: LABELS[rows["id"]]}


def drawn_from_memory(draw: Draw, seed: int, batch: int = BATCH, chunk: int = N) -> tf.data.Dataset:
    (arrays,) = labelled(N)
    return feed.from_memory(arrays, finished, batch, seed=seed, draw=draw)


def drawn_from_chunks(draw: Draw, seed: int, batch: int = BATCH, chunk: int = CHUNK) -> tf.data.Dataset:
    signature = {**SIGNATURE, LABEL: tf.TensorSpec((None,), tf.int32)}
    settings: Any = {"steps": -(-draw.total // batch), "seed": seed, "draw": draw}
    return feed.from_chunks(lambda rng=None: labelled(chunk), signature, finished, batch, **settings)


def drawn_from_stream(draw: Draw, seed: int, batch: int = BATCH, chunk: int = CHUNK) -> tf.data.Dataset:
    (arrays,) = labelled(N)
    batches = tf.data.Dataset.from_tensor_slices(arrays).batch(chunk)
    settings: Any = {"steps": -(-draw.total // batch), "seed": seed, "draw": draw}
    return feed.from_stream(batches, finished, batch, **settings)


DRAWN: dict[str, Callable[..., tf.data.Dataset]] = {
    "memory": drawn_from_memory,
    "chunks": drawn_from_chunks,
    "stream": drawn_from_stream,
}
drawings = pytest.mark.parametrize("way", DRAWN.values(), ids=DRAWN)


def times(ids: list[int]) -> np.ndarray:
    """How often each row comes."""
    return np.bincount(ids, minlength=N)


@pytest.fixture
def small_windows(monkeypatch):
    """So that a stream has four of them, and chunks four pools."""
    monkeypatch.setattr(feed, "WINDOW", 270)
    monkeypatch.setattr(feed, "POOL", 3)


@pytest.mark.parametrize("way, draw", [*((way, OVER) for way in DRAWN), ("memory", UNDER), ("stream", UNDER)])
def test_each_epoch_draws_exactly_so_many_rows_of_each_class(way, draw, small_windows):
    dataset = DRAWN[way](draw, seed=1)
    epochs = [[i for _, i in dataset.as_numpy_iterator()] for _ in range(2)]
    for batches in epochs:
        ids = np.concatenate(batches)
        assert tuple(np.bincount(LABELS[ids], minlength=3)) == draw.targets
        for c, (n, aim) in enumerate(zip(draw.counts, draw.targets, strict=True)):
            assert not n or set(times(ids)[c == LABELS]) <= {aim // n, -(-aim // n)}
        assert [len(i) for i in batches[:-1]] == [BATCH] * (len(batches) - 1)
        assert len(batches) == dataset.cardinality() == -(-draw.total // BATCH)
    first, second = (times(np.concatenate(batches)) for batches in epochs)
    assert (first != second).any()


@drawings
def test_the_same_seed_draws_the_same_rows_and_another_seed_others(way, small_windows):
    first, again, other = way(OVER, 5), way(OVER, 5), way(OVER, 6)
    epochs = [order(first) for _ in range(2)]
    assert [order(again) for _ in range(2)] == epochs
    assert all(times(order(other)).tolist() != times(e).tolist() for e in epochs)


@drawings
def test_drawn_rows_are_shuffled(way):
    """A class comes no earlier than another, and neither does a row, up to 8 chunks of a file."""
    ids = np.array(order(way(OVER, 2, chunk=125)))
    assert abs(np.corrcoef(np.arange(len(ids)), LABELS[ids])[0, 1]) < 0.1
    assert abs(np.corrcoef(np.arange(len(ids)), ids)[0, 1]) < 0.1


@drawings
def test_balanced_batches_have_the_shares_of_the_epoch(way):
    draw = Draw(COUNTS, (400, 400, 0), even=True)
    for _, ids in way(draw, seed=3, chunk=N).as_numpy_iterator():
        assert abs(np.bincount(LABELS[ids], minlength=2)[0] - len(ids) / 2) <= 2


@drawings
def test_drawn_epochs_repeat_and_are_broken_off_without_harm(way, small_windows):
    dataset = way(OVER, seed=1)
    broken = iter(dataset)
    next(broken)
    del broken
    twice = order(dataset.repeat(2))
    halves = times(twice[: OVER.total]), times(twice[OVER.total :])
    assert (halves[0] != halves[1]).any()
    for half in halves:
        assert tuple(np.bincount(LABELS, weights=half, minlength=3)) == OVER.targets


@drawings
def test_a_batch_that_is_larger_than_the_epoch(way):
    dataset = way(UNDER, seed=0, batch=5000)
    ((_, ids),) = dataset.as_numpy_iterator()
    assert tuple(np.bincount(LABELS[ids], minlength=3)) == UNDER.targets


@pytest.mark.parametrize("size, rows", [(1, BATCH), (2**12, None), (2**30, 9900)], ids=["batch", "some", "all"])
def test_drawn_rows_of_a_stream_pass_in_pieces(size, rows, monkeypatch):
    """And no window is repeated as a whole, but where that is little."""
    (arrays,) = labelled(N)
    windows = tf.data.Dataset.from_tensor_slices(arrays).batch(N)
    monkeypatch.setattr(feed, "PIECE_BYTES", size)
    pieces = [len(p["id"]) for p in feed._drawn(windows, Draw(COUNTS, (900, 9000, 0)), BATCH, 0)]
    assert sum(pieces) == 9900
    assert max(pieces) == (rows or size // sum(a.dtype.itemsize * a[0].size for a in arrays.values()))


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="how much memory is in use is not told here")
@pytest.mark.parametrize("way", ["memory", "stream"])
def test_no_window_is_held_repeated(way):
    """2,000 rows of 8 kB are 16 MB, and drawn a hundred times 800 MB."""

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    label = (np.arange(2000) < 1000).astype(np.int32)
    arrays = {"x": np.zeros((2000, 2000), np.float32), LABEL: label}
    draw = Draw((1000, 1000), (1000, 99_000))
    if way == "memory":
        dataset = feed.from_memory(arrays, lambda b: b["x"], 500, seed=0, draw=draw)
    else:
        batches = tf.data.Dataset.from_tensor_slices(arrays).batch(100)
        dataset = feed.from_stream(batches, lambda b: b["x"], 500, steps=200, seed=0, draw=draw)
    before = resident()
    grown = [(len(x), resident() - before) for x in dataset]
    assert sum(n for n, _ in grown) == 100_000
    assert max(memory for _, memory in grown) < 3e8


def test_counts_that_no_longer_hold_are_an_error_and_not_another_epoch():
    """As of a dataset of one's own that has other rows when it is read again."""
    draw = Draw((800, 130, 0), (900, 400, 0))
    with pytest.raises(tf.errors.FailedPreconditionError):
        order(drawn_from_stream(draw, seed=1))
