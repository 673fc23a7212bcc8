# SPDX-License-Identifier: Apache-2.0
"""Undoing a commit of a project: the lake's revert, and tombstones so that it stays undone."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from mainstem import state
from mainstem.database import Database, Transaction
from mainstem.graph import Graph, parts_of, view_tombstone
from mainstem.lake import Commit, Entry, Lake
from mainstem.runs.joining import join_partitions
from mainstem.runs.part_facts import with_partition_keys
from mainstem.runs.tombstones import brought, clear_tombstones, set_tombstones
from mainstem.types import AssetKey, Clock, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Reverted:
    """What a revert did."""

    commit: Commit
    """The inverse, on the branch."""
    keys: tuple[AssetKey, ...]
    """Assets that have their former version again, or are gone."""


def revert_commit(
    lake: Lake,
    database: Database,
    clock: Clock,
    graph: Graph,
    *,
    branch: str,
    commit_id: str,
    keep_cursors: bool = False,
    message: str = "",
) -> Reverted:
    """Undo one commit of a branch, in one that follows it.

    What the commit had made is neither linked nor built there again until code or inputs change,
    or `--force`; cursors go back with it unless they are to be kept.

    Raises:
        RefNotFound: The commit is not in the branch's history.
        BranchConflict: What came after does not let it be undone.
    """
    database.migrate(state.ALL_MIGRATIONS)
    commit = lake.resolve(commit_id)
    after = lake.entries(commit.id)
    before = lake.entries(commit.parents[0]) if commit.parents else {}
    undone = [
        entry
        for key, entry in after.items()
        if key not in before or before[key].content != entry.content
    ]
    gone = [key for key in before if key not in after]
    graph = with_partition_keys(graph, database)
    is_protected = lake.ref(branch).protected
    with database.write(durable=is_protected) as transaction:
        inverse = lake.revert(
            branch,
            commit.id,
            keep_cursors=keep_cursors,
            join=partial(join_partitions, graph),
            message=message,
            transaction=transaction,
        )
        state.add_tombstones(
            transaction,
            branch,
            [(entry.key, _mark(entry)) for entry in undone],
            commit_id=commit.id,
            at=clock.now(),
        )
        for entry in undone:
            _mark_partitions(
                transaction, branch, graph, before.get(entry.key), entry, commit, clock.now()
            )
    return Reverted(commit=inverse, keys=(*(entry.key for entry in undone), *gone))


def _mark_partitions(
    transaction: Transaction,
    branch: str,
    graph: Graph,
    before: Entry | None,
    after: Entry,
    commit: Commit,
    at: datetime,
) -> None:
    """Keep the partitions that a commit had brought away, and let those it had replaced return."""
    asset = graph.effective.get(after.key)
    if asset is None or asset.partitions is None:
        return
    definition = asset.partitions.definition
    old = () if before is None else parts_of(before.provenance, definition)
    new = parts_of(after.provenance, definition)
    reverted = brought(old, new)
    set_tombstones(transaction, branch, after.key, reverted, commit_id=commit.id, at=at)
    clear_tombstones(transaction, branch, after.key, brought(new, old))


def _mark(entry: Entry) -> str:
    if entry.kind == "view":
        return view_tombstone(entry.provenance.code_version)
    return entry.provenance.data_version
