import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
import tensorflow as tf

import prepkit as pk
from prepkit.datasets import adult
from prepkit.drift import compare
from prepkit.source import as_source
from tests.drift.frames import WORDS, codes, compared, every_form, learned

N = 5000


def base(n=N, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "x": rng.normal(size=n),
        "z": rng.normal(size=n),
        "job": rng.choice(WORDS[:5], n),
        "gaps": np.where(rng.random(n) < 0.05, np.nan, rng.random(n)),
        "y": np.where(rng.random(n) < 0.24, "yes", "no").astype(object),
    }


TRAINING = base()
REFERENCE, SPEC = learned(TRAINING, "y")


def changed(n=2000, **columns):
    """Other rows of the same distribution, but for these columns."""
    new = base(n, seed=1)
    rng = np.random.default_rng(2)
    return new | {name: make(new.get(name), rng) for name, make in columns.items()}


def found(new):
    return compare(REFERENCE, SPEC, new)


# -- nothing has changed ---------------------------------------------------------------------------


@pytest.mark.parametrize("n", [30, 300, 3000])
def test_rows_of_the_same_distribution_alarm_on_nothing(n):
    """200 samples of 14 columns of different forms; `docs/drift.md` says how often it errs in more of them."""
    reference, spec = learned(every_form(10_000, np.random.default_rng(0)), "y")
    alarms = []
    for seed in range(200):
        drift = compare(reference, spec, every_form(n, np.random.default_rng(1000 * n + seed)))
        alarms += codes(drift)
    assert alarms == []


@pytest.mark.parametrize("training", [30, 300])
def test_few_training_rows_alarm_on_nothing_either(training):
    alarms = []
    for seed in range(40):
        reference, spec = learned(every_form(training, np.random.default_rng([7, training, seed])), "y")
        for n in (30, 300, 3000):
            alarms += codes(compare(reference, spec, every_form(n, np.random.default_rng([n, seed]))))
    assert alarms == []


def test_the_training_data_themselves():
    drift = found(TRAINING)
    assert drift.findings == ()
    assert (drift.rows, drift.training_rows, drift.source) == (N, N, "dict")
    assert [c.name for c in drift.columns] == ["x", "z", "job", "gaps"]
    assert {c.verdict for c in drift.columns} == {"stable"}
    assert drift["x"].psi < 1e-12  # categories of half the rows are compared with all
    assert drift.label.psi < 1e-12
    assert drift["gaps"].missing_before == drift["gaps"].missing_after


def test_adult_test_against_adult_train():
    drift = compare(*learned(adult("train"), "income"), adult("test"))
    assert drift.findings == ()
    assert max(c.psi for c in drift.columns) < 0.01
    assert drift.label.cells == ("<=50K", ">50K")


# -- something has ---------------------------------------------------------------------------------


def test_adults_over_50_against_adult_train():
    frame = pd.read_csv(adult("train"))
    drift = compare(*learned(adult("train"), "income"), frame[frame["age"] > 50])
    assert codes(drift)[0] == ("drift.column", "age")
    assert drift["age"].verdict == "major"
    assert drift["sex"].verdict == drift["education"].verdict == "stable"


@pytest.mark.parametrize(
    "columns, expected",
    [
        ({"x": lambda x, r: x + 0.5}, [("drift.column", "x")]),
        ({"x": lambda x, r: x * 2}, [("schema.range", "x"), ("drift.column", "x")]),
        ({"x": lambda x, r: x * 1000}, [("schema.range", "x"), ("drift.column", "x")]),
        (
            {"job": lambda x, r: np.where(r.random(len(x)) < 0.1, "new", x)},
            [("schema.unseen", "job"), ("drift.column", "job")],
        ),
        ({"job": lambda x, r: np.where(r.random(len(x)) < 0.3, "w0", x)}, [("drift.column", "job")]),
        ({"gaps": lambda x, r: np.where(r.random(len(x)) < 0.26, np.nan, x)}, [("drift.missing", "gaps")]),
        ({"job": lambda x, r: np.where(r.random(len(x)) < 0.1, None, x)}, [("drift.missing", "job")]),
        ({"y": lambda x, r: np.where(r.random(len(x)) < 0.5, "yes", "no")}, [("drift.label", "y")]),
        ({"y": lambda x, r: np.where(r.random(len(x)) < 0.01, "maybe", x)}, [("drift.label", "y")]),
        ({"x": lambda x, r: np.full(len(x), "n.v.", object)}, [("schema.type", "x")]),
        ({"x": lambda x, r: x.astype("datetime64[s]")}, [("schema.type", "x")]),
        ({"job": lambda x, r: np.arange(len(x))}, [("schema.type", "job")]),
        ({"x": lambda x, r: r.random((len(x), 2))}, [("schema.type", "x")]),
        (
            {"x": lambda x, r: np.where(r.random(len(x)) < 0.02, "n.v.", x.astype(str))},
            [("schema.unreadable", "x"), ("drift.missing", "x")],
        ),
        ({"y": lambda x, r: r.random(len(x))}, [("schema.type", "y")]),
    ],
)
def test_planted_shifts_are_found_and_nothing_else(columns, expected):
    assert codes(found(changed(**columns))) == expected


