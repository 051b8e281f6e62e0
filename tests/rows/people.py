"""People with faults, and what they are judged by."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pandera.pandas as pa

import prepkit as pk

NAN = np.nan
AGE = pa.DataFrameSchema({"age": pa.Column(float, pa.Check.in_range(0, 120), nullable=True)})


def people(n=40):
    """Row 3 has an age of 999, row 7 none, row 11 an unknown job, row 13 both faults, row 17 infinity."""
    rng = np.random.default_rng(0)
    age = rng.uniform(20, 60, n)
    job = rng.choice(["cook", "smith"], n).astype(object)
    age[[3, 13]], age[7], age[17] = 999.0, NAN, np.inf
    job[[11, 13]] = "pilot"
    return pd.DataFrame({"age": age, "job": job, "y": np.arange(n) % 2})


SCHEMA = pa.DataFrameSchema(
    {
        "age": pa.Column(float, pa.Check.in_range(0, 120)),
        "job": pa.Column(str, pa.Check.isin(["cook", "smith"])),
    }
)
REFUSED = {
    3: "age: in_range",
    7: "age: not_nullable",
    11: "job: isin",
    13: "age: in_range",
    17: "age: finite; age: in_range",
}


RECIPE = pk.Pipeline([pk.Validate(SCHEMA, max_refused=0.2), pk.Impute(), pk.Rescale(), pk.OneHot()])
