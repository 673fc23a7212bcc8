# SPDX-License-Identifier: Apache-2.0
"""Who leads: one server of a database plans ticks and starts launches, others stand by.

Taking the lead raises a fence, and every write of a leader goes through `compare_lead`, which also
locks the row: one that slept past its time finds its fence gone, whatever it had decided before.
"""

from __future__ import annotations

from datetime import datetime

from mainstem.database import Migration, Transaction
from mainstem.errors import LeaseLost
from mainstem.state.process import ProcessIdentity
from mainstem.state.times import from_us, to_us
from mainstem.types import dataclass

LEADER_MIGRATIONS = (
    Migration(
        package="leader",
        number=1,
        statements=(
            """
            create table leader (
              name text primary key, fence bigint not null, owner text not null,
              host text not null, boot_id text not null, pid bigint not null,
              process_started text not null, address text not null, since bigint not null,
              renewed_at bigint not null, expires_at bigint not null, beats bigint not null
            )
            """,
        ),
    ),
)
_NAME = "scheduler"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leader:
    """The server that leads, or led last."""

    process: ProcessIdentity | None
    """Nothing if the last leader stepped down."""
    fence: int
    address: str
    """Where it answers HTTP; empty if nowhere."""
    since: datetime
    expires_at: datetime
    beats: int
    """Grows with every renewal: who watches it needs no clock that agrees with the leader's."""


def leader(transaction: Transaction) -> Leader | None:
    """Give who leads; nothing if nobody ever did."""
    rows = transaction.execute(
        "select fence, owner, host, boot_id, pid, process_started, address, since, expires_at, "
        "beats from leader where name = ?",
        (_NAME,),
    )
    if not rows:
        return None
    fence, owner, host, boot_id, pid, process_started, address, since, expires_at, beats = rows[0]
    process = ProcessIdentity(
        owner=owner, host=host, boot_id=boot_id, pid=pid, process_started=process_started
    )
    return Leader(
        process=process if owner else None,
        fence=fence,
        address=address,
        since=from_us(since),
        expires_at=from_us(expires_at),
        beats=beats,
    )


def take_lead(
    transaction: Transaction,
    process: ProcessIdentity,
    *,
    after: Leader | None,
    address: str,
    now: datetime,
    expires_at: datetime,
) -> int | None:
    """Become the leader in place of one that is gone.

    Args:
        transaction: Open write transaction.
        process: Who takes over.
        after: The leader that was seen to be gone; nothing if there was none.
        address: Where it answers HTTP.
        now: The time.
        expires_at: When others may think it gone, for those who ask with a clock.

    Returns:
        The new fence; nothing if somebody else was quicker, or the old leader moved again.
    """
    before = (0, 0) if after is None else (after.fence, after.beats)
    rows = transaction.execute(
        "insert into leader (name, fence, owner, host, boot_id, pid, process_started, address, "
        "since, renewed_at, expires_at, beats) values (?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0) "
        "on conflict (name) do update set fence = leader.fence + 1, owner = excluded.owner, "
        "host = excluded.host, boot_id = excluded.boot_id, pid = excluded.pid, "
        "process_started = excluded.process_started, address = excluded.address, "
        "since = excluded.since, renewed_at = excluded.renewed_at, "
        "expires_at = excluded.expires_at, beats = 0 "
        "where leader.fence = ? and leader.beats = ? returning fence",
        (
            _NAME,
            process.owner,
            process.host,
            process.boot_id,
            process.pid,
            process.process_started,
            address,
            to_us(now),
            to_us(now),
            to_us(expires_at),
            *before,
        ),
    )
    return rows[0][0] if rows else None


def compare_lead(transaction: Transaction, process: ProcessIdentity, fence: int) -> None:
    """Make sure, within the transaction of a leader's write, that it still leads.

    Raises:
        LeaseLost: Another server took over.
    """
    # An update, not a read: it holds the row against a take-over until this transaction ends.
    rows = transaction.execute(
        "update leader set fence = fence where name = ? and owner = ? and fence = ? "
        "returning fence",
        (_NAME, process.owner, fence),
    )
    if not rows:
        raise LeaseLost(
            "A6402",
            "This server no longer leads: another one took over while this one was asleep.",
            hint="Nothing was written twice. This server stands by now.",
        )


def renew_lead(
    transaction: Transaction,
    process: ProcessIdentity,
    fence: int,
    *,
    address: str,
    now: datetime,
    expires_at: datetime,
) -> None:
    """Say that the leader lives.

    Raises:
        LeaseLost: Another server took over.
    """
    compare_lead(transaction, process, fence)
    transaction.execute(
        "update leader set beats = beats + 1, renewed_at = ?, expires_at = ?, address = ? "
        "where name = ?",
        (to_us(now), to_us(expires_at), address, _NAME),
    )


def give_up_lead(transaction: Transaction, process: ProcessIdentity, fence: int) -> None:
    """Step down, so that another server need not wait; nothing happens if it leads already."""
    transaction.execute(
        "update leader set owner = '', address = '', expires_at = 0, beats = beats + 1 "
        "where name = ? and owner = ? and fence = ?",
        (_NAME, process.owner, fence),
    )
