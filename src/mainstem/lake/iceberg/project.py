# SPDX-License-Identifier: Apache-2.0
"""Writing the Iceberg files of a table state: manifests, manifest lists, then `metadata.json`.

Names are derived from contents and from the place of the warehouse (Iceberg wants absolute paths,
so a moved folder gets new ones); what exists is not written again. `metadata.json` comes last:
when it is there, all it names is there and durable.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from mainstem.lake import manifest
from mainstem.lake.durable import fsync_folder
from mainstem.lake.evolution import is_promotion
from mainstem.lake.iceberg import avro, binary
from mainstem.lake.iceberg.metadata import metadata_json
from mainstem.lake.iceberg.shown import shown_layout
from mainstem.lake.leaves import leaves
from mainstem.lake.table_state import (
    ManifestRef,
    ManifestStore,
    Snapshot,
    TableState,
    spec_to_json,
    state_to_bytes,
)
from mainstem.types import (
    DataFile,
    Field,
    List,
    Map,
    PartitionField,
    PartitionValue,
    Primitive,
    Schema,
    Struct,
    Type,
    schema_to_json,
)

_VERSION = "1"
"""Part of every name: raise it when the bytes written for the same state change."""

_STALE_S = 86_400.0
"""Files of this age are touched when they are named anew: a sweep takes what is older than a week
and named by nothing that it knows of."""

_Partition = tuple[tuple[PartitionField, Primitive], ...]


def write_metadata(
    state: TableState, manifests: ManifestStore, warehouse: str, *, now: float = 0.0
) -> str:
    """Write a version for Iceberg readers.

    Args:
        state: The version.
        manifests: Where its manifests are.
        warehouse: Absolute folder.
        now: Seconds since 1970: files that are there, and old by then, are touched.

    Returns:
        Absolute path of its `metadata.json`.
    """
    projection = _Projection(state, manifests, warehouse)
    path = projection.metadata_path()
    age_s = _age_s(path, now)
    if age_s == float("inf"):
        projection.write(path)
        projection.freshen(now)
    elif age_s > _STALE_S:
        projection.freshen(now)
        os.utime(path)
    return path


def metadata_files(state: TableState, manifests: ManifestStore, warehouse: str) -> set[str]:
    """Give the paths, relative to the warehouse, of all files that `write_metadata` would name."""
    projection = _Projection(state, manifests, warehouse)
    paths = {projection.metadata_path()}
    for snapshot in state.snapshots:
        schema = projection.schema_of(snapshot)
        paths.add(projection.list_path(snapshot, schema))
        for ref in manifest.read_manifest_list(snapshot.manifest_list, manifests):
            paths.add(projection.manifest_path(ref, schema))
    return {Path(path).relative_to(warehouse).as_posix() for path in paths}


class _Projection:
    """One state and one warehouse; names and writes the files."""

    __slots__ = (
        "_folder",
        "_layouts",
        "_manifests",
        "_newest",
        "_promoted",
        "_state",
        "_warehouse",
    )

    def __init__(self, state: TableState, manifests: ManifestStore, warehouse: str) -> None:
        self._state = state
        self._manifests = manifests
        self._warehouse = warehouse.rstrip("/")
        self._folder = f"{self._warehouse}/{state.location}/metadata"
        self._layouts = {spec.spec_id: shown_layout(spec, state.schema) for spec in state.specs}
        self._newest: dict[int, Primitive] = {}
        self._promoted: set[int] = set()
        for schema in state.schemas:
            for number, of in _primitives(schema).items():
                if self._newest.get(number, of) != of:
                    self._promoted.add(number)
                self._newest[number] = of

    def metadata_path(self) -> str:
        """Name `metadata.json`."""
        name = self._digest("metadata", hashlib.blake2b(state_to_bytes(self._state)).hexdigest())
        return f"{self._folder}/{self._state.last_sequence_number:05d}-{name}.metadata.json"

    def schema_of(self, snapshot: Snapshot) -> Schema:
        """Give the schema that a snapshot is read with: its own, the current one for the last."""
        if snapshot is self._state.snapshots[-1]:
            return self._state.schema
        return next(own for own in self._state.schemas if own.schema_id == snapshot.schema_id)

    def list_path(self, snapshot: Snapshot, schema: Schema) -> str:
        """Name a snapshot's manifest list."""
        name = self._digest("list", snapshot.manifest_list, self._tag(schema))
        return f"{self._folder}/snap-{snapshot.snapshot_id}-{name}.avro"

    def manifest_path(self, ref: ManifestRef, schema: Schema) -> str:
        """Name a manifest; the same file serves every snapshot and branch that lists it."""
        return f"{self._folder}/{self._digest('manifest', ref.hash, self._tag(schema))}-m0.avro"

    def write(self, path: str) -> None:
        """Write what is missing, `metadata.json` last."""
        _make_folder(self._folder)
        lists: list[tuple[Snapshot, str]] = []
        for snapshot in self._state.snapshots:
            schema = self.schema_of(snapshot)
            list_path = self.list_path(snapshot, schema)
            if not Path(list_path).exists():
                self._write_list(snapshot, schema, list_path)
            written = dataclasses.replace(snapshot, schema_id=schema.schema_id)
            lists.append((written, list_path))
        # The names above must not be lost behind the one that follows.
        fsync_folder(self._folder)
        location = f"{self._warehouse}/{self._state.location}"
        specs = [layout.spec for layout in self._layouts.values()]
        _write_new(path, metadata_json(self._state, lists, specs, location))
        fsync_folder(self._folder)

    def freshen(self, now: float) -> None:
        """Let all that `metadata.json` names look as new as it is, so that no sweep takes it.

        One that a sweep took just now is written again.
        """
        for snapshot in self._state.snapshots:
            schema = self.schema_of(snapshot)
            list_path = self.list_path(snapshot, schema)
            if _age_s(list_path, now) < _STALE_S:
                continue
            for ref in manifest.read_manifest_list(snapshot.manifest_list, self._manifests):
                path = self.manifest_path(ref, schema)
                if not _touch(path):
                    self._write_manifest(ref, schema, path)
            if not _touch(list_path):
                self._write_list(snapshot, schema, list_path)

    def _write_list(self, snapshot: Snapshot, schema: Schema, path: str) -> None:
        refs = manifest.read_manifest_list(snapshot.manifest_list, self._manifests)
        rows = [self._list_row(ref, schema) for ref in refs]
        content = avro.encode_file(
            avro.manifest_list_schema(),
            rows,
            {
                "snapshot-id": str(snapshot.snapshot_id),
                "parent-snapshot-id": str(snapshot.parent_id or "null"),
                "sequence-number": str(snapshot.sequence_number),
                "format-version": "2",
            },
        )
        _write_new(path, content)

    def _list_row(self, ref: ManifestRef, schema: Schema) -> dict[str, Any]:
        path = self.manifest_path(ref, schema)
        if not Path(path).exists():
            self._write_manifest(ref, schema, path)
        partition = self._partition(ref.spec_id, schema)
        return {
            "manifest_path": path,
            "manifest_length": Path(path).stat().st_size,
            "partition_spec_id": ref.spec_id,
            "content": 0,
            "sequence_number": ref.sequence_number,
            "min_sequence_number": ref.min_sequence_number,
            "added_snapshot_id": ref.snapshot_id,
            "added_files_count": ref.added_files,
            "existing_files_count": ref.existing_files,
            "deleted_files_count": 0,
            "added_rows_count": ref.added_rows,
            "existing_rows_count": ref.existing_rows,
            "deleted_rows_count": 0,
            "partitions": self._summaries(ref, partition) if partition else None,
        }

    def _summaries(self, ref: ManifestRef, partition: _Partition) -> list[dict[str, Any]]:
        layout = self._layouts[ref.spec_id]
        rows = [
            layout.values(file.partition) for file in manifest.read_manifest(ref, self._manifests)
        ]
        return [
            _summary([row[position] for row in rows], of)
            for position, (_, of) in enumerate(partition)
        ]

    def _write_manifest(self, ref: ManifestRef, schema: Schema, path: str) -> None:
        partition = self._partition(ref.spec_id, schema)
        types = {**self._newest, **_primitives(schema)}
        layout = self._layouts[ref.spec_id]
        rows = [
            {
                "status": 1 if entry.is_added else 0,
                # Inherited from the list: that is what lets the file serve several branches.
                "snapshot_id": None if entry.is_added else entry.snapshot_id,
                "sequence_number": None if entry.is_added else entry.sequence_number,
                "file_sequence_number": None if entry.is_added else entry.sequence_number,
                "data_file": {
                    "file_path": f"{self._warehouse}/{entry.file.path}",
                    "partition": {
                        avro.avro_name(part.name): binary.avro_partition_value(value, of)
                        for (part, of), value in zip(
                            partition, layout.values(entry.file.partition), strict=True
                        )
                    },
                    **_statistics(entry.file, types),
                },
            }
            for entry in manifest.read_entries(ref, self._manifests)
        ]
        header = self._header(ref, schema, types)
        spec = spec_to_json(layout.spec)
        content = avro.encode_file(
            avro.manifest_schema(partition),
            rows,
            {
                "schema": orjson.dumps(schema_to_json(header)).decode(),
                "schema-id": str(header.schema_id),
                "partition-spec": orjson.dumps(spec["fields"]).decode(),
                "partition-spec-id": str(ref.spec_id),
                "format-version": "2",
                "content": "data",
            },
        )
        _write_new(path, content)

    def _header(self, ref: ManifestRef, schema: Schema, types: Mapping[int, Primitive]) -> Schema:
        # For information only. States forget schemas that just the files of older snapshots have.
        known = [own for own in self._state.schemas if own.schema_id in ref.schema_ids]
        own = known[-1] if known else schema
        return dataclasses.replace(own, fields=tuple(_retyped(field, types) for field in own))

    def _partition(self, spec_id: int, schema: Schema) -> _Partition:
        types = {**self._newest, **_primitives(schema)}
        fields = self._layouts[spec_id].spec.fields
        return tuple((part, _result_type(part, types[part.source_id])) for part in fields)

    def _tag(self, schema: Schema) -> str:
        # Bounds and partition values are written as the reading schema's type, and layouts as its
        # columns allow: what is written differently for that has another name. Mostly empty.
        types = {**self._newest, **_primitives(schema)}
        promoted = [(number, types[number].name) for number in sorted(self._promoted)]
        changed = [
            spec_to_json(layout.spec)
            for layout, own in zip(self._layouts.values(), self._state.specs, strict=True)
            if layout.spec != own
        ]
        return repr((promoted, changed)) if promoted or changed else ""

    def _digest(self, *parts: str) -> str:
        text = "\0".join((_VERSION, self._warehouse, *parts))
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _statistics(file: DataFile, types: Mapping[int, Primitive]) -> dict[str, Any]:
    return {
        "content": 0,
        "file_format": "PARQUET",
        "record_count": file.record_count,
        "file_size_in_bytes": file.size_bytes,
        "column_sizes": _pairs(file.column_sizes),
        "value_counts": _pairs(file.value_counts),
        "null_value_counts": _pairs(file.null_counts),
        "nan_value_counts": _pairs(file.nan_counts),
        "lower_bounds": _bounds(file.lower_bounds, types),
        "upper_bounds": _bounds(file.upper_bounds, types),
        "sort_order_id": 0,
    }


