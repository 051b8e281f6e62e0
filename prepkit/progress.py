"""Progress bars on long work: on a terminal only, and not if PREPKIT_PROGRESS=0."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def track(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """Pass `items` on, drawing a bar of `total` steps (None if unknown) on standard error."""
    if not sys.stderr.isatty() or os.environ.get("PREPKIT_PROGRESS") == "0":
        yield from items
        return
    from rich.console import Console
    from rich.progress import track as rich_track

    yield from rich_track(items, what, total, console=Console(stderr=True), transient=True)
