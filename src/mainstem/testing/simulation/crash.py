# SPDX-License-Identifier: Apache-2.0
"""Servers that die, or fall asleep, between any two transactions.

All that outlives a process is what it committed, so every moment at which a kill could matter lies
before or after a commit. A server's database is seen through a `MortalDatabase`; when its time has
come, the transaction that is open is rolled back (or was just committed) and nothing of that
server reaches the database any more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from types import TracebackType

from mainstem.database import Database, Migration, Transaction, Watch


class ServerDied(BaseException):  # not an error: nothing may handle it
    """The simulated server was killed."""


class MortalDatabase:
    """Meets `Database` for one simulated server.

    Args:
        database: What outlives the server.
        when: Called before and after each write; raises `ServerDied` to kill the server there.
        on_death: Called once, when the server is killed.
    """

    def __init__(
        self, database: Database, when: Callable[[], None], on_death: Callable[[], None]
    ) -> None:
        self._database = database
        self._when = when
        self._on_death = on_death
        self._is_dead = False
        self._migrated: set[int] = set()

    @property
    def url(self) -> str:
        """Of the database behind."""
        return self._database.url

    def read(self) -> AbstractContextManager[Transaction]:
        """Open a snapshot."""
        self._require_life()
        return self._database.read()

    def write(self, *, durable: bool = False) -> AbstractContextManager[Transaction]:
        """Open a write transaction; the server may die at either end of it."""
        self._require_life()
        self._die_if_due()
        return _MortalWrite(self._database.write(durable=durable), self._die_if_due)

    def is_new(self) -> bool:
        """Tell whether nothing was ever kept in it."""
        return self._database.is_new()

    def migrate(self, migrations: Sequence[Migration]) -> None:
        """Bring the schema up to date; nobody else changes it in a world."""
        if id(migrations) not in self._migrated:
            self._database.migrate(migrations)
            self._migrated.add(id(migrations))

    def watch(self) -> Watch:
        """Begin to watch for what others commit."""
        return self._database.watch()

    def close(self) -> None:
        """Leave the database open: it is not this server's alone."""

    def kill(self) -> None:
        """Let nothing of this server reach the database any more."""
        if not self._is_dead:
            self._is_dead = True
            self._on_death()

    def _die_if_due(self) -> None:
        try:
            self._when()
        except ServerDied:
            self.kill()
            raise

    def _require_life(self) -> None:
        if self._is_dead:
            raise ServerDied


class _MortalWrite:
    """A write transaction, at whose ends its server may die."""

    __slots__ = ("_block", "_die_if_due")

    def __init__(
        self, block: AbstractContextManager[Transaction], die_if_due: Callable[[], None]
    ) -> None:
        self._block = block
        self._die_if_due = die_if_due

    def __enter__(self) -> Transaction:
        return self._block.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        if error is None:
            # Death before the commit rolls back what the block did.
            try:
                self._die_if_due()
            except ServerDied as died:
                self._block.__exit__(type(died), died, died.__traceback__)
                raise
        is_handled = self._block.__exit__(kind, error, traceback)
        if error is None:
            self._die_if_due()
        return is_handled
