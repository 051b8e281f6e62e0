"""Every code has a heading."""

from __future__ import annotations

import re
from pathlib import Path

import prepkit
from prepkit.profiling.titles import TITLES

PACKAGE = Path(prepkit.__path__[0])
SOURCES = [*PACKAGE.glob("profiling/judge/*.py"), PACKAGE / "drift/judge.py"]
CODES = r'"((?:missing|outliers|skew)|[a-z]+\.[a-z_]+)"'


def test_every_code_has_a_heading_and_no_heading_is_without_its_code():
    found = {code for path in SOURCES for code in re.findall(CODES, path.read_text("utf-8"))}
    assert found - set(TITLES) == set()
    assert set(TITLES) - found == set()
    assert len(found) > 60


def test_headings_are_short():
    assert all(title[0].isupper() and len(title) <= 44 for title in TITLES.values())
