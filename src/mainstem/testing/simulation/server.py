# SPDX-License-Identifier: Apache-2.0
"""One simulated server: leads, ticks, claims and executes, with the parts that the real one has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import cast

from mainstem import automation, state
from mainstem.automation import Sensor, Triggers
from mainstem.config import RUN_KEYS
from mainstem.database import Transaction
from mainstem.errors import MainstemError
from mainstem.graph import Plan, PlanOptions, PlanRequest, make_plan
from mainstem.lake import Lake
from mainstem.project import Project
from mainstem.project.running import run_options
from mainstem.runs import (
    RunFinished,
    Services,
    execute,
    gather_facts,
    recover,
    with_partition_facts,
    with_partition_keys,
)
from mainstem.service.backfill.driver import BackfillRounds
from mainstem.service.bus import EventBus
from mainstem.service.claims import Claims
from mainstem.service.leadership import Leadership
from mainstem.state import Launch, LaunchStatus, ProcessIdentity
from mainstem.testing.simulation.crash import MortalDatabase
from mainstem.testing.simulation.stand import Stand
from mainstem.testing.simulation.surroundings import Surroundings

_PLAN_OPTIONS = ("full_refresh", "rebuild", "fresh", "force")
_ENDS: dict[str, LaunchStatus] = {
    "succeeded": "succeeded",
    "nothing_to_do": "succeeded",
    "held": "held",
    "failed": "failed",
    "cancelled": "cancelled",
}


class SimulatedServer:
    """What one process of `mainstem serve` does, one thing at a time.

    Args:
        world: What it is in.
        number: Tells servers apart.
        when: When it dies; see `MortalDatabase`.
    """

    def __init__(self, world: Surroundings, number: int, when: Callable[[], None]) -> None:
        self.world = world
        self.clock = world.clock
        self.database = MortalDatabase(world.database, when)
        self.process = ProcessIdentity(
            owner=f"server-{number}", host="simulated", boot_id="", pid=number, process_started=""
        )
        self.lake = Lake.open(self.database, str(world.folder / "warehouse"), clock=self.clock)
        self._leadership = Leadership(
            self.database,
            self.process,
            clock=self.clock,
            lease_s=world.project.settings.serve.lease_s,
            is_dead=world.is_dead,
        )
        stand = cast("Project", Stand(world.project, self.database, self.lake, self.clock))
        self._claims = Claims(
            clock=self.clock, is_dead=world.is_dead, project_of=lambda _request: stand
        )
        self._triggers = world.project.loaded.triggers or Triggers()
        self._backfills = BackfillRounds(
            self.database, lambda _request: stand, EventBus(self.clock)
        )
        self._backfills_at: datetime | None = None
        recover(self.database, self.lake, self.clock)
        with self.database.write() as transaction:
            automation.sync(transaction, self._triggers, now=self.clock.now())

    @property
    def triggers(self) -> Triggers:
        """What the project declares."""
        return self._triggers

    def turn(self) -> bool:
        """Do what is due now; tells whether there was anything."""
        if not self._leadership.keep():
            return False
        now = self.clock.now()
        with self.database.read() as transaction:
            tick = automation.next_wake(transaction, "schedule")
            is_filling = bool(state.open_backfills(transaction))
        if tick is not None and tick <= now:
            with self._leadership.write() as transaction:
                automation.evaluate(transaction, self._triggers, now=now)
        for sensor in self._triggers.sensors.values():
            self._look(sensor, now)
        # Without a backfill that is open there is nothing to look at again.
        self._backfills_at = (
            self._backfills.turn(self._leadership.write, now) if is_filling else None
        )
        with self.database.read() as transaction:
            claimed = state.claimed_launches(transaction)
            is_asked = bool(state.queue_depth(transaction)["queued"])
        self._settle(claimed)
        launch = self._claim(now) if is_asked or claimed else None
        if launch is None:
            return False
        self._execute(launch)
        return True

    def _claim(self, now: datetime) -> Launch | None:
        with self._leadership.write() as transaction:
            return state.claim_launch(
                transaction,
                process=self.process,
                slots=1,
                now=now,
                expires_at=now + timedelta(seconds=self.world.project.settings.serve.hold_s),
            )

    def next_wake(self) -> datetime | None:
        """Tell when something will be due."""
        now = self.clock.now()
        with self.database.read() as transaction:
            tick = automation.next_wake(transaction, "schedule")
            queued = state.next_not_before(transaction, now=now)
            looks = [
                automation.next_look(transaction, sensor, now=now)
                for sensor in self._triggers.sensors.values()
                if self.world.sensors.has_news(sensor, self.lake)
            ]
        moments = (tick, queued, self._backfills_at, *looks)
        return min((moment for moment in moments if moment is not None), default=None)

    def _look(self, sensor: Sensor, now: datetime) -> None:
        sensors = self.world.sensors
        if not sensors.has_news(sensor, self.lake):
            return
        with self.database.read() as transaction:
            due = automation.next_look(transaction, sensor, now=now)
        if due is None or due > now:
            return
        with self._leadership.write() as transaction:
            look = automation.begin_look(transaction, sensor, now=now)
        if look is None:
            return
        answer = sensors.answer(look, self.lake)
        with self._leadership.write() as transaction:
            automation.finish_look(transaction, look, answer, now=self.clock.now())
        sensors.taken(look, self.lake)

    def _settle(self, claimed: Sequence[Launch]) -> None:
        self._claims.settle(
            claimed,
            self._leadership.write,
            own=self.process.owner,
            settings=self.world.project.settings.serve,
        )

    def _execute(self, launch: Launch) -> None:
        error = ""
        finished: RunFinished | None = None
        try:
            finished = self._run(launch)
            status = _ENDS[finished.status]
        except MainstemError as failure:
            status, error = "failed", str(failure)
        with self.database.write() as transaction:
            state.finish_launch(
                transaction, launch, status=status, now=self.clock.now(), error=error
            )
        self.world.note(launch, finished, error)

    def _run(self, launch: Launch) -> RunFinished:
        asked = launch.request.options
        planned = PlanOptions(
            partitions={name.casefold(): text for name, text in launch.request.partitions.items()},
            **{name: asked[name] for name in _PLAN_OPTIONS if name in asked},
        )
        plan = self._plan(launch, planned)
        options = run_options(
            planned,
            {name: value for name, value in asked.items() if name in RUN_KEYS},
            threads=1,
            fail_fast=False,
            wait=True,
            branch_from="main",
        )

        def begin(transaction: Transaction, run_id: int) -> None:
            state.begin_launch(transaction, launch, run_id)

        return execute(plan, self._services(), options=replace(options, on_begin=begin))

    def _plan(self, launch: Launch, options: PlanOptions) -> Plan:
        world, project = self.world, self.world.project
        entries = self.lake.entries("main")
        facts = gather_facts(
            self.database,
            entries=entries,
            branch="main",
            clock=self.clock,
            observe=partial(world.observe, self.lake),
        )
        facts = with_partition_facts(
            facts, self.lake, self.database, branch="main", clock=self.clock
        )
        request = PlanRequest(
            project=project.name,
            environment=project.environment,
            branch="main",
            base_commit=self.lake.ref("main").commit_id,
            include=launch.request.select,
            exclude=launch.request.exclude,
            options=options,
        )
        return make_plan(with_partition_keys(project.graph, self.database), request, facts)

    def _services(self) -> Services:
        return Services(
            graph=self.world.project.graph,
            lake=self.lake,
            database=self.database,
            step_of=self.world.step_of,
            gates_of=self.world.gates_of,
            clock=self.clock,
            random=self.world.random.random,
        )
