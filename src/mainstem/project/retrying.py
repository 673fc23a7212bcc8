# SPDX-License-Identifier: Apache-2.0
"""The rest of a run: what is launched to do again what came to nothing in it, and only that.

One rule for the CLI and the API. What the run published stays; what it built and could not
publish is asked for too, and linked where equal code and inputs mean equal rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mainstem.errors import AssetNotFound, MainstemError, UserError
from mainstem.graph import Plan, PlannedAsset
from mainstem.state import (
    LaunchRequest,
    RunRecord,
    StepRecord,
    launch_of_run,
    plan_of,
    run_of,
    steps,
)

if TYPE_CHECKING:
    from mainstem.lake import Lake
    from mainstem.project.project import Project

_NOT_OPTIONS = frozenset({"select", "exclude", "partitions", "read_through"})
"""What a run's record says beside its options."""
_WORK = frozenset({"read", "build", "link"})
_NEW = frozenset({"built", "read", "linked"})


def launch_to_retry(project: Project, run_id: int, *, source: str) -> LaunchRequest:
    """Give the launch that does the rest of a run.

    It has the run's options, environment, branch and logical time: all re-runs of a run agree on
    what `now()` is (SEMANTICS).

    Args:
        project: Whose run it is.
        run_id: The run.
        source: Who asks.

    Raises:
        AssetNotFound: There is no such run.
        UserError: It goes on, or nothing is left of it (A6018).
    """
    with project.services.database.read() as transaction:
        run = run_of(transaction, run_id)
        if run is None:
            hint = "See them all: mainstem runs list"
            raise AssetNotFound("A6001", f"There is no run {run_id}.", hint=hint)
        plan = plan_of(transaction, run_id)
        done = steps(transaction, run_id)
        launched = launch_of_run(transaction, run_id)
    rest = _rest(run, plan, done, project.lake)
    first = launched.request if launched is not None else LaunchRequest(origin="retry")
    return replace(
        first,
        origin="retry",
        source=source,
        run_key="",
        environment=run.environment,
        branch=run.branch,
        select=tuple(str(item.key) for item in rest),
        exclude=(),
        partitions={item.key.folded: item.partitions for item in rest if item.partitions},
        options={**first.options, **_options(run.options)},
        logical_time=run.logical_time,
        not_before=None,
        cause={"run": run_id, "status": run.status},
    )


def options_of_launch(request: LaunchRequest) -> dict[str, Any]:
    """Give the options of `Project.run` that a launch means."""
    chosen = {name: value for name, value in request.options.items() if name not in {"vars", "yes"}}
    # `now()` of a tick's run is the time that the tick was due, however late it began.
    if request.logical_time is not None:
        chosen["logical_time"] = request.logical_time
    if request.partitions:
        chosen["partitions"] = dict(request.partitions)
    return chosen


def _rest(
    run: RunRecord, plan: Plan | None, ended: Iterable[StepRecord], lake: Lake
) -> list[PlannedAsset]:
    if run.status == "running":
        raise UserError(
            "A6018", f"Run {run.id} goes on.", hint=f"Stop it: mainstem runs cancel {run.id}"
        )
    if plan is None:
        raise UserError(
            "A6018",
            f"What run {run.id} was to do is no longer remembered.",
            hint="mainstem run does what is new.",
        )
    by_key = {step.key: step for step in ended}
    rest = [
        item
        for item in plan.assets
        if item.action in _WORK and not _is_done(by_key.get(item.key), run, lake)
    ]
    if run.status == "succeeded" or not rest:
        raise UserError(
            "A6018",
            f"Run {run.id} {run.status}: nothing is left of it.",
            hint="mainstem run does what is new.",
        )
    return rest


def _is_done(step: StepRecord | None, run: RunRecord, lake: Lake) -> bool:
    """Tell whether readers have what came of a step; an effect leaves nothing to read."""
    if step is None:
        return False
    if step.status not in _NEW:
        return step.status == "unchanged"
    if not step.data_version:
        return True
    try:
        entry = lake.entry(step.key, run.commit_id) if run.commit_id else None
    except MainstemError:
        return False
    return entry is not None and entry.provenance.data_version == step.data_version


def _options(recorded: Mapping[str, Any]) -> dict[str, Any]:
    """Give what was asked for; whether sources are read through is the environment's to say."""
    chosen = {
        name: value
        for name, value in recorded.items()
        if name not in _NOT_OPTIONS and (value or name == "ingest")
    }
    if recorded.get("read_through"):
        chosen.pop("ingest", None)
    return chosen
