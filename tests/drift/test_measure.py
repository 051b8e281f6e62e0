import numpy as np
import pytest

from prepkit.drift.measure import FALSE_ALARMS, MAJOR, MODERATE, Limits, as_text, cell_name
from prepkit.drift.statistic import Shift
from prepkit.scan.reference import Shares

JUST = np.nextafter


def cells(*groups, **shares):
    return [cell_name(Shares(shares.pop("kind", "numeric"), **shares), g) for g in groups]


def test_bins():
    edges = {"edges": (30.0, 37.5), "low": 17.0}
    assert cells([0], [1], [2], [0, 1], [1, 2], **edges) == [
        "below 30",
        "[30, 37.5)",
        "from 37.5",
        "below 37.5",
        "from 30",
    ]


def test_a_value_that_has_a_bin_to_itself():
    edges = (JUST(0.0, 1), 2.0, JUST(2.0, 3), 5.0, JUST(5.0, 6))  # 0, (0, 2), 2, (2, 5), 5, above
    names = cells([0], [1], [2], [3], [4], [5], edges=edges, low=0.0)
    assert names == ["0", "(0, 2)", "2", "(2, 5)", "5", "above 5"]
    assert cells([0, 1], [1, 2], [3, 4], [4, 5], [0, 1, 2], edges=edges, low=0.0) == [
        "below 2", "(0, 2]", "(2, 5]", "from 5", "up to 2",
    ]  # fmt: skip


def test_categories():
    names = cells([0], [1], [2], [0, 2], kind="categorical", counts=(5, 3, 1), categories=("a", "b"))
    assert names == ["a", "b", "<other>", "<other>"]


def test_times():
    assert as_text(1.7e9, "datetime") == "2023-11-14 22:13:20"
    assert as_text(86400.0, "datetime") == "1970-01-02"
    assert as_text(-1.0, "datetime") == "1969-12-31 23:59:59"
    assert as_text(1e300, "datetime") == "1e+300"
    assert as_text(1.7e9, "numeric") == "1.7e+09"


@pytest.mark.parametrize(
    "psi, chance, verdict",
    [
        (0.0, 0.0, "stable"),
        (MODERATE - 1e-9, 0.0, "stable"),
        (MODERATE, 0.0, "moderate"),
        (MAJOR - 1e-9, 0.01, "moderate"),
        (MAJOR, 0.01, "major"),
        (0.4, 0.5, "stable"),
    ],
)
def test_drift_is_what_is_large_and_no_chance(psi, chance, verdict):
    assert Limits.of(10).verdict(Shift(psi, 0.0, chance, 0.0, ((0,), (1,)), (0.5, 0.5), (0.5, 0.5))) == verdict


def test_all_checks_together_may_err_once_in_1000_times():
    assert Limits.of(10).level == FALSE_ALARMS / 41


def test_cells_of_categories_have_different_names():
    shares = Shares("categorical", 0, (50, 3, 2, 0), (), ("a", "b", "c"))
    assert [cell_name(shares, g) for g in ([0], [3], [1, 2], [1, 2, 3])] == ["a", "<other>", "<rare>", "<other>"]
