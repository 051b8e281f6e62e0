import time

import numpy as np
import pytest
import tensorflow as tf

import prepkit as pk
from tests.features.frames import done, fit, in_graph, transformed, words

NAN = np.nan
DATA = {
    "age": np.array([1.0, 2.0, 4.0]),
    "cap gain": np.array([1.0, 2.0, 4.0], np.float32),
    "cap loss": np.array([1, 2, 4]),
    "job": words("a", "b", "a"),
    "at home": np.array([True, False, True]),
}


# -- choosing columns --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "columns, chosen",
    [
        ("age", ["age"]),
        (["cap loss", "age"], ["age", "cap loss"]),
        (("cap*",), ["cap gain", "cap loss"]),
        ("cap ?ain", ["cap gain"]),
        ("[ac]*[en]", ["age", "cap gain", "at home"]),
        ("kind:numeric", ["age", "cap gain", "cap loss"]),
        (["kind:boolean", "age"], ["age", "at home"]),
        (["age", "a*"], ["age", "at home"]),
        (lambda c: c.dtype == "float32", ["cap gain", "at home"]),
    ],
)
def test_columns_by_name_glob_kind_and_predicate(columns, chosen):
    selected = fit(pk.Select(columns), DATA, output="dict").flow.spec_out.names
    assert list(selected) == chosen  # in the order of the data
    left = fit(pk.Drop(columns), DATA, output="dict").flow.spec_out.names
    assert list(left) == [name for name in DATA if name not in chosen]


@pytest.mark.parametrize("columns", ["cap gain", "cap g*", ["kind:numeric"], lambda c: c.name == "cap gain"])
def test_every_stage_chooses_in_the_same_way(columns):
    """Here Rescale; the other columns pass as they are."""
    found = done([pk.Drop("job"), pk.Rescale("minmax", columns=columns)], DATA)
    changed = [name for name, x in found.items() if x == pytest.approx([0, 1 / 3, 1])]
    assert set(changed) == ({"age", "cap gain", "cap loss"} if columns == ["kind:numeric"] else {"cap gain"})


def test_a_name_goes_before_a_glob():
    data = {"x[0]": [1.0, 2.0], "x0": [1.0, 2.0], "a*": [1.0, 2.0], "ab": [1.0, 2.0]}
    assert fit(pk.Select(["x[0]", "a*"]), data).feature_names == ("x[0]", "a*")


@pytest.mark.parametrize(
    "columns, message",
    [
        ("aeg", "Drop names column 'aeg', which is not there: did you mean 'age'"),
        (
            "zzz",
            "Drop names column 'zzz', which is not there: did you mean 'age', 'cap gain', 'cap loss', ",
        ),
        ("z*", "columns='z.' chooses none of the 5 columns."),
        ("kind:datetime", "columns='kind:datetime' chooses none of the 5 columns."),
        (["kind:numeric", "job", "at home"], "leaves no column."),
    ],
)
def test_columns_that_are_not_there(columns, message):
    with pytest.raises(pk.PrepkitError, match=r"in stage 1 of 1 \(Drop\): .*" + message):
        fit(pk.Drop(columns), DATA)


@pytest.mark.parametrize("stage", [pk.Drop, pk.Select])
@pytest.mark.parametrize(
    "columns, message",
    [
        (None, "say which columns, as in Drop"),
        ((), r"columns=\(\): give names, globs or "),
        ([1], r"columns=\[1\]: give names, globs or "),
        (
            "kind:numbers",
            "'kind:numbers' is no kind: choose from numeric, categorical, boolean, datetime, text, tensor.",
        ),
    ],
)
def test_errors_when_made(stage, columns, message):
    with pytest.raises(pk.PrepkitError, match=message):
        stage(columns)


def test_a_select_of_nothing():
    with pytest.raises(pk.PrepkitError, match="leaves no column"):
        fit(pk.Select(lambda c: False), DATA)


def test_ten_thousand_columns_are_chosen_in_linear_time():
    data = {f"x{i}": np.array([1.0, 2.0]) for i in range(10_000)}
    spec = fit(pk.Drop("x0"), data).spec
    start = time.perf_counter()
    for stage in (pk.Drop("x*[0-4]"), pk.Select("x*[0-4]"), pk.Impute(), pk.Clip(low=0.0), pk.Rescale()):
        stage.output(spec, None)
    assert time.perf_counter() - start < 5  # 60 s and more where columns were compared one by one


def test_columns_of_every_block_can_be_dropped_in_part():
    data = DATA | {"more": np.array([5.0, 6.0, 7.0]), "team": words("x", "y", "x"), "img": np.ones((3, 2, 2))}
    found = done([pk.Drop(["age", "job", "img"]), pk.OneHot()], data)
    assert found["more"] == [5, 6, 7]
    assert found["cap loss"] == [1, 2, 4]
    assert found["team=x"] == [1, 0, 1]
    assert found["at home"] == [1, 0, 1]


# -- Map ---------------------------------------------------------------------------------------


def test_map_gets_each_column_in_its_type_and_shape():
    seen = {}

    def look(x):
        seen.update({name: (t.dtype.name, t.shape.as_list()) for name, t in x.items()})
        return {"sum": tf.cast(x["age"], tf.float32) + x["cap gain"]}

    data = DATA | {"img": np.ones((3, 2, 2), np.uint8), "at": np.array(["2024-01-01"] * 3, "M8[s]")}
    found = done(pk.Map(look, columns=lambda c: True), data)
    assert found == {"sum": [2, 4, 8]}
    assert seen == {
        "age": ("float64", [None]),
        "cap gain": ("float32", [None]),
        "cap loss": ("float64", [None]),
        "job": ("string", [None]),
        "at home": ("float32", [None]),
        "img": ("uint8", [None, 2, 2]),
        "at": ("float64", [None]),
    }


