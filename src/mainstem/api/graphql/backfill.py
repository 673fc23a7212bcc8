# SPDX-License-Identifier: Apache-2.0
"""Backfills: partitions of the past that are built in launches; asked for, watched, steered."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Annotated

import strawberry
from strawberry import ID, argument, field

from mainstem.api.graphql.arguments import First, Number
from mainstem.api.graphql.context import Info
from mainstem.api.graphql.identity import Node
from mainstem.api.graphql.paging import size_of
from mainstem.api.graphql.plan import RunOptions
from mainstem.service import BackfilledAsset, BackfillReport
from mainstem.state import backfill_of


@strawberry.enum(description="How a backfill is, or ended.")
class BackfillStatus(Enum):
    """Of backfills."""

    RUNNING = "running"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@strawberry.enum(description="Which partitions come first.")
class BackfillOrder(Enum):
    """Of backfills."""

    OLDEST = "oldest"
    NEWEST = "newest"


@strawberry.enum(description="What a backfill is narrowed to; both: either of them.")
class BackfillOnly(Enum):
    """Of backfills."""

    MISSING = "missing"
    FAILED = "failed"


@strawberry.type(description="One asset of a backfill, and how many of its partitions are built.")
class BackfillAsset:
    """An asset of a backfill."""

    asset: str = field(description="Its key.")
    target: int = field(description="Partitions that are wanted.")
    done: int = field(description="Those that were built and published.")
    failed: int = field(description="Those that failed, or were held by a check.")
    flying: int = field(description="Those in launches that wait or run.")
    stuck: int = field(description="Not begun, because something that they read failed.")
    partitions: str = field(description="The wanted ones, as ranges.")
    failed_partitions: str = field(description="The failed ones, as ranges.")
    flying_partitions: str = field(description="Those that wait or run, as ranges.")
    seconds_each: float | None = field(description="One took this long; null before the first.")


@strawberry.type(description="A stored plan to build partitions, which a server carries out.")
class Backfill(Node):
    """A backfill."""

    id: ID = field(description="Stable; `backfill:0` of a dry run, which is stored nowhere.")
    number: int = field(description="What mutations take; 0 of a dry run.")
    status: BackfillStatus = field(description="How it is, or ended.")
    environment: str = field(description="Where it builds.")
    branch: str = field(description="What it publishes to.")
    select: list[str] = field(description="Assets, as they were asked for.")
    exclude: list[str] = field(description="Assets that are left out.")
    partitions: str = field(description="The range that was asked for; empty: all there are.")
    only: list[BackfillOnly] = field(description="What it was narrowed to.")
    parallel: int = field(description="Launches at once; 0 starts none.")
    chunk: int = field(description="Partitions of a launch; 0: by how long they take.")
    order: BackfillOrder = field(description="Which come first.")
    priority: int = field(description="Among backfills; higher goes first.")
    asked_by: str = field(description="Who asked for it.")
    created_at: datetime = field(description="When it was asked for.")
    finished_at: datetime | None = field(description="When it ended.")
    note: str = field(description="Why it cannot go on; empty if it can.")
    target: int = field(description="Partitions of all assets.")
    done: int = field(description="Those that were built and published.")
    failed: int = field(description="Those that failed, or were held by a check.")
    assets: list[BackfillAsset] = field(description="In building order.")
    launches: list[int] = field(description="Numbers of the launches that have not ended.")
    seconds_left: float | None = field(description="Estimated; null before the first is done.")


@strawberry.input(description="What to build, and how to go about it.")
class BackfillInput:
    """What is asked for."""

    select: list[str] = field(
        description="Assets, in the grammar of `mainstem run`; those without partitions are left."
    )
    exclude: list[str] = field(default_factory=list, description="Assets to leave out.")
    partitions: str = field(
        default="",
        description="Of the assets on top, `2013-01..2013-06`; those below follow. Empty: all.",
    )
    only: list[BackfillOnly] = field(default_factory=list, description="Narrow it to these.")
    options: RunOptions | None = field(default=None, description="Of its runs.")
    parallel: int | None = field(default=None, description="Launches at once; 2 without.")
    chunk: int | None = field(
        default=None, description="Partitions of a launch; by how long they take without."
    )
    order: BackfillOrder | None = field(default=None, description="Oldest first without.")
    priority: int | None = field(
        default=None, description="Among backfills; higher goes first; 0 without."
    )
    dry_run: bool = field(default=False, description="Say what it would be, and store nothing.")


@strawberry.input(description="How a backfill is to go on; what is not given stays.")
class PaceInput:
    """What changes."""

    parallel: int | None = field(default=None, description="Launches at once; 0 starts none.")
    chunk: int | None = field(
        default=None, description="Partitions of a launch; 0: by how long they take."
    )
    order: BackfillOrder | None = field(default=None, description="Which come first.")
    priority: int | None = field(default=None, description="Among backfills; higher goes first.")


def backfills(info: Info, first: First = 20) -> list[Backfill]:
    """Give backfills, newest first."""
    return [node(each) for each in info.context.host.backfills.list(limit=size_of(first))]


def backfill(info: Info, number: Number) -> Backfill | None:
    """Give one backfill."""
    if backfill_of(info.context.transaction, number) is None:
        return None
    return node(info.context.host.backfills.show(number))


def launch_backfill(
    info: Info, request: Annotated[BackfillInput, argument(description="What to build.")]
) -> Backfill:
    """Store a backfill; a server begins it within seconds.

    Raises:
        SelectionInvalid: There is nothing to fill, or the range cannot be read.
        UserError: The environment is protected, and it was not meant or the git tree is dirty.
    """
    context, given = info.context, request
    pace = {
        "parallel": given.parallel,
        "chunk": given.chunk,
        "order": None if given.order is None else given.order.value,
        "priority": given.priority,
    }
    made = context.host.backfills.create(
        given.select,
        given.exclude,
        partitions=given.partitions,
        only=[each.value for each in given.only],
        pace=pace,
        options=given.options.given() if given.options is not None else {},
        asked_by=context.principal.name,
        dry_run=given.dry_run,
    )
    return node(made)


def pause_backfill(info: Info, number: Number) -> Backfill:
    """Start nothing new; what runs may end."""
    return node(info.context.host.backfills.pause(number))


def resume_backfill(info: Info, number: Number) -> Backfill:
    """Go on with one that was paused."""
    return node(info.context.host.backfills.resume(number))


def cancel_backfill(info: Info, number: Number) -> Backfill:
    """Start nothing new for good, and stop what runs."""
    return node(info.context.host.backfills.cancel(number))


def retry_backfill(info: Info, number: Number) -> Backfill:
    """Do again what failed, and what waited for it."""
    return node(info.context.host.backfills.retry(number))


def edit_backfill(
    info: Info, number: Number, pace: Annotated[PaceInput, argument(description="What changes.")]
) -> Backfill:
    """Change how a backfill goes on."""
    changed = {
        "parallel": pace.parallel,
        "chunk": pace.chunk,
        "order": None if pace.order is None else pace.order.value,
        "priority": pace.priority,
    }
    return node(info.context.host.backfills.edit(number, **changed))


def node(report: BackfillReport) -> Backfill:
    """Make a backfill of its report."""
    stored = report.backfill
    asked = stored.request
    return Backfill(
        id=ID(f"backfill:{stored.id}"),
        number=stored.id,
        status=BackfillStatus(stored.status),
        environment=stored.environment,
        branch=stored.branch,
        select=list(asked.get("select") or ()),
        exclude=list(asked.get("exclude") or ()),
        partitions=asked.get("partitions") or "",
        only=[BackfillOnly(each) for each in asked.get("only") or ()],
        parallel=stored.parallel,
        chunk=stored.chunk,
        order=BackfillOrder(stored.order),
        priority=stored.priority,
        asked_by=stored.asked_by,
        created_at=stored.created_at,
        finished_at=stored.finished_at,
        note=stored.note,
        target=report.target,
        done=report.done,
        failed=report.failed,
        assets=[_asset(each) for each in report.assets],
        launches=list(report.launches),
        seconds_left=report.seconds_left,
    )


def _asset(asset: BackfilledAsset) -> BackfillAsset:
    return BackfillAsset(
        asset=str(asset.key),
        target=asset.target,
        done=asset.done,
        failed=asset.failed,
        flying=asset.flying,
        stuck=asset.stuck,
        partitions=asset.partitions,
        failed_partitions=asset.failed_partitions,
        flying_partitions=asset.flying_partitions,
        seconds_each=asset.seconds_each,
    )
