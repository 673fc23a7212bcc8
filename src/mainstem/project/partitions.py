# SPDX-License-Identifier: Apache-2.0
"""Partitions of a project's assets: how they stand on its branch, keys to add, data to delete."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from mainstem import state
from mainstem.errors import BranchConflict, SelectionInvalid
from mainstem.graph import (
    Asset,
    DynamicPartitions,
    Graph,
    PartitionSet,
    overlaid,
    parts_of,
    parts_version,
    record_of_parts,
    row_rule,
    union_of_parts,
)
from mainstem.lake import Commit, Entry, Lake
from mainstem.project.planning import Planning
from mainstem.project.services import Services
from mainstem.runs import Cutter, prune, rows_outside, with_partition_keys
from mainstem.types import AssetKey, Clock, TableRef, TableWrite, dataclass

_LONGEST_KEY = 255


class OpenProject(Protocol):
    """What is needed of a `Project`; all of it may be asked at any time."""

    @property
    def branch(self) -> str:
        """The target."""
        ...

    @property
    def reading_ref(self) -> str:
        """What reads see: the branch, or where it will begin."""
        ...

    @property
    def clock(self) -> Clock:
        """Source of time."""
        ...

    @property
    def lake(self) -> Lake:
        """Its lake."""
        ...

    @property
    def graph(self) -> Graph:
        """Its assets."""
        ...

    @property
    def services(self) -> Services:
        """Its database, and more."""
        ...

    @property
    def planning(self) -> Planning:
        """What makes its plans."""
        ...

    def key(self, name: str, *, at: str | None = None) -> AssetKey:
        """Give the asset that a name means."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionsStatus:
    """How the partitions of one asset stand on a branch; every set is ranges, however large."""

    key: AssetKey
    branch: str
    existing: PartitionSet
    built: PartitionSet
    """Built from today's code and inputs."""
    stale: PartitionSet
    """Built, from older ones."""
    missing: PartitionSet
    failed: PartitionSet
    """Whose last attempt failed or was held; they are missing or stale too."""
    running: PartitionSet
    """Being built by a run that goes on."""
    failures: tuple[state.PartitionFailure, ...] = ()

    def sets(self) -> tuple[tuple[str, PartitionSet], ...]:
        """Give the sets by what they say, as they are shown."""
        return (
            ("built", self.built),
            ("stale", self.stale),
            ("missing", self.missing),
            ("failed", self.failed),
            ("running", self.running),
        )


def partitions_of(project: OpenProject, asset: str) -> PartitionsStatus:
    """Tell how the partitions of an asset stand, without a look at sources.

    Raises:
        AssetNotFound: There is no such asset.
        SelectionInvalid: It has no partitions (A1086).
    """
    found = _partitioned(project, asset)
    decision = project.planning.partitions(found.key, project.reading_ref)
    definition = decision.existing.definition
    built = union_of_parts(decision.before, definition) & decision.existing
    stale = built & (decision.build | decision.lacking | decision.reverted)
    with project.services.database.read() as transaction:
        failures = state.partition_failures(transaction, found.key, branch=project.branch)
        running = state.running_partitions(transaction, found.key, branch=project.branch)
    return PartitionsStatus(
        key=found.key,
        branch=project.branch,
        existing=decision.existing,
        built=built - stale,
        stale=stale,
        missing=decision.existing - built,
        failed=_stored((item.partition for item in failures), decision.existing),
        running=_stored(running, decision.existing),
        failures=tuple(failures),
    )


def add_partitions(project: OpenProject, asset: str, keys: Sequence[str]) -> list[str]:
    """Add keys to the list of dynamic partitions of an asset; gives those that are new.

    Raises:
        SelectionInvalid: It has no such list, or more than one (A1086); a key is empty, too long
            or cannot be printed (A1083).
    """
    name = _list_of(_partitioned(project, asset))
    for key in keys:
        if not key.strip() or len(key) > _LONGEST_KEY or not key.isprintable():
            raise SelectionInvalid(
                "A1083",
                f"{key[:40]!r} cannot be the key of a partition: it has from 1 to {_LONGEST_KEY} "
                "characters that can be printed.",
            )
    with project.services.database.write() as transaction:
        return state.add_partition_keys(transaction, name, keys, now=project.clock.now())


def remove_partitions(project: OpenProject, asset: str, keys: Sequence[str]) -> int:
    """Take keys from the list of dynamic partitions of an asset; its rows stay until deleted.

    Raises:
        SelectionInvalid: It has no such list, or more than one (A1086).
    """
    name = _list_of(_partitioned(project, asset))
    with project.services.database.write() as transaction:
        return state.remove_partition_keys(transaction, name, keys, now=project.clock.now())


