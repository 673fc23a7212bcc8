# SPDX-License-Identifier: Apache-2.0
"""Constructors of checks for decorators: `unique("airport", "month")`, `between("delay", min=0)`.

Each gives the entry that YAML would hold (GRAMMAR 5), so there is one meaning for both; parsing and
evaluation live in `mainstem.checks`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

CheckEntry = dict[str, Any]


def unique(*columns: str, **options: Any) -> CheckEntry:
    """No two rows agree in all of `columns`."""
    return _entry("unique", columns, options)


def not_null(*columns: str, **options: Any) -> CheckEntry:
    """No row lacks a value in any of `columns`."""
    return _entry("not_null", columns, options)


def null(*columns: str, **options: Any) -> CheckEntry:
    """No row has a value in any of `columns`."""
    return _entry("null", columns, options)


def accepted_values(column: str, values: Iterable[Any], **options: Any) -> CheckEntry:
    """Each value is one of `values`."""
    return _entry("accepted_values", (column,), {"values": list(values), **options})


def between(column: str, *, min: Any = None, max: Any = None, **options: Any) -> CheckEntry:  # noqa: A002  # the words of GRAMMAR 5
    """Each value is at least `min` and at most `max`."""
    bounds = {name: value for name, value in (("min", min), ("max", max)) if value is not None}
    return _entry("between", (column,), {**bounds, **options})


def regex(column: str, pattern: str, **options: Any) -> CheckEntry:
    """Each value matches `pattern`."""
    return _entry("regex", (column,), {"pattern": pattern, **options})


def relationships(column: str, to: str, **options: Any) -> CheckEntry:
    """Each value occurs in the column `to`, written `namespace.name.column`."""
    return _entry("relationships", (column,), {"to": to, **options})


def row_count(**options: Any) -> CheckEntry:
    """The number of rows is within `min` and `max`, or `equal_to` a number or another asset's."""
    return {"row_count": options}


def expression(sql: str, **options: Any) -> CheckEntry:
    """Each row makes the SQL expression true."""
    return {"expression": {"sql": sql, **options}}


def sql(query: str, **options: Any) -> CheckEntry:
    """The query gives no rows; `{{ this }}` in it is the asset."""
    return {"sql": {"sql": query, **options}}


def _entry(name: str, columns: tuple[str, ...], options: dict[str, Any]) -> CheckEntry:
    return {name: {"columns": list(columns), **options}}
