"""Which rows and cells come in, under which policy, from whatever source; parity/ shows that rules are pandera's."""

from __future__ import annotations

import keras
import numpy as np
import pandas as pd
import pandera.pandas as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

import prepkit as pk
from tests.parity.frames import in_small_chunks
from tests.rows.people import AGE, NAN, RECIPE, REFUSED, SCHEMA, people


def sources(frame, folder):
    """The same rows as each kind of source has them."""
    frame.to_csv(folder / "rows.csv", index=False)
    frame.to_parquet(folder / "rows.parquet", row_group_size=9)
    x = {"age": frame["age"].to_numpy(), "job": frame["job"].to_numpy(str)}
    dataset = tf.data.Dataset.from_tensor_slices((x, frame["y"].to_numpy()))
    return {
        "frame": frame,
        "dict": {n: frame[n].to_numpy() for n in frame},
        "dataset": dataset.batch(7),
        "rows of a dataset": dataset,
        "csv": folder / "rows.csv",
        "parquet": folder / "rows.parquet",
    }


@pytest.mark.parametrize("kind", ["frame", "dict", "dataset", "rows of a dataset", "csv", "parquet"])
def test_every_source_refuses_the_same_rows_and_loses_none(kind, tmp_path):
    data = sources(people(), tmp_path)[kind]
    label = None if "dataset" in kind else "y"
    # In a CSV file infinity is the word "inf", which is no number.
    expected = {**REFUSED, 17: "age: dtype"} if kind == "csv" else REFUSED
    with in_small_chunks():
        prepared = RECIPE.prepare(data, label=label, batch_size=8, seed=0)
        ledger = prepared.metadata.ledger
        assert (ledger.rows_in, ledger.trained, sum(ledger.refused.values())) == (40, 35, 5)
        assert sum(len(x) for x, *_ in prepared.dataset) == 35
        found = prepared.quarantine
    assert {row: why.split("(")[0] for row, why in found["broken"].items()} == expected
    assert ledger.refused.keys() == {str(r) for r in prepared.pipeline.rules.rules if str(r) in ledger.refused}
    assert sorted(n for rows in ledger.row_numbers.values() for n in rows) == sorted(REFUSED)
    assert "job: isin(['cook', 'smith'])" in found.loc[13, "broken"]


@pytest.mark.parametrize("kind", ["frame", "dataset", "parquet"])
def test_statistics_are_of_the_rows_that_came_in(kind, tmp_path):
    frame = people()
    kept = frame.drop(index=list(REFUSED))
    label = None if kind == "dataset" else "y"
    with in_small_chunks():
        with_rules = RECIPE.fit(sources(frame, tmp_path)[kind], label=label)
    without = pk.Pipeline(RECIPE.stages[1:]).fit(kept, label="y")
    for a, b in zip(with_rules.flow.learned[1:], without.flow.learned, strict=True):
        assert type(a) is type(b)
    theirs = without.flow.learned[1]
    assert with_rules.flow.learned[2].shift == pytest.approx(theirs.shift)
    assert with_rules.feature_names == without.feature_names  # "pilot" is no category
    assert with_rules.metadata.counts == without.metadata.counts


def test_transform_keeps_every_row_in_order():
    frame = people()
    fitted = RECIPE.fit(frame, label="y")
    batches = list(fitted.transform(frame, batch_size=7))
    assert sum(len(x) for x, _ in batches) == 40
    np.testing.assert_array_equal(np.concatenate([y for _, y in batches]), frame["y"])


