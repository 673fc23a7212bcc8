# SPDX-License-Identifier: Apache-2.0
"""Promises about the age of assets, and whether they are kept. Pure.

`within: 6h`: it was updated at most so long ago. `by: "08:00"`: at that time of each day, it has
been updated since the same time of the day before. An asset whose last run found nothing new
counts as updated then: its data is as new as its sources are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any, Literal

from mainstem.automation.cron import moment_of, zone_of
from mainstem.errors import ConfigInvalid, Where
from mainstem.types import dataclass, duration_of, duration_text

_DAY = timedelta(days=1)
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """How fresh an asset is to be; has one of `within` and `by`."""

    within: timedelta | None = None
    by: time | None = None
    zone: str = "UTC"

    @property
    def text(self) -> str:
        """The promise in words."""
        if self.within is not None:
            return f"within {duration_text(self.within)}"
        assert self.by is not None, "a promise has one of the two"
        return f"by {self.by:%H:%M} {self.zone}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How an asset stands with its promise."""

    status: Literal["fresh", "late", "unknown"]
    """unknown: it was never updated, and its promise has not fallen due since it is made."""
    due_at: datetime
    """Until when the next update is to come; of a late one: when it should have come."""
    updated_at: datetime | None


def promise_of(written: Mapping[str, Any], where: Where) -> Promise:
    """Read `freshness:` of an asset.

    Raises:
        ConfigInvalid: It says nothing, two things, or what cannot be read (A2221).
    """
    within, by = written.get("within"), written.get("by")
    zone = str(written.get("zone") or "UTC")
    if (within is None) == (by is None):
        raise _wrong("it has both `within` and `by`" if by else "it says nothing", where)
    if within is not None:
        age = duration_of(within)
        if age is None or age <= timedelta():
            raise _wrong(f"`within` is `{within}`", where)
        return Promise(within=age)
    match = _TIME.fullmatch(str(by))
    if match is None:
        raise _wrong(f"`by` is `{by}`", where)
    try:
        zone_of(zone)
    except ConfigInvalid as error:
        error.where = where
        raise
    return Promise(by=time(int(match[1]), int(match[2])), zone=zone)


def freshness_of(
    promise: Promise,
    updated_at: datetime | None,
    *,
    since: datetime,
    now: datetime,
    pending_since: datetime | None = None,
) -> Freshness:
    """Tell whether a promise is kept.

    Args:
        promise: What was promised.
        updated_at: When the asset was brought up to date last; nothing if never.
        since: When the promise was made: it is not broken for the time before.
        now: Of the clock.
        pending_since: Of a partitioned asset: when the first partition that is not built was over;
            from then on it is waited for, whatever else was built.
    """
    if pending_since is not None:
        begun = max(pending_since, since)
        due = _deadlines(promise, begun)[0] if promise.within is None else begun + promise.within
    elif promise.within is not None:
        due = (updated_at or since) + promise.within
    else:
        # An update counts for the deadline that follows it; the one after that needs another.
        due = _deadlines(promise, updated_at or since)[1]
    if due < now:
        return Freshness(status="late", due_at=due, updated_at=updated_at)
    status: Literal["fresh", "unknown"] = "unknown" if updated_at is None else "fresh"
    return Freshness(status=status, due_at=due, updated_at=updated_at)


def _deadlines(promise: Promise, after: datetime) -> list[datetime]:
    """Give the times of day by which it is promised, later than a moment."""
    assert promise.by is not None, "a promise has one of the two"
    home = zone_of(promise.zone)
    day = after.astimezone(home).date()
    deadlines = (
        moment_of(datetime.combine(day + count * _DAY, promise.by), home) for count in range(4)
    )
    return [deadline for deadline in deadlines if deadline > after]


def _wrong(what: str, where: Where) -> ConfigInvalid:
    return ConfigInvalid(
        "A2221",
        f"`freshness` of {where.asset} cannot be a promise: {what}.",
        hint='Write {within: 6h}, or {by: "08:00", zone: Europe/Berlin}.',
        where=where,
    )
