# SPDX-License-Identifier: Apache-2.0
"""Durations as files write them: `90s`, `15m`, `6h`, `1d`, or a number of seconds."""

from __future__ import annotations

import re
from datetime import timedelta

_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)?\s*\Z")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_UNITS = (("w", 604800), ("d", 86400), ("h", 3600), ("m", 60))


def duration_of(value: object) -> timedelta | None:
    """Read a duration; nothing if it is none."""
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, timedelta):
        return value
    if isinstance(value, int | float):
        return timedelta(seconds=value)
    match = _DURATION.match(str(value))
    return timedelta(seconds=float(match[1]) * _SECONDS[match[2] or "s"]) if match else None


def seconds_in(value: object) -> float | None:
    """Read a duration as seconds; nothing if it is none, or negative."""
    found = duration_of(value)
    seconds = None if found is None else found.total_seconds()
    return seconds if seconds is not None and seconds >= 0 else None


def duration_text(value: timedelta) -> str:
    """Write a duration in the largest unit that divides it: `90s`, `15m`, `1d`."""
    total = value.total_seconds()
    for unit, length in _UNITS:
        if total and total % length == 0:
            return f"{int(total // length)}{unit}"
    return f"{total:g}s"
