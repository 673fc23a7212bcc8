# SPDX-License-Identifier: Apache-2.0
"""`runs`: what ran, how it ended, and what it said."""

from __future__ import annotations

import click

from mainstem.cli.commands.control import CONTROL
from mainstem.cli.opening import project_of
from mainstem.cli.options import json_option
from mainstem.cli.output import Output
from mainstem.cli.render.alerts import failure_lines
from mainstem.cli.render.plain import plain
from mainstem.cli.render.runs import log_lines, run_detail_lines, run_list_lines
from mainstem.types import SystemClock

FOLLOW_S = 0.5


@click.group(name="runs", invoke_without_command=True)
@click.option("--limit", default=20, show_default=True, help="Runs to show.")
@json_option
@click.pass_context
def runs_command(ctx: click.Context, *, limit: int, is_json: bool) -> None:
    """List runs, newest first; or `runs show RUN`, `runs log RUN`."""
    if ctx.invoked_subcommand is None:
        _list(limit, is_json=is_json)


for command in CONTROL:
    runs_command.add_command(command)


@runs_command.command(name="list")
@click.option("--limit", default=20, show_default=True, help="Runs to show.")
@json_option
def runs_list(*, limit: int, is_json: bool) -> None:
    """List runs, newest first."""
    _list(limit, is_json=is_json)


@runs_command.command(name="show")
@click.argument("run", type=int)
@json_option
def runs_show(*, run: int, is_json: bool) -> None:
    """Show the steps and checks of a RUN."""
    output = Output.of_process(is_json=is_json)
    with project_of() as project:
        detail = project.run_detail(run)
    if is_json:
        output.document(detail)
    else:
        output.lines(run_detail_lines(detail, output.look))


@runs_command.command(name="log")
@click.argument("run", type=int)
@click.argument("step", required=False)
@click.option("-f", "--follow", is_flag=True, help="Wait for more until the run ends.")
@json_option
def runs_log(*, run: int, step: str | None, follow: bool, is_json: bool) -> None:
    """Print what the steps of a RUN wrote: user code's output, retries, errors."""
    output = Output.of_process(is_json=is_json)
    clock = SystemClock()
    with project_of() as project:
        project.run_detail(run)  # says so if there is no such run
        reader = project.follow_log(run, step or "")
        while True:
            entries = reader.read()
            if is_json and not follow:
                output.document(entries)
            elif is_json:
                for entry in entries:
                    output.event(plain(entry))
            else:
                output.lines(log_lines(entries, output.look))
            if not follow or reader.is_over:
                return
            clock.sleep(FOLLOW_S)


@runs_command.command(name="failures")
@click.option("--open", "is_open", is_flag=True, help="Only those that still stand.")
@click.option("--branch", default="", help="Of this target branch only.")
@click.option("--limit", default=20, show_default=True, help="Failures to show.")
@json_option
def runs_failures(*, is_open: bool, branch: str, limit: int, is_json: bool) -> None:
    """Show failures, each once however often it came: since when, and between which commits."""
    output = Output.of_process(is_json=is_json)
    with project_of() as project:
        found = project.recording.failures(branch=branch, is_open=is_open, limit=limit)
    if is_json:
        output.document(found)
    elif found:
        output.lines(failure_lines(found, output.look, now=SystemClock().now()))
    else:
        output.note("Nothing has failed.")


def _list(limit: int, *, is_json: bool) -> None:
    output = Output.of_process(is_json=is_json)
    with project_of() as project:
        runs = project.runs(limit=limit)
    if is_json:
        output.document(runs)
    elif runs:
        output.lines(run_list_lines(runs, output.look, now=SystemClock().now()))
    else:
        output.note("Nothing has run yet: mainstem run")
