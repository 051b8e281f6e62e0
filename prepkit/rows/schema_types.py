"""What pandera's types of columns, of whichever backend, mean here."""

from __future__ import annotations

from typing import Any

from prepkit.errors import PrepkitError
from prepkit.spec import Kind

TIME = "datetime64[ns]"


def dtype_name(dtype: Any, name: str) -> str | None:
    """The type of column `name` by numpy's name, or "string" or "category"; None if it says nothing.

    Args:
        dtype: of a pandera schema of pandas, polars or pyarrow; None if it is open.
        name: of the column, for messages.

    Raises:
        PrepkitError: for a type of which prepkit has no columns, such as durations or lists.
    """
    from pandera import dtypes

    if dtype is None or type(dtype).__name__ == "Object":  # anything is an object
        return None
    if dtypes.is_category(dtype) or type(dtype).__name__ in ("Categorical", "Enum"):  # so polars calls them
        return "category"
    if dtypes.is_bool(dtype):
        return "bool"
    if dtypes.is_int(dtype):
        return f"{'u' if dtypes.is_uint(dtype) else ''}int{getattr(dtype, 'bit_width', None) or 64}"
    if dtypes.is_float(dtype):
        return f"float{min(getattr(dtype, 'bit_width', None) or 64, 64)}"
    if isinstance(dtype, dtypes.Decimal):
        return "float64"
    if dtypes.is_string(dtype):
        return "string"
    if isinstance(dtype, dtypes.Date):  # of which points in time are a kind
        return TIME
    raise PrepkitError(
        f"column {name!r} is {dtype} in the schema, and prepkit has no such columns: give numbers (a duration as "
        "seconds), strings, booleans or dates, or leave its dtype out of the schema."
    )


def kind_of(dtype: str | None) -> Kind | None:
    """The kind of a column of a type by `dtype_name`."""
    if dtype is None:
        return None
    if dtype in ("string", "category"):
        return "categorical"
    return {"bool": "boolean", TIME: "datetime"}.get(dtype, "numeric")  # type: ignore[return-value]


def categories_of(dtype: Any) -> list[Any] | None:
    """The categories that a type lists, or None."""
    found = getattr(dtype, "categories", None)
    return None if found is None else list(found)


def pandas_dtype(dtype: Any, name: str, nullable: bool) -> Any:
    """The type of another backend as pandera's for pandas: integers and booleans such as may be missing."""
    import pandera.pandas as pa

    plain = dtype_name(dtype, name)
    if plain == "string":
        return str
    if plain == "category":
        return pa.Category(categories_of(dtype))
    if plain is not None and nullable and plain.startswith(("int", "uint")):
        return plain.replace("int", "Int").replace("u", "U")
    return "boolean" if nullable and plain == "bool" else plain
