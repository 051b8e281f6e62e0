"""Make every class count."""

from __future__ import annotations

import importlib
import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np

from prepkit.core import TrainingStage, did_you_mean, one_of
from prepkit.errors import PrepkitError

Weighting = Literal["balanced", "sqrt", "effective"]
Strategy = str | float | Mapping[Any, int] | Sequence[Any]

CLASS_WEIGHT, OVERSAMPLE, UNDERSAMPLE = "class_weight", "oversample", "undersample"
KINDS = (CLASS_WEIGHT, OVERSAMPLE, UNDERSAMPLE)
WEIGHTINGS = ("balanced", "sqrt", "effective")
STRATEGIES = ("auto", "balanced", "minority", "majority", "not minority", "not majority", "all")
# imbalanced-learn's public samplers by module, read out of it by a test: a recipe names them without importing it.
SAMPLERS: Mapping[str, tuple[str, ...]] = {
    "imblearn.over_sampling": (
        "ADASYN", "BorderlineSMOTE", "KMeansSMOTE", "RandomOverSampler", "SMOTE", "SMOTEN", "SMOTENC", "SVMSMOTE",
    ),
    "imblearn.under_sampling": (
        "AllKNN", "ClusterCentroids", "CondensedNearestNeighbour", "EditedNearestNeighbours",
        "InstanceHardnessThreshold", "NearMiss", "NeighbourhoodCleaningRule", "OneSidedSelection",
        "RandomUnderSampler", "RepeatedEditedNearestNeighbours", "TomekLinks",
    ),
    "imblearn.combine": ("SMOTEENN", "SMOTETomek"),
}  # fmt: skip
MODULES = {name: module for module, names in SAMPLERS.items() for name in names}
ONLY = {  # settings, and the kinds that they are for
    "class_weight": (CLASS_WEIGHT,),
    "beta": (CLASS_WEIGHT,),
    "as_sample_weight": (CLASS_WEIGHT,),
    "with_resampling": (CLASS_WEIGHT,),
    "balanced_batches": (OVERSAMPLE, UNDERSAMPLE),
    "params": tuple(MODULES),
    "fewer_neighbors": tuple(MODULES),
}


