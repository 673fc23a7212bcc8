# SPDX-License-Identifier: Apache-2.0
"""Durations as settings write them: `90`, `10m`, `1.5h`, `30d`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)?\s*")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def duration_of(value: Any, default: timedelta) -> timedelta:
    """Read a duration whose shape was checked when the file was; the default if there is none."""
    found = _DURATION.fullmatch(str(value)) if value is not None else None
    if found is None:
        return default
    return timedelta(seconds=float(found[1]) * _SECONDS[found[2] or "s"])
