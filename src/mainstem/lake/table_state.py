# SPDX-License-Identifier: Apache-2.0
"""One version of a table as a value: schemas, layouts, manifests, its last snapshots.

Here are the values and their canonical bytes; nothing that reads or writes data, nothing heavy to
import. The catalog keeps the bytes by their hash. What is done with a state lives beside it:

- `table_apply.apply`, `table_apply.relink`: the next state after an intent, or of linked content
- `table_merge.merge_states`: two branches' states into one
- `planner.files`, `planner.table_ref`: what to read
- `iceberg.write_metadata`: the same as Iceberg v2 files
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any, Protocol

import orjson

from mainstem.errors import InternalError
from mainstem.types import (
    AssetKey,
    PartitionField,
    PartitionSpec,
    Schema,
    dataclass,
    schema_from_json,
    schema_to_json,
)

SNAPSHOTS_KEPT = 20
"""Snapshots that a state, and so an Iceberg reader, can travel to; commits know the older ones."""
_COUNTS = (
    "added-data-files",
    "added-records",
    "deleted-data-files",
    "deleted-records",
    "total-data-files",
    "total-records",
    "total-files-size",
)
"""What a snapshot says of itself, in the order of their places in a state's bytes."""

_FORMAT = 1


class ManifestStore(Protocol):
    """Content-addressed blobs; the catalog keeps them in the database."""

    def get(self, content_hash: str) -> bytes:
        """Give the bytes that were put."""
        ...

    def put(self, content: bytes) -> str:
        """Keep bytes and give their hash, the same for the same bytes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotIds:
    """Numbers for one new snapshot, allocated per table for the whole lake, never per branch."""

    snapshot_id: int
    sequence_number: int
    """Greater than that of every snapshot of this table on any branch."""
    timestamp_ms: int
    """Milliseconds since 1970, UTC."""
    new_schema_id: Callable[[Schema], int]
    """Allocates a schema id; called only if schemas of two writers had to be united."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestRef:
    """A manifest within a state, with the numbers that its added entries inherit.

    The same manifest can be in states of several branches under different numbers: that is what
    lets a rebase or a merge carry it over unread (Iceberg spec, "Sequence Number Inheritance").
    """

    hash: str
    level: int
    """How often its entries were folded; eight manifests of a level become one of the next."""
    spec_id: int
    sequence_number: int
    min_sequence_number: int
    snapshot_id: int
    added_files: int
    added_rows: int
    existing_files: int = 0
    existing_rows: int = 0
    size_bytes: int = 0
    """Of the data files it lists."""
    schema_ids: tuple[int, ...] = ()
    """Schemas that its files were written with."""

    @property
    def file_count(self) -> int:
        """Files it lists."""
        return self.added_files + self.existing_files

    @property
    def row_count(self) -> int:
        """Rows of the files it lists."""
        return self.added_rows + self.existing_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One of the last snapshots, with what Iceberg says about it."""

    snapshot_id: int
    parent_id: int
    """0 if it has none."""
    sequence_number: int
    timestamp_ms: int
    operation: str
    """Iceberg's word: append, replace, overwrite or delete."""
    schema_id: int
    manifest_list: str
    """Hash of the blob that lists its manifests (`manifest.read_manifest_list`)."""
    summary: Mapping[str, int] = field(default_factory=dict)
    """Counts by Iceberg's names: `added-data-files`, `total-records`, ... (`counts_of`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableState:
    """One version of a table; content-addressed by `state_to_bytes`."""

    table_id: str
    location: str
    """Folder relative to the warehouse."""
    name: str
    """Asset key as written."""
    schemas: tuple[Schema, ...]
    """The current one and those that some file or kept snapshot needs, by id."""
    schema_id: int
    specs: tuple[PartitionSpec, ...]
    spec_id: int
    manifests: tuple[ManifestRef, ...] = ()
    """Oldest first."""
    last_sequence_number: int = 0
    last_updated_ms: int = 0
    last_column_id: int = 0
    last_partition_id: int = 999
    dropped_ids: tuple[int, ...] = ()
    """Field ids that were in the table and are not, nested ones too: never given out again."""
    snapshots: tuple[Snapshot, ...] = ()
    """Oldest first, at most `SNAPSHOTS_KEPT`; the last one is current."""
    row_count: int = 0
    file_count: int = 0
    size_bytes: int = 0
    properties: Mapping[str, str] = field(default_factory=dict)
    row_key: tuple[str, ...] = ()
    """Columns of the declared key."""

    @property
    def schema(self) -> Schema:
        """The current schema."""
        return next(schema for schema in self.schemas if schema.schema_id == self.schema_id)

    @property
    def spec(self) -> PartitionSpec:
        """The current layout."""
        return next(spec for spec in self.specs if spec.spec_id == self.spec_id)

    @property
    def snapshot_id(self) -> int:
        """Id of the current snapshot; 0 before the first."""
        return self.snapshots[-1].snapshot_id if self.snapshots else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TableConflict:
    """Why two changes of one table do not commute; the catalog shows it with both sides."""

    kind: str
    """`schema`, `layout`, `overwrite`, `partition`, `file`, `key` or `keys_may_overlap`.

    The last one says that files alone cannot tell: `upsert.merge_rows` reads the rows and decides.
    """
    message: str
    """One sentence without the table's name."""
    columns: tuple[str, ...] = ()
    partitions: tuple[str, ...] = ()
    """As text: `carrier=AA, month=2013-01`."""
    keys: tuple[Mapping[str, Any], ...] = ()
    """The first ten: the key's columns, then `ours` and `theirs` rows (`None` if deleted there)."""
    paths: tuple[str, ...] = ()
    """The first ten data files both sides replaced."""


