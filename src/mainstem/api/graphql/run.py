# SPDX-License-Identifier: Apache-2.0
"""Runs, their steps, what they said, and the results of checks in them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from functools import partial
from typing import Annotated

import orjson
import strawberry
from strawberry import ID, argument, field

from mainstem.api.graphql.arguments import After, First, Number, RunNumber
from mainstem.api.graphql.check import CheckResult, check_results
from mainstem.api.graphql.context import Batch, Context, Info
from mainstem.api.graphql.identity import Node
from mainstem.api.graphql.paging import Connection, bad_cursor, number_in, page, size_of
from mainstem.api.graphql.project import Fault, stored_fault
from mainstem.api.graphql.scalars import Json, Long, long
from mainstem.errors import AssetNotFound
from mainstem.state import (
    RunRecord,
    StepRecord,
    checks_of_runs,
    events,
    run_of,
    runs_page,
    steps_by_status,
    steps_of_runs,
)
from mainstem.types import CheckResult as Result


@strawberry.enum(description="How a run is, or ended.")
class RunStatus(Enum):
    """Of runs."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    NOTHING_TO_DO = "nothing_to_do"
    HELD = "held"
    FAILED = "failed"
    CANCELLED = "cancelled"
    CRASHED = "crashed"


@strawberry.enum(description="How a step is, or ended.")
class StepStatus(Enum):
    """Of steps."""

    RUNNING = "running"
    STAGED = "staged"
    BUILT = "built"
    READ = "read"
    LINKED = "linked"
    UNCHANGED = "unchanged"
    HELD = "held"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


@strawberry.type(description="What came of one asset in a run.")
class Step:
    """A step."""

    id: ID = field(description="Stable.")
    run: int = field(description="Number of the run.")
    asset: str = field(description="Key of the asset.")
    action: str = field(description="What the plan said: read, build, link, skip.")
    status: StepStatus = field(description="How it is, or ended.")
    reason: str = field(description="Why, in half a sentence.")
    attempts: int = field(description="How often it was tried.")
    row_count: Long | None = field(description="Rows of the table, or those that were added.")
    row_count_before: Long | None = field(description="Rows that readers saw before.")
    is_increment: bool = field(description="Whether `rowCount` was added to those before.")
    data_version: str = field(description="Identity of what was built, by how it came about.")
    started_at: datetime | None = field(description="When the first attempt began.")
    finished_at: datetime | None = field(description="When the last attempt ended.")
    elapsed_seconds: float = field(description="How long it took.")
    size_bytes: Long | None = field(description="Of the data files that were written.")
    cpu_seconds: float | None = field(description="Processor time that it took.")
    peak_memory_bytes: Long | None = field(description="Memory that its process held at most.")
    notes: list[str] = field(description="What is worth knowing of it.")
    warnings: list[str] = field(description="What is worth mending.")
    error: Fault | None = field(description="What it failed with.")


@strawberry.type(description="Steps of one status.")
class StepCount:
    """A number of steps."""

    status: StepStatus = field(description="The status.")
    count: int = field(description="Steps that have it.")


@strawberry.type(description="Something that happened to a run.")
class RunNote:
    """A line of a run's history."""

    at: datetime = field(description="When.")
    kind: str = field(description="published, crashed, retried, ...")
    asset: str = field(description="The asset, if it is of one.")
    text: str = field(description="What.")


def _step_counts(root: Run, info: Info) -> list[StepCount]:
    found = _counts(info.context).of(root.number) or {}
    return [
        StepCount(status=StepStatus(status), count=count) for status, count in sorted(found.items())
    ]


def _steps_of(root: Run, info: Info) -> list[Step]:
    found = _steps(info.context).of(root.number) or []
    return [step(root.number, each) for each in found]


def _checks_of(root: Run, info: Info) -> list[CheckResult]:
    return check_results(root.number, _checks(info.context).of(root.number) or [])


def _notes(root: Run, info: Info) -> list[RunNote]:
    return [
        RunNote(at=when, kind=kind, asset=asset, text=text)
        for when, kind, asset, text in events(info.context.transaction, root.number)
    ]


@strawberry.type(description="One execution of a plan.")
class Run(Node):
    """A run; what hangs on it is loaded for all runs of a list at once."""

    id: ID = field(description="Stable.")
    number: int = field(description="As in `mainstem runs show NUMBER`.")
    status: RunStatus = field(description="How it is, or ended.")
    branch: str = field(description="The branch that it publishes to.")
    environment: str = field(description="The environment it runs in.")
    base_commit: str = field(description="The commit that all its steps read.")
    commit: str = field(description="What it published; empty: nothing.")
    run_branch: str = field(description="Holds what was not published; empty: nothing.")
    git: str = field(description="State of the code: a commit, and edited files.")
    options: Json = field(description="What was asked for: selection and options.")
    started_at: datetime = field(description="When it began.")
    logical_time: datetime = field(description="What `now()` is in its SQL.")
    finished_at: datetime | None = field(description="When it ended.")
    elapsed_seconds: float | None = field(description="How long it took; null while it goes on.")
    error: str = field(description="Why it failed as a whole, if it did.")

    step_counts: list[StepCount] = field(resolver=_step_counts, description="Its steps by status.")
    steps: list[Step] = field(
        resolver=_steps_of, description="Its steps, in the order of the plan."
    )
    checks: list[CheckResult] = field(resolver=_checks_of, description="What its checks found.")
    notes: list[RunNote] = field(
        resolver=_notes, description="What happened to it as a whole; asked for of one run."
    )


