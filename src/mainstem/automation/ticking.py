# SPDX-License-Identifier: Apache-2.0
"""Schedules in the database: seen, switched, evaluated. Each function is one part of a transaction.

A tick, the launch it asks for and how far the schedule was looked at are written together, and a
tick's key is unique: whatever dies, and however many servers look, it launches once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice

from mainstem.automation.record import (
    TickRecord,
    TriggerState,
    claim_tick,
    due_triggers,
    last_ticks,
    save_trigger,
    settle_tick,
    trigger_states,
)
from mainstem.automation.schedule import Schedule, Tick, due_ticks
from mainstem.automation.target import Target
from mainstem.database import Transaction
from mainstem.errors import UserError
from mainstem.state import LaunchRequest, enqueue, launch_of
from mainstem.types import dataclass, did_you_mean, nearest

SET_BACK = timedelta(seconds=60)
"""A clock this far behind what was evaluated has been set back, not merely corrected."""
AT_ONCE = 200
"""Schedules in one transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleStatus:
    """A schedule and what is known of it."""

    name: str
    timing: str
    zone: str
    catchup: str
    description: str
    target: Target
    is_on: bool
    since: datetime | None
    """On, off or edited since; nothing while no server has seen it."""
    next_at: datetime | None
    last: TickRecord | None


def sync_schedules(
    transaction: Transaction, schedules: Iterable[Schedule], *, now: datetime
) -> None:
    """Take note of what the project says; call it whenever the project was loaded.

    A schedule that is new, or fires at other times than before, does not fire for the past.
    """
    known = {state.name: state for state in trigger_states(transaction, "schedule")}
    for schedule in schedules:
        before = known.pop(schedule.name, None)
        state = _seen(schedule, before, now)
        if state != before:
            save_trigger(transaction, state)
    for gone in known.values():
        if gone.is_declared:
            save_trigger(transaction, replace(gone, is_declared=False, next_at=None))


def switch_schedule(
    transaction: Transaction, schedule: Schedule, *, on: bool, now: datetime
) -> TriggerState:
    """Turn a schedule on or off; what it missed while it was off is not caught up."""
    before = next(iter(trigger_states(transaction, "schedule", name=schedule.name)), None)
    seen = _seen(schedule, before, now)
    if seen.is_active == on and seen.is_on is not None:
        return seen
    state = replace(seen, is_on=on, since=now, evaluated_until=now)
    state = replace(state, next_at=schedule.timing.next(now) if on else None)
    save_trigger(transaction, state)
    return state


def evaluate_schedules(
    transaction: Transaction, schedules: Mapping[str, Schedule], *, now: datetime
) -> list[TickRecord]:
    """Write the ticks that are due, and ask for their launches.

    Costs nothing for schedules that are not due: those are found by an index. If very many are,
    some are left for the next call, so that others may write meanwhile.

    Args:
        transaction: Of the caller; all of it happens, or nothing.
        schedules: By name; known to `sync_schedules`.
        now: Of the clock. If it is before what was evaluated, it has been set back, and the
            schedule goes on from there: ticks that were written do not fire again.
    """
    written: list[TickRecord] = []
    due = due_triggers(transaction, "schedule", now, ahead=now + SET_BACK, limit=AT_ONCE)
    for state in due:
        schedule = schedules.get(state.name)
        if schedule is None or not state.is_active:
            # Of a project that another server has loaded: `sync_schedules` wakes it there.
            until = min(state.evaluated_until, now)
            save_trigger(transaction, replace(state, next_at=None, evaluated_until=until))
            continue
        if state.evaluated_until > now:
            back = replace(state, evaluated_until=now, next_at=schedule.timing.next(now))
            save_trigger(transaction, back)
            continue
        for tick in due_ticks(schedule, state.evaluated_until, now):
            record = _fire(transaction, schedule, tick, now)
            if record is not None:
                written.append(record)
        moved = replace(state, evaluated_until=now, next_at=schedule.timing.next(now))
        save_trigger(transaction, moved)
    return written


