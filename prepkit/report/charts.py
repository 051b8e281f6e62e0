"""Histograms and quantiles as inline SVG: numbers in, markup out; every bar says what it is when pointed at."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Sequence

from prepkit.report.html import Html, join, tag, text
from prepkit.report.style import CLASSES
from prepkit.report.words import number, plural, share, short

WIDTH, HEIGHT = 340, 132  # of a histogram, in its own units, about pixels
LEFT, RIGHT, TOP, BOTTOM = 46, 8, 8, 34
KEY = 24  # characters of the name of a class where it is pointed at
LEAST = 0.8  # height of a bar of few rows: it is to be seen


def tone(i: int, n: int) -> str:
    """The class in the style sheet of class `i` of `n`: colour and pattern; the last is shared by all beyond it."""
    return "k" if not n else f"k{min(i, CLASSES - 1)}"


def legend(classes: Sequence[str], counts: Sequence[int] = ()) -> Html:
    """What the colours and patterns stand for."""
    shown = list(classes) if len(classes) <= CLASSES else [*classes[: CLASSES - 1], "the other classes"]
    total = sum(counts)
    shares = [f" {share(n, total)}" for n in counts] if counts and len(classes) <= CLASSES else [""] * len(shown)
    items = (
        tag("span", _swatch(tone(i, len(shown))), short(name, 40), note, class_="key")
        for i, (name, note) in enumerate(zip(shown, shares, strict=True))
    )
    return tag("p", *items, class_="legend")


def histogram(
    counts: Sequence[int],
    edges: Sequence[float],
    *,
    ticks: Sequence[str] = (),
    names: Sequence[str] = (),
    by_class: Sequence[Sequence[int]] = (),
    classes: Sequence[str] = (),
    x: str = "",
    y: str = "rows",
) -> Html:
    """Bars side by side, as high as their rows, stacked by class.

    Args:
        counts: rows of each bin.
        edges: of the bins, one more than bins; the outermost bins may reach further than the others, and are then
            set apart.
        ticks: the edges as text, where `words.number` does not say them.
        names: of the bins, as "[0, 10)"; by default made of their edges.
        by_class: for each class the rows of each bin.
        classes: the name of each class.
        x: what the bins are of, with its unit.
        y: what is counted.
    """
    if not counts:
        return nothing("no values to draw")
    top, n = max(*counts, 1), len(counts)
    wide, high = (WIDTH - LEFT - RIGHT) / n, HEIGHT - TOP - BOTTOM
    ticks = ticks or [number(e) for e in edges]
    names = names or [f"{low} to {high}" for low, high in itertools.pairwise(ticks)]
    far = _far(edges)
    parts = [*_y_axis(top, y), *_x_axis(ticks, far, x)]
    parts += _stacked(counts, by_class or [counts], top, wide, high, len(classes) if by_class else 0)
    parts += [_cut(LEFT + wide)] * far[0] + [_cut(WIDTH - RIGHT - wide)] * far[1]
    lines = told(names, counts, y, by_class, classes)
    parts.append(tag("g", *(_hit(LEFT + i * wide, TOP, wide, high, t) for i, t in enumerate(lines)), class_="hit"))
    title = f"{y} by {x or 'bin'}: {n} bars, the highest of {top:,}"
    return _svg(WIDTH, HEIGHT, parts, title, "chart")


def told(
    names: Sequence[str],
    counts: Sequence[int],
    y: str,
    by_class: Sequence[Sequence[int]],
    classes: Sequence[str],
    whole: int = 0,
) -> list[str]:
    """What each bar is, with its rows of each class."""
    total, keys = whole or sum(counts), [short(c, KEY) for c in classes]
    out = []
    for i, (name, count) in enumerate(zip(names, counts, strict=True)):
        line = f"{name}: {plural(count, y.removesuffix('s'), y)}, {share(count, total)}"
        parts = [f"{key}: {rows[i]:,}" for key, rows in zip(keys, by_class, strict=False) if count]
        out.append("\n".join([line, *parts]))
    return out


def _stacked(
    counts: Sequence[int], stacks: Sequence[Sequence[int]], top: int, wide: float, high: float, n: int
) -> list[Html]:
    """One path for each class: a page of a thousand columns stays small."""
    bottom, gap = HEIGHT - BOTTOM, min(1.0, wide / 6)
    floor = [float(bottom)] * len(counts)
    out = []
    for k, rows in enumerate(stacks):
        steps = []
        for i, count in enumerate(rows):
            if count <= 0:
                continue
            tall = max(LEAST, high * counts[i] / top) * count / max(1, counts[i])
            floor[i] -= tall
            left, across = LEFT + i * wide + gap / 2, wide - gap
            steps.append(f"M{left:.1f} {floor[i]:.1f}h{across:.1f}v{tall:.1f}h-{across:.1f}z")
        if steps:
            out.append(Html(f'<path class="{tone(k, n)}" d="{"".join(steps)}"/>'))
    return out


def _y_axis(top: int, y: str) -> list[Html]:
    bottom = HEIGHT - BOTTOM
    middle = (TOP + bottom) / 2
    lines = "".join(f"M{LEFT} {v:.1f}H{WIDTH - RIGHT}" for v in (TOP, middle, bottom))
    return [
        Html(f'<path class="grid" d="{lines}"/>'),
        _label(LEFT - 4, TOP + 4, _compact(top), "end"),
        _label(LEFT - 4, bottom, "0", "end"),
        Html(
            f'<text class="axis" x="10" y="{middle:.0f}" transform="rotate(-90 10 {middle:.0f})" '
            f'text-anchor="middle">{text(y)}</text>'
        ),
    ]


def _far(edges: Sequence[float]) -> tuple[bool, bool]:
    """Whether the first and the last bin are wider than their neighbours, and so reach beyond the scale."""
    widths = [high / 2 - low / 2 for low, high in itertools.pairwise(edges)]
    if len(widths) < 3:
        return False, False
    return widths[0] > 1.5 * widths[1], widths[-1] > 1.5 * widths[-2]


def _cut(x: float) -> Html:
    """The line beyond which the scale ends."""
    return Html(f'<path class="cut" d="M{x:.1f} {TOP - 4}V{HEIGHT - BOTTOM + 4}"/>')


def _x_axis(ticks: Sequence[str], far: tuple[bool, bool], x: str) -> list[Html]:
    place, middle = HEIGHT - BOTTOM + 12, (LEFT + WIDTH - RIGHT) / 2
    first = f"< {short(ticks[1], 16)}" if far[0] else short(ticks[0], 16)
    last = f"≥ {short(ticks[-2], 16)}" if far[1] else short(ticks[-1], 16)
    out = [_label(LEFT, place, first, "start"), _label(WIDTH - RIGHT, place, last, "end")]
    if len(ticks) % 2 and len(ticks) > 4 and len(first) + len(last) < 24:
        out.append(_label(middle, place, short(ticks[len(ticks) // 2], 16), "middle"))
    if x:
        out.append(_label(middle, HEIGHT - 6, short(x, 44), "middle", "axis"))
    return out


def strip(
    values: Sequence[float],
    names: Sequence[str],
    *,
    said: Sequence[str] = (),
    edges: Sequence[float] = (),
    x: str = "",
) -> Html:
    """Quantiles along a line: a thin line over all, a thicker one over most, a box over the middle half.

    Args:
        values: an odd number of rising quantiles, the median in the middle, its neighbours the quartiles.
        names: of each: "smallest", "1 %", ..., "median", ...
        said: each as text, where `words.number` does not say it.
        edges: of the histogram above, whose scale is used; by default from the smallest to the largest.
        x: what they are of, with its unit.
    """
    if len(values) < 3 or len(values) % 2 == 0 or not all(map(math.isfinite, values)):
        return nothing("no quantiles")
    m, scale = len(values) // 2, edges or (values[0], values[-1])
    at = [LEFT + (WIDTH - LEFT - RIGHT) * _along(v, scale) for v in values]
    parts = [Html(f'<path class="whisker" d="M{at[0]:.1f} 10H{at[-1]:.1f}"/>')]
    if m > 2:
        parts.append(Html(f'<path class="most" d="M{at[2]:.1f} 10H{at[-3]:.1f}"/>'))
    parts += [
        Html(f'<rect class="box" x="{at[m - 1]:.1f}" y="3" width="{max(at[m + 1] - at[m - 1], 1):.1f}" height="14"/>'),
        Html(f'<path class="median" d="M{at[m]:.1f} 2V18"/>'),
    ]
    said = said or [number(v) for v in values]
    every = "\n".join(f"{name}: {v}" for name, v in zip(names, said, strict=True))
    parts.append(tag("g", _hit(LEFT, 0, WIDTH - LEFT - RIGHT, 20, every), class_="hit"))
    words = f"median {short(said[m], 16)}, half from {short(said[m - 1], 16)} to {short(said[m + 1], 16)}"
    parts.append(_label((LEFT + WIDTH - RIGHT) / 2, 32, words, "middle"))
    return _svg(WIDTH, 36, parts, f"quantiles of {x or 'the values'}", "chart")


def _along(value: float, edges: Sequence[float]) -> float:
    """How far (0 to 1) along bins of one drawn width a value lies, whatever their widths in numbers."""
    n = len(edges) - 1
    if not edges[0] < edges[-1]:
        return 0.5
    i = min(max(bisect.bisect_right(edges, value) - 1, 0), n - 1)
    low, high = edges[i], edges[i + 1]
    within = (value / 2 - low / 2) / (high / 2 - low / 2) if low < high else 0.0
    return (i + min(1.0, max(0.0, within))) / n


def _svg(width: int, height: int, parts: Sequence[str], title: str, class_: str) -> Html:
    head = f'<svg class="{class_}" viewBox="0 0 {width} {height}" role="img" aria-label="{text(title)}">'
    return Html(f"{head}{join(parts)}</svg>")


def _hit(x: float, y: float, width: float, height: float, title: str) -> Html:
    """Where `title` is shown."""
    place = f'x="{x:.1f}" y="{y:.0f}" width="{width:.1f}" height="{height:.0f}"'
    return Html(f"<rect {place}>{tag('title', title)}</rect>")


def _label(x: float, y: float, words: str, anchor: str, class_: str = "tick") -> Html:
    return Html(f'<text class="{class_}" x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{text(words)}</text>')


def _swatch(look: str) -> Html:
    return Html(f'<svg width="14" height="12" aria-hidden="true"><rect class="{look}" width="14" height="12"/></svg>')


def nothing(words: str) -> Html:
    return tag("p", words, class_="nothing")


def _compact(n: int) -> str:
    """A count that fits beside an axis: 950, 12.3k, 3.4M.

    Example:
        >>> [_compact(n) for n in (0, 950, 12_345, 999_999, 3_400_000)]
        ['0', '950', '12.3k', '1M', '3.4M']
    """
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if n >= 0.9995 * size:
            return f"{n / size:.3g}{unit}" if n / size < 100 else f"{n / size:.0f}{unit}"
    return str(n)
