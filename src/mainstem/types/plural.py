# SPDX-License-Identifier: Apache-2.0
"""Counts in sentences."""

from __future__ import annotations

_PLURALS = {"branch": "branches", "is": "are"}


def plural(number: int, noun: str) -> str:
    """Write `1 row`, `336,776 rows`."""
    return f"{number:,} {noun if number == 1 else _PLURALS.get(noun, noun + 's')}"
