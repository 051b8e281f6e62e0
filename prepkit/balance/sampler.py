"""A sampler of imbalanced-learn, run once on the training rows as the model gets them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np

from prepkit.balance import judge
from prepkit.balance.copied import copied
from prepkit.balance.mixed import Mixed, is_nominal, is_picture, mixed, placed
from prepkit.balance.targets import check_counts
from prepkit.errors import PrepkitError
from prepkit.rows.rebalance import MODULES, OVERSAMPLE, SAMPLERS, UNDERSAMPLE, Rebalance
from prepkit.spec import Spec

SMOTES = ("SMOTE", "SMOTENC", "SMOTEN")  # one method, for numbers, for both, and for categories
CLEANED = {"SMOTEENN": "enn", "SMOTETomek": "tomek"}  # SMOTE, and then the sampler in this setting
BY_NUMBER = ("RandomOverSampler", "RandomUnderSampler")  # which do not look at what rows hold
CHOOSING = frozenset(SAMPLERS["imblearn.under_sampling"]) - {"ClusterCentroids"}
NEIGHBORS = dict.fromkeys((*SMOTES, "BorderlineSMOTE", "SVMSMOTE", "KMeansSMOTE"), "k_neighbors")
NEIGHBORS["ADASYN"] = "n_neighbors"


@dataclass(frozen=True)
class Drawn:
    """What a sampler has made of the training rows.

    Args:
        rows: int64 (n,), the number of each row among those given, or -1 where it was made.
        labels: int32 (n,), class numbers.
        made: final blocks, by name, of the rows that were made, in their order; empty where none was.
        note: what is worth telling; "" for nothing.
    """

    rows: np.ndarray
    labels: np.ndarray
    made: Mapping[str, np.ndarray]
    note: str = ""


def makes_rows(stage: Rebalance) -> bool:
    """Whether the stage may make rows that the data do not have; of samplers that are not known, that is assumed."""
    if _name(stage) == "RandomOverSampler":
        settings = (stage.params or {}) if isinstance(stage.kind, str) else stage.kind.get_params()
        return settings.get("shrinkage") is not None
    return stage.samples and _name(stage) not in CHOOSING


def _name(stage: Rebalance) -> str:
    """Of imbalanced-learn's own samplers; "" for others."""
    kind = stage.kind
    name = kind if isinstance(kind, str) else type(kind).__name__
    own = isinstance(kind, str) or type(kind).__module__.startswith("imblearn.")
    return name if own and name in MODULES else ""


