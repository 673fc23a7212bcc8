# SPDX-License-Identifier: Apache-2.0
"""Threads that carry out attempts and gates; one that hangs is left behind and replaced."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue


class Threads:
    """Daemon threads, started as needed and used again.

    Not a `ThreadPoolExecutor`: that one waits for all its threads when the process ends, and so
    for a step that hangs.
    """

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._free = 0
        self._count = 0

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
