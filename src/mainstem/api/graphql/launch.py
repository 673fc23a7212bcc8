# SPDX-License-Identifier: Apache-2.0
"""Launches: what waits for a run, what became of it, and asking for one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from enum import Enum
from typing import Annotated

import strawberry
from strawberry import ID, argument, field

from mainstem.api.graphql.arguments import First, Number, RunNumber
from mainstem.api.graphql.context import Context, Info
from mainstem.api.graphql.identity import Node
from mainstem.api.graphql.paging import size_of
from mainstem.api.graphql.plan import RunOptions
from mainstem.api.graphql.scalars import Json
from mainstem.errors import AssetNotFound, UserError
from mainstem.graph import require_partitions
from mainstem.graph import select as selected
from mainstem.lake import check_ref_name
from mainstem.project import Controlling, Project, require_permission
from mainstem.runs import with_partition_keys
from mainstem.state import Launch as Stored
from mainstem.state import LaunchRequest, launch_of, launches, queue_depth


@strawberry.enum(description="How a launch is, or ended.")
class LaunchStatus(Enum):
    """Of launches."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    HELD = "held"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"


@strawberry.enum(description="What asked for a launch.")
class LaunchOrigin(Enum):
    """Of launches."""

    MANUAL = "manual"
    API = "api"
    SCHEDULE = "schedule"
    SENSOR = "sensor"
    CONDITION = "condition"
    WEBHOOK = "webhook"
    BACKFILL = "backfill"
    RETRY = "retry"


@strawberry.type(description="Something that was asked for, and becomes a run.")
class Launch(Node):
    """A launch."""

    id: ID = field(description="Stable.")
    number: int = field(description="What mutations take.")
    status: LaunchStatus = field(description="How it is, or ended.")
    origin: LaunchOrigin = field(description="What asked for it.")
    source: str = field(description="Name of the job, sensor or hook; who called.")
    run_key: str = field(description="With origin and source: launched at most once; or empty.")
    job: str = field(description="The job that it runs, if it does.")
    environment: str = field(description="Empty: the default one.")
    branch: str = field(description="Empty: the environment's.")
    select: list[str] = field(description="Assets; empty: all, or the job's.")
    exclude: list[str] = field(description="Assets that are left out.")
    partitions: Json = field(description="Sets of partitions by asset.")
    options: Json = field(description="Of plan and run.")
    priority: int = field(description="Higher goes first.")
    requested_at: datetime = field(description="When it was asked for.")
    started_at: datetime | None = field(description="When a server began it.")
    finished_at: datetime | None = field(description="When it ended.")
    run: int | None = field(description="Number of the run that it became.")
    attempts: int = field(description="How often a server began it.")
    cancel_requested: bool = field(description="Whether somebody asked to stop it.")
    error: str = field(description="Why it could not be run.")
    cause: Json = field(description="Facts that led to it.")


@strawberry.type(description="What waits, and what runs.")
class Queue:
    """The queue."""

    queued: int = field(description="Launches that wait.")
    running: int = field(description="Launches that run.")
    waiting: list[Launch] = field(description="The last that were asked for and wait.")


@strawberry.input(description="What to run.")
class LaunchInput:
    """What is asked for."""

    job: str = field(
        default="", description="A job of mainstem.yml, instead of a selection and options."
    )
    select: list[str] = field(
        default_factory=list, description="Assets, in the grammar of `mainstem run`; empty: all."
    )
    exclude: list[str] = field(default_factory=list, description="Assets to leave out.")
    partitions: str = field(
        default="",
        description="As `mainstem run --partition`: a range, `missing`; empty: all, or the job's.",
    )
    branch: str = field(default="", description="Branch to publish to; empty: the environment's.")
    environment: str = field(default="", description="Empty: the default one.")
    options: RunOptions | None = field(default=None, description="Of plan and run.")
    priority: int = field(default=0, description="Higher goes first, from -100 to 100.")
    run_key: str = field(
        default="",
        description="Asked for twice with the same key, one run is launched: for retries.",
    )


def launch_list(
    info: Info,
    first: First = 20,
    status: Annotated[LaunchStatus | None, argument(description="Only of this one.")] = None,
    origin: Annotated[LaunchOrigin | None, argument(description="Only of this one.")] = None,
) -> list[Launch]:
    """Give launches, newest first."""
    found = launches(
        info.context.transaction,
        limit=size_of(first),
        status="" if status is None else status.value,
        origin="" if origin is None else origin.value,
    )
    return [node(each) for each in found]


def launch(info: Info, number: Number) -> Launch | None:
    """Give one launch."""
    found = launch_of(info.context.transaction, number)
    return None if found is None else node(found)


