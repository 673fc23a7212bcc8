# SPDX-License-Identifier: Apache-2.0
"""Sensors in the database: a look is claimed, made outside of any transaction, then written.

What a look gave (launches, cursor, tick) is one transaction: a server that dies before it looks
again from the old cursor, and run keys keep it from launching twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import orjson

from mainstem.automation.record import (
    TickRecord,
    TriggerState,
    claim_tick,
    last_tick,
    last_ticks,
    save_trigger,
    settle_tick,
    trigger_states,
)
from mainstem.automation.sensor import Sensor
from mainstem.automation.target import Target
from mainstem.database import Transaction
from mainstem.errors import MainstemError, UserError
from mainstem.state import LaunchRequest, enqueue
from mainstem.types import RunRequest, SensorAnswer, dataclass, did_you_mean, duration_text, nearest

SLOWEST = timedelta(hours=1)
"""A sensor that fails again and again is looked at twice as seldom each time, up to this."""
_MOST_DOUBLINGS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look that was claimed and is to be made."""

    sensor: Sensor
    cursor: str
    """JSON, as it was when the look was claimed; empty at first."""
    since: datetime
    """The sensor was switched or edited last."""
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorStatus:
    """A sensor and what is known of it."""

    name: str
    kind: str
    watches: str
    every: timedelta
    description: str
    is_on: bool
    since: datetime | None
    next_at: datetime | None
    cursor: str
    failures: int
    note: str
    """Of the last look: why nothing was launched, or what failed."""
    last: TickRecord | None


def sync_sensors(transaction: Transaction, sensors: Iterable[Sensor], *, now: datetime) -> None:
    """Take note of what the project says; a new sensor is looked at at once."""
    known = {state.name: state for state in trigger_states(transaction, "sensor")}
    for sensor in sensors:
        before = known.pop(sensor.name, None)
        state = _seen(sensor, before, now)
        if state != before:
            save_trigger(transaction, state)
    for gone in known.values():
        if gone.is_declared:
            save_trigger(transaction, replace(gone, is_declared=False, next_at=None))


def switch_sensor(
    transaction: Transaction, sensor: Sensor, *, on: bool, now: datetime
) -> TriggerState:
    """Turn a sensor on or off; its cursor stays."""
    before = next(iter(trigger_states(transaction, "sensor", name=sensor.name)), None)
    state = replace(
        _seen(sensor, before, now), is_on=on, since=now, next_at=now if on else None, failures=0
    )
    save_trigger(transaction, state)
    return state


def set_sensor_cursor(
    transaction: Transaction, sensor: Sensor, cursor: str, *, now: datetime
) -> None:
    """Let a sensor look on from elsewhere; empty: from the start. Run keys stay taken.

    Raises:
        UserError: No look can begin there (A2217).
    """
    _check_cursor(sensor, cursor)
    before = next(iter(trigger_states(transaction, "sensor", name=sensor.name)), None)
    save_trigger(transaction, replace(_seen(sensor, before, now), cursor=cursor, since=now))


def next_look(transaction: Transaction, sensor: Sensor, *, now: datetime) -> datetime | None:
    """Tell when a sensor is due; nothing while it is off."""
    states = trigger_states(transaction, "sensor", name=sensor.name)
    if not states or not states[0].is_active:
        return None
    # A clock that was set back must not silence a sensor until it has caught up.
    return now if states[0].evaluated_until > now + sensor.every else states[0].next_at


def begin_look(
    transaction: Transaction, sensor: Sensor, *, now: datetime, by_hand: bool = False
) -> Look | None:
    """Claim a look that is due, so that no other server makes it.

    Args:
        transaction: Of the caller; the look itself is made after it.
        sensor: Which.
        now: Of the clock.
        by_hand: Due or not, on or off.

    Returns:
        Nothing if it is not due, or another server was first.
    """
    before = next(iter(trigger_states(transaction, "sensor", name=sensor.name)), None)
    state = _seen(sensor, before, now)
    was_set_back = state.evaluated_until > now + sensor.every
    is_due = was_set_back or (state.next_at is not None and state.next_at <= now)
    if not by_hand and not (state.is_active and is_due):
        return None
    again = now + max(sensor.every, sensor.timeout) if state.is_active else None
    save_trigger(transaction, replace(state, evaluated_until=now, next_at=again))
    return Look(sensor=sensor, cursor=state.cursor, since=state.since, at=now)


