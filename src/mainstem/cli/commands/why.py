# SPDX-License-Identifier: Apache-2.0
"""`why`: why an asset ran, or did not."""

from __future__ import annotations

import click

from mainstem.cli.opening import project_of
from mainstem.cli.options import json_option, where_options
from mainstem.cli.output import Output
from mainstem.cli.render.why import why_lines


@click.command(name="why")
@click.argument("asset")
@where_options
@json_option
def why_command(*, asset: str, environment: str | None, branch: str | None, is_json: bool) -> None:
    """Tell why an ASSET, or ASSET@PARTITION, ran last, or did not, and what may run it next."""
    output = Output.of_process(is_json=is_json)
    with project_of(environment=environment, branch=branch) as project:
        found = project.automation.why(asset)
    if is_json:
        output.document(found)
    else:
        output.lines(why_lines(found, output.look))
