# SPDX-License-Identifier: Apache-2.0
"""The database port: one store for catalog and run state, so that both move in one transaction.

SQL passed through it is the common subset of SQLite and PostgreSQL with `?` placeholders; blobs are
`bytes`, times are integer microseconds since 1970 UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from mainstem.types import dataclass


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


class Watch(Protocol):
    """Wakes when somebody else committed a change; belongs to one thread.

    Make it before the first look at the tables: a change between a look and the wait is not missed.
    What the same `Database` commits does not count, so that a loop which writes does not wake
    itself; its own threads use `wake`.
    """

    def wait(self, timeout_s: float) -> bool:
        """Wait until something was committed since the last call, or since the watch was made.

        Returns:
            True at once if that has happened, or as soon as it happens or `wake` is called, or if
            it cannot be known (a connection was lost): look again. False when the time is up.
        """
        ...

    def wake(self) -> None:
        """Let the wait that goes on, or else the next one, return True; from any thread."""
        ...

    def close(self) -> None:
        """Stop watching; to be called by the thread that waits."""
        ...


class Database(Protocol):
    """Where catalog and run state live."""

    @property
    def url(self) -> str:
        """Names the database to people; has no password."""
        ...

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

    def is_new(self) -> bool:
        """Tell whether nothing was ever kept in it: no migration was applied."""
        ...

    def migrate(self, migrations: Sequence[Migration]) -> None:
        """Bring the schema up to date; a no-op costs one read."""
        ...

    def watch(self) -> Watch:
        """Begin to watch for what others commit."""
        ...

    def close(self) -> None:
        """Close all connections."""
        ...
