# SPDX-License-Identifier: Apache-2.0
"""Records for screens: pages, and the latest of each, for many at once in one query."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from mainstem.database import Migration, Transaction
from mainstem.state.results import CHECK_COLUMNS, check_result
from mainstem.state.run import RUN_COLUMNS, STEP_COLUMNS, RunRecord, StepRecord, run_record
from mainstem.state.run import step_record as _step
from mainstem.state.times import from_us
from mainstem.types import AssetKey, CheckResult

LISTING_MIGRATIONS = (
    Migration(
        package="listing",
        number=1,
        statements=(
            "create index check_result_latest on check_result (asset, check_id, evaluated_at)",
        ),
    ),
)
_AT_ONCE = 500
_BEST_FIRST = ("proven", "passed", "warned", "failed", "errored")
_STEP = ", ".join(f"step.{name}" for name in STEP_COLUMNS.split(", "))

T = TypeVar("T")


def runs_page(
    transaction: Transaction,
    *,
    limit: int,
    before: int | None = None,
    statuses: Collection[str] = (),
    branch: str = "",
    environment: str = "",
) -> list[RunRecord]:
    """Give runs, newest first, from below an id on."""
    marks = f"and status in ({_marks(statuses)}) " if statuses else ""
    rows = transaction.execute(
        f"select {RUN_COLUMNS} from run where id < ? {marks}"
        "and ? in ('', branch) and ? in ('', environment) order by id desc limit ?",
        (2**62 if before is None else before, *statuses, branch, environment, limit),
    )
    return [run_record(row) for row in rows]


def steps_of_runs(transaction: Transaction, run_ids: Sequence[int]) -> dict[int, list[StepRecord]]:
    """Give the steps of several runs, each in the order of its plan."""
    found: dict[int, list[StepRecord]] = {run_id: [] for run_id in run_ids}
    for some in _chunks(run_ids):
        rows = transaction.execute(
            f"select run_id, {STEP_COLUMNS} from step where run_id in ({_marks(some)}) "
            "order by run_id, position",
            tuple(some),
        )
        for run_id, *row in rows:
            found[run_id].append(_step(tuple(row)))
    return found


def checks_of_runs(
    transaction: Transaction, run_ids: Sequence[int]
) -> dict[int, list[CheckResult]]:
    """Give what the checks of several runs found."""
    found: dict[int, list[CheckResult]] = {run_id: [] for run_id in run_ids}
    for some in _chunks(run_ids):
        rows = transaction.execute(
            f"select run_id, {CHECK_COLUMNS} from check_result where run_id in ({_marks(some)}) "
            "order by run_id, asset, check_id",
            tuple(some),
        )
        for run_id, *row in rows:
            found[run_id].append(check_result(tuple(row)))
    return found


def latest_steps(
    transaction: Transaction, keys: Iterable[AssetKey]
) -> dict[AssetKey, tuple[int, StepRecord]]:
    """Give the run and the step that last had to do with each asset."""
    found: dict[AssetKey, tuple[int, StepRecord]] = {}
    by_folded = {key.folded: key for key in keys}
    for some in _chunks(list(by_folded)):
        rows = transaction.execute(
            f"with wanted(asset) as (values {', '.join('(?)' for _ in some)}) "
            f"select wanted.asset, step.run_id, {_STEP} from wanted join step "
            "on step.asset = wanted.asset and step.run_id = "
            "(select max(other.run_id) from step as other where other.asset = wanted.asset)",
            tuple(some),
        )
        for folded, run_id, *row in rows:
            found[by_folded[folded]] = (run_id, _step(tuple(row)))
    return found


def steps_of_asset(
    transaction: Transaction, key: AssetKey, *, limit: int
) -> list[tuple[int, StepRecord]]:
    """Give the last steps of one asset with their runs, newest first."""
    rows = transaction.execute(
        f"select run_id, {STEP_COLUMNS} from step where asset = ? order by run_id desc limit ?",
        (key.folded, limit),
    )
    return [(run_id, _step(tuple(row))) for run_id, *row in rows]


def latest_checks(
    transaction: Transaction, keys: Iterable[AssetKey]
) -> dict[AssetKey, list[tuple[datetime, int, CheckResult]]]:
    """Give the last result of each check of some assets: when, in which run, and what.

    Of a check that judged partitions one by one it is the worst of the last run that had any.
    """
    found: dict[AssetKey, list[tuple[datetime, int, CheckResult]]] = {}
    columns = ", ".join(f"r.{name}" for name in CHECK_COLUMNS.split(", "))
    for some in _chunks([str(key) for key in keys]):
        rows = transaction.execute(
            f"select r.evaluated_at, r.run_id, {columns} from check_result as r join ("
            "select asset, check_id, max(evaluated_at) as last from check_result "
            f"where asset in ({_marks(some)}) group by asset, check_id) as l "
            "on r.asset = l.asset and r.check_id = l.check_id and r.evaluated_at = l.last "
            "order by r.asset, r.check_id, r.run_id",
            tuple(some),
        )
        latest = {(row[2], row[3]): row for row in rows}
        for at, run_id, *row in latest.values():
            result = check_result(tuple(row))
            found.setdefault(result.asset, []).append((from_us(at), run_id, result))
    return {key: _of_whole_checks(results) for key, results in found.items()}


def _of_whole_checks(
    results: Iterable[tuple[datetime, int, CheckResult]],
) -> list[tuple[datetime, int, CheckResult]]:
    by_check: dict[str, list[tuple[datetime, int, CheckResult]]] = {}
    for at, run_id, result in results:
        whole = replace(result, check_id=_whole_check(result))
        by_check.setdefault(whole.check_id, []).append((at, run_id, whole))
    found = []
    for parts in by_check.values():
        _at, last, _result = max(parts, key=lambda part: part[0])
        of_last = (part for part in parts if part[1] == last)
        found.append(max(of_last, key=lambda part: _BEST_FIRST.index(part[2].verdict)))
    return found


def _whole_check(result: CheckResult) -> str:
    """Give the id of a check without the partitions that it judged (`runs.book`)."""
    whole, _, rest = result.check_id.rpartition(" [")
    is_of_partitions = rest.endswith("]") and f"{result.message}:".startswith(f"{rest[:-1]}:")
    return whole if is_of_partitions else result.check_id


def _marks(values: Collection[Any]) -> str:
    return ", ".join("?" for _ in values)


def _chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), _AT_ONCE):
        yield values[start : start + _AT_ONCE]
