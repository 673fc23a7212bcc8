# SPDX-License-Identifier: Apache-2.0
"""Connections: made alike, into the schema of the lake, and compared with what was seen before."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from mainstem.database.postgres.address import Address
from mainstem.database.postgres.failure import moved, translated, unreachable
from mainstem.database.postgres.values import adapt
from mainstem.errors import ConfigInvalid

Connection = psycopg.Connection[tuple[Any, ...]]

# It warns of each pipeline that ends with its connection. We say what was lost, and to whom; who
# wants to hear of the library's own takes its logger.
logging.getLogger("psycopg").addHandler(logging.NullHandler())

SLOTS = 256
"""How many of the latest write transactions are remembered, see `Trace`."""
_LOCK_CLASS = 0x6D61696E
"""`main`: the upper half of our advisory locks; the lower half is the schema's oid."""
_TRACE = """
create table if not exists database_write (
  slot bigint primary key, number bigint not null, token text collate "C" not null)
"""


class Trace:
    """What this process knows of the write transactions that the database has seen.

    Each that changed something leaves its number and a token of its own in the table
    `database_write`. So a database that was set back to an earlier state is noticed, and after a
    connection is lost within a commit it can be told what became of it (ADR 0015).
    """

    __slots__ = ("latest", "schema_id")

    def __init__(self) -> None:
        self.schema_id = 0
        self.latest: tuple[int, str] = (0, "")
        """The highest number seen, and the token of that write if it was ours; one value, since
        threads that write replace it while others connect."""

    def compare(self, number: int, url: str) -> None:
        """Compare the number of the latest write with what was seen before.

        Raises:
            DatabaseUnavailable: It is lower: the database was set back.
        """
        if number < self.latest[0]:
            raise moved(url, "was set back to an earlier state")
        self.saw(number)

    def saw(self, number: int, token: str = "") -> None:
        """Remember the latest write."""
        if number > self.latest[0]:
            self.latest = number, token


class Connector:
    """Makes the connections of one `Database`."""

    def __init__(self, address: Address, *, busy_timeout_s: float) -> None:
        self.address = address
        self.trace = Trace()
        self._durable_level = "on"
        self._limits: dict[str, int] = {}
        self._busy_timeout_s = busy_timeout_s
        self._lock = threading.Lock()

    def after_fork(self) -> None:
        """Begin anew in a forked child: another thread of the parent may have held the lock."""
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """The database, without its password."""
        return self.address.url

    @property
    def lock_key(self) -> int:
        """The advisory lock that whoever writes to this lake holds."""
        return (_LOCK_CLASS << 32) | self.trace.schema_id

    @property
    def channel(self) -> str:
        """Where commits are announced."""
        return f"mainstem_{self.trace.schema_id}"

    def write_settings(self, *, durable: bool) -> str:
        """Give the statement that a write transaction begins with.

        A writer that was stopped (SIGSTOP, a debugger) is thrown out by the server after a while:
        it must not hold up all others for ever. `durable` waits for what the server waits for by
        itself, at least its own disk; sessions are `local` unless told otherwise.
        """
        settings = {name: str(value) for name, value in self._limits.items()}
        if durable:
            settings["synchronous_commit"] = self._durable_level
        calls = (f"set_config('{name}', '{value}', true)" for name, value in settings.items())
        return f"select {', '.join(calls)}"

    def connect(self) -> Connection:
        """Connect, and make sure that this is the database that we know.

        Raises:
            DatabaseUnavailable: The server cannot be reached, or the database was set back.
            ConfigInvalid: We are not let in, or it cannot hold all text.
        """
        try:
            connection: Connection = psycopg.connect(
                make_conninfo(**self.address.parameters),
                autocommit=True,
                prepare_threshold=2,
                cursor_factory=psycopg.RawCursor,
            )
        except psycopg.Error as error:
            raise unreachable(error, self.url) from error
        try:
            self._prepare(connection)
        except psycopg.Error as error:
            connection.close()
            raise translated(error, self.url, "connect") from error
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: Connection) -> None:
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            raise ConfigInvalid(
                "A5063",
                f"The database {self.url} has the encoding {encoding}, and UTF8 is needed.",
                hint="Create another: createdb -E UTF8 -T template0 NAME.",
            )
        adapt(connection)
        level = _one(connection, "select current_setting('synchronous_commit')")
        self._durable_level = "on" if level == "off" else level
        connection.prepared_max = 300
        timeout_ms = int(self._busy_timeout_s * 1000)
        connection.execute(
            f"set synchronous_commit = local; set lock_timeout = {max(timeout_ms, 1)};"
            "set tcp_keepalives_idle = 30; set tcp_keepalives_interval = 10;"
            "set tcp_keepalives_count = 3"
        )
        # ADR 0026: whoever queues behind a process that was stopped outlasts it.
        self._limits = {"idle_in_transaction_session_timeout": max(timeout_ms // 2, 2_000)}
        if connection.info.server_version >= 170_000:
            self._limits["transaction_timeout"] = max(4 * timeout_ms, 900_000)
        with self._lock:
            self._enter_schema(connection)
            self._compare(connection)

    def _enter_schema(self, connection: Connection) -> None:
        name = self.address.schema
        quoted = sql.Identifier(name)
        found = self._schema_id(connection, name)
        if self.trace.schema_id and found != self.trace.schema_id:
            raise moved(self.url, "was replaced by another")
        if found is None:
            with suppress(psycopg.errors.UniqueViolation):  # Made by another at this moment.
                connection.execute(sql.SQL("create schema if not exists {}").format(quoted))
            found = self._schema_id(connection, name)
        connection.execute(sql.SQL("set search_path to {}").format(quoted))
        self.trace.schema_id = found or 0

    def _schema_id(self, connection: Connection, name: str) -> int | None:
        rows = connection.execute(
            "select oid::bigint from pg_namespace where nspname = $1", (name,)
        ).fetchall()
        return rows[0][0] if rows else None

    def _compare(self, connection: Connection) -> None:
        # Before any look: a write of another thread, after it, is not in what is found.
        seen, own = self.trace.latest
        if _one(connection, "select to_regclass('database_write')") is None:
            if seen:
                raise moved(self.url, "was replaced by another")
            connection.execute(f"begin; select pg_advisory_xact_lock({self.lock_key})")
            connection.execute(_TRACE)
            connection.execute("commit")
        if not seen:
            return
        rows = connection.execute(
            "select number, token from database_write where slot = $1",
            (seen % SLOTS,),
        ).fetchall()
        number, token = rows[0] if rows else (0, "")
        is_other = number == seen and own not in {"", token}
        if number < seen or is_other:
            raise moved(self.url, "was set back to an earlier state")


def _one(connection: Connection, query: str) -> Any:
    rows = connection.execute(query).fetchall()
    return rows[0][0]
