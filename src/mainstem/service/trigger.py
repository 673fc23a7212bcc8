# SPDX-License-Identifier: Apache-2.0
"""The port of what launches by itself: schedules, sensors, conditions, backfills.

A trigger decides from stored facts and writes its records, and the launches that follow, in one
transaction of the leader: a server that was deposed in the meantime writes neither.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from mainstem.database import Transaction

LeaderWrite = Callable[[], AbstractContextManager[Transaction]]
"""Opens a write transaction in which this server leads; raises `LeaseLost` if it does not."""


class Trigger(Protocol):
    """Something that is asked from time to time whether anything is due."""

    @property
    def name(self) -> str:
        """For messages: `schedules`, `sensor inbox`."""
        ...

    @property
    def hears_runs(self) -> bool:
        """Whether it wants to be asked again as soon as a run has ended."""
        ...

    def turn(self, write: LeaderWrite, now: datetime) -> datetime | None:
        """Launch what is due, in a thread of its own; not called again before it returns.

        Returns:
            When to ask again; nothing: only after a run has ended or the project has changed.
        """
        ...
