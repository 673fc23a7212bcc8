# SPDX-License-Identifier: Apache-2.0
"""Runs and their steps: one row each, replaced as they move on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime
from typing import Any

import orjson

from mainstem.database import Transaction
from mainstem.state.process import ProcessIdentity
from mainstem.state.times import from_us, to_us
from mainstem.types import AssetKey, Usage, dataclass

_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """A run as stored; `status` is `running`, `crashed` or one of `runs.RunStatus`."""

    id: int
    branch: str
    environment: str
    status: str
    base_commit: str
    process: ProcessIdentity
    started_at: datetime
    logical_time: datetime
    finished_at: datetime | None = None
    commit_id: str = ""
    run_branch: str = ""
    git: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """What came of one asset in a run."""

    key: AssetKey
    position: int
    action: str
    status: str
    """`running` while an attempt goes on; then as `runs.StepStatus`."""
    reason: str = ""
    attempts: int = 0
    row_count: int | None = None
    row_count_before: int | None = None
    is_increment: bool = False
    data_version: str = ""
    fingerprint: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    elapsed_s: float = 0.0
    size_bytes: int | None = None
    """Of the data files that were written."""
    usage: Usage | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    error: Mapping[str, Any] | None = None
    """`MainstemError.to_json()`."""


RUN_COLUMNS = (
    "id, branch, environment, status, base_commit, owner, host, boot_id, pid, process_started, "
    "started_at, logical_time, finished_at, commit_id, run_branch, git, options, error"
)
STEP_COLUMNS = (
    "asset_key, position, action, status, reason, attempts, row_count, row_count_before, "
    "is_increment, data_version, fingerprint, started_at, finished_at, elapsed_us, size_bytes, "
    "cpu_us, peak_memory, measured, notes, warnings, error"
)


def insert_run(
    transaction: Transaction,
    *,
    branch: str,
    environment: str,
    base_commit: str,
    process: ProcessIdentity,
    started_at: datetime,
    git: str = "",
    options: Mapping[str, Any] | None = None,
) -> RunRecord:
    """Begin a run and give it the next id."""
    run_id: int = transaction.execute("select coalesce(max(id), 0) + 1 from run")[0][0]
    now = to_us(started_at)
    transaction.execute(
        "insert into run (id, branch, environment, status, base_commit, git, started_at, "
        "logical_time, owner, host, boot_id, pid, process_started, options) "
        "values (?, ?, ?, 'running', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            run_id,
            branch,
            environment,
            base_commit,
            git,
            now,
            now,
            process.owner,
            process.host,
            process.boot_id,
            process.pid,
            process.process_started,
            orjson.dumps(options or {}, default=str).decode(),
        ),
    )
    return RunRecord(
        id=run_id,
        branch=branch,
        environment=environment,
        status="running",
        base_commit=base_commit,
        process=process,
        started_at=started_at,
        logical_time=started_at,
        git=git,
        options=options or {},
    )


def set_logical_time(transaction: Transaction, run: RunRecord, at: datetime) -> RunRecord:
    """Say what `now()` is for a run that just began."""
    transaction.execute("update run set logical_time = ? where id = ?", (to_us(at), run.id))
    return replace(run, logical_time=at)


def finish_run(
    transaction: Transaction,
    run_id: int,
    *,
    status: str,
    at: datetime,
    commit_id: str = "",
    run_branch: str = "",
    error: str = "",
) -> None:
    """Write how a run ended, unless somebody who took over already did; frees no leases."""
    transaction.execute(
        "update run set status = ?, finished_at = ?, commit_id = ?, run_branch = ?, error = ? "
        "where id = ? and status = 'running'",
        (status, to_us(at), commit_id, run_branch, error, run_id),
    )


def run_of(transaction: Transaction, run_id: int) -> RunRecord | None:
    """Give one run."""
    rows = transaction.execute(f"select {RUN_COLUMNS} from run where id = ?", (run_id,))
    return run_record(rows[0]) if rows else None


def runs(transaction: Transaction, *, limit: int = 50, branch: str = "") -> list[RunRecord]:
    """Give the latest runs, newest first; of one target branch if it is named."""
    rows = transaction.execute(
        f"select {RUN_COLUMNS} from run where ? in ('', branch) order by id desc limit ?",
        (branch, limit),
    )
    return [run_record(row) for row in rows]


def unfinished_runs(transaction: Transaction) -> list[RunRecord]:
    """Give the runs that are going on, or whose process died."""
    rows = transaction.execute(
        f"select {RUN_COLUMNS} from run where status = 'running' order by id"
    )
    return [run_record(row) for row in rows]


def publishing_runs(
    transaction: Transaction, commit_ids: Sequence[str]
) -> dict[str, tuple[int, datetime]]:
    """Give, for commits that runs published, the run and when it ended."""
    marks = ", ".join("?" for _ in commit_ids)
    rows = transaction.execute(
        "select commit_id, id, finished_at from run "
        f"where commit_id in ({marks}) and finished_at is not null",
        tuple(commit_ids),
    )
    return {commit_id: (run_id, from_us(at)) for commit_id, run_id, at in rows}


def save_steps(transaction: Transaction, run_id: int, records: Iterable[StepRecord]) -> None:
    """Insert or replace the rows of steps."""
    transaction.executemany(
        f"insert into step (run_id, asset, {STEP_COLUMNS}) "
        "values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "on conflict (run_id, asset) do update set action = excluded.action, "
        "status = excluded.status, reason = excluded.reason, attempts = excluded.attempts, "
        "row_count = excluded.row_count, row_count_before = excluded.row_count_before, "
        "is_increment = excluded.is_increment, data_version = excluded.data_version, "
        "fingerprint = excluded.fingerprint, started_at = excluded.started_at, "
        "finished_at = excluded.finished_at, elapsed_us = excluded.elapsed_us, "
        "size_bytes = excluded.size_bytes, cpu_us = excluded.cpu_us, "
        "peak_memory = excluded.peak_memory, measured = excluded.measured, "
        "notes = excluded.notes, warnings = excluded.warnings, error = excluded.error",
        [_step_row(run_id, record) for record in records],
    )


def steps(transaction: Transaction, run_id: int) -> list[StepRecord]:
    """Give the steps of a run in the order of its plan."""
    rows = transaction.execute(
        f"select {STEP_COLUMNS} from step where run_id = ? order by position", (run_id,)
    )
    return [step_record(row) for row in rows]


def last_costs(
    transaction: Transaction, keys: Sequence[AssetKey]
) -> dict[AssetKey, tuple[int | None, float]]:
    """Give rows and seconds of the latest step that built or read each asset: for estimates."""
    by_name = {key.folded: key for key in keys}
    names = list(by_name)
    found: dict[AssetKey, tuple[int | None, float]] = {}
    for at in range(0, len(names), _AT_ONCE):
        some = names[at : at + _AT_ONCE]
        # One look-up in the index for each asset, however long its history.
        rows = transaction.execute(
            f"with wanted (asset) as (values {', '.join('(?)' for _ in some)}) "
            "select step.asset, step.row_count, step.elapsed_us "
            "from wanted join step on step.asset = wanted.asset and step.run_id = ("
            "select run_id from step as built where built.asset = wanted.asset "
            "and built.status in ('built', 'read') order by built.run_id desc limit 1)",
            some,
        )
        found.update((by_name[name], (count, us / 1_000_000)) for name, count, us in rows)
    return found


def last_built_at(transaction: Transaction, key: AssetKey, *, branch: str) -> datetime | None:
    """Tell when a run last built an asset for a branch."""
    rows = transaction.execute(
        "select max(step.finished_at) from step join run on run.id = step.run_id "
        "where step.asset = ? and step.status = 'built' and run.branch = ?",
        (key.folded, branch),
    )
    return None if rows[0][0] is None else from_us(rows[0][0])


def prune_history(transaction: Transaction, *, before: datetime) -> None:
    """Forget steps, results, plans and lines of runs that ended long ago; the runs stay listed."""
    rows = transaction.execute("select max(id) from run where finished_at < ?", (to_us(before),))
    last = rows[0][0]
    if last is not None:
        for table in ("step", "check_result", "plan", "event"):
            # Run 0 stands for checks outside of runs, which keep only the latest of each.
            transaction.execute(f"delete from {table} where run_id between 1 and ?", (last,))


def add_event(
    transaction: Transaction, run_id: int, kind: str, text: str, *, at: datetime, asset: str = ""
) -> None:
    """Keep a line in a run's history: a retry, a crash, a publish."""
    transaction.execute(
        "insert into event (run_id, number, at, kind, asset, text) select ?, "
        "coalesce(max(number), 0) + 1, ?, ?, ?, ? from event where run_id = ?",
        (run_id, to_us(at), kind, asset, text, run_id),
    )


