# SPDX-License-Identifier: Apache-2.0
"""From values to what JSON can hold: for `--json`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

from mainstem.errors import MainstemError
from mainstem.types import AssetKey


def plain(value: Any) -> Any:
    """Turn dataclasses, keys, times and errors into objects, strings and numbers."""
    match value:
        case None | bool() | int() | float():
            return value
        case Enum():
            return plain(value.value)
        case str():
            return str(value)
        case AssetKey() | Path() | Decimal():
            return str(value)
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case bytes():
            return value.hex()
        case MainstemError():
            return value.to_json()
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(item) for item in value]
        case _ if is_dataclass(value) and not isinstance(value, type):
            return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
        case _:
            return str(value)


def event_object(event: Any) -> dict[str, Any]:
    """Give a run's event as an object that names itself: `{"event": "step_finished", ...}`."""
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()
    return {"event": name, **plain(event)}
