"""The command line: parses, calls, prints. TensorFlow is imported when there is work to do."""

from __future__ import annotations

import os
import sys
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
    recipe: Annotated[Path | None, typer.Option(help="Recipe as JSON; without it one is recommended.")] = None,
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
    from prepkit.storage import check_target

    check_target(out)  # before the work is done
    chosen = pk.Pipeline.from_json(_read(recipe)) if recipe else pk.recommend(train, label=label)
    prepared = chosen.prepare(train, label=label, batch_size=batch_size, seed=seed)
    prepared.save(out)
    (out / "recipe.json").write_text(prepared.pipeline.recipe.to_json() + "\n", "utf-8")
    text = summary(prepared.metadata, repr(prepared.pipeline.recipe))
    (out / "summary.txt").write_text(as_text(text), "utf-8")
    lines = [f"wrote {out}: pk.load({str(out)!r}) gives the dataset, metadata and pipeline"]
    for name, file in (("valid", valid), ("test", test)):
        if file:
            rows = write_transformed(prepared.pipeline.transform(file, batch_size=8192), out / name)
            lines.append(f"wrote {out / name}: {rows:,} rows of {file}, transformed, as NPZ")
    if not quiet:
        _console().print(text)
        print("\n".join(lines))


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
