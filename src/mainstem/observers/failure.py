# SPDX-License-Identifier: Apache-2.0
"""The memory of failures: each one once, however often it came; when, between which commits.

Functions over an open transaction: they are called in the one that ends a run.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from mainstem.database import Migration, Transaction
from mainstem.types import AssetKey, dataclass

FAILURE_MIGRATIONS = (
    Migration(
        package="failure",
        number=1,
        statements=(
            """
            create table failure (
              fingerprint text not null, asset text not null, branch text not null,
              asset_key text not null, kind text not null, code text not null,
              title text not null, message text not null, runs bigint not null,
              first_at bigint not null, last_at bigint not null,
              first_run bigint not null, last_run bigint not null,
              good_run bigint, good_git text not null,
              fixed_run bigint, fixed_git text not null, fixed_at bigint,
              primary key (fingerprint, asset, branch)
            )
            """,
            "create index failure_branch on failure (branch, fixed_at)",
        ),
    ),
)

_COLUMNS = (
    "fingerprint, asset_key, branch, kind, code, title, message, runs, first_at, last_at, "
    "first_run, last_run, good_run, good_git, fixed_run, fixed_git, fixed_at"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MESSAGE_LIMIT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One way in which one asset failed on one branch."""

    fingerprint: str
    asset: AssetKey
    branch: str
    kind: str
    """`failed`, or `held` by checks."""
    code: str
    title: str
    message: str
    """As it was the last time; at most 500 characters."""
    runs: int
    first_at: datetime
    last_at: datetime
    first_run: int
    last_run: int
    good_run: int | None = None
    """The last run before in which the asset came out well,"""
    good_git: str = ""
    """and the git commit of that run: the fault came behind it."""
    fixed_run: int | None = None
    """The first run after the last failure in which it came out well,"""
    fixed_git: str = ""
    """and its git commit: the fault was gone by then."""
    fixed_at: datetime | None = None


def add_failure(transaction: Transaction, failure: Failure) -> Failure:
    """Count a failure; the first of its kind is written, a later one brings it up to date.

    Returns:
        The failure with all that is known of it by now. One that had been fixed is open again.
    """
    us = _us(failure.last_at)
    transaction.execute(
        f"insert into failure (asset, {_COLUMNS}) "
        "values (?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, null, '', null) "
        "on conflict (fingerprint, asset, branch) do update set runs = failure.runs + 1, "
        "message = excluded.message, title = excluded.title, last_at = excluded.last_at, "
        "last_run = excluded.last_run, good_run = excluded.good_run, "
        "good_git = excluded.good_git, fixed_run = null, fixed_git = '', fixed_at = null",
        (
            failure.asset.folded,
            failure.fingerprint,
            str(failure.asset),
            failure.branch,
            failure.kind,
            failure.code,
            failure.title,
            failure.message[:_MESSAGE_LIMIT],
            us,
            us,
            failure.last_run,
            failure.last_run,
            failure.good_run,
            failure.good_git,
        ),
    )
    rows = transaction.execute(
        f"select {_COLUMNS} from failure where fingerprint = ? and asset = ? and branch = ?",
        (failure.fingerprint, failure.asset.folded, failure.branch),
    )
    return _failure(rows[0])


def fix_failures(
    transaction: Transaction,
    branch: str,
    assets: Iterable[AssetKey],
    *,
    run_id: int,
    git: str,
    at: datetime,
) -> list[Failure]:
    """Close the open failures of assets that came out well; gives them as they were."""
    well = {key.folded for key in assets}
    rows = transaction.execute(
        f"select {_COLUMNS} from failure where branch = ? and fixed_at is null", (branch,)
    )
    found = [failure for failure in map(_failure, rows) if failure.asset.folded in well]
    transaction.executemany(
        "update failure set fixed_run = ?, fixed_git = ?, fixed_at = ? "
        "where fingerprint = ? and asset = ? and branch = ?",
        [(run_id, git, _us(at), one.fingerprint, one.asset.folded, branch) for one in found],
    )
    return found


def failures(
    transaction: Transaction, *, branch: str = "", is_open: bool = False, limit: int = 100
) -> list[Failure]:
    """List failures, the latest first.

    Args:
        transaction: To read from.
        branch: Of this target branch only.
        is_open: Only those that still stand.
        limit: At most.
    """
    rows = transaction.execute(
        f"select {_COLUMNS} from failure where ? in ('', branch) "
        "and (? = 0 or fixed_at is null) order by last_at desc, fingerprint, asset limit ?",
        (branch, int(is_open), limit),
    )
    return [_failure(row) for row in rows]


def forget_failures(transaction: Transaction, *, before: datetime) -> int:
    """Forget failures that were last seen long ago; gives their number."""
    rows = transaction.execute(
        "delete from failure where last_at < ? returning fingerprint", (_us(before),)
    )
    return len(rows)


def _failure(row: tuple[Any, ...]) -> Failure:
    mark, asset, branch, kind, code, title, message, runs, first_at, last_at = row[:10]
    first_run, last_run, good_run, good_git, fixed_run, fixed_git, fixed_at = row[10:]
    return Failure(
        fingerprint=mark,
        asset=AssetKey.parse(asset),
        branch=branch,
        kind=kind,
        code=code,
        title=title,
        message=message,
        runs=runs,
        first_at=_when(first_at),
        last_at=_when(last_at),
        first_run=first_run,
        last_run=last_run,
        good_run=good_run,
        good_git=good_git,
        fixed_run=fixed_run,
        fixed_git=fixed_git,
        fixed_at=None if fixed_at is None else _when(fixed_at),
    )


def _us(when: datetime) -> int:
    return (when - _EPOCH) // timedelta(microseconds=1)


def _when(value: int) -> datetime:
    return _EPOCH + timedelta(microseconds=value)
