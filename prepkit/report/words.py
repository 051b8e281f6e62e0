"""Numbers and names as a person reads them, the same in a terminal and on a page."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

# What neither a page nor a terminal may be given: control characters, halves of a pair, non-characters.
FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
BLOCKS = "▁▂▃▄▅▆▇█"


def number(value: float | None) -> str:
    """Four digits that matter, with thousands set off; a dash for None.

    Example:
        >>> [number(x) for x in (0.123456, 12, 1234567.8, 3e-7, 2.5e12, float("inf"), None)]
        ['0.1235', '12', '1,234,568', '3e-07', '2.5e+12', '∞', '–']
    """
    if value is None:
        return "–"
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "-∞"
    size = abs(value)
    if size >= 1e10 or 0 < size < 1e-3:
        return f"{value:.4g}"
    return f"{value:,.0f}" if value == round(value) or size >= 1000 else f"{value:.4g}"


def percent(fraction: float) -> str:
    """A share (0 to 1) in percent, never rounded to none or all of it.

    Example:
        >>> [percent(x) for x in (0.0, 0.0001, 0.0567, 0.5, 0.9999, 1.0)]
        ['0 %', '<0.1 %', '5.7 %', '50 %', '>99.9 %', '100 %']
    """
    if not math.isfinite(fraction):
        return "–"
    if 0 < fraction < 0.001:
        return "<0.1 %"
    if 0.999 < fraction < 1:
        return ">99.9 %"
    text = f"{100 * fraction:.1f}"
    return f"{text.removesuffix('.0')} %"


def share(part: float, whole: float) -> str:
    """The share of `part` in `whole`; a dash where there is nothing to share."""
    return percent(part / whole) if whole else "–"


def printable(text: str) -> str:
    """`text` with a sign in the place of what would steer a terminal or break a page."""
    return FORBIDDEN.sub("\ufffd", text)


def short(text: str, length: int) -> str:
    """`text` on one line of at most `length` characters."""
    line = printable(" ".join(text.split())) or repr(text)
    return line if len(line) <= length else f"{line[: length - 1]}…"


def plural(n: int, one: str, many: str = "") -> str:
    """
    Example:
        >>> plural(1, "row"), plural(2000, "row"), plural(2, "class", "classes")
        ('1 row', '2,000 rows', '2 classes')
    """
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def sentence(words: str) -> str:
    """With a capital where it begins with a plain word.

    Example:
        >>> sentence("fill the cells"), sentence("x_1 is constant")
        ('Fill the cells', 'x_1 is constant')
    """
    first = words.partition(" ")[0]
    return words[:1].upper() + words[1:] if first.strip(",:;").isalpha() and first.islower() else words


def listed(names: Sequence[str], most: int = 6) -> str:
    """The first few of `names`, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def plain(value: Any) -> str:
    """A piece of evidence: a number, a text, a list or a mapping of them.

    Example:
        >>> plain({"?": 1836, "unknown": 2}), plain([0.5, "a"])
        ("'?' 1,836, unknown 2", '0.5, a')
    """
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no"}.get(value, "–")  # type: ignore[arg-type]
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, Mapping):
        return listed([f"{_quoted(k)} {plain(v)}" for k, v in value.items()])
    if isinstance(value, list | tuple):
        return listed([plain(v) for v in value])
    return str(value)


def evidence(facts: Mapping[str, Any]) -> str:
    """What a finding rests on: each fact with its name, ranges as such, percent and shares in percent.

    Example:
        >>> evidence({"missing": 3, "percent": 0.25, "n_rows": 1200, "markers": {"?": 3}, "share": 0.5})
        "missing 3, 0.25 %, rows 1,200, markers '?' 3, share 50 %"
        >>> evidence({"number": 9, "least percent": 0.5, "most percent": 25.0, "percent_of_rows": 3.5})
        'number 9, 0.5 % to 25 %, 3.5 % of rows'
    """
    facts = {k: v for k, v in facts.items() if v not in ("", None, [], (), {})}
    if "statistic" in facts and "value" in facts:  # "PSI 0.3" rather than "statistic PSI, value 0.3"
        facts = {str(facts["statistic"]) if k == "value" else k: v for k, v in facts.items() if k != "statistic"}
    ranges = {k.removeprefix("least ") for k in facts if k.startswith("least ")}
    ranges = {name for name in ranges if f"most {name}" in facts}
    out = []
    for key, value in facts.items():
        if key == "exact" and isinstance(value, bool):  # is not worth a word
            out += [] if value else ["estimated"]
            continue
        name = key.removeprefix("least ").removeprefix("most ")
        if name not in ranges:
            out.append(_fact(key, value))
        elif key.startswith("least "):
            most = facts[f"most {name}"]
            out.append(_fact(name, value) + ("" if most == value else f" to {_value(name, most)}"))
    return ", ".join(out)


def _fact(name: str, value: Any) -> str:
    start, _, rest = name.partition("_")
    said = _value(name, value)
    return f"{said} {_worded(rest)}".strip() if start == "percent" else f"{_worded(name)} {said}"


def _worded(name: str) -> str:
    return name.removeprefix("n_").replace("_", " ")


def _value(name: str, value: Any) -> str:
    if name.partition("_")[0] == "percent":
        return f"{plain(value)} %"
    is_share = "share" in name.split("_") and isinstance(value, float) and 0 <= value <= 1
    return percent(value) if is_share else plain(value)


def _quoted(name: Any) -> str:
    """A text that does not show its ends by itself stands in quotes."""
    text = str(name)
    return text if text[:1].isalnum() and text == text.strip() else repr(text)


def spark(counts: Sequence[float], width: int = 12) -> str:
    """The heights of bars as blocks, neighbours taken together where there are more than `width`.

    Example:
        >>> spark([0, 1, 2, 4, 8])
        ' ▁▂▄█'
    """
    if not counts:
        return ""
    step = math.ceil(len(counts) / width)
    heights = [sum(counts[i : i + step]) for i in range(0, len(counts), step)]
    top = max(heights)
    return "".join(" " if not h or not top else BLOCKS[max(0, math.ceil(8 * h / top) - 1)] for h in heights)
