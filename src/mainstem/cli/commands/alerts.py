# SPDX-License-Identifier: Apache-2.0
"""`alerts`: who is told what, what was sent, and a test of a receiver."""

from __future__ import annotations

import click

from mainstem.cli.opening import project_of
from mainstem.cli.options import json_option
from mainstem.cli.output import Output
from mainstem.cli.render.alerts import message_lines, rule_lines
from mainstem.errors import SourceUnavailable
from mainstem.types import SystemClock


@click.group(name="alerts", invoke_without_command=True)
@json_option
@click.pass_context
def alerts_command(ctx: click.Context, *, is_json: bool) -> None:
    """List alerts and their latest messages; or `alerts test NAME`."""
    if ctx.invoked_subcommand is None:
        _list(20, is_json=is_json)


@alerts_command.command(name="list")
@click.option("--limit", default=20, show_default=True, help="Messages to show.")
@json_option
def alerts_list(*, limit: int, is_json: bool) -> None:
    """List who is told what, and the latest messages."""
    _list(limit, is_json=is_json)


@alerts_command.command(name="test")
@click.argument("name")
@json_option
def alerts_test(*, name: str, is_json: bool) -> None:
    """Send a message to the receiver NAME now."""
    output = Output.of_process(is_json=is_json)
    with project_of() as project:
        error = project.services.redactor.text(project.recording.test_alert(name))
    if error:
        raise SourceUnavailable(
            "A3950",
            f"The message to `{name}` did not arrive: {error}.",
            hint="Check its address and its password under `alerts:` of mainstem.yml.",
        )
    if is_json:
        output.document({"alert": name, "sent": True})
    else:
        output.lines([f"sent a message to {name}"])


def _list(limit: int, *, is_json: bool) -> None:
    output = Output.of_process(is_json=is_json)
    with project_of() as project:
        rules = project.recording.rules
        messages = project.recording.alerts(limit=limit)
    if is_json:
        shown = [
            {"name": rule.name, "type": rule.type, "on": rule.events, "jobs": rule.jobs}
            for rule in rules
        ]
        output.document({"alerts": shown, "messages": messages})
        return
    if not rules:
        output.note("mainstem.yml has no `alerts:`.")
    output.lines(rule_lines(rules))
    output.lines(message_lines(messages, output.look, now=SystemClock().now()))
