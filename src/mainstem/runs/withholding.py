# SPDX-License-Identifier: Apache-2.0
"""Publishing a partitioned table without the partitions that are held: those stay as they were.

All partitions of a run are on its branch, where the held ones can be looked at. What is published
is taken from a branch beside it, on which their files are exchanged for those that the target has.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from mainstem.graph import (
    PartitionSet,
    overlaid,
    parts_of,
    parts_version,
    record_of_parts,
    row_rule,
    union_of_parts,
)
from mainstem.runs.book import Book
from mainstem.runs.cutting import rows_within
from mainstem.runs.moves import EndRun
from mainstem.runs.portions import files_of, write_of
from mainstem.runs.rows import prune
from mainstem.runs.scope import Scope
from mainstem.types import AssetKey, DataFile, TableRef, TableWrite

_KEPT = timedelta(days=1)


def without_held(scope: Scope, book: Book, end: EndRun) -> str:
    """Make a branch to publish from if some partitions of a published table are held.

    Returns:
        Its name; empty if the run's own branch will do.
    """
    published = _published(scope, end)
    writes = [write for key in published if (write := _withdrawal(scope, book, end, key))]
    if not writes:
        return ""
    name = f"{scope.branch.name}/passed"
    lake = scope.services.lake
    is_there = any(ref.name == name for ref in lake.refs("branch"))
    with scope.fenced() as transaction:
        if is_there:
            lake.delete_branch(name, transaction=transaction)
        expires_at = scope.services.clock.now() + _KEPT
        lake.create_branch(
            name, at=scope.branch.tip, expires_at=expires_at, transaction=transaction
        )
        lake.commit(name, writes, message="without what is held", transaction=transaction)
    return name


def torn(scope: Scope, book: Book, end: EndRun) -> dict[int, str]:
    """Give the steps of tables that cannot be published in part, and why.

    Where a table starts over with a column of another type, rows that stay have no value that would
    fit: they would read null.
    """
    reasons = {
        key: reason for key in _published(scope, end) if (reason := _retyped(scope, book, end, key))
    }
    units = scope.wiring.units
    return {
        index: reasons[key] for index in end.publish for key in units[index].keys if key in reasons
    }


def _published(scope: Scope, end: EndRun) -> list[AssetKey]:
    """Give the tables of which partitions are published, each once however many steps it took."""
    parted = (unit for index in end.publish if (unit := scope.wiring.units[index]).some is not None)
    return sorted({key for unit in parted for key in unit.keys})


def _retyped(scope: Scope, book: Book, end: EndRun, key: AssetKey) -> str:
    base, parting = scope.entries.get(key), scope.services.graph.effective[key].partitions
    assert parting is not None, "units with partitions belong to partitioned assets"
    if base is None or base.kind != "table":
        return ""
    good, _, starts_over = _sets(scope, book, end, key, PartitionSet(parting.definition))
    kept = union_of_parts(parts_of(base.provenance, parting.definition), parting.definition) - good
    if not starts_over or not kept:
        return ""
    lake = scope.services.lake
    old, new = lake.relation(key, scope.run.base_commit), lake.relation(key, scope.branch.tip)
    for before in old.schema:
        after = new.schema.field(before.name)
        if after is not None and after.id != before.id:
            return (
                f"`{before.name}` changes from {before.type} to {after.type}, which is for all "
                f"partitions or none, and {kept.text()} stays as it was"
            )
    return ""


def _withdrawal(scope: Scope, book: Book, end: EndRun, key: AssetKey) -> TableWrite | None:
    asset = scope.services.graph.effective[key]
    assert asset.partitions is not None, "units with partitions belong to partitioned assets"
    definition, columns = asset.partitions.definition, asset.partitions.columns
    base = scope.entries.get(key)
    before = parts_of(base.provenance, definition) if base is not None else ()
    good, staged, starts_over = _sets(scope, book, end, key, PartitionSet(definition))
    back = staged - good
    if starts_over:
        back |= union_of_parts(before, definition) - good
    if not back:
        return None
    lake = scope.services.lake
    tip, entry = lake.relation(key, scope.branch.tip), lake.entry(key, scope.branch.tip)
    assert isinstance(tip, TableRef), "a partitioned asset is a table"
    assert entry is not None, "it was staged"
    old = lake.relation(key, scope.run.base_commit) if base is not None else None
    is_same = isinstance(old, TableRef) and old.table_id == tip.table_id
    again: tuple[DataFile, ...] = ()
    if isinstance(old, TableRef) and is_same:
        rule = row_rule(back, columns)
        found = prune(old, rule)
        cutter = scope.cutter(scope.branch.name)
        again = (*found.exact, *rows_within(cutter, asset, old, found.mixed, rule))
    restored = tuple(replace(part, some=part.some & back) for part in before)
    parts = overlaid(scope.lookup.parts_of(key), back, restored)
    version = parts_version(parts)
    return replace(
        write_of(tip, again, files_of(tip, back, columns)),
        provenance=replace(
            entry.provenance,
            data_version=version,
            fingerprint=version,
            partitions=record_of_parts(parts),
        ),
    )


def _sets(
    scope: Scope, book: Book, end: EndRun, key: AssetKey, empty: PartitionSet
) -> tuple[PartitionSet, PartitionSet, bool]:
    """Give what is published of an asset, all that was staged, and whether it started over."""
    good, staged, starts_over = empty, empty, False
    for index in scope.wiring.index[key]:
        course = book.courses[index]
        for work in course.works:
            if work.slice is None or key not in course.published:
                continue
            staged |= work.slice.some
            starts_over = starts_over or work.slice.starts_over
            if index in end.publish:
                good |= work.slice.some
    return good, staged, starts_over
