# SPDX-License-Identifier: Apache-2.0
"""The only place that reads the machine's clock; everyone else takes a `Clock` as an argument."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Source of time, so that tests and simulations can supply their own."""

    def now(self) -> datetime:
        """Tell the time, aware, in UTC."""
        ...

    def monotonic_s(self) -> float:
        """Tell seconds from an arbitrary start that never go back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's clock."""

    __slots__ = ()

    def now(self) -> datetime:
        """Tell the time, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        """Tell seconds from an arbitrary start that never go back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)