def draw_by_sampler(
    stage: Rebalance,
    spec: Spec,
    blocks: Callable[[], Mapping[str, np.ndarray]],
    labels: np.ndarray,
    class_names: Sequence[str],
    seed: int,
) -> Drawn:
    """Run the sampler of a stage.

    SMOTE is SMOTENC or SMOTEN where some columns, or all, are categories, booleans or encoded, whichever of the three
    is named: in such columns, rows that are made hold what a row of the data holds, as one-hot columns with a single 1.
    Other samplers that make rows take numbers only. Those that choose rows get all columns side by side.

    Args:
        stage: one that runs a sampler; it, and the sampler in it, stay as they are.
        spec: of the final blocks.
        blocks: gives those of all rows; called only if what they hold matters, and would fit.
        labels: int32 (rows,), class numbers.
        class_names: to which the keys of a mapping have to belong.
        seed: any integer; of every `random_state` that is None.

    Raises:
        PrepkitError: for columns, classes or an aim that the sampler cannot work with, a class too small for its
            neighbours, missing cells, what would not fit in memory, whatever the library raises, and a result that is
            none: a class lost, labels changed, columns added, NaN.

    Example:
        >>> from prepkit.spec import Column
        >>> spec = Spec((Column("x", "numeric", block="float32"),))
        >>> x = np.array([[1], [2], [3], [4], [5]], np.float32)
        >>> labels = np.array([0, 0, 0, 1, 1], np.int32)
        >>> stage = Rebalance("SMOTE", fewer_neighbors=True)
        >>> drawn = draw_by_sampler(stage, spec, lambda: {"float32": x}, labels, ("no", "yes"), seed=0)
        >>> drawn.rows.tolist(), drawn.labels.tolist(), drawn.made["float32"].shape
        ([0, 1, 2, 3, 4, -1], [0, 0, 0, 1, 1, 1], (1, 1))

    Source: Lemaitre, Nogueira and Aridas 2017, imbalanced-learn (https://www.jmlr.org/papers/v18/16-365.html); Chawla,
        Bowyer, Hall and Kegelmeyer 2002, SMOTE (doi:10.1613/jair.953), 6.1 for SMOTENC and 6.2 for SMOTEN.
    """
    run = _Run(stage, _name(stage), np.asarray(labels, np.int32), tuple(class_names))
    run.check_columns(spec)
    with run.library():
        sampler = copied(stage, run.class_names, seed)
    sampler, cleaner = run.parted(sampler)
    more = run.more(sampler)
    if run.name in BY_NUMBER and not run.makes:
        chosen = run.resampled(sampler, np.arange(len(labels), dtype=np.float64)[:, None], run.labels)
        return run.drawn(_Made(chosen.rows, chosen.labels, chosen.made, chosen.made), None)
    run.check_neighbors(sampler, more)
    rows = len(labels) + sum(more.values())
    judge.check_memory(run.called, rows, sum(c.width for c in spec.columns), run.instead)
    table = mixed(spec, blocks())
    judge.check_memory(run.called, rows, table.width, run.instead, run.besides(sampler, table, more))
    made = run.made(sampler, table)
    run.note_lacking(more, made.labels)
    if cleaner is not None:
        made = run.cleaned(cleaner, table, made)
    return run.drawn(made, table)


class _Made(NamedTuple):
    """As `judge.Resampled`, the rows that were made as the numbers and codes of `Mixed`."""

    rows: np.ndarray
    labels: np.ndarray
    numbers: np.ndarray
    codes: np.ndarray


