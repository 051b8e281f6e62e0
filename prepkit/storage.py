"""Artifacts on disk: JSON and NPZ, versioned, checksummed, written whole or not at all; loading runs no code."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import io
import json
import os
import re
import shutil
import uuid
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.csv import write_csv

from prepkit.core import Nothing, Stage
from prepkit.entry import Entry
from prepkit.errors import PrepkitError
from prepkit.features.choose import Drop, Map, Select
from prepkit.features.clip import Bounds, Clip
from prepkit.features.datetime import Datetime
from prepkit.features.encode import Categories, Hash, Lookup, OneHot
from prepkit.features.impute import Fill, Impute
from prepkit.features.rescale import Rescale, Scale
from prepkit.features.text import Text
from prepkit.flow import Flow
from prepkit.rows.clean_labels import CleanLabels
from prepkit.rows.rebalance import Rebalance, is_unsaved
from prepkit.rows.schema import code_of, schema_from_json, schema_to_json
from prepkit.rows.validate import Admission, Validate, gate_of
from prepkit.rules import Rule
from prepkit.spec import Spec

FORMAT = 1
PIPELINE, ARRAYS, METADATA, DATA = "pipeline.json", "arrays.npz", "metadata.json", "data"
QUARANTINE = "quarantine.parquet"
ISSUES, ISSUES_CSV = "label_issues.parquet", "label_issues.csv"
# The last four are the command line's.
OURS = {PIPELINE, ARRAYS, METADATA, DATA, QUARANTINE, ISSUES, ISSUES_CSV, "recipe.json", "summary.txt", "valid", "test"}
SHARD_BYTES = 2**26  # of training rows in one file, about

# Every stage, and what it learns.
STAGES: Mapping[str, tuple[type[Stage[Any]], type[Any]]] = {
    "Validate": (Validate, Admission),
    "Impute": (Impute, Fill),
    "Clip": (Clip, Bounds),
    "Rescale": (Rescale, Scale),
    "OneHot": (OneHot, Categories),
    "Lookup": (Lookup, Categories),
    "Hash": (Hash, Nothing),
    "Text": (Text, Nothing),
    "Datetime": (Datetime, Nothing),
    "Drop": (Drop, Nothing),
    "Select": (Select, Nothing),
    "Map": (Map, Nothing),
    "CleanLabels": (CleanLabels, Nothing),
    "Rebalance": (Rebalance, Nothing),
}

RUN_BY = ("model", "pred_probs")  # what cleaning is run by, once: no part of what was fitted

Functions = Mapping[str, Callable[..., Any]]


# -- stages ------------------------------------------------------------------------------------


def stage_settings(stage: Stage[Any]) -> dict[str, Any]:
    """The settings that differ from the defaults, by name."""
    defaults = {
        f.name: f.default if f.default_factory is dataclasses.MISSING else f.default_factory()
        for f in dataclasses.fields(stage)
    }
    values = {name: (getattr(stage, name), default) for name, default in defaults.items()}
    return {name: value for name, (value, default) in values.items() if _differ(value, default)}


def _differ(value: Any, default: Any) -> bool:
    """Whether a setting is not its default; arrays and frames, which compare by element, never are."""
    same = value == default
    return not same if isinstance(same, bool) else True


def stage_to_json(stage: Stage[Any], *, code: bool = True) -> dict[str, Any]:
    """A stage by its name and all settings, so that they outlive a change of the defaults; without `Map`'s function.

    Args:
        stage: to be written.
        code: whether a schema's own functions are an error; if not, they are left out.

    Raises:
        PrepkitError: if it chooses its columns by a function.
    """
    out: dict[str, Any] = {"stage": type(stage).__name__}
    for f in dataclasses.fields(stage):
        value = getattr(stage, f.name)
        if isinstance(stage, Validate) and f.name == "schema" and value is not None:
            if code and (own := code_of(value)):
                raise PrepkitError(
                    f"Validate: the schema has checks that are functions ({', '.join(own[:3])}), and functions are not "
                    "saved: take them out, or say them by pandera's own checks."
                )
            out[f.name] = schema_to_json(value)
            continue
        if isinstance(stage, CleanLabels) and f.name in RUN_BY and value is not None:
            if code:
                raise PrepkitError(f"CleanLabels: {f.name} is not saved with a recipe: leave it out here.")
            continue
        if isinstance(stage, Rebalance) and f.name == "kind" and (not isinstance(value, str) or is_unsaved(value)):
            if code:
                raise PrepkitError(
                    f"Rebalance: the sampler {stage.sampler} is an object that cannot be written: use one of "
                    "imbalanced-learn with plain settings, or build the recipe in code."
                )
            out[f.name] = f"<{stage.sampler}>"  # its rows are saved, so that it is not run again
            continue
        if (isinstance(stage, Map) and f.name == "function") or (f.name in ("columns", "reason") and not value):
            continue
        if callable(value):
            raise PrepkitError(
                f"{type(stage).__name__}: {f.name} is a function, and functions are not saved: choose by names, globs "
                "or kinds instead."
            )
        if isinstance(value, Mapping):
            value = dict(value)
        if isinstance(value, tuple | list):
            value = [v.item() if isinstance(v, np.generic) else v for v in value]
        out[f.name] = value.item() if isinstance(value, np.generic) else value
    return out


def functions_of(stages: Iterable[Stage[Any]]) -> dict[str, Callable[..., Any]]:
    """The functions of `Map` stages by the names under which they are handed back.

    Raises:
        PrepkitError: if two of them have the same name.
    """
    functions: dict[str, Callable[..., Any]] = {}
    for stage in stages:
        if isinstance(stage, Map) and functions.setdefault(stage.name, stage.function) is not stage.function:
            raise PrepkitError(
                f"two Map stages are named {stage.name!r}, and functions are handed back by name: give each a name=."
            )
    return functions


def stage_from_json(data: Mapping[str, Any], functions: Functions) -> Stage[Any]:
    """The other way round; `functions` hands back what `Map` stages need, by name."""
    settings = dict(data)
    name = settings.pop("stage", None)
    if not isinstance(name, str) or name not in STAGES:
        raise PrepkitError(f"recipe names the stage {name!r}: there are {', '.join(STAGES)}.")
    if name == "Map":
        if settings.get("name") not in functions:
            raise PrepkitError(
                f"the recipe has Map {settings.get('name')!r}, whose function is not saved: "
                f"hand it over with functions={{{settings.get('name')!r}: function}}."
            )
        settings["function"] = functions[settings["name"]]
    kind: type[Any] = STAGES[name][0]
    if kind is Validate and isinstance(settings.get("schema"), Mapping):
        settings["schema"] = schema_from_json(settings["schema"])
    known = {f.name for f in dataclasses.fields(kind)}
    if unknown := sorted(set(settings) - known):
        raise PrepkitError(f"{name} has no setting {', '.join(unknown)}: it has {', '.join(sorted(known))}.")
    stage: Stage[Any] = kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in settings.items()})
    return stage


# -- what was learned --------------------------------------------------------------------------


def learned_to_json(learned: Any, key: str, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """A frozen dataclass of mappings and tuples as JSON; mappings to numbers go into `arrays`."""
    out: dict[str, Any] = {}
    if isinstance(learned, Admission):
        return {"value": dataclasses.asdict(learned)}
    for f in dataclasses.fields(learned):
        value = getattr(learned, f.name)
        if isinstance(value, Mapping) and value and all(isinstance(v, float) for v in value.values()):
            arrays[f"{key}.{f.name}"] = np.array(list(value.values()), np.float64)
            out[f.name] = {"names": list(value), "array": f"{key}.{f.name}"}
        else:
            out[f.name] = {"value": dict(value) if isinstance(value, Mapping) else list(value)}
    return out


def learned_from_json(kind: type[Any], data: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Any:
    """The other way round."""
    values: dict[str, Any] = {}
    if kind is Admission:
        plain = data["value"]
        rules = tuple(Rule(**{**rule, "columns": tuple(rule["columns"])}) for rule in plain["rules"])
        return Admission(rules, tuple(plain["flagged"]), tuple(plain["left_out"]))
    for name, part in data.items():
        if "array" in part:
            values[name] = dict(zip(part["names"], arrays[part["array"]].tolist(), strict=True))
        elif isinstance(part["value"], dict):
            values[name] = {k: tuple(v) if isinstance(v, list) else v for k, v in part["value"].items()}
        else:
            values[name] = tuple(part["value"])
    return kind(**values)


def flow_to_json(flow: Flow) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A flow as JSON and the arrays that it points to."""
    functions_of(flow.stages)  # an error now, rather than the wrong function when it is read
    arrays: dict[str, np.ndarray] = {}
    data = {
        "spec": flow.entry.raw.to_json(),
        "vocabularies": {n: list(v) for n, v in flow.entry.vocabularies.items()},
        "stages": [stage_to_json(s, code=False) for s in flow.stages],
        "learned": [learned_to_json(state, str(i), arrays) for i, state in enumerate(flow.learned)],
        "output": flow.output,
    }
    return data, arrays


