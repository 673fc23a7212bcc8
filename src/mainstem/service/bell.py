# SPDX-License-Identifier: Apache-2.0
"""What wakes the loop: rung from any thread of this process, and by commits of other processes."""

from __future__ import annotations

import threading

from mainstem.database import Watch

_LOOK_S = 0.2
"""Between two looks for commits of others: their launches may wait so long, ours do not. Looking
as often as a watch would cost half of what an idle server takes."""


class Bell:
    """A flag that is waited for, by one thread."""

    def __init__(self) -> None:
        self._rung = threading.Event()
        self._watch: Watch | None = None

    def ring(self) -> None:
        """Let who waits go on, now or when it waits next."""
        self._rung.set()

    def listen(self, watch: Watch | None) -> None:
        """Ring for commits of other processes, too; by the thread that waits."""
        if self._watch is not None:
            self._watch.close()
        self._watch = watch

    def wait(self, seconds: float) -> None:
        """Wait for the bell, at most so long, and forget that it rang."""
        while seconds > 0 and not self._rung.wait(min(seconds, _LOOK_S)):
            seconds -= _LOOK_S
            if self._watch is not None and self._watch.wait(0.0):
                break
        self._rung.clear()