def test_how_few_rows_show_a_shift_of_half_a_standard_deviation():
    """What is no more than chance gives is not told, however large it is."""
    shifted = {n: codes(found(changed(n, x=lambda x, r: x + 0.5))) for n in (30, 300)}
    assert shifted == {30: [], 300: [("drift.column", "x")]}


def test_dropped_renamed_and_extra_columns():
    new = {name.upper() if name == "job" else name: x for name, x in base(500).items() if name != "z"}
    drift = found(new | {"extra": np.zeros(500)})
    assert [(f.code, f.severity, f.where) for f in drift.findings] == [
        ("schema.missing_column", "error", "column 'z'"),
        ("schema.missing_column", "error", "column 'job'"),
        ("schema.new_column", "info", "column 'JOB'"),
        ("schema.new_column", "info", "column 'extra'"),
    ]
    assert [f.evidence for f in drift.findings[:2]] == [{}, {"similar": ["JOB"]}]
    assert "rename 'JOB'" in drift.findings[1].advice
    assert drift["job"].verdict == "absent"
    assert drift["x"].verdict == "stable"


@pytest.mark.parametrize("new", [np.zeros((9, 4)), {"a": [1.0], "b": [2.0]}])
def test_none_of_the_columns_is_there(new):
    first = found(new).findings[0]
    assert (first.code, first.where, first.evidence) == (
        "schema.missing_column",
        "columns",
        {"columns": 4, "first": "x"},
    )


def test_schema_comes_before_drift():
    drift = found(changed(x=lambda x, r: x * 1000, job=lambda x, r: np.full(len(x), "new", object)))
    assert [f.code for f in drift.findings] == ["schema.unseen", "schema.range", "drift.column", "drift.column"]


def test_a_finding_says_what_it_rests_on():
    (finding,) = found(changed(x=lambda x, r: x + 0.5)).findings
    evidence = finding.evidence
    assert (evidence["statistic"], evidence["verdict"], evidence["threshold"]) == ("PSI", "moderate", 0.1)
    assert 0.15 < evidence["value"] < 0.25 + 0.1  # 0.25 is the whole divergence of the two normal distributions
    assert "Siddiqi" in evidence["source"] and "doi:10.21314/JRMV.2020.227" in evidence["source"]
    assert "->" in evidence["largest_change"]


def test_units_are_in_the_evidence_of_a_range():
    (finding, _) = found(changed(x=lambda x, r: x * 1000)).findings
    assert finding.evidence["percent"] > 99
    assert finding.evidence["training"].startswith(f"{TRAINING['x'].min():.6g} to ")
    assert finding.stage == "Clip(quantiles=(0.001, 0.999))"


def test_examples_of_unseen_and_unreadable_cells():
    job = lambda x, r: np.where(r.random(len(x)) < 0.1, np.where(r.random(len(x)) < 0.9, "chef", "smith"), x)  # noqa: E731
    age = lambda x, r: np.where(np.arange(len(x)) % 20 == 0, "n.v.", x.astype(str))  # noqa: E731
    unseen, unreadable, *_ = found(changed(job=job, x=age)).findings
    assert unseen.evidence["categories"] == ["chef", "smith"]
    assert unreadable.evidence == {"percent": 5.0, "n_rows": 100, "cells": ["n.v."]}


def test_one_unseen_category_is_a_note():
    drift = found(changed(1000, job=lambda x, r: np.where(np.arange(len(x)) == 7, "new", x)))
    (finding,) = drift.findings
    assert (finding.code, finding.severity, finding.evidence["n_rows"]) == ("schema.unseen", "info", 1)


