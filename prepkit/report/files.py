"""Where reports are written: checked before the work is done, and never half a file."""

from __future__ import annotations

import os
from pathlib import Path

from prepkit.errors import PrepkitError


def check_file(path: str | Path) -> Path:
    """The file that is going to be written or replaced.

    Raises:
        PrepkitError: if `path` is a directory, or stands in none that can be written to.
    """
    path = Path(path)
    if path.is_dir():
        raise PrepkitError(f"{path} is a directory: give the name of a file, such as {path / 'report.html'}.")
    if not path.parent.is_dir():
        raise PrepkitError(f"cannot write {path}: there is no directory {path.parent}; make it first.")
    if not os.access(path.parent, os.W_OK):
        raise PrepkitError(f"cannot write {path}: the directory {path.parent} is read-only.")
    return path


def write_text(path: str | Path, text: str) -> Path:
    """Write `text`, in place of the file that may be there.

    Raises:
        PrepkitError: as `check_file`; if the disk is full or the file is write-protected.
    """
    path = check_file(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_text(text, "utf-8", "replace")
        temporary.replace(path)
    except OSError as error:
        raise PrepkitError(f"cannot write {path}: {error.strerror or error}.") from error
    finally:
        temporary.unlink(missing_ok=True)
    return path
