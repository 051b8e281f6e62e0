"""Label review as a page."""

from __future__ import annotations

import base64
import dataclasses
import re
import xml.etree.ElementTree as ET
from collections import Counter

import numpy as np
import pytest

from prepkit.cleaning.data import DROP, KEEP, RELABEL, WEIGHT, Candidate, Noise
from prepkit.cleaning.page import CLASSES, MORE_PAIRS, PAIRS, page, to_html
from prepkit.errors import PrepkitError
from prepkit.finding import Finding
from prepkit.report.words import percent
from tests.cleaning.cleanings import ARABIC, FINDINGS, HOSTILE, cleaning, issues, noise, tabular
from tests.report.markup import checked

IMAGE = re.compile(r'<img ((?:[a-z]+="[^"]*" ?)+)>')
SHOWN = HOSTILE.replace("\x00", "\ufffd").replace("\x1b", "\ufffd")
PLAIN = tabular(9)
LARGEST = 1.0  # MB, of a page of a thousand classes


def body(html: str) -> ET.Element:
    """What stands below the heading, once nothing is found against it but for images, which stand in the page."""
    assert html.count("<img") == len(IMAGE.findall(html))
    for found in IMAGE.findall(html):
        assert re.search(r'src="data:image/png;base64,[A-Za-z0-9+/=]+"', found)
        base64.b64decode(re.search(r'base64,([^"]*)"', found)[1], validate=True)
    checked(IMAGE.sub("", html))
    return ET.fromstring(re.search(r"<main>.*</main>", IMAGE.sub(r"<img \1/>", html), re.S)[0])


def section(html: str, heading: str) -> ET.Element:
    """The section whose heading starts so."""
    return next(s for s in body(html).iter("section") if words(s.find("h2")).startswith(heading))


def words(element: ET.Element) -> str:
    return "".join(element.itertext())


def cells(table: ET.Element) -> list[list[str]]:
    """The text of each cell, the head first."""
    return [[words(cell) for cell in row] for row in table.iter("tr")]


def tiles(html: str) -> dict[str, tuple[str, str]]:
    return {words(tile[0]): (words(tile[1]), words(tile[2])) for tile in body(html).find("dl")}


def test_the_first_look():
    html = page(PLAIN, "Labels of <b>")
    assert tiles(html) == {
        "rows changed": ("7", "3 rows relabelled, 4 left out"),
        "rows doubted": ("9", "0.9 % of 1,000 looked at"),
        "labels wrong, estimated": ("10 %", "7.5 % to 12.5 %"),
        "accurate out of sample": ("83.1 %", "by chance 41.2 %"),
        "also found": ("1 warning", "1 note"),
    }
    heads = checked(html).words
    assert heads[heads.index("Labels of <b>", 3) + 1] == "auto took relabel and drop: 3 rows relabelled, 4 left out"


def test_in_words():
    lead = words(next(e for e in body(page(PLAIN)) if e.get("class") == "lead"))
    for said in [
        "1,000 rows of 3 classes were looked at",
        "come from gradient boosting, 5 folds;",
        "is the given label in 83.1 % of the rows",
        "right in 41.2 %.",
        "wrong: about 10 % (7.5 % to 12.5 %). This is an estimate",
        "not the share of doubted rows, which is 0.9 %;",
    ]:
        assert said in lead
    assert "pproximate" not in page(PLAIN).replace("<style>", "")


def test_an_approximate_estimate_is_said_to_be():
    html = page(dataclasses.replace(PLAIN, noise=dataclasses.replace(PLAIN.noise, approximate=True)))
    assert tiles(html)["labels wrong, estimated"] == ("10 %", "approximate, 7.5 % to 12.5 %")
    lead = words(next(e for e in body(html) if e.get("class") == "lead"))
    assert "about 10 % (7.5 % to 12.5 %), approximate." in lead and "judged in batches" in lead


def test_what_is_not_known_is_not_made_up():
    unknown = Noise(np.full((2, 2), np.nan), np.nan, (np.nan, np.nan))
    html = page(cleaning(noise=unknown, accuracy=0.4, candidates=()))
    assert tiles(html)["labels wrong, estimated"] == ("–", "not estimated")
    assert words(section(html, "How labels go wrong")).endswith("The noise matrix was not estimated.")
    assert [t.get("class") for t in body(html).find("dl")] == ["tile plain"] * 3 + ["tile warning", "tile good"]
    assert "not estimated" in page(cleaning((), noise=Noise(np.zeros((0, 0)), 0.1, (0.0, 0.2))))


