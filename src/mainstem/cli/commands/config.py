# SPDX-License-Identifier: Apache-2.0
"""`config`: settings in force with their origins, and the JSON Schemas for editors."""

from __future__ import annotations

from typing import Literal

import click

from mainstem.cli.opening import project_of
from mainstem.cli.options import environment_option, json_option
from mainstem.cli.output import Output
from mainstem.cli.render.grid import grid
from mainstem.config import json_schema

_SCHEMAS: dict[str, Literal["mainstem", "ingest", "models"]] = {
    "mainstem": "mainstem",
    "ingest": "ingest",
    "models": "models",
}


@click.command(name="config")
@environment_option
@click.option(
    "--schema",
    type=click.Choice(list(_SCHEMAS)),
    help="Print the JSON Schema of such files instead; point your editor at it.",
)
@json_option
def config_command(*, environment: str | None, schema: str | None, is_json: bool) -> None:
    """Show the settings in force, each with the file that set it; secrets as ****."""
    output = Output.of_process(is_json=is_json)
    if schema is not None:
        output.document(json_schema(_SCHEMAS[schema]))
        return
    with project_of(environment=environment) as project:
        settings = project.config_report()
    if is_json:
        output.document(settings)
        return
    rows = [(setting.name, setting.value, setting.origin) for setting in settings]
    output.lines(grid(("setting", "value", "set by"), rows, look=output.look))