@given(
    st.lists(st.sampled_from([-5.0, 0.0, 60.0, 120.0, 500.0, NAN, np.inf]), min_size=6, max_size=20),
    st.sampled_from(["quarantine", "drop"]),
)
def test_rows_in_are_rows_trained_and_refused(ages, policy):
    frame = pd.DataFrame({"age": [1.0, 2.0, *ages], "y": np.arange(len(ages) + 2) % 2})
    recipe = pk.Pipeline([pk.Validate(AGE, policy, max_refused=1.0), pk.Impute()])
    prepared = recipe.prepare(frame, label="y")
    bad = [i for i, v in enumerate(frame["age"]) if v < 0 or v > 120]
    ledger = prepared.metadata.ledger
    assert ledger.trained == len(frame) - len(bad)
    assert ledger.rows_in == ledger.trained + sum(ledger.refused.values()) + sum(ledger.dropped.values())
    assert list(prepared.quarantine.index) == (bad if policy == "quarantine" else [])


def test_a_class_that_the_schema_does_not_know_is_none():
    frame = pd.DataFrame({"x": np.arange(30.0), "y": ["a", "b", "c"] * 9 + ["oops", "a", "b"]})
    schema = pa.DataFrameSchema({"y": pa.Column(str, pa.Check.isin(["a", "b", "c"]))})
    dataset = tf.data.Dataset.from_tensor_slices(({"x": frame["x"]}, frame["y"].to_numpy(str))).batch(4)
    for data, label in ((frame, "y"), (dataset, None)):
        prepared = pk.Pipeline([pk.Validate(schema)]).prepare(data, label=label)
        assert prepared.metadata.class_names == ("a", "b", "c")
        assert list(prepared.quarantine.index) == [27]
        assert sum(len(y) for _, y in prepared.dataset) == 29


# -- policies ------------------------------------------------------------------------------------


def test_dropped_rows_are_counted_and_not_kept():
    prepared = pk.Pipeline([pk.Validate(AGE, "drop")]).prepare(people()[["age", "y"]].dropna(), label="y")
    assert sum(prepared.metadata.ledger.refused.values()) == 3
    assert len(prepared.quarantine) == 0
    assert list(prepared.quarantine.columns) == ["age", "broken"]


HEALED = {
    "clip": [0.0, 50.0, 120.0, NAN],
    "null": [NAN, 50.0, NAN, NAN],
    "flag": [-5.0, 50.0, 999.0, NAN],
    "quarantine": [-5.0, 50.0, 999.0, NAN],
}


def ways(fitted, x):
    """The features as each way to compute them has them."""
    frame, tensors = pd.DataFrame(x), {n: tf.constant(v) for n, v in x.items()}
    dataset = tf.data.Dataset.from_tensor_slices(tensors)
    yield np.concatenate(list(fitted.transform(frame)))
    yield np.concatenate(list(fitted.transform(dataset.batch(2), batch_size=3)))
    yield np.concatenate(list(dataset.batch(3).apply(fitted)))
    yield fitted.flow.features(tensors).numpy()
    yield tf.function(fitted.flow.features)(tensors).numpy()


@pytest.mark.parametrize("policy, expected", HEALED.items())
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cells_are_healed_the_same_in_every_way(policy, expected, dtype):
    train = pd.DataFrame({"age": np.arange(20, 60, dtype=dtype), "y": np.arange(40) % 2})
    fitted = pk.Pipeline([pk.Validate(AGE, policy)]).fit(train, label="y")
    for found in ways(fitted, {"age": np.array([-5.0, 50.0, 999.0, NAN], dtype)}):
        np.testing.assert_array_equal(found[:, 0], expected)
        if policy == "flag":
            np.testing.assert_array_equal(found[:, 1], [1, 0, 1, 0])
    assert fitted.feature_names == (("age", "age is invalid") if policy == "flag" else ("age",))


def test_a_matrix_is_healed_too():
    x = np.arange(80.0).reshape(40, 2)
    schema = pa.DataFrameSchema({"x1": pa.Column(float, pa.Check.le(50.0))})
    fitted = pk.Pipeline([pk.Validate(schema, "clip", policies={"x1: less_than_or_equal_to(50.0)": "clip"})]).fit(
        (x, np.arange(40) % 2)
    )
    expected = np.minimum(x, [np.inf, 50.0])
    np.testing.assert_array_equal(np.concatenate(list(fitted.transform(x))), expected)
    np.testing.assert_array_equal(fitted.flow.features(tf.constant(x)), expected)


