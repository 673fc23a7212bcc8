# SPDX-License-Identifier: Apache-2.0
"""Schemas as Arrow sees them, both ways: the fixed type table for Arrow (SEMANTICS, Types).

Field ids travel as the metadata that Parquet readers and writers agree on, nested ones too. Used
wherever Arrow enters or leaves the lake; values are converted in `conform`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import pyarrow as pa

from mainstem.errors import SchemaDrifted
from mainstem.types import Field, List, Map, Primitive, Schema, Struct, Type

FIELD_ID = b"PARQUET:field_id"

_TO_ARROW: Mapping[str, pa.DataType] = {
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", tz="UTC"),
    "string": pa.string(),
    "uuid": pa.uuid(),
    "binary": pa.binary(),
}

_FROM_ARROW: Mapping[pa.DataType, str] = {
    **{of: name for name, of in _TO_ARROW.items()},
    # As DuckDB takes an untyped null.
    pa.null(): "int",
    pa.int8(): "int",
    pa.int16(): "int",
    pa.uint8(): "int",
    pa.uint16(): "int",
    pa.uint32(): "long",
    pa.uint64(): "decimal(20,0)",
    pa.float16(): "float",
    pa.date64(): "date",
    pa.large_string(): "string",
    pa.string_view(): "string",
    pa.large_binary(): "binary",
    pa.binary_view(): "binary",
}


@lru_cache(maxsize=512)
def arrow_schema(schema: Schema) -> pa.Schema:
    """Give the Arrow schema of a table's files, with field ids."""
    return pa.schema([arrow_field(field) for field in schema.fields])


def no_rows(schema: Schema) -> pa.Table:
    """Give a table without rows; Arrow's own way to do so does not know nested UUIDs."""
    wanted = arrow_schema(schema)
    return pa.table([pa.nulls(0, field.type) for field in wanted], schema=wanted)


def arrow_field(field: Field) -> pa.Field:
    """Give one column or struct field with its id."""
    return pa.field(field.name, arrow_type(field.type), not field.required, _id_of(field.id))


def arrow_type(of: Type) -> pa.DataType:
    """Give the Arrow type that a type is written and read as."""
    match of:
        case Primitive(name):
            if of.is_decimal:
                return pa.decimal128(*of.precision_and_scale)
            if name.startswith("fixed["):
                return pa.binary(int(name[len("fixed[") : -1]))
            return _TO_ARROW[name]
        case Struct():
            return pa.struct([arrow_field(field) for field in of.fields])
        case List():
            # The names within are those of the Parquet format, which Iceberg takes over.
            element = pa.field(
                "element", arrow_type(of.element), not of.element_required, _id_of(of.element_id)
            )
            return pa.list_(element)
        case Map():
            return pa.map_(
                pa.field("key", arrow_type(of.key), False, _id_of(of.key_id)),
                pa.field("value", arrow_type(of.value), not of.value_required, _id_of(of.value_id)),
            )


def schema_of_arrow(schema: pa.Schema) -> Schema:
    """Give the schema that Arrow data is stored with; ids are 0, columns optional.

    Raises:
        SchemaDrifted: A column has a type that no table can hold; all such columns are named.
    """
    problems: list[str] = []
    fields = tuple(
        Field(name=field.name, type=_stored(field.type, field.name, problems)) for field in schema
    )
    if problems:
        raise SchemaDrifted(
            "A5503",
            "; ".join(problems) + ".",
            hint="Cast it first, for example to string, or to int64 for a duration.",
        )
    return Schema(fields=fields)


def field_id(field: pa.Field) -> int:
    """Read the id off an Arrow field; 0 if it has none."""
    metadata = field.metadata
    return int(metadata.get(FIELD_ID, 0)) if metadata else 0


def _id_of(number: int) -> dict[bytes, bytes] | None:
    return {FIELD_ID: str(number).encode()} if number else None


def _stored(of: pa.DataType, path: str, problems: list[str]) -> Type:
    name = _FROM_ARROW.get(of)
    if name is not None:
        return Primitive(name)
    if pa.types.is_struct(of):
        return Struct(
            fields=tuple(
                Field(name=child.name, type=_stored(child.type, f"{path}.{child.name}", problems))
                for child in of
            )
        )
    if pa.types.is_map(of):
        return Map(
            key=_stored(of.key_type, f"{path}.key", problems),
            value=_stored(of.item_type, f"{path}.value", problems),
        )
    if is_any_list(of):
        return List(element=_stored(of.value_type, f"{path}.element", problems))
    if pa.types.is_dictionary(of) or pa.types.is_run_end_encoded(of):
        return _stored(of.value_type, path, problems)
    if isinstance(of, pa.BaseExtensionType):
        return _stored(of.storage_type, path, problems)
    return _plain(of, path, problems)


def _plain(of: pa.DataType, path: str, problems: list[str]) -> Primitive:
    if pa.types.is_timestamp(of):
        return Primitive("timestamp" if of.tz is None else "timestamptz")
    if pa.types.is_time(of):
        return Primitive("time")
    if pa.types.is_fixed_size_binary(of):
        return Primitive(f"fixed[{of.byte_width}]")
    if pa.types.is_decimal(of) and of.precision <= 38 and 0 <= of.scale <= of.precision:
        return Primitive(f"decimal({of.precision},{of.scale})")
    problems.append(f"column `{path}` is of Arrow type {of}, which a table cannot hold")
    return Primitive("string")


def is_any_list(of: pa.DataType) -> bool:
    """Tell whether a type is one of Arrow's kinds of lists."""
    return bool(
        pa.types.is_list(of)
        or pa.types.is_large_list(of)
        or pa.types.is_fixed_size_list(of)
        or pa.types.is_list_view(of)
        or pa.types.is_large_list_view(of)
    )
