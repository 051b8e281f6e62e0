"""From a source and packed blocks to a tf.data.Dataset: whole batches all the way, never single rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from prepkit.graph import as_written

Arrays = Mapping[str, np.ndarray]
AUTOTUNE = tf.data.AUTOTUNE
WINDOW = 65_536  # rows that a stream is shuffled within
WINDOW_BYTES = 2**28  # and no more than this
POOL = 8  # chunks of a file that are shuffled together


def from_memory(
    arrays: Arrays,
    finish: Callable[[Any], Any],
    batch_size: int,
    *,
    rows: np.ndarray | None = None,
    seed: int | None = None,
) -> tf.data.Dataset:
    """Batches gathered by index: in order, or, given a seed, in another order each epoch.

    Args:
        arrays: each of shape (rows, ...).
        finish: maps a dict of batches of `arrays`, in the graph.
        batch_size: rows a batch; the last batch has what is left.
        rows: numbers of the rows to use, in order; None for all.
        seed: of the shuffle; None for none.
    """
    with tf.device("CPU:0"):
        tensors = {name: tf.constant(a) for name, a in arrays.items()}
        chosen = None if rows is None else tf.constant(rows, tf.int64)
    n = len(next(iter(arrays.values()))) if rows is None else len(rows)
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
            places = tf.range(n, dtype=tf.int64) if chosen is None else chosen
            return gathered(tf.random.experimental.stateless_shuffle(places, seed=tf.stack([seed, number])))

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
) -> tf.data.Dataset:
    """Batches of what `read` yields, a chunk of rows at a time.

    Given a seed, `read` gets a random generator by which it may choose the order of its chunks, and
    rows are shuffled within `POOL` of them.
    """
    epochs = iter(range(2**31))

    def generate() -> Iterator[dict[str, np.ndarray]]:
        if seed is None:
            yield from read()
        else:
            rng = np.random.default_rng([seed, next(epochs)])
            yield from _pooled(read(rng), rng)

    dataset = tf.data.Dataset.from_generator(generate, output_signature=dict(signature))
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
) -> tf.data.Dataset:
    """Batches of another size from a dataset of dicts of batches; shuffled, given a seed, within a window of rows."""
    if seed is not None:
        bytes_a_row = sum(_size(spec) for spec in batches.element_spec.values())
        window = int(max(batch_size, min(WINDOW, WINDOW_BYTES // bytes_a_row)))

        @as_written
        def permuted(batch: Any, place: tf.Tensor) -> Any:
            n = tf.shape(next(iter(batch.values())))[0]
            order = tf.random.experimental.stateless_shuffle(tf.range(n), seed=place)
            return {name: tf.gather(t, order) for name, t in batch.items()}

        @as_written
        def places(epoch: tf.Tensor) -> tf.data.Dataset:
            return tf.data.Dataset.counter().map(as_written(lambda i: tf.stack([seed, epoch * 2**32 + i])))

        windows = tf.data.Dataset.zip(batches.rebatch(window), _epochs().flat_map(places))
        batches = windows.map(permuted, num_parallel_calls=AUTOTUNE)
    dataset = batches.rebatch(batch_size).map(finish, num_parallel_calls=AUTOTUNE)
    if steps is not None:
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(steps))
    return dataset.prefetch(AUTOTUNE)


def _size(spec: tf.TensorSpec) -> int:
    values = 1
    for n in spec.shape[1:]:
        values *= n or 1
    return values * (32 if spec.dtype == tf.string else spec.dtype.size)
