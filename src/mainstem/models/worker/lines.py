# SPDX-License-Identifier: Apache-2.0
"""Lines on their way to another machine: sent together, but never kept back for long."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

Lines = list[tuple[str, str]]
"""Text and stream of each."""
_AT_ONCE = 200
_EVERY_S = 0.5


class LineBatches:
    """Collects what a step prints, and sends it while its block lasts.

    Args:
        send: Takes lines in order; called from the thread that adds them, or from one of our own.
    """

    def __init__(self, send: Callable[[Lines], object]) -> None:
        self._send = send
        self._lines: Lines = []
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tick, name="mainstem-lines", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._over.set()
        self.flush()

    def add(self, text: str, stream: str) -> None:
        """Take a line."""
        with self._lock:
            self._lines.append((text, stream))
            is_due = len(self._lines) >= _AT_ONCE
        if is_due:
            self.flush()

    def flush(self) -> None:
        """Send what is there now."""
        with self._lock:
            if self._lines:
                lines, self._lines = self._lines, []
                self._send(lines)

    def _tick(self) -> None:
        while not self._over.wait(_EVERY_S):
            self.flush()
