# SPDX-License-Identifier: Apache-2.0
"""The next state of a table: an intent rebased on whatever state it meets, or linked content.

Pure but for the manifests it reads and writes through the store; called by the catalog inside its
short write transaction. Data files are never opened here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from mainstem.errors import BranchConflict, InternalError
from mainstem.lake import manifest
from mainstem.lake.evolution import all_ids
from mainstem.lake.planner import files, may_hold_partition, ranges_overlap
from mainstem.lake.schema_merge import unite_schemas
from mainstem.lake.table_state import (
    SNAPSHOTS_KEPT,
    ManifestRef,
    ManifestStore,
    Snapshot,
    SnapshotIds,
    TableState,
    counts_of,
    table_location,
)
from mainstem.types import PartitionSpec, Schema, TableWrite

_ICEBERG_WORDS: Mapping[str, str] = {
    "append": "append",
    "compact": "replace",
    "delete": "delete",
}
"""Iceberg's name of an operation (spec, "Snapshots"); the others are `overwrite`."""


def apply(
    state: TableState | None,
    write: TableWrite,
    *,
    ids: SnapshotIds,
    manifests: ManifestStore,
    base: TableState | None = None,
) -> TableState:
    """Apply an intent to the state a branch has now.

    An `append` meets whatever is there; `overwrite` replaces it; `replace_partitions` drops the
    files of its partitions; `upsert`, `delete` and `compact` need each file in `removed` to be
    there still; `evolve` changes the schema and makes no snapshot. Cost does not grow with history.

    Args:
        state: What the branch has, `None` if the table is new there.
        write: The intent. `schema` and `spec` have ids allocated for this table.
        ids: Fresh numbers.
        manifests: Where manifests are kept.
        base: State that the intent was computed from, if the caller knows it: then a rename or a
            drop made since is kept, and an upsert is held against rows that were added since.

    Raises:
        BranchConflict: The intent does not commute with what happened since.
        InternalError: `drop` and intents that cannot create a table are not for this function.
    """
    if write.operation == "drop":
        raise InternalError("A9011", f"`drop` of {write.key} reached the table's state.")
    if state is None:
        return _create(write, ids=ids, manifests=manifests)
    if write.table_id and state.table_id != write.table_id and write.operation != "overwrite":
        raise _conflict(
            write,
            "A5520",
            "was replaced by a new table of the same name since",
            "Run it again on the table that is there now.",
        )
    if write.operation == "overwrite" and write.table_id not in {"", state.table_id}:
        return _create(write, ids=ids, manifests=manifests)
    schema = _next_schema(state, write, ids=ids, base=base)
    evolved = _with_schema(state, schema, write)
    if write.operation == "evolve":
        return dataclasses.replace(evolved, last_updated_ms=_later(state, ids))
    _hold_against_newer_rows(state, write, base=base, manifests=manifests)
    kept = _kept(state, write, ids=ids, manifests=manifests)
    added = manifest.write_manifests(write.added, manifests, ids=ids)
    return next_snapshot(
        evolved,
        manifest.fold((*kept, *added), manifests, ids=ids),
        operation=_ICEBERG_WORDS.get(write.operation, "overwrite"),
        ids=ids,
        manifests=manifests,
    )


def relink(
    content: TableState,
    *,
    ids: SnapshotIds,
    manifests: ManifestStore,
    onto: TableState | None = None,
) -> TableState:
    """Make existing content the newest snapshot of a branch's table: links, merges, reverts.

    Args:
        content: The version whose rows and schema the result has.
        ids: Fresh numbers: what external readers see never goes backwards.
        manifests: Where manifests are kept.
        onto: What the branch has now; its snapshots stay to travel to if it is the same table.
    """
    history = onto if onto is not None and onto.table_id == content.table_id else None
    if history is None:
        return next_snapshot(
            dataclasses.replace(content, snapshots=(), row_count=0, file_count=0, size_bytes=0),
            content.manifests,
            operation="overwrite",
            ids=ids,
            manifests=manifests,
            added=(content.file_count, content.row_count),
        )
    present = all_ids(content.schema)
    dropped = {*history.dropped_ids, *content.dropped_ids, *all_ids(history.schema)} - present
    merged = dataclasses.replace(
        content,
        schemas=united_schemas(content.schemas, history.schemas),
        specs=united_specs(content.specs, history.specs),
        snapshots=history.snapshots,
        dropped_ids=tuple(sorted(dropped)),
        last_column_id=max(content.last_column_id, history.last_column_id),
        last_partition_id=max(content.last_partition_id, history.last_partition_id),
        last_updated_ms=max(content.last_updated_ms, history.last_updated_ms),
        row_count=history.row_count,
        file_count=history.file_count,
        size_bytes=history.size_bytes,
    )
    known = {ref.hash: ref for ref in history.manifests}
    kept = {ref.hash for ref in content.manifests}
    new = [ref for ref in content.manifests if ref.hash not in known]
    lost = [ref for ref in history.manifests if ref.hash not in kept]
    # Manifests are folded as they grow in number: their files then stand in another one.
    came, went = (manifest.rows_of(refs, manifests) if lost else {} for refs in (new, lost))
    if new and went.keys() <= came.keys():
        # Incremental readers look for manifests that a snapshot of the word `append` added: those
        # that came on a run's branch count as added here.
        appended = [known.get(ref.hash) or manifest.inherit(ref, ids) for ref in content.manifests]
        return next_snapshot(merged, appended, operation="append", ids=ids, manifests=manifests)
    added = [rows for path, rows in came.items() if path not in went]
    return next_snapshot(
        merged,
        content.manifests,
        operation="overwrite",
        ids=ids,
        manifests=manifests,
        added=(len(added), sum(added)),
    )