@dataclass(frozen=True)
class Rebalance(TrainingStage):
    """Make rare classes count, in training only: by weights, by how often rows come, or by rows that are made.

    Validation and test rows are never touched. What the network sees is another prior than the data have;
    `fitted.attach(model)` corrects the probabilities for it, and `metadata.initial_bias` is of the prior that it sees.

    Args:
        kind: "class_weight": each row weighs by its class, with mean 1 over the rows of an epoch, so that the
            learning rate keeps its meaning; "oversample" or "undersample": rows of each class are repeated or left
            out, other ones in each epoch, by index where the data are in memory, else in the stream, with the same
            counts in each epoch; or a sampler of imbalanced-learn, as an object or by its name, run once on the
            training rows as the model gets them.
        sampling_strategy: what resampling aims at, in imbalanced-learn's words: "auto" or "balanced" (all classes as
            large as the largest, or, for "undersample", as the smallest), "minority", "majority", "not minority",
            "not majority", "all"; a ratio of smallest to largest class, above 0 and up to 1, which every class is
            brought to; or rows by class, {class: rows}. Samplers that clean take a list of classes, too.
        balanced_batches: for "oversample" and "undersample": whether the classes have the same shares in every batch
            as in the epoch, to within two rows; in a stream, as far as a window of rows has them.
        class_weight: how weights follow from the counts n of rows, those after cleaning and resampling: "balanced",
            1/n; "sqrt", its square root; "effective", (1 - beta) / (1 - beta**n), one by the effective number of rows;
            or given, {class: weight}, 1 for classes that are not named.
        beta: of "effective", 0 to 1, 1 excluded.
        as_sample_weight: whether the weights are the dataset's third element, times weights that are there already,
            rather than in `metadata.class_weight` for `model.fit(class_weight=...)`. Never both.
        with_resampling: whether class weights may stand behind a stage that resamples, which may correct twice.
        params: for a sampler by its name, the settings that it is made with.
        fewer_neighbors: for samplers that look at neighbours within a class: whether they take as many as there are
            where a class is too small, rather than refuse it.

    Raises:
        PrepkitError: for an unknown kind, or settings that are none or belong to another kind; when fitting, for a
            class that does not exist or has too few rows, or an aim that cannot be reached.

    Example:
        >>> import pandas as pd
        >>> import prepkit as pk
        >>> frame = pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0], "y": [0, 0, 0, 1]})
        >>> pk.Pipeline([pk.Rebalance("class_weight")]).prepare(frame, label="y").metadata.class_weight
        {0: 0.6666666666666666, 1: 2.0}
        >>> prepared = pk.Pipeline([pk.Rebalance("oversample")]).prepare(frame, label="y", batch_size=6)
        >>> [sorted(y.tolist()) for _, y in prepared.dataset.as_numpy_iterator()]
        [[0, 0, 0, 1, 1, 1]]

    Source: scikit-learn's compute_class_weight("balanced"), after King and Zeng 2001
        (doi:10.1093/oxfordjournals.pan.a004868); Cui et al. 2019, Class-balanced loss based on effective number of
        samples (doi:10.1109/CVPR.2019.00949); Lemaitre, Nogueira and Aridas 2017, imbalanced-learn
        (https://www.jmlr.org/papers/v18/16-365.html).
    """

    kind: Any = CLASS_WEIGHT
    sampling_strategy: Strategy = field(default="auto", kw_only=True, hash=False)
    balanced_batches: bool = field(default=False, kw_only=True)
    class_weight: Weighting | Mapping[Any, float] = field(default="balanced", kw_only=True, hash=False)
    beta: float = field(default=0.999, kw_only=True)
    as_sample_weight: bool = field(default=False, kw_only=True)
    with_resampling: bool = field(default=False, kw_only=True)
    params: Mapping[str, Any] | None = field(default=None, kw_only=True, hash=False)
    fewer_neighbors: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.kind, str):
            self._name_sampler()
        elif not (self.kind in KINDS or self.kind in MODULES or is_unsaved(self.kind)):
            close = did_you_mean(self.kind, [*KINDS, *MODULES])
            raise PrepkitError(f"Rebalance: kind={self.kind!r} is neither {', '.join(KINDS)} nor a sampler{close}")
        self._check_settings()
        self._check_weights()
        self._check_strategy()
        if self.kind in MODULES and self.params:
            sampler_of(self)

    @property
    def resamples(self) -> bool:
        """Whether it changes how often rows come; else it weighs them."""
        return bool(self.kind != CLASS_WEIGHT)

    @property
    def draws(self) -> bool:
        """Whether each epoch has other rows, by prepkit itself; else a sampler is run once, or nothing is resampled."""
        return self.kind in (OVERSAMPLE, UNDERSAMPLE)

    @property
    def samples(self) -> bool:
        """Whether a sampler is run."""
        return self.resamples and not self.draws

    @property
    def sampler(self) -> str:
        """The name of the sampler, for messages."""
        return self.kind.strip("<>") if isinstance(self.kind, str) else type(self.kind).__name__

    def _name_sampler(self) -> None:
        """A sampler of imbalanced-learn with plain settings becomes its name and settings, which can be written."""
        if isinstance(self.kind, type) or not hasattr(self.kind, "fit_resample"):
            hint = f"write {self.kind.__name__}()" if isinstance(self.kind, type) else "it has no fit_resample"
            raise PrepkitError(
                f"Rebalance: kind={self.kind!r} is no sampler ({hint}): give one of {', '.join(KINDS)}, or an object "
                "or the name of a sampler of imbalanced-learn, as in SMOTE() or 'SMOTE'."
            )
        if self.params or self.sampling_strategy != "auto":
            raise PrepkitError(
                "Rebalance: params and sampling_strategy of a sampler object are its own: set them there."
            )
        name = type(self.kind).__name__
        if name not in MODULES or not type(self.kind).__module__.startswith("imblearn."):
            return
        given = self.kind.get_params(deep=False)
        default = {p.name: p.default for p in inspect.signature(type(self.kind)).parameters.values()}
        changed = {k: v for k, v in given.items() if k not in default or not _same(v, default[k])}
        changed.pop("categorical_features", None)  # which columns those are is told by their kinds
        if all(_is_plain(v) for v in changed.values()):
            object.__setattr__(self, "kind", name)
            object.__setattr__(self, "sampling_strategy", changed.pop("sampling_strategy", "auto"))
            object.__setattr__(self, "params", changed or None)

    def _check_settings(self) -> None:
        kind = self.kind if isinstance(self.kind, str) else "SMOTE"
        for name, kinds in ONLY.items():
            changed = getattr(self, name) != type(self).__dataclass_fields__[name].default
            if changed and kind not in kinds and not is_unsaved(kind):
                what = "a sampler" if kinds == tuple(MODULES) else " or ".join(map(repr, kinds))
                raise PrepkitError(f"Rebalance: {name} is for kind {what}, not for {kind!r}: leave it out.")
        if self.kind == CLASS_WEIGHT and self.sampling_strategy != "auto":
            raise PrepkitError("Rebalance: sampling_strategy is for resampling: for weights, set class_weight.")
        for name in ("balanced_batches", "as_sample_weight", "with_resampling", "fewer_neighbors"):
            if not isinstance(getattr(self, name), bool):
                raise PrepkitError(f"Rebalance: {name}={getattr(self, name)!r}: give True or False.")
        if self.params is not None and not isinstance(self.params, Mapping):
            raise PrepkitError(f"Rebalance: params={self.params!r}: give a dict, as in {{'k_neighbors': 3}}.")
        params = self.params or {}
        if "sampling_strategy" in params:
            raise PrepkitError("Rebalance: sampling_strategy is a setting of Rebalance itself: take it out of params.")
        plain = {k: _by_class(v, k) if isinstance(v, Mapping) else _plain(v) for k, v in params.items()}
        object.__setattr__(self, "params", plain or None)

    def _check_weights(self) -> None:
        beta: Any = self.beta
        if not _is_number(beta) or not 0 <= beta < 1:
            raise PrepkitError(f"Rebalance: beta={beta!r}: give a number from 0 to below 1, such as 0.999.")
        if not isinstance(self.class_weight, Mapping):
            one_of(self.class_weight, WEIGHTINGS, "Rebalance: class_weight")
            return
        for name, weight in self.class_weight.items():
            if not _is_number(weight) or weight <= 0:
                raise PrepkitError(
                    f"Rebalance: class_weight of {name!r} is {weight!r}: give a finite number above 0; to leave a "
                    "class out, filter its rows before."
                )
        weights = _by_class(self.class_weight, "class_weight")
        object.__setattr__(self, "class_weight", {name: float(weight) for name, weight in weights.items()})

    def _check_strategy(self) -> None:
        strategy: Any = self.sampling_strategy
        if isinstance(strategy, Mapping):
            for name, rows in strategy.items():
                if not _is_number(rows) or rows != int(rows) or rows < 1:
                    raise PrepkitError(
                        f"Rebalance: sampling_strategy of {name!r} is {rows!r}: give a whole number of rows, 1 or more."
                    )
            plain = _by_class(strategy, "sampling_strategy")
            object.__setattr__(self, "sampling_strategy", {name: int(rows) for name, rows in plain.items()})
        elif isinstance(strategy, str):
            one_of(strategy, STRATEGIES, "Rebalance: sampling_strategy")
            wrong = {OVERSAMPLE: "majority", UNDERSAMPLE: "minority"}.get(self.kind if self.draws else "")
            if strategy == wrong:
                raise PrepkitError(f"Rebalance: {self.kind} cannot aim at the {wrong} class: leave it out.")
        elif isinstance(strategy, list | tuple) and self.samples:
            object.__setattr__(self, "sampling_strategy", [str(name) for name in strategy])
        elif not (_is_number(strategy) and 0 < strategy <= 1):
            raise PrepkitError(
                f"Rebalance: sampling_strategy={strategy!r}: give a ratio of smallest to largest class, above 0 and up "
                f"to 1, rows by class, or one of {', '.join(map(repr, STRATEGIES))}; for samplers that clean, a list "
                "of the classes that they may take rows of."
            )
        else:
            object.__setattr__(self, "sampling_strategy", float(strategy))


