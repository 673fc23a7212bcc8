# SPDX-License-Identifier: Apache-2.0
"""Slots of pools: each is a lease of one attempt, counted while it lives, so none can leak.

A slot that nobody renews is over, whatever became of its run. All slots that an attempt needs are
taken in one transaction or not at all, and pools are locked in the order of their names: nobody
waits holding one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from mainstem.database import Migration, Transaction
from mainstem.state.times import from_us, to_us
from mainstem.types import dataclass

POOL_MIGRATIONS = (
    Migration(
        package="pool",
        number=1,
        statements=(
            """
            create table pool (
              name text primary key, fence bigint not null, credit bigint not null,
              refilled_at bigint not null
            )
            """,
            """
            create table slot (
              pool text not null, run_id bigint not null, asset text not null,
              attempt integer not null, owner text not null, amount bigint not null,
              fence bigint not null, taken_at bigint not null, expires_at bigint not null,
              primary key (pool, run_id, asset)
            )
            """,
            "create index slot_run on slot (run_id)",
            "create index step_memory on step (run_id, asset) where peak_memory >= 268435456",
        ),
    ),
    Migration(
        package="pool",
        number=2,
        statements=(
            # Slots that somebody set while runs went on; null: as the project says.
            "alter table pool add column slots bigint",
            "alter table pool add column slots_at bigint",
            "alter table pool add column slots_by text not null default ''",
        ),
    ),
)
_RECENT_RUNS = 50
_TOKEN = 1_000_000
"""Credit of one start: credits are whole millionths."""
_FULL = 1 << 50
"""Credit of a pool that nobody has used yet: cut to its burst when it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What an attempt needs of one pool, and what that pool has."""

    pool: str
    amount: int = 1
    limit: int | None = None
    """All there is, unless slots were set since; `None`: only its rate is limited."""
    rate_per_s: float = 0.0
    """Starts in a second; 0: as many as there are slots."""
    burst: int = 1
    """Starts at once after a pause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The attempt that takes slots."""

    run_id: int
    asset: str
    """Name of the step: a folded key, with the partitions that it builds, if any."""
    attempt: int
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A slot that lives."""

    pool: str
    holder: Holder
    amount: int
    fence: int
    taken_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSlots:
    """Slots of a pool that were set at run time."""

    slots: int
    at: datetime
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The pool that had no room, and when it will have some, if that is known."""

    pool: str
    wait_s: float | None = None


def room_in(
    transaction: Transaction, asks: Sequence[Ask], holder: Holder, *, now: datetime
) -> Refusal | None:
    """Look whether there is room, without taking it: cheap, and locks nothing."""
    for ask in asks:
        rows = transaction.execute(
            "select credit, refilled_at, slots from pool where name = ?", (ask.pool,)
        )
        asked = ask if not rows else _as_set(ask, rows[0][2])
        credit = _refilled(ask, rows[0][:2] if rows else None, now)
        refusal = _refusal(transaction, asked, holder, credit, now)
        if refusal is not None:
            return refusal
    return None


def take_slots(
    transaction: Transaction,
    asks: Sequence[Ask],
    holder: Holder,
    *,
    now: datetime,
    expires_at: datetime,
) -> Refusal | None:
    """Take a slot of each pool, or none; what the same step held before is replaced.

    Returns:
        Which pool had no room; nothing if the slots are taken.
    """
    taken: list[tuple[Ask, int, int]] = []
    for declared in sorted(asks, key=lambda each: each.pool):
        # The row is locked by this: claims of one pool come one after another.
        rows = transaction.execute(
            "insert into pool (name, fence, credit, refilled_at) values (?, 1, ?, ?) "
            "on conflict (name) do update set fence = pool.fence + 1 "
            "returning fence, credit, refilled_at, slots",
            (declared.pool, declared.burst * _TOKEN, to_us(now)),
        )
        fence, credit, refilled_at, slots = rows[0]
        ask = _as_set(declared, slots)
        transaction.execute(
            "delete from slot where pool = ? and expires_at <= ?", (ask.pool, to_us(now))
        )
        credit = _refilled(ask, (credit, refilled_at), now)
        refusal = _refusal(transaction, ask, holder, credit, now)
        if refusal is not None:
            return refusal
        taken.append((ask, fence, credit))
    for ask, fence, credit in taken:
        _write(transaction, ask, holder, (fence, credit), (now, expires_at))
    return None


def _write(
    transaction: Transaction,
    ask: Ask,
    holder: Holder,
    counted: tuple[int, int],
    times: tuple[datetime, datetime],
) -> None:
    (fence, credit), (now, expires_at) = counted, times
    if ask.rate_per_s:
        transaction.execute(
            "update pool set credit = ?, refilled_at = ? where name = ?",
            (credit - _TOKEN, to_us(now), ask.pool),
        )
    transaction.execute(
        "insert into slot (pool, run_id, asset, attempt, owner, amount, fence, taken_at, "
        "expires_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "on conflict (pool, run_id, asset) do update set attempt = excluded.attempt, "
        "owner = excluded.owner, amount = excluded.amount, fence = excluded.fence, "
        "taken_at = excluded.taken_at, expires_at = excluded.expires_at",
        (
            ask.pool,
            holder.run_id,
            holder.asset,
            holder.attempt,
            holder.owner,
            _amount(ask),
            fence,
            to_us(now),
            to_us(expires_at),
        ),
    )


def _as_set(ask: Ask, slots: int | None) -> Ask:
    return ask if slots is None else replace(ask, limit=slots)


def _amount(ask: Ask) -> int:
    # What needs more than there is runs alone, rather than never.
    return ask.amount if ask.limit is None else min(ask.amount, ask.limit)


def _refilled(ask: Ask, row: tuple[int, int] | None, now: datetime) -> int:
    full = ask.burst * _TOKEN
    if row is None:
        return full
    credit, refilled_at = row
    # A clock that was set back gives nothing, and takes nothing.
    elapsed_us = max(to_us(now) - refilled_at, 0)
    return min(full, credit + int(elapsed_us * ask.rate_per_s))


def _refusal(
    transaction: Transaction, ask: Ask, holder: Holder, credit: int, now: datetime
) -> Refusal | None:
    if ask.limit is not None:
        rows = transaction.execute(
            "select coalesce(sum(amount), 0) from slot where pool = ? and expires_at > ? "
            "and not (run_id = ? and asset = ?)",
            (ask.pool, to_us(now), holder.run_id, holder.asset),
        )
        # A pool of no slots is shut, also for what takes none.
        if int(rows[0][0]) + _amount(ask) > ask.limit or not ask.limit:
            return Refusal(pool=ask.pool)
    if ask.rate_per_s and credit < _TOKEN:
        return Refusal(pool=ask.pool, wait_s=(_TOKEN - credit) / _TOKEN / ask.rate_per_s)
    return None


def set_slots(
    transaction: Transaction, pool: str, slots: int | None, *, by: str, now: datetime
) -> None:
    """Set the slots of a pool for all processes, from their next claim on.

    Args:
        transaction: Of the caller.
        pool: Its name.
        slots: How many; 0 shuts it, and who holds some keeps them. `None`: as the project says.
        by: Who set them.
        now: The time.
    """
    transaction.execute(
        "insert into pool (name, fence, credit, refilled_at, slots, slots_at, slots_by) "
        "values (?, 0, ?, ?, ?, ?, ?) on conflict (name) do update set "
        "slots = excluded.slots, slots_at = excluded.slots_at, slots_by = excluded.slots_by",
        (pool, _FULL, to_us(now), slots, to_us(now), by),
    )


def slots_set(transaction: Transaction) -> dict[str, SetSlots]:
    """Give the slots that were set at run time, by pool."""
    rows = transaction.execute(
        "select name, slots, slots_at, slots_by from pool where slots is not null"
    )
    return {name: SetSlots(slots=slots, at=from_us(at), by=by) for name, slots, at, by in rows}


def free_slots(transaction: Transaction, run_id: int, asset: str = "") -> None:
    """Give slots of a run back: of one step, or all."""
    transaction.execute(
        "delete from slot where run_id = ? and (? = '' or asset = ?)", (run_id, asset, asset)
    )


def renew_slots(
    transaction: Transaction, run_id: int, owner: str, *, expires_at: datetime
) -> frozenset[tuple[str, str]]:
    """Say that the holder of a run's slots lives.

    Returns:
        Pool and asset of each slot that it still holds: what is missing was given to others.
    """
    rows = transaction.execute(
        "update slot set expires_at = ? where run_id = ? and owner = ? returning pool, asset",
        (to_us(expires_at), run_id, owner),
    )
    return frozenset((pool, asset) for pool, asset in rows)


def memory_taken(transaction: Transaction) -> dict[str, int]:
    """Give the bytes that assets took in the last runs, by folded key: those that took many.

    What takes less than 256 MiB is not worth a slot; an index has the others.
    """
    rows = transaction.execute(
        "select asset, max(peak_memory) from step where peak_memory >= 268435456 "
        "and measured = 'worker' and run_id > (select coalesce(max(id), 0) - ? from run) "
        "group by asset",
        (_RECENT_RUNS,),
    )
    return dict(rows)


def slots_of(transaction: Transaction, *, now: datetime) -> Mapping[str, list[Slot]]:
    """Give the slots that live, by pool, oldest first."""
    rows = transaction.execute(
        "select pool, run_id, asset, attempt, owner, amount, fence, taken_at, expires_at "
        "from slot where expires_at > ? order by pool, fence",
        (to_us(now),),
    )
    found: dict[str, list[Slot]] = {}
    for pool, run_id, asset, attempt, owner, amount, fence, taken_at, expires_at in rows:
        holder = Holder(run_id=run_id, asset=asset, attempt=attempt, owner=owner)
        found.setdefault(pool, []).append(
            Slot(
                pool=pool,
                holder=holder,
                amount=amount,
                fence=fence,
                taken_at=from_us(taken_at),
                expires_at=from_us(expires_at),
            )
        )
    return found
