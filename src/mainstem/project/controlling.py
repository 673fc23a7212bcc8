# SPDX-License-Identifier: Apache-2.0
"""What may be asked of runs from any process: stop, pause, go on, again from where it failed.

The CLI and the API call this; a run is told by a row that it reads (`state.control`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mainstem.database import Transaction
from mainstem.errors import AssetNotFound, UserError
from mainstem.project.replaying import Replay, check_replay, replay_step
from mainstem.project.retrying import launch_to_retry
from mainstem.runs import RunControl, RunEvent, RunFinished, recover
from mainstem.state import (
    ControlRequest,
    LaunchRequest,
    RequestKind,
    RunRecord,
    ask_run,
    run_of,
)

if TYPE_CHECKING:
    from mainstem.project.project import Project


class Controlling:
    """Requests to the runs of one open project."""

    def __init__(self, project: Project) -> None:
        self._project = project

    def ask(self, run_id: int, kind: RequestKind, *, by: str = "") -> ControlRequest:
        """Have a run stop, pause or go on; it hears of it within a second.

        Raises:
            AssetNotFound: There is no such run.
            UserError: It has ended, or its process died.
        """
        project = self._project
        database, clock = project.services.database, project.clock
        recover(database, project.lake, clock, on_end=project.recording.end_run)
        with database.write() as transaction:
            run = run_of(transaction, run_id)
            if run is None:
                raise _no_run(run_id)
            if run.status != "running":
                raise UserError(
                    "A6018",
                    f"Run {run_id} does not go on: it is {run.status}.",
                    hint="See what goes on: mainstem runs list",
                )
            return ask_run(transaction, run_id, kind, at=clock.now(), by=by)

    def launch_to_retry(self, run_id: int, *, source: str) -> LaunchRequest:
        """Give the launch that does the rest of a run: what it built is taken over.

        Raises:
            AssetNotFound: There is no such run.
            UserError: It goes on, or nothing is left of it.
        """
        project = self._project
        recover(
            project.services.database,
            project.lake,
            project.clock,
            on_end=project.recording.end_run,
        )
        return launch_to_retry(project, run_id, source=source)

    def launch_to_replay(self, run_id: int, step: str, *, source: str) -> LaunchRequest:
        """Give the launch that runs one step again, as `replay` does, on its own branch.

        Raises:
            AssetNotFound: There is no such run, or it had no such step.
            RefNotFound: What the step read is no longer kept.
        """
        run = self._run(run_id)
        asked = Replay(run=run, key=self._project.key(step))
        check_replay(self._project, asked)
        return LaunchRequest(
            origin="api",
            source=source,
            environment=run.environment,
            branch=asked.target,
            select=(str(asked.key),),
            options={"replay": run_id},
            cause={"run": run_id, "replay": str(asked.key)},
        )

    def replay(
        self,
        run_id: int,
        step: str,
        *,
        branch: str = "",
        debugs: bool = False,
        on_event: Callable[[RunEvent], None] | None = None,
        control: RunControl | None = None,
        on_begin: Callable[[Transaction, int], None] | None = None,
    ) -> RunFinished:
        """Run one step again on a branch of its own, with the inputs that a run gave it.

        Args:
            run_id: The run.
            step: One of its assets.
            branch: Where; `replay/<run>-<step>` without.
            debugs: A Python model runs in this process, and stops in the debugger where it raises.
            on_event: Told what happens.
            control: Stops it; without one, the project's `cancel` does.
            on_begin: Told the number of the new run in the transaction that begins it.

        Raises:
            AssetNotFound: There is no such run, or the step is not an asset.
            RefNotFound: The run's branch is no longer kept.
        """
        asked = Replay(
            run=self._run(run_id),
            key=self._project.key(step),
            branch=branch,
            debugs=debugs,
            control=control,
            on_begin=on_begin,
        )
        return replay_step(self._project, asked, on_event=on_event)

    def _run(self, run_id: int) -> RunRecord:
        with self._project.services.database.read() as transaction:
            run = run_of(transaction, run_id)
        if run is None:
            raise _no_run(run_id)
        return run


def _no_run(run_id: int) -> AssetNotFound:
    return AssetNotFound(
        "A6001", f"There is no run {run_id}.", hint="See them all: mainstem runs list"
    )
