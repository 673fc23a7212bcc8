# SPDX-License-Identifier: Apache-2.0
"""Alerts that are due: written in the transaction that ends a run, delivered afterwards.

At least once: who takes a row and dies leaves it to be taken again. The key of a row goes along, so
that a receiver can tell that it has it already. Delivery is tried some times, then given up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import orjson

from mainstem.database import Database, Migration, Transaction
from mainstem.observers.rule import Told
from mainstem.types import dataclass

ALERT_MIGRATIONS = (
    Migration(
        package="alert",
        number=1,
        statements=(
            """
            create table alert (
              id text primary key, alert text not null, event text not null,
              run_id bigint not null, body text not null, status text not null,
              created_at bigint not null, not_before bigint not null,
              attempts integer not null default 0, error text not null default '',
              sent_at bigint
            )
            """,
            "create index alert_due on alert (status, not_before)",
            """
            create table alert_told (
              alert text not null, subject text not null, first_at bigint not null,
              last_at bigint not null, told_at bigint not null, occurrences bigint not null,
              unsaid bigint not null, primary key (alert, subject)
            )
            """,
        ),
    ),
)

ATTEMPTS = 8
_FIRST_DELAY = timedelta(seconds=30)
_LONGEST_DELAY = timedelta(hours=1)
_TAKEN_FOR = timedelta(minutes=2)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COLUMNS = (
    "id, alert, event, run_id, body, status, created_at, not_before, attempts, error, sent_at"
)
_TOLD = "first_at, last_at, told_at, occurrences, unsaid"
_ERROR_LIMIT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One message to one receiver."""

    id: str
    """Its dedupe key: the same after every retry."""
    alert: str
    """Name under `alerts:`."""
    event: str
    run_id: int
    body: Mapping[str, Any]
    status: Literal["pending", "sent", "failed"]
    created_at: datetime
    not_before: datetime
    attempts: int = 0
    error: str = ""
    sent_at: datetime | None = None


Deliver = Callable[[Alert], str]
"""Sends one; gives what went wrong, empty if it arrived. It does not raise."""


def put_alert(
    transaction: Transaction,
    *,
    id: str,  # noqa: A002  # the column's name
    alert: str,
    event: str,
    run_id: int,
    body: Mapping[str, Any],
    at: datetime,
) -> None:
    """Write a message that is due now; one of the same id is there already."""
    transaction.execute(
        "insert into alert (id, alert, event, run_id, body, status, created_at, not_before) "
        "values (?, ?, ?, ?, ?, 'pending', ?, ?) on conflict (id) do nothing",
        (id, alert, event, run_id, orjson.dumps(body, default=str).decode(), _us(at), _us(at)),
    )


def deliver_due(
    database: Database,
    send: Deliver,
    *,
    now: Callable[[], datetime],
    limit: int = 50,
) -> tuple[int, int]:
    """Deliver what is due; outside of any transaction, so that a slow receiver holds nobody up.

    Returns:
        How many arrived, and how many did not.
    """
    sent = failed = 0
    for _ in range(limit):
        taken = _take(database, now())
        if taken is None:
            break
        error = send(taken)
        _settle(database, taken, error, now())
        sent, failed = sent + (not error), failed + bool(error)
    return sent, failed


def alerts(transaction: Transaction, *, limit: int = 50) -> list[Alert]:
    """List messages, the latest first."""
    rows = transaction.execute(
        f"select {_COLUMNS} from alert order by created_at desc, id limit ?", (limit,)
    )
    return [_alert(row) for row in rows]


def forget_alerts(transaction: Transaction, *, before: datetime) -> int:
    """Forget messages that were sent or given up long ago; gives their number."""
    rows = transaction.execute(
        "delete from alert where status <> 'pending' and created_at < ? returning id",
        (_us(before),),
    )
    transaction.execute("delete from alert_told where last_at < ?", (_us(before),))
    return len(rows)


def told(transaction: Transaction, alert: str, subject: str) -> Told | None:
    """Give what an alert was told of a failure."""
    rows = transaction.execute(
        f"select {_TOLD} from alert_told where alert = ? and subject = ?", (alert, subject)
    )
    return _told(rows[0]) if rows else None


