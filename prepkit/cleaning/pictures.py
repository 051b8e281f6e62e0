"""The rows that are doubted most, as a table, or where they hold images, as cards."""

from __future__ import annotations

import math
import struct
import zlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from prepkit.cleaning.data import DROP, KEEP, RELABEL, WEIGHT, Cleaning
from prepkit.cleaning.draw import DONE, doubted, meter, named
from prepkit.report.html import Html, Tone, badge, code, details, join, paragraph, section, table, tag, text
from prepkit.report.words import number, plural, short

COLUMNS = 12  # columns of cells in sight
FOLDED = 200  # further columns of a row; a thousand columns of a hundred rows make a page of many megabytes
CHARACTERS = 200  # of a cell
LEAST_SIDE = 4  # pixels: a smaller tensor is a handful of numbers, better read than looked at
MOST_SIDE = 160  # pixels: a hundred pictures make a page of some megabytes; larger ones are averaged
SHOWN_SIDE = 128  # pixels on the page that small pictures are enlarged to
NUMBERS = 6  # first numbers that are told of a tensor that is no picture
TONES: dict[str, Tone] = {RELABEL: "info", DROP: "warning", WEIGHT: "info", KEEP: "plain"}


@dataclass(frozen=True)
class Row:
    """A doubted row; see `Cleaning.label_issues` for the first nine."""

    key: Any
    row: int
    given: str
    suggested: str
    self_confidence: float
    confidence: float
    action: str
    weight: float
    reason: str
    cells: Mapping[str, Any]


def rows_of(cleaning: Cleaning, limit: int) -> list[Row]:
    """The first `limit` doubted rows, as far as their cells were kept; where none were, without any."""
    issues = {name: np.asarray(values) for name, values in cleaning.issues.items()}
    shown = {name: np.asarray(values) for name, values in cleaning.shown.items()}
    return [
        Row(
            key=issues["key"][i],
            row=int(issues["row"][i]),
            given=str(issues["given"][i]),
            suggested=str(issues["suggested"][i]),
            self_confidence=float(issues["self_confidence"][i]),
            confidence=float(issues["confidence"][i]),
            action=str(issues["action"][i]),
            weight=float(issues["weight"][i]),
            reason=str(issues["reason"][i]),
            cells={name: values[i] for name, values in shown.items()},
        )
        for i in range(min([limit, doubted(cleaning), *map(len, shown.values())]))
    ]


def scales_of(cleaning: Cleaning, rows: Sequence[Row]) -> dict[str, Shades]:
    """For each column of images, which numbers of `rows` are black and white."""
    columns = {name: np.asarray(cells) for name, cells in cleaning.shown.items()} if rows else {}
    return {name: shades(cells[: len(rows)]) for name, cells in columns.items() if is_picture(cells)}


def most_doubted(cleaning: Cleaning, rows: Sequence[Row], scales: Mapping[str, Shades]) -> Html:
    """The section about `rows`: as cards where they hold images, else as a table."""
    n, heading = doubted(cleaning), "The most doubted rows"
    if not n:
        return section(heading, paragraph(badge("good", "none"), " No label is doubted."), id_="doubted")
    words = f"{len(rows):,} of {plural(n, 'doubted row')}, the most doubted first; all are in prepared.label_issues."
    parts = [paragraph(words if cleaning.shown else f"{words} Their raw cells were not kept.", class_="note")]
    if rows:
        parts += _keys(rows[0])
    if scales:
        ranges = (f"{name}: {number(s.black)} to {number(s.white)}" for name, s in scales.items())
        parts.append(paragraph(f"Black to white stands for {'; '.join(ranges)}.", class_="note"))
        parts.append(tag("div", *(_card(row, scales) for row in rows), class_="cards"))
    elif rows:
        parts.append(_table(rows, cleaning.shown))
    return section(heading, *parts, id_="doubted")


def _keys(row: Row) -> list[Html]:
    """What keys are for, and how that is written for `row`."""
    key = repr(row.key.item() if isinstance(row.key, np.generic) else row.key)
    words = paragraph(
        "To keep the given label of a row that was doubted wrongly, put its key into ",
        tag("code", "CleanLabels(revert=[...])"),
        "; to say which label is true, put both into ",
        tag("code", "CleanLabels(confirmed={key: label})"),
        ", and prepare again.",
    )
    given = f"pk.CleanLabels(revert=[{key}])  # {row.given!r} is true"
    suggested = f"pk.CleanLabels(confirmed={{{key}: {row.suggested!r}}})  # {row.suggested!r} is true"
    return [words, code(f"{given}\n{suggested}")]


