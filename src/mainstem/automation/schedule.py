# SPDX-License-Identifier: Apache-2.0
"""Schedules: which of their ticks are due, and what becomes of those that were missed. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field
from datetime import datetime, timedelta
from itertools import islice
from typing import Literal

from mainstem.automation.target import Target
from mainstem.automation.timing import Timing
from mainstem.errors import Where
from mainstem.types import dataclass

Catchup = Literal["none", "latest", "all"]

ON_TIME = timedelta(minutes=5)
"""With `catchup: none`: a tick this late is still launched, for a server that restarts."""
CATCH_UP_LIMIT = 100
"""With `catchup: all`: launches after one outage."""
COUNT_LIMIT = 1000
"""Missed ticks are counted so far; an outage of a year costs no more than one of a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A job with a time."""

    name: str
    """Of the job."""
    timing: Timing
    target: Target
    catchup: Catchup = "latest"
    enabled: bool = True
    """As the file says; `mainstem schedule on|off` overrides it."""
    description: str = ""
    where: Where = field(default_factory=Where)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One moment at which a schedule fires, or would have."""

    scheduled_for: datetime
    is_launch: bool
    reason: str = ""
    """Why it is not launched."""
    stands_for: int = 1
    """Missed ticks that are recorded in this one: it is the last of them."""


def due_ticks(schedule: Schedule, evaluated_until: datetime, now: datetime) -> tuple[Tick, ...]:
    """Decide about the ticks that came since a schedule was last looked at.

    Args:
        schedule: Which one; that it is on is known.
        evaluated_until: Ticks up to then were decided before.
        now: Ticks up to and with this moment are due.

    Returns:
        In order; several missed ticks that are skipped for one reason come as one.
    """
    timing = schedule.timing
    due = list(islice(timing.within(evaluated_until, now), 2))
    if not due:
        return ()
    # Mostly one is due, and nothing was missed; otherwise the latest is looked for from the end.
    last = due[0] if len(due) == 1 else timing.latest(due[0], now)
    assert last is not None, "there are two at least"
    if schedule.catchup == "all":
        return _all(timing, evaluated_until, last)
    older = _skipped(
        _before(timing, evaluated_until, last) if len(due) > 1 else (),
        f"a later tick was due at the same time (catchup: {schedule.catchup})",
    )
    if schedule.catchup == "none" and now - last > ON_TIME:
        late = Tick(
            scheduled_for=last,
            is_launch=False,
            reason="no server ran at its time (catchup: none)",
        )
        return (*older, late)
    return (*older, Tick(scheduled_for=last, is_launch=True))


def _all(timing: Timing, start: datetime, end: datetime) -> tuple[Tick, ...]:
    ticks = list(islice(timing.within(start, end), COUNT_LIMIT + CATCH_UP_LIMIT))
    if ticks[-1] != end:  # more than anybody counts: the newest are wanted, the rest is noted
        ticks = [*ticks[:COUNT_LIMIT], *_newest(timing, ticks[-1], end)]
    older, wanted = ticks[:-CATCH_UP_LIMIT], ticks[-CATCH_UP_LIMIT:]
    reason = f"more than {CATCH_UP_LIMIT} ticks were missed (catchup: all)"
    return (
        *_skipped(older, reason),
        *(Tick(scheduled_for=tick, is_launch=True) for tick in wanted),
    )


def _newest(timing: Timing, start: datetime, end: datetime) -> list[datetime]:
    """Give the last ticks up to `end`, looking back in growing windows."""
    window = timedelta(hours=1)
    while True:
        begin = max(start, end - window)
        ticks = list(timing.within(begin, end))
        if len(ticks) >= CATCH_UP_LIMIT or begin == start:
            return ticks[-CATCH_UP_LIMIT:]
        window *= 4


def _before(timing: Timing, start: datetime, last: datetime) -> list[datetime]:
    return [tick for tick in islice(timing.within(start, last), COUNT_LIMIT) if tick < last]


def _skipped(ticks: Iterable[datetime], reason: str) -> tuple[Tick, ...]:
    missed = list(ticks)
    if not missed:
        return ()
    return (Tick(scheduled_for=missed[-1], is_launch=False, reason=reason, stands_for=len(missed)),)
