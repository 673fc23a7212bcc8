# SPDX-License-Identifier: Apache-2.0
"""`pools`: what steps share, who holds slots of it, and slots set while runs go on."""

from __future__ import annotations

import getpass

import click

from mainstem.cli.opening import project_of
from mainstem.cli.options import json_option
from mainstem.cli.output import Output
from mainstem.cli.render.pools import pool_lines, pools_document
from mainstem.project import pool_states, set_pool
from mainstem.types import SystemClock


@click.group(name="pools", invoke_without_command=True)
@json_option
@click.pass_context
def pools_command(ctx: click.Context, *, is_json: bool) -> None:
    """List pools and who holds slots of them; or `pools set NAME SLOTS`."""
    if ctx.invoked_subcommand is None:
        _list(is_json=is_json)


@pools_command.command(name="list")
@json_option
def pools_list(*, is_json: bool) -> None:
    """List pools and who holds slots of them."""
    _list(is_json=is_json)


@pools_command.command(name="set")
@click.argument("name")
@click.argument("slots", type=int)
@json_option
def pools_set(*, name: str, slots: int, is_json: bool) -> None:
    """Give the pool NAME so many SLOTS in all runs, whatever mainstem.yml says; 0 shuts it."""
    _set(name, slots, is_json=is_json)


@pools_command.command(name="reset")
@click.argument("name")
@json_option
def pools_reset(*, name: str, is_json: bool) -> None:
    """Give the pool NAME as many slots as mainstem.yml says."""
    _set(name, None, is_json=is_json)


def _set(name: str, slots: int | None, *, is_json: bool) -> None:
    output = Output.of_process(is_json=is_json)
    with project_of() as project:
        found = set_pool(project, name, slots, by=getpass.getuser())
    if is_json:
        output.document(pools_document([found])[0])
    else:
        output.lines(pool_lines([found], output.look, now=SystemClock().now()))


def _list(*, is_json: bool) -> None:
    output = Output.of_process(is_json=is_json)
    with project_of() as project, project.services.database.read() as transaction:
        found = pool_states(project, transaction)
    if is_json:
        output.document(pools_document(found))
    elif found:
        output.lines(pool_lines(found, output.look, now=SystemClock().now()))
    else:
        output.note("mainstem.yml has no `pools:`.")
