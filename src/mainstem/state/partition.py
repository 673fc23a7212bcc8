# SPDX-License-Identifier: Apache-2.0
"""Records of partitions: keys that were added, results within runs, failures, what may be linked.

What a table's partitions are and came from is in the lake, with the table. Here is what no commit
can hold: attempts that failed, and what was built on branches that nobody merged.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

import orjson

from mainstem.database import Migration, Transaction
from mainstem.state.times import from_us, to_us
from mainstem.types import AssetKey, dataclass

PARTITION_MIGRATIONS = (
    Migration(
        package="partition",
        number=1,
        statements=(
            """
            create table partition_key (
              name text not null, ordinal bigint not null, key text not null,
              added_at bigint not null, removed_at bigint, primary key (name, ordinal)
            )
            """,
            "create unique index partition_key_key on partition_key (name, key)",
            """
            create table partition_built (
              asset text not null, data_version text not null, partitions text not null,
              run_id bigint not null, branch text not null, commit_id text not null,
              created_at bigint not null, expires_at bigint,
              primary key (asset, data_version, partitions, run_id)
            )
            """,
            """
            create table partition_step (
              run_id bigint not null, asset text not null, partitions text not null,
              status text not null, reason text not null, row_count bigint,
              elapsed_us bigint not null, error text not null, started_at bigint,
              finished_at bigint, primary key (run_id, asset, partitions)
            )
            """,
            """
            create table partition_failure (
              branch text not null, asset text not null, partition_key text not null,
              status text not null, run_id bigint not null, reason text not null,
              failed_at bigint not null, primary key (branch, asset, partition_key)
            )
            """,
        ),
    ),
    Migration(
        package="partition",
        number=2,
        statements=(
            """
            create table partition_tombstone (
              branch text not null, asset text not null, data_version text not null,
              partitions text not null, commit_id text not null, created_at bigint not null,
              primary key (branch, asset, data_version, partitions)
            )
            """,
        ),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPartitions:
    """Partitions that one step staged together, and where they can be taken over from."""

    key: AssetKey
    version: str
    partitions: str
    """The set as text."""
    run_id: int
    branch: str
    """Target of the run."""
    commit_id: str
    created_at: datetime
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionStep:
    """How one step of a partitioned asset fared in a run."""

    key: AssetKey
    partitions: str
    status: str
    reason: str = ""
    row_count: int | None = None
    elapsed_s: float = 0.0
    error: Mapping[str, Any] | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionFailure:
    """The last attempt at a partition on a branch, which failed or was held."""

    partition: str
    status: str
    run_id: int
    reason: str
    failed_at: datetime


def add_built_partitions(transaction: Transaction, built: Iterable[StoredPartitions]) -> None:
    """Remember what was staged; what the run already remembered is left as it is."""
    transaction.executemany(
        "insert into partition_built (asset, data_version, partitions, run_id, branch, commit_id, "
        "created_at, expires_at) values (?, ?, ?, ?, ?, ?, ?, ?) "
        "on conflict (asset, data_version, partitions, run_id) do nothing",
        [
            (
                item.key.folded,
                item.version,
                item.partitions,
                item.run_id,
                item.branch,
                item.commit_id,
                to_us(item.created_at),
                None if item.expires_at is None else to_us(item.expires_at),
            )
            for item in built
        ],
    )


def built_partitions(
    transaction: Transaction, key: AssetKey, version: str, *, now: datetime
) -> list[StoredPartitions]:
    """Give the partitions of an asset that were built as a version and have not expired."""
    rows = transaction.execute(
        "select partitions, run_id, branch, commit_id, created_at, expires_at from partition_built "
        "where asset = ? and data_version = ? and (expires_at is null or expires_at > ?) "
        "order by run_id desc, partitions",
        (key.folded, version, to_us(now)),
    )
    return [
        StoredPartitions(
            key=key,
            version=version,
            partitions=row[0],
            run_id=row[1],
            branch=row[2],
            commit_id=row[3],
            created_at=from_us(row[4]),
            expires_at=None if row[5] is None else from_us(row[5]),
        )
        for row in rows
    ]


def publish_partitions(
    transaction: Transaction, run_id: int, steps: Iterable[tuple[AssetKey, str]], *, commit_id: str
) -> None:
    """Let partitions that were published be taken over from the target's history from now on."""
    transaction.executemany(
        "update partition_built set commit_id = ?, expires_at = null "
        "where run_id = ? and asset = ? and partitions = ?",
        [(commit_id, run_id, key.folded, partitions) for key, partitions in steps],
    )


