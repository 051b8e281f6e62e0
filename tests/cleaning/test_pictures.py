"""The rows that are doubted most, and the images in them."""

from __future__ import annotations

import base64
import re
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.datasets import load_digits

from prepkit.cleaning.data import DROP, KEEP, RELABEL, WEIGHT
from prepkit.cleaning.page import page
from prepkit.cleaning.pictures import (
    CHARACTERS,
    COLUMNS,
    FOLDED,
    MOST_SIDE,
    Shades,
    is_picture,
    picture,
    png,
    shades,
    told,
)
from prepkit.report.words import percent
from tests.cleaning.cleanings import ARABIC, HOSTILE, cleaning, issues, tabular
from tests.cleaning.test_page import SHOWN, body, cells, section, words

SIDES = st.integers(1, 7)
PIXELS = st.tuples(SIDES, SIDES).flatmap(
    lambda hw: st.sampled_from([hw, (*hw, 1), (*hw, 3), (*hw, 4)]).flatmap(lambda shape: arrays(np.uint8, shape))
)
NO_CELLS = ["key", "row", "given", "suggested", "probability", "done and why"]


def decoded(html: str) -> list[np.ndarray]:
    """The images of a page, (h, w, channels)."""
    found = re.findall(r'src="data:image/png;base64,([^"]*)"', html)
    return [tf.io.decode_png(base64.b64decode(data)).numpy() for data in found]


def doubted(shown: dict[str, Any], n: int = 3, limit: int = 100) -> str:
    return page(cleaning(found=issues(["a"] * n, ["b"] * n, [DROP] * n), shown=shown), limit=limit)


def table(shown: dict[str, Any], n: int = 3, limit: int = 100) -> list[list[str]]:
    return cells(section(doubted(shown, n, limit), "The most doubted"))


def test_each_row_is_told_in_full():
    found = tabular(9)
    head, *rows = cells(section(page(found), "The most doubted"))
    assert head == [*NO_CELLS, "age", "price <b>", "member", "job", "story", "signal"]
    done = {RELABEL: "● relabelled", DROP: "▲ left out", KEEP: "kept"}
    assert len(rows) == 9
    for i, row in enumerate(rows):
        at = {name: values[i] for name, values in found.issues.items()}
        assert row[:2] == [at["key"], str(at["row"])]
        names = [str(at[k]).replace("\x00", "\ufffd").replace("\x1b", "\ufffd") for k in ("given", "suggested")]
        assert row[2:4] == names
        assert row[4] == f"given {percent(at['self_confidence'])}suggested {percent(at['confidence'])}"
        assert row[5] == done[at["action"]] + at["reason"]
        age = found.shown["age"][i]
        assert row[6] == ("missing" if np.isnan(age) else str(age))
        assert float(row[7]) == pytest.approx(found.shown["price <b>"][i], rel=1e-9)
        assert row[8] == str(found.shown["member"][i])
        assert row[9] == ("cook", SHOWN, ARABIC, "missing", "''")[i % 5]
        assert row[11].startswith("20 float32 ")


def test_probabilities_are_drawn_to_scale():
    found = tabular(9)
    bars = section(page(found), "The most doubted").iter("rect")
    wide = [float(bar.get("width").rstrip("%")) for bar in bars if bar.get("class") == "part"]
    np.testing.assert_allclose(wide[::2], 100 * found.issues["self_confidence"], atol=0.06)
    np.testing.assert_allclose(wide[1::2], 100 * found.issues["confidence"], atol=0.06)


@pytest.mark.parametrize("limit, kept, rows", [(100, 9, 9), (4, 9, 4), (100, 5, 5), (0, 9, 0)])
def test_rows_are_shown_as_far_as_asked_and_kept(limit, kept, rows):
    found = section(doubted({"x": np.arange(kept)}, 9, limit), "The most doubted")
    assert [row[6] for row in cells(found)[1:]] == [str(i) for i in range(rows)]
    assert f"{rows} of 9 doubted rows" in words(found)
    assert ("revert" in words(found)) == (rows > 0)


def test_rows_whose_cells_were_not_kept_are_listed_without():
    found = section(doubted({}, 9, 4), "The most doubted")
    assert cells(found)[0] == NO_CELLS and len(cells(found)) == 5
    assert "raw cells were not kept" in words(found)
    assert "not kept" not in doubted({"x": np.arange(9)}, 9)


