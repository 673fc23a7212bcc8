# SPDX-License-Identifier: Apache-2.0
"""Backfills as stored: what is wanted, what is done, what flies; sets of partitions are texts.

A launch of a backfill and its row here are written in one transaction, and so are its end and what
came of it: a server may die at any moment, and the next one goes on from what is here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import Any, Literal

import orjson

from mainstem.database import Migration, Transaction
from mainstem.state.times import from_us, to_us
from mainstem.types import AssetKey, dataclass

BackfillStatus = Literal["running", "paused", "succeeded", "failed", "cancelled"]

BACKFILL_MIGRATIONS = (
    Migration(
        package="backfill",
        number=1,
        statements=(
            """
            create table backfill (
              id bigint primary key, status text not null, environment text not null,
              branch text not null, request text not null, parallel integer not null,
              chunk integer not null, priority integer not null, order_by text not null,
              asked_by text not null, created_at bigint not null, finished_at bigint,
              note text not null default ''
            )
            """,
            "create index backfill_status on backfill (status)",
            """
            create table backfill_asset (
              backfill_id bigint not null, asset text not null, asset_key text not null,
              position integer not null, target text not null, done text not null default '',
              failed text not null default '', measured_us bigint not null default 0,
              measured_count bigint not null default 0, primary key (backfill_id, asset)
            )
            """,
            """
            create table backfill_launch (
              backfill_id bigint not null, launch_id bigint not null, asset text not null,
              partitions text not null, primary key (backfill_id, launch_id)
            )
            """,
        ),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfill:
    """A plan to build partitions, and how it may go about it."""

    id: int
    status: BackfillStatus
    created_at: datetime
    environment: str = ""
    """Empty: the project's default."""
    branch: str = ""
    """Empty: the environment's."""
    request: Mapping[str, Any] = field(default_factory=dict)
    """As it was asked for, for people; `options` are those of its launches."""
    parallel: int = 2
    """Launches at once; 0 starts none."""
    chunk: int = 0
    """Partitions per launch; 0: by how long they take."""
    priority: int = 0
    order: Literal["oldest", "newest"] = "oldest"
    asked_by: str = ""
    finished_at: datetime | None = None
    note: str = ""
    """Why it cannot go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillAsset:
    """How far one asset of a backfill is; sets as text."""

    key: AssetKey
    position: int
    """In building order."""
    target: str
    done: str = ""
    failed: str = ""
    measured_s: float = 0.0
    measured_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillLaunch:
    """A launch of a backfill whose end was not noted yet."""

    launch_id: int
    asset: str
    """Folded key."""
    partitions: str


_BACKFILL = (
    "id, status, environment, branch, request, parallel, chunk, priority, order_by, asked_by, "
    "created_at, finished_at, note"
)


def add_backfill(
    transaction: Transaction, backfill: Backfill, assets: Iterable[BackfillAsset]
) -> Backfill:
    """Store a new backfill under the next id, whatever id it has."""
    last: int = transaction.execute("select coalesce(max(id), 0) from backfill")[0][0]
    transaction.execute(
        f"insert into backfill ({_BACKFILL}) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            last + 1,
            backfill.status,
            backfill.environment,
            backfill.branch,
            orjson.dumps(dict(backfill.request), default=str).decode(),
            backfill.parallel,
            backfill.chunk,
            backfill.priority,
            backfill.order,
            backfill.asked_by,
            to_us(backfill.created_at),
            None,
            backfill.note,
        ),
    )
    save_backfill_assets(transaction, last + 1, assets)
    stored = backfill_of(transaction, last + 1)
    assert stored is not None, "it was just written"
    return stored


def backfill_of(transaction: Transaction, backfill_id: int) -> Backfill | None:
    """Give one backfill."""
    rows = transaction.execute(f"select {_BACKFILL} from backfill where id = ?", (backfill_id,))
    return _backfill(rows[0]) if rows else None


def backfills(transaction: Transaction, *, limit: int = 50) -> list[Backfill]:
    """Give the latest backfills, newest first."""
    rows = transaction.execute(
        f"select {_BACKFILL} from backfill order by id desc limit ?", (limit,)
    )
    return [_backfill(row) for row in rows]


def open_backfills(transaction: Transaction) -> list[Backfill]:
    """Give those that go on, or whose launches have not all been noted; the oldest first."""
    rows = transaction.execute(
        f"select {_BACKFILL} from backfill where status = 'running' "
        "or id in (select backfill_id from backfill_launch) order by id"
    )
    return [_backfill(row) for row in rows]


def change_backfill(
    transaction: Transaction,
    backfill_id: int,
    *,
    parallel: int | None = None,
    chunk: int | None = None,
    priority: int | None = None,
    order: str | None = None,
) -> None:
    """Change how a backfill goes about its work; what is not named stays."""
    transaction.execute(
        "update backfill set parallel = coalesce(?, parallel), chunk = coalesce(?, chunk), "
        "priority = coalesce(?, priority), order_by = coalesce(?, order_by) where id = ?",
        (parallel, chunk, priority, order, backfill_id),
    )


def move_backfill(
    transaction: Transaction,
    backfill_id: int,
    status: BackfillStatus,
    *,
    now: datetime,
    note: str = "",
) -> None:
    """Give a backfill another status."""
    is_over = status in {"succeeded", "failed", "cancelled"}
    transaction.execute(
        "update backfill set status = ?, finished_at = ?, note = ? where id = ?",
        (status, to_us(now) if is_over else None, note, backfill_id),
    )


def backfill_assets(transaction: Transaction, backfill_id: int) -> list[BackfillAsset]:
    """Give the assets of a backfill in building order."""
    return assets_of_backfills(transaction, (backfill_id,)).get(backfill_id, [])


def assets_of_backfills(
    transaction: Transaction, ids: Sequence[int]
) -> dict[int, list[BackfillAsset]]:
    """Give the assets of many backfills, each in building order; in one query."""
    if not ids:
        return {}
    rows = transaction.execute(
        "select backfill_id, asset_key, position, target, done, failed, measured_us, "
        "measured_count from backfill_asset "
        f"where backfill_id in ({', '.join('?' for _ in ids)}) order by backfill_id, position",
        tuple(ids),
    )
    found: dict[int, list[BackfillAsset]] = {}
    for backfill_id, key, position, target, done, failed, measured_us, count in rows:
        found.setdefault(backfill_id, []).append(
            BackfillAsset(
                key=AssetKey.parse(key),
                position=position,
                target=target,
                done=done,
                failed=failed,
                measured_s=measured_us / 1_000_000,
                measured_count=count,
            )
        )
    return found


def save_backfill_assets(
    transaction: Transaction, backfill_id: int, assets: Iterable[BackfillAsset]
) -> None:
    """Insert or replace how far assets are."""
    transaction.executemany(
        "insert into backfill_asset (backfill_id, asset, asset_key, position, target, done, "
        "failed, measured_us, measured_count) values (?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "on conflict (backfill_id, asset) do update set target = excluded.target, "
        "done = excluded.done, failed = excluded.failed, measured_us = excluded.measured_us, "
        "measured_count = excluded.measured_count",
        [
            (
                backfill_id,
                one.key.folded,
                str(one.key),
                one.position,
                one.target,
                one.done,
                one.failed,
                round(one.measured_s * 1_000_000),
                one.measured_count,
            )
            for one in assets
        ],
    )


def add_backfill_launch(transaction: Transaction, backfill_id: int, launch: BackfillLaunch) -> None:
    """Note a launch, in the transaction that asks for it."""
    transaction.execute(
        "insert into backfill_launch (backfill_id, launch_id, asset, partitions) "
        "values (?, ?, ?, ?)",
        (backfill_id, launch.launch_id, launch.asset, launch.partitions),
    )


def backfill_launches(transaction: Transaction, backfill_id: int) -> list[BackfillLaunch]:
    """Give the launches of a backfill whose end was not noted yet."""
    return launches_of_backfills(transaction, (backfill_id,)).get(backfill_id, [])


def launches_of_backfills(
    transaction: Transaction, ids: Sequence[int]
) -> dict[int, list[BackfillLaunch]]:
    """Give the launches of many backfills whose end was not noted yet; in one query."""
    if not ids:
        return {}
    rows = transaction.execute(
        "select backfill_id, launch_id, asset, partitions from backfill_launch "
        f"where backfill_id in ({', '.join('?' for _ in ids)}) order by launch_id",
        tuple(ids),
    )
    found: dict[int, list[BackfillLaunch]] = {}
    for backfill_id, launch_id, asset, partitions in rows:
        found.setdefault(backfill_id, []).append(
            BackfillLaunch(launch_id=launch_id, asset=asset, partitions=partitions)
        )
    return found


def forget_backfill_launch(transaction: Transaction, backfill_id: int, launch_id: int) -> None:
    """Drop a launch, in the transaction that notes what came of it."""
    transaction.execute(
        "delete from backfill_launch where backfill_id = ? and launch_id = ?",
        (backfill_id, launch_id),
    )


def _backfill(row: tuple[Any, ...]) -> Backfill:
    backfill_id, status, environment, branch, request, parallel, chunk, priority = row[:8]
    order, asked_by, created_at, finished_at, note = row[8:]
    return Backfill(
        id=backfill_id,
        status=status,
        environment=environment,
        branch=branch,
        request=orjson.loads(request),
        parallel=parallel,
        chunk=chunk,
        priority=priority,
        order=order,
        asked_by=asked_by,
        created_at=from_us(created_at),
        finished_at=None if finished_at is None else from_us(finished_at),
        note=note,
    )
