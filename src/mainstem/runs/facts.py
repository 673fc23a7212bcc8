# SPDX-License-Identifier: Apache-2.0
"""What planning wants to know, from the lake's head and the records of runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mainstem import state
from mainstem.database import Database
from mainstem.graph import (
    Asset,
    Facts,
    Graph,
    HeadEntry,
    Linkable,
    SourceObservation,
    VersionRecord,
    with_recorded_code,
)
from mainstem.types import AssetKey, Clock, Schema


def gather_facts(
    database: Database,
    *,
    entries: Mapping[AssetKey, HeadEntry],
    branch: str,
    clock: Clock,
    observe: Callable[[Asset], SourceObservation | None] | None = None,
    columns_of: Callable[[AssetKey], Mapping[str, str]] | None = None,
    lineage_of: Callable[[Asset], Mapping[str, tuple[tuple[AssetKey, str], ...]]] | None = None,
    schema_of: Callable[[Asset], Schema | None] | None = None,
) -> Facts:
    """Connect a plan to the world; nothing but tombstones is read before it is asked for.

    Args:
        database: With run state.
        entries: Of the commit to plan on: `lake.entries(branch)`.
        branch: The target.
        clock: Tells what has expired.
        observe: Looks at a source; without it every source would be read.
        columns_of: Column names and types that the branch has, for the column report.
        lineage_of: What columns are computed from by today's code; asked only if code changed.
        schema_of: Columns by today's code; asked only if code changed.
    """
    database.migrate(state.ALL_MIGRATIONS)
    registry = _Registry(database, branch, clock)
    with database.read() as transaction:
        reverted = state.tombstones(transaction, branch)

    given = {
        "observe": observe,
        "columns_of": columns_of,
        "lineage_of": lineage_of,
        "schema_of": schema_of,
    }
    others: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return Facts(
        entries=entries,
        record_of=registry.record_of,
        link_of=registry.link_of,
        is_tombstone=lambda key, version: (key.folded, version) in reverted,
        parts_of=registry.parts_of,
        age_of=registry.age_of,
        estimates=registry.estimates,
        **others,
    )


def with_known_texts(
    graph: Graph, database: Database, entries: Mapping[AssetKey, HeadEntry]
) -> Graph:
    """Let assets whose raw text was built before keep the code version that it had then.

    Args:
        graph: As loaded.
        database: With run state.
        entries: Of the commit that a plan or run starts from.
    """

    def codes_of(texts: Mapping[AssetKey, str]) -> Mapping[AssetKey, frozenset[str]]:
        database.migrate(state.ALL_MIGRATIONS)
        with database.read() as transaction:
            return state.codes_of_texts(transaction, texts)

    return with_recorded_code(graph, entries, codes_of)


class _Registry:
    """Versions as other runs left them; records never change, so what was found is kept."""

    def __init__(self, database: Database, branch: str, clock: Clock) -> None:
        self._database = database
        self._branch = branch
        self._clock = clock
        self._found: dict[tuple[str, str], list[state.StoredVersion]] = {}

    def versions(self, key: AssetKey, version: str) -> list[state.StoredVersion]:
        known = self._found.get((key.folded, version))
        if known is None:
            with self._database.read() as transaction:
                known = state.versions_of(transaction, key, version)
            if known:
                self._found[key.folded, version] = known
        return known

    def record_of(self, key: AssetKey, version: str) -> VersionRecord | None:
        for item in self.versions(key, version)[:1]:
            return VersionRecord(
                version=version,
                parent=item.parent,
                operation=item.operation,
                code_version=item.code_version,
                inputs=item.inputs,
                is_uniform=item.is_uniform,
            )
        return None

    def link_of(self, key: AssetKey, version: str) -> Linkable | None:
        now = self._clock.now()
        for item in self.versions(key, version):
            if item.commit_id and (item.expires_at is None or item.expires_at > now):
                made_on = f"in run {item.run_id}" if item.branch == self._branch else item.branch
                return Linkable(
                    version=version,
                    commit_id=item.commit_id,
                    made_on=made_on,
                    run_id=item.run_id,
                    is_published=item.expires_at is None,
                )
        return None

    def age_of(self, key: AssetKey, version: str) -> float | None:
        """Give the seconds since a version was made, or its asset was built on this branch."""
        made = [item.created_at for item in self.versions(key, version)] if version else []
        with self._database.read() as transaction:
            built = state.last_built_at(transaction, key, branch=self._branch)
        # Links record a version again: it is as old as the first of its records.
        moments = [*([min(made)] if made else []), *([built] if built is not None else [])]
        return (self._clock.now() - max(moments)).total_seconds() if moments else None

    def estimates(
        self, keys: Sequence[AssetKey]
    ) -> Mapping[AssetKey, tuple[int | None, float | None]]:
        with self._database.read() as transaction:
            return state.last_costs(transaction, keys)

    def parts_of(self, key: AssetKey, code_version: str) -> Mapping[str, str]:
        with self._database.read() as transaction:
            return state.parts_of(transaction, key, code_version)
