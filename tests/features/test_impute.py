import numpy as np
import pytest

import prepkit as pk
from tests.features.frames import done, fit, learned, transformed, words

NAN = np.nan
X = np.array([3.0, NAN, 1.0, 1.0, np.inf, 10.0])


@pytest.mark.parametrize(
    "strategy, value", [("median", 2.0), ("mean", 3.75), ("most_frequent", 1.0), ("constant", -5.0)]
)
def test_each_strategy_takes_infinite_cells_for_missing(strategy, value):
    found = done(pk.Impute(strategy, fill_value=-5.0), {"x": X})
    assert found == {"x": [3.0, value, 1.0, 1.0, value, 10.0]}


def test_most_frequent_of_several_is_the_smallest():
    assert learned(fit(pk.Impute("most_frequent"), {"x": [2.0, 1.0, 2.0, 1.0, NAN]})).numbers == {"x": 1.0}


def test_a_column_without_missing_training_cells_learns_its_filling_too():
    found = done(pk.Impute(indicator=True), {"x": [1.0, 2.0, 6.0]}, {"x": [NAN, 4.0]})
    assert found == {"x": [2.0, 4.0]}


@pytest.mark.parametrize("numeric", ["median", "mean", "most_frequent"])
@pytest.mark.parametrize("cells, filling", [([True, True, False, None], 1.0), ([True, False, None], 0.0)])
def test_a_boolean_gets_its_most_frequent_value(numeric, cells, filling):
    assert done(pk.Impute(numeric), {"b": words(*cells)}, b="boolean")["b"][-1] == filling


def test_a_boolean_can_get_a_constant():
    assert done(pk.Impute("constant", fill_value=0.5), {"b": words(True, None)}, b="boolean")["b"] == [1.0, 0.5]


def test_each_channel_of_a_tensor_has_its_own_filling():
    x = np.array([[[1.0, 10.0]], [[3.0, NAN]], [[NAN, 30.0]], [[2.0, 20.0]]]).reshape(4, 1, 1, 2)
    found = done(pk.Impute("mean"), {"x": x}, output="dict")["x"]
    assert np.array(found)[:, 0, 0].tolist() == [[1, 10], [3, 20], [2, 30], [2, 20]]


def test_a_tensor_without_channels_has_one_filling():
    x = np.array([[[1.0, NAN], [3.0, 2.0]], [[1.0, 3.0], [NAN, 2.0]]])
    assert done(pk.Impute("mean"), {"x": x}, output="dict")["x"] == [[[1, 2], [3, 2]], [[1, 3], [2, 2]]]


@pytest.mark.parametrize(
    "stage, filled",
    [
        (pk.Impute(), "missing"),
        (pk.Impute(categorical="most_frequent"), "a"),
        (pk.Impute(categorical="constant", fill_category="?!"), "?!"),
    ],
)
def test_categories_as_strings_and_as_codes(stage, filled):
    data = {"c": words("b", "a", None, "a", "?", " b", "")}
    expected = ["b", "a", filled, "a", filled, "b", filled]
    assert [v.decode() for v in done(stage, data, output="dict")["c"]] == expected
    one_hot = done([stage, pk.OneHot()], data)
    assert [one_hot[f"c={value}"][i] for i, value in enumerate(expected)] == [1.0] * 7
    assert {sum(row) for row in zip(*one_hot.values(), strict=True)} == {1.0}


def test_missing_joins_a_category_of_that_name():
    data = {"c": words("missing", "a", None)}
    fitted = fit([pk.Impute(), pk.OneHot()], data)
    assert transformed(fitted, data) == {"c=a": [0.0, 1.0, 0.0], "c=missing": [1.0, 0.0, 1.0]}
    assert fitted.flow.specs[1]["c"].categories == ("a", "missing")


def test_an_unseen_category_is_not_missing():
    found = done([pk.Impute(), pk.OneHot()], {"c": words("a", "b", None)}, {"c": words("never", None)})
    assert found == {"c=a": [0, 0], "c=b": [0, 0], "c=missing": [0, 1]}


def test_text_is_kept_unless_a_constant_is_asked_for():
    data = {"t": words("one two", None)}
    assert done(pk.Impute(), data, output="dict", t="text")["t"] == [b"one two", b""]
    constant = pk.Impute(categorical="constant", fill_category="none")
    assert done(constant, data, output="dict", t="text")["t"] == [b"one two", b"none"]


# -- indicators --------------------------------------------------------------------------------


