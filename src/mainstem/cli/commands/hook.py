# SPDX-License-Identifier: Apache-2.0
"""`hook`: what others may call, what came, and what it would launch."""

from __future__ import annotations

import click

from mainstem.cli.opening import project_of
from mainstem.cli.options import json_option
from mainstem.cli.output import Output
from mainstem.cli.render.plan import plan_lines
from mainstem.cli.render.schedule import dry_tick_lines
from mainstem.cli.render.sensor import delivery_lines, hook_lines
from mainstem.types import SystemClock


@click.group(name="hook", invoke_without_command=True)
@json_option
@click.pass_context
def hook_command(ctx: click.Context, *, is_json: bool) -> None:
    """List hooks; or what came to one, or try its last delivery."""
    if ctx.invoked_subcommand is not None:
        return
    output = Output.of_process(is_json=is_json)
    with project_of() as project:
        hooks = project.automation.hooks.all()
    if is_json:
        output.document(hooks)
    elif hooks:
        output.lines(hook_lines(hooks, output.look))
    else:
        output.note("There is no hook: see `hooks:` of mainstem.yml.")


@hook_command.command(name="deliveries")
@click.argument("name")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@json_option
def hook_deliveries(*, name: str, limit: int, is_json: bool) -> None:
    """List what came to a hook, newest first."""
    output = Output.of_process(is_json=is_json)
    with project_of() as project:
        found = project.automation.hooks.deliveries(name, limit=limit)
    if is_json:
        output.document(found)
    elif found:
        output.lines(delivery_lines(found, output.look, now=SystemClock().now()))
    else:
        output.note("Nothing came yet.")


@hook_command.command(name="dry-run")
@click.argument("name")
@json_option
def hook_dry_run(*, name: str, is_json: bool) -> None:
    """Show what the last delivery would launch, came it now. Launches nothing."""
    output = Output.of_process(is_json=is_json)
    with project_of() as project:
        found = project.automation.dry_delivery(name)
    if is_json:
        output.document(found)
    else:
        output.lines(dry_tick_lines(found, output.look))
        output.lines(plan_lines(found.plan, output.look))
