# SPDX-License-Identifier: Apache-2.0
"""What planning wants to know about partitions: what may be linked, what failed, what changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from mainstem import state
from mainstem.database import Database
from mainstem.errors import AssetNotFound, RefNotFound
from mainstem.graph import Asset, Bounds, Facts, Graph, Linkable
from mainstem.lake import Lake
from mainstem.runs.rows import bounds_of
from mainstem.types import AssetKey, Clock, DataFile, Schema, TableRef

_KEPT = 256


def with_partition_facts(
    facts: Facts, lake: Lake, database: Database, *, branch: str, clock: Clock
) -> Facts:
    """Let facts know of partitions; nothing is read before it is asked for."""
    registry = _Registry(facts, lake, database, branch, clock)
    return replace(
        facts,
        now=clock.now(),
        changed_files=registry.changed_files,
        part_links=registry.part_links,
        reverted_parts=registry.reverted_parts,
        failed_of=registry.failed_of,
    )


def with_partition_keys(graph: Graph, database: Database) -> Graph:
    """Let partitions that are kept in the state be those that there are now."""
    growing = [
        asset
        for asset in graph.assets.values()
        if asset.partitions is not None and asset.partitions.is_dynamic
    ]
    if not growing:
        return graph
    database.migrate(state.ALL_MIGRATIONS)
    with database.read() as transaction:
        keys = state.dynamic_keys(transaction)

    def known(assets: Mapping[AssetKey, Asset]) -> dict[AssetKey, Asset]:
        found = dict(assets)
        for asset in growing:
            now = assets[asset.key]
            if now.partitions is not None:
                found[asset.key] = replace(now, partitions=now.partitions.with_keys(keys))
        return found

    return replace(graph, assets=known(graph.assets), effective=known(graph.effective))


def bounds_of_changes(before: TableRef, after: TableRef) -> tuple[Bounds, ...] | None:
    """Give the bounds of the files that two versions of a table do not share.

    Returns:
        Of each such file; nothing if they are different tables.
    """
    if before.table_id != after.table_id:
        return None
    one = {file.path: file for file in before.files}
    two = {file.path: file for file in after.files}
    changed = [
        *(file for path, file in one.items() if path not in two),
        *(file for path, file in two.items() if path not in one),
    ]
    return tuple(bounds_of(file, _schema_of(file, before, after)) for file in changed)


class _Registry:
    def __init__(
        self, facts: Facts, lake: Lake, database: Database, branch: str, clock: Clock
    ) -> None:
        self._facts = facts
        self._lake = lake
        self._database = database
        self._branch = branch
        self._clock = clock
        # Many partitions ask for the same: what differs between two versions never changes.
        self.changed_files = lru_cache(maxsize=_KEPT)(self._changed_files)

    def part_links(self, key: AssetKey, version: str) -> Sequence[tuple[str, Linkable]]:
        with self._database.read() as transaction:
            found = state.built_partitions(transaction, key, version, now=self._clock.now())
        return [
            (
                item.partitions,
                Linkable(
                    version=version,
                    commit_id=item.commit_id,
                    made_on=f"in run {item.run_id}" if item.branch == self._branch else item.branch,
                    run_id=item.run_id,
                ),
            )
            for item in found
        ]

    def reverted_parts(self, key: AssetKey) -> Sequence[tuple[str, str]]:
        with self._database.read() as transaction:
            found = state.partition_tombstones(transaction, key, branch=self._branch)
        return [(one.version, one.partitions) for one in found]

    def failed_of(self, key: AssetKey) -> str:
        with self._database.read() as transaction:
            failures = state.partition_failures(transaction, key, branch=self._branch)
        return ",".join(item.partition for item in failures)

    def _changed_files(self, key: AssetKey, old: str, new: str) -> tuple[Bounds, ...] | None:
        before, after = self._table(key, old), self._table(key, new)
        if before is None or after is None:
            return None
        return bounds_of_changes(before, after)

    def _table(self, key: AssetKey, version: str) -> TableRef | None:
        """Find a version of a table, wherever it still is."""
        with self._database.read() as transaction:
            commits = [
                item.commit_id
                for item in state.versions_of(transaction, key, version)
                if item.commit_id
            ]
        for commit in commits:
            try:
                table = self._lake.relation(key, commit)
            except (RefNotFound, AssetNotFound):
                continue
            if isinstance(table, TableRef) and table.data_version == version:
                return table
        return None


def _schema_of(file: DataFile, *tables: TableRef) -> Schema:
    for table in tables:
        if file.schema_id in table.schemas:
            return table.schemas[file.schema_id]
    return tables[-1].schema