def schedule_statuses(
    transaction: Transaction, schedules: Iterable[Schedule], *, now: datetime
) -> list[ScheduleStatus]:
    """Tell of each schedule whether it is on, when it fires next and what it did last."""
    known = {state.name: state for state in trigger_states(transaction, "schedule")}
    schedules = list(schedules)
    last = last_ticks(transaction, "schedule", (schedule.name for schedule in schedules))
    found = []
    for schedule in schedules:
        state = known.get(schedule.name)
        is_on = schedule.enabled if state is None or state.is_on is None else state.is_on
        found.append(
            ScheduleStatus(
                name=schedule.name,
                timing=schedule.timing.text,
                zone=schedule.timing.zone,
                catchup=schedule.catchup,
                description=schedule.description,
                target=schedule.target,
                is_on=is_on,
                since=None if state is None else state.since,
                next_at=schedule.timing.next(now) if is_on else None,
                last=last.get(schedule.name),
            )
        )
    return found


def next_ticks(schedule: Schedule, now: datetime, count: int) -> list[datetime]:
    """Give the moments at which a schedule fires next, whether it is on or not."""
    return list(islice(schedule.timing.after(now), count))


def find_schedule(schedules: Mapping[str, Schedule], name: str) -> Schedule:
    """Find a schedule by the name of its job.

    Raises:
        UserError: There is none, or the job has no time (A2205).
    """
    found = schedules.get(name)
    if found is None:
        raise UserError(
            "A2205",
            f"There is no schedule `{name}`: no job of that name has `cron` or `every`.",
            hint=did_you_mean(name, schedules) or "See them all: mainstem schedule list",
            known=nearest(name, schedules) or tuple(schedules),
        )
    return found


def tick_request(schedule: Schedule, scheduled_for: datetime) -> LaunchRequest:
    """Give what a tick asks for: its logical time is the time it was due."""
    at = scheduled_for.isoformat()
    cause = {"tick": at, "timing": schedule.timing.text}
    return schedule.target.request("schedule", schedule.name, at, at=scheduled_for, cause=cause)


def _seen(schedule: Schedule, before: TriggerState | None, now: datetime) -> TriggerState:
    timing = schedule.timing.text
    if before is None:
        before = TriggerState(
            kind="schedule",
            name=schedule.name,
            timing="",
            is_on=None,
            is_enabled=schedule.enabled,
            is_declared=True,
            since=now,
            evaluated_until=now,
            next_at=None,
        )
    state = replace(before, timing=timing, is_enabled=schedule.enabled, is_declared=True)
    if timing != before.timing or state.is_active != before.is_active:
        state = replace(state, since=now, evaluated_until=now)
        return replace(state, next_at=schedule.timing.next(now) if state.is_active else None)
    if state.is_active and state.next_at is None:
        return replace(state, next_at=schedule.timing.next(state.evaluated_until))
    return state


def _fire(
    transaction: Transaction, schedule: Schedule, tick: Tick, now: datetime
) -> TickRecord | None:
    """Write one tick; nothing if it was written before."""
    reason = tick.reason or _held_back(transaction, schedule)
    record = TickRecord(
        kind="schedule",
        name=schedule.name,
        scheduled_for=tick.scheduled_for,
        evaluated_at=now,
        outcome="launched" if tick.is_launch and not reason else "skipped",
        reason=reason,
        stands_for=tick.stands_for,
    )
    if not claim_tick(transaction, record):
        return None
    if record.outcome != "launched":
        return record
    launch = enqueue(transaction, tick_request(schedule, tick.scheduled_for), now=now)
    if launch is None:  # the tick was forgotten, but the launch queue keeps its keys
        record = replace(record, outcome="skipped", reason="it was launched before")
    else:
        record = replace(record, launch_id=launch)
    settle_tick(transaction, record)
    return record


def _held_back(transaction: Transaction, schedule: Schedule) -> str:
    """Say why a tick waits in vain: launches of a job that is slower than its ticks do not pile up.

    With `catchup: all` each tick is wanted, however late.
    """
    if schedule.catchup == "all":
        return ""
    rows = transaction.execute(
        "select launch_id from tick where kind = 'schedule' and name = ? "
        "and launch_id is not null order by scheduled_for desc limit 1",
        (schedule.name,),
    )
    launch = launch_of(transaction, rows[0][0]) if rows else None
    if launch is None or launch.status != "queued":
        return ""
    return f"launch {launch.id} of an earlier tick has not started yet"
