"""Text for a terminal."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

import prepkit as pk
from prepkit.report.terminal import as_text, curves, summary


def prepared(weight: bool = False) -> pk.Prepared:
    data = pd.DataFrame(
        {
            "pay [bold]": np.arange(2000.0) + 0.5,
            "[/red]": ["a", "[link=x]"] * 1000,
            "same": 1.0,
            "y": ["[no]"] * 1500 + ["yes"] * 500,
        }
    )
    data.loc[:1199, "pay [bold]"] = np.nan
    data.loc[1990:, "y"] = None
    given: Any = (data.drop(columns="y"), data["y"], np.ones(2000)) if weight else data
    recipe = pk.Pipeline([pk.Impute(reason="cells are missing"), pk.Rescale(), pk.OneHot(), pk.Rebalance()])
    return recipe.prepare(given, None if weight else "y", batch_size=64)


def test_the_summary_says_what_was_found_and_decided():
    p = prepared()
    text = as_text(summary(p.metadata, repr(p.pipeline.recipe)))
    for line in [
        r"pay \[bold\] +│ numeric +│ 1,200 +│ 1 ",
        r"\[/red\] +│ categorical +│ +│ 2 ",
        r"same +│ numeric \(constant\) +│ +│ 1 ",
        r"\[no\] +│ 1,500 +│ 75.4 % +│ 0.663 ",
        r"yes +│ 490 +│ 24.6 % +│ 2.03 ",
        r"Impute\(\),  # cells are missing",
        r"rows: 2,000 rows in, 1,990 trained, 10 label missing",
        r"features: 4 \(dense\), labels: int",
        r"batches: 32 of 64 an epoch",
        r"source read 1 times? to fit",
        r"last layer: Dense\(1, activation='sigmoid'\), loss='binary_crossentropy', initial bias: 0",
    ]:
        assert re.search(line, text), f"{line}\n{text}"


def test_weights_of_the_rows_are_named_as_such():
    p = prepared(weight=True)
    assert text_of(p).count("in the rows' weights") == 2


def text_of(p: pk.Prepared) -> str:
    return as_text(summary(p.metadata, repr(p.pipeline.recipe)))


def test_a_pipeline_that_was_only_fitted_has_no_batches():
    metadata = prepared().pipeline.metadata
    assert "None" not in as_text(summary(metadata, ""))


def test_many_columns_and_classes_are_cut_short():
    n = 70
    data = {f"c{i}": np.arange(2.0 * n) for i in range(n)} | {"y": np.arange(2 * n) % n}
    p = pk.Pipeline([]).prepare(data, "y")
    text = text_of(p)
    assert "... 10 more" in text
    assert "c59 " in text and "c60 " not in text
    assert len(text.splitlines()) < 170
    assert text.count("-4.25") == 6


@pytest.mark.parametrize("force", ["FORCE_COLOR", "TTY_COMPATIBLE"])
def test_a_file_gets_plain_text_whatever_the_terminal(monkeypatch, capsys, force):
    monkeypatch.setenv(force, "1")
    text = text_of(prepared())
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 120
    assert capsys.readouterr() == ("", "")


def test_curves_side_by_side():
    losses = {"raw": [2.0, 1.5, 1.0], "prepared [x]": [0.5, float("nan"), 0.0], "short": [float("inf")]}
    lines = [line for line in as_text(curves(losses)).splitlines() if "│" in line or "┃" in line]
    assert "prepared [x]" in lines[0]
    assert re.search(r"1 +│ +2.0000  █ │ +0.5000  ▃ │ inf", lines[1])
    assert re.search(r"2 +│ +1.5000  ▇ │ nan ", lines[2])
    assert re.search(r"3 +│ +1.0000  ▅ │ +0.0000  ▁ │ +│", lines[3])


@pytest.mark.parametrize("losses", [{}, {"a": []}, {"a": [1.0, 1.0]}, {"a": [float("nan")] * 2}])
def test_curves_of_little(losses):
    text = as_text(curves(losses))
    assert len(text.splitlines()) >= 2


def test_they_draw_on_any_console():
    console = Console(record=True, width=60, file=SimpleNamespace(write=lambda s: None, flush=lambda: None))
    console.print(curves({"a": [1.0, 0.5]}))
    assert "0.5000" in console.export_text()
