# SPDX-License-Identifier: Apache-2.0
"""Part the rows of a model: what breaks a `quarantine: true` check goes to a table of its own."""

from __future__ import annotations

from collections.abc import Sequence

from mainstem.graph import Asset
from mainstem.runs import StepContext
from mainstem.types import (
    AssetKey,
    Change,
    Provenance,
    Session,
    TableRef,
    TableWrite,
    dataclass,
    plural,
)

_ROWS = '"__mainstem_rows"'
_REASON = "quarantine_reason"
_RUN = "quarantine_run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One check whose bad rows are set aside."""

    check_id: str
    predicate: str
    """SQL condition over the result's columns that is true for bad rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRows:
    """The rows set aside, still in the session."""

    key: AssetKey
    sql: str
    count: int

    def write(
        self, session: Session, context: StepContext, *, replaces: bool
    ) -> tuple[tuple[Change, ...], tuple[str, ...]]:
        """Write them; a build that replaces all rows, or some partitions, replaces these, too."""
        is_there = isinstance(context.current(self.key), TableRef)
        is_part = context.partition is not None
        if not self.count and not ((replaces or is_part) and is_there):
            return (), ()
        # What those of partitions replace is found when they are committed.
        appends = is_part or (not replaces and is_there)
        target = context.target(
            self.key, session.describe(self.sql), replaces=not (appends and is_there)
        )
        files = session.write(self.sql, target)
        write = TableWrite(
            key=self.key,
            operation="append" if appends else "overwrite",
            provenance=Provenance(origin="derived", data_version=""),
            schema=target.schema,
            spec=target.spec,
            table_id=target.table_id,
            added=files,
        )
        rows = plural(self.count, "row")
        notes = (f"{rows} quarantined in {self.key}",) if self.count else ()
        return (write,), notes


def part_rows(
    session: Session, context: StepContext, asset: Asset, sql: str, rules: Sequence[Rule]
) -> tuple[str, BadRows]:
    """Run a query once and part its rows.

    Args:
        session: Keeps the rows until it ends; DuckDB spills them to disk if they are many.
        context: Of the attempt.
        asset: The model.
        sql: Its query.
        rules: At least one.

    Returns:
        SQL of the good rows, and the bad ones with columns `quarantine_reason` (ids of the checks,
        joined by commas) and `quarantine_run`.
    """
    session.rows(f"create or replace temp table {_ROWS} as {sql}")
    is_bad = " or ".join(f"coalesce(({rule.predicate}), false)" for rule in rules)
    reasons = ", ".join(
        f"case when coalesce(({rule.predicate}), false) then {_text(rule.check_id)} end"
        for rule in rules
    )
    bad_sql = (
        f"select *, concat_ws(', ', {reasons}) as {_REASON}, "
        f"cast({int(context.run_id)} as bigint) as {_RUN} from {_ROWS} where {is_bad}"
    )
    count = session.rows(f"select count(*) from {_ROWS} where {is_bad}")[0][0]
    good_sql = f"select * from {_ROWS} where not ({is_bad})"
    return good_sql, BadRows(key=asset.key.quarantine, sql=bad_sql, count=count)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
