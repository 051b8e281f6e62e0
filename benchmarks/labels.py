"""How much of the accuracy that wrong labels cost is won back, and how many of them are found.

    python benchmarks/labels.py [--sets digits wine ...] [--seeds 5] [--data DIR] [--out benchmarks/results/labels.json]

Into the training labels of each set wrong ones are put: symmetric (any other class) or pairwise (the next class), 0,
10, 20 or 30 % of the rows; test labels stay as they are. Then the same plain Keras network (128-128 ReLU, Adam 1e-3,
batches of 64, 60 epochs) is trained on the noisy labels, after `CleanLabels("auto")`, after plain pruning, and on the
true labels. Plain pruning is what a user would do with cleanlab: of logistic regression, extra trees and 15 nearest
neighbours the one of the least out-of-sample log-loss, and the rows left out that cleanlab flags by it.

`won back` = (accuracy - noisy) / (true - noisy) of mean accuracies over the seeds. With --data, `student_grades.csv` in
DIR is used as well, whose wrong labels are natural and whose truth is known. Detection: precision and recall of
`label_issues` with action "report". Results of (set, noise, seed) that are in the output already are not run again.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pandas as pd

HERE = Path(__file__).parent
RATES, KINDS = (0.0, 0.1, 0.2, 0.3), ("symmetric", "pairwise")
MOST = 2_000  # rows of a set: wrong labels hurt where there are few rows
SETS = ("digits", "wine", "breast_cancer", "penguins", "hypothyroid", "spambase")
TWO = ("breast_cancer", "hypothyroid", "spambase")  # classes: there is one other class, so both kinds are the same
LABELS = {"penguins": ("penguins_raw", "Species"), "hypothyroid": ("hypothyroid", None), "spambase": ("spambase", None)}
DROPPED = {"penguins": ["studyName", "Sample Number", "Individual ID", "Comments"]}


def load(name: str, data: Path | None) -> tuple[pd.DataFrame, np.ndarray, np.ndarray | None]:
    """Features, true class numbers, and the given ones where they are naturally wrong."""
    from sklearn import datasets

    if name in ("digits", "wine", "breast_cancer"):
        bunch = getattr(datasets, f"load_{name}")(as_frame=True)
        return bunch.data, bunch.target.to_numpy(), None
    if name == "student_grades":
        assert data is not None
        frame = pd.read_csv(data / "student_grades.csv")
        classes = sorted(frame["letter_grade"].unique())
        true, given = (frame[c].map(classes.index).to_numpy() for c in ("letter_grade", "noisy_letter_grade"))
        return frame[["exam_1", "exam_2", "exam_3", "notes"]], true, given
    file, label = LABELS[name]
    frame = pd.read_csv(HERE / "data" / f"{file}.csv.gz", na_values=["?"])
    label = label or (frame.columns[0] if name == "hypothyroid" else frame.columns[-1])
    frame = frame[frame[label].notna()]
    frame = frame.sample(min(MOST, len(frame)), random_state=0).reset_index(drop=True)
    return frame.drop(columns=[label, *DROPPED.get(name, [])]), pd.factorize(frame[label], sort=True)[0], None


def noisy(labels: np.ndarray, rate: float, kind: str, seed: int) -> np.ndarray:
    """The same with a share of wrong ones."""
    rng = np.random.default_rng([seed, int(100 * rate)])
    classes, out = int(labels.max()) + 1, labels.copy()
    rows = rng.choice(len(labels), round(rate * len(labels)), replace=False)
    shift = 1 if kind == "pairwise" else rng.integers(1, classes, len(rows))
    out[rows] = (out[rows] + shift) % classes
    return out


def network(x: np.ndarray, y: np.ndarray, weight: np.ndarray | None, classes: int, seed: int, epochs: int) -> Any:
    """The plain network, trained."""
    import keras

    keras.utils.set_random_seed(seed)
    layers = [keras.layers.Dense(128, "relu"), keras.layers.Dense(128, "relu"), keras.layers.Dense(classes, "softmax")]
    model = keras.Sequential([keras.Input((x.shape[1],)), *layers])
    # Many steps in one call change nothing but the time that it takes.
    model.compile("adam", "sparse_categorical_crossentropy", steps_per_execution=-(-len(x) // 64))
    model.fit(x, y, sample_weight=weight, batch_size=64, epochs=epochs, verbose=0)
    return model


def gathered(dataset: Any) -> tuple[np.ndarray, ...]:
    """A whole dataset in memory: features, class numbers and, if there are such, weights."""
    return tuple(np.concatenate(parts) for parts in zip(*dataset.as_numpy_iterator(), strict=True))


def pruned(x: np.ndarray, y: np.ndarray, seed: int) -> np.ndarray:
    """The rows that plain pruning keeps."""
    from cleanlab.filter import find_label_issues
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss
    from sklearn.model_selection import cross_val_predict
    from sklearn.neighbors import KNeighborsClassifier

    models = (LogisticRegression(max_iter=300), ExtraTreesClassifier(200, random_state=seed), KNeighborsClassifier(15))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [cross_val_predict(m, x, y, method="predict_proba", cv=5) for m in models]
    best = min(found, key=lambda p: log_loss(y, p, labels=np.arange(p.shape[1])))
    return np.asarray(~find_label_issues(y, best, n_jobs=1))


def outcome(
    name: str, kind: str, rate: float, seed: int, data: Path | None, epochs: int, true_score: float | None = None
) -> dict[str, Any]:
    """Everything that is measured of one set with one noise and one seed; `true_score` where it is known already."""
    from sklearn.model_selection import train_test_split

    import prepkit as pk

    x, y, given = load(name, data)
    rows, held_out = train_test_split(np.arange(len(y)), test_size=0.3, stratify=y, random_state=seed)
    classes, test, true = int(y.max()) + 1, x.iloc[held_out], y[held_out]
    wrong_labels = given[rows] if given is not None else noisy(y[rows], rate, kind, seed)
    train = x.iloc[rows].assign(label=wrong_labels).reset_index(drop=True)

    stages = [s for s in pk.recommend(train, "label").stages if not isinstance(s, pk.Rebalance)]
    start = time.perf_counter()
    cleaned = pk.Pipeline([*stages, pk.CleanLabels()]).prepare(train, "label", seed=seed)
    seconds = time.perf_counter() - start
    # The features are the same for all, since column stages do not look at labels: what is compared is labels.
    (x_train,), (x_test,) = (
        gathered(cleaned.pipeline.transform(f[list(x)]).map(lambda x: (x,))) for f in (train, test)
    )
    assert cleaned.metadata.class_names == tuple(map(str, range(classes)))

    def score(x: np.ndarray, labels: np.ndarray, weight: np.ndarray | None = None) -> float:
        model = network(x, labels, weight, classes, seed, epochs)
        return float((model.predict(x_test, verbose=0, batch_size=2048).argmax(1) == true).mean())

    out: dict[str, Any] = {"set": name, "kind": kind, "rate": rate, "seed": seed}
    out["true"] = score(x_train, y[rows]) if true_score is None else true_score
    out["noisy"] = score(x_train, wrong_labels) if (wrong_labels != y[rows]).any() else out["true"]
    changed = bool(len(cleaned.cleaning.decisions))
    out["auto"] = score(*gathered(cleaned.dataset)) if changed else out["noisy"]
    keep = pruned(x_train, wrong_labels, seed)
    out["pruned"] = score(x_train[keep], wrong_labels[keep])
    out["seconds"], out["parts"] = seconds, dict(cleaned.cleaning.seconds)
    out["taken"], out["source"] = cleaned.cleaning.taken, cleaned.cleaning.source
    report = flagged(cleaned, wrong_labels, seed)
    wrong = wrong_labels != y[rows]
    out["precision"] = float((report & wrong).sum() / max(1, report.sum()))
    out["recall"] = float((report & wrong).sum() / wrong.sum()) if wrong.any() else None
    out["noise_rate"] = cleaned.cleaning.noise.rate
    return out


def flagged(prepared: Any, labels: np.ndarray, seed: int) -> np.ndarray:
    """The rows that cleanlab flags by the probabilities that were found: what action "report" lists."""
    from cleanlab.filter import find_label_issues

    cleaning = prepared.cleaning
    out = np.zeros(len(labels), bool)
    out[cleaning.judged[find_label_issues(labels[cleaning.judged], cleaning.probabilities, n_jobs=1)]] = True
    return out


def summarised(outcomes: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """A line for each set and noise: mean accuracies, what was won back, precision and recall."""
    frame = pd.DataFrame(outcomes)
    for name in ("auto", "pruned", "noisy"):
        frame[f"lost_{name}"] = frame["true"] - frame[name]
    frame["over_pruned"] = frame["auto"] - frame["pruned"]
    numbers = ["true", "noisy", "pruned", "auto", "precision", "recall", "over_pruned", "seconds"]
    groups = frame.groupby(["set", "rate", "kind"])
    table = groups[numbers].mean()
    table["over_pruned_se"] = groups["over_pruned"].sem()
    lost = (table["true"] - table["noisy"]).where(lambda d: d > 0)
    table["won_back"] = (table["auto"] - table["noisy"]) / lost
    table["pruning_won_back"] = (table["pruned"] - table["noisy"]) / lost
    table["acted"] = groups["taken"].agg(lambda taken: (taken != "nothing").mean())
    return table


def main() -> None:
    """Run what is asked and not yet there, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=list(SETS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rates", type=float, nargs="+", default=list(RATES))
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "labels.json")
    given = parser.parse_args()
    done = json.loads(given.out.read_text()) if given.out.exists() else []
    sets = [*given.sets, *(["student_grades"] if given.data else [])]
    for seed in range(given.seeds):
        for name in sets:
            natural = [("natural", 0.2)]
            kinds = KINDS[:1] if name in TWO else KINDS
            put_in = [(kind, rate) for rate in given.rates for kind in (kinds if rate else KINDS[:1])]
            for kind, rate in natural if name == "student_grades" else put_in:
                key = {"set": name, "kind": kind, "rate": rate, "seed": seed}
                if any(key.items() <= old.items() for old in done):
                    continue
                same = (old["true"] for old in done if old["set"] == name and old["seed"] == seed)
                done.append(outcome(name, kind, rate, seed, given.data, given.epochs, next(same, None)))
                given.out.parent.mkdir(parents=True, exist_ok=True)
                given.out.write_text(json.dumps(done, indent=1))
    table = summarised(done)
    with pd.option_context("display.width", 200, "display.max_columns", 30, "display.max_rows", 100):
        print(table.round(3))
        print("median won back:")
        print(table[["won_back", "pruning_won_back"]].groupby("rate").median().round(3))


if __name__ == "__main__":
    main()
