"""Which recipes are compared, what stands in for what they leave out, and that each of them works."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pytest

import prepkit as pk
from prepkit.ablation.numbers import Floats, Numbers
from prepkit.ablation.variants import stage_names, variants
from prepkit.source import as_source
from prepkit.source.reader import Reader, infer
from prepkit.spec import Column, Spec

N = 80
SCHEMA = pa.DataFrameSchema({"age": pa.Column(float, pa.Check.in_range(0, 120), nullable=True)})
CANONICAL = pk.Pipeline(
    [
        pk.Validate(SCHEMA),
        pk.Impute(),
        pk.Clip(quantiles=(0.01, 0.99)),
        pk.Rescale(),
        pk.OneHot(),
        pk.CleanLabels("drop"),
        pk.Rebalance("oversample"),
    ]
)
NAMES = ("Validate", "Impute", "Clip", "Rescale", "OneHot", "CleanLabels", "Rebalance")
RICH = pk.Pipeline([pk.Datetime(), pk.Impute(), pk.Rescale(), pk.OneHot(), pk.Text(16)])


def mixed():
    """age, pay, member, job, city; missing in age, job."""
    rng = np.random.default_rng(0)
    age = rng.uniform(20, 60, N)
    age[[3, 13]], age[11] = np.nan, 999.0
    job = rng.choice(["smith", "cook", "baker"], N).astype(object)
    job[5] = None
    return pd.DataFrame(
        {
            "age": age,
            "pay": rng.lognormal(size=N).astype(np.float32),
            "member": rng.random(N) < 0.5,
            "job": job,
            "city": rng.choice(["Rome", "Köln"], N).astype(object),
            "y": (np.arange(N) % 4 == 0).astype(int),
        }
    )


def rich():
    """The same with a time and a text, each missing once."""
    at = np.datetime64("2024-02-28T22:30:00") + np.arange(N) * np.timedelta64(7, "h")
    at[4] = np.datetime64("NaT")
    comment = [f"came late on day {i} of the {i % 7}th" if i != 9 else None for i in range(N)]
    return mixed().assign(at=at, comment=comment)


def spec_of(data, label="y"):
    source = as_source(data, label)
    return infer(source, Reader(source).head, label, {})


MIXED, MISSING = spec_of(mixed()), frozenset({"age", "job"})
PLAN = variants(CANONICAL, MIXED, MISSING)
RICH_SPEC, RICH_MISSING = spec_of(rich()), MISSING | {"at", "comment"}
RICH_PLAN = variants(RICH, RICH_SPEC, RICH_MISSING)
ZERO = "missing cells as 0: "
CODES = "categories as numbers 0, 1, ...: job, city"
GONE = ("times as seconds: at", "texts left out: comment")


def columns(stages, data, spec):
    fitted = pk.Pipeline(list(stages)).fit(data, label="y", spec=spec)
    x = np.concatenate([b for b, *_ in fitted.transform(data, batch_size=N).as_numpy_iterator()])
    assert x.dtype == np.float32
    return dict(zip(fitted.feature_names, x.T, strict=True))


# -- which ---------------------------------------------------------------------------------------


def test_names_roles_and_partners_of_the_canonical_recipe():
    found = [(v.name, v.role, v.stage, v.against) for v in PLAN.variants]
    assert found == [
        ("raw", "raw", "", ""),
        ("recipe", "recipe", "", ""),
        *((f"without {n}", "without", n, "recipe") for n in NAMES),
        *((f"only {n}", "only", n, "raw") for n in NAMES),
    ]
    assert (PLAN.equal, PLAN.not_possible) == ({}, {})


def test_stages_of_the_recipe_stay_as_they_are_and_in_order():
    assert PLAN.named("recipe").stages == CANONICAL.stages
    for i, name in enumerate(NAMES):
        own = [s for s in PLAN.named(f"without {name}").stages if not isinstance(s, Numbers)]
        assert own == [*CANONICAL.stages[:i], *CANONICAL.stages[i + 1 :]]
        assert CANONICAL.stages[i] in PLAN.named(f"only {name}").stages


def test_stand_ins_of_the_canonical_recipe():
    told = {v.name: v.stand_ins for v in PLAN.variants if v.stand_ins}
    both = (CODES, f"{ZERO}age")
    assert told == {
        "raw": both,
        "without OneHot": (CODES,),
        **{f"only {n}": both for n in NAMES},
        "only Impute": (CODES,),
        "only OneHot": (f"{ZERO}age",),
    }


def test_stand_ins_stand_behind_validate_and_before_training_stages():
    zero = pk.Impute("constant", fill_value=0.0, columns=["age"])
    assert [type(s).__name__ for s in PLAN.named("only Validate").stages] == ["Validate", "Impute", "Numbers"]
    assert PLAN.named("only Rebalance").stages[1:] == (Numbers(columns=["job", "city"]), CANONICAL.stages[-1])
    assert PLAN.named("only Rescale").stages == (zero, pk.Rescale(), Numbers(columns=["job", "city"]))
    assert PLAN.named("raw").stages == (zero, Numbers(columns=["job", "city"]))
    without = [type(s).__name__ for s in PLAN.named("without OneHot").stages]
    assert without == ["Validate", "Impute", "Clip", "Rescale", "Numbers", "CleanLabels", "Rebalance"]


@pytest.mark.parametrize("variant", PLAN.variants, ids=lambda v: v.name)
def test_each_variant_of_the_canonical_recipe_can_be_fitted(variant):
    found = columns(variant.stages, mixed(), MIXED)
    missing = {name for name, x in found.items() if not np.isfinite(x).all()}
    assert missing == ({"age"} if variant.name == "without Impute" else set())


@pytest.mark.parametrize("variant", RICH_PLAN.variants, ids=lambda v: v.name)
def test_each_variant_with_times_and_texts_can_be_fitted(variant):
    found = columns(variant.stages, rich(), RICH_SPEC)
    missing = {name for name, x in found.items() if not np.isfinite(x).all()}
    assert missing == ({"age", "at.elapsed"} if variant.name == "without Impute" else set())


def test_stand_ins_of_times_and_texts():
    times, texts = GONE
    told = {v.name: set(v.stand_ins) for v in RICH_PLAN.variants}
    assert told["raw"] == {times, texts, CODES, f"{ZERO}age, at"}
    assert told["only Datetime"] == {texts, CODES, f"{ZERO}age, at.elapsed"}
    assert told["only Impute"] == {times, texts, CODES}
    assert told["without Datetime"] == {times}
    assert told["without Text"] == {texts}
    assert told["without Impute"] == told["recipe"] == set()


def test_times_take_the_place_of_what_encoded_them():
    seconds = Floats(columns=["at"])
    assert RICH_PLAN.named("without Datetime").stages == (seconds, *RICH.stages[1:])
    assert RICH_PLAN.named("only Rescale").stages[0] == RICH_PLAN.named("raw").stages[0] == seconds
    late = variants(pk.Pipeline([pk.Impute(), pk.Datetime("month"), pk.OneHot(), pk.Text(8)]), RICH_SPEC, RICH_MISSING)
    without = late.named("without Datetime")
    assert without.stand_ins == (GONE[0], f"{ZERO}at")
    assert without.stages[1] == seconds
    found = columns(without.stages, rich(), RICH_SPEC)
    assert found["at"][4] == 0 and np.isfinite(list(found.values())).all()


def test_raw_is_what_came_in():
    found, data = columns(RICH_PLAN.named("raw").stages, rich(), RICH_SPEC), rich()
    assert found.keys() == {"age", "pay", "member", "job", "city", "at"}
    np.testing.assert_array_equal(found["age"], data["age"].fillna(0).astype(np.float32))
    np.testing.assert_array_equal(found["job"], pd.Categorical(data["job"]).codes)
    assert (found["at"] == 0).sum() == 1 and np.median(found["at"]) > 1.7e9


def test_nothing_stands_in_where_nothing_has_to():
    numbers = Spec((Column("a", "numeric"), Column("b", "boolean")))
    plan = variants(pk.Pipeline([pk.Clip(high=1.0), pk.Rescale()]), numbers)
    assert plan.named("raw").stages == ()
    assert [v.stand_ins for v in plan.variants] == [()] * 4


def test_plan_does_not_depend_on_the_order_in_which_columns_are_said_to_be_missing():
    names = ("member", "pay", "job", "age")
    plans = [variants(CANONICAL, MIXED, dict.fromkeys(order).keys()) for order in (names, names[::-1])]
    assert plans[0] == plans[1]
    assert plans[0].named("raw").stand_ins == (CODES, f"{ZERO}age, pay, member")


# -- twice, once, never ----------------------------------------------------------------------------


def test_a_stage_that_is_there_twice_has_numbers():
    squash, standard = pk.Rescale("squash", columns="pay"), pk.Rescale()
    recipe = pk.Pipeline([pk.Impute(), squash, standard, pk.OneHot()])
    assert stage_names(recipe.stages) == ("Impute", "Rescale 1", "Rescale 2", "OneHot")
    plan = variants(recipe, MIXED, MISSING, {"Rescale 2": [pk.Rescale("minmax")]})
    assert plan.named("without Rescale 1").stages == (pk.Impute(), standard, pk.OneHot())
    assert plan.named("without Rescale 2").stages == (pk.Impute(), squash, pk.OneHot())
    assert plan.named("Rescale 2: Rescale(method='minmax')").stages[1:3] == (squash, pk.Rescale("minmax"))
    with pytest.raises(pk.PrepkitError, match="'Rescale', which is no stage .*mean 'Rescale"):
        variants(recipe, MIXED, MISSING, {"Rescale": [pk.Rescale("minmax")]})


def test_of_a_recipe_of_one_stage_each_recipe_is_there_once():
    plan = variants(pk.Pipeline([pk.OneHot()]), MIXED)
    assert [v.name for v in plan.variants] == ["raw", "recipe"]
    assert plan.equal == {"without OneHot": "raw", "only OneHot": "recipe"}
    assert plan.named("without OneHot") is plan.named("raw")
    with pytest.raises(pk.PrepkitError, match="no variant 'only Onehot': did you mean 'only OneHot'"):
        plan.named("only Onehot")


def test_leaving_impute_out_is_not_raw_where_cells_are_missing():
    numbers, recipe = Spec((Column("a", "numeric"),)), pk.Pipeline([pk.Impute()])
    plan = variants(recipe, numbers, {"a"})
    assert plan.equal == {"only Impute": "recipe"}
    assert plan.named("without Impute").stages == () != plan.named("raw").stages
    assert variants(recipe, numbers).equal == {"without Impute": "raw", "only Impute": "recipe"}


def test_an_impute_of_some_columns_is_helped_out_for_the_others():
    plan = variants(pk.Pipeline([pk.Impute(columns="pay"), pk.OneHot()]), MIXED, {"age", "pay"})
    assert plan.named("only Impute").stand_ins == (CODES, f"{ZERO}age")
    assert plan.named("only Impute").stages[0] == pk.Impute(columns="pay")


def test_recipe_without_stages():
    with pytest.raises(pk.PrepkitError, match="no stage"):
        variants(pk.Pipeline([]), MIXED)


def test_recipe_that_cannot_work_is_refused_as_fitting_refuses_it():
    with pytest.raises(pk.PrepkitError, match=r"'job' \(categorical\) reaches the dense output"):
        variants(pk.Pipeline([pk.Impute()]), MIXED)


def test_images():
    image = Spec((Column("image", "tensor", "uint8", (8, 8)),))
    recipe = pk.Pipeline([pk.Rescale("unit"), pk.Rebalance("class_weight")])
    plan = variants(recipe, image)
    assert [v.name for v in plan.variants] == ["raw", "recipe", "without Rescale", "without Rebalance"]
    assert plan.equal == {"only Rescale": "without Rebalance", "only Rebalance": "without Rescale"}
    assert all(v.stand_ins == () for v in plan.variants)


def test_images_beside_other_columns_are_left_out_where_nothing_drops_them():
    spec = Spec((Column("a", "numeric"), Column("image", "tensor", "uint8", (8, 8))))
    plan = variants(pk.Pipeline([pk.Drop("image"), pk.Rescale()]), spec)
    assert plan.named("raw").stand_ins == ("tensors left out: image",)
    assert plan.named("raw").stages == (pk.Drop(["image"]),)


def test_class_weights_behind_resampling_stay_without_it():
    weights = pk.Rebalance("class_weight", with_resampling=True)
    plan = variants(pk.Pipeline([pk.OneHot(), pk.Rebalance("oversample"), weights]), MIXED)
    assert plan.named("without Rebalance 1").stages == (pk.OneHot(), weights)
    assert plan.not_possible == {}


# -- what cannot be --------------------------------------------------------------------------------


def test_columns_that_only_what_is_left_out_makes_are_left_out_too():
    squash, clip = pk.Rescale("squash", columns=("pay", "at.elapsed")), pk.Clip(high=1.0, columns="at.elapsed")
    recipe = pk.Pipeline([pk.Datetime(), pk.Impute(), squash, clip, pk.OneHot(), pk.Text(16)])
    plan = variants(recipe, RICH_SPEC, RICH_MISSING)
    without = plan.named("without Datetime")
    assert without.stand_ins[:2] == (
        "Rescale without at.elapsed, which is not there",
        "Clip left out, as it is for at.elapsed, which is not there",
    )
    assert pk.Rescale("squash", columns=("pay",)) in without.stages
    assert not any(isinstance(s, pk.Clip) for s in without.stages)
    assert plan.not_possible.keys() == {"only Rescale", "only Clip"}
    assert "names column 'at.elapsed', which is not there" in plan.not_possible["only Clip"]
    assert plan.named("only Clip") is None


def test_where_raw_is_not_possible_nothing_is_compared_with_it():
    spec = Spec((Column("comment", "text", "string"),))
    plan = variants(pk.Pipeline([pk.Text(16), pk.Rescale()]), spec)
    assert [v.name for v in plan.variants] == ["recipe", "without Rescale"]
    assert plan.not_possible.keys() == {"raw", "without Text", "only Text", "only Rescale"}
    assert "leaves no column" in plan.not_possible["raw"]
    assert plan.not_possible["only Text"].startswith("there is no 'raw' to compare it with: ")


def test_dict_output_has_zeros_for_missing_cells_and_no_other_stand_in():
    recipe = pk.Pipeline([pk.Impute(), pk.Rescale(), pk.Lookup()], output="dict")
    plan = variants(recipe, MIXED, MISSING)
    assert plan.not_possible == {}
    assert {v.stand_ins for v in plan.variants} == {(), (f"{ZERO}age",)}
    assert plan.named("without Lookup").stages == recipe.stages[:2]
    times = variants(pk.Pipeline(RICH.stages[:3], output="dict"), RICH_SPEC, RICH_MISSING)
    assert "at" in times.not_possible["raw"] and "without Datetime" in times.not_possible


def test_cells_that_a_rule_empties_are_missing_too():
    recipe = pk.Pipeline([pk.Validate(SCHEMA, "null"), pk.Impute(), pk.OneHot()])
    plan = variants(recipe, MIXED)
    assert plan.named("raw").stand_ins == (CODES,)
    assert plan.named("only Validate").stand_ins == (CODES, f"{ZERO}age")
    found = columns(plan.named("only Validate").stages, mixed().fillna({"age": 30.0}), MIXED)
    assert found["age"][11] == 0 and np.isfinite(found["age"]).all()


# -- alternatives ----------------------------------------------------------------------------------


def test_alternatives_stand_in_the_place_of_the_stage():
    robust = pk.Rescale("robust", reason="outliers")
    tried = {"Rescale": [robust, pk.Rescale(), None], "OneHot": (pk.OneHot(10), pk.Drop("kind:categorical"))}
    plan = variants(CANONICAL, MIXED, MISSING, tried)
    found = {v.name: v for v in plan.variants if v.role == "alternative"}
    assert list(found) == [
        "Rescale: Rescale(method='robust')",
        "OneHot: OneHot(max_categories=10)",
        "OneHot: Drop(columns='kind:categorical')",
    ]
    first = found["Rescale: Rescale(method='robust')"]
    assert (first.stage, first.against, first.stages[3]) == ("Rescale", "recipe", robust)
    assert plan.equal == {
        "Rescale: Rescale(method='standard')": "recipe",
        "Rescale: None": "without Rescale",
    }


def test_alternatives_that_print_alike_are_told_apart():
    given = [pk.CleanLabels("drop", pred_probs=np.full((N, 2), p)) for p in (0.4, 0.5)]
    plan = variants(CANONICAL, MIXED, MISSING, {"CleanLabels": given})
    found = [v for v in plan.variants if v.role == "alternative"]
    assert len({v.name for v in found}) == 2 and found[1].name == f"{found[0].name} (2)"
    assert [v.stages[5].pred_probs[0, 0] for v in found] == [0.4, 0.5]


def test_alternative_that_cannot_stand_there_is_not_possible():
    recipe = pk.Pipeline([pk.Rescale(), pk.OneHot()])
    plan = variants(recipe, MIXED, alternatives={"Rescale": [pk.Rescale(columns="wage"), pk.Rebalance()]})
    assert list(plan.not_possible) == [
        "Rescale: Rescale(method='standard', columns='wage')",
        "Rescale: Rebalance(kind='class_weight')",
    ]
    column, order = plan.not_possible.values()
    assert "names column 'wage', which is not there" in column
    assert "changes columns and stands behind Rebalance" in order


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"Rescal": [pk.Rescale()]}, "'Rescal', which is no stage of the recipe: did you mean 'Rescale'"),
        ({"Rescale": ["robust"]}, r"alternatives\['Rescale'\]: 'robust' is no stage: give prepkit stages"),
        ({"Rescale": [pk.Rescale]}, "is no stage: write it with parentheses"),
        ({"Rescale": pk.Rescale()}, "is no list: give a dict of lists"),
        ({"Rescale": "robust"}, "is no list"),
        ([pk.Rescale()], "alternatives=.*: give a dict of lists"),
    ],
)
def test_alternatives_that_are_none(given, message):
    with pytest.raises(pk.PrepkitError, match=message):
        variants(CANONICAL, MIXED, MISSING, given)


def test_ids_are_numbers_where_nothing_encodes_them():
    recipe = pk.Pipeline([pk.Lookup(), pk.Drop("kind:id")])
    plan = variants(recipe, MIXED)
    assert plan.named("only Lookup").stages == (pk.Lookup(), Floats(columns=["job", "city"]))
    assert plan.named("only Lookup").stand_ins == ("ids as numbers: job, city",)
