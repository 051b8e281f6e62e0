"""The fitted flow inside a Keras model: raw columns in, class probabilities out."""

from __future__ import annotations

import json
import keyword
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pyarrow as pa
import tensorflow as tf

from prepkit.balance.probabilities import as_probabilities, full_correction
from prepkit.decode import decode_column
from prepkit.entry import Entry
from prepkit.errors import PrepkitError
from prepkit.flow import Flow
from prepkit.graph import as_written
from prepkit.scan import Coded
from prepkit.source import RawChunk, as_source
from prepkit.source.dataset import check_spec, split_element
from prepkit.spec import Column, Spec
from prepkit.storage import flow_from_text, flow_to_text, functions_of
from prepkit.users_model import from_logits

PACKAGE = "prepkit"


@keras.saving.register_keras_serializable(package=PACKAGE)
class Served(keras.Model):  # type: ignore[misc]
    """A trained model behind the preprocessing that it was trained with.

    It takes what the training data had: a dict of one tensor (rows,) a column, strings and numbers
    as they come, or the one array; `predict` also takes whatever prepkit reads, such as a data
    frame. It gives the probability of each class, or of class 1 where `model` has one unit; with
    `rules`, a dict of these "probabilities" and of "broken", booleans (rows, rules) that say which of the
    `rule_names` each row breaks.

    `keras.models.load_model` reads it back where `prepkit.keras` has been imported; functions of
    `Map` stages are handed over by `custom_objects={name: function}`.

    Args:
        flow: as text, from `prepkit.storage`.
        model: takes the features that the flow gives.
        functions: what `Map` stages need, by name.
        logits: whether `model` gives logits; None to tell from the loss that it was compiled with.
        rules: whether to judge each row by the recipe's `Validate`.
        correction: what to add to the logit of each class, so that probabilities hold under another prior than the one
            that `model` was trained under; of probabilities, the same. None to leave them.

    Example:
        >>> import keras
        >>> import prepkit as pk
        >>> data = {"age": [20.0, 40.0, 60.0, 80.0], "y": [0, 0, 1, 1]}
        >>> fitted = pk.Pipeline([pk.Rescale()]).fit(data, label="y")
        >>> model = keras.Sequential([keras.layers.Dense(1, activation="sigmoid")])
        >>> fitted.attach(model).predict({"age": [30.0, 50.0]}, verbose=0).shape
        (2, 1)
    """

    def __init__(
        self,
        flow: str,
        model: keras.Model,
        functions: Any = None,
        logits: bool | None = None,
        rules: bool = False,
        correction: Sequence[float] | None = None,
        **kwargs: Any,
    ) -> None:
        # Without autocast: Keras would make float32 of float64 columns, such as seconds since 1970.
        super().__init__(**{**kwargs, "autocast": False})
        self.text = flow
        self.flow = flow_from_text(flow, functions or {})
        self.model = model
        self.logits = bool(from_logits(model)) if logits is None else logits
        self.rules = rules
        self.correction = None if correction is None else tuple(correction)
        if self.flow.entry.vocabularies:
            self.table = self.flow.entry.table  # tracked, so that a SavedModel holds it

    @property
    def rule_names(self) -> tuple[str, ...]:
        """What the columns of "broken" stand for; rules that only training rows are judged by are not among them."""
        gate = self.flow.entry.gate
        return tuple(str(gate.rules[i]) for i in gate.serving) if gate and self.rules else ()

    @classmethod
    def of(
        cls, flow: Flow, model: keras.Model, *, rules: bool = False, correction: Sequence[float] | None = None
    ) -> Served:
        """A served model, checked to fit.

        Args:
            flow: what `model` was trained behind.
            model: compiled or not; its loss, if it has one, tells whether it gives logits.
            rules: see `Served`.
            correction: for the prior that it was trained under, see `balance.prior.correction`, zeros if that is the
                natural one. If its loss is an `AdjustedLoss`, the adjustment is undone as well. None to leave the
                probabilities as they were learned.

        Raises:
            PrepkitError: if the model does not take the features of the flow, or does not give one number a class; for
                a correction of another length; for rules that there are not.
        """
        if rules and not (flow.entry.gate and flow.entry.gate.serving):
            raise PrepkitError("rules=True, but the recipe has no rules that can be served: begin it with Validate().")
        if not isinstance(model, keras.Model):
            raise PrepkitError(f"attach takes a Keras model, not a {type(model).__name__}.")
        label = flow.entry.raw.label
        classes = len(label.classes) if label else 0
        whole = full_correction(model, correction, classes)
        served = cls(flow_to_text(flow), model, functions_of(flow.stages), rules=rules, correction=whole)
        signature = raw_signature(flow.entry.raw)
        row = {n: tf.zeros([1, *t.shape[1:]], t.dtype) for n, t in signature.items()}  # a zero string is ""
        raw = row["x"] if flow.entry.raw.structure == "array" else row
        features = flow.features(raw)
        try:
            if isinstance(model, keras.Sequential) and not model.built:
                model.build((None, *features.shape[1:]))  # rather than for the one row below
            out = model(features)
        except Exception as error:  # whatever a model raises that was made for other features
            got = _shapes(features)
            raise PrepkitError(
                f"the model does not take one row of this pipeline's features, {got}: {error}"
            ) from error
        if _shapes(out) not in ((1, classes), (1, 1) if classes == 2 else None):
            raise PrepkitError(
                f"the model gives {_shapes(out)} for one row, but there are {classes} classes: end it with "
                f"Dense({classes}, activation='softmax')" + (" or Dense(1, activation='sigmoid')." * (classes == 2))
            )
        served(raw)
        return served

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        out = self.probabilities(self.flow.features(inputs), training)
        gate = self.flow.entry.gate
        if not self.rules or gate is None:
            return out
        return {"probabilities": out, "broken": self.flow.entry.broken_in_graph(inputs, gate.serving)}

    def probabilities(self, features: Any, training: bool | None = None) -> Any:
        """Of features that have been transformed already."""
        out = self.model(features, training=training)
        return as_probabilities(out, logits=self.logits, correction=self.correction)

    def predict(self, x: Any, batch_size: int | None = None, verbose: Any = "auto", **kwargs: Any) -> Any:
        """As Keras has it; `x` may be anything that prepkit reads. Labels in it are ignored."""
        if isinstance(x, tf.data.Dataset):
            x = _batches(x, self.flow.entry.raw, batch_size or 256)
        else:
            x = raw_dataset(x, self.flow.entry.raw, batch_size or 256)
        with warnings.catch_warnings():  # Keras takes the end of a dataset of unknown length for a mishap
            warnings.filterwarnings("ignore", "Your input ran out of data")
            return super().predict(x, verbose=verbose, **kwargs)

    def export(self, filepath: str | Path, format: str = "tf_saved_model", **kwargs: Any) -> None:
        """Write a SavedModel that runs without prepkit and Keras.

        `serve` takes the dict of raw columns (or the one array), and so does the signature
        "serving_default", where names that TensorFlow refuses have "_" for what they may not have.

        Raises:
            PrepkitError: for another format, or other settings of Keras' `export`.
        """
        if format != "tf_saved_model" or kwargs.keys() - {"verbose"}:
            raise PrepkitError(f"export writes a SavedModel only: leave out format={format!r}, {sorted(kwargs)}.")
        signature = raw_signature(self.flow.entry.raw)
        names = serving_names(signature)
        array = self.flow.entry.raw.structure == "array"

        def serve(inputs: Any) -> Any:
            return self(inputs, training=False)

        def named(**inputs: Any) -> dict[str, Any]:
            raw = {name: inputs[names[name]] for name in names}
            out = self(raw["x"] if array else raw, training=False)
            return out if isinstance(out, dict) else {"probabilities": out}

        by_name = {names[n]: tf.TensorSpec(t.shape, t.dtype, name=names[n]) for n, t in signature.items()}
        module = tf.Module()
        module.weights = [v.value for v in self.variables]
        module.table = getattr(self, "table", None)
        module.serve = tf.function(serve, input_signature=[signature["x"] if array else signature])
        tf.saved_model.save(
            module,
            str(filepath),
            signatures={"serving_default": tf.function(named).get_concrete_function(**by_name)},
        )

    def get_config(self) -> dict[str, Any]:
        model = keras.saving.serialize_keras_object(self.model)
        model.pop("compile_config", None)  # a loss of one's own is not needed to serve
        settings: dict[str, Any] = {"logits": self.logits, "rules": self.rules}
        if self.correction is not None:
            settings["correction"] = list(self.correction)
        return {"name": self.name, "flow": self.text, "model": model, **settings}

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Any = None) -> Served:
        stages = json.loads(config["flow"])["flow"]["stages"]
        names = [stage["name"] for stage in stages if stage["stage"] == "Map"]
        found = {name: keras.saving.get_registered_object(name, custom_objects) for name in names}
        functions = {name: function for name, function in found.items() if function is not None}
        model = keras.saving.deserialize_keras_object(config["model"])
        rules, correction = config.get("rules", False), config.get("correction")  # of later versions
        return cls(config["flow"], model, functions, config["logits"], rules, correction, name=config["name"])

    def build_from_config(self, config: Any) -> None:
        """Nothing to build: the parts are built by themselves."""


