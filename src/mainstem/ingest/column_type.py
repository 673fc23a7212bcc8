# SPDX-License-Identifier: Apache-2.0
"""Column types as owners write them, checked by name before any engine sees them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mainstem.errors import ConfigInvalid, Where
from mainstem.types import did_you_mean, nearest

_ALIASES = {
    "string": "VARCHAR",
    "text": "VARCHAR",
    "varchar": "VARCHAR",
    "char": "VARCHAR",
    "long": "BIGINT",
    "bigint": "BIGINT",
    "int8": "BIGINT",
    "int64": "BIGINT",
    "int": "INTEGER",
    "integer": "INTEGER",
    "int4": "INTEGER",
    "int32": "INTEGER",
    "smallint": "SMALLINT",
    "int2": "SMALLINT",
    "int16": "SMALLINT",
    "tinyint": "TINYINT",
    "hugeint": "HUGEINT",
    "ubigint": "UBIGINT",
    "uinteger": "UINTEGER",
    "usmallint": "USMALLINT",
    "utinyint": "UTINYINT",
    "double": "DOUBLE",
    "float8": "DOUBLE",
    "float64": "DOUBLE",
    "double precision": "DOUBLE",
    "float": "FLOAT",
    "real": "FLOAT",
    "float4": "FLOAT",
    "float32": "FLOAT",
    "bool": "BOOLEAN",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "time": "TIME",
    "timestamp": "TIMESTAMP",
    "datetime": "TIMESTAMP",
    "timestamptz": "TIMESTAMPTZ",
    "timestamp with time zone": "TIMESTAMPTZ",
    "uuid": "UUID",
    "json": "JSON",
    "blob": "BLOB",
    "binary": "BLOB",
    "bytea": "BLOB",
    "decimal": "DECIMAL(18,3)",
    "numeric": "DECIMAL(18,3)",
}
_DECIMAL = re.compile(r"(?:decimal|numeric)\s*\(\s*(\d{1,2})\s*(?:,\s*(\d{1,2})\s*)?\)")
_LENGTH = re.compile(r"(?:varchar|char|text|string)\s*\(\s*\d+\s*\)")
_NESTED = re.compile(r"(?:struct|map)\s*\([\w\s,()\[\]]*\)(?:\[\])*")


def sql_type(written: str) -> str:
    """Give DuckDB's name of a type; empty if there is no such type."""
    text = " ".join(written.strip().lower().split())
    if text.endswith("[]"):
        inner = sql_type(text[:-2])
        return f"{inner}[]" if inner else ""
    if text in _ALIASES:
        return _ALIASES[text]
    decimal = _DECIMAL.fullmatch(text)
    if decimal is not None:
        precision, scale = int(decimal[1]), int(decimal[2] or 0)
        return f"DECIMAL({precision},{scale})" if 1 <= precision <= 38 >= scale else ""
    if _LENGTH.fullmatch(text):
        return "VARCHAR"
    return written.strip() if _NESTED.fullmatch(text) else ""


def type_problem(written: str, column: str, where: Where) -> Iterator[ConfigInvalid]:
    """Give the error for a type that does not exist."""
    if not sql_type(written):
        yield ConfigInvalid(
            "A3004",
            f"`{written}` is not a type, in column `{column}`.",
            hint=did_you_mean(written, _ALIASES)
            or "Types: bigint, double, decimal(10,2), text, boolean, date, timestamp, timestamptz.",
            where=where,
            known=nearest(written, _ALIASES)
            or ("bigint", "double", "text", "boolean", "date", "timestamp", "timestamptz"),
        )