def partition_commits(transaction: Transaction, *, now: datetime) -> frozenset[str]:
    """Give the commits that partitions may be taken over from: roots that sweeping must keep."""
    rows = transaction.execute(
        "select distinct commit_id from partition_built "
        "where expires_at is null or expires_at >= ?",
        (to_us(now),),
    )
    return frozenset(row[0] for row in rows)


def prune_partitions(transaction: Transaction, *, before: datetime, now: datetime) -> None:
    """Forget what nobody may take over any more, and the results of runs long past."""
    transaction.execute(
        "delete from partition_built where expires_at is not null and expires_at < ?",
        (to_us(now),),
    )
    transaction.execute(
        "delete from partition_step where finished_at is not null and finished_at < ?",
        (to_us(before),),
    )


def save_partition_steps(
    transaction: Transaction, run_id: int, steps: Iterable[PartitionStep]
) -> None:
    """Write how steps fare; a later record takes the place of the former."""
    transaction.executemany(
        "insert into partition_step (run_id, asset, partitions, status, reason, row_count, "
        "elapsed_us, error, started_at, finished_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "on conflict (run_id, asset, partitions) do update set status = excluded.status, "
        "reason = excluded.reason, row_count = excluded.row_count, "
        "elapsed_us = excluded.elapsed_us, error = excluded.error, "
        "started_at = excluded.started_at, finished_at = excluded.finished_at",
        [
            (
                run_id,
                step.key.folded,
                step.partitions,
                step.status,
                step.reason,
                step.row_count,
                round(step.elapsed_s * 1_000_000),
                orjson.dumps(step.error).decode() if step.error is not None else "",
                None if step.started_at is None else to_us(step.started_at),
                None if step.finished_at is None else to_us(step.finished_at),
            )
            for step in steps
        ],
    )


def partition_steps(transaction: Transaction, run_id: int, key: AssetKey) -> list[PartitionStep]:
    """Give how the partitions of an asset fared in a run."""
    rows = transaction.execute(
        "select partitions, status, reason, row_count, elapsed_us, error, started_at, finished_at "
        "from partition_step where run_id = ? and asset = ? order by partitions",
        (run_id, key.folded),
    )
    return [
        PartitionStep(
            key=key,
            partitions=row[0],
            status=row[1],
            reason=row[2],
            row_count=row[3],
            elapsed_s=row[4] / 1_000_000,
            error=orjson.loads(row[5]) if row[5] else None,
            started_at=None if row[6] is None else from_us(row[6]),
            finished_at=None if row[7] is None else from_us(row[7]),
        )
        for row in rows
    ]


def last_partition_step(
    transaction: Transaction, key: AssetKey, branch: str, is_in: Callable[[str], bool]
) -> tuple[int, PartitionStep] | None:
    """Give the last step on a branch that had to do with a partition, and its run.

    Args:
        transaction: To read from.
        key: Of the asset.
        branch: Target of the runs.
        is_in: Tells whether the partition is in a set, given as text.
    """
    rows = transaction.execute(
        "select s.run_id, s.partitions from partition_step s join run r on r.id = s.run_id "
        "where s.asset = ? and r.branch = ? order by s.run_id desc",
        (key.folded, branch),
    )
    for run_id, text in rows:
        if is_in(text):
            found = partition_steps(transaction, run_id, key)
            return run_id, next(step for step in found if step.partitions == text)
    return None


