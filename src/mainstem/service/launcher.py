# SPDX-License-Identifier: Apache-2.0
"""Executes claimed launches: each in a thread, with a control of its own, and an end on record."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from mainstem import state
from mainstem.database import Database, Transaction
from mainstem.errors import Cancelled, DatabaseUnavailable, MainstemError
from mainstem.project import Controlling, Project, options_of_launch, permit
from mainstem.runs import RunControl, RunEvent, RunFinished, RunStarted
from mainstem.service.bus import EventBus
from mainstem.state import Launch, LaunchRequest, LaunchStatus
from mainstem.types import Clock

_MOST_THREADS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningLaunch:
    """A launch that this server executes, for those who ask."""

    launch: Launch
    run_id: int | None
    began_at: datetime
    stops: bool
    """It was told to stop."""


@dataclass(slots=True, kw_only=True)
class _Live:
    launch: Launch
    began_at: datetime
    control: RunControl = field(default_factory=RunControl)
    run_id: int | None = None
    is_for_good: bool = True
    """Cancelled by a person, not because the server stops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a launch ended, on its way to the database."""

    launch: Launch
    status: LaunchStatus
    run_id: int | None
    error: str = ""
    is_again: bool = False
    """It was stopped with the server, and is to be executed again."""
    is_cut_off: bool = False
    """The database went away in the middle: nobody's fault, as when a server dies."""


class Launcher:
    """The launches that run in this process.

    Args:
        database: Where launches are recorded.
        project_of: The project that a launch acts on.
        clock: Source of time.
        bus: Told what happens.
        wake: Called from any thread when a launch has ended.
    """

    def __init__(
        self,
        database: Database,
        project_of: Callable[[LaunchRequest], Project],
        *,
        clock: Clock,
        bus: EventBus,
        wake: Callable[[], None],
    ) -> None:
        self._database = database
        self._project_of = project_of
        self._clock = clock
        self._bus = bus
        self._wake = wake
        self._lock = threading.Lock()
        self._live: dict[int, _Live] = {}
        self._ended: deque[Ended] = deque()
        self._threads = ThreadPoolExecutor(_MOST_THREADS, thread_name_prefix="launch")

    @property
    def running(self) -> tuple[RunningLaunch, ...]:
        """What runs now, oldest first."""
        with self._lock:
            return tuple(
                RunningLaunch(
                    launch=live.launch,
                    run_id=live.run_id,
                    began_at=live.began_at,
                    stops=live.control.is_requested,
                )
                for live in self._live.values()
            )

    def start(self, launch: Launch) -> None:
        """Execute a launch that this server claimed."""
        live = _Live(launch=launch, began_at=self._clock.now())
        with self._lock:
            self._live[launch.id] = live
        # The pool keeps what a thread raises: a mistake of ours fails one launch, not the server.
        self._threads.submit(self._execute, live).add_done_callback(partial(self._over, live))

    def cancel(self, launch_id: int, *, for_good: bool = True) -> bool:
        """Stop a launch: once cleanly, twice at once; tells whether it runs here.

        Args:
            launch_id: The launch.
            for_good: Otherwise it is executed again by the next server.
        """
        with self._lock:
            live = self._live.get(launch_id)
        if live is None:
            return False
        # What a person stopped is not begun again, though the server stops meanwhile.
        live.is_for_good = for_good or (live.control.is_requested and live.is_for_good)
        live.control.request_cancel()
        return True

    def ended(self) -> list[Ended]:
        """Take what has ended and must be recorded."""
        found = []
        while self._ended:
            found.append(self._ended.popleft())
        return found

    def put_back(self, ended: list[Ended]) -> None:
        """Keep what could not be recorded yet."""
        self._ended.extendleft(reversed(ended))

    def close(self) -> None:
        """Start nothing more; threads of steps that do not stop die with the process."""
        self._threads.shutdown(wait=False)

    def _execute(self, live: _Live) -> RunFinished:
        request = live.launch.request
        project = self._project_of(request)
        if "replay" in request.options:
            # It goes to a scratch branch: nothing that is protected changes.
            return Controlling(project).replay(
                request.options["replay"],
                request.select[0],
                on_event=partial(self._hear, live),
                control=live.control,
                on_begin=partial(self._begin, live, project),
            )
        permit(project, is_meant=bool(request.job or request.options.get("yes")))
        return project.run(
            request.select,
            request.exclude,
            control=live.control,
            on_event=partial(self._hear, live),
            on_begin=partial(self._begin, live, project),
            **options_of_launch(request),
        )

    def _begin(self, live: _Live, project: Project, transaction: Transaction, run_id: int) -> None:
        if project.services.database is self._database:
            state.begin_launch(transaction, live.launch, run_id)
            return
        # An environment with a database of its own: the launch is noted first, and a kill between
        # the two leaves a launch that points to no run, which is executed again.
        with self._database.write() as own:
            state.begin_launch(own, live.launch, run_id)

    def _hear(self, live: _Live, event: RunEvent) -> None:
        if isinstance(event, RunStarted):
            live.run_id = event.run_id
        self._bus.publish(
            "run",
            type(event).__name__,
            launch_id=live.launch.id,
            run_id=live.run_id,
            run_event=event,
        )

    def _over(self, live: _Live, future: Future[RunFinished]) -> None:
        error = future.exception()
        if error is None:
            finished = future.result()
            status = _STATUS[finished.status]
            ended = self._end(live, status, "")
        elif isinstance(error, Cancelled):
            ended = self._end(live, "cancelled", str(error))
        else:
            ended = self._end(live, "failed", _text_of(error))
            ended = replace(ended, is_cut_off=isinstance(error, DatabaseUnavailable))
        with self._lock:
            del self._live[live.launch.id]
            self._ended.append(ended)
        self._wake()

    def _end(self, live: _Live, status: LaunchStatus, error: str) -> Ended:
        return Ended(
            launch=live.launch,
            status=status,
            run_id=live.run_id,
            error=error,
            is_again=status == "cancelled" and not live.is_for_good,
        )


_STATUS: Mapping[str, LaunchStatus] = {
    "succeeded": "succeeded",
    "nothing_to_do": "succeeded",
    "held": "held",
    "failed": "failed",
    "cancelled": "cancelled",
}


def _text_of(error: BaseException) -> str:
    if isinstance(error, MainstemError):
        return f"{error.code}: {error}"[:2000]
    return f"A9000: {type(error).__name__}: {error}"[:2000]
