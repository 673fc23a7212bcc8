# SPDX-License-Identifier: Apache-2.0
"""One connection and the transaction on it, in pipeline mode: who asks for no rows does not wait.

A statement without rows is sent and its answer is read with that of the next one that has rows, or
of the commit, so that ten inserts and a commit cost one round trip. An error may therefore be
raised by a later statement of the same transaction, at the latest by its commit.

Each statement ends with a sync all the same: the server counts as idle, and so against the limit
of a writer's silence, only who has ended what he asked.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.pq.abc import PGconn
from psycopg.waiting import Ready, Wait

from mainstem.database.postgres.connecting import Connection, Connector
from mainstem.database.postgres.dialect import Statement, statement_of
from mainstem.database.postgres.failure import is_lost, translated
from mainstem.errors import InternalError

Rows = list[tuple[Any, ...]]


class Session:
    """A connection of the pool; one thread's at a time."""

    __slots__ = (
        "_connection",
        "_connector",
        "_is_proven",
        "_is_reading",
        "_open",
        "_opening",
        "_pipeline",
        "_unanswered",
    )

    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        self._connection: Connection = connector.connect()
        self._pipeline: AbstractContextManager[psycopg.Pipeline] | None = None
        self._open: psycopg.Pipeline | None = None
        self._is_proven = True
        """Whether the server answered since the session was last idle."""
        self._opening: Sequence[Statement] = ()
        self._is_reading = False
        self._unanswered: list[str] = []

    def begin(self, statements: Sequence[Statement], *, is_reading: bool = False) -> Rows:
        """Begin a transaction with some statements and give the rows of the last, if it has any."""
        self._opening = statements
        self._is_reading = False
        rows = self._again_if_stale(self._begin)
        self._is_reading = is_reading
        return rows

    def execute(self, sql: str, parameters: Sequence[Any]) -> Rows:
        """Run a statement of the common subset."""
        statement = statement_of(sql)
        return self._again_if_stale(lambda: self._run(statement, parameters))

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a statement for each row of parameters."""
        text = statement_of(sql).text
        self._unanswered.append(sql)
        try:
            self._connection.cursor().executemany(text, rows)
            self._flush()
            self._end()
        except psycopg.Error as error:
            raise self._translated(error) from error

    def commit(self, statements: Sequence[tuple[Statement, Sequence[Any]]] = ()) -> list[Rows]:
        """End the transaction well; gives the rows of the statements that come before.

        Raises:
            psycopg.Error: The connection was lost, so that nobody knows what came of it.
            MainstemError: A statement had failed.
        """
        try:
            cursors = []
            for statement, values in statements:
                cursors.append(self._send(statement, values))
                self._end()
            end = self._send(_COMMIT, ())
            self._leave()
        except psycopg.Error as error:
            if is_lost(error):
                raise
            raise self._translated(error) from error
        if end.statusmessage != "COMMIT":
            raise InternalError("A9045", "a transaction went on after a statement had failed.")
        return [cursor.fetchall() for cursor in cursors]

    def settle(self) -> bool:
        """Roll back what is still open; False if the session must not be used again."""
        with suppress(psycopg.Error):
            if self._pipeline is not None:
                self._send(_ROLLBACK, ())
        with suppress(psycopg.Error):
            self._leave()
        with suppress(psycopg.Error):
            if self._status != TransactionStatus.IDLE:
                self._connection.execute("rollback")
        self._unanswered.clear()
        self._is_proven = False
        if self._status != TransactionStatus.IDLE:
            self.close()
        return self._status == TransactionStatus.IDLE

    def close(self) -> None:
        """Close the connection; the server rolls back what was open."""
        with suppress(psycopg.Error):
            self._connection.close()

    @property
    def _status(self) -> TransactionStatus:
        return self._connection.info.transaction_status

    def _again_if_stale(self, action: Callable[[], Rows]) -> Rows:
        """Connect again if the server was started anew while the session was idle."""
        try:
            return action()
        except psycopg.Error as error:
            if self._is_proven or not (is_lost(error) or self._connection.broken):
                raise self._translated(error) from error
        self.close()
        self._connection = self._connector.connect()
        self._is_proven = True
        try:
            rows = self._begin()
            return rows if action == self._begin else action()
        except psycopg.Error as error:
            raise self._translated(error) from error

    def _begin(self) -> Rows:
        self._pipeline = self._connection.pipeline()
        self._open = self._pipeline.__enter__()
        *first, last = self._opening
        for statement in first:
            self._send(statement, ())
        return self._run(last, ())

    def _run(self, statement: Statement, parameters: Sequence[Any]) -> Rows:
        cursor = self._send(statement, parameters)
        if not statement.has_rows and not self._is_reading:
            self._end()
            return []
        assert self._open is not None, "a transaction is open"
        # For a reader nothing else follows that would tell of an error.
        self._open.sync()
        self._unanswered.clear()
        self._is_proven = True
        return cursor.fetchall() if statement.has_rows else []

    def _send(
        self, statement: Statement, parameters: Sequence[Any]
    ) -> psycopg.Cursor[tuple[Any, ...]]:
        self._unanswered.append(statement.text)
        cursor = self._connection.cursor(binary=True)
        cursor.execute(statement.text, parameters)
        self._flush()
        return cursor

    def _flush(self) -> None:
        """Send all of a statement, however large.

        In pipeline mode psycopg leaves what the socket did not take, and then waits for an answer
        to half a statement, which never comes.
        """
        if self._connection.pgconn.flush():
            self._connection.wait(_sending(self._connection.pgconn))

    def _end(self) -> None:
        """Send a sync and go on; `Pipeline.sync` would wait for all answers."""
        assert self._open is not None, "a transaction is open"
        self._open.pgconn.pipeline_sync()
        self._open.result_queue.append(None)

    def _leave(self) -> None:
        pipeline, self._pipeline, self._open = self._pipeline, None, None
        if pipeline is not None:
            pipeline.__exit__(None, None, None)

    def _translated(self, error: psycopg.Error) -> Exception:
        return translated(error, self._connector.url, "\n".join(self._unanswered[-20:]))


def _sending(pgconn: PGconn) -> Generator[Wait, Ready | int, None]:
    while pgconn.flush():
        if (yield Wait.RW) & Ready.R:
            pgconn.consume_input()  # a server whose answers nobody takes reads nothing more


_COMMIT = statement_of("commit")
_ROLLBACK = statement_of("rollback")
