# SPDX-License-Identifier: Apache-2.0
"""One table without a catalog: states in memory, data files in a folder.

For tests of tables, and wherever a real `TableRef` is wanted without a database.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from mainstem.lake.arrow_types import schema_of_arrow
from mainstem.lake.evolution import assign_ids, schema_text, with_schema_id
from mainstem.lake.iceberg import write_metadata
from mainstem.lake.layout import assign_spec
from mainstem.lake.planner import table_ref
from mainstem.lake.reader import read_arrow
from mainstem.lake.row_merge import merge_rows
from mainstem.lake.schema_merge import merge_schemas
from mainstem.lake.table_apply import apply
from mainstem.lake.table_merge import merge_states
from mainstem.lake.table_state import (
    SnapshotIds,
    TableConflict,
    TableState,
    state_from_bytes,
    state_to_bytes,
)
from mainstem.lake.upsert import delete_rows, replace_rows, upsert_rows
from mainstem.lake.writer import write_arrow
from mainstem.types import (
    AssetKey,
    DataFile,
    LayoutColumn,
    Operation,
    PartitionSpec,
    Provenance,
    Schema,
    TableRef,
    TableWrite,
    WriteTarget,
)

TABLE_ID = "0123456789abcdef0123456789abcdef"


class MemoryManifests:
    """A `ManifestStore` in memory."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}

    def get(self, content_hash: str) -> bytes:
        """Give the bytes that were put."""
        return self.blobs[content_hash]

    def put(self, content: bytes) -> str:
        """Keep bytes under their hash."""
        content_hash = hashlib.blake2b(content, digest_size=20).hexdigest()
        self.blobs[content_hash] = content
        return content_hash


class CountingAllocator:
    """An `Allocator` in memory, shared by all branches of a `TableLab`."""

    def __init__(self) -> None:
        self._given: dict[tuple[Any, ...], list[int]] = {}
        self._next: dict[str, int] = {"field": 1, "schema": 0, "spec": 0, "partition": 1000}

    def field_id(self, path: str, type_text: str, *, avoid: Collection[int]) -> int:
        """Give the newest id for this path and type, or a new one if that was dropped."""
        return self._give("field", path, type_text, avoid=avoid)

    def schema_id(self, text: str) -> int:
        """Give the id of a schema."""
        return self._give("schema", text)

    def spec_id(self, text: str) -> int:
        """Give the id of a layout."""
        return self._give("spec", text)

    def partition_field_id(self, source_id: int, transform: str) -> int:
        """Give the id of a partition field."""
        return self._give("partition", source_id, transform)

    def _give(self, kind: str, *what: Any, avoid: Collection[int] = ()) -> int:
        given = self._given.setdefault((kind, *what), [])
        if not given or given[-1] in avoid:
            given.append(self._next[kind])
            self._next[kind] += 1
        return given[-1]


