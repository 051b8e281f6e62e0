"""Pages of one file."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prepkit.report.html import (
    Html,
    badge,
    code,
    details,
    frame,
    join,
    link,
    page,
    paragraph,
    section,
    table,
    tag,
    text,
    tiles,
)
from tests.report.markup import Markup, checked

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></title><script src=https://example.org/x.js></script>",
    "' onmouseover='alert(1)",
    "a\x00b\x1b[31m\ud800\uffff",
    "&lt;b&gt; &amp; &#60;",
    "-->]]><![CDATA[",
    "javascript:alert(1)",
]


def everything(words: str) -> str:
    """A page with `words` wherever text may stand."""
    parts = [
        paragraph(words, class_=words),
        badge("error", words),
        tiles([(words, words, words, "warning")]),
        table([words, words], [[words, words], [words, "1"]], numbers=(1,)),
        details(words, words, open_=True),
        details(words, section(words, words, note=words)),
        code(words),
        join([words, words], words),
        tag("p", words, title=words, data_x=words),
    ]
    return page(words, [section(words, *parts, note=words, id_="here"), link(words, "here"), link(words, "")], words)


@pytest.mark.parametrize("words", HOSTILE)
def test_text_stays_text(words):
    markup = checked(everything(words))
    shown = re.sub("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]", "\ufffd", words)
    assert markup.words.count(shown) >= 17
    everything(words).encode("utf-8")


@given(st.text(min_size=1))
def test_any_text_stays_text(words):
    harmless, found = checked(everything("x")), checked(everything(words))
    assert [(name, sorted(a)) for name, a in found.elements] == [(name, sorted(a)) for name, a in harmless.elements]


def test_markup_joined_with_text_is_text_again():
    assert isinstance(text(Html("<b>x</b>") + "<script>"), Html)
    assert text(Html("<b>x</b>") + "<script>") == "&lt;b&gt;x&lt;/b&gt;&lt;script&gt;"
    assert tag("p", Html("<b>x</b>"), "<") == "<p><b>x</b>&lt;</p>"


def test_a_page_is_one_file_that_runs_and_fetches_nothing():
    html = everything("x")
    assert html.startswith("<!DOCTYPE html>\n<html lang=") and "<script" not in html
    assert not re.search(r"https?:|//|@import|@font-face", html)
    assert "default-src 'none'" in html
    assert "prefers-color-scheme:dark" in html and "@media print" in html and "max-width" in html
    assert 'name="viewport"' in html


def test_numbers_stand_to_the_right_under_a_head_that_stays():
    markup = checked(page("t", [table(["name", "rows"], [["a", "1"]], numbers=[1])]))
    cells = [a.get("class", "") for name, a in markup.elements if name in ("th", "td")]
    assert cells == ["", "number", "", "number"]
    assert re.search(r"thead th\{position:sticky", everything("x"))


def test_severities_differ_by_word_and_sign():
    said = [Markup() for _ in range(3)]
    for markup, tone in zip(said, ("error", "warning", "info"), strict=True):
        markup.feed(badge(tone))
    assert [m.text for m in said] == ["✖ error", "▲ warning", "● info"]


def test_empty_parts():
    markup = checked(page("", [table([], []), tiles([]), section("nothing")]))
    assert "nothing" in markup.text


def test_a_link_leads_within_the_page_only():
    assert link("age", "c1") == '<a href="#c1">age</a>'
    assert link("age", "") == "age"
    assert link("x", '"><script>') == '<a href="#&quot;&gt;&lt;script&gt;">x</a>'


def test_a_frame_holds_a_whole_page():
    html = page("a & b", [paragraph("1 < 2")])
    markup = Markup()
    markup.feed(frame(html))
    [(name, attributes)] = markup.elements
    assert name == "iframe" and attributes["srcdoc"] == html and "sandbox" in attributes