def _table(rows: Sequence[Row], shown: Mapping[str, Any]) -> Html:
    names = list(shown)
    heads = ["key", "row", "given", "suggested", "probability", "done and why", *map(named, names[:COLUMNS])]
    folded = len(names) > COLUMNS
    body = []
    for row in rows:
        cells = [_cell(row.cells[name]) for name in names[:COLUMNS]]
        why = join([_action(row), tag("div", row.reason)])
        said = [named(row.given), named(row.suggested), _meters(row), tag("div", why, class_="cell")]
        more = [_more(row, names[COLUMNS:])] if folded else []
        body.append([_key(row), str(row.row), *said, *cells, *more])
    right = [i + 6 for i, name in enumerate(names[:COLUMNS]) if _is_number(np.asarray(shown[name]))]
    return table([*heads, *([f"{len(names) - COLUMNS:,} more"] * folded)], body, numbers=(1, *right))


def _card(row: Row, scales: Mapping[str, Shades]) -> Html:
    """A row with images: these, and beside them what is said about it."""
    head = tag("h3", named(row.given), " → ", named(row.suggested))
    alt = f"row {row.row}, given {short(row.given, 60)}, suggested {short(row.suggested, 60)}"
    drawn = [picture(row.cells[name], scale, f"{name} of {alt}") for name, scale in scales.items()]
    rest = [name for name in row.cells if name not in scales]
    said = [_meters(row), tag("p", row.reason)]
    if rest:
        said.append(_facts(row, rest[:COLUMNS]))
    if rest[COLUMNS:]:
        said.append(_more(row, rest[COLUMNS:]))
    body = tag("div", tag("div", *drawn), tag("div", *said), class_="doubted")
    return tag(
        "article", tag("div", head, _action(row), class_="head"), _key(row, f" row {row.row}"), body, class_="card"
    )


def _action(row: Row) -> Html:
    words = DONE.get(row.action, row.action)
    return badge(TONES.get(row.action, "plain"), f"weight × {row.weight:.2g}" if row.action == WEIGHT else words)


def _meters(row: Row) -> Html:
    return tag("div", meter("given", row.self_confidence), meter("suggested", row.confidence), class_="meters")


def _more(row: Row, names: Sequence[str]) -> Html:
    rest = len(names) - FOLDED
    parts = [paragraph(f"and {plural(rest, 'more column')}", class_="note")] if rest > 0 else []
    return details(f"{len(names):,} more cells", _facts(row, names[:FOLDED]), *parts)


def _facts(row: Row, names: Sequence[str]) -> Html:
    facts = (tag("div", tag("dt", named(name)), tag("dd", _cell(row.cells[name]))) for name in names)
    return tag("dl", *facts, class_="facts")


def _key(row: Row, *more: str) -> Html:
    return tag("div", tag("code", short(str(row.key), CHARACTERS)), *more, class_="cell key-of")


def _cell(value: Any) -> Html:
    """A raw cell as it is, cut where it is long."""
    if isinstance(value, np.ndarray) and value.ndim:
        return tag("div", told(value), class_="cell")
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if value is None or value != value:  # NaN and NaT
        return tag("span", "missing", class_="nothing")
    said = str(value)
    if isinstance(value, float | np.floating) and len(said) > 12:
        said = f"{value:.10g}"
    numeric = isinstance(value, bool | int | float | np.number | np.bool_)
    return tag("span", said) if numeric else tag("div", short(said, CHARACTERS), class_="cell")


def _is_number(values: np.ndarray) -> bool:
    return values.ndim == 1 and values.dtype.kind in "biuf"


def is_picture(values: np.ndarray) -> bool:
    """Whether tensors (n, ...) can be looked at: (n, h, w) or (n, h, w, 1, 3 or 4) of numbers."""
    shape = values.shape[1:]
    right = len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4))
    return right and min(shape[:2]) >= LEAST_SIDE and values.dtype.kind in "biuf"


