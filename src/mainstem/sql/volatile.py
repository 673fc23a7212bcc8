# SPDX-License-Identifier: Apache-2.0
"""Which functions make a query give other rows for the same inputs (SEMANTICS, "Volatile")."""

from __future__ import annotations

from sqlglot import exp

_TREES: dict[str, str] = {
    "Rand": "random()",
    "Randn": "random()",
    "Uuid": "uuid()",
    "CurrentDate": "current_date",
    "CurrentTime": "current_time",
    "CurrentTimestamp": "now()",
    "CurrentTimestampLTZ": "now()",
    "CurrentDatetime": "now()",
    "Localtime": "localtime",
    "Localtimestamp": "localtimestamp",
    "UtcTimestamp": "now()",
    "UtcDate": "current_date",
    "UtcTime": "current_time",
}

VOLATILE_TREES = {getattr(exp, name): shown for name, shown in _TREES.items() if hasattr(exp, name)}

VOLATILE_NAMES = frozenset(
    {
        "now",
        "today",
        "random",
        "uuid",
        "uuidv4",
        "uuidv7",
        "gen_random_uuid",
        "transaction_timestamp",
        "get_current_timestamp",
        "get_current_time",
        "current_localtimestamp",
        "current_localtime",
        "txid_current",
        "nextval",
        "currval",
        "getenv",
        "query",
        "query_table",
        "glob",
        "sniff_csv",
    }
)

_READERS = ("read_", "parquet_", "csv_", "st_read", "iceberg_", "delta_", "sqlite_", "postgres_")


def may_be_volatile(kind: type) -> bool:
    """Tell whether nodes of a class can make a query volatile by what they call."""
    if kind in VOLATILE_TREES or issubclass(kind, exp.Anonymous):
        return True
    return issubclass(kind, exp.Func) and kind.sql_name().casefold().startswith(_READERS)


def call_reason(node: exp.Expr) -> str:
    """Say why a function makes a query volatile; empty if it does not."""
    shown = VOLATILE_TREES.get(type(node))
    if shown is not None:
        return f"it calls {shown}"
    if isinstance(node, exp.Anonymous):
        name = node.name.casefold()
        if name in VOLATILE_NAMES:
            return f"it calls {name}()"
    elif isinstance(node, exp.Func):
        name = node.sql_name().casefold()
    else:
        return ""
    if name.startswith(_READERS):
        literal = node.find(exp.Literal)
        return f"it reads {literal.name if literal is not None else name}"
    return ""


def table_reason(parts: tuple[exp.Identifier, ...]) -> str:
    """Say why reading a table of the engine itself makes a query volatile."""
    if len(parts) > 1 and parts[-2].name.casefold() in {"information_schema", "pg_catalog"}:
        return f"it reads {parts[-2].name}.{parts[-1].name}"
    return ""


def sample_reason(node: exp.Expr) -> str:
    """Say that a sample without a seed differs each time."""
    return "" if node.args.get("seed") is not None else "it samples without a seed (repeatable)"
