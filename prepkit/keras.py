"""The fitted flow inside a Keras model: raw columns in, class probabilities out."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from prepkit.entry import Entry, raw_values
from prepkit.errors import PrepkitError
from prepkit.flow import Flow
from prepkit.source import as_source
from prepkit.spec import Column, Spec
from prepkit.storage import flow_from_text, flow_to_text

PACKAGE = "prepkit"


@keras.saving.register_keras_serializable(package=PACKAGE)
class Served(keras.Model):  # type: ignore[misc]
    """A trained model behind the preprocessing that it was trained with.

    It takes what the training data had: a dict of one tensor (rows,) a column, strings and numbers
    as they come, or the one array; `predict` also takes whatever prepkit reads, such as a data
    frame. It gives the probability of each class, or of class 1 where `model` has one unit.

    Args:
        flow: as text, from `prepkit.storage`.
        model: takes the features that the flow gives.
        functions: what `Map` stages need, by name.
    """

    def __init__(self, flow: str, model: keras.Model, functions: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.text = flow
        self.flow = flow_from_text(flow, functions or {})
        self.model = model
        self.logits = bool(getattr(getattr(model, "loss", None), "from_logits", False))
        if self.flow.entry.vocabularies:
            self.table = self.flow.entry.table  # tracked, so that a SavedModel holds it

    @classmethod
    def of(cls, flow: Flow, model: keras.Model) -> Served:
        """A served model, checked to fit."""
        functions = {s.name: s.function for s in flow.stages if hasattr(s, "function")}
        served = cls(flow_to_text(flow), model, functions)
        signature = raw_signature(flow.entry.raw)
        row = {n: tf.zeros([1, *t.shape[1:]], t.dtype) for n, t in signature.items()}  # a zero string is ""
        raw = row["x"] if flow.entry.raw.structure == "array" else row
        try:
            served(raw)
        except (ValueError, tf.errors.InvalidArgumentError) as error:
            features = flow.features(raw)
            got = (
                {n: tuple(t.shape) for n, t in features.items()}
                if isinstance(features, dict)
                else tuple(features.shape)
            )
            raise PrepkitError(
                f"the model does not take one row of this pipeline's features, {got}: {error}"
            ) from error
        return served

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        return self.probabilities(self.flow.features(inputs), training)

    def probabilities(self, features: Any, training: bool | None = None) -> Any:
        """Of features that have been transformed already."""
        out = self.model(features, training=training)
        if self.logits:
            out = keras.ops.sigmoid(out) if out.shape[-1] == 1 else keras.ops.softmax(out)
        return out

    def predict(self, x: Any, batch_size: int | None = None, verbose: Any = "auto", **kwargs: Any) -> Any:
        """As Keras has it; `x` may be anything that prepkit reads. Labels in it are ignored."""
        if not isinstance(x, tf.data.Dataset):
            x = raw_dataset(x, self.flow.entry.raw, batch_size or 256)
        elif isinstance(x.element_spec, tuple):
            x = x.map(lambda features, *_: features)
        with warnings.catch_warnings():  # Keras takes the end of a dataset of unknown length for a mishap
            warnings.filterwarnings("ignore", "Your input ran out of data")
            return super().predict(x, verbose=verbose, **kwargs)

    def export(self, filepath: str | Path, **kwargs: Any) -> None:  # type: ignore[override]
        """Write a SavedModel that runs without prepkit and Keras.

        `serve` takes the dict of raw columns (or the one array), and so does the signature
        "serving_default", where names that TensorFlow refuses have "_" for what they may not have.
        """
        signature = raw_signature(self.flow.entry.raw)
        names = serving_names(signature)
        array = self.flow.entry.raw.structure == "array"

        @tf.function(input_signature=[signature["x"] if array else signature])
        def serve(inputs: Any) -> Any:
            return self(inputs, training=False)

        def named(**inputs: Any) -> dict[str, Any]:
            raw = {name: inputs[names[name]] for name in names}
            return {"probabilities": self(raw["x"] if array else raw, training=False)}

        by_name = {names[n]: tf.TensorSpec(t.shape, t.dtype, name=names[n]) for n, t in signature.items()}
        module = tf.Module()
        module.weights = [v.value for v in self.variables]
        module.table = getattr(self, "table", None)
        module.serve = serve
        tf.saved_model.save(
            module,
            str(filepath),
            signatures={"serving_default": tf.function(named).get_concrete_function(**by_name)},
        )

    def get_config(self) -> dict[str, Any]:
        return {
            "flow": self.text,
            "model": keras.saving.serialize_keras_object(self.model),
            "logits": self.logits,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Any = None) -> Served:
        model = keras.saving.deserialize_keras_object(config["model"])
        served = cls(config["flow"], model, custom_objects)
        served.logits = config["logits"]
        return served

    def build_from_config(self, config: Any) -> None:
        """Nothing to build: the parts are built by themselves."""


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
    """Each name as TensorFlow's signatures accept it, still unique."""
    out: dict[str, str] = {}
    for name in names:
        safe = re.sub(r"\W", "_", name, flags=re.ASCII)
        safe = safe if re.match(r"[A-Za-z]", safe) else f"x{safe}"
        taken = set(out.values())
        out[name] = next(n for i in range(len(names) + 1) if (n := safe if not i else f"{safe}_{i}") not in taken)
    return out


def raw_dataset(data: Any, raw: Spec, batch_size: int) -> Any:
    """Batches of raw tensors of whatever prepkit reads, as a served model takes them."""
    source = as_source(data, raw.label.name if raw.label else None, required=False)
    signature = raw_signature(raw)
    array = raw.structure == "array"
    entry = Entry(raw, {})

    def read() -> Any:
        for chunk in source.chunks():
            if array:
                yield chunk.matrix if chunk.matrix is not None else chunk.columns["x"]
            else:
                entry.check_names(chunk.columns)
                yield {c.name: raw_values(chunk.columns[c.name], c) for c in raw.columns}

    dataset = tf.data.Dataset.from_generator(read, output_signature=signature["x"] if array else signature)
    dataset = dataset.rebatch(batch_size)
    if source.n_rows is None:
        return dataset
    return dataset.apply(tf.data.experimental.assert_cardinality(-(-source.n_rows // batch_size)))
