"""An ablation as a page."""

from __future__ import annotations

import dataclasses
import re
import xml.etree.ElementTree as ET

import pytest

from prepkit.ablation.data import Ablation, Run, Verdict
from prepkit.ablation.page import page, write
from prepkit.errors import PrepkitError
from tests.ablation.ablations import HOSTILE, NAN, ablation
from tests.report.markup import checked

ROBUST, MINMAX = "Rescale: Rescale('robust')", "Rescale: Rescale('minmax')"
FOUND = ablation(alternatives=(ROBUST, MINMAX))
EMPTY = Ablation((), (), (), (), {}, "", {})
SHOWN = HOSTILE.replace("\x00", "\ufffd").replace("\x1b", "\ufffd")
LARGEST = 1.0  # MB, of a page of 20 stages and 200 epochs


def body(html: str) -> ET.Element:
    checked(html)
    return ET.fromstring(re.search(r"<main>.*</main>", html, re.S)[0])


def words(element: ET.Element) -> str:
    return "".join(element.itertext())


def section(html: str, heading: str) -> ET.Element:
    return next(s for s in body(html).iter("section") if words(s.find("h2")).startswith(heading))


def cells(table: ET.Element) -> list[list[str]]:
    return [[words(cell) for cell in row] for row in table.iter("tr")]


def tiles(html: str) -> dict[str, tuple[str, str, str]]:
    return {words(t[0]): (words(t[1]), words(t[2]), t.get("class")) for t in body(html).find("dl")}


def test_the_first_look():
    html = page(FOUND, "What <b>")
    main = body(html)
    assert words(main[0]) == (
        "3 of 7 stages help, 1 is needed to train at all, 2 have no clear effect, 1 hurts: leave Clip out."
    )
    assert "What <b>" in checked(html).words
    assert [words(s.find("h2"))[:12] for s in main.iter("section")] == [
        "Each stageth", "Alternatives", "Learning cur", "Time to the ", "The first ep", "How it was m",
    ]  # fmt: skip
    found = tiles(html)
    assert re.fullmatch(r"0\.5\d\d → 0\.3\d\d", found["log-loss"][0]) and found["log-loss"][2] == "tile plain"
    assert found["seeds"][0] == "5"
    assert found["runs that diverged"] == ("5 of 90", "5 not converged", "tile warning")


def test_a_recipe_that_is_worse_than_raw_data_is_marked():
    better = tuple(dataclasses.replace(r, measures={"log_loss": 0.1}) if r.variant == "raw" else r for r in FOUND.runs)
    found = tiles(page(dataclasses.replace(FOUND, runs=better)))
    assert found["log-loss"][0].startswith("0.100 →") and found["log-loss"][2] == "tile warning"
    assert found["balanced accuracy"][1].endswith("of 0 of 5 → 5 of 5 runs")


def test_a_row_for_each_stage_in_the_order_of_the_recipe():
    rows = cells(section(page(FOUND), "Each stage").find("div/table"))
    assert [r[0].split(" ")[0] for r in rows[1:]] == [
        "Validate", "Impute7", "Cliphours:", "Rescalescales", "OneHot8", "CleanLabels4.1", "Rebalancethe",
    ]  # fmt: skip
    assert rows[5][0] == "OneHot8 columns of wordswithout it: categories as numbers 0, 1, ...: job, city"
    clip = rows[3]
    assert clip[1].startswith("✖ hurtsThe reason of Clip")
    assert clip[2].count("+0.021 (+0.015 to +0.027)") == 2  # where it is pointed at, and below
    assert clip[3] == "0.291 → 0.312"
    assert clip[4:6] == ["✖ −1.3 points70 % → 68.7 %", "✖ −2.1 points70 % → 67.9 %"]
    assert re.fullmatch(r"−0\.\d\d−18 MB", clip[6])
    assert (
        rows[2][1].startswith("● needed to train at all")
        and rows[2][2:6] == ["without it, no comparable run"] + ["–"] * 3
    )


def test_all_effects_stand_in_a_table():
    rows = cells(section(page(FOUND), "Each stage").find("details").find(".//table"))
    assert len(rows) == 1 + len(FOUND.effects)
    first = ["Validate", "in the recipe", "log-loss", "0.312", "0.312", "0.000 (−0.006 to +0.006)", "5", "0.004"]
    assert rows[1] == [*first, "no clear effect"]


def test_alternatives_are_better_or_worse_than_the_recipe():
    rows = cells(section(page(FOUND), "Alternatives"))
    assert [r[:2] for r in rows[1:]] == [[ROBUST, "✔ better5 of 5 converged"], [MINMAX, "✖ worse5 of 5 converged"]]
    assert "recipe → alternative" in rows[0][3] and "Alternatives" not in page(ablation(("Clip",), 2))


