"""Each code has a table with just that fault, in which it is found where it is; a healthy table yields nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import prepkit
from prepkit.profiling.profile import profile
from tests.profiling.judge.frames import N, having, healthy, rng, some

NAN = np.nan
Y = healthy()["y"].to_numpy()
X = healthy()["x"].to_numpy()
C = healthy()["c"].to_numpy(object)
WORDS = np.array([*("ant", "bee", "cat", "dog", "eel", "fox", "gnu", "hen"), *("ibis", "kite", "lynx", "newt", "owl")])


@dataclass(frozen=True)
class Case:
    """A fault, the severity with which it is found, where, and which other findings come of it."""

    code: str
    severity: str
    where: str
    make: Callable[[], Any]
    others: tuple[str, ...] = ()
    csv: bool = False
    against: Callable[[], dict[str, Any]] = dict
    label: str | None = "y"


def texts(n=N, seed=3):
    picks = rng(seed).integers(0, len(WORDS), (n, 6))
    return np.array([" ".join(WORDS[p]) for p in picks], object)


def sentinel(value):
    return np.where(some(0.04), value, rng().integers(20, 90, N)).astype(float)


def written(**columns):
    """As text, as cells of a CSV file are."""
    return having(**columns).astype(str)


def images():
    x = rng().integers(0, 256, (N, 4, 4)).astype(np.uint8)
    x[:, 0] = 0
    return (x, Y)


def votes():
    right = np.where(some(0.8, 4), Y, 1 - Y)
    return having(**{f"v{i}": np.where(some(0.4, 5 + i), right, -1) for i in range(4)})


def uneven():
    return healthy(4 * N).pipe(
        lambda f: pd.concat([f[f["y"] == 0], f[f["y"] == 1].iloc[:120]]).sample(frac=1, random_state=0)
    )


def frame(n, seed=0, **columns):
    return healthy(n, seed).assign(**columns)


def shuffled(f):
    return f.sample(frac=1, random_state=0)


CASES = [
    # cells
    Case("missing", "warning", "column 'x'", lambda: having(x=np.where(some(0.05), NAN, X))),
    Case("missing.much", "warning", "column 'x'", lambda: having(x=np.where(some(0.7), NAN, X))),
    Case("missing.one_value", "info", "column 'm'", lambda: having(m=np.where(some(0.4), "ticked", None))),
    Case("missing.disguised", "warning", "column 'm'", lambda: having(m=sentinel(0)), ("outliers",)),
    Case("missing.disguised", "warning", "column 'm'", lambda: having(m=sentinel(-1))),
    Case("missing.disguised", "warning", "column 'm'", lambda: having(m=sentinel(999)), ("tails.heavy", "scale.range")),
    Case(
        "missing.disguised",
        "warning",
        "column 'm'",
        lambda: having(m=np.where(some(0.04), -1, np.minimum(rng().geometric(0.2, N) - 1, 15))),
    ),
    Case("missing.disguised", "info", "column 'c'", lambda: having(c=np.where(some(0.1), "Unknown", C))),
    Case("missing.disguised", "info", "column 'c'", lambda: having(c=np.where(some(0.1), "-", C))),
    Case(
        "missing.together",
        "info",
        "columns 'a', 'b'",
        lambda: having(
            a=np.where(some(0.1), NAN, X + rng().normal(size=N)), b=np.where(some(0.1), None, ["p", "q"] * (N // 2))
        ),
        ("missing",),
    ),
    Case(
        "missing.informative",
        "info",
        "column 'x'",
        lambda: having(x=np.where(some(0.2) & (Y == 1), NAN, X)),
        ("missing",),
    ),
    Case(
        "missing.flagged",
        "info",
        "column 'measured'",
        lambda: having(x=np.where(some(0.3), NAN, X), measured=~some(0.3)),
        ("missing",),
    ),
    Case(
        "batch.effect",
        "info",
        "column 'c'",
        lambda: having(x=np.where((C == "blue") & ~some(0.05), NAN, X)),
        ("missing",),
    ),
    Case(
        "values.unreadable",
        "warning",
        "column 'x'",
        lambda: written(x=np.where(some(0.02), "about 3", X.astype(str))),
        ("number.as_text",),
        csv=True,
    ),
    Case("values.infinite", "warning", "column 'x'", lambda: having(x=np.where(some(0.02), np.inf, X))),
    Case(
        "values.mixed",
        "info",
        "column 'm'",
        lambda: having(m=np.where(some(0.3), "n", rng().integers(0, 20, N).astype(str))),
    ),
    # numbers
    Case("scale.range", "warning", "columns of numbers", lambda: having(w=1e5 * rng().normal(size=N))),
    Case("scale.offset", "warning", "column 'w'", lambda: having(w=1.7e9 + rng().normal(size=N))),
    Case("scale.pixels", "warning", "column 'x'", images, ("tensor.constant", "labels.unpredictable")),
    Case("tensor.constant", "info", "column 'x'", images, ("scale.pixels", "labels.unpredictable")),
    Case("tails.heavy", "warning", "column 'w'", lambda: having(w=0.05 * np.exp(2 * rng().normal(size=N)))),
    Case("outliers", "warning", "column 'w'", lambda: having(w=np.where(some(0.002), 40.0, rng().normal(size=N)))),
    Case(
        "skew", "info", "column 'w'", lambda: having(w=np.where(some(0.2), rng().uniform(size=N), 0.0)), ("zeros.many",)
    ),
    Case("zeros.many", "info", "column 'w'", lambda: having(w=np.where(some(0.4), rng().uniform(size=N), 0.0))),
    Case("zeros.few", "info", "column 'w'", lambda: having(w=np.where(some(0.01), 0.0, rng().uniform(size=N)))),
    Case("number.codes", "info", "column 'w'", lambda: having(w=rng().integers(1, 6, N))),
    Case("number.as_text", "warning", "column 'x'", lambda: having(x=X.round(3).astype(str))),
    Case(
        "number.as_text", "info", "column 'x'", lambda: written(x=[f"{v:.3f}".replace(".", ",") for v in X]), csv=True
    ),
    Case("number.spaces", "info", "column 'x'", lambda: written(x=[f" {v:.3f}" for v in X]), csv=True),
    Case(
        "number.written",
        "info",
        "column 'w'",
        lambda: written(w=np.where(some(0.5), [f"{v}.0" for v in range(N)], [f"{v}" for v in rng().permutation(N)])),
        ("scale.range",),
        csv=True,
    ),
    Case(
        "number.leading_zeros",
        "info",
        "column 'w'",
        lambda: written(w=np.where(some(0.05), rng().integers(1000, 9999, N), rng().integers(10000, 99999, N))),
        ("scale.range",),
        csv=True,
    ),
    Case("boolean.as_text", "info", "column 'w'", lambda: having(w=np.where(some(0.5), "yes", "no"))),
    Case(
        "boolean.mixed",
        "info",
        "flags",
        lambda: having(w=np.where(some(0.5), "yes", "no"), v=some(0.4).astype(int)),
        ("boolean.as_text",),
    ),
    Case(
        "date.as_text",
        "info",
        "column 'w'",
        lambda: having(
            w=pd.Series(pd.Timestamp("2021-01-01") + pd.to_timedelta(rng().integers(0, 700, N), "D")).dt.strftime(
                "%Y-%m-%d"
            )
        ),
    ),
    Case(
        "date.parts",
        "info",
        "columns 'year', 'month'",
        lambda: having(year=rng().integers(1990, 2020, N), month=rng(4).integers(1, 13, N)),
    ),
    # words
    Case("column.text", "info", "column 'w'", lambda: having(w=texts())),
    Case(
        "column.cardinality",
        "info",
        "column 'w'",
        lambda: having(w=[f"k{v}" for v in rng().integers(0, 200, N)]),
        ("rows.grouped",),
    ),
    Case("category.rare", "info", "column 'c'", lambda: having(c=np.where(some(0.005), "violet", C))),
    Case("category.spaces", "info", "column 'c'", lambda: having(c=np.where(some(0.1), " red ", C))),
    Case("category.dirty", "warning", "column 'c'", lambda: having(c=np.where(some(0.3) & (C == "red"), "Red.", C))),
    Case(
        "category.typos",
        "info",
        "column 'c'",
        lambda: having(c=np.where(some(0.02) & (C == "green"), "greeen", C)),
        ("category.rare",),
    ),
    Case(
        "category.together",
        "info",
        "columns 'a', 'b'",
        lambda: having(
            a=np.where(some(0.3), "none at all", rng(3).choice(["p", "q"], N)),
            b=np.where(some(0.3), "none at all", rng(4).choice(["s", "t", "u"], N)),
        ),
    ),
    Case("text.invisible", "info", "column 'c'", lambda: having(c=np.where(C == "red", "re\u200bd", C))),
    Case("text.typographic", "info", "column 'w'", lambda: having(w=[f"“{t}”" for t in texts()]), ("column.text",)),
    Case(
        "text.nearly_same",
        "info",
        "column 'w'",
        lambda: having(w=np.where(some(0.05), [t.upper() + "!" for t in np.roll(texts(), 1)], texts())),
        ("column.text",),
    ),
    # columns
    Case("column.empty", "warning", "column 'w'", lambda: having(w=NAN)),
    Case("column.constant", "warning", "column 'w'", lambda: having(w="same")),
    Case("column.nearly_constant", "info", "column 'w'", lambda: having(w=np.where(some(0.003), 1, 0))),
    Case("column.identifier", "warning", "column 'w'", lambda: having(w=[f"u{v}" for v in rng().permutation(N)])),
    Case("column.identifier", "warning", "column 'w'", lambda: having(w=np.arange(N) % 400), ("scale.range",)),
    Case("column.names", "info", "column 'a (m)'", lambda: having(**{"a (m)": rng().normal(size=N)})),
    Case("file.separator", "info", "file", lambda: written(), csv=True),
    Case(
        "column.same",
        "info",
        "columns 'c', 'w'",
        lambda: having(w=pd.Series(C).map({"red": 3, "green": 1, "blue": 4, "white": 7}).to_numpy()),
        ("number.codes",),
    ),
    Case("column.same", "info", "columns 'x', 'w'", lambda: having(w=3 * X + 0.1 * rng().normal(size=N))),
    Case(
        "column.derived",
        "info",
        "column 'w'",
        lambda: having(w=(a := 5 + rng(5).normal(size=N)) * (b := 5 + rng(6).normal(size=N)), a=a, b=b),
    ),
    Case("rows.grouped", "info", "column 'w'", lambda: having(w=[f"ship {v}" for v in np.arange(N) // 30])),
    # label
    Case(
        "labels.missing", "warning", "label 'y'", lambda: having(y=np.where(some(0.1), None, np.where(Y, "yes", "no")))
    ),
    Case("labels.constant", "error", "label 'y'", lambda: having(y=1)),
    Case("labels.many", "error", "label 'y'", lambda: frame(2500, y=np.arange(2500)), ("labels.unpredictable",)),
    Case("labels.imbalance", "warning", "label 'y'", uneven),
    Case(
        "labels.rare",
        "warning",
        "label 'y'",
        lambda: having(y=np.where(some(0.005) & (X > 0), "c", np.where(Y, "a", "b"))),
        ("labels.imbalance",),
    ),
    Case(
        "labels.dirty",
        "warning",
        "label 'y'",
        lambda: having(y=np.where(some(0.5), np.where(Y, "a", "b"), np.where(Y, "a.", " b"))),
    ),
    Case(
        "labels.dirty",
        "warning",
        "label 'y'",
        lambda: having(y=np.where(some(0.5), np.where(Y, "yes", "no"), np.where(Y, "Yes", "No"))),
        ("labels.unpredictable",),
    ),
    Case("labels.spaces", "info", "label 'y'", lambda: having(y=np.where(Y, " a", "b"))),
    Case("labels.names", "info", "label 'y'", lambda: having(y=np.where(Y, "a (of b)", "b"))),
    Case(
        "labels.ordered",
        "info",
        "label 'y'",
        lambda: having(y=np.clip(np.digitize(X + rng().normal(size=N), [-1.2, -0.4, 0.4, 1.2]), 0, 4)),
    ),
    Case("labels.unpredictable", "info", "label 'y'", lambda: having(y=rng().integers(0, 2, N))),
    # rows
    Case("rows.duplicate", "warning", "rows", lambda: shuffled(pd.concat([healthy(), healthy().iloc[:60]]))),
    Case(
        "rows.contradictory",
        "warning",
        "rows",
        lambda: shuffled(pd.concat([healthy(), healthy().iloc[:60].assign(y=1 - Y[:60])])),
    ),
    Case("rows.sorted", "warning", "rows", lambda: healthy().sort_values("y", kind="stable")),
    # leakage
    Case("leakage.column", "warning", "column 'w'", lambda: having(w=Y + 0.1 * rng().normal(size=N))),
    Case(
        "leakage.column",
        "warning",
        "column 'w'",
        lambda: having(w=np.where(Y == 1, rng().normal(size=N), NAN)),
        ("missing", "missing.informative"),
    ),
    Case("leakage.strong", "info", "column 'w'", lambda: having(w=Y + 0.27 * rng().normal(size=N))),
    Case(
        "leakage.class",
        "info",
        "column 'w'",
        lambda: having(y=(k := rng().choice(list("abc"), N)), w=np.where(k == "a", 9.0, 0) + rng(4).normal(size=N)),
    ),
    Case(
        "leakage.class",
        "info",
        "column 'w'",
        lambda: having(
            y=(k := rng().choice(list("abc"), N)),
            w=np.where(k == "a", "here", rng(4).choice(["here", "there", "away"], N)),
        ),
    ),
    Case(
        "leakage.values",
        "info",
        "column 'w'",
        lambda: having(w=np.where(some(0.3) & (Y == 1), "sure", "open")),
    ),
    Case(
        "leakage.label_copy",
        "error",
        "column 'w'",
        lambda: having(y=np.where(Y, "good", "bad"), w=np.where(Y, "Good", "Bad")),
        ("column.same",),
    ),
    Case(
        "leakage.label_copy",
        "warning",
        "column 'w'",
        lambda: having(
            y=(k := rng().choice(list("ABCD"), N)), w=np.where(some(0.3), rng(9).choice(list("ABCD"), N), k)
        ),
    ),
    Case("leakage.votes", "info", "columns 'v0', 'v1', 'v2', 'v3'", votes, ("number.codes", "leakage.values")),
    # splits
    Case(
        "leakage.rows",
        "warning",
        "rows",
        healthy,
        against=lambda: {"test": pd.concat([healthy(200, 7), healthy().iloc[:50]])},
    ),
    Case("split.columns", "error", "column 'z'", healthy, against=lambda: {"test": healthy(300, 7).drop(columns="z")}),
    Case("split.missing", "warning", "column 'z'", healthy, against=lambda: {"test": healthy(300, 7).assign(z="a")}),
    Case(
        "category.unseen",
        "info",
        "column 'c'",
        healthy,
        against=lambda: {"test": healthy(300, 7).replace({"c": {"red": "pink"}})},
        others=("category.absent",),
    ),
    Case(
        "category.absent",
        "info",
        "column 'c'",
        healthy,
        against=lambda: {"test": healthy(300, 7).replace({"c": {"red": "blue"}})},
    ),
    Case(
        "labels.unseen", "error", "label 'y'", healthy, against=lambda: {"test": healthy(300, 7).replace({"y": {1: 2}})}
    ),
    Case(
        "labels.dirty",
        "warning",
        "label 'y'",
        lambda: having(y=np.where(Y, "a", "b")),
        against=lambda: {"test": (f := healthy(300, 7)).assign(y=np.where(f["y"], "a.", "b."))},
    ),
]


def profiled(case: Case, tmp_path: Path) -> Any:
    data = case.make()
    if case.csv:
        separator = ";" if case.code == "file.separator" or case.code == "number.as_text" else ","
        data.to_csv(tmp_path / "table.csv", index=False, sep=separator)
        data = tmp_path / "table.csv"
    return profile(data, None if isinstance(data, tuple) else case.label, against=case.against())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.code)
def test_the_fault_is_found_and_nothing_else(case, tmp_path):
    found = profiled(case, tmp_path).findings
    assert (case.code, case.severity, case.where) in [(f.code, f.severity, f.where) for f in found]
    beyond = {f.code for f in found} - {case.code, *case.others}
    assert beyond <= ({"file.separator"} if case.csv else set())
    for f in found:
        assert f.advice and "\n" not in f.advice, f.code


HARMLESS = {
    "counts": lambda: rng().poisson(3, N),
    "amounts": lambda: rng().gamma(4, 10, N).round(1),
    "logarithms": lambda: np.log(rng().integers(1, 40, N)),
    "zeros in between": lambda: rng().integers(-20, 60, N),
    "ages with the oldest": lambda: np.append(rng().integers(18, 80, N - 3), [88, 99, 99]),
    "no more than sales": lambda: np.where(some(0.6), 0, rng().gamma(4, 10, N)),
    "rounded": lambda: rng().normal(3, 2, N).round(),
    "percent": lambda: rng().beta(2, 5, N).round(2),
    "years": lambda: np.arange(N) % 40 + 1980,
}


@pytest.mark.parametrize("what", HARMLESS)
def test_harmless_numbers_are_not_taken_for_missing_ones_or_identifiers(what):
    found = profile(having(w=HARMLESS[what]()), label="y")
    assert not {"missing.disguised", "column.identifier"} & {f.code for f in found.findings}


@pytest.mark.parametrize("n", [60, 400, 1200, 5000])
@pytest.mark.parametrize("seed", range(3))
def test_a_healthy_table_yields_nothing(n, seed):
    assert [f for f in profile(healthy(n, seed), label="y").findings if f.severity != "info"] == []
    if n >= 1200:
        assert profile(healthy(n, seed), label="y").findings == ()


@pytest.mark.parametrize("n", [400, 1200, 5000])
def test_two_draws_of_a_healthy_table_have_nothing_against_each_other(n):
    assert profile(healthy(n), label="y", against={"test": healthy(n, 1)}).findings == ()


def test_every_code_has_a_case():
    source = "".join(p.read_text("utf-8") for p in Path(prepkit.__path__[0]).glob("profiling/judge/*.py"))
    codes = set(re.findall(r'"((?:missing|outliers|skew)|[a-z]+\.[a-z_]+)"', source))
    assert len(codes) > 60
    assert codes == {case.code for case in CASES}
