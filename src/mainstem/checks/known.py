# SPDX-License-Identifier: Apache-2.0
"""The checks there are: their arguments and what kind of question each one asks (GRAMMAR 5)."""

from __future__ import annotations

from typing import Literal

from mainstem.types import dataclass

Asks = Literal["row", "key", "reference", "order", "aggregate", "count", "shape", "query"]
"""row: each row alone; key: rows against each other; reference: rows against another table;
order: rows against the one before; aggregate: one number of a column; count: the number of rows;
shape: columns and types, no rows; query: the owner's SQL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One name of a check."""

    asks: Asks
    columns: Literal["none", "one", "each", "together"]
    """one: exactly one; each: a list is a check for each; together: a list is one check."""
    first: str = ""
    """Argument that `- name: value` gives when the column is known otherwise."""
    arguments: frozenset[str] = frozenset()
    required: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()
    """At least one of these must be given."""


_BOUNDS = ("min", "max", "equal_to")
_STRICT = frozenset({"strict_min", "strict_max"})
_AGGREGATE = Kind(
    asks="aggregate",
    columns="each",
    first="equal_to",
    arguments=frozenset(_BOUNDS) | _STRICT,
    one_of=_BOUNDS,
)
_QUANTILE = Kind(
    asks="aggregate",
    columns="each",
    arguments=frozenset({*_BOUNDS, *_STRICT, "quantile"}),
    required=("quantile",),
    one_of=_BOUNDS,
)


def _row(first: str = "", arguments: tuple[str, ...] = (), **options: tuple[str, ...]) -> Kind:
    names = frozenset(arguments) | ({first} if first else frozenset())
    return Kind(asks="row", columns="each", first=first, arguments=names, **options)


KINDS: dict[str, Kind] = {
    "not_null": _row(),
    "null": _row(),
    "accepted_values": _row("values", ("quote",), required=("values",)),
    "between": _row("range", ("min", "max", *_STRICT), one_of=("min", "max")),
    "regex": _row("pattern", required=("pattern",)),
    "like": _row("pattern", required=("pattern",)),
    "length": _row("equal_to", ("min", "max"), one_of=_BOUNDS),
    "expression": Kind(
        asks="row",
        columns="none",
        first="sql",
        arguments=frozenset({"sql", "expression"}),
        required=("sql",),
    ),
    "unique": Kind(asks="key", columns="together"),
    "relationships": Kind(
        asks="reference",
        columns="each",
        first="to",
        arguments=frozenset({"to", "field"}),
        required=("to",),
    ),
    "increasing": Kind(
        asks="order",
        columns="each",
        first="strictly",
        arguments=frozenset({"strictly", "group_by", "order_by"}),
    ),
    "row_count": Kind(
        asks="count",
        columns="none",
        first="equal_to",
        arguments=frozenset(_BOUNDS),
        one_of=_BOUNDS,
    ),
    "type": Kind(
        asks="shape",
        columns="each",
        first="type",
        arguments=frozenset({"type"}),
        required=("type",),
    ),
    "schema": Kind(
        asks="shape",
        columns="none",
        first="columns",
        arguments=frozenset({"columns", "exact", "ordered"}),
        required=("columns",),
    ),
    "sql": Kind(
        asks="query",
        columns="none",
        first="sql",
        arguments=frozenset({"sql"}),
        required=("sql",),
    ),
    "min": _AGGREGATE,
    "max": _AGGREGATE,
    "mean": _AGGREGATE,
    "median": _AGGREGATE,
    "sum": _AGGREGATE,
    "stdev": _AGGREGATE,
    "distinct_count": _AGGREGATE,
    "quantile": _QUANTILE,
}

LATER = {
    "freshness": "the freshness of an asset is checked from a later version on",
}
"""Names of GRAMMAR 5 that this version does not know yet, and why."""

COMMON = frozenset(
    {
        "name",
        "where",
        "mostly",
        "severity",
        "warn_if",
        "error_if",
        "quarantine",
        "sample",
        "tags",
        "description",
        "column",
        "columns",
        "config",
        "arguments",
    }
)
"""Keys that every check takes; `config` and `arguments` group some of them, as in dbt."""

SEVERITIES = ("error", "warn", "info")
