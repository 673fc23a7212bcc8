# SPDX-License-Identifier: Apache-2.0
"""The SQLite adapter of the port, through `apsw`: WAL, one writer at a time, many readers.

Python's own `sqlite3` links the system's library; versions before 3.51.3 can corrupt a WAL under
several writers, so a current one comes with `apsw` (SEMANTICS, Tables).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import apsw

from mainstem.database.failure import moved, translated
from mainstem.database.migrating import apply_pending, is_behind
from mainstem.database.port import Migration
from mainstem.database.sqlite_watch import SqliteWatch
from mainstem.database.write_lock import WriteLock
from mainstem.errors import DatabaseUnavailable, InternalError

_READ_WRITE = apsw.SQLITE_OPEN_READWRITE
_CREATE = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
HAS_TABLE = "select 1 from sqlite_master where type = 'table' and name = 'migration'"
_WRITER_KB, _READER_KB = 16_000, 4_000
"""What a connection keeps of the file's pages."""
_INHERITED: list[apsw.Connection | None] = []
"""Connections that a fork copied here: kept, because closing them would touch the parent's file."""


class SqliteTransaction:
    """A transaction on one connection; refuses to be used after its block."""

    __slots__ = ("_connection", "_path")

    def __init__(self, connection: apsw.Connection, path: Path) -> None:
        self._connection: apsw.Connection | None = connection
        self._path = path

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement and give all its rows."""
        if self._connection is None:
            raise _over()
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except apsw.Error as error:
            raise translated(error, self._path, sql) from error

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each row of parameters."""
        if self._connection is None:
            raise _over()
        try:
            self._connection.executemany(sql, rows)
        except apsw.Error as error:
            raise translated(error, self._path, sql) from error

    def end(self) -> None:
        """Make the object useless; called when the block is left."""
        self._connection = None


