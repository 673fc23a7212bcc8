# SPDX-License-Identifier: Apache-2.0
"""Results of checks: every one is kept with the run that evaluated it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import orjson

from mainstem.database import Transaction
from mainstem.state.times import to_us
from mainstem.types import AssetKey, CheckResult

CHECK_COLUMNS = (
    "asset, check_id, verdict, severity, message, row_count, failed_count, sample, elapsed_us"
)


def add_check_results(
    transaction: Transaction, run_id: int, results: Iterable[CheckResult], *, at: datetime
) -> None:
    """Keep results; run 0 stands for `mainstem check`, which keeps the latest of each."""
    transaction.executemany(
        f"insert into check_result (run_id, evaluated_at, {CHECK_COLUMNS}) "
        "values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "on conflict (run_id, asset, check_id) do update set verdict = excluded.verdict, "
        "severity = excluded.severity, message = excluded.message, "
        "row_count = excluded.row_count, failed_count = excluded.failed_count, "
        "sample = excluded.sample, elapsed_us = excluded.elapsed_us, "
        "evaluated_at = excluded.evaluated_at",
        [
            (
                run_id,
                to_us(at),
                str(result.asset),
                result.check_id,
                result.verdict,
                result.severity,
                result.message,
                result.row_count,
                result.failed_count,
                orjson.dumps(result.sample, default=str).decode(),
                int(result.elapsed_s * 1_000_000),
            )
            for result in results
        ],
    )


def check_results(transaction: Transaction, run_id: int) -> list[CheckResult]:
    """Give what a run's checks found."""
    rows = transaction.execute(
        f"select {CHECK_COLUMNS} from check_result where run_id = ? order by asset, check_id",
        (run_id,),
    )
    return [check_result(row) for row in rows]


def last_verdicts(transaction: Transaction) -> list[CheckResult]:
    """Give the latest result of every check there ever was."""
    rows = transaction.execute(
        f"select {CHECK_COLUMNS} from check_result c where evaluated_at = ("
        "select max(evaluated_at) from check_result d "
        "where d.asset = c.asset and d.check_id = c.check_id) order by asset, check_id"
    )
    return [check_result(row) for row in rows]


def check_result(row: tuple[Any, ...]) -> CheckResult:
    """Make a result of a row of `CHECK_COLUMNS`."""
    asset, check_id, verdict, severity, message, row_count, failed, sample, elapsed_us = row
    return CheckResult(
        check_id=check_id,
        asset=AssetKey.parse(asset),
        verdict=verdict,
        severity=severity,
        message=message,
        row_count=row_count,
        failed_count=failed,
        sample=tuple(orjson.loads(sample)),
        elapsed_s=elapsed_us / 1_000_000,
    )
