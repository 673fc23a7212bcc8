# SPDX-License-Identifier: Apache-2.0
"""Who works beside the thread of a run: the port, and the threads that meet it.

Simulations bring a crew of their own, which works in virtual time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from mainstem.types import Clock

_NAP_S = 0.1
LONGEST_WAIT_S = 0.25
"""A signal that comes just before a thread falls asleep does not wake it, and its handler runs
only once something does: without a limit a Ctrl-C would wait for the next event of a run."""
_PATIENCE_S = 10.0


class Post(Protocol):
    """Messages to a run: put from any thread or signal handler, taken by the run's own."""

    def put(self, message: Any) -> None:
        """Send a message."""
        ...

    def take(self) -> list[Any]:
        """Give what has come, without waiting."""
        ...

    def wait(self, timeout_s: float | None, *, is_idle: bool) -> list[Any]:
        """Give what has come, or comes in time; empty when it is worth another look at the time.

        Args:
            timeout_s: How long to wait; without end if nothing is given.
            is_idle: No thread works, so nothing but timers can be due.
        """
        ...


class Crew(Protocol):
    """Carries out what a run must not wait for."""

    def post(self) -> Post:
        """Give where the run hears of it."""
        ...

    def submit(self, job: Callable[[], None]) -> None:
        """Run a job, which does not raise, as soon as possible."""
        ...

    def repeat(self, act: Callable[[float], bool], every_s: float) -> Callable[[], None]:
        """Do something again and again, until it says no: it is told how much time has passed.

        Returns:
            What ends it.
        """
        ...

    def close(self) -> None:
        """Take no more jobs; those that hang are left behind."""
        ...


class Threads:
    """Daemon threads, started as needed and used again; meets `Crew`.

    Not a `ThreadPoolExecutor`: that one waits for all its threads when the process ends, and so
    for a step that hangs.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._free = 0
        self._count = 0

    def post(self) -> Post:
        """Make a queue between threads."""
        return _ThreadPost(self._clock)

    def submit(self, job: Callable[[], None]) -> None:
        """Run a job, which does not raise, as soon as possible."""
        with self._lock:
            if self._free:
                self._free -= 1
            else:
                self._count += 1
                name = f"step-{self._count}"
                threading.Thread(target=self._work, name=name, daemon=True).start()
        self._jobs.put(job)

    def repeat(self, act: Callable[[float], bool], every_s: float) -> Callable[[], None]:
        """Do something in a thread of its own: a busy step cannot keep it from being done."""
        over = threading.Event()

        def go_on() -> None:
            while not over.wait(every_s) and act(every_s):
                pass

        thread = threading.Thread(target=go_on, name="heartbeat", daemon=True)
        thread.start()

        def end() -> None:
            over.set()
            thread.join(timeout=_PATIENCE_S)

        return end

    def close(self) -> None:
        """Let free threads end; those that hang end with the process."""
        with self._lock:
            for _ in range(self._count):
                self._jobs.put(None)

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            if job is None:
                return
            job()
            with self._lock:
                self._free += 1


class _ThreadPost:
    """Meets `Post`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._queue: SimpleQueue[Any] = SimpleQueue()
        self.put = self._queue.put

    def take(self) -> list[Any]:
        found: list[Any] = []
        while not self._queue.empty():
            found.append(self._queue.get())
        return found

    def wait(self, timeout_s: float | None, *, is_idle: bool) -> list[Any]:
        if is_idle and timeout_s is not None:
            # By the clock of the run, which tests set by hand.
            self._clock.sleep(min(timeout_s, _NAP_S))
            return self.take()
        try:
            first = self._queue.get(
                timeout=LONGEST_WAIT_S if timeout_s is None else min(timeout_s, LONGEST_WAIT_S)
            )
        except Empty:
            return []
        return [first, *self.take()]