@dataclass(frozen=True)
class Shades:
    """Which numbers of a column of pictures are drawn black and white.

    Args:
        black: this and what is below.
        white: this and what is above.
    """

    black: float
    white: float


def shades(values: np.ndarray) -> Shades:
    """0 to 1 or 0 to 255 where the numbers of all pictures fill most of that, else from the least to the most.

    Example:
        >>> import numpy as np
        >>> shades(np.array([[0.0, 0.9]])), shades(np.array([[0, 16]])), shades(np.array([[-3.0, np.nan, 2.0]]))
        (Shades(black=0.0, white=1.0), Shades(black=0.0, white=16.0), Shades(black=-3.0, white=2.0))
    """
    finite = values[np.isfinite(values)].astype(np.float64)
    if not len(finite):
        return Shades(0.0, 1.0)
    low, high = float(finite.min()), float(finite.max())
    for usual in (1.0, 255.0):
        if low >= 0 and usual / 2 < high <= usual:
            return Shades(0.0, usual)
    return Shades(low, high)


def picture(pixels: np.ndarray, scale: Shades, alt: str) -> Html:
    """Pixels (h, w) or (h, w, 1, 3 or 4) of any number type as an image; what is not finite is drawn black."""
    drawn = _bytes(pixels, scale)
    high, wide = drawn.shape[:2]
    times = max(1, SHOWN_SIDE // max(high, wide))
    size = f'width="{times * wide}" height="{times * high}"'
    data = b64encode(png(drawn)).decode()
    return Html(f'<img class="pixels" {size} alt="{text(alt)}" src="data:image/png;base64,{data}">')


def _bytes(pixels: np.ndarray, scale: Shades) -> np.ndarray:
    """uint8 of the same shape, averaged down to `MOST_SIDE`."""
    x = pixels.astype(np.float64)
    x = np.clip(np.where(np.isfinite(x), x, scale.black), scale.black, scale.white)
    half = scale.white / 2 - scale.black / 2  # the whole may exceed a float
    x = (x / 2 - scale.black / 2) / half if half > 0 else np.zeros_like(x)
    k = math.ceil(max(pixels.shape[:2]) / MOST_SIDE)
    if k > 1:
        more = [(0, -n % k) for n in x.shape[:2]] + [(0, 0)] * (x.ndim - 2)
        x = np.pad(x, more, mode="edge")
        x = x.reshape(x.shape[0] // k, k, x.shape[1] // k, k, *x.shape[2:]).mean((1, 3))
    return np.round(255 * x).astype(np.uint8)


def png(pixels: np.ndarray) -> bytes:
    """uint8 (h, w), or (h, w, 1, 3 or 4), as PNG; by hand, since TensorFlow takes seconds to import.

    Example:
        >>> import numpy as np
        >>> png(np.zeros((2, 3), np.uint8))[:8]
        b'\\x89PNG\\r\\n\\x1a\\n'

    Source: W3C, Portable Network Graphics (PNG) Specification (Second Edition), 2003, sections 5, 9 and 11.2.
    """
    high, wide = pixels.shape[:2]
    depth = pixels.shape[2] if pixels.ndim == 3 else 1
    colour = {1: 0, 3: 2, 4: 6}[depth]
    lines = pixels.reshape(high, wide * depth)
    unfiltered = np.concatenate([np.zeros((high, 1), np.uint8), lines], axis=1).tobytes()  # filter 0 before each line
    head = struct.pack(">IIBBBBB", wide, high, 8, colour, 0, 0, 0)
    chunks = (b"IHDR", head), (b"IDAT", zlib.compress(unfiltered)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def told(tensor: np.ndarray) -> Html:
    """A tensor that is no picture: its shape, its range, its first numbers."""
    shape = "x".join(map(str, tensor.shape))
    first = ", ".join(str(v) if tensor.dtype.kind not in "fiu" else number(float(v)) for v in tensor.flat[:NUMBERS])
    more = ", …" if tensor.size > NUMBERS else ""
    said = [tag("small", f"{shape} {tensor.dtype}")]
    if tensor.dtype.kind in "biuf" and np.isfinite(tensor).any():
        finite = tensor[np.isfinite(tensor)].astype(np.float64)
        said.append(tag("span", f"{number(float(finite.min()))} to {number(float(finite.max()))}"))
    return join([*said, tag("small", f"{short(first, 120)}{more}" if first else "no numbers")], " ")
