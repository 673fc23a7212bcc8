# SPDX-License-Identifier: Apache-2.0
"""Conditions of one open project: what they look at, on the branch of its environment.

Called by the server's loop. What did not move since the last look is not read again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime

from mainstem.automation import WHOLE, Observed, Reactor, TickRecord, Triggers
from mainstem.database import Transaction
from mainstem.errors import AssetNotFound, RefNotFound
from mainstem.graph import Asset, Bounds, VersionLookup
from mainstem.lake import Entry, Lake
from mainstem.project.loaded import LoadedProject
from mainstem.project.services import Services
from mainstem.runs import bounds_of_changes
from mainstem.state import (
    Launch,
    LaunchRequest,
    dynamic_keys,
    failed_partitions,
    failed_since,
    failing_partitions,
    failures_mark,
    launch_of_run,
    launches,
    leases,
)
from mainstem.types import AssetKey, BuiltPartitions, TableRef

LeaderWrite = Callable[[], AbstractContextManager[Transaction]]
_Texts = Mapping[str, frozenset[str]]


class Conditions:
    """Asks for launches of assets whose condition became true.

    Args:
        loaded: The project.
        services: Database and lake.
        branch: The target.
    """

    def __init__(self, loaded: LoadedProject, services: Services, branch: str) -> None:
        self._loaded = loaded
        self._services = services
        self._branch = branch
        self._seen: Observed | None = None
        self._keys: Mapping[str, tuple[tuple[int, str], ...]] = {}
        self._codes = {key.folded: asset.code_version for key, asset in self._assets.items()}
        self._is_growing = any(
            asset.partitions is not None and asset.partitions.is_dynamic
            for asset in self._assets.values()
        )
        self._versions: tuple[Mapping[AssetKey, Entry], Mapping[str, str]] = ({}, {})
        self._failing: tuple[tuple[int, int], _Texts] = ((0, 0), {})
        self._reactor = self._made()

    def turn(self, write: LeaderWrite, now: datetime) -> list[TickRecord]:
        """Look at what changed, and launch what follows."""
        with self._services.database.read() as transaction:
            self._follow_keys(transaction)
            observed = self._observed(transaction, now)
        if observed == self._seen and not self._reactor.is_due(now):
            return []
        with write() as transaction:
            ticks = self._reactor.turn(transaction, observed, now=now)
        self._seen = observed
        return ticks

    def due_at(self, now: datetime) -> datetime | None:
        """Tell when there will be something to look at though nothing changes."""
        return self._reactor.due_at(now)

    @property
    def _assets(self) -> Mapping[AssetKey, Asset]:
        return self._loaded.graph.effective

    def _made(self) -> Reactor:
        assets = {
            key: asset
            if asset.partitions is None
            else replace(asset, partitions=asset.partitions.with_keys(self._keys))
            for key, asset in self._assets.items()
        }
        return Reactor(
            (self._loaded.triggers or Triggers()).conditions,
            assets,
            branch=self._branch,
            environment=self._loaded.environment.name,
        )

    def _follow_keys(self, transaction: Transaction) -> None:
        """Begin anew, with what is remembered, when keys of dynamic partitions came or went."""
        keys = dynamic_keys(transaction) if self._is_growing else {}
        if keys != self._keys:
            self._keys, self._seen = keys, None
            self._reactor = self._made()

    def _observed(self, transaction: Transaction, now: datetime) -> Observed:
        heard = self._reactor.ended_before(transaction) or now
        failed, ended_at = failed_since(transaction, self._branch, heard)
        parted = failed_partitions(transaction, self._branch, heard) if failed else {}
        mark = failures_mark(transaction, self._branch)
        if mark != self._failing[0]:
            self._failing = (mark, failing_partitions(transaction, self._branch))
        busy = self._busy(transaction)
        lake = self._services.lake
        try:
            commit = lake.resolve(self._branch).id
            entries = lake.entries(commit)
        except RefNotFound:
            commit, entries = "", {}
        return Observed(
            versions=self._versions_of(entries),
            codes=self._codes,
            busy=busy,
            failed={asset: parted.get(asset, frozenset({WHOLE})) for asset in failed},
            failing=self._failing[1],
            ended_at=ended_at,
            commit=commit,
            history=_Tables(lake, commit, entries),
        )

    def _versions_of(self, entries: Mapping[AssetKey, Entry]) -> Mapping[str, str]:
        """Give the versions of all assets; those of views follow from what they read."""
        if entries is not self._versions[0]:
            lookup = VersionLookup(self._assets, entries)
            found = {key.folded: lookup.of(key) or "" for key in self._assets}
            self._versions = (entries, found)
        return self._versions[1]

    def _busy(self, transaction: Transaction) -> _Texts:
        found: dict[str, set[str]] = {}
        by_run: dict[int, Launch | None] = {}
        for lease in leases(transaction, self._branch):
            if lease.run_id not in by_run:
                by_run[lease.run_id] = launch_of_run(transaction, lease.run_id)
            launch = by_run[lease.run_id]
            asked = {} if launch is None else dict(_partitions_of(launch.request))
            found.setdefault(lease.asset, set()).add(asked.get(lease.asset, WHOLE))
        for status in ("queued", "running"):
            for launch in launches(transaction, status=status, origin="condition", limit=1000):
                if launch.request.branch == self._branch:
                    for asset, text in _partitions_of(launch.request):
                        found.setdefault(asset, set()).add(text)
        return {asset: frozenset(texts) for asset, texts in found.items()}


class _Tables:
    """Tables of a commit beside those of earlier ones (port `History`)."""

    def __init__(self, lake: Lake, commit: str, entries: Mapping[AssetKey, Entry]) -> None:
        self._lake = lake
        self._commit = commit
        self._entries = entries

    def partitions(self, asset: str) -> Sequence[BuiltPartitions]:
        entry = self._entries.get(AssetKey.parse(asset))
        return () if entry is None else entry.provenance.partitions

    def partitions_at(self, asset: str, commit: str) -> Sequence[BuiltPartitions] | None:
        try:
            entry = self._lake.entry(AssetKey.parse(asset), commit)
        except RefNotFound:
            return None
        return () if entry is None else entry.provenance.partitions

    def changed_files(self, asset: str, commit: str) -> Sequence[Bounds] | None:
        key = AssetKey.parse(asset)
        try:
            before = self._lake.relation(key, commit)
            after = self._lake.relation(key, self._commit)
        except (AssetNotFound, RefNotFound):
            return None
        if not isinstance(before, TableRef) or not isinstance(after, TableRef):
            return None
        return bounds_of_changes(before, after)


def _partitions_of(request: LaunchRequest) -> Iterator[tuple[str, str]]:
    """Give the assets that a launch names, with the partitions that it wants of them."""
    wanted = {name.casefold(): text for name, text in request.partitions.items()}
    for name in request.select:
        yield name.casefold(), wanted.get(name.casefold(), wanted.get("*", WHOLE))
