# SPDX-License-Identifier: Apache-2.0
"""`Subscription`: what goes on, as it goes on.

Facts come from the database and the log files, so runs of other processes are seen too; a server's
events only wake whoever waits. Looking again costs what is new.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Self

import strawberry
from strawberry import argument, field

from mainstem.api.graphql.arguments import RunNumber
from mainstem.api.graphql.context import Context, Info
from mainstem.api.graphql.run import LogLine, Run, Step, node, step
from mainstem.api.graphql.scalars import Json
from mainstem.errors import AssetNotFound, UserError
from mainstem.project import Project
from mainstem.service import ServerEvent
from mainstem.service import Subscription as Watching
from mainstem.state import RunRecord, StepRecord, run_of, steps

_LOOK_S = (0.05, 1.0)
"""Between two looks: at first, and while nothing happens."""


@strawberry.type(description="A run, and the steps of it that changed since the event before.")
class RunEvent:
    """A change of a run."""

    run: Run = field(description="The run as it is now.")
    steps: list[Step] = field(description="Steps that began or ended since.")
    is_over: bool = field(description="The run has ended: this is the last event.")


@strawberry.type(description="Something that happened in the server.")
class ProjectEvent:
    """An event of the server."""

    number: int = field(description="Grows by one; `after` takes it to go on from there.")
    at: datetime = field(description="When.")
    topic: str = field(description="launch, run, project, server, backfill, trigger.")
    name: str = field(description="What happened, as a word: queued, RunStarted, reloaded, ...")
    launch: int | None = field(description="Number of the launch, if it is of one.")
    run: int | None = field(description="Number of the run, if it is of one.")
    asset: str | None = field(description="Key of the asset, if it is of one.")
    facts: Json = field(description="What else there is to it.")


async def run_events(info: Info, run: RunNumber) -> AsyncGenerator[RunEvent, None]:
    """Tell of a run until it ends; begins with how it is now."""
    context = info.context
    known: dict[str, StepRecord] = {}
    status = ""
    async with _Waker(context) as waker:
        while True:
            record, found = await asyncio.to_thread(_look, context.project, run)
            changed = [each for each in found if known.get(each.key.folded) != each]
            known.update({each.key.folded: each for each in changed})
            is_over = record.finished_at is not None
            if changed or record.status != status:
                status = record.status
                shown = [step(run, each) for each in changed]
                context.renew()
                yield RunEvent(run=node(record), steps=shown, is_over=is_over)
            if is_over:
                return
            await waker.wait(was_useful=bool(changed))


async def log_lines(
    info: Info,
    run: RunNumber,
    asset: Annotated[str | None, argument(description="Only of this one's step.")] = None,
) -> AsyncGenerator[list[LogLine], None]:
    """Tell what the steps of a run write until it ends; begins with what they wrote."""
    context = info.context
    await asyncio.to_thread(_look, context.project, run)
    reader = context.project.follow_log(run, asset or "")
    async with _Waker(context) as waker:
        while True:
            lines = await asyncio.to_thread(reader.read)
            for start in range(0, len(lines), 500):
                yield [
                    LogLine(
                        at=line.at,
                        asset=line.asset,
                        attempt=line.attempt,
                        kind=line.kind,
                        text=line.text,
                    )
                    for line in lines[start : start + 500]
                ]
            if reader.is_over:
                return
            await waker.wait(was_useful=bool(lines))


async def project_events(
    info: Info,
    after: Annotated[
        int | None, argument(description="Number of the last event seen; from now on without.")
    ] = None,
    topics: Annotated[list[str] | None, argument(description="Only of these.")] = None,
) -> AsyncGenerator[ProjectEvent, None]:
    """Tell what happens in this server."""
    wanted = frozenset(topics or ())
    bell = _Bell()
    with info.context.host.subscribe(
        (lambda event: event.topic in wanted) if wanted else None, after=after, notify=bell.ring
    ) as watching:
        while True:
            for event in watching.wait():
                yield _event(event)
            if watching.is_closed:
                return
            await bell.heard(None)


def _watched(resolver: Callable[..., Any], description: str) -> Any:
    return strawberry.subscription(resolver=resolver, description=description)


@strawberry.type(description="What can be watched, over server-sent events.")
class Subscription:
    """The fields of subscriptions."""

    run_events: RunEvent = _watched(run_events, "A run as it goes on, until it ends.")
    logs: list[LogLine] = _watched(log_lines, "What the steps of a run write, until it ends.")
    project_events: ProjectEvent = _watched(
        project_events, "What happens in this server: launches, runs, reloads, leadership."
    )


class _Bell:
    """Lets any thread wake the event loop that made it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._rung = asyncio.Event()

    def ring(self) -> None:
        with suppress(RuntimeError):  # the loop has ended: nobody waits
            self._loop.call_soon_threadsafe(self._rung.set)

    async def heard(self, timeout_s: float | None) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._rung.wait(), timeout_s)
        self._rung.clear()


class _Waker:
    """Waits for the next look: woken by the server's events if there is one, else by time."""

    def __init__(self, context: Context) -> None:
        self._bell = _Bell()
        self._subscribe: Callable[[], Watching] = partial(
            context.host.subscribe, _is_of_runs, notify=self._bell.ring
        )
        self._watching: Watching | None = None
        self._pause_s = _LOOK_S[0]

    async def __aenter__(self) -> Self:
        with suppress(UserError):  # no server: looking often is all there is
            self._watching = self._subscribe()
        return self

    async def __aexit__(self, *exit_info: object) -> None:
        if self._watching is not None:
            self._watching.close()

    async def wait(self, *, was_useful: bool) -> None:
        self._pause_s = _LOOK_S[0] if was_useful else min(self._pause_s * 2, _LOOK_S[1])
        if self._watching is not None:
            self._watching.wait()
        await self._bell.heard(self._pause_s)


def _is_of_runs(event: ServerEvent) -> bool:
    return event.topic == "run"


def _look(project: Project, run: int) -> tuple[RunRecord, list[StepRecord]]:
    with project.services.database.read() as transaction:
        record = run_of(transaction, run)
        found = steps(transaction, run) if record is not None else []
    if record is None:
        raise AssetNotFound("A6001", f"There is no run {run}.", hint="Ask `runs` for all of them.")
    return record, found


def _event(event: ServerEvent) -> ProjectEvent:
    key = getattr(event.run_event, "key", None)
    return ProjectEvent(
        number=event.number,
        at=event.at,
        topic=event.topic,
        name=event.name,
        launch=event.launch_id,
        run=event.run_id,
        asset=None if key is None else str(key),
        facts=Json(dict(event.facts)),
    )
