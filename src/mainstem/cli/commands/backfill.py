# SPDX-License-Identifier: Apache-2.0
"""`backfill`: build partitions of the past, in launches that a server carries out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from mainstem.cli.opening import parse_variables, project_of
from mainstem.cli.options import (
    exclude_option,
    json_option,
    select_option,
    vars_option,
    where_options,
)
from mainstem.cli.output import Output
from mainstem.cli.render.backfill import backfill_lines, backfill_list_lines
from mainstem.service import BackfillReport, Backfills
from mainstem.types import SystemClock


@click.group(name="backfill", invoke_without_command=True)
@json_option
@click.pass_context
def backfill_command(ctx: click.Context, *, is_json: bool) -> None:
    """List backfills; or build partitions of the past: `backfill create`, and steer it."""
    if ctx.invoked_subcommand is None:
        _list(20, is_json=is_json)


@backfill_command.command(name="create")
@click.argument("assets", nargs=-1)
@select_option
@exclude_option
@click.option("--partition", "partitions", default="", metavar="RANGE", help="2013-01..2013-06.")
@click.option("--missing", is_flag=True, help="Only partitions that the branch does not have.")
@click.option("--failed", is_flag=True, help="Only partitions whose last attempt failed.")
@click.option("--parallel", type=click.IntRange(0), help="Partitions at once; 2 by default.")
@click.option("--chunk", type=click.IntRange(0), help="Partitions per run; by their time if 0.")
@click.option("--order", type=click.Choice(["oldest", "newest"]), help="Which come first.")
@click.option("--priority", type=int, help="Among backfills; higher goes first.")
@vars_option
@click.option("--rebuild", is_flag=True, help="Build what is up to date, too.")
@click.option("--full-refresh", is_flag=True, help="Build incremental models anew.")
@click.option("--force", is_flag=True, help="Build again what was reverted.")
@click.option("--retries", type=click.IntRange(0), help="For assets that say nothing of it.")
@click.option("--yes", is_flag=True, help="On a protected environment by hand.")
@click.option("--dry-run", is_flag=True, help="Say what it would be, and store nothing.")
@where_options
@json_option
def create(
    *,
    assets: tuple[str, ...],
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    is_json: bool,
    environment: str | None,
    branch: str | None,
    variables: tuple[str, ...],
    **asked: Any,
) -> None:
    """Make a backfill of ASSETS and, of what is selected below them, the partitions they feed."""
    output = Output.of_process(is_json=is_json)
    options = {name: asked[name] for name in _OF_ITS_RUNS if asked[name]}
    if variables:
        options["vars"] = parse_variables(variables)
    if asked["retries"] is not None:
        options["retries"] = asked["retries"]
    with project_of(environment=environment, branch=branch, variables=variables) as project:
        report = Backfills(project).create(
            (*assets, *select),
            exclude,
            partitions=asked["partitions"],
            only=[name for name in ("missing", "failed") if asked[name]],
            pace={name: asked[name] for name in ("parallel", "chunk", "order", "priority")},
            options=options,
            asked_by="cli",
            dry_run=asked["dry_run"],
        )
    _tell(report, output)
    if not asked["dry_run"]:
        output.note("A server carries it out: mainstem serve")


_OF_ITS_RUNS = ("rebuild", "full_refresh", "force", "yes")


@backfill_command.command(name="list")
@click.option("--limit", default=20, show_default=True, help="Backfills to show.")
@json_option
def listing(*, limit: int, is_json: bool) -> None:
    """List backfills, newest first."""
    _list(limit, is_json=is_json)


def _list(limit: int, *, is_json: bool) -> None:
    output = Output.of_process(is_json=is_json)
    with project_of() as project:
        reports = Backfills(project).list(limit=limit)
    if is_json:
        output.document(reports)
    elif reports:
        output.lines(backfill_list_lines(reports, output.look, now=SystemClock().now()))
    else:
        output.note("No backfills yet: mainstem backfill create ASSET --partition RANGE")


def _command(name: str, about: str, act: Callable[[Backfills, int], BackfillReport]) -> None:
    @backfill_command.command(name=name, help=about)
    @click.argument("backfill", type=int)
    @json_option
    def command(*, backfill: int, is_json: bool) -> None:
        output = Output.of_process(is_json=is_json)
        with project_of() as project:
            report = act(Backfills(project), backfill)
        _tell(report, output)


_command("show", "Show how far a BACKFILL is, and what failed.", Backfills.show)
_command("pause", "Start nothing new; what runs may end.", Backfills.pause)
_command("resume", "Go on with a BACKFILL that was paused.", Backfills.resume)
_command("cancel", "Start nothing new for good, and stop what runs.", Backfills.cancel)
_command("retry", "Do again what failed, and what waited for it.", Backfills.retry)


@backfill_command.command(name="edit")
@click.argument("backfill", type=int)
@click.option("--parallel", type=click.IntRange(0), help="Partitions at once.")
@click.option("--chunk", type=click.IntRange(0), help="Partitions per run; 0: by their time.")
@click.option("--order", type=click.Choice(["oldest", "newest"]), help="Which come first.")
@click.option("--priority", type=int, help="Among backfills; higher goes first.")
@json_option
def edit(*, backfill: int, is_json: bool, **pace: Any) -> None:
    """Change how a BACKFILL goes about its work, while it goes on."""
    output = Output.of_process(is_json=is_json)
    with project_of() as project:
        report = Backfills(project).edit(backfill, **pace)
    _tell(report, output)


def _tell(report: BackfillReport, output: Output) -> None:
    if output.is_json:
        output.document(report)
    else:
        output.lines(backfill_lines(report, output.look))
