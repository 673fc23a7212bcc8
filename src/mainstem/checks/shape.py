# SPDX-License-Identifier: Apache-2.0
"""Checks of columns and their types: judged by the table's schema, no row is read."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mainstem.checks.verdict import Finding
from mainstem.types import CheckSpec, Schema, did_you_mean

_ALIASES = {
    "int": {"int", "integer", "int4", "int32", "signed", "smallint", "tinyint", "short"},
    "long": {"long", "bigint", "int8", "int64"},
    "float": {"float", "real", "float4", "float32"},
    "double": {"double", "double precision", "float8", "float64"},
    "string": {"string", "varchar", "text", "char", "str", "json"},
    "boolean": {"boolean", "bool", "logical"},
    "timestamp": {"timestamp", "datetime", "timestamp without time zone", "timestamp_ntz"},
    "timestamptz": {"timestamptz", "timestamp with time zone", "timestamp_tz"},
    "binary": {"binary", "blob", "bytea", "bytes", "varbinary"},
    "date": {"date"},
    "time": {"time"},
    "uuid": {"uuid"},
}
_STORAGE = {alias: name for name, aliases in _ALIASES.items() for alias in aliases}
_DECIMAL = re.compile(r"(?:decimal|numeric)\s*\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)")


def storage_name(written: str) -> str:
    """Give the storage type that a type name means, in DuckDB's words or Iceberg's."""
    folded = " ".join(written.casefold().split())
    if found := _DECIMAL.fullmatch(folded):
        return f"decimal({found[1]},{found[2] or 0})"
    if folded.endswith("[]"):
        return f"list<{storage_name(folded[:-2])}>"
    if re.fullmatch(r"(?:varchar|char|text)\s*\(\d+\)", folded):
        return "string"
    return _STORAGE.get(folded, folded)


def judge_type(spec: CheckSpec, schema: Schema) -> Finding:
    """Compare the type of one column."""
    found = schema.field(spec.columns[0])
    assert found is not None, "columns are looked up before"
    wanted = str(spec.arguments["type"])
    if str(found.type).casefold() == storage_name(wanted):
        return Finding(failed=0, said=f"{found.type}, proven by the schema", is_proven=True)
    return Finding(failed=1, said=f"is {found.type}, expected {wanted}")


def judge_schema(spec: CheckSpec, schema: Schema) -> Finding:
    """Compare columns, and their types where some are given.

    `exact: false` lets further columns be; `ordered: true` compares their order.
    """
    wanted = spec.arguments["columns"]
    names = [str(name) for name in wanted]
    types: Mapping[str, str | None] = wanted if isinstance(wanted, Mapping) else {}
    faults = []
    for name in names:
        found = schema.field(name)
        if found is None:
            near = did_you_mean(name, schema.names)
            faults.append(f"column `{name}` is missing" + (f" ({near[:-1]})" if near else ""))
        elif types.get(name) and str(found.type).casefold() != storage_name(str(types[name])):
            faults.append(f"`{name}` is {found.type}, expected {types[name]}")
    folded = {name.casefold() for name in names}
    if spec.arguments.get("exact", True):
        extra = [name for name in schema.names if name.casefold() not in folded]
        faults += [f"column `{name}` is not expected" for name in extra]
    if spec.arguments.get("ordered") and not faults:
        order = [name for name in schema.names if name.casefold() in folded]
        if [name.casefold() for name in order] != [name.casefold() for name in names]:
            faults.append(f"the order is {', '.join(order)}")
    if faults:
        return Finding(failed=len(faults), said="; ".join(faults))
    said = f"{len(schema.fields)} columns, proven by the schema"
    return Finding(failed=0, said=said, is_proven=True)