def test_findings_are_drawn_as_cards_the_gravest_first():
    found = (*FINDINGS[::-1], Finding("cleaning.none", "error", "labels", {}, "Stop."))
    html = page(dataclasses.replace(PLAIN, findings=found))
    assert tiles(html)["also found"] == ("1 error", "1 warning, 1 note")
    assert body(html).find("dl")[-1].get("class") == "tile error"
    cards = [c.get("class") for c in section(html, "What was found").iter("article")]
    assert cards == ["finding error", "finding warning", "note-line"]
    assert "Stop." in html and "cleaning.fold" in html
    assert "✔ nothing" in words(section(page(cleaning()), "What was found"))


def test_what_was_compared():
    found = section(page(PLAIN), "What was compared")
    assert [row[:3] for row in cells(found)] == [
        ["treatment", "rows changed", "gain in points"],
        ["nothing", "0", "reference"],
        ["weight", "64", "+0.61 ± 0.42"],
        ["drop", "64", "-0.31 ± 0.47"],
        ["relabel", "23", "+2.05 ± 0.51"],
        ["relabel and drop ✔ taken", "64", "+3.12 ± 0.48"],
    ]
    assert cells(found)[0][3] == "from -0.78 to +3.60"  # -0.31 - 0.47, 3.12 + 0.48


def test_gains_are_drawn_to_scale():
    drawn = list(section(page(PLAIN), "What was compared").iter("svg"))
    assert words(drawn[0]) == "weight: +0.61 ± 0.42"

    def place(points: float) -> float:
        return 4 + 92 * (points + 0.78) / 4.38

    for svg, middle, error in zip(drawn, (0.61, -0.31, 2.05, 3.12), (0.42, 0.47, 0.51, 0.48), strict=True):
        zero, whisker = svg.findall("line")
        at = [zero.get("x1"), whisker.get("x1"), whisker.get("x2"), svg.find("circle").get("cx")]
        expected = [place(0), place(middle - error), place(middle + error), place(middle)]
        np.testing.assert_allclose([float(v.rstrip("%")) for v in at], expected, atol=0.06)


def test_gains_that_are_no_numbers_and_a_single_one():
    html = page(dataclasses.replace(PLAIN, candidates=(Candidate("drop", np.nan, np.nan, 3),)))
    assert cells(section(html, "What was compared"))[1][:3] == ["drop", "3", "– ± –"]
    assert [[e.tag for e in s] for s in section(html, "What was compared").iter("svg")] == [["title", "line"]]
    html = page(dataclasses.replace(PLAIN, candidates=(Candidate("drop", 0.0, 0.0, 3),)))
    assert [s.find("circle").get("cx") for s in section(html, "What was compared").iter("svg")] == ["50%"]


def test_without_candidates_nothing_is_compared():
    assert "What was compared" not in page(dataclasses.replace(PLAIN, candidates=()))


@pytest.mark.parametrize("k", [1, 2, 3, CLASSES])
def test_the_noise_matrix_stands_in_a_table_as_well(k):
    names = [f"class {i}" for i in range(k)]
    found = section(page(cleaning(names, noise=noise(k, seed=4))), "How labels go wrong")
    matrix = noise(k, seed=4).matrix
    assert cells(found) == [
        ["given, of true", *names],
        *([name, *map(percent, row)] for name, row in zip(names, matrix.tolist(), strict=True)),
    ]
    assert "are drawn" not in words(found)


def test_of_many_classes_the_most_confused_are_drawn():
    rng = np.random.default_rng(5)
    chosen = sorted(rng.choice(1000, CLASSES, replace=False).tolist())
    matrix = np.eye(1000)
    for j, i in zip(chosen, chosen[1:] + chosen[:1], strict=True):  # each is mistaken for the next
        matrix[j, j], matrix[i, j] = 0.75, 0.25
    other = next(i for i in range(1000) if i not in chosen)
    matrix[other, other], matrix[other - 1, other] = 0.99, 0.01
    html = page(cleaning([f"c{i}" for i in range(1000)], noise=Noise(matrix, 0.1, (0.0, 0.2))))
    found = section(html, "How labels go wrong")
    assert cells(found)[0][1:] == [f"c{i}" for i in chosen]
    assert "Of 1,000 classes the 20 that are confused most are drawn" in words(found)
    assert len(html) < LARGEST * 1e6