def finish_look(
    transaction: Transaction,
    look: Look,
    answer: SensorAnswer | MainstemError,
    *,
    now: datetime,
) -> TickRecord | None:
    """Write what a look gave: launches, cursor, tick.

    Returns:
        The tick; nothing if the sensor was switched, edited or given another cursor meanwhile:
        then the look counts for nothing, and is made again.
    """
    states = trigger_states(transaction, "sensor", name=look.sensor.name)
    if not states or not states[0].is_declared:
        return None
    current = states[0]
    if current.since != look.since or current.cursor != look.cursor:
        return None
    if isinstance(answer, MainstemError):
        return _failed(transaction, look, current, answer, now)
    try:
        requests = [request_of(look, asked) for asked in answer.requests]
    except UserError as error:
        return _failed(transaction, look, current, error, now)
    tick = _launched(transaction, look, answer, requests, now)
    _write_tick(transaction, tick)
    save_trigger(
        transaction,
        replace(
            current,
            cursor=current.cursor if answer.cursor is None else answer.cursor,
            failures=0,
            note=tick.reason,
            next_at=now + look.sensor.every if current.is_active else None,
        ),
    )
    return tick


def request_of(look: Look, asked: RunRequest) -> LaunchRequest:
    """Give the launch that a run request means.

    Raises:
        UserError: Neither the sensor nor the request says what to run (A2211).
    """
    sensor = look.sensor
    target = sensor.target
    if asked.select:
        target = replace(target or Target(), job="", select=tuple(asked.select), exclude=())
    if target is None:
        raise UserError(
            "A2211",
            f"Sensor `{sensor.name}` asked for a run of nothing.",
            hint="Give the sensor a `job` or `select`, or the RunRequest a `select`.",
            where=sensor.where,
        )
    options = dict(target.options)
    if asked.vars:
        options["vars"] = {**options.get("vars", {}), **asked.vars}
    target = replace(target, partitions={**target.partitions, **asked.partitions}, options=options)
    cause = {"sensor": sensor.name, "look": look.at.isoformat(), **asked.cause}
    return target.request("sensor", sensor.name, asked.run_key, at=look.at, cause=cause)


def sensor_statuses(transaction: Transaction, sensors: Iterable[Sensor]) -> list[SensorStatus]:
    """Tell of each sensor whether it is on, when it looks next and what it saw last."""
    known = {state.name: state for state in trigger_states(transaction, "sensor")}
    sensors = list(sensors)
    last = last_ticks(transaction, "sensor", (sensor.name for sensor in sensors))
    found = []
    for sensor in sensors:
        state = known.get(sensor.name)
        is_on = sensor.enabled if state is None or state.is_on is None else state.is_on
        found.append(
            SensorStatus(
                name=sensor.name,
                kind=sensor.kind,
                watches=watched(sensor),
                every=sensor.every,
                description=sensor.description,
                is_on=is_on,
                since=None if state is None else state.since,
                next_at=state.next_at if state is not None and is_on else None,
                cursor="" if state is None else state.cursor,
                failures=0 if state is None else state.failures,
                note="" if state is None else state.note,
                last=last.get(sensor.name),
            )
        )
    return found


def find_sensor(sensors: Mapping[str, Sensor], name: str) -> Sensor:
    """Find a sensor by name.

    Raises:
        UserError: There is none (A2212).
    """
    found = sensors.get(name)
    if found is None:
        raise UserError(
            "A2212",
            f"There is no sensor `{name}`.",
            hint=did_you_mean(name, sensors) or "See them all: mainstem sensor list",
            known=nearest(name, sensors) or tuple(sensors),
        )
    return found


def watched(sensor: Sensor) -> str:
    """Say what a sensor looks at."""
    match sensor.kind:
        case "files":
            return ", ".join(sensor.files)
        case "table":
            return f"{sensor.table} on {sensor.branch}" if sensor.branch else sensor.table
        case "python":
            return f"{sensor.where.file}:{sensor.where.line}"


