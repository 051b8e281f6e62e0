"""Decide which rows come in, by a pandera schema or by one inferred from the training data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from prepkit.core import Blocks, Known, RowStage, did_you_mean, one_of, taken
from prepkit.entry import Entry
from prepkit.errors import PrepkitError
from prepkit.gate import Decoded, Gate
from prepkit.rows.check import Validation, checked, refuse_unlearned
from prepkit.rows.frame import as_frame
from prepkit.rows.inferred import inferred, statistic_of
from prepkit.rows.repeats import with_repeats
from prepkit.rows.schema import (
    as_schema,
    can_run,
    code_of,
    compiled,
    extra_columns,
    kinds_of,
    run_by_pandera,
    schema_to_json,
)
from prepkit.rules import CHECKS, HEALING, RANGES, Policy, Rule, bounds
from prepkit.scan import Statistic
from prepkit.source import RawChunk, Source, as_source
from prepkit.source.dataset import TensorDataset
from prepkit.source.reader import Reader, infer
from prepkit.spec import Column, Kind, Spec
from prepkit.tensors import WORDS

POLICIES: tuple[Policy, ...] = ("raise", "drop", "quarantine", "clip", "null", "flag")


@dataclass(frozen=True)
class Admission:
    """The rules that were compiled or inferred, the columns that are flagged, and those that are left out."""

    rules: tuple[Rule, ...]
    flagged: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Validate(RowStage[Admission]):
    """Keep rows that break a schema out of training; null, clip or flag cells, in serving too.

    It stands first in a recipe and judges the cells as prepkit reads them: spaces around strings are
    off, and blank cells and markers such as "?" are missing. All rules are evaluated once, and what
    becomes of what breaks them is a matter of policy:

    ============  ======================================  ====================================
    policy        in training                             in `transform` and served models
    ============  ======================================  ====================================
    "quarantine"  the row is kept out, whole, in          nothing
                  `prepared.quarantine`
    "drop"        the row is kept out and counted         nothing
    "raise"       an error                                nothing
    "clip"        the number is set to the range's bound  the same
    "null"        the cell is missing; `Impute` fills it  the same
    "flag"        `NAME is invalid` is 1.0 in that row    the same
    ============  ======================================  ====================================

    `transform` keeps every row; `fitted.attach(model, rules=True)` says of each row which rules it breaks.

    Args:
        schema: a pandera DataFrameSchema or DataFrameModel (of pandas, polars or pyarrow), or the path of a
            pandera YAML or JSON file. None: inferred from the training rows, of which it refuses none: types,
            missing cells, ranges, categories where they repeat, else lengths; see `FittedPipeline.schema`.
        on_invalid: the policy of all rules: one of the above. "clip" concerns ranges of numbers, and
            "null" and "flag" single cells; where they cannot be, the row is quarantined.
        policies: other policies for some: by column ("age"), by check ("isin", "nullable", "dtype",
            "finite", "unique", ...), or by both, as rules are printed ("age: in_range(0, 120)"). What is said of
            a column and cannot be, as to clip a missing cell, leaves that rule to `on_invalid`.
        finite: whether an infinite number breaks a column of floats (pandera lets it pass).
        max_refused: the share of the training rows (0 to 1) above which refusing them is an error.
        margin: of an inferred schema, by how much of a column's range numbers may exceed it, on both
            sides; a range that does not cross zero will not for the margin.
        columns: None; the schema says which.

    NaN, None and blank cells break a column that is not nullable, and keep all other rules unless a
    check says ignore_na=False. Cells that cannot be read as the column's dtype break "dtype"; it asks for
    values that the dtype has, in whatever type they come. A function of your own, and a regular
    expression that RE2 cannot run, is run by pandera, on training rows only; printing the fitted
    rules says which those are. "unique" too concerns training rows only.

    Raises:
        PrepkitError: for a schema that cannot be read or contradicts itself, or that names columns that
            are not there; for a policy that a rule cannot have; if more than `max_refused` of the rows
            are refused.

    Example:
        >>> import pandas as pd
        >>> import pandera.pandas as pa
        >>> import prepkit as pk
        >>> schema = pa.DataFrameSchema({"age": pa.Column(float, pa.Check.in_range(0, 120))})
        >>> frame = pd.DataFrame({"age": [20.0, 30.0, 999.0, 50.0], "y": [0, 1, 0, 1]})
        >>> recipe = pk.Pipeline([pk.Validate(schema, max_refused=0.5), pk.Rescale()])
        >>> prepared = recipe.prepare(frame, label="y", seed=0)
        >>> print(prepared.metadata.ledger)
        4 rows in, 3 trained, 1 age: in_range(0, 120)
        >>> prepared.quarantine[["age", "broken"]]
               age                 broken
        row
        2    999.0  age: in_range(0, 120)

    Source: pandera, whose verdict its rules repeat (doi:10.25080/Majora-342d178e-010).
    """

    schema: Any = field(default=None, hash=False)
    on_invalid: Policy = "quarantine"
    policies: Mapping[str, Policy] = field(default_factory=dict, hash=False)
    finite: bool = True
    max_refused: float = 0.1
    margin: float = 0.1

    takes: ClassVar[tuple[Kind, ...]] = ("numeric", "categorical", "boolean", "datetime", "text", "tensor")

    def __post_init__(self) -> None:
        if self.columns is not None:
            raise PrepkitError("Validate: the schema says which columns: leave out columns=.")
        one_of(self.on_invalid, POLICIES, "Validate: on_invalid")
        for key, policy in self.policies.items():
            one_of(policy, POLICIES, f"Validate: policies[{key!r}]")
        if not 0 <= self.max_refused <= 1:
            raise PrepkitError(f"Validate: max_refused={self.max_refused!r}: give a share of the rows from 0 to 1.")
        if not 0 <= self.margin < np.inf:
            raise PrepkitError(f"Validate: margin={self.margin!r}: give a share of each column's range, 0 or more.")
        if self.schema is not None:
            object.__setattr__(self, "schema", as_schema(self.schema))

    def __eq__(self, other: object) -> bool:
        """By what the schemas say: to pandera, one that has been used differs from one that has not."""
        return self._said() == other._said() if isinstance(other, Validate) else NotImplemented

    def _said(self) -> tuple[Any, ...]:
        own = (self.on_invalid, dict(self.policies), self.finite, self.max_refused, self.margin)
        return own if self.schema is None else (*own, schema_to_json(self.schema), code_of(self.schema))

    def __repr__(self) -> str:
        """The settings, and each rule of the schema with its policy and where it runs."""
        told: dict[str, Any] = {"on_invalid": self.on_invalid, "policies": dict(self.policies), "finite": self.finite}
        told |= {"max_refused": self.max_refused, "margin": self.margin}
        settings = ", ".join(f"{k}={v!r}" for k, v in told.items() if v != getattr(type(self), k, {}))
        if self.schema is None:
            return f"Validate({settings})"
        names = [n for n, c in self.schema.columns.items() if not c.regex]
        kinds = self.kinds(names)
        columns = tuple(Column(n, kinds.get(n, "numeric"), "float64") for n in names)
        try:
            rules = f"\n{self.learned_gate(self._compiled(Spec(columns)))}"
        except PrepkitError:  # of patterns for names, what they match is not known yet
            rules = ""
        n = len(self.schema.columns)
        return f"Validate(<schema of {n} column{'s' * (n > 1)}>{', ' * bool(settings)}{settings}){rules}"

    def kinds(self, names: Sequence[str]) -> dict[str, Kind]:
        """What the schema says of the kinds of columns, for inference."""
        return {} if self.schema is None else kinds_of(self.schema, names)

    # -- rules ---------------------------------------------------------------------------------

    def gate(self, raw: Spec) -> Gate | None:
        if self.schema is None:
            return Gate((), self._flagged_by_inference(raw))
        return self.learned_gate(self._compiled(raw))

    def learned_gate(self, learned: Admission) -> Gate:
        by_pandera, lost = None, frozenset[int]()
        code = [i for i, rule in enumerate(learned.rules) if rule.runs == "pandera"]
        if code and self.schema is not None:
            lost = frozenset(i for i in code if not can_run(self.schema, learned.rules[i]))

            def by_pandera(columns: Decoded, spec: Spec, rules: Sequence[int], start: int) -> Mapping[int, np.ndarray]:
                chosen = tuple(learned.rules[i] for i in rules)
                found = run_by_pandera(self.schema, chosen, as_frame(columns, spec, learned.rules), start)
                return {rules[k]: mask for k, mask in found.items()}

        return Gate(learned.rules, learned.flagged, self.max_refused, by_pandera, lost)

    def _compiled(self, spec: Spec) -> Admission:
        rules = compiled(self.schema, spec, lambda rule: self._policy(rule, spec), finite=self.finite)
        self._check_keys(rules)
        flagged = tuple(dict.fromkeys(rule.columns[0] for rule in rules if rule.policy == "flag"))
        return Admission(rules, flagged, extra_columns(self.schema, spec))

    def _policy(self, rule: Rule, spec: Spec) -> Policy:
        """What is told of the rule, of its column, of its check, or of all, the first that there is."""
        keys = (str(rule), *rule.columns, rule.check, rule.text.partition("(")[0])
        told = next((k for k in keys if k in self.policies), None)
        for policy in (self.policies[told], self.on_invalid) if told is not None else (self.on_invalid,):
            if policy not in HEALING or (why := _cannot(rule, policy, spec)) is None:
                return policy
            if told not in (None, *rule.columns):  # it was told of this rule, or of its check
                raise PrepkitError(f"Validate: {rule} cannot be {policy!r}: {why}.")
        return "quarantine"

    def _check_keys(self, rules: Sequence[Rule]) -> None:
        known = {k for r in rules for k in (str(r), *r.columns, r.check, r.text.partition("(")[0])}
        for key in self.policies:
            if key not in known:
                raise PrepkitError(f"Validate: policies names {key!r}, which is no rule{did_you_mean(key, known)}")

    def check(
        self,
        data: Any,
        label: str | None = None,
        *,
        kinds: Mapping[str, Kind] | None = None,
        batched: bool | None = None,
    ) -> Validation:
        """Judge data by the schema, without a pipeline: no row is refused and no cell changed.

        Args:
            data: whatever `as_source` reads.
            label: the column that is the label; it may be left out, and is then a column like the others.
            kinds: for some columns, the kind that neither the schema nor inference should say.
            batched: see `Pipeline.fit`.

        Raises:
            PrepkitError: without a schema; for a schema that does not go with the columns.
        """
        refuse_unlearned(self.schema)
        source = as_source(data, label, batched=batched)
        head, read = self._begun(source, kinds or {})
        told = self.kinds(list(head.columns)) | dict(kinds or {})
        raw = infer(source, head, label, told, labelled=head.label is not None, quick=True)
        gate = self.gate(raw)
        assert gate is not None
        if not source.random_access:
            gate = with_repeats(gate, Entry(raw, {}), read)
        used = {n for rule in gate.rules for n in rule.columns}
        code = any(rule.runs == "pandera" for rule in gate.rules)  # of which nobody knows what it looks at
        if head.matrix is None and not code:  # the others need not be read
            raw = raw.with_columns(c for c in raw.columns if c.name in used)
        return checked(source, read, Entry(raw, {}, gate))

    def _begun(self, source: Source, kinds: Mapping[str, Kind]) -> tuple[RawChunk, Callable[[], Iterator[RawChunk]]]:
        """The head of a source and how to read all of it; of a dataset no row, where no string has to be judged."""
        if isinstance(source, TensorDataset) and source.label is None:
            blank = source.blank()
            told = {**self.kinds(list(blank.columns)), **kinds}
            strings = [n for n, c in blank.columns.items() if not isinstance(c, np.ndarray)]
            if blank.label is None and all(told.get(n) in WORDS for n in strings):
                return blank, source.chunks
        reader = Reader(source)
        return reader.head, reader.chunks

    # -- the contract of a stage ---------------------------------------------------------------

    def selected(self, spec: Spec) -> tuple[Column, ...]:
        return ()  # it replaces none: cells are healed where they come in

    def needs(self, spec: Spec) -> Mapping[str, Sequence[Statistic]]:
        if self.schema is not None:
            return {}
        return {s: (statistic_of(c),) for c in _own(spec).columns for s in c.series}

    def learn(self, spec: Spec, known: Known) -> Admission:
        if self.schema is not None:
            return self._compiled(spec)
        rules = [rule for c in spec.columns for rule in inferred(c, known, self.margin)]
        told = tuple(replace(rule, policy=self._policy(rule, spec)) for rule in rules)
        self._check_keys(told)
        return Admission(told, self._flagged_by_inference(spec))

    def output(self, spec: Spec, learned: Admission | None) -> Spec:
        if self.schema is not None and learned is None:
            left_out: Sequence[str] = extra_columns(self.schema, _own(spec))
        else:
            left_out = learned.left_out if learned else ()
        return spec.with_columns(c for c in spec.columns if c.name not in left_out)

    def transform(self, spec: Spec, learned: Admission, blocks: Blocks) -> Blocks:
        return taken(blocks, spec, set(spec.names) - set(learned.left_out)) if learned.left_out else blocks

    def _flagged_by_inference(self, spec: Spec) -> tuple[str, ...]:
        """The columns that will be flagged, while it is not known yet which rules there are."""
        flagging = {k for k, p in self.policies.items() if p == "flag"}
        everywhere = self.on_invalid == "flag" or bool(flagging & set(CHECKS))
        names = (c.name for c in spec.columns if c.kind != "tensor")
        return tuple(n for n in names if everywhere or any(k == n or k.startswith(f"{n}: ") for k in flagging))


def _cannot(rule: Rule, policy: Policy, spec: Spec) -> str | None:
    """Why the rule cannot have a policy that changes or flags cells; None where it can."""
    if rule.of_label:
        return "the label is known in training only"
    if rule.runs != "graph":
        return "it does not run in the graph, so not in serving"
    if policy == "flag":
        return None
    kind = spec[rule.columns[0]].kind
    if policy == "null":
        return "tensors have no missing cells" if kind == "tensor" else None
    if rule.check not in RANGES or kind not in ("numeric", "tensor"):
        return "only ranges of numbers can be clipped to"
    _, _, with_low, with_high = bounds(rule)
    if not (with_low and with_high):
        return "the bound does not belong to the range: use ge, le, or in_range with both bounds included"
    return None


def _own(spec: Spec) -> Spec:
    """The columns of the data, as they come or as they entered, without the flags that stand beside the latter."""
    entered = any(c.sources for c in spec.columns)
    return spec.with_columns(c for c in spec.columns if not entered or c.sources == (c.name,))


def gate_of(stages: Sequence[Any], learned: Sequence[Any]) -> Gate | None:
    """The gate of a recipe that begins with a stage that decides on rows."""
    if stages and isinstance(stages[0], RowStage):
        gate: Gate = stages[0].learned_gate(learned[0])
        return gate
    return None
