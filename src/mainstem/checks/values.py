# SPDX-License-Identifier: Apache-2.0
"""Values between YAML, SQL and JSON: literals that fit a column, bounds, samples of rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from mainstem.engines import literal
from mainstem.types import Physical, Primitive, Type

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def fitting_literal(value: Any, of: Type | None) -> str:
    """Write a value as SQL that compares with a column without casting the column.

    YAML may say `[1, 2]` of a column of text: DuckDB would turn the column's values into numbers,
    and fail on the first that is none.
    """
    if of == Primitive("string") and value is not None and not isinstance(value, str):
        return literal(str(value).lower() if isinstance(value, bool) else str(value))
    return literal(value)


def physical(value: Any, of: Type) -> Physical | Decimal | None:
    """Give a YAML value as the bounds of a column have it; `None` if that cannot be told."""
    if not isinstance(of, Primitive) or value is None or isinstance(value, bool):
        return None
    try:
        return _physical(value, of)
    except (ValueError, TypeError, InvalidOperation):
        return None


def _physical(value: Any, of: Primitive) -> Physical | Decimal | None:
    match of.name:
        case "int" | "long":
            return Decimal(str(value))  # compares exactly with integers, `0.5` too
        case "float" | "double":
            return float(value)
        case "string":
            return value if isinstance(value, str) else None
        case "date":
            return (date.fromisoformat(str(value)) - _EPOCH.date()).days
        case "timestamp" | "timestamptz":
            moment = datetime.fromisoformat(str(value))
            aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return (aware - _EPOCH) // timedelta(microseconds=1)
        case name if name.startswith("decimal"):
            _, scale = of.precision_and_scale
            return Decimal(str(value)).scaleb(scale)
        case _:
            return None


def json_able(value: Any) -> Any:
    """Give a value of a row as JSON can say it; exact numbers stay exact as text."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case datetime() | date() | time():
            return value.isoformat()
        case bytes():
            return value.hex()
        case Decimal():
            return int(value) if value == value.to_integral_value() else str(value)
        case UUID() | timedelta():
            return str(value)
        case Mapping():
            return {str(key): json_able(item) for key, item in value.items()}
        case list() | tuple():
            return [json_able(item) for item in value]
        case _:
            return str(value)
