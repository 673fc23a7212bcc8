# SPDX-License-Identifier: Apache-2.0
"""Merges that only rows can decide: two branches changed a keyed table, and keys may be the same.

The merge says what is to be read, reads it outside of the lock, and is prepared again with the
outcome; that one stands as long as neither side moves. Called by `merge` and `merge_key`.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainstem.lake import planner
from mainstem.lake.allocation import TableAllocator
from mainstem.lake.catalog import Catalog
from mainstem.lake.content import load_state
from mainstem.lake.evolution import with_schema_id
from mainstem.lake.schema_merge import merge_schemas
from mainstem.lake.table_apply import apply
from mainstem.lake.table_state import SnapshotIds, TableConflict, TableState
from mainstem.lake.target import make_folder, record_target
from mainstem.lake.values import Entry
from mainstem.types import AssetKey, Provenance, TableRef, TableWrite, WriteTarget, dataclass

if TYPE_CHECKING:
    from mainstem.lake.upsert import RowChange

Versions = tuple[str, str]
"""Contents of our and their entry: what an outcome holds for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowMerge:
    """One table whose rows have to be compared."""

    versions: Versions
    base: TableRef | None
    ours: TableRef
    theirs: TableRef
    row_key: tuple[str, ...]
    target: WriteTarget


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it."""

    target: WriteTarget
    change: RowChange | TableConflict


def request(
    catalog: Catalog, key: AssetKey, base: Entry | None, ours: Entry, theirs: Entry
) -> RowMerge:
    """Say what has to be read, and record where the merged files go."""
    before = load_state(catalog, base.content) if base and base.kind == "table" else None
    mine, yours = load_state(catalog, ours.content), load_state(catalog, theirs.content)
    schema, _ = merge_schemas(None if before is None else before.schema, mine.schema, yours.schema)
    allocator = TableAllocator(catalog, mine.table_id)
    target = record_target(
        catalog,
        key,
        schema=with_schema_id(schema, allocator),
        spec=mine.spec,
        allocator=allocator,
        location=mine.location,
        attempt="merge",
    )
    return RowMerge(
        versions=(ours.content, theirs.content),
        base=None if before is None else _ref(catalog, key, before),
        ours=_ref(catalog, key, mine),
        theirs=_ref(catalog, key, yours),
        row_key=mine.row_key or yours.row_key,
        target=target,
    )


def carry_out(wanted: RowMerge) -> Outcome:
    """Read and compare the rows, and write the merged files; takes no lock."""
    row_merge: Any = importlib.import_module("mainstem.lake.row_merge")
    make_folder(wanted.target)
    change = row_merge.merge_rows(
        wanted.base,
        wanted.ours,
        wanted.theirs,
        row_key=wanted.row_key,
        target=wanted.target,
    )
    return Outcome(target=wanted.target, change=change)


def discard(outcomes: Iterable[Outcome]) -> None:
    """Delete the files of outcomes that nobody will use: those of a dry run."""
    for outcome in outcomes:
        if not isinstance(outcome.change, TableConflict):
            for file in outcome.change.added:
                Path(outcome.target.warehouse, file.path).unlink(missing_ok=True)


def lay_over(
    catalog: Catalog, state: TableState, outcome: Outcome, *, ids: SnapshotIds
) -> TableState:
    """Give our version with the other side's rows in it."""
    change, target = outcome.change, outcome.target
    assert not isinstance(change, TableConflict), "only what was merged is laid over"
    evolve = TableWrite(
        key=target.key,
        operation="evolve",
        provenance=Provenance(origin="manual", data_version=""),
        schema=target.schema,
        spec=target.spec,
        table_id=target.table_id,
    )
    evolved = apply(state, evolve, ids=ids, manifests=catalog.objects)
    upsert = dataclasses.replace(
        evolve, operation="upsert", added=change.added, removed=change.removed
    )
    return apply(evolved, upsert, ids=ids, manifests=catalog.objects)


def _ref(catalog: Catalog, key: AssetKey, state: TableState) -> TableRef:
    return planner.table_ref(state, catalog.objects, catalog.warehouse, key)
