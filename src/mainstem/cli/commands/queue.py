# SPDX-License-Identifier: Apache-2.0
"""`queue`: what waits for a server, what it executes, and what became of it."""

from __future__ import annotations

from typing import get_args

import click

from mainstem.cli.opening import project_of
from mainstem.cli.options import json_option
from mainstem.cli.output import Output
from mainstem.cli.render.serve import queue_lines
from mainstem.errors import AssetNotFound
from mainstem.state import LaunchStatus, cancel_launch, launches
from mainstem.types import SystemClock

limit_option = click.option("--limit", default=20, show_default=True, help="Launches to show.")
status_option = click.option(
    "--status", type=click.Choice(get_args(LaunchStatus)), help="Only those; all without."
)


@click.group(name="queue", invoke_without_command=True)
@limit_option
@status_option
@json_option
@click.pass_context
def queue_command(
    ctx: click.Context, *, limit: int, status: LaunchStatus | None, is_json: bool
) -> None:
    """List launches, newest first; or `queue cancel LAUNCH`."""
    if ctx.invoked_subcommand is None:
        _list(limit, status, is_json=is_json)


@queue_command.command(name="list")
@limit_option
@status_option
@json_option
def queue_list(*, limit: int, status: LaunchStatus | None, is_json: bool) -> None:
    """List launches, newest first."""
    _list(limit, status, is_json=is_json)


@queue_command.command(name="cancel")
@click.argument("launch", type=int)
@json_option
def queue_cancel(*, launch: int, is_json: bool) -> None:
    """Take a LAUNCH out of the queue, or have the server stop its run."""
    output = Output.of_process(is_json=is_json)
    with project_of() as project, project.services.database.write() as transaction:
        found = cancel_launch(transaction, launch, now=project.clock.now())
    if found is None:
        raise AssetNotFound(
            "A6406", f"There is no launch {launch}.", hint="See them all: mainstem queue list"
        )
    if is_json:
        output.document(found)
    elif found.status == "running":
        output.lines([f"launch {launch} is told to stop; see: mainstem queue"])
    else:
        output.lines([f"launch {launch} is {found.status}"])


def _list(limit: int, status: LaunchStatus | None, *, is_json: bool) -> None:
    output = Output.of_process(is_json=is_json)
    with project_of() as project, project.services.database.read() as transaction:
        found = launches(transaction, status=status or "", limit=limit)
    if is_json:
        output.document(found)
    elif found:
        output.lines(queue_lines(found, output.look, now=SystemClock().now()))
    else:
        output.note("No launches yet: schedules, `serve` and the API make them.")
