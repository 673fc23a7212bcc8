# SPDX-License-Identifier: Apache-2.0
"""Checks as they are declared, and what they found."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from functools import partial
from typing import Annotated

import strawberry
from strawberry import ID, argument, field

from mainstem.api.graphql.arguments import After, First, Select
from mainstem.api.graphql.context import Batch, Context, Info
from mainstem.api.graphql.paging import Connection, counted
from mainstem.api.graphql.scalars import Json, Long, long
from mainstem.state import latest_checks
from mainstem.types import AssetKey, CheckSpec
from mainstem.types import CheckResult as Result


@strawberry.enum(description="What follows from a failure.")
class Severity(Enum):
    """Of checks."""

    ERROR = "error"
    WARN = "warn"
    INFO = "info"


@strawberry.enum(description="What a check found.")
class Verdict(Enum):
    """Of results."""

    PASSED = "passed"
    WARNED = "warned"
    FAILED = "failed"
    ERRORED = "errored"
    PROVEN = "proven"


@strawberry.type(description="What one evaluation of a check found.")
class CheckResult:
    """A result."""

    check: ID = field(description="Id of the check: `staging.orders/not_null(id)`.")
    asset: str = field(description="Key of the asset.")
    run: int = field(description="Number of the run; 0: by `mainstem check`.")
    verdict: Verdict = field(description="What it found.")
    severity: Severity = field(description="What follows from a failure.")
    message: str = field(description="Counts, what was expected, and what was seen.")
    row_count: Long | None = field(description="Rows looked at.")
    failed_count: Long | None = field(description="Rows that do not hold.")
    sample: Json = field(description="Some of those rows, or grouped values.")
    elapsed_seconds: float = field(description="How long it took.")
    at: datetime | None = field(description="When, if it was asked for as the latest.")


@strawberry.type(description="Something that is asserted of an asset.")
class Check:
    """A check."""

    id: ID = field(description="Stable: `staging.orders/not_null(id)`.")
    asset: str = field(description="Key of the asset.")
    title: str = field(description="What the id says behind the asset.")
    name: str = field(description="Kind: not_null, unique, row_count, sql, ...")
    columns: list[str] = field(description="The columns it looks at.")
    severity: Severity = field(description="What follows from a failure.")
    description: str = field(description="As the owner wrote it.")
    file: str = field(description="Where it is declared.")
    line: int = field(description="The line there; 0: unknown.")
    last: CheckResult | None = field(description="What it found last.")


def checks(
    info: Info,
    select: Select = None,
    verdict: Annotated[
        list[Verdict] | None, argument(description="Only those that last found this.")
    ] = None,
    first: First = 100,
    after: After = None,
) -> Connection[Check]:
    """Give the checks of assets with their last results."""
    context = info.context
    assets = context.project.select(tuple(select or ()))
    specs = [spec for asset in assets for spec in asset.checks]
    latest = _latest(context)
    latest.expect([asset.key for asset in assets])
    if verdict:
        wanted = {each.value for each in verdict}
        specs = [
            spec
            for spec in specs
            if (last := _last(context, spec)) is not None and last.verdict.value in wanted
        ]
    return counted(
        specs,
        first=first,
        after=after,
        name=lambda spec: spec.id,
        node=lambda some: [check(context, spec) for spec in some],
    )


def check(context: Context, spec: CheckSpec) -> Check:
    """Make a check of its declaration, with its last result."""
    return Check(
        id=ID(spec.id),
        asset=str(spec.asset),
        title=spec.title,
        name=spec.name,
        columns=list(spec.columns),
        severity=Severity(spec.severity),
        description=spec.description,
        file=spec.file,
        line=spec.line,
        last=_last(context, spec),
    )


def check_results(run_id: int, results: Sequence[Result]) -> list[CheckResult]:
    """Make results of a run's."""
    return [_result(result, run=run_id, at=None) for result in results]


def expect(context: Context, specs: Sequence[CheckSpec]) -> None:
    """Say which checks will be asked for their last results."""
    _latest(context).expect([spec.asset for spec in specs])


def _last(context: Context, spec: CheckSpec) -> CheckResult | None:
    for at, run_id, result in _latest(context).of(spec.asset) or ():
        if result.check_id == spec.id:
            return _result(result, run=run_id, at=at)
    return None


def _latest(context: Context) -> Batch[AssetKey, list[tuple[datetime, int, Result]]]:
    return context.batch("latest_checks", partial(latest_checks, context.transaction))


def _result(result: Result, *, run: int, at: datetime | None) -> CheckResult:
    return CheckResult(
        check=ID(result.check_id),
        asset=str(result.asset),
        run=run,
        verdict=Verdict(result.verdict),
        severity=Severity(result.severity),
        message=result.message,
        row_count=long(result.row_count),
        failed_count=long(result.failed_count),
        sample=Json(list(result.sample)),
        elapsed_seconds=result.elapsed_s,
        at=at,
    )
