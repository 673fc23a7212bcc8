# SPDX-License-Identifier: Apache-2.0
"""Merging two states of one table by content (SEMANTICS, Branches and merges).

Pure but for the manifests it reads and writes: decides from file lists, partitions and key bounds.
What only rows can decide is answered with `keys_may_overlap`, and `upsert.merge_rows` reads them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence

from mainstem.lake import manifest
from mainstem.lake.evolution import all_ids
from mainstem.lake.planner import partition_text, ranges_overlap
from mainstem.lake.schema_merge import merge_schemas, with_known_id
from mainstem.lake.table_apply import next_snapshot, relink, united_schemas, united_specs
from mainstem.lake.table_state import (
    ManifestRef,
    ManifestStore,
    SnapshotIds,
    TableConflict,
    TableState,
)
from mainstem.types import DataFile, dataclass

_REMOVING = frozenset({"overwrite", "replace_partitions", "upsert", "delete", "compact"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """What one branch did to the files since the base."""

    added: tuple[DataFile, ...]
    removed: tuple[DataFile, ...]
    operations: frozenset[str]

    def without(self, paths: Collection[str]) -> _Side:
        """Leave out some added files."""
        if not paths:
            return self
        return dataclasses.replace(
            self, added=tuple(file for file in self.added if file.path not in paths)
        )

    @property
    def touched(self) -> set[tuple[int, tuple[object, ...]]]:
        """Layout and partition of every file that came or went."""
        return {(file.spec_id, file.partition) for file in (*self.added, *self.removed)}

    @property
    def only_compacted(self) -> bool:
        return bool(self.operations) and self.operations <= {"compact", "evolve"}


def merge_states(
    base: TableState | None,
    ours: TableState,
    theirs: TableState,
    operations_ours: Collection[str],
    operations_theirs: Collection[str],
    *,
    ids: SnapshotIds,
    manifests: ManifestStore,
) -> TableState | TableConflict:
    """Merge `theirs` into `ours`.

    Appends commute, with schema additions and compaction too; removals commute on different files;
    whatever touches an overwritten table or a replaced partition conflicts. Data files are never
    read, and manifests that only add files are carried over as they are.

    Args:
        base: State at the merge base; `None` if the table was created on both sides.
        ours: State on the branch that is merged into.
        theirs: State on the branch that is merged.
        operations_ours: `TableWrite.operation` of every change since the base.
        operations_theirs: The same of the other side.
        ids: Fresh numbers.
        manifests: Where manifests are kept.

    Returns:
        The merged state as a new snapshot on top of `ours`, or what stands against it.
    """
    frame = _frame(base, ours, theirs, ids)
    if isinstance(frame, TableConflict):
        return frame
    our_side = _side(base, ours, operations_ours, manifests)
    their_side = _side(base, theirs, operations_theirs, manifests)
    # What came to both by way of a third branch is new to neither.
    both = {file.path for file in our_side.added} & {file.path for file in their_side.added}
    our_side, their_side = (side.without(both) for side in (our_side, their_side))
    if not their_side.added and not their_side.removed:
        return _schema_only(frame, ours, ids)
    if not our_side.added and not our_side.removed:
        return _theirs(frame, theirs, ids=ids, manifests=manifests)
    shared = {file.path for file in our_side.removed} & {file.path for file in their_side.removed}
    if shared and their_side.only_compacted:
        return _schema_only(frame, ours, ids)
    if shared and our_side.only_compacted:
        return _theirs(frame, theirs, ids=ids, manifests=manifests)
    conflict = _conflict(our_side, their_side, shared, ours)
    if conflict is not None:
        return conflict
    gone = {file.path for file in their_side.removed}
    kept = manifest.without(ours.manifests, gone, manifests, ids=ids) if gone else ours.manifests
    new = _carried(base, theirs, their_side, ids=ids, manifests=manifests)
    return next_snapshot(
        frame,
        manifest.fold((*kept, *new), manifests, ids=ids),
        operation="overwrite" if gone else "append",
        ids=ids,
        manifests=manifests,
    )


def _side(
    base: TableState | None,
    state: TableState,
    operations: Collection[str],
    manifests: ManifestStore,
) -> _Side:
    # Manifests that both have are skipped unread, so the cost is that of the changes.
    common = {ref.hash for ref in state.manifests} & {
        ref.hash for ref in (base.manifests if base is not None else ())
    }
    before = _files_outside(base.manifests if base is not None else (), common, manifests)
    after = _files_outside(state.manifests, common, manifests)
    return _Side(
        added=tuple(file for path, file in after.items() if path not in before),
        removed=tuple(file for path, file in before.items() if path not in after),
        operations=frozenset(operations),
    )


def _files_outside(
    refs: Sequence[ManifestRef], common: Collection[str], manifests: ManifestStore
) -> dict[str, DataFile]:
    return {
        file.path: file
        for ref in refs
        if ref.hash not in common
        for file in manifest.read_manifest(ref, manifests)
    }


def _frame(
    base: TableState | None, ours: TableState, theirs: TableState, ids: SnapshotIds
) -> TableState | TableConflict:
    """Merge all but the files: the result still has our manifests and counts."""
    if ours.table_id != theirs.table_id:
        return TableConflict(kind="overwrite", message="is a different table on each side")
    base_schema = None if base is None else base.schema
    united, problems = merge_schemas(base_schema, ours.schema, theirs.schema)
    if problems:
        return TableConflict(kind="schema", message="; ".join(problems))
    base_spec = None if base is None else base.spec_id
    if ours.spec_id != theirs.spec_id and base_spec not in {ours.spec_id, theirs.spec_id}:
        return TableConflict(kind="layout", message="got a different partition_by on each side")
    schema = with_known_id(united, (ours.schema, theirs.schema), ids.new_schema_id)
    gone = {*ours.dropped_ids, *theirs.dropped_ids, *all_ids(ours.schema), *all_ids(theirs.schema)}
    return dataclasses.replace(
        ours,
        schemas=united_schemas((schema,), united_schemas(ours.schemas, theirs.schemas)),
        schema_id=schema.schema_id,
        specs=united_specs(ours.specs, theirs.specs),
        spec_id=theirs.spec_id if ours.spec_id == base_spec else ours.spec_id,
        dropped_ids=tuple(sorted(gone - all_ids(schema))),
        last_column_id=max(ours.last_column_id, theirs.last_column_id),
        last_partition_id=max(ours.last_partition_id, theirs.last_partition_id),
        last_updated_ms=max(ours.last_updated_ms, theirs.last_updated_ms),
        row_key=ours.row_key or theirs.row_key,
    )


def _schema_only(frame: TableState, ours: TableState, ids: SnapshotIds) -> TableState:
    if frame.schema_id == ours.schema_id and frame.spec_id == ours.spec_id:
        return ours
    return dataclasses.replace(frame, last_updated_ms=max(frame.last_updated_ms, ids.timestamp_ms))


def _theirs(
    frame: TableState, theirs: TableState, *, ids: SnapshotIds, manifests: ManifestStore
) -> TableState:
    content = dataclasses.replace(
        frame, manifests=theirs.manifests, snapshots=(), row_count=0, file_count=0, size_bytes=0
    )
    return relink(content, ids=ids, manifests=manifests, onto=frame)


def _conflict(
    ours: _Side, theirs: _Side, shared: set[str], state: TableState
) -> TableConflict | None:
    for one, other in ((ours, theirs), (theirs, ours)):
        if "overwrite" in one.operations and not other.only_compacted:
            return TableConflict(
                kind="overwrite", message="was written in full on one side and changed on the other"
            )
    replacing = "replace_partitions" in ours.operations | theirs.operations
    both = ours.touched & theirs.touched
    if replacing and both:
        names = sorted(partition_text(state, spec_id, values) for spec_id, values in both)
        return TableConflict(
            kind="partition",
            message="had the same partitions replaced or changed on both sides",
            partitions=tuple(names[:10]),
        )
    if shared:
        return TableConflict(
            kind="keys_may_overlap" if state.row_key else "file",
            message="had rows of the same files changed on both sides",
            paths=tuple(sorted(shared)[:10]),
        )
    if state.row_key and any(
        ranges_overlap(one, other, state.row_key, schema=state.schema)
        for one in ours.added
        for other in theirs.added
    ):
        return TableConflict(
            kind="keys_may_overlap",
            message="got rows on both sides whose keys may be the same",
            columns=state.row_key,
        )
    return None


def _carried(
    base: TableState | None,
    theirs: TableState,
    side: _Side,
    *,
    ids: SnapshotIds,
    manifests: ManifestStore,
) -> tuple[ManifestRef, ...]:
    # A manifest that only adds, and only what is new, is carried over unread under new numbers;
    # the rest (folded, or left by a removal) is written once as what it adds.
    known = {ref.hash for ref in (base.manifests if base is not None else ())}
    new = {file.path: file for file in side.added}
    carried: list[ManifestRef] = []
    for ref in theirs.manifests:
        if ref.hash in known or ref.existing_files:
            continue
        paths = manifest.paths_of(ref, manifests)
        if all(path in new for path in paths):
            carried.append(manifest.inherit(ref, ids))
            for path in paths:
                del new[path]
    return (*carried, *manifest.write_manifests(new.values(), manifests, ids=ids))
