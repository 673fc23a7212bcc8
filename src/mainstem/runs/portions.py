# SPDX-License-Identifier: Apache-2.0
"""Partitions of a table as changes of its files: taken over from elsewhere, or withdrawn.

Each partition is built into files of its own, so its files can be told by their statistics and
moved without being read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

from mainstem.errors import AssetNotFound, RefNotFound
from mainstem.graph import PartitionSet, row_rule
from mainstem.lake import Entry, Lake
from mainstem.runs.context import InputView
from mainstem.runs.cutting import Cutter, rows_outside
from mainstem.runs.rows import condition, prune, with_files
from mainstem.runs.staging import Work
from mainstem.types import AssetKey, DataFile, Provenance, Relation, TableRef, TableWrite


def linked_partitions(lake: Lake, work: Work, commit_id: str) -> Entry | None:
    """Give the entry of a commit that has the partitions of a step, in files of their own."""
    try:
        entry = lake.entry(work.asset.key, commit_id)
        table = lake.relation(work.asset.key, commit_id)
    except (RefNotFound, AssetNotFound):
        return None
    if entry is None or work.slice is None or not isinstance(table, TableRef):
        return None
    files = prune(table, work.slice.rows)
    if files.mixed:
        return None
    return replace(
        entry,
        row_count=sum(file.record_count for file in files.exact),
        file_count=len(files.exact),
        size_bytes=sum(file.size_bytes for file in files.exact),
    )


def link_write(lake: Lake, work: Work) -> TableWrite:
    """Take the files of a step's partitions over from where they were built."""
    assert work.slice is not None, "only partitions are taken over by files"
    source = lake.relation(work.asset.key, work.linked_from)
    assert isinstance(source, TableRef), "a partitioned asset is a table"
    return write_of(source, prune(source, work.slice.rows).exact, ())


def in_place(write: TableWrite, work: Work, cutter: Cutter, tip: str) -> TableWrite:
    """Let the files of a step's partitions stand for those that a branch has of them.

    Files that hold rows of other partitions too are rewritten without those that are replaced.

    Args:
        write: The rows of the partitions, or those of them that were set aside.
        work: What the step builds.
        cutter: Rewrites files.
        tip: Commit of the branch, to which nobody else writes.
    """
    lake, key, slice_ = cutter.lake, write.key, work.slice
    assert slice_ is not None, "only partitions are exchanged by files"
    is_own = key == work.asset.key
    if (is_own and slice_.starts_over) or lake.entry(key, tip) is None:
        return write
    table = lake.relation(key, tip)
    if not isinstance(table, TableRef):
        return write
    if not is_own and condition(slice_.rows, table.schema) is None:
        return write  # set aside when the asset had no partitions
    found = prune(table, slice_.rows)
    rest = rows_outside(cutter, work.asset, table, found.mixed, slice_.rows)
    return exchanged(write, (*write.added, *rest), (*found.exact, *found.mixed))


def write_of(
    table: TableRef, added: tuple[DataFile, ...], removed: tuple[DataFile, ...]
) -> TableWrite:
    """Replace files of a table by others of the same table."""
    write = TableWrite(
        key=table.key,
        operation="append",
        provenance=Provenance(origin="derived", data_version=""),
        schema=table.schema,
        spec=table.spec,
        table_id=table.table_id,
    )
    return exchanged(write, added, removed)


def exchanged(
    write: TableWrite, added: tuple[DataFile, ...], removed: tuple[DataFile, ...]
) -> TableWrite:
    """Let a change put files in the place of others; those that are on both sides stay."""
    kept = {file.path for file in added}
    there = {file.path for file in removed}
    gone = tuple(file.path for file in removed if file.path not in kept)
    return replace(
        write,
        operation="upsert" if gone else "append",
        added=tuple(file for file in added if file.path not in there),
        removed=gone,
    )


def view_of_gates(
    works: Sequence[Work], find: Callable[[AssetKey], Relation]
) -> Callable[[AssetKey], Relation]:
    """Let gates see what their step built: of a partitioned asset its partitions only.

    So of the rows that it set aside. Other tables are restricted as the step's inputs are.
    """
    slices = {work.asset.key: work.slice for work in works if work.slice is not None}
    if not slices:
        return find
    slice_ = next(iter(slices.values()))  # members of a group build the same partitions
    others = InputView(find, slice_.reads)
    beside = {key.quarantine for key in slices}

    @cache
    def relation(key: AssetKey) -> Relation:
        # Each gate asks several times, and to find the files of a slice all are looked at.
        if key not in slices and key not in beside:
            return others.relation(key)
        table = find(key)
        if not isinstance(table, TableRef):
            return table
        return with_files(table, prune(table, slice_.rows).exact)

    return relation


def files_of(table: TableRef, some: PartitionSet, columns: tuple[str, ...]) -> tuple[DataFile, ...]:
    """Give the files that hold rows of partitions and no others."""
    return prune(table, row_rule(some, columns)).exact
