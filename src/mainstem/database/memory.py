# SPDX-License-Identifier: Apache-2.0
"""A database in the memory of one process, for simulations: SQLite without a file.

The same statements and transactions at half the cost. Nothing outlives it, and other processes do
not see it. Threads may use it in turns, not at once: it has one connection, so what is read within
a write sees what was written there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import apsw

from mainstem.database.failure import moved
from mainstem.database.migrating import apply_pending, is_behind
from mainstem.database.port import Migration
from mainstem.database.sqlite import HAS_TABLE, SqliteTransaction
from mainstem.database.sqlite_watch import SqliteWatch
from mainstem.errors import InternalError

_NAME = Path(":memory:")


class MemoryDatabase:
    """Meets `Database`; gone when it is closed."""

    def __init__(self) -> None:
        self.url = "sqlite://:memory:"
        self._connection = apsw.Connection(":memory:", statementcachesize=500)
        self._depth = 0
        """Blocks that are open, one within the other."""
        self._is_closed = False

    @contextmanager
    def read(self) -> Iterator[SqliteTransaction]:
        """Open a snapshot: sees one state, for nobody writes while it is open."""
        transaction = self._begin()
        try:
            yield transaction
        finally:
            self._end(transaction)

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[SqliteTransaction]:
        """Open the one write transaction; see the port."""
        del durable  # nothing in memory is
        if self._depth:
            raise InternalError(
                "A9043", "a write transaction was opened within another; pass the first one on."
            )
        transaction = self._begin()
        try:
            transaction.execute("begin immediate")
            yield transaction
            transaction.execute("commit")
        finally:
            self._end(transaction)

    def is_new(self) -> bool:
        """Tell whether nothing was ever kept in it."""
        with self.read() as transaction:
            return not transaction.execute(HAS_TABLE)

    def migrate(self, migrations: Sequence[Migration]) -> None:
        """Bring the schema up to date; a no-op costs one read."""
        if is_behind(self, migrations, has_table=HAS_TABLE):
            with self.write() as transaction:
                apply_pending(transaction, migrations)

    def watch(self) -> SqliteWatch:
        """Begin to watch for what others commit: there are none."""
        return SqliteWatch(lambda: None)

    def close(self) -> None:
        """Forget everything."""
        self._is_closed = True
        if not self._depth:
            self._connection.close(True)

    def _begin(self) -> SqliteTransaction:
        if self._is_closed:
            raise moved(_NAME, "was closed")
        self._depth += 1
        return SqliteTransaction(self._connection, _NAME)

    def _end(self, transaction: SqliteTransaction) -> None:
        transaction.end()
        self._depth -= 1
        if not self._depth and self._connection.in_transaction:
            self._connection.execute("rollback")
        if not self._depth and self._is_closed:
            self._connection.close(True)
