# SPDX-License-Identifier: Apache-2.0
"""Tickets: requests that a run leaves in the database for workers on other machines.

A worker that takes one raises its fence and renews its hold; a run renews its wish. Whoever stops
renewing is taken for dead: the ticket goes to another worker, or its work is stopped. All that is
said about a ticket is a row with the fence it was said under, so that a worker that wakes after
its hold has passed on speaks to nobody. Called by `models`; bodies are pickles of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from mainstem.database import Migration, Transaction
from mainstem.state.times import from_us, to_us
from mainstem.types import dataclass

Direction = Literal["up", "down"]
"""From the worker to the run, or back."""

TICKET_MIGRATIONS = (
    Migration(
        package="ticket",
        number=1,
        statements=(
            """
            create table ticket (
              id text primary key, executor text not null, asset text not null,
              body blob not null, status text not null, owner text not null default '',
              worker text not null default '', fence bigint not null default 0,
              held_until bigint not null default 0, wanted_until bigint not null,
              cancel_requested integer not null default 0, created_at bigint not null
            )
            """,
            "create index ticket_waiting on ticket (executor, status, created_at)",
            """
            create table ticket_message (
              ticket text not null, fence bigint not null, direction text not null,
              number bigint not null, kind text not null, body blob not null,
              primary key (ticket, fence, direction, number)
            )
            """,
        ),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketRecord:
    """A ticket as stored."""

    id: str
    executor: str
    asset: str
    body: bytes
    status: Literal["waiting", "taken"]
    owner: str
    """Which worker process holds it; empty: none."""
    worker: str
    """That one's name, for people."""
    fence: int
    held_until: datetime
    wanted_until: datetime
    cancel_requested: bool


@dataclass(frozen=True, slots=True)
class TicketMessage:
    """Something said about a ticket."""

    number: int
    kind: str
    body: bytes


_TICKET = (
    "id, executor, asset, body, status, owner, worker, fence, held_until, wanted_until, "
    "cancel_requested"
)


def put_ticket(
    transaction: Transaction,
    ticket_id: str,
    *,
    executor: str,
    asset: str,
    body: bytes,
    now: datetime,
    wanted_until: datetime,
) -> None:
    """Leave a ticket for the workers of an executor."""
    transaction.execute(
        "insert into ticket (id, executor, asset, body, status, wanted_until, created_at) "
        "values (?, ?, ?, ?, 'waiting', ?, ?)",
        (ticket_id, executor, asset, body, to_us(wanted_until), to_us(now)),
    )


def has_ticket(transaction: Transaction, *, executor: str, now: datetime) -> bool:
    """Tell whether a ticket waits to be taken: one cheap read for who polls."""
    rows = transaction.execute(
        "select 1 from ticket where executor = ? and status = 'waiting' and wanted_until > ? "
        "and cancel_requested = 0 limit 1",
        (executor, to_us(now)),
    )
    return bool(rows)


def take_ticket(
    transaction: Transaction,
    *,
    executor: str,
    owner: str,
    worker: str,
    now: datetime,
    held_until: datetime,
) -> TicketRecord | None:
    """Take the oldest ticket that somebody still wants, if there is one."""
    rows = transaction.execute(
        "update ticket set status = 'taken', owner = ?, worker = ?, fence = fence + 1, "
        "held_until = ? where id = (select id from ticket where executor = ? "
        "and status = 'waiting' and wanted_until > ? and cancel_requested = 0 "
        f"order by created_at, id limit 1) returning {_TICKET}",
        (owner, worker, to_us(held_until), executor, to_us(now)),
    )
    return _ticket(rows[0]) if rows else None


def ticket_of(transaction: Transaction, ticket_id: str) -> TicketRecord | None:
    """Give one ticket; nothing once its run has taken it back."""
    rows = transaction.execute(f"select {_TICKET} from ticket where id = ?", (ticket_id,))
    return _ticket(rows[0]) if rows else None


def want_ticket(transaction: Transaction, ticket_id: str, *, until: datetime) -> None:
    """Say that the run still waits for it."""
    transaction.execute(
        "update ticket set wanted_until = ? where id = ?", (to_us(until), ticket_id)
    )


