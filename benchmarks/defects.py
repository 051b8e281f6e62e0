"""Which known defects of real data sets `pk.profile` finds, and what it says that is not so.

    python benchmarks/defects.py [--data DIR] [--out benchmarks/results/defects.json]

`benchmarks/data/defects.json` lists, for each data set, every defect that its card names, and by which finding
(code and column) a profile would show it; a defect counts as found if each of its findings is there. Some defects
cannot be seen in one pass over the cells, each for a stated reason: they count as not found, and the figure is
given without them, too. Findings of severity "warning" and "error" that belong to no defect are false, unless they
are listed as true with what was seen in the data.

The sets that lie in `benchmarks/data/` and `prepkit/datasets/` are profiled; with --data, those in DIR as well.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

HERE = Path(__file__).parent
TABLE = HERE / "data" / "defects.json"
FOLDERS = (HERE / "data", HERE.parent / "prepkit" / "datasets")


@dataclass(frozen=True)
class Defect:
    """A defect of a card: whether it was found, and by which findings it would be; "" or why it cannot be seen."""

    defect: str
    found: bool
    by: tuple[str, ...]
    not_detectable: str = ""


@dataclass(frozen=True)
class Outcome:
    """What came out for one data set; `true` and `false` are findings that belong to no defect of its card."""

    name: str
    rows: int
    columns: int
    defects: tuple[Defect, ...]
    true: tuple[str, ...]
    false: tuple[str, ...]


def located(file: str, folders: Sequence[Path]) -> Path | None:
    """Where a file lies, compressed or not."""
    names = (file, f"{file}.gz", file.removesuffix(".gz"))
    return next((path for folder in folders for name in names if (path := folder / name).exists()), None)


def profiled(entry: Mapping[str, Any], folders: Sequence[Path]) -> Any:
    """The profile of a data set; None if it is not there."""
    import prepkit as pk
    from prepkit.profiling.profile import profile

    path = located(entry["file"], folders)
    if path is None:
        return None
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return profile((arrays["X"], arrays["y"]))
    others = {name: located(file, folders) for name, file in entry.get("against", {}).items()}
    if missing := [name for name, other in others.items() if other is None]:
        raise pk.PrepkitError(f"{path.name} is there, but not the files {missing} that it is compared with.")
    return profile(str(path), label=entry["label"], against={n: str(p) for n, p in others.items()})


def judged(name: str, entry: Mapping[str, Any], found: Any) -> Outcome:
    """Each defect of the table, found or not, and the findings that belong to none."""
    said = {(f.code, column) for f in found.findings for column in mentioned(f)}
    defects = tuple(_defect(d, said) for d in entry["defects"])
    expected = [(code, column) for d in entry["defects"] for code, column in d.get("found_by", [])]
    known = [(t["code"], t["column"]) for t in entry["true"]]
    grave = [(f.code, c) for f in found.findings if f.severity != "info" for c in mentioned(f, exactly=True)]
    beyond = [pair for pair in grave if not any(_meets(want, pair) for want in expected)]
    true = {_written(*p) for p in beyond if any(_meets(want, p) for want in known)}
    false = {_written(*p) for p in beyond} - true
    return Outcome(name, found.rows, len(found.columns), defects, tuple(sorted(true)), tuple(sorted(false)))


def mentioned(finding: Any, *, exactly: bool = False) -> list[str | None]:
    """The columns that a finding is about, and None; if `exactly`, without those in other evidence, None if none."""
    where = finding.where
    columns = [where.removeprefix("column ")[1:-1]] if where.startswith("column ") else []
    columns = finding.evidence.get("columns", columns) if where.startswith("columns ") else columns
    if exactly:
        return columns or [None]
    words = json.dumps(finding.evidence)
    return [None, "*", *columns, *finding.evidence.get("columns", []), *_quoted(words)]


def _quoted(text: str) -> list[str]:
    """What stands between single quotes."""
    return text.split("'")[1::2]


def _meets(want: Sequence[Any], pair: tuple[str, str | None]) -> bool:
    return pair[0] in want[0].split("|") and (pair[1] is None or want[1] in (pair[1], "*"))


def _defect(row: Mapping[str, Any], said: set[tuple[str, str | None]]) -> Defect:
    if "not_detectable" in row:
        return Defect(row["defect"], False, (), row["not_detectable"])
    wanted = [any((code, column) in said for code in codes.split("|")) for codes, column in row["found_by"]]
    absent = all(code not in {c for c, _ in said} for code in row.get("absent", []))
    by = [_written(*pair) for pair in row["found_by"]] + [f"no {code}" for code in row.get("absent", [])]
    return Defect(row["defect"], all(wanted) and absent, tuple(by))


def _written(code: str, column: str | None) -> str:
    return code if column is None else f"{code}: {column}"


def summary(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The figures over all sets."""
    defects = [d for o in outcomes for d in o.defects]
    visible = [d for d in defects if not d.not_detectable]
    found = sum(d.found for d in defects)
    return {
        "data_sets": len(outcomes),
        "defects": len(defects),
        "found": found,
        "percent_found": round(100 * found / max(len(defects), 1), 1),
        "detectable": len(visible),
        "percent_found_of_detectable": round(100 * found / max(len(visible), 1), 1),
        "true_beyond_the_cards": sum(len(o.true) for o in outcomes),
        "false": sum(len(o.false) for o in outcomes),
    }


def run(folders: Sequence[Path], table: Mapping[str, Any]) -> list[Outcome]:
    found = {name: profiled(entry, folders) for name, entry in table.items()}
    return [judged(name, table[name], p) for name, p in found.items() if p is not None]


def show(outcomes: Sequence[Outcome]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if os.isatty(1) else 140)
    table = Table("data set", "defect", "found", "by")
    for o in outcomes:
        for i, d in enumerate(o.defects):
            mark = "yes" if d.found else "cannot be seen" if d.not_detectable else "NO"
            by = d.not_detectable or ", ".join(d.by[:3]) + (f" and {len(d.by) - 3} more" if len(d.by) > 3 else "")
            table.add_row(o.name if i == 0 else "", d.defect, mark, by, end_section=i + 1 == len(o.defects))
    console.print(table)
    for o in outcomes:
        for f in o.false:
            console.print(f"false: {o.name}: {f}", markup=False)
    for key, value in summary(outcomes).items():
        console.print(f"{key.replace('_', ' ')}: {value}", markup=False)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, help="a folder with more of the data sets of the table")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "defects.json")
    given = parser.parse_args(arguments)
    folders = (*FOLDERS, *([given.data] if given.data else []))
    outcomes = run(folders, json.loads(TABLE.read_text("utf-8")))
    show(outcomes)
    report = {"summary": summary(outcomes), "data_sets": [asdict(o) for o in outcomes]}
    given.out.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