def _pairs(values: Mapping[int, int]) -> list[dict[str, int]] | None:
    return [{"key": key, "value": value} for key, value in values.items()] or None


def _bounds(
    values: Mapping[int, Any], types: Mapping[int, Primitive]
) -> list[dict[str, Any]] | None:
    pairs = [
        {"key": key, "value": encoded}
        for key, value in values.items()
        if key in types and (encoded := binary.encode_bound(value, types[key])) is not None
    ]
    return pairs or None


def _summary(values: Sequence[PartitionValue], of: Primitive) -> dict[str, Any]:
    known: list[Any] = [value for value in values if value is not None and not binary.is_nan(value)]
    return {
        "contains_null": any(value is None for value in values),
        "contains_nan": any(binary.is_nan(value) for value in values),
        "lower_bound": binary.encode(min(known), of) if known else None,
        "upper_bound": binary.encode(max(known), of) if known else None,
    }


def _result_type(part: PartitionField, source: Primitive) -> Primitive:
    if part.transform == "identity":
        return source
    # Days are written as dates, as Iceberg's own libraries do.
    return Primitive("date" if part.transform == "day" else "int")


def _primitives(schema: Schema) -> dict[int, Primitive]:
    return {leaf.id: leaf.type for leaf in leaves(schema)}


