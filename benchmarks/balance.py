"""What each way to rebalance classes gains, what it costs in true probabilities, and what correcting them wins back.

    python benchmarks/balance.py [--data DIR] [--sets abalone19 ...] [--kinds oversample ...] [--seeds 5] [--quick]
                                 [--out benchmarks/results/balance.json]

Real sets with rare classes, the same split for all kinds (60 % training, 20 % validation, 20 % test; stratified, and
storms by storm; rows that are equal, and classes of fewer than 10 rows, left out before), the column stages that
`pk.recommend` chooses, and the same plain Keras network: 128-128 ReLU, Adam 1e-3, batches of 256, its end as
`metadata` advises. `abalone19` is not shipped: it is used with --data, where `abalone19.csv` is in DIR.

All kinds may take the same number of updates, in rounds of as many as an epoch of the untouched training rows has, 10
at the least: an epoch of oversampled rows has up to 9 times as many, one of undersampled rows may have a single one.
Training ends after 60 rounds, or 8 without a gain, and the best round counts: that of the least log-loss on the
validation rows *of the corrected probabilities*. Uncorrected, the log-loss on rows of the natural prior is the worse
the more a network has learned of the prior that it is trained on, so that it would stop the rebalanced kinds too early;
without rebalancing the two are the same.

On the test rows, for the probabilities that the network says (no suffix) and for those corrected for the prior
(`_corrected`, no second training):

recall              of the class with the fewest training rows, where the largest probability decides.
balanced_accuracy   mean of the recalls of all classes.
auc                 area under the ROC curve, of one class against the rest, mean over classes.
log_loss            natural logarithm, probabilities clipped to 1e-7.
ece                 expected calibration error: the mean over the rows of |accuracy - mean of the largest probability|
                    in the row's bin, for 15 bins of equal width of that probability (Guo et al. 2017, On calibration
                    of modern neural networks, https://proceedings.mlr.press/v70/guo17a.html, equation 3).

`recall_moved` and `balanced_accuracy_moved` are of decisions by the corrected probability divided by the prior: what
moving the threshold does, without or on top of rebalancing. `adjusted_loss`, for which no class is rebalanced, moves it
within the loss: corrected, it is "nothing" but for rounding.

Differences are to "nothing" with the same set and seed; their standard errors are over the seeds. Results of
(set, kind, seed) that are in the output already are not run again.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if __name__ == "__main__":  # one thread: a network this small gains nothing by more, and repeats to the last digit
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, "1")
    # Each kind is another pipeline with graphs of its own, in which TensorFlow suspects a mishap.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pandas as pd

from benchmarks.defects import FOLDERS, TABLE, located
from benchmarks.throughput import machine

HERE = Path(__file__).parent
SETS = ("abalone19", "hypothyroid", "wine_quality", "heart_disease", "storms", "adult", "telco_churn")
LEAKS = {"storms": ["name", "category", "wind"], "telco_churn": ["customerID"]}  # say the label, or whose row it is
GROUPS = {"storms": ["name", "year"]}  # rows of one storm, hours apart, are nearly the same
MOST = 12_000  # rows of a set: adult has three times as many, which adds time and no rare rows
FEWEST = 10  # rows of a class: two of them in the test rows
NOTHING, ADJUSTED = "nothing", "adjusted_loss"
KINDS: Mapping[str, Mapping[str, Any]] = {
    NOTHING: {},
    "class_weight": {"kind": "class_weight"},
    "class_weight_sqrt": {"kind": "class_weight", "class_weight": "sqrt"},
    "class_weight_effective": {"kind": "class_weight", "class_weight": "effective"},
    "oversample": {"kind": "oversample"},
    "undersample": {"kind": "undersample"},
    "SMOTE": {"kind": "SMOTE", "fewer_neighbors": True},
    "SMOTETomek": {"kind": "SMOTETomek", "fewer_neighbors": True},
    ADJUSTED: {},
}
NUMBERS = ("mean", "se", "difference", "difference_se")
BATCH, PATIENCE = 256, 8
LEAST_STEPS = 10  # updates a round: heart_disease has 3 batches
RARE = 0.3  # recall below which it has to be doubled
SAME = 5e-4  # a difference less than is shown: what adjusted_loss, the same training but for rounding, differs by
MEASURES = tuple(
    f"{name}{suffix}"
    for name in ("recall", "balanced_accuracy", "auc", "log_loss", "ece")
    for suffix in ("", "_corrected", "_moved")
    if suffix != "_moved" or name in ("recall", "balanced_accuracy")
)


@dataclass(frozen=True)
class Parts:
    """One split of a set; the label in the column "label"."""

    train: pd.DataFrame
    valid: pd.DataFrame
    test: pd.DataFrame


def load(name: str, data: Path | None) -> tuple[pd.DataFrame, np.ndarray | None]:
    """Rows as they were published, the label last and called "label"; and the group of each, if there are such."""
    entry = json.loads(TABLE.read_text("utf-8"))[name]
    path = located(entry["file"], (*FOLDERS, *([data] if data else [])))
    if path is None:
        raise SystemExit(f"{entry['file']} is not shipped: give the folder that it is in, as --data DIR.")
    frame = pd.read_csv(path, low_memory=False).drop_duplicates()
    label = frame.pop(entry["label"]).astype(str).str.strip()
    frame = frame.assign(label=label)[label.map(label.value_counts()) >= FEWEST]
    frame = frame.sample(min(MOST, len(frame)), random_state=0).reset_index(drop=True)
    groups = frame.groupby(GROUPS[name]).ngroup().to_numpy() if name in GROUPS else None
    return frame.drop(columns=LEAKS.get(name, [])), groups


def parts(frame: pd.DataFrame, groups: np.ndarray | None, seed: int) -> Parts:
    """A fifth of the rows to test, a fifth to validate, the rest to train."""
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    folds = StratifiedKFold if groups is None else StratifiedGroupKFold
    split = folds(5, shuffle=True, random_state=seed).split(frame, frame["label"], groups)
    (_, test), (_, valid), *_ = split
    rest = np.setdiff1d(np.arange(len(frame)), [*test, *valid])
    return Parts(*(frame.iloc[rows].reset_index(drop=True) for rows in (rest, valid, test)))


def network(width: int, metadata: Any, loss: Any, seed: int) -> Any:
    """The plain network, not yet trained."""
    import keras

    keras.utils.set_random_seed(seed)
    advice = metadata.advice
    hidden = [keras.layers.Dense(128, "relu") for _ in range(2)]
    end = keras.layers.Dense(advice.units, advice.activation)
    model = keras.Sequential([keras.Input((width,)), *hidden, end])
    if loss is None:  # the adjusted one starts at 0, see its docstring
        end.bias.assign(metadata.initial_bias)
    # Many steps in one call change nothing but the time that it takes.
    model.compile("adam", loss or advice.loss, steps_per_execution=steps_of(metadata))
    return model


def steps_of(metadata: Any) -> int:
    """Updates a round: those of an epoch of the training rows as they are."""
    return max(LEAST_STEPS, -(-sum(metadata.counts_before) // BATCH))


def best_of(probabilities: Any, x: np.ndarray, y: np.ndarray) -> Any:
    """A callback that keeps the weights of the round of the least log-loss, and ends training after the patience."""
    import keras

    from prepkit.ablation.measures import log_loss

    class Best(keras.callbacks.Callback):  # type: ignore[misc]
        loss, round, rounds, weights = np.inf, 0, 0, None

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            loss = log_loss(y, two(np.asarray(probabilities(x))))
            self.rounds = epoch + 1
            if loss < self.loss:
                self.loss, self.round, self.weights = loss, epoch + 1, self.model.get_weights()
            self.model.stop_training = self.rounds - self.round >= PATIENCE

        def on_train_end(self, logs: Any = None) -> None:
            self.model.set_weights(self.weights)

    return Best()


def outcome(kind: str, data: Parts, stages: Sequence[Any], seed: int, rounds: int) -> dict[str, float]:
    """Everything that is measured of one kind on one split."""
    import keras

    import prepkit as pk

    keras.backend.clear_session()
    start = time.perf_counter()
    last = [pk.Rebalance(**KINDS[kind])] if KINDS[kind] else []
    prepared = pk.Pipeline([*stages, *last]).prepare(data.train, "label", batch_size=BATCH, seed=seed)
    metadata, fitted = prepared.metadata, prepared.pipeline
    prepared_after = time.perf_counter() - start
    loss = pk.adjusted_loss(metadata) if kind == ADJUSTED else None
    model = network(len(metadata.feature_names), metadata, loss, seed)
    served = {"": fitted.attach(model, correct_prior=False), "_corrected": fitted.attach(model)}
    x, y = (np.concatenate(part) for part in zip(*fitted.transform(data.valid).as_numpy_iterator(), strict=True))
    best = best_of(served["_corrected"].probabilities, x, y)
    weights = {"class_weight": metadata.class_weight} if metadata.class_weight else {}
    repeated, steps = prepared.dataset.repeat(), steps_of(metadata)
    settings = {"steps_per_epoch": steps, "epochs": rounds, "callbacks": [best], "verbose": 0, "shuffle": False}
    model.fit(repeated, **settings, **weights)
    labels = pd.Index(metadata.class_names).get_indexer(data.test["label"])
    counts = metadata.counts_before
    said = {name: two(s.predict(data.test, batch_size=2048, verbose=0)) for name, s in served.items()}
    p = said["_corrected"]
    moved = measured(p, labels, p / np.asarray(metadata.prior), counts, "_moved")
    return {
        **{k: v for name, p in said.items() for k, v in measured(p, labels, p, counts, name).items()},
        **{k: v for k, v in moved.items() if k in MEASURES},
        "round": best.round,
        "rounds": best.rounds,
        "seconds_prepare": prepared_after,
        "seconds": time.perf_counter() - start,
    }


def two(probabilities: np.ndarray) -> np.ndarray:
    """A column for each class, where one unit gives that of class 1; float64, rows summing to 1."""
    p = np.asarray(probabilities, np.float64)
    p = np.concatenate([1 - p, p], axis=1) if p.shape[1] == 1 else p
    return np.asarray(p / p.sum(axis=1, keepdims=True))


def measured(
    p: np.ndarray, y: np.ndarray, said: np.ndarray, counts: Sequence[int], suffix: str = ""
) -> dict[str, float]:
    """As `prepkit.ablation.measures` has them; answers are by the largest of `said`."""
    from prepkit.ablation import measures

    found = measures.measured(y, p, said, counts)
    found["recall"] = found.pop("minority_recall")
    return {f"{name}{suffix}": value for name, value in found.items()}


# --- Telling -------------------------------------------------------------------------------------------------


def summarised(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """For each set, kind and measure: mean and standard error, and those of the paired difference to "nothing"."""
    frame = pd.DataFrame([r for r in runs if "error" not in r])
    if frame.empty:
        return []
    untouched = frame[frame["kind"] == NOTHING].set_index(["set", "seed"])[list(MEASURES)]
    out = []
    for (name, kind), group in frame.groupby(["set", "kind"], sort=False):
        values = group.set_index(["set", "seed"])[list(MEASURES)]
        difference = (values - untouched).dropna(how="all") if len(untouched) else values.iloc[:0]
        for measure in MEASURES:
            own, over = values[measure], difference[measure]
            numbers = dict(zip(NUMBERS, (own.mean(), own.sem(), over.mean(), over.sem()), strict=True))
            told = {n: float(v) if np.isfinite(v) else None for n, v in numbers.items()}
            out.append({"set": name, "kind": kind, "measure": measure, "seeds": len(group), **told})
    return out


def targets(summary: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What was to be reached, how often it was, and each case in which it was not.

    `by_chance` is how many cases would miss "within one standard error" if a kind changed nothing but at random.
    """
    from scipy.stats import t

    cells = {(r["set"], r["kind"], r["measure"]): r for r in summary}
    rows = [r for r in summary if r["kind"] != NOTHING and r["difference_se"] is not None]
    before = {r["set"]: r["mean"] for r in summary if r["kind"] == NOTHING and r["measure"] == "recall"}
    rare = [r for r in rows if r["measure"] == "recall" and before[r["set"]] < RARE]
    doubled = [r for r in rare if r["mean"] >= 2 * before[r["set"]] and r["mean"] > 0]
    out = {f"recall doubled where below {RARE}": _target(rare, doubled)}
    for measure, sign in (("auc", 1), ("auc_corrected", 1), ("log_loss_corrected", -1), ("ece_corrected", -1)):
        cases = [r for r in rows if r["measure"] == measure]
        held = [r for r in cases if sign * r["difference"] >= -max(r["difference_se"], SAME)]
        out[f"{measure} within one standard error of nothing, or better"] = {
            **_target(cases, held),
            "by_chance": sum(float(t.cdf(-1, r["seeds"] - 1)) for r in cases),
            # Splits differ by more than kinds do: the spread of the untouched runs is the wider bound.
            "within_that_of_nothing": sum(
                sign * r["difference"] >= -cells[r["set"], NOTHING, measure]["se"] for r in cases
            ),
        }
    return out


