"""Imports point one way: a module knows only what stands above it."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import prepkit

PACKAGE = Path(prepkit.__path__[0])

# What a row meets, top to bottom; PUBLIC knows all but the command line.
PUBLIC = ""  # prepkit/__init__.py
ORDER = [
    *["errors", "progress", "graph", "spec", "parse", "scan", "source", "labels", "finding", "report", "rules"],
    *["tensors", "decode", "gate", "core", "entry", "features", "rows", "flow", "packing", "fit", "users_model"],
    *["balance", "feed", "cleaning", "split", "storage", "metadata", "losses", "keras", "parity", "drift"],
    *["fitted", "prepared", "training", "pipeline", "profiling", "ablation", "doctor", "shards", "datasets"],
    *["demo", PUBLIC, "cli", "__main__"],
]


def imported(source: str, module: str, is_package: bool) -> Iterator[tuple[int, str]]:
    """Line and first component below prepkit of every import in `source`, wherever it stands."""
    package = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            # `from prepkit import x` means the module x if there is one, else a public name.
            names = [f"{stem}.{a.name}" if a.name in ORDER else stem for a in node.names]
        else:
            continue
        for name in names:
            top, _, rest = name.partition(".")
            if top == "prepkit":
                yield node.lineno, rest.partition(".")[0]


def violations(source: str, module: str, is_package: bool = False) -> list[str]:
    own = module.split(".")[1]
    allowed = ORDER[: ORDER.index(own) + 1]
    return [
        f"{module}, line {line}: imports prepkit{'.' if name else ''}{name}, which stands below {own}"
        for line, name in imported(source, module, is_package)
        if name not in allowed
    ]


MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_module_imports_only_what_stands_above_it(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    is_package = parts[-1] == "__init__"
    module = ".".join(parts[:-1] if is_package else parts)
    assert parts[1] in ORDER, f"{module} has no place in ORDER of {Path(__file__).name}: give it one."
    assert violations(path.read_text(encoding="utf-8"), module, is_package) == []


@pytest.mark.parametrize(
    "source",
    [
        "import prepkit.pipeline",
        "import numpy, prepkit.pipeline as p",
        "from prepkit.pipeline import Pipeline",
        "from prepkit import pipeline",
        "from prepkit import Pipeline",
        "from .. import pipeline",
        "from ..pipeline import Pipeline",
        "def f():\n    from prepkit.keras import attach",
        "import prepkit",
    ],
)
def test_an_import_of_what_stands_below_is_seen(source):
    assert len(violations(source, "prepkit.features.rescale")) == 1


@pytest.mark.parametrize(
    "source",
    [
        "import tensorflow as tf\nfrom keras import pipeline",
        "from prepkit.core import Stage",
        "from prepkit import core",
        "from prepkit.features.clip import Clip",
        "from . import clip",
        "from .clip import Clip",
        "from ..scan.moments import Moments",
        "import prepkit.errors",
    ],
)
def test_an_import_of_what_stands_above_or_beside_is_allowed(source):
    assert violations(source, "prepkit.features.rescale") == []


def test_relative_imports_of_a_package_start_at_the_package_itself():
    assert violations("from .moments import Moments", "prepkit.scan", is_package=True) == []
    assert len(violations("from ..fit import fit", "prepkit.scan", is_package=True)) == 1


@pytest.mark.skipif(not (PACKAGE / "cli.py").exists(), reason="there is no command line yet")
@pytest.mark.parametrize("module", ["prepkit", "prepkit.cli"])
def test_importing_does_not_import_tensorflow(module):
    """It takes seconds, and `prepkit --help` has half a second."""
    heavy = f"import {module}, sys; print(sorted({{'tensorflow', 'keras'}} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]", f"import {module} imports {found.stdout.strip()}"
