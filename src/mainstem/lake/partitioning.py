# SPDX-License-Identifier: Apache-2.0
"""Dividing rows by the layout of a table: Iceberg's partition transforms, vectorised on Arrow.

Values are those of `PartitionValue`; `planner.transformed` is the same for one value. Layouts
themselves are made in `layout`. Called by the writer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mainstem.lake.planner import physical
from mainstem.types import (
    PartitionField,
    PartitionSpec,
    PartitionValue,
    Primitive,
    Schema,
    Transform,
)

_MICROS_PER_HOUR = 3_600_000_000


def split(
    data: pa.Table, spec: PartitionSpec, schema: Schema
) -> Iterator[tuple[tuple[PartitionValue, ...], pa.Table]]:
    """Divide rows by partition; rows keep their order, partitions come in order of appearance.

    Args:
        data: Rows in the lake's Arrow types, with the columns of `schema`.
        spec: The layout.
        schema: What its source ids refer to.
    """
    if not data.num_rows:
        return
    if not spec.fields:
        yield (), data
        return
    sources = [_source(part, schema) for part in spec.fields]
    keys = {
        f"k{position}": transform_column(data.column(name), of, part.transform)
        for position, (part, (name, of)) in enumerate(zip(spec.fields, sources, strict=True))
    }
    groups = (
        pa.table({**keys, "row": pa.arange(0, data.num_rows)})
        .group_by(list(keys), use_threads=False)
        .aggregate([("row", "list")])
        .combine_chunks()
    )
    rows = groups.column("row_list")
    columns = [
        [_value(value, of, part.transform) for value in groups.column(f"k{position}").to_pylist()]
        for position, (part, (_, of)) in enumerate(zip(spec.fields, sources, strict=True))
    ]
    for position, values in enumerate(zip(*columns, strict=True)):
        yield values, data.take(rows[position].values)


def transform_column(
    column: pa.ChunkedArray, of: Primitive, transform: Transform
) -> pa.ChunkedArray:
    """Transform a column; what identity gives is groupable, and an integer where time is meant."""
    if transform == "identity":
        if of.name == "date":
            return column.cast(pa.int32())
        if of.name in {"time", "timestamp", "timestamptz"}:
            return column.cast(pa.int64())
        return column.cast(pa.binary(16)) if of.name == "uuid" else column
    if transform == "hour":
        hours = pc.floor_temporal(column, unit="hour").cast(pa.int64())
        return pc.divide(hours, _MICROS_PER_HOUR).cast(pa.int32())
    if transform == "day":
        days = column if of.name == "date" else pc.floor_temporal(column, unit="day")
        return days.cast(pa.date32()).cast(pa.int32())
    years = pc.subtract(pc.year(column), 1970)
    if transform == "year":
        return years.cast(pa.int32())
    months = pc.add(pc.multiply(years, 12), pc.subtract(pc.month(column), 1))
    return months.cast(pa.int32())


def _source(part: PartitionField, schema: Schema) -> tuple[str, Primitive]:
    field = next(field for field in schema.fields if field.id == part.source_id)
    assert isinstance(field.type, Primitive), "layouts are made of primitive columns"
    return field.name, field.type


def _value(value: Any, of: Primitive, transform: Transform) -> PartitionValue:
    is_plain = value is None or transform != "identity" or isinstance(value, int)
    return value if is_plain else physical(value, of)
