"""Pages of one file: no script, nothing fetched, light or dark as the reader has it, good on paper.

Text becomes markup in one place, `text`: whatever is no `Html` is escaped, so a cell that holds
markup is shown, never run. A mistake escapes twice, which is seen, and not never, which is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Literal

from prepkit.report.style import CSS, PATTERNS
from prepkit.report.words import printable

Tone = Literal["error", "warning", "info", "good", "plain"]
MARKS: dict[Tone, str] = {"error": "✖", "warning": "▲", "info": "●", "good": "✔", "plain": ""}


class Html(str):
    """Markup that may stand in a page as it is. Joined with plain text it is plain text again."""


def text(value: str) -> Html:
    """`value` as text; markup as it is."""
    return value if isinstance(value, Html) else Html(escape(printable(value)))


def tag(name: str, *parts: str, **attributes: str) -> Html:
    """An element around `parts`; attributes are escaped, and `class_` stands for `class`.

    Example:
        >>> tag("p", "1 < 2", tag("b", "!"), class_="note")
        '<p class="note">1 &lt; 2<b>!</b></p>'
    """
    head = "".join(f' {k.rstrip("_").replace("_", "-")}="{text(str(v))}"' for k, v in attributes.items() if v)
    return Html(f"<{name}{head}>{join(parts)}</{name}>")


def join(parts: Iterable[str], between: str = "") -> Html:
    return Html(text(between).join(map(text, parts)))


def page(title: str, sections: Sequence[str], note: str = "", style: str = "", pictures: bool = False) -> str:
    """A whole page.

    Args:
        title: its heading.
        sections: its body, one after the other; see `section`.
        note: a line below the heading.
        style: CSS of this kind of page.
        pictures: whether images that stand in the page, as data, are drawn.

    Example:
        >>> page("a <b>", [section("rows", "3 of them")]).count("<b>")
        0
    """
    head = tag("header", tag("h1", title), tag("p", note, class_="note") if note else Html())
    images = "img-src data:; " if pictures else ""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        # Whatever else goes wrong: nothing is run, nothing is fetched.
        '<meta http-equiv="Content-Security-Policy" '
        f"content=\"default-src 'none'; {images}style-src 'unsafe-inline'\">"
        f'<meta name="color-scheme" content="light dark">{tag("title", title)}<style>{CSS}{style}</style></head>\n'
        f"<body>{PATTERNS}{head}\n<main>{join(sections, chr(10))}</main></body></html>\n"
    )


def frame(html: str, height: int = 640) -> str:
    """A page inside a notebook, with its own style; `height` in pixels."""
    style = f"width:100%;height:{height}px;border:1px solid #8884;border-radius:6px"
    return f'<iframe srcdoc="{escape(html)}" style="{style}" sandbox></iframe>'


def section(heading: str, *parts: str, note: str = "", id_: str = "") -> Html:
    """A part of a page under its heading."""
    head = tag("h2", heading, tag("small", note) if note else Html())
    return tag("section", head, *parts, id=id_)


def paragraph(*parts: str, class_: str = "") -> Html:
    return tag("p", *parts, class_=class_)


def badge(tone: Tone, words: str = "") -> Html:
    """A mark that colour, sign and word tell apart: "▲ warning"."""
    return tag("span", f"{MARKS[tone]} {words or tone}".strip(), class_=f"badge {tone}")


def tiles(items: Iterable[tuple[str, str, str, Tone]]) -> Html:
    """The few numbers that matter: (name, value, a line below, tone) of each."""
    return tag(
        "dl",
        *(
            tag("div", tag("dt", name), tag("dd", value), tag("dd", note, class_="note"), class_=f"tile {tone}")
            for name, value, note, tone in items
        ),
        class_="tiles",
    )


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Sequence[int] = ()) -> Html:
    """A table whose head stays in sight.

    Args:
        headings: of the columns.
        rows: the cells, text or markup; the first of each row is its heading.
        numbers: which columns stand to the right.
    """
    right = ["number" if i in numbers else "" for i in range(len(headings))]
    head = tag("tr", *(tag("th", h, class_=c, scope="col") for h, c in zip(headings, right, strict=True)))
    body = (
        tag("tr", *(tag("th" if not i else "td", cell, class_=right[i]) for i, cell in enumerate(row))) for row in rows
    )
    return tag("div", tag("table", tag("thead", head), tag("tbody", *body)), class_="scroll")


def details(summary: str, *parts: str, open_: bool = False) -> Html:
    """What is folded away until it is asked for."""
    start = "<details open>" if open_ else "<details>"
    return Html(f"{start}{tag('summary', summary)}{join(parts)}</details>")


def code(python: str) -> Html:
    """Python to be copied: one click marks all of it."""
    return tag("pre", tag("code", python), class_="copy", title="click to mark, then copy")


def link(words: str, target: str) -> Html:
    """A link within the page; plain text where there is no `target`."""
    return tag("a", words, href=f"#{target}") if target else text(words)
