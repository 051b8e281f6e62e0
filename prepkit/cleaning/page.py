"""Label review as one page: what was done to the labels and why, and the rows that are doubted most."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from prepkit.cleaning.data import KEEP, NOTHING, Candidate, Cleaning
from prepkit.cleaning.draw import (
    DONE,
    Pair,
    by_action,
    changed,
    done,
    doubted,
    gain,
    heat,
    named,
    pairs,
    points,
    wrong,
)
from prepkit.cleaning.pictures import most_doubted, rows_of, scales_of
from prepkit.cleaning.words import TITLES
from prepkit.errors import PrepkitError
from prepkit.report import html
from prepkit.report.cards import as_cards
from prepkit.report.files import check_file, write_text
from prepkit.report.findings import counted, grouped
from prepkit.report.html import Html, Tone, badge, details, join, paragraph, section, table, tag, tiles
from prepkit.report.words import percent, plural, share

CLASSES = 20  # classes whose percentages can be read side by side
PAIRS, MORE_PAIRS = 12, 200  # pairs of classes in sight, and folded away

# What pages of label review look like beyond `prepkit.report.style`.
STYLE = """
.lead p{margin:.25rem 0;max-width:64rem}
.sideways{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:8px;padding:.7rem .9rem}
.sideways svg{max-width:none}
svg.heat text{fill:var(--ink);font-size:11px}
svg.heat text.axis{fill:var(--soft)}
svg.heat rect{stroke:var(--line)}
svg.heat .mistake{fill:var(--k3)}
svg.heat .right{fill:var(--k0);fill-opacity:.16;stroke:var(--k0);stroke-width:1.5}
svg.heat .none{fill:var(--soft)}
svg.gain{width:100%;min-width:9rem}
.meters{min-width:8.5rem;max-width:16rem}
pre.copy+.scroll{margin-top:.6rem}
.meters .share{grid-template-columns:1fr;gap:0;margin-bottom:.15rem}
.cell{width:max-content;max-width:20rem;overflow-wrap:anywhere;unicode-bidi:isolate}
.name{display:inline-block;max-width:12rem;overflow-wrap:anywhere}
td>.name,th>.name{width:max-content}
td>details[open]{width:26rem}
.pixels{display:block;margin-bottom:.3rem;image-rendering:pixelated;max-width:100%}
.pixels{border:1px solid var(--line);background:var(--code)}
.doubted{display:grid;grid-template-columns:auto minmax(8rem,1fr);gap:.4rem .8rem;align-items:start}
.key-of{font-size:.78rem;color:var(--soft);unicode-bidi:isolate}
"""


def page(cleaning: Cleaning, title: str = "Label review", limit: int = 100) -> str:
    """What `CleanLabels` has found and done as one HTML file, without scripts or anything fetched.

    Args:
        cleaning: `prepared.cleaning`; with nothing doubted, nothing compared or no raw cells it says so.
        title: the heading.
        limit: how many of the most doubted rows are shown, 0 or more, as far as their raw cells were kept.
            Tensors that can be looked at ((h, w), or (h, w, 1, 3 or 4), of numbers) are drawn as images.

    Returns:
        The page. Labels, cells and reasons are escaped, so that markup in them is shown and not run.

    Raises:
        PrepkitError: if `limit` is negative.

    Example:
        >>> from prepkit.cleaning.data import Noise
        >>> noise = Noise(np.eye(2), 0.0, (0.0, 0.0))
        >>> clean = Cleaning("report", "nothing", "", 9, 1.0, 0.5, ("a", "b"), noise, (), (), {}, {}, None)
        >>> page(clean).count("No label is doubted.")
        1
    """
    if limit < 0:
        raise PrepkitError(f"limit={limit}: give how many doubted rows the page shows, 0 or more.")
    rows = rows_of(cleaning, limit)
    scales = scales_of(cleaning, rows)
    sections = [tiles(_tiles(cleaning)), _lead(cleaning), _findings(cleaning)]
    if cleaning.candidates:
        sections.append(_compared(cleaning.candidates))
    sections += [_noise(cleaning), _pairs(cleaning), most_doubted(cleaning, rows, scales)]
    return html.page(title, sections, done(cleaning), style=STYLE, pictures=bool(scales))


def to_html(cleaning: Cleaning, path: str | Path, title: str = "Label review", limit: int = 100) -> Path:
    """Write `page` to a file, in place of what is there, whole or not at all.

    Raises:
        PrepkitError: as `page`; if `path` is a directory, stands in none, or cannot be written.
    """
    return write_text(check_file(path), page(cleaning, title, limit))


def _tiles(cleaning: Cleaning) -> list[tuple[str, str, str, Tone]]:
    n, noise = doubted(cleaning), cleaning.noise
    touched = n - by_action(cleaning)[KEEP]
    low, high = map(percent, noise.interval)
    within = f"{'approximate, ' if noise.approximate else ''}{low} to {high}"
    within = within if math.isfinite(noise.rate) else "not estimated"
    worst: Tone = grouped(cleaning.findings)[0].severity if cleaning.findings else "good"
    first, _, others = counted(cleaning.findings).partition(", ")
    signal: Tone = "plain" if cleaning.accuracy > cleaning.chance else "warning"
    return [
        ("rows changed", f"{touched:,}", changed(cleaning), "plain"),
        ("rows doubted", f"{n:,}", f"{share(n, cleaning.rows)} of {cleaning.rows:,} looked at", "plain"),
        ("labels wrong, estimated", percent(noise.rate), within, "plain"),
        ("accurate out of sample", percent(cleaning.accuracy), f"by chance {percent(cleaning.chance)}", signal),
        ("also found", first, others, worst),
    ]


def _lead(cleaning: Cleaning) -> Html:
    """What the numbers of the page mean."""
    n, noise = doubted(cleaning), cleaning.noise
    said = [
        f"{plural(cleaning.rows, 'row')} of {plural(len(cleaning.class_names), 'class', 'classes')} were looked at. "
        f"The probabilities come from {cleaning.source}; out of sample, the most probable class is the given label in "
        f"{percent(cleaning.accuracy)} of the rows, where always guessing the most frequent class is right in "
        f"{percent(cleaning.chance)}.",
        f"Share of labels that are wrong: {wrong(noise)}. This is an estimate for all rows, with its 95 % interval, "
        f"and not the share of doubted rows, which is {share(n, cleaning.rows)}; the interval does not cover what the "
        "probabilities get wrong.",
    ]
    if noise.approximate:
        said.append("Approximate: rows were judged in batches, to save memory, which doubts somewhat fewer of them.")
    return tag("div", *map(paragraph, said), class_="lead")


def _findings(cleaning: Cleaning) -> Html:
    if not cleaning.findings:
        return section("What was found", paragraph(badge("good", "nothing"), " Nothing else is to be known."))
    return section("What was found", as_cards(grouped(cleaning.findings), TITLES, {}), note="the gravest first")


def _compared(candidates: Sequence[Candidate]) -> Html:
    """What "auto" compared, each gain with one standard error to each side."""
    ends = chain([0.0], *((c.gain - c.error, c.gain + c.error) for c in candidates))
    finite = [v for v in ends if math.isfinite(v)]
    low, high = min(finite), max(finite)
    rows = [
        [
            join([c.action, *([" ", badge("good", "taken")] if c.taken else [])]),
            f"{c.rows:,}",
            gain(c),
            _interval(c.gain, c.error, low, high, f"{c.action}: {gain(c)}") if c.action != NOTHING else "",
        ]
        for c in candidates
    ]
    drawn = table(
        ["treatment", "rows changed", "gain in points", f"from {points(low)} to {points(high)}"], rows, numbers=(1, 2)
    )
    words = "points of accuracy on rows that the treatment had not touched, ± its standard error"
    return section("What was compared", drawn, note=words)


def _interval(middle: float, error: float, low: float, high: float, said: str) -> Html:
    """A number with one standard error to each side, on a scale from `low` to `high` where 0 is marked."""

    def place(value: float) -> str:
        return f"{4 + 92 * (value - low) / (high - low):.1f}%" if high > low else "50%"

    parts = [tag("title", said), tag("line", x1=place(0.0), x2=place(0.0), y1="0", y2="16", class_="cut")]
    if math.isfinite(middle) and math.isfinite(error):
        parts.append(tag("line", x1=place(middle - error), x2=place(middle + error), y1="8", y2="8", class_="most"))
    if math.isfinite(middle):
        parts.append(tag("circle", cx=place(middle), cy="8", r="4", class_="part"))
    return tag("svg", *parts, class_="gain", height="16", role="img")


def _noise(cleaning: Cleaning) -> Html:
    matrix, names = np.asarray(cleaning.noise.matrix, np.float64), cleaning.class_names
    heading = "How labels go wrong"
    if not len(names) or matrix.shape != (len(names), len(names)) or not np.isfinite(matrix).any():
        return section(heading, paragraph("The noise matrix was not estimated.", class_="nothing"))
    chosen, parts = _confused(matrix), []
    if len(chosen) < len(names):
        parts.append(
            paragraph(
                f"Of {len(names):,} classes the {len(chosen)} that are confused most are drawn; "
                "columns need not add up to 100 %.",
                class_="note",
            )
        )
    drawn, some = matrix[np.ix_(chosen, chosen)], [names[i] for i in chosen]
    parts.append(tag("div", heat(drawn, some), class_="sideways"))
    listed = [[named(name), *map(percent, row.tolist())] for name, row in zip(some, drawn, strict=True)]
    heads = ["given, of true", *(named(name) for name in some)]
    parts.append(details("the same as a table", table(heads, listed, numbers=range(1, len(heads)))))
    note = "of the rows that are truly of the column's class, the share that is given the row's label, estimated"
    return section(heading, *parts, note=note, id_="noise")


def _confused(matrix: np.ndarray) -> list[int]:
    """The classes that are drawn, in their order: of many, those whose row and column err most."""
    wrong_ = np.nan_to_num(matrix - np.diag(np.diagonal(matrix)))
    mass = wrong_.sum(0) + wrong_.sum(1)
    return sorted(np.argsort(-mass, kind="stable")[:CLASSES].tolist())


def _pairs(cleaning: Cleaning) -> Html:
    found = pairs(cleaning)
    if not found:
        return Html()
    actions = [a for a in DONE if any(pair.done[a] for pair in found)]
    parts = [_listed(found[:PAIRS], actions)]
    if rest := found[PAIRS:]:
        hidden = rest[MORE_PAIRS:]
        more = f"and {plural(len(hidden), 'more pair')}, of {plural(sum(p.doubted for p in hidden), 'row')}"
        last = [paragraph(more, class_="note")] if hidden else []
        words = f"{plural(len(rest), 'more pair')}, of {plural(sum(p.doubted for p in rest), 'row')}"
        parts.append(details(words, _listed(rest[:MORE_PAIRS], actions), *last))
    return section("Which labels are doubted", *parts, note="rows by given and suggested label", id_="pairs")


def _listed(found: Sequence[Pair], actions: Sequence[str]) -> Html:
    rows = (
        [
            named(p.given),
            named(p.suggested),
            f"{p.doubted:,}",
            *(f"{p.done[a]:,}" if p.done[a] else "" for a in actions),
        ]
        for p in found
    )
    return table(
        ["given", "suggested", "doubted", *(DONE[a] for a in actions)], rows, numbers=range(2, 3 + len(actions))
    )
