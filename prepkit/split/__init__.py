"""Validation rows, set apart before anything is learned from the data."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real

import numpy as np

from prepkit.core import did_you_mean
from prepkit.errors import PrepkitError
from prepkit.source import Source, Table
from prepkit.source.dataset import TensorDataset
from prepkit.source.part import Part
from prepkit.spec import Spec
from prepkit.split.stream import Lot, masked, refuse_empty
from prepkit.split.table import held_out
from prepkit.split.units import Units

__all__ = ["Split", "parted"]


@dataclass(frozen=True)
class Split:
    """Two parts of a source.

    Args:
        train: the rows to learn from, in the order of reading.
        validation: the others.
        rows: int64 numbers of the training and of the validation rows, rising; None for streams.
    """

    train: Source
    validation: Source
    rows: tuple[np.ndarray, np.ndarray] | None


def parted(source: Source, raw: Spec, share: float, groups: str | None, seed: int) -> Split:
    """Part a source at random into training and validation rows; every row is in one of them.

    Rows that hold the same in all columns but the label, `groups` and those that inference takes for identifiers stay
    together, so that copies of a row, as resampling makes them, are all in one part. Rows with one cell in `groups`
    stay together, too; where that cell is missing, a row is on its own. Rows without a label are for training, which
    counts and leaves them out.

    In memory, a table is stratified: of each class, and of all rows, the validation part has `share`, give or take a
    row, or a set of rows that stay together; where such sets hold several classes, it comes as near as they allow. A
    class of a single such set is for training, and training has every class. Rows that equal features and groups
    connect over several steps stay together as well.

    A stream is parted by a hash of each row, or of its cell in `groups`, and `seed`: in every pass and every order a
    row is in the same part, and no row has to be held. So shares hold on average and are not stratified, a class of few
    rows may be missing in either part, and rows of equal features but several groups may be parted. A dataset
    whose features are drawn anew in each pass, such as augmented images, needs `groups`: else its rows change sides.

    Args:
        source: the data.
        raw: its columns and label, as `infer` has them.
        share: of the rows, for validation, between 0 and 1.
        groups: name of the column whose cell says which rows belong together; None for none.
        seed: of the draw, 0 or more.

    Returns:
        For a table, tables; for a dataset, datasets of the same structure, parted in the graph; else sources that
        read the given one and leave rows out. None of these knows its number of rows but tables.

    Raises:
        PrepkitError: if `share` is none, or `groups` no column of scalars; if a part is without rows; or, in
            memory, if the data look resampled already. A stream is read until both parts have a row.

    Example:
        >>> from prepkit.source import as_source
        >>> from prepkit.source.reader import Reader, infer
        >>> source = as_source({"x": [5, 5, 6, 7, 8, 9, 1, 2, 3, 4], "y": ["no", "yes"] * 5}, "y")
        >>> split = parted(source, infer(source, Reader(source).head, "y", {}), 0.2, None, seed=0)
        >>> split.rows
        (array([0, 1, 2, 3, 6, 7, 8, 9]), array([4, 5]))

    Source: strata are drawn from systematically (Madow 1949, doi:10.1214/aoms/1177729988); sets of several
    rows are assigned one after another to where they are wanted most (Pocock and Simon 1975, doi:10.2307/2529712);
    hashes are thinned by multiplication (Dietzfelbinger et al. 1997, doi:10.1006/jagm.1997.0873).
    """
    _check(raw, share, groups)
    units = Units(raw, groups)
    if isinstance(source, Table):
        out = held_out(source, units, float(share), seed)
        rows = np.flatnonzero(~out), np.flatnonzero(out)
        return Split(source.filtered(~out, _named(source)), source.filtered(out, _named(source, True)), rows)
    lot = Lot(units, float(share), seed)
    refuse_empty(source, lot)
    if isinstance(source, TensorDataset):
        return Split(masked(source, lot, _named(source)), masked(source, lot, _named(source, True), True), None)
    train = Part(source, lambda chunk: ~lot.held_out(chunk), _named(source))
    return Split(train, Part(source, lot.held_out, _named(source, True)), None)


def _named(source: Source, validation: bool = False) -> str:
    return f"{source.name} ({'validation' if validation else 'training'} rows)"


def _check(raw: Spec, share: object, groups: object) -> None:
    if not isinstance(share, Real) or not 0 < float(share) < 1:
        raise PrepkitError(f"validation_split={share!r}: give the share of rows to validate by, such as 0.2.")
    assert raw.label is not None
    if groups is None:
        return
    if not isinstance(groups, str):
        raise PrepkitError(f"groups={groups!r}: give the name of one column, as in groups='customer'.")
    if groups == raw.label.name:
        raise PrepkitError(f"groups={groups!r} is the label: give the column that says which rows belong together.")
    if groups not in raw:
        raise PrepkitError(f"groups={groups!r} is no column of the data{did_you_mean(groups, raw.names)}")
    if raw[groups].kind == "tensor":
        raise PrepkitError(f"groups={groups!r} is a column of tensors: give one with a cell a row.")