@dataclass
class _Run:
    """A sampler and the labels that it is run on; what is worth telling gathers in `notes`."""

    stage: Rebalance
    name: str
    labels: np.ndarray
    class_names: tuple[str, ...]
    notes: list[str] = field(default_factory=list)

    @property
    def called(self) -> str:
        return self.name or type(self.stage.kind).__name__

    @property
    def makes(self) -> bool:
        return makes_rows(self.stage)

    @property
    def instead(self) -> str:
        """The kind that reaches the same without looking at rows."""
        return UNDERSAMPLE if MODULES.get(self.name) == "imblearn.under_sampling" else OVERSAMPLE

    @cached_property
    def counts(self) -> np.ndarray:
        return np.bincount(self.labels, minlength=len(self.class_names))

    @contextmanager
    def library(self) -> Iterator[None]:
        """What the library raises becomes our error, and what it warns of a note."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                yield
            except PrepkitError:
                raise
            except Exception as error:
                why = " ".join(str(error).split()).rstrip(".") or type(error).__name__
                raise PrepkitError(
                    f"Rebalance: {self.called} cannot be run ({why}): change its settings, or use {self.instead!r}, "
                    "which needs nothing but the labels."
                ) from error
        self.notes += dict.fromkeys(str(w.message) for w in caught if issubclass(w.category, UserWarning))

    # -- before --------------------------------------------------------------------------------

    def check_columns(self, spec: Spec) -> None:
        """Refuse what the sampler cannot make rows of; of one that is not known, once it has made some."""
        if not self.makes or not self.name:
            return
        columns = [c for _, c, _ in placed(spec)]
        judge.check_columns(self.name, filter(is_picture, columns), judge.PICTURES)
        if self.name not in (*SMOTES, *CLEANED):
            judge.check_columns(self.name, filter(is_nominal, columns), judge.NUMBERS_ONLY)

    def parted(self, sampler: Any) -> tuple[Any, Any]:
        """What makes or chooses rows, and what cleans behind it; None for nothing."""
        if self.name not in CLEANED:
            return sampler, None
        from imblearn.over_sampling import SMOTE
        from imblearn.under_sampling import EditedNearestNeighbours, TomekLinks

        smote, cleaner = sampler.smote, getattr(sampler, CLEANED[self.name])
        cleaning = EditedNearestNeighbours if self.name == "SMOTEENN" else TomekLinks
        for setting, value, kind in (("smote", smote, SMOTE), (CLEANED[self.name], cleaner, cleaning)):
            if value is not None and not isinstance(value, kind):
                raise PrepkitError(f"Rebalance: {self.name}: {setting}={value!r}: give a {kind.__name__}, or None.")
        if smote is None:
            smote = SMOTE(sampling_strategy=sampler.sampling_strategy, random_state=sampler.random_state)
        return smote, cleaner or cleaning(sampling_strategy="all", n_jobs=sampler.n_jobs)

    def more(self, sampler: Any) -> dict[int, int]:
        """Rows that are to be made, by class number; a guess for a sampler that is not known."""
        from imblearn.utils import check_sampling_strategy

        if not self.name:
            return {i: int(self.counts.max() - n) for i, n in enumerate(self.counts) if n}
        aim, way = sampler.sampling_strategy, sampler._sampling_type
        over = way == "over-sampling"
        judge.check_aim(self.called, aim, self.counts, cleans=way == "clean-sampling")
        if isinstance(aim, Mapping):
            check_counts(self.called, over, aim, self.counts.tolist(), self.class_names)
        with self.library():
            checked = check_sampling_strategy(aim, self.labels, way)
            return {int(i): int(rows) for i, rows in checked.items()} if over else {}

    def check_neighbors(self, sampler: Any, more: Mapping[int, int]) -> None:
        """Refuse a class with fewer rows than the sampler looks at, or have it look at fewer."""
        setting = NEIGHBORS.get(type(sampler).__name__, "") if self.name else ""
        if not setting or getattr(sampler, "kind", "") == "borderline-2":  # which looks at rows of all classes
            return
        k = getattr(sampler, setting)
        whole = isinstance(k, Integral)  # else an object, which counts the row itself among its neighbours
        need = k + 1 if whole else getattr(k, "n_neighbors", 0)
        there = judge.enough(self.called, need, more, self.counts, self.class_names, self.stage.fewer_neighbors)
        if there < need:
            sampler.set_params(**{setting if whole else f"{setting}__n_neighbors": there - whole})
            self.notes.append(f"{self.called} looks at {there - 1} neighbours rather than {need - 1}, for want of rows")

    def besides(self, sampler: Any, table: Mixed, more: Mapping[int, int]) -> int:
        """Bytes that it takes beside the rows."""
        if self.name == "KMeansSMOTE" or (self._by_smote and not table.numbers.size):
            return judge.between(self.counts, more)
        if self._by_smote and table.patterns:
            k = sampler.k_neighbors
            width = table.numbers.shape[1] + sum(len(p.rows) for p in table.patterns)
            k = int(k) if isinstance(k, Integral) else k.n_neighbors - 1
            return judge.neighbourhoods(k, width, self.counts, more)
        return 0

    # -- running it ----------------------------------------------------------------------------

    @property
    def _by_smote(self) -> bool:
        return self.name in (*SMOTES, *CLEANED)

    def resampled(self, sampler: Any, matrix: np.ndarray, labels: np.ndarray) -> judge.Resampled:
        given = matrix.view()
        given.flags.writeable = False  # a sampler that scales in place would pass its rows for those of the data
        with self.library():
            returned = sampler.fit_resample(given, labels.copy())
            indices = getattr(sampler, "sample_indices_", None)
            return judge.resampled(self.called, matrix, labels, returned, indices, len(self.class_names))

    def made(self, sampler: Any, table: Mixed) -> _Made:
        """Real rows and made ones."""
        if not self._by_smote:
            found = self.resampled(sampler, table.matrix(table.numbers, table.codes), self.labels)
            if not len(found.made):
                return _Made(found.rows, found.labels, table.numbers[:0], table.codes[:0])
            judge.check_columns(self.called, filter(is_picture, table.spec.columns), judge.PICTURES)
            return _Made(found.rows, found.labels, *self._known(table, *table.parted(found.made)))
        sampler = self._of_kinds(sampler, table)
        n = table.numbers.shape[1]
        matrix = np.concatenate([table.numbers, table.codes], axis=1) if table.patterns else table.numbers
        found = self.resampled(sampler, matrix, self.labels)
        return _Made(found.rows, found.labels, *self._known(table, found.made[:, :n], found.made[:, n:]))

    def note_lacking(self, more: Mapping[int, int], labels: np.ndarray) -> None:
        """Tell of classes that were to be enlarged and are not; BorderlineSMOTE skips those without a border."""
        left = np.bincount(labels, minlength=len(self.class_names))
        same = [self.class_names[i] for i, rows in more.items() if rows > 0 and left[i] <= self.counts[i]]
        if self.name and same:
            self.notes.append(f"{self.called} has made no rows of {', '.join(map(repr, same[:5]))}")

    def _of_kinds(self, sampler: Any, table: Mixed) -> Any:
        """The one of SMOTE, SMOTENC and SMOTEN that the columns are for, with the settings of the one given."""
        from imblearn.over_sampling import SMOTE, SMOTEN, SMOTENC

        n, nominal = table.numbers.shape[1], len(table.patterns)
        kind = SMOTE if not nominal else SMOTENC if n else SMOTEN
        if kind is SMOTE and not isinstance(sampler, SMOTENC | SMOTEN):
            return sampler
        kept = ["sampling_strategy", "random_state", "k_neighbors"]
        kept += ["categorical_encoder"] if type(sampler) is kind else []
        settings = {setting: getattr(sampler, setting) for setting in kept}
        if kind is SMOTENC:
            settings["categorical_features"] = list(range(n, n + nominal))
        if type(sampler) is not kind:
            self.notes.append(
                f"{kind.__name__} is run rather than {type(sampler).__name__}, for the kinds of the columns"
            )
        return kind(**settings)

    def _known(self, table: Mixed, numbers: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same, codes as int64, each of a pattern that some row has."""
        whole = np.rint(codes).astype(np.int64)
        sizes = np.array([len(p.rows) for p in table.patterns], np.int64)
        known = (whole == codes) & (whole >= 0) & (whole < sizes)
        wrong = [p.column for p, sound in zip(table.patterns, known.all(axis=0), strict=True) if not sound]
        judge.check_columns(self.called, wrong, judge.FRACTIONAL)
        return numbers, whole

    def cleaned(self, cleaner: Any, table: Mixed, made: _Made) -> _Made:
        """Of real and made rows those that are left."""
        real = table.matrix(table.numbers, table.codes)
        matrix = np.concatenate([real, table.matrix(made.numbers, made.codes)])
        left = self.resampled(cleaner, matrix, made.labels).rows
        new = left[left >= len(real)] - len(real)
        rows = np.where(left < len(real), left, -1)
        return _Made(rows, made.labels[left], made.numbers[new], made.codes[new])

    def drawn(self, made: _Made, table: Mixed | None) -> Drawn:
        left = np.bincount(made.labels, minlength=len(self.class_names))
        gone = np.flatnonzero((left == 0) & (self.counts > 0))
        if len(gone):
            raise PrepkitError(
                f"Rebalance: {self.called} has left no row of class {self.class_names[gone[0]]!r}: name "
                "the classes that it may take rows of in its sampling_strategy, or use another sampler."
            )
        new = table.made(made.numbers, made.codes) if table is not None and (made.rows < 0).any() else {}
        return Drawn(made.rows, made.labels, new, "; ".join(dict.fromkeys(self.notes)))
