# SPDX-License-Identifier: Apache-2.0
"""Promises of one open project, judged on the branch of its environment.

Called by the server's loop; `why` and the API ask how promises stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime

from mainstem.automation import (
    Standing,
    Triggers,
    judge_promises,
    standings,
)
from mainstem.database import Transaction
from mainstem.errors import RefNotFound
from mainstem.graph import Graph, PartitionSet, TimePartitions, parts_of, union_of_parts
from mainstem.lake import Entry
from mainstem.observers import Late
from mainstem.project.loaded import LoadedProject
from mainstem.project.recording import Recording
from mainstem.project.reported import reported_at
from mainstem.project.services import Services
from mainstem.state import current_at, updated_at
from mainstem.types import AssetKey

LeaderWrite = Callable[[], AbstractContextManager[Transaction]]


class Promises:
    """Judges promises of freshness, and tells of those that became late.

    Args:
        loaded: The project.
        services: Database.
        recording: Writes the alerts.
        branch: Where assets are looked at.
    """

    def __init__(
        self, loaded: LoadedProject, services: Services, recording: Recording, branch: str
    ) -> None:
        self._promises = (loaded.triggers or Triggers()).promises
        self._environment = loaded.environment.name
        self._graph = loaded.graph
        self._services = services
        self._recording = recording
        self._branch = branch

    def all(self) -> list[Standing]:
        """Tell how each promise stands now."""
        now = self._services.clock.now()
        pending = self._pending(now)
        with self._services.database.read() as transaction:
            updated = self._updated(transaction)
            return standings(
                transaction,
                self._promises,
                updated,
                pending=pending,
                branch=self._branch,
                now=now,
            )

    def _updated(self, transaction: Transaction) -> dict[AssetKey, datetime]:
        """Tell when each was brought up to date last, or found so: by a run, or by others."""
        found = updated_at(transaction, self._branch, self._promises)
        for key, at in current_at(transaction, self._branch, self._promises).items():
            found[key] = max(at, found.get(key, at))
        lake = self._services.lake
        return {**found, **reported_at(lake, self._graph, self._promises, self._branch)}

    def _pending(self, now: datetime) -> dict[AssetKey, datetime]:
        """Tell of partitioned assets since when a partition is waited for."""
        parted = [key for key in self._promises if self._graph.assets[key].partitions is not None]
        try:
            entries = self._services.lake.entries(self._branch) if parted else {}
        except RefNotFound:
            entries = {}
        return pending_partitions(self._graph, parted, entries, now)

    def turn(self, write: LeaderWrite, now: datetime) -> list[Standing]:
        """Judge all promises; alerts are written for what became late, once each, and well."""
        pending = self._pending(now)
        with write() as transaction:
            updated = self._updated(transaction)
            found = judge_promises(
                transaction,
                self._promises,
                updated,
                pending=pending,
                branch=self._branch,
                now=now,
            )
            # In the transaction that notes them: a kill in between would tell nobody, ever.
            self._recording.tell_late(transaction, self._changed(found, "late"), now=now)
            self._recording.tell_on_time(transaction, self._changed(found, "recovered"), now=now)
        return found

    def _changed(self, found: Iterable[Standing], change: str) -> list[Late]:
        return [
            Late(
                key=one.key,
                branch=self._branch,
                environment=self._environment,
                promise=one.promise,
                since=one.freshness.due_at,
            )
            for one in found
            if one.change == change
        ]


def pending_partitions(
    graph: Graph,
    keys: Iterable[AssetKey],
    entries: Mapping[AssetKey, Entry],
    now: datetime,
) -> dict[AssetKey, datetime]:
    """Tell since when the first partition that is not built is over, of assets parted by time.

    Where nothing is missing, and where partitions have no end, there is no answer.
    """
    found = {}
    for key in keys:
        partitioning = graph.assets[key].partitions
        definition = None if partitioning is None else partitioning.definition
        if not isinstance(definition, TimePartitions):
            continue
        missing = PartitionSet.existing(definition, now)
        entry = entries.get(key)
        if entry is not None:
            missing -= union_of_parts(parts_of(entry.provenance, definition), definition)
        if missing:
            found[key] = definition.window(missing.spans[0][0])[1]
    return found
