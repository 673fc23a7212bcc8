# SPDX-License-Identifier: Apache-2.0
"""Rows that `quarantine: true` moved aside: they count for `mostly`, and results tell of them."""

from __future__ import annotations

from collections.abc import Callable

from mainstem.engines import literal, quote, quote_key
from mainstem.errors import AssetNotFound
from mainstem.types import AssetKey, CheckSpec, Relation, Session, TableRef

_REASONS = ("quarantine_reason", "reason")
"""Column with the names of the checks that a row broke: of a model's quarantine, of an ingest's."""


def aside_of(spec: CheckSpec, relation: Callable[[AssetKey], Relation]) -> TableRef | None:
    """Give the rows set aside, if the check sets rows aside and there are some (GRAMMAR 1)."""
    if not spec.quarantine:
        return None
    try:
        table = relation(spec.asset.quarantine)
    except AssetNotFound:
        return None
    return table if isinstance(table, TableRef) and table.files else None


def count_aside(session: Session, spec: CheckSpec, table: TableRef) -> int:
    """Count the rows that this check set aside, alone or with others."""
    reason = next((name for name in _REASONS if table.schema.field(name) is not None), None)
    if reason is None:
        return 0
    session.register(table)
    ids = f"string_split(replace({quote(reason)}, '; ', ', '), ', ')"
    # The asset is known, so steps write the part behind the slash; the whole id means the same.
    condition = f"list_has_any({ids}, [{literal(spec.title)}, {literal(spec.id)}])"
    sql = f"select count(*) from {quote_key(table.key)} where {condition}"
    counted: int = session.rows(sql)[0][0]
    return counted