class TableLab:
    """A table and its branches: each branch is a state; ids are shared, as in the catalog."""

    def __init__(self, folder: Path, *, key: str = "raw.orders") -> None:
        self.key = AssetKey.parse(key)
        self.warehouse = str(folder)
        self.manifests = MemoryManifests()
        self.allocator = CountingAllocator()
        self.branches: dict[str, TableState | None] = {"main": None}
        self.clock_ms = 1_700_000_000_000
        self._sequence = 0
        self._attempt = 0
        (folder / "data").mkdir(parents=True, exist_ok=True)

    @property
    def state(self) -> TableState:
        """The state on `main`."""
        return self.on("main")

    def on(self, branch: str) -> TableState:
        """Give the state on a branch."""
        state = self.branches[branch]
        assert state is not None, "nothing was written yet"
        return state

    def branch(self, name: str, *, at: str = "main") -> None:
        """Let a new branch begin where another one is."""
        self.branches[name] = self.branches[at]

    def ids(self) -> SnapshotIds:
        """Allocate the numbers of a snapshot."""
        self._sequence += 1
        self.clock_ms += 1000
        return SnapshotIds(
            snapshot_id=7_000_000_000_000_000_000 + self._sequence,
            sequence_number=self._sequence,
            timestamp_ms=self.clock_ms,
            new_schema_id=lambda schema: self.allocator.schema_id(schema_text(schema)),
        )

    def target(
        self,
        schema: Schema,
        *,
        partition_by: Sequence[LayoutColumn] | None = None,
        replaces: bool = False,
        branch: str = "main",
    ) -> WriteTarget:
        """Allocate ids; `partition_by=None` keeps the layout there is."""
        state = self.branches[branch]
        current = None if state is None else state.schema
        dropped = () if state is None else state.dropped_ids
        assigned = assign_ids(schema, current, self.allocator, replaces=replaces, dropped=dropped)
        if partition_by is not None:
            spec = assign_spec(partition_by, assigned, self.allocator)
        else:
            spec = PartitionSpec() if state is None else state.spec
        if partition_by is None and state is None:
            spec = assign_spec((), assigned, self.allocator)
        self._attempt += 1
        return WriteTarget(
            key=self.key,
            warehouse=self.warehouse,
            directory="data",
            prefix=f"a{self._attempt:05d}-",
            schema=assigned,
            spec=spec,
            table_id=TABLE_ID,
        )

    def write(
        self,
        operation: Operation,
        data: pa.Table | None = None,
        *,
        branch: str = "main",
        partition_by: Sequence[LayoutColumn] | None = None,
        on: Sequence[str] = (),
        row_key: Sequence[str] = (),
        file_bytes: int = 128 << 20,
    ) -> TableState:
        """Write rows by an operation, as the lake's conveniences do.

        Args:
            operation: `overwrite`, `append`, `replace_partitions`, `upsert` or `delete`.
            data: The rows; for `delete` the keys.
            branch: Where.
            partition_by: A new layout.
            on: Key columns of upsert and delete.
            row_key: Declared key.
            file_bytes: Size at which files are closed.
        """
        assert data is not None, "rows or keys"
        replaces = operation == "overwrite"
        schema = self.on(branch).schema if operation == "delete" else schema_of_arrow(data.schema)
        target = self.target(schema, partition_by=partition_by, replaces=replaces, branch=branch)
        intent = TableWrite(
            key=self.key,
            operation=operation,
            provenance=Provenance(origin="manual", data_version=""),
            schema=target.schema,
            spec=target.spec,
            table_id=target.table_id,
            row_key=tuple(row_key),
        )
        if operation in {"upsert", "delete"}:
            change = upsert_rows if operation == "upsert" else delete_rows
            files = change(self.ref(branch), data, on=on, target=target)
            intent = replace(intent, added=files.added, removed=files.removed)
        elif operation == "replace_partitions":
            replaced = replace_rows(self.ref(branch), data, target=target)
            intent = replace(
                intent,
                added=replaced.added,
                removed=replaced.removed,
                partitions=replaced.partitions,
            )
        else:
            intent = replace(intent, added=write_arrow(data, target, file_bytes=file_bytes))
        return self.commit(intent, branch=branch)

    def commit(self, intent: TableWrite, *, branch: str = "main") -> TableState:
        """Apply an intent, through the bytes of the state as the catalog would."""
        state = apply(self.branches[branch], intent, ids=self.ids(), manifests=self.manifests)
        self.branches[branch] = state_from_bytes(state_to_bytes(state))
        return state

    def merge(
        self, source: str, base: str, *, ours: Collection[str], theirs: Collection[str]
    ) -> TableConflict | None:
        """Merge a branch into `main`, by rows where files cannot tell; gives what stands against.

        Args:
            source: The branch.
            base: Name of a branch that stayed at the merge base.
            ours: Operations on `main` since then.
            theirs: Operations on `source` since then.
        """
        merged = merge_states(
            self.branches[base],
            self.state,
            self.on(source),
            ours,
            theirs,
            ids=self.ids(),
            manifests=self.manifests,
        )
        if isinstance(merged, TableState):
            self.branches["main"] = state_from_bytes(state_to_bytes(merged))
            return None
        if merged.kind != "keys_may_overlap":
            return merged
        return self._merge_rows(source, base)

    def _merge_rows(self, source: str, base: str) -> TableConflict | None:
        before = None if self.branches[base] is None else self.on(base).schema
        united, _ = merge_schemas(before, self.state.schema, self.on(source).schema)
        schema = with_schema_id(united, self.allocator)
        target = replace(self.target(self.state.schema), schema=schema)
        change = merge_rows(
            None if before is None else self.ref(base),
            self.ref(),
            self.ref(source),
            row_key=self.state.row_key,
            target=target,
        )
        if isinstance(change, TableConflict):
            return change
        intent = TableWrite(
            key=self.key,
            operation="upsert",
            provenance=Provenance(origin="manual", data_version=""),
            schema=target.schema,
            spec=target.spec,
            table_id=target.table_id,
            added=change.added,
            removed=change.removed,
        )
        self.commit(intent)
        return None

    def evolve(self, schema: Schema, *, branch: str = "main") -> TableState:
        """Change the schema alone."""
        state = self.on(branch)
        intent = TableWrite(
            key=self.key,
            operation="evolve",
            provenance=Provenance(origin="manual", data_version=""),
            schema=schema,
            spec=state.spec,
            table_id=state.table_id,
        )
        return self.commit(intent, branch=branch)

    def ref(self, branch: str = "main") -> TableRef:
        """Describe the table for reading."""
        return table_ref(self.on(branch), self.manifests, self.warehouse, self.key)

    def rows(self, branch: str = "main", columns: Sequence[str] | None = None) -> pa.Table:
        """Read the table."""
        return read_arrow(self.ref(branch), columns)

    def files(self, branch: str = "main") -> tuple[DataFile, ...]:
        """Give the table's files."""
        return self.ref(branch).files

    def metadata(self, branch: str = "main") -> str:
        """Write the Iceberg files; gives the path of `metadata.json`."""
        return write_metadata(self.on(branch), self.manifests, self.warehouse)
