# SPDX-License-Identifier: Apache-2.0
"""Time that passes when it is told to."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta


class VirtualClock:
    """Meets `Clock`; sleeping is moving on. May be read from any thread."""

    def __init__(self, start: datetime) -> None:
        self._start = start.astimezone(UTC)
        self._passed_s = 0.0
        # A float: a rest of a nanosecond that is slept must pass.
        self._off = timedelta()
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """Tell the time, aware, in UTC."""
        with self._lock:
            return self._start + timedelta(seconds=self._passed_s) + self._off

    def monotonic_s(self) -> float:
        """Tell the seconds since the start: never goes back, whatever is done to the clock."""
        with self._lock:
            return self._passed_s

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        with self._lock:
            self._passed_s += max(seconds, 0.0)

    def set(self, by: timedelta) -> None:
        """Set the clock forward, or back, as an operator would: no time passes."""
        with self._lock:
            self._off += by