def _shapes(out: Any) -> Any:
    return {n: tuple(t.shape) for n, t in out.items()} if isinstance(out, Mapping) else tuple(getattr(out, "shape", ()))


def raw_signature(raw: Spec) -> dict[str, Any]:
    """The tensors that a model on raw columns takes; "x" for the one array."""
    if raw.structure == "array":
        first = raw.columns[0]
        if first.kind == "tensor":
            return {"x": tf.TensorSpec((None, *first.shape), first.dtype, name="x")}
        return {"x": tf.TensorSpec((None, len(raw.columns)), first.dtype, name="x")}
    return {c.name: _tensor_spec(c) for c in raw.columns}


def _tensor_spec(column: Column) -> Any:
    if column.kind == "datetime" and column.dtype != "string":
        return tf.TensorSpec((None,), tf.float64)
    return tf.TensorSpec((None, *column.shape), column.dtype)


def serving_names(names: Mapping[str, Any]) -> dict[str, str]:
    """Each name as TensorFlow's signatures accept it, still unique; as it is, where they do."""

    def safe(name: str) -> str:
        out = re.sub(r"\W", "_", name, flags=re.ASCII)
        return out if re.match(r"[A-Za-z]", out) and not keyword.iskeyword(out) else f"x{out}"

    out = {name: name for name in names if safe(name) == name}
    for name in names:
        taken = set(out.values())
        free = (n for i in range(len(names) + 1) if (n := safe(name) + (f"_{i}" if i else "")) not in taken)
        out.setdefault(name, next(free))
    return {name: out[name] for name in names}


