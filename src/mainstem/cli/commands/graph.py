# SPDX-License-Identifier: Apache-2.0
"""`list` and `lineage`: the graph as text."""

from __future__ import annotations

from typing import Any

import click

from mainstem.cli.opening import project_of, where_text
from mainstem.cli.options import (
    exclude_option,
    json_option,
    select_option,
    where_options,
)
from mainstem.cli.output import Output
from mainstem.cli.render.grid import grid
from mainstem.cli.render.lineage import lineage_lines


@click.command(name="list")
@click.argument("assets", nargs=-1)
@select_option
@exclude_option
@where_options
@json_option
def list_command(
    *,
    assets: tuple[str, ...],
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    is_json: bool,
    **where: Any,
) -> None:
    """List assets: what they are, how many rows they have, how many checks."""
    output = Output.of_process(is_json=is_json)
    with project_of(**where) as project:
        rows = project.listing((*assets, *select), exclude)
        output.note(where_text(project))
    if is_json:
        output.document(rows)
        return
    names = ["asset", "kind", "materialized", "rows", "checks", "file"]
    cells = [
        [row.key, row.kind, row.materialized, row.row_count, row.check_count, row.file]
        for row in rows
    ]
    if any(row.is_stale for row in rows):
        names.append("")
        for cell, row in zip(cells, rows, strict=True):
            cell.append("stale: its inputs are newer" if row.is_stale else "")
    output.lines(grid(names, cells, look=output.look))


@click.command(name="lineage")
@click.argument("name")
@click.option("--down", is_flag=True, help="What is made of it, instead of what it is made of.")
@where_options
@json_option
def lineage_command(*, name: str, down: bool, is_json: bool, **where: Any) -> None:
    """Show where NAME comes from: an asset, or a column as namespace.name.column."""
    output = Output.of_process(is_json=is_json)
    with project_of(**where) as project:
        tree = project.lineage(name, downstream=down)
    if is_json:
        output.document(tree)
    else:
        output.lines(lineage_lines(tree, output.look))