def running_partitions(transaction: Transaction, key: AssetKey, *, branch: str) -> list[str]:
    """Give the partitions, as text, that live runs on a branch are building."""
    rows = transaction.execute(
        "select s.partitions from partition_step s join run r on r.id = s.run_id "
        "where s.asset = ? and r.branch = ? and r.status = 'running' "
        "and s.status in ('running', 'staged')",
        (key.folded, branch),
    )
    return [row[0] for row in rows]


def note_failures(
    transaction: Transaction, key: AssetKey, failures: Iterable[PartitionFailure], *, branch: str
) -> None:
    """Remember partitions whose attempt failed."""
    transaction.executemany(
        "insert into partition_failure (branch, asset, partition_key, status, run_id, reason, "
        "failed_at) values (?, ?, ?, ?, ?, ?, ?) "
        "on conflict (branch, asset, partition_key) do update set status = excluded.status, "
        "run_id = excluded.run_id, reason = excluded.reason, failed_at = excluded.failed_at",
        [
            (
                branch,
                key.folded,
                item.partition,
                item.status,
                item.run_id,
                item.reason,
                to_us(item.failed_at),
            )
            for item in failures
        ],
    )


def forget_failures(
    transaction: Transaction, key: AssetKey, partitions: Iterable[str], *, branch: str
) -> None:
    """Forget the failures of partitions that came through, or are gone."""
    transaction.executemany(
        "delete from partition_failure where branch = ? and asset = ? and partition_key = ?",
        [(branch, key.folded, name) for name in partitions],
    )


def partition_failures(
    transaction: Transaction, key: AssetKey, *, branch: str
) -> list[PartitionFailure]:
    """Give the partitions of an asset whose last attempt on a branch failed."""
    rows = transaction.execute(
        "select partition_key, status, run_id, reason, failed_at from partition_failure "
        "where branch = ? and asset = ? order by partition_key",
        (branch, key.folded),
    )
    return [
        PartitionFailure(
            partition=row[0], status=row[1], run_id=row[2], reason=row[3], failed_at=from_us(row[4])
        )
        for row in rows
    ]


def add_partition_keys(
    transaction: Transaction, name: str, keys: Iterable[str], *, now: datetime
) -> list[str]:
    """Add keys to a list of dynamic partitions; gives those that were not in it.

    A key that was removed comes back under its old ordinal.
    """
    known = {
        row[0]: row[1]
        for row in transaction.execute(
            "select key, removed_at from partition_key where name = ?", (name,)
        )
    }
    rows = transaction.execute("select max(ordinal) from partition_key where name = ?", (name,))
    following = -1 if rows[0][0] is None else int(rows[0][0])
    added = []
    for key in dict.fromkeys(keys):
        if key in known and known[key] is None:
            continue
        added.append(key)
        if key in known:
            transaction.execute(
                "update partition_key set removed_at = null where name = ? and key = ?", (name, key)
            )
            continue
        following += 1
        transaction.execute(
            "insert into partition_key (name, ordinal, key, added_at) values (?, ?, ?, ?)",
            (name, following, key, to_us(now)),
        )
    return added


def remove_partition_keys(
    transaction: Transaction, name: str, keys: Collection[str], *, now: datetime
) -> int:
    """Remove keys from a list of dynamic partitions; gives how many were in it."""
    there = dynamic_keys(transaction)
    known = {key for _ordinal, key in there.get(name, ())}
    gone = [key for key in dict.fromkeys(keys) if key in known]
    transaction.executemany(
        "update partition_key set removed_at = ? where name = ? and key = ?",
        [(to_us(now), name, key) for key in gone],
    )
    return len(gone)


def dynamic_keys(transaction: Transaction) -> dict[str, tuple[tuple[int, str], ...]]:
    """Give the keys of all lists of dynamic partitions, with their ordinals and by them."""
    found: dict[str, list[tuple[int, str]]] = {}
    for name, ordinal, key in transaction.execute(
        "select name, ordinal, key from partition_key where removed_at is null "
        "order by name, ordinal"
    ):
        found.setdefault(name, []).append((int(ordinal), key))
    return {name: tuple(keys) for name, keys in found.items()}