def test_cells_in_training_are_healed_before_anything_is_learned():
    frame = pd.DataFrame({"age": [10.0, 20.0, 30.0, 999.0] * 10, "job": ["a", "a", "b", "zz"] * 10})
    frame["y"] = np.arange(40) % 2
    schema = pa.DataFrameSchema(
        {"age": pa.Column(float, pa.Check.le(120)), "job": pa.Column(str, pa.Check.isin(["a", "b"]))}
    )
    recipe = pk.Pipeline([pk.Validate(schema, "null"), pk.Impute("mean", indicator=True), pk.OneHot()])
    prepared = recipe.prepare(frame, label="y")
    assert prepared.metadata.ledger.trained == 40
    assert prepared.pipeline.flow.learned[1].numbers == {"age": 20.0}
    assert prepared.metadata.missing_cells == {"age": 10, "job": 10}
    assert prepared.pipeline.feature_names == ("age", "job=a", "job=b", "job=missing", "age is missing")


def test_flags_of_training_rows_are_those_of_serving():
    frame = people()
    recipe = pk.Pipeline([pk.Validate(SCHEMA, "flag"), pk.Impute(), pk.OneHot()], output="dict")
    prepared = recipe.prepare(frame, label="y", batch_size=40)
    (x, _), *_ = list(prepared.pipeline.transform(frame, batch_size=40))
    assert np.flatnonzero(x["age is invalid"]).tolist() == [3, 7, 13, 17]
    assert np.flatnonzero(x["job is invalid"]).tolist() == [11, 13]
    trained, _ = next(iter(prepared.dataset))
    assert trained["age is invalid"].numpy().sum() == 4


def test_the_most_particular_policy_counts():
    v = pk.Validate(SCHEMA, "drop", {"age": "flag", "isin": "null", "age: in_range(0, 120)": "clip"})
    rules = pk.Pipeline([v, pk.Impute(), pk.OneHot()]).fit(people(), label="y").rules
    assert {str(r).split("(")[0]: r.policy for r in rules.rules} == {
        "age: dtype": "flag",
        "age: not_nullable": "flag",
        "age: finite": "flag",
        "age: in_range": "clip",
        "job: dtype": "drop",
        "job: not_nullable": "drop",
        "job: isin": "null",
    }


# -- what only training rows can be judged by ----------------------------------------------------


def test_functions_run_by_pandera_on_training_rows_only():
    frame = people().drop(index=[7, 17]).reset_index(drop=True)
    odd = pa.Check(lambda s: s < 500, name="plausible", error="plausible")
    schema = pa.DataFrameSchema({"age": pa.Column(float, odd)})
    x = {"age": frame["age"].to_numpy()}
    for data in (frame[["age", "y"]], tf.data.Dataset.from_tensor_slices((x, frame["y"].to_numpy())).batch(5)):
        label = None if isinstance(data, tf.data.Dataset) else "y"
        prepared = pk.Pipeline([pk.Validate(schema)]).prepare(data, label=label)
        assert len(prepared.quarantine) == 2
        assert np.concatenate([x for x, _ in prepared.dataset]).max() < 500
        assert "age: plausible  -> quarantine  [training rows: pandera]" in repr(prepared.pipeline)
    assert prepared.pipeline.attach(sigmoid(), rules=True).rule_names == (
        "age: dtype(float64)",
        "age: not_nullable",
        "age: finite",
    )


# -- an inferred schema --------------------------------------------------------------------------


def table(n=60):
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "pay": rng.uniform(10, 110, n),
            "debt": np.where(rng.random(n) < 0.2, NAN, rng.normal(0, 1, n)),
            "n": rng.integers(0, 10, n),
            "job": rng.choice(["cook", "smith"], n),
            "member": rng.random(n) < 0.5,
            "at": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 100, n), "D"),
            "code": [f"{i:06d}x" for i in rng.permutation(200)[:n]],  # every row another one
            "y": np.arange(n) % 2,
        }
    )


