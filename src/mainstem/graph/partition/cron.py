# SPDX-License-Identifier: Apache-2.0
"""Windows between the ticks of a cron expression, counted without walking from tick to tick.

Which times of a day match is the same for all matching days, so a window's number is days times
times of day: days are counted once per year and kept.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING

from mainstem.errors import ModelInvalid

if TYPE_CHECKING:
    from cronsim import CronSim

_NEVER_YEARS = 30
"""February 29th on a given weekday comes back within 28 years; but for 2100, as cronsim has it."""


class CronWalls:
    """Local times at which an expression ticks, numbered from 0 at the start of a year.

    Args:
        expression: Five fields; `L`, `LW`, `#` and names as cronsim takes them.
        first_year: Of number 0.

    Raises:
        ModelInvalid: It cannot be read, or never ticks (A2062).
    """

    def __init__(self, expression: str, first_year: int) -> None:
        if len(expression.split()) != 5:
            raise _invalid(expression, "it needs five fields")
        cronsim = import_module("cronsim")  # late: few projects have such windows
        try:
            fields: CronSim = cronsim.CronSim(
                expression, datetime.combine(date(first_year, 1, 1), time())
            )
        except cronsim.CronSimError as error:
            raise _invalid(expression, str(error)) from None
        self._fields = fields
        self._first_year = first_year
        self._times = tuple(
            time(hour, minute) for hour in sorted(fields.hours) for minute in sorted(fields.minutes)
        )
        self._days: list[tuple[date, ...]] = []
        """Matching days of each year from the first on."""
        self._before: list[int] = [0]
        """Matching days before each of these years."""
        while not self._before[-1]:
            if len(self._days) > _NEVER_YEARS:
                raise _invalid(expression, "no day ever matches")
            self._add_year()

    def wall(self, number: int) -> datetime:
        """Give the local time of a tick; O(log years)."""
        day, slot = divmod(number, len(self._times))
        if day < 0:
            # Before the first: as good as any, since nothing exists there.
            return datetime.combine(date(self._first_year, 1, 1), time()) + timedelta(days=day)
        while self._before[-1] <= day:
            self._add_year()
        year = bisect_right(self._before, day) - 1
        return datetime.combine(self._days[year][day - self._before[year]], self._times[slot])

    def number_at(self, wall: datetime) -> int:
        """Give the number of the last tick at or before a local time; -1 before the first."""
        year = wall.year - self._first_year
        if year < 0:
            return -1
        while len(self._days) <= year:
            self._add_year()
        index = bisect_right(self._days[year], wall.date()) - 1
        days = self._before[year] + index
        if index < 0 or self._days[year][index] != wall.date():
            return (days + 1) * len(self._times) - 1
        return days * len(self._times) + bisect_right(self._times, wall.time()) - 1

    def _add_year(self) -> None:
        year = self._first_year + len(self._days)
        day, found = date(year, 1, 1), []
        while day.year == year:
            if day.month in self._fields.months and self._fields.match_day(day):
                found.append(day)
            if day == date.max:
                break
            day += timedelta(days=1)
        self._days.append(tuple(found))
        self._before.append(self._before[-1] + len(found))


@lru_cache(maxsize=256)
def cron_walls(expression: str, first_year: int) -> CronWalls:
    """Give the ticks of an expression; what was counted is kept."""
    return CronWalls(expression, first_year)


def _invalid(expression: str, why: str) -> ModelInvalid:
    return ModelInvalid(
        "A2062",
        f"`partitions` has the cron expression `{expression}`: {why}.",
        hint='Five fields: minute hour day month weekday, such as "0 6,18 * * 1-5".',
    )
