# SPDX-License-Identifier: Apache-2.0
"""What launches by itself: schedules, sensors and hooks, with what became of each tick."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Annotated

import strawberry
from strawberry import ID, argument, field

from mainstem.api.graphql.arguments import First, Name
from mainstem.api.graphql.context import Info
from mainstem.api.graphql.identity import Node
from mainstem.api.graphql.launch import Launch
from mainstem.api.graphql.launch import node as launch_node
from mainstem.api.graphql.paging import size_of
from mainstem.api.graphql.plan import Plan, plan_node
from mainstem.api.graphql.scalars import Json
from mainstem.automation import (
    Delivery,
    Hook,
    ScheduleStatus,
    SensorStatus,
    Target,
    TickRecord,
    deliveries_of,
)
from mainstem.automation import ticks as stored_ticks
from mainstem.errors import UserError
from mainstem.project import DryTick


@strawberry.enum(description="What ticks.")
class TriggerKind(Enum):
    """Of ticks."""

    SCHEDULE = "schedule"
    SENSOR = "sensor"
    CONDITION = "condition"


@strawberry.enum(description="What became of a tick.")
class TickOutcome(Enum):
    """Of ticks."""

    LAUNCHED = "launched"
    SKIPPED = "skipped"
    FAILED = "failed"


@strawberry.type(
    description="A moment of a schedule, or a look of a sensor, and what became of it."
)
class TriggerTick:
    """A tick."""

    kind: TriggerKind = field(description="What ticked.")
    name: str = field(description="Its name.")
    scheduled_for: datetime = field(description="When it was due.")
    evaluated_at: datetime = field(description="When a server saw to it.")
    outcome: TickOutcome = field(description="What became of it.")
    launch: int | None = field(description="Number of the launch; of the first, of several.")
    reason: str = field(description="Why it was skipped, or how it failed.")
    stands_for: int = field(description="Missed ticks that this one is the last of.")
    facts: Json = field(description="What was known when it was decided.")


@strawberry.type(description="What a trigger launches.")
class LaunchTarget:
    """A target."""

    job: str = field(description="Of mainstem.yml; empty: a selection of its own.")
    environment: str = field(description="Empty: the default one.")
    select: list[str] = field(description="Assets; empty: all.")
    exclude: list[str] = field(description="Assets that are left out.")
    options: Json = field(description="Of plan and run.")


@strawberry.type(description="When a job runs by itself.")
class Schedule(Node):
    """A schedule."""

    name: str = field(description="That of its job.")
    timing: str = field(description="Its crons, or its interval.")
    zone: str = field(description="The time zone of its crons.")
    catchup: str = field(description="What is made up for after a pause: none, latest, all.")
    description: str = field(description="As the owner wrote it.")
    target: LaunchTarget = field(description="What it launches.")
    is_on: bool = field(description="Whether it fires.")
    since: datetime | None = field(description="On, off or edited since.")
    next_at: datetime | None = field(description="When it fires next.")
    last: TriggerTick | None = field(description="The last tick.")


@strawberry.type(description="Something that is looked at every so often.")
class Sensor(Node):
    """A sensor."""

    name: str = field(description="Its name.")
    kind: str = field(description="files, table, python.")
    watches: str = field(description="What it looks at.")
    every_seconds: float = field(description="Between two looks.")
    description: str = field(description="As the owner wrote it.")
    is_on: bool = field(description="Whether it looks.")
    next_at: datetime | None = field(description="When it looks next.")
    cursor: str = field(description="What it remembers, as JSON.")
    failures: int = field(description="Looks that failed, in a row.")
    note: str = field(description="Of the last look: why nothing was launched, or what failed.")
    last: TriggerTick | None = field(description="The last tick.")


@strawberry.type(description="Something that came to a hook.")
class HookDelivery:
    """A delivery; what it said may be secret and stays in the database."""

    number: int = field(description="In the order of coming.")
    received_at: datetime = field(description="When it came first.")
    repeats: int = field(description="How often it came again.")
    launch: int | None = field(description="Number of the launch that it asked for.")


@strawberry.type(description="An address that others call: `/hooks/NAME`.")
class WebHook(Node):
    """A hook."""

    name: str = field(description="The end of its address.")
    description: str = field(description="As the owner wrote it.")
    scheme: str = field(description="How calls are signed: mainstem, github, stripe, slack.")
    is_enabled: bool = field(description="Whether it takes deliveries.")
    target: LaunchTarget = field(description="What it launches.")
    deliveries: list[HookDelivery] = field(description="The last that came.")


@strawberry.type(description="What a trigger would launch, had it fired now.")
class DryRun:
    """A dry run."""

    trigger: str = field(description="`schedule nightly`, `sensor arrivals`, `hook orders`.")
    at: datetime = field(description="The moment that it stands for.")
    environment: str = field(description="The environment of the launch.")
    branch: str = field(description="The branch of the launch.")
    select: list[str] = field(description="What would be selected.")
    options: Json = field(description="Of plan and run.")
    plan: Plan = field(description="What the run would do.")


@strawberry.type(description="What a sensor saw, and would launch.")
class DryLook:
    """A dry look."""

    reason: str = field(description="Why nothing would be launched.")
    cursor: str | None = field(description="What it would remember; null: what it does now.")
    runs: list[DryRun] = field(description="What would be launched.")


def schedules(info: Info) -> list[Schedule]:
    """Give all schedules."""
    return [_schedule(each) for each in info.context.project.automation.schedules()]


def next_ticks(
    info: Info,
    schedule: Annotated[str, argument(description="Its name.")],
    first: First = 5,
) -> list[datetime]:
    """Give the moments at which a schedule fires next."""
    return info.context.project.automation.next_ticks(schedule, size_of(first))


def sensors(info: Info) -> list[Sensor]:
    """Give all sensors."""
    return [_sensor(each) for each in info.context.project.automation.sensors.all()]


def hooks(info: Info) -> list[WebHook]:
    """Give all hooks with the last deliveries."""
    found = info.context.project.automation.hooks.all()
    came = deliveries_of(info.context.transaction, [each.name for each in found], limit=10)
    return [_hook(each, came.get(each.name, [])) for each in found]


def ticks(
    info: Info,
    kind: Annotated[TriggerKind, argument(description="Of what.")],
    name: Annotated[str, argument(description="Only of this one; of all without.")] = "",
    first: First = 50,
) -> list[TriggerTick]:
    """Give what ticks became, newest first."""
    found = stored_ticks(info.context.transaction, kind.value, name=name, limit=size_of(first))
    return [tick_node(each) for each in found]


def switch_schedule(
    info: Info, name: Name, *, on: Annotated[bool, argument(description="On, or off.")]
) -> Schedule:
    """Turn a schedule on or off."""
    return _schedule(info.context.project.automation.switch(name, on=on))


def run_schedule(info: Info, name: Name) -> Launch:
    """Launch now what a schedule launches.

    Raises:
        UserError: There is no such schedule.
    """
    context = info.context
    automation = context.project.automation
    automation.next_ticks(name, 1)  # says so if there is none of that name
    request = automation.triggers.schedules[name].target.request(
        "api", context.principal.name, "", cause={"schedule": name}
    )
    return launch_node(context.host.launch(request))


def dry_run_schedule(info: Info, name: Name) -> DryRun:
    """Plan what the next tick would launch."""
    return _dry(info.context.project.automation.dry_run(name))


def switch_sensor(
    info: Info, name: Name, *, on: Annotated[bool, argument(description="On, or off.")]
) -> Sensor:
    """Turn a sensor on or off."""
    return _sensor(info.context.project.automation.sensors.switch(name, on=on))


def run_sensor(info: Info, name: Name) -> TriggerTick | None:
    """Look now, due or not."""
    found = info.context.project.automation.sensors.run(name)
    return None if found is None else tick_node(found)


def dry_run_sensor(info: Info, name: Name) -> DryLook:
    """Look now, write nothing, and plan what would be launched."""
    _look, answer, runs = info.context.project.automation.dry_look(name)
    return DryLook(reason=answer.skip, cursor=answer.cursor, runs=[_dry(each) for each in runs])


def set_sensor_cursor(
    info: Info,
    name: Name,
    cursor: Annotated[str, argument(description="JSON; empty: from the start.")],
) -> Sensor:
    """Let a sensor look on from elsewhere.

    Raises:
        UserError: The cursor is too long.
    """
    if len(cursor) > 100_000:
        raise UserError("A8113", "A cursor has 100,000 characters at most.")
    return _sensor(info.context.project.automation.sensors.set_cursor(name, cursor))


def dry_run_hook(info: Info, name: Name) -> DryRun:
    """Plan what the last delivery would launch, came it now."""
    return _dry(info.context.project.automation.dry_delivery(name))


def _schedule(status: ScheduleStatus) -> Schedule:
    return Schedule(
        id=ID(f"schedule:{status.name}"),
        name=status.name,
        timing=status.timing,
        zone=status.zone,
        catchup=status.catchup,
        description=status.description,
        target=_target(status.target),
        is_on=status.is_on,
        since=status.since,
        next_at=status.next_at,
        last=None if status.last is None else tick_node(status.last),
    )


def _sensor(status: SensorStatus) -> Sensor:
    return Sensor(
        id=ID(f"sensor:{status.name}"),
        name=status.name,
        kind=status.kind,
        watches=status.watches,
        every_seconds=status.every.total_seconds(),
        description=status.description,
        is_on=status.is_on,
        next_at=status.next_at,
        cursor=status.cursor,
        failures=status.failures,
        note=status.note,
        last=None if status.last is None else tick_node(status.last),
    )


def _hook(hook: Hook, found: list[Delivery]) -> WebHook:
    return WebHook(
        id=ID(f"hook:{hook.name}"),
        name=hook.name,
        description=hook.description,
        scheme=hook.scheme,
        is_enabled=hook.enabled,
        target=_target(hook.target),
        deliveries=[
            HookDelivery(
                number=each.id,
                received_at=each.received_at,
                repeats=each.repeats,
                launch=each.launch_id,
            )
            for each in found
        ],
    )


def tick_node(record: TickRecord) -> TriggerTick:
    """Make a tick of its record."""
    return TriggerTick(
        kind=TriggerKind(record.kind),
        name=record.name,
        scheduled_for=record.scheduled_for,
        evaluated_at=record.evaluated_at,
        outcome=TickOutcome(record.outcome),
        launch=record.launch_id,
        reason=record.reason,
        stands_for=record.stands_for,
        facts=Json(dict(record.facts)),
    )


def _target(target: Target) -> LaunchTarget:
    return LaunchTarget(
        job=target.job,
        environment=target.environment,
        select=list(target.select),
        exclude=list(target.exclude),
        options=Json(dict(target.options)),
    )


def _dry(found: DryTick) -> DryRun:
    return DryRun(
        trigger=found.trigger,
        at=found.at,
        environment=found.environment,
        branch=found.branch,
        select=list(found.select),
        options=Json(dict(found.options)),
        plan=plan_node(found.plan),
    )
