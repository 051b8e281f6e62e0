import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from hypothesis import example, given
from hypothesis import strategies as st

import prepkit as pk
from prepkit.features.datetime import CYCLES, parts_of
from tests.features.frames import done, fit, in_graph, transformed, words

ALL = ("elapsed", "year", *CYCLES)
FIRST, LAST = (int(pd.Timestamp(t).timestamp()) for t in ("1600-01-01", "2200-12-31 23:59:59"))
DAY = 86_400
LEAP_DAYS = [int(pd.Timestamp(f"{y}-02-28 23:59:59").timestamp()) for y in (1600, 1700, 1900, 1972, 2000, 2100, 2024)]


@given(st.lists(st.integers(FIRST, LAST), min_size=1, max_size=50))
@example([FIRST, LAST, 0, -1, 1, -DAY, -DAY - 1, DAY - 1, *LEAP_DAYS, *(t + 1 for t in LEAP_DAYS)])
@example(
    [
        *(t + 1 + DAY for t in LEAP_DAYS),
        *(int(pd.Timestamp(f"{y}-12-31 23:59:59").timestamp()) for y in range(1995, 2010)),
    ]
)
def test_parts_are_those_of_pandas(seconds):
    times = pd.Series(np.array(seconds, "M8[s]"))
    found = {name: x.numpy() for name, x in parts_of(tf.constant(seconds, tf.float64)).items()}
    assert found.keys() == set(ALL)
    for name, theirs in {
        "year": times.dt.year,
        "month": times.dt.month - 1,
        "day": times.dt.day - 1,
        "weekday": times.dt.day_of_week,
    }.items():
        np.testing.assert_array_equal(found[name], theirs, name)
    of_hour = times.dt.minute * 60 + times.dt.second
    np.testing.assert_allclose(found["hour"], times.dt.hour + of_hour / 3600, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found["minute"], of_hour / 60, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found["elapsed"], np.array(seconds) / DAY, rtol=1e-15)


@given(st.integers(FIRST, LAST), st.floats(0, 0.999))
def test_parts_of_a_second_do_not_change_the_day(second, fraction):
    whole, part = (parts_of(tf.constant([s], tf.float64)) for s in (second, second + fraction))
    for name in ("year", "month", "day", "weekday"):
        assert whole[name] == part[name]


def frame(*times):
    return {"at": pd.Series(pd.to_datetime(list(times), format="ISO8601")), "n": np.arange(len(times), dtype=float)}


def test_numbers_first_and_points_on_a_circle_last():
    fitted = fit(pk.Datetime(ALL), frame("2024-02-29 06:30:00", None))
    circles = [f"at.{p}.{wave}" for p in CYCLES for wave in ("sin", "cos")]
    assert fitted.feature_names == ("n", "at.elapsed", "at.year", *circles)
    found = transformed(fitted, frame("2024-02-29 06:30:00", None))
    assert found["at.year"][0] == 2024
    assert found["at.elapsed"][0] == pytest.approx(pd.Timestamp("2024-02-29 06:30:00").timestamp() / DAY)
    assert np.isnan([found["at.year"][1], found["at.elapsed"][1]]).all()
    for part, turn in {"month": 1 / 12, "day": 28 / 31, "weekday": 3 / 7, "hour": 6.5 / 24, "minute": 0.5}.items():
        angle = 2 * np.pi * turn
        np.testing.assert_allclose(found[f"at.{part}.sin"], [np.sin(angle), 0], atol=1e-6)
        np.testing.assert_allclose(found[f"at.{part}.cos"], [np.cos(angle), 0], atol=1e-6)


def test_the_last_hour_is_beside_the_first():
    found = done(pk.Datetime("hour"), frame("2024-01-01 23:59", "2024-01-02 00:01", "2024-01-02 12:00"))
    points = np.array([found["at.hour.sin"], found["at.hour.cos"]]).T
    assert np.linalg.norm(points[0] - points[1]) < 0.01
    assert np.linalg.norm(points[0] - points[2]) > 1.99


def test_times_with_an_offset_are_taken_to_utc():
    there = pd.Series(pd.to_datetime(["2024-06-01 01:00+02:00", "2024-06-01 12:00+02:00"]))
    found = done(pk.Datetime(("elapsed", "hour")), {"at": there})
    assert found["at.elapsed"][0] == pytest.approx(pd.Timestamp("2024-05-31 23:00").timestamp() / DAY)
    assert found["at.hour.cos"][0] == pytest.approx(np.cos(2 * np.pi * 23 / 24), abs=1e-6)