def queue(info: Info) -> Queue:
    """Give what waits and runs."""
    transaction = info.context.transaction
    depth = queue_depth(transaction)
    return Queue(
        queued=depth["queued"],
        running=depth["running"],
        waiting=[node(each) for each in launches(transaction, status="queued", limit=100)],
    )


def ask(
    info: Info, request: Annotated[LaunchInput, argument(description="What to run.")]
) -> Launch:
    """Ask for a run.

    Raises:
        SelectionInvalid: The selection means nothing, or no branch can have that name, or no asset
            such partitions.
        UserError: The environment is protected, and it was not meant or the git tree is dirty.
    """
    context, given = info.context, request
    if given.job:
        return _ask_for_job(context, given)
    options = given.options.given() if given.options is not None else {}
    _require_possible(context.project, given, given.select, given.exclude)
    _permit(context.project, given, is_meant=bool(options.get("yes")))
    asked = LaunchRequest(
        origin="api",
        source=context.principal.name,
        run_key=given.run_key[:200],
        environment=given.environment,
        branch=given.branch,
        select=tuple(given.select),
        exclude=tuple(given.exclude),
        partitions={"*": given.partitions} if given.partitions else {},
        options=options,
        priority=max(-100, min(given.priority, 100)),
    )
    return node(context.host.launch(asked))


def _require_possible(
    project: Project, given: LaunchInput, select: Sequence[str], exclude: Sequence[str]
) -> None:
    """Say now, to whoever asks, what a launch would fail with later."""
    keys = selected(project.graph, select, exclude)
    if given.branch:
        check_ref_name(given.branch)
    if given.partitions:
        graph = with_partition_keys(project.graph, project.services.database)
        for key in keys:
            require_partitions(graph.assets[key], given.partitions, now=project.clock.now())


def _permit(project: Project, given: LaunchInput, *, is_meant: bool) -> None:
    name = given.environment or project.environment
    own = project.settings.environment(name).branch if given.environment else project.branch
    require_permission(
        project.settings,
        name,
        branch=given.branch or own,
        folder=project.folder,
        is_meant=is_meant,
    )


def _ask_for_job(context: Context, given: LaunchInput) -> Launch:
    if given.select or given.exclude or given.options is not None or given.environment:
        raise UserError(
            "A8113",
            "A job has a selection, options and an environment of its own.",
            hint="Give `job` alone, or what is to be run without it.",
        )
    target = context.project.automation.job(given.job)
    _require_possible(context.project, given, target.select, target.exclude)
    asked = target.request("api", context.principal.name, given.run_key[:200])
    partitions = {"*": given.partitions} if given.partitions else asked.partitions
    return node(context.host.launch(replace(asked, branch=given.branch, partitions=partitions)))


def ask_again(info: Info, run: RunNumber) -> Launch:
    """Ask for what a run left undone; what it built is linked, not built again.

    Raises:
        AssetNotFound: There is no such run.
        UserError: It goes on, or nothing is left of it.
    """
    context = info.context
    request = Controlling(context.project).launch_to_retry(run, source=context.principal.name)
    return node(context.host.launch(request))


def replay(
    info: Info,
    run: RunNumber,
    asset: Annotated[str, argument(description="Whose step: `namespace.name`.")],
) -> Launch:
    """Ask for one step of a run once more, with the inputs that the run gave it."""
    context = info.context
    request = Controlling(context.project).launch_to_replay(
        run, asset, source=context.principal.name
    )
    return node(context.host.launch(request))


def stop(
    info: Info, launch: Annotated[int, argument(description="Number of the launch.")]
) -> Launch:
    """Take a launch out of the queue, or stop its run.

    Raises:
        AssetNotFound: There is no such launch.
    """
    found = info.context.host.cancel(launch)
    if found is None:
        raise AssetNotFound("A8120", f"There is no launch {launch}.", hint="Ask `launches`.")
    return node(found)


def node(stored: Stored) -> Launch:
    """Make a launch of its record."""
    request = stored.request
    return Launch(
        id=ID(f"launch:{stored.id}"),
        number=stored.id,
        status=LaunchStatus(stored.status),
        origin=LaunchOrigin(request.origin),
        source=request.source,
        run_key=request.run_key,
        job=request.job,
        environment=request.environment,
        branch=request.branch,
        select=list(request.select),
        exclude=list(request.exclude),
        partitions=Json(dict(request.partitions)),
        options=Json(dict(request.options)),
        priority=request.priority,
        requested_at=stored.requested_at,
        started_at=stored.started_at,
        finished_at=stored.finished_at,
        run=stored.run_id,
        attempts=stored.attempts,
        cancel_requested=stored.cancel_requested,
        error=stored.error,
        cause=Json(dict(request.cause)),
    )
