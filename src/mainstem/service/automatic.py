# SPDX-License-Identifier: Apache-2.0
"""What a project launches by itself, as triggers: its schedules."""

from __future__ import annotations

from datetime import datetime, timedelta

from mainstem.automation import Triggers, evaluate, next_wake, sync
from mainstem.database import Database
from mainstem.project import Project
from mainstem.service.trigger import LeaderWrite, Trigger

_LOOK = timedelta(seconds=2)


def project_triggers(project: Project) -> list[Trigger]:
    """Give what a project declares."""
    declared = project.loaded.triggers or Triggers()
    return [Schedules(declared, project.services.database)]


class Schedules:
    """All schedules of a project: ticks and their launches are written in one transaction.

    Args:
        declared: As the project's files say.
        database: Where ticks are recorded.
    """

    name = "schedules"
    hears_runs = False

    def __init__(self, declared: Triggers, database: Database) -> None:
        self._declared = declared
        self._database = database
        self._is_synced = False

    def turn(self, write: LeaderWrite, now: datetime) -> datetime | None:
        """Write the ticks that are due; gives when the next one is."""
        if not self._is_synced:
            with write() as transaction:
                sync(transaction, self._declared, now=now)
            self._is_synced = True
        if not self._declared.schedules:
            return None
        with self._database.read() as transaction:
            due = next_wake(transaction)
        if due is not None and due <= now:
            with write() as transaction:
                evaluate(transaction, self._declared, now=now)
                due = next_wake(transaction)
        # Other processes switch schedules on and off, and the clock may be set back.
        return now + _LOOK if due is None else min(due, now + _LOOK)
