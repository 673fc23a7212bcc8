# SPDX-License-Identifier: Apache-2.0
"""Triggers of one open project: what `schedule`, `run --job`, the server and the API call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from functools import cached_property
from typing import Any, Protocol

from mainstem.automation import (
    Look,
    Schedule,
    ScheduleStatus,
    Target,
    TickRecord,
    Triggers,
    evaluate,
    find_schedule,
    next_ticks,
    next_wake,
    request_of,
    schedule_statuses,
    switch_schedule,
    sync,
    tick_request,
    ticks,
)
from mainstem.config import Variables
from mainstem.errors import MainstemError, RefNotFound, UserError
from mainstem.graph import Plan
from mainstem.lake import Entry
from mainstem.project.loaded import LoadedProject
from mainstem.project.planning import Planning
from mainstem.project.problems import raise_problems
from mainstem.project.promising import Promises
from mainstem.project.reacting import Conditions
from mainstem.project.recording import Recording
from mainstem.project.reported import reported_at
from mainstem.project.sensing import Hooks, Sensors
from mainstem.project.services import Services
from mainstem.project.why import Seen, Why, why
from mainstem.project.why_partition import PartitionInquiry, read_partition, why_partition
from mainstem.runs import with_partition_keys
from mainstem.state import LaunchRequest
from mainstem.types import AssetKey, SensorAnswer, dataclass, did_you_mean, nearest

RUN_OPTIONS = ("full_refresh", "rebuild", "ingest", "fresh", "force")
"""Options of a launch that shape its plan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DryTick:
    """What a trigger would launch, had it fired now."""

    trigger: str
    """`schedule nightly`, `sensor arrivals`, `hook orders`."""
    at: datetime
    environment: str
    branch: str
    select: tuple[str, ...]
    options: Mapping[str, Any]
    plan: Plan


class Opened(Protocol):
    """What is needed of the project itself."""

    loaded: LoadedProject
    services: Services
    variables: Variables
    branch: str

    @property
    def recording(self) -> Recording:
        """Tells of broken promises."""
        ...

    @property
    def planning(self) -> Planning:
        """Decides about partitions."""
        ...

    @property
    def reading_ref(self) -> str:
        """What reads see: the branch, or where it will begin."""
        ...


class Reopened(Protocol):
    """What a dry run needs of a project that was opened as a launch would."""

    environment: str
    branch: str

    @property
    def problems(self) -> tuple[MainstemError, ...]:
        """Everything wrong in the project's files."""
        ...

    def plan(self, select: Sequence[str] = (), exclude: Sequence[str] = (), **options: Any) -> Plan:
        """Say what a run would do."""
        ...