def test_pairs_are_counted_by_what_was_done():
    found = issues(["a", "b", "a", "a"], ["b", "c", "b", "c"], [RELABEL, KEEP, DROP, RELABEL])
    assert cells(section(page(cleaning("abc", found)), "Which labels")) == [
        ["given", "suggested", "doubted", "relabelled", "left out", "kept"],
        ["a", "b", "2", "1", "1", ""],
        ["b", "c", "1", "", "", "1"],
        ["a", "c", "1", "1", "", ""],
    ]


def test_pairs_beyond_those_in_sight_are_folded_away_and_counted():
    n = PAIRS + MORE_PAIRS + 3
    given = [f"g{i}" for i in range(n) for _ in range(2)]
    found = section(page(cleaning(found=issues(given, ["s"] * len(given), [DROP] * len(given)))), "Which labels")
    in_sight, folded = found.iter("table")
    assert len(cells(in_sight)) == PAIRS + 1 and len(cells(folded)) == MORE_PAIRS + 1
    assert found.find("details").find("summary").text == f"{n - PAIRS} more pairs, of {2 * (n - PAIRS)} rows"
    assert "and 3 more pairs, of 6 rows" in words(found)


def test_nothing_doubted():
    html = page(cleaning(("setosa", "versicolor", "virginica"), candidates=()))
    assert tiles(html)["rows changed"] == ("0", "") and tiles(html)["rows doubted"][0] == "0"
    assert "auto: nothing was changed, since no label is doubted" in checked(html).words
    assert words(section(html, "The most doubted")).endswith("✔ none No label is doubted.")
    assert "Which labels" not in html and "revert" not in html
    assert checked(page(dataclasses.replace(cleaning(), issues={}))).words == checked(page(cleaning())).words


def test_rows_that_were_only_reported_are_not_changed():
    found = issues(["a"] * 3, ["b"] * 3, [KEEP] * 3)
    html = page(cleaning(found=found, action="report", taken="nothing"))
    assert tiles(html)["rows changed"] == ("0", "") and tiles(html)["rows doubted"][0] == "3"


def test_labels_and_cells_that_hold_markup_are_shown():
    html = page(tabular(30, 20), HOSTILE, 25)
    assert "<script" not in html and not re.search(r"https?:", html.replace("http-equiv", ""))
    assert not re.search("[\x00-\x08\x0b-\x1f]", html)
    text = checked(html).text
    assert text.count(SHOWN) > 20 and ARABIC in text
    around = [e for e in body(html).iter() if e.text and ARABIC in e.text and e.tag not in ("text", "title")]
    assert {(e.tag, e.get("class")) for e in around} == {("bdi", "name"), ("div", "cell")}  # turn nothing else around


def test_without_images_nothing_may_be_loaded():
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    found = [a["content"] for n, a in checked(page(PLAIN)).elements if n == "meta" and "http-equiv" in a]
    assert found == [policy]


def test_with_images_only_those_of_the_page_itself_may():
    html = page(cleaning(found=issues(["a"], ["b"], [DROP]), shown={"image": np.ones((1, 8, 8))}))
    found = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    assert found == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]
    assert sum(e.tag == "img" for e in body(html).iter()) == 1


def test_a_thousand_classes():
    names = [f"class {i}" for i in range(1000)]
    given, suggested = [names[i % 997] for i in range(3000)], [names[7 * i % 1000] for i in range(3000)]
    html = page(cleaning(names, issues(given, suggested, [WEIGHT] * 3000), rows=10**6, noise=noise(1000)))
    counts = Counter(zip(given, suggested, strict=True))
    most = cells(next(section(html, "Which labels").iter("table")))[1:]
    assert [int(row[2]) for row in most] == sorted(counts.values())[: -PAIRS - 1 : -1]
    assert all(counts[row[0], row[1]] == int(row[2]) == int(row[3]) for row in most)
    assert len(html) < LARGEST * 1e6


def test_it_is_written_to_a_file(tmp_path):
    path = tmp_path / "labels.html"
    path.write_text("old")
    assert to_html(PLAIN, path, "mine", 3) == path
    assert path.read_text("utf-8") == page(PLAIN, "mine", 3)
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(PrepkitError, match="is a directory"):
        to_html(PLAIN, tmp_path)
    with pytest.raises(PrepkitError, match="there is no directory"):
        to_html(PLAIN, tmp_path / "none" / "labels.html")


def test_a_negative_limit_is_refused():
    with pytest.raises(PrepkitError, match="limit=-1: give how many"):
        page(PLAIN, limit=-1)