def hold_tickets(transaction: Transaction, owner: str, *, until: datetime) -> list[TicketRecord]:
    """Say that a worker lives; gives all that it holds, with what was asked of them."""
    transaction.execute(
        "update ticket set held_until = ? where owner = ? and status = 'taken'",
        (to_us(until), owner),
    )
    rows = transaction.execute(
        f"select {_TICKET} from ticket where owner = ? and status = 'taken'", (owner,)
    )
    return [_ticket(row) for row in rows]


def pass_ticket_on(transaction: Transaction, ticket: TicketRecord, *, now: datetime) -> bool:
    """Offer a ticket again whose worker is taken for dead; false if that one spoke meanwhile."""
    rows = transaction.execute(
        "update ticket set status = 'waiting', owner = '', fence = fence + 1 "
        "where id = ? and fence = ? and status = 'taken' and held_until <= ? returning id",
        (ticket.id, ticket.fence, to_us(now)),
    )
    return bool(rows)


def cancel_ticket(transaction: Transaction, ticket_id: str) -> bool:
    """Ask whoever holds it to stop, and let nobody take it any more; tells whether one does."""
    rows = transaction.execute(
        "update ticket set cancel_requested = 1 where id = ? returning status", (ticket_id,)
    )
    return bool(rows) and rows[0][0] == "taken"


def drop_ticket(transaction: Transaction, ticket_id: str) -> None:
    """Take a ticket back with all that was said about it."""
    transaction.execute("delete from ticket_message where ticket = ?", (ticket_id,))
    transaction.execute("delete from ticket where id = ?", (ticket_id,))


def drop_unwanted_tickets(transaction: Transaction, *, now: datetime) -> None:
    """Remove what runs that died left behind, once no worker holds it either."""
    gone = (
        "select id from ticket where wanted_until <= ? and (status = 'waiting' or held_until <= ?)"
    )
    times = (to_us(now), to_us(now))
    transaction.execute(f"delete from ticket_message where ticket in ({gone})", times)
    transaction.execute(f"delete from ticket where id in ({gone})", times)


def say(
    transaction: Transaction,
    ticket: TicketRecord,
    direction: Direction,
    messages: Sequence[tuple[str, bytes]],
) -> bool:
    """Say something about a ticket, in order; false if its hold has passed on, and nothing said."""
    held = transaction.execute(
        "select 1 from ticket where id = ? and fence = ?", (ticket.id, ticket.fence)
    )
    if not held:
        return False
    place = (ticket.id, ticket.fence, direction)
    last: int = transaction.execute(
        "select coalesce(max(number), 0) from ticket_message "
        "where ticket = ? and fence = ? and direction = ?",
        place,
    )[0][0]
    transaction.executemany(
        "insert into ticket_message (ticket, fence, direction, number, kind, body) "
        "values (?, ?, ?, ?, ?, ?)",
        [
            (*place, number, kind, body)
            for number, (kind, body) in enumerate(messages, start=last + 1)
        ],
    )
    return True


def said(
    transaction: Transaction, ticket: TicketRecord, direction: Direction, *, after: int
) -> list[TicketMessage]:
    """Give what was said after a message, under the ticket's present hold."""
    rows = transaction.execute(
        "select number, kind, body from ticket_message "
        "where ticket = ? and fence = ? and direction = ? and number > ? order by number",
        (ticket.id, ticket.fence, direction, after),
    )
    return [TicketMessage(number, kind, bytes(body)) for number, kind, body in rows]


def _ticket(row: tuple[Any, ...]) -> TicketRecord:
    ticket_id, executor, asset, body, status, owner, worker, fence, held, wanted, cancel = row
    return TicketRecord(
        id=ticket_id,
        executor=executor,
        asset=asset,
        body=bytes(body),
        status=status,
        owner=owner,
        worker=worker,
        fence=fence,
        held_until=from_us(held),
        wanted_until=from_us(wanted),
        cancel_requested=bool(cancel),
    )