def events(transaction: Transaction, run_id: int) -> list[tuple[datetime, str, str, str]]:
    """Give time, kind, asset and text of a run's history."""
    rows = transaction.execute(
        "select at, kind, asset, text from event where run_id = ? order by number", (run_id,)
    )
    return [(from_us(at), kind, asset, text) for at, kind, asset, text in rows]


def run_record(row: tuple[Any, ...]) -> RunRecord:
    """Make a run of a row of `RUN_COLUMNS`."""
    (run_id, branch, environment, status, base, owner, host, boot_id, pid, process_started) = row[
        :10
    ]
    started_at, logical_time, finished_at, commit_id, run_branch, git, options, error = row[10:]
    return RunRecord(
        id=run_id,
        branch=branch,
        environment=environment,
        status=status,
        base_commit=base,
        process=ProcessIdentity(
            owner=owner, host=host, boot_id=boot_id, pid=pid, process_started=process_started
        ),
        started_at=from_us(started_at),
        logical_time=from_us(logical_time),
        finished_at=None if finished_at is None else from_us(finished_at),
        commit_id=commit_id,
        run_branch=run_branch,
        git=git,
        options=orjson.loads(options),
        error=error,
    )


def _step_row(run_id: int, record: StepRecord) -> tuple[Any, ...]:
    return (
        run_id,
        record.key.folded,
        str(record.key),
        record.position,
        record.action,
        record.status,
        record.reason,
        record.attempts,
        record.row_count,
        record.row_count_before,
        int(record.is_increment),
        record.data_version,
        record.fingerprint,
        None if record.started_at is None else to_us(record.started_at),
        None if record.finished_at is None else to_us(record.finished_at),
        int(record.elapsed_s * 1_000_000),
        record.size_bytes,
        None if record.usage is None else int(record.usage.cpu_s * 1_000_000),
        None if record.usage is None else record.usage.peak_memory,
        "" if record.usage is None else record.usage.measured,
        orjson.dumps(record.notes).decode(),
        orjson.dumps(record.warnings).decode(),
        "" if record.error is None else orjson.dumps(record.error, default=str).decode(),
    )


def step_record(row: tuple[Any, ...]) -> StepRecord:
    """Make a step of a row of `STEP_COLUMNS`."""
    key, position, action, status, reason, attempts, row_count, before, is_increment = row[:9]
    version, mark, started_at, finished_at, elapsed_us, size, cpu_us, peak, measured = row[9:18]
    notes, warnings, error = row[18:]
    return StepRecord(
        key=AssetKey.parse(key),
        position=position,
        action=action,
        status=status,
        reason=reason,
        attempts=attempts,
        row_count=row_count,
        row_count_before=before,
        is_increment=bool(is_increment),
        data_version=version,
        fingerprint=mark,
        started_at=None if started_at is None else from_us(started_at),
        finished_at=None if finished_at is None else from_us(finished_at),
        elapsed_s=elapsed_us / 1_000_000,
        size_bytes=size,
        usage=Usage(cpu_s=cpu_us / 1_000_000, peak_memory=peak, measured=measured)
        if measured
        else None,
        notes=tuple(orjson.loads(notes)),
        warnings=tuple(orjson.loads(warnings)),
        error=orjson.loads(error) if error else None,
    )
