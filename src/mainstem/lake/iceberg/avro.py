# SPDX-License-Identifier: Apache-2.0
"""Avro schemas of manifests and manifest lists with Iceberg's field ids, and their encoding.

Spec, "Manifests" and "Manifest Lists", format version 2; data files only.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import fastavro

from mainstem.types import PartitionField, Primitive

_PLAIN: Mapping[str, Any] = {
    "boolean": "boolean",
    "int": "int",
    "long": "long",
    "float": "float",
    "double": "double",
    "date": {"type": "int", "logicalType": "date"},
    "time": {"type": "long", "logicalType": "time-micros"},
    "timestamp": {"type": "long", "logicalType": "timestamp-micros", "adjust-to-utc": False},
    "timestamptz": {"type": "long", "logicalType": "timestamp-micros", "adjust-to-utc": True},
    "string": "string",
    "uuid": {"type": "fixed", "size": 16, "logicalType": "uuid", "name": "uuid_fixed"},
    "binary": "bytes",
}


def encode_file(schema: Any, rows: Iterable[Any], metadata: Mapping[str, str]) -> bytes:
    """Write an Avro file; equal input gives equal bytes."""
    marker = hashlib.blake2b(repr(sorted(metadata.items())).encode(), digest_size=16).digest()
    buffer = io.BytesIO()
    fastavro.writer(buffer, schema, rows, codec="null", metadata=dict(metadata), sync_marker=marker)
    return buffer.getvalue()


@lru_cache(maxsize=128)
def manifest_schema(partition: tuple[tuple[PartitionField, Primitive], ...]) -> Any:
    """Give the Avro schema of a manifest whose files have these partition fields and types."""
    partition_fields = [
        {
            **_field(avro_name(part.name), part.field_id, _avro_type(of, part.field_id), opt=True),
            **({"iceberg-field-name": part.name} if avro_name(part.name) != part.name else {}),
        }
        for part, of in partition
    ]
    data_file = [
        _field("content", 134, "int"),
        _field("file_path", 100, "string"),
        _field("file_format", 101, "string"),
        _field("partition", 102, {"type": "record", "name": "r102", "fields": partition_fields}),
        _field("record_count", 103, "long"),
        _field("file_size_in_bytes", 104, "long"),
        _field("column_sizes", 108, _map(117, 118, "long"), opt=True),
        _field("value_counts", 109, _map(119, 120, "long"), opt=True),
        _field("null_value_counts", 110, _map(121, 122, "long"), opt=True),
        _field("nan_value_counts", 137, _map(138, 139, "long"), opt=True),
        _field("lower_bounds", 125, _map(126, 127, "bytes"), opt=True),
        _field("upper_bounds", 128, _map(129, 130, "bytes"), opt=True),
        _field("sort_order_id", 140, "int", opt=True),
    ]
    entry = [
        _field("status", 0, "int"),
        _field("snapshot_id", 1, "long", opt=True),
        _field("sequence_number", 3, "long", opt=True),
        _field("file_sequence_number", 4, "long", opt=True),
        _field("data_file", 2, {"type": "record", "name": "r2", "fields": data_file}),
    ]
    return fastavro.parse_schema({"type": "record", "name": "manifest_entry", "fields": entry})


@lru_cache(maxsize=1)
def manifest_list_schema() -> Any:
    """Give the Avro schema of a manifest list."""
    summary = [
        _field("contains_null", 509, "boolean"),
        _field("contains_nan", 518, "boolean", opt=True),
        _field("lower_bound", 510, "bytes", opt=True),
        _field("upper_bound", 511, "bytes", opt=True),
    ]
    partitions = {
        "type": "array",
        "items": {"type": "record", "name": "r508", "fields": summary},
        "element-id": 508,
    }
    counts = (
        ("added_files_count", 504, "int"),
        ("existing_files_count", 505, "int"),
        ("deleted_files_count", 506, "int"),
        ("added_rows_count", 512, "long"),
        ("existing_rows_count", 513, "long"),
        ("deleted_rows_count", 514, "long"),
    )
    fields = [
        _field("manifest_path", 500, "string"),
        _field("manifest_length", 501, "long"),
        _field("partition_spec_id", 502, "int"),
        _field("content", 517, "int"),
        _field("sequence_number", 515, "long"),
        _field("min_sequence_number", 516, "long"),
        _field("added_snapshot_id", 503, "long"),
        *(_field(name, number, of) for name, number, of in counts),
        _field("partitions", 507, partitions, opt=True),
    ]
    return fastavro.parse_schema({"type": "record", "name": "manifest_file", "fields": fields})


@lru_cache(maxsize=1024)
def avro_name(name: str) -> str:
    """Give a name that Avro allows, by the rule that Iceberg's Java library uses."""
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        return name
    first = name[0] if re.match(r"[A-Za-z_]", name[0]) else _escaped(name[0], is_first=True)
    return first + "".join(
        c if re.match(r"[A-Za-z0-9_]", c) else _escaped(c, is_first=False) for c in name[1:]
    )


def _escaped(character: str, *, is_first: bool) -> str:
    if is_first and character.isascii() and character.isdigit():
        return f"_{character}"
    return f"_x{ord(character):X}"


def _field(name: str, number: int, of: Any, *, opt: bool = False) -> dict[str, Any]:
    if opt:
        return {"name": name, "field-id": number, "type": ["null", of], "default": None}
    return {"name": name, "field-id": number, "type": of}


def _map(key_id: int, value_id: int, of: str) -> dict[str, Any]:
    return {
        "type": "array",
        "logicalType": "map",
        "items": {
            "type": "record",
            "name": f"k{key_id}_v{value_id}",
            "fields": [_field("key", key_id, "int"), _field("value", value_id, of)],
        },
    }


def _avro_type(of: Primitive, number: int) -> Any:
    if of.is_decimal:
        precision, scale = of.precision_and_scale
        return {
            "type": "fixed",
            "name": f"decimal_{precision}_{scale}_{number}",
            "size": _decimal_bytes(precision),
            "logicalType": "decimal",
            "precision": precision,
            "scale": scale,
        }
    if of.name.startswith("fixed["):
        size = int(of.name[len("fixed[") : -1])
        return {"type": "fixed", "name": f"fixed_{size}_{number}", "size": size}
    plain = _PLAIN[of.name]
    if of.name == "uuid":
        return {**plain, "name": f"uuid_fixed_{number}"}
    return plain


def _decimal_bytes(precision: int) -> int:
    # Spec, Appendix A: the least number of bytes that holds the precision.
    size = 1
    while 2 ** (8 * size - 1) - 1 < 10**precision - 1:
        size += 1
    return size