class SqliteDatabase:
    """One SQLite file.

    Reads take a connection from a pool, so they may nest and run in any thread. All writes of this
    object share one connection behind a lock: threads queue here, processes in SQLite.
    """

    def __init__(self, path: Path, *, busy_timeout_s: float = 30.0) -> None:
        self.path = path
        self.url = f"sqlite:///{path}"
        self._busy_timeout_s = busy_timeout_s
        self._readers: list[apsw.Connection] = []
        self._writer: apsw.Connection | None = None
        self._writers = 0
        self._is_durable = False
        self._lock = WriteLock()
        self._is_closed = False
        self._pid = os.getpid()
        existed = path.exists()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DatabaseUnavailable(
                "A5006",
                f"The folder {path.parent} for the database cannot be made: {error.strerror}.",
                hint="Choose another folder, or make it writable.",
            ) from error
        self._writer = self._connect(_READ_WRITE if existed else _CREATE)
        status = self._stat()
        self._identity = (status.st_dev, status.st_ino)

    @contextmanager
    def read(self) -> Iterator[SqliteTransaction]:
        """Open a snapshot: sees one state, blocks nobody."""
        self._check_alive()
        try:
            connection = self._readers.pop()
        except IndexError:
            connection = self._connect(_READ_WRITE, is_reader=True)
        transaction = SqliteTransaction(connection, self.path)
        try:
            transaction.execute("begin")
            yield transaction
        finally:
            transaction.end()
            if self._settle(connection, "commit"):
                self._readers.append(connection)

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[SqliteTransaction]:
        """Open the one write transaction; see the port."""
        self._check_alive()
        if not self._lock.acquire(self._busy_timeout_s):
            raise translated(apsw.BusyError("locked by a thread"), self.path, "begin immediate")
        try:
            if self._is_closed:
                raise moved(self.path, "was closed")
            connection = self._writing_connection(durable=durable)
            transaction = SqliteTransaction(connection, self.path)
            transaction.execute("begin immediate")
            try:
                yield transaction
                if self._is_closed:
                    raise moved(self.path, "was closed")
                transaction.execute("commit")
            finally:
                transaction.end()
                if connection.in_transaction and not self._settle(connection, "rollback"):
                    self._writer = None
        finally:
            if self._is_closed:
                self._close_writer()
            self._lock.release()

    def is_new(self) -> bool:
        """Tell whether nothing was ever kept in it."""
        with self.read() as transaction:
            return not transaction.execute(HAS_TABLE)

    def migrate(self, migrations: Sequence[Migration]) -> None:
        """Bring the schema up to date; a no-op costs one read."""
        if is_behind(self, migrations, has_table=HAS_TABLE):
            with self.write(durable=True) as transaction:
                apply_pending(transaction, migrations)

    def watch(self) -> SqliteWatch:
        """Begin to watch for what others commit."""
        self._check_alive()
        return SqliteWatch(self._version)

    def close(self) -> None:
        """Close all connections; the last one of all processes folds the WAL into the file.

        One that another thread still uses (of a step that did not stop when told to) is closed by
        that thread when its block ends, or dies with the process: what it wrote is not committed.
        """
        self._is_closed = True
        if self._pid != os.getpid():
            _INHERITED.extend((*self._readers, self._writer))
            return
        while self._readers:
            self._readers.pop().close(True)
        if self._lock.try_aside():
            try:
                self._close_writer()
            finally:
                self._lock.release()

    def _close_writer(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close(True)

    def _version(self) -> object | None:
        """Tell apart the states that others brought the file to; nothing while a thread writes.

        SQLite counts, for each connection, what the other ones commit: so it is asked on the
        connection that all writes of this object go through.
        """
        if self._is_closed or not self._lock.try_aside():
            return None
        try:
            connection = self._writing_connection(durable=self._is_durable)
            return (self._writers, connection.pragma("data_version"))
        except (apsw.Error, DatabaseUnavailable):
            return object()  # Like no other: who looks again learns what is wrong.
        finally:
            self._lock.release()

    def _writing_connection(self, *, durable: bool) -> apsw.Connection:
        if self._writer is None:
            self._writer = self._connect(_READ_WRITE)
            self._writers += 1
            self._is_durable = False
        if durable != self._is_durable:
            self._writer.execute(f"pragma synchronous = {'full' if durable else 'normal'}")
            self._is_durable = durable
        return self._writer

    def _connect(self, flags: int, *, is_reader: bool = False) -> apsw.Connection:
        try:
            connection = apsw.Connection(str(self.path), flags=flags, statementcachesize=200)
            connection.set_busy_timeout(int(self._busy_timeout_s * 1000))
            if connection.pragma("journal_mode") != "wal":
                connection.pragma("journal_mode", "wal")
            connection.execute(
                "pragma synchronous = normal; pragma temp_store = memory; "
                # On macOS fsync does not reach the platter; elsewhere this changes nothing.
                "pragma fullfsync = on; pragma checkpoint_fullfsync = on; "
                # The system caches the file, too: many readers must not each hold it in full.
                f"pragma cache_size = {-_READER_KB if is_reader else -_WRITER_KB}; "
                "pragma journal_size_limit = 67108864"
            )
            if is_reader:
                connection.execute("pragma query_only = on")
        except apsw.Error as error:
            raise translated(error, self.path, "open") from error
        return connection

    def _check_alive(self) -> None:
        if self._is_closed:
            raise moved(self.path, "was closed")
        if self._pid != os.getpid():
            # Connections must not cross a fork, and not be closed in the child either.
            _INHERITED.extend((*self._readers, self._writer))
            self._readers, self._writer = [], None
            self._lock = WriteLock()
            self._pid = os.getpid()
        status = self._stat()
        if (status.st_dev, status.st_ino) != self._identity:
            raise moved(self.path, "was replaced by another file")

    def _stat(self) -> os.stat_result:
        try:
            return os.stat(self.path)  # noqa: PTH116  # a hot path: a third of Path.stat
        except OSError as error:
            raise moved(self.path, "is gone") from error

    def _settle(self, connection: apsw.Connection, how: Literal["commit", "rollback"]) -> bool:
        """End a transaction; False if the connection must not be used again."""
        try:
            if connection.in_transaction:
                connection.execute(how)
        except apsw.Error:
            connection.close(True)
            return False
        if self._is_closed:
            connection.close(True)
            return False
        return True


def _over() -> InternalError:
    return InternalError("A9044", "a transaction was used after its block had ended.")
