"""What each stage does to training, on real data sets: with it and without it, five seeds, and whether that is clear.

    python benchmarks/convergence.py [--sets penguins ...] [--seeds 5] [--epochs 20] [--quick]
                                     [--out benchmarks/results/convergence.json] [--pages DIR] [--runs DIR]
                                     [--merge FILE ...] [--page docs/benchmarks.md]

`pk.ablate` trains the recipe, the recipe without each stage, each stage alone, and nothing, on the same splits (60 %
training, 20 % validation, 20 % test rows), from the same initial weights; its documentation has the rules of verdicts.

real      sets that between them have every defect that a stage cures, with the stages that `pk.recommend` chooses for
          all rows; `Clip` to the quantiles 0.001 and 0.999 in front of the first `Rescale`, so that it is judged, too;
          and `CleanLabels("auto")` for heart disease and penguins, where it is quick. The plain network of `pk.ablate`.
example   the networks and data of the scripts in `examples/`.
planted   stages of which it is known beforehand what they do. The one that does nothing is judged 20 times, on other
          data each time.
outside   what others have published: the loss before training with and without an initial bias (by the formula of
          TensorFlow's tutorial on imbalanced data), and the leak of rows repeated before a split (common pitfalls of
          imbalanced-learn).

Wrong labels that are put in are not among the sets, as `pk.ablate` would score on wrong test labels:
`benchmarks/labels.py` measures what `CleanLabels` wins back of those.

`summary` counts verdicts by stage over the real sets. Sets that are in the output already are not run again; with
--runs, neither are runs of a set that was interrupted. After a change of the code, empty that folder and the output.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if __name__ == "__main__":  # one thread: networks this small gain nothing by more, and repeat to the last digit
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, "1")
    # Each variant is another pipeline with graphs of its own, in which TensorFlow suspects a mishap.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pandas as pd

from benchmarks import balance, labels
from benchmarks.throughput import machine

HERE = Path(__file__).parent
MOST = 6_000  # rows of a set: with more, stages that help where data are few would all have no effect
MARKS = "<!-- measured -->", "<!-- end of what was measured -->"
PARTS = {
    "example": "Of the examples that the project began with",
    "real": "On real data, the recipe that `pk.recommend` chooses, and `Clip`",
    "planted": "Where the truth is known",
}
NULLS = 20  # repeats of the stage that does nothing: 19 are to be judged so
JUDGEMENTS = ("needed to train at all", "helps", "no clear effect", "hurts", "not judged")
GOOD = JUDGEMENTS[:2]
CLIP = (0.001, 0.999)  # wide: cuts off what is surely an outlier, a few rows of these sets


@dataclass(frozen=True)
class Case:
    """One ablation.

    Args:
        title: what it is, for people.
        part: "real", "example" or "planted".
        data: gives what `pk.ablate` takes first behind the recipe, and the label's name.
        stages: gives the recipe for these data.
        model: as in `pk.ablate`.
        expected: judgements that are right, by stage, or by the beginning of an alternative's name ("OneHot: Hash").
        own: settings of `pk.ablate` that are not those of all.
    """

    title: str
    part: str
    data: Callable[[], tuple[Any, str | None]]
    stages: Callable[[Any, str | None], Sequence[Any]]
    model: Callable[..., Any] | None = None
    expected: Mapping[str, Sequence[str]] = field(default_factory=dict)
    own: Mapping[str, Any] = field(default_factory=dict)


# --- Data and recipes ----------------------------------------------------------------------------------------


def shipped(name: str) -> Callable[[], tuple[Any, str | None]]:
    """A set as benchmarks/balance.py loads it, with the number of the storm that a row is of.

    As a number it is rescaled where it is not dropped; as a string, numbers in the hundreds would stand in for it.
    """

    def load() -> tuple[Any, str | None]:
        frame, groups = balance.load(name, None)
        if groups is not None:
            frame.insert(0, "group", groups)
        return frame.sample(min(MOST, len(frame)), random_state=0).reset_index(drop=True), "label"

    return load


def penguins() -> tuple[Any, str | None]:
    x, y, _ = labels.load("penguins", None)
    return x.assign(label=[f"species {c}" for c in y]), "label"


def digits() -> tuple[Any, str | None]:
    """The digits of scikit-learn as images, uint8 (8, 8), 0 to 255."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return ((bunch.images * 255 / 16).astype(np.uint8), bunch.target), None


