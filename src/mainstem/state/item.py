# SPDX-License-Identifier: Apache-2.0
"""Items of steps that fan out: which are done, so that another attempt does the others only."""

from __future__ import annotations

from collections.abc import Iterable

from mainstem.database import Migration, Transaction

ITEM_MIGRATIONS = (
    Migration(
        package="item",
        number=1,
        statements=(
            """
            create table item (
              run_id bigint not null, asset text not null, code text not null,
              item_key text not null, file text not null, size_bytes bigint not null,
              primary key (run_id, asset, code, item_key)
            )
            """,
        ),
    ),
)


def add_items(
    transaction: Transaction,
    run_id: int,
    asset: str,
    code: str,
    items: Iterable[tuple[str, str, int]],
) -> None:
    """Note items as done.

    Args:
        transaction: Open for writing.
        run_id: The run.
        asset: Name of the step: a folded key, with its partitions, if any.
        code: Version of the code that did them, and which of its loops.
        items: Key, file with the result, and its size.
    """
    transaction.executemany(
        "insert into item (run_id, asset, code, item_key, file, size_bytes) "
        "values (?, ?, ?, ?, ?, ?) on conflict (run_id, asset, code, item_key) do update set "
        "file = excluded.file, size_bytes = excluded.size_bytes",
        [(run_id, asset, code, key, file, size) for key, file, size in items],
    )


def items_done(transaction: Transaction, run_id: int, asset: str, code: str) -> dict[str, str]:
    """Give the file with the result of each item that is done, by its key."""
    rows = transaction.execute(
        "select item_key, file from item where run_id = ? and asset = ? and code = ?",
        (run_id, asset, code),
    )
    return dict(rows)


def forget_items(transaction: Transaction, run_id: int) -> None:
    """Forget the items of a run that is over: none of its steps is tried again."""
    transaction.execute("delete from item where run_id = ?", (run_id,))