# -- data on their way into a served model ------------------------------------------------------


def _batches(dataset: Any, raw: Spec, batch_size: int) -> Any:
    """The features of a user's dataset, in batches."""
    check_spec(dataset.element_spec)
    x, *beside = split_element(dataset.element_spec)
    if any(part is not None for part in beside):
        dataset = dataset.map(as_written(lambda features, *_: features))
    signature = raw_signature(raw)
    given = x if isinstance(x, Mapping) else {"x": x}
    known = [n for n in signature if n in given]
    if known and all(given[n].shape.rank == signature[n].shape.rank - 1 for n in known):
        return dataset.batch(batch_size)
    return dataset


def raw_dataset(data: Any, raw: Spec, batch_size: int, *, exact: bool = False) -> Any:
    """Batches of raw tensors of whatever prepkit reads, as a served model takes them.

    Strings and numbers as the data have them, for the flow reads both, as `transform` does; or,
    if `exact`, as `raw_signature` says.

    Raises:
        PrepkitError: if a training column is not there or is of a type that says something else; if
            `exact`, wherever the data do not fit the signature.
    """
    source = as_source(data, raw.label.name if raw.label else None, required=False)
    entry = Entry(raw, {})
    signature = raw_signature(raw)
    array = raw.structure == "array"

    def converted(chunk: RawChunk) -> dict[str, np.ndarray]:
        tensors = _raw_tensors(chunk, entry)
        return {n: _as_signed(a, n, signature[n].dtype) for n, a in tensors.items()} if exact else tensors

    def read() -> Iterator[Any]:
        for chunk in source.chunks():
            tensors = converted(chunk)
            yield tensors["x"] if array else tensors

    head = next(source.chunks(), None)
    if head is None:
        raise PrepkitError(f"{source.name} has no rows: nothing to predict.")
    first = converted(head)  # what is wrong is said now, where it can be
    if source.random_access:
        dataset = tf.data.Dataset.from_tensors(first["x"] if array else first)
    else:
        given = {n: tf.string if a.dtype.kind == "O" else a.dtype for n, a in first.items()}
        specs = {n: tf.TensorSpec(t.shape, given[n]) for n, t in signature.items()}
        dataset = tf.data.Dataset.from_generator(read, output_signature=specs["x"] if array else specs)
    dataset = dataset.rebatch(batch_size)
    if source.n_rows is None:
        return dataset
    return dataset.apply(tf.data.experimental.assert_cardinality(-(-source.n_rows // batch_size)))


def _raw_tensors(chunk: RawChunk, entry: Entry) -> dict[str, np.ndarray]:
    """The columns of a chunk as tensors take them: object arrays of strings, float64, or of their own type."""
    raw = entry.raw
    if chunk.matrix is not None:
        entry.decode(chunk)  # refuses another number of columns
        return {"x": chunk.matrix.astype(np.float64)}
    entry.check_names(chunk.columns)
    return {c.name: _raw_tensor(chunk.columns[c.name], c) for c in raw.columns}


def _raw_tensor(values: Any, column: Column) -> np.ndarray:
    if isinstance(values, pa.Array | pa.ChunkedArray):
        kind = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
            decode_column(values[:0], column)  # refuses strings that cannot be read
            return np.asarray(values.cast(pa.string()).fill_null("").to_numpy(zero_copy_only=False), object)
    decoded = decode_column(values, column)
    if isinstance(decoded, Coded):
        return np.array([*decoded.values, ""], object).take(decoded.codes)
    if not column.shape:
        return np.asarray(decoded, np.float64)  # as exact as any block is
    return _as_signed(decoded, column.name, tf.as_dtype(column.dtype))


def _as_signed(values: np.ndarray, name: str, dtype: Any) -> np.ndarray:
    """`values` in the type of the training data, or an error where they are none of it."""
    if (values.dtype == object) != (dtype == tf.string):
        given, told = ("strings", "numbers") if values.dtype == object else ("numbers", "strings")
        raise PrepkitError(f"column {name!r} is {given}, but was {told} ({dtype.name}) in training.")
    if dtype == tf.string or dtype.is_floating:
        return values.astype(dtype.as_numpy_dtype, copy=False)
    with np.errstate(invalid="ignore"):
        out: np.ndarray = values.astype(dtype.as_numpy_dtype)
    if not np.array_equal(out, values):
        odd = values[out != values].ravel()[0]
        what = "a missing cell" if np.isnan(odd) else f"{odd:g}"
        raise PrepkitError(
            f"column {name!r} holds {what}, but was {dtype.name} in training, which has no such value: "
            "train on floats, or fill it."
        )
    return out
