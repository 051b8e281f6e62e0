"""Frames of hard columns, and a stage's meaning in numpy: one after another, each on what the last one made."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import tensorflow as tf
from hypothesis import settings
from hypothesis import strategies as st

import prepkit as pk
from tests.scan.columns import FORMS, OFFSETS, SCALES, values

Columns = dict[str, np.ndarray]


def examples(n: int) -> settings:
    """So many in the quick profile of tests/conftest.py, and in the thorough one as many times more as there."""
    return settings(max_examples=max(1, n * settings.default.max_examples // 15))


@st.composite
def frames(draw: st.DrawFn, n_columns: int = 8, complete: bool = False, max_rows: int = 40) -> Columns:
    """Columns of one length: float32 and float64, each with its own offset, scale, form and missing cells."""
    n = draw(st.integers(2, max_rows))
    out = {}
    for i in range(n_columns):
        dtype, form = draw(st.sampled_from((np.float32, np.float64))), draw(st.sampled_from(FORMS))
        offset, scale = draw(st.sampled_from(OFFSETS)), draw(st.sampled_from(SCALES))
        share = 0.0 if complete else draw(st.sampled_from((0.0, 0.1, 0.5)))
        rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        x = values(form, n, rng, offset, scale).astype(dtype)
        bad = rng.random(n) < share
        bad[rng.integers(n)] = False  # a column without any value is another test's
        x[bad] = rng.choice([np.nan, np.nan, np.inf, -np.inf], bad.sum())
        out[f"{form} {i}"] = x
    return out


CUTS = st.lists(st.integers(1, 39), max_size=4).map(lambda cuts: sorted(set(cuts)))


def as_frame(columns: Columns) -> pd.DataFrame:
    n = len(next(iter(columns.values())))
    return pd.DataFrame(columns).assign(y=np.arange(n) % 2)


def as_dataset(columns: Columns, cuts: Sequence[int]) -> tf.data.Dataset:
    """The same rows in batches that end at `cuts`."""
    n = len(next(iter(columns.values())))
    ends = [0, *(c for c in cuts if c < n), n]

    def batches() -> Iterator[Any]:
        for start, end in itertools.pairwise(ends):
            yield {name: x[start:end] for name, x in columns.items()}, np.arange(start, end) % 2

    spec = {name: tf.TensorSpec((None,), x.dtype) for name, x in columns.items()}
    return tf.data.Dataset.from_generator(batches, output_signature=(spec, tf.TensorSpec((None,), tf.int64)))


def in_small_chunks() -> Any:
    """Whatever is streamed is read seven rows at a time."""
    return mock.patch.multiple("prepkit.source.dataset", SCAN_BATCH=7)


def both_ways(stages: Sequence[pk.Stage[Any]], columns: Columns, cuts: Sequence[int]) -> Iterator[Columns]:
    """What comes out, by feature name: fitted on a frame, and fitted on a dataset cut at `cuts`."""
    frame = as_frame(columns)
    recipe = pk.Pipeline(stages)
    fitted = recipe.fit(frame, label="y")
    (x,) = [x for x, _ in fitted.transform(frame, batch_size=len(frame)).as_numpy_iterator()]
    yield dict(zip(fitted.feature_names, x.T, strict=True))
    with in_small_chunks():
        streamed = recipe.fit(as_dataset(columns, cuts))
    raw = {name: tf.constant(x) for name, x in columns.items()}
    yield dict(zip(streamed.feature_names, streamed.flow.features(raw).numpy().T, strict=True))


def cleaned(x: np.ndarray) -> np.ndarray:
    """float64, NaN where missing."""
    x = x.astype(np.float64)
    return np.where(np.isfinite(x), x, np.nan)


def one_after_another(steps: Sequence[Callable[[np.ndarray], np.ndarray]], x: np.ndarray) -> np.ndarray:
    """Each step fitted on what the last one made, in the type of the column."""
    out = cleaned(x)
    for step in steps:
        out = np.asarray(step(out[:, None]))[:, 0].astype(x.dtype).astype(np.float64)
    return out


def assert_close(ours: np.ndarray, theirs: np.ndarray, x: np.ndarray, scale: float = 1.0) -> None:
    """Equal to 5 digits, or to a few roundings of the raw values `x`, each of which counts `scale`."""
    rounding = 16 * np.spacing(np.abs(cleaned(x)[np.isfinite(x)]).max()) * scale
    np.testing.assert_allclose(ours, theirs, rtol=1e-5 + rounding, atol=1e-5 + rounding)
