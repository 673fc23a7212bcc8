# SPDX-License-Identifier: Apache-2.0
"""Layouts: `partition_by:` as an Iceberg partition spec with ids of the table. Pure and light."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson

from mainstem.errors import SchemaDrifted
from mainstem.lake.evolution import Allocator
from mainstem.types import (
    Field,
    LayoutColumn,
    PartitionField,
    PartitionSpec,
    Primitive,
    Schema,
    Transform,
    did_you_mean,
)

_CALENDAR = frozenset({"date", "timestamp", "timestamptz"})

_SOURCES: Mapping[Transform, frozenset[str]] = {
    "year": _CALENDAR,
    "month": _CALENDAR,
    "day": _CALENDAR,
    "hour": frozenset({"timestamp", "timestamptz"}),
}


def assign_spec(
    columns: Sequence[LayoutColumn], schema: Schema, allocator: Allocator
) -> PartitionSpec:
    """Give a layout its ids.

    Args:
        columns: As the owner wrote them.
        schema: The schema to write with, ids assigned.
        allocator: The table's; the same layout has the same ids on every branch.

    Raises:
        SchemaDrifted: A column does not exist, or its type has no such transform.
    """
    fields: list[PartitionField] = []
    for column in columns:
        field = _column(column, schema)
        part = PartitionField(
            source_id=field.id,
            field_id=allocator.partition_field_id(field.id, column.transform),
            name=_name(field, column.transform, schema, fields),
            transform=column.transform,
        )
        if any(other.field_id == part.field_id for other in fields):
            raise SchemaDrifted(
                "A5506",
                f"partition_by names `{column}` twice.",
                hint="Remove one of them.",
            )
        fields.append(part)
    text = orjson.dumps([[part.field_id, part.name] for part in fields]).decode()
    return PartitionSpec(spec_id=allocator.spec_id(text), fields=tuple(fields))


def layout_of(spec: PartitionSpec, schema: Schema) -> tuple[LayoutColumn, ...]:
    """Give a spec as its owner would write it, with the columns' present names."""
    names = {field.id: field.name for field in schema.fields}
    return tuple(
        LayoutColumn(column=names[part.source_id], transform=part.transform)
        for part in spec.fields
        if part.source_id in names
    )


def _column(column: LayoutColumn, schema: Schema) -> Field:
    field = schema.field(column.column)
    if field is None:
        raise SchemaDrifted(
            "A5506",
            f"partition_by names `{column.column}`, which is not a column.",
            hint=did_you_mean(column.column, schema.names),
            known=schema.names,
        )
    of = str(field.type)
    allowed = _SOURCES.get(column.transform)
    if not isinstance(field.type, Primitive) or (allowed is not None and of not in allowed):
        wanted = ", ".join(sorted(allowed)) if allowed else "a column without nested fields"
        raise SchemaDrifted(
            "A5506",
            f"partition_by has {column}, but `{field.name}` is {of}; allowed is {wanted}.",
            hint="Partition by another column, or cast this one.",
        )
    return field


def _name(
    field: Field, transform: Transform, schema: Schema, others: Sequence[PartitionField]
) -> str:
    # Iceberg lets a partition field share a column's name only if it is that column's identity.
    if transform == "identity":
        return field.name
    taken = {name.casefold() for name in schema.names} | {part.name.casefold() for part in others}
    name, number = f"{field.name}_{transform}", 2
    while name.casefold() in taken:
        name, number = f"{field.name}_{transform}_{number}", number + 1
    return name