def wine() -> tuple[Any, str | None]:
    from sklearn.datasets import load_wine

    bunch = load_wine()
    return (bunch.data, bunch.target), None


def rare() -> tuple[Any, str | None]:
    """Twice as many rows as in examples/imbalance.py: half of them are to test by."""
    from examples.imbalance import make

    return make(1800, 200, seed=0), "churned"


def table(rows: int, seed: int, missing: float = 0.0, category: bool = False) -> Callable[[], tuple[Any, str | None]]:
    """Four standard normal columns, or one and a category of eight, and a label that they tell by a logistic rule."""

    def make() -> tuple[Any, str | None]:
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(rows, 4))
        x = (x - x.mean(axis=0)) / x.std(axis=0)
        category_of_row = rng.integers(0, 8, rows)
        effect = np.array([-3, 3, -3, 3, 3, -3, 3, -3])[category_of_row] if category else 2 * x[:, :2].sum(axis=1)
        y = rng.random(rows) < 1 / (1 + np.exp(-effect))
        frame = pd.DataFrame(x, columns=list("abcd")).mask(rng.random(x.shape) < missing)
        if category:
            frame = frame[["d"]].assign(kind=[f"kind {c}" for c in category_of_row])
        return frame.assign(label=np.where(y, "yes", "no")), "label"

    return make


def recommended(data: Any, label: str | None) -> list[Any]:
    """What `pk.recommend` chooses, and `Clip`; the column of groups, which says whose row it is, is dropped first."""
    import prepkit as pk

    grouped = isinstance(data, pd.DataFrame) and "group" in data
    stages = list(pk.recommend(data.drop(columns="group") if grouped else data, label).stages)
    if isinstance(data, pd.DataFrame) and not any(isinstance(s, pk.Clip) for s in stages):
        first = next(i for i, s in enumerate(stages) if isinstance(s, pk.Rescale))
        stages.insert(first, pk.Clip(quantiles=CLIP))
    return [pk.Drop("group"), *stages] if grouped else stages


def cleaned(data: Any, label: str | None) -> list[Any]:
    """The same with `CleanLabels`, which stands in front of what rebalances."""
    import prepkit as pk

    stages = recommended(data, label)
    place = next((i for i, s in enumerate(stages) if isinstance(s, pk.Rebalance)), len(stages))
    return [*stages[:place], pk.CleanLabels("auto"), *stages[place:]]


def given(*made: tuple[str, Mapping[str, Any]]) -> Callable[[Any, str | None], Sequence[Any]]:
    """Stages by name and arguments: prepkit, and TensorFlow with it, is imported when they are used."""

    def stages(data: Any, label: str | None) -> Sequence[Any]:
        import prepkit as pk

        return [getattr(pk, name)(**arguments) for name, arguments in made]

    return stages


# --- Networks of the examples --------------------------------------------------------------------------------


def network(metadata: Any, hidden: Sequence[int], optimizer: Any, flatten: bool = False) -> Any:
    import keras

    layers = [keras.layers.Flatten()] * flatten + [keras.layers.Dense(n, "relu") for n in hidden]
    model = keras.Sequential([*layers, keras.layers.Dense(metadata.advice.units, metadata.advice.activation)])
    model.compile(optimizer, metadata.advice.loss)
    return model


def of_images(metadata: Any) -> Any:
    import keras

    return network(metadata, (32, 32), keras.optimizers.SGD(0.03), flatten=True)