def next_snapshot(
    state: TableState,
    refs: Sequence[ManifestRef],
    *,
    operation: str,
    ids: SnapshotIds,
    manifests: ManifestStore,
    added: tuple[int, int] | None = None,
) -> TableState:
    """Close a snapshot over manifests; `state` still has the counts of the one before.

    Args:
        state: The table before.
        refs: The manifests of the snapshot.
        operation: Iceberg's word for it.
        ids: Fresh numbers.
        manifests: Where manifests are kept.
        added: Files and rows that are new to the table; those of its new manifests by default.
    """
    rows = sum(ref.row_count for ref in refs)
    count = sum(ref.file_count for ref in refs)
    size = sum(ref.size_bytes for ref in refs)
    if added is None:
        new = [ref for ref in refs if ref.snapshot_id == ids.snapshot_id]
        added = sum(ref.added_files for ref in new), sum(ref.added_rows for ref in new)
    files, records = added
    counts = (
        files,
        records,
        max(0, state.file_count + files - count),
        max(0, state.row_count + records - rows),
        count,
        rows,
        size,
    )
    snapshot = Snapshot(
        snapshot_id=ids.snapshot_id,
        parent_id=state.snapshot_id,
        sequence_number=ids.sequence_number,
        timestamp_ms=_later(state, ids),
        operation=operation,
        schema_id=state.schema_id,
        manifest_list=manifest.write_manifest_list(refs, manifests),
        summary=counts_of(counts),
    )
    snapshots = (*state.snapshots, snapshot)[-SNAPSHOTS_KEPT:]
    needed = {state.schema_id, *(kept.schema_id for kept in snapshots)}
    needed.update(*(ref.schema_ids for ref in refs))
    return dataclasses.replace(
        state,
        manifests=tuple(refs),
        schemas=tuple(schema for schema in state.schemas if schema.schema_id in needed),
        snapshots=snapshots,
        last_sequence_number=ids.sequence_number,
        last_updated_ms=_later(state, ids),
        row_count=rows,
        file_count=count,
        size_bytes=size,
    )


def _create(write: TableWrite, *, ids: SnapshotIds, manifests: ManifestStore) -> TableState:
    if write.removed:
        raise _conflict(
            write,
            "A5521",
            "is gone, so its files cannot be replaced",
            "It was dropped since; write it again in full.",
        )
    state = TableState(
        table_id=write.table_id,
        location=table_location(write.key, write.table_id),
        name=str(write.key),
        schemas=(write.schema,),
        schema_id=write.schema.schema_id,
        specs=(write.spec,),
        spec_id=write.spec.spec_id,
        last_column_id=max(all_ids(write.schema), default=0),
        last_partition_id=max((field.field_id for field in write.spec.fields), default=999),
        row_key=write.row_key,
    )
    return next_snapshot(
        state,
        manifest.write_manifests(write.added, manifests, ids=ids),
        operation="append",
        ids=ids,
        manifests=manifests,
    )


def _next_schema(
    state: TableState, write: TableWrite, *, ids: SnapshotIds, base: TableState | None
) -> Schema:
    if write.schema.schema_id == state.schema_id or write.operation == "compact":
        return state.schema
    if base is not None and base.schema_id == state.schema_id:
        return write.schema
    if write.operation == "overwrite" or (write.operation == "evolve" and base is None):
        return write.schema
    return unite_schemas(
        state.schema,
        write.schema,
        base=None if base is None else base.schema,
        dropped=state.dropped_ids,
        new_schema_id=ids.new_schema_id,
        table=write.key,
    )


