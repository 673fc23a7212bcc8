# SPDX-License-Identifier: Apache-2.0
"""Schemas in Iceberg's terms (Iceberg spec, "Schemas and Data Types", format version 2).

Pure values: nothing here knows Arrow, DuckDB or Parquet. Ids of 0 mean "not yet allocated":
an engine describes a query with zeros and the lake allocates ids for the table.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mainstem.errors import InternalError
from mainstem.types.value import dataclass

PRIMITIVES = frozenset(
    {
        "boolean",
        "int",
        "long",
        "float",
        "double",
        "date",
        "time",
        "timestamp",
        "timestamptz",
        "string",
        "uuid",
        "binary",
    }
)
"""Names of the primitive types; `decimal(P,S)` and `fixed[L]` come on top."""


@dataclass(frozen=True, slots=True)
class Primitive:
    """A type without children, by its Iceberg name: `long`, `decimal(10,2)`, `fixed[16]`."""

    name: str

    def __str__(self) -> str:
        return self.name

    @property
    def is_decimal(self) -> bool:
        """Whether it is a decimal of any precision."""
        return self.name.startswith("decimal(")

    @property
    def precision_and_scale(self) -> tuple[int, int]:
        """Precision and scale of a decimal."""
        precision, scale = self.name[len("decimal(") : -1].split(",")
        return int(precision), int(scale)


@dataclass(frozen=True, slots=True, kw_only=True)
class Struct:
    """A struct; its fields have ids of their own."""

    fields: tuple[Field, ...]

    def __str__(self) -> str:
        return "struct<" + ", ".join(f"{field.name}: {field.type}" for field in self.fields) + ">"


@dataclass(frozen=True, slots=True, kw_only=True)
class List:
    """A list; the element has an id."""

    element: Type
    element_id: int = 0
    element_required: bool = False

    def __str__(self) -> str:
        return f"list<{self.element}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Map:
    """A map; key and value have ids, keys are always required."""

    key: Type
    value: Type
    key_id: int = 0
    value_id: int = 0
    value_required: bool = False

    def __str__(self) -> str:
        return f"map<{self.key}, {self.value}>"


Type = Primitive | Struct | List | Map


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A named column or struct field."""

    name: str
    type: Type
    id: int = 0
    required: bool = False
    doc: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """Columns of a table in order; names are unique without case (SEMANTICS, Tables)."""

    fields: tuple[Field, ...]
    schema_id: int = 0

    def __iter__(self) -> Iterator[Field]:
        return iter(self.fields)

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order, as written."""
        return tuple(field.name for field in self.fields)

    def field(self, name: str) -> Field | None:
        """Find a top-level column by name without case."""
        folded = name.casefold()
        return next((field for field in self.fields if field.name.casefold() == folded), None)


def type_to_json(of: Type) -> Any:
    """Write a type as Iceberg's JSON does (spec, Appendix C)."""
    match of:
        case Primitive(name):
            return name
        case Struct():
            return {"type": "struct", "fields": [field_to_json(field) for field in of.fields]}
        case List():
            return {
                "type": "list",
                "element-id": of.element_id,
                "element": type_to_json(of.element),
                "element-required": of.element_required,
            }
        case Map():
            return {
                "type": "map",
                "key-id": of.key_id,
                "key": type_to_json(of.key),
                "value-id": of.value_id,
                "value": type_to_json(of.value),
                "value-required": of.value_required,
            }


def type_from_json(value: Any) -> Type:
    """Read a type from Iceberg's JSON (spec, Appendix C)."""
    if isinstance(value, str):
        return Primitive(value)
    match value["type"]:
        case "struct":
            return Struct(fields=tuple(field_from_json(field) for field in value["fields"]))
        case "list":
            return List(
                element=type_from_json(value["element"]),
                element_id=value["element-id"],
                element_required=value["element-required"],
            )
        case "map":
            return Map(
                key=type_from_json(value["key"]),
                value=type_from_json(value["value"]),
                key_id=value["key-id"],
                value_id=value["value-id"],
                value_required=value["value-required"],
            )
        case other:
            raise InternalError("A9002", f"unknown Iceberg type {other!r}.")


def field_to_json(field: Field) -> dict[str, Any]:
    """Write a field as Iceberg's JSON does."""
    plain = {
        "id": field.id,
        "name": field.name,
        "required": field.required,
        "type": type_to_json(field.type),
    }
    return {**plain, "doc": field.doc} if field.doc else plain


def field_from_json(value: dict[str, Any]) -> Field:
    """Read a field from Iceberg's JSON."""
    return Field(
        id=value["id"],
        name=value["name"],
        required=value["required"],
        type=type_from_json(value["type"]),
        doc=value.get("doc", ""),
    )


def schema_to_json(schema: Schema) -> dict[str, Any]:
    """Write a schema as Iceberg's JSON does."""
    return {
        "type": "struct",
        "schema-id": schema.schema_id,
        "fields": [field_to_json(field) for field in schema.fields],
    }


def schema_from_json(value: dict[str, Any]) -> Schema:
    """Read a schema from Iceberg's JSON."""
    return Schema(
        schema_id=value["schema-id"],
        fields=tuple(field_from_json(field) for field in value["fields"]),
    )
