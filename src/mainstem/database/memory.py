# SPDX-License-Identifier: Apache-2.0
"""A database in the memory of one process, for simulations: SQLite without a file.

The same statements and transactions at half the cost. Nothing outlives it, and other processes do
not see it. Threads may use it in turns, not at once: it has one connection, so what is read within
a write sees what was written there.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

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

    def read(self) -> _Block:
        """Open a snapshot: sees one state, for nobody writes while it is open."""
        return _Block(self, "")

    def write(self, *, durable: bool = False) -> _Block:
        """Open the one write transaction; see the port."""
        del durable  # nothing in memory is
        if self._depth:
            raise InternalError(
                "A9043", "a write transaction was opened within another; pass the first one on."
            )
        return _Block(self, "begin immediate")

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

    def begin(self, how: str) -> SqliteTransaction:
        """Enter a block."""
        if self._is_closed:
            raise moved(_NAME, "was closed")
        transaction = SqliteTransaction(self._connection, _NAME)
        if how:
            transaction.execute(how)
        self._depth += 1
        return transaction

    def end(self, transaction: SqliteTransaction) -> None:
        """Leave a block; what was not committed is undone."""
        transaction.end()
        self._depth -= 1
        if not self._depth and self._connection.in_transaction:
            self._connection.execute("rollback")
        if not self._depth and self._is_closed:
            self._connection.close(True)


class _Block:
    """A `with` block of one transaction; a class, since worlds open a hundred thousand of them."""

    __slots__ = ("_database", "_how", "_transaction")

    def __init__(self, database: MemoryDatabase, how: str) -> None:
        self._database = database
        self._how = how

    def __enter__(self) -> SqliteTransaction:
        self._transaction = self._database.begin(self._how)
        return self._transaction

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        try:
            if self._how and error is None:
                self._transaction.execute("commit")
        finally:
            self._database.end(self._transaction)