def delete_partitions(project: OpenProject, asset: str, text: str) -> tuple[Commit | None, int]:
    """Delete the rows of partitions and what is recorded of them, in one commit.

    Args:
        project: Open on the branch to delete from; a protected one takes it as a publish.
        asset: Whose partitions.
        text: Which: a set.

    Returns:
        The commit, and how many rows are gone; no commit if there was nothing to delete.

    Raises:
        SelectionInvalid: The set cannot be read.
        BranchConflict: The table was changed in between.
    """
    found = _partitioned(project, asset)
    assert found.partitions is not None, "it was looked up as partitioned"
    lake, key = project.lake, found.key
    entry = lake.entry(key, project.branch)
    if entry is None:
        return None, 0
    before = parts_of(entry.provenance, found.partitions.definition)
    there = union_of_parts(before, found.partitions.definition)
    some = PartitionSet.parse(text, found.partitions.definition, within=there) & there
    table = lake.relation(key, project.branch)
    if not some or not isinstance(table, TableRef):
        return None, 0
    rule = row_rule(some, found.partitions.columns)
    files = prune(table, rule)
    cutter = Cutter(
        lake=lake,
        engine=lambda: project.services.engine,
        branch=project.branch,
        attempt=f"delete-{entry.provenance.data_version[:8]}",
    )
    rest = rows_outside(cutter, found, table, files.mixed, rule)
    parts = overlaid(before, some, ())
    version = parts_version(parts)
    write = TableWrite(
        key=key,
        operation="upsert",
        provenance=replace(
            entry.provenance,
            data_version=version,
            fingerprint=version,
            partitions=record_of_parts(parts),
        ),
        schema=table.schema,
        spec=table.spec,
        table_id=table.table_id,
        added=rest,
        removed=tuple(file.path for file in (*files.exact, *files.mixed)),
    )
    before_count = sum(file.record_count for file in (*files.exact, *files.mixed))
    rows = before_count - sum(file.record_count for file in rest)
    message = f"delete partitions {some.text()} of {key}"
    return _published(project, entry, write, [one.text() for one in some.each()], message), rows


def _published(
    project: OpenProject, before: Entry, write: TableWrite, gone: Sequence[str], message: str
) -> Commit:
    """Commit a change by way of a branch of its own, as protected branches want it."""
    lake, key = project.lake, write.key
    branch = f"delete/{key.name}-{write.provenance.data_version[:8]}"
    with project.services.database.write(durable=True) as transaction:
        if lake.entry(key, project.branch) != before:
            # The record of partitions is written whole: what came since would be missing in it.
            raise BranchConflict(
                "A5031",
                f"{key} changed on {project.branch} while its partitions were being deleted.",
                hint="Nothing was deleted; ask again.",
            )
        lake.create_branch(branch, at=project.branch, transaction=transaction)
        lake.commit(branch, [write], message=message, transaction=transaction)
        commit: Commit = lake.publish(
            branch, project.branch, [key], message=message, transaction=transaction
        )
        lake.delete_branch(branch, transaction=transaction)
        state.forget_failures(transaction, key, gone, branch=project.branch)
    return commit


def _partitioned(project: OpenProject, asset: str) -> Asset:
    key = project.key(asset)
    graph = with_partition_keys(project.graph, project.services.database)
    found = graph.assets[key]
    if found.partitions is None:
        raise SelectionInvalid(
            "A1086",
            f"{key} has no partitions.",
            hint="A model has them with `partitions:`, see `mainstem explain A2066`.",
        )
    return found


def _list_of(asset: Asset) -> str:
    """Give the name of the only list of dynamic partitions that an asset has."""
    assert asset.partitions is not None, "it was looked up as partitioned"
    names = {
        of.name
        for of in asset.partitions.definition.dimensions
        if isinstance(of, DynamicPartitions)
    }
    if len(names) != 1:
        what = "no dynamic partitions" if not names else "more than one list of them"
        raise SelectionInvalid(
            "A1086",
            f"{asset.key} has {what}: keys cannot be added or removed.",
            hint="partitions: {dynamic: customers, column: customer}",
        )
    return names.pop()


def _stored(texts: Iterable[str], existing: PartitionSet) -> PartitionSet:
    found = PartitionSet(existing.definition)
    for text in texts:
        found |= PartitionSet.parse(text, existing.definition, is_stored=True)
    return found & existing
