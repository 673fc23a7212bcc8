# SPDX-License-Identifier: Apache-2.0
"""One simulated server: leads, ticks, claims and executes, with the parts that the real one has.

Its loop is the thread of the test; each launch that it executes has a thread of its own, and the
steps of a run have others. They take turns in virtual time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import cast

from mainstem import automation, state
from mainstem.automation import Sensor, Triggers
from mainstem.database import Transaction
from mainstem.errors import MainstemError
from mainstem.graph import Plan, PlanOptions, PlanRequest
from mainstem.lake import Lake
from mainstem.project import Project, options_of_launch, options_of_run
from mainstem.project.reacting import Conditions
from mainstem.project.running import lease_of_runs, run_options
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
from mainstem.state import Launch, LaunchStatus, ProcessIdentity, Weights
from mainstem.testing.simulation.crash import MortalDatabase
from mainstem.testing.simulation.stand import Stand
from mainstem.testing.simulation.surroundings import Surroundings
from mainstem.testing.simulation.turns import SimulatedCrew

_PLAN_OPTIONS = ("full_refresh", "rebuild", "fresh", "force")
_THREADS = 4
"""Steps of a run at once: not this machine's, so that worlds are the same on all."""
_ENDS: dict[str, LaunchStatus] = {
    "succeeded": "succeeded",
    "nothing_to_do": "succeeded",
    "held": "held",
    "failed": "failed",
    "cancelled": "cancelled",
}


class SimulatedServer:
    """What one process of `mainstem serve` does.

    Args:
        world: What it is in.
        number: Tells servers apart.
        when: When it dies; see `MortalDatabase`.
    """

    def __init__(self, world: Surroundings, number: int, when: Callable[[], None]) -> None:
        self.world = world
        self.clock = world.clock
        self.process = ProcessIdentity(
            owner=f"server-{number}", host="simulated", boot_id="", pid=number, process_started=""
        )
        self.database = MortalDatabase(world.database, when, lambda: world.bury(self.process.owner))
        self.running: set[int] = set()
        """Launches that it executes."""
        self.hears_runs = False
        """Whether the end of a run is something for its next turn."""
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
        self._conditions = Conditions(world.project.loaded, stand.services, "main")
        recover(self.database, self.lake, self.clock)
        with self.database.write() as transaction:
            automation.sync(transaction, self._triggers, now=self.clock.now())

    @property
    def triggers(self) -> Triggers:
        """What the project declares."""
        return self._triggers

    def turn(self) -> None:
        """Do what is due now, and begin what may."""
        self.hears_runs = True
        if not self._leadership.keep():
            return
        now = self.clock.now()
        with self.database.read() as transaction:
            tick = automation.next_wake(transaction, "schedule")
            is_filling = bool(state.open_backfills(transaction))
            claimed = state.claimed_launches(transaction)
        if len(claimed) > len(self.running):
            self._settle(claimed)
        if tick is not None and tick <= now:
            with self._leadership.write() as transaction:
                automation.evaluate(transaction, self._triggers, now=now)
        for sensor in self._triggers.sensors.values():
            self._look(sensor, now)
        # Without a backfill that is open there is nothing to look at again.
        self._backfills_at = (
            self._backfills.turn(self._leadership.write, now) if is_filling else None
        )
        if self._triggers.conditions:
            self._conditions.turn(self._leadership.write, now)
        self._claim(now)
        self.hears_runs = (
            is_filling
            or bool(self._triggers.conditions)
            or any(sensor.kind == "table" for sensor in self._triggers.sensors.values())
            or len(self.running) >= self.world.project.settings.serve.max_runs
        )

    def _claim(self, now: datetime) -> None:
        """Begin launches while slots are free."""
        settings = self.world.project.settings.serve
        if len(self.running) >= settings.max_runs:
            return
        with self.database.read() as transaction:
            if not state.has_claimable(transaction, now=now):
                return
        claimed = []
        with self._leadership.write() as transaction:
            while launch := state.claim_launch(
                transaction,
                process=self.process,
                slots=settings.max_runs,
                now=now,
                expires_at=now + timedelta(seconds=settings.hold_s),
                weights=Weights(fresh=settings.fresh_share, backfill=settings.backfill_share),
            ):
                claimed.append(launch)
        for launch in claimed:
            self.running.add(launch.id)
            self.world.turns.submit(partial(self._execute, launch), self.process.owner)

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
        conditions = self._conditions.due_at(now) if self._triggers.conditions else None
        moments = (tick, queued, self._backfills_at, conditions, *looks)
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
        self.running.discard(launch.id)
        self.world.note(launch, finished, error)

    def _run(self, launch: Launch) -> RunFinished:
        asked = options_of_launch(launch.request)
        planned = PlanOptions(
            partitions={name.casefold(): text for name, text in launch.request.partitions.items()},
            latest_at=launch.request.logical_time,
            **{name: asked[name] for name in _PLAN_OPTIONS if name in asked},
        )
        plan = self._plan(launch, planned)
        settings = self.world.project.settings
        options = run_options(
            planned,
            options_of_run(asked),
            threads=_THREADS,
            fail_fast=False,
            wait=True,
            branch_from="main",
        )

        def begin(transaction: Transaction, run_id: int) -> None:
            state.begin_launch(transaction, launch, run_id)

        options = replace(options, on_begin=begin, **lease_of_runs(settings.serve))
        return execute(plan, self._services(), options=options)

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
        graph = with_partition_keys(project.graph, self.database)
        return world.plans.make(graph, request, facts)

    def _services(self) -> Services:
        return Services(
            graph=self.world.project.graph,
            lake=self.lake,
            database=self.database,
            step_of=self.world.step_of,
            gates_of=self.world.gates_of,
            clock=self.clock,
            random=self.world.random.random,
            pools=self.world.pools,
            crew=lambda _clock: SimulatedCrew(self.world.turns, self.process.owner),
        )
