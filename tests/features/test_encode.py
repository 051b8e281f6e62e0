import subprocess
import sys

import numpy as np
import pytest

import prepkit as pk
from prepkit.features import encode
from tests.features.frames import done, fit, in_graph, learned, transformed, words

TRAIN = {"c": words("a", "a", "a", "b", "b", "c", "d", None)}
NEW = {"c": words("a", "c", "never", None)}


@pytest.mark.parametrize("missing", ["category", "zeros"])
@pytest.mark.parametrize("max_categories", [None, 3])
@pytest.mark.parametrize("unseen", ["infrequent_if_exist", "zeros", "bucket"])
def test_one_hot_in_all_combinations(unseen, max_categories, missing):
    few = max_categories is not None
    kept = ["a", "b"] if few else ["a", "b", "c", "d"]
    shared = ["<missing>"] * (missing == "category") + ["<infrequent>"] * few + ["<unseen>"] * (unseen == "bucket")
    fitted = fit(pk.OneHot(max_categories, unseen=unseen, missing=missing), TRAIN)
    assert fitted.feature_names == tuple(f"c={name}" for name in (*kept, *shared))
    becomes = {
        "a": "a",
        "c": "<infrequent>" if few else "c",
        "never": {"bucket": "<unseen>", "infrequent_if_exist": "<infrequent>" if few else "", "zeros": ""}[unseen],
        None: "<missing>" if missing == "category" else "",
    }
    rows = zip(*transformed(fitted, NEW).values(), strict=True)
    places = [[n for n, hot in zip((*kept, *shared), row, strict=True) if hot] for row in rows]
    assert places == [[place] if place else [] for place in becomes.values()]
    cells = words("a", "c", "never", "")
    np.testing.assert_array_equal(in_graph(fitted, {"c": cells}), np.array(list(transformed(fitted, NEW).values())).T)


def test_no_training_cell_missing_gives_no_column_for_it():
    found = done(pk.OneHot(), {"c": words("a", "b")}, {"c": words(None, "a")})
    assert found == {"c=a": [0, 1], "c=b": [0, 0]}


@pytest.mark.parametrize(
    "unseen, names, hot",
    [
        ("infrequent_if_exist", ("a", "<infrequent>"), "<infrequent>"),
        ("zeros", ("a", "<infrequent>"), None),
        ("bucket", ("a", "<infrequent>", "<unseen>"), "<unseen>"),
    ],
)
def test_a_filling_that_no_training_row_has_is_unseen(unseen, names, hot):
    """Cells go missing only in serving, and Impute makes them a category that the training rows have not."""
    stages = [pk.Impute(), pk.OneHot(min_frequency=2, unseen=unseen)]
    found = done(stages, {"c": words("a", "a", "b", "c")}, {"c": words("a", None)})
    assert found == {f"c={name}": [float(name == "a"), float(name == hot)] for name in names}


def test_the_share_of_rows_is_of_all_rows():
    fitted = fit(pk.OneHot(min_frequency=0.3), {"c": words("a", "a", "b", *[None] * 5)})
    assert fitted.feature_names == ("c=<missing>", "c=<infrequent>")


def test_categories_that_are_called_like_the_shared_places():
    data = {"c": words("<missing>", None, "<missing>", "rare")}
    fitted = fit(pk.OneHot(min_frequency=2, unseen="bucket"), data)
    assert fitted.feature_names == ("c=<missing>", "c=<missing>", "c=<infrequent>", "c=<unseen>")
    found = in_graph(fitted, {"c": words("<missing>", "", "<infrequent>", "rare")}).numpy()
    np.testing.assert_array_equal(found, np.eye(4)[[0, 1, 3, 2]])


