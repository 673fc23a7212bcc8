# SPDX-License-Identifier: Apache-2.0
"""`condition`: which assets launch themselves, what they did last, and turning one on or off."""

from __future__ import annotations

import click

from mainstem.cli.opening import project_of
from mainstem.cli.options import json_option
from mainstem.cli.output import Output
from mainstem.cli.render.schedule import condition_lines
from mainstem.project import conditions_of, switch_condition
from mainstem.types import SystemClock


@click.group(name="condition", invoke_without_command=True)
@json_option
@click.pass_context
def condition_command(ctx: click.Context, *, is_json: bool) -> None:
    """List the assets that launch themselves; or `condition off ASSET`."""
    if ctx.invoked_subcommand is None:
        _list(is_json=is_json)


@condition_command.command(name="list")
@json_option
def condition_list(*, is_json: bool) -> None:
    """List the assets that launch themselves, and when they did last."""
    _list(is_json=is_json)


@condition_command.command(name="on")
@click.argument("asset")
@json_option
def condition_on(*, asset: str, is_json: bool) -> None:
    """Let an ASSET launch itself; what it missed while off is not made up for."""
    _switch(asset, on=True, is_json=is_json)


@condition_command.command(name="off")
@click.argument("asset")
@json_option
def condition_off(*, asset: str, is_json: bool) -> None:
    """Let an ASSET no longer launch itself, whatever its `run_when` says."""
    _switch(asset, on=False, is_json=is_json)


def _switch(asset: str, *, on: bool, is_json: bool) -> None:
    output = Output.of_process(is_json=is_json)
    with project_of() as project:
        status = switch_condition(project, asset, on=on)
    if is_json:
        output.document(status)
    else:
        output.lines(condition_lines([status], output.look, now=SystemClock().now()))


def _list(*, is_json: bool) -> None:
    output = Output.of_process(is_json=is_json)
    with project_of() as project, project.services.database.read() as transaction:
        statuses = conditions_of(project, transaction)
    if is_json:
        output.document(statuses)
    elif statuses:
        output.lines(condition_lines(statuses, output.look, now=SystemClock().now()))
    else:
        output.note("No asset has `run_when`.")
