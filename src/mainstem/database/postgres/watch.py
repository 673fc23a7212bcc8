# SPDX-License-Identifier: Apache-2.0
"""Waiting for what others commit: each write announces itself on the lake's channel."""

from __future__ import annotations

import os
import select
import time
from contextlib import suppress

import psycopg

from mainstem.database.postgres.connecting import Connection, Connector
from mainstem.errors import MainstemError


class PostgresWatch:
    """Listens on a connection of its own; see `Watch` of the port."""

    def __init__(self, connector: Connector, *, own: str) -> None:
        self._connector = connector
        self._own = own
        self._connection: Connection | None = self._listen()
        self._receiver, self._sender = os.pipe()
        os.set_blocking(self._receiver, False)
        os.set_blocking(self._sender, False)

    def wait(self, timeout_s: float) -> bool:
        """Wait until somebody else committed; see the port."""
        end = time.monotonic() + timeout_s
        if self._connection is None:
            return self._connect_again(end)
        try:
            while True:
                if self._heard(self._connection):
                    return True
                left = end - time.monotonic()
                if left <= 0:
                    return False
                sockets = (self._connection.fileno(), self._receiver)
                ready, _, _ = select.select(sockets, (), (), left)
                if self._receiver in ready and self._was_woken():
                    return True
        except psycopg.Error:
            self._disconnect()
            # What was announced meanwhile is lost with the connection: let the caller look.
            return True

    def wake(self) -> None:
        """Let the wait that goes on, or else the next one, return True; from any thread."""
        with suppress(BlockingIOError):  # The pipe is full of calls that were not heard yet.
            os.write(self._sender, b".")

    def close(self) -> None:
        """Stop watching."""
        self._disconnect()
        os.close(self._receiver)
        os.close(self._sender)

    def _connect_again(self, end: float) -> bool:
        try:
            self._connection = self._listen()
        except MainstemError:
            # The server is not back yet. The caller will see that by itself when it looks.
            left = max(0.0, end - time.monotonic())
            ready, _, _ = select.select((self._receiver,), (), (), left)
            if ready:
                self._was_woken()
        return True

    def _heard(self, connection: Connection) -> bool:
        connection.pgconn.consume_input()
        heard = False
        while (notice := connection.pgconn.notifies()) is not None:
            heard = heard or notice.extra.decode() != self._own
        return heard

    def _was_woken(self) -> bool:
        try:
            return bool(os.read(self._receiver, 65_536))
        except BlockingIOError:
            return False

    def _listen(self) -> Connection:
        connection = self._connector.connect()
        connection.execute(f"listen {self._connector.channel}")
        return connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                connection.close()