def test_several_columns_keep_their_places():
    data = {
        "one": words("a", "b", None),
        "x": [1.0, 2.0, 3.0],
        "two": words("b", "c", "c"),
        "three": words("z", "z", "y"),
    }
    fitted = fit([pk.Hash("three", 2), pk.OneHot()], data)
    found = transformed(fitted, data)
    assert {n: found[n] for n in found if "=" in n} == {
        "one=a": [1, 0, 0],
        "one=b": [0, 1, 0],
        "one=<missing>": [0, 0, 1],
        "two=b": [1, 0, 0],
        "two=c": [0, 1, 1],
    }
    assert found["x"] == [1, 2, 3]


def test_two_one_hots_after_another():
    data = {"one": words("a", "b", "a"), "two": words("c", "c", "d")}
    stages = [pk.OneHot(columns="two"), pk.OneHot(max_categories=1, columns="one")]
    assert done(stages, data) == {"one=<infrequent>": [1, 1, 1], "two=c": [1, 1, 0], "two=d": [0, 0, 1]}


def test_a_column_of_missing_cells_only_has_no_place():
    data = {"c": words(None, "", None), "x": [1.0, 2.0, 3.0]}
    fitted = fit(pk.OneHot(missing="zeros"), data, c="categorical")
    assert fitted.feature_names == ("x",)
    assert transformed(fitted, {"c": words("a"), "x": [4.0]}) == {"x": [4.0]}
    assert done(pk.OneHot(), data, c="categorical")["c=<missing>"] == [1, 1, 1]
    assert done(pk.Lookup(), data, output="dict", c="categorical")["c"] == [0, 0, 0]


def test_numbers_as_categories():
    data = {"n": np.array([3, 10, 3]), "f": np.array([1.0, np.nan, 2.0])}
    fitted = fit(pk.OneHot(), data, n="categorical", f="categorical")
    assert fitted.feature_names == ("n=10", "n=3", "f=1", "f=2", "f=<missing>")
    found = in_graph(fitted, {"n": np.array([3, 10, 4]), "f": np.array([np.nan, 2.0, 1.0])}).numpy()
    assert found.tolist() == [[0, 1, 0, 0, 1], [1, 0, 0, 1, 0], [0, 0, 1, 0, 0]]


def test_too_many_columns(monkeypatch):
    monkeypatch.setattr(encode, "WIDEST", 3)
    message = r"in stage 1 of 1 \(OneHot\): 5 one-hot columns, most of them from \['c'\]: set max_categories=100"
    with pytest.raises(pk.PrepkitError, match=message):
        fit(pk.OneHot(), TRAIN)


# -- Lookup ------------------------------------------------------------------------------------


def test_ids_by_descending_frequency_then_by_name():
    data = {"c": words("z", "b", "b", "a", "z", None, "b")}
    fitted = fit(pk.Lookup(), data, output="dict")
    assert fitted.flow.spec_out["c"].categories == ("<missing>", "<unseen>", "b", "z", "a")
    assert fitted.metadata.vocabulary_sizes == {"c": 5}
    assert transformed(fitted, data)["c"] == [3, 2, 2, 4, 3, 0, 2]
    assert transformed(fitted, {"c": words("never", None, "a")})["c"] == [1, 0, 4]
    assert done(pk.Lookup(), {"c": words("z", "b", "a")}, output="dict")["c"] == [4, 3, 2]


def test_rarer_categories_share_an_id():
    fitted = fit(pk.Lookup(4), TRAIN, output="dict")
    assert transformed(fitted, TRAIN)["c"] == [2, 2, 2, 3, 3, 1, 1, 0]
    assert fitted.metadata.vocabulary_sizes == {"c": 4}


def test_lookup_beside_numbers_and_other_ids():
    data = {"b": words("x", "y"), "n": [1.0, 2.0], "a": words("q", "q"), "h": words("r", None)}
    fitted = fit([pk.Hash("h", 2, "id"), pk.Lookup(columns=("a", "b"))], data, output="dict")
    found = transformed(fitted, data)
    assert found["b"] == [2, 3]
    assert found["a"] == [2, 2]
    assert found["n"] == [1, 2]
    assert found["h"][0] in (1, 2)
    assert found["h"][1] == 0


