# SPDX-License-Identifier: Apache-2.0
"""The worker's side: takes tickets of one executor and carries them out in worker processes.

One loop renews what is held and hears what comes down; each ticket has a thread that speaks up.
Nothing is committed here but messages: files are written to the shared warehouse, and the run that
asked decides what becomes of them.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import uuid
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from typing import Any

from mainstem import state
from mainstem.database import Database
from mainstem.errors import EngineUnavailable, MainstemError, RemoteError
from mainstem.models.remote.parcel import (
    ANSWER,
    HELD_S,
    LINES,
    MESSAGE,
    RENEWALS,
    Parcel,
    pack,
    unpack,
)
from mainstem.models.worker.alike import refuse_others
from mainstem.models.worker.lines import LineBatches
from mainstem.models.worker.message import Asked, Failed, Told
from mainstem.models.worker.pool import WorkerPool
from mainstem.state import TicketRecord
from mainstem.types import Clock

_LOOK_S = 1.0
_REPLY_S = 60.0

Tell = Callable[[str, str], object]
"""Takes an asset, and what became of its step."""


class RemoteWorker:
    """Serves one executor from this machine.

    Args:
        database: The one that runs keep their records in.
        executor: Name under `executors:`.
        pool: Worker processes of the project's folder here.
        clock: Source of time.
        slots: Tickets at once.
        hold_s: How long this worker may be silent before its tickets are passed on.
        tell: Told of each ticket that is taken or done; from several threads.
    """

    def __init__(
        self,
        database: Database,
        executor: str,
        pool: WorkerPool,
        clock: Clock,
        *,
        slots: int,
        tell: Tell,
        hold_s: float = HELD_S,
    ) -> None:
        self.database = database
        self.executor = executor
        self.pool = pool
        self.clock = clock
        self.slots = slots
        self.tell = tell
        self.hold_s = hold_s
        self.owner = uuid.uuid4().hex
        self.name = f"{socket.gethostname()}-{self.owner[:6]}"
        self._jobs: dict[str, _Job] = {}
        self._stopping = False
        self._trouble = ""
        """Code of the error that the last look at the database ended with."""
        self._watch = database.watch()

    def stop(self) -> None:
        """Take no more tickets; called twice: stop those that are held. From any thread."""
        if self._stopping:
            for job in list(self._jobs.values()):
                job.cancel()
        self._stopping = True
        self._watch.wake()

    def serve(self) -> None:
        """Take tickets until stopped and the last one is done; a database that is gone is awaited.

        Raises:
            DatabaseUnavailable: It was set back to an earlier state (A5004).
        """
        renewed_s = float("-inf")
        with closing(self._watch):
            while not (self._stopping and not self._jobs):
                mono = self.clock.monotonic_s()
                try:
                    if mono - renewed_s >= self.hold_s / RENEWALS:
                        self._renew()
                        renewed_s = mono
                    self._hear()
                    self._take()
                    self._trouble = ""
                except RemoteError as error:
                    self._bear(error)
                self._watch.wait(_LOOK_S)

    def _bear(self, error: RemoteError) -> None:
        """Go on without the database: steps that were begun do, and their leases are renewed later.

        What was set back is another matter: it may know nothing of the tickets held here.
        """
        if error.code == "A5004":
            raise error
        if self._stopping:
            self._jobs = {name: job for name, job in self._jobs.items() if not job.is_done}
        if error.code != self._trouble:
            self.tell("the database", f"is waited for: {error.summary}")
        self._trouble = error.code

    def _renew(self) -> None:
        if not self._jobs:
            return
        now = self.clock.now()
        with self.database.write() as transaction:
            until = now + timedelta(seconds=self.hold_s)
            held = state.hold_tickets(transaction, self.owner, until=until)
        mine = {(ticket.id, ticket.fence): ticket for ticket in held}
        for job in list(self._jobs.values()):
            ticket = mine.get((job.ticket.id, job.ticket.fence))
            # Passed on, taken back, or of a run that is dead: nobody waits for it.
            if ticket is None or ticket.wanted_until <= now:
                job.cancel()

    def _hear(self) -> None:
        """Pass replies on, and the word to stop."""
        for ticket_id, job in list(self._jobs.items()):
            if job.is_done:
                del self._jobs[ticket_id]
                continue
            with self.database.read() as transaction:
                ticket = state.ticket_of(transaction, ticket_id)
                said = state.said(transaction, job.ticket, "down", after=job.heard)
            for message in said:
                job.heard = message.number
                job.replies.put(message.body)
            if ticket is None or ticket.cancel_requested:
                job.cancel()

    def _take(self) -> None:
        while len(self._jobs) < self.slots and not self._stopping:
            now = self.clock.now()
            # Each commit of anybody wakes every worker: those that find nothing must not line up
            # with the writers.
            with self.database.read() as transaction:
                if not state.has_ticket(transaction, executor=self.executor, now=now):
                    return
            with self.database.write() as transaction:
                ticket = state.take_ticket(
                    transaction,
                    executor=self.executor,
                    owner=self.owner,
                    worker=self.name,
                    now=now,
                    held_until=now + timedelta(seconds=self.hold_s),
                )
            if ticket is None:
                return
            self.tell(ticket.asset, "started")
            job = _Job(self, ticket)
            self._jobs[ticket.id] = job
            threading.Thread(target=job.work, name=f"ticket-{ticket.id[:6]}", daemon=True).start()

    def job_done(self, job: _Job, how: str) -> None:
        """Called by a job's thread when its last word is said."""
        self.tell(job.ticket.asset, how)
        self._watch.wake()


