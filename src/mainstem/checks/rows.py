# SPDX-License-Identifier: Apache-2.0
"""All failing rows of a check, for `mainstem check --rows`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mainstem.checks.gate import CheckGate, Relations
from mainstem.checks.known import KINDS
from mainstem.checks.measure import falls, key_rows, orphans, steps
from mainstem.checks.predicate import bad_rows
from mainstem.checks.target import Target
from mainstem.engines import quote, quote_key, register_all
from mainstem.errors import SelectionInvalid
from mainstem.types import Schema, Session, ViewRef

if TYPE_CHECKING:
    import pyarrow as pa


def failing_rows(
    gate: CheckGate, relation: Relations, session: Session, *, limit: int | None = None
) -> pa.Table:
    """Read the rows that a check finds fault with, as they are in the table.

    Args:
        gate: From `gate_of`.
        relation: Gives the version of each table to look at.
        session: Reads them.
        limit: At most so many.

    Raises:
        SelectionInvalid: The check is about numbers or columns, not about rows.
    """
    register_all(session, gate.reads, relation)
    found = relation(gate.asset)
    schema = found.schema
    if isinstance(found, ViewRef):
        schema = session.describe(f"from {quote_key(gate.asset)}")
    query = failing_query(gate.target, schema)
    return session.arrow(query if limit is None else f"select * from ({query}\n) limit {limit}")


def failing_query(target: Target, schema: Schema) -> str:
    """Write the query that `failing_rows` runs."""
    spec, table = target.spec, target.table
    match KINDS[spec.name].asks:
        case "row":
            return f"select * from {table} where {bad_rows(spec, schema)}"
        case "key":
            keys = ", ".join(quote(column) for column in spec.columns)
            return (
                f"select * from {table} {key_rows(spec)}"
                f" qualify count(*) over (partition by {keys}) > 1 order by {keys}"
            )
        case "reference":
            return f"select * from {table} where {orphans(target)}"
        case "order":
            return (
                f"select * exclude (mainstem_before) from ({steps(target)}) as steps"
                f" where {falls(target)}"
            )
        case "query":
            return target.query
        case _:
            raise SelectionInvalid(
                "A4020",
                f"check {spec.id} has no failing rows to show: it judges the table as a whole.",
                hint=f"`mainstem show {spec.asset}` shows the table.",
            )
