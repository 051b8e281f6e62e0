"""Whether other data are like the training data: schema, distributions, missing cells, classes."""

from prepkit.drift.compare import compare
from prepkit.drift.data import ColumnDrift, Drift

__all__ = ["ColumnDrift", "Drift", "compare"]
