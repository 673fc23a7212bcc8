# SPDX-License-Identifier: Apache-2.0
"""Partition values in SQL: what DuckDB groups rows by, and back from its text to Iceberg's value.

The value travels as text in the name of a folder, so that it is told exactly: strings get a mark in
front (a NULL has none), long ones become a hash and are read back from the file.
"""

from __future__ import annotations

from mainstem.engines.names import quote
from mainstem.errors import InternalError, SqlInvalid
from mainstem.types import (
    Field,
    PartitionField,
    PartitionSpec,
    PartitionValue,
    Primitive,
    Schema,
    dataclass,
)

_LONGEST = 70
"""Bytes of text in a folder's name; each may take three, and a name may have 255."""
_TIMES = {"date", "timestamp", "timestamptz"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionColumn:
    """One partition field with the SQL that computes its text."""

    name: str
    """Of the extra column, not in any file."""
    source: Field
    transform: str
    sql: str

    def value(self, text: str | None) -> PartitionValue:
        """Read the value back.

        Raises:
            LookupError: It was too long; take it from the file's rows.
        """
        if text is None:
            return None
        if self.transform != "identity":
            return int(text)
        match self.source.type:
            case Primitive("string" | "binary" | "uuid"):
                if not text.startswith("="):
                    raise LookupError(text)
                return text[1:]
            case Primitive("boolean"):
                return text == "true"
            case Primitive("float" | "double"):
                return float(text)
            case _:
                return int(text)


def partition_columns(spec: PartitionSpec, schema: Schema) -> tuple[PartitionColumn, ...]:
    """Give the columns to partition by, in the spec's order.

    Raises:
        SqlInvalid: A column has a type that the transform does not take.
    """
    return tuple(_column(field, schema, number) for number, field in enumerate(spec.fields))


def _column(part: PartitionField, schema: Schema, number: int) -> PartitionColumn:
    source = next((field for field in schema if field.id == part.source_id), None)
    if source is None:
        raise InternalError("A9052", f"partition field {part.name} has no column to come from.")
    column = quote(source.name)
    if not isinstance(source.type, Primitive) or (
        part.transform != "identity" and source.type.name not in _TIMES
    ):
        raise _not_partitionable(part, source)
    if part.transform == "identity":
        sql = _identity(column, source.type)
    else:
        sql = _time(column, source.type, part)
    return PartitionColumn(
        name=f"mainstem_partition_{number}", source=source, transform=part.transform, sql=sql
    )


def _identity(column: str, of: Primitive) -> str:
    match of.name:
        case "string":
            text = column
        case "uuid":
            text = f"replace({column}::varchar, '-', '')"
        case "binary":
            text = f"lower(hex({column}))"
        case "date":
            return f"({column} - date '1970-01-01')::varchar"
        case "time":
            return f"date_diff('microsecond', time '00:00:00', {column})::varchar"
        case "timestamp" | "timestamptz":
            return f"epoch_us({column})::varchar"
        case name if name.startswith("decimal"):
            return f"replace({column}::varchar, '.', '')"
        case name if name.startswith("fixed"):
            text = f"lower(hex({column}))"
        case _:
            return f"{column}::varchar"
    return f"case when strlen({text}) <= {_LONGEST} then '=' || {text} else '#' || md5({text}) end"


def _time(column: str, of: Primitive, part: PartitionField) -> str:
    moment = f"({column} at time zone 'UTC')" if of.name == "timestamptz" else column
    match part.transform:
        case "year":
            return f"(year({moment}) - 1970)::varchar"
        case "month":
            return f"((year({moment}) - 1970) * 12 + month({moment}) - 1)::varchar"
        case "day":
            return f"({moment}::date - date '1970-01-01')::varchar"
        case _:
            if of.name == "date":
                raise _not_partitionable(part, None)
            return f"date_diff('hour', timestamp '1970-01-01', {moment})::varchar"


def _not_partitionable(part: PartitionField, source: Field | None) -> SqlInvalid:
    kind = source.type if source is not None else "date"
    return SqlInvalid(
        "A7508",
        f"partition field {part.name}: {part.transform} does not take a column of type {kind}.",
        hint="year, month and day take dates and timestamps, hour takes timestamps, and identity "
        "takes anything but structs, lists and maps.",
    )