KINDS = {"code": "categorical"}


def inferred(frame, **settings):
    recipe = pk.Pipeline([pk.Validate(**settings), pk.Drop("at")], output="dict")
    return recipe.fit(frame, label="y", kinds=KINDS)


def test_an_inferred_schema_refuses_no_training_row():
    fitted = inferred(table())
    assert fitted.metadata.ledger.trained == 60
    assert fitted.check(table()).ok
    assert fitted.metadata.scans == 1


def test_what_is_inferred():
    rules = {str(r) for r in inferred(table()).rules.rules}
    assert {"pay: not_nullable", "n: dtype(int64)", "job: isin(['cook', 'smith'])", "code: str_length(1, 14)"} <= rules
    assert "debt: not_nullable" not in rules
    (pay,) = [r for r in inferred(table(), margin=0.1).rules.rules if r.columns == ("pay",) and r.check == "in_range"]
    low, high = table()["pay"].min(), table()["pay"].max()
    assert pay.arguments["max_value"] == pytest.approx(high + 0.1 * (high - low))
    assert pay.arguments["min_value"] == pytest.approx(max(0, low - 0.1 * (high - low)))  # what is positive stays so


def test_an_inferred_schema_is_pandera_and_comes_back():
    fitted = inferred(table())
    schema = fitted.schema
    assert isinstance(schema, pa.DataFrameSchema)
    schema.validate(table())
    again = pk.Pipeline([pk.Validate(schema), pk.Drop("at")], output="dict").fit(table(), label="y", kinds=KINDS)
    assert {str(r) for r in again.rules.rules} - {str(r) for r in fitted.rules.rules} <= {"pay: finite", "debt: finite"}


def test_an_inferred_schema_finds_what_is_new():
    new = table().assign(job="pilot", pay=lambda f: f["pay"] * 1000, n=1.5)
    new.loc[0, "code"] = "a" * 30
    found = inferred(table()).check(new)
    assert {str(r) for r, n in zip(found.rules, found.counts, strict=True) if n} == {
        "job: isin(['cook', 'smith'])",
        "n: dtype(int64)",
        "code: str_length(1, 14)",
        next(str(r) for r in found.rules if str(r).startswith("pay: in_range")),
    }


@pytest.mark.parametrize("policy", ["clip", "null", "flag"])
def test_an_inferred_schema_heals_in_every_way(policy):
    train = pd.DataFrame({"x": np.arange(101.0), "y": np.arange(101) % 2})
    fitted = pk.Pipeline([pk.Validate(on_invalid=policy, margin=0.0)]).fit(train, label="y")
    expected = {"clip": [0.0, 100.0], "null": [NAN, NAN], "flag": [-7.0, 107.0]}[policy]
    for found in ways(fitted, {"x": np.array([-7.0, 107.0])}):
        np.testing.assert_array_equal(found[:, 0], expected)
        if policy == "flag":
            np.testing.assert_array_equal(found[:, 1], [1, 1])


def test_tensors_have_to_be_finite_and_in_range():
    x = np.random.default_rng(0).uniform(0, 1, (20, 3, 3)).astype(np.float32)
    fitted = pk.Pipeline([pk.Validate(), pk.Impute("mean")]).fit((x, np.arange(20) % 2))
    bad = x.copy()
    bad[1, 0, 0], bad[2, 1, 1] = NAN, 55.0
    assert sorted(fitted.check(bad).failures["row"]) == [1, 2]


# -- saved and served ----------------------------------------------------------------------------


def sigmoid():
    return keras.Sequential([keras.layers.Dense(1, activation="sigmoid")])


