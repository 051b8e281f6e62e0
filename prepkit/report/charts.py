"""Charts as inline SVG: plain numbers in, markup out; every bar says what it is when pointed at."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from prepkit.report.html import Html, join, tag, text
from prepkit.report.style import CLASSES
from prepkit.report.words import number, plural, share, short

WIDTH, HEIGHT = 340, 132  # of a histogram, in its own units, about pixels
LEFT, RIGHT, TOP, BOTTOM = 46, 8, 8, 34
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
    ticks: Sequence[str],
    *,
    names: Sequence[str] = (),
    by_class: Sequence[Sequence[int]] = (),
    classes: Sequence[str] = (),
    x: str = "",
    y: str = "rows",
) -> Html:
    """Bars side by side, as high as their rows, stacked by class.

    Args:
        counts: rows of each bin.
        ticks: the edges of the bins as text, one more than bins.
        names: of the bins, as "[0, 10)"; by default made of their edges.
        by_class: for each class the rows of each bin.
        classes: the name of each class.
        x: what the bins are of, with its unit.
        y: what is counted.
    """
    if not counts:
        return _nothing("no values to draw")
    top, n = max(max(counts), 1), len(counts)
    wide, high = (WIDTH - LEFT - RIGHT) / n, HEIGHT - TOP - BOTTOM
    names = names or [f"{low} to {high}" for low, high in itertools.pairwise(ticks)]
    parts = [*_y_axis(top, y), *_x_axis(ticks, x)]
    stacks = by_class or [counts]
    parts += _stacked(counts, stacks, top, wide, high, len(classes) if by_class else 0)
    total = sum(counts)
    for i, count in enumerate(counts):
        said = f"{names[i]}: {plural(count, y.removesuffix('s'), y)}, {share(count, total)}"
        said += "".join(f"\n{name}: {rows[i]:,}" for name, rows in zip(classes, by_class, strict=False))
        parts.append(_rect(LEFT + i * wide, TOP, wide, high, "hit", said))
    title = f"{y} by {x or 'bin'}: {n} bars, the highest of {top:,}"
    return _svg(WIDTH, HEIGHT, parts, title, "chart")


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


def _x_axis(ticks: Sequence[str], x: str) -> list[Html]:
    place, middle = HEIGHT - BOTTOM + 12, (LEFT + WIDTH - RIGHT) / 2
    first, last = short(ticks[0], 16), short(ticks[-1], 16)
    out = [_label(LEFT, place, first, "start"), _label(WIDTH - RIGHT, place, last, "end")]
    if len(ticks) % 2 and len(ticks) > 4 and len(first) + len(last) < 20:
        out.append(_label(middle, place, short(ticks[len(ticks) // 2], 16), "middle"))
    if x:
        out.append(_label(middle, HEIGHT - 6, short(x, 44), "middle", "axis"))
    return out


def bars(
    labels: Sequence[str],
    counts: Sequence[int],
    *,
    by_class: Sequence[Sequence[int]] = (),
    classes: Sequence[str] = (),
    tones: Sequence[str] = (),
    what: str = "value",
    y: str = "rows",
    whole: int = 0,
) -> Html:
    """Lying bars with their names, rows and shares: for categories and classes.

    Args:
        labels: the name of each bar.
        counts: its rows.
        by_class: for each class the rows of each bar.
        classes: the name of each class.
        tones: of each bar, where they differ; see `tone`.
        what: what the names are, as the heading of their column.
        y: what is counted.
        whole: what shares are of; by default the sum.
    """
    if not labels:
        return _nothing("no values to draw")
    top, total = max(*counts, 1), whole or sum(counts)
    rows = []
    for i, (label, count) in enumerate(zip(labels, counts, strict=True)):
        stacks = [(k, of_class[i]) for k, of_class in enumerate(by_class)] if by_class else [(i, count)]
        said = f"{label}: {plural(count, y.removesuffix('s'), y)}, {share(count, total)}"
        said += "".join(f"\n{classes[k]}: {part:,}" for k, part in stacks) if by_class else ""
        look = [tone(k, len(classes)) if by_class else tones[i] if tones else "k" for k, _ in stacks]
        drawn = _lying([part / top for _, part in stacks], look, said)
        name = tag("th", short(label, 60), scope="row", title=label if len(label) > 24 else "")
        shares = tag("td", share(count, total), class_="number")
        rows.append(tag("tr", name, tag("td", drawn, class_="bar"), tag("td", f"{count:,}", class_="number"), shares))
    head = tag("tr", tag("th", what), tag("th"), tag("th", y, class_="number"), tag("th", "share", class_="number"))
    return tag("table", tag("thead", head), tag("tbody", *rows), class_="bars")


def _lying(fractions: Sequence[float], tones: Sequence[str], said: str) -> Html:
    """Parts one after the other along a line; widths in percent, so that patterns keep their scale."""
    parts, start = [tag("title", said)], 0.0
    for fraction, look in zip(fractions, tones, strict=True):
        if fraction > 0:
            fraction = max(fraction, 0.005)  # few rows are to be seen
            parts.append(
                Html(f'<rect class="{look}" x="{100 * start:.2f}%" width="{100 * fraction:.2f}%" height="12"/>')
            )
            start += fraction
    return Html(f'<svg class="lying" width="100%" height="12" role="img">{join(parts)}</svg>')


def share_bar(part: int, whole: int, words: str) -> Html:
    """A thin bar of a share, as of missing cells, beside it in words."""
    said = f"{words}: {part:,} of {whole:,} ({share(part, whole)})"
    fraction = min(1.0, part / whole) if whole else 0.0
    drawn = Html(
        f'<svg class="thin" width="100%" height="6" role="img"><title>{text(said)}</title>'
        '<rect class="rest" width="100%" height="6"/>'
        f'<rect class="part" width="{max(100 * fraction, 0.5 if part else 0):.1f}%" height="6"/></svg>'
    )
    return tag("div", tag("span", f"{words} {share(part, whole)}"), drawn, class_="share")


def strip(values: Sequence[float], names: Sequence[str], said: Sequence[str] = (), x: str = "") -> Html:
    """Quantiles along a line: a thin line over all, a thicker one over most, a box over the middle half.

    Args:
        values: an odd number of rising quantiles, the median in the middle, its neighbours the quartiles.
        names: of each: "smallest", "1 %", ..., "median", ...
        said: each as text, where `words.number` does not say it.
        x: what they are of, with its unit.
    """
    if len(values) < 3 or len(values) % 2 == 0 or not all(map(math.isfinite, values)):
        return _nothing("no quantiles")
    low, high, m = values[0], values[-1], len(values) // 2
    span = (high - low) or 1.0

    def at(v: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * ((v / 2 - low / 2) / (span / 2) if high > low else 0.5)

    q1, q3 = at(values[m - 1]), at(values[m + 1])
    parts = [Html(f'<path class="whisker" d="M{at(low):.1f} 10H{at(high):.1f}"/>')]
    if m > 2:
        parts.append(Html(f'<path class="most" d="M{at(values[2]):.1f} 10H{at(values[-3]):.1f}"/>'))
    parts += [
        Html(f'<rect class="box" x="{q1:.1f}" y="3" width="{max(q3 - q1, 1):.1f}" height="14"/>'),
        Html(f'<path class="median" d="M{at(values[m]):.1f} 2V18"/>'),
    ]
    said = said or [number(v) for v in values]
    every = "\n".join(f"{name}: {v}" for name, v in zip(names, said, strict=True))
    parts.append(_rect(LEFT, 0, WIDTH - LEFT - RIGHT, 20, "hit", every))
    middle = f"median {short(said[m], 16)}, half from {short(said[m - 1], 16)} to {short(said[m + 1], 16)}"
    parts.append(_label((LEFT + WIDTH - RIGHT) / 2, 32, middle, "middle"))
    return _svg(WIDTH, 36, parts, f"quantiles of {x or 'the values'}", "chart")


def _svg(width: int, height: int, parts: Sequence[str], title: str, class_: str) -> Html:
    head = f'<svg class="{class_}" viewBox="0 0 {width} {height}" role="img" aria-label="{text(title)}">'
    return Html(f"{head}{join(parts)}</svg>")


def _rect(x: float, y: float, width: float, height: float, class_: str, title: str) -> Html:
    place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return Html(f'<rect class="{class_}" {place}>{tag("title", title)}</rect>')


def _label(x: float, y: float, words: str, anchor: str, class_: str = "tick") -> Html:
    return Html(f'<text class="{class_}" x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{text(words)}</text>')


def _swatch(look: str) -> Html:
    return Html(f'<svg width="14" height="12" aria-hidden="true"><rect class="{look}" width="14" height="12"/></svg>')


def _nothing(words: str) -> Html:
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
