"""The command line: what it writes, what it says and where, and how it ends."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import prepkit as pk
from prepkit import cli
from tests.report.markup import checked

N = 200


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("PREPKIT_PROGRESS", "TF_CPP_MIN_LOG_LEVEL"):
        monkeypatch.setenv(name, os.environ.get(name, ""))  # so that what `main` sets is undone
    monkeypatch.delenv("PREPKIT_PROGRESS")
    rng = np.random.default_rng(0)
    data = pd.DataFrame(
        {
            "age": rng.integers(18, 90, N),
            "job": rng.choice(["cook", "smith", " ?"], N),
            "größe": rng.normal(170, 9, N).round(1),
            "label": rng.choice(["no", "yes"], N),
        }
    )
    data.to_csv("train.csv", index=False)
    data[:50].to_csv("valid.csv", index=False)
    data[50:90].drop(columns="label").to_parquet("test.parquet")


def run(*arguments: str) -> int:
    """The exit code of `prepkit ARGUMENTS`."""
    argv, sys.argv = sys.argv, ["prepkit", *arguments]
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        sys.argv = argv
    return 0


def test_help_is_printed_without_tensorflow():
    code = "import sys, prepkit.cli\ntry:\n    prepkit.cli.main()\nfinally:\n    print(*sys.modules)"
    command = [sys.executable, "-c", code, "--help"]
    found = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(pk.__path__[0]).parent)
    *text, modules = found.stdout.splitlines()
    assert all(command in "\n".join(text) for command in ("prepare", "profile", "ablate", "demo"))
    heavy = {"tensorflow", "keras", "numpy", "pandas", "pyarrow", "sklearn"}
    assert not heavy & {name.split(".")[0] for name in modules.split()}
    assert found.stderr == ""


def test_prepare_sets_rows_apart(capfd):
    out = ["--validation-split", "0.25", "--out", "split"]
    assert run("prepare", "train.csv", "--label", "label", *out) == 0
    prepared = pk.load("split")
    with np.load(Path("split") / "valid" / "00000.npz") as valid:
        rows = len(valid["label"])
    ledger = prepared.metadata.ledger
    assert rows > 0 and rows + ledger.rows_in == len(pd.read_csv("train.csv"))
    assert "rows set apart of train.csv" in capfd.readouterr()[0]
    assert run("prepare", "train.csv", "--label", "label", "--valid", "valid.csv", *out) == 1
    assert "give one of them" in capfd.readouterr()[1]


def test_prepare_writes_everything(capfd):
    out = ["--out", "deep/out", "--seed", "7", "--batch-size", "32"]
    assert run("prepare", "train.csv", "--label", "label", "--valid", "valid.csv", "--test", "test.parquet", *out) == 0
    folder = Path("deep/out")
    names = sorted(p.name for p in folder.iterdir())
    assert names == sorted(
        ["arrays.npz", "data", "metadata.json", "pipeline.json", "recipe.json", "summary.txt", "test", "valid"]
    )
    prepared = pk.load(folder)
    assert isinstance(prepared, pk.Prepared)
    assert (prepared.metadata.seed, prepared.metadata.batch_size, prepared.metadata.ledger.trained) == (7, 32, N)
    assert prepared.metadata.class_names == ("no", "yes")
    # what was transformed is what the loaded pipeline makes of it
    with np.load(folder / "valid" / "00000.npz") as valid:
        x, y = zip(*prepared.pipeline.transform("valid.csv"), strict=True)
        np.testing.assert_array_equal(valid["features"], np.concatenate(x))
        np.testing.assert_array_equal(valid["label"], np.concatenate(y))
    with np.load(folder / "test" / "00000.npz") as test:
        np.testing.assert_array_equal(
            test["features"], np.concatenate(list(prepared.pipeline.transform("test.parquet")))
        )
        assert "label" not in test.files
    # what is said
    said, errors = capfd.readouterr()
    assert ours(errors) == ""
    summary = (folder / "summary.txt").read_text("utf-8")
    for text in (said, summary):
        assert "größe" in text and "200 rows in, 200 trained" in text and "Impute(" in text
    assert "wrote deep/out: pk.load('deep/out')" in said
    assert re.search(r"wrote deep/out/valid: 50 rows of valid.csv.*\nwrote deep/out/test: 40 rows", said)
    assert "\x1b" not in said + summary


def test_the_recipe_that_was_written_is_read_back(capfd):
    assert run("prepare", "train.csv", "--label", "label", "--out", "first") == 0
    assert run("prepare", "train.csv", "--label", "label", "--out", "second", "--recipe", "first/recipe.json") == 0
    first, second = pk.load("first"), pk.load("second")
    assert first.pipeline.recipe == second.pipeline.recipe == pk.recommend("train.csv", "label")
    assert first.metadata == second.metadata
    assert Path("first/recipe.json").read_bytes() == Path("second/recipe.json").read_bytes()
    assert [s.reason for s in second.pipeline.recipe.stages] == [s.reason for s in first.pipeline.recipe.stages]
    assert [s.reason for s in first.pipeline.recipe.stages if s.reason]


def test_a_recipe_written_by_hand(capfd):
    recipe = {
        "stages": [{"stage": "Select", "columns": ["age"]}, {"stage": "Rescale", "method": "minmax"}],
        "labels": "one_hot",
    }
    Path("recipe.json").write_text(json.dumps(recipe))
    assert run("prepare", "train.csv", "--label", "label", "--recipe", "recipe.json") == 0
    prepared = pk.load("prepared")
    assert prepared.metadata.feature_names == ("age",)
    assert prepared.metadata.labels == "one_hot"


def test_rows_that_break_a_schema_are_kept_out(capfd):
    schema = {"schema_type": "dataframe", "columns": {"age": {"dtype": "int64", "checks": {"le": 80}}}}
    Path("schema.json").write_text(json.dumps(schema))
    told = ("--label", "label", "--schema", "schema.json")
    assert run("prepare", "train.csv", *told) == 1  # more than a tenth of the rows
    assert "are refused, and max_refused=0.1 allows fewer" in ours(capfd.readouterr().err)
    schema["columns"]["age"]["checks"] = {"le": 88}
    Path("schema.json").write_text(json.dumps(schema))
    assert run("prepare", "train.csv", *told) == 0
    out = capfd.readouterr().out
    refused = pd.read_parquet("prepared/quarantine.parquet")
    n = int((pd.read_csv("train.csv")["age"] > 88).sum())
    assert n and len(refused) == n
    assert f"{n} age: less_than_or_equal_to(88)" in out and "prepared/quarantine.parquet" in out
    assert run("prepare", "train.csv", "--label", "label", "--recipe", "prepared/recipe.json", "--out", "again") == 0
    assert pd.read_parquet("again/quarantine.parquet").equals(refused)


def test_it_is_run_again_into_the_same_directory(capfd):
    for _ in range(2):
        assert run("prepare", "train.csv", "--label", "label", "--valid", "valid.csv") == 0
    assert run("prepare", "train.csv", "--label", "label") == 0
    assert not Path("prepared/valid").exists()  # which other numbers had made


def test_quiet_is_silent(capfd):
    assert run("prepare", "train.csv", "--label", "label", "--valid", "valid.csv", "--quiet") == 0
    said, errors = capfd.readouterr()
    assert (said, ours(errors)) == ("", "")
    assert Path("prepared/summary.txt").exists()


BAD: dict[str, tuple[list[str], int, str]] = {
    "no such file": (["nope.csv", "--label", "label"], 1, "no file nope.csv"),
    "no such column": (["train.csv", "--label", "labels"], 1, "label='labels' is no column of train.csv"),
    "no such recipe": (["train.csv", "--label", "label", "--recipe", "no.json"], 1, "cannot read the recipe no.json"),
    "no recipe": (["train.csv", "--label", "label", "--recipe", "train.csv"], 1, "this is no recipe"),
    "no text": (["train.csv", "--label", "label", "--recipe", "test.parquet"], 1, "cannot read the recipe|no recipe"),
    "no valid file": (["train.csv", "--label", "label", "--valid", "no.csv"], 1, "no file no.csv"),
    "bad batch size": (["train.csv", "--label", "label", "--batch-size", "0"], 1, "batch_size=0: give 1 or more"),
    "foreign directory": (["train.csv", "--label", "label", "--out", "."], 1, "exists and holds something else"),
    "a file as directory": (["train.csv", "--label", "label", "--out", "train.csv"], 1, "exists and holds something"),
    "unreadable": (["bad.csv", "--label", "label"], 1, "bad.csv"),
    "no label": (["train.csv"], 2, "Missing option '--label'"),
    "no file": (["--label", "label"], 2, "Missing argument"),
    "unknown option": (["train.csv", "--label", "label", "--sed", "1"], 2, "No such option.*--sed"),
    "no number": (["train.csv", "--label", "label", "--seed", "one"], 2, "Invalid value for '--seed'"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_said_on_standard_error(case, capfd, monkeypatch):
    arguments, code, message = BAD[case]
    Path("bad.csv").write_bytes(b"a,label\n1,0\n2,1,1\n")
    before = {p: p.read_bytes() for p in Path().rglob("*") if p.is_file()}
    assert run("prepare", *arguments) == code
    said, errors = capfd.readouterr()
    assert said == ""
    assert re.search(message, errors)
    assert "Traceback" not in errors
    if code == 1:
        assert ours(errors).startswith("prepkit: ")
        assert len(ours(errors).splitlines()) <= 3
    assert {p: p.read_bytes() for p in Path().rglob("*") if p.is_file() and p.parts[0] != "prepared"} == before


@pytest.mark.parametrize(
    "arguments, code",
    [
        (["--help"], 0),
        (["prepare", "--help"], 0),
        (["profile", "--help"], 0),
        (["ablate", "--help"], 0),
        ([], 2),
        (["prepair"], 2),
    ],
)
def test_usage(arguments, code, capfd):
    assert run(*arguments) == code
    said, errors = capfd.readouterr()
    assert "Usage: " in (errors if arguments == ["prepair"] else said)


def ours(errors: str) -> str:
    """Standard error without what TensorFlow writes there while it is imported, whatever its log level."""
    theirs = re.compile(r"WARNING: All log messages before absl::|[IWE]\d{4} \d\d:\d\d:")
    return "".join(line for line in errors.splitlines(keepends=True) if not theirs.match(line))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("command, doing", [("prepare", "reading"), ("profile", "looking")])
@pytest.mark.parametrize("quiet", [False, True])
def test_progress_is_drawn_on_a_terminal_only(command, doing, quiet, monkeypatch, capsys):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    assert run(command, "train.csv", "--label", "label", *["--quiet"] * quiet) == 0
    assert (doing in terminal.getvalue()) == (not quiet)
    assert doing not in capsys.readouterr().out


def test_demo_trains_and_serves(capfd, tmp_path):
    """Both networks for an epoch; the prepared data do better already."""
    assert run("demo", "--epochs", "1", "--out", "demo") == 0
    said, _ = capfd.readouterr()
    assert "16,281 rows" in said
    losses = [float(v) for v in re.findall(r"log-loss[^0-9]+([0-9.]+)[^0-9]+([0-9.]+)", said)[0]]
    assert losses[1] < 0.36 < losses[0]
    assert float(re.search(r"differ\s+by\s+at\s+most\s+([0-9.e+-]+)", said)[1]) <= 1e-6
    assert isinstance(pk.load("demo/prepared"), pk.Prepared)
    assert Path("demo/served.keras").exists()


def profiled(*arguments: str) -> int:
    return run("profile", "train.csv", *arguments)


def test_profile_prints_what_is_wrong_and_what_is_there(capfd):
    assert profiled("--label", "label") == 0
    said, errors = capfd.readouterr()
    assert ours(errors) == ""
    assert said.startswith("train.csv: 200 rows, 3 columns")
    assert re.search(r"▲ Missing cells: column 'job': missing \d+", said)
    assert "→ pk.Impute()" in said and "Label 'label': 2 classes" in said
    assert all(re.search(rf"^. {name} ", said, re.M) for name in ("age", "job", "größe"))
    assert "\x1b" not in said and "wrote" not in said
    assert sorted(p.name for p in Path().iterdir()) == ["test.parquet", "train.csv", "valid.csv"]


def test_profile_writes_a_page_and_all_that_it_found(capfd):
    assert profiled("--label", "label", "--out", "r.html", "--json", "r.json") == 0
    said, _ = capfd.readouterr()
    assert said.endswith("\nwrote r.html\nwrote r.json\n")
    found = pk.profile("train.csv", label="label")
    assert type(found).from_json(Path("r.json").read_text("utf-8")) == found
    page = checked(Path("r.html").read_text("utf-8"))
    assert "Profile of train.csv" in page.words and "größe" in page.words


def test_profile_without_a_label_and_of_several_splits(capfd):
    assert profiled("--test", "valid.csv") == 0
    assert "compared with valid.csv (50 rows)" in capfd.readouterr()[0]
    Path("other").mkdir()
    Path("other/valid.csv").write_bytes(Path("valid.csv").read_bytes())
    assert profiled("--label", "label", "--test", "valid.csv", "--test", "other/valid.csv", "--json", "r.json") == 0
    found = pk.profile("train.csv", "label", against={"v": "valid.csv"})
    splits = json.loads(Path("r.json").read_text("utf-8"))["splits"]
    assert splits == {"valid.csv": 50, "other/valid.csv": 50}
    said = capfd.readouterr()[0]
    assert found.about("leakage.rows")[0].evidence["rows"] == 50
    assert "Rows in both data sets" in said


def test_profile_against_what_was_prepared(capfd):
    assert run("prepare", "train.csv", "--label", "label", "--quiet") == 0
    frame = pd.read_csv("train.csv")
    frame["age"] += 200
    frame.drop(columns="größe").to_csv("new.csv", index=False)
    assert run("profile", "new.csv", "--against", "prepared", "--out", "r.html", "--json", "r.json") == 0
    said, errors = capfd.readouterr()
    assert ours(errors) == ""
    assert said.startswith("new.csv: 200 rows, compared with 200 training rows")
    assert "✖ A column is not there: column 'größe'" in said and "▲ age " in said and "✖ größe " in said
    found = pk.load("prepared").pipeline.compare("new.csv")
    assert type(found).from_json(Path("r.json").read_text("utf-8")) == found
    assert "new.csv against the training data" in checked(Path("r.html").read_text("utf-8")).words
    # the same data have not drifted; a pipeline by itself will do
    pk.load("prepared").pipeline.save("fitted")
    assert run("profile", "train.csv", "--against", "fitted", "--fail-on", "warning") == 0


@pytest.mark.parametrize("level, code", [("warning", 1), ("error", 0), (None, 0)])
def test_profile_fails_on_findings_if_asked_to(level, code, capfd):
    assert profiled("--label", "label", "--quiet", "--json", "r.json", *(["--fail-on", level] if level else [])) == code
    said, errors = capfd.readouterr()
    assert said == ""
    assert re.fullmatch(r"prepkit: \d+ warnings?, .* \(--fail-on warning\)\n" if code else "", ours(errors))
    assert Path("r.json").exists()  # whatever was found


def test_profile_fails_on_errors():
    pd.DataFrame({"a": range(9), "label": "only"}).to_csv("one.csv", index=False)
    assert run("profile", "one.csv", "--label", "label", "--quiet") == 0
    assert run("profile", "one.csv", "--label", "label", "--quiet", "--fail-on", "error") == 1


BAD_PROFILE: dict[str, tuple[list[str], int, str]] = {
    "no such file": (["nope.csv"], 1, "no file nope.csv"),
    "no such column": (["train.csv", "--label", "labels"], 1, "label='labels' is no column of train.csv"),
    "no such split": (["train.csv", "--test", "no.csv"], 1, r"against\['no.csv'\]: no file no.csv"),
    "unreadable": (["bad.csv"], 1, "bad.csv"),
    "a directory": (["train.csv", "--out", "there.html"], 1, "there.html is a directory: give the name of a file"),
    "no directory": (["train.csv", "--out", "no/r.html"], 1, "there is no directory no; make it first"),
    "no directory for JSON": (["train.csv", "--json", "no/r.json"], 1, "there is no directory no; make it first"),
    "the data as page": (["train.csv", "--out", "valid.csv"], 2, "(?s)give a name that ends with.*html"),
    "the data as JSON": (["train.csv", "--json", "valid.csv"], 2, "(?s)give a name that ends with.*json"),
    "nothing prepared": (["train.csv", "--against", "nowhere"], 1, "nowhere"),
    "something else": (["train.csv", "--against", "there.html"], 1, "there.html"),
    "a label against": (["train.csv", "--against", "there.html", "--label", "y"], 2, "Invalid value for '--against'"),
    "a split against": (["train.csv", "--against", "there.html", "--test", "y"], 2, "Invalid value for '--against'"),
    "no severity": (["train.csv", "--fail-on", "info"], 2, "Invalid value for '--fail-on'"),
    "no file": ([], 2, "Usage|Missing argument"),
}


@pytest.mark.parametrize("case", BAD_PROFILE)
def test_what_profile_cannot_do_is_said_on_standard_error(case, capfd):
    arguments, code, message = BAD_PROFILE[case]
    Path("bad.csv").write_bytes(b"a,label\n1,0\n2,1,1\n")
    Path("there.html").mkdir()
    before = {p: p.read_bytes() if p.is_file() else b"" for p in Path().rglob("*")}
    assert run("profile", *arguments) == code
    said, errors = capfd.readouterr()
    assert said == ""
    assert re.search(message, errors)
    assert "Traceback" not in errors
    if code == 1:
        assert ours(errors).startswith("prepkit: ") and len(ours(errors).splitlines()) <= 3
    assert {p: p.read_bytes() if p.is_file() else b"" for p in Path().rglob("*")} == before


def test_where_reports_go_is_checked_before_the_work_is_done(monkeypatch, capfd):
    monkeypatch.setattr("prepkit.profiling.profile.profile", lambda *_, **__: pytest.fail("the work was done"))
    assert profiled("--out", "no/r.html") == 1
    assert profiled("--json", "no/r.json") == 1


# ablate


@pytest.fixture
def _small():
    """120 rows that the age tells something of, a recipe of two stages, and a module with functions."""
    data = pd.read_csv("train.csv")[:120]
    data["label"] = np.where(data["age"] > 53, "old", "young")
    data.to_csv("small.csv", index=False)
    recipe = {"stages": [{"stage": "Rescale", "method": "standard"}, {"stage": "OneHot"}]}
    Path("recipe.json").write_text(json.dumps(recipe))
    Path("own_models.py").write_text(
        "import keras\n"
        "def build(metadata):\n"
        "    model = keras.Sequential([keras.layers.Dense(1, 'sigmoid')])\n"
        "    model.compile('sgd', 'binary_crossentropy')\n"
        "    return model\n"
        "def uncompiled():\n"
        "    return keras.Sequential([keras.layers.Dense(1, 'sigmoid')])\n"
        "number = 3\n"
    )
    yield
    sys.modules.pop("own_models", None)


def ablated(*arguments: str) -> int:
    tiny = ("--seeds", "2", "--epochs", "2", "--batch-size", "32")
    return run("ablate", "small.csv", "--label", "label", "--recipe", "recipe.json", *tiny, *arguments)


@pytest.mark.usefixtures("_small")
def test_ablate_says_what_each_stage_does_writes_a_page_and_goes_on_from_what_it_wrote(capfd):
    assert ablated("--out", "deep/found") == 0
    said, errors = capfd.readouterr()
    assert ours(errors) == ""
    assert all(re.search(rf"^{stage} +(\S+ )?[a-z ]+  ", said, re.M) for stage in ("Rescale", "OneHot"))
    assert re.search(r"^4 variants, 2 seeds: ", said, re.M)
    assert "wrote deep/found/ablation.html, and the numbers as JSON and CSV beside it\n" in said
    assert "\x1b" not in said
    folder = Path("deep/found")
    written = ["ablation.html", "ablation.json", "curves.csv", "effects.csv", "runs.jsonl"]
    assert sorted(p.name for p in folder.iterdir()) == written
    data = json.loads((folder / "ablation.json").read_text("utf-8"))
    assert data["recipe"] == repr(pk.Pipeline.from_json(Path("recipe.json").read_text()))
    assert [v["stage"] for v in data["verdicts"]] == ["Rescale", "OneHot"]
    assert len(pd.read_csv(folder / "effects.csv")) == len(data["effects"]) > 0
    curves = pd.read_csv(folder / "curves.csv")
    assert {"raw", "recipe", "without Rescale", "without OneHot"} <= set(curves["variant"])
    assert set(curves.groupby(["variant", "seed"]).size()) == {2}  # epochs
    page = checked((folder / "ablation.html").read_text("utf-8"))
    assert "Each stage" in page.words and "without Rescale" in page.words
    # interrupted before its last run, it trains that one only
    *kept, last = (folder / "runs.jsonl").read_text("utf-8").splitlines(keepends=True)
    (folder / "runs.jsonl").write_text("".join(kept), "utf-8")
    (folder / "ablation.html").unlink()
    assert ablated("--out", "deep/found", "--quiet") == 0
    assert capfd.readouterr().out == "" and (folder / "ablation.html").exists()
    *before, again = (folder / "runs.jsonl").read_text("utf-8").splitlines(keepends=True)
    assert before == kept and len(kept) == 1 + 4 * 2 - 1
    assert json.loads(again)["log_loss"] == json.loads(last)["log_loss"]
    assert ablated("--out", "deep/found", "--epochs", "3") == 1
    assert "is of another ablation" in capfd.readouterr().err


@pytest.mark.usefixtures("_small")
def test_ablate_trains_a_model_of_the_users_own_module(capfd):
    Path("recipe.json").write_text('{"stages": [{"stage": "Rescale"}, {"stage": "Drop", "columns": ["job"]}]}')
    assert ablated("--model", "own_models:build", "--quiet") == 0
    assert capfd.readouterr().out == ""
    found = json.loads(Path("ablation/ablation.json").read_text("utf-8"))
    assert found["settings"]["model"] == "build"
    assert {r["status"] for r in found["runs"]} <= {"converged", "not converged"}


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ([], (5, 30, 256, None, None)),
        (["--quick"], (3, 10, 256, None, None)),
        (["--quick", "--seeds", "4", "--epochs", "7"], (4, 7, 256, None, None)),
        (["--batch-size", "64", "--budget", "90", "--groups", "job"], (5, 30, 64, 90.0, "job")),
    ],
)
def test_what_ablate_is_told_and_the_recipe_that_is_recommended(arguments, expected, monkeypatch, capfd):
    told = []

    def stand_in(pipeline, data, label, *, model, seeds, epochs, batch_size, budget, groups, out):
        told.append((pipeline, data, label, model, out, (seeds, epochs, batch_size, budget, groups)))
        raise pk.PrepkitError("told.")

    monkeypatch.setattr(pk, "ablate", stand_in)
    assert run("ablate", "train.csv", "--label", "label", *arguments) == 1
    assert ours(capfd.readouterr().err) == "prepkit: told.\n"
    recommended = pk.recommend("train.csv", "label")
    assert told == [(recommended, "train.csv", "label", None, Path("ablation"), expected)]


BAD_ABLATE: dict[str, tuple[list[str], int, str]] = {
    "no such file": (["nope.csv", "--label", "label"], 1, "no file nope.csv"),
    "no such column": (["small.csv", "--label", "labels"], 1, "label='labels' is no column of small.csv"),
    "no such recipe": (["small.csv", "--label", "label", "--recipe", "no.json"], 1, "cannot read the recipe no.json"),
    "no such group": (["small.csv", "--label", "label", "--groups", "house"], 1, "house"),
    "no module": (["small.csv", "--label", "label", "--model", "nowhere:build"], 1, "No module named 'nowhere'"),
    "no function of it": (["small.csv", "--label", "label", "--model", "own_models:bild"], 1, "bild.*MODULE:FUNCTION"),
    "no colon": (["small.csv", "--label", "label", "--model", "own_models"], 1, "MODULE:FUNCTION, as in mymodule:b"),
    "no function": (["small.csv", "--label", "label", "--model", "own_models:number"], 1, "give MODULE:FUNCTION"),
    "not compiled": (["small.csv", "--label", "label", "--model", "own_models:uncompiled"], 1, "is not compiled"),
    "no budget": (["small.csv", "--label", "label", "--budget", "0"], 1, "budget=0.0: give seconds, above 0"),
    "negative seeds": (["small.csv", "--label", "label", "--seeds", "-1"], 1, "seeds=-1: give 1 or more"),
    "no number": (["small.csv", "--label", "label", "--seeds", "few"], 2, "Invalid value for '--seeds'"),
    "no label": (["small.csv"], 2, "Missing option '--label'"),
}


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("case", BAD_ABLATE)
def test_what_ablate_cannot_do_is_said_on_standard_error(case, capfd):
    arguments, code, message = BAD_ABLATE[case]
    assert run("ablate", "--seeds", "1", "--epochs", "1", *arguments) == code
    said, errors = capfd.readouterr()
    assert said == ""
    assert re.search(message, errors)
    assert "Traceback" not in errors
    if code == 1:
        assert ours(errors).startswith("prepkit: ") and len(ours(errors).splitlines()) <= 3
    assert not Path("ablation/ablation.html").exists()


def test_the_commands_mirror_the_library():
    commands: Any = {c.callback.__name__ for c in cli.app.registered_commands}
    assert commands == {"prepare", "profile", "ablate", "demo"}
