"""The page of findings has an entry for each code, under its heading, with the limits that the code has."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from prepkit.cleaning import judge
from prepkit.cleaning import words as cleaning_words
from prepkit.drift import judge as drift
from prepkit.drift import measure
from prepkit.profiling import gaps, pairs, sample, spellings, tally, view
from prepkit.profiling.judge import cells, columns, found, labels, leakage, numbers, rows, splits, words
from prepkit.profiling.titles import TITLES as OF_PROFILES
from prepkit.rows.clean_labels import CleanLabels

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "findings.md"
ENTRY = re.compile(r"^### (\S+)\n\n(.*?)(?=\n\n#|\Z)", re.MULTILINE | re.DOTALL)
ENTRIES = dict(ENTRY.findall(PAGE.read_text("utf-8")))
TITLES = OF_PROFILES | cleaning_words.TITLES
LONGEST = 850  # characters, links among them; an entry is read at a glance


def percent(share: float) -> str:
    return f"{100 * share:g} %"


LIMITS = {
    "missing": [percent(cells.MUCH)],
    "missing.much": [percent(cells.MUCH)],
    "missing.disguised": [
        f"{cells.FEWEST} different",
        f"over {cells.APART:g} times",
        f"a zero {percent(cells.WIDE)} of",
        f"{cells.PEAK:g} times as frequent",
        f"within {percent(cells.CLEARLY)}",
        f"more than {percent(cells.OFTEN)}",
    ],
    "missing.flagged": [f"{gaps.SAME:g} or more"],
    "missing.informative": [f"{gaps.ASSOCIATED:g} or more", f"{gaps.SURE:g} standard", f"from {cells.STRONG:g} on"],
    "missing.together": [percent(gaps.ALIKE)],
    "batch.effect": [f"2 to {gaps.FEW_LEVELS} values", f"over {gaps.DEPENDENT:g})"],
    "values.unreadable": [percent(numbers.READABLE)],
    "values.mixed": [f"50 to {percent(numbers.READABLE)}"],
    "column.nearly_constant": [percent(columns.NEARLY)],
    "column.identifier": [f"{columns.RESTARTS} times at most"],
    "column.same": [f"{pairs.CORRELATED:g} or more", f"by {pairs.RANKED:g})"],
    "column.derived": [f"{pairs.CORRELATED:g} or more", f"first {pairs.FACTORS} columns"],
    "column.cardinality": [f"{words.VERY_MANY:,}", f"more than {words.MANY} with", f"fewer than {words.SPARSE} rows"],
    "number.codes": [f"to {numbers.CODES} different", f"{numbers.ROWS_EACH} rows each"],
    "number.leading_zeros": [percent(spellings.SAME_LENGTH), f"{spellings.LONG_CODES} digits"],
    "scale.range": [f"{numbers.APART:g} times"],
    "scale.offset": [f"{numbers.OFFSET:,.0f} standard"],
    "scale.pixels": [f"within 0 and {numbers.PIXELS:g}", f"some of {numbers.BRIGHT:g}"],
    "skew": [f"beyond {numbers.SKEWED:g},"],
    "tails.heavy": [
        f"over {numbers.FAR:g} interquartile",
        percent(numbers.FEW),
        f"beyond {numbers.VERY_SKEWED:g}.",
        f"beyond {numbers.FARTHER:g},",
        f"skewness of {numbers.EXTREMELY_SKEWED:g}.",
    ],
    "outliers": [percent(numbers.FEW)],
    "zeros.many": [percent(numbers.MOSTLY)],
    "zeros.few": [percent(numbers.SOME_ZEROS)],
    "category.rare": [f"fewer than {words.RARE} rows", f"{words.VERY_MANY:,}", f"{10 * words.RARE} rows"],
    "category.typos": [f"{spellings.SHORT} letters", percent(spellings.TYPO_SHARE)],
    "category.together": [f"in {pairs.FEWEST} rows"],
    "labels.many": [f"{labels.MANY:,}"],
    "labels.imbalance": [f"{labels.UNEVEN:g} times", f"{labels.RARE:g} of an equal share"],
    "labels.rare": [f"fewer than {labels.FEW} rows", f"below {labels.VERY_FEW}."],
    "labels.names": [f"{labels.LONG} characters"],
    "labels.ordered": [f"{labels.ORDERED} or more"],
    "labels.unpredictable": [percent(leakage.WEAK)],
    "leakage.column": [percent(leakage.GIVEN_AWAY), percent(leakage.ALMOST_SURE), percent(leakage.EXACT)],
    "leakage.label_copy": [
        f"{leakage.AGREES_OTHERWISE:g} or more",
        f"{leakage.AGREES:g} where",
        f"{leakage.EQUAL:g} on",
    ],
    "leakage.strong": [percent(leakage.STRONG)],
    "leakage.class": [percent(leakage.ONE_CLASS), f"{leakage.ROWS_OF_CLASS} rows", percent(leakage.CONFINED)],
    "leakage.values": [
        f"{leakage.PURE_ROWS} rows",
        percent(leakage.PURE),
        percent(leakage.PURE_SHARE),
        percent(leakage.PRIOR),
    ],
    "leakage.votes": [f"{leakage.VOTERS} columns"],
    "leakage.rows": [percent(splits.MUCH)],
    "rows.duplicate": [percent(rows.MUCH)],
    "rows.contradictory": [percent(rows.MUCH / 2)],
    "rows.grouped": [f"{columns.FEWEST} categories", f"at most {1 / columns.GROUPED[0]:g} rows"],
    "split.missing": [f"{100 * splits.EMPTIER:g} percentage points"],
    "schema.unseen": [percent(drift.FEW)],
    "schema.range": [percent(drift.FEW)],
    "cleaning.few_rows": [f"({CleanLabels().folds} by default)"],
    "cleaning.no_signal": [f"beyond {judge.SIGNAL:g} standard"],
    "cleaning.swapped": [f"more than {percent(cleaning_words.MOST)}"],
    "cleaning.capped": [
        f'`max_share` ({CleanLabels().largest_share:g} with "auto", else {CleanLabels("drop").largest_share:g})',
        f"`min_rows` ({CleanLabels().min_rows})",
    ],
    "drift.column": [f"{measure.MODERATE:g} or more", f"{measure.MAJOR:g} ("],
}


def test_every_code_of_cleaning_has_a_title():
    given = re.findall(r'Finding\(\s*"([\w.]+)"', Path(cleaning_words.__file__).read_text("utf-8"))
    assert sorted(given) == sorted(cleaning_words.TITLES)


def test_every_code_has_its_entry_in_the_order_of_the_headings():
    assert list(ENTRIES) == list(TITLES)


@pytest.mark.parametrize("code", TITLES)
def test_an_entry_begins_with_the_heading_and_ends_with_a_cure(code):
    entry = ENTRIES.get(code, "")
    assert entry.startswith(f"**{TITLES[code]}.** ")
    assert re.search(r"^\*Cure:\* .+\.$", entry.splitlines()[-1])
    assert re.search(r"\b(error|warning|info)\b", entry.lower())
    assert len(entry) <= LONGEST


@pytest.mark.parametrize("code", LIMITS)
def test_the_limits_of_an_entry_are_those_of_the_code(code):
    assert [limit for limit in LIMITS[code] if limit not in ENTRIES[code]] == []


def test_the_page_says_how_findings_that_are_alike_are_told():
    assert found.ALIKE == 6 and "six or more columns share is told once" in PAGE.read_text("utf-8")
    assert leakage.FEWEST == 50 and "from 50 labelled rows on" in PAGE.read_text("utf-8")


def test_the_profile_page_has_the_sizes_of_the_code():
    text = (ROOT / "docs" / "profile.md").read_text("utf-8")
    assert sample.CELLS == 2**24 and "2^24 numbers at most" in text
    assert f"up to {sample.ROWS:,} rows" in text and f"({view.RELATED:,} rows of the sample)" in text
    assert f"up to {tally.LISTED:,} different" in text
    assert f"rank of {163 / sample.ROWS**0.5:.1f} % at most" in text  # Kolmogorov's limit: 99 samples of 100


@pytest.mark.parametrize("page", ["README.md", "docs/profile.md"])
def test_a_page_has_the_figures_of_the_benchmark(page):
    found = json.loads((ROOT / "benchmarks" / "results" / "defects.json").read_text("utf-8"))["summary"]
    text = (ROOT / page).read_text("utf-8")
    numbers = [found["data_sets"], found["defects"], found["found"], found["false"]]
    figures = re.search(r"(\d+) (?:public data )?sets\b.*?(\d+) (?:documented )?defects.*?(\d+)\D.*?(\d+) ", text)
    assert figures and [int(n) for n in figures.groups()] == numbers