def flow_from_json(data: Mapping[str, Any], arrays: Mapping[str, np.ndarray], functions: Functions) -> Flow:
    """The other way round."""
    stages = tuple(stage_from_json(s, functions) for s in data["stages"])
    learned = tuple(
        learned_from_json(STAGES[type(stage).__name__][1], part, arrays)
        for stage, part in zip(stages, data["learned"], strict=True)
    )
    vocabularies = {n: tuple(v) for n, v in data["vocabularies"].items()}
    entry = Entry(Spec.from_json(data["spec"]), vocabularies, gate_of(stages, learned))
    return Flow(entry, stages, learned, data["output"])


def flow_to_text(flow: Flow) -> str:
    """A flow as one string, for a Keras configuration."""
    data, arrays = flow_to_json(flow)
    return json.dumps({"format": FORMAT, "flow": data, "arrays": base64.b64encode(npz_bytes(arrays)).decode()})


def flow_from_text(text: str, functions: Functions) -> Flow:
    """The other way round."""
    try:
        data = json.loads(text)
        _check_format(data, "the model")
        arrays = read_npz(base64.b64decode(data["arrays"], validate=True), "the model")
        return flow_from_json(data["flow"], arrays, functions)
    except PrepkitError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PrepkitError(f"the model is damaged ({error!r}): save it again.") from error


