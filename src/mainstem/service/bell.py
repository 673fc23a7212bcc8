# SPDX-License-Identifier: Apache-2.0
"""What wakes the loop: rung from any thread of this process, and by commits of other processes."""

from __future__ import annotations

import threading

from mainstem.database import Watch


class Bell:
    """A flag that is waited for, by one thread."""

    def __init__(self) -> None:
        self._rung = threading.Event()
        self._watch: Watch | None = None

    def ring(self) -> None:
        """Let who waits go on, now or when it waits next."""
        self._rung.set()
        if self._watch is not None:
            self._watch.wake()

    def listen(self, watch: Watch | None) -> None:
        """Ring for commits of other processes, too; by the thread that waits."""
        if self._watch is not None:
            self._watch.close()
        self._watch = watch

    def wait(self, seconds: float) -> None:
        """Wait for the bell, at most so long, and forget that it rang."""
        if self._watch is None:
            self._rung.wait(seconds)
        elif not self._rung.is_set():
            self._watch.wait(seconds)
        self._rung.clear()
