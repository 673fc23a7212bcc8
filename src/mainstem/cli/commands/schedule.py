# SPDX-License-Identifier: Apache-2.0
"""`schedule`: when jobs run by themselves, and what became of each of their ticks."""

from __future__ import annotations

import click

from mainstem.cli.opening import project_of
from mainstem.cli.options import json_option
from mainstem.cli.output import Output
from mainstem.cli.render.plan import plan_lines
from mainstem.cli.render.schedule import (
    dry_tick_lines,
    next_tick_lines,
    schedule_lines,
    tick_lines,
)
from mainstem.types import SystemClock


@click.group(name="schedule", invoke_without_command=True)
@json_option
@click.pass_context
def schedule_command(ctx: click.Context, *, is_json: bool) -> None:
    """List schedules; or switch one, look ahead, try a tick, read its history."""
    if ctx.invoked_subcommand is None:
        _list(is_json=is_json)


@schedule_command.command(name="list")
@json_option
def schedule_list(*, is_json: bool) -> None:
    """List schedules with their next tick and their last."""
    _list(is_json=is_json)


@schedule_command.command(name="on")
@click.argument("name")
@json_option
def schedule_on(*, name: str, is_json: bool) -> None:
    """Turn a schedule on; what it missed while off is not made up for."""
    _switch(name, on=True, is_json=is_json)


@schedule_command.command(name="off")
@click.argument("name")
@json_option
def schedule_off(*, name: str, is_json: bool) -> None:
    """Turn a schedule off, whatever mainstem.yml says."""
    _switch(name, on=False, is_json=is_json)


@schedule_command.command(name="next")
@click.argument("name")
@click.option("--count", type=click.IntRange(1, 1000), default=5, show_default=True)
@json_option
def schedule_next(*, name: str, count: int, is_json: bool) -> None:
    """Show when a schedule fires next."""
    output = Output.of_process(is_json=is_json)
    with project_of() as project:
        ticks = project.automation.next_ticks(name, count)
        zone = project.automation.triggers.schedules[name].timing.zone
    if is_json:
        output.document(ticks)
    else:
        output.lines(next_tick_lines(ticks, zone))


@schedule_command.command(name="dry-run")
@click.argument("name")
@json_option
def schedule_dry_run(*, name: str, is_json: bool) -> None:
    """Show what the next tick would launch, as things are now. Launches nothing."""
    output = Output.of_process(is_json=is_json)
    with project_of() as project:
        found = project.automation.dry_run(name)
    if is_json:
        output.document(found)
    else:
        output.lines(dry_tick_lines(found, output.look))
        output.lines(plan_lines(found.plan, output.look))


@schedule_command.command(name="ticks")
@click.argument("name", required=False, default="")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@json_option
def schedule_ticks(*, name: str, limit: int, is_json: bool) -> None:
    """List past ticks, newest first: launched, or skipped and why."""
    output = Output.of_process(is_json=is_json)
    with project_of() as project:
        found = project.automation.ticks(name, limit=limit)
    if is_json:
        output.document(found)
    elif found:
        output.lines(tick_lines(found, output.look))
    else:
        output.note("No tick yet: they come while a server runs.")


def _switch(name: str, *, on: bool, is_json: bool) -> None:
    output = Output.of_process(is_json=is_json)
    with project_of() as project:
        status = project.automation.switch(name, on=on)
    if is_json:
        output.document(status)
    else:
        output.lines(schedule_lines([status], output.look, now=SystemClock().now()))


def _list(*, is_json: bool) -> None:
    output = Output.of_process(is_json=is_json)
    with project_of() as project:
        statuses = project.automation.schedules()
    if is_json:
        output.document(statuses)
    elif statuses:
        output.lines(schedule_lines(statuses, output.look, now=SystemClock().now()))
    else:
        output.note("No job of mainstem.yml has `cron` or `every`.")
