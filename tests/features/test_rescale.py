import numpy as np
import pytest
import tensorflow as tf

import prepkit as pk
from prepkit.features.rescale import shifted
from tests.features.frames import done, fit, in_graph, learned, transformed

NAN = np.nan
METHODS = ("standard", "minmax", "robust", "squash")
LARGEST = float(np.finfo(np.float32).max)


@pytest.mark.parametrize(
    "method, expected",
    [
        ("standard", [-1.5, -0.5, 0.5, 1.5]),
        ("minmax", [0, 1 / 3, 2 / 3, 1]),
        ("robust", [-1, -1 / 3, 1 / 3, 1]),
        ("squash", [z / np.sqrt(1 + (z / 3) ** 2) for z in (-1, -1 / 3, 1 / 3, 1)]),
    ],
)
def test_each_method(method, expected):
    found = done(pk.Rescale(method), {"x": [2.0, 4.0, 6.0, 8.0, NAN, -np.inf]})["x"]
    scale = np.sqrt(1.25) if method == "standard" else 1.0
    np.testing.assert_allclose(found, [*np.array(expected) / scale, NAN, NAN], rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("constant", [0.0, 0.1, 1.77e9])
def test_a_constant_becomes_zero_and_a_later_value_its_distance(method, dtype, constant):
    fitted = fit(pk.Rescale(method), {"x": np.full(5, constant, dtype)})
    found = transformed(fitted, {"x": np.array([constant, constant + 512], dtype)})["x"]
    far = 512 / np.sqrt(1 + (512 / 3) ** 2) if method == "squash" else 512.0
    assert found == [0.0, pytest.approx(far, rel=1e-5)]


def test_squash_keeps_every_value_within_three_units():
    fitted = fit(pk.Rescale("squash"), {"x": np.arange(9.0), "mostly": [0.0] * 8 + [4.0]})
    new = {"x": [-1e300, 1e300, 4.0, NAN, np.inf], "mostly": [-1e30, 1e30, 0.0, 2.0, 4.0]}
    found = transformed(fitted, new)
    np.testing.assert_allclose(found["x"], [-3, 3, 0, NAN, NAN], rtol=1e-6)
    z = np.array([1.0, 2.0])  # quartiles coincide: the range is two units
    np.testing.assert_allclose(found["mostly"], [-3, 3, 0, *z / np.sqrt(1 + (z / 3) ** 2)], rtol=1e-6)


def test_new_values_exceed_the_range_unless_clipped():
    data, new = {"x": [0.0, 10.0]}, {"x": [-5.0, 5.0, 20.0, NAN]}
    assert done(pk.Rescale("minmax"), data, new)["x"][:3] == [-0.5, 0.5, 2.0]
    np.testing.assert_array_equal(done(pk.Rescale("minmax", clip=True), data, new)["x"], [0, 0.5, 1, NAN])


def test_pixels():
    x = np.array([[[0, 51]], [[255, 102]]], np.uint8)
    fitted = fit(pk.Rescale("unit"), {"x": x}, output="dict")
    assert np.array(transformed(fitted, {"x": x})["x"]).ravel() == pytest.approx([0, 0.2, 1, 0.4])
    assert fitted.flow.spec_out["x"].dtype == "float32"
    other = done(pk.Rescale("unit", 1.0, clip=True), {"x": [0.0, 0.5]}, {"x": [-1.0, 0.5, 2.0]})
    assert other["x"] == [0.0, 0.5, 1.0]


# -- tensors -----------------------------------------------------------------------------------


def channels(rng):
    return rng.normal([0.0, 100.0, -5.0], [1.0, 20.0, 0.1], (40, 4, 4, 3))


@pytest.mark.parametrize("method", ["standard", "minmax", "robust"])
def test_each_channel_has_its_own_scale_or_all_have_one(method):
    x = channels(np.random.default_rng(0))
    for per_channel, axes in ((True, (0, 1, 2)), (False, None)):
        found = np.array(done(pk.Rescale(method, per_channel=per_channel), {"x": x}, output="dict")["x"])
        if method == "standard":
            center, scale = x.mean(axes), x.std(axes)
        elif method == "minmax":
            center, scale = x.min(axes), x.max(axes) - x.min(axes)
        else:
            center, scale = np.median(x, axes), np.subtract(*np.quantile(x, [0.75, 0.25], axes))
        np.testing.assert_allclose(found, (x - center) / scale, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("method", ["standard", "minmax", "robust", "squash"])
@pytest.mark.parametrize("before", ["standard", "robust", "minmax"])
@pytest.mark.parametrize("each_first", [True, False])
def test_one_scale_for_all_channels_and_a_scale_for_each(each_first, before, method):
    """What one stage merges is no more than that stage's."""
    x = channels(np.random.default_rng(1))
    stages = [pk.Rescale(before, per_channel=each_first), pk.Rescale(method, per_channel=not each_first)]
    once = np.array(done(stages[:1], {"x": x}, output="dict")["x"])
    expected = done(stages[1:], {"x": once}, output="dict")["x"]
    np.testing.assert_allclose(done(stages, {"x": x}, output="dict")["x"], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(4, 2, 2, 1), (4, 3, 2, 2, 1)])
@pytest.mark.parametrize("method", [*METHODS, "unit"])
def test_a_single_channel(method, shape):
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    found = np.array(done(pk.Rescale(method), {"x": x}, output="dict")["x"])
    np.testing.assert_allclose(found.ravel(), done(pk.Rescale(method), {"x": x.ravel()})["x"], rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float64, np.int64])
