# SPDX-License-Identifier: Apache-2.0
"""One step of a past run again: its inputs as that run saw them, its code as it is now.

Each asset is staged once in a run, so the run's branch as it was left holds all that a step read;
only its own table has to be put back. The step is run for a scratch branch made from there:
nothing that others read changes.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from mainstem.database import Transaction
from mainstem.errors import AssetNotFound, MainstemError, RefNotFound
from mainstem.lake import Lake, LinkWrite
from mainstem.models import Foreground
from mainstem.project.problems import raise_problems
from mainstem.project.project import open_project
from mainstem.runs import RunControl, RunEvent, RunFinished
from mainstem.state import RunRecord, steps
from mainstem.types import AssetKey, dataclass

if TYPE_CHECKING:
    from mainstem.project.project import Project


_KEPT = timedelta(days=14)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What is asked for."""

    run: RunRecord
    key: AssetKey
    branch: str = ""
    debugs: bool = False
    control: RunControl | None = None
    """Stops it; that of the project without."""
    on_begin: Callable[[Transaction, int], None] | None = None
    """Told the number of the run in the transaction that begins it."""

    @property
    def target(self) -> str:
        """The scratch branch."""
        return self.branch or f"replay/{self.run.id}-{self.key}"


def replay_step(
    project: Project, asked: Replay, *, on_event: Callable[[RunEvent], None] | None
) -> RunFinished:
    """Make the scratch branch, and run the step for it.

    Raises:
        AssetNotFound: The run had no such step, or the project has no such asset any more.
        RefNotFound: What the step read is no longer kept.
    """
    raise_problems(project.problems)
    check_replay(project, asked)
    _make_branch(project, asked)
    with open_project(
        project.folder,
        environment=asked.run.environment,
        branch=asked.target,
        clock=project.clock,
        shared=project.services.shared,
    ) as scratch:
        if asked.debugs:
            scratch.services.debugger = Foreground(scratch.folder)
        is_source = scratch.graph.assets[asked.key].kind == "file"
        return scratch.run(
            (str(asked.key),),
            on_event=on_event,
            control=asked.control or project.control,
            on_begin=asked.on_begin,
            again=True,
            force=True,
            fresh=is_source,
            ingest=is_source,
            logical_time=asked.run.logical_time,
        )


def check_replay(project: Project, asked: Replay) -> None:
    """See that the run had such a step, and the project still has such an asset.

    Raises:
        AssetNotFound: One of both is not so.
        RefNotFound: What the step read is no longer kept.
    """
    if asked.key not in project.graph:
        raise AssetNotFound("A2003", f"`{asked.key}` is not an asset of the project.")
    with project.services.database.read() as transaction:
        keys = [step.key for step in steps(transaction, asked.run.id)]
    if asked.key not in keys:
        raise AssetNotFound(
            "A6019",
            f"Run {asked.run.id} has no step {asked.key}.",
            hint=f"See its steps: mainstem runs show {asked.run.id}",
            known=[str(key) for key in keys],
        )
    _seen_by(project.lake, asked)


def _make_branch(project: Project, asked: Replay) -> None:
    lake, base, name = project.lake, asked.run.base_commit, asked.target
    at = _seen_by(lake, asked)
    with suppress(RefNotFound):
        lake.delete_branch(name)
    lake.create_branch(name, at=at, expires_at=project.clock.now() + _KEPT)
    before = lake.entry(asked.key, base)
    if before is not None:
        link = LinkWrite(key=asked.key, content=before.content, provenance=before.provenance)
        lake.commit(name, [link], message=f"as run {asked.run.id} found it")
    elif lake.entry(asked.key, name) is not None:
        lake.drop(asked.key, branch=name, message=f"as run {asked.run.id} found it")


def _seen_by(lake: Lake, asked: Replay) -> str:
    """Give the commit with the inputs of the step."""
    run = asked.run
    with suppress(RefNotFound):
        return lake.resolve(run.run_branch or f"run/{run.id}").id
    try:
        # A run that staged nothing, or nothing that is left: what it began with is there.
        return lake.resolve(run.base_commit).id
    except MainstemError as error:
        raise RefNotFound(
            "A6019",
            f"What run {run.id} read is no longer kept.",
            hint="Branches of runs live 14 days, 30 after a failure.",
        ) from error