def test_how_it_was_measured():
    found = section(page(FOUND), "How it was measured")
    facts = {words(d[0]): words(d[1]) for d in found.find("dl")}
    assert facts["classes"] == "under 50,000 76 %, 50,000 and more 20.8 %, not said 3.2 %"
    assert facts["batch size"] == "256" and facts["seeds"] == "0, 1, 2, 3, 4"
    assert facts["versions"].startswith("prepkit 0.1.0, tensorflow 2.21.0")
    assert not {"targets", "shares", "class names"} & set(facts)
    assert words(found.find("pre")) == FOUND.recipe and words(found.find("ul/li")) == FOUND.notes[0]


def test_other_settings_are_listed_as_they_are():
    html = page(dataclasses.replace(FOUND, settings={"odd_thing": {"a": [1, NAN]}, "label": None, "shares": [NAN]}))
    facts = {words(d[0]): words(d[1]) for d in section(html, "How it").find("dl")}
    assert facts == {"label": "–", "odd thing": "a 1, NaN"}


def test_nothing_that_was_given_is_run():
    odd = ablation((HOSTILE, "B" * 300), 2, (f"{HOSTILE}: {HOSTILE}",))
    odd = dataclasses.replace(
        odd,
        reasons=dict.fromkeys(odd.stages, HOSTILE),
        verdicts=tuple(Verdict(s, "hurts", HOSTILE, (HOSTILE,)) for s in odd.stages),
        runs=(*odd.runs, Run("raw", 2, "failed", HOSTILE)),
        recipe=HOSTILE,
        notes=(HOSTILE,),
        settings=odd.settings | {"label": HOSTILE, "class_names": [HOSTILE] * 3, "model": HOSTILE, HOSTILE: HOSTILE},
    )
    html = page(odd, HOSTILE)
    assert "<script" not in html and not re.search("[\x00-\x08\x0b-\x1f]", html)
    assert checked(html).text.count(SHOWN) > 15


def test_the_same_ablation_gives_the_same_page():
    assert page(ablation(alternatives=(ROBUST, MINMAX))) == page(FOUND)


def test_a_single_seed_has_no_verdict():
    html = page(ablation(("Clip", "Rescale"), 1))
    assert words(body(html)[0]) == "None of 2 stages could be judged: a single seed gives no interval."
    assert tiles(html)["seeds"] == ("1", "no interval, and so no verdict", "tile warning")
    rows = cells(section(html, "Each stage").find("div/table"))
    assert rows[1][1].startswith("▲ not judged") and rows[1][2] == "+0.021" * 2


@pytest.mark.parametrize("n, epochs", [(1, 3), (20, 200)])
def test_few_and_many_stages(n, epochs):
    found = ablation([f"Stage {i}" for i in range(n)], 5)
    longer = tuple(dataclasses.replace(r, log_loss=(r.log_loss * 10)[:epochs]) for r in found.runs)
    html = page(dataclasses.replace(found, runs=longer))
    assert len(cells(section(html, "Each stage").find("div/table"))) == n + 1
    assert len(list(section(html, "Learning curves").iter("figure"))) == 2 * n + 1
    assert len(html) < LARGEST * 1e6


@pytest.mark.parametrize("status", ["diverged", "failed"])
def test_when_no_run_has_ended_well(status):
    runs = tuple(Run(r.variant, r.seed, status, "no" if status == "failed" else "") for r in FOUND.runs)
    html = page(dataclasses.replace(FOUND, runs=runs, effects=(), settings={}))
    assert tiles(html)["log-loss"][0] == "– → –"
    assert "no run has a finite" in words(section(html, "Learning curves"))
    assert words(section(html, "Time to the target")).endswith("the recipe did not converge")


def test_numbers_that_are_none_anywhere():
    runs = tuple(
        dataclasses.replace(
            r, log_loss=(NAN,) * 3, loss=(NAN,) * 3, seconds=(NAN,) * 3, gradient_norm=(NAN,), dead_relus=(NAN,),
            measures=dict.fromkeys(r.measures, NAN), prepare_seconds=NAN,
        )
        for r in FOUND.runs
    )  # fmt: skip
    none = dict.fromkeys(("with_it", "without", "difference", "low", "high", "p"), NAN)
    effects = tuple(dataclasses.replace(e, **none) for e in FOUND.effects)
    targets = {"targets": {0: NAN}, "shares": [NAN]}
    html = page(dataclasses.replace(FOUND, runs=runs, effects=effects, settings=FOUND.settings | targets))
    assert "nan" not in re.sub("<style>.*</style>", "", html, flags=re.S).lower().replace("nan %", "")


def test_without_recall_of_the_rarest_class():
    effects = tuple(e for e in FOUND.effects if e.measure != "minority_recall")
    rows = cells(section(page(dataclasses.replace(FOUND, effects=effects)), "Each stage").find("div/table"))
    assert {r[5] for r in rows[1:]} == {"–"}


def test_nothing_at_all():
    html = page(EMPTY)
    assert words(body(html)[0]) == "No stage was compared." and "no stage was compared" in words(body(html)[2])


def test_the_page_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "ablation.html"
    assert write(FOUND, path) == str(path) and path.read_text("utf-8") == page(FOUND)
    assert FOUND.to_html(path) == str(path) and FOUND.to_html() == page(FOUND)
    with pytest.raises(PrepkitError, match="is a directory"):
        write(FOUND, tmp_path)
