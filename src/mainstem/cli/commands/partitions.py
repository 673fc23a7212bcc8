# SPDX-License-Identifier: Apache-2.0
"""`partitions`: how an asset's partitions stand; keys to add or remove, data to delete."""

from __future__ import annotations

from typing import Any

import click

from mainstem.cli.opening import project_of
from mainstem.cli.options import json_option, where_options
from mainstem.cli.output import Output
from mainstem.cli.render.partitions import partitions_document, partitions_lines
from mainstem.project import (
    Project,
    add_partitions,
    delete_partitions,
    permit,
    remove_partitions,
)
from mainstem.types import plural


@click.command(name="partitions")
@click.argument("asset")
@click.option("--add", multiple=True, metavar="KEY", help="Add a key to its dynamic partitions.")
@click.option("--remove", multiple=True, metavar="KEY", help="Take a key from them.")
@click.option("--delete", metavar="SET", help="Delete the rows of partitions, in one commit.")
@click.option("--yes", is_flag=True, help="Delete on a protected environment by hand.")
@where_options
@json_option
def partitions_command(
    *,
    asset: str,
    add: tuple[str, ...],
    remove: tuple[str, ...],
    delete: str | None,
    yes: bool,
    is_json: bool,
    **where: Any,
) -> None:
    """Show which partitions of an ASSET are built, stale, missing, failed."""
    output = Output.of_process(is_json=is_json)
    with project_of(**where) as project:
        if delete is not None:
            _delete(project, asset, delete, output, is_meant=yes)
        if add:
            new = add_partitions(project, asset, add)
            output.note(f"Added {plural(len(new), 'key')}: {', '.join(new) or 'all were there'}.")
        if remove:
            gone = remove_partitions(project, asset, remove)
            output.note(f"Removed {plural(gone, 'key')}; rows stay until they are deleted.")
        status = project.partitions(asset)
    if is_json:
        output.document(partitions_document(status))
    else:
        output.lines(partitions_lines(status, output.look))


def _delete(project: Project, asset: str, text: str, output: Output, *, is_meant: bool) -> None:
    permit(project, is_meant=is_meant)
    commit, rows = delete_partitions(project, asset, text)
    if commit is None:
        output.note("Nothing was deleted: none of them was built.")
    else:
        output.note(f"Deleted {plural(rows, 'row')} on {project.branch} in commit {commit.id[:8]}.")
