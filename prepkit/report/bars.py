"""Lying bars, with their names and numbers beside them: for categories, classes and shares."""

from __future__ import annotations

from collections.abc import Sequence

from prepkit.report.charts import nothing, told, tone
from prepkit.report.html import Html, join, tag, text
from prepkit.report.words import percent, share, short


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
        return nothing("no values to draw")
    top, total = max(*counts, 1), whole or sum(counts)
    lines = told(labels, counts, y, by_class, classes, total)
    rows = []
    for i, (label, count) in enumerate(zip(labels, counts, strict=True)):
        if by_class:
            parts = [(of_class[i] / top, tone(k, len(classes))) for k, of_class in enumerate(by_class)]
        else:
            parts = [(count / top, tones[i] if tones else "k")]
        name = tag("th", short(label, 60), scope="row", title=label if len(label) > 24 else "")
        shares = tag("td", share(count, total), class_="number")
        bar = tag("td", _lying(parts, lines[i]), class_="bar")
        rows.append(tag("tr", name, bar, tag("td", f"{count:,}", class_="number"), shares))
    head = tag("tr", tag("th", what), tag("th"), tag("th", y, class_="number"), tag("th", "share", class_="number"))
    return tag("table", tag("thead", head), tag("tbody", *rows), class_="bars")


def pairs(
    labels: Sequence[str], before: Sequence[float], after: Sequence[float], names: tuple[str, str], what: str = "value"
) -> Html:
    """Two lying bars for each label, one above the other, with their shares (0 to 1).

    Args:
        labels: the name of each pair.
        before: the shares above.
        after: the shares below.
        names: of the two, as headings of their columns.
        what: what the labels are, likewise.
    """
    if not labels:
        return nothing("nothing to compare")
    top = max(*before, *after, 1e-9)
    rows = []
    for label, p, q in zip(labels, before, after, strict=True):
        said = tag("title", f"{label}: {names[0]} {percent(p)}, {names[1]} {percent(q)}")
        both = (("was", 0, p), ("k", 7, q))
        drawn = (f'<rect class="{c}" y="{y}" width="{100 * v / top:.1f}%" height="6"/>' for c, y, v in both if v > 0)
        svg = Html(f'<svg class="lying" width="100%" height="13" role="img">{said}{"".join(drawn)}</svg>')
        cells = [tag("td", percent(v), class_="number") for v in (p, q)]
        name = tag("th", short(label, 60), scope="row", title=label if len(label) > 24 else "")
        rows.append(tag("tr", name, tag("td", svg, class_="bar"), *cells))
    keys = [tag("th", _key(c), name, class_="number") for c, name in zip(("was", "k"), names, strict=True)]
    head = tag("tr", tag("th", what), tag("th"), *keys)
    return tag("table", tag("thead", head), tag("tbody", *rows), class_="bars")


def _key(look: str) -> Html:
    """A swatch within a line: the upper or the lower bar."""
    y = 0 if look == "was" else 7
    bar = f'<rect class="{look}" y="{y}" width="14" height="6"/>'
    return Html(f'<svg class="in-line" width="14" height="13" aria-hidden="true">{bar}</svg>')


def _lying(drawn: Sequence[tuple[float, str]], said: str) -> Html:
    """Parts one after the other along a line; widths in percent, so that patterns keep their scale."""
    parts, start = [tag("title", said)], 0.0
    for fraction, look in drawn:
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
