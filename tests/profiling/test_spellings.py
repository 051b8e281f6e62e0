"""The same word in several spellings, and how numbers are written."""

from __future__ import annotations

import pyarrow as pa
import pytest

from prepkit.profiling.spellings import key, same_words, spellings, style, typing_errors


@pytest.mark.parametrize(
    "words",
    [
        ("St. Louis", "st louis", "ST-LOUIS", " St Louis "),
        ("Self-emp", "self emp", "Self emp."),
        ("Mid west", "midwest", "Mid-West", "MIDWEST!"),
        ("ﬁne", "fine"),
        ("Straße", "STRASSE"),
    ],
)
def test_the_same(words):
    assert len({key(w) for w in words}) == 1


@pytest.mark.parametrize(
    "words",
    [
        ("A", "A+", "A-"),
        ("<=50K", ">50K"),
        ("C", "C++", "C#"),
        ("18-29", "1829", "18 29"),
        ("1.5", "15"),
        ("-1", "1"),
        ("$0 - $24,999", "$25,000 - $49,999"),
        ("male", "female"),
        ("é", "e"),
    ],
)
def test_not_the_same(words):
    assert len({key(w) for w in words}) == len(words)


def test_a_word_of_nothing_but_signs_is_itself():
    assert {key("-"), key("?!"), key("...")} == {"-", "?!", "..."}


def test_groups_of_most_rows_first():
    assert same_words({"a": 1, "A": 2, "b": 9, "c": 5, "C ": 4}) == [{"c": 5, "C ": 4}, {"a": 1, "A": 2}]


@pytest.mark.parametrize("typo", ["grean", "gren ", "greeen", "gerEn".lower(), "rgeen", "greenn"])
def test_typing_errors(typo):
    assert typing_errors({"green": 500, typo: 2}) in ([(typo, "green")], [])
    found = typing_errors({"orange": 500, "orenge": 3, "ornage": 1, "range": 2, "oranges": 4})
    assert {a for a, _ in found} == {"orenge", "ornage", "range", "oranges"}


@pytest.mark.parametrize(
    "counts",
    [
        {"male": 500, "mole": 2},  # too short
        {"orange": 500, "orenge": 400},  # both are frequent
        {"item-17": 500, "item-18": 2},  # codes
        {"orange": 500, "banana": 1},
        {"thursday": 500, "tuesday": 10},
        {"ward alpha": 500, "ward alpho": 400, "level ii": 500, "level iv": 2},
        {"west end": 500, "westend": 2},
        {},
    ],
)
def test_no_typing_errors(counts):
    assert typing_errors(counts) == []


def test_a_word_is_not_misspelled_when_only_its_case_differs():
    assert typing_errors({"Orange": 500, "orange": 2}) == []


def test_of_a_column():
    found = spellings({"12": 60, "13": 20, "n.a.": 15, "N.A": 5})
    assert (found.numbers, found.others, found.cells) == (0.8, ("n.a.", "N.A"), 100)
    assert found.same == [{"n.a.": 15, "N.A": 5}]
    assert spellings({"“so”": 3, "so": 4}).typographic == 3


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1", "2", "3"], (3, 0, (), 0, 0)),
        ([" 1", "2 ", "3", "?"], (3, 2, (), 0, 0)),
        (["63.0", "63", "x"], (2, 0, ("63", "63.0"), 0, 0)),
        ([".7", "0.8", "1.5"], (3, 0, (".7", "0.8"), 0, 0)),
        ([f"{d}2345" for d in range(1, 10)] * 4 + ["1234", "123"], (38, 0, (), 5, 2)),
        (["12345"] * 30 + ["9876", "987"], (32, 0, (), 0, 0)),  # amounts
        (["12345"] * 30 + ["1234"] * 30, (60, 0, (), 0, 0)),
        (["2001"] * 30, (30, 0, (), 0, 0)),
        ([None, ""], (0, 0, (), 0, 0)),
    ],
)
def test_how_numbers_are_written(cells, expected):
    found = style(pa.array(cells, pa.string()))
    assert (found.cells, found.spaced, found.ways, found.digits, found.shorter) == expected
