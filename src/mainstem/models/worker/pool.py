# SPDX-License-Identifier: Apache-2.0
"""Warm worker processes: started when needed, kept, replaced when project code has changed."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mainstem.errors import Cancelled, InternalError, Where
from mainstem.models.worker.exchange import Cancel, Conversation, Exchange
from mainstem.models.worker.message import Answer
from mainstem.models.worker.output import Log, Output
from mainstem.models.worker.process import WorkerProcess
from mainstem.models.worker.wear import Wear
from mainstem.records import Redactor
from mainstem.types import Clock, SystemClock

_WAIT_S = 0.1


class WorkerPool:
    """The worker processes of one project.

    Args:
        folder: The project folder: working directory and import root of the workers.
        limit: Processes at most; by default as many as the machine has processors.
        environment: Environment variables of the workers; by default those of this process.
        grace_s: Time between asking a worker to end and killing its process group.
        clock: Measures timeouts.
        wear: When warm workers are given up.
        redactor: Gives what masks secrets in all that workers print.
    """

    def __init__(
        self,
        folder: Path | str,
        *,
        limit: int | None = None,
        environment: Mapping[str, str] | None = None,
        grace_s: float = 5.0,
        clock: Clock | None = None,
        wear: Wear | None = None,
        redactor: Callable[[], Redactor] = Redactor,
    ) -> None:
        self.folder = Path(folder).resolve()
        self._limit = limit or os.cpu_count() or 1
        self._environment = environment
        self._grace_s = grace_s
        self.clock: Clock = clock or SystemClock()
        self._wear = wear or Wear()
        self._redactor = redactor
        self._idle: list[WorkerProcess] = []
        self._busy: set[WorkerProcess] = set()
        self._starting = 0
        self._waiting = 0
        self._lent = 0
        self._is_shrinking = False
        self._changed = threading.Condition()
        self._ended = threading.Event()
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.close()

    def run(
        self,
        request: object,
        *,
        asset: str,
        answer: Callable[[Any], object | None],
        log: Log,
        cancel: Cancel | None = None,
        timeout_s: float | None = None,
        is_per_message: bool = False,
    ) -> Answer:
        """Carry out a request in a warm worker, waiting for one if all are busy.

        Args:
            request: `Load`, `Build` or `Judge`.
            asset: What it is for, in errors.
            answer: Takes each message before the last answer; what it returns is sent back.
            log: Takes each line that the user's code prints.
            cancel: Stops it: SIGTERM, some seconds, then SIGKILL of the process group.
            timeout_s: Time for the request, without waiting for a worker.
            is_per_message: Each message starts that time anew.

        Raises:
            StepFailed: It took too long, or the process died.
            Cancelled: It was cancelled.
            EngineUnavailable: No process could be started.
        """
        worker = self._take(asset, cancel)
        conversation = Conversation(asset, answer, log, cancel, timeout_s, is_per_message)
        return self._exchange(worker, request, conversation).finish()

    def begin(
        self,
        request: object,
        *,
        asset: str,
        answer: Callable[[Any], object | None],
        log: Log,
        cancel: Cancel,
    ) -> Exchange | None:
        """Send a request to a warm worker that idles, and wait for nothing; `None` without one.

        Takes what `run` takes. Whoever calls this has to `finish` what it gives.
        """
        worker = self._take_idle()
        if worker is None:
            return None
        return self._exchange(worker, request, Conversation(asset, answer, log, cancel))

    def _exchange(
        self, worker: WorkerProcess, request: object, conversation: Conversation
    ) -> Exchange:
        exchange = Exchange(
            worker,
            conversation,
            output=lambda: Output(conversation.log, redactor=self._redactor(), clock=self.clock),
            give_back=self._give_back,
            grace_s=self._grace_s,
        )
        exchange.send(request)
        return exchange

    @property
    def limit(self) -> int:
        """Processes at most."""
        return self._limit

    @contextmanager
    def lending(self) -> Iterator[None]:
        """Let one process more run, while one that runs only waits for others."""
        with self._changed:
            self._lent += 1
            self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._lent -= 1

    def kill(self) -> None:
        """Kill every worker and its children now: the second Ctrl-C."""
        with self._changed:
            workers = [*self._idle, *self._busy]
        for worker in workers:
            worker.kill()

    def close(self) -> None:
        """End all workers; requests under way fail."""
        self._ended.set()
        with self._changed:
            self._is_closed = True
            idle, self._idle = self._idle, []
            busy = list(self._busy)
            self._changed.notify_all()
        for worker in busy:
            worker.cancel()
        for worker in idle:
            worker.close()

    def _take(self, asset: str, cancel: Cancel | None) -> WorkerProcess:
        outdated: list[WorkerProcess] = []
        try:
            with self._changed:
                while True:
                    if self._is_closed:
                        raise InternalError("A9070", "The worker pool is closed.")
                    if cancel is not None and cancel.is_cancelled:
                        raise Cancelled(
                            "A7109", f"{asset} was cancelled.", where=Where(asset=asset)
                        )
                    while self._idle:
                        worker = self._idle.pop()
                        if worker.is_alive and not worker.is_outdated():
                            self._busy.add(worker)
                            return worker
                        outdated.append(worker)
                    if len(self._busy) + self._starting < self._limit + self._lent:
                        self._starting += 1
                        break
                    self._waiting += 1
                    try:
                        self._changed.wait(_WAIT_S if cancel is not None else None)
                    finally:
                        self._waiting -= 1
        finally:
            for worker in outdated:
                worker.close()
        return self._start()

    def _take_idle(self) -> WorkerProcess | None:
        """Take a worker that can begin now; those who wait for one come first."""
        with self._changed:
            if self._is_closed or self._waiting or not self._idle:
                return None
            worker = self._idle[-1]
            if worker.fileno() < 0 or not worker.is_alive or worker.is_outdated():
                return None  # `_take` replaces it
            self._idle.pop()
            self._busy.add(worker)
            return worker

    def _start(self) -> WorkerProcess:
        worker = None
        try:
            worker = WorkerProcess(self.folder, self._environment, self.clock)
        finally:
            with self._changed:
                self._starting -= 1
                if worker is not None:
                    self._busy.add(worker)
                else:
                    self._changed.notify()
        return worker

    def _give_back(self, worker: WorkerProcess, *, is_reusable: bool) -> None:
        with self._changed:
            self._busy.discard(worker)
            is_kept = (
                is_reusable  # it has just answered; whether it lives is asked when it is taken
                and not self._is_closed
                and not worker.is_worn(self._wear)
            )
            if is_kept:
                worker.idle_since_s = self.clock.monotonic_s()
                self._idle.append(worker)
                self._begin_to_shrink()
            self._changed.notify()
        if not is_kept:
            worker.close(wait_s=1.0 if is_reusable else 0.0)

    def _begin_to_shrink(self) -> None:
        """See to it that idle workers end in time; a thread does while there are any to spare."""
        if self._is_shrinking or len(self._idle) <= self._wear.spare:
            return
        self._is_shrinking = True
        threading.Thread(target=self._shrink, name="mainstem-idle-workers", daemon=True).start()

    def _shrink(self) -> None:
        """End workers that nobody needed for long, the longest idle first."""
        left = self._wear.idle_s
        # Not the condition, which tells of each request: a short one would wake this thread too.
        while not self._ended.wait(max(left, 0.0)):
            worker = None
            with self._changed:
                if len(self._idle) <= self._wear.spare:
                    self._is_shrinking = False
                    return
                # The last one given back is taken first, so the first has been idle longest.
                left = self._idle[0].idle_since_s + self._wear.idle_s - self.clock.monotonic_s()
                if left <= 0:
                    worker = self._idle.pop(0)
            if worker is not None:
                worker.close()
