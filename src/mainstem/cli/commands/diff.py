# SPDX-License-Identifier: Apache-2.0
"""`diff`, `merge` and `revert`: comparing and moving what is on branches."""

from __future__ import annotations

from typing import Any, Literal

import click

from mainstem.cli.opening import project_of
from mainstem.cli.options import json_option, where_options
from mainstem.cli.output import Output
from mainstem.cli.render.diff import diff_lines, merge_lines
from mainstem.errors import UserError


@click.command(name="diff")
@click.argument("refs", nargs=-1, required=True)
@click.option("--asset", "assets", metavar="ASSET", multiple=True, help="Only this one; repeat it.")
@click.option("--no-rows", is_flag=True, help="Do not compare rows, only what the catalog knows.")
@click.option("--limit", default=5, show_default=True, help="Rows of each sample.")
@where_options
@json_option
def diff_command(
    *,
    refs: tuple[str, ...],
    assets: tuple[str, ...],
    no_rows: bool,
    limit: int,
    is_json: bool,
    **where: Any,
) -> None:
    """Show what REF B has that REF A has not: `diff A B`; `diff B` compares with your branch."""
    output = Output.of_process(is_json=is_json)
    if len(refs) > 2:
        raise UserError(
            "A1061",
            f"`diff` compares two branches or commits, not {len(refs)}.",
            hint="For one table: mainstem diff A B --asset namespace.name",
        )
    with project_of(**where) as project:
        before, after = refs if len(refs) == 2 else (project.branch, refs[0])
        found = project.diff(before, after, assets=assets, rows=not no_rows, limit=limit)
    if is_json:
        output.document(found)
    else:
        output.lines(diff_lines(found, output.look))


@click.command(name="merge")
@click.argument("source")
@click.option("--into", metavar="NAME", help="Target; the branch acted on by default.")
@click.option("--ours", "side", flag_value="ours", help="On conflict the target's version stays.")
@click.option(
    "--theirs", "side", flag_value="theirs", help="On conflict the source's version wins."
)
@click.option("--dry-run", is_flag=True, help="Say what would happen; change nothing.")
@click.option("-m", "--message", default="", help="Of the commit.")
@where_options
@json_option
def merge_command(
    *,
    source: str,
    into: str | None,
    side: Literal["ours", "theirs"] | None,
    dry_run: bool,
    message: str,
    is_json: bool,
    **where: Any,
) -> None:
    """Bring the changes of branch SOURCE into another, in one commit or not at all."""
    output = Output.of_process(is_json=is_json)
    with project_of(**where) as project:
        target = into or project.branch
        result = project.merge(
            source, into=target, on_conflict=side or "fail", dry_run=dry_run, message=message
        )
    if is_json:
        output.document(result)
    else:
        output.lines(merge_lines(result, source, target, output.look, is_dry_run=dry_run))
    if not dry_run:
        result.require()


@click.command(name="revert")
@click.argument("commit")
@click.option("--keep-cursors", is_flag=True, help="Do not read again what was read since.")
@click.option("-m", "--message", default="", help="Of the commit.")
@where_options
@json_option
def revert_command(
    *,
    commit: str,
    keep_cursors: bool,
    message: str,
    is_json: bool,
    **where: Any,
) -> None:
    """Undo COMMIT by a new one; what it built comes back only when code or inputs change."""
    output = Output.of_process(is_json=is_json)
    with project_of(**where) as project:
        undone = project.lake.resolve(commit)
        made = project.revert(commit, keep_cursors=keep_cursors, message=message)
        target = project.branch
    if is_json:
        output.document(made)
        return
    what = f"{undone.id[:8]} ({undone.message})" if undone.message else undone.id[:8]
    output.lines([f"Reverted {what} on {target} in commit {made.id[:8]}."])
