# SPDX-License-Identifier: Apache-2.0
"""Single edits of a table's schema: add, drop, rename, move, promote, make optional. Pure.

Each gives the next schema with its id, for a `TableWrite` with `operation="evolve"`; no file is
touched, because files are read by field id. A path is a column's name, or names down to a nested
field: `address.city`, `items.element.price`, `scores.value.mean`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Sequence

from mainstem.errors import SchemaDrifted
from mainstem.lake.evolution import Allocator, assign_ids, is_promotion, with_schema_id
from mainstem.types import (
    Field,
    List,
    Map,
    PartitionSpec,
    Primitive,
    Schema,
    Struct,
    Type,
    did_you_mean,
)

FieldPath = str | Sequence[str]
"""Names from the column down; a text is divided at its dots unless a column is named like it."""

_Edit = Callable[[tuple[Field, ...], str], tuple[Field, ...]]


def add_column(
    schema: Schema,
    field: Field,
    allocator: Allocator,
    *,
    into: FieldPath = (),
    dropped: Collection[int] = (),
) -> Schema:
    """Add an optional column, or a field to the struct at `into`; old rows are null there.

    Raises:
        SchemaDrifted: The name is taken, or `into` is no struct.
    """

    def added(fields: tuple[Field, ...], _: str) -> tuple[Field, ...]:
        _refuse_taken(fields, field.name)
        return (*fields, dataclasses.replace(field, id=0, required=False))

    edited = _at(schema, (*_parts(schema, into), ""), added)
    return assign_ids(edited, schema, allocator, replaces=False, dropped=dropped)


def drop_column(
    schema: Schema,
    path: FieldPath,
    allocator: Allocator,
    *,
    spec: PartitionSpec | None = None,
    row_key: Sequence[str] = (),
) -> Schema:
    """Drop a column or nested field; a later one of its name is another, and starts out null.

    Raises:
        SchemaDrifted: There is no such field, it is the last one, or the layout or key needs it.
    """

    def without(fields: tuple[Field, ...], name: str) -> tuple[Field, ...]:
        found = _found(fields, name, path)
        if spec is not None and any(part.source_id == found.id for part in spec.fields):
            raise SchemaDrifted(
                "A5509",
                f"column `{found.name}` cannot be dropped: the files are laid out by it.",
                hint="Write the table with another partition_by first.",
            )
        if found.name.casefold() in {key.casefold() for key in row_key}:
            raise SchemaDrifted(
                "A5509",
                f"column `{found.name}` cannot be dropped: it is part of the key.",
                hint="Declare another key first.",
            )
        if len(fields) == 1:
            raise SchemaDrifted(
                "A5509",
                f"column `{found.name}` cannot be dropped: nothing would be left.",
                hint="Drop the table, or the column that it is in.",
            )
        return tuple(field for field in fields if field is not found)

    parts = _parts(schema, path)
    if len(parts) > 1:
        spec, row_key = None, ()
    return with_schema_id(_at(schema, parts, without), allocator)


def rename_column(schema: Schema, path: FieldPath, name: str, allocator: Allocator) -> Schema:
    """Rename a column or nested field; old rows keep their values.

    Raises:
        SchemaDrifted: There is no such field, or the name is taken.
    """

    def renamed(fields: tuple[Field, ...], last: str) -> tuple[Field, ...]:
        found = _found(fields, last, path)
        _refuse_taken([field for field in fields if field is not found], name)
        return _replaced(fields, found, dataclasses.replace(found, name=name))

    return with_schema_id(_at(schema, _parts(schema, path), renamed), allocator)


def promote_column(schema: Schema, path: FieldPath, to: Primitive, allocator: Allocator) -> Schema:
    """Widen a type; files are not rewritten.

    Raises:
        SchemaDrifted: There is no such field, or Iceberg knows no such promotion.
    """

    def promoted(fields: tuple[Field, ...], last: str) -> tuple[Field, ...]:
        found = _found(fields, last, path)
        if not isinstance(found.type, Primitive) or not is_promotion(found.type, to):
            raise SchemaDrifted(
                "A5502",
                f"column `{found.name}` is {found.type} and cannot become {to}.",
                hint="Allowed: int to long, float to double, a decimal of more digits.",
            )
        return _replaced(fields, found, dataclasses.replace(found, type=to))

    return with_schema_id(_at(schema, _parts(schema, path), promoted), allocator)


def relax_column(schema: Schema, path: FieldPath, allocator: Allocator) -> Schema:
    """Let a column or nested field be null from now on.

    Raises:
        SchemaDrifted: There is no such field.
    """

    def relaxed(fields: tuple[Field, ...], last: str) -> tuple[Field, ...]:
        found = _found(fields, last, path)
        return _replaced(fields, found, dataclasses.replace(found, required=False))

    return with_schema_id(_at(schema, _parts(schema, path), relaxed), allocator)


def reorder_columns(
    schema: Schema, names: Sequence[str], allocator: Allocator, *, into: FieldPath = ()
) -> Schema:
    """Put columns, or the fields of the struct at `into`, first in this order; others keep theirs.

    Raises:
        SchemaDrifted: A name is not there, or named twice.
    """

    def reordered(fields: tuple[Field, ...], _: str) -> tuple[Field, ...]:
        first = [_found(fields, name, name) for name in names]
        if len({field.name for field in first}) < len(first):
            raise SchemaDrifted(
                "A5501", "a column is named twice in the new order.", hint="Name each once."
            )
        return (*first, *(field for field in fields if field not in first))

    return with_schema_id(_at(schema, (*_parts(schema, into), ""), reordered), allocator)


def _parts(schema: Schema, path: FieldPath) -> tuple[str, ...]:
    if not isinstance(path, str):
        return tuple(path)
    return (path,) if schema.field(path) is not None else tuple(path.split("."))


def _at(schema: Schema, parts: tuple[str, ...], edit: _Edit) -> Schema:
    return dataclasses.replace(schema, fields=_in_fields(schema.fields, parts, edit, ""))


def _in_fields(
    fields: tuple[Field, ...], parts: tuple[str, ...], edit: _Edit, path: str
) -> tuple[Field, ...]:
    if len(parts) == 1:
        return edit(fields, parts[0])
    found = _found(fields, parts[0], path)
    inner = _in_type(found.type, parts[1:], edit, f"{path}{found.name}.")
    return _replaced(fields, found, dataclasses.replace(found, type=inner))


def _in_type(of: Type, parts: tuple[str, ...], edit: _Edit, path: str) -> Type:
    name = parts[0].casefold()
    match of:
        case Struct():
            return Struct(fields=_in_fields(of.fields, parts, edit, path))
        case List() if name == "element" and len(parts) > 1:
            return dataclasses.replace(
                of, element=_in_type(of.element, parts[1:], edit, f"{path}element.")
            )
        case Map() if name == "value" and len(parts) > 1:
            return dataclasses.replace(
                of, value=_in_type(of.value, parts[1:], edit, f"{path}value.")
            )
        case _:
            raise SchemaDrifted(
                "A5508",
                f"`{path}{'.'.join(parts).rstrip('.')}` is no nested field: `{path[:-1]}` is {of}.",
                hint="Write `element` below a list and `value` below a map; map keys are fixed.",
            )


def _found(fields: Sequence[Field], name: str, path: FieldPath) -> Field:
    folded = name.casefold()
    found = next((field for field in fields if field.name.casefold() == folded), None)
    if found is None:
        names = [field.name for field in fields]
        raise SchemaDrifted(
            "A5508",
            f"there is no column `{path if isinstance(path, str) and path else name}`.",
            hint=did_you_mean(name, names),
            known=names,
        )
    return found


def _refuse_taken(fields: Sequence[Field], name: str) -> None:
    twin = next((field for field in fields if field.name.casefold() == name.casefold()), None)
    if twin is not None:
        raise SchemaDrifted(
            "A5501",
            f"there is a column `{twin.name}` already.",
            hint="Names are compared without case; choose another one.",
        )


def _replaced(fields: tuple[Field, ...], old: Field, new: Field) -> tuple[Field, ...]:
    return tuple(new if field is old else field for field in fields)
