# SPDX-License-Identifier: Apache-2.0
"""`simulate`: a world with one project in it, whose time, data and accidents a test decides."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

from mainstem import automation, state
from mainstem.automation import Receipt, TickRecord
from mainstem.checks import gates_of
from mainstem.database import MemoryDatabase, open_database
from mainstem.errors import UserError
from mainstem.graph import Asset, Partitioning, PartitionSet, PlannedAsset, parts_of, union_of_parts
from mainstem.lake import Lake
from mainstem.models import PythonGate, WorkerPool
from mainstem.project import Project, open_project
from mainstem.project.problems import raise_problems
from mainstem.project.running import pools_of
from mainstem.runs import Gate, RunFinished, Step, with_partition_keys
from mainstem.service.backfill.facade import Backfills
from mainstem.state import Launch, LaunchRequest, ProcessIdentity
from mainstem.testing.simulation.behaviour import (
    Attempt,
    Behaviour,
    Look,
    SimulatedGate,
    SimulatedStep,
)
from mainstem.testing.simulation.clock import VirtualClock
from mainstem.testing.simulation.crash import ServerDied
from mainstem.testing.simulation.faults import broken_promises
from mainstem.testing.simulation.outside import SimulatedSensors, deliver
from mainstem.testing.simulation.planning import Plans
from mainstem.testing.simulation.server import SimulatedServer
from mainstem.testing.simulation.stand import Stand
from mainstem.testing.simulation.turns import Turns
from mainstem.types import Engine, Pool, RunRequest, dataclass, did_you_mean

_RESTART = timedelta(seconds=5)
_NOTICED_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedRun:
    """What became of one launch."""

    at: datetime
    """When it ended."""
    launch: Launch
    finished: RunFinished | None
    """Nothing if it was refused before it began."""
    error: str = ""

    @property
    def status(self) -> str:
        """`succeeded`, `held`, `failed`, ..."""
        return "failed" if self.finished is None else self.finished.status

    @property
    def steps(self) -> dict[str, str]:
        """Status of each asset that it dealt with."""
        if self.finished is None:
            return {}
        return {str(step.key): step.status for step in self.finished.steps}


@dataclass(frozen=True, slots=True, kw_only=True)
class Materialization:
    """A version of an asset that readers of `main` came to see."""

    asset: str
    at: datetime
    run_id: int
    commit_id: str
    data_version: str


@contextmanager
def simulate(
    folder: Path | str = ".",
    *,
    start: datetime,
    environment: str | None = None,
    database: str = "",
    seed: int = 0,
) -> Iterator[World]:
    """Put a project into a world of its own; nothing of the project's own lake is touched.

    Args:
        folder: The project.
        start: The world's first moment; aware.
        environment: Of the project; its default one without.
        database: URL of an empty one; SQLite in memory without.
        seed: Of all that is left to chance.

    Raises:
        ConfigInvalid: There is no project.
        ErrorGroup: Its files are wrong.

    Example:
        >>> with simulate("shop", start=datetime(2026, 3, 1, tzinfo=UTC)) as world:
        ...     world.fail("raw.orders", times=1)
        ...     world.run_until(datetime(2026, 4, 1, tzinfo=UTC))
        ...     assert len(world.materializations("marts.daily")) == 31
    """
    clock = VirtualClock(start)
    with (
        tempfile.TemporaryDirectory(prefix="mainstem-simulation-") as place,
        open_project(folder, environment=environment, clock=clock) as project,
    ):
        raise_problems(project.problems)
        world = World(project, clock, Path(place), database=database, seed=seed)
        try:
            yield world
        finally:
            world.close()


class World:
    """Virtual time, one project, one server that may die; see `simulate`."""

    def __init__(
        self, project: Project, clock: VirtualClock, folder: Path, *, database: str, seed: int
    ) -> None:
        self.project = project
        self.clock = clock
        self.folder = folder
        self.random = random.Random(seed)  # noqa: S311  # accidents need no secrets
        self.turns = Turns(clock)
        self.database = open_database(database) if database else MemoryDatabase()
        self.database.migrate((*state.ALL_MIGRATIONS, *automation.MIGRATIONS))
        self.lake = Lake.open(self.database, str(folder / "warehouse"), clock=clock)
        self.runs: list[SimulatedRun] = []
        """What was executed, in the order in which it ended."""
        self.attempts: list[Attempt] = []
        """At assets, in the order in which they began."""
        self.deaths = 0
        """Servers that were killed."""
        self.sensors = SimulatedSensors(project.graph)
        self.plans = Plans()
        self.pools: Mapping[str, Pool] = pools_of(project.settings)
        self._triggers = project.loaded.triggers or automation.Triggers()
        self._behaviours: dict[str, Behaviour] = {}
        self._failing: dict[str, str] = {}
        self._sources: dict[str, int] = {}
        self._arrivals: dict[str, timedelta] = {}
        self._dead: set[str] = set()
        self._kill_in: int | None = None
        self._deadly = 0.0
        self._servers = 0
        self._server: SimulatedServer | None = None
        self._down_until_s = 0.0
        self._end = self.now
        """How far the world may go on."""

    @property
    def now(self) -> datetime:
        """The world's time, in UTC."""
        return self.clock.now()

    def takes(self, asset: str, seconds: float) -> None:
        """Let attempts at an asset take so long from now on."""
        self._behaviour(asset).seconds = seconds

    def fail(
        self, asset: str, *, times: int = 1, error: str = "told to fail", partition: str = ""
    ) -> None:
        """Let the next attempts at an asset, or at each of some of its partitions, raise.

        With `times=0` those that still would succeed again.
        """
        behaviour = self._behaviour(asset)
        behaviour.error = error
        if partition:
            some = PartitionSet.parse(partition, self._parted(asset).definition)
            behaviour.failing |= dict.fromkeys(some, times)
        else:
            behaviour.failures = times

    def break_check(self, asset: str, check: str, message: str = "told to fail") -> None:
        """Let a check of an asset find fault from now on, until `mend_check`."""
        self._failing[self._check_id(asset, check)] = message

    def mend_check(self, asset: str, check: str) -> None:
        """Let a check pass again."""
        self._failing.pop(self._check_id(asset, check), None)

    def arrive(self, source: str, *, every: timedelta | None = None) -> None:
        """Let a source have new data, now, or once in each such interval."""
        key = str(self._asset(source).key)
        self._sources[key] = self._sources.get(key, 0) + 1
        if every is not None:
            self._arrivals[key] = every

    def kill_server(self, *, during: str = "", after_writes: int = 0) -> None:
        """Kill the server: now, while an asset is built, or after so many transactions.

        Another one starts five seconds later.
        """
        if during:
            self._behaviour(during).before.append(self._die_soon)
        elif after_writes:
            self._kill_in = after_writes
        elif self._server is not None:
            self._server.database.kill()

    def make_deadly(self, chance: float) -> None:
        """Let servers die at either end of any transaction, with this chance at each."""
        self._deadly = chance

    def set_clock(self, by: timedelta) -> None:
        """Set the machine's clock forward or back."""
        self.clock.set(by)
        # Whoever renews what it holds does so soon after, or finds that it has lost it.
        self.turns.linger(_NOTICED_S)

    def launch(
        self, *select: str, run_key: str = "", partitions: str = "", priority: int = 0
    ) -> int | None:
        """Ask for a run, as the API would."""
        request = LaunchRequest(
            origin="api",
            source="test",
            run_key=run_key,
            select=select,
            partitions={"*": partitions} if partitions else {},
            priority=priority,
        )
        with self.database.write() as transaction:
            return state.enqueue(transaction, request, now=self.now)

    def notice(
        self, sensor: str, *run_keys: str, requests: Sequence[RunRequest] = (), cursor: Any = None
    ) -> None:
        """Let the next look of a sensor ask for runs: of its own job, or as requests say."""
        name = automation.find_sensor(self._triggers.sensors, sensor).name
        asked = (*(RunRequest(run_key=key) for key in run_keys), *requests)
        self.sensors.notice(name, asked, cursor)

    def fail_sensor(self, sensor: str, *, times: int = 1, error: str = "told to fail") -> None:
        """Let the next looks of a sensor raise."""
        name = automation.find_sensor(self._triggers.sensors, sensor).name
        self.sensors.fail(name, times, error)

    def deliver(
        self, hook: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> Receipt:
        """Send a delivery to a hook, signed as it must be."""
        found = automation.find_hook(self._triggers.hooks, hook)
        with self.database.write() as transaction:
            return deliver(transaction, found, body, headers or {}, now=self.now)

    def run_for(self, **length: float) -> None:
        """Let the world go on: `run_for(hours=6)`."""
        self.run_until(self.now + timedelta(**length))

    def run_until(self, end: datetime) -> None:
        """Let the world go on until a moment; what is in progress then goes on the next time.

        Raises:
            AssertionError: A promise that holds in every world was broken.
        """
        self._end = end
        self.turns.call(self._go_on, self.clock.monotonic_s())
        self.turns.wait()
        self.turns.sleep(0.0)
        broken = self.broken_promises()
        assert not broken, broken

    @property
    def backfills(self) -> Backfills:
        """Backfills as the CLI and the API make and steer them: `world.backfills.create(...)`."""
        stand = Stand(self.project, self.database, self.lake, self.clock)
        return Backfills(cast("Project", stand))

    def partitions(self, asset: str) -> tuple[str, ...]:
        """Give the partitions of an asset that readers of `main` have."""
        definition = self._parted(asset).definition
        entry = self.lake.entry(self._asset(asset).key, "main")
        parts = () if entry is None else parts_of(entry.provenance, definition)
        return tuple(union_of_parts(parts, definition))

    def materializations(self, asset: str) -> list[Materialization]:
        """Give the versions of an asset that readers of `main` came to see, oldest first."""
        key = self._asset(asset).key
        found: list[Materialization] = []
        for commit in reversed(self.lake.log("main", limit=1_000_000)):
            entry = self.lake.entry(key, commit.id)
            version = "" if entry is None else entry.provenance.data_version
            if entry is None or (found and found[-1].data_version == version):
                continue
            found.append(
                Materialization(
                    asset=str(key),
                    at=commit.created_at,
                    run_id=int(commit.meta.get("run") or 0),
                    commit_id=commit.id,
                    data_version=version,
                )
            )
        return found

    def ticks(self, job: str) -> list[TickRecord]:
        """Give what came of the ticks of a job's schedule, oldest first."""
        with self.database.read() as transaction:
            return automation.ticks(transaction, "schedule", name=job, limit=1_000_000)[::-1]

    def broken_promises(self) -> Sequence[str]:
        """Say which promises of the run service do not hold in this world; see `faults`."""
        with self.database.read() as transaction:
            graph = with_partition_keys(self.project.graph, self.database)
            return broken_promises(transaction, self.lake, graph)

    def settle(self) -> None:
        """Let servers live from now on, and wait until all that was asked for has ended."""
        self._deadly, self._kill_in = 0.0, None
        for _ in range(200):
            self.run_for(minutes=1)
            with self.database.read() as transaction:
                if not any(state.queue_depth(transaction).values()):
                    return
        raise AssertionError("launches did not end within 200 minutes")

    def close(self) -> None:
        """End the world."""
        self.turns.close()
        self.database.close()

    def is_dead(self, process: ProcessIdentity) -> bool:
        """Tell whether a simulated server was killed."""
        return process.owner in self._dead

    def note(self, launch: Launch, finished: RunFinished | None, error: str) -> None:
        """Take down what became of a launch."""
        self.runs.append(SimulatedRun(at=self.now, launch=launch, finished=finished, error=error))
        if self._server is None or self._server.hears_runs:
            self.turns.call(self._go_on, self.clock.monotonic_s())

    def observe(self, lake: Lake, asset: Asset) -> Look:
        """Look at a source, without reading it."""
        seen = (lake.cursor(asset.key) or {}).get("version")
        is_fresh = seen == self._version(asset)
        return Look(is_fresh, "nothing new" if is_fresh else "new data")

    def step_of(self, asset: Asset, planned: PlannedAsset) -> Step:
        """Make the step of an asset, or of its group."""
        graph = self.project.graph
        members = tuple(
            graph[key]
            for key in graph.order
            if key == asset.key or (asset.group and graph[key].group == asset.group)
        )
        behaviour = self._behaviour(str(asset.key))
        version = self._version(asset)
        return SimulatedStep(members, planned, behaviour, self.turns, version, self.attempts)

    def gates_of(self, asset: Asset) -> Sequence[Gate]:
        """Make the gates of an asset: its checks, which read what they really read."""
        real = gates_of(
            asset.checks,
            engine=cast("Engine", None),  # they are asked what they read, and never evaluated
            resolve_name=self.project.graph.resolve,
            clock=self.clock,
        )
        return [
            *(SimulatedGate(gate, gate.spec.severity, self._failing) for gate in real),
            *(
                SimulatedGate(gate, gate.spec.severity, self._failing)
                for gate in self._judges(asset)
            ),
        ]

    def _judges(self, asset: Asset) -> list[PythonGate]:
        """Make the gates that are written in Python; they are never evaluated either."""
        pool = cast("WorkerPool", None)
        judges = self.project.loaded.judges
        return [PythonGate(judge, pool) for judge in judges if judge.key == asset.key]

    def bury(self, server: str) -> None:
        """Hear that a server was killed: all that it did ends where it is."""
        self._dead.add(server)
        self._server = None
        self.deaths += 1
        self._down_until_s = self.clock.monotonic_s() + _RESTART.total_seconds()
        self.turns.doom(server)
        self.turns.call(self._go_on, self.clock.monotonic_s())

    def _go_on(self) -> None:
        """Let the server do what is due, and say when something else will be."""
        down_s = self._down_until_s - self.clock.monotonic_s()
        if self.now >= self._end:
            self.turns.wake_main()
        elif down_s > 0:
            self._go_on_at(self.now + timedelta(seconds=down_s))
        else:
            with suppress(ServerDied):  # another one is called for
                self._go_on_at(self._turn())

    def _turn(self) -> datetime:
        if self._server is None:
            self._servers += 1
            self._server = SimulatedServer(self, self._servers, self._at_a_write)
        self._server.turn()
        wake = self._server.next_wake()
        return self.now + timedelta(hours=1) if wake is None else wake

    def _go_on_at(self, moment: datetime) -> None:
        # After a moment at least: what is due now and cannot be done must not stop time.
        left_s = max((min(self._end, moment) - self.now).total_seconds(), 0.001)
        self.turns.call(self._go_on, self.clock.monotonic_s() + left_s)

    def _die_soon(self) -> None:
        self._kill_in = 1

    def _at_a_write(self) -> None:
        if self._kill_in is not None:
            self._kill_in -= 1
            if self._kill_in <= 0:
                self._kill_in = None
                raise ServerDied
        if self._deadly and self.random.random() < self._deadly:
            raise ServerDied

    def _version(self, asset: Asset) -> int:
        key = str(asset.key)
        every = self._arrivals.get(key)
        came = 0 if every is None else int(self.clock.monotonic_s() // every.total_seconds())
        return self._sources.get(key, 0) + came

    def _behaviour(self, asset: str) -> Behaviour:
        key = str(self._asset(asset).key)
        return self._behaviours.setdefault(key, Behaviour())

    def _parted(self, asset: str) -> Partitioning:
        graph = with_partition_keys(self.project.graph, self.database)
        found = graph.effective[self._asset(asset).key].partitions
        if found is None:
            raise UserError("A6411", f"{asset} has no partitions.")
        return found

    def _asset(self, name: str) -> Asset:
        graph = self.project.graph
        return graph[graph.resolve(name)]

    def _check_id(self, asset: str, check: str) -> str:
        found = self._asset(asset)
        known = {spec.title: spec.id for spec in found.checks}
        known |= {gate.spec.title: gate.spec.id for gate in self._judges(found)}
        if check not in known:
            raise UserError(
                "A1042",
                f"{asset} has no check `{check}`.",
                hint=did_you_mean(check, known) or f"It has {', '.join(known) or 'none'}.",
                known=tuple(known),
            )
        return known[check]
