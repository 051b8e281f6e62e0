"""prepkit: data that a Keras classifier converges on. Composable, tf.data-compatible stages, fitted by streaming."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prepkit.ablation.ablate import ablate
    from prepkit.ablation.data import Ablation
    from prepkit.cleaning.data import Cleaning
    from prepkit.core import Stage
    from prepkit.drift.data import Drift
    from prepkit.errors import PrepkitError
    from prepkit.features.choose import Drop, Map, Select
    from prepkit.features.clip import Clip
    from prepkit.features.datetime import Datetime
    from prepkit.features.encode import Hash, Lookup, OneHot
    from prepkit.features.impute import Impute
    from prepkit.features.rescale import Rescale
    from prepkit.features.text import Text
    from prepkit.finding import Finding
    from prepkit.fitted import FittedPipeline
    from prepkit.keras import Served
    from prepkit.losses import adjusted_loss
    from prepkit.metadata import Metadata
    from prepkit.pipeline import Pipeline, load
    from prepkit.prepared import Prepared
    from prepkit.profiling.data import Profile
    from prepkit.profiling.profile import profile
    from prepkit.profiling.recommend import recommend
    from prepkit.rows.check import Validation
    from prepkit.rows.clean_labels import CleanLabels
    from prepkit.rows.rebalance import Rebalance
    from prepkit.rows.validate import Validate
    from prepkit.source import as_source
    from prepkit.spec import Column, Label, Spec

_HOME = {
    "Ablation": "ablation.data",
    "CleanLabels": "rows.clean_labels",
    "Cleaning": "cleaning.data",
    "Clip": "features.clip",
    "Column": "spec",
    "Datetime": "features.datetime",
    "Drift": "drift.data",
    "Drop": "features.choose",
    "Finding": "finding",
    "FittedPipeline": "fitted",
    "Hash": "features.encode",
    "Impute": "features.impute",
    "Label": "spec",
    "Lookup": "features.encode",
    "Map": "features.choose",
    "Metadata": "metadata",
    "OneHot": "features.encode",
    "Pipeline": "pipeline",
    "Prepared": "prepared",
    "PrepkitError": "errors",
    "Profile": "profiling.data",
    "Rebalance": "rows.rebalance",
    "Rescale": "features.rescale",
    "Select": "features.choose",
    "Served": "keras",
    "Spec": "spec",
    "Stage": "core",
    "Text": "features.text",
    "Validate": "rows.validate",
    "Validation": "rows.check",
    "ablate": "ablation.ablate",
    "adjusted_loss": "losses",
    "as_source": "source",
    "load": "pipeline",
    "profile": "profiling.profile",
    "recommend": "profiling.recommend",
}

__all__ = [
    "Ablation", "CleanLabels", "Cleaning", "Clip", "Column", "Datetime", "Drift", "Drop", "Finding", "FittedPipeline",
    "Hash", "Impute", "Label", "Lookup", "Map", "Metadata", "OneHot", "Pipeline", "Prepared", "PrepkitError", "Profile",
    "Rebalance", "Rescale", "Select", "Served", "Spec", "Stage", "Text", "Validate", "Validation",
    "ablate", "adjusted_loss", "as_source", "load", "profile", "recommend",
]  # fmt: skip

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Each name is imported when it is first used: TensorFlow takes seconds."""
    if name not in _HOME:
        raise AttributeError(f"module 'prepkit' has no attribute {name!r}")
    value = getattr(import_module(f"prepkit.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