def test_saved_and_loaded(tmp_path):
    prepared = RECIPE.prepare(people(), label="y")
    prepared.save(tmp_path / "prepared")
    again = pk.load(tmp_path / "prepared")
    assert again.pipeline.rules == prepared.pipeline.rules
    assert again.pipeline.recipe == RECIPE
    assert again.metadata == prepared.metadata
    pd.testing.assert_frame_equal(again.quarantine, prepared.quarantine)
    file = pq.read_table(tmp_path / "prepared" / "quarantine.parquet")
    assert file.column_names == ["row", "age", "job", "y", "broken"]
    assert again.pipeline.check(people()).counts == prepared.pipeline.check(people()).counts
    assert repr(again.pipeline.schema) == repr(SCHEMA)


def test_a_served_model_says_which_rules_a_row_breaks(tmp_path):
    fitted = pk.Pipeline(
        [pk.Validate(SCHEMA, policies={"age": "clip"}, max_refused=1.0), pk.Impute(), pk.OneHot()]
    ).fit(people(), label="y")
    served = fitted.attach(sigmoid(), rules=True)
    frame = people()[["age", "job"]]
    found = served.predict(frame, verbose=0)
    assert found.keys() == {"probabilities", "broken"}
    broken = pd.DataFrame(found["broken"], columns=served.rule_names)
    counts = fitted.check(frame)
    assert broken.sum().tolist() == list(counts.counts)
    assert np.isfinite(found["probabilities"]).all()
    served.save(tmp_path / "served.keras")
    served.export(tmp_path / "exported")
    again = keras.models.load_model(tmp_path / "served.keras")
    np.testing.assert_array_equal(again.predict(frame, verbose=0)["broken"], found["broken"])
    raw = {"age": tf.constant(frame["age"]), "job": tf.constant(frame["job"].to_numpy(str))}
    exported = tf.saved_model.load(tmp_path / "exported")
    np.testing.assert_array_equal(exported.serve(raw)["broken"], found["broken"])
    assert max(fitted.check_parity(frame, sigmoid()).values()) < 1e-6


def test_unseen_strings_are_judged_in_the_graph_though_they_have_no_code():
    schema = pa.DataFrameSchema(
        {"code": pa.Column(str, [pa.Check.str_matches(r"[A-Z]\d{3}$"), pa.Check.str_length(4)])}
    )
    train = pd.DataFrame({"code": [f"A{i}" for i in range(100, 140)], "y": np.arange(40) % 2})
    fitted = pk.Pipeline([pk.Validate(schema), pk.OneHot()]).fit(train, label="y")
    broken = fitted.flow.entry.broken_in_graph({"code": tf.constant(["B999", "b999", "A12", "", " A123 "])}, range(4))
    names = [str(r) for r in fitted.rules.rules]
    assert names == [
        "code: dtype(string)",
        "code: not_nullable",
        "code: str_matches('[A-Z]\\d{3}$')",
        "code: str_length(4)",
    ]
    expected = [[0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 1, 1], [0, 1, 0, 0], [0, 0, 0, 0]]
    np.testing.assert_array_equal(broken, expected)


def test_a_schema_says_how_columns_are_read():
    frame = pd.DataFrame({"zip": ["01234", "04711", "99999"] * 10, "y": np.arange(30) % 2})
    schema = pa.DataFrameSchema({"zip": pa.Column(str, pa.Check.str_matches(r"\d{5}$"))})
    assert pk.Pipeline([pk.OneHot()]).fit(frame, label="y", kinds={"zip": "categorical"}).feature_names == (
        pk.Pipeline([pk.Validate(schema), pk.OneHot()]).fit(frame, label="y").feature_names
    )


