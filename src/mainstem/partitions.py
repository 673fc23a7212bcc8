# SPDX-License-Identifier: Apache-2.0
"""Partitions for Python models: `@asset(partitions=monthly("2013-01-01"))`; for users' projects.

Each function takes `column` (whose value tells a row's partition; by default it is called as the
grain or the dimension), `inputs` (mappings that cannot be inferred) and `batch` (neighbours that
are built in one go, or "all"). They give what YAML would say: the same is read and judged for both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "cron",
    "daily",
    "dynamic",
    "hourly",
    "monthly",
    "product",
    "quarterly",
    "static",
    "weekly",
    "yearly",
]


def hourly(start: str, **options: Any) -> dict[str, Any]:
    """Partition by hour; the hour that clocks show twice is two partitions.

    Args:
        start: Where the first begins, local time: `2013-01-01`.
        **options: `column`, `end` (from where on there are none), `zone`, `offset` (by how much
            each begins later: `15m`), `end_offset` (1: the one that runs counts too), `inputs`,
            `batch`.
    """
    return _by("hour", start, options)


def daily(start: str, **options: Any) -> dict[str, Any]:
    """Partition by day, of 23 to 25 hours where clocks change; options as for `hourly`."""
    return _by("day", start, options)


def weekly(start: str, **options: Any) -> dict[str, Any]:
    """Partition by ISO week, from Monday on; options as for `hourly`."""
    return _by("week", start, options)


def monthly(start: str, **options: Any) -> dict[str, Any]:
    """Partition by month; options as for `hourly`."""
    return _by("month", start, options)


def quarterly(start: str, **options: Any) -> dict[str, Any]:
    """Partition by quarter; options as for `hourly`."""
    return _by("quarter", start, options)


def yearly(start: str, **options: Any) -> dict[str, Any]:
    """Partition by year; options as for `hourly`."""
    return _by("year", start, options)


def cron(expression: str, start: str, **options: Any) -> dict[str, Any]:
    """Partition by the windows between a cron expression's ticks; options as for `hourly`."""
    return _by("cron", start, {"cron": expression, **options})


def static(names: Sequence[str], **options: Any) -> dict[str, Any]:
    """Partition by a fixed list of names; takes `column`, `inputs` and `batch`."""
    return {"static": list(names), **options}


def dynamic(name: str, **options: Any) -> dict[str, Any]:
    """Partition by a list that grows: `mainstem partitions ASSET --add KEY`.

    Args:
        name: Of the list; assets may share it.
        **options: `column`, `inputs` and `batch`.
    """
    return {"dynamic": name, **options}


def product(dimensions: Mapping[str, Mapping[str, Any]], **options: Any) -> dict[str, Any]:
    """Partition by every combination of two or more dimensions.

    Args:
        dimensions: By name, which is also the column's unless one was given.
        **options: `inputs` and `batch`.
    """
    return {"product": {name: dict(of) for name, of in dimensions.items()}, **options}


def _by(grain: str, start: str, options: Mapping[str, Any]) -> dict[str, Any]:
    return {"by": grain, "start": start, **options}
