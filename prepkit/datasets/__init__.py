"""Small real data sets with all their defects; README.md beside this file has sources and licences."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from prepkit.errors import PrepkitError

Part = Literal["train", "test"]


def adult(part: Part) -> Path:
    """Where the official training or test file of UCI Adult (Census Income) lies: a gzipped CSV.

    14 features of a person and the label `income`, at most or more than 50,000 dollars a year:
    32,561 training rows, of which 24.1 % are the latter, and 16,281 test rows. Facts that any
    reader of the files meets: a missing value is " ?", with the space (`workclass`, `occupation`,
    `native-country`); every string begins with a space; the labels are " <=50K" and " >50K" in the
    training file, but " <=50K." and " >50K." in the test file; `capital-gain` is capped at 99999.

    Args:
        part: "train" or "test".

    Returns:
        The path of the file as installed with prepkit; it is for reading only.

    Raises:
        PrepkitError: if `part` is neither.

    Example:
        >>> adult("train").name
        'adult.train.csv.gz'

    Source: Becker & Kohavi (1996), doi:10.24432/C5XW20, CC BY 4.0; README.md says what was modified.
    """
    if part not in get_args(Part):
        raise PrepkitError(f"part={part!r}: give one of {list(get_args(Part))}.")
    return Path(__file__).with_name(f"adult.{part}.csv.gz")
