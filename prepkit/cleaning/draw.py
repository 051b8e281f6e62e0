"""What was found in the labels and done about it: in words, for a terminal, and as charts of a page."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich import box
from rich.cells import cell_len, set_cell_size
from rich.console import Group as Lines
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from prepkit.cleaning.data import ACTIONS, DROP, KEEP, NOTHING, RELABEL, WEIGHT, Candidate, Cleaning, Noise
from prepkit.cleaning.words import TITLES
from prepkit.report.findings import as_lines, grouped
from prepkit.report.html import Html, tag
from prepkit.report.words import percent, plural, share, short

PAIRS = 5  # pairs of classes that a terminal shows
NAME = 20  # characters of the name of a class there: two, and what was done, fit into 80
DONE = {RELABEL: "relabelled", DROP: "left out", WEIGHT: "weighted down", KEEP: "kept"}
DARKEST = 0.1  # share of mistakes at which cells are darkest, at least: a matrix of few mistakes is to look like it
OPACITY = 0.6  # of the darkest cell: the number on it stays readable, on light and dark grounds
FAINT = 0.001  # share below which numbers step back, so that the others are found
BESIDE = 18  # characters of the name of a class beside the matrix
LETTER = 6.2  # width of a character there, in its units


@dataclass(frozen=True)
class Pair:
    """Doubted rows of one given and one suggested label.

    Args:
        given: the class that the rows have.
        suggested: the class that is more probable.
        doubted: how many rows there are.
        done: for each of `ACTIONS` that occurs, how many of them.
    """

    given: str
    suggested: str
    doubted: int
    done: Counter[str]


def doubted(cleaning: Cleaning) -> int:
    """How many rows are doubted."""
    return len(cleaning.issues.get("key", ()))


def by_action(cleaning: Cleaning) -> Counter[str]:
    """How many doubted rows each of `ACTIONS` has met."""
    return Counter(map(str, np.asarray(cleaning.issues.get("action", ())).tolist()))


def pairs(cleaning: Cleaning) -> list[Pair]:
    """The doubted rows by given and suggested label, the pair of most rows first."""
    return [
        Pair(p["given"], p["suggested"], p["doubted"], Counter({a: p[a] for a in ACTIONS if a in p}))
        for p in cleaning.pairs
    ]


def changed(cleaning: Cleaning) -> str:
    """How many rows were changed, and how: "23 rows relabelled, 41 left out"; "" of none."""
    counts = by_action(cleaning)
    some = [(counts[a], DONE[a]) for a in DONE if a != KEEP and counts[a]]
    return ", ".join([f"{plural(n, 'row') if not i else f'{n:,}'} {word}" for i, (n, word) in enumerate(some)])


def done(cleaning: Cleaning) -> str:
    """What was asked and what came of it, in one line.

    Example:
        >>> import numpy as np
        >>> noise = Noise(np.eye(2), 0.0, (0.0, 0.0))
        >>> done(Cleaning("report", "nothing", "", 9, 1.0, 0.5, ("a", "b"), noise, (), (), {"key": ["k"]}, {}, None))
        'report: nothing was changed, as asked'
    """
    asked, taken = cleaning.action, cleaning.taken
    if said := changed(cleaning):
        return f"{asked}: {said}" if asked == taken else f"{asked} took {taken}: {said}"
    return f"{asked}: nothing was changed{_why(cleaning)}"


def _why(cleaning: Cleaning) -> str:
    if not doubted(cleaning):
        return ", since no label is doubted"
    if cleaning.action == "report":
        return ", as asked"
    if cleaning.action != "auto":
        return ""
    if not any(c.action != NOTHING for c in cleaning.candidates):
        return ", and no treatment was compared"
    return ", since no treatment beat leaving the labels as they are beyond the noise of the comparison"


def wrong(noise: Noise) -> str:
    """The estimated share of wrong labels: "about 9.2 % (7.1 % to 11.4 %), approximate"."""
    if not math.isfinite(noise.rate):
        return "not estimated"
    low, high = noise.interval
    within = f" ({percent(low)} to {percent(high)})" if math.isfinite(low) and math.isfinite(high) else ""
    return f"about {percent(noise.rate)}{within}{', approximate' if noise.approximate else ''}"


def points(share_: float) -> str:
    """A share of rows in points, with its sign.

    Example:
        >>> points(0.0123), points(-0.002), points(0.0), points(float("nan"))
        ('+1.23', '-0.20', '0.00', '–')
    """
    if not math.isfinite(share_):
        return "–"
    said = f"{100 * share_:+.2f}"
    return "0.00" if said in ("+0.00", "-0.00") else said


def gain(candidate: Candidate) -> str:
    """The gain of a treatment in points, with its standard error; the others are compared with "nothing"."""
    if candidate.action == NOTHING:
        return "reference"
    return f"{points(candidate.gain)} ± {points(candidate.error).lstrip('+')}"


def summary(cleaning: Cleaning) -> RenderableType:
    """The main facts for a terminal: what was done, what it rests on, what was compared, what else is to be known."""
    n = doubted(cleaning)
    head = Text.assemble((done(cleaning), "bold"))
    head.append(f"\n{plural(cleaning.rows, 'row')}: {n:,} doubted ({share(n, cleaning.rows)}); ")
    head.append(f"share of wrong labels, estimated: {wrong(cleaning.noise)}")
    head.append(f"\nprobabilities: {short(cleaning.source, 200)}; out of sample {percent(cleaning.accuracy)} accurate")
    head.append(f", by chance {percent(cleaning.chance)}")
    parts: list[RenderableType] = [head]
    if cleaning.candidates:
        parts += ["", _compared(cleaning.candidates)]
    if found := pairs(cleaning):
        parts += ["", _pairs(found)]
    if cleaning.findings:
        parts += ["", as_lines(grouped(cleaning.findings), TITLES)]
    return Lines(*parts)


def _compared(candidates: Sequence[Candidate]) -> Table:
    out = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False, show_edge=False)
    for name, justify in (("treatment", "left"), ("rows", "right"), ("gain in points", "left"), ("", "left")):
        out.add_column(name, justify=justify)  # type: ignore[arg-type]
    for c in candidates:
        out.add_row(Text(c.action), f"{c.rows:,}", Text(gain(c)), Text("✔ taken" if c.taken else "", "green"))
    return out


def _pairs(found: Sequence[Pair]) -> Table:
    """The most frequent pairs of classes."""
    out = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False, show_edge=False)
    for name, justify in (("given", "left"), ("suggested", "left"), ("doubted", "right"), ("done", "left")):
        out.add_column(name, justify=justify, no_wrap=True, overflow="ellipsis")  # type: ignore[arg-type]
    for pair in found[:PAIRS]:
        said = ", ".join(f"{pair.done[a]:,} {DONE[a]}" for a in DONE if pair.done[a])
        out.add_row(Text(short(pair.given, NAME)), Text(short(pair.suggested, NAME)), f"{pair.doubted:,}", Text(said))
    if rest := found[PAIRS:]:
        rows = sum(pair.doubted for pair in rest)
        out.add_row(Text(f"{plural(len(rest), 'more pair')}", "dim"), "", f"{rows:,}", "")
    return out


def named(words: str) -> Html:
    """A name that may be written from right to left, without turning what stands around it."""
    return tag("bdi", short(str(words), 60), class_="name")


def heat(shares: np.ndarray, names: Sequence[str]) -> Html:
    """A matrix of shares as shaded cells with their percentages, the diagonal outlined.

    Args:
        shares: float64 (k, k), 0 to 1; rows are given labels, columns true ones. NaN is drawn as a dash.
        names: of the k classes.
    """
    k, cut = len(names), [_fitting(name, BESIDE) for name in names]
    wide, high = (84, 34) if k <= 6 else (46, 26)
    longest = LETTER * max(map(cell_len, cut))
    flat = longest < wide
    left, top = round(32 + longest), 36 if flat else round(28 + 0.72 * longest)
    wrong = np.nan_to_num(np.where(np.eye(k, dtype=bool), 0.0, shares))
    most = max(DARKEST, float(wrong.max(initial=0.0)))
    parts = [_words(left + k * wide / 2, 11, "true label", class_="axis")]
    parts += [_words(12, top + k * high / 2, "given label", turn=-90, class_="axis")]
    for i, name in enumerate(cut):
        x = left + (i + 0.5) * wide
        parts.append(_words(x, top - 7, name) if flat else _words(x, top - 7, name, anchor="start", turn=-45))
        parts.append(_words(left - 6, top + (i + 0.5) * high + 4, name, anchor="end"))
    for i in range(k):
        for j in range(k):
            said = f"true {short(names[j], 40)}, given {short(names[i], 40)}: {percent(float(shares[i, j]))}"
            place = (left + j * wide, top + i * high, wide, high)
            parts.append(_shade(place, float(shares[i, j]), float(wrong[i, j]) / most, i == j, said))
    beyond = 4 if flat else round(0.72 * longest)  # the name of the last class, turned, leaves its column
    width, height = left + k * wide + beyond, top + k * high + 4
    size = {"viewBox": f"0 0 {width} {height}", "width": str(width), "height": str(height)}
    return tag("svg", *parts, class_="heat", role="img", aria_label=_alternative(shares, wrong, names), **size)


def _alternative(shares: np.ndarray, wrong: np.ndarray, names: Sequence[str]) -> str:
    """The matrix in a sentence, for those who do not see it."""
    said = f"noise matrix of {plural(len(names), 'class', 'classes')}, given label by true label"
    if not wrong.any():
        return f"{said}: no mistakes"
    right = [v for v in np.diagonal(shares).tolist() if math.isfinite(v)] or [math.nan]
    i, j = divmod(int(wrong.argmax()), len(names))
    most = f"true {short(names[j], 40)}, given {short(names[i], 40)}, {percent(float(wrong[i, j]))}"
    return f"{said}: right {percent(min(right))} to {percent(max(right))} of a class; the most frequent mistake: {most}"


def _shade(place: tuple[float, float, int, int], value: float, depth: float, right: bool, said: str) -> Html:
    """One cell; `depth` is its shade, 0 to 1."""
    x, y, wide, high = place
    # The outline of the diagonal lies within its cell, where no neighbour is drawn over it.
    inset = 1 if right else 0
    box = {"x": f"{x + inset:.1f}", "y": f"{y + inset:.1f}"}
    box |= {"width": str(wide - 2 * inset), "height": str(high - 2 * inset)}
    look = {"class_": "right"} if right else {"class_": "mistake", "fill_opacity": f"{OPACITY * depth:.3f}"}
    faint = "none" if value < FAINT else ""
    number = _words(x + wide / 2, y + high / 2 + 4, percent(value) if value else "0", class_=faint)
    return tag("g", tag("title", said), tag("rect", **look, **box), number)


def _words(x: float, y: float, words: str, *, anchor: str = "middle", turn: int = 0, class_: str = "") -> Html:
    about = f"rotate({turn} {x:.1f} {y:.1f})" if turn else ""
    return tag("text", words, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor, transform=about, class_=class_)


def _fitting(name: str, cells: int) -> str:
    """`name` cut to what fits, where some characters are twice as wide as others."""
    line = short(name, cells)
    return line if cell_len(line) <= cells else f"{set_cell_size(line, cells - 1).rstrip()}…"


def meter(words: str, fraction: float) -> Html:
    """A fraction (0 to 1; NaN is drawn as none) as a thin bar with its words and number."""
    wide = f"{100 * min(1.0, max(0.0, fraction if math.isfinite(fraction) else 0.0)):.1f}%"
    bar = Html(
        f'<svg class="thin" width="100%" height="6" aria-hidden="true"><rect class="rest" width="100%" height="6"/>'
        f'<rect class="part" width="{wide}" height="6"/></svg>'
    )
    return tag("div", tag("span", f"{words} {percent(fraction)}"), bar, class_="share")