def is_unsaved(kind: str) -> bool:
    """Whether it stands for a sampler object that could not be saved; its rows were, so that it is not run again."""
    return kind.startswith("<") and kind.endswith(">")


def sampler_of(stage: Rebalance) -> Any:
    """The sampler of a stage that runs one, ready to be cloned.

    Raises:
        PrepkitError: for settings that it does not have, or if it was not saved.
    """
    if not isinstance(stage.kind, str):
        return stage.kind
    if is_unsaved(stage.kind):
        raise PrepkitError(f"Rebalance: the sampler {stage.kind[1:-1]} was not saved with the recipe: give it anew.")
    made = getattr(importlib.import_module(MODULES[stage.kind]), stage.kind)
    known = [name for name in inspect.signature(made).parameters if name != "categorical_features"]
    if unknown := sorted(set(stage.params or ()) - set(known)):
        raise PrepkitError(f"Rebalance: {stage.kind} has no setting {unknown[0]!r}{did_you_mean(unknown[0], known)}")
    own = {"categorical_features": "auto"} if stage.kind == "SMOTENC" else {}
    return made(**own, **(stage.params or {}))


def _by_class(values: Mapping[Any, Any], setting: str) -> dict[str, Any]:
    """The same by the names of classes, as JSON has keys: a recipe that is read again equals the one written."""
    out = {str(name): _plain(value) for name, value in values.items()}
    if len(out) < len(values):
        raise PrepkitError(f"Rebalance: {setting}={values!r} names a class twice: keep one of them.")
    return out


def _plain(value: Any) -> Any:
    """A value as JSON has it, without numpy's types."""
    return value.item() if isinstance(value, np.generic) else value


def _is_number(value: Any) -> bool:
    return not isinstance(value, bool | np.bool_) and isinstance(value, Real) and math.isfinite(value)


def _is_plain(value: Any) -> bool:
    if isinstance(value, Mapping | list | tuple):
        return all(map(_is_plain, value.values() if isinstance(value, Mapping) else value))
    return value is None or isinstance(value, str | bool | Integral | Real)


def _same(value: Any, default: Any) -> bool:
    return type(value) is type(default) and bool(value == default)
