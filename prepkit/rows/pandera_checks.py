"""Run what cannot be a tensor operation: pandera's own checks, on a data frame of some rows."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from prepkit.errors import PrepkitError
from prepkit.rows.schema_checks import builtin_name, checks_of, expanded
from prepkit.rows.schema_types import categories_of, dtype_name
from prepkit.rules import Rule


def run_by_pandera(schema: Any, rules: Sequence[Rule], frame: Any, start: int = 0) -> dict[int, np.ndarray]:
    """Evaluate the rules that run by pandera, as pandera's own `validate(lazy=True)` does.

    Each check is called itself, for to collect failure cases takes pandera seconds where millions fail.

    Args:
        schema: from which the rules were compiled.
        rules: any; those that run otherwise are passed over.
        frame: a pandas data frame with the columns of the schema, as they were read; what its dtype cannot hold
            is missing to the check, and breaks the column's rule "dtype".
        start: the number of its first row, for messages.

    Returns:
        For the position in `rules` of each that pandera runs, booleans of shape (rows,): which rows break it.

    Raises:
        PrepkitError: if a check raises, or gives no verdict on single rows and the one on all is no.

    Example:
        >>> import pandas as pd
        >>> import pandera.pandas as pa
        >>> even = pa.Check(lambda s: s % 2 == 0, name="even")
        >>> rule = Rule(("x",), "even", {}, "even", runs="pandera")
        >>> schema = pa.DataFrameSchema({"x": pa.Column(int, even)})
        >>> run_by_pandera(schema, [rule], pd.DataFrame({"x": [2, 3, 4]}))
        {0: array([False,  True, False])}
    """
    chosen = {i: rule for i, rule in enumerate(rules) if rule.runs == "pandera"}
    if not chosen:
        return {}
    frame = _as_declared(schema, frame.set_axis(range(len(frame)), axis=0))
    checks = {(name, text): check for name, text, check in checks_of(schema, list(frame.columns))}
    out = {}
    for i, rule in chosen.items():
        name = rule.columns[0] if rule.columns else ""
        out[i] = _broken(checks[name, rule.text], frame, name, f"{rule}, on rows {start} to {start + len(frame) - 1}")
    return out


def can_run(schema: Any, rule: Rule) -> bool:
    """Whether the schema still has the check of a rule that pandera runs; functions are not saved with a schema."""
    names = rule.columns or tuple(map(str, schema.columns))
    wanted = (rule.columns[0] if rule.columns else "", rule.text)
    return any((name, text) == wanted for name, text, _ in checks_of(schema, names))


def _as_declared(schema: Any, frame: Any) -> Any:
    """The frame with the types that the schema tells, as far as its cells allow; without columns that go."""
    told = expanded(schema, list(frame.columns))
    if schema.strict == "filter":
        frame = frame[[name for name in frame.columns if name in {n for n, _ in told}]]
    return frame.assign(**{name: _read(frame[name], column.dtype, name) for name, column in told})


def _read(series: Any, dtype: Any, name: str) -> Any:
    import pandas as pd

    plain = dtype_name(dtype, name) or ""
    if plain == "category":
        listed, ordered = categories_of(dtype), bool(getattr(dtype, "ordered", False))
        known = series if listed is None else series.where(series.isin(listed))
        return known.astype(pd.CategoricalDtype(listed, ordered))
    if series.dtype.kind == "O" and plain.startswith(("int", "uint", "float")):
        return pd.to_numeric(series, errors="coerce")
    if series.dtype.kind == "O" and plain.startswith("datetime"):
        return pd.to_datetime(series, errors="coerce", format="ISO8601")
    return series


def _broken(check: Any, frame: Any, name: str, where: str) -> np.ndarray:
    """Which rows of a frame numbered from 0 break a check of column `name`, or of whole rows where it is ""."""
    import pandera.pandas as pa

    key = name or None
    try:
        with warnings.catch_warnings():
            # of str.contains, to which a regular expression with a group looks like a slip
            warnings.filterwarnings("ignore", "This pattern is interpreted as a regular expression")
            if isinstance(check, pa.Hypothesis):
                return _rows(check(frame, key).check_output, None, False, frame, where)
            backend = _backend(check, frame)
            given = backend.preprocess(frame, key)
            return _rows(backend.apply(given), given, check.ignore_na, frame, where)
    except PrepkitError:
        raise
    except Exception as error:
        raise PrepkitError(
            f"the check {where}, raised {type(error).__name__}: {error}. It has to work on any rows of the data, "
            "missing cells among them."
        ) from error


def _backend(check: Any, frame: Any) -> Any:
    """What runs the check on data frames of pandas."""
    kind = check.get_backend(frame)  # which makes pandera's own checks known for pandas, if no frame was checked before
    name = builtin_name(check)
    if name is not None:  # a schema holds a copy of the function as it was known then
        check._check_fn = check.get_builtin_check_fn(name)
    return kind(check)


def _rows(verdict: Any, given: Any, ignore_na: bool, frame: Any, where: str) -> np.ndarray:
    """A verdict, of whatever form pandera takes, by row; cells that a check passes over keep it."""
    import pandas as pd

    if isinstance(verdict, pd.DataFrame) and isinstance(given, pd.DataFrame):
        kept = _kept(verdict)
        return np.asarray(~(kept | given.isna() if ignore_na else kept).all(axis=1))
    if not isinstance(verdict, pd.Series):
        if not isinstance(verdict, bool | np.bool_):
            raise TypeError(f"it returned {type(verdict).__name__}, not booleans as a pandas Series")
        return _of_all(bool(verdict), frame, where)
    if isinstance(given, dict) or not verdict.index.equals(given.index):  # one for each group, or the like
        return _of_all(bool(verdict.all()), frame, where)
    kept = _kept(verdict)
    if isinstance(given, pd.DataFrame) and ignore_na:
        kept = kept | given.isna().all(axis=1)
    broken = np.zeros(len(frame), bool)
    broken[given.index[~kept.to_numpy()]] = True
    return broken


def _kept(verdict: Any) -> Any:
    """As booleans; no verdict on a cell is none against it."""
    return verdict.where(verdict.notna(), True).astype(bool)


def _of_all(passed: bool, frame: Any, where: str) -> np.ndarray:
    if not passed:
        raise PrepkitError(
            f"the check {where}, is about all of them together and fails, and prepkit judges rows one by one: take it "
            "out of the schema, and call schema.validate(frame) with it before."
        )
    return np.zeros(len(frame), bool)
