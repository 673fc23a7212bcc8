# SPDX-License-Identifier: Apache-2.0
"""Schedules and their ticks as lines."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from mainstem.automation import ConditionStatus, ScheduleStatus, TickRecord
from mainstem.cli.render.grid import grid
from mainstem.cli.render.look import Look
from mainstem.cli.render.words import count, moment
from mainstem.project import DryTick


def schedule_lines(statuses: Sequence[ScheduleStatus], look: Look, *, now: datetime) -> list[str]:
    """List schedules: whether they are on, when they fire next, what the last tick became."""
    rows = [
        (
            status.name,
            "on" if status.is_on else "off",
            status.timing,
            local(status.next_at, status.zone),
            _outcome(status.last, now),
        )
        for status in statuses
    ]
    return grid(("schedule", "is", "fires", "next", "last tick (UTC)"), rows, look=look, rule=False)


def condition_lines(statuses: Sequence[ConditionStatus], look: Look, *, now: datetime) -> list[str]:
    """List conditions: whether they are on, what they say, what came of them last."""
    rows = [
        (
            str(status.asset),
            "on" if status.is_on else "off",
            status.text,
            _outcome(status.last, now),
        )
        for status in statuses
    ]
    return grid(("asset", "is", "run when", "last true (UTC)"), rows, look=look, rule=False)


def next_tick_lines(ticks: Sequence[datetime], zone: str) -> list[str]:
    """List moments in their zone and in UTC."""
    if not ticks:
        return ["never: no day fits"]
    return [f"{local(tick, zone)}   {tick:%Y-%m-%d %H:%M:%S} UTC" for tick in ticks]


def dry_tick_lines(tick: DryTick, look: Look) -> list[str]:
    """Say what a tick would launch, above its plan."""
    selection = " ".join(tick.select) or "all assets"
    head = look.paint(tick.trigger, "bold")
    return [f"{head} · {tick.at:%Y-%m-%d %H:%M:%S} UTC · would run {selection}"]


def tick_lines(ticks: Sequence[TickRecord], look: Look) -> list[str]:
    """List what ticks became."""
    rows = [
        (
            f"{tick.scheduled_for:%Y-%m-%d %H:%M:%S}",
            tick.name,
            tick.outcome,
            f"launch {tick.launch_id}" if tick.launch_id is not None else "",
            _why(tick),
        )
        for tick in ticks
    ]
    return grid(("due (UTC)", "trigger", "became", "see", "why"), rows, look=look, rule=False)


def local(when: datetime | None, zone: str) -> str:
    """Write a moment as the clocks of its zone show it, with what they differ from UTC."""
    if when is None:
        return ""
    there = when.astimezone(ZoneInfo(zone))
    return f"{there:%Y-%m-%d %H:%M:%S} {there:%z} {zone}"


def _outcome(tick: TickRecord | None, now: datetime) -> str:
    if tick is None:
        return ""
    when = moment(tick.scheduled_for, now)
    return f"{when} {tick.outcome}" + (f": {tick.reason}" if tick.reason else "")


def _why(tick: TickRecord) -> str:
    more = f"{count(tick.stands_for)} ticks: " if tick.stands_for > 1 else ""
    return f"{more}{tick.reason}"
