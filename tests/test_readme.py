"""Every python block of the README and of the site runs, page by page, in one namespace each."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(python|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path) -> list[tuple[str, int, str]]:
    """Each block's language, first line number and content."""
    text = page.read_text("utf-8")
    return [(found[1], text[: found.start(2)].count("\n"), found[2]) for found in BLOCK.finditer(text)]


WITH_CODE = [page for page in PAGES if blocks(page)]


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_code_of_a_page_runs_and_prints_what_the_page_shows(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "page"}
    shown = []
    for language, line, content in blocks(page):
        if language == "python":  # with empty lines before, a traceback has the page's line numbers
            exec(compile("\n" * line + content, page, "exec"), namespace)
        else:
            shown += [s for s in content.splitlines() if s.strip() not in ("", "...")]
    printed = capsys.readouterr().out.splitlines()
    assert [s for s in shown if s not in printed] == []


def test_the_pages_with_code_are_found():
    assert {"README.md", "tutorial.md"} <= {page.name for page in WITH_CODE}


def test_the_first_screen_of_the_readme_has_the_main_job_and_both_commands():
    screen = "\n".join((ROOT / "README.md").read_text("utf-8").splitlines()[:27])
    for words in ("pipeline.prepare(", "model.fit(", "attach(", "make demo", "make test"):
        assert words in screen
