# SPDX-License-Identifier: Apache-2.0
"""A lake whose tables have no data: files are named and counted, never written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mainstem.database import open_database
from mainstem.lake import Commit, Lake
from mainstem.types import (
    AssetKey,
    CursorWrite,
    DataFile,
    Field,
    Operation,
    Primitive,
    Provenance,
    Schema,
    TableWrite,
    ViewWrite,
)

COLUMNS = {"id": "long", "name": "string"}


class Clock:
    """Time that stands still unless it is moved."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 31, 10, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def monotonic_s(self) -> float:
        return self.time.timestamp()

    def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


def schema_of(columns: Mapping[str, str]) -> Schema:
    return Schema(
        fields=tuple(Field(name=name, type=Primitive(of)) for name, of in columns.items())
    )


class Author:
    """Writes tables, views and cursors in one line each."""

    def __init__(self, lake: Lake, clock: Clock) -> None:
        self.lake = lake
        self.clock = clock
        self._number = 0

    def change(
        self,
        key: str,
        operation: Operation = "append",
        *,
        on: str = "main",
        rows: int = 10,
        files: int = 1,
        columns: Mapping[str, str] = COLUMNS,
        removed: tuple[str, ...] = (),
        base_version: str = "",
        **provenance: Any,
    ) -> TableWrite:
        """Make an intent."""
        self._number += 1
        target = self.lake.target(
            on,
            AssetKey.parse(key),
            schema_of(columns),
            attempt=f"a{self._number}",
            replaces=operation == "overwrite",
        )
        provenance = {"origin": "manual", "data_version": f"v{self._number}", **provenance}
        return TableWrite(
            key=AssetKey.parse(key),
            operation=operation,
            provenance=Provenance(**provenance),
            schema=target.schema,
            spec=target.spec,
            table_id=target.table_id,
            added=tuple(
                DataFile(
                    path=f"{target.directory}/{target.prefix}{part}.parquet",
                    record_count=rows,
                    size_bytes=rows * 10,
                    schema_id=target.schema.schema_id,
                    spec_id=target.spec.spec_id,
                )
                for part in range(files)
            ),
            removed=removed,
            base_version=base_version,
        )

    def write(
        self, key: str, operation: Operation = "append", *, on: str = "main", **more: Any
    ) -> Commit:
        """Commit one table change."""
        self.clock.sleep(60)
        change = self.change(key, operation, on=on, **more)
        return self.lake.commit(on, [change], message=f"{operation} {key}", allow_protected=True)

    def drop(self, key: str, *, on: str = "main") -> Commit:
        """Drop a table or view."""
        change = TableWrite(
            key=AssetKey.parse(key),
            operation="drop",
            provenance=Provenance(origin="manual", data_version=""),
            schema=Schema(fields=()),
        )
        return self.lake.commit(on, [change], message=f"drop {key}")

    def view(
        self,
        key: str,
        sql: str,
        *,
        on: str = "main",
        inputs: tuple[str, ...] = (),
        origin: str = "manual",
    ) -> Commit:
        """Define a view."""
        self._number += 1
        view = ViewWrite(
            key=AssetKey.parse(key),
            sql=sql,
            schema=schema_of(COLUMNS),
            inputs=tuple(AssetKey.parse(one) for one in inputs),
            provenance=Provenance(origin=origin, data_version=f"w{self._number}"),
        )
        return self.lake.commit(on, [view], message=f"view {key}")

    def cursor(self, key: str, value: Mapping[str, Any], *, on: str = "main") -> Commit:
        """Move a cursor."""
        move = CursorWrite(key=AssetKey.parse(key), value=value)
        return self.lake.commit(on, [move], message=f"cursor {key}")

    def load(
        self, key: str, interval: str, cursor: Mapping[str, Any], *, on: str = "main"
    ) -> Commit:
        """Append ingested rows and move the cursor, as a load does."""
        rows = self.change(key, on=on, origin="ingested", cursor_interval=interval)
        move = CursorWrite(key=AssetKey.parse(key), value=cursor)
        return self.lake.commit(on, [rows, move], message=f"load {key}")

    def rows(self, key: str, at: str = "main") -> int | None:
        """Count a table's rows, as its entry says."""
        entry = self.lake.entry(AssetKey.parse(key), at)
        return None if entry is None else entry.row_count

    def paths(self, key: str, at: str = "main") -> list[str]:
        """List a table's files."""
        relation = self.lake.relation(AssetKey.parse(key), at)
        return [file.path for file in relation.files]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lake(tmp_path, clock, database_url) -> Iterator[Lake]:
    database = open_database(database_url, busy_timeout_s=10)
    yield Lake.open(database, str(tmp_path / "warehouse"), clock=clock)
    database.close()


@pytest.fixture
def author(lake, clock) -> Author:
    return Author(lake, clock)
