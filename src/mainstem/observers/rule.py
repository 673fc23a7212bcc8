# SPDX-License-Identifier: Apache-2.0
"""Who is told what, and when again: pure decisions over `alerts:` of mainstem.yml."""

from __future__ import annotations

from dataclasses import field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from mainstem.types import dataclass

AlertEvent = Literal["failed", "held", "late", "recovered"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """One entry of `alerts:`."""

    name: str
    type: Literal["slack", "email", "webhook"]
    events: tuple[AlertEvent, ...] = ("failed", "held", "late", "recovered")
    environments: tuple[str, ...] = ()
    """Empty: all."""
    jobs: tuple[str, ...] = ()
    """Jobs that name it; without one it hears of every run."""
    window: timedelta = timedelta(hours=1)
    """The same failure within this time of the last is counted, not told."""
    remind: timedelta = timedelta(hours=4)
    """A failure that goes on is told again after this time."""
    options: dict[str, Any] = field(default_factory=dict)
    """Of its type, as written; resolved when something is delivered."""

    def hears(self, event: AlertEvent, *, environment: str, job: str) -> bool:
        """Tell whether it is told of an event of a run."""
        return (
            event in self.events
            and (not self.environments or environment in self.environments)
            and (not self.jobs or job in self.jobs)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one alert was told of one failure of one asset."""

    first_at: datetime
    last_at: datetime
    """When it came last, told or not."""
    told_at: datetime
    count: int = 1
    """How often it came in all,"""
    unsaid: int = 0
    """and how often since it was told."""


def tell(before: Told | None, rule: AlertRule, now: datetime) -> tuple[bool, Told]:
    """Decide whether a failure is told or only counted.

    Returns:
        Whether to tell it, and what is known of it afterwards. A failure after a silence longer
        than the window is a new one.
    """
    if before is None or now - before.last_at > rule.window:
        return True, Told(first_at=now, last_at=now, told_at=now)
    again = replace(before, last_at=now, count=before.count + 1, unsaid=before.unsaid + 1)
    if now - before.told_at >= rule.remind:
        return True, replace(again, told_at=now, unsaid=0)
    return False, again