# -- files -------------------------------------------------------------------------------------


def npz_bytes(arrays: Mapping[str, np.ndarray]) -> bytes:
    """As `np.savez`, but any name will do, objects are refused, and equal arrays give equal bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
    return out.getvalue()


def read_npz(data: bytes, where: str) -> dict[str, np.ndarray]:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise PrepkitError(f"{where} is damaged ({error}): save it again.") from error


@dataclass(frozen=True)
class Saved:
    """What `read` found.

    Args:
        flow: the fitted flow, as JSON.
        arrays: that it points to.
        metadata: JSON text.
        labels: the form of the labels.
        shards: of the training rows; None where the pipeline was saved by itself.
        quarantine: the file of the rows in quarantine; None where there are none.
        issues: likewise of the doubted labels.
    """

    flow: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]
    metadata: str
    labels: str
    shards: Sequence[Shard] | None
    quarantine: Rows | None = None
    issues: Rows | None = None


@dataclass(frozen=True)
class Rows:
    """Refused rows, or doubted ones, on disk."""

    path: Path
    sha256: str

    def __call__(self) -> Iterator[pa.Table]:
        yield pq.read_table(io.BytesIO(_checked(self.path, self.sha256)))


@dataclass(frozen=True)
class Shard:
    """Some training rows on disk."""

    path: Path
    sha256: str

    def read(self) -> dict[str, np.ndarray]:
        return _with_objects(read_npz(_checked(self.path, self.sha256), str(self.path)))


def write(
    path: str | Path,
    flow: Flow,
    labels: str,
    metadata: str,
    shards: Iterable[Any] | None,
    quarantine: Iterable[pa.Table] = (),
    issues: pa.Table | None = None,
) -> Path:
    """A directory of `pipeline.json`, `arrays.npz`, `metadata.json` and data shards, whole or not at all.

    Rows in quarantine go into `quarantine.parquet`, where there are any, doubted labels into `label_issues.parquet`
    and, for people, `label_issues.csv`.

    Raises:
        PrepkitError: if `path` exists and holds anything else, or cannot be written.
    """
    path = Path(path)
    target = path.resolve()  # of a link, what it points to
    check_target(path)
    temporary = target.parent / f".{target.name}.{uuid.uuid4().hex}"
    try:
        temporary.mkdir(parents=True)
    except OSError as error:
        raise PrepkitError(f"{path} cannot be written ({error}): give another place.") from error
    try:
        document, arrays = flow_to_json(flow)
        checksums = {ARRAYS: _written(temporary / ARRAYS, npz_bytes(arrays))}
        checksums[METADATA] = _written(temporary / METADATA, metadata.encode())
        for i, shard in enumerate(_of_one_size(shards or ())):
            name = f"{DATA}/{i:05d}.npz"
            (temporary / DATA).mkdir(exist_ok=True)
            checksums[name] = _written(temporary / name, npz_bytes(_without_objects(shard)))
        if _write_tables(temporary / QUARANTINE, quarantine):
            checksums[QUARANTINE] = hashlib.sha256((temporary / QUARANTINE).read_bytes()).hexdigest()
        if issues is not None:
            _write_tables(temporary / ISSUES, [issues])
            checksums[ISSUES] = hashlib.sha256((temporary / ISSUES).read_bytes()).hexdigest()
            write_csv(issues, temporary / ISSUES_CSV)
        content = {"flow": document, "labels": labels, "prepared": shards is not None, "sha256": checksums}
        signed = {"format": FORMAT, "checksum": _checksum(FORMAT, content), **content}
        _written(temporary / PIPELINE, json.dumps(signed, indent=1).encode())
        _replace(target, temporary)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return path


def _write_tables(path: Path, tables: Iterable[pa.Table]) -> bool:
    """Write tables one after the other into one Parquet file; whether there was any."""
    writer = None
    for table in tables:
        if writer is None:
            writer = pq.ParquetWriter(path, table.schema)
        writer.write_table(table.cast(writer.schema))
    if writer is not None:
        writer.close()
    return writer is not None


def check_target(path: Path) -> None:
    """Refuse to replace what `write` and the command line have not written.

    Raises:
        PrepkitError: if `path` is a file, or a directory with anything else in it.
    """
    if not path.exists():
        return
    names = {p.name for p in path.iterdir()} if path.is_dir() else {path.name}
    foreign = sorted(names - OURS) if path.is_dir() else [path.name]
    inside = (p for name in (DATA, "valid", "test") for p in (path / name).glob("*"))
    foreign += [f"{p.parent.name}/{p.name}" for p in inside if not re.fullmatch(r"\d{5,}\.npz", p.name)]
    if names and not foreign and not _is_ours(path / PIPELINE):
        foreign = sorted(names)
    if foreign:
        raise PrepkitError(
            f"{path} exists and holds something else ({', '.join(foreign[:5])}): give a new name, or remove it first."
        )


def _is_ours(pipeline: Path) -> bool:
    """Whether the file is ours, be it damaged."""
    try:
        document = json.loads(pipeline.read_bytes())
    except (ValueError, OSError):
        return pipeline.is_file()
    return isinstance(document, dict) and {"format", "flow"} <= document.keys()


def _replace(target: Path, temporary: Path) -> None:
    """Put `temporary` in the place of `target`."""
    if not target.exists():
        os.rename(temporary, target)
        return
    old = target.parent / f".{target.name}.old.{uuid.uuid4().hex}"
    os.rename(target, old)
    try:
        os.rename(temporary, target)
    except OSError:
        os.rename(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _of_one_size(shards: Iterable[Mapping[str, np.ndarray]]) -> Iterator[Mapping[str, np.ndarray]]:
    """The same rows in shards of about `SHARD_BYTES`: not a file for each small batch, none beyond memory."""
    held: list[Mapping[str, np.ndarray]] = []
    size = 0
    for shard in shards:
        rows = len(next(iter(shard.values())))
        if not rows:
            continue
        a_row = sum(32 * a[:1].size if a.dtype == object else a[:1].nbytes for a in shard.values())
        step = max(1, SHARD_BYTES // a_row)
        for start in range(0, rows, step):
            piece = {name: a[start : start + step] for name, a in shard.items()}
            held.append(piece)
            size += a_row * len(next(iter(piece.values())))
            if size >= SHARD_BYTES:
                yield _joined(held)
                held, size = [], 0
    if held:
        yield _joined(held)


def _joined(parts: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _checksum(version: int, content: Mapping[str, Any]) -> str:
    """Of the document that lists the checksums of all other files."""
    return hashlib.sha256(json.dumps([version, content], sort_keys=True).encode()).hexdigest()


def _written(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def read(path: str | Path) -> Saved:
    """What `write` wrote.

    Raises:
        PrepkitError: if it is damaged, incomplete, or of a newer format.
    """
    path = Path(path)
    if not (path / PIPELINE).is_file():
        raise PrepkitError(f"{path} holds no {PIPELINE}: give a directory that prepkit saved.")
    try:
        document = json.loads((path / PIPELINE).read_text("utf-8"))
        _check_format(document, str(path / PIPELINE))
        told = document.pop("checksum")
        if _checksum(document.pop("format"), document) != told:
            raise PrepkitError(f"{path / PIPELINE} is damaged: its checksum is not that of what was saved; save again.")
        sums = document["sha256"]
        shards = [Shard(path / name, sums[name]) for name in sums if name.startswith(f"{DATA}/")]
        arrays = read_npz(_checked(path / ARRAYS, sums[ARRAYS]), str(path / ARRAYS))
        metadata = _checked(path / METADATA, sums[METADATA]).decode()
        for shard in shards:
            if not shard.path.is_file():
                raise PrepkitError(f"{shard.path} is missing: copy the directory whole, or save it again.")
        quarantine, issues = (Rows(path / name, sums[name]) if name in sums else None for name in (QUARANTINE, ISSUES))
        rows = shards if document["prepared"] else None
        return Saved(document["flow"], arrays, metadata, document["labels"], rows, quarantine, issues)
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise PrepkitError(f"{path / PIPELINE} is damaged ({error!r}): save it again.") from error


def _check_format(document: Any, where: str) -> None:
    version = document.get("format") if isinstance(document, dict) else None
    if type(version) is not int or version < 1:
        raise PrepkitError(f"{where} is damaged: it has no format version; save it again.")
    if version > FORMAT:
        raise PrepkitError(
            f"{where} was saved by a newer prepkit, in format {version}, and this one reads up to {FORMAT}: upgrade it."
        )


def _checked(path: Path, sha256: str) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PrepkitError(f"{path} cannot be read ({error}): copy the directory whole, or save it again.") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise PrepkitError(f"{path} is damaged: its checksum is not that of what was saved; save it again.")
    return data


BYTES, ENDS = "bytes of ", "ends of "  # with which no block begins


def _without_objects(shard: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Strings as one run of bytes and where each ends."""
    out: dict[str, np.ndarray] = {}
    for name, array in shard.items():
        if array.dtype != object:
            out[name] = array
            continue
        parts = [v if isinstance(v, bytes) else v.encode() for v in array.ravel()]
        out[BYTES + name] = np.frombuffer(b"".join(parts), np.uint8)
        out[ENDS + name] = np.cumsum([len(p) for p in parts], dtype=np.int64).reshape(array.shape)
    return out


def _with_objects(shard: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    out: dict[str, np.ndarray] = {}
    for key, array in shard.items():
        if key.startswith(BYTES):
            name = key.removeprefix(BYTES)
            out[name] = _cut(array.tobytes(), shard[ENDS + name])
        elif not key.startswith(ENDS):
            out[key] = array
    return out


def _cut(text: bytes, ends: np.ndarray) -> np.ndarray:
    flat = np.empty(ends.size, object)
    start = 0
    for i, end in enumerate(ends.ravel().tolist()):
        flat[i] = text[start:end]
        start = end
    return flat.reshape(ends.shape)
