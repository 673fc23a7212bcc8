# SPDX-License-Identifier: Apache-2.0
"""On a Dask worker: carry out one ticket in a warm worker process beside it, and report.

This module is what Dask unpickles by name; it imports nothing that a Dask worker does not have.
"""

from __future__ import annotations

import contextlib
import functools
import os
import pickle
import queue
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from distributed import Queue, get_worker, secede

from mainstem.errors import EngineUnavailable, MainstemError
from mainstem.models.dask.ticket import Ticket
from mainstem.models.worker.alike import refuse_others
from mainstem.models.worker.lines import LineBatches, Lines
from mainstem.models.worker.message import Asked, Failed, Told
from mainstem.models.worker.pool import WorkerPool

_REPLY_S = 60.0


def carry_out(ticket: Ticket) -> bytes:
    """Carry out a ticket; gives the pickled last answer. User errors are answers, never raised."""
    try:
        refuse_others(
            ticket.request,
            Path(ticket.folder),
            ticket.versions,
            asset=ticket.asset,
            here=get_worker().address,
        )
        if ticket.uses_frames:
            secede()
        answer = _Attempt(ticket).run()
    except MainstemError as error:
        answer = Failed(error=error)
    return pickle.dumps(answer, protocol=5)


class _Attempt:
    """One execution of a ticket; Dask may start another on another worker if this one is lost."""

    def __init__(self, ticket: Ticket) -> None:
        self.ticket = ticket
        self.id = uuid.uuid4().hex[:12]
        self.worker = get_worker()
        self.replies: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.lines = LineBatches(self._tell_lines)

    def run(self) -> Any:
        ticket, token = self.ticket, _Token()
        self._tell("started", self.worker.address)
        with self._listening(token), self.lines:
            return pool_of(ticket.folder, ticket.address).run(
                ticket.request,
                asset=ticket.asset,
                answer=self._answer,
                log=self.lines.add,
                cancel=token,
                timeout_s=ticket.timeout_s,
            )

    @contextlib.contextmanager
    def _listening(self, token: _Token) -> Iterator[None]:
        """Take what comes down, until the block is left; in a thread that waits, never polls."""
        down = Queue(self.ticket.down(self.id))

        def listen() -> None:
            with contextlib.suppress(OSError):  # the scheduler is gone, and this task with it
                while (word := down.get())[0] != "end":
                    if word[0] == "stop":
                        token.cancel()
                    else:
                        self.replies.put(word[1])

        threading.Thread(target=listen, name="mainstem-listen", daemon=True).start()
        try:
            yield
        finally:
            down.put(("end", b""))

    def _answer(self, message: Any) -> object | None:
        self.lines.flush()
        self._tell("message", pickle.dumps(message, protocol=5))
        if not isinstance(message, Asked):
            return None
        try:
            body = self.replies.get(timeout=_REPLY_S)
        except queue.Empty:
            error = EngineUnavailable(
                "A7141",
                f"{self.ticket.asset} got no reply from the run that it belongs to.",
                hint="The run ended, or its connection to Dask is lost; nothing was committed.",
            )
            return Told(error=error)
        reply: Told = pickle.loads(body)  # noqa: S301  # from the supervisor of this very ticket
        return reply

    def _tell_lines(self, lines: Lines) -> None:
        self._tell("lines", pickle.dumps(lines, protocol=5))

    def _tell(self, kind: str, content: Any) -> None:
        self.worker.log_event(self.ticket.topic, (self.ticket.id, kind, self.id, content))


class _Token:
    """Meets `Cancel`."""

    def __init__(self) -> None:
        self.is_cancelled = False
        self._stops: list[Callable[[], None]] = []

    def on_cancel(self, stop: Callable[[], None]) -> Callable[[], None]:
        self._stops.append(stop)
        return lambda: self._stops.remove(stop)

    def cancel(self) -> None:
        self.is_cancelled = True
        for stop in list(self._stops):
            stop()


@functools.cache
def pool_of(folder: str, address: str) -> WorkerPool:
    """Give the warm worker processes of one project on this Dask worker."""
    threads = get_worker().state.nthreads
    environment = {**os.environ, "MAINSTEM_DASK": address}
    return WorkerPool(folder, limit=threads, environment=environment)
