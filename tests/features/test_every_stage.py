import numpy as np
import pytest

from tests import checks


def test_how_many_stages_there_are():
    """Lest one drop out unseen; raise the number with a new stage, and give it a case in tests/checks.py."""
    assert len(checks.column_stages()) == 11
    assert checks.stages_tried() == checks.column_stages()
    assert len(checks.CHECKS) == 10


@pytest.mark.parametrize("check", checks.CHECKS)
@pytest.mark.parametrize("i", range(len(checks.CASES)), ids=map(str, checks.CASES))
def test_stage(i, check):
    checks.CHECKS[check](i)


def test_the_columns_have_every_defect():
    """A check is worth as much as the data that it sees; what is written into one of them raises."""
    data = checks.columns()
    assert np.isnan(data["age"]).any()
    assert np.isinf(data["pay"]).any()
    assert None in data["city"]
    assert "" in data["job"]
    assert np.isnat(data["at"]).any()
    assert np.isnan(data["signal"]).any()
    assert not any(x.flags.writeable for x in data.values())
