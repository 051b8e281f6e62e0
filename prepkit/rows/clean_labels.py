"""Find labels that are probably wrong, and cure them where it helps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from prepkit.core import TrainingStage, one_of
from prepkit.errors import PrepkitError

Action = Literal["auto", "relabel", "drop", "weight", "report"]
ACTIONS = ("auto", "relabel", "drop", "weight", "report")
# cleanlab's own names; a test reads them out of its source.
FILTERS = (
    "prune_by_noise_rate", "prune_by_class", "both", "confident_learning",
    "predicted_neq_given", "low_normalized_margin", "low_self_confidence",
)  # fmt: skip
RANKS = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")


@dataclass(frozen=True)
class CleanLabels(TrainingStage):
    """Find training rows whose label is probably wrong by cleanlab, from probabilities out of sample, and treat them.

    Validation and test rows are never touched. What was found and done is in `prepared.cleaning` and
    `prepared.label_issues`, with the key of each doubted row.

    Args:
        action: "auto" compares treatments (nothing; less weight; drop; relabel where sure and drop the rest) on
            held-out rows that none of them has touched, and takes the best one only if it beats nothing beyond the
            noise of the comparison; "relabel" where the suggested class is sure enough; "drop"; "weight", by the
            probability of the given label; "report" changes nothing.
        model: a function without arguments, or of the `Metadata`, that returns a compiled Keras classifier: it is
            trained anew on each fold. None for a fast scikit-learn model, the better one of two that fit the data.
        pred_probs: out-of-sample probabilities instead, (rows, classes), a row for each row that is read, classes in
            the order of `metadata.class_names`; or a data frame with a column for each class name.
        folds: of the cross-validation; classes with fewer rows are left alone.
        groups: a column whose equal values stay in one fold. Rows of equal features always do.
        id: a column that names each row; None for a 64-bit key of what the row holds.
        filter_by: cleanlab's method to flag labels.
        rank: cleanlab's score by which the most doubted come first.
        max_share: the largest share of the rows given a class that is changed, 0 to 1; the most doubted go first. None
            for 0.9 with "auto", which has measured that it helps, and else 0.5: of a rare class that many other rows
            are labelled as by mistake, most rows may be wrong.
        min_rows: a class is not brought below so many rows.
        confirmed: the true label of some rows, by key: they are put right and not doubted.
        revert: keys of rows whose given label a person has confirmed: it stays.
        epochs: that `model` is trained for at most; it stops early on a part of the fold's own training rows.

    Raises:
        PrepkitError: for settings that contradict each other or are none; when preparing, for probabilities that are
            none, keys that are none, or an id that is not unique.

    Example:
        >>> import numpy as np
        >>> import prepkit as pk
        >>> rng = np.random.default_rng(0)
        >>> y = rng.integers(0, 2, 200)
        >>> x = (rng.normal(size=(200, 3)) + 4 * y[:, None]).astype("float32")
        >>> y[:10] = 1 - y[:10]
        >>> prepared = pk.Pipeline([pk.Rescale(), pk.CleanLabels("drop")]).prepare((x, y), seed=0)
        >>> len(prepared.label_issues), sorted(prepared.label_issues["row"])
        (10, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
        >>> print(prepared.metadata.ledger)
        200 rows in, 190 trained, 10 label doubted

    Source: Northcutt, Jiang and Chuang 2021, Confident learning (doi:10.1613/jair.1.12125), as in cleanlab.
    """

    action: Action = "auto"
    model: Callable[..., Any] | None = field(default=None, kw_only=True)
    pred_probs: Any = field(default=None, kw_only=True, compare=False, repr=False)
    folds: int = field(default=5, kw_only=True)
    groups: str | None = field(default=None, kw_only=True)
    id: str | None = field(default=None, kw_only=True)
    filter_by: str = field(default="prune_by_noise_rate", kw_only=True)
    rank: str = field(default="self_confidence", kw_only=True)
    max_share: float | None = field(default=None, kw_only=True)
    min_rows: int = field(default=20, kw_only=True)
    confirmed: Mapping[str, Any] | None = field(default=None, kw_only=True, hash=False)
    revert: Sequence[str] = field(default=(), kw_only=True)
    epochs: int = field(default=50, kw_only=True)

    def __post_init__(self) -> None:
        one_of(self.action, ACTIONS, "CleanLabels: action")
        one_of(self.filter_by, FILTERS, "CleanLabels: filter_by")
        one_of(self.rank, RANKS, "CleanLabels: rank")
        if self.model is not None and self.pred_probs is not None:
            raise PrepkitError("CleanLabels: model and pred_probs are two sources of the same probabilities: give one.")
        if self.model is not None and not callable(self.model):
            raise PrepkitError(
                f"CleanLabels: model={self.model!r}: give a function that returns a compiled Keras model, as each fold "
                "trains a new one."
            )
        if _is_built(self.model):
            raise PrepkitError(
                "CleanLabels: model is a Keras model, whose weights would go from fold to fold: give a function that "
                "returns a new compiled one."
            )
        for name, least in (("folds", 2), ("min_rows", 0), ("epochs", 1)):
            value: Any = getattr(self, name)
            if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
                raise PrepkitError(f"CleanLabels: {name}={value!r}: give a whole number, {least} or more.")
        share: Any = self.max_share
        is_number = isinstance(share, float | int | np.number) and not isinstance(share, bool)
        if share is not None and not (is_number and 0 <= share <= 1):
            raise PrepkitError(f"CleanLabels: max_share={share!r}: give a share of a class, 0 to 1.")
        for name in ("groups", "id"):
            if not isinstance(getattr(self, name), str | None):
                raise PrepkitError(f"CleanLabels: {name}={getattr(self, name)!r}: give the name of a column.")
        self._check_keys()

    @property
    def largest_share(self) -> float:
        """`max_share`, or what it is where it is not given."""
        if self.max_share is not None:
            return float(self.max_share)
        return 0.9 if self.action == "auto" else 0.5

    def _check_keys(self) -> None:
        revert: Any = self.revert
        if isinstance(revert, str | bytes) or not isinstance(revert, Iterable):
            raise PrepkitError(f"CleanLabels: revert={revert!r}: give a list of keys, as in ['00000000000000ff'].")
        object.__setattr__(self, "revert", tuple(map(str, revert)))
        if self.confirmed is None:
            return
        if not isinstance(self.confirmed, Mapping):
            raise PrepkitError("CleanLabels: confirmed: give a dict of the true label by key, {key: label}.")
        object.__setattr__(self, "confirmed", {str(key): _plain(label) for key, label in self.confirmed.items()})
        if both := sorted(set(self.revert) & set(self.confirmed or ())):
            raise PrepkitError(f"CleanLabels: {both[0]!r} is in revert and in confirmed: say one or the other.")


def _plain(label: Any) -> Any:
    """A label as JSON has it and as classes are called: without numpy's types, and 1.0, as of a column with gaps, 1."""
    label = label.item() if isinstance(label, np.generic) else label
    return int(label) if isinstance(label, float) and label.is_integer() else label


def _is_built(model: Any) -> bool:
    """Whether it is a Keras model; Keras need not be imported for that."""
    return any(c.__module__.startswith("keras.") and c.__name__ == "Model" for c in type(model).__mro__)
