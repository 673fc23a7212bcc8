# SPDX-License-Identifier: Apache-2.0
"""What is remembered of triggers: whether they are on, how far they were looked at, their ticks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from datetime import datetime
from typing import Any, Literal

import orjson

from mainstem.database import Transaction
from mainstem.state import from_us, to_us
from mainstem.types import dataclass

TriggerKind = Literal["schedule", "sensor", "condition"]
Outcome = Literal["launched", "skipped", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerState:
    """A schedule or sensor as stored."""

    kind: TriggerKind
    name: str
    timing: str
    """As last seen; when it changes, nothing fires for the past."""
    is_on: bool | None
    """What a person said; nothing while the file decides."""
    is_enabled: bool
    """What the file says."""
    is_declared: bool
    """The project has it still."""
    since: datetime
    """On, off or edited since then."""
    evaluated_until: datetime
    next_at: datetime | None
    cursor: str = ""
    failures: int = 0
    """In a row."""
    note: str = ""

    @property
    def is_active(self) -> bool:
        """Whether it fires."""
        wanted = self.is_enabled if self.is_on is None else self.is_on
        return self.is_declared and wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class TickRecord:
    """A tick as stored."""

    kind: TriggerKind
    name: str
    scheduled_for: datetime
    evaluated_at: datetime
    outcome: Outcome
    launch_id: int | None = None
    """The first, if there were several: `facts` has them all."""
    reason: str = ""
    stands_for: int = 1
    """Missed ticks that this one is the last of."""
    facts: Mapping[str, Any] = field(default_factory=dict)


_STATE = (
    "kind, name, timing, is_on, is_enabled, is_declared, since, evaluated_until, next_at, "
    "cursor_text, failures, note"
)
_TICK = "kind, name, scheduled_for, evaluated_at, outcome, launch_id, reason, stands_for, facts"

_AT_ONCE = 500


def trigger_states(
    transaction: Transaction, kind: TriggerKind, *, name: str = ""
) -> list[TriggerState]:
    """Give the triggers of a kind, or one of them, by name."""
    named, values = _named(kind, name)
    rows = transaction.execute(
        f"select {_STATE} from trigger_state where {named} order by name", values
    )
    return [_state(row) for row in rows]


def due_triggers(
    transaction: Transaction, kind: TriggerKind, now: datetime, *, ahead: datetime, limit: int
) -> list[TriggerState]:
    """Give those whose next moment has come, longest due first.

    Args:
        transaction: Of the caller.
        kind: Of the triggers.
        now: Of the clock.
        ahead: Those that were looked at later than this are due, too: the clock was set back.
        limit: At most so many.
    """
    rows = transaction.execute(
        f"select {_STATE} from trigger_state where kind = ? and next_at <= ? "
        f"union select {_STATE} from trigger_state where kind = ? and evaluated_until > ? "
        "order by 9, 2 limit ?",
        (kind, to_us(now), kind, to_us(ahead), limit),
    )
    return [_state(row) for row in rows]


def next_wake(transaction: Transaction, kind: TriggerKind) -> datetime | None:
    """Tell when the next trigger of a kind is due: a loop may sleep until then."""
    rows = transaction.execute("select min(next_at) from trigger_state where kind = ?", (kind,))
    return None if rows[0][0] is None else from_us(rows[0][0])


def save_trigger(transaction: Transaction, state: TriggerState) -> None:
    """Insert or replace a trigger."""
    transaction.execute(
        f"insert into trigger_state ({_STATE}) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "on conflict (kind, name) do update set timing = excluded.timing, is_on = excluded.is_on, "
        "is_enabled = excluded.is_enabled, is_declared = excluded.is_declared, "
        "since = excluded.since, evaluated_until = excluded.evaluated_until, "
        "next_at = excluded.next_at, cursor_text = excluded.cursor_text, "
        "failures = excluded.failures, note = excluded.note",
        (
            state.kind,
            state.name,
            state.timing,
            None if state.is_on is None else int(state.is_on),
            int(state.is_enabled),
            int(state.is_declared),
            to_us(state.since),
            to_us(state.evaluated_until),
            None if state.next_at is None else to_us(state.next_at),
            state.cursor,
            state.failures,
            state.note,
        ),
    )


def claim_tick(transaction: Transaction, tick: TickRecord) -> bool:
    """Write a tick; false if another server, or an earlier clock, has written it before."""
    rows = transaction.execute(
        f"insert into tick ({_TICK}) values (?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "on conflict (kind, name, scheduled_for) do nothing returning scheduled_for",
        (
            tick.kind,
            tick.name,
            to_us(tick.scheduled_for),
            to_us(tick.evaluated_at),
            tick.outcome,
            tick.launch_id,
            tick.reason,
            tick.stands_for,
            orjson.dumps(tick.facts, default=str).decode(),
        ),
    )
    return bool(rows)


def settle_tick(transaction: Transaction, tick: TickRecord) -> None:
    """Say what became of a tick that was claimed."""
    transaction.execute(
        "update tick set evaluated_at = ?, outcome = ?, launch_id = ?, reason = ?, "
        "stands_for = ?, facts = ? where kind = ? and name = ? and scheduled_for = ?",
        (
            to_us(tick.evaluated_at),
            tick.outcome,
            tick.launch_id,
            tick.reason,
            tick.stands_for,
            orjson.dumps(tick.facts, default=str).decode(),
            tick.kind,
            tick.name,
            to_us(tick.scheduled_for),
        ),
    )


def ticks(
    transaction: Transaction, kind: TriggerKind, *, name: str = "", limit: int = 50
) -> list[TickRecord]:
    """Give the latest ticks, newest first."""
    named, values = _named(kind, name)
    rows = transaction.execute(
        f"select {_TICK} from tick where {named} order by scheduled_for desc limit ?",
        (*values, limit),
    )
    return [_tick(row) for row in rows]


def last_tick(transaction: Transaction, kind: TriggerKind, name: str) -> TickRecord | None:
    """Give the latest tick of one trigger."""
    return next(iter(ticks(transaction, kind, name=name, limit=1)), None)


def last_ticks(
    transaction: Transaction, kind: TriggerKind, names: Iterable[str]
) -> dict[str, TickRecord]:
    """Give the latest tick of each of many triggers, by name; one query for each 500."""
    wanted, found = list(dict.fromkeys(names)), {}
    for start in range(0, len(wanted), _AT_ONCE):
        some = wanted[start : start + _AT_ONCE]
        rows = transaction.execute(
            f"with wanted (label) as (values {', '.join('(?)' for _ in some)}) "
            f"select {_TICK} from wanted join tick on tick.kind = ? and tick.name = wanted.label "
            "where tick.scheduled_for = (select max(late.scheduled_for) from tick late "
            "where late.kind = ? and late.name = wanted.label)",
            (*some, kind, kind),
        )
        found.update({row[1]: _tick(row) for row in rows})
    return found


def prune_ticks(transaction: Transaction, *, before: datetime) -> None:
    """Forget ticks that were evaluated and due long ago."""
    transaction.execute(
        "delete from tick where evaluated_at < ? and scheduled_for < ?",
        (to_us(before), to_us(before)),
    )


def _named(kind: TriggerKind, name: str) -> tuple[str, tuple[str, ...]]:
    """Give a condition that the primary key serves."""
    return ("kind = ? and name = ?", (kind, name)) if name else ("kind = ?", (kind,))


def _state(row: tuple[Any, ...]) -> TriggerState:
    kind, name, timing, is_on, is_enabled, is_declared, since, until, next_at = row[:9]
    cursor, failures, note = row[9:]
    return TriggerState(
        kind=kind,
        name=name,
        timing=timing,
        is_on=None if is_on is None else bool(is_on),
        is_enabled=bool(is_enabled),
        is_declared=bool(is_declared),
        since=from_us(since),
        evaluated_until=from_us(until),
        next_at=None if next_at is None else from_us(next_at),
        cursor=cursor,
        failures=failures,
        note=note,
    )


def _tick(row: tuple[Any, ...]) -> TickRecord:
    kind, name, scheduled_for, evaluated_at, outcome, launch_id, reason, stands_for, facts = row
    return TickRecord(
        kind=kind,
        name=name,
        scheduled_for=from_us(scheduled_for),
        evaluated_at=from_us(evaluated_at),
        outcome=outcome,
        launch_id=launch_id,
        reason=reason,
        stands_for=stands_for,
        facts=orjson.loads(facts),
    )
