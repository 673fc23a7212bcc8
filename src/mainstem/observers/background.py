# SPDX-License-Identifier: Apache-2.0
"""Work for other systems beside a run: in order, in one thread, dropped rather than waited for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

_WAITING_LIMIT = 10_000
_FAILURES_LIMIT = 3


class Background:
    """Does jobs one after the other; a receiver that fails three times in a row is left alone.

    What a job raises is its own affair: it counts as a failure, and nobody hears of it.
    """

    def __init__(self, name: str) -> None:
        self.dropped = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._lock = threading.Lock()
        self._waiting: list[Future[bool]] = []
        self._failures = 0
        self._is_closed = False

    def submit(self, job: Callable[[], bool]) -> None:
        """Do a job later; it tells whether it went well. Returns at once, from any thread."""
        with self._lock:
            self._waiting = [one for one in self._waiting if not one.done()]
            if self._is_closed or len(self._waiting) >= _WAITING_LIMIT:
                self.dropped += 1
                return
            future = self._thread.submit(self._guarded, job)
            future.add_done_callback(self._count)
            self._waiting.append(future)

    def close(self, *, wait_s: float) -> None:
        """Wait a little for what is left, and drop the rest."""
        with self._lock:
            self._is_closed = True
            waiting = list(self._waiting)
        wait(waiting, timeout=wait_s)
        self._failures = _FAILURES_LIMIT
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _guarded(self, job: Callable[[], bool]) -> bool:
        if self._failures >= _FAILURES_LIMIT:
            self.dropped += 1
            return True
        return job()

    def _count(self, done: Future[bool]) -> None:
        if done.cancelled():
            return
        is_well = done.exception() is None and done.result()
        if self._failures < _FAILURES_LIMIT:
            self._failures = 0 if is_well else self._failures + 1
