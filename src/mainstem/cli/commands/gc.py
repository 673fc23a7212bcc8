# SPDX-License-Identifier: Apache-2.0
"""`gc`: give back what nothing leads to any more."""

from __future__ import annotations

import click

from mainstem.cli.opening import project_of
from mainstem.cli.options import json_option
from mainstem.cli.output import Output
from mainstem.cli.render.collected import collected_lines
from mainstem.cli.render.plain import plain
from mainstem.project import collect


@click.command(name="gc")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@json_option
def gc_command(*, dry_run: bool, is_json: bool) -> None:
    """Remove expired run branches, files that nothing leads to, old logs and history.

    What branches, tags and runs lead to stays, and all that is younger than seven days.
    """
    output = Output.of_process(is_json=is_json)
    with project_of() as project:
        collected = collect(project.services, project.recording, dry_run=dry_run)
    if is_json:
        output.document({**plain(collected), "size_bytes": collected.size_bytes})
    else:
        output.lines(collected_lines(collected))
