# SPDX-License-Identifier: Apache-2.0
"""Which migrations are still to be applied, and how: the same for every adapter."""

from __future__ import annotations

from collections.abc import Sequence

from mainstem.database.port import Database, Migration, Transaction
from mainstem.errors import DatabaseUnavailable

TABLE = (
    "create table if not exists migration (package text not null, "
    "number integer not null, primary key (package, number))"
)
"""What was applied."""


def apply_pending(transaction: Transaction, migrations: Sequence[Migration]) -> None:
    """Apply what is missing, in order, within the one transaction that is given.

    Args:
        transaction: The write transaction; it sees what others applied while we waited for it.
        migrations: All that this installation knows.
    """
    transaction.execute(TABLE)
    for migration in _pending(transaction, migrations):
        for statement in migration.statements:
            transaction.execute(statement)
        transaction.execute(
            "insert into migration (package, number) values (?, ?)",
            (migration.package, migration.number),
        )


def is_behind(database: Database, migrations: Sequence[Migration], *, has_table: str) -> bool:
    """Tell whether some migrations were not applied yet, by reading only.

    Args:
        database: May be new.
        migrations: All that this installation knows.
        has_table: A query that gives a row if the table of applied ones is there.

    Raises:
        DatabaseUnavailable: A newer Mainstem applied some that this one does not know.
    """
    with database.read() as transaction:
        return not transaction.execute(has_table) or bool(_pending(transaction, migrations))


def _pending(transaction: Transaction, migrations: Sequence[Migration]) -> list[Migration]:
    """Give the migrations that were not applied yet.

    Raises:
        DatabaseUnavailable: A newer Mainstem applied some that this one does not know.
    """
    packages = {migration.package for migration in migrations}
    done = {
        (package, number)
        for package, number in transaction.execute("select package, number from migration")
        if package in packages
    }
    known = {(migration.package, migration.number) for migration in migrations}
    newer = {
        (package, number)
        for package, number in done - known
        if number > max((m.number for m in migrations if m.package == package), default=0)
    }
    if newer:
        package, number = max(newer)
        raise DatabaseUnavailable(
            "A5008",
            f"The database was written by a newer Mainstem (schema {package} {number}).",
            hint="Upgrade this installation; nothing was changed.",
        )
    return [m for m in migrations if (m.package, m.number) not in done]