def of_images_slow(metadata: Any) -> Any:
    import keras

    return network(metadata, (32, 32), keras.optimizers.SGD(0.01), flatten=True)


def of_rare(metadata: Any) -> Any:
    return network(metadata, (16, 16), "adam")


def of_wine(metadata: Any) -> Any:
    return network(metadata, (32,) * 4, "adam")


def of_wine_too_fast(metadata: Any) -> Any:
    import keras

    return network(metadata, (32,) * 4, keras.optimizers.Adam(10.0))


SMALL: Mapping[str, Any] = {"batch_size": 32, "epochs": 10}
UNIT, STANDARD = ("Rescale", {"method": "unit"}), ("Rescale", {"method": "standard"})
WEIGHTS, HALF = ("Rebalance", {"kind": "class_weight"}), {"validation_split": 0.2, "test_split": 0.5}
CASES: Mapping[str, Case] = {
    "example-images": Case(
        *("unscaled images, SGD 0.03 (examples/unscaled_images.py)", "example", digits, given(UNIT), of_images),
        expected={"Rescale": GOOD},
        own={"batch_size": 32, "epochs": 20},
    ),
    "example-imbalance": Case(
        *("9 to 1 (examples/imbalance.py)", "example", rare, given(STANDARD, WEIGHTS), of_rare),
        own={"batch_size": 32, "epochs": 20, **HALF},
    ),
    "example-rate": Case(
        *("wines, Adam 0.001 (examples/learning_rate.py)", "example", wine, given(STANDARD), of_wine),
        expected={"Rescale": GOOD},
        own={"batch_size": 32, "epochs": 20},
    ),
    "example-rate-10": Case(
        *("wines, Adam 10.0 (examples/learning_rate.py)", "example", wine, given(STANDARD), of_wine_too_fast),
        expected={"Rescale": ("no clear effect", "not judged")},
        own={"batch_size": 32, "epochs": 20},
    ),
    "digits": Case("digits, 0 to 255", "real", digits, recommended),
    "penguins": Case("penguins", "real", penguins, cleaned),
    "heart_disease": Case("heart disease", "real", shipped("heart_disease"), cleaned),
    "hypothyroid": Case("hypothyroid", "real", shipped("hypothyroid"), recommended),
    "wine_quality": Case("wine quality", "real", shipped("wine_quality"), recommended),
    "storms": Case("storms", "real", shipped("storms"), recommended, own={"groups": "group"}),
    "adult": Case("Adult", "real", shipped("adult"), recommended),
    "planted-rescale": Case(
        *("planted: Rescale on images 0 to 255, SGD 0.01", "planted", digits, given(UNIT), of_images_slow),
        expected={"Rescale": GOOD},
        own={"batch_size": 32},
    ),
    "planted-impute": Case(
        *("planted: Impute, 10 % of the cells missing", "planted", table(1000, 1, missing=0.1)),
        given(("Impute", {}), STANDARD),
        expected={"Impute": GOOD},
        own=SMALL,
    ),
    "planted-clip": Case(
        *("planted: Clip at the 40 and 60 % quantiles", "planted", table(1000, 2)),
        given(("Clip", {"quantiles": (0.4, 0.6)}), STANDARD),
        expected={"Clip": ("hurts",)},
        own=SMALL,
    ),
    "planted-hash": Case(
        *("planted: Hash to 2 bins for OneHot", "planted", table(1000, 3, category=True)),
        given(STANDARD, ("OneHot", {})),
        expected={"OneHot": GOOD, "OneHot: Hash": ("hurts",)},
        own={**SMALL, "alternatives": {"OneHot": (("Hash", {"columns": "kind", "bins": 2}),)}},
    ),
}
NULL = "planted-nothing"
SETS = (*CASES, NULL)


def null(repeat: int) -> Case:
    """A stage that does nothing: columns that are standardised already."""
    title = f"planted: Rescale of standardised columns, data {repeat}"
    return Case(title, "planted", table(400, 100 + repeat), given(STANDARD), own={"batch_size": 32, "epochs": 5})


