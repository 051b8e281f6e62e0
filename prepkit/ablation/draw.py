"""Effects, learning curves and times as small drawings: numbers in, markup out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from prepkit.ablation.data import MEASURES, Effect, Judgement
from prepkit.ablation.facts import Curve, change_with_interval, signed
from prepkit.report.charts import nothing
from prepkit.report.html import Html, Tone, badge, join, tag, text
from prepkit.report.words import number

CUT = 6.0  # times the median effect: farther ones are drawn at the edge, for they would hide all others
SIDE = 0.3  # of the scale that each side has at least, so that the names of both fit over it
WIDTH, HEIGHT = 300, 150  # of a chart of curves, in its own units, about pixels
LEFT, RIGHT, TOP, BOTTOM = 34, 6, 8, 18
HIGH = (
    1.15  # times the log-loss of the shares of the classes: what is above has not learned, and would flatten the rest
)
TONES: dict[Judgement, Tone] = {
    "helps": "good",
    "hurts": "error",
    "needed to train at all": "info",
    "no clear effect": "plain",
    "not judged": "warning",
}


@dataclass(frozen=True)
class Scale:
    """From `low` below 0 to `high` above it; what lies beyond is drawn at the edge."""

    low: float
    high: float

    def place(self, value: float) -> str:
        """Where `value` is, in percent of the width; 3 % at each edge stay free for marks."""
        inside = min(max(value, self.low), self.high)
        return f"{3 + 94 * (inside - self.low) / (self.high - self.low):.2f}%"

    def ticks(self) -> list[float]:
        """A round number on each side, if it is there, and 0."""
        size = 0.9 * max(-self.low, self.high)
        unit = 10.0 ** math.floor(math.log10(size))
        step = max(m * unit for m in (1, 2, 5) if m * unit <= size)
        return [v for v in (-step, 0.0, step) if self.low <= v <= self.high]


def scale_of(effects: Iterable[Effect], least: float = 0.01) -> Scale:
    """A scale that all effects share: the intervals of all but those far beyond the others."""
    known = [e for e in effects if math.isfinite(e.difference)]
    ends = [_ends(e) for e in known]
    reach = [max(map(abs, pair)) for pair in ends]
    large = [r for r in reach if r > least]
    most = max(least, min(max(large), CUT * median(large)) if large else least)
    low = max(-most, min((pair[0] for pair in ends), default=0.0))
    high = min(most, max((pair[1] for pair in ends), default=0.0))
    width = max(high, 0.0) - min(low, 0.0) or 2 * least
    return Scale(min(low, -SIDE * width), max(high, SIDE * width))


def _ends(effect: Effect) -> tuple[float, float]:
    """Of what is drawn of an effect: its interval, if there is one."""
    values = [v for v in (effect.low, effect.difference, effect.high) if math.isfinite(v)]
    return min(values), max(values)


def interval(effect: Effect | None, scale: Scale, missing: str = "cannot be compared") -> Html:
    """A difference as a dot with its interval, the side that is better shaded, too little to matter in grey.

    Args:
        effect: of any measure; None, or without a number, for none.
        scale: in the measure's unit.
        missing: what is said of none.
    """
    if effect is None or not math.isfinite(effect.difference):
        return nothing(missing)
    less, least = MEASURES[effect.measure]
    zero, dot = scale.place(0.0), scale.place(effect.difference)
    edges = (scale.place(scale.low), zero) if less == "less" else (zero, scale.place(scale.high))
    parts = [tag("title", change_with_interval(effect)), _band("better", *edges, 2, 22)]
    if least:
        parts.append(_band("little", scale.place(-least), scale.place(least), 2, 22))
    parts += [_upright(scale.place(v), "grid") for v in scale.ticks() if v] + [_upright(zero, "zero")]
    if math.isfinite(effect.low) and math.isfinite(effect.high):
        ends = scale.place(effect.low), scale.place(effect.high)
        parts.append(tag("line", x1=ends[0], x2=ends[1], y1="13", y2="13", class_="span"))
        parts += [tag("line", x1=x, x2=x, y1="9", y2="17", class_="span") for x in ends]
    if scale.low <= effect.difference <= scale.high:
        parts.append(tag("circle", cx=dot, cy="13", r="5", class_="dot"))
    else:
        beyond = ("◀", "0%", "start") if effect.difference < 0 else ("▶", "100%", "end")
        parts.append(tag("text", beyond[0], x=beyond[1], y="18", text_anchor=beyond[2], class_="beyond"))
    return tag("svg", *parts, class_=f"effect {TONES[effect.judgement]}", width="100%", height="26", role="img")


def axis(scale: Scale) -> Html:
    """The numbers above a column of `interval`, and which side is the better one where less is better."""
    marks = [
        tag("text", signed(v, 6) if v else "0", x=scale.place(v), y="24", text_anchor="middle") for v in scale.ticks()
    ]
    sides = [
        tag("text", "◀ better", x="0%", y="10", text_anchor="start", class_="side"),
        tag("text", "worse ▶", x="100%", y="10", text_anchor="end"),
    ]
    return tag("svg", *sides, *marks, class_="effect axis", width="100%", height="28", aria_hidden="true")


def verdict(judgement: Judgement, words: str = "") -> Html:
    """A judgement as a badge, in other words if there are."""
    return badge(TONES[judgement], words or judgement)


def _band(class_: str, start: str, end: str, y: int, height: int) -> Html:
    """A rectangle from one place to another, both in percent."""
    wide = float(end.rstrip("%")) - float(start.rstrip("%"))
    return tag("rect", class_=class_, x=start, y=str(y), width=f"{max(0.0, wide):.2f}%", height=str(height))


def _upright(x: str, class_: str) -> Html:
    return tag("line", x1=x, x2=x, y1="0", y2="26", class_=class_)


# -- learning curves -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Frame:
    """What charts of curves share, so that they can be compared.

    Args:
        epochs: the last one.
        low: the least log-loss.
        high: the most that is drawn in its place.
        reference: log-loss of predicting the shares of the classes; NaN where it is not known.
    """

    epochs: int
    low: float
    high: float
    reference: float

    def x(self, epoch: float) -> float:
        span = max(1, self.epochs - 1)
        middle = 0.5 if self.epochs <= 1 else (epoch - 1) / span
        return LEFT + (WIDTH - LEFT - RIGHT) * min(1.0, max(0.0, middle))

    def y(self, value: float) -> float:
        """Where a log-loss is; at the upper edge what lies beyond, or is none."""
        inside = self.high if math.isnan(value) else min(max(value, self.low), self.high)
        return TOP + (HEIGHT - TOP - BOTTOM) * (self.high - inside) / (self.high - self.low)


def frame_of(curves: Sequence[Curve], reference: float) -> Frame:
    """A frame for all `curves`."""
    values = [v for c in curves for v in (*c.low, *c.high)]
    values += [reference] if math.isfinite(reference) else []
    low, high = min(values, default=0.0), max(values, default=1.0)
    starts = [c.middle[0] for c in curves if c.middle]
    cut = HIGH * (reference if math.isfinite(reference) else median(starts) if starts else high)
    high = min(high, cut) if cut > low else high
    room = 0.04 * (high - low) or 0.5
    return Frame(
        max((c.epochs[-1] for c in curves if c.epochs), default=1), max(0.0, low - room), high + room, reference
    )


def curves(its: Curve, against: Curve | None, frame: Frame, said: str) -> Html:
    """One variant, as a line with dots over a band, against another one in grey.

    Args:
        its: of the variant.
        against: of what it is compared with; None for nothing.
        frame: shared by all charts.
        said: what is to be seen, for those who do not see it.
    """
    parts = _axes(frame)
    if math.isfinite(frame.reference):
        y = frame.y(frame.reference)
        parts.append(Html(f'<path class="cut" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'))
    if against is not None and against.epochs:
        parts += [_area(against, frame, "was-band"), _line(against, frame, "was-line")]
    if its.epochs:
        parts += [_area(its, frame, "band"), _line(its, frame, "line"), *_dots(its, frame)]
    for epoch, value in its.ends:
        place = f'x="{frame.x(max(1, epoch)):.1f}" y="{frame.y(value) + 4:.1f}"'
        when = f"diverged behind epoch {epoch}" if epoch else "diverged in the first epoch"
        parts.append(Html(f'<text class="end" {place} text-anchor="middle">✖{tag("title", when)}</text>'))
    head = f'<svg class="curves" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{text(said)}">'
    return Html(f"{head}{join(parts)}</svg>")


def _axes(frame: Frame) -> list[Html]:
    bottom = HEIGHT - BOTTOM
    ticks = [frame.low + f * (frame.high - frame.low) for f in (0.05, 0.5, 0.95)]
    grid = "".join(f"M{LEFT} {frame.y(v):.1f}H{WIDTH - RIGHT}" for v in ticks)
    parts = [Html(f'<path class="grid" d="{grid}"/>')]
    parts += [_label(LEFT - 4, frame.y(v) + 3, f"{v:.2f}" if v < 10 else number(round(v)), "end") for v in ticks]
    ends = [(1, "start", "epoch 1")] + ([(frame.epochs, "end", f"{frame.epochs:,}")] if frame.epochs > 1 else [])
    return parts + [_label(frame.x(e) if len(ends) > 1 else LEFT, bottom + 14, w, a) for e, a, w in ends]


def _area(curve: Curve, frame: Frame, class_: str) -> Html:
    there = [f"{frame.x(e):.1f} {frame.y(v):.1f}" for e, v in zip(curve.epochs, curve.high, strict=True)]
    back = [f"{frame.x(e):.1f} {frame.y(v):.1f}" for e, v in zip(curve.epochs, curve.low, strict=True)][::-1]
    return Html(f'<path class="{class_}" d="M{"L".join(there + back)}z"/>')


def _line(curve: Curve, frame: Frame, class_: str) -> Html:
    places = [f"{frame.x(e):.1f} {frame.y(v):.1f}" for e, v in zip(curve.epochs, curve.middle, strict=True)]
    return Html(f'<path class="{class_}" d="M{"L".join(places)}"/>')


def _dots(curve: Curve, frame: Frame) -> list[Html]:
    """A dot on every few epochs, which tells the line from the one that it is compared with."""
    step = max(1, math.ceil(len(curve.epochs) / 10))
    chosen = list(zip(curve.epochs, curve.middle, strict=True))[::step]
    return [Html(f'<circle class="dot" cx="{frame.x(e):.1f}" cy="{frame.y(v):.1f}" r="2.6"/>') for e, v in chosen]


def _label(x: float, y: float, words: str, anchor: str) -> Html:
    return Html(f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{text(words)}</text>')


def legend() -> Html:
    """What the lines of `curves` are."""
    keys = [
        ('<path class="band" d="M0 3H24V11H0z"/><path class="line" d="M0 7H24"/>'
         '<circle class="dot" cx="12" cy="7" r="2.6"/>', "the variant: median over the seeds, least to most"),
        ('<path class="was-band" d="M0 3H24V11H0z"/><path class="was-line" d="M0 7H24"/>',
         "what it is compared with"),
        ('<path class="cut" d="M0 7H24"/>', "predicting the shares of the classes"),
        ('<text class="end" x="12" y="11" text-anchor="middle">✖</text>', "a run diverges"),
    ]  # fmt: skip
    drawn = (Html(f'<svg class="curves in-line" width="24" height="14" aria-hidden="true">{k}</svg>') for k, _ in keys)
    return tag("p", *(tag("span", d, w, class_="key") for d, (_, w) in zip(drawn, keys, strict=True)), class_="legend")


def lying(value: float, most: float, said: str) -> Html:
    """A lying bar; a dashed one over the whole width for what is infinite."""
    parts = [tag("title", said)]
    if math.isinf(value):
        parts.append(Html('<rect class="never" x="0.5%" y="1" width="99%" height="10"/>'))
    elif math.isfinite(value) and most > 0:
        parts.append(Html(f'<rect class="k" width="{max(0.5, 100 * value / most):.2f}%" height="12"/>'))
    return tag("svg", *parts, class_="lying", width="100%", height="12", role="img")