def _check_cursor(sensor: Sensor, cursor: str) -> None:
    try:
        value = orjson.loads(cursor or '""')
    except orjson.JSONDecodeError as error:
        raise UserError(
            "A2217",
            f"The cursor of sensor `{sensor.name}` is JSON, and this is not: {error}.",
            hint='A text stands in double quotes: "2026-01-31".',
        ) from error
    kinds: Mapping[str, type] = {"files": dict, "table": str}
    kind = kinds.get(sensor.kind, object)
    if cursor and not isinstance(value, kind):
        raise UserError(
            "A2217",
            f"The cursor of sensor `{sensor.name}`, which looks at {sensor.kind}, is "
            f"{'a text' if kind is str else 'an object'}.",
            hint="See what it is, and change that; empty, it looks from the start.",
        )


def _seen(sensor: Sensor, before: TriggerState | None, now: datetime) -> TriggerState:
    timing = f"every {duration_text(sensor.every)}: {sensor.kind} {watched_apart(sensor)}"
    if before is None:
        return TriggerState(
            kind="sensor",
            name=sensor.name,
            timing=timing,
            is_on=None,
            is_enabled=sensor.enabled,
            is_declared=True,
            since=now,
            evaluated_until=now,
            next_at=now if sensor.enabled else None,
        )
    state = replace(before, timing=timing, is_enabled=sensor.enabled, is_declared=True)
    if timing != before.timing or state.is_active != before.is_active:
        return replace(state, since=now, next_at=now if state.is_active else None, failures=0)
    return state


def watched_apart(sensor: Sensor) -> str:
    """Give what makes a sensor another one; the line of a function does not."""
    return sensor.where.file if sensor.kind == "python" else watched(sensor)


def _launched(
    transaction: Transaction,
    look: Look,
    answer: SensorAnswer,
    requests: list[LaunchRequest],
    now: datetime,
) -> TickRecord:
    ids: list[int] = []
    known = 0
    for request in requests:
        launch = enqueue(transaction, request, now=now)
        if launch is None:
            known += 1
        else:
            ids.append(launch)
    reason = answer.skip
    if known:
        reason = f"{known} of {len(requests)} run keys were launched before"
    elif not ids and not reason:
        reason = "it asked for nothing"
    return TickRecord(
        kind="sensor",
        name=look.sensor.name,
        scheduled_for=look.at,
        evaluated_at=now,
        outcome="launched" if ids else "skipped",
        launch_id=ids[0] if ids else None,
        reason=reason,
        facts={"launches": ids} if len(ids) > 1 else {},
    )


def _failed(
    transaction: Transaction,
    look: Look,
    current: TriggerState,
    error: MainstemError,
    now: datetime,
) -> TickRecord:
    failures = current.failures + 1
    tick = TickRecord(
        kind="sensor",
        name=look.sensor.name,
        scheduled_for=look.at,
        evaluated_at=now,
        outcome="failed",
        reason=error.summary[:1000],
        facts={"code": error.code, "details": error.details[-4000:]},
    )
    _write_tick(transaction, tick)
    wait = min(look.sensor.every * 2 ** min(failures, _MOST_DOUBLINGS), SLOWEST)
    again = now + max(wait, look.sensor.every)
    save_trigger(
        transaction,
        replace(
            current,
            failures=failures,
            note=tick.reason,
            next_at=again if current.is_active else None,
        ),
    )
    return tick


def _write_tick(transaction: Transaction, tick: TickRecord) -> None:
    """Write a tick; one that says the same as the last only counts there: polls are many."""
    last = last_tick(transaction, tick.kind, tick.name)
    if (
        last is not None
        and tick.outcome == "skipped" == last.outcome
        and last.reason == tick.reason
    ):
        settle_tick(
            transaction,
            replace(last, evaluated_at=tick.evaluated_at, stands_for=last.stands_for + 1),
        )
    elif not claim_tick(transaction, tick):
        settle_tick(transaction, tick)
