"""A page as the tests look at it: well-formed, and free of anything that is fetched or run."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from html.parser import HTMLParser

EMPTY = {"meta", "link", "br", "img", "input", "hr"}
# What makes a browser run or fetch something, or leave the page.
ACTIVE = {"script", "link", "img", "object", "embed", "form", "base", "audio", "video", "source", "use", "image"}
FETCHING = ("src", "srcset", "data", "action", "poster", "background", "xlink:href", "formaction")


@dataclass
class Markup(HTMLParser):
    """Elements with their attributes, and the text; fails where an end tag is not that of what is open."""

    elements: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    open_tags: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"an attribute of <{tag}> stands twice: {attrs}"
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in EMPTY:
            self.open_tags.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open_tags and self.open_tags[-1] == tag, f"</{tag}> closes {self.open_tags[-3:]}"
        self.open_tags.pop()

    def handle_data(self, data: str) -> None:
        if "style" not in self.open_tags:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)

    def ids(self) -> list[str]:
        return [a["id"] for _, a in self.elements if "id" in a]


def checked(html: str) -> Markup:
    """`html` parsed, once nothing is found against it."""
    markup = Markup()
    markup.feed(html)
    markup.close()
    assert markup.open_tags == []
    ids = set(markup.ids())
    assert len(ids) == len(markup.ids())
    for tag, attributes in markup.elements:
        assert tag not in ACTIVE, f"<{tag} {attributes}>"
        assert not [name for name in attributes if name.startswith("on") or name in FETCHING], f"<{tag} {attributes}>"
        target = attributes.get("href", "#")
        assert target.startswith("#"), target
        if "href" in attributes:
            assert target[1:] in ids, f"{target} leads nowhere"
    for style in re.findall(r"<style>(.*?)</style>", html, re.S):
        assert "@import" not in style and "//" not in style
        assert set(re.findall(r"url\(([^)]*)\)", style)) <= {f"#p{i}" for i in range(20)}
    for drawing in svgs(html):
        numbers_are_finite(drawing)
    return markup


def svgs(html: str) -> list[ET.Element]:
    """Each drawing, read as XML."""
    return [ET.fromstring(found) for found in re.findall(r"<svg.*?</svg>", html, re.S)]


def numbers_are_finite(drawing: ET.Element) -> None:
    for element in drawing.iter():
        for name, value in element.attrib.items():
            if name in ("x", "y", "width", "height", "d", "viewBox"):
                assert re.fullmatch(r"[-0-9.MHVLhvzlA%, ]*", value), f"{element.tag} {name}={value!r}"
            if name in ("width", "height"):
                assert float(value.rstrip("%")) >= 0, f"{element.tag} {name}={value!r}"


def titles(drawing: ET.Element) -> list[str]:
    """What is said where it is pointed at."""
    return [element.text or "" for element in drawing.iter("title")]
