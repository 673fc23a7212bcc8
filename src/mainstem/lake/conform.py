# SPDX-License-Identifier: Apache-2.0
"""Giving Arrow data the exact shape of a schema, nested fields included.

By name when rows are about to be written, by field id when a file is read: a column or nested field
that was renamed, moved, promoted, added or dropped is right whatever the file looks like.
"""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from mainstem.errors import ContractBroken, SchemaDrifted
from mainstem.lake.arrow_types import arrow_field, arrow_schema, arrow_type, field_id, is_any_list
from mainstem.types import Field, List, Map, Primitive, Schema, Struct, Type


def by_name(data: pa.Table, schema: Schema) -> pa.Table:
    """Give rows the columns of a schema, matched by name without case; absent ones are null.

    Raises:
        SchemaDrifted: A value does not fit its column; the column is named.
        ContractBroken: A required column has nulls.
    """
    wanted = arrow_schema(schema)
    if not data.schema.equals(wanted):
        data = _conformed(data, schema, _Shaping(by_id=False))
    for field in schema.fields:
        if field.required:
            _refuse_nulls(data.column(field.name), field)
    return data


def by_id(data: pa.Table, schema: Schema, written: Schema | None = None) -> pa.Table:
    """Give the rows of a file the columns of a schema, matched by field id.

    Args:
        data: As read, with the file's field ids in its schema.
        schema: What is wanted.
        written: What the file was written with, for files that have no ids inside.
    """
    if data.schema.equals(arrow_schema(schema), check_metadata=True):
        return data
    if written is not None and not all(field_id(field) for field in data.schema):
        data = _conformed(data, written, _Shaping(by_id=False))
    return _conformed(data, schema, _Shaping(by_id=True))


def _conformed(data: pa.Table, schema: Schema, shaping: _Shaping) -> pa.Table:
    wanted = arrow_schema(schema)
    own = list(data.schema)
    columns = []
    for field, target in zip(schema.fields, wanted, strict=True):
        index = shaping.find(own, field.name, field.id)
        if index is None:
            columns.append(pa.chunked_array([pa.nulls(data.num_rows, target.type)]))
        elif own[index].type.equals(target.type, check_metadata=True):
            columns.append(data.column(index))
        else:
            chunks = [
                shaping.array(chunk, field.type, field.name) for chunk in data.column(index).chunks
            ]
            columns.append(pa.chunked_array(chunks, type=target.type))
    return pa.Table.from_arrays(columns, schema=wanted)


class _Shaping:
    """One way of finding children: by name or by id."""

    __slots__ = ("by_id",)

    def __init__(self, *, by_id: bool) -> None:
        self.by_id = by_id

    def find(self, fields: Iterable[pa.Field], name: str, number: int) -> int | None:
        """Give the position of the field that holds a column or nested field."""
        if self.by_id:
            return next((i for i, own in enumerate(fields) if field_id(own) == number), None)
        folded = name.casefold()
        return next((i for i, own in enumerate(fields) if own.name.casefold() == folded), None)

    def array(self, values: pa.Array, of: Type, path: str) -> pa.Array:
        """Give an array the shape of a type."""
        values = _decoded(values)
        target = arrow_type(of)
        if values.type.equals(target, check_metadata=True):
            return values
        if pa.types.is_null(values.type):
            return pa.nulls(len(values), target)
        match of:
            case Struct() if pa.types.is_struct(values.type):
                return self._struct(values, of, path)
            case List() if is_any_list(values.type):
                return self._list(values, of, path)
            case Map() if pa.types.is_map(values.type):
                return self._map(values, of, path)
            case Struct() | List() | Map():
                raise _misfit(path, values.type, target, "")
            case Primitive():
                return _cast(values, target, path)

    def _struct(self, values: pa.StructArray, of: Struct, path: str) -> pa.Array:
        own = list(values.type)
        children = []
        for field in of.fields:
            index = self.find(own, field.name, field.id)
            children.append(
                pa.nulls(len(values), arrow_type(field.type))
                if index is None
                else self.array(values.field(index), field.type, f"{path}.{field.name}")
            )
        mask = values.is_null() if values.null_count else None
        if not children:
            return pa.array(
                [None if bad.as_py() else {} for bad in values.is_null()], pa.struct([])
            )
        fields = [arrow_field(field) for field in of.fields]
        return pa.StructArray.from_arrays(children, fields=fields, mask=mask)

    def _list(self, values: pa.Array, of: List, path: str) -> pa.Array:
        if not pa.types.is_list(values.type):
            values = values.cast(pa.list_(values.type.value_field))
        offsets, start, count = _rebased(values)
        inner = self.array(values.values.slice(start, count), of.element, f"{path}.element")
        mask = values.is_null() if values.null_count else None
        return pa.ListArray.from_arrays(offsets, inner, type=arrow_type(of), mask=mask)

    def _map(self, values: pa.MapArray, of: Map, path: str) -> pa.Array:
        offsets, start, count = _rebased(values)
        keys = self.array(values.keys.slice(start, count), of.key, f"{path}.key")
        items = self.array(values.items.slice(start, count), of.value, f"{path}.value")
        mask = values.is_null() if values.null_count else None
        return pa.MapArray.from_arrays(offsets, keys, items, type=arrow_type(of), mask=mask)


def _rebased(values: pa.Array) -> tuple[pa.Array, int, int]:
    # A slice shares the child of the whole array: start its offsets at 0, or a mask is refused.
    offsets = values.offsets
    start, end = offsets[0].as_py(), offsets[-1].as_py()
    return pc.subtract(offsets, offsets[0]), start, end - start


def _decoded(values: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(values.type):
        return values.dictionary_decode()
    if pa.types.is_run_end_encoded(values.type):
        return pc.run_end_decode(values)
    if isinstance(values.type, pa.BaseExtensionType) and values.type != pa.uuid():
        return values.storage
    return values


def _cast(values: pa.Array, target: pa.DataType, path: str) -> pa.Array:
    if target == pa.uuid() and values.type == pa.binary(16):
        return pa.ExtensionArray.from_storage(target, values)
    if target == pa.binary(16) and values.type == pa.uuid():
        return values.storage
    try:
        return values.cast(target)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise _misfit(path, values.type, target, str(error)) from error


def _misfit(path: str, own: pa.DataType, target: pa.DataType, why: str) -> SchemaDrifted:
    return SchemaDrifted(
        "A5504",
        f"column `{path}` is {own}, and its values do not fit the table's {target}"
        + (f" ({why.splitlines()[0]})." if why else "."),
        hint="Cast the column, or change the table's type by writing it in full.",
    )


def _refuse_nulls(column: pa.ChunkedArray, field: Field) -> None:
    if column.null_count:
        raise ContractBroken(
            "A5505",
            f"column `{field.name}` is required, and {column.null_count:,} of {len(column):,}"
            " new rows have no value there.",
            hint="Fill or filter them, or make the column optional.",
        )