@pytest.mark.parametrize("key, said", [("0af3", "'0af3'"), (17, "17"), ("it's <b>", '"it\'s <b>"')])
def test_how_keys_are_used(key, said):
    found = cleaning(found=issues(["a"], ["b " + HOSTILE], [DROP], [key]), shown={"x": [1]})
    part = section(page(found), "The most doubted")
    sentence = words(part.findall("p")[1])
    assert "CleanLabels(revert=[...])" in sentence and "CleanLabels(confirmed={key: label})" in sentence
    lines = words(part.find("pre")).splitlines()
    assert lines[0] == f"pk.CleanLabels(revert=[{said}])  # 'a' is true"
    assert lines[1].startswith(f"pk.CleanLabels(confirmed={{{said}: 'b <script>")
    assert cells(part)[1][0] == str(key)


def test_a_weight_is_told():
    found = cleaning(found=issues(["a"], ["b"], [WEIGHT]), shown={"x": [1]})
    assert cells(section(page(found), "The most doubted"))[1][5] == "● weight × 0.25reason 0 for weight"


def test_columns_beyond_those_in_sight_are_folded_away():
    shown = {f"x{i}": np.arange(3) * 1000 + i for i in range(60)}
    head, *rows = table(shown)
    assert head[6:] == [*(f"x{i}" for i in range(COLUMNS)), "48 more"]
    assert rows[2][6 : 6 + COLUMNS] == [str(2000 + i) for i in range(COLUMNS)]
    assert rows[2][-1] == "48 more cells" + "".join(f"x{i}{2000 + i}" for i in range(COLUMNS, 60))


def test_of_a_thousand_columns_not_all_are_told():
    shown = {f"x{i}": np.zeros(3, int) for i in range(1000)}
    last = table(shown)[1][-1]
    assert f"x{COLUMNS + FOLDED - 1}0" in last and f"x{COLUMNS + FOLDED}0" not in last
    assert last.endswith(f"and {1000 - COLUMNS - FOLDED} more columns")


@pytest.mark.parametrize(
    "values, said",
    [
        (np.array([0.1, 1e-9, 123456789.125], np.float64), ["0.1", "1e-09", "123456789.1"]),
        (np.array([0.1, np.inf, 3], np.float32), ["0.1", "inf", "3.0"]),
        (np.array([2**62, -1, 0]), [str(2**62), "-1", "0"]),
        (np.array(["2024-01-31", "NaT", "1999-12-01"], "M8[D]"), ["2024-01-31", "missing", "1999-12-01"]),
        (np.array([b"\xff<i>", b"b", b""], object), ["\ufffd<i>", "b", "''"]),
        (pa.array(["a", None, "b"]), ["a", "missing", "b"]),
        (pa.array(["a", None, "b"]).dictionary_encode(), ["a", "missing", "b"]),
        (["x" * 300, " a\n\tb ", HOSTILE], ["x" * (CHARACTERS - 1) + "…", "a b", SHOWN]),
    ],
)
def test_raw_cells(values, said):
    assert [row[6] for row in table({"c": values})[1:]] == said


def test_tensors_that_are_no_images_are_told_in_short():
    seen = page_of(told(np.arange(8, dtype=np.int64).reshape(2, 4)))
    assert words(body(seen)) == "2x4 int64 0 to 7 0, 1, 2, 3, 4, 5, …"
    assert "–0.5" not in told(np.array([-0.5, np.nan])) and "-0.5 to -0.5" in told(np.array([-0.5, np.nan]))
    assert "no numbers" in told(np.zeros((0, 3)))
    assert "&lt;i&gt;" in told(np.array(["<i>", "b"], object))
    assert "1e+308" in told(np.array([1e308, -1e308]))


def page_of(part: str) -> str:
    return f"<!DOCTYPE html><html><body><main>{part}</main></body></html>"


@pytest.mark.parametrize(
    "shape, dtype, seen",
    [
        ((3, 8, 8), np.float64, True),
        ((3, 28, 28, 1), np.uint8, True),
        ((3, 32, 30, 3), np.float32, True),
        ((3, 4, 4, 4), np.int16, True),
        ((3, 8, 8), bool, True),
        ((3, 8, 8, 2), np.float32, False),
        ((3, 3, 8), np.float32, False),
        ((3, 64), np.float32, False),
        ((3,), np.float32, False),
        ((3, 5, 8, 8, 3), np.float32, False),
        ((3, 8, 8), object, False),
    ],
)
def test_what_can_be_looked_at(shape, dtype, seen):
    values = np.zeros(shape, dtype)
    assert is_picture(values) is seen
    html = doubted({"image": values})
    assert len(decoded(html)) == (3 if seen else 0)
    body(html)


@given(PIXELS)
def test_tensorflow_reads_the_same_pixels(pixels):
    read = tf.io.decode_png(png(pixels)).numpy()
    np.testing.assert_array_equal(read, pixels if pixels.ndim == 3 else pixels[..., None])


