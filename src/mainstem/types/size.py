# SPDX-License-Identifier: Apache-2.0
"""Sizes as files write them: `512MiB`, `2GB`, or a number of bytes."""

from __future__ import annotations

import re

_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)?\s*\Z")
_BYTES = {
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
    "TiB": 1 << 40,
}


def bytes_in(value: object) -> int | None:
    """Read a size; nothing if it is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if value > 0 else None
    match = _SIZE.match(value) if isinstance(value, str) else None
    return int(float(match[1]) * _BYTES[match[2] or "B"]) or None if match is not None else None


def bytes_text(value: int) -> str:
    """Write a size for people: `1.5 GiB`."""
    size = float(value)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
