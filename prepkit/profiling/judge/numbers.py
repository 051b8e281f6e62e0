"""Columns of numbers: their scale, tails, zeros, and whether they are numbers at all."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from prepkit.finding import Finding
from prepkit.profiling.data import QUANTILES, ColumnProfile
from prepkit.profiling.judge.cells import suspects
from prepkit.profiling.judge.found import on_column, on_columns, percent, quoted, rounded
from prepkit.profiling.view import View
from prepkit.source.infer import READABLE

# Rules of thumb where nothing else is said.
APART = 100.0  # times the smallest standard deviation: one learning rate does not suit both columns
RANGE = 20.0  # standard deviations between the least and the most: of 50,000 normal numbers, 8
OFFSET = 1e4  # mean over standard deviation: float32 has 7 digits, of which then 3 are left
FAR = 6.0  # interquartile ranges from the median: of a normal distribution, 8 standard deviations
FARTHER = 12.0  # as many: 50,000 draws of an exponential distribution reach 9
FEW = 0.005  # share of the rows: fewer are single cells, not a tail
SKEWED = 2.0  # the skew of an exponential distribution
VERY_SKEWED, EXTREMELY_SKEWED = 5.0, 10.0
MOSTLY = 0.5  # share of zeros
SOME_ZEROS = 0.05
CODES = 10  # different whole numbers at most, and so many rows for each, that they may be codes
ROWS_EACH = 10
UNKNOWN_TO_PANDAS = ("?", "na", "\\N", "Null", "NAN")  # markers of `parse.MISSING` that `pandas.read_csv` lacks
PIXELS = 255.0
BRIGHT = 128.0


def scale(view: View) -> Iterator[Finding]:
    stds = {c.name: max(c.std, _spread(c)) for c in view.features if c.kind == "numeric" and c.std}
    if len(stds) > 1:
        largest, smallest = max(stds, key=stds.__getitem__), min(stds, key=stds.__getitem__)
        ratio = stds[largest] / stds[smallest]
        if ratio >= APART:
            evidence = {
                "largest": f"{largest!r}: standard deviation {rounded(stds[largest]):g}",
                "smallest": f"{smallest!r}: {rounded(stds[smallest]):g}",
                "ratio": rounded(ratio),
            }
            advice = "bring the columns to one scale"
            yield Finding("scale.range", "warning", "columns of numbers", evidence, advice, "Rescale('standard')")
    for c in view.features:
        if c.kind == "numeric" and c.std and c.mean is not None and abs(c.mean) > OFFSET * c.std:
            advice = "take the mean off in float64: as float32 most of what differs is lost"
            evidence = {"mean": c.mean, "std": rounded(c.std)}
            yield on_column("scale.offset", "warning", c.name, advice, "Rescale('standard')", **evidence)


def _spread(c: ColumnProfile) -> float:
    """What the standard deviation is taken for at least: it is small, too, where few rows differ from the others."""
    return (c.quantiles[-1] - c.quantiles[0]) / (2 if c.distinct == 2 else RANGE) if c.quantiles else 0.0


def pixels(view: View) -> Iterator[Finding]:
    """Whole numbers from 0 to 255 in every tensor, or in every column of a matrix."""
    tensors = [c for c in view.columns.values() if c.shape and c.quantiles]
    for c in tensors:
        if _is_pixels(c, whole=c.dtype == "uint8" or _whole(view, c)):
            advice = "divide by 255: a network starts from inputs of about 1"
            yield on_column(
                "scale.pixels", "warning", c.name, advice, "Rescale('unit')", least=c.quantiles[0], most=255
            )
    if view.measured.spec.structure == "array" and not tensors:
        columns = [c for c in view.columns.values() if c.quantiles]
        bright = [c.name for c in columns if c.quantiles[-1] >= BRIGHT]
        within = all(c.quantiles[0] >= 0 and c.quantiles[-1] <= PIXELS and _whole(view, c) for c in columns)
        if len(bright) > len(columns) / 2 and within:
            advice = "divide by 255: a network starts from inputs of about 1"
            yield on_columns("scale.pixels", "warning", [c.name for c in columns], advice, "Rescale('unit')")


def _is_pixels(c: ColumnProfile, *, whole: bool) -> bool:
    return whole and c.quantiles[0] >= 0 and BRIGHT <= c.quantiles[-1] <= PIXELS


def _whole(view: View, c: ColumnProfile) -> bool:
    values = view.numbers[c.name].values
    return bool((values == np.floor(values)).all())


def constant_cells(view: View) -> Iterator[Finding]:
    """Numbers of a tensor that are the same in every row."""
    for c in view.columns.values():
        tally = view.measured.tallies[c.name]
        if c.shape and tally.low_at is not None and c.distinct > 1 and c.rows > 1:
            same = int(np.count_nonzero(tally.low_at == tally.high_at))
            if same:
                size = int(np.prod(c.shape))
                advice = "nothing can be learned from them; they do no harm once all numbers are on one scale"
                evidence = {"numbers": same, "percent": percent(same, size), "of": size}
                yield on_column("tensor.constant", "info", c.name, advice, "", **evidence)


def tails(view: View) -> Iterator[Finding]:
    for c in view.features:
        if c.kind != "numeric" or c.distinct <= CODES or not c.quantiles:
            continue
        numbers = view.numbers[c.name]
        q1, median, q3 = (c.quantiles[QUANTILES.index(q)] for q in (0.25, 0.5, 0.75))
        low, high = c.quantiles[0], c.quantiles[-1]
        reach = max(high - median, median - low)
        beyond = numbers.counts[np.abs(numbers.values - median) > FAR * (q3 - q1)].sum()
        evidence = {"least": rounded(low), "median": rounded(median), "most": rounded(high)}
        evidence |= {} if c.skew is None else {"skew": rounded(c.skew)}
        skew = abs(c.skew or 0.0)
        if q3 > q1 and reach > FAR * (q3 - q1):
            evidence["interquartile_ranges"] = rounded(reach / (q3 - q1))
            evidence["percent_beyond"] = percent(int(beyond), numbers.total)
            severity = "warning" if reach > FARTHER * (q3 - q1) else "info"
            few = beyond < FEW * numbers.total
            code = "outliers" if few else "tails.heavy"
            advice = (
                "look at the rows: wrong cells, or rare ones? Limit them, lest they set the scale of the column"
                if few
                else "squash or clip the column, lest a few values set its scale"
            )
            stage = "Clip(quantiles=(0.001, 0.999))" if few else "Rescale('squash')"
            yield on_column(code, severity, c.name, advice, stage, **evidence)  # type: ignore[arg-type]
        elif q3 == q1 and skew > VERY_SKEWED:
            advice = "squash the column: most values are the same, and the others reach far"
            severity = "warning" if skew > EXTREMELY_SKEWED else "info"
            yield on_column("tails.heavy", severity, c.name, advice, "Rescale('squash')", **evidence)  # type: ignore[arg-type]
        elif skew > SKEWED:
            advice = "squash the column, or take its logarithm"
            yield on_column("skew", "info", c.name, advice, "Rescale('squash')", **evidence)


def zeros(view: View) -> Iterator[Finding]:
    for c in view.features:
        if c.kind != "numeric" or not c.zeros or c.distinct <= 2 or not c.quantiles:
            continue
        share = c.zeros / max(c.rows - c.missing, 1)
        evidence = {"rows": c.zeros, "percent": percent(c.zeros, c.rows - c.missing)}
        if share > MOSTLY:
            advice = "whether it is zero may tell more than by how much it is not: a column for each"
            yield on_column("zeros.many", "info", c.name, advice, "Rescale('squash')", **evidence)
        elif c.quantiles[0] == 0 and share < SOME_ZEROS and not _whole(view, c) and not suspects(view.numbers[c.name]):
            advice = "a measured quantity is seldom exactly zero: look whether zero stands for a missing value"
            yield on_column("zeros.few", "info", c.name, advice, "Validate(schema, on_invalid='null')", **evidence)


def codes(view: View) -> Iterator[Finding]:
    for c in view.features:
        enough = 2 < c.distinct <= CODES and c.rows - c.missing >= ROWS_EACH * c.distinct
        if c.kind == "numeric" and enough and _whole(view, c):
            values = [int(v) for v in view.numbers[c.name].values]
            advice = "if they are codes of categories rather than counts, say so: kinds={NAME: 'categorical'}"
            yield on_column("number.codes", "info", c.name, advice, "OneHot()", values=values)


def as_text(view: View) -> Iterator[Finding]:
    """Numbers, dates and flags that came as strings; of a CSV file, which has nothing else, what is odd about them."""
    for c in view.columns.values():
        if c.dtype != "string" or c.kind not in ("numeric", "boolean", "datetime"):
            continue
        how = view.column(c.name).parse
        if c.kind == "boolean":
            yield on_column("boolean.as_text", "info", c.name, f"read as 1 and 0: {'; '.join(c.notes)}")
        elif c.kind == "datetime":
            advice = "read as seconds since 1970; Datetime makes a trend and cycles of them"
            yield on_column("date.as_text", "info", c.name, advice, "Datetime()", format=how)
        elif view.typed or how == "number," or _fails_elsewhere(c, view.measured.tallies[c.name].padded):
            advice = "they are read as numbers; other readers make a column of strings of them"
            evidence = {"decimal_comma": how == "number,", "cells_that_are_none": c.missing}
            yield on_column("number.as_text", "warning" if view.typed else "info", c.name, advice, "", **evidence)


def _fails_elsewhere(c: ColumnProfile, padded: int) -> bool:
    """Whether pandas would not make numbers of the column, for it knows no such marker, or none with spaces."""
    return c.unreadable > 0 or padded > 0 or any(m in UNKNOWN_TO_PANDAS or m.startswith("#D") for m in c.markers)


def written(view: View) -> Iterator[Finding]:
    """How numbers that came as strings are written."""
    for name, style in view.styles.items():
        if style.spaced:
            advice = "outer spaces are taken off; other readers may take the numbers for strings"
            yield on_column("number.spaces", "info", name, advice, "", percent=percent(style.spaced, style.cells))
        if style.ways:
            advice = "the same numbers are written in several ways: rows may come from several sources"
            yield on_column("number.written", "info", name, advice, "", ways=list(style.ways))
        if style.shorter:
            advice = "if they are codes, leading zeros may be lost: read them as strings and fill them up"
            evidence = {"usual_digits": style.digits, "cells_with_fewer": style.shorter}
            yield on_column("number.leading_zeros", "info", name, advice, "", **evidence)


def nearly_text(view: View) -> Iterator[Finding]:
    """Strings of which many, but too few, are numbers."""
    for c in view.columns.values():
        found = view.spellings.get(c.name)
        if c.kind == "categorical" and c.dtype == "string" and found and 0.5 <= found.numbers < READABLE:
            advice = "too many cells are no numbers to read it as such: correct them, or say kinds={NAME: 'numeric'}"
            evidence = {"percent_numbers": percent(found.numbers, 1), "others": quoted(found.others)}
            yield on_column("values.mixed", "info", c.name, advice, "Validate()", **evidence)


JUDGES = (scale, pixels, constant_cells, tails, zeros, codes, as_text, written, nearly_text)