def test_columns_that_a_schema_filters_out_go():
    schema = pa.DataFrameSchema({"age": pa.Column(float, nullable=True)}, strict="filter")
    fitted = pk.Pipeline([pk.Validate(schema, finite=False), pk.Impute()]).fit(people(), label="y")
    assert fitted.feature_names == ("age",)
    assert max(fitted.check_parity(people()).values()) == 0.0


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"schema": 3}, "schema=of type int: give a pandera DataFrameSchema or DataFrameModel"),
        ({"on_invalid": "remove"}, "Validate: on_invalid='remove': choose from 'raise', 'drop', 'quarantine'"),
        ({"policies": {"age": "mend"}}, r"Validate: policies\['age'\]='mend': choose from"),
        ({"max_refused": 10}, "Validate: max_refused=10: give a share of the rows from 0 to 1."),
        ({"margin": -1.0}, "Validate: margin=-1.0: give a share of each column's range"),
        ({"columns": ["age"]}, "Validate: the schema says which columns: leave out columns=."),
    ],
)
def test_errors_when_made(settings, message):
    with pytest.raises(pk.PrepkitError, match=message):
        pk.Validate(**settings)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"policies": {"agee": "drop"}}, "policies names 'agee', which is no rule: did you mean 'age'"),
        ({"policies": {"isin": "clip"}}, r"job: isin\(.*\) cannot be 'clip': only ranges of numbers can be"),
    ],
)
def test_errors_when_fitted(settings, message):
    with pytest.raises(pk.PrepkitError, match=message):
        pk.Pipeline([pk.Validate(SCHEMA, **settings)]).fit(people(), label="y")


def test_a_bound_outside_the_range_cannot_be_clipped_to():
    schema = pa.DataFrameSchema({"age": pa.Column(float, pa.Check.gt(0), nullable=True)})
    recipe = pk.Pipeline([pk.Validate(schema, policies={"greater_than": "clip"}, finite=False)])
    with pytest.raises(pk.PrepkitError, match="cannot be 'clip': the bound does not belong to the range: use ge, le"):
        recipe.fit(people(), label="y")


def test_a_schema_for_columns_that_are_not_there():
    schema = pa.DataFrameSchema({"ages": pa.Column(float)})
    with pytest.raises(pk.PrepkitError, match=r"in stage 1 of 1 \(Validate\): .*'ages'.*did you mean 'age'"):
        pk.Pipeline([pk.Validate(schema)]).fit(people(), label="y")


def test_it_stands_first_and_once():
    for stages in ([pk.Impute(), pk.Validate()], [pk.Validate(), pk.Validate()]):
        with pytest.raises(
            pk.PrepkitError, match=r"in stage 2 of 2 \(Validate\): it decides which rows come in: put it"
        ):
            pk.Pipeline(stages)


def test_rules_that_are_not_there():
    fitted = pk.Pipeline([]).fit(people().dropna()[["age", "y"]], label="y")
    for ask in (lambda: fitted.rules, lambda: fitted.schema, lambda: fitted.check(people())):
        with pytest.raises(pk.PrepkitError, match=r"the recipe has no rules: begin it with Validate\(\)."):
            ask()
    with pytest.raises(pk.PrepkitError, match="rules=True, but the recipe has no rules that can be served"):
        fitted.attach(sigmoid(), rules=True)
    with pytest.raises(pk.PrepkitError, match=r"Validate\(\) has no schema to check by"):
        pk.Validate().check(people())


def test_functions_are_not_saved_in_a_recipe_but_a_pipeline_is(tmp_path):
    schema = pa.DataFrameSchema(
        {"age": pa.Column(float, pa.Check(lambda s: s < 500, error="plausible"), nullable=True)}
    )
    recipe = pk.Pipeline([pk.Validate(schema), pk.Impute(), pk.OneHot()])
    with pytest.raises(pk.PrepkitError, match="the schema has checks that are functions .plausible of column 'age'."):
        recipe.to_json()
    prepared = recipe.prepare(people(), label="y")
    prepared.save(tmp_path / "prepared")
    again = pk.load(tmp_path / "prepared")
    assert [str(r) for r in again.pipeline.rules.rules] == [str(r) for r in prepared.pipeline.rules.rules]
    assert len(again.quarantine) == 3


