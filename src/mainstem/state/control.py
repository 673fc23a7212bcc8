# SPDX-License-Identifier: Apache-2.0
"""What others ask of a run that goes on: to stop, to pause, to go on. One row; the run reads it.

The process that runs it is told by nobody: it looks, every second. So it works from another
process, from another machine, and while a server restarts.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from mainstem.database import Migration, Transaction
from mainstem.state.times import from_us, to_us
from mainstem.types import dataclass

RequestKind = Literal["pause", "resume", "cancel"]

CONTROL_MIGRATIONS = (
    Migration(
        package="control",
        number=1,
        statements=(
            """
            create table control (
              run_id bigint primary key, request text not null, count integer not null,
              asked_at bigint not null, asked_by text not null
            )
            """,
        ),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlRequest:
    """The last that was asked of a run."""

    run_id: int
    kind: RequestKind
    count: int
    """How often: a second cancel does not wait for steps to stop."""
    asked_at: datetime
    asked_by: str = ""


def ask_run(
    transaction: Transaction, run_id: int, kind: RequestKind, *, at: datetime, by: str = ""
) -> ControlRequest:
    """Ask something of a run; a cancel stays a cancel, whatever is asked later.

    Returns:
        What is asked of it now.
    """
    transaction.execute(
        "insert into control (run_id, request, count, asked_at, asked_by) values (?, ?, 1, ?, ?) "
        "on conflict (run_id) do update set "
        "count = case when control.request = excluded.request then control.count + 1 "
        "when control.request = 'cancel' then control.count else 1 end, "
        "request = case when control.request = 'cancel' then 'cancel' else excluded.request end, "
        "asked_at = excluded.asked_at, asked_by = excluded.asked_by",
        (run_id, kind, to_us(at), by),
    )
    found = request_of(transaction, run_id)
    assert found is not None, "it was just written"
    return found


def request_of(transaction: Transaction, run_id: int) -> ControlRequest | None:
    """Give what is asked of a run, if anything ever was."""
    rows = transaction.execute(
        "select request, count, asked_at, asked_by from control where run_id = ?", (run_id,)
    )
    if not rows:
        return None
    kind, count, asked_at, asked_by = rows[0]
    return ControlRequest(
        run_id=run_id, kind=kind, count=count, asked_at=from_us(asked_at), asked_by=asked_by
    )


def forget_requests(transaction: Transaction, run_id: int) -> None:
    """Forget what was asked of a run that is over."""
    transaction.execute("delete from control where run_id = ?", (run_id,))