# --- Running -------------------------------------------------------------------------------------------------


def ablated(case: Case, seeds: int, epochs: int, runs: Path | None) -> Any:
    """The `Ablation` of a case; `epochs` only if it has none of its own, and never more."""
    import prepkit as pk

    data, label = case.data()
    own = {"epochs": epochs, **case.own}
    own["epochs"] = min(own["epochs"], epochs)
    if "alternatives" in own:
        own["alternatives"] = {n: given(*others)(data, label) for n, others in own["alternatives"].items()}
    recipe = pk.Pipeline(case.stages(data, label))
    return pk.ablate(recipe, data, label, model=case.model, seeds=seeds, out=runs, **own)


def outcome(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """All that is kept of one set."""
    runs = options.runs / name if options.runs else None
    started, busy = time.perf_counter(), time.process_time()
    if name == NULL:
        out = nulls(options)
    else:
        ablation = ablated(CASES[name], options.seeds, options.epochs, runs)
        if options.pages:
            ablation.to_html(_made(options.pages / name) / "ablation.html")
        out = told_of(CASES[name], ablation)
    times = {"seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - busy}
    return {"set": name, **out, **{k: round(v, 1) for k, v in times.items()}}


def told_of(case: Case, ablation: Any) -> dict[str, Any]:
    judged = {v.stage: v.judgement for v in ablation.verdicts}
    judged |= {e.place: e.judgement for e in ablation.effects if ": " in e.place and e.measure == "log_loss"}
    expected = []
    for key, right in case.expected.items():
        found = next(j for k, j in judged.items() if k == key or (": " in key and k.startswith(key)))
        expected.append({"of": key, "right": list(right), "found": found, "met": found in right})
    curves = ablation.curves().groupby(["variant", "epoch"], sort=False)["log_loss"].mean()
    ends = Counter((r.variant, r.status) for r in ablation.runs)
    return {
        "title": case.title,
        "part": case.part,
        "recipe": ablation.recipe,
        "verdicts": [asdict(v) for v in ablation.verdicts],
        "expected": expected,
        "effects": [asdict(e) for e in ablation.effects],
        "stages": dict(zip(ablation.stages, map(kind_of, _recipe(ablation)), strict=True)),
        "variants": [{"name": v.name, "stand_ins": v.stand_ins} for v in ablation.variants],
        "ends": [{"variant": v, "status": s, "runs": n} for (v, s), n in ends.items()],
        "log_loss": {v: curves[v].tolist() for v in dict.fromkeys(curves.index.get_level_values(0))},
        "settings": dict(ablation.settings),
        "notes": list(ablation.notes),
    }


def _recipe(ablation: Any) -> Sequence[Any]:
    return next(v.stages for v in ablation.variants if v.name == "recipe")


def kind_of(stage: Any) -> str:
    """The type of a stage, and which of its methods, where these do different things."""
    which = getattr(stage, "method", None) or getattr(stage, "kind", None)
    return type(stage).__name__ + (f" ({which})" if which else "")


def nulls(options: argparse.Namespace) -> dict[str, Any]:
    """How often a stage that does nothing is judged to do so."""
    found = []
    for repeat in range(options.nulls):
        ablation = ablated(null(repeat), min(3, options.seeds), options.epochs, None)
        effect = next(e for e in ablation.effects if e.measure == "log_loss")
        found.append({"judgement": ablation.verdicts[0].judgement, "difference": effect.difference, "p": effect.p})
    counts = {j: sum(f["judgement"] == j for f in found) for j in JUDGEMENTS}
    enough = counts["no clear effect"] >= 0.95 * len(found)
    told = f"no clear effect in {counts['no clear effect']} of {len(found)}"
    expected = [{"of": "Rescale", "right": ["no clear effect in 19 of 20"], "found": told, "met": enough}]
    title = "planted: Rescale of standardised columns"
    return {"title": title, "part": "planted", "repeats": found, "counts": counts, "expected": expected}


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


# --- What others have published ------------------------------------------------------------------------------


def outside(seeds: int) -> dict[str, Any]:
    return {"initial_bias": initial_bias(4 * seeds), "leak": leak(seeds)}


def initial_bias(seeds: int) -> dict[str, Any]:
    """Log-loss of an untrained network (16 ReLUs, a sigmoid) with and without `metadata.initial_bias`.

    By the formula it is -p log(p) - (1 - p) log(1 - p) with the bias log(pos/neg), p the share of the rare class, and
    log(2) without. It holds for logits of 0, as the last kernel of zeros gives them; random kernels scatter about it,
    and lie above log(2), as the loss is convex in the logit.

    Source: https://www.tensorflow.org/tutorials/structured_data/imbalanced_data.
    """
    import keras

    import prepkit as pk

    frame, label = shipped("hypothyroid")()
    stages = [s for s in pk.recommend(frame, label).stages if not isinstance(s, pk.Rebalance)]
    prepared = pk.Pipeline(stages).prepare(frame, label, seed=0)
    metadata, prior = prepared.metadata, np.asarray(prepared.metadata.prior)
    x, y, *_ = labels.gathered(prepared.dataset)

    def losses(kernel: str, bias: float) -> list[float]:
        found = []
        for seed in range(seeds if kernel != "zeros" else 1):
            keras.utils.set_random_seed(seed)
            end = keras.layers.Dense(1, kernel_initializer=kernel, bias_initializer=keras.initializers.Constant(bias))
            model = keras.Sequential([keras.Input((x.shape[1],)), keras.layers.Dense(16, "relu"), end])
            logits = np.asarray(model(x), np.float64)[:, 0]
            found.append(float(np.mean(np.logaddexp(0, logits) - np.ravel(y) * logits)))
        return found

    bias = float(np.ravel(metadata.initial_bias)[0])
    return {
        "share_of_rare": float(prior.min()),
        "bias": bias,
        "bias_by_formula": float(np.log(prior[1] / prior[0])),
        "with_bias_by_formula": float(-(prior * np.log(prior)).sum()),
        "with_bias_kernel_of_zeros": losses("zeros", bias),
        "with_bias": losses("glorot_uniform", bias),
        "without_by_formula": math.log(2),
        "without_kernel_of_zeros": losses("zeros", 0.0),
        "without": losses("glorot_uniform", 0.0),
    }


def leak(seeds: int) -> dict[str, Any]:
    """Balanced accuracy of the nearest neighbour where labels are pure noise: 0.5 but for a leak.

    Source: https://imbalanced-learn.org/stable/common_pitfalls.html.
    """
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.neighbors import KNeighborsClassifier

    import prepkit as pk

    found: dict[str, list[float]] = {"repeated_before_the_split": [], "by_prepare": []}
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        x, y = rng.normal(size=(600, 8)).astype(np.float32), rng.permutation(np.arange(600) < 60).astype(np.int64)
        order = rng.permutation(np.r_[np.arange(600), np.repeat(np.flatnonzero(y), 8)])
        train, valid = np.split(order, [int(0.7 * len(order))])
        prepared = pk.Pipeline([pk.Rebalance("oversample")]).prepare((x, y), validation_split=0.3, seed=seed)
        ours = [labels.gathered(d) for d in (prepared.dataset, prepared.validation)]
        for name, parts in (
            ("repeated_before_the_split", [(x[r], y[r]) for r in (train, valid)]),
            ("by_prepare", ours),
        ):
            (x_train, y_train, *_), (x_valid, y_valid, *_) = parts
            said = KNeighborsClassifier(1).fit(x_train, y_train).predict(x_valid)
            found[name].append(float(balanced_accuracy_score(y_valid, said)))
    return found


# --- Telling -------------------------------------------------------------------------------------------------


def summarised(sets: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Verdicts by kind of stage over the real sets, and which of the expected ones came out."""
    counts: dict[str, dict[str, int]] = {}
    for one in sets:
        for verdict in one["verdicts"] if one["part"] == "real" else ():
            kind = one["stages"][verdict["stage"]]
            counts.setdefault(kind, dict.fromkeys(JUDGEMENTS, 0))[verdict["judgement"]] += 1
    expected = [e | {"set": one["set"]} for one in sets for e in one["expected"]]
    return {
        "real_sets": sum(one["part"] == "real" for one in sets),
        "by_stage": counts,
        "in_all": {j: sum(c[j] for c in counts.values()) for j in JUDGEMENTS},
        "expected": {"met": sum(e["met"] for e in expected), "of": len(expected)},
        "not_met": [e for e in expected if not e["met"]],
        "cpu_seconds": round(sum(one["cpu_seconds"] for one in sets), 1),
    }


def told(report: Mapping[str, Any]) -> str:
    """The tables as text."""
    rows = []
    for one in report["sets"]:
        for v in one.get("verdicts", ()):
            loss, accuracy = (_figures(one["effects"], v["stage"], m) for m in ("log_loss", "balanced_accuracy"))
            rows.append((one["set"], one["stages"][v["stage"]], v["judgement"], loss, accuracy))
    lines = [pd.DataFrame(rows, columns=["set", "stage", "verdict", "log-loss", "balanced accuracy"]).to_string()]
    summary = report["summary"]
    lines += ["\nverdicts by stage, real sets", pd.DataFrame(summary["by_stage"]).T.to_string()]
    for one in report["sets"]:
        for e in one["expected"]:
            right = " or ".join(e["right"])
            lines.append(f"{'as expected' if e['met'] else 'NOT'}: {one['title']}: {e['of']}: {e['found']} ({right})")
    for name, found in report.get("outside", {}).items():
        means = {k: round(float(np.mean(v)), 4) for k, v in found.items()}
        lines.append(f"{name}: {means}")
    return "\n".join([*lines, f"{summary['cpu_seconds'] / 60:.1f} CPU minutes"])


def _figures(effects: Sequence[Mapping[str, Any]], stage: str, measure: str) -> str:
    e = next((e for e in effects if (e["stage"], e["measure"], e["place"]) == (stage, measure, "in the recipe")), None)
    if e is None or e["difference"] is None:
        return ""
    around = "" if e["low"] is None else f" [{e['low']:+.3f}, {e['high']:+.3f}], p {e['p']:.3f}"
    return f"{e['difference']:+.3f}{around}"


def page(report: Mapping[str, Any]) -> str:
    """The tables in Markdown, for the documentation."""
    lines = []
    for part, heading in PARTS.items():
        lines += [f"\n{heading}\n", "| data | stage | verdict | log-loss | balanced accuracy |", "| --- " * 5 + "|"]
        for one in (one for one in report["sets"] if one["part"] == part):
            for v in one.get("verdicts", ()):
                figures = [_figures(one["effects"], v["stage"], m) or "–" for m in ("log_loss", "balanced_accuracy")]
                cells = [one["title"], f"`{one['stages'][v['stage']]}`", v["judgement"], *figures]
                lines.append("| " + " | ".join(cells) + " |")
            lines += [f"| {one['title']} | {e['of']} | {e['found']} | | |" for e in _beside(one)]
    total = ", ".join(f"{n} {judgement}" for judgement, n in report["summary"]["in_all"].items() if n)
    machine_, minutes = report["machine"], report["summary"]["cpu_seconds"] / 60
    packages = ", ".join(f"{name} {machine_['packages'][name]}" for name in ("prepkit", "tensorflow", "keras"))
    lines.append(f"\nVerdicts on the real sets: {total}. {minutes:.0f} minutes of one core; {packages}.\n")
    return "\n".join(lines)


def _beside(one: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What was expected of alternatives and of repeats, which have no verdict."""
    stages = {v["stage"] for v in one.get("verdicts", ())}
    return [e for e in one["expected"] if e["of"] not in stages]


def written_into(path: Path, text: str) -> None:
    """Between the two marks of a page."""
    before, _, rest = path.read_text("utf-8").partition(MARKS[0])
    path.write_text(f"{before}{MARKS[0]}\n{text}\n{MARKS[1]}{rest.partition(MARKS[1])[2]}", "utf-8")


def plain(value: Any) -> Any:
    """For JSON: six digits are more than is known; no NaN."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, float | np.floating):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value


def main(argv: Sequence[str] | None = None) -> None:
    """Run what is asked and not yet there, and print the tables."""
    options = parse(argv)
    settings = {"seeds": options.seeds, "epochs": options.epochs, "most_rows": MOST, "nulls": options.nulls}
    report = json.loads(options.out.read_text()) if options.out.exists() else {"settings": settings, "sets": []}
    if report["settings"] != settings:
        raise SystemExit(f"{options.out} was made with {report['settings']}, not {settings}: give another --out.")
    words = sys.argv[1:] if argv is None else argv
    folders = [p for p in (options.pages, options.runs, *options.merge) if p]
    words = ["DIR" if Path(word) in folders else word for word in words]
    command = " ".join(["python", "benchmarks/convergence.py", *words])
    report |= {"machine": machine(), "command": command, "method": __doc__}
    merge(report, options.merge)
    for name in options.sets:
        if name in {one["set"] for one in report["sets"]}:
            continue
        one = plain(outcome(name, options))
        report["sets"] = sorted([*report["sets"], one], key=lambda one: SETS.index(one["set"]))
        print(f"{name}: {one['seconds']:.0f} s, {one['cpu_seconds']:.0f} s of CPU", file=sys.stderr)
        write(report, options.out)
    if "outside" not in report:
        report["outside"] = plain(outside(options.seeds))
    write(report, options.out)
    if options.page:
        written_into(options.page, page(report))
    print(told(report), f"\nwritten to {options.out}")


def merge(report: dict[str, Any], files: Sequence[Path]) -> None:
    """Take over the sets of other outputs, in the place of those that are there already."""
    for file in files:
        other = json.loads(file.read_text())
        if other["settings"] != report["settings"]:
            raise SystemExit(f"{file} was made with {other['settings']}, not {report['settings']}: leave it out.")
        sets = {one["set"]: one for one in [*report["sets"], *other["sets"]]}
        report["sets"] = sorted(sets.values(), key=lambda one: SETS.index(one["set"]))
        report["merged"] = [*report.get("merged", ()), {k: other[k] for k in ("command", "machine")}]
        if "outside" in other:  # not of a process that was interrupted
            report.setdefault("outside", other["outside"])


def write(report: dict[str, Any], out: Path) -> None:
    report["summary"] = summarised(report["sets"])
    _made(out.parent)
    out.write_text(json.dumps(report, indent=1) + "\n")


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=SETS)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=20, help="at the most; examples and planted ones have their own")
    parser.add_argument("--nulls", type=int, default=NULLS, help="repeats of the stage that does nothing")
    parser.add_argument("--quick", action="store_true", help="two sets, two seeds, three epochs: does it run?")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "convergence.json")
    parser.add_argument("--pages", type=Path, help="a folder for the page of each set")
    parser.add_argument("--page", type=Path, help="a page of the documentation to write the tables into")
    parser.add_argument("--runs", type=Path, help="a folder for finished runs, from which a set that stopped goes on")
    parser.add_argument("--merge", type=Path, nargs="+", default=[], help="outputs of other processes, to take over")
    options = parser.parse_args(argv)
    if options.quick:
        options.sets = options.sets or ["example-imbalance", "hypothyroid"]
        options.seeds, options.epochs, options.nulls = 2, 3, 2
    options.sets = options.sets or ([] if options.merge else list(SETS))
    return options


if __name__ == "__main__":
    main()