def test_a_tensor_of_timestamps_keeps_its_seconds(dtype):
    x = (1_770_000_000 + np.arange(12).reshape(4, 3)).astype(dtype)
    found = np.array(done(pk.Rescale("minmax"), {"x": x}, output="dict")["x"])
    np.testing.assert_allclose(found, np.repeat(np.arange(4)[:, None], 3, 1) / 3, rtol=1e-6)


def test_a_tensor_without_channels_has_one_scale():
    x = np.arange(12.0).reshape(3, 2, 2)
    assert np.array(done(pk.Rescale("minmax"), {"x": x}, output="dict")["x"]).ravel().tolist() == pytest.approx(
        (np.arange(12) / 11).tolist()
    )


# -- as exact as float32 can be, however it runs -----------------------------------------------


def in_tf_data(function, x):
    return next(tf.data.Dataset.from_tensors(x).map(function).as_numpy_iterator())


def in_saved_model(function, x):
    module = tf.Module()
    module.f = tf.function(function, input_signature=[tf.TensorSpec((None, 1), x.dtype)])
    return lambda path: (tf.saved_model.save(module, path), tf.saved_model.load(path).f(x).numpy())[1]


def test_a_shift_that_float32_cannot_hold_in_every_graph(tmp_path):
    """TensorFlow's optimizer adds constants up where it can, and with that the shift would be rounded."""
    x = np.array([[-1000.0001220703125], [-1000.0000610351562]], np.float32)
    shift, scale = np.array([-1000.0000915527344]), np.array([376.64367816])

    def function(x):
        return shifted(tf.where(tf.math.is_finite(x), x, tf.constant(np.nan)), shift, scale)

    expected = (x.astype(np.float64) - shift) * scale
    ways = [function(x), tf.function(function)(x), in_tf_data(function, x), in_saved_model(function, x)(str(tmp_path))]
    for found in ways:
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_milliseconds_of_timestamps_of_today():
    x = 1.77e9 + np.arange(1000) / 1000
    fitted = fit(pk.Rescale("minmax"), {"x": x})
    np.testing.assert_allclose(in_graph(fitted, {"x": x})[:, 0], np.arange(1000) / 999, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "x",
    [
        [-LARGEST, 0.0, LARGEST, 1.0],
        [LARGEST, LARGEST / 2, LARGEST / 4, 0.0],
        [1e-45, 3e-45, 0.0, 1e-44],
        [1e-38, -1e-38, 0.0, 3e-38],
        [3e38, 3e38, 3e38, 3e38],
    ],
)
def test_the_largest_and_smallest_float32_numbers(method, x):
    x = np.array(x, np.float32)
    fitted = fit(pk.Rescale(method), {"x": x, "beside": np.arange(4, dtype=np.float32)})
    found = in_graph(fitted, {"x": x, "beside": np.arange(4, dtype=np.float32)}).numpy()
    assert np.isfinite(found).all()
    assert np.abs(found).max() < 4
    alone = done(pk.Rescale(method), {"beside": np.arange(4, dtype=np.float32)})["beside"]
    np.testing.assert_allclose(found[:, 1], alone, rtol=1e-6)


def test_the_difference_of_the_largest_float32_numbers():
    x = np.array([3e38, 3.0001e38, 3.0002e38], np.float32)
    fitted = fit(pk.Rescale("minmax"), {"x": x})
    found = in_graph(fitted, {"x": np.array([-LARGEST, LARGEST], np.float32)}).numpy()[:, 0]
    wide, low, high = (float(v) for v in (LARGEST, x[0], x[2]))
    np.testing.assert_allclose(found, [(-wide - low) / (high - low), (wide - low) / (high - low)], rtol=1e-5)


# -- errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make, message",
    [
        (
            lambda: pk.Rescale("norm"),
            "Rescale: method='norm': choose from 'standard', 'minmax', 'robust', 'squash', 'unit'.",
        ),
        (lambda: pk.Rescale("unit", maximum=0), "Rescale: maximum=0: give a positive number, such as 255."),
        (lambda: pk.Rescale("unit", maximum=np.inf), "Rescale: maximum=inf: give a positive number, such as 255."),
        (lambda: pk.Rescale(clip=True), "Rescale: clip=True goes with 'minmax' and 'unit', not 'standard': use Clip."),
        (lambda: pk.Rescale(columns="kind:number"), "Rescale: 'kind:number' is no kind: choose from numeric, "),
    ],
)
def test_errors_when_made(make, message):
    with pytest.raises(pk.PrepkitError, match=message):
        make()


@pytest.mark.parametrize("method", [*METHODS, "unit"])
def test_a_column_without_any_value(method):
    message = r"in stage 1 of 1 \(Rescale\): column 'x' has no finite value in the training rows"
    with pytest.raises(pk.PrepkitError, match=message):
        fit(pk.Rescale(method), {"x": [NAN, np.inf], "z": [1.0, 2.0]})


def test_values_too_large_to_square():
    message = "column 'x' has no finite value in the training rows, or some that are too large to calculate with"
    with pytest.raises(pk.PrepkitError, match=message):
        fit(pk.Rescale("standard"), {"x": [1.0, 2.0, 1.7e308]})


@pytest.mark.parametrize("values, held", [([0.0, 300.0], "0 to 300"), ([-1.0, 3.0], "-1 to 3")])
def test_values_that_are_no_pixels(values, held):
    message = (
        f"column 'x' holds {held}, but Rescale.'unit'. is for values from 0 to maximum=255: set maximum=, "
        "or use 'standard'."
    )
    with pytest.raises(pk.PrepkitError, match=message):
        fit(pk.Rescale("unit"), {"x": values})


def test_learned_numbers_are_plain_floats():
    scale = learned(fit(pk.Rescale("robust"), {"x": [1.0, 2.0, 4.0]}))
    assert {type(v) for v in (*scale.shift.values(), *scale.scale.values())} == {float}
