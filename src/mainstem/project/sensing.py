# SPDX-License-Identifier: Apache-2.0
"""Sensors and hooks of one open project: what they look at, and where that is written."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial

from mainstem.automation import (
    Delivery,
    Hook,
    Look,
    Receipt,
    Sensor,
    SensorStatus,
    TickRecord,
    begin_look,
    deliveries,
    delivery_request,
    files_arrived,
    find_hook,
    find_sensor,
    finish_look,
    receive,
    sensor_statuses,
    set_sensor_cursor,
    switch_sensor,
    table_moved,
    ticks,
)
from mainstem.config import Variables
from mainstem.errors import MainstemError, RefNotFound, UserError
from mainstem.models import look
from mainstem.project.loaded import LoadedProject
from mainstem.project.services import Services
from mainstem.state import LaunchRequest
from mainstem.types import AssetKey, SensorAnswer


class Sensors:
    """Lists, switches and evaluates sensors.

    Args:
        sensors: By name.
        loaded: The project.
        services: Database, lake, workers, clock.
    """

    def __init__(
        self, sensors: Mapping[str, Sensor], loaded: LoadedProject, services: Services
    ) -> None:
        self._sensors = sensors
        self._loaded = loaded
        self._services = services
        self._database = services.database
        self._clock = services.clock

    def all(self) -> list[SensorStatus]:
        """Tell of each whether it is on, when it looks next and what it saw last."""
        with self._database.read() as transaction:
            return sensor_statuses(transaction, self._sensors.values())

    def status(self, name: str) -> SensorStatus:
        """Tell of one sensor."""
        sensor = find_sensor(self._sensors, name)
        with self._database.read() as transaction:
            return sensor_statuses(transaction, [sensor])[0]

    def switch(self, name: str, *, on: bool) -> SensorStatus:
        """Turn a sensor on or off, whatever the file says."""
        sensor = find_sensor(self._sensors, name)
        with self._database.write() as transaction:
            switch_sensor(transaction, sensor, on=on, now=self._clock.now())
            return sensor_statuses(transaction, [sensor])[0]

    def set_cursor(self, name: str, cursor: str) -> SensorStatus:
        """Let a sensor look on from elsewhere; empty: from the start."""
        sensor = find_sensor(self._sensors, name)
        with self._database.write() as transaction:
            set_sensor_cursor(transaction, sensor, cursor, now=self._clock.now())
            return sensor_statuses(transaction, [sensor])[0]

    def run(self, name: str) -> TickRecord | None:
        """Look now, due or not, on or off, and launch what it asks for.

        Returns:
            The tick; nothing if the sensor was changed while it looked.
        """
        sensor = find_sensor(self._sensors, name)
        with self._database.write() as transaction:
            claimed = begin_look(transaction, sensor, now=self._clock.now(), by_hand=True)
        assert claimed is not None, "by hand it is always due"
        answer = self.answer(claimed)
        with self._database.write() as transaction:
            return finish_look(transaction, claimed, answer, now=self._clock.now())

    def peek(self, name: str) -> tuple[Look, SensorAnswer]:
        """Look now, and write nothing.

        Raises:
            StepFailed: The sensor raised or hung.
        """
        sensor, now = find_sensor(self._sensors, name), self._clock.now()
        with self._database.read() as transaction:
            (status,) = sensor_statuses(transaction, [sensor])
        claimed = Look(sensor=sensor, cursor=status.cursor, since=status.since or now, at=now)
        return claimed, self._seen(claimed)

    def ticks(self, name: str = "", *, limit: int = 20) -> list[TickRecord]:
        """List what looks became, newest first; looks that saw nothing count on one."""
        if name:
            find_sensor(self._sensors, name)
        with self._database.read() as transaction:
            return ticks(transaction, "sensor", name=name, limit=limit)

    def answer(self, claimed: Look) -> SensorAnswer | MainstemError:
        """Make a look that was claimed; whatever goes wrong is the answer."""
        try:
            return self._seen(claimed)
        except MainstemError as error:
            return error

    def _seen(self, claimed: Look) -> SensorAnswer:
        sensor = claimed.sensor
        match sensor.kind:
            case "files":
                return files_arrived(self._services.folder, sensor.files, claimed.cursor)
            case "table":
                return self._table(sensor, claimed.cursor)
            case "python":
                return look(
                    self._services.workers,
                    sensor.function,
                    cursor=claimed.cursor,
                    now=claimed.at,
                    timeout_s=sensor.timeout.total_seconds(),
                )

    def _table(self, sensor: Sensor, cursor: str) -> SensorAnswer:
        branch = sensor.branch or self._loaded.environment.branch
        key = self._loaded.graph.names.find(sensor.table) or AssetKey.parse(sensor.table)
        try:
            entry = self._services.lake.entry(key, branch)
        except RefNotFound:
            entry = None
        return table_moved(
            str(key), branch, entry.provenance.data_version if entry else None, cursor
        )


class Hooks:
    """Takes deliveries, and tells of them.

    Args:
        hooks: By name.
        services: Database and clock.
        variables: Resolve secrets when they are first needed.
    """

    def __init__(self, hooks: Mapping[str, Hook], services: Services, variables: Variables) -> None:
        self._hooks = hooks
        self._services = services
        self._variables = variables

    def all(self) -> list[Hook]:
        """Give the hooks of the project; secrets are as written."""
        return list(self._hooks.values())

    def find(self, name: str) -> Hook:
        """Find a hook: for its `max_bytes`, before the body is read.

        Raises:
            UserError: There is none.
        """
        return find_hook(self._hooks, name)

    def receive(self, name: str, headers: Mapping[str, str], body: bytes) -> Receipt:
        """Take a request to `/hooks/NAME`; when this returns, it survives a power failure.

        Raises:
            UserError: There is no such hook.
            ConfigInvalid: A variable of its secret is not set.
        """
        hook = self.find(name)
        expand = partial(self._variables.expand, where=hook.where, of=f"hook `{name}`")
        secrets = [expand(secret) for secret in hook.secrets]
        with self._services.database.write(durable=True) as transaction:
            return receive(
                transaction, hook, headers, body, secrets=secrets, now=self._services.clock.now()
            )

    def deliveries(self, name: str, *, limit: int = 20) -> list[Delivery]:
        """List what came, newest first."""
        hook = self.find(name)
        with self._services.database.read() as transaction:
            return deliveries(transaction, hook.name, limit=limit)

    def last_request(self, name: str, now: datetime) -> LaunchRequest:
        """Give what the last delivery would launch, came it now.

        Raises:
            UserError: None ever came.
        """
        found = self.deliveries(name, limit=1)
        if not found:
            raise UserError(
                "A2216",
                f"Hook `{name}` has received nothing yet.",
                hint="A dry run uses the last delivery: send one first.",
            )
        (last,) = found
        return delivery_request(
            self.find(name), last.dedup_key, last.body.encode(), delivery_id=last.id, at=now
        )