def _target(cases: Sequence[Mapping[str, Any]], held: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    keys = ("set", "kind", "mean", "difference", "difference_se")
    return {"held": len(held), "of": len(cases), "missed": [{k: r[k] for k in keys} for r in cases if r not in held]}


def told(report: Mapping[str, Any]) -> str:
    """The tables as text."""
    summary, lines = pd.DataFrame(report["summary"], columns=["set", "kind", "measure", *NUMBERS]), []
    sets, kinds = summary["set"].unique(), summary["kind"].unique()
    for measure in MEASURES:
        rows = summary[summary["measure"] == measure]
        numbers = rows[["mean", "difference", "difference_se"]].astype(float).to_numpy()
        cells = rows.assign(cell=[f"{m:.3f} ({d:+.3f} ± {se:.3f})" for m, d, se in numbers])
        table = cells.pivot(index="kind", columns="set", values="cell").reindex(index=kinds, columns=sets)
        lines += [f"\n{measure}: mean (difference to nothing ± its standard error)", table.to_string()]
    for name, target in report["targets"].items():
        lines.append(f"\n{name}: {target['held']} of {target['of']}")
        lines += [f"  missed: {case}" for case in target["missed"]]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> None:
    """Run what is asked and not yet there, and print the tables."""
    options = parse(argv)
    settings = {"rounds": options.rounds, "most_rows": MOST, "batch_size": BATCH, "patience": PATIENCE}
    report = json.loads(options.out.read_text()) if options.out.exists() else {"settings": settings, "runs": []}
    if report["settings"] != settings:
        raise SystemExit(f"{options.out} was made with {report['settings']}, not {settings}: give another --out.")
    at = machine()
    at["packages"]["imbalanced-learn"] = version("imbalanced-learn")
    words = sys.argv[1:] if argv is None else argv
    words = ["DIR" if options.data and Path(word) == options.data else word for word in words]
    command = " ".join(["python", "benchmarks/balance.py", *words])
    report |= {"machine": at, "command": command, "method": __doc__}
    done = {(r["set"], r["kind"], r["seed"]) for r in report["runs"]}
    for seed in range(options.seeds):
        for name in options.sets:
            kinds = [kind for kind in options.kinds if (name, kind, seed) not in done]
            report["runs"] += run(name, kinds, seed, options) if kinds else []
            write(report, options.out)
    print(told(report), f"\nwritten to {options.out}")


def run(name: str, kinds: Sequence[str], seed: int, options: argparse.Namespace) -> list[dict[str, Any]]:
    """The kinds on one split; one that refuses to work is told as such."""
    import prepkit as pk

    data, out = parts(*load(name, options.data), seed), []
    stages = [s for s in pk.recommend(data.train, "label").stages if not isinstance(s, pk.Rebalance)]
    for kind in kinds:
        row: dict[str, Any] = {"set": name, "kind": kind, "seed": seed}
        try:
            row |= outcome(kind, data, stages, seed, options.rounds)
            print(f"{name} {seed} {kind}: {row['seconds']:.1f} s, {row['rounds']} rounds", file=sys.stderr)
        except pk.PrepkitError as error:
            row["error"] = str(error)
            print(f"{name} {seed} {kind}: {error}", file=sys.stderr)
        out.append(row)
    return out


def write(report: dict[str, Any], out: Path) -> None:
    report["summary"] = summarised(report["runs"])
    report["targets"] = targets(report["summary"])
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(report, indent=1) + "\n")


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, help="a folder with sets that are not shipped")
    parser.add_argument("--sets", nargs="+", choices=SETS)
    parser.add_argument("--kinds", nargs="+", choices=tuple(KINDS), default=list(KINDS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--quick", action="store_true", help="one set, one seed, three rounds: does it run?")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "balance.json")
    options = parser.parse_args(argv)
    options.sets = options.sets or [name for name in SETS if options.data or name != "abalone19"]
    if options.quick:
        options.sets, options.seeds, options.rounds = options.sets[:1], 1, 3
    return options


if __name__ == "__main__":
    main()