def test_an_unseen_class_is_an_error():
    finding = found(changed(y=lambda x, r: np.where(np.arange(len(x)) == 0, "maybe", x))).findings[0]
    assert (finding.code, finding.severity, finding.evidence["unseen_classes"]) == ("drift.label", "error", ["maybe"])


def test_a_few_of_many_rows_beyond_the_range_are_a_note():
    """More than chance gives, counted against all training rows and not the sample, but fewer than 1 in 1,000."""
    x = np.random.default_rng(0).random(100_000)
    (finding,) = compared({"x": x}, {"x": np.where(np.arange(len(x)) < 20, 2.0, x)}).findings
    assert (finding.code, finding.severity, finding.evidence["n_rows"]) == ("schema.range", "info", 20)


def test_what_the_sample_has_not_may_be_in_other_training_rows():
    job = np.full(100_000, "cook", object)
    job[[1, 50_001]] = "smith"
    training = {"job": job, "x": np.arange(len(job)) % 7.0}
    reference, spec = learned(training)
    assert (reference.columns["job"].categories, reference.columns["job"].rest) == (("cook",), ())
    new = {name: values[:1000] for name, values in training.items()}
    assert compare(reference, spec, new).findings == ()
    known = compare(reference, spec, new, vocabularies={"job": ["cook"]}).findings
    assert [(f.code, f.severity) for f in known] == [("schema.unseen", "info")]


def test_rare_categories_are_compared_together():
    drift = compare(*learned(adult("train"), "income"), pd.read_csv(adult("test")).sample(500, random_state=0))
    assert drift["native-country"].cells == ("United-States", "Mexico", "<other>")


# -- kinds of column -------------------------------------------------------------------------------


def test_identifiers_do_not_drift():
    ids = {"id": np.arange(1000), "code": np.array([f"p-{i:05}" for i in range(1000)], object)}
    later = {"id": np.arange(5000, 6000), "code": np.array([f"p-{i:05}" for i in range(5000, 6000)], object)}
    assert compared(ids, later).findings == ()
    other = {"id": np.arange(1000), "code": np.array([f"{i}" for i in range(1000)], object)}
    assert codes(compared(ids, other)) == [("schema.range", "code")]
    assert compared(ids, other).findings[0].evidence["of"] == "length in characters"


def test_time_goes_on():
    days = lambda start: {"day": np.datetime64(start) + np.arange(500), "x": np.arange(500) % 7.0}  # noqa: E731
    drift = compared(days("2024-01-01"), days("2025-03-01"))
    assert [(f.code, f.severity) for f in drift.findings] == [("schema.range", "info"), ("drift.column", "info")]
    assert drift.findings[0].evidence["training"] == "2024-01-01 to 2025-05-14"


def test_constants_and_empty_columns_that_are_so_no_longer():
    n = 500
    training = {"constant": np.full(n, 3.0), "never": np.zeros(n, bool), "empty": np.full(n, np.nan), "x": np.arange(n)}
    new = {"constant": np.arange(n) % 5.0, "never": np.arange(n) % 2 == 0, "empty": np.ones(n), "x": np.arange(n)}
    kinds = learned(training)[1]
    assert [kinds[c].role for c in training] == ["constant", "constant", "empty", "identifier"]
    assert codes(compared(training, new)) == [
        ("schema.range", "constant"),
        ("schema.range", "never"),
        ("drift.missing", "empty"),
    ]


def test_images_of_another_scale():
    rng = np.random.default_rng(0)
    x, y = rng.random((600, 8, 8), np.float32), np.arange(600) % 3
    assert compared((x, y), (x[::-1], y)).findings == ()
    drift = compared((x, y), (x * 255, y))
    assert codes(drift) == [("schema.range", "x"), ("drift.column", "x")]
    assert drift.findings[0].evidence["of"] == "mean of a row"
    assert codes(compared((x, y), (x[:, :4], y))) == [("schema.type", "x")]
    assert codes(compared(((x * 255).astype(np.uint8), y), (x, y))) == [("schema.type", "x")]


def test_texts_that_got_longer():
    text = lambda k: np.array([" ".join(["word"] * (k + i % 5)) + f" {i}" for i in range(400)], object)  # noqa: E731
    drift = compared({"t": text(5), "x": np.arange(400) % 7.0}, {"t": text(30), "x": np.arange(400) % 7.0})
    assert codes(drift) == [("schema.range", "t"), ("drift.column", "t")]


