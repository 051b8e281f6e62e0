"""Labels judged, doubted ones treated: the whole of `CleanLabels` on one page."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np

from prepkit.cleaning.act import Limits, Treated, Treatment
from prepkit.cleaning.compare import Gain, Judge, compare
from prepkit.cleaning.crossfit import Rows
from prepkit.cleaning.data import NOTHING, Candidate, Cleaning, Decisions, Noise, Table
from prepkit.cleaning.design import Design
from prepkit.cleaning.detect import flagged, noise, quality
from prepkit.cleaning.judge import Train, has_signal, judged
from prepkit.cleaning.record import issues_of, shown_of
from prepkit.cleaning.words import beyond_reach, capped, few, no_signal, swapped, unknown_keys
from prepkit.errors import PrepkitError
from prepkit.finding import Finding
from prepkit.labels import clean as as_class
from prepkit.rows.clean_labels import CleanLabels
from prepkit.spec import Column

# Rows, and cells of images, by which the features of proxies are scaled and brought to few dimensions: 256 MB.
MEASURED, CELLS = 20_000, 2**26
# What "auto" compares, and the thresholds between which "relabel" chooses.
TREATMENTS = (
    Treatment("weight", wide=True),
    Treatment("drop"),
    Treatment("relabel and drop", wide=True, sure=0.9),
)
RELABELLING = tuple(Treatment("relabel", sure=sure) for sure in (0.5, 0.7, 0.9))


def clean(
    stage: CleanLabels,
    table: Table,
    columns: Sequence[Column],
    seed: int,
    network: Callable[[np.ndarray], Train] | None = None,
) -> Cleaning:
    """Judge the labels of a table, and decide what becomes of rows.

    Args:
        stage: what is asked.
        table: the training rows.
        columns: those that reach the model.
        seed: of folds and models.
        network: the user's own model, by the labels of all rows: gives the probabilities of held-out rows, from the
            numbers of the rows to train on, of those held out, and the fold in words; None where it diverged.

    Raises:
        PrepkitError: for probabilities that are none, and keys or labels that are none.
    """
    work = _Work(stage, table, seed)
    rows = work.rows(columns)
    if rows is None:
        return work.nothing_to_judge()
    with work.timed("probabilities"):
        probabilities, judge, source = judged(stage, table, rows, work.findings, network)
    with work.timed("detection"):
        found = _detected(stage, table, rows, probabilities, work.limits)
        wrong = replace(noise(found.labels, probabilities, seed), approximate=found.approximate)
    accuracy = float((probabilities.argmax(1) == found.labels).mean())
    chance = float(np.bincount(found.labels).max() / len(found.labels))
    obstacles = swapped(found.labels, probabilities, table.class_names)
    if not has_signal(found.labels, probabilities):
        obstacles.append(no_signal(accuracy, chance))
    work.findings += obstacles
    with work.timed("comparison"):
        treatment, gains = (Treatment(NOTHING), []) if obstacles else _chosen(stage, rows, judge)
    wanted, limited = found.wanted(treatment), found.treated(treatment)
    changed = limited.changed(found.labels)
    work.findings += capped(found.labels, wanted.changed(found.labels), changed, table.class_names)
    listed = found.doubted | changed
    order = np.flatnonzero(listed)[np.argsort(found.quality[listed], kind="stable")]
    held_back = wanted.changed(found.labels) & ~changed
    decisions, counts = work.decided(rows, limited)
    return Cleaning(
        action=stage.action,
        taken=str(treatment) if changed.any() else NOTHING,
        source=source,
        rows=len(found.labels),
        accuracy=accuracy,
        chance=chance,
        class_names=table.class_names,
        noise=wrong,
        candidates=_candidates(found, gains, treatment),
        findings=tuple(work.findings),
        issues=issues_of(table, rows.chosen, order, found.labels, probabilities, limited, held_back),
        shown=shown_of(table, rows.chosen[order]),
        decisions=decisions,
        counts=counts,
        probabilities=probabilities,
        judged=table.numbers[rows.chosen],
        confirmed=work.put_right,
        seconds=work.seconds,
    )


@dataclass(frozen=True)
class _Detected:
    """Rows that have been judged, (rows,) each.

    Args:
        labels: class numbers as given, or as a person has confirmed them.
        probabilities: (rows, classes), out of sample.
        doubted: whether cleanlab flags the label and nobody has confirmed it.
        approximate: whether the flags are.
        quality: of each label, 0 the worst.
        fixed: whether a person has spoken of the row.
        same: numbers from 0, equal for rows that cannot be told apart.
        limits: how far treatments may go.
    """

    labels: np.ndarray
    probabilities: np.ndarray
    doubted: np.ndarray
    approximate: bool
    quality: np.ndarray
    fixed: np.ndarray
    same: np.ndarray
    limits: Limits

    def wanted(self, treatment: Treatment) -> Treated:
        """What the treatment would do without limits."""
        return treatment(self.labels, self.probabilities, self.doubted, self.fixed)

    def treated(self, treatment: Treatment) -> Treated:
        """What it does."""
        return self.limits.kept_within(self.wanted(treatment), self.labels, self.quality, self.same)


def _detected(stage: CleanLabels, table: Table, rows: Rows, probabilities: np.ndarray, limits: Limits) -> _Detected:
    labels, fixed = rows.labels[rows.chosen], rows.fixed[rows.chosen]
    flags = flagged(labels, probabilities, stage.filter_by)
    scores = quality(labels, probabilities, stage.rank)
    _, same = np.unique(table.keys[rows.chosen], return_inverse=True)
    # Of rows that are the same cleanlab may flag some; as decisions go by key, all of them are doubted then.
    doubted = (np.bincount(same, flags.rows) > 0)[same] & ~fixed
    return _Detected(labels, probabilities, doubted, flags.approximate, scores, fixed, same.astype(np.int64), limits)


@dataclass
class _Work:
    """What is known of the rows before they are judged, and what there is to say."""

    stage: CleanLabels
    table: Table
    seed: int
    findings: list[Finding] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.limits = Limits(self.stage.largest_share, self.stage.min_rows)
        self.labels, self.fixed = self._told()
        self.able = self._learnable()

    def _told(self) -> tuple[np.ndarray, np.ndarray]:
        """Labels with those that a person has confirmed put right, and which rows a person has spoken of."""
        labels, fixed = self.table.labels.copy(), np.zeros(len(self.table), bool)
        confirmed = self.stage.confirmed or {}
        if not confirmed and not self.stage.revert:
            return labels, fixed
        from prepkit.cleaning.record import places_of

        places = places_of(self.table, [*self.stage.revert, *confirmed])
        lost = [key for key, rows in places.items() if not len(rows)]
        if lost:
            self.findings.append(unknown_keys(lost))
        for key, rows in places.items():
            fixed[rows] = True
            if key in confirmed:
                labels[rows] = self._class_number(key, confirmed[key])
        return labels, fixed

    @property
    def put_right(self) -> int:
        """How many labels a person has changed."""
        return int((self.labels != self.table.labels).sum())

    def _class_number(self, key: str, label: object) -> int:
        names = self.table.class_names
        name = as_class(str(label))
        if name not in names:
            raise PrepkitError(
                f"CleanLabels: confirmed[{key!r}]={label!r} is no class: choose from "
                f"{', '.join(map(repr, names[:10]))}."
            )
        return names.index(name)

    def _learnable(self) -> np.ndarray:
        """Which rows are of a class that every fold can learn: with as many sets of rows that are alike as folds."""
        sets = np.unique(np.stack([self.labels, self.table.alike]), axis=1)[0]
        counts = np.bincount(sets, minlength=len(self.table.class_names))
        rare = np.flatnonzero((counts < self.stage.folds) & (np.bincount(self.labels, minlength=len(counts)) > 0))
        if len(rare):
            self.findings.append(few(rare, counts, self.table.class_names, self.stage.folds))
        return np.asarray(counts[self.labels] >= self.stage.folds)

    def rows(self, columns: Sequence[Column]) -> Rows | None:
        """The rows to be judged; None where there are not two classes of them."""
        chosen = np.flatnonzero(self.able)
        if len(np.unique(self.labels[chosen])) < 2 or not columns:
            self.findings.append(beyond_reach(len(chosen)))
            return None
        rng = np.random.default_rng(self.seed)
        most = max(100, min(MEASURED, CELLS // sum(c.width for c in columns)))
        sample = np.sort(rng.choice(chosen, min(len(chosen), most), replace=False))
        return Rows(
            Design(self.table, columns, sample, self.seed),
            self.labels,
            len(self.table.class_names),
            self.table.weights,
            self.table.alike,
            chosen,
            self.fixed,
            self.stage.filter_by,
            self.seed,
        )

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[what] = time.perf_counter() - start

    def decided(self, rows: Rows | None, limited: Treated | None) -> tuple[Decisions, tuple[int, ...]]:
        """What is done with rows, by key: those treated, and those put right; and the rows left of each class."""
        classes, weights = self.labels.copy(), np.ones(len(self.labels), np.float32)
        if rows is not None and limited is not None:
            classes[rows.chosen], weights[rows.chosen] = limited.classes, limited.weights
        changed = np.flatnonzero((classes != self.table.labels) | (weights != 1))
        keys, first = np.unique(self.table.keys[changed], return_index=True)
        places = changed[first]
        left = np.bincount(classes[weights > 0], minlength=len(self.table.class_names))
        return Decisions(keys, classes[places].astype(np.int32), weights[places]), tuple(left.tolist())

    def nothing_to_judge(self) -> Cleaning:
        counts = np.bincount(self.labels)
        share = float(counts.max() / len(self.labels))
        k = len(self.table.class_names)
        empty = np.zeros(0, np.int64)
        nobody = Treated(np.zeros(0, np.int32), np.zeros(0, np.float32))
        none = np.zeros((0, k), np.float32)
        decisions, left = self.decided(None, None)
        return Cleaning(
            action=self.stage.action,
            taken=NOTHING,
            source="none",
            rows=0,
            accuracy=float("nan"),
            chance=share,
            class_names=self.table.class_names,
            noise=Noise(np.eye(k), float("nan"), (float("nan"), float("nan"))),
            candidates=(),
            findings=tuple(self.findings),
            issues=issues_of(self.table, empty, empty, empty, none, nobody, np.zeros(0, bool)),
            shown={},
            decisions=decisions,
            counts=left,
            probabilities=none,
            judged=empty,
            confirmed=self.put_right,
            seconds=self.seconds,
        )


def _chosen(stage: CleanLabels, rows: Rows, judge: Judge) -> tuple[Treatment, list[Gain]]:
    """The treatment to be taken, and what was compared."""
    limits = Limits(stage.largest_share, stage.min_rows)
    if stage.action == "report":
        return Treatment(NOTHING), []
    if stage.action in ("drop", "weight"):
        return Treatment(stage.action), []
    gains = compare(rows, judge, TREATMENTS if stage.action == "auto" else RELABELLING, limits)
    best = max(gains, key=lambda g: g.gain)
    if stage.action == "relabel":
        return best.treatment, gains
    best = max((g for g in gains if g.significant), key=lambda g: g.gain, default=best)
    return best.treatment if best.significant else Treatment(NOTHING), gains


def _candidates(found: _Detected, gains: Sequence[Gain], taken: Treatment) -> tuple[Candidate, ...]:
    if not gains:
        return ()
    out = [Candidate(NOTHING, 0.0, 0.0, 0, taken.action == NOTHING)]
    for g in gains:
        changed = int(found.treated(g.treatment).changed(found.labels).sum())
        out.append(Candidate(str(g.treatment), g.gain, g.error, changed, g.treatment == taken))
    return tuple(out)
