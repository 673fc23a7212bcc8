# SPDX-License-Identifier: Apache-2.0
"""What a project launches by itself: schedules, sensors, conditions; and its promises."""

from __future__ import annotations

from datetime import datetime, timedelta

from mainstem.automation import (
    Sensor,
    Triggers,
    begin_look,
    evaluate,
    finish_look,
    next_look,
    next_wake,
    sync,
)
from mainstem.database import Database
from mainstem.project import Project
from mainstem.service.trigger import LeaderWrite, Trigger

_JUDGE = timedelta(seconds=30)
_LOOK = timedelta(seconds=2)
"""Other processes switch schedules and sensors on and off, and the clock may be set back."""


def project_triggers(project: Project) -> list[Trigger]:
    """Give what a project declares."""
    declared = project.loaded.triggers or Triggers()
    found: list[Trigger] = [Schedules(declared, project.services.database)]
    found += [SensorLooks(project, sensor) for sensor in declared.sensors.values()]
    if declared.conditions:
        found.append(AssetConditions(project))
    if declared.promises:
        found.append(FreshnessPromises(project))
    return found


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
            due = next_wake(transaction, "schedule")
        if due is not None and due <= now:
            with write() as transaction:
                evaluate(transaction, self._declared, now=now)
                due = next_wake(transaction, "schedule")
        return now + _LOOK if due is None else min(due, now + _LOOK)


class SensorLooks:
    """One sensor: a look is claimed, made outside of any transaction, and written.

    Args:
        project: Has what the sensor looks at.
        sensor: Which.
    """

    hears_runs = False

    def __init__(self, project: Project, sensor: Sensor) -> None:
        self._sensors = project.automation.sensors
        self._database = project.services.database
        self._clock = project.clock
        self._sensor = sensor
        self._is_new = True

    @property
    def name(self) -> str:
        """For messages."""
        return f"sensor {self._sensor.name}"

    def turn(self, write: LeaderWrite, now: datetime) -> datetime | None:
        """Look if it is due; gives when to ask again."""
        due: datetime | None = now
        if not self._is_new:
            with self._database.read() as transaction:
                due = next_look(transaction, self._sensor, now=now)
        if due is not None and due <= now:
            due = self._look(write, now)
        return now + _LOOK if due is None else min(due, now + _LOOK)

    def _look(self, write: LeaderWrite, now: datetime) -> datetime | None:
        with write() as transaction:
            look = begin_look(transaction, self._sensor, now=now)
        self._is_new = False
        answer = None if look is None else self._sensors.answer(look)
        with write() as transaction:
            now = self._clock.now()
            if look is not None and answer is not None:
                finish_look(transaction, look, answer, now=now)
            return next_look(transaction, self._sensor, now=now)


class AssetConditions:
    """All conditions of assets: looked at when a run has ended, and every other second."""

    name = "conditions"
    hears_runs = True

    def __init__(self, project: Project) -> None:
        self._conditions = project.automation.conditions

    def turn(self, write: LeaderWrite, now: datetime) -> datetime | None:
        """Launch what follows from what changed."""
        self._conditions.turn(write, now)
        return now + _LOOK


class FreshnessPromises:
    """All promises of freshness."""

    name = "promises"
    hears_runs = True

    def __init__(self, project: Project) -> None:
        self._promises = project.automation.promises

    def turn(self, write: LeaderWrite, now: datetime) -> datetime | None:
        """Tell of what became late."""
        self._promises.turn(write, now)
        return now + _JUDGE
