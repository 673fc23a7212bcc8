# SPDX-License-Identifier: Apache-2.0
"""The PostgreSQL adapter of the port: one writer at a time in all processes, many readers.

Writers queue behind an advisory lock that is taken before their first snapshot, as `begin
immediate` makes them queue in SQLite (ADR 0015).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import psycopg

from mainstem.database.migrating import apply_pending, is_behind
from mainstem.database.port import Migration
from mainstem.database.postgres.address import address_of
from mainstem.database.postgres.connecting import SLOTS, Connector
from mainstem.database.postgres.dialect import Statement, statement_of
from mainstem.database.postgres.failure import in_doubt, locked, lost, moved
from mainstem.database.postgres.pool import Pool
from mainstem.database.postgres.session import Rows, Session
from mainstem.database.postgres.watch import PostgresWatch
from mainstem.database.write_lock import WriteLock
from mainstem.errors import DatabaseUnavailable, InternalError

_PAUSE_S = 0.2
_HAS_TABLE = "select 1 where to_regclass('migration') is not null"
_INHERITED: list[Session | None] = []
_BEGIN_READ = (statement_of("begin isolation level repeatable read, read only"),)
_BEGIN_WRITE = statement_of("begin isolation level read committed, read write")
_LAST_WRITE = statement_of("select coalesce(max(number), 0) from database_write")
_MARK = statement_of(
    # Nothing is marked, flushed or announced by a transaction that changed nothing.
    f"""
    insert into database_write (slot, number, token)
    select (coalesce(max(number), 0) + 1) % {SLOTS}, coalesce(max(number), 0) + 1, ?
    from database_write having pg_current_xact_id_if_assigned() is not null
    on conflict (slot) do update set number = excluded.number, token = excluded.token
    returning number
    """
)
_ANNOUNCE = statement_of(
    "select pg_notify(?, ?) where pg_current_xact_id_if_assigned() is not null"
)


class PostgresTransaction:
    """A transaction on one session; refuses to be used after its block."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session: Session | None = session

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Rows:
        """Run one statement and give all its rows."""
        return self._open().execute(sql, parameters)

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each row of parameters."""
        self._open().executemany(sql, rows)

    def end(self) -> None:
        """Make the object useless; called when the block is left."""
        self._session = None

    def _open(self) -> Session:
        if self._session is None:
            raise InternalError("A9044", "a transaction was used after its block had ended.")
        return self._session


class PostgresDatabase:
    """One schema of one PostgreSQL database.

    Args:
        url: See `address_of`.
        busy_timeout_s: How long a writer waits for another one, here or elsewhere.
        connections: How many this process keeps for readers; there is one more for its writer,
            and one for each watch.
    """

    def __init__(self, url: str, *, busy_timeout_s: float = 30.0, connections: int = 8) -> None:
        self._connector = Connector(address_of(url), busy_timeout_s=busy_timeout_s)
        self._name = uuid4().hex[:16]
        self._writes = 0
        self._readers = Pool(self._connector, limit=connections, timeout_s=busy_timeout_s)
        self._writer: Session | None = Session(self._connector)
        self._busy_timeout_s = busy_timeout_s
        self._lock = WriteLock()
        self._is_closed = False
        self._pid = os.getpid()

    @property
    def url(self) -> str:
        """Names the database; has no password."""
        return self._connector.url

    @contextmanager
    def read(self) -> Iterator[PostgresTransaction]:
        """Open a snapshot: sees one state, blocks nobody."""
        self._check_alive()
        is_free = self._lock.is_mine()
        with self._readers.session(may_exceed=is_free) as session:
            session.begin(_BEGIN_READ, is_reading=True)
            transaction = PostgresTransaction(session)
            try:
                yield transaction
            finally:
                transaction.end()

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[PostgresTransaction]:
        """Open the one write transaction; see the port.

        Other than in SQLite even what is not `durable` is on the disk of the server when the block
        ends: processes here outlive a server that crashes, and must not believe in a commit that
        it forgot. `durable` waits for synchronous standbys too, if the server has some.
        """
        self._check_alive()
        if not self._lock.acquire(self._busy_timeout_s):
            raise locked(self.url)
        try:
            if self._is_closed:
                raise moved(self.url, "was closed")
            session = self._writer or Session(self._connector)
            self._writer = session
            transaction = PostgresTransaction(session)
            try:
                before: int = session.begin(self._opening(durable=durable))[0][0]
                self._connector.trace.compare(before, self.url)
                yield transaction
                if self._is_closed:
                    raise moved(self.url, "was closed")
                self._commit(session, before)
            finally:
                transaction.end()
                if not session.settle():
                    self._writer = None
        finally:
            if self._is_closed:
                self._close_writer()
            self._lock.release()

    def is_new(self) -> bool:
        """Tell whether nothing was ever kept in it."""
        with self.read() as transaction:
            return not transaction.execute(_HAS_TABLE)

    def migrate(self, migrations: Sequence[Migration]) -> None:
        """Bring the schema up to date; a no-op costs one read."""
        if is_behind(self, migrations, has_table=_HAS_TABLE):
            with self.write(durable=True) as transaction:
                apply_pending(transaction, migrations)

    def watch(self) -> PostgresWatch:
        """Begin to watch for what others commit."""
        self._check_alive()
        return PostgresWatch(self._connector, own=self._name)

    def close(self) -> None:
        """Close all connections.

        One that another thread still uses is closed by that thread when its block ends, or dies
        with the process: what it wrote is not committed.
        """
        self._is_closed = True
        if self._pid != os.getpid():
            self._forget_inherited()
            return
        self._readers.close()
        if self._lock.try_aside():
            try:
                self._close_writer()
            finally:
                self._lock.release()

    def _opening(self, *, durable: bool) -> Sequence[Statement]:
        # The lock is a statement of its own: the snapshots of all later ones are newer than it,
        # because each statement of a `read committed` transaction takes its own.
        return (
            _BEGIN_WRITE,
            statement_of(self._connector.write_settings(durable=durable)),
            statement_of(f"select pg_advisory_xact_lock({self._connector.lock_key})"),
            _LAST_WRITE,
        )

    def _commit(self, session: Session, before: int) -> None:
        self._writes += 1
        token = f"{self._name}.{self._writes}"
        channel = self._connector.channel
        try:
            marked, _ = session.commit([(_MARK, (token,)), (_ANNOUNCE, (channel, self._name))])
        except psycopg.Error as error:
            if not self._was_committed(token, before):
                raise lost(self.url, "before the transaction was committed") from error
            return
        if marked:
            self._connector.trace.saw(marked[0][0], token)

    def _was_committed(self, token: str, before: int) -> bool:
        """Ask, once the server is back, what became of a transaction whose commit got no answer.

        Who has the write lock knows that the transaction is over, even if its backend went on.
        """
        session = self._connected_again()
        try:
            after: int = session.begin(self._opening(durable=False))[0][0]
            found = session.execute("select 1 from database_write where token = ?", (token,))
        finally:
            session.close()
        if not found and after - before >= SLOTS:
            raise in_doubt(self.url)
        self._connector.trace.saw(after)
        return bool(found)

    def _connected_again(self) -> Session:
        pause = threading.Event()
        tries = max(1, int(self._busy_timeout_s / _PAUSE_S))
        for _ in range(tries):
            try:
                return Session(self._connector)
            except DatabaseUnavailable as error:
                if error.code != "A5060":
                    raise
            pause.wait(_PAUSE_S)
        raise in_doubt(self.url)

    def _close_writer(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def _check_alive(self) -> None:
        if self._is_closed:
            raise moved(self.url, "was closed")
        if self._pid != os.getpid():
            self._forget_inherited()
            self._connector.after_fork()
            self._lock = WriteLock()
            self._pid = os.getpid()

    def _forget_inherited(self) -> None:
        """Keep, unused, what a fork copied here: closing it would end the parent's sessions."""
        _INHERITED.extend((*self._readers.forget(), self._writer))
        self._writer = None
