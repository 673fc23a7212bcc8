# SPDX-License-Identifier: Apache-2.0
"""When something fires: crons in a zone, or an interval. Pure; moments are in UTC."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import takewhile

from mainstem.automation.cron import Cron
from mainstem.types import dataclass, duration_text

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Crons, whose ticks are united, or an interval counted from 1970 UTC."""

    crons: tuple[Cron, ...] = ()
    every: timedelta | None = None

    @property
    def text(self) -> str:
        """What was written, for people; two timings with one text fire alike."""
        if self.every is not None:
            return f"every {duration_text(self.every)}"
        crons = " | ".join(cron.text for cron in self.crons)
        return f"{crons} ({self.zone})" if self.crons else ""

    @property
    def zone(self) -> str:
        """Where its times are meant."""
        return self.crons[0].zone if self.crons else "UTC"

    def after(self, moment: datetime) -> Iterator[datetime]:
        """Give the ticks later than a moment, each once, in order."""
        if self.every is not None:
            yield from _intervals(self.every, moment)
            return
        if len(self.crons) == 1:
            yield from self.crons[0].after(moment)
            return
        last = None
        for tick in heapq.merge(*(cron.after(moment) for cron in self.crons)):
            if tick != last:
                last = tick
                yield tick

    def next(self, moment: datetime) -> datetime | None:
        """Give the first tick later than a moment; nothing if none comes in fifty years."""
        return next(self.after(moment), None)

    def within(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """Give the ticks later than `start`, up to and with `end`."""
        return takewhile(lambda tick: tick <= end, self.after(start))

    def latest(self, start: datetime, end: datetime) -> datetime | None:
        """Give the last tick within, without counting through all of a long time."""
        window = timedelta(hours=1)
        while True:
            begin = max(start, end - window)
            found = None
            for tick in self.within(begin, end):
                found = tick
            if found is not None or begin == start:
                return found
            window *= 4


def _intervals(every: timedelta, moment: datetime) -> Iterator[datetime]:
    tick = _EPOCH + ((moment - _EPOCH) // every + 1) * every
    while True:
        yield tick
        tick += every