class _Job:
    """One ticket that this worker holds; meets `Cancel`."""

    def __init__(self, worker: RemoteWorker, ticket: TicketRecord) -> None:
        self.worker = worker
        self.ticket = ticket
        self.heard = 0
        self.replies: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        """Nothing: none will come."""
        self.lines = LineBatches(lambda lines: self._say(LINES, lines))
        self.is_done = False
        self.is_cancelled = False
        self._stops: list[Callable[[], None]] = []

    def on_cancel(self, stop: Callable[[], None]) -> Callable[[], None]:
        self._stops.append(stop)
        return lambda: self._stops.remove(stop)

    def cancel(self) -> None:
        self.is_cancelled = True
        self.replies.put(None)
        for stop in list(self._stops):
            stop()

    def work(self) -> None:
        """Carry the ticket out; the thread's whole life."""
        how = "failed"
        try:
            with self.lines:
                answer = self._answer_of(unpack(self.ticket.body))
            how = "failed" if isinstance(answer, Failed) else "done"
            if not self._say(ANSWER, answer):
                how = "done, but nobody waits for it any more"
        except MainstemError as error:
            how = f"failed: {error.summary}"  # the database: the run will pass the ticket on
        finally:
            self.is_done = True
            self.worker.job_done(self, how)

    def _answer_of(self, parcel: Parcel) -> object:
        asset, pool = self.ticket.asset, self.worker.pool
        try:
            refuse_others(
                parcel.request, pool.folder, parcel.versions, asset=asset, here=self.worker.name
            )
            return pool.run(
                parcel.request,
                asset=asset,
                answer=self._ask,
                log=self.lines.add,
                cancel=self,
                timeout_s=parcel.timeout_s,
            )
        except MainstemError as error:
            return Failed(error=error)

    def _ask(self, message: Any) -> object | None:
        self.lines.flush()
        self._say(MESSAGE, message)
        if not isinstance(message, Asked):
            return None
        body = None
        if not self.is_cancelled:
            with contextlib.suppress(queue.Empty):
                body = self.replies.get(timeout=_REPLY_S)
        if body is None:
            error = EngineUnavailable(
                "A7141",
                f"{self.ticket.asset} got no reply from the run that it belongs to.",
                hint="The run ended, or the database is lost to it; nothing was committed.",
            )
            return Told(error=error)
        reply: Told = unpack(body)
        return reply

    def _say(self, kind: str, content: object) -> bool:
        with self.worker.database.write() as transaction:
            return state.say(transaction, self.ticket, "up", [(kind, pack(content))])
