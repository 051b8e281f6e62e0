import numpy as np
import pytest
import tensorflow as tf

import prepkit as pk
from tests.features.frames import done, fit, transformed, words


def vectors(*texts, bins=512, **settings):
    found = done(pk.Text(bins, **settings), {"t": words(*texts, "one more row of text")}, t="text")
    return np.array(list(found.values())).T[:-1]


def near(a, b):
    x, y = vectors(a, b)
    return float(x @ y)


@pytest.mark.parametrize(
    "a, b, other",
    [
        ("late again", "late agian", "paid in full"),
        ("Database Administrator", "databse administrator", "Bus driver"),
        ("東京都新宿区", "東京都渋谷区", "大阪府堺市"),
        ("Straße", "straße ", "weg"),
    ],
)
def test_similar_spellings_lie_near_each_other(a, b, other):
    assert near(a, b) > near(a, other) + 0.3


def test_case_and_runs_of_white_space_do_not_matter():
    first, *others = vectors("Über den Wolken", "über  den wolken", "ÜBER\tDEN\nWOLKEN", "über den\u00a0\u2003wolken")
    for other in others:
        np.testing.assert_array_equal(other, first)


def test_each_text_has_unit_length_and_a_missing_one_none():
    found = vectors("a", "some longer text " * 50, None, "", "  ", "😀", "é")
    np.testing.assert_allclose((found**2).sum(1), [1, 1, 0, 0, 0, 1, 1], rtol=1e-5)
    assert found.min() >= 0


def test_against_counting_by_hand():
    """n-grams of the padded text, hashed, counted, log-scaled."""
    text = " abab "
    grams = [text[i : i + n] for n in (1, 2) for i in range(len(text) - n + 1)]
    counts = np.zeros(64)
    for bucket in tf.strings.to_hash_bucket_fast(grams, 64).numpy():
        counts[bucket] += 1
    expected = np.log1p(counts) / np.linalg.norm(np.log1p(counts))
    np.testing.assert_allclose(vectors("abab", bins=64, ngrams=(1, 2))[0], expected, rtol=1e-5)


def test_a_letter_is_one_character_in_any_script():
    """Of one letter between two blanks there is a single trigram."""
    for letter in ("a", "ß", "東", "😀"):
        assert (vectors(letter, ngrams=(3, 3)) > 0).sum() == 1


def test_a_text_shorter_than_the_shortest_n_gram_is_all_zeros():
    assert vectors("ab", ngrams=(7, 9)).sum() == 0


def test_bytes_that_are_no_utf8_in_serving():
    fitted = fit(pk.Text(16), {"t": words("some text", "other text")}, t="text")
    found = fitted.flow.features({"t": tf.constant([b"caf\xe9 \xff", b"ok"])})
    np.testing.assert_allclose(tf.reduce_sum(found**2, 1), [1, 1], rtol=1e-5)


def test_texts_of_several_columns_beside_categories():
    data = {"t": words("aa", None), "c": words("x", "y"), "u": words("bb", "aa"), "n": [1.0, 2.0]}
    stages = [pk.Text(8), pk.OneHot()]
    fitted = fit(stages, data, t="text", u="text", c="categorical")
    assert fitted.feature_names == (
        *(f"t~{i}" for i in range(8)), "c=x", "c=y", *(f"u~{i}" for i in range(8)), "n",
    )  # fmt: skip
    found = np.array(list(transformed(fitted, data).values())).T
    np.testing.assert_array_equal(found[0, :8], found[1, 10:18])
    assert found[:, 8:10].tolist() == [[1, 0], [0, 1]]


def test_categories_when_named():
    data = {"c": words("cook", "smith"), "d": words("x", "y")}
    fitted = fit([pk.Text(4, columns="c"), pk.OneHot()], data, c="categorical", d="categorical")
    assert fitted.feature_names == ("c~0", "c~1", "c~2", "c~3", "d=x", "d=y")


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"bins": 1}, "Text: bins=1: give 2 or more."),
        ({"ngrams": (3, 2)}, r"Text: ngrams=\(3, 2\): give the shortest and the longest length, as in \(2, 4\)."),
        ({"ngrams": (0, 2)}, r"Text: ngrams=\(0, 2\): give the shortest and the longest length"),
        ({"bins": "remark"}, "Text: bins='remark': give 2 or more. Columns are chosen by columns=."),
        ({"bins": 2.5}, "Text: bins=2.5: give 2 or more."),
        ({"ngrams": 3}, "Text: ngrams=3: give the shortest and the longest length"),
        ({"ngrams": (2,)}, r"Text: ngrams=\(2,\): give the shortest and the longest length"),
    ],
)
def test_errors_when_made(settings, message):
    with pytest.raises(pk.PrepkitError, match=message):
        pk.Text(**settings)


def test_numbers_are_no_text():
    with pytest.raises(pk.PrepkitError, match=r"Text takes columns of kind text or categorical, not 'n' \(numeric\)"):
        fit(pk.Text(columns="n"), {"n": [1.0, 2.0]})
