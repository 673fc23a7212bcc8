# SPDX-License-Identifier: Apache-2.0
"""What wakes the loop: rung from any thread, heard by one."""

from __future__ import annotations

import threading


class Bell:
    """A flag that is waited for."""

    def __init__(self) -> None:
        self._rung = threading.Event()

    def ring(self) -> None:
        """Let who waits go on, now or when it waits next."""
        self._rung.set()

    def wait(self, seconds: float) -> None:
        """Wait for the bell, at most so long, and forget that it rang."""
        self._rung.wait(seconds)
        self._rung.clear()
