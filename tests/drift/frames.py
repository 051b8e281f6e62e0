"""References of small frames, as fitting collects them, and frames of every form of column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from prepkit.drift import Drift, compare
from prepkit.entry import Entry
from prepkit.labels import decode_label
from prepkit.scan import Vocabulary
from prepkit.scan.reference import Reference, ReferenceBuilder
from prepkit.source import as_source
from prepkit.source.reader import Reader, infer
from prepkit.spec import Spec

WORDS = np.array([f"w{i}" for i in range(1000)], object)
ZIPF = 1 / np.arange(1, 1001) / (1 / np.arange(1, 1001)).sum()


def learned(data: Any, label: str | None = None, kinds: Mapping[str, Any] | None = None) -> tuple[Reference, Spec]:
    """The reference and the spec of training data; rows without a label are left out."""
    reader = Reader(as_source(data, label))
    labelled = label is not None or reader.head.label is not None
    spec = infer(reader.source, reader.head, label, kinds or {}, labelled=labelled)
    builder, classes, entry = ReferenceBuilder(), Vocabulary(), Entry(spec, {})
    for chunk in reader.chunks():
        decoded: Mapping[str, Any] = entry.decode(chunk)
        if spec.label is not None:
            y = decode_label(chunk.label, spec.label.form, spec.label.name)
            classes.update(y)
            decoded = {name: values[y.codes >= 0] for name, values in decoded.items()}
        builder.update(decoded, spec)
    if spec.label is None:
        return builder.result(), spec
    spec = replace(spec, label=replace(spec.label, classes=tuple(sorted(classes.counts))))
    return builder.result(classes.counts), spec


def compared(training: Any, data: Any, label: str | None = None, **more: Any) -> Drift:
    return compare(*learned(training, label), data, **more)


def codes(drift: Drift) -> list[tuple[str, str]]:
    """The codes and names of what was found, notes aside."""
    return [(f.code, f.where.partition(" ")[2].strip("'")) for f in drift.findings if f.severity != "info"]


def every_form(n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """A column of each form that could be mistaken for drift, and a label."""
    sentences = np.array(["how are you", "a", "sentence of some length it is", "one two"], object)
    return {
        "normal": rng.normal(size=n),
        "heavy": 1e6 * rng.standard_t(1.1, size=n),
        "zeros": np.where(rng.random(n) < 0.8, 0.0, rng.lognormal(size=n)),
        "ties": rng.integers(0, 4, n),
        "integers": rng.integers(-100, 100, n),
        "constant": np.full(n, 3.0),
        "gaps": np.where(rng.random(n) < 0.1, np.nan, rng.random(n)),
        "flag": rng.random(n) < 0.03,
        "two": rng.choice(WORDS[:2], n),
        "zipf": rng.choice(WORDS, n, p=ZIPF),
        "even": rng.choice(WORDS[:200], n),
        "geometric": WORDS[np.minimum(rng.geometric(0.5, n), 999)],
        "text": rng.choice(sentences, n) + rng.choice(WORDS, n),
        "images": rng.random((n, 3, 3)).astype(np.float32),
        "y": np.where(rng.random(n) < 0.24, "yes", "no").astype(object),
    }