def table_location(key: AssetKey, table_id: str) -> str:
    """Give the folder of a new table: readable, and unique whatever the key's characters."""
    parts = [*key.namespace.split("."), key.name]
    safe = [
        "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "_" for c in part)[:64]
        for part in parts
    ]
    return "/".join(part or "_" for part in safe) + f"-{table_id[:12]}"


def counts_of(counts: Sequence[int]) -> dict[str, int]:
    """Name the counts of a snapshot: of files and rows that came, that went, of all, and bytes.

    As other writers of Iceberg do, what came and went is left out where it is 0.
    """
    named = zip(_COUNTS, counts, strict=True)
    return {name: count for name, count in named if count or name.startswith("total-")}


def state_to_bytes(state: TableState) -> bytes:
    """Write a state canonically: equal states give equal bytes."""
    return orjson.dumps(
        {
            "format": _FORMAT,
            "table_id": state.table_id,
            "location": state.location,
            "name": state.name,
            "schemas": [schema_to_json(schema) for schema in state.schemas],
            "schema_id": state.schema_id,
            "specs": [spec_to_json(spec) for spec in state.specs],
            "spec_id": state.spec_id,
            "manifests": [manifest_ref_to_json(ref) for ref in state.manifests],
            "last_sequence_number": state.last_sequence_number,
            "last_updated_ms": state.last_updated_ms,
            "last_column_id": state.last_column_id,
            "last_partition_id": state.last_partition_id,
            "dropped_ids": state.dropped_ids,
            "snapshots": [_snapshot_to_json(snapshot) for snapshot in state.snapshots],
            "row_count": state.row_count,
            "file_count": state.file_count,
            "size_bytes": state.size_bytes,
            "properties": state.properties,
            "row_key": state.row_key,
        },
        option=orjson.OPT_SORT_KEYS,
    )


def state_from_bytes(content: bytes) -> TableState:
    """Read a state.

    Raises:
        InternalError: It was written by a newer version.
    """
    value = orjson.loads(content)
    if value.pop("format") != _FORMAT:
        raise InternalError(
            "A9010",
            "a table's state has a format this version of Mainstem does not know.",
            hint="Use the version of Mainstem that wrote it, or a newer one.",
        )
    value["schemas"] = tuple(schema_from_json(schema) for schema in value["schemas"])
    value["specs"] = tuple(spec_from_json(spec) for spec in value["specs"])
    value["manifests"] = tuple(manifest_ref_from_json(ref) for ref in value["manifests"])
    value["snapshots"] = tuple(_snapshot_from_json(row) for row in value["snapshots"])
    value["dropped_ids"] = tuple(value["dropped_ids"])
    value["row_key"] = tuple(value["row_key"])
    return TableState(**value)


def spec_to_json(spec: PartitionSpec) -> dict[str, Any]:
    """Write a layout as Iceberg's JSON does."""
    return {
        "spec-id": spec.spec_id,
        "fields": [
            {
                "source-id": field.source_id,
                "field-id": field.field_id,
                "name": field.name,
                "transform": field.transform,
            }
            for field in spec.fields
        ],
    }


def spec_from_json(value: Mapping[str, Any]) -> PartitionSpec:
    """Read a layout from Iceberg's JSON."""
    return PartitionSpec(
        spec_id=value["spec-id"],
        fields=tuple(
            PartitionField(
                source_id=field["source-id"],
                field_id=field["field-id"],
                name=field["name"],
                transform=field["transform"],
            )
            for field in value["fields"]
        ),
    )


def manifest_ref_to_json(ref: ManifestRef) -> list[Any]:
    """Write a reference as a row; states hold a dozen of them and are written at each commit."""
    return [
        ref.hash,
        ref.level,
        ref.spec_id,
        ref.sequence_number,
        ref.min_sequence_number,
        ref.snapshot_id,
        ref.added_files,
        ref.added_rows,
        ref.existing_files,
        ref.existing_rows,
        ref.size_bytes,
        ref.schema_ids,
    ]


def manifest_ref_from_json(row: list[Any]) -> ManifestRef:
    """Read a reference from its row."""
    return ManifestRef(
        hash=row[0],
        level=row[1],
        spec_id=row[2],
        sequence_number=row[3],
        min_sequence_number=row[4],
        snapshot_id=row[5],
        added_files=row[6],
        added_rows=row[7],
        existing_files=row[8],
        existing_rows=row[9],
        size_bytes=row[10],
        schema_ids=tuple(row[11]),
    )


def _snapshot_to_json(snapshot: Snapshot) -> list[Any]:
    return [
        snapshot.snapshot_id,
        snapshot.parent_id,
        snapshot.sequence_number,
        snapshot.timestamp_ms,
        snapshot.operation,
        snapshot.schema_id,
        snapshot.manifest_list,
        [snapshot.summary.get(name, 0) for name in _COUNTS],
    ]


def _snapshot_from_json(row: list[Any]) -> Snapshot:
    counts = row[7]  # by name, as they were kept before
    if isinstance(counts, list):
        counts = counts_of(counts)
    return Snapshot(
        snapshot_id=row[0],
        parent_id=row[1],
        sequence_number=row[2],
        timestamp_ms=row[3],
        operation=row[4],
        schema_id=row[5],
        manifest_list=row[6],
        summary=counts,
    )
