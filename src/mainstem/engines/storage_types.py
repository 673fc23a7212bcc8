# SPDX-License-Identifier: Apache-2.0
"""DuckDB's types -> storage types: the fixed table of SEMANTICS ("Types").

`describe` and `write` go through here, so that what a query is said to give is what its files hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mainstem.engines.tokens import speaks_of_hugeint
from mainstem.errors import SqlInvalid
from mainstem.types import Field, List, Map, Primitive, Struct, Type

if TYPE_CHECKING:
    from duckdb.sqltypes import DuckDBPyType

_TABLE = {
    "boolean": "boolean",
    "tinyint": "int",
    "smallint": "int",
    "integer": "int",
    "utinyint": "int",
    "usmallint": "int",
    "bigint": "long",
    "uinteger": "long",
    "ubigint": "decimal(20,0)",
    "uhugeint": "decimal(38,0)",
    "float": "float",
    "double": "double",
    "date": "date",
    "time": "time",
    "timestamp": "timestamp",
    "timestamp_s": "timestamp",
    "timestamp_ms": "timestamp",
    "timestamp with time zone": "timestamptz",
    "varchar": "string",  # JSON too: it is a VARCHAR with an alias
    "enum": "string",
    "uuid": "uuid",
    "blob": "binary",
    # `select null as x`: DuckDB itself makes it an INTEGER when it creates a table.
    "null": "int",
}

_CASTS = {
    "timestamp_ns": "cast it to TIMESTAMP (microseconds)",
    "interval": "cast it to VARCHAR, or store seconds: extract('epoch' from ...)",
    "bit": "cast it to VARCHAR",
    "time with time zone": "cast it to TIME, or to VARCHAR to keep the offset",
    "time_ns": "cast it to TIME (microseconds)",
    "bignum": "cast it to DECIMAL(38,0), or to VARCHAR",
    "union": "take one member with union_extract(...), or cast it to JSON",
    "variant": "cast it to JSON, or to the type it holds",
    "geometry": "cast it to BLOB (well-known binary), or to VARCHAR",
}


def _children(of: DuckDBPyType) -> list[tuple[str, Any]]:
    """Give the parts of a type; DuckDB mixes types, sizes and lists of labels in them."""
    return list(of.children)


def storage_type(of: DuckDBPyType, *, column: str, hugeint: Type) -> Type:
    """Give the type that a table stores values of a DuckDB type as.

    Args:
        of: Type of a column of a query.
        column: Its name, for the error.
        hugeint: What HUGEINT becomes here, see `hugeint_of`.

    Raises:
        SqlInvalid: There is no such type; the error names the cast to write.
    """
    match of.id:
        case "hugeint":
            return hugeint
        case "decimal":
            sizes = dict(_children(of))
            return Primitive(f"decimal({sizes['precision']},{sizes['scale']})")
        case "struct":
            fields = tuple(
                Field(
                    name=name, type=storage_type(child, column=f"{column}.{name}", hugeint=hugeint)
                )
                for name, child in _children(of)
            )
            return Struct(fields=fields)
        case "list" | "array":
            child = dict(_children(of))["child"]
            return List(element=storage_type(child, column=f"{column}[]", hugeint=hugeint))
        case "map":
            parts = dict(_children(of))
            return Map(
                key=storage_type(parts["key"], column=f"{column}.key", hugeint=hugeint),
                value=storage_type(parts["value"], column=f"{column}.value", hugeint=hugeint),
            )
        case kind if kind in _TABLE:
            return Primitive(_TABLE[kind])
        case _:
            raise _not_storable(of, column)


def hugeint_of(sql: str) -> Type:
    """Tell what the HUGEINT columns of a query are stored as.

    `sum` of integers gives HUGEINT and is meant as a BIGINT. Unless the query itself speaks of
    larger integers (a cast, a literal beyond BIGINT, `factorial`), sums are where HUGEINT comes
    from: tables never hold one. Then BIGINT, and a value beyond it is an error; otherwise
    decimal(38,0).
    """
    return Primitive("decimal(38,0)" if speaks_of_hugeint(sql) else "long")


def _not_storable(of: DuckDBPyType, column: str) -> SqlInvalid:
    cast = _CASTS.get(of.id, "cast it to a type that tables have, such as VARCHAR")
    return SqlInvalid(
        "A7506",
        f"column `{column}` is {of}, which tables do not store.",
        hint=f"In the query, {cast}.",
    )