def note_told(transaction: Transaction, alert: str, subject: str, known: Told) -> None:
    """Remember what an alert was told of a failure."""
    transaction.execute(
        "insert into alert_told (alert, subject, first_at, last_at, told_at, occurrences, unsaid) "
        "values (?, ?, ?, ?, ?, ?, ?) on conflict (alert, subject) do update set "
        "first_at = excluded.first_at, last_at = excluded.last_at, told_at = excluded.told_at, "
        "occurrences = excluded.occurrences, unsaid = excluded.unsaid",
        (
            alert,
            subject,
            _us(known.first_at),
            _us(known.last_at),
            _us(known.told_at),
            known.count,
            known.unsaid,
        ),
    )


def forget_told(transaction: Transaction, alert: str, subject: str) -> Told | None:
    """Forget a failure that is over; gives what had been told of it."""
    before = told(transaction, alert, subject)
    if before is not None:
        transaction.execute(
            "delete from alert_told where alert = ? and subject = ?", (alert, subject)
        )
    return before


def forget_told_below(transaction: Transaction, start: str) -> dict[str, list[Told]]:
    """Forget all failures whose subjects start so; gives by alert what had been told of them."""
    rows = transaction.execute(
        f"delete from alert_told where substr(subject, 1, length(?)) = ? returning alert, {_TOLD}",
        (start, start),
    )
    found: dict[str, list[Told]] = {}
    for alert, *facts in rows:
        found.setdefault(alert, []).append(_told(facts))
    return found


def _told(facts: Sequence[Any]) -> Told:
    first_at, last_at, told_at, count, unsaid = facts
    return Told(
        first_at=_when(first_at),
        last_at=_when(last_at),
        told_at=_when(told_at),
        count=count,
        unsaid=unsaid,
    )


def _take(database: Database, now: datetime) -> Alert | None:
    with database.read() as transaction:
        # A look without the write lock: mostly there is nothing to do.
        if not transaction.execute(
            "select 1 from alert where status = 'pending' and not_before <= ? limit 1", (_us(now),)
        ):
            return None
    with database.write() as transaction:
        rows = transaction.execute(
            "update alert set attempts = attempts + 1, not_before = ? where id = ("
            "select id from alert where status = 'pending' and not_before <= ? "
            "order by created_at, id limit 1) and status = 'pending' and not_before <= ? "
            f"returning {_COLUMNS}",
            (_us(now + _TAKEN_FOR), _us(now), _us(now)),
        )
    return _alert(rows[0]) if rows else None


def _settle(database: Database, taken: Alert, error: str, now: datetime) -> None:
    delay = min(_FIRST_DELAY * 2 ** (taken.attempts - 1), _LONGEST_DELAY)
    with database.write() as transaction:
        if not error:
            transaction.execute(
                "update alert set status = 'sent', sent_at = ?, error = '' where id = ?",
                (_us(now), taken.id),
            )
        else:
            status = "failed" if taken.attempts >= ATTEMPTS else "pending"
            transaction.execute(
                "update alert set status = ?, not_before = ?, error = ? "
                "where id = ? and attempts = ? and status = 'pending'",
                (status, _us(now + delay), error[:_ERROR_LIMIT], taken.id, taken.attempts),
            )


def _alert(row: tuple[Any, ...]) -> Alert:
    alert_id, alert, event, run_id, body, status, created_at, not_before = row[:8]
    attempts, error, sent_at = row[8:]
    return Alert(
        id=alert_id,
        alert=alert,
        event=event,
        run_id=run_id,
        body=orjson.loads(body),
        status=status,
        created_at=_when(created_at),
        not_before=_when(not_before),
        attempts=attempts,
        error=error,
        sent_at=None if sent_at is None else _when(sent_at),
    )


def _us(when: datetime) -> int:
    return (when - _EPOCH) // timedelta(microseconds=1)


def _when(value: int) -> datetime:
    return _EPOCH + timedelta(microseconds=value)
