# SPDX-License-Identifier: Apache-2.0
"""`table`: one table's files, history, and the path of its Iceberg metadata."""

from __future__ import annotations

from typing import Any

import click

from mainstem.cli.opening import project_of
from mainstem.cli.options import json_option, where_options
from mainstem.cli.output import Output
from mainstem.cli.render.versions import history_lines, table_lines
from mainstem.types import AssetKey, SystemClock

at_option = click.option("--at", metavar="REF", help="A branch, tag, commit or time.")


@click.group(name="table")
def table_command() -> None:
    """A table as other programs see it."""


@table_command.command(name="path")
@click.argument("asset")
@at_option
@where_options
@json_option
def table_path(*, asset: str, at: str | None, is_json: bool, **where: Any) -> None:
    """Write Iceberg metadata for a version and print its path: for PyIceberg, DuckDB, Spark."""
    output = Output.of_process(is_json=is_json)
    with project_of(**where) as project:
        path = project.lake.metadata_path(AssetKey.parse(asset), at=at or project.branch)
    if is_json:
        output.document({"asset": asset, "metadata": path})
    else:
        output.lines([path])


@table_command.command(name="info")
@click.argument("asset")
@at_option
@where_options
@json_option
def table_info(*, asset: str, at: str | None, is_json: bool, **where: Any) -> None:
    """Show a table's columns with their field ids, its layout and files."""
    output = Output.of_process(is_json=is_json)
    with project_of(**where) as project:
        relation = project.lake.relation(AssetKey.parse(asset), at or project.branch)
    if is_json:
        output.document(relation)
    else:
        output.lines(table_lines(relation, output.look))


@table_command.command(name="history")
@click.argument("asset")
@click.option("--limit", default=20, show_default=True, help="Versions to show.")
@where_options
@json_option
def table_history(*, asset: str, limit: int, is_json: bool, **where: Any) -> None:
    """List the commits that changed a table, with its rows at each."""
    output = Output.of_process(is_json=is_json)
    key = AssetKey.parse(asset)
    with project_of(**where) as project:
        commits = list(project.lake.log(project.branch, limit=limit, key=key))
        versions = [(commit, project.lake.entry(key, commit.id)) for commit in commits]
    if is_json:
        output.document([{"commit": commit, "entry": entry} for commit, entry in versions])
    else:
        output.lines(history_lines(versions, output.look, now=SystemClock().now()))
