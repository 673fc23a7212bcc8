# SPDX-License-Identifier: Apache-2.0
"""The supervisor's side of Dask: submits one future a request, answers it, brings its lines home.

The adapter to `distributed` (extra `dask`); imported only when a project names such an executor.
"""

from __future__ import annotations

import contextlib
import pickle
import queue
import threading
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from distributed import Client, Future, KilledWorker, LocalCluster, Queue

from mainstem.config import Executor
from mainstem.errors import Cancelled, EngineUnavailable, StepFailed, Where
from mainstem.models.dask.task import carry_out
from mainstem.models.dask.ticket import Ticket
from mainstem.models.worker.alike import COMPARED, own_versions
from mainstem.models.worker.exchange import Cancel
from mainstem.models.worker.message import Answer, Build, Failed, Judge
from mainstem.models.worker.output import Log

_CONNECT_S = 20.0


class DaskExecutor:
    """Meets `StepExecutor`; connects when the first request comes.

    Args:
        folder: The project's; workers must see it, and the warehouse, under the same path.
        settings: Where the work goes.
    """

    def __init__(self, folder: Path, settings: Executor) -> None:
        self._folder = folder
        self._settings = settings
        self._lock = threading.Lock()
        self._topic = f"mainstem-{uuid.uuid4().hex}"
        self._conversations: dict[str, _Conversation] = {}
        self._clients: list[Client] = []
        """The last one takes requests; those before lost their scheduler, and may find it again for
        requests of theirs."""
        self._cluster: LocalCluster | None = None

    def run(
        self,
        request: object,
        *,
        asset: str,
        answer: Callable[[Any], object | None],
        log: Log,
        cancel: Cancel | None = None,
        timeout_s: float | None = None,
    ) -> Answer:
        """Carry out a request on some Dask worker.

        Raises:
            StepFailed: It took too long, its process died, or workers died with it.
            Cancelled: It was cancelled.
            EngineUnavailable: There is no scheduler, or it went away.
        """
        client = self._connected()
        ticket = Ticket(
            id=uuid.uuid4().hex,
            folder=str(self._folder),
            request=request,
            asset=asset,
            timeout_s=timeout_s,
            versions=own_versions((*COMPARED, "dask", "distributed")),
            address=client.scheduler.address,
            uses_frames=_uses_frames(request),
            topic=self._topic,
        )
        conversation = _Conversation(client, ticket, answer, log)
        self._conversations[ticket.id] = conversation
        try:
            last = conversation.see_through(cancel, self._settings.resources)
        except OSError as error:  # Dask's CommClosedError and TimeoutError are such
            raise self._unreachable(error) from error
        finally:
            del self._conversations[ticket.id]
        if isinstance(last, Failed) and isinstance(last.error, Cancelled):
            raise last.error
        return last

    def close(self) -> None:
        """Let go of the scheduler, and end worker processes of our own."""
        with self._lock:
            clients, self._clients = self._clients, []
            cluster, self._cluster = self._cluster, None
        for each in (*clients, cluster):
            if each is not None:
                with contextlib.suppress(OSError):
                    each.close()

    def _hear(self, event: tuple[float, tuple[str, str, str, Any]]) -> None:
        """Pass an event on to whom it is for; in the client's thread."""
        _at, (ticket, *heard) = event
        conversation = self._conversations.get(ticket)
        if conversation is not None:
            kind, attempt, content = heard
            conversation.heard.put((kind, attempt, content))

    def _connected(self) -> Client:
        with self._lock:
            if not self._clients or self._clients[-1].status != "running":
                self._clients = [each for each in self._clients if each.status != "closed"]
                self._clients.append(self._connect())
                self._clients[-1].subscribe_topic(self._topic, self._hear)
            return self._clients[-1]

    def _connect(self) -> Client:
        settings = self._settings
        try:
            if not settings.address and self._cluster is None:
                self._cluster = LocalCluster(
                    n_workers=settings.workers or None,
                    threads_per_worker=1,
                    processes=True,
                    dashboard_address=None,
                    resources=dict(settings.resources) or None,
                )
            target = settings.address or cast("LocalCluster", self._cluster).scheduler_address
            return Client(target, timeout=_CONNECT_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> EngineUnavailable:
        where = self._settings.address or "the local cluster"
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        return EngineUnavailable(
            "A7140",
            f"Dask ({where}, executor `{self._settings.name}`) does not answer: {said}.",
            hint="Start the scheduler, or correct `address` under `executors:` in mainstem.yml.",
        )


class _Conversation:
    """One request, from its submission to its last answer."""

    def __init__(
        self,
        client: Client,
        ticket: Ticket,
        answer: Callable[[Any], object | None],
        log: Log,
    ) -> None:
        self.client = client
        self.ticket = ticket
        self.answer = answer
        self.log = log
        self.heard: queue.SimpleQueue[tuple[str, str, Any]] = queue.SimpleQueue()
        """Kind, attempt, content: events of the worker, `done` and `cancel` of our own."""
        self.attempts: list[str] = []

    def see_through(self, cancel: Cancel | None, resources: Mapping[str, float]) -> Answer:
        future: Future = self.client.submit(
            carry_out,
            self.ticket,
            key=f"{self.ticket.asset}-{self.ticket.id}",
            pure=False,
            retries=0,
            resources=dict(resources) or None,
        )
        future.add_done_callback(lambda _future: self.heard.put(("done", "", None)))
        forget = (
            cancel.on_cancel(lambda: self.heard.put(("cancel", "", None)))
            if cancel is not None
            else None
        )
        if cancel is not None and cancel.is_cancelled:
            self.heard.put(("cancel", "", None))
        try:
            while (heard := self.heard.get())[0] != "done":
                self._take(*heard, future)
            return self._last(future)
        finally:
            if forget is not None:
                forget()
            future.release()
            for attempt in self.attempts:
                with contextlib.suppress(OSError):
                    self._down(attempt).close()

    def _take(self, kind: str, attempt: str, content: Any, future: Future) -> None:
        match kind:
            case "started":
                if self.attempts:
                    self.log(f"a Dask worker was lost; started again on {content}", "stderr")
                self.attempts.append(attempt)
            case "lines":
                for text, stream in pickle.loads(content):  # noqa: S301  # from our own task
                    self.log(text, stream)
            case "cancel" if not self.attempts:
                future.cancel()  # it waits for a free worker
                raise self._cancelled()
            case "cancel":
                self._down(self.attempts[-1]).put(("stop", b""))
            case "message" if attempt == self.attempts[-1]:
                reply = self.answer(pickle.loads(content))  # noqa: S301  # from our own task
                if reply is not None:
                    self._down(attempt).put(("reply", pickle.dumps(reply, protocol=5)))
            case _:
                pass

    def _last(self, future: Future) -> Answer:
        if future.status == "finished":
            return cast("Answer", pickle.loads(future.result()))  # noqa: S301  # from our own task
        if future.status == "cancelled":
            raise self._cancelled()
        error = future.exception()
        if isinstance(error, KilledWorker):
            raise StepFailed(
                "A7112",
                f"{self.ticket.asset} was started {max(len(self.attempts), 1)} times, and each "
                "time its Dask worker was lost.",
                hint="Often workers are killed because memory runs out; read in batches.",
                where=Where(asset=self.ticket.asset),
            )
        assert error is not None, "a future that is done has a result or an error"
        raise error

    def _down(self, attempt: str) -> Queue:
        return Queue(self.ticket.down(attempt), client=self.client)

    def _cancelled(self) -> Cancelled:
        where = Where(asset=self.ticket.asset)
        return Cancelled("A7109", f"{self.ticket.asset} was cancelled.", where=where)


def _uses_frames(request: object) -> bool:
    given = request.given if isinstance(request, Build | Judge) else ()
    return any(each.form == "dask" for each in given)
