"""Where reports are written."""

from __future__ import annotations

import os

import pytest

from prepkit.errors import PrepkitError
from prepkit.report.files import check_file, write_text


def test_a_file_is_written_and_replaced(tmp_path):
    path = tmp_path / "r.html"
    assert write_text(str(path), "größe \ud800") == path
    assert path.read_text("utf-8") == "größe ?"
    write_text(path, "again")
    assert path.read_text("utf-8") == "again"
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]


def test_a_directory_is_never_replaced(tmp_path):
    for check in (check_file, lambda p: write_text(p, "x")):
        with pytest.raises(PrepkitError, match=r"is a directory: give the name of a file, such as .*report\.html"):
            check(tmp_path)


def test_a_directory_that_is_not_there_is_told(tmp_path):
    with pytest.raises(PrepkitError, match="there is no directory .*nowhere; make it first"):
        check_file(tmp_path / "nowhere" / "r.html")
    (tmp_path / "file").write_text("")
    with pytest.raises(PrepkitError, match="there is no directory"):
        check_file(tmp_path / "file" / "r.html")


def test_checking_writes_nothing(tmp_path):
    check_file(tmp_path / "r.html")
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_written_to_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(PrepkitError, match="is read-only"):
        check_file(tmp_path / "r.html")


def test_a_full_disk_is_told_and_what_was_there_stays(tmp_path, monkeypatch):
    path = write_text(tmp_path / "r.html", "before")

    def full(self, text, *_):
        self.write_bytes(text.encode()[:2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(path), "write_text", full)
    with pytest.raises(PrepkitError, match=r"cannot write .*r\.html: No space left"):
        write_text(path, "after")
    assert path.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]
