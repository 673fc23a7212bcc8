# SPDX-License-Identifier: Apache-2.0
"""`runs cancel`, `pause`, `resume`, `retry` and `replay`: what may be asked of a run."""

from __future__ import annotations

import getpass

import click

from mainstem.cli.commands.work import executing
from mainstem.cli.opening import project_of
from mainstem.cli.options import json_option
from mainstem.cli.output import Output
from mainstem.project import Controlling, options_of_launch
from mainstem.state import RequestKind

_SAID = {
    "cancel": "Run {} was told to stop; once more stops it at once.",
    "pause": "Run {} was told to pause: what goes on is finished, nothing is started.",
    "resume": "Run {} was told to go on.",
}


@click.command(name="cancel")
@click.argument("run", type=int)
@json_option
def runs_cancel(*, run: int, is_json: bool) -> None:
    """Stop a RUN, of whatever process, as Ctrl-C would; twice: at once."""
    _ask(run, "cancel", is_json=is_json)


@click.command(name="pause")
@click.argument("run", type=int)
@json_option
def runs_pause(*, run: int, is_json: bool) -> None:
    """Let what a RUN does now be finished, and nothing more be started."""
    _ask(run, "pause", is_json=is_json)


@click.command(name="resume")
@click.argument("run", type=int)
@json_option
def runs_resume(*, run: int, is_json: bool) -> None:
    """Let a paused RUN go on."""
    _ask(run, "resume", is_json=is_json)


@click.command(name="retry")
@click.argument("run", type=int)
@json_option
def runs_retry(*, run: int, is_json: bool) -> int:
    """Do the rest of a RUN: what failed, was held or skipped, with the same options."""
    output = Output.of_process(is_json=is_json)
    with project_of() as project:
        launch = Controlling(project).launch_to_retry(run, source=getpass.getuser())
    known = launch.options.get("vars")
    with project_of(environment=launch.environment, branch=launch.branch, known=known) as project:
        return executing(
            project,
            output,
            lambda on_event: project.run(
                launch.select, launch.exclude, on_event=on_event, **options_of_launch(launch)
            ),
        )


@click.command(name="replay")
@click.argument("run", type=int)
@click.argument("step")
@click.option("--branch", metavar="NAME", default="", help="Where; replay/RUN-STEP without.")
@click.option("--pdb", "debugs", is_flag=True, help="Stop in the debugger where Python raises.")
@json_option
def runs_replay(*, run: int, step: str, branch: str, debugs: bool, is_json: bool) -> int:
    """Run a STEP of a RUN again on a scratch branch, with the inputs that the run gave it."""
    output = Output.of_process(is_json=is_json)
    with project_of() as project:
        return executing(
            project,
            output,
            lambda on_event: Controlling(project).replay(
                run, step, branch=branch, debugs=debugs, on_event=on_event
            ),
            redraws=not debugs,
        )


def _ask(run: int, kind: RequestKind, *, is_json: bool) -> None:
    output = Output.of_process(is_json=is_json)
    with project_of() as project:
        request = Controlling(project).ask(run, kind, by=getpass.getuser())
    if is_json:
        output.document(request)
    else:
        output.lines([_SAID[request.kind].format(run)])


CONTROL = (runs_cancel, runs_pause, runs_resume, runs_retry, runs_replay)
"""For the group `runs`."""
