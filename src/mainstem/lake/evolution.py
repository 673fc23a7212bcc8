# SPDX-License-Identifier: Apache-2.0
"""What a table's schema may become: id assignment for writes, and what types may turn into.

Pure: ids come from an `Allocator`, which the catalog keeps per table for the whole lake. Single
edits (rename, drop, ...) are in `schema_edit`, uniting two schemas is in `schema_merge`. The rules
are Iceberg's for format version 2 (spec, "Schema Evolution"); anything else is `SchemaDrifted`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator
from typing import Protocol

import orjson

from mainstem.errors import SchemaDrifted
from mainstem.types import Field, List, Map, Primitive, Schema, Struct, Type, schema_to_json

_INTEGER_DIGITS = {"int": 10, "long": 19}


class Allocator(Protocol):
    """Gives out ids of one table, the same ones to every branch that asks for the same thing."""

    def field_id(self, path: str, type_text: str, *, avoid: Collection[int]) -> int:
        """Give the id of a new field.

        Args:
            path: `<id of the parent, 0 at the top>.<name without case>`; an element of a list is
                named `element`, key and value of a map `key` and `value`.
            type_text: `long`, `decimal(10,2)`, ...; `struct`, `list` and `map` without children.
            avoid: Ids that are in use or were dropped here. The newest id that was ever given for
                this path and type is given again unless it is among them; then a new one.
        """
        ...

    def schema_id(self, text: str) -> int:
        """Give the id of a schema, the same for the same text (`schema_text`)."""
        ...

    def spec_id(self, text: str) -> int:
        """Give the id of a layout, the same for the same text."""
        ...

    def partition_field_id(self, source_id: int, transform: str) -> int:
        """Give the id of a partition field, from 1000 on, the same for the same two."""
        ...


def assign_ids(
    schema: Schema,
    current: Schema | None,
    allocator: Allocator,
    *,
    replaces: bool,
    dropped: Collection[int] = (),
) -> Schema:
    """Give a schema that is about to be written the ids of the table's columns.

    Columns are matched by name without case, nested fields too.

    Args:
        schema: What the writer has; ids are ignored.
        current: The table's schema, `None` for a new table.
        allocator: The table's.
        replaces: All rows are replaced: the result is `schema`, in its order; a column whose type
            cannot be promoted is a new column of the same name. Otherwise the result is the
            table's schema, in its order, with new columns behind it and types promoted; columns
            that `schema` lacks stay and become optional; values of narrower types fit.
        dropped: `TableState.dropped_ids`.

    Returns:
        The schema to write with, every id set. Equal to `current` if nothing changes.

    Raises:
        SchemaDrifted: Two columns differ only in case, or a type changes in a way that is no
            promotion (only without `replaces`); all such columns are named.
    """
    problems: list[str] = []
    _refuse_twins(schema.fields, "", problems)
    if problems:
        raise SchemaDrifted(
            "A5501",
            "; ".join(problems) + ".",
            hint="Names are compared without case: rename one of each pair.",
        )
    # An id that is in use belongs to a column that was renamed since it was given for its path.
    taken = {*dropped, *(all_ids(current) if current is not None else ())}
    assigning = _Assigning(allocator, replaces=replaces, taken=taken, problems=problems)
    before = current.fields if current is not None else ()
    fields = assigning.fields(schema.fields, before, parent=0, path="", is_new=current is None)
    if problems:
        raise SchemaDrifted(
            "A5502",
            "; ".join(problems) + ".",
            hint=(
                "Allowed without rewriting the table: int to long, float to double, a decimal of "
                "more digits, required to optional. Cast to the table's type, or rebuild it."
            ),
        )
    if current is not None and fields == current.fields:
        return current
    return with_schema_id(Schema(fields=fields), allocator)


def with_schema_id(schema: Schema, allocator: Allocator) -> Schema:
    """Give a schema its id in the table."""
    return dataclasses.replace(schema, schema_id=allocator.schema_id(schema_text(schema)))


def schema_text(schema: Schema) -> str:
    """Write a schema canonically without its own id, to find the id by."""
    return orjson.dumps(schema_to_json(dataclasses.replace(schema, schema_id=0))).decode()


def all_ids(schema: Schema) -> set[int]:
    """Give the ids of all fields, elements, keys and values."""
    return set(_ids(schema.fields))


def is_promotion(old: Primitive, new: Primitive) -> bool:
    """Tell whether files written with `old` may be read as `new` (spec, "Schema Evolution")."""
    if (old.name, new.name) in {("int", "long"), ("float", "double")}:
        return True
    if old.is_decimal and new.is_decimal:
        (precision, scale), (wider, same) = old.precision_and_scale, new.precision_and_scale
        return scale == same and wider > precision
    return False


def fits(value: Primitive, column: Primitive) -> bool:
    """Tell whether every value of a type can be written to a column of another without loss."""
    if is_promotion(value, column) or (value.name, column.name) == ("int", "double"):
        return True
    if not column.is_decimal:
        return False
    precision, scale = column.precision_and_scale
    if value.is_decimal:
        own_precision, own_scale = value.precision_and_scale
        return own_scale <= scale and own_precision - own_scale <= precision - scale
    return precision - scale >= _INTEGER_DIGITS.get(value.name, 99)


def kind_of(of: Type) -> str:
    """Name a type without its children, as ids are allocated by."""
    match of:
        case Primitive(name):
            return name
        case Struct():
            return "struct"
        case List():
            return "list"
        case Map():
            return "map"


class _Assigning:
    """One walk over a schema; keeps what every level needs."""

    __slots__ = ("allocator", "problems", "replaces", "taken")

    def __init__(
        self,
        allocator: Allocator,
        *,
        replaces: bool,
        taken: Collection[int],
        problems: list[str],
    ) -> None:
        self.allocator = allocator
        self.replaces = replaces
        self.taken = taken
        self.problems = problems

    def fields(
        self,
        incoming: Iterable[Field],
        before: Iterable[Field],
        *,
        parent: int,
        path: str,
        is_new: bool,
    ) -> tuple[Field, ...]:
        """Match the fields of one struct, or the columns."""
        known = {field.name.casefold(): field for field in before}
        matched = {
            field.name.casefold(): self._field(
                field, known.get(field.name.casefold()), parent=parent, path=path, is_new=is_new
            )
            for field in incoming
        }
        if self.replaces:
            return tuple(matched.values())
        kept = [
            matched.pop(name) if name in matched else _optional(field)
            for name, field in known.items()
        ]
        return (*kept, *matched.values())

    def _field(
        self, field: Field, before: Field | None, *, parent: int, path: str, is_new: bool
    ) -> Field:
        here = f"{path}{field.name}"
        if before is not None:
            of = self._retyped(field.type, before.type, here, owner=before.id)
            if of is not None:
                required = field.required and (before.required or self.replaces)
                name = field.name if self.replaces else before.name
                return dataclasses.replace(
                    before, name=name, type=of, required=required, doc=field.doc or before.doc
                )
            if not self.replaces:
                return before
        allocated = self._allocate(f"{parent}.{field.name.casefold()}", field.type)
        # A column that old files lack cannot be required before format version 3.
        required = field.required and (is_new or self.replaces)
        return dataclasses.replace(
            field, id=allocated, type=self._new(field.type, allocated), required=required
        )

    def _retyped(self, new: Type, old: Type, path: str, *, owner: int) -> Type | None:
        """Carry the ids of a type over to what is written; `None` if that cannot be."""
        match new, old:
            case Primitive(), Primitive():
                return self._primitive(new, old, path)
            case Struct(), Struct():
                fields = self.fields(
                    new.fields, old.fields, parent=owner, path=f"{path}.", is_new=False
                )
                return Struct(fields=fields)
            case List(), List():
                element = self._retyped(
                    new.element, old.element, f"{path}.element", owner=old.element_id
                )
                if element is None:
                    return None
                required = new.element_required and (old.element_required or self.replaces)
                return dataclasses.replace(old, element=element, element_required=required)
            case Map(), Map():
                return self._map(new, old, path)
            case _:
                self._problem(path, new, old)
                return None

    def _map(self, new: Map, old: Map, path: str) -> Type | None:
        if isinstance(new.key, Struct) and isinstance(old.key, Struct):
            # Iceberg lets a key's struct neither gain nor lose fields: keys would stop matching.
            names = [[field.name.casefold() for field in key.fields] for key in (new.key, old.key)]
            if sorted(names[0]) != sorted(names[1]):
                self._problem(f"{path}.key", new.key, old.key)
                return None
        key = self._retyped(new.key, old.key, f"{path}.key", owner=old.key_id)
        value = self._retyped(new.value, old.value, f"{path}.value", owner=old.value_id)
        if key is None or value is None:
            return None
        required = new.value_required and (old.value_required or self.replaces)
        return dataclasses.replace(old, key=key, value=value, value_required=required)

    def _primitive(self, new: Primitive, old: Primitive, path: str) -> Type | None:
        if new == old or is_promotion(old, new):
            return new
        if not self.replaces and fits(new, old):
            return old
        self._problem(path, new, old)
        return None

    def _problem(self, path: str, new: Type, old: Type) -> None:
        if not self.replaces:
            self.problems.append(f"column `{path}` is {old} in the table but {new} in the new rows")

    def _new(self, of: Type, owner: int) -> Type:
        match of:
            case Primitive():
                return of
            case Struct():
                return Struct(fields=tuple(self._new_field(field, owner) for field in of.fields))
            case List():
                element_id = self._allocate(f"{owner}.element", of.element)
                element = self._new(of.element, element_id)
                return dataclasses.replace(of, element=element, element_id=element_id)
            case Map():
                key_id = self._allocate(f"{owner}.key", of.key)
                value_id = self._allocate(f"{owner}.value", of.value)
                key, value = self._new(of.key, key_id), self._new(of.value, value_id)
                return dataclasses.replace(
                    of, key=key, value=value, key_id=key_id, value_id=value_id
                )

    def _new_field(self, field: Field, owner: int) -> Field:
        allocated = self._allocate(f"{owner}.{field.name.casefold()}", field.type)
        return dataclasses.replace(field, id=allocated, type=self._new(field.type, allocated))

    def _allocate(self, path: str, of: Type) -> int:
        return self.allocator.field_id(path, kind_of(of), avoid=self.taken)


def _optional(field: Field) -> Field:
    return dataclasses.replace(field, required=False) if field.required else field


def _refuse_twins(fields: Iterable[Field], path: str, problems: list[str]) -> None:
    seen: dict[str, str] = {}
    for field in fields:
        folded = field.name.casefold()
        if folded in seen:
            twin = seen[folded]
            same = "appears twice" if twin == field.name else f"differs from `{path}{twin}` in case"
            problems.append(f"column `{path}{field.name}` {same}")
        seen[folded] = field.name
        for inner, inner_path in _structs_below(field.type, f"{path}{field.name}"):
            _refuse_twins(inner.fields, f"{inner_path}.", problems)


def _structs_below(of: Type, path: str) -> Iterator[tuple[Struct, str]]:
    match of:
        case Primitive():
            return
        case Struct():
            yield of, path
        case List():
            yield from _structs_below(of.element, f"{path}.element")
        case Map():
            yield from _structs_below(of.key, f"{path}.key")
            yield from _structs_below(of.value, f"{path}.value")


def _ids(fields: Iterable[Field]) -> Iterator[int]:
    for field in fields:
        yield field.id
        yield from _type_ids(field.type)


def _type_ids(of: Type) -> Iterator[int]:
    match of:
        case Primitive():
            return
        case Struct():
            yield from _ids(of.fields)
        case List():
            yield of.element_id
            yield from _type_ids(of.element)
        case Map():
            yield of.key_id
            yield of.value_id
            yield from _type_ids(of.key)
            yield from _type_ids(of.value)
