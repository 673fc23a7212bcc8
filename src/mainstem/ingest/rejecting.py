# SPDX-License-Identifier: Apache-2.0
"""Rows that were not taken in: kept in `<namespace>.<name>__quarantine` with their reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mainstem.engines import literal, quote
from mainstem.runs import StepContext
from mainstem.types import AssetKey, Provenance, Session, TableRef, TableWrite, dataclass

BATCH = '"__mainstem_batch"'


class Rule(Protocol):
    """A condition that is true for rows to set aside, as `mainstem.checks` gives them."""

    @property
    def check_id(self) -> str:
        """What the row broke."""
        ...

    @property
    def predicate(self) -> str:
        """SQL over the columns of the table."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Our own rule: a new column that the contract does not take."""

    check_id: str
    predicate: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parted:
    """A batch in two."""

    good: str
    bad: str
    """SQL like that of `Scan.rejects`."""
    bad_count: int


def part(session: Session, sql: str, rules: Sequence[Rule], *, keep: Sequence[str]) -> Parted:
    """Run a query once, into the session, and part its rows.

    Args:
        session: DuckDB spills the rows to disk if they are many.
        sql: The query.
        rules: What bad rows fulfil.
        keep: Columns of the good rows.
    """
    session.rows(f"create or replace temp table {BATCH} as {sql}")
    columns = ", ".join(quote(name) for name in keep)
    if not rules:
        return Parted(good=f"select {columns} from {BATCH}", bad="", bad_count=0)
    conditions = [f"coalesce(({rule.predicate}), false)" for rule in rules]
    is_bad = " or ".join(conditions)
    reasons = ", ".join(
        f"case when {condition} then {literal(rule.check_id)} end"
        for rule, condition in zip(rules, conditions, strict=True)
    )
    count: int = session.rows(f"select count(*) from {BATCH} where {is_bad}")[0][0]
    return Parted(
        good=f"select {columns} from {BATCH} where not ({is_bad})",
        bad="select ''::varchar as file, null::bigint as line, '' as column_name, "
        f"concat_ws('; ', {reasons}) as reason, to_json(batch)::varchar as raw "
        f"from {BATCH} as batch where {is_bad}",
        bad_count=count,
    )


def write_quarantine(
    session: Session,
    context: StepContext,
    key: AssetKey,
    selects: Sequence[str],
    *,
    replaces: bool,
    provenance: Provenance,
) -> TableWrite | None:
    """Write rejected rows beside the table.

    A load that replaces all rows replaces these, too; then no row at all is a change as well.

    Args:
        session: Knows the rows.
        context: Of the attempt.
        key: Of the quarantine table.
        selects: SQL like that of `Scan.rejects`.
        replaces: Whether the load replaced all rows.
        provenance: Of the load.
    """
    current = context.current(key)
    has_table = isinstance(current, TableRef)
    if not selects and not (replaces and isinstance(current, TableRef) and current.row_count):
        return None
    when = literal(context.logical_time.isoformat())
    empty = (
        "select ''::varchar as file, 0::bigint as line, '' as column_name, '' as reason, "
        "'' as raw where false"
    )
    sql = (
        "select file::varchar as file, line::bigint as line, column_name::varchar as column_name, "
        f"reason::varchar as reason, raw::varchar as raw, {when}::timestamptz as loaded_at, "
        f"{int(context.run_id)}::bigint as run_id from ({' union all '.join(selects) or empty})"
    )
    appends = has_table and not replaces
    target = context.target(key, session.describe(sql), replaces=not appends)
    files = session.write(sql, target)
    return TableWrite(
        key=key,
        operation="append" if appends else "overwrite",
        provenance=provenance,
        schema=target.schema,
        spec=target.spec,
        table_id=target.table_id,
        added=files,
    )
