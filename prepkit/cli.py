"""The command line: parses, calls, prints. TensorFlow is imported when there is work to do."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    name="prepkit",
    help="Prepare data that a Keras classifier converges on.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def prepare(
    train: Annotated[str, typer.Argument(help="Training data: path or glob of CSV, Parquet, TFRecord or NPZ files.")],
    label: Annotated[str, typer.Option(help="Column that is the label.")],
    valid: Annotated[str | None, typer.Option(help="Validation data, transformed by the same numbers.")] = None,
    test: Annotated[str | None, typer.Option(help="Test data, likewise.")] = None,
    validation_split: Annotated[
        float, typer.Option(help="Share of TRAIN, 0 to 1, set apart for validation before anything is learned.")
    ] = 0.0,
    groups: Annotated[
        str | None, typer.Option(help="With --validation-split: the column whose equal cells stay together.")
    ] = None,
    recipe: Annotated[Path | None, typer.Option(help="Recipe as JSON; without it one is recommended.")] = None,
    schema: Annotated[
        Path | None, typer.Option(help="pandera schema, YAML or JSON: rows of TRAIN that break it are kept out.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Directory to write.")] = Path("prepared"),
    batch_size: Annotated[int, typer.Option(help="Rows a batch.")] = 256,
    seed: Annotated[int, typer.Option(help="Of the shuffle.")] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars, no summary.")] = False,
) -> None:
    """Fit a recipe on training data; write the prepared dataset, metadata, pipeline and a summary to a directory."""
    if quiet:
        os.environ["PREPKIT_PROGRESS"] = "0"
    import prepkit as pk
    from prepkit.report.terminal import as_text, summary
    from prepkit.shards import write_transformed
    from prepkit.storage import QUARANTINE, check_target

    check_target(out)  # before the work is done
    validate = [pk.Validate(schema)] if schema else []
    chosen = pk.Pipeline.from_json(_read(recipe)) if recipe else pk.recommend(train, label=label)
    chosen = replace(chosen, stages=(*validate, *chosen.stages))
    if valid and validation_split:
        raise pk.PrepkitError("--valid and --validation-split are two ways to the same: give one of them.")
    prepared = chosen.prepare(
        train, label=label, batch_size=batch_size, seed=seed, validation_split=validation_split, groups=groups
    )
    prepared.save(out)
    (out / "recipe.json").write_text(prepared.pipeline.recipe.to_json() + "\n", "utf-8")
    text = summary(prepared.metadata, repr(prepared.pipeline.recipe))
    (out / "summary.txt").write_text(as_text(text), "utf-8")
    lines = [f"wrote {out}: pk.load({str(out)!r}) gives the dataset, metadata and pipeline"]
    if (out / QUARANTINE).exists():
        lines.append(f"wrote {out / QUARANTINE}: the refused rows, with the rules that each broke")
    if prepared.validation is not None:
        rows = write_transformed(prepared.validation, out / "valid")
        lines.append(f"wrote {out / 'valid'}: {rows:,} rows set apart of {train}, transformed, as NPZ")
    for name, file in (("valid", valid), ("test", test)):
        if file:
            rows = write_transformed(prepared.pipeline.transform(file, batch_size=8192), out / name)
            lines.append(f"wrote {out / name}: {rows:,} rows of {file}, transformed, as NPZ")
    if not quiet:
        _console().print(text)
        print("\n".join(lines))


class FailOn(StrEnum):
    """Findings that make `profile` end with 1; notes never do."""

    error = "error"
    warning = "warning"


@app.command()
def profile(
    file: Annotated[str, typer.Argument(help="Data: path or glob of CSV, Parquet, TFRecord or NPZ files.")],
    label: Annotated[str | None, typer.Option(help="Column that is the label.")] = None,
    test: Annotated[
        list[str] | None, typer.Option(help="Another split: are rows of it in FILE? May be given several times.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="Directory that `prepare` wrote: compare FILE with its training data.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write a page with charts here, as .html.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write all that was found here, as .json.")] = None,
    fail_on: Annotated[FailOn | None, typer.Option(help="End with 1 on findings as grave as this, or graver.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars, no table.")] = False,
) -> None:
    """Say what is wrong with data, in one pass; or how they differ from those that a pipeline was fitted on."""
    if quiet:
        os.environ["PREPKIT_PROGRESS"] = "0"
    if against and (label or test):
        raise typer.BadParameter("the label is known from the prepared data.", param_hint="'--against'")
    _check_reports({"--out": (out, ".html"), "--json": (json, ".json")})
    found, table, page = _compared(file, against) if against else _profiled(file, label, test or [])
    from prepkit.report.files import write_text

    if out:
        write_text(out, page())
    if json:
        write_text(json, found.to_json() + "\n")
    if not quiet:
        _console().print(table())
        print("".join(f"\nwrote {path}" for path in (out, json) if path))
    _end(found.findings, fail_on)


def _check_reports(wanted: dict[str, tuple[Path | None, str]]) -> None:
    """Before the work is done; endings are checked lest the data be given by mistake and be overwritten."""
    from prepkit.report.files import check_file

    for option, (path, ending) in wanted.items():
        if path is not None and path.suffix.lower() != ending:
            raise typer.BadParameter(f"{path}: give a name that ends with {ending}.", param_hint=f"'{option}'")
    for path, _ in wanted.values():
        if path is not None:
            check_file(path)


Drawn = tuple[Any, Callable[[], Any], Callable[[], str]]  # what was found; it as a table, as a page


def _profiled(file: str, label: str | None, splits: list[str]) -> Drawn:
    from prepkit.profiling.draw import table
    from prepkit.profiling.page import html
    from prepkit.profiling.profile import profile

    short = {Path(path).name: path for path in splits}
    found = profile(file, label, against=short if len(short) == len(splits) else {path: path for path in splits})
    return found, lambda: table(found), lambda: html(found)


def _compared(file: str, against: Path) -> Drawn:
    import prepkit as pk
    from prepkit.profiling.drift import drift_html, drift_table

    loaded = pk.load(against, rows=False)
    fitted = loaded.pipeline if isinstance(loaded, pk.Prepared) else loaded
    found = fitted.compare(file)
    return found, lambda: drift_table(found), lambda: drift_html(found)


def _end(findings: Sequence[Any], fail_on: FailOn | None) -> None:
    """Exit with 1 if there is a finding that is grave enough."""
    if fail_on is None:
        return
    from prepkit.finding import SEVERITIES
    from prepkit.report.findings import counted

    grave = SEVERITIES[: SEVERITIES.index(fail_on.value) + 1]
    if any(f.severity in grave for f in findings):
        print(f"prepkit: {counted(findings)} (--fail-on {fail_on.value})", file=sys.stderr)
        raise typer.Exit(1)


@app.command()
def ablate(
    file: Annotated[str, typer.Argument(help="Data: path or glob of CSV, Parquet, TFRecord or NPZ files.")],
    label: Annotated[str, typer.Option(help="Column that is the label.")],
    recipe: Annotated[Path | None, typer.Option(help="Recipe as JSON; without it one is recommended.")] = None,
    model: Annotated[
        str | None, typer.Option(help="MODULE:FUNCTION that returns a compiled Keras model; else a plain network.")
    ] = None,
    seeds: Annotated[int | None, typer.Option(help="How often all is repeated; 5, or 3 with --quick.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Of each training; 30, or 10 with --quick.")] = None,
    batch_size: Annotated[int, typer.Option(help="Rows a batch.")] = 256,
    budget: Annotated[float | None, typer.Option(help="Seconds after which no other seed is begun.")] = None,
    groups: Annotated[str | None, typer.Option(help="Column whose equal cells stay in one part.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer seeds and epochs.")] = False,
    out: Annotated[Path, typer.Option(help="To write to; an interrupted run goes on from it.")] = Path("ablation"),
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars, no summary.")] = False,
) -> None:
    """Measure what each stage of a recipe does: with it, without it, and alone."""
    if quiet:
        os.environ["PREPKIT_PROGRESS"] = "0"
    import prepkit as pk
    from prepkit.ablation.terminal import summary

    build = _function(model) if model else None
    chosen = pk.Pipeline.from_json(_read(recipe)) if recipe else pk.recommend(file, label=label)
    ablation = pk.ablate(
        chosen,
        file,
        label,
        model=build,
        seeds=(3 if quick else 5) if seeds is None else seeds,
        epochs=(10 if quick else 30) if epochs is None else epochs,
        batch_size=batch_size,
        budget=budget,
        groups=groups,
        out=out,
    )
    ablation.save(out)
    if not quiet:
        _console().print(summary(ablation))
        print(f"wrote {out / 'ablation.html'}, and the numbers as JSON and CSV beside it")


def _function(name: str) -> Callable[..., Any]:
    """MODULE:FUNCTION, from where the command is run or wherever Python finds it."""
    from prepkit.errors import PrepkitError

    module, colon, function = name.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        found = getattr(importlib.import_module(module), function) if colon else None
    except (ImportError, AttributeError) as error:
        raise PrepkitError(f"--model {name}: {error}: give MODULE:FUNCTION, as in mymodule:build.") from error
    finally:
        sys.path.pop(0)
    if not callable(found):
        raise PrepkitError(f"--model {name}: give MODULE:FUNCTION, as in mymodule:build.")
    return found  # type: ignore[no-any-return]


@app.command()
def demo(
    out: Annotated[Path | None, typer.Option(help="Keep the prepared data and the served model here.")] = None,
    epochs: Annotated[int, typer.Option(help="Epochs for each of the two networks.")] = 10,
    seed: Annotated[int, typer.Option(help="Of the shuffle and the networks.")] = 0,
) -> None:
    """Train the same network on raw and on prepared UCI Adult data, and serve it."""
    from prepkit.demo import run

    run(_console(), out, epochs, seed)


def _console() -> Any:
    from rich.console import Console

    return Console()


def _read(path: Path) -> str:
    from prepkit.errors import PrepkitError

    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PrepkitError(f"cannot read the recipe {path}: {error}.") from error


def main() -> None:
    """Run the command line; exit with 1 on bad data or a bad recipe, with 2 on bad usage."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from prepkit.errors import PrepkitError

    try:
        app()
    except PrepkitError as error:
        print(f"prepkit: {error}", file=sys.stderr)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
