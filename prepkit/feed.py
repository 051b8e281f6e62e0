"""From a source and packed blocks to a tf.data.Dataset: whole batches all the way, never single rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from prepkit.balance.draw import Draw
from prepkit.graph import as_written
from prepkit.spec import LABEL

Arrays = Mapping[str, np.ndarray]
AUTOTUNE = tf.data.AUTOTUNE
WINDOW = 65_536  # rows that a stream is shuffled within
WINDOW_BYTES = 2**28  # and no more than this
PIECE_BYTES = 2**21  # gathered at once of a drawn window: batches of 200 kB one by one take a sixth longer
POOL = 8  # chunks of a file that are shuffled together


def from_memory(
    arrays: Arrays,
    finish: Callable[[Any], Any],
    batch_size: int,
    *,
    rows: np.ndarray | None = None,
    seed: int | None = None,
    draw: Draw | None = None,
) -> tf.data.Dataset:
    """Batches gathered by index: in order, or, given a seed, in another order each epoch.

    Args:
        arrays: each of shape (rows, ...).
        finish: maps a dict of batches of `arrays`, in the graph.
        batch_size: rows a batch; the last batch has what is left.
        rows: numbers of the rows to use, in order; None for all.
        seed: of the shuffle; None for none.
        draw: how often rows come, by their class in `LABEL`; it needs a seed, and goes without `rows`.
    """
    with tf.device("CPU:0"):
        tensors = {name: tf.constant(a) for name, a in arrays.items()}
        chosen = None if rows is None else tf.constant(rows, tf.int64)
    n = len(next(iter(arrays.values()))) if rows is None else len(rows)
    n = n if draw is None else draw.total
    steps = -(-n // batch_size)

    def gathered(order: tf.Tensor) -> tf.data.Dataset:
        @as_written
        def batch(start: tf.Tensor) -> Any:
            index = order[start : start + batch_size]
            return finish({name: tf.gather(t, index) for name, t in tensors.items()})

        return tf.data.Dataset.range(0, n, batch_size).map(batch, num_parallel_calls=AUTOTUNE)

    @as_written
    def sliced(start: tf.Tensor) -> Any:
        return finish({name: t[start : start + batch_size] for name, t in tensors.items()})

    if seed is not None:

        @as_written
        def epoch(number: tf.Tensor) -> tf.data.Dataset:
            seeds = tf.stack([seed, number])
            if draw is not None:
                return gathered(draw.index(tensors[LABEL], draw.nothing, seeds, seeds))
            places = tf.range(n, dtype=tf.int64) if chosen is None else chosen
            return gathered(tf.random.experimental.stateless_shuffle(places, seed=seeds))

        dataset = _epochs().flat_map(epoch).apply(tf.data.experimental.assert_cardinality(steps))
    elif chosen is not None:
        dataset = gathered(chosen)
    else:
        dataset = tf.data.Dataset.range(0, n, batch_size).map(sliced, num_parallel_calls=AUTOTUNE)
    return dataset.prefetch(AUTOTUNE)


def _epochs() -> tf.data.Dataset:
    """The number of the epoch, 0 when it is first iterated, 1 the next time, whatever else is random."""
    with tf.device("CPU:0"):
        started = tf.Variable(-1, dtype=tf.int64, trainable=False)

    @as_written
    def start(_: tf.Tensor) -> tf.Tensor:
        return started.assign_add(1)

    return tf.data.Dataset.range(1).map(start)


def from_chunks(
    read: Callable[..., Iterator[dict[str, np.ndarray]]],
    signature: Mapping[str, tf.TensorSpec],
    finish: Callable[[Any], Any],
    batch_size: int,
    *,
    steps: int | None,
    seed: int | None = None,
    draw: Draw | None = None,
) -> tf.data.Dataset:
    """Batches of what `read` yields, a chunk of rows at a time.

    Given a seed, `read` gets a random generator by which it may choose the order of its chunks, and
    rows are shuffled within `POOL` of them. With a `draw`, which needs a seed, rows come as often as it says.
    """
    epochs = iter(range(2**31))

    def generate() -> Iterator[dict[str, np.ndarray]]:
        if seed is None:
            yield from read()
        else:
            rng = np.random.default_rng([seed, next(epochs)])
            yield from _pooled(read(rng), rng)

    dataset = tf.data.Dataset.from_generator(generate, output_signature=dict(signature))
    if draw is not None and seed is not None:
        dataset = _drawn(dataset, draw, batch_size, seed)
    dataset = dataset.rebatch(batch_size).map(finish, num_parallel_calls=AUTOTUNE)
    if steps is not None:
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(steps))
    return dataset.prefetch(AUTOTUNE)


def _pooled(chunks: Iterator[dict[str, np.ndarray]], rng: np.random.Generator) -> Iterator[dict[str, np.ndarray]]:
    pool: list[dict[str, np.ndarray]] = []
    for chunk in chunks:
        pool.append(chunk)
        if len(pool) == POOL:
            yield from _mixed(pool, rng)
            pool = []
    if pool:
        yield from _mixed(pool, rng)


def _mixed(pool: list[dict[str, np.ndarray]], rng: np.random.Generator) -> Iterator[dict[str, np.ndarray]]:
    sizes = [len(next(iter(chunk.values()))) for chunk in pool]
    order = rng.permutation(sum(sizes))
    whole = {name: np.concatenate([chunk[name] for chunk in pool]) for name in pool[0]}
    for rows in np.array_split(order, len(pool)):
        yield {name: a[rows] for name, a in whole.items()}


def from_stream(
    batches: tf.data.Dataset,
    finish: Callable[[Any], Any],
    batch_size: int,
    *,
    steps: int | None,
    seed: int | None = None,
    draw: Draw | None = None,
) -> tf.data.Dataset:
    """Batches of another size from a dataset of dicts of batches; shuffled, given a seed, within a window of rows.

    With a `draw`, which needs a seed, rows come as often as it says.
    """
    if seed is not None:
        windows = batches.rebatch(max(batch_size, min(WINDOW, _rows_of(WINDOW_BYTES, batches))))
        batches = _permuted(windows, seed) if draw is None else _drawn(windows, draw, batch_size, seed)
    dataset = batches.rebatch(batch_size).map(finish, num_parallel_calls=AUTOTUNE)
    if steps is not None:
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(steps))
    return dataset.prefetch(AUTOTUNE)


def _permuted(windows: tf.data.Dataset, seed: int) -> tf.data.Dataset:
    """The rows of each window in random order."""

    @as_written
    def permuted(window: Any, _: tf.Tensor, place: tf.Tensor) -> Any:
        n = tf.shape(next(iter(window.values())))[0]
        return _rows(window, tf.random.experimental.stateless_shuffle(tf.range(n), seed=place))

    return _placed(windows, seed).map(permuted, num_parallel_calls=AUTOTUNE)


def _drawn(windows: tf.data.Dataset, draw: Draw, batch_size: int, seed: int) -> tf.data.Dataset:
    """The rows of each window as often as `draw` says, in pieces, so that no window is held repeated."""

    size = max(batch_size, _rows_of(PIECE_BYTES, windows))

    @as_written
    def counted(before: tf.Tensor, element: Any) -> Any:
        return draw.seen(element[0][LABEL], before), (*element, before)

    @as_written
    def indexed(window: Any, epoch: tf.Tensor, place: tf.Tensor, before: tf.Tensor) -> Any:
        return window, draw.index(window[LABEL], before, epoch, place)

    @as_written
    def pieces(window: Any, index: tf.Tensor) -> tf.data.Dataset:
        def piece(start: tf.Tensor) -> Any:
            return _rows(window, index[start : start + size])

        return tf.data.Dataset.range(0, tf.size(index, tf.int64), size).map(as_written(piece))

    placed = _placed(windows, seed).scan(draw.nothing, counted)
    return placed.map(indexed, num_parallel_calls=AUTOTUNE).prefetch(1).flat_map(pieces)


def _rows(window: Any, index: tf.Tensor) -> Any:
    return {name: tf.gather(t, index) for name, t in window.items()}


def _placed(windows: tf.data.Dataset, seed: int) -> tf.data.Dataset:
    """Each window beside two seeds, int64 (2,): one of the epoch, and one of its own."""

    @as_written
    def places(epoch: tf.Tensor) -> tf.data.Dataset:
        def place(i: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return tf.stack([seed, -1 - epoch]), tf.stack([seed, epoch * 2**32 + i])

        return tf.data.Dataset.counter().map(as_written(place))

    both = tf.data.Dataset.zip(windows, _epochs().flat_map(places))
    return both.map(as_written(lambda window, seeds: (window, *seeds)))


def _rows_of(most: int, batches: tf.data.Dataset) -> int:
    """How many rows of a dataset of dicts of batches take so many bytes."""
    return int(most // sum(_size(spec) for spec in batches.element_spec.values()))


def _size(spec: tf.TensorSpec) -> int:
    values = 1
    for n in spec.shape[1:]:
        values *= n or 1
    return values * (32 if spec.dtype == tf.string else spec.dtype.size)
