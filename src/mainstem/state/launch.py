# SPDX-License-Identifier: Apache-2.0
"""The queue of launches: everything that wants a run puts a row here, and `service` executes it.

Here are asking, listing, cancelling. Who may start one is in `claim`, whose turn it is in `share`.
A launch with a run key exists once for ever, so that a tick, an event or a request that is seen
twice starts one run; one that was lost before it became a run may be asked for again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Any, Literal

import orjson

from mainstem.database import Migration, Transaction
from mainstem.state.process import ProcessIdentity
from mainstem.state.share import Share
from mainstem.state.times import from_us, to_us
from mainstem.types import dataclass

Origin = Literal["manual", "api", "schedule", "sensor", "condition", "webhook", "backfill", "retry"]
LaunchStatus = Literal["queued", "running", "succeeded", "held", "failed", "cancelled", "lost"]

LAUNCH_MIGRATIONS = (
    Migration(
        package="launch",
        number=1,
        statements=(
            """
            create table launch (
              id bigint primary key, origin text not null, source text not null,
              run_key text not null, share text not null, priority integer not null,
              job text not null, environment text not null, branch text not null,
              request text not null, not_before bigint not null, requested_at bigint not null,
              status text not null, run_id bigint, attempts integer not null default 0,
              owner text not null default '', host text not null default '',
              boot_id text not null default '', pid bigint not null default 0,
              process_started text not null default '', fence bigint not null default 0,
              expires_at bigint not null default 0, started_at bigint, finished_at bigint,
              cancel_requested integer not null default 0, error text not null default ''
            )
            """,
            """
            create unique index launch_key on launch (origin, source, run_key)
            where run_key <> ''
            """,
            "create index launch_order on launch (status, share, priority, id)",
            "create index launch_run on launch (run_id)",
            "create table launch_share (share text primary key, passed bigint not null)",
        ),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchRequest:
    """What is asked for; two that are equal mean the same run."""

    origin: Origin
    source: str = ""
    """Name of the job, sensor, condition or hook; id of the backfill; the user."""
    run_key: str = ""
    """With origin and source: at most one launch ever; empty: no such promise."""
    job: str = ""
    environment: str = ""
    """Empty: the project's default."""
    branch: str = ""
    """Empty: the environment's."""
    select: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    partitions: Mapping[str, str] = field(default_factory=dict)
    """Asset key to text of a partition set; `*` stands for all partitioned assets."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of plan and run: `full_refresh`, `rebuild`, `fresh`, `force`, `publish`, `retries`, ..."""
    priority: int = 0
    """Higher goes first, among fresh work or among backfills."""
    logical_time: datetime | None = None
    not_before: datetime | None = None
    cause: Mapping[str, Any] = field(default_factory=dict)
    """Facts for `why`: time of the tick, event, id of the hook's request, facts of a condition."""

    @property
    def share(self) -> Share:
        """Which side of fair sharing it counts for."""
        return "backfill" if self.origin == "backfill" else "fresh"


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """A launch as stored."""

    id: int
    request: LaunchRequest
    status: LaunchStatus
    requested_at: datetime
    run_id: int | None = None
    """The run that it became; the latest, if it was taken over."""
    attempts: int = 0
    """How often a server claimed it."""
    process: ProcessIdentity | None = None
    """The server that holds it, or held it last."""
    fence: int = 0
    expires_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    cancel_requested: bool = False
    error: str = ""


COLUMNS = (
    "id, origin, source, run_key, priority, job, environment, branch, request, not_before, "
    "requested_at, status, run_id, attempts, owner, host, boot_id, pid, process_started, fence, "
    "expires_at, started_at, finished_at, cancel_requested, error"
)


def enqueue(transaction: Transaction, request: LaunchRequest, *, now: datetime) -> int | None:
    """Ask for a run; part of the caller's transaction, with the tick or cursor that caused it.

    A key is free again when its launch is lost without a run: its servers died before one began,
    so nobody's code was ever reached. The row is the same, so that no two launches have one key.

    Returns:
        Id of the launch; nothing if one with this run key was asked for before.
    """
    last: int = transaction.execute("select coalesce(max(id), 0) from launch")[0][0]
    rows = transaction.execute(
        "insert into launch (id, origin, source, run_key, share, priority, job, environment, "
        "branch, request, not_before, requested_at, status) "
        "values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'queued') "
        "on conflict (origin, source, run_key) where run_key <> '' do update set "
        "status = 'queued', share = excluded.share, priority = excluded.priority, "
        "job = excluded.job, environment = excluded.environment, branch = excluded.branch, "
        "request = excluded.request, not_before = excluded.not_before, "
        "requested_at = excluded.requested_at, attempts = 0, fence = launch.fence + 1, "
        "started_at = null, finished_at = null, cancel_requested = 0, error = '' "
        "where launch.status = 'lost' and launch.run_id is null returning id",
        (
            last + 1,
            request.origin,
            request.source,
            request.run_key,
            request.share,
            request.priority,
            request.job,
            request.environment,
            request.branch,
            _document(request),
            0 if request.not_before is None else to_us(request.not_before),
            to_us(now),
        ),
    )
    return rows[0][0] if rows else None


