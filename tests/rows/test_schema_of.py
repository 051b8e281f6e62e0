"""Rules become a pandera schema that says the same."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from prepkit.rows.schema import as_schema, compiled, schema_of
from prepkit.rules import Rule
from prepkit.spec import Column, Label, Spec

COLUMNS = (("age", "numeric", "float64"), ("job", "categorical", "string"), ("day", "datetime", "datetime"))
SPEC = Spec((*(Column(*c) for c in COLUMNS), Column("well", "boolean", "bool")), Label("y", "string"))


def rules(schema, **settings):
    return compiled(schema, SPEC, lambda rule: "quarantine", **settings)


NUMBERS = st.floats(-1e6, 1e6).map(lambda v: round(v, 3)) | st.integers(-1000, 1000)
SECONDS = st.integers(0, 2 * 10**9).map(float)
WORDS = st.text("abc é", min_size=1, max_size=4)


@st.composite
def ranges(draw, values):
    check = draw(st.sampled_from(["greater_than", "less_than_or_equal_to", "in_range"]))
    low, high = sorted(draw(st.lists(values, min_size=2, max_size=2, unique=True)))
    told = {"greater_than": {"min_value": low}, "less_than_or_equal_to": {"max_value": high}}
    both = {"min_value": low, "max_value": high, "include_min": draw(st.booleans()), "include_max": draw(st.booleans())}
    return check, told.get(check, both)


def members(values):
    several = st.lists(values, min_size=1, max_size=4, unique=True)
    return several.map(lambda v: ("isin", {"allowed_values": v})) | several.map(
        lambda v: ("notin", {"forbidden_values": v})
    )


ABOUT_WORDS = st.one_of(
    st.sampled_from([("str_length", {"min_value": 0, "max_value": 9, "exact_value": None})]),
    WORDS.map(lambda w: ("str_startswith", {"string": w})),
    st.sampled_from(
        [("str_matches", {"pattern": "[a-c]+"}), ("str_contains", {"pattern": r"[\p{Nd}]", "python": r"\d"})]
    ),
)
OF_KIND = {
    "age": (["float64", "int32"], ranges(NUMBERS) | members(NUMBERS)),
    "job": (["string", "category"], members(WORDS) | ABOUT_WORDS),
    "day": (["datetime64[ns]"], ranges(SECONDS) | members(SECONDS)),
    "well": (["bool"], st.just(("equal_to", {"value": True}))),
}


@st.composite
def rule_sets(draw):
    out = []
    for name, (dtypes, checks) in OF_KIND.items():
        own = []
        if draw(st.booleans()):
            dtype = draw(st.sampled_from(dtypes))
            own.append(Rule((name,), "dtype", {"dtype": dtype}, f"dtype({dtype})"))
        own += [Rule((name,), "nullable", {}, "not_nullable")] if draw(st.booleans()) else []
        if name == "age" and not any(r.arguments == {"dtype": "int32"} for r in own):
            own.append(Rule((name,), "finite", {}, "finite"))
        check, arguments = draw(checks)
        policy = draw(st.sampled_from(["quarantine", "warn"]))
        own.append(
            Rule((name,), check, arguments, draw(st.sampled_from(["own words", "others"])), draw(st.booleans()), policy)
        )
        own += [Rule((name,), "unique", {"keep": "all"}, "unique", runs="all rows")] if draw(st.booleans()) else []
        out += own
    together = Rule(("age", "y"), "unique", {"keep": "exclude_first"}, "unique", runs="all rows")
    return (*out, *([together] if draw(st.booleans()) else []))


@settings(max_examples=100)
@given(rule_sets())
def test_there_and_back_again(given_rules):
    assert rules(schema_of(given_rules, SPEC)) == given_rules


def test_a_schema_of_rules_can_be_saved_edited_and_read(tmp_path):
    """As `Validate` infers them."""
    bounds = {"min_value": -1.5, "max_value": 99.25, "include_min": True, "include_max": True}
    days = {**bounds, "min_value": 1.7e9, "max_value": 1.8e9}
    inferred = (
        Rule(("age",), "dtype", {"dtype": "float64"}, "dtype(float64)"),
        Rule(("age",), "in_range", bounds, "in_range(-1.5, 99.25)"),
        Rule(("job",), "dtype", {"dtype": "string"}, "dtype(string)"),
        Rule(("job",), "nullable", {}, "not_nullable"),
        Rule(("job",), "isin", {"allowed_values": ["cook", "smith"]}, "isin(['cook', 'smith'])"),
        Rule(("day",), "dtype", {"dtype": "datetime64[ns]"}, "dtype(datetime64[ns])"),
        Rule(("day",), "in_range", days, "in_range(1.7e+09, 1.8e+09)"),
        Rule(("well",), "dtype", {"dtype": "bool"}, "dtype(bool)"),
    )
    schema = schema_of(inferred, SPEC)
    for path, write in ((tmp_path / "s.yaml", schema.to_yaml), (tmp_path / "s.json", schema.to_json)):
        write(path)
        assert rules(as_schema(path), finite=False) == inferred
    edited = (tmp_path / "s.yaml").read_text().replace("99.25", "120")
    (tmp_path / "s.yaml").write_text(edited)
    assert rules(as_schema(tmp_path / "s.yaml"), finite=False)[1].arguments["max_value"] == 120
