# SPDX-License-Identifier: Apache-2.0
"""Identifiers, literals and type names in DuckDB's dialect: pure text, no connection."""

from __future__ import annotations

import math

from mainstem.errors import InternalError
from mainstem.types import AssetKey, Field, List, Map, Primitive, Struct, Type

_PRIMITIVES = {
    "boolean": "BOOLEAN",
    "int": "INTEGER",
    "long": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "date": "DATE",
    "time": "TIME",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMP WITH TIME ZONE",
    "string": "VARCHAR",
    "uuid": "UUID",
    "binary": "BLOB",
}


def quote(identifier: str) -> str:
    """Quote an identifier, whatever is in it."""
    return '"' + identifier.replace('"', '""') + '"'


def quote_key(key: AssetKey) -> str:
    """Write an asset key as a qualified name."""
    return f"{quote(key.namespace)}.{quote(key.name)}"


def literal(value: object) -> str:
    """Write a Python value as a SQL literal; strings, numbers, booleans and `None`."""
    match value:
        case None:
            return "NULL"
        case bool():
            return "true" if value else "false"
        case int():
            return repr(value)
        case float():
            return repr(value) if math.isfinite(value) else f"'{value}'::DOUBLE"
        case _:
            return "'" + str(value).replace("'", "''") + "'"


def type_sql(of: Type) -> str:
    """Write a storage type as DuckDB's type: `list<struct<a: long>>` is `STRUCT("a" BIGINT)[]`."""
    match of:
        case Primitive(name):
            if of.is_decimal:
                precision, scale = of.precision_and_scale
                return f"DECIMAL({precision},{scale})"
            if name.startswith("fixed["):
                return "BLOB"
            if name not in _PRIMITIVES:
                raise InternalError("A9050", f"storage type {name!r} has no DuckDB type.")
            return _PRIMITIVES[name]
        case Struct(fields=fields):
            return f"STRUCT({', '.join(_member(field) for field in fields)})"
        case List(element=element):
            return f"{type_sql(element)}[]"
        case Map(key=key, value=value):
            return f"MAP({type_sql(key)}, {type_sql(value)})"


def _member(field: Field) -> str:
    return f"{quote(field.name)} {type_sql(field.type)}"


def file_list(paths: list[str]) -> str:
    """Write paths as the list that `read_parquet` takes; glob characters mean themselves."""
    return "[" + ", ".join(literal(escape_glob(path)) for path in paths) + "]"


def escape_glob(path: str) -> str:
    """Write a path so that `read_parquet` takes its `*`, `?` and `[` as they are."""
    if not any(character in path for character in "*?["):
        return path
    return "".join(f"[{char}]" if char in "*?[" else char for char in path)


def in_brackets(sql: str) -> str:
    """Put a query without semicolon in brackets; a comment at its end stops at the line break."""
    return f"({sql}\n)"