def test_ids_are_no_numbers_to_calculate_with():
    with pytest.raises(
        pk.PrepkitError, match=r"column 'c' \(id\) reaches the dense output as it is: ids are no numbers"
    ):
        fit(pk.Lookup(), TRAIN)


# -- Hash --------------------------------------------------------------------------------------


def test_buckets_are_those_of_any_other_process():
    """A model that was trained on them is served elsewhere; so they are also pinned here."""
    data = {"c": words("cook", "smith", "東京", None)}
    here = done(pk.Hash("c", 1000, "id"), data, output="dict")["c"]
    assert here == [614, 567, 102, 0]
    code = (
        "import numpy as np, prepkit as pk; c = np.array(['cook', 'smith', '東京', None], object);"
        "f = pk.Pipeline([pk.Hash('c', 1000, 'id')], output='dict').fit(({'c': c}, [0, 1, 0, 1]));"
        "print(next(f.transform({'c': c}).as_numpy_iterator())['c'].tolist())"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == str(here)


def test_the_bucket_of_a_word_is_the_same_in_every_column():
    data = {"a": words("x", "y", None), "b": words("y", "x", "x")}
    fitted = fit(pk.Hash(("a", "b"), 50), data)
    matrix = np.array(list(transformed(fitted, data).values())).T
    assert matrix.sum(1).tolist() == [2, 2, 1]
    a, b = matrix[:, :50], matrix[:, 50:]
    np.testing.assert_array_equal(a[0], b[1])
    np.testing.assert_array_equal(a[1], b[0])
    assert fitted.feature_names[49:51] == ("a#49", "b#0")


def test_hash_of_columns_that_a_predicate_chooses_none_of():
    assert done(pk.Hash(lambda c: False), {"x": [1.0, 2.0]}) == {"x": [1, 2]}


# -- errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: pk.OneHot(0), "OneHot: max_categories=0: give 1 or more, or None for no limit."),
        (lambda: pk.OneHot("job"), "OneHot: max_categories='job': give 1 or more, .* Columns are chosen by columns=."),
        (lambda: pk.Lookup("job"), "Lookup: max_tokens='job': give 3 or more .* Columns are chosen by columns=."),
        (lambda: pk.Hash("c", "d"), "Hash: bins='d': give 2 or more."),
        (lambda: pk.OneHot(min_frequency=0.0), "OneHot: min_frequency=0.0: give a number of rows or a share below 1."),
        (lambda: pk.OneHot(unseen="x"), "OneHot: unseen='x': choose from 'infrequent_if_exist', 'zeros', 'bucket'."),
        (lambda: pk.OneHot(missing="x"), "OneHot: missing='x': choose from 'category', 'zeros'."),
        (lambda: pk.Lookup(2), "Lookup: max_tokens=2: give 3 or more .0 and 1 are taken., or None."),
        (lambda: pk.Hash("c", 1), "Hash: bins=1: give 2 or more."),
        (lambda: pk.Hash("c", output_form="x"), "Hash: output_form='x': choose from 'one_hot', 'id'."),
        (lambda: pk.Hash(), r"Hash: say which columns, as in Hash\('zip', bins=64\)."),
    ],
)
def test_errors_when_made(make, message):
    with pytest.raises(pk.PrepkitError, match=message):
        make()


def test_strings_that_another_stage_has_made_have_no_vocabulary():
    message = r"in stage 2 of 2 \(OneHot\): OneHot takes columns of kind categorical, not 'c' \(text\)"
    with pytest.raises(pk.PrepkitError, match=message):
        fit([pk.Map(lambda x: x, columns="c"), pk.OneHot(columns="c")], TRAIN)


def test_learned_categories():
    found = learned(fit([pk.Impute(), pk.OneHot(max_categories=3)], TRAIN), 1)
    assert found.kept == {"c": ("a", "b")}
    assert found.shared == {"c": ("<infrequent>",)}
    assert found.absent == {"c": ()}
