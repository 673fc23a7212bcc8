# SPDX-License-Identifier: Apache-2.0
"""The sessions of readers: few, kept open, made when first needed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from mainstem.database.postgres.connecting import Connector
from mainstem.database.postgres.failure import busy
from mainstem.database.postgres.session import Session


class Pool:
    """At most `limit` threads read at a time; the others wait for their turn.

    Reads nest. Only a thread that holds nothing yet waits: one that reads already, or writes, gets
    a session beyond the limit, because those it would wait for may be waiting for it.
    """

    def __init__(self, connector: Connector, *, limit: int, timeout_s: float) -> None:
        self._connector = connector
        self._limit = limit
        self._timeout_s = timeout_s
        self._idle: list[Session] = []
        self._turns = threading.BoundedSemaphore(limit)
        self._held = threading.local()
        self._is_closed = False

    @contextmanager
    def session(self, *, may_exceed: bool) -> Iterator[Session]:
        """Lend a session to this thread; what is still open on it is rolled back at the end.

        Raises:
            DatabaseUnavailable: All were in use for too long, or the server cannot be reached.
        """
        depth: int = getattr(self._held, "depth", 0)
        waits = depth == 0 and not may_exceed
        if waits and not self._turns.acquire(timeout=self._timeout_s):
            raise busy(self._connector.url, self._limit)
        turns = self._turns
        self._held.depth = depth + 1
        try:
            session = self._take()
            try:
                yield session
            finally:
                if session.settle():
                    self._give_back(session)
        finally:
            self._held.depth = depth
            if waits:
                turns.release()

    def close(self) -> None:
        """Close what is idle; what is lent is closed when it comes back."""
        self._is_closed = True
        while self._idle:
            self._idle.pop().close()

    def forget(self) -> list[Session]:
        """Begin anew in a forked child; gives the parent's sessions, which must be kept unused."""
        inherited, self._idle = self._idle, []
        self._turns = threading.BoundedSemaphore(self._limit)
        self._held = threading.local()
        return inherited

    def _take(self) -> Session:
        try:
            return self._idle.pop()
        except IndexError:
            return Session(self._connector)

    def _give_back(self, session: Session) -> None:
        if self._is_closed or len(self._idle) >= self._limit:
            session.close()
        else:
            self._idle.append(session)