def test_indicators_are_for_columns_with_missing_training_cells_and_say_so_in_serving():
    data = {"x": [1.0, NAN, 3.0], "full": [1.0, 2.0, 3.0], "b": words(True, None, False)}
    fitted = fit(pk.Impute(indicator=True), data, b="boolean")
    assert fitted.feature_names == ("x", "full", "b", "x is missing", "b is missing")
    new = {"x": [NAN, 5.0], "full": [NAN, 5.0], "b": words(None, True)}
    found = transformed(fitted, new)
    assert found["x is missing"] == [1.0, 0.0]
    assert found["b is missing"] == [1.0, 0.0]
    assert found["full"] == [2.0, 5.0]
    assert fitted.metadata.features_of["x"] == ("x", "x is missing")


@pytest.mark.parametrize("numeric", ["median", "mean", "most_frequent", "constant"])
def test_indicators_of_columns_of_different_types_do_not_change_places(numeric):
    """They come in the order of the columns, and the columns lie in two blocks."""
    data = {
        "wide": np.array([1.0, 2.0, NAN, 4.0]),
        "narrow": np.array([NAN, 2.0, 3.0, 4.0], np.float32),
        "also wide": np.array([1.0, NAN, 3.0, np.inf]),
    }
    found = done(pk.Impute(numeric, indicator=True), data)
    assert found["wide is missing"] == [0, 0, 1, 0]
    assert found["narrow is missing"] == [1, 0, 0, 0]
    assert found["also wide is missing"] == [0, 1, 0, 1]


def test_a_tensor_has_no_indicator():
    fitted = fit(pk.Impute(indicator=True), {"x": np.array([[1.0, NAN], [1.0, 2.0]])}, output="dict")
    assert fitted.flow.spec_out.names == ("x",)


def test_an_indicator_that_takes_the_name_of_a_column():
    data = {"x": [1.0, NAN], "x is missing": [0.0, 1.0]}
    with pytest.raises(pk.PrepkitError, match=r"columns \['x is missing'\] exist twice: rename one of each."):
        fit(pk.Impute(indicator=True), data)


# -- the filling is what the column can hold ---------------------------------------------------


def test_the_filling_of_a_float32_column_is_a_float32():
    """Or else what later stages carry along is not what is in the column."""
    x = np.array([1.77e9, 1.77e9 + 128, NAN], np.float32)
    fitted = fit([pk.Impute("mean"), pk.Rescale("minmax")], {"x": x})
    filling = learned(fitted).numbers["x"]
    assert filling == float(np.float32(filling))
    assert transformed(fitted, {"x": x})["x"][2] in (0.0, 1.0)
    assert learned(fit(pk.Impute("mean"), {"x": x.astype(np.float64)})).numbers["x"] == x[:2].astype(float).mean()


def test_nothing_is_missing_behind_it():
    data = {"x": X, "b": words(True, None, *[False] * 4)}
    kinds = {"b": "boolean"}
    y = np.arange(6) % 2
    pk.Pipeline([pk.Impute()]).prepare((data, y), kinds=kinds)
    with pytest.raises(pk.PrepkitError, match=r"missing cells would reach the model as NaN, from columns \{'b': 1\}"):
        pk.Pipeline([pk.Impute(columns="x")]).prepare((data, y), kinds=kinds)


# -- errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make, message",
    [
        (
            lambda: pk.Impute("middle"),
            "Impute: numeric='middle': choose from 'median', 'mean', 'most_frequent', 'constant'.",
        ),
        (
            lambda: pk.Impute(categorical="x"),
            "Impute: categorical='x': choose from 'missing', 'most_frequent', 'constant'.",
        ),
        (lambda: pk.Impute(fill_value=NAN), "Impute: fill_value=nan: give a finite number that float32 can hold."),
        (lambda: pk.Impute(fill_value=1e39), "Impute: fill_value=1e[+]39: give a finite number that float32 can hold."),
        (lambda: pk.Impute(fill_category=" "), "Impute: fill_category is blank, which means missing: give a word."),
        (lambda: pk.Impute(columns=[]), r"Impute: columns=\[\]: give names, globs or "),
    ],
)
def test_errors_when_made(make, message):
    with pytest.raises(pk.PrepkitError, match=message):
        make()


@pytest.mark.parametrize("numeric", ["median", "mean", "most_frequent"])
def test_a_column_without_any_value(numeric):
    message = (
        f"in stage 1 of 1 .Impute.: column 'x' has no value in the training rows, so no {numeric} to fill in: "
        r"Drop\('x'\) before, or use Impute\(numeric='constant'\) for it."
    )
    with pytest.raises(pk.PrepkitError, match=message):
        fit(pk.Impute(numeric), {"x": [NAN, np.inf], "z": [1.0, 2.0]})


def test_a_categorical_column_without_any_value():
    message = r"column 'c' has no value in the training rows, so none is most frequent: Drop\('c'\) before"
    with pytest.raises(pk.PrepkitError, match=message):
        fit(
            pk.Impute(categorical="most_frequent"),
            {"c": words(None, ""), "z": [1.0, 2.0]},
            output="dict",
            c="categorical",
        )
