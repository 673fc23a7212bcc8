# SPDX-License-Identifier: Apache-2.0
"""Time that passes when it is told to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class VirtualClock:
    """Meets `Clock`. What waits by it lets others go on; see `Turns`, which lets time pass."""

    def __init__(self, start: datetime) -> None:
        self._start = start.astimezone(UTC)
        self._passed_s = 0.0
        # A float: a rest of a nanosecond that is slept must pass.
        self._off = timedelta()
        self._now = self._start
        self._wait: Callable[[float], None] = self._pass

    def now(self) -> datetime:
        """Tell the time, aware, in UTC."""
        return self._now

    def monotonic_s(self) -> float:
        """Tell the seconds since the start: never goes back, whatever is done to the clock."""
        return self._passed_s

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self._wait(seconds)

    def set(self, by: timedelta) -> None:
        """Set the clock forward, or back, as an operator would: no time passes."""
        self._off += by
        self.pass_to(self._passed_s)

    def pass_to(self, moment_s: float) -> None:
        """Let it be so many seconds after the start."""
        self._passed_s = max(moment_s, self._passed_s)
        self._now = self._start + timedelta(seconds=self._passed_s) + self._off

    def wait_by(self, wait: Callable[[float], None]) -> None:
        """Let others go on while somebody waits."""
        self._wait = wait

    def _pass(self, seconds: float) -> None:
        self.pass_to(self._passed_s + seconds)
