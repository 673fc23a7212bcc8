# SPDX-License-Identifier: Apache-2.0
"""Partitions by time: windows of a calendar's grain or of a cron expression, numbered from 0.

Days and longer begin by the clock on the wall, so a day in Berlin may have 23 or 25 hours. Hours
are sixty minutes each, so the hour that clocks show twice is two partitions with two keys.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

from mainstem.errors import ModelInvalid, SelectionInvalid
from mainstem.graph.partition.cron import CronWalls, cron_walls
from mainstem.graph.partition.spans import Spans, span
from mainstem.graph.partition.zone import anchor_of, instant_of, is_ambiguous, wall_of, zone_of
from mainstem.types import dataclass

Grain = Literal["hour", "day", "week", "month", "quarter", "year", "cron"]
GRAINS: tuple[Grain, ...] = ("hour", "day", "week", "month", "quarter", "year", "cron")
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_DAYS = {"day": 1, "week": 7}
_HOUR = timedelta(hours=1)
_TICK = timedelta(microseconds=1)
_KEY = re.compile(
    r"(?P<year>\d{4})"
    r"(?:-(?:Q(?P<quarter>[1-4])|W(?P<week>\d\d)|(?P<month>\d\d)"
    r"(?:-(?P<day>\d\d)(?:T(?P<hour>\d\d)(?::(?P<minute>\d\d))?(?P<shift>Z|[+-]\d\d:\d\d)?)?)?))?\Z"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimePartitions:
    """Windows of one grain that follow each other without a gap."""

    grain: Grain
    start: datetime
    """Local time, naive, at which partition 0 begins, without `offset`; see `time_partitions`."""
    end: datetime | None = None
    """Local time from which on there are no more; `None`: they come as time passes."""
    offset: timedelta = timedelta()
    """By how much each window begins after the calendar's: `6h` for days from six to six."""
    zone: str = "UTC"
    cron: str = ""
    end_offset: int = 0
    """Windows that count though they are not over yet: 1 takes in the one that runs."""

    @property
    def dimensions(self) -> tuple[TimePartitions]:
        """Itself: it has one."""
        return (self,)

    def start_of(self, ordinal: int) -> datetime:
        """Give the instant (UTC) at which a partition begins."""
        if self.grain == "hour":
            return self._anchor() + ordinal * _HOUR
        return instant_of(self._wall(ordinal), zone_of(self.zone))

    def window(self, ordinal: int) -> tuple[datetime, datetime]:
        """Give start and end of a partition, aware, in its zone; the end is not part of it."""
        zone = zone_of(self.zone)
        start, stop = self.start_of(ordinal), self.start_of(ordinal + 1)
        return start.astimezone(zone), stop.astimezone(zone)

    def ordinal_at(self, instant: datetime) -> int:
        """Give the partition that an instant falls into; negative before the first."""
        if self.grain == "hour":
            return (instant - self._anchor()) // _HOUR
        ordinal = self._floor(wall_of(instant, zone_of(self.zone)) - self.offset)
        # Where clocks change, the wall alone may tell a neighbour.
        while self.start_of(ordinal) > instant:
            ordinal -= 1
        while self.start_of(ordinal + 1) <= instant:
            ordinal += 1
        return ordinal

    def covering(self, start: datetime, stop: datetime) -> Spans:
        """Give the partitions that overlap a stretch of time, existing or not."""
        if stop <= start:
            return ()
        return span(self.ordinal_at(start), self.ordinal_at(stop - _TICK) + 1)

    def existing(self, now: datetime) -> Spans:
        """Give the partitions that there are at a moment: those that are over, plus `end_offset`.

        O(1): one span.
        """
        stop = self.ordinal_at(now) + self.end_offset
        if self.end is not None:
            last = instant_of(self.end + self._shift(), zone_of(self.zone)) - _TICK
            stop = min(stop, self.ordinal_at(last) + 1)
        return span(0, max(stop, 0))

    def key(self, ordinal: int) -> str:
        """Give the text form of a partition's key."""
        if self.grain == "hour":
            return self._hour_key(self.start_of(ordinal))
        wall = self._wall(ordinal) - self.offset
        match self.grain:
            case "day":
                return f"{wall:%Y-%m-%d}"
            case "week":
                year, week, _day = wall.isocalendar()
                return f"{year:04}-W{week:02}"
            case "month":
                return f"{wall:%Y-%m}"
            case "quarter":
                return f"{wall:%Y}-Q{(wall.month + 2) // 3}"
            case "year":
                return f"{wall:%Y}"
            case _:
                return f"{wall:%Y-%m-%dT%H:%M}"

    def ordinal(self, key: str) -> int:
        """Give the partition of a key, existing or not.

        Raises:
            SelectionInvalid: It is no key of this grain (A1081), or clocks show it twice (A1082).
        """
        found = self.span_of(key)
        first, stop, _below = found[0] if found else (0, 0, ())
        if stop - first != 1 or self.key(first) != key:
            raise self._not_a_key(key)
        return first

    def span_of(self, text: str) -> Spans:
        """Give the partitions that a key means, be it one of a coarser grain: `2013-05`.

        Raises:
            SelectionInvalid: It cannot be read (A1081), or clocks show it twice (A1082).
        """
        found = _KEY.match(text)
        if found is None:
            raise self._not_a_key(text)
        try:
            return self._meant(text, found)
        except (ValueError, OverflowError):
            raise self._not_a_key(text) from None

    def _meant(self, text: str, found: re.Match[str]) -> Spans:
        if found["hour"] is not None:
            return self._moment(text, found)
        grain, wall = _calendar(found)
        if grain == self.grain:
            # By name: a window may have been shifted by `offset`, but it keeps its name.
            ordinal = self._floor(wall)
            return span(ordinal, ordinal + 1)
        zone, shift = zone_of(self.zone), self._shift()
        start = instant_of(wall + shift, zone)
        stop = instant_of(_next(grain, wall) + shift, zone)
        first, after = self.ordinal_at(start), self.ordinal_at(stop)
        inside = first if self.start_of(first) >= start else first + 1
        if after <= inside:
            raise self._not_a_key(text)
        return span(inside, after)

    def _moment(self, text: str, found: re.Match[str]) -> Spans:
        """Read the key of an hour or of a cron window."""
        if self.grain not in {"hour", "cron"}:
            raise self._not_a_key(text)
        zone = zone_of(self.zone)
        day = date(int(found["year"]), int(found["month"]), int(found["day"]))
        wall = datetime.combine(day, time(int(found["hour"]), int(found["minute"] or 0)))
        if self.grain == "cron":
            ordinal = self._floor(wall)
            if self._wall(ordinal) != wall or found["shift"]:
                raise self._not_a_key(text)
            return span(ordinal, ordinal + 1)
        if found["shift"]:
            instant = datetime.fromisoformat(f"{wall.isoformat()}{found['shift']}").astimezone(UTC)
        else:
            instant = instant_of(wall, zone)
            if wall_of(instant, zone) != wall:
                raise self._not_a_key(text)
            if is_ambiguous(instant, zone):
                keys = [self._hour_key(instant), self._hour_key(instant + _HOUR)]
                raise SelectionInvalid(
                    "A1082",
                    f"`{text}` happens twice in {self.zone}: the clock is set back.",
                    hint=f"Write {keys[0]} or {keys[1]}.",
                    known=tuple(keys),
                )
        ordinal = self.ordinal_at(instant)
        if self.start_of(ordinal) != instant:
            raise self._not_a_key(text)
        return span(ordinal, ordinal + 1)

    def shape(self) -> str:
        """Give what decides which rows are in which partition: part of a code version."""
        offset = f"+{self.offset.total_seconds():g}s" if self.offset else ""
        return f"{self.grain}{offset} {self.cron} {self.zone}"

    def _shift(self) -> timedelta:
        return self.offset if self.grain != "cron" else timedelta()

    def _anchor(self) -> datetime:
        return anchor_of(self.start + self.offset, self.zone)

    def _hour_key(self, instant: datetime) -> str:
        if self.zone == "UTC" and not instant.minute:
            return instant.isoformat(timespec="hours")[:13]
        zone = zone_of(self.zone)
        local = instant.astimezone(zone)
        text = local.isoformat(timespec="minutes")
        key = text[:16] if local.minute else text[:13]
        return key + text[16:22] if is_ambiguous(instant, zone) else key

    def _walls(self) -> CronWalls:
        return cron_walls(self.cron, self.start.year)

    def _wall(self, ordinal: int) -> datetime:
        """Give the local time at which a partition begins; not for hours."""
        if self.grain == "cron":
            walls = self._walls()
            return walls.wall(ordinal + walls.number_at(self.start))
        if self.grain in _MONTHS:
            months = self.start.year * 12 + self.start.month - 1 + ordinal * _MONTHS[self.grain]
            begun = self.start.replace(year=months // 12, month=months % 12 + 1)
            return begun + self.offset
        return self.start + timedelta(days=ordinal * _DAYS[self.grain]) + self.offset

    def _floor(self, wall: datetime) -> int:
        """Give the partition of a local time from which the offset was taken."""
        if self.grain == "cron":
            walls = self._walls()
            return walls.number_at(wall) - walls.number_at(self.start)
        if self.grain in _MONTHS:
            months = (wall.year - self.start.year) * 12 + wall.month - self.start.month
            return months // _MONTHS[self.grain]
        return (wall - self.start).days // _DAYS[self.grain]

    def _not_a_key(self, text: str) -> SelectionInvalid:
        return SelectionInvalid(
            "A1081",
            f"`{text}` is not a partition by {self.grain}.",
            hint=f"Keys look like {self.key(0)}; ranges like {self.key(0)}..{self.key(2)}.",
        )


def time_partitions(
    grain: Grain,
    start: str,
    *,
    end: str = "",
    offset: timedelta = timedelta(),
    zone: str = "UTC",
    cron: str = "",
    end_offset: int = 0,
) -> TimePartitions:
    """Define partitions by time.

    Args:
        grain: How long each is; `cron` with an expression.
        start: Where the first begins: `2013-01-01`, `2013-01`, `2013-01-01T06:00`; local time.
        end: From where on there are no more, in the same form.
        offset: By how much each begins later than the calendar says.
        zone: Time zone of the calendar.
        cron: Expression whose ticks begin the windows.
        end_offset: Windows that count though they are not over yet.

    Raises:
        ModelInvalid: A value is wrong, or `start` is not where a window begins.
    """
    zone_of(zone)
    begun = _written(start, "start")
    if grain == "cron":
        walls = cron_walls(cron, begun.year)
        number = walls.number_at(begun)
        first = walls.wall(number)
        if first != begun:
            # From the first tick on.
            first = walls.wall(number + 1)
        begun_at = first
    else:
        begun_at = _calendar_start(grain, begun)
        if begun_at != begun:
            raise ModelInvalid(
                "A2061",
                f"`start` of partitions by {grain} is {start}, which is within one.",
                hint=f"Write {begun_at:%Y-%m-%d}; `offset` makes each begin later.",
            )
    return TimePartitions(
        grain=grain,
        start=begun_at,
        end=_written(end, "end") if end else None,
        offset=offset,
        zone=zone,
        cron=cron,
        end_offset=end_offset,
    )


def _written(text: str, name: str) -> datetime:
    found = _KEY.match(text.strip().replace(" ", "T"))
    try:
        if found is None:
            return datetime.fromisoformat(text).replace(tzinfo=None)
        if found["hour"] is not None:
            return datetime.fromisoformat(f"{text.strip()[:13]}:{found['minute'] or '00'}")
        return _calendar(found)[1]
    except ValueError:
        raise ModelInvalid(
            "A2061",
            f"`{name}` of partitions is `{text}`, which is no date or time.",
            hint="Write 2013-01-01, 2013-01 or 2013-01-01T06:00.",
        ) from None


def _calendar(found: re.Match[str]) -> tuple[Grain, datetime]:
    """Give the grain and the first local moment of a key without a time."""
    year = int(found["year"])
    grain: Grain
    if found["week"]:
        day, grain = date.fromisocalendar(year, int(found["week"]), 1), "week"
    elif found["quarter"]:
        day, grain = date(year, int(found["quarter"]) * 3 - 2, 1), "quarter"
    elif found["day"]:
        day, grain = date(year, int(found["month"]), int(found["day"])), "day"
    elif found["month"]:
        day, grain = date(year, int(found["month"]), 1), "month"
    else:
        day, grain = date(year, 1, 1), "year"
    return grain, datetime.combine(day, time())


def _next(grain: str, wall: datetime) -> datetime:
    if grain in _DAYS:
        return wall + timedelta(days=_DAYS[grain])
    months = wall.year * 12 + wall.month - 1 + _MONTHS[grain]
    return wall.replace(year=months // 12, month=months % 12 + 1)


def _calendar_start(grain: str, wall: datetime) -> datetime:
    if grain == "hour":
        return wall.replace(minute=0, second=0, microsecond=0)
    day = wall.replace(hour=0, minute=0, second=0, microsecond=0)
    match grain:
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
        case "quarter":
            return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
        case "year":
            return day.replace(month=1, day=1)
        case _:
            return day