class Automation:
    """Asks and switches the triggers of a project.

    Args:
        project: An open one; its clock is the only source of time.
        asked: Variables of the command line; they win over those of a job.
        reopen: Opens the project once more, in another environment, on another branch.
    """

    def __init__(
        self,
        project: Opened,
        asked: Mapping[str, Any],
        reopen: Callable[..., AbstractContextManager[Reopened]],
    ) -> None:
        self._opened = project
        loaded, services = project.loaded, project.services
        self._loaded = loaded
        self._services = services
        self._branch = project.branch
        self._recording = project.recording
        self._database = services.database
        self.clock = services.clock
        self._asked = asked
        self._reopen = reopen
        self.sensors = Sensors(self.triggers.sensors, loaded, services)
        """What is looked at."""
        self.hooks = Hooks(self.triggers.hooks, services, project.variables)
        """What others call."""

    @property
    def triggers(self) -> Triggers:
        """What the project declares."""
        return self._loaded.triggers or Triggers()

    @cached_property
    def conditions(self) -> Conditions:
        """Conditions of assets, on the branch of the environment."""
        return Conditions(self._loaded, self._services, self._branch)

    @cached_property
    def promises(self) -> Promises:
        """Promises of freshness, on the branch of the environment."""
        return Promises(self._loaded, self._services, self._recording, self._branch)

    def job(self, name: str) -> Target:
        """Find what a job runs.

        Raises:
            UserError: There is no such job.
        """
        jobs = self.triggers.jobs
        found = jobs.get(name)
        if found is None:
            raise UserError(
                "A2206",
                f"There is no job `{name}` in mainstem.yml.",
                hint=did_you_mean(name, jobs) or f"There is {', '.join(jobs) or 'none at all'}.",
                known=nearest(name, jobs) or tuple(jobs),
            )
        return found

    def schedules(self) -> list[ScheduleStatus]:
        """List the schedules, with their next tick and the last."""
        with self._database.read() as transaction:
            return schedule_statuses(
                transaction, self.triggers.schedules.values(), now=self.clock.now()
            )

    def switch(self, name: str, *, on: bool) -> ScheduleStatus:
        """Turn a schedule on or off, whatever the file says."""
        schedule, now = self._schedule(name), self.clock.now()
        with self._database.write() as transaction:
            switch_schedule(transaction, schedule, on=on, now=now)
            return schedule_statuses(transaction, [schedule], now=now)[0]

    def next_ticks(self, name: str, count: int) -> list[datetime]:
        """Give the moments at which a schedule fires next."""
        return next_ticks(self._schedule(name), self.clock.now(), count)

    def dry_run(self, name: str) -> DryTick:
        """Say what the next tick of a schedule would launch, as things are now."""
        schedule, now = self._schedule(name), self.clock.now()
        request = tick_request(schedule, schedule.timing.next(now) or now)
        return self.tried(f"schedule {name}", request, at=request.logical_time or now)

    def tried(self, trigger: str, request: LaunchRequest, *, at: datetime) -> DryTick:
        """Plan what a launch would run, and launch nothing."""
        with self._reopen(
            environment=request.environment or self._loaded.environment.name,
            branch=request.branch or None,
            vars={**(request.options.get("vars") or {}), **self._asked},
        ) as project:
            raise_problems(project.problems)
            chosen = {key: request.options[key] for key in RUN_OPTIONS if key in request.options}
            return DryTick(
                trigger=trigger,
                at=at,
                environment=project.environment,
                branch=project.branch,
                select=request.select,
                options=request.options,
                plan=project.plan(
                    request.select,
                    request.exclude,
                    partitions=dict(request.partitions),
                    **chosen,
                ),
            )

    def ticks(self, name: str = "", *, limit: int = 20) -> list[TickRecord]:
        """List what the ticks of a schedule, or of all, became; newest first."""
        if name:
            self._schedule(name)
        with self._database.read() as transaction:
            return ticks(transaction, "schedule", name=name, limit=limit)

    def why(self, name: str) -> Why:
        """Tell why an asset ran last, or did not, and what may run it next; from what is stored.

        Args:
            name: Of the asset, or `ASSET@PARTITION` for one of its partitions.

        Raises:
            AssetNotFound: There is no such asset.
            SelectionInvalid: It has no such partition.
        """
        name, _at, partition = name.partition("@")
        graph = with_partition_keys(self._loaded.graph, self._database)
        found = graph.names.find(name) or graph.resolve(name)
        at: str | None = None
        entries: Mapping[AssetKey, Entry] = {}
        try:
            at = self._services.lake.resolve(self._branch).id
            entries = self._services.lake.entries(at)
        except RefNotFound:
            pass
        seen = Seen(
            graph=graph,
            triggers=self.triggers,
            branch=self._branch,
            entries=entries,
            now=self.clock.now(),
            reported=reported_at(self._services.lake, graph, [found], self._branch),
        )
        if not partition:
            with self._database.read() as transaction:
                return why(transaction, found, seen)
        asset = graph.effective[found]
        one = read_partition(partition, asset)
        decision = self._opened.planning.partitions(found, at or self._opened.reading_ref)
        asked = PartitionInquiry(asset=asset, one=one, decision=decision, seen=seen)
        with self._database.read() as transaction:
            return why_partition(transaction, asked)

    def dry_look(self, name: str) -> tuple[Look, SensorAnswer, list[DryTick]]:
        """Let a sensor look, and plan what it would launch; its cursor stays."""
        look, answer = self.sensors.peek(name)
        tried = [
            self.tried(f"sensor {name}", request_of(look, asked), at=look.at)
            for asked in answer.requests
        ]
        return look, answer, tried

    def dry_delivery(self, name: str) -> DryTick:
        """Plan what the last delivery to a hook would launch, came it now."""
        now = self.clock.now()
        return self.tried(f"hook {name}", self.hooks.last_request(name, now), at=now)

    def evaluate(self) -> list[TickRecord]:
        """Decide what is due now, and put it in the queue: one turn of the server's loop."""
        with self._database.write() as transaction:
            return evaluate(transaction, self.triggers, now=self.clock.now())

    def sync(self) -> None:
        """Take note of what the project declares: once it was loaded, and when it changed."""
        with self._database.write() as transaction:
            sync(transaction, self.triggers, now=self.clock.now())

    def next_wake(self) -> datetime | None:
        """Tell when a schedule is due next."""
        with self._database.read() as transaction:
            return next_wake(transaction, "schedule")

    def _schedule(self, name: str) -> Schedule:
        return find_schedule(self.triggers.schedules, name)
