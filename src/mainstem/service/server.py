# SPDX-License-Identifier: Apache-2.0
"""`Server`: one long-lived process over one project folder. What the CLI starts and the API mounts.

It may be one of several on the same database: one leads, the others stand by, all answer. Nothing
here listens on the network.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Literal, Self

from mainstem import state
from mainstem.automation import prune_deliveries, prune_ticks
from mainstem.config import ServeSettings
from mainstem.database import Database
from mainstem.errors import MainstemError
from mainstem.project import Project, find_project
from mainstem.runs import is_dead, own_identity, recover
from mainstem.service.automatic import project_triggers
from mainstem.service.backfill import BackfillRounds, Backfills
from mainstem.service.bell import Bell
from mainstem.service.bus import EventBus, Filter, Subscription
from mainstem.service.claims import Claims
from mainstem.service.courier import Courier
from mainstem.service.files import Files
from mainstem.service.launcher import Launcher, RunningLaunch
from mainstem.service.leadership import Leadership
from mainstem.service.loop import Loop, Parts
from mainstem.service.projects import Projects, Reloaded
from mainstem.service.trigger import Trigger
from mainstem.service.triggers import Triggers
from mainstem.state import Launch, LaunchRequest
from mainstem.types import Clock, SystemClock, dataclass

TriggersOf = Callable[[Project], Sequence[Trigger]]
Upkeep = Callable[[Project, datetime], None]

_UPKEEP_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatus:
    """A server as it is now."""

    role: Literal["leading", "standby", "stopping"]
    since: datetime | None
    """When it began to lead; nothing on standby."""
    leader: str
    """Who leads: `host:pid`; empty if nobody is known to."""
    started_at: datetime
    pid: int
    version: str
    queued: int
    running: tuple[RunningLaunch, ...]
    """Launches that this server executes."""
    problems: tuple[MainstemError, ...]
    """Of the project's files as they are; what runs is the last state that had none."""
    trouble: MainstemError | None
    """Why the server cannot work, such as a database that is locked."""
    generation: int
    """Grows with every reload that took."""
    loaded_at: datetime


