# SPDX-License-Identifier: Apache-2.0
"""`sensor`: what is looked at again and again, and what came of it."""

from __future__ import annotations

import click
import orjson

from mainstem.cli.opening import project_of
from mainstem.cli.options import json_option
from mainstem.cli.output import Output
from mainstem.cli.render.plan import plan_lines
from mainstem.cli.render.schedule import dry_tick_lines, tick_lines
from mainstem.cli.render.sensor import answer_lines, sensor_lines
from mainstem.errors import UserError
from mainstem.types import SystemClock


@click.group(name="sensor", invoke_without_command=True)
@json_option
@click.pass_context
def sensor_command(ctx: click.Context, *, is_json: bool) -> None:
    """List sensors; or switch one, let it look, set its cursor, read its history."""
    if ctx.invoked_subcommand is None:
        _list(is_json=is_json)


@sensor_command.command(name="list")
@json_option
def sensor_list(*, is_json: bool) -> None:
    """List sensors, what they watch, and what they saw last."""
    _list(is_json=is_json)


@sensor_command.command(name="on")
@click.argument("name")
@json_option
def sensor_on(*, name: str, is_json: bool) -> None:
    """Turn a sensor on; it looks on from its cursor."""
    _switch(name, on=True, is_json=is_json)


@sensor_command.command(name="off")
@click.argument("name")
@json_option
def sensor_off(*, name: str, is_json: bool) -> None:
    """Turn a sensor off, whatever the file says."""
    _switch(name, on=False, is_json=is_json)


@sensor_command.command(name="run")
@click.argument("name")
@json_option
def sensor_run(*, name: str, is_json: bool) -> int:
    """Look now, and put what it asks for in the queue."""
    output = Output.of_process(is_json=is_json)
    with project_of() as project:
        tick = project.automation.sensors.run(name)
    if is_json:
        output.document(tick)
    elif tick is None:
        output.note("The sensor was changed while it looked: look again.")
    else:
        output.lines(tick_lines([tick], output.look))
    return 2 if tick is not None and tick.outcome == "failed" else 0


@sensor_command.command(name="dry-run")
@click.argument("name")
@json_option
def sensor_dry_run(*, name: str, is_json: bool) -> None:
    """Look now and show what would be launched. Writes nothing, and keeps the cursor."""
    output = Output.of_process(is_json=is_json)
    with project_of() as project:
        _, answer, tried = project.automation.dry_look(name)
    if is_json:
        output.document({"answer": answer, "launches": tried})
        return
    output.lines(answer_lines(answer))
    for tick in tried:
        output.lines(dry_tick_lines(tick, output.look))
        output.lines(plan_lines(tick.plan, output.look))


@sensor_command.command(name="cursor")
@click.argument("name")
@click.option("--set", "value", metavar="JSON", help="Look on from here.")
@click.option("--reset", is_flag=True, help="Look again from the start.")
@json_option
def sensor_cursor(*, name: str, value: str | None, reset: bool, is_json: bool) -> None:
    """Show a sensor's cursor, or set it. Run keys that were launched stay so."""
    output = Output.of_process(is_json=is_json)
    text = _cursor(value)
    with project_of() as project:
        sensors = project.automation.sensors
        if value is not None or reset:
            status = sensors.set_cursor(name, "" if reset else text)
        else:
            status = sensors.status(name)
    cursor = orjson.loads(status.cursor) if status.cursor else None
    if is_json:
        output.document({"name": name, "cursor": cursor})
    else:
        output.lines([status.cursor or "none: it will look from the start"])


@sensor_command.command(name="ticks")
@click.argument("name", required=False, default="")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@json_option
def sensor_ticks(*, name: str, limit: int, is_json: bool) -> None:
    """List past looks, newest first; those that saw nothing count on one line."""
    output = Output.of_process(is_json=is_json)
    with project_of() as project:
        found = project.automation.sensors.ticks(name, limit=limit)
    if is_json:
        output.document(found)
    elif found:
        output.lines(tick_lines(found, output.look))
    else:
        output.note("No look yet: mainstem sensor run NAME")


def _cursor(value: str | None) -> str:
    if value is None:
        return ""
    try:
        return orjson.dumps(orjson.loads(value)).decode()
    except orjson.JSONDecodeError as error:
        raise UserError(
            "A2217",
            f"`--set {value}` is not JSON: {error}.",
            hint="A text stands in double quotes: --set '\"2026-01-31\"'.",
        ) from error


def _switch(name: str, *, on: bool, is_json: bool) -> None:
    output = Output.of_process(is_json=is_json)
    with project_of() as project:
        status = project.automation.sensors.switch(name, on=on)
    if is_json:
        output.document(status)
    else:
        output.lines(sensor_lines([status], output.look, now=SystemClock().now()))


def _list(*, is_json: bool) -> None:
    output = Output.of_process(is_json=is_json)
    with project_of() as project:
        statuses = project.automation.sensors.all()
    if is_json:
        output.document(statuses)
    elif statuses:
        output.lines(sensor_lines(statuses, output.look, now=SystemClock().now()))
    else:
        output.note("There is no sensor: see `sensors:` of mainstem.yml, and @sensor.")
