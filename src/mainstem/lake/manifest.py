# SPDX-License-Identifier: Apache-2.0
"""Our internal manifests: lists of data files as content-addressed blobs, folded like an LSM tree.

An entry that was added by the manifest's own snapshot carries no numbers: it inherits them from the
`ManifestRef`, so the same blob serves on every branch. Entries that were folded or survived a
removal carry theirs. Called by `table_apply`, `table_merge`, `planner` and the Iceberg projection.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson

from mainstem.lake.table_state import (
    ManifestRef,
    ManifestStore,
    SnapshotIds,
    manifest_ref_from_json,
    manifest_ref_to_json,
)
from mainstem.types import DataFile, PartitionValue, Physical, dataclass

FAN_IN = 8
"""Manifests of one level that become one of the next: a table of n commits has about 8 log8(n)."""

_MAPS = (
    "lower_bounds",
    "upper_bounds",
    "null_counts",
    "value_counts",
    "nan_counts",
    "column_sizes",
)
_INT64 = 1 << 63

Columns = dict[str, Any]
"""A manifest as stored: `spec`, and one list per attribute of its entries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestEntry:
    """A data file in a manifest, its numbers resolved."""

    file: DataFile
    is_added: bool
    """Whether the manifest's own snapshot added it; its numbers are then written as inherited."""
    snapshot_id: int
    sequence_number: int


def write_manifest(
    files: Sequence[DataFile], store: ManifestStore, *, ids: SnapshotIds
) -> ManifestRef:
    """Write new files of one layout as a manifest without numbers."""
    columns: Columns = {
        "spec": files[0].spec_id,
        "path": [file.path for file in files],
        "rows": [file.record_count for file in files],
        "size": [file.size_bytes for file in files],
        "schema": [file.schema_id for file in files],
        "partition": [[_partition_out(value) for value in file.partition] for file in files],
        "snapshot": [0] * len(files),
        "sequence": [0] * len(files),
    }
    for name in _MAPS:
        columns[name] = [_map_out(getattr(file, name)) for file in files]
    return _put(columns, store, ids=ids, level=0, min_sequence=ids.sequence_number)


def write_manifests(
    files: Iterable[DataFile], store: ManifestStore, *, ids: SnapshotIds
) -> tuple[ManifestRef, ...]:
    """Write new files as one manifest per layout."""
    by_spec: dict[int, list[DataFile]] = {}
    for file in files:
        by_spec.setdefault(file.spec_id, []).append(file)
    return tuple(write_manifest(group, store, ids=ids) for _, group in sorted(by_spec.items()))


def read_manifest(ref: ManifestRef, store: ManifestStore) -> tuple[DataFile, ...]:
    """Give the data files of a manifest in order."""
    return _files(store.get(ref.hash))


def read_entries(ref: ManifestRef, store: ManifestStore) -> list[ManifestEntry]:
    """Give the entries of a manifest with their numbers."""
    content = store.get(ref.hash)
    columns = orjson.loads(content)
    return [
        ManifestEntry(
            file=file,
            is_added=not snapshot,
            snapshot_id=snapshot or ref.snapshot_id,
            sequence_number=sequence or ref.sequence_number,
        )
        for file, snapshot, sequence in zip(
            _files(content), columns["snapshot"], columns["sequence"], strict=True
        )
    ]


def paths_of(ref: ManifestRef, store: ManifestStore) -> list[str]:
    """Give the paths of a manifest's files; cheaper than reading them."""
    paths: list[str] = _load(ref.hash, store)["path"]
    return paths


def rows_of(refs: Iterable[ManifestRef], store: ManifestStore) -> dict[str, int]:
    """Give the paths of the files of manifests, each with its rows."""
    found: dict[str, int] = {}
    for ref in refs:
        columns = _load(ref.hash, store)
        found.update(zip(columns["path"], columns["rows"], strict=True))
    return found


def fold(
    refs: Sequence[ManifestRef], store: ManifestStore, *, ids: SnapshotIds
) -> tuple[ManifestRef, ...]:
    """Fold eight manifests of one level and layout into one, as often as that is possible.

    Amortised over appends each entry is copied log8(n) times; nothing is parsed but JSON.
    """
    folded = list(refs)
    full = _full_level(folded)
    while full:
        level = full[0].level
        parts = [_load(ref.hash, store) for ref in full]
        columns: Columns = {name: [] for name in parts[0]}
        columns["spec"] = parts[0]["spec"]
        for ref, part in zip(full, parts, strict=True):
            for name, values in part.items():
                if name != "spec":
                    columns[name].extend(_numbered(name, values, ref, ids))
        minimum = min(ref.min_sequence_number for ref in full)
        new = _put(columns, store, ids=ids, level=level + 1, min_sequence=minimum)
        first = folded.index(full[0])
        gone = {ref.hash for ref in full}
        folded = [ref for ref in folded if ref.hash not in gone]
        folded.insert(min(first, len(folded)), new)
        full = _full_level(folded)
    return tuple(folded)


