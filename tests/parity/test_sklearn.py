"""The numbers are those of scikit-learn, fitted one after another, however the rows are batched."""

from __future__ import annotations

import warnings

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from hypothesis import example, given
from hypothesis import strategies as st
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, RobustScaler, StandardScaler
from skrub import SquashingScaler

import prepkit as pk
from tests.parity.frames import CUTS, as_frame, assert_close, both_ways, cleaned, examples, frames, one_after_another

# Timestamps of today a millisecond apart, as float64; and narrow, yet not constant.
TIMESTAMPS = {"at": 1.77e9 + np.arange(9) / 1000, "narrow": np.array([0, 1e-9] * 4 + [5e-10])}


@pytest.mark.parametrize("strategy", ["median", "mean", "most_frequent", "constant"])
@given(columns=frames(), cuts=CUTS)
@examples(8)
def test_impute(strategy, columns, cuts):
    imputer = SimpleImputer(strategy=strategy, fill_value=-7.0)
    for ours in both_ways([pk.Impute(strategy, fill_value=-7.0)], columns, cuts):
        for name, x in columns.items():
            theirs = imputer.fit_transform(cleaned(x)[:, None])[:, 0]
            np.testing.assert_allclose(ours[name], theirs, rtol=2e-7, atol=1e-30)


SCALERS = {
    "standard": lambda: StandardScaler(),
    "minmax": lambda: MinMaxScaler(),
    "robust": lambda: RobustScaler(),
    "squash": lambda: SquashingScaler(),
}


def spread(method, x):
    """What one unit of x becomes, as a bound for what its rounding does."""
    scaler = {"standard": StandardScaler, "minmax": MinMaxScaler}.get(method, RobustScaler)().fit(x[:, None])
    return float(scaler.scale_[0] if method == "minmax" else 1 / scaler.scale_[0])


@pytest.mark.parametrize("method", SCALERS)
@given(columns=frames(), cuts=CUTS)
@example(columns=TIMESTAMPS, cuts=[4])
@examples(12)
def test_rescale(method, columns, cuts):
    for ours in both_ways([pk.Rescale(method)], columns, cuts):
        for name, x in columns.items():
            theirs = SCALERS[method]().fit_transform(cleaned(x)[:, None])[:, 0]
            assert_close(ours[name], theirs, x, spread(method, cleaned(x)))


@given(columns=frames(complete=True), new=frames(complete=True))
def test_rescale_clips_new_values_to_the_training_range(columns, new):
    frame, later = as_frame(columns), as_frame(dict(zip(columns, new.values(), strict=True)))
    fitted = pk.Pipeline([pk.Rescale("minmax", clip=True)]).fit(frame, label="y")
    ours = next(x for x, _ in fitted.transform(later, batch_size=64).as_numpy_iterator())
    for name, column in zip(fitted.feature_names, ours.T, strict=True):
        x, z = cleaned(frame[name]), cleaned(later[name].astype(frame[name].dtype))
        theirs = MinMaxScaler(clip=True).fit(x[:, None]).transform(z[:, None])[:, 0]
        assert_close(column, theirs, np.append(x, z), spread("minmax", x))
        assert column.min() >= 0
        assert column.max() <= 1


def clip(low, high):
    return lambda x: np.clip(x, *np.nanquantile(x, [low, high]))


def fences(x):
    q1, q3 = np.nanquantile(x, [0.25, 0.75])
    return np.clip(x, q1 - 1.5 * (q3 - q1), q3 + 1.5 * (q3 - q1)) if q3 > q1 else x


def imputed(strategy):
    return SimpleImputer(strategy=strategy, keep_empty_features=True).fit_transform


STEPS = {
    "impute": (pk.Impute("median"), imputed("median")),
    "mean": (pk.Impute("mean"), imputed("mean")),
    "mode": (pk.Impute("most_frequent"), imputed("most_frequent")),
    "clip": (pk.Clip(quantiles=(0.05, 0.9)), clip(0.05, 0.9)),
    "fences": (pk.Clip(iqr=1.5), fences),
    "standard": (pk.Rescale("standard"), lambda x: StandardScaler().fit_transform(x)),
    "minmax": (pk.Rescale("minmax"), lambda x: MinMaxScaler().fit_transform(x)),
    "robust": (pk.Rescale("robust"), lambda x: RobustScaler().fit_transform(x)),
    "squash": (pk.Rescale("squash"), lambda x: SquashingScaler().fit_transform(x)),
}
SEQUENCES = [  # the recipe first, then what else a user may write
    ("impute", "clip", "standard"),
    ("impute", "clip", "robust"),
    ("impute", "fences", "minmax"),
    ("impute", "squash"),
    ("mean", "standard"),
    ("mode", "clip", "standard"),
    ("clip", "impute", "standard"),
    ("clip", "mode", "robust"),
    ("standard", "impute", "clip"),
    ("standard", "mean"),
    ("robust", "clip", "impute", "minmax"),
    ("minmax", "standard", "impute"),
    ("impute", "minmax", "robust"),
    ("squash", "mean", "standard"),
]


@pytest.mark.parametrize("names", SEQUENCES, ids=", ".join)
@given(columns=frames(n_columns=10), cuts=CUTS)
@examples(4)
def test_whole_sequences_are_fitted_one_after_another(names, columns, cuts):
    stages, steps = zip(*(STEPS[name] for name in names), strict=True)
    first = next((n for n in names if n in SCALERS), "")
    for ours in both_ways(stages, columns, cuts):
        for name, x in columns.items():
            before = one_after_another(steps[: names.index(first)], x)
            theirs = one_after_another(steps, x)
            if conditioned(names, steps, x):
                assert_close(ours[name], theirs, x, spread(first, before))