class Server:
    """Opens the project when made; `start` lets it work, `stop` and `wait` end it.

    Args:
        folder: The project, or a folder in it.
        environment: Of launches that name none; the project's default without.
        clock: Source of time.
        watch_s: Time between two looks at the project's files; nothing: only `reload` does.
        lease_s: How long a server may be silent before another leads; the project's without.
        triggers: Makes what launches by itself, of each project that is loaded.
        upkeep: Called about once an hour by the leader, to forget what is old.

    Raises:
        ConfigInvalid: There is no project, or its mainstem.yml is wrong.
    """

    def __init__(
        self,
        folder: Path | str,
        *,
        environment: str | None = None,
        clock: Clock | None = None,
        watch_s: float | None = None,
        lease_s: float | None = None,
        triggers: TriggersOf = project_triggers,
        upkeep: Sequence[Upkeep] = (),
    ) -> None:
        self.clock: Clock = clock or SystemClock()
        self.started_at = self.clock.now()
        self.process = own_identity()
        self.bus = EventBus(self.clock)
        self._bell = Bell()
        self.projects = Projects(
            find_project(Path(folder)), environment=environment, clock=self.clock
        )
        project = self.projects.current
        self.database: Database = project.services.database
        recover(self.database, project.lake, self.clock, on_end=project.recording.end_run)
        self._triggers_of = triggers
        self._upkeep = (_forget_launches, _prune_records, *upkeep)
        self._upkeep_s = float("-inf")
        self._aside = ThreadPoolExecutor(1, thread_name_prefix="upkeep")
        self._replacing = threading.Lock()
        self._courier = Courier(lambda limit: self.project.recording.deliver(limit=limit))
        self._leadership = Leadership(
            self.database,
            self.process,
            clock=self.clock,
            lease_s=lease_s or self._settings().lease_s,
            is_dead=is_dead,
        )
        self._launcher = Launcher(
            self.database,
            self.projects.of,
            clock=self.clock,
            bus=self.bus,
            wake=self._bell.ring,
        )
        self._triggers = Triggers(
            self._leadership.write,
            clock=self.clock,
            bus=self.bus,
            wake=self._bell.ring,
        )
        self._files = Files(
            self.projects,
            clock=self.clock,
            bus=self.bus,
            every_s=watch_s,
            on_reload=self._adopt,
        )
        self.loop = Loop(self._parts(), self._bell)
        self._replace_triggers()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="server")
        self._main: Future[None] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exit_info: object) -> None:
        self.stop(for_good=True)
        self.wait()
        self.close()

    @property
    def project(self) -> Project:
        """The project in force: as its files are, or as they were when they last made sense."""
        return self.projects.current

    def start(self) -> None:
        """Begin to work, in a thread of its own."""
        self._main = self._thread.submit(self.loop.run)

    def stop(self, *, for_good: bool = False) -> None:
        """Start nothing new, and end when what runs has ended; asked twice, cancel it.

        Args:
            for_good: What runs is cancelled at once; otherwise it has time to end, and what must be
                cancelled then is begun again by the next server.
        """
        self.loop.stop(for_good=for_good)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the server has stopped; tells whether it has.

        Raises:
            Exception: Whatever ended it, if nobody asked it to stop.
        """
        if self._main is None:
            return True
        try:
            self._main.result(timeout_s)
        except TimeoutError:
            if self._main.done():
                raise
            return False
        return True

    def close(self) -> None:
        """Release everything; the server has stopped."""
        self._files.close()
        self._triggers.close()
        self._launcher.close()
        self._courier.close()
        self._aside.shutdown(wait=True)
        self._thread.shutdown(wait=False)
        self.bus.close()
        self.projects.close()

    @property
    def backfills(self) -> Backfills:
        """Stored plans to build partitions, of this server's environment."""
        return Backfills(self.project, wake=self._call_triggers)

    def launch(self, request: LaunchRequest) -> Launch:
        """Ask for a run; begins within milliseconds if a slot is free and this server leads.

        Returns:
            The launch; the earlier one, if one with this run key was asked for before.
        """
        now = self.clock.now()
        with self.database.write(durable=True) as transaction:
            launch_id = state.enqueue(transaction, request, now=now)
            if launch_id is None:
                launch = state.launch_of_key(
                    transaction, request.origin, request.source, request.run_key
                )
            else:
                launch = state.launch_of(transaction, launch_id)
        assert launch is not None, "a launch that was refused is there already"
        if launch_id is not None:
            self.bus.publish("launch", "queued", launch_id=launch_id)
            self._bell.ring()
        return launch

    def cancel(self, launch_id: int) -> Launch | None:
        """Take a launch out of the queue, or stop its run: once cleanly, twice at once."""
        with self.database.write() as transaction:
            launch = state.cancel_launch(transaction, launch_id, now=self.clock.now())
        if launch is not None and launch.status == "running":
            self._launcher.cancel(launch_id)
        elif launch is not None and launch.status == "cancelled":
            self.bus.publish(
                "launch", "finished", launch_id=launch_id, facts={"status": "cancelled"}
            )
        return launch

    def cancel_run(self, run_id: int) -> Launch | None:
        """Stop a run that a launch became; nothing if no launch did."""
        with self.database.read() as transaction:
            launch = state.launch_of_run(transaction, run_id)
        return None if launch is None else self.cancel(launch.id)

    def subscribe(
        self,
        matches: Filter | None = None,
        *,
        after: int | None = None,
        notify: Callable[[], None] | None = None,
    ) -> Subscription:
        """Watch what happens in this server; see `EventBus.subscribe`."""
        return self.bus.subscribe(matches, after=after, notify=notify)

    def reload(self) -> Reloaded:
        """Read the project's files again; the last good state stays if they are wrong now."""
        return self._files.reload()

    def request_reload(self) -> None:
        """Have the files read again soon; from a signal handler, too."""
        self._files.request_reload()
        self._bell.ring()

    def announce(self, address: str) -> None:
        """Say where this server answers HTTP, for those who look the leader up."""
        self._leadership.address = address

    def status(self) -> ServerStatus:
        """Tell how the server is."""
        with self.database.read() as transaction:
            depth = state.queue_depth(transaction)
            leader = state.leader(transaction)
        process = None if leader is None else leader.process
        leads = self._leadership.leads
        return ServerStatus(
            role="stopping" if self.loop.is_stopping else "leading" if leads else "standby",
            since=self._leadership.since,
            leader="" if process is None else f"{process.host}:{process.pid}",
            started_at=self.started_at,
            pid=os.getpid(),
            version=version("mainstem"),
            queued=depth["queued"],
            running=self._launcher.running,
            problems=self.projects.problems,
            trouble=self.loop.trouble,
            generation=self.projects.generation,
            loaded_at=self.projects.loaded_at,
        )

    def _parts(self) -> Parts:
        return Parts(
            database=self.database,
            clock=self.clock,
            process=self.process,
            bus=self.bus,
            leadership=self._leadership,
            launcher=self._launcher,
            claims=Claims(
                clock=self.clock,
                is_dead=is_dead,
                project_of=self.projects.of,
            ),
            triggers=self._triggers,
            files=self._files,
            settings=self._settings,
            upkeep=self._keep_up,
            on_lead=self._replace_triggers,
        )

    def _settings(self) -> ServeSettings:
        return self.projects.current.settings.serve

    def _adopt(self, reloaded: Reloaded) -> None:
        if not reloaded.problems:
            self._replace_triggers()
            self._bell.ring()

    def _replace_triggers(self) -> None:
        """Make the triggers anew: after a reload, and when this server begins to lead.

        While another one led, or before a backup was restored, what is noted of them may have been
        the state of other files.
        """
        with self._replacing:
            rounds = BackfillRounds(self.database, self.projects.of, self.bus)
            self._triggers.replace([rounds, *self._triggers_of(self.project)])

    def _call_triggers(self) -> None:
        self._triggers.call(of_runs=True)
        self._bell.ring()

    def _keep_up(self) -> None:
        self._courier.call()
        now_s = self.clock.monotonic_s()
        if now_s - self._upkeep_s >= _UPKEEP_S:
            self._upkeep_s = now_s
            project, now = self.project, self.clock.now()
            for each in self._upkeep:
                self._aside.submit(each, project, now).add_done_callback(self._tell_upkeep)

    def _tell_upkeep(self, done: Future[None]) -> None:
        """Say what failed: a database that nobody prunes grows until the disk is full."""
        error = done.exception()
        if error is not None:
            facts = {"trigger": "upkeep", "error": str(error)[:2000]}
            self.bus.publish("trigger", "failed", facts=facts)


def _prune_records(project: Project, now: datetime) -> None:
    del now
    project.recording.prune_daily()


def _forget_launches(project: Project, now: datetime) -> None:
    before = now - timedelta(days=project.settings.serve.history_days)
    with project.services.database.write() as transaction:
        state.prune_launches(transaction, before=before)
        prune_ticks(transaction, before=before)
        prune_deliveries(transaction, before=before)
        state.drop_unwanted_tickets(transaction, now=now)