def test_strings_and_seconds_are_the_same_times():
    texts = words("2024-02-29 06:30:00", "1960-12-31 23:59:59", None, "2100-03-01 00:00:00")
    stages = [pk.Datetime(ALL), pk.Impute()]
    of_strings = done(stages, {"at": texts}, at="datetime")
    times = pd.Series(pd.to_datetime(texts))
    assert done(stages, {"at": times}) == of_strings
    seconds = (times - pd.Timestamp(0)).dt.total_seconds().to_numpy()
    of_seconds = done(stages, {"at": seconds}, at="datetime")
    assert list(of_seconds) == list(of_strings)
    np.testing.assert_allclose(list(of_seconds.values()), list(of_strings.values()), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.float32, np.int16])
def test_seconds_of_other_types(dtype):
    seconds = np.array([0, 1024, 32000, 16384], dtype)
    found = done(pk.Datetime(("minute", "year")), {"x": np.arange(4, dtype=np.float32), "at": seconds}, at="datetime")
    angle = 2 * np.pi * (seconds / 60 % 60) / 60
    np.testing.assert_allclose(found["at.minute.sin"], np.sin(angle), atol=1e-5)
    assert found["at.year"] == [1970] * 4


def test_later_stages_impute_and_rescale_the_numbers():
    data = frame("2024-01-01", None, "2024-01-03", "2024-01-05")
    fitted = fit([pk.Datetime(("elapsed",)), pk.Impute(), pk.Rescale("minmax")], data)
    assert transformed(fitted, data)["at.elapsed"] == pytest.approx([0, 0.5, 0.5, 1], abs=1e-6)
    pk.Pipeline(fitted.recipe.stages).prepare((data, [0, 1, 0, 1]))
    message = "missing cells would reach the model as NaN, from columns {'at.elapsed': 0}"
    with pytest.raises(pk.PrepkitError, match=message):
        pk.Pipeline([pk.Impute(), pk.Datetime(("elapsed",))]).prepare((data, [0, 1, 0, 1]))
    pk.Pipeline([pk.Datetime(("hour",))]).prepare((data, [0, 1, 0, 1]))


def test_several_columns():
    data = {
        "a": pd.Series(pd.to_datetime(["2024-01-01", "2025-01-01"])),
        "n": np.array([1.5, 2.5]),
        "b": pd.Series(pd.to_datetime(["1999-07-01", None])),
    }
    fitted = fit(pk.Datetime(("year", "month"), columns=("a", "b")), data)
    assert fitted.feature_names == (
        "n", "a.year", "b.year", "a.month.sin", "a.month.cos", "b.month.sin", "b.month.cos",
    )  # fmt: skip
    found = transformed(fitted, data)
    assert found["n"] == [1.5, 2.5]
    assert found["a.year"] == [2024, 2025]
    assert found["b.year"][0] == 1999
    assert fitted.metadata.features_of["b"] == ("b.year", "b.month.sin", "b.month.cos")


def test_in_a_graph():
    fitted = fit(pk.Datetime(ALL), frame("2024-02-29 06:30:00", "1970-01-01"))
    seconds = np.array([951_782_399.0, np.nan])
    found = in_graph(fitted, {"at": seconds, "n": np.zeros(2)}).numpy()
    assert found[0, 2] == 2000
    assert np.isnan(found[1, 1:3]).all()
    assert (found[1, 3:] == 0).all()


@pytest.mark.parametrize(
    "parts, message",
    [
        (("era",), r"Datetime: parts=\('era',\): choose from elapsed, year, month, day, weekday, hour, minute."),
        ((), r"Datetime: parts=\(\): choose from elapsed, year"),
    ],
)
def test_errors_when_made(parts, message):
    with pytest.raises(pk.PrepkitError, match=message):
        pk.Datetime(parts)


def test_numbers_are_no_times():
    with pytest.raises(pk.PrepkitError, match=r"Datetime takes columns of kind datetime, not 'n' \(numeric\)"):
        fit(pk.Datetime(columns="n"), {"n": [1.0, 2.0]})