def without(
    refs: Sequence[ManifestRef],
    removed: Collection[str],
    store: ManifestStore,
    *,
    ids: SnapshotIds,
) -> tuple[ManifestRef, ...]:
    """Remove files: only manifests that list one of them are written again."""
    left = set(removed)
    kept: list[ManifestRef] = []
    for ref in refs:
        columns = _load(ref.hash, store) if left else None
        if columns is None or left.isdisjoint(columns["path"]):
            kept.append(ref)
            continue
        stays = [index for index, path in enumerate(columns["path"]) if path not in left]
        left.difference_update(columns["path"])
        if stays:
            remaining: Columns = {"spec": columns["spec"]}
            for name, values in columns.items():
                if name != "spec":
                    numbered = _numbered(name, values, ref, ids)
                    remaining[name] = [numbered[index] for index in stays]
            kept.append(
                _put(
                    remaining,
                    store,
                    ids=ids,
                    level=ref.level,
                    min_sequence=ref.min_sequence_number,
                )
            )
    return tuple(kept)


def inherit(ref: ManifestRef, ids: SnapshotIds) -> ManifestRef:
    """Let a manifest's added entries count as added by another snapshot; its bytes stay."""
    minimum = ids.sequence_number if not ref.existing_files else ref.min_sequence_number
    return dataclasses.replace(
        ref,
        sequence_number=ids.sequence_number,
        min_sequence_number=minimum,
        snapshot_id=ids.snapshot_id,
    )


def write_manifest_list(refs: Sequence[ManifestRef], store: ManifestStore) -> str:
    """Keep a snapshot's list of manifests; gives its hash."""
    return store.put(orjson.dumps([manifest_ref_to_json(ref) for ref in refs]))


def read_manifest_list(content_hash: str, store: ManifestStore) -> tuple[ManifestRef, ...]:
    """Give a snapshot's manifests."""
    return tuple(manifest_ref_from_json(row) for row in orjson.loads(store.get(content_hash)))


def _put(
    columns: Columns, store: ManifestStore, *, ids: SnapshotIds, level: int, min_sequence: int
) -> ManifestRef:
    rows, added = columns["rows"], [snapshot == 0 for snapshot in columns["snapshot"]]
    added_rows = sum(count for count, is_added in zip(rows, added, strict=True) if is_added)
    return ManifestRef(
        hash=store.put(orjson.dumps(columns, option=orjson.OPT_SORT_KEYS)),
        level=level,
        spec_id=columns["spec"],
        sequence_number=ids.sequence_number,
        min_sequence_number=min_sequence,
        snapshot_id=ids.snapshot_id,
        added_files=sum(added),
        added_rows=added_rows,
        existing_files=len(rows) - sum(added),
        existing_rows=sum(rows) - added_rows,
        size_bytes=sum(columns["size"]),
        schema_ids=tuple(sorted(set(columns["schema"]))),
    )


def _full_level(refs: Sequence[ManifestRef]) -> list[ManifestRef]:
    groups: dict[tuple[int, int], list[ManifestRef]] = {}
    for ref in refs:
        group = groups.setdefault((ref.level, ref.spec_id), [])
        group.append(ref)
        if len(group) == FAN_IN:
            return group
    return []


def _numbered(name: str, values: list[Any], ref: ManifestRef, ids: SnapshotIds) -> list[Any]:
    # What this very snapshot adds stays without numbers, all else gets those it had inherited.
    if ref.snapshot_id == ids.snapshot_id:
        return values
    if name == "snapshot":
        return [value or ref.snapshot_id for value in values]
    if name == "sequence":
        return [value or ref.sequence_number for value in values]
    return values


def _load(content_hash: str, store: ManifestStore) -> Columns:
    columns: Columns = orjson.loads(store.get(content_hash))
    return columns


@lru_cache(maxsize=256)
def _files(content: bytes) -> tuple[DataFile, ...]:
    columns = orjson.loads(content)
    spec_id = columns["spec"]
    maps = [[_map_in(value) for value in columns[name]] for name in _MAPS]
    attributes = zip(
        columns["path"],
        columns["rows"],
        columns["size"],
        columns["schema"],
        columns["partition"],
        *maps,
        strict=True,
    )
    return tuple(
        DataFile(
            path=path,
            record_count=rows,
            size_bytes=size,
            schema_id=schema_id,
            spec_id=spec_id,
            partition=tuple(_partition_in(value) for value in partition),
            lower_bounds=lower,
            upper_bounds=upper,
            null_counts=nulls,
            value_counts=values,
            nan_counts=nans,
            column_sizes=sizes,
        )
        for path, rows, size, schema_id, partition, lower, upper, nulls, values, nans, sizes in (
            attributes
        )
    )


def _map_out(values: Mapping[int, Physical]) -> dict[str, Any]:
    # A bound that is not finite is left out: a missing bound prunes nothing, and JSON has no word
    # for it. Decimals exceed 64 bits, which orjson refuses, so those go as text in a list.
    out: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, float) and not math.isfinite(value):
            continue
        if isinstance(value, int) and not -_INT64 <= value < _INT64:
            out[str(key)] = [str(value)]
        else:
            out[str(key)] = value
    return out


def _map_in(values: Mapping[str, Any]) -> dict[int, Any]:
    return {
        int(key): int(value[0]) if isinstance(value, list) else value
        for key, value in values.items()
    }


def _partition_out(value: PartitionValue) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return ["float", str(value)]
    if isinstance(value, int) and not -_INT64 <= value < _INT64:
        return ["int", str(value)]
    return value


def _partition_in(value: Any) -> PartitionValue:
    if isinstance(value, list):
        return float(value[1]) if value[0] == "float" else int(value[1])
    read: PartitionValue = value
    return read
