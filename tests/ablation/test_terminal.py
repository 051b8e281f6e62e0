"""An ablation in a terminal."""

from __future__ import annotations

import pytest

from prepkit.ablation.data import Ablation, Verdict
from prepkit.ablation.terminal import summary
from prepkit.report.terminal import as_text
from tests.ablation.ablations import HOSTILE, ablation

FOUND = ablation(("Impute", "Clip", "Rescale"), alternatives=("Rescale: Rescale('robust')",))


@pytest.mark.parametrize("width", [80, 120])
def test_the_verdicts(width):
    lines = [" ".join(line.split()) for line in as_text(summary(FOUND), width).splitlines()]
    assert lines[0].startswith("1 of 3 stages helps, 1 is needed to train at all, 1 hurts: leave Clip out.")
    rows = [next(line for line in lines if line.startswith(name)) for name in ("Impute", "Clip", "Rescale", "Rescale:")]
    assert rows[0].startswith("Impute ● needed – –")
    assert rows[1].startswith("Clip ✖ hurts +0.021 (+0.015 to +0.027) −1.3 −0.")
    assert rows[2].startswith("Rescale ✔ helps −0.118 (−0.124 to −0.112) +7.1 −0.")
    assert rows[3] == "Rescale: Rescale('robust') better −0.010 (−0.016 to −0.004)"
    assert lines[-1] == "9 variants, 5 seeds: 35 of 45 converged, 5 diverged"
    assert max(map(len, as_text(summary(FOUND), width).splitlines())) <= width


def test_names_that_would_steer_a_terminal():
    said = as_text(summary(ablation(("[red]\x1b\x00", HOSTILE, "A" * 200), 1)), 100)
    assert "\x1b" not in said and "[red]" in said and "▲ not judged" in said

    odd = Ablation((), (), (), (Verdict("\x1b[2J", "hurts", ""),), {}, "", {})
    assert "\x1b" not in as_text(summary(odd)) and "\ufffd[2J hurts: leave it out." in as_text(summary(odd))


def test_nothing():
    assert as_text(summary(Ablation((), (), (), (), {}, "", {}))).startswith("No stage was compared.")