def launch_of(transaction: Transaction, launch_id: int) -> Launch | None:
    """Give one launch."""
    rows = transaction.execute(f"select {COLUMNS} from launch where id = ?", (launch_id,))
    return stored_launch(rows[0]) if rows else None


def launch_of_key(
    transaction: Transaction, origin: Origin, source: str, run_key: str
) -> Launch | None:
    """Give the launch that has this run key: for callers who were told that it exists."""
    rows = transaction.execute(
        f"select {COLUMNS} from launch where origin = ? and source = ? and run_key = ? "
        "and run_key <> ''",
        (origin, source, run_key),
    )
    return stored_launch(rows[0]) if rows else None


def launch_of_run(transaction: Transaction, run_id: int) -> Launch | None:
    """Give the launch that became a run; nothing for runs of the command line."""
    rows = transaction.execute(f"select {COLUMNS} from launch where run_id = ?", (run_id,))
    return stored_launch(rows[0]) if rows else None


def launches(
    transaction: Transaction,
    *,
    status: LaunchStatus | Literal[""] = "",
    origin: Origin | Literal[""] = "",
    source: str | None = None,
    limit: int = 50,
) -> list[Launch]:
    """Give the latest launches, newest first; of one status, origin or source if named."""
    rows = transaction.execute(
        f"select {COLUMNS} from launch where ? in ('', status) and ? in ('', origin) "
        "and (? = 1 or source = ?) order by id desc limit ?",
        (status, origin, int(source is None), source or "", limit),
    )
    return [stored_launch(row) for row in rows]


def queue_depth(transaction: Transaction) -> dict[str, int]:
    """Count the launches that wait and that run."""
    rows = transaction.execute(
        "select status, count(*) from launch where status in ('queued', 'running') group by status"
    )
    return {"queued": 0, "running": 0, **dict(rows)}


def cancel_launch(transaction: Transaction, launch_id: int, *, now: datetime) -> Launch | None:
    """Take a launch out of the queue, or ask the server that executes it to stop.

    Returns:
        The launch as it is now: `cancelled`, or `running` with `cancel_requested`, or as it had
        ended before; nothing if there is none.
    """
    transaction.execute(
        "update launch set status = 'cancelled', finished_at = ?, cancel_requested = 1 "
        "where id = ? and status = 'queued'",
        (to_us(now), launch_id),
    )
    transaction.execute(
        "update launch set cancel_requested = 1 where id = ? and status = 'running'", (launch_id,)
    )
    return launch_of(transaction, launch_id)


def prune_launches(transaction: Transaction, *, before: datetime) -> None:
    """Forget launches that ended long ago; of those with a run key the key stays taken."""
    when = to_us(before)
    # The newest row stays, so that ids are never given again.
    transaction.execute(
        "delete from launch where finished_at < ? and run_key = '' "
        "and id < (select max(id) from launch)",
        (when,),
    )
    transaction.execute(
        "update launch set request = '{}', error = '' where finished_at < ? and request <> '{}'",
        (when,),
    )


def _document(request: LaunchRequest) -> str:
    plain = {
        "select": request.select,
        "exclude": request.exclude,
        "partitions": dict(request.partitions),
        "options": dict(request.options),
        "logical_time": None if request.logical_time is None else to_us(request.logical_time),
        "cause": dict(request.cause),
    }
    return orjson.dumps({name: value for name, value in plain.items() if value}).decode()


def stored_launch(row: tuple[Any, ...]) -> Launch:
    """Make a launch of a row of `COLUMNS`."""
    launch_id, origin, source, run_key, priority, job, environment, branch = row[:8]
    text, not_before, requested_at, status, run_id, attempts = row[8:14]
    owner, host, boot_id, pid, process_started, fence, expires_at = row[14:21]
    started_at, finished_at, cancel_requested, error = row[21:]
    document = orjson.loads(text)
    logical_time = document.get("logical_time")
    return Launch(
        id=launch_id,
        request=LaunchRequest(
            origin=origin,
            source=source,
            run_key=run_key,
            job=job,
            environment=environment,
            branch=branch,
            select=tuple(document.get("select", ())),
            exclude=tuple(document.get("exclude", ())),
            partitions=document.get("partitions", {}),
            options=document.get("options", {}),
            priority=priority,
            logical_time=None if logical_time is None else from_us(logical_time),
            not_before=from_us(not_before) if not_before else None,
            cause=document.get("cause", {}),
        ),
        status=status,
        requested_at=from_us(requested_at),
        run_id=run_id,
        attempts=attempts,
        process=None
        if not owner
        else ProcessIdentity(
            owner=owner, host=host, boot_id=boot_id, pid=pid, process_started=process_started
        ),
        fence=fence,
        expires_at=from_us(expires_at) if expires_at else None,
        started_at=None if started_at is None else from_us(started_at),
        finished_at=None if finished_at is None else from_us(finished_at),
        cancel_requested=bool(cancel_requested),
        error=error,
    )