@strawberry.type(description="One line of a run's log.")
class LogLine:
    """A line."""

    at: datetime = field(description="When it was written.")
    asset: str = field(description="The asset whose step wrote it.")
    attempt: int = field(description="Which attempt, from 1.")
    kind: str = field(description="stdout, stderr, log, retried, failed, note.")
    text: str = field(description="The line; secrets are masked.")


@strawberry.type(description="Lines of a log, and where to go on.")
class LogPage:
    """Lines."""

    lines: list[LogLine] = field(description="In the order of time.")
    cursor: str = field(description="`after` of the next page; stays valid while the log grows.")
    is_over: bool = field(description="Nothing more will come: the run ended, and this is the end.")


def runs(
    info: Info,
    first: First = 20,
    after: After = None,
    status: Annotated[
        list[RunStatus] | None, argument(description="Only of these; all without.")
    ] = None,
    branch: Annotated[str | None, argument(description="Only to this branch.")] = None,
    environment: Annotated[str | None, argument(description="Only of this one.")] = None,
) -> Connection[Run]:
    """Give runs, newest first."""
    found = runs_page(
        info.context.transaction,
        limit=size_of(first) + 1,
        before=number_in(after),
        statuses=[each.value for each in status or ()],
        branch=branch or "",
        environment=environment or "",
    )
    expect(info.context, found[:first])
    return page(found, first=first, after=after, name=lambda record: record.id, node=node)


def run(info: Info, number: Number) -> Run | None:
    """Give one run."""
    record = run_of(info.context.transaction, number)
    return None if record is None else node(record)


def logs(
    info: Info,
    run: RunNumber,
    asset: Annotated[str | None, argument(description="Only of this one's step.")] = None,
    first: First = 500,
    after: Annotated[str | None, argument(description="`cursor` of the page before.")] = None,
) -> LogPage:
    """Give lines of a run's log.

    Raises:
        AssetNotFound: There is no such run.
    """
    context, size = info.context, size_of(first)
    record = run_of(context.transaction, run)
    if record is None:
        raise AssetNotFound("A6001", f"There is no run {run}.", hint="Ask `runs` for all of them.")
    read = context.project.services.logs
    offsets = _offsets(after)
    if asset:
        found = read.tail(run, asset, offsets.get(asset.casefold(), 0), limit=size)
        lines, offsets = found.lines, {**offsets, asset.casefold(): found.next_offset}
    else:
        whole = read.run(run, offsets, limit=max(1, size // max(1, len(read.steps(run)))))
        lines, offsets = whole.lines, dict(whole.offsets)
    return LogPage(
        lines=[
            LogLine(
                at=line.at, asset=line.step, attempt=line.attempt, kind=line.kind, text=line.text
            )
            for line in lines
        ],
        cursor=base64.urlsafe_b64encode(orjson.dumps(offsets)).decode(),
        is_over=record.finished_at is not None and not lines,
    )


def node(record: RunRecord) -> Run:
    """Make a run of its record."""
    ended = record.finished_at
    return Run(
        id=ID(f"run:{record.id}"),
        number=record.id,
        status=RunStatus(record.status),
        branch=record.branch,
        environment=record.environment,
        base_commit=record.base_commit,
        commit=record.commit_id,
        run_branch=record.run_branch,
        git=record.git,
        options=Json(dict(record.options)),
        started_at=record.started_at,
        logical_time=record.logical_time,
        finished_at=ended,
        elapsed_seconds=None if ended is None else (ended - record.started_at).total_seconds(),
        error=record.error,
    )


def expect(context: Context, records: Sequence[RunRecord]) -> None:
    """Say which runs will be asked for their steps and checks."""
    ids = [record.id for record in records]
    for batch in (_steps(context), _counts(context), _checks(context)):
        batch.expect(ids)


def step(run_id: int, record: StepRecord) -> Step:
    """Make a step of its record."""
    return Step(
        id=ID(f"step:{run_id}/{record.key}"),
        run=run_id,
        asset=str(record.key),
        action=record.action,
        status=StepStatus(record.status),
        reason=record.reason,
        attempts=record.attempts,
        row_count=long(record.row_count),
        row_count_before=long(record.row_count_before),
        is_increment=record.is_increment,
        data_version=record.data_version,
        started_at=record.started_at,
        finished_at=record.finished_at,
        elapsed_seconds=record.elapsed_s,
        size_bytes=long(record.size_bytes),
        cpu_seconds=None if record.usage is None else record.usage.cpu_s,
        peak_memory_bytes=None if record.usage is None else long(record.usage.peak_memory),
        notes=list(record.notes),
        warnings=list(record.warnings),
        error=None if record.error is None else stored_fault(dict(record.error)),
    )


def _steps(context: Context) -> Batch[int, list[StepRecord]]:
    return context.batch("steps", partial(steps_of_runs, context.transaction))


def _counts(context: Context) -> Batch[int, dict[str, int]]:
    return context.batch("step_counts", partial(steps_by_status, context.transaction))


def _checks(context: Context) -> Batch[int, list[Result]]:
    return context.batch("checks_of_run", partial(checks_of_runs, context.transaction))


def _offsets(after: str | None) -> dict[str, int]:
    if after is None:
        return {}
    try:
        found = orjson.loads(base64.urlsafe_b64decode(after))
    except (binascii.Error, ValueError):
        raise bad_cursor() from None
    if not isinstance(found, dict) or not all(
        isinstance(place, int) and 0 <= place < 2**62 for place in found.values()
    ):
        raise bad_cursor()
    return found
