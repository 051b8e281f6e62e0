"""Which recipes an ablation compares: all stages, none, all but one, one alone, one in another's place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Any

from prepkit.ablation.data import RAW, RECIPE, Variant
from prepkit.ablation.numbers import Floats, left_over, with_missing, zeros
from prepkit.core import ColumnStage, RowStage, Stage, TrainingStage, as_names, did_you_mean, is_pattern
from prepkit.entry import Entry
from prepkit.errors import PrepkitError
from prepkit.features.choose import Map
from prepkit.features.impute import Impute
from prepkit.fit import coded_columns
from prepkit.gate import Gate
from prepkit.pipeline import Pipeline
from prepkit.report.words import listed
from prepkit.spec import Spec

Alternatives = Mapping[str, Sequence[Stage[Any] | None]]


@dataclass(frozen=True)
class Plan:
    """What is compared, and what is not.

    Args:
        variants: each with a recipe of its own: "raw", if it is possible, "recipe", then those without a stage, of
            one stage only, and the alternatives.
        equal: names of variants that are not trained, as their recipe is that of another, and the name of that one,
            whose runs are theirs: of a recipe of one stage, "without X" is "raw" and "only X" is "recipe".
        not_possible: names of variants whose recipe cannot work, or that have nothing to be compared with, and why.
    """

    variants: tuple[Variant, ...]
    equal: Mapping[str, str] = field(default_factory=dict)
    not_possible: Mapping[str, str] = field(default_factory=dict)

    def named(self, name: str) -> Variant | None:
        """The variant of this name, or the one that it is equal to; None where it is not possible.

        Raises:
            PrepkitError: for a name that the plan does not have.
        """
        if name in self.not_possible:
            return None
        found = {v.name: v for v in self.variants}
        own = self.equal.get(name, name)
        if own not in found:
            raise PrepkitError(f"there is no variant {name!r}{did_you_mean(name, [*found, *self.equal])}")
        return found[own]


def variants(
    pipeline: Pipeline, spec: Spec, missing: AbstractSet[str] = frozenset(), alternatives: Alternatives | None = None
) -> Plan:
    """The recipes to compare, each with the least that has to stand in for what it leaves out.

    What goes into no matrix is stood in for: categories and ids by numbers, behind the column stages; times by seconds,
    0 where nothing imputes them, in the place of the stage that is left out, ahead of one alone; texts, and tensors
    beside other columns, are left out. In "raw" and of single stages, missing cells are 0, ahead of the stage: without
    that, all of them would diverge, and tell nothing. Leaving out Impute is not stood in for. With `output="dict"`
    nothing but missing cells is, as the model takes columns by name.

    Args:
        pipeline: the recipe.
        spec: of the training data as they come in, inferred; only names, kinds and shapes are looked at.
        missing: names of the columns with missing cells.
        alternatives: by the name of a stage, stages to try in its place; None for none in its place. Stages are named
            by their type, and numbered ("Rescale 1", "Rescale 2") where a type is there more than once.

    Raises:
        PrepkitError: for a recipe without stages or that cannot work on `spec`; for alternatives that are none, or
            of a stage that does not exist.

    Example:
        >>> import prepkit as pk
        >>> from prepkit.spec import Column, Spec
        >>> spec = Spec((Column("age", "numeric"), Column("job", "categorical", "string")))
        >>> plan = variants(pk.Pipeline([pk.Rescale(), pk.OneHot()]), spec)
        >>> [v.name for v in plan.variants], plan.named("raw").stand_ins
        (['raw', 'recipe', 'without Rescale', 'without OneHot'], ('categories as numbers 0, 1, ...: job',))
        >>> plan.equal
        {'only Rescale': 'without OneHot', 'only OneHot': 'without Rescale'}
    """
    kept: list[Variant] = []
    equal: dict[str, str] = {}
    not_possible: dict[str, str] = {}
    for draft in _drafts(pipeline.stages, alternatives or {}):
        if draft.against in not_possible:
            lacking = f"there is no {draft.against!r} to compare it with: {not_possible[draft.against]}"
            not_possible[draft.name] = lacking
            continue
        try:
            variant = _completed(draft, pipeline, spec, missing)
        except PrepkitError as error:
            if draft.role == "recipe":
                raise
            not_possible[draft.name] = str(error)
            continue
        twin = next((v.name for v in kept if _are_same(v.stages, variant.stages)), None)
        if twin is None or draft.role == "recipe":  # which is always there
            kept.append(variant)
        else:
            equal[draft.name] = twin
    return Plan(tuple(kept), equal, not_possible)


def stage_names(stages: Sequence[Stage[Any]]) -> tuple[str, ...]:
    """A name for each stage: its type, with a number where that is there more than once.

    Example:
        >>> import prepkit as pk
        >>> stage_names([pk.Impute(), pk.Rescale("squash"), pk.Rescale()])
        ('Impute', 'Rescale 1', 'Rescale 2')
    """
    types = [type(stage).__name__ for stage in stages]
    total, so_far = Counter(types), Counter[str]()
    names = []
    for name in types:
        so_far[name] += 1
        names.append(f"{name} {so_far[name]}" if total[name] > 1 else name)
    return tuple(names)


# -- which ---------------------------------------------------------------------------------------


def _drafts(stages: Sequence[Stage[Any]], alternatives: Alternatives) -> list[Variant]:
    """All variants, with nothing standing in for what they leave out."""
    if not stages:
        raise PrepkitError("the recipe has no stage, so there is nothing to leave out: give one with stages.")
    names = stage_names(stages)
    _check(alternatives, names)
    recipe = tuple(stages)
    drafts = [Variant(RAW, "raw", "", (), ""), Variant(RECIPE, "recipe", "", recipe, "")]
    for i, name in enumerate(names):
        drafts.append(Variant(f"without {name}", "without", name, recipe[:i] + recipe[i + 1 :], RECIPE))
    drafts += [Variant(f"only {n}", "only", n, (s,), RAW) for n, s in zip(names, recipe, strict=True)]
    for i, name in enumerate(names):
        for other in alternatives.get(name, ()):
            inside = () if other is None else (other,)
            drafts.append(Variant("", "alternative", name, (*recipe[:i], *inside, *recipe[i + 1 :]), RECIPE))
            drafts[-1] = replace(drafts[-1], name=_unused(f"{name}: {_shown(other)}", {d.name for d in drafts}))
    return drafts


def _check(alternatives: Any, names: Sequence[str]) -> None:
    example = "give a dict of lists by stage, as in {'Rescale': [Rescale('robust')]}."
    if not isinstance(alternatives, Mapping):
        raise PrepkitError(f"alternatives={alternatives!r}: {example}")
    for name, others in alternatives.items():
        if name not in names:
            raise PrepkitError(
                f"alternatives names {name!r}, which is no stage of the recipe{did_you_mean(str(name), names)}"
            )
        if isinstance(others, str) or not isinstance(others, Sequence):
            raise PrepkitError(f"alternatives[{name!r}]={others!r} is no list: {example}")
        for other in others:
            if other is not None and not isinstance(other, Stage):
                hint = "write it with parentheses" if isinstance(other, type) else "give prepkit stages, or None"
                raise PrepkitError(f"alternatives[{name!r}]: {other!r} is no stage: {hint}.")


def _shown(stage: Stage[Any] | None) -> str:
    """A stage as a recipe prints it, without its reason."""
    if stage is None:
        return "None"
    printed = repr(Pipeline([stage])).removeprefix("Pipeline([\n").removesuffix("\n])")
    return printed.removesuffix(f"  # {stage.reason}").strip().removesuffix(",")


def _unused(name: str, used: Collection[str]) -> str:
    """`name`, or with a number behind it: what is printed of two stages may be the same."""
    names = [name, *(f"{name} ({i})" for i in range(2, len(used) + 3))]
    return next(n for n in names if n not in used)


def _are_same(first: Sequence[Stage[Any]], second: Sequence[Stage[Any]]) -> bool:
    """Whether two recipes are; probabilities for CleanLabels, which do not compare, by identity."""

    def same(a: Stage[Any], b: Stage[Any]) -> bool:
        given = [getattr(stage, "pred_probs", None) for stage in (a, b)]
        return a is b or (a == b and given[0] is given[1])

    return len(first) == len(second) and all(same(a, b) for a, b in zip(first, second, strict=True))


# -- what stands in ------------------------------------------------------------------------------


def _completed(draft: Variant, pipeline: Pipeline, raw: Spec, missing: AbstractSet[str]) -> Variant:
    """The variant with what has to stand in.

    Raises:
        PrepkitError: if its recipe cannot work all the same.
    """
    stages: list[Any] = list(draft.stages)
    rows = [s for s in stages if isinstance(s, RowStage)]
    gate = rows[0].gate(raw) if rows else None
    words: list[str] = []
    if draft.role == "alternative":
        Pipeline(stages)  # of another sort than the stage, it is refused where it stands
    if draft.role != "recipe":
        columns, words = _completed_columns(draft, pipeline, Entry(raw, {}, gate).spec, missing | _nulled(gate))
        stages = [*rows, *columns, *(s for s in stages if isinstance(s, TrainingStage))]
    Pipeline(stages, pipeline.output, pipeline.labels)
    coded_columns(stages, raw, pipeline.output, gate)
    return replace(draft, stages=tuple(stages), stand_ins=tuple(words))


def _completed_columns(
    draft: Variant, pipeline: Pipeline, spec: Spec, missing: AbstractSet[str]
) -> tuple[list[ColumnStage[Any]], list[str]]:
    """The column stages of a variant with what has to stand in, and words for it; `spec` of what they are given."""
    columns = [s for s in draft.stages if isinstance(s, ColumnStage)]
    alone = draft.role in ("raw", "only")
    words: list[str] = []
    place = 0  # of what stands in for times, which later stages impute and rescale
    if not alone:
        columns, words = _fitting(columns, spec, pipeline.stages)
        before = pipeline.stages[: stage_names(pipeline.stages).index(draft.stage)]
        place = sum(isinstance(s, ColumnStage) for s in before)
    dense = pipeline.output == "dense"
    times = [c.name for c in _through(columns, spec).columns if c.kind == "datetime" and dense]
    ahead: list[ColumnStage[Any]] = [Floats(columns=times)] if times else []
    words += [f"times as seconds: {listed(times)}"] if times else []
    imputes = any(isinstance(s, Impute) for s in columns)
    filled = with_missing(spec, missing, ahead) if alone and not imputes else []
    columns[place:place] = [*ahead, *zeros(filled)]
    if dense:
        behind, more = left_over(_through(columns, spec))
        columns, words = [*columns, *behind], [*words, *more]
    left = [n for n in with_missing(spec, missing, columns) if alone or n in times]
    filled += left
    return [*columns, *zeros(left)], [*words, *([f"missing cells as 0: {listed(filled)}"] if filled else [])]


def _through(stages: Sequence[Stage[Any]], spec: Spec) -> Spec:
    for stage in stages:
        spec = stage.output(spec, None)
    return spec


def _nulled(gate: Gate | None) -> set[str]:
    """The columns that rules make missing cells in."""
    return {c for rule in (gate.rules if gate else ()) if rule.policy == "null" for c in rule.columns}


def _fitting(
    stages: Sequence[ColumnStage[Any]], spec: Spec, recipe: Sequence[Stage[Any]]
) -> tuple[list[ColumnStage[Any]], list[str]]:
    """Stages of the recipe without the columns that only what was left out would have made, and words for it."""
    out: list[ColumnStage[Any]] = []
    words = []
    for stage in stages:
        named = as_names(stage.columns)
        gone = [n for n in named if n not in spec and not is_pattern(n)]
        if gone and any(stage is s for s in recipe) and not isinstance(stage, Map):  # a function needs all it takes
            rest = tuple(n for n in named if n not in gone)
            name, what = type(stage).__name__, f"{listed(gone)}, which {'is' if len(gone) == 1 else 'are'} not there"
            words.append(f"{name} without {what}" if rest else f"{name} left out, as it is for {what}")
            if not rest:
                continue
            stage = replace(stage, columns=rest)
        out.append(stage)
        spec = stage.output(spec, None)
    return out, words
