# SPDX-License-Identifier: Apache-2.0
"""Blocking work beside the event loop: bounded threads, a bounded queue, deadlines that reach in.

A thread cannot be killed. What it waits for (a query) is interrupted, and its place stays taken
until it has noticed, so that slow callers cannot pile up work behind their own time-outs.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

from mainstem.api.settings import ApiSettings
from mainstem.errors import EngineUnavailable, UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

Result = TypeVar("Result")


class Deadline:
    """Tells the work in a thread that nobody waits for it any more; set once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stops: list[Callable[[], None]] = []
        self._is_over = False

    @property
    def is_over(self) -> bool:
        """Whether to stop."""
        return self._is_over

    def end(self) -> None:
        """Stop what is registered, and all that is registered from now on."""
        with self._lock:
            self._is_over = True
            stops = list(self._stops)
        for stop in stops:
            stop()

    @contextmanager
    def stopping(self, stop: Callable[[], None]) -> Iterator[None]:
        """Have `stop` called, from another thread, if the end comes within the block."""
        with self._lock:
            self._stops.append(stop)
            is_over = self._is_over
        if is_over:
            stop()
        try:
            yield
        finally:
            with self._lock, suppress(ValueError):
                self._stops.remove(stop)

    def check(self) -> None:
        """Go on only while somebody waits.

        Raises:
            UserError: Nobody does.
        """
        if self._is_over:
            raise too_long()


class Workbench:
    """The threads in which requests are worked on."""

    def __init__(self, settings: ApiSettings) -> None:
        self._settings = settings
        self._threads = ThreadPoolExecutor(settings.threads, thread_name_prefix="api")
        self._taken = 0

    @property
    def taken(self) -> int:
        """Requests that are worked on or wait."""
        return self._taken

    async def run(self, work: Callable[[Deadline], Result]) -> Result:
        """Do blocking work, within the time that an answer may take.

        Raises:
            UserError: It took longer; the work was told to stop.
            EngineUnavailable: Too many wait already.
        """
        deadline = Deadline()
        future = self.start(work, deadline)
        try:
            done, _pending = await asyncio.wait({future}, timeout=self._settings.timeout_s)
        except asyncio.CancelledError:
            await asyncio.to_thread(deadline.end)
            raise
        if not done:
            await asyncio.to_thread(deadline.end)
            raise too_long()
        return future.result()

    def start(
        self, work: Callable[[Deadline], Result], deadline: Deadline
    ) -> asyncio.Future[Result]:
        """Begin blocking work; whoever does so ends it.

        Raises:
            EngineUnavailable: Too many wait already.
        """
        if self._taken >= self._settings.threads + self._settings.waiting:
            raise EngineUnavailable(
                "A8110", "The server has too much to do.", hint="Ask again in a moment."
            )
        self._taken += 1
        future = asyncio.get_running_loop().run_in_executor(self._threads, work, deadline)
        future.add_done_callback(self._leave)
        return future

    def close(self) -> None:
        """Take no more work."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _leave(self, future: asyncio.Future[Result]) -> None:
        self._taken -= 1
        if not future.cancelled():
            future.exception()  # looked at: nobody may be waiting for it any more


def too_long() -> UserError:
    """Say that an answer took too long."""
    return UserError(
        "A8109",
        "The answer took too long, and was given up.",
        hint="Ask for less: fewer rows, fewer columns, a narrower selection.",
    )