def test_a_matrix():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(500, 3)), np.arange(500) % 2
    assert compared((x, y), x[::-1]).findings == ()
    assert codes(compared((x, y), x * [1, 1, 50])) == [("schema.range", "x2"), ("drift.column", "x2")]
    assert [f.code for f in compared((x, y), x[:, :2]).findings] == ["schema.missing_column"]
    assert [f.code for f in compared((x, y), np.hstack([x, x])).findings] == ["schema.new_column"] * 3


def test_one_hot_labels():
    x, y = np.random.default_rng(0).normal(size=(600, 2)), np.eye(3)[np.arange(600) % 3]
    assert compared((x, y), (x, y[::-1])).findings == ()
    assert codes(compared((x, y), (x, np.eye(3)[np.arange(600) % 9 // 7]))) == [("drift.label", "")]


def test_without_labels_there_is_no_label():
    new = base(500)
    del new["y"]
    assert found(new).label is None
    assert found(new).findings == ()


def test_some_rows_without_a_label():
    drift = found(changed(y=lambda x, r: np.where(np.arange(len(x)) % 4 == 0, None, x)))
    assert drift.findings == ()
    assert drift.label.missing_after == 0.25


def test_vocabularies_know_categories_that_the_sample_has_not():
    reference, spec = learned({"job": np.repeat(WORDS[:3], 100), "x": np.arange(300) % 7.0})
    new = {"job": np.repeat(WORDS[2:4], 50), "x": np.arange(100) % 7.0}
    assert ("schema.unseen", "job") in codes(compare(reference, spec, new))
    known = compare(reference, spec, new, vocabularies={"job": tuple(WORDS[:4])})
    assert codes(known) == [("drift.column", "job")]


# -- how the data come -----------------------------------------------------------------------------


def test_how_the_data_come_does_not_matter(tmp_path):
    new = changed(job=lambda x, r: np.where(r.random(len(x)) < 0.1, "new", x), x=lambda x, r: x + 0.5)
    frame = pd.DataFrame(new)
    table = pa.Table.from_pandas(frame)
    pa.parquet.write_table(table, tmp_path / "new.parquet", row_group_size=300)
    frame.to_csv(tmp_path / "new.csv", index=False)
    features = {name: tf.constant(x) for name, x in frame.drop(columns="y").items()}
    dataset = tf.data.Dataset.from_tensor_slices((features, tf.constant(frame["y"]))).batch(77)
    ways = [frame, table, tmp_path / "new.parquet", tmp_path / "new.csv", dataset, as_source(frame, "y")]
    expected = found(new)
    assert codes(expected) == [("schema.unseen", "job"), ("drift.column", "x"), ("drift.column", "job")]
    for way in ways:
        drift = found(way)
        assert (drift.columns, drift.label, drift.findings) == (expected.columns, expected.label, expected.findings)


def test_the_order_of_rows_does_not_matter():
    new = changed(x=lambda x, r: x + 0.5)
    order = np.random.default_rng(0).permutation(len(new["x"]))
    turned = found({name: x[order] for name, x in new.items()})
    assert (turned.columns, turned.findings) == (found(new).columns, found(new).findings)


def test_a_dataset_whose_shapes_leave_open_whether_it_is_batched():
    x, y = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32), np.arange(8) % 2
    training = (np.random.default_rng(1).normal(size=(400, 8)).astype(np.float32), np.arange(400) % 2)
    reference, spec = learned(training)
    dataset = tf.data.Dataset.from_tensors((x[:8], y))
    assert compare(reference, spec, dataset, batched=True).rows == 8
    with pytest.raises(pk.PrepkitError, match="batched=True"):
        compare(reference, spec, dataset)


def test_no_rows():
    with pytest.raises(pk.PrepkitError, match="no rows"):
        found({"x": []})
    empty = tf.data.Dataset.from_tensor_slices({"x": [1.0]}).batch(1).take(0)
    with pytest.raises(pk.PrepkitError, match="has no rows: nothing to compare"):
        found(empty)


def test_inputs_are_not_changed():
    new = changed()
    before = {name: x.copy() for name, x in new.items()}
    found(new)
    for name, x in new.items():
        np.testing.assert_array_equal(x, before[name])