def test_a_column_of_mixed_types():
    frame = pd.DataFrame({"age": [1.0, "two", 3.0, object()], "y": [0, 1, 0, 1]})
    with pytest.raises(pk.PrepkitError, match="column 'age' holds Python objects of types float, object, str"):
        pk.Pipeline([pk.Validate(AGE)]).fit(frame, label="y")


# -- what else a schema may say ------------------------------------------------------------------


def test_the_repr_says_where_each_rule_runs():
    mine = pa.Check(lambda s: s < 3, error="mine")
    lookahead = pa.Check.str_matches(r"(?!X)\w+")
    schema = pa.DataFrameSchema({"age": pa.Column(float, [pa.Check.ge(0), mine]), "plate": pa.Column(str, lookahead)})
    shown = repr(pk.Validate(schema, policies={"age": "clip"})).splitlines()
    assert shown[0] == "Validate(<schema of 2 columns>, policies={'age': 'clip'})"
    assert "age: greater_than_or_equal_to(0)  -> clip" in shown
    assert "age: mine  -> quarantine  [training rows: pandera]" in shown
    assert shown[-1].endswith("[training rows: pandera]") and shown[-1].startswith("plate: str_matches")
    assert repr(pk.Validate(margin=0.5)) == "Validate(margin=0.5)"
    by_pattern = pa.DataFrameSchema({"x.*": pa.Column(float, regex=True)})
    assert repr(pk.Validate(by_pattern)).splitlines() == ["Validate(<schema of 1 column>)"]


def test_a_function_that_was_not_saved_judges_nothing_and_is_named(tmp_path):
    mine = pa.Check(lambda s: s < 3, error="mine")
    lookahead = pa.Check.str_matches(r"(?!X)[A-Z]")
    schema = pa.DataFrameSchema(
        {"age": pa.Column(float, [pa.Check.ge(0), mine]), "plate": pa.Column(str, lookahead)},
        checks=pa.Check(lambda f: f["age"] >= 0, error="all"),
    )
    frame = pd.DataFrame({"age": [1.0, 2.0, 2.5] * 10, "plate": ["A"] * 30, "y": np.arange(30) % 2})
    pk.Pipeline([pk.Validate(schema), pk.Drop("plate")]).fit(frame, label="y").save(tmp_path / "fitted")
    again = pk.load(tmp_path / "fitted")
    assert str(again.rules).count("[not judged: its function was not saved]") == 2
    found = again.check(frame.assign(age=-1.0, plate="X"))
    assert found.failures["check"].unique().tolist() == ["greater_than_or_equal_to(0)", lookahead.error]


def test_a_label_beside_the_features_is_called_y():
    x = np.arange(20.0)[:, None]
    schema = pa.DataFrameSchema({"y": pa.Column(int, pa.Check.isin([0, 1]))})
    y = np.arange(20) % 2
    y[3] = 7
    for data in ((x, y), tf.data.Dataset.from_tensor_slices((x, y)).batch(4)):
        prepared = pk.Pipeline([pk.Validate(schema)]).prepare(data)
        assert prepared.metadata.class_names == ("0", "1")
        assert list(prepared.quarantine.index) == [3]
        assert prepared.quarantine.loc[3, "y"] == 7


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_tensors_are_clipped_in_their_own_type(dtype):
    x = np.random.default_rng(0).integers(10, 100, (40, 2, 2)).astype(dtype)
    x[0], x[1] = 10, 99
    recipe = pk.Pipeline([pk.Validate(on_invalid="clip", margin=0.0)], output="dict")
    fitted = recipe.fit((x, np.arange(40) % 2))
    new = np.array([[[0, 50], [99, 120]]], dtype)
    for found in (next(iter(fitted.transform(new))), fitted.flow.features(tf.constant(new))):
        np.testing.assert_array_equal(found["x"], [[[10, 50], [99, 99]]])
    assert max(fitted.check_parity(new).values()) == 0.0
