# SPDX-License-Identifier: Apache-2.0
"""SELECTs that read one version of a table, whatever schema its files were written with.

Three ways, the first that fits: every file has the table's schema -> `read_parquet` as it is;
only top-level columns differ -> `read_parquet` with a map of field ids; nested fields differ ->
one projection per file schema, because DuckDB's map resolves nested fields by name (verified on
2.0: a renamed one reads as NULL, a dropped and re-added one gets its old values back).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePosixPath

from mainstem.engines.names import file_list, literal, quote, type_sql
from mainstem.errors import EngineUnavailable, InternalError
from mainstem.types import (
    AssetKey,
    DataFile,
    Field,
    List,
    Map,
    Primitive,
    Relation,
    Schema,
    Session,
    Struct,
    TableRef,
    Type,
    ViewRef,
)


def register_all(
    session: Session, keys: Iterable[AssetKey], relation: Callable[[AssetKey], Relation]
) -> None:
    """Register assets and, for views, all that they read, each once and inputs first.

    Args:
        session: Where to register.
        keys: What a query reads.
        relation: Gives the pinned version of an asset.
    """
    seen: set[AssetKey] = set()

    def visit(key: AssetKey) -> None:
        if key in seen:
            return
        seen.add(key)
        found = relation(key)
        if isinstance(found, ViewRef):
            for needed in found.inputs:
                visit(needed)
        session.register(found)

    for key in keys:
        visit(key)


def table_select(table: TableRef) -> str:
    """Write the SELECT that reads a version of a table, columns in the table's order."""
    if not table.files:
        columns = ", ".join(_null(field.type, field.name) for field in table.schema)
        return f"select {columns} where false"
    groups = _by_schema(table)
    schemas = [schema for schema, _ in groups]
    if all(_same_fields(schema.fields, table.schema.fields) for schema in schemas):
        return _plain(table, table.files)
    if all(_differs_at_top_only(schema, table.schema) for schema in schemas):
        return _by_field_id(table)
    return "\nunion all\n".join(_projected(table, schema, files) for schema, files in groups)


def file_path(table: TableRef, file: DataFile) -> str:
    """Give the absolute path of a data file."""
    warehouse = table.warehouse.removeprefix("file://")
    if "://" in warehouse:
        raise EngineUnavailable(
            "A7532",
            f"the warehouse {warehouse} is not a folder of this machine.",
            hint="This version reads and writes local warehouses only.",
        )
    return str(PurePosixPath(warehouse) / file.path)


def _by_schema(table: TableRef) -> list[tuple[Schema, list[DataFile]]]:
    groups: dict[int, list[DataFile]] = {}
    for file in table.files:
        groups.setdefault(file.schema_id, []).append(file)
    return [(_schema_of(table, schema_id), files) for schema_id, files in groups.items()]


def _schema_of(table: TableRef, schema_id: int) -> Schema:
    if schema_id in table.schemas:
        return table.schemas[schema_id]
    if schema_id == table.schema.schema_id:
        return table.schema
    raise InternalError("A9051", f"{table.key} has files of schema {schema_id}, which it lacks.")


def _same_fields(left: Sequence[Field], right: Sequence[Field]) -> bool:
    """Whether fields match by name: same names, ids and types, in any order."""
    by_name = {field.name: field for field in left}
    return len(left) == len(right) and all(
        field.name in by_name
        and by_name[field.name].id == field.id
        and _same_type(by_name[field.name].type, field.type)
        for field in right
    )


def _same_type(left: Type, right: Type) -> bool:
    match left, right:
        case Struct(fields=a), Struct(fields=b):
            # Order counts here: a struct is one value, read in the order of its file.
            return [field.name for field in a] == [field.name for field in b] and _same_fields(a, b)
        case List(), List():
            return left.element_id == right.element_id and _same_type(left.element, right.element)
        case Map(), Map():
            ids = (left.key_id, left.value_id) == (right.key_id, right.value_id)
            return ids and _same_type(left.key, right.key) and _same_type(left.value, right.value)
        case _:
            return left == right


def _differs_at_top_only(old: Schema, new: Schema) -> bool:
    by_id = {field.id: field.type for field in old}
    for field in new:
        if field.id not in by_id:
            continue
        was = by_id[field.id]
        is_flat = isinstance(was, Primitive) and isinstance(field.type, Primitive)
        if not is_flat and not _same_type(was, field.type):
            return False
    return True


def _plain(table: TableRef, files: Iterable[DataFile]) -> str:
    columns = ", ".join(quote(field.name) for field in table.schema)
    return f"select {columns} from {_read(table, files)}"


def _by_field_id(table: TableRef) -> str:
    entries = ", ".join(
        f"{field.id}: {{name: {literal(field.name)}, type: {literal(type_sql(field.type))}, "
        "default_value: NULL}"
        for field in table.schema
    )
    columns = ", ".join(quote(field.name) for field in table.schema)
    source = _read(table, table.files, f", schema=MAP {{{entries}}}")
    return f"select {columns} from {source}"


def _read(table: TableRef, files: Iterable[DataFile], option: str = "") -> str:
    paths = file_list([file_path(table, file) for file in files])
    # Folders called `a=b` above our files are not partition columns.
    return f"read_parquet({paths}, hive_partitioning=false{option})"


def _projected(table: TableRef, schema: Schema, files: list[DataFile]) -> str:
    by_id = {field.id: field for field in schema}
    columns = []
    for field in table.schema:
        was = by_id.get(field.id)
        if was is None:
            columns.append(_null(field.type, field.name))
        else:
            value = _convert(quote(was.name), was.type, field.type, itertools.count())
            columns.append(f"{value} as {quote(field.name)}")
    return f"select {', '.join(columns)} from {_read(table, files)}"


def _null(of: Type, name: str) -> str:
    return f"cast(null as {type_sql(of)}) as {quote(name)}"


def _convert(value: str, old: Type, new: Type, numbers: Iterable[int]) -> str:
    """Write the expression that gives a value of an older type as the table's type is now."""
    if _same_type(old, new):
        return value
    numbers = iter(numbers)
    match old, new:
        case Struct(fields=before), Struct(fields=after):
            by_id = {field.id: field for field in before}
            members = []
            for field in after:
                was = by_id.get(field.id)
                member = (
                    f"cast(null as {type_sql(field.type)})"
                    if was is None
                    else _convert(
                        f"struct_extract({value}, {literal(was.name)})",
                        was.type,
                        field.type,
                        numbers,
                    )
                )
                members.append(f"{quote(field.name)} := {member}")
            return f"case when {value} is not null then struct_pack({', '.join(members)}) end"
        case List(), List():
            item = f"item_{next(numbers)}"
            inner = _convert(item, old.element, new.element, numbers)
            return f"list_transform({value}, lambda {item}: {inner})"
        case Map(), Map():
            item = f"item_{next(numbers)}"
            key = _convert(f"struct_extract({item}, 'key')", old.key, new.key, numbers)
            inner = _convert(f"struct_extract({item}, 'value')", old.value, new.value, numbers)
            entry = f"struct_pack(k := {key}, v := {inner})"
            entries = f"list_transform(map_entries({value}), lambda {item}: {entry})"
            return f"case when {value} is not null then map_from_entries({entries}) end"
        case _:
            return f"cast({value} as {type_sql(new)})"