def _next_spec(state: TableState, write: TableWrite) -> PartitionSpec:
    return state.spec if write.operation in {"compact", "delete"} else write.spec


def _with_schema(state: TableState, schema: Schema, write: TableWrite) -> TableState:
    spec = _next_spec(state, write)
    present = all_ids(schema)
    dropped = {*state.dropped_ids, *all_ids(state.schema)} - present
    return dataclasses.replace(
        state,
        # The files were written with the intent's own schema, whatever it was united to; what no
        # file and no snapshot needs is left out by `next_snapshot`.
        schemas=united_schemas((schema, write.schema), state.schemas),
        schema_id=schema.schema_id,
        specs=united_specs((spec, write.spec), state.specs),
        spec_id=spec.spec_id,
        dropped_ids=tuple(sorted(dropped)),
        last_column_id=max(state.last_column_id, *present, 0),
        last_partition_id=max(
            state.last_partition_id, *(field.field_id for field in spec.fields), 0
        ),
        row_key=write.row_key or state.row_key,
    )


def _kept(
    state: TableState, write: TableWrite, *, ids: SnapshotIds, manifests: ManifestStore
) -> tuple[ManifestRef, ...]:
    if write.operation == "overwrite":
        return ()
    removed = set(write.removed)
    if removed:
        known = {path for ref in state.manifests for path in manifest.paths_of(ref, manifests)}
        lost = sorted(removed - known)
        if lost:
            raise _conflict(
                write,
                "A5522",
                f"has lost {len(lost)} of the files that this {write.operation} rewrites"
                f" (such as {lost[0]})",
                "Another change replaced their rows first; run it again on the new version.",
            )
    if write.operation == "replace_partitions":
        removed |= _files_of_partitions(state, write, manifests)
    return (
        manifest.without(state.manifests, removed, manifests, ids=ids)
        if removed
        else state.manifests
    )


def _files_of_partitions(
    state: TableState, write: TableWrite, manifests: ManifestStore
) -> set[str]:
    partitions = set(write.partitions)
    found: set[str] = set()
    for file in files(state, manifests):
        if file.spec_id == write.spec.spec_id:
            if file.partition in partitions:
                found.add(file.path)
        elif file.path not in write.removed and may_hold_partition(
            file, write.spec, partitions, schema=write.schema
        ):
            raise _conflict(
                write,
                "A5523",
                f"has a file in another layout that may hold rows of the replaced partitions"
                f" ({file.path})",
                "Its layout was changed; write the table in full once, or compact it.",
            )
    return found


def _hold_against_newer_rows(
    state: TableState, write: TableWrite, *, base: TableState | None, manifests: ManifestStore
) -> None:
    # An upsert saw the keys of its base; a file that came since could hold the same ones.
    if write.operation != "upsert" or base is None or not write.row_key:
        return
    known = {ref.hash for ref in base.manifests}
    if all(ref.hash in known for ref in state.manifests):
        return
    before = {file.path for file in files(base, manifests)}
    newer = [file for file in files(state, manifests) if file.path not in before]
    clash = [
        file
        for file in newer
        if any(ranges_overlap(file, own, write.row_key, schema=write.schema) for own in write.added)
    ]
    if clash:
        raise _conflict(
            write,
            "A5524",
            "got rows since that may have the same keys",
            "Run it again, so that it sees them.",
        )


def united_schemas(first: Sequence[Schema], second: Sequence[Schema]) -> tuple[Schema, ...]:
    """Give all schemas by id."""
    by_id = {schema.schema_id: schema for schema in (*second, *first)}
    return tuple(by_id[schema_id] for schema_id in sorted(by_id))


def united_specs(
    first: Sequence[PartitionSpec], second: Sequence[PartitionSpec]
) -> tuple[PartitionSpec, ...]:
    """Give all layouts by id."""
    by_id = {spec.spec_id: spec for spec in (*second, *first)}
    return tuple(by_id[spec_id] for spec_id in sorted(by_id))


def _later(state: TableState, ids: SnapshotIds) -> int:
    # Iceberg readers refuse a snapshot log whose times go back; clocks do.
    return max(ids.timestamp_ms, state.last_updated_ms)


def _conflict(write: TableWrite, code: str, what: str, hint: str) -> BranchConflict:
    return BranchConflict(code, f"{write.key} {what}.", hint=hint)