def _retyped(field: Field, types: Mapping[int, Primitive]) -> Field:
    return dataclasses.replace(field, type=_retyped_type(field.type, field.id, types))


def _retyped_type(of: Type, number: int, types: Mapping[int, Primitive]) -> Type:
    match of:
        case Primitive():
            newer = types.get(number, of)
            return newer if is_promotion(of, newer) else of
        case Struct():
            return Struct(fields=tuple(_retyped(child, types) for child in of.fields))
        case List():
            element = _retyped_type(of.element, of.element_id, types)
            return dataclasses.replace(of, element=element)
        case Map():
            key = _retyped_type(of.key, of.key_id, types)
            return dataclasses.replace(
                of, key=key, value=_retyped_type(of.value, of.value_id, types)
            )


def _age_s(path: str, now: float) -> float:
    try:
        return now - Path(path).stat().st_mtime
    except FileNotFoundError:
        return float("inf")


def _touch(path: str) -> bool:
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    return True


def _make_folder(folder: str) -> None:
    missing = Path(folder)
    created: list[Path] = []
    while not missing.exists():
        created.append(missing)
        missing = missing.parent
    Path(folder).mkdir(parents=True, exist_ok=True)
    for path in created:
        fsync_folder(str(path.parent))


def _write_new(path: str, content: bytes) -> None:
    # Another process may write the same bytes to the same name at this moment: both are right.
    draft = Path(f"{path}.{uuid.uuid4().hex}.tmp")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