def test_digits_are_drawn_as_they_are():
    images = load_digits().images[:5]  # 0 to 16
    found = cleaning("abc", issues(["a"] * 5, ["c"] * 5, [DROP] * 5), {"image": images, "id": np.arange(5)})
    html = page(found)
    np.testing.assert_array_equal([d[..., 0] for d in decoded(html)], np.round(images / 16 * 255))
    part = section(html, "The most doubted")
    assert "Black to white stands for image: 0 to 16." in words(part)
    cards = list(part.iter("article"))
    assert [words(c.find("div").find("h3")) for c in cards] == ["a → c"] * 5
    at = found.issues
    for i, (card, image) in enumerate(zip(cards, part.iter("img"), strict=True)):
        for said in (at["key"][i], f"row {at['row'][i]}", at["reason"][i], "▲ left out", f"id{i}"):
            assert said in words(card)
        assert f"given {percent(at['self_confidence'][i])}" in words(card)
        assert image.get("alt") == f"image of row {at['row'][i]}, given a, suggested c"
        assert (image.get("width"), image.get("height"), image.get("class")) == ("128", "128", "pixels")
    assert "image-rendering:pixelated" in html


def test_cards_fold_columns_away_as_well():
    shown = {"image": np.ones((3, 8, 8))} | {f"x{i}": np.arange(3) for i in range(30)}
    card = next(section(doubted(shown), "The most doubted").iter("article"))
    assert words(card.find(".//details")) == "18 more cells" + "".join(f"x{i}0" for i in range(COLUMNS, 30))


def test_hostile_names_of_images():
    html = doubted({'" onerror="alert(1)': np.ones((3, 8, 8))})
    assert [i.get("alt")[:19] for i in body(html).iter("img")] == ['" onerror="alert(1)'] * 3
    assert not [i for i in body(html).iter() if "onerror" in i.attrib]


@pytest.mark.parametrize(
    "values, black, white",
    [
        (np.array([0.0, 0.9]), 0.0, 1.0),
        (np.array([0, 200], np.uint8), 0.0, 255.0),
        (np.array([0, 16]), 0.0, 16.0),
        (np.array([False, True]), 0.0, 1.0),
        (np.array([-1.0, 1.0]), -1.0, 1.0),
        (np.array([0, 65535], np.uint16), 0.0, 65535.0),
        (np.array([np.nan, np.inf]), 0.0, 1.0),
        (np.array([]), 0.0, 1.0),
    ],
)
def test_black_and_white(values, black, white):
    assert shades(values) == Shades(black, white)


def read(pixels: np.ndarray, scale: Shades | None = None) -> np.ndarray:
    return decoded(picture(pixels, scale or shades(pixels), "it"))[0]


def test_whatever_the_range_pixels_keep_their_order():
    for pixels in (
        np.array([[-1e308, 0.0, 1e308]]),
        np.array([[-1.0, 0.0, 1.0]], np.float16),
        np.array([[0, 32768, 65535]], np.uint16),
        np.array([[-128, 0, 127]], np.int8),
    ):
        np.testing.assert_allclose(read(pixels)[0, :, 0], [0, 127.5, 255], atol=1)


def test_pixels_that_are_no_numbers_are_black_and_constant_ones_do_no_harm():
    assert read(np.array([[np.nan, 0.2, 1.0, np.inf]]))[0, :, 0].tolist() == [0, 51, 255, 0]
    assert set(read(np.full((8, 8), 7.0)).flat) == {0}
    assert set(read(np.full((8, 8), 1.0)).flat) == {255}


def test_large_images_are_averaged():
    pixels = np.random.default_rng(0).integers(0, 256, (2 * MOST_SIDE, MOST_SIDE - 1, 3), np.uint8)
    small = read(pixels)
    assert small.shape == (MOST_SIDE, MOST_SIDE // 2, 3)
    expected = pixels[:, :-1].reshape(MOST_SIDE, 2, -1, 2, 3).mean((1, 3))
    np.testing.assert_allclose(small[:, :-1], expected, atol=0.51)
    np.testing.assert_allclose(small[:, -1], pixels[:, -1].reshape(-1, 2, 3).mean(1), atol=0.51)


@pytest.mark.parametrize("shape, size", [((8, 8), (128, 128)), ((28, 28), (112, 112)), ((40, 10), (30, 120)),
                                         ((160, 100), (100, 160)), ((320, 320), (160, 160))])  # fmt: skip
def test_small_images_are_enlarged_by_whole_pixels(shape, size):
    html = picture(np.ones(shape), Shades(0.0, 1.0), "it")
    assert re.search(r'width="(\d+)" height="(\d+)"', html).groups() == tuple(map(str, size))
