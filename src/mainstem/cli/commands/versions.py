# SPDX-License-Identifier: Apache-2.0
"""`branch`, `tag` and `log`: the names and the history of the lake's commits."""

from __future__ import annotations

from typing import Any, Literal

import click

from mainstem.cli.opening import project_of, where_text
from mainstem.cli.options import json_option, where_options
from mainstem.cli.output import Output
from mainstem.cli.render.versions import commit_lines, ref_lines
from mainstem.types import AssetKey, SystemClock


@click.group(name="branch", invoke_without_command=True)
@json_option
@click.pass_context
def branch_command(ctx: click.Context, *, is_json: bool) -> None:
    """List branches; or `branch create NAME`, `branch delete NAME`."""
    if ctx.invoked_subcommand is None:
        _list_refs("branch", is_json=is_json)


@branch_command.command(name="list")
@json_option
def list_branches(*, is_json: bool) -> None:
    """List branches with their last commit."""
    _list_refs("branch", is_json=is_json)


@branch_command.command(name="create")
@click.argument("name")
@click.option("--at", default="main", show_default=True, metavar="REF", help="Where it begins.")
@json_option
def create_branch(*, name: str, at: str, is_json: bool) -> None:
    """Create a branch over all tables; copies no data."""
    output = Output.of_process(is_json=is_json)
    with project_of() as project:
        ref = project.lake.create_branch(name, at=at)
    if is_json:
        output.document(ref)
    else:
        output.lines([f"Created branch {name} at {at}@{ref.commit_id[:8]}."])


@branch_command.command(name="delete")
@click.argument("name")
@json_option
def delete_branch(*, name: str, is_json: bool) -> None:
    """Delete a branch; its commits can be read by id until they are swept."""
    output = Output.of_process(is_json=is_json)
    with project_of() as project:
        commit_id = project.lake.ref(name).commit_id
        project.lake.delete_branch(name)
    if is_json:
        output.document({"name": name, "commit_id": commit_id})
    else:
        again = f"mainstem branch create {name} --at {commit_id[:8]}"
        output.lines([f"Deleted branch {name}, it was at {commit_id[:8]}. Back again: {again}"])


@click.group(name="tag", invoke_without_command=True)
@json_option
@click.pass_context
def tag_command(ctx: click.Context, *, is_json: bool) -> None:
    """List tags; or `tag create NAME`, `tag delete NAME`."""
    if ctx.invoked_subcommand is None:
        _list_refs("tag", is_json=is_json)


@tag_command.command(name="create")
@click.argument("name")
@click.option("--at", default="main", show_default=True, metavar="REF", help="What it names.")
@json_option
def create_tag(*, name: str, at: str, is_json: bool) -> None:
    """Name a commit, so that it can be read for good."""
    output = Output.of_process(is_json=is_json)
    with project_of() as project:
        ref = project.lake.tag(name, at=at)
    if is_json:
        output.document(ref)
    else:
        output.lines([f"Tagged {ref.commit_id[:8]} as {name}."])


@tag_command.command(name="delete")
@click.argument("name")
@json_option
def delete_tag(*, name: str, is_json: bool) -> None:
    """Delete a tag; the commit stays."""
    output = Output.of_process(is_json=is_json)
    with project_of() as project:
        project.lake.delete_tag(name)
    if is_json:
        output.document({"name": name})
    else:
        output.lines([f"Deleted tag {name}."])


@click.command(name="log")
@click.argument("ref", required=False)
@click.option("--asset", metavar="ASSET", help="Only commits that changed this one.")
@click.option("--limit", default=20, show_default=True, help="Commits to show.")
@where_options
@json_option
def log_command(
    *,
    ref: str | None,
    asset: str | None,
    limit: int,
    is_json: bool,
    **where: Any,
) -> None:
    """List the commits of REF (the branch acted on, by default), newest first."""
    output = Output.of_process(is_json=is_json)
    with project_of(**where) as project:
        key = AssetKey.parse(asset) if asset is not None else None
        commits = list(project.lake.log(ref or project.reading_ref, limit=limit, key=key))
        output.note(where_text(project, ref))
    if is_json:
        output.document(commits)
    else:
        output.lines(commit_lines(commits, output.look, now=SystemClock().now()))


def _list_refs(kind: Literal["branch", "tag"], *, is_json: bool) -> None:
    output = Output.of_process(is_json=is_json)
    with project_of() as project:
        refs = project.lake.refs(kind)
        acting = project.branch
        dates = {ref.commit_id: project.lake.resolve(ref.commit_id).created_at for ref in refs}
    if is_json:
        output.document(refs)
    elif refs:
        now = SystemClock().now()
        output.lines(ref_lines(refs, dates, output.look, acting=acting, now=now))
    else:
        output.note(f"There is no {kind} yet.")
