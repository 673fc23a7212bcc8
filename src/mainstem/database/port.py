# SPDX-License-Identifier: Apache-2.0
"""The database port: one store for catalog and run state, so that both move in one transaction.

SQL passed through it is the common subset of SQLite and PostgreSQL with `?` placeholders; blobs are
`bytes`, times are integer microseconds since 1970 UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol


class Transaction(Protocol):
    """An open transaction; dies with its `with` block."""

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement and give all its rows."""
        ...

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each row of parameters."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One step of a package's schema; applied once, in order, within a transaction."""

    package: str
    number: int
    statements: tuple[str, ...]


class Database(Protocol):
    """Where catalog and run state live."""

    url: str

    def read(self) -> AbstractContextManager[Transaction]:
        """Open a snapshot: sees one state, blocks nobody."""
        ...

    def write(self, *, durable: bool = False) -> AbstractContextManager[Transaction]:
        """Open the one write transaction; commits at the end of the block, rolls back on an error.

        Args:
            durable: Survive power loss, not only the death of the process.

        Raises:
            DatabaseUnavailable: Another process kept the lock too long, or the file is damaged.
        """
        ...

    def migrate(self, migrations: Sequence[Migration]) -> None:
        """Bring the schema up to date; a no-op costs one read."""
        ...

    def close(self) -> None:
        """Close all connections."""
        ...