def conditioned(names, steps, x):
    """Whether a rounding of x can be told from a step: a constant of rounded numbers may be none for scikit-learn."""
    out = cleaned(x)[:, None]
    for name, step in zip(names, steps, strict=True):
        if name in SCALERS:
            width, largest = np.nanmax(out) - np.nanmin(out), np.nanmax(np.abs(out))
            if 0 < width < 1e-5 * largest * (1 if x.dtype == np.float32 else 1e-6):
                return False
        out = np.asarray(step(out)).astype(x.dtype).astype(np.float64)
    return True


# -- categories --------------------------------------------------------------------------------

WORDS = st.sampled_from(["a", "b", "c", "d", "e", "ä", "B"])


@st.composite
def word_frames(draw, max_rows=24):
    n = draw(st.integers(2, max_rows))
    cells = st.lists(WORDS, min_size=n, max_size=n)
    return pd.DataFrame({name: np.array(draw(cells), object) for name in ("one", "two", "three")})


LIMITS = [
    {},
    {"max_categories": 1},
    {"max_categories": 3},
    {"max_categories": 5},
    {"min_frequency": 2},
    {"min_frequency": 4},
    {"min_frequency": 0.125},
    {"min_frequency": 0.3, "max_categories": 2},
]
UNKNOWN = {"infrequent_if_exist": "infrequent_if_exist", "ignore": "zeros"}


@pytest.mark.parametrize("handle_unknown", UNKNOWN)
@pytest.mark.parametrize("limits", LIMITS, ids=repr)
@given(frame=word_frames(), new=word_frames())
@examples(4)
def test_one_hot(limits, handle_unknown, frame, new):
    stage = pk.OneHot(**limits, unseen=UNKNOWN[handle_unknown])
    fitted = pk.Pipeline([stage]).fit(frame.assign(y=np.arange(len(frame)) % 2), label="y", kinds=kinds(frame))
    encoder = OneHotEncoder(**limits, handle_unknown=handle_unknown, sparse_output=False).fit(frame)
    names = [n.replace("_infrequent_sklearn", "_<infrequent>").replace("_", "=", 1) for n in out_names(encoder)]
    assert list(fitted.feature_names) == names
    for rows in (frame, new):
        raw = {name: tf.constant(rows[name].to_numpy()) for name in rows}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of unknown categories
            theirs = encoder.transform(rows)
        np.testing.assert_array_equal(fitted.flow.features(raw), theirs)


def kinds(frame):
    return dict.fromkeys(frame.columns, "categorical")


def out_names(encoder):
    return encoder.get_feature_names_out()


@pytest.mark.parametrize("categorical", ["missing", "most_frequent", "constant"])
@given(frame=word_frames(), gone=st.lists(st.booleans(), min_size=72, max_size=72))
@examples(6)
def test_impute_then_one_hot(categorical, frame, gone):
    """The filling is counted when it is judged what is infrequent."""
    holes = frame.mask(np.array(gone[: frame.size]).reshape(frame.shape))
    holes.iloc[0] = frame.iloc[0]
    strategy = "most_frequent" if categorical == "most_frequent" else "constant"
    filling = {"missing": "missing", "constant": "b"}.get(categorical)
    imputer = SimpleImputer(strategy=strategy, fill_value=filling)
    cells = holes.to_numpy(object)
    filled = imputer.fit_transform(np.where(pd.isna(cells), np.nan, cells))
    theirs = OneHotEncoder(max_categories=4, handle_unknown="infrequent_if_exist", sparse_output=False)
    stages = [pk.Impute(categorical=categorical, fill_category="b"), pk.OneHot(max_categories=4)]
    fitted = pk.Pipeline(stages).fit(holes.assign(y=np.arange(len(holes)) % 2), label="y", kinds=kinds(frame))
    ours = next(fitted.transform(holes, batch_size=64).as_numpy_iterator())
    np.testing.assert_array_equal(ours, theirs.fit_transform(filled))


# -- Keras -------------------------------------------------------------------------------------


@given(st.integers(0, 1000), st.sampled_from([0.0, -3.0, 50.0]), st.sampled_from([0.1, 1.0, 20.0]))
def test_standard_is_keras_normalization_on_clean_data(seed, offset, scale):
    x = (offset + scale * np.random.default_rng(seed).normal(size=(50, 3))).astype(np.float32)
    layer = keras.layers.Normalization()
    layer.adapt(x)
    fitted = pk.Pipeline([pk.Rescale("standard")]).fit((x, np.arange(50) % 2))
    np.testing.assert_allclose(fitted.flow.features(tf.constant(x)), layer(x), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("max_tokens", [None, 4])
@given(order=st.permutations(["a", "b", "c", "d", "é"]), new=st.lists(WORDS | st.just(""), min_size=1))
@examples(6)
def test_lookup_is_keras_string_lookup(max_tokens, order, new):
    """Each category occurs another number of times: Keras takes ties in the reverse order."""
    words = np.array([w for i, w in enumerate(order) for _ in range(i + 1)] + ["", ""], object)
    layer = keras.layers.StringLookup(mask_token="", max_tokens=max_tokens)
    layer.adapt(words)
    fitted = pk.Pipeline([pk.Lookup(max_tokens)], output="dict").fit(
        {"word": words, "y": np.arange(len(words)) % 2}, label="y"
    )
    for rows in (words, np.array(new, object)):
        ours = fitted.flow.features({"word": tf.constant(rows)})["word"]
        np.testing.assert_array_equal(ours, layer(tf.constant(rows)))
    assert fitted.metadata.vocabulary_sizes["word"] == layer.vocabulary_size()
