# SPDX-License-Identifier: Apache-2.0
"""The token by which a run stops a step, whatever the step is doing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress


class Cancellation:
    """Meets `CancelToken`; one for each attempt."""

    __slots__ = ("_callbacks", "_is_cancelled", "_lock", "reason")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], None]] = []
        self._is_cancelled = False
        self.reason = ""
        """`cancelled` or `timeout`, once it was used."""

    @property
    def is_cancelled(self) -> bool:
        """Whether the step should stop now."""
        return self._is_cancelled

    def on_cancel(self, stop: Callable[[], None]) -> Callable[[], None]:
        """Register what stops the work; called at once if it is too late already."""
        with self._lock:
            if not self._is_cancelled:
                self._callbacks.append(stop)
                return lambda: self._remove(stop)
        stop()
        return lambda: None

    def cancel(self, reason: str) -> None:
        """Stop the work; a callback that fails does not keep the others from being called."""
        with self._lock:
            if self._is_cancelled:
                return
            self._is_cancelled = True
            self.reason = reason
            callbacks = list(self._callbacks)
        for stop in callbacks:
            # What cannot be stopped is abandoned after its grace, so nothing is lost here.
            with suppress(Exception):
                stop()

    def _remove(self, stop: Callable[[], None]) -> None:
        with self._lock, suppress(ValueError):
            self._callbacks.remove(stop)
