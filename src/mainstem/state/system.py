# SPDX-License-Identifier: Apache-2.0
"""Run state as tables that people query: `system.runs`, `system.steps`, `system.check_results`.

Names and types here are a promise; the tables beneath may change. Called by `project`, which adds
what the lake knows and hands it all to the engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from mainstem.database import Transaction
from mainstem.state.times import from_us
from mainstem.types import dataclass

ColumnKind = Literal["text", "integer", "number", "flag", "time"]


@dataclass(frozen=True, slots=True)
class SystemColumn:
    """One column: its name, its kind, and how the database computes it."""

    name: str
    kind: ColumnKind
    sql: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemTable:
    """A table made of run state."""

    name: str
    source: str
    order: str
    columns: tuple[SystemColumn, ...]

    def rows(self, transaction: Transaction) -> list[tuple[Any, ...]]:
        """Read all rows, with the Python values of their kinds."""
        names = ", ".join(column.sql for column in self.columns)
        found = transaction.execute(f"select {names} from {self.source} order by {self.order}")
        kinds = [column.kind for column in self.columns]
        return [
            tuple(_value(value, kind) for value, kind in zip(row, kinds, strict=True))
            for row in found
        ]


def _value(value: Any, kind: ColumnKind) -> Any:
    if value is None:
        return None
    if kind == "time":
        return from_us(value)
    return bool(value) if kind == "flag" else value


def _table(name: str, order: str, **columns: tuple[ColumnKind, str]) -> SystemTable:
    made = tuple(SystemColumn(column, kind, sql) for column, (kind, sql) in columns.items())
    return SystemTable(name=name, source=name.removesuffix("s"), order=order, columns=made)


def _seconds(start: str, end: str) -> str:
    return f"({end} - {start}) / 1000000.0"


SYSTEM_TABLES: Mapping[str, SystemTable] = {
    table.name: table
    for table in (
        _table(
            "runs",
            "id",
            run_id=("integer", "id"),
            branch=("text", "branch"),
            environment=("text", "environment"),
            status=("text", "status"),
            base_commit=("text", "base_commit"),
            commit_id=("text", "nullif(commit_id, '')"),
            run_branch=("text", "nullif(run_branch, '')"),
            git=("text", "nullif(git, '')"),
            started_at=("time", "started_at"),
            finished_at=("time", "finished_at"),
            elapsed_s=("number", _seconds("started_at", "finished_at")),
            options=("text", "options"),
            error=("text", "nullif(error, '')"),
        ),
        _table(
            "steps",
            "run_id, position",
            run_id=("integer", "run_id"),
            asset=("text", "asset_key"),
            position=("integer", "position"),
            action=("text", "action"),
            status=("text", "status"),
            reason=("text", "reason"),
            attempts=("integer", "attempts"),
            row_count=("integer", "row_count"),
            row_count_before=("integer", "row_count_before"),
            is_increment=("flag", "is_increment"),
            data_version=("text", "nullif(data_version, '')"),
            started_at=("time", "started_at"),
            finished_at=("time", "finished_at"),
            elapsed_s=("number", "elapsed_us / 1000000.0"),
            size_bytes=("integer", "size_bytes"),
            cpu_s=("number", "cpu_us / 1000000.0"),
            peak_memory=("integer", "peak_memory"),
            measured=("text", "nullif(measured, '')"),
            notes=("text", "notes"),
            warnings=("text", "warnings"),
            error=("text", "nullif(error, '')"),
        ),
        _table(
            "check_results",
            "evaluated_at, asset, check_id",
            run_id=("integer", "nullif(run_id, 0)"),
            asset=("text", "asset"),
            check_id=("text", "check_id"),
            verdict=("text", "verdict"),
            severity=("text", "severity"),
            message=("text", "message"),
            row_count=("integer", "row_count"),
            failed_count=("integer", "failed_count"),
            sample=("text", "sample"),
            elapsed_s=("number", "elapsed_us / 1000000.0"),
            evaluated_at=("time", "evaluated_at"),
        ),
    )
}
"""By name; `run_id` is null for results of `mainstem check`."""
