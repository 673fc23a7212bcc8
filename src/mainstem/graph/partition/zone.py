# SPDX-License-Identifier: Apache-2.0
"""From the clock on the wall to instants and back, where clocks change.

A local time that happens twice means the first; one that never happens means the moment of the
change. So walls in order give instants in order, and windows between them tile time.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING

from mainstem.errors import ModelInvalid

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_SHORTEST = timedelta(seconds=1)


@lru_cache(maxsize=64)
def zone_of(name: str) -> ZoneInfo:
    """Look a time zone up.

    Raises:
        ModelInvalid: There is none of that name (A2060).
    """
    zoneinfo = import_module("zoneinfo")  # late: few projects have partitions by time
    try:
        zone: ZoneInfo = zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ModelInvalid(
            "A2060",
            f"`partitions` has the time zone `{name}`, which is not known.",
            hint="Write a name of the IANA database: UTC, Europe/Berlin, America/New_York.",
        ) from None
    return zone


@lru_cache(maxsize=256)
def anchor_of(wall: datetime, zone_name: str) -> datetime:
    """Give `instant_of` of a local time that is asked for again and again."""
    return instant_of(wall, zone_of(zone_name))


def instant_of(wall: datetime, zone: ZoneInfo) -> datetime:
    """Give the instant, in UTC, of a naive local time."""
    instant = wall.replace(tzinfo=zone).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None, fold=0) == wall:
        return instant
    # Never shown by a clock: the change lies between its two readings.
    before = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    after = instant
    old = before.astimezone(zone).utcoffset()
    while after - before > _SHORTEST:
        middle = (before + (after - before) / 2).replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == old:
            before = middle
        else:
            after = middle
    return after


def wall_of(instant: datetime, zone: ZoneInfo) -> datetime:
    """Give the naive local time of an instant."""
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def is_ambiguous(instant: datetime, zone: ZoneInfo) -> bool:
    """Tell whether the clocks show the local time of this instant twice."""
    local = instant.astimezone(zone)
    return local.replace(fold=1 - local.fold).utcoffset() != local.utcoffset()
