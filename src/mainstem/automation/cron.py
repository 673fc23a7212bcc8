# SPDX-License-Identifier: Apache-2.0
"""Cron expressions in a time zone, across changes of its clock.

Two rules, told apart by the hour field. A cron that names hours (`30 2 * * *`, `0 */6 * * *`) fires
once for each local time it names: at the next valid moment if the clock jumps over it, at the first
of the two if it comes twice. One that allows every hour (`0 * * * *`, `*/10 * * * *`) follows
elapsed time: whenever the local clock shows a matching minute.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from cronsim import CronSim, CronSimError

from mainstem.errors import ConfigInvalid
from mainstem.types import dataclass, nearest

_FIELDS = 5
_ALL_HOURS = frozenset(range(24))
_SOME_DAY = datetime(2001, 1, 1, tzinfo=UTC)
_REMEMBERED = 2
_SHORT = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """One expression in one zone; made by `cron_of`, which has checked both."""

    text: str
    """As written."""
    expression: str
    """Five fields; the hour is `*` if it allows every hour."""
    zone: str
    follows_hours: bool
    """Every hour is allowed, so it follows elapsed time."""

    def after(self, moment: datetime) -> Iterator[datetime]:
        """Give the ticks later than a moment, in UTC, without end (or until none are possible)."""
        last = moment
        # The first ones are asked for again and again: by who sleeps until one, and who wakes.
        for _ in range(_REMEMBERED):
            tick = _first_after(self, last)
            if tick is None:
                return
            last = tick
            yield tick
        yield from self.computed(last)

    def computed(self, moment: datetime) -> Iterator[datetime]:
        """Give the same, remembering nothing."""
        home = zone_of(self.zone)
        last = moment
        for tick in self._elapsed(moment, home) if self.follows_hours else self._walls(last, home):
            if tick > last:  # several local times that do not exist fall on one moment
                last = tick
                yield tick

    def _elapsed(self, moment: datetime, home: zoneinfo.ZoneInfo) -> Iterator[datetime]:
        for local in CronSim(self.expression, moment.astimezone(home)):
            yield local.astimezone(UTC)

    def _walls(self, moment: datetime, home: zoneinfo.ZoneInfo) -> Iterator[datetime]:
        wall = moment.astimezone(home).replace(tzinfo=None)
        for named in CronSim(self.expression, wall):
            yield moment_of(named, home)


@lru_cache(maxsize=4096)
def _first_after(cron: Cron, moment: datetime) -> datetime | None:
    return next(cron.computed(moment), None)


def cron_of(text: str, zone: str = "UTC") -> Cron:
    """Check an expression and its zone.

    Raises:
        ConfigInvalid: One of them cannot be read (A2201, A2202).
    """
    zone_of(zone)
    written = " ".join(text.split())
    fields = _SHORT.get(written.lower(), written).split()
    if len(fields) != _FIELDS:
        raise _unreadable(text, f"it has {len(fields)} fields, and there are five")
    try:
        parsed = CronSim(" ".join(fields), _SOME_DAY)
        next(parsed)
    except (CronSimError, StopIteration) as error:
        raise _unreadable(text, str(error).lower() or "no day fits it") from error
    follows = set(parsed.hours) == _ALL_HOURS
    if follows:
        fields[1] = "*"
    return Cron(text=written, expression=" ".join(fields), zone=zone, follows_hours=follows)


@lru_cache(maxsize=256)
def zone_of(name: str) -> zoneinfo.ZoneInfo:
    """Find a time zone.

    Raises:
        ConfigInvalid: There is none of that name (A2202).
    """
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        known = zoneinfo.available_timezones()
        hint = "Write a name such as Europe/Berlin; `UTC` is the default."
        if not known:
            hint = "This machine has no table of time zones: pip install tzdata"
        raise ConfigInvalid(
            "A2202",
            f"`{name}` is not a time zone.",
            hint=hint,
            known=nearest(name, sorted(known)),
        ) from error


def moment_of(wall: datetime, home: zoneinfo.ZoneInfo) -> datetime:
    """Give the moment at which a local clock shows a time, in UTC.

    A time that comes twice means the first; one that is jumped over means the moment of the jump.
    """
    first = wall.replace(tzinfo=home, fold=0)
    moment = first.astimezone(UTC)
    if moment.astimezone(home).replace(tzinfo=None) == wall:
        return moment
    # Jumped over. PEP 495: fold 0 reckons with the offset before, which lands behind the jump.
    low = wall.replace(tzinfo=home, fold=1).astimezone(UTC)
    high = moment
    before = low.astimezone(home).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = (low + (high - low) / 2).replace(microsecond=0)
        if middle.astimezone(home).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high


def _unreadable(text: str, why: str) -> ConfigInvalid:
    return ConfigInvalid(
        "A2201",
        f"`{text}` is not a cron expression: {why}.",
        hint='Minute, hour, day, month, weekday: "30 2 * * mon-fri" is half past two on weekdays.',
    )