def test_map_gives_numbers_tensors_and_text():
    def make(x):
        n = x["age"]
        return {
            "int": tf.cast(n, tf.int64),
            "half": tf.cast(n, tf.float16),
            "flag": n > 1,
            "pair": tf.stack([n, -n], 1),
            "text": tf.strings.as_string(tf.cast(n, tf.int32)),
        }

    fitted = fit(pk.Map(make, columns="age"), {"age": DATA["age"], "x": DATA["age"]}, output="dict")
    kinds = {c.name: (c.kind, c.shape, c.sources) for c in fitted.flow.spec_out.columns}
    assert kinds == {
        "x": ("numeric", (), ("x",)),
        "int": ("numeric", (), ("age",)),
        "half": ("numeric", (), ("age",)),
        "flag": ("numeric", (), ("age",)),
        "pair": ("tensor", (2,), ("age",)),
        "text": ("text", (), ("age",)),
    }
    found = transformed(fitted, {"age": [1.0, 2.0], "x": [0.0, 0.0]})
    assert found == {
        "x": [0, 0], "int": [1, 2], "half": [1, 2], "flag": [0, 1], "pair": [[1, -1], [2, -2]], "text": [b"1", b"2"],
    }  # fmt: skip


def test_later_stages_learn_from_what_map_made():
    double = pk.Map(lambda x: {"x": 2 * x["x"]}, columns="x", name="double")
    data = {"x": [1.0, 2.0, NAN, 6.0], "z": [0.0, 1.0, 2.0, 3.0]}
    fitted = fit([pk.Impute(), double, pk.Rescale("minmax")], data)
    assert transformed(fitted, data)["x"] == pytest.approx([0, 0.2, 0.2, 1])
    assert fitted.metadata.scans == 2
    assert in_graph(fitted, {"x": np.array([6.0]), "z": np.array([0.0])}).numpy().tolist() == [[0, 1]]


def test_what_is_infinite_behind_map_is_missing():
    log = pk.Map(lambda x: {"log": tf.math.log(x["x"])}, columns="x", name="log")
    assert done([log, pk.Impute()], {"x": [0.0, 1.0, np.e]})["log"] == pytest.approx([0.5, 0, 1])


@pytest.mark.parametrize(
    "function, refused",
    [
        (lambda x: {"made": tf.math.log1p(x["x"])}, True),
        (lambda x: {"made": tf.math.log(x["x"] - 5)}, True),
        (lambda x: {"made": tf.where(tf.math.is_nan(x["x"]), 0.0, tf.cast(x["x"], tf.float32))}, False),
        (lambda x: {"made": tf.cast(tf.math.is_nan(x["x"]), tf.float32)}, False),
        (lambda x: {"made": tf.debugging.check_numerics(x["x"], "no number")}, True),
        (lambda x: {"made": tf.cast(tf.strings.length(x["c"]), tf.float32)}, False),
    ],
)
def test_missing_cells_that_come_through_map_do_not_reach_the_model(function, refused):
    data = {"x": [1.0, NAN, 3.0], "c": words("1", "2", "")}
    recipe = pk.Pipeline([pk.Map(function, columns=("x", "c"), name="f")])
    if refused:
        with pytest.raises(pk.PrepkitError, match="missing cells would reach the model as NaN, from columns .'made'"):
            recipe.prepare((data, [0, 1, 0]), kinds={"c": "categorical"})
    else:
        recipe.prepare((data, [0, 1, 0]), kinds={"c": "categorical"})


@pytest.mark.parametrize(
    "leave_out",
    [
        pk.Drop("b"),
        pk.Select("a"),
    ],
)
def test_a_map_that_reuses_a_name(leave_out):
    """What was measured of a column is nothing that is known of another one of its name."""
    reuse = pk.Map(lambda x: {"b": x["a"] + 100}, columns="a", name="reuse")
    data = {"a": [1.0, 2.0, 3.0], "b": [0.0, 0.0, 9000.0]}
    assert done([leave_out, reuse, pk.Rescale("minmax")], data)["b"] == pytest.approx([0, 0.5, 1])


@pytest.mark.parametrize(
    "function, message",
    [
        (lambda x: {"y": x["nothing"]}, r"Map 'f' fails on tensors \{'age': 'float64'\}: .*nothing"),
        (lambda x: x["age"], "Map 'f' returns .*: return a dict of name to tensor with a row each."),
        (lambda x: {}, "Map 'f' returns {}: return a dict of name to tensor with a row each."),
        (
            lambda x: {"y": tf.reduce_sum(x["age"])},
            "Map 'f' returns .*: return a dict of name to tensor with a row each.",
        ),
        (
            lambda x: {"y": tf.reshape(x["age"], [tf.shape(x["age"])[0], -1])},
            "'y' comes out as .*: make every size but the rows a fixed one.",
        ),
        (lambda x: {"cap gain": x["age"]}, r"columns \['cap gain'\] exist twice: rename one of each."),
    ],
)
def test_functions_that_cannot_be_mapped_by(function, message):
    with pytest.raises(pk.PrepkitError, match=r"(?s)in stage 2 of 2 \(Map\): " + message):
        fit([pk.Drop("job"), pk.Map(function, "f", columns="age")], DATA)


@pytest.mark.parametrize("function", [None, 3, "log"])
def test_map_by_no_function(function):
    with pytest.raises(pk.PrepkitError, match=f"Map: function={function!r}: give a function of a dict of tensors."):
        pk.Map(function, columns="age")


def test_map_is_named_after_its_function():
    def half(x):
        return {n: t / 2 for n, t in x.items()}

    assert pk.Map(half, columns="age").name == "half"
    assert pk.Map(half, "other", columns="age").name == "other"
