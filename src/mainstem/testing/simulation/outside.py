# SPDX-License-Identifier: Apache-2.0
"""What comes from outside: answers that sensors will give, and deliveries to hooks."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import Any

import orjson

from mainstem.automation import Hook, Look, Receipt, Sensor, receive, table_moved
from mainstem.database import Transaction
from mainstem.errors import MainstemError, RefNotFound, StepFailed
from mainstem.graph import Graph
from mainstem.lake import Lake
from mainstem.types import AssetKey, RunRequest, SensorAnswer

_SIGNED_WITH = "simulated"


class SimulatedSensors:
    """What each sensor sees when it looks next. Sensors on tables see the world's lake.

    A look that would see nothing is not made: a month has 86,400 of them, each 30 seconds.

    Args:
        graph: For the names of tables.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._answers: dict[str, list[SensorAnswer | MainstemError]] = {}
        self._seen: dict[str, str] = {}

    def notice(self, sensor: str, requests: tuple[RunRequest, ...], cursor: Any) -> None:
        """Let its next look give runs."""
        text = None if cursor is None else orjson.dumps(cursor).decode()
        self._answers.setdefault(sensor, []).append(SensorAnswer(requests=requests, cursor=text))

    def fail(self, sensor: str, times: int, error: str) -> None:
        """Let its next looks raise."""
        failed = StepFailed("A7110", f"sensor {sensor}: {error}")
        self._answers.setdefault(sensor, []).extend([failed] * times)

    def has_news(self, sensor: Sensor, lake: Lake) -> bool:
        """Tell whether a look would see something."""
        if self._answers.get(sensor.name):
            return True
        return sensor.kind == "table" and self._seen.get(sensor.name) != _tip(sensor, lake)

    def answer(self, look: Look, lake: Lake) -> SensorAnswer | MainstemError:
        """Make a look."""
        waiting = self._answers.get(look.sensor.name)
        if waiting:
            return waiting[0]
        return self._table(look, lake)

    def taken(self, look: Look, lake: Lake) -> None:
        """Note that an answer was written: a server that dies before looks again."""
        waiting = self._answers.get(look.sensor.name)
        if waiting:
            waiting.pop(0)
        else:
            self._seen[look.sensor.name] = _tip(look.sensor, lake)

    def _table(self, look: Look, lake: Lake) -> SensorAnswer:
        sensor = look.sensor
        key = self._graph.names.find(sensor.table) or AssetKey.parse(sensor.table)
        branch = sensor.branch or "main"
        try:
            entry = lake.entry(key, branch)
        except RefNotFound:
            entry = None
        version = entry.provenance.data_version if entry else None
        return table_moved(str(key), branch, version, look.cursor)


def deliver(
    transaction: Transaction,
    hook: Hook,
    body: Mapping[str, Any],
    headers: Mapping[str, str],
    *,
    now: datetime,
) -> Receipt:
    """Send a delivery to a hook, signed as it must be."""
    content = orjson.dumps(body)
    time = str(int(now.timestamp()))
    signature = hmac.new(_SIGNED_WITH.encode(), f"{time}.".encode() + content, sha256).hexdigest()
    signed = {**headers, "mainstem-signature": f"t={time},v1={signature}"}
    if hook.scheme == "github" and not (hook.dedup_header or hook.dedup_json):
        hook = replace(hook, dedup_header="x-github-delivery")
    ours = replace(hook, scheme="mainstem")
    return receive(transaction, ours, signed, content, secrets=[_SIGNED_WITH], now=now)


def _tip(sensor: Sensor, lake: Lake) -> str:
    try:
        return lake.ref(sensor.branch or "main").commit_id
    except RefNotFound:
        return ""
