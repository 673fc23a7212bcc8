# SPDX-License-Identifier: Apache-2.0
"""The content of `metadata.json` (spec, "Table Metadata", format version 2). Pure."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from mainstem.lake.evolution import all_ids
from mainstem.lake.table_state import Snapshot, TableState, spec_to_json
from mainstem.types import PartitionSpec, Primitive, Schema, schema_to_json

_NOT_IDENTIFYING = frozenset({Primitive("float"), Primitive("double")})


def metadata_json(
    state: TableState,
    snapshots: Sequence[tuple[Snapshot, str]],
    specs: Sequence[PartitionSpec],
    location: str,
) -> bytes:
    """Write a state as table metadata.

    Args:
        state: The version.
        snapshots: Its snapshots with the absolute paths of their manifest lists.
        specs: Its layouts as other readers can take them.
        location: Absolute folder of the table.
    """
    last = snapshots[-1][0] if snapshots else None
    content: dict[str, Any] = {
        "format-version": 2,
        "table-uuid": _uuid(state.table_id),
        "location": location,
        "last-sequence-number": state.last_sequence_number,
        "last-updated-ms": state.last_updated_ms,
        "last-column-id": max(
            state.last_column_id, *(max(all_ids(own), default=0) for own in state.schemas)
        ),
        "current-schema-id": state.schema_id,
        "schemas": [_schema(own, state.row_key) for own in state.schemas],
        "default-spec-id": state.spec_id,
        "partition-specs": [spec_to_json(spec) for spec in specs],
        "last-partition-id": state.last_partition_id,
        "default-sort-order-id": 0,
        "sort-orders": [{"order-id": 0, "fields": []}],
        "properties": {"write.parquet.compression-codec": "zstd", **state.properties},
        "current-snapshot-id": -1 if last is None else last.snapshot_id,
        "refs": (
            {} if last is None else {"main": {"snapshot-id": last.snapshot_id, "type": "branch"}}
        ),
        "snapshots": [_snapshot(own, path) for own, path in snapshots],
        "snapshot-log": [
            {"snapshot-id": own.snapshot_id, "timestamp-ms": own.timestamp_ms}
            for own, _ in snapshots
        ],
        "metadata-log": [],
        "statistics": [],
        "partition-statistics": [],
    }
    return orjson.dumps(content)


def _schema(schema: Schema, row_key: Sequence[str]) -> dict[str, Any]:
    content = schema_to_json(schema)
    key = [schema.field(name) for name in row_key]
    # Iceberg wants identifying columns required and exact; the key itself is ours to keep.
    if key and all(
        field is not None and field.required and field.type not in _NOT_IDENTIFYING for field in key
    ):
        content["identifier-field-ids"] = [field.id for field in key if field is not None]
    return content


def _snapshot(snapshot: Snapshot, list_path: str) -> dict[str, Any]:
    summary: Mapping[str, str] = {
        "operation": snapshot.operation,
        **{name: str(count) for name, count in snapshot.summary.items()},
    }
    content: dict[str, Any] = {
        "snapshot-id": snapshot.snapshot_id,
        "sequence-number": snapshot.sequence_number,
        "timestamp-ms": snapshot.timestamp_ms,
        "manifest-list": list_path,
        "summary": summary,
        "schema-id": snapshot.schema_id,
    }
    if snapshot.parent_id:
        content["parent-snapshot-id"] = snapshot.parent_id
    return content


def _uuid(table_id: str) -> str:
    try:
        return str(uuid.UUID(table_id))
    except ValueError:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"mainstem:{table_id}"))
